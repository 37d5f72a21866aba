"""Check notebooks against the contract for lessons or trials; `--fix` repairs what needs no author.

It restores the kernelspec, removes stored widget state and times of execution, and gives cells the
ids that they lack. Sources and outputs do not change. The exit status is 1 if a rule is violated or
a file was changed, so that a commit stops and shows the repair.
"""

import argparse
import copy
import json
import re
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import contract
import trial_contract
from contract import Lesson, Rule

from labkit.course.files import write_atomically

ROOT = Path(__file__).resolve().parent.parent
# All metadata of a lesson: more would tell which machine ran it.
METADATA = {
    "kernelspec": {
        "display_name": "Python 3 (ipykernel)",
        "language": "python",
        "name": "python3",
    },
    "language_info": {"name": "python"},
}
ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def repaired(book: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return a repaired copy of a notebook, and what was repaired."""
    book = copy.deepcopy(book)
    done = []
    if book["metadata"].get("kernelspec") != METADATA["kernelspec"]:
        done.append("kernelspec restored")
    if "widgets" in book["metadata"]:
        done.append("widget state removed")
    book["metadata"] = copy.deepcopy(METADATA)

    if ids := _give_ids(book["cells"]):
        done.append(f"{ids} cell ids added")
    if (book["nbformat"], book["nbformat_minor"]) < (4, 5):
        book["nbformat_minor"] = 5  # older versions have no ids
        done.append("nbformat 4.5")
    if times := _remove_times(book["cells"]):
        done.append(f"metadata of execution removed from {times} cells")
    return book, done


def _give_ids(cells: list[dict[str, Any]]) -> int:
    """Give an id to each cell with none, or with that of an earlier cell; return how many."""
    known: set[str] = set()
    given = 0
    for cell in cells:
        id = cell.get("id", "")
        if not ID.fullmatch(id) or id in known:
            id = uuid.uuid4().hex[:8]
            cell["id"] = id
            given += 1
        known.add(id)
    return given


def _remove_times(cells: list[dict[str, Any]]) -> int:
    """Remove what JupyterLab stores about the last run; return how many cells had it."""
    cleaned = 0
    for cell in cells:
        found = {"execution", "ExecuteTime"} & set(cell["metadata"])
        for name in found:
            del cell["metadata"][name]
        if found:
            cleaned += 1
    return cleaned


def fix(path: Path) -> list[str]:
    """Repair the notebook at `path`; return what was repaired."""
    book = json.loads(path.read_text(encoding="utf-8"))
    book, done = repaired(book)
    if done:
        write_atomically(path, json.dumps(book, indent=1, ensure_ascii=False) + "\n")
    return done


def rules_for(path: Path) -> dict[str, Rule]:
    """Return the rules that the notebook at `path` has to follow: a lesson's or a trial's."""
    if path.resolve().parent.name == "trials":
        return trial_contract.RULES
    return contract.RULES


def violations(path: Path) -> Iterator[str]:
    """Yield one sentence per violation of the contract."""
    lesson = Lesson.read(path)
    for name, rule in rules_for(path).items():
        for sentence in rule(lesson):
            yield f"{name}: {sentence}"


def main(arguments: list[str]) -> int:
    """Check the notebooks named in `arguments`, or all lessons; return the exit status."""
    parser = argparse.ArgumentParser(description="Check notebooks against the contract.")
    parser.add_argument(
        "notebooks", nargs="*", type=Path, help="files (default: all lessons and trials)"
    )
    parser.add_argument("--fix", action="store_true", help="repair what needs no author")
    options = parser.parse_args(arguments)
    paths = options.notebooks or sorted((ROOT / "notebooks").rglob("*.ipynb"))

    problems = 0
    for path in paths:
        if options.fix:
            for repair in fix(path):
                problems += 1
                print(f"{path.name}: repaired: {repair}")
        for sentence in violations(path):
            problems += 1
            print(f"{path.name}: {sentence}")
    print(f"{len(paths)} notebooks checked, {problems} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
