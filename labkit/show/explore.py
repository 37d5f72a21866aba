"""Sliders over a figure, and the same without sliders: for paper and for web pages."""

import contextlib
import html
import os
from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from typing import Any

from .errors import kind_in_words, one_line
from .figure import Figure
from .saved_notebook import saved_value
from .stop import requested, stoppable, strict
from .widget import show_widget

_STOPPED = "Stopped before there was anything to show."
_STOPPED_EARLY = "Stopped early: the figure shows what was measured by then."
_EXAMPLE_DPI = 75  # three of them are stored beside the figure of the sliders
_GO_ON = "Move a slider or run the cell again to go on."

# Where the sliders were left, by their settings: a cell that runs again begins there.
_last_chosen: dict[str, list[int]] = {}


class Explorer:
    """Sliders over a figure; it shows itself at the end of a cell."""

    def __init__(self, draw: Callable[..., Figure], settings: Mapping[str, Sequence[Any]]):
        self.settings = {name: list(values) for name, values in settings.items()}
        self._draw = draw
        self._drawn: dict[tuple[Any, ...], Figure] = {}

    def figure(self, **values: Any) -> Figure:
        """Return the figure for these values of the settings; each figure is drawn once."""
        figure, _ = self._figure_and_stop(values)
        return figure

    @stoppable(_STOPPED)
    def _figure_and_stop(self, values: Mapping[str, Any]) -> tuple[Figure, bool]:
        """Return the figure for these values, and whether the stop button has cut it short.

        Such a figure is not kept: it is drawn anew when it is asked for again.
        """
        key = tuple(values[name] for name in self.settings)
        if key in self._drawn:
            return self._drawn[key], False
        figure = self._draw(**values)
        if requested():
            return figure, True
        if not hasattr(figure, "caption"):
            raise TypeError(
                f"draw must return a Figure, and returned {kind_in_words(figure)}: "
                "is there a `return` in front of its last line?"
            )
        self._drawn[key] = figure
        return figure, False

    def __repr__(self) -> str:
        return _captions(self._examples())

    def _examples(self) -> list[tuple[str, Figure]]:
        """Return the figures for all first, all middle and all last values, and what these are.

        After the stop button there are fewer.
        """
        drawn = []
        for place in (_first, _middle, _last):
            values = {name: choices[place(choices)] for name, choices in self.settings.items()}
            try:
                figure, is_stopped = self._figure_and_stop(values)
            except KeyboardInterrupt:
                if strict():
                    raise
                break
            if is_stopped:
                break
            drawn.append((_in_words(values), figure))
        return drawn

    # ---- in a notebook ----

    def widget(self) -> Any:
        """Return the sliders as a widget that draws the figure when one of them is moved."""
        from .explore_widget import ExploreWidget

        settings = [_setting(name, choices) for name, choices in self.settings.items()]
        widget = ExploreWidget(settings=settings, chosen=self._chosen_at_first(settings))

        def moved(_change: Any) -> None:
            _last_chosen[str(self.settings)] = widget.chosen
            # What is raised here appears nowhere on the page but in the message.
            with contextlib.suppress(Exception):
                self._show_figure(widget)

        widget.observe(moved, "chosen")
        return widget

    def _chosen_at_first(self, settings: list[dict[str, Any]]) -> list[int]:
        """Return where the sliders were left, in this kernel or in the saved notebook."""
        left = _last_chosen.get(str(self.settings))
        if left is None:
            left = saved_value("ExploreWidget", {"settings": settings}, "chosen")
        return left or [_middle(choices) for choices in self.settings.values()]

    def _show_figure(self, widget: Any) -> None:
        """Draw the figure for the chosen values, and show it or what went wrong."""
        values = {}
        for (name, choices), place in zip(self.settings.items(), widget.chosen, strict=True):
            values[name] = choices[place]
        widget.show("measuring", f"Measuring with {_in_words(values)} …", widget.figure)
        try:
            figure, is_stopped = self._figure_and_stop(values)
        except KeyboardInterrupt as stop:
            widget.show("stopped", f"{stop} {_GO_ON}")
            if strict():
                raise
        except Exception as error:
            widget.show("failed", f"No figure: {one_line(error)}")
            raise
        else:
            if is_stopped:
                widget.show("stopped", f"{_STOPPED_EARLY} {_GO_ON}", figure.html())
            else:
                widget.show("shown", figure.caption, figure.html())

    def _ipython_display_(self) -> None:
        is_stopped = False
        try:
            widget = self.widget()
        except ImportError:  # without widgets there are only the examples
            pass
        else:
            show_widget(widget, "sliders: " + ", ".join(self.settings))
            self._show_figure(widget)
            is_stopped = widget.state == "stopped"
        examples = [] if is_stopped else self._examples()
        if examples:
            show_widget(None, _captions(examples), _page(examples))


