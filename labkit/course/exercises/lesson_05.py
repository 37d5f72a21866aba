"""Exercises of lesson 05: the training step."""

import random
from collections.abc import Callable
from typing import Any

from ...measure.count import count
from ..models import mlp
from .engine import (
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
)

TRACES = "How many graphs does a step need?"
DRIVER = "Who should drive the loop?"
LOSS = "Which loss, and does it learn?"
BREAKS = "It breaks like this"

IN_ONE_GRAPH = "the whole epoch in one graph: tf.function"


def _labelled_rows(n: int) -> tuple[Any, Any]:
    """Return rows of two numbers, and as a label whether their sum is above 1."""
    rows = fresh_rows(n, inputs=2)
    labels = rows.sum(axis=1, keepdims=True) > 1
    return rows, labels.astype("float32")


def _small_model() -> Any:
    return mlp(width=8, inputs=2)


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

    def step(rows: Any, labels: Any) -> Any:
        if runs is not None:
            runs.append("eager" if tf.executing_eagerly() else "graph")
        with tf.GradientTape() as tape:
            loss = loss_of(labels, model(rows, training=True))
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
    "05.1",
    "bring a step to one trace",
    section=TRACES,
    hints=(
        "Which of the four traces of the first epoch come from the optimizer, and which from the "
        "short batch?",
        "`optimizer.build(model.trainable_variables)` makes the optimizer's variables before the "
        "first call; `input_signature=[...]` says that any number of rows may come.",
        "optimizer.build(...); return tf.function(step, input_signature=[tf.TensorSpec((None, 2)), "
        "tf.TensorSpec((None, 1))])",
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
    "05.2",
    "report the loss of an epoch",
    section=LOSS,
    hints=(
        "A batch of 8 rows and one of 32: how much does each of them say about the epoch?",
        "Multiply the loss of each batch by its number of rows, and divide the sum by the number "
        "of all rows.",
        "for rows, labels in batches: total += float(step(rows, labels)) * len(rows); count += "
        "len(rows). Then total / count.",
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

    def __call__(self, rows: Any, labels: Any) -> Any:
        import tensorflow as tf

        number = min(len(self.sizes), len(self.losses) - 1)
        self.sizes.append(len(rows))
        return tf.constant(self.losses[number])


def _check_loss_of_epoch(train_epoch: Any, sizes: list[int]) -> None:
    import numpy as np

    losses = [random.uniform(0.1, 2.0) for _ in sizes]
    step = _FakeStep(losses)
    got = train_epoch(step, [_labelled_rows(size) for size in sizes])
    expect_result(got, "the loss of the epoch", LOSS, name="train_epoch")
    if step.sizes != sizes:
        seen = f"the step was called with {step.sizes} rows for batches of {sizes}"
        raise NotYet(seen, "one call for each batch, in order", LOSS)
    loss = expect_number(got, LOSS, seen="train_epoch returned")
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
    reject_slips(loss, slips, LOSS, tolerance=1e-4)
    agree(loss, wanted, f"for batches of {sizes} rows", LOSS)


@exercise(
    "05.3",
    "write the epoch in the graph",
    section=DRIVER,
    hints=(
        "Which of the three ways to drive the loop takes its batches from a permutation?",
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
    loss = epoch(order)
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


@exercise(
    "05.4",
    "serve several optimizers (stretch)",
    section=BREAKS,
    hints=(
        "What does a graph keep of the optimizer that it was traced with? What must exist before "
        "the trace?",
        "A dictionary from optimizer to tf.function, filled when an optimizer comes for the first "
        "time; `optimizer.build(model.trainable_variables)` before that.",
        "if optimizer not in steps: optimizer.build(...); steps[optimizer] = "
        "tf.function(make_step(model, optimizer)). Then return steps[optimizer](rows, labels).",
    ),
)
def _check_switching(switching: Any) -> str:
    model, oracle = _small_model(), _small_model()
    optimizers, others = _three_optimizers(), _three_optimizers()
    runs: list[str] = []
    slow = [_make_step(oracle, other) for other in others]
    train = expect_function(
        switching(lambda model, optimizer: _make_step(model, optimizer, runs), model),
        "switching",
        "a function train",
    )
    turns = [0, 1, 0, *random.choices((0, 1, 2), k=3), 2]
    traces_after_step = []
    for number, turn in enumerate(turns, start=1):
        batch = _labelled_rows(16)
        loss = _train_once(train, optimizers[turn], batch)
        traces_after_step.append(len(runs))
        agree(loss, slow[turn](*batch), f"at step {number}", BREAKS)
        _check_iterations(optimizers, others, number)
        _same_weights(model, oracle, f"after step {number}", BREAKS)
        _expect_graph(runs, "a graph for each optimizer", BREAKS)
        if number == 3:
            _check_traces_of_two(traces_after_step)
    if len(runs) > 3:
        raise NotYet(f"{len(runs)} traces for three optimizers", "one each", BREAKS)
    return "three optimizers took turns, one trace each, the same weights as eagerly"


def _three_optimizers() -> list:
    import keras

    return [_momentum(), keras.optimizers.Adam(0.01), keras.optimizers.SGD(0.5)]


def _train_once(train: Any, optimizer: Any, batch: tuple[Any, Any]) -> Any:
    """Return the loss of a step, and name the slip of an optimizer built while tracing."""
    try:
        return train(optimizer, *batch)
    except ValueError as error:
        # TensorFlow 2: "... variables on non-first call", later "... created on the first call".
        if not says(error, "first call"):
            raise
        seen = "an optimizer makes its variables in a function that was called before"
        raise NotYet(seen, "each optimizer built before its first trace", BREAKS) from None


def _check_iterations(optimizers: list, others: list, number: int) -> None:
    """Check that each optimizer has made as many steps as its counterpart of the oracle."""
    for optimizer, other in zip(optimizers, others, strict=True):
        steps = int(optimizer.iterations)
        wanted = int(other.iterations)
        if steps != wanted:
            seen = f"after step {number}, {type(optimizer).__name__} has made {steps} steps"
            raise NotYet(seen, f"{wanted}: each step by the optimizer passed to it", BREAKS)


def _check_traces_of_two(traces_after_step: list[int]) -> None:
    """Check the traces after three steps with two optimizers."""
    first = traces_after_step[0]
    now = traces_after_step[-1]
    if first > 1:
        seen = f"{first} traces of the step in its first call"
        raise NotYet(seen, "one: build the optimizer first", BREAKS)
    if now > 2:
        seen = f"{now} traces after three steps with two optimizers"
        raise NotYet(seen, "one each: keep the tf.function of an optimizer", BREAKS)
