"""Follow an answer line by line: stop one that never ends, and let another thread come between."""

import contextlib
import dis
import functools
import linecache
import sys
import threading
from collections.abc import Callable, Iterator
from types import CodeType, FrameType
from typing import Any

from ...show.errors import is_own_code

# Lines that an answer may run where a right one needs a few thousand.
MOST_LINES = 300_000
# How often a call may be found at the same place before it counts as stuck. A busy machine looks
# more rarely, too.
LOOKS = 12
_BETWEEN_LOOKS = 0.01  # seconds
# How many seconds a thread may take that has its way: a busy machine needs far less.
PATIENCE = 4.0


class NoEnd(BaseException):
    """Stops an answer that goes on for ever; no `except Exception` catches it."""


@contextlib.contextmanager
def limited_lines(most: int = MOST_LINES) -> Iterator[None]:
    """Raise `NoEnd` in the block when own code, which is no library's, has run so many lines."""
    lines = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal lines
        if not is_own_code(frame.f_code.co_filename):
            return None
        if event == "line":
            lines += 1
            if lines > most:
                raise NoEnd
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)


@functools.cache
def _branches(code: CodeType) -> frozenset[int]:
    """Return the offsets in a code behind its jumps: `if a: b` is one line and two steps."""
    offsets = set()
    follows_jump = False
    for instruction in dis.get_instructions(code):
        if follows_jump or instruction.is_jump_target:
            offsets.add(instruction.offset)
        follows_jump = "JUMP" in instruction.opname
    return frozenset(offsets)


class Call:
    """A call of the learner's function in a thread of its own.

    Parameters
    ----------
    function : callable
        The learner's.
    *args
        Its arguments.
    halt_at : int or None
        The number of the step of own code before which the call halts, counted from 0: a line, or
        a part of it behind an `if`.
    until : code or None
        The code that ends the counting of steps when it is called.

    Attributes
    ----------
    halted : threading.Event
        Set while the call waits before that step; `go_on` lets it go.
    line : str
        Its line.
    result, error : object
        What the function returned, and the Exception that it raised.
    """

    def __init__(
        self,
        function: Callable,
        *args: Any,
        halt_at: int | None = None,
        until: CodeType | None = None,
    ) -> None:
        self.halted = threading.Event()
        self.line = ""
        self.result: Any = None
        self.error: Exception | None = None
        self._function = function
        self._args = args
        self._steps_left = halt_at
        self._last_step: tuple[int, int] | None = None
        self._until = until
        self._may_go_on = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        if self._steps_left is not None:
            sys.settrace(self._trace)
        try:
            self.result = self._function(*self._args)
        except Exception as error:
            self.error = error
        finally:
            sys.settrace(None)

    def _trace(self, frame: FrameType, event: str, _: Any) -> Any:
        if frame.f_code is self._until:
            sys.settrace(None)
            return None
        if not is_own_code(frame.f_code.co_filename):
            return None  # a library may hold a lock just then
        frame.f_trace_opcodes = True
        if event == "line" or (event == "opcode" and frame.f_lasti in _branches(frame.f_code)):
            self._step(frame)
        return self._trace

    def _step(self, frame: FrameType) -> None:
        place = id(frame), frame.f_lasti
        if self._steps_left is None or place == self._last_step:  # a line that begins a branch
            return
        self._last_step = place
        if self._steps_left == 0:
            self._halt(frame)
        self._steps_left -= 1

    def _halt(self, frame: FrameType) -> None:
        self.line = linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip()
        self.halted.set()
        self._may_go_on.wait(10 * PATIENCE)

    def go_on(self) -> None:
        """Let a call go on that has halted."""
        self._may_go_on.set()

    def join(self) -> bool:
        """Wait for the end of the call, and return whether it came."""
        self._thread.join(PATIENCE)
        return not self._thread.is_alive()

    def ends_or(self, has_come: Callable[[], bool], looks: int = LOOKS) -> bool:
        """Wait until the call ends or something has come; return False if the call is stuck."""
        place: Any = None
        same = 0
        for _ in range(20 * looks):
            self._thread.join(_BETWEEN_LOOKS)
            if has_come() or not self._thread.is_alive():
                return True
            before, place = place, self._place()
            same = same + 1 if place and place == before else 0
            if same >= looks:
                return False
        return False

    def _place(self) -> tuple[int, int] | None:
        """Return where the thread is now; None while it has not reached the learner's code."""
        innermost = sys._current_frames().get(self._thread.ident or 0)
        frame = innermost
        while frame is not None:
            if is_own_code(frame.f_code.co_filename):
                assert innermost is not None
                return id(innermost), innermost.f_lasti
            frame = frame.f_back
        return None
