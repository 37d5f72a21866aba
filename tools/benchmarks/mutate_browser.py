"""Show that the browser tests can fail: take one thing away from labkit, and see who notices.

A program, not a test. Each mutation is a defect that the course once had. It is made in a copy of
the course, in which the tests that should notice it play the shortest lesson in a real JupyterLab.
First they run without any mutation: a test that fails anyway notices nothing. The exit status is 1
if they do, or if a defect is accepted.

    python tools/benchmarks/mutate_browser.py                  # all: about ten minutes
    python tools/benchmarks/mutate_browser.py guess sweep      # some of them
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
NOT_COPIED = (".venv*", ".git", "build", "workspace", "__pycache__", ".*_cache")
LESSON = "00"  # the shortest one with a guess
WALK = "tests/browser/test_lessons.py"
STOP = "tests/browser/test_stop_button.py"


class Mutation(NamedTuple):
    """One defect: a text that is in a file exactly once, its replacement, and who should notice."""

    name: str
    what: str
    file: str
    old: str
    new: str
    tests: str
    chosen: str


MUTATIONS = [
    Mutation(
        "guess",
        "a cell that runs again forgets the guess",
        "labkit/course/guesses.py",
        "    if key not in _asked:\n"
        "        _asked[key] = Guess(question, low, high, whole)\n"
        "        _asked[key]._restore()\n",
        "    _asked[key] = Guess(question, low, high, whole)\n",
        WALK,
        "guesses_are_kept_and_shown",
    ),
    Mutation(
        "reopen",
        "a saved lesson that is opened again has no sliders",
        "labkit/lab_settings/overrides.json",
        '"saveState": true',
        '"saveState": false',
        WALK,
        "it_is_there_the_next_day",
    ),
    Mutation(
        "sweep",
        "a sweep that is stopped loses the sizes that are done",
        "labkit/measure/compare.py",
        "        if not done:\n            raise stop.stopped(_NO_SIZE) from None\n",
        "        raise stop.stopped(_NO_SIZE) from None\n",
        STOP,
        "sweep_keeps_the_sizes",
    ),
    Mutation(
        "alt",
        "pictures have no alternative text",
        "labkit/show/figure.py",
        """f'<img alt="{html.escape(self.alt)}" width""",
        """f'<img width""",
        WALK,
        "can_be_read_by_everybody",
    ),
    Mutation(
        "number",
        "the page shows the nearest stop of the slider, and the picture what was typed",
        "labkit/course/guesses.py",
        "        self._widget.number = self._text()\n",
        "        self._widget.number = self._text() and self._as_text("
        "_stops(self.low, self.high, self.whole)[self._widget.position])\n",
        WALK,
        "guesses_are_kept_and_shown",
    ),
]


def mutate(folder: Path, mutation: Mutation) -> None:
    """Make the change in a copy of the course."""
    path = folder / mutation.file
    source = path.read_text(encoding="utf-8")
    if source.count(mutation.old) != 1:
        raise ValueError(
            f"{mutation.name}: the text to replace is in {mutation.file} "
            f"{source.count(mutation.old)} times and not once: bring MUTATIONS up to date"
        )
    path.write_text(source.replace(mutation.old, mutation.new), encoding="utf-8")


def failed(noticing: list[Mutation], made: Mutation | None = None) -> list[str]:
    """Return which tests that should notice mutations fail, with this one made or without any."""
    files = sorted({mutation.tests for mutation in noticing})
    names = " or ".join(mutation.chosen for mutation in noticing)
    with tempfile.TemporaryDirectory() as temporary:
        copy = Path(temporary) / "course"
        shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*NOT_COPIED))
        if made:
            mutate(copy, made)
        # The kernels run in other folders: they would find the labkit that is installed.
        variables = os.environ | {"PYTHONPATH": str(copy)}
        _check_import(copy, variables)
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "0"]
        command += [f"--only={LESSON}", "-k", names, *files]
        ran = subprocess.run(command, cwd=copy, env=variables, capture_output=True, text=True)
    summary = ran.stdout.strip().rpartition("\n")[2]
    if ran.returncode not in (0, 1) or not re.search(r"\d+ (?:passed|failed|errors?)\b", summary):
        raise RuntimeError(f"the tests did not run:\n{ran.stdout[-3000:]}{ran.stderr[-1000:]}")
    return re.findall(r"^(?:FAILED|ERROR) (\S+)", ran.stdout, re.MULTILINE)


def _check_import(copy: Path, variables: dict[str, str]) -> None:
    """Raise RuntimeError unless Python finds the labkit of the copy, from any folder."""
    ask = [sys.executable, "-c", "import labkit; print(labkit.__file__)"]
    said = subprocess.run(ask, cwd=copy.parent, env=variables, capture_output=True, text=True)
    if not Path(said.stdout.strip()).is_relative_to(copy):
        raise RuntimeError(f"the copy is not used: {said.stdout}{said.stderr}")


def main(arguments: list[str] | None = None) -> int:
    """Try the mutations with these names, or all; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    names = [mutation.name for mutation in MUTATIONS]
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(names))
    asked = parser.parse_args(arguments).names
    if unknown := set(asked) - set(names):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are: {', '.join(names)}")
    chosen = [mutation for mutation in MUTATIONS if not asked or mutation.name in asked]

    if fail_anyway := failed(chosen):
        print("These tests fail without a mutation:", *fail_anyway, sep="\n  ")
        return 1
    print("green     without a mutation", flush=True)

    accepted = 0
    for mutation in chosen:
        start = time.monotonic()
        found = failed([mutation], mutation)
        accepted += not found
        result = "red     " if found else "ACCEPTED"
        seconds = f"{time.monotonic() - start:.0f} s"
        print(f"{result}  {mutation.name}: {mutation.what} ({seconds})", flush=True)
    print(f"{accepted} of {len(chosen)} mutations were accepted")
    return 1 if accepted else 0


if __name__ == "__main__":
    sys.exit(main())
