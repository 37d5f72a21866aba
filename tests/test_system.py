"""The machine that a measurement runs on, and a silent error output."""

import getpass
import importlib.metadata
import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest
from fakes import ROOT

from labkit.measure import system


def test_the_cores_are_those_this_process_may_use(monkeypatch):
    assert 1 <= system.cores() <= os.cpu_count()
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 5, 7}, raising=False)
    assert system.cores() == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    assert system.cores() == 8
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert system.cores() == 1


def test_the_load_and_the_memory_are_those_of_psutil(monkeypatch):
    monkeypatch.setattr("psutil.getloadavg", lambda: (1.5, 2.5, 3.5))
    assert system.load() == 1.5

    class Memory:
        available, total = 3 * 2**30, 8 * 2**30

    monkeypatch.setattr("psutil.virtual_memory", Memory)
    assert (system.free_memory(), system.total_memory()) == (3.0, 8.0)


# ---- versions ----


@pytest.fixture
def installed(monkeypatch):
    """Make these the only packages there are."""
    versions = {}

    def version(name):
        if name not in versions:
            raise importlib.metadata.PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr(importlib.metadata, "version", version)
    return versions


def test_tensorflow_goes_by_two_names(installed):
    assert system.package_version("tensorflow") is None
    installed["tensorflow-cpu"] = "2.21.0"
    assert system.package_version("tensorflow") == "2.21.0"
    installed["tensorflow"] = "2.22.0"
    assert system.package_version("tensorflow") == "2.22.0"


def test_the_keras_of_a_release_candidate_counts(installed):
    installed["keras-nightly"] = "3.16.0.dev2026102704"
    assert system.package_version("keras") == "3.16.0.dev2026102704"


# ---- the processor ----


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ("processor\t: 0\nmodel name\t: Xeon\n\nmodel name\t: Other\n", "Xeon"),
        ("processor\t: 0\nCPU part\t: 0xd0c\n", "aarch64"),  # Linux on Arm has no such line
        ("model name\t:\n", "aarch64"),
        ("", "aarch64"),
        (b"\xff\xfe\nmodel name : Xeon \xff\n", "Xeon \ufffd"),
        (None, "aarch64"),
    ],
)
def test_the_name_of_the_processor(monkeypatch, tmp_path, content, name):
    path = tmp_path / "cpuinfo"
    if isinstance(content, str):
        path.write_text(content, encoding="utf-8")
    elif content is not None:
        path.write_bytes(content)
    monkeypatch.setattr(system, "_PROCESSOR_FILE", path)
    monkeypatch.setattr(platform, "processor", lambda: "aarch64")
    assert system.processor() == name


def test_a_processor_without_a_name(monkeypatch, tmp_path):
    monkeypatch.setattr(system, "_PROCESSOR_FILE", tmp_path / "missing")
    monkeypatch.setattr(platform, "processor", lambda: "")
    assert system.processor() == "unknown"


# ---- all facts ----


def test_the_facts_name_the_machine_and_the_versions():
    facts = system.machine_facts()
    first = ["system", "processor", "cores", "memory", "load", "Python"]
    assert list(facts)[: len(first)] == first
    assert facts["system"] == f"{platform.system()} {platform.machine()}"
    assert facts["cores"] == f"{system.cores()} for this process"
    assert re.fullmatch(r"[\d.,]+ GiB", facts["memory"])
    assert re.fullmatch(r"[\d.,]+", facts["load"])
    for fact in (facts["memory"], facts["load"]):
        assert len(re.sub(r"\D", "", fact).lstrip("0")) <= 3 or "," in fact  # three digits
    assert facts["Python"] == platform.python_version()
    assert facts["numpy"] == importlib.metadata.version("numpy")
    assert facts["keras"] == importlib.metadata.version("keras")
    assert {"tensorflow", "labkit"} <= set(facts)


def test_only_installed_packages_are_named(installed):
    installed.update({"numpy": "2.4.6", "onnxruntime": "1.31.0"})
    versions = set(system.machine_facts()) & set(system.MEASURED_PACKAGES)
    assert versions == {"numpy", "onnxruntime"}


def test_the_facts_name_no_person_no_computer_and_no_folder():
    text = " ".join(system.machine_facts().values())
    words = set(re.split(r"[^\w.-]+", text))
    assert not words & {getpass.getuser(), platform.node(), Path.home().name, ROOT.name}


# ---- the error output ----


def test_the_error_output_comes_back_after_an_error(capfd):
    with pytest.raises(ZeroDivisionError), system.silence_stderr():
        os.write(2, b"hidden")
        raise ZeroDivisionError
    os.write(2, b"heard")
    assert capfd.readouterr().err == "heard"


def test_one_silence_within_another_ends_when_the_outer_one_does(capfd):
    with system.silence_stderr():
        with system.silence_stderr():
            os.write(2, b"hidden")
        os.write(2, b"hidden")
    os.write(2, b"heard")
    assert capfd.readouterr().err == "heard"


def test_no_file_stays_open(capfd):
    def next_descriptors():
        opened = [os.open(os.devnull, os.O_RDONLY) for _ in range(4)]
        for descriptor in opened:
            os.close(descriptor)
        return opened

    before = next_descriptors()
    with system.silence_stderr():
        pass
    assert next_descriptors() == before


def test_a_process_without_an_error_output_runs_on():
    code = (
        "import os, sys\n"
        "os.close(2)\n"
        "sys.stderr = None\n"  # as Python itself sets it when it starts without one
        "from labkit.measure.system import silence_stderr\n"
        "with silence_stderr():\n"
        "    print('ran')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert (done.stdout, done.returncode) == ("ran\n", 0)
