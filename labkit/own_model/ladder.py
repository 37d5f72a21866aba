"""Ladders and roofs: many ways to make one call, held against a floor and against what the machine can do."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..measure import compare, rounds
from ..measure.count import count
from ..measure.results import Comparison
from ..measure.system import silence_stderr
from ..show.format import duration, measured, time_unit
from ..show.table import Table


@dataclass(repr=False)
class Ladder(Comparison):
    """A comparison of many ways to make one call; the baseline is the floor.

    Attributes
    ----------
    first_call : dict of str to float
        Seconds from nothing but the model to the first answer: tracing, compiling or converting, and one call.
    python_calls : dict of str to int
        Python calls of one call, after the first.
    """

    python_calls: dict[str, int] = field(default_factory=dict)

    @property
    def table(self) -> Table:
        """A row per rung: time, times the floor with its interval, first answer, Python calls."""
        unit, ratio, rows = time_unit(m.value for m in self.median.values()), self.ratio, []
        for name, m in self.median.items():
            times = measured(ratio[name].value, "×", ratio[name][1:]) if name in ratio else "1"
            calls = f"{self.python_calls[name]:,} Python calls"
            rows.append(
                [name, duration(m.value, unit=unit), times, duration(self.first_call[name]), calls]
            )
        columns = [
            "",
            "time per call",
            f"times {self.baseline}",
            "first answer after",
            "in one call",
        ]
        return Table(columns, rows, notes=["the results agree", *self.notes])


def compare_candidates(
    makers: Mapping[str, Callable], model: Any, row: Any, *, baseline: str, budget: float = 2.0
) -> Ladder:
    """Measure ways to make one call that lie thousands of times apart.

    `labkit.compare` gives each candidate the same number of calls per sample. Here each gets as many as fill a sample,
    and the times are divided by it: else the slowest rung would take all the time there is.

    Parameters
    ----------
    makers : dict of str to callable
        ``make(model, row)`` prepares a way and returns a function of one row. The first is the reference that all
        results are compared with.
    model, row
        Passed to them.
    baseline : str
        The name that the others are held against.
    budget : float
        Seconds for the rounds; making and first calls come on top.

    Returns
    -------
    Ladder
        With the first answer and the Python calls of each.

    Raises
    ------
    AssertionError
        Two ways do not give the same result, by `labkit.compare`'s own check.

    Examples
    --------
    >>> ways = {"slow": lambda m, x: lambda x: sum([m] * x), "fast": lambda m, x: lambda x: m * x}
    >>> list(compare_candidates(ways, 2, 100, baseline="fast", budget=0.05).ratio)
    ['slow']
    """
    ways, first, calls, number = {}, {}, {}, {}
    for name, make in makers.items():
        with silence_stderr():
            start = rounds.clock()
            ways[name] = make(model, row)
            first[name] = rounds.clock() - start + _took(ways[name], row)
        with count() as n:
            ways[name](row)
        calls[name] = n.python_calls
        quick = min(_took(ways[name], row) for _ in range(3))
        number[name] = rounds.calls_per_sample(quick, 1000)
    bursts = {
        name: rounds.burst(functools.partial(way, row), number[name]) for name, way in ways.items()
    }
    raw = compare.compare(bursts, baseline=baseline, budget=budget, number=1)
    samples = {name: [t / number[name] for t in times] for name, times in raw.samples.items()}
    return Ladder(
        samples,
        baseline,
        raw.margin,
        raw.confidence,
        first,
        1,
        raw.seconds,
        raw.notes,
        raw.retraced,
        raw.interrupted,
        True,
        calls,
    )


def _took(way: Callable, row: Any) -> float:
    start = rounds.clock()
    way(row)
    return rounds.clock() - start
