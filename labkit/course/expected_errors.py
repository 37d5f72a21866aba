"""Check that code raises a certain error, and show the error's message."""

import re
from types import TracebackType

from ..show.errors import message
from ..show.message import NOTE, message_html, show

_LONGEST = 300  # characters of a message that are shown
_BEFORE = 80  # of them before the part that was looked for


class expect:
    """Check that the code in a ``with`` block raises a certain error, and show its message.

    Parameters
    ----------
    error : type
        The exception class.
    match : str, optional
        A part of the message, word for word.

    Raises
    ------
    AssertionError
        The block raised nothing, or another error, or an error with another message.
    TypeError
        `error` is not an exception class, or `match` is not a string.

    Examples
    --------
    >>> with expect(ZeroDivisionError, "division"):
    ...     1 / 0
    ZeroDivisionError: division by zero
    """

    def __init__(self, error: type[BaseException], match: str = ""):
        if not isinstance(error, type) or not issubclass(error, BaseException):
            raise TypeError(f"expect needs an exception class such as ValueError, got {error!r}")
        if not isinstance(match, str):
            raise TypeError(f"match must be a part of the message as a string, got {match!r}")
        self.error = error
        self.match = match

    def __enter__(self) -> "expect":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        raised: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        wanted = self.error.__name__
        if raised is None:
            raise AssertionError(f"expected {wanted}, but nothing was raised")
        name = type(raised).__name__
        if not isinstance(raised, self.error):
            if not isinstance(raised, Exception):  # Ctrl-C must stop the cell
                return False
            raise AssertionError(f"expected {wanted}, got {name}: {raised}") from raised
        text = _without_function_numbers(message(raised))
        match = " ".join(self.match.split())  # as `message` does
        if match not in text:
            raise AssertionError(f"expected {wanted} with {self.match!r}, got: {text}") from raised
        shown = _without_addresses(_cut_around(match, text))
        page = message_html(NOTE, f"{name}, as expected:", shown)
        show(f"{name}: {shown}", page)
        return True


def _without_function_numbers(text: str) -> str:
    """Replace the numbers that TensorFlow gives its functions: they differ from run to run."""
    return re.sub(r"(__inference_\w+?_)\d+\b", r"\1N", text)


def _without_addresses(text: str) -> str:
    """Remove the memory addresses of objects: they differ from run to run."""
    return re.sub(r" at 0x[0-9a-fA-F]+", "", text)


def _cut_around(match: str, text: str) -> str:
    """Return a piece of a long text that begins a little before `match`."""
    start = 0
    if match and len(text) > _LONGEST:
        start = max(0, text.find(match) - _BEFORE)
    if start > 0:
        next_word = text.find(" ", start, text.find(match)) + 1
        start = next_word or start  # the piece begins with a whole word
    end = start + _LONGEST
    piece = text[start:end]
    if start > 0:
        piece = f"… {piece}"
    if end < len(text):
        piece = f"{piece} …"
    return piece
