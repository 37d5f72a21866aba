"""Watch what a loop asks of TensorFlow and Keras: one event for each thing that it calls."""

import contextlib
import functools
import importlib
import inspect
import os
import threading
import time
import weakref
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

from ..measure.count import inputs_in_words, load_functions, plain_name

# The kinds of events: what the loop itself called. What these call in turn is part of them.
PREDICT = "predict"
FIT = "fit"
BATCH = "batch"  # train_on_batch, test_on_batch, predict_on_batch
COMPILE = "compile"
BUILD = "build"
LOAD = "load"
LAYER = "layer"  # a model or a layer that is called eagerly
FUNCTION = "function"  # a tf.function
GRADIENT = "gradient"  # of an eager tape
SESSION = "session"
RUN = "run"  # of a TF1 session
NEXT = "next"  # an element of a dataset
INTERPRETER = "interpreter"
ALLOCATE = "allocate"
INVOKE = "invoke"

MOST_EVENTS = 200_000  # a loop that goes on longer is watched by its passes so far
LARGE = 256 * 1024  # bytes: copying fewer takes microseconds


@dataclass
class Trace:
    """A graph that was made: of which function, and for which inputs."""

    name: str
    why: str


@dataclass
class Event:
    """One thing that the loop called.

    Attributes
    ----------
    kind, name : str
        One of the kinds above, and of what: a function, a model, a file.
    key : hashable
        The same for the same thing: the place of a function, the identity of a model.
    thing : int
        Identity of the object: a function that is made anew has another one.
    rows : int or None
        Rows of the first input.
    source : int or None
        Identity of the array that the first input is a slice of.
    shapes : str
        Of the inputs of a function that XLA compiles.
    policy : str
        Of a model: in which number type it computes.
    seconds : float
        How long it took.
    traces : list of Trace
        Graphs that were made meanwhile.
    in_pass, thread : int
        In which pass of the loop, counted from 0, and in which thread.
    """

    kind: str
    name: str = ""
    key: Any = None
    thing: int = 0
    rows: int | None = None
    source: int | None = None
    shapes: str = ""
    policy: str = ""
    seconds: float = 0.0
    traces: list[Trace] = field(default_factory=list)
    in_pass: int = 0
    thread: int = 0


@dataclass
class Copied:
    """An array that was copied into a tensor: how large it is, how often, and for how long."""

    bytes: int
    times: int = 0
    seconds: float = 0.0


@dataclass
class Seen:
    """All that was seen of a loop.

    Attributes
    ----------
    events : list of Event
        In order; in threads in the order in which they ended.
    made : dict
        By the place of a Python function: the passes in which a tf.function was made of it.
    added_after_run : Counter
        TF1: operations that were added to a graph which had been run before, by its identity.
    copied : dict of int to Copied
        Large arrays by identity.
    forks : int
        Processes that were forked after TensorFlow had computed something.
    """

    events: list[Event] = field(default_factory=list)
    made: dict[Any, list[int]] = field(default_factory=lambda: defaultdict(list))
    added_after_run: Counter[int] = field(default_factory=Counter)
    copied: dict[int, Copied] = field(default_factory=dict)
    forks: int = 0


