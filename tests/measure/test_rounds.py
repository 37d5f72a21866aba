"""The measuring loop, on a clock that only the candidates move: numbers of calls, budget, order.

No test here waits, and none depends on how fast or busy the machine is.
"""

import functools
import gc
import itertools
import math
import random
import sys
import time
import types
from collections import Counter

import pytest
from fakes import REPEATABLE, Clock, sanitize
from hypothesis import given, settings
from hypothesis import strategies as st

import labkit as lab
from labkit.measure import rounds
from labkit.measure.notes import SECOND_CALLS, TIES
from labkit.measure.processor import ProcessorMeter, ProcessorUse
from labkit.measure.results import DECIDED


def returns(value):
    """A function without the cost of a real one: for tests that never come to the measuring."""
    return lambda: value


def candidates(clock, costs, calls):
    """Return candidates of these costs; `calls` counts how often each is called."""
    made = {}
    for name, cost in costs.items():
        made[name] = clock.candidate(cost, tell=functools.partial(calls.update, [name]))
    return made


# ---- bad input ----


class Tensor:
    """What an eager call returns, as far as an error message can tell."""

    dtype = "float32"


Tensor.__module__ = "tensorflow.python.framework.ops"


def test_a_result_in_place_of_a_function_is_refused_with_the_cure():
    words = r"eager is a Tensor, not a function: pass `lambda: f\(x\)`, not `f\(x\)`"
    with pytest.raises(TypeError, match=words):
        lab.compare(eager=Tensor(), graph=returns(1))
    with pytest.raises(TypeError, match="call is a list, not a function"):
        rounds.Run({"call": [1]}, rounds.Options(), random.Random())


def test_a_function_with_arguments_is_refused_by_name_and_signature():
    words = r"graph\(x, y=1\) must take no argument: wrap it, `lambda: graph\(x\)`"
    with pytest.raises(TypeError, match=words):
        lab.compare(eager=returns(1), graph=lambda x, y=1: x)
    with pytest.raises(TypeError, match=r"graph\(\) must take one argument, the value of setup"):
        lab.compare(eager=lambda x: x, graph=lambda: 1, setup=dict)


def test_optional_arguments_are_no_reason_to_refuse(clock):
    def optional(x=1, *rest, **more):
        clock.work(1e-4)

    result = lab.compare(a=optional, b=functools.partial(optional, 3), budget=0.1)
    assert result.number == {"a": 2, "b": 2}


def test_a_built_in_function_without_a_signature_is_accepted(use):
    use(functools.partial(next, iter(i * 2e-4 for i in range(10**9))))
    assert lab.compare(a=int, b=int, budget=0.05).samples["a"]


@pytest.mark.parametrize("budget", [0, -1, math.nan, 600.1, math.inf, True])
@pytest.mark.parametrize(
    "measure",
    [
        lambda **o: lab.compare(a=returns(1), b=returns(1), **o),
        lambda **o: lab.timeit(returns(1), **o),
        lambda **o: lab.sweep({"a": lambda n: n}, [1], **o),
    ],
)
def test_a_budget_that_is_no_time_to_spend_is_refused(measure, budget):
    with pytest.raises(ValueError, match="budget is in seconds, above 0 and at most 600"):
        measure(budget=budget)


@pytest.mark.parametrize("number", [0, -3, 1.0, "2", True])
def test_a_number_that_counts_no_calls_is_refused(number):
    with pytest.raises(ValueError, match="number must be a whole number from 1 on"):
        lab.compare(a=returns(1), b=returns(1), number=number)


def test_setup_with_several_calls_a_sample_is_refused(clock):
    with pytest.raises(ValueError, match="with setup every sample is one call"):
        lab.compare(a=lambda x: x, b=lambda x: x, setup=list, number=2)
    one = clock.candidate(1e-3)
    assert lab.timeit(lambda _: one(), setup=list, number=1, budget=0.1).number == 1


@pytest.mark.parametrize("at", [1, 2, 5, 60])
def test_an_error_of_a_candidate_arrives_with_its_name_and_gc_as_it_was(clock, at):
    calls = []

    def graph():
        calls.append(None)
        clock.work(1e-3)
        if len(calls) == at:
            raise RuntimeError("no kernel")

    with pytest.raises(RuntimeError, match="no kernel") as caught:
        lab.compare(eager=clock.candidate(1e-3), graph=graph, budget=1)
    assert caught.value.__notes__ == ["while measuring 'graph'"]
    assert gc.isenabled()


# ---- the number of calls of a sample ----


@pytest.mark.parametrize(
    ("cost", "number"), [(1e-7, 1500), (1e-5, 15), (1e-4, 2), (1.5e-4, 1), (1e-3, 1), (0.2, 1)]
)
def test_so_many_calls_as_fill_a_sample(clock, cost, number):
    result = lab.compare(a=clock.candidate(cost), b=clock.candidate(cost), budget=0.02)
    assert number <= result.number["a"] <= number + 1
    assert result.number["a"] == result.number["b"]
    assert result.median["a"].value == pytest.approx(cost)  # per call, not per sample
    alone = lab.timeit(clock.candidate(cost), budget=0.02)
    assert number <= alone.number <= number + 1


