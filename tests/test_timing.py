"""The engine of compare, timeit, first_call and sweep, on a clock that only the candidates move.

No test here waits, and none depends on how fast or busy the machine is.
"""

import functools
import gc
import math
import random
import sys
from collections import Counter

import pytest
from fakes import Clock, comparison, sanitize

import labkit as lab
from labkit.measure import compare, rounds
from labkit.measure.results import Comparison


@pytest.fixture
def clock(monkeypatch):
    fake = Clock()
    monkeypatch.setattr(rounds, "clock", fake)
    return fake


def use(monkeypatch, fake):
    monkeypatch.setattr(rounds, "clock", fake)
    return fake


@pytest.fixture(autouse=True)
def without_collecting(monkeypatch):
    """Spare the tests the third of a second that a full collection takes once TensorFlow is there."""
    monkeypatch.setattr(gc, "collect", lambda generation=2: 0)


def returns(value):
    """A function without the cost of a real one: for tests that never come to the measuring."""
    return lambda: value


# ---- bad input, row by row as the specification lists it ----


class Tensor:
    """What an eager call returns, as far as an error message can tell."""

    dtype = "float32"


Tensor.__module__ = "tensorflow.python.framework.ops"


def test_a_result_in_place_of_a_function_is_refused_with_the_cure():
    with pytest.raises(
        TypeError, match=r"eager is a Tensor, not a function: pass `lambda: f\(x\)`, not `f\(x\)`"
    ):
        lab.compare(eager=Tensor(), graph=returns(1))
    with pytest.raises(TypeError, match="call is a list, not a function"):
        rounds.Run({"call": [1]}, 1.0, None, None, "none")


def test_a_function_with_arguments_is_refused_by_name_and_signature():
    with pytest.raises(
        TypeError, match=r"graph\(x, y=1\) must take no argument: wrap it, `lambda: graph\(x\)`"
    ):
        lab.compare(eager=returns(1), graph=lambda x, y=1: x)
    with pytest.raises(TypeError, match=r"graph\(\) must take one argument, the value of setup"):
        lab.compare(eager=lambda x: x, graph=lambda: 1, setup=dict)


def test_optional_arguments_are_no_reason_to_refuse(clock):
    def optional(x=1, *rest, **more):
        clock.work(1e-4)

    assert lab.compare(a=optional, b=functools.partial(optional, 3), budget=0.1).number == 2


def test_a_built_in_function_without_a_signature_is_accepted(monkeypatch):
    monkeypatch.setattr(
        rounds, "clock", functools.partial(next, iter(i * 2e-4 for i in range(10**9)))
    )
    assert lab.compare(a=int, b=int, budget=0.05).samples["a"]


@pytest.mark.parametrize("fns", [{}, None, {"one": returns(1)}, [], [sum]])
def test_fewer_than_two_candidates_are_sent_to_timeit(fns):
    with pytest.raises(ValueError, match=r"two candidates or more.*timeit"):
        lab.compare(fns)


def test_an_unknown_baseline_is_refused_with_the_nearest_name():
    with pytest.raises(ValueError, match="no candidate is named 'egaer': did you mean 'eager'"):
        lab.compare(eager=returns(1), graph=returns(1), baseline="egaer")
    with pytest.raises(ValueError, match=r"no candidate is named 'xyz': .*'eager', 'graph'"):
        lab.compare(eager=returns(1), graph=returns(1), baseline="xyz")


@pytest.mark.parametrize("budget", [0, -1, math.nan, 600.1, math.inf, True])
@pytest.mark.parametrize(
    "measure",
    [
        lambda **o: lab.compare(a=returns(1), b=returns(1), **o),
        lambda **o: lab.timeit(returns(1), **o),
    ],
)
def test_a_budget_that_is_no_time_to_spend_is_refused(measure, budget):
    with pytest.raises(ValueError, match="budget is in seconds"):
        measure(budget=budget)


@pytest.mark.parametrize("option", ["margin", "confidence"])
@pytest.mark.parametrize("value", [0, 1, -0.1, 1.5, math.nan])
def test_a_margin_or_confidence_outside_its_range_is_refused(option, value):
    with pytest.raises(ValueError, match=f"{option} must lie between"):
        lab.compare(a=returns(1), b=returns(1), **{option: value})


def test_a_confidence_of_a_coin_is_refused():
    with pytest.raises(ValueError, match=r"confidence must lie between 0\.5 and 1"):
        lab.compare(a=returns(1), b=returns(1), confidence=0.5)


