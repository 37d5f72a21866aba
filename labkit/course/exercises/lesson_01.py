"""Exercises of lesson 01: measuring honestly.

The checkers compare arithmetic on made-up times; they never read a clock.
"""

import random
import statistics
from typing import Any

from .engine import NotYet, exercise, expect_number, expect_result, is_close, reject_slips

PAIRS = "Take turns, and divide"
VERDICT = "Read the verdict"
WORDS = ("faster", "slower", "similar", "unclear")
ROUNDS = 42  # the first one included: an odd number is left, so that one ratio is the middle


@exercise(
    "01.1",
    "a ratio from paired rounds",
    section=PAIRS,
    hints=(
        "What do the two times of one round have in common, and which round is not like the rest?",
        "Leave the first round out, divide within each round, then take the middle of the ratios: "
        "`zip`, and `statistics.median`.",
        "ratios = [n / o for o, n in zip(old[1:], new[1:])]\nreturn statistics.median(ratios)",
    ),
)
def _check_relative_time(relative_time: Any) -> str:
    for is_last_like_first in (True, False, True, False, False):
        old, new = _paired_times(is_last_like_first)
        _check_ratio(relative_time, old, new)
    # Of two rounds, the first call and one other: nothing is left to choose from.
    _check_ratio(relative_time, [0.9, 0.002], [0.4, 0.003])
    return "the first calls left out, the ratio within each round, then the middle one"


def _check_ratio(relative_time: Any, old: list[float], new: list[float]) -> None:
    got = expect_number(relative_time(list(old), list(new)), PAIRS)
    ratios = [n / o for o, n in zip(old, new, strict=True)]
    later = ratios[1:]
    wanted = statistics.median(later)
    if is_close(got, wanted):
        return
    slips = [
        (
            statistics.median(ratios),
            "the first round is among them: its calls had to prepare",
            "the rounds after it",
        ),
        (
            statistics.median(later[:-1] or later),
            "the last round is left out, too",
            "every round but the first",
        ),
        (
            statistics.median(ratios[:-1]),
            "the last round is left out, and the first is among them",
            "the first one left out",
        ),
        (
            statistics.median(new[1:]) / statistics.median(old[1:]),
            "the ratio of two medians: the pairs are torn apart",
            "the median of the ratios",
        ),
        (
            statistics.median(new) / statistics.median(old),
            "the ratio of two medians: the pairs are torn apart",
            "the median of the ratios",
        ),
        (
            sum(new[1:]) / sum(old[1:]),
            "the ratio of the sums: the slowest moments decide",
            "the median of the ratios",
        ),
        (
            sum(new) / sum(old),
            "the ratio of the sums: the slowest moments decide",
            "the median of the ratios",
        ),
        (
            statistics.fmean(later),
            "the average of the ratios: one interrupted round moves it",
            "their median",
        ),
        (
            statistics.fmean(ratios),
            "the average of the ratios: one interrupted round moves it",
            "their median",
        ),
        (min(later), "the smallest ratio: its old time was interrupted", "the middle one"),
        (1 / wanted, "old relative to new", "new relative to old: new / old"),
    ]
    reject_slips(got, slips, PAIRS)
    raise NotYet(f"{got:.6g}", f"{wanted:.6g}", PAIRS)


def _paired_times(is_last_like_first: bool) -> tuple[list[float], list[float]]:
    """Return the seconds of old and new code in paired rounds, on a machine whose speed wanders.

    The first round holds the first calls. Interruptions spoil one time of some other rounds.

    Where the last ratio is on the same side of the middle as the first, to keep the first moves
    the middle one way, and to lose the last moves it the other way. Where it is on the other side,
    to keep the one and lose the other moves it twice.
    """
    true_ratio = random.choice((0.5, 0.8, 1.3))
    old = [1e-3 * 10 ** random.uniform(0, 1.5) for _ in range(ROUNDS)]
    new = [true_ratio * seconds * random.lognormvariate(0, 0.01) for seconds in old]
    old[0] = random.uniform(0.3, 0.9)
    for round_number in random.sample(range(1, ROUNDS), 8):
        spoiled = random.choice((old, new))
        spoiled[round_number] *= 30
    later = [n / o for o, n in zip(old[1:], new[1:], strict=True)]
    is_last_low = later[-1] < statistics.median(later)
    new[0] = old[0] * (0.01 if is_last_low == is_last_like_first else 100)
    return old, new


