"""Copy the lessons into the learner's folder, without outputs and solutions.

What the learner has written there is never overwritten.
"""

import hashlib
import itertools
import json
from pathlib import Path
from typing import Any

import nbformat
from nbconvert.preprocessors import ClearOutputPreprocessor, TagRemovePreprocessor

from .files import write_atomically

# In the workspace: the fingerprint of each file as it was written there.
RECORD = ".labkit.json"
NEW = "new"
RENEWED = "renewed"
UP_TO_DATE = "up to date"
KEPT = "kept with your changes"
IMAGES = {".png", ".svg", ".jpg", ".jpeg", ".gif", ".webp"}


def lessons(source: Path) -> list[str]:
    """Return the file names of the lessons in a folder, in order, or raise FileNotFoundError."""
    names = sorted(path.name for path in source.glob("[0-9][0-9]_*.ipynb"))
    if not names:
        raise FileNotFoundError(
            f"No lessons in {source}. Run this from a complete copy of the course: clone it again."
        )
    return names


def make_workspace(source: Path, workspace: Path) -> list[tuple[str, str]]:
    """Write the learner's copy of each lesson, page and image, unless the learner has changed it.

    Return what happened to each lesson: `NEW`, `RENEWED`, `UP_TO_DATE`, or a phrase that begins
    with ``kept``; then the same for each page and image that was kept.

    A lesson counts as changed when the text of its cells differs from what was written; outputs and
    empty cells do not count. Pages are the ``.md`` files beside the lessons, images lie in
    subfolders. ValueError is raised when a lesson of the course cannot be read.
    """
    names = lessons(source)
    workspace.mkdir(parents=True, exist_ok=True)
    record = _read_record(workspace / RECORD)
    happened = []
    for name in names:
        happened.append((name, _update_lesson(source / name, workspace / name, record)))
    for path in _pages_and_images(source):
        name = path.relative_to(source).as_posix()
        what = _update_page(path, workspace / name, name, record)
        if what.startswith("kept"):
            happened.append((name, what))
    write_atomically(workspace / RECORD, json.dumps(record, indent=1) + "\n")
    return happened


def set_aside(workspace: Path, name: str) -> str | None:
    """Rename the learner's copy of a lesson, so that `make_workspace` writes a fresh one.

    Return the new name, such as ``02_direct_call_loop.mine.ipynb``, which no file had before; None
    if there was no copy.
    """
    copy = workspace / name
    if not copy.exists():
        return None
    free = copy.with_name(f"{copy.stem}.mine.ipynb")
    for number in itertools.count(2):
        if not _is_taken(free):
            break
        free = copy.with_name(f"{copy.stem}.mine-{number}.ipynb")
    copy.rename(free)
    return free.name


def _update_lesson(original: Path, copy: Path, record: dict[str, str]) -> str:
    """Write the learner's copy of one lesson if it may be written; return what happened."""
    notebook = _learners_copy(original)
    current = _fingerprint(notebook)
    found = _fingerprint_of_file(copy)
    fresh = f"for a fresh one beside it: python -m labkit lab --fresh {copy.name[:2]}"
    if found is None and _is_taken(copy):
        return f"kept, though it is not a readable notebook; {fresh}"
    what = _what_to_do(current, found, record.get(copy.name))
    if what == KEPT and record.get(copy.name) != current:
        return f"{KEPT}; the course has a newer version, {fresh}"
    if what in (NEW, RENEWED):
        write_atomically(copy, nbformat.writes(notebook) + "\n")
    record[copy.name] = current
    return what


def _update_page(original: Path, copy: Path, name: str, record: dict[str, str]) -> str:
    """Write the learner's copy of a page or image if it may be written; return what happened."""
    content = original.read_bytes()
    current = hashlib.sha256(content).hexdigest()
    try:
        found = hashlib.sha256(copy.read_bytes()).hexdigest()
    except OSError:
        found = None
    if found is None and _is_taken(copy):
        return "kept, though it cannot be read"
    what = _what_to_do(current, found, record.get(name))
    if what == KEPT and record.get(name) != current:
        return f"{KEPT}; the course has a newer version: rename yours to get it"
    if what in (NEW, RENEWED):
        copy.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(copy, content)
    record[name] = current
    return what


def _what_to_do(current: str, found: str | None, written: str | None) -> str:
    """Compare the fingerprints of the course's file, of the learner's, and of what was written."""
    if found is None:
        return NEW
    if found == current:
        return UP_TO_DATE
    if found == written:
        return RENEWED
    return KEPT


def _is_taken(path: Path) -> bool:
    """Whether something has this name, even if it is a link to a file that is gone."""
    return path.exists() or path.is_symlink()


def _pages_and_images(source: Path) -> list[Path]:
    images = [path for path in source.glob("*/**/*") if path.suffix.lower() in IMAGES]
    return [*source.glob("*.md"), *images]


def _learners_copy(path: Path) -> nbformat.NotebookNode:
    """Return a lesson without its outputs and its solutions."""
    try:
        notebook = nbformat.read(path, as_version=4)
    except (ValueError, KeyError, AttributeError) as error:
        raise ValueError(
            f"{path} is not a readable notebook. Get the course's own: git checkout {path}"
        ) from error
    without_solutions = TagRemovePreprocessor(remove_cell_tags=["solution"])
    notebook, _ = without_solutions.preprocess(notebook, {})
    notebook, _ = ClearOutputPreprocessor().preprocess(notebook, {})
    return notebook


def _fingerprint(notebook: Any) -> str:
    """Return a hash of the text of all cells that are not empty.

    Running the last cell with Shift-Enter adds an empty one.
    """
    texts = []
    for cell in notebook["cells"]:
        text = "".join(cell["source"])
        if text.strip():
            texts.append([cell["cell_type"], text])
    return hashlib.sha256(json.dumps(texts).encode()).hexdigest()


def _fingerprint_of_file(path: Path) -> str | None:
    """Return the fingerprint of the learner's copy; None if it is not a readable notebook."""
    # As plain JSON, because nbformat would repair what it reads.
    try:
        return _fingerprint(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None


def _read_record(path: Path) -> dict[str, str]:
    """Return the record; an empty one if it is missing or damaged.

    Every file that differs from the course's then counts as changed by the learner, and is kept.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}
