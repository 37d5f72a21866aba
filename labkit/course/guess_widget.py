"""The page of a guess. Imported when a guess is shown, since it needs anywidget."""

from pathlib import Path

import anywidget
import traitlets

from ..show.widget import page_script, page_style


class GuessWidget(anywidget.AnyWidget):
    """A slider and an entry field that show one number.

    The elements are the browser's own: those of ipywidgets have no name for a screen reader, and a
    logarithmic slider of theirs is read out as its exponent. As a model of Jupyter widgets it is
    saved in the notebook, page and all.
    """

    _esm = page_script(Path(__file__).with_name("guess.js"))
    _css = page_style()

    question = traitlets.Unicode().tag(sync=True)
    ends = traitlets.Unicode().tag(sync=True)
    numbers = traitlets.List(traitlets.Unicode()).tag(sync=True)
    marks = traitlets.List().tag(sync=True)
    position = traitlets.Int().tag(sync=True)
    number = traitlets.Unicode().tag(sync=True)
    problem = traitlets.Unicode().tag(sync=True)
