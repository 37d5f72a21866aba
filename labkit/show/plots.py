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
    label_sizes,
    mark_guess,
    new_axes,
    plain_log_axis,
    style,
    with_course_style,
)
from .format import MARK, digits, duration, measured, measured_count, time_unit
from .intervals import draw_interval, draw_upright_interval, in_unit, limit_log
from .names import listed, shortened, wrapped
from .protocols import (
    CallLike,
    ComparisonLike,
    CountLike,
    GrowthLike,
    IntervalLike,
    ProfileLike,
    SweepLike,
    TimelineLike,
    TimingLike,
)
from .rows import (
    SMALL_TEXT,
    height_of,
    limit_rows,
    name_rows,
    row,
    write_beside,
)
from .spans import Span, merged, total

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_GREY = "#dddddd"
_DARK_GREY = "#555555"
_LABEL_CHARACTERS = 36  # in one line of the label of a horizontal axis
_UPRIGHT_CHARACTERS = 26
_PALE_BLUE = "#9ec5e0"

# A candidate this much faster than the baseline: how many times as fast is easier to read.
_MUCH_FASTER = 0.5
# Below this ratio a guess was about the baseline: "how many times as long does the baseline take?"
_GUESS_WAS_ABOUT_BASELINE = 0.9


def _axis_label(text: str, characters: int = _LABEL_CHARACTERS) -> str:
    """Return the label of an axis on one or two lines."""
    return wrapped(text, characters, lines=2)


# ---- ratio: which is faster? ----


@with_course_style
def ratio(result: ComparisonLike, guess: Any = None, of: str | None = None) -> Figure:
    """Plot the time of each candidate relative to the baseline.

    Which is faster, and by how much? Each candidate is a row: its name, its ratio with its interval
    on a logarithmic axis, and its verdict. Ratios in the grey band count as similar.

    Parameters
    ----------
    result : Comparison
        What was measured.
    guess : Guess or float, optional
        How many times as long the slower one of two candidates was guessed to take. A guess that is
        not made yet is not shown.
    of : str, optional
        The candidate whose ratio was guessed; by default the last one.

    Returns
    -------
    Figure
        The caption gives each ratio with its interval, and the guess.

    Raises
    ------
    ValueError
        There is nothing to compare, `of` was not compared with the baseline, or `guess` is not
        above 0.

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
    margin = 1 + result.margin
    fig, ax = new_axes()
    name_rows(ax, names)
    guess_at = mark_guess(ax, guess, ratios[guessed].value)
    limit_log(ax, [1 / margin, margin, guess_at or 1], ratios.values())
    limit_rows(ax, names, guess_at)
    ax.axvspan(1 / margin, margin, color=_GREY)
    ax.axvline(1, color="black", linewidth=1)
    for i, name in enumerate(names):
        y = row(names, i)
        if name == result.baseline:
            ax.plot(1, y, marker="|", markersize=18, markeredgewidth=3, color="black")
            write_beside(ax, y, f"{duration(result.median[name].value)}, baseline")
        else:
            draw_interval(ax, y, ratios[name], style(i))
            write_beside(ax, y, _ratio_label(ratios[name], verdicts[name]))
    plain_log_axis(ax.xaxis, "×")
    label = _axis_label(f"time relative to {result.baseline}")
    ax.set_xlabel(f"{label}\ngrey: similar, within {100 * result.margin:.3g} %")
    fig.set_figheight(_height_of_ratios(names, guess_at))
    caption = _ratio_caption(ratios, result.baseline)
    if guess_at is not None:
        caption += _other_way_round(ratios[guessed], result.baseline, guessed)
        caption += f" The guess was {digits(max(guess_at, 1 / guess_at))}×."
    alt = (
        f"Chart with one row for each candidate ({listed(names)}): a mark at its time relative to "
        f"{result.baseline}, and a bar for its interval, on a logarithmic axis."
    )
    if guess_at is not None:
        alt += " A triangle in a row below marks the guess."
    return Figure(fig, caption, alt)


def _height_of_ratios(names: Sequence[str], guess_at: float | None) -> float:
    height = height_of(names, row_height=0.52, more=1.0)
    return height if guess_at is None else height + 0.4


def _compared(ratios: Mapping[str, IntervalLike], name: str | None) -> str:
    """Return `name`, or the last candidate that was compared with the baseline."""
    if not ratios:
        raise ValueError("a ratio needs two candidates: there is only the baseline")
    if name is None:
        return list(ratios)[-1]
    if name not in ratios:
        raise ValueError(f"of={name!r} was not compared; there are {', '.join(ratios)}")
    return name


def _ratio_label(ratio: IntervalLike, verdict: str) -> str:
    text = f"{measured(ratio.value, '×')}, {verdict}"
    if ratio.value < _MUCH_FASTER:
        text += f"\n{measured(1 / ratio.value)} times as fast"
    return text


def _ratio_caption(ratios: Mapping[str, IntervalLike], baseline: str) -> str:
    # Numbers and no verdicts: of two nearly equal candidates the verdict may change between runs.
    parts = []
    for name, ratio in ratios.items():
        relative = measured(ratio.value, "×", (ratio.low, ratio.high))
        parts.append(f"{name} takes {relative} the time of {baseline}")
    return f"{'; '.join(parts)}."


def _other_way_round(ratio: IntervalLike, baseline: str, guessed: str) -> str:
    """Return how many times as long the baseline takes, which is what was asked; may be empty."""
    # The whole interval lies below 1: where it does not, another run may say the opposite.
    if ratio.value >= _GUESS_WAS_ABOUT_BASELINE or ratio.high >= 1:
        return ""
    return f" So {baseline} takes {measured(1 / ratio.value, '×')} the time of {guessed}."


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
        The slowest hundredth of all samples is beyond the right edge; the label of the axis says
        how many these are. The caption gives the first and the third quartile of each candidate.

    Examples
    --------
    >>> from labkit.measure.results import Timing
    >>> times(Timing("wait", [0.01, 0.02, 0.03, 0.04]))
    Times of single samples. wait: half of the samples lie between ≈20.0 ms and ≈40.0 ms.
    """
    samples = _samples_by_name(result)
    names = list(samples)
    medians = _medians_by_name(result)
    unit, size = time_unit(medians.values())
    all_samples = [t for values in samples.values() for t in values]
    edge = _quantile(all_samples, 0.99)
    fig, ax = new_axes(height_of(names, row_height=0.72))
    name_rows(ax, names, guides=False)
    shown = []
    for i, name in enumerate(names):
        y = row(names, i)
        inside = [t / size for t in samples[name] if t <= edge]
        shown.extend(inside)
        _draw_samples(ax, y, i, inside)
        median = medians[name] / size
        shown.append(median)
        ax.plot([median, median], [y - 0.36, y + 0.36], color="black", linewidth=2.5)
        write_beside(ax, y, f"median {MARK}{digits(median)} {unit}")
    limit_log(ax, shown)
    limit_rows(ax, names)
    plain_log_axis(ax.xaxis)
    beyond = sum(t > edge for t in all_samples)
    ax.set_xlabel(f"time per call in {unit}{_beyond_in_words(beyond, len(all_samples))}")
    alt = (
        f"Chart with one row of dots for each candidate ({listed(names)}): a dot for each sample "
        "on a logarithmic axis of time, and an upright bar at the median."
    )
    return Figure(fig, _times_caption(samples), alt)


