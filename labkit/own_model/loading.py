"""Load a model from a file of any kind, or take a Keras model as it is."""

import contextlib
import re
import sys
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..show import stop
from ..show.errors import kind_in_words
from .causes import last_cause
from .frozen_graph import load_frozen_graph
from .keras2 import layers_of_keras_2, take_optimizers_of_keras_2
from .loaded_model import LoadedModel
from .own_code import own_objects
from .paths import FROZEN_GRAPH, H5_FILE, LITERT_FILE, ONNX_FILE, SAVED_MODEL, BadModel, check_path
from .runtimes import load_for_runtime
from .silence import silence_all

KERAS_MODEL = "Keras model"  # one that is in memory already

_LAMBDA = (
    "has a Lambda layer, which is Python code stored in the file: loading it would run that code on"
    " your machine, so it is refused; if you made the file yourself, pass trust=True (--trust), or"
    " better, put the code into a registered layer and save the model again"
)
_UNKNOWN_CLASS = re.compile(
    r"(?:[Cc]ould not (?:locate|find) (?:class|function|object)|Unknown layer:) '?([\w.>]+)'?"
)
_MODULE_OF_CLASS = re.compile(r"Full object config: \{'module': '([\w.]+)'")
# What Keras 3 says of layers of Keras 2: arguments that it has no more, and operations as layers.
_OF_KERAS_2 = re.compile(
    r"'time_major'|\{'groups': 1|TFOpLambda|SlicingOpLambda|keras\.(?:src\.)?engine"
)
# Where layers such as TimeDistributed and Bidirectional keep the layers that they wrap.
_WRAPPED = ("layer", "forward_layer", "backward_layer")
# Errors, and words in their messages, that come from a file that is not complete.
_DAMAGE = (zipfile.BadZipFile, OSError, EOFError, KeyError, UnicodeError)
_WORDS_OF_DAMAGE = (
    "truncated",
    "signature",
    "crc",
    "corrupt",
    "json",
    "file not found",
    "expecting",
)

# Operations that read serialized records.
_PARSERS = {"ParseExample", "ParseExampleV2", "ParseSingleExample", "ParseSequenceExampleV2"}


def load(
    source: Any,
    *,
    trust: bool = False,
    signature: str | None = None,
    custom_objects: Mapping[str, Any] | None = None,
    own_code: str | Iterable[str] | None = None,
    inputs: str | Iterable[str] | None = None,
    outputs: str | Iterable[str] | None = None,
) -> LoadedModel:
    """Load a model from a path, or take a Keras model as it is; raise BadModel if that fails."""
    if not isinstance(source, (str, Path)):
        return _model_in_memory(source)
    path, kind = check_path(source)
    _refuse_options_of_other_kinds(path.name, kind, signature, inputs, outputs)
    _import_frameworks()
    if kind == SAVED_MODEL:
        return _load_saved_model(path, signature)
    if kind == FROZEN_GRAPH:
        return load_frozen_graph(path, inputs, outputs)
    if kind in (LITERT_FILE, ONNX_FILE):
        return load_for_runtime(path, kind)
    objects = own_objects(own_code) | dict(custom_objects or {})
    return _load_keras_file(path, kind, trust, objects)


def _refuse_options_of_other_kinds(
    name: str, kind: str, signature: str | None, inputs: Any, outputs: Any
) -> None:
    """Raise BadModel if an option was given that a file of this kind does not have."""
    if signature and kind != SAVED_MODEL:
        raise BadModel(f"{name} has no signatures, which only a SavedModel has: omit signature")
    if (inputs or outputs) and kind != FROZEN_GRAPH:
        raise BadModel(
            f"{name} is no frozen graph and names its inputs itself: omit inputs, outputs"
        )


def _import_frameworks() -> None:
    """Import TensorFlow and Keras as a whole: half imported, they cannot be imported again."""
    with stop.deferred():
        import keras  # noqa: F401
        import tensorflow  # noqa: F401


