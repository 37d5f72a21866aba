"""Prepare all candidates within the budget, and compare their answers with that of the model."""

import math
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from ..measure import rounds
from ..measure.count import count
from ..show import stop
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
STOPPED = "not reached"  # before the measurement was stopped
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


_REASON_OF_STOPPED = "the measurement was interrupted before"


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


@dataclass
class Prepared:
    """What became of all candidates, in the order of `candidates.CANDIDATES`.

    Attributes
    ----------
    results : list of CandidateResult
        None of them is measured yet.
    state : ModelState
        What the model remembers.
    interrupted : bool
        The preparation was stopped by hand.
    """

    results: list[CandidateResult]
    state: ModelState
    interrupted: bool = False

    @property
    def ready(self) -> dict[str, CandidateResult]:
        """The candidates that can be measured, by name."""
        return {result.name: result for result in self.results if result.run is not None}


def prepare_all(
    case: Case,
    budget: TimeBudget,
    show: bool,
    chosen: Collection[str] = candidates.CANDIDATES,
) -> Prepared:
    """Prepare the chosen candidates and compare their answers; ``model(x)`` is always one of them.

    Raises BadModel if the model cannot answer this input at all. An interrupt keeps the candidates
    that are ready.
    """
    direct, state = _prepare_direct_call(case, budget)
    results = {CALL: direct}
    for name in candidates.CANDIDATES:
        if name != CALL and name not in chosen:
            results[name] = CandidateResult(name, LEFT_OUT, "it is not among candidates=")
    interrupted = False
    try:
        _prepare_others(results, case, state, budget, show)
        _count_python_calls(results.values(), budget, show)
    except KeyboardInterrupt:
        stop.finish()
        if stop.strict():
            raise
        interrupted = True
    in_order = []
    for name in candidates.CANDIDATES:
        missed = CandidateResult(name, STOPPED, _REASON_OF_STOPPED)
        in_order.append(results.get(name, missed))
    return Prepared(in_order, state, interrupted)


def _prepare_others(
    results: dict[str, CandidateResult],
    case: Case,
    state: ModelState,
    budget: TimeBudget,
    show: bool,
) -> None:
    """Prepare the candidates that have no result yet, and add their results one by one."""
    trace = results[CALL].first_call  # until the trace of the tf.function is known
    bar = progress_bar(_ORDER, "preparing", show)
    with rounds.ended(bar):
        for name in bar:
            if name in results:
                continue
            is_known_missing = name == ORT and candidates.missing_for_ort()
            if not is_known_missing and not _fits(name, case, trace, budget):
                reason = f"the time budget of {budget.seconds:g} s is too short for it"
                results[name] = CandidateResult(name, SKIPPED, f"{reason}; give more time")
                continue
            results[name] = _prepare_one(name, case, state, budget)
            if name == FUNCTION and math.isfinite(results[name].first_call):
                trace = results[name].first_call


def _count_python_calls(results: Iterable[CandidateResult], budget: TimeBudget, show: bool) -> None:
    """Count the Python calls of each candidate that is ready and quick enough."""
    ready = [result for result in results if result.run is not None]
    bar = progress_bar(ready, "counting", show)
    with rounds.ended(bar):
        for result in bar:
            if result.estimate < _COUNT_SHARE * budget.left:
                result.python_calls = _python_calls(result.run)


def _prepare_direct_call(case: Case, budget: TimeBudget) -> tuple[CandidateResult, ModelState]:
    """Call the model itself: the others are compared with its answer."""
    try:
        with silence_all():
            begin = rounds.clock()
            run = candidates.prepare(CALL, case)
            answer = run()
            first_call = rounds.clock() - begin
            state = ModelState(case.loaded, run)
        estimate = estimated_seconds(run, budget)
    except Exception as error:
        stop.raise_if_requested()
        reason = one_line(error, paths=False)
        raise BadModel(
            f"{case.loaded.name} cannot answer the sample: {reason};"
            " give another sample, or its shape and dtype"
        ) from None
    gap = largest_gap(answer, answer)
    direct = CandidateResult(CALL, first_call=first_call, gap=gap, estimate=estimate, run=run)
    return direct, state


def _fits(name: str, case: Case, trace: float, budget: TimeBudget) -> bool:
    """Return whether preparing a candidate is expected to end within its share of the budget."""
    expected = _TRACES.get(name, 0) * trace
    expected += _SECONDS_PER_WEIGHT.get(name, 0) * case.loaded.parameters
    left = _PREPARING * budget.seconds - budget.spent
    return expected <= max(0.0, left)


def _prepare_one(name: str, case: Case, state: ModelState, budget: TimeBudget) -> CandidateResult:
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
        estimate = estimated_seconds(run, budget)
        return CandidateResult(name, first_call=first_call, gap=gap, estimate=estimate, run=run)
    except candidates.NotInstalled as error:
        return CandidateResult(name, NOT_INSTALLED, str(error))
    except candidates.NotSupported as error:
        return CandidateResult(name, NOT_SUPPORTED, str(error))
    except Exception as error:  # a converter may raise anything; the other candidates go on
        stop.raise_if_requested()
        return CandidateResult(name, FAILED, why(name, error))


def estimated_seconds(run: Callable[[], Any], budget: TimeBudget) -> float:
    """Return the seconds of the fastest of a few calls; of one call if it is slow."""
    fastest = math.inf
    for _ in range(_ESTIMATE_CALLS):
        begin = rounds.clock()
        run()
        fastest = min(fastest, rounds.clock() - begin)
        stop.raise_if_requested()
        if fastest > max(_SLOW_CALL, _SLOW_SHARE * budget.left):
            break
    return fastest


def _python_calls(run: Callable[[], Any]) -> int:
    """Return the number of Python calls in one call, which counting makes several times slower."""
    with count() as counted:
        run()
    return counted.python_calls
