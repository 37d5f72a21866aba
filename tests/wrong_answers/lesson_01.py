"""Wrong answers that people give in lesson 01, and a part of the message that each must get."""

import math
import random
import statistics


def difference(old, new):
    return statistics.median(new) - statistics.median(old)


def with_the_first(old, new):
    return statistics.median(n / o for o, n in zip(old, new, strict=True))


def without_the_last(old, new):
    return statistics.median(n / o for o, n in zip(old[:-1], new[:-1], strict=True))


def torn_pairs(old, new):
    return statistics.median(new[1:]) / statistics.median(old[1:])


def torn_pairs_with_the_first(old, new):
    return statistics.median(new) / statistics.median(old)


def sums(old, new):
    return sum(new[1:]) / sum(old[1:])


def mean_of_ratios(old, new):
    return statistics.fmean(n / o for o, n in zip(old[1:], new[1:], strict=True))


def best_round(old, new):
    return min(n / o for o, n in zip(old[1:], new[1:], strict=True))


def upside_down(old, new):
    return statistics.median(o / n for o, n in zip(old[1:], new[1:], strict=True))


def all_ratios(old, new):
    return [n / o for o, n in zip(old[1:], new[1:], strict=True)]


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


def edge_at_one_minus_margin(low, high, margin=0.05):
    if high < 1 - margin:
        return "faster"
    if low > 1 + margin:
        return "slower"
    return "similar" if low >= 1 - margin and high <= 1 + margin else "unclear"


def one_decides(low, high, margin=0.05):
    if high < 1:
        return "faster"
    if low > 1:
        return "slower"
    return "similar" if high - low < 2 * margin else "unclear"


def fixed_margin(low, high, margin=0.05):
    if high < 1 / 1.05:
        return "faster"
    if low > 1.05:
        return "slower"
    if low >= 1 / 1.05 and high <= 1.05:
        return "similar"
    return "unclear"


def ends_outside(low, high, margin=0.05):
    if high <= 1 / (1 + margin):
        return "faster"
    if low >= 1 + margin:
        return "slower"
    if low > 1 / (1 + margin) and high < 1 + margin:
        return "similar"
    return "unclear"


def margin_of_a_tenth(low, high, margin=0.1):
    return never_unclear(low, high, margin) or "unclear"


def always_the_same(blocks):
    return ["ab", "ba"] * blocks


def in_step(blocks):
    return ["ab", "ba", "ba", "ab"] * (blocks // 2)


def coin(blocks):
    return [random.choice(["ab", "ba"]) for _ in range(2 * blocks)]


def one_per_block(blocks):
    return [random.choice(["ab", "ba"]) for _ in range(blocks)]


def without_both_ends(old, new):
    ratios = [n / o for o, n in zip(old[1:-1], new[1:-1], strict=True)]
    return statistics.median(ratios)


def _right_word(low, high, margin=0.05):
    if high < 1 / (1 + margin):
        return "faster"
    if low > 1 + margin:
        return "slower"
    if low >= 1 / (1 + margin) and high <= 1 + margin:
        return "similar"
    return "unclear"


def capital_letter(low, high, margin=0.05):
    return _right_word(low, high, margin).capitalize()


def swapped_words(low, high, margin=0.05):
    swapped = {"faster": "slower", "slower": "faster"}
    word = _right_word(low, high, margin)
    return swapped.get(word, word)


def touching_is_beyond(low, high, margin=0.05):
    if high <= 1 / (1 + margin):
        return "faster"
    if low >= 1 + margin:
        return "slower"
    return _right_word(low, high, margin)


def letters(blocks):
    return [letter for _ in range(blocks) for letter in random.sample("ab", 2)]


def seeded(blocks):
    chance = random.Random(0)
    return [turn for _ in range(blocks) for turn in chance.sample(["ab", "ba"], 2)]


WRONG = [
    ("01.1", "a difference", difference, "; wanted: "),
    ("01.1", "with the first round", with_the_first, "the first round is among them"),
    ("01.1", "without the last round", without_the_last, "the last round is left out"),
    ("01.1", "torn pairs", torn_pairs, "the pairs are torn apart"),
    ("01.1", "torn pairs, with the first", torn_pairs_with_the_first, "the pairs are torn apart"),
    ("01.1", "sums", sums, "the slowest moments decide"),
    ("01.1", "mean of ratios", mean_of_ratios, "one interrupted round moves it"),
    ("01.1", "best round", best_round, "its old time was interrupted"),
    ("01.1", "upside down", upside_down, "new relative to old"),
    ("01.1", "all ratios", all_ratios, "a value of type list"),
    ("01.1", "no return", lambda old, new: print(end=""), "is a `return` missing?"),
    ("01.1", "no number", lambda old, new: math.nan, "a finite number"),
    ("01.2", "the middle decides", middle_decides, "the interval reaches across a bound"),
    ("01.2", "never unclear", never_unclear, "one of the four words in every case"),
    ("01.2", "an edge at 1 - margin", edge_at_one_minus_margin, "0.05; wanted: "),
    ("01.2", "one decides", one_decides, "the interval reaches across a bound"),
    ("01.2", "fixed margin", fixed_margin, "with the margin 0.01"),
    ("01.2", "the ends lie outside", ends_outside, "with the margin 0.25"),
    ("01.2", "a margin of a tenth", margin_of_a_tenth, "one of 0.05"),
    ("01.3", "no return", lambda blocks: print(end=""), "a list: is a `return` missing?"),
    ("01.3", "always the same", always_the_same, "chance decides who begins"),
    ("01.3", "in step", in_step, "chance decides who begins"),
    ("01.3", "coin", coin, "both once in every block"),
    ("01.3", "one per block", one_per_block, "two entries a block"),
    ("01.1", "without both ends", without_both_ends, "the last round is left out, too"),
    ("01.2", "capital letter", capital_letter, "one of 'faster', 'slower'"),
    ("01.2", "swapped words", swapped_words, "below 1 the new code is faster"),
    ("01.2", "touching is beyond", touching_is_beyond, "an end on an edge of the band belongs"),
    ("01.3", "letters", letters, "an entry is"),
    ("01.3", "seeded", seeded, "the same order in every call"),
]
