"""A figure with a caption, and empty axes that look the same in every lesson."""

from __future__ import annotations

import base64
import contextlib
import functools
import html
import io
import math
import os
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ParamSpec

from .format import digits
from .names import listed
from .rows import GUESS_ROW, SMALL_TEXT, TEXT_COLOUR, write_beside, write_left

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure as MatplotlibFigure

# The colours of Okabe and Ito without yellow: colour-blind readers can tell them apart too.
# Markers and line styles repeat the distinction.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
MARKERS = "osD^vP*"
STYLES = ("-", "--", "-.", ":")

_AXIS_COLOUR = "#808080"
_GUESS_COLOUR = "#555555"
_DOTS_PER_INCH = 100  # of the page: at this resolution a dot of the image is a dot of the screen
_COLOURS = 48  # of an image
_FREQUENT = 24
_PADDING = 6 / 72  # inches between the edge of the image and what is drawn

# Pictures are often shown smaller than they are, beside a file browser or on half of a screen: the
# texts are large for their width.
_SETTINGS: dict[str, Any] = {
    "font.size": 12,
    "xtick.labelsize": SMALL_TEXT,
    "ytick.labelsize": SMALL_TEXT,
    "legend.fontsize": SMALL_TEXT,
    "legend.frameon": False,
    "legend.handletextpad": 0.4,
    "lines.linewidth": 2,
    "lines.markersize": 7,
    "text.color": TEXT_COLOUR,
    "text.parse_math": False,  # a dollar sign in the name of a candidate is a dollar sign
    "axes.labelcolor": TEXT_COLOUR,
    "axes.edgecolor": _AXIS_COLOUR,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.color": _AXIS_COLOUR,
    "ytick.color": _AXIS_COLOUR,
    "xtick.labelcolor": TEXT_COLOUR,
    "ytick.labelcolor": TEXT_COLOUR,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.8,
}

# A thin frame around the white image sets it off on a dark page, and changes none of its dots.
_IMAGE_STYLE = "max-width:100%;height:auto;background:#fff;box-shadow:0 0 0 1px #c4c4c4"
_CAPTION_STYLE = "max-width:44em;margin-top:.4em;line-height:1.4"

_Arguments = ParamSpec("_Arguments")


def style(i: int) -> dict[str, Any]:
    """Return the colour, marker and line style of the i-th candidate, the same in every figure.

    Parameters
    ----------
    i : int
        The position of the candidate, from 0. Colours and markers repeat after 7, line styles
        after 4, so that 28 candidates have different styles.

    Returns
    -------
    dict of str to str
        Keyword arguments of matplotlib's ``Axes.plot``.

    References
    ----------
    .. [1] M. Okabe and K. Ito, "Color Universal Design", https://jfly.uni-koeln.de/color/

    Examples
    --------
    >>> style(0)
    {'color': '#0072B2', 'marker': 'o', 'linestyle': '-'}
    """
    return {
        "color": COLOURS[i % len(COLOURS)],
        "marker": MARKERS[i % len(MARKERS)],
        "linestyle": STYLES[i % len(STYLES)],
    }


@contextlib.contextmanager
def _course_settings() -> Iterator[None]:
    """Draw with matplotlib's defaults: a learner's dark style would write white on white."""
    import matplotlib as mpl

    settings: dict[Any, Any] = {**mpl.rcParamsDefault, **_SETTINGS}
    with mpl.rc_context(settings):
        yield


