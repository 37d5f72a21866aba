"""What the server adds to a notebook before it is saved, and what a new kernel reads of it."""

import copy
import json
import sys
from pathlib import Path

import pytest

import labkit
from labkit.course.lab_server import _load_jupyter_server_extension
from labkit.show.saved_notebook import PROGRESS_MARK, before_saving, saved_value

VIEW = "application/vnd.jupyter.widget-view+json"
STATE = "application/vnd.jupyter.widget-state+json"


def guess_state(question="How many?", number="50.0", layout="layout-1"):
    values = {
        "_anywidget_id": "labkit.course.guess_widget.GuessWidget",
        "layout": f"IPY_MODEL_{layout}",
        "question": question,
        "number": number,
    }
    return {"model_name": "AnyModel", "model_module": "anywidget", "state": values}


LAYOUT = {"model_name": "LayoutModel", "model_module": "@jupyter-widgets/base", "state": {}}
GUESS = {"guess-1": guess_state(), "layout-1": LAYOUT}


def notebook(shown=(), states=None, outputs=()):
    """Return a notebook with a cell for each widget that is shown, and one with these outputs."""
    views = [{"output_type": "display_data", "data": {VIEW: {"model_id": id}}} for id in shown]
    cells = [{"cell_type": "code", "source": "", "outputs": [view]} for view in views]
    cells.append({"cell_type": "code", "source": "", "outputs": list(outputs)})
    cells.append({"cell_type": "markdown", "source": "words"})
    metadata = {"kernelspec": {"name": "python3"}}
    if states is not None:
        whole = {"version_major": 2, "version_minor": 0, "state": states}
        metadata["widgets"] = {STATE: whole}
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


class Contents:
    """Stands for the server's manager of files."""

    def __init__(self, folder):
        self.root_dir = str(folder)
        self.hooks = []

    def register_pre_save_hook(self, hook):
        self.hooks.append(hook)


def saved(folder, content, name="lessons/02.ipynb"):
    """Save a notebook as the server does, and return what is in the file."""
    content = copy.deepcopy(content)
    model = {"type": "notebook", "content": content}
    before_saving(model=model, path=name, contents_manager=Contents(folder))
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
    return content


def states_of(content):
    return content["metadata"].get("widgets", {}).get(STATE, {}).get("state", {})


# ---- widgets ----


def test_a_widget_stays_when_its_kernel_has_gone(tmp_path):
    first = notebook(["guess-1"], GUESS)
    assert saved(tmp_path, first) == first
    # JupyterLab now knows of no widget: the kernel was restarted.
    assert saved(tmp_path, notebook(["guess-1"], {})) == first
    assert saved(tmp_path, notebook(["guess-1"])) == first  # and once more, with nothing at all


def test_what_the_running_kernel_has_is_newer_than_the_file(tmp_path):
    saved(tmp_path, notebook(["guess-1", "guess-2"], GUESS | {"guess-2": guess_state("Where?")}))
    newer = {"guess-1": guess_state(number="60.0"), "layout-1": LAYOUT}
    states = states_of(saved(tmp_path, notebook(["guess-1", "guess-2"], newer)))
    assert states["guess-1"]["state"]["number"] == "60.0"
    assert states["guess-2"]["state"]["question"] == "Where?"


def test_a_widget_in_whose_place_another_is_shown_is_left_out(tmp_path):
    saved(tmp_path, notebook(["guess-1"], GUESS))
    run_again = GUESS | {"guess-2": guess_state(layout="layout-2"), "layout-2": LAYOUT}
    states = states_of(saved(tmp_path, notebook(["guess-2"], run_again)))
    assert set(states) == {"guess-2", "layout-1", "layout-2"}


def test_a_guess_survives_a_save_while_its_cell_waits_to_run_again(tmp_path):
    """On the next day the cell shows nothing until the setup above it has run."""
    saved(tmp_path, notebook(["guess-1"], GUESS))
    for _ in range(3):
        waiting = saved(tmp_path, notebook([], {}))
        assert states_of(waiting)["guess-1"]["state"]["number"] == "50.0"
    other = guess_state("Where?", layout="layout-2")
    states = states_of(saved(tmp_path, notebook(["guess-2"], {"guess-2": other})))
    assert set(states) == {"guess-1", "layout-1", "guess-2"}
    again = guess_state(number="50.0")
    states = states_of(saved(tmp_path, notebook(["guess-3"], {"guess-3": again})))
    assert "guess-1" not in states


