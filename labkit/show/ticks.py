"""Ticks with plain, round numbers whose labels do not touch, for linear and logarithmic axes.

Imported when a figure is drawn, since it needs matplotlib.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from matplotlib.ticker import Formatter, Locator, MaxNLocator

from .format import plain_number

LABEL_SIZE = 11  # points
_MOST_TICKS = 7
_ENOUGH_TICKS = 4  # of a logarithmic axis
_GAP = 10  # points between two labels beside each other
_LINE = 1.7  # lines of text from one label to the label above it
_ROUND = [1, 2, 5, 10]  # steps of linear ticks: no 2.5

# The widths of characters of DejaVu Sans, in ems.
_NARROW = ".,"
_NARROW_WIDTH = 0.32
_WIDTH = 0.64
_WIDE_WIDTH = 0.84  # of × and −


def label_width(text: str, size: float = LABEL_SIZE) -> float:
    """Return about how many points a number takes, without drawing it."""
    ems = 0.0
    for character in text:
        if character in _NARROW:
            ems += _NARROW_WIDTH
        elif character.isascii():
            ems += _WIDTH
        else:
            ems += _WIDE_WIDTH
    return ems * size


class PlainNumbers(Formatter):
    """Write 0.1, 1, 10 and 10,000, never powers of ten or a common offset."""

    def __init__(self, suffix: str = ""):
        self.suffix = suffix

    def __call__(self, x: float, pos: int | None = None) -> str:
        """Return the label of a tick."""
        return f"{plain_number(x)}{self.suffix}"


class _FittingLocator(Locator):
    """Places as many ticks as there is space for their labels."""

    axis: Any  # the x axis or the y axis, which matplotlib sets
    most = _MOST_TICKS

    def __init__(self, suffix: str = ""):
        self.suffix = suffix
        self._limits: tuple[float, float] | None = None
        self._chosen: Sequence[float] = []
        self._is_settled = False

    def __call__(self) -> Sequence[float]:
        """Return the positions of the ticks for the present limits of the axis.

        The layout must come to rest: a label at the end of an axis can make the axes narrower, so
        that there is no space for it, so that they become wider, and so on. Ticks that were chosen
        because others did not fit any more therefore stay.
        """
        low, high = sorted(self.axis.get_view_interval())
        if self._limits != (low, high):
            self._limits = low, high
            self._chosen = []
            self._is_settled = False
        fits = self._fits(self._chosen, low, high)
        if not fits or not self._is_settled:
            self._chosen = self.tick_values(low, high)
            self._is_settled = not fits
        return self._chosen

    def _fits(self, ticks: Sequence[float], low: float, high: float) -> bool:
        """Return whether the labels of these ticks have space on the axis."""
        if len(ticks) > self.most:
            return False
        box = self.axis.axes.bbox
        points_per_dot = 72 / self.axis.get_figure(root=True).dpi
        is_horizontal = self.axis.axis_name == "x"
        length = points_per_dot * (box.width if is_horizontal else box.height)
        begin, *places, end = self.axis.get_transform().transform([low, *ticks, high])
        previous_end = -math.inf
        for tick, place in zip(ticks, places, strict=True):
            if is_horizontal:
                half = label_width(f"{plain_number(tick)}{self.suffix}") / 2 + _GAP / 2
            else:
                half = _LINE * LABEL_SIZE / 2
            middle = length * (place - begin) / (end - begin)
            if middle - half < previous_end:
                return False
            previous_end = middle + half
        return True


class LinearTicks(_FittingLocator):
    """Ticks at round numbers; at whole numbers only where all data are whole."""

    def tick_values(self, low: float, high: float) -> Sequence[float]:
        """Return the positions of the ticks between two limits."""
        whole = self._has_whole_data()
        for bins in range(_MOST_TICKS, 0, -1):
            locator = MaxNLocator(bins, steps=_ROUND, integer=whole)
            ticks = _inside(locator.tick_values(low, high), low, high)
            if self._fits(ticks, low, high):
                return ticks
        return []

    def _has_whole_data(self) -> bool:
        """Return whether the lines of the axes go through whole numbers only on this axis."""
        parts = []
        for line in self.axis.axes.lines:
            if line.get_transform() == self.axis.axes.transData:
                parts.append(line.get_xdata() if self.axis.axis_name == "x" else line.get_ydata())
        if not parts:
            return False
        data = np.concatenate([np.asarray(part, dtype=float) for part in parts])
        return len(data) > 0 and bool((data % 1 == 0).all())


class LogTicks(_FittingLocator):
    """Ticks at powers of ten, with multiples between them on a short axis."""

    def tick_values(self, low: float, high: float) -> Sequence[float]:
        """Return the positions of the ticks: powers of ten, with multiples if these are few."""
        if low <= 0 or not math.isfinite(high):
            return []
        chosen: list[float] = []
        for positions in _log_choices(low, high):
            ticks = _inside(positions, low, high)
            if len(ticks) > len(chosen) and self._fits(ticks, low, high):
                chosen = ticks
            if len(chosen) >= _ENOUGH_TICKS:
                break
        return chosen


class GivenTicks(_FittingLocator):
    """Ticks at given positions; where they are too close, some of those between both ends."""

    most = 12

    def __init__(self, positions: Sequence[float]):
        super().__init__()
        self.positions = sorted(positions)

    def tick_values(self, low: float, high: float) -> Sequence[float]:
        """Return the positions that are labelled."""
        *before, last = self.positions
        chosen: list[float] = []
        for position in before:
            if self._fits([*chosen, position, last], low, high):
                chosen.append(position)
        return [*chosen, last]


def _inside(ticks: Sequence[float], low: float, high: float) -> list[float]:
    """Return the ticks between two limits, which rounding may have moved a little outwards."""
    tolerance = 1e-9 * (high - low)
    return [float(tick) for tick in ticks if low - tolerance <= tick <= high + tolerance]


def _log_choices(low: float, high: float) -> Iterator[Sequence[float]]:
    """Yield sets of ticks, the roundest numbers first."""
    first = math.floor(math.log10(low))
    last = math.ceil(math.log10(high))
    for step in (1, 2, 3, 4, 5, 6):
        yield [10.0**power for power in range(first - first % step, last + 1, step)]
    for multiples in ((1, 2, 5), (1, 3), (1, 1.5, 2, 3, 5, 7)):
        ticks = []
        for power in range(first, last + 1):
            ticks.extend([float(f"{multiple}e{power}") for multiple in multiples])
        yield ticks
    if high < 4 * low:
        for bins in (7, 6, 5, 4, 3, 2):
            yield list(MaxNLocator(bins, steps=_ROUND).tick_values(low, high))
