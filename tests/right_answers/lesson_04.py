"""Right answers to the exercises of lesson 04, in other styles than those of the solutions."""

import numpy as np
import tensorflow as tf

ROWS = tf.TensorSpec((None, 20))
SMOOTH = [tf.TensorSpec((None, 3)), tf.TensorSpec(())]


# ---- 04.1 ----


def weight_by_weight(model):
    serve = tf.function(model, input_signature=[ROWS])

    def swap(better):
        for old, new in zip(model.weights, better.weights, strict=True):
            old.assign(new)

    return serve, swap


def a_class_of_its_own(model):
    class Server:
        @tf.function(input_signature=[ROWS])
        def serve(self, batch):
            return model(batch, training=False)

        def swap(self, better):
            model.set_weights([weight.numpy() for weight in better.weights])

    server = Server()
    return server.serve, server.swap


def concrete(model):
    serve = tf.function(model).get_concrete_function(ROWS)
    return [serve, lambda better: model.set_weights(better.get_weights())]


def a_copy_of_its_own(model):
    import keras

    mine = keras.models.clone_model(model)
    mine.set_weights(model.get_weights())
    serve = tf.function(mine, input_signature=[ROWS])
    return serve, lambda better: mine.set_weights(better.get_weights())


def served_by_a_graph_in_a_graph(model):
    inner = tf.function(model, input_signature=[ROWS])

    @tf.function(input_signature=[ROWS])
    def serve(batch):
        return inner(batch)

    return serve, lambda better: model.set_weights(better.get_weights())


# ---- 04.2 ----


def decorated(model):
    @tf.function(jit_compile=True, input_signature=[tf.TensorSpec((64, 20))])
    def graph(batch):
        return model(batch)

    def answer(batch):
        n = len(batch)
        padded = np.zeros((64, 20), np.float32)
        padded[:n] = batch
        return graph(padded).numpy()[:n]

    return answer


def padded_by_tensorflow(model):
    graph = tf.function(model, jit_compile=True)

    def answer(batch):
        padded = tf.pad(batch, [[0, 64 - len(batch)], [0, 0]])
        return graph(padded)[: len(batch)]

    return answer


def the_last_row_again(model):
    graph = tf.function(lambda batch: model(batch), jit_compile=True)

    def answer(batch):
        rows = np.minimum(np.arange(64), len(batch) - 1)
        return graph(batch[rows])[: len(batch)]

    return answer


# ---- 04.3 ----


@tf.function(input_signature=SMOOTH)
def scanned(rows, keep):
    return tf.scan(lambda state, row: keep * state + (1 - keep) * row, rows, rows[0])


@tf.function(input_signature=SMOOTH)
def by_while(rows, keep):
    n = tf.shape(rows)[0]
    out = tf.TensorArray(tf.float32, size=n)
    i, state = 0, rows[0]
    while i < n:
        state = keep * state + (1 - keep) * rows[i]
        out = out.write(i, state)
        i += 1
    return out.stack()


@tf.function(input_signature=SMOOTH)
def over_the_rows(rows, keep):
    state = rows[0]
    out = tf.TensorArray(tf.float32, size=0, dynamic_size=True)
    for row in rows:
        state += (1 - keep) * (row - state)
        out = out.write(out.size(), state)
    return out.stack()


def swapped_by_nest(model):
    def swap(better):
        tf.nest.map_structure(lambda old, new: old.assign(new), model.variables, better.variables)

    return tf.function(model, input_signature=[ROWS]), swap


def a_graph_in_a_graph(model):
    inner = tf.function(model, jit_compile=True)

    @tf.function(input_signature=[ROWS])
    def outer(batch):
        n = tf.shape(batch)[0]
        padded = tf.pad(batch, [[0, 64 - n], [0, 0]])
        return inner(tf.ensure_shape(padded, (64, 20)))[:n]

    return outer


def by_predict_on_batch(model):
    model.compile(jit_compile=True)

    def answer(batch):
        padded = np.vstack([batch, np.zeros((64 - len(batch), 20), "float32")])
        return model.predict_on_batch(padded)[: len(batch)]

    return answer


@tf.function(input_signature=SMOOTH)
def by_a_dataset(rows, keep):
    states = tf.data.Dataset.from_tensor_slices(rows).scan(
        rows[0], lambda state, row: (keep * state + (1 - keep) * row,) * 2
    )
    return states.batch(tf.shape(rows, tf.int64)[0]).get_single_element()


def with_a_helper(rows, keep):
    graph_rows = as_tensor(rows)
    return by_a_dataset(graph_rows, keep)


as_tensor = tf.function(tf.identity, input_signature=SMOOTH[:1])


RIGHT = [
    ("04.1", "weight by weight", weight_by_weight),
    ("04.1", "a class of its own", a_class_of_its_own),
    ("04.1", "a concrete function", concrete),
    ("04.1", "a copy of its own", a_copy_of_its_own),
    ("04.2", "decorated", decorated),
    ("04.2", "padded by TensorFlow", padded_by_tensorflow),
    ("04.2", "the last row again", the_last_row_again),
    ("04.3", "scanned", scanned),
    ("04.3", "a while loop", by_while),
    ("04.3", "over the rows", over_the_rows),
    ("04.1", "swapped by nest", swapped_by_nest),
    ("04.1", "a graph in a graph", served_by_a_graph_in_a_graph),
    ("04.2", "a graph in a graph", a_graph_in_a_graph),
    ("04.2", "predict_on_batch", by_predict_on_batch),
    ("04.3", "a dataset", by_a_dataset),
    ("04.3", "with a helper", with_a_helper),
]
