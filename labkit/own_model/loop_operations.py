"""Which of TensorFlow's operations a pass spends its time in, and how long graphs wait for data.

One more pass is recorded with TensorFlow's own profiler, as `labkit.profile` does for a timeline.
"""

import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from ..measure import timeline
from ..show.format import measured

# Types of operations that layers spend their time in.
_OF_LAYERS = re.compile(
    "MatMul|Conv|Einsum|Cholesky|Svd|FFT|Pool|RNN|LSTM|GRU|Eigen|Solve|Qr|Inverse|NormV3"
)
_LITTLE = 0.2  # share of the time of all operations
_MOST_NAMED = 5
_A_PART = 0.05  # share of the time of all operations: less has no name of its own
# How the profiler names what a graph does to get its next element, and what a pipeline calls.
_NEXT_ELEMENT = "IteratorGetNextOp::DoCompute"
_OF_PIPELINES = "InstantiatedCapturedFunction"
_NUMBERED = re.compile(r"_\d+$")


@dataclass(frozen=True)
class Operations:
    """What one recorded pass spent in TensorFlow's operations, in seconds of all threads.

    Parameters
    ----------
    by_type : dict of str to float
        Seconds by type of operation.
    by_scope : dict of str to float
        Seconds by the part of an operation's name that says whose it is, such as an optimizer's.
    runs_by_scope : dict of str to int
        How many operations of each scope ran.
    waiting : float
        Seconds in which a graph waited for its next element.
    elements : int
        How many elements graphs asked for.
    calls_of_pipelines : int
        How often a pipeline called one of its functions.
    seconds : float
        How long the pass took.
    """

    by_type: dict[str, float]
    by_scope: dict[str, float]
    runs_by_scope: dict[str, int]
    waiting: float
    elements: int
    calls_of_pipelines: int
    seconds: float

    @property
    def total(self) -> float:
        """Seconds of all operations."""
        return sum(self.by_type.values())

    def share_of(self, scope: str) -> float:
        """Return the part of the time of all operations that a scope took."""
        return self.by_scope.get(scope, 0.0) / max(self.total, 1e-9)

    def share_of_types(self, *types: str) -> float:
        """Return the part of the time of all operations that these types took, fused ones too."""
        seconds = 0.0
        for kind, spent in self.by_type.items():
            if kind.removeprefix("_Fused") in types:
                seconds += spent
        return seconds / max(self.total, 1e-9)

    @property
    def share_of_waiting(self) -> float:
        """Return the part of the pass in which a graph waited for its next element."""
        return self.waiting / max(self.seconds, 1e-9)

    def in_words(self, has_model: bool) -> str:
        """Return which types take most; with a model, also how much is the work of layers."""
        if not self.total:
            return ""
        shares = {kind: seconds / self.total for kind, seconds in self.by_type.items()}
        largest = sorted(shares, key=lambda kind: -shares[kind])[:_MOST_NAMED]
        parts = [f"{kind} {_percent(shares[kind])}" for kind in largest if shares[kind] > _A_PART]
        words = f"Of the time of TensorFlow's operations: {', '.join(parts)}." if parts else ""
        layers = sum(share for kind, share in shares.items() if _OF_LAYERS.search(kind))
        if has_model and layers < _LITTLE:
            words += (
                f" Products of matrices and convolutions, the work of layers, are "
                f"{_percent(layers)} of it: look at what else is computed, such as a metric, a "
                "loss, or a preparation of the data."
            )
        return words.strip()


def _percent(share: float) -> str:
    return measured(100 * share, "%")


def operations_of(loop: Callable[[], Any]) -> Operations | None:
    """Record one more pass of a loop; None where that cannot be done."""
    took = 0.0

    def timed() -> None:
        nonlocal took
        begin = time.perf_counter()
        loop()
        took = time.perf_counter() - begin

    try:
        space = timeline.recorded(timed)
    except (timeline.ProfilerBusy, timeline.NothingRecorded):
        return None  # the loop records itself, or the disk is full
    return summary(timeline.events_of(space), took)


def summary(events: Iterable[tuple[str, float]], seconds: float) -> Operations:
    """Add up what was recorded."""
    by_type: defaultdict[str, float] = defaultdict(float)
    by_scope: defaultdict[str, float] = defaultdict(float)
    runs: Counter[str] = Counter()
    waiting, elements, calls = 0.0, 0, 0
    for name, took in events:
        if name == _NEXT_ELEMENT:
            waiting += took
            elements += 1
        elif name.startswith(_OF_PIPELINES):
            calls += 1
        elif operation := timeline.operation_in(name):
            path, kind = operation
            by_type[kind] += took
            for scope in {_NUMBERED.sub("", part) for part in path.split("/")[:-1]}:
                by_scope[scope] += took
                runs[scope] += 1
    return Operations(dict(by_type), dict(by_scope), dict(runs), waiting, elements, calls, seconds)
