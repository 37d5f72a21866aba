"""Exercises of lesson 06: TF1 graphs and sessions."""

import math
import random
from collections.abc import Callable
from typing import Any

from .engine import NotYet, agree, exercise

GROWS = "Why does the loop get slower?"
RUN = "What does one run cost?"
SESSION = "Whose weights are these?"
WAY_OUT = "Why did the three programs never run?"


def _model(x: Any, weights: Any) -> Any:
    """Add the model of the lesson to the current graph, or compute it."""
    import tensorflow as tf

    w1, b1, w2, b2 = weights
    return tf.matmul(tf.nn.relu(tf.matmul(x, w1) + b1), w2) + b2


def _program() -> tuple[Any, list, list]:
    """Return a session, the variables of its graph, and the trained values that it holds for them."""
    import numpy as np
    import tensorflow as tf

    tf1, rng = tf.compat.v1, np.random.default_rng(random.randrange(10_000))
    shapes = {"w1": (10, 8), "b1": (8,), "w2": (8, 1), "b2": (1,)}
    values = [rng.normal(size=shape).astype("float32") for shape in shapes.values()]
    with tf.Graph().as_default() as graph:
        variables = [tf1.get_variable(name, shape) for name, shape in shapes.items()]
        session = tf1.Session(graph=graph)
        for variable, value in zip(variables, values, strict=True):
            variable.load(value, session)
    return session, variables, values


def _data(n: int) -> Any:
    from ..models import random_rows

    return random_rows(n, seed=random.randrange(10_000))


def _by_hand(data: Any, values: list) -> Any:
    import numpy as np

    w1, b1, w2, b2 = values
    return np.maximum(data @ w1 + b1, 0) @ w2 + b2


def _function(answer: Any, name: str, what: str) -> Callable:
    if not callable(answer):
        seen = "nothing" if answer is None else f"a {type(answer).__name__}"
        raise NotYet(f"{name} returned {seen}", what, "the text of the exercise")
    return answer


def _still_trained(session: Any, variables: list, values: list) -> None:
    from ...measure.agreement import first_difference

    if first_difference(session.run(variables), values):
        raise NotYet(
            "the session does not hold the trained weights any more",
            "the weights as they were: who wrote them?",
            SESSION,
        )


@exercise(
    "06.1",
    "build once, run many",
    section=GROWS,
    hints=(
        "Which lines of the slow loop add operations? What has to be known when they are added, and what not?",
        "`tf.compat.v1.placeholder(tf.float32, (None, 10))` stands for rows that come later. Make it inside "
        "`with session.graph.as_default():`, and the model on it.",
        "In the with block: x = placeholder; y = model(x, weights). After it: "
        "return lambda rows: session.run(y, {x: rows})",
    ),
)
def _scorer(make_scorer: Any) -> str:
    import tensorflow as tf

    from ...measure.count import count

    session, variables, values = _program()
    try:
        score = _function(
            make_scorer(session, _model, variables), "make_scorer", "a function that takes rows"
        )
    except RuntimeError as error:
        if "eager" not in str(error):
            raise
        raise NotYet(
            "a placeholder outside of any graph", "it made in session.graph.as_default()", GROWS
        ) from None
    for turn, n in enumerate((1, 5, random.randrange(6, 60))):
        data = _data(n)
        try:
            with count() as seen:
                got = score(data)
        except ValueError as error:
            if "Cannot feed value" not in str(error):
                raise
            raise NotYet(
                f"{n} rows do not fit the placeholder", "None for the number of rows", RUN
            ) from None
        except tf.errors.FailedPreconditionError:
            words = "a session that was never given the weights"
            raise NotYet(words, "the session that was passed in: it holds them", SESSION) from None
        _still_trained(session, variables, values)
        if seen.graph_ops:
            words = f"a call of your function adds {seen.graph_ops} operations to a graph"
            raise NotYet(words, "none: build before the function returns", GROWS)
        if seen.session_runs != 1:
            raise NotYet(f"{seen.session_runs} session runs for {n} rows", "one run per call", RUN)
        agree(got, _by_hand(data, values), f"for {n} rows, call {turn + 1},", GROWS)
    return "one run per call, no operation added, for any number of rows"


class _Watched:
    """A session that remembers how many rows each run was fed."""

    def __init__(self, session: Any):
        self._session, self.sizes = session, []

    def run(self, fetches: Any, feed_dict: Any = None, **options: Any) -> Any:
        self.sizes += [len(value) for value in (feed_dict or {}).values()]
        return self._session.run(fetches, feed_dict, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)


