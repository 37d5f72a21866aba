"""A figure with the sentence that says what it shows, and a blank new_axes that looks the same in every lesson."""

import contextlib
import functools
import io
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from .format import digits

# Okabe and Ito: told apart by colour-blind readers too; markers and line styles say the same once more.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
MARKERS = "osD^vP*"
STYLES = ("-", "--", "-.", ":")


def style(i: int) -> dict[str, str]:
    """Return colour, marker and line style of the i-th candidate, the same in every picture."""
    return {"color": COLOURS[i % 7], "marker": MARKERS[i % 7], "linestyle": STYLES[i % 4]}


@contextlib.contextmanager
def _plain_settings() -> Iterator[None]:
    """Draw with matplotlib's own settings, whatever the learner's are: a dark style would print white on white."""
    import matplotlib as mpl

    with mpl.rc_context({**mpl.rcParamsDefault, "font.size": 11, "lines.linewidth": 1.8}):
        yield


def with_course_style(draw: Callable[..., "Figure"]) -> Callable[..., "Figure"]:
    """Make a function draw with the settings of the course, and leave the learner's as they are."""

    @functools.wraps(draw)
    def apart(*args: Any, **kwargs: Any) -> "Figure":
        with _plain_settings():
            return draw(*args, **kwargs)

    return apart


class Figure:
    """A figure and the sentence that says what it shows.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        What to draw.
    caption : str
        The sentence: it is the alternative text of the image and stands below it.
    """

    def __init__(self, figure: Any, caption: str):
        self.figure, self.caption = figure, caption

    def png(self, dpi: int = 100) -> bytes:
        """Return the image as PNG bytes."""
        from PIL import Image

        large, small = io.BytesIO(), io.BytesIO()
        with _plain_settings():
            self.figure.savefig(
                large, format="png", dpi=dpi, facecolor="white"
            )  # white: legible in a dark theme too
        # A third of the size. This method keeps white white, and the colour of a small mark, which a median cut loses.
        few = Image.open(large).convert("RGB").quantize(64, method=Image.Quantize.MAXCOVERAGE)
        few.save(small, format="png", optimize=True)
        return small.getvalue()

    def save(self, path: str) -> None:
        """Write the image to `path`; the ending names the format."""
        with _plain_settings():
            self.figure.savefig(path, facecolor="white")

    def __repr__(self) -> str:
        return self.caption

    def _repr_mimebundle_(self, include=None, exclude=None):
        data = {"image/png": self.png(), "text/plain": self.caption}
        return data, {"image/png": {"alt": self.caption}}

    def _ipython_display_(self) -> None:
        from IPython.display import display

        data, metadata = self._repr_mimebundle_()
        display(data, metadata=metadata, raw=True)
        display({"text/markdown": f"*{self.caption}*", "text/plain": self.caption}, raw=True)


def new_axes(height: float = 4.0, width: float = 7.6) -> tuple[Any, Any]:
    """Return a white figure and its axes, without touching anybody's matplotlib settings.

    Parameters
    ----------
    height, width : float
        Height and width in inches.

    Returns
    -------
    (Figure, Axes)
        Ready to draw on.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with _plain_settings():
        fig = Figure(figsize=(width, height), layout="constrained", facecolor="white")
        FigureCanvasAgg(fig)
        ax = fig.add_subplot()
    ax.spines[["top", "right"]].set_visible(False)
    return fig, ax


def plain_log_axis(axis: Any, suffix: str = "") -> None:
    """Label a log axis 0.1, 1, 10, 100 instead of powers of ten."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = axis.get_view_interval()
    subs = (
        (1.0, 1.5, 2.0, 3.0, 5.0, 7.0)
        if high / low < 12
        else (1.0, 2.0, 5.0)
        if high / low < 120
        else (1.0,)
    )
    axis.set_major_locator(LogLocator(subs=subs, numticks=12))
    axis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.10g}{suffix}"))
    axis.set_minor_formatter(NullFormatter())


def label_line_ends(ax: Any, ends: Mapping[str, tuple[float, float]], gap: float = 11) -> None:
    """Write each name behind the end of its line, in its colour and clear of its marker; none covers another.

    Parameters
    ----------
    ax : Axes
        With its limits and scales set.
    ends : dict of str to (x, y)
        The last point of each line, in the order in which `style` was asked for them.
    gap : float
        The least distance of two names, in points: those that would stand closer move up.
    """
    above, points, colours = (
        -math.inf,
        72 / ax.figure.dpi,
        {name: style(i)["color"] for i, name in enumerate(ends)},
    )
    for name, at in sorted(ends.items(), key=lambda end: end[1][1]):
        here = ax.transData.transform(at)[1] * points
        above = max(here, above + gap)
        beside = {"xytext": (9, above - here), "textcoords": "offset points", "va": "center"}
        ax.annotate(name, at, color=colours[name], annotation_clip=False, **beside)


def mark_guess(ax: Any, guess: Any, value: float) -> float | None:
    """Mark a guess below the rows, on the side of the measured `value`; return where it stands."""
    if guess is None:
        return None
    said = float(getattr(guess, "value", guess))
    said = (
        1 / said if value < 1 < said else said
    )  # a guess is "how many times", whichever is the faster one
    ax.plot(said, -0.45, marker="v", markersize=11, color="#555555", clip_on=False)
    word = "your guess" if getattr(guess, "moved", True) else "the guess as it stood"
    ax.annotate(
        f"{word}: {digits(max(said, 1 / said))} times",
        (said, -0.45),
        (11, -4),
        textcoords="offset points",
    )
    return said
