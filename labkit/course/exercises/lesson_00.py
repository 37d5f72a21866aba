"""Exercises of lesson 00: how a lesson works."""

import random
from typing import Any

from .engine import NotYet, Spy, agree, exercise

ROUND = "One round: guess, measure, section, explain"


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
def _answer_all(answer_all: Any) -> str:
    from ..models import mlp, random_rows

    model = mlp()
    for n in (100, 1, random.randrange(2, 60), 250):
        spy, data = Spy(model), random_rows(n, seed=random.randrange(10_000))
        got = answer_all(spy, data)
        if len(spy.sizes) > 1:
            raise NotYet(f"{len(spy.sizes)} calls of the model for {n} rows", "one call", ROUND)
        agree(got, model(data), f"for {n} rows", ROUND)
    return "one call, results equal"


@exercise(
    "00.2",
    "read a ratio",
    section=ROUND,
    hints=(
        "In the table, which column says how many times as long the loop took?",
        'It is the column "relative to at_once"; in code, `cost.ratio["one_by_one"]`.',
        'return cost.ratio["one_by_one"].value',
    ),
)
def _times(times: Any) -> str:
    for slower in (4, random.randrange(20, 60)):
        cost = _measured(slower)
        got = times(cost)
        true = cost.ratio["one_by_one"]
        if isinstance(got, tuple):
            raise NotYet("a value with its interval", "the value alone: add `.value`", ROUND)
        if isinstance(got, bool) or not isinstance(got, (int, float)):
            raise NotYet(f"a {type(got).__name__}", "a number", ROUND)
        if abs(got * true.value - 1) < 0.02:
            raise NotYet(
                f"{got:.3g}, less than 1",
                "the loop's time relative to one call, not the other way round",
                ROUND,
            )
        if abs(got - cost.median["one_by_one"].value) < 1e-9:
            raise NotYet(
                f"{got:.3g}, the time of the loop in seconds", "its time relative to at_once", ROUND
            )
        if abs(got / true.value - 1) > 1e-6:
            raise NotYet(
                f"{got:.4g} for another measurement",
                f"its ratio, {true.value:.4g}: read it from `cost`",
                ROUND,
            )
    return "read from whatever was measured"


def _measured(slower: float) -> Any:
    """Return a comparison with known times, so that a number read off one's own table does not pass."""
    from ...measure.results import Comparison

    noise = [random.uniform(0.9, 1.1) for _ in range(40)]
    samples = {
        "at_once": [1e-4 * n for n in noise],
        "one_by_one": [1e-4 * slower * n for n in noise],
    }
    return Comparison(samples, "at_once", first_call=dict.fromkeys(samples, 1e-3), seconds=1.0)