@pytest.mark.parametrize(
    ("times", "number"), [(1.01, 15), (1.9, 15), (2.1, 8), (4.0, 4), (15.0, 1), (1e4, 1)]
)
def test_candidates_alike_share_a_number_and_others_have_their_own(clock, times, number):
    calls = Counter()
    made = candidates(clock, {"slow": times * 1e-5, "fast": 1e-5}, calls)
    result = lab.compare(made, budget=0.3)
    assert 15 <= result.number["fast"] <= 16
    assert number <= result.number["slow"] <= number + 1
    if times < 2:
        assert result.number["slow"] == result.number["fast"]
    taken = len(result.samples["slow"])
    assert calls["slow"] >= 1 + result.number["slow"] * (taken - 1)
    assert result.ratio["fast"].value == pytest.approx(1 / times)


def test_a_number_given_is_that_of_all(clock):
    costs = {"a": clock.candidate(1e-6), "b": clock.candidate(1e-3)}
    result = lab.compare(costs, number=7, budget=0.1)
    assert result.number == {"a": 7, "b": 7}
    assert result.ratio["b"].value == pytest.approx(1000)
    assert lab.timeit(clock.candidate(1e-6), number=7, budget=0.01).number == 7


class ClockThatTakesTime(Clock):
    """A clock whose reading takes as long as ten calls: one call alone seems far longer."""

    def __call__(self):
        self.now += 1e-6
        return self.now


def test_an_interruption_while_calibrating_does_not_shrink_the_samples(use):
    disturbed = []

    def slowdown(now):  # the first sample after the warm-up meets another program
        if now > rounds.WARM_UP + 2e-5 and not disturbed:
            disturbed.append(now)
            return 10_000.0
        return 1.0

    fake = use(ClockThatTakesTime(slowdown))
    result = lab.timeit(fake.candidate(1e-7), budget=0.2)
    assert disturbed
    assert 1400 < result.number <= 1510


# ---- the budget ----


@pytest.mark.parametrize("slow", [1e-3, 0.1, 0.5, 1.0, 1.4])
@pytest.mark.parametrize("baseline", ["slow", "fast"])
def test_a_thousand_to_a_million_times_apart(clock, slow, baseline):
    calls = Counter()
    made = candidates(clock, {"slow": slow, "fast": 1e-6}, calls)
    result = lab.compare(made, baseline=baseline, budget=1.0, seed=1)
    after_first_calls = clock.now - sum(result.first_call.values())
    assert after_first_calls <= 1.5
    assert result.is_faster("fast", than="slow", by=100).holds is True
    (other,) = result.others
    assert result.verdict == {other: "slower" if other == "slow" else "faster"}
    ratio = result.relative("slow", "fast")
    assert ratio.value == pytest.approx(slow / 1e-6)
    assert ratio.low <= ratio.value <= ratio.high
    assert calls["slow"] >= 2


def spend(costs, budget, **options):
    """Compare candidates on a clock of their own; return result, calls and seconds spent."""
    fake, calls = Clock(), Counter()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rounds, "clock", fake)
        patch.setattr(rounds, "processor_clock", fake)
        patch.setattr(ProcessorMeter, "_read", lambda self: {})
        result = lab.compare(candidates(fake, costs, calls), budget=budget, **options)
    return result, calls, fake.now


costs_relative_to_budget = st.floats(-4, math.log10(1.4)).map(lambda exponent: 10**exponent)


@given(
    st.lists(costs_relative_to_budget | st.just(0.0), min_size=2, max_size=2),
    st.floats(0.02, 10),
    st.integers(0, 3),
)
@settings(**REPEATABLE, max_examples=40)
def test_whatever_the_calls_take_the_budget_is_kept_to_within_a_half(shares, budget, seed):
    costs = {}
    for name, share in zip("ab", shares, strict=True):
        costs[name] = max(1e-6, share * budget)
    short = min(costs.values()) < 5e-6
    if short:
        budget = min(budget, 0.05)  # a call of the clock costs as much as one that takes long
        costs = {name: min(cost, 1.4 * budget) for name, cost in costs.items()}
    result, calls, spent = spend(costs, budget, seed=seed)
    twice_each = sum(costs.values())
    after_first_calls = spent - sum(result.first_call.values())
    assert after_first_calls <= 1.0001 * max(1.5 * budget, twice_each)
    assert min(calls.values()) >= 2
    assert len(result.samples["a"]) == len(result.samples["b"]) >= 1
    for name, cost in costs.items():
        assert result.median[name].value == pytest.approx(cost, rel=1e-5)
    assert result.ratio["b"].value == pytest.approx(costs["b"] / costs["a"], rel=1e-5)


