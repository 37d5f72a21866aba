"""What a service needs to know: single calls, rows per call, callers at once, fewer bits."""

import json
import threading
import time

import jsonschema
import keras
import numpy as np
import pytest
import tensorflow as tf
from benchmarks.own_models import HAND_MADE
from own_model_helpers import QUICK, made_diagnosis

import labkit as lab
from labkit import own_model
from labkit.measure.results import Comparison
from labkit.own_model import BadModel, ModelComparison, json_file, memory, service, tables
from labkit.own_model.callers import Load, call_at_once
from labkit.own_model.candidates import CALL, FUNCTION, LITERT, PREDICT
from labkit.own_model.prepare import SKIPPED
from labkit.own_model.service import Service, SmallerFile
from labkit.own_model.single_calls import Calls, take_turns

SCHEMA = json.loads(json_file.SCHEMA.read_text(encoding="utf-8"))


def spread(milliseconds, count=200):
    """Return calls of which one in a hundred takes ten times as long."""
    times = [milliseconds / 1e3] * count
    for i in range(0, count, 100):
        times[i] *= 10
    return Calls(times)


def made_service(**more):
    return Service(
        LITERT,
        calls={PREDICT: spread(30, 12), LITERT: spread(0.1)},
        sweep={1: spread(0.1), 8: spread(0.4), 32: spread(1.6)},
        callers=[Load(1, spread(0.1), 0.02), Load(4, spread(0.2), 0.01)],
        **more,
    )


def with_service(**more):
    return made_diagnosis({PREDICT: 30, CALL: 2, LITERT: 0.1}, service=made_service(**more))


def sentence_about(d, about):
    return [(a.text, a.evidence) for a in d.advice if a.about == about]


# ---- single calls ----


def test_percentiles_are_those_of_calls():
    calls = Calls([float(i) for i in range(1, 201)])
    assert [calls.percentile(share) for share in (0.5, 0.9, 0.99)] == [100.0, 180.0, 198.0]
    assert (calls.longest, calls.count, calls.mean) == (200.0, 200, 100.5)


def test_p99_is_refused_for_fewer_than_a_hundred_calls():
    assert Calls([1.0] * 99).percentile(0.99) is None
    assert Calls([1.0] * 100).percentile(0.99) == 1.0
    assert Calls([1.0] * 98 + [9.0]).almost_all == 9.0  # the longest, as there are too few
    table = tables.calls_table(with_service())
    assert table.cells[0][3] == "–"
    assert table.cells[0][5] == "≈12 calls"
    assert table.notes == ["p99 needs 100 calls or more"]
    assert tables.sweep_table(with_service()).notes == []


def test_candidates_are_timed_in_turns_until_the_time_is_up(clock):
    runs = {"short": clock.candidate(0.001), "long": clock.candidate(3.0)}
    found = take_turns(runs, 10.0)
    assert 2 <= found["long"].count <= 5
    assert found["short"].count >= 10
    assert found["short"].percentile(0.5) == pytest.approx(0.001, rel=1e-3)
    assert clock.now < 14


def test_enough_calls_end_it(clock):
    found = take_turns({"a": clock.candidate(0.001)}, 1000.0, most=300)
    assert found["a"].count == 300
    assert clock.now < 1


# ---- rows per call ----


@pytest.mark.parametrize(
    ("within", "size"),
    [(None, 8), (0.01, 8), (0.001, 8), (0.0002, 1), (0.00001, None)],
)
def test_the_largest_throughput_within_the_time(within, size):
    sweep = {1: Calls([1e-4] * 200), 8: Calls([3e-4] * 200), 32: Calls([8e-3] * 200)}
    assert Service(LITERT, sweep=sweep, within=within).most_rows == size


def test_rare_long_calls_count_for_the_time_wanted():
    sweep = {1: Calls([1e-4] * 200), 8: Calls([1e-4] * 190 + [1e-2] * 10)}
    assert Service(LITERT, sweep=sweep, within=1e-3).most_rows == 1


def test_the_advice_names_the_rows_that_are_in_time():
    [(text, evidence)] = sentence_about(with_service(within=0.005), "throughput")
    assert text == "For the largest throughput within 5 ms, send 8 rows in one call through LiteRT."
    assert evidence.startswith("99 % of ≈200 calls with 8 rows took at most ≈400 µs; ≈")


def test_the_advice_says_that_nothing_is_in_time():
    [(text, evidence)] = sentence_about(with_service(within=1e-6), "throughput")
    assert text == "Answer later than 0.001 ms: through LiteRT no number of rows is in time."
    assert evidence.startswith("99 % of ≈200 calls with 1 row took at most ≈100 µs")


