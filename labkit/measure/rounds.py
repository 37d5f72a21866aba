"""The measuring loop: first calls, warm-up, calls per sample, rounds in random order."""

import contextlib
import functools
import gc
import inspect
import math
import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ..show import stop
from ..show.errors import kind_in_words
from ..show.format import duration, measured, measured_count
from ..show.progress import progress_bar
from .agreement import compare_results
from .notes import LAZY, RETRACED, SECOND_CALLS, THIS_RUN, TIES, Note
from .processor import ProcessorMeter, ProcessorUse
from .stats import t_quantile

clock: Callable[[], float] = time.perf_counter  # the tests put a clock of their own here
processor_clock: Callable[[], float] = time.process_time

SAMPLE = 150e-6  # seconds: a thousand times the cost of reading the clock, well below a time slice
WARM_UP = 0.03  # seconds, all candidates together
MOST_BUDGET = 600  # seconds
OVERRUN = 1.5  # times the budget: nothing is begun that would end later
ALIKE = 2  # candidates that take less than this many times the fastest share its number of calls
SHORT_CALL = 2e-6  # seconds: below, the cost of calling a function counts
# Of the budget: when a run asks whether it can end early. A shorter one hides slow changes.
LOOKS = (0.25, 0.5)
COLLECT_EVERY = 0.5  # seconds, outside the samples
# When a run that was prolonged asks whether it is decided: from so many rounds on, and when it has
# taken so many times as long as at the look before. A look at many rounds takes a while.
LOOK_FROM = 4
LOOK_AFTER = 1.2
BEYOND = 5  # times the budget: where lessons run as tests, a run that is not decided ends there,
MOST_SLOWED = 12  # or so many times later, if others took the processor
LAZY_KINDS = {"DatasetV2", "generator", "coroutine", "map", "filter", "zip"}
COARSE = 0.05  # share of samples that equal the one before: more, and the clock is too coarse


@dataclass
class Options:
    """How to measure.

    `LABKIT_BUDGET` and `LABKIT_ROUNDS` are for those who run lessons as tests: a part of the
    budget is enough where no verdict counts, and where one does, a busy machine gets the rounds it
    needs: more than the budget allows, until the run is decided, or has as many, or has had five
    times the budget of what others left of the processor.
    """

    budget: float = 1.0
    setup: Callable | None = None
    number: int | None = None
    sync: str | Callable = "auto"
    collect_garbage: bool = False
    wanted_rounds: int = 0

    def __post_init__(self) -> None:
        check_budget(self.budget)
        check_number(self.number)
        if self.setup is not None and self.number is not None and self.number > 1:
            raise ValueError(
                "with setup every sample is one call, because a call may change its input: "
                "leave number out"
            )
        self.budget *= float(os.environ.get("LABKIT_BUDGET") or 1)
        self.wanted_rounds = int(os.environ.get("LABKIT_ROUNDS") or 0)


@dataclass
class Outcome:
    """What a run has measured so far; all times in seconds."""

    samples: dict[str, list[float]]
    first_call: dict[str, float] = field(default_factory=dict)
    number: dict[str, int] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)
    retraced: set[str] = field(default_factory=set)
    too_short: set[str] = field(default_factory=set)
    not_compared: str = ""
    seconds: float = 0.0
    interrupted: bool = False
    processor: ProcessorUse | None = None


