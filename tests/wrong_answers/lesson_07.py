"""Wrong answers that people give in lesson 07, and a part of the message that each must get."""

import numpy as np
import tensorflow as tf

# ---- 07.1 ----


def predict_as_before(model, batch):
    return model.predict(batch, verbose=0)


def the_little_sister(model, batch):
    return model.predict_on_batch(batch)


def a_bridge_to_predict(model, batch):
    return tf.numpy_function(model.predict_on_batch, [batch], tf.float32)


def two_steps_and_no_return(model, batch):
    model(batch)


def an_array_of_the_answers(model, batch):
    return np.array(model(batch))


# ---- 07.2 ----


def numpy_as_before(batch):
    return (batch - np.mean(batch, axis=0)) / np.std(batch, axis=0)


def over_everything(batch):
    return (batch - tf.reduce_mean(batch)) / tf.math.reduce_std(batch)


def variance_for_spread(batch):
    return (batch - tf.reduce_mean(batch, axis=0)) / tf.math.reduce_variance(batch, axis=0)


def numpy_in_a_branch(batch):
    return tf.cond(tf.reduce_mean(batch) > 9.0, lambda: batch, lambda: numpy_as_before(batch))


def two_bridges(batch):
    mean = tf.numpy_function(lambda x: x.mean(axis=0), [batch], tf.float32)
    spread = tf.py_function(lambda x: np.std(x, axis=0), [batch], tf.float32)
    return (batch - mean) / spread


def out_of_the_tensor_first(batch):
    batch = batch.numpy()
    return (batch - batch.mean(axis=0)) / batch.std(axis=0)


# ---- 07.3 ----


def if_as_before(batch):
    return batch / 2 if tf.reduce_mean(batch) > 0.5 else batch


def number_by_number(batch):
    return tf.where(batch > 0.5, batch / 2, batch)


def row_by_row(batch):
    return tf.where(tf.reduce_mean(batch, axis=1, keepdims=True) > 0.5, batch / 2, batch)


def cond_without_functions(batch):
    return tf.cond(tf.reduce_mean(batch) > 0.5, batch / 2, batch)


# ---- 07.4 ----


def taken_apart(points):
    x, y = tf.transpose(points)
    return tf.atan2(y, x)


def x_before_y(points):
    return tf.atan2(points[:, 0], points[:, 1])


def unstacked_by_row(points):
    x, y = tf.unstack(points)
    return tf.atan2(y, x)


def in_numpy(points):
    return np.arctan2(points[:, 1], points[:, 0])


# ---- 07.5 ----


def list_in_a_loop(batch):
    best, found = batch[0], []
    for i in tf.range(tf.shape(batch)[0]):
        best = tf.maximum(best, batch[i])
        found.append(best)
    return tf.stack(found)


def python_range(batch):
    best, found = batch[0], []
    for i in range(batch.shape[0]):
        best = tf.maximum(best, batch[i])
        found.append(best)
    return tf.stack(found)


def starts_at_zero(batch):
    return tf.scan(tf.maximum, batch, initializer=tf.zeros(10))


def only_the_last(batch):
    return tf.reduce_max(batch, axis=0)


def from_zero(batch):
    best, found = -tf.ones(10), tf.TensorArray(tf.float32, size=tf.shape(batch)[0])
    for i in tf.range(tf.shape(batch)[0]):
        found = found.write(i, best)
        best = tf.maximum(best, batch[i])
    return found.stack()


# ---- 07.6 ----


def static_size(batch):
    return tf.reshape(batch, (batch.shape[0], 5, 2))


def a_fixed_number(batch):
    return tf.reshape(batch, (7, 5, 2))


def two_halves(batch):
    return tf.reshape(batch, (-1, 2, 5))


def rows_last(batch):
    return tf.reshape(batch, (5, 2, -1))


# ---- 07.7 ----


def called_directly(batch, smooth):
    return tf.cast(smooth(batch), tf.float32)


