"""The learner's edition is complete, solvable, and never costs a learner their work; `python -m labkit` starts it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from kernels import client, kernel_environment
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from labkit import __main__ as command
from labkit.course.workspace import NEW, RENEWED, UP_TO_DATE, make_workspace, set_aside

ROOT = Path(__file__).resolve().parents[1]
LESSONS = sorted((ROOT / "notebooks").glob("*.ipynb"))
LOOP = "02_loop.ipynb"


def lesson(text="Guess."):
    output = [new_output("stream", text="ran\n")]
    return new_notebook(
        cells=[
            new_markdown_cell(f"# Loop\n\n{text}"),
            new_code_cell("print('ran')", execution_count=1, outputs=output),
            new_code_cell("f = ...", metadata={"tags": ["exercise"]}, execution_count=2),
            new_code_cell("f = len", metadata={"tags": ["solution"]}, execution_count=3),
            new_markdown_cell("The solution, told", metadata={"tags": ["solution"]}),
        ]
    )


@pytest.fixture
def course(tmp_path):
    """Make a course of two lessons; return its folder and the learner's."""
    source = tmp_path / "notebooks"
    (source / "images").mkdir(parents=True)
    (source / "images" / "loop.png").write_bytes(b"a picture")
    (source / "images" / "notes.txt").write_text("not a picture", encoding="utf-8")
    (source / "CLAIMS.md").write_text("# The claims", encoding="utf-8")
    nbformat.write(lesson(), source / "00_start_here.ipynb")
    nbformat.write(lesson(), source / LOOP)
    return source, tmp_path / "my work space"


def edit(path, cell=0, text="My own words."):
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[cell].source = text
    nbformat.write(notebook, path)
    return path.read_bytes()


def test_the_edition_has_no_outputs_and_no_solutions(course):
    source, workspace = course
    before = (source / LOOP).read_bytes()
    assert make_workspace(source, workspace) == [("00_start_here.ipynb", NEW), (LOOP, NEW)]
    cells = nbformat.read(workspace / LOOP, as_version=4).cells
    assert [cell.source for cell in cells] == ["# Loop\n\nGuess.", "print('ran')", "f = ..."]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in cells[1:])
    assert (source / LOOP).read_bytes() == before
    assert {path.name for path in workspace.rglob("*") if path.is_file()} == {
        "00_start_here.ipynb",
        LOOP,
        ".labkit.json",
        "loop.png",
        "CLAIMS.md",
    }


def test_an_unedited_lesson_is_renewed_though_it_has_been_run(course):
    source, workspace = course
    make_workspace(source, workspace)
    notebook = nbformat.read(workspace / LOOP, as_version=4)
    notebook.cells[1].outputs, notebook.cells[1].execution_count = (
        [new_output("stream", text="ran\n")],
        1,
    )
    notebook.cells.append(new_code_cell(""))  # what Shift-Enter in the last cell adds
    nbformat.write(notebook, workspace / LOOP)
    before = (workspace / LOOP).read_bytes()
    assert make_workspace(source, workspace)[1] == (LOOP, UP_TO_DATE)
    assert (
        workspace / LOOP
    ).read_bytes() == before  # the learner's outputs stay while nothing newer is there

    nbformat.write(lesson("Guess again."), source / LOOP)
    assert make_workspace(source, workspace)[1] == (LOOP, RENEWED)
    assert "Guess again." in (workspace / LOOP).read_text(encoding="utf-8")


def test_an_edited_lesson_is_kept_whatever_happens(course):
    source, workspace = course
    make_workspace(source, workspace)
    mine = edit(workspace / LOOP)
    assert make_workspace(source, workspace)[1] == (LOOP, "kept with your changes")
    nbformat.write(lesson("Guess again."), source / LOOP)
    for _ in range(2):
        _, what = make_workspace(source, workspace)[1]
        assert "newer edition" in what
        assert "python -m labkit lab --fresh 02" in what
    (workspace / ".labkit.json").unlink()
    assert make_workspace(source, workspace)[1][1].startswith("kept")
    (workspace / ".labkit.json").write_text("half of", encoding="utf-8")
    assert make_workspace(source, workspace)[1][1].startswith("kept")
    assert (workspace / LOOP).read_bytes() == mine


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"cells": "none"}', '{"cells": [{}]}', "\x00", "null"]
)
def test_an_unreadable_file_is_kept(course, text):
    source, workspace = course
    make_workspace(source, workspace)
    (workspace / LOOP).write_text(text, encoding="utf-8")
    assert "no readable notebook" in make_workspace(source, workspace)[1][1]
    assert (workspace / LOOP).read_text(encoding="utf-8") == text


def test_fresh_never_overwrites(course):
    source, workspace = course
    assert set_aside(workspace, LOOP) is None
    make_workspace(source, workspace)
    written = {}
    for kept in ("02_loop.mine.ipynb", "02_loop.mine-2.ipynb", "02_loop.mine-3.ipynb"):
        written[kept] = edit(workspace / LOOP, text=f"Try for {kept}")
        assert set_aside(workspace, LOOP) == kept
        assert make_workspace(source, workspace)[1] == (LOOP, NEW)
    assert {name: (workspace / name).read_bytes() for name in written} == written


