"""Wrong answers that people give in lesson 08, and a part of the message that each must get."""

import numpy as np
import tensorflow as tf

tf1 = tf.compat.v1
ANY_ROWS = [tf.TensorSpec((None, 10), tf.float32)]


def builds_in_the_call(session, model, weights):
    def score(rows):
        with session.graph.as_default():
            return session.run(model(rows, weights))

    return score


def outside_the_graph(session, model, weights):
    x = tf1.placeholder(tf.float32, (None, 10))
    y = model(x, weights)
    return lambda rows: session.run(y, {x: rows})


def one_row_only(session, model, weights):
    with session.graph.as_default():
        x = tf1.placeholder(tf.float32, (1, 10))
        y = model(x, weights)
    return lambda rows: session.run(y, {x: rows})


def a_session_per_call(session, model, weights):
    with session.graph.as_default():
        x = tf1.placeholder(tf.float32, (None, 10))
        y = model(x, weights)

    def score(rows):
        with tf1.Session(graph=session.graph) as fresh:
            return fresh.run(y, {x: rows})

    return score


def initializes(session, model, weights):
    with session.graph.as_default():
        x = tf1.placeholder(tf.float32, (None, 10))
        y = model(x, weights)
        session.run(tf1.global_variables_initializer())
    return lambda rows: session.run(y, {x: rows})


def a_run_per_row(session, model, weights):
    with session.graph.as_default():
        x = tf1.placeholder(tf.float32, (None, 10))
        y = model(x, weights)

    def score(rows):
        scores = []
        for i in range(len(rows)):
            scores.append(session.run(y, {x: rows[i : i + 1]}))
        return np.concatenate(scores)

    return score


def scores_at_once(session, model, weights):
    with session.graph.as_default():
        return session.run(model(np.zeros((1, 10), "float32"), weights))


def batches(rows):
    return [rows[i : i + 100] for i in range(0, len(rows), 100)]


def joined(parts):
    """Return a dict of arrays from a list of dicts of arrays."""
    whole = {}
    for name in parts[0]:
        whole[name] = np.concatenate([part[name] for part in parts])
    return whole


def a_run_per_fetch(session, x, fetches, rows):
    whole = {}
    for name, fetch in fetches.items():
        parts = [session.run(fetch, {x: batch}) for batch in batches(rows)]
        whole[name] = np.concatenate(parts)
    return whole


def all_in_one_run(session, x, fetches, rows):
    return session.run(fetches, {x: rows})