def _beyond_in_words(beyond: int, samples: int) -> str:
    """Return a line that says how many samples are not shown; nothing if all are."""
    if beyond == 0:
        return ""
    verb = "lies" if beyond == 1 else "lie"
    return f"\n{beyond:,} of {samples:,} samples {verb} beyond the right edge"


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
    ax.scatter(values, heights, s=16, alpha=0.5, color=looks["color"], marker=looks["marker"])


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
    count = len(baseline)
    right = count + 0.5 + 0.02 * count
    ratios = result.ratio
    ends = {f"{result.baseline} (= 1)": (right, 1.0)}
    colours = {f"{result.baseline} (= 1)": "black"}
    shown = [1.0]
    parts = []
    ax.axhline(1, color="black", linewidth=1)
    for i, (name, samples) in enumerate(result.samples.items()):
        if name == result.baseline:
            continue
        values = [t / b for t, b in zip(samples, baseline, strict=True)]
        ratio = ratios[name].value
        shown.extend([*values, ratio])
        ax.plot(range(1, count + 1), values, **_marker_only(i), markersize=5, alpha=0.6)
        ax.axhline(ratio, **_line_only(i))
        ends[name] = (right, ratio)
        colours[name] = style(i)["color"]
        parts.append(f"{name} takes {measured(ratio, '×')} the time of {result.baseline}")
    ax.set_xlim(0.5 - 0.02 * count, right)
    limit_log(ax, shown, axis="y")
    plain_log_axis(ax.yaxis, "×")
    ax.set_xlabel("round")
    ax.set_ylabel(_axis_label(f"time relative to {result.baseline}", _UPRIGHT_CHARACTERS))
    label_line_ends(ax, ends, colours=colours)
    compared = listed(name for name in result.samples if name != result.baseline)
    alt = (
        f"Chart of the rounds in the order of time: a mark in each round for each candidate "
        f"({compared}), at its time relative to {result.baseline} on a logarithmic axis, and a "
        "line at its median."
    )
    return Figure(fig, f"Ratio round by round: in the median, {'; '.join(parts)}.", alt)


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
    fig, ax = new_axes(4.0)
    ax.set_xscale("log", base=_log_base(sizes))
    ax.margins(x=0.05)
    scaled = {}
    for name, medians in lines.items():
        scaled[name] = [in_unit(m, scale) for m, scale in zip(medians, scales, strict=True)]
    limit_log(ax, [], (interval for line in scaled.values() for interval in line), axis="y")
    _show_a_decade(ax)
    ends = {}
    for i, (name, intervals) in enumerate(scaled.items()):
        ax.plot(sizes, [interval.value for interval in intervals], **style(i))
        for size, interval in zip(sizes, intervals, strict=True):
            draw_upright_interval(ax, size, interval, style(i)["color"])
        ends[name] = (sizes[-1], intervals[-1].value)
    label_sizes(ax.xaxis, sizes)
    plain_log_axis(ax.yaxis)
    ax.set_xlabel(_axis_label(xlabel or result.label))
    ax.set_ylabel(_axis_label(f"time per {per or 'call'} in {unit}", _UPRIGHT_CHARACTERS))
    ax.grid()
    label_line_ends(ax, ends)
    parts = []
    for name, medians in lines.items():
        first = duration(medians[0].value / divisors[0])
        last = duration(medians[-1].value / divisors[-1])
        parts.append(f"{name} goes from {first} at {sizes[0]} to {last} at {sizes[-1]}")
    alt = (
        f"Chart of the time per {per or 'call'} against {xlabel or result.label}, both axes "
        f"logarithmic: one line with intervals for each candidate ({listed(lines)})."
    )
    caption = f"Time per {per or 'call'} against {result.label}: {'; '.join(parts)}."
    return Figure(fig, caption, alt)


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
    if even and even <= end and _costs_more_at_first(result, prepared):
        ax.axvline(even, color=_DARK_GREY, linestyle=":")
        _write_above(ax, even, end, f"even after {measured_count(even, 'calls')}")
    ax.set_xlabel("number of calls")
    ax.set_ylabel(f"total time in {unit}")
    label_line_ends(ax, ends)
    alt = (
        "Chart of the total time against the number of calls: "
        f"one line for each candidate ({listed(names)})."
    )
    return Figure(fig, _break_even_caption(result, prepared, even, end), alt)


