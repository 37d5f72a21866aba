"""What a comparison, a timing and a sweep say: numbers, verdicts, lines of text, figures."""

import copy
import math
import pickle
import random
from dataclasses import replace

import numpy as np
import pytest
from fakes import comparison, every_result, sanitize

from labkit.measure import results
from labkit.measure.notes import THIS_RUN, TIES, Note
from labkit.measure.processor import ProcessorUse
from labkit.measure.results import Comparison, Sweep, Timing
from labkit.measure.stats import paired_ratio, ratios_depend

# ---- numbers ----


def test_a_median_stands_between_the_quartiles_of_the_samples():
    samples = [float(i) for i in range(101)]
    assert Timing("f", samples).median == (50, 25, 75)
    result = Comparison({"f": samples, "g": samples[::-1]}, "f")
    assert result.median == {"f": (50, 25, 75), "g": (50, 25, 75)}


def test_the_table_of_a_timing_calls_the_ends_what_they_are():
    text = repr(Timing("f", [i * 1e-3 for i in range(1, 102)], first_call=0.3))
    assert "time per call [middle half]" in text
    assert "≈51.0 ms [26.0, 76.0]" in text
    assert "first call" in text and "≈300 ms" in text
    assert text.splitlines()[-1] == "≈101 samples"
    assert "first call" not in repr(Timing("f", [1.0]))


def test_two_medians_are_no_comparison():
    """The medians are alike; in every round one is twice as slow as the other but for one round."""
    samples = {"a": [1.0, 2.0, 4.0] * 10, "b": [2.0, 4.0, 1.0] * 10}
    result = Comparison(samples, "a")
    assert result.median["a"].value == result.median["b"].value
    assert result.ratio["b"].value == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("by", "holds"), [(1.0, True), (1.9, True), (2.1, False), (4.0, False), (2.0, None)]
)
def test_is_faster_asks_the_whole_interval(by, holds):
    noise = np.random.default_rng(1).lognormal(0, 0.02, 64)
    result = Comparison({"slow": [2.0] * 64, "fast": list(noise)}, "slow")
    finding = result.is_faster("fast", by=by)
    assert finding.holds is holds
    assert bool(finding) is (holds is True)
    assert finding.measured.startswith("fast takes ≈0.50")
    assert finding.measured.endswith("] the time of slow")


def test_is_faster_takes_any_two_names():
    result = comparison({"a": 4e-3, "b": 2e-3, "c": 1e-3})
    assert result.is_faster("c", than="b", by=1.5).holds is True
    assert result.is_faster("b", than="c", by=1.5).holds is False
    assert result.is_faster("a").holds is None  # the same thing: neither faster nor slower
    with pytest.raises(KeyError, match="d"):
        result.is_faster("d")


def test_all_pairs_together_have_the_confidence_those_without_the_baseline_too():
    """Three candidates make three pairs: one in three hundred for each of them."""
    three = comparison({"a": 1e-3, "b": 1.001e-3, "c": 1.002e-3}, confidence=0.97)
    without_a = {name: three.samples[name] for name in "bc"}
    two = Comparison(without_a, "b", confidence=0.99)
    assert three.relative("c", "b") == pytest.approx(two.relative("c", "b"))
    alone = Comparison(without_a, "b", confidence=0.97)
    assert alone.relative("c", "b").low > three.relative("c", "b").low


def test_more_candidates_need_more_evidence():
    two = comparison({"a": 1e-3, "b": 1e-3}, n=40)
    more = dict(two.samples)
    for i in range(20):
        more[f"c{i}"] = two.samples["a"]
    many = Comparison(more, "a")
    assert many.ratio["b"].low < two.ratio["b"].low
    assert many.ratio["b"].high > two.ratio["b"].high


def test_a_pair_may_be_decided_where_the_baseline_is_too_noisy():
    noise = np.random.default_rng(2).lognormal(0, 2, 64)
    result = Comparison({"base": list(noise), "a": [2.0] * 64, "b": [1.0] * 64}, "base")
    assert result.verdict == {"a": "unclear", "b": "unclear"}
    assert result.is_faster("b", than="a", by=1.5).holds is True


# ---- few rounds ----


