"""Exercises of lesson 03: one trace, whatever comes."""

import operator
import random
from collections.abc import Iterable, Iterator
from typing import Any

from ...measure.agreement import first_difference
from ...measure.count import count
from .engine import NotYet, agree, exercise, expect_function, expect_result, is_nothing, type_of
from .watched import Watched, signed_rows

RETRACE = "When does it trace again?"
PRICE = "What does a trace cost, and how do you see it?"

CALLED_AGAIN = "a function, to be called again and again"


@exercise(
    "03.1",
    "one trace for every batch size",
    section=RETRACE,
    hints=(
        "Which part of the shape may differ from call to call? What does the graph have to know "
        "about it?",
        "`tf.function(model, input_signature=[...])` fixes what is traced; `tf.TensorSpec` takes "
        "None for open sizes.",
        "return tf.function(model, input_signature=[tf.TensorSpec((..., 20))])",
    ),
)
def _check_make_answer(make_answer: Any) -> str:
    watched = Watched()
    a, b = random.sample(range(2, 60), 2)
    sizes = [a, b, 60, 1, a, b]
    with count() as n:
        answer = expect_function(make_answer(watched.model), "make_answer", CALLED_AGAIN, RETRACE)
        beforehand = len(watched.traced_shapes)
        after_call = []
        for size in sizes:
            batch = signed_rows(size)
            agree(answer(batch), watched.plain(batch), f"for {size} rows", RETRACE)
            after_call.append(n.traces)
    watched.expect_graph(RETRACE)
    _check_traces(watched.traces(after_call[-1] - after_call[0]), beforehand, len(sizes))
    return "one trace for every batch size, results equal"


def _check_traces(traces: int, beforehand: int, calls: int) -> None:
    """Raise `NotYet` for more than one trace, with the usual reason for that many."""
    if traces == 2:
        seen = "2 traces: the first is for one size only, the second opens the shape"
        raise NotYet(seen, "1: say from the start that the size is open", RETRACE)
    if beforehand > 1:
        seen = f"{beforehand} traces before the first call"
        raise NotYet(seen, "1: leave the number of rows open", RETRACE)
    if traces >= calls:
        seen = f"{traces} traces for {calls} calls"
        raise NotYet(seen, "1: make the tf.function before the calls", RETRACE)
    if traces > 1:
        seen = f"{traces} traces for 4 batch sizes"
        raise NotYet(seen, "1: leave the number of rows open", RETRACE)


@exercise(
    "03.2",
    "one trace for every factor and every batch size",
    section=RETRACE,
    hints=(
        "What becomes part of the key: the value of a Python number, or of a tensor?",
        "A signature may hold several `tf.TensorSpec`; that of one number has the shape (). "
        "Python numbers are then turned into tensors for you.",
        "@tf.function(input_signature=[tf.TensorSpec((None, 20)), tf.TensorSpec(())]) above "
        "def scaled(batch, factor): return factor * model(batch)",
    ),
)
def _check_make_scaled(make_scaled: Any) -> str:
    watched = Watched()
    with count() as by_factor:
        scaled = expect_function(make_scaled(watched.model), "make_scaled", CALLED_AGAIN, RETRACE)
        factors = [2, *_fractions(4), -5]
        _check_factors(scaled, factors[:1], watched.plain)
        first = by_factor.traces
        _check_factors(scaled, factors, watched.plain)
    watched.expect_graph(RETRACE)
    traces = watched.traces(by_factor.traces - first)
    if traces > 1:
        seen = f"{traces} traces for {len(factors)} factors and one batch size"
        raise NotYet(seen, "1: let the factor reach the graph as a tensor", RETRACE)
    with count() as by_size:
        for size in (1, 3, 33):
            batch = signed_rows(size)
            agree(scaled(batch, 0.5), 0.5 * watched.plain(batch), f"for {size} rows", RETRACE)
    if by_size.traces:
        seen = f"traces for 3 other batch sizes: {by_size.traces}"
        raise NotYet(seen, "none: leave the number of rows open", RETRACE)
    return "one trace for every factor and every batch size, results equal"


