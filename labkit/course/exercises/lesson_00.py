"""Exercises of lesson 00: how a lesson works."""

import random
from typing import Any

from ...measure.results import Comparison
from ..models import mlp
from .engine import NotYet, Spy, agree, exercise, expect_number, fresh_rows, is_close

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
    model = mlp()
    rows = fresh_rows(n)
    spy = Spy(model)
    got = answer_all(spy, rows)
    if len(spy.sizes) > 1:
        raise NotYet(f"{len(spy.sizes)} calls of the model for {n} rows", "one call", ROUND)
    agree(got, model(rows), f"for {n} rows", ROUND)


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
def _check_times(times: Any) -> str:
    for slowdown in (4, random.randrange(20, 60)):
        _check_ratio(times, _comparison(slowdown))
    return "read from whatever was measured"


def _check_ratio(times: Any, cost: Comparison) -> None:
    got = times(cost)
    if isinstance(got, tuple):
        raise NotYet("a value with its interval", "the value alone: add `.value`", ROUND)
    number = expect_number(got, ROUND)
    ratio = cost.ratio["one_by_one"].value
    seconds = cost.median["one_by_one"].value
    if is_close(number, ratio):
        return
    if abs(number * ratio - 1) < 0.02:
        wanted = "the loop's time relative to one call, not the other way round"
        raise NotYet(f"{number:.3g}, less than 1", wanted, ROUND)
    if is_close(number, seconds):
        seen = f"{number:.3g}, the time of the loop in seconds"
        raise NotYet(seen, "its time relative to at_once", ROUND)
    wanted = f"its ratio, {ratio:.4g}: read it from `cost`"
    raise NotYet(f"{number:.4g} for another measurement", wanted, ROUND)


def _comparison(slowdown: float) -> Comparison:
    """Return a comparison with known times.

    It is not the learner's own: a number copied from their table must not pass.
    """
    noise = [random.uniform(0.9, 1.1) for _ in range(40)]
    samples = {
        "at_once": [1e-4 * factor for factor in noise],
        "one_by_one": [1e-4 * slowdown * factor for factor in noise],
    }
    first_call = {"at_once": 1e-3, "one_by_one": 1e-3}
    return Comparison(samples, "at_once", first_call=first_call, seconds=1.0)
