"""A figure with a caption, and empty axes that look the same in every lesson."""

from __future__ import annotations

import contextlib
import functools
import io
import math
import os
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ParamSpec

from .format import digits

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure as MatplotlibFigure

# The colours of Okabe and Ito without yellow: colour-blind readers can tell them apart too.
# Markers and line styles repeat the distinction.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
MARKERS = "osD^vP*"
STYLES = ("-", "--", "-.", ":")

_GUESS_COLOUR = "#555555"
_GUESS_Y = -0.45  # below the lowest row, which is at 0

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

    with mpl.rc_context({**mpl.rcParamsDefault, "font.size": 11, "lines.linewidth": 1.8}):
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
        The sentence below the image, which is its alternative text too.

    Attributes
    ----------
    figure : matplotlib.figure.Figure
        What is drawn.
    caption : str
        The sentence below the image.

    Examples
    --------
    >>> fig, ax = new_axes()
    >>> bars = ax.bar(["slow", "fast"], [10, 1])
    >>> Figure(fig, "slow takes ten times as long as fast.")
    slow takes ten times as long as fast.
    """

    def __init__(self, figure: MatplotlibFigure, caption: str):
        self.figure = figure
        self.caption = caption

    def png(self, dpi: int = 100) -> bytes:
        """Return the image as PNG.

        Parameters
        ----------
        dpi : int
            Dots per inch.

        Returns
        -------
        bytes
            The content of a PNG file with 64 colours.
        """
        from PIL import Image

        original = io.BytesIO()
        with _course_settings():
            # White, so that it is legible on a dark page too.
            self.figure.savefig(original, format="png", dpi=dpi, facecolor="white")
        # 64 colours make the file a third of the size. Of the methods of Pillow, maximum coverage
        # keeps white white, and keeps the colour of a small mark, which a median cut loses.
        image = Image.open(original).convert("RGB")
        image = image.quantize(64, method=Image.Quantize.MAXCOVERAGE)
        small = io.BytesIO()
        image.save(small, format="png", optimize=True)
        return small.getvalue()

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

    def _repr_mimebundle_(
        self, include: Any = None, exclude: Any = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        data = {"image/png": self.png(), "text/plain": self.caption}
        metadata = {"image/png": {"alt": self.caption}}
        return data, metadata

    def _ipython_display_(self) -> None:
        from IPython.display import display

        data, metadata = self._repr_mimebundle_()
        display(data, metadata=metadata, raw=True)
        display({"text/markdown": f"*{self.caption}*", "text/plain": self.caption}, raw=True)


def new_axes(height: float = 4.0, width: float = 7.6) -> tuple[MatplotlibFigure, Axes]:
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
        Its only axes, without the lines at the top and on the right.

    Examples
    --------
    >>> fig, ax = new_axes(height=3)
    >>> fig.get_size_inches()
    array([7.6, 3. ])
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as MatplotlibFigure

    with _course_settings():
        fig = MatplotlibFigure(figsize=(width, height), layout="constrained", facecolor="white")
        FigureCanvasAgg(fig)
        ax = fig.add_subplot()
    ax.spines[["top", "right"]].set_visible(False)
    return fig, ax


def plain_log_axis(axis: Axis, suffix: str = "") -> None:
    """Label a log axis with 0.1, 1, 10, 100 in place of powers of ten.

    Parameters
    ----------
    axis : matplotlib.axis.Axis
        Such as ``ax.xaxis``, with its scale and limits set.
    suffix : str
        What follows each number, such as ``"×"``.

    Examples
    --------
    >>> fig, ax = new_axes()
    >>> ax.set(xscale="log", xlim=(1, 1000))  # doctest: +ELLIPSIS
    [...]
    >>> plain_log_axis(ax.xaxis, "×")
    >>> [label.get_text() for label in ax.get_xticklabels()][1:-1]
    ['1×', '10×', '100×', '1,000×']
    """
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    def plain(x: float, _position: int | None) -> str:
        return f"{x:,.10g}{suffix}"

    low, high = axis.get_view_interval()
    axis.set_major_locator(LogLocator(subs=_labelled_multiples(high / low), numticks=12))
    axis.set_major_formatter(FuncFormatter(plain))
    axis.set_minor_formatter(NullFormatter())


def _labelled_multiples(span: float) -> tuple[float, ...]:
    """Return which multiples of a power of ten are labelled on an axis that spans this ratio."""
    if span < 12:
        return (1.0, 1.5, 2.0, 3.0, 5.0, 7.0)
    if span < 120:
        return (1.0, 2.0, 5.0)
    return (1.0,)


def label_line_ends(
    ax: Axes,
    ends: Mapping[str, tuple[float, float]],
    gap: float = 11,
    colours: Mapping[str, str] | None = None,
) -> None:
    """Write each name at the end of its line, in the colour of the line; no name covers another.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        With its limits and scales set.
    ends : dict of str to (x, y)
        The last point of each line.
    gap : float
        The least distance between two names, in points: a name that is closer moves up.
    colours : dict of str to str, optional
        The colour of each line; by default those of `style`, in the order of `ends`.

    Examples
    --------
    >>> fig, ax = new_axes()
    >>> lines = ax.plot([1, 2], [3, 4])
    >>> label_line_ends(ax, {"slow": (2, 4)})
    >>> ax.texts[0].get_text()
    'slow'
    """
    points_per_dot = 72 / ax.figure.dpi
    if colours is None:
        colours = {name: style(i)["color"] for i, name in enumerate(ends)}
    lowest = -math.inf
    for name, end in sorted(ends.items(), key=_height_of_end):
        height = ax.transData.transform(end)[1] * points_per_dot
        label_height = max(height, lowest)
        ax.annotate(
            name,
            end,
            xytext=(9, label_height - height),
            textcoords="offset points",
            va="center",
            color=colours[name],
            annotation_clip=False,
        )
        lowest = label_height + gap


def _height_of_end(named_end: tuple[str, tuple[float, float]]) -> float:
    _, (_, y) = named_end
    return y


def mark_guess(ax: Axes, guess: Any, value: float) -> float | None:
    """Mark a guess below the rows of a figure of ratios.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        With a logarithmic x axis, and its rows at y = 0, 1, 2, ...
    guess : labkit.course.guesses.Guess or float or None
        How many times as long the slower one was guessed to take; None marks nothing.
    value : float
        The measured ratio. Where it is below 1, a guess of 5 is marked at 1/5.

    Returns
    -------
    float or None
        The x coordinate of the mark; None without a guess.

    Examples
    --------
    >>> fig, ax = new_axes()
    >>> mark_guess(ax, 5, value=0.3)
    0.2
    >>> ax.texts[0].get_text()
    'your guess: 5.00 times'
    """
    said = getattr(guess, "value", guess)
    if said is None:
        return None
    ratio = float(said)
    if value < 1 < ratio:
        ratio = 1 / ratio
    ax.plot(ratio, _GUESS_Y, marker="v", markersize=11, color=_GUESS_COLOUR, clip_on=False)
    made = getattr(guess, "moved", True)
    words = "your guess" if made else "the guess as it stood"
    ax.annotate(
        f"{words}: {digits(max(ratio, 1 / ratio))} times",
        (ratio, _GUESS_Y),
        xytext=(11, -4),
        textcoords="offset points",
    )
    return ratio