def drops_the_rest(session, x, fetches, rows):
    full = max(100, len(rows) // 100 * 100)
    return joined([session.run(fetches, {x: batch}) for batch in batches(rows[:full])])


def a_list_of_parts(session, x, fetches, rows):
    return [session.run(fetches, {x: batch}) for batch in batches(rows)]


def other_keys(session, x, fetches, rows):
    whole = joined([session.run(fetches, {x: batch}) for batch in batches(rows)])
    return {"score": whole["score"]}


def joins_in_the_graph(session, x, fetches, rows):
    whole = joined([session.run(fetches, {x: batch}) for batch in batches(rows)])
    with session.graph.as_default():
        tf.constant(0.0)
    return whole


def forgets_to_return(session, x, fetches, rows):
    session.run(fetches, {x: rows[:100]})


def assigns_each_time(session, variable):
    def set_value(value):
        with session.graph.as_default():
            session.run(variable.assign(value))

    return set_value


def a_placeholder_each_time(session, variable):
    def set_value(value):
        with session.graph.as_default():
            new = tf1.placeholder(variable.dtype, variable.shape)
            session.run(variable.assign(new), {new: value})

    return set_value


def builds_at_the_first_call(session, variable):
    built = []

    def set_value(value):
        if not built:
            with session.graph.as_default():
                new = tf1.placeholder(variable.dtype, variable.shape)
                built.extend([new, variable.assign(new)])
        new, change = built
        session.run(change, {new: value})

    return set_value


def never_runs_it(session, variable):
    with session.graph.as_default():
        new = tf1.placeholder(variable.dtype, variable.shape)
        change = variable.assign(new)
    return lambda value: change


def initializes_all(session, variable):
    with session.graph.as_default():
        initialize = tf1.global_variables_initializer()
    return lambda value: session.run(initialize)


def writes_a_constant(session, variable):
    with session.graph.as_default():
        change = variable.assign(np.ones(variable.shape, "float32"))
    return lambda value: session.run(change)


def only_the_operation(session, variable):
    with session.graph.as_default():
        return variable.assign(np.zeros(variable.shape, "float32"))


def keeps_the_session(session, weights, model):
    with session.graph.as_default():
        x = tf1.placeholder(tf.float32, (None, 10))
        y = model(x, weights)
    return lambda rows: session.run(y, {x: rows})


def no_signature(session, weights, model):
    kept = [tf.Variable(value) for value in session.run(weights)]
    return tf.function(lambda rows: model(rows, kept))


def stays_eager(session, weights, model):
    kept = [tf.Variable(value) for value in session.run(weights)]
    return lambda rows: model(rows, kept)


def random_weights(session, weights, model):
    with session.graph.as_default():
        session.run(tf1.global_variables_initializer())
    kept = [tf.Variable(value) for value in session.run(weights)]
    return tf.function(lambda rows: model(rows, kept), input_signature=ANY_ROWS)


def as_an_array(session, weights, model):
    kept = [tf.Variable(value) for value in session.run(weights)]
    graph = tf.function(lambda rows: model(rows, kept), input_signature=ANY_ROWS)
    return lambda rows: graph(rows).numpy()


def fifty_rows_a_run(session, x, fetches, rows):
    parts = [session.run(fetches, {x: rows[i : i + 50]}) for i in range(0, len(rows), 50)]
    return {name: np.concatenate([part[name] for part in parts]) for name in fetches}


def closes_the_session(session, model, weights):
    with session.graph.as_default(), session:
        x = tf1.placeholder(tf.float32, (None, 10))
        y = model(x, weights)
    return lambda rows: session.run(y, {x: rows})


def all_in_one_callable(session, x, fetches, rows):
    run = session.make_callable(list(fetches.values()), [x])
    return dict(zip(fetches, run(rows), strict=True))


def all_in_the_default_session(session, x, fetches, rows):
    with session.as_default():
        return tf1.get_default_session().run(fetches, {x: rows})


def loads_outside_the_graph(session, variable):
    return lambda value: variable.load(value, session)


def the_variables_of_the_session(session, weights, model):
    @tf.function(input_signature=ANY_ROWS)
    def fast(rows):
        return model(rows, weights)

    return fast


WRONG = [
    ("08.1", "builds in the call", builds_in_the_call, "build before the function returns"),
    ("08.1", "outside the graph", outside_the_graph, "session.graph.as_default()"),
    ("08.1", "one row only", one_row_only, "None for the number of rows"),
    ("08.1", "a session per call", a_session_per_call, "never given the weights"),
    ("08.1", "initializes", initializes, "does not hold the trained weights any more"),
    ("08.1", "a run per row", a_run_per_row, "one run per call"),
    ("08.1", "scores at once", scores_at_once, "make_scorer returned a"),
    ("08.2", "a run per fetch", a_run_per_fetch, "and fetch all of them"),
    ("08.2", "half the rows that a run may take", fifty_rows_a_run, "a run may take 100 rows"),
    ("08.2", "all in one run", all_in_one_run, "at most 100 rows in one run"),
    ("08.2", "drops the rest", drops_the_rest, "instead of"),
    ("08.2", "a list of parts", a_list_of_parts, "a list; wanted: a dict with the keys"),
    ("08.2", "other keys", other_keys, "a dict with the keys ['score']"),
    ("08.2", "joins in the graph", joins_in_the_graph, "join the parts with NumPy"),
    ("08.2", "no return", forgets_to_return, "is a `return` missing?"),
    ("08.3", "assigns each time", assigns_each_time, "make the assignment once"),
    ("08.3", "a placeholder each time", a_placeholder_each_time, "make the assignment once"),
    (
        "08.3",
        "builds at the first call",
        builds_at_the_first_call,
        "before the function returns",
    ),
    ("08.3", "never runs it", never_runs_it, "which line runs the assignment?"),
    ("08.3", "initializes all", initializes_all, "in another variable"),
    ("08.3", "a constant", writes_a_constant, "feed it"),
    ("08.3", "only the operation", only_the_operation, "make_setter returned"),
    ("08.4", "keeps the session", keeps_the_session, "works after session.close()"),
    ("08.4", "no signature", no_signature, "traces for three numbers of rows"),
    ("08.4", "eager", stays_eager, "the model runs eagerly"),
    ("08.4", "random weights", random_weights, "the result is wrong"),
    ("08.4", "an array", as_an_array, "a tensor: the result of a tf.function"),
    ("08.1", "closes the session", closes_the_session, "the end of a `with session:` closes it"),
    ("08.2", "all in one callable", all_in_one_callable, "at most 100 rows in one run"),
    (
        "08.2",
        "all in the default session",
        all_in_the_default_session,
        "at most 100 rows in one run",
    ),
    ("08.3", "loads outside the graph", loads_outside_the_graph, "session.graph.as_default()"),
    (
        "08.4",
        "the session's variables",
        the_variables_of_the_session,
        "their values: `session.run(weights)`",
    ),
]
