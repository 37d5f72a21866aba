"""Change labkit a little, and see whether the tests that belong to the changed module notice.

A program, not a test. Each mutant is a module with one change, of the kinds that
mutate_solutions.py makes; the module's own tests and the examples in its docstrings run on it, in a
copy of the course. A mutant that they accept is a line that nothing holds, unless it does the same
as the original: such mutants are listed, with the reason, in equivalent_mutants_of_labkit.toml.

    python tools/benchmarks/mutate_labkit.py measure/stats.py show/format.py
    python tools/benchmarks/mutate_labkit.py --sample 60 show      # a part of each module of show

It needs Linux or macOS: the tests run in a copy of a process that has imported what they need.
"""

import argparse
import ast
import contextlib
import importlib
import multiprocessing
import os
import random
import shutil
import sys
import tempfile
import textwrap
import time
import tomllib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from mutate_solutions import Solution, mutants

ROOT = Path(__file__).resolve().parents[2]
EQUIVALENT = Path(__file__).with_name("equivalent_mutants_of_labkit.toml")
PARTS = ("measure", "show", "course")
WANTED = 0.95  # share of the mutants that are not equivalent
SLOWER = 5  # times as long as on the original: more, and a mutant does not end
COPIED = ("labkit", "tests", "tools", "conftest.py", "pyproject.toml")
LINKED = ("notebooks", "teaching", "README.md", "CONTRIBUTING.md", "Makefile", "environment.yml")
IMPORTED = ("pytest", "hypothesis", "nbval.plugin", "psutil", "numpy", "scipy.stats")
# Whose tests have another name than the module.
TESTS = {
    "measure/timeline.py": ["tests/measure/test_growth.py"],
    "measure/notes.py": ["tests/measure/test_results.py"],
    "measure/compare.py": ["tests/measure/test_compare.py", "tests/measure/test_sweep.py"],
    "show/rows.py": ["tests/test_table.py", "tests/test_format.py"],
    "show/intervals.py": ["tests/test_plots.py"],
    "show/labels.py": ["tests/test_plots.py"],
    "show/ticks.py": ["tests/test_plots.py"],
}


@dataclass(frozen=True)
class Mutant:
    """A module with one change."""

    key: str  # how the list of equivalent mutants names it
    source: str


# ---- the mutants of a module ----


def mutants_of(path: Path, source: str) -> list[Mutant]:
    """Return the mutants of a module, in the order of its lines."""
    lines = source.splitlines(keepends=True)
    found = []
    for name, node in pieces(ast.parse(source)):
        first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
        original = textwrap.dedent("".join(lines[first - 1 : node.end_lineno]))
        plain = without_annotations(original)
        seen = {ast.unparse(ast.parse(plain))}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # such as "is" with a number
            changes = mutants(Solution(name, name, plain, "", ()))
        for mutant in changes:
            if mutant.source in seen:
                continue
            seen.add(mutant.source)
            indent = " " * node.col_offset
            changed = textwrap.indent(mutant.source, indent) + "\n"
            whole = "".join([*lines[: first - 1], changed, *lines[node.end_lineno :]])
            found.append(Mutant(f"{path.as_posix()} {name}: {mutant.change}", whole))
    return found