def with_course_style(draw: Callable[_Arguments, Figure]) -> Callable[_Arguments, Figure]:
    """Make a function draw with the settings of the course, whatever the learner's settings are.

    Parameters
    ----------
    draw : callable
        Returns a `Figure`.

    Returns
    -------
    callable
        Takes the same arguments. The learner's settings are as before when it returns.

    Examples
    --------
    >>> @with_course_style
    ... def line():
    ...     fig, ax = new_axes()
    ...     ax.plot([1, 2], [3, 4])
    ...     return Figure(fig, "A line.")
    >>> line()
    A line.
    """

    @functools.wraps(draw)
    def draw_in_course_style(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> Figure:
        with _course_settings():
            return draw(*args, **kwargs)

    return draw_in_course_style


class Figure:
    """A figure of matplotlib with a caption: the sentence that says what it shows.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        What is drawn.
    caption : str
        The sentence below the image.
    alt : str, optional
        What is in the image, for those who do not see it: the kind of chart, its axes, its rows or
        lines. The caption gives the numbers. By default the alternative text names the axes.

    Attributes
    ----------
    figure : matplotlib.figure.Figure
        What is drawn.
    caption : str
        The sentence below the image.
    alt : str
        The alternative text of the image.

    Examples
    --------
    >>> fig, ax = new_axes()
    >>> bars = ax.bar(["slow", "fast"], [10, 1])
    >>> text = ax.set_ylabel("time in ms")
    >>> figure = Figure(fig, "slow takes ten times as long as fast.")
    >>> figure
    slow takes ten times as long as fast.
    >>> figure.alt
    'Chart with slow and fast on the horizontal axis; vertical axis: time in ms.'
    """

    def __init__(self, figure: MatplotlibFigure, caption: str, alt: str | None = None):
        self.figure = figure
        self.caption = caption
        self.alt = alt or _description(figure) or caption

    def png(self, dpi: int = _DOTS_PER_INCH) -> bytes:
        """Return the image as PNG.

        Parameters
        ----------
        dpi : int
            Dots per inch.

        Returns
        -------
        bytes
            The content of a PNG file with 48 colours.
        """
        from PIL import Image

        original = io.BytesIO()
        with _course_settings():
            _break_long_labels(self.figure)
            # White, so that it is legible on a dark page too.
            self.figure.savefig(original, format="png", dpi=dpi, facecolor="white")
        image = _with_few_colours(Image.open(original).convert("RGB"))
        small = io.BytesIO()
        image.save(small, format="png", optimize=True)
        return small.getvalue()

    def html(self, dpi: int = _DOTS_PER_INCH) -> str:
        """Return the image, its alternative text and its caption as HTML.

        Parameters
        ----------
        dpi : int
            Dots per inch. Above 100 the image is sharper, below 100 it is smaller.

        Returns
        -------
        str
            A ``<figure>`` that needs no other file. It becomes narrower with the page, and is white
            with a thin frame on a dark page too.

        Examples
        --------
        >>> fig, ax = new_axes()
        >>> Figure(fig, "a < b", alt="Empty axes.").html()  # doctest: +ELLIPSIS
        '<figure ...><img alt="Empty axes." ...>a &lt; b</figcaption></figure>'
        """
        encoded = base64.b64encode(self.png(dpi)).decode()
        width = round(self.figure.get_figwidth() * min(dpi, _DOTS_PER_INCH))
        return (
            '<figure class="labkit-figure" style="margin:3px">'
            f'<img alt="{html.escape(self.alt)}" width="{width}" style="{_IMAGE_STYLE}" '
            f'src="data:image/png;base64,{encoded}">'
            f'<figcaption style="{_CAPTION_STYLE}">{html.escape(self.caption)}</figcaption>'
            "</figure>"
        )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the image to a file.

        Parameters
        ----------
        path : str or path
            Its ending names the format: ``.png``, ``.svg`` or ``.pdf``.
        """
        with _course_settings():
            self.figure.savefig(path, facecolor="white")

    def __repr__(self) -> str:
        return self.caption

    def _repr_html_(self) -> str:
        return self.html()


def _break_long_labels(figure: MatplotlibFigure) -> None:
    """Write the label of an axis in several lines, if it would run out of the figure."""
    labels = []
    for ax in figure.axes:
        if ax.axison:
            labels += [(ax.xaxis.label, "intervalx"), (ax.yaxis.label, "intervaly")]
    sizes = {"intervalx": figure.bbox.width, "intervaly": figure.bbox.height}
    if all(_length(label, along) < sizes[along] / 2 for label, along in labels):
        return
    figure.draw_without_rendering()  # now the labels are in their places
    for label, along in labels:
        low, high = getattr(label.get_window_extent(), along)
        if low >= 0 and high <= sizes[along]:
            continue
        centre = (low + high) / 2  # that of the axes
        share = 2 * min(centre, sizes[along] - centre) / (high - low)
        text = label.get_text()
        most = math.floor(0.9 * share * len(text))  # not all letters are equally wide
        label.set_text(textwrap.fill(text, max(1, most), break_long_words=False))


def _length(label: Any, along: str) -> float:
    """Return how many dots a label takes along its axis."""
    low, high = getattr(label.get_window_extent(), along)
    return float(high - low)


def _with_few_colours(image: Any) -> Any:
    """Return an image in 48 colours, whose file is a third as large."""
    import numpy as np
    from PIL import Image

    dots = np.asarray(image).astype(np.int64)
    codes = dots @ [1 << 16, 1 << 8, 1]
    colours, places, counts = np.unique(codes, return_inverse=True, return_counts=True)

    # Maximum coverage keeps the colour of a small mark, which a median cut loses. It tints large
    # areas: the most frequent colours stay as they are.
    covering = image.quantize(_COLOURS - _FREQUENT, method=Image.Quantize.MAXCOVERAGE)
    frequent = colours[np.argsort(counts)[-_FREQUENT:]]
    palette = np.concatenate([_channels(frequent), np.reshape(covering.getpalette(), (-1, 3))])
    distances = ((_channels(colours)[:, None] - palette[None, :]) ** 2).sum(axis=2)
    nearest = distances.argmin(axis=1).astype(np.uint8)
    small = Image.fromarray(nearest[places].reshape(codes.shape), mode="P")
    small.putpalette(palette.astype(np.uint8).tobytes())
    return small


def _channels(codes: Any) -> Any:
    """Return red, green and blue of colours that are one number each."""
    import numpy as np

    return np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=-1)


def _description(figure: MatplotlibFigure) -> str:
    """Return in words which axes a figure has; nothing if none of them has a label."""
    parts = []
    for ax in figure.axes:
        if ax.axison:
            parts.extend(_described_axis(ax.xaxis, "horizontal axis"))
            parts.extend(_described_axis(ax.yaxis, "vertical axis"))
    if not parts:
        return ""
    return f"Chart with {'; '.join(parts)}."


def _has_letters(text: str) -> bool:
    return any(character.isalpha() for character in text)


def _described_axis(axis: Axis, place: str) -> list[str]:
    """Return the names on an axis, and its label."""
    found = []
    names = [" ".join(label.get_text().split()) for label in axis.get_ticklabels()]
    words = [name for name in names if _has_letters(name)]
    if words:
        found.append(f"{listed(words)} on the {place}")
    label = " ".join(axis.get_label_text().split())
    if label:
        found.append(f"{place}: {label}")
    return found


def new_axes(height: float = 4.0, width: float = 6.4) -> tuple[MatplotlibFigure, Axes]:
    """Return a white figure and its axes, whatever the learner's matplotlib settings are.

    Parameters
    ----------
    height, width : float
        Height and width in inches.

    Returns
    -------
    figure : matplotlib.figure.Figure
        Not known to `matplotlib.pyplot`, so that nothing shows it twice.
    ax : matplotlib.axes.Axes
        Its only axes, without the lines at the top and on the right. Its ticks are plain, round
        numbers, and whole numbers where all data are whole.

    Examples
    --------
    >>> fig, ax = new_axes(height=3)
    >>> fig.get_size_inches()
    array([6.4, 3. ])
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as MatplotlibFigure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    from .ticks import LinearTicks, PlainNumbers

    with _course_settings():
        layout = ConstrainedLayoutEngine(w_pad=_PADDING, h_pad=_PADDING)
        fig = MatplotlibFigure(figsize=(width, height), layout=layout, facecolor="white")
        FigureCanvasAgg(fig)
        ax = fig.add_subplot()
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_locator(LinearTicks())
            axis.set_major_formatter(PlainNumbers())
            # As defaults they give way to those of names or dates, if such are plotted.
            axis.isDefault_majloc = axis.isDefault_majfmt = True
    return fig, ax


def plain_log_axis(axis: Axis, suffix: str = "") -> None:
    """Label a log axis with 0.1, 1, 10, 100 in place of powers of ten.

    Parameters
    ----------
    axis : matplotlib.axis.Axis
        Such as ``ax.xaxis``, with its scale set. Between the powers of ten there are as many labels
        as there is space for; a short axis has at least two.
    suffix : str
        What follows each number, such as ``"×"``.

    Examples
    --------
    >>> fig, ax = new_axes()
    >>> ax.set(xscale="log", xlim=(1, 1000))  # doctest: +ELLIPSIS
    [...]
    >>> plain_log_axis(ax.xaxis, "×")
    >>> [label.get_text() for label in ax.get_xticklabels()]
    ['1×', '10×', '100×', '1,000×']
    """
    from matplotlib.ticker import NullFormatter

    from .ticks import LogTicks, PlainNumbers

    axis.set_major_locator(LogTicks(suffix))
    axis.set_major_formatter(PlainNumbers(suffix))
    axis.set_minor_formatter(NullFormatter())


def label_sizes(axis: Axis, sizes: Iterable[float]) -> None:
    """Label an axis at given sizes only; where two are too close, one of them has no label.

    Parameters
    ----------
    axis : matplotlib.axis.Axis
        Such as ``ax.xaxis``, with its scale set.
    sizes : iterable of float
        Where a label may stand. The largest one always has a label.

    Examples
    --------
    >>> fig, ax = new_axes()
    >>> ax.set(xscale="log", xlim=(0.8, 2000))  # doctest: +ELLIPSIS
    [...]
    >>> label_sizes(ax.xaxis, [1, 8, 64, 512, 513])
    >>> [label.get_text() for label in ax.get_xticklabels()]
    ['1', '8', '64', '513']
    """
    from matplotlib.ticker import NullLocator

    from .ticks import GivenTicks, PlainNumbers

    axis.set_major_locator(GivenTicks(list(sizes)))
    axis.set_major_formatter(PlainNumbers())
    axis.set_minor_locator(NullLocator())


def label_line_ends(
    ax: Axes,
    ends: Mapping[str, tuple[float, float]],
    colours: Mapping[str, str] | None = None,
) -> None:
    """Write each name at the end of its line, in the colour of the line; no name covers another.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        With its limits and scales set.
    ends : dict of str to (x, y)
        The last point of each line.
    colours : dict of str to str, optional
        The colour of each line; by default those of `style`, in the order of `ends`.

    Notes
    -----
    All names are to the right of all lines. A name for which there is no space at the end of its
    line is written above or below, and a thin line leads to it. Pale colours are darkened, so that
    the text has enough contrast. The figure becomes taller if there are many names.

    Examples
    --------
    >>> fig, ax = new_axes()
    >>> lines = ax.plot([1, 2], [3, 4])
    >>> label_line_ends(ax, {"slow": (2, 4)})
    >>> ax.texts[0].get_text()
    'slow'
    """
    from .labels import place_at_ends

    if not ends:
        return
    with _course_settings():
        place_at_ends(ax, ends, colours or _colours_of(ends))


def label_points(
    ax: Axes,
    points: Mapping[str, tuple[float, float]],
    colours: Mapping[str, str] | None = None,
) -> None:
    """Write a name beside each point, where it covers no line, no mark and no other text.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        With all that is drawn, and with its limits and scales set.
    points : dict of str to (x, y)
        Where each point is.
    colours : dict of str to str, optional
        The colour of each point; by default those of `style`, in the order of `points`.

    Notes
    -----
    Each name is tried at growing distances to the right, to the left, above, below and between
    these; a thin line leads to one that is far away. Without space the figure becomes taller.

    Examples
    --------
    >>> fig, ax = new_axes()
    >>> marks = ax.plot([1, 2], [3, 3], "o")
    >>> label_points(ax, {"small": (1, 3), "large": (2, 3)})
    >>> [text.get_text() for text in ax.texts]
    ['small', 'large']
    """
    from .labels import place_beside

    with _course_settings():
        choices = {name: [point] for name, point in points.items()}
        place_beside(ax, choices, colours or _colours_of(points))


def _colours_of(names: Iterable[str]) -> dict[str, str]:
    return {name: style(i)["color"] for i, name in enumerate(names)}


def mark_guess(ax: Axes, guess: Any, value: float) -> float | None:
    """Mark a guess in a row of its own, below the rows of a figure of ratios.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        With a logarithmic x axis, and its rows at y = 0, 1, 2, ...
    guess : labkit.course.guesses.Guess or float or None
        How many times as long the slower one was guessed to take. None, and a guess that is not
        made yet, mark nothing.
    value : float
        The measured ratio. Where it is below 1, a guess of 5 is marked at 1/5.

    Returns
    -------
    float or None
        The x coordinate of the mark; None without a guess.

    Raises
    ------
    ValueError
        The guess is not a number above 0.

    Examples
    --------
    >>> fig, ax = new_axes()
    >>> mark_guess(ax, 5, value=0.3)
    0.2
    >>> [text.get_text() for text in ax.texts]
    ['your guess', '5.00 times']
    """
    number = getattr(guess, "value", guess)
    is_made = getattr(guess, "made", True)
    if number is None or not is_made:
        return None
    ratio = float(number)
    if not 0 < ratio < math.inf:
        raise ValueError(f"a guess is a number of times above 0, got {number!r}")
    if value < 1 < ratio:
        ratio = 1 / ratio
    ax.plot(ratio, GUESS_ROW, marker="v", markersize=10, color=_GUESS_COLOUR, linestyle="none")
    write_left(ax, GUESS_ROW, "your guess")
    write_beside(ax, GUESS_ROW, f"{digits(max(ratio, 1 / ratio))} times")
    return ratio
