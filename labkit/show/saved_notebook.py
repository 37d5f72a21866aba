"""What a saved notebook holds besides its cells: the state of the widgets.

JupyterLab saves the widgets of the running kernel only: what was saved before a restart, or on the
day before, would be lost at the next save, and the page would say "model not found".
"""

import json
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .widget import WIDGET_VIEW

_STATE = "application/vnd.jupyter.widget-state+json"
_REFERENCE = re.compile(r'"IPY_MODEL_([^"]+)"')

# The metadata of an output that is not worth saving.
PROGRESS_MARK = {"labkit": "progress"}

_States = dict[str, Any]  # by the id of the widget


def before_saving(*, model: dict[str, Any], path: str, contents_manager: Any, **_: Any) -> None:
    """Complete the widgets of a notebook that is about to be saved from the file as it was.

    Of several widgets of labkit for the same question, the one that is shown is kept. One that no
    cell shows is kept, too: its cell may wait for its turn at this moment, and then take over the
    number that is in the file. Progress bars are left out: a notebook that is saved while one moves
    would show it for ever. Jupyter's server calls this before it writes a file.
    """
    if model.get("type") != "notebook" or not model.get("content"):
        return
    notebook = model["content"]
    _drop_progress_bars(notebook)
    new = _states(notebook)
    shown = _shown(notebook)
    old = _read_states(Path(contents_manager.root_dir, path.lstrip("/")))
    known = old | new
    needed = _with_references(shown | _not_shown_now(old, known, shown), known)
    not_ours = {name for name, state in new.items() if not _is_ours(state)}
    kept = {name: state for name, state in known.items() if name in needed | not_ours}
    if kept:
        whole = {"version_major": 2, "version_minor": 0, "state": kept}
        notebook["metadata"]["widgets"] = {_STATE: whole}
    else:
        notebook["metadata"].pop("widgets", None)


def _read_states(path: Path) -> _States:
    """Return the widgets in a notebook file; none if it cannot be read."""
    try:
        return _states(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, LookupError, AttributeError, TypeError):
        return {}


def saved_value(name: str, key: dict[str, Any], wanted: str) -> Any:
    """Return what a widget of this kernel's notebook was saved with; None if there is none.

    `name` is the class of the widget, `key` holds the values that tell it from others, and `wanted`
    names the value. Only in a kernel that Jupyter's server has started is the notebook known.
    """
    path = os.environ.get("JPY_SESSION_NAME")
    if not path:
        return None
    for state in _read_states(Path(path)).values():
        values = state.get("state", {})
        is_of_class = str(values.get("_anywidget_id", "")).endswith(f".{name}")
        if is_of_class and key.items() <= values.items():
            return values.get(wanted)
    return None


def _drop_progress_bars(notebook: dict[str, Any]) -> None:
    for cell in notebook["cells"]:
        if "outputs" in cell:
            cell["outputs"] = [out for out in cell["outputs"] if not _is_progress_bar(out)]


def _is_progress_bar(output: dict[str, Any]) -> bool:
    return PROGRESS_MARK.items() <= output.get("metadata", {}).items()


def _states(notebook: dict[str, Any]) -> _States:
    states: _States = notebook["metadata"].get("widgets", {}).get(_STATE, {}).get("state", {})
    return states


def _shown(notebook: dict[str, Any]) -> set[str]:
    """Return the ids of the widgets in the outputs of the cells."""
    shown = set()
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            view = output.get("data", {}).get(WIDGET_VIEW)
            if view:
                shown.add(view["model_id"])
    return shown


def _with_references(names: Iterable[str], states: _States) -> set[str]:
    """Return these widgets of `states` and the ones that they refer to, such as their layout."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name in states and name not in found:
            found.add(name)
            waiting.extend(_REFERENCE.findall(json.dumps(states[name])))
    return found


def _not_shown_now(old: _States, known: _States, shown: set[str]) -> set[str]:
    """Return the widgets of labkit in the file for which no cell shows another one."""
    shown_things = {_thing(known[name]) for name in shown if name in known}
    names = {}
    for name, state in old.items():
        if _is_ours(state) and _thing(state) not in shown_things:
            names[_thing(state)] = name  # of several for the same thing, the last one
    return set(names.values())


def _thing(state: dict[str, Any]) -> str:
    """Return what tells a question, or a set of sliders, from others."""
    values = state.get("state", {})
    parts = [values.get(name) for name in ("_anywidget_id", "question", "ends", "settings")]
    return json.dumps(parts)


def _is_ours(state: dict[str, Any]) -> bool:
    return str(state.get("state", {}).get("_anywidget_id", "")).startswith("labkit.")