def test_a_single_round_decides_nothing_unless_the_two_are_far_apart():
    near = Comparison({"a": [1.0], "b": [9.0]}, "a", first_call={"a": 1.0, "b": 9.0})
    assert near.verdict == {"b": "unclear"}
    assert near.is_faster("a", than="b").holds is None
    assert near.ratio["b"][1:] == (0, math.inf)
    far = Comparison({"a": [1.0], "b": [20.0]}, "a", first_call={"a": 1.5, "b": 24.0})
    assert far.verdict == {"b": "slower"}
    assert far.ratio["b"] == pytest.approx((20.0, 20 / 1.5, 24.0))
    assert far.is_faster("a", than="b", by=13).holds is True
    assert far.is_faster("a", than="b", by=14).holds is None


def test_every_call_counts_where_there_are_few_the_first_one_too():
    """The first call of the baseline took as long as the other one ever did: not far apart."""
    samples = {"a": [1.0, 1.0, 1.0], "b": [20.0, 20.0, 20.0]}
    traced = Comparison(samples, "a", first_call={"a": 3.0, "b": 20.0})
    assert traced.ratio["b"].high == pytest.approx(20.0)  # the rounds decide
    single = Comparison({"a": [1.0], "b": [20.0]}, "a", first_call={"a": 3.0, "b": 20.0})
    assert single.verdict == {"b": "unclear"}


def test_from_four_rounds_on_the_rounds_decide():
    samples = {"a": [1.0] * 4, "b": [20.0, 21.0, 20.0, 21.0]}
    few = Comparison({name: times[:3] for name, times in samples.items()}, "a")
    assert few.ratio["b"] == pytest.approx((20.0, 20.0, 21.0))
    enough = Comparison(samples, "a")
    assert enough.ratio["b"].low < 20.0 and enough.ratio["b"].high > 21.0


# ---- verdicts that are withheld ----


def test_an_interrupted_comparison_has_no_verdict():
    result = comparison({"a": 1e-3, "b": 2e-3}, interrupted=True)
    assert result.verdict == {"b": "unclear"}
    assert result.is_faster("a", than="b", by=1.5).holds is None
    assert "interrupted: no verdict is given" in repr(result)
    assert "measure longer" not in repr(result)


def test_a_candidate_that_traced_has_no_verdict_but_the_others_have():
    result = comparison({"a": 4e-3, "b": 1e-3, "c": 1e-3}, retraced={"b"})
    assert result.verdict == {"b": "unclear", "c": "faster"}
    assert result.is_faster("b").holds is None
    assert result.is_faster("c").holds is True
    assert result.is_faster("c", than="b", by=2).holds is None
    assert "measure longer" not in repr(result)  # it would not help


def test_a_baseline_that_traced_leaves_no_verdict():
    result = comparison({"a": 4e-3, "b": 1e-3, "c": 1e-3}, retraced={"a"})
    assert set(result.verdict.values()) == {"unclear"}


def test_calls_too_short_to_tell_are_never_similar_but_may_be_slower():
    costs = {"a": 1e-7, "b": 1.001e-7, "c": 3e-7}
    assert comparison(costs).verdict == {"b": "similar", "c": "slower"}
    result = comparison(costs, too_short={"a"})
    assert result.verdict == {"b": "unclear", "c": "slower"}
    assert "a takes hardly longer than calling a function: put a loop inside" in repr(result)
    other = comparison(costs, too_short={"b"})
    assert other.verdict == {"b": "unclear", "c": "slower"}


# ---- when a run may end early ----


@pytest.mark.parametrize(
    "costs",
    [
        {"a": 1e-3, "b": 5e-4},
        {"a": 1e-3, "b": 5e-4, "c": 2e-4},
        {"a": 1e-3, "b": 1e-3},  # similar is a verdict, too
    ],
)
def test_a_run_with_narrow_intervals_is_decided(costs):
    result = comparison(costs)
    assert result.is_decided()
    assert not replace(result, interrupted=True).is_decided()
    assert not replace(result, retraced={"b"}).is_decided()


def test_a_run_is_decided_where_a_candidate_is_near():
    """More rounds would only tell on which side of a near bound it lies: no lesson claims that."""
    near = comparison({"a": 1e-3, "b": 1.05e-3})
    assert near.verdict == {"b": "unclear"}
    assert near.is_decided()
    assert near.is_faster("b", by=2).holds is False


def test_a_run_is_not_decided_where_one_candidate_is_noisy():
    loose = comparison({"a": 1e-3, "b": 1e-4}, n=16, spread=0.7)
    assert loose.verdict == {"b": "faster"}
    assert not loose.is_decided()


