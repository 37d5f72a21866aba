"""Ask whether memory, graph operations or the cost of a call keep growing from one iteration to the next."""

import gc
import os
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..show.format import duration, measured
from ..show.progress import progress_bar
from ..show.table import Table
from . import rounds
from .results import Result


@dataclass(repr=False)
class Growth(Result):
    """Something watched over the iterations of a loop.

    Attributes
    ----------
    what : str
        ``memory`` (bytes), ``ops`` (operations) or ``cost`` (seconds per call).
    values : list of float
        One per block: growth since the start, or for the cost the level itself.
    calls : int
        Calls per block.
    resolution : float
        Changes below this are none, in the unit of `values`.
    """

    what: str
    values: list[float]
    calls: int
    resolution: float

    @property
    def verdict(self) -> str:
        """``flat``, ``plateau`` (it grew, then stopped) or ``leak`` (it still grows at the end)."""
        v, half = self.values, len(self.values) // 2
        if self.what == "cost":  # a cost is a level: does the end cost more than the beginning?
            start, middle, end = (
                statistics.median(part) for part in (v[:3], v[half - 1 : half + 2], v[-3:])
            )
            if end < 1.5 * start:
                return "flat"
            return "leak" if end > 1.15 * middle else "plateau"
        late = v[-1] - v[half]
        steps = [b - a for a, b in zip(v[half:], v[half + 1 :], strict=False)]
        rising = sum(step > 0 for step in steps) > len(steps) / 2
        if late > self.resolution and rising:
            return "leak"
        return "plateau" if max(v) - v[0] > self.resolution else "flat"

    @property
    def per_call(self) -> float:
        """Growth per call over the second half, in bytes, operations or seconds."""
        half = len(self.values) // 2
        return (self.values[-1] - self.values[half]) / ((len(self.values) - 1 - half) * self.calls)

    @property
    def table(self) -> Table:
        """The verdict and the figures behind it."""
        total = (len(self.values) - 1) * self.calls
        moments = ("after the first block", "at half", f"after {total + self.calls:,} calls")
        values = (self.values[0], self.values[len(self.values) // 2], self.values[-1])
        rows = [[moment, self._show(value)] for moment, value in zip(moments, values, strict=True)]
        return Table(
            [self.what, ""], rows, f"{self.what}: {'leak' if self.verdict == 'leak' else 'no leak'}"
        )

    def _show(self, value: float) -> str:
        if self.what == "memory":
            return measured(value / 2**20, "MiB")
        return duration(value) if self.what == "cost" else f"{value:,.0f}"


def growth(
    fn: Callable[[], Any],
    *,
    what: str = "memory",
    calls: int = 100,
    blocks: int = 12,
    graph: Any = None,
    progress: str | bool = "auto",
) -> Growth:
    """Call `fn` many times and say whether memory, operations or cost keep growing.

    Parameters
    ----------
    fn : callable
        Takes no argument.
    what : str
        ``"memory"`` of this process, ``"ops"`` of `graph`, or ``"cost"`` of a call.
    calls, blocks : int
        `blocks` readings, one after every `calls` calls. At least eight blocks: a plateau needs room to show.
    graph : tf.Graph, optional
        For ``"ops"``; the default graph unless given.
    progress : "auto" or bool
        "auto" shows a bar from a thousand calls on.

    Returns
    -------
    Growth
        With the verdict ``flat``, ``plateau`` or ``leak``.

    Raises
    ------
    ValueError
        An unknown `what`, or too few blocks.

    Examples
    --------
    >>> kept = []  # pieces so large that the system has to give each: smaller ones may come from what was freed before
    >>> growth(lambda: kept.append(bytearray(40_000_000)), calls=1, blocks=8).verdict
    'leak'
    """
    if what not in ("memory", "ops", "cost"):
        raise ValueError(f"what is 'memory', 'ops' or 'cost', got {what!r}")
    if blocks < 8 or calls < 1:
        raise ValueError(f"growth needs at least 8 blocks of 1 call, got {blocks} of {calls}")
    if what == "ops" and graph is None:
        import tensorflow as tf

        graph = tf.compat.v1.get_default_graph()
    fn()  # what only the first call does (a trace, a cache) is no growth
    read = {
        "memory": _resident_bytes,
        "ops": lambda: len(graph.get_operations()) if graph else 0,
        "cost": lambda: 0,
    }[what]
    start, values = read(), []
    for _ in progress_bar(
        range(blocks),
        f"watching {what}",
        calls * blocks >= 1000 if progress == "auto" else progress,
    ):
        times = []
        for _ in range(calls):
            begin = rounds.clock()
            fn()
            times.append(rounds.clock() - begin)
        values.append(statistics.median(times) if what == "cost" else read() - start)
    # An allocator asks for memory in steps of up to a megabyte; operations are exact.
    return Growth(what, values, calls, {"memory": 1.5 * 2**20, "ops": 0, "cost": 0}[what])


def _resident_bytes() -> int:
    import psutil

    gc.collect()
    return psutil.Process(os.getpid()).memory_info().rss
