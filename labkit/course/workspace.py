"""The learner's edition of the lessons: no outputs, no solutions, and never a word of the learner's overwritten."""

import hashlib
import itertools
import json
import shutil
from pathlib import Path

import nbformat
from nbconvert.preprocessors import ClearOutputPreprocessor, TagRemovePreprocessor

from .files import write_atomically

RECORD = ".labkit.json"  # in the workspace: the fingerprint of each lesson as it was written there
NEW, RENEWED, UP_TO_DATE = "new", "renewed", "up to date"
PICTURES = {".png", ".svg", ".jpg", ".jpeg", ".gif", ".webp"}


def lessons(source: Path) -> list[str]:
    """Return the file names of the lessons in a folder, in order.

    Parameters
    ----------
    source : Path
        The course's folder ``notebooks``; `FileNotFoundError` is raised when it holds no lessons.

    Returns
    -------
    list of str
        Such as ``["00_start_here.ipynb", ...]``.
    """
    names = sorted(path.name for path in source.glob("[0-9][0-9]_*.ipynb"))
    if names:
        return names
    raise FileNotFoundError(
        f"No lessons in {source}. Run this from a complete copy of the course: clone it again."
    )


def make_workspace(source: Path, workspace: Path) -> list[tuple[str, str]]:
    """Write the learner's edition of each lesson, unless the learner has changed the one that is there.

    A lesson counts as changed when the text of its cells differs from what was written; outputs and empty cells
    do not count. Pages (``.md``) and pictures in subfolders of `source` are copied along.

    Parameters
    ----------
    source : Path
        The course's folder ``notebooks``. `ValueError` is raised when a lesson in it cannot be read.
    workspace : Path
        The learner's folder; made when it is missing.

    Returns
    -------
    list of (str, str)
        Each lesson and what happened to it: `NEW`, `RENEWED`, `UP_TO_DATE`, or a phrase that begins with ``kept``.
    """
    names = lessons(source)
    workspace.mkdir(parents=True, exist_ok=True)
    record, happened = _read_record(workspace / RECORD), []
    for name in names:
        edition, written, target = (
            _learners_edition(source / name),
            record.get(name),
            workspace / name,
        )
        current, found = _fingerprint(edition), _fingerprint_of_file(target)
        again = f"for a fresh one beside it: python -m labkit lab --fresh {name[:2]}"
        if found is None and target.exists():
            what = f"kept, though it is no readable notebook; {again}"
        elif found == current:
            what, record[name] = UP_TO_DATE, current
        elif found is None or found == written:
            write_atomically(target, nbformat.writes(edition) + "\n")
            what, record[name] = NEW if found is None else RENEWED, current
        elif written == current:
            what = "kept with your changes"
        else:
            what = f"kept with your changes; the course has a newer edition, {again}"
        happened.append((name, what))
    write_atomically(workspace / RECORD, json.dumps(record, indent=1) + "\n")
    pictures = [path for path in source.glob("*/**/*") if path.suffix.lower() in PICTURES]
    for path in [*source.glob("*.md"), *pictures]:
        copy = workspace / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    return happened


def set_aside(workspace: Path, name: str) -> str | None:
    """Rename the learner's copy of a lesson, so that `make_workspace` writes a fresh one.

    Parameters
    ----------
    workspace : Path
        The learner's folder.
    name : str
        A lesson's file name.

    Returns
    -------
    str or None
        The new name, such as ``02_direct_call_loop.mine.ipynb``, which no file had; None if there was no copy.
    """
    target = workspace / name
    if not target.exists():
        return None
    names = (f"{target.stem}.mine{f'-{n}' if n > 1 else ''}.ipynb" for n in itertools.count(1))
    free = next(path for name in names if not (path := workspace / name).exists())
    return target.rename(free).name


def _learners_edition(path: Path) -> nbformat.NotebookNode:
    try:
        notebook = nbformat.read(path, as_version=4)
    except (ValueError, KeyError, AttributeError) as error:
        raise ValueError(
            f"{path} is no readable notebook. Get the course's own: git checkout {path}"
        ) from error
    for preprocessor in (
        TagRemovePreprocessor(remove_cell_tags=["solution"]),
        ClearOutputPreprocessor(),
    ):
        notebook, _ = preprocessor.preprocess(notebook, {})
    return notebook


def _fingerprint(notebook: dict) -> str:
    # Empty cells are left out: running the last cell with Shift-Enter adds one.
    texts = [[cell["cell_type"], "".join(cell["source"])] for cell in notebook["cells"]]
    return hashlib.sha256(
        json.dumps([text for text in texts if text[1].strip()]).encode()
    ).hexdigest()


def _fingerprint_of_file(path: Path) -> str | None:
    # Plain JSON, as nbformat would mend what it reads: a file in any odd state is the learner's, and is kept.
    try:
        return _fingerprint(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _read_record(path: Path) -> dict[str, str]:
    # Without a record nothing is known to be unedited, so everything that differs is kept: the safe side.
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return {}
