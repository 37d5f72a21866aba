"""Copy the notebooks of the course into the learner's folder, and keep these copies current.

Nothing that the learner has written or run there is lost.
"""

import hashlib
import itertools
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat

from .files import write_atomically
from .learners_copy import (
    Sections,
    common_part,
    fingerprint,
    has_results,
    make_copy,
    move_results,
    move_trust,
    read_copy,
    sections_of,
    what_changed,
)

# The notebooks of this course.
COURSE = Path(__file__).resolve().parents[2] / "notebooks"
# In the workspace it is the start page, which start_page.py writes.
START_PAGE = "README.md"
# In the workspace: what was written there, and what the last update changed.
RECORD = ".labkit.json"
PAGES_AND_IMAGES = {".md", ".png", ".svg", ".jpg", ".jpeg", ".gif", ".webp"}

NEW = "new"
RENEWED = "renewed"
UP_TO_DATE = "up to date"
KEPT = "kept with your changes"
UNREADABLE = "kept, though it cannot be read"
GONE = "no longer in the course"
# A lesson took the place of one that is gone if it has at least this part of its cells. All lessons
# have some headings and the cells of their set-up in common.
COMMON_PART = 0.25


@dataclass(frozen=True)
class Change:
    """What an update did to one file of the workspace.

    Attributes
    ----------
    name : str
        The file, relative to the workspace and with slashes.
    what : str
        One of the constants above, such as `RENEWED`.
    details : str
        What changed in it, and where the learner's version is.
    is_begun : bool
        Whether the learner had written or run something in it.
    """

    name: str
    what: str
    details: str = ""
    is_begun: bool = False

    @property
    def is_news(self) -> bool:
        """Whether the learner should know it; not so for a kept copy without a newer version."""
        if self.what == KEPT:
            return bool(self.details)
        return self.what != UP_TO_DATE

    def __str__(self) -> str:
        sentence = f"{self.name}: {self.what}"
        if self.details:
            sentence += f"; {self.details}"
        return sentence


@dataclass(frozen=True)
class Written:
    """The fingerprint of a file as it was written, and the cells of a notebook by section."""

    fingerprint: str
    sections: Sections = field(default_factory=dict)


@dataclass
class Record:
    """What the workspace remembers from one update to the next.

    Attributes
    ----------
    files : dict
        What was written to each file.
    news, other_news : list of str
        What the last update changed, one sentence per file: those in which the learner had written
        or run something, and the others.
    """

    files: dict[str, Written]
    news: list[str]
    other_news: list[str]


# ---- the whole workspace ----


def lessons(source: Path) -> list[str]:
    """Return the file names of the lessons in a folder, in order, or raise FileNotFoundError."""
    names = sorted(path.name for path in source.glob("[0-9][0-9]_*.ipynb"))
    if not names:
        raise FileNotFoundError(
            f"No lessons in {source}. Run this from a complete copy of the course: clone it again."
        )
    return names


def notebooks(source: Path) -> list[str]:
    """Return the names of all notebooks, with slashes: the lessons, then those in subfolders."""
    names = _names_below(source, {".ipynb"})
    return lessons(source) + [name for name in names if "/" in name]


def make_workspace(source: Path, workspace: Path) -> list[Change]:
    """Write the learner's copy of each notebook, page and image; return what changed.

    A copy in which the learner changed text is kept. A copy that was only run is renewed with the
    course: the results stay in the cells that are the same, and where some would be lost, the
    version that was run is kept beside it. The first time there are no changes. ValueError is
    raised when a notebook of the course cannot be read.
    """
    names = notebooks(source)
    workspace.mkdir(parents=True, exist_ok=True)
    record = read_record(workspace)
    is_first_time = not record.files

    changes = []
    for name in names:
        changes.append(_update_notebook(source, workspace, name, record))
    for name in _names_below(source, PAGES_AND_IMAGES):
        if name == START_PAGE:
            continue
        change = _update_page(source / name, workspace / name, name, record)
        if change.what in (KEPT, UNREADABLE):
            changes.append(change)
    changes.extend(_removed_notebooks(workspace, names, record))

    if is_first_time:
        changes = [change for change in changes if change.what != NEW]
    changes = [change for change in changes if change.is_news]
    record.news = [str(change) for change in changes if change.is_begun]
    record.other_news = [str(change) for change in changes if not change.is_begun]
    _write_record(workspace / RECORD, record)
    return changes