def test_a_run_is_not_decided_where_two_candidates_other_than_the_baseline_are_noisy():
    """Their noises against the baseline are just small enough; against each other they add up."""
    draw = np.random.default_rng(1)
    noise = [draw.lognormal(0, 0.4, 256) for _ in range(2)]
    samples = {"a": [1e-3] * 256, "b": list(1e-2 * noise[0]), "c": list(3e-2 * noise[1])}
    assert not Comparison(samples, "a").is_decided()
    for name in "bc":
        pair = {"a": samples["a"], name: samples[name]}
        assert Comparison(pair, "a", confidence=1 - 0.01 / 3).is_decided()


def noisy(ratio, spread, seed=0, n=512):
    """Return a comparison in which `b` takes `ratio` times as long as `a`, give or take."""
    noise = np.random.default_rng(seed).lognormal(0, spread, n)
    return Comparison({"a": [1e-3] * n, "b": list(ratio * 1e-3 * noise)}, "a")


@pytest.mark.parametrize("ratio", [0.001, 0.09, 11.0, 1000.0])
def test_candidates_far_apart_with_little_noise_may_end(ratio):
    assert noisy(ratio, 0.01).can_stop()


@pytest.mark.parametrize("ratio", [0.11, 0.5, 0.9, 1.0, 1.2, 5.0, 9.0])
def test_near_candidates_may_not_end_however_sure_their_verdict(ratio):
    """To stop as soon as there is a verdict would prefer the runs in which it is wrong."""
    near = noisy(ratio, 0.001)
    assert near.verdict != {"b": "unclear"}
    assert not near.can_stop()


def test_a_loose_ratio_may_not_end_however_far():
    assert noisy(50.0, 0.04).can_stop()
    loose = noisy(50.0, 0.2)
    assert loose.ratio["b"].high / loose.ratio["b"].low > 1.1
    assert not loose.can_stop()
    assert noisy(0.02, 0.04).can_stop()
    assert not noisy(0.02, 0.2).can_stop()


def test_ten_times_the_evidence_must_say_that_they_are_far_apart():
    """A run that looks several times has several chances to be wrong."""
    for seed in range(200):
        result = noisy(10.12, 0.02, seed)
        surer = replace(result, confidence=0.999)
        if surer.ratio["b"].low < 10 < result.ratio["b"].low:
            assert not result.can_stop()
            assert result.ratio["b"].high / result.ratio["b"].low < 1.03
            assert not ratios_depend(result.samples["b"], result.samples["a"])
            return
    pytest.fail("no run lay between the two kinds of evidence")


def test_a_ratio_that_moves_slowly_may_not_end():
    n = 512
    slow = 1 + 0.001 * np.sin(np.arange(n) / 40)
    result = Comparison({"a": [1e-3] * n, "b": list(2e-2 * slow)}, "a")
    assert result.ratio["b"].high / result.ratio["b"].low < 1.01
    assert not result.can_stop()
    shuffled = np.random.default_rng(2).permutation(slow)
    assert Comparison({"a": [1e-3] * n, "b": list(2e-2 * shuffled)}, "a").can_stop()


def test_one_near_candidate_keeps_the_others_going():
    n = 512
    samples = {"a": [1e-3] * n, "far": [2e-2] * n, "near": [2e-3] * n}
    assert not Comparison(samples, "a").can_stop()
    del samples["near"]
    assert Comparison(samples, "a").can_stop()


def test_a_single_round_may_end_where_all_calls_are_far_apart():
    first = {"a": 1.0, "b": 20.0}
    assert Comparison({"a": [1.0], "b": [20.0]}, "a", first_call=first).can_stop()
    assert not Comparison({"a": [1.0], "b": [9.0]}, "a", first_call=first).can_stop()


# ---- by the mean ----


def test_rare_long_calls_show_in_the_mean():
    rng = random.Random(1)
    often_slow = [1e-2 if rng.random() < 0.4 else 1e-3 for _ in range(400)]
    result = Comparison({"a": [1e-3] * 400, "b": often_slow}, "a")
    assert result.ratio["b"].value == pytest.approx(1.0)
    mean = result.mean_ratio("b")
    assert mean.value == pytest.approx(sum(often_slow) / 0.4)
    assert 3 < mean.low < mean.value < mean.high < 7
    (line,) = [line for line in result.table.notes if "by the mean" in line]
    assert sanitize(line) == sanitize(
        "this run: by the mean, b takes ≈4.6× [3.5, 6.0] the time of a: "
        "some calls take much longer than the median"
    )
    turned = Comparison(result.samples, "b")
    assert turned.mean_ratio("a").value == pytest.approx(1 / mean.value)
    assert "a takes ≈0.2" in repr(turned)


