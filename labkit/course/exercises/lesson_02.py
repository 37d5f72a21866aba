"""Exercises of lesson 02: the direct call loop."""

import math
import random
from collections.abc import Iterator
from typing import Any

from ...measure.count import count
from ..models import mlp, service
from .engine import (
    EXERCISE_TEXT,
    NotYet,
    Spy,
    agree,
    exercise,
    expect_function,
    expect_number,
    fresh_rows,
    is_close,
    is_nothing,
    reject_slips,
)

COST = "What does one row cost?"
ROWS = "More rows in a call"
LAYERS = "More layers, or wider ones"
INPUTS = 20  # numbers per row of the service
# The calls of model(x) are the same everywhere; a call divided by 100 layers is as near as that.
EXACT = 5e-3
# How often a stream is asked after its end: itertools.zip_longest does it for each row of a batch.
MOST_ASKED = 100


def _fresh_service() -> Any:
    """Return a service with other weights than that of the notebook, which has seed 0."""
    return service(seed=random.randrange(1, 10_000))


def _fresh_requests(n: int) -> Any:
    """Return `n` rows for the service, with numbers of both signs."""
    return 2 * fresh_rows(n, inputs=INPUTS) - 1


@exercise(
    "02.1",
    "score many requests with few calls",
    section=ROWS,
    hints=(
        "What does a call cost with 64 rows, compared with one row? How many calls do you need "
        "then?",
        "`np.stack(requests)` turns a list of rows into one array; slices of 64 of it are batches.",
        "batches = np.stack(requests); parts = [model(batches[i:i + 64]) for i in range(0, "
        "len(batches), 64)]; then join the parts with np.concatenate.",
    ),
)
def _check_score(score: Any) -> str:
    for n in (64, 200, random.randrange(65, 300), 1):
        _check_calls_for_requests(score, n)
    return "the fewest calls that batches of 64 allow, results equal"


def _check_calls_for_requests(score: Any, n: int) -> None:
    model = _fresh_service()
    rows = _fresh_requests(n)
    spy = Spy(model)
    got = score(spy, list(rows))
    spy.expect_called(ROWS)
    fewest = math.ceil(n / 64)
    if len(spy.sizes) > fewest:
        seen = f"{len(spy.sizes)} model calls for {n} requests"
        raise NotYet(seen, f"at most {fewest}", ROWS)
    largest = max(spy.sizes, default=0)
    if largest > 64:
        raise NotYet(f"a batch of {largest} rows", "at most 64 rows in one call", EXERCISE_TEXT)
    agree(got, model(rows), f"for {n} requests", ROWS)


@exercise(
    "02.2",
    "answer one row with few Python calls",
    section=COST,
    hints=(
        "Look at the table of counts. Which way to answer one row makes no trace, and the fewest "
        "Python calls?",
        "`model.predict_on_batch` replays a graph that it keeps; `tf.function(model)` does so, "
        "too, if you make it once and not for each row.",
        "return model.predict_on_batch",
    ),
)
def _check_make_answer(make_answer: Any) -> str:
    model = _fresh_service()
    rows = _fresh_requests(40)
    answer = expect_function(make_answer(model), "make_answer", "a function that takes one row")
    for i in range(20):
        row = rows[i : i + 1]
        agree(answer(row), model(row), f"for row {i}", COST)
    row = rows[20:21]
    with count() as eager:
        model(row)
    with count() as n:
        answer(row)
    if n.traces:
        seen = f"new traces for one more row: {n.traces}"
        raise NotYet(seen, "none: replay a graph that was traced once, outside", COST)
    if n.python_calls > 0.7 * eager.python_calls:
        seen = (
            f"{n.python_calls:,} Python calls for one row, "
            f"against {eager.python_calls:,} of model(row)"
        )
        raise NotYet(seen, "fewer than 70 % of them", COST)
    return "no new trace, fewer Python calls than model(row), results equal"


@exercise(
    "02.3",
    "count what a layer costs",
    section=LAYERS,
    hints=(
        "Count the Python calls of a model with 5 layers and of one with 6. What is the "
        "difference?",
        "`with lab.count() as n: ...` and `n.python_calls`; call each model once before, to build "
        "it.",
        "Count models of 10 and 20 layers and divide the difference by 10.",
    ),
)
def _check_per_layer(per_layer: Any) -> str:
    got = expect_number(per_layer, LAYERS, seen="per_layer is")
    total = _python_calls(depth=10)
    wanted = (_python_calls(depth=20) - total) / 10
    layers = round(got / wanted)
    if layers > 1 and abs(got / wanted - layers) < 0.02:
        seen = f"{got:g}, which is what {layers} layers cost"
        raise NotYet(seen, f"one layer: divide by {layers}", LAYERS)
    reason = "the difference that one more layer makes: a call costs something by itself"
    reject_slips(got, _whole_calls_divided(total, wanted, reason), LAYERS, 1e-4)
    if is_close(got, wanted, EXACT) or is_close(got, _calls_in_inference(), EXACT):
        return "each further layer costs that many Python calls, whatever its width"
    if got > wanted:
        raise NotYet(f"{got:g}", reason, LAYERS)
    raise NotYet(f"{got:g}", "what a count of two depths gives", LAYERS)


