"""Exercises of lesson 05: the training step."""

import random
from collections.abc import Callable
from typing import Any

from .engine import NotYet, agree, exercise

TRACES = "How many graphs does a step need?"
DRIVER = "Who should drive the loop?"
LOSS = "Which loss, and does it learn?"
BREAKS = "It breaks like this"


def _data(n: int) -> tuple[Any, Any]:
    from ..models import random_rows

    data = random_rows(n, inputs=2, seed=random.randrange(10_000))
    return data, (data.sum(axis=1, keepdims=True) > 1).astype("float32")


def _make_step(model: Any, optimizer: Any, ran: list | None = None) -> Callable:
    """Return the Python step of the lesson; `ran` gets one entry whenever its Python code runs."""
    import keras
    import tensorflow as tf

    loss_of = keras.losses.BinaryCrossentropy(from_logits=True)

    def step(rows: Any, labels: Any) -> Any:
        if ran is not None:
            ran.append("eager" if tf.executing_eagerly() else "graph")
        with tf.GradientTape() as tape:
            loss = loss_of(labels, model(rows, training=True))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply(gradients, model.trainable_variables)
        return loss

    return step


def _fresh(seed: int = 0) -> tuple[Any, Any]:
    import keras

    from ..models import mlp

    return mlp(width=8, inputs=2, seed=seed), keras.optimizers.SGD(0.1, momentum=0.9)


def _function(answer: Any, name: str, what: str) -> Callable:
    if not callable(answer):
        seen = "nothing" if answer is None else f"a {type(answer).__name__}"
        raise NotYet(f"{name} returned {seen}", what, "the text of the exercise")
    return answer


def _same_weights(model: Any, oracle: Any, where: str, section: str) -> None:
    agree(model.get_weights(), oracle.get_weights(), f"in the weights {where}", section)


@exercise(
    "05.1",
    "bring a step to one trace",
    section=TRACES,
    hints=(
        "Which of the four traces of the first epoch come from the optimizer, and which from the short batch?",
        "`optimizer.build(model.trainable_variables)` makes the optimizer's variables before the first call; "
        "`input_signature=[...]` says that any number of rows may come.",
        "optimizer.build(...); return tf.function(step, input_signature=[tf.TensorSpec((None, 2)), "
        "tf.TensorSpec((None, 1))])",
    ),
)
def _one_trace(one_trace: Any) -> str:
    n = random.choice((70, 90, 110))  # 32 rows in a batch: the last one is short
    data, labels = _data(n)
    model, optimizer = _fresh()
    oracle, other = _fresh()
    slow, ran = _make_step(oracle, other), []
    fast = _function(
        one_trace(_make_step(model, optimizer, ran), model, optimizer), "one_trace", "a tf.function"
    )
    traces = []  # after each batch: the Python code of a graph runs only while it is traced
    for i in range(0, n, 32):
        batch = data[i : i + 32], labels[i : i + 32]
        loss = fast(*batch)
        traces.append(len(ran))
        agree(loss, slow(*batch), f"for a batch of {len(batch[0])} rows", TRACES)
    _same_weights(model, oracle, "after the epoch", TRACES)
    if "eager" in ran:
        raise NotYet("the step still runs eagerly", "a graph, traced once: tf.function", TRACES)
    if traces[0] > 1:
        raise NotYet(
            f"{traces[0]} traces of the step in its first call",
            "one: who makes variables in it?",
            TRACES,
        )
    if traces[-2] > 1:
        raise NotYet(
            f"{traces[-2]} traces before the short batch", "one: make the tf.function once", TRACES
        )
    if traces[-1] > 1:
        raise NotYet("2 traces", "one: the short batch must not need a graph of its own", TRACES)
    return "one trace for whole and short batches, no row left out, the same weights"