@pytest.mark.parametrize("number", [0, -3, 1.0, "2", True])
def test_a_number_that_counts_no_calls_is_refused(number):
    with pytest.raises(ValueError, match="number must be a whole number from 1 on"):
        lab.compare(a=returns(1), b=returns(1), number=number)


def test_setup_with_several_calls_a_sample_is_refused():
    with pytest.raises(ValueError, match="with setup every sample is one call"):
        lab.compare(a=lambda x: x, b=lambda x: x, setup=list, number=2)


@pytest.mark.parametrize("at", [1, 2, 5, 60])
def test_an_error_of_a_candidate_arrives_with_its_name_and_gc_as_it_was(clock, at):
    calls = []

    def graph():
        calls.append(None)
        clock.work(1e-3)
        if len(calls) == at:
            raise RuntimeError("no kernel")

    assert gc.isenabled()
    with pytest.raises(RuntimeError, match="no kernel") as caught:
        lab.compare(eager=clock.candidate(1e-3), graph=graph, margin=0.001, budget=1)
    assert caught.value.__notes__ == ["while measuring 'graph'"]
    assert gc.isenabled()


@pytest.mark.parametrize(
    ("a", "b", "leaf"),
    [
        ([1.0, 2.0], [1.0, 2.5], r"\[1\]: 2\.5 instead of 2\.0"),
        ({"y": [1.0]}, {"y": [9.0]}, r"\['y'\]\[0\]: 9\.0 instead of 1\.0"),
        (1.0, None, "None instead of 1.0"),
    ],
)
def test_results_that_differ_are_refused_before_anything_is_timed(clock, a, b, leaf):
    with pytest.raises(
        AssertionError, match=f"fast and slow do not give the same result: {leaf}.*check=False"
    ):
        lab.compare(slow=clock.candidate(1.0, result=a), fast=clock.candidate(1.0, result=b))
    assert clock.now == pytest.approx(2.0)  # the two first calls and nothing else


def test_results_that_differ_are_timed_on_request(clock):
    arms = {"slow": clock.candidate(2e-3, result=1), "fast": clock.candidate(1e-3, result=2)}
    unchecked = lab.compare(arms, check=False)
    assert unchecked.verdict == {"fast": "faster"}
    assert "agree" not in repr(unchecked)
    assert "the results agree" in repr(lab.compare(arms, check=lambda got, wanted: got > wanted))
    with pytest.raises(AssertionError, match="the check given says no"):
        lab.compare(arms, check=lambda got, wanted: got < wanted)


def a_generator():
    yield 1


async def a_coroutine():
    return 1


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")
@pytest.mark.parametrize(
    ("fn", "kind"),
    [
        (a_generator, "generator"),
        (a_coroutine, "coroutine"),
        (lambda: map(str, []), "map"),
        (lambda: zip([], [], strict=True), "zip"),
    ],
)
def test_a_lazy_result_is_warned_of(clock, fn, kind):
    def lazy():
        clock.work(1e-3)
        return fn()

    result = lab.compare(eager=clock.candidate(1e-3), lazy=lazy, check=False)
    warning = f"warning: lazy returned a lazy object ({kind}): nothing may have been computed"
    assert result.notes == [warning]
    assert warning in repr(result)
    assert lab.timeit(lazy, budget=0.1).notes == [warning]


def test_a_dataset_is_a_lazy_result(clock):
    import tensorflow as tf

    def pipeline():
        clock.work(1e-3)
        return tf.data.Dataset.range(3).map(lambda x: x + 1)

    result = lab.compare(eager=clock.candidate(1e-3), pipeline=pipeline, check=False)
    assert "pipeline returned a lazy object" in result.notes[0]


def interrupting(clock, after):
    """Return a candidate that the user stops by Ctrl-C in its call number `after`."""
    calls = []

    def call():
        calls.append(None)
        clock.work(1e-3)
        if len(calls) == after:
            raise KeyboardInterrupt

    return call


def test_ctrl_c_in_the_rounds_returns_what_there_is_and_says_so(clock):
    result = lab.compare(
        a=clock.candidate(1e-3), b=interrupting(clock, 60), margin=0.001, number=1, budget=100
    )
    assert result.interrupted
    assert 0 < len(result.samples["a"]) == len(result.samples["b"]) < 60
    assert result.verdict == {"b": "unclear"}
    assert result.is_faster("b", by=0.1).holds is None
    assert "interrupted: no verdict is given" in repr(result)
    assert "measure longer" not in repr(result)
    assert gc.isenabled()


