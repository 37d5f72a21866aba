"""Exercises of lesson 07: the training step."""

import random
from collections.abc import Callable
from typing import Any

from ...measure.agreement import first_difference
from ...measure.count import count
from ..models import mlp
from .engine import (
    OUT_OF_SCOPE,
    NotYet,
    agree,
    exercise,
    expect_function,
    expect_number,
    expect_result,
    fresh_rows,
    is_close,
    reject_slips,
    says,
    type_of,
)

TRACES = "What changes from step to step?"
DRIVER = "Who drives the loop?"
TICK = "A loop that predicts and trains"

INPUTS = 20  # numbers per row, as in the lesson

IN_ONE_GRAPH = "the whole epoch in one graph: tf.function"


def _labelled_rows(n: int) -> tuple[Any, Any]:
    """Return rows of numbers from -1 to 1, and as a label whether their sum is above 0."""
    rows = 2 * fresh_rows(n, inputs=INPUTS) - 1
    labels = rows.sum(axis=1, keepdims=True) > 0
    return rows, labels.astype("float32")


def _small_model() -> Any:
    return mlp(width=8, inputs=INPUTS)


def _momentum() -> Any:
    import keras

    return keras.optimizers.SGD(0.1, momentum=0.9)


def _make_step(model: Any, optimizer: Any, runs: list[str] | None = None) -> Callable:
    """Return the Python step of the lesson.

    `runs` gets "eager" or "graph" whenever the Python code of the step runs. That of a graph runs
    only while it is traced.
    """
    import keras
    import tensorflow as tf

    loss_of = keras.losses.BinaryCrossentropy(from_logits=True)

    def step(batch: Any, labels: Any) -> Any:
        if runs is not None:
            runs.append("eager" if tf.executing_eagerly() else "graph")
        with tf.GradientTape() as tape:
            loss = loss_of(labels, model(batch, training=True))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply(gradients, model.trainable_variables)
        return loss

    return step


def _same_weights(model: Any, oracle: Any, where: str, section: str) -> None:
    agree(model.get_weights(), oracle.get_weights(), f"in the weights {where}", section)


def _expect_graph(runs: list[str], wanted: str, section: str) -> None:
    """Raise `NotYet` if the Python code of a step ran eagerly."""
    if "eager" in runs:
        raise NotYet("the step still runs eagerly", wanted, section)


@exercise(
    "07.1",
    "bring a step to one trace",
    section=TRACES,
    hints=(
        "Which of the three traces of the first epoch come from the optimizer, and which from the "
        "short batch?",
        "`optimizer.build(model.trainable_variables)` makes the optimizer's variables before the "
        "first call; `input_signature=[...]` says that any number of rows may come.",
        "optimizer.build(...); return tf.function(step, input_signature=[tf.TensorSpec((None, "
        "20)), tf.TensorSpec((None, 1))])",
    ),
)
def _check_one_trace(one_trace: Any) -> str:
    n = random.choice((70, 90, 110))  # 32 rows in a batch: the last one is short
    rows, labels = _labelled_rows(n)
    model, optimizer = _small_model(), _momentum()
    oracle = _small_model()
    runs: list[str] = []
    step = _make_step(model, optimizer, runs)
    fast = expect_function(one_trace(step, model, optimizer), "one_trace", "a tf.function")
    slow = _make_step(oracle, _momentum())
    if first_difference(model.get_weights(), oracle.get_weights()):
        seen = "the weights have changed before the first batch"
        raise NotYet(seen, "no step beside those of the epoch: every call trains", TRACES)
    runs_after_batch = []
    for start in range(0, n, 32):
        batch = rows[start : start + 32], labels[start : start + 32]
        loss = fast(*batch)
        runs_after_batch.append(len(runs))
        agree(loss, slow(*batch), f"for a batch of {len(batch[0])} rows", TRACES)
    _same_weights(model, oracle, "after the epoch", TRACES)
    _expect_graph(runs, "a graph, traced once: tf.function", TRACES)
    _check_traces(runs_after_batch)
    return "one trace for whole and short batches, no row left out, the same weights"


