"""Sliders over a figure, and the same without sliders: for paper, web pages and screen readers."""

import base64
import html
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .errors import kind_in_words, one_line
from .figure import Figure
from .widget import show_widget


class Explorer:
    """Sliders over a figure; it shows itself at the end of a cell."""

    def __init__(self, draw: Callable[..., Figure], settings: Mapping[str, Sequence[Any]]):
        self.settings = {name: list(values) for name, values in settings.items()}
        self._draw = draw
        self._drawn: dict[tuple[Any, ...], Figure] = {}

    def figure(self, **values: Any) -> Figure:
        """Return the figure for these values of the sliders; each figure is drawn once."""
        key = tuple(values[name] for name in self.settings)
        if key not in self._drawn:
            self._drawn[key] = self._draw(**values)
        return self._drawn[key]

    def __repr__(self) -> str:
        lines = []
        for values in self._examples():
            lines.append(self._caption_with_values(values))
        return "\n".join(lines)

    def widget(self) -> Any:
        """Return the sliders, the image and the caption as a widget."""
        import ipywidgets as widgets

        sliders = self._sliders()
        image = widgets.Image(format="png", layout=widgets.Layout(width="760px", max_width="100%"))
        image.add_class("labkit-picture")
        caption = widgets.HTML()
        caption.add_class("labkit-caption")

        def show_figure() -> None:
            caption.value = "<i>measuring …</i>"
            values = {name: slider.value for name, slider in sliders.items()}
            figure = self.figure(**values)
            image.value = figure.png()
            caption.value = f"<i>{html.escape(figure.caption)}</i>"

        def slider_moved(_change: Any) -> None:
            try:
                show_figure()
            except Exception as error:  # an error of a callback appears nowhere on the page
                caption.value = f"<b>{html.escape(one_line(error))}</b>"

        for slider in sliders.values():
            slider.observe(slider_moved, "value")
        show_figure()
        return widgets.VBox([*sliders.values(), image, caption])

    def _sliders(self) -> dict[str, Any]:
        """Return the sliders by name, each at its middle value."""
        import ipywidgets as widgets

        _, middle, _ = self._examples()
        sliders = {}
        for name, values in self.settings.items():
            sliders[name] = widgets.SelectionSlider(
                options=[(str(value), value) for value in values],
                value=middle[name],
                description=name.replace("_", " "),
                continuous_update=False,
                style={"description_width": "8em"},
                layout=widgets.Layout(width="32em"),
            )
        return sliders

    def _examples(self) -> list[dict[str, Any]]:
        """Return three settings of the sliders: all first, all middle and all last values."""
        first = {name: values[0] for name, values in self.settings.items()}
        middle = {name: _middle(values) for name, values in self.settings.items()}
        last = {name: values[-1] for name, values in self.settings.items()}
        return [first, middle, last]

    def _caption_with_values(self, values: dict[str, Any]) -> str:
        named = ", ".join(f"{name}={value}" for name, value in values.items())
        return f"{named}: {self.figure(**values).caption}"

    def _ipython_display_(self) -> None:
        try:
            box = self.widget()
        except ImportError:  # without ipywidgets there are only the three examples
            pass
        else:
            show_widget(box, "sliders: " + ", ".join(self.settings))
        show_widget(None, repr(self), self._without_sliders())

    def _without_sliders(self) -> str:
        """Return the three examples as HTML, with the images inside."""
        parts = []
        for values in self._examples():
            png = self.figure(**values).png(dpi=60)
            source = f"data:image/png;base64,{base64.b64encode(png).decode()}"
            caption = html.escape(self._caption_with_values(values))
            parts.append(f'<p>{caption}</p><img alt="{caption}" src="{source}">')
        return f"<details><summary>The same without sliders</summary>{''.join(parts)}</details>"


def _middle(values: Sequence[Any]) -> Any:
    return values[round((len(values) - 1) / 2)]


def explore(draw: Callable[..., Figure], **settings: Sequence[Any]) -> Explorer:
    """Put sliders over a function that returns a figure.

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
        At the end of a cell it shows the sliders with the figure and its caption. Below them are
        the figures of all first, all middle and all last values, which need no sliders.

    Raises
    ------
    TypeError
        `draw` is not callable.
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
