"""`setup` is quiet and repeatable; `doctor` says what is wrong and what to do, and gives nobody away."""

import getpass
import importlib.metadata
import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest
from fakes import ROOT, sanitize

import labkit as lab
from labkit.course import environment

# ---- setup ----


@pytest.fixture(scope="module")
def first_import():
    """Run `setup` where TensorFlow was never imported, with its own messages asked for."""
    code = (
        "import labkit as lab, sys, os\n"
        "print(lab.setup())\n"
        "import tensorflow as tf, random, numpy as np\n"
        "print(random.random(), np.random.rand(), float(tf.random.uniform([])))\n"
        "lab.setup()\n"
        "print(random.random(), np.random.rand(), float(tf.random.uniform([])))\n"
        "lab.setup(seed=1)\n"
        "print(random.random(), np.random.rand(), float(tf.random.uniform([])))\n"
        "f = tf.function(lambda x: x)\n"
        "[f(i) for i in range(8)]\n"  # TensorFlow warns of so many traces
        "os.write(2, b'after')\n"
    )
    environ = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=environ,
        cwd=ROOT,
        timeout=90,
    )


def test_nothing_is_said_on_stderr(first_import):
    assert first_import.returncode == 0, first_import.stderr
    assert first_import.stderr == "after"  # and what comes later is heard again


def test_the_line_says_what_the_lesson_runs_on_and_nothing_that_nbval_would_compare(first_import):
    line = first_import.stdout.splitlines()[0]
    pattern = (
        r"Python \S+ · TensorFlow \S+ · Keras \S+ · NumPy \S+ · \d+ cores? · (no GPU|\d+ GPUs?)"
    )
    assert re.fullmatch(pattern, line)
    other = "Python 3.12.1 · TensorFlow 2.22.0 · Keras 3.99 · NumPy 2.9.9 · 64 cores · 8 GPUs"
    assert sanitize(line) == sanitize(other)


def test_a_seed_repeats_the_random_numbers_of_all_three(first_import):
    first, again, other = (line.split() for line in first_import.stdout.splitlines()[1:4])
    assert first == again
    assert all(a != b for a, b in zip(first, other, strict=True))


def test_stderr_comes_back_after_an_error(capfd):
    with pytest.raises(ZeroDivisionError), environment.silence_stderr():
        os.write(2, b"hidden")
        raise ZeroDivisionError
    os.write(2, b"heard")
    assert capfd.readouterr().err == "heard"


def test_the_cores_are_those_this_process_may_use(monkeypatch):
    assert 1 <= environment.cores() <= os.cpu_count()
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 5, 7}, raising=False)
    assert environment.cores() == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert environment.cores() == 1


# ---- doctor ----


@pytest.fixture
def healthy(monkeypatch):
    """A machine with everything, the same wherever the tests run; returns what can be spoilt."""
    versions = {name: f"1.{i}.0" for i, name in enumerate(environment.PACKAGES)}
    machine = {"memory": 8.0, "disk": 50.0, "load": 0.5, "cores": 4}

    def version(name):
        if name not in versions:
            raise importlib.metadata.PackageNotFoundError(name)
        return versions[name]

    class Memory:
        available = property(lambda self: machine["memory"] * 2**30)

    class Disk:
        free = property(lambda self: machine["disk"] * 2**30)

    monkeypatch.setattr(importlib.metadata, "version", version)
    monkeypatch.setattr(environment, "_locked", lambda: dict(versions))
    monkeypatch.setattr("psutil.virtual_memory", Memory)
    monkeypatch.setattr("psutil.getloadavg", lambda: (machine["load"],) * 3)
    monkeypatch.setattr("shutil.disk_usage", lambda _: Disk())
    monkeypatch.setattr(environment, "cores", lambda: machine["cores"])
    monkeypatch.setattr(platform, "python_version", lambda: "3.12.4")
    monkeypatch.setattr(sys, "version_info", (3, 12, 4))
    return versions, machine


def check_of(report, what):
    return next(check for check in report.checks if check.what == what)