def test_nothing_is_said_about_throughput_unless_a_time_is_wanted():
    assert sentence_about(with_service(), "throughput") == []
    assert sentence_about(made_diagnosis({CALL: 1}), "throughput") == []


@pytest.mark.parametrize("within", [0, -1, "5", True])
def test_the_time_wanted_is_checked(within):
    with pytest.raises(BadModel, match="the time for an answer is in seconds"):
        own_model.diagnose("m.keras", within=within)


# ---- callers at once ----


def test_callers_call_at_once():
    together = threading.Barrier(3)  # it opens only if all three are in their calls at once

    def run():
        together.wait(timeout=20)
        time.sleep(0.01)

    found = call_at_once([run] * 3, 0.05)
    assert found.callers == 3
    assert found.calls.count >= 3
    assert found.per_second == found.calls.count / found.seconds


def test_an_error_of_a_caller_is_not_lost():
    def fails():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        call_at_once([lambda: None, fails], 0.05)


def test_memory_that_is_taken_is_seen():
    with memory.MemoryWatch() as watch:
        taken = np.ones(2**23)  # 64 MiB
        time.sleep(0.05)
        del taken
    assert watch.grown > 40 * 2**20


# ---- a whole measurement ----


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    folder = tmp_path_factory.mktemp("service")
    path = own_model.default_model(folder)
    rng = np.random.default_rng(0)
    sample = {
        "numbers": rng.random((40, 10), dtype="float32"),
        "shop": rng.integers(0, 20, (40, 1)).astype("int32"),
    }
    chosen = {"candidates": [FUNCTION, LITERT], "batches": [1], "progress": False}
    page = folder / "r.html"
    return own_model.diagnose(
        path, sample=sample, budget=60, service=True, within=0.5, report_to=page, **chosen
    )


def test_a_service_gets_all_its_numbers(measured):
    s = measured.service
    assert list(s.calls) == [CALL, FUNCTION, LITERT]
    # On a busy machine some numbers of rows are left out, and named.
    missing = {size for size in (1, 2, 4, 8, 16, 32, 64, 128, 256) if size not in s.sweep}
    assert 1 in s.sweep
    assert bool(missing) == any("rows per call: not measured" in line for line in s.left_out)
    assert s.most_rows in s.sweep
    assert [load.callers for load in s.callers] == [1, 4, 16]
    assert [file.name for file in s.smaller][:1] == [service.FLOAT16]
    assert {file.inputs for file in s.smaller} == {40}
    assert all(0 <= file.gap < 0.5 for file in s.smaller)
    assert s.smaller[0].size < s.full_size
    assert s.start_seconds > 0


def test_the_report_the_cell_and_the_terminal_have_its_tables(measured):
    page = measured.report.read_text(encoding="utf-8")
    for words in ("Single calls with 1 row", "Rows in one call of LiteRT", "Callers at once"):
        assert words in page
        assert words in repr(measured)
        assert words in measured._repr_html_()


def test_the_result_as_json_fits_its_schema(measured):
    found = json.loads(json.dumps(measured.to_dict(), allow_nan=False))
    jsonschema.validate(found, SCHEMA)
    assert found["recommended"] == LITERT
    assert found["code_reads"] == "price.tflite"
    assert found["service"]["single_calls"][2]["calls"]["p99_seconds"] > 0


def test_results_that_lack_something_fit_the_schema_too():
    for d in (made_diagnosis({CALL: 5}), with_service(within=0.1)):
        jsonschema.validate(json.loads(json.dumps(d.to_dict(), allow_nan=False)), SCHEMA)


