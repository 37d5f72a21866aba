"""Watch what a loop asks of TensorFlow and Keras: one event for each thing that it calls."""

import contextlib
import functools
import gc
import importlib
import inspect
import itertools
import os
import sys
import threading
import time
import weakref
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
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
OPTIMIZER = "optimizer"  # one that is made
APPLY = "apply"  # gradients, outside of a graph
VARIABLE = "variable"  # one that the program itself makes
DATASET = "dataset"  # one that is made from arrays, files or a generator
PIPELINE = "pipeline"  # a function that is traced for a dataset, or an iterator that is made
SAVE = "save"
ITERATOR = "iterator"  # of a dataset
METRIC = "metric"  # one that is made, and each variable of it
WEIGHTS = "weights"  # that are read from a file, or copied between a model and NumPy
LIST = "list"  # of Python that is made a tensor
COLLECT = "collect"  # the garbage, as the program asks for it
SEED = "seed"
GROWS = "grows"  # a tensor that is joined to what the same line made last
CHANGES = "changes"  # a tensor that is copied to change a part of what the same line made last
PYTHON = "python"  # a function of Python that a graph or a pipeline calls
GENERATOR = "generator"  # a generator of Python that a pipeline asks for an element
UPDATE = "update"  # of a metric, outside of a graph
PREPARE = "prepare"  # a layer for texts, categories or statistics that is made, or adapted

MOST_EVENTS = 200_000  # a loop that goes on longer is watched by its passes so far
_LOOK_EVERY = 0.1  # seconds: how much memory the process has
METRICS = "metrics_of_compile"  # the name of what they compute, in graphs
LARGE = 256 * 1024  # bytes: copying fewer takes microseconds
_MANY_NUMBERS = 256  # in a list: to make it a tensor takes some ten microseconds
PRODUCTS = {"MatMul", "BatchMatMulV2", "Conv2D", "Einsum"}  # types of operations
SORT = "TopKV2"
_SAME_NUMBERS = {"Reshape", "Identity", "Cast"}  # as their first input
_SIZE_OF_TEXT = 16  # bytes: that of a string varies, and TensorFlow's is 0
_SAMPLED = 1024  # numbers of an array that are compared before all of them are
_SOURCES = ("from_tensors", "from_tensor_slices", "from_generator", "range", "list_files")
_TRACING = ("map", "filter", "flat_map", "interleave", "scan", "reduce")
_PARTS_OF_MODELS = {
    "export",
    "layers",
    "lite",
    "models",
    "optimizers",
    "saved_model",
    "saving",
    "trackable",
    "trainers",
}
# Functions of gen_array_ops that copy their first input, made longer or changed.
_COPYING = {
    "concat_v2": GROWS,
    "tensor_scatter_update": CHANGES,
    "tensor_scatter_add": CHANGES,
    "tensor_scatter_sub": CHANGES,
}
_OURS = Path(__file__).parent
_PYTHON = Path(contextlib.__file__).parent  # the standard library


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
    shape : tuple of int
        Of the first input, without its rows.
    shapes : str
        Of the inputs of a function that XLA compiles.
    owner : str
        Of a method that became a function of TensorFlow: the class of its object.
    policy : str
        Of a model: in which number type it computes.
    seconds : float
        How long it took.
    traces : list of Trace
        Graphs that were made meanwhile.
    trace_seconds : float
        How long making them took.
    nested : float
        Of a call of `fit`: seconds in what callbacks of the program called, which are events, too.
    place : str
        The line of the program that called it.
    eager : str
        Of what runs as a graph otherwise: what lets it run operation by operation.
    inputs : tuple
        What tells its inputs apart from those of another call.
    large : dict of int to str
        Large tensors among them, by the number that TensorFlow gives to each: dtype and shape.
    in_pass, thread : int
        In which pass of the loop, counted from 0, and in which thread.
    """

    kind: str
    name: str = ""
    key: Any = None
    thing: int = 0
    rows: int | None = None
    source: int | None = None
    shape: tuple[int, ...] = ()
    shapes: str = ""
    owner: str = ""
    policy: str = ""
    seconds: float = 0.0
    traces: list[Trace] = field(default_factory=list)
    trace_seconds: float = 0.0
    nested: float = 0.0
    place: str = ""
    eager: str = ""
    inputs: tuple[Any, ...] = ()
    large: dict[int, str] = field(default_factory=dict)
    in_pass: int = 0
    thread: int = 0


@dataclass
class Copied:
    """An array that was copied into a tensor: how large it is, how often, and for how long.

    Attributes
    ----------
    bytes, times, seconds : int, int, float
        Of all copies.
    is_new_each_time : bool
        Whether these were several arrays with the same numbers.
    """

    bytes: int
    times: int = 0
    seconds: float = 0.0
    is_new_each_time: bool = False


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
    added_at : Counter
        The same operations by the line of the program that added them.
    operations : Counter
        By pass and line of the program: operations that it called one by one.
    copied : list of Copied
        Large arrays.
    forks : int
        Processes that were forked after TensorFlow had computed something.
    products_in_float64, products_with_one_hot : int
        Of matrices, in the graphs that were traced.
    whole_sorts : int
        Sorts of all numbers along an axis, in the graphs that were traced.
    records_itself : bool
        Whether it uses TensorFlow's profiler, which records once at a time.
    memory : list of (int, int)
        From time to time, the pass and the bytes of memory that the process had.
    """

    events: list[Event] = field(default_factory=list)
    made: dict[Any, list[int]] = field(default_factory=lambda: defaultdict(list))
    added_after_run: Counter[int] = field(default_factory=Counter)
    added_at: Counter[str] = field(default_factory=Counter)
    operations: Counter[tuple[int, str]] = field(default_factory=Counter)
    copied: list[Copied] = field(default_factory=list)
    forks: int = 0
    records_itself: bool = False
    products_in_float64: int = 0
    products_with_one_hot: int = 0
    whole_sorts: int = 0
    memory: list[tuple[int, int]] = field(default_factory=list)


