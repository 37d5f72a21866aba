"""Exercises of lesson 07: the graph doctor, and one bridge."""

import random
import re
from collections.abc import Callable
from typing import Any

from .engine import NotYet, agree, exercise

WORKS = "Which of them works inside your graph?"
LOOP = "What becomes of a loop in your own predict?"
SCIPY = "Can SciPy come along?"
BREAKS = "It breaks like this"

# By a part of the error's text: what to do about it.
CURES = {
    "int() argument": "the model itself: predict asks for the number of rows, and for NumPy at the end",
    "'SymbolicTensor' object has no attribute 'numpy'": "nothing that asks for NumPy, as predict_on_batch does too",
    "to a numpy array": "operations of TensorFlow where NumPy stands",
    "as a Python `bool`": "a choice without `if`: tf.where or tf.cond",
    "Iterating over": "slices, or an operation on the whole tensor",
    "out of scope": "what leaves a loop of the graph in a tf.TensorArray",
    "'NoneType' object": "the number of rows asked of the tensor: tf.shape(batch)[0]",
    "elements of (None": "the number of rows asked of the tensor: tf.shape(batch)[0], or -1",
    "Cannot infer argument": "an axis whose length is known while tracing",
    "but expects": "the type that the function returns in the bridge, and tf.cast behind it",
}


def _reason(error: Exception) -> str:
    """Return the kind of an error and the first sentence of its text, without the places that AutoGraph adds."""
    text = " ".join(re.sub(r"\x1b\[[0-9;]*m", "", str(error)).split())
    text = re.sub(r"^in user code: .*\b\w*(?:Error|Exception): ", "", text)
    text = re.sub(r"^Exception encountered when calling \S+ ", "", text)
    text = re.sub(r'^Graph execution error: .*File "[^"]*", line \d+, in \S+ ', "", text)
    found = re.search(
        r"\d+-th value returned by \S+ is \w+, but expects \w+", text
    )  # it stands behind file names
    return f"{type(error).__name__}: {found[0] if found else text.partition('. ')[0][:160]}"


def _advice(error: Exception) -> str:
    return next(
        (cure for part, cure in CURES.items() if part in str(error)),
        "code that runs in a graph, for any n",
    )


def _nodes(concrete: Any) -> list[str]:
    """Return the types of all operations, those in loops and in functions called from the graph included."""
    definition = concrete.graph.as_graph_def()
    return [
        n.op
        for part in (definition.node, *(f.node_def for f in definition.library.function))
        for n in part
    ]


def _traced(step: Callable, inputs: int, section: str, instead_of_numpy: str = "") -> Any:
    """Return step as a graph for any number of rows, or say in words why it is none."""
    import tensorflow as tf

    graph = tf.function(step, input_signature=[tf.TensorSpec((None, inputs))])
    try:
        concrete = graph.get_concrete_function()
    except Exception as error:
        cure = instead_of_numpy if "to a numpy array" in str(error) else ""
        raise NotYet(
            f"in a graph it raises {_reason(error)}", cure or _advice(error), section
        ) from error
    if concrete.structured_outputs is None:
        raise NotYet("your function returned nothing", "a result: is a `return` missing?", section)
    return concrete


def _bridges(concrete: Any) -> int:
    return sum(op in ("PyFunc", "EagerPyFunc", "PyFuncStateless") for op in _nodes(concrete))


def _cured(step: Callable, batches: list, wanted: Callable, section: str) -> str:
    """Trace once for any number of rows, look for bridges, compare with the eager answers."""
    import tensorflow as tf

    concrete = _traced(step, batches[0].shape[1], section)
    if bridges := _bridges(concrete):
        said = f"the graph calls back into Python, with {bridges} bridge{'s' * (bridges > 1)}"
        raise NotYet(said, "operations of TensorFlow only", SCIPY)
    for batch in batches:
        where = f"for {len(batch)} rows"
        try:
            got = concrete(tf.constant(batch))
        except Exception as error:
            said = f"{where}, the graph raises {_reason(error)}"
            raise NotYet(said, "one graph for any number of rows", section) from error
        agree(got, wanted(batch), where, section)
    return "one graph for any number of rows, no bridge, results equal"


def _batches(inputs: int = 10, least: int = 2) -> list:
    from ..models import random_rows

    sizes = [7, random.randrange(8, 60), least]
    return [random_rows(n, inputs=inputs, seed=random.randrange(10_000)) for n in sizes]


@exercise(
    "07.1",
    "the doctor: predict in a graph",
    section=WORKS,
    hints=(
        "Which ways to ask a model return tensors, and which return NumPy?",
        "The model is a function of a tensor: call it.",
        "return model(batch)",
    ),
)
def _predict(score: Any) -> str:
    from ..models import mlp

    model = mlp(seed=random.randrange(1000))

    def step(batch: Any) -> Any:
        return score(model, batch)

    return _cured(step, _batches(least=1), model, WORKS)


@exercise(
    "07.2",
    "the doctor: NumPy in a graph",
    section=BREAKS,
    hints=(
        "Which operations of TensorFlow do what np.mean and np.std do?",
        "`tf.reduce_mean(batch, axis=0)` and `tf.math.reduce_std(batch, axis=0)`.",
        "return (batch - tf.reduce_mean(batch, axis=0)) / ...",
    ),
)
def _standard(standard: Any) -> str:
    def step(batch: Any) -> Any:
        return standard(batch)

    return _cured(
        step, _batches(), lambda batch: (batch - batch.mean(axis=0)) / batch.std(axis=0), BREAKS
    )


