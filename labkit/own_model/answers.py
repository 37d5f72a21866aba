"""Compare the answer of a candidate with that of the model, and keep what the model remembers."""

import math
from collections.abc import Callable
from typing import Any

from ..measure import rounds
from ..measure.agreement import first_difference
from ..show import stop
from ..show.format import measured
from .loaded_model import LoadedModel

# Of the largest value of an output. A hundred layers of float32, fused in another order, need it.
TOLERANCE = 1e-3
# Shorter floats: the distance of two neighbouring numbers above 1, and how many of these distances
# count as rounding.
_SPACING = {"float16": 2**-10, "bfloat16": 2**-7}
_SPACINGS = 4
_SMALLEST_SCALE = 1e-6
# A model that takes longer than these shares of the time is not called a second or a third time.
_SECOND_CALL_SHARE = 0.45
_THIRD_CALL_SHARE = 0.15
_LARGEST_STATE = 1_000_000  # numbers in a variable; larger ones are weights
_TINY = 1e-9  # a gap: what is smaller has no digits to show


def tolerance_of(outputs: list[Any]) -> float:
    """Return the difference that counts as rounding in outputs, as a share of the largest value."""
    import numpy as np

    spacings = [_SPACING.get(np.asarray(output).dtype.name, 0.0) for output in outputs]
    return max(TOLERANCE, _SPACINGS * max(spacings, default=0.0))


def difference(got: list[Any], expected: list[Any]) -> str | None:
    """Return the first place where two answers differ by more than rounding, or None."""
    if len(got) != len(expected):
        return f"{len(got)} outputs instead of {len(expected)}"
    for i, (output, wanted) in enumerate(zip(got, expected, strict=True)):
        tolerance = tolerance_of([wanted]) * _largest(wanted)
        problem = first_difference(_plain(output), _plain(wanted), rtol=0, atol=tolerance)
        if problem and len(expected) > 1:
            return f"output {i}: {problem}"
        if problem:
            return problem
    return None


def largest_gap(got: list[Any], expected: list[Any]) -> float:
    """Return the largest difference of two answers, as a share of the largest value; 0 if none."""
    import numpy as np

    largest = 0.0
    for output, wanted in zip(got, expected, strict=True):
        if not _is_float(wanted):
            continue
        distance = np.abs(_plain(output).astype("float64") - _plain(wanted).astype("float64"))
        gap = float(np.max(distance, initial=0)) / _largest(wanted)
        if math.isfinite(gap):
            largest = max(largest, gap)
    return largest


def gap_in_words(gap: float) -> str:
    """Return a gap as a share of the largest value, in words.

    >>> gap_in_words(0.0), gap_in_words(3e-16)
    ('none', 'less than a billionth of the largest value')
    """
    if gap == 0:
        return "none"
    if gap < _TINY:
        return "less than a billionth of the largest value"
    return f"{measured(100 * gap, '%')} of the largest value"


def _is_float(array: Any) -> bool:
    import numpy as np

    dtype = np.asarray(array).dtype
    return np.issubdtype(dtype, np.floating) or dtype.name in _SPACING


def _plain(array: Any) -> Any:
    """Return short floats as float32, because NumPy does not know all of them."""
    import numpy as np

    array = np.asarray(array)
    if array.dtype.name in _SPACING:
        return array.astype("float32")
    return array


def _largest(array: Any) -> float:
    """Return the largest finite value of an output of floats; 0 for other outputs."""
    import numpy as np

    if not _is_float(array):
        return 0.0
    values = _plain(array)
    finite = np.abs(values[np.isfinite(values)], dtype="float64")
    return max(float(finite.max(initial=0)), _SMALLEST_SCALE)


class ModelState:
    """What a model remembers between calls, so that each candidate starts from the same state.

    Attributes
    ----------
    answer, next_answer : list of numpy.ndarray
        What the model answers from this state, and in the call after it; the latter is None where
        there was no time for it.
    changed : list of (variable, numpy.ndarray)
        The variables that a call changes, and their values before it.
    random : bool
        Whether two calls from the same state differ.
    first_call, later_call : float
        Seconds of the first call and of the next one, or of the first one twice.
    """

    def __init__(
        self, loaded: LoadedModel, call: Callable[[], list[Any]], seconds: float = math.inf
    ) -> None:
        """Call a model two to four times, less often where `seconds` are too few for that."""
        self.random = False
        before = _values_of_states(loaded)
        self.changed = before
        try:
            self.answer, self.first_call = _timed(call)
            after = _values_of_states(loaded)
            if len(after) > len(before):  # the call made them, so it is not known how they were
                before = self.changed = after
                self.answer, _ = _timed(call)
            self.changed = [(variable, old) for variable, old in before if _differs(variable, old)]
            self.next_answer: list[Any] | None = None  # where there is no time for a second call
            self.later_call = self.first_call
            if self.first_call > _SECOND_CALL_SHARE * seconds:
                return
            self.next_answer, self.later_call = _timed(call)
            if not self.changed:  # both calls had the same state
                self.random = difference(self.next_answer, self.answer) is not None
            elif self.later_call < _THIRD_CALL_SHARE * seconds:
                self.reset()
                again, _ = _timed(call)
                self.random = difference(again, self.answer) is not None
        finally:
            self.reset()

    def reset(self) -> None:
        """Put back what calls have changed."""
        with stop.deferred():
            for variable, old in self.changed:
                variable.assign(old)

    def problem_of(self, run: Callable[[], list[Any]], answer: list[Any]) -> str | None:
        """Return how a candidate differs from the model, or None; `answer` is its first one.

        A candidate that does not remember what the model remembers differs in the next answer only.
        """
        if self.random:
            return None
        problem = difference(answer, self.answer)
        if problem:
            return f"its answer differs: {problem}"
        if not self.changed or self.next_answer is None:
            return None
        problem = difference(run(), self.next_answer)
        if problem:
            return f"its second answer differs, as it does not remember the first call: {problem}"
        return None


def _timed(call: Callable[[], list[Any]]) -> tuple[list[Any], float]:
    """Return what a call returns, and its seconds."""
    begin = rounds.clock()
    answer = call()
    return answer, rounds.clock() - begin


def _values_of_states(loaded: LoadedModel) -> list[tuple[Any, Any]]:
    """Return the variables that a call may change, with their values."""
    watched = [variable for variable in loaded.variables if _may_be_state(variable)]
    return [(variable, variable.numpy()) for variable in watched]


def _differs(variable: Any, old: Any) -> bool:
    """Return whether a variable no longer has the value that it had."""
    import numpy as np

    return not np.array_equal(variable.numpy(), old)


def _may_be_state(variable: Any) -> bool:
    is_trained = getattr(variable, "trainable", False)
    return not is_trained and math.prod(variable.shape) < _LARGEST_STATE