def _write_above(ax: Axes, x: float, end: float, text: str) -> None:
    """Write a text above the axes at x, such that it ends within the figure."""
    side = "left"
    if x > 0.3 * end:
        side = "center"
    if x > 0.7 * end:
        side = "right"
    ax.annotate(
        text,
        (x, 1),
        xycoords=ax.get_xaxis_transform(),
        xytext=(0, 4),
        textcoords="offset points",
        ha=side,
        fontsize=SMALL_TEXT,
        annotation_clip=False,
    )


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
    fig, ax = new_axes(height_of(lanes, row_height=0.55, more=0.85))
    length = max((end - begin) / size, 1e-9)
    for i, lane in enumerate(lanes):
        bars = [((start - begin) / size, (stop - start) / size) for start, stop in spans[lane]]
        looks = {"color": style(i)["color"], "hatch": _HATCHES[i % len(_HATCHES)]}
        _draw_lane(ax, row(lanes, i), bars, length, looks)
    name_rows(ax, lanes, guides=False)
    limit_rows(ax, lanes)
    ax.set_xlim(-0.01 * length, 1.01 * length)
    ax.set_xlabel(f"time in {unit}")
    alt = (
        f"Chart with one lane for each worker ({listed(lanes)}): "
        "a bar from the start to the end of each piece of work."
    )
    return Figure(fig, caption, alt)


def _draw_lane(
    ax: Axes,
    y: float,
    bars: Sequence[tuple[float, float]],
    length: float,
    looks: Mapping[str, Any],
) -> None:
    """Draw a bar for each piece of work, from its start and as long as it took."""
    colour = looks["color"]
    # The white edge that sets off two bars would hide a thin one.
    edges = [colour if width < length / 150 else "white" for _, width in bars]
    ax.broken_barh(
        bars,
        (y - 0.36, 0.72),
        facecolors=colour,
        edgecolors=edges,
        hatch=looks.get("hatch", ""),
    )


