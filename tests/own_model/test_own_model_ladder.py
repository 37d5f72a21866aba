"""Candidates that lie far apart are measured per call and per row, within the budget."""

import random

import pytest
from own_model_helpers import fake_case

import labkit as lab
from labkit import own_model
from labkit.measure import rounds
from labkit.measure.notes import TIES, Note
from labkit.own_model import answers, candidates, ladder
from labkit.own_model.candidates import CALL, FUNCTION, LITERT, XLA
from labkit.own_model.ladder import (
    Ladder,
    TooShort,
    at_batch_size,
    measure,
    measure_per_row,
)
from labkit.own_model.prepare import CandidateResult

MAKERS = {
    "slow": lambda model, row: lambda row: sum([model] * row),
    "fast": lambda model, row: lambda row: model * row,
}


def made_ladder(costs, baseline):
    """Return a ladder with these seconds per call."""
    rng = random.Random(1)
    samples = {}
    for name, cost in costs.items():
        samples[name] = [cost * rng.lognormvariate(0, 0.05) for _ in range(64)]
    first_call = {name: 50 * cost for name, cost in costs.items()}
    python_calls = {name: 10 * i for i, name in enumerate(costs, start=1)}
    return Ladder(
        samples,
        baseline,
        first_call=first_call,
        seconds=1.0,
        python_calls=python_calls,
        checked=True,
    )


# ---- the candidates of a lesson ----


def test_a_candidate_with_a_different_result_is_an_error():
    wrong = MAKERS | {"wrong": lambda model, row: lambda row: model * row + 1}
    with pytest.raises(AssertionError, match="wrong and fast do not give the same result"):
        own_model.compare_candidates(wrong, 2, 100, baseline="fast", budget=0.02)


def test_an_unknown_baseline_is_an_error():
    with pytest.raises(ValueError, match="no candidate is named 'fats'"):
        own_model.compare_candidates(MAKERS, 2, 100, baseline="fats", budget=0.02)


def test_each_candidate_gets_the_calls_that_fill_a_sample_and_the_time_is_per_call(clock):
    calls = {"slow": 0, "fast": 0}

    def maker(name, seconds):
        def call(row):
            calls[name] += 1
            clock.work(seconds)
            return row

        return lambda model, row: call

    makers = {"slow": maker("slow", 0.01), "fast": maker("fast", 1e-5)}
    found = own_model.compare_candidates(makers, None, 1, baseline="fast", budget=2)
    assert found.median["slow"].value == pytest.approx(0.01, rel=1e-3)
    assert found.median["fast"].value == pytest.approx(1e-5, rel=1e-3)
    assert found.ratio["slow"].value == pytest.approx(1000, rel=1e-3)
    assert found.number["slow"] == 1
    assert found.number["fast"] == pytest.approx(rounds.SAMPLE / 1e-5, abs=1)
    assert calls["fast"] > 5 * calls["slow"]
    assert clock.now < 1.5 * 2 + 0.1


def test_the_first_answer_includes_the_making(clock):
    def make(model, row, preparing=3.0, first=2.0):
        clock.work(preparing)
        call = clock.candidate(1e-3, first=first, result=1)
        return lambda row: call()

    makers = {"slow": make, "fast": lambda model, row: make(model, row, 0, 1e-3)}
    found = own_model.compare_candidates(makers, None, 1, baseline="fast", budget=0.1)
    assert found.first_call["slow"] == pytest.approx(5.0, rel=1e-3)
    assert found.first_call["fast"] == pytest.approx(1e-3, rel=1e-3)


def test_python_calls_are_counted_and_shown():
    def helper(x):
        return x

    def make(model, row):
        return lambda row: helper(helper(model * row))

    makers = {"two helpers": make, "none": MAKERS["fast"]}
    found = own_model.compare_candidates(makers, 2, 1000, baseline="none", budget=0.02)
    assert found.python_calls == {"two helpers": 3, "none": 1}
    assert "3 Python calls" in repr(found)
    assert "the results agree" in repr(found)


def test_the_table_gives_the_time_relative_to_the_baseline():
    table = made_ladder({"predict": 1e-2, "numpy": 1e-5}, "numpy").table
    assert table.columns == [
        "",
        "time per call",
        "times numpy",
        "first answer after",
        "in one call",
    ]
    predict, numpy = table.cells
    assert predict[2].startswith(("≈1,0", "≈99"))
    assert predict[4] == "10 Python calls"
    assert numpy[2] == "1"


