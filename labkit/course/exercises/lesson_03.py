"""Exercises of lesson 03: one trace, whatever comes."""

import random
from collections.abc import Callable
from typing import Any

from .engine import NotYet, agree, exercise

RETRACE = "When does it retrace?"
INSIDE = "What is in the graph?"
WORTH = "How much does it buy, and when nothing?"


class Seen:
    """A model that notes the shape of each batch that its Python code is run for, and whether that was eager.

    Attributes
    ----------
    model : keras.Model
        Built, takes batches of 10 numbers a row.
    plain : keras.Model
        The same without notes: the oracle.
    eager : int
        How often the code ran eagerly.
    shapes : list of tuple
        One per run in a graph, None for an open size.
    """

    def __init__(self) -> None:
        import keras
        import tensorflow as tf

        from ..models import mlp, random_rows

        seen, plain = self, mlp(seed=random.randrange(1000))

        class Noting(keras.Model):
            def call(self, inputs: Any) -> Any:
                if tf.executing_eagerly():
                    seen.eager += 1
                else:
                    seen.shapes.append(tuple(inputs.shape))
                return plain(inputs)

        self.plain, self.model = plain, Noting()
        self.eager, self.shapes = 0, []
        self.model(random_rows(1))
        self.eager, self.shapes = 0, []

    def in_a_graph(self) -> None:
        """Raise `NotYet` where the model was called eagerly."""
        if self.eager:
            raise NotYet(
                f"the model ran eagerly {self.eager} times", "a graph, traced once", RETRACE
            )


def _made(make: Callable, model: Any) -> Callable:
    answer = make(model)
    if not callable(answer):
        raise NotYet(
            f"{make.__name__} returned no function",
            "a function, to be called again and again",
            RETRACE,
        )
    return answer


def _batch(size: int) -> Any:
    from ..models import random_rows

    return random_rows(size, seed=random.randrange(10_000))


@exercise(
    "03.1",
    "one trace for every batch size",
    section=RETRACE,
    hints=(
        "Which part of the shape may differ from call to call? What does the graph have to know about it?",
        "`tf.function(model, input_signature=[...])` fixes what is traced; `tf.TensorSpec` takes None for open sizes.",
        "return tf.function(model, input_signature=[tf.TensorSpec((..., 10))])",
    ),
)
def _sizes(make_answer: Any) -> str:
    from ...measure.count import count

    seen = Seen()
    sizes = random.sample(range(2, 60), 3)
    sizes = [*sizes, 1, sizes[0], sizes[1]]
    with count() as n:
        answer = _made(make_answer, seen.model)
        for size in sizes:
            batch = _batch(size)
            agree(answer(batch), seen.plain(batch), f"for {size} rows", RETRACE)
    seen.in_a_graph()
    if n.traces >= len(sizes):
        raise NotYet(
            f"{n.traces} traces for {len(sizes)} calls",
            "1: make the tf.function before the calls",
            RETRACE,
        )
    if n.traces == 2:
        said = "2 traces: the first size is traced as it is, only the second one opens the shape"
        raise NotYet(said, "1: say from the start that the size is open", RETRACE)
    if n.traces > 1:
        raise NotYet(
            f"{n.traces} traces for 4 batch sizes", "1: leave the number of rows open", RETRACE
        )
    return "one trace for every batch size, results equal"


@exercise(
    "03.2",
    "one trace for every factor and every batch size",
    section=RETRACE,
    hints=(
        "What becomes part of the key: the value of a Python number, or of a tensor?",
        "A signature may hold several `tf.TensorSpec`; that of one number has the shape (). Python numbers are then "
        "turned into tensors for you.",
        "@tf.function(input_signature=[tf.TensorSpec((None, 10)), tf.TensorSpec(())]) above "
        "def scaled(batch, factor): return factor * model(batch)",
    ),
)
def _factors(make_scaled: Any) -> str:
    from ...measure.count import count

    seen = Seen()
    factors = [2, *(round(random.uniform(3.1, 9), 3) for _ in range(4)), 5]
    batch = _batch(8)
    with count() as by_factor:
        scaled = _made(make_scaled, seen.model)
        for factor in factors:
            got, wanted = scaled(batch, factor), factor * seen.plain(batch)
            if (
                got is not None
                and factor != factors[0]
                and not _differs(got, factors[0] * seen.plain(batch))
            ):
                said = f"for the factor {factor} you multiply with {factors[0]}, the factor of the first call"
                raise NotYet(said, "the factor of this call: as an argument of the graph", INSIDE)
            agree(got, wanted, f"for the factor {factor}", RETRACE)
    seen.in_a_graph()
    if by_factor.traces > 1:
        said = f"{by_factor.traces} traces for {len(factors)} factors and one batch size"
        raise NotYet(said, "1: let the factor reach the graph as a tensor", RETRACE)
    with count() as by_size:
        for size in (1, 3, 33):
            batch = _batch(size)
            agree(scaled(batch, 0.5), 0.5 * seen.plain(batch), f"for {size} rows", RETRACE)
    if by_size.traces:
        said = f"{by_size.traces} more trace{'s' * (by_size.traces > 1)} for 3 other batch sizes"
        raise NotYet(said, "none: leave the number of rows open", RETRACE)
    return "one trace for every factor and every batch size, results equal"


