"""The page of an explorer. Imported when one is shown, since it needs anywidget."""

from pathlib import Path

import anywidget
import traitlets

from .widget import page_script, page_style


class ExploreWidget(anywidget.AnyWidget):
    """A slider for each setting with numbers, a list for each with words, and the figure.

    `chosen` is set by the page: for each setting, the index of its value. `state` is measuring,
    shown, stopped or failed. `message` is one line; a screen reader reads it out when it changes.
    """

    _esm = page_script(Path(__file__).with_name("explore.js"))
    _css = page_style()

    settings = traitlets.List(traitlets.Dict()).tag(sync=True)
    chosen = traitlets.List(traitlets.Int()).tag(sync=True)
    state = traitlets.Unicode("measuring").tag(sync=True)
    message = traitlets.Unicode().tag(sync=True)
    figure = traitlets.Unicode().tag(sync=True)

    def show(self, state: str, message: str, figure: str = "") -> None:
        """Show a state and a message, and a figure as HTML, all at once."""
        with self.hold_sync():
            self.state = state
            self.message = message
            self.figure = figure