@pytest.mark.parametrize(
    ("times", "share", "shown"), [(3, 0.4, True), (2, 0.1, False), (1.5, 0.4, False)]
)
def test_a_mean_a_quarter_apart_is_another_answer(times, share, shown):
    rng = random.Random(2)
    often_slow = [times * 1e-3 if rng.random() < share else 1e-3 for _ in range(400)]
    result = Comparison({"a": [1e-3] * 400, "b": often_slow}, "a")
    assert ("by the mean" in repr(result)) is shown
    turned = Comparison(result.samples, "b")
    assert ("by the mean" in repr(turned)) is shown


def test_a_mean_of_few_rounds_says_nothing():
    samples = {"a": [1.0] * 15, "b": [1.0] * 14 + [1000.0]}
    result = Comparison(samples, "a")
    assert result.mean_ratio("b")[1:] == (0, math.inf)
    assert "by the mean" not in repr(result)


def runs_with_a_line_on_means(noise):
    """Return in how many of 100 simulated runs of two equal candidates the line is shown."""
    shown = 0
    for seed in range(100):
        samples = noise(np.random.default_rng(seed))
        result = Comparison(samples, "a")
        shown += len(result._notes_on_means(result.ratio))
    return shown


def test_ordinary_noise_shows_no_mean():
    def ordinary(rng):
        return {name: list(rng.lognormal(0, 0.3, 400)) for name in "ab"}

    assert runs_with_a_line_on_means(ordinary) == 0


def test_heavy_tails_that_hit_both_alike_show_no_mean():
    def heavy(rng):
        """Each sample is stretched now and then, by anything up to a thousand times."""
        samples = {}
        for name in "ab":
            samples[name] = list(rng.lognormal(0, 0.1, 400) + rng.pareto(1.2, 400))
        return samples

    assert runs_with_a_line_on_means(heavy) <= 2


# ---- the lines of the table ----


def test_a_comparison_in_words():
    result = comparison({"eager": 4e-4, "graph": 1e-4, "twin": 4e-4, "slow": 9e-4})
    first = repr(result).splitlines()[0]
    assert first.startswith("graph is faster than eager: ≈0.2")
    assert "twin and eager are similar (within 5%)" in first
    assert "slow is slower than eager: ≈2.2" in first
    # The verdict is not in the last column, which a narrow page cuts off.
    assert result.table.columns == ["", "verdict", "time per call", "relative to eager"]
    assert [row[0] for row in result.table.cells] == ["eager", "graph", "twin", "slow"]
    verdicts = [row[1] for row in result.table.cells]
    assert verdicts == ["baseline", "faster", "similar", "slower"]
    assert result.table.cells[0][3] == "1"
    assert "<caption" in result._repr_html_() and "faster" in result._repr_html_()


def test_options_are_shown_as_they_were_given():
    odd = comparison({"a": 1e-3, "b": 1e-3}, confidence=0.999, margin=0.125)
    assert "99.9% intervals" in repr(odd) and "within 12.5%" in repr(odd)


def test_each_ratio_is_found_once_for_the_table_as_that_of_a_long_run_takes_a_while(monkeypatch):
    found = []

    def counted(*args):
        found.append(args)
        return paired_ratio(*args)

    monkeypatch.setattr(results, "paired_ratio", counted)
    repr(comparison({"a": 1e-3, "b": 2e-3, "c": 3e-3, "d": 1e-3}))
    assert len(found) == 3


@pytest.mark.parametrize("notes", [[Note("tied", TIES, "wait")], []])
def test_a_result_can_be_copied_and_stored_with_its_notes(notes):
    result = comparison({"a": 1e-3, "b": 2e-3}, notes=notes)
    for twin in (copy.deepcopy(result), pickle.loads(pickle.dumps(result))):
        assert repr(twin) == repr(result)
        assert [vars(note) for note in twin.notes] == [vars(note) for note in notes]