@pytest.mark.parametrize("cost", [1e-6, 1e-3, 60.0])
@pytest.mark.parametrize("budget", [1e-6, 1e-3])
def test_two_calls_of_each_whatever_the_budget(cost, budget):
    result, calls, spent = spend({"a": cost, "b": cost}, budget)
    assert min(calls.values()) >= 2
    if cost > 1:
        assert calls == {"a": 2, "b": 2}
        assert spent == pytest.approx(4 * cost)
        assert result.verdict == {"b": "unclear"}
        assert "≈60.0 s" in repr(result)


def test_no_call_of_a_slow_candidate_is_wasted():
    """The first call prepares; every later one is a sample."""
    result, calls, _ = spend({"a": 0.3, "b": 0.4}, budget=1)
    assert len(result.samples["a"]) == 2
    assert calls == {"a": 3, "b": 3}
    result, calls, _ = spend({"a": 0.13, "b": 0.13}, budget=1)
    assert calls == {"a": 1 + len(result.samples["a"]), "b": 1 + len(result.samples["b"])}
    result, calls, _ = spend({"a": 5.0, "b": 1e-3}, budget=1)
    assert calls["a"] == 2
    assert result.samples["a"] == pytest.approx([5.0])


def test_the_second_call_and_not_the_first_is_the_sample_of_a_slow_candidate(clock):
    result = lab.compare(
        a=clock.candidate(2.0, first=9.0), b=clock.candidate(1.0, first=9.0), budget=1
    )
    assert result.samples == {"a": pytest.approx([2.0]), "b": pytest.approx([1.0])}
    assert not result.notes


class Prepares:
    """A candidate that prepares in its first calls, such as by tracing; then it is quick."""

    def __init__(self, clock, first, quick, counts_traces=True):
        self.clock, self.first, self.quick, self.calls = clock, first, quick, 0
        if counts_traces:
            self.experimental_get_tracing_count = lambda: min(self.calls, len(first))

    def __call__(self):
        self.calls += 1
        if self.calls <= len(self.first):
            self.clock.work(self.first[self.calls - 1])
        else:
            self.clock.work(self.quick)


@pytest.mark.parametrize("first", [0.3, 3.0])
@pytest.mark.parametrize("second", [0.2, 0.3, 0.6])
@pytest.mark.parametrize(("quick", "counts_traces"), [(1e-6, True), (1e-4, True), (1e-4, False)])
def test_a_second_call_that_still_prepared_is_no_sample(clock, first, second, quick, counts_traces):
    prepares = Prepares(clock, [first, second], quick, counts_traces)
    result = lab.compare(a=prepares, b=clock.candidate(quick), budget=1, seed=1)
    assert result.ratio["b"].value == pytest.approx(1)
    assert result.verdict == {"b": "similar"}
    assert max(result.samples["a"]) < 2 * quick
    assert result.number["a"] == pytest.approx(result.number["b"], abs=1)
    assert result.number["a"] * quick >= rounds.SAMPLE
    assert not result.retraced


def test_a_second_call_that_traced_and_left_time_for_no_other_decides_nothing(clock):
    prepares = Prepares(clock, [3.0, 1.2], 1e-6)
    result = lab.compare(a=prepares, b=clock.candidate(1e-6), budget=1, seed=1)
    assert len(result.samples["a"]) == 1
    assert result.retraced == {"a"}
    assert result.verdict == {"b": "unclear"}


def test_a_slow_candidate_that_stays_slow_keeps_its_second_call(clock):
    prepares = Prepares(clock, [3.0], 0.3)
    result = lab.compare(a=prepares, b=clock.candidate(1e-4), budget=1, seed=1)
    assert prepares.calls == 1 + len(result.samples["a"])
    assert result.number == {"a": 1, "b": 2}


def test_a_call_of_many_that_were_asked_for_is_no_sample():
    result, calls, _ = spend({"a": 0.2, "b": 0.2}, budget=1, number=2)
    assert calls["a"] == 2 + 2 * len(result.samples["a"])


def test_an_incomplete_round_is_dropped(clock):
    """After one round there is time for another sample of the short one, not of the long one."""
    dropped = 0
    for seed in range(6):
        begin, calls = clock.now, Counter()
        made = candidates(clock, {"long": 0.7, "short": 0.1}, calls)
        result = lab.compare(made, budget=1, seed=seed)
        assert len(result.samples["long"]) == len(result.samples["short"]) == 1
        assert calls["long"] == 2
        assert clock.now - begin - sum(result.first_call.values()) <= 1.5
        dropped += calls["short"] - 3  # the first call, a second one, and the sample
    assert 0 < dropped < 6  # the order is drawn: sometimes the long one comes first


