"""Check a learner's answer, give hints, and keep a local record of what was passed.

A checker compares results with an oracle and counts calls and traces; it never reads a clock.
A wrong answer raises only with ``LABKIT_STRICT=1``, as in the tests.
"""

import contextlib
import dis
import importlib
import importlib.util
import json
import math
import os
import pkgutil
import random
import types
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...measure.agreement import first_difference
from ...show.errors import one_line
from ...show.table import Table
from ..files import write_atomically
from ..models import random_rows

PASSED = "passed"
NOT_YET = "not yet"
NOT_ATTEMPTED = "not attempted"
_SYMBOLS = {PASSED: "✓", NOT_YET: "✗", NOT_ATTEMPTED: "○"}

# The section to name where the exercise itself says what is wanted.
EXERCISE_TEXT = "the text of the exercise"

_PACKAGE = __name__.rpartition(".")[0]
_RECORD = "progress.json"
# The instructions of a function that does nothing, but for those that load or return a constant.
_IDLE_OPERATIONS = {"RESUME", "NOP", "RETURN_VALUE"}

_exercises: dict[str, "Exercise"] = {}


class NotYet(Exception):
    """Raised by a checker for an answer that is not right yet.

    Parameters
    ----------
    seen, wanted : str
        What the answer does, and what it should do.
    section : str
        The section of the lesson that helps.
    """

    def __init__(self, seen: str, wanted: str, section: str = ""):
        super().__init__(_with_section(f"{seen}; wanted: {wanted}", section))


@dataclass
class Exercise:
    """One exercise.

    Attributes
    ----------
    id, title : str
        Such as ``"02.1"`` and a few words.
    checker : callable
        Takes the answer; returns what is right about it, or raises `NotYet`.
    hints : tuple of str
        Three steps: a question, a tool, a skeleton.
    section : str
        The section of the lesson that helps.
    """

    id: str
    title: str
    checker: Callable[[Any], str]
    hints: tuple[str, str, str]
    section: str


def exercise(id: str, title: str, *, section: str, hints: tuple[str, str, str]) -> Callable:
    """Return a decorator that registers a function as the checker of an exercise."""

    def register(checker: Callable[[Any], str]) -> Callable[[Any], str]:
        _exercises[id] = Exercise(id, title, checker, hints, section)
        return checker

    return register


@dataclass(repr=False)
class Outcome:
    """The state of an exercise after a check.

    Attributes
    ----------
    id : str
        Number of the exercise.
    state : str
        ``passed``, ``not yet`` or ``not attempted``.
    message : str
        What was seen and what is wanted.
    """

    id: str
    state: str
    message: str

    def __repr__(self) -> str:
        line = f"{_SYMBOLS[self.state]} {self.id} {self.state}"
        if self.message:
            line += f": {self.message}"
        return line


def check(id: str, answer: Any) -> Outcome:
    """Check an answer to an exercise.

    Parameters
    ----------
    id : str
        Number of the exercise, such as ``"02.1"``.
    answer : function or value
        Yours.

    Returns
    -------
    Outcome
        *not attempted*, *not yet* or *passed*, and what was seen. A wrong answer does not raise,
        unless the environment variable ``LABKIT_STRICT`` is 1.

    Raises
    ------
    KeyError
        No exercise has that number.
    AssertionError
        The answer is not right, and ``LABKIT_STRICT`` is 1.

    Examples
    --------
    >>> check("00.1", ...)
    ○ 00.1 not attempted: replace the ... and run this cell again; lab.hint("00.1") helps
    """
    outcome = _outcome(_find(id), answer)
    _record(id, outcome.state)
    if os.environ.get("LABKIT_STRICT") == "1" and outcome.state != PASSED:
        raise AssertionError(repr(outcome))
    return outcome


def _outcome(task: Exercise, answer: Any) -> Outcome:
    """Return what the checker of an exercise finds."""
    if _is_stub(answer):
        advice = f'replace the ... and run this cell again; lab.hint("{task.id}") helps'
        return Outcome(task.id, NOT_ATTEMPTED, advice)
    try:
        return Outcome(task.id, PASSED, task.checker(answer))
    except Exception as error:
        return Outcome(task.id, NOT_YET, _explanation(error, task.section))


def _explanation(error: Exception, section: str) -> str:
    """Return what a learner reads about an error raised during a check."""
    # AutoGraph raises an error of its own in place of a NotYet raised during tracing.
    behind: BaseException | None = error
    while behind is not None:
        if isinstance(behind, NotYet):
            return str(behind)
        behind = behind.__cause__ or behind.__context__
    return _with_section(f"your answer raised {one_line(error)}", section)


