"""Let several threads call a model at once, and time each of their calls."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..measure import rounds
from ..show import stop
from .single_calls import Calls


@dataclass(frozen=True)
class Load:
    """What several callers saw that called at once.

    Attributes
    ----------
    callers : int
        How many.
    calls : Calls
        The calls of all of them.
    seconds : float
        From the first call to the last answer.
    """

    callers: int
    calls: Calls
    seconds: float

    @property
    def per_second(self) -> float:
        """Calls per second, of all callers together."""
        return self.calls.count / self.seconds


def call_at_once(runs: Sequence[Callable[[], Any]], seconds: float) -> Load:
    """Let each function be called by a thread of its own again and again for some time.

    Each is called once before the time begins. An error in a thread is raised here.
    """
    done = threading.Event()
    ready = threading.Barrier(len(runs) + 1)
    times: list[list[float]] = [[] for _ in runs]
    errors: list[BaseException] = []

    def work(run: Callable[[], Any], mine: list[float]) -> None:
        try:
            run()
            ready.wait()
            clock = rounds.clock
            while not done.is_set():
                begin = clock()
                run()
                mine.append(clock() - begin)
        except threading.BrokenBarrierError:
            pass  # another thread has failed
        except BaseException as error:  # a thread would only print it
            errors.append(error)
            ready.abort()

    threads = []
    for run, mine in zip(runs, times, strict=True):
        threads.append(threading.Thread(target=work, args=(run, mine), daemon=True))
    for thread in threads:
        thread.start()
    try:
        ready.wait()
        begin = rounds.clock()
        done.wait(seconds)
    except threading.BrokenBarrierError:
        begin = rounds.clock()
    finally:
        done.set()
        for thread in threads:
            thread.join()
    took = rounds.clock() - begin
    if errors:
        raise errors[0]
    stop.raise_if_requested()
    return Load(len(runs), Calls([time for mine in times for time in mine]), took)
