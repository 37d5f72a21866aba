"""Wrong answers that people give in lesson 04, and a part of the message that each must get."""

import numpy as np
import tensorflow as tf

ROWS = tf.TensorSpec((None, 20))


# ---- 04.1 ----


def rebinds_the_name(model):
    serve = tf.function(lambda batch: model(batch), input_signature=[ROWS])

    def swap(better):
        nonlocal model
        model = better

    return serve, swap


def a_new_function_per_swap(model):
    now = {"serve": tf.function(model, input_signature=[ROWS])}

    def swap(better):
        now["serve"] = tf.function(better, input_signature=[ROWS])

    return lambda batch: now["serve"](batch), swap


def model_as_an_argument(model):
    now = {"model": model}
    graph = tf.function(lambda net, batch: net(batch), reduce_retracing=True)

    def swap(better):
        now["model"] = better

    return lambda batch: graph(now["model"], batch), swap


def served_eagerly(model):
    def swap(better):
        model.set_weights(better.get_weights())

    return lambda batch: model(batch), swap


def swaps_nothing(model):
    return tf.function(model, input_signature=[ROWS]), lambda better: None


def first_layer_only(model):
    def swap(better):
        for old, new in zip(model.weights[:2], better.weights, strict=False):
            old.assign(new)

    return tf.function(model, input_signature=[ROWS]), swap


def sizes_forgotten(model):
    def swap(better):
        model.set_weights(better.get_weights())

    return tf.function(model), swap


def serve_alone(model):
    return tf.function(model, input_signature=[ROWS])


# ---- 04.2 ----


def open_size(model):
    return tf.function(model, jit_compile=True, input_signature=[ROWS])


def padding_left(model):
    graph = tf.function(model, jit_compile=True)
    return lambda batch: graph(np.pad(batch, ((0, 64 - len(batch)), (0, 0))))


def padded_to_the_next_power(model):
    graph = tf.function(model, jit_compile=True)

    def answer(batch):
        size = 2 ** int(np.ceil(np.log2(len(batch))))
        return graph(np.pad(batch, ((0, size - len(batch)), (0, 0))))[: len(batch)]

    return answer


def padded_eagerly(model):
    return lambda batch: model(np.pad(batch, ((0, 64 - len(batch)), (0, 0))))[: len(batch)]


def repeated_in_front(model):
    graph = tf.function(model, jit_compile=True)
    return lambda batch: graph(np.pad(batch, ((64 - len(batch), 0), (0, 0))))[: len(batch)]


def signature_alone(model):
    return tf.function(model, jit_compile=True, input_signature=[tf.TensorSpec((64, 20))])


def not_compiled(model):
    graph = tf.function(model)
    return lambda batch: graph(np.pad(batch, ((0, 64 - len(batch)), (0, 0))))[: len(batch)]


def padded_to_a_hundred(model):
    graph = tf.function(model, jit_compile=True)
    return lambda batch: graph(np.pad(batch, ((0, 100 - len(batch)), (0, 0))))[: len(batch)]


# ---- 04.3 ----


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


def write_not_kept(rows, keep):
    state, out = rows[0], tf.TensorArray(tf.float32, size=tf.shape(rows)[0])
    for i in tf.range(tf.shape(rows)[0]):
        state = keep * state + (1 - keep) * rows[i]
        out.write(i, state)
    return out.stack()


def write_to_a_growing_array(rows, keep):
    state, out = rows[0], tf.TensorArray(tf.float32, size=0, dynamic_size=True, element_shape=(3,))
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


def trained_weights_only(model):
    def swap(better):
        pairs = zip(model.trainable_variables, better.trainable_variables, strict=True)
        for old, new in pairs:
            old.assign(new)

    return tf.function(model, input_signature=[ROWS]), swap


def never_traced(model):
    weights = model.get_weights()

    def answer(batch):
        for kernel, bias in zip(weights[:-2:2], weights[1:-2:2], strict=True):
            batch = np.maximum(batch @ kernel + bias, 0)
        return batch @ weights[-2] + weights[-1]

    return answer