class Watch:
    """Note what happens, in all threads, between `begin` and `end`."""

    def __init__(self) -> None:
        self.seen = Seen()
        self.in_pass = 0
        self._open = threading.local()
        self._lock = threading.Lock()
        self._stack = contextlib.ExitStack()
        self._run_graphs: set[int] = set()
        self._arrays: dict[int, Any] = {}
        self._built: weakref.WeakSet[Any] = weakref.WeakSet()

    def begin(self) -> None:
        """Wrap the functions of TensorFlow and Keras that a loop calls."""
        try:
            self._watch_keras()
            self._watch_functions()
            self._watch_sessions()
            self._watch_data()
            self._watch_interpreters()
            self._watch_forks()
        except BaseException:
            self.end()
            raise

    def end(self) -> None:
        """Put everything back as it was."""
        self._stack.close()
        self._arrays.clear()

    # ---- events ----

    def _wrap(self, owner: Any, name: str, describe: Callable[..., Event | None]) -> None:
        """Note each call of a function as the event that `describe` makes of its arguments."""
        original = getattr(owner, name)

        @functools.wraps(original)
        def call(*args: Any, **kwargs: Any) -> Any:
            if getattr(self._open, "event", None) is not None:
                return original(*args, **kwargs)  # a part of what is under way
            event = describe(*args, **kwargs)
            if event is None:
                return original(*args, **kwargs)
            self._open.event = event
            begin = time.perf_counter()
            try:
                return original(*args, **kwargs)
            finally:
                event.seconds = time.perf_counter() - begin
                self._open.event = None
                self._keep(event)

        if name == "__init__":  # Keras reads the names of its arguments
            call.__signature__ = inspect.signature(original)  # type: ignore[attr-defined]
        self._stack.enter_context(patch.object(owner, name, call))

    def _keep(self, event: Event) -> None:
        event.in_pass = self.in_pass
        event.thread = threading.get_ident()
        with self._lock:
            if len(self.seen.events) < MOST_EVENTS:
                self.seen.events.append(event)

    # ---- Keras ----

    def _watch_keras(self) -> None:
        from keras.src.backend.tensorflow.trainer import TensorFlowTrainer
        from keras.src.layers.layer import Layer
        from keras.src.models.functional import Functional
        from keras.src.models.model import Model
        from keras.src.models.sequential import Sequential
        from keras.src.trainers.trainer import Trainer

        for name, kind in (("predict", PREDICT), ("evaluate", PREDICT), ("fit", FIT)):
            self._wrap(TensorFlowTrainer, name, _of_model(kind, name))
        for name in ("train_on_batch", "test_on_batch", "predict_on_batch"):
            self._wrap(TensorFlowTrainer, name, _of_model(BATCH, name))
        self._wrap(Trainer, "compile", _of_model(COMPILE, "compile"))
        self._wrap(Layer, "__call__", self._layer_event)
        for owner in (Sequential, Functional, Model):
            self._wrap(owner, "__init__", self._build_event)
        for owner, name in load_functions():
            self._wrap(owner, name, _of_file)

    def _layer_event(self, layer: Any, *args: Any, **kwargs: Any) -> Event | None:
        """Return the event of an eager call; none for a symbolic one, or one inside a graph."""
        import tensorflow as tf

        inputs = _first_array(args, kwargs)
        if inputs is None or type(inputs).__name__ == "KerasTensor":
            return None
        if not tf.executing_eagerly() or not hasattr(inputs, "shape"):
            return None
        event = Event(LAYER, layer.name, key=id(layer), thing=id(layer), policy=_policy(layer))
        return _with_input(event, inputs)

    def _build_event(self, model: Any, *_: Any, **__: Any) -> Event | None:
        """Return the event of a model that is made; none for the parts that Keras itself makes."""
        if model in self._built:
            return None
        if type(model).__name__ == "Functional" and _is_called_from("sequential.py"):
            return None
        self._built.add(model)
        return Event(BUILD, type(model).__name__, thing=id(model))

    # ---- tf.function ----

    def _watch_functions(self) -> None:
        from tensorflow.python.eager import backprop
        from tensorflow.python.eager.polymorphic_function import polymorphic_function, transform
        from tensorflow.python.framework import ops

        callbacks = transform.CONCRETE_FUNCTION_CALLBACKS
        callbacks.append(self._on_trace)
        self._stack.callback(callbacks.remove, self._on_trace)
        function = polymorphic_function.Function
        self._wrap(function, "__call__", _of_function)
        original = function.__init__

        @functools.wraps(original)
        def init(this: Any, python_function: Any, *args: Any, **kwargs: Any) -> None:
            original(this, python_function, *args, **kwargs)
            if getattr(self._open, "event", None) is None:
                with self._lock:
                    self.seen.made[place_of(python_function)].append(self.in_pass)

        self._stack.enter_context(patch.object(function, "__init__", init))

        def gradient_event(*_: Any, **__: Any) -> Event | None:
            return Event(GRADIENT) if ops.executing_eagerly_outside_functions() else None

        self._wrap(backprop.GradientTape, "gradient", gradient_event)

    def _on_trace(self, concrete: Any) -> None:
        event = getattr(self._open, "event", None)
        if event is not None:  # else it was made on purpose, as by `get_concrete_function`
            event.traces.append(Trace(plain_name(concrete.graph.name), inputs_in_words(concrete)))

    # ---- TF1 ----

    def _watch_sessions(self) -> None:
        from tensorflow.python.client import session
        from tensorflow.python.framework import ops

        self._wrap(session.BaseSession, "__init__", lambda this, *_, **__: Event(SESSION))

        def run_event(this: Any, *_: Any, **__: Any) -> Event:
            self._run_graphs.add(id(this.graph))
            return Event(RUN, key=id(this.graph))

        self._wrap(session.BaseSession, "run", run_event)
        create = ops.Graph._create_op_internal

        @functools.wraps(create)
        def created(this: Any, *args: Any, **kwargs: Any) -> Any:
            if id(this) in self._run_graphs:
                with self._lock:
                    self.seen.added_after_run[id(this)] += 1
            return create(this, *args, **kwargs)

        self._stack.enter_context(patch.object(ops.Graph, "_create_op_internal", created))

    # ---- data ----

    def _watch_data(self) -> None:
        from tensorflow.python.data.ops import iterator_ops
        from tensorflow.python.framework import constant_op

        self._wrap(iterator_ops.OwnedIterator, "__next__", lambda *_: Event(NEXT))
        convert = constant_op.convert_to_eager_tensor

        @functools.wraps(convert)
        def converted(value: Any, *args: Any, **kwargs: Any) -> Any:
            size = getattr(value, "nbytes", 0)
            if type(value).__name__ != "ndarray" or size < LARGE:
                return convert(value, *args, **kwargs)
            begin = time.perf_counter()
            result = convert(value, *args, **kwargs)
            self._note_copy(value, size, time.perf_counter() - begin)
            return result

        self._stack.enter_context(patch.object(constant_op, "convert_to_eager_tensor", converted))

    def _note_copy(self, array: Any, size: int, seconds: float) -> None:
        with self._lock:
            self._arrays[id(array)] = array  # kept, so that no other array gets its identity
            copied = self.seen.copied.setdefault(id(array), Copied(size))
            copied.times += 1
            copied.seconds += seconds

    # ---- LiteRT ----

    def _watch_interpreters(self) -> None:
        for module in ("tensorflow.lite.python.interpreter", "ai_edge_litert.interpreter"):
            try:
                interpreter = importlib.import_module(module).Interpreter
            except ImportError:  # this package is not installed, or has left it to the other one
                continue
            for name, kind in (
                ("__init__", INTERPRETER),
                ("allocate_tensors", ALLOCATE),
                ("invoke", INVOKE),
            ):
                self._wrap(interpreter, name, _of_object(kind))

    # ---- processes ----

    def _watch_forks(self) -> None:
        if not hasattr(os, "register_at_fork"):
            return
        watching = [True]
        self._stack.callback(watching.clear)

        def before_fork() -> None:
            from tensorflow.python.eager import context

            in_use = context.context_safe() is not None and context.context()._initialized
            if watching and in_use:
                self.seen.forks += 1

        os.register_at_fork(before=before_fork)


