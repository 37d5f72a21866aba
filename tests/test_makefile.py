"""The Makefile says in one sentence which Python or machine is needed, before it installs."""

import os
import re
import shutil
import subprocess
import sys
import tomllib

import pytest
from packaging.specifiers import SpecifierSet
from pages import ROOT

pytestmark = pytest.mark.skipif(
    os.name != "posix" or not shutil.which("make"), reason="needs make and a shell"
)


FROM_MAKE = {"MAKEFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "MFLAGS"}


def make(folder, *arguments):
    """Run make on a copy of the Makefile, in a folder without a virtual environment."""
    for name in ("Makefile", "requirements.lock"):
        shutil.copy(ROOT / name, folder)
    # The tests may run within make, and this make must not take itself for a part of that one.
    outside = {name: value for name, value in os.environ.items() if name not in FROM_MAKE}
    return subprocess.run(
        ["make", *arguments], cwd=folder, env=outside, capture_output=True, text=True, timeout=60
    )


def fake_python(folder, code):
    """Write an interpreter that runs `code` before the code that it is given."""
    program = f"import platform, sys; {code}; exec(sys.argv[2])"
    script = folder / "python"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{program}" "$@"\n')
    script.chmod(0o755)
    return script


@pytest.mark.parametrize("python", ["", "no-such-python"])
def test_without_a_python_it_says_which_are_needed(tmp_path, python):
    done = make(tmp_path, "lab", f"PYTHON={python}")
    assert done.returncode != 0
    assert "needs Python 3.11, 3.12 or 3.13" in done.stdout
    assert "Setting up" not in done.stdout
    assert not (tmp_path / ".venv").exists()


@pytest.mark.parametrize("version", [(3, 10, 9), (3, 14, 0)])
def test_a_named_python_out_of_range_gets_the_same_sentence(tmp_path, version):
    python = fake_python(tmp_path, f"sys.version_info = {version}")
    done = make(tmp_path, "lab", f"PYTHON={python}")
    assert done.returncode != 0
    assert done.stdout == make(tmp_path, "lab", "PYTHON=").stdout
    assert not (tmp_path / ".venv").exists()


@pytest.mark.parametrize("machine", [("Darwin", "x86_64"), ("Windows", "ARM64")])
def test_a_machine_without_tensorflow_is_refused(tmp_path, machine):
    system, processor = machine
    python = fake_python(
        tmp_path, f"platform.system = lambda: '{system}'; platform.machine = lambda: '{processor}'"
    )
    done = make(tmp_path, "lab", f"PYTHON={python}")
    assert done.returncode != 0
    assert "TensorFlow has no build" in done.stdout
    assert len(done.stdout.splitlines()) == 1
    assert not (tmp_path / ".venv").exists()


def test_the_range_is_that_of_the_project():
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    lowest, above = re.search(r"\((3, \d+)\) <= sys.version_info < \((3, \d+)\)", text).groups()
    wanted = SpecifierSet(f">={lowest},<{above}".replace(", ", "."))
    assert SpecifierSet(pyproject["project"]["requires-python"]) == wanted


def test_every_target_is_documented(tmp_path):
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", text, re.MULTILINE))
    shown = set(re.findall(r"^make ([a-z-]+) ", make(tmp_path, "help").stdout, re.MULTILINE))
    assert shown == targets
    phony = re.search(r"^\.PHONY: ((?:.*\\\n)*.*)$", text, re.MULTILINE)[1]
    assert set(phony.replace("\\", "").split()) == targets