def _differs(got: Any, wanted: Any) -> bool:
    from ...measure.agreement import first_difference

    return first_difference(got, wanted) is not None


@exercise(
    "03.3",
    "one shape for every batch size",
    section=WORTH,
    hints=(
        "How can 5 rows become 64 rows without changing the answers to the first 5?",
        "`np.pad(batch, ((0, 64 - len(batch)), (0, 0)))` adds rows of zeros below. What about their answers?",
        "graph = tf.function(model); def answer(batch): pad to 64 rows, call the graph, return the first len(batch)",
    ),
)
def _padded(make_padded: Any) -> str:
    from ...measure.count import count

    seen = Seen()
    with count() as n:
        answer = _made(make_padded, seen.model)
        for size in (5, 64, 1, random.randrange(6, 64)):
            batch = _batch(size)
            try:
                got = answer(batch)
            except TypeError as error:
                if "Can not cast TensorSpec" not in str(error):
                    raise
                raise NotYet(
                    f"{size} rows do not fit the signature", "64 rows: pad before you call", WORTH
                ) from None
            if got is not None and getattr(got, "shape", (size,))[0] == 64 != size:
                raise NotYet(
                    f"64 answers for {size} rows",
                    f"{size}: cut off the answers to the padding",
                    WORTH,
                )
            agree(got, seen.plain(batch), f"for {size} rows", WORTH)
    seen.in_a_graph()
    if any(None in shape for shape in seen.shapes):
        said = "the graph was traced for an open number of rows, and XLA would compile it for each size anew"
        raise NotYet(said, "one fixed shape for all sizes: pad", WORTH)
    if n.traces > 1:
        raise NotYet(
            f"{n.traces} traces for 4 batch sizes", "1: every batch must have the same shape", WORTH
        )
    return "one trace for one fixed shape, results equal"


@exercise(
    "03.4",
    "one trace for a loop over the rows (stretch)",
    section=INSIDE,
    hints=(
        "Which loops does AutoGraph turn into a loop of the graph, and which does it unroll?",
        "`for i in tf.range(tf.shape(rows)[0])` stays a loop; a `tf.TensorArray` takes what a list would: "
        "out = out.write(i, state), and out.stack() at the end. An input_signature opens the number of rows.",
        "@tf.function(input_signature=[tf.TensorSpec((None, 3)), tf.TensorSpec(())]) above smooth; state = rows[0]; "
        "out = tf.TensorArray(tf.float32, size=tf.shape(rows)[0]); then the loop",
    ),
)
def _smooth(smooth: Any) -> str:
    import numpy as np

    from ...measure.count import count
    from ..models import random_rows as make_rows

    cases = [
        (n, round(random.uniform(0.1, 0.9), 3)) for n in (7, 1, 30, 2, random.randrange(31, 50))
    ]
    with count() as n:
        for size, keep in cases:
            data = make_rows(size, inputs=3, seed=random.randrange(10_000))
            state, wanted = data[0], []
            for row in data:
                state = keep * state + (1 - keep) * row
                wanted.append(state)
            agree(
                _states(smooth, data, keep),
                np.stack(wanted),
                f"for {size} rows and keep={keep}",
                INSIDE,
            )
    if not n.calls:
        raise NotYet("no tf.function was called", "a graph, traced once", INSIDE)
    if n.traces > 1:
        said = f"{n.traces} traces for {len(cases)} calls with other numbers of rows and other values of keep"
        raise NotYet(
            said, "1: a signature for both arguments, and a loop that stays a loop", INSIDE
        )
    return "one trace for any number of rows and any keep, results equal"


def _states(smooth: Any, data: Any, keep: float) -> Any:
    """Call `smooth`, and name the cure where one of the usual slips with a TensorArray shows."""
    import numpy as np

    slips = {
        "out of scope": (
            "a Python list cannot carry values out of a graph loop",
            "a `tf.TensorArray`",
        ),
        "with 0 elements": ("the TensorArray was made with size=0", "size=tf.shape(rows)[0]"),
        "`size` must be provided": (
            "`rows.shape[0]` is None: while tracing, nobody knows how many rows will come",
            "`tf.shape(rows)[0]`, for the size and in the loop",
        ),
    }
    try:
        got = smooth(data, keep)
    except Exception as error:
        for words, (seen, wanted) in slips.items():
            if words in str(error):
                raise NotYet(seen, wanted, INSIDE) from None
        raise
    if got is not None and got is not ... and not np.any(got) and np.shape(got) == data.shape:
        raise NotYet(
            "nothing but zeros",
            "`out = out.write(i, state)`: write returns the array to go on with",
            INSIDE,
        )
    return got
