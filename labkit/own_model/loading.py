"""Load a model from a .keras file, an .h5 file or a SavedModel folder."""

import contextlib
import math
import re
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..show import stop
from ..show.errors import kind_in_words, one_line
from .paths import SAVED_MODEL, BadModel, check_path
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
# What Keras 3 says of layers of Keras 2: arguments that it has no more, and operations as layers.
_OF_KERAS_2 = re.compile(r"'time_major'|\{'groups': 1\}|TFOpLambda|SlicingOpLambda")
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


@dataclass
class LoadedModel:
    """A model that can be called, whatever its format.

    Attributes
    ----------
    name : str
        File name, without its folder.
    kind : str
        ``.keras file``, ``.h5 file``, ``SavedModel`` or ``Keras model``.
    call : callable
        Takes the inputs as one structure and returns the outputs. Dropout is off.
    spec : nested structure of tf.TensorSpec or None
        What it takes; None if the model does not say.
    model : object
        The loaded object. It must stay alive as long as `call` is used.
    keras : bool
        Whether it has `predict` and `predict_on_batch`.
    weights : callable
        Returns its variables; those of some layers exist only after the first call.
    notes : list of str
        What a reader of the report should know.
    """

    name: str
    kind: str
    call: Callable[[Any], Any]
    spec: Any
    model: Any
    keras: bool
    weights: Callable[[], Iterable[Any]]
    notes: list[str] = field(default_factory=list)

    @property
    def variables(self) -> list[Any]:
        """Its weights and states."""
        return list(self.weights())

    @property
    def parameters(self) -> int:
        """Number of weights."""
        return sum(math.prod(variable.shape) for variable in self.variables)


def load(
    source: Any,
    *,
    trust: bool = False,
    signature: str | None = None,
    custom_objects: Mapping[str, Any] | None = None,
) -> LoadedModel:
    """Load a model from a path, or take a Keras model as it is; raise BadModel if that fails."""
    if not isinstance(source, (str, Path)):
        return _model_in_memory(source)
    path, kind = check_path(source)
    _import_frameworks()
    if kind == SAVED_MODEL:
        return _load_saved_model(path, signature)
    import keras

    try:
        with silence_all():
            model = keras.models.load_model(
                path, compile=False, safe_mode=not trust, custom_objects=dict(custom_objects or {})
            )
    except Exception as error:  # each kind of damage raises another one
        stop.raise_if_requested()
        raise BadModel(f"{path.name} {_why_not_loaded(error, path.name, kind)}") from None
    return _loaded_keras_model(model, path.name, kind)


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
        return _spec_of_build_shape(model)
    return _spec_of_inputs(inputs)


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
        names = [tensor.name or f"input_{i}" for i, tensor in enumerate(flat)]
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


def _from_keras_2(name: str) -> str:
    """Return how a model that Keras 2 wrote can be measured."""
    folder = Path(name).stem
    return (
        "was written by Keras 2, and has a layer that Keras 3 does not read:"
        " convert it once, with pip install tf_keras and then TF_USE_LEGACY_KERAS=1 python -c"
        f" \"import tensorflow as tf; tf.keras.models.load_model('{name}', compile=False)"
        f".export('{folder}')\", and give the folder {folder}"
    )


def _why_not_loaded(error: Exception, name: str, kind: str) -> str:
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
        layer = match[1].split(">")[-1]
        return (
            f"needs the class {layer}, which Keras does not know:"
            f" pass custom_objects={{{layer!r}: {layer}}}, register it with"
            " @keras.saving.register_keras_serializable(), or give a SavedModel made by"
            " model.export()"
        )
    reason = one_line(error, paths=False)
    if isinstance(error, _DAMAGE) or any(word in lower for word in _WORDS_OF_DAMAGE):
        return f"is damaged or not a {kind}: {reason}"
    return f"could not be loaded: {reason}"


# ---- SavedModel ----


def _load_saved_model(path: Path, signature: str | None) -> LoadedModel:
    import tensorflow as tf

    try:
        with silence_all():
            loaded = tf.saved_model.load(str(path))
        signatures = dict(loaded.signatures)
    except Exception as error:  # each kind of damage raises another one
        stop.raise_if_requested()
        reason = one_line(error, paths=False)
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
    return LoadedModel(
        path.name, SAVED_MODEL, call, spec, loaded, keras=False, weights=weights, notes=[note]
    )


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
