"""Write the small files that people hand in, and read a whole folder of them.

Such a file is JSON, and says what it is: its kind and the version of its format. A folder of them
holds damaged, old, empty and foreign files as well: each of those is named, and the rest is read.
"""

import datetime
import json
import math
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .files import write_atomically

LAPTOP = "labkit laptop"
HAND_IN = "labkit hand-in"
VERSION = 1  # of both formats; a change that breaks a reader makes it larger

# A Python that is too old for the course writes a report that says so.
_UTC = datetime.timezone.utc  # noqa: UP017
MOST_BYTES = 1_000_000  # a hundred times what one has
MOST_FILES = 2_000
MOST_LETTERS = 60  # of a name, wherever it comes from

_WHAT_READS_IT = {
    LAPTOP: "a report of a laptop: python -m labkit doctor --collect FOLDER reads it",
    HAND_IN: "the results of a learner: python -m labkit room FOLDER reads it",
}


class Damaged(ValueError):
    """A file that cannot be used; the text says why and follows the name of the file."""


@dataclass(frozen=True)
class HandedIn:
    """One file that could be read.

    Attributes
    ----------
    file : str
        Its name below the folder, with slashes, as one line.
    name : str
        What the learner typed as a name, or the name of the file without its ending.
    written : str
        When, in UTC, as ISO 8601 has it; texts in the order of time.
    content : dict
        All of it.
    """

    file: str
    name: str
    written: str
    content: dict[str, Any]


@dataclass
class Folder:
    """What a folder holds.

    Attributes
    ----------
    read : list of HandedIn
        The files that count, by name.
    skipped : list of str
        One sentence for each other file: its name, and why it does not count.
    """

    read: list[HandedIn] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)


# ---- writing ----


def new_content(kind: str, name: str) -> dict[str, Any]:
    """Return what both formats begin with."""
    now = datetime.datetime.now(_UTC).isoformat(timespec="seconds")
    return {"kind": kind, "version": VERSION, "name": one_line(name), "written": now}


def check_target(path: Path, force: bool) -> None:
    """Raise ValueError or OSError if no file may be written there."""
    if path.is_dir():
        raise ValueError(f"{path} is a folder: give the name of a file, such as {path / 'me.json'}")
    if not path.parent.is_dir():
        raise ValueError(f"there is no folder {path.parent}: make it first")
    if (path.exists() or path.is_symlink()) and not force:
        raise ValueError(f"{path} exists: give another name, or --force to replace it")
    if not os.access(path.parent, os.W_OK):
        raise ValueError(f"nothing can be written to the folder {path.parent}: give another one")


def write(path: Path, content: dict[str, Any]) -> None:
    """Write a file to hand in, as a whole or not at all."""
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    write_atomically(path, text + "\n")


# ---- reading ----


def read_folder(folder: Path, kind: str) -> Folder:
    """Read all files of one kind in a folder and the folders below it.

    A learning platform gives a folder to each learner. Hidden files are left out, as the system has
    made them.
    """
    found = Folder()
    for path in _files_below(folder):
        name = one_line(path.relative_to(folder).as_posix(), most=2 * MOST_LETTERS)
        try:
            found.read.append(_read(path, name, kind))
        except Damaged as error:
            found.skipped.append(f"{name} {error}")
    found.read.sort(key=lambda one: (one.name.casefold(), one.written, one.file))
    return found


