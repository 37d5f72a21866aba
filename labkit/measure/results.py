"""What a measurement returns: numbers, verdicts, a table as text and HTML, and figures."""

import itertools
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from ..show import plots, stop
from ..show.figure import Figure
from ..show.format import duration, measured, measured_count, time_unit
from ..show.table import Table
from .notes import THIS_RUN, Note
from .processor import ProcessorUse
from .stats import (
    FAR,
    Finding,
    Interval,
    block_interval,
    median_of,
    pair_confidence,
    paired_ratio,
    pays_after,
    quartiles,
    ratios_depend,
    verdict,
    widened,
)

STRICT = 10  # times less often wrong: what a run that ends early must show
DECIDED = 1.4  # the ends of an interval, as a ratio: what is twice as far from a bound is decided
NARROW = 1.1  # the ends of an interval, as a ratio: as good as a learner needs that far from 1
FEW_ROUNDS = 4  # fewer, and an interval says little: the range of all calls may say more
PARTED = 1.25  # times: mean and median so far apart are two different answers
DISTURBED = 0.05  # share of the processor that others take: more, and runs differ from each other
DIFFERENT = 1.15  # times: candidates further apart do different work, which others slow unequally
ROUNDS_TO_WIDEN = 16  # the interval of fewer rounds is wide enough for the next run already
BETWEEN_RUNS = 1.4  # times as wide: what covers the next run as well (tools/benchmarks)
LONGEST_ADVICE = 60  # seconds: nobody waits longer for one comparison


