"""Exercises of lesson 08: TF1 graphs and sessions."""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ...show.errors import kind_in_words
from .engine import EXERCISE_TEXT, NotYet, agree, exercise, expect_function, fresh_rows, says

GROWS = "Why does the loop get slower?"
RUN = "What does one run cost?"
SESSION = "Whose weights are these?"
WAY_OUT = "The way out"
MAX_ROWS = 100


def _model(x: Any, weights: Any) -> Any:
    """Add the model of the lesson to the current graph, or compute it."""
    import tensorflow as tf

    w1, b1, w2, b2 = weights
    return tf.matmul(tf.nn.relu(tf.matmul(x, w1) + b1), w2) + b2


def _compute(data: Any, values: list) -> Any:
    """Return the scores of the model, computed with NumPy."""
    import numpy as np

    w1, b1, w2, b2 = values
    return np.maximum(data @ w1 + b1, 0) @ w2 + b2


@dataclass
class _Program:
    """A TF1 program: a session, the variables of its graph, and the trained values they have."""

    session: Any
    variables: list[Any]
    values: list[Any]

    def expect_trained(self) -> None:
        """Raise `NotYet` if the variables no longer have the trained values."""
        from ...measure.agreement import first_difference

        if first_difference(self.session.run(self.variables), self.values):
            raise NotYet(
                "the session does not hold the trained weights any more",
                "the weights as they were: which line writes them?",
                SESSION,
            )


def _new_program() -> _Program:
    """Return a program with random weights."""
    import numpy as np
    import tensorflow as tf

    rng = np.random.default_rng(random.randrange(10_000))
    shapes = {"w1": (10, 8), "b1": (8,), "w2": (8, 1), "b2": (1,)}
    variables = []
    values = []
    with tf.Graph().as_default() as graph:
        session = tf.compat.v1.Session(graph=graph)
        for name, shape in shapes.items():
            variable = tf.compat.v1.get_variable(name, shape)
            value = rng.normal(size=shape).astype("float32")
            variable.load(value, session)
            variables.append(variable)
            values.append(value)
    return _Program(session, variables, values)


# ---- 08.1 ----


@exercise(
    "08.1",
    "build once, run many",
    section=GROWS,
    hints=(
        "Which lines of the slow loop add operations? What has to be known when they are added, "
        "and what not?",
        "`tf.compat.v1.placeholder(tf.float32, (None, 10))` stands for rows that come later. "
        "Make it inside `with session.graph.as_default():`, and the model on it.",
        "In the with block: x = placeholder; y = model(x, weights). After it: "
        "return lambda rows: session.run(y, {x: rows})",
    ),
)
def _check_scorer(make_scorer: Any) -> str:
    from ...measure.count import count

    program = _new_program()
    score = _make_score(make_scorer, program)
    for call, n in enumerate((1, 5, random.randrange(6, 60)), start=1):
        data = fresh_rows(n)
        with count() as seen:
            got = _score(score, data, program)
        program.expect_trained()
        if seen.graph_ops:
            raise NotYet(
                f"a call of your function adds {seen.graph_ops} operations to a graph",
                "none: build before the function returns",
                GROWS,
            )
        if seen.session_runs != 1:
            raise NotYet(f"{seen.session_runs} session runs for {n} rows", "one run per call", RUN)
        agree(got, _compute(data, program.values), f"for {n} rows, call {call}", GROWS)
    return "one run per call, no operation added, for any number of rows"


def _make_score(make_scorer: Any, program: _Program) -> Callable:
    """Return the learner's function, or explain why making it failed."""
    try:
        score = make_scorer(program.session, _model, program.variables)
    except RuntimeError as error:
        if not _succeeds_inside_the_graph(make_scorer):
            raise
        raise NotYet(
            "a placeholder outside of any graph",
            "one made inside `with session.graph.as_default():`",
            GROWS,
        ) from error
    return expect_function(score, "make_scorer", "a function that takes rows")


def _succeeds_inside_the_graph(make_scorer: Callable) -> bool:
    """Return whether `make_scorer` works where the session's graph is the current one already."""
    program = _new_program()
    with program.session.graph.as_default():
        try:
            make_scorer(program.session, _model, program.variables)
        except Exception:
            return False
    return True


def _score(score: Callable, data: Any, program: _Program) -> Any:
    """Call the learner's function, and explain the errors that are common."""
    import tensorflow as tf

    try:
        return score(data)
    except ValueError as error:
        if _fits_every_placeholder(data, program.session.graph):
            raise
        raise NotYet(
            f"{len(data)} rows do not fit the placeholder", "None for the number of rows", RUN
        ) from error
    except tf.errors.FailedPreconditionError as error:
        raise NotYet(
            "a session that was never given the weights",
            "the session that was passed in: it holds them",
            SESSION,
        ) from error
    except RuntimeError as error:
        if not says(error, "closed session"):
            raise
        raise NotYet(
            "the session is closed: the end of a `with session:` closes it",
            "an open one: `with session.graph.as_default():` is enough",
            GROWS,
        ) from error


