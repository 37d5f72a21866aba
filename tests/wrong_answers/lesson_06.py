"""Wrong answers that people give in lesson 06, and a part of the message that each must get."""

import numpy as np
import tensorflow as tf

slices = tf.data.Dataset.from_tensor_slices


def small_buffer(rows, step):
    return slices(rows).map(step).cache().shuffle(2).batch(4)


def buffer_of_a_batch(rows, step):
    return slices(rows).map(step).cache().shuffle(4).batch(4)


def one_order(rows, step):
    dataset = slices(rows).map(step).cache()
    return dataset.shuffle(len(rows), reshuffle_each_iteration=False).batch(4)


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


def label_first(dataset, step):
    return dataset.batch(32).map(lambda rows, labels: (labels, step(rows)))


def steps_on_labels(dataset, step):
    return dataset.batch(32).map(lambda rows, labels: (step(rows), step(labels)))


def mean_of_means(dataset, score):
    means = [tf.reduce_mean(score(batch)) for batch in dataset]
    return sum(means) / len(means)


def loop_in_python(dataset, score):
    total, count = 0.0, 0
    for batch in dataset:
        total += float(tf.reduce_sum(score(batch)))
        count += len(batch)
    return total / count


def sum_only(dataset, score):
    return dataset.reduce(0.0, lambda total, batch: total + tf.reduce_sum(score(batch)))


def divided_by_batches(dataset, score):
    total = dataset.reduce(0.0, lambda total, batch: total + tf.reduce_sum(score(batch)))
    return total / float(len(dataset))


def last_batch_only(dataset, score):
    return dataset.reduce(0.0, lambda total, batch: tf.reduce_mean(score(batch)))


def sum_of_means(dataset, score):
    return dataset.reduce(0.0, lambda total, batch: total + tf.reduce_mean(score(batch)))


def prints_it(dataset, score):
    dataset.reduce(0.0, lambda total, batch: total + tf.reduce_sum(score(batch)))


def in_a_loop_of_calls(dataset, score):
    one = tf.function(lambda batch: tf.reduce_sum(score(batch)))
    totals = [(one(batch[i : i + 1]), 1) for batch in dataset for i in range(len(batch))]
    return sum(total for total, _ in totals)


def a_graph_per_batch(dataset, score):
    graph = tf.function(score)
    return tf.reduce_mean(tf.concat([graph(batch) for batch in dataset], axis=0))


ROWS = tf.TensorSpec((None, 10), tf.float32)


def no_start(step, start):
    return tf.function(lambda rows: tf.scan(step, rows), input_signature=[ROWS])


def no_signature(step, start):
    return tf.function(lambda rows: tf.scan(step, rows, initializer=start))


def last_state(step, start):
    def follow(rows):
        return tf.foldl(step, rows, initializer=start)

    return tf.function(follow, input_signature=[ROWS])


def zeros_first(step, start):
    zeros = tf.zeros_like(start)
    return tf.function(lambda rows: tf.scan(step, rows, initializer=zeros), input_signature=[ROWS])


def from_the_end(step, start):
    return tf.function(
        lambda rows: tf.scan(step, rows, initializer=start, reverse=True), input_signature=[ROWS]
    )


def loops_in_python(step, start):
    def follow(rows):
        states, state = [], start
        for row in rows:
            state = step(state, row)
            states.append(state)
        return tf.stack(states)

    return follow


def a_graph_per_row(step, start):
    one = tf.function(step)

    def follow(rows):
        states, state = [], start
        for row in rows:
            state = one(state, row)
            states.append(state)
        return tf.stack(states)

    return follow


def each_from_the_start(step, start):
    return tf.function(
        lambda rows: tf.map_fn(lambda row: step(start, row), rows), input_signature=[ROWS]
    )


def a_concrete_function_per_batch(dataset, score):
    @tf.function(input_signature=[tf.TensorSpec((None, 10), tf.float32)])
    def of_batch(batch):
        scores = score(batch)
        return tf.reduce_sum(scores), tf.cast(tf.size(scores), tf.float32)

    of_batch = of_batch.get_concrete_function()
    pairs = [of_batch(batch) for batch in dataset]
    return sum(total for total, _ in pairs) / sum(n for _, n in pairs)


def a_concrete_function_per_row(step, start):
    state = tf.TensorSpec(start.shape, tf.float32)
    one = tf.function(step).get_concrete_function(state, tf.TensorSpec((10,), tf.float32))

    def follow(rows):
        states = [tf.constant(start)]
        for row in rows:
            states.append(one(states[-1], row))
        return tf.stack(states[1:])

    return follow


def answers_at_once(step, start):
    return step(start, tf.zeros(10))


def shuffles_100(rows, step):
    return slices(rows).map(step).cache().shuffle(100).batch(4)


