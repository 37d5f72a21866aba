"""Write the code that calls one model through the recommended candidate."""

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from ..measure.system import cores
from .candidates import (
    ALL_THREADS,
    CALL,
    CONCRETE,
    FUNCTION,
    LITERT,
    ON_BATCH,
    ORT,
    PREDICT,
    XLA,
    Case,
    Converted,
)
from .litert import interpreter_class
from .origin import Origin
from .runtimes import LITERT_RUNTIME, litert_places

_WIDTH = 88  # characters of a line, so that it fits into a cell
_PLAIN = {"float16", "float32", "float64", "bool"}
_EXTENSIONS = {LITERT: ".tflite", ORT: ".onnx"}
_BRACKETS = {dict: ("{", "}"), list: ("[", "]")}
_OF_KERAS = (CALL, ON_BATCH, PREDICT, FUNCTION, CONCRETE, XLA)


def converted_name(origin: Origin, name: str) -> str:
    """Return the name of the file, or the folder, of a model converted for a candidate."""
    stem = "model"
    if origin.path is not None:
        stem = PurePosixPath(origin.path).stem or stem
    elif origin.case is not None:
        stem = origin.case.loaded.name
    return f"{stem}{_EXTENSIONS.get(name, '_saved_model')}"


def code_for(origin: Origin | None, name: str) -> str:
    """Return a program that calls a model through a candidate; empty if there is none to show.

    Its last line makes `answer` from an input of zeros, of the model's own names, shapes and types.
    """
    if origin is None or origin.case is None:
        return ""
    case = origin.case
    if case.loaded.runtime:
        lines = _file_as_it_is(origin, case, name)
    elif name in case.converted:
        file = converted_name(origin, name)
        if name == LITERT:
            lines = _litert(case, case.converted[name], file, origin.threads)
        else:
            lines = _onnx(case, case.converted[name], file, origin.threads)
    elif case.loaded.keras and name in _OF_KERAS:
        lines = _keras(origin, case, name)
    elif _is_whole_signature(origin, case) and name in (CALL, FUNCTION, CONCRETE, XLA):
        lines = _saved_model(origin, case, name)
    else:
        return ""
    return "\n".join(lines) + "\n"


def needs_file(origin: Origin | None, name: str) -> str:
    """Return the file that the code reads and that has to be written first; empty if none."""
    if origin is None or origin.case is None or name not in origin.case.converted:
        return ""
    return converted_name(origin, name)


def _is_whole_signature(origin: Origin, case: Case) -> bool:
    """Return whether the input holds everything that the signature of a SavedModel takes."""
    if origin.signature is None or origin.path is None:
        return False
    function = case.loaded.model.signatures[origin.signature]
    return set(function.structured_input_signature[1]) == set(case.spec)


# ---- within TensorFlow ----


def _keras(origin: Origin, case: Case, name: str) -> list[str]:
    in_graph = name in (FUNCTION, CONCRETE, XLA)
    lines = []
    if origin.path is not None:
        lines.append("import keras")
    lines += _imports(case, tensorflow=in_graph)
    lines.append("")
    if origin.path is None:
        lines.append("# model is your Keras model")
    else:
        options = "compile=False, safe_mode=False" if origin.trust else "compile=False"
        lines.append(f'model = keras.models.load_model("{_quoted(origin.path)}", {options})')
    if in_graph:
        lines += _graph("model(x, training=False)", name)
    lines += _input(case)
    lines += _concrete(name)
    if in_graph:
        call = "call(x)"
    elif name == ON_BATCH:
        call = "model.predict_on_batch(x)"
    elif name == PREDICT:
        call = "model.predict(x, verbose=0)"
    else:
        call = "model(x, training=False)"
    return [*lines, f"answer = {call}"]


def _saved_model(origin: Origin, case: Case, name: str) -> list[str]:
    lines = [*_imports(case, tensorflow=True), ""]
    lines.append(f'model = tf.saved_model.load("{_quoted(origin.path or "")}")')
    lines.append(f'serve = model.signatures["{_quoted(origin.signature or "")}"]')
    if name == CALL:
        return [*lines, *_input(case), "answer = serve(**x)"]
    lines += _graph("serve(**x)", name)
    lines += _input(case)
    lines += _concrete(name)
    return [*lines, "answer = call(x)"]


def _graph(call: str, name: str) -> list[str]:
    """Return the lines that make a tf.function of a call."""
    options = "(jit_compile=True)" if name == XLA else ""
    return ["", "", f"@tf.function{options}", "def call(x):", f"    return {call}", "", ""]


def _concrete(name: str) -> list[str]:
    """Return the line that takes one graph out of the tf.function, for candidates that do so."""
    if name not in (CONCRETE, XLA):
        return []
    return ["call = call.get_concrete_function(x)  # for inputs of this shape only"]


# ---- files for other runtimes, converted or as they are ----


def _file_as_it_is(origin: Origin, case: Case, name: str) -> list[str]:
    """Return the lines for a .tflite or .onnx file that was measured as what it is."""
    threads = 1
    if name == ALL_THREADS:
        threads = case.threads or cores()
    file = origin.path or case.loaded.name
    names = sorted(case.spec)
    if case.loaded.runtime != LITERT_RUNTIME:
        return _onnx(case, Converted(b"", names, []), file, threads)
    shapes, places, outputs = litert_places(case.loaded.model)
    converted = Converted(b"", [places[name] for name in names], outputs)
    resized = {}
    for name in names:
        wanted = tuple(case.spec[name].shape)
        if shapes[name] != wanted:  # that of the file has another number of rows
            resized[places[name]] = wanted
    return _litert(case, converted, file, threads, resized)