def _fits_every_placeholder(data: Any, graph: Any) -> bool:
    for operation in graph.get_operations():
        is_placeholder = operation.type in ("Placeholder", "PlaceholderWithDefault")
        if is_placeholder and not operation.outputs[0].shape.is_compatible_with(data.shape):
            return False
    return True


# ---- 08.2 ----


def _note_rows(session: Any) -> list[int]:
    """Return a list that gets the number of rows whenever a session is fed some.

    Where `run`, `eval` and the functions of `make_callable` end.
    """
    import numpy as np

    sizes: list[int] = []
    run = "_call_tf_sessionrun"

    def noted(options: Any, feeds: Any, *others: Any) -> Any:
        sizes.extend(len(value) for value in dict(feeds or {}).values() if np.ndim(value))
        return getattr(type(session), run)(session, options, feeds, *others)

    setattr(session, run, noted)
    return sizes


@exercise(
    "08.2",
    "fetch several things in one run",
    section=RUN,
    hints=(
        "What does a run cost, and how much of it has to do with what it fetches?",
        "`session.run` takes a dict of fetches and returns a dict with the same keys. "
        "Slices of 100 rows are batches.",
        "parts = [session.run(fetches, {x: rows[i:i + 100]}) for i in range(0, len(rows), 100)]; "
        "then join the parts of each name with np.concatenate.",
    ),
)
def _check_fetch_all(fetch_all: Any) -> str:
    for n in (MAX_ROWS, random.randrange(MAX_ROWS + 1, 4 * MAX_ROWS), 3):
        _fetch_for(fetch_all, n)
    return "as few runs as batches, every fetch complete"


def _fetch_for(fetch_all: Callable, n: int) -> None:
    """Fetch three things for `n` rows; compare the numbers of runs and rows, and the values."""
    import tensorflow as tf

    from ...measure.count import count

    program = _new_program()
    with program.session.graph.as_default():
        x = tf.compat.v1.placeholder(tf.float32, (None, 10), name="x")
        y = _model(x, program.variables)
        fetches = {"score": y, "double": y * 2, "sum": tf.reduce_sum(x, axis=1)}
    data = fresh_rows(n)
    sizes = _note_rows(program.session)
    with count() as seen:
        got = fetch_all(program.session, x, fetches, data)

    _expect_names(got, fetches)
    largest = max(sizes, default=0)
    if largest > MAX_ROWS:
        raise NotYet(f"a run with {largest} rows", f"at most {MAX_ROWS} rows in one run", RUN)
    needed = math.ceil(n / MAX_ROWS)
    if seen.session_runs > needed:
        raise NotYet(
            f"{seen.session_runs} session runs for {n} rows and {len(fetches)} fetches",
            f"{needed}: a run may take {MAX_ROWS} rows, and fetch all of them",
            RUN,
        )
    if seen.graph_ops:
        raise NotYet(f"{seen.graph_ops} operations added", "none: join the parts with NumPy", GROWS)
    score = _compute(data, program.values)
    wanted = {"score": score, "double": score * 2, "sum": data.sum(axis=1)}
    agree(got, wanted, f"for {n} rows", RUN)


def _expect_names(got: Any, fetches: dict) -> None:
    if got is None or got is ...:
        raise NotYet("fetch_all returned nothing", "a dict: is a `return` missing?", EXERCISE_TEXT)
    if not isinstance(got, dict):
        seen = kind_in_words(got)
    elif set(got) != set(fetches):
        seen = f"a dict with the keys {sorted(map(str, got))}"
    else:
        return
    raise NotYet(seen, f"a dict with the keys {sorted(fetches)}", RUN)


# ---- 08.3 ----


@exercise(
    "08.3",
    "write a variable without growing the graph",
    section=GROWS,
    hints=(
        "How many operations does one `assign` add, and what of it is the same each time?",
        "Make the assignment once, from a placeholder of the variable's shape; feed the new value "
        "when you run it. (`load` would do too, called inside `with session.graph.as_default()`.)",
        "In session.graph.as_default(): new = placeholder(variable.dtype, variable.shape); "
        "change = variable.assign(new). Then return lambda value: "
        "session.run(change, {new: value})",
    ),
)
def _check_setter(make_setter: Any) -> str:
    for index in (1, 3):
        _set_twice(make_setter, _new_program(), index)
    return "the value arrives, and the graph stays as it is"


