"""The stop button: what an interrupt ends at once, and what it lets finish first.

The stop button of a notebook and Ctrl-C send a signal, for which Python raises KeyboardInterrupt
wherever the main thread is at that moment: also where garbage collection has been switched off, or
in a callback that ignores errors. While a function marked with `stoppable` runs, a signal handler
of this module decides instead: some blocks let the interrupt wait, and none is lost.

A single call of compiled code cannot be interrupted: Python looks for signals when it returns.

A tf.function takes a lock at the beginning of each call, and an interrupt there would leave it with
the main thread for ever: no other thread could call that function again. Then it looks for its
graph in a dictionary that an interrupt breaks: each later call with that shape would end with a
KeyError. So the interrupt comes a moment later. It also comes again where Python has dropped it: in
a finalizer or a callback of a weak reference nothing can be raised, and Python would print a
traceback of the interrupt in its place.
"""

import _thread
import contextlib
import functools
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, ParamSpec, TypeVar

from .errors import Stopped

_A_MOMENT = 0.005  # seconds; a tf.function has its lock for a hundredth of that

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


class _Interrupts:
    """What is known about interrupts: signals exist once in a process, and so does this."""

    def __init__(self) -> None:
        self.outermost: _Watch | None = None  # of the stoppable functions that are running
        self.waiting = 0  # how many blocks let an interrupt wait
        self.arrived = False  # since the outermost function was called

    def on_signal(self, number: int, frame: FrameType | None) -> None:
        """Interrupt the main thread, unless it is in a block that has to finish first."""
        self.arrived = True
        if self.outermost is not None and not self.waiting and looks_for_a_graph(frame):
            self.outermost.ask_again()
            return
        if self.outermost is not None and self.outermost.previous is not None:
            with contextlib.suppress(KeyboardInterrupt):
                self.outermost.previous(number, frame)  # others want to know of it, too
        if not self.waiting:
            raise KeyboardInterrupt

    def on_unraisable(self, what: "sys.UnraisableHookArgs") -> None:
        """Send an interrupt again that Python cannot raise where it came."""
        watch = self.outermost
        if watch is None:
            sys.__unraisablehook__(what)
        elif issubclass(what.exc_type, KeyboardInterrupt) and _in_main_thread():
            watch.ask_again()
        else:
            watch.previous_hook(what)


class _Watch:
    """The time in which one stoppable function runs."""

    def __init__(self) -> None:
        self.previous: Any = None  # the handler that was there before
        self.previous_hook: Any = None  # for errors that cannot be raised
        self._waiting = 0
        self._asks_again: object = None  # the last one who does

    def begin(self) -> None:
        """Let the handler of this module decide about interrupts."""
        if not _in_main_thread():
            return
        if _interrupts.outermost is not None:
            self._waiting = _interrupts.waiting
            return
        _interrupts.waiting = 0
        _interrupts.arrived = False
        _interrupts.outermost = self
        handler = signal.getsignal(signal.SIGINT)
        if callable(handler):  # otherwise somebody has chosen to ignore interrupts
            self.previous = handler
            signal.signal(signal.SIGINT, _interrupts.on_signal)
            self.previous_hook = sys.unraisablehook
            sys.unraisablehook = _interrupts.on_unraisable

    def ask_again(self) -> None:
        """Send the interrupt once more in a moment, if this function still runs by then.

        A thread of `threading` takes locks when it starts, and what was interrupted may have them.
        """
        self._asks_again = token = object()
        _thread.start_new_thread(self._interrupt_after_a_moment, (token,))

    def _interrupt_after_a_moment(self, token: object) -> None:
        time.sleep(_A_MOMENT)
        if self._asks_again is token:
            _thread.interrupt_main()

    def end(self) -> None:
        """Put everything back; to call it once more changes nothing."""
        if not _in_main_thread():
            return
        self._asks_again = None
        if _interrupts.outermost is self:
            if signal.getsignal(signal.SIGINT) == _interrupts.on_signal:
                signal.signal(signal.SIGINT, self.previous)
            if sys.unraisablehook == _interrupts.on_unraisable:
                sys.unraisablehook = self.previous_hook
            _interrupts.outermost = None
        _interrupts.waiting = self._waiting


