"""Help in a notebook: say which cell to run where a name has no value.

IPython tells this module of every cell that has run and of every NameError. Nothing else changes.
"""

import ast
import builtins
import contextlib
import difflib
import json
import os
import re
import symtable
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from ..show.errors import line_of_error
from ..show.message import NOTE, message_html, running_shell, show

# Names that a cell gives a value to, in text that is not Python or not yet.
_NAMES_IN_TEXT = re.compile(r"^(?:async\s+)?(?:def|class)\s+(\w+)|^(\w+)\s*=(?!=)", re.MULTILINE)
_HEADING = re.compile(r"^#+\s+(.+?)\s*$", re.MULTILINE)
_RUN_ABOVE = "Run > Run All Above Selected Cell, then this cell again."

_failed: dict[str, str] = {}  # by name: the error of the newest cell that should give it a value
_installed_in: Any = None  # the shell of IPython
_folder = Path()  # of the notebook: where the kernel was started


class _Cell(NamedTuple):
    """A code cell of the notebook's file: the heading above it, its source, and its names."""

    heading: str
    source: str
    names: set[str]


def install() -> None:
    """Begin to follow the cells and the NameErrors of this notebook, if it is one.

    A handler of errors that the learner has set stays.
    """
    global _installed_in, _folder
    shell = running_shell()
    if shell is None or shell is _installed_in:
        return
    _installed_in = shell
    _folder = Path.cwd()
    shell.events.register("post_run_cell", _remember)
    if not shell.custom_exceptions:
        shell.set_custom_exc((NameError,), _show_name_error)


def failure_behind(value: Any) -> str:
    """Return what happened to the cell that should have replaced this value; empty if nothing did.

    After a SyntaxError in its cell, a function is still the one before it.
    """
    if _installed_in is None:
        return ""
    for name, what in _failed.items():
        if _installed_in.user_ns.get(name) is value:
            return f"the cell that defines `{name}` ended with {what}"
    return ""


# ---- cells that failed ----


def _remember(result: Any) -> None:
    """Note the names that a cell should have given a value to, and did not."""
    if result is None or result.info.raw_cell is None:
        return
    source = result.info.raw_cell
    error = result.error_before_exec or result.error_in_exec
    if error is None:
        for name in _names_made(source):
            _failed.pop(name, None)
        return
    what = _in_words(error)
    made = set()
    if result.error_before_exec is None:
        made = _names_made("".join(source.splitlines(True)[: _line_in_cell(error) - 1]))
    for name in _names_made(source):
        _failed.pop(name, None)
        if name not in made:
            _failed[name] = what


def _line_in_cell(error: BaseException) -> int:
    """Return the line of the cell that ended with an error; the first one if it is not known."""
    traceback = error.__traceback__
    while traceback is not None:
        if traceback.tb_frame.f_code.co_name == "<module>":
            return traceback.tb_lineno
        traceback = traceback.tb_next
    return 1


def _in_words(error: BaseException) -> str:
    """Return the kind of an error and its line, such as ``SyntaxError in line 3: `return 2 *```."""
    kind = type(error).__name__
    if isinstance(error, SyntaxError) and error.lineno:
        line = f"line {error.lineno}"
        if error.text and error.text.strip():
            line += f": `{error.text.strip()}`"
        return f"{kind} in {line}"
    place = line_of_error(error)
    return f"{kind} in {place}" if place else kind


def _names_made(source: str) -> set[str]:
    """Return the names that a cell gives a value to: variables, functions, classes, modules."""
    try:
        symbols = symtable.symtable(source, "cell", "exec").get_symbols()
    except (SyntaxError, ValueError):
        return {function or variable for function, variable in _NAMES_IN_TEXT.findall(source)}
    names = {
        symbol.get_name() for symbol in symbols if symbol.is_assigned() or symbol.is_imported()
    }
    return names - _only_in_comprehensions(source)