def _check_traces(traces_after_batch: list[int]) -> None:
    """Check that a step was traced once, and say when it was traced again."""
    first = traces_after_batch[0]
    before_last, last = traces_after_batch[-2:]
    if first > 1:
        seen = f"{first} traces of the step in its first call"
        raise NotYet(seen, "one: who makes variables in it?", TRACES)
    if before_last > 1:
        seen = f"{before_last} traces before the short batch"
        raise NotYet(seen, "one: make the tf.function once", TRACES)
    if last > 1:
        wanted = "one: the short batch must not need its own graph"
        raise NotYet(f"{last} traces", wanted, TRACES)


@exercise(
    "07.2",
    "report the loss of an epoch",
    section=TRACES,
    hints=(
        "A batch of 8 rows and one of 32: how much does each of them say about the epoch?",
        "Multiply the loss of each batch by its number of rows, and divide the sum by the number "
        "of all rows.",
        "for batch, labels in batches: total += float(step(batch, labels)) * len(batch); count += "
        "len(batch). Then total / count.",
    ),
)
def _check_train_epoch(train_epoch: Any) -> str:
    several = [32] * random.randrange(2, 5)
    short = random.randrange(1, 9)
    for sizes in ([32, 32, 8], [*several, short], [5]):
        _check_loss_of_epoch(train_epoch, sizes)
    return "the mean over all rows, each batch trained once"


class _FakeStep:
    """A step that returns losses chosen beforehand, and notes the sizes of its batches."""

    def __init__(self, losses: list[float]):
        self.losses = losses
        self.sizes: list[int] = []

    def __call__(self, batch: Any, labels: Any) -> Any:
        import numpy as np
        import tensorflow as tf

        if np.shape(batch)[1:] != (INPUTS,):
            seen = "the step got something else in the place of the batch"
            raise NotYet(seen, "step(batch, labels)", TRACES)
        number = min(len(self.sizes), len(self.losses) - 1)
        self.sizes.append(len(batch))
        return tf.constant(self.losses[number])


def _check_loss_of_epoch(train_epoch: Any, sizes: list[int]) -> None:
    import numpy as np

    losses = [random.uniform(0.1, 2.0) for _ in sizes]
    step = _FakeStep(losses)
    got = train_epoch(step, [_labelled_rows(size) for size in sizes])
    expect_result(got, "the loss of the epoch", TRACES, name="train_epoch")
    if step.sizes != sizes:
        seen = f"the step was called with {step.sizes} rows for batches of {sizes}"
        raise NotYet(seen, "one call for each batch, in order", TRACES)
    loss = expect_number(got, TRACES, seen="train_epoch returned")
    wanted = float(np.average(losses, weights=sizes))
    if is_close(loss, wanted, tolerance=1e-4):
        return
    slips = [
        (
            losses[-1],
            "that is the loss of the last batch",
            "the mean over all rows of the epoch",
        ),
        (
            float(np.mean(losses)),
            "that is the mean over batches: the short batch counts as much as a whole one",
            "the mean over rows",
        ),
    ]
    reject_slips(loss, slips, TRACES, tolerance=1e-4)
    agree(loss, wanted, f"for batches of {sizes} rows", TRACES)


