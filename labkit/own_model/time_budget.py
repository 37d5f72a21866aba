"""What is left of a time budget."""

import os

from ..measure import rounds

_MOST_STRETCHED = 3


def stretched(seconds: float) -> float:
    """Return a longer budget where a lesson runs as a test on a busy machine, else the same.

    `LABKIT_ROUNDS` says so, as it does for a comparison. Nobody waits then, and what is left out
    for lack of time would differ from run to run.
    """
    if not os.environ.get("LABKIT_ROUNDS") or not hasattr(os, "getloadavg"):
        return seconds
    programs_per_core = os.getloadavg()[0] / (os.cpu_count() or 1)
    return seconds * min(max(programs_per_core, 1.0), _MOST_STRETCHED)


class TimeBudget:
    """Seconds to spend, counted from its creation; some may have been spent before.

    It uses the clock of the measurements, so that a test can replace both at once.
    """

    def __init__(self, seconds: float, spent: float = 0.0) -> None:
        self.seconds = seconds
        self._begin = rounds.clock() - spent

    @property
    def spent(self) -> float:
        """Seconds since the beginning, and those that were spent before."""
        return rounds.clock() - self._begin

    @property
    def left(self) -> float:
        """Seconds left; negative if the budget is exceeded."""
        return self.seconds - self.spent
