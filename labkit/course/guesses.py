"""Ask for a number before it is measured."""

import html
import math
from typing import Any

from ..show.format import digits
from ..show.widget import show_widget


class Guess:
    """A number that is asked for before it is measured.

    In a notebook it shows a slider; elsewhere it keeps the value in the middle.
    """

    def __init__(
        self, question: str, low: float, high: float, value: float | None, whole: bool = False
    ):
        self.question = question
        self.low = low
        self.high = high
        self.whole = whole
        self.default = _middle(low, high, whole) if value is None else value
        self._slider: Any = None

    @property
    def value(self) -> float:
        """The guess: where the slider is now."""
        return self.default if self._slider is None else self._slider.value

    @property
    def moved(self) -> bool:
        """Whether the learner has moved the slider."""
        return self.value != self.default

    def __repr__(self) -> str:
        as_text = str if self.whole else digits
        ends = f"from {as_text(self.low)} to {as_text(self.high)}"
        return f"{self.question} ({ends}; as it stands: {as_text(self.value)})"

    def _ipython_display_(self) -> None:
        try:
            import ipywidgets as widgets
        except ImportError:  # without widgets the question is still shown
            print(self)
            return
        if self._slider is None:
            self._slider = self._new_slider()
        question = widgets.HTML(f"<b>{html.escape(self.question)}</b>")
        box = widgets.VBox([question, self._slider])
        show_widget(box, repr(self))

    def _new_slider(self) -> Any:
        """Return a slider that stands at the default."""
        import ipywidgets as widgets

        if self.whole:
            slider = widgets.IntSlider(value=self.default, min=self.low, max=self.high)
        else:
            slider = widgets.FloatLogSlider(
                value=self.default,
                min=math.log10(self.low),
                max=math.log10(self.high),
                step=0.05,
                readout_format=".3g",
            )
        slider.description = "your guess"
        slider.layout = widgets.Layout(width="28em")
        # Powers of ten that are rounded may push a default at one of the ends a little inwards.
        self.default = slider.value
        return slider


def guess(
    question: str, *, low: float, high: float, value: float | None = None, whole: bool = False
) -> Guess:
    """Ask for a number before it is measured.

    Parameters
    ----------
    question : str
        The question, in the unit of `low` and `high`.
    low, high : float
        The ends of the slider, above 0.
    value : float, optional
        Where the slider starts; in the middle unless given.
    whole : bool, default False
        Whether the answer is a whole number. If so, the scale is even, with steps of one. Otherwise
        it is logarithmic, which suits *how many times*.

    Returns
    -------
    Guess
        A slider in a notebook. ``plot(guess=...)`` shows the guess beside the measurement.

    Raises
    ------
    ValueError
        The ends are not finite or not ``0 < low < high``; or the slider would start outside them;
        or `whole` is True and one of the numbers is not whole.

    Examples
    --------
    >>> guess("How many?", low=1, high=100).value
    10.0
    """
    if not 0 < low < high < math.inf:
        raise ValueError(f"guess needs 0 < low < high, got low={low}, high={high}")
    if value is not None and not low <= value <= high:
        raise ValueError(f"the guess starts at {value}, outside {low} to {high}")
    if not whole:
        return Guess(question, low, high, value)
    if not _is_whole(low) or not _is_whole(high) or not (value is None or _is_whole(value)):
        raise ValueError(
            f"whole=True needs whole numbers, got low={low}, high={high}, value={value}"
        )
    return Guess(question, int(low), int(high), None if value is None else int(value), whole=True)


def _middle(low: float, high: float, whole: bool) -> float:
    """Return the middle of the scale, a short number between the ends."""
    if whole:
        return (low + high) // 2
    middle = float(f"{math.sqrt(low * high):.3g}")
    return min(max(middle, low), high)  # rounding can leave a narrow range


def _is_whole(number: float) -> bool:
    return number == int(number)
