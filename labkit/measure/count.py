"""Count what is the same on every machine: traces, graph operations, Python calls, loads."""

import cProfile
import gc
import inspect
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, ClassVar
from unittest.mock import patch

from ..show import plots, stop
from ..show.figure import Figure
from ..show.table import Table
from .results import Result


@dataclass
class Call:
    """One call of a tf.function, as `count` saw it.

    Attributes
    ----------
    name : str
        The Python function behind it.
    traces : int
        Traces made during this call: 0 when a graph was replayed.
    why : str
        For a trace, the inputs it was made for: of an array its dtype and shape, of a Python value
        the value, of any other object its kind, as its identity is what counts.
    """

    name: str
    traces: int = 0
    why: str = ""


@dataclass(repr=False)
class Count(Result):
    """What happened inside ``with labkit.count() as n:``.

    Attributes
    ----------
    traces : int
        Graphs traced, those of TensorFlow's own pipelines included.
    graph_ops : int
        Operations added to graphs, of any kind.
    python_calls : int
        Calls of Python functions in this thread. The same with the same versions, on every machine,
        but for code that depends on the order of a set, which Python draws for each process unless
        ``PYTHONHASHSEED`` is set: those of a trace, `predict` or `fit` move by about a percent.
    session_runs : int
        TF1: calls of ``Session.run`` and of functions from ``make_callable``.
    model_loads : int
        Models read from disk, in any format.
    calls : list of Call
        One entry per outermost call of a tf.function, in order.
    traced : list of str
        Names of the functions traced, in order.
    """

    plots: ClassVar[Mapping[str, Callable[..., Figure]]] = {"strip": plots.strip}

    traces: int = 0
    graph_ops: int = 0
    python_calls: int = 0
    session_runs: int = 0
    model_loads: int = 0
    calls: list[Call] = field(default_factory=list)
    traced: list[str] = field(default_factory=list)

    @property
    def table(self) -> Table:
        """The counts that are not zero, traces always."""
        return Table(["count", ""], self._rows(), notes=[f"{self.python_calls:,} Python calls"])

    def _rows(self) -> list[list[str]]:
        """Return the words and the number of each count but that of Python calls."""
        rows = [["traces", str(self.traces)]]
        for words, number in (
            ("graph operations", self.graph_ops),
            ("session runs", self.session_runs),
            ("model loads", self.model_loads),
        ):
            if number:
                rows.append([words, f"{number:,}"])
        return rows

    def in_words(self) -> str:
        """Return the counts on one line."""
        counts = [f"{words} {number}" for words, number in self._rows()]
        return f"{', '.join(counts)}, Python calls {self.python_calls:,}"


class count:
    """A ``with`` block that counts what TensorFlow and Python do inside it.

    Returns
    -------
    Count
        From ``with count() as n:``; its numbers are final when the block ends. Where the stop
        button or Ctrl-C ends the block, they say what happened before.

    Raises
    ------
    KeyboardInterrupt
        The block was stopped; in a notebook one line says what had been counted.

    Notes
    -----
    Traces, graph operations, session runs, loads and calls of tf.functions are counted in all
    threads, Python calls in the thread of the block. Counting Python calls makes the block several
    times slower: count in one cell, measure in another.

    Examples
    --------
    >>> with count() as n:
    ...     max([3, 1, 2])
    3
    >>> n.traces, n.python_calls
    (0, 0)
    """

    _is_counting = False

    def __enter__(self) -> Count:
        self._outer = sys.getprofile()
        sys.setprofile(None)  # a count around this one must not see what happens here
        self._count = Count()
        self._counter = _python_call_counter(self._count, self._outer)
        self._undo = ExitStack()
        self._is_counting = True
        try:
            self._watch()
            sys.setprofile(self._counter)
        except BaseException:
            self._undo.close()
            self._is_counting = False
            _set_profile(self._outer)
            raise
        return self._count

    @stop.stoppable("Stopped before anything was counted.")
    def _watch(self) -> None:
        """Begin to count all but Python calls."""
        with stop.deferred():
            if "tensorflow" in sys.modules:
                _TensorFlowWatch(self._count).enter(self._undo)
            if "keras" in sys.modules or "tensorflow" in sys.modules:
                _watch_loads(self._count, self._undo)
            gc.collect()
            if gc.isenabled():
                gc.disable()  # a collection runs finalizers: Python calls that are not the block's
                self._undo.callback(gc.enable)

    def __exit__(self, kind: type[BaseException] | None, *_: Any) -> None:
        try:
            sys.setprofile(None)
            self._end()
        finally:
            _set_profile(self._outer)
        if kind is KeyboardInterrupt:  # and not Stopped, which has said what it has to say
            raise stop.stopped(f"Stopped. Counted before: {self._count.in_words()}.") from None

    @stop.stoppable("Stopped while a count ended.")
    def _end(self) -> None:
        """Stop counting all but Python calls."""
        stop.finish()
        self._undo.close()
        self._is_counting = False

    def __del__(self) -> None:
        # An interrupt that comes at the very beginning of `__exit__` keeps that from running.
        if self._is_counting:
            self._undo.close()
            if sys.getprofile() is self._counter:
                _set_profile(self._outer)


