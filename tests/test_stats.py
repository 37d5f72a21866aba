"""The sign-test interval is exact, a ratio is a property of the pairs, and a verdict needs the whole interval."""

import math
import random

import pytest
from fakes import REPEATABLE
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import binom, quantile_test

from labkit.measure.stats import (
    VERDICTS,
    Finding,
    Interval,
    bonferroni,
    median_interval,
    paired_ratio,
    sign_ranks,
    verdict,
)

CONFIDENCES = [0.8, 0.9, 0.95, 0.99, 0.995, 0.999]
times = st.floats(1e-7, 1e3)
rounds = st.lists(st.tuples(times, times), min_size=1, max_size=60)


@pytest.mark.parametrize("confidence", CONFIDENCES)
@pytest.mark.parametrize("n", [*range(1, 40), 64, 101, 500, 2001, 5000])
def test_interval_is_the_one_of_scipy(n, confidence):
    values = random.Random(n).sample(range(10 * n), n)
    ours = median_interval(values, confidence)
    theirs = quantile_test(values, q=0, p=0.5).confidence_interval(confidence_level=confidence)
    low, high = (-math.inf if math.isnan(theirs.low) else theirs.low), theirs.high
    assert (ours.low, ours.high) == (low, math.inf if math.isnan(high) else high)


@pytest.mark.parametrize("confidence", CONFIDENCES)
@pytest.mark.parametrize("n", [8, 9, 33, 250, 2000])
def test_no_narrower_interval_has_the_coverage(n, confidence):
    drop = sign_ranks(n, confidence)
    assert 1 - 2 * binom.cdf(drop, n, 0.5) >= confidence > 1 - 2 * binom.cdf(drop + 1, n, 0.5)


@pytest.mark.parametrize(
    ("confidence", "least"), [(0.9, 5), (0.95, 6), (0.99, 8), (0.999, 11), (0.9999, 15)]
)
def test_too_few_values_bound_nothing(confidence, least):
    assert sign_ranks(least - 1, confidence) == -1
    assert sign_ranks(least, confidence) == 0
    few = median_interval(range(least - 1), confidence)
    assert (few.low, few.high) == (-math.inf, math.inf)
    assert median_interval(range(least), confidence)[1:] == (0, least - 1)


@pytest.mark.parametrize(
    "draw", [lambda r: r.gauss(0, 1), lambda r: r.lognormvariate(0, 2), lambda r: r.random() ** 9]
)
def test_interval_covers_the_true_median_as_often_as_it_says(draw):
    rng = random.Random(7)
    truth = sorted(draw(rng) for _ in range(200_001))[100_000]
    missed = 0
    for _ in range(2000):
        interval = median_interval([draw(rng) for _ in range(25)], 0.95)
        missed += not interval.low <= truth <= interval.high
    # The sign test with n = 25 misses 4.3 % (binomial); four standard deviations are 1.8 %.
    assert 0.025 <= missed / 2000 <= 0.061


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50), st.randoms(use_true_random=False))
@settings(**REPEATABLE)
def test_order_does_not_matter_and_the_median_lies_inside(values, rng):
    interval = median_interval(values)
    assert interval.low <= interval.value <= interval.high
    shuffled = rng.sample(values, len(values))
    assert median_interval(shuffled) == interval


@given(st.lists(st.floats(0, 1), min_size=9, max_size=60))
@settings(**REPEATABLE)
def test_one_wild_sample_carries_neither_the_median_nor_the_near_end_away(values):
    disturbed = median_interval([*values, 1e9])
    assert min(values) <= disturbed.low <= disturbed.value <= max(values)


@given(rounds, st.lists(st.floats(1e-3, 1e3), min_size=60, max_size=60))
@settings(**REPEATABLE)
def test_slowing_both_samples_of_a_round_changes_no_ratio(pairs, slowdowns):
    a, b = zip(*pairs, strict=True)
    busy = [(x * s, y * s) for (x, y), s in zip(pairs, slowdowns, strict=False)]
    slow_a, slow_b = zip(*busy, strict=True)
    for calm, loaded in zip(paired_ratio(a, b), paired_ratio(slow_a, slow_b), strict=True):
        assert calm == loaded or math.isclose(calm, loaded, rel_tol=1e-9)


