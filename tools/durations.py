"""Print what each file and lesson costs, from the last run of the tests: `make durations`.

Processor time is the figure to compare: on a busy machine a test waits, and its wall time grows.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from scopes import KEPT, ROOT, dear_files, is_fast

CACHE = ROOT / ".pytest_cache" / "v" / KEPT
PARTS = ("kernel", "imports", "measuring", "rest")
UNSOLVED = "tests/test_unsolved_lessons.py"
KINDS = {
    "notebooks/trials/": "trials",
    "notebooks/": "lessons",
    UNSOLVED: "lessons, unsolved",
    "tests/own_model/": "tests of own_model",
    "tests/test_exercises.py": "answers to exercises",
    "tests/test_right_answers.py": "answers to exercises",
    "labkit/": "examples in docstrings",
    "tests/": "other tests",
}


def kind_of(scope: str) -> str:
    """Return the kind of a scope."""
    for prefix, kind in KINDS.items():
        if scope.startswith(prefix):
            return kind
    return "other tests"


def table(kept: dict[str, Any], least: float) -> list[str]:
    """Return one line for each scope that costs `least` seconds, the dearest first."""
    scopes, run = kept["scopes"], kept["run"]
    lines = [f"{'processor':>10} {'wall':>8} {'tests':>6}"]
    left_out = 0
    for scope in sorted(scopes, key=lambda scope: -scopes[scope]["processor"]):
        cost = scopes[scope]
        if cost["processor"] < least and cost["wall"] < least:
            left_out += 1
            continue
        when = "" if cost["date"] == run["date"] else f"  ({cost['date']})"
        figures = f"{cost['processor']:>8.1f} s {cost['wall']:>6.1f} s {cost['tests']:>6}"
        lines.append(f"{figures}  {scope}{when}")
    if left_out:
        lines.append(f"{left_out} more below {least:g} s: make durations LEAST=0 shows them")
    return lines


def kinds(kept: dict[str, Any]) -> list[str]:
    """Return one line for each kind of scope."""
    sums: dict[str, list[float]] = {}
    for scope, cost in kept["scopes"].items():
        total = sums.setdefault(kind_of(scope), [0.0, 0.0, 0])
        for i, name in enumerate(("processor", "wall", "tests")):
            total[i] += cost[name]
    lines = []
    for kind, (processor, wall, tests) in sorted(sums.items(), key=lambda item: -item[1][0]):
        lines.append(f"{processor:>8.1f} s {wall:>6.1f} s {tests:>6}  {kind}")
    return lines


def floor(kept: dict[str, Any]) -> list[str]:
    """Return what no test can spare, and how many times as much the whole costs.

    Each lesson needs a kernel and its imports twice, solved and unsolved, each trial once; and what
    they measure, once. The workers have to start, and to import and collect the tests.
    """
    scopes, start = kept["scopes"], kept["run"]["start"]
    parts = dict.fromkeys(PARTS, 0.0)
    for scope, cost in scopes.items():
        times = 2 if unsolved_run_of(scope) in scopes else 1
        if scope.startswith("notebooks/"):
            for part in PARTS:
                runs = times if part in ("kernel", "imports") else 1
                parts[part] += runs * cost.get(part, 0.0)
    rest = parts.pop("rest")
    least = sum(parts.values()) + start
    everything = sum(cost["processor"] for cost in scopes.values()) + start
    words = {
        "kernel": "kernels of lessons and trials, of a lesson solved and unsolved",
        "imports": "their imports",
        "measuring": "what they measure, once",
    }
    lines = [f"{parts[part]:>8.1f} s  {words[part]}" for part in parts]
    lines.append(f"{start:>8.1f} s  start of the workers, imports and collection")
    ratio = everything / least if least else float("nan")
    lines.append(f"{least:>8.1f} s  the floor; the whole, {everything:.1f} s, is {ratio:.2f} times")
    lines.append(f"{rest:>8.1f} s  beyond it: the other cells of solved lessons and trials, once")
    return lines


def unsolved_run_of(scope: str) -> str:
    """Return the scope that runs the same lesson unsolved; trials have none."""
    return f"{UNSOLVED}::TestLesson_{Path(scope).stem}"


def fast(kept: dict[str, Any]) -> list[str]:
    """Return what `make test FAST=1` costs where nothing slow has changed."""
    dear = dear_files(kept["scopes"])
    files: dict[str, float] = {}
    for scope, cost in kept["scopes"].items():
        path = scope.partition("::")[0]
        if is_fast(path, [], dear):
            files[path] = files.get(path, 0.0) + cost["processor"]
    lines = [f"{sum(files.values()):>8.1f} s  {len(files)} files of tests"]
    for path in sorted(files, key=lambda path: -files[path])[:5]:
        lines.append(f"{files[path]:>8.1f} s  of which {path}")
    return lines


def heading(run: dict[str, Any]) -> str:
    """Return the conditions of the last run."""
    before, after = run["load"]
    busy = "" if before is None else f", load {before:.1f} before and {after:.1f} after"
    return (
        f"Last run: {run['date']}, {run['versions']}, {len(run['scopes'])} scopes, "
        f"{run['workers']} workers{busy}; {run['wall']:.0f} s, "
        f"of which workers waited {run['idle']:.0f} s for the last one."
    )


def read(path: Path = CACHE) -> dict[str, Any] | None:
    """Return what the runs kept, or None if there is nothing to read."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        return kept if {"run", "scopes"} <= set(kept) else None
    except (OSError, ValueError, TypeError):
        return None


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--least", type=float, default=5, help="seconds of a line that is shown")
    least = parser.parse_args(argv).least
    kept = read()
    if kept is None:
        print("No run is kept: run `make test` first, or some of it.")
        return 1
    print(heading(kept["run"]))
    sections = [
        ("What each file and lesson costs (a date: from an earlier run)", table(kept, least)),
        ("By kind", kinds(kept)),
        ("The floor, in processor time", floor(kept)),
        ("The fast part, in processor time", fast(kept)),
    ]
    for title, lines in sections:
        print(f"\n{title}\n" + "\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
