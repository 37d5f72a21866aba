"""Watch whether memory, operations, live graphs or the cost of a call keep growing."""

import gc
import itertools
import math
import os
import statistics
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from ..show import plots, stop
from ..show.figure import Figure
from ..show.format import duration, measured
from ..show.progress import progress_bar
from ..show.table import Table
from . import rounds
from .results import Result

QUANTITIES = ("memory", "ops", "graphs", "cost")
LEAST_BLOCKS = 8  # a plateau needs room to show
ALLOCATOR_STEP = 1.5 * 2**20  # bytes: an allocator asks for memory in steps of up to a megabyte
COST_GROWN = 1.5  # times the beginning
COST_STILL_GROWING = 1.15  # times the middle
MANY_CALLS = 1000  # show progress from here on
_NOTHING = "Stopped before the first block was done: nothing was measured."


@dataclass(repr=False)
class Growth(Result):
    """Growth of a quantity over repeated calls.

    Attributes
    ----------
    what : str
        ``memory`` (bytes), ``ops`` (operations), ``graphs`` (live graphs) or ``cost`` (seconds per
        call).
    values : list of float
        One per block: growth since the start, or for the cost the level itself.
    calls : int
        Calls per block.
    resolution : float
        Changes below this are none, in the unit of `values`.
    interrupted : bool
        Stopped by hand; what there is counts.
    """

    plots: ClassVar[Mapping[str, Callable[..., Figure]]] = {"growth": plots.growth}

    what: str
    values: list[float]
    calls: int
    resolution: float
    interrupted: bool = False

    @property
    def _half(self) -> int:
        return len(self.values) // 2

    @property
    def verdict(self) -> str:
        """``flat``, ``plateau`` (it grew, then stopped) or ``leak`` (it still grows at the end)."""
        if len(self.values) < LEAST_BLOCKS:
            return "unclear"
        if self.what == "cost":
            return self._verdict_on_cost()
        grown_late = self.values[-1] - self.values[self._half]
        if grown_late > self.resolution and self._mostly_rising():
            return "leak"
        if max(self.values) - self.values[0] > self.resolution:
            return "plateau"
        return "flat"

    def _verdict_on_cost(self) -> str:
        """Return the verdict on a level: whether the end costs more than the beginning."""
        start = statistics.median(self.values[:3])
        middle = statistics.median(self.values[self._half - 1 : self._half + 2])
        end = statistics.median(self.values[-3:])
        if end < COST_GROWN * start:
            return "flat"
        return "leak" if end > COST_STILL_GROWING * middle else "plateau"

    def _mostly_rising(self) -> bool:
        """Return whether most steps of the second half go up."""
        late = self.values[self._half :]
        rising = sum(after > before for before, after in itertools.pairwise(late))
        return rising > (len(late) - 1) / 2

    @property
    def _late_calls(self) -> int:
        """Number of calls between the middle and the end."""
        return (len(self.values) - 1 - self._half) * self.calls

    @property
    def per_call(self) -> float:
        """Growth per call over the second half, in bytes, operations, graphs or seconds."""
        if not self._late_calls:  # stopped by hand before there was a second half
            return math.nan
        return (self.values[-1] - self.values[self._half]) / self._late_calls

    @property
    def detectable(self) -> float:
        """The smallest steady growth per call that this run would call a leak."""
        if not self._late_calls:
            return math.inf
        return self.resolution / self._late_calls

    @property
    def table(self) -> Table:
        """The verdict and the numbers behind it."""
        last = len(self.values) * self.calls
        rows = [
            ["after the first block", self._show(self.values[0])],
            ["at half", self._show(self.values[self._half])],
            [f"after {last:,} calls", self._show(self.values[-1])],
        ]
        word = {"leak": "leak", "unclear": "unclear"}.get(self.verdict, "no leak")
        notes = ["interrupted: fewer blocks than asked for"] if self.interrupted else []
        return Table([self.what, ""], rows, f"{self.what}: {word}", notes)

    def _show(self, value: float) -> str:
        """Return a value with its unit."""
        if self.what == "memory":
            return measured(value / 2**20, "MiB")
        if self.what == "cost":
            return duration(value)
        return f"{value:,.0f}"