@pytest.mark.parametrize("kind", [None, *Ladder.plots])
def test_a_ladder_has_all_figures_of_a_comparison_and_its_own(kind):
    found = made_ladder({"predict": 1e-2, "numpy": 1e-5}, "numpy")
    caption = found.plot(kind).caption
    assert "predict" in caption
    if kind in (None, "ladder"):
        assert caption.startswith("Time per call. numpy ≈")


def test_no_note_asks_for_what_a_caller_cannot_give(clock):
    clock.tick = 1e-3  # every sample ties
    makers = {
        "a": lambda model, row: lambda row: clock.work(2e-3),
        "b": lambda model, row: lambda row: clock.work(2e-3),
    }
    found = own_model.compare_candidates(makers, None, 1, baseline="a", budget=2)
    [tied] = [note for note in found.notes if "tie" in note]
    assert "number=" not in tied
    assert tied.kind == TIES and tied.endswith("tie at the clock's resolution")


def test_a_note_is_recognised_by_its_kind_and_not_by_its_words():
    named = Note("first calls of number= take long: see there", "lazy", "give a number=")
    assert ladder._notes_for_ladders([named]) == [named]


def test_the_figure_has_a_mark_for_each_candidate_and_model_and_names_the_baseline():
    models = {"small": made_ladder({"predict": 1e-2, "call": 1e-3, "numpy": 1e-5}, "numpy")}
    models["wide"] = made_ladder({"predict": 1e-2, "call": 2e-3, "numpy": 1e-3}, "numpy")
    figure = lab.plots.ladder(models)
    assert "small: numpy ≈" in figure.caption
    assert "wide: numpy ≈" in figure.caption
    labels = [label.get_text() for label in figure.figure.axes[0].get_yticklabels()]
    assert labels == ["numpy (= 1)", "call", "predict"]


# ---- the candidates of a diagnosis ----


def ready(clock, costs):
    """Return prepared candidates with these seconds per call."""
    results = []
    for name, seconds in costs.items():
        run = clock.candidate(seconds)
        results.append(CandidateResult(name, first_call=1.0, estimate=seconds, run=run))
    return results


def test_slow_and_fast_candidates_are_measured_within_the_budget(clock, monkeypatch):
    monkeypatch.setattr(ladder, "_ENOUGH_SECONDS", 2.0)
    found = measure(ready(clock, {CALL: 0.1, LITERT: 1e-5}), CALL, seconds=5)
    assert found.median[CALL].value == pytest.approx(0.1, rel=1e-3)
    assert found.median[LITERT].value == pytest.approx(1e-5, rel=1e-2)
    assert found.is_faster(LITERT, than=CALL, by=100)
    assert found.first_call == {CALL: 1.0, LITERT: 1.0}
    assert clock.now < 1.5 * 5


def test_enough_is_enough(clock, monkeypatch):
    monkeypatch.setattr(ladder, "_ENOUGH_SECONDS", 2.0)
    measure(ready(clock, {CALL: 1e-4, LITERT: 1e-4}), CALL, seconds=500)
    assert clock.now < 1.5 * 2


def test_candidates_that_take_minutes_are_no_error(clock):
    found = measure(ready(clock, {CALL: 100.0, FUNCTION: 90.0}), CALL, seconds=3600)
    assert found.median[CALL].value == pytest.approx(100.0, rel=1e-3)


@pytest.mark.parametrize("seconds", [0.2, 30])
def test_a_candidate_alone_is_measured_too(clock, seconds):
    found = measure(ready(clock, {CALL: 0.1}), CALL, seconds)
    assert found.median[CALL].value == pytest.approx(0.1, rel=1e-3)
    assert found.ratio == {}


def test_without_time_for_a_round_the_calls_that_were_made_count(clock):
    found = measure(ready(clock, {CALL: 10.0, FUNCTION: 9.0}), CALL, seconds=0.2)
    assert found.median[CALL].value == pytest.approx(10.0, rel=1e-3)
    assert clock.now == 0  # nothing was called again
    assert not found.interrupted
    [note] = found.notes
    assert note == "each time is that of the quickest of a few calls, made while preparing"


def test_where_one_round_is_all_there_is_time_for_it_counts(clock):
    found = measure(ready(clock, {CALL: 10.0, LITERT: 1e-3}), CALL, seconds=21)
    assert found.median[LITERT].value == pytest.approx(1e-3, rel=1e-3)
    assert clock.now < 1.5 * 21


# ---- rows sent together ----


