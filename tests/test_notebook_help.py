"""A notebook says which cell to run where a name has no value, and which cell has failed."""

import json
import os
import re
import signal
import threading
import time

import nbformat
import pytest
from fakes import ROOT
from kernels import client, kernel_environment
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from labkit.course import notebook_help
from labkit.course.notebook_help import _names_made

STARTUP = ROOT / "labkit" / "course" / "startup.py"

# ---- in a kernel that was started as `make lab` does ----

EXERCISE = """
from labkit.course.exercises.engine import NotYet, exercise

@exercise("99.1", "double", section="Setup", hints=("a", "b", "c"))
def _double(answer):
    if answer(3) != 6:
        raise NotYet("3", "6")
    return "doubled"
"""
CELLS = {
    "startup": "own_name, '_start' in globals(), 'install' in globals()",
    "before setup": "lab.check('99.1', 3)",
    "setup": f"import labkit as lab\n{EXERCISE}",
    "out of order": "cost + 1",
    "made": "cost = 1 if later_name else 2",
    "after a failure": "cost + 1",
    "further down": "later_name",
    "typo": "labb.check",
    "unknown": "zzzzz",
    "in a library": "import textwrap as t\nt.fill.__globals__.pop('TextWrapper')\nt.fill('')",
    "other error": "[].x",
    "unbound": "def f():\n    print(y)\n    y = 1\n\nf()",
    "right": "def answer(x):\n    return 2 * x",
    "passes": "lab.check('99.1', answer)",
    "syntax error": "def answer(x):\n    return 2 * x +",
    "not judged": "lab.check('99.1', answer)",
    "defined, then failed": "def answer(x):\n    return 3 * x\n\n1 / 0",
    "judged": "lab.check('99.1', answer)",
    "raises": "def answer(x):\n    y = x\n    return y.z\n\nlab.check('99.1', answer)",
    "magic": "%time answer = None",
    "expected": "with lab.expect(NameError):\n    nothing_there",
    "no step": "lab.hint('99.1', 4)",
    "no exercise": "lab.check('99.9', answer)",
    "own handler": "get_ipython().set_custom_exc((NameError,), lambda *_, **__: print('mine'))",
    "by the own handler": "cost_of_it",
}
HEADINGS = {"setup": "# Setup", "made": "Some text\n\n## One `round`\n\nmore"}


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    """Run all cells as a learner would; return what each of them shows."""
    folder = tmp_path_factory.mktemp("lessons")
    own_startup = folder / "own.py"
    own_startup.write_text("own_name = 'kept'", encoding="utf-8")
    cells = []
    for name, source in CELLS.items():
        if name in HEADINGS:
            cells.append(new_markdown_cell(HEADINGS[name]))
        cells.append(new_code_cell(source))
    cells.append(new_markdown_cell("## The end"))
    cells.append(new_code_cell("later_name = 1\nraise SystemExit"))
    notebook = new_notebook(cells=cells)
    nbformat.write(notebook, folder / "lesson.ipynb")
    del notebook.cells[-2:]
    environment = kernel_environment(
        folder / "home",
        LABKIT_STRICT=None,
        PYTHONSTARTUP=str(STARTUP),
        LABKIT_PYTHONSTARTUP=str(own_startup),
        JPY_SESSION_NAME="some/where/lesson.ipynb",
    )
    client(notebook, folder, allow_errors=True).execute(env=environment)
    run = [cell.outputs for cell in notebook.cells if cell.cell_type == "code"]
    return dict(zip(CELLS, run, strict=True))


def text(outputs):
    """Return the text of the outputs of a cell, without that of errors."""
    texts = []
    for output in outputs:
        if output.output_type == "stream":
            texts.append(output.text)
        elif "data" in output:
            texts.append(output.data["text/plain"])
    return "\n".join(texts)


def traceback(outputs):
    """Return the traceback of the one error of a cell, without colours."""
    [error] = [output for output in outputs if output.output_type == "error"]
    return re.sub(r"\x1b\[[\d;]*m", "", "\n".join(error.traceback))


