"""What is left of a time budget."""

from ..measure import rounds


class TimeBudget:
    """Seconds to spend, counted from its creation.

    It uses the clock of the measurements, so that a test can replace both at once.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._begin = rounds.clock()

    @property
    def spent(self) -> float:
        """Seconds since the beginning."""
        return rounds.clock() - self._begin

    @property
    def left(self) -> float:
        """Seconds left; negative if the budget is exceeded."""
        return self.seconds - self.spent
