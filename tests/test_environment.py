"""`setup` is silent and repeatable; `doctor` names what is wrong and what to do, and no person."""

import gc
import getpass
import html
import importlib.metadata
import json
import os
import platform
import re
import subprocess
import sys
import sysconfig
import types
from pathlib import Path

import pytest
from fakes import ROOT, sanitize

import labkit as lab
from labkit.course import environment, tensorflow_start
from labkit.measure import system
from labkit.show.message import BAD, NOTE, badge_html

# ---- setup ----

FIRST_IMPORT = """
import labkit as lab, gc, sys, os
versions = lab.setup()
set_aside = gc.get_freeze_count()
print(versions)
import keras, tensorflow as tf, random, numpy as np

def numbers():
    print(random.random(), np.random.rand(), float(tf.random.uniform([])))

numbers()
lab.setup()
numbers()
versions = lab.setup(seed=1)
numbers()
print(keras.backend.backend(), os.environ["KERAS_BACKEND"])
print(repr(versions.cores), versions["cores"], sorted(versions))
print(versions._repr_html_() == f"<div>{versions}</div>")
print(tf.keras.__version__ == keras.__version__, os.environ.get("TF_USE_LEGACY_KERAS"))
print(set_aside > 100_000, gc.get_freeze_count() <= set_aside, gc.isenabled())
f = tf.function(lambda x: x)
[f(i) for i in range(8)]  # TensorFlow warns of so many traces
tf.function(tf.abs, jit_compile=True)(tf.constant(1.0))  # the compiler introduces itself
os.write(2, b"after")
"""


@pytest.fixture(scope="module")
def first_import(tmp_path_factory):
    """Run `setup` in a process with TensorFlow's messages on, where Keras would run on JAX."""
    home = tmp_path_factory.mktemp("keras")
    settings = json.dumps({"backend": "jax", "floatx": "float32"})
    (home / "keras.json").write_text(settings, encoding="utf-8")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    hostile = {
        "KERAS_HOME": str(home),
        "KERAS_BACKEND": "torch",
        "TF_CPP_MIN_LOG_LEVEL": "0",
        "TF_USE_LEGACY_KERAS": "1",
    }
    return subprocess.run(
        [sys.executable, "-c", FIRST_IMPORT],
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={**kept, **hostile},
        cwd=ROOT,
        timeout=90,
    )


def test_nothing_is_written_to_the_error_output(first_import):
    assert first_import.returncode == 0, first_import.stderr
    assert first_import.stderr == "after"  # and what comes later is shown again


def test_the_line_names_what_the_lesson_runs_on_and_nothing_that_nbval_would_compare(first_import):
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


def test_keras_runs_on_tensorflow_whatever_its_file_and_the_shell_say(first_import):
    assert first_import.stdout.splitlines()[4] == "tensorflow tensorflow"


def test_the_cores_are_there_as_a_number_too(first_import):
    number, text, _, names = first_import.stdout.splitlines()[5].split(" ", 3)
    assert int(number) == system.cores()
    assert text == number
    assert names == "['cores', 'gpu', 'keras', 'numpy', 'python', 'tensorflow']"


def test_as_html_the_line_wraps_at_words(first_import):
    assert first_import.stdout.splitlines()[6] == "True"


def test_legacy_keras_is_not_what_a_lesson_gets(first_import):
    assert first_import.stdout.splitlines()[7] == "True None"


def test_the_collector_does_not_look_through_what_the_first_import_made(first_import):
    """Later models are there, too: what is set aside then would never be freed."""
    assert first_import.stdout.splitlines()[8] == "True True True"


def test_the_collector_is_as_before_where_the_import_fails(monkeypatch):
    frozen = []
    monkeypatch.setattr(gc, "freeze", lambda: frozen.append(True))
    with pytest.raises(ImportError), tensorflow_start.set_aside():
        assert not gc.isenabled()
        raise ImportError
    assert gc.isenabled()
    assert not frozen


def test_a_notebook_shows_what_the_lessons_show(monkeypatch):
    shell = types.SimpleNamespace(ast_node_interactivity="all", kernel=object())
    monkeypatch.setattr(environment, "running_shell", lambda: shell)
    monkeypatch.setattr(sys, "modules", {**sys.modules})
    monkeypatch.setenv("MPLBACKEND", "TkAgg")
    environment._show_as_lessons_do()
    assert shell.ast_node_interactivity == "last_expr"
    if "matplotlib" in sys.modules:  # a backend that is chosen already stays
        assert os.environ["MPLBACKEND"] == "TkAgg"
    sys.modules.pop("matplotlib", None)
    environment._show_as_lessons_do()
    assert os.environ["MPLBACKEND"] == "module://matplotlib_inline.backend_inline"