def _fractions(n: int) -> list[float]:
    return [round(random.uniform(3.1, 9), 3) for _ in range(n)]


def _check_factors(scaled: Any, factors: list[float], plain: Any) -> None:
    """Check the answers for several factors, and name the slip of a factor frozen at the first."""
    batch = signed_rows(8)
    first = factors[0]
    for factor in factors:
        got = scaled(batch, factor)
        if factor != first and not is_nothing(got):
            frozen = first_difference(got, first * plain(batch)) is None
            if frozen:
                seen = f"for the factor {factor} you multiply by {first}, that of the first call"
                wanted = "the factor of this call: as an argument of the graph"
                raise NotYet(seen, wanted, RETRACE)
        agree(got, factor * plain(batch), f"for the factor {factor}", RETRACE)


@exercise(
    "03.3",
    "one trace for an object that changes",
    section=RETRACE,
    hints=(
        "What does the key hold of an object: which one it is, or what is in it?",
        "Take the two numbers out of the object before the graph is called, and give them to a "
        "tf.function with a signature of three: batch, scale, shift.",
        "@tf.function(input_signature=[tf.TensorSpec((None, 20)), tf.TensorSpec(()), "
        "tf.TensorSpec(())]) above def graph(batch, scale, shift); then return lambda batch, "
        "settings: graph(batch, settings.scale, settings.shift)",
    ),
)
def _check_make_configured(make_configured: Any) -> str:
    watched = Watched()
    # All of them at once: an object that is gone may leave its id to the next one.
    one, *others = (_Settings(2.0, 0.25) for _ in range(4))
    with count() as n:
        answer = make_configured(watched.model)
        expect_function(answer, "make_configured", CALLED_AGAIN, RETRACE)
        _check_settings(answer, watched.plain, one, 8)
        first = n.traces
        _check_one_object_that_changes(answer, watched.plain, one)
        of_one = watched.traces(n.traces - first)
        first = n.traces
        for settings in others:
            settings.scale, settings.shift = random.uniform(2, 20), random.uniform(-9, 9)
            _check_settings(answer, watched.plain, settings, 8)
        of_new = n.traces - first
        first = n.traces
        one.scale, one.shift = 0.5, 1.0
        for size in (1, 3, 40):
            _check_settings(answer, watched.plain, one, size)
        of_sizes = n.traces - first
    watched.expect_graph(RETRACE)
    if of_one > 1:
        seen = f"{of_one} traces for one object with other numbers"
        raise NotYet(seen, "1: let its numbers reach the graph as tensors", RETRACE)
    if of_new:
        seen = f"a trace for each new object: {of_new}"
        raise NotYet(seen, "none: give the graph its numbers, and not the object", RETRACE)
    if of_sizes:
        seen = f"traces for 3 other batch sizes: {of_sizes}"
        raise NotYet(seen, "none: leave the number of rows open", RETRACE)
    return "one trace, whatever the object and whatever is in it, results equal"


class _Settings:
    """The settings of a request: two numbers, in an object whose identity is its key."""

    def __init__(self, scale: float, shift: float):
        self.scale = scale
        self.shift = shift


def _check_one_object_that_changes(answer: Any, plain: Any, settings: _Settings) -> None:
    """Check one object whose numbers change, and name the slip of numbers frozen at the first."""
    batch = signed_rows(8)
    at_first = settings.scale * plain(batch) + settings.shift
    for scale, shift in ((2.0, 0.25), (-3.5, 0.25), (-3.5, -1.0), (0.0, 4.0)):
        settings.scale, settings.shift = scale, shift
        got = answer(batch, settings)
        wanted = scale * plain(batch) + shift
        follows = first_difference(got, wanted) is None
        if not is_nothing(got) and not follows and first_difference(got, at_first) is None:
            seen = f"after scale={scale}, shift={shift} the answers are those of the first call"
            raise NotYet(seen, "the numbers of this call: the object is the same, so is its key")
        agree(got, wanted, f"for scale={scale}, shift={shift}", RETRACE)


