"""Exercises of lesson 04: the tf.data pipeline."""

import itertools
import math
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from .engine import (
    EXERCISE_TEXT,
    NotYet,
    agree,
    exercise,
    expect_result,
    fresh_rows,
    type_of,
)

ORDER = "In which order?"
SHUFFLE = "Where to shuffle"
PAYS = "Where does a pipeline pay?"
GENERATOR = "What a generator costs"
BREAKS = "It breaks like this"


def _expect_dataset(got: Any, section: str) -> Any:
    """Return a dataset, and raise `NotYet` for anything else."""
    import tensorflow as tf

    expect_result(got, "a dataset", section)
    if not isinstance(got, tf.data.Dataset):
        raise NotYet(f"your function returned {type_of(got)}", "a tf.data.Dataset", section)
    return got


def _counted_step() -> tuple[Callable, list[tuple]]:
    """Return a step, and the list of the shapes that it was called with."""
    import tensorflow as tf

    shapes: list[tuple] = []

    def run(x: Any) -> Any:
        shapes.append(x.shape)
        return _by_hand(x)

    def step(x: Any) -> Any:
        x = tf.convert_to_tensor(x)
        return tf.ensure_shape(tf.numpy_function(run, [x], tf.float32), x.shape)

    return step, shapes


def _by_hand(rows: Any) -> Any:
    """Return what the step makes of rows: the oracle."""
    return rows / (1 + rows.sum(axis=-1, keepdims=True))


def _batches(rows: Any, size: int) -> list:
    """Return rows in batches, the last one perhaps smaller."""
    return [rows[start : start + size] for start in range(0, len(rows), size)]


@exercise(
    "04.1",
    "run an expensive step once per row",
    section=ORDER,
    hints=(
        "Which links come before the cache in the pipeline whose step ran 20 times in three "
        "epochs? And which link has to do something new in every epoch?",
        "`map`, `cache`, `shuffle`, `batch`: a cache keeps what the links before it did, the "
        "order of a shuffle too.",
        "tf.data.Dataset.from_tensor_slices(rows).map(step) comes first, `.batch(4)` comes last. "
        "Put the other two between them.",
    ),
)
def _check_prepare(prepare: Any) -> str:
    for n in (20, 4 * random.randrange(5, 10) + random.randrange(1, 4)):
        _check_three_epochs(prepare, n)
    return "one run per row in three epochs, and a new order in each"


def _check_three_epochs(prepare: Any, n: int) -> None:
    rows = fresh_rows(n)
    step, shapes = _counted_step()
    dataset = _expect_dataset(prepare(rows, step), ORDER)
    epochs = [list(dataset.as_numpy_iterator()) for _ in range(3)]
    for shape in shapes:
        if len(shape) != 1:
            seen = f"the step got an array of shape {shape}"
            raise NotYet(seen, "single rows, of shape (10,)", ORDER)
    for epoch in epochs:
        _check_rows_of_epoch(epoch, _by_hand(rows), f"for {n} rows")
    if len(shapes) > n:
        seen = f"the step ran {len(shapes)} times in 3 epochs of {n} rows"
        raise NotYet(seen, f"{n} runs: does the step come before the cache?", ORDER)
    _check_new_order(epochs)
    _check_batch_sizes(epochs[0], n)


def _check_rows_of_epoch(epoch: list, wanted: Any, where: str) -> None:
    """Check that the batches of an epoch hold the wanted rows, in any order."""
    import numpy as np

    if not epoch:
        raise NotYet(f"{where}, the dataset yields nothing", "batches of shape (4, 10)", ORDER)
    if epoch[0].ndim != 2:
        seen = f"{where}, the dataset yields {epoch[0].shape}"
        raise NotYet(seen, "batches of shape (4, 10)", ORDER)
    got = np.concatenate(epoch)
    if len(got) != len(wanted):
        seen = f"{len(got)} rows in an epoch, {where}"
        raise NotYet(seen, f"{len(wanted)}: every row, once", ORDER)
    agree(_sorted_rows(got), _sorted_rows(wanted), f"{where}, sorted", ORDER)


def _sorted_rows(rows: Any) -> Any:
    import numpy as np

    return rows[np.lexsort(rows.T)]


def _check_new_order(epochs: list[list]) -> None:
    """Check that the epochs differ in their order, and in the rows that share a batch."""
    orders = [_rows_of(epoch) for epoch in epochs]
    if orders[0] == orders[1] == orders[2]:
        wanted = "a new one each time: what does the cache keep?"
        raise NotYet("every epoch has the same order", wanted, SHUFFLE)
    groups = [_groups_of(epoch) for epoch in epochs]
    if groups[0] == groups[1] == groups[2]:
        wanted = "other rows together each time"
        raise NotYet("the same rows meet in every epoch", wanted, SHUFFLE)