def _first_and_last(
    lanes: Iterable[Sequence[tuple[float, float]]],
) -> tuple[float, float]:
    """Return the earliest start and the latest end; one second without any work."""
    moments = [moment for lane in lanes for span in lane for moment in span]
    if not moments:
        return 0.0, 1.0
    return min(moments), max(moments)


# ---- one call: when does Python work, when do the operations? ----

_MOST_TYPES = 4  # of operations with a row of their own
_MOST_THREADS = 4


@with_course_style
def one_call(result: TimelineLike) -> Figure:
    """Plot the timeline of one recorded call.

    When does Python work, when do TensorFlow's threads, and when does each operation run?

    Parameters
    ----------
    result : Timeline
        What was recorded.

    Returns
    -------
    Figure
        From the top: Python in blue, a grey row for each thread that was in TensorFlow, and the
        types of operations that took longest, orange and hatched, with the time of each row and how
        often the operations ran. The caption gives the share of Python and of the operations.

    Examples
    --------
    >>> from labkit.measure.timeline import Timeline
    >>> operations = {"MatMul": [(0.6, 0.8)], "Relu": [(0.8, 0.9)]}
    >>> one_call(Timeline(1.0, [(0.0, 0.5)], {"calling thread": [(0.5, 1.0)]}, operations))
    One call, ≈1.00 s: Python takes ≈50.0 % of it; 2 operations run in ≈30.0 % of it.
    """
    rows = _rows_of_call(result)
    names = [name for name, _, _ in rows]
    unit, size = time_unit([result.seconds])
    length = max(result.seconds / size, 1e-9)
    fig, ax = new_axes(height_of(names, row_height=0.42, more=0.85))
    for i, (_, kind, spans) in enumerate(rows):
        y = row(names, i)
        bars = [(start / size, (stop - start) / size) for start, stop in spans]
        _draw_lane(ax, y, bars, length, _CODE_STYLES[kind])
        write_beside(ax, y, _time_and_runs(kind, spans))
    name_rows(ax, names, guides=False)
    limit_rows(ax, names)
    ax.set_xlim(-0.01 * length, 1.01 * length)
    ax.set_xlabel(f"time in {unit}")
    alt = (
        "Chart of one call over time, with a bar for each piece of work, in rows: Python; each "
        "thread that was in TensorFlow; each type of operation that took long."
    )
    return Figure(fig, _call_caption(result), alt)


def _rows_of_call(result: TimelineLike) -> list[tuple[str, str, list[Span]]]:
    """Return the name, the kind of code and the work of each row, from the top."""
    rows = [("Python", "Python", list(result.python))]
    calling, *others = result.threads.items()
    rows.append((calling[0], "other", list(calling[1])))
    for name, spans in _longest(dict(others), _MOST_THREADS, "other threads").items():
        rows.append((name, "other", merged(spans)))
    by_time = sorted(result.operations.items(), key=lambda item: -total(item[1]))
    for name, spans in _longest(dict(by_time), _MOST_TYPES, "other operations").items():
        rows.append((name, "operations", spans))
    return rows


def _longest(lanes: Mapping[str, Sequence[Span]], most: int, rest: str) -> dict[str, list[Span]]:
    """Return the lanes with most work, in the order given, and the work of all others in one."""
    by_time = sorted(lanes, key=lambda name: -total(lanes[name]))
    shown = set(by_time[:most] if len(by_time) > most + 1 else by_time)
    found = {name: list(spans) for name, spans in lanes.items() if name in shown}
    others = [span for name, spans in lanes.items() if name not in shown for span in spans]
    return found | {rest: others} if others else found


def _time_and_runs(kind: str, spans: Sequence[Span]) -> str:
    """Return how long the work of a row took, and for operations how often they ran."""
    time = duration(total(spans)) if spans else "0"
    if kind != "operations":
        return time
    return f"{time}, 1 run" if len(spans) == 1 else f"{time}, {len(spans):,} runs"


def _call_caption(result: TimelineLike) -> str:
    everything = [span for spans in result.operations.values() for span in spans]
    python = 100 * total(result.python) / result.seconds
    in_operations = 100 * total(merged(everything)) / result.seconds
    runs = "1 operation runs" if len(everything) == 1 else f"{len(everything):,} operations run"
    return (
        f"One call, {duration(result.seconds)}: Python takes {measured(python, '%')} of it; "
        f"{runs} in {measured(in_operations, '%')} of it."
    )


