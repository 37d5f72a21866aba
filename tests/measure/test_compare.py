"""compare and timeit: names, baseline, results that must agree, and the right ratio and verdict."""

import math
import random

import pytest
from fakes import Clock

import labkit as lab
from labkit.measure import compare, rounds


def returns(value):
    """A function without the cost of a real one: for tests that never come to the measuring."""
    return lambda: value


# ---- what is compared ----


@pytest.mark.parametrize("fns", [{}, None, {"one": returns(1)}, [], [sum]])
def test_fewer_than_two_candidates_are_sent_to_timeit(fns):
    with pytest.raises(ValueError, match=r"two candidates or more.*timeit"):
        lab.compare(fns)


def test_a_comparison_needs_distinct_names():
    with pytest.raises(ValueError, match="two candidates have the same name"):
        lab.compare([lambda: 1, lambda: 1])
    with pytest.raises(ValueError, match="two candidates have the same name"):
        lab.compare({"a": returns(1)}, a=returns(1), b=returns(1))
    with pytest.raises(TypeError, match="expected a dict of name to function, got a function"):
        lab.compare(returns(1))


def test_functions_are_known_by_their_names(clock):
    def eager():
        clock.work(1e-3)

    def graph():
        clock.work(1e-3)

    result = lab.compare([eager, graph], other=clock.candidate(1e-3), budget=0.1)
    assert list(result.samples) == ["eager", "graph", "other"]
    assert result.baseline == "eager"


def test_an_unknown_baseline_is_refused_with_the_nearest_name():
    with pytest.raises(ValueError, match="no candidate is named 'egaer': did you mean 'eager'"):
        lab.compare(eager=returns(1), graph=returns(1), baseline="egaer")
    with pytest.raises(ValueError, match=r"no candidate is named 'xyz': .*'eager', 'graph'"):
        lab.compare(eager=returns(1), graph=returns(1), baseline="xyz")


@pytest.mark.parametrize("option", ["margin", "confidence"])
@pytest.mark.parametrize("value", [0, 1, -0.1, 1.5, math.nan])
def test_a_margin_or_confidence_outside_its_range_is_refused(option, value):
    with pytest.raises(ValueError, match=f"{option} must lie between"):
        lab.compare(a=returns(1), b=returns(1), **{option: value})


def test_a_confidence_of_a_coin_is_refused():
    with pytest.raises(ValueError, match=r"confidence must lie between 0\.5 and 1"):
        lab.compare(a=returns(1), b=returns(1), confidence=0.5)


def test_margin_and_confidence_reach_the_result(clock):
    made = {"a": clock.candidate(1e-3), "b": clock.candidate(1.1e-3)}
    result = lab.compare(made, margin=0.2, confidence=0.9, budget=0.1)
    assert (result.margin, result.confidence) == (0.2, 0.9)
    assert result.verdict == {"b": "similar"}


# ---- the results must agree ----


@pytest.mark.parametrize(
    ("a", "b", "leaf"),
    [
        ([1.0, 2.0], [1.0, 2.5], r"\[1\]: 2\.5 instead of 2\.0"),
        ({"y": [1.0]}, {"y": [9.0]}, r"\['y'\]\[0\]: 9\.0 instead of 1\.0"),
        (1.0, None, "None instead of 1.0"),
        ("cat", "dog", "'dog' instead of 'cat'"),
        ([0.9, 1e-6], [0.9, 9e-6], r"\[1\]: 9e-06 instead of 1e-06"),
    ],
)
def test_results_that_differ_are_refused_before_anything_is_timed(clock, a, b, leaf):
    words = f"fast and slow do not give the same result: {leaf}.*check=False"
    with pytest.raises(AssertionError, match=words):
        lab.compare(slow=clock.candidate(1.0, result=a), fast=clock.candidate(1.0, result=b))
    assert clock.now == pytest.approx(2.0)  # the two first calls and nothing else


def test_every_candidate_is_held_against_the_baseline(clock):
    made = {
        "a": clock.candidate(1.0, result=1),
        "b": clock.candidate(1.0, result=2),
        "c": clock.candidate(1.0, result=2),
    }
    with pytest.raises(AssertionError, match="a and c do not give the same result: 1 instead of 2"):
        lab.compare(made, baseline="c")


def test_results_that_differ_are_timed_on_request(clock):
    made = {"slow": clock.candidate(2e-3, result=1), "fast": clock.candidate(1e-3, result=2)}
    unchecked = lab.compare(made, check=False, budget=0.3)
    assert unchecked.verdict == {"fast": "faster"}
    assert not unchecked.checked and "agree" not in repr(unchecked)
    checked = lab.compare(made, check=lambda got, wanted: got > wanted, budget=0.3)
    assert checked.checked and "the results agree" in repr(checked)
    with pytest.raises(AssertionError, match="the check given says no"):
        lab.compare(made, check=lambda got, wanted: got < wanted)


# ---- ratio and verdict ----