class Result:
    """A result with a text form, an HTML form and figures."""

    plots: ClassVar[Mapping[str, Callable[..., Figure]]] = {}

    @property
    def table(self) -> Table:
        """The result as a table."""
        raise NotImplementedError

    @stop.stoppable("Stopped before the result was written.")
    def __repr__(self) -> str:
        stop.finish()  # it takes a moment, and what was measured is worth more than the moment
        return str(self.table)

    @stop.stoppable("Stopped before the result was written.")
    def _repr_html_(self) -> str:
        stop.finish()
        return self.table._repr_html_()

    @stop.stoppable("Stopped before the figure was shown.")
    def plot(self, kind: str | None = None, **options: Any) -> Figure:
        """Return a figure of this result.

        Parameters
        ----------
        kind : str, optional
            One of the names in `plots`; the first of them unless given.
        **options
            Passed to the function of `labkit.plots` that draws it.

        Returns
        -------
        Figure
            With its caption.

        Raises
        ------
        ValueError
            This result has no figure of that kind.
        KeyboardInterrupt
            It was stopped. The figure is drawn first, in less than a second or two: matplotlib must
            not be left half imported, or with other settings than before.
        """
        if kind is None:
            kind = next(iter(self.plots))
        if kind not in self.plots:
            known = ", ".join(self.plots)
            raise ValueError(f"a {type(self).__name__} has no figure {kind!r}; there are {known}")
        with stop.deferred():
            return self.plots[kind](self, **options)


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
        Seconds of the very first call, apart from the samples: in TensorFlow it includes the trace.
    number : int
        Calls per sample.
    notes : list of Note
        What to know before believing it: text, each with a `kind`.
    interrupted : bool
        The measurement was stopped by hand.
    """

    plots: ClassVar[Mapping[str, Callable[..., Figure]]] = {"times": plots.times}

    name: str
    samples: list[float]
    first_call: float = math.nan
    number: int = 1
    notes: list[Note] = field(default_factory=list)
    interrupted: bool = False

    @property
    def median(self) -> Interval:
        """Seconds per call: the median of the samples, and the ends of their middle half.

        These ends describe the samples. They promise nothing about another run: the time of one
        callable moves with the machine. To say which of two is faster, use `labkit.compare`.
        """
        return Interval(median_of(self.samples), *quartiles(self.samples))

    @property
    def table(self) -> Table:
        """The result as a table."""
        columns = ["", "time per call [middle half]"]
        cells = [self.name, duration(self.median.value, self.median[1:])]
        if math.isfinite(self.first_call):
            columns.append("first call")
            cells.append(duration(self.first_call))
        notes = [measured_count(len(self.samples), "samples"), *self.notes]
        if self.interrupted:
            notes.append("interrupted: fewer samples than asked for")
        return Table(columns, [cells], notes=notes)


@dataclass(repr=False)
class Comparison(Result):
    """Several callables timed in the same rounds.

    Attributes
    ----------
    samples : dict of str to list of float
        Seconds per call, by name; the same index is the same round.
    baseline : str
        The name that the others are compared with.
    margin : float
        Differences below this share count as *similar*.
    confidence : float
        Of the intervals, all pairs of candidates together.
    first_call : dict of str to float
        Seconds of each very first call (tracing, compiling, building): not among the samples. The
        process was warm, and they were made in random order.
    number : dict of str to int
        Calls per sample, by name.
    seconds : float
        How long the rounds took.
    notes : list of Note
        What to know before believing it: text, each with a `kind`.
    retraced : set of str
        Candidates that traced while they were measured: they get no verdict.
    too_short : set of str
        Candidates whose calls take hardly longer than calling a function does.
    interrupted : bool
        The measurement was stopped by hand; what there is counts, but no verdict is given.
    checked : bool
        Whether the results were compared, and agree.
    not_compared : str
        What in the results could not be compared, in words.
    processor : ProcessorUse or None
        How busy the machine was, and how much each candidate waited.
    """

    plots: ClassVar[Mapping[str, Callable[..., Figure]]] = {
        "ratio": plots.ratio,
        "times": plots.times,
        "rounds": plots.rounds,
        "break-even": plots.break_even,
    }

    samples: dict[str, list[float]]
    baseline: str
    margin: float = 0.05
    confidence: float = 0.99
    first_call: dict[str, float] = field(default_factory=dict)
    number: dict[str, int] = field(default_factory=dict)
    seconds: float = math.nan
    notes: list[Note] = field(default_factory=list)
    retraced: set[str] = field(default_factory=set)
    too_short: set[str] = field(default_factory=set)
    interrupted: bool = False
    checked: bool = False
    not_compared: str = ""
    processor: ProcessorUse | None = None

    # ---- numbers ----

    @property
    def others(self) -> list[str]:
        """The names of all candidates but the baseline."""
        return [name for name in self.samples if name != self.baseline]

    @property
    def ratio(self) -> dict[str, Interval]:
        """Time relative to the baseline, by name: below 1 is faster."""
        return {name: self.relative(name, self.baseline) for name in self.others}

    @property
    def median(self) -> dict[str, Interval]:
        """Seconds per call by name: median, and the ends of the middle half of the samples.

        Two medians are no comparison: their ratio is not the median ratio of the rounds.
        """
        return {
            name: Interval(median_of(times), *quartiles(times))
            for name, times in self.samples.items()
        }

    def relative(self, name: str, than: str) -> Interval:
        """Return the time of `name` relative to that of `than`, with its interval.

        All pairs of candidates together have the confidence asked for. Where other programs were at
        work and the candidates do different work, the interval is wider than this run alone says.
        """
        confidence = pair_confidence(self.confidence, len(self.samples))
        times, baseline = self.samples[name], self.samples[than]
        if len(times) < FEW_ROUNDS:
            all_calls = self._range_of_all_calls(name, than)
            if all_calls.low > FAR or all_calls.high < 1 / FAR:
                return all_calls
        ratio = paired_ratio(times, baseline, confidence)
        return widened(ratio, BETWEEN_RUNS) if self._moves_between_runs(ratio) else ratio

    def _moves_between_runs(self, ratio: Interval) -> bool:
        """Return whether the next run may give another ratio than this one can show.

        What other programs leave of caches and cores often lasts longer than a run, and slows one
        kind of work more than another. Repeated comparisons on a busy machine contradicted each
        other until their intervals were wider by this factor; those of like code did not.
        """
        if self.processor is None or not self.processor.others > DISTURBED:
            return False  # also where it is not known
        if len(self.samples[self.baseline]) < ROUNDS_TO_WIDEN:
            return False
        return not 1 / DIFFERENT < ratio.value < DIFFERENT

    def _range_of_all_calls(self, name: str, than: str) -> Interval:
        """Return the ratio of the medians, between the extremes of all calls seen."""
        seen = [*self.samples[name], self.first_call.get(name, math.nan)]
        seen_baseline = [*self.samples[than], self.first_call.get(than, math.nan)]
        value = self.median[name].value / self.median[than].value
        return Interval(value, min(seen) / max(seen_baseline), max(seen) / min(seen_baseline))

    def mean_ratio(self, name: str) -> Interval:
        """Return the mean time relative to the baseline's mean, with its interval.

        Rare long calls count in a mean and not in a median.
        """
        times, baseline = self.samples[name], self.samples[self.baseline]
        value = math.fsum(times) / math.fsum(baseline)
        blocks = 8
        if len(times) < 2 * blocks:
            return Interval(value, 0.0, math.inf)
        ends = [i * len(times) // blocks for i in range(blocks + 1)]
        logs = []
        for begin, end in itertools.pairwise(ends):
            logs.append(math.log(math.fsum(times[begin:end]) / math.fsum(baseline[begin:end])))
        interval = block_interval(logs, self.confidence)
        return Interval(value, math.exp(interval.low), math.exp(interval.high))

    def is_faster(self, name: str, than: str | None = None, by: float = 1.0) -> Finding:
        """Return whether `name` is at least `by` times as fast as `than`.

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
        if than is None:
            than = self.baseline
        ratio = self.relative(name, than)
        words = f"{name} takes {measured(ratio.value, '×', ratio[1:])} the time of {than}"
        if self.interrupted or {name, than} & self.retraced:
            return Finding(None, words)
        limit = 1 / by
        if ratio.high < limit:
            return Finding(True, words)
        if ratio.low > limit:
            return Finding(False, words)
        return Finding(None, words)

    def pays_after(self, name: str) -> int | None:
        """Return the break-even number of calls of `name`, or None where it never pays."""
        each = self.median[self.baseline].value
        plain = self.first_call[self.baseline], each
        # By the ratio within rounds: two medians, each taken alone, may change places.
        prepared = self.first_call[name], each * self.ratio[name].value
        return pays_after(plain, prepared)

    def per_unit(self, units: Mapping[str, float]) -> "Comparison":
        """Return this comparison with each candidate's times divided by a number of its own.

        With the rows of a call as the unit, times and ratios are per row.
        """
        samples = {}
        for name, times in self.samples.items():
            samples[name] = [seconds / units[name] for seconds in times]
        first_call = {name: seconds / units[name] for name, seconds in self.first_call.items()}
        return replace(self, samples=samples, first_call=first_call)

    # ---- verdicts ----

    @property
    def verdict(self) -> dict[str, str]:
        """By name: ``faster``, ``slower``, ``similar`` or ``unclear``."""
        return {name: self._verdict(name, ratio) for name, ratio in self.ratio.items()}

    def _verdict(self, name: str, ratio: Interval) -> str:
        """Return the verdict on one candidate, or ``unclear`` where none may be given."""
        pair = {name, self.baseline}
        if self.interrupted or pair & self.retraced:
            return "unclear"
        word = verdict(ratio, self.margin)
        if word == "similar" and pair & self.too_short:
            return "unclear"  # the cost of calling, the same for both, hides the difference
        return word

    def can_stop(self) -> bool:
        """Return whether the run may end early: every candidate lies far from the baseline.

        Nearer candidates get the whole budget. To stop as soon as a verdict appears would prefer
        the runs in which it is wrong.
        """
        strict = replace(self, confidence=1 - (1 - self.confidence) / STRICT)
        for name, ratio in strict.ratio.items():
            is_far = ratio.low > FAR or ratio.high < 1 / FAR
            if not is_far:
                return False
            if ratio.low <= 0 or ratio.high / ratio.low > NARROW:
                return False
            # A slow change of the ratio needs a long run to show itself.
            if ratios_depend(self.samples[name], self.samples[self.baseline]):
                return False
        return True

    def is_decided(self) -> bool:
        """Return whether more rounds than the budget allows would decide nothing else.

        That is for the tests of the lessons, which compare what is claimed: the interval of each
        pair is so narrow that it decides a claim whose bound lies twice as far. Nearer ones are not
        compared.
        """
        if self.interrupted or self.retraced:
            return False
        pairs = itertools.combinations(self.samples, 2)
        ratios = [self.relative(name, than) for name, than in pairs]
        return all(0 < each.low > each.high / DECIDED for each in ratios)

    # ---- words ----

    @property
    def table(self) -> Table:
        """The result as a table."""
        medians = self.median
        unit = time_unit(time.value for time in medians.values())
        # Each ratio is found once: that of a million rounds takes a while.
        ratios = self.ratio
        verdicts = {name: self._verdict(name, ratio) for name, ratio in ratios.items()}
        rows = []
        for name, time in medians.items():
            relative, word = "1", "baseline"
            if name in ratios:
                relative = measured(ratios[name].value, "×", ratios[name][1:])
                word = verdicts[name]
            rows.append([name, word, duration(time.value, unit=unit), relative])
        # The verdict comes early: on a narrow page the last column is cut off.
        columns = ["", "verdict", "time per call", f"relative to {self.baseline}"]
        sentences = [self._sentence(name, verdicts[name], ratios[name]) for name in ratios]
        notes = self._lines_below(ratios, verdicts)
        return Table(columns, rows, "; ".join(sentences), notes)

    def _sentence(self, name: str, word: str, ratio: Interval) -> str:
        """Return the verdict on one candidate as a sentence."""
        if word == "similar":
            return f"{name} and {self.baseline} are similar (within {_percent(self.margin)})"
        if word == "unclear":
            return f"{name} against {self.baseline}: unclear"
        time = measured(ratio.value, "×")
        return f"{name} is {word} than {self.baseline}: {time} the time"

    def _lines_below(
        self, ratios: Mapping[str, Interval], verdicts: Mapping[str, str]
    ) -> list[str]:
        """Return the lines below the table."""
        taken = measured_count(len(self.samples[self.baseline]), "rounds")
        if math.isfinite(self.seconds):
            taken += f" in {duration(self.seconds)}"
        lines = [f"{taken}; {self._agreement()}"]
        if self.processor is not None:
            others = "an unknown share"
            if math.isfinite(self.processor.others):
                others = measured(100 * self.processor.others, "%")
            lines.append(
                f"{_percent(self.confidence)} intervals, for this run; "
                f"other programs took {others} of the processor"
            )
        if any(self._moves_between_runs(ratio) for ratio in ratios.values()):
            lines.append(
                f"{THIS_RUN}intervals of candidates that differ are {BETWEEN_RUNS:g} times as "
                "wide, because other programs were at work"
            )
        lines += self.notes
        lines += self._notes_on_means(ratios)
        for name in self.too_short:
            lines.append(f"{name} takes hardly longer than calling a function: put a loop inside")
        if self.interrupted:
            lines.append("interrupted: no verdict is given")
        else:
            lines += self._why_unclear(ratios, verdicts)
        return lines

    def _agreement(self) -> str:
        """Return what is known about the results."""
        if self.not_compared:
            return f"results not compared: {self.not_compared}"
        return "the results agree" if self.checked else "results not compared"

    def _notes_on_means(self, ratios: Mapping[str, Interval]) -> list[str]:
        """Return a line for each candidate whose mean and median tell two different stories."""
        lines = []
        for name, ratio in ratios.items():
            mean = self.mean_ratio(name)
            if mean.low > PARTED * ratio.value or mean.high < ratio.value / PARTED:
                by_mean = measured(mean.value, "×", mean[1:])
                lines.append(
                    f"{THIS_RUN}by the mean, {name} takes {by_mean} the time of {self.baseline}: "
                    "some calls take much longer than the median"
                )
        return lines

    def _why_unclear(
        self, ratios: Mapping[str, Interval], verdicts: Mapping[str, str]
    ) -> list[str]:
        """Return a line on the widest interval that leaves a verdict open, and what to do."""
        open_ratios = [
            ratio
            for name, ratio in ratios.items()
            if verdicts[name] == "unclear"
            and not {name, self.baseline} & (self.retraced | self.too_short)
        ]
        if not open_ratios:
            return []
        widest = max(open_ratios, key=lambda ratio: ratio.high - ratio.low)
        between = f"between {measured(widest.low)} and {measured(widest.high)}"
        return [f"unclear: the true ratio lies {between}; {self._advice()}"]

    def _advice(self) -> str:
        """Return what to do about an interval that is too wide."""
        if self.processor is not None and self.processor.busy and self.processor.unlike:
            waiting = ", ".join(
                f"{name} {measured(100 * share, '%')}"
                for name, share in self.processor.waiting.items()
            )
            return f"the machine is busy, and the candidates wait for it unequally ({waiting})"
        longer = max(2, math.ceil(4 * self.seconds)) if math.isfinite(self.seconds) else 2
        if longer > LONGEST_ADVICE:
            return "measure a smaller case, or ask for less (margin=0.2)"
        return f"measure longer (budget={longer}) or ask for less (margin=0.2)"

    def to_records(self) -> list[dict[str, Any]]:
        """Return one dict per candidate, times in seconds, ready for ``pandas.DataFrame``."""
        ratios, verdicts = self.ratio, self.verdict
        records = []
        for name, median in self.median.items():
            ratio = ratios.get(name, Interval(1.0, 1.0, 1.0))
            records.append(
                {
                    "name": name,
                    "median": median.value,
                    "lower_quartile": median.low,
                    "upper_quartile": median.high,
                    "ratio": ratio.value,
                    "ratio_low": ratio.low,
                    "ratio_high": ratio.high,
                    "verdict": verdicts.get(name, "baseline"),
                    "first_call": self.first_call.get(name, math.nan),
                }
            )
        return records

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
        rows = []
        for name, median in self.median.items():
            share = self.relative(peak, name)
            percent = measured(100 * share.value, "%", (100 * share.low, 100 * share.high))
            rows.append([name, measured(work / median.value / 1e9, "GFLOP/s"), percent])
        return Table(["", "speed", "share of the peak"], rows)


