"""Run lessons with other versions of Python and TensorFlow, and print what differs.

    python tools/versions.py --tensorflow 2.22.0rc0 --python 3.13 --lessons 00 03 08
    python tools/versions.py --venv path/to/venv --lessons 03
    python tools/versions.py --list                       # what was run, and what was not

Each version gets a virtual environment of its own beside .venv, which git ignores; uv makes it.
Every cell of a lesson runs there, and its text is compared with the stored one as nbval does:
what differs is a count, a claim, the text of an error, or another output. The results are kept in
versions.json, and the table that is made of them in versions.md.
"""

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import nbformat
from kernels import MOST_FOR_A_CELL, kernel_environment
from nbclient import NotebookClient
from nbformat import NotebookNode
from nbval.plugin import get_sanitize_patterns

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ROOT / "notebooks"
DATA = Path(__file__).with_suffix(".json")
PAGE = Path(__file__).with_suffix(".md")
SANITIZE = ROOT / "tests" / "nbval_sanitize.cfg"
SHOWN = 120  # characters of a line in the table
PACKAGES = ("tensorflow", "tensorflow-cpu", "keras", "keras-nightly", "numpy")
# The oldest, the locked and the newest TensorFlow for which the table should have every lesson.
WANTED = ("2.19.1", "2.20.0", "2.21.0", "2.22.0rc0")


# ---- environments ----


def environment(python: str, tensorflow: str) -> Path:
    """Return the folder of an environment with these versions; make it if it is not there."""
    label = python
    if not re.fullmatch(r"3(\.\d+){1,2}", python):  # a path, or a name such as python3.12
        label = versions_in(Path(shutil.which(python) or python), ())["python"]
    folder = ROOT / f".venv-{label}-tensorflow-{tensorflow}"
    ready = folder / ".ready"
    if ready.exists():
        return folder
    print(f"making {folder.name}: a minute or two, 2 GiB on disk", flush=True)
    uv = Path(sys.executable).with_name("uv")
    program = str(uv) if uv.exists() else str(shutil.which("uv") or "uv")
    command = [program, "venv", "-q", "--clear", "--no-python-downloads"]
    _run([*command, "--python", python, str(folder)])
    with tempfile.TemporaryDirectory() as notes:
        overrides = Path(notes) / "overrides.txt"
        overrides.write_text(f"tensorflow-cpu=={tensorflow}\ntensorflow=={tensorflow}\n")
        wanted = Path(notes) / "wanted.txt"
        wanted.write_text("\n".join(requirements(tensorflow)) + "\n")
        command = [program, "pip", "install", "-q", "--python", str(python_of(folder))]
        command += ["--override", str(overrides), "--prerelease", "if-necessary-or-explicit"]
        _run([*command, "-r", str(wanted)])
    ready.touch()
    return folder


def requirements(tensorflow: str) -> list[str]:
    """Return what the course needs, with another TensorFlow and a Keras that goes with it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found = [line for line in project["dependencies"] if not line.startswith(("keras", "tensor"))]
    name = "tensorflow-cpu" if (platform.system(), platform.machine()) == _LINUX else "tensorflow"
    found.append(f"{name}=={tensorflow}")
    return found


_LINUX = ("Linux", "x86_64")


def python_of(folder: Path) -> Path:
    """Return the interpreter of an environment."""
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _run(command: list[str]) -> None:
    """Run a command; end the program with what it said if it fails."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"This did not succeed: {' '.join(command)}\n{done.stderr.strip()}")


def versions_in(python: Path, packages: tuple[str, ...] = PACKAGES) -> dict[str, str]:
    """Return the versions of Python and of packages that an environment has."""
    code = (
        "import json, platform\nfrom importlib.metadata import PackageNotFoundError, version\n"
        "found = {'python': platform.python_version()}\n"
        f"for name in {packages}:\n"
        "    try: found[name] = version(name)\n"
        "    except PackageNotFoundError: pass\n"
        "print(json.dumps(found))"
    )
    try:
        done = subprocess.run([str(python), "-c", code], capture_output=True, text=True)
    except OSError as error:
        sys.exit(f"{python} cannot be started: {error.strerror}")
    if done.returncode:
        sys.exit(f"{python} does not work: {done.stderr.strip()}")
    return dict(json.loads(done.stdout))


def in_words(found: dict[str, str]) -> str:
    """Return the versions of an environment in one line."""
    tensorflow = found.get("tensorflow-cpu") or found.get("tensorflow") or "none"
    keras = found.get("keras-nightly") or found.get("keras") or "none"
    return (
        f"Python {found['python']}, TensorFlow {tensorflow}, Keras {keras}, NumPy {found['numpy']}"
    )