def test_ctrl_c_before_the_end_of_the_first_round_is_not_swallowed(clock):
    kept = []
    for after in range(1, 31):
        try:
            kept.append(lab.compare(a=clock.candidate(1e-3), b=interrupting(clock, after), seed=9))
        except KeyboardInterrupt:
            assert not kept  # once there is a round, there is a result
        assert gc.isenabled()
    assert 0 < len(kept) < 30
    assert all(len(result.samples["b"]) == i for i, result in enumerate(kept, start=1))


def test_ctrl_c_in_timeit_is_marked(clock):
    result = lab.timeit(interrupting(clock, 60), number=1, budget=100)
    assert result.interrupted and 0 < len(result.samples) < 60
    assert "interrupted" in repr(result)
    assert "interrupted" not in repr(lab.timeit(clock.candidate(1e-3)))


def test_ctrl_c_ends_a_sweep_with_the_sizes_done(clock):
    tried = []

    def fn(size):
        clock.work(1e-3)
        tried.append(size)
        if len(set(tried)) == 3 and tried.count(size) == 45:  # in the rounds of the third size
            raise KeyboardInterrupt

    sweep = lab.sweep({"a": fn, "b": lambda size: clock.work(1e-3)}, "abcdef", budget=6, number=1)
    assert len(sweep.comparisons) == 3
    assert {size for size, c in sweep.comparisons.items() if c.interrupted} == {tried[-1]}
    assert list(sweep.comparisons) == sorted(sweep.comparisons)  # the order of the sizes given

    tried.clear()
    alone = lab.sweep({"a": fn}, "abcdef", budget=6, number=1)
    assert len(alone.comparisons) == 3
    assert alone.comparisons[tried[-1]].interrupted


def test_a_coarse_clock_is_noted_with_the_share_of_ties(monkeypatch):
    fake = use(monkeypatch, Clock(tick=0.016))
    result = lab.compare(a=fake.candidate(1e-3), b=fake.candidate(1e-3), number=1, budget=2)
    (note,) = result.notes
    assert sanitize(note) == sanitize(
        "≈90 % of the samples tie at the clock's resolution: give a larger number="
    )
    assert result.verdict == {"b": "similar"} or result.verdict == {"b": "unclear"}


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
    result = lab.compare(base=clock.candidate(1e-3), other=clock.candidate(cost * 1e-3))
    assert result.ratio["other"] == pytest.approx((cost, cost, cost))
    assert result.verdict == {"other": word}
    assert result.median["base"].value == pytest.approx(1e-3)
    assert result.median["other"].value == pytest.approx(cost * 1e-3)


def test_another_baseline_turns_the_ratio_round(clock):
    arms = {"slow": clock.candidate(4e-3), "fast": clock.candidate(1e-3)}
    result = lab.compare(arms, baseline="fast")
    assert result.ratio == {"slow": pytest.approx((4, 4, 4))}
    assert result.verdict == {"slow": "slower"}
    assert list(result.samples) == ["slow", "fast"]  # the order of the rows is the order given


def busy_part_of_the_time(now):
    """Twenty times slower for two of every seven milliseconds, as when another program gets the core."""
    return 20.0 if now % 7e-3 < 2e-3 else 1.0


def test_bursts_of_noise_hit_both_and_leave_the_ratio(monkeypatch):
    fake = use(monkeypatch, Clock(busy_part_of_the_time))
    result = lab.compare(base=fake.candidate(1e-4), other=fake.candidate(1.25e-4), budget=5, seed=3)
    assert max(result.samples["base"]) > 10 * min(result.samples["base"])  # the noise was there
    assert result.ratio["other"].value == pytest.approx(1.25, rel=1e-6)
    assert result.verdict == {"other": "slower"}


def test_a_machine_that_grows_slower_leaves_the_ratio(monkeypatch):
    fake = use(monkeypatch, Clock(lambda now: 1 + 30 * now))
    result = lab.compare(
        base=fake.candidate(1e-4), other=fake.candidate(1e-4), number=1, budget=2, seed=1
    )
    assert result.median["base"].high > 1.5 * min(result.samples["base"])
    assert result.verdict == {"other": "similar"}
    assert result.ratio["other"].value == pytest.approx(1, abs=0.004)


@pytest.mark.parametrize(
    ("by", "holds"), [(1.0, True), (1.9, True), (2.1, False), (4.0, False), (2.0, None)]
)
def test_is_faster_asks_the_whole_interval(by, holds):
    samples = {"slow": [2.0] * 40, "fast": [0.95, 1.05, 1.0, 1.0] * 10}
    finding = Comparison(samples, "slow").is_faster("fast", by=by)
    assert finding.holds is holds
    assert bool(finding) is (holds is True)
    assert finding.measured.startswith("fast takes ≈0.500× [")


