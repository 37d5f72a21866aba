"""Prepare all candidates within the budget, and compare their answers with that of the model."""

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from ..measure import rounds
from ..measure.count import count
from ..show.errors import one_line
from ..show.progress import progress_bar
from . import candidates
from .answers import ModelState, largest_gap
from .candidates import CALL, CONCRETE, FUNCTION, LITERT, ON_BATCH, ORT, PREDICT, XLA, Case
from .paths import BadModel
from .reasons import why
from .silence import silence_all
from .time_budget import TimeBudget

# What became of a candidate.
MEASURED = "measured"
MISMATCH = "different result"
FAILED = "failed"
NOT_SUPPORTED = "not possible"  # for this model
NOT_INSTALLED = "not installed"
SKIPPED = "not tried"  # for lack of time
LEFT_OUT = "left out"  # by the caller

# Quick and telling ones first: if the budget ends early, the report still says something.
_ORDER = (CALL, FUNCTION, CONCRETE, ON_BATCH, PREDICT, LITERT, XLA, ORT)
# How long preparing takes at most, in multiples of the trace of the tf.function: seen on models of
# keras.applications. What does not fit into the budget is not begun, as a conversion cannot be
# stopped.
_TRACES = {CONCRETE: 1.5, ON_BATCH: 2, PREDICT: 2.5, LITERT: 15, XLA: 8, ORT: 20}
_SECONDS_PER_WEIGHT = {LITERT: 0.8e-6, ORT: 0.8e-6}  # a converter copies and folds the weights
_PREPARING = 0.6  # of the budget; the rest is for measuring

_ESTIMATE_CALLS = 3
_SLOW_CALL = 0.05  # seconds; an estimate does not repeat a call that takes longer
_SLOW_SHARE = 0.02  # of what is left of the budget; likewise
_COUNT_SHARE = 0.05  # of what is left; Python calls are counted only if a call takes less


@dataclass
class CandidateResult:
    """A candidate and what became of it.

    Attributes
    ----------
    name : str
        One of `candidates.CANDIDATES`.
    state : str
        One of the states above.
    why : str
        The reason why it was not measured.
    first_call : float
        Seconds from nothing to the first answer: traced, compiled or converted.
    python_calls : int or None
        Python calls in one later call; None if they were not counted.
    gap : float
        Largest difference to the answer of the model, as a share of the largest value.
    estimate : float
        Seconds of the fastest of a few calls.
    run : callable or None
        Calls the model and returns its answer; None if it was not measured.
    """

    name: str
    state: str = MEASURED
    why: str = ""
    first_call: float = math.nan
    python_calls: int | None = None
    gap: float = math.nan
    estimate: float = math.nan
    run: candidates.Run | None = field(default=None, repr=False)


def prepare_all(
    case: Case,
    budget: TimeBudget,
    show: bool,
    chosen: Collection[str] = candidates.CANDIDATES,
) -> tuple[list[CandidateResult], ModelState]:
    """Prepare the chosen candidates and compare their answers; ``model(x)`` is always one of them.

    The results are in the order of `candidates.CANDIDATES`; none is measured yet. Raises BadModel
    if the model cannot answer this input at all.
    """
    direct, state = _prepare_direct_call(case)
    results = {CALL: direct}
    trace = direct.first_call  # until the trace of the tf.function is known
    for name in progress_bar(_ORDER, "preparing", show):
        if name == CALL:
            continue
        if name not in chosen:
            results[name] = CandidateResult(name, LEFT_OUT, "it is not among candidates=")
            continue
        is_known_missing = name == ORT and candidates.missing_for_ort()
        if not is_known_missing and not _fits(name, case, trace, budget):
            reason = f"the time budget of {budget.seconds:g} s is too short for it; give more time"
            results[name] = CandidateResult(name, SKIPPED, reason)
            continue
        results[name] = _prepare_one(name, case, state)
        if name == FUNCTION and math.isfinite(results[name].first_call):
            trace = results[name].first_call
    in_order = [results[name] for name in candidates.CANDIDATES]
    ready = [result for result in in_order if result.run is not None]
    for result in progress_bar(ready, "counting", show):
        result.estimate = estimated_seconds(result.run, budget)
        if result.estimate < _COUNT_SHARE * budget.left:
            result.python_calls = _python_calls(result.run)
    return in_order, state


def _prepare_direct_call(case: Case) -> tuple[CandidateResult, ModelState]:
    """Call the model itself: the others are compared with its answer."""
    try:
        with silence_all():
            begin = rounds.clock()
            run = candidates.prepare(CALL, case)
            answer = run()
            first_call = rounds.clock() - begin
            state = ModelState(case.loaded, run)
    except Exception as error:
        reason = one_line(error, paths=False)
        raise BadModel(
            f"{case.loaded.name} cannot answer the sample: {reason};"
            " give another sample, or its shape and dtype"
        ) from None
    gap = largest_gap(answer, answer)
    return CandidateResult(CALL, first_call=first_call, gap=gap, run=run), state


def _fits(name: str, case: Case, trace: float, budget: TimeBudget) -> bool:
    """Return whether preparing a candidate is expected to end within its share of the budget."""
    expected = _TRACES.get(name, 0) * trace
    expected += _SECONDS_PER_WEIGHT.get(name, 0) * case.loaded.parameters
    left = _PREPARING * budget.seconds - budget.spent
    return expected <= max(0.0, left)


def _prepare_one(name: str, case: Case, state: ModelState) -> CandidateResult:
    """Prepare one candidate and check its first answer; whatever it raises becomes its reason."""
    try:
        with silence_all():
            state.reset()
            begin = rounds.clock()
            run = candidates.prepare(name, case)
            answer = run()
            first_call = rounds.clock() - begin
            problem = state.problem_of(run, answer)
            state.reset()
        if problem:
            return CandidateResult(name, MISMATCH, problem, first_call=first_call)
        gap = math.nan if state.random else largest_gap(answer, state.answer)
        return CandidateResult(name, first_call=first_call, gap=gap, run=run)
    except candidates.NotInstalled as error:
        return CandidateResult(name, NOT_INSTALLED, str(error))
    except candidates.NotSupported as error:
        return CandidateResult(name, NOT_SUPPORTED, str(error))
    except Exception as error:  # a converter may raise anything; the other candidates go on
        return CandidateResult(name, FAILED, why(name, error))


def estimated_seconds(run: Callable[[], Any], budget: TimeBudget) -> float:
    """Return the seconds of the fastest of a few calls; of one call if it is slow."""
    fastest = math.inf
    for _ in range(_ESTIMATE_CALLS):
        begin = rounds.clock()
        run()
        fastest = min(fastest, rounds.clock() - begin)
        if fastest > max(_SLOW_CALL, _SLOW_SHARE * budget.left):
            break
    return fastest


def _python_calls(run: Callable[[], Any]) -> int:
    """Return the number of Python calls in one call, which counting makes several times slower."""
    with count() as counted:
        run()
    return counted.python_calls
