"""What this process runs on: cores, and what compiled code writes to the screen."""

import contextlib
import os
import sys
from collections.abc import Iterator


def cores() -> int:
    """Return how many processor cores this process may use.

    Returns
    -------
    int
        At least 1; in a container or under ``taskset`` fewer than the machine has.

    Examples
    --------
    >>> cores() >= 1
    True
    """
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextlib.contextmanager
def silence_stderr() -> Iterator[None]:
    """Silence what compiled code writes to the error output, which Python's own redirection does not reach."""
    sys.stderr.flush()
    kept, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(null)
