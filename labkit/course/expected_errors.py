"""Make an error come on purpose, and show it."""

import re
from typing import Any

from ..show.errors import message


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
        shown = (
            ("… " if start else "")
            + said[start : start + 300]
            + (" …" if len(said) > start + 300 else "")
        )
        print(f"{kind.__name__}: {re.sub(r' at 0x[0-9a-f]+', '', shown)}")
        return True
