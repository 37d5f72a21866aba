"""Right answers to the exercises of lesson 02, in other styles than those of the solutions."""

import itertools

import numpy as np
import tensorflow as tf

import labkit as lab


def by_predict(model, requests):
    return model.predict(np.array(requests), batch_size=64, verbose=0)


def piece_by_piece(model, requests):
    waiting = list(requests)
    answers = []
    while waiting:
        answers.extend(model.predict_on_batch(np.vstack(waiting[:64])))
        del waiting[:64]
    return np.array(answers)


def of_tensors(model, requests):
    batch = tf.stack(requests)
    full = tf.concat([model(batch[i : i + 64]) for i in range(0, batch.shape[0], 64)], axis=0)
    return full.numpy()


def by_array_split(model, requests):
    parts = np.array_split(np.asarray(requests), -(-len(requests) // 64))
    return np.vstack([model(part, training=False) for part in parts])


def a_graph(model):
    return tf.function(model)


def a_graph_with_a_signature(model):
    @tf.function(input_signature=[tf.TensorSpec((1, 20))])
    def answer(row):
        return model(row, training=False)

    return answer


def a_concrete_function(model):
    fast = tf.function(model).get_concrete_function(tf.TensorSpec((1, 20)))
    return lambda row: fast(tf.constant(row)).numpy()


def predict_on_batch_in_a_lambda(model):
    return lambda row: model.predict_on_batch(np.asarray(row))


def per_layer_of(shallow, deep):
    """Return the Python calls that one more layer adds to a call, from models of two depths."""
    row = lab.models.random_rows(1, inputs=20)
    found = []
    for depth in (shallow, deep):
        model = lab.models.mlp(width=64, depth=depth, inputs=20)
        model(row)
        with lab.count() as n:
            model(row)
        found.append(n.python_calls)
    return (found[1] - found[0]) / (deep - shallow)


def by_islice(model, stream):
    while waiting := list(itertools.islice(stream, 32)):
        yield from model(np.array(waiting))


def with_a_buffer(model, stream):
    buffer = np.empty((32, 20), "float32")
    filled = 0
    for row in stream:
        buffer[filled] = row
        filled += 1
        if filled == 32:
            yield from model(buffer.copy()).numpy()
            filled = 0
    if filled:
        yield from model(buffer[:filled]).numpy()


def with_a_helper(model, stream):
    def answered(waiting):
        return list(model.predict_on_batch(np.stack(waiting)))

    waiting = []
    for number, row in enumerate(stream, start=1):
        waiting += [row]
        if number % 32 == 0:
            yield from answered(waiting)
            waiting.clear()
    yield from answered(waiting) if waiting else ()


def by_predict_of_a_dataset(model, requests):
    return model.predict(tf.data.Dataset.from_tensor_slices(requests).batch(64), verbose=0)


def by_predict_in_order(model, requests):
    return model.predict(np.asarray(requests), 64, 0)


def by_keyword(model, requests):
    rows = np.stack(requests)
    return tf.concat([model(inputs=rows[i : i + 64]) for i in range(0, len(rows), 64)], axis=0)


def compiled_by_xla(model, requests):
    graph = tf.function(model, jit_compile=True)
    parts = [graph(np.stack(requests[i : i + 64])) for i in range(0, len(requests), 64)]
    return np.concatenate(parts)


def per_layer_in_inference():
    """Return the Python calls that one more layer adds to model(row, training=False)."""
    row = lab.models.random_rows(1, inputs=20)
    found = []
    for depth in (3, 8):
        model = lab.models.mlp(depth=depth, inputs=20)
        model(row)
        with lab.count() as n:
            model(row, training=False)
        found.append(n.python_calls)
    return (found[1] - found[0]) / 5


def by_zip_longest(model, stream):
    for rows in itertools.zip_longest(*[stream] * 32):
        yield from model(np.stack([row for row in rows if row is not None]))


def by_next(model, stream):
    while True:
        rows = [next(stream, None) for _ in range(32)]
        rows = [row for row in rows if row is not None]
        if not rows:
            return
        yield from model(np.stack(rows))


RIGHT = [
    ("02.1", "predict in batches of 64", by_predict),
    ("02.1", "piece by piece", piece_by_piece),
    ("02.1", "of tensors", of_tensors),
    ("02.1", "array_split", by_array_split),
    ("02.2", "a graph", a_graph),
    ("02.2", "a graph with a signature", a_graph_with_a_signature),
    ("02.2", "a concrete function", a_concrete_function),
    ("02.2", "predict_on_batch in a lambda", predict_on_batch_in_a_lambda),
    ("02.3", "of 2 and 3 layers", per_layer_of(2, 3)),
    ("02.3", "of 4 and 24 layers", per_layer_of(4, 24)),
    ("02.3", "as a number of NumPy", np.int64(per_layer_of(5, 6))),
    ("02.4", "islice", by_islice),
    ("02.4", "with a buffer", with_a_buffer),
    ("02.4", "with a helper", with_a_helper),
    ("02.1", "predict of a dataset", by_predict_of_a_dataset),
    ("02.1", "predict, in order", by_predict_in_order),
    ("02.1", "by keyword", by_keyword),
    ("02.1", "compiled by XLA", compiled_by_xla),
    ("02.3", "in inference", per_layer_in_inference()),
    ("02.4", "zip_longest", by_zip_longest),
    ("02.4", "next", by_next),
]
