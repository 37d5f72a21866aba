"""Names and nouns as text: candidates in a figure, which can be long, lists and counts."""

from __future__ import annotations

import re
from collections.abc import Iterable

_CHARACTERS = 20  # in one line of a name, of average width
_LINES = 3
_NARROW = frozenset("fijlrtI.,:;'|!()[] ")
_WIDE = frozenset("MWmw@%")
# A name breaks after one of these and before a parenthesis, and anywhere if it has none.
_PIECE = re.compile(r"\(?[^\s_\-./,:;(]*[\s_\-./,:;]?")


def _width(text: str) -> float:
    """Return about how many characters of average width a text is wide."""
    total = 0.0
    for character in text:
        if character in _NARROW:
            total += 0.6
        elif character in _WIDE:
            total += 1.5
        elif character.isascii() and not character.isupper():
            total += 1
        else:
            total += 1.2
    return total


def wrapped(name: str, characters: int = _CHARACTERS, lines: int = _LINES) -> str:
    """Return a name in lines of about this many characters, with … for what is too long."""
    found = [""]
    for piece in _pieces(str(name), characters):
        if _width(found[-1] + piece.rstrip()) > characters:
            found.append("")
        found[-1] += piece
    if len(found) > lines:
        found = found[:lines]
        found[-1] = shortened(f"{found[-1].rstrip()}…", characters)
    return "\n".join(line.strip() for line in found).strip()


def _pieces(name: str, characters: int) -> list[str]:
    """Return the parts of a name that stay on one line."""
    pieces = []
    for piece in _PIECE.findall(name):
        part = ""
        for character in piece:
            if _width(part + character) > characters:
                pieces.append(part)
                part = ""
            part += character
        pieces.append(part)
    return pieces


def shortened(name: str, characters: int = 28) -> str:
    """Return a name on one line of about this many characters, with … for what is too long."""
    name = str(name)
    if _width(name) <= characters:
        return name
    kept = name.rstrip("…")
    while _width(f"{kept}…") > characters:
        kept = kept[:-1]
    return f"{kept.rstrip()}…"


def listed(names: Iterable[str]) -> str:
    """Return names as a list in words, with *and* before the last one."""
    *others, last = list(names) or ["nothing"]
    if not others:
        return last
    # With commas in the names, commas between them would be misread.
    has_commas = any("," in name for name in [*others, last])
    between = "; " if has_commas else ", "
    return f"{between.join(others)} and {last}"


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, in the plural unless there is one.

    >>> counted(1, "core"), counted(4, "core")
    ('1 core', '4 cores')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
