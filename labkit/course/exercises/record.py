"""The record of what was passed: a file on this machine, which outlives a new numbering."""

import json
import os
from pathlib import Path
from typing import Any

from ..files import write_atomically

PASSED = "passed"
NOT_YET = "not yet"
_FILE_NAME = "progress.json"

_NUMBERING_KEY = "numbering"
_NUMBERING = 2
# Numbers of the exercises in records of the first numbering, which do not name it: a lesson as a
# whole, and exercises that went elsewhere. An exercise that is gone has no number.
_LESSONS_OF_THE_FIRST = {
    "04": "05",
    "05": "07",
    "06": "08",
    "07": "09",
    "08": "10",
    "09": "11",
    "10": "13",
    "11": "16",
}
_EXERCISES_OF_THE_FIRST: dict[str, str | None] = {
    "01.1": None,
    "01.2": "01.1",
    "01.3": "01.2",
    "01.4": "01.3",
    "03.3": "04.2",
    "03.4": "04.3",
    "04.1": "06.1",
    "04.2": "06.2",
    "04.3": "05.3",
    "04.4": "05.4",
    "05.3": "07.4",
    "05.4": None,
    "07.4": None,
    "07.5": None,
    "07.6": None,
    "07.7": "09.4",
    "08.3": None,
    "09.2": "12.1",
    "09.3": None,  # its pauses have a limit now
    "09.4": "11.3",
    "10.2": None,
    "10.3": "14.2",
    "10.4": None,  # its callers keep errors apart now
    "11.3": None,
}


def record_file(folder: Path) -> Path:
    """Return the file of the record: in the folder that ``LABKIT_HOME`` names, or in this one."""
    return Path(os.environ.get("LABKIT_HOME") or folder) / _FILE_NAME


def read_states(path: Path) -> dict[str, str]:
    """Return the recorded states by the numbers of today; none if there is no readable record."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):  # no record, or something else in its file
        return {}
    if not isinstance(content, dict):
        return {}
    numbering = content.pop(_NUMBERING_KEY, 1)
    states = {}
    for id, state in content.items():
        number = _renumbered(id) if numbering == 1 else id
        if number and state in (PASSED, NOT_YET):
            states[number] = state
    return states


def _renumbered(id: str) -> str | None:
    """Return today's number of an exercise of the first numbering."""
    if id in _EXERCISES_OF_THE_FIRST:
        return _EXERCISES_OF_THE_FIRST[id]
    lesson, dot, exercise = id.partition(".")
    return _LESSONS_OF_THE_FIRST.get(lesson, lesson) + dot + exercise


def write_states(path: Path, states: dict[str, str]) -> None:
    """Write the states, whole or not at all; the folder is made if it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content: dict[str, Any] = {_NUMBERING_KEY: _NUMBERING, **states}
    write_atomically(path, json.dumps(content, indent=1, sort_keys=True))
