"""Figures with a row for each candidate: its name on the left, its numbers on the right.

What is written beside the axes cannot cover what is drawn in them.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from .names import wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GUESS_ROW = -1  # below the lowest row of candidates, which is at 0
SMALL_TEXT = 11  # points: of all texts but the labels of the axes
TEXT_COLOUR = "#1a1a1a"

_GUIDE_COLOUR = "#e8e8e8"
_LINE_HEIGHT = 0.18  # inches
_BETWEEN_NAMES = 0.1
_GAP = 8  # points between the axes and a text


def row(names: Sequence[str], i: int) -> int:
    """Return the y coordinate of the i-th of these rows: the first one is at the top."""
    return len(names) - 1 - i


def height_of(names: Iterable[str], row_height: float = 0.46, more: float = 0.95) -> float:
    """Return the height in inches of a figure with these rows, and `more` for what is below."""
    lines = [wrapped(name).count("\n") + 1 for name in names]
    most_in_two_rows = max((one + other for one, other in itertools.pairwise(lines)), default=2)
    height = max(row_height, _BETWEEN_NAMES + _LINE_HEIGHT * most_in_two_rows / 2)
    return more + height * len(lines)


def name_rows(ax: Axes, names: Sequence[str], guides: bool = True) -> None:
    """Name the rows on the left of the axes, the first one at the top."""
    from matplotlib.ticker import FixedFormatter, FixedLocator

    places = range(len(names))
    ax.yaxis.set_major_locator(FixedLocator(places))
    ax.yaxis.set_major_formatter(FixedFormatter([wrapped(name) for name in reversed(names)]))
    ax.tick_params(axis="y", length=0, pad=_GAP)
    ax.spines["left"].set_visible(False)
    if guides:
        for y in places:
            ax.axhline(y, color=_GUIDE_COLOUR, linewidth=1, zorder=0)


def limit_rows(ax: Axes, names: Sequence[str], guess_at: float | None = None) -> None:
    """Limit the y axis to the rows, and to that of a guess."""
    bottom = 0 if guess_at is None else GUESS_ROW
    ax.set_ylim(bottom - 0.55, len(names) - 0.45)


def write_beside(ax: Axes, y: float, text: str, **properties: Any) -> None:
    """Write a text to the right of the axes, in the row at y."""
    _write(ax, (1.0, y), text, _GAP, ha="left", **properties)


def write_left(ax: Axes, y: float, text: str) -> None:
    """Write a text to the left of the axes, in the row at y."""
    _write(ax, (0.0, y), text, -_GAP, ha="right")


def _write(ax: Axes, at: tuple[float, float], text: str, offset: float, **properties: Any) -> None:
    """Write a text beside the axes: `at` is a share of their width and a y coordinate."""
    ax.annotate(
        text,
        at,
        xycoords=ax.get_yaxis_transform(),
        xytext=(offset, 0),
        textcoords="offset points",
        va="center",
        fontsize=SMALL_TEXT,
        color=TEXT_COLOUR,
        annotation_clip=False,
        **properties,
    )
