"""Gather what a learner hands in: the exercises that are passed, and the ratios that were measured.

The ratios come from the learner's own copies of the lessons, as they are on the page: the captions
of the figures that compare candidates, and the picture of what one row costs.
"""

import contextlib
import re
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..measure.system import machine_facts
from .exercises.record import PASSED, read_states, record_file
from .files import write_atomically
from .handed_in import HAND_IN, new_content, number
from .learners_copy import has_results, read_copy, text_of
from .workspace import lessons

_ID_FILE = ".labkit-hand-in"  # in the workspace: a random number, the same in all files from there
_ID = re.compile(r"[0-9a-f]{32}")

_NUMBER = r"≈([\d.,]+)"
# "fast takes ≈0.188× [0.177, 0.196] the time of slow", the caption of a figure of ratios.
_TAKES = re.compile(
    rf"(?P<name>.+?) takes {_NUMBER}×(?: \[([\d.,]+|\?), ([\d.,]+|\?)\])? the time of (?P<than>.+)"
)
# "predict costs ≈59.0× as much as tf.function", the end of the caption of what one row costs.
_COSTS = re.compile(rf"(?P<name>.+?) costs {_NUMBER}× as much as (?P<than>.+)")
_BEGINNING_OF_ROUNDS = "Ratio round by round: in the median, "
_BEGINNING_OF_COSTS = "What one row costs now: "
# What may follow the ratios in a caption.
_END = re.compile(r"\.(?: So .+| The guess was .+)?$")
_MOST_LETTERS = 2_000  # of a caption


@dataclass(frozen=True)
class Ratio:
    """A ratio that a figure of a lesson shows.

    Attributes
    ----------
    lesson, cell, section : str
        Number of the lesson, id of the cell, and the heading above it.
    name, than : str
        What takes this many times as long as what.
    value : float
        The ratio.
    low, high : float or None
        Its interval, where the figure gives one.
    """

    lesson: str
    cell: str
    section: str
    name: str
    than: str
    value: float
    low: float | None = None
    high: float | None = None


def gather(workspace: Path, name: str = "") -> dict[str, Any]:
    """Return what a learner hands in; no name but the typed one, and no folder."""
    if not list(workspace.glob("[0-9][0-9]_*.ipynb")):
        raise ValueError(
            f"there are no lessons of yours in {workspace}: python -m labkit lab makes and opens "
            "them"
        )
    states = read_states(record_file(workspace))
    begun = []
    ratios = []
    for file in lessons(workspace):
        copy = read_copy(workspace / file)
        if copy is not None and any(has_results(cell) for cell in copy["cells"]):
            begun.append(file[:2])
            ratios += ratios_of(file[:2], copy)
    content = new_content(HAND_IN, name)
    content |= {
        "id": _id_of(workspace),
        "machine": machine_facts(),
        "begun": begun,
        "exercises": dict(sorted(states.items())),
        "ratios": [asdict(ratio) for ratio in ratios],
    }
    return content


def in_words(content: dict[str, Any]) -> str:
    """Return what a file holds as a sentence, for the learner who hands it in."""
    passed = sum(state == PASSED for state in content["exercises"].values())
    exercises = "1 exercise passed" if passed == 1 else f"{passed} exercises passed"
    count = len(content["ratios"])
    ratios = "1 measured ratio" if count == 1 else f"{count} measured ratios"
    begun = ", ".join(content["begun"]) or "none"
    whose = content["name"] or "no name"
    return f"{whose}: {exercises}, {ratios}, lessons with results: {begun}, facts on this machine"


def _id_of(workspace: Path) -> str:
    """Return a random number by which two files from one workspace are known as one learner's."""
    path = workspace / _ID_FILE
    with contextlib.suppress(OSError, ValueError):
        kept = path.read_text(encoding="ascii").strip()
        if _ID.fullmatch(kept):
            return kept
    fresh = uuid.uuid4().hex
    with contextlib.suppress(OSError):  # a full disk: then the two files count as two learners'
        write_atomically(path, fresh + "\n")
    return fresh


# ---- the ratios on a page ----


def ratios_of(lesson: str, notebook: dict[str, Any]) -> list[Ratio]:
    """Return the ratios that the figures of a notebook show, each once."""
    found: dict[tuple[str, str, str], Ratio] = {}
    section = ""
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            heading = re.match(r"##+\s+(.*)", text_of(cell))
            section = heading[1].strip() if heading else section
        for caption in _captions(cell):
            for name, than, numbers in ratios_in(caption):
                value, low, high = numbers
                id = str(cell.get("id", ""))
                ratio = Ratio(lesson, id, section, name, than, value, low, high)
                found[id, name, than] = ratio
    return list(found.values())


def _captions(cell: Any) -> list[str]:
    """Return the texts of the results of a cell."""
    texts = []
    outputs = cell.get("outputs")
    for output in outputs if isinstance(outputs, list) else []:
        data = output.get("data") if isinstance(output, dict) else None
        text = data.get("text/plain") if isinstance(data, dict) else None
        if isinstance(text, list):
            text = "".join(str(line) for line in text)
        if isinstance(text, str) and len(text) <= _MOST_LETTERS:
            texts.append(text.strip())
    return texts


def ratios_in(caption: str) -> list[tuple[str, str, tuple[float, float | None, float | None]]]:
    """Return the ratios that the caption of a figure gives: what, than what, and the numbers.

    >>> ratios_in("b takes ≈0.5× [0.4, 0.6] the time of a. So a takes ≈2.00× the time of b.")
    [('b', 'a', (0.5, 0.4, 0.6))]
    """
    if "\n" in caption:  # a table, or sliders
        return []
    if caption.startswith(_BEGINNING_OF_COSTS):
        sentences = [caption.removesuffix(".").rpartition(". ")[2]]
        pattern = _COSTS
    else:
        caption = caption.removeprefix(_BEGINNING_OF_ROUNDS)
        sentences = _END.sub("", caption).split("; ")
        pattern = _TAKES
    found = []
    for sentence in sentences:
        match = pattern.fullmatch(sentence)
        value = _number(match[2]) if match else None
        if match and value:
            ends = match.groups()[2:4] if pattern is _TAKES else (None, None)
            low, high = (_number(end) for end in ends)
            found.append((match["name"], match["than"], (value, low, high)))
    return found


def _number(text: str | None) -> float | None:
    """Return a number of a caption; None for ?, which stands for what is not known."""
    try:
        return number(float((text or "").replace(",", "")), least=1e-9)
    except ValueError:
        return None
