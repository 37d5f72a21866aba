"""The doctor finds settings that were made for something else, and names no folder of a person."""

import json
import os
import sys
from pathlib import Path

import pytest

from labkit.course import settings_check
from labkit.course.checks import with_short_home, without_folders
from labkit.course.settings_check import check_settings

VARIABLES = [
    *settings_check.MEASURED_WITH,
    "IPYTHONDIR",
    "JUPYTER_CONFIG_PATH",
    "JUPYTER_NO_CONFIG",
    "JUPYTER_PATH",
    "JUPYTER_PREFER_ENV_PATH",
    "JUPYTER_TOKEN",
    "JUPYTER_TOKEN_FILE",
    "KERAS_BACKEND",
    "KERAS_HOME",
    "LABKIT_PYTHONSTARTUP",
    "MATPLOTLIBRC",
    "MPLBACKEND",
    "MPLCONFIGDIR",
    "PYTHONPATH",
    "PYTHONSTARTUP",
    "TF_CPP_MIN_LOG_LEVEL",
    "TF_USE_LEGACY_KERAS",
    "XDG_CONFIG_HOME",
]


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Have a home folder without settings, and a shell without variables; return the folder."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "ada lovelace"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("USERPROFILE", str(folder))
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(folder / ".jupyter"))
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(folder / ".local"))
    monkeypatch.setattr(Path, "home", lambda: folder)
    monkeypatch.setattr(sys, "modules", {**sys.modules})
    sys.modules.pop("keras", None)
    return folder


@pytest.fixture
def workspace(tmp_path):
    folder = tmp_path / "workspace"
    folder.mkdir()
    return folder


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def only(checks, what, state="note"):
    """Return the one finding, which names no folder and says what to do."""
    (check,) = checks
    assert (check.what, check.state) == (what, state)
    assert check.is_setting
    assert "ada" not in check.seen + check.cure
    assert os.sep not in check.seen
    assert check.cure
    return check


def test_on_a_plain_machine_there_is_nothing_to_say(home, workspace):
    assert check_settings(workspace) == []
    assert check_settings(home / "a workspace that is not there") == []


# ---- TensorFlow and Keras ----


@pytest.mark.parametrize("name", ["jax", "torch", "openvino"])
def test_another_backend_in_the_shell(home, workspace, monkeypatch, name):
    monkeypatch.setenv("KERAS_BACKEND", name)
    check = only(check_settings(workspace), "backend")
    assert check.seen == f"the variable KERAS_BACKEND asks for {name}"
    assert "unset KERAS_BACKEND" in check.cure or "Env:KERAS_BACKEND" in check.cure


def test_another_backend_in_the_file_of_keras(home, workspace, monkeypatch):
    write(home / ".keras" / "keras.json", json.dumps({"backend": "torch"}))
    check = only(check_settings(workspace), "backend")
    assert check.seen == "the file keras.json asks for torch"
    assert str(Path("~/.keras/keras.json")) in check.cure
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")  # the variable wins
    assert check_settings(workspace) == []


@pytest.mark.parametrize("text", ['{"backend": "tensorflow"}', "{}", "{", "[]", ""])
def test_a_file_of_keras_without_another_backend_is_nothing(home, workspace, text):
    write(home / ".keras" / "keras.json", text)
    assert check_settings(workspace) == []


def test_keras_that_runs_on_another_backend_is_bad(home, workspace, monkeypatch):
    class Keras:
        class backend:
            backend = staticmethod(lambda: "jax")

    monkeypatch.setitem(sys.modules, "keras", Keras)
    check = only(check_settings(workspace), "backend", "bad")
    assert "restart the kernel" in check.cure


@pytest.mark.parametrize(
    ("value", "asks"), [("1", True), ("True", True), ("0", False), ("", False)]
)
def test_legacy_keras(home, workspace, monkeypatch, value, asks):
    monkeypatch.setenv("TF_USE_LEGACY_KERAS", value)
    found = check_settings(workspace)
    if asks:
        assert "Keras 2" in only(found, "old Keras").seen
    else:
        assert found == []


@pytest.mark.parametrize("level", ["2", "3"])
def test_errors_of_tensorflow_alone_are_nothing(home, workspace, monkeypatch, level):
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", level)
    assert check_settings(workspace) == []


def test_messages_of_tensorflow(home, workspace, monkeypatch):
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "0")
    assert "TF_CPP_MIN_LOG_LEVEL is 0" in only(check_settings(workspace), "messages").seen


