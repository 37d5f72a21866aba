"""Exercises of lesson 00: how a lesson works."""

import random
from typing import Any

from .engine import NotYet, Spy, agree, exercise

ROUND = "One round: guess, measure, look, explain"


@exercise(
    "00.1",
    "answer all rows with one call",
    look=ROUND,
    hints=(
        "What does the model accept: one row only, or an array of many rows?",
        "`model(rows)` takes all rows at once.",
        "return model(rows)",
    ),
)
def _answer_all(answer_all: Any) -> str:
    from ..models import mlp, rows

    model = mlp()
    for n in (100, 1, random.randrange(2, 60), 250):
        spy, data = Spy(model), rows(n, seed=random.randrange(10_000))
        got = answer_all(spy, data)
        if len(spy.sizes) > 1:
            raise NotYet(f"{len(spy.sizes)} calls of the model for {n} rows", "one call", ROUND)
        agree(got, model(data), f"for {n} rows", ROUND)
    return "one call, results equal"


@exercise(
    "00.2",
    "read a ratio",
    look=ROUND,
    hints=(
        "In the table, which column says how many times as long the loop took?",
        'It is the column "relative to at_once"; in code, `cost.ratio["one_by_one"]`.',
        'times = cost.ratio["one_by_one"].value',
    ),
)
def _times(times: Any) -> str:
    if isinstance(times, tuple):
        raise NotYet("a value with its interval", "the value alone: add `.value`", ROUND)
    if isinstance(times, bool) or not isinstance(times, (int, float)):
        raise NotYet(f"a {type(times).__name__}", "a number", ROUND)
    if 0 < times < 1:
        raise NotYet(
            f"{times:.3g}, less than 1", "the loop's time relative to one call, not the other way round", ROUND
        )
    if not 2 < times < 100_000:
        raise NotYet(f"{times:g}", "the figure of the row one_by_one", ROUND)
    return "the loop took many times as long, for the same answers"