def test_where_no_round_fits_the_second_calls_are_reported_with_a_note(clock):
    result = lab.compare(
        long=clock.candidate(1.4, first=3.0), short=clock.candidate(0.12, first=0.25), budget=1
    )
    assert result.samples == {"long": pytest.approx([1.4]), "short": pytest.approx([0.12])}
    assert result.number == {"long": 1, "short": 1}
    note = "no round was complete: each time is that of a single call, the second"
    assert result.notes == [note]
    assert result.notes[0].kind == SECOND_CALLS
    assert note in repr(result)
    assert clock.now - 3.25 == pytest.approx(1.52)  # the two second calls, and no more


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


# ---- when it ends ----


def test_it_asks_at_a_quarter_and_at_half_of_the_budget_whether_to_end(clock):
    made = {"a": clock.candidate(1e-3), "b": clock.candidate(1e-3)}
    run = rounds.Run(made, rounds.Options(budget=2.0), random.Random(1))
    run.make_first_calls()
    begin = clock.now
    run.calibrate()
    asked = []

    def can_stop():
        asked.append(clock.now - begin)
        return False

    run.take_rounds(can_stop, show_progress=False)
    assert asked == pytest.approx([0.5, 1.0], abs=3e-3)
    assert clock.now - begin == pytest.approx(2.0, abs=3e-3)


def test_a_clear_difference_ends_early_but_not_before_a_quarter_of_the_budget(clock):
    result = lab.compare(a=clock.candidate(1e-3), b=clock.candidate(2e-2), budget=4, seed=1)
    assert result.verdict == {"b": "slower"}
    assert 1.0 <= result.seconds < 1.05


def test_near_candidates_get_the_whole_budget(clock):
    result = lab.compare(a=clock.candidate(1e-3), b=clock.candidate(2e-3), budget=2)
    assert result.verdict == {"b": "slower"}
    assert 2.0 <= result.seconds < 2.01


def test_a_ratio_that_changes_slowly_gets_the_whole_budget(clock):
    def drifting():
        clock.work(4e-3 * (1 + 0.01 * clock.now))

    result = lab.compare(a=clock.candidate(2e-4), b=drifting, budget=4)
    assert result.seconds >= 4


def test_rounds_that_are_asked_for_are_not_cut_short(clock, monkeypatch):
    made = {"a": clock.candidate(1e-3), "b": clock.candidate(2e-2)}
    early = len(lab.compare(made, budget=1, seed=1).samples["a"])
    monkeypatch.setenv("LABKIT_ROUNDS", str(early + 5))
    result = lab.compare(made, budget=1, seed=1)
    assert len(result.samples["a"]) > early + 5
    assert result.seconds < 0.6  # the second look


def rounds_beyond_the_budget(clock, monkeypatch, costs):
    """Return how many rounds a run takes that is asked for many, and how many without being asked.

    Each round takes 0.1 s, and the budget is 1 s.
    """
    made = {name: clock.candidate(seconds) for name, seconds in costs.items()}
    plain = len(lab.compare(made, budget=1, seed=1).samples["a"])
    monkeypatch.setenv("LABKIT_ROUNDS", "64")
    return len(lab.compare(made, budget=1, seed=1).samples["a"]), plain


def test_a_run_that_is_decided_takes_no_more_rounds_than_a_few_beyond_its_budget(
    clock, monkeypatch
):
    prolonged, plain = rounds_beyond_the_budget(clock, monkeypatch, {"a": 0.02, "b": 0.08})
    assert plain < 12
    assert plain <= prolonged <= plain + 1


def test_a_run_that_is_not_decided_takes_as_many_rounds_as_were_asked_for(clock, monkeypatch):
    draw = random.Random(3)

    def noisy():
        clock.work(0.02 * draw.uniform(0.3, 3))

    monkeypatch.setenv("LABKIT_ROUNDS", "64")
    result = lab.compare(a=noisy, b=clock.candidate(0.03), budget=1, seed=1)
    assert len(result.samples["a"]) == 64


def test_a_run_gets_more_time_for_what_others_take_of_the_processor(clock, monkeypatch):
    monkeypatch.setenv("LABKIT_ROUNDS", "100000")
    seconds = []
    for others in (0.0, 0.5, 0.99):
        draw = random.Random(3)

        def noisy(draw=draw):
            clock.work(min(0.02 * draw.lognormvariate(0, 3), 0.5))

        use = ProcessorUse(others)
        monkeypatch.setattr(ProcessorMeter, "so_far", lambda *_, use=use: use)
        found = lab.compare(a=clock.candidate(0.01), b=noisy, budget=1, seed=1)
        seconds.append(found.seconds)
    assert seconds == pytest.approx([5, 10, 60], rel=0.2)


