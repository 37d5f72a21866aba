"""Progress bars that leave nothing behind."""

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tqdm import tqdm

_SECONDS_LAYOUT = "{desc}: {percentage:3.0f}% |{bar}| {n:.1f}/{total:.1f} s"


def progress_bar(
    items: Iterable[Any] | None, label: str, show: bool, seconds: float | None = None
) -> "tqdm[Any]":
    """Return a progress bar over `items`, or over a number of seconds that the caller adds up.

    It is silent without `show`, and under ``TQDM_DISABLE=1``: stored outputs stay clean.

    >>> list(progress_bar([1, 2], "counting", show=False))
    [1, 2]
    """
    from tqdm.auto import tqdm

    # The bar of a terminal reads the variable by itself; the one of a notebook does not.
    silent = not show or bool(os.environ.get("TQDM_DISABLE"))
    layout = _SECONDS_LAYOUT if seconds else None
    return tqdm(items, desc=label, total=seconds, leave=False, disable=silent, bar_format=layout)