class Run:
    """One measurement of one candidate or more."""

    def __init__(self, candidates: dict[str, Callable], options: Options, rng: random.Random):
        for name, fn in candidates.items():
            refuse_unfit(name, fn, options.setup)
        self.candidates = candidates
        self.options = options
        self.rng = rng
        self.outcome = Outcome({name: [] for name in candidates})
        self.overhead = dict.fromkeys(candidates, 0.0)  # seconds to subtract from each call
        self.meter = ProcessorMeter(list(candidates))
        self.is_decided: Callable[[], bool] = lambda: False
        self._next_look = 0.0  # seconds of the budget: when to ask that again
        self._last_sample: dict[str, float] = {}  # seconds of the whole sample
        self._second_calls: dict[str, float] = {}  # seconds
        self._first_samples: dict[str, float] = {}  # taken while warming up
        self._slow: list[str] = []  # candidates whose second call took a large part of the budget
        self._traces: dict[str, int] = {}  # before the first sample
        self._begin = 0.0
        self._rounds_begin = math.nan
        with stop.deferred():  # a package that is half imported cannot be imported again
            self.synchronise = _synchroniser(options.sync)
            t_quantile(0.99, 7)  # loads SciPy now: later, its import would fall into the rounds

    def measure(
        self,
        can_stop: Callable[[], bool],
        show_progress: bool,
        check: Callable[[dict[str, Any]], None] | None = None,
    ) -> None:
        """Make the first calls, `check` their results, calibrate, and take rounds.

        An interrupt keeps what is done, or raises Stopped where that says nothing yet.
        """
        try:
            results = self.make_first_calls()
            if check is not None:
                check(results)
            self.calibrate()
            self.take_rounds(can_stop, show_progress)
            stop.finish()
        except KeyboardInterrupt:
            stop.finish()
            if stop.strict():
                raise
            self._drop_incomplete_round()
            if not self._is_usable:
                raise stop.stopped(self._what_was_done()) from None
            self.outcome.interrupted = True
        self._complete()

    @property
    def _is_usable(self) -> bool:
        """Whether there is a round, or at least the second call of each candidate."""
        return self._rounds_taken > 0 or len(self._second_calls) == len(self.candidates)

    def _what_was_done(self) -> str:
        """Return the line for an interrupt that comes too early."""
        first_calls = []
        for name, seconds in self.outcome.first_call.items():
            first_calls.append(f"{name} {duration(seconds)}")
        if not first_calls:
            return "Stopped before the first call was done: nothing was measured."
        calls = "First calls" if len(first_calls) > 1 else "First call"
        return f"Stopped too early to say more. {calls}: {', '.join(first_calls)}."

    # ---- before the rounds ----

    def make_first_calls(self) -> dict[str, Any]:
        """Make and time the first call of each candidate, in random order; return the results."""
        results: dict[str, Any] = {}
        arguments = self._arguments()
        # The first call of one candidate warms what the next one uses: no order is fair.
        for name in self.rng.sample(list(self.candidates), len(self.candidates)):
            with _named_in_errors(name):
                begin = clock()
                results[name] = self.candidates[name](*arguments)
                if self.synchronise:
                    self.synchronise()
                self.outcome.first_call[name] = clock() - begin
            stop.raise_if_requested()
        self.outcome.first_call = {name: self.outcome.first_call[name] for name in self.candidates}
        for name in self.candidates:
            self._warn_if_lazy(name, results[name])
        return results

    def check_results(self, results: dict[str, Any], baseline: str, check: bool | Callable) -> None:
        """Raise AssertionError where a result differs from that of the baseline."""
        for name in self.candidates:
            if name == baseline:
                continue
            difference = self._difference(results[name], results[baseline], check)
            if difference:
                raise AssertionError(
                    f"{name} and {baseline} do not give the same result: {difference}. "
                    "A faster wrong answer is no answer; pass check=False to time them anyway."
                )

    def _difference(self, result: Any, expected: Any, check: bool | Callable) -> str:
        """Return how two results differ, or nothing; remember what could not be compared."""
        if callable(check):
            return "" if check(result, expected) else "the check given says no"
        agreement = compare_results(result, expected)
        if agreement.not_compared:
            self.outcome.not_compared = agreement.not_compared
        return agreement.difference

    def _warn_if_lazy(self, name: str, result: Any) -> None:
        """Note a result that may not have been computed at all."""
        kinds = [kind.__name__ for kind in type(result).__mro__]
        if any(kind in LAZY_KINDS for kind in kinds):
            lazy = f"warning: {name} returned a lazy object ({kinds[0]})"
            self.outcome.notes.append(Note(lazy, LAZY, "nothing may have been computed"))

    def calibrate(self) -> None:
        """Warm up, then find how many calls fill a sample; the budget runs from here."""
        with stop.deferred():  # what is raised in a finalizer is lost
            gc.collect()  # takes a third of a second beside TensorFlow: not a part of the budget
        self._begin = clock()
        quickest = self._warm_up()
        if self.options.number is not None or self.options.setup is not None:
            number = self.options.number or 1
            self.outcome.number = dict.fromkeys(self.candidates, number)
            self._expect_samples(quickest)
            return
        fastest = min(quickest, key=quickest.__getitem__)
        number = self._fill_sample(fastest, quickest[fastest])
        for name, seconds in quickest.items():
            if seconds < ALIKE * quickest[fastest]:
                # Two numbers would share out the cost of a sample's first, colder call differently.
                self.outcome.number[name] = number
            else:
                self.outcome.number[name] = self._fill_sample(name, seconds)
        self._measure_overhead(quickest)
        self._expect_samples(quickest)

    def _expect_samples(self, quickest: dict[str, float]) -> None:
        """Note how long a sample of each candidate will take."""
        for name, number in self.outcome.number.items():
            self._last_sample[name] = number * quickest[name]

    def _warm_up(self) -> dict[str, float]:
        """Call the candidates in turns for a moment; return each one's fastest call.

        The first call may only have prepared, so each candidate is called once more whatever that
        costs. Of a slow candidate this call is kept as its first sample.
        """
        most = self.options.budget / 4
        begin = clock()
        traces = self._count_traces()
        quickest: dict[str, float] = {}
        for name in self.candidates:
            quickest[name] = self._sample(name, 1, self._arguments())
            self._second_calls[name] = quickest[name]
        a_large_part = most / len(quickest)
        self._slow = [name for name, seconds in quickest.items() if seconds > a_large_part]
        if self.options.number in (None, 1):
            self._first_samples = {name: quickest[name] for name in self._slow}
            self._traces = {name: traces[name] for name in self._slow}
        for turn in range(1_000_000):
            spent = clock() - begin
            if spent > most or (turn >= 2 and spent > WARM_UP):
                break
            for name in self.candidates:
                if name not in self._slow:
                    seconds = self._sample(name, 1, self._arguments())
                    quickest[name] = min(quickest[name], seconds)
            if len(self._slow) == len(quickest):
                break
        return quickest

    def _fill_sample(self, name: str, seconds: float) -> int:
        """Return the number of calls that fills one sample."""
        number = calls_per_sample(seconds)
        if number == 1:
            return number
        while True:
            # The better of two: one that was interrupted would leave the number far too small.
            tries = [self._sample(name, number, self._arguments()) for _ in range(2)]
            took = min(tries) * number
            if took >= SAMPLE:
                return number
            larger = math.ceil(number * SAMPLE / max(took, 1e-9))
            number = max(number + 1, min(larger, 10 * number))

    def _measure_overhead(self, quickest: dict[str, float]) -> None:
        """Find the cost of calling a function, to subtract it where it is visible."""
        if min(quickest.values()) > SHORT_CALL:
            return
        overhead = _call_overhead()
        for name, number in self.outcome.number.items():
            if number > 1 and self._sample(name, number, ()) < 1.5 * overhead:
                self.outcome.too_short.add(name)
        if self.outcome.too_short:
            return
        self.overhead = dict.fromkeys(self.candidates, overhead)

    # ---- the rounds ----

    def take_rounds(self, can_stop: Callable[[], bool], show_progress: bool) -> None:
        """Take rounds until `can_stop` or the budget is spent."""
        self._traces = self._count_traces() | self._traces
        label = "comparing " if len(self.candidates) > 1 else "timing "
        bar = progress_bar(
            None, label + ", ".join(self.candidates), show_progress, self.options.budget
        )
        with ended(bar), _garbage_collection(self.options.collect_garbage):
            with stop.deferred():
                self.meter.start()
            self._rounds_begin = clock()
            self._take_rounds(can_stop, bar)

    def _drop_incomplete_round(self) -> None:
        """Make all candidates have as many samples as the one with the fewest."""
        rounds = min(len(times) for times in self.outcome.samples.values())
        for times in self.outcome.samples.values():
            del times[rounds:]

    @property
    def _rounds_taken(self) -> int:
        return len(next(iter(self.outcome.samples.values())))

    @property
    def _spent(self) -> float:
        """Seconds of the budget that are spent."""
        return clock() - self._begin

    def _take_rounds(self, can_stop: Callable[[], bool], bar: Any) -> None:
        """Take rounds until one of the ends is reached."""
        orders = balanced_orders(list(self.candidates), self.rng)
        looks = [share * self.options.budget for share in LOOKS]
        # The second call, the first sample of a slow candidate, may still have prepared.
        least_rounds = max(2, self.options.wanted_rounds)
        collected = 0.0
        while self._may_begin_round():
            if not self._take_round(next(orders)):
                return
            if self._rounds_taken == 2:
                self._correct_numbers()
            spent = self._spent
            if looks and spent >= looks[0]:
                looks = [at for at in looks if at > spent]
                if self._rounds_taken >= least_rounds:
                    self._watch_processor()
                    if can_stop():
                        return
            if spent - collected > COLLECT_EVERY:
                collected = spent
                with stop.deferred():
                    bar.update(min(spent, self.options.budget) - bar.n)  # more makes tqdm fail
                    if not self.options.collect_garbage:
                        gc.collect(1)

    def _correct_numbers(self) -> None:
        """Begin again where a candidate was slow only in the warm-up, such as in a trace."""
        quick = [
            name
            for name in self._slow
            if self.outcome.number[name] == 1 and self._last_sample[name] < SAMPLE
        ]
        self._slow = []
        if not quick or self.options.number is not None or self.options.setup is not None:
            return
        for name in quick:
            self.outcome.number[name] = self._fill_sample(name, self._last_sample[name])
        for times in self.outcome.samples.values():
            times.clear()
        self._traces = self._count_traces()

    def _may_begin_round(self) -> bool:
        """Return whether there is time for another round."""
        if not self._rounds_taken:
            return True  # each sample of it is looked at
        spent = self._spent
        if spent < self.options.budget:
            return True
        if self._rounds_taken >= self.options.wanted_rounds:
            return False
        if self._rounds_taken >= LOOK_FROM and spent >= self._next_look:
            self._next_look = LOOK_AFTER * spent
            self._watch_processor()
            if self.is_decided():
                return False
        most = BEYOND * self.options.budget
        if spent < most:
            return True
        self._watch_processor()
        return spent < most * self._slowed_down()

    def _slowed_down(self) -> float:
        """Return how many times as long the run takes for the processor that others take."""
        others = self.outcome.processor.others if self.outcome.processor is not None else 0.0
        if not others > 0:
            return 1.0  # also where it is not known
        return 1 / max(1 - others, 1 / MOST_SLOWED)

    def _take_round(self, order: list[str]) -> bool:
        """Take one sample of each candidate; return False where the budget ends before."""
        arguments = self._arguments()
        seconds: dict[str, float] = {}
        for name in order:
            if name in self._first_samples:
                seconds[name] = self._first_samples.pop(name)
                continue
            if not self._may_begin_sample(name):
                return False
            seconds[name] = self._sample(name, self.outcome.number[name], arguments)
        for name, value in seconds.items():
            # A coarse clock may read zero.
            self.outcome.samples[name].append(max(value - self.overhead[name], 1e-12))
        return True

    def _may_begin_sample(self, name: str) -> bool:
        """Return whether a sample of this candidate would end in time."""
        if self._rounds_taken < self.options.wanted_rounds:
            return True
        return self._spent + self._last_sample[name] <= OVERRUN * self.options.budget

    def _sample(self, name: str, number: int, arguments: tuple) -> float:
        """Return the seconds per call over `number` calls."""
        fn = self.candidates[name]
        repeat = range(number)
        with _named_in_errors(name):
            processor_begin = processor_clock()
            begin = clock()
            for _ in repeat:
                fn(*arguments)
            if self.synchronise:
                self.synchronise()
            seconds = clock() - begin
            self.meter.add(name, seconds, processor_clock() - processor_begin)
        self._last_sample[name] = seconds
        stop.raise_if_requested()
        return seconds / number

    def _arguments(self) -> tuple:
        """Return the arguments of a round: none, or the fresh value of setup."""
        return () if self.options.setup is None else (self.options.setup(),)

    # ---- after the rounds ----

    def _watch_processor(self) -> None:
        """Note who has used the processor since the first round: intervals depend on it."""
        self.outcome.processor = self.meter.so_far(clock() - self._rounds_begin)

    def _complete(self) -> None:
        """Note what is to be known about the samples."""
        self.outcome.seconds = self._spent
        if not math.isnan(self._rounds_begin):
            self._watch_processor()
        if not self._rounds_taken:
            self._use_second_calls()
        self._note_ties()
        self._note_retraces()
        if stop.requested():
            self.outcome.interrupted = True

    def _use_second_calls(self) -> None:
        """Take the second call of each candidate for a round where none was complete."""
        for name, seconds in self._second_calls.items():
            self.outcome.samples[name].append(max(seconds, 1e-12))
            self.outcome.number[name] = 1
        fact = "no round was complete: each time is that of a single call, the second"
        self.outcome.notes.append(Note(fact, SECOND_CALLS))

    def _note_ties(self) -> None:
        """Note samples that the clock cannot tell apart."""
        rounds = self._rounds_taken
        if rounds < 32:
            return
        share = max(_share_of_ties(times) for times in self.outcome.samples.values())
        if share > COARSE:
            tied = measured(100 * share, "%")
            fact = f"{THIS_RUN}{tied} of the samples tie at the clock's resolution"
            self.outcome.notes.append(Note(fact, TIES, "give a larger number="))

    def _count_traces(self) -> dict[str, int]:
        """Return how many traces each candidate has made so far."""
        return {name: _trace_count(fn) for name, fn in self.candidates.items()}

    def _note_retraces(self) -> None:
        """Note the candidates that traced while they were measured."""
        for name, count in self._count_traces().items():
            grown = count - self._traces.get(name, count)
            if grown:
                self.outcome.retraced.add(name)
                traces = measured_count(grown, "traces")
                warning = f"warning: {name} made {traces} while it was measured"
                self.outcome.notes.append(Note(f"{warning}; it gets no verdict", RETRACED))