# ---- a lesson there ----


def run_lesson(lesson: Path, python: Path) -> NotebookNode:
    """Return a lesson that an environment has run from its first cell to its last."""
    notebook = nbformat.read(lesson, as_version=4)
    with tempfile.TemporaryDirectory(prefix="labkit-versions-") as folder:
        kernel = Path(folder) / "kernels" / "other-version"
        kernel.mkdir(parents=True)
        command = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        spec = {"argv": command, "display_name": "other", "language": "python"}
        (kernel / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
        os.environ["JUPYTER_PATH"] = folder
        inside = kernel_environment(folder, PYTHONPATH=str(ROOT))
        client = NotebookClient(
            notebook,
            kernel_name="other-version",
            timeout=MOST_FOR_A_CELL,
            startup_timeout=180,
            allow_errors=True,
            store_widget_state=False,
            record_timing=False,
            coalesce_streams=True,
            resources={"metadata": {"path": str(NOTEBOOKS)}},
        )
        client.execute(env=inside)
    return notebook


def texts(cell: NotebookNode, patterns: Iterable[tuple[str, str]]) -> list[str]:
    """Return the lines of a cell's outputs, without what differs from run to run."""
    lines: list[str] = []
    for output in cell.outputs:
        if output.output_type == "stream":
            text = output.text
        elif output.output_type == "error":
            text = f"{output.ename}: {output.evalue}"
        else:
            text = output.data.get("text/plain", "")
        for regex, replacement in patterns:
            text = re.sub(regex, replacement, text)
        lines += [line.rstrip() for line in text.splitlines() if line.strip()]
    return lines


def kind_of(cell: NotebookNode) -> str:
    """Return what a cell shows: a claim, an error text, a count, or something else."""
    if any(output.output_type == "error" for output in cell.outputs):
        return "the cell fails"
    for kind, word in KINDS.items():
        if word in cell.source:
            return kind
    return "output"


KINDS = {
    "claim": "lab.claim(",
    "exercise": "lab.check(",
    "error text": "lab.expect(",
    "count": "lab.count(",
}


def differences(stored: NotebookNode, ran: NotebookNode) -> Iterator[dict[str, Any]]:
    """Yield each cell whose text differs, with the first line that does.

    After a cell that fails, most others fail for want of its names: they are only counted.
    """
    patterns = list(get_sanitize_patterns(SANITIZE.read_text(encoding="ascii")))
    pairs = zip(_code(stored), _code(ran), strict=True)
    failed: dict[str, Any] | None = None
    for number, (before, after) in enumerate(pairs):
        old, new = texts(before, patterns), texts(after, patterns)
        if old == new:
            continue
        kind = kind_of(after)
        if kind == "the cell fails" and failed is not None:
            failed["after it"] += 1
            continue
        found = {"cell": number, "kind": kind, **_first_difference(old, new), "after it": 0}
        if kind == "the cell fails":
            failed = found
        yield found


def _code(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def _first_difference(old: list[str], new: list[str]) -> dict[str, str]:
    """Return the first lines that differ."""
    for i in range(max(len(old), len(new))):
        before = old[i] if i < len(old) else "(nothing)"
        after = new[i] if i < len(new) else "(nothing)"
        if before != after:
            pairs = enumerate(zip(before, after, strict=False))
            shorter = min(len(before), len(after))
            alike = next((place for place, (a, b) in pairs if a != b), shorter)
            return {"stored": _short(before, alike), "there": _short(after, alike)}
    return {"stored": "", "there": ""}


def _short(line: str, alike: int) -> str:
    """Return a line, or of a long one what is around the place from which on it differs."""
    begin = 0 if len(line) <= SHOWN else max(0, alike - SHOWN // 3)
    cut = line[begin : begin + SHOWN]
    return f"{'…' if begin else ''}{cut.strip()}{'…' if line[begin + SHOWN :] else ''}"


# ---- what is kept ----


def load() -> list[dict[str, Any]]:
    """Return the results of all runs that are kept."""
    if not DATA.exists():
        return []
    return list(json.loads(DATA.read_text(encoding="utf-8")))


def keep(result: dict[str, Any], before: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the results with a new one in the place of that of the same lesson and versions."""
    same = (result["versions"], result["lesson"])
    others = [kept for kept in before if (kept["versions"], kept["lesson"]) != same]
    return sorted([*others, result], key=lambda kept: (kept["versions"], kept["lesson"]))


def page(results: list[dict[str, Any]]) -> str:
    """Return the table of all runs that are kept."""
    lines = [
        "# What depends on the version",
        "",
        "Made by `tools/versions.py`, from runs of whole lessons; what is not here was not run.",
        "Compared is what nbval compares: the text of each output, without measured figures.",
        "",
        "| versions | lesson | date | cells | differ |",
        "|---|---|---|--:|--:|",
    ]
    for result in results:
        count = len(result["differences"])
        row = [result["versions"], result["lesson"], result["date"], result["cells"], count]
        lines.append(f"| {' | '.join(map(str, row))} |")
    lines += ["", "## The cells that differ", ""]
    rows = []
    for result in results:
        for found in result["differences"]:
            more = f" (and {found['after it']} cells after it)" if found["after it"] else ""
            where = [result["versions"], f"{result['lesson']}, code cell {found['cell']}"]
            cells = [*where, found["kind"] + more, found["stored"], found["there"]]
            rows.append("| " + " | ".join(_for_table(cell) for cell in cells) + " |")
    if not rows:
        return "\n".join([*lines, "None.", ""])
    heading = ["| versions | where | what | stored | there |", "|---|---|---|---|---|"]
    return "\n".join([*lines, *heading, *rows, ""])


def _for_table(text: str) -> str:
    """Return a text as a cell of a table shows it."""
    for sign in "\\|`*_<>[]":
        text = text.replace(sign, f"\\{sign}")
    return text


def missing(results: list[dict[str, Any]]) -> list[str]:
    """Return the commands that would run what no result is kept of."""
    lessons = [path.stem[:2] for path in sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))]
    commands = []
    for tensorflow in WANTED:
        done = {
            result["lesson"][:2]
            for result in results
            if f"TensorFlow {tensorflow}," in result["versions"]
        }
        left = [number for number in lessons if number not in done]
        if left:
            numbers = " ".join(left)
            commands.append(
                f"python tools/versions.py --tensorflow {tensorflow} --lessons {numbers}"
            )
    return commands


def main(argv: list[str] | None = None) -> int:
    """Run the lessons in each environment, print what differs, and keep it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tensorflow", nargs="+", default=[], metavar="VERSION")
    parser.add_argument("--python", default=sys.executable, help="path or version; this one")
    parser.add_argument("--venv", nargs="+", default=[], type=Path, help="environments to use")
    parser.add_argument("--lessons", nargs="+", default=[], help="numbers; all unless given")
    parser.add_argument("--list", action="store_true", help="print what has not been run")
    parser.add_argument("--print-only", action="store_true", help="keep nothing")
    chosen = parser.parse_args(argv)
    if chosen.list:
        print(page(load()) + "\nNot run:")
        print("\n".join(missing(load())) or "nothing")
        return 0

    lessons = [
        path
        for path in sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))
        if not chosen.lessons or path.stem[:2] in chosen.lessons
    ]
    if not lessons:
        parser.error(f"there is no lesson {' '.join(chosen.lessons)}")
    folders = [folder.resolve() for folder in chosen.venv]
    folders += [environment(chosen.python, version) for version in chosen.tensorflow]
    if not folders:
        parser.error("name versions of TensorFlow, or an environment with --venv")
    for folder in folders:
        found = versions_in(python_of(folder))
        print(in_words(found), flush=True)
        for lesson in lessons:
            result = try_lesson(lesson, folder, found)
            if not chosen.print_only:
                results = keep(result, load())
                DATA.write_text(
                    json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
                )
                PAGE.write_text(page(results), encoding="utf-8")
    return 0


def try_lesson(lesson: Path, folder: Path, found: dict[str, str]) -> dict[str, Any]:
    """Run a lesson in an environment, print what differs, and return it."""
    stored = nbformat.read(lesson, as_version=4)
    ran = run_lesson(lesson, python_of(folder))
    differing = list(differences(stored, ran))
    print(f"  {lesson.stem}: {len(_code(stored))} cells, {len(differing)} differ", flush=True)
    for line in differing:
        print(
            f"    cell {line['cell']}, {line['kind']}: {line['stored']!r}, there {line['there']!r}"
        )
    return {
        "versions": in_words(found),
        "system": f"{platform.system()} {platform.machine()}",
        "date": date.today().isoformat(),
        "lesson": lesson.stem,
        "cells": len(_code(stored)),
        "differences": differing,
    }


if __name__ == "__main__":
    sys.exit(main())
