"""Exercises of lesson 09: repair functions that break in a graph, and build one bridge."""

import contextlib
import random
import traceback
from collections.abc import Callable, Iterator
from typing import Any

from ...show.errors import one_line
from .engine import NotYet, agree, exercise, fresh_rows

WORKS = "What works inside your graph?"
LAYERS = "What AutoGraph does not reach"
NUMPY = "Can NumPy or SciPy come along?"

# What to write instead, by the method or attribute that a symbolic tensor, or a model, was asked
# for when the error came. The text of an error is only quoted: it changes from version to version.
CURES = {
    "predict": "the model itself: predict asks for the number of rows, and for NumPy at the end",
    "numpy": "nothing that asks for NumPy, as predict_on_batch does too",
    "__array__": "operations of TensorFlow in place of NumPy",
    "__bool__": "a choice without `if`: tf.where or tf.cond",
    "__iter__": "slices, or an operation on the whole tensor",
}
AFTER_A_LOOP = "what leaves a loop of the graph in a tf.TensorArray"
NUMBER_OF_ROWS = "the number of rows asked of the tensor: tf.shape(batch)[0], or -1 in a shape"
DECLARED_TYPE = "the type that the function returns in the bridge, and tf.cast behind it"
OTHER_CURE = "code that runs in a graph, for any number of rows"
BEHIND_A_BRIDGE = "smooth behind a bridge, such as tf.numpy_function"

BRIDGES = ("PyFunc", "EagerPyFunc", "PyFuncStateless")
PASSED_BY_A_REPAIR = "one graph for any number of rows, no bridge, results equal"


# ---- errors, and what to do about them ----


@contextlib.contextmanager
def _whole_tracebacks() -> Iterator[None]:
    """Keep the frames of TensorFlow and Keras in tracebacks: `_asked_for` reads them."""
    import keras
    import tensorflow as tf

    filtered_by_tensorflow = tf.debugging.is_traceback_filtering_enabled()
    filtered_by_keras = keras.config.is_traceback_filtering_enabled()
    tf.debugging.disable_traceback_filtering()
    keras.config.disable_traceback_filtering()
    try:
        yield
    finally:
        if filtered_by_tensorflow:
            tf.debugging.enable_traceback_filtering()
        if filtered_by_keras:
            keras.config.enable_traceback_filtering()


def _asked_for(error: BaseException) -> set[str]:
    """Return the methods and attributes of tensors and models that the error passed through."""
    import keras
    import tensorflow as tf

    names: set[str] = set()
    for part in _chain(error):
        for frame, _ in traceback.walk_tb(part.__traceback__):
            if isinstance(frame.f_locals.get("self"), (tf.Tensor, keras.Model)):
                names.add(frame.f_code.co_name)
        if isinstance(part, AttributeError) and isinstance(part.obj, tf.Tensor):
            names.add(str(part.name))
    return names


def _chain(error: BaseException) -> list[BaseException]:
    """Return the error and those behind it: AutoGraph and Keras raise new ones with more text."""
    chain: list[BaseException] = []
    part: BaseException | None = error
    while part is not None and part not in chain:
        chain.append(part)
        part = part.__cause__ or part.__context__
    return chain


def _reason(error: BaseException) -> str:
    """Return the kind of an error and the first sentence of its text."""
    return one_line(error, most=160).partition(". ")[0].rstrip(".")


def _cure(error: BaseException, step: Callable, inputs: int) -> str:
    """Return what to write instead of the code that raised an error while it was traced."""
    asked_for = _asked_for(error)
    for name, cure in CURES.items():
        if name in asked_for:
            return cure
    if type(error).__name__ == "InaccessibleTensorError":  # a class without a public name
        return AFTER_A_LOOP
    if _can_be_traced(step, (7, inputs)):
        return NUMBER_OF_ROWS
    return OTHER_CURE


# ---- graphs ----


def _calling(answer: Callable) -> Callable:
    """Return a function of one argument, whatever kind of callable the answer is."""

    def step(batch: Any) -> Any:
        return answer(batch)

    return step


def _trace(step: Callable, shape: tuple) -> Any:
    import tensorflow as tf

    graph = tf.function(step, input_signature=[tf.TensorSpec(shape)])
    return graph.get_concrete_function()


