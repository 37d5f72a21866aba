"""Give a verdict on claims that people repeat, and collect the verdicts of a lesson."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..measure.stats import Finding
from ..show.message import BAD, GOOD, UNSURE, message_html
from ..show.table import Table

HOLDS = "holds here"
FAILS = "does not hold here"
UNDECIDED = "undecided here"
_KINDS = {HOLDS: GOOD, FAILS: BAD, UNDECIDED: UNSURE}
_tried: dict[str, "Claim"] = {}  # by id, in the order in which they were tried


@dataclass(frozen=True, repr=False)
class Claim:
    """A statement and its verdict on this machine."""

    id: str
    text: str
    verdict: str
    measured: str = ""

    def __repr__(self) -> str:
        line = f"{_KINDS[self.verdict].sign} {self.id} {self.verdict}: {self.text}"
        if self.measured:
            line += f"\n  measured: {self.measured}"
        return line

    def _repr_html_(self) -> str:
        more = [f"measured: {self.measured}"] if self.measured else []
        return message_html(
            _KINDS[self.verdict], f"{self.id} {self.verdict}:", self.text, more=more
        )


def claim(id: str, text: str, evidence: bool | Finding | None, measured: str = "") -> Claim:
    """Return the verdict on a claim that people repeat, right after the evidence for it.

    Parameters
    ----------
    id : str
        Number of the claim, such as ``"S0-4"``.
    text : str
        The claim, as a sentence.
    evidence : bool, Finding or None
        The result of the measurement or count. None, or a finding that is undecided, leads to the
        verdict ``undecided here``.
    measured : str, optional
        The measured numbers behind the verdict. Those of a `Finding` are used unless given.

    Returns
    -------
    Claim
        The claim with its verdict. `verdicts` collects all claims of a notebook.

    Raises
    ------
    TypeError
        `evidence` is not a truth value, but an array or a number, for example.

    Examples
    --------
    >>> claim("X-1", "two is more than one", 2 > 1)
    ✓ X-1 holds here: two is more than one
    """
    if isinstance(evidence, Finding):
        measured = measured or evidence.measured
        evidence = evidence.holds
    tried = Claim(id, text, _verdict(evidence), measured)
    _tried[id] = tried
    return tried


def verdicts(instead: Mapping[str, str] | None = None) -> Table:
    """Return a table of all verdicts of this notebook.

    Parameters
    ----------
    instead : dict of str to str
        For each claim, by its number, a sentence on what to believe in its place.

    Returns
    -------
    Table
        The claims in the order in which they were tried, then those that were not tried yet.

    Raises
    ------
    ValueError
        A claim was tried, and `instead` has no sentence for it.

    Examples
    --------
    >>> _ = claim("X-2", "one is more than two", 1 > 2)
    >>> table = verdicts({"X-1": "that is right", "X-2": "two is more"})
    """
    sentences = dict(instead or {})
    missing = [id for id in _tried if id not in sentences]
    if missing:
        raise ValueError(f"claims without a sentence on what to believe: {', '.join(missing)}")
    cells = []
    for id, tried in _tried.items():
        verdict = f"{_KINDS[tried.verdict].sign} {tried.verdict}"
        cells.append([id, tried.text, verdict, sentences[id]])
    for id, sentence in sentences.items():
        if id not in _tried:
            cells.append([id, "", "not tried yet: run the cells above", sentence])
    return Table(["", "the claim", "verdict", "what to believe"], cells)


def _verdict(evidence: Any) -> str:
    """Return the verdict for True, False or None; raise TypeError for anything else."""
    if evidence is None:
        return UNDECIDED
    # The name, too: NumPy has a bool of its own, which is no subclass of Python's.
    if not isinstance(evidence, bool) and type(evidence).__name__ != "bool":
        raise TypeError(
            f"evidence must be True, False, None or a Finding, got {evidence!r}: write a comparison"
        )
    return HOLDS if evidence else FAILS
