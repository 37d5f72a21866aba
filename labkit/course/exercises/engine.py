"""Check a learner's answer, give hints, and keep a local record of what was passed.

A checker compares results with an oracle and counts calls and traces; it never reads a clock.
A wrong answer raises only with ``LABKIT_STRICT=1``, as in the tests.
"""

import ast
import contextlib
import dis
import errno
import importlib
import importlib.util
import math
import os
import pkgutil
import random
import tempfile
import textwrap
import types
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...measure.agreement import first_difference
from ...show import stop
from ...show.errors import UnknownName, WrongValue, line_of_error, one_line
from ...show.message import BAD, GOOD, HINT, OPEN, box_html, message_html
from ...show.table import Table
from ..models import random_rows
from ..notebook_help import failure_behind
from ..stop_button import run_until_stopped
from .record import NOT_YET, PASSED, read_states, record_file, write_states

NOT_ATTEMPTED = "not attempted"
_KINDS = {PASSED: GOOD, NOT_YET: BAD, NOT_ATTEMPTED: OPEN}

# The section to name where the exercise itself says what is wanted.
EXERCISE_TEXT = "the text of the exercise"

_PACKAGE = __name__.rpartition(".")[0]
_CORRECT_IT = "Correct it and run it, then this one: until then a check sees the version before it"
_LOOK_AT = " Look at: "
_LESSON_FILES = "[0-9][0-9]_*.ipynb"
# The instructions of a function that does nothing, but for those that load or return a constant.
_IDLE_OPERATIONS = {"RESUME", "NOP", "RETURN_VALUE"}

# How TensorFlow words, in several versions, that a tensor of another graph is used.
OUT_OF_SCOPE = ("is out of scope", "cannot be accessed here")

_exercises: dict[str, "Exercise"] = {}
# By the file that should hold them: the states that could not be written there.
_unsaved: dict[Path, dict[str, str]] = {}


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
    note : str
        Why the state was not recorded, if it was not.
    """

    id: str
    state: str
    message: str
    note: str = ""

    def __repr__(self) -> str:
        line = f"{_KINDS[self.state].sign} {self.id} {self.state}"
        if self.message:
            line += f": {self.message}"
        if self.note:
            line += f"\n  {self.note}"
        return line

    def _repr_html_(self) -> str:
        word = f"{self.id} {self.state}"
        if self.message:
            word += ":"
        more = [self.note] if self.note else []
        text, _, section = self.message.partition(_LOOK_AT)
        if section == EXERCISE_TEXT:  # which is no heading
            text, section = self.message, ""
        return message_html(_KINDS[self.state], word, text, section=section, more=more)


@stop.stoppable("check interrupted: nothing was recorded")
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
    KeyboardInterrupt
        The stop button was pressed. Nothing is recorded.
    AssertionError
        The answer is not right, and ``LABKIT_STRICT`` is 1.

    Examples
    --------
    >>> check("00.1", ...)
    ○ 00.1 not attempted: replace the ... and run this cell again; lab.hint("00.1") helps
    """
    task = _find(id)
    failure = failure_behind(answer)
    if failure:
        outcome = Outcome(id, NOT_YET, f"{failure}. {_CORRECT_IT}")
    else:
        outcome = run_until_stopped(_outcome, task, answer)
        with stop.deferred():
            _record(outcome)
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
        return Outcome(task.id, NOT_YET, _explanation(error, answer, task.section))


def _explanation(error: Exception, answer: Any, section: str) -> str:
    """Return what a learner reads about an error raised during a check."""
    # AutoGraph raises an error of its own in place of a NotYet raised during tracing.
    behind: BaseException | None = error
    while behind is not None:
        if isinstance(behind, NotYet):
            return str(behind)
        behind = behind.__cause__ or behind.__context__
    sentence = f"your answer raised {one_line(error)}"
    place = line_of_error(error, _file_of(answer))
    if place:
        sentence = f"{sentence.removesuffix('.')}, in {place}"
    return _with_section(sentence, section)


def _file_of(answer: Any) -> str:
    """Return the file of an answer's code, which may be a cell; empty if there is none."""
    code = getattr(_plain_function(answer), "__code__", None)
    return code.co_filename if isinstance(code, types.CodeType) else ""


def _with_section(sentence: str, section: str) -> str:
    """Return a sentence, followed by the section that helps if there is one."""
    if not section:
        return sentence
    if not sentence.endswith((".", "?")):
        sentence += "."
    return f"{sentence}{_LOOK_AT}{section}"


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
        raise WrongValue(f"the step of a hint is 1, 2 or 3, got {step!r}")
    word = f"Hint {step} of 3:"
    text = task.hints[step - 1]
    more = []
    if step < 3:
        more.append(f'The next one: lab.hint("{id}", {step + 1})')
    shown = _Hint("\n".join([f"{word} {text}", *more]))
    if _is_code(text):
        shown.page = message_html(HINT, word, code=text)
    else:
        shown.page = message_html(HINT, word, text, more=more)
    return shown