@exercise(
    "05.2",
    "report the loss of an epoch",
    section=LOSS,
    hints=(
        "A batch of 8 rows and one of 32: how much does each of them say about the epoch?",
        "Multiply the loss of each batch by its number of rows, and divide the sum by the number of all rows.",
        "for rows, labels in batches: total += float(step(rows, labels)) * len(rows); count += len(rows). "
        "Then total / count.",
    ),
)
def _true_loss(train_epoch: Any) -> str:
    import numpy as np
    import tensorflow as tf

    for sizes in ([32, 32, 8], [32] * random.randrange(2, 5) + [random.randrange(1, 9)], [5]):
        batches = [_data(size) for size in sizes]
        losses = [random.uniform(0.1, 2.0) for _ in sizes]
        calls: list[int] = []

        def step(rows: Any, labels: Any, calls: list = calls, losses: list = losses) -> Any:
            calls.append(len(rows))
            return tf.constant(losses[min(len(calls), len(losses)) - 1])

        got = train_epoch(step, list(batches))
        if got is None or got is ...:
            raise NotYet(
                "train_epoch returned nothing",
                "the loss of the epoch: is a `return` missing?",
                LOSS,
            )
        if calls != sizes:
            seen = f"the step was called with {calls} rows for batches of {sizes}"
            raise NotYet(seen, "one call for each batch, in order", LOSS)
        if np.shape(got) != ():
            raise NotYet(f"a result of shape {np.shape(got)}", "one number", LOSS)
        value, whole = float(got), np.average(losses, weights=sizes)
        if abs(value - whole) < 1e-4:
            continue
        if abs(value - losses[-1]) < 1e-4:
            raise NotYet(
                "that is the loss of the last batch", "the mean over all rows of the epoch", LOSS
            )
        if abs(value - np.mean(losses)) < 1e-4:
            seen = "that is the mean over batches: the short batch counts as much as a whole one"
            raise NotYet(seen, "the mean over rows", LOSS)
        agree(value, whole, f"for batches of {sizes} rows", LOSS)
    return "the mean over all rows, each batch trained once"


@exercise(
    "05.3",
    "write the epoch in the graph",
    section=DRIVER,
    hints=(
        "Which of the three ways of the lesson takes its batches from a permutation?",
        "`tf.reshape(order, (-1, size))` has one row of numbers per batch; `tf.gather` fetches their rows; "
        "`tf.range` makes the loop one of the graph.",
        "In a tf.function: for i in tf.range(len(picks)): total += step(tf.gather(rows, picks[i]), "
        "tf.gather(labels, picks[i])); after the loop, total / len(picks). A mean wants a float.",
    ),
)
def _epoch(make_epoch: Any) -> str:
    import numpy as np

    from ...measure.count import count

    rng = np.random.default_rng(random.randrange(10_000))
    for size, batches in ((8, 7), (random.choice((4, 16)), 3)):
        n = size * batches
        data, labels = _data(n)
        model, optimizer = _fresh()
        oracle, other = _fresh()
        for o, m in ((optimizer, model), (other, oracle)):
            o.build(m.trainable_variables)
        ran: list[str] = []
        slow = _make_step(oracle, other)
        epoch = _function(
            make_epoch(_make_step(model, optimizer, ran), data, labels, size),
            "make_epoch",
            "a function of order",
        )
        for turn in range(2):
            order = rng.permutation(n).astype("int32")
            losses = [slow(data[pick], labels[pick]) for pick in order.reshape(-1, size)]
            before = len(ran)
            if turn:  # counting makes a trace dear, and the second epoch should have none
                with count() as seen:
                    got = epoch(order)
            else:
                got = epoch(order)
            if "eager" in ran:
                raise NotYet(
                    "the step still runs eagerly",
                    "the whole epoch in one graph: tf.function",
                    DRIVER,
                )
            if turn and len(ran) > before:
                raise NotYet(
                    "a new trace for the second epoch", "none: make the tf.function once", DRIVER
                )
            if len(ran) > 2:
                words = f"the graph holds the step {len(ran)} times for {batches} batches"
                raise NotYet(
                    words, "once: Python's range unrolls, tf.range loops in the graph", DRIVER
                )
            if turn and len(seen.calls) > 1:
                raise NotYet(
                    f"{len(seen.calls)} calls of a graph for one epoch",
                    "one call for the epoch",
                    DRIVER,
                )
            _same_weights(model, oracle, "after an epoch in the order given", DRIVER)
            if (
                got is not None
                and np.shape(got) == ()
                and abs(float(got) - float(sum(losses))) < 1e-3
            ):
                raise NotYet("that is the sum of the losses", "their mean", DRIVER)
            if (
                got is not None
                and np.shape(got) == ()
                and abs(float(got) - float(losses[-1])) < 1e-6
            ):
                raise NotYet(
                    "that is the loss of the last batch", "the mean over the batches", LOSS
                )
            agree(got, np.mean(losses), f"for {batches} batches of {size} rows", DRIVER)
    return "one graph with one step in it, the weights and the loss of the Python loop"