def test_a_changed_result_does_not_fit_the_schema(measured):
    found = measured.to_dict()
    del found["recommended"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(found, SCHEMA)


@pytest.mark.parametrize(
    ("kind", "left_out"),
    [
        ("stateful", "callers at once: not measured, as the model remembers"),
        ("fixed batch", "other numbers of rows: not measured, as the model fixes them"),
    ],
)
def test_what_cannot_be_measured_is_named(kind, left_out):
    d = own_model.diagnose(HAND_MADE[kind](), candidates=[FUNCTION], service=True, **QUICK)
    assert any(line.startswith(left_out) for line in d.service.left_out)
    assert left_out in repr(d)


def test_what_there_is_no_time_for_is_not_begun():
    """A call takes longer than what the ladder left of the budget."""
    calls = []

    def wait(x):
        calls.append(time.sleep(0.6))
        return x

    inputs = keras.Input((4,))
    layer = keras.layers.Lambda(
        lambda x: tf.ensure_shape(tf.numpy_function(wait, [x], tf.float32), (None, 4)),
        output_shape=(4,),
    )
    model = keras.Model(inputs, layer(inputs))
    d = own_model.diagnose(model, candidates=[CALL], service=True, **{**QUICK, "budget": 1})
    assert (d.service.calls, d.service.callers, d.service.sweep) == ({}, [], {})
    for what in ("single calls", "1 caller at once", "other numbers of rows"):
        assert f"{what}: not measured, for lack of time" in repr(d)
    jsonschema.validate(json.loads(json.dumps(d.to_dict(), allow_nan=False)), SCHEMA)


def test_a_failing_part_leaves_the_others(monkeypatch):
    def fails(*_):
        raise RuntimeError("no more threads")

    monkeypatch.setattr(service, "call_at_once", fails)
    d = own_model.diagnose(lab.models.mlp(), candidates=[FUNCTION], service=True, **QUICK)
    assert d.service.callers == []
    assert d.service.sweep
    assert any("no more threads" in line for line in d.service.left_out)


def test_each_caller_of_litert_has_its_own_interpreter(monkeypatch):
    callers = []

    def keep_runs(runs, seconds):
        callers.append(list(runs))
        return call_at_once(runs, seconds)

    monkeypatch.setattr(service, "call_at_once", keep_runs)
    own_model.diagnose(lab.models.mlp(), candidates=[LITERT], service=True, **QUICK)
    assert [len(set(runs)) for runs in callers] == [1, 4, 16]


def test_fewer_bits_change_the_answers_visibly():
    files = [SmallerFile("int8", 10, 0.012, 16, spread(0.1))]
    d = with_service(smaller=files, full=spread(0.2), full_size=40)
    table = tables.smaller_table(d)
    assert table.cells[1] == [
        "LiteRT, int8",
        "10 bytes",
        "≈100 µs",
        "≈1.20 % of the largest value",
    ]
    assert "16 inputs" in table.notes[0]


# ---- two models ----


def test_two_models_are_compared_in_paired_rounds(saved):
    chosen = {"candidates": [FUNCTION], "budget": 8, "progress": False}
    found = own_model.compare_models(saved / "ok.keras", saved / "ok.h5", **chosen)
    assert found.same_input
    assert found.gap < 1e-6
    assert found.verdict in ("faster", "slower", "similar", "unclear")
    assert found.answers.startswith("Both give the same answer to this input")
    assert found.command == "python -m labkit own-model ok.keras ok.h5 --batch 1 --budget 8"
    jsonschema.validate(json.loads(json.dumps(found.to_dict(), allow_nan=False)), SCHEMA)
    assert "A: ok.keras" in repr(found) and "A: ok.keras" in found._repr_html_()
    assert "SHA-256 of B" in str(found.details)


def test_a_larger_model_is_slower():
    def wide(units):
        layers = [keras.layers.Dense(units) for _ in range(4)]
        return keras.Sequential([keras.Input((64,)), *layers], name=f"wide_{units}")

    chosen = {"candidates": [FUNCTION], "budget": 10, "progress": False}
    found = own_model.compare_models(wide(8), wide(4096), **chosen)
    assert found.verdict == "slower"
    assert found.sentences[0].startswith("B is slower than A: B through ")
    assert found.gap is None
    assert "different shapes" in found.answers
    assert found.command == ""


def test_other_answers_are_said():
    chosen = {"candidates": [CALL], "budget": 4, "progress": False}
    tf.random.set_seed(3)
    found = own_model.compare_models(lab.models.mlp(), _shifted(), **chosen)
    assert found.answers.startswith("They answer this input differently")
    assert found.gap > 0.01


def _shifted():
    model = lab.models.mlp()
    weights = model.get_weights()
    weights[-1] = weights[-1] + 5
    model.set_weights(weights)
    return model


def test_an_error_says_which_model(saved):
    with pytest.raises(BadModel, match="model B: there is no file or folder"):
        own_model.compare_models(
            saved / "ok.keras", "nowhere.keras", candidates=[CALL], budget=2, progress=False
        )


def test_what_was_not_tried_with_one_is_left_out_for_both():
    a = made_diagnosis({CALL: 2, FUNCTION: 1})
    b = made_diagnosis({CALL: 2, FUNCTION: 1, LITERT: 0.1})
    for result in a.ladder:
        if result.name == LITERT:
            result.state = SKIPPED
    rounds = Comparison({"A: m": [1e-3] * 64, "B: m": [1e-3] * 64}, "A: m")
    found = ModelComparison(a, b, rounds, same_input=True, answers="", gap=0.0, seconds=1.0)
    assert b.best == LITERT
    assert found.ways == (FUNCTION, FUNCTION)
    assert found.verdict == "similar"
    assert "Left out for both, as the time was too short: LiteRT." in found.sentences