def test_is_faster_takes_any_two_names():
    result = comparison({"a": 4e-3, "b": 2e-3, "c": 1e-3})
    assert result.is_faster("c", than="b", by=1.5).holds is True
    assert result.is_faster("b", than="c", by=1.5).holds is False
    assert result.is_faster("a").holds is None  # the same thing: neither faster nor slower
    with pytest.raises(KeyError, match="'d' was not measured; there are a, b, c"):
        result.is_faster("d")


def test_too_few_rounds_decide_nothing():
    result = Comparison({"a": [1.0] * 5, "b": [9.0] * 5}, "a")
    assert result.verdict == {"b": "unclear"}
    assert result.is_faster("a", than="b").holds is None
    assert result.ratio["b"][1:] == (0, math.inf)


def test_with_more_candidates_each_row_needs_more_evidence():
    two = comparison({"a": 1e-3, "b": 1e-3}, n=40)
    many = Comparison({**two.samples, **{f"c{i}": two.samples["a"] for i in range(20)}}, "a")
    assert many.ratio["b"].low < two.ratio["b"].low
    assert many.ratio["b"].high > two.ratio["b"].high


# ---- first calls, number, setup ----


def test_the_first_call_is_kept_apart(clock):
    result = lab.compare(
        eager=clock.candidate(1e-3, first=0.25), graph=clock.candidate(5e-4, first=3.0), budget=0.5
    )
    assert result.first_call == pytest.approx({"eager": 0.25, "graph": 3.0})
    assert max(max(times) for times in result.samples.values()) < 2e-3
    once = lab.timeit(clock.candidate(1e-3, first=0.25), budget=0.1)
    assert once.first_call == pytest.approx(0.25) and max(once.samples) < 2e-3


@pytest.mark.parametrize(
    ("fast", "slow", "number"),
    [(1e-5, 4e-5, 15), (1e-7, 1e-7, 1500), (1e-4, 1e-2, 2), (1e-3, 2e-3, 1), (0.2, 0.2, 1)],
)
def test_one_number_of_calls_for_all_just_long_enough_for_the_fastest(clock, fast, slow, number):
    calls = Counter()
    arms = {
        name: clock.candidate(cost, tell=functools.partial(calls.update, [name]))
        for name, cost in {"slow": slow, "fast": fast}.items()
    }
    result = lab.compare(arms, budget=0.3)
    assert number <= result.number <= number + 1
    assert calls["slow"] >= result.number * len(result.samples["slow"])
    assert result.median["fast"].value == pytest.approx(fast)  # per call, not per sample


def test_an_interruption_while_calibrating_does_not_shrink_the_samples(monkeypatch):
    disturbed = []

    def slowdown(now):  # the first long sample after the warm-up meets another program
        if now > rounds.WARM_UP + 1e-5 and not disturbed:
            disturbed.append(now)
            return 1000.0
        return 1.0

    fake = use(monkeypatch, Clock(slowdown))
    result = lab.compare(a=fake.candidate(1e-6), b=fake.candidate(1e-6), budget=1)
    assert disturbed
    assert result.number >= 150


def test_a_given_number_is_kept(clock):
    result = lab.compare(a=clock.candidate(1e-6), b=clock.candidate(1e-6), number=7, budget=0.01)
    assert result.number == 7
    assert lab.timeit(clock.candidate(1e-6), number=7, budget=0.01).number == 7


def test_the_value_of_setup_is_fresh_shared_and_untimed(clock):
    made, seen = [], {"a": [], "b": []}

    def setup():
        clock.work(0.01)
        made.append([len(made)])
        return made[-1]

    def arm(name, cost):
        def call(value):
            seen[name].append(value)
            clock.work(cost)

        return call

    result = lab.compare(a=arm("a", 1e-6), b=arm("b", 1e-6), setup=setup, budget=0.5)
    taken = len(result.samples["a"])
    assert result.number == 1
    assert max(result.samples["a"]) < 1e-5
    assert [id(v) for v in seen["a"][-taken:]] == [id(v) for v in seen["b"][-taken:]]
    assert len({id(v) for v in seen["a"][-taken:]}) == taken
    assert seen["a"][0] is seen["b"][0]  # the results of the first calls can be compared


# ---- order and rounds ----


