"""Wrong answers that people give in lesson 07, and a part of the message that each must get."""

import numpy as np
import tensorflow as tf

ANY_ROWS = [tf.TensorSpec((None, 20)), tf.TensorSpec((None, 1))]


def only_decorated(step, model, optimizer):
    return tf.function(step)


def built_only(step, model, optimizer):
    optimizer.build(model.trainable_variables)
    return tf.function(step)


def relaxed(step, model, optimizer):
    optimizer.build(model.trainable_variables)
    return tf.function(step, reduce_retracing=True)


def signed_only(step, model, optimizer):
    return tf.function(step, input_signature=[tf.TensorSpec((None, 20)), tf.TensorSpec((None, 1))])


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
    tf.function(step)(np.zeros((32, 20), "float32"), np.zeros((32, 1), "float32"))


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


def labels_first(step, batches):
    losses = [float(step(labels, batch)) for batch, labels in batches]
    return np.average(losses, weights=[len(batch) for batch, _ in batches])


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


SHAPES = [tf.TensorSpec((1, 20)), tf.TensorSpec((None, 20)), tf.TensorSpec((None, 1))]


def answers_first(step, model, optimizer):
    optimizer.build(model.trainable_variables)

    @tf.function(input_signature=SHAPES)
    def tick(row, batch, labels):
        answer = model(row)
        step(batch, labels)
        return answer

    return tick


def two_graphs(step, model, optimizer):
    optimizer.build(model.trainable_variables)
    learn, answer = tf.function(step, input_signature=SHAPES[1:]), tf.function(model)

    def tick(row, batch, labels):
        learn(batch, labels)
        return answer(row)

    return tick


def answers_by_predict(step, model, optimizer):
    optimizer.build(model.trainable_variables)
    learn = tf.function(step, input_signature=SHAPES[1:])

    def tick(row, batch, labels):
        learn(batch, labels)
        return model.predict(row, verbose=0)

    return tick


def answers_eagerly(step, model, optimizer):
    optimizer.build(model.trainable_variables)
    learn = tf.function(step, input_signature=SHAPES[1:])

    def tick(row, batch, labels):
        learn(batch, labels)
        return model(row)

    return tick


def stays_eager(step, model, optimizer):
    def tick(row, batch, labels):
        step(batch, labels)
        return model(row)

    return tick


def forgets_to_build(step, model, optimizer):
    @tf.function(input_signature=SHAPES)
    def tick(row, batch, labels):
        step(batch, labels)
        return model(row)

    return tick


def one_trace_per_size(step, model, optimizer):
    optimizer.build(model.trainable_variables)

    @tf.function
    def tick(row, batch, labels):
        step(batch, labels)
        return model(row)

    return tick


def a_graph_per_tick(step, model, optimizer):
    optimizer.build(model.trainable_variables)

    def learn_and_answer(row, batch, labels):
        step(batch, labels)
        return model(row)

    return lambda *data: tf.function(learn_and_answer)(*data)


def returns_the_loss(step, model, optimizer):
    optimizer.build(model.trainable_variables)

    @tf.function(input_signature=SHAPES)
    def tick(row, batch, labels):
        return step(batch, labels)

    return tick


def returns_both(step, model, optimizer):
    optimizer.build(model.trainable_variables)

    @tf.function(input_signature=SHAPES)
    def tick(row, batch, labels):
        return step(batch, labels), model(row)

    return tick


def only_answers(step, model, optimizer):
    optimizer.build(model.trainable_variables)

    @tf.function(input_signature=SHAPES)
    def tick(row, batch, labels):
        return model(row)

    return tick


def answers_nothing(step, model, optimizer):
    optimizer.build(model.trainable_variables)

    @tf.function(input_signature=SHAPES)
    def tick(row, batch, labels):
        step(batch, labels)
        model(row)

    return tick


