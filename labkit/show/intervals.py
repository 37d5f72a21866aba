"""Marks with their intervals on a logarithmic axis, whole within the axes."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from .protocols import IntervalLike

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.transforms import Transform

_SHOWN = 30  # times its value: an interval that goes on farther is cut, with an arrow head
_LEAST_SPAN = 1.5  # from one end of a logarithmic axis to the other
_SPACE = 0.07  # of the length of the axis, on both sides of all marks
_WIDTH = 4  # points
_UPRIGHT_WIDTH = 1.6
_MARK_SIZE = 9.5
_MARK_SIZES = {"*": 14, "P": 11, "^": 11, "v": 11, "D": 8.5}  # that look as large as the others
_CAP_SIZE = 7
_HEAD_SIZE = 8
_INWARDS = _HEAD_SIZE / 2 + 1  # points from the edge of the axes to the middle of an arrow head


class Shown(NamedTuple):
    """A value and its interval, in the unit of the axis."""

    value: float
    low: float
    high: float


def in_unit(interval: IntervalLike, unit: float) -> Shown:
    """Return an interval in a unit of this size."""
    return Shown(interval.value / unit, interval.low / unit, interval.high / unit)


def limit_log(
    ax: Axes, values: Iterable[float], intervals: Iterable[IntervalLike] = (), axis: str = "x"
) -> None:
    """Make an axis logarithmic, and limit it to values and intervals with some space around them.

    The end of an interval that is unknown, or very far from its value, does not count.
    """
    shown = list(values)
    for interval in intervals:
        shown.append(interval.value)
        if interval.low > interval.value / _SHOWN:
            shown.append(interval.low)
        if interval.high < interval.value * _SHOWN:
            shown.append(interval.high)
    positive = [value for value in shown if value > 0] or [1.0]
    low = math.log(min(positive))
    high = math.log(max(positive))
    missing = math.log(_LEAST_SPAN) - (high - low)
    space = max(_SPACE * (high - low), missing / 2)
    limits = math.exp(low - space), math.exp(high + space)
    if axis == "x":
        ax.set_xscale("log")
        ax.set_xlim(*limits)
    else:
        ax.set_yscale("log")
        ax.set_ylim(*limits)


def draw_interval(ax: Axes, y: float, interval: IntervalLike, style: dict[str, Any]) -> None:
    """Draw a value and its interval in a row; an arrow head shows that the interval goes on.

    The x axis has its limits.
    """
    left, right = ax.get_xlim()
    colour = style["color"]
    ends = max(interval.low, left), min(interval.high, right)
    ax.plot(ends, [y, y], color=colour, linewidth=_WIDTH, solid_capstyle="butt")
    for is_cut, side, marker in (
        (interval.low < left, 0, "<"),
        (interval.high > right, 1, ">"),
    ):
        if is_cut:
            _draw_head(ax, (side, y), ax.get_yaxis_transform(), marker, colour)
    marker = style["marker"]
    ax.plot(
        interval.value,
        y,
        color=colour,
        marker=marker,
        markersize=_MARK_SIZES.get(marker, _MARK_SIZE),
        markeredgecolor="white",
        markeredgewidth=0.7,
        linestyle="none",
    )


def draw_upright_interval(ax: Axes, x: float, interval: IntervalLike, colour: str) -> None:
    """Draw an interval as an upright bar with caps; an arrow head shows that it goes on.

    The y axis has its limits.
    """
    bottom, top = ax.get_ylim()
    ends = max(interval.low, bottom), min(interval.high, top)
    ax.plot([x, x], ends, color=colour, linewidth=_UPRIGHT_WIDTH)
    for is_cut, side, end, marker in (
        (interval.low < bottom, 0, ends[0], "v"),
        (interval.high > top, 1, ends[1], "^"),
    ):
        if is_cut:
            _draw_head(ax, (x, side), ax.get_xaxis_transform(), marker, colour)
        else:
            ax.plot(
                x,
                end,
                color=colour,
                marker="_",
                markersize=_CAP_SIZE,
                markeredgewidth=_UPRIGHT_WIDTH,
                linestyle="none",
            )


def _draw_head(
    ax: Axes, at: tuple[float, float], transform: Transform, marker: str, colour: str
) -> None:
    """Draw an arrow head at an edge of the axes, whole within them."""
    from .labels import shift

    inwards = {"<": (_INWARDS, 0), ">": (-_INWARDS, 0), "v": (0, _INWARDS), "^": (0, -_INWARDS)}
    ax.plot(
        *at,
        transform=transform + shift(ax, *inwards[marker]),
        marker=marker,
        markersize=_HEAD_SIZE,
        color=colour,
        linestyle="none",
    )
