"""Right answers to the exercises of lesson 01, in other styles than those of the solutions."""

import random
import statistics

import numpy as np


def by_numpy(old, new):
    return np.median(np.array(new)[1:] / np.array(old)[1:])


def with_a_loop(old, new):
    ratios = []
    for i in range(1, len(old)):
        ratios.append(new[i] / old[i])
    ratios.sort()
    middle = len(ratios) // 2
    if len(ratios) % 2 == 1:
        return ratios[middle]
    return (ratios[middle - 1] + ratios[middle]) / 2


def by_logarithms(old, new):
    logs = np.log(new) - np.log(old)
    return float(np.exp(np.median(logs[1:])))


def first_pair_dropped(old, new):
    pairs = list(zip(old, new, strict=True))
    pairs.pop(0)
    return statistics.median([n / o for o, n in pairs])


def with_elif(low, high, margin=0.05):
    lower, upper = 1 / (1 + margin), 1 + margin
    if high < lower:
        word = "faster"
    elif low > upper:
        word = "slower"
    elif lower <= low <= high <= upper:
        word = "similar"
    else:
        word = "unclear"
    return word


def similar_first(low, high, margin=0.05):
    lowest = 1 / (1 + margin)
    if lowest <= low and high <= 1 + margin:
        return "similar"
    if lowest > high:
        return "faster"
    return "slower" if low > 1 + margin else "unclear"


def by_logarithms_of_the_ends(low, high, margin=0.05):
    bound = np.log1p(margin) + 1e-12
    if np.log(high) < -bound:
        return "faster"
    if np.log(low) > bound:
        return "slower"
    if max(-np.log(low), np.log(high)) <= bound:
        return "similar"
    return "unclear"


def by_shuffle(blocks):
    order = []
    for _ in range(blocks):
        block = ["ab", "ba"]
        random.shuffle(block)
        order.extend(block)
    return order


def by_a_coin_for_each_block(blocks):
    order = []
    for _ in range(blocks):
        if random.random() < 0.5:
            order += ["ab", "ba"]
        else:
            order += ["ba", "ab"]
    return order


def by_numpy_permutations(blocks):
    generator = np.random.default_rng()
    pairs = [generator.permutation(["ab", "ba"]) for _ in range(blocks)]
    return list(np.concatenate(pairs))


def as_a_tuple(blocks):
    chosen = [random.choice([("ab", "ba"), ("ba", "ab")]) for _ in range(blocks)]
    return tuple(turn for block in chosen for turn in block)


RIGHT = [
    ("01.1", "by NumPy", by_numpy),
    ("01.1", "with a loop", with_a_loop),
    ("01.1", "by logarithms", by_logarithms),
    ("01.1", "the first pair dropped", first_pair_dropped),
    ("01.2", "with elif", with_elif),
    ("01.2", "similar first", similar_first),
    ("01.2", "by logarithms", by_logarithms_of_the_ends),
    ("01.3", "by shuffle", by_shuffle),
    ("01.3", "a coin for each block", by_a_coin_for_each_block),
    ("01.3", "permutations", by_numpy_permutations),
    ("01.3", "a tuple", as_a_tuple),
]
