"""The interval keeps its promise, a ratio belongs to pairs, a verdict needs the whole interval."""

import math
from dataclasses import dataclass

import numpy as np
import pytest
from fakes import REPEATABLE
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import binom, t

from labkit.measure.stats import (
    Finding,
    Interval,
    _Blocks,
    _half_width,
    block_interval,
    is_dependent,
    pair_confidence,
    paired_ratio,
    pays_after,
    quartiles,
    ratios_depend,
    t_quantile,
    verdict,
)

RUNS = 300
ROUNDS = 256  # so many that blocks of three sizes are looked at, and each shows an AR(1) of 0.9
times = st.floats(1e-7, 1e3)
rounds = st.lists(st.tuples(times, times), min_size=1, max_size=80)


# ---- the promise of the interval, in simulated runs ----


@dataclass
class Simulation:
    """What the intervals of many simulated runs did; the true median is 0."""

    covered: int
    widths: np.ndarray
    sign_test_widths: np.ndarray
    dependent: int


def sign_test_width(values, confidence):
    """Return the width of the exact interval of the sign test, for independent values."""
    ordered = np.sort(values)
    below = int(binom.ppf((1 - confidence) / 2, len(values), 0.5))
    while 2 * binom.cdf(below - 1, len(values), 0.5) > 1 - confidence:
        below -= 1
    return ordered[len(values) - below] - ordered[below - 1]


def simulate(noise, seed):
    rng = np.random.default_rng(seed)
    covered = dependent = 0
    widths, sign_test_widths = [], []
    for _ in range(RUNS):
        values = noise(rng)
        interval = block_interval(values, 0.99)
        covered += interval.low <= 0 <= interval.high
        dependent += is_dependent(values)
        widths.append(interval.high - interval.low)
        sign_test_widths.append(sign_test_width(values, 0.99))
    return Simulation(covered, np.array(widths), np.array(sign_test_widths), dependent)


def lognormal(rng):
    """Return independent noise with a tail to one side, its median at 0."""
    return rng.lognormal(0, 0.5, ROUNDS) - 1


def autoregressive(rng, correlation=0.9):
    """Return noise in which each value remembers the one before."""
    steps = math.sqrt(1 - correlation**2) * rng.standard_normal(ROUNDS)
    values = np.empty(ROUNDS)
    last = rng.standard_normal()
    for i in range(ROUNDS):
        last = correlation * last + steps[i]
        values[i] = last
    return values


@pytest.fixture(scope="module")
def independent():
    return simulate(lognormal, seed=1)


@pytest.fixture(scope="module")
def remembering():
    return simulate(autoregressive, seed=2)


def test_the_interval_holds_the_truth_for_independent_rounds(independent):
    assert independent.covered >= 0.97 * RUNS


def test_the_interval_is_not_much_wider_than_the_exact_one(independent):
    assert np.median(independent.widths) <= 1.5 * np.median(independent.sign_test_widths)
    assert np.median(independent.widths) >= np.median(independent.sign_test_widths)


def test_the_interval_holds_the_truth_for_rounds_that_remember(remembering):
    assert remembering.covered >= 0.97 * RUNS
    # An interval that takes the rounds for independent is far too narrow here.
    assert np.median(remembering.widths) > 4 * np.median(remembering.sign_test_widths)


def test_dependence_is_seen_where_it_is_and_seldom_where_it_is_not(independent, remembering):
    assert independent.dependent <= 0.12 * RUNS
    assert remembering.dependent >= 0.9 * RUNS
    assert (
        independent.dependent >= 0.02 * RUNS
    )  # a test of 5 % at two scales that never errs is none


# ---- one interval ----


def test_the_interval_of_eight_values_is_the_t_interval():
    values = [3.0, 1.0, 4.0, 1.5, 5.0, 9.0, 2.0, 6.0]
    low, high = t.interval(0.99, 7, np.mean(values), np.std(values, ddof=1) / math.sqrt(8))
    interval = block_interval(values, 0.99)
    assert interval.value == 3.5
    # Their neighbours differ more than chance would have it: no reason to narrow the interval.
    assert interval[1:] == pytest.approx((low, high))


def test_neighbours_that_resemble_each_other_widen_the_interval():
    rising = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]
    mixed = [8.0, 2.0, 6.0, 1.0, 7.0, 3.0, 5.0, 4.0]
    wide, narrow = block_interval(rising, 0.99), block_interval(mixed, 0.99)
    assert narrow.high - narrow.low == pytest.approx(2 * t_quantile(0.99, 7) * math.sqrt(6 / 8))
    # The correlation of neighbours is 0.625: sqrt((1 + 0.625) / (1 - 0.625)) times as wide.
    assert (wide.high - wide.low) / (narrow.high - narrow.low) == pytest.approx(math.sqrt(13 / 3))