def _check_settings(answer: Any, plain: Any, settings: _Settings, size: int) -> None:
    batch = signed_rows(size)
    wanted = settings.scale * plain(batch) + settings.shift
    where = f"for {size} rows, scale={settings.scale:.3g} and shift={settings.shift:.3g}"
    agree(answer(batch, settings), wanted, where, RETRACE)


@exercise(
    "03.4",
    "name the calls that trace (stretch)",
    section=PRICE,
    hints=(
        "Which counter of a tf.function goes up when a call traces?",
        "`function.experimental_get_tracing_count()` before and after each call; `enumerate` "
        "gives the positions.",
        "found = []; for i, x in enumerate(inputs): remember the count, call function(x), and "
        "append i if the count is larger now; return found",
    ),
)
def _check_which_trace(which_trace: Any) -> str:
    for options in ({}, {"reduce_retracing": True}):
        for _ in range(3):
            _check_positions(which_trace, options)
    return "each call that traces is found, none is called twice"


def _check_positions(which_trace: Any, options: dict[str, bool]) -> None:
    inputs = _mixed_inputs()
    used, twin = _used_function(options), _used_function(options)
    with count() as n:
        got = which_trace(used, inputs)
        if isinstance(got, Iterator):  # a generator has called nothing yet
            got = list(got)
    wanted = _positions_of_traces(twin, inputs)
    expect_result(got, "a list of positions", PRICE)
    if len(n.calls) != len(inputs):
        seen = f"{len(n.calls)} calls for {len(inputs)} inputs"
        raise NotYet(seen, "one call for each input", PRICE)
    found = _as_positions(got)
    if found == [position + 1 for position in wanted]:
        raise NotYet("the positions begin with 1", "positions from 0 on, as in a list", PRICE)
    if set(wanted) < set(found):
        more = sorted(set(found) - set(wanted))
        seen = f"positions {more} are in your list, and these calls do not trace"
        raise NotYet(seen, f"{wanted} for this list", PRICE)
    if found != wanted:
        raise NotYet(f"{found} for a list whose calls {wanted} trace", str(wanted), PRICE)


def _as_positions(got: Any) -> list[int]:
    """Return the entries of an answer as numbers, and raise `NotYet` for anything else."""
    if not isinstance(got, Iterable):
        raise NotYet(f"your function returned {type_of(got)}", "a list of positions", PRICE)
    found = []
    for entry in got:
        try:
            found.append(operator.index(entry))
        except TypeError:
            seen = f"an entry of your list is {type_of(entry)}"
            raise NotYet(seen, "positions: the numbers that `enumerate` gives", PRICE) from None
    if any(isinstance(entry, bool) for entry in got):
        raise NotYet("True or False for each input", "the positions of those that trace", PRICE)
    return found


def _mixed_inputs() -> list[Any]:
    """Return inputs of a few shapes, dtypes and values, some of them more than once."""
    pool = [
        signed_rows(1),
        signed_rows(1),
        signed_rows(3),
        signed_rows(3).astype("float64"),
        signed_rows(5),
        2,
        2.0,
        7,
    ]
    inputs = [*pool, *random.choices(pool, k=4)]  # all kinds: several calls trace
    random.shuffle(inputs)
    return inputs


def _used_function(options: dict[str, bool]) -> Any:
    """Return a tf.function with two traces from before."""
    import tensorflow as tf

    function = tf.function(lambda x: tf.add(x, x), **options)
    function(signed_rows(1))
    function(7)
    return function


def _positions_of_traces(function: Any, inputs: list[Any]) -> list[int]:
    """Return the positions of the inputs whose calls trace: the oracle."""
    found = []
    for position, value in enumerate(inputs):
        before = function.experimental_get_tracing_count()
        function(value)
        if function.experimental_get_tracing_count() > before:
            found.append(position)
    return found
