"""Watch how much memory a process takes at most while it does something."""

import math
import threading
from types import TracebackType

_EVERY = 0.002  # seconds between two looks


class MemoryWatch:
    """A `with` block that finds by how many bytes the process grew at most inside it.

    Attributes
    ----------
    grown : float
        Bytes, after the block: the largest size of the process in it, less its size at the
        beginning. Memory that was free already inside the process does not count.
    """

    def __init__(self) -> None:
        self.grown = math.nan
        self._done = threading.Event()
        self._before = 0
        self._most = 0

    def __enter__(self) -> "MemoryWatch":
        import psutil

        self._process = psutil.Process()
        self._before = self._most = self._process.memory_info().rss
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._done.set()
        self._thread.join()
        self._look()
        self.grown = float(self._most - self._before)

    def _watch(self) -> None:
        while not self._done.wait(_EVERY):
            self._look()

    def _look(self) -> None:
        self._most = max(self._most, self._process.memory_info().rss)
