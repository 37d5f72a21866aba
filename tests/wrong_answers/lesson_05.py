"""Wrong answers that people give in lesson 05, and a part of the message that each must get."""

import numpy as np
import tensorflow as tf

BATCH = tf.TensorSpec((None, 10), tf.float32)


def _options(threads=None, tuner=True):
    options = tf.data.Options()
    if threads:
        options.threading.private_threadpool_size = threads
    if not tuner:
        options.autotune.enabled = False
    return options


def _reads(read, n, calls=None, threads=None, **more):
    numbers = tf.data.Dataset.range(n)
    dataset = numbers.map(
        lambda i: tf.numpy_function(read, [i], tf.float32), num_parallel_calls=calls, **more
    )
    return dataset.with_options(_options(threads))


def one_by_one(read, n):
    return _reads(read, n)


def only_calls(read, n):
    return _reads(read, n, calls=4)


def autotuned(read, n):
    return _reads(read, n, calls=tf.data.AUTOTUNE)


def only_threads(read, n):
    return _reads(read, n, threads=4)


def eight_at_once(read, n):
    return _reads(read, n, calls=8, threads=8)


def three_at_once(read, n):
    return _reads(read, n, calls=4, threads=3)


def any_order(read, n):
    return _reads(read, n, calls=4, threads=4, deterministic=False)


def one_too_few(read, n):
    return _reads(read, n - 1, calls=4, threads=4)


def reads_at_once_in_python(read, n):
    return tf.data.Dataset.from_tensor_slices([read(i) for i in range(n)])


def a_list_of_arrays(read, n):
    return [read(i) for i in range(n)]


def no_prefetch(dataset):
    return dataset.with_options(_options(tuner=False))


def tuner_left_on(dataset):
    return dataset.prefetch(2)


def one_ready(dataset):
    return dataset.prefetch(1).with_options(_options(tuner=False))


def four_ready(dataset):
    return dataset.prefetch(4).with_options(_options(tuner=False))


def options_not_used(dataset):
    dataset.prefetch(2).with_options(_options(tuner=False))
    return dataset.prefetch(2)


def options_returned(dataset):
    return _options(tuner=False)


def loses_one(dataset):
    return dataset.skip(1).prefetch(2).with_options(_options(tuner=False))


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
    return tf.data.Dataset.from_tensor_slices(np.array(list(source()), "float32")).batch(size)


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


def double_reads(read, n):
    numbers = tf.data.Dataset.range(n)
    reads = numbers.map(lambda i: tf.numpy_function(read, [i], tf.float64), num_parallel_calls=4)
    return reads.with_options(_options(threads=4))


def three_ready(dataset):
    return dataset.prefetch(3).with_options(_options(tuner=False))


def rows_by_numpy_function(source, size):
    running = {}

    def next_row(number):
        if number == 0:
            running["rows"] = iter(source())
        return np.array(next(running["rows"], []), "float32")

    rows = tf.data.Dataset.counter().map(
        lambda number: tf.numpy_function(next_row, [number], tf.float32)
    )
    rows = rows.take_while(lambda row: tf.size(row) > 0)
    return rows.map(lambda row: tf.ensure_shape(row, (10,))).batch(size)


WRONG = [
    ("05.1", "one by one", one_by_one, "1 of the reads are under way"),
    ("05.1", "only calls", only_calls, "how many threads are there?"),
    ("05.1", "autotuned", autotuned, "how many threads are there?"),
    ("05.1", "only threads", only_threads, "1 of the reads are under way"),
    ("05.1", "eight at once", eight_at_once, "4, not more"),
    ("05.1", "three at once", three_at_once, "3 of the reads are under way"),
    ("05.1", "any order", any_order, "in the order of the numbers"),
    ("05.1", "one too few", one_too_few, "one for each number"),
    ("05.1", "in Python", reads_at_once_in_python, "1 of the reads are under way"),
    ("05.1", "a list", a_list_of_arrays, "a value of type list; wanted: a tf.data.Dataset"),
    ("05.2", "no prefetch", no_prefetch, "0 more are made"),
    ("05.2", "tuner left on", tuner_left_on, "the tuner is on"),
    ("05.2", "one ready", one_ready, "1 more are made"),
    ("05.2", "four ready", four_ready, "4 more are made"),
    ("05.2", "options not used", options_not_used, "the tuner is on"),
    ("05.2", "options returned", options_returned, "wanted: a tf.data.Dataset"),
    ("05.2", "loses one", loses_one, "the result is wrong"),
    (
        "05.3",
        "read ahead everywhere",
        dict.fromkeys("ABCD", "read ahead"),
        "nothing is waited for",
    ),
    (
        "05.3",
        "leave it",
        {"A": "leave it", "B": "parallel map", "C": "read ahead", "D": "leave it"},
        "eight times for calling",
    ),
    (
        "05.3",
        "ahead of a server",
        {"A": "one call", "B": "read ahead", "C": "read ahead", "D": "leave it"},
        "max(40, 10) = 40 ms",
    ),
    (
        "05.3",
        "threads for Python",
        {"A": "one call", "B": "parallel map", "C": "parallel map", "D": "leave it"},
        "under one lock",
    ),
    (
        "05.3",
        "ahead of a long step",
        {"A": "one call", "B": "parallel map", "C": "read ahead", "D": "read ahead"},
        "next to nothing to overlap",
    ),
    (
        "05.3",
        "own words",
        {"A": "none", "B": "parallel map", "C": "read ahead", "D": "leave it"},
        "one of one call, read ahead",
    ),
    ("05.3", "one case only", {"A": "one call"}, "a dict with the keys ['A']"),
    ("05.3", "no dict", "read ahead", "a dict with the keys A, B, C and D"),
    ("05.4", "yields rows", yields_rows, "elements crossed from Python"),
    ("05.4", "fixed size", fixed_size, "a signature that fits every batch"),
    ("05.4", "narrow rows", narrow_rows, "where the signature says (None, 5)"),
    ("05.4", "pairs", pairs, "one array of float32 for each batch"),
    ("05.4", "double precision", double_precision, "what does the signature say?"),
    ("05.4", "used up", used_up, "batches in the second pass"),
    ("05.4", "not a function", not_a_function, "it is called again for every pass"),
    ("05.4", "reads it all", reads_it_all, "before anybody asked"),
    (
        "05.4",
        "collects it all first",
        collects_it_all,
        "an endless source was asked for everything",
    ),
    ("05.4", "loses the rest", loses_the_rest, "the result is wrong"),
    ("05.1", "double precision", double_reads, "elements of float64; wanted: float32"),
    ("05.2", "three ready", three_ready, "what else reads ahead, or how far?"),
    ("05.4", "rows by numpy_function", rows_by_numpy_function, "the pipeline called Python"),
]
