"""The engine of `labkit.measure.compare`: first calls, warm-up, one number of calls for all, rounds in balanced random order."""

import contextlib
import functools
import gc
import inspect
import math
import os
import random
import sys
import time
from collections.abc import Callable
from typing import Any

from ..show.format import measured, measured_count
from ..show.progress import progress_bar
from .agreement import first_difference
from .stats import bonferroni, sign_ranks

clock: Callable[[], float] = time.perf_counter  # the tests put a clock of their own here
SAMPLE = 150e-6  # seconds: a thousand times the cost of reading the clock, well below a scheduler's slice
WARM_UP = 0.03  # seconds, all candidates together
_LAZY = {"DatasetV2", "generator", "coroutine", "map", "filter", "zip"}


class Run:
    """One measurement: the first calls, the warm-up, the shared number of calls, the rounds."""

    def __init__(self, fns: dict[str, Callable], budget: float, setup, number, sync):
        for name, fn in fns.items():
            refuse_unfit(name, fn, setup)
        if isinstance(budget, bool) or not 0 < budget <= 600:
            raise ValueError(f"budget is in seconds, above 0 and at most 600, got {budget!r}")
        if number is not None and (
            isinstance(number, bool) or not isinstance(number, int) or number < 1
        ):
            raise ValueError(f"number must be a whole number from 1 on, got {number!r}")
        if setup is not None and (number or 1) > 1:
            raise ValueError(
                "with setup every sample is one call, because a call may change its input: leave number out"
            )
        # Two variables for those who run lessons as tests: a part of the budget is enough where no verdict counts,
        # and where one does, a busy machine gets the rounds that a quiet one would have taken.
        budget *= float(os.environ.get("LABKIT_BUDGET") or 1)
        self.wanted = int(os.environ.get("LABKIT_ROUNDS") or 0)
        self.fns, self.budget, self.setup, self.number = fns, budget, setup, number or 1
        self.fixed = number is not None or setup is not None
        self.sync = sync if callable(sync) else _device_sync() if sync == "auto" else None
        self.samples: dict[str, list[float]] = {name: [] for name in fns}
        self.first_call: dict[str, float] = {}
        self.notes: list[str] = []
        self.retraced: set[str] = set()
        self.seconds = 0.0

    def sample(self, name: str, number: int, args: tuple) -> float:
        """Return seconds per call over `number` calls."""
        fn, repeat = self.fns[name], range(number)
        try:
            start = clock()
            for _ in repeat:
                fn(*args)
            if self.sync:
                self.sync()
            return (clock() - start) / number
        except Exception as error:
            error.add_note(f"while measuring {name!r}")
            raise

    def args(self) -> tuple:
        """Return the arguments of this round: none, or the fresh value of setup."""
        return () if self.setup is None else (self.setup(),)

    def start(self, check: bool | Callable) -> None:
        """Make and time the first calls, hold the results against each other, find the number of calls per sample."""
        results, args = {}, self.args()
        for name, fn in self.fns.items():
            try:
                start = clock()
                results[name] = fn(*args)
                if self.sync:
                    self.sync()
                self.first_call[name] = clock() - start
            except Exception as error:
                error.add_note(f"while measuring {name!r}")
                raise
            kinds = [kind.__name__ for kind in type(results[name]).__mro__]
            if any(kind in _LAZY for kind in kinds):
                self.notes.append(
                    f"warning: {name} returned a lazy object ({kinds[0]}): nothing may have been computed"
                )
        names = list(results)
        for name in names[1:] if check else ():
            if callable(check):
                problem = (
                    None if check(results[name], results[names[0]]) else "the check given says no"
                )
            else:
                problem = first_difference(results[name], results[names[0]])
            if problem:
                raise AssertionError(
                    f"{name} and {names[0]} do not give the same result: {problem}. "
                    "A faster wrong answer is no answer; pass check=False to time them anyway."
                )
        self._calibrate()

    def _calibrate(self) -> None:
        begin, best, calls = clock(), dict.fromkeys(self.fns, math.inf), 0
        while calls < 3 or clock() - begin < min(WARM_UP, self.budget / 4):
            for name in self.fns:
                best[name] = min(best[name], self.sample(name, 1, self.args()))
            calls += 1
            if clock() - begin > self.budget / 4:
                break
        fastest = min(best, key=best.__getitem__)
        while not self.fixed:
            # The better of two: one sample that was interrupted would leave the number far too small.
            took = min(self.sample(fastest, self.number, ()) for _ in range(2)) * self.number
            if took >= SAMPLE:
                break
            self.number = max(
                self.number + 1,
                min(self.number * 10, math.ceil(self.number * SAMPLE / max(took, 1e-9))),
            )

    def rounds(
        self, decided: Callable[[], bool], show: bool, rng: random.Random, confidence: float = 0.99
    ) -> bool:
        """Take rounds until decided or out of budget; return whether the user interrupted."""
        names, traces = list(self.fns), {name: _trace_count(fn) for name, fn in self.fns.items()}
        # Fewer rounds than this give no interval at all, however long one takes.
        least = next(
            n for n in range(1, 99) if sign_ranks(n, bonferroni(confidence, len(names))) >= 0
        )
        least = max(least, self.wanted)
        bar = progress_bar(None, "comparing " + ", ".join(names), show, self.budget)
        order, count, check_at, interrupted = [], 0, 32, False
        gc.collect()
        enabled, begin = gc.isenabled(), clock()
        swept = begin
        try:
            gc.disable()  # a collection inside one sample would be charged to one candidate
            while True:
                if not order:  # a random cyclic Latin square: with two candidates AB BA or BA AB
                    first = rng.sample(names, len(names))
                    order = [first[i:] + first[:i] for i in range(len(first))]
                args = self.args()
                row = {name: self.sample(name, self.number, args) for name in order.pop()}
                for name, seconds in row.items():
                    self.samples[name].append(max(seconds, 1e-12))  # a coarse clock may read zero
                count, now = count + 1, clock()
                if now - begin >= self.budget and (
                    count >= least or now - begin >= 5 * self.budget
                ):
                    break
                if count >= check_at:
                    check_at = math.ceil(check_at * 1.25)
                    if now - begin > 0.1 and decided():
                        break
                if now - swept > 0.5:
                    gc.collect(1)
                    swept = clock()
                    bar.update(
                        min(swept - begin, self.budget) - bar.n
                    )  # tqdm fails beyond its total
        except KeyboardInterrupt:
            if not count:
                raise
            interrupted = True
        finally:
            if enabled:
                gc.enable()
            bar.close()
        self.seconds = clock() - begin
        ties = max(
            sum(a == b for a, b in zip(t[1:], t, strict=False)) / count
            for t in self.samples.values()
        )
        if ties > 0.05 and count >= 32:
            tied = measured(100 * ties, "%")
            self.notes.append(
                f"{tied} of the samples tie at the clock's resolution: give a larger number="
            )
        for name, before in traces.items():
            if grown := _trace_count(self.fns[name]) - before:
                self.retraced.add(name)
                traced = measured_count(grown, "traces")
                self.notes.append(
                    f"warning: {name} made {traced} while it was measured; its verdict is withheld"
                )
        return interrupted


