"""Wrong answers that people give in lesson 03, and a part of the message that each must get."""

import numpy as np
import tensorflow as tf

ROWS = tf.TensorSpec((None, 10))


# ---- 03.1 ----


def retraced_per_size(model):
    return tf.function(model)


def reduced(model):
    return tf.function(model, reduce_retracing=True)


def a_new_function_per_call(model):
    return lambda batch: tf.function(model, input_signature=[ROWS])(batch)


def eager(model):
    return lambda batch: model(batch)


def returns_nothing(model):
    tf.function(model, input_signature=[ROWS])


def one_size_only(model):
    return tf.function(model, input_signature=[tf.TensorSpec((1, 10))])


# ---- 03.2 ----


def python_factor(model):
    @tf.function(reduce_retracing=True)
    def scaled(batch, factor):
        return factor * model(batch)

    return scaled


def sizes_forgotten(model):
    @tf.function
    def scaled(batch, factor):
        return factor * model(batch)

    return lambda batch, factor: scaled(batch, np.float32(factor))


def frozen_factor(model):
    now = {}

    @tf.function(input_signature=[ROWS])
    def scaled(batch):
        return now["factor"] * model(batch)

    def answer(batch, factor):
        now["factor"] = factor
        return scaled(batch)

    return answer


def whole_numbers(model):
    @tf.function(input_signature=[ROWS, tf.TensorSpec((), tf.int32)])
    def scaled(batch, factor):
        return tf.cast(factor, tf.float32) * model(batch)

    return lambda batch, factor: scaled(batch, int(factor))


# ---- 03.3 ----


def open_size(model):
    return tf.function(model, input_signature=[ROWS])


def padding_left(model):
    graph = tf.function(model)
    return lambda batch: graph(np.pad(batch, ((0, 64 - len(batch)), (0, 0))))


def padded_to_the_next_power(model):
    graph = tf.function(model)

    def answer(batch):
        size = 2 ** int(np.ceil(np.log2(len(batch))))
        return graph(np.pad(batch, ((0, size - len(batch)), (0, 0))))[: len(batch)]

    return answer


def padded_eagerly(model):
    return lambda batch: model(np.pad(batch, ((0, 64 - len(batch)), (0, 0))))[: len(batch)]


def repeated_in_front(model):
    graph = tf.function(model)
    return lambda batch: graph(np.pad(batch, ((64 - len(batch), 0), (0, 0))))[: len(batch)]


# ---- 03.4 ----


def plain_python(rows, keep):
    state, out = rows[0], []
    for row in rows:
        state = keep * state + (1 - keep) * row
        out.append(state)
    return np.stack(out)


def unrolled(rows, keep):
    state, out = rows[0], []
    for i in range(rows.shape[0]):
        state = keep * state + (1 - keep) * rows[i]
        out.append(state)
    return tf.stack(out)


def list_in_a_loop(rows, keep):
    state, out = rows[0], []
    for i in tf.range(tf.shape(rows)[0]):
        state = keep * state + (1 - keep) * rows[i]
        out.append(state)
    return tf.stack(out)


def starts_at_zero(rows, keep):
    state = tf.zeros(3)
    out = tf.TensorArray(tf.float32, size=tf.shape(rows)[0])
    for i in tf.range(tf.shape(rows)[0]):
        state = keep * state + (1 - keep) * rows[i]
        out = out.write(i, state)
    return out.stack()


SMOOTH = [tf.TensorSpec((None, 3)), tf.TensorSpec(())]


def signature_alone(model):
    return tf.function(model, input_signature=[tf.TensorSpec((64, 10))])


def write_not_kept(rows, keep):
    state, out = rows[0], tf.TensorArray(tf.float32, size=tf.shape(rows)[0])
    for i in tf.range(tf.shape(rows)[0]):
        state = keep * state + (1 - keep) * rows[i]
        out.write(i, state)
    return out.stack()


def size_zero(rows, keep):
    state, out = rows[0], tf.TensorArray(tf.float32, size=0)
    for i in tf.range(tf.shape(rows)[0]):
        state = keep * state + (1 - keep) * rows[i]
        out = out.write(i, state)
    return out.stack()


def static_loop(rows, keep):
    state, out = rows[0], tf.TensorArray(tf.float32, size=tf.shape(rows)[0])
    for i in range(rows.shape[0]):
        state = keep * state + (1 - keep) * rows[i]
        out = out.write(i, state)
    return out.stack()


def static_shape(rows, keep):
    state, out = rows[0], tf.TensorArray(tf.float32, size=rows.shape[0])
    for i in range(rows.shape[0]):
        state = keep * state + (1 - keep) * rows[i]
        out = out.write(i, state)
    return out.stack()


WRONG = [
    ("03.1", "retraced per size", retraced_per_size, "4 traces for 4 batch sizes"),
    ("03.1", "reduced", reduced, "the second opens the shape"),
    (
        "03.1",
        "a new function per call",
        a_new_function_per_call,
        "make the tf.function before the calls",
    ),
    ("03.1", "eager", eager, "ran eagerly"),
    ("03.1", "returns nothing", returns_nothing, "make_answer returned nothing"),
    ("03.1", "one size only", one_size_only, "your answer raised"),
    ("03.2", "a Python factor", python_factor, "traces for 6 factors and one batch size"),
    ("03.2", "sizes forgotten", sizes_forgotten, "traces for 3 other batch sizes: 3"),
    ("03.2", "a frozen factor", frozen_factor, "that of the first call"),
    ("03.2", "whole numbers", whole_numbers, "the result is wrong"),
    ("03.2", "returns nothing", returns_nothing, "make_scaled returned nothing"),
    ("03.3", "a signature alone", signature_alone, "pad before you call"),
    ("03.3", "an open size", open_size, "XLA would compile it again for each size"),
    ("03.3", "padding left", padding_left, "cut off the answers to the padding"),
    (
        "03.3",
        "padded to the next power",
        padded_to_the_next_power,
        "every batch must have the same shape",
    ),
    ("03.3", "padded eagerly", padded_eagerly, "ran eagerly"),
    ("03.3", "padded in front", repeated_in_front, "the result is wrong"),
    ("03.4", "plain Python", plain_python, "no tf.function was called"),
    ("03.4", "unrolled", tf.function(unrolled), "a loop that stays a loop"),
    (
        "03.4",
        "a list in a loop",
        tf.function(list_in_a_loop, input_signature=SMOOTH),
        "a Python list cannot carry",
    ),
    (
        "03.4",
        "write without keeping",
        tf.function(write_not_kept, input_signature=SMOOTH),
        "nothing but zeros",
    ),
    (
        "03.4",
        "an array of size 0",
        tf.function(size_zero, input_signature=SMOOTH),
        "made with size=0",
    ),
    (
        "03.4",
        "the static shape",
        tf.function(static_shape, input_signature=SMOOTH),
        "`rows.shape[0]` is None",
    ),
    (
        "03.4",
        "a loop over the static shape",
        tf.function(static_loop, input_signature=SMOOTH),
        "`rows.shape[0]` is None",
    ),
    (
        "03.4",
        "starts at zero",
        tf.function(starts_at_zero, input_signature=SMOOTH),
        "the result is wrong",
    ),
]
