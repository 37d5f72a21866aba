"""Make a learner's copy of a notebook, and compare it with another version of the notebook."""

import contextlib
import hashlib
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import nbformat
from jupyter_core.paths import jupyter_data_dir
from nbconvert.preprocessors import ClearOutputPreprocessor, TagRemovePreprocessor
from nbformat.sign import NotebookNotary

# The cells of each section of a notebook, as hashes, in order.
Sections = dict[str, list[str]]
# The part of a notebook before its first section.
BEGINNING = "the beginning"


def read_copy(path: Path) -> dict[str, Any] | None:
    """Return the learner's copy as it is on disk; None if it is not a readable notebook."""
    # As plain JSON, because nbformat would repair what it reads.
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        fingerprint(notebook)
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None
    return notebook


def make_copy(path: Path) -> nbformat.NotebookNode:
    """Return a notebook of the course without outputs and solutions."""
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


def text_of(cell: Any) -> str:
    """Return the source of a cell, which a file holds as text or as lines."""
    return "".join(cell["source"])


def has_results(cell: Any) -> bool:
    """Return whether a cell was run."""
    return bool(cell.get("outputs")) or cell.get("execution_count") is not None


# ---- comparing ----


def fingerprint(notebook: Any) -> str:
    """Return a hash of the text of all cells that are not empty.

    Running the last cell with Shift-Enter adds an empty one.
    """
    texts = [_key(cell) for cell in _cells_with_text(notebook)]
    return hashlib.sha256(json.dumps(texts).encode()).hexdigest()


def sections_of(notebook: Any) -> Sections:
    """Return a hash of each cell that is not empty, by the section that it belongs to."""
    section = BEGINNING
    found: Sections = {}
    for cell in _cells_with_text(notebook):
        heading = re.match(r"##\s+(.*)", text_of(cell))
        if heading and cell["cell_type"] == "markdown":
            section = heading[1].strip()
        hash = hashlib.sha256(json.dumps(_key(cell)).encode()).hexdigest()
        found.setdefault(section, []).append(hash[:16])
    return found


def what_changed(before: Sections, now: Sections) -> str:
    """Return which sections differ, in words; nothing if none does.

    >>> what_changed({"Setup": ["a", "b"], "Explore": ["c"]}, {"Setup": ["a", "d", "e"]})
    'changed: "Setup" (2 cells); removed: "Explore"'
    """
    changed = []
    added = []
    for title, cells in now.items():
        if title not in before:
            added.append(f'"{title}"')
            continue
        new_cells = Counter(cells) - Counter(before[title])
        lost_cells = Counter(before[title]) - Counter(cells)
        count = max(new_cells.total(), lost_cells.total())
        if count == 1:
            changed.append(f'"{title}" (1 cell)')
        elif count:
            changed.append(f'"{title}" ({count} cells)')
    removed = [f'"{title}"' for title in before if title not in now]
    parts = []
    for word, titles in [("changed", changed), ("new", added), ("removed", removed)]:
        if titles:
            parts.append(f"{word}: {', '.join(titles)}")
    return "; ".join(parts)


def common_part(one: Sections, other: Sections) -> float:
    """Return the part of the cells of one notebook that the other has, in whatever section."""
    cells = _all_cells(one)
    if not cells:
        return 0.0
    return (cells & _all_cells(other)).total() / cells.total()


def _all_cells(sections: Sections) -> Counter[str]:
    total: Counter[str] = Counter()
    for cells in sections.values():
        total.update(cells)
    return total


# ---- results ----


def move_results(old: Any, new: Any) -> int:
    """Copy the results of the cells that both versions have; return how many results are left out.

    The state of the sliders is copied as well.
    """
    waiting: dict[str, list[Any]] = {}
    for cell in _cells_with_text(old):
        if has_results(cell):
            waiting.setdefault(json.dumps(_key(cell)), []).append(cell)
    for cell in _cells_with_text(new):
        same = waiting.get(json.dumps(_key(cell)))
        if same:
            run = same.pop(0)
            cell["outputs"] = nbformat.from_dict(run.get("outputs", []))
            cell["execution_count"] = run.get("execution_count")
    metadata = old.get("metadata")
    if isinstance(metadata, dict) and "widgets" in metadata:
        new["metadata"]["widgets"] = nbformat.from_dict(metadata["widgets"])
    return sum(len(cells) for cells in waiting.values())


def move_trust(old: Path, new: nbformat.NotebookNode) -> None:
    """Mark a notebook with the results of a trusted one as trusted.

    JupyterLab shows no sliders in a notebook that was neither run here nor marked so.
    """
    try:
        notebook = nbformat.read(old, as_version=4)
    except (ValueError, KeyError, AttributeError, TypeError):
        return  # nobody has marked it
    folder = Path(jupyter_data_dir())
    with contextlib.suppress(OSError):  # without a mark, the learner runs the cell again
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Without the folder it would start an application of Jupyter, which closes the log handlers
        # of this process, and with them the streams that they write to.
        notary = NotebookNotary(data_dir=str(folder))
        if notary.check_signature(notebook):
            notary.sign(new)


def _cells_with_text(notebook: Any) -> list[Any]:
    return [cell for cell in notebook["cells"] if text_of(cell).strip()]


def _key(cell: Any) -> list[str]:
    return [cell["cell_type"], text_of(cell)]
