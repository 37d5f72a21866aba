"""`python -m labkit`: arguments, messages, exit status, and how the course is opened."""

import importlib.util
import io
import json
import re
import subprocess
import sys
import types
from pathlib import Path

import jsonschema
import pytest
from jupyter_client.kernelspec import KernelSpecManager
from jupyterlab.labapp import LabApp
from jupyterlab_server.settings_utils import get_settings
from small_course import LOOP, START, TRIAL, edit, lesson, make_course, run, write

from labkit import __main__ as command
from labkit.course import environment, running_server, server_settings, tensorflow_start
from labkit.course import workspace as copies

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def course(tmp_path):
    return make_course(tmp_path)


@pytest.fixture
def started(course, monkeypatch, tmp_path):
    """Run `labkit lab` on the small course; collect the commands that would start JupyterLab."""
    source, workspace = course
    commands = []
    monkeypatch.setattr(copies, "COURSE", source)
    monkeypatch.setattr(command, "_run", lambda words, _: commands.append(words) or 0)
    monkeypatch.setattr(running_server, "is_taken", lambda port: False)
    # Seconds for each test; tests/test_tensorflow_start.py does it.
    monkeypatch.setattr(tensorflow_start, "begin_import", lambda: None)
    monkeypatch.setattr(environment, "begin_import", lambda: None)
    monkeypatch.setenv("LABKIT_WORKSPACE", str(workspace))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter"))
    return commands


@pytest.fixture
def workspace(course):
    return course[1]


# ---- lab ----


@pytest.mark.parametrize(
    ("words", "opened"),
    [
        ([], "README.md"),
        (["2"], LOOP),
        (["02"], LOOP),
        (["02_loop"], LOOP),
        (["notebooks/02_loop.ipynb"], LOOP),
        (["an_article"], TRIAL),
        (["trials/an_article.ipynb"], TRIAL),
    ],
)
def test_lab_opens_the_start_page_or_the_lesson_named(
    started, course, workspace, capsys, words, opened
):
    write(lesson(check="90.1"), course[0] / TRIAL)
    assert command.main(["lab", *words]) == 0
    assert f"2 lessons in {workspace.resolve()}\n" in capsys.readouterr().out
    (started_with,) = started
    assert started_with[:3] == [sys.executable, "-m", "jupyterlab"]
    assert f"--LabApp.default_url=/lab/tree/{opened}" in started_with
    assert (workspace / opened).is_file()
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


def test_what_an_update_changed_is_printed_and_on_the_start_page(
    started, course, workspace, capsys
):
    source, _ = course
    command.main(["lab"])
    edit(workspace / START)
    run(workspace / LOOP, 2)
    capsys.readouterr()
    assert command.main(["lab"]) == 0
    assert ".ipynb" not in capsys.readouterr().out
    write(lesson("Guess again.", check="00.1"), source / START)
    write(lesson("Guess again."), source / LOOP)
    assert command.main(["lab"]) == 0
    shown = capsys.readouterr().out
    assert f"{START}: kept with your changes; the course has a newer version" in shown
    assert f"{LOOP}: renewed; " in shown
    assert "your results are still in it" in shown
    assert "your results are still in it" in (workspace / "README.md").read_text(encoding="utf-8")


def test_the_workspace_can_be_made_without_a_server(started, workspace, capsys):
    assert command.main(["workspace"]) == 0
    assert capsys.readouterr().out == f"2 lessons in {workspace.resolve()}\n"
    assert {START, LOOP, "README.md"} <= {path.name for path in workspace.iterdir()}
    edit(workspace / LOOP)
    assert command.main(["workspace", "--fresh", "2"]) == 0
    assert (workspace / "02_loop.mine.ipynb").exists()
    assert command.main(["workspace", "--fresh", "9"]) == 2
    assert started == []


def test_kernels_share_one_record_of_exercises(workspace, monkeypatch):
    monkeypatch.delenv("LABKIT_HOME", raising=False)
    assert command._environment(workspace)["LABKIT_HOME"] == str(workspace)
    monkeypatch.setenv("LABKIT_HOME", "elsewhere")
    assert command._environment(workspace)["LABKIT_HOME"] == "elsewhere"


@pytest.mark.parametrize("own", [None, "mine.py", "ours"])
def test_the_startup_file_is_run_before_that_of_the_learner(workspace, tmp_path, monkeypatch, own):
    startup = tmp_path / "startup.py"
    startup.touch()
    monkeypatch.setattr(server_settings, "_STARTUP", startup)
    monkeypatch.delenv("LABKIT_PYTHONSTARTUP", raising=False)
    monkeypatch.delenv("PYTHONSTARTUP", raising=False)
    if own is not None:
        monkeypatch.setenv("PYTHONSTARTUP", own.replace("ours", str(startup)))
    environment = command._environment(workspace)
    assert environment["PYTHONSTARTUP"] == str(startup)
    assert environment.get("LABKIT_PYTHONSTARTUP") == ("mine.py" if own == "mine.py" else None)
    startup.unlink()
    assert command._environment(workspace).get("PYTHONSTARTUP") != str(startup) or own == "ours"


def test_the_kernel_is_the_courses_own_whatever_others_have_its_name(
    workspace, tmp_path, monkeypatch
):
    foreign = tmp_path / "foreign" / "kernels" / "python3" / "kernel.json"
    foreign.parent.mkdir(parents=True)
    foreign.write_text('{"argv": ["/opt/bin/python"], "display_name": "x", "language": "python"}')
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "foreign"))
    assert KernelSpecManager().get_kernel_spec("python3").argv == ["/opt/bin/python"]
    monkeypatch.setenv("JUPYTER_PATH", command._environment(workspace)["JUPYTER_PATH"])
    assert "ipykernel_launcher" in KernelSpecManager().get_kernel_spec("python3").argv
    assert str(tmp_path / "foreign" / "kernels") in KernelSpecManager().kernel_dirs