# ---- strip: what did each call do? ----

# Marker and colour of a call, in the order of the legend.
_CALL_STYLES = {
    "traced": ("s", COLOURS[0]),
    "retraced": ("X", COLOURS[1]),
    "replayed": ("o", COLOURS[2]),
}

_FEWEST_PLACES = 8  # on the axis: the marks of two calls are not at the ends of the figure
_MOST_LABELLED_CALLS = 12
_MOST_CALLS_IN_ALT = 12


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
    from .labels import write_slanted

    words = _what_calls_did(result.calls)
    places = max(len(words), _FEWEST_PLACES)
    fig, ax = new_axes(1.4)
    ax.set_xlim(0.3, places + 0.7)
    ax.set_ylim(-1, 1)
    size = max(4.0, min(12.0, 330 / places))
    for x, word in enumerate(words, start=1):
        marker, colour = _CALL_STYLES[word]
        ax.plot(x, 0, marker=marker, markersize=size, color=colour)
    for word, (marker, colour) in _CALL_STYLES.items():
        if word in words:
            looks: dict[str, Any] = {"marker": marker, "color": colour, "markersize": 9}
            ax.plot([], [], linestyle="none", label=word, **looks)
    if words:
        fig.legend(loc="outside upper left", ncols=3)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.spines["bottom"].set_bounds(1, max(len(words), 1))
    label_sizes(ax.xaxis, _labelled_calls(len(words)))
    ax.set_xlabel("call", loc="left")
    reasons = {x: call.why for x, call in enumerate(result.calls, start=1) if call.why}
    if reasons:
        write_slanted(ax, reasons, above=size / 2 + 8)
    return Figure(fig, _strip_caption(result.calls, words), _strip_alt(words))


def _labelled_calls(calls: int) -> list[int]:
    """Return the numbers of the calls that are labelled: the first one, round ones, the last."""
    if calls <= _MOST_LABELLED_CALLS:
        return list(range(1, max(calls, 1) + 1))
    step = 1
    while calls > 8 * step:
        step *= 5 if str(step).startswith("1") else 2
    return [1, *range(step, calls, step), calls]


