"""What a measurement returns: numbers, verdicts, a table as text and HTML, and pictures."""

import math
import os
from dataclasses import dataclass, field
from typing import Any

from ..show import plots
from ..show.format import duration, measured, measured_count, time_unit
from ..show.table import Table
from .stats import Finding, Interval, bonferroni, median_interval, paired_ratio, pays_after, verdict


class Result:
    """A result with a text form, an HTML form and pictures."""

    def __repr__(self) -> str:
        return str(self.table)

    def _repr_html_(self) -> str:
        return self.table._repr_html_()

    def plot(self, kind: str | None = None, **options: Any):
        """Return a picture of this result; see `labkit.plots` for the kinds and their options."""
        return plots.draw(self, kind, **options)


@dataclass(repr=False)
class Timing(Result):
    """The times of one callable.

    Attributes
    ----------
    name : str
        What was timed.
    samples : list of float
        Seconds per call, one for each sample.
    first_call : float
        Seconds of the very first call, apart from the samples: in TensorFlow it holds the trace.
    number : int
        Calls per sample.
    notes : list of str
        What to know before believing it.
    interrupted : bool
        The measurement was stopped by hand.
    """

    name: str
    samples: list[float]
    first_call: float = math.nan
    number: int = 1
    confidence: float = 0.99
    notes: list[str] = field(default_factory=list)
    interrupted: bool = False

    @property
    def median(self) -> Interval:
        """Seconds per call: the median of the samples with its interval."""
        return median_interval(self.samples, self.confidence)

    @property
    def table(self) -> Table:
        """The result as a table."""
        m = self.median
        rows = [[self.name, duration(m.value, m[1:] if math.isfinite(m.low) else None)]]
        if math.isfinite(self.first_call):
            rows[0].append(duration(self.first_call))
        notes = [
            measured_count(len(self.samples), "samples"),
            *self.notes,
            *["interrupted"] * self.interrupted,
        ]
        return Table(
            ["", "time per call", "first call"][: len(rows[0]) + (len(rows[0]) > 2)],
            rows,
            notes=notes,
        )