# ---- descriptions ----


def _of_model(kind: str, name: str) -> Callable[..., Event]:
    """Return a function that describes a call of a method of a model."""

    def describe(model: Any, *args: Any, **kwargs: Any) -> Event:
        event = Event(kind, name, key=id(model), thing=id(model), policy=_policy(model))
        return _with_input(event, _first_array(args, kwargs))

    return describe


def _policy(layer: Any) -> str:
    """Return in which number type a layer, or the last one of a model, computes."""
    parts = getattr(layer, "layers", None) or [layer]
    return str(getattr(parts[-1], "compute_dtype", ""))


def _of_object(kind: str) -> Callable[..., Event]:
    return lambda this, *_, **__: Event(kind, key=id(this), thing=id(this))


def _of_file(path: Any, *_: Any, **__: Any) -> Event:
    if not isinstance(path, str | Path):  # an open file, or a loader of TF1
        path = type(path).__name__
    return Event(LOAD, Path(path).name, key=str(path))


def _of_function(function: Any, *args: Any, **kwargs: Any) -> Event:
    place = place_of(function._python_function)
    name = getattr(function, "__name__", "") or getattr(function._python_function, "name", "f")
    event = Event(FUNCTION, plain_name(name), key=place, thing=id(function))
    if function._jit_compile:
        arrays = [thing for thing in (*args, *kwargs.values()) if hasattr(thing, "shape")]
        event.shapes = ", ".join(str(tuple(array.shape)) for array in arrays)
    return _with_input(event, _first_array(args, kwargs))


def place_of(function: Any) -> str:
    """Return where a Python function is defined; for a model its kind and name."""
    function = inspect.unwrap(getattr(function, "__func__", function))
    code = getattr(function, "__code__", None)
    if code is None:
        return f"{type(function).__name__} {getattr(function, 'name', '')}".strip()
    return f"{code.co_filename}:{code.co_firstlineno}"


def _first_array(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Return the first array or tensor among the arguments, also within a dict or a list."""
    for thing in (*args, *kwargs.values()):
        if isinstance(thing, dict):
            thing = next(iter(thing.values()), None)
        if isinstance(thing, list | tuple):
            thing = thing[0] if thing else None
        if hasattr(thing, "shape") and hasattr(thing, "dtype"):
            return thing
    return None


def _with_input(event: Event, array: Any) -> Event:
    """Add the number of rows of the first input, and which array it is a slice of."""
    shape = getattr(array, "shape", None)
    if shape is not None and len(shape):
        event.rows = shape[0]
    whole = _whole_array(array)
    if whole is not None and event.rows is not None and len(whole) > event.rows:
        event.source = id(whole)
    return event


def _whole_array(array: Any) -> Any:
    """Return the NumPy array that another one is a slice of; None if it is no slice."""
    whole = None
    base: Any = getattr(array, "base", None)
    while type(base).__name__ == "ndarray" and base.ndim:
        whole = base
        base = base.base
    return whole


def _is_called_from(file_name: str) -> bool:
    """Return whether one of the next callers outside this module is in a file of this name."""
    frames = (frame.filename for frame in inspect.stack(context=0)[2:7])
    return any(Path(name).name == file_name for name in frames)


@contextlib.contextmanager
def watching() -> Iterator[Watch]:
    """Watch what happens in the block."""
    watch = Watch()
    watch.begin()
    try:
        yield watch
    finally:
        watch.end()