@pytest.mark.parametrize("name", settings_check.MEASURED_WITH)
def test_variables_that_change_what_is_measured(home, workspace, monkeypatch, name):
    monkeypatch.setenv(name, "--secret=/home/ada")
    check = only(check_settings(workspace), "measuring")
    assert check.seen == f"{name} changes what is measured"


# ---- what is imported ----


def test_a_package_from_pythonpath(home, workspace, monkeypatch):
    other = home / "ros"
    write(other / "numpy" / "__init__.py", "")
    monkeypatch.setenv("PYTHONPATH", str(other))
    assert check_settings(workspace) == []  # it is not imported from there: nothing is wrong
    monkeypatch.syspath_prepend(str(other))
    assert (
        "numpy comes from a folder in PYTHONPATH"
        in only(check_settings(workspace), "PYTHONPATH").seen
    )


@pytest.mark.parametrize(
    ("name", "state"),
    [("keras.py", "bad"), ("numpy/__init__.py", "bad"), ("random.py", "note")],
)
def test_a_file_that_hides_a_package(home, workspace, name, state):
    write(workspace / name, "")
    check = only(check_settings(workspace), "files", state)
    assert name.partition("/")[0] in check.seen


@pytest.mark.parametrize("name", ["my_keras.py", "keras.md", "numpy/data.txt", "random.ipynb"])
def test_a_file_that_hides_nothing(home, workspace, name):
    write(workspace / name, "")
    assert check_settings(workspace) == []


# ---- Jupyter and IPython ----


def write_kernel(folder, *argv):
    spec = {"argv": [*argv, "-f", "{connection_file}"], "display_name": "x", "language": "python"}
    write(folder / "kernels" / "python3" / "kernel.json", json.dumps(spec))


def test_a_kernel_of_another_python_with_the_same_name(home, workspace, monkeypatch, tmp_path):
    write_kernel(tmp_path / "foreign", "/opt/ada/bin/python3", "-m", "ipykernel_launcher")
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "foreign"))
    check = only(check_settings(workspace), "kernel")
    assert "JUPYTER_PATH" in check.cure


@pytest.mark.parametrize("word", ["python", "python3", sys.executable])
def test_a_kernel_that_starts_this_python_is_none(home, workspace, monkeypatch, tmp_path, word):
    write_kernel(tmp_path / "own", word, "-m", "ipykernel_launcher")
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "own"))
    assert check_settings(workspace) == []


def test_a_kernel_whose_file_is_damaged(home, workspace, monkeypatch, tmp_path):
    write(tmp_path / "foreign" / "kernels" / "python3" / "kernel.json", "{")
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "foreign"))
    only(check_settings(workspace), "kernel")


@pytest.mark.parametrize("name", ["JUPYTER_TOKEN", "JUPYTER_TOKEN_FILE"])
def test_a_token(home, workspace, monkeypatch, name):
    monkeypatch.setenv(name, "s3cret")
    check = only(check_settings(workspace), "token")
    assert name in check.seen
    assert "s3cret" not in check.seen + check.cure


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        (
            "jupyter_server_config.json",
            '{"IdentityProvider": {"hashed_password": "argon2:s3cret"}}',
            "it asks for your password or token",
        ),
        (
            "jupyter_server_config.py",
            "c = get_config()  #noqa\nc.PasswordIdentityProvider.hashed_password = 's3cret'\n",
            "it asks for your password or token",
        ),
        ("jupyter_lab_config.py", "c.ServerApp.base_url = '/s3cret/'\n", "its address has another"),
        ("jupyter_config.json", '{"ServerApp": {"open_browser": false}}', "apply to the course's"),
    ],
)
def test_settings_of_jupyter(home, workspace, name, text, told):
    write(home / ".jupyter" / name, text)
    check = only(check_settings(workspace), "Jupyter")
    assert told in check.seen
    assert "s3cret" not in check.seen + check.cure
    assert str(Path("~/.jupyter") / name) in check.cure


@pytest.mark.parametrize("text", ["", "{}", "# c.ServerApp.token = 'x'\n", "c = get_config()\n"])
def test_a_file_of_settings_that_sets_nothing_is_nothing(home, workspace, text):
    write(home / ".jupyter" / "jupyter_server_config.py", text)
    write(home / ".ipython" / "profile_default" / "ipython_config.py", text)
    assert check_settings(workspace) == []