def _set_profile(profile: Any) -> None:
    """Make a function, or the profiler that was active before, the one that is told of calls."""
    if isinstance(profile, cProfile.Profile):
        profile.enable()
    else:
        sys.setprofile(profile)


def _python_call_counter(n: Count, outer: Any) -> Callable[[Any, str, Any], None]:
    """Return a profile function that counts Python calls, and passes each event on to `outer`."""

    def profile(frame: Any, event: str, arg: Any) -> None:
        if event == "call" and frame.f_code.co_filename != __file__:
            n.python_calls += 1
        if callable(outer):
            outer(frame, event, arg)

    return profile


def _without_counting(work: Callable[[], Any]) -> None:
    """Do book-keeping that does not count as Python calls of the block."""
    profile = sys.getprofile()
    sys.setprofile(None)
    try:
        work()
    finally:
        sys.setprofile(profile)


class _TensorFlowWatch:
    """Watch traces, operations, session runs and calls of tf.functions, in all threads."""

    def __init__(self, n: Count):
        self._n = n
        self._lock = threading.Lock()
        self._in_thread = threading.local()  # the call of a tf.function under way, and how deep

    def enter(self, stack: ExitStack) -> None:
        """Wrap the places where TensorFlow does these things, until the stack ends."""
        from tensorflow.python.client import session
        from tensorflow.python.eager.polymorphic_function import polymorphic_function, transform
        from tensorflow.python.framework import ops

        callbacks = transform.CONCRETE_FUNCTION_CALLBACKS
        callbacks.append(self._on_trace)
        stack.callback(callbacks.remove, self._on_trace)
        function = polymorphic_function.Function
        stack.enter_context(patch.object(function, "__call__", self._wrapped_call(function)))
        creates = "_create_op_internal"
        stack.enter_context(patch.object(ops.Graph, creates, self._wrapped_create(ops.Graph)))
        # Where `run` ends, and every kind of function that `make_callable` returns but the last.
        _tally(self._n, "session_runs", session.BaseSession, "_call_tf_sessionrun", stack)
        _tally(self._n, "session_runs", session.BaseSession._Callable, "__call__", stack)

    def _on_trace(self, concrete: Any) -> None:
        """Count a trace, and add it to the call that is under way in this thread."""
        _without_counting(lambda: self._note_trace(concrete))

    def _note_trace(self, concrete: Any) -> None:
        with self._lock:
            self._n.traces += 1
            self._n.traced.append(plain_name(concrete.graph.name))
        call = getattr(self._in_thread, "call", None)
        if call is not None:
            call.traces += 1
            call.why = inputs_in_words(concrete)

    def _wrapped_call(self, function: Any) -> Callable:
        """Return a replacement for a tf.function's `__call__` that notes outermost calls."""
        original = function.__call__

        def call(this: Any, *args: Any, **kwargs: Any) -> Any:
            if getattr(self._in_thread, "call", None) is not None:
                return original(this, *args, **kwargs)  # a call within a call
            _without_counting(lambda: self._begin_call(this))
            try:
                return original(this, *args, **kwargs)
            finally:
                self._in_thread.call = None

        return call

    def _begin_call(self, function: Any) -> None:
        """Note the beginning of an outermost call of this thread."""
        call = Call(plain_name(getattr(function, "__name__", "function")))
        with self._lock:
            self._n.calls.append(call)
        self._in_thread.call = call

    def _wrapped_create(self, graph: Any) -> Callable:
        """Return a replacement for the method that adds an operation to a graph."""
        original = graph._create_op_internal

        def create(this: Any, *args: Any, **kwargs: Any) -> Any:
            with self._lock:
                self._n.graph_ops += 1
            return original(this, *args, **kwargs)

        return create


