"""The figures of a diagnosis."""

from typing import Any

from ..show.figure import (
    COLOURS,
    Figure,
    label_line_ends,
    label_sizes,
    new_axes,
    plain_log_axis,
    style,
    with_course_style,
)
from ..show.format import duration, time_unit
from ..show.intervals import draw_interval, in_unit, limit_log
from ..show.names import listed
from ..show.rows import height_of, limit_rows, name_rows, row, write_beside
from .measurements import Measurements
from .paths import BadModel
from .tables import sizes_of

_LATER: dict[str, Any] = {"color": COLOURS[0], "marker": "o"}
_FIRST: dict[str, Any] = {"color": COLOURS[1], "marker": "D", "markerfacecolor": "white"}


@with_course_style
def ladder_figure(m: Measurements) -> Figure:
    """Plot the time of the first and of each later call: one row per candidate on a log axis."""
    medians = m.medians
    names = list(medians)
    unit, size = time_unit(median.value for median in medians.values())
    first_calls = [m.first_calls[name] / size for name in names]
    intervals = [in_unit(median, size) for median in medians.values()]
    fig, ax = new_axes(height_of(names, more=1.25))
    name_rows(ax, names)
    limit_log(ax, first_calls, intervals)
    limit_rows(ax, names)
    for i, name in enumerate(names):
        y = row(names, i)
        ax.plot(first_calls[i], y, markersize=8, linestyle="none", **_FIRST)
        draw_interval(ax, y, intervals[i], _LATER)
        write_beside(ax, y, duration(medians[name].value))
    ax.plot([], [], linestyle="none", label="each later call", **_LATER)
    ax.plot([], [], linestyle="none", label="the first, from nothing", **_FIRST)
    fig.legend(loc="outside upper left", ncols=2)
    plain_log_axis(ax.xaxis)
    ax.set_xlabel(f"time per call with {m.batch_label}, in {unit}")
    times = ", ".join(f"{name} {duration(median.value)}" for name, median in medians.items())
    alt = (
        f"Chart with one row for each candidate ({listed(names)}): a dot at the time of a later "
        "call, with a bar for the middle half of the samples, and a diamond at the time of the "
        "first call, on a logarithmic axis."
    )
    return Figure(fig, f"Time per call with {m.batch_label}: {times}.", alt)


@with_course_style
def per_row_figure(m: Measurements) -> Figure:
    """Plot the time per row against the rows per call; raise BadModel if there is one size only."""
    lines = m.per_row
    if not lines:
        raise BadModel("only one batch size was measured: give batches=[1, 32]")
    fig, ax = new_axes(4.0)
    all_seconds = [seconds for line in lines.values() for seconds in line.values()]
    unit, unit_size = time_unit(all_seconds)
    ends = {}
    parts = []
    for i, (name, line) in enumerate(lines.items()):
        sizes = sorted(line)
        first, last = sizes[0], sizes[-1]
        ax.plot(sizes, [line[size] / unit_size for size in sizes], **style(i))
        ends[name] = (last, line[last] / unit_size)
        parts.append(
            f"{name} from {duration(line[first])} at {first} to {duration(line[last])} at {last}"
        )
    ax.set_xscale("log")
    limit_log(ax, [seconds / unit_size for seconds in all_seconds], axis="y")
    label_sizes(ax.xaxis, sizes_of(m))
    plain_log_axis(ax.yaxis)
    ax.set_xlabel("rows per call")
    ax.set_ylabel(f"time per row in {unit}")
    ax.grid()
    label_line_ends(ax, ends)
    alt = (
        "Chart of the time per row against the rows per call, both axes logarithmic: "
        f"one line for each candidate ({listed(lines)})."
    )
    return Figure(fig, f"Time per row against rows per call: {'; '.join(parts)}.", alt)
