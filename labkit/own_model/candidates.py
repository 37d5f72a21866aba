"""The candidates, slowest to fastest: how each calls a model, and why it cannot."""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..measure.system import cores
from ..show import stop
from .litert import interpreter_and_places, interpreter_class
from .loaded_model import LoadedModel

PREDICT = "predict"
CALL = "model(x)"
ON_BATCH = "predict_on_batch"
FUNCTION = "tf.function"
CONCRETE = "concrete function"
XLA = "XLA"
LITERT = "LiteRT"
ORT = "ONNX Runtime"
ALL_THREADS = "all threads"  # of a file that is measured as it is
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
    ALL_THREADS: "the same file with a thread for each processor",
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


@dataclass(frozen=True)
class Converted:
    """A model in another format, for one batch size.

    Attributes
    ----------
    content : bytes
        The file.
    inputs : list of int, str or None
        How each input is called in it, in the order of tf.nest; None for one that it does not use.
    outputs : list of int or str
        How the outputs are called, in the order of tf.nest.
    """

    content: bytes
    inputs: list[Any]
    outputs: list[Any]


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
    threads : int or None
        How many threads one call of LiteRT or ONNX Runtime may use; None leaves it to them.
    converted : dict of str to Converted
        What the converters have made of it, by candidate.
    """

    loaded: LoadedModel
    x: Any
    spec: Any
    threads: int | None = None
    converted: dict[str, Converted] = field(default_factory=dict)


def candidates_for(loaded: LoadedModel) -> tuple[str, ...]:
    """Return the candidates that there are for a model, in the order of the tables."""
    if loaded.runtime:
        return (CALL, ALL_THREADS)
    return CANDIDATES


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
        kind = case.loaded.kind
        raise NotSupported(f"a {kind} contains graphs, and no Keras model with this method")


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


# ---- files that are measured as they are ----


def _all_threads(case: Case) -> Run:
    threads = case.threads or cores()
    if threads == 1:
        raise NotSupported(f"{CALL} uses one thread already, and there is one processor")
    if case.loaded.with_threads is None:
        raise NotSupported("TensorFlow uses all processors already")
    call, x = case.loaded.with_threads(threads), case.x
    return lambda: numpy_of(call(x))


# ---- converted models ----


def _litert(case: Case) -> Run:
    try:
        interpreter_class()  # before the conversion, which takes long
    except ImportError as error:
        raise NotInstalled(str(error)) from None
    content = litert_file(case)
    case.converted[LITERT] = litert_converted(content, case)
    return litert_run(case, case.converted[LITERT])


def litert_file(case: Case, set_options: Callable[[Any], None] | None = None) -> bytes:
    """Return a model converted for LiteRT; `set_options` gets the converter before it starts."""
    import tensorflow as tf

    function, specs = _flat_function(case)
    concrete = function.get_concrete_function(*specs)
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [concrete], _with_variables(case.loaded)
    )
    if set_options is not None:
        set_options(converter)
    return converter.convert()


def litert_converted(content: bytes, case: Case) -> Converted:
    """Return a file of LiteRT together with the places of its inputs and outputs."""
    import tensorflow as tf

    _, places, outputs = interpreter_and_places(content)
    count = len(tf.nest.flatten(case.spec))
    # An input that the model does not use is not in the converted one.
    inputs = [places.get(_input_name(i)) for i in range(count)]
    return Converted(content, inputs, outputs)


def litert_run(case: Case, converted: Converted) -> Run:
    """Return a function that calls a converted model through an interpreter of its own."""
    interpreter, _, outputs = interpreter_and_places(converted.content, case.threads)
    feed = []
    for place, array in zip(converted.inputs, numpy_of(case.x), strict=True):
        if place is not None:
            feed.append((place, array))

    def run() -> list[Any]:
        for place, array in feed:
            interpreter.set_tensor(place, array)
        interpreter.invoke()
        return [interpreter.get_tensor(place) for place in outputs]

    return run


def litert_call(case: Case, converted: Converted) -> Callable[[Any], list[Any]]:
    """Return a function that calls a converted model with one input after another."""
    interpreter, _, outputs = interpreter_and_places(converted.content, case.threads)

    def call(x: Any) -> list[Any]:
        for place, array in zip(converted.inputs, numpy_of(x), strict=True):
            if place is not None:
                interpreter.set_tensor(place, array)
        interpreter.invoke()
        return [interpreter.get_tensor(place) for place in outputs]

    return call


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
    model, _ = tf2onnx.convert.from_function(function, input_signature=specs, opset=_ONNX_OPSET)
    content = model.SerializeToString()
    options = onnxruntime.SessionOptions()
    if case.threads is not None:
        options.intra_op_num_threads = case.threads
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    nodes = {node.name.partition(":")[0]: node.name for node in session.get_inputs()}
    inputs = [nodes.get(spec.name) for spec in specs]
    outputs = sorted(node.name for node in session.get_outputs())
    case.converted[ORT] = Converted(content, inputs, outputs)
    feed = {}
    for name, array in zip(inputs, numpy_of(case.x), strict=True):
        if name is not None:
            feed[name] = array
    return lambda: session.run(outputs, feed)


def _flat_function(case: Case) -> tuple[Any, list[Any]]:
    """Return a tf.function from named inputs to named outputs, and the specs of the inputs.

    Converters change the order of inputs and outputs, but keep these names.
    """
    import tensorflow as tf

    specs = []
    for i, leaf in enumerate(tf.nest.flatten(case.spec)):
        specs.append(tf.TensorSpec(leaf.shape, leaf.dtype, name=_input_name(i)))

    def flat(*inputs: Any) -> dict[str, Any]:
        result = case.loaded.call(tf.nest.pack_sequence_as(case.spec, inputs))
        outputs = {}
        for i, tensor in enumerate(tf.nest.flatten(result)):
            # A model may return an input as it is, and a converter would then name the output
            # after the input. `identity` makes it a tensor of its own.
            outputs[f"output_{i:03}"] = tf.identity(tensor)
        return outputs

    return tf.function(flat), specs


def _input_name(i: int) -> str:
    """Return what `_flat_function` calls an input."""
    return f"input_{i:03}"


def _with_variables(loaded: LoadedModel) -> Any:
    """Return an object in which LiteRT's converter finds the variables of a model."""
    import tensorflow as tf

    if not loaded.keras:
        return loaded.model
    module = tf.Module()  # the converter does not look into a Keras 3 model
    module.weights = [variable.value for variable in loaded.variables]
    module.model = loaded.model  # and the tables of its lookups
    return module


_PREPARE: dict[str, Callable[[Case], Run]] = {
    PREDICT: _predict,
    CALL: _call,
    ON_BATCH: _on_batch,
    FUNCTION: _function,
    CONCRETE: _concrete,
    XLA: _xla,
    LITERT: _litert,
    ORT: _ort,
    ALL_THREADS: _all_threads,
}