@pytest.mark.parametrize(
    ("count", "seen", "dependent", "taken"),
    [
        (8, 0.3, False, 0.3),
        (8, -0.3, False, 0.0),  # neighbours that differ are no reason to narrow the interval
        (8, 0.95, False, 0.9),
        (8, -0.3, True, 0.25),  # of so few blocks, at least that much
        (8, 0.5, True, 1.0 - 0.1),  # (8 * 0.5 + 1) / 5 is 1: not more than 0.9
        (16, 0.3, True, 5.8 / 13),
        (32, 0.3, True, 10.6 / 29),
        (32, -0.3, True, 0.0),
    ],
)
def test_the_correlation_that_widens_the_interval(count, seen, dependent, taken):
    blocks = _Blocks(mean=0.0, standard_error=1.0, correlation=seen, dependence=0.0, count=count)
    widening = math.sqrt((1 + taken) / (1 - taken))
    expected = t_quantile(0.99, count - 1) * widening
    assert _half_width(blocks, 0.99, dependent) == pytest.approx(expected)


def test_a_trend_over_the_whole_run_widens_the_interval_but_not_without_end():
    trend = np.linspace(-1, 1, 512)
    shuffled = np.random.default_rng(1).permutation(trend)
    slow, quick = block_interval(trend, 0.99), block_interval(shuffled, 0.99)
    assert is_dependent(trend)
    assert slow.high - slow.low > 8 * (quick.high - quick.low)
    assert math.isfinite(slow.high)


def test_slow_changes_that_the_large_blocks_cannot_show_count_as_well():
    """Eight blocks of a pattern that repeats in each of them are all alike; 32 blocks are not."""
    pattern = np.repeat([0.0, 0.0, 1.0, 1.0], 16)
    values = np.tile(pattern, 8)
    interval = block_interval(values + 1e-9 * np.arange(len(values)), 0.99)
    assert interval.high - interval.low > 0.5


def test_a_single_value_bounds_nothing():
    assert block_interval([7.0], 0.99) == Interval(7.0, -math.inf, math.inf)
    assert not is_dependent([7.0])
    assert paired_ratio([3.0], [2.0]) == Interval(pytest.approx(1.5), 0.0, math.inf)


def test_ends_that_bound_nothing_are_not_written_with_thirty_digits():
    ratio = paired_ratio([1.0, 1e9, 1.0, 1e9], [1.0, 1.0, 1.0, 1.0])
    assert (ratio.low, ratio.high) == (0.0, math.inf)


@pytest.mark.parametrize("n", [*range(2, 18), 31, 63, 64, 127, 128, 255, 256])
def test_few_values_have_a_finite_interval_around_their_median(n):
    values = np.random.default_rng(n).standard_normal(n)
    interval = block_interval(values, 0.99)
    assert interval.value == np.median(values)
    assert -math.inf < interval.low < interval.value < interval.high < math.inf


def test_two_values_reach_far():
    # t with one degree of freedom: 63.66 standard errors to each side.
    assert block_interval([0.0, 2.0], 0.99) == pytest.approx((1.0, -62.66, 64.66), abs=0.01)


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=90),
    st.sampled_from([0.5, 0.9, 0.99, 0.999]),
)
@settings(**REPEATABLE)
def test_the_median_lies_in_its_interval_and_more_confidence_makes_it_wider(values, confidence):
    interval = block_interval(values, confidence)
    assert interval.value == np.median(values)
    assert interval.low <= interval.value <= interval.high
    surer = block_interval(values, (1 + confidence) / 2)
    assert surer.low <= interval.low and interval.high <= surer.high


@given(st.integers(0, 7), st.floats(-1e6, 1e6))
@settings(**REPEATABLE)
def test_one_wild_block_cannot_move_the_value(block, wild):
    values = np.random.default_rng(3).uniform(0, 1, 64)
    disturbed = values.copy()
    disturbed[8 * block : 8 * block + 8] = wild
    calm = np.sort(values)
    assert calm[23] <= block_interval(disturbed, 0.99).value <= calm[40]  # eight ranks at most


@pytest.mark.parametrize("n", [64, 128, 256])
def test_a_wild_round_moves_neither_value_nor_interval(n):
    values = np.random.default_rng(3).uniform(0, 1, n)
    disturbed = values.copy()
    disturbed[[17, 30, 60]] = 1e9  # in three blocks, the smallest ones of eight rounds
    before, after = block_interval(values, 0.99), block_interval(disturbed, 0.99)
    assert after == pytest.approx(before, abs=0.2)


def test_values_that_are_all_the_same_have_an_interval_of_no_width():
    assert block_interval([2.0] * 300, 0.99) == Interval(2.0, 2.0, 2.0)
    for constant in (2.0, math.log(2), 1 / 3):
        assert not is_dependent([constant] * 300)  # nor is the rounding of their mean