def _with_section(sentence: str, section: str) -> str:
    """Return a sentence, followed by the section that helps if there is one."""
    if not section:
        return sentence
    if not sentence.endswith((".", "?")):
        sentence += "."
    return f"{sentence} Look at: {section}"


def hint(id: str, step: int = 1) -> str:
    """Return a hint: first a question, then the name of a tool, then a skeleton.

    Parameters
    ----------
    id : str
        Number of the exercise, such as ``"02.1"``.
    step : int
        1, 2 or 3.

    Returns
    -------
    str
        Displayed as text, without quotation marks.

    Raises
    ------
    KeyError
        No exercise has that number.
    ValueError
        No such step.

    Examples
    --------
    >>> hint("02.1").startswith("Hint 1 of 3")
    True
    """
    task = _find(id)
    if step not in (1, 2, 3):
        raise ValueError(f"step is 1, 2 or 3, got {step!r}")
    text = f"Hint {step} of 3: {task.hints[step - 1]}"
    if step < 3:
        text += f'\nThe next one: lab.hint("{id}", {step + 1})'
    return _Text(text)


class _Text(str):
    """A string that a notebook shows as it is, not in quotation marks."""

    def __repr__(self) -> str:
        return str(self)


def progress(lesson: str = "") -> Table:
    """Return a table of the exercises and their states, from a file on this machine only.

    Parameters
    ----------
    lesson : str
        Number of a lesson, such as ``"02"``; all lessons unless given.

    Returns
    -------
    Table
        A row per exercise. The record is ``progress.json`` in the folder of the notebook, or in
        the folder that the environment variable ``LABKIT_HOME`` names. Delete it to start over.

    Examples
    --------
    >>> progress("02").cells[0][1]
    'score many requests with few calls'
    """
    _import_lessons(lesson)
    states = _read()
    cells = []
    passed = 0
    for id, task in sorted(_exercises.items()):
        if not id.startswith(lesson):
            continue
        state = states.get(id, NOT_ATTEMPTED)
        cells.append([id, task.title, f"{_SYMBOLS[state]} {state}"])
        if state == PASSED:
            passed += 1
    caption = f"{passed} of {len(cells)} exercises passed"
    return Table(["", "exercise", "state"], cells, caption)


# ---- what the checkers share ----


def is_nothing(value: Any) -> bool:
    """Return whether this is the result of a function that returns nothing, or of a stub."""
    return value is None or value is ...


def type_of(value: Any) -> str:
    """Return what kind of value this is, in words that follow "returned"."""
    if is_nothing(value):
        return "nothing"
    return f"a value of type {type(value).__name__}"


def expect_result(got: Any, wanted: str, section: str, name: str = "your function") -> None:
    """Raise `NotYet` if the function called `name` returned nothing."""
    if is_nothing(got):
        raise NotYet(f"{name} returned nothing", f"{wanted}: is a `return` missing?", section)


def expect_function(answer: Any, name: str, wanted: str, section: str = EXERCISE_TEXT) -> Callable:
    """Return `answer` if it can be called, and raise `NotYet` otherwise."""
    if callable(answer):
        return answer
    raise NotYet(f"{name} returned {type_of(answer)}", wanted, section)


def expect_number(value: Any, section: str, seen: str = "your function returned") -> float:
    """Return a finite number as a float, and raise `NotYet` for anything else.

    The numbers of NumPy and TensorFlow are numbers too.
    """
    if is_nothing(value):
        raise NotYet(f"{seen} nothing", "a number: is a `return` missing?", section)
    if isinstance(value, bool) or not hasattr(value, "__float__"):
        raise NotYet(f"{seen} {type_of(value)}", "a number", section)
    shape = tuple(getattr(value, "shape", ()))
    if shape != ():
        raise NotYet(f"{seen} an array of shape {shape}", "one number", section)
    number = float(value)
    if not math.isfinite(number):
        raise NotYet(f"{seen} {number}", "a finite number", section)
    return number


def agree(got: Any, wanted: Any, where: str, section: str = "") -> None:
    """Raise `NotYet` if two results differ; `where` says for which input, in words."""
    expect_result(got, "a result", section, name=f"{where}, your function")
    problem = first_difference(got, wanted)
    if problem:
        seen = f"{where}, the result is wrong: {problem}"
        raise NotYet(seen, "the same result as the slow, correct code", section)


def is_close(got: float, wanted: float, tolerance: float = 1e-6) -> bool:
    """Return whether two numbers agree: relatively, and absolutely where they are below 0.001."""
    return math.isclose(got, wanted, rel_tol=tolerance, abs_tol=1e-3 * tolerance)


