"""Right answers to the exercises of lesson 08, in other styles than those of the solutions."""

import functools

import numpy as np
import tensorflow as tf

tf1 = tf.compat.v1


# ---- 08.1 ----


def evaluates_the_tensor(session, model, weights):
    graph = session.graph
    with graph.as_default():
        rows_in = tf1.placeholder("float32", shape=[None, 10], name="rows")
        scores = model(rows_in, weights)

    def score(rows):
        return scores.eval(feed_dict={rows_in: rows}, session=session)

    return score


def of_any_shape(session, model, weights):
    with session.graph.as_default():
        x = tf1.placeholder(tf.float32)
        y = model(x, weights)
    session.graph.finalize()
    return lambda rows: session.run([y], {x: np.asarray(rows)})[0]


def with_a_callable(session, model, weights):
    with session.graph.as_default():
        x = tf1.placeholder(tf.float32, (None, 10))
        return session.make_callable(model(x, weights), feed_list=[x])


class Scorer:
    """Scores rows, and keeps graph, session and tensors together."""

    def __init__(self, session, model, weights):
        self.session = session
        with session.graph.as_default(), tf1.name_scope("scorer"):
            self.x = tf1.placeholder_with_default(np.zeros((1, 10), "float32"), (None, 10))
            self.y = tf.identity(model(self.x, weights))

    def __call__(self, rows):
        return self.session.run(self.y, feed_dict={self.x: rows})


# ---- 08.2 ----


def a_list_of_fetches(session, x, fetches, rows):
    names = list(fetches)
    tensors = [fetches[name] for name in names]
    found = []
    for start in range(0, len(rows), 100):
        found.append(session.run(tensors, feed_dict={x: rows[start : start + 100]}))
    return {names[k]: np.concatenate([part[k] for part in found]) for k in range(len(names))}


def split_beforehand(session, x, fetches, rows):
    batches = np.array_split(rows, range(100, len(rows), 100))
    parts = [session.run(fetches, {x: batch}) for batch in batches]
    return {name: np.concatenate([part[name] for part in parts], axis=0) for name in fetches}


def into_arrays_made_before(session, x, fetches, rows):
    values = {}
    done = 0
    while done < len(rows):
        part = session.run(fetches, {x: rows[done : done + 100]})
        for name, value in part.items():
            if name not in values:
                values[name] = np.empty((len(rows), *value.shape[1:]), value.dtype)
            values[name][done : done + len(value)] = value
        done += 100
    return values


def in_even_batches(session, x, fetches, rows):
    batches = np.array_split(rows, -(-len(rows) // 100))
    parts = [session.run(tuple(fetches.values()), {x: batch}) for batch in batches]
    joined = map(np.concatenate, zip(*parts, strict=True))
    return dict(zip(fetches, joined, strict=True))


# ---- 08.3 ----


def loads_the_variable(session, variable):
    def set_value(value):
        with session.graph.as_default():
            variable.load(value, session)

    return set_value


def a_default_to_replace(session, variable):
    with session.graph.as_default():
        new = tf1.placeholder_with_default(tf.zeros(variable.shape), variable.shape)
        change = tf1.assign(variable, new)

    def set_value(value):
        session.run(fetches=[change], feed_dict={new: np.array(value)})

    return set_value


def without_reading_it_back(session, variable):
    with session.graph.as_default():
        new = tf1.placeholder(tf.float32, shape=variable.shape.as_list(), name="new_value")
        change = variable.assign(new, read_value=False)
    return lambda value: session.run(change, feed_dict={new: value})


def as_a_partial(session, variable):
    graph = session.graph
    with graph.as_default():
        new = tf1.placeholder(variable.dtype.base_dtype)
        write = variable.assign(tf.reshape(new, variable.shape)).op

    def set_value(session, value):
        session.run(write, {new: value})

    return functools.partial(set_value, session)


# ---- 08.4 ----


def in_a_module(session, weights, model):
    class Ported(tf.Module):
        def __init__(self):
            super().__init__()
            self.weights = [tf.Variable(value, trainable=False) for value in session.run(weights)]

        @tf.function(input_signature=[tf.TensorSpec([None, 10])])
        def __call__(self, rows):
            return model(rows, self.weights)

    return Ported()


def as_constants(session, weights, model):
    values = [tf.constant(value) for value in session.run(weights)]
    signature = [tf.TensorSpec((None, 10), tf.float32)]
    return tf.function(lambda rows: model(rows, values), input_signature=signature)


def traced_beforehand(session, weights, model):
    kept = [tf.Variable(session.run(weight)) for weight in weights]
    function = tf.function(lambda rows: model(rows, kept))
    concrete = function.get_concrete_function(tf.TensorSpec((None, 10), tf.float32))
    return lambda rows: concrete(tf.constant(rows))


def closes_the_graph(session, variable):
    with session.graph.as_default():
        new = tf1.placeholder(variable.dtype, variable.shape)
        change = variable.assign(new)
    session.graph.finalize()
    return lambda value: session.run(change, {new: value})


def with_callables(session, x, fetches, rows):
    run = session.make_callable(list(fetches.values()), [x])
    parts = [run(rows[i : i + 100]) for i in range(0, len(rows), 100)]
    return dict(zip(fetches, map(np.concatenate, zip(*parts, strict=True)), strict=True))


def in_the_default_session(session, x, fetches, rows):
    with session.as_default():
        run = tf1.get_default_session().run
        parts = [run(fetches, {x.name: rows[i : i + 100]}) for i in range(0, len(rows), 100)]
    return {name: np.concatenate([part[name] for part in parts]) for name in fetches}


RIGHT = [
    ("08.1", "evaluates the tensor", evaluates_the_tensor),
    ("08.1", "a placeholder of any shape, finalized", of_any_shape),
    ("08.1", "make_callable", with_a_callable),
    ("08.1", "an object", Scorer),
    ("08.2", "a list of fetches", a_list_of_fetches),
    ("08.2", "split beforehand", split_beforehand),
    ("08.2", "into arrays", into_arrays_made_before),
    ("08.2", "even batches", in_even_batches),
    ("08.3", "loads the variable", loads_the_variable),
    ("08.3", "a placeholder with a default", a_default_to_replace),
    ("08.3", "without reading it back", without_reading_it_back),
    ("08.3", "a partial", as_a_partial),
    ("08.3", "closes the graph", closes_the_graph),
    ("08.4", "a module", in_a_module),
    ("08.4", "constants", as_constants),
    ("08.4", "traced beforehand", traced_beforehand),
    ("08.2", "with callables", with_callables),
    ("08.2", "in the default session", in_the_default_session),
]