def test_widgets_of_the_learner_stay_as_they_are(tmp_path):
    link = {"model_name": "LinkModel", "state": {"source": ["IPY_MODEL_a", "value"]}}
    content = notebook(["a"], {"link": link, "a": {"model_name": "IntSliderModel", "state": {}}})
    assert saved(tmp_path, content) == content


@pytest.mark.parametrize("text", [None, "", "[1]", "{}", '{"metadata": {"widgets": 1}}', "{"])
def test_a_file_that_cannot_be_read_does_not_matter(tmp_path, text):
    if text is not None:
        (tmp_path / "02.ipynb").write_text(text, encoding="utf-8")
    content = notebook(["guess-1", "guess-2"], GUESS)
    assert saved(tmp_path, content, "02.ipynb") == content


@pytest.mark.parametrize(
    "model",
    [{"type": "file", "content": "text"}, {"type": "notebook"}, {"type": "directory"}],
)
def test_other_files_are_left_alone(tmp_path, model):
    before = copy.deepcopy(model)
    before_saving(model=model, path="x", contents_manager=Contents(tmp_path))
    assert model == before


# ---- progress bars ----


def test_a_progress_bar_is_not_saved_moving_or_ended(tmp_path):
    moving = {
        "output_type": "display_data",
        "metadata": PROGRESS_MARK,
        "data": {"text/html": "<progress>"},
    }
    ended = moving | {"data": {}}
    text = {"output_type": "stream", "name": "stdout", "text": "kept"}
    other = {"output_type": "display_data", "metadata": {}, "data": {"text/plain": "kept"}}
    content = saved(tmp_path, notebook(outputs=[text, moving, other, ended]))
    assert content["cells"][0]["outputs"] == [text, other]


# ---- the settings of JupyterLab ----

SHARE = Path(sys.prefix) / "share" / "jupyter"
SETTINGS = json.loads(
    (Path(labkit.__file__).parent / "lab_settings" / "overrides.json").read_text(encoding="utf-8")
)


def schema_of(plugin):
    """Return what JupyterLab, or an extension of it, knows of the settings of a plugin."""
    package, name = plugin.split(":")
    relative = Path("schemas", package, f"{name}.json")
    for folder in (SHARE / "lab", SHARE / "labextensions" / package):
        if (folder / relative).is_file():
            return json.loads((folder / relative).read_text(encoding="utf-8"))
    raise AssertionError(f"JupyterLab has no settings of {plugin}")


@pytest.mark.parametrize("plugin", SETTINGS)
def test_jupyterlab_knows_the_settings(plugin):
    assert SETTINGS[plugin].keys() <= schema_of(plugin)["properties"].keys()


def test_widgets_are_saved_soon_and_the_stop_button_reaches_them():
    assert SETTINGS["@jupyter-widgets/jupyterlab-manager:plugin"]["saveState"] is True
    assert SETTINGS["@jupyterlab/docmanager-extension:plugin"]["autosaveInterval"] <= 30
    # In a subshell the code of a slider runs beside that of a cell, and cannot be stopped.
    kernels = SETTINGS["@jupyterlab/apputils-extension:kernels-settings"]
    assert kernels["commsOverSubshells"] == "disabled"


# ---- the server and the kernel ----


def test_the_server_of_the_course_completes_notebooks(tmp_path, monkeypatch):
    monkeypatch.setattr("atexit.register", lambda *_args, **_options: None)

    class Server:
        root_dir = str(tmp_path)
        base_url = "/"
        contents_manager = Contents(tmp_path)

        @property
        def web_app(self):
            return self

        def add_handlers(self, *_):
            """Stands for the web application."""

    server = Server()
    _load_jupyter_server_extension(server)
    assert server.contents_manager.hooks == [before_saving]


def test_a_kernel_finds_what_its_notebook_was_saved_with(tmp_path, monkeypatch):
    content = notebook(["guess-1", "guess-2"], GUESS | {"guess-2": guess_state("Where?", "")})
    saved(tmp_path, content, "02.ipynb")
    monkeypatch.setenv("JPY_SESSION_NAME", str(tmp_path / "02.ipynb"))
    assert saved_value("GuessWidget", {"question": "How many?"}, "number") == "50.0"
    assert saved_value("GuessWidget", {"question": "Where?"}, "number") == ""
    assert saved_value("GuessWidget", {"question": "How?"}, "number") is None
    assert saved_value("OtherWidget", {"question": "How many?"}, "number") is None
    monkeypatch.setenv("JPY_SESSION_NAME", str(tmp_path / "renamed.ipynb"))
    assert saved_value("GuessWidget", {"question": "How many?"}, "number") is None
    monkeypatch.delenv("JPY_SESSION_NAME")
    assert saved_value("GuessWidget", {"question": "How many?"}, "number") is None