@exercise(
    "01.2",
    "the four verdicts",
    section=VERDICT,
    hints=(
        "Which end of the interval has to be below 1 / (1 + margin) for *faster*?",
        "Three questions, in this order: faster? slower? wholly inside the margin? Whatever is "
        "left is unclear.",
        'if high < 1 / (1 + margin):\n    return "faster"\nif low > 1 + margin:\n    '
        'return "slower"',
    ),
)
def _check_verdict(verdict: Any) -> str:
    cases = [
        (0.40, 0.60, 0.05, "faster"),
        (1.20, 1.40, 0.05, "slower"),
        (0.98, 1.02, 0.05, "similar"),
        (0.90, 1.02, 0.05, "unclear"),
        (0.70, 1.30, 0.05, "unclear"),
        (1.01, 1.30, 0.05, "unclear"),
        (0.955, 1.045, 0.05, "similar"),
        (0.90, 0.95, 0.05, "faster"),
    ]
    random.shuffle(cases)
    for case in cases:
        _check_word(verdict, *case)
    # The ends of the margin belong to it, and another margin has other ends.
    others = [
        (0.97, 1.03, 0.01, "unclear"),
        (0.80, 0.90, 0.50, "similar"),
        (0.60, 0.70, 0.25, "faster"),
        (1.26, 1.28, 0.25, "slower"),
        (0.80, 1.25, 0.25, "similar"),
        (0.70, 0.80, 0.25, "unclear"),
        (1.25, 1.40, 0.25, "unclear"),
    ]
    for case in others:
        _check_word(verdict, *case)
    if verdict(0.98, 1.02) != "similar" or verdict(0.90, 0.94) != "faster":
        raise NotYet("another margin where none is given", "one of 0.05", VERDICT)
    return "the whole interval decides, not its middle"


def _check_word(verdict: Any, low: float, high: float, margin: float, wanted: str) -> None:
    interval = f"[{low}, {high}] with the margin {margin}"
    got = verdict(low, high, margin)
    if got is None:
        raise NotYet(f"nothing for {interval}", "one of the four words in every case", VERDICT)
    if got == wanted:
        return
    if got not in WORDS:
        words = ", ".join(map(repr, WORDS))
        raise NotYet(f"{got!r} for {interval}", f"one of {words}", VERDICT)
    edges = 1 / (1 + margin), 1 + margin
    if {got, wanted} == {"faster", "slower"}:
        reason = ": of new / old, below 1 the new code is faster"
    elif not {low, high}.isdisjoint(edges):
        reason = ": an end on an edge of the band belongs to the band"
    elif wanted == "unclear":
        reason = ": the interval reaches across a bound, or touches it"
    elif wanted == "faster":
        reason = f": the lower edge of the margin is 1 / (1 + margin), here {edges[0]:.3f}"
    else:
        reason = ""
    raise NotYet(f"{got!r} for {interval}", f"{wanted!r}{reason}", VERDICT)


@exercise(
    "01.3",
    "a balanced order of turns (stretch)",
    section=PAIRS,
    hints=(
        "What must be true of every block of two rounds, and what is left to chance?",
        '`random.sample(["ab", "ba"], 2)` gives both, in random order.',
        'for _ in range(blocks):\n    order += random.sample(["ab", "ba"], 2)',
    ),
)
def _check_turns(turns: Any) -> str:
    order = turns(200)
    expect_result(order, "a list", PAIRS)
    order = list(order)
    if len(order) != 400:
        seen = f"{len(order)} entries for 200 blocks"
        raise NotYet(seen, 'two entries a block, "ab" or "ba"', PAIRS)
    strange = [entry for entry in order if not isinstance(entry, str) or entry not in ("ab", "ba")]
    if strange:
        raise NotYet(f"an entry is {strange[0]!r}", '"ab" or "ba", the order of a round', PAIRS)
    blocks = list(zip(order[::2], order[1::2], strict=True))
    unbalanced = blocks.count(("ab", "ab")) + blocks.count(("ba", "ba"))
    if unbalanced:
        seen = f"{unbalanced} of 200 blocks in which the same one goes first twice"
        raise NotYet(seen, "both once in every block", PAIRS)
    changes = sum(one != other for one, other in zip(blocks[1:], blocks, strict=False))
    # By chance half of 199: outside this range less often than once in a million.
    if not 60 < changes < 140:
        seen = "the order of a block follows from the one before"
        raise NotYet(seen, "chance decides who begins a block", PAIRS)
    if list(turns(200)) == order:
        raise NotYet("the same order in every call", "chance: no seed in the function", PAIRS)
    return "both go first equally often, in an order that nothing can be in step with"