@exercise(
    "07.3",
    "learn and answer in one graph",
    section=TICK,
    hints=(
        "What may change from tick to tick, and what of that belongs to the key of a trace? What "
        "must exist before the first trace?",
        "One tf.function that calls the step and then the model; `optimizer.build` before it; an "
        "`input_signature` with three entries.",
        "optimizer.build(...); @tf.function(input_signature=[TensorSpec of (1, 20), (None, 20), "
        "(None, 1)]); def tick(row, batch, labels): step(batch, labels); return model(row). Then "
        "return tick.",
    ),
)
def _check_make_tick(make_tick: Any) -> str:
    runs: list[str] = []
    answers: list[str] = []
    trainings: list[bool] = []
    model, optimizer = _watched_model(answers, trainings), _momentum()
    oracle = _small_model()
    slow = _make_step(oracle, _momentum())
    step = _make_step(model, optimizer, runs)
    tick = expect_function(make_tick(step, model, optimizer), "make_tick", "a function tick")
    sizes = [1, 2, random.randrange(3, 20), 32, 32]
    traces_after_tick = []
    for number, size in enumerate(sizes, start=1):
        row, _ = _labelled_rows(1)
        batch = _labelled_rows(size)
        before = oracle(row)
        slow(*batch)
        with count() as n:
            got = tick(row, *batch)
        traces_after_tick.append(len(runs))
        _check_answer(got, before, oracle(row), f"in tick {number}")
        _same_weights(model, oracle, f"after tick {number}", TICK)
        _expect_graph(runs, "learning and answering in one graph: tf.function", TICK)
        _check_calls_of_tick(len(n.calls), answers)
        if sum(trainings) > len(runs):  # each step has one
            seen = "the answer comes from the model as it is in training"
            raise NotYet(seen, "`model(row)`: layers such as Dropout differ in training", TICK)
    _check_traces_of_tick(traces_after_tick)
    return "one call of a graph per tick, one trace, the answer after the step"


def _watched_model(answers: list[str], trainings: list[bool]) -> Any:
    """Return the small model, with a layer that notes each run of its Python code.

    `answers` gets "eager" or "graph", and `trainings` whether the model was called with
    `training=True`.
    """
    import keras
    import tensorflow as tf

    class Noting(keras.layers.Layer):
        def call(self, inputs: Any, training: bool | None = None) -> Any:
            answers.append("eager" if tf.executing_eagerly() else "graph")
            trainings.append(bool(training))
            return inputs

    model = keras.Sequential([keras.Input((INPUTS,)), Noting(), *_small_model().layers])
    answers.clear()
    trainings.clear()
    return model


def _check_answer(got: Any, before: Any, after: Any, where: str) -> None:
    """Check an answer, and name the slip of one that was given before the step."""
    import numpy as np

    expect_result(got, "the answer", TICK, name="tick")
    if isinstance(got, tuple | list):
        seen = f"tick returned {type_of(got)} with {len(got)} parts"
        raise NotYet(seen, "the answer alone", TICK)
    is_right = np.shape(got) == np.shape(after) and np.allclose(got, after, rtol=1e-4, atol=1e-6)
    is_early = np.shape(got) == np.shape(before) and np.allclose(got, before, rtol=1e-4, atol=1e-6)
    if is_early and not is_right:
        seen = f"{where}, that is the answer before the step"
        raise NotYet(seen, "the answer of the model that has learned", TICK)
    agree(got, after, where, TICK)


def _check_calls_of_tick(calls: int, answers: list[str]) -> None:
    if "eager" in answers:
        raise NotYet("the model still runs eagerly", "the answer in the same graph", TICK)
    if calls > 1:  # none is counted for a concrete function
        raise NotYet(f"{calls} calls of a graph for one tick", "one call", TICK)


def _check_traces_of_tick(traces_after_tick: list[int]) -> None:
    """Check that the step was traced once, and say when it was traced again."""
    first, last = traces_after_tick[0], traces_after_tick[-1]
    if first > 1:
        seen = f"{first} traces of the step in the first tick"
        raise NotYet(seen, "one: who makes variables in it?", TICK)
    if traces_after_tick[-1] > traces_after_tick[-2]:  # both of 32 rows
        wanted = "none: make the tf.function once"
        raise NotYet("a new trace for a tick of the same shapes", wanted, TICK)
    if last > 1:
        raise NotYet(f"{last} traces", "one, for any number of rows in a batch", TICK)