@dataclass(repr=False)
class Comparison(Result):
    """Several callables timed in the same rounds.

    Attributes
    ----------
    samples : dict of str to list of float
        Seconds per call, by name; the same index is the same round.
    baseline : str
        The name that the others are held against.
    first_call : dict of str to float
        Seconds of each very first call (tracing, compiling, building): not among the samples.
    number : int
        Calls per sample, the same for all.
    interrupted : bool
        The measurement was stopped by hand; what there is counts, but no verdict is given.
    """

    samples: dict[str, list[float]]
    baseline: str
    margin: float = 0.05
    confidence: float = 0.99
    first_call: dict[str, float] = field(default_factory=dict)
    number: int = 1
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)
    retraced: set[str] = field(default_factory=set)
    interrupted: bool = False
    checked: bool = True

    def _names(self) -> list[str]:
        return [name for name in self.samples if name != self.baseline]

    def relative(self, name: str, to: str) -> Interval:
        """Return the time of `name` relative to that of `to`, with its interval."""
        for n in (name, to):
            if n not in self.samples:
                raise KeyError(f"{n!r} was not measured; there are {', '.join(self.samples)}")
        return paired_ratio(
            self.samples[name], self.samples[to], bonferroni(self.confidence, len(self.samples))
        )

    @property
    def ratio(self) -> dict[str, Interval]:
        """Time relative to the baseline, by name: 0.2 is a fifth of the time."""
        return {name: self.relative(name, self.baseline) for name in self._names()}

    @property
    def verdict(self) -> dict[str, str]:
        """``faster``, ``slower``, ``similar`` or ``unclear`` than the baseline, by name."""
        held = self._without_verdict()
        return {
            n: "unclear" if n in held else verdict(r, self.margin) for n, r in self.ratio.items()
        }

    def _without_verdict(self) -> set[str]:
        return (
            set(self.samples)
            if self.interrupted or self.baseline in self.retraced
            else self.retraced
        )

    @property
    def median(self) -> dict[str, Interval]:
        """Seconds per call while the candidates took turns, by name."""
        return {
            name: median_interval(times, self.confidence) for name, times in self.samples.items()
        }

    def to_records(self) -> list[dict[str, Any]]:
        """One dict per candidate, times in seconds: ``pandas.DataFrame(comparison.to_records())`` works."""
        ratio, word = self.ratio, self.verdict
        return [
            {
                "name": n,
                "median": m.value,
                "low": m.low,
                "high": m.high,
                "ratio": ratio[n].value if n in ratio else 1.0,
                "ratio_low": ratio[n].low if n in ratio else 1.0,
                "ratio_high": ratio[n].high if n in ratio else 1.0,
                "verdict": word.get(n, "baseline"),
                "first_call": self.first_call.get(n, math.nan),
            }
            for n, m in self.median.items()
        ]

    def is_faster(self, name: str, than: str | None = None, by: float = 1.0) -> Finding:
        """Say whether `name` is at least `by` times as fast as `than`.

        Parameters
        ----------
        name, than : str
            Names in this comparison; `than` is the baseline unless given.
        by : float
            How many times as fast; the whole interval has to lie on one side of it.

        Returns
        -------
        Finding
            True, False, or undecided when the interval holds `by`.
        """
        than = than or self.baseline
        r = self.relative(name, than)
        speed = Interval(*(1 / x if x else math.inf for x in (r.value, r.high, r.low)))
        known = not self.interrupted and not {name, than} & self.retraced
        holds = True if speed.low > by else False if speed.high < by else None
        words = f"{name} takes {measured(r.value, '×', r[1:])} the time of {than}"
        return Finding(holds if known else None, words)

    def speed_table(self, work: float, peak: str) -> Table:
        """Return how fast each candidate computes, and which share of the peak that is.

        Parameters
        ----------
        work : float
            The number of operations in one call, the same for all candidates.
        peak : str
            The candidate that stands for the most that the machine can do.

        Returns
        -------
        Table
            GFLOP/s, and the share with its interval from the paired rounds.
        """
        cells = []
        for name, time in self.median.items():
            share = self.relative(peak, name)
            percent = measured(100 * share.value, "%", (100 * share.low, 100 * share.high))
            cells.append([name, measured(work / time.value / 1e9, "GFLOP/s"), percent])
        return Table(["", "speed", "share of the peak"], cells)

    def pays_after(self, name: str) -> int | None:
        """Return the break-even number of calls of `name` against the baseline; None where it never pays."""
        each = self.median[self.baseline].value
        plain = self.first_call[self.baseline], each
        # By the ratio within rounds: on a busy machine two medians, each taken alone, may change places.
        prepared = self.first_call[name], each * self.ratio[name].value
        return pays_after(plain, prepared)

    @property
    def sentences(self) -> list[str]:
        """The verdicts in words, one sentence per candidate."""
        ratio, word = self.ratio, self.verdict
        about = {
            "faster": "is faster than",
            "slower": "is slower than",
            "similar": "and",
            "unclear": "against",
        }
        ends = {"similar": f" are similar (within {self.margin:.0%})", "unclear": ": unclear"}
        return [
            f"{n} {about[w]} {self.baseline}{ends.get(w, f': {measured(ratio[n].value, chr(215))} the time')}"
            for n, w in word.items()
        ]

    @property
    def table(self) -> Table:
        """The result as a table."""
        unit, ratio, word = (
            time_unit(m.value for m in self.median.values()),
            self.ratio,
            self.verdict,
        )
        rows = []
        for n, m in self.median.items():
            relative = measured(ratio[n].value, "×", ratio[n][1:]) if n in ratio else "1"
            rows.append([n, duration(m.value, unit=unit), relative, word.get(n, "baseline")])
        count = f"{measured_count(len(self.samples[self.baseline]), 'rounds')} in {duration(self.seconds)}"
        notes = [count + ("; the results agree" if self.checked else ""), *self.notes]
        if self.interrupted:
            notes.append("interrupted: no verdict is given")
        elif open_ := [
            ratio[n] for n, w in word.items() if w == "unclear" and n not in self._without_verdict()
        ]:
            notes.append(self._why_unclear(max(open_, key=lambda r: r.high - r.low)))
        columns = ["", "time per call", f"relative to {self.baseline}", "verdict"]
        return Table(columns, rows, "; ".join(self.sentences), notes)

    def _why_unclear(self, wide: Interval) -> str:
        busy = (
            f" (load {measured(os.getloadavg()[0])} on {os.cpu_count()} cores)"
            if hasattr(os, "getloadavg")
            else ""
        )
        return (
            f"unclear: the true ratio lies between {measured(wide.low)} and {measured(wide.high)}{busy}; "
            f"measure longer (budget={max(2, math.ceil(self.seconds * 4))}) or ask for less (margin=0.2)"
        )


@dataclass(repr=False)
class Sweep(Result):
    """One comparison per size.

    Attributes
    ----------
    comparisons : dict of size to Comparison
        In the order of the sizes given.
    """

    comparisons: dict[Any, Comparison]
    label: str = "size"

    def to_records(self) -> list[dict[str, Any]]:
        """One dict per size and candidate, times in seconds."""
        return [
            {self.label: size, **row}
            for size, c in self.comparisons.items()
            for row in c.to_records()
        ]

    @property
    def table(self) -> Table:
        """Median time per call, a row per size and a column per candidate."""
        names = list(next(iter(self.comparisons.values())).samples)
        unit = time_unit(m.value for c in self.comparisons.values() for m in c.median.values())
        rows = [
            [str(size), *(duration(c.median[n].value, unit=unit) for n in names)]
            for size, c in self.comparisons.items()
        ]
        return Table([self.label, *names], rows, "time per call")
