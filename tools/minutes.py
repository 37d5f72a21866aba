"""How long a lesson takes: a sum over what a reader reads, runs, looks at and writes.

The rates are those of adults who read a text with code in it, slowly rather than fast. A lesson
states this number rounded to 5; the contract holds it.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

WORDS_A_MINUTE = 200
LINES_A_MINUTE = 20
PICTURE = 0.5  # minutes; the same for a guess
EXPLORE = 3.0
EXERCISE = 5.0  # a stretch exercise is extra, and not counted

_GUESS = re.compile(r"\blab\.guess\(")
_EXPLORE = re.compile(r"\blab\.explore\(")
_CODE_IN_TEXT = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
_TARGET = re.compile(r"(!?\[[^\]]*\])\([^)]*\)")
_TAG = re.compile(r"<!--.*?-->|<[^>]+>", re.DOTALL)


def minutes(cells: Iterable[Mapping[str, Any]]) -> float:
    """Return the minutes that the cells of a lesson take, from its sources and stored outputs."""
    total = 0.0
    for cell in cells:
        if cell["cell_type"] == "markdown":
            total += words(_text(cell["source"])) / WORDS_A_MINUTE
            total += PICTURE * _text(cell["source"]).count("![")
        elif cell["cell_type"] == "code":
            total += _minutes_of_code(cell)
    return total


def words(text: str) -> int:
    """Return the number of words that a reader sees of a text in Markdown."""
    text = _CODE_IN_TEXT.sub(" ", text)
    text = _TARGET.sub(r"\1", text)
    text = _TAG.sub(" ", text)
    return len(re.findall(r"\w[\w'’-]*", text))


def _minutes_of_code(cell: Mapping[str, Any]) -> float:
    """Return the minutes of a code cell with its pictures; what is collapsed is not read."""
    metadata = cell["metadata"]
    tags = metadata.get("tags", [])
    source = _text(cell["source"])
    total = 0.0
    if not metadata.get("jupyter", {}).get("source_hidden"):
        lines = [line for line in source.splitlines() if line.strip()]
        total += len(lines) / LINES_A_MINUTE
    if "exercise" in tags and "stretch" not in tags:
        total += EXERCISE
    if _EXPLORE.search(source):
        return total + EXPLORE
    if _GUESS.search(source):
        return total + PICTURE
    return total + PICTURE * sum(_is_picture(output) for output in cell.get("outputs", []))


def _is_picture(output: Mapping[str, Any]) -> bool:
    data = output.get("data", {})
    return "image/png" in data or "<img" in _text(data.get("text/html", ""))


def _text(source: str | list[str]) -> str:
    return source if isinstance(source, str) else "".join(source)