def reject_slips(
    got: float, slips: Iterable[tuple[float, str, str]], section: str, tolerance: float = 1e-6
) -> None:
    """Raise `NotYet` if a wrong number is what a known slip gives.

    A slip is a triple: the number that it gives, what that number is, and what is wanted.
    """
    for value, seen, wanted in slips:
        if is_close(got, value, tolerance):
            raise NotYet(seen, wanted, section)


def says(error: BaseException, *wordings: str) -> bool:
    """Return whether an error is worded in one of these ways, apart from case and quotation marks.

    The wording of an error changes from version to version: give those of several versions, and
    prefer the type of the error or the state of the answer where they are enough.
    """
    message = _unquoted(str(error))
    return any(_unquoted(wording) in message for wording in wordings)


def _unquoted(text: str) -> str:
    return text.casefold().translate(str.maketrans("", "", "`'\""))


def fresh_rows(n: int, inputs: int = 10) -> Any:
    """Return `n` rows of random numbers, different in every check."""
    return random_rows(n, inputs=inputs, seed=random.randrange(10_000))


class Spy:
    """A model that remembers with how many rows it was called, in a graph too.

    Parameters
    ----------
    model : callable
        The real one.

    Attributes
    ----------
    sizes : list of int
        The number of rows of each call, in order.
    """

    def __init__(self, model: Any):
        self.model = model
        self.sizes: list[int] = []

    def __call__(self, batch: Any, **options: Any) -> Any:
        """Call the model and remember the number of rows."""
        import tensorflow as tf

        if not hasattr(batch, "shape"):
            seen = f"the model got {type_of(batch)}"
            raise NotYet(seen, "one array: np.stack makes one of a list of rows")
        if tf.executing_eagerly():
            self._remember(batch.shape[0])
        else:
            # This line runs once per trace; the operation that it adds runs in every call.
            tf.numpy_function(self._remember, [tf.shape(batch)[0]], [])
        return self.model(batch, **options)

    predict_on_batch = __call__

    def predict(self, batch: Any, batch_size: int | None = None, **_: Any) -> Any:
        """Return the model's answers, and remember one call per batch, as Keras makes them."""
        answers = self(batch).numpy()
        n = self.sizes.pop()
        step = batch_size or 32
        for start in range(0, n, step):
            self._remember(min(step, n - start))
        return answers

    def _remember(self, rows: Any) -> None:
        self.sizes.append(int(rows))


# ---- finding exercises ----


def _find(id: str) -> Exercise:
    """Return an exercise, importing the module of its lesson if need be."""
    number = str(id).partition(".")[0]
    name = f"{_PACKAGE}.lesson_{number}"
    if id not in _exercises and importlib.util.find_spec(name):
        importlib.import_module(name)
    if id not in _exercises:
        siblings = sorted(known for known in _exercises if known.startswith(f"{number}."))
        known = ", ".join(siblings) or "none in that lesson"
        raise KeyError(f"no exercise {id!r}; there are: {known}")
    return _exercises[id]


def _import_lessons(lesson: str) -> None:
    """Import the modules of the lessons whose number starts with `lesson`."""
    package = importlib.import_module(_PACKAGE)
    for module in pkgutil.iter_modules(package.__path__):
        if module.name.startswith(f"lesson_{lesson}"):
            importlib.import_module(f"{_PACKAGE}.{module.name}")


def _is_stub(answer: Any) -> bool:
    """Return whether this is the untouched stub: ..., or a function whose body does nothing."""
    if is_nothing(answer):
        return True
    # A tf.function holds the function that it was made from.
    function = getattr(answer, "python_function", answer)
    code = getattr(function, "__code__", None)
    if not isinstance(code, types.CodeType):
        return False
    return all(_is_idle(instruction) for instruction in dis.get_instructions(code))


def _is_idle(instruction: dis.Instruction) -> bool:
    """Return whether an instruction is one of a function that does nothing."""
    if instruction.opname in ("LOAD_CONST", "RETURN_CONST"):
        return is_nothing(instruction.argval)
    return instruction.opname in _IDLE_OPERATIONS


# ---- the record ----


def _record_file() -> Path:
    return Path(os.environ.get("LABKIT_HOME") or ".") / _RECORD


def _read() -> dict[str, str]:
    """Return the recorded states; none if there is no record, or something else in its file."""
    try:
        states = json.loads(_record_file().read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(states, dict):
        return {}
    return {id: state for id, state in states.items() if state in (PASSED, NOT_YET)}


def _record(id: str, state: str) -> None:
    """Record a state; a pass stays, and looking at a stub is not recorded."""
    if state == NOT_ATTEMPTED:
        return
    states = _read()
    if states.get(id) == PASSED:
        return
    states[id] = state
    # A full disk or a read-only folder must not spoil a right answer.
    with contextlib.suppress(OSError):
        write_atomically(_record_file(), json.dumps(states, indent=1, sort_keys=True))
