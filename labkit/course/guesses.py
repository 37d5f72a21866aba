"""Ask for a number before it is measured."""

import bisect
import contextlib
import math
import re
from typing import Any

from ..show.format import digits
from ..show.message import HINT, OPEN, message_html
from ..show.saved_notebook import saved_value
from ..show.widget import show_widget

# The stops of the slider between 10 and 100: each is about a tenth more than the one before. The
# same digits make the stops of the other powers of ten, so that all stops are round numbers.
_STOPS = (*range(10, 20), *range(20, 30, 2), *range(30, 100, 5))
_WITH_THOUSANDS = re.compile(r"\d{1,3}(,\d{3})+(\.\d*)?")

# Each question of this kernel, so that a cell that runs again shows the guess that was made.
_asked: dict[tuple[str, float, float, bool], "Guess"] = {}


class Guess:
    """A number that is asked for before it is measured; there is none before the learner gives one.

    In a notebook it shows a slider and an entry field.
    """

    def __init__(self, question: str, low: float, high: float, whole: bool = False):
        self.question = question
        self.low = low
        self.high = high
        self.whole = whole
        self._value: float | None = None
        self._widget: Any = None

    @property
    def value(self) -> float | None:
        """The guess; None before it is made."""
        return self._value

    @value.setter
    def value(self, number: float) -> None:
        self._value = self._checked(float(number))
        if self._widget is not None:
            self._show_value()

    @property
    def made(self) -> bool:
        """Whether the learner has given a number."""
        return self._value is not None

    def __repr__(self) -> str:
        if not self.made:
            return f"{self.question} ({self._ends()})"
        return f"{self.question} ({self._ends()}; your guess: {self._text()})"

    def _text(self) -> str:
        """Return the guess as text, empty before it is made."""
        return "" if self._value is None else self._as_text(self._value)

    def _ends(self) -> str:
        return f"from {self._as_text(self.low)} to {self._as_text(self.high)}"

    def _short_ends(self) -> str:
        return f"from {self._short(self.low)} to {self._short(self.high)}"

    def _as_text(self, number: float) -> str:
        return f"{number:,}" if self.whole else digits(number)

    def _short(self, number: float) -> str:
        """Return a number for a mark of the slider: 10 in place of 10.0."""
        text = self._as_text(number)
        if "." not in text:
            return text
        return text.rstrip("0").rstrip(".")

    def _checked(self, number: float) -> float:
        """Return a number as it will be shown, whole or with three digits, or raise ValueError."""
        if not math.isfinite(number):
            raise ValueError(f"{number} is not a number to guess")
        if self.whole:
            if not _is_whole(number):
                raise ValueError(f"{number:,} is not a whole number")
            number = int(number)
        text = self._as_text(number)
        for end in (self.low, self.high):
            if text == self._as_text(end):
                return end
        if not self.low < number < self.high:
            raise ValueError(f"{text} is out of range")
        return number if self.whole else float(f"{number:.3g}")

    # ---- in a notebook ----

    def _restore(self) -> None:
        """Take over the guess that the notebook was saved with, before the kernel was started."""
        key = {"question": self.question, "ends": self._short_ends()}
        number = saved_value("GuessWidget", key, "number")
        if number:
            with contextlib.suppress(ValueError):  # it was saved by another edition of the course
                self._value = self._checked(_parse(number))

    def _ipython_display_(self) -> None:
        try:
            widget = self._widget or self._new_widget()
        except ImportError:  # without widgets the question is still shown
            widget = None
        show_widget(widget, repr(self), self._html())

    def _html(self) -> str:
        """Return the question for a page without widgets."""
        ends = self._short_ends()
        if not self.made:
            return message_html(OPEN, self.question, f"({ends}; no guess yet)")
        return message_html(HINT, self.question, f"({ends}; your guess: {self._text()})")

    def _new_widget(self) -> Any:
        from .guess_widget import GuessWidget

        stops = _stops(self.low, self.high, self.whole)
        self._widget = GuessWidget(
            question=self.question,
            ends=self._short_ends(),
            numbers=[self._as_text(stop) for stop in stops],
            marks=[(place, self._short(stops[place])) for place in _marked(stops)],
        )
        self._show_value()
        self._widget.observe(self._take, "number")
        return self._widget

    def _take(self, change: Any) -> None:
        """Make a guess of the text that the page has set."""
        text = change["new"]
        if text == self._text():
            return
        try:
            self._value = self._checked(_parse(text))
            self._widget.problem = ""
        except ValueError as error:
            self._widget.problem = f"{error}. Type a number {self._short_ends()}."
            if self.made:
                self._widget.problem += f" Your guess is still {self._text()}."
        self._show_value()

    def _show_value(self) -> None:
        """Show the guess on the page; before it is made, the slider stands in the middle."""
        stops = _stops(self.low, self.high, self.whole)
        if self._value is None:
            self._widget.position = (len(stops) - 1) // 2
        else:
            self._widget.position = _nearest(stops, self._value)
        self._widget.number = self._text()