def layers_of(model: Any) -> list[Any]:
    """Return all layers of a Keras model, with those inside other layers; none for a SavedModel."""
    found = []
    for layer in getattr(model, "layers", ()):
        found.append(layer)
        found += layers_of(layer)
        for attribute in _WRAPPED:
            wrapped = getattr(layer, attribute, None)
            if wrapped is not None:
                found.append(wrapped)
                found += layers_of(wrapped)
    return found


# ---- Keras ----


def _load_keras_file(path: Path, kind: str, trust: bool, objects: dict[str, Any]) -> LoadedModel:
    """Load a .keras or .h5 file, as Keras 3 wrote it or else as Keras 2 did."""
    notes = []
    try:
        with silence_all():
            model = _read_keras_file(path, trust, objects)
    except (Exception, SystemExit) as error:  # each kind of damage raises another one
        stop.raise_if_requested()
        has_config = "no model config" not in str(error).lower()
        version = _version_of_keras_1(path) if kind == H5_FILE and has_config else None
        if version is not None:
            raise BadModel(f"{path.name} {_from_keras_1(version)}") from None
        if not _OF_KERAS_2.search(str(error)):
            raise BadModel(f"{path.name} {_why_not_loaded(error, path.name, kind)}") from None
        model = _read_as_keras_2(path, kind, trust, objects)
        notes.append("written by Keras 2, and read with the layers of Keras 3")
    loaded = _loaded_keras_model(model, path.name, kind)
    loaded.notes += notes
    return loaded


def _read_keras_file(path: Path, trust: bool, objects: dict[str, Any]) -> Any:
    import keras

    return keras.models.load_model(path, compile=False, safe_mode=not trust, custom_objects=objects)


def _read_as_keras_2(path: Path, kind: str, trust: bool, objects: dict[str, Any]) -> Any:
    """Read a file that Keras 2 wrote; raise BadModel if Keras 3 does not have its layers."""
    try:
        with silence_all(), layers_of_keras_2() as more:
            return _read_keras_file(path, trust, more | objects)
    except (Exception, SystemExit) as error:
        stop.raise_if_requested()
        raise BadModel(f"{path.name} {_why_not_loaded(error, path.name, kind)}") from None


def _model_in_memory(source: Any) -> LoadedModel:
    _import_frameworks()
    import keras

    if not isinstance(source, keras.Model):
        raise BadModel(f"expected a path or a Keras model, got {kind_in_words(source)}")
    return _loaded_keras_model(source, source.name, KERAS_MODEL)


def _loaded_keras_model(model: Any, name: str, kind: str) -> LoadedModel:
    def call(x: Any) -> Any:
        return model(x, training=False)  # as a service calls it: no dropout, no moving averages

    def weights() -> list[Any]:
        return [*model.variables, *_recurrent_states(model)]

    return LoadedModel(name, kind, call, _keras_spec(model), model, keras=True, weights=weights)


def _recurrent_states(model: Any) -> list[Any]:
    """Return what stateful layers keep between calls; Keras does not list it as variables."""
    states: dict[int, Any] = {}  # by identity: a layer may list the states of a layer in it
    for layer in layers_of(model):
        if not getattr(layer, "stateful", False):
            continue
        for state in getattr(layer, "states", None) or ():
            if hasattr(state, "assign"):
                states[id(state)] = state
    return list(states.values())


def _keras_spec(model: Any) -> Any:
    """Return what a Keras model takes as TensorSpecs, or None if it does not say."""
    inputs = None
    with contextlib.suppress(AttributeError, ValueError):  # a subclassed model has no input
        inputs = model.input
    if inputs is None:
        inputs = _only_input(model)
    if inputs is None:
        return _spec_of_build_shape(model)
    return _spec_of_inputs(inputs)


def _name_of_input(name: str | None, i: int) -> str:
    """Return what an input is called: Keras counts those that were given no name."""
    if not name or name.startswith("keras_tensor"):
        return f"input_{i}"
    return name


def _only_input(model: Any) -> Any:
    """Return the symbolic input of a Sequential model that was never called, or None."""
    with contextlib.suppress(AttributeError, ValueError, TypeError):
        inputs = model.inputs
        if len(inputs) == 1:
            return inputs[0]
    return None


