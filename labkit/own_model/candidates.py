"""The ways to call a model, slowest to fastest: how each is prepared, and why one cannot be."""

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .litert import interpreter_class
from .loading import Subject

# In the order of the ladder.
PREDICT, CALL, ON_BATCH, FUNCTION = "predict", "model(x)", "predict_on_batch", "tf.function"
CONCRETE, XLA, LITERT, ORT = "concrete function", "XLA", "LiteRT", "ONNX Runtime"
LADDER = (PREDICT, CALL, ON_BATCH, FUNCTION, CONCRETE, XLA, LITERT, ORT)
IN_TENSORFLOW = LADDER[:-1]  # all that TensorFlow's own package brings
WHAT = {
    PREDICT: "model.predict(x, verbose=0)",
    CALL: "model(x, training=False)",
    ON_BATCH: "model.predict_on_batch(x)",
    FUNCTION: "a tf.function around model(x, training=False)",
    CONCRETE: "one graph of the tf.function, taken out with get_concrete_function",
    XLA: "a concrete function with jit_compile=True, for this shape only",
    LITERT: "the model converted for this shape and run by the interpreter of LiteRT",
    ORT: "the model converted to ONNX, run by ONNX Runtime",
}


class Impossible(Exception):
    """A rung that this model or this machine does not have; its text says why."""


class Refused(Impossible):
    """A rung that this model cannot take; its text says why."""


@dataclass
class Job:
    """A model with an input of one batch size: what every rung gets.

    Attributes
    ----------
    subject : Subject
        The model.
    x : nested structure of array
        The input.
    spec : nested structure of tf.TensorSpec
        What it takes, the batch included.
    """

    subject: Subject
    x: Any
    spec: Any


def prepare(name: str, job: Job) -> Callable[[], list[Any]]:
    """Return a callable that answers the input by one rung: NumPy in, a list of NumPy arrays out.

    Parameters
    ----------
    name : str
        One of `LADDER`.
    job : Job
        Model and input.

    Returns
    -------
    callable
        Its first call may still trace or compile.

    Raises
    ------
    Impossible
        The rung does not exist here, with the reason.
    """
    if name in (PREDICT, ON_BATCH) and not job.subject.keras:
        raise Impossible("a SavedModel holds graphs, and no Keras model that could predict")
    return _PREPARE[name](job)


def numpy_of(result: Any) -> list[Any]:
    """Return the outputs as a flat list of NumPy arrays, in TensorFlow's order of a structure.

    Parameters
    ----------
    result : nested structure of tensor
        Of any rung.

    Returns
    -------
    list of numpy.ndarray
        A service needs the numbers, and on a GPU only then the work is done.
    """
    import tensorflow as tf

    return [t.numpy() if hasattr(t, "numpy") else t for t in tf.nest.flatten(result)]


def _predict(job: Job) -> Callable:
    import tensorflow as tf

    model, x, rows = job.subject.model, job.x, len(tf.nest.flatten(job.x)[0])
    return lambda: numpy_of(model.predict(x, batch_size=rows, verbose=0))


def _on_batch(job: Job) -> Callable:
    model, x = job.subject.model, job.x
    return lambda: numpy_of(model.predict_on_batch(x))


def _call(job: Job) -> Callable:
    call, x = job.subject.call, job.x
    return lambda: numpy_of(call(x))


def _function(job: Job) -> Callable:
    import tensorflow as tf

    function, x = tf.function(job.subject.call), job.x
    return lambda: numpy_of(function(x))


def _concrete(job: Job, **options: Any) -> Callable:
    import tensorflow as tf

    function, x = tf.function(job.subject.call, **options).get_concrete_function(job.spec), job.x
    return lambda: numpy_of(function(x))


def _xla(job: Job) -> Callable:
    import tensorflow as tf

    if any(s.dtype == tf.string for s in tf.nest.flatten(job.spec)):
        # TensorFlow 2.21 raises an error the first times, and then ends the whole process (tensor.cc: Check failed).
        raise Refused("XLA compiles numbers only, and an input of this model is text")
    return _concrete(job, jit_compile=True)


