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
    is_nothing,
)

COST = "What does one row cost?"
ROWS = "More rows in a call"
LAYERS = "More layers, or wider ones"
INPUTS = 20  # numbers per row of the service


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
    model = service()
    rows = _fresh_requests(n)
    spy = Spy(model)
    got = score(spy, list(rows))
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
    model = service()
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
    calls_of_10 = _python_calls(depth=10)
    calls_of_20 = _python_calls(depth=20)
    wanted = (calls_of_20 - calls_of_10) / 10
    layers = round(got / wanted)
    if layers > 1 and abs(got / wanted - layers) < 0.02:
        seen = f"{got:g}, which is what {layers} layers cost"
        raise NotYet(seen, f"one layer: divide by {layers}", LAYERS)
    if got > 1.1 * wanted:
        reason = "the difference that one more layer makes: a call costs something by itself"
        raise NotYet(f"{got:g}", reason, LAYERS)
    if abs(got - wanted) > 0.1 * wanted:
        raise NotYet(f"{got:g}", "what a count of two depths gives, to one part in ten", LAYERS)
    return "each further layer costs that many Python calls, whatever its width"


def _python_calls(depth: int) -> int:
    """Return the Python calls of one call of a model with `depth` layers."""
    model = mlp(depth=depth, inputs=INPUTS)
    row = _fresh_requests(1)
    model(row)
    with count() as n:
        model(row)
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
    """An iterator over rows that counts how many were taken."""

    def __init__(self, rows: Any):
        self._rows = iter(rows)
        self.taken = 0

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        row = next(self._rows)
        self.taken += 1
        return row


def _check_batches_of_stream(batched: Any, n: int) -> None:
    model = service()
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
