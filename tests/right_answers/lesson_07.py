"""Right answers to the exercises of lesson 07, in other styles than those of the solutions."""

import numpy as np
import tensorflow as tf

ROWS = [tf.TensorSpec((None, 20)), tf.TensorSpec((None, 1))]


def decorated(step, model, optimizer):
    optimizer.build(model.trainable_variables)

    @tf.function(input_signature=ROWS)
    def graph(batch, labels):
        return step(batch, labels)

    return graph


def by_a_concrete_function(step, model, optimizer):
    optimizer.build(model.trainable_variables)
    concrete = tf.function(step).get_concrete_function(*ROWS)
    return lambda batch, labels: concrete(tf.constant(batch), tf.constant(labels))


def behind_a_function(step, model, optimizer):
    optimizer.build(model.trainable_weights)
    graph = tf.function(step, input_signature=ROWS, autograph=False)

    def one_step(batch, labels):
        return graph(tf.convert_to_tensor(batch), tf.convert_to_tensor(labels))

    return one_step


def by_weights(step, batches):
    losses = [float(step(batch, labels)) for batch, labels in batches]
    return np.average(losses, weights=[len(batch) for batch, _ in batches])


def by_a_metric(step, batches):
    import keras

    mean = keras.metrics.Mean()
    for batch, labels in batches:
        mean.update_state(step(batch, labels), sample_weight=len(batch))
    return mean.result()


def looking_once(step, batches):
    losses = tf.stack([step(*pair) for pair in batches])
    sizes = tf.constant([len(batch) for batch, _ in batches], tf.float32)
    return float(tf.reduce_sum(losses * sizes) / tf.reduce_sum(sizes))


def named_specs(step, model, optimizer):
    optimizer.build(model.trainable_variables)

    def tick(row, batch, labels):
        step(batch, labels)
        return model(row, training=False)

    return tf.function(tick, input_signature=[tf.TensorSpec((1, 20)), *ROWS])


def graphs_in_a_graph(step, model, optimizer):
    optimizer.build(model.trainable_variables)
    learn, answer = tf.function(step, input_signature=ROWS), tf.function(model)

    @tf.function(input_signature=[tf.TensorSpec((None, 20)), *ROWS])
    def tick(row, batch, labels):
        learn(batch, labels)
        return answer(row)

    return tick


def as_an_array(step, model, optimizer):
    optimizer.build(model.trainable_variables)

    @tf.function(input_signature=[tf.TensorSpec((1, 20)), *ROWS])
    def graph(row, batch, labels):
        loss = step(batch, labels)
        with tf.control_dependencies([loss]):
            return model(row)

    return lambda row, batch, labels: graph(row, batch, labels).numpy()


def over_a_dataset(step, rows, labels, size):
    rows, labels = tf.constant(rows), tf.constant(labels)

    @tf.function
    def epoch(order):
        total, count = 0.0, 0.0
        picks = tf.data.Dataset.from_tensor_slices(order).batch(size, drop_remainder=True)
        for pick in picks:
            total += step(tf.gather(rows, pick), tf.gather(labels, pick))
            count += 1.0
        return total / count

    return epoch


def by_while_loop(step, rows, labels, size):
    rows, labels = tf.constant(rows), tf.constant(labels)
    batches = len(rows) // size

    @tf.function
    def epoch(order):
        def body(i, total):
            pick = order[i * size : (i + 1) * size]
            return i + 1, total + step(tf.gather(rows, pick), tf.gather(labels, pick))

        _, total = tf.while_loop(lambda i, _: i < batches, body, (0, 0.0))
        return total / batches

    return epoch


def gathered_at_first(step, rows, labels, size):
    @tf.function
    def epoch(order):
        mixed_rows, mixed_labels = tf.gather(rows, order), tf.gather(labels, order)
        mean = 0.0
        for start in tf.range(0, len(rows), size):
            batch = tf.reshape(mixed_rows[start : start + size], (size, 20))
            of_batch = tf.reshape(mixed_labels[start : start + size], (size, 1))
            mean += step(batch, of_batch) * size / len(rows)
        return mean

    return epoch


RIGHT = [
    ("07.1", "decorated", decorated),
    ("07.1", "a concrete function", by_a_concrete_function),
    ("07.1", "behind a function", behind_a_function),
    ("07.2", "by weights", by_weights),
    ("07.2", "by a metric", by_a_metric),
    ("07.2", "looking once", looking_once),
    ("07.3", "named specs", named_specs),
    ("07.3", "graphs in a graph", graphs_in_a_graph),
    ("07.3", "as an array", as_an_array),
    ("07.4", "over a dataset", over_a_dataset),
    ("07.4", "by while_loop", by_while_loop),
    ("07.4", "gathered at first", gathered_at_first),
]
