"""Exercises of lesson 03: one trace, whatever comes."""

import random
from typing import Any

from ...measure.agreement import first_difference
from ...measure.count import count
from ..models import mlp
from .engine import (
    NotYet,
    agree,
    exercise,
    expect_function,
    fresh_rows,
    is_nothing,
    says,
)

RETRACE = "When does it retrace?"
INSIDE = "What is in the graph?"
WORTH = "How much does it buy, and when nothing?"

CALLED_AGAIN = "a function, to be called again and again"


class _Watched:
    """A model that notes each run of its Python code: eagerly, or while it is traced.

    Attributes
    ----------
    model : keras.Model
        Built, takes batches of 10 numbers a row.
    plain : keras.Model
        The same model without notes: the oracle.
    eager_runs : int
        How often the code ran eagerly.
    traced_shapes : list of tuple
        The shape of the batch in each trace, None for an open size.
    """

    def __init__(self) -> None:
        import keras
        import tensorflow as tf

        watched = self
        plain = mlp(seed=random.randrange(1000))

        class Noting(keras.Model):
            def call(self, inputs: Any) -> Any:
                if tf.executing_eagerly():
                    watched.eager_runs += 1
                else:
                    watched.traced_shapes.append(tuple(inputs.shape))
                return plain(inputs)

        self.plain = plain
        self.model = Noting()
        self._forget()
        self.model(fresh_rows(1))
        self._forget()

    def _forget(self) -> None:
        self.eager_runs = 0
        self.traced_shapes: list[tuple] = []

    def expect_graph(self) -> None:
        """Raise `NotYet` if the model was called eagerly."""
        if self.eager_runs:
            seen = f"the model ran eagerly {self.eager_runs} times"
            raise NotYet(seen, "a graph, traced once", RETRACE)


@exercise(
    "03.1",
    "one trace for every batch size",
    section=RETRACE,
    hints=(
        "Which part of the shape may differ from call to call? What does the graph have to know "
        "about it?",
        "`tf.function(model, input_signature=[...])` fixes what is traced; `tf.TensorSpec` takes "
        "None for open sizes.",
        "return tf.function(model, input_signature=[tf.TensorSpec((..., 10))])",
    ),
)
def _check_make_answer(make_answer: Any) -> str:
    watched = _Watched()
    a, b, c = random.sample(range(2, 60), 3)
    sizes = [a, b, c, 1, a, b]
    with count() as n:
        answer = expect_function(make_answer(watched.model), "make_answer", CALLED_AGAIN, RETRACE)
        for size in sizes:
            batch = fresh_rows(size)
            agree(answer(batch), watched.plain(batch), f"for {size} rows", RETRACE)
    watched.expect_graph()
    if n.traces >= len(sizes):
        seen = f"{n.traces} traces for {len(sizes)} calls"
        raise NotYet(seen, "1: make the tf.function before the calls", RETRACE)
    if n.traces == 2:
        seen = "2 traces: the first is for one size only, the second opens the shape"
        raise NotYet(seen, "1: say from the start that the size is open", RETRACE)
    if n.traces > 1:
        seen = f"{n.traces} traces for 4 batch sizes"
        raise NotYet(seen, "1: leave the number of rows open", RETRACE)
    return "one trace for every batch size, results equal"


@exercise(
    "03.2",
    "one trace for every factor and every batch size",
    section=RETRACE,
    hints=(
        "What becomes part of the key: the value of a Python number, or of a tensor?",
        "A signature may hold several `tf.TensorSpec`; that of one number has the shape (). "
        "Python numbers are then turned into tensors for you.",
        "@tf.function(input_signature=[tf.TensorSpec((None, 10)), tf.TensorSpec(())]) above "
        "def scaled(batch, factor): return factor * model(batch)",
    ),
)
def _check_make_scaled(make_scaled: Any) -> str:
    watched = _Watched()
    with count() as by_factor:
        scaled = expect_function(make_scaled(watched.model), "make_scaled", CALLED_AGAIN, RETRACE)
        factors = [2, *_fractions(4), 5]
        _check_factors(scaled, factors, watched.plain)
    watched.expect_graph()
    if by_factor.traces > 1:
        seen = f"{by_factor.traces} traces for {len(factors)} factors and one batch size"
        raise NotYet(seen, "1: let the factor reach the graph as a tensor", RETRACE)
    with count() as by_size:
        for size in (1, 3, 33):
            batch = fresh_rows(size)
            agree(scaled(batch, 0.5), 0.5 * watched.plain(batch), f"for {size} rows", RETRACE)
    if by_size.traces:
        seen = f"traces for 3 other batch sizes: {by_size.traces}"
        raise NotYet(seen, "none: leave the number of rows open", RETRACE)
    return "one trace for every factor and every batch size, results equal"