def _captions(examples: list[tuple[str, Figure]]) -> str:
    lines = [f"{words}: {figure.caption}" for words, figure in examples]
    return "\n".join(lines) or _STOPPED


def _page(examples: list[tuple[str, Figure]]) -> str:
    """Return the examples as HTML, closed where there are sliders."""
    parts = []
    for words, figure in examples:
        parts.append(f"<p><b>{html.escape(words)}</b></p>{figure.html(_EXAMPLE_DPI)}")
    # Jupyter's server sets the variable, a program that runs notebooks does not.
    opened = "" if os.environ.get("JPY_SESSION_NAME") else " open"
    headline = "The same without sliders, for " + "; ".join(words for words, _ in examples)
    summary = f"<summary>{html.escape(headline)}</summary>"
    return f"<details{opened}>{summary}{''.join(parts)}</details>"


def _setting(name: str, choices: Sequence[Any]) -> dict[str, Any]:
    """Return what the page needs to know of a setting; only numbers have an order."""
    return {
        "name": name.replace("_", " "),
        "texts": [_as_text(choice) for choice in choices],
        "is_ordered": all(isinstance(choice, Real) for choice in choices),
    }


def _as_text(choice: Any) -> str:
    """Return a value as the figures write it: 16,384."""
    return f"{choice:,}" if type(choice) is int else str(choice)


def _in_words(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in values.items())


def _first(_choices: Sequence[Any]) -> int:
    return 0


def _middle(choices: Sequence[Any]) -> int:
    return round((len(choices) - 1) / 2)


def _last(choices: Sequence[Any]) -> int:
    return len(choices) - 1


def explore(draw: Callable[..., Figure], **settings: Sequence[Any]) -> Explorer:
    """Show the figures of a function, with a slider for each of its settings.

    Parameters
    ----------
    draw : callable
        Takes one keyword per slider and returns a `labkit.figure.Figure`, such as
        ``compare(...).plot()``. It is called once for each setting; its figure is then kept, so
        that moving back shows the same measurement.
    **settings : sequence
        The values of each slider, at least two.

    Returns
    -------
    Explorer
        At the end of a cell it shows the sliders with the figure and its caption; values that are
        not numbers have no order, and are shown as a list. Below are the figures for all first, all
        middle and all last values, which need no sliders.

    Raises
    ------
    TypeError
        `draw` is not callable; or, when the sliders are shown, it returns no Figure.
    ValueError
        There is no slider, or a slider has fewer than two values.

    Examples
    --------
    >>> from labkit.show.figure import Figure, new_axes
    >>> def draw(n):
    ...     fig, ax = new_axes()
    ...     ax.plot([0, n], [0, n])
    ...     return Figure(fig, f"A line up to {n}.")
    >>> explore(draw, n=[1, 2, 3])
    n=1: A line up to 1.
    n=2: A line up to 2.
    n=3: A line up to 3.
    """
    if not callable(draw):
        raise TypeError(f"draw must be a function that returns a Figure, got {kind_in_words(draw)}")
    if not settings:
        raise ValueError("explore needs at least one slider: explore(draw, batch=[1, 8, 64])")
    for name, values in settings.items():
        if len(values) < 2:
            raise ValueError(f"the slider {name!r} needs at least two values, got {list(values)}")
    return Explorer(draw, settings)
