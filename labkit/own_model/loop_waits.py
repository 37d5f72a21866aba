"""Where a loop waits, or computes in Python, if that is what it does for most of its time."""

import pstats
import sysconfig
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..measure.processor import ProcessorUse
from ..measure.profile import OTHER_COMPILED, OTHER_PYTHON, PACKAGES, owner_of
from ..show.format import measured

# How cProfile names the built-in functions in which a thread sleeps until something happens.
_WAITING = (
    "time.sleep",
    "select.select",
    "'acquire' of '_thread",
    "'__enter__' of '_thread",
    "'poll' of 'select",
    "'get' of '_queue",
    "'accept' of '_socket",
    "'recv' of '_socket",
    "'recv_into' of '_socket",
    "posix.waitpid",
    "posix.read",
)
OUTSIDE_TENSORFLOW = (OTHER_PYTHON, OTHER_COMPILED, PACKAGES["numpy"])
_MOSTLY = 0.6  # share of the time of the main thread
_COMPUTES_LITTLE = 0.3  # processor time of all threads, as a share of the time
_MOST_OTHERS = 0.5  # share of the processor: with more, a thread may wait for the processor
_MOST_CALLERS = 30  # from the built-in function up to the program

Function = tuple[str, int, str]  # as cProfile names it: file, line, name


@dataclass(frozen=True)
class Wait:
    """In what the main thread waits.

    Parameters
    ----------
    share : float
        The part of its time.
    computes : float
        Processor time of all threads, as a share of the time.
    place : str
        The line of the program that it waits in; empty if there is none.
    """

    share: float
    computes: float
    place: str

    def in_words(self) -> str:
        """Return what to look for."""
        at = f", in {self.place}" if self.place else ""
        return (
            f"It waits: for {measured(100 * self.share, '%')} of the time the main thread stands "
            f"still{at}, and all threads together compute for "
            f"{measured(100 * self.computes, '%')} of it. Look for a sleep, a timeout, a lock, a "
            "disk or a network. How requests share calls without waiting for each other: "
            "14_many_callers.ipynb."
        )


@dataclass(frozen=True)
class Busiest:
    """The function of the program that computes for longest, itself or in what is no TensorFlow.

    Parameters
    ----------
    share : float
        The part of the time.
    place : str
        The function, and its file.
    """

    share: float
    place: str


def busiest_function(stats: pstats.Stats) -> Busiest | None:
    """Return which function of the program computes for longest outside TensorFlow and Keras."""
    entries: Mapping[Function, Any] = stats.stats  # type: ignore[attr-defined]
    spent: Counter[str] = Counter()
    for function, (_, _, own_time, _, _) in entries.items():
        if owner_of(function[0], function[2]) not in OUTSIDE_TENSORFLOW:
            continue
        place = _place(function, entries)
        if place:
            spent[place] += own_time
    total = sum(own_time for _, _, own_time, _, _ in entries.values())
    if not spent or not total:
        return None
    place, seconds = spent.most_common(1)[0]
    return Busiest(seconds / total, place)


def longest_wait(stats: pstats.Stats, use: ProcessorUse) -> Wait | None:
    """Return where the main thread waits; None if it does not, or if that cannot be told."""
    computes = 1 - min(use.waiting.values(), default=0.0)
    if computes > _COMPUTES_LITTLE or use.others > _MOST_OTHERS:
        return None
    entries: Mapping[Function, Any] = stats.stats  # type: ignore[attr-defined]
    waits = {
        function: own_time
        for function, (_, _, own_time, _, _) in entries.items()
        if any(name in function[2] for name in _WAITING)
    }
    total = sum(own_time for _, _, own_time, _, _ in entries.values())
    share = sum(waits.values()) / total if total else 0.0
    if share < _MOSTLY:
        return None
    longest = max(waits, key=lambda function: waits[function])
    return Wait(share, computes, _place(longest, entries))


def _place(function: Function, entries: Mapping[Function, Any]) -> str:
    """Return the function of the program that is this one, or that calls it for longest.

    One with a name is preferred: a comprehension is a part of the function around it.
    """
    nameless = ""
    for _ in range(_MOST_CALLERS):
        if _is_of_program(function[0]):
            if not function[2].startswith("<"):
                return _in_words(function)
            nameless = nameless or _in_words(function)
        callers = entries[function][4] if function in entries else {}
        if not callers:
            break
        function = max(callers, key=lambda caller: callers[caller][3])
    return nameless


def _in_words(function: Function) -> str:
    return f"{function[2]} of {Path(function[0]).name}"


def _is_of_program(path: str) -> bool:
    """Return whether a file is neither built in, nor of the standard library, nor installed."""
    if path.startswith(("~", "<")):
        return False
    places = sysconfig.get_paths()
    return not any(path.startswith(places[name]) for name in ("stdlib", "purelib", "platlib"))