class _Hint(str):
    """A string that a notebook shows as it is, not in quotation marks."""

    page = ""  # its HTML

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return self.page


def _is_code(text: str) -> bool:
    """Return whether a text is the body of a Python function."""
    try:
        ast.parse(f"def f():\n{textwrap.indent(text, ' ')}")
    except SyntaxError:
        return False
    return True


def progress(lesson: str = "") -> Table:
    """Return a table of the exercises and their states, from a file on this machine only.

    Parameters
    ----------
    lesson : str
        Number of a lesson, such as ``"02"``; all lessons unless given.

    Returns
    -------
    Table
        A row per exercise, then the next lesson. The record is ``progress.json`` in the folder of
        the notebook, or in the folder that the environment variable ``LABKIT_HOME`` names. Delete
        it to start over.

    Examples
    --------
    >>> progress("02").cells[0][1]
    'score many requests with few calls'
    """
    _import_lessons(lesson)
    states = _read()
    cells = []
    left = []
    for id, task in sorted(_exercises.items()):
        if not id.startswith(lesson):
            continue
        state = states.get(id, NOT_ATTEMPTED)
        cells.append([id, task.title, f"{_KINDS[state].sign} {state}"])
        if state != PASSED:
            left.append(id)
    caption = f"{len(cells) - len(left)} of {len(cells)} exercises passed"
    notes = [_what_is_next(lesson, left), _why_not_recorded()]
    columns = ["", "exercise", "state"]
    return _Progress(columns, cells, caption, [note for note in notes if note])


class _Progress(Table):
    """A table of exercises in the frame of a message."""

    caption_weight = 700

    def _repr_html_(self) -> str:
        is_done = all(row[-1].endswith(PASSED) for row in self.cells)
        return box_html(GOOD if is_done else OPEN, super()._repr_html_())


def _what_is_next(lesson: str, left: list[str]) -> str:
    """Return which lesson comes next, from the files beside this notebook; empty if none does."""
    names = sorted(path.name for path in Path().glob(_LESSON_FILES))
    if not lesson:  # of all lessons, the first one that is not done
        numbers = {id.partition(".")[0] for id in left}
        open_lessons = [name for name in names if name[:2] in numbers]
        return f"Go on with {open_lessons[0]}" if open_lessons else ""
    if not any(name[:2] == lesson for name in names):
        return ""
    later = [name for name in names if name[:2] > lesson]
    if not later:
        return "This was the last lesson."
    return f"The next lesson: {later[0]}"


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


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """Give a folder that vanishes; a file that is still open may stay, as on Windows."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def read_text(path: Path) -> str:
    """Return the text of a file."""
    return path.read_text(encoding="utf-8")


def write_text(path: Path, text: str) -> None:
    """Write a file."""
    path.write_text(text, encoding="utf-8")


class Spy:
    """A model that remembers with how many rows it was called, in a graph too.

    Its methods take what those of a Keras model take; other names are those of the model itself.

    Parameters
    ----------
    model : callable
        The real one.
    """

    def __init__(self, model: Any):
        self.model = model
        self._sizes: list[int] = []
        self._compiled: _CompiledSizes | None = None

    @property
    def sizes(self) -> list[int]:
        """The number of rows of each call, in order; those of graphs that XLA compiles last."""
        if self._compiled is None:
            return list(self._sizes)
        return self._sizes + self._compiled.read()

    def __call__(self, inputs: Any, **options: Any) -> Any:
        """Call the model and remember the number of rows."""
        if not hasattr(inputs, "shape"):
            seen = f"the model got {type_of(inputs)}"
            raise NotYet(seen, "one array: np.stack makes one of a list of rows")
        self._note(inputs)
        return self.model(inputs, **options)

    call = __call__

    def predict_step(self, data: Any) -> Any:
        """Return the model's answers to a batch, as a step of `predict` computes them."""
        return self(data)

    def predict_on_batch(self, x: Any) -> Any:
        """Return the model's answers to a batch, as an array."""
        import numpy as np

        return np.asarray(self(x))

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: Any = "auto",
        steps: int | None = None,
        callbacks: Any = None,
    ) -> Any:
        """Return the model's answers, with one call per batch, as Keras makes them."""
        import numpy as np
        import tensorflow as tf

        if isinstance(x, tf.data.Dataset):
            batches = [_rows_of_element(element) for element in x.take(steps or -1)]
        elif hasattr(x, "shape"):
            step = batch_size or 32
            batches = [x[start : start + step] for start in range(0, len(x), step)]
        else:
            batches = [x]  # which the call refuses
        return np.concatenate([self.predict_on_batch(batch) for batch in batches])

    def __getattr__(self, name: str) -> Any:
        if name == "model" or name.startswith("__"):  # while it is copied, or asked what it is
            raise AttributeError(name)
        return getattr(self.model, name)

    def expect_called(self, section: str) -> None:
        """Raise `NotYet` if the model was never called: the answers come from another one."""
        if not self.sizes:
            seen = "your function never calls the model that it is given"
            raise NotYet(seen, "its answers: call `model`, the first argument", section)

    def _note(self, inputs: Any) -> None:
        """Remember a call now, or in each run of the graph that is being traced."""
        import tensorflow as tf
        from tensorflow.python.ops import control_flow_util

        if tf.executing_eagerly():
            self._remember(inputs.shape[0])
            return
        # These lines run once per trace; the operations that they add run in every call.
        rows = tf.shape(inputs)[0]
        if control_flow_util.GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph()):
            if self._compiled is None:
                self._compiled = _CompiledSizes()
            self._compiled.note(rows)
        else:
            tf.numpy_function(self._remember, [rows], [])

    def _remember(self, rows: Any) -> None:
        self._sizes.append(int(rows))


