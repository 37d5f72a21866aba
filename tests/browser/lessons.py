"""The lessons as files: their cells, their exercises, and right and wrong answers to these."""

import ast
import re
from dataclasses import dataclass
from functools import cache
from typing import Any

import nbformat
from lab_server import NOTEBOOKS, ROOT

WRONG_ANSWERS = ROOT / "tests" / "wrong_answers"
CHECK = re.compile(r'lab\.check\("(?P<id>[\w.]+)", (?P<name>\w+)\)')
GUESS = re.compile(r"^(?P<name>\w+) = lab\.guess\(", re.MULTILINE)


@dataclass
class Exercise:
    """One exercise: its stub and its solution, and the name that `lab.check` is given."""

    id: str
    name: str
    stub: str
    solution: str

    def wrong(self) -> tuple[str, str]:
        """Return a wrong answer as the text of a cell, and a part of the message that it gets."""
        for id, answer, says in _wrong_answers(self.id.partition(".")[0]):
            if id == self.id:
                return answer.format(name=self.name), says
        return _generic(self.stub), "not yet"


def paths() -> list[str]:
    """Return the path of each lesson below notebooks/, the longest first."""
    found = [*NOTEBOOKS.glob("[0-9]*.ipynb"), *NOTEBOOKS.glob("trials/*.ipynb")]
    names = [path.relative_to(NOTEBOOKS).as_posix() for path in found]
    return sorted(names, key=lambda name: -len(code(name)))


@cache
def notebook(path: str) -> Any:
    """Return the reference edition of a lesson."""
    return nbformat.read(NOTEBOOKS / path, as_version=4)


def code(path: str) -> list[str]:
    """Return the texts of the code cells of a lesson."""
    return [cell.source for cell in notebook(path).cells if cell.cell_type == "code"]


def measures(source: str) -> bool:
    """Return whether a cell compares something when it runs."""
    called = re.search(r"^(?:\w+ = |    \w+ = )?lab\.compare\(", source, re.MULTILINE)
    return bool(called) and "lab.expect(" not in source and "def " not in source


def uses(source: str, name: str) -> bool:
    """Return whether a cell uses a name when it runs, not only in a function that it defines."""
    if name not in source:
        return False
    for statement in ast.parse(source).body:
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            continue
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load):
                return True
    return False


def shortest_with_everything() -> str:
    """Return the shortest lesson with a guess, a slider over a picture, and a measurement."""
    for path in reversed(paths()):
        text = "\n".join(code(path))
        if GUESS.search(text) and "lab.explore(" in text and any(map(measures, code(path))):
            return path
    raise AssertionError("no lesson has all of these")


def exercises(path: str) -> list[Exercise]:
    """Return the exercises of a lesson."""
    found = []
    stub = solution = ""
    for cell in notebook(path).cells:
        tags = cell.metadata.get("tags", [])
        if "exercise" in tags:
            stub = cell.source
        elif "solution" in tags:
            solution = cell.source
        elif match := CHECK.search(cell.source):
            found.append(Exercise(match["id"], match["name"], stub, solution))
    return found


def _generic(stub: str) -> str:
    """Return an answer that is wrong in any exercise: the stub with a text in place of the dots."""
    tree = ast.parse(stub)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            node.body = ast.parse("return 'a wrong answer'").body
        if isinstance(node, ast.Assign):
            node.value = ast.Constant("a wrong answer")
    return ast.unparse(tree)


@cache
def _wrong_answers(lesson: str) -> list[tuple[str, str, str]]:
    """Return the id, the code and a part of the message of each wrong answer of a lesson.

    They are read as text, so that a learner can type them: each with what it needs of its module.
    The code is a pattern with a place for the name of the answer.
    """
    path = WRONG_ANSWERS / f"lesson_{lesson}.py"
    if not path.exists():
        return []
    module = ast.parse(path.read_text(encoding="utf-8"))
    defined = _definitions(module)
    found = []
    for entry in _entries(defined.pop("WRONG")):
        id, _, answer, says = entry.elts
        lines = [ast.unparse(statement) for statement in _needs(answer, defined)]
        code = "\n".join([*lines, ast.unparse(answer)])
        code = code.replace("{", "{{").replace("}", "}}")
        last = code.rindex("\n") + 1 if lines else 0
        pattern = f"{code[:last]}{{name}} = {code[last:]}"
        found.append((ast.literal_eval(id), pattern, ast.literal_eval(says)))
    return found


def _entries(wrong: ast.stmt) -> list[ast.Tuple]:
    """Return the entries of the list WRONG that are written out."""
    assert isinstance(wrong, ast.Assign | ast.AnnAssign)
    assert isinstance(wrong.value, ast.List)
    return [entry for entry in wrong.value.elts if isinstance(entry, ast.Tuple)]


def _definitions(module: ast.Module) -> dict[str, ast.stmt]:
    """Return the statements of a module by the names that they define."""
    defined: dict[str, ast.stmt] = {}
    for statement in module.body:
        for name in _names_of(statement):
            defined[name] = statement
    return defined


def _names_of(statement: ast.stmt) -> list[str]:
    """Return the names that a statement defines."""
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return [statement.name]
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return [alias.asname or alias.name.partition(".")[0] for alias in statement.names]
    if isinstance(statement, ast.Assign | ast.AnnAssign):
        targets = ast.walk(statement)
        return [
            node.id
            for node in targets
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        ]
    return []


def _needs(code: ast.AST, defined: dict[str, ast.stmt]) -> list[ast.stmt]:
    """Return the statements that a piece of code needs, in the order of the module."""
    needed: set[str] = set()
    unread = [code]
    while unread:
        for node in ast.walk(unread.pop()):
            if not isinstance(node, ast.Name) or node.id not in defined or node.id in needed:
                continue
            needed.add(node.id)
            unread.append(defined[node.id])
    statements = []
    for name, statement in defined.items():
        if name in needed and statement not in statements:
            statements.append(statement)
    return statements
