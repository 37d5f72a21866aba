"""Exercises of lesson 04: the tf.data pipeline."""

import itertools
import math
import random
from typing import Any
from unittest.mock import patch

from .engine import NotYet, agree, exercise

ORDER = "In which order?"
PAYS = "Where does a pipeline pay?"
GENERATOR = "What a generator costs"
BREAKS = "It breaks like this"


def _dataset(got: Any, where: str, section: str) -> Any:
    import tensorflow as tf

    if got is None or got is ...:
        raise NotYet(
            f"your function returned nothing {where}", "a dataset: is a `return` missing?", section
        )
    if not isinstance(got, tf.data.Dataset):
        raise NotYet(f"your function returned a {type(got).__name__}", "a tf.data.Dataset", section)
    return got


def _counted() -> tuple[Any, list]:
    """Return a step, and the list of the shapes that it was called with."""
    import tensorflow as tf

    shapes: list = []

    def run(x: Any) -> Any:
        shapes.append(x.shape)
        return x / (1 + x.sum(axis=-1, keepdims=True))

    def step(x: Any) -> Any:
        x = tf.convert_to_tensor(x)
        return tf.ensure_shape(tf.numpy_function(run, [x], tf.float32), x.shape)

    return step, shapes


def _by_hand(data: Any) -> Any:
    return data / (1 + data.sum(axis=-1, keepdims=True))


