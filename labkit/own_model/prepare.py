"""Prepare all candidates within the budget, and compare their answers with that of the model."""

import math
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from ..measure import rounds
from ..measure.count import count
from ..show import stop
from ..show.progress import progress_bar
from . import candidates
from .answers import ModelState, largest_gap
from .candidates import (
    ALL_THREADS,
    CALL,
    CONCRETE,
    FUNCTION,
    LITERT,
    ON_BATCH,
    ORT,
    PREDICT,
    XLA,
    Case,
)
from .causes import last_cause
from .loaded_model import LoadedModel
from .paths import BadModel
from .reasons import why
from .samples import longer_rows, strange_numbers
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
_ORDER = (CALL, ALL_THREADS, FUNCTION, CONCRETE, ON_BATCH, PREDICT, LITERT, XLA, ORT)
# How long preparing takes at most, in multiples of the trace of the tf.function: seen on models of
# keras.applications. What does not fit into the budget is not begun, as a conversion cannot be
# stopped.
_TRACES = {CONCRETE: 1.5, ON_BATCH: 2, PREDICT: 2.5, LITERT: 15, XLA: 8, ORT: 20}
_SECONDS_PER_WEIGHT = {LITERT: 0.8e-6, ORT: 0.8e-6}  # a converter copies and folds the weights
_PREPARING = 0.6  # of the budget; the rest is for measuring
_CALLS = 2  # of a candidate that is prepared: its first one, and one for an estimate

_ESTIMATE_CALLS = 3
_SLOW_CALL = 0.05  # seconds; an estimate does not repeat a call that takes longer
_SLOW_SHARE = 0.02  # of what is left of the budget; likewise
_COUNT_SHARE = 0.02  # of what is left; Python calls are counted only if a call takes less


LONGEST_BUDGET = 3600  # seconds that a diagnosis may take
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
    needs : float
        Of a candidate that was not tried for lack of time: the budget that would have been enough,
        in seconds, for it and for those before it.
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
    needs: float = math.nan
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
    names = candidates.candidates_for(case.loaded)
    for name in names:
        if name not in (CALL, ALL_THREADS) and name not in chosen:
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
    for name in names:
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
    one_call = results[CALL].estimate
    left_out = 0.0  # seconds that candidates would have taken which were not begun
    names = [name for name in _ORDER if name in candidates.candidates_for(case.loaded)]
    bar = progress_bar(names, "preparing", show)
    with rounds.ended(bar):
        for name in bar:
            if name in results:
                continue
            is_known_missing = name == ORT and candidates.missing_for_ort()
            expected = _expected_seconds(name, case, trace, one_call)
            if not is_known_missing and budget.spent + expected > _PREPARING * budget.seconds:
                left_out += expected
                needs = (budget.spent + left_out) / _PREPARING
                results[name] = CandidateResult(name, SKIPPED, _too_short(budget, needs))
                results[name].needs = needs
                continue
            results[name] = _prepare_one(name, case, state, budget)
            if name == FUNCTION and math.isfinite(results[name].first_call):
                trace = max(results[name].first_call - results[name].estimate, 0.0)


def _too_short(budget: TimeBudget, needs: float) -> str:
    """Return that the time was too short for a candidate, and how much would have been enough."""
    enough = round_seconds(needs)
    if enough > LONGEST_BUDGET:
        return f"the time budget of {budget.seconds:g} s is too short for it, and so is an hour"
    return f"the time budget of {budget.seconds:g} s is too short for it; give about {enough:g} s"


def round_seconds(seconds: float) -> float:
    """Return seconds rounded up to one or two digits, as people write a budget.

    >>> round_seconds(3.2), round_seconds(41.0), round_seconds(234.0)
    (5.0, 45.0, 240.0)
    """
    step = 5 if seconds < 100 else 10
    return float(step * math.ceil(seconds / step))


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
            run = candidates.prepare(CALL, case)
            state = ModelState(case.loaded, run, budget.left)
        estimate = state.later_call
        if not _is_slow(estimate, budget):
            estimate = min(estimate, estimated_seconds(run, budget))
    except (Exception, SystemExit) as error:
        stop.raise_if_requested()
        raise BadModel(_why_no_answer(case.loaded, error)) from None
    for output in state.answer:
        found = strange_numbers(output)
        if found:
            case.loaded.notes.append(f"in the answer of the model, {found}: check the input")
    gap = largest_gap(state.answer, state.answer)
    first_call = state.first_call
    direct = CandidateResult(CALL, first_call=first_call, gap=gap, estimate=estimate, run=run)
    return direct, state


def _why_no_answer(loaded: LoadedModel, error: BaseException) -> str:
    """Return why a model does not answer, and what to do about it."""
    reason = last_cause(error)
    if isinstance(error, SystemExit):
        return f"{loaded.name} cannot be measured: {reason}"
    what = "the sample" if loaded.has_sample else "random numbers"
    longer = longer_rows(loaded)
    advice = longer or "give a sample, as a .npy or .npz file"
    if loaded.has_sample:
        advice = "give another sample"
    return f"{loaded.name} cannot answer {what}: {reason.rstrip('.')}; {advice}"


def _expected_seconds(name: str, case: Case, trace: float, one_call: float) -> float:
    """Return how long preparing a candidate is expected to take at most."""
    expected = _TRACES.get(name, 0) * trace + _CALLS * one_call
    return expected + _SECONDS_PER_WEIGHT.get(name, 0) * case.loaded.parameters


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
    except (Exception, SystemExit) as error:  # a converter may raise anything; the others go on
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
        if _is_slow(fastest, budget):
            break
    return fastest


def _is_slow(seconds: float, budget: TimeBudget) -> bool:
    """Return whether a call takes so long that an estimate does not repeat it."""
    return seconds > max(_SLOW_CALL, _SLOW_SHARE * budget.left)


def _python_calls(run: Callable[[], Any]) -> int:
    """Return the number of Python calls in one call, which counting makes several times slower."""
    with count() as counted:
        run()
    return counted.python_calls