def _spec_of_inputs(inputs: Any) -> Any:
    """Return the TensorSpecs of symbolic inputs, under the names that a caller uses."""
    import tensorflow as tf

    flat = tf.nest.flatten(inputs)
    for tensor in flat:
        if getattr(tensor, "sparse", False) or getattr(tensor, "ragged", False):
            raise BadModel(
                f"its input {tensor.name} is a sparse or ragged tensor, which cannot be measured"
            )
    if isinstance(inputs, Mapping) and len(inputs) == len(flat):
        names = sorted(inputs)  # tf.nest sorts the leaves of a dict by its keys
    else:
        names = [_name_of_input(tensor.name, i) for i, tensor in enumerate(flat)]
    specs = [
        tf.TensorSpec(tensor.shape, tensor.dtype, name=name)
        for tensor, name in zip(flat, names, strict=True)
    ]
    return tf.nest.pack_sequence_as(inputs, specs)


def _spec_of_build_shape(model: Any) -> Any:
    """Return what a subclassed model was built with, or None if it does not remember."""
    import tensorflow as tf

    try:
        config = model.get_build_config() or {}
        shape = config.get("input_shape")
        if not shape:
            return None
        if all(size is None or isinstance(size, int) for size in shape):
            return tf.TensorSpec((None, *shape[1:]), model.input_dtype, name="input_0")
    except Exception:  # a class may build itself in any way; a sample has to tell then
        pass
    return None


def _version_of_keras_1(path: Path) -> str | None:
    """Return the version of Keras 1 that wrote an .h5 file; None if another one did."""
    import h5py

    try:
        with h5py.File(path) as file:
            version = file.attrs.get("keras_version", "")
    except OSError:  # it is damaged
        return None
    text = version.decode() if isinstance(version, bytes) else str(version)
    return text if text.startswith("1.") else None


def _from_keras_1(version: str) -> str:
    """Return how a model that Keras 1 wrote can be measured."""
    return (
        f"was written by Keras {version}, whose layers neither Keras 3 nor tf_keras reads: load it"
        " with Keras 2.0 to 2.3, in a Python of that time (up to 3.7), save it again, and give the"
        " new file"
    )


def _from_keras_2(name: str) -> str:
    """Return how a model that Keras 2 wrote can be measured."""
    folder = Path(name).stem
    return (
        "was written by Keras 2, and has a layer that Keras 3 does not read:"
        " convert it once, with pip install tf_keras and then TF_USE_LEGACY_KERAS=1 python -c"
        f" \"import tensorflow as tf; tf.keras.models.load_model('{name}', compile=False)"
        f".export('{folder}')\", and give the folder {folder}"
    )


def _why_not_loaded(error: BaseException, name: str, kind: str) -> str:
    """Return why Keras did not load a file, as the rest of a sentence that begins with its name."""
    text = " ".join(str(error).split())
    lower = text.lower()
    if "lambda" in lower and any(word in lower for word in ("safe", "arbitrary code")):
        return _LAMBDA
    if "no model config" in lower:
        return "holds weights without a model: build the model, load them, and save it as .keras"
    if _OF_KERAS_2.search(text):
        return _from_keras_2(name)
    if match := _UNKNOWN_CLASS.search(text):
        return _unknown_class(match[1].split(">")[-1], text)
    reason = last_cause(error)
    if isinstance(error, SystemExit):
        return f"could not be loaded: {reason}"
    if "permission denied" in lower:
        return "cannot be read: you have no permission to read it"
    if isinstance(error, _DAMAGE) or any(word in lower for word in _WORDS_OF_DAMAGE):
        article = "an" if kind[1] in "ho" else "a"  # an .h5 file, an .onnx file
        return f"is damaged or not {article} {kind}: {reason}"
    return f"could not be loaded: {reason}"