@exercise(
    "04.1",
    "run an expensive step once per row",
    section=ORDER,
    hints=(
        "Which links stand before the cache in the pipeline whose step ran 20 times in three epochs? And which link "
        "has to do something new in every epoch?",
        "`map`, `cache`, `shuffle`, `batch`: a cache keeps what the links before it did, the order of a shuffle too.",
        "tf.data.Dataset.from_tensor_slices(rows).map(step) comes first, `.batch(4)` comes last. Put the other two "
        "between them.",
    ),
)
def _prepare(prepare: Any) -> str:
    from ..models import random_rows

    for n in (20, 4 * random.randrange(5, 10) + random.randrange(1, 4)):
        data = random_rows(n, seed=random.randrange(10_000))
        step, shapes = _counted()
        dataset = _dataset(prepare(data, step), f"for {n} rows", ORDER)
        epochs = [list(dataset.as_numpy_iterator()) for _ in range(3)]
        if any(len(shape) != 1 for shape in shapes):
            raise NotYet(
                f"the step got an array of shape {shapes[-1]}", "single rows, of shape (10,)", ORDER
            )
        _same_rows(epochs, _by_hand(data), f"for {n} rows")
        if len(shapes) > n:
            seen = f"the step ran {len(shapes)} times in 3 epochs of {n} rows"
            raise NotYet(seen, f"{n} runs: does the step stand before the cache?", ORDER)
        flat = [[tuple(row) for batch in epoch for row in batch] for epoch in epochs]
        if flat[0] == flat[1] == flat[2]:
            raise NotYet(
                "every epoch has the same order",
                "a new one each time: what does the cache keep?",
                "Where to shuffle",
            )
        met = [{frozenset(map(tuple, batch)) for batch in epoch} for epoch in epochs]
        if met[0] == met[1] == met[2]:
            raise NotYet(
                "the same rows meet in every epoch", "other company each time", "Where to shuffle"
            )
        sizes = [len(batch) for batch in epochs[0]]
        if sizes != [4] * (n // 4) + [n % 4] * (n % 4 > 0):
            raise NotYet(
                f"batches of {sizes} rows", "batches of 4, and the rest in the last one", ORDER
            )
    return "one run per row in three epochs, and a new order in each"


def _same_rows(epochs: list, wanted: Any, where: str) -> None:
    import numpy as np

    for epoch in epochs:
        if not epoch or epoch[0].ndim != 2:
            shape = epoch[0].shape if epoch else "nothing"
            raise NotYet(f"{where}, the dataset yields {shape}", "batches of shape (4, 10)", ORDER)
        got = np.concatenate(epoch)
        if len(got) != len(wanted):
            raise NotYet(
                f"{len(got)} rows in an epoch, {where}", f"{len(wanted)}: every row, once", ORDER
            )
        agree(got[np.lexsort(got.T)], wanted[np.lexsort(wanted.T)], f"sorted, {where}", ORDER)


@exercise(
    "04.2",
    "run a step once per batch",
    section=ORDER,
    hints=(
        "How often did the step run in `map, batch`, and how often in `batch, map`?",
        "`dataset.batch(32)` joins rows and labels alike: after it, the function of `map` gets a batch of each.",
        "return dataset.batch(32).map(lambda rows, labels: (..., labels))",
    ),
)
def _vectorise(vectorise: Any) -> str:
    import numpy as np
    import tensorflow as tf

    from ..models import random_rows

    for n in (64, random.randrange(65, 120), 5):
        data, labels = random_rows(n, seed=random.randrange(10_000)), np.arange(n, dtype="int32")
        step, shapes = _counted()
        dataset = _dataset(
            vectorise(tf.data.Dataset.from_tensor_slices((data, labels)), step),
            f"for {n} rows",
            ORDER,
        )
        got = list(dataset.as_numpy_iterator())
        if not all(isinstance(pair, tuple) and len(pair) == 2 for pair in got):
            raise NotYet(
                "elements that are no pairs", "pairs of rows and labels", "the text of the exercise"
            )
        least, seen = math.ceil(n / 32), sum(len(np.atleast_1d(label)) for _, label in got)
        if seen != n:
            raise NotYet(
                f"{seen} labels for {n} rows", f"{n}: is the last, smaller batch dropped?", ORDER
            )
        if len(got) != least:
            raise NotYet(f"{len(got)} elements for {n} rows", f"{least} batches of up to 32", ORDER)
        agree(
            [label for _, label in got],
            [labels[i : i + 32] for i in range(0, n, 32)],
            "in the labels",
            ORDER,
        )
        whole = _by_hand(data)
        agree(
            [row for row, _ in got],
            [whole[i : i + 32] for i in range(0, n, 32)],
            f"for {n} rows",
            ORDER,
        )
        if len(shapes) > least:
            raise NotYet(
                f"the step ran {len(shapes)} times for {n} rows",
                f"{least} runs, one per batch",
                ORDER,
            )
    return "one run per batch, rows and labels as before"


CHOICES = ("one call", "read ahead", "parallel map", "loop in graph")
ADVICE = {"A": "one call", "B": "parallel map", "C": "read ahead"}
WHY_NOT = {
    ("A", "read ahead"): "nothing is waited for when the rows are in memory",
    ("A", "parallel map"): "there is nothing to map: the rows are in memory as they should be",
    (
        "A",
        "loop in graph",
    ): "8 steps do not pay for preparing the loop; is there a way without a loop?",
    ("B", "one call"): "the batches are not there yet; it is the waiting that takes the time",
    (
        "B",
        "read ahead",
    ): "50 ms become max(40, 10) = 40 ms, and the server could answer many at once",
    ("B", "loop in graph"): "a loop in the graph waits for the server as long as any other",
    ("C", "one call"): "the tokens are not there yet; Python computes them",
    (
        "C",
        "parallel map",
    ): "Python computes under one lock: four calls at once take as long as in turn",
    ("C", "loop in graph"): "Python computes as long as before, wherever the loop runs",
}


@exercise(
    "04.3",
    "say beforehand what helps",
    section=PAYS,
    hints=(
        "For each loop: who waits for whom? Write down read, work, read + work and max(read, work).",
        "Overlap helps when read and work are alike. Parallel calls help when they wait, not when Python computes.",
        'advice = {"A": ..., "B": ..., "C": ...}; three different answers of the four.',
    ),
)
def _advice(advice: Any) -> str:
    if not isinstance(advice, dict) or set(advice) != set(ADVICE):
        seen = (
            f"a dict with the keys {sorted(map(str, advice))}"
            if isinstance(advice, dict)
            else type(advice).__name__
        )
        raise NotYet(seen, "a dict with the keys A, B and C", "the text of the exercise")
    for case, choice in advice.items():
        if choice not in CHOICES:
            raise NotYet(
                f"{case}: {choice!r}", f"one of {', '.join(CHOICES)}", "the text of the exercise"
            )
    for case, choice in advice.items():
        if choice != ADVICE[case]:
            raise NotYet(f"{case}, {choice}: {WHY_NOT[case, choice]}", "what helps most here", PAYS)
    return (
        "memory: no loop; waiting: wait for several; Python that computes: at least beside the work"
    )


@exercise(
    "04.4",
    "turn a generator into batches (stretch)",
    section=GENERATOR,
    hints=(
        "What has to be handed to from_generator, a generator or a function? What shape has the last batch?",
        "Write an inner generator function that collects rows of source() and yields arrays; the signature is "
        "tf.TensorSpec((None, 10), tf.float32).",
        "for row in source(): batch.append(row); if len(batch) == size: yield np.array(batch, 'float32'); batch = []. "
        "After the loop, once more for what is left.",
    ),
)
def _source(from_source: Any) -> str:
    import tensorflow as tf

    from ..models import random_rows

    original, crossed = tf.data.Dataset.from_generator, []

    def watched(generator: Any, *args: Any, **kwargs: Any) -> Any:
        def counting(*inputs: Any) -> Any:
            for item in generator(*inputs):
                crossed.append(None)
                yield item

        return original(counting if callable(generator) else generator, *args, **kwargs)

    with patch.object(tf.data.Dataset, "from_generator", staticmethod(watched)):
        for n, size in ((400, 4), (random.randrange(30, 60), 7), (5, 8)):
            data, taken = random_rows(n, seed=random.randrange(10_000)), []

            def source(data: Any = data, taken: list = taken) -> Any:
                for row in data:
                    taken.append(None)
                    yield row.tolist()

            dataset = _dataset(from_source(source, size), f"for {n} rows", GENERATOR)
            if taken:
                raise NotYet(
                    f"{len(taken)} rows were read before anybody asked",
                    "none: it may be endless",
                    GENERATOR,
                )
            _hold(dataset, data, size, crossed)
        agree(_first_two(from_source), [[[0.5] * 10] * 3] * 2, "without an end", GENERATOR)
    return "batches cross, the last one may be smaller, every pass begins afresh"


def _first_two(from_source: Any) -> Any:
    """Return two batches of a source without an end; who asks for all of it is told before the memory is full."""
    said = "an endless source was asked for everything"

    def endless() -> Any:
        yield from itertools.repeat([0.5] * 10, 10_000)
        raise NotYet(
            said,
            "only the rows of the batch that is due: yield each as soon as it is full",
            GENERATOR,
        )

    import tensorflow as tf

    try:
        return list(from_source(endless, 3).take(2).as_numpy_iterator())
    except tf.errors.OpError as error:
        if said in str(error):  # it came through TensorFlow, which wraps what a generator raises
            raise NotYet(said, "only the rows of the batch that is due", GENERATOR) from None
        raise


def _hold(dataset: Any, data: Any, size: int, crossed: list) -> None:
    import tensorflow as tf

    spec, n = dataset.element_spec, len(data)
    if getattr(spec, "dtype", None) != tf.float32:
        raise NotYet(
            f"elements of {getattr(spec, 'dtype', spec)}",
            "float32: what does the signature say?",
            GENERATOR,
        )
    crossed.clear()
    try:
        first = list(dataset.as_numpy_iterator())
    except tf.errors.InvalidArgumentError as error:
        if "was expected" not in str(error):
            raise
        seen = next(line for line in str(error).splitlines() if "was expected" in line).split(
            "TypeError: "
        )[-1]
        raise NotYet(
            seen, "a signature that fits every batch, the last one too", GENERATOR
        ) from None
    most, passed = math.ceil(n / size), len(crossed)
    agree(first, [data[i : i + size] for i in range(0, n, size)], f"for {n} rows", GENERATOR)
    if passed > most:
        raise NotYet(
            f"{passed} elements crossed from Python for {n} rows",
            f"{most}, one per batch",
            GENERATOR,
        )
    again = len(list(dataset.as_numpy_iterator()))
    if again != len(first):
        raise NotYet(
            f"{again} batches in the second pass", f"{len(first)}, as in the first", BREAKS
        )
