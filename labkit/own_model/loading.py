"""Load a model from a .keras file, an .h5 file or a SavedModel folder, or say in one sentence why that cannot be."""

import contextlib
import logging
import math
import re
import warnings
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..measure.system import silence_stderr
from .paths import BadModel, check_path, plain

_LAMBDA = (
    "has a Lambda layer, which is Python code stored in the file: loading it would run that code on your machine, so it"
    " is refused; if you made the file yourself, pass trust=True (--trust), or better, put the code into a registered"
    " layer and save the model again"
)


@dataclass
class Subject:
    """A loaded model, whatever its format.

    Attributes
    ----------
    name : str
        File name, without its folder.
    kind : str
        ``.keras file``, ``.h5 file``, ``SavedModel`` or ``Keras model``.
    call : callable
        Takes the inputs as one structure and returns the outputs, with dropout and its like switched off.
    spec : nested structure of tf.TensorSpec or None
        What it takes; None when the model does not say.
    model : object
        The loaded object, which must stay alive as long as `call` is used.
    keras : bool
        Whether it has `predict` and `predict_on_batch`.
    weights : callable
        Returns its variables: those of some layers exist only after the first call.
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
        return sum(math.prod(v.shape) for v in self.variables)


def load(
    source: Any,
    *,
    trust: bool = False,
    signature: str | None = None,
    custom_objects: Mapping[str, Any] | None = None,
) -> Subject:
    """Load a model, or say why that cannot be.

    Parameters
    ----------
    source : path or keras.Model
        A .keras file, an .h5 file, a SavedModel folder, or a model that is in memory already.
    trust : bool
        Load Lambda layers too, which runs code that is stored in the file.
    signature : str, optional
        Of a SavedModel with several: which one to call.
    custom_objects : dict of str to class, optional
        Your own layers by name, where they are not registered with Keras.

    Returns
    -------
    Subject
        Ready to be called.

    Raises
    ------
    BadModel
        There is no such file, it is of another kind, damaged, or refused.

    Examples
    --------
    >>> load(" ")
    Traceback (most recent call last):
    labkit.own_model.paths.BadModel: no path was given: name a .keras file, an .h5 file or a SavedModel folder
    """
    if not isinstance(source, (str, Path)):
        import keras

        if isinstance(source, keras.Model):
            return _keras_subject(source, source.name, "Keras model")
        raise BadModel(f"expected a path or a Keras model, got a {type(source).__name__}")
    path, kind = check_path(source)
    if kind == "SavedModel":
        return _saved_model(path, signature)
    import keras

    try:
        with hushed():
            model = keras.models.load_model(
                path, compile=False, safe_mode=not trust, custom_objects=dict(custom_objects or {})
            )
    except Exception as error:  # every kind of damage raises something else
        raise BadModel(f"{path.name} {_why_not_loaded(error, kind)}") from None
    return _keras_subject(model, path.name, kind)


@contextlib.contextmanager
def calm() -> Iterator[None]:
    """Keep warnings and log lines of Python code from the screen: what matters of them, the report says."""
    before = logging.root.manager.disable
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(before)


@contextlib.contextmanager
def hushed() -> Iterator[None]:
    """Keep compilers and converters from the screen, too, which write past Python."""
    with silence_stderr(), calm():
        yield


def _why_not_loaded(error: Exception, kind: str) -> str:
    text = " ".join(str(error).split())
    lower = text.lower()
    if "lambda" in lower and ("safe" in lower or "arbitrary code" in lower or "unsafe" in lower):
        return _LAMBDA
    if "no model config" in lower:
        return "holds weights without a model: build the model, load them, and save it as .keras"
    if found := re.search(
        r"(?:[Cc]ould not (?:locate|find) (?:class|function|object)|Unknown layer:) '?([\w.>]+)'?",
        text,
    ):
        name = found[1].split(">")[-1]
        return (
            f"needs the class {name}, which Keras does not know here: pass custom_objects={{{name!r}: {name}}}, or "
            "register it with @keras.saving.register_keras_serializable(), or give a SavedModel made by model.export()"
        )
    damaged = isinstance(
        error, (zipfile.BadZipFile, OSError, EOFError, KeyError, UnicodeError)
    ) or any(
        words in lower
        for words in (
            "truncated",
            "signature",
            "crc",
            "corrupt",
            "json",
            "file not found",
            "expecting",
        )
    )
    if damaged:
        return f"is damaged, or no {kind}: {plain(error)}"
    return f"could not be loaded: {plain(error)}"


def _keras_subject(model: Any, name: str, kind: str) -> Subject:
    def call(x: Any) -> Any:
        return model(x, training=False)  # no dropout, no moving averages: what a service wants

    return Subject(
        name,
        kind,
        call,
        _keras_spec(model),
        model,
        True,
        lambda: [*model.variables, *_states(model)],
    )


def _states(model: Any) -> list[Any]:
    """Return what recurrent layers remember between calls: Keras does not list it among the variables."""
    layers = layers_of(model)
    kept = [
        s
        for layer in layers
        if getattr(layer, "stateful", False)
        for s in getattr(layer, "states", None) or ()
    ]
    return [state for state in kept if hasattr(state, "assign")]


def layers_of(model: Any) -> list[Any]:
    """Return all layers of a Keras model, those of the models and wrappers in it included; none for a SavedModel.

    Parameters
    ----------
    model : object
        What was loaded.

    Returns
    -------
    list of keras.layers.Layer
        In the order of the model.
    """
    found = []
    for layer in getattr(model, "layers", ()):
        found += [layer, *layers_of(layer)]
        inner = getattr(layer, "layer", None)
        found += [] if inner is None else [inner, *layers_of(inner)]
    return found


def _keras_spec(model: Any) -> Any:
    import tensorflow as tf

    inputs = None
    with contextlib.suppress(AttributeError, ValueError):  # a subclassed model has none
        inputs = model.input
    if inputs is not None:
        for t in tf.nest.flatten(inputs):
            if getattr(t, "sparse", False) or getattr(t, "ragged", False):
                raise BadModel(
                    f"its input {t.name} is a sparse or ragged tensor, which cannot be measured here"
                )
        flat = tf.nest.flatten(inputs)
        # A dict is sorted by its keys, as its leaves are, and they are the names that a caller has to use.
        names = (
            sorted(inputs)
            if isinstance(inputs, Mapping)
            else [t.name or f"input_{i}" for i, t in enumerate(flat)]
        )
        named = [
            tf.TensorSpec(t.shape, t.dtype, name=name) for t, name in zip(flat, names, strict=True)
        ]
        return tf.nest.pack_sequence_as(inputs, named)
    try:  # a subclassed model may remember the shape it was built with
        shape = (model.get_build_config() or {}).get("input_shape")
        if shape and all(n is None or isinstance(n, int) for n in shape):
            return tf.TensorSpec((None, *shape[1:]), model.input_dtype, name="input_0")
    except Exception:  # a class may build itself in any way it likes; then a sample has to tell
        pass
    return None


def _saved_model(path: Path, signature: str | None) -> Subject:
    import tensorflow as tf

    try:
        with hushed():
            loaded = tf.saved_model.load(str(path))
        names = list(loaded.signatures)
    except Exception as error:
        raise BadModel(
            f"{path.name} is damaged, or no SavedModel that this TensorFlow reads: {plain(error)}"
        ) from None
    if not names:
        raise BadModel(
            f"{path.name} has no signature to call: export it with model.export(), or with signatures="
        )
    chosen = signature or ("serving_default" if "serving_default" in names else names[0])
    if chosen not in names:
        raise BadModel(f"{path.name} has no signature {chosen!r}; there is {', '.join(names)}")
    function = loaded.signatures[chosen]
    spec = dict(sorted(function.structured_input_signature[1].items()))
    if any(not isinstance(s, tf.TensorSpec) for s in spec.values()):
        raise BadModel(
            f"an input of {path.name} is a sparse or ragged tensor, which cannot be measured here"
        )

    def call(x: Any) -> Any:
        return function(**x)

    notes = [f"model(x) stands for a call of its signature {chosen!r}; there is {', '.join(names)}"]
    return Subject(
        path.name, "SavedModel", call, spec, loaded, False, lambda: function.variables, notes
    )