def test_the_startup_file_runs_the_learners_own_and_leaves_no_name(outputs):
    assert text(outputs["startup"]) == "('kept', False, False)"


def test_before_setup_a_check_says_where_it_is(outputs):
    found = outputs["before setup"]
    assert "NameError: name 'lab' is not defined" in traceback(found)
    assert text(found) == (
        "`lab` has no value yet. It is made in a cell further down, below the heading “Setup”: "
        "run that one first."
    )
    assert "<strong><code" in found[-1].data["text/html"]


@pytest.mark.parametrize(
    ("cell", "advice"),
    [
        (
            "out of order",
            "`cost` has no value yet. It is made in a cell further down, below the heading “One "
            "`round`”: run that one first.",
        ),
        (
            "after a failure",
            "`cost` has no value yet. The cell that makes it ended with NameError in line 1: "
            "`cost = 1 if later_name else 2`. Correct that cell and run it, then this one again.",
        ),
        (
            "further down",
            "`later_name` has no value yet. It is made in a cell further down, below the heading "
            "“The end”: run that one first.",
        ),
        ("typo", "`labb` has no value yet. Did you mean `lab`?"),
        ("unknown", ""),
        ("in a library", ""),
        ("other error", ""),
        ("unbound", ""),
        ("expected", "NameError: name 'nothing_there' is not defined"),
    ],
)
def test_a_name_without_a_value_is_explained(outputs, cell, advice):
    assert text(outputs[cell]) == advice
    if cell != "expected":
        assert "Traceback (most recent call last)" in traceback(outputs[cell])


def test_the_version_before_a_syntax_error_is_not_judged(outputs):
    assert text(outputs["passes"]) == "✓ 99.1 passed: doubled"
    assert text(outputs["not judged"]).startswith(
        "✗ 99.1 not yet: the cell that defines `answer` ended with SyntaxError in line 2: "
        "`return 2 * x +`. Correct it and run it"
    )


def test_a_function_that_was_defined_before_the_error_is_judged(outputs):
    assert text(outputs["judged"]) == "✗ 99.1 not yet: 3; wanted: 6"


def test_the_line_of_an_answer_is_that_of_its_cell(outputs):
    assert text(outputs["raises"]) == (
        "✗ 99.1 not yet: your answer raised AttributeError: 'int' object has no attribute 'z', "
        "in line 3: `return y.z`. Look at: Setup"
    )


@pytest.mark.parametrize(
    ("cell", "line"),
    [
        ("no step", "✗ the step of a hint is 1, 2 or 3, got 4"),
        ("no exercise", "✗ there is no exercise '99.9'; there are: 99.1"),
    ],
)
def test_a_wrong_call_is_one_sentence_without_a_traceback(outputs, cell, line):
    assert traceback(outputs[cell]) == line


def test_a_handler_of_the_learner_wins(outputs):
    assert text(outputs["by the own handler"]) == "mine\n"


# ---- the stop button ----


LOOPS = {
    "a loop": "while True: pass",
    "a loop that catches everything": "while True:\n        try: 1\n        except: 2",
}


@pytest.mark.skipif(os.name != "posix", reason="Windows has no signal to send to a kernel")
@pytest.mark.parametrize("loop", LOOPS.values(), ids=LOOPS)
def test_the_stop_button_shows_one_line(tmp_path, loop):
    source = f"import labkit as lab\n{EXERCISE}\ndef answer(x):\n    {loop}"
    cells = [new_code_cell(source), new_code_cell("lab.check('99.1', answer)")]
    notebook = new_notebook(cells=cells)
    runner = client(notebook, tmp_path, allow_errors=True)
    ended = []

    def press_soon(cell, cell_index):
        if cell_index == 1:
            threading.Timer(2, os.kill, [runner.km.provisioner.pid, signal.SIGINT]).start()

    runner.on_cell_execute = press_soon
    runner.on_cell_executed = lambda **_: ended.append(time.monotonic())
    runner.execute(env=kernel_environment(tmp_path, LABKIT_STRICT=None))
    assert traceback(notebook.cells[1].outputs) == "■ check interrupted: nothing was recorded"
    assert ended[1] - ended[0] < 2 + 10  # it takes one second, and more on a busy machine
    assert not (tmp_path / "progress.json").exists()


