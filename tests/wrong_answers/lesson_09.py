"""Wrong answers that people give in lesson 09, and a part of the message that each must get."""

import numpy as np
import tensorflow as tf

# ---- 09.1 ----


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


# ---- 09.2 ----


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


def taken_apart(batch):
    columns = [(column - tf.reduce_mean(column)) for column in tf.transpose(batch)]
    return tf.stack(columns, axis=1) / tf.math.reduce_std(batch, axis=0)


def list_in_a_loop(batch):
    columns = []
    for i in tf.range(tf.shape(batch)[1]):
        column = batch[:, i]
        columns.append((column - tf.reduce_mean(column)) / tf.math.reduce_std(column))
    return tf.stack(columns, axis=1)


def python_range(batch):
    mean = tf.zeros(10)
    for i in range(batch.shape[0]):
        mean += batch[i] / batch.shape[0]
    return (batch - mean) / tf.math.reduce_std(batch, axis=0)


# ---- 09.3 ----


def if_as_before(batch):
    return batch / 2 if tf.reduce_mean(batch) > 0.5 else batch


def number_by_number(batch):
    return tf.where(batch > 0.5, batch / 2, batch)


def row_by_row(batch):
    return tf.where(tf.reduce_mean(batch, axis=1, keepdims=True) > 0.5, batch / 2, batch)


def from_one_half_on(batch):
    return tf.where(tf.reduce_mean(batch) >= 0.5, batch / 2, batch)


def cond_without_functions(batch):
    return tf.cond(tf.reduce_mean(batch) > 0.5, batch / 2, batch)


# ---- 09.4 ----


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
    ("09.1", "predict as before", predict_as_before, "the model itself: predict asks for"),
    ("09.1", "its little sister", the_little_sister, "as predict_on_batch does too"),
    ("09.1", "a bridge to predict", a_bridge_to_predict, "calls back into Python"),
    ("09.1", "no return", two_steps_and_no_return, "is a `return` missing?"),
    ("09.1", "an array of the answers", an_array_of_the_answers, "in place of NumPy"),
    ("09.2", "NumPy as before", numpy_as_before, "operations of TensorFlow in place of NumPy"),
    ("09.2", "NumPy in a branch", numpy_in_a_branch, "in place of NumPy"),
    ("09.2", "over everything", over_everything, "the result is wrong"),
    ("09.2", "variance for spread", variance_for_spread, "the result is wrong"),
    ("09.2", "two bridges", two_bridges, "with 2 bridges"),
    ("09.2", "out of the tensor first", out_of_the_tensor_first, "nothing that asks for NumPy"),
    ("09.2", "taken apart", taken_apart, "slices, or an operation on the whole tensor"),
    ("09.2", "a list in a loop", list_in_a_loop, "in a tf.TensorArray"),
    ("09.2", "a Python range", python_range, "asked of the tensor: tf.shape(batch)[0]"),
    ("09.3", "if as before", if_as_before, "a choice without `if`"),
    ("09.3", "number by number", number_by_number, "one decision for the whole batch"),
    ("09.3", "row by row", row_by_row, "one decision for the whole batch"),
    ("09.3", "from one half on", from_one_half_on, "0.25 instead of"),
    ("09.3", "cond without functions", cond_without_functions, "in a graph it raises TypeError"),
    ("09.4", "called directly", called_directly, "smooth behind a bridge"),
    ("09.4", "the wrong type", wrong_type, "the type that the function returns in the bridge"),
    (
        "09.4",
        "the wrong type in a loop",
        declared_wrongly_in_a_loop,
        "the type that the function returns in the bridge",
    ),
    ("09.4", "no shape", no_shape, "say it with tf.ensure_shape"),
    ("09.4", "no cast", no_cast, "tf.cast behind the bridge"),
    ("09.4", "for each row", for_each_row, "smooth ran 7 times"),
]
