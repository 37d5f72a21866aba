"""Put statements on trial: guess first, measure, give the verdict, gather the verdicts; make errors come on purpose."""

import re
from collections.abc import Mapping
from typing import Any

from .stats import Finding
from .text import Table, digits, message

HOLDS, FAILS, OPEN = "holds here", "does not hold here", "undecided here"
_SIGNS = {HOLDS: "✓", FAILS: "✗", OPEN: "?"}
_tried: dict[str, "Claim"] = {}


class Claim:
    """A statement and what this machine says about it.

    Attributes
    ----------
    id : str
        Its number in the list of claims.
    text : str
        The statement.
    verdict : str
        ``holds here``, ``does not hold here`` or ``undecided here``.
    figure : str
        The measured figure behind it, if there is one.
    """

    def __init__(self, id: str, text: str, verdict: str, figure: str):
        self.id, self.text, self.verdict, self.figure = id, text, verdict, figure

    def __repr__(self) -> str:
        head = f"{_SIGNS[self.verdict]} {self.id} {self.verdict}: {self.text}"
        return f"{head}\n  measured: {self.figure}" if self.figure else head


def claim(id: str, text: str, evidence: bool | Finding | None, figure: str = "") -> Claim:
    """Give the verdict on a claim that people repeat, right after the evidence for it.

    Parameters
    ----------
    id : str
        Number of the claim, such as ``"S0-4"``.
    text : str
        The claim, in a sentence.
    evidence : bool, Finding or None
        What was measured or counted; None, or a finding that is undecided, is a verdict too.
    figure : str, optional
        The figure behind it; a `Finding` brings its own.

    Returns
    -------
    Claim
        Shown with its verdict; `verdicts` gathers all of a notebook.

    Raises
    ------
    TypeError
        `evidence` is no truth value, such as an array or a number.

    Examples
    --------
    >>> claim("X-1", "two is more than one", 2 > 1)
    ✓ X-1 holds here: two is more than one
    """
    if isinstance(evidence, Finding):
        evidence, figure = evidence.holds, figure or evidence.figure
    if evidence is not None and not (isinstance(evidence, bool) or type(evidence).__name__ == "bool"):
        raise TypeError(f"evidence must be True, False, None or a Finding, got {evidence!r}: write a comparison")
    verdict = OPEN if evidence is None else HOLDS if evidence else FAILS
    _tried[id] = Claim(id, text, verdict, figure)
    return _tried[id]


def verdicts(instead: Mapping[str, str] | None = None) -> Table:
    """Gather the verdicts of this notebook in one table.

    Parameters
    ----------
    instead : dict of str to str
        By claim number, a sentence on what to believe in its place.

    Returns
    -------
    Table
        In the order in which the claims were tried.

    Raises
    ------
    ValueError
        A claim was tried without a sentence. A sentence whose claim was not tried yet shows as such.

    Examples
    --------
    >>> _ = claim("X-2", "one is more than two", 1 > 2)
    >>> table = verdicts({"X-1": "so it is", "X-2": "two is more"})
    """
    instead = dict(instead or {})
    if missing := [id for id in _tried if id not in instead]:
        raise ValueError(f"claims without a sentence on what to believe: {', '.join(missing)}")
    rows = [[c.id, c.text, f"{_SIGNS[c.verdict]} {c.verdict}", instead[c.id]] for c in _tried.values()]
    rows += [[id, "", "not tried yet: run the cells above", words] for id, words in instead.items() if id not in _tried]
    return Table(["", "the claim", "verdict", "what to believe"], rows)


class expect:
    """A ``with`` block that must raise a certain error: shows it, and fails if it does not come.

    Parameters
    ----------
    error : type
        The exception class.
    match : str
        A part of its message, word for word.

    Raises
    ------
    AssertionError
        Nothing was raised, or another error, or the message has changed.

    Examples
    --------
    >>> with expect(ZeroDivisionError, "division"):
    ...     1 / 0
    ZeroDivisionError: division by zero
    """

    def __init__(self, error: type[BaseException], match: str = ""):
        self.error, self.match = error, match

    def __enter__(self) -> "expect":
        return self

    def __exit__(self, kind: Any, raised: BaseException | None, _: Any) -> bool:
        wanted = self.error.__name__
        if raised is None:
            raise AssertionError(f"expected {wanted}, but nothing was raised")
        if not isinstance(raised, self.error):
            if not isinstance(raised, Exception):  # Ctrl-C is not ours to swallow
                return False
            raise AssertionError(f"expected {wanted}, got {kind.__name__}: {raised}") from raised
        said = message(raised)
        said = re.sub(r"(__inference_\w+?_)\d+\b", r"\1N", said)  # TensorFlow numbers its functions
        match = " ".join(self.match.split())
        if match not in said:
            raise AssertionError(f"expected {wanted} with {self.match!r}, got: {said}") from raised
        start = max(0, said.find(match) - 80) if match and len(said) > 300 else 0
        shown = ("… " if start else "") + said[start : start + 300] + (" …" if len(said) > start + 300 else "")
        print(f"{kind.__name__}: {re.sub(r' at 0x[0-9a-f]+', '', shown)}")
        return True


class Guess:
    """A number asked for before it is measured; move the slider, then run the next cell.

    Attributes
    ----------
    value : float
        The guess.
    moved : bool
        Whether somebody set it; pictures say so.
    """

    def __init__(self, question: str, low: float, high: float, value: float | None, whole: bool = False):
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
        low, high, now = ((str if self.whole else digits)(x) for x in (self.low, self.high, self.default))
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
            self._slider = self._slider or widgets.IntSlider(self.default, self.low, self.high, **look)
        else:
            self._slider = self._slider or widgets.FloatLogSlider(
                self.default, min=log10(self.low), max=log10(self.high), step=0.05, readout_format=".3g", **look
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


def guess(question: str, *, low: float, high: float, value: float | None = None, whole: bool = False) -> Guess:
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
        raise ValueError(f"whole=True needs whole numbers, got low={low}, high={high}, value={value}")
    return Guess(question, low, high, value, whole)