def _rows_of_element(element: Any) -> Any:
    """Return the rows of an element of a dataset, which may hold labels as well."""
    return element[0] if isinstance(element, tuple) else element


class _CompiledSizes:
    """The sizes of calls in graphs that XLA compiles: it compiles variables, and no Python."""

    def __init__(self, most: int = 1000) -> None:
        import tensorflow as tf

        with tf.init_scope():  # a trace is under way, and the variables outlive it
            self._sizes = tf.Variable(tf.zeros(most, tf.int32), trainable=False)
            self._calls = tf.Variable(0, trainable=False)

    def note(self, rows: Any) -> None:
        """Add to the current graph what notes a call in each run."""
        import tensorflow as tf

        place = [[self._calls]]
        self._sizes.assign(tf.tensor_scatter_nd_update(self._sizes, place, [rows]))
        self._calls.assign_add(1)

    def read(self) -> list[int]:
        """Return the sizes of the calls so far."""
        return [int(size) for size in self._sizes.numpy()[: self._calls.numpy()]]


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
        raise UnknownName(f"there is no exercise {id!r}; there are: {known}")
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
    code = getattr(_plain_function(answer), "__code__", None)
    if not isinstance(code, types.CodeType):
        return False
    return all(_is_idle(instruction) for instruction in dis.get_instructions(code))


def _plain_function(answer: Any) -> Any:
    """Return the function that a tf.function was made from; anything else as it is."""
    return getattr(answer, "python_function", answer)


def _is_idle(instruction: dis.Instruction) -> bool:
    """Return whether an instruction is one of a function that does nothing."""
    if instruction.opname in ("LOAD_CONST", "RETURN_CONST"):
        return is_nothing(instruction.argval)
    return instruction.opname in _IDLE_OPERATIONS


# ---- the record ----


def _record_file() -> Path:
    return record_file(Path())


def _read() -> dict[str, str]:
    """Return the states that were recorded, and those that could not be."""
    path = _record_file()
    return read_states(path) | _unsaved.get(path.absolute(), {})


def _record(outcome: Outcome) -> None:
    """Record a state; a pass stays, and looking at a stub is not recorded.

    A full disk or a read-only folder must not spoil a right answer: the outcome gets a note.
    """
    if outcome.state == NOT_ATTEMPTED:
        return
    path = _record_file()
    states = _read()
    if states.get(outcome.id) != PASSED:
        states[outcome.id] = outcome.state
    elif path.absolute() not in _unsaved:
        return
    try:
        write_states(path, states)
    except OSError as error:
        _unsaved[path.absolute()] = states
        outcome.note = _not_recorded(error)
    else:
        _unsaved.pop(path.absolute(), None)


def _why_not_recorded() -> str:
    """Return why the record cannot be written; empty if it can."""
    path = _record_file().absolute()
    folder = path.parent
    while not folder.exists():  # it is made when there is something to record
        folder = folder.parent
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        with tempfile.TemporaryFile(dir=folder):
            return ""
    except OSError as error:
        return _not_recorded(error)


def _not_recorded(error: OSError) -> str:
    """Return that nothing can be recorded, with the reason and what to do."""
    reason = error.strerror or str(error)
    return (
        f"Kept only until this notebook's kernel ends: {_record_file().absolute()} cannot be "
        f"written ({reason}). Set the variable LABKIT_HOME to a folder that can be."
    )
