"""Load a file for another runtime than TensorFlow, to measure it as what it is."""

import contextlib
import faulthandler
import importlib.util
import os
import signal
import sys
import time
import warnings
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
_LONGEST_TRIAL = 10.0  # seconds; a call that takes longer has not crashed
_BETWEEN_LOOKS = 0.005  # seconds

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
    tried = {name: tuple(shape) for name, shape in litert_places(interpreter)[0].items()}
    safe = [tried]  # shapes with which it does not crash: those of the file, and others later

    def with_threads(threads: int) -> Callable[[Any], Any]:
        return _LitertCall(content, names, threads, safe)

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
    """Calls a model with inputs by name; another shape makes the interpreter ready for it.

    LiteRT does not check all sizes: with some, it ends the program. Shapes that are not among the
    `safe` ones are therefore tried in a copy of the process first.
    """

    def __init__(
        self, content: bytes, names: list[str], threads: int, safe: list[dict[str, Any]]
    ) -> None:
        self._safe = safe
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
            if shapes not in self._safe:
                self._try(shapes, x)
            self._make_ready(shapes)
        self._invoke(x)
        return [interpreter.get_tensor(place) for place in self._outputs]

    def _invoke(self, x: Any) -> None:
        for name in self._names:
            self._interpreter.set_tensor(self._places[name], x[name])
        self._interpreter.invoke()

    def _try(self, shapes: dict[str, tuple[int, ...]], x: Any) -> None:
        """Raise RuntimeError if a call with these shapes ends the program."""

        def call() -> None:
            self._make_ready(shapes)
            self._invoke(x)

        if _crashes(call):
            sizes = ", ".join(str(shape) for shape in shapes.values())
            raise RuntimeError(f"LiteRT crashes with an input of the shape {sizes}")
        self._safe.append(shapes)

    def _make_ready(self, shapes: dict[str, tuple[int, ...]]) -> None:
        for name, shape in shapes.items():
            self._interpreter.resize_tensor_input(self._places[name], shape)
        self._interpreter.allocate_tensors()
        self._outputs = [one["index"] for one in self._interpreter.get_output_details()]
        self._shapes = shapes


def _crashes(work: Callable[[], Any]) -> bool:
    """Return whether this ends the process: tried in a copy of it, on Linux."""
    if sys.platform != "linux":
        return False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the copy needs none of the other threads
        child = os.fork()
    if child == 0:
        try:
            faulthandler.disable()
            with silence_all():
                work()
        finally:  # an error is raised again in this process
            os._exit(0)
    ended = 0
    try:
        begin = time.perf_counter()
        while not ended and time.perf_counter() - begin < _LONGEST_TRIAL:
            ended, status = os.waitpid(child, os.WNOHANG)
            time.sleep(_BETWEEN_LOOKS)
        return bool(ended) and os.WIFSIGNALED(status)
    finally:
        if not ended:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


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
