"""A diagnosis from the model to the report, for models of several kinds."""

import os

import keras
import pytest
import tensorflow as tf
from benchmarks.own_models import HAND_MADE
from own_model_helpers import QUICK, is_sentence, made_diagnosis

import labkit as lab
from labkit import own_model
from labkit.measure import rounds
from labkit.own_model import BadModel, diagnosis
from labkit.own_model.candidates import (
    CALL,
    CANDIDATES,
    CONCRETE,
    FUNCTION,
    IN_TENSORFLOW,
    LITERT,
    ON_BATCH,
    ORT,
    PREDICT,
    XLA,
)
from labkit.own_model.time_budget import stretched


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The diagnosis of the course's model, and its report."""
    path = tmp_path_factory.mktemp("whole") / "report.html"
    chosen = {"batches": [1, 16], "budget": 40, "candidates": IN_TENSORFLOW, "progress": False}
    return own_model.diagnose(report_to=path, **chosen), path


def test_a_diagnosis_has_everything(whole):
    d, path = whole
    assert (d.name, d.kind, d.batch, d.batch_label) == ("price.keras", ".keras file", 1, "1 row")
    assert list(d.medians) == list(IN_TENSORFLOW)
    assert set(d.refused) == {ORT}
    assert d.refused[ORT] == "left out: it is not among candidates="
    assert d.facts["dropout"].startswith("1 layer")
    assert d.machine["tensorflow"] == tf.__version__
    assert not d.states
    assert not d.random
    assert "What to do with price.keras" in path.read_text(encoding="utf-8")


def test_each_sentence_rests_on_a_measurement(whole):
    d, _ = whole
    assert d.best == LITERT  # a hundred times as fast as anything in TensorFlow
    about = [a.about for a in d.advice if a.about != "busy"]  # other programs may be at work
    assert about[:3] == ["candidate", "tensorflow", "first call"]
    for sentence in d.advice:
        assert "≈" in sentence.evidence or sentence.evidence.endswith("none")


def test_the_table_has_a_row_for_each_candidate(whole):
    table = whole[0].table
    assert table.columns[:3] == ["candidate", "time per call", "relative to model(x)"]
    assert [row[0] for row in table.cells] == list(IN_TENSORFLOW)
    calls = {row[0]: row[4] for row in table.cells}
    assert calls[LITERT].endswith("Python calls")
    assert table.notes[0] == "ONNX Runtime: left out: it is not among candidates="


def test_the_figures_say_what_they_show(whole):
    d, _ = whole
    assert d.plot().caption.startswith("Time per call with 1 row: predict ≈")
    assert "rows per call: model(x) from ≈" in d.plot("rows").caption
    assert d.plot("break-even").caption.startswith("Total time")
    with pytest.raises(ValueError, match="there are ladder, rows, break-even"):
        d.plot("pie")


def test_a_diagnosis_shows_itself_as_text_and_html(whole):
    d, _ = whole
    assert "relative to model(x)" in repr(d)
    assert "because:" in repr(d)
    assert "Time per row" in repr(d)
    assert "<table" in d._repr_html_()


def test_the_time_per_row_is_measured_at_both_sizes(whole):
    per_row = whole[0].per_row
    assert set(per_row[CALL]) == {1, 16}
    assert per_row[CALL][16] < per_row[CALL][1]


# ---- models of several kinds ----


@pytest.mark.parametrize("kind", ["two inputs, two outputs", "stateful", "random", "subclassed"])
def test_a_hand_made_model_gets_its_report(kind, tmp_path):
    chosen = [ON_BATCH, FUNCTION, CONCRETE]
    d = own_model.diagnose(
        HAND_MADE[kind](), candidates=chosen, report_to=tmp_path / "r.html", **QUICK
    )
    assert list(d.medians) == [CALL, *chosen]
    assert set(d.medians) | set(d.refused) == set(CANDIDATES)
    assert d.random == (kind == "random")
    assert d.states == (2 if kind == "stateful" else 0)
    assert (tmp_path / "r.html").stat().st_size > 10_000


def test_text_is_not_compiled():
    d = own_model.diagnose(HAND_MADE["text"](), candidates=[XLA], **QUICK)
    reason = "not possible: XLA compiles numbers only, and an input of this model is text"
    assert d.refused[XLA] == reason
    assert list(d.medians) == [CALL]


def test_a_fixed_batch_is_measured_as_it_is():
    d = own_model.diagnose(HAND_MADE["fixed batch"](), candidates=[FUNCTION], **QUICK)
    assert d.batch == 4
    assert "fixes 4 rows per call" in str(d.facts)


