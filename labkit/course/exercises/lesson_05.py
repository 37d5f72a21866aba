"""Exercises of lesson 05: when a tf.data pipeline pays."""

import itertools
import math
import random
import threading
import time
from collections.abc import Iterator
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
from .watched import calls_back

PAYS = "Where does a pipeline pay?"
PARALLEL = "When reading takes longer than working"
TUNER = "What does the tuner cost?"
BREAKS = "It breaks like this"

PATIENCE = 3.0  # seconds to wait for calls that should be under way at the same time
QUIET = 0.3  # seconds in which another call would come, if one was to come


def expect_dataset(got: Any, section: str) -> Any:
    """Return a dataset, and raise `NotYet` for anything else."""
    import tensorflow as tf

    expect_result(got, "a dataset", section)
    if not isinstance(got, tf.data.Dataset):
        raise NotYet(f"your function returned {type_of(got)}", "a tf.data.Dataset", section)
    return got


def batches_of(rows: Any, size: int) -> list:
    """Return rows in batches, the last one perhaps smaller."""
    return [rows[start : start + size] for start in range(0, len(rows), size)]


# ---- 05.1 ----

AT_ONCE = 4


class _Server:
    """A `read` whose first calls wait for each other, and which counts calls under way."""

    def __init__(self, rows: Any):
        self.rows = rows
        self.most = 0
        self.calls: list[int] = []
        self._under_way = 0
        self._returned = 0
        self._is_open = False
        self._changed = threading.Condition()

    def __call__(self, number: Any) -> Any:
        i = int(number)
        with self._changed:
            self.calls.append(i)
            self._under_way += 1
            self.most = max(self.most, self._under_way)
            self._changed.notify_all()
            self._wait_for_the_others()
            if i == 0:  # it comes last, so that a pipeline without an order shows itself
                self._changed.wait_for(lambda: self._returned >= AT_ONCE - 1, QUIET)
            self._under_way -= 1
            self._returned += 1
            self._changed.notify_all()
        return self.rows[i]

    def _wait_for_the_others(self) -> None:
        """Wait until four calls are under way, and a little longer in case a fifth comes."""
        self._changed.wait_for(lambda: self._is_open or self.most >= AT_ONCE, PATIENCE)
        self._changed.wait_for(lambda: self._is_open or self.most > AT_ONCE, QUIET)
        self._is_open = True
        self._changed.notify_all()


@exercise(
    "05.1",
    "let four reads wait at once",
    section=PARALLEL,
    hints=(
        "How many calls of a map were under way at once without `num_parallel_calls`? And how many "
        "threads has a pipeline, unless you say otherwise?",
        "`num_parallel_calls=4` in `map`, and `options.threading.private_threadpool_size = 4`.",
        "numbers = tf.data.Dataset.range(n)\n"
        "function = lambda i: tf.numpy_function(read, [i], tf.float32)\n"
        "# then: options with four threads, a map with four calls, .with_options(options)",
    ),
)
def _check_read_together(read_together: Any) -> str:
    for n in (12, random.randrange(13, 20)):
        _check_reads(read_together, n)
    return "four reads at once with any number of cores, and their order kept"


def _check_reads(read_together: Any, n: int) -> None:
    server = _Server(fresh_rows(n) - 0.5)
    dataset = expect_dataset(read_together(server, n), PARALLEL)
    _check_dtype(dataset, "one array of float32 for each number", "what does `Tout` say?", PARALLEL)
    got = list(_as_with_two_cores(dataset).as_numpy_iterator())
    if len(got) != n:
        raise NotYet(f"{len(got)} elements for n={n}", f"{n}, one for each number", EXERCISE_TEXT)
    if len(server.calls) != n:
        raise NotYet(f"{len(server.calls)} reads for n={n}", f"{n} reads", EXERCISE_TEXT)
    if server.most != AT_ONCE:
        seen = f"with two cores, {server.most} of the reads are under way at once"
        if server.most > AT_ONCE:
            raise NotYet(seen, "4, not more: the server is not ours alone", PARALLEL)
        wanted = "4: how many calls may run at once, and how many threads are there?"
        raise NotYet(seen, wanted, PARALLEL)
    agree(got, list(server.rows), "in the order of the numbers", PARALLEL)


def _as_with_two_cores(dataset: Any) -> Any:
    """Return the pipeline as it runs with two cores, unless it brings threads of its own."""
    import tensorflow as tf

    if dataset.options().threading.private_threadpool_size:
        return dataset
    two = tf.data.Options()
    two.threading.private_threadpool_size = 2
    return dataset.with_options(two)


# ---- 05.2 ----

READY = 2


@exercise(
    "05.2",
    "read ahead without a tuner",
    section=TUNER,
    hints=(
        "What does TensorFlow no longer do by itself when the tuner is off?",
        "`prefetch(2)` keeps two elements ready; `with_options` takes the options.",
        "options = tf.data.Options()\noptions.autotune.enabled = ...\n"
        "# return the dataset with a prefetch, and with these options",
    ),
)
def _check_without_tuner(without_tuner: Any) -> str:
    for n in (8, random.randrange(9, 16)):
        _check_reading_ahead(without_tuner, n)
    return "no tuner, and two elements lie ready"