def test_a_line_that_the_next_run_may_not_have_says_so_at_its_beginning():
    """By that, such lines are set aside as a whole when two outputs are compared."""
    rng = random.Random(1)
    often_slow = [1e-2 if rng.random() < 0.2 else 1e-3 for _ in range(400)]
    tied = Note(f"{THIS_RUN}≈90 % of the samples tie", TIES, "give a larger number=")
    parted = Comparison({"a": [1e-3] * 400, "b": often_slow}, "a", notes=[tied])
    plain = Comparison({"a": [1e-3] * 400, "b": [1e-3] * 400}, "a")
    lasting = [line for line in parted.table.notes if not line.startswith(THIS_RUN)]
    assert lasting == plain.table.notes
    assert len(parted.table.notes) == len(lasting) + 2


def test_the_first_line_below_says_how_much_was_measured():
    notes = comparison({"a": 1e-3, "b": 2e-3}, seconds=0.5).table.notes
    assert notes[0] == "≈120 rounds in ≈500 ms; results not compared"
    notes = comparison({"a": 1e-3, "b": 2e-3}, checked=True).table.notes
    assert notes[0] == "≈120 rounds in ≈1.00 s; the results agree"
    notes = comparison({"a": 1e-3, "b": 2e-3}, not_compared="a generator").table.notes
    assert notes[0] == "≈120 rounds in ≈1.00 s; results not compared: a generator"
    assert comparison({"a": 1, "b": 2}, seconds=math.nan).table.notes[0].startswith("≈120 rounds;")


def test_the_machine_has_a_line_of_its_own_where_it_was_watched():
    use = ProcessorUse(0.031, {"a": 0.0, "b": 0.0})
    line = comparison({"a": 1e-3, "b": 2e-3}, processor=use).table.notes[1]
    assert line == "99% intervals, for this run; other programs took ≈3.10 % of the processor"
    hidden = comparison({"a": 1e-3, "b": 2e-3}, processor=ProcessorUse()).table.notes[1]
    assert hidden.endswith("for this run; other programs took an unknown share of the processor")
    assert sanitize(hidden) == sanitize(line)  # another machine may hide it, or show it
    unwatched = comparison({"a": 1e-3, "b": 2e-3}, processor=None)
    assert "other programs" not in repr(unwatched)


def test_candidates_that_are_too_short_get_one_piece_of_advice():
    """A longer measurement would not help: the interval is narrow, and the calls cost more."""
    result = comparison({"a": 1e-7, "b": 1.001e-7}, too_short={"b"})
    assert result.verdict == {"b": "unclear"}
    assert "put a loop inside" in repr(result)
    assert "measure longer" not in repr(result)


@pytest.mark.parametrize("others", [0.06, 0.7])
def test_beside_other_programs_an_interval_of_unlike_code_holds_for_the_next_run_too(others):
    """Repeated comparisons on a busy machine contradicted each other without that."""
    seconds = {"a": 1e-3, "like": 1.1e-3, "slower": 2e-3, "faster": 0.5e-3}
    quiet = comparison(seconds, processor=ProcessorUse(0.04))
    busy = comparison(seconds, processor=ProcessorUse(others))
    assert busy.ratio["like"] == quiet.ratio["like"]
    for name in ("slower", "faster"):
        alone, beside = quiet.ratio[name], busy.ratio[name]
        assert beside.value == alone.value
        assert math.log(beside.high / beside.value) == pytest.approx(
            1.4 * math.log(alone.high / alone.value)
        )
        assert math.log(beside.value / beside.low) == pytest.approx(
            1.4 * math.log(alone.value / alone.low)
        )
    assert "1.4 times as wide, because other programs were at work" in repr(busy)
    assert "times as wide" not in repr(quiet)
    assert sanitize(repr(busy)) == sanitize(repr(quiet))


def test_the_interval_of_a_few_rounds_is_wide_enough_already():
    seconds = {"a": 1e-3, "b": 2e-3}
    quiet, busy = (comparison(seconds, n=15, processor=ProcessorUse(part)) for part in (0.0, 0.7))
    assert busy.ratio == quiet.ratio
    assert comparison(seconds, n=16, processor=ProcessorUse(0.7)).ratio != quiet.ratio


