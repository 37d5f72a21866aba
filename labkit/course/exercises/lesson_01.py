"""Exercises of lesson 01: measuring honestly.

The checkers compare arithmetic on made-up times; they never read a clock.
"""

import random
import statistics
from typing import Any

from .engine import NotYet, exercise, expect_number, expect_result, is_close, reject_slips

FIRST = "The first call is another thing"
PAIRS = "Alone, one after the other, or in pairs"
VERDICT = "Read the verdict"


@exercise(
    "01.1",
    "the steady state of a list of times",
    section=FIRST,
    hints=(
        "Which entry of the list answers another question than the rest?",
        "`statistics.median` does not care about a few wild values; `times[1:]` leaves the first "
        "out.",
        "return statistics.median(times[1:])",
    ),
)
def _check_steady(steady: Any) -> str:
    for _ in range(5):
        _check_steady_state(steady, _times_of_calls())
    return "the first call left out, disturbed calls ignored"


def _check_steady_state(steady: Any, times: list[float]) -> None:
    got = expect_number(steady(list(times)), FIRST)
    later = times[1:]
    wanted = statistics.median(later)
    if is_close(got, wanted):
        return
    average = "an average: one disturbed call moves it a hundredfold"
    best = "the typical one: the best is as rare as the worst"
    slips = [
        (
            statistics.median(times),
            "the median of all times, the first call among them",
            "the first call left out",
        ),
        (statistics.fmean(later), average, "a robust middle"),
        (statistics.fmean(times), average, "a robust middle"),
        (min(times), "the best of all calls", best),
    ]
    reject_slips(got, slips, FIRST)
    raise NotYet(f"{got:.6f} s", f"{wanted:.6f} s for {times}", FIRST)


def _times_of_calls() -> list[float]:
    """Return the seconds of a slow first call, and of five later calls, one of them disturbed."""
    later = [1e-3 * random.lognormvariate(0, 0.05) for _ in range(4)]
    later.append(random.uniform(0.05, 0.2))
    random.shuffle(later)
    return [random.uniform(0.3, 0.9), *later]


@exercise(
    "01.2",
    "a ratio from pairs",
    section=PAIRS,
    hints=(
        "What did the two times of one round have in common?",
        "Divide within each round first; then take the middle of the ratios.",
        "ratios = [n / o for o, n in zip(old, new)]; return statistics.median(ratios)",
    ),
)
def _check_relative_time(relative_time: Any) -> str:
    for _ in range(5):
        old, new = _paired_times()
        _check_ratio(relative_time, old, new)
    return "the ratio within each round, then the middle one"


def _check_ratio(relative_time: Any, old: list[float], new: list[float]) -> None:
    got = expect_number(relative_time(list(old), list(new)), PAIRS)
    ratios = [n / o for o, n in zip(old, new, strict=True)]
    wanted = statistics.median(ratios)
    if is_close(got, wanted):
        return
    slips = [
        (
            statistics.median(new) / statistics.median(old),
            "the ratio of two medians: the pairs are torn apart",
            "the median of the ratios",
        ),
        (
            sum(new) / sum(old),
            "the ratio of the sums: the slowest moments decide",
            "the median of the ratios",
        ),
        (
            statistics.fmean(ratios),
            "the average of the ratios: one spoiled round moves it",
            "their median",
        ),
        (1 / wanted, "old relative to new", "new relative to old: new / old"),
    ]
    reject_slips(got, slips, PAIRS)
    raise NotYet(f"{got:.4f}", f"{wanted:.4f}", PAIRS)


def _paired_times() -> tuple[list[float], list[float]]:
    """Return the seconds of old and new code in 41 rounds, on a machine whose speed wanders."""
    true_ratio = random.choice((0.5, 0.8, 1.3))
    old = [1e-3 * 10 ** random.uniform(0, 1.5) for _ in range(41)]
    new = [true_ratio * seconds * random.lognormvariate(0, 0.01) for seconds in old]
    for round_number in random.sample(range(41), 8):
        # An interruption spoils one of the two times of this round.
        spoiled = random.choice((old, new))
        spoiled[round_number] *= 30
    return old, new


@exercise(
    "01.3",
    "the four verdicts",
    section=VERDICT,
    hints=(
        "Which end of the interval has to be below 1 / (1 + margin) for *faster*?",
        "Three questions, in this order: faster? slower? wholly inside the margin? Whatever is "
        "left is unclear.",
        'if high < 1 / (1 + margin): return "faster"; if low > 1 + margin: return "slower"; '
        "and so on",
    ),
)
def _check_say(say: Any) -> str:
    cases = [
        (0.40, 0.60, "faster"),
        (1.20, 1.40, "slower"),
        (0.98, 1.02, "similar"),
        (0.90, 1.02, "unclear"),
        (0.70, 1.30, "unclear"),
        (1.01, 1.30, "unclear"),
        (0.955, 1.045, "similar"),
        (0.90, 0.95, "faster"),
    ]
    random.shuffle(cases)
    for low, high, wanted in cases:
        _check_verdict(say(low, high), low, high, wanted)
    if say(0.97, 1.03, 0.01) != "unclear" or say(0.8, 0.9, 0.5) != "similar":
        raise NotYet("the same words whatever the margin", "the margin that is given", VERDICT)
    return "the whole interval decides, not its middle"


def _check_verdict(got: Any, low: float, high: float, wanted: str) -> None:
    interval = f"[{low}, {high}]"
    if got is None:
        raise NotYet(f"nothing for {interval}", "one of the four words in every case", VERDICT)
    if got == wanted:
        return
    reason = ""
    if wanted == "unclear":
        reason = ": the interval reaches across a bound"
    raise NotYet(f"{got!r} for {interval}", f"{wanted!r}{reason}", VERDICT)


@exercise(
    "01.4",
    "a balanced order of turns (stretch)",
    section=PAIRS,
    hints=(
        "What must be true of every block of two rounds, and what is left to chance?",
        '`random.sample(["ab", "ba"], 2)` gives both, in random order.',
        'for _ in range(blocks): order += random.sample(["ab", "ba"], 2)',
    ),
)
def _check_turns(turns: Any) -> str:
    order = turns(200)
    expect_result(order, "a list", PAIRS)
    order = list(order)
    if len(order) != 400 or set(order) - {"ab", "ba"}:
        seen = f"{len(order)} entries for 200 blocks"
        raise NotYet(seen, 'two entries a block, "ab" or "ba"', PAIRS)
    blocks = list(zip(order[::2], order[1::2], strict=True))
    unbalanced = blocks.count(("ab", "ab")) + blocks.count(("ba", "ba"))
    if unbalanced:
        seen = f"{unbalanced} of 200 blocks in which the same one goes first twice"
        raise NotYet(seen, "both once in every block", PAIRS)
    if len(set(blocks)) == 1:
        raise NotYet("the same order in every block", "chance decides who begins a block", PAIRS)
    return "both go first equally often, in an order that nothing can be in step with"
