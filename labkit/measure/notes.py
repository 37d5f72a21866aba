"""The lines below a result, each with the kind of thing that it is about."""

INTERRUPTED = "interrupted"
LAZY = "lazy"
RETRACED = "retraced"
SECOND_CALLS = "second calls"
TIES = "ties"

# A line that begins so may be there in one run and not in the next, with the same code on the same
# machine. `tests/nbval_sanitize.cfg` sets such a line aside as a whole.
THIS_RUN = "this run: "


class Note(str):
    """A line below a result.

    Attributes
    ----------
    kind : str
        One of the kinds above, by which code recognises it.
    fact : str
        The line without its advice.
    """

    kind: str
    fact: str

    def __new__(cls, fact: str, kind: str = "", advice: str = "") -> "Note":
        """Return a line: the fact, and what to do about it."""
        note = super().__new__(cls, f"{fact}: {advice}" if advice else fact)
        note.kind = kind
        note.fact = fact
        return note