def _flat_graph(job: Job) -> tuple[Any, list[Any]]:
    """Return a tf.function from named inputs to named outputs, and what it takes: converters keep the names."""
    import tensorflow as tf

    leaves = tf.nest.flatten(job.spec)
    named = [tf.TensorSpec(s.shape, s.dtype, name=f"input_{i:03}") for i, s in enumerate(leaves)]

    def flat(*inputs: Any) -> dict[str, Any]:
        outputs = job.subject.call(tf.nest.pack_sequence_as(job.spec, inputs))
        # A model may hand an input through, and a converter would then give that output the name of the input.
        return {f"output_{i:03}": tf.identity(t) for i, t in enumerate(tf.nest.flatten(outputs))}

    return tf.function(flat), named


def _litert(job: Job) -> Callable:
    import tensorflow as tf

    try:
        kind, _ = interpreter_class()
    except ImportError as error:
        raise Impossible(str(error)) from None
    function, named = _flat_graph(job)
    tracked = job.subject.model
    if job.subject.keras:  # the converter does not find the variables of a Keras 3 model by itself
        tracked = tf.Module()
        tracked.weights = [v.value for v in job.subject.variables]
        tracked.model = job.subject.model  # and the tables of its lookups
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [function.get_concrete_function(*named)], tracked
    )
    flat_buffer = converter.convert()
    ins, outs = _places(kind(model_content=flat_buffer))
    interpreter = kind(model_content=flat_buffer)
    interpreter.allocate_tensors()
    arrays = [a.numpy() if tf.is_tensor(a) else a for a in tf.nest.flatten(job.x)]
    # An input that the model does not use is left out of the converted one.
    feed = [
        (ins[spec.name], array)
        for spec, array in zip(named, arrays, strict=True)
        if spec.name in ins
    ]

    def run() -> list[Any]:
        for index, array in feed:
            interpreter.set_tensor(index, array)
        interpreter.invoke()
        return [interpreter.get_tensor(index) for index in outs]

    return run


def _places(interpreter: Any) -> tuple[dict[str, int], list[int]]:
    """Return where inputs (by name) and outputs (in order) lie: the converter sorts them in a way of its own."""
    runner = (
        interpreter.get_signature_runner()
    )  # it forbids `invoke`, hence an interpreter for this question alone
    ins = {name: d["index"] for name, d in runner.get_input_details().items()}
    return ins, [d["index"] for _, d in sorted(runner.get_output_details().items())]


def missing_for_ort() -> list[str]:
    """Return which packages ONNX Runtime would need and this Python has not.

    Returns
    -------
    list of str
        Empty when the rung can be tried.
    """
    return [name for name in ("onnxruntime", "tf2onnx") if importlib.util.find_spec(name) is None]


def _ort(job: Job) -> Callable:
    import tensorflow as tf

    if missing := missing_for_ort():
        raise Impossible(
            f"not installed: {' and '.join(missing)}; pip install {' '.join(missing)} adds this rung"
        )
    import onnxruntime
    import tf2onnx

    function, named = _flat_graph(job)
    onnx, _ = tf2onnx.convert.from_function(function, input_signature=named, opset=17)
    session = onnxruntime.InferenceSession(
        onnx.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    arrays = [a.numpy() if tf.is_tensor(a) else a for a in tf.nest.flatten(job.x)]
    known = {i.name.split(":")[0]: i.name for i in session.get_inputs()}
    feed = {known[s.name]: array for s, array in zip(named, arrays, strict=True) if s.name in known}
    order = sorted(o.name for o in session.get_outputs())
    return lambda: session.run(order, feed)


_PREPARE = {
    PREDICT: _predict,
    CALL: _call,
    ON_BATCH: _on_batch,
    FUNCTION: _function,
    CONCRETE: _concrete,
    XLA: _xla,
    LITERT: _litert,
    ORT: _ort,
}
