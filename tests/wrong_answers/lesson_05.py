"""Wrong answers that people give in lesson 05, and a part of the message that each must get."""

import numpy as np
import tensorflow as tf


def only_decorated(step, model, optimizer):
    return tf.function(step)


def built_only(step, model, optimizer):
    optimizer.build(model.trainable_variables)
    return tf.function(step)


def relaxed(step, model, optimizer):
    optimizer.build(model.trainable_variables)
    return tf.function(step, reduce_retracing=True)


def signed_only(step, model, optimizer):
    return tf.function(step, input_signature=[tf.TensorSpec((None, 2)), tf.TensorSpec((None, 1))])


def eager(step, model, optimizer):
    return step


def a_graph_per_batch(step, model, optimizer):
    optimizer.build(model.trainable_variables)
    return lambda rows, labels: tf.function(step)(rows, labels)


def skips_the_short_batch(step, model, optimizer):
    optimizer.build(model.trainable_variables)
    graph = tf.function(step)

    def fast(rows, labels):
        if len(rows) == 32:
            return graph(rows, labels)
        return tf.constant(0.0)

    return fast


def calls_it(step, model, optimizer):
    tf.function(step)(np.zeros((32, 2), "float32"), np.zeros((32, 1), "float32"))


def last_batch(step, batches):
    for rows, labels in batches:
        loss = step(rows, labels)
    return float(loss)


def mean_over_batches(step, batches):
    return float(np.mean([step(rows, labels) for rows, labels in batches]))


def sum_over_rows(step, batches):
    return sum(float(step(rows, labels)) * len(rows) for rows, labels in batches)


def drops_the_rest(step, batches):
    whole = [batch for batch in batches if len(batch[0]) == 32]
    return float(np.mean([step(*batch) for batch in whole]))


def no_return(step, batches):
    [step(*batch) for batch in batches]


def a_list(step, batches):
    return [float(step(*batch)) for batch in batches]


def an_array(step, batches):
    return np.array([float(step(*batch)) for batch in batches][:1])


def no_loss(step, rows, labels, size):
    @tf.function
    def epoch(order):
        picks = tf.reshape(order, (-1, size))
        for i in tf.range(len(picks)):
            step(tf.gather(rows, picks[i]), tf.gather(labels, picks[i]))

    return epoch


def python_loop(step, rows, labels, size):
    graph = tf.function(step)

    def epoch(order):
        return np.mean([graph(rows[pick], labels[pick]) for pick in order.reshape(-1, size)])

    return epoch


def eager_loop(step, rows, labels, size):
    return lambda order: np.mean(
        [step(rows[pick], labels[pick]) for pick in order.reshape(-1, size)]
    )


