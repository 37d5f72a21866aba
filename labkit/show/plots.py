"""One function for each question that a figure answers; the caption gives the answer in words.

A result lists the functions that can draw it, and calls the first one, or the one that is asked
for: ``result.plot()``, ``result.plot("times")``. The functions can be called directly too.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .figure import (
    COLOURS,
    Figure,
    label_line_ends,
    mark_guess,
    new_axes,
    plain_log_axis,
    style,
    with_course_style,
)
from .format import MARK, digits, duration, measured, measured_count, time_unit
from .protocols import (
    CallLike,
    ComparisonLike,
    CountLike,
    GrowthLike,
    IntervalLike,
    ProfileLike,
    SweepLike,
    TimingLike,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_GREY = "#dddddd"

# A candidate this much faster than the baseline: how many times as fast is easier to read.
_MUCH_FASTER = 0.5
# Below this ratio a guess was about the baseline: "how many times as long does the baseline take?"
_GUESS_WAS_ABOUT_BASELINE = 0.9


# ---- ratio: which is faster? ----


@with_course_style
def ratio(result: ComparisonLike, guess: Any = None, of: str | None = None) -> Figure:
    """Plot the time of each candidate relative to the baseline.

    Which is faster, and by how much? Each candidate is a row: its ratio with its interval on a
    logarithmic axis, and its verdict. Ratios in the grey band count as similar.

    Parameters
    ----------
    result : Comparison
        What was measured.
    guess : Guess or float, optional
        How many times as long the slower one of two candidates was guessed to take.
    of : str, optional
        The candidate whose ratio was guessed; by default the last one.

    Returns
    -------
    Figure
        The caption gives each ratio with its interval, and the guess.

    Raises
    ------
    ValueError
        There is nothing to compare, or `of` was not compared with the baseline.

    Examples
    --------
    >>> from labkit.measure.results import Comparison
    >>> result = Comparison({"slow": [2.0] * 20, "fast": [1.0] * 20}, "slow")
    >>> ratio(result)
    fast takes ≈0.500× [0.500, 0.500] the time of slow.
    """
    names = list(result.samples)
    ratios = result.ratio
    verdicts = result.verdict
    guessed = _compared(ratios, of)
    fig, ax = new_axes(1.3 + 0.55 * len(names))
    ax.axvspan(1 / (1 + result.margin), 1 + result.margin, color=_GREY)
    ax.axvline(1, color="black", linewidth=1)
    for i, name in enumerate(names):
        y = _row(names, i)
        if name == result.baseline:
            _draw_baseline(ax, y, f"{name}: baseline, {duration(result.median[name].value)}")
        else:
            label = _ratio_label(name, ratios[name], verdicts[name])
            _draw_ratio(ax, y, i, ratios[name], label)
    guess_at = mark_guess(ax, guess, ratios[guessed].value)

    ax.set_xscale("log")
    _limit_ratios(ax, ratios.values(), guess_at)
    for i, name in enumerate(names):
        if name != result.baseline:
            _draw_arrow_heads(ax, _row(names, i), i, ratios[name])
    ax.set_ylim(_bottom(guess_at), len(names) - 0.2)
    plain_log_axis(ax.xaxis, "×")
    _hide_y_axis(ax)
    ax.set_xlabel(f"time relative to {result.baseline} (grey: similar, within {result.margin:.0%})")
    return Figure(fig, _ratio_caption(ratios, result.baseline, guessed, guess_at))


def _compared(ratios: Mapping[str, IntervalLike], name: str | None) -> str:
    """Return `name`, or the last candidate that was compared with the baseline."""
    if not ratios:
        raise ValueError("a ratio needs two candidates: there is only the baseline")
    if name is None:
        return list(ratios)[-1]
    if name not in ratios:
        raise ValueError(f"of={name!r} was not compared; there are {', '.join(ratios)}")
    return name


def _row(names: Sequence[str], i: int) -> int:
    """Return the y coordinate of the i-th of these rows: the first one is at the top."""
    return len(names) - 1 - i


def _bottom(guess_at: float | None) -> float:
    """Return the lower limit of the y axis below row 0, with space for the mark of a guess."""
    return -0.5 if guess_at is None else -0.9


def _hide_y_axis(ax: Axes) -> None:
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)


def _ratio_label(name: str, ratio: IntervalLike, verdict: str) -> str:
    text = f"{name}: {measured(ratio.value, '×')} the time"
    if ratio.value < _MUCH_FASTER:
        text += f" ({measured(1 / ratio.value)} times as fast)"
    return f"{text}, {verdict}"


def _draw_baseline(ax: Axes, y: float, label: str) -> None:
    ax.plot(1, y, marker="|", markersize=18, color="black")
    _label_row(ax, (1.0, y), label)


def _draw_ratio(ax: Axes, y: float, i: int, ratio: IntervalLike, label: str) -> None:
    looks = style(i)
    interval = _finite_interval(ratio, factor=100)
    ax.plot(interval, [y, y], color=looks["color"], linewidth=4, solid_capstyle="butt")
    ax.plot(ratio.value, y, color=looks["color"], marker=looks["marker"], markersize=9)
    _label_row(ax, (ratio.value, y), label)


def _finite_interval(ratio: IntervalLike, factor: float) -> tuple[float, float]:
    """Return the ends of an interval that a log axis can show: at most `factor` from its value."""
    return max(ratio.low, ratio.value / factor), min(ratio.high, ratio.value * factor)


def _label_row(ax: Axes, point: tuple[float, float], text: str) -> None:
    ax.annotate(
        text,
        point,
        xytext=(0, 11),
        textcoords="offset points",
        ha="center",
        annotation_clip=False,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
    )


def _limit_ratios(ax: Axes, ratios: Iterable[IntervalLike], guess_at: float | None) -> None:
    """Limit the x axis to all ratios, 1 and the guess, with space for labels on both sides."""
    shown = [1.0]
    shown.extend(ratio.value for ratio in ratios)
    if guess_at is not None:
        shown.append(guess_at)
    span = max(shown) / min(shown)
    space = 1.6 * max(1.3, span**0.3)
    ax.set_xlim(min(shown) / space, max(shown) * space)


def _draw_arrow_heads(ax: Axes, y: float, i: int, ratio: IntervalLike) -> None:
    """Mark where an interval goes on beyond the limits of the axis."""
    left, right = ax.get_xlim()
    if ratio.low < left:
        _draw_arrow_head(ax, left, y, "<", i)
    if ratio.high > right:
        _draw_arrow_head(ax, right, y, ">", i)


def _draw_arrow_head(ax: Axes, x: float, y: float, marker: str, i: int) -> None:
    ax.plot(x, y, marker=marker, markersize=9, color=style(i)["color"], clip_on=False)


def _ratio_caption(
    ratios: Mapping[str, IntervalLike], baseline: str, guessed: str, guess_at: float | None
) -> str:
    # Numbers and no verdicts: of two nearly equal candidates the verdict may change between runs.
    parts = []
    for name, ratio in ratios.items():
        relative = measured(ratio.value, "×", (ratio.low, ratio.high))
        parts.append(f"{name} takes {relative} the time of {baseline}")
    caption = f"{'; '.join(parts)}."
    if guess_at is None:
        return caption
    ratio = ratios[guessed]
    # The whole interval lies below 1: where it does not, another run may say the opposite.
    if ratio.value < _GUESS_WAS_ABOUT_BASELINE and ratio.high < 1:
        inverse = measured(1 / ratio.value, "×")
        caption += f" So {baseline} takes {inverse} the time of {guessed}."
    return f"{caption} The guess was {digits(max(guess_at, 1 / guess_at))}×."


# ---- times: what do the samples look like? ----


@with_course_style
def times(result: ComparisonLike | TimingLike) -> Figure:
    """Plot the samples: each one is a dot in the row of its candidate, and a bar is the median.

    Parameters
    ----------
    result : Comparison or Timing
        What was measured.

    Returns
    -------
    Figure
        The slowest hundredth of all samples is beyond the right edge, and the label of the axis
        says how many that are. The caption gives the first and the third quartile of each
        candidate.

    Examples
    --------
    >>> from labkit.measure.results import Timing
    >>> times(Timing("wait", [0.01, 0.02, 0.03, 0.04]))
    Times of single samples. wait: half of the samples lie between ≈20.0 ms and ≈40.0 ms.
    """
    samples = _samples_by_name(result)
    names = list(samples)
    fig, ax = new_axes(1.2 + 0.8 * len(names))
    medians = _medians_by_name(result)
    unit, size = time_unit(medians.values())
    all_samples = [t for values in samples.values() for t in values]
    edge = _quantile(all_samples, 0.99)
    for i, name in enumerate(names):
        y = _row(names, i)
        inside = [t / size for t in samples[name] if t <= edge]
        _draw_samples(ax, y, i, inside)
        median = medians[name] / size
        ax.plot([median, median], [y - 0.36, y + 0.36], color="black", linewidth=2.5)
        label = f"{name}: median {MARK}{digits(median)} {unit}"
        ax.annotate(label, (median, y + 0.38), ha="left", va="bottom")
    ax.set_xscale("log")
    plain_log_axis(ax.xaxis)
    _hide_y_axis(ax)
    ax.set_ylim(-0.5, len(names) - 0.2)
    beyond = sum(t > edge for t in all_samples)
    hidden = f"{beyond} of {len(all_samples)} samples lie beyond the right edge"
    ax.set_xlabel(f"time per call in {unit} ({hidden})")
    return Figure(fig, _times_caption(samples))


def _samples_by_name(result: Any) -> Mapping[str, Sequence[float]]:
    if isinstance(result.samples, Mapping):
        return result.samples
    return {result.name: result.samples}


def _medians_by_name(result: Any) -> Mapping[str, float]:
    if isinstance(result.median, Mapping):
        return {name: median.value for name, median in result.median.items()}
    return {result.name: result.median.value}


def _quantile(values: Sequence[float], share: float) -> float:
    """Return the value that this share of the values lies below."""
    position = int(share * len(values))
    return sorted(values)[min(position, len(values) - 1)]


def _draw_samples(ax: Axes, y: float, i: int, values: Sequence[float]) -> None:
    # The dots are spread over the height of the row, in the same way each time.
    heights = [y + 0.22 * math.sin(7.3 * k) for k in range(len(values))]
    looks = style(i)
    ax.scatter(values, heights, s=14, alpha=0.45, color=looks["color"], marker=looks["marker"])


def _times_caption(samples: Mapping[str, Sequence[float]]) -> str:
    parts = []
    for name, values in samples.items():
        first = duration(_quantile(values, 0.25))
        third = duration(_quantile(values, 0.75))
        parts.append(f"{name}: half of the samples lie between {first} and {third}")
    return f"Times of single samples. {'; '.join(parts)}."


# ---- rounds: did the ratio stay the same? ----


@with_course_style
def rounds(result: ComparisonLike) -> Figure:
    """Plot the ratio of every round in the order of time.

    Did the ratio stay the same while it was measured?

    Parameters
    ----------
    result : Comparison
        What was measured.

    Returns
    -------
    Figure
        The caption gives the ratio of each candidate.

    Examples
    --------
    >>> from labkit.measure.results import Comparison
    >>> result = Comparison({"slow": [2.0] * 20, "fast": [1.0] * 20}, "slow")
    >>> rounds(result)
    Ratio round by round: in the median, fast takes ≈0.500× the time of slow.
    """
    fig, ax = new_axes(3.4)
    baseline = result.samples[result.baseline]
    ratios = result.ratio
    ends = {}
    colours = {}
    for i, (name, samples) in enumerate(result.samples.items()):
        if name == result.baseline:
            continue
        values = [t / b for t, b in zip(samples, baseline, strict=True)]
        ratio = ratios[name].value
        ax.plot(values, **_marker_only(i), markersize=4, alpha=0.6)
        ax.axhline(ratio, **_line_only(i))
        ends[name] = (len(values) - 1, ratio)
        colours[name] = style(i)["color"]
    ax.axhline(1, color="black", linewidth=1)
    ax.set_yscale("log")
    plain_log_axis(ax.yaxis, "×")
    label_line_ends(ax, ends, colours=colours)
    ax.set_xlabel("round")
    ax.set_ylabel(f"time relative to {result.baseline}")
    parts = []
    for name, (_, ratio) in ends.items():
        relative = measured(ratio, "×")
        parts.append(f"{name} takes {relative} the time of {result.baseline}")
    return Figure(fig, f"Ratio round by round: in the median, {'; '.join(parts)}.")


def _marker_only(i: int) -> dict[str, Any]:
    return {**style(i), "linestyle": "none"}


def _line_only(i: int) -> dict[str, Any]:
    return {**style(i), "marker": ""}


# ---- scaling: how does the time grow with the size? ----


@with_course_style
def scaling(result: SweepLike, per: str | None = None, xlabel: str | None = None) -> Figure:
    """Plot the time of each candidate against the size, with its intervals, on logarithmic axes.

    Parameters
    ----------
    result : Sweep
        What was measured; its sizes are numbers.
    per : str, optional
        What a size counts, such as ``"row"``: each time is then divided by its size.
    xlabel : str, optional
        The label of the x axis; by default that of the sweep.

    Returns
    -------
    Figure
        The caption gives the time of each candidate at the first and at the last size.

    Raises
    ------
    ValueError
        A size is not a number above 0.

    Examples
    --------
    >>> from labkit.measure.results import Comparison, Sweep
    >>> result = Sweep({n: Comparison({"f": [n * 1e-3] * 20}, "f") for n in (1, 10)}, "rows")
    >>> scaling(result)
    Time per call against rows: f goes from ≈1.00 ms at 1 to ≈10.0 ms at 10.
    >>> scaling(result, per="row")
    Time per row against rows: f goes from ≈1.00 ms at 1 to ≈1.00 ms at 10.
    """
    sizes = list(result.comparisons)
    _need_numbers(sizes)
    divisors = [float(size) if per else 1.0 for size in sizes]
    lines = _medians_by_size(result)
    unit, unit_size = _unit_of_lines(lines.values(), divisors)
    scales = [divisor * unit_size for divisor in divisors]
    fig, ax = new_axes(4.2)
    ends = {}
    for i, (name, medians) in enumerate(lines.items()):
        values = [median.value / scale for median, scale in zip(medians, scales, strict=True)]
        ax.errorbar(sizes, values, yerr=_error_bars(medians, scales), **style(i), capsize=3)
        ends[name] = (sizes[-1], values[-1])
    ax.set_xscale("log", base=_log_base(sizes))
    ax.set_yscale("log")
    ax.set_xticks(sizes, [f"{size:,}" for size in sizes])
    ax.minorticks_off()
    _show_a_decade(ax)
    plain_log_axis(ax.yaxis)
    ax.set_xlabel(xlabel or result.label)
    ax.set_ylabel(f"time per {per or 'call'} in {unit}")
    ax.grid(alpha=0.25)
    label_line_ends(ax, ends)
    parts = []
    for name, medians in lines.items():
        first = duration(medians[0].value / divisors[0])
        last = duration(medians[-1].value / divisors[-1])
        parts.append(f"{name} goes from {first} at {sizes[0]} to {last} at {sizes[-1]}")
    return Figure(fig, f"Time per {per or 'call'} against {result.label}: {'; '.join(parts)}.")


def _need_numbers(sizes: Sequence[Any]) -> None:
    for size in sizes:
        if not isinstance(size, numbers.Real) or size <= 0:
            raise ValueError(f"this figure needs sizes that are numbers above 0, got {size!r}")


def _medians_by_size(result: SweepLike) -> dict[str, list[IntervalLike]]:
    """Return for each candidate its median at each size, in seconds."""
    lines: dict[str, list[IntervalLike]] = {}
    for comparison in result.comparisons.values():
        for name, median in comparison.median.items():
            lines.setdefault(name, []).append(median)
    return lines


def _unit_of_lines(
    lines: Iterable[Sequence[IntervalLike]], divisors: Sequence[float]
) -> tuple[str, float]:
    seconds: list[float] = []
    for medians in lines:
        seconds.extend(m.value / divisor for m, divisor in zip(medians, divisors, strict=True))
    return time_unit(seconds)


def _error_bars(
    medians: Sequence[IntervalLike], scales: Sequence[float]
) -> tuple[list[float], list[float]]:
    """Return the lengths of the bars below and above each median; an open end is cut off."""
    below = []
    above = []
    for median, scale in zip(medians, scales, strict=True):
        low = max(median.low, 0)
        high = min(median.high, 3 * median.value)
        below.append((median.value - low) / scale)
        above.append((high - median.value) / scale)
    return below, above


def _log_base(sizes: Sequence[float]) -> int:
    """Return 2 for sizes that double or grow fourfold, 10 for larger steps."""
    if len(sizes) > 1 and sizes[1] / sizes[0] <= 4:
        return 2
    return 10


def _show_a_decade(ax: Axes) -> None:
    """Show at least one decade of the y axis: a nearly flat line then looks flat."""
    low, high = ax.get_ylim()
    if high < 10 * low:
        middle = math.sqrt(low * high)
        ax.set_ylim(middle / math.sqrt(10), middle * math.sqrt(10))


# ---- break-even: from which call on does a slow first call pay? ----


@with_course_style
def break_even(result: ComparisonLike, calls: int | None = None) -> Figure:
    """Plot the total time of each candidate against the number of calls.

    After how many calls has a slow first call paid for itself?

    Parameters
    ----------
    result : Comparison
        Two or more candidates with their first calls. The caption compares the first one after the
        baseline with the baseline.
    calls : int, optional
        The right end of the x axis; by default three times the break-even.

    Returns
    -------
    Figure
        The caption gives the number of calls after which the candidate has taken no more time.

    Raises
    ------
    ValueError
        There is nothing to compare, or the first call of a candidate was not timed.

    Notes
    -----
    The time of a later call is that of the baseline times the ratio within rounds. On a busy
    machine two medians, each taken alone, may be in the wrong order.

    Examples
    --------
    >>> from labkit.measure.results import Comparison
    >>> samples = {"eager": [0.1] * 20, "graph": [0.01] * 20}
    >>> result = Comparison(samples, "eager", first_call={"eager": 0.1, "graph": 1.0})
    >>> break_even(result)
    Total time: graph costs more at first and has paid for itself after ≈11 calls of eager.
    """
    names = list(result.samples)
    for name in names:
        if name not in result.first_call:
            raise ValueError(f"the first call of {name} was not timed")
    prepared = _first_compared(result)
    even = result.pays_after(prepared)
    end = calls or _last_call(even)
    later_call = _seconds_of_later_calls(result)
    totals = {name: result.first_call[name] + later_call[name] * (end - 1) for name in names}
    unit, size = time_unit(totals.values())

    fig, ax = new_axes(3.8)
    ends = {}
    for i, name in enumerate(names):
        total = totals[name] / size
        ax.plot([1, end], [result.first_call[name] / size, total], **style(i))
        ends[name] = (end, total)
    caption = _break_even_caption(result, prepared, even, end)
    if even and _costs_more_at_first(result, prepared):
        ax.axvline(even, color="#555555", linestyle=":")
        label = f"even after {measured_count(even, 'calls')}"
        top = ax.get_ylim()[1]
        ax.annotate(label, (even, top), xytext=(4, -10), textcoords="offset points")
    ax.set_xlabel("number of calls")
    ax.set_ylabel(f"total time in {unit}")
    label_line_ends(ax, ends)
    return Figure(fig, caption)


def _first_compared(result: ComparisonLike) -> str:
    for name in result.samples:
        if name != result.baseline:
            return name
    raise ValueError("break-even needs two candidates: there is only the baseline")


def _last_call(even: int | None) -> int:
    """Return the right end of an axis of calls."""
    if even is None:
        return 100
    return max(20, 3 * even)


def _seconds_of_later_calls(result: ComparisonLike) -> dict[str, float]:
    baseline = result.median[result.baseline].value
    seconds = {result.baseline: baseline}
    for name, ratio in result.ratio.items():
        seconds[name] = baseline * ratio.value
    return seconds


def _costs_more_at_first(result: ComparisonLike, name: str) -> bool:
    return result.first_call[name] > result.first_call[result.baseline]


def _break_even_caption(result: ComparisonLike, name: str, even: int | None, end: int) -> str:
    baseline = result.baseline
    costs_more = _costs_more_at_first(result, name)
    if even is not None and costs_more:
        paid = f"after {measured_count(even, 'calls')} of {baseline}"
        return f"Total time: {name} costs more at first and has paid for itself {paid}."
    if even is not None:
        return f"Total time: {name} is cheaper than {baseline} from the first call on."
    if costs_more:
        over = measured_count(end, "calls")
        return f"Total time over {over}: {name} never overtakes {baseline}."
    return (
        f"Total time: {name} costs less at first than {baseline}, "
        "but saves nothing on the later calls."
    )


# ---- timeline: who waits for whom? ----

_HATCHES = ("", "//", "..", "\\\\")


@with_course_style
def timeline(spans: Mapping[str, Sequence[tuple[float, float]]], caption: str) -> Figure:
    """Plot a lane for each worker, with a bar for each piece of work.

    Who waits for whom?

    Parameters
    ----------
    spans : dict of str to sequence of (start, end)
        Start and end of each piece of work in seconds, by lane. Time 0 is the earliest start.
    caption : str
        What the figure shows, in one sentence.

    Returns
    -------
    Figure
        With that caption.

    Examples
    --------
    >>> timeline({"load": [(0, 1), (1, 2)], "train": [(1, 2)]}, "Loading overlaps with training.")
    Loading overlaps with training.
    """
    lanes = list(spans)
    begin, end = _first_and_last(spans.values())
    unit, size = time_unit([end - begin])
    fig, ax = new_axes(1.0 + 0.6 * len(lanes))
    for i, lane in enumerate(lanes):
        bars = [((start - begin) / size, (stop - start) / size) for start, stop in spans[lane]]
        ax.broken_barh(
            bars,
            (_row(lanes, i) - 0.35, 0.7),
            facecolors=style(i)["color"],
            edgecolor="white",
            hatch=_HATCHES[i % len(_HATCHES)],
        )
    _name_rows(ax, lanes)
    ax.set_xlabel(f"time in {unit}")
    return Figure(fig, caption)


def _first_and_last(
    lanes: Iterable[Sequence[tuple[float, float]]],
) -> tuple[float, float]:
    """Return the earliest start and the latest end; one second without any work."""
    moments = [moment for lane in lanes for span in lane for moment in span]
    if not moments:
        return 0.0, 1.0
    return min(moments), max(moments)


def _name_rows(ax: Axes, names: Sequence[str]) -> None:
    """Name the rows at the y axis, the first one at the top."""
    ax.set_yticks(range(len(names)), list(reversed(names)))


# ---- strip: what did each call do? ----

# Marker and colour of a call, in the order of the legend.
_CALL_STYLES = {
    "replayed": ("o", COLOURS[2]),
    "traced": ("s", COLOURS[0]),
    "retraced": ("X", COLOURS[1]),
}


@with_course_style
def strip(result: CountLike) -> Figure:
    """Plot one mark for each call of a tf.function.

    Was the function traced, retraced or replayed, and why?

    Parameters
    ----------
    result : Count
        What was counted.

    Returns
    -------
    Figure
        The caption says how many calls did what.

    Examples
    --------
    >>> from labkit.measure.count import Call, Count
    >>> strip(Count(calls=[Call("f", 1, "int32[]"), Call("f"), Call("f")]))
    3 calls: 1 traced, 2 replayed.
    """
    words = _what_calls_did(result.calls)
    # The reasons are written at a slant of 35 degrees, so a longer one needs more height.
    longest = max((len(call.why) for call in result.calls), default=0)
    slant = 0.045 * longest
    fig, ax = new_axes(1.5 + max(0.7, slant))
    for x, (call, word) in enumerate(zip(result.calls, words, strict=True), start=1):
        marker, colour = _CALL_STYLES[word]
        ax.plot(x, 0, marker=marker, markersize=12, color=colour)
        if call.why:
            ax.annotate(call.why, (x, 0.12), rotation=35, fontsize=10)
    for word, (marker, colour) in _CALL_STYLES.items():
        if word in words:
            ax.plot([], [], marker=marker, color=colour, linestyle="none", label=word)
    if words:
        ax.legend(loc="lower center", ncols=3, frameon=False)
    ax.set_ylim(-0.8, max(1.4, 0.5 + 2 * slant))
    ax.set_xlim(0, max(len(words), 6) + 1.5)
    _hide_y_axis(ax)
    ax.set_xlabel("call")
    return Figure(fig, _strip_caption(result.calls, words))


def _what_calls_did(calls: Iterable[CallLike]) -> list[str]:
    seen: set[str] = set()
    words = []
    for call in calls:
        if not call.traces:
            words.append("replayed")
        elif call.name in seen:
            words.append("retraced")
        else:
            words.append("traced")
        seen.add(call.name)
    return words


def _strip_caption(calls: Sequence[CallLike], words: Sequence[str]) -> str:
    parts = []
    for word in ("traced", "retraced", "replayed"):
        if word in words:
            parts.append(f"{words.count(word)} {word}")
    tally = ", ".join(parts) or "none of a tf.function"
    caption = f"{len(words)} calls: {tally}."
    traces = sum(call.traces for call in calls)
    calls_with_a_trace = len(words) - words.count("replayed")
    if traces > calls_with_a_trace:
        caption += f" Traces in all: {traces}."
    return caption


# ---- growth: does it keep growing? ----

# For each quantity its name, the size of the unit of the y axis, and the label of the axis.
_GROWTH_AXES = {
    "memory": ("memory", 2**20, "growth in MiB"),
    "ops": ("number of operations", 1, "growth in operations"),
    "graphs": ("number of live graphs", 1, "growth in graphs"),
    "cost": ("cost", 1e-3, "cost in ms per call"),
}


@with_course_style
def growth(result: GrowthLike) -> Figure:
    """Plot a quantity after each block of calls.

    Does it keep growing?

    Parameters
    ----------
    result : Growth
        What was watched.

    Returns
    -------
    Figure
        The caption says whether it is still growing at the end.

    Examples
    --------
    >>> from labkit.measure.growth import Growth
    >>> growth(Growth("ops", [0, 2, 4, 6, 8, 10, 12, 14], calls=100, resolution=0))
    Over 800 calls the number of operations is still growing at the end.
    """
    name, size, label = _GROWTH_AXES[result.what]
    calls = [result.calls * (i + 1) for i in range(len(result.values))]
    values = [value / size for value in result.values]
    fig, ax = new_axes(3.2)
    ax.plot(calls, values, marker="o", color=COLOURS[0])
    if result.resolution:
        _shade_resolution(ax, calls[0], values, result.resolution / size)
    ax.set_xlabel("calls")
    ax.set_ylabel(label)
    if result.verdict == "unclear":
        caption = f"{calls[-1]:,} calls are too few to tell whether the {name} keeps growing."
    elif result.verdict == "leak":
        caption = f"Over {calls[-1]:,} calls the {name} is still growing at the end."
    else:
        caption = f"Over {calls[-1]:,} calls the {name} does not keep growing."
    return Figure(fig, caption)


def _shade_resolution(ax: Axes, x: float, values: Sequence[float], resolution: float) -> None:
    """Shade the changes that are too small to tell from none."""
    ax.axhspan(0, resolution, color=_GREY)
    ax.annotate("grey: too small to tell", (x, resolution), va="bottom")
    ax.set_ylim(min(0, *values), max(2 * resolution, 1.1 * max(values)))


# ---- shares: where does the time go? ----

_CODE_STYLES: dict[str, dict[str, Any]] = {
    "Python": {"color": COLOURS[0]},
    "operations": {"color": COLOURS[1], "hatch": "//"},
    "other": {"color": "#999999"},
}


@with_course_style
def shares(result: ProfileLike) -> Figure:
    """Plot the share of each owner of code as a bar.

    Where does the time of a call go?

    Parameters
    ----------
    result : Profile
        What was profiled.

    Returns
    -------
    Figure
        Python code is blue, TensorFlow's operations are orange and hatched, other compiled code is
        grey. The caption gives these three shares.

    Examples
    --------
    >>> from labkit.measure.profile import Profile
    >>> owners = {"Keras (Python)": 0.75, "TensorFlow (compiled operations)": 0.25}
    >>> shares(Profile(owners, calls=30))  # doctest: +ELLIPSIS
    Python code takes ≈75.0 % of a call, TensorFlow's operations ≈25.0 %, other compiled code ...
    """
    owners = list(result.shares)
    fig, ax = new_axes(1.1 + 0.45 * len(owners))
    for i, owner in enumerate(owners):
        y = _row(owners, i)
        percent = 100 * result.shares[owner]
        ax.barh(y, percent, **_CODE_STYLES[_kind_of_code(owner)])
        ax.annotate(f" {measured(percent, '%')}", (percent, y), va="center")
    _name_rows(ax, owners)
    ax.set_xlim(0, 112 * max(result.shares.values()))
    ax.set_xlabel("share of the time of one call, in %")
    return Figure(fig, _shares_caption(result.shares))


def _kind_of_code(owner: str) -> str:
    if "operations" in owner:
        return "operations"
    if "Python" in owner:
        return "Python"
    return "other"


def _shares_caption(shares: Mapping[str, float]) -> str:
    percent = dict.fromkeys(_CODE_STYLES, 0.0)
    for owner, share in shares.items():
        percent[_kind_of_code(owner)] += 100 * share
    return (
        f"Python code takes {measured(percent['Python'], '%')} of a call, "
        f"TensorFlow's operations {measured(percent['operations'], '%')}, "
        f"other compiled code {measured(percent['other'], '%')}."
    )


# ---- ladder: all candidates of one model, in order ----


@with_course_style
def ladder(ladders: Mapping[str, ComparisonLike], unit: str = "call", guess: Any = None) -> Figure:
    """Plot how many times as long as the baseline each candidate takes, for one or more models.

    Each candidate is a row, each model has its own mark, and the baseline is the line at 1.

    Parameters
    ----------
    ladders : dict of str to Ladder
        By model; the same candidates and the same baseline in each.
    unit : str
        What a call is, such as ``"row"``.
    guess : Guess or float, optional
        How many times as long as the baseline the first candidate was guessed to take.

    Returns
    -------
    Figure
        For each model the caption gives the time of the baseline and the ratio of the first
        candidate.

    Raises
    ------
    ValueError
        There is nothing to compare with the baseline.

    Examples
    --------
    >>> from labkit.measure.results import Comparison
    >>> result = Comparison({"predict": [2.0] * 20, "numpy": [1.0] * 20}, "numpy")
    >>> ladder({"small": result, "large": result})  # doctest: +ELLIPSIS
    Time per call. small: numpy ≈1.00 s, predict ≈2.00× that; large: numpy ≈1.00 s, predict ...
    """
    results = list(ladders.values())
    names = list(results[0].samples)
    baseline = results[0].baseline
    first = _first_compared(results[0])
    fig, ax = new_axes(1.4 + 0.42 * len(names))
    ax.axvline(1, color="black", linewidth=1.5)
    for i, (model, result) in enumerate(ladders.items()):
        ratios = result.ratio
        for k, name in enumerate(names):
            if name == baseline:
                continue
            y = _row(names, k) + _shift(i, len(ladders))
            _draw_candidate(ax, y, i, ratios[name])
            if len(ladders) == 1:
                _label_candidate(ax, y, ratios[name].value)
        looks = style(i)
        ax.plot([], [], color=looks["color"], marker=looks["marker"], linestyle="none", label=model)
    guess_at = mark_guess(ax, guess, results[-1].ratio[first].value)
    ax.set_ylim(_bottom(guess_at), len(names) - 0.4)
    _name_rows(ax, [f"{name} (= 1)" if name == baseline else name for name in names])
    ax.set_xscale("log")
    ax.margins(x=0.12)
    plain_log_axis(ax.xaxis, "×")
    # The labels of seven decades would run into each other.
    ax.xaxis.get_major_locator().set_params(numticks=5)  # type: ignore[call-arg]
    ax.grid(axis="x", alpha=0.25)
    ax.set_xlabel(f"time per {unit}, relative to {baseline}")
    if len(ladders) > 1:
        ax.legend(loc="lower right", frameon=False)
    parts = [_ladder_part(model, result, first) for model, result in ladders.items()]
    return Figure(fig, f"Time per {unit}. {'; '.join(parts)}.")


def _shift(i: int, models: int) -> float:
    """Return how far above its row the mark of the i-th model is."""
    if models == 1:
        return 0.0
    return 0.22 * (1 - i)


def _draw_candidate(ax: Axes, y: float, i: int, ratio: IntervalLike) -> None:
    looks = style(i)
    interval = _finite_interval(ratio, factor=9)
    ax.plot(interval, [y, y], color=looks["color"], linewidth=4)
    ax.plot(ratio.value, y, color=looks["color"], marker=looks["marker"], markersize=7)


def _label_candidate(ax: Axes, y: float, ratio: float) -> None:
    ax.annotate(
        measured(ratio, "×"),
        (ratio, y),
        xytext=(0, 7),
        textcoords="offset points",
        ha="center",
    )


def _ladder_part(model: str, result: ComparisonLike, first: str) -> str:
    baseline = f"{result.baseline} {duration(result.median[result.baseline].value)}"
    part = f"{baseline}, {first} {measured(result.ratio[first].value, '×')} that"
    return f"{model}: {part}" if model else part


def one_ladder(result: ComparisonLike, unit: str = "call", guess: Any = None) -> Figure:
    """Plot how many times as long as the baseline each candidate takes, for one model.

    Parameters
    ----------
    result : Ladder
        What was measured.
    unit : str
        What a call is, such as ``"row"``.
    guess : Guess or float, optional
        How many times as long as the baseline the first candidate was guessed to take.

    Returns
    -------
    Figure
        The caption gives the time of the baseline and the ratio of the first candidate.

    Examples
    --------
    >>> from labkit.measure.results import Comparison
    >>> one_ladder(Comparison({"predict": [2.0] * 20, "numpy": [1.0] * 20}, "numpy"))
    Time per call. numpy ≈1.00 s, predict ≈2.00× that.
    """
    return ladder({"": result}, unit, guess)


# ---- roofline: what limits a call? ----


@with_course_style
def roofline(peak: float, bandwidth: float, points: Mapping[str, tuple[float, float]]) -> Figure:
    """Plot the speed of calls under the two limits of the machine.

    Is a call limited by the processor or by the memory?

    Parameters
    ----------
    peak : float
        The speed of the processor that was measured, in floating-point operations per second.
    bandwidth : float
        The speed of the memory that was measured, in bytes per second.
    points : dict of str to (intensity, speed)
        By call: floating-point operations per byte that is read or written, and floating-point
        operations per second.

    Returns
    -------
    Figure
        The caption gives each speed, and its share of the limit at that intensity.

    References
    ----------
    .. [1] S. Williams, A. Waterman and D. Patterson, "Roofline: an insightful visual performance
       model for multicore architectures", Communications of the ACM 52 (4), 2009.

    Examples
    --------
    >>> roofline(100e9, 10e9, {"small": (1.0, 5e9), "large": (100.0, 50e9)})
    Roofline: small ≈5.00 GFLOP/s, ≈50.0 % of its limit; large ≈50.0 GFLOP/s, ≈50.0 % of its limit.
    """
    fig, ax = new_axes(4.6)
    _draw_limits(ax, peak, bandwidth, [intensity for intensity, _ in points.values()])
    heights = _label_heights(points, peak)
    for i, (name, (intensity, speed)) in enumerate(points.items()):
        ax.plot(intensity, speed / 1e9, **_marker_only(i), markersize=9)
        ax.annotate(name, (1.35 * intensity, heights[name]), color=style(i)["color"], va="center")
    ax.set_xscale("log")
    ax.set_yscale("log")
    plain_log_axis(ax.xaxis)
    plain_log_axis(ax.yaxis)
    ax.grid(alpha=0.25)
    ax.set_xlabel("floating-point operations per byte read or written")
    ax.set_ylabel("speed in GFLOP/s")
    parts = []
    for name, (intensity, speed) in points.items():
        share = speed / min(peak, intensity * bandwidth)
        speed_text = measured(speed / 1e9, "GFLOP/s")
        parts.append(f"{name} {speed_text}, {measured(100 * share, '%')} of its limit")
    return Figure(fig, f"Roofline: {'; '.join(parts)}.")


def _draw_limits(ax: Axes, peak: float, bandwidth: float, intensities: Sequence[float]) -> None:
    """Draw the limit of the memory, which rises, and that of the processor, which is level."""
    ridge = peak / bandwidth
    left = min(*intensities, ridge) / 8
    right = max(*intensities, ridge) * 40  # space for the names of the points
    low = left * bandwidth / 1e9
    high = peak / 1e9
    ax.plot([left, ridge, right], [low, high, high], color="black", linewidth=2.5)
    _label_limit(ax, f"peak {measured(high, 'GFLOP/s')}", (ridge, high), (0, 7))
    _label_limit(ax, f"memory {measured(bandwidth / 1e9, 'GB/s')}", (left, low), (14, -4))


def _label_limit(
    ax: Axes, text: str, point: tuple[float, float], offset: tuple[float, float]
) -> None:
    ax.annotate(text, point, xytext=offset, textcoords="offset points")


def _label_heights(points: Mapping[str, tuple[float, float]], peak: float) -> dict[str, float]:
    """Return the y coordinate of each name: names of points in one column do not overlap."""
    slowest = min(speed for _, speed in points.values())
    decades = 1 + math.log10(peak / slowest)
    line_height = 0.05 * decades  # of a line of text, on the logarithmic axis
    fastest_first = sorted(points, key=lambda name: points[name][1], reverse=True)
    lowest: dict[float, float] = {}  # by column
    heights = {}
    for name in fastest_first:
        intensity, speed = points[name]
        height = math.log10(speed / 1e9)
        if intensity in lowest:
            height = min(height, lowest[intensity] - line_height)
        lowest[intensity] = height
        heights[name] = 10**height
    return heights