def _can_be_traced(step: Callable, shape: tuple) -> bool:
    try:
        _trace(step, shape)
    except Exception:
        return False
    return True


def _expect_graph(step: Callable, inputs: int, section: str, numpy_cure: str = "") -> Any:
    """Return step as a graph for any number of rows, or explain why it cannot be one."""
    try:
        with _whole_tracebacks():
            concrete = _trace(step, (None, inputs))
    except Exception as error:
        cure = _cure(error, step, inputs)
        if numpy_cure and cure == CURES["__array__"]:
            cure = numpy_cure
        raise NotYet(f"in a graph it raises {_reason(error)}", cure, section) from error
    if concrete.structured_outputs is None:
        raise NotYet("your function returned nothing", "a result: is a `return` missing?", section)
    return concrete


def _bridges(concrete: Any) -> list:
    """Return the operations that call back into Python, those in loops and functions included."""
    definition = concrete.graph.as_graph_def()
    nodes = list(definition.node)
    for function in definition.library.function:
        nodes.extend(function.node_def)
    return [node for node in nodes if node.op in BRIDGES]


def _expect_no_bridge(concrete: Any) -> None:
    number = len(_bridges(concrete))
    if number:
        noun = "bridge" if number == 1 else "bridges"
        raise NotYet(
            f"the graph calls back into Python, with {number} {noun}",
            "operations of TensorFlow only",
            NUMPY,
        )


def _check_repair(
    step: Callable,
    batches: list,
    wanted: Callable,
    section: str,
    explain: Callable[[Any, Any], None] | None = None,
) -> str:
    """Trace once for any number of rows, look for bridges, compare with the eager results.

    `explain` gets each batch and its result, and may raise `NotYet` for a slip that it knows.
    """
    import tensorflow as tf

    concrete = _expect_graph(step, batches[0].shape[1], section)
    _expect_no_bridge(concrete)
    for batch in batches:
        where = f"for {len(batch)} rows"
        try:
            got = concrete(tf.constant(batch))
        except Exception as error:
            raise NotYet(
                f"{where}, the graph raises {_reason(error)}",
                "one graph for any number of rows",
                section,
            ) from error
        if explain:
            explain(batch, got)
        agree(got, wanted(batch), where, section)
    return PASSED_BY_A_REPAIR


def _batches(inputs: int = 10, smallest: int = 2) -> list:
    """Return three batches of numbers on both sides of zero."""
    sizes = (7, random.randrange(8, 60), smallest)
    return [fresh_rows(n, inputs) - 0.5 for n in sizes]


# ---- 09.1 ----


@exercise(
    "09.1",
    "repair a function: predict in a graph",
    section=WORKS,
    hints=(
        "Which ways to ask a model return tensors, and which return NumPy?",
        "The model is a function of a tensor: call it.",
        "return model(batch)",
    ),
)
def _check_score(score: Any) -> str:
    from ..models import mlp

    model = mlp(seed=random.randrange(1000))

    def step(batch: Any) -> Any:
        return score(model, batch)

    return _check_repair(step, _batches(smallest=1), model, WORKS)


# ---- 09.2 ----


@exercise(
    "09.2",
    "repair a function: NumPy in a graph",
    section=NUMPY,
    hints=(
        "Which operations of TensorFlow do what np.mean and np.std do?",
        "`tf.reduce_mean(batch, axis=0)` and `tf.math.reduce_std(batch, axis=0)`.",
        "return (batch - tf.reduce_mean(batch, axis=0)) / ...",
    ),
)
def _check_standard(standard: Any) -> str:
    def wanted(batch: Any) -> Any:
        return (batch - batch.mean(axis=0)) / batch.std(axis=0)

    return _check_repair(_calling(standard), _batches(), wanted, NUMPY)


# ---- 09.3 ----