def guess(question: str, *, low: float, high: float, whole: bool = False) -> Guess:
    """Ask for a number before it is measured.

    Parameters
    ----------
    question : str
        The question, in the unit of `low` and `high`.
    low, high : float
        The least and the greatest answer, above 0.
    whole : bool, default False
        Whether the answer is a whole number.

    Returns
    -------
    Guess
        In a notebook it shows a slider and a field to type in. The slider is logarithmic, which
        suits *how many times*; its stops are round numbers, and any number can be typed. `value` is
        None until the learner has given one. ``plot(guess=...)`` shows the guess beside the
        measurement. The same question gives the same object again for as long as Python runs, so
        that a cell that runs again keeps the guess.

    Raises
    ------
    ValueError
        The ends are not finite or not ``0 < low < high``, or `whole` is True and one of them is not
        whole.

    Examples
    --------
    >>> g = guess("How many?", low=1, high=100)
    >>> g
    How many? (from 1.00 to 100)
    >>> g.value = 50  # what the slider does
    >>> g
    How many? (from 1.00 to 100; your guess: 50.0)
    """
    if not 0 < low < high < math.inf:
        raise ValueError(f"guess needs 0 < low < high, got low={low}, high={high}")
    if whole:
        if not _is_whole(low) or not _is_whole(high):
            raise ValueError(f"whole=True needs whole numbers, got low={low}, high={high}")
        low, high = int(low), int(high)
    else:
        low, high = float(low), float(high)
    key = (question, low, high, whole)
    if key not in _asked:
        _asked[key] = Guess(question, low, high, whole)
        _asked[key]._restore()
    return _asked[key]


def _stops(low: float, high: float, whole: bool) -> list[float]:
    """Return the numbers that the slider stops at, from `low` to `high`."""
    inner = []
    for power in range(_power_of_ten(low), _power_of_ten(high) + 1):
        for stop in _STOPS:
            number = float(f"{stop}e{power - 1}")  # 35e-2 is 0.35; 35 * 0.01 is not
            # An end may be 0.30000000000000004, which shows as the stop 0.3 does.
            is_inside = 1.005 * low < number < high / 1.005
            if is_inside and not whole:
                inner.append(number)
            elif is_inside and _is_whole(number):
                inner.append(int(number))
    return [low, *inner, high]


def _marked(stops: list[float]) -> list[int]:
    """Return the places of both ends and of the powers of ten between them, without crowding."""
    last = len(stops) - 1
    places = [0]
    for place, stop in enumerate(stops):
        is_clear_of_the_ends = 0.1 * last < place < 0.9 * last
        if is_clear_of_the_ends and stop == 10.0 ** _power_of_ten(stop):
            places.append(place)
    return [*places, last]


def _nearest(stops: list[float], number: float) -> int:
    """Return the place of the stop that is nearest to a number between the ends."""
    above = bisect.bisect_left(stops, number)
    if above == 0 or stops[above] == number:
        return above
    is_nearer_to_the_one_above = number / stops[above - 1] > stops[above] / number
    return above if is_nearer_to_the_one_above else above - 1


def _parse(text: str) -> float:
    """Return the number that a text such as 2,100 or 0,5 or 50× means, or raise ValueError."""
    number = text.removesuffix("times").strip(" ×x")
    if _WITH_THOUSANDS.fullmatch(number):
        number = number.replace(",", "")
    number = number.replace(",", ".")
    try:
        return float(number)
    except ValueError:
        raise ValueError(f"“{text}” is not a number") from None


def _power_of_ten(number: float) -> int:
    """Return the exponent of the greatest power of ten that is not above the number."""
    return int(f"{number:e}".partition("e")[2])


def _is_whole(number: float) -> bool:
    return number == int(number)