def _strip_alt(words: Sequence[str]) -> str:
    if not words:
        return "Empty strip of calls."
    shown = ", ".join(words[:_MOST_CALLS_IN_ALT])
    more = " and so on" if len(words) > _MOST_CALLS_IN_ALT else ""
    return f"Strip with a mark for each call of a tf.function, in order: {shown}{more}."


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
        The caption says whether it is still growing at the end; of memory, which the system gives
        and takes in pieces, it says by how much it grew.

    Examples
    --------
    >>> from labkit.measure.growth import Growth
    >>> growth(Growth("ops", [0, 2, 4, 6, 8, 10, 12, 14], calls=100, resolution=0))
    Over 800 calls the number of operations is still growing at the end.
    """
    name, size, label = _GROWTH_AXES[result.what]
    calls = [result.calls * (i + 1) for i in range(len(result.values))]
    values = [value / size for value in result.values]
    resolution = result.resolution / size
    fig, ax = new_axes(3.2)
    ax.set_ylim(*_limits_of_growth(values, resolution))
    ax.plot(calls, values, marker="o", color=COLOURS[0])
    ax.set_xlabel("calls")
    if resolution:
        ax.axhspan(-resolution, resolution, color=_GREY)
        ax.set_xlabel("calls\ngrey: too small to tell from no growth")
    ax.set_ylabel(label)
    alt = f"Chart of the {label} against the calls: a line with a mark after each block of calls."
    return Figure(fig, _growth_caption(result, name, calls[-1]), alt)


def _limits_of_growth(values: Sequence[float], resolution: float) -> tuple[float, float]:
    """Return the limits of the y axis: marks are whole, and a change that is none looks small."""
    low = min(0.0, *values)
    high = max(0.0, 2 * resolution, *values)
    if high == low:
        high = 1.0
    space = 0.07 * (high - low)
    return low - space, high + space


def _growth_caption(result: GrowthLike, name: str, calls: int) -> str:
    if result.verdict == "unclear":
        return f"{calls:,} calls are too few to tell whether the {name} keeps growing."
    if result.what == "memory":
        return _memory_caption(result.values, calls)
    if result.verdict == "leak":
        return f"Over {calls:,} calls the {name} is still growing at the end."
    return f"Over {calls:,} calls the {name} does not keep growing."


def _memory_caption(values: Sequence[float], calls: int) -> str:
    """Return the growth in all and in the second half; a verdict on so few readings would flip."""
    grown = measured(values[-1] / 2**20, "MiB")
    grown_late = measured((values[-1] - values[len(values) // 2]) / 2**20, "MiB")
    return f"Over {calls:,} calls the memory grew by {grown}; in their second half by {grown_late}."


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
    fig, ax = new_axes(height_of(owners, row_height=0.42))
    for i, owner in enumerate(owners):
        y = row(owners, i)
        percent = 100 * result.shares[owner]
        ax.barh(y, percent, height=0.7, **_CODE_STYLES[_kind_of_code(owner)])
        _write_at_end(ax, (percent, y), measured(percent, "%"))
    name_rows(ax, owners, guides=False)
    limit_rows(ax, owners)
    ax.set_xlim(0, max(1.0, 100 * max(result.shares.values())))
    ax.set_xlabel("share of the time of one call, in %")
    alt = f"Bar chart of the share of the time of one call, by owner of the code: {listed(owners)}."
    return Figure(fig, _shares_caption(result.shares), alt)


def _write_at_end(ax: Axes, end: tuple[float, float], text: str, **properties: Any) -> None:
    """Write a text to the right of a bar."""
    ax.annotate(
        text,
        end,
        xytext=(6, 0),
        textcoords="offset points",
        va="center",
        fontsize=SMALL_TEXT,
        annotation_clip=False,
        **properties,
    )


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

_LEGEND_CHARACTERS = 24  # of a name
_LEGEND_WIDTH = 60  # characters


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
        There is nothing to compare with the baseline, two ladders have not the same candidates, or
        `guess` is not above 0.

    Examples
    --------
    >>> from labkit.measure.results import Comparison
    >>> result = Comparison({"predict": [2.0] * 20, "numpy": [1.0] * 20}, "numpy")
    >>> ladder({"small": result, "large": result})  # doctest: +ELLIPSIS
    Time per call. small: numpy ≈1.00 s, predict ≈2.00× that; large: numpy ≈1.00 s, predict ...
    """
    results = list(ladders.values())
    if not results:
        raise ValueError("there is nothing to compare: give at least one ladder")
    names = list(results[0].samples)
    baseline = results[0].baseline
    if any(set(result.samples) != set(names) for result in results):
        raise ValueError(f"each ladder needs the same candidates: {', '.join(names)}")
    first = _first_compared(results[0])
    fig, ax = new_axes()
    labels = [f"{name} (= 1)" if name == baseline else name for name in names]
    name_rows(ax, labels)
    guess_at = mark_guess(ax, guess, results[-1].ratio[first].value)
    intervals = [ratio for result in results for ratio in result.ratio.values()]
    limit_log(ax, [1, guess_at or 1], intervals)
    limit_rows(ax, names, guess_at)
    ax.axvline(1, color="black", linewidth=1)
    for i, (model, result) in enumerate(ladders.items()):
        ratios = result.ratio
        for k, name in enumerate(names):
            if name == baseline:
                continue
            y = row(names, k) + _shift(i, len(ladders))
            draw_interval(ax, y, ratios[name], style(i))
            if len(ladders) == 1:
                write_beside(ax, y, measured(ratios[name].value, "×"))
        ax.plot([], [], **_marker_only(i), label=_legend_label(model))
    plain_log_axis(ax.xaxis, "×")
    ax.set_xlabel(_axis_label(f"time per {unit}, relative to {baseline}"))
    more = 0.9 if guess_at is None else 1.3
    if len(ladders) > 1:
        columns = _columns_of_legend(ladders)
        fig.legend(loc="outside upper left", ncols=columns)
        more += 0.22 * math.ceil(len(ladders) / columns)
    row_height = max(0.38, 0.1 + 0.16 * len(ladders))
    fig.set_figheight(height_of(labels, row_height, more))
    parts = [_ladder_part(model, result, first) for model, result in ladders.items()]
    alt = (
        f"Chart with one row for each candidate ({listed(names)}): a mark at its time per {unit} "
        f"relative to {baseline}, and a bar for its interval, on a logarithmic axis."
    )
    if len(ladders) > 1:
        alt += f" Each row has one mark for each model ({listed(ladders)})."
    return Figure(fig, f"Time per {unit}. {'; '.join(parts)}.", alt)