def set_aside(workspace: Path, name: str) -> str | None:
    """Rename the learner's copy of a notebook, so that `make_workspace` writes a fresh one.

    Return the new name, such as ``02_direct_call_loop.mine.ipynb``, which no file had before; None
    if there was no copy.
    """
    copy = workspace / name
    if not copy.exists():
        return None
    free = free_name_beside(copy)
    copy.rename(free)
    return free.relative_to(workspace).as_posix()


def free_name_beside(path: Path) -> Path:
    """Return the path for the learner's version of a file; no file has it yet."""
    free = path.with_name(f"{path.stem}.mine{path.suffix}")
    for number in itertools.count(2):
        if not _is_taken(free):
            break
        free = path.with_name(f"{path.stem}.mine-{number}{path.suffix}")
    return free


def short_name(name: str) -> str:
    """Return what a learner types to name a notebook: the number of a lesson, or its name."""
    stem = name.removesuffix(".ipynb")
    number = stem.partition("_")[0]
    return number if number.isdecimal() else stem


# ---- one file ----


def _update_notebook(source: Path, workspace: Path, name: str, record: Record) -> Change:
    """Write the learner's copy of one notebook if it may be written."""
    copy = workspace / name
    notebook = make_copy(source / name)
    current = Written(fingerprint(notebook), sections_of(notebook))
    before = record.files.get(name)
    mine = read_copy(copy)
    fresh = f"for a fresh one beside it: python -m labkit lab --fresh {short_name(name)}"
    if mine is None and _is_taken(copy):
        return Change(name, UNREADABLE, fresh, is_begun=True)

    found = None if mine is None else fingerprint(mine)
    what = _what_to_do(current, found, before)
    if what == KEPT and (before is None or before.fingerprint != current.fingerprint):
        details = f"{_newer_version(before, current)}; {fresh}"
        return Change(name, KEPT, details, is_begun=True)
    details = ""
    if what == NEW:
        copy.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(copy, nbformat.writes(notebook) + "\n")
    elif what == RENEWED:
        details = _renew(copy, mine, notebook)
    record.files[name] = current
    return Change(name, what, details, is_begun=_was_run(mine))


def _newer_version(before: Written | None, current: Written) -> str:
    sentence = "the course has a newer version"
    if before is not None and before.sections:
        sentence += f" ({what_changed(before.sections, current.sections)})"
    return sentence


def _renew(copy: Path, mine: Any, notebook: nbformat.NotebookNode) -> str:
    """Replace a copy without the learner's text; return what changed and what became of results."""
    details = [what_changed(sections_of(mine), sections_of(notebook))]
    left_out = move_results(mine, notebook)
    if left_out:
        beside = free_name_beside(copy)
        write_atomically(beside, copy.read_bytes())
        details.append(f"the version that you ran is now {beside.name}")
    elif _was_run(mine):
        details.append("your results are still in it")
    if _was_run(mine):
        move_trust(copy, notebook)
    write_atomically(copy, nbformat.writes(notebook) + "\n")
    return "; ".join(details)


def _update_page(original: Path, copy: Path, name: str, record: Record) -> Change:
    """Write the learner's copy of a page or image if it may be written."""
    content = original.read_bytes()
    current = Written(hashlib.sha256(content).hexdigest())
    before = record.files.get(name)
    try:
        found = hashlib.sha256(copy.read_bytes()).hexdigest()
    except OSError:
        found = None
    if found is None and _is_taken(copy):
        return Change(name, UNREADABLE, is_begun=True)
    what = _what_to_do(current, found, before)
    if what == KEPT and before != current:
        details = "the course has a newer version: rename yours to get it"
        return Change(name, KEPT, details, is_begun=True)
    if what in (NEW, RENEWED):
        copy.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(copy, content)
    record.files[name] = current
    return Change(name, what)


def _what_to_do(current: Written, found: str | None, before: Written | None) -> str:
    """Compare the course's file, the fingerprint of the learner's, and what was written before."""
    if found is None:
        return NEW
    if found == current.fingerprint:
        return UP_TO_DATE
    if before is not None and found == before.fingerprint:
        return RENEWED
    return KEPT


# ---- notebooks that the course had once ----


