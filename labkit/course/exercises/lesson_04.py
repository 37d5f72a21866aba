"""Exercises of lesson 04: what is in the graph, and what stays out of it."""

import random
from typing import Any

from ...measure.agreement import first_difference
from ...measure.count import count
from .engine import (
    OUT_OF_SCOPE,
    NotYet,
    agree,
    exercise,
    expect_function,
    is_nothing,
    says,
    type_of,
)
from .watched import (
    INPUTS,
    Watched,
    calls_back,
    calls_of_graphs,
    expect_one_call,
    signed_rows,
)

LOOPS = "What is in the graph?"
FREEZES = "What freezes?"
GAIN = "What does it buy, and what does XLA add?"

CALLED_AGAIN = "a function, to be called again and again"


@exercise(
    "04.1",
    "swap the model behind a graph",
    section=FREEZES,
    hints=(
        "Which things may change after the trace and are still seen by the graph?",
        "Weights are variables: `model.set_weights(better.get_weights())` changes them, and the "
        "graph reads them in each call.",
        "serve = tf.function(model, input_signature=[tf.TensorSpec((None, 20))]); in swap(better) "
        "load its weights into model; return serve, swap",
    ),
)
def _check_make_server(make_server: Any) -> str:
    # Not all of the weights are trained: those of a BatchNormalization are not.
    watched, *others = (Watched(normalized=True) for _ in range(3))
    batches = [signed_rows(size) for size in (1, 5, 1, 12)]
    # The answers first: the right swap changes the weights of the oracle as well.
    expected = [_answers(one.plain, batches) for one in (watched, *others)]
    with count() as n:
        serve, swap = _pair(make_server(watched.model))
        _check_answers(serve, batches[:1], expected[0][:1], "before the first swap")
        in_first_call = n.traces
        _check_answers(serve, batches, expected[0], "before the first swap")
        for number, better in enumerate(others, start=1):
            swap(better.model)
            _check_untrained_weights(watched.plain, better.plain)
            _check_follows(serve, batches[0], expected[number][0], expected[0][0])
            _check_answers(serve, batches, expected[number], f"after swap number {number}")
    for one in (watched, *others):
        one.expect_graph(FREEZES)
    # Graphs that call each other are each traced once, in the first call. A copy of the model
    # notes what Keras calls to build it, which is no trace.
    of_models = sum(len(one.traced_shapes) for one in (watched, *others))
    traces = min(n.traces, max(of_models, 1 + n.traces - in_first_call))
    if traces > 1:
        seen = f"{traces} traces for 3 models and 3 batch sizes"
        wanted = "1: an open size, and new weights in the same model"
        raise NotYet(seen, wanted, FREEZES)
    return "one trace, and the answers follow each swap"


def _pair(got: Any) -> tuple[Any, Any]:
    """Return the two functions of an answer to 04.1."""
    wanted = "two functions: return serve, swap"
    if not isinstance(got, tuple | list) or len(got) != 2:
        raise NotYet(f"make_server returned {type_of(got)}", wanted, FREEZES)
    serve, swap = got
    expect_function(serve, "make_server as its first part", wanted, FREEZES)
    expect_function(swap, "make_server as its second part", wanted, FREEZES)
    return serve, swap


def _answers(model: Any, batches: list[Any]) -> list[Any]:
    return [model(batch) for batch in batches]


def _check_untrained_weights(plain: Any, better: Any) -> None:
    """Name the slip of a swap that takes only the trained weights."""
    others = [model.non_trainable_variables for model in (plain, better)]
    trained = [model.trainable_variables for model in (plain, better)]
    if first_difference(*others) and first_difference(*trained) is None:
        seen = "after swap the moving averages of BatchNormalization are still the old ones"
        wanted = "all weights: those that are not trained, too"
        raise NotYet(seen, wanted, FREEZES)


def _check_follows(serve: Any, batch: Any, wanted: Any, old: Any) -> None:
    """Name the slip of a graph that goes on with the old model."""
    got = serve(batch)
    if is_nothing(got) or first_difference(got, wanted) is None:
        return
    if first_difference(got, old) is None:
        seen = "after swap the answers for one row are still those of the old model"
        raise NotYet(seen, "those of the new one: change what the graph reads", FREEZES)


def _check_answers(serve: Any, batches: list[Any], expected: list[Any], when: str) -> None:
    for batch, wanted in zip(batches, expected, strict=True):
        agree(serve(batch), wanted, f"{when}, for {len(batch)} rows", FREEZES)


@exercise(
    "04.2",
    "one shape, compiled once, for every batch size",
    section=GAIN,
    hints=(
        "How can 5 rows become 64 rows without changing the answers to the first 5?",
        "`np.pad(batch, ((0, 64 - len(batch)), (0, 0)))` adds rows of zeros below. What about "
        "their answers?",
        "graph = tf.function(model, jit_compile=True); def answer(batch): pad to 64 rows, call "
        "the graph, return the first len(batch)",
    ),
)
def _check_make_padded(make_padded: Any) -> str:
    watched = Watched()
    with count() as n:
        answer = expect_function(make_padded(watched.model), "make_padded", CALLED_AGAIN, GAIN)
        after_call = []
        for size in (5, 64, 1, random.randrange(6, 64)):
            batch = signed_rows(size)
            got = _padded_answer(answer, batch)
            agree(got, watched.plain(batch), f"for {size} rows", GAIN)
            after_call.append(n.traces)
    watched.expect_graph(GAIN)
    if any(None in shape for shape in watched.traced_shapes):
        seen = (
            "the graph was traced for an open number of rows, "
            "and XLA would compile it again for each size"
        )
        raise NotYet(seen, "one fixed shape for all sizes: pad", GAIN)
    traces = watched.traces(after_call[-1] - after_call[0])
    if traces > 1:
        seen = f"{traces} traces for 4 batch sizes"
        raise NotYet(seen, "1: every batch must have the same shape", GAIN)
    if not watched.traced_shapes:
        raise NotYet("the model was never traced", "the model in a tf.function", GAIN)
    if watched.traced_shapes != [(64, INPUTS)]:
        seen = f"the graph was traced for the shape {watched.traced_shapes[0]}"
        raise NotYet(seen, f"(64, {INPUTS})", GAIN)
    if not all(watched.compiled):
        seen = "a graph that TensorFlow replays, and that XLA does not compile"
        raise NotYet(seen, "jit_compile=True", GAIN)
    return "one trace for one fixed shape, compiled by XLA, results equal"