@stop.stoppable(_NOTHING)
def growth(
    fn: Callable[[], Any],
    *,
    what: str = "memory",
    calls: int = 100,
    blocks: int = 12,
    graph: Any = None,
    progress: str | bool = "auto",
) -> Growth:
    """Call `fn` many times and tell whether memory, operations, graphs or cost keep growing.

    Parameters
    ----------
    fn : callable
        Takes no argument.
    what : str
        ``"memory"`` of this process in bytes, ``"ops"`` of `graph`, ``"graphs"`` that are alive in
        this process (those of tf.functions included), or ``"cost"`` of a call in seconds.
    calls, blocks : int
        `blocks` readings, one after every `calls` calls. At least eight blocks: a plateau needs
        room to show.
    graph : tf.Graph, optional
        For ``"ops"``; the default graph unless given.
    progress : "auto" or bool
        "auto" shows a bar from a thousand calls on.

    Returns
    -------
    Growth
        With the verdict ``flat``, ``plateau`` or ``leak``. The stop button and Ctrl-C end it with
        the blocks that are done.

    Raises
    ------
    ValueError
        An unknown `what`, or too few blocks.
    KeyboardInterrupt
        It was stopped before one block was done.

    Notes
    -----
    A single call of compiled code cannot be interrupted: the watch ends when it returns.

    Examples
    --------
    Pieces so large that the system has to give each: smaller ones may come from freed memory.

    >>> kept = []
    >>> growth(lambda: kept.append(bytearray(40_000_000)), calls=1, blocks=8).verdict
    'leak'
    """
    if what not in QUANTITIES:
        raise ValueError(f"what is one of {', '.join(map(repr, QUANTITIES))}, got {what!r}")
    if blocks < LEAST_BLOCKS or calls < 1:
        raise ValueError(f"growth needs at least 8 blocks of 1 call, got {blocks} of {calls}")
    read = _reader(what, graph)
    fn()  # what only the first call does (a trace, a cache) is no growth
    start = read()
    shows = calls * blocks >= MANY_CALLS if progress == "auto" else bool(progress)
    values: list[float] = []
    try:
        bar = progress_bar(range(blocks), f"watching {what}", shows)
        with rounds.ended(bar), stop.translate_errors():
            for _ in bar:
                cost = _median_cost(fn, calls)
                values.append(cost if what == "cost" else read() - start)
        stop.finish()
    except KeyboardInterrupt:
        stop.finish()
        if stop.strict() or not values:
            raise
    resolution = ALLOCATOR_STEP if what == "memory" else 0.0  # the others are exact
    return Growth(what, values, calls, resolution, interrupted=len(values) < blocks)


def _median_cost(fn: Callable[[], Any], calls: int) -> float:
    """Return the median seconds of these calls."""
    times = []
    for _ in range(calls):
        begin = rounds.clock()
        fn()
        times.append(rounds.clock() - begin)
        stop.raise_if_requested()
    return statistics.median(times)


def _reader(what: str, graph: Any) -> Callable[[], float]:
    """Return a function that reads the quantity."""
    if what == "memory":
        return _resident_bytes
    if what == "graphs":
        return live_graphs
    if what == "ops":
        return _operations_of(graph)
    return lambda: 0.0


def _operations_of(graph: Any) -> Callable[[], float]:
    """Return a function that counts the operations of a graph."""
    if graph is None:
        import tensorflow as tf

        graph = tf.compat.v1.get_default_graph()
    return lambda: len(graph.get_operations())


def live_graphs() -> float:
    """Return how many TensorFlow graphs are alive."""
    ops = sys.modules.get("tensorflow.python.framework.ops")
    if ops is None:
        return 0
    with stop.deferred():  # what is raised in a finalizer is lost
        gc.collect()
    return sum(isinstance(thing, ops.Graph) for thing in gc.get_objects())


def _resident_bytes() -> float:
    """Return the resident memory of this process."""
    with stop.deferred():
        import psutil

        gc.collect()
    return psutil.Process(os.getpid()).memory_info().rss