_interrupts = _Interrupts()


def stoppable(
    nothing: str,
) -> Callable[[Callable[_Arguments, _Result]], Callable[_Arguments, _Result]]:
    """Make a function raise Stopped with the line `nothing` where it leaves an interrupt to others.

    The function itself catches KeyboardInterrupt where it has something to return. What it switched
    off or on is its own to put back; see `deferred` and `finish`.

    >>> @stoppable("Stopped before all was added.")
    ... def add(numbers):
    ...     return sum(numbers)
    >>> add([1, 2])
    3
    """

    def decorate(function: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
        @functools.wraps(function)
        def call(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Result:
            watch = None
            try:
                watch = _Watch()
                try:
                    watch.begin()
                    result = function(*args, **kwargs)
                    if strict():
                        _raise_what_waited()
                    return result
                except Exception:
                    raise_if_requested()  # some code makes another error of an interrupt
                    raise
                finally:
                    watch.end()
            except KeyboardInterrupt as interrupt:
                if watch is not None:
                    watch.end()  # once more: the interrupt may have come while it ended
                if strict():
                    raise
                is_told = isinstance(interrupt, Stopped)
                line = str(interrupt) if is_told else nothing
            # Out here, because an error that is raised in `except` keeps the frames of the first
            # one alive, and with them whatever was measured.
            raise Stopped(line)

        return call

    return decorate


@contextlib.contextmanager
def deferred() -> Iterator[None]:
    """Let an interrupt wait until the block ends: what is in it happens as a whole or not at all.

    It has no effect outside a stoppable function, or in another thread than the main one.
    """
    if not _in_main_thread():
        yield
        return
    before = _interrupts.arrived
    _interrupts.waiting += 1
    try:
        yield
    finally:
        _interrupts.waiting -= 1
    if not before:
        raise_if_requested()


@contextlib.contextmanager
def translate_errors() -> Iterator[None]:
    """Raise KeyboardInterrupt for the error that compiled code has made of an interrupt."""
    try:
        yield
    except Exception:
        raise_if_requested()
        raise


def finish() -> None:
    """Let every interrupt wait from here on, until the innermost stoppable function returns."""
    if _in_main_thread() and _interrupts.outermost is not None:
        _interrupts.waiting += 1


def requested() -> bool:
    """Return whether an interrupt has arrived since the outermost stoppable function was called."""
    is_running = _interrupts.outermost is not None
    return is_running and _interrupts.arrived and _in_main_thread()


def raise_if_requested() -> None:
    """Raise the KeyboardInterrupt that a candidate, or a callback, has swallowed."""
    if not _interrupts.waiting and requested():
        raise KeyboardInterrupt


def stopped(line: str) -> KeyboardInterrupt:
    """Return what to raise where an interrupt leaves nothing to return."""
    return KeyboardInterrupt() if strict() else Stopped(line)


def strict() -> bool:
    """Return whether an interrupt has to end the program, whatever was measured.

    Where lessons run as tests, the interrupt is that of a cell that took too long, which must fail.
    """
    return os.environ.get("LABKIT_STRICT") == "1"


def looks_for_a_graph(frame: FrameType | None) -> bool:
    """Return whether a tf.function is at the beginning of a call, where it must not be interrupted.

    `Function._call` of TensorFlow takes its lock, sorts its arguments, and gives it back, without
    ``try``. What it calls later, to trace or to run, happens without the lock, or within ``try``.

    `TypeDispatchTable` then moves what it finds to the end of an `OrderedDict`, and for that keys
    are compared in Python. An error there leaves the key in the dictionary, and its place in the
    order lost (`_odict_popkey_hash` in CPython's odictobject.c).
    """
    callee = ""
    while frame is not None:
        code = frame.f_code
        if code.co_filename.endswith("type_dispatch.py"):
            return True
        if code.co_name == "_call" and code.co_filename.endswith("polymorphic_function.py"):
            return callee in ("", "canonicalize_function_inputs")
        callee = code.co_name
        frame = frame.f_back
    return False


def _raise_what_waited() -> None:
    """Raise KeyboardInterrupt for an interrupt that waited until the function was done."""
    if requested():
        raise KeyboardInterrupt


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
