"""Exercises of lesson 06: the order of stages, and loops in the graph."""

import math
import random
from collections.abc import Callable
from typing import Any

from .engine import (
    EXERCISE_TEXT,
    NotYet,
    agree,
    exercise,
    expect_number,
    expect_result,
    fresh_rows,
    is_close,
    reject_slips,
    type_of,
)
from .lesson_05 import batches_of, expect_dataset
from .watched import calls_of_graphs, expect_one_call

ORDER = "How often does a step run?"
SHUFFLE = "Where to shuffle, where to cache"
LOOP = "Should the loop go into the graph?"


# ---- what 06.1 and 06.2 share ----


def _counted_step() -> tuple[Callable, list[tuple]]:
    """Return a step, and the list of the shapes that it was called with."""
    import tensorflow as tf

    shapes: list[tuple] = []

    def run(x: Any) -> Any:
        shapes.append(x.shape)
        return _by_hand(x)

    def step(x: Any) -> Any:
        x = tf.convert_to_tensor(x)
        if x.dtype != tf.float32:
            raise NotYet(f"the step got {x.dtype.name}", "the rows, which are float32", ORDER)
        return tf.ensure_shape(tf.numpy_function(run, [x], tf.float32), x.shape)

    return step, shapes


def _by_hand(rows: Any) -> Any:
    """Return what the step makes of rows: the oracle."""
    return rows * (1 + abs(rows).sum(axis=-1, keepdims=True))


# ---- 06.1 ----

FEW_ROWS = 40  # too few to tell a full shuffle from one of three quarters of the rows


