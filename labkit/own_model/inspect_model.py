"""Look at a model without measuring it: what it takes, what is special about it, and an input of a given size."""

import math
from pathlib import Path
from typing import Any

from ..show.table import Table
from . import samples
from .candidates import Job
from .loading import Subject, layers_of, load
from .paths import BadModel

_MOST_BYTES = 2**30  # of one input


def inspect(source: Any, **options: Any) -> Table:
    """Say what a model takes and gives, without measuring anything.

    Parameters
    ----------
    source : path or keras.Model
        As in `diagnose`.
    **options
        ``trust``, ``signature`` and ``custom_objects`` of `diagnose`.

    Returns
    -------
    Table
        A fact a row.

    Examples
    --------
    >>> from labkit.course.models import mlp
    >>> inspect(mlp()).cells[1]
    ['input input_0', 'float32 (any, 10)']
    """
    subject = load(source, **options)
    return Table([subject.name, ""], facts(subject).items())


def facts(subject: Subject) -> dict[str, str]:
    """Return what is known about a model before it is called.

    Parameters
    ----------
    subject : Subject
        The model.

    Returns
    -------
    dict of str to str
        Format, inputs, size, what is special.
    """
    import tensorflow as tf

    found = {"format": subject.kind}
    for s in tf.nest.flatten(subject.spec) if subject.spec is not None else ():
        sizes = (
            ", ".join("any" if n is None else str(n) for n in s.shape)
            if s.shape.rank is not None
            else "any shape"
        )
        found[f"input {s.name}"] = f"{s.dtype.name} ({sizes})"
    if subject.spec is None:
        found["input"] = "the model does not say: give a sample, or shape and dtype"
    found["weights"] = f"{subject.parameters:,}"
    layers = layers_of(subject.model)
    if layers:
        found["layers"] = f"{len(layers):,}"
        kinds = sorted(
            {type(layer).__name__ for layer in layers if getattr(layer, "stateful", False)}
        )
        drops = sum("Dropout" in type(layer).__name__ for layer in layers)
        if kinds:
            found["remembers between calls"] = ", ".join(kinds)
        if drops:
            found["dropout"] = (
                f"{drops} layer{'s' * (drops != 1)}, off in all measurements (training=False)"
            )
    for i, note in enumerate(subject.notes):
        found["note" if not i else f"note {i + 1}"] = note
    return found


def default_model(folder: Any) -> Path:
    """Save a small model with two inputs, an embedding and dropout, and return its path.

    Parameters
    ----------
    folder : path
        Where to put the .keras file.

    Returns
    -------
    Path
        Of the file.
    """
    import keras

    from ..course.models import mlp

    numbers, shop = (
        keras.Input((10,), name="numbers"),
        keras.Input((1,), dtype="int32", name="shop"),
    )
    place = keras.layers.Flatten()(keras.layers.Embedding(20, 4)(shop))
    both = keras.layers.Dropout(0.2)(keras.layers.Concatenate()([numbers, place]))
    model = keras.Model({"numbers": numbers, "shop": shop}, mlp(inputs=14)(both), name="price")
    path = Path(folder) / "price.keras"
    model.save(path)
    return path


def fixed(subject: Subject, spec: Any, sizes: list[int]) -> list[int]:
    """Return the batch sizes to measure: those asked for, or the one that the model demands.

    Parameters
    ----------
    subject : Subject
        The model; it gets a note when it demands one.
    spec : nested structure of tf.TensorSpec
        What it takes.
    sizes : list of int
        Asked for.

    Returns
    -------
    list of int
        At least one.
    """
    import tensorflow as tf

    demanded = {s.shape[0] for s in tf.nest.flatten(spec)} - {None}
    if len(demanded) > 1:
        raise BadModel(
            f"the inputs of {subject.name} demand batches of different sizes, {sorted(demanded)}"
        )
    if demanded and sizes != list(demanded):
        size = demanded.pop()
        subject.notes.append(
            f"the model fixes {size} row{'s' * (size != 1)} per call: measured with that only"
        )
        return [size]
    return sizes


def job_for(subject: Subject, spec: Any, given: Any, rows: int) -> Job:
    """Return a model with an input of so many rows.

    Parameters
    ----------
    subject, spec, given
        The model, what it takes, and a sample or None.
    rows : int
        The batch.

    Returns
    -------
    Job
        Ready for every rung.
    """
    import tensorflow as tf

    fixed = tf.nest.map_structure(
        lambda s: tf.TensorSpec((rows, *s.shape[1:]), s.dtype, name=s.name), spec
    )
    size = sum(math.prod(s.shape) * s.dtype.size for s in tf.nest.flatten(fixed))
    if size > _MOST_BYTES:
        raise BadModel(
            f"{rows} rows of this model take {size / 2**30:.1f} GiB: give smaller batches or rows"
        )
    x = (
        samples.make(fixed, rows, limit=samples.limit_of(subject))
        if given is None
        else samples.resized(given, rows)
    )
    return Job(subject, x, fixed)


def sizes_of(batches: Any) -> list[int]:
    """Return the batch sizes asked for, each once.

    Parameters
    ----------
    batches : int or iterable of int
        Rows per call.

    Returns
    -------
    list of int
        `BadModel` is raised for anything else.

    Examples
    --------
    >>> sizes_of([1, 32, 1])
    [1, 32]
    """
    try:
        sizes = [batches] if isinstance(batches, int) else list(batches)
    except TypeError:
        sizes = []
    wrong = [
        n for n in sizes if isinstance(n, bool) or not isinstance(n, int) or not 1 <= n <= 1_000_000
    ]
    if wrong or not sizes:
        raise BadModel(
            f"batches are whole numbers from 1 on, such as [1, 32], got {wrong[0] if wrong else batches!r}"
        )
    return list(dict.fromkeys(sizes))