@pytest.mark.parametrize(
    "name", ["ipython_config.py", "ipython_kernel_config.py", "startup/own.py", "startup/own.ipy"]
)
def test_a_profile_of_ipython(home, workspace, name):
    write(home / ".ipython" / "profile_default" / name, "c.InteractiveShell.colors = 'x'\n")
    check = only(check_settings(workspace), "IPython")
    assert str(Path("~/.ipython/profile_default") / name) in check.cure


def test_a_file_for_the_start_of_python(home, workspace, monkeypatch):
    write(home / "start.py", "import this\n")
    monkeypatch.setenv("PYTHONSTARTUP", str(home / "start.py"))
    assert str(Path("~/start.py")) in only(check_settings(workspace), "IPython").cure
    ours = Path(settings_check.__file__).with_name("startup.py")
    monkeypatch.setenv("PYTHONSTARTUP", str(ours))  # as in a kernel of `labkit lab`
    assert check_settings(workspace) == []


# ---- matplotlib ----


def test_a_backend_of_matplotlib_in_the_shell(home, workspace, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    assert check_settings(workspace) == []
    monkeypatch.setenv("MPLBACKEND", "TkAgg")
    assert "asks matplotlib for TkAgg" in only(check_settings(workspace), "drawing").seen


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("text.usetex: True", "sets text.usetex"),
        ("text.usetex : true  # for a paper", "sets text.usetex"),
        ("backend: TkAgg", "sets backend"),
        ("text.usetex: False", None),
        ("#backend: TkAgg", None),
        ("font.size: 20", None),
    ],
)
@pytest.mark.parametrize("place", ["XDG_CONFIG_HOME", "MPLCONFIGDIR", "MATPLOTLIBRC", None])
def test_the_file_of_matplotlib(home, workspace, monkeypatch, line, told, place):
    folder = home / ".config" / "matplotlib"
    if place is not None:
        folder = home / "elsewhere"
        monkeypatch.setenv(place, str(folder))
        folder = folder / "matplotlib" if place == "XDG_CONFIG_HOME" else folder
    write(folder / "matplotlibrc", f"{line}\n")
    found = check_settings(workspace)
    if told is None:
        assert found == []
    else:
        assert told in only(found, "drawing").seen


# ---- without a home, and all at once ----


def test_without_a_home_nothing_is_found_and_nothing_fails(home, workspace, monkeypatch):
    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)
    assert check_settings(workspace) == []


def test_all_that_is_set_is_found(home, workspace, monkeypatch, tmp_path):
    write_kernel(tmp_path / "foreign", "/opt/bin/python3")
    values = {
        "KERAS_BACKEND": "jax",
        "TF_USE_LEGACY_KERAS": "1",
        "TF_CPP_MIN_LOG_LEVEL": "0",
        "XLA_FLAGS": "--x",
        "JUPYTER_PATH": str(tmp_path / "foreign"),
        "JUPYTER_TOKEN": "abc",
        "MPLBACKEND": "TkAgg",
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    what = [check.what for check in check_settings(workspace)]
    assert what == ["backend", "old Keras", "messages", "measuring", "kernel", "token", "drawing"]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("ImportError: /home/ada/x.so: undefined", "ImportError: x.so: undefined"),
        (r"No file 'C:\Users\ada\x.dll'", "No file 'x.dll'"),
        ("~/mine/keras.json, please", "keras.json, please"),
        ("see https://example.org/a/b and 1/2 of c", "see https://example.org/a/b and 1/2 of c"),
        ("module://matplotlib_inline.backend_inline", "module://matplotlib_inline.backend_inline"),
    ],
)
def test_folders_are_taken_out_of_an_error_text(text, wanted):
    assert without_folders(text) == wanted


@pytest.mark.parametrize("end", ["", "'", "/x.so: bad"])
def test_a_home_whose_name_has_a_space_is_taken_out(home, end):
    text = without_folders(f"No such file: '{home}{end}")
    assert "ada" not in text
    assert "lovelace" not in text
    assert text.startswith("No such file: '")


def test_a_path_at_home_is_written_with_its_sign(home):
    assert with_short_home(home / "a" / "b") == str(Path("~/a/b"))
    assert with_short_home(Path(os.sep, "opt", "b")) == str(Path(os.sep, "opt", "b"))