def calls_per_sample(seconds: float) -> int:
    """Return the number of calls of this length that fills one sample."""
    return max(1, math.ceil(SAMPLE / max(seconds, 1e-8)))


def balanced_orders(names: list[str], rng: random.Random) -> Iterator[list[str]]:
    """Yield random orders; each name comes equally often at each place (a Latin square)."""
    while True:
        first = rng.sample(names, len(names))
        square = [first[i:] + first[:i] for i in range(len(first))]
        yield from square


def check_budget(budget: Any) -> None:
    """Raise ValueError where a budget is no time to spend."""
    if isinstance(budget, bool) or not 0 < budget <= MOST_BUDGET:
        raise ValueError(f"budget is in seconds, above 0 and at most {MOST_BUDGET}, got {budget!r}")


def check_number(number: Any) -> None:
    """Raise ValueError where a number of calls is none."""
    if number is None:
        return
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        raise ValueError(f"number must be a whole number from 1 on, got {number!r}")


def refuse_unfit(name: str, fn: Any, setup: Any) -> None:
    """Raise TypeError where `fn` cannot be called with nothing, or the value of `setup`."""
    if not callable(fn):
        raise TypeError(f"{name} is {kind_of(fn)}, not a function: pass `lambda: f(x)`, not `f(x)`")
    try:
        signature = inspect.signature(fn)
    except (TypeError, ValueError):  # built-in functions without a signature: the first call tells
        return
    arguments = () if setup is None else (None,)
    try:
        signature.bind(*arguments)
    except TypeError:
        wanted = "no argument" if setup is None else "one argument, the value of setup"
        raise TypeError(
            f"{name}{signature} must take {wanted}: wrap it, `lambda: {name}(x)`"
        ) from None