@pytest.mark.parametrize("processor", [None, ProcessorUse()])
def test_where_nobody_watched_the_processor_an_interval_is_that_of_the_run(processor):
    seconds = {"a": 1e-3, "b": 2e-3}
    quiet = comparison(seconds, processor=ProcessorUse(0.0))
    assert comparison(seconds, processor=processor).ratio == quiet.ratio


def test_notes_follow_the_first_lines():
    assert "take care" in comparison({"a": 1e-3, "b": 2e-3}, notes=["take care"]).table.notes


def unclear(**options):
    """Return a comparison that cannot tell."""
    return comparison({"a": 1e-3, "b": 1.05e-3}, n=40, spread=0.3, **options)


def test_unclear_says_why_and_what_to_do():
    result = unclear()
    note = result.table.notes[-1]
    assert result.verdict == {"b": "unclear"}
    assert note.startswith("unclear: the true ratio lies between ≈")
    assert note.endswith("measure longer (budget=4) or ask for less (margin=0.2)")
    assert "b against a: unclear" in repr(result)
    assert note in result._repr_html_()
    assert "unclear" not in repr(comparison({"a": 1e-3, "b": 2e-3}))


@pytest.mark.parametrize(
    ("seconds", "advice"),
    [
        (0.1, "measure longer (budget=2) or ask for less (margin=0.2)"),
        (2.6, "measure longer (budget=11) or ask for less (margin=0.2)"),
        (15.0, "measure longer (budget=60) or ask for less (margin=0.2)"),
        (15.1, "measure a smaller case, or ask for less (margin=0.2)"),
        (math.nan, "measure longer (budget=2) or ask for less (margin=0.2)"),
    ],
)
def test_advice_is_nothing_that_nobody_would_do(seconds, advice):
    assert unclear(seconds=seconds).table.notes[-1].endswith(advice)


def test_a_busy_machine_that_hits_the_candidates_unequally_is_named():
    use = ProcessorUse(0.4, {"a": 0.05, "b": 0.3})
    note = unclear(processor=use).table.notes[-1]
    assert note.endswith(
        "the machine is busy, and the candidates wait for it unequally (a ≈5.00 %, b ≈30.0 %)"
    )
    quiet = ProcessorUse(0.05, {"a": 0.05, "b": 0.3})
    assert "measure longer" in unclear(processor=quiet).table.notes[-1]
    alike = ProcessorUse(0.4, {"a": 0.25, "b": 0.3})
    assert "measure longer" in unclear(processor=alike).table.notes[-1]


def test_unclear_names_the_widest_interval_in_doubt():
    noise = np.random.default_rng(4)
    samples = {
        "a": [1.0] * 64,
        "b": list(noise.lognormal(0, 0.2, 64)),
        "wide": list(noise.lognormal(0, 0.8, 64)),
        "sure": list(9 * noise.lognormal(0, 1.0, 64)),
    }
    result = Comparison(samples, "a")
    assert result.verdict == {"b": "unclear", "wide": "unclear", "sure": "slower"}
    wide = result.ratio["wide"]
    assert f"between ≈{wide.low:.3f} and ≈{wide.high:.2f};" in repr(result)


# ---- figures ----


@pytest.mark.parametrize("name", list(every_result()))
def test_every_kind_of_figure_of_every_result(name):
    result = every_result()[name]
    assert result.plots
    for kind in (None, *result.plots):
        figure = result.plot(kind)
        assert figure.caption
    known = ", ".join(result.plots)
    words = f"a {type(result).__name__} has no figure 'pie'; there are {known}"
    with pytest.raises(ValueError) as caught:
        result.plot("pie")
    assert str(caught.value) == words


def test_the_first_kind_is_the_one_without_a_name():
    result = comparison({"a": 1e-3, "b": 2e-3})
    assert list(result.plots) == ["ratio", "times", "rounds", "break-even"]
    assert result.plot().caption == result.plot("ratio").caption
    assert result.plot("times").caption != result.plot("ratio").caption


def test_options_reach_the_figure():
    result = comparison({"a": 1e-3, "b": 2e-3, "c": 4e-3})
    assert "The guess was 8.00×." in result.plot(guess=8).caption


# ---- other forms ----