def test_a_damaged_course_is_named(course):
    source, workspace = course
    (source / LOOP).write_text("{", encoding="utf-8")
    with pytest.raises(ValueError, match=r"02_loop\.ipynb is no readable notebook"):
        make_workspace(source, workspace)
    shutil.rmtree(source)
    with pytest.raises(FileNotFoundError, match="clone it again"):
        make_workspace(source, workspace)


# ---- python -m labkit ----


@pytest.fixture
def started(course, monkeypatch):
    """Run `labkit lab` on the small course; collect the commands that would start JupyterLab."""
    source, workspace = course
    commands = []
    monkeypatch.setattr(command, "NOTEBOOKS", source)
    monkeypatch.setattr(command, "_run", lambda words: commands.append(words) or 0)
    monkeypatch.setenv("LABKIT_WORKSPACE", str(workspace))
    return commands


def test_lab_opens_the_first_lesson_or_the_one_named(started, course, capsys):
    for words in ([], ["2"], ["02"], ["02_loop"], ["notebooks/02_loop.ipynb"]):
        assert command.main(["lab", *words]) == 0
    assert "2 lessons in" in capsys.readouterr().out
    opened = [next(word for word in words if "default_url" in word) for words in started]
    assert [word.rpartition("/")[2] for word in opened] == ["00_start_here.ipynb", *[LOOP] * 4]
    for words in started:
        assert words[:3] == [sys.executable, "-m", "jupyterlab"]
        assert f"--ServerApp.root_dir={course[1].resolve()}" in words
        assert "--ServerApp.ip=127.0.0.1" in words
        assert not any("token" in word or "password" in word for word in words)


def test_lab_passes_port_and_browser_on(started):
    assert command.main(["lab", "--no-browser", "--port", "9001"]) == 0
    assert {"--no-browser", "--ServerApp.port=9001"} <= set(started[0])


def test_fresh_sets_aside_and_opens_that_lesson(started, course, capsys):
    command.main(["lab"])
    mine = edit(course[1] / LOOP)
    assert command.main(["lab", "--fresh", "2"]) == 0
    assert "02_loop.mine.ipynb" in capsys.readouterr().out
    assert (course[1] / "02_loop.mine.ipynb").read_bytes() == mine
    assert any(word.endswith(LOOP) for word in started[-1])


@pytest.mark.parametrize("words", [["7"], ["--fresh", "loop"], ["0_"]])
def test_an_unknown_lesson_lists_the_known_ones(started, words, capsys):
    assert command.main(["lab", *words]) == 2
    said = capsys.readouterr().err
    assert repr(words[-1]) in said
    assert "00_start_here" in said
    assert "02_loop" in said
    assert started == []


def test_a_workspace_that_cannot_be_made_is_an_error_without_traceback(started, course, capsys):
    course[1].write_text("a file in its place", encoding="utf-8")
    assert command.main(["lab"]) == 1
    assert str(course[1].name) in capsys.readouterr().err


def test_doctor_says_by_its_exit_status_whether_all_is_well(monkeypatch, capsys):
    from labkit.course import environment

    checks = [environment.Check("memory", "ok", "8.0 GiB free")]
    monkeypatch.setattr(
        environment, "doctor", lambda brief=False: environment.Report(checks, brief)
    )
    assert command.main(["doctor"]) == 0
    checks.append(
        environment.Check("tensorflow", "bad", "tensorflow is missing", "run `make lab` again")
    )
    assert command.main(["doctor"]) == 1
    assert "run `make lab` again" in capsys.readouterr().out


def test_no_news_by_default_and_the_learners_own_settings_win(tmp_path):
    from jupyterlab.labapp import LabApp
    from jupyterlab_server.settings_utils import get_settings

    name = "@jupyterlab/apputils-extension:notification"
    schemas, ours = LabApp().schemas_dir, str(command.PACKAGE / "lab_settings")

    def choice(app_settings):
        found, _ = get_settings(app_settings, schemas, str(tmp_path), name)
        return {
            key: found["schema"]["properties"][key]["default"]
            for key in found["schema"]["properties"]
        } | (found["settings"])

    assert (choice(str(tmp_path))["fetchNews"], choice(str(tmp_path))["checkForUpdates"]) == (
        "none",
        True,
    )
    assert (choice(ours)["fetchNews"], choice(ours)["checkForUpdates"]) == ("false", False)
    own = tmp_path / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
    own.parent.mkdir(parents=True)
    own.write_text(json.dumps({"fetchNews": "true"}), encoding="utf-8")
    assert choice(ours)["fetchNews"] == "true"


def test_importing_labkit_is_light():
    code = "import sys, labkit; print(sorted({'tensorflow', 'numpy', 'matplotlib', 'nbconvert'} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr


# ---- the lessons themselves ----


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_the_learners_edition_runs_to_the_end_unsolved(path, tmp_path):
    source = tmp_path / "notebooks"
    source.mkdir()
    shutil.copy(path, source)
    make_workspace(source, tmp_path / "workspace")
    notebook = nbformat.read(tmp_path / "workspace" / path.name, as_version=4)
    # No verdict is compared here, so a third of the measuring will do.
    unsolved = {"LABKIT_STRICT": None, "LABKIT_ROUNDS": None, "LABKIT_BUDGET": "0.3"}
    environment = kernel_environment(tmp_path / "home", **unsolved)
    client(notebook, tmp_path / "workspace").execute(env=environment)  # raises at a cell that fails