@pytest.mark.parametrize(
    ("cost", "word"),
    [
        (0.5, "faster"),
        (0.9, "faster"),
        (0.96, "similar"),
        (1.0, "similar"),
        (1.04, "similar"),
        (1.1, "slower"),
        (3.0, "slower"),
    ],
)
def test_declared_costs_give_their_ratio_and_verdict(clock, cost, word):
    result = lab.compare(base=clock.candidate(1e-3), other=clock.candidate(cost * 1e-3), budget=0.3)
    assert result.ratio["other"] == pytest.approx((cost, cost, cost))
    assert result.verdict == {"other": word}
    assert result.median["base"].value == pytest.approx(1e-3)
    assert result.median["other"].value == pytest.approx(cost * 1e-3)


def test_another_baseline_turns_the_ratio_round(clock):
    made = {"slow": clock.candidate(4e-3), "fast": clock.candidate(1e-3)}
    result = lab.compare(made, baseline="fast", budget=0.3)
    assert result.ratio == {"slow": pytest.approx((4, 4, 4))}
    assert result.verdict == {"slow": "slower"}
    assert list(result.samples) == ["slow", "fast"]  # the order of the rows is the order given


def busy_part_of_the_time(now):
    """Twenty times slower for two of every seven milliseconds: another program gets the core."""
    return 20.0 if now % 7e-3 < 2e-3 else 1.0


def test_bursts_of_noise_hit_both_and_leave_the_ratio(use):
    fake = use(Clock(busy_part_of_the_time))
    result = lab.compare(base=fake.candidate(1e-4), other=fake.candidate(1.25e-4), budget=5, seed=3)
    assert max(result.samples["base"]) > 10 * min(result.samples["base"])  # the noise was there
    assert result.ratio["other"].value == pytest.approx(1.25, rel=1e-6)
    assert result.verdict == {"other": "slower"}


def test_a_machine_that_grows_slower_leaves_the_ratio(use):
    fake = use(Clock(lambda now: 1 + 30 * now))
    result = lab.compare(
        base=fake.candidate(1e-4), other=fake.candidate(1e-4), number=1, budget=2, seed=1
    )
    assert result.median["base"].high > 1.5 * min(result.samples["base"])
    assert result.verdict == {"other": "similar"}
    assert result.ratio["other"].value == pytest.approx(1, abs=0.004)


def noisy(clock, cost, rng, spread=0.6):
    return lambda: clock.work(cost * rng.lognormvariate(0, spread))


def test_what_the_noise_hides_is_unclear(clock):
    rng = random.Random(2)
    made = {"a": noisy(clock, 1e-3, rng), "b": noisy(clock, 1.05e-3, rng)}
    result = lab.compare(made, budget=0.8, number=1, seed=6)
    assert result.verdict == {"b": "unclear"}
    assert 0.8 <= result.seconds < 0.82


def test_a_difference_of_just_the_margin_is_unclear_however_little_the_noise(clock):
    rng = random.Random(4)
    made = {"a": clock.candidate(1e-3), "b": noisy(clock, 1.05e-3, rng, spread=0.01)}
    result = lab.compare(made, budget=0.7, number=1, seed=8)
    assert result.ratio["b"].high / result.ratio["b"].low < 1.02
    assert result.verdict == {"b": "unclear"}


def test_pairs_without_the_baseline_are_decided_in_the_same_rounds(clock):
    rng = random.Random(5)
    made = {
        "base": clock.candidate(4e-3),
        "a": noisy(clock, 1e-3, rng, spread=0.05),
        "b": noisy(clock, 2e-3, rng, spread=0.05),
    }
    result = lab.compare(made, budget=0.7, number=1, seed=8)
    assert result.is_faster("a", than="b", by=1.5).holds is True
    assert result.is_faster("b", than="a").holds is False


@pytest.mark.parametrize("k", [2, 4])
def test_slow_candidates_get_what_rounds_there_is_time_for(clock, k):
    made, total = {}, 0.0
    for i in range(k):
        cost = 0.05 * 3**i
        made[str(i)] = clock.candidate(cost)
        total += cost
    result = lab.compare(made, budget=3 * total)
    assert 2 <= len(result.samples["0"]) <= 4
    for ratio in result.ratio.values():
        assert 0 < ratio.low <= ratio.high < math.inf


# ---- timeit ----


def test_timeit_returns_seconds_per_call(clock):
    result = lab.timeit(clock.candidate(2e-5, first=0.3), budget=0.2)
    assert result.median == pytest.approx((2e-5,) * 3)
    assert result.number == 8
    assert result.name == "call"
    text = repr(result)
    assert "first call" in text and "≈300 ms" in text and "≈20.0 µs" in text
    assert "<table" in result._repr_html_() and result.plot().png()


def test_what_is_timed_is_known_by_its_name(clock):
    def eager():
        clock.work(1e-3)

    class Model:
        def __call__(self):
            clock.work(1e-3)

    assert lab.timeit(eager, budget=0.01).name == "eager"
    assert lab.timeit(lambda: clock.work(1e-3), budget=0.01).name == "call"
    assert lab.timeit(Model(), budget=0.01).name == "Model"


def test_the_middle_half_of_the_samples_stands_beside_the_median(clock):
    rng = random.Random(3)
    result = lab.timeit(noisy(clock, 1e-3, rng), budget=1, number=1)
    inside = [s for s in result.samples if result.median.low <= s <= result.median.high]
    assert len(inside) == pytest.approx(len(result.samples) / 2, abs=2)


def test_compare_reads_the_clock_of_the_rounds():
    assert compare.rounds is rounds
