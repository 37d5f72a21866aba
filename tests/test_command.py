"""`python -m labkit`: arguments, messages, exit status, and how the course is opened."""

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from small_course import LOOP, START, edit, make_course

from labkit import __main__ as command
from labkit.course import environment

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def course(tmp_path):
    return make_course(tmp_path)


@pytest.fixture
def started(course, monkeypatch):
    """Run `labkit lab` on the small course; collect the commands that would start JupyterLab."""
    source, workspace = course
    commands = []
    monkeypatch.setattr(command, "NOTEBOOKS", source)
    monkeypatch.setattr(command, "_run", lambda words: commands.append(words) or 0)
    monkeypatch.setenv("LABKIT_WORKSPACE", str(workspace))
    return commands


@pytest.fixture
def workspace(course):
    return course[1]


# ---- lab ----


@pytest.mark.parametrize(
    ("words", "opened"),
    [
        ([], START),
        (["2"], LOOP),
        (["02"], LOOP),
        (["02_loop"], LOOP),
        (["notebooks/02_loop.ipynb"], LOOP),
    ],
)
def test_lab_opens_the_first_lesson_or_the_one_named(started, workspace, capsys, words, opened):
    assert command.main(["lab", *words]) == 0
    assert f"2 lessons in {workspace.resolve()}\n" in capsys.readouterr().out
    (started_with,) = started
    assert started_with[:3] == [sys.executable, "-m", "jupyterlab"]
    assert f"--LabApp.default_url=/lab/tree/{opened}" in started_with
    assert f"--ServerApp.root_dir={workspace.resolve()}" in started_with
    assert "--ServerApp.ip=127.0.0.1" in started_with
    assert "--ServerApp.port=8888" in started_with
    assert "--no-browser" not in started_with
    assert not any("token" in word or "password" in word for word in started_with)


def test_lab_passes_port_and_browser_on(started):
    assert command.main(["lab", "--no-browser", "--port", "9001"]) == 0
    assert {"--no-browser", "--ServerApp.port=9001"} <= set(started[0])


@pytest.mark.parametrize("port", ["-1", "65536", "http", "8888.0", ""])
def test_a_port_that_cannot_be_is_refused(started, capsys, port):
    with pytest.raises(SystemExit) as stopped:
        command.main(["lab", f"--port={port}"])
    assert stopped.value.code == 2
    assert "a port is a number from 0 to 65535" in capsys.readouterr().err
    assert started == []


def test_fresh_sets_aside_and_opens_that_lesson(started, workspace, capsys):
    command.main(["lab"])
    mine = edit(workspace / LOOP)
    assert command.main(["lab", "--fresh", "2"]) == 0
    assert f"{LOOP}: a fresh one; yours is now 02_loop.mine.ipynb\n" in capsys.readouterr().out
    assert (workspace / "02_loop.mine.ipynb").read_bytes() == mine
    assert any(word.endswith(LOOP) for word in started[-1])


def test_a_lesson_that_was_kept_is_named_and_the_number_is_that_of_the_lessons(
    started, workspace, capsys
):
    command.main(["lab"])
    edit(workspace / LOOP)
    (workspace / "CLAIMS.md").write_text("mine", encoding="utf-8")
    capsys.readouterr()
    assert command.main(["lab"]) == 0
    shown = capsys.readouterr().out
    assert "2 lessons in" in shown
    assert f"{LOOP}: kept with your changes\n" in shown
    assert "CLAIMS.md: kept with your changes\n" in shown
    assert START not in shown


@pytest.mark.parametrize("words", [["7"], ["--fresh", "loop"], ["0_"], [""], ["2", "--fresh", "9"]])
def test_an_unknown_lesson_lists_the_known_ones(started, workspace, words, capsys):
    assert command.main(["lab", *words]) == 2
    shown = capsys.readouterr().err
    assert repr(words[-1]) in shown
    assert "00_start_here\n" in shown
    assert "02_loop\n" in shown
    assert started == []
    assert not workspace.exists()


def test_a_workspace_that_cannot_be_made_is_an_error_without_traceback(started, workspace, capsys):
    workspace.write_text("a file in its place", encoding="utf-8")
    assert command.main(["lab"]) == 1
    shown = capsys.readouterr().err
    assert str(workspace) in shown
    assert "LABKIT_WORKSPACE" in shown
    assert started == []