def _shift(i: int, models: int) -> float:
    """Return how far above its row the mark of the i-th model is."""
    if models == 1:
        return 0.0
    return 0.7 * (0.5 - i / (models - 1)) * (models - 1) / models


def _legend_label(name: str) -> str:
    """Return a name on one line; matplotlib leaves out what begins with an underscore."""
    text = shortened(name, _LEGEND_CHARACTERS)
    return f"\u200b{text}" if text.startswith("_") else text


def _columns_of_legend(names: Iterable[str]) -> int:
    """Return how many names have space beside each other above a figure."""
    longest = max(len(shortened(name, _LEGEND_CHARACTERS)) for name in names)
    return max(1, _LEGEND_WIDTH // (longest + 4))


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

    Raises
    ------
    ValueError
        There is nothing to compare with the baseline, or `guess` is not above 0.

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
    fig, ax = new_axes(4.4)
    from .labels import place_beside

    limits = _draw_limits(ax, peak, bandwidth, list(points.values()))
    plain_log_axis(ax.xaxis)
    plain_log_axis(ax.yaxis)
    ax.grid()
    ax.set_xlabel("floating-point operations per byte read or written")
    ax.set_ylabel("speed in GFLOP/s")
    parts = []
    places = {}
    colours = {}
    for i, (name, (intensity, speed)) in enumerate(points.items()):
        ax.plot(intensity, speed / 1e9, **_marker_only(i), markersize=9)
        places[name] = [(intensity, speed / 1e9)]
        colours[name] = style(i)["color"]
        share = speed / min(peak, intensity * bandwidth)
        speed_text = measured(speed / 1e9, "GFLOP/s")
        parts.append(f"{name} {speed_text}, {measured(100 * share, '%')} of its limit")
    place_beside(ax, places | limits, colours | dict.fromkeys(limits, "black"))
    alt = (
        "Chart of speed against operations per byte, both axes logarithmic. A line rises with the "
        "limit of the memory to that of the processor, and is level from there. "
        f"Marks: {listed(points)}."
    )
    return Figure(fig, f"Roofline: {'; '.join(parts)}.", alt)


def _draw_limits(
    ax: Axes, peak: float, bandwidth: float, points: Sequence[tuple[float, float]]
) -> dict[str, list[tuple[float, float]]]:
    """Draw the limit of the memory, which rises, and that of the processor, which is level.

    Return points on each of them, by its name. There is space for these and for those of the calls.
    """
    ridge = peak / bandwidth
    intensities = [ridge, *(intensity for intensity, _ in points)]
    left, right = min(intensities) / 8, max(intensities) * 8
    low, high = left * bandwidth / 1e9, peak / 1e9
    speeds = [low, high, *(speed / 1e9 for _, speed in points)]
    ax.set(xscale="log", yscale="log")
    ax.set_xlim(left, right)
    ax.set_ylim(min(speeds) / 3, max(speeds) * 3)
    ax.plot([left, ridge, right], [low, high, high], color="black", linewidth=2.5)
    memory = []
    processor = []
    for share in (0.5, 0.3, 0.7, 0.15, 0.85):
        memory.append((_between(left, ridge, share), _between(low, high, share)))
        processor.append((_between(ridge, right, share), high))
    return {
        f"memory {measured(bandwidth / 1e9, 'GB/s')}": memory,
        f"peak {measured(high, 'GFLOP/s')}": processor,
    }


def _between(low: float, high: float, share: float) -> float:
    """Return the number at this share of the way from one to another, on a logarithmic axis."""
    return low * (high / low) ** share


# ---- the story: what does one row cost now? ----


@with_course_style
def cost_of_one_row(result: ComparisonLike, rows: Mapping[str, int] | None = None) -> Figure:
    """Plot what one row costs with each candidate, from the first to the newest one.

    Parameters
    ----------
    result : Comparison
        Its candidates in the order in which the lessons introduce them; the first is the baseline.
    rows : dict of str to int, optional
        Rows per call of the candidates that take more than one.

    Returns
    -------
    Figure
        A bar per candidate on a logarithmic axis; the newest one is dark. The caption says how many
        times as much a row costs with the first candidate as with the newest.

    Raises
    ------
    ValueError
        `rows` names something that is no candidate, or fewer rows than 1.

    Examples
    --------
    >>> import time
    >>> from labkit.measure.compare import compare
    >>> cost = compare({"predict": lambda: time.sleep(2e-3), "call": lambda: None}, budget=0.1)
    >>> type(cost_of_one_row(cost)).__name__
    'Figure'
    """
    per_call = dict(rows or {})
    names = list(result.median)
    unknown = [name for name in per_call if name not in names]
    if unknown:
        raise ValueError(f"no candidate {unknown[0]!r}; there are: {', '.join(names)}")
    if any(n < 1 for n in per_call.values()):
        raise ValueError(f"a call takes at least one row, got {per_call}")

    seconds = {}
    for name in names:
        seconds[name] = result.median[name].value / per_call.get(name, 1)
    unit, size = time_unit(seconds.values())
    fig, ax = new_axes(height_of(names, row_height=0.46))
    costs = [value / size for value in seconds.values()]
    left = min(costs) / 4
    ax.set_xscale("log")
    ax.set_xlim(left, max(costs))
    for i, name in enumerate(names):
        y = row(names, i)
        is_newest = i == len(names) - 1
        colour = COLOURS[0] if is_newest else _PALE_BLUE
        weight = "bold" if is_newest else "normal"
        ax.barh(y, costs[i] - left, left=left, height=0.6, color=colour)
        _write_at_end(ax, (costs[i], y), duration(seconds[name]), weight=weight)
    name_rows(ax, names, guides=False)
    limit_rows(ax, names)
    plain_log_axis(ax.xaxis)
    ax.set_xlabel(f"time per row in {unit}")
    alt = f"Bar chart of the time per row on a logarithmic axis, by candidate: {listed(names)}."
    return Figure(fig, _cost_caption(seconds), alt)


def _cost_caption(seconds: Mapping[str, float]) -> str:
    names = list(seconds)
    costs = ", ".join(f"{name} {duration(value)}" for name, value in seconds.items())
    first, newest = seconds[names[0]], seconds[names[-1]]
    saved = measured(first / newest, "×")
    return f"What one row costs now: {costs}. {names[0]} costs {saved} as much as {names[-1]}."


# ---- latency: how many requests, and how long does each wait? ----


@with_course_style
def latency(
    loads: Mapping[str, Mapping[int, tuple[Sequence[float], float]]], of: str = "callers"
) -> Figure:
    """Plot how long requests waited against how many were answered per second, at several loads.

    Parameters
    ----------
    loads : dict of str to dict of int to (sequence of float, float)
        By the name of the server and by its load, such as the number of callers: how long each
        request waited, and how long all of them took together, in seconds.
    of : str
        What the load is, for the axis.

    Returns
    -------
    Figure
        A line for each server. A point stands at the wait that half of the requests did not exceed
        (p50), with its load beside it, and a thin line leads up to the wait that 99 in 100 did not
        exceed (p99).

    Raises
    ------
    ValueError
        There is nothing to plot.

    Examples
    --------
    >>> latency({"alone": {1: ([0.001, 0.002], 0.003), 4: ([0.004] * 4, 0.004)}})
    With 4 callers: alone ≈1,000 rows/s, p50 ≈4.00 ms, p99 ≈4.00 ms.
    """
    import numpy as np

    if not loads or not all(loads.values()):
        raise ValueError("latency needs at least one server and one load, for each server")
    fig, ax = new_axes(height=4.6)
    words = []
    for i, (name, by_load) in enumerate(loads.items()):
        look = style(i)
        rates, halves, late_times = [], [], []
        for waited, seconds in by_load.values():
            p50, p99 = np.percentile(waited, [50, 99])
            rates.append(len(waited) / seconds)
            halves.append(p50)
            late_times.append(p99)
        ax.loglog(rates, 1e3 * np.array(halves), **look, label=name)
        ax.vlines(
            rates, 1e3 * np.array(halves), 1e3 * np.array(late_times), color=look["color"], lw=1
        )
        answered = measured(rates[-1], "rows/s")
        waits = f"p50 {duration(halves[-1])}, p99 {duration(late_times[-1])}"
        words.append(f"{name} {answered}, {waits}")
    marks = listed([f"{load:,}" for load in next(iter(loads.values()))])
    ax.set_xlabel(f"throughput in rows/s\nmarks along a line: {marks} {of}")
    ax.set_ylabel("latency in ms: p50, up to p99")
    plain_log_axis(ax.xaxis)
    plain_log_axis(ax.yaxis)
    fig.legend(loc="outside upper left", ncols=3)
    most = max(load for by_load in loads.values() for load in by_load)
    alt = (
        "Chart of latency against throughput, both on logarithmic axes, with a line for each of "
        f"{listed(list(loads))} and a point for each number of {of}."
    )
    return Figure(fig, f"With {most} {of}: {'; '.join(words)}.", alt)