@exercise(
    "07.3",
    "the doctor: an if in a Keras layer",
    section=BREAKS,
    hints=(
        "Who calls the `call` of a layer, and does AutoGraph rewrite it there?",
        "`tf.where(condition, a, b)` chooses between two values, and the condition may be one truth value for all.",
        "return tf.where(tf.reduce_mean(batch) > 0.5, ..., ...)",
    ),
)
def _layer(soften: Any) -> str:
    import keras
    import numpy as np

    class Soften(keras.layers.Layer):
        def call(self, batch: Any) -> Any:
            return soften(batch)

    # The mean of all near 0.5, so that the means of single rows lie on both sides of it.
    batches = [
        batch - batch.mean() + np.float32(mean) for batch in _batches() for mean in (0.47, 0.53)
    ]
    return _cured(
        Soften(), batches, lambda batch: batch / 2 if batch.mean() > 0.5 else batch, BREAKS
    )


@exercise(
    "07.4",
    "the doctor: taking a tensor apart",
    section=BREAKS,
    hints=(
        "How do you name one column of a batch, without going through its items?",
        "`points[:, 0]` is a column; `tf.unstack(points, axis=1)` gives both, for there are two.",
        "return tf.atan2(points[:, ...], points[:, ...])",
    ),
)
def _angles(angles: Any) -> str:
    import numpy as np

    def step(points: Any) -> Any:
        return angles(points)

    batches = [batch - np.float32(0.5) for batch in _batches(inputs=2, least=1)]
    return _cured(step, batches, lambda points: np.arctan2(points[:, 1], points[:, 0]), BREAKS)


@exercise(
    "07.5",
    "the doctor: a list in a loop of the graph",
    section=LOOP,
    hints=(
        "What can a loop over tf.range fill, if not a list?",
        "`found = tf.TensorArray(tf.float32, size=tf.shape(batch)[0])`, then `found = found.write(i, best)` in the "
        "loop: what `write` returns is the array to go on with.",
        "Keep the loop, replace the list by the array, and return found.stack().",
    ),
)
def _highest(highest: Any) -> str:
    import numpy as np

    def step(batch: Any) -> Any:
        return highest(batch)

    return _cured(step, _batches(least=1), lambda batch: np.maximum.accumulate(batch, axis=0), LOOP)


@exercise(
    "07.6",
    "the doctor: an open number of rows",
    section=LOOP,
    hints=(
        "What is `batch.shape[0]` while tracing, and who knows the number of rows when the graph runs?",
        "`tf.shape(batch)[0]` is a tensor; in tf.reshape, -1 stands for whatever is left.",
        "return tf.reshape(batch, (..., 5, 2))",
    ),
)
def _pairs(pairs: Any) -> str:
    def step(batch: Any) -> Any:
        return pairs(batch)

    return _cured(step, _batches(least=1), lambda batch: batch.reshape(-1, 5, 2), LOOP)


@exercise(
    "07.7",
    "build a bridge with shape and type (stretch)",
    section=SCIPY,
    hints=(
        "Which type does `smooth` return, and what does the graph know about the shape behind a bridge?",
        "`tf.numpy_function(smooth, [batch], tf.float64)`, then `tf.cast`, and `tf.ensure_shape(..., (None, 10))`.",
        "answers = tf.numpy_function(smooth, [batch], ...); "
        "return tf.cast(tf.ensure_shape(answers, (None, ...)), tf.float32)",
    ),
)
def _bridged(bridged: Any) -> str:
    import numpy as np
    import tensorflow as tf

    ran: list = []

    def smooth(batch: Any) -> Any:
        batch = np.asarray(batch, np.float64)
        ran.append(batch.shape)
        return np.cumsum(batch, axis=-1) / np.arange(1, 11)

    def step(batch: Any) -> Any:
        return bridged(batch, smooth)

    concrete = _traced(step, 10, SCIPY, "smooth behind a bridge, such as tf.numpy_function")
    if not _bridges(concrete):
        raise NotYet(
            "there is no bridge in the graph", "smooth, called whenever the graph runs", SCIPY
        )
    for batch in _batches(least=1):
        ran.clear()
        where = f"for {len(batch)} rows"
        try:
            got = concrete(tf.constant(batch))
        except Exception as error:
            raise NotYet(
                f"{where}, the graph raises {_reason(error)}", _advice(error), SCIPY
            ) from error
        if len(ran) != 1:
            raise NotYet(
                f"{where}, smooth ran {len(ran)} times", "once, with the whole batch", SCIPY
            )
        agree(got, smooth(batch), where, SCIPY)
    output = concrete.outputs[0]
    if output.dtype != tf.float32:
        raise NotYet(
            f"a tensor of {output.dtype.name}", "float32: tf.cast behind the bridge", SCIPY
        )
    if output.shape.rank != 2 or output.shape[1] != 10:
        said = f"the graph knows the shape as {output.shape}, and no layer can be built behind it"
        raise NotYet(said, "(None, 10): say it with tf.ensure_shape", SCIPY)
    return "one run of Python for each batch, shape and type known"