def kind_of(x: Any) -> str:
    """Return what `x` is, for an error message."""
    if hasattr(x, "dtype") and "tensorflow" in type(x).__module__:
        return "a Tensor"
    return kind_in_words(x)


@contextlib.contextmanager
def _named_in_errors(name: str) -> Iterator[None]:
    """Add the name of the candidate to whatever it raises."""
    try:
        yield
    except Exception as error:
        if stop.requested():  # compiled code has made another error of the interrupt
            raise KeyboardInterrupt from None
        error.add_note(f"while measuring {name!r}")
        raise


@contextlib.contextmanager
def ended(bar: Any) -> Iterator[None]:
    """Remove a progress bar at the end of the block, however it ends."""
    try:
        yield
    finally:
        with stop.deferred():
            bar.close()


@contextlib.contextmanager
def _garbage_collection(on: bool) -> Iterator[None]:
    """Keep garbage collection off inside the block, unless it is wanted."""
    was_on = gc.isenabled()
    try:
        if not on:
            gc.disable()  # a collection within a sample would be charged to one candidate
        yield
    finally:
        if was_on:
            gc.enable()


def _share_of_ties(times: list[float]) -> float:
    """Return the share of samples that equal the one before."""
    ties = sum(a == b for a, b in zip(times[1:], times, strict=False))
    return ties / len(times)