def _removed_notebooks(workspace: Path, names: list[str], record: Record) -> list[Change]:
    """Remove the copies of notebooks that are gone, unless the learner worked in them."""
    changes = []
    for name in sorted(record.files):
        if not name.endswith(".ipynb") or name in names:
            continue
        written = record.files[name]
        mine = read_copy(workspace / name)
        was_deleted = mine is None and not _is_taken(workspace / name)
        if was_deleted or _is_untouched(mine, written):
            (workspace / name).unlink(missing_ok=True)
            del record.files[name]
        if was_deleted:
            continue
        is_begun = name in record.files
        details = "yours stays" if is_begun else "you had not begun it"
        details += _successors(name, names, record, written)
        changes.append(Change(name, GONE, details, is_begun))
    return changes


def _is_untouched(mine: Any, written: Written) -> bool:
    """Return whether a copy holds nothing but what was written."""
    if mine is None or fingerprint(mine) != written.fingerprint:
        return False
    return not _was_run(mine)


def _was_run(notebook: Any) -> bool:
    """Return whether a copy holds results; a copy that does not exist holds none."""
    return notebook is not None and any(has_results(cell) for cell in notebook["cells"])


def _successors(gone: str, names: list[str], record: Record, written: Written) -> str:
    """Return which notebooks took the place of one that is gone; nothing if that is not known."""
    found = []
    subject = gone.partition("_")[2]
    for name in names:
        if subject and name.partition("_")[2] == subject:
            found.append(name)
    if not found:
        found = _most_alike(names, record, written)
    if not found:
        return ""
    verb = "takes" if len(found) == 1 else "take"
    return f"; {' and '.join(found)} {verb} its place"


def _most_alike(names: list[str], record: Record, written: Written) -> list[str]:
    """Return the one or two notebooks that have most of the cells of one that is gone."""
    parts = {}
    for name in names:
        if name in record.files:
            parts[name] = common_part(written.sections, record.files[name].sections)
    in_order = sorted(parts, key=lambda name: -parts[name])
    return [name for name in in_order[:2] if parts[name] >= COMMON_PART]


# ---- files ----


def _is_taken(path: Path) -> bool:
    """Return whether something has this name, even if it is a link to a file that is gone."""
    return path.exists() or path.is_symlink()


def _names_below(folder: Path, suffixes: set[str]) -> list[str]:
    """Return the files with these suffixes, with slashes; none of them or their folders hidden."""
    names = []
    for path in folder.rglob("*"):
        inside = path.relative_to(folder)
        is_hidden = any(part.startswith(".") for part in inside.parts)
        if path.suffix.lower() in suffixes and not is_hidden:
            names.append(inside.as_posix())
    return sorted(names)


def read_record(workspace: Path) -> Record:
    """Return the record of the last update; an empty one if it is missing or damaged.

    Every file that differs from the course's then counts as changed by the learner, and is kept.
    """
    try:
        content = json.loads((workspace / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return Record({}, [], [])
    if not isinstance(content, dict):
        return Record({}, [], [])
    # Workspaces of earlier versions hold nothing but a fingerprint for each file.
    entries = content.get("files", content)
    files = {}
    if isinstance(entries, dict):
        for name, entry in entries.items():
            if isinstance(entry, str):
                files[name] = Written(entry)
            elif isinstance(entry, dict) and isinstance(entry.get("fingerprint"), str):
                files[name] = Written(entry["fingerprint"], _read_sections(entry))
    news = _only_texts(content.get("news"))
    return Record(files, news, _only_texts(content.get("other_news")))


def _read_sections(entry: dict[str, Any]) -> Sections:
    sections = entry.get("sections")
    if not isinstance(sections, dict):
        return {}
    return {title: _only_texts(cells) for title, cells in sections.items()}


def _only_texts(value: Any) -> list[str]:
    """Return the texts of a list; none if it is something else."""
    if not isinstance(value, list):
        return []
    return [item for item in value if isinstance(item, str)]


def _write_record(path: Path, record: Record) -> None:
    """Write the record if it has changed, so that a start without an update needs no disk space."""
    files = {}
    for name, written in sorted(record.files.items()):
        files[name] = {"fingerprint": written.fingerprint, "sections": written.sections}
    content = {"files": files, "news": record.news, "other_news": record.other_news}
    text = json.dumps(content, indent=1) + "\n"
    try:
        before = path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        before = ""
    if text != before:
        write_atomically(path, text)
