"""Say what a model takes and what is special about it, without measuring anything."""

from typing import Any

from ..show import stop
from ..show.table import Table
from .loading import LoadedModel, layers_of, load
from .random_state import random_state_kept


@stop.stoppable("Stopped before the model was loaded.")
def inspect(source: Any, **options: Any) -> Table:
    """Return what a model takes and what is special about it, without measuring anything.

    Parameters
    ----------
    source : path or keras.Model
        As in `diagnose`.
    **options
        `trust`, `signature`, `custom_objects`, `own_code`, `inputs` and `outputs`, as in
        `diagnose`.

    Returns
    -------
    Table
        One fact per row: format, inputs with dtypes and shapes, number of weights and layers.

    Raises
    ------
    BadModel
        The path or the model cannot be used.

    Examples
    --------
    >>> from labkit.course.models import mlp
    >>> from labkit.own_model import inspect
    >>> inspect(mlp()).cells[1]
    ['input input_0', 'float32 (any, 10)']
    """
    with random_state_kept():
        loaded = load(source, **options)
    return Table([loaded.name, ""], facts(loaded).items())


def facts(loaded: LoadedModel) -> dict[str, str]:
    """Return what is known about a model before it is called."""
    found = {"format": loaded.kind}
    found |= _inputs(loaded.spec)
    if loaded.runtime:
        found["run by"] = loaded.runtime
    else:
        found["weights"] = f"{loaded.parameters:,}"
    found |= _layers(loaded.model)
    for i, note in enumerate(loaded.notes, 1):
        found["note" if i == 1 else f"note {i}"] = note
    return found


def _inputs(spec: Any) -> dict[str, str]:
    """Return dtype and shape by input."""
    import tensorflow as tf

    if spec is None:
        return {"input": "the model does not say: give a sample, or shape and dtype"}
    found = {}
    for leaf in tf.nest.flatten(spec):
        found[f"input {leaf.name}"] = f"{leaf.dtype.name} ({_sizes(leaf.shape)})"
    return found


def _sizes(shape: Any) -> str:
    if shape.rank is None:
        return "any shape"
    return ", ".join("any" if size is None else str(size) for size in shape)


def _layers(model: Any) -> dict[str, str]:
    """Return the number of layers, and which are stateful or drop values; empty without layers."""
    layers = layers_of(model)
    if not layers:
        return {}
    found = {"layers": f"{len(layers):,}"}
    stateful = {type(layer).__name__ for layer in layers if getattr(layer, "stateful", False)}
    if stateful:
        found["remembers between calls"] = ", ".join(sorted(stateful))
    dropouts = sum("Dropout" in type(layer).__name__ for layer in layers)
    if dropouts:
        word = "layer" if dropouts == 1 else "layers"
        found["dropout"] = f"{dropouts} {word}, off in all measurements (training=False)"
    return found