def calls_per_sample(seconds: float, most: int) -> int:
    """Return how many calls of so many seconds fill a sample, `most` at most."""
    return max(1, min(most, math.ceil(SAMPLE / max(seconds, 1e-8))))


def burst(fn: Callable, number: int) -> Callable[[], Any]:
    """Return a function that calls `fn` `number` times: for candidates that need a number of calls of their own."""
    repeat = range(number - 1)

    def call() -> Any:
        for _ in repeat:
            fn()
        return fn()

    return call


def refuse_unfit(name: str, fn: Any, setup: Any) -> None:
    """Raise TypeError where `fn` cannot be called as it will be: with nothing, or with the value of `setup`."""
    if not callable(fn):
        raise TypeError(f"{name} is {kind_of(fn)}, not a function: pass `lambda: f(x)`, not `f(x)`")
    try:
        signature = inspect.signature(fn)
    except (
        TypeError,
        ValueError,
    ):  # built-in functions without a signature: the first call will tell
        return
    try:
        signature.bind(*(() if setup is None else (None,)))
    except TypeError:
        wanted = "no argument" if setup is None else "one argument, the value of setup"
        raise TypeError(
            f"{name}{signature} must take {wanted}: wrap it, `lambda: {name}(x)`"
        ) from None


def kind_of(x: Any) -> str:
    """Return what `x` is, for an error message."""
    word = (
        "Tensor" if hasattr(x, "dtype") and "tensorflow" in type(x).__module__ else type(x).__name__
    )
    return f"a {word}"


def _device_sync() -> Callable | None:
    """Return what waits for the GPU, or None without one: on a CPU the result is there when the call returns."""
    tf = sys.modules.get("tensorflow")
    if tf is None or not tf.executing_eagerly() or not tf.config.list_logical_devices("GPU"):
        return None
    return tf.test.experimental.sync_devices


def _trace_count(fn: Callable) -> int:
    """Count the traces of the tf.functions that `fn` is, closes over, or calls by a global name."""
    near = [fn, *_reached(fn)]
    near += [
        f for helper in near[1:] for f in _reached(helper)
    ]  # one helper function, or sweep's, in between
    counters = {
        id(f): f.experimental_get_tracing_count
        for f in near
        if hasattr(f, "experimental_get_tracing_count")
    }
    return sum(count() for count in counters.values())


def _reached(fn: Any) -> list[Any]:
    if isinstance(fn, functools.partial):
        return [fn.func, *fn.args]
    code, reached = getattr(fn, "__code__", None), []
    if code is not None:
        reached = [fn.__globals__[n] for n in code.co_names if n in fn.__globals__]
        for cell in fn.__closure__ or ():
            with contextlib.suppress(ValueError):  # a variable that has no value yet
                reached.append(cell.cell_contents)
    return reached
