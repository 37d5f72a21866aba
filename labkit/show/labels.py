"""Where the texts of a figure go, so that none covers another text, a line or a mark.

Imported when a figure is drawn, since it needs matplotlib.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure as MatplotlibFigure
from matplotlib.lines import Line2D
from matplotlib.path import Path
from matplotlib.patheffects import withStroke
from matplotlib.text import Annotation, Text
from matplotlib.transforms import Bbox, ScaledTranslation, Transform

from .names import shortened, wrapped
from .rows import SMALL_TEXT

_POINTS_PER_INCH = 72
_AT_THE_LINE = 9  # points from the end of a line to its name
_WITH_LEADER = 22  # where a thin line leads to the name
_SPACE = 2  # points between two names
_MOVED = 3  # points: a name that is farther from its line needs a leader

# Directions from a point to its name, the best first: right, left, above, below, and between.
_DIRECTIONS: tuple[tuple[float, float], ...] = (
    *((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1)),
    *((0.5, 1), (0.5, -1), (-0.5, 1), (-0.5, -1)),
)
_DISTANCES = (9, 13, 20, 28, 36, 45, 54, 64, 76, 90, 105, 120, 140, 160, 180, 200)
_NEAR = 13  # points: a name that is farther from its point needs a leader
_TRIES = 9  # to place all names
_TALLER_TRIES = (3, 5, 7)  # before which the figure becomes taller
_TALLER = 0.7  # inches
_POINT_CHARACTERS = 24  # of the name of a point, which is on one line

_REASON_CHARACTERS = 44  # of a text at a slant
_NOTHING = (None, "None", "none", "", " ")  # the names of no marker and no line

_CONTRAST = 4.5  # of a text with white, as the WCAG asks for
_DARKER = 0.97


def spread(wanted: Sequence[float], sizes: Sequence[float], low: float, high: float) -> list[float]:
    """Return middles near the wanted ones, in the same order, of boxes that do not overlap.

    Together they move as little as they can (in least squares) and stay between `low` and `high`;
    where all boxes together are larger than that, they go on beyond `high`.
    """
    # Below box i are the boxes before it. Without their sizes, boxes that do not overlap are
    # positions that do not decrease: the problem is an isotonic regression.
    below = []
    total = 0.0
    for size in sizes:
        below.append(total + size / 2)
        total += size
    groups: list[tuple[float, int]] = []  # mean and number of boxes that touch each other
    for middle, offset in zip(wanted, below, strict=True):
        mean, count = middle - offset, 1
        while groups and groups[-1][0] > mean:
            other_mean, other_count = groups.pop()
            mean = (mean * count + other_mean * other_count) / (count + other_count)
            count += other_count
        groups.append((mean, count))
    positions: list[float] = []
    for mean, count in groups:
        positions.extend([max(low, min(mean, high - total))] * count)
    return [position + offset for position, offset in zip(positions, below, strict=True)]


# ---- colours and sizes of texts ----


def text_colour(colour: str) -> str:
    """Return the colour, or as dark a shade of it as a text on white needs."""
    red, green, blue = to_rgb(colour)
    while 1.05 / (0.05 + _luminance(red, green, blue)) < _CONTRAST:
        red, green, blue = red * _DARKER, green * _DARKER, blue * _DARKER
    return to_hex((red, green, blue))


def _luminance(*channels: float) -> float:
    """Return the relative luminance of the WCAG for red, green and blue from 0 to 1."""
    total = 0.0
    for weight, channel in zip((0.2126, 0.7152, 0.0722), channels, strict=True):
        if channel <= 0.04045:
            total += weight * channel / 12.92
        else:
            total += weight * ((channel + 0.055) / 1.055) ** 2.4
    return total


def _figure_of(ax: Axes) -> MatplotlibFigure:
    figure = ax.get_figure(root=True)
    assert figure is not None
    return figure


def _points_per_dot(ax: Axes) -> float:
    return _POINTS_PER_INCH / _figure_of(ax).dpi


def _size_of(ax: Axes, words: str) -> tuple[float, float]:
    """Return width and height of a text in points."""
    text = Text(0, 0, words)
    text.set_figure(_figure_of(ax))
    box = text.get_window_extent()
    scale = _points_per_dot(ax)
    return box.width * scale, box.height * scale


def _position(ax: Axes, point: tuple[float, float]) -> tuple[float, float]:
    """Return where a point is, in points from the lower left corner of the figure."""
    x, y = ax.transData.transform(point)
    scale = _points_per_dot(ax)
    return x * scale, y * scale


def _box_of_axes(ax: Axes) -> Bbox:
    """Return the box within the axes, in points."""
    return _scaled(ax.bbox, _points_per_dot(ax))


def _scaled(box: Any, scale: float) -> Bbox:
    return Bbox.from_extents(box.x0 * scale, box.y0 * scale, box.x1 * scale, box.y1 * scale)


def shift(ax: Axes, x: float, y: float) -> Transform:
    """Return the transformation that moves a mark or text by so many points."""
    inches = (x / _POINTS_PER_INCH, y / _POINTS_PER_INCH)
    return ScaledTranslation(*inches, _figure_of(ax).dpi_scale_trans)


# ---- names at the ends of lines ----


def place_at_ends(
    ax: Axes, ends: Mapping[str, tuple[float, float]], colours: Mapping[str, str]
) -> None:
    """Write each name to the right of all ends, at the height of its own one or near it."""
    in_order = sorted(ends, key=lambda name: ends[name][1])
    sizes = [_size_of(ax, wrapped(name))[1] + _SPACE for name in in_order]
    _need_height(ax, sum(sizes))
    wanted = [_position(ax, ends[name])[1] for name in in_order]
    box = _box_of_axes(ax)
    heights = spread(wanted, sizes, box.y0, box.y1)

    right = max(x for x, _ in ends.values())
    moved = {}
    has_leader = {}
    for name, height, y in zip(in_order, heights, wanted, strict=True):
        moved[name] = height - y
        has_leader[name] = abs(moved[name]) > _MOVED or ends[name][0] != right
    gap = _WITH_LEADER if any(has_leader.values()) else _AT_THE_LINE
    for name in in_order:
        leader = _leader(colours[name], (-0.02, 0.5)) if has_leader[name] else None
        ax.annotate(
            wrapped(name),
            ends[name],
            xytext=(right, ends[name][1]),
            textcoords=ax.transData + shift(ax, gap, moved[name]),
            va="center",
            color=text_colour(colours[name]),
            arrowprops=leader,
            annotation_clip=False,
        )


def _leader(colour: str, start: tuple[float, float]) -> dict[str, Any]:
    """Return the properties of a thin line from a place in the box of a text to its point."""
    return {
        "arrowstyle": "-",
        "color": text_colour(colour),
        "linewidth": 0.8,
        "relpos": start,
        "patchA": None,  # it begins at the box, and need not be cut there
        "shrinkA": 0,
        "shrinkB": 5,
    }


def _need_height(ax: Axes, points: float) -> None:
    """Settle the layout of the figure; make it taller if its axes are lower than this."""
    figure = _figure_of(ax)
    figure.draw_without_rendering()
    missing = points - _box_of_axes(ax).height
    if missing > 0:
        figure.set_figheight(figure.get_figheight() + (missing + 1) / _POINTS_PER_INCH)
        figure.draw_without_rendering()


# ---- texts at a slant ----

_SLANT = 35  # degrees
_LEAST_STEP = 25  # points between two texts at that slant
_LEAST_STEP_UPRIGHT = 14
_BELOW_MARKS = 14  # points from the bottom of the axes to the middle of the marks


def write_slanted(ax: Axes, texts: Mapping[int, str], above: float) -> None:
    """Write texts at a slant above the marks at y = 0, or upright where the marks are close.

    Where they are even closer, not all have a text. The figure becomes taller by the longest one.
    """
    figure = _figure_of(ax)
    height = figure.get_figheight()
    words = {x: shortened(text, _REASON_CHARACTERS) for x, text in sorted(texts.items())}
    steps = [after - before for before, after in itertools.pairwise(words)]
    drawn = _write_rotated(ax, words, above, _SLANT, height)
    figure.draw_without_rendering()
    if min(steps, default=math.inf) * _points_per_unit(ax) >= _LEAST_STEP:
        return
    for text in drawn:
        text.remove()
    figure.draw_without_rendering()
    kept: dict[int, str] = {}
    for x, reason in words.items():
        if not kept or (x - max(kept)) * _points_per_unit(ax) >= _LEAST_STEP_UPRIGHT:
            kept[x] = reason
    _write_rotated(ax, kept, above, 90, height)


def _points_per_unit(ax: Axes) -> float:
    left, right = ax.get_xlim()
    return _box_of_axes(ax).width / (right - left)


def _write_rotated(
    ax: Axes, texts: Mapping[int, str], above: float, degrees: float, height: float
) -> list[Annotation]:
    """Write texts above y = 0; add to the height of the figure, in inches, what they need."""
    angle = math.radians(degrees)
    needed = 0.0
    drawn = []
    for x, words in texts.items():
        text_width, text_height = _size_of(ax, words)
        needed = max(needed, text_width * math.sin(angle) + text_height * math.cos(angle))
        text = ax.annotate(
            words,
            (x, 0),
            xytext=(0, above),
            textcoords="offset points",
            rotation=degrees,
            rotation_mode="anchor",
            ha="left",
            va="center",
            fontsize=SMALL_TEXT,
            annotation_clip=False,
        )
        drawn.append(text)
    _figure_of(ax).set_figheight(height + needed / _POINTS_PER_INCH)
    ax.set_ylim(-_BELOW_MARKS, _BELOW_MARKS + needed)
    return drawn


# ---- names beside points ----


class _Taken:
    """What a name must not cover, in points: boxes, and paths of lines."""

    def __init__(self, ax: Axes):
        self.inside = _box_of_axes(ax)
        self.boxes: list[Bbox] = []
        self.paths: list[Path] = []
        self.leaders: list[Path] = []
        scale = _points_per_dot(ax)
        for line in ax.lines:
            self._add_line(line, scale)
        for text in ax.texts:
            self.boxes.append(_scaled(text.get_window_extent(), scale))
        for cloud in ax.collections:
            if isinstance(cloud, PathCollection):
                radius = max(cloud.get_sizes(), default=0) ** 0.5 / 2
                centres = cloud.get_offset_transform().transform(cloud.get_offsets())
                self._add_marks(scale * centres, radius)
        if legend := ax.get_legend():
            self.boxes.append(_scaled(legend.get_window_extent(), scale))

    def _add_line(self, line: Line2D, scale: float) -> None:
        vertices: Any = line.get_transform().transform_path(line.get_path()).vertices
        if not len(vertices):
            return
        if line.get_linestyle() not in _NOTHING:
            self.paths.append(Path(scale * vertices))
        if line.get_marker() not in _NOTHING:
            self._add_marks(scale * vertices, line.get_markersize() / 2 + 1)

    def _add_marks(self, centres: Any, radius: float) -> None:
        for x, y in centres:
            self.boxes.append(Bbox.from_extents(x - radius, y - radius, x + radius, y + radius))

    def crossings(self, box: Bbox, leader: Path | None) -> int:
        """Return how many of these things a name in this box would cover, with its leader."""
        count = 0
        if not _contains(self.inside, box):
            count += 100
        for other in self.boxes:
            count += bool(other.overlaps(box))
            if leader is not None:
                count += bool(leader.intersects_bbox(other, filled=False))
        for path in [*self.paths, *self.leaders]:
            count += bool(path.intersects_bbox(box, filled=False))
        if leader is not None:
            count += sum(leader.intersects_path(other) for other in self.leaders)
        return count


def _contains(outer: Bbox, inner: Bbox) -> bool:
    is_wide_enough = outer.x0 <= inner.x0 and inner.x1 <= outer.x1
    return is_wide_enough and outer.y0 <= inner.y0 and inner.y1 <= outer.y1


class _Placed(NamedTuple):
    """Where a name is, in points: its box, the place of its point, and how far that is away."""

    box: Bbox
    at: tuple[float, float]
    choice: int  # the index of that point
    distance: float
    covered: int  # how many things it covers

    @property
    def leader(self) -> Path | None:
        """The thin line from the edge of the mark to a name that is far away."""
        if self.distance <= _NEAR:
            return None
        end = _nearest(self.box, self.at)
        share = _AT_THE_LINE / max(_AT_THE_LINE, math.dist(self.at, end))
        x = self.at[0] + share * (end[0] - self.at[0])
        y = self.at[1] + share * (end[1] - self.at[1])
        return Path([(x, y), end])


def place_beside(
    ax: Axes, points: Mapping[str, Sequence[tuple[float, float]]], colours: Mapping[str, str]
) -> None:
    """Write each name as near to one of its points as there is space.

    A name for which there is none comes first in the next try, which prefers other directions; the
    figure becomes taller if that does not help.
    """
    figure = _figure_of(ax)
    order = list(points)
    for attempt in range(_TRIES):
        if attempt in _TALLER_TRIES:
            figure.set_figheight(figure.get_figheight() + _TALLER)
        figure.draw_without_rendering()
        preferred = 4 * attempt % len(_DIRECTIONS)
        directions = _DIRECTIONS[preferred:] + _DIRECTIONS[:preferred]
        placed = _all_placed(ax, {name: points[name] for name in order}, directions)
        order.sort(key=lambda name: placed[name].covered == 0)
        if all(place.covered == 0 for place in placed.values()):
            break

    for name in points:
        place = placed[name]
        leader = None
        if place.leader is not None:
            end_x, end_y = _nearest(place.box, place.at)
            x = (end_x - place.box.x0) / place.box.width
            y = (end_y - place.box.y0) / place.box.height
            leader = _leader(colours[name], (x, y))
        ax.annotate(
            shortened(name, _POINT_CHARACTERS),
            points[name][place.choice],
            xytext=(place.box.x0 - place.at[0], place.box.y0 - place.at[1]),
            textcoords="offset points",
            ha="left",
            va="bottom",
            color=text_colour(colours[name]),
            arrowprops=leader,
            annotation_clip=False,
            path_effects=[withStroke(linewidth=3, foreground="white")],  # over the grid
        )


def _all_placed(
    ax: Axes,
    points: Mapping[str, Sequence[tuple[float, float]]],
    directions: Sequence[tuple[float, float]],
) -> dict[str, _Placed]:
    """Return a place for each name, one after the other."""
    taken = _Taken(ax)
    placed = {}
    for name, choices in points.items():
        size = _size_of(ax, shortened(name, _POINT_CHARACTERS))
        positions = [_position(ax, point) for point in choices]
        place = _free_place(taken, positions, size, directions)
        placed[name] = place
        taken.boxes.append(place.box)
        if place.leader is not None:
            taken.leaders.append(place.leader)
    return placed


def _free_place(
    taken: _Taken,
    positions: Sequence[tuple[float, float]],
    size: tuple[float, float],
    directions: Sequence[tuple[float, float]],
) -> _Placed:
    """Return the nearest free place for a name; the one that covers least if none is free."""
    best = None
    for distance in _DISTANCES:
        for (choice, at), direction in itertools.product(enumerate(positions), directions):
            box = _box_beside(at, size, direction, distance)
            place = _Placed(box, at, choice, distance, covered=0)
            place = place._replace(covered=taken.crossings(box, place.leader))
            if place.covered == 0:
                return place
            if best is None or place.covered < best.covered:
                best = place
    assert best is not None
    return best


def _box_beside(
    point: tuple[float, float],
    size: tuple[float, float],
    direction: tuple[float, float],
    distance: float,
) -> Bbox:
    """Return the box that lies in this direction from a point."""
    corner = []
    for middle, length, sign in zip(point, size, direction, strict=True):
        corner.append(middle + sign * (distance + length / 2) - length / 2)
    x, y = corner
    return Bbox.from_bounds(x, y, *size)


def _nearest(box: Bbox, point: tuple[float, float]) -> tuple[float, float]:
    """Return the place in a box that is nearest to a point."""
    x = min(max(point[0], box.x0), box.x1)
    y = min(max(point[1], box.y0), box.y1)
    return x, y