def _litert(
    case: Case,
    converted: Converted,
    file: str,
    threads: int | None,
    resized: Mapping[Any, tuple[int, ...]] | None = None,
) -> list[str]:
    _, package = interpreter_class()
    lines = ["import threading", ""]
    if package == "tensorflow.lite":
        make = "tf.lite.Interpreter"
        lines += _imports(case, tensorflow=True, strings=False)
    else:
        make = "Interpreter"
        lines += _imports(case, strings=False)
        lines.append("from ai_edge_litert.interpreter import Interpreter")
    more = "" if threads is None else f", num_threads={threads}"
    used = _used(case, converted)
    names = _parameters(case, converted)
    outputs = [f"interpreter.get_tensor({place})" for place in converted.outputs]
    if len(outputs) == 1:
        result = f"own.{outputs[0]}"
    else:
        result = f"[{', '.join(f'own.{output}' for output in outputs)}]"
    lines += [
        "",
        "own = threading.local()  # an interpreter serves one thread at a time",
        "",
        "",
        f"def call({', '.join(names)}):",
        '    if not hasattr(own, "interpreter"):',
        f'        own.interpreter = {make}("{_quoted(file)}"{more})',
    ]
    for place, shape in (resized or {}).items():
        lines.append(f"        own.interpreter.resize_tensor_input({place}, {shape})")
    lines.append("        own.interpreter.allocate_tensors()")
    for name, (place, _) in zip(names, used, strict=True):
        lines.append(f"    own.interpreter.set_tensor({place}, {name})")
    lines += ["    own.interpreter.invoke()", f"    return {result}", "", ""]
    arrays = [_zeros(leaf, strings=False) for _, leaf in used]
    return [*lines, f"answer = call({', '.join(arrays)})"]


def _onnx(case: Case, converted: Converted, file: str, threads: int | None) -> list[str]:
    session = [f'session = onnxruntime.InferenceSession("{_quoted(file)}")']
    if threads is not None:
        session = [
            "options = onnxruntime.SessionOptions()",
            f"options.intra_op_num_threads = {threads}",
            f'session = onnxruntime.InferenceSession("{_quoted(file)}", options)',
        ]
    feed = []
    for name, leaf in _used(case, converted):
        feed.append(f'"{_quoted(name)}": {_zeros(leaf, strings=False)}')
    return [
        "import numpy as np",
        "import onnxruntime",
        "",
        *session,
        f"x = {{{', '.join(feed)}}}",
        f"answer = session.run({converted.outputs or None!r}, x)",
    ]


def _used(case: Case, converted: Converted) -> list[tuple[Any, Any]]:
    """Return how the converted model calls each input that it uses, and what that input takes."""
    import tensorflow as tf

    pairs = zip(converted.inputs, tf.nest.flatten(case.spec), strict=True)
    return [(place, leaf) for place, leaf in pairs if place is not None]


def _parameters(case: Case, converted: Converted) -> list[str]:
    """Return a name for each input that is used: the model's own where Python takes it."""
    names = []
    for i, (_, leaf) in enumerate(_used(case, converted)):
        name = str(leaf.name or "")
        is_free = name.isidentifier() and not _is_taken(name) and name not in names
        names.append(name if is_free else f"x{i}")
    return names


def _is_taken(name: str) -> bool:
    import keyword

    return keyword.iskeyword(name) or name in ("own", "np", "tf", "call", "hasattr", "threading")


# ---- the input ----


def _imports(case: Case, tensorflow: bool = False, strings: bool = True) -> list[str]:
    """Return the imports that the input needs, and that of TensorFlow if it is wanted."""
    import tensorflow as tf

    leaves = tf.nest.flatten(case.spec)
    texts = [_zeros(leaf, strings) for leaf in leaves]
    lines = []
    if any("np." in text for text in texts):
        lines.append("import numpy as np")
    if tensorflow or any("tf." in text for text in texts):
        lines.append("import tensorflow as tf")
    return lines


def _input(case: Case) -> list[str]:
    """Return the lines that make an input of zeros in the structure that the model takes."""
    line = f"x = {_expression(case.spec)}"
    if len(line) <= _WIDTH or not isinstance(case.spec, (dict, list)):
        return [line]
    opening, closing = _BRACKETS[type(case.spec)]
    parts = [f"    {part}," for part in _parts(case.spec)]
    return [f"x = {opening}", *parts, closing]


def _expression(spec: Any) -> str:
    """Return an expression for an input of zeros, or for a structure of them."""
    if not isinstance(spec, (dict, list, tuple)):
        return _zeros(spec)
    inner = ", ".join(_parts(spec))
    if isinstance(spec, tuple):
        return f"({inner},)"
    opening, closing = _BRACKETS[type(spec)]
    return f"{opening}{inner}{closing}"


def _parts(spec: Any) -> list[str]:
    """Return the expressions inside the brackets of a structure."""
    if isinstance(spec, dict):
        return [f'"{_quoted(str(key))}": {_expression(part)}' for key, part in spec.items()]
    return [_expression(part) for part in spec]


def _zeros(leaf: Any, strings: bool = True) -> str:
    """Return an expression for an input of zeros, or of words.

    Keras takes text as a tensor, an interpreter as an array of bytes.
    """
    shape = tuple(leaf.shape)
    dtype = leaf.dtype.name
    if dtype == "string" and strings:
        return f'tf.fill({list(shape)}, "word")'
    if dtype == "string":
        return f'np.full({shape}, b"word", object)'
    if dtype in _PLAIN or leaf.dtype.is_integer:
        return f'np.zeros({shape}, "{dtype}")'
    return f'tf.zeros({list(shape)}, "{dtype}")'


def _quoted(text: str) -> str:
    """Return a text for use between double quotes in a program."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
