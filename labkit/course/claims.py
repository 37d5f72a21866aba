"""Put statements on trial: guess first, measure, give the verdict, gather the verdicts; make errors come on purpose."""

from collections.abc import Mapping

from ..measure.stats import Finding
from ..show.table import Table

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
    measured : str
        The measured numbers behind it, if there are any.
    """

    def __init__(self, id: str, text: str, verdict: str, measured: str):
        self.id, self.text, self.verdict, self.measured = id, text, verdict, measured

    def __repr__(self) -> str:
        head = f"{_SIGNS[self.verdict]} {self.id} {self.verdict}: {self.text}"
        return f"{head}\n  measured: {self.measured}" if self.measured else head


def claim(id: str, text: str, evidence: bool | Finding | None, measured: str = "") -> Claim:
    """Give the verdict on a claim that people repeat, right after the evidence for it.

    Parameters
    ----------
    id : str
        Number of the claim, such as ``"S0-4"``.
    text : str
        The claim, in a sentence.
    evidence : bool, Finding or None
        What was measured or counted; None, or a finding that is undecided, is a verdict too.
    measured : str, optional
        The measured numbers behind it; a `Finding` brings its own.

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
        evidence, measured = evidence.holds, measured or evidence.measured
    if evidence is not None and not (
        isinstance(evidence, bool) or type(evidence).__name__ == "bool"
    ):
        raise TypeError(
            f"evidence must be True, False, None or a Finding, got {evidence!r}: write a comparison"
        )
    verdict = OPEN if evidence is None else HOLDS if evidence else FAILS
    _tried[id] = Claim(id, text, verdict, measured)
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
    rows = [
        [c.id, c.text, f"{_SIGNS[c.verdict]} {c.verdict}", instead[c.id]] for c in _tried.values()
    ]
    rows += [
        [id, "", "not tried yet: run the cells above", words]
        for id, words in instead.items()
        if id not in _tried
    ]
    return Table(["", "the claim", "verdict", "what to believe"], rows)