def _call_overhead() -> float:
    """Return the seconds that the loop needs to call a function that does nothing."""
    repeat = range(2000)

    def nothing() -> None:
        return None

    arguments = ()
    best = math.inf
    for _ in range(7):
        begin = clock()
        for _ in repeat:
            nothing(*arguments)
        best = min(best, (clock() - begin) / len(repeat))
    return best


def _synchroniser(sync: str | Callable) -> Callable | None:
    """Return the function to call at the end of a sample, or None."""
    if callable(sync):
        return sync
    if sync == "auto":
        return _gpu_synchroniser()
    return None


def _gpu_synchroniser() -> Callable | None:
    """Return a function that synchronises the GPU, or None without one."""
    tf = sys.modules.get("tensorflow")
    if tf is None or not tf.executing_eagerly() or not tf.config.list_logical_devices("GPU"):
        return None
    return tf.test.experimental.sync_devices


def _trace_count(fn: Callable) -> int:
    """Count the traces of the tf.functions that `fn` is, closes over, or calls by a global name."""
    near = [fn, *_reached(fn)]
    for helper in near[1:]:  # one helper function, or that of sweep, in between
        near += _reached(helper)
    counters = {}
    for candidate in near:
        count = getattr(candidate, "experimental_get_tracing_count", None)
        if count is not None:
            counters[id(candidate)] = count
    return sum(count() for count in counters.values())


def _reached(fn: Any) -> list[Any]:
    """Return what a function refers to by global names and closed-over variables."""
    if isinstance(fn, functools.partial):
        return [fn.func, *fn.args]
    code = getattr(fn, "__code__", None)
    if code is None:
        return []
    reached = [fn.__globals__[name] for name in code.co_names if name in fn.__globals__]
    for cell in fn.__closure__ or ():
        with contextlib.suppress(ValueError):  # a variable that has no value yet
            reached.append(cell.cell_contents)
    return reached