class Watch:
    """Note what happens, in all threads, between `begin` and `end`."""

    def __init__(self) -> None:
        import psutil

        self.seen = Seen()
        self.in_pass = 0
        self._open = threading.local()
        self._lock = threading.Lock()
        self._stack = contextlib.ExitStack()
        self._run_graphs: set[int] = set()
        self._arrays: dict[int, tuple[Any, Copied]] = {}
        self._contents: dict[Any, dict[int, Copied]] = {}
        self._last: dict[str, weakref.ref[Any]] = {}
        self._built: weakref.WeakSet[Any] = weakref.WeakSet()
        self._numbers = itertools.count()
        self._tapes: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()
        self._process = psutil.Process()
        self._looked = 0.0

    def begin(self) -> None:
        """Wrap the functions of TensorFlow and Keras that a loop calls."""
        try:
            self._watch_keras()
            self._watch_functions()
            self._watch_sessions()
            self._watch_data()
            self._watch_conversions()
            self._watch_what_is_made()
            self._watch_upkeep()
            self._watch_operations()
            self._watch_copies_of_tensors()
            self._watch_python_in_graphs()
            self._watch_preparing_layers()
            self._name_metrics()
            self._watch_interpreters()
            self._watch_profilers()
            self._watch_forks()
        except BaseException:
            self.end()
            raise

    def end(self) -> None:
        """Put everything back as it was."""
        self._stack.close()
        self._arrays.clear()
        self._contents.clear()
        self._last.clear()

    # ---- events ----

    def _wrap(
        self,
        owner: Any,
        name: str,
        describe: Callable[..., Event | None],
        in_callbacks: bool = False,
    ) -> None:
        """Note each call of a function as the event that `describe` makes of its arguments.

        What an event calls is a part of it, but for what a callback of the program asks for while
        `fit` is under way.
        """
        original = getattr(owner, name)
        is_static = isinstance(inspect.getattr_static(owner, name), staticmethod)

        @functools.wraps(original)
        def call(*args: Any, **kwargs: Any) -> Any:
            outer = getattr(self._open, "event", None)
            if outer is not None and not (in_callbacks and outer.kind == FIT):
                return original(*args, **kwargs)
            place = _place_of_caller()
            event = (
                None if outer is not None and place == outer.place else describe(*args, **kwargs)
            )
            if event is None:
                return original(*args, **kwargs)
            event.place = place
            self._open.event = event
            begin = time.perf_counter()
            try:
                return original(*args, **kwargs)
            finally:
                event.seconds = time.perf_counter() - begin
                self._open.event = outer
                if outer is not None:
                    outer.nested += event.seconds
                self._keep(event)

        if name == "__init__":  # Keras reads the names of its arguments
            call.__signature__ = inspect.signature(original)  # type: ignore[attr-defined]
        new: Any = staticmethod(call) if is_static else call
        self._stack.enter_context(patch.object(owner, name, new))

    def _keep(self, event: Event) -> None:
        event.seconds -= event.nested
        event.in_pass = self.in_pass
        event.thread = threading.get_ident()
        with self._lock:
            if len(self.seen.events) < MOST_EVENTS:
                self.seen.events.append(event)
            self._look_at_memory()

    def _look_at_memory(self) -> None:
        now = time.perf_counter()
        if now - self._looked > _LOOK_EVERY:
            self._looked = now
            self.seen.memory.append((self.in_pass, self._process.memory_info().rss))

    # ---- Keras ----

    def _watch_keras(self) -> None:
        from keras.src.backend.tensorflow.trainer import TensorFlowTrainer
        from keras.src.layers.layer import Layer
        from keras.src.models.functional import Functional
        from keras.src.models.model import Model
        from keras.src.models.sequential import Sequential
        from keras.src.trainers.trainer import Trainer

        self._wrap(TensorFlowTrainer, "fit", _of_model(FIT, "fit"))
        for name in ("predict", "evaluate"):
            self._wrap(TensorFlowTrainer, name, _of_model(PREDICT, name), in_callbacks=True)
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
        _note_tensors(event, (*args, *kwargs.values()))
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
        from keras.src.optimizers.base_optimizer import BaseOptimizer
        from tensorflow.python.eager import backprop
        from tensorflow.python.eager.polymorphic_function import (
            polymorphic_function,
            tracing_compilation,
            transform,
        )
        from tensorflow.python.framework import ops

        callbacks = transform.CONCRETE_FUNCTION_CALLBACKS
        callbacks.append(self._on_trace)
        self._stack.callback(callbacks.remove, self._on_trace)
        function = polymorphic_function.Function
        self._wrap(function, "__call__", _of_function)
        self._wrap(function, "get_concrete_function", _of_concrete)
        self._time_traces(tracing_compilation)
        original = function.__init__

        @functools.wraps(original)
        def init(this: Any, python_function: Any, *args: Any, **kwargs: Any) -> None:
            original(this, python_function, *args, **kwargs)
            if getattr(self._open, "event", None) is None:
                with self._lock:
                    self.seen.made[place_of(python_function)].append(self.in_pass)

        self._stack.enter_context(patch.object(function, "__init__", init))

        def gradient_event(tape: Any, *_: Any, **__: Any) -> Event | None:
            if not ops.executing_eagerly_outside_functions():
                return None
            # Its id may be that of an earlier tape.
            number = self._tapes.setdefault(tape, next(self._numbers))
            return Event(GRADIENT, thing=number)

        self._wrap(backprop.GradientTape, "gradient", gradient_event)

        def apply_event(optimizer: Any, *_: Any, **__: Any) -> Event | None:
            if not ops.executing_eagerly_outside_functions():
                return None
            return Event(APPLY, type(optimizer).__name__)

        self._wrap(BaseOptimizer, "apply", apply_event)

    def _on_trace(self, concrete: Any) -> None:
        event = getattr(self._open, "event", None)
        if event is not None:  # else it was made on purpose, as by `get_concrete_function`
            event.traces.append(Trace(plain_name(concrete.graph.name), inputs_in_words(concrete)))
        for operation in concrete.graph.get_operations():
            self._look_at_product(operation)
            self._look_at_sort(operation)

    def _look_at_product(self, operation: Any) -> None:
        """Note a product of matrices in a graph that could be cheaper."""
        if operation.type not in PRODUCTS or not operation.outputs:
            return
        import tensorflow as tf

        if operation.outputs[0].dtype == tf.float64:
            self.seen.products_in_float64 += 1
        for factor in operation.inputs:
            while factor.op.type in _SAME_NUMBERS:
                factor = factor.op.inputs[0]
            if factor.op.type == "OneHot":
                self.seen.products_with_one_hot += 1

    def _look_at_sort(self, operation: Any) -> None:
        """Note where a graph sorts all numbers along an axis, as tf.sort and tf.argsort do."""
        if operation.type != SORT:
            return
        import tensorflow as tf

        numbers, count = operation.inputs
        wanted = tf.get_static_value(count)
        if wanted is not None:
            is_whole = int(wanted) == numbers.shape[-1]
        else:  # tf.sort takes the length from the shape when it runs, a constant where it is known
            is_slice = count.op.type == "StridedSlice"
            is_whole = is_slice and count.op.inputs[0].op.type in ("Shape", "Const")
        self.seen.whole_sorts += is_whole

    def _time_traces(self, module: Any) -> None:
        """Add up how long the traces of each event take, those inside others included once."""
        original = module._create_concrete_function

        @functools.wraps(original)
        def create(*args: Any, **kwargs: Any) -> Any:
            event = getattr(self._open, "event", None)
            if event is None or getattr(self._open, "traces", False):
                return original(*args, **kwargs)
            self._open.traces = True
            begin = time.perf_counter()
            try:
                return original(*args, **kwargs)
            finally:
                event.trace_seconds += time.perf_counter() - begin
                self._open.traces = False

        self._stack.enter_context(patch.object(module, "_create_concrete_function", create))

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
                place = _place_of_caller()
                with self._lock:
                    self.seen.added_after_run[id(this)] += 1
                    self.seen.added_at[place] += 1
            return create(this, *args, **kwargs)

        self._stack.enter_context(patch.object(ops.Graph, "_create_op_internal", created))

    # ---- data ----

    def _watch_data(self) -> None:
        from tensorflow.python.data.ops import dataset_ops, iterator_ops

        self._wrap(iterator_ops.OwnedIterator, "__next__", lambda *_: Event(NEXT))
        self._wrap(dataset_ops.DatasetV2, "__iter__", _of_dataset(ITERATOR, "iter"))
        for name in _SOURCES:
            self._wrap(dataset_ops.DatasetV2, name, _of_dataset(DATASET, name))
        for name in _TRACING:
            self._wrap(dataset_ops.DatasetV2, name, _of_dataset(PIPELINE, name))

    def _watch_conversions(self) -> None:
        """Time what makes a list, or a large array, a tensor.

        `tf.convert_to_tensor` looks through a list in Python before it hands it over.
        """
        from tensorflow.python.framework import constant_op, tensor_conversion_registry

        for owner, name in (
            (constant_op, "convert_to_eager_tensor"),
            (tensor_conversion_registry, "convert"),
        ):
            converted = self._timed_conversion(getattr(owner, name))
            self._stack.enter_context(patch.object(owner, name, converted))

    def _timed_conversion(self, convert: Callable[..., Any]) -> Callable[..., Any]:
        from tensorflow.python.eager import context

        takes_arrays = convert.__name__ == "convert_to_eager_tensor"

        @functools.wraps(convert)
        def converted(value: Any, *args: Any, **kwargs: Any) -> Any:
            if isinstance(value, list | tuple):
                if _is_long(value) and context.executing_eagerly():
                    return self._converted_list(convert, value, *args, **kwargs)
                return convert(value, *args, **kwargs)
            size = getattr(value, "nbytes", 0) if takes_arrays else 0
            if type(value).__name__ != "ndarray" or size < LARGE:
                return convert(value, *args, **kwargs)
            begin = time.perf_counter()
            result = convert(value, *args, **kwargs)
            self._note_copy(value, size, time.perf_counter() - begin)
            return result

        return converted

    def _converted_list(self, convert: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Make a list a tensor, and note how long that took, with the conversions within it."""
        if getattr(self._open, "is_list", False):
            return convert(*args, **kwargs)
        self._open.is_list = True
        begin = time.perf_counter()
        try:
            result = convert(*args, **kwargs)
        finally:
            self._open.is_list = False
        seconds = time.perf_counter() - begin
        self._keep(Event(LIST, seconds=seconds, place=_place_of_caller()))
        return result

    def _note_copy(self, array: Any, size: int, seconds: float) -> None:
        with self._lock:
            copied = self._known_copy(array, size)
            copied.times += 1
            copied.seconds += seconds

    def _known_copy(self, array: Any, size: int) -> Copied:
        """Return what is known of an array, or of one with the same numbers."""
        known = self._arrays.get(id(array))
        if known is not None and known[0]() is array:  # another one may have got its identity
            return known[1]
        copied = self._copy_of_same_numbers(array)
        if copied is None:
            copied = Copied(size)
            self.seen.copied.append(copied)
            self._remember_numbers(array, copied)
        else:
            copied.is_new_each_time = True
        self._arrays[id(array)] = weakref.ref(array), copied  # so that it is not kept alive
        return copied

    def _copy_of_same_numbers(self, array: Any) -> Copied | None:
        """Return what is known of another array with the same numbers, if there was one."""
        if array.dtype.hasobject:
            return None
        alike = self._contents.get(_some_numbers(array))
        return None if alike is None else alike.get(_all_numbers(array))

    def _remember_numbers(self, array: Any, copied: Copied) -> None:
        """Note the numbers of an array: some of the first one alike, all of those that follow.

        To read all of them takes about as long as to copy them.
        """
        if array.dtype.hasobject:
            return
        some = _some_numbers(array)
        if some in self._contents:
            self._contents[some][_all_numbers(array)] = copied
        else:
            self._contents[some] = {}

    # ---- what is made ----

    def _watch_what_is_made(self) -> None:
        import tensorflow as tf
        from keras.src.layers.layer import Layer
        from keras.src.metrics.metric import Metric
        from keras.src.models.model import Model
        from keras.src.optimizers.base_optimizer import BaseOptimizer
        from tensorflow.python.ops import resource_variable_ops

        self._wrap(BaseOptimizer, "__init__", _of_new(OPTIMIZER))

        def variable_event(*_: Any, **__: Any) -> Event | None:
            is_own = tf.executing_eagerly() and "keras" not in _packages_of_caller()
            return Event(VARIABLE) if is_own else None

        self._wrap(resource_variable_ops.ResourceVariable, "__init__", variable_event)
        for owner, name in (
            (Model, "save"),
            (Model, "save_weights"),
            (Model, "export"),
            (tf.saved_model, "save"),
            (tf.train.Checkpoint, "save"),
            (tf.train.Checkpoint, "write"),
        ):
            self._wrap(owner, name, _of_save(name), in_callbacks=True)

        for name in ("__init__", "add_variable"):
            self._wrap(Metric, name, _of_new(METRIC))
        for metric in _with_subclasses(Metric):
            if "update_state" in vars(metric):
                self._wrap(metric, "update_state", _of_update)
        self._wrap(Model, "load_weights", lambda _, path, *__, **___: _of_weights(path))
        for name in ("get_weights", "set_weights"):
            self._wrap(
                Layer,
                name,
                lambda *_, called=name, **__: Event(WEIGHTS, called),
                in_callbacks=True,
            )

    def _watch_upkeep(self) -> None:
        """Note what a program does for its memory, or for its random numbers, while it runs."""
        import keras
        import tensorflow as tf

        self._wrap(gc, "collect", _of_upkeep(COLLECT, "gc.collect"))
        for owner in (keras.utils, keras.backend, tf.keras.utils, tf.keras.backend):
            if hasattr(owner, "clear_session"):
                self._wrap(owner, "clear_session", _of_upkeep(COLLECT, "clear_session"))
        self._wrap(tf.random, "set_seed", _of_upkeep(SEED, "tf.random.set_seed"))
        self._wrap(keras.utils, "set_random_seed", _of_upkeep(SEED, "set_random_seed"))

    def _watch_profilers(self) -> None:
        from tensorflow.python.profiler.internal import _pywrap_profiler as profiler

        session = profiler.ProfilerSession  # each recording makes one, that of a callback, too

        def made(*args: Any, **kwargs: Any) -> Any:
            self.seen.records_itself = True
            return session(*args, **kwargs)

        self._stack.enter_context(patch.object(profiler, "ProfilerSession", made))

    def _name_metrics(self) -> None:
        """Let the operations of metrics be known by their names in the graphs that are traced now.

        What layers and optimizers compute is named after them; what metrics compute has no name.
        """
        import tensorflow as tf
        from keras.src.trainers.compile_utils import CompileMetrics

        original = CompileMetrics.update_state

        @tf.autograph.experimental.do_not_convert
        @functools.wraps(original)
        def update_state(this: Any, *args: Any, **kwargs: Any) -> Any:
            with tf.name_scope(METRICS):
                return original(this, *args, **kwargs)

        self._stack.enter_context(patch.object(CompileMetrics, "update_state", update_state))

    # ---- single operations ----

    def _watch_operations(self) -> None:
        from tensorflow.python import pywrap_tfe

        execute = pywrap_tfe.TFE_Py_FastPathExecute  # what Python calls an operation through

        @functools.wraps(execute)
        def executed(*args: Any, **kwargs: Any) -> Any:
            if getattr(self._open, "event", None) is None:
                place = _place_of_operation()
                if place:
                    self.seen.operations[self.in_pass, place] += 1
            return execute(*args, **kwargs)

        self._stack.enter_context(patch.object(pywrap_tfe, "TFE_Py_FastPathExecute", executed))

    def _watch_copies_of_tensors(self) -> None:
        """Note each operation that makes a longer, or a changed, copy of what it made last."""
        from tensorflow.python.ops import gen_array_ops

        for name, kind in _COPYING.items():
            self._watch_copying(gen_array_ops, name, kind)

    def _watch_copying(self, module: Any, name: str, kind: str) -> None:
        import tensorflow as tf

        operation = getattr(module, name)

        @functools.wraps(operation)
        def copied(*args: Any, **kwargs: Any) -> Any:
            is_part = getattr(self._open, "event", None) is not None
            place = "" if is_part or not tf.executing_eagerly() else _place_of_operation()
            if not place:
                return operation(*args, **kwargs)
            self.seen.operations[self.in_pass, place] += 1
            event = Event(kind, place=place)
            self._open.event = event
            begin = time.perf_counter()
            try:
                result = operation(*args, **kwargs)
            finally:
                event.seconds = time.perf_counter() - begin
                self._open.event = None
            if self._is_made_of_last(place, [*args, *kwargs.values()][0]):
                self._keep(event)
            self._last[place] = weakref.ref(result)
            return result

        self._stack.enter_context(patch.object(module, name, copied))

    def _is_made_of_last(self, place: str, inputs: Any) -> bool:
        """Return whether what a line of the program made last is one of the inputs."""
        last = self._last[place]() if place in self._last else None
        parts = inputs if isinstance(inputs, list | tuple) else [inputs]
        return last is not None and any(part is last for part in parts)

    # ---- Python inside graphs ----

    def _watch_python_in_graphs(self) -> None:
        """Note each call of a function of the program by numpy_function or py_function.

        They run in TensorFlow's threads, where a profile of the loop does not see them. One of
        TensorFlow's own drives the generator of a dataset: of it the generator is noted.
        """
        from tensorflow.python.ops import script_ops

        registry = type(script_ops._py_funcs)
        call = registry.__call__

        @functools.wraps(call)
        def called(this: Any, token: Any, *args: Any) -> Any:
            function = this.get(token)
            function = inspect.unwrap(getattr(function, "_func", function))
            event = _of_python(function, *args)
            if event is None:
                return call(this, token, *args)
            begin = time.thread_time()  # not what it waits: that overlaps with other calls
            try:
                return call(this, token, *args)
            finally:
                event.seconds = time.thread_time() - begin
                self._keep(event)

        self._stack.enter_context(patch.object(registry, "__call__", called))

    # ---- layers that look at data ----

    def _watch_preparing_layers(self) -> None:
        """Note each layer for texts, categories or statistics that is made, and each `adapt`."""
        import keras

        for name in ("TextVectorization", "StringLookup", "IntegerLookup", "Normalization"):
            layer = getattr(keras.layers, name)
            self._wrap(layer, "__init__", _of_new(PREPARE))
            self._wrap(layer, "adapt", _of_new(PREPARE))

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
        is_eager = getattr(model, "run_eagerly", False)
        event.eager = "run_eagerly=True" if is_eager else _switch_of_functions()
        event.rows = _rows_of_dataset(args, kwargs)
        return _with_input(event, _first_array(args, kwargs))

    return describe


def _rows_of_dataset(args: tuple[Any, ...], kwargs: dict[str, Any]) -> int | None:
    """Return how many rows a dataset among the arguments has, where it is known."""
    import tensorflow as tf

    for thing in (*args, *kwargs.values()):
        if not isinstance(thing, tf.data.Dataset) or not tf.executing_eagerly():
            continue
        first = tf.nest.flatten(thing.element_spec)[0]
        size = first.shape[0] if getattr(first, "shape", None) else None
        if size is None and hasattr(thing, "_batch_size"):  # the last batch may be smaller
            size = int(thing._batch_size)
        batches = int(thing.cardinality())
        if size is not None and batches >= 0:  # else it has no end, or it is not known
            return size * batches
    return None


def _switch_of_functions() -> str:
    """Return the switch that lets all functions run eagerly, if it is on."""
    import tensorflow as tf

    is_on = tf.config.functions_run_eagerly()
    return "tf.config.run_functions_eagerly(True)" if is_on else ""


def _of_new(kind: str) -> Callable[..., Event]:
    """Return a function that describes an object that is made."""
    return lambda this, *_, **__: Event(kind, type(this).__name__)


def _of_save(name: str) -> Callable[..., Event]:
    return lambda *_, **__: Event(SAVE, name)


def _is_long(values: list[Any] | tuple[Any, ...]) -> bool:
    """Return whether a list holds many numbers, and is no shape."""
    return _numbers_in(values) >= _MANY_NUMBERS


def _numbers_in(values: Any) -> int:
    """Return how many numbers a list holds, if its parts are all like the first one."""
    if isinstance(values, list | tuple):
        return len(values) * _numbers_in(values[0]) if values else 0
    return int(values.size) if type(values).__name__ == "ndarray" else 1


def _with_subclasses(kind: Any) -> Iterator[Any]:
    yield kind
    for subclass in kind.__subclasses__():
        yield from _with_subclasses(subclass)


def _of_update(metric: Any, *_: Any, **__: Any) -> Event | None:
    """Return the event of a metric that is updated from Python; none inside a graph."""
    import tensorflow as tf

    return Event(UPDATE, type(metric).__name__) if tf.executing_eagerly() else None


def _of_weights(path: Any) -> Event:
    return Event(WEIGHTS, f"load_weights of {Path(str(path)).name}")


def _of_upkeep(kind: str, name: str) -> Callable[..., Event | None]:
    """Return a function that describes a call of the program; what labkit calls is none."""

    def describe(*_: Any, **__: Any) -> Event | None:
        is_ours = Path(_place_of_caller().rpartition(":")[0]).is_relative_to(_OURS.parent)
        return None if is_ours else Event(kind, name)

    return describe


def _of_dataset(kind: str, name: str) -> Callable[..., Event | None]:
    """Return a function that describes a step in the making of a dataset, outside of graphs."""
    import tensorflow as tf

    return lambda *_, **__: Event(kind, name) if tf.executing_eagerly() else None


def _policy(layer: Any) -> str:
    """Return in which number type a layer, or the last one of a model, computes.

    Of a model with mixed precision that is float16: its last layer often computes in float32.
    """
    parts = getattr(layer, "layers", None) or [layer]
    types = [str(getattr(part, "compute_dtype", "")) for part in parts]
    return "float16" if "float16" in types else types[-1]


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
    event.owner = _owner_of(function._python_function)
    event.eager = _switch_of_functions()
    _note_tensors(event, (*args, *kwargs.values()))
    if function._jit_compile:
        arrays = [thing for thing in (*args, *kwargs.values()) if hasattr(thing, "shape")]
        event.shapes = ", ".join(str(tuple(array.shape)) for array in arrays)
    return _with_input(event, _first_array(args, kwargs))


def _owner_of(function: Any) -> str:
    """Return the class of the object that a decorated method belongs to; empty for a function."""
    method = getattr(function, "__wrapped__", function)
    held = getattr(getattr(method, "__self__", None), "weakrefself_target__", None)
    owner = None if held is None else held()
    return "" if owner is None else type(owner).__name__


def _of_concrete(function: Any, *_: Any, **__: Any) -> Event:
    """Describe a graph that is asked for: its inputs are descriptions, and have no rows."""
    described = _of_function(function)
    described.eager = ""
    return described


def _of_python(function: Any, *args: Any) -> Event | None:
    """Describe a function that a graph or a pipeline calls; None if it is TensorFlow's own."""
    place = place_of(function)
    if _package_of(place.rpartition(":")[0]):
        return _of_generator(function, *args)
    return Event(PYTHON, getattr(function, "__name__", "a function"), place=place)


def _of_generator(function: Any, _device: Any = None, inputs: Sequence[Any] = ()) -> Event | None:
    """Describe what a function of TensorFlow asks a generator for; None if it asks none."""
    names = function.__code__.co_freevars if hasattr(function, "__code__") else ()
    if "generator_state" not in names:
        return None
    state = function.__closure__[names.index("generator_state")].cell_contents
    try:
        generator = state.get_iterator(*inputs)
    except (AttributeError, LookupError, TypeError):  # its inside is TensorFlow's
        return None
    code = getattr(generator, "gi_code", None)
    if code is None:
        return Event(GENERATOR, type(generator).__name__)
    place = f"{code.co_filename}:{code.co_firstlineno}"
    name = "" if _package_of(code.co_filename) else code.co_qualname
    return Event(GENERATOR, name, place=place)


def place_of(function: Any) -> str:
    """Return where a Python function is defined; for a model its kind and name."""
    function = inspect.unwrap(getattr(function, "__func__", function))
    code = getattr(function, "__code__", None)
    if code is None:
        return f"{type(function).__name__} {getattr(function, 'name', '')}".strip()
    return f"{code.co_filename}:{code.co_firstlineno}"


def _note_tensors(event: Event, inputs: Sequence[Any]) -> None:
    """Note which tensors a call gets: TensorFlow numbers them, and no two have the same number."""
    numbers = []
    for thing in inputs:
        number = getattr(thing, "_id", None)
        if type(thing).__name__ != "EagerTensor" or number is None:
            numbers.append(object() if hasattr(thing, "shape") else None)  # an array may change
            continue
        numbers.append(number)
        if thing.shape.num_elements() * (thing.dtype.size or _SIZE_OF_TEXT) >= LARGE:
            shape = ", ".join(f"{length:,}" for length in thing.shape)
            event.large[number] = f"{thing.dtype.name}[{shape}]"
    event.inputs = tuple(numbers)


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
        event.shape = tuple(shape[1:])
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


def _callers() -> Iterator[tuple[str, int]]:
    """Yield file and line of each caller, the nearest one first."""
    frame = inspect.currentframe()
    while frame is not None:
        yield frame.f_code.co_filename, frame.f_lineno
        frame = frame.f_back


def _place_of_caller() -> str:
    """Return the first line outside TensorFlow, Keras, Python and this watch that led here."""
    for name, line in _callers():
        if not _package_of(name):
            return f"{name}:{line}"
    return ""


def _packages_of_caller() -> set[str]:
    """Return the packages between here and the program."""
    return {_package_of(name) for name in _files_between()}


def _files_between() -> list[str]:
    """Return the files between here and the program, the nearest one first."""
    found: list[str] = []
    for name, _ in _callers():
        if not _package_of(name):
            break
        found.append(name)
    return found


def _place_of_operation() -> str:
    """Return the line of the program that called an operation; empty if a model is made there."""
    if any(_makes_models(name) for name in _files_between()):
        return ""
    return _place_of_caller()


@functools.cache
def _makes_models(file_name: str) -> bool:
    """Return whether a file makes, converts, loads or trains models: what it calls is its own."""
    path = Path(file_name)
    for folder in _folders_of_packages().values():
        if folder in path.parents:
            return bool(_PARTS_OF_MODELS & set(path.relative_to(folder).parts))
    return False


def _folders_of_packages() -> dict[str, Path]:
    names = ("tensorflow", "keras")
    return {name: Path(sys.modules[name].__file__ or "").parent for name in names}


@functools.cache
def _package_of(file_name: str) -> str:
    """Return whose a file is if it is TensorFlow's, Keras', Python's own, or of this watch."""
    path = Path(file_name)
    if path.parent in (_OURS, _PYTHON) or file_name.startswith("<frozen"):
        return "python"
    for name, folder in _folders_of_packages().items():
        if folder in path.parents:
            return name
    return ""


def _some_numbers(array: Any) -> tuple[Any, ...]:
    """Return what two arrays with the same numbers have in common, from a few of them."""
    step = max(1, array.size // _SAMPLED)
    return array.shape, array.dtype.str, zlib.crc32(array.flat[::step].tobytes())


def _all_numbers(array: Any) -> int:
    return zlib.crc32(array.tobytes())


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