@pytest.mark.parametrize("shell", [None, types.SimpleNamespace(kernel=None)])
def test_outside_a_notebook_the_backend_stays(monkeypatch, shell):
    monkeypatch.setattr(environment, "running_shell", lambda: shell)
    monkeypatch.setattr(sys, "modules", {**sys.modules})
    sys.modules.pop("matplotlib", None)
    monkeypatch.setenv("MPLBACKEND", "agg")
    environment._show_as_lessons_do()
    assert os.environ["MPLBACKEND"] == "agg"


def test_a_tensorflow_that_cannot_be_imported_leads_to_the_doctor(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", None)  # importing it raises ImportError
    with pytest.raises(ImportError) as raised:
        lab.setup()
    assert "python -m labkit doctor" in raised.value.__notes__[0]


def test_keras_that_already_runs_on_something_else_is_an_error(monkeypatch):
    keras = types.ModuleType("keras")
    keras.backend = types.SimpleNamespace(backend=lambda: "jax")
    monkeypatch.setitem(sys.modules, "keras", keras)
    with pytest.raises(RuntimeError, match=r"runs on jax.*restart the kernel and call lab\.setup"):
        lab.setup()


def test_keras_that_was_imported_before_on_tensorflow_is_none(monkeypatch):
    keras = types.ModuleType("keras")
    keras.backend = types.SimpleNamespace(backend=lambda: "tensorflow")
    monkeypatch.setitem(sys.modules, "keras", keras)
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    environment._use_tensorflow_backend()
    assert os.environ["KERAS_BACKEND"] == "tensorflow"  # for the processes that a lesson starts


# ---- doctor ----


@pytest.fixture
def healthy(monkeypatch):
    """Make a machine with everything, the same wherever the tests run; return its parts."""
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

    imported = [environment.Check("import", "ok", "TensorFlow and Keras run")]
    machine["import"], machine["settings"] = imported, []
    locked = dict(versions)
    monkeypatch.setattr(environment, "begin_import", lambda: None)
    monkeypatch.setattr(environment, "check_import", lambda process: machine["import"][0])
    monkeypatch.setattr(environment, "check_settings", lambda folder: machine["settings"])
    monkeypatch.setattr(importlib.metadata, "version", version)
    monkeypatch.setattr(environment, "_locked_versions", lambda: locked)
    monkeypatch.setattr("psutil.virtual_memory", Memory)
    monkeypatch.setattr("psutil.getloadavg", lambda: (machine["load"],) * 3)
    monkeypatch.setattr("shutil.disk_usage", lambda _: Disk())
    monkeypatch.setattr(environment, "cores", lambda: machine["cores"])
    monkeypatch.setattr(platform, "python_version", lambda: "3.12.4")
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(sysconfig, "get_platform", lambda: "linux-x86_64")
    monkeypatch.setattr(sys, "version_info", (3, 12, 4))
    return versions, machine


def check_of(report, what):
    return next(check for check in report.checks if check.what == what)


def test_a_healthy_machine_is_ready(healthy):
    report = lab.doctor()
    assert report.ok
    assert {check.state for check in report.checks} == {"ok"}
    wanted = ["Python", *environment.PACKAGES, "import", "disk", "memory", "cores", "load"]
    assert [check.what for check in report.checks] == wanted
    lines = repr(report).splitlines()
    assert lines[0] == "✓ ok    Python      Python 3.12.4"
    assert lines[len(wanted) - 1] == "✓ ok    load        load 0.5"
    assert lines[-3:] == ["", "To paste to your teacher:", report.line]
    assert len(lines) == len(wanted) + 3  # no line says what to do
    assert report.line == (
        "labkit doctor: ready | Linux x86_64 | Python 3.12.4 | tensorflow 1.0.0 | "
        "8.0 GiB free | 4 cores | load 0.5"
    )


def test_in_a_notebook_the_report_is_a_table_and_the_line_to_paste(healthy):
    healthy[1]["load"] = 9.0
    report = lab.doctor()
    page = report._repr_html_()
    rows = re.findall(r"<tr>(.*?)</tr>", page)
    assert len(rows) == 1 + len(report.checks)
    assert [re.sub("<.*?>", " ", row).split()[0] for row in rows[1:]] == [
        check.what for check in report.checks
    ]
    assert check_of(report, "load").cure in html.unescape(page)
    assert badge_html(NOTE) in page
    assert "<strong>This machine is ready.</strong>" in page
    assert f">{report.line}</pre>" in page


def test_a_column_for_what_to_do_is_there_only_if_something_is_to_do(healthy):
    assert "what to do" not in lab.doctor()._repr_html_()
    healthy[1]["disk"] = 0.1
    page = lab.doctor()._repr_html_()
    assert "what to do" in page
    assert badge_html(BAD) in page
    assert "<strong>This machine is not ready.</strong>" in page


def test_the_brief_report_in_a_notebook_has_no_table(healthy):
    report = lab.doctor(brief=True)
    assert "<table" not in report._repr_html_()
    assert report.line in report._repr_html_()


def test_the_brief_report_is_its_last_line(healthy):
    assert repr(lab.doctor(brief=True)) == lab.doctor().line


def test_tensorflow_that_cannot_be_imported_is_not_ready(healthy):
    healthy[1]["import"] = [environment.Check("import", "bad", "it ended by SIGILL", "do this")]
    report = lab.doctor(brief=True)
    assert not report.ok
    assert report.line.startswith("labkit doctor: NOT READY (import: it ended by SIGILL) | ")
    assert repr(report).splitlines() == [
        "✗ bad   import      it ended by SIGILL",
        "        → do this",
        report.line,
    ]


@pytest.mark.parametrize("name", ["tensorflow", "keras", "numpy"])
def test_what_is_missing_is_not_imported(healthy, name):
    del healthy[0][name]
    assert "import" not in [check.what for check in lab.doctor().checks]


def test_a_setting_is_noted_and_named_to_the_teacher(healthy):
    noted = environment.Check("backend", "note", "it asks for jax", "unset it", is_setting=True)
    healthy[1]["settings"] = [noted]
    report = lab.doctor(brief=True)
    assert report.ok
    assert report.line.endswith(" | load 0.5 | settings noted: backend")
    assert repr(report).splitlines() == [*str(noted).splitlines(), report.line]
    healthy[1]["settings"] = [environment.Check("files", "bad", "keras.py", "x", is_setting=True)]
    assert not lab.doctor().ok
    assert "settings noted" not in lab.doctor().line


def test_one_core_is_no_plural(healthy):
    healthy[1]["cores"] = 1
    assert check_of(lab.doctor(), "cores").seen == "1 core"


@pytest.mark.parametrize("name", environment.PACKAGES)
def test_a_missing_package_is_named_with_the_cure(healthy, name):
    del healthy[0][name]
    report = lab.doctor()
    assert not report.ok
    check = check_of(report, name)
    assert (check.state, check.seen) == ("bad", f"{name} is missing")
    assert "make lab" in check.cure
    assert "requirements.lock" in check.cure
    assert f"✗ bad   {name:11} {name} is missing\n        → {check.cure}" in repr(report)
    assert report.line.startswith(f"labkit doctor: NOT READY ({name}: {name} is missing)")


def test_tensorflow_goes_by_two_names(healthy):
    versions, _ = healthy
    versions["tensorflow-cpu"] = versions.pop("tensorflow")
    assert lab.doctor().ok


def test_another_version_than_the_stored_outputs_is_a_note(healthy, monkeypatch):
    monkeypatch.setattr(environment, "_locked_versions", lambda: {"numpy": "9.9"})
    report = lab.doctor()
    check = check_of(report, "numpy")
    assert report.ok
    assert check.state == "note"
    assert "stored outputs come from 9.9" in check.cure
    assert check_of(report, "keras").state == "ok"


def test_without_psutil_the_rest_is_still_reported(healthy, monkeypatch):
    del healthy[0]["psutil"]
    monkeypatch.setitem(sys.modules, "psutil", None)
    report = lab.doctor()
    assert check_of(report, "psutil").state == "bad"
    assert check_of(report, "disk").state == "ok"
    assert report.line == (
        "labkit doctor: NOT READY (psutil: psutil is missing) | Linux x86_64 | Python 3.12.4 | "
        "tensorflow 1.0.0"
    )


@pytest.mark.parametrize(
    ("what", "value", "state", "cure"),
    [
        ("memory", 2.1, "ok", ""),
        ("memory", 1.5, "note", "close other programs"),
        ("memory", 0.5, "bad", "close other programs"),
        ("disk", 0.6, "ok", ""),
        ("disk", 0.2, "bad", "needs 0.5 GiB"),
        ("load", 4.0, "ok", ""),
        ("load", 9.0, "note", "take longer"),
    ],
)
def test_a_shortage_is_told_with_what_to_do(healthy, what, value, state, cure):
    healthy[1][what] = value
    report = lab.doctor()
    check = check_of(report, what)
    assert check.state == state
    assert cure in check.cure
    assert (check.cure == "") is (state == "ok")
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


# ---- machines without a build of TensorFlow ----


@pytest.mark.parametrize(
    ("system", "machine"),
    [("Linux", "x86_64"), ("Linux", "aarch64"), ("Darwin", "arm64"), ("Windows", "AMD64")],
)
def test_these_machines_have_a_build_of_tensorflow(system, machine):
    check = environment._check_machine(system, machine)
    assert (check.state, check.seen, check.cure) == ("ok", f"{system} {machine}", "")


@pytest.mark.parametrize(
    ("system", "machine", "kind"),
    [
        ("Darwin", "x86_64", "Macs with an Intel processor"),
        ("Windows", "ARM64", "Windows on Arm"),
        ("Windows", "x86", "Windows on x86"),
        ("Linux", "armv7l", "Linux on armv7l"),
        ("FreeBSD", "amd64", "FreeBSD on amd64"),
    ],
)
def test_these_machines_have_none_and_hear_what_to_do(system, machine, kind):
    check = environment._check_machine(system, machine)
    assert check.state == "bad"
    assert check.cure.startswith(f"TensorFlow has no build for {kind}")
    assert "use another computer, or open the course on Binder" in check.cure
    assert ("arm64" in check.cure) is (system == "Darwin")


@pytest.mark.parametrize("libc", ["", "musl"])
def test_linux_without_glibc_has_none(libc):
    check = environment._check_machine("Linux", "x86_64", libc)
    assert check.state == "bad"
    assert "no build for Linux without glibc, such as Alpine" in check.cure


def test_where_tensorflow_cannot_be_installed_the_doctor_does_not_say_to_try_again(
    healthy, monkeypatch
):
    healthy[0].clear()
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    report = lab.doctor()
    assert not report.ok
    assert [check.what for check in report.checks] == ["Python", "machine"]
    assert "make lab" not in repr(report)
    assert report.line == (
        "labkit doctor: NOT READY (machine: Darwin x86_64) | Darwin x86_64 | Python 3.12.4"
    )


def test_where_tensorflow_is_installed_the_machine_is_no_question(healthy, monkeypatch):
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    assert lab.doctor().ok


@pytest.mark.parametrize(
    ("build", "machine"),
    [
        ("win-amd64", "AMD64"),
        ("win-arm64", "ARM64"),
        ("win32", "x86"),
        ("macosx-11.0-arm64", "the machine"),
        ("macosx-10.9-universal2", "the machine"),
        ("linux-x86_64", "the machine"),
    ],
)
def test_on_windows_the_build_of_python_decides(monkeypatch, build, machine):
    monkeypatch.setattr(sysconfig, "get_platform", lambda: build)
    monkeypatch.setattr(platform, "machine", lambda: "the machine")
    assert environment._interpreter_machine() == machine


# ---- privacy, and the lock ----


def test_the_line_names_no_person_and_no_folder():
    line = lab.doctor().line
    assert "\n" not in line
    assert len(line) < 300
    assert not re.search(r"[/\\~]", line)  # no path
    words = set(re.split(r"[^\w.-]+", line))
    assert not words & {getpass.getuser(), platform.node(), Path.home().name, ROOT.name}


def test_the_locked_versions_are_read_from_the_lock():
    locked = environment._locked_versions()
    assert set(environment.PACKAGES) <= set(locked)
    assert all(re.fullmatch(r"[\w.+!-]+", version) for version in locked.values())
    assert f"\nnumpy=={locked['numpy']} " in (ROOT / "requirements.lock").read_text(
        encoding="utf-8"
    )


@pytest.mark.parametrize(
    ("lock", "wanted"),
    [
        (
            b"numpy==2.4.6 ; python_version < '3.14' \\\n    --hash=sha256:0a==b\n# keras==1\n",
            {"numpy": "2.4.6"},
        ),
        (b"\xff\xfe", {}),
        (b"", {}),
        (None, {}),
    ],
)
def test_only_the_lines_of_packages_are_read(monkeypatch, tmp_path, lock, wanted):
    path = tmp_path / "requirements.lock"
    if lock is not None:
        path.write_bytes(lock)
    monkeypatch.setattr(environment, "_LOCK", path)
    assert environment._locked_versions() == wanted