def test_an_alternating_ratio_is_no_slow_one():
    assert not is_dependent([0.9, 1.1] * 128)
    assert block_interval([0.9, 1.1] * 128, 0.99) == pytest.approx((1.0, 1.0, 1.0))


@pytest.mark.parametrize("degrees", [1, 7, 15, 31])
def test_quantiles_of_t_are_those_of_scipy(degrees):
    assert t_quantile(0.99, degrees) == pytest.approx(t.ppf(0.995, degrees))


# ---- ratios of pairs ----


@given(rounds, st.lists(st.floats(1e-3, 1e3), min_size=80, max_size=80))
@settings(**REPEATABLE)
def test_slowing_both_samples_of_a_round_changes_no_ratio(pairs, slowdowns):
    a, b = zip(*pairs, strict=True)
    slow_a = [time * slowdowns[i] for i, time in enumerate(a)]
    slow_b = [time * slowdowns[i] for i, time in enumerate(b)]
    calm, loaded = paired_ratio(a, b), paired_ratio(slow_a, slow_b)
    assert loaded.value == pytest.approx(calm.value, rel=1e-9)
    assert loaded == pytest.approx(calm, rel=1e-6)


@given(rounds)
@settings(**REPEATABLE)
def test_exchanging_the_two_inverts_ratio_and_interval(pairs):
    a, b = zip(*pairs, strict=True)
    there, back = paired_ratio(a, b), paired_ratio(b, a)
    assert there.value * back.value == pytest.approx(1, rel=1e-9)
    for one, other in ((there.low, back.high), (there.high, back.low)):
        if 1e-300 < one < 1e300:
            assert one * other == pytest.approx(1, rel=1e-6)
        else:
            assert not 1e-300 < other < 1e300


@given(rounds, st.floats(0.01, 100))
@settings(**REPEATABLE)
def test_a_candidate_that_takes_k_times_as_long_has_k_times_the_ratio(pairs, k):
    a, b = zip(*pairs, strict=True)
    longer = paired_ratio([x * k for x in a], b)
    assert longer.value == pytest.approx(k * paired_ratio(a, b).value, rel=1e-9)


def test_the_ratio_is_the_median_of_the_ratios_and_not_the_ratio_of_the_medians():
    assert paired_ratio([2.0, 20.0, 2.0], [1.0, 10.0, 5.0]).value == pytest.approx(2.0)


def errors_of(machine, seeds=60, rounds=1500):
    """Return the median errors of the ratio and of the median within rounds, for equal candidates.

    `machine` gives the state of each round, which slows both samples.
    """
    with_neighbours, within_rounds = [], []
    for seed in range(seeds):
        generator = np.random.default_rng(seed)
        state = machine(generator, rounds)
        a = np.exp(generator.normal(0, 0.02, rounds) + state)
        b = np.exp(generator.normal(0, 0.02, rounds) + state)
        with_neighbours.append(abs(math.log(paired_ratio(a, b).value)))
        within_rounds.append(abs(np.median(np.log(a / b))))
    return np.median(with_neighbours), np.median(within_rounds)


def test_neighbouring_rounds_make_the_error_smaller_where_the_machine_stays_as_it_is():
    with_neighbours, within_rounds = errors_of(lambda generator, rounds: np.zeros(rounds))
    assert with_neighbours < 0.9 * within_rounds


@pytest.mark.parametrize(
    "machine",
    [
        lambda generator, rounds: generator.normal(0, 0.3, rounds),
        lambda generator, rounds: np.repeat(generator.normal(0, 0.3, rounds // 3), 3),
        lambda generator, rounds: np.cumsum(generator.normal(0, 0.02, rounds)),
    ],
    ids=["another state in each round", "states of three rounds", "a walk"],
)
def test_neighbouring_rounds_do_not_count_where_the_machine_changes_from_one_to_the_next(machine):
    with_neighbours, within_rounds = errors_of(machine)
    assert with_neighbours == pytest.approx(within_rounds)


@pytest.mark.parametrize("rounds", [128, 1000])
def test_in_a_long_run_the_ratio_lies_in_its_interval_and_exchanging_the_two_inverts_it(rounds):
    for seed in range(20):
        generator = np.random.default_rng(seed)
        a, b = np.exp(generator.normal(0, 0.1, (2, rounds)))
        there, back = paired_ratio(a, b), paired_ratio(b, a)
        assert there.low <= there.value <= there.high
        assert there.value * back.value == pytest.approx(1, rel=1e-9)
        assert paired_ratio(3 * a, b).value == pytest.approx(3 * there.value, rel=1e-9)


def test_neighbours_do_not_take_the_ratio_out_of_the_interval_of_its_rounds():
    """An alternating ratio: 0.9 and 1.1 within rounds, 1 between neighbours."""
    a = np.exp(np.tile([0.0, 0.1], 200))
    ratio = paired_ratio(a, np.ones(400))
    assert ratio.low <= ratio.value <= ratio.high


def test_a_ratio_out_of_all_proportion_is_no_overflow():
    wild = paired_ratio([1e12, 1e-12], [1e-12, 1e12])
    assert wild.value == pytest.approx(1.0)
    assert (wild.low, wild.high) == (0.0, math.inf)


def test_pairs_need_the_same_number_of_rounds():
    with pytest.raises(ValueError, match="one sample of each"):
        paired_ratio([1.0, 2.0], [1.0])


def test_dependence_is_that_of_the_ratio_and_not_of_the_times():
    drift = np.linspace(1, 2, 256)
    noise = np.random.default_rng(5).lognormal(0, 0.02, 256)
    assert not ratios_depend(drift * noise, drift)
    assert ratios_depend(drift * noise, noise)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=50))
