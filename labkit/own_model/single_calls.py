"""Time single calls, one by one: percentiles are about calls, not about means of many."""

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..measure import rounds
from ..show import stop

FEWEST_FOR_P99 = 100  # calls: fewer hold no hundredth part
MOST_CALLS = 2000  # of each candidate
_WARM_UP = 2  # calls after another candidate, which are not timed
_TURN = 0.01  # seconds: after that it is another candidate's turn
_MOST_IN_TURN = 50


@dataclass(frozen=True)
class Calls:
    """The times of single calls.

    Attributes
    ----------
    seconds : list of float
        One for each call.
    """

    seconds: list[float]

    @property
    def count(self) -> int:
        """How many calls were timed."""
        return len(self.seconds)

    @property
    def longest(self) -> float:
        """Seconds of the longest call."""
        return max(self.seconds)

    @property
    def mean(self) -> float:
        """Mean seconds of a call."""
        return sum(self.seconds) / len(self.seconds)

    def percentile(self, share: float) -> float | None:
        """Return the seconds that this share of the calls does not exceed.

        None where the calls are too few: p99 needs a hundred.

        >>> Calls([1.0, 2.0, 3.0, 4.0]).percentile(0.5), Calls([1.0] * 99).percentile(0.99)
        (2.0, None)
        """
        if share >= 0.99 and self.count < FEWEST_FOR_P99:
            return None
        ordered = sorted(self.seconds)
        return ordered[max(0, math.ceil(share * self.count) - 1)]

    @property
    def almost_all(self) -> float:
        """Seconds that 99 of 100 calls do not exceed; of the longest call if there are too few."""
        p99 = self.percentile(0.99)
        return self.longest if p99 is None else p99


def take_turns(
    runs: Mapping[str, Callable[[], Any]], seconds: float, most: int = MOST_CALLS
) -> dict[str, Calls]:
    """Time single calls of several candidates in turns, until the time is up or all have enough.

    Each is timed once at least, whatever the time. The order of each turn is random.
    """
    rng = random.Random()
    found: dict[str, list[float]] = {name: [] for name in runs}
    begin = rounds.clock()
    while True:
        waiting = [name for name in runs if len(found[name]) < most]
        rng.shuffle(waiting)
        timed = False
        for name in waiting:
            times = found[name]
            if times and rounds.clock() - begin + times[-1] > seconds:
                continue
            _take_turn(runs[name], times, most)
            timed = True
        if not timed:
            return {name: Calls(times) for name, times in found.items()}


def _take_turn(run: Callable[[], Any], times: list[float], most: int) -> None:
    """Add the times of a few calls."""
    clock = rounds.clock
    turn = clock()
    if not times or times[-1] < _TURN:
        _warm_up(run)
    for _ in range(_MOST_IN_TURN):
        begin = clock()
        run()
        end = clock()
        times.append(end - begin)
        stop.raise_if_requested()
        if end - turn > _TURN or len(times) >= most:
            return


def _warm_up(run: Callable[[], Any]) -> None:
    """Call a candidate without timing it: the one before has filled the caches."""
    for _ in range(_WARM_UP):
        begin = rounds.clock()
        run()
        if rounds.clock() - begin > _TURN:
            return