@exercise(
    "07.4",
    "write the epoch in the graph (stretch)",
    section=DRIVER,
    hints=(
        "How do you get the rows of one batch from all rows and some row numbers, and what makes "
        "a loop one of the graph?",
        "`tf.reshape(order, (-1, size))` has one row of numbers per batch; `tf.gather` fetches "
        "their rows; `tf.range` makes the loop one of the graph.",
        "In a tf.function: for i in tf.range(len(picks)): total += step(tf.gather(rows, picks[i]), "
        "tf.gather(labels, picks[i])); after the loop, total / len(picks). A mean wants a float.",
    ),
)
def _check_make_epoch(make_epoch: Any) -> str:
    for size, batches in ((8, 7), (random.choice((4, 16)), 3)):
        _check_two_epochs(make_epoch, size, batches)
    return "one graph with one step in it, the weights and the loss of the Python loop"


def _check_two_epochs(make_epoch: Any, size: int, batches: int) -> None:
    rows, labels = _labelled_rows(size * batches)
    model, optimizer = _small_model(), _momentum()
    oracle, other = _small_model(), _momentum()
    optimizer.build(model.trainable_variables)
    other.build(oracle.trainable_variables)
    runs: list[str] = []
    step = _make_step(model, optimizer, runs)
    slow = _make_step(oracle, other)
    epoch = expect_function(
        make_epoch(step, rows, labels, size), "make_epoch", "a function of order"
    )

    order = _permutation(size * batches)
    loss = _first_epoch(epoch, order)
    _check_steps_in_graph(runs, batches)
    losses = _train_by_hand(slow, rows, labels, order, size)
    _same_weights(model, oracle, "after an epoch in the order given", DRIVER)
    _check_mean_loss(loss, losses, size)

    # Counting slows tracing down, and only the second epoch should have no trace.
    traces = len(runs)
    order = _permutation(size * batches)
    with count() as n:
        loss = epoch(order)
    _expect_graph(runs, IN_ONE_GRAPH, DRIVER)
    if len(runs) > traces:
        wanted = "none: make the tf.function once"
        raise NotYet("a new trace for the second epoch", wanted, DRIVER)
    if len(n.calls) > 1:
        seen = f"{len(n.calls)} calls of a graph for one epoch"
        raise NotYet(seen, "one call for the epoch", DRIVER)
    losses = _train_by_hand(slow, rows, labels, order, size)
    _same_weights(model, oracle, "after an epoch in the order given", DRIVER)
    _check_mean_loss(loss, losses, size)


def _first_epoch(epoch: Callable, order: Any) -> Any:
    """Call the learner's epoch, and name the slip of a list in a loop of the graph."""
    try:
        return epoch(order)
    except Exception as error:
        if not says(error, *OUT_OF_SCOPE):
            raise
        seen = "a Python list cannot carry values out of a graph loop"
        raise NotYet(seen, "a running sum, from 0.0 on", DRIVER) from None


def _permutation(n: int) -> Any:
    import numpy as np

    rng = np.random.default_rng(random.randrange(10_000))
    return rng.permutation(n).astype("int32")


def _check_steps_in_graph(runs: list[str], batches: int) -> None:
    _expect_graph(runs, IN_ONE_GRAPH, DRIVER)
    if len(runs) > 2:
        seen = f"the graph holds the step {len(runs)} times for {batches} batches"
        raise NotYet(seen, "once: Python's range unrolls, tf.range loops in the graph", DRIVER)


def _train_by_hand(step: Callable, rows: Any, labels: Any, order: Any, size: int) -> list[float]:
    """Return the losses of an epoch of Python steps: the oracle."""
    losses = []
    for pick in order.reshape(-1, size):
        losses.append(float(step(rows[pick], labels[pick])))
    return losses


def _check_mean_loss(got: Any, losses: list[float], size: int) -> None:
    import numpy as np

    loss = expect_number(got, DRIVER, seen="the epoch returned")
    wanted = float(np.mean(losses))
    if is_close(loss, wanted, tolerance=1e-4):
        return
    slips = [
        (sum(losses), "that is the sum of the losses", "their mean"),
        (losses[-1], "that is the loss of the last batch", "the mean over the batches"),
    ]
    reject_slips(loss, slips, DRIVER, tolerance=1e-4)
    agree(loss, wanted, f"for {len(losses)} batches of {size} rows", DRIVER)
