"""How busy the machine was, and how much of its time each candidate computed."""

import contextlib
import math
import os
import time
from dataclasses import dataclass, field
from typing import Any

BUSY = 0.1  # share of the processor that others take: more, and the machine is not quiet
WAITING_APART = 0.1  # share of its time that one candidate waits more than another


@dataclass(frozen=True)
class ProcessorUse:
    """Who used the processor during a measurement.

    Attributes
    ----------
    others : float
        Share of the time of this process's cores that other programs took, 0 to 1; NaN where
        unknown.
    waiting : dict of str to float
        By candidate, the share of its time in which none of its threads computed, 0 to 1: it slept,
        waited for a device, or for the processor.
    """

    others: float = math.nan
    waiting: dict[str, float] = field(default_factory=dict)

    @property
    def busy(self) -> bool:
        """Whether other programs took a visible part of the processor."""
        return self.others > BUSY

    @property
    def unlike(self) -> bool:
        """Whether one candidate waits for a larger part of its time than another."""
        shares = self.waiting.values()
        return len(shares) > 1 and max(shares) - min(shares) > WAITING_APART


class ProcessorMeter:
    """Add up each candidate's time and processor time, and watch the processor meanwhile."""

    def __init__(self, names: list[str]):
        self._seconds = dict.fromkeys(names, 0.0)
        self._processor = dict.fromkeys(names, 0.0)
        self._cores = _cores_in_use()
        self._before: dict[str, float] = {}

    def add(self, name: str, seconds: float, processor_seconds: float) -> None:
        """Add one sample."""
        self._seconds[name] += seconds
        self._processor[name] += processor_seconds

    def start(self) -> None:
        """Begin to watch; what was added before is forgotten."""
        for name in self._seconds:
            self._seconds[name] = self._processor[name] = 0.0
        self._before = self._read()

    def so_far(self, seconds: float) -> ProcessorUse:
        """Return what was seen in these seconds since `start`."""
        waiting = {}
        for name, total in self._seconds.items():
            if total > 0:
                waiting[name] = max(0.0, 1 - self._processor[name] / total)
        now = self._read()
        if not now or not self._before or seconds <= 0:
            return ProcessorUse(math.nan, waiting)
        everybody = now["everybody"] - self._before["everybody"]
        own = now["own"] - self._before["own"]
        others = (everybody - own) / (seconds * len(self._cores))
        return ProcessorUse(min(max(others, 0.0), 1.0), waiting)

    def _read(self) -> dict[str, float]:
        """Return the seconds of work on this process's cores so far: everybody's, and its own."""
        with contextlib.suppress(Exception):  # some containers hide these figures
            import psutil

            per_core = psutil.cpu_times(percpu=True)
            everybody = sum(_working(per_core[core]) for core in self._cores)
            return {"everybody": everybody, "own": time.process_time()}
        return {}


def _cores_in_use() -> list[int]:
    """Return the numbers of the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def _working(times: Any) -> float:
    """Return the seconds in which a core did not idle, those taken by a host included."""
    idle = {"idle", "iowait", "guest", "guest_nice"}  # a guest's time is part of the user's
    return sum(value for name, value in times._asdict().items() if name not in idle)