@pytest.fixture
def per_row(monkeypatch, clock):
    """Measure 8 rows per call against 1, for candidates with these seconds per call at 8 rows."""

    def measured_at_8(costs, seconds=60.0, answer=None, first_call=0.1, first=CALL):
        case = fake_case()
        for name, cost in costs.items():
            result = [answer] if answer is not None and name != CALL else [1.0]
            run = clock.candidate(cost, first=1.0, result=result)
            monkeypatch.setitem(candidates._PREPARE, name, lambda case, run=run: run)
        state = answers.ModelState(case.loaded, lambda: [1.0])
        at_1 = {}
        for result in ready(clock, dict.fromkeys(costs, 1e-3)):
            result.first_call = first_call
            at_1[result.name] = result
        return measure_per_row(lambda: case, 8, 1, at_1, state, seconds, first)

    return measured_at_8


def test_the_time_per_row_is_that_of_a_call_by_its_rows(per_row):
    found = per_row({CALL: 1e-3, FUNCTION: 8e-3})
    medians = {name: median.value for name, median in found.median.items()}
    assert medians == pytest.approx(
        {
            "model(x), 1 row": 1e-3,
            "model(x), 8 rows": 1e-3 / 8,
            "tf.function, 1 row": 1e-3,
            "tf.function, 8 rows": 1e-3,
        },
        rel=1e-3,
    )
    ratio = found.relative("model(x), 8 rows", at_batch_size(CALL, 1))
    assert ratio.value == pytest.approx(1 / 8, rel=1e-3)


def test_what_a_batch_size_does_not_allow_is_omitted(per_row, monkeypatch):
    def fails(case):
        raise ValueError("not this size")

    monkeypatch.setitem(candidates._PREPARE, XLA, fails)
    found = per_row({CALL: 1e-3})
    assert list(found.median) == ["model(x), 1 row", "model(x), 8 rows"]


def test_a_candidate_with_a_different_result_at_this_size_is_omitted(per_row):
    found = per_row({CALL: 1e-3, FUNCTION: 1e-3}, answer=2.0)
    assert list(found.median) == ["model(x), 1 row", "model(x), 8 rows"]


def test_a_candidate_that_takes_too_long_to_prepare_is_omitted(per_row):
    found = per_row({CALL: 1e-3, FUNCTION: 1e-3}, seconds=10, first_call=6)
    assert list(found.median) == ["model(x), 1 row", "model(x), 8 rows"]


def test_without_time_nothing_is_measured_and_it_is_said_how_much_would_do(per_row):
    with pytest.raises(TooShort, match="for lack of time: give about 5 s more"):
        per_row({CALL: 1e-3}, seconds=0.5, first_call=0.6)
    with pytest.raises(TooShort, match="for lack of time"):
        per_row({CALL: 1e-3}, seconds=0.5)


def test_a_size_that_no_candidate_takes_is_said(per_row, monkeypatch):
    def fails(name, case):
        raise ValueError("not this size")

    monkeypatch.setattr(candidates, "prepare", fails)
    with pytest.raises(TooShort, match="no candidate takes this number"):
        per_row({CALL: 1e-3})


def test_the_recommended_candidate_is_prepared_before_the_others(per_row, monkeypatch):
    prepared = []
    prepare = candidates.prepare

    def watched(name, case):
        prepared.append(name)
        return prepare(name, case)

    monkeypatch.setattr(candidates, "prepare", watched)
    found = per_row({CALL: 1e-3, FUNCTION: 1e-3, LITERT: 1e-3}, first=LITERT)
    assert prepared == [LITERT, CALL, FUNCTION]
    assert list(found.median)[:2] == ["model(x), 1 row", "model(x), 8 rows"]  # still the baseline


def test_a_direct_call_that_takes_too_long_leaves_the_recommended_candidate(clock, monkeypatch):
    case = fake_case()
    run = clock.candidate(1e-3, first=0.1, result=[1.0])
    monkeypatch.setitem(candidates._PREPARE, LITERT, lambda case: run)
    state = answers.ModelState(case.loaded, lambda: [1.0])
    at_1 = {result.name: result for result in ready(clock, {CALL: 9.0, LITERT: 1e-3})}
    at_1[LITERT].first_call = 0.1
    found = measure_per_row(lambda: case, 8, 1, at_1, state, 10.0, LITERT)
    assert list(found.median) == ["LiteRT, 1 row", "LiteRT, 8 rows"]


def test_a_sample_lasts_long_enough_for_the_clock():
    assert rounds.calls_per_sample(1e-6) == 150
