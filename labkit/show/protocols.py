"""What the figures read of a result. The results themselves are in `labkit.measure`."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol


class IntervalLike(Protocol):
    """A value and the interval around it; an end that is not known is infinite."""

    @property
    def value(self) -> float:
        """The estimate."""

    @property
    def low(self) -> float:
        """The lower end."""

    @property
    def high(self) -> float:
        """The upper end."""


class TimingLike(Protocol):
    """The times of one callable."""

    @property
    def name(self) -> str:
        """What was timed."""

    @property
    def samples(self) -> Sequence[float]:
        """Seconds per call."""

    @property
    def median(self) -> IntervalLike:
        """The median of the samples."""


class ComparisonLike(Protocol):
    """Times of several candidates, taken in the same rounds; each mapping is by candidate."""

    @property
    def baseline(self) -> str:
        """The candidate that the others are compared with."""

    @property
    def margin(self) -> float:
        """The share by which two similar times may differ."""

    @property
    def samples(self) -> Mapping[str, Sequence[float]]:
        """Seconds per call; the same index is the same round."""

    @property
    def first_call(self) -> Mapping[str, float]:
        """Seconds of each very first call."""

    @property
    def median(self) -> Mapping[str, IntervalLike]:
        """Seconds per call."""

    @property
    def ratio(self) -> Mapping[str, IntervalLike]:
        """Time relative to the baseline, of all candidates but the baseline."""

    @property
    def verdict(self) -> Mapping[str, str]:
        """Faster, slower, similar or unclear; of all candidates but the baseline."""

    def pays_after(self, name: str) -> int | None:
        """Return the calls after which `name` has taken no more time than the baseline in all."""


class SweepLike(Protocol):
    """One comparison for each size."""

    @property
    def comparisons(self) -> Mapping[Any, ComparisonLike]:
        """By size."""

    @property
    def label(self) -> str:
        """What the sizes are sizes of."""


class CallLike(Protocol):
    """One call of a tf.function."""

    @property
    def name(self) -> str:
        """The Python function behind it."""

    @property
    def traces(self) -> int:
        """Traces made during the call."""

    @property
    def why(self) -> str:
        """For a trace, the input it was made for."""


class CountLike(Protocol):
    """What was counted while a block of code ran."""

    @property
    def calls(self) -> Sequence[CallLike]:
        """The calls of tf.functions, in order."""


class GrowthLike(Protocol):
    """A quantity that was watched over repeated calls."""

    @property
    def what(self) -> str:
        """The quantity: ``memory``, ``ops``, ``graphs`` or ``cost``."""

    @property
    def values(self) -> Sequence[float]:
        """One for each block of calls, in bytes, operations, graphs or seconds."""

    @property
    def calls(self) -> int:
        """Calls in a block."""

    @property
    def resolution(self) -> float:
        """A smaller change cannot be told from none."""

    @property
    def verdict(self) -> str:
        """``flat``, ``plateau``, ``leak`` or ``unclear``."""


class ProfileLike(Protocol):
    """Whose code took the time of a call."""

    @property
    def shares(self) -> Mapping[str, float]:
        """Share of the time by owner of the code; all together 1."""


class TimelineLike(Protocol):
    """What happened in one recorded call: each piece of work with its start and its end."""

    @property
    def seconds(self) -> float:
        """How long the call took; it begins at 0."""

    @property
    def python(self) -> Sequence[tuple[float, float]]:
        """When the calling thread was in Python."""

    @property
    def threads(self) -> Mapping[str, Sequence[tuple[float, float]]]:
        """When each thread was in TensorFlow, the calling one first."""

    @property
    def operations(self) -> Mapping[str, Sequence[tuple[float, float]]]:
        """When operations of each type ran, in any thread."""