def test_records_are_in_the_order_given_and_in_seconds():
    result = comparison({"slow": 4e-4, "fast": 1e-4, "slower": 9e-4})
    slow, fast, slower = result.to_records()
    assert [record["name"] for record in (slow, fast, slower)] == ["slow", "fast", "slower"]
    assert [record["verdict"] for record in (slow, fast, slower)] == [
        "baseline",
        "faster",
        "slower",
    ]
    assert fast["lower_quartile"] < fast["median"] < fast["upper_quartile"]
    assert fast["upper_quartile"] == pytest.approx(1e-4, rel=0.5)
    assert fast["ratio_low"] < fast["ratio"] < fast["ratio_high"] < 0.3
    assert (slow["ratio_low"], slow["ratio"], slow["ratio_high"]) == (1, 1, 1)
    assert fast["first_call"] == result.first_call["fast"]
    assert math.isnan(Comparison({"a": [1.0]}, "a").to_records()[0]["first_call"])


def test_times_per_unit():
    """A batch of 8 in 4 ms and one of 64 in 8 ms: per row, the larger one takes a quarter."""
    result = comparison({"8 rows": 4e-3, "64 rows": 8e-3})
    rows = result.per_unit({"8 rows": 8, "64 rows": 64})
    assert rows.ratio["64 rows"].value == pytest.approx(result.ratio["64 rows"].value / 8)
    assert rows.verdict == {"64 rows": "faster"}
    assert rows.median["8 rows"].value == pytest.approx(result.median["8 rows"].value / 8)
    assert rows.first_call["64 rows"] == pytest.approx(result.first_call["64 rows"] / 64)
    assert result.verdict == {"64 rows": "slower"}  # the comparison itself is as it was


def test_times_per_unit_of_a_single_round_are_not_mixed_with_those_per_call():
    first = {"1 row": 1.0, "64 rows": 4.0}
    single = Comparison({"1 row": [1.0], "64 rows": [4.0]}, "1 row", first_call=first)
    rows = single.per_unit({"1 row": 1, "64 rows": 64})
    assert rows.ratio["64 rows"] == pytest.approx((1 / 16, 1 / 16, 1 / 16))
    assert rows.verdict == {"64 rows": "faster"}


def test_speed_is_work_over_time_and_its_share_comes_from_the_rounds():
    result = comparison({"mine": 2e-3, "peak": 1e-3})
    table = result.speed_table(work=3e6, peak="peak")
    assert table.columns == ["", "speed", "share of the peak"]
    (name, speed, share), (_, _, whole) = table.cells
    assert name == "mine"
    assert speed == f"≈{3e6 / result.median['mine'].value / 1e9:.2f} GFLOP/s"
    assert share.startswith("≈50.") or share.startswith("≈49.")
    assert "[" in share
    assert whole == "≈100 % [100, 100]"


def test_the_break_even_uses_the_ratio_within_the_rounds():
    """In most rounds it takes half the time, though its median is the larger one."""
    samples = {"plain": [2.0, 3.0, 10.0] * 5, "prepared": [1.0, 9.0, 5.0] * 5}
    first = {"plain": 2.0, "prepared": 9.5}
    result = Comparison(samples, "plain", first_call=first)
    assert result.median["prepared"].value > result.median["plain"].value
    assert result.pays_after("prepared") == 6  # 7.5 s more at first, 1.5 s saved by each later call
    cheaper = Comparison(samples, "plain", first_call={"plain": 2.0, "prepared": 1.5})
    assert cheaper.pays_after("prepared") == 1
    never = Comparison(samples, "prepared", first_call=first)
    assert never.pays_after("plain") is None


# ---- sweeps ----


def test_a_sweep_has_a_row_for_each_size_and_a_column_for_each_candidate():
    sizes = {size: comparison({"a": size * 1e-3, "b": 4e-3}) for size in (1, 8)}
    sweep = Sweep(sizes, "batch")
    assert sweep.table.columns == ["batch", "a", "b"]
    assert [row[0] for row in sweep.table.cells] == ["1", "8"]
    assert sweep.table.caption == "time per call"
    assert not sweep.table.notes
    records = sweep.to_records()
    assert [(record["batch"], record["name"]) for record in records] == [
        (1, "a"),
        (1, "b"),
        (8, "a"),
        (8, "b"),
    ]
    assert records[0]["median"] == sizes[1].median["a"].value
    assert "<table" in sweep._repr_html_()


def test_an_interrupted_sweep_says_so():
    sizes = {1: comparison({"a": 1e-3, "b": 4e-3})}
    assert "interrupted: only these sizes were measured" in repr(Sweep(sizes, interrupted=True))