def _set_twice(make_setter: Callable, program: _Program, index: int) -> None:
    """Write two values into one variable; compare all variables, and count the operations."""
    import numpy as np

    from ...measure.count import count

    session = program.session
    old = program.values[index]
    rng = np.random.default_rng(random.randrange(10_000))
    new = [rng.normal(size=old.shape).astype("float32") for _ in range(2)]

    set_value = expect_function(
        make_setter(session, program.variables[index]),
        "make_setter",
        "a function that takes a value",
    )
    with count() as first_call:
        _set_first(set_value, new[0], session)
    first = session.run(program.variables)
    with count() as second_call:
        set_value(new[1])
    second = session.run(program.variables)

    for other in range(len(program.variables)):
        if other != index:
            agree(second[other], program.values[other], "in another variable", SESSION)
    if np.allclose(first[index], old):
        raise NotYet(
            "the variable keeps its old value",
            "the value passed: which line runs the assignment?",
            GROWS,
        )
    if np.array_equal(second[index], first[index]):
        raise NotYet("two calls write the same value", "the value of the call: feed it", GROWS)
    agree([first[index], second[index]], new, "in the variable", GROWS)
    added = max(first_call.graph_ops, second_call.graph_ops)
    if added:
        raise NotYet(
            f"a call of your function adds {added} operations to the graph",
            "none: make the assignment once, before the function returns, and feed it",
            GROWS,
        )


def _set_first(set_value: Callable, value: Any, session: Any) -> None:
    """Write the first value; if that fails, find out whether it is for want of the graph."""
    try:
        set_value(value)
    except Exception as error:
        try:
            with session.graph.as_default():
                set_value(value)
        except Exception:
            raise error from None
        raise NotYet(
            "your function only works where the session's graph is the current one",
            "`with session.graph.as_default():` in it",
            GROWS,
        ) from error


# ---- 08.4 ----


@exercise(
    "08.4",
    "take a model out of its session (stretch)",
    section=WAY_OUT,
    hints=(
        "What does the session own that the function needs, and when can you read it?",
        "`session.run(weights)` gives the values; a `tf.Variable` each holds them. A `tf.function` "
        "with an `input_signature` is traced once for any number of rows.",
        "kept = [tf.Variable(value) for value in session.run(weights)]; then a function of rows "
        "that returns model(rows, kept), decorated with "
        "tf.function(input_signature=[tf.TensorSpec((None, 10), tf.float32)])",
    ),
)
def _check_port(port: Any) -> str:
    from ...measure.count import count

    program = _new_program()
    model = _WatchedModel(program)
    fast = _make_port(port, program, model.run)
    program.session.close()
    traces = 0
    for n in (4, 1, random.randrange(5, 50)):
        data = fresh_rows(n)
        with count() as seen:
            got = _call_after_close(fast, data, port)
        traces += seen.traces
        agree(got, _compute(data, program.values), f"for {n} rows", SESSION)
        _expect_graph(got, model)
    if traces > 1:
        raise NotYet(
            f"{traces} traces for three numbers of rows",
            "one: say in a signature that any may come",
            WAY_OUT,
        )
    return "the session is closed, one trace, the scores of the old program"


class _WatchedModel:
    """The model of the lesson; it remembers whether it ran eagerly."""

    def __init__(self, program: _Program):
        self.ran_eagerly = False
        self._graph = program.session.graph
        self._variables = program.variables

    def run(self, x: Any, weights: Any) -> Any:
        """Compute the model, but not from the variables of a graph that is not the current one."""
        import tensorflow as tf

        self.ran_eagerly = self.ran_eagerly or tf.executing_eagerly()
        if tf.compat.v1.get_default_graph() is not self._graph:
            self._expect_others_than_of_the_session(weights)
        return _model(x, weights)

    def _expect_others_than_of_the_session(self, weights: Any) -> None:
        for weight in weights:
            if any(weight is variable for variable in self._variables):
                raise NotYet(
                    "the model gets the variables of the session's graph",
                    "their values: `session.run(weights)`, before the session closes",
                    WAY_OUT,
                )


def _make_port(port: Callable, program: _Program, model: Callable) -> Callable:
    fast = port(program.session, program.variables, model)
    return expect_function(fast, "port", "a function that takes rows")


def _call_after_close(fast: Callable, data: Any, port: Callable) -> Any:
    """Call the learner's function; if it fails, find out whether that is for want of a session."""
    try:
        return fast(data)
    except Exception as error:
        if not _succeeds_with_an_open_session(port, data):
            raise
        raise NotYet(
            "it still needs the session", "a function that works after session.close()", WAY_OUT
        ) from error


def _succeeds_with_an_open_session(port: Callable, data: Any) -> bool:
    fast = _make_port(port, _new_program(), _model)
    try:
        fast(data)
    except Exception:
        return False
    return True


def _expect_graph(got: Any, model: _WatchedModel) -> None:
    import tensorflow as tf

    if not isinstance(got, tf.Tensor):
        raise NotYet(kind_in_words(got), "a tensor: the result of a tf.function", WAY_OUT)
    if model.ran_eagerly:
        raise NotYet("the model runs eagerly", "a graph: tf.function", WAY_OUT)