@settings(**REPEATABLE)
def test_quartiles_are_values_around_the_median(values):
    low, high = quartiles(values)
    assert low in values and high in values
    assert low <= np.median(values) <= high


def test_quartiles_enclose_half_of_the_values():
    assert quartiles(range(101)) == (25, 75)
    assert quartiles([5.0]) == (5.0, 5.0)
    assert quartiles([4.0, 1.0, 3.0, 2.0, 0.0]) == (1.0, 3.0)


# ---- verdicts ----


@given(st.floats(0.01, 50), st.floats(1, 3), st.floats(1, 3), st.floats(0.001, 0.9))
@settings(**REPEATABLE)
def test_verdict_follows_the_whole_interval(value, down, up, margin):
    ratio = Interval(value, value / down, value * up)
    within = 1 / (1 + margin) <= ratio.low and ratio.high <= 1 + margin
    expected = {
        "faster": ratio.high < 1 / (1 + margin),
        "slower": ratio.low > 1 + margin,
        "similar": within,
    }
    word = verdict(ratio, margin)
    if word == "unclear":
        assert not any(expected.values())
    else:
        assert expected[word] and sum(expected.values()) == 1


@given(st.floats(0.01, 50), st.floats(1, 3), st.floats(1, 3), st.floats(0.001, 0.9))
@settings(**REPEATABLE)
def test_verdict_is_fair_to_both_sides(value, down, up, margin):
    ratio = Interval(value, value / down, value * up)
    mirrored = Interval(1 / value, 1 / ratio.high, 1 / ratio.low)
    for edge in (1 / (1 + margin), 1 + margin):
        assume(all(abs(end - edge) > 1e-9 for end in (*ratio, *mirrored)))
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


@pytest.mark.parametrize(
    ("candidates", "each"), [(1, 0.99), (2, 0.99), (3, 1 - 0.01 / 3), (5, 0.999)]
)
def test_all_pairs_together_keep_the_confidence(candidates, each):
    assert pair_confidence(0.99, candidates) == pytest.approx(each)


# ---- when preparation has paid ----


@pytest.mark.parametrize(
    ("plain", "prepared", "calls"),
    [
        ((1, 0.5), (3, 0.25), 9),
        ((1, 0.5), (3.01, 0.25), 10),
        ((1, 0.5), (1, 0.25), 1),
        ((2, 0.5), (1, 0.25), 1),  # it starts cheaper as well: paid from the first call on
        ((900, 0.5), (1, 0.25), 1),
        ((1, 0.5), (3, 0.5), None),
        ((1, 0.5), (0, 0.6), None),
    ],
)
def test_break_even(plain, prepared, calls):
    assert pays_after(plain, prepared) == calls


@given(st.floats(0, 100), st.floats(0, 100), st.floats(0.01, 1), st.floats(0.01, 1))
@settings(**REPEATABLE)
def test_after_that_many_calls_the_prepared_one_has_taken_no_more(first, extra, fast, saved):
    plain, prepared = (first, fast + saved), (first + extra, fast)
    calls = pays_after(plain, prepared)

    def total(candidate, n):
        return candidate[0] + (n - 1) * candidate[1]

    assert total(prepared, calls) <= total(plain, calls) + 1e-9
    if calls > 1:
        assert total(prepared, calls - 1) > total(plain, calls - 1) - 1e-9


@pytest.mark.parametrize(
    ("holds", "truth", "words"),
    [(True, True, "True"), (False, False, "False"), (None, False, "undecided")],
)
def test_a_finding_counts_as_true_only_when_it_is(holds, truth, words):
    assert bool(Finding(holds, "≈1")) is truth
    assert repr(Finding(holds)) == words