def _check_reading_ahead(without_tuner: Any, n: int) -> None:
    import tensorflow as tf

    made: list[int] = []

    def make(i: Any) -> Any:
        made.append(int(i))
        return i * i - 7

    numbers = tf.data.Dataset.range(n)
    source = numbers.map(lambda i: tf.ensure_shape(tf.numpy_function(make, [i], tf.int64), []))
    dataset = expect_dataset(without_tuner(source), TUNER)
    if dataset.options().autotune.enabled is not False:
        raise NotYet("the tuner is on", "options.autotune.enabled = False", TUNER)
    iterator = dataset.as_numpy_iterator()
    first = next(iterator, None)
    ready = _number_when_quiet(made) - 1
    got = [first, *iterator]
    agree(got, [i * i - 7 for i in range(n)], "in order", TUNER)
    if ready != READY:
        seen = f"while the loop holds the first element, {ready} more are made"
        if ready > READY:
            raise NotYet(seen, f"{READY}: what else reads ahead, or how far?", TUNER)
        raise NotYet(seen, f"{READY}: what does TensorFlow not add with the tuner off?", TUNER)


def _number_when_quiet(made: list[int]) -> int:
    """Return how many elements were made once no more are coming."""
    deadline = time.monotonic() + PATIENCE
    while len(made) <= READY and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(QUIET)
    return len(made)


# ---- 05.3 ----

CHOICES = ("one call", "read ahead", "parallel map", "leave it")
ADVICE = {"A": "one call", "B": "parallel map", "C": "read ahead", "D": "leave it"}
WHY_NOT = {
    "A": {
        "read ahead": "nothing is waited for when small rows are in memory",
        "parallel map": "there is nothing to map: the rows are in memory as they should be",
        "leave it": "eight calls pay eight times for calling; is there a way with fewer?",
    },
    "B": {
        "one call": "the batches are not there yet; it is the waiting that takes the time",
        "read ahead": (
            "50 ms become max(40, 10) = 40 ms, and the server could answer many at once"
        ),
        "leave it": "the loop waits 40 of 50 ms for each batch",
    },
    "C": {
        "one call": "the rows are not there yet; Python computes them",
        "parallel map": (
            "Python computes under one lock: four calls at once take as long as in turn"
        ),
        "leave it": "24 ms per batch could become max(12, 12) = 12 ms",
    },
    "D": {
        "one call": "a training step takes one batch: the next one needs its result",
        "read ahead": "there is next to nothing to overlap: a slice of small rows against 80 ms",
        "parallel map": "there is nothing to map: the rows are in memory as they should be",
    },
}


@exercise(
    "05.3",
    "say beforehand what helps",
    section=PAYS,
    hints=(
        "For each loop: who waits for whom? Write down read, work, read + work and max(read, "
        "work).",
        "Overlap helps when read and work are alike. Parallel calls help when they wait, not when "
        "Python computes.",
        'advice = {"A": ..., "B": ..., "C": ..., "D": ...}; each of the four is used once.',
    ),
)
def _check_advice(advice: Any) -> str:
    _check_choices(advice)
    for case, choice in advice.items():
        if choice != ADVICE[case]:
            reason = WHY_NOT[case][choice]
            raise NotYet(f"{case}, {choice}: {reason}", "what helps most here", PAYS)
    return "known rows: no loop; waiting: wait together; Python computing: overlap; long work: none"


def _check_choices(advice: Any) -> None:
    wanted = "a dict with the keys A, B, C and D"
    if not isinstance(advice, dict):
        raise NotYet(type_of(advice), wanted, EXERCISE_TEXT)
    if set(advice) != set(ADVICE):
        keys = sorted(map(str, advice))
        raise NotYet(f"a dict with the keys {keys}", wanted, EXERCISE_TEXT)
    for case, choice in advice.items():
        if choice not in CHOICES:
            raise NotYet(f"{case}: {choice!r}", f"one of {', '.join(CHOICES)}", EXERCISE_TEXT)


# ---- 05.4 ----

# A pass calls Python a few times more: it begins, it ends, and a pipeline may read ahead.
MORE_CALLS = 16


@exercise(
    "05.4",
    "turn a generator into batches (stretch)",
    section=BREAKS,
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
        dataset = expect_dataset(from_source(source, size), BREAKS)
    if taken:
        seen = f"{len(taken)} rows were read before anybody asked"
        raise NotYet(seen, "none: it may be endless", BREAKS)
    wanted = "one array of float32 for each batch"
    _check_dtype(dataset, wanted, "what does the signature say?", BREAKS)
    with calls_back() as python:
        batches = _one_pass(dataset, crossed)
    passed = len(crossed)
    agree(batches, batches_of(rows, size), f"for {n} rows", BREAKS)
    most = math.ceil(n / size)
    if passed > most:
        seen = f"{passed} elements crossed from Python for {n} rows"
        raise NotYet(seen, f"{most}, one per batch", BREAKS)
    if len(python) > most + MORE_CALLS:
        seen = f"the pipeline called Python {len(python)} times for {n} rows"
        raise NotYet(seen, f"{most}, once per batch", BREAKS)
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
            raise NotYet(f"from_generator got {type_of(generator)}", wanted, BREAKS)

        def counting(*inputs: Any) -> Iterator[Any]:
            for element in generator(*inputs):
                crossed.append(np.shape(element))
                yield element

        return original(counting, *args, **options)

    with patch.object(tf.data.Dataset, "from_generator", staticmethod(watched)):
        yield crossed


def _check_dtype(dataset: Any, wanted: str, question: str, section: str) -> None:
    """Raise `NotYet` if the elements of a dataset are not single arrays of float32."""
    import tensorflow as tf

    spec = dataset.element_spec
    dtype = getattr(spec, "dtype", None)
    if dtype is None:
        raise NotYet(f"elements of {spec}", wanted, section)
    if dtype != tf.float32:
        raise NotYet(f"elements of {dtype.name}", f"float32: {question}", section)


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
        raise NotYet(seen, wanted, BREAKS) from None


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
        raise NotYet(seen, wanted, BREAKS) from None
    agree(got, [[row] * 3] * 2, "without an end", BREAKS)