def _fractions(n: int) -> list[float]:
    return [round(random.uniform(3.1, 9), 3) for _ in range(n)]


def _check_factors(scaled: Any, factors: list[float], plain: Any) -> None:
    """Check the answers for several factors, and name the slip of a factor frozen at the first."""
    batch = fresh_rows(8)
    first = factors[0]
    for factor in factors:
        got = scaled(batch, factor)
        if factor != first and not is_nothing(got):
            frozen = first_difference(got, first * plain(batch)) is None
            if frozen:
                seen = f"for the factor {factor} you multiply by {first}, that of the first call"
                wanted = "the factor of this call: as an argument of the graph"
                raise NotYet(seen, wanted, INSIDE)
        agree(got, factor * plain(batch), f"for the factor {factor}", RETRACE)


@exercise(
    "03.3",
    "one shape for every batch size",
    section=WORTH,
    hints=(
        "How can 5 rows become 64 rows without changing the answers to the first 5?",
        "`np.pad(batch, ((0, 64 - len(batch)), (0, 0)))` adds rows of zeros below. What about "
        "their answers?",
        "graph = tf.function(model); def answer(batch): pad to 64 rows, call the graph, return "
        "the first len(batch)",
    ),
)
def _check_make_padded(make_padded: Any) -> str:
    watched = _Watched()
    with count() as n:
        answer = expect_function(make_padded(watched.model), "make_padded", CALLED_AGAIN, WORTH)
        for size in (5, 64, 1, random.randrange(6, 64)):
            batch = fresh_rows(size)
            got = _padded_answer(answer, batch)
            agree(got, watched.plain(batch), f"for {size} rows", WORTH)
    watched.expect_graph()
    if any(None in shape for shape in watched.traced_shapes):
        seen = (
            "the graph was traced for an open number of rows, "
            "and XLA would compile it again for each size"
        )
        raise NotYet(seen, "one fixed shape for all sizes: pad", WORTH)
    if n.traces > 1:
        seen = f"{n.traces} traces for 4 batch sizes"
        raise NotYet(seen, "1: every batch must have the same shape", WORTH)
    return "one trace for one fixed shape, results equal"


def _padded_answer(answer: Any, batch: Any) -> Any:
    """Return the answer to a batch, and name the two usual slips of padding."""
    size = len(batch)
    try:
        got = answer(batch)
    except (TypeError, ValueError) as error:
        if size != 64 and _takes(answer, 64):
            seen = f"{size} rows raise {type(error).__name__}, and 64 rows do not"
            raise NotYet(seen, "64 rows in every call: pad before you call", WORTH) from None
        raise
    shape = tuple(getattr(got, "shape", ()))
    if shape[:1] == (64,) and size != 64:
        seen = f"64 answers for {size} rows"
        raise NotYet(seen, f"{size}: cut off the answers to the padding", WORTH)
    return got


def _takes(answer: Any, size: int) -> bool:
    """Return whether a function takes a batch of `size` rows without raising."""
    try:
        answer(fresh_rows(size))
    except Exception:
        return False
    return True


@exercise(
    "03.4",
    "one trace for a loop over the rows (stretch)",
    section=INSIDE,
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
    with count() as n:
        for size in sizes:
            rows = fresh_rows(size, inputs=3)
            keep = round(random.uniform(0.1, 0.9), 3)
            got = _states(smooth, rows, keep)
            agree(got, _smoothed(rows, keep), f"for {size} rows and keep={keep}", INSIDE)
    if not n.calls:
        raise NotYet("no tf.function was called", "a graph, traced once", INSIDE)
    if n.traces > 1:
        seen = (
            f"{n.traces} traces for {len(sizes)} calls with other numbers of rows "
            "and other values of keep"
        )
        wanted = "1: a signature for both arguments, and a loop that stays a loop"
        raise NotYet(seen, wanted, INSIDE)
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
        ("is out of scope", "cannot be accessed here"),
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
                raise NotYet(seen, wanted, INSIDE) from None
        raise
    if not is_nothing(got) and np.shape(got) == rows.shape and not np.any(got):
        wanted = "`out = out.write(i, state)`: write returns the array to go on with"
        raise NotYet("nothing but zeros", wanted, INSIDE)
    return got