def _files_below(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise ValueError(f"there is no folder {folder}: give the one that holds the files")
    paths = []
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        paths += [Path(place, name) for name in sorted(names) if not name.startswith(".")]
        if len(paths) > MOST_FILES:
            raise ValueError(
                f"{folder} holds more than {MOST_FILES:,} files: give the folder that holds "
                "nothing but what was handed in"
            )
    return paths


def _read(path: Path, name: str, kind: str) -> HandedIn:
    """Return a file of this kind, or raise Damaged."""
    content = _read_json(path)
    if not isinstance(content, dict) or not isinstance(content.get("kind"), str):
        raise Damaged("is something else than a file of labkit")
    if content["kind"] != kind:
        is_ = _WHAT_READS_IT.get(content["kind"], "of another kind")
        raise Damaged(f"is {is_}")
    version = content.get("version")
    if not isinstance(version, int) or version < 1:
        raise Damaged("does not say which version of the format it has: ask for a new one")
    if version > VERSION:
        raise Damaged("comes from a newer version of the course: update yours to read it")
    typed = one_line(content.get("name", ""))
    return HandedIn(name, typed or one_line(_stem(name)), _time(content.get("written")), content)


def _read_json(path: Path) -> Any:
    try:
        if not path.is_file():
            raise Damaged("is not a plain file")
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise Damaged(f"has {size / 1e6:,.0f} MB, and such a file has less than 1 MB")
        data = path.read_bytes()
    except OSError as error:
        raise Damaged(f"cannot be read: {error.strerror or error}") from error
    if not data.strip():
        raise Damaged("is empty: ask for it again")
    try:
        return json.loads(data)  # in UTF-8, or UTF-16 as some editors and shells save it
    except (ValueError, RecursionError) as error:
        if data.startswith(b"PK"):
            raise Damaged("is an archive: unpack it into the folder") from error
        if data.lstrip().startswith((b"{", b"[")):
            raise Damaged("is damaged, its end may be missing: ask for it again") from error
        raise Damaged("is something else than a file of labkit") from error


def _stem(name: str) -> str:
    return name.removesuffix(".json").removesuffix(".txt") or name


def _time(value: Any) -> str:
    """Return a time in UTC, so that texts sort as times do; empty if it is none."""
    try:
        time = datetime.datetime.fromisoformat(value)
        return time.astimezone(_UTC).isoformat(timespec="seconds")
    except (TypeError, ValueError, OverflowError):
        return ""


# ---- values that others have written ----


def one_line(text: Any, most: int = MOST_LETTERS) -> str:
    r"""Return text that somebody else wrote as one short line without control characters.

    A terminal obeys control characters, and some turn the direction of the text after them.

    >>> one_line("Ann\x1b[2J\nLee"), one_line(None)
    ('Ann [2J Lee', '')
    """
    if not isinstance(text, str):
        return ""
    shown = "".join(letter if letter.isprintable() else " " for letter in text[: 20 * most])
    line = " ".join(shown.split())
    return line if len(line) <= most else f"{line[: most - 1].rstrip()}…"


def number(value: Any, least: float = 0.0, most: float = 1e9) -> float | None:
    """Return a number between two limits; None for anything else, such as NaN.

    >>> number(0.5), number(float("nan")), number("0.5"), number(True)
    (0.5, None, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        is_inside = math.isfinite(value) and least <= value <= most
    except OverflowError:  # a whole number of more digits than a float has
        return None
    return float(value) if is_inside else None


def texts(value: Any, most: int = 200) -> dict[str, str]:
    """Return the entries of a dict that are text, as lines."""
    if not isinstance(value, dict):
        return {}
    kept = {}
    for key, text in list(value.items())[:50]:
        if isinstance(text, str):
            kept[one_line(key)] = one_line(text, most)
    return kept


def newest_of_each(found: Folder, identity: Any) -> Folder:
    """Keep the newest file of each learner; the others are named among the skipped.

    `identity` takes a file and returns what tells one learner from another.
    """
    newest: dict[Any, HandedIn] = {}
    skipped = list(found.skipped)
    for one in sorted(found.read, key=lambda one: (one.written, one.file)):
        older = newest.get(identity(one))
        if older is not None:
            skipped.append(f"{older.file} is older than {one.file}, of the same learner")
        newest[identity(one)] = one
    kept = [one for one in found.read if newest[identity(one)] is one]
    return Folder(kept, skipped)


def named_apart(read: list[HandedIn]) -> dict[str, str]:
    """Return a name for each file: two people of one name get the name of their file as well."""
    counts: dict[str, int] = {}
    for one in read:
        counts[one.name.casefold()] = counts.get(one.name.casefold(), 0) + 1
    names = {}
    for one in read:
        is_alone = counts[one.name.casefold()] == 1
        names[one.file] = one.name if is_alone else f"{one.name} ({one.file})"
    return names