@given(rounds)
@settings(**REPEATABLE)
def test_exchanging_the_two_inverts_ratio_and_interval(pairs):
    a, b = zip(*pairs, strict=True)
    there, back = paired_ratio(a, b), paired_ratio(b, a)
    for x, y in ((there.value, back.value), (there.low, back.high), (there.high, back.low)):
        assert (
            (x == 0 and y == math.inf)
            or (x == math.inf and y == 0)
            or math.isclose(x * y, 1, rel_tol=1e-9)
        )


@given(rounds, st.floats(0.01, 100))
@settings(**REPEATABLE)
def test_a_candidate_that_takes_k_times_as_long_has_k_times_the_ratio(pairs, k):
    a, b = zip(*pairs, strict=True)
    assert math.isclose(
        paired_ratio([x * k for x in a], b).value, k * paired_ratio(a, b).value, rel_tol=1e-9
    )


def test_pairs_need_the_same_number_of_rounds():
    with pytest.raises(ValueError, match="zip"):
        paired_ratio([1.0, 2.0], [1.0])


@given(st.floats(0.01, 50), st.floats(1, 3), st.floats(1, 3), st.floats(0.001, 0.9))
@settings(**REPEATABLE)
def test_verdict_follows_the_whole_interval(value, down, up, margin):
    ratio = Interval(value, value / down, value * up)
    word = verdict(ratio, margin)
    beyond_below, beyond_above = ratio.high < 1 / (1 + margin), ratio.low > 1 + margin
    within = 1 / (1 + margin) <= ratio.low and ratio.high <= 1 + margin
    assert word == (
        "faster"
        if beyond_below
        else "slower"
        if beyond_above
        else "similar"
        if within
        else "unclear"
    )
    assert word in VERDICTS


@given(st.floats(0.01, 50), st.floats(1, 3), st.floats(1, 3), st.floats(0.001, 0.9))
@settings(**REPEATABLE)
def test_verdict_is_fair_to_both_sides(value, down, up, margin):
    ratio = Interval(value, value / down, value * up)
    mirrored = Interval(1 / value, 1 / ratio.high, 1 / ratio.low)
    edges = (1 / (1 + margin), 1 + margin)
    assume(all(abs(x - edge) > 1e-9 for x in (*ratio, *mirrored) for edge in edges))
    swap = {"faster": "slower", "slower": "faster"}
    word = verdict(ratio, margin)
    assert verdict(mirrored, margin) == swap.get(word, word)


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [
        (0.3, 0.7, "faster"),
        (0.3, 0.8, "unclear"),  # 0.8 is exactly the edge of a margin of 25 %
        (0.8, 1.25, "similar"),  # both edges belong to it
        (0.79, 1.25, "unclear"),
        (0.8, 1.26, "unclear"),
        (1.25, 9.0, "unclear"),
        (1.26, 9.0, "slower"),
        (0.1, 9.0, "unclear"),
        (0.0, math.inf, "unclear"),
        (math.nan, math.nan, "unclear"),
    ],
)
def test_verdicts_at_the_edges(low, high, word):
    assert verdict(Interval(1.0, low, high), margin=0.25) == word


@pytest.mark.parametrize(("candidates", "row"), [(1, 0.99), (2, 0.99), (3, 0.995), (11, 0.999)])
def test_all_rows_together_keep_the_confidence(candidates, row):
    assert bonferroni(0.99, candidates) == pytest.approx(row)


@pytest.mark.parametrize(
    ("holds", "truth", "words"),
    [(True, True, "True"), (False, False, "False"), (None, False, "undecided")],
)
def test_a_finding_counts_as_true_only_when_it_is(holds, truth, words):
    assert bool(Finding(holds, "≈1")) is truth
    assert repr(Finding(holds)) == words
