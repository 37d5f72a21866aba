"""Right answers to the exercises of lesson 16, in other styles than those of the solutions."""

import keras
import numpy as np
import tensorflow as tf

# ---- 16.1 ----


def in_a_loop(ladder, calls, allowed):
    best, least = None, float("inf")
    for name in allowed:
        first, each = ladder[name]
        total = first + each * (calls - 1)
        if total < least:
            best, least = name, total
    return best


def sorted_by_total(ladder, calls, allowed):
    totals = {name: sum([ladder[name][0], ladder[name][1] * (calls - 1)]) for name in allowed}
    return sorted(totals, key=totals.get)[0]


def with_numpy(ladder, calls, allowed):
    times = np.array([ladder[name] for name in allowed])
    return allowed[int(np.argmin(times @ [1, calls - 1]))]


# ---- 16.2 ----


def random_numbers(spec, rows):
    found = {}
    for name, s in spec.items():
        size = [rows] + [int(n) for n in s.shape[1:]]
        if s.dtype == tf.string:
            found[name] = np.array([b"loop"] * int(np.prod(size))).reshape(size)
        else:
            found[name] = np.random.rand(*size).astype(s.dtype.as_numpy_dtype)
    return found


def ones(spec, rows):
    def made(s):
        shape = (rows, *tuple(s.shape[1:]))
        return np.full(shape, "x") if s.dtype is tf.string else np.ones(shape, s.dtype.name)

    return {name: made(s) for name, s in spec.items()}


def objects(spec, rows):
    found = {}
    for name in spec:
        shape = [rows, *spec[name].shape[1:]]
        if spec[name].dtype == tf.string:
            found[name] = np.full(shape, "x", dtype=object)
        else:
            found[name] = tf.zeros(shape, spec[name].dtype).numpy()
    return found


# ---- 16.3 ----


def with_a_signature(path):
    model = keras.models.load_model(path)
    rows = tf.TensorSpec((None, 10), tf.float32)
    concrete = tf.function(model).get_concrete_function(rows)
    return lambda batch: concrete(tf.constant(batch)).numpy()


def on_batches(path):
    return keras.models.load_model(path, compile=False).predict_on_batch


class Service:
    """A class with the model in it."""

    def __init__(self, path):
        self.model = keras.saving.load_model(path)

    @tf.function(input_signature=[tf.TensorSpec([None, 10])])
    def __call__(self, rows):
        return self.model(rows, training=False)


def traced_before(path):
    replay = tf.function(keras.models.load_model(path), reduce_retracing=True)
    for size in (1, 2):
        replay(np.zeros((size, 10), "float32"))
    return lambda rows: replay(rows)


# ---- 16.4 ----


def numpy_numbers(slow, fast):
    if fast[0] < slow[0]:
        return np.int64(1)
    if slow[1] <= fast[1]:
        return None
    return np.int64((fast[0] - slow[0]) // (slow[1] - fast[1]) + 2)


def with_divmod(slow, fast):
    more, saved = fast[0] - slow[0], slow[1] - fast[1]
    if more < 0:
        return 1
    if saved <= 0:
        return None
    return 2 + int(divmod(more, saved)[0])


def nested(slow, fast):
    if not fast[0] < slow[0]:
        if fast[1] < slow[1]:
            return 1 + int((fast[0] - slow[0]) / (slow[1] - fast[1])) + 1
        return None
    return 1


def counts_up(slow, fast):
    if slow[0] <= fast[0] and slow[1] <= fast[1]:
        return None
    n = 1
    while fast[0] + (n - 1) * fast[1] >= slow[0] + (n - 1) * slow[1]:
        n += 1
    return n


RIGHT = [
    ("16.1", "a loop", in_a_loop),
    ("16.1", "sorted", sorted_by_total),
    ("16.1", "NumPy", with_numpy),
    ("16.2", "random numbers", random_numbers),
    ("16.2", "ones", ones),
    ("16.2", "objects", objects),
    ("16.3", "a signature", with_a_signature),
    ("16.3", "predict_on_batch", on_batches),
    ("16.3", "a class", Service),
    ("16.3", "traced before", traced_before),
    ("16.4", "NumPy's numbers", numpy_numbers),
    ("16.4", "divmod", with_divmod),
    ("16.4", "nested", nested),
    ("16.4", "counts up", counts_up),
]