def order_of(result, log):
    """Return the order within each round, as recorded by candidates with one call per sample."""
    k, n = len(result.samples), len(result.samples[result.baseline])
    last = log[-k * n :]
    return ["".join(last[i : i + k]) for i in range(0, k * n, k)]


def taken_in_order(clock, names, **options):
    log = []
    arms = {name: clock.candidate(1e-3, tell=functools.partial(log.append, name)) for name in names}
    return order_of(lab.compare(arms, number=1, margin=1e-9, **options), log)


def test_two_candidates_go_in_blocks_of_abba_or_baab(clock):
    order = taken_in_order(clock, "AB", budget=1, seed=1)
    blocks = Counter("".join(order[i : i + 2]) for i in range(0, len(order) - 1, 2))
    assert set(blocks) == {"ABBA", "BAAB"}
    assert (
        min(blocks.values()) > sum(blocks.values()) / 4
    )  # drawn, not taken in turn or always the same


@pytest.mark.parametrize("names", ["AB", "ABC", "ABCDE"])
def test_each_candidate_takes_each_place_equally_often(clock, names):
    order = taken_in_order(clock, names, budget=3, seed=2)
    k = len(names)
    whole = order[: len(order) // k * k]
    for place in range(k):
        assert set(Counter(row[place] for row in whole).values()) == {len(whole) // k}
    for i in range(0, len(whole), k):  # and within every block
        assert all(len({row[place] for row in whole[i : i + k]}) == k for place in range(k))


def test_a_seed_repeats_the_order_and_none_draws_anew(clock):
    assert taken_in_order(clock, "AB", budget=1, seed=4) == taken_in_order(
        clock, "AB", budget=1, seed=4
    )
    orders = {tuple(taken_in_order(clock, "AB", budget=1)) for _ in range(3)}
    assert len(orders) > 1


def test_a_position_that_costs_is_shared_by_all(monkeypatch):
    fake = use(monkeypatch, Clock())
    previous = []

    def arm(name):
        def call():
            previous.append(name)
            fake.work(
                1.3e-3 if len(previous) % 2 else 1e-3
            )  # whoever goes first finds the caches cold

        return call

    result = lab.compare(a=arm("a"), b=arm("b"), number=1, budget=1, seed=5)
    assert (
        result.ratio["b"].low <= 1 <= result.ratio["b"].high
    )  # always a before b would make b look slower


def test_measuring_ends_early_when_decided(clock):
    result = lab.compare(a=clock.candidate(1e-3), b=clock.candidate(2e-3), budget=100)
    assert 32 <= len(result.samples["a"]) < 100
    assert result.seconds < 0.5


def noisy(clock, cost, rng):
    return lambda: clock.work(cost * rng.lognormvariate(0, 0.6))


def test_measuring_goes_on_to_the_budget_while_undecided(clock):
    rng = random.Random(2)
    result = lab.compare(
        a=noisy(clock, 1e-3, rng), b=noisy(clock, 1.05e-3, rng), budget=0.8, number=1, seed=6
    )
    assert result.verdict == {"b": "unclear"}
    assert 0.8 <= result.seconds < 0.82


def test_a_narrow_interval_alone_does_not_end_it_while_the_verdict_is_open(clock):
    rng = random.Random(4)

    def at_the_edge():
        clock.work(1.05e-3 * rng.lognormvariate(0, 0.01))

    result = lab.compare(a=clock.candidate(1e-3), b=at_the_edge, budget=0.7, number=1, seed=8)
    assert result.ratio["b"].high / result.ratio["b"].low < 1.02
    assert result.verdict == {"b": "unclear"}
    assert result.seconds >= 0.7


def test_a_safe_verdict_alone_does_not_end_it_while_the_figure_is_loose(clock):
    rng = random.Random(3)
    result = lab.compare(
        a=noisy(clock, 1e-3, rng), b=noisy(clock, 3e-3, rng), budget=20, number=1, seed=7
    )
    assert result.verdict == {"b": "slower"}
    r = result.ratio["b"]
    assert result.seconds >= 20 or r.high / r.low < 1.1


def test_the_budget_can_be_scaled_and_rounds_be_asked_for_from_outside(clock, monkeypatch):
    def rounds_taken():
        return len(lab.timeit(clock.candidate(0.05), budget=2).samples)

    plain = rounds_taken()
    monkeypatch.setenv("LABKIT_ROUNDS", str(3 * plain))
    assert rounds_taken() == 3 * plain
    monkeypatch.setenv("LABKIT_ROUNDS", str(99 * plain))
    assert 4 * plain < rounds_taken() < 6 * plain  # five times the budget is the end
    monkeypatch.delenv("LABKIT_ROUNDS")
    monkeypatch.setenv("LABKIT_BUDGET", "2")
    assert 1.5 * plain < rounds_taken() < 2.5 * plain


@pytest.mark.parametrize(("confidence", "least"), [(0.9, 5), (0.99, 8), (0.9999, 15)])
@pytest.mark.parametrize("k", [2, 4])
def test_slow_candidates_still_get_the_rounds_that_an_interval_needs(clock, confidence, least, k):
    arms = {str(i): clock.candidate(0.05 * 3**i) for i in range(k)}
    budget = least * sum(0.05 * 3**i for i in range(k)) / 3  # a third of what is needed
    result = lab.compare(arms, budget=budget, confidence=confidence)
    assert least <= len(result.samples["0"]) <= least + 4
    assert all(math.isfinite(r.high) and r.low > 0 for r in result.ratio.values())


def test_a_candidate_far_beyond_the_budget_returns_its_numbers_without_a_verdict(clock):
    result = lab.compare(a=clock.candidate(60), b=clock.candidate(30), budget=1)
    assert len(result.samples["a"]) == 1
    assert result.median["a"].value == pytest.approx(60)
    assert result.verdict == {"b": "unclear"}
    assert "≈60.0 s" in repr(result)


def test_the_collector_is_off_while_measuring_and_restored(clock):
    states = []
    result = lab.compare(
        a=clock.candidate(1e-3, tell=lambda: states.append(gc.isenabled())), b=clock.candidate(1e-3)
    )
    assert not any(states[-len(result.samples["a"]) :])
    assert gc.isenabled()
    gc.disable()
    try:
        lab.compare(a=clock.candidate(1e-3), b=clock.candidate(1e-3))
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_a_sample_ends_with_the_synchronisation_given(clock):
    waited = []

    def wait():
        waited.append(None)
        clock.work(0.5e-3)

    result = lab.compare(
        a=clock.candidate(1e-3), b=clock.candidate(1e-3), number=2, sync=wait, budget=1
    )
    assert result.median["a"].value == pytest.approx(1.25e-3)  # one wait for two calls
    assert result.first_call["a"] == pytest.approx(1.5e-3)
    assert lab.compare(a=clock.candidate(1e-3), b=clock.candidate(1e-3), sync="none").median[
        "a"
    ].value == pytest.approx(1e-3)


# ---- retracing ----


class Graph:
    """Counts traces as a tf.function does; it traces in every call from the given one on."""

    def __init__(self, clock, cost, traces_from):
        self.clock, self.cost, self.traces_from, self.calls = clock, cost, traces_from, 0

    def __call__(self):
        self.calls += 1
        self.clock.work(self.cost)

    def experimental_get_tracing_count(self):
        return 1 + max(0, self.calls - self.traces_from)


spied = None


def ways_to_call(graph):
    def helper():
        return graph()

    global spied
    spied = graph
    return {
        "itself": graph,
        "closure": lambda: graph(),
        "global": lambda: spied(),
        "partial": functools.partial(graph),
        "helper": lambda: helper(),
    }


@pytest.mark.parametrize("way", ["itself", "closure", "global", "partial", "helper"])
def test_a_verdict_is_withheld_while_a_candidate_traces(clock, way):
    graph = ways_to_call(Graph(clock, 1e-3, traces_from=10))[way]
    result = lab.compare(
        eager=clock.candidate(4e-3), graph=graph, calm=clock.candidate(1e-3), number=1
    )
    assert result.retraced == {"graph"}
    assert result.verdict == {"graph": "unclear", "calm": "faster"}
    assert result.is_faster("graph").holds is None
    assert result.is_faster("calm").holds is True
    (note,) = result.notes
    assert sanitize(note) == sanitize(
        "warning: graph made ≈9 traces while it was measured; its verdict is withheld"
    )
    assert "measure longer" not in repr(result)  # it would not help


def test_a_baseline_that_traces_withholds_every_verdict(clock):
    result = lab.compare(
        graph=Graph(clock, 4e-3, traces_from=10), a=clock.candidate(1e-3), b=clock.candidate(1e-3)
    )
    assert set(result.verdict.values()) == {"unclear"}


def test_traces_before_the_rounds_are_nothing_to_worry_about(clock):
    result = lab.compare(eager=clock.candidate(4e-3), graph=Graph(clock, 1e-3, traces_from=10**9))
    assert not result.notes and result.verdict == {"graph": "faster"}


def test_a_variable_without_a_value_yet_is_no_obstacle(clock):
    def early():
        clock.work(1e-3)
        return late if False else None

    assert lab.compare(early=early, other=clock.candidate(1e-3)).samples
    late = 1


def test_a_retracing_tf_function_is_noticed(clock):
    import tensorflow as tf

    @tf.function
    def graph(n):
        return tf.constant(n)

    sizes = iter(range(10**6))

    def retraced():
        clock.work(1e-3)
        return graph(next(sizes))

    result = lab.compare(
        eager=clock.candidate(1e-3), graph=retraced, check=False, number=1, budget=0.05
    )
    assert result.retraced == {"graph"}


# ---- progress ----


@pytest.mark.parametrize(
    ("budget", "progress", "variable", "shown"),
    [
        (2.0, "auto", None, False),
        (2.1, "auto", None, True),
        (2.1, "auto", "0", False),
        (1.0, True, None, True),
        (1.0, True, "0", False),
        (9.0, False, None, False),
    ],
)
def test_progress_is_shown_for_long_measurements_only(
    clock, capsys, monkeypatch, budget, progress, variable, shown
):
    monkeypatch.delenv("LABKIT_PROGRESS", raising=False)
    if variable:
        monkeypatch.setenv("LABKIT_PROGRESS", variable)
    lab.compare(a=clock.candidate(1e-2), b=clock.candidate(1e-2), budget=budget, progress=progress)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert ("comparing a, b" in captured.err) is shown
    assert (
        captured.err == "" or captured.err.rsplit("\r", 2)[-2].strip() == ""
    )  # wiped out at the end


def test_the_progress_bar_never_passes_its_end(clock, monkeypatch):
    monkeypatch.setenv("LABKIT_PROGRESS", "1")
    bars = []

    def watched(*args):
        bars.append(bar(*args))
        bars[-1].mininterval = 0  # draw at every step: drawing is what fails beyond the end
        return bars[-1]

    bar = rounds.progress_bar
    monkeypatch.setattr(rounds, "progress_bar", watched)
    lab.compare(
        a=clock.candidate(0.5), b=clock.candidate(0.5), budget=2.5
    )  # needs three times its budget
    assert bars[0].n == pytest.approx(2.5)


# ---- what comes back ----


def test_unclear_says_why_and_what_to_do():
    result = comparison({"a": 1e-3, "b": 1.05e-3}, n=40, spread=0.3)
    note = result.table.notes[-1]
    assert result.verdict == {"b": "unclear"}
    assert note.startswith("unclear: the true ratio lies between ≈")
    assert "measure longer (budget=4)" in note and "ask for less (margin=0.2)" in note
    assert "b against a: unclear" in repr(result)
    assert note in result._repr_html_().replace("&#x27;", "'")
    decided = comparison({"a": 1e-3, "b": 2e-3})
    assert "unclear" not in repr(decided)


def test_unclear_names_the_widest_interval_in_doubt():
    samples = {
        "a": [1.0] * 40,
        "b": [0.9, 1.1] * 20,
        "wide": [0.5, 2.0] * 20,
        "sure": [9.0, 90.0] * 20,
    }
    assert "between ≈0.500 and ≈2.00" in repr(Comparison(samples, "a"))


def test_a_comparison_has_text_html_and_pictures():
    result = comparison({"eager": 4e-4, "graph": 1e-4, "twin": 4e-4})
    assert repr(result).splitlines()[0].startswith("graph is faster than eager: ≈0.2")
    assert "twin and eager are similar (within 5%)" in repr(result)
    assert "<caption" in result._repr_html_() and "faster" in result._repr_html_()
    for kind in (None, "ratio", "times", "rounds", "break-even"):
        assert result.plot(kind).png().startswith(b"\x89PNG")
    with pytest.raises(
        ValueError, match="a Comparison has no picture 'pie'; there are ratio, times, rounds"
    ):
        result.plot("pie")


def test_rows_are_in_the_order_given_and_in_seconds():
    result = comparison({"slow": 4e-4, "fast": 1e-4, "slower": 9e-4})
    assert [row["name"] for row in result.to_records()] == ["slow", "fast", "slower"]
    assert [row["verdict"] for row in result.to_records()] == ["baseline", "faster", "slower"]
    fast = result.to_records()[1]
    assert fast["low"] <= fast["median"] <= fast["high"] == pytest.approx(1e-4, rel=0.5)
    assert fast["ratio_low"] <= fast["ratio"] <= fast["ratio_high"] < 0.3


def test_timeit_returns_seconds_per_call(clock):
    result = lab.timeit(clock.candidate(2e-5, first=0.3), budget=0.2)
    assert result.median == pytest.approx((2e-5,) * 3)
    assert result.number == 8
    assert "first call" in repr(result) and "≈300 ms" in repr(result) and "≈20.0 µs" in repr(result)
    assert "<table" in result._repr_html_() and result.plot().png()
    assert result.name == "call"


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

    assert list(lab.compare([eager, graph], other=clock.candidate(1e-3)).samples) == [
        "eager",
        "graph",
        "other",
    ]


def test_first_call_times_a_fresh_callable_each_time(clock):
    made = []

    def make():
        clock.work(10.0)  # making is not timed
        made.append(None)
        return clock.candidate(1e-3, first=0.1 * len(made))

    result = lab.first_call(make, n=4)
    assert result.samples == pytest.approx([0.1, 0.2, 0.3, 0.4])
    assert len(made) == 4


@pytest.mark.parametrize("n", [0, -1, 2.0])
def test_first_call_needs_a_whole_number(n):
    with pytest.raises(ValueError, match="n must be a whole number from 1 on"):
        lab.first_call(lambda: returns(1), n=n)


def test_first_call_says_what_it_needs():
    with pytest.raises(
        TypeError, match=r"make is a list, not a function: pass `lambda: tf.function\(f\)`"
    ):
        lab.first_call([1])
    with pytest.raises(TypeError, match=r"make\(\) returned a int, not a function to call"):
        lab.first_call(lambda: 1)


def test_a_sweep_compares_at_every_size(clock):
    made = []

    def setup(size):
        made.append(size)
        clock.work(1.0)
        return [None] * size

    fns = {
        "linear": lambda rows: clock.work(1e-4 * len(rows)),
        "flat": lambda rows: clock.work(4e-4),
    }
    result = lab.sweep(fns, [1, 4, 16], setup=setup, budget=1.5, label="batch")
    assert list(result.comparisons) == [1, 4, 16]
    assert sorted(made) == [1, 4, 16]
    assert [c.verdict["flat"] for c in result.comparisons.values()] == [
        "slower",
        "similar",
        "faster",
    ]
    assert [row["batch"] for row in result.to_records()] == [1, 1, 4, 4, 16, 16]
    assert repr(result).splitlines()[1].split() == ["batch", "linear", "flat"]
    assert "<table" in result._repr_html_() and result.plot(per="row").png()
    assert all(c.seconds <= 0.55 for c in result.comparisons.values())


def test_a_sweep_takes_the_sizes_in_random_order(clock):
    orders = set()
    for _ in range(4):
        order = []
        lab.sweep(
            {"a": lambda n: clock.work(1e-3)},
            range(8),
            setup=lambda n, o=order: o.append(n),
            budget=0.8,
        )
        orders.add(tuple(order))
    assert len(orders) > 1


def test_a_sweep_of_one_candidate_takes_the_same_options(clock):
    result = lab.sweep(
        {"a": lambda n: clock.work(1e-3 * n)}, [1, 2], budget=0.2, check=False, margin=0.1, number=1
    )
    assert [c.median["a"].value for c in result.comparisons.values()] == pytest.approx([1e-3, 2e-3])
    assert "agree" not in repr(result.comparisons[1])


def test_a_sweep_refuses_what_it_cannot_call():
    with pytest.raises(ValueError, match="at least one candidate and one size"):
        lab.sweep({"a": lambda n: n}, [])
    with pytest.raises(ValueError, match="at least one candidate and one size"):
        lab.sweep({}, [1])
    with pytest.raises(TypeError, match="a is a int, not a function"):
        lab.sweep({"a": 3}, [1])
    with pytest.raises(TypeError, match=r"a\(\) must take one argument"):
        lab.sweep({"a": lambda: 1}, [1])


def test_a_sweep_notices_a_retrace_behind_its_argument(clock):
    graph = Graph(clock, 1e-3, traces_from=5)
    result = lab.sweep(
        {"eager": lambda n: clock.work(1e-3), "graph": lambda n: graph()}, [1], budget=0.3, number=1
    )
    assert result.comparisons[1].retraced == {"graph"}


def test_without_a_gpu_nothing_is_waited_for(monkeypatch):
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    assert rounds._device_sync() is None


def test_the_clock_is_the_best_there_is():
    import time

    assert rounds.clock is time.perf_counter
    assert compare.rounds is rounds