def _only_in_comprehensions(source: str) -> set[str]:
    """Return the variables of comprehensions, which Python 3.12 and later count to the cell."""
    tree = ast.parse(source)
    inside: set[str] = set()
    of_comprehensions: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.comprehension):
            targets = [name for name in ast.walk(node.target) if isinstance(name, ast.Name)]
            inside.update(name.id for name in targets)
            of_comprehensions.update(id(name) for name in targets)
    return inside - {
        name for node in ast.walk(tree) if id(node) not in of_comprehensions for name in _made(node)
    }


def _made(node: ast.AST) -> list[str]:
    """Return the names that a part of a program makes."""
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        return [node.id]
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.alias):
        return [node.asname or node.name.partition(".")[0]]
    return []


# ---- names without a value ----


def _show_name_error(
    shell: Any,
    kind: type[NameError],
    error: NameError,
    traceback: TracebackType,
    tb_offset: int | None = None,
) -> None:
    """Show a NameError as IPython does, and what to run below it."""
    shell.showtraceback((kind, error, traceback), tb_offset=tb_offset)
    with contextlib.suppress(Exception):  # help that fails must not hide the error
        advice = _advice(shell, error)
        if advice:
            page = message_html(NOTE, f"`{error.name}` has no value yet.", advice)
            show(f"`{error.name}` has no value yet. {advice}", page)


def _advice(shell: Any, error: NameError) -> str:
    """Return what to run where a name has no value; empty where that is not known."""
    name = error.name
    # An UnboundLocalError, or an error inside a library, is no matter of cells.
    if type(error) is not NameError or not name or not _is_of_a_cell(error, shell.user_ns):
        return ""
    if name in _failed:
        return (
            f"The cell that makes it ended with {_failed[name]}. "
            "Correct that cell and run it, then this one again."
        )
    cells = _cells()
    if any(name in cell.names for cell in cells):
        return _advice_from_cells(name, cells, _current_source(shell))
    alike = difflib.get_close_matches(name, [*shell.user_ns, *dir(builtins)], n=1, cutoff=0.75)
    if alike:
        return f"Did you mean `{alike[0]}`?"
    if cells:  # a name that the notebook does not know
        return ""
    return f"If it is made in a cell further up: {_RUN_ABOVE}"


def _is_of_a_cell(error: NameError, names: dict[str, Any]) -> bool:
    """Return whether the innermost frame of an error is code of a cell."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    return traceback is not None and traceback.tb_frame.f_globals is names


def _advice_from_cells(name: str, cells: list[_Cell], current: str) -> str:
    """Return which cell of the notebook gives a value to a name."""
    sources = [cell.source for cell in cells]
    here = sources.index(current) if current in sources else len(cells)
    above = [cell for cell in cells[:here] if name in cell.names]
    below = [cell for cell in cells[here + 1 :] if name in cell.names]
    if above:
        where = f"It is made in a cell further up{_under(above[0])}."
        if _is_imported(name, above[0].source):
            return f"{where} Run that cell, then this one again."
        return f"{where} {_RUN_ABOVE}"
    if below:
        return f"It is made in a cell further down{_under(below[0])}: run that one first."
    return ""


def _is_imported(name: str, source: str) -> bool:
    """Return whether a cell only imports a name, and so needs no other cell before it."""
    try:
        return symtable.symtable(source, "cell", "exec").lookup(name).is_imported()
    except (SyntaxError, ValueError, KeyError):
        return False


def _under(cell: _Cell) -> str:
    return f", below the heading “{cell.heading}”" if cell.heading else ""


def _cells() -> list[_Cell]:
    """Return the code cells of this notebook as it was saved; none if its file is not known."""
    name = Path(os.environ.get("JPY_SESSION_NAME", "")).name
    if not name.endswith(".ipynb"):
        return []
    try:
        notebook = json.loads((_folder / name).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    cells = []
    heading = ""
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            headings = _HEADING.findall(source)
            heading = headings[-1] if headings else heading
        if cell["cell_type"] == "code":
            cells.append(_Cell(heading, source, _names_made(source)))
    return cells


def _current_source(shell: Any) -> str:
    """Return the text of the cell that runs."""
    return shell.history_manager.input_hist_raw[-1]