def shuffles_three_quarters(rows, step):
    return slices(rows).map(step).cache().shuffle(3 * len(rows) // 4).batch(4)


def one_large_batch(dataset, step):
    pairs = dataset.batch(100_000).map(lambda rows, labels: (step(rows), labels))
    return pairs.unbatch().batch(32)


def one_batch_of_all(dataset, step):
    pairs = dataset.batch(len(dataset)).map(lambda rows, labels: (step(rows), labels))
    return pairs.unbatch().batch(32)


def reads_it_all(dataset, step):
    rows, labels = zip(*dataset, strict=True)
    return slices((step(tf.stack(rows)), tf.stack(labels))).batch(32)


def labels_as_floats(dataset, step):
    return dataset.batch(32).map(lambda rows, labels: (step(rows), tf.cast(labels, tf.float32)))


def loops_in_numpy(step, start):
    def python_loop(rows):
        states = [start]
        for row in rows:
            states.append(step(states[-1], row).numpy())
        return np.stack(states[1:])

    @tf.function(input_signature=[tf.TensorSpec((None, 10), tf.float32)])
    def follow(rows):
        return tf.numpy_function(python_loop, [rows], tf.float32)

    return follow


WRONG = [
    ("06.1", "small buffer", small_buffer, "how many does the shuffle choose from?"),
    ("06.1", "buffer of a batch", buffer_of_a_batch, "how many does the shuffle choose from?"),
    ("06.1", "one order", one_order, "every epoch has the same order"),
    ("06.1", "no cache", no_cache, "does the step come before the cache?"),
    ("06.1", "cache first", cache_first, "does the step come before the cache?"),
    ("06.1", "frozen order", frozen_order, "every epoch has the same order"),
    ("06.1", "cache last", cache_last, "what does the cache keep?"),
    ("06.1", "shuffles batches", shuffles_batches, "the same rows meet in every epoch"),
    ("06.1", "step on batches", step_on_batches, "single rows, of shape (10,)"),
    ("06.1", "no batches", no_batches, "batches of shape (4, 10)"),
    ("06.1", "drops the rest", drops_the_rest, "every row, once"),
    ("06.1", "batches of 5", batches_of_5, "batches of 4, and the rest in the last one"),
    ("06.1", "nothing in it", nothing_in_it, "the dataset yields nothing"),
    ("06.1", "a list", a_list, "a value of type list; wanted: a tf.data.Dataset"),
    ("06.1", "no return", no_return, "is a `return` missing?"),
    ("06.2", "map first", map_first, "runs, one per batch"),
    ("06.2", "drops the last", drops_the_last, "is the last, smaller batch dropped?"),
    ("06.2", "forgets the labels", forgets_the_labels, "pairs of rows and labels"),
    ("06.2", "steps on rows of the batch", steps_on_rows_of_the_batch, "runs, one per batch"),
    ("06.2", "another size", another_size, "batches of up to 32"),
    ("06.2", "one argument", one_argument, "your answer raised"),
    ("06.2", "labels first", label_first, "which of the two comes first?"),
    ("06.2", "a step on the labels", steps_on_labels, "the rows, which are float32"),
    ("06.3", "mean of means", mean_of_means, "mean of the means of the batches"),
    ("06.3", "loop in Python", loop_in_python, "once to trace it, not once per batch"),
    ("06.3", "sum only", sum_only, "that is the sum"),
    ("06.3", "divided by batches", divided_by_batches, "divided by the number of batches"),
    ("06.3", "last batch only", last_batch_only, "the result is"),
    ("06.3", "sum of means", sum_of_means, "the result is"),
    ("06.3", "no return", prints_it, "is a `return` missing?"),
    ("06.3", "a loop of calls", in_a_loop_of_calls, "that is the sum"),
    ("06.3", "a graph per batch", a_graph_per_batch, "wanted: one: the loop in the graph"),
    (
        "06.3",
        "a concrete function per batch",
        a_concrete_function_per_batch,
        "wanted: one: the loop in the graph",
    ),
    ("06.4", "no start", no_start, "your answer raised"),
    ("06.4", "no signature", no_signature, "what does the signature say?"),
    ("06.4", "last state", last_state, "every state, one for each row"),
    ("06.4", "zeros first", zeros_first, "the result is wrong"),
    ("06.4", "from the end", from_the_end, "the result is wrong"),
    ("06.4", "loops in Python", loops_in_python, "once to trace it, not once per row"),
    ("06.4", "a graph per row", a_graph_per_row, "wanted: one: the loop in the graph"),
    (
        "06.4",
        "a concrete function per row",
        a_concrete_function_per_row,
        "wanted: one: the loop in the graph",
    ),
    ("06.4", "each from the start", each_from_the_start, "the result is wrong"),
    ("06.4", "answers at once", answers_at_once, "a function of rows"),
    ("06.1", "shuffles 100", shuffles_100, "how many does the shuffle choose from?"),
    ("06.1", "three quarters", shuffles_three_quarters, "how many does the shuffle choose from?"),
    ("06.2", "one large batch", one_large_batch, "the step got 64 rows at once"),
    ("06.2", "one batch of all", one_batch_of_all, "the step got 64 rows at once"),
    ("06.2", "reads it all", reads_it_all, "before anybody asked for a batch"),
    ("06.2", "labels as floats", labels_as_floats, "labels of float32"),
    ("06.4", "loops in NumPy", loops_in_numpy, "once to trace it, not once per row"),
]
