"""Change every solution a little, and see whether its checker refuses the result.

A program, not a test: some 20 minutes for the whole course. Each mutant is one solution with one
change: another operator, another constant, a call left out, two arguments swapped, a keyword or a
statement dropped, a condition turned round. A checker that passes a mutant would pass a learner
with the same slip, unless the mutant does the same as the solution: such mutants are listed with
the reason in equivalent_mutants.toml.

    make bench-solutions ONLY=02
"""

import argparse
import ast
import copy
import linecache
import multiprocessing
import os
import re
import sys
import tempfile
import tomllib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import nbformat

HERE = Path(__file__).resolve().parent
NOTEBOOKS = HERE.parents[1] / "notebooks"
EQUIVALENT = HERE / "equivalent_mutants.toml"
LIMIT = 120  # seconds for one check; a mutant that takes longer is refused: it would not end
WANTED = 0.9  # share of the mutants that are not equivalent

OTHER_OPERATOR: dict[type[ast.AST], type[ast.AST]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Div,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.MatMult: ast.Mult,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.And: ast.Or,
    ast.Or: ast.And,
}


@dataclass(frozen=True)
class Solution:
    """The solution of one exercise."""

    id: str
    name: str  # of the function or value that is checked
    source: str
    imports: str  # of its lesson
    before: tuple[str, ...]  # the code cells above it, for a solution that needs their names


@dataclass(frozen=True)
class Mutant:
    """A solution with one change."""

    id: str
    change: str  # what was changed, in words
    source: str

    @property
    def key(self) -> str:
        """How the list of equivalent mutants names it."""
        return f"{self.id} {self.change}"


# ---- the solutions ----


def solutions(lesson: Path) -> list[Solution]:
    """Return the solutions of a lesson, in order."""
    cells = nbformat.read(lesson, as_version=4).cells
    code = [cell for cell in cells if cell.cell_type == "code"]
    imports = "\n".join(_imports(cell.source) for cell in code)
    checks = {}
    for cell in code:
        for id, name in re.findall(r'lab\.check\("(\d\d\.\d)", ([\w.]+)\)', cell.source):
            checks[name] = id
    found = []
    before: list[str] = []
    for cell in code:
        is_solution = "solution" in cell.metadata.get("tags", [])
        for name in _defined(cell.source):
            if is_solution and name in checks:
                above = tuple(before)
                found.append(Solution(checks[name], name, cell.source, imports, above))
        before.append(cell.source)
    return found


def _imports(source: str) -> str:
    """Return the import statements of a cell, but for that of labkit's setup."""
    lines = []
    for node in ast.parse(source).body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            lines.append(ast.unparse(node))
    return "\n".join(lines)


