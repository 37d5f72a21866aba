"""Climb the ladder: prepare each rung, hold its answer against that of the model, measure, and keep to the budget."""

import math
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from typing import Any

from ..measure.agreement import first_difference
from ..measure.count import count
from ..show.progress import progress_bar
from . import candidates
from .candidates import CALL, CONCRETE, FUNCTION, LITERT, ON_BATCH, ORT, PREDICT, XLA, Job
from .loading import Subject, hushed
from .paths import BadModel, plain
from .reasons import why

TOLERANCE = 1e-3  # of the largest value of an output: float32 through a hundred layers, fused in another order
MEASURED, OTHER, FAILED, SKIPPED, ABSENT = (
    "measured",
    "another result",
    "failed",
    "not tried",
    "not there",
)
CLOSED = "not possible"  # known beforehand, so not tried either
# Cheap ones first, and what tells most: should the budget end early, the report still says something.
_ORDER = (CALL, FUNCTION, CONCRETE, ON_BATCH, PREDICT, LITERT, XLA, ORT)
# How long preparing takes at most, in multiples of the trace of the tf.function: seen on models of keras.applications.
# What will not fit into the budget is not begun, because a conversion that has begun cannot be stopped.
_DEARER = {CONCRETE: 1.5, ON_BATCH: 2, PREDICT: 2.5, LITERT: 15, XLA: 8, ORT: 20}
_PER_WEIGHT = {
    LITERT: 0.8e-6,
    ORT: 0.8e-6,
}  # seconds on top for each weight, which a converter copies and folds
_PREPARING = 0.6  # of the budget: the rest is for measuring


@dataclass
class Rung:
    """One way to call the model, and what became of it.

    Attributes
    ----------
    name : str
        As in `candidates.LADDER`.
    state : str
        ``measured``, ``another result``, ``failed``, ``not possible``, ``not tried`` or ``not there``.
    why : str
        The reason, where it was not measured.
    first_call : float
        Seconds from nothing to the first answer: traced, compiled or converted.
    python_calls : int or None
        Of one later call; None when it was not counted.
    gap : float
        Largest difference to the answer of the model, as a share of the largest value.
    estimate : float
        Seconds of the fastest of a few calls.
    run : callable or None
        Answers the input.
    """

    name: str
    state: str = MEASURED
    why: str = ""
    first_call: float = math.nan
    python_calls: int | None = None
    gap: float = math.nan
    estimate: float = math.nan
    run: Callable | None = field(default=None, repr=False)


class State:
    """What a model remembers between calls: read before the first, so that every rung starts from the same place.

    Parameters
    ----------
    subject : Subject
        The model.
    call : callable
        Calls it once.
    """

    def __init__(self, subject: Subject, call: Callable[[], list]):
        watched = [
            v
            for v in subject.variables
            if not getattr(v, "trainable", False) and math.prod(v.shape) < 1e6
        ]
        before = [v.numpy() for v in watched]
        self.answer = call()
        self.changed = [
            (v, old) for v, old in zip(watched, before, strict=True) if _differs(v.numpy(), old)
        ]
        self.reset()
        self.random = bool(difference(call(), self.answer))
        self.reset()

    def reset(self) -> None:
        """Put back what the calls have changed."""
        for variable, old in self.changed:
            variable.assign(old)


def _differs(a: Any, b: Any) -> bool:
    import numpy as np

    return not np.array_equal(a, b)


def difference(got: list[Any], wanted: list[Any]) -> str | None:
    """Return where two answers differ by more than rounding, or None.

    Parameters
    ----------
    got, wanted : list of numpy.ndarray
        Outputs, in the same order.

    Returns
    -------
    str or None
        As `labkit.measure.agreement.first_difference`, with a tolerance that goes by the largest value of each output.
    """
    if len(got) != len(wanted):
        return f"{len(got)} outputs instead of {len(wanted)}"
    for i, (a, b) in enumerate(zip(got, wanted, strict=True)):
        if problem := first_difference(a, b, rtol=0, atol=TOLERANCE * _largest(b)):
            return f"output {i}: {problem}" if len(wanted) > 1 else problem
    return None


def _largest(array: Any) -> float:
    import numpy as np

    array = np.asarray(array)
    if not np.issubdtype(array.dtype, np.floating) or not array.size:
        return 0.0
    finite = np.abs(array[np.isfinite(array)], dtype="float64")
    return max(float(finite.max(initial=0)), 1e-6)


