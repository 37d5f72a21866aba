"""Exercises of lesson 00: how a lesson works."""

import random
from typing import Any

from ..models import mlp
from .engine import NotYet, Spy, agree, exercise, fresh_rows

ROUND = "One round: guess, measure, look, explain"


@exercise(
    "00.1",
    "answer all rows with one call",
    section=ROUND,
    hints=(
        "What does the model accept: one row only, or an array of many rows?",
        "`model(rows)` takes all rows at once.",
        "return model(rows)",
    ),
)
def _check_answer_all(answer_all: Any) -> str:
    for n in (100, 1, random.randrange(2, 60), 250):
        _check_one_call(answer_all, n)
    return "one call, results equal"


def _check_one_call(answer_all: Any, n: int) -> None:
    model = mlp(seed=random.randrange(1, 10_000))  # not the model of the notebook, which has seed 0
    rows = fresh_rows(n)
    spy = Spy(model)
    got = answer_all(spy, rows)
    if len(spy.sizes) > 1:
        seen = f"{len(spy.sizes)} calls of the model for {n} rows"
        batches_of_predict = [min(32, n - start) for start in range(0, n, 32)]
        if spy.sizes == batches_of_predict:
            seen += ": `predict` makes one for every 32 rows"
        raise NotYet(seen, "one call", ROUND)
    spy.expect_called(ROUND)
    agree(got, model(rows), f"for {n} rows", ROUND)