def test_a_disk_that_is_full_is_an_error_without_traceback(started, monkeypatch, capsys):
    def full_disk(path, content):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr("labkit.course.workspace.write_atomically", full_disk)
    assert command.main(["lab"]) == 1
    shown = capsys.readouterr().err
    assert "No space left on device" in shown
    assert START in shown
    assert started == []


def test_a_course_without_lessons_is_an_error_without_traceback(started, monkeypatch, capsys):
    monkeypatch.setattr(command, "NOTEBOOKS", Path("missing"))
    assert command.main(["lab"]) == 1
    shown = capsys.readouterr().err
    assert "clone it again" in shown
    assert "LABKIT_WORKSPACE" not in shown


def test_a_damaged_lesson_of_the_course_is_an_error_without_traceback(started, course, capsys):
    (course[0] / LOOP).write_text("{", encoding="utf-8")
    assert command.main(["lab"]) == 1
    shown = capsys.readouterr().err
    assert shown.startswith("python -m labkit: ")
    assert f"{LOOP} is not a readable notebook" in shown


# ---- doctor and the rest ----


def test_doctor_says_by_its_exit_status_whether_all_is_well(monkeypatch, capsys):
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


def test_ctrl_c_ends_a_command_without_traceback(monkeypatch, capsys):
    def interrupted(brief=False):
        raise KeyboardInterrupt

    monkeypatch.setattr(environment, "doctor", interrupted)
    assert command.main(["doctor"]) == 130
    assert capsys.readouterr().err == ""


def test_a_code_page_without_the_symbols_is_no_reason_to_stop(monkeypatch):
    checks = [environment.Check("memory", "ok", "8.0 GiB free")]
    monkeypatch.setattr(environment, "doctor", lambda: environment.Report(checks))
    screen = io.TextIOWrapper(io.BytesIO(), encoding="cp1252")
    monkeypatch.setattr(sys, "stdout", screen)
    assert command.main(["doctor"]) == 0
    screen.flush()
    assert screen.buffer.getvalue().startswith(b"? ok")


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_stream_that_is_closed_or_of_another_kind_is_no_reason_to_stop(monkeypatch, stream):
    checks = [environment.Check("memory", "ok", "8.0 GiB free")]
    monkeypatch.setattr(environment, "doctor", lambda: environment.Report(checks))
    for replacement in (None, io.StringIO()):  # a notebook has a stream of its own
        monkeypatch.setattr(sys, stream, replacement)
        assert command.main(["doctor"]) == 0


@pytest.mark.parametrize("words", [[], ["unknown"], ["lab", "--nonsense"], ["lab", "1", "2"]])
def test_wrong_arguments_show_how_it_is_used(words, capsys):
    with pytest.raises(SystemExit) as stopped:
        command.main(words)
    assert stopped.value.code == 2
    assert "usage: python -m labkit" in capsys.readouterr().err


def test_a_wrong_path_of_a_model_is_told_before_tensorflow_is_imported():
    code = (
        "import sys\n"
        "from labkit.__main__ import main\n"
        "status = main(['own-model', 'missing.keras'])\n"
        "print(status, 'tensorflow' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "2 False\n"
    assert done.stderr.startswith("python -m labkit own-model: there is no file")


# ---- the settings that JupyterLab starts with ----


def test_no_news_by_default_and_the_learners_own_settings_win(tmp_path):
    from jupyterlab.labapp import LabApp
    from jupyterlab_server.settings_utils import get_settings

    name = "@jupyterlab/apputils-extension:notification"
    schemas = LabApp().schemas_dir
    ours = str(command.PACKAGE / "lab_settings")
    none = str(tmp_path / "none")

    def choices(app_settings):
        """Return the default of each setting, or what the learner chose."""
        found, _ = get_settings(app_settings, schemas, str(tmp_path), name)
        properties = found["schema"]["properties"]
        defaults = {key: properties[key]["default"] for key in properties}
        return {**defaults, **found["settings"]}

    without = choices(none)
    assert (without["fetchNews"], without["checkForUpdates"]) == ("none", True)
    with_ours = choices(ours)
    assert (with_ours["fetchNews"], with_ours["checkForUpdates"]) == ("false", False)

    own = tmp_path / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
    own.parent.mkdir(parents=True)
    own.write_text(json.dumps({"fetchNews": "true"}), encoding="utf-8")
    assert choices(ours)["fetchNews"] == "true"