def test_a_run_goes_on_until_the_intervals_are_narrow_that_it_reports(clock, monkeypatch):
    """Beside other programs they are wider than those of the run alone."""
    monkeypatch.setenv("LABKIT_ROUNDS", "2000")
    rounds_taken = []
    for others in (0.0, 0.5):
        draw = random.Random(3)

        def noisy(draw=draw):
            clock.work(0.04 * draw.lognormvariate(0, 0.3))

        use = ProcessorUse(others)
        monkeypatch.setattr(ProcessorMeter, "so_far", lambda *_, use=use: use)
        result = lab.compare(a=clock.candidate(0.01), b=noisy, budget=1, seed=1)
        low, high = result.ratio["b"][1:]
        assert high / low < DECIDED
        rounds_taken.append(len(result.samples["a"]))
    assert rounds_taken[1] > rounds_taken[0]


def test_a_single_callable_gets_the_whole_budget(clock):
    lab.timeit(clock.candidate(1e-3), budget=0.5)
    assert 0.5 <= clock.now < 0.51


# ---- the overhead of a call ----


def overhead_of(monkeypatch, seconds):
    monkeypatch.setattr(rounds, "_call_overhead", lambda: seconds)
    return seconds


@pytest.mark.parametrize("fast", [2e-7, 5e-7, 1.9e-6])
def test_the_cost_of_a_call_is_subtracted_from_short_calls(clock, monkeypatch, fast):
    each = overhead_of(monkeypatch, 5e-8)
    made = {
        "fast": clock.candidate(fast + each),
        "alike": clock.candidate(1.5 * fast + each),
        "slow": clock.candidate(8 * fast + each),
    }
    result = lab.compare(made, budget=0.1)
    assert result.median["fast"].value == pytest.approx(fast)
    assert result.ratio["alike"].value == pytest.approx(1.5)
    assert result.ratio["slow"].value == pytest.approx(8.0)
    assert not result.too_short


def test_from_calls_of_two_microseconds_on_the_cost_of_a_call_does_not_count(clock, monkeypatch):
    each = overhead_of(monkeypatch, 1e-7)
    made = {"fast": clock.candidate(2e-6 + each), "slow": clock.candidate(4e-6 + each)}
    result = lab.compare(made, budget=0.1)
    assert result.median["fast"].value == pytest.approx(2e-6 + each)


def test_calls_too_short_to_tell_are_marked_and_never_similar(clock, monkeypatch):
    """One sum against four: what a call costs is more than what they do."""
    each = overhead_of(monkeypatch, 5e-8)
    made = {
        "a sum": clock.candidate(1e-8 + each),
        "the same": clock.candidate(1e-8 + each),
        "four sums": clock.candidate(4e-8 + each),
    }
    result = lab.compare(made, budget=0.03)
    assert result.too_short == {"a sum", "the same"}
    assert result.verdict == {"the same": "unclear", "four sums": "slower"}
    assert result.ratio["four sums"].value == pytest.approx(1.5)  # as measured, nothing subtracted
    assert "a sum takes hardly longer than calling a function: put a loop inside" in repr(result)


def test_calls_half_as_long_again_as_an_empty_one_are_just_long_enough(clock, monkeypatch):
    each = overhead_of(monkeypatch, 1e-7)
    made = {"a": clock.candidate(0.51 * each + each), "b": clock.candidate(each + each)}
    result = lab.compare(made, budget=0.05)
    assert not result.too_short
    assert result.ratio["b"].value == pytest.approx(1 / 0.51)


def test_nothing_is_subtracted_where_one_call_is_a_sample(clock, monkeypatch):
    overhead_of(monkeypatch, 1e-7)
    made = {"a": clock.candidate(1e-6), "b": clock.candidate(1e-6)}
    result = lab.compare(made, number=1, budget=0.01)
    assert result.median["a"].value == pytest.approx(1e-6)


def test_the_overhead_is_that_of_the_quickest_of_several_loops(monkeypatch):
    loops = [9e-4, 4e-4, 2e-4, 3e-4, 8e-4, 5e-4, 6e-4]  # seconds for 2,000 calls
    readings = []
    now = 0.0
    for seconds in loops:
        readings += [now, now + seconds]
        now += 1.0
    monkeypatch.setattr(rounds, "clock", functools.partial(next, iter(readings)))
    assert rounds._call_overhead() == pytest.approx(1e-7)


# ---- first calls ----


def test_first_calls_come_in_random_order_and_are_reported_in_the_order_given(clock):
    orders = Counter()
    for seed in range(12):
        called = []
        made = {}
        for name in "abc":
            tell = functools.partial(called.append, name)
            made[name] = clock.candidate(1e-3, first=0.25 * (1 + ord(name) - ord("a")), tell=tell)
        result = lab.compare(made, budget=0.05, seed=seed)
        orders["".join(called[:3])] += 1
        assert list(result.first_call) == ["a", "b", "c"]
        assert list(result.first_call.values()) == pytest.approx([0.25, 0.5, 0.75])
    assert len(orders) >= 4


def test_a_seed_repeats_the_order_of_the_first_calls(clock):
    def order(seed):
        called = []
        made = {}
        for name in "abcdef":
            made[name] = clock.candidate(1e-3, tell=functools.partial(called.append, name))
        lab.compare(made, budget=0.05, seed=seed)
        return called

    assert order(3) == order(3)
    assert order(3)[:6] != order(4)[:6]