def test_in_a_codespace_its_own_pages_may_use_the_server(started, monkeypatch):
    command.main(["lab"])
    assert not any("allow_origin" in word for word in started[0])
    monkeypatch.setenv("CODESPACE_NAME", "fluffy.space")
    monkeypatch.setenv("GITHUB_CODESPACES_PORT_FORWARDING_DOMAIN", "app.github.dev")
    command.main(["lab"])
    name = "--ServerApp.allow_origin_pat="
    (pattern,) = (word.removeprefix(name) for word in started[1] if word.startswith(name))
    assert re.match(pattern, "https://fluffy.space-8888.app.github.dev")
    for origin in (
        "https://other-8888.app.github.dev",
        "https://fluffyxspace-8888.app.github.dev",
        "https://fluffy.space-8888.app.github.dev.evil.example",
        "http://fluffy.space-8888.app.github.dev",
    ):
        assert not re.match(pattern, origin), origin


def test_an_import_that_nobody_waited_for_is_ended(started, workspace, monkeypatch):
    ended = []
    process = types.SimpleNamespace(kill=lambda: ended.append(True))
    monkeypatch.setattr(tensorflow_start, "begin_import", lambda: process)
    workspace.write_text("a file in its place", encoding="utf-8")
    assert command.main(["lab"]) == 1
    assert ended == [True]


def test_a_port_that_is_taken_is_told(started, monkeypatch, capsys):
    monkeypatch.setattr(running_server, "is_taken", lambda port: port == 9001)
    command.main(["lab", "--port", "9001"])
    assert "Port 9001 is taken by another program" in capsys.readouterr().out
    command.main(["lab", "--port", "9002"])
    assert "Port" not in capsys.readouterr().out


# ---- a JupyterLab that runs already ----


@pytest.fixture
def running(started, monkeypatch):
    """Have a server in the workspace; collect the addresses that the browser would open."""
    opened = []
    monkeypatch.setattr(
        running_server, "find_server", lambda folder, page: f"http://127.0.0.1:8888/lab/tree/{page}"
    )
    monkeypatch.setattr(running_server, "open_in_browser", opened.append)
    return opened


@pytest.mark.parametrize(("words", "page"), [([], "README.md"), (["2"], LOOP)])
def test_a_second_start_opens_the_running_server(started, running, workspace, capsys, words, page):
    address = f"http://127.0.0.1:8888/lab/tree/{page}"
    assert command.main(["lab", *words]) == 0
    assert f"JupyterLab is already running at {address}\n" in capsys.readouterr().out
    assert running == [address]
    assert started == []
    assert not workspace.exists()
    assert command.main(["lab", "--no-browser", *words]) == 0
    assert address in capsys.readouterr().out
    assert running == [address]


def test_no_lesson_is_set_aside_while_jupyterlab_may_have_it_open(
    started, running, workspace, capsys
):
    command.main(["workspace"])
    edit(workspace / LOOP)
    assert command.main(["lab", "--fresh", "2"]) == 1
    assert "stop JupyterLab with Ctrl-C" in capsys.readouterr().err
    assert not (workspace / "02_loop.mine.ipynb").exists()
    assert (started, running) == ([], [])


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


def test_a_workspace_in_which_nothing_could_be_saved_is_told_before_work_begins(
    started, workspace, monkeypatch, capsys
):
    command.main(["workspace"])
    monkeypatch.setattr(command.os, "access", lambda path, mode: False)
    assert command.main(["lab"]) == 1
    assert "nothing could be saved there" in capsys.readouterr().err
    assert started == []


def test_a_course_without_lessons_is_an_error_without_traceback(started, monkeypatch, capsys):
    monkeypatch.setattr(copies, "COURSE", Path("missing"))
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


def test_every_setting_exists_and_has_a_value_that_it_may_have():
    """JupyterLab says nothing about a setting that it does not know."""
    overrides = json.loads((command.PACKAGE / "lab_settings" / "overrides.json").read_text())
    folders = [Path(LabApp().schemas_dir), *map(Path, LabApp().labextensions_path)]
    for plugin, values in overrides.items():
        package, _, name = plugin.partition(":")
        places = [folder / package / f"{name}.json" for folder in folders]
        places += [folder / package / "schemas" / package / f"{name}.json" for folder in folders]
        found = [place for place in places if place.exists()]
        assert found, f"{plugin} is no plugin"
        schema = json.loads(found[0].read_text(encoding="utf-8"))
        assert values.keys() <= schema["properties"].keys(), plugin
        jsonschema.validate(values, schema)


def test_no_news_by_default_and_the_learners_own_settings_win(tmp_path):
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


def test_another_python_is_told_which_one_has_the_packages(tmp_path, monkeypatch, capsys):
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / ".ready").touch()
    monkeypatch.setattr(command, "PACKAGE", tmp_path / "labkit")
    assert command._other_python() == ""  # this one has them
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert command.main(["own-loop", "program.py"]) == 1
    sentence = "this Python has no TensorFlow; the course is installed in .venv: use .venv/"
    assert sentence in capsys.readouterr().err
    (tmp_path / ".venv" / ".ready").unlink()
    assert command._other_python() == ""  # nobody has