@exercise(
    "06.1",
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
    for n in (FEW_ROWS, 4 * random.randrange(50, 60) + random.randrange(1, 4)):
        _check_three_epochs(prepare, n)
    return "one run per row in three epochs, and a new order in each"


def _check_three_epochs(prepare: Any, n: int) -> None:
    rows = fresh_rows(n) - 0.5
    step, shapes = _counted_step()
    dataset = expect_dataset(prepare(rows, step), ORDER)
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
    if n > FEW_ROWS:
        _check_that_any_row_can_come_first(epochs, _by_hand(rows))
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


def _check_that_any_row_can_come_first(epochs: list[list], wanted: Any) -> None:
    """Check that rows come much earlier than they did: a buffer of b rows allows b - 1 places.

    With n rows, the last k of them stay within n - k places with the probability
    (n - k)^k * (n - k)! / n! in an epoch: for a quarter of 201 rows 4e-4, in three epochs 5e-11.
    """
    n = len(wanted)
    furthest = max(_furthest_step_ahead(epoch, wanted) for epoch in epochs)
    if furthest < 3 * n // 4:
        seen = f"no row of {n} comes more than {furthest} places early"
        raise NotYet(seen, "any row anywhere: how many does the shuffle choose from?", SHUFFLE)


def _furthest_step_ahead(epoch: list, wanted: Any) -> int:
    """Return by how many places a row comes earlier than among the wanted rows, at most."""
    import numpy as np

    places = np.empty(len(wanted), int)
    places[np.lexsort(np.concatenate(epoch).T)] = np.lexsort(wanted.T)
    return int((places - np.arange(len(wanted))).max())


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


# ---- 06.2 ----


@exercise(
    "06.2",
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
        _check_steps_onbatches_of(vectorise, n)
    return "one run per batch, rows and labels as before"


def _check_steps_onbatches_of(vectorise: Any, n: int) -> None:
    import numpy as np
    import tensorflow as tf

    rows = fresh_rows(n) - 0.5
    labels = np.arange(n, dtype="int32")
    step, shapes = _counted_step()
    pairs = tf.data.Dataset.from_tensor_slices((rows, labels))
    dataset = expect_dataset(vectorise(pairs, step), ORDER)
    if shapes:
        seen = "the step ran before anybody asked for a batch"
        raise NotYet(seen, "a pipeline: the step in a `map`", ORDER)
    got = list(dataset.as_numpy_iterator())
    fewest = math.ceil(n / 32)
    _check_pairs(got, n, fewest)
    got_rows = [pair[0] for pair in got]
    got_labels = [pair[1] for pair in got]
    agree(got_labels, batches_of(labels, 32), "in the labels", ORDER)
    agree(got_rows, batches_of(_by_hand(rows), 32), f"for {n} rows", ORDER)
    if len(shapes) > fewest:
        seen = f"the step ran {len(shapes)} times for {n} rows"
        raise NotYet(seen, f"{fewest} runs, one per batch", ORDER)
    largest = max(shape[0] for shape in shapes)
    if largest > 32:
        raise NotYet(f"the step got {largest} rows at once", "one batch of up to 32", ORDER)
    if got_labels[0].dtype != labels.dtype:
        seen = f"labels of {got_labels[0].dtype}"
        raise NotYet(seen, f"{labels.dtype}, as in the dataset", ORDER)


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
        if seen > n:
            wanted = f"{n}: which of the two comes first?"
        else:
            wanted = f"{n}: is the last, smaller batch dropped?"
        raise NotYet(f"{seen} labels for {n} rows", wanted, ORDER)
    if len(got) != fewest:
        raise NotYet(f"{len(got)} elements for {n} rows", f"{fewest} batches of up to 32", ORDER)


# ---- 06.3 ----

MOST_TRACES = 3  # of a function in a loop of the graph: once more where a shape turns out to vary


@exercise(
    "06.3",
    "take a mean over a dataset in the graph",
    section=LOOP,
    hints=(
        "Which two numbers does a mean over all rows need, when the last batch is smaller?",
        "`dataset.reduce((0.0, 0.0), add)` carries a pair: add(state, batch) returns the next one.",
        "def add(state, batch):\n"
        "    total, count = state\n"
        "    scores = score(batch)\n"
        "    return total + tf.reduce_sum(...), count + tf.cast(tf.size(scores), tf.float32)",
    ),
)
def _check_mean_score(mean_score: Any) -> str:
    for n, size in ((50, 4), (random.randrange(60, 90), 7), (5, 8)):
        _check_mean(mean_score, n, size)
    return "the mean over all rows, and Python ran only while the loop was traced"


def _check_mean(mean_score: Any, n: int, size: int) -> None:
    import numpy as np
    import tensorflow as tf

    rows = fresh_rows(n) - 0.5
    runs: list[None] = []

    def score(batch: Any) -> Any:
        runs.append(None)
        return tf.reduce_sum(batch, axis=1) * tf.abs(batch[:, 0])

    dataset = tf.data.Dataset.from_tensor_slices(rows).batch(size)
    with calls_of_graphs() as calls:
        answer = mean_score(dataset, score)
    got = expect_number(answer, LOOP)
    scores = rows.sum(axis=1) * abs(rows[:, 0])
    wanted = float(scores.mean())
    where = f"for {n} rows in batches of {size}"
    if not is_close(got, wanted, 1e-3):
        means = [float(part.mean()) for part in batches_of(scores, size)]
        slips = [
            (float(scores.sum()), f"{where}, that is the sum", "the mean over all rows"),
            (
                float(np.mean(means)),
                f"{where}, that is the mean of the means of the batches",
                "the mean over all rows: the last batch has fewer",
            ),
            (
                float(scores.sum()) / len(means),
                f"{where}, the sum is divided by the number of batches",
                "the mean over all rows: count the rows",
            ),
        ]
        reject_slips(got, slips, LOOP, 1e-3)
        raise NotYet(f"{where}, the result is {got:.6f}", f"{wanted:.6f}", LOOP)
    if len(runs) > MOST_TRACES:
        seen = f"{where}, the Python code of `score` ran {len(runs)} times"
        raise NotYet(seen, "a loop in the graph: once to trace it, not once per batch", LOOP)
    expect_one_call(calls, math.ceil(n / size), where, LOOP)


# ---- 06.4 ----


@exercise(
    "06.4",
    "carry a state through a loop in the graph (stretch)",
    section=LOOP,
    hints=(
        "Which of the ways to loop in the graph hands the result of a step to the next one?",
        "`tf.scan(step, rows, initializer=start)` in a tf.function whose input_signature leaves "
        "the number of rows open.",
        "@tf.function(input_signature=[tf.TensorSpec((None, 10), tf.float32)])\n"
        "def follow(rows):\n"
        "    return ...\n"
        "return follow",
    ),
)
def _check_make_follow(make_follow: Any) -> str:
    for width in (3, random.randrange(4, 7)):
        _check_states(make_follow, width)
    return "every state, in order, traced once for all numbers of rows"


def _check_states(make_follow: Any, width: int) -> None:
    import numpy as np
    import tensorflow as tf

    mix = (fresh_rows(10, width) - 0.5) / 2
    start = fresh_rows(1, width)[0] - 0.5
    runs: list[None] = []

    def step(state: Any, row: Any) -> Any:
        runs.append(None)
        return tf.tanh(0.7 * state + tf.linalg.matvec(mix, row, transpose_a=True))

    follow = make_follow(step, start)
    if not callable(follow):
        raise NotYet(f"make_follow returned {type_of(follow)}", "a function of rows", EXERCISE_TEXT)
    traced = 0
    for n in (5, 1, random.randrange(20, 40)):
        rows = fresh_rows(n) - 0.5
        state = start
        states = []
        for row in rows:
            state = np.tanh(0.7 * state + row @ mix)
            states.append(state)
        with calls_of_graphs() as calls:
            got = follow(tf.constant(rows))
        expect_result(got, "every state", LOOP, name="follow")
        shape = tuple(np.shape(got))
        if shape != (n, width):
            seen = f"for {n} rows, follow returned the shape {shape}"
            raise NotYet(seen, f"{(n, width)}: every state, one for each row", LOOP)
        agree(got, np.stack(states), f"for {n} rows", LOOP)
        traced = traced or len(runs)
        expect_one_call(calls, n, f"for {n} rows", LOOP)
    if traced > MOST_TRACES:
        seen = f"the Python code of `step` ran {traced} times for 5 rows"
        raise NotYet(seen, "a loop in the graph: once to trace it, not once per row", LOOP)
    if len(runs) > max(traced, 1):
        seen = (
            f"the Python code of `step` ran {len(runs)} times, {traced} of them in the first call"
        )
        raise NotYet(seen, "one trace for all numbers of rows: what does the signature say?", LOOP)
