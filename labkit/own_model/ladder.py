"""Measure candidates against each other: those of a diagnosis, or those that a lesson makes."""

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from ..measure import rounds
from ..measure.compare import compare, timeit
from ..measure.count import count
from ..measure.notes import SECOND_CALLS, TIES, Note
from ..measure.results import Comparison
from ..measure.system import silence_stderr
from ..show import stop
from ..show.figure import Figure
from ..show.format import duration, measured, time_unit
from ..show.plots import one_ladder
from ..show.table import Table
from . import candidates
from .answers import ModelState, difference
from .candidates import ALL_THREADS, CALL, FUNCTION, LITERT, ORT, XLA, Case
from .cases import count_of_rows
from .prepare import CandidateResult, estimated_seconds, round_seconds
from .silence import silence_all
from .time_budget import TimeBudget

_PER_ROW = (CALL, ALL_THREADS, FUNCTION, XLA, LITERT, ORT)  # measured at the other batch sizes, too
# A comparison takes no longer than this, as more would only narrow intervals that are narrow
# already, unless slow candidates need it for this many rounds.
_ENOUGH_SECONDS = 2.0
_ENOUGH_ROUNDS = 20
# A comparison calls each candidate at least this often; where the seconds are too few for that,
# the calls that were made while preparing have to do.
_LEAST_ROUNDS = 2
_LEAST_SECONDS = 0.2
_FIRST_CALL_SHARE = 0.5  # of the seconds left: a candidate whose first call takes longer is omitted


# ---- a ladder of candidates that a lesson makes ----


@dataclass(repr=False)
class Ladder(Comparison):
    """A comparison of many candidates, with the Python calls of each.

    Attributes
    ----------
    first_call : dict of str to float
        Seconds from nothing but the model to the first answer: tracing, compiling or converting,
        and one call.
    python_calls : dict of str to int
        Python calls in one call, after the first.
    """

    plots: ClassVar[Mapping[str, Callable[..., Figure]]] = {
        "ladder": one_ladder,
        **Comparison.plots,
    }

    python_calls: dict[str, int] = field(default_factory=dict)

    @property
    def table(self) -> Table:
        """Time, time relative to the baseline, first answer and Python calls of each candidate."""
        unit = time_unit(median.value for median in self.median.values())
        ratios = self.ratio
        rows = []
        for name, median in self.median.items():
            relative = "1"
            if name in ratios:
                ratio = ratios[name]
                relative = measured(ratio.value, "×", (ratio.low, ratio.high))
            rows.append(
                [
                    name,
                    duration(median.value, unit=unit),
                    relative,
                    duration(self.first_call[name]),
                    f"{self.python_calls[name]:,} Python calls",
                ]
            )
        columns = ["", "time per call", f"times {self.baseline}"]
        columns += ["first answer after", "in one call"]
        notes = [self._agreement(), *self.notes]
        if self.interrupted:
            notes.append("interrupted: no verdict is given")
        return Table(columns, rows, notes=notes)


@stop.stoppable("Stopped before the first candidate was ready: nothing was measured.")
def compare_candidates(
    makers: Mapping[str, Callable], model: Any, row: Any, *, baseline: str, budget: float = 2.0
) -> Ladder:
    """Prepare candidates from one model and compare them, with their first answers.

    Parameters
    ----------
    makers : dict of str to callable
        ``make(model, row)`` prepares a candidate and returns a function of one row.
    model, row : object
        Passed to them.
    baseline : str
        The name of the candidate that the others are compared with: their times, and first of all
        their results.
    budget : float
        Seconds for the comparison; preparing and the first calls come on top.

    Returns
    -------
    Ladder
        Seconds per call, ratios, and for each candidate the first answer and the Python calls. The
        stop button and Ctrl-C end it with the rounds that there are.

    Raises
    ------
    AssertionError
        A candidate does not give the result of the baseline, by the check of `labkit.compare`.
    ValueError
        There is only one candidate, or no candidate has the name of the baseline.
    KeyboardInterrupt
        It was stopped before the candidates could be compared.

    Notes
    -----
    A single call of compiled code cannot be interrupted, such as the conversion of a large model:
    the comparison ends when it returns.

    Examples
    --------
    >>> from labkit.own_model import compare_candidates
    >>> makers = {
    ...     "slow": lambda model, row: lambda row: sum([model] * row),
    ...     "fast": lambda model, row: lambda row: model * row,
    ... }
    >>> ladder = compare_candidates(makers, 2, 100, baseline="fast", budget=0.05)
    >>> list(ladder.ratio)
    ['slow']
    """
    functions = {}
    first_call: dict[str, float] = {}
    python_calls = {}
    found: Comparison | None = None
    try:
        for name, make in makers.items():
            with silence_stderr():
                begin = rounds.clock()
                call = make(model, row)
                call(row)
                first_call[name] = rounds.clock() - begin
            with count() as counted:
                call(row)
            python_calls[name] = counted.python_calls
            functions[name] = functools.partial(call, row)
            stop.raise_if_requested()
        found = compare(functions, baseline=baseline, budget=budget)
        stop.finish()
    except KeyboardInterrupt:
        if stop.strict() or not first_call:
            raise
        stop.finish()
    if found is None:
        answers = ", ".join(f"{name} {duration(took)}" for name, took in first_call.items())
        raise stop.stopped(f"Stopped before the comparison. First answers: {answers}.")
    fields = vars(found) | {"first_call": first_call, "python_calls": python_calls}
    fields["notes"] = _notes_for_ladders(found.notes)
    return Ladder(**fields)