def test_a_healthy_machine_is_ready(healthy):
    report = lab.doctor()
    assert report.ok
    assert {check.state for check in report.checks} == {"ok"}
    assert [check.what for check in report.checks] == [
        "Python",
        *environment.PACKAGES,
        "disk",
        "memory",
        "cores",
        "load",
    ]
    assert "→" not in repr(report) and "✗" not in repr(report)
    assert repr(report).splitlines()[0] == "✓ ok    Python      Python 3.12.4"
    assert repr(report).splitlines()[-1] == report.line
    assert report.line == (
        f"labkit doctor: ready | {platform.system()} {platform.machine()} | Python 3.12.4 | tensorflow 1.0.0 | "
        "8.0 GiB free | 4 cores | load 0.5"
    )


@pytest.mark.parametrize("name", environment.PACKAGES)
def test_a_missing_package_is_named_with_the_cure(healthy, name):
    del healthy[0][name]
    report = lab.doctor()
    assert not report.ok
    check = check_of(report, name)
    assert (check.state, check.seen) == ("bad", f"{name} is missing")
    assert "make lab" in check.cure and "requirements.lock" in check.cure
    assert f"✗ bad   {name:11} {name} is missing\n        → {check.cure}" in repr(report)
    assert report.line.startswith(f"labkit doctor: NOT READY ({name}: {name} is missing)")


@pytest.mark.parametrize("spelling", ["tensorflow-cpu", "tensorflow-macos", "tensorflow-intel"])
def test_tensorflow_goes_by_several_names(healthy, spelling):
    versions, _ = healthy
    versions[spelling] = versions.pop("tensorflow")
    assert lab.doctor().ok


def test_another_version_than_the_stored_outputs_is_a_note(healthy, monkeypatch):
    monkeypatch.setattr(environment, "_locked", lambda: {"numpy": "9.9"})
    report = lab.doctor()
    check = check_of(report, "numpy")
    assert report.ok and check.state == "note" and "stored outputs come from 9.9" in check.cure


def test_without_psutil_the_rest_is_still_reported(healthy, monkeypatch):
    del healthy[0]["psutil"]
    monkeypatch.setitem(sys.modules, "psutil", None)
    report = lab.doctor()
    assert not report.ok
    assert check_of(report, "psutil").state == "bad"
    assert check_of(report, "disk").state == "ok"
    assert "NOT READY" in report.line


@pytest.mark.parametrize(
    ("what", "value", "state", "cure"),
    [
        ("memory", 1.5, "note", "close other programs"),
        ("memory", 0.5, "bad", "close other programs"),
        ("disk", 0.2, "bad", "make room"),
        ("load", 9.0, "note", "take longer"),
    ],
)
def test_a_short_supply_is_told_with_what_to_do(healthy, what, value, state, cure):
    healthy[1][what] = value
    report = lab.doctor()
    assert check_of(report, what).state == state
    assert cure in check_of(report, what).cure
    assert report.ok is (state != "bad")


@pytest.mark.parametrize(
    ("version", "state"),
    [((3, 10, 9), "bad"), ((3, 11, 0), "ok"), ((3, 13, 9), "ok"), ((3, 14, 0), "bad")],
)
def test_the_python_versions_are_those_of_the_project(healthy, monkeypatch, version, state):
    monkeypatch.setattr(sys, "version_info", version)
    check = check_of(lab.doctor(), "Python")
    assert check.state == state
    assert ("make lab PYTHON=" in check.cure) is (state == "bad")


def test_the_line_gives_nobody_away():
    line = lab.doctor().line
    assert repr(lab.doctor(brief=True)) == lab.doctor(brief=True).line
    assert "\n" not in line and len(line) < 300
    assert not re.search(r"[/\\~]", line)  # no path
    words = set(re.split(r"[^\w.-]+", line))
    assert not words & {getpass.getuser(), platform.node(), Path.home().name, ROOT.name}


def test_the_locked_versions_are_read_from_the_lock():
    locked = environment._locked()
    assert {"numpy", "keras", "jupyterlab", "matplotlib", "ipywidgets", "psutil"} <= set(locked)
    assert any(name.startswith("tensorflow") for name in locked)
    assert all(re.fullmatch(r"[\w.+!-]+", version) for version in locked.values())


def test_without_a_lock_any_version_will_do(monkeypatch, tmp_path):
    monkeypatch.setattr(environment, "__file__", str(tmp_path / "labkit" / "environment.py"))
    assert environment._locked() == {}