def _watch_loads(n: Count, stack: ExitStack) -> None:
    """Count models that are read from disk."""
    for owner, name in load_functions():
        _tally(n, "model_loads", owner, name, stack)


def load_functions() -> list[tuple[Any, str]]:
    """Return the functions that read a model from disk, each by its owner and its name.

    Where every public spelling ends, so that `from keras.models import load_model` counts, too.
    """
    from keras.src.legacy.saving import legacy_h5_format
    from keras.src.saving import saving_lib
    from tensorflow.python.saved_model import load, loader_impl

    return [
        (saving_lib, "load_model"),
        (legacy_h5_format, "load_model_from_hdf5"),
        (load, "load_partial"),
        (loader_impl.SavedModelLoader, "load"),  # TF1
    ]


def _tally(n: Count, what: str, owner: Any, name: str, stack: ExitStack) -> None:
    """Count the calls of one function of TensorFlow or Keras."""
    original = getattr(owner, name)
    lock = threading.Lock()

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        with lock:
            setattr(n, what, getattr(n, what) + 1)
        return original(*args, **kwargs)

    stack.enter_context(patch.object(owner, name, wrapper))


def plain_name(name: str) -> str:
    """Drop the number that TensorFlow appends to make names unique."""
    head, _, tail = name.rpartition("_")
    if head and tail.isdigit():
        return head
    return name


def inputs_in_words(concrete: Any) -> str:
    """Return the inputs that a trace was made for, in words."""
    parameters = concrete.function_type.parameters.values()
    return _all_in_words(parameter.type_constraint for parameter in parameters)


def _in_words(kind: Any) -> str:
    """Return one part of the key of a trace in words: tensors by spec, other values as they are."""
    name = type(kind).__name__
    if name == "Weakref":
        return _object_in_words(kind)
    if name == "List":
        return f"[{_all_in_words(kind.components_tuple.components)}]"
    if name == "Tuple":
        return f"({_all_in_words(kind.components)})"
    if name == "Dict":
        return _named_in_words("", kind.mapping)
    if name in ("NamedTuple", "Attrs"):
        fields = getattr(kind, "named_attributes", kind)
        named = zip(fields.attribute_names, fields.attributes.components, strict=True)
        return _named_in_words(fields.type_name, dict(named))
    if hasattr(kind, "shape") and hasattr(kind, "dtype"):
        return _spec_in_words(kind)
    if hasattr(kind, "value"):
        return repr(kind.value)
    return name


def _all_in_words(kinds: Iterable[Any]) -> str:
    """Return several parts of a key in words."""
    return ", ".join(_in_words(kind) for kind in kinds)


def _named_in_words(name: str, kinds: Mapping[Any, Any]) -> str:
    """Return the named parts of a key in words."""
    parts = ", ".join(f"{key}={_in_words(kind)}" for key, kind in kinds.items())
    return f"{name}{{{parts}}}"


def _object_in_words(kind: Any) -> str:
    """Return what an object is, which belongs to the key by its identity."""
    target = kind._ref()
    if target is None:
        return "an object that is gone"
    if inspect.ismethod(target):
        return f"the method {target.__name__} of this object"
    if inspect.isfunction(target):
        return f"this function {target.__name__}"
    return f"this {type(target).__name__}"


def _spec_in_words(kind: Any) -> str:
    """Return dtype and shape of a tensor."""
    if kind.shape.rank is None:
        return f"{kind.dtype.name}[any]"
    sizes = ["?" if size is None else str(size) for size in kind.shape]
    return f"{kind.dtype.name}[{', '.join(sizes)}]"