def _rows_of(epoch: list) -> list[tuple]:
    """Return the rows of an epoch in order."""
    rows: list[tuple] = []
    for batch in epoch:
        rows.extend(map(tuple, batch))
    return rows


def _groups_of(epoch: list) -> set[frozenset]:
    """Return which rows share a batch, whatever the order."""
    return {frozenset(map(tuple, batch)) for batch in epoch}


def _check_batch_sizes(epoch: list, n: int) -> None:
    sizes = [len(batch) for batch in epoch]
    wanted = [4] * (n // 4)
    if n % 4:
        wanted.append(n % 4)
    if sizes != wanted:
        seen = f"batches of {sizes} rows"
        raise NotYet(seen, "batches of 4, and the rest in the last one", ORDER)


@exercise(
    "04.2",
    "run a step once per batch",
    section=ORDER,
    hints=(
        "How often did the step run in `map, batch`, and how often in `batch, map`?",
        "`dataset.batch(32)` joins rows and labels alike: after it, the function of `map` gets a "
        "batch of each.",
        "return dataset.batch(32).map(lambda rows, labels: (..., labels))",
    ),
)
def _check_vectorise(vectorise: Any) -> str:
    for n in (64, random.randrange(65, 120), 5):
        _check_steps_on_batches(vectorise, n)
    return "one run per batch, rows and labels as before"


def _check_steps_on_batches(vectorise: Any, n: int) -> None:
    import numpy as np
    import tensorflow as tf

    rows = fresh_rows(n)
    labels = np.arange(n, dtype="int32")
    step, shapes = _counted_step()
    pairs = tf.data.Dataset.from_tensor_slices((rows, labels))
    dataset = _expect_dataset(vectorise(pairs, step), ORDER)
    got = list(dataset.as_numpy_iterator())
    fewest = math.ceil(n / 32)
    _check_pairs(got, n, fewest)
    got_rows = [pair[0] for pair in got]
    got_labels = [pair[1] for pair in got]
    agree(got_labels, _batches(labels, 32), "in the labels", ORDER)
    agree(got_rows, _batches(_by_hand(rows), 32), f"for {n} rows", ORDER)
    if len(shapes) > fewest:
        seen = f"the step ran {len(shapes)} times for {n} rows"
        raise NotYet(seen, f"{fewest} runs, one per batch", ORDER)


def _check_pairs(got: list, n: int, fewest: int) -> None:
    """Check that the elements are pairs, of all the labels, in as few batches as that takes."""
    import numpy as np

    seen = 0
    for element in got:
        if not isinstance(element, tuple) or len(element) != 2:
            wanted = "pairs of rows and labels"
            raise NotYet("elements that are not pairs", wanted, EXERCISE_TEXT)
        seen += np.size(element[1])
    if seen != n:
        wanted = f"{n}: is the last, smaller batch dropped?"
        raise NotYet(f"{seen} labels for {n} rows", wanted, ORDER)
    if len(got) != fewest:
        raise NotYet(f"{len(got)} elements for {n} rows", f"{fewest} batches of up to 32", ORDER)


CHOICES = ("one call", "read ahead", "parallel map", "loop in graph")
ADVICE = {"A": "one call", "B": "parallel map", "C": "read ahead"}
WHY_NOT = {
    "A": {
        "read ahead": "nothing is waited for when the rows are in memory",
        "parallel map": "there is nothing to map: the rows are in memory as they should be",
        "loop in graph": (
            "8 steps do not pay for preparing the loop; is there a way without a loop?"
        ),
    },
    "B": {
        "one call": "the batches are not there yet; it is the waiting that takes the time",
        "read ahead": (
            "50 ms become max(40, 10) = 40 ms, and the server could answer many at once"
        ),
        "loop in graph": "a loop in the graph waits for the server as long as any other",
    },
    "C": {
        "one call": "the rows are not there yet; Python computes them",
        "parallel map": (
            "Python computes under one lock: four calls at once take as long as in turn"
        ),
        "loop in graph": "Python computes as long as before, wherever the loop runs",
    },
}


@exercise(
    "04.3",
    "say beforehand what helps",
    section=PAYS,
    hints=(
        "For each loop: who waits for whom? Write down read, work, read + work and max(read, "
        "work).",
        "Overlap helps when read and work are alike. Parallel calls help when they wait, not when "
        "Python computes.",
        'advice = {"A": ..., "B": ..., "C": ...}; three different answers of the four.',
    ),
)
def _check_advice(advice: Any) -> str:
    _check_choices(advice)
    for case, choice in advice.items():
        if choice != ADVICE[case]:
            reason = WHY_NOT[case][choice]
            raise NotYet(f"{case}, {choice}: {reason}", "what helps most here", PAYS)
    return "in memory: no loop; waiting: wait for several at once; Python computing: read ahead"


def _check_choices(advice: Any) -> None:
    wanted = "a dict with the keys A, B and C"
    if not isinstance(advice, dict):
        raise NotYet(type_of(advice), wanted, EXERCISE_TEXT)
    if set(advice) != set(ADVICE):
        keys = sorted(map(str, advice))
        raise NotYet(f"a dict with the keys {keys}", wanted, EXERCISE_TEXT)
    for case, choice in advice.items():
        if choice not in CHOICES:
            raise NotYet(f"{case}: {choice!r}", f"one of {', '.join(CHOICES)}", EXERCISE_TEXT)


@exercise(
    "04.4",
    "turn a generator into batches (stretch)",
    section=GENERATOR,
    hints=(
        "What has to be handed to from_generator, a generator or a function? What shape has the "
        "last batch?",
        "Write an inner generator function that collects rows of source() and yields arrays; the "
        "signature is tf.TensorSpec((None, 10), tf.float32).",
        "for row in source(): batch.append(row); if len(batch) == size: yield np.array(batch, "
        "'float32'); batch = []. After the loop, once more for what is left.",
    ),
)
def _check_from_source(from_source: Any) -> str:
    for n, size in ((400, 4), (random.randrange(30, 60), 7), (5, 8)):
        _check_batches_from_source(from_source, n, size)
    _check_endless_source(from_source)
    return "batches cross, the last one may be smaller, every pass begins afresh"


def _check_batches_from_source(from_source: Any, n: int, size: int) -> None:
    rows = fresh_rows(n)
    taken: list[None] = []

    def source() -> Iterator[list]:
        for row in rows:
            taken.append(None)
            yield row.tolist()

    with _crossings() as crossed:
        dataset = _expect_dataset(from_source(source, size), GENERATOR)
    if taken:
        seen = f"{len(taken)} rows were read before anybody asked"
        raise NotYet(seen, "none: it may be endless", GENERATOR)
    _check_dtype(dataset)
    batches = _one_pass(dataset, crossed)
    passed = len(crossed)
    agree(batches, _batches(rows, size), f"for {n} rows", GENERATOR)
    most = math.ceil(n / size)
    if passed > most:
        seen = f"{passed} elements crossed from Python for {n} rows"
        raise NotYet(seen, f"{most}, one per batch", GENERATOR)
    again = len(_one_pass(dataset, crossed))
    if again != len(batches):
        seen = f"{again} batches in the second pass"
        raise NotYet(seen, f"{len(batches)}, as in the first", BREAKS)


@contextmanager
def _crossings() -> Iterator[list[tuple]]:
    """Make `from_generator` note the shape of each element that crosses from Python."""
    import numpy as np
    import tensorflow as tf

    original = tf.data.Dataset.from_generator
    crossed: list[tuple] = []

    def watched(generator: Any, *args: Any, **options: Any) -> Any:
        if not callable(generator):
            wanted = "a function: it is called again for every pass"
            raise NotYet(f"from_generator got {type_of(generator)}", wanted, GENERATOR)

        def counting(*inputs: Any) -> Iterator[Any]:
            for element in generator(*inputs):
                crossed.append(np.shape(element))
                yield element

        return original(counting, *args, **options)

    with patch.object(tf.data.Dataset, "from_generator", staticmethod(watched)):
        yield crossed


def _check_dtype(dataset: Any) -> None:
    import tensorflow as tf

    spec = dataset.element_spec
    dtype = getattr(spec, "dtype", None)
    if dtype is None:
        raise NotYet(f"elements of {spec}", "one array of float32 for each batch", GENERATOR)
    if dtype != tf.float32:
        seen = f"elements of {dtype.name}"
        raise NotYet(seen, "float32: what does the signature say?", GENERATOR)


def _one_pass(dataset: Any, crossed: list[tuple]) -> list:
    """Return all batches of a dataset, and name the slip of a signature that does not fit."""
    try:
        return list(dataset.as_numpy_iterator())
    except Exception:
        declared = dataset.element_spec.shape
        if not crossed or declared.is_compatible_with(crossed[-1]):
            raise
        seen = f"a batch of shape {crossed[-1]} where the signature says {tuple(declared)}"
        wanted = "a signature that fits every batch, the last one too"
        raise NotYet(seen, wanted, GENERATOR) from None


def _check_endless_source(from_source: Any) -> None:
    """Take two batches of an endless source; a greedy answer is stopped before memory is full."""
    row = [0.5] * 10
    exhausted = False

    def endless() -> Iterator[list]:
        nonlocal exhausted
        yield from itertools.repeat(row, 10_000)
        exhausted = True
        raise RuntimeError("too many rows were taken")

    try:
        got = list(from_source(endless, 3).take(2).as_numpy_iterator())
    except Exception:
        if not exhausted:
            raise
        seen = "an endless source was asked for everything"
        wanted = "only the rows of the batch that is due: yield each as soon as it is full"
        raise NotYet(seen, wanted, GENERATOR) from None
    agree(got, [[row] * 3] * 2, "without an end", GENERATOR)
