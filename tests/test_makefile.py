"""The Makefile says in one sentence which Python or machine is needed, before it installs."""

import ast
import os
import re
import shutil
import socket
import subprocess
import sys
import tomllib

import pytest
from packaging.specifiers import SpecifierSet
from pages import ROOT

from labkit.course.environment import TENSORFLOW_BUILDS

pytestmark = pytest.mark.skipif(
    os.name != "posix" or not shutil.which("make"), reason="needs make and a shell"
)


# What make hands on to the programs that it runs: its own, and what was named on its command line.
FROM_MAKE = {"MAKEFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "MFLAGS"} | {
    "FAST",
    "JOBS",
    "PYTHON",
    "VENV",
}


def make(folder, *arguments, **variables):
    """Run make on a copy of the Makefile, in a folder without a virtual environment."""
    for name in ("Makefile", "requirements.lock"):
        shutil.copy(ROOT / name, folder)
    # The tests may run within make, and this make must not take itself for a part of that one.
    outside = {name: value for name, value in os.environ.items() if name not in FROM_MAKE}
    return subprocess.run(
        ["make", *arguments],
        cwd=folder,
        env={**outside, **variables},
        capture_output=True,
        text=True,
        timeout=180,  # a virtual environment is made in seconds, and slower beside other programs
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
    sentence = make(tmp_path, "lab", "PYTHON=").stdout
    for done in (
        make(tmp_path, "lab", f"PYTHON={python}"),
        make(tmp_path, "lab", PYTHON=str(python)),  # as a variable of the shell
        make(tmp_path, "test", f"PYTHON={python}"),
    ):
        assert done.returncode != 0
        assert done.stdout == sentence
    assert not (tmp_path / ".venv").exists()


@pytest.mark.parametrize(
    "machine",
    [("Darwin", "x86_64"), ("Windows", "ARM64"), ("Linux", "armv7l"), ("FreeBSD", "amd64")],
)
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


def test_linux_without_glibc_is_refused(tmp_path):
    python = fake_python(
        tmp_path,
        "platform.system = lambda: 'Linux'; platform.machine = lambda: 'x86_64'; "
        "platform.libc_ver = lambda: ('', '')",
    )
    done = make(tmp_path, "lab", f"PYTHON={python}")
    assert done.returncode != 0
    assert "Linux with glibc (not Alpine)" in done.stdout
    assert not (tmp_path / ".venv").exists()


def test_the_machines_are_those_of_the_doctor():
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    builds = re.search(r"builds = (\[.*?\]);", text)[1]
    assert set(ast.literal_eval(builds)) == TENSORFLOW_BUILDS


# ---- without a network ----


def test_without_a_network_it_says_so_and_tries_nothing_else(tmp_path):
    index = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_CONFIG_FILE": os.devnull}
    done = make(tmp_path, "lab", f"PYTHON={sys.executable}", PIP_FIND_LINKS="", **index)
    assert done.returncode != 0
    shown = done.stdout + done.stderr
    assert "The package index does not answer" in shown
    assert "HTTPS_PROXY" in shown
    assert "uv did not succeed" not in shown
    assert "Traceback" not in shown
    assert not (tmp_path / ".venv" / ".ready").exists()


def ask_the_index(seconds, **variables):
    """Run the program by which the Makefile asks whether the package index answers."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    program = re.search(r"^ANSWERS := ((?:.*\\\n)*.*)$", text, re.MULTILINE)[1]
    program = program.replace("\\\n", "").replace("timeout=12", f"timeout={seconds}")
    assert f"timeout={seconds}" in program
    environment = {**os.environ, "PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": "", **variables}
    return subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True)


def test_an_index_that_never_answers_is_given_up():
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        index = f"http://127.0.0.1:{silent.getsockname()[1]}/simple"
        done = ask_the_index(2, PIP_INDEX_URL=index)
    assert done.returncode != 0
    assert b"TimeoutExpired" in done.stderr


def test_an_index_on_disk_needs_no_network(tmp_path):
    (tmp_path / "flit_core-3.12.0-py3-none-any.whl").touch()
    found = ask_the_index(60, PIP_NO_INDEX="1", PIP_FIND_LINKS=str(tmp_path))
    assert found.returncode == 0, found.stderr
    assert ask_the_index(60, PIP_NO_INDEX="1").returncode != 0


def test_packages_of_another_environment_are_not_seen(tmp_path):
    shutil.copy(ROOT / "Makefile", tmp_path / "Makefile")
    with (tmp_path / "Makefile").open("a", encoding="utf-8") as file:
        file.write("\nshow:\n\t@echo path: $$PYTHONPATH $$PYTHONHOME\n")
    outside = {name: value for name, value in os.environ.items() if name not in FROM_MAKE}
    done = subprocess.run(
        ["make", "show"],
        cwd=tmp_path,
        env={**outside, "PYTHONPATH": "/opt/ros/python"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.strip() == "path:", done.stderr


# ---- a folder for each version ----


def make_venv(folder, version):
    """Make what looks like a complete .venv with this version of Python."""
    programs = folder / ".venv" / "bin"
    programs.mkdir(parents=True)
    fake_python(programs, f"sys.version_info = {version}")
    (folder / ".venv" / ".ready").touch()


def pytest_of(folder, *arguments):
    """Return the folder of the Python that `make test` would run, without running it."""
    done = make(folder, "--dry-run", "test", *arguments)
    assert done.returncode == 0, done.stderr
    return re.search(r"^(\S+)/bin/python -m pytest", done.stdout, re.MULTILINE)[1]


def test_a_named_python_of_another_version_gets_a_folder_of_its_own(tmp_path):
    make_venv(tmp_path, (3, 11, 7))
    other = fake_python(tmp_path, "sys.version_info = (3, 13, 0)")
    assert pytest_of(tmp_path) == ".venv"
    assert pytest_of(tmp_path, f"PYTHON={other}") == ".venv-3.13"
    assert pytest_of(tmp_path, f"PYTHON={other}", "VENV=mine") == "mine"


def test_a_named_python_of_the_same_version_uses_what_is_there(tmp_path):
    make_venv(tmp_path, (3, 12, 1))
    same = fake_python(tmp_path, "sys.version_info = (3, 12, 9)")
    assert pytest_of(tmp_path, f"PYTHON={same}") == ".venv"


def test_the_first_python_that_is_named_makes_the_usual_folder(tmp_path):
    python = fake_python(tmp_path, "sys.version_info = (3, 13, 0)")
    assert pytest_of(tmp_path, f"PYTHON={python}") == ".venv"


@pytest.mark.parametrize("python", ["", "no-such-python"])
def test_a_python_that_is_none_does_not_run_the_tests_with_another(tmp_path, python):
    make_venv(tmp_path, (3, 11, 7))
    done = make(tmp_path, "test", f"PYTHON={python}")
    assert done.returncode != 0
    assert "needs Python 3.11, 3.12 or 3.13" in done.stdout


def test_what_the_make_around_these_tests_was_given_does_not_matter(tmp_path, monkeypatch):
    make_venv(tmp_path, (3, 11, 7))
    monkeypatch.setenv("PYTHON", str(fake_python(tmp_path, "sys.version_info = (3, 13, 0)")))
    monkeypatch.setenv("FAST", "1")
    assert pytest_of(tmp_path) == ".venv"


def test_the_fast_part_is_asked_for_by_a_word(tmp_path):
    command = make(tmp_path, "--dry-run", "test", "FAST=1").stdout.splitlines()[-1]
    assert command.endswith("--dist loadscope --fast -q")
    assert "--fast" not in make(tmp_path, "--dry-run", "test").stdout


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