def wrong_type(batch, smooth):
    return tf.ensure_shape(tf.numpy_function(smooth, [batch], tf.float32), (None, 10))


def no_shape(batch, smooth):
    return tf.cast(tf.numpy_function(smooth, [batch], tf.float64), tf.float32)


def no_cast(batch, smooth):
    return tf.ensure_shape(tf.numpy_function(smooth, [batch], tf.float64), (None, 10))


def declared_wrongly_in_a_loop(batch, smooth):
    def one(row):
        return tf.ensure_shape(tf.numpy_function(smooth, [row], tf.float32), (10,))

    return tf.map_fn(one, batch)


def for_each_row(batch, smooth):
    def one(row):
        return tf.ensure_shape(tf.numpy_function(smooth, [row], tf.float64), (10,))

    return tf.cast(tf.map_fn(one, batch, fn_output_signature=tf.float64), tf.float32)


WRONG = [
    ("07.1", "predict as before", predict_as_before, "the model itself: predict asks for"),
    ("07.1", "its little sister", the_little_sister, "as predict_on_batch does too"),
    ("07.1", "a bridge to predict", a_bridge_to_predict, "calls back into Python"),
    ("07.1", "no return", two_steps_and_no_return, "is a `return` missing?"),
    ("07.1", "an array of the answers", an_array_of_the_answers, "in place of NumPy"),
    ("07.2", "NumPy as before", numpy_as_before, "operations of TensorFlow in place of NumPy"),
    ("07.2", "NumPy in a branch", numpy_in_a_branch, "in place of NumPy"),
    ("07.2", "over everything", over_everything, "the result is wrong"),
    ("07.2", "variance for spread", variance_for_spread, "the result is wrong"),
    ("07.2", "two bridges", two_bridges, "with 2 bridges"),
    ("07.2", "out of the tensor first", out_of_the_tensor_first, "nothing that asks for NumPy"),
    ("07.3", "if as before", if_as_before, "a choice without `if`"),
    ("07.3", "number by number", number_by_number, "the result is wrong"),
    ("07.3", "row by row", row_by_row, "the result is wrong"),
    ("07.3", "cond without functions", cond_without_functions, "in a graph it raises TypeError"),
    ("07.4", "taken apart", taken_apart, "slices, or an operation on the whole tensor"),
    ("07.4", "x before y", x_before_y, "the result is wrong"),
    ("07.4", "unstacked by row", unstacked_by_row, "an axis whose length is known while tracing"),
    ("07.4", "in NumPy", in_numpy, "in place of NumPy"),
    ("07.5", "a list in a loop", list_in_a_loop, "in a tf.TensorArray"),
    ("07.5", "a Python range", python_range, "asked of the tensor: tf.shape(batch)[0]"),
    ("07.5", "starts at zero", starts_at_zero, "the result is wrong: 0.0 instead of"),
    ("07.5", "only the last", only_the_last, "shape (10,) instead of"),
    ("07.5", "one row late", from_zero, "the result is wrong"),
    ("07.6", "the static size", static_size, "tf.shape(batch)[0], or -1 in a shape"),
    ("07.6", "a fixed number", a_fixed_number, "one graph for any number of rows"),
    ("07.6", "two halves", two_halves, "(7, 2, 5) instead of (7, 5, 2)"),
    ("07.6", "rows last", rows_last, "(5, 2, 7) instead of (7, 5, 2)"),
    ("07.7", "called directly", called_directly, "smooth behind a bridge"),
    ("07.7", "the wrong type", wrong_type, "the type that the function returns in the bridge"),
    (
        "07.7",
        "the wrong type in a loop",
        declared_wrongly_in_a_loop,
        "the type that the function returns in the bridge",
    ),
    ("07.7", "no shape", no_shape, "say it with tf.ensure_shape"),
    ("07.7", "no cast", no_cast, "tf.cast behind the bridge"),
    ("07.7", "for each row", for_each_row, "smooth ran 7 times"),
]
