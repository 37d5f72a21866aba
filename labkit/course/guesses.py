"""Ask for a number before it is measured."""

from ..show.format import digits


class Guess:
    """A number asked for before it is measured; move the slider, then run the next cell.

    Attributes
    ----------
    value : float
        The guess.
    moved : bool
        Whether somebody set it; pictures say so.
    """

    def __init__(
        self, question: str, low: float, high: float, value: float | None, whole: bool = False
    ):
        self.question, self.low, self.high, self.whole = question, low, high, whole
        middle = (low + high) // 2 if whole else float(digits((low * high) ** 0.5).replace(",", ""))
        self.default = middle if value is None else value
        self._slider = None

    @property
    def value(self) -> float:
        """The guess as it stands."""
        return self._slider.value if self._slider else self.default

    @property
    def moved(self) -> bool:
        """Whether the slider was moved."""
        return self.value != self.default

    def __repr__(self) -> str:
        low, high, now = (
            (str if self.whole else digits)(x) for x in (self.low, self.high, self.default)
        )
        return f"{self.question} (from {low} to {high}; as it stands: {now})"

    def _ipython_display_(self) -> None:
        from IPython.display import display

        try:
            import ipywidgets as widgets
        except ImportError:  # without widgets the question still stands
            print(self)
            return
        from math import log10

        look = {"description": "your guess", "layout": widgets.Layout(width="28em")}
        if self.whole:
            self._slider = self._slider or widgets.IntSlider(
                self.default, self.low, self.high, **look
            )
        else:
            self._slider = self._slider or widgets.FloatLogSlider(
                self.default,
                min=log10(self.low),
                max=log10(self.high),
                step=0.05,
                readout_format=".3g",
                **look,
            )
        box = widgets.VBox([widgets.HTML(f"<b>{self.question}</b>"), self._slider])
        data = {
            "application/vnd.jupyter.widget-view+json": {
                "model_id": box.model_id,
                "version_major": 2,
                "version_minor": 0,
            }
        }
        display({**data, "text/plain": repr(self)}, raw=True)


def guess(
    question: str, *, low: float, high: float, value: float | None = None, whole: bool = False
) -> Guess:
    """Ask for a number before it is measured: on a slider where there is one, with a default everywhere.

    Parameters
    ----------
    question : str
        What is asked.
    low, high : float
        The ends of the slider, above 0.
    value : float, optional
        Where it starts; the middle unless given.
    whole : bool
        The answer is a whole number: an even scale with steps of one. Otherwise the scale is logarithmic, as
        suits *how many times*.

    Returns
    -------
    Guess
        Pass it to ``plot(guess=...)``, which shows it beside the measurement.

    Raises
    ------
    ValueError
        Ends that are not ``0 < low < high``, a start outside them, or one of them broken where `whole` is asked.

    Examples
    --------
    >>> guess("How many?", low=1, high=100).value
    10.0
    """
    if not 0 < low < high:
        raise ValueError(f"guess needs 0 < low < high, got low={low}, high={high}")
    if value is not None and not low <= value <= high:
        raise ValueError(f"the guess starts at {value}, outside {low} to {high}")
    if whole and any(x != int(x) for x in (low, high, value or 0)):
        raise ValueError(
            f"whole=True needs whole numbers, got low={low}, high={high}, value={value}"
        )
    return Guess(question, low, high, value, whole)
