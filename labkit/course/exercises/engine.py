"""Check a learner's answer, give hints, keep a local record of what was passed.

It compares with an oracle and counts, and looks at no clock. Only with ``LABKIT_STRICT=1``, as in the tests, it raises.
"""

import dis
import importlib
import importlib.util
import json
import os
import pkgutil
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...measure.agreement import first_difference
from ...show.errors import one_line
from ...show.table import Table

PASSED, NOT_YET, OPEN = "passed", "not yet", "not attempted"
_SIGNS = {PASSED: "✓", NOT_YET: "✗", OPEN: "○"}
EXERCISE_TEXT = "the text of the exercise"
_exercises: dict[str, "Exercise"] = {}


class NotYet(Exception):
    """An answer that is not right yet.

    Parameters
    ----------
    seen, wanted, section : str
        What the answer does, what it should do, and where in the lesson to look.
    """

    def __init__(self, seen: str, wanted: str, section: str = ""):
        stop = "" if wanted.endswith((".", "?")) else "."
        super().__init__(
            f"{seen}; wanted: {wanted}" + (f"{stop} Look at: {section}" if section else "")
        )


@dataclass
class Exercise:
    """One exercise.

    Attributes
    ----------
    id, title : str
        Such as ``"02.1"`` and a few words.
    checker : callable
        Takes the answer; returns what it saw, or raises `NotYet`.
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
    """Register the decorated function as the checker of an exercise.

    Parameters
    ----------
    id, title, section, hints
        As in `Exercise`.

    Returns
    -------
    callable
        The decorator.
    """

    def register(checker: Callable[[Any], str]) -> Callable[[Any], str]:
        _exercises[id] = Exercise(id, title, checker, hints, section)
        return checker

    return register


class Outcome:
    """The state of an exercise after a check.

    Attributes
    ----------
    state : str
        ``passed``, ``not yet`` or ``not attempted``.
    message : str
        What was seen and what is wanted.
    """

    def __init__(self, id: str, state: str, message: str):
        self.id, self.state, self.message = id, state, message

    def __repr__(self) -> str:
        return f"{_SIGNS[self.state]} {self.id} {self.state}" + (
            f": {self.message}" if self.message else ""
        )


def check(id: str, answer: Any) -> Outcome:
    """Say whether an answer is right, and if not, what it does and what is wanted.

    Parameters
    ----------
    id : str
        Number of the exercise, such as ``"02.1"``.
    answer : function or value
        Yours.

    Returns
    -------
    Outcome
        *not attempted*, *not yet* or *passed*. It never raises for a wrong answer, unless ``LABKIT_STRICT=1``.

    Raises
    ------
    KeyError
        No exercise has that number.
    """
    task = _find(id)
    if _is_stub(answer):
        outcome = Outcome(
            id, OPEN, f'replace the ... and run this cell again; lab.hint("{id}") helps'
        )
    else:
        try:
            outcome = Outcome(id, PASSED, task.checker(answer))
        except NotYet as error:
            outcome = Outcome(id, NOT_YET, str(error))
        except Exception as error:
            outcome = Outcome(
                id, NOT_YET, f"your answer raised {one_line(error)}. Look at: {task.section}"
            )
    _record(id, outcome.state)
    if os.environ.get("LABKIT_STRICT") == "1" and outcome.state != PASSED:
        raise AssertionError(repr(outcome))
    return outcome


def hint(id: str, step: int = 1) -> str:
    """Give a hint: first a question, then the name of a tool, then a skeleton.

    Parameters
    ----------
    id : str
        Number of the exercise.
    step : int
        1, 2 or 3.

    Returns
    -------
    str
        Displayed as text.

    Raises
    ------
    KeyError, ValueError
        No such exercise, or no such step.

    Examples
    --------
    >>> hint("02.1").startswith("Hint 1 of 3")
    True
    """
    task = _find(id)
    if step not in (1, 2, 3):
        raise ValueError(f"step is 1, 2 or 3, got {step!r}")
    more = f'\nThe next one: lab.hint("{id}", {step + 1})' if step < 3 else ""
    return _Text(f"Hint {step} of 3: {task.hints[step - 1]}{more}")


class _Text(str):
    """A string that a notebook shows as it is, not in quotation marks."""

    def __repr__(self) -> str:
        return str(self)


def progress(lesson: str = "") -> Table:
    """Show which exercises are passed, from a file on this machine only.

    Parameters
    ----------
    lesson : str
        Number of a lesson, such as ``"02"``; all of them unless given.

    Returns
    -------
    Table
        A row per exercise. The record is ``progress.json`` in the folder of the notebook, or in ``LABKIT_HOME``;
        delete it to start over.

    Examples
    --------
    >>> progress("02").cells[0][1]
    'score many requests with few calls'
    """
    for module in pkgutil.iter_modules(importlib.import_module(__package__).__path__):
        if module.name.startswith(f"lesson_{lesson}"):
            importlib.import_module(f"{__package__}.{module.name}")
    states = _read()
    tasks = [(id, task) for id, task in sorted(_exercises.items()) if id.startswith(lesson)]
    rows = [
        [id, task.title, f"{_SIGNS[s]} {s}"] for id, task in tasks for s in [states.get(id, OPEN)]
    ]
    done = sum(states.get(id) == PASSED for id, _ in tasks)
    return Table(["", "exercise", "state"], rows, f"{done} of {len(rows)} exercises passed")


def agree(got: Any, wanted: Any, where: str, section: str = "") -> None:
    """Raise `NotYet` where two results differ.

    Parameters
    ----------
    got, wanted : any
        As in `labkit.measure.agreement.first_difference`.
    where : str
        For which input, in words.
    section : str
        The section that helps.
    """
    if got is None or got is ...:
        raise NotYet(
            f"your function returned nothing {where}", "a result: is a `return` missing?", section
        )
    if problem := first_difference(got, wanted):
        raise NotYet(
            f"{where}, the result is wrong: {problem}",
            "the same result as the slow, correct code",
            section,
        )


def expect_function(answer: Any, name: str, wanted: str, section: str = EXERCISE_TEXT) -> Callable:
    """Return `answer` if it can be called, and raise `NotYet` otherwise."""
    if callable(answer):
        return answer
    seen = "nothing" if answer is None else f"a {type(answer).__name__}"
    raise NotYet(f"{name} returned {seen}", wanted, section)


def fresh_rows(n: int, inputs: int = 10) -> Any:
    """Return `n` rows of random numbers, different in every check."""
    from ..models import random_rows

    return random_rows(n, inputs=inputs, seed=random.randrange(10_000))


class Spy:
    """A model that remembers how often it was called and with how many rows.

    Parameters
    ----------
    model : callable
        The real one.
    """

    def __init__(self, model: Any):
        self.model, self.sizes = model, []

    def __call__(self, batch: Any, **options: Any) -> Any:
        """Call the model and remember the number of rows."""
        if not hasattr(batch, "shape"):
            raise NotYet(
                f"the model got a {type(batch).__name__}",
                "one array: np.stack makes one of a list of rows",
            )
        self.sizes.append(int(batch.shape[0]))
        return self.model(batch, **options)

    predict_on_batch = __call__

    def predict(self, batch: Any, batch_size: int = 32, **_: Any) -> Any:
        """Answer as `predict` does: one step, and one entry, per batch."""
        answer = self(batch).numpy()
        n = self.sizes.pop()
        self.sizes += [min(batch_size, n - i) for i in range(0, n, batch_size)]
        return answer


def _find(id: str) -> Exercise:
    number = str(id).partition(".")[0]
    name = f"{__package__}.lesson_{number}"
    if id not in _exercises and importlib.util.find_spec(name):
        importlib.import_module(name)
    if id not in _exercises:
        known = (
            ", ".join(sorted(k for k in _exercises if k.startswith(f"{number}.")))
            or "none in that lesson"
        )
        raise KeyError(f"no exercise {id!r}; there are: {known}")
    return _exercises[id]


def _is_stub(answer: Any) -> bool:
    """Whether this is the untouched stub: an ellipsis, or a function whose body does nothing."""
    if answer is ... or answer is None:
        return True
    answer = getattr(
        answer, "python_function", answer
    )  # a tf.function holds the function it was made from
    code = getattr(answer, "__code__", None)
    return code is not None and all(_is_idle(step) for step in dis.get_instructions(code))


def _is_idle(step: dis.Instruction) -> bool:
    loads = step.opname in ("LOAD_CONST", "RETURN_CONST")
    return (loads and step.argval in (None, ...)) or step.opname in (
        "RESUME",
        "NOP",
        "RETURN_VALUE",
    )


def _home() -> Path:
    return Path(os.environ.get("LABKIT_HOME") or ".")


def _read() -> dict[str, str]:
    try:
        states = json.loads((_home() / "progress.json").read_text(encoding="utf-8"))
        return {id: state for id, state in states.items() if state in (PASSED, NOT_YET)}
    except (
        OSError,
        ValueError,
        AttributeError,
    ):  # no record yet, or somebody wrote something else into it
        return {}


def _record(id: str, state: str) -> None:
    states = _read()
    if states.get(id) == PASSED or state == OPEN:  # a pass stays; looking at a stub is no event
        return
    states[id] = state
    try:
        home = _home()
        fresh = home / f".progress.{os.getpid()}.tmp"
        fresh.write_text(json.dumps(states, indent=1, sort_keys=True), encoding="utf-8")
        os.replace(fresh, home / "progress.json")  # never half a file, whatever happens
    except OSError:  # a read-only folder must not spoil a right answer
        pass
