"""Count what is the same on every machine: traces, graph operations, Python calls, session runs, model loads."""

import gc
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

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
        For a trace, the input it was made for.
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
        Calls of Python functions in this thread. The same with the same versions, on every machine.
    session_runs : int
        TF1: calls of ``Session.run`` and of functions from ``make_callable``.
    model_loads : int
        Models read from disk, in any format.
    calls : list of Call
        One entry per outermost call of a tf.function, in order.
    traced : list of str
        Names of the functions traced, in order.
    """

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
        names = {
            "graph_ops": "graph operations",
            "session_runs": "session runs",
            "model_loads": "model loads",
        }
        rows = [["traces", str(self.traces)]]
        rows += [
            [words, f"{getattr(self, key):,}"] for key, words in names.items() if getattr(self, key)
        ]
        return Table(["count", ""], rows, notes=[f"{self.python_calls:,} Python calls"])


class count:
    """A ``with`` block that counts what TensorFlow and Python do inside it.

    Returns
    -------
    Count
        From ``with count() as n:``; its numbers stand when the block ends.

    Notes
    -----
    Counting Python calls makes the block several times slower: count in one cell, measure in another.

    Examples
    --------
    >>> with count() as n:
    ...     max([3, 1, 2])
    3
    >>> n.traces, n.python_calls
    (0, 0)
    """

    def __enter__(self) -> Count:
        self._outer = sys.getprofile()
        sys.setprofile(None)  # a count around this one shall not see what we do here
        n = Count()
        with ExitStack() as stack:
            stack.callback(sys.setprofile, self._outer)
            if "tensorflow" in sys.modules:
                _watch_tensorflow(n, stack)
            if "keras" in sys.modules or "tensorflow" in sys.modules:
                _watch_loads(n, stack)
            gc.collect()
            if gc.isenabled():
                gc.disable()  # a collection runs finalizers, which are Python calls of somebody else
                stack.callback(gc.enable)
            self._undo = stack.pop_all()
        outer = self._outer if callable(self._outer) else None

        def profile(frame, event, arg):
            if event == "call" and frame.f_code.co_filename != __file__:
                n.python_calls += 1
            if outer:
                outer(frame, event, arg)

        sys.setprofile(profile)
        return n

    def __exit__(self, *_: Any) -> None:
        sys.setprofile(None)
        self._undo.close()


def _unseen(work: Callable[[], Any]) -> None:
    """Do our own book-keeping without counting it."""
    profile = sys.getprofile()
    sys.setprofile(None)
    try:
        work()
    finally:
        sys.setprofile(profile)


def _watch_tensorflow(n: Count, stack: ExitStack) -> None:
    from tensorflow.python.client import session
    from tensorflow.python.eager.polymorphic_function import polymorphic_function, transform
    from tensorflow.python.framework import ops

    def traced(concrete: Any) -> None:
        _unseen(lambda: note(concrete))

    def note(concrete: Any) -> None:
        n.traces += 1
        n.traced.append(_plain_name(concrete.graph.name))
        if depth:
            n.calls[-1].traces += 1
            n.calls[-1].why = _inputs(concrete)

    depth: list[None] = []
    call_function = polymorphic_function.Function.__call__

    def call(self, *args, **kwargs):
        if not depth:
            _unseen(
                lambda: n.calls.append(Call(_plain_name(getattr(self, "__name__", "function"))))
            )
        depth.append(None)
        try:
            return call_function(self, *args, **kwargs)
        finally:
            depth.pop()

    create_op = ops.Graph._create_op_internal

    def create(self, *args, **kwargs):
        n.graph_ops += 1
        return create_op(self, *args, **kwargs)

    transform.CONCRETE_FUNCTION_CALLBACKS.append(traced)
    stack.callback(transform.CONCRETE_FUNCTION_CALLBACKS.remove, traced)
    stack.enter_context(patch.object(polymorphic_function.Function, "__call__", call))
    stack.enter_context(patch.object(ops.Graph, "_create_op_internal", create))
    # Where `run` ends, and every kind of function that `make_callable` returns but the last.
    _tally(n, "session_runs", session.BaseSession, "_call_tf_sessionrun", stack)
    _tally(n, "session_runs", session.BaseSession._Callable, "__call__", stack)


def _watch_loads(n: Count, stack: ExitStack) -> None:
    from keras.src.legacy.saving import legacy_h5_format
    from keras.src.saving import saving_lib
    from tensorflow.python.saved_model import load, loader_impl

    # Patched where every public spelling ends, so that `from keras.models import load_model` counts too.
    _tally(n, "model_loads", saving_lib, "load_model", stack)
    _tally(n, "model_loads", legacy_h5_format, "load_model_from_hdf5", stack)
    _tally(n, "model_loads", load, "load_partial", stack)
    _tally(n, "model_loads", loader_impl.SavedModelLoader, "load", stack)  # TF1


def _tally(n: Count, what: str, owner: Any, name: str, stack: ExitStack) -> None:
    original = getattr(owner, name)

    def wrapper(*args, **kwargs):
        setattr(n, what, getattr(n, what) + 1)
        return original(*args, **kwargs)

    stack.enter_context(patch.object(owner, name, wrapper))


def _plain_name(name: str) -> str:
    """Drop the number that TensorFlow appends to make names unique."""
    head, _, tail = name.rpartition("_")
    return head if tail.isdigit() and head else name


def _inputs(concrete: Any) -> str:
    parts = []
    for value in concrete.function_type.parameters.values():
        kind = value.type_constraint
        if hasattr(kind, "shape") and hasattr(kind, "dtype"):
            sizes = (
                "any"
                if kind.shape.rank is None
                else ", ".join("?" if s is None else str(s) for s in kind.shape)
            )
            parts.append(f"{kind.dtype.name}[{sizes}]")
        else:
            parts.append(str(getattr(kind, "value", type(kind).__name__)))
    return ", ".join(parts)
