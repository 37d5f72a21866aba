"""Binder and Codespaces install what is locked, and start in the learner's own copies."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.specifiers import SpecifierSet
from pages import ROOT
from real_server import free_port, get, running

BINDER = ROOT / "binder"
CONTAINER = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
needs_bash = pytest.mark.skipif(
    os.name != "posix" or not shutil.which("bash"), reason="Binder runs Linux"
)


# ---- Binder ----


def test_binder_installs_the_lock():
    lines = (BINDER / "requirements.txt").read_text(encoding="utf-8").splitlines()
    (line,) = (line for line in lines if not line.startswith("#"))
    assert line.startswith("-r ")
    assert (BINDER / line.removeprefix("-r ")).resolve() == ROOT / "requirements.lock"


def test_binder_and_conda_have_one_version_of_python():
    version = (BINDER / "runtime.txt").read_text(encoding="utf-8").strip().removeprefix("python-")
    assert SpecifierSet(PROJECT["requires-python"]).contains(version)
    conda = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    assert f"python={version}" in conda["dependencies"]


@needs_bash
@pytest.mark.parametrize("name", ["postBuild", "start"])
def test_the_scripts_can_be_executed(name):
    assert os.access(BINDER / name, os.X_OK)
    assert (BINDER / name).read_bytes().startswith(b"#!/usr/bin/env bash\n")


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    """Make what an image of Binder holds, all but the installed packages; return its folder.

    The `python` that its scripts find is this one, and does not install anything.
    """
    folder = tmp_path_factory.mktemp("binder image").resolve() / "jovyan"
    ignored = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints", "progress.json")
    for name in ("binder", "labkit", "notebooks"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", folder)
    programs = folder.parent / "bin"
    programs.mkdir()
    (programs / "python").write_text(
        "#!/bin/sh\n"
        f'case "$*" in "-m pip "*) echo "pip: $*";; *) exec "{sys.executable}" "$@";; esac\n'
    )
    (programs / "python").chmod(0o755)
    return folder


def run(image, *command):
    """Run a script of the image as Binder does: in its folder, and with the image's programs."""
    path = f"{image.parent / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        command,
        cwd=image,
        env={**os.environ, "PATH": path},
        capture_output=True,
        encoding="utf-8",
        timeout=120,
    )


@pytest.fixture(scope="module")
def built(image):
    done = run(image, "./binder/postBuild")
    assert done.returncode == 0, done.stdout + done.stderr
    return image, done.stdout


@needs_bash
def test_the_image_has_the_learners_copies(built):
    image, said = built
    assert "pip: -m pip install" in said
    assert said.count(" -e .") == 1
    lessons = sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb"))
    assert sorted(path.name for path in (image / "workspace").glob("*.ipynb")) == lessons
    for name in lessons:
        assert '"solution"' not in (image / "workspace" / name).read_text(encoding="utf-8"), name
    assert "00_start_here.ipynb" in (image / "workspace" / "README.md").read_text(encoding="utf-8")


@needs_bash
def test_a_script_that_fails_ends_the_build(image):
    (image.parent / "bin" / "broken").mkdir(exist_ok=True)
    python = image.parent / "bin" / "broken" / "python"
    python.write_text('#!/bin/sh\ncase "$*" in "-m pip "*) exit 3;; esac\n')
    python.chmod(0o755)
    done = run(image, "env", f"PATH={python.parent}:{os.environ['PATH']}", "./binder/postBuild")
    assert done.returncode == 3


@needs_bash
def test_binders_server_is_that_of_the_course(built, tmp_path):
    """The server has the learner's folder, the course's look and start page, and one record."""
    image, _ = built
    start = [str(image / "binder" / "start"), sys.executable, "-m", "jupyterlab"]
    command = [*start, "--no-browser", "--allow-root", f"--ServerApp.port={free_port()}"]
    # The image has its own labkit; here it is found like this.
    with running(command, tmp_path, cwd=image, PYTHONPATH=str(image)) as server:
        assert Path(server["root_dir"]).resolve() == image / "workspace"
        assert "labkit-lessons" in get(server, "lab/tree/README.md")
        assert get(server, "labkit/start-page").startswith("# TensorFlow in a loop")
        plugin = "@jupyterlab/docmanager-extension:plugin"
        assert "Markdown Preview" in get(server, f"lab/api/settings/{plugin}")


@needs_bash
def test_kernels_of_binder_keep_one_record(built):
    image, _ = built
    code = (
        "import os, traitlets.config.loader as loader\n"
        "read = loader.PyFileConfigLoader('jupyter_server_config.py',"
        " os.environ['JUPYTER_CONFIG_PATH'].split(':')[0])\n"
        "print(read.load_config()['LabApp']['default_url'])\n"
        "print(os.environ['LABKIT_HOME'], os.environ['PYTHONSTARTUP'])\n"
    )
    done = run(image, "./binder/start", "python", "-c", code)
    assert done.returncode == 0, done.stderr
    address, variables = done.stdout.splitlines()
    assert address == "/lab/tree/README.md"
    assert variables.startswith(str(image / "workspace"))
    assert variables.endswith("startup.py")


# ---- Codespaces ----


def test_a_codespace_is_set_up_by_make_and_starts_the_course():
    # The editor connects after this command, and opens the start page that it has written.
    set_up = CONTAINER["updateContentCommand"]
    assert set_up == "make .venv/.ready && .venv/bin/python -m labkit workspace"
    assert CONTAINER["postAttachCommand"] == ".venv/bin/python -m labkit lab --no-browser"
    version = re.search(r"/python:(3\.\d+)$", CONTAINER["image"])[1]
    assert SpecifierSet(PROJECT["requires-python"]).contains(version)


def test_a_codespace_opens_the_start_page_and_forwards_the_port_of_jupyterlab():
    from labkit.__main__ import _parser
    from labkit.course.workspace import START_PAGE

    editor = CONTAINER["customizations"]["vscode"]["settings"]["workbench.editorAssociations"]
    assert CONTAINER["customizations"]["codespaces"]["openFiles"] == [f"workspace/{START_PAGE}"]
    assert editor[START_PAGE] == "vscode.markdown.preview.editor"
    port = _parser().parse_args(["lab"]).port
    assert CONTAINER["forwardPorts"] == [port]
    assert list(CONTAINER["portsAttributes"]) == [str(port)]


def test_a_codespace_is_large_enough():
    needed = CONTAINER["hostRequirements"]
    assert needed["cpus"] >= 2
    assert int(needed["memory"].removesuffix("gb")) >= 4