# ---- without a kernel ----


def test_outside_a_notebook_nothing_is_installed(monkeypatch):
    monkeypatch.setattr(notebook_help, "_installed_in", None)
    notebook_help.install()
    assert notebook_help._installed_in is None
    assert notebook_help.failure_behind(print) == ""


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("a = 1\nb: int = 2\nc += 1", {"a", "b", "c"}),
        ("def f():\n    inside = 1\n\nclass C: x = 1", {"f", "C"}),
        ("import a.b, c as d\nfrom e import f as g", {"a", "d", "g"}),
        ("for i in x:\n    with y as z:\n        w, v = z", {"i", "z", "w", "v"}),
        ("[n for n in x]\nprint(y)", set()),
        ("[n for n in x]\nn = 2", {"n"}),
        ("import n\n[n for n in x]", {"n"}),
        ("(walrus := 3)", {"walrus"}),
        ("def f(:\nx = 3\n  y = 4\nz == 5", {"f", "x"}),
        ("%time\na = 1\nasync def g(): ...", {"a", "g"}),
        ("", set()),
        ("a\x00b = 1", set()),
    ],
)
def test_the_names_that_a_cell_makes(source, names):
    assert _names_made(source) == names


@pytest.mark.parametrize("content", [None, "", "{", json.dumps({"cells": []})])
def test_without_the_file_of_the_notebook_no_cell_is_known(tmp_path, monkeypatch, content):
    if content is not None:
        (tmp_path / "x.ipynb").write_text(content, encoding="utf-8")
    monkeypatch.setattr(notebook_help, "_folder", tmp_path)
    monkeypatch.setenv("JPY_SESSION_NAME", "x.ipynb")
    assert notebook_help._cells() == []
    monkeypatch.delenv("JPY_SESSION_NAME")
    assert notebook_help._cells() == []


class Shell:
    """What the advice asks of IPython."""

    user_ns: dict
    history_manager = None


def advice_on(name, **values):
    """Return the advice where the notebook is not known."""
    shell = Shell()
    shell.user_ns = dict(values)
    with pytest.raises(NameError) as caught:
        exec(name, shell.user_ns)
    return notebook_help._advice(shell, caught.value)


def test_where_the_notebook_is_not_known_the_advice_is_cautious(monkeypatch):
    monkeypatch.setattr(notebook_help, "_cells", list)
    assert advice_on("cost") == (
        "If it is made in a cell further up: Run > Run All Above Selected Cell, then this cell "
        "again."
    )
    assert advice_on("modelx", model=1) == "Did you mean `model`?"
    assert advice_on("prnt") == "Did you mean `print`?"


CELL_ROWS = [
    notebook_help._Cell("Setup", "import labkit as lab", {"lab"}),
    notebook_help._Cell("Your turn", "cost = lab.compare()", {"cost"}),
    notebook_help._Cell("", "x = x + cost", {"x"}),
]


@pytest.mark.parametrize(
    ("name", "here", "advice"),
    [
        (
            "cost",
            "x = x + cost",
            "It is made in a cell further up, below the heading “Your turn”. Run > Run All Above "
            "Selected Cell, then this cell again.",
        ),
        (
            "lab",
            "cost = lab.compare()",
            "It is made in a cell further up, below the heading “Setup”. Run that cell, then this "
            "one again.",
        ),
        (
            "cost",
            "a cell that is not saved yet",
            "It is made in a cell further up, below the heading “Your turn”. Run > Run All Above "
            "Selected Cell, then this cell again.",
        ),
        ("x", "cost = lab.compare()", "It is made in a cell further down: run that one first."),
        ("x", "x = x + cost", ""),
    ],
)
def test_the_advice_names_the_cell_that_makes_the_name(name, here, advice):
    assert notebook_help._advice_from_cells(name, CELL_ROWS, here) == advice
