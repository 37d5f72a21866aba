"""Load a file for another runtime than TensorFlow, to measure it as what it is."""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..show import stop
from .causes import last_cause
from .litert import interpreter_class
from .loaded_model import LoadedModel
from .paths import LITERT_FILE, BadModel
from .silence import silence_all

LITERT_RUNTIME = "LiteRT"
ONNX_RUNTIME = "ONNX Runtime"

_ONNX_DTYPES = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(float16)": "float16",
    "tensor(bool)": "bool",
    "tensor(string)": "string",
}


def load_for_runtime(path: Path, kind: str) -> LoadedModel:
    """Load a .tflite or .onnx file; its call uses one thread."""
    if kind == LITERT_FILE:
        return _load_litert(path)
    return _load_onnx(path)


def _loaded(
    path: Path, kind: str, runtime: str, spec: Any, with_threads: Callable[[int], Any], model: Any
) -> LoadedModel:
    note = f"model(x) is a call of {runtime} with one thread, of this file as it is"
    return LoadedModel(
        path.name,
        kind,
        with_threads(1),
        spec,
        model,
        keras=False,
        weights=list,
        notes=[note],
        runtime=runtime,
        with_threads=with_threads,
    )


# ---- LiteRT ----


def _load_litert(path: Path) -> LoadedModel:
    try:
        make, _ = interpreter_class()
    except ImportError as error:
        raise BadModel(f"{path.name} needs an interpreter of LiteRT: {error}") from None
    content = path.read_bytes()
    try:
        with silence_all():
            interpreter = make(model_content=content)
            spec = _litert_spec(interpreter)
            interpreter.allocate_tensors()
    except Exception as error:
        stop.raise_if_requested()
        raise BadModel(_why_no_interpreter(path.name, error)) from None
    names = sorted(spec)

    def with_threads(threads: int) -> Callable[[Any], Any]:
        return _LitertCall(content, names, threads)

    return _loaded(path, LITERT_FILE, LITERT_RUNTIME, spec, with_threads, interpreter)


def _why_no_interpreter(name: str, error: Exception) -> str:
    reason = last_cause(error)
    if "custom op" in reason or "Select TensorFlow op" in reason:
        return f"{name} uses operations that this interpreter of LiteRT does not have: {reason}"
    return f"{name} is damaged or not a .tflite file: {reason}"


def _litert_spec(interpreter: Any) -> dict[str, Any]:
    """Return what a model takes, by the names of its inputs."""
    import tensorflow as tf

    spec = {}
    for detail in interpreter.get_input_details():
        name = _litert_name(detail)
        # It is empty in files of old converters: then the shape is fixed.
        sizes = detail["shape_signature"] if len(detail["shape_signature"]) else detail["shape"]
        shape = [None if size == -1 else int(size) for size in sizes]
        dtype = tf.string if detail["dtype"] in (bytes, object) else detail["dtype"]
        spec[name] = tf.TensorSpec(shape, tf.as_dtype(dtype), name=name)
    return dict(sorted(spec.items()))


def litert_places(
    interpreter: Any,
) -> tuple[dict[str, tuple[int, ...]], dict[str, int], list[int]]:
    """Return the shape and the place of each input of a file by name, and those of the outputs."""
    shapes, places = {}, {}
    for detail in interpreter.get_input_details():
        name = _litert_name(detail)
        shapes[name] = tuple(int(size) for size in detail["shape"])
        places[name] = int(detail["index"])
    outputs = [int(detail["index"]) for detail in interpreter.get_output_details()]
    return shapes, places, outputs


def _litert_name(detail: Any) -> str:
    """Return the name of an input as people write it."""
    return detail["name"].removeprefix("serving_default_").partition(":")[0]


class _LitertCall:
    """Calls a model with inputs by name; another shape makes the interpreter ready for it."""

    def __init__(self, content: bytes, names: list[str], threads: int) -> None:
        make, _ = interpreter_class()
        with silence_all():
            self._interpreter = make(model_content=content, num_threads=threads)
        details = self._interpreter.get_input_details()
        self._places = {_litert_name(detail): detail["index"] for detail in details}
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._names = names
        self._outputs: list[int] = []

    def __call__(self, x: Any) -> list[Any]:
        interpreter = self._interpreter
        shapes = {name: tuple(x[name].shape) for name in self._names}
        if shapes != self._shapes:
            self._make_ready(shapes)
        for name in self._names:
            interpreter.set_tensor(self._places[name], x[name])
        interpreter.invoke()
        return [interpreter.get_tensor(place) for place in self._outputs]

    def _make_ready(self, shapes: dict[str, tuple[int, ...]]) -> None:
        for name, shape in shapes.items():
            self._interpreter.resize_tensor_input(self._places[name], shape)
        self._interpreter.allocate_tensors()
        self._outputs = [one["index"] for one in self._interpreter.get_output_details()]
        self._shapes = shapes


# ---- ONNX Runtime ----


def _load_onnx(path: Path) -> LoadedModel:
    if importlib.util.find_spec("onnxruntime") is None:
        raise BadModel(
            f"{path.name} is an ONNX file, which ONNX Runtime runs: it is not installed,"
            " pip install onnxruntime"
        )
    with stop.deferred():  # half imported, it cannot be imported again
        import onnxruntime

    def session(threads: int) -> Any:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 4  # its warnings are not ours to print
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    try:
        with silence_all():
            first = session(1)
        spec = _onnx_spec(first)
    except Exception as error:
        stop.raise_if_requested()
        raise BadModel(
            f"{path.name} is damaged or not an .onnx file: {last_cause(error)}"
        ) from None

    def with_threads(threads: int) -> Callable[[Any], Any]:
        runner = first if threads == 1 else session(threads)
        return lambda x: runner.run(None, x)

    return _loaded(path, ".onnx file", ONNX_RUNTIME, spec, with_threads, first)


def _onnx_spec(session: Any) -> dict[str, Any]:
    """Return what a model takes, by the names of its inputs."""
    import tensorflow as tf

    spec = {}
    for node in session.get_inputs():
        text = _ONNX_DTYPES.get(node.type, node.type.removeprefix("tensor(").removesuffix(")"))
        shape = [size if isinstance(size, int) else None for size in node.shape]
        spec[node.name] = tf.TensorSpec(shape, tf.as_dtype(text), name=node.name)
    return dict(sorted(spec.items()))
