"""Wrong answers that people give in lesson 01, and a part of the message that each must get."""

import math
import random
import statistics


def with_the_first(times):
    return statistics.median(times)


def mean(times):
    return statistics.fmean(times[1:])


def best(times):
    return min(times)


def in_milliseconds(times):
    return 1e3 * statistics.median(times[1:])


def difference(old, new):
    return statistics.median(new) - statistics.median(old)


def torn_pairs(old, new):
    return statistics.median(new) / statistics.median(old)


def sums(old, new):
    return sum(new) / sum(old)


def mean_of_ratios(old, new):
    return statistics.fmean(n / o for o, n in zip(old, new, strict=True))


def upside_down(old, new):
    return statistics.median(o / n for o, n in zip(old, new, strict=True))


def middle_decides(low, high, margin=0.05):
    middle = (low + high) / 2
    if middle < 1 / (1 + margin):
        return "faster"
    if middle > 1 + margin:
        return "slower"
    return "similar"


def never_unclear(low, high, margin=0.05):
    if high < 1 / (1 + margin):
        return "faster"
    if low > 1 + margin:
        return "slower"
    if low >= 1 / (1 + margin) and high <= 1 + margin:
        return "similar"


def fixed_margin(low, high, margin=0.05):
    if high < 1 / 1.05:
        return "faster"
    if low > 1.05:
        return "slower"
    if low >= 1 / 1.05 and high <= 1.05:
        return "similar"
    return "unclear"


def always_the_same(blocks):
    return ["ab", "ba"] * blocks


def coin(blocks):
    return [random.choice(["ab", "ba"]) for _ in range(2 * blocks)]


def one_per_block(blocks):
    return [random.choice(["ab", "ba"]) for _ in range(blocks)]


WRONG = [
    ("01.1", "with the first call", with_the_first, "the first call left out"),
    ("01.1", "mean", mean, "a robust middle"),
    ("01.1", "best", best, "the best is as rare as the worst"),
    ("01.1", "in milliseconds", in_milliseconds, " s for ["),
    ("01.1", "no return", lambda times: print(end=""), "is a `return` missing?"),
    ("01.1", "all later ones", lambda times: times[1:], "a value of type list"),
    ("01.1", "no calls", lambda times: math.nan, "a finite number"),
    ("01.2", "a difference", difference, "; wanted: "),
    ("01.2", "torn pairs", torn_pairs, "the pairs are torn apart"),
    ("01.2", "sums", sums, "the slowest moments decide"),
    ("01.2", "mean of ratios", mean_of_ratios, "one spoiled round moves it"),
    ("01.2", "upside down", upside_down, "new relative to old"),
    ("01.3", "the middle decides", middle_decides, "the interval reaches across a bound"),
    ("01.3", "never unclear", never_unclear, "one of the four words in every case"),
    ("01.3", "fixed margin", fixed_margin, "the margin that is given"),
    ("01.4", "no return", lambda blocks: print(end=""), "a list: is a `return` missing?"),
    ("01.4", "always the same", always_the_same, "chance decides who begins"),
    ("01.4", "coin", coin, "both once in every block"),
    ("01.4", "one per block", one_per_block, "two entries a block"),
]
