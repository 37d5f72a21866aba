"""Exercises of lesson 01: measuring honestly. They judge arithmetic on recorded times, never a clock."""

import random
import statistics
from typing import Any

from .engine import NotYet, exercise

FIRST = "The first call is another thing"
PAIRS = "Alone, one after the other, or in pairs"
VERDICT = "Read the verdict"


def _near(got: Any, wanted: float) -> bool:
    return abs(float(got) - wanted) <= 1e-9 + 1e-6 * abs(wanted)


def _number(value: Any, section: str) -> float:
    if value is None or value is ...:
        raise NotYet("your function returned nothing", "a number: is a `return` missing?", section)
    if isinstance(value, bool) or (
        not isinstance(value, (int, float)) and not hasattr(value, "__float__")
    ):
        raise NotYet(f"your function returned a {type(value).__name__}", "a number", section)
    return float(value)


@exercise(
    "01.1",
    "the steady state of a list of times",
    section=FIRST,
    hints=(
        "Which entry of the list answers another question than the rest?",
        "`statistics.median` does not care about a few wild values; `times[1:]` leaves the first out.",
        "return statistics.median(times[1:])",
    ),
)
def _steady(steady: Any) -> str:
    for _ in range(5):
        later = [1e-3 * random.lognormvariate(0, 0.05) for _ in range(4)] + [
            random.uniform(0.05, 0.2)
        ]
        random.shuffle(later)
        times = [random.uniform(0.3, 0.9), *later]
        got = _number(steady(list(times)), FIRST)
        if _near(got, statistics.median(times)):
            raise NotYet(
                "the median of all times, the first call among them",
                "the first call left out",
                FIRST,
            )
        if _near(got, statistics.fmean(times[1:])) or _near(got, statistics.fmean(times)):
            raise NotYet(
                "an average: one disturbed call moves it a hundredfold", "a robust middle", FIRST
            )
        if _near(got, min(times)):
            raise NotYet(
                "the best of all calls", "the typical one: the best is as rare as the worst", FIRST
            )
        if not _near(got, statistics.median(times[1:])):
            raise NotYet(f"{got:.6f} s", f"{statistics.median(times[1:]):.6f} s for {times}", FIRST)
    return "the first call apart, the disturbed ones ignored"


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
def _relative_time(relative_time: Any) -> str:
    for _ in range(5):
        true = random.choice((0.5, 0.8, 1.3))
        speed = [1e-3 * 10 ** random.uniform(0, 1.5) for _ in range(41)]  # the machine wanders
        old, new = list(speed), [true * s * random.lognormvariate(0, 0.01) for s in speed]
        for i in random.sample(range(41), 8):  # an interruption spoils one of the two
            (old if random.random() < 0.5 else new)[i] *= 30
        wanted = statistics.median(n / o for o, n in zip(old, new, strict=True))
        got = _number(relative_time(list(old), list(new)), PAIRS)
        if _near(got, statistics.median(new) / statistics.median(old)):
            raise NotYet(
                "the ratio of two medians: the pairs are torn apart",
                "the median of the ratios",
                PAIRS,
            )
        if _near(got, sum(new) / sum(old)):
            raise NotYet(
                "the ratio of the sums: the slowest moments decide",
                "the median of the ratios",
                PAIRS,
            )
        if _near(got, statistics.fmean(n / o for o, n in zip(old, new, strict=True))):
            raise NotYet(
                "the average of the ratios: one spoiled round moves it", "their median", PAIRS
            )
        if _near(got, 1 / wanted):
            raise NotYet("old relative to new", "new relative to old: new / old", PAIRS)
        if not _near(got, wanted):
            raise NotYet(f"{got:.4f}", f"{wanted:.4f}", PAIRS)
    return "the ratio within each round, then the middle one"


@exercise(
    "01.3",
    "the four verdicts",
    section=VERDICT,
    hints=(
        "Which end of the interval has to be below 1 / (1 + margin) for *faster*?",
        "Three questions, in this order: faster? slower? wholly inside the margin? Whatever is left is unclear.",
        'if high < 1 / (1 + margin): return "faster"; if low > 1 + margin: return "slower"; and so on',
    ),
)
def _say(say: Any) -> str:
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
    for low, high, wanted in random.sample(cases, len(cases)):
        got = say(low, high)
        if got is None:
            raise NotYet(
                f"nothing for [{low}, {high}]", "one of the four words in every case", VERDICT
            )
        if got != wanted and wanted == "unclear":
            raise NotYet(
                f"{got!r} for [{low}, {high}]",
                "'unclear': the interval reaches across a bound",
                VERDICT,
            )
        if got != wanted:
            raise NotYet(f"{got!r} for [{low}, {high}]", repr(wanted), VERDICT)
    if (say(0.97, 1.03, 0.01), say(0.8, 0.9, 0.5)) != ("unclear", "similar"):
        raise NotYet("the same words whatever the margin", "the margin that is given", VERDICT)
    return "the whole interval decides, not its middle"


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
def _turns(turns: Any) -> str:
    order = turns(200)
    if order is None:
        raise NotYet("your function returned nothing", "a list: is a `return` missing?", PAIRS)
    order = list(order)
    if len(order) != 400 or set(order) - {"ab", "ba"}:
        raise NotYet(
            f"{len(order)} entries for 200 blocks", 'two entries a block, "ab" or "ba"', PAIRS
        )
    lone = sum(order[i] == order[i + 1] for i in range(0, 400, 2))
    if lone:
        raise NotYet(
            f"{lone} of 200 blocks in which the same one goes first twice",
            "both once in every block",
            PAIRS,
        )
    if len({tuple(order[i : i + 2]) for i in range(0, 400, 2)}) == 1:
        raise NotYet("the same order in every block", "chance decides who begins a block", PAIRS)
    return "both go first equally often, in an order that nothing can be in step with"