@exercise(
    "05.4",
    "serve several optimizers (stretch)",
    section=BREAKS,
    hints=(
        "What does a graph keep of the optimizer that it was traced with? What must exist before the trace?",
        "A dictionary from optimizer to tf.function, filled when an optimizer comes for the first time; "
        "`optimizer.build(model.trainable_variables)` before that.",
        "if optimizer not in steps: optimizer.build(...); steps[optimizer] = tf.function(make_step(model, optimizer)). "
        "Then return steps[optimizer](rows, labels).",
    ),
)
def _switching(switching: Any) -> str:
    import keras

    ran: list[str] = []

    def some() -> list:
        return [
            keras.optimizers.SGD(0.1, momentum=0.9),
            keras.optimizers.Adam(0.01),
            keras.optimizers.SGD(0.5),
        ]

    model, oracle = _fresh()[0], _fresh()[0]
    used, others = some(), some()
    slow = [_make_step(oracle, other) for other in others]
    train = _function(
        switching(lambda model, optimizer: _make_step(model, optimizer, ran), model),
        "switching",
        "a function train",
    )
    turns = [0, 1, 0, *random.choices((0, 1, 2), k=3), 2]
    data, labels = _data(16 * len(turns))
    first = 0  # traces of the first call
    for i, turn in enumerate(turns):
        batch = data[16 * i : 16 * i + 16], labels[16 * i : 16 * i + 16]
        try:
            loss = train(used[turn], *batch)
        except ValueError as error:
            if "singleton tf.Variables" not in str(error):
                raise
            words = "an optimizer wants to make its variables in a function that was called before"
            raise NotYet(words, "each optimizer built before its first trace", BREAKS) from None
        agree(loss, slow[turn](*batch), f"at step {i + 1}", BREAKS)
        for mine, right in zip(used, others, strict=True):
            if int(mine.iterations) != int(right.iterations):
                words = f"after step {i + 1}, {type(mine).__name__} has made {int(mine.iterations)} steps"
                raise NotYet(
                    words,
                    f"{int(right.iterations)}: each step by the optimizer passed to it",
                    BREAKS,
                )
        _same_weights(model, oracle, f"after step {i + 1}", BREAKS)
        if "eager" in ran:
            raise NotYet("the step still runs eagerly", "a graph for each optimizer", BREAKS)
        first = first or len(ran)
        if i == 2 and first > 1:
            raise NotYet(
                f"{first} traces of the step in its first call",
                "one: build the optimizer first",
                BREAKS,
            )
        if i == 2 and len(ran) > 2:
            words = f"{len(ran)} traces after three steps with two optimizers"
            raise NotYet(words, "one each: keep the tf.function of an optimizer", BREAKS)
    if len(ran) > 3:
        raise NotYet(f"{len(ran)} traces for three optimizers", "one each", BREAKS)
    return "three optimizers took turns, one trace each, the same weights as eagerly"