@exercise(
    "09.3",
    "repair a function: an if in a Keras layer",
    section=LAYERS,
    hints=(
        "Who calls the `call` of a layer, and does AutoGraph rewrite it there?",
        "`tf.where(condition, a, b)` chooses between two values, and the condition may be one "
        "truth value for all.",
        "return tf.where(tf.reduce_mean(batch) > 0.5, ..., ...)",
    ),
)
def _check_soften(soften: Any) -> str:
    import keras
    import numpy as np

    class Soften(keras.layers.Layer):
        def call(self, batch: Any) -> Any:
            return soften(batch)

    def wanted(batch: Any) -> Any:
        return batch / 2 if batch.mean() > 0.5 else batch

    # The mean of a batch lies near 0.5, so that the means of single rows lie on both sides of it.
    batches = []
    for batch in _batches():
        for mean in (0.47, 0.53):
            batches.append(batch - batch.mean() + np.float32(mean))
    batches.append(np.full((4, 10), 0.5, np.float32))  # no more than 0.5
    return _check_repair(Soften(), batches, wanted, LAYERS, _expect_one_decision)


def _expect_one_decision(batch: Any, got: Any) -> None:
    """Raise `NotYet` if a part of the batch was halved and another one was not."""
    import numpy as np

    got = np.asarray(got)
    if got.shape != batch.shape:
        return
    is_clear = np.abs(batch) > 1e-3  # half of nearly nothing is nearly nothing
    was_halved = is_clear & np.isclose(got, batch / 2)
    was_kept = is_clear & np.isclose(got, batch)
    if was_halved.any() and was_kept.any():
        raise NotYet(
            "a part of the batch was halved, and another part was not",
            "one decision for the whole batch",
            LAYERS,
        )


# ---- 09.4 ----


class _Smooth:
    """A NumPy function from float64 to float64 that remembers how often it ran."""

    def __init__(self) -> None:
        self.runs = 0

    def __call__(self, batch: Any) -> Any:
        import numpy as np

        batch = np.asarray(batch, np.float64)
        self.runs += 1
        return np.cumsum(batch, axis=-1) / np.arange(1, 11)


@exercise(
    "09.4",
    "build a bridge with shape and type (stretch)",
    section=NUMPY,
    hints=(
        "Which type does `smooth` return, and what does the graph know about the shape behind a "
        "bridge?",
        "`tf.numpy_function(smooth, [batch], tf.float64)`, then `tf.cast`, and "
        "`tf.ensure_shape(..., (None, 10))`.",
        "answers = tf.numpy_function(smooth, [batch], ...); "
        "return tf.cast(tf.ensure_shape(answers, (None, ...)), tf.float32)",
    ),
)
def _check_bridged(bridged: Any) -> str:
    smooth = _Smooth()

    def step(batch: Any) -> Any:
        return bridged(batch, smooth)

    concrete = _expect_graph(step, 10, NUMPY, numpy_cure=BEHIND_A_BRIDGE)
    if not _bridges(concrete):
        raise NotYet(
            "there is no bridge in the graph", "smooth, called whenever the graph runs", NUMPY
        )
    for batch in _batches(smallest=1):
        _cross_bridge(concrete, smooth, batch)
    _expect_known_output(concrete)
    return "one run of Python for each batch, shape and type known"


def _cross_bridge(concrete: Any, smooth: _Smooth, batch: Any) -> None:
    """Run the graph for one batch; count the runs of `smooth`, and compare the result."""
    import tensorflow as tf

    where = f"for {len(batch)} rows"
    smooth.runs = 0
    try:
        got = concrete(tf.constant(batch))
    except Exception as error:
        cure = OTHER_CURE if _declares_float64(concrete) else DECLARED_TYPE
        raise NotYet(f"{where}, the graph raises {_reason(error)}", cure, NUMPY) from error
    if smooth.runs != 1:
        raise NotYet(
            f"{where}, smooth ran {smooth.runs} times", "once, with the whole batch", NUMPY
        )
    agree(got, smooth(batch), where, NUMPY)


def _declares_float64(concrete: Any) -> bool:
    """Return whether each bridge is said to return what `smooth` returns."""
    import tensorflow as tf

    for node in _bridges(concrete):
        for declared in node.attr["Tout"].list.type:
            if declared != tf.float64:
                return False
    return True


def _expect_known_output(concrete: Any) -> None:
    import tensorflow as tf

    output = concrete.outputs[0]
    if output.dtype != tf.float32:
        raise NotYet(
            f"a tensor of {output.dtype.name}", "float32: tf.cast behind the bridge", NUMPY
        )
    if output.shape.rank != 2 or output.shape[1] != 10:
        raise NotYet(
            f"the graph knows the shape as {output.shape}, and no layer can be built behind it",
            "(None, 10): say it with tf.ensure_shape",
            NUMPY,
        )
