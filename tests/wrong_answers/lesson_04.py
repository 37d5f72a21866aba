"""Wrong answers that people give in lesson 04, and a part of the message that each must get."""

import numpy as np
import tensorflow as tf

slices = tf.data.Dataset.from_tensor_slices
BATCH = tf.TensorSpec((None, 10), tf.float32)


def no_cache(rows, step):
    return slices(rows).map(step).shuffle(len(rows)).batch(4)


def cache_first(rows, step):
    return slices(rows).cache().map(step).shuffle(len(rows)).batch(4)


def frozen_order(rows, step):
    return slices(rows).map(step).shuffle(len(rows)).cache().batch(4)


def cache_last(rows, step):
    return slices(rows).map(step).shuffle(len(rows)).batch(4).cache()


def shuffles_batches(rows, step):
    return slices(rows).map(step).cache().batch(4).shuffle(len(rows))


def step_on_batches(rows, step):
    return slices(rows).shuffle(len(rows)).batch(4).map(step).cache()


def no_batches(rows, step):
    return slices(rows).map(step).cache().shuffle(len(rows))


def drops_the_rest(rows, step):
    return slices(rows).map(step).cache().shuffle(len(rows)).batch(4, drop_remainder=True)


def batches_of_5(rows, step):
    return slices(rows).map(step).cache().shuffle(len(rows)).batch(5)


def nothing_in_it(rows, step):
    return slices(rows).map(step).cache().take(0).batch(4)


def a_list(rows, step):
    return list(slices(rows).map(step).batch(4))


def no_return(rows, step):
    slices(rows).map(step).cache().shuffle(len(rows)).batch(4)


def map_first(dataset, step):
    return dataset.map(lambda row, label: (step(row), label)).batch(32)


def drops_the_last(dataset, step):
    return dataset.batch(32, drop_remainder=True).map(lambda rows, labels: (step(rows), labels))


def forgets_the_labels(dataset, step):
    return dataset.batch(32).map(lambda rows, labels: step(rows))


def steps_on_rows_of_the_batch(dataset, step):
    return dataset.batch(32).map(
        lambda rows, labels: (tf.map_fn(step, rows), labels),
    )


def another_size(dataset, step):
    return dataset.batch(64).map(lambda rows, labels: (step(rows), labels))


def one_argument(dataset, step):
    return dataset.batch(32).map(lambda pair: (step(pair[0]), pair[1]))


def yields_rows(source, size):
    return tf.data.Dataset.from_generator(
        source, output_signature=tf.TensorSpec((10,), tf.float32)
    ).batch(size)


def _batches(source, size, dtype="float32"):
    batch = []
    for row in source():
        batch.append(row)
        if len(batch) == size:
            yield np.array(batch, dtype)
            batch = []
    if batch:
        yield np.array(batch, dtype)


def fixed_size(source, size):
    signature = tf.TensorSpec((size, 10), tf.float32)
    return tf.data.Dataset.from_generator(
        lambda: _batches(source, size), output_signature=signature
    )


def double_precision(source, size):
    signature = tf.TensorSpec((None, 10), tf.float64)
    return tf.data.Dataset.from_generator(
        lambda: _batches(source, size, "float64"), output_signature=signature
    )


def used_up(source, size):
    batches = _batches(source, size)
    return tf.data.Dataset.from_generator(lambda: batches, output_signature=BATCH)


def not_a_function(source, size):
    return tf.data.Dataset.from_generator(_batches(source, size), output_signature=BATCH)


def reads_it_all(source, size):
    return slices(np.array(list(source()), "float32")).batch(size)


def collects_it_all(source, size):
    def batches():
        rows = np.array(list(source()), "float32")
        yield from (rows[i : i + size] for i in range(0, len(rows), size))

    return tf.data.Dataset.from_generator(batches, output_signature=BATCH)


def narrow_rows(source, size):
    signature = tf.TensorSpec((None, 5), tf.float32)
    return tf.data.Dataset.from_generator(
        lambda: _batches(source, size), output_signature=signature
    )


def right(source, size):
    return tf.data.Dataset.from_generator(lambda: _batches(source, size), output_signature=BATCH)


def pairs(source, size):
    return right(source, size).map(lambda batch: (batch, batch))


def loses_the_rest(source, size):
    def whole():
        yield from (batch for batch in _batches(source, size) if len(batch) == size)

    return tf.data.Dataset.from_generator(whole, output_signature=BATCH)


WRONG = [
    ("04.1", "no cache", no_cache, "does the step come before the cache?"),
    ("04.1", "cache first", cache_first, "does the step come before the cache?"),
    ("04.1", "frozen order", frozen_order, "every epoch has the same order"),
    ("04.1", "cache last", cache_last, "what does the cache keep?"),
    ("04.1", "shuffles batches", shuffles_batches, "the same rows meet in every epoch"),
    ("04.1", "step on batches", step_on_batches, "single rows, of shape (10,)"),
    ("04.1", "no batches", no_batches, "batches of shape (4, 10)"),
    ("04.1", "drops the rest", drops_the_rest, "every row, once"),
    ("04.1", "batches of 5", batches_of_5, "batches of 4, and the rest in the last one"),
    ("04.1", "nothing in it", nothing_in_it, "the dataset yields nothing"),
    ("04.1", "a list", a_list, "a value of type list; wanted: a tf.data.Dataset"),
    ("04.1", "no return", no_return, "is a `return` missing?"),
    ("04.2", "map first", map_first, "runs, one per batch"),
    ("04.2", "drops the last", drops_the_last, "is the last, smaller batch dropped?"),
    ("04.2", "forgets the labels", forgets_the_labels, "pairs of rows and labels"),
    ("04.2", "steps on rows of the batch", steps_on_rows_of_the_batch, "runs, one per batch"),
    ("04.2", "another size", another_size, "batches of up to 32"),
    ("04.2", "one argument", one_argument, "your answer raised"),
    ("04.3", "read ahead everywhere", dict.fromkeys("ABC", "read ahead"), "nothing is waited for"),
    (
        "04.3",
        "loop in graph",
        {"A": "loop in graph", "B": "parallel map", "C": "read ahead"},
        "way without a loop",
    ),
    (
        "04.3",
        "ahead of a server",
        {"A": "one call", "B": "read ahead", "C": "read ahead"},
        "max(40, 10) = 40 ms",
    ),
    (
        "04.3",
        "threads for Python",
        {"A": "one call", "B": "parallel map", "C": "parallel map"},
        "under one lock",
    ),
    (
        "04.3",
        "own words",
        {"A": "none", "B": "parallel map", "C": "read ahead"},
        "one of one call, read ahead",
    ),
    ("04.3", "one case only", {"A": "one call"}, "a dict with the keys ['A']"),
    ("04.3", "no dict", "read ahead", "a dict with the keys A, B and C"),
    ("04.4", "yields rows", yields_rows, "elements crossed from Python"),
    ("04.4", "fixed size", fixed_size, "a signature that fits every batch"),
    ("04.4", "narrow rows", narrow_rows, "where the signature says (None, 5)"),
    ("04.4", "pairs", pairs, "one array of float32 for each batch"),
    ("04.4", "double precision", double_precision, "what does the signature say?"),
    ("04.4", "used up", used_up, "batches in the second pass"),
    ("04.4", "not a function", not_a_function, "it is called again for every pass"),
    ("04.4", "reads it all", reads_it_all, "before anybody asked"),
    (
        "04.4",
        "collects it all first",
        collects_it_all,
        "an endless source was asked for everything",
    ),
    ("04.4", "loses the rest", loses_the_rest, "the result is wrong"),
]