def _padded_answer(answer: Any, batch: Any) -> Any:
    """Return the answer to a batch, and name the two usual slips of padding."""
    size = len(batch)
    try:
        got = answer(batch)
    except (TypeError, ValueError) as error:
        if size != 64 and _takes(answer, 64):
            seen = f"{size} rows raise {type(error).__name__}, and 64 rows do not"
            raise NotYet(seen, "64 rows in every call: pad before you call", GAIN) from None
        raise
    shape = tuple(getattr(got, "shape", ()))
    if shape[:1] == (64,) and size != 64:
        seen = f"64 answers for {size} rows"
        raise NotYet(seen, f"{size}: cut off the answers to the padding", GAIN)
    return got


def _takes(answer: Any, size: int) -> bool:
    """Return whether a function takes a batch of `size` rows without raising."""
    try:
        answer(signed_rows(size))
    except Exception:
        return False
    return True


@exercise(
    "04.3",
    "one trace for a loop over the rows (stretch)",
    section=LOOPS,
    hints=(
        "Which loops does AutoGraph turn into a loop of the graph, and which does it unroll?",
        "`for i in tf.range(tf.shape(rows)[0])` stays a loop; a `tf.TensorArray` takes what a "
        "list would: out = out.write(i, state), and out.stack() at the end. An input_signature "
        "opens the number of rows.",
        "@tf.function(input_signature=[tf.TensorSpec((None, 3)), tf.TensorSpec(())]) above "
        "smooth; state = rows[0]; out = tf.TensorArray(tf.float32, size=tf.shape(rows)[0]); then "
        "the loop",
    ),
)
def _check_smooth(smooth: Any) -> str:
    sizes = [7, 1, 30, 2, random.randrange(31, 50)]
    after_call = []
    with calls_of_graphs() as calls, calls_back() as python, count() as n:
        for size in sizes:
            rows = signed_rows(size, inputs=3)
            keep = round(random.uniform(0.1, 0.9), 3)
            got = _states(smooth, rows, keep)
            agree(got, _smoothed(rows, keep), f"for {size} rows and keep={keep}", LOOPS)
            after_call.append(n.traces)
    if not calls:
        raise NotYet("no tf.function was called", "a graph, traced once", LOOPS)
    if python:
        seen = "the graph calls a Python function, and the loop is in there"
        raise NotYet(seen, "a loop of the graph", LOOPS)
    expect_one_call(calls, sum(sizes), f"for {sum(sizes)} rows in {len(sizes)} arrays", LOOPS)
    later = after_call[-1] - after_call[0]
    if later:
        seen = (
            f"{1 + later} traces for {len(sizes)} calls with other numbers of rows "
            "and other values of keep"
        )
        wanted = "1: a signature for both arguments, and a loop that stays a loop"
        raise NotYet(seen, wanted, LOOPS)
    return "one trace for any number of rows and any keep, results equal"


def _smoothed(rows: Any, keep: float) -> Any:
    """Return the right states: the oracle, in plain Python."""
    import numpy as np

    state = rows[0]
    states = []
    for row in rows:
        state = keep * state + (1 - keep) * row
        states.append(state)
    return np.stack(states)


# The usual slips with a TensorArray: how TensorFlow or Python words the error, in several
# versions, then what it means and what is wanted.
_SLIPS = [
    (
        OUT_OF_SCOPE,
        "a Python list cannot carry values out of a graph loop",
        "a `tf.TensorArray`",
    ),
    (
        ("list with 0 elements", "not resizeable and size is: 0"),
        "the TensorArray was made with size=0",
        "size=tf.shape(rows)[0]",
    ),
    (
        ("size must be provided", "NoneType object cannot be interpreted as an integer"),
        "`rows.shape[0]` is None: while tracing, nobody knows how many rows will come",
        "`tf.shape(rows)[0]`, for the size and in the loop",
    ),
]


def _states(smooth: Any, rows: Any, keep: float) -> Any:
    """Return the answer's states, and name the usual slips with a TensorArray."""
    import numpy as np

    try:
        got = smooth(rows, keep)
    except Exception as error:
        for wordings, seen, wanted in _SLIPS:
            if says(error, *wordings):
                raise NotYet(seen, wanted, LOOPS) from None
        raise
    wanted = "`out = out.write(i, state)`: write returns the array to go on with"
    if not is_nothing(got) and np.shape(got)[:1] == (0,):
        raise NotYet("no states at all", wanted, LOOPS)
    if not is_nothing(got) and np.shape(got) == rows.shape and not np.any(got):
        raise NotYet("nothing but zeros", wanted, LOOPS)
    return got