def unrolled(step, rows, labels, size):
    @tf.function
    def epoch(order):
        total = 0.0
        for i in range(0, len(rows), size):
            pick = order[i : i + size]
            total += step(tf.gather(rows, pick), tf.gather(labels, pick))
        return total / (len(rows) // size)

    return epoch


def ignores_the_order(step, rows, labels, size):
    dataset = tf.data.Dataset.from_tensor_slices((rows, labels)).batch(size)

    @tf.function
    def epoch(order):
        total = 0.0
        for batch in dataset:
            total += step(*batch)
        return total / (len(rows) // size)

    return epoch


def a_graph_per_epoch(step, rows, labels, size):
    def epoch(order):
        @tf.function
        def once(order):
            total, picks = 0.0, tf.reshape(order, (-1, size))
            for i in tf.range(len(picks)):
                total += step(tf.gather(rows, picks[i]), tf.gather(labels, picks[i]))
            return total / len(picks)

        return once(order)

    return epoch


def returns_the_last(step, rows, labels, size):
    @tf.function
    def epoch(order):
        loss, picks = 0.0, tf.reshape(order, (-1, size))
        for i in tf.range(len(picks)):
            loss = step(tf.gather(rows, picks[i]), tf.gather(labels, picks[i]))
        return loss

    return epoch


def returns_the_sum(step, rows, labels, size):
    @tf.function
    def epoch(order):
        total, picks = 0.0, tf.reshape(order, (-1, size))
        for i in tf.range(len(picks)):
            total += step(tf.gather(rows, picks[i]), tf.gather(labels, picks[i]))
        return total

    return epoch


def optimizer_as_argument(make_step, model):
    @tf.function
    def train(optimizer, rows, labels):
        return make_step(model, optimizer)(rows, labels)

    return train


def new_graph_each_time(make_step, model):
    def train(optimizer, rows, labels):
        optimizer.build(model.trainable_variables)
        return tf.function(make_step(model, optimizer))(rows, labels)

    return train


def unbuilt(make_step, model):
    steps = {}

    def train(optimizer, rows, labels):
        if optimizer not in steps:
            steps[optimizer] = tf.function(make_step(model, optimizer))
        return steps[optimizer](rows, labels)

    return train


def forgets_its_graphs(make_step, model):
    steps, calls = {}, []

    def train(optimizer, rows, labels):
        calls.append(optimizer)
        if len(calls) > 3:
            steps.clear()
        if optimizer not in steps:
            optimizer.build(model.trainable_variables)
            steps[optimizer] = tf.function(make_step(model, optimizer))
        return steps[optimizer](rows, labels)

    return train


def keeps_the_first(make_step, model):
    steps = []

    def train(optimizer, rows, labels):
        if not steps:
            optimizer.build(model.trainable_variables)
            steps.append(tf.function(make_step(model, optimizer)))
        return steps[0](rows, labels)

    return train


def stays_eager(make_step, model):
    return lambda optimizer, rows, labels: make_step(model, optimizer)(rows, labels)


WRONG = [
    ("05.1", "only decorated", only_decorated, "who makes variables in it?"),
    ("05.1", "built only", built_only, "the short batch must not need its own graph"),
    ("05.1", "relaxed", relaxed, "the short batch must not need its own graph"),
    ("05.1", "signed only", signed_only, "who makes variables in it?"),
    ("05.1", "eager", eager, "the step still runs eagerly"),
    ("05.1", "a graph per batch", a_graph_per_batch, "one: make the tf.function once"),
    ("05.1", "skips the short batch", skips_the_short_batch, "instead of"),
    ("05.1", "calls it", calls_it, "one_trace returned nothing"),
    ("05.2", "last batch", last_batch, "the loss of the last batch"),
    ("05.2", "mean over batches", mean_over_batches, "counts as much as a whole one"),
    ("05.2", "sum", sum_over_rows, "instead of"),
    ("05.2", "drops the rest", drops_the_rest, "one call for each batch, in order"),
    ("05.2", "no return", no_return, "is a `return` missing?"),
    ("05.2", "an array", an_array, "an array of shape (1,); wanted: one number"),
    ("05.2", "a list", a_list, "a value of type list"),
    ("05.3", "Python loop", python_loop, "calls of a graph for one epoch"),
    ("05.3", "eager loop", eager_loop, "the step still runs eagerly"),
    ("05.3", "unrolled", unrolled, "Python's range unrolls"),
    ("05.3", "ignores the order", ignores_the_order, "in the order given"),
    ("05.3", "a graph per epoch", a_graph_per_epoch, "a new trace for the second epoch"),
    ("05.3", "returns the last", returns_the_last, "the loss of the last batch"),
    ("05.3", "returns the sum", returns_the_sum, "the sum of the losses"),
    ("05.3", "returns no loss", no_loss, "the epoch returned nothing"),
    (
        "05.4",
        "optimizer as argument",
        optimizer_as_argument,
        "each optimizer built before its first trace",
    ),
    ("05.4", "a new graph each time", new_graph_each_time, "keep the tf.function of an optimizer"),
    ("05.4", "unbuilt", unbuilt, "build the optimizer first"),
    ("05.4", "forgets its graphs", forgets_its_graphs, "traces for three optimizers"),
    ("05.4", "keeps the first", keeps_the_first, "each step by the optimizer passed to it"),
    ("05.4", "eager", stays_eager, "the step still runs eagerly"),
]