def warms_up(step, model, optimizer):
    fast = tf.function(step, input_signature=ANY_ROWS)
    fast(tf.zeros((1, 20)), tf.zeros((1, 1)))
    return fast


def answers_in_training(step, model, optimizer):
    optimizer.build(model.trainable_variables)

    @tf.function(input_signature=[tf.TensorSpec((1, 20)), *ANY_ROWS])
    def tick(row, batch, labels):
        step(batch, labels)
        return model(row, training=True)

    return tick


def list_in_the_loop(step, rows, labels, size):
    @tf.function
    def epoch(order):
        losses = []
        for pick in tf.reshape(order, (-1, size)):
            losses.append(step(tf.gather(rows, pick), tf.gather(labels, pick)))
        return tf.reduce_mean(losses)

    return epoch


WRONG = [
    ("07.1", "only decorated", only_decorated, "who makes variables in it?"),
    ("07.1", "built only", built_only, "the short batch must not need its own graph"),
    ("07.1", "relaxed", relaxed, "the short batch must not need its own graph"),
    ("07.1", "signed only", signed_only, "who makes variables in it?"),
    ("07.1", "eager", eager, "the step still runs eagerly"),
    ("07.1", "a graph per batch", a_graph_per_batch, "one: make the tf.function once"),
    ("07.1", "skips the short batch", skips_the_short_batch, "instead of"),
    ("07.1", "calls it", calls_it, "one_trace returned nothing"),
    ("07.2", "last batch", last_batch, "the loss of the last batch"),
    ("07.2", "mean over batches", mean_over_batches, "counts as much as a whole one"),
    ("07.2", "sum", sum_over_rows, "instead of"),
    ("07.2", "drops the rest", drops_the_rest, "one call for each batch, in order"),
    ("07.2", "labels first", labels_first, "in the place of the batch"),
    ("07.2", "no return", no_return, "is a `return` missing?"),
    ("07.2", "an array", an_array, "an array of shape (1,); wanted: one number"),
    ("07.2", "a list", a_list, "a value of type list"),
    ("07.3", "answers first", answers_first, "the answer before the step"),
    ("07.3", "two graphs", two_graphs, "2 calls of a graph for one tick"),
    ("07.3", "answers by predict", answers_by_predict, "2 calls of a graph for one tick"),
    ("07.3", "answers eagerly", answers_eagerly, "the model still runs eagerly"),
    ("07.3", "stays eager", stays_eager, "learning and answering in one graph"),
    ("07.3", "forgets to build", forgets_to_build, "who makes variables in it?"),
    ("07.3", "one trace per size", one_trace_per_size, "for any number of rows in a batch"),
    ("07.3", "a graph per tick", a_graph_per_tick, "make the tf.function once"),
    ("07.3", "returns the loss", returns_the_loss, "the result is wrong"),
    ("07.3", "returns both", returns_both, "wanted: the answer alone"),
    ("07.3", "only answers", only_answers, "the answer before the step"),
    ("07.3", "answers nothing", answers_nothing, "is a `return` missing?"),
    ("07.4", "Python loop", python_loop, "calls of a graph for one epoch"),
    ("07.4", "eager loop", eager_loop, "the step still runs eagerly"),
    ("07.4", "unrolled", unrolled, "Python's range unrolls"),
    ("07.4", "ignores the order", ignores_the_order, "in the order given"),
    ("07.4", "a graph per epoch", a_graph_per_epoch, "a new trace for the second epoch"),
    ("07.4", "returns the last", returns_the_last, "the loss of the last batch"),
    ("07.4", "returns the sum", returns_the_sum, "the sum of the losses"),
    ("07.4", "returns no loss", no_loss, "the epoch returned nothing"),
    ("07.1", "warms up", warms_up, "every call trains"),
    ("07.3", "answers in training", answers_in_training, "as it is in training"),
    ("07.4", "a list in the loop", list_in_the_loop, "a Python list cannot carry"),
]
