"""Sliders over a picture, with a twin that needs no sliders: for paper, web pages and screen readers."""

import base64
import html
from collections.abc import Callable, Sequence
from typing import Any

from .figure import Figure


class Explorer:
    """What `explore` returns: it shows itself at the end of a cell.

    Attributes
    ----------
    settings : dict of str to list
        The values of each slider.
    """

    def __init__(self, draw: Callable[..., Figure], settings: dict[str, list]):
        self.settings, self._draw, self._kept = settings, draw, {}

    def picture(self, **values: Any) -> Figure:
        """Return the picture for these settings; each is drawn once."""
        key = tuple(values[name] for name in self.settings)
        if key not in self._kept:
            self._kept[key] = self._draw(**values)
        return self._kept[key]

    def _stops(self) -> list[dict[str, Any]]:
        """First, middle and last setting, all sliders together."""
        return [
            {n: v[round(at * (len(v) - 1))] for n, v in self.settings.items()} for at in (0, 0.5, 1)
        ]

    def __repr__(self) -> str:
        return "\n".join(
            f"{_named(stop)}: {self.picture(**stop).caption}" for stop in self._stops()
        )

    def widget(self) -> Any:
        """Return the sliders and the picture as a widget."""
        import ipywidgets as widgets

        middle = self._stops()[1]
        sliders = {
            name: widgets.SelectionSlider(
                options=[(str(v), v) for v in values],
                value=middle[name],
                description=name.replace("_", " "),
                continuous_update=False,
                style={"description_width": "8em"},
                layout=widgets.Layout(width="32em"),
            )
            for name, values in self.settings.items()
        }
        image = widgets.Image(format="png", layout=widgets.Layout(width="760px", max_width="100%"))
        caption = widgets.HTML()
        image.add_class("labkit-picture")
        caption.add_class("labkit-caption")

        def show(_: Any = None) -> None:
            caption.value = "<i>measuring …</i>"
            picture = self.picture(**{name: slider.value for name, slider in sliders.items()})
            image.value, caption.value = picture.png(), f"<i>{html.escape(picture.caption)}</i>"

        for slider in sliders.values():
            slider.observe(show, "value")
        show()
        return widgets.VBox([*sliders.values(), image, caption])

    def _ipython_display_(self) -> None:
        from IPython.display import display

        try:
            box = self.widget()
            view = {"model_id": box.model_id, "version_major": 2, "version_minor": 0}
            names = "sliders: " + ", ".join(self.settings)
            display(
                {"application/vnd.jupyter.widget-view+json": view, "text/plain": names}, raw=True
            )
        except ImportError:  # without widgets the twin is all there is
            pass
        display({"text/html": self._twin(), "text/plain": repr(self)}, raw=True)

    def _twin(self) -> str:
        parts = []
        for stop in self._stops():
            picture = self.picture(**stop)
            source = base64.b64encode(picture.png(dpi=60)).decode()
            words = html.escape(f"{_named(stop)}: {picture.caption}")
            parts.append(f'<p>{words}</p><img alt="{words}" src="data:image/png;base64,{source}">')
        return f"<details><summary>The same without sliders</summary>{''.join(parts)}</details>"


def explore(draw: Callable[..., Figure], **settings: Sequence[Any]) -> Explorer:
    """Put sliders over a function that returns a picture.

    Parameters
    ----------
    draw : callable
        Takes one keyword per slider and returns a `Picture`, such as ``compare(...).plot()``. Each setting is drawn
        once and then kept, so that moving back shows the same measurement.
    **settings : sequence
        The values of each slider, at least two.

    Returns
    -------
    Explorer
        Sliders, picture and caption; below them the first, middle and last setting without sliders.

    Raises
    ------
    TypeError, ValueError
        `draw` is not callable, or a slider has fewer than two values.

    Examples
    --------
    >>> from labkit.show.figure import Figure, new_axes
    >>> explore(lambda n: Figure(new_axes()[0], f"n is {n}"), n=[1, 2, 3])
    n=1: n is 1
    n=2: n is 2
    n=3: n is 3
    """
    if not callable(draw):
        raise TypeError(
            f"draw must be a function that returns a picture, got a {type(draw).__name__}"
        )
    for name, values in settings.items():
        if len(values) < 2:
            raise ValueError(f"the slider {name!r} needs at least two values, got {list(values)}")
    if not settings:
        raise ValueError("explore needs at least one slider: explore(draw, batch=[1, 8, 64])")
    return Explorer(draw, {name: list(values) for name, values in settings.items()})


def _named(values: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in values.items())