@dataclass(repr=False)
class Sweep(Result):
    """One comparison per size.

    Attributes
    ----------
    comparisons : dict of size to Comparison
        In the order of the sizes given; of a sweep that was stopped by hand, those that were done.
    label : str
        What a size is.
    interrupted : bool
        The sweep was stopped by hand.
    """

    plots: ClassVar[Mapping[str, Callable[..., Figure]]] = {"scaling": plots.scaling}

    comparisons: dict[Any, Comparison]
    label: str = "size"
    interrupted: bool = False

    def to_records(self) -> list[dict[str, Any]]:
        """Return one dict per size and candidate, times in seconds."""
        records = []
        for size, comparison in self.comparisons.items():
            records += [{self.label: size, **record} for record in comparison.to_records()]
        return records

    @property
    def table(self) -> Table:
        """Median time per call, a row per size and a column per candidate."""
        names = list(next(iter(self.comparisons.values())).samples)
        unit = time_unit(self._medians())
        rows = []
        for size, comparison in self.comparisons.items():
            times = [duration(comparison.median[name].value, unit=unit) for name in names]
            rows.append([str(size), *times])
        notes = ["interrupted: only these sizes were measured"] if self.interrupted else []
        return Table([self.label, *names], rows, "time per call", notes)

    def _medians(self) -> Iterable[float]:
        """Yield the median seconds of each candidate at each size."""
        for comparison in self.comparisons.values():
            for median in comparison.median.values():
                yield median.value


def _percent(share: float) -> str:
    """Return an option that is a share as it was given, such as ``99.5%``."""
    return f"{100 * share:g}%"
