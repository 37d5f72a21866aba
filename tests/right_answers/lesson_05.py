"""Right answers to the exercises of lesson 05, in other styles than those of the solutions."""

import itertools
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import tensorflow as tf

ROW = tf.TensorSpec((10,), tf.float32)
BATCH = tf.TensorSpec((None, 10), tf.float32)


def options_first(read, n):
    options = tf.data.Options()
    options.threading.private_threadpool_size = 4
    options.autotune.enabled = False
    numbers = tf.data.Dataset.from_tensor_slices(np.arange(n)).with_options(options)
    return numbers.map(lambda i: tf.py_function(read, [i], tf.float32), num_parallel_calls=4)


def many_threads(read, n):
    options = tf.data.Options()
    options.threading.private_threadpool_size = 16

    @tf.function
    def reading(i):
        return tf.ensure_shape(tf.numpy_function(read, [i], tf.float32), (10,))

    numbers = tf.data.Dataset.range(n)
    return numbers.map(reading, num_parallel_calls=4, deterministic=True).with_options(options)


def threads_of_python(read, n):
    def together():
        with ThreadPoolExecutor(4) as pool:
            yield from pool.map(read, range(n))

    return tf.data.Dataset.from_generator(together, output_signature=ROW)


def with_a_prefetch(read, n):
    dataset = tf.data.Dataset.range(n)
    dataset = dataset.map(
        lambda i: tf.numpy_function(func=read, inp=[i], Tout=tf.float32), num_parallel_calls=4
    )
    options = tf.data.Options()
    options.threading.private_threadpool_size = 5
    return dataset.with_options(options).prefetch(1)


def options_before_prefetch(dataset):
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options).prefetch(buffer_size=2)


def autotune_options(dataset):
    tuner = tf.data.experimental.AutotuneOptions()
    tuner.enabled = False
    options = tf.data.Options()
    options.autotune = tuner
    return dataset.apply(lambda source: source.prefetch(2)).with_options(options)


def in_two_steps(dataset):
    options = tf.data.Options()
    options.autotune.enabled = False
    options.experimental_optimization.inject_prefetch = False
    return dataset.prefetch(1).prefetch(1).with_options(options)


def with_islice(source, size):
    def batches():
        rows = iter(source())
        while batch := list(itertools.islice(rows, size)):
            yield np.asarray(batch, dtype=np.float32)

    return tf.data.Dataset.from_generator(batches, output_signature=BATCH)


def as_a_class(source, size):
    class Batches:
        def __call__(self):
            return self

        def __iter__(self):
            kept = []
            for row in source():
                kept.append(row)
                if len(kept) == size:
                    yield np.stack(kept).astype("float32")
                    kept.clear()
            if kept:
                yield np.stack(kept).astype("float32")

    return tf.data.Dataset.from_generator(Batches(), output_signature=BATCH)


def filled_in_place(source, size):
    def batches():
        block = np.empty((size, 10), "float32")
        filled = 0
        for row in source():
            block[filled] = row
            filled += 1
            if filled == size:
                yield block.copy()
                filled = 0
        if filled:
            yield block[:filled].copy()

    return tf.data.Dataset.from_generator(batches, output_signature=BATCH).prefetch(1)


def by_numpy_function(source, size):
    running = {}

    def next_batch(number):
        if number == 0:
            running["rows"] = iter(source())
        rows = list(itertools.islice(running["rows"], size))
        return np.array(rows, "float32").reshape(-1, 10)

    def batch(number):
        return tf.ensure_shape(tf.numpy_function(next_batch, [number], tf.float32), (None, 10))

    batches = tf.data.Dataset.counter().map(batch)
    return batches.take_while(lambda rows: tf.shape(rows)[0] > 0).prefetch(2)


RIGHT = [
    ("05.1", "options first", options_first),
    ("05.1", "many threads", many_threads),
    ("05.1", "threads of Python", threads_of_python),
    ("05.1", "prefetch after it", with_a_prefetch),
    ("05.2", "options before prefetch", options_before_prefetch),
    ("05.2", "autotune options", autotune_options),
    ("05.2", "in two steps", in_two_steps),
    (
        "05.3",
        "another order",
        {"D": "leave it", "C": "read ahead", "B": "parallel map", "A": "one call"},
    ),
    (
        "05.3",
        "a dict from pairs",
        dict(zip("ABCD", ("one call", "parallel map", "read ahead", "leave it"), strict=True)),
    ),
    (
        "05.3",
        "keywords",
        dict(A="one call", B="parallel map", C="read ahead", D="leave it"),
    ),
    ("05.4", "with islice", with_islice),
    ("05.4", "as a class", as_a_class),
    ("05.4", "filled in place", filled_in_place),
    ("05.4", "numpy_function", by_numpy_function),
]
