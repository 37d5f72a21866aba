"""The cases to measure: batch sizes, and the model with an input of each size."""

import math
from typing import Any

from ..show.format import digits
from . import samples
from .candidates import Case, numpy_of
from .loaded_model import LoadedModel
from .paths import BadModel

_MOST_BYTES = 2**30  # of one input
_MOST_ROWS = 1_000_000


def count_of_rows(batch_size: int) -> str:
    """Return a batch size in words.

    >>> count_of_rows(1), count_of_rows(32)
    ('1 row', '32 rows')
    """
    return "1 row" if batch_size == 1 else f"{batch_size} rows"


def batch_sizes(batches: Any) -> list[int]:
    """Return the batch sizes that were asked for, each once; raise BadModel for anything else.

    >>> batch_sizes([1, 32, 1])
    [1, 32]
    """
    try:
        sizes = [batches] if isinstance(batches, int) else list(batches)
    except TypeError:
        sizes = []
    for size in sizes:
        if not _is_batch_size(size):
            raise BadModel(f"batches are whole numbers from 1 on, such as [1, 32], got {size!r}")
    if not sizes:
        raise BadModel(f"batches are whole numbers from 1 on, such as [1, 32], got {batches!r}")
    return list(dict.fromkeys(sizes))


def _is_batch_size(size: Any) -> bool:
    if isinstance(size, bool) or not isinstance(size, int):
        return False
    return 1 <= size <= _MOST_ROWS


def possible_sizes(loaded: LoadedModel, spec: Any, wanted: list[int]) -> list[int]:
    """Return the batch sizes to measure: those wanted, or the one that the model fixes.

    In the second case the model gets a note that says so.
    """
    import tensorflow as tf

    if loaded.is_whole:
        return [loaded.whole_rows]
    fixed = {leaf.shape[0] for leaf in tf.nest.flatten(spec)} - {None}
    if len(fixed) > 1:
        raise BadModel(
            f"the inputs of {loaded.name} fix batches of different sizes, {sorted(fixed)}: give a"
            " sample, which is then measured as it is"
        )
    if not fixed or wanted == list(fixed):
        return wanted
    size = fixed.pop()
    loaded.notes.append(
        f"the model fixes {count_of_rows(size)} per call: measured with that size only"
    )
    return [size]


def case_for(loaded: LoadedModel, spec: Any, given: Any, batch_size: int) -> Case:
    """Return a model with an input of one batch size, random if no sample is given."""
    import tensorflow as tf

    if loaded.is_whole:
        x = given
        if loaded.runtime:
            x = dict(zip(sorted(x), numpy_of(x), strict=True))
        return Case(loaded, x, spec)

    def with_batch(leaf: Any) -> Any:
        return tf.TensorSpec((batch_size, *leaf.shape[1:]), leaf.dtype, name=leaf.name)

    sized = tf.nest.map_structure(with_batch, spec)
    size = sum(math.prod(leaf.shape) * leaf.dtype.size for leaf in tf.nest.flatten(sized))
    if size > _MOST_BYTES:
        raise BadModel(
            f"{batch_size} rows of this model take {digits(size / 2**30)} GiB:"
            " give smaller batches or rows"
        )
    if given is None:
        x = samples.make(sized, batch_size, limit=samples.limit_of(loaded))
    else:
        x = samples.resized(given, batch_size)
    if loaded.runtime:  # it takes arrays only, and text comes as tensors
        x = dict(zip(sorted(x), numpy_of(x), strict=True))
    return Case(loaded, x, sized)
