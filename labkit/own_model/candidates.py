"""The candidates, slowest to fastest: how each calls a model, and why it cannot."""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..show import stop
from .litert import interpreter_and_places, interpreter_class
from .loading import LoadedModel

PREDICT = "predict"
CALL = "model(x)"
ON_BATCH = "predict_on_batch"
FUNCTION = "tf.function"
CONCRETE = "concrete function"
XLA = "XLA"
LITERT = "LiteRT"
ORT = "ONNX Runtime"
# In the order of the tables and pictures. These two are documented in __init__.py.
CANDIDATES = (PREDICT, CALL, ON_BATCH, FUNCTION, CONCRETE, XLA, LITERT, ORT)
IN_TENSORFLOW = (PREDICT, CALL, ON_BATCH, FUNCTION, CONCRETE, XLA, LITERT)

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
_ORT_PACKAGES = ("onnxruntime", "tf2onnx")
_ONNX_OPSET = 17

Run = Callable[[], list[Any]]


class CannotUse(Exception):
    """A candidate cannot be used; its text says why."""


class NotInstalled(CannotUse):
    """A candidate needs packages that this Python does not have."""


class NotSupported(CannotUse):
    """A candidate does not support this model."""


@dataclass
class Case:
    """A model with an input of one batch size: what every candidate gets.

    Attributes
    ----------
    loaded : LoadedModel
        The model.
    x : nested structure of array
        The input.
    spec : nested structure of tf.TensorSpec
        What it takes, the batch size included.
    """

    loaded: LoadedModel
    x: Any
    spec: Any


def prepare(name: str, case: Case) -> Run:
    """Return a function that calls the model through one candidate and returns NumPy arrays.

    Its first call may still trace or compile. Raises CannotUse if the candidate cannot be used.
    """
    return _PREPARE[name](case)


def numpy_of(result: Any) -> list[Any]:
    """Return the outputs as a flat list of NumPy arrays, in the order of tf.nest.

    A service needs the numbers, and on a GPU the work is done only when they are there.
    """
    import tensorflow as tf

    return [leaf.numpy() if hasattr(leaf, "numpy") else leaf for leaf in tf.nest.flatten(result)]


# ---- Keras ----


def _predict(case: Case) -> Run:
    import tensorflow as tf

    _require_keras(case)
    model, x = case.loaded.model, case.x
    batch_size = len(tf.nest.flatten(x)[0])
    return lambda: numpy_of(model.predict(x, batch_size=batch_size, verbose=0))


def _on_batch(case: Case) -> Run:
    _require_keras(case)
    model, x = case.loaded.model, case.x
    return lambda: numpy_of(model.predict_on_batch(x))


def _require_keras(case: Case) -> None:
    if not case.loaded.keras:
        raise NotSupported("a SavedModel contains graphs, and no Keras model with this method")


def _call(case: Case) -> Run:
    call, x = case.loaded.call, case.x
    return lambda: numpy_of(call(x))


# ---- graphs ----


def _function(case: Case) -> Run:
    import tensorflow as tf

    function = tf.function(case.loaded.call)
    x = case.x
    return lambda: numpy_of(function(x))


def _concrete(case: Case) -> Run:
    return _concrete_function(case, jit_compile=None)


def _xla(case: Case) -> Run:
    import tensorflow as tf

    if any(leaf.dtype == tf.string for leaf in tf.nest.flatten(case.spec)):
        # TensorFlow 2.21 raises an error the first times. Then it ends the whole process
        # (tensor.cc: Check failed).
        raise NotSupported("XLA compiles numbers only, and an input of this model is text")
    return _concrete_function(case, jit_compile=True)


def _concrete_function(case: Case, jit_compile: bool | None) -> Run:
    import tensorflow as tf

    function = tf.function(case.loaded.call, jit_compile=jit_compile)
    concrete = function.get_concrete_function(case.spec)
    x = case.x
    return lambda: numpy_of(concrete(x))


# ---- converted models ----


def _litert(case: Case) -> Run:
    import tensorflow as tf

    try:
        interpreter_class()  # before the conversion, which takes long
    except ImportError as error:
        raise NotInstalled(str(error)) from None
    function, specs = _flat_function(case)
    concrete = function.get_concrete_function(*specs)
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [concrete], _with_variables(case.loaded)
    )
    interpreter, places, outputs = interpreter_and_places(converter.convert())
    # An input that the model does not use is not in the converted one.
    feed = []
    for name, array in _arrays_by_name(case, specs).items():
        if name in places:
            feed.append((places[name], array))

    def run() -> list[Any]:
        for place, array in feed:
            interpreter.set_tensor(place, array)
        interpreter.invoke()
        return [interpreter.get_tensor(place) for place in outputs]

    return run


def missing_for_ort() -> list[str]:
    """Return the packages that ONNX Runtime needs and that are not installed."""
    return [name for name in _ORT_PACKAGES if importlib.util.find_spec(name) is None]


def _ort(case: Case) -> Run:
    missing = missing_for_ort()
    if missing:
        raise NotInstalled(f"pip install {' '.join(missing)} adds this candidate")
    with stop.deferred():  # half imported, they cannot be imported again
        import onnxruntime
        import tf2onnx

    function, specs = _flat_function(case)
    converted, _ = tf2onnx.convert.from_function(function, input_signature=specs, opset=_ONNX_OPSET)
    session = onnxruntime.InferenceSession(
        converted.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    arrays = _arrays_by_name(case, specs)
    feed = {}
    for node in session.get_inputs():
        name, _, _ = node.name.partition(":")
        feed[node.name] = arrays[name]
    outputs = sorted(node.name for node in session.get_outputs())
    return lambda: session.run(outputs, feed)


def _flat_function(case: Case) -> tuple[Any, list[Any]]:
    """Return a tf.function from named inputs to named outputs, and the specs of the inputs.

    Converters change the order of inputs and outputs, but keep these names.
    """
    import tensorflow as tf

    specs = []
    for i, leaf in enumerate(tf.nest.flatten(case.spec)):
        specs.append(tf.TensorSpec(leaf.shape, leaf.dtype, name=f"input_{i:03}"))

    def flat(*inputs: Any) -> dict[str, Any]:
        result = case.loaded.call(tf.nest.pack_sequence_as(case.spec, inputs))
        outputs = {}
        for i, tensor in enumerate(tf.nest.flatten(result)):
            # A model may return an input as it is, and a converter would then name the output
            # after the input. `identity` makes it a tensor of its own.
            outputs[f"output_{i:03}"] = tf.identity(tensor)
        return outputs

    return tf.function(flat), specs


def _with_variables(loaded: LoadedModel) -> Any:
    """Return an object in which LiteRT's converter finds the variables of a model."""
    import tensorflow as tf

    if not loaded.keras:
        return loaded.model
    module = tf.Module()  # the converter does not look into a Keras 3 model
    module.weights = [variable.value for variable in loaded.variables]
    module.model = loaded.model  # and the tables of its lookups
    return module


def _arrays_by_name(case: Case, specs: list[Any]) -> dict[str, Any]:
    """Return the input as NumPy arrays, by the names of `_flat_function`."""
    arrays = numpy_of(case.x)
    return {spec.name: array for spec, array in zip(specs, arrays, strict=True)}


_PREPARE: dict[str, Callable[[Case], Run]] = {
    PREDICT: _predict,
    CALL: _call,
    ON_BATCH: _on_batch,
    FUNCTION: _function,
    CONCRETE: _concrete,
    XLA: _xla,
    LITERT: _litert,
    ORT: _ort,
}
