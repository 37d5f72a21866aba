"""Ladders of lesson 10: every rung is checked and counted, times are per call, pictures say what they show."""

import random

import pytest
from fakes import comparison

import labkit as lab
from labkit import own_model
from labkit.own_model import ladder
from labkit.own_model.ladder import Ladder

WAYS = {
    "slow": lambda model, x: lambda x: sum([model] * x),
    "fast": lambda model, x: lambda x: model * x,
}


def made(costs, floor):
    """Return a ladder with these costs per call."""
    rng = random.Random(1)
    samples = {
        name: [cost * rng.lognormvariate(0, 0.05) for _ in range(60)]
        for name, cost in costs.items()
    }
    first = {name: 50 * cost for name, cost in costs.items()}
    calls = {name: 10 * i for i, name in enumerate(costs, start=1)}
    return Ladder(samples, floor, first_call=first, seconds=1.0, python_calls=calls)


def test_a_rung_with_another_result_stops_the_climb():
    wrong = WAYS | {"wrong": lambda model, x: lambda x: model * x + 1}
    with pytest.raises(AssertionError, match="wrong and slow do not give the same result"):
        ladder.compare_candidates(wrong, 2, 100, baseline="fast", budget=0.02)


def test_each_rung_gets_as_many_calls_as_fill_a_sample_and_the_time_is_per_call(monkeypatch):
    calls = {"slow": 0, "fast": 0}
    now = [0.0]

    def way(name, seconds):
        def call(x):
            calls[name] += 1
            now[0] += seconds
            return x

        return lambda model, x: call

    monkeypatch.setattr(ladder.rounds, "clock", lambda: now[0])
    steps = ladder.compare_candidates(
        {"slow": way("slow", 0.01), "fast": way("fast", 1e-6)}, None, 1, baseline="fast", budget=2
    )
    assert steps.median["slow"].value == pytest.approx(0.01)
    assert steps.median["fast"].value == pytest.approx(1e-6)
    assert steps.ratio["slow"].value == pytest.approx(10_000, rel=1e-3)
    assert calls["fast"] > 50 * calls["slow"]


def test_the_first_answer_contains_the_making_and_python_calls_are_counted():
    steps = ladder.compare_candidates(WAYS, 2, 1000, baseline="fast", budget=0.02)
    assert set(steps.python_calls) == set(steps.first_call) == {"slow", "fast"}
    assert all(seconds > 0 for seconds in steps.first_call.values())
    assert "Python calls" in repr(steps)
    assert "the results agree" in repr(steps)


def test_the_picture_has_a_mark_per_rung_and_model_and_names_the_floor():
    two = {"small": made({"predict": 1e-2, "call": 1e-3, "floor": 1e-5}, "floor")}
    two["wide"] = made({"predict": 1e-2, "call": 2e-3, "floor": 1e-3}, "floor")
    picture = lab.plots.ladder(two)
    assert "small: floor ≈" in picture.caption
    assert "wide: floor ≈" in picture.caption
    labels = [label.get_text() for label in picture.figure.axes[0].get_yticklabels()]
    assert labels == ["floor (= 1)", "call", "predict"]
    assert (
        made({"predict": 1e-2, "floor": 1e-5}, "floor")
        .plot(guess=100)
        .caption.startswith("Time per call. floor ≈")
    )


def test_a_speed_is_work_by_time_and_its_share_comes_from_the_pairs():
    found = comparison({"peak": 1e-3, "model": 2e-3})
    table = found.speed_table(work=1e9, peak="peak")
    model = next(row for row in table.cells if row[0] == "model")
    assert model[2].startswith(("≈50", "≈49"))
    assert "GFLOP/s" in model[1]


def test_the_roof_is_the_lower_of_two_limits():
    text = lab.plots.roofline(100e9, 10e9, {"few": (1.0, 5e9), "many": (100.0, 50e9)}).caption
    assert (
        "few ≈5.00 GFLOP/s, ≈50.0 % of its roof" in text
    )  # one operation per byte: 10 GFLOP/s at most
    assert "many ≈50.0 GFLOP/s, ≈50.0 % of its roof" in text


def test_the_interpreter_is_ready_for_its_shape(tmp_path):
    import numpy as np

    lab.setup()
    model, row = lab.models.mlp(), lab.models.random_rows(1)
    model.export(tmp_path / "m.tflite", format="litert", verbose=False)
    ready = own_model.litert_interpreter((tmp_path / "m.tflite").read_bytes(), (1, 10))
    ready.set_tensor(ready.get_input_details()[0]["index"], row)
    ready.invoke()
    answer = ready.get_tensor(ready.get_output_details()[0]["index"])
    assert np.allclose(answer, model(row), atol=1e-6)