def pieces(tree: ast.Module) -> Iterator[tuple[str, ast.stmt]]:
    """Yield what is changed by itself: each function, method and constant, with its name."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            for inner in node.body:
                if isinstance(inner, ast.FunctionDef | ast.Assign | ast.AnnAssign):
                    yield f"{node.name}.{_name(inner)}", inner
        elif isinstance(node, ast.FunctionDef | ast.Assign | ast.AnnAssign):
            yield _name(node), node


def _name(node: ast.stmt) -> str:
    if isinstance(node, ast.FunctionDef):
        return node.name
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", node)]
    return ast.unparse(targets[0])


class _Plain(ast.NodeTransformer):
    """Take the annotations out of functions: to change one changes nothing."""

    def __init__(self) -> None:
        self.inside = 0

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        self.inside += 1
        self.generic_visit(node)
        self.inside -= 1
        return node

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        if self.inside and node.value is not None and isinstance(node.target, ast.Name):
            return ast.copy_location(ast.Assign([node.target], node.value), node)
        return node


def without_annotations(source: str) -> str:
    """Return the source of a function without types; that of a constant as it is."""
    tree = ast.parse(source)
    if not isinstance(tree.body[0], ast.FunctionDef):
        return source
    return ast.unparse(ast.fix_missing_locations(_Plain().visit(tree)))


def tests_of(module: str) -> list[str]:
    """Return the files of tests that belong to a module, its own docstrings among them."""
    path = Path(module)
    named = [f"tests/test_{path.stem}.py", f"tests/{path.parts[0]}/test_{path.stem}.py"]
    named += TESTS.get(module, [])
    found = [name for name in dict.fromkeys(named) if (ROOT / name).exists()]
    return [f"labkit/{module}", *found]


# ---- a process that judges ----


def judge(connection: Connection, module: str, tests: list[str], folder: str) -> None:
    """Run the tests on one source after the other: a source and a limit in, a word out."""
    os.chdir(folder)
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    os.environ["LABKIT_HOME"] = folder
    sys.path[:] = [folder, *(path for path in sys.path if not path.startswith(str(ROOT / "t")))]
    for name in IMPORTED:
        importlib.import_module(name)
    path = Path(folder) / "labkit" / module
    while True:
        source, limit = connection.recv()
        path.write_text(source, encoding="utf-8")
        connection.send(_in_a_copy_of_this_process(tests, limit))


def _in_a_copy_of_this_process(tests: list[str], limit: float) -> str:
    """Return ``accepted``, ``noticed``, or ``no end``."""
    child = os.fork()
    if child == 0:
        os.setsid()  # so that what it starts ends with it
        _run_tests(tests)
    end = time.monotonic() + limit
    while time.monotonic() < end:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(child, 9)
            return "accepted" if os.waitstatus_to_exitcode(status) == 0 else "noticed"
        time.sleep(0.02)
    os.killpg(child, 9)
    os.waitpid(child, 0)
    return "no end"


def _run_tests(tests: list[str]) -> None:
    """Run the tests and end this process with the result."""
    code = 1
    try:
        silent = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silent, 1)
        os.dup2(silent, 2)
        sys.dont_write_bytecode = True
        import pytest

        options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:faulthandler"]
        code = int(pytest.main([*options, *tests]))
    finally:
        os._exit(code)


class Judge:
    """A process with a copy of the course of its own."""

    def __init__(self, module: str, tests: list[str]) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="labkit-mutants-")
        copy_course(Path(self._folder.name))
        context = multiprocessing.get_context("spawn")
        self.connection, there = context.Pipe()
        arguments = (there, module, tests, self._folder.name)
        self._process = context.Process(target=judge, args=arguments)
        self._process.start()

    def close(self) -> None:
        """Stop the process and remove the copy."""
        self._process.kill()
        self._process.join()
        self._folder.cleanup()


def copy_course(folder: Path) -> None:
    """Copy what is changed or may be, and link to the rest."""
    ignore = shutil.ignore_patterns("__pycache__")
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=ignore)
        else:
            shutil.copy(ROOT / name, folder / name)
    for name in LINKED:
        (folder / name).symlink_to(ROOT / name)


def judged(
    sources: list[str], module: str, tests: list[str], limit: float, jobs: int
) -> Iterator[tuple[int, str]]:
    """Yield the number of each source and the word on it, in the order in which they come."""
    judges = [Judge(module, tests) for _ in range(min(jobs, len(sources)))]
    try:
        waiting = iter(enumerate(sources))
        busy: dict[int, Judge] = {}
        for free in judges:
            number, source = next(waiting)
            free.connection.send((source, limit))
            busy[number] = free
        while busy:
            ready = multiprocessing.connection.wait([each.connection for each in busy.values()])
            for number, one in list(busy.items()):
                if one.connection in ready:
                    del busy[number]
                    yield number, one.connection.recv()
                    with contextlib.suppress(StopIteration):
                        following, source = next(waiting)
                        one.connection.send((source, limit))
                        busy[following] = one
    finally:
        for each in judges:
            each.close()


# ---- the program ----


def equivalent() -> dict[str, str]:
    """Return the mutants that do the same as the original, with the reason."""
    if not EQUIVALENT.exists():
        return {}
    listed = tomllib.loads(EQUIVALENT.read_text(encoding="utf-8"))
    return {entry["mutant"]: entry["reason"] for entry in listed.get("equivalent", [])}


def modules(names: list[str]) -> list[str]:
    """Return the modules that are meant: a part stands for all of its own."""
    found = []
    for name in names or PARTS:
        path = ROOT / "labkit" / name
        files = sorted(path.rglob("*.py")) if path.is_dir() else [path]
        found += [file.relative_to(ROOT / "labkit").as_posix() for file in files]
    return [name for name in found if not name.endswith("__init__.py")]


def try_module(module: str, sample: int | None, seed: int, jobs: int) -> tuple[int, int]:
    """Print the mutants of a module that were accepted; return how many were noticed and tried."""
    source = (ROOT / "labkit" / module).read_text(encoding="utf-8")
    tests = tests_of(module)
    known = equivalent()
    chosen = [m for m in mutants_of(Path(module), source) if m.key not in known]
    total = len(chosen)
    if sample is not None and sample < total:
        chosen = random.Random(seed).sample(chosen, sample)
    begin = time.monotonic()
    ((_, word),) = judged([source], module, tests, 600, 1)
    if word != "accepted":
        print(f"{module}: its tests fail without a change: {' '.join(tests)}", flush=True)
        return 0, 1
    limit = SLOWER * (time.monotonic() - begin) + 5
    noticed = 0
    for number, word in judged([m.source for m in chosen], module, tests, limit, jobs):
        if word == "accepted":
            print(f"ACCEPTED  {chosen[number].key}", flush=True)
        else:
            noticed += 1
    print(
        f"{module}: {noticed} of {len(chosen)} noticed, of {total} in all, by {' '.join(tests)} "
        f"({time.monotonic() - begin:.0f} s)",
        flush=True,
    )
    return noticed, len(chosen)


def main(argv: list[str] | None = None) -> int:
    """Try the mutants of the modules; return 0 if enough were noticed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("modules", nargs="*", help="such as measure/stats.py, or a part: show")
    parser.add_argument("--sample", type=int, help="so many mutants of each module, at random")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    chosen = parser.parse_args(argv)
    if not hasattr(os, "fork"):
        parser.error("this program needs Linux or macOS")
    noticed = tried = 0
    for module in modules(chosen.modules):
        a, b = try_module(module, chosen.sample, chosen.seed, chosen.jobs)
        noticed, tried = noticed + a, tried + b
    share = noticed / max(1, tried)
    print(f"{noticed} of {tried} mutants were noticed ({share:.1%}); wanted are {WANTED:.0%}")
    return 0 if share >= WANTED else 1


if __name__ == "__main__":
    sys.exit(main())
