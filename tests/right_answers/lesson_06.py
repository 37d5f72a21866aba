"""Right answers to the exercises of lesson 06, in other styles than those of the solutions."""

import numpy as np
import tensorflow as tf

slices = tf.data.Dataset.from_tensor_slices
ROWS = tf.TensorSpec((None, 10), tf.float32)


def larger_buffer(rows, step):
    return slices(tf.constant(rows)).map(step).cache().shuffle(10_000).batch(4).prefetch(1)


def cached_in_one_piece(rows, step):
    done = slices(rows).map(step).batch(len(rows)).cache()
    return done.unbatch().shuffle(len(rows), reshuffle_each_iteration=True).batch(4)


def in_parallel(rows, step):
    options = tf.data.Options()
    options.autotune.enabled = False
    dataset = slices(rows).map(step, num_parallel_calls=2).cache()
    return dataset.shuffle(buffer_size=dataset.cardinality()).batch(4).with_options(options)


def with_apply(dataset, step):
    def on_a_batch(rows, labels):
        return step(rows), labels

    return dataset.apply(lambda pairs: pairs.batch(32)).map(on_a_batch, num_parallel_calls=2)


def zipped(dataset, step):
    rows = dataset.map(lambda row, label: row).batch(32).map(step)
    labels = dataset.map(lambda row, label: label).batch(32)
    return tf.data.Dataset.zip((rows, labels))


def parallel_batch(dataset, step):
    batched = dataset.batch(batch_size=32, num_parallel_calls=2, drop_remainder=False)
    return batched.map(lambda *pair: (step(pair[0]), pair[1])).prefetch(1)


def loop_of_autograph(dataset, score):
    @tf.function
    def mean(dataset):
        total = 0.0
        count = 0
        for batch in dataset:
            scores = score(batch)
            total += tf.reduce_sum(scores)
            count += tf.size(scores)
        return total / tf.cast(count, tf.float32)

    return float(mean(dataset))


def state_as_dict(dataset, score):
    def add(state, batch):
        scores = tf.cast(score(batch), tf.float64)
        return {
            "total": state["total"] + tf.reduce_sum(scores),
            "count": state["count"] + tf.cast(tf.shape(scores)[0], tf.float64),
        }

    zero = tf.constant(0.0, tf.float64)
    end = dataset.reduce({"total": zero, "count": zero}, add)
    return (end["total"] / end["count"]).numpy()


def all_scores_first(dataset, score):
    scores = dataset.map(score).unbatch()
    return np.mean(list(scores.as_numpy_iterator()))


def with_a_tensor_array(step, start):
    @tf.function(input_signature=[ROWS])
    def follow(rows):
        state = tf.convert_to_tensor(start)
        states = tf.TensorArray(tf.float32, size=tf.shape(rows)[0], element_shape=state.shape)
        for i in tf.range(tf.shape(rows)[0]):
            state = step(state, rows[i])
            states = states.write(i, state)
        return states.stack()

    return follow


def scan_one_at_a_time(step, start):
    def follow(rows):
        return tf.scan(lambda state, row: step(state, row), rows, start, parallel_iterations=1)

    return tf.function(follow, input_signature=[ROWS])


def as_a_dataset(step, start):
    @tf.function(input_signature=[ROWS])
    def follow(rows):
        def next_state(state, row):
            state = step(state, row)
            return state, state

        states = slices(rows).scan(tf.convert_to_tensor(start), next_state)
        return states.batch(tf.shape(rows, out_type=tf.int64)[0]).get_single_element()

    return follow


def as_a_concrete_function(step, start):
    def follow(rows):
        return tf.scan(step, rows, start)

    return tf.function(follow).get_concrete_function(ROWS)


def with_a_helper(dataset, score):
    divide = tf.function(lambda total, count: total / tf.cast(count, tf.float32))

    @tf.function
    def totals(batches):
        total, count = 0.0, 0
        for batch in batches:
            scores = score(batch)
            total += tf.reduce_sum(scores)
            count += tf.size(scores)
        return total, count

    return divide(*totals(dataset))


def in_padded_batches(dataset, step):
    return dataset.padded_batch(32).map(lambda rows, labels: (step(rows), labels))


def by_windows(dataset, step):
    def batches(rows, labels):
        return tf.data.Dataset.zip((rows.batch(32), labels.batch(32)))

    windows = dataset.window(32).flat_map(batches)
    return windows.map(lambda rows, labels: (step(rows), labels), num_parallel_calls=2)


def by_number(rows, step):
    done = tf.stack(list(slices(rows).map(step)))
    numbers = tf.data.Dataset.range(len(rows)).shuffle(len(rows)).batch(4)
    return numbers.map(lambda picked: tf.gather(done, picked))


RIGHT = [
    ("06.1", "larger buffer", larger_buffer),
    ("06.1", "cached in one piece", cached_in_one_piece),
    ("06.1", "in parallel", in_parallel),
    ("06.2", "with apply", with_apply),
    ("06.2", "zipped", zipped),
    ("06.2", "parallel batch", parallel_batch),
    ("06.3", "loop of AutoGraph", loop_of_autograph),
    ("06.3", "state as a dict", state_as_dict),
    ("06.3", "all scores first", all_scores_first),
    ("06.4", "with a TensorArray", with_a_tensor_array),
    ("06.4", "scan one at a time", scan_one_at_a_time),
    ("06.4", "as a dataset", as_a_dataset),
    ("06.4", "as a concrete function", as_a_concrete_function),
    ("06.1", "by number", by_number),
    ("06.2", "in padded batches", in_padded_batches),
    ("06.2", "by windows", by_windows),
    ("06.3", "with a helper", with_a_helper),
]