def test_a_saved_model_is_measured_without_keras(saved):
    d = own_model.diagnose(saved / "ok", candidates=[PREDICT, ON_BATCH, FUNCTION], **QUICK)
    assert list(d.medians) == [CALL, FUNCTION]
    [refused] = [a for a in d.advice if a.about == "refused"]
    assert refused.text == "predict and predict_on_batch cannot be used with this model."


@pytest.mark.parametrize("name", ["MobileNetV3Small", "VGG16"])
def test_an_architecture_of_keras_applications_gets_its_report(name, tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_ROUNDS", "16")  # more time where other programs compute
    model = getattr(keras.applications, name)(weights=None, input_shape=(32, 32, 3), classes=4)
    d = own_model.diagnose(
        model, batches=[1], budget=6, progress=False, report_to=tmp_path / "r.html"
    )
    assert FUNCTION in d.medians
    assert all(is_sentence(why) for why in d.refused.values()), d.refused


# ---- the budget ----


@pytest.mark.parametrize(
    ("load", "cores", "wanted", "times"),
    [(0.1, 2, "", 1), (9, 2, "", 1), (0.1, 2, "256", 1), (4, 2, "256", 2), (20, 2, "256", 3)],
)
def test_a_lesson_that_runs_as_a_test_has_more_time_on_a_busy_machine(
    load, cores, wanted, times, monkeypatch
):
    monkeypatch.setenv("LABKIT_ROUNDS", wanted)
    monkeypatch.setattr(os, "getloadavg", lambda: (load, 0, 0), raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    assert stretched(10.0) == 10.0 * times


def test_no_time_is_spent_after_the_budget(clock, monkeypatch):
    """With a clock that only candidates move, the shares of the budget add up."""
    from labkit.own_model import candidates

    for name in CANDIDATES:
        run = clock.candidate(0.02, first=0.5, result=[1.0])
        monkeypatch.setitem(candidates._PREPARE, name, lambda case, run=run: run)
    monkeypatch.setattr("labkit.own_model.ladder._ENOUGH_SECONDS", 1000.0)
    monkeypatch.setattr(rounds, "processor_clock", clock)
    d = own_model.diagnose(lab.models.mlp(), batches=[1, 8, 64], budget=60, progress=False)
    assert clock.now == pytest.approx(d.seconds, rel=1e-3)
    assert 30 < d.seconds < 66
    assert list(d.many) == [8, 64]


@pytest.mark.parametrize(("first", "is_over"), [(0.5, False), (7.0, True)])
def test_a_first_call_longer_than_the_budget_is_said(first, is_over, clock, monkeypatch):
    from labkit.own_model import candidates

    for name in CANDIDATES:
        run = clock.candidate(0.02, first=first, result=[1.0])
        monkeypatch.setitem(candidates._PREPARE, name, lambda case, run=run: run)
    monkeypatch.setattr(rounds, "processor_clock", clock)
    d = own_model.diagnose(lab.models.mlp(), batches=[1], budget=5, progress=False)
    notes = [note for note in d.notes if "more than the time budget of 5 s" in note]
    assert len(notes) == is_over
    assert all("the first call ≈7.00 s" in note for note in notes)


def test_options_are_checked_before_anything_is_loaded(monkeypatch):
    monkeypatch.setattr(diagnosis, "load", None)
    with pytest.raises(BadModel, match="from 1 to 3600"):
        own_model.diagnose("m.keras", budget=3601)
    with pytest.raises(BadModel, match="no candidate 'fast'"):
        own_model.diagnose("m.keras", candidates="fast")


# ---- what cannot be plotted ----


def test_one_batch_size_has_no_figure_of_rows():
    with pytest.raises(BadModel, match=r"give batches=\[1, 32\]"):
        made_diagnosis({CALL: 1, FUNCTION: 1}).plot("rows")


def test_nothing_breaks_even_where_nothing_is_faster():
    with pytest.raises(BadModel, match="nothing breaks even"):
        made_diagnosis({CALL: 1, FUNCTION: 1}).plot("break-even")


def test_inspect_measures_nothing(saved, monkeypatch):
    monkeypatch.setattr(rounds, "clock", None)
    table = own_model.inspect(saved / "ok.keras")
    assert table.columns == ["ok.keras", ""]
    assert ["weights", f"{lab.models.mlp().count_params():,}"] in table.cells