def test_the_first_call_is_kept_apart(clock):
    result = lab.compare(
        eager=clock.candidate(1e-3, first=0.25), graph=clock.candidate(5e-4, first=3.0), budget=0.5
    )
    assert result.first_call == pytest.approx({"eager": 0.25, "graph": 3.0})
    assert max(itertools.chain(*result.samples.values())) < 2e-3
    once = lab.timeit(clock.candidate(1e-3, first=0.25), budget=0.1)
    assert once.first_call == pytest.approx(0.25) and max(once.samples) < 2e-3


# ---- setup ----


def test_the_value_of_setup_is_fresh_shared_and_untimed(clock):
    made, seen = [], {"a": [], "b": []}

    def setup():
        clock.work(0.01)
        made.append([len(made)])
        return made[-1]

    def candidate(name):
        def call(value):
            seen[name].append(value)
            clock.work(1e-6)

        return call

    result = lab.compare(a=candidate("a"), b=candidate("b"), setup=setup, budget=0.5)
    taken = len(result.samples["a"])
    assert result.number == {"a": 1, "b": 1}
    assert max(result.samples["a"]) < 1e-5
    in_rounds = [id(value) for value in seen["a"][-taken:]]
    assert in_rounds == [id(value) for value in seen["b"][-taken:]]
    assert len(set(in_rounds)) == taken
    assert seen["a"][0] is seen["b"][0]  # the results of the first calls can be compared


# ---- the order within a round ----


def order_of(result, log):
    """Return the order within each round, as recorded by candidates with one call per sample."""
    k, n = len(result.samples), len(result.samples[result.baseline])
    last = log[-k * n :]
    return ["".join(last[i : i + k]) for i in range(0, k * n, k)]


def taken_in_order(clock, names, **options):
    log = []
    made = {}
    for name in names:
        made[name] = clock.candidate(1e-3, tell=functools.partial(log.append, name))
    return order_of(lab.compare(made, number=1, **options), log)


def test_two_candidates_go_in_blocks_of_abba_or_baab(clock):
    order = taken_in_order(clock, "AB", budget=1, seed=1)
    blocks = Counter("".join(order[i : i + 2]) for i in range(0, len(order) - 1, 2))
    assert set(blocks) == {"ABBA", "BAAB"}
    assert min(blocks.values()) > sum(blocks.values()) / 4  # drawn, not always the same