def _notes_for_ladders(notes: Sequence[Note]) -> list[Note]:
    """Return the notes of a comparison without what a caller here cannot follow.

    The number of calls per sample is not a parameter here, and which call was the second is not
    known outside: there were more while the candidates were prepared.
    """
    kept = []
    for note in notes:
        if note.kind == SECOND_CALLS:
            note = Note("no round was complete: each time is that of a single call", note.kind)
        if note.kind == TIES:
            note = Note(note.fact, note.kind)
        kept.append(note)
    return kept


# ---- the candidates of a diagnosis ----


def measure(ready: Sequence[CandidateResult], baseline: str, seconds: float) -> Comparison:
    """Measure prepared candidates in turns; their first calls are those of `prepare_all`."""
    functions: dict[str, candidates.Run] = {}
    for result in ready:
        if result.run is not None:
            functions[result.name] = result.run
    one_round = sum(max(result.estimate, rounds.SAMPLE) for result in ready)
    if _LEAST_ROUNDS * one_round > max(seconds, _LEAST_SECONDS):
        return estimated(ready, baseline, interrupted=False)
    enough = max(_ENOUGH_SECONDS, _ENOUGH_ROUNDS * one_round)
    budget = min(seconds, enough, rounds.MOST_BUDGET)
    if len(functions) == 1:
        found = _alone(baseline, functions[baseline], budget)
    else:
        found = compare(functions, baseline=baseline, budget=budget, check=False, progress=False)
    first_call = {result.name: result.first_call for result in ready}
    return replace(found, first_call=first_call, notes=_notes_for_ladders(found.notes))


def estimated(
    ready: Sequence[CandidateResult], baseline: str, interrupted: bool = True
) -> Comparison:
    """Return what is known of prepared candidates before they are measured: a single time each."""
    known = [result for result in ready if math.isfinite(result.estimate)]
    note = Note("each time is that of the quickest of a few calls, made while preparing")
    return Comparison(
        {result.name: [max(result.estimate, 1e-12)] for result in known},
        baseline,
        first_call={result.name: result.first_call for result in known},
        number={result.name: 1 for result in known},
        notes=[note],
        interrupted=interrupted,
    )


def _alone(name: str, run: Callable, budget: float) -> Comparison:
    """Measure one candidate that there is nothing to compare with."""
    timing = timeit(run, budget=budget, progress=False)
    return Comparison(
        {name: timing.samples},
        baseline=name,
        notes=timing.notes,
        interrupted=timing.interrupted,
    )


def at_batch_size(name: str, batch_size: int) -> str:
    """Return the name of a candidate at a batch size, such as ``LiteRT, 32 rows``."""
    return f"{name}, {count_of_rows(batch_size)}"


class TooShort(Exception):
    """Another batch size was not measured; its text says why, as the end of a sentence."""


def measure_per_row(
    make_case: Callable[[], Case],
    batch_size: int,
    batch: int,
    ready: Mapping[str, CandidateResult],
    state: ModelState,
    seconds: float,
    first: str = CALL,
) -> Comparison:
    """Measure the seconds per row at one batch size, next to those at `batch`, that of the ladder.

    The candidate `first` is prepared before the others, as its answer is the one that is wanted.
    Raises TooShort if the time is too short, or if no candidate takes this size.
    """
    share = TimeBudget(seconds)
    needs = ready[first].first_call + 2 * ready[first].estimate
    if needs > seconds:
        raise TooShort(_for_lack_of_time(needs))
    try:
        case = make_case()
    except ValueError as error:  # it has more bytes than an input may have
        raise TooShort(str(error)) from None
    here = _prepared_at(case, ready, state, share, first)
    if not here:
        raise TooShort("as no candidate takes this number")
    if share.left <= 0:
        raise TooShort(_for_lack_of_time(share.spent))
    pairs = []
    sizes = {}
    for result in here:
        at_this = replace(result, name=at_batch_size(result.name, batch_size))
        at_batch = replace(ready[result.name], name=at_batch_size(result.name, batch))
        pairs += [at_batch, at_this]
        sizes[at_batch.name] = batch
        sizes[at_this.name] = batch_size
    per_call = measure(pairs, pairs[0].name, share.left)
    return per_call.per_unit(sizes)


def _for_lack_of_time(seconds: float) -> str:
    """Return that the time was too short for another batch size, and how much more it takes."""
    return f"for lack of time: give about {round_seconds(2 * seconds):g} s more"


def _prepared_at(
    case: Case,
    ready: Mapping[str, CandidateResult],
    state: ModelState,
    budget: TimeBudget,
    first: str,
) -> list[CandidateResult]:
    """Prepare for another batch size the candidates that were ready at the first one.

    The recommended candidate comes first, and model(x) second, which says what the answer is.
    """
    prepared: dict[str, CandidateResult] = {}
    answers: dict[str, list[Any]] = {}
    for name in dict.fromkeys([first, CALL, *_PER_ROW]):
        if name not in ready:
            continue
        known = ready[name]
        if name != first and known.first_call + known.estimate > _FIRST_CALL_SHARE * budget.left:
            continue
        try:
            with silence_all():
                state.reset()
                begin = rounds.clock()
                run = candidates.prepare(name, case)
                answers[name] = run()
                first_call = rounds.clock() - begin
                estimate = first_call
                if first_call < _FIRST_CALL_SHARE * budget.left:
                    estimate = estimated_seconds(run, budget)
        except Exception:  # a model or a compiler may not allow this size: the figure omits it
            stop.raise_if_requested()
            continue
        prepared[name] = CandidateResult(name, first_call=first_call, estimate=estimate, run=run)
    in_order = [name for name in dict.fromkeys([CALL, *_PER_ROW, first]) if name in prepared]
    expected = answers.get(CALL)
    if expected is None or state.random:
        return [prepared[name] for name in in_order]
    return [prepared[name] for name in in_order if not difference(answers[name], expected)]
