"""Measure what a service needs to know of the recommended candidate, in a share of the budget."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..measure import rounds
from ..measure.system import cores
from ..show import stop
from . import candidates
from .answers import ModelState, largest_gap
from .callers import Load, call_at_once
from .candidates import ALL_THREADS, LITERT, Case, numpy_of
from .causes import last_cause
from .memory import MemoryWatch
from .paths import BadModel
from .prepare import CandidateResult, estimated_seconds
from .silence import silence_all
from .single_calls import Calls, take_turns
from .time_budget import TimeBudget

# Rows per call, in the order in which they are prepared: if the time ends early, those that there
# are lie far apart.
_SIZES = (1, 32, 256, 8, 128, 64, 16, 4, 2)
CALLERS = (1, 4, 16)
# Shares of the time that is left.
_CALLS_SHARE = 0.25
_SWEEP_SHARE = 0.4
_CALLERS_SHARE = 0.4
_SMALLER_SHARE = 0.9
_MOST_SECONDS = 2.0  # of each measurement, after everything is prepared
_LEAST_SECONDS = 0.05
_FEWEST_TIMED = 2  # calls: one to warm up, one that is timed
_NO_TIME = "for lack of time"
_PREPARE_SHARE = 0.7  # of the time of the sweep: the rest is for measuring
_ANSWERS_SHARE = 0.2  # of the time of the smaller files, for the answers to compare with
_ROWS_OF_GAP = 16  # inputs on which smaller files are compared with the model
_SAMPLE_ROWS = 64  # rows of a sample that the converter looks at

FLOAT16 = "float16"
INT8 = "int8"
INT8_SAMPLE = "int8, with the sample"
SMALLER = (FLOAT16, INT8, INT8_SAMPLE)


@dataclass(frozen=True)
class SmallerFile:
    """A LiteRT file with fewer bits for each number.

    Attributes
    ----------
    name : str
        One of `SMALLER`.
    size : int
        Bytes of the file.
    gap : float
        Largest difference from the answers of the model, as a share of their largest value.
    inputs : int
        On how many inputs.
    calls : Calls
        Single calls, in turns with those of the file with all bits.
    """

    name: str
    size: int
    gap: float
    inputs: int
    calls: Calls


@dataclass
class Service:
    """What a service needs to know.

    Attributes
    ----------
    best : str
        The candidate that is recommended; all but `calls` is about it.
    calls : dict of str to Calls
        Single calls with the rows of the ladder, by candidate.
    sweep : dict of int to Calls
        By rows per call.
    within : float or None
        Seconds in which an answer is wanted.
    callers : list of Load
        With more and more callers at once.
    full : Calls or None
        Single calls of LiteRT, in turns with the smaller files.
    full_size : int
        Bytes of its file.
    smaller : list of SmallerFile
        LiteRT with fewer bits.
    start_seconds, start_memory : float
        Seconds and bytes that a new interpreter of LiteRT needs until its first answer.
    left_out : list of str
        What was not measured, and why.
    """

    best: str
    calls: dict[str, Calls] = field(default_factory=dict)
    sweep: dict[int, Calls] = field(default_factory=dict)
    within: float | None = None
    callers: list[Load] = field(default_factory=list)
    full: Calls | None = None
    full_size: int = 0
    smaller: list[SmallerFile] = field(default_factory=list)
    start_seconds: float = math.nan
    start_memory: float = math.nan
    left_out: list[str] = field(default_factory=list)

    @property
    def most_rows(self) -> int | None:
        """The rows per call with the largest throughput within the time wanted; None if none is.

        An answer is within that time if 99 of 100 are; if the calls are too few for that, all.
        """
        fitting = {}
        for size, calls in self.sweep.items():
            if self.within is None or calls.almost_all <= self.within:
                fitting[size] = size / calls.mean
        if not fitting:
            return None
        return max(fitting, key=lambda size: fitting[size])


@dataclass
class _Task:
    """What is measured: the model, its candidates, and the time for it."""

    service: Service
    case: Case
    case_of: Callable[[int], Case]
    ready: Mapping[str, CandidateResult]
    state: ModelState
    given: Any
    clock: TimeBudget

    @property
    def first_call(self) -> float:
        """Seconds to prepare the recommended candidate."""
        return self.ready[self.service.best].first_call

    @property
    def rows(self) -> int:
        """Rows per call in the ladder."""
        import tensorflow as tf

        return len(tf.nest.flatten(self.case.x)[0])

    def share(self, part: float) -> float:
        """Return the seconds for a measurement that may take a part of what is left."""
        return max(_LEAST_SECONDS, min(_MOST_SECONDS, part * self.clock.left))

    def has_time_for(self, calls: int) -> bool:
        """Return whether what is left is enough for some calls of the recommended candidate."""
        return calls * self.ready[self.service.best].estimate <= self.clock.left

    def leave_out(self, what: str, why: str) -> None:
        """Note what is not measured."""
        self.service.left_out.append(f"{what}: not measured, {why}")


def measure_service(
    service: Service,
    case: Case,
    case_of: Callable[[int], Case],
    ready: Mapping[str, CandidateResult],
    state: ModelState,
    given: Any,
    seconds: float,
) -> None:
    """Fill in what a service needs to know; what there is no time for is noted as left out."""
    task = _Task(service, case, case_of, ready, state, given, TimeBudget(seconds))
    for part in (_percentiles, _start, _callers, _sweep, _smaller_files):
        try:
            with silence_all():
                part(task)
        except Exception as error:  # the other parts go on, and the report says what is missing
            stop.raise_if_requested()
            task.leave_out(_NAMES[part], last_cause(error))
        finally:
            state.reset()
        stop.raise_if_requested()


def _percentiles(task: _Task) -> None:
    """Time single calls of each candidate that one turn of all leaves time for."""
    if not task.has_time_for(_FEWEST_TIMED):
        task.leave_out("single calls", _NO_TIME)
        return
    runs: dict[str, candidates.Run] = {}
    left = task.share(_CALLS_SHARE)
    by_time = sorted(task.ready.values(), key=lambda result: result.estimate)
    for result in by_time:
        if result.run is None:
            continue
        left -= result.estimate
        if left < 0 and runs:
            task.leave_out(f"single calls of {result.name}", "as they take too long")
            continue
        runs[result.name] = result.run
    found = take_turns(runs, task.share(_CALLS_SHARE))
    task.service.calls = {name: found[name] for name in task.ready if name in found}


def _start(task: _Task) -> None:
    """Measure what a new interpreter of LiteRT needs until its first answer."""
    if task.service.best != LITERT or LITERT not in task.case.converted:
        return
    with MemoryWatch() as watch:
        begin = rounds.clock()
        candidates.litert_run(task.case, task.case.converted[LITERT])()
        task.service.start_seconds = rounds.clock() - begin
    task.service.start_memory = watch.grown


# ---- callers at once ----


def _callers(task: _Task) -> None:
    """Let 1, 4 and 16 threads call at once."""
    what = "callers at once"
    if task.state.changed:
        task.leave_out(what, "as the model remembers: each caller needs a model of its own")
        return
    total = task.share(_CALLERS_SHARE)
    each = total / len(CALLERS)
    estimate = task.ready[task.service.best].estimate
    for count in CALLERS:
        # One call of each before the time begins, one that ends after it: in the worst case, all
        # of them wait for each other.
        if 2 * count * estimate + each > task.clock.left:
            callers = "1 caller" if count == 1 else f"{count} callers"
            task.leave_out(f"{callers} at once", _NO_TIME)
            continue
        runs = [_run_of_caller(task) for _ in range(count)]
        task.service.callers.append(call_at_once(runs, each))


def _run_of_caller(task: _Task) -> candidates.Run:
    """Return the recommended candidate for one caller: an interpreter serves one thread only."""
    case, best = task.case, task.service.best
    if best == LITERT and LITERT in case.converted:
        return candidates.litert_run(case, case.converted[LITERT])
    if case.loaded.with_threads is not None:
        all_threads = cores() if best == ALL_THREADS else 1
        call = case.loaded.with_threads(case.threads or all_threads)
        return lambda: numpy_of(call(case.x))
    run = task.ready[best].run
    assert run is not None  # it is recommended
    return run


# ---- rows per call ----


def _sweep(task: _Task) -> None:
    """Time single calls with 1, 2, 4 ... rows, as many numbers as there is time to prepare."""
    if _fixes_rows(task):
        task.leave_out("other numbers of rows", "as the model fixes them")
        return
    if not task.has_time_for(_FEWEST_TIMED + 1):  # one for an estimate
        task.leave_out("other numbers of rows", _NO_TIME)
        return
    clock = TimeBudget(max(_LEAST_SECONDS, _SWEEP_SHARE * task.clock.left))
    runs: dict[int, candidates.Run] = {}
    missing = []
    one_more = task.first_call  # seconds to prepare another number of rows
    for size in _SIZES:
        is_too_long = clock.spent + one_more > _PREPARE_SHARE * clock.seconds
        if is_too_long and size != task.rows:
            missing.append(size)
            continue
        begin = rounds.clock()
        run = _prepared_for(task, size)
        if run is None:
            missing.append(size)
            continue
        estimated_seconds(run, clock)
        one_more = rounds.clock() - begin
        runs[size] = run
    if missing:
        sizes = ", ".join(str(size) for size in sorted(missing))
        task.leave_out(f"{sizes} rows per call", "for lack of time or memory")
    seconds = max(_LEAST_SECONDS, min(_MOST_SECONDS, clock.left))
    if not runs:
        return
    found = take_turns({str(size): run for size, run in runs.items()}, seconds)
    task.service.sweep = {size: found[str(size)] for size in sorted(runs)}


def _prepared_for(task: _Task, size: int) -> candidates.Run | None:
    """Return the recommended candidate for a number of rows; None if they are too large."""
    here = task.ready[task.service.best].run
    if size == task.rows and here is not None:
        return here
    try:
        case = task.case_of(size)
    except BadModel:
        return None
    return candidates.prepare(task.service.best, case)


def _fixes_rows(task: _Task) -> bool:
    """Return whether the model takes no other number of rows than that of the ladder."""
    import tensorflow as tf

    if task.case.loaded.is_whole:
        return True
    if task.case.loaded.spec is None:
        return False
    leaves = tf.nest.flatten(task.case.loaded.spec)
    return any(leaf.shape.rank and leaf.shape[0] is not None for leaf in leaves)


# ---- fewer bits ----


def _smaller_files(task: _Task) -> None:
    """Convert for LiteRT with fewer bits, and measure time, size and the change of the answers."""
    if LITERT not in task.case.converted or LITERT not in task.ready:
        return
    if task.state.changed or task.state.random:
        task.leave_out("LiteRT with fewer bits", "as the same input has no fixed answer")
        return
    clock = TimeBudget(max(_LEAST_SECONDS, _SMALLER_SHARE * task.clock.left))
    files: dict[str, candidates.Converted] = {}
    gaps: dict[str, float] = {}
    inputs, expected = _inputs_and_answers(task, clock)
    for name in SMALLER:
        if name == INT8_SAMPLE and task.given is None:
            continue
        if 1.5 * task.ready[LITERT].first_call > clock.left:
            task.leave_out(f"LiteRT in {name}", _NO_TIME)
            continue
        try:
            content = candidates.litert_file(task.case, _options(name, inputs))
            files[name] = candidates.litert_converted(content, task.case)
            call = candidates.litert_call(task.case, files[name])
            pairs = zip(inputs, expected, strict=True)
            gaps[name] = max(largest_gap(call(x), answer) for x, answer in pairs)
        except Exception as error:  # it has no operation for these bits, or the sample is unfit
            stop.raise_if_requested()
            files.pop(name, None)
            task.leave_out(f"LiteRT in {name}", last_cause(error))
    if not files:
        return
    runs = {LITERT: candidates.litert_run(task.case, task.case.converted[LITERT])}
    for name, converted in files.items():
        runs[name] = candidates.litert_run(task.case, converted)
    found = take_turns(runs, max(_LEAST_SECONDS, min(_MOST_SECONDS, clock.left)))
    task.service.full = found[LITERT]
    task.service.full_size = len(task.case.converted[LITERT].content)
    for name, converted in files.items():
        size = len(converted.content)
        made = SmallerFile(name, size, gaps[name], len(inputs), found[name])
        task.service.smaller.append(made)


def _inputs_and_answers(task: _Task, clock: TimeBudget) -> tuple[list[Any], list[list[Any]]]:
    """Return inputs with different rows and the answers of the model, as far as time allows."""
    inputs = _other_inputs(task)
    answers = []
    for x in inputs:
        answers.append(numpy_of(task.case.loaded.call(x)))
        if clock.spent > _ANSWERS_SHARE * clock.seconds:
            break
    return inputs[: len(answers)], answers


def _other_inputs(task: _Task) -> list[Any]:
    """Return inputs with different rows: those of the sample, or random ones."""
    import tensorflow as tf

    batch = task.rows
    wanted = _ROWS_OF_GAP
    if task.given is not None:
        wanted = min(_SAMPLE_ROWS, max(1, len(tf.nest.flatten(task.given)[0]) // batch))
    if _fixes_rows(task) or wanted == 1:
        return [task.case.x]
    try:
        many = task.case_of(wanted * batch).x
    except BadModel:  # so many rows are too large
        return [task.case.x]

    def part(i: int) -> Any:
        return tf.nest.map_structure(lambda leaf: leaf[i * batch : (i + 1) * batch], many)

    return [part(i) for i in range(wanted)]


def _options(name: str, inputs: list[Any]) -> Callable[[Any], None]:
    """Return what sets the options of a converter."""
    import tensorflow as tf

    def rows() -> Any:
        for x in inputs:
            yield numpy_of(x)

    def set_options(converter: Any) -> None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if name == FLOAT16:
            converter.target_spec.supported_types = [tf.float16]
        if name == INT8_SAMPLE:
            converter.representative_dataset = rows

    return set_options


_NAMES: dict[Callable[[_Task], None], str] = {
    _percentiles: "single calls",
    _start: "the start of an interpreter",
    _callers: "callers at once",
    _sweep: "other numbers of rows",
    _smaller_files: "LiteRT with fewer bits",
}