def _defined(source: str) -> Iterator[str]:
    """Yield the names that a cell defines."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        if isinstance(node, ast.Assign):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))


# ---- the mutants ----


def mutants(solution: Solution) -> list[Mutant]:
    """Return all mutants of a solution, each once."""
    found = {}
    tree = ast.parse(solution.source)
    for number, _node in enumerate(ast.walk(tree)):
        for change, changed in _changes(tree, number):
            try:
                source = ast.unparse(ast.fix_missing_locations(changed))
                compile(source, "mutant", "exec")
            except (SyntaxError, ValueError, TypeError, AttributeError):
                continue
            if source != ast.unparse(tree):
                found[source] = Mutant(solution.id, change, source)
    return list(found.values())


def _changes(tree: ast.Module, number: int) -> Iterator[tuple[str, ast.Module]]:
    """Yield each change of one node of the tree, in words and carried out."""
    original = _node(tree, number)
    line = _line(tree, original)
    for word, edit in _edits(original):
        changed = copy.deepcopy(tree)
        node = _node(changed, number)
        if edit(changed, node):
            yield f"{word} in `{line}`", changed


def _node(tree: ast.AST, number: int) -> ast.AST:
    for i, node in enumerate(ast.walk(tree)):
        if i == number:
            return node
    raise IndexError(number)


def _line(tree: ast.Module, node: ast.AST) -> str:
    """Return the first line of the statement that holds a node."""
    best: ast.AST = tree
    for statement in ast.walk(tree):
        if isinstance(statement, ast.stmt) and any(inner is node for inner in ast.walk(statement)):
            best = statement
    return ast.unparse(best).splitlines()[0]


def _edits(node: ast.AST) -> Iterator[tuple[str, Any]]:
    """Yield the edits that fit a node: words, and a function (tree, node) -> whether it did."""
    if isinstance(node, ast.BinOp | ast.BoolOp | ast.AugAssign) and type(node.op) in OTHER_OPERATOR:
        yield f"{_word(node.op)} to {_word(OTHER_OPERATOR[type(node.op)]())}", _other_operator
    if isinstance(node, ast.Compare) and type(node.ops[0]) in OTHER_OPERATOR:
        other = OTHER_OPERATOR[type(node.ops[0])]()
        yield f"{_word(node.ops[0])} to {_word(other)}", _other_comparison
    if isinstance(node, ast.UnaryOp):
        yield f"{_word(node.op)} dropped", _replace_by_operand
    if isinstance(node, ast.Constant):
        yield from _edits_of_constant(node)
    if isinstance(node, ast.Call):
        yield from _edits_of_call(node)
    if isinstance(node, ast.If | ast.IfExp | ast.While):
        yield "condition turned round", _negate
    if isinstance(node, ast.stmt) and not isinstance(node, ast.FunctionDef | ast.ClassDef):
        yield "statement dropped", _drop_statement
    if isinstance(node, ast.FunctionDef) and node.decorator_list:
        yield "decorator dropped", _drop_decorator


def _word(node: ast.AST) -> str:
    return type(node).__name__


def _edits_of_constant(node: ast.Constant) -> Iterator[tuple[str, Any]]:
    value = node.value
    if isinstance(value, bool):
        yield f"{value} to {not value}", _set_constant(not value)
    elif isinstance(value, int | float):
        yield f"{value} to {value + 1}", _set_constant(value + 1)
        if value not in (0, -1):
            yield f"{value} to 0", _set_constant(0)
    elif value is None:
        yield "None to 1", _set_constant(1)


def _edits_of_call(node: ast.Call) -> Iterator[tuple[str, Any]]:
    name = ast.unparse(node.func)
    if node.args:
        yield f"{name}(...) replaced by its first argument", _replace_by_argument
    if isinstance(node.func, ast.Attribute):
        yield f"{name}() left out", _replace_by_object
    if len(node.args) >= 2:
        yield f"first two arguments of {name} swapped", _swap_arguments
    for i, keyword in enumerate(node.keywords):
        yield f"{keyword.arg}= of {name} dropped", _drop_keyword(i)


# ---- edits: each returns whether it changed something ----


def _other_operator(_tree: ast.AST, node: Any) -> bool:
    node.op = OTHER_OPERATOR[type(node.op)]()
    return True


def _other_comparison(_tree: ast.AST, node: Any) -> bool:
    node.ops[0] = OTHER_OPERATOR[type(node.ops[0])]()
    return True


def _set_constant(value: Any) -> Any:
    def edit(_tree: ast.AST, node: Any) -> bool:
        node.value = value
        return True

    return edit


def _negate(_tree: ast.AST, node: Any) -> bool:
    node.test = ast.UnaryOp(ast.Not(), node.test)
    return True


def _drop_decorator(_tree: ast.AST, node: Any) -> bool:
    del node.decorator_list[0]
    return True


def _swap_arguments(_tree: ast.AST, node: Any) -> bool:
    node.args[0], node.args[1] = node.args[1], node.args[0]
    return True


def _drop_keyword(i: int) -> Any:
    def edit(_tree: ast.AST, node: Any) -> bool:
        del node.keywords[i]
        return True

    return edit


def _replace_by_operand(tree: ast.AST, node: Any) -> bool:
    return _replace(tree, node, node.operand)


def _replace_by_argument(tree: ast.AST, node: Any) -> bool:
    if isinstance(node.args[0], ast.Starred):
        return False
    return _replace(tree, node, node.args[0])


def _replace_by_object(tree: ast.AST, node: Any) -> bool:
    return _replace(tree, node, node.func.value)


def _drop_statement(tree: ast.AST, node: Any) -> bool:
    docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    if docstring:
        return False
    return _replace(tree, node, ast.Pass())


def _replace(tree: ast.AST, old: ast.AST, new: ast.AST) -> bool:
    """Put one node in the place of another; return whether it was found."""
    for parent in ast.walk(tree):
        for field, value in ast.iter_fields(parent):
            if value is old:
                setattr(parent, field, new)
                return True
            if isinstance(value, list):
                for i, item in enumerate(value):
                    if item is old:
                        value[i] = new
                        return True
    return False


# ---- judging ----


def judge(connection: Connection) -> None:
    """Check one mutant after the other: (solution, source, with cells above?) in, a state out."""
    os.environ["LABKIT_HOME"] = tempfile.mkdtemp()
    os.environ["TQDM_DISABLE"] = "1"
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    os.environ["LABKIT_BUDGET"] = "0.05"  # the cells above measure; nobody reads it
    os.environ.pop("LABKIT_STRICT", None)
    sys.stdout = sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    import labkit as lab

    lab.setup()
    import keras
    import numpy as np
    import tensorflow as tf

    above: dict[str, dict[str, Any]] = {}  # by exercise: the names that the cells above define
    while True:
        solution, source, needs_cells = connection.recv()
        space: dict[str, Any] = {"lab": lab, "np": np, "tf": tf, "keras": keras}
        try:
            exec(solution.imports, space)
            if needs_cells and solution.id not in above:
                for cell in solution.before:
                    exec(cell, space)
                above[solution.id] = dict(space)
            space.update(above.get(solution.id, {}))
            exec(_compiled(source), space)
            state = lab.check(solution.id, space[solution.name]).state
        except BaseException as error:  # whatever a mutant does, it is refused
            state = type(error).__name__
        connection.send(state)


def _compiled(source: str) -> Any:
    """Return the code of a cell, whose lines AutoGraph can read as it can those of a notebook."""
    name = f"<mutant {hash(source)}>"
    linecache.cache[name] = (len(source), None, source.splitlines(True), name)
    return compile(source, name, "exec")


class Judge:
    """A process that checks mutants; one that does not answer in time is replaced."""

    def __init__(self) -> None:
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._here, there = context.Pipe()
        self._process = context.Process(target=judge, args=(there,), daemon=True)
        self._process.start()

    def state(self, solution: Solution, source: str, needs_cells: bool = False) -> str:
        """Return the state that the checker gives, or the name of what went wrong."""
        self._here.send((solution, source, needs_cells))
        try:
            if self._here.poll(LIMIT):
                return str(self._here.recv())
        except EOFError:
            pass
        self._process.kill()
        self._process.join()
        self._start()
        return "no answer"

    def close(self) -> None:
        """Stop the process."""
        self._process.kill()
        self._process.join()


def equivalent() -> dict[str, str]:
    """Return the mutants that do the same as their solution, with the reason."""
    if not EQUIVALENT.exists():
        return {}
    listed = tomllib.loads(EQUIVALENT.read_text(encoding="utf-8"))
    return {entry["mutant"]: entry["reason"] for entry in listed.get("equivalent", [])}


def main() -> int:
    """Print the mutants that passed, and the share that was refused; return 0 if it is enough."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("only", nargs="*", help="numbers of lessons, such as 02, or of exercises")
    only = tuple(parser.parse_args().only)
    known = equivalent()
    judge_process = Judge()
    refused: Counter[str] = Counter()
    tried: Counter[str] = Counter()
    survivors = []
    for lesson in sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb")):
        for solution in solutions(lesson):
            if only and not solution.id.startswith(only):
                continue
            needs_cells = judge_process.state(solution, solution.source) != "passed"
            if needs_cells and judge_process.state(solution, solution.source, True) != "passed":
                print(f"{solution.id}: the solution itself does not pass", flush=True)
                return 1
            for mutant in mutants(solution):
                if mutant.key in known:
                    continue
                tried[solution.id] += 1
                if judge_process.state(solution, mutant.source, needs_cells) == "passed":
                    survivors.append(mutant)
                    print(f"passed: {mutant.key}", flush=True)
                else:
                    refused[solution.id] += 1
            print(f"{solution.id}: {refused[solution.id]} of {tried[solution.id]}", flush=True)
    judge_process.close()
    share = refused.total() / max(1, tried.total())
    too_few = [id for id in tried if refused[id] < WANTED * tried[id]]
    print(f"{refused.total()} of {tried.total()} mutants were refused ({share:.1%})")
    print(f"fewer than {WANTED:.0%}: {', '.join(too_few) or 'none'}")
    print(f"{len(known)} equivalent ones are listed in {EQUIVALENT.name}")
    return 0 if share >= WANTED else 1


if __name__ == "__main__":
    sys.exit(main())