@exercise(
    "06.2",
    "fetch several things in one run",
    section=RUN,
    hints=(
        "What does a run cost, and how much of it has to do with what it fetches?",
        "`session.run` takes a dict of fetches and returns a dict with the same keys. Slices of 100 rows are batches.",
        "parts = [session.run(fetches, {x: rows[i:i + 100]}) for i in range(0, len(rows), 100)]; then join the parts "
        "of each name with np.concatenate.",
    ),
)
def _fetch_all(fetch_all: Any) -> str:
    import tensorflow as tf

    from ...measure.count import count

    for n in (100, random.randrange(101, 400), 3):
        session, variables, values = _program()
        with session.graph.as_default():
            x = tf.compat.v1.placeholder(tf.float32, (None, 10), name="x")
            y = _model(x, variables)
            fetches = {"score": y, "double": y * 2, "sum": tf.reduce_sum(x, axis=1)}
        data, watched = _data(n), _Watched(session)
        with count() as seen:
            got = fetch_all(watched, x, fetches, data)
        if got is None or got is ...:
            raise NotYet(
                "fetch_all returned nothing",
                "a dict: is a `return` missing?",
                "the text of the exercise",
            )
        if not isinstance(got, dict) or set(got) != set(fetches):
            raise NotYet(f"a {type(got).__name__}", f"a dict with the keys {sorted(fetches)}", RUN)
        if max(watched.sizes, default=0) > 100:
            raise NotYet(
                f"a run with {max(watched.sizes)} rows", "at most 100 rows in one run", RUN
            )
        least = math.ceil(n / 100)
        if seen.session_runs > least:
            words = f"{seen.session_runs} session runs for {n} rows and {len(fetches)} fetches"
            raise NotYet(words, f"{least}: one run can fetch all of them", RUN)
        if seen.graph_ops:
            raise NotYet(
                f"{seen.graph_ops} operations added", "none: join the parts with NumPy", GROWS
            )
        score = _by_hand(data, values)
        agree(
            got,
            {"score": score, "double": score * 2, "sum": data.sum(axis=1)},
            f"for {n} rows",
            RUN,
        )
    return "as few runs as batches, every fetch complete"


@exercise(
    "06.3",
    "write a variable without growing the graph",
    section=GROWS,
    hints=(
        "How many operations does one `assign` add, and what of it is the same each time?",
        "Make the assignment once, from a placeholder of the variable's shape; feed the new value when you run it. "
        "(`load` would do too, called inside `with session.graph.as_default()`.)",
        "In session.graph.as_default(): new = placeholder(variable.dtype, variable.shape); "
        "change = variable.assign(new). Then return lambda value: session.run(change, {new: value})",
    ),
)
def _setter(make_setter: Any) -> str:
    import numpy as np

    from ...measure.count import count

    session, variables, values = _program()
    rng = np.random.default_rng(random.randrange(10_000))
    for k in (1, 3):
        set_value = _function(
            make_setter(session, variables[k]), "make_setter", "a function that takes a value"
        )
        others = [i for i in range(4) if i != k]
        new = [rng.normal(size=values[k].shape).astype("float32") for _ in range(2)]
        set_value(new[0])
        first = session.run(variables)
        with count() as seen:
            set_value(new[1])
        now = session.run(variables)
        agree(
            [now[i] for i in others], [values[i] for i in others], "in the other variables", SESSION
        )
        if np.allclose(first[k], values[k]):
            raise NotYet(
                "the variable keeps its old value",
                "the value passed: who runs the assignment?",
                GROWS,
            )
        if np.array_equal(now[k], first[k]):
            raise NotYet("two calls write the same value", "the value of the call: feed it", GROWS)
        agree([first[k], now[k]], new, "in the variable", GROWS)
        values[k] = new[1]
        if seen.graph_ops:
            words = f"a call of your function adds {seen.graph_ops} operations to the graph"
            raise NotYet(words, "none: make the assignment once, and feed it", GROWS)
    return "the value arrives, and the graph stays as it is"


@exercise(
    "06.4",
    "port a program to today's form (stretch)",
    section=WAY_OUT,
    hints=(
        "What does the session own that the function needs, and when can you read it?",
        "`session.run(weights)` gives the values; a `tf.Variable` each holds them. A `tf.function` with an "
        "`input_signature` is traced once for any number of rows.",
        "kept = [tf.Variable(value) for value in session.run(weights)]; then a function of rows that returns "
        "model(rows, kept), decorated with tf.function(input_signature=[tf.TensorSpec((None, 10), tf.float32)])",
    ),
)
def _port(port: Any) -> str:
    import tensorflow as tf

    from ...measure.count import count

    session, variables, values = _program()
    fast = _function(port(session, variables, _model), "port", "a function that takes rows")
    session.close()
    traces = 0
    for n in (4, 1, random.randrange(5, 50)):
        data = _data(n)
        try:
            with count() as seen:
                got = fast(data)
        except RuntimeError as error:
            if "closed Session" not in str(error):
                raise
            raise NotYet(
                "it still needs the session", "a function that works after session.close()", WAY_OUT
            ) from None
        traces += seen.traces
        agree(got, _by_hand(data, values), f"for {n} rows", SESSION)
        if not isinstance(got, tf.Tensor):
            raise NotYet(
                f"a {type(got).__name__}", "a tensor: the result of a tf.function", WAY_OUT
            )
        if not seen.calls:
            raise NotYet("the model runs eagerly", "a graph: tf.function", WAY_OUT)
    if traces > 1:
        raise NotYet(
            f"{traces} traces for three numbers of rows",
            "one: say in a signature that any may come",
            WAY_OUT,
        )
    return "the session is closed, one trace, the scores of the old program"