@pytest.mark.parametrize("names", ["AB", "ABC", "ABCDE"])
def test_each_candidate_takes_each_place_equally_often(clock, names):
    order = taken_in_order(clock, names, budget=1, seed=2)
    k = len(names)
    whole = order[: len(order) // k * k]
    for place in range(k):
        assert set(Counter(row[place] for row in whole).values()) == {len(whole) // k}
    for i in range(0, len(whole), k):  # and within every block
        for place in range(k):
            assert len({row[place] for row in whole[i : i + k]}) == k


def test_a_seed_repeats_the_order_and_none_draws_anew(clock):
    one = taken_in_order(clock, "AB", budget=1, seed=4)
    assert taken_in_order(clock, "AB", budget=1, seed=4) == one
    orders = {tuple(taken_in_order(clock, "AB", budget=1)) for _ in range(3)}
    assert len(orders) > 1


def test_a_position_that_costs_is_shared_by_all(clock):
    previous = []

    def call():
        previous.append(None)
        first = len(previous) % 2  # whoever goes first finds the caches cold
        clock.work(1.3e-3 if first else 1e-3)

    result = lab.compare(a=lambda: call(), b=lambda: call(), number=1, budget=1, seed=5)
    low, high = result.ratio["b"][1:]
    assert low <= 1 <= high  # always a before b would make b look slower


# ---- garbage collection ----


def collector_states(clock, **options):
    """Return whether the collector was on in the calls within the rounds."""
    states = []
    watched = clock.candidate(1e-3, tell=lambda: states.append(gc.isenabled()))
    result = lab.compare(a=watched, b=clock.candidate(1e-3), budget=0.2, number=1, **options)
    return set(states[-len(result.samples["a"]) :])


def test_the_collector_is_off_in_the_rounds_unless_it_is_wanted(clock):
    assert collector_states(clock) == {False}
    assert gc.isenabled()
    assert collector_states(clock, collect_garbage=True) == {True}
    assert gc.isenabled()


@pytest.mark.parametrize("wanted", [False, True])
def test_a_collector_that_was_off_stays_off(clock, wanted):
    gc.disable()
    try:
        lab.compare(a=clock.candidate(1e-3), b=clock.candidate(1e-3), collect_garbage=wanted)
        assert not gc.isenabled()
    finally:
        gc.enable()


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("wanted", [False, True])
@pytest.mark.parametrize("at", [1, 5, 60])
def test_the_collector_is_restored_after_whatever_happens(clock, error, wanted, at):
    calls = []

    def fails():
        calls.append(None)
        clock.work(1e-3)
        if len(calls) == at:
            raise error

    options = {"budget": 1, "number": 1, "collect_garbage": wanted}
    try:
        result = lab.compare(a=clock.candidate(1e-3), b=fails, **options)
        assert result.interrupted
    except (RuntimeError, KeyboardInterrupt):
        pass
    assert len(calls) == at
    assert gc.isenabled()


def test_garbage_is_collected_between_the_rounds_and_outside_the_samples(clock, monkeypatch):
    collected, inside = [], []
    monkeypatch.setattr(gc, "collect", lambda generation=2: collected.append((generation, *inside)))

    def call():
        inside.append("in a sample")
        clock.work(1e-3)
        inside.clear()

    lab.compare(a=call, b=call, budget=3, number=1)
    assert collected[0] == (2,)
    assert 4 <= collected[1:].count((1,)) <= 6  # every half second
    assert set(collected) == {(2,), (1,)}
    collected.clear()
    lab.compare(a=call, b=call, budget=3, number=1, collect_garbage=True)
    assert collected == [(2,)]  # before the rounds: the same beginning for all


# ---- what a sample waits for ----


def test_a_sample_ends_with_the_synchronisation_given(clock):
    def wait():
        clock.work(0.5e-3)

    result = lab.compare(
        a=clock.candidate(1e-3), b=clock.candidate(1e-3), number=2, sync=wait, budget=1
    )
    assert result.median["a"].value == pytest.approx(1.25e-3)  # one wait for two calls
    assert result.first_call["a"] == pytest.approx(1.5e-3)
    alone = lab.timeit(clock.candidate(1e-3), sync="none", budget=0.1)
    assert alone.median.value == pytest.approx(1e-3)


def fake_tensorflow(devices):
    """Return a module with what is asked of TensorFlow about devices."""
    tf = types.SimpleNamespace()
    tf.executing_eagerly = lambda: True
    tf.config = types.SimpleNamespace(list_logical_devices=lambda kind: devices[kind])
    tf.test = types.SimpleNamespace(experimental=types.SimpleNamespace(sync_devices=returns("all")))
    return tf


def test_a_gpu_is_waited_for_and_without_one_nothing_is(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", fake_tensorflow({"GPU": ["GPU:0"]}))
    assert rounds._synchroniser("auto")() == "all"
    assert rounds._synchroniser("none") is None
    monkeypatch.setitem(sys.modules, "tensorflow", fake_tensorflow({"GPU": []}))
    assert rounds._synchroniser("auto") is None
    monkeypatch.delitem(sys.modules, "tensorflow")
    assert rounds._synchroniser("auto") is None


# ---- notes ----


def test_a_coarse_clock_is_noted_with_the_share_of_ties(use):
    fake = use(Clock(tick=0.016))
    result = lab.compare(a=fake.candidate(1e-3), b=fake.candidate(1e-3), number=1, budget=2)
    (note,) = result.notes
    words = "this run: ≈90 % of the samples tie at the clock's resolution: give a larger number="
    assert sanitize(note) == sanitize(words)
    assert note.kind == TIES and f"{note.fact}: give a larger number=" == note
    assert result.verdict["b"] in ("similar", "unclear")


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
        (lambda: filter(None, []), "filter"),
        (lambda: zip([], [], strict=True), "zip"),
    ],
)
def test_a_lazy_result_is_warned_of(clock, fn, kind):
    def lazy():
        clock.work(1e-3)
        return fn()

    result = lab.compare(eager=clock.candidate(1e-3), lazy=lazy, check=False, budget=0.1)
    warning = f"warning: lazy returned a lazy object ({kind}): nothing may have been computed"
    assert result.notes == [warning]
    assert warning in repr(result)
    assert lab.timeit(lazy, budget=0.1).notes == [warning]


def test_a_dataset_is_a_lazy_result(clock):
    import tensorflow as tf

    def pipeline():
        clock.work(1e-3)
        return tf.data.Dataset.range(3).map(lambda x: x + 1)

    result = lab.compare(eager=clock.candidate(1e-3), pipeline=pipeline, check=False, budget=0.1)
    assert "pipeline returned a lazy object" in result.notes[0]


# ---- Ctrl-C ----


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
    result = lab.compare(a=clock.candidate(1e-3), b=interrupting(clock, 60), number=1, budget=100)
    assert result.interrupted
    assert 0 < len(result.samples["a"]) == len(result.samples["b"]) < 60
    assert result.verdict == {"b": "unclear"}
    assert result.is_faster("b", by=0.1).holds is None
    assert "interrupted: no verdict is given" in repr(result)
    assert "measure longer" not in repr(result)
    assert gc.isenabled()


def test_ctrl_c_before_there_is_anything_to_show_is_not_swallowed(clock):
    kept = []
    for after in range(1, 31):
        try:
            kept.append(lab.compare(a=clock.candidate(1e-3), b=interrupting(clock, after), seed=9))
        except KeyboardInterrupt as stopped:
            assert not kept  # once there is something to show, there is a result
            assert str(stopped).startswith("Stopped ")
        assert gc.isenabled()
    assert len(kept) == 30 - 2  # the first two calls of each candidate are needed
    rounds_kept = [len(result.samples["b"]) for result in kept]
    assert rounds_kept == sorted(rounds_kept)
    assert rounds_kept[0] == 1 and rounds_kept[-1] > 10
    assert kept[0].notes[0].kind == SECOND_CALLS and not kept[-1].notes


class InterruptedList(list):
    """A list in whose fifth `append` the user presses Ctrl-C."""

    def append(self, value):
        if len(self) == 4:
            raise KeyboardInterrupt
        super().append(value)


@pytest.mark.parametrize("name", ["a", "b"])
def test_ctrl_c_while_a_round_is_noted_leaves_no_half_of_it(clock, name):
    made = {"a": clock.candidate(1e-3), "b": clock.candidate(1e-3)}
    run = rounds.Run(made, rounds.Options(budget=1.0), random.Random(1))
    run.outcome.samples[name] = InterruptedList()
    run.measure(lambda: False, show_progress=False)
    assert run.outcome.interrupted
    assert len(run.outcome.samples["a"]) == len(run.outcome.samples["b"]) == 4


def test_a_cell_that_takes_too_long_fails_where_lessons_run_as_tests(clock, monkeypatch):
    """nbval interrupts such a cell: a result that is kept would let it pass."""
    monkeypatch.setenv("LABKIT_STRICT", "1")
    with pytest.raises(KeyboardInterrupt):
        lab.compare(a=clock.candidate(1e-3), b=interrupting(clock, 60), number=1, budget=100)
    with pytest.raises(KeyboardInterrupt):
        lab.timeit(interrupting(clock, 60), number=1, budget=100)
    assert gc.isenabled()


def test_ctrl_c_in_timeit_is_marked(clock):
    result = lab.timeit(interrupting(clock, 60), number=1, budget=100)
    assert result.interrupted and 0 < len(result.samples) < 60
    assert "interrupted" in repr(result)
    assert "interrupted" not in repr(lab.timeit(clock.candidate(1e-3), budget=0.1))


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
def test_a_candidate_that_traces_in_the_rounds_gets_no_verdict(clock, way):
    graph = ways_to_call(Graph(clock, 1e-3, traces_from=20))[way]
    result = lab.compare(
        eager=clock.candidate(4e-3), graph=graph, other=clock.candidate(1e-3), number=1
    )
    assert result.retraced == {"graph"}
    assert result.verdict == {"graph": "unclear", "other": "faster"}
    (note,) = result.notes
    words = "warning: graph made ≈9 traces while it was measured; it gets no verdict"
    assert sanitize(note) == sanitize(words)


def test_traces_before_the_rounds_are_nothing_to_worry_about(clock):
    result = lab.compare(eager=clock.candidate(4e-3), graph=Graph(clock, 1e-3, traces_from=10**9))
    assert not result.notes and result.verdict == {"graph": "faster"}


def test_a_variable_without_a_value_yet_is_no_obstacle(clock):
    def early():
        clock.work(1e-3)
        return late if False else None

    assert lab.compare(early=early, other=clock.candidate(1e-3), budget=0.1).samples
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
        (2.1, "auto", "1", False),
        (1.0, True, None, True),
        (1.0, True, "1", False),
        (9.0, False, None, False),
    ],
)
def test_progress_is_shown_for_long_measurements_only(
    clock, capsys, monkeypatch, budget, progress, variable, shown
):
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    if variable:
        monkeypatch.setenv("TQDM_DISABLE", variable)
    lab.compare(a=clock.candidate(1e-2), b=clock.candidate(1e-2), budget=budget, progress=progress)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert ("comparing a, b" in captured.err) is shown
    if shown:
        assert captured.err.rsplit("\r", 2)[-2].strip() == ""  # wiped out at the end
    else:
        assert captured.err == ""


def test_the_progress_bar_never_passes_its_end(clock, monkeypatch):
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    bars = []
    bar = rounds.progress_bar

    def watched(*args):
        bars.append(bar(*args))
        bars[-1].mininterval = 0  # draw at every step: drawing is what fails beyond the end
        return bars[-1]

    monkeypatch.setattr(rounds, "progress_bar", watched)
    result = lab.compare(a=clock.candidate(0.5), b=clock.candidate(0.5), budget=2.5)
    assert result.seconds == pytest.approx(3.0)
    assert bars[0].n == pytest.approx(2.5)


def test_the_clocks_are_the_best_there_are():
    assert rounds.clock is time.perf_counter
    assert rounds.processor_clock is time.process_time