one_step = tf.function(
    lambda state, row, keep: keep * state + (1 - keep) * row,
    input_signature=[tf.TensorSpec((3,)), tf.TensorSpec((3,)), tf.TensorSpec(())],
)


def a_graph_per_row(rows, keep):
    state, out = rows[0], []
    for row in rows:
        state = one_step(state, row, keep)
        out.append(state)
    return tf.stack(out)


def concrete_step_per_row(rows, keep):
    step = one_step.get_concrete_function()
    state, out = tf.constant(rows[0]), []
    for row in rows:
        state = step(state, tf.constant(row), tf.constant(keep))
        out.append(state)
    return tf.stack(out)


@tf.function(input_signature=SMOOTH)
def by_numpy_function(rows, keep):
    return tf.numpy_function(plain_python, [rows, keep], tf.float32)


WRONG = [
    ("04.1", "rebinds the name", rebinds_the_name, "still those of the old model"),
    ("04.1", "a new function per swap", a_new_function_per_swap, "3 traces for 3 models"),
    ("04.1", "the model as an argument", model_as_an_argument, "new weights in the same model"),
    ("04.1", "served eagerly", served_eagerly, "ran eagerly"),
    ("04.1", "swaps nothing", swaps_nothing, "still those of the old model"),
    ("04.1", "the first layer only", first_layer_only, "the result is wrong"),
    ("04.1", "sizes forgotten", sizes_forgotten, "an open size"),
    ("04.1", "serve alone", serve_alone, "wanted: two functions"),
    ("04.2", "a signature alone", signature_alone, "pad before you call"),
    ("04.2", "an open size", open_size, "XLA would compile it again for each size"),
    ("04.2", "padding left", padding_left, "cut off the answers to the padding"),
    (
        "04.2",
        "padded to the next power",
        padded_to_the_next_power,
        "every batch must have the same shape",
    ),
    ("04.2", "padded eagerly", padded_eagerly, "ran eagerly"),
    ("04.2", "padded in front", repeated_in_front, "the result is wrong"),
    ("04.2", "not compiled", not_compiled, "XLA does not compile"),
    ("04.2", "padded to a hundred rows", padded_to_a_hundred, "wanted: (64, 20)"),
    ("04.3", "plain Python", plain_python, "no tf.function was called"),
    ("04.3", "unrolled", tf.function(unrolled), "a loop that stays a loop"),
    (
        "04.3",
        "a list in a loop",
        tf.function(list_in_a_loop, input_signature=SMOOTH),
        "a Python list cannot carry",
    ),
    (
        "04.3",
        "write without keeping",
        tf.function(write_not_kept, input_signature=SMOOTH),
        "nothing but zeros",
    ),
    (
        "04.3",
        "write to a growing array",
        tf.function(write_to_a_growing_array, input_signature=SMOOTH),
        "no states at all",
    ),
    (
        "04.3",
        "an array of size 0",
        tf.function(size_zero, input_signature=SMOOTH),
        "made with size=0",
    ),
    (
        "04.3",
        "the static shape",
        tf.function(static_shape, input_signature=SMOOTH),
        "`rows.shape[0]` is None",
    ),
    (
        "04.3",
        "a loop over the static shape",
        tf.function(static_loop, input_signature=SMOOTH),
        "`rows.shape[0]` is None",
    ),
    (
        "04.3",
        "starts at zero",
        tf.function(starts_at_zero, input_signature=SMOOTH),
        "the result is wrong",
    ),
    ("04.1", "trained weights only", trained_weights_only, "those that are not trained, too"),
    ("04.2", "never traced", never_traced, "the model was never traced"),
    ("04.3", "a graph per row", a_graph_per_row, "wanted: one: the loop in the graph"),
    (
        "04.3",
        "a concrete function per row",
        concrete_step_per_row,
        "wanted: one: the loop in the graph",
    ),
    ("04.3", "numpy_function", by_numpy_function, "wanted: a loop of the graph"),
]
