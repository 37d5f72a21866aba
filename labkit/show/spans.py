"""Pieces of work, each with its start and its end."""

import math
from collections.abc import Iterable

Span = tuple[float, float]


def total(spans: Iterable[Span]) -> float:
    """Return how long these pieces of work took together, those at the same time all counted.

    >>> total([(0, 2), (1, 4)])
    5.0
    """
    return math.fsum(stop - start for start, stop in spans)


def merged(spans: Iterable[Span]) -> list[Span]:
    """Return when at least one of these pieces of work was under way.

    >>> merged([(5, 6), (0, 2), (1, 4)])
    [(0, 4), (5, 6)]
    """
    busy: list[Span] = []
    for start, stop in sorted(spans):
        if busy and start <= busy[-1][1]:
            busy[-1] = busy[-1][0], max(stop, busy[-1][1])
        else:
            busy.append((start, stop))
    return busy


def gaps(spans: Iterable[Span], end: float) -> list[Span]:
    """Return when, from 0 to `end`, none of these pieces of work was under way.

    >>> gaps([(1, 2), (3, 4)], end=5)
    [(0.0, 1), (2, 3), (4, 5)]
    """
    idle: list[Span] = []
    now = 0.0
    for start, stop in merged(spans):
        if start > now:
            idle.append((now, start))
        now = max(now, stop)
    if end > now:
        idle.append((now, end))
    return idle
