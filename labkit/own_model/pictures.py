"""The figures of a diagnosis."""

from typing import Any

from ..show.figure import (
    COLOURS,
    Figure,
    label_line_ends,
    new_axes,
    plain_log_axis,
    style,
    with_course_style,
)
from ..show.format import duration, time_unit
from .measurements import Measurements
from .paths import BadModel
from .tables import sizes_of

_LATER: dict[str, Any] = {"color": COLOURS[0], "marker": "o"}
_FIRST: dict[str, Any] = {"color": COLOURS[1], "marker": "D", "markerfacecolor": "white"}


@with_course_style
def ladder_figure(m: Measurements) -> Figure:
    """Plot the time of the first and of each later call: one row per candidate on a log axis."""
    medians = m.medians
    fig, ax = new_axes(1.6 + 0.55 * len(medians), 8.4)
    unit, size = time_unit(median.value for median in medians.values())
    names = list(reversed(medians))
    for y, name in enumerate(names):
        median = medians[name]
        middle_half = [median.low / size, median.high / size]
        at = median.value / size
        ax.plot(middle_half, [y, y], color=COLOURS[0], linewidth=4, solid_capstyle="butt")
        ax.plot(at, y, markersize=9, **_LATER)
        ax.plot(m.first_calls[name] / size, y, markersize=8, **_FIRST)
        _write_above(ax, duration(median.value), (at, y))
    _add_legend(ax, rows=len(medians))
    ax.set_xscale("log")
    ax.set_ylim(-0.5, len(names) - 0.3)
    ax.margins(x=0.12)
    plain_log_axis(ax.xaxis)
    ax.set_yticks(range(len(names)), names)
    ax.set_xlabel(f"time per call with {m.batch_label}, in {unit}")
    ax.grid(axis="x", alpha=0.25)
    times = ", ".join(f"{name} {duration(median.value)}" for name, median in medians.items())
    return Figure(fig, f"Time per call with {m.batch_label}: {times}.")


def _write_above(ax: Any, text: str, at: tuple[float, float]) -> None:
    ax.annotate(text, at, (0, 9), textcoords="offset points", ha="center")


def _add_legend(ax: Any, rows: int) -> None:
    """Explain the two marks above the axes."""
    ax.plot([], [], linestyle="none", label="each later call", **_LATER)
    ax.plot([], [], linestyle="none", label="the first, from nothing", **_FIRST)
    above = (0.5, 1 + 0.9 / rows)
    ax.legend(loc="upper center", bbox_to_anchor=above, ncols=2, frameon=False)


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
    ticks = sizes_of(m)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xticks(ticks, [f"{size:,}" for size in ticks])
    ax.minorticks_off()
    plain_log_axis(ax.yaxis)
    ax.set_xlabel("rows per call")
    ax.set_ylabel(f"time per row in {unit}")
    ax.grid(alpha=0.25)
    label_line_ends(ax, ends)
    return Figure(fig, f"Time per row against rows per call: {'; '.join(parts)}.")
