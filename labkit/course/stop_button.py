"""Make the stop button end code that is not ours, even code that catches every error."""

import _thread
import contextlib
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

from ..show.errors import is_own_code
from ..show.stop import looks_for_a_graph

PATIENCE = 0.5  # seconds after which a stop that was caught is repeated


def run_until_stopped(work: Callable[..., Any], *args: Any) -> Any:
    """Return ``work(*args)``; raise KeyboardInterrupt if the stop button was pressed meanwhile.

    An answer such as ``while True: try: ... except: ...`` catches the first stop. Half a second
    later it is repeated, once more inside the block that catches it.
    """
    is_main = threading.current_thread() is threading.main_thread()
    previous = signal.getsignal(signal.SIGINT)
    if not is_main or not callable(previous):  # there are no signals, or they are ignored
        return work(*args)
    stopper = _Stopper(sys._getframe(), previous)
    signal.signal(signal.SIGINT, stopper.handle)
    try:
        return work(*args)
    finally:
        stopper.end()
        signal.signal(signal.SIGINT, previous)
        if stopper.pressed:
            raise KeyboardInterrupt


class _Stopper:
    """Raises KeyboardInterrupt in the frames that were called from `frame`, until `end`."""

    def __init__(self, frame: FrameType, previous: Callable[..., Any]):
        self.frame = frame
        self.previous = previous  # the handler that was there before
        self.pressed = False
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._trace = sys.gettrace()

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Raise KeyboardInterrupt."""
        if self._ended.is_set():
            return
        with contextlib.suppress(KeyboardInterrupt):
            self.previous(number, frame)  # it wants to know, too
        if looks_for_a_graph(frame):  # then the handler of `stoppable` presses again in a moment
            return
        if self.pressed:
            self._raise_again_where_it_is_caught(frame)
        else:
            self.pressed = True
            threading.Thread(target=self._repeat, daemon=True).start()
        if frame is not self.frame:  # in that one the work has not begun, or has ended
            raise KeyboardInterrupt

    def _repeat(self) -> None:
        while not self._ended.wait(PATIENCE):
            with self._lock:
                if not self._ended.is_set():
                    _interrupt_main_thread()

    def _raise_again_where_it_is_caught(self, frame: FrameType | None) -> None:
        """Raise at the next line too: the first one of the ``except`` block, if one catches it.

        Only in code that is no library's, whose blocks that clean up must run to their end.
        """
        sys.settrace(_trace_nothing)
        while frame is not None and frame is not self.frame:
            if is_own_code(frame.f_code.co_filename):
                frame.f_trace = _raise_at_line
            frame = frame.f_back

    def end(self) -> None:
        """Let no further stop be raised."""
        with self._lock:
            self._ended.set()
        sys.settrace(self._trace)


def _interrupt_main_thread() -> None:
    """Press the stop button: in a way that ends a pause too, where the system has one."""
    thread = threading.main_thread().ident
    if hasattr(signal, "pthread_kill") and thread is not None:
        signal.pthread_kill(thread, signal.SIGINT)
    else:
        _thread.interrupt_main()


def _trace_nothing(_frame: FrameType, _event: str, _arg: Any) -> None:
    return None


def _raise_at_line(_frame: FrameType, event: str, _arg: Any) -> Any:
    if event == "line":
        raise KeyboardInterrupt
    return _raise_at_line