def _whole_calls_divided(
    calls_of_10: int, per_layer: float, wanted: str
) -> Iterator[tuple[float, str, str]]:
    """Give the slips of a whole call divided by its layers, for models of up to 100 layers."""
    by_itself = calls_of_10 - 10 * per_layer
    for depth in range(2, 101):
        seen = f"the Python calls of a whole call, divided by its {depth} layers"
        yield per_layer + by_itself / depth, seen, wanted


def _calls_in_inference() -> float:
    """Return what a layer costs in `model(row, training=False)`: each layer passes that on."""
    return (_python_calls(20, training=False) - _python_calls(10, training=False)) / 10


def _python_calls(depth: int, **options: Any) -> int:
    """Return the Python calls of one call of a model with `depth` layers."""
    model = mlp(depth=depth, inputs=INPUTS)
    row = _fresh_requests(1)
    model(row, **options)
    with count() as n:
        model(row, **options)
    return n.python_calls


@exercise(
    "02.4",
    "collect a stream into batches (stretch)",
    section=ROWS,
    hints=(
        "When do you have to call the model: when the batch is full, and when else?",
        "Collect rows in a list; when it holds 32, call the model, yield its rows one by one, "
        "start a new list.",
        "for row in stream: waiting.append(row); if len(waiting) == 32: yield from "
        "model(np.stack(waiting)); waiting = []. After the loop, once more for what is left.",
    ),
)
def _check_batched(batched: Any) -> str:
    for n in (70, 5, 32, random.randrange(33, 200), 0):
        _check_batches_of_stream(batched, n)
    return "every row answered in order, batches of 32, nothing held back"


class _Stream:
    """An iterator over rows that counts how many were taken, and how often it was asked in vain."""

    def __init__(self, rows: Any):
        self._rows = iter(rows)
        self.taken = 0
        self._in_vain = 0

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        for row in self._rows:
            self.taken += 1
            return row
        self._in_vain += 1
        if self._in_vain > MOST_ASKED:
            seen = f"the stream has ended, and was asked for another row {MOST_ASKED} times"
            raise NotYet(seen, "an end: leave the loop when no row is left", ROWS)
        raise StopIteration


def _check_batches_of_stream(batched: Any, n: int) -> None:
    model = _fresh_service()
    rows = _fresh_requests(n)
    spy = Spy(model)
    stream = _Stream(rows)
    answers = batched(spy, stream)
    if is_nothing(answers):
        raise NotYet("your function returned nothing", "a generator: use `yield`", ROWS)
    got: list[Any] = []
    most_unanswered = 0
    for answer in answers:
        most_unanswered = max(most_unanswered, stream.taken - len(got))
        got.append(answer)
        if len(got) > n:
            seen = f"more than {n} answers for {n} rows"
            raise NotYet(seen, "one per row: none for padding, none twice", ROWS)
    if n:
        spy.expect_called(ROWS)
    _check_answers(got, model, rows)
    fewest = math.ceil(n / 32)
    if len(spy.sizes) > fewest:
        raise NotYet(f"{len(spy.sizes)} model calls for {n} rows", f"at most {fewest}", ROWS)
    if most_unanswered > 32:
        seen = f"{most_unanswered} rows were taken before the first of them was answered"
        raise NotYet(seen, "at most 32", ROWS)


def _check_answers(got: list, model: Any, rows: Any) -> None:
    """Check that a list holds one answer of shape (1,) for each row, in order."""
    n = len(rows)
    if got:
        shape = tuple(getattr(got[0], "shape", (1,)))
        if shape[:1] != (1,):
            seen = f"answers of shape {shape}"
            raise NotYet(seen, "one answer per row: `yield from` a batch", ROWS)
    if len(got) != n:
        wanted = f"{n}: is the last, partial batch forgotten?"
        raise NotYet(f"{len(got)} answers for {n} rows", wanted, ROWS)
    if n:
        agree(got, list(model(rows)), f"for {n} rows", ROWS)
