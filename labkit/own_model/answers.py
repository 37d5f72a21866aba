"""Compare the answer of a candidate with that of the model, and keep what the model remembers."""

import math
from collections.abc import Callable
from typing import Any

from ..measure.agreement import first_difference
from ..show import stop
from .loading import LoadedModel

# Of the largest value of an output. A hundred layers of float32, fused in another order, need it.
TOLERANCE = 1e-3
# Shorter floats: the distance of two neighbouring numbers above 1, and how many of these distances
# count as rounding.
_SPACING = {"float16": 2**-10, "bfloat16": 2**-7}
_SPACINGS = 4
_SMALLEST_SCALE = 1e-6
_LARGEST_STATE = 1_000_000  # numbers in a variable; larger ones are weights


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
        What the model answers from this state, and in the call after it.
    changed : list of (variable, numpy.ndarray)
        The variables that a call changes, and their values before it.
    random : bool
        Whether two calls from the same state differ.
    """

    def __init__(self, loaded: LoadedModel, call: Callable[[], list[Any]]) -> None:
        import numpy as np

        watched = [variable for variable in loaded.variables if _may_be_state(variable)]
        before = [variable.numpy() for variable in watched]
        self.changed = list(zip(watched, before, strict=True))  # until it is known which do
        try:
            self.answer = call()
            self.changed = [
                (variable, old)
                for variable, old in self.changed
                if not np.array_equal(variable.numpy(), old)
            ]
            self.next_answer = call()
            self.reset()
            self.random = difference(call(), self.answer) is not None
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
        if not self.changed:
            return None
        problem = difference(run(), self.next_answer)
        if problem:
            return f"its second answer differs, as it does not remember the first call: {problem}"
        return None


def _may_be_state(variable: Any) -> bool:
    is_trained = getattr(variable, "trainable", False)
    return not is_trained and math.prod(variable.shape) < _LARGEST_STATE
