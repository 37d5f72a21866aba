"""What is left of a time budget."""

from ..measure import rounds


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