def _gap(got: list[Any], wanted: list[Any]) -> float:
    import numpy as np

    gaps = [
        float(np.max(np.abs(np.asarray(a, "float64") - np.asarray(b, "float64")), initial=0))
        / _largest(b)
        for a, b in zip(got, wanted, strict=True)
        if np.issubdtype(np.asarray(b).dtype, np.floating)
    ]
    return max((g for g in gaps if math.isfinite(g)), default=0.0)


class Clock:
    """What is left of a time budget.

    Parameters
    ----------
    seconds : float
        The budget, from now on.
    """

    def __init__(self, seconds: float):
        self.seconds, self._begin = seconds, time.perf_counter()

    @property
    def spent(self) -> float:
        """Seconds since the beginning."""
        return time.perf_counter() - self._begin

    @property
    def left(self) -> float:
        """Seconds left; negative when the budget is overdrawn."""
        return self.seconds - self.spent


def climb(
    job: Job, clock: Clock, show: bool, chosen: Collection[str] = candidates.LADDER
) -> tuple[list[Rung], State]:
    """Prepare every rung and hold its answer against that of the model.

    Parameters
    ----------
    job : Job
        Model and input.
    clock : Clock
        A part of the budget is used, the rest is for measuring.
    show : bool
        Whether to show progress.
    chosen : collection of str
        Which rungs to try; ``model(x)`` always is.

    Returns
    -------
    (list of Rung, State)
        In the order of the ladder; nothing is measured yet.

    Raises
    ------
    BadModel
        The model cannot answer this input at all.
    """
    begin = time.perf_counter()
    try:
        with hushed():
            first = candidates.prepare(CALL, job)
            answer = first()
            took = time.perf_counter() - begin
            state = State(job.subject, first)
    except Exception as error:
        raise BadModel(
            f"{job.subject.name} cannot answer the sample: {plain(error)}; give another sample, or its shape and dtype"
        ) from None
    done = {CALL: Rung(CALL, first_call=took, gap=_gap(answer, answer), run=first)}
    trace = took
    for name in progress_bar(_ORDER, "preparing", show):
        if name == CALL:
            continue
        if name not in chosen:
            done[name] = Rung(name, ABSENT, "left out by candidates=")
            continue
        if name == ORT and candidates.missing_for_ort():  # told at once, whatever the budget
            done[name] = _try(name, job, state)
            continue
        expected = _DEARER.get(name, 0) * trace + _PER_WEIGHT.get(name, 0) * job.subject.parameters
        if expected > max(0.0, _PREPARING * clock.seconds - clock.spent):
            text = f"the time budget of {clock.seconds:g} s has no room for it; give a larger one"
            done[name] = Rung(name, SKIPPED, text)
            continue
        done[name] = _try(name, job, state)
        if name == FUNCTION and math.isfinite(done[name].first_call):
            trace = done[name].first_call
    ladder = [done[name] for name in candidates.LADDER]
    for rung in progress_bar([r for r in ladder if r.state == MEASURED], "counting", show):
        estimate(rung, clock)
    return ladder, state


def _try(name: str, job: Job, state: State) -> Rung:
    """Prepare one rung and look at its first answer; whatever it raises is written down, and the climb goes on."""
    rung = Rung(name)
    try:
        with hushed():
            state.reset()
            begin = time.perf_counter()
            rung.run = candidates.prepare(name, job)
            answer = rung.run()
            rung.first_call = time.perf_counter() - begin
            state.reset()
        if not state.random and (problem := difference(answer, state.answer)):
            return replace(rung, state=OTHER, why=f"its answer differs: {problem}", run=None)
        if not state.random:
            rung.gap = _gap(answer, state.answer)
    except candidates.Impossible as error:
        return Rung(name, CLOSED if isinstance(error, candidates.Refused) else ABSENT, str(error))
    except (
        Exception
    ) as error:  # a converter may raise anything, and the other rungs do not depend on it
        return Rung(name, FAILED, why(name, error))
    return rung


def estimate(rung: Rung, clock: Clock, counted: bool = True) -> None:
    """Take the fastest of a few calls, and count the Python calls of one.

    Parameters
    ----------
    rung : Rung
        Its `estimate` and `python_calls` are set.
    clock : Clock
        A slow rung is called once only.
    counted : bool
        Whether to count; it makes a call several times as long.
    """
    rung.estimate = math.inf
    for _ in range(3):
        begin = time.perf_counter()
        rung.run()
        rung.estimate = min(rung.estimate, time.perf_counter() - begin)
        if rung.estimate > max(0.05, 0.02 * clock.left):
            break
    if counted and rung.estimate < 0.05 * clock.left:
        with count() as n:
            rung.run()
        rung.python_calls = n.python_calls