def _unknown_class(name: str, text: str) -> str:
    """Return what to do about a class that Keras does not know."""
    module = _MODULE_OF_CLASS.search(text)
    if module and module[1].partition(".")[0] in sys.stdlib_module_names:
        return (
            f"names {module[1]}.{name} as one of its layers, which belongs to Python and is no"
            " layer: somebody changed the file, so do not use it"
        )
    return (
        f"needs the class {name}, which Keras does not know: name the file that defines it with"
        f" --import my_layers.py, or pass custom_objects={{{name!r}: {name}}} in Python"
    )


# ---- SavedModel ----


def _load_saved_model(path: Path, signature: str | None) -> LoadedModel:
    import tensorflow as tf

    try:
        loaded = _read_saved_model(path)
        signatures = dict(loaded.signatures)
    except Exception as error:  # each kind of damage raises another one
        stop.raise_if_requested()
        reason = last_cause(error)
        if "add_slot" in reason:
            raise BadModel(
                f"{path.name} was saved together with an optimizer of Keras 2: with pip install"
                " tf_keras it can be read"
            ) from None
        raise BadModel(
            f"{path.name} is damaged or not a SavedModel that this TensorFlow can read: {reason}"
        ) from None
    chosen = _chosen_signature(path.name, list(signatures), signature)
    function = signatures[chosen]
    _, named_inputs = function.structured_input_signature
    spec = dict(sorted(named_inputs.items()))
    if any(not isinstance(leaf, tf.TensorSpec) for leaf in spec.values()):
        raise BadModel(
            f"an input of {path.name} is a sparse or ragged tensor, which cannot be measured"
        )

    def call(x: Any) -> Any:
        return function(**x)

    def weights() -> Iterable[Any]:
        return function.variables

    note = f"model(x) is a call of its signature {chosen!r}; it has {', '.join(signatures)}"
    found = LoadedModel(
        path.name, SAVED_MODEL, call, spec, loaded, keras=False, weights=weights, notes=[note]
    )
    _say_what_input_is_special(found, function.graph.as_graph_def())
    return found


def _read_saved_model(path: Path) -> Any:
    import tensorflow as tf

    with silence_all():
        try:
            return tf.saved_model.load(str(path))
        except AttributeError as error:
            if "add_slot" not in str(error) or not take_optimizers_of_keras_2():
                raise
        return tf.saved_model.load(str(path))


def _say_what_input_is_special(loaded: LoadedModel, graph: Any) -> None:
    """Set what a model says about its input if that is serialized records, or ragged."""
    nodes = list(graph.node)
    for function in graph.library.function:
        nodes += function.node_def
    texts = [name for name, leaf in loaded.spec.items() if leaf.dtype.name == "string"]
    if texts and any(node.op in _PARSERS for node in nodes):
        loaded.needs_sample = (
            f"its input {texts[0]} takes serialized tf.train.Example records, which random words"
            " are not: give some as a sample, in a .tfrecord file"
        )
    splits = _row_splits(loaded.spec)
    is_ragged = any("Ragged" in node.op or "Ragged" in node.name for node in nodes)
    if splits and is_ragged:
        values = splits.removesuffix("_1")
        loaded.is_whole = True
        loaded.needs_sample = (
            f"its input {values} is a ragged tensor, taken as its values {values} and its row"
            f" splits {splits}: give both as a sample, made by numpy.savez('sample.npz',"
            f" {values}=rt.values, {splits}=rt.row_splits)"
        )


def _row_splits(spec: Mapping[str, Any]) -> str | None:
    """Return the name of an input that can only be the row splits of another one, or None."""
    for name, leaf in spec.items():
        values = name.removesuffix("_1")
        is_splits = leaf.dtype.name in ("int64", "int32") and leaf.shape.rank == 1
        if is_splits and values != name and values in spec:
            return name
    return None


def _chosen_signature(model: str, names: list[str], wanted: str | None) -> str:
    """Return the signature to call: the one that was asked for, the default one, or the first."""
    if not names:
        raise BadModel(
            f"{model} has no signature to call: export it with model.export(), or with signatures="
        )
    if wanted:
        if wanted not in names:
            raise BadModel(f"{model} has no signature {wanted!r}; it has {', '.join(names)}")
        return wanted
    if "serving_default" in names:
        return "serving_default"
    return names[0]
