"""Candidates are prepared within the budget, and rejected where their answer differs."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from own_model_helpers import QUICK, fake_case

import labkit as lab
from labkit import own_model
from labkit.own_model import BadModel, answers, candidates, prepare, reasons
from labkit.own_model.candidates import (
    CALL,
    CANDIDATES,
    CONCRETE,
    FUNCTION,
    IN_TENSORFLOW,
    LITERT,
    ORT,
    PREDICT,
    XLA,
)
from labkit.own_model.loading import load
from labkit.own_model.time_budget import TimeBudget

ANSWER = [np.ones((1, 2), "float32")]


@pytest.fixture
def fakes(monkeypatch, clock):
    """Candidates that take 1 s to prepare and 1 ms for a call, and tell which were prepared."""
    prepared = []

    def maker(name):
        def make(case):
            prepared.append(name)
            return clock.candidate(1e-3, first=1.0, result=ANSWER)

        return make

    for name in CANDIDATES:
        monkeypatch.setitem(candidates._PREPARE, name, maker(name))
    monkeypatch.setattr(candidates, "missing_for_ort", list)
    return prepared


def prepare_all(budget, chosen=CANDIDATES):
    return prepare.prepare_all(fake_case(ANSWER), TimeBudget(budget), show=False, chosen=chosen)


# ---- the budget ----


def test_with_enough_time_all_candidates_are_prepared(fakes):
    results = prepare_all(budget=1000).results
    assert [result.name for result in results] == list(CANDIDATES)
    assert {result.state for result in results} == {prepare.MEASURED}
    for result in results:
        assert result.first_call == pytest.approx(1.0, rel=1e-3)
        assert result.estimate == pytest.approx(1e-3, rel=1e-3)
        assert result.python_calls > 0
        assert result.gap == 0


def test_what_would_not_fit_into_the_budget_is_not_begun(fakes, clock):
    results = prepare_all(budget=10).results
    states = {result.name: result.state for result in results}
    assert states[CALL] == states[FUNCTION] == states[CONCRETE] == prepare.MEASURED
    assert states[LITERT] == states[XLA] == states[ORT] == prepare.SKIPPED
    assert not {LITERT, XLA, ORT} & set(fakes)
    assert clock.now < 6.1  # the share of the budget for preparing
    needs = {result.name: result.needs for result in results if result.state == prepare.SKIPPED}
    # In the order in which they would be prepared, each with those before it: 15, 8 and 20 traces.
    assert 10 < needs[LITERT] < needs[XLA] < needs[ORT]
    skipped = next(result for result in results if result.name == LITERT)
    assert skipped.why == "the time budget of 10 s is too short for it; give about 40 s"
    longer = prepare_all(budget=1.2 * prepare.round_seconds(needs[ORT])).results
    assert prepare.SKIPPED not in {result.state for result in longer}


@pytest.mark.parametrize(("budget", "times"), [(60, 5), (5, 2), (3, 1)])
def test_slow_models_are_called_less_often(clock, monkeypatch, budget, times):
    calls = []
    slow = clock.candidate(2.0, tell=lambda: calls.append(1), result=ANSWER)
    monkeypatch.setitem(candidates._PREPARE, CALL, lambda case: slow)
    prepare.prepare_all(fake_case(ANSWER), TimeBudget(budget), show=False, chosen=[])
    assert len(calls) <= times
    assert clock.now < 1.5 * budget


def test_a_model_with_many_weights_takes_a_converter_longer(fakes, monkeypatch):
    monkeypatch.setattr("labkit.own_model.loading.LoadedModel.parameters", 1_000_000_000)
    results = prepare_all(budget=1000).results
    skipped = [result.name for result in results if result.state == prepare.SKIPPED]
    assert skipped == [LITERT, ORT]


def test_left_out_candidates_are_not_prepared_and_the_direct_call_always_is(fakes):
    results = prepare_all(budget=1000, chosen=[FUNCTION]).results
    left_out = [result.name for result in results if result.state == prepare.LEFT_OUT]
    assert left_out == [name for name in CANDIDATES if name not in (CALL, FUNCTION)]
    assert set(fakes) == {CALL, FUNCTION}


def test_missing_packages_are_named_whatever_the_budget(fakes, monkeypatch):
    monkeypatch.setattr(candidates, "missing_for_ort", lambda: ["onnxruntime", "tf2onnx"])
    monkeypatch.setitem(candidates._PREPARE, ORT, candidates._ort)
    results = prepare_all(budget=1).results
    assert results[-1].state == prepare.NOT_INSTALLED
    assert results[-1].why == "pip install onnxruntime tf2onnx adds this candidate"


def test_a_slow_candidate_is_called_once_and_not_counted(clock):
    calls = []
    run = clock.candidate(10.0, tell=lambda: calls.append(1))
    assert prepare.estimated_seconds(run, TimeBudget(60)) == pytest.approx(10)
    assert len(calls) == 1
    quick = clock.candidate(0.01, tell=lambda: calls.append(1))
    prepare.estimated_seconds(quick, TimeBudget(60))
    assert len(calls) == 1 + 3


# ---- answers ----


def replace_candidate(monkeypatch, name, make):
    monkeypatch.setitem(candidates._PREPARE, name, make)


def test_a_candidate_with_a_different_result_is_neither_measured_nor_recommended(monkeypatch):
    def wrong(case):
        return lambda: [candidates.numpy_of(case.loaded.call(case.x))[0] + 1]

    replace_candidate(monkeypatch, LITERT, wrong)
    d = own_model.diagnose(lab.models.mlp(), candidates=[FUNCTION, LITERT], **QUICK)
    assert d.refused[LITERT].startswith("different result: its answer differs")
    assert LITERT not in d.medians
    assert "Do not use LiteRT: it gives a different answer." in [a.text for a in d.advice]
    assert d.best != LITERT


def test_a_converter_that_fails_stops_nothing(monkeypatch):
    def fails(case):
        raise RuntimeError("'tf.StringLower' op is neither a custom op nor a flex op\n" * 50)

    replace_candidate(monkeypatch, LITERT, fails)
    replace_candidate(monkeypatch, XLA, lambda case: 1 / 0)
    chosen = [FUNCTION, XLA, LITERT]
    d = own_model.diagnose(lab.models.mlp(), candidates=chosen, **QUICK)
    assert (
        d.refused[LITERT] == "failed: LiteRT has no operation StringLower for inputs of these types"
    )
    assert d.refused[XLA] == "failed: ZeroDivisionError: division by zero"
    assert FUNCTION in d.medians
    assert sum(a.about == "refused" for a in d.advice) == 2


def test_a_model_that_cannot_answer_becomes_one_sentence():
    class Fails(keras.Model):
        def call(self, x, training=False):
            raise ValueError("no such thing")

    with pytest.raises(BadModel) as refused:
        own_model.diagnose(Fails(), shape=(3,), **QUICK)
    assert str(refused.value) == (
        "fails cannot answer random numbers: ValueError: no such thing;"
        " give a sample, as a .npy or .npz file"
    )
    with pytest.raises(BadModel, match=r"cannot answer the sample: .*; give another sample"):
        own_model.diagnose(Fails(), sample=np.ones((1, 3)), **QUICK)


def test_a_length_that_was_chosen_and_is_too_short_is_said():
    series = keras.Sequential([keras.Input((None, 4)), layers.Cropping1D(50)])
    with pytest.raises(BadModel) as refused:
        own_model.diagnose(series, **QUICK)
    text = str(refused.value)
    assert "must be smaller than the input length" in text
    assert "Exception encountered" not in text
    assert text.endswith(
        "the size 32 was chosen because the model leaves it open: try a larger one, such as"
        " --shape 1024,4"
    )


@pytest.mark.parametrize("in_graph", [False, True], ids=["always", "in a graph only"])
def test_a_model_that_ends_the_program_does_not_end_this_one(in_graph):
    class Exits(keras.Model):
        def call(self, x, training=False):
            if in_graph and tf.executing_eagerly():
                return x * 2
            raise SystemExit(3)

    reason = "code of the model ended the program, with sys.exit(3)"
    if in_graph:
        d = own_model.diagnose(Exits(), shape=(3,), candidates=[FUNCTION, XLA], **QUICK)
        assert d.refused[FUNCTION] == d.refused[XLA] == f"failed: {reason}"
        assert f"{FUNCTION}, {XLA}: failed: {reason}" in repr(d.table)
        return
    with pytest.raises(BadModel, match=r"exits cannot be measured: code of the model ended"):
        own_model.diagnose(Exits(), shape=(3,), **QUICK)


def test_answers_that_are_no_numbers_are_named():
    class Log(layers.Layer):
        def call(self, x):
            return tf.math.log(x - 2.0)

    model = keras.Sequential([keras.Input((4,)), Log()])
    d = own_model.diagnose(model, candidates=[FUNCTION], **QUICK)
    note = "in the answer of the model, all numbers are NaN: check the input"
    assert note in d.conditions and note in d.facts.values()
    assert note in repr(d)


@pytest.mark.parametrize(
    ("got", "expected", "problem"),
    [
        ([1.0, 2.0], [1.0, 2.0], None),
        ([1.0005, 2.0], [1.0, 2.0], None),  # within the tolerance of the largest value
        ([1.1, 2.0], [1.0, 2.0], "1.1"),
        ([math.nan], [math.nan], None),
        ([math.nan], [1.0], "nan"),
        (["a"], ["a"], None),
        (["a"], ["b"], "a"),
    ],
)
def test_answers_may_differ_by_rounding(got, expected, problem):
    found = answers.difference([np.array(got)], [np.array(expected)])
    assert (found is None) == (problem is None)
    assert problem is None or problem in found


@pytest.mark.parametrize(("dtype", "steps"), [("float16", 4), ("bfloat16", 4)])
def test_shorter_floats_have_more_rounding(dtype, steps):
    one = np.array([1.0]).astype(tf.as_dtype(dtype).as_numpy_dtype)
    spacing = 2**-10 if dtype == "float16" else 2**-7
    near = (one + steps * spacing).astype(one.dtype)
    far = (one + 2 * steps * spacing).astype(one.dtype)
    assert answers.difference([near], [one]) is None
    assert answers.difference([far], [one]) is not None
    assert answers.largest_gap([near], [one]) == pytest.approx(steps * spacing)


def test_the_number_of_outputs_is_part_of_the_answer():
    one = [np.zeros(2)]
    assert answers.difference(one * 2, one) == "2 outputs instead of 1"
    assert answers.difference([np.zeros(2), np.ones(2)], one * 2).startswith("output 1: ")


def test_the_gap_is_a_share_of_the_largest_value():
    assert answers.largest_gap([np.array([9.9])], [np.array([10.0])]) == pytest.approx(0.01)
    assert answers.largest_gap([np.array([1])], [np.array([2])]) == 0  # integers have no rounding
    assert answers.largest_gap([np.array([math.nan])], [np.array([1.0])]) == 0


# ---- what a model remembers ----


@pytest.mark.parametrize("wrapped", [False, True], ids=["alone", "in Bidirectional"])
def test_each_candidate_starts_from_the_same_state(wrapped):
    memory = layers.LSTM(5, stateful=True)
    x = keras.Input((6, 3), batch_size=2)
    answer = layers.Bidirectional(memory)(x) if wrapped else memory(x)
    loaded = load(keras.Model(x, answer))
    rows = np.ones((2, 6, 3), "float32")
    state = answers.ModelState(loaded, lambda: candidates.numpy_of(loaded.call(rows)))
    assert len(state.changed) == (4 if wrapped else 2)
    assert not state.random
    for _ in range(2):
        again = candidates.numpy_of(loaded.call(rows))
        assert answers.difference(again, state.answer) is None
        state.reset()


def test_a_candidate_that_does_not_remember_is_rejected(monkeypatch):
    def forgets(case):
        first = candidates.numpy_of(case.loaded.call(case.x))
        return lambda: first

    replace_candidate(monkeypatch, ORT, forgets)
    monkeypatch.setattr(candidates, "missing_for_ort", list)
    x = keras.Input((6, 3), batch_size=2)
    model = keras.Model(x, layers.LSTM(5, stateful=True)(x))
    d = own_model.diagnose(model, candidates=[FUNCTION, ORT], **QUICK)
    assert "its second answer differs, as it does not remember" in d.refused[ORT]
    assert FUNCTION in d.medians
    assert d.states == 2


def test_a_model_that_answers_at_random_is_told_from_one_that_remembers():
    results = iter(range(10))
    state = answers.ModelState(fake_case().loaded, lambda: [np.array([float(next(results))])])
    assert state.random
    assert not state.changed


# ---- reasons ----


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        (XLA, "(No registered 'Where' OpKernel for XLA_CPU_JIT", "the operation Where"),
        (XLA, "unsupported operations: {{node a/Foo_1}} {{node Bar}}", "operations Bar, Foo"),
        (XLA, "must be a compile-time constant", "must know each shape"),
        (LITERT, "was passed float from AssignVariableOp", "changes its own variables"),
        (LITERT, "unresolved custom op: FlexFoo", "no operation FlexFoo"),
        (
            ORT,
            'In Node, ("a/b", LookupTableFindV2, "", -1)',
            "ONNX has no operation LookupTableFindV2",
        ),
        (ORT, "FAIL : Type Error: Type parameter (T) of Optype", "mixes data types"),
        (
            LITERT,
            "<frozen runpy>:198:1: error: 'tf.TensorListReserve' op requires element_dtype to be",
            "does not convert the operation TensorListReserve as this model uses it",
        ),
        (LITERT, "failed to allocate memory for 1 GB", "not have enough memory"),
        (FUNCTION, "(No registered 'Where' OpKernel", "RuntimeError: (No registered"),
    ],
)
def test_a_page_of_a_converter_becomes_a_sentence(name, text, words):
    assert words in reasons.why(name, RuntimeError(text))


def test_a_candidate_that_cannot_be_used_says_why_itself():
    assert reasons.why(PREDICT, candidates.NotSupported("no")) == "no"
    assert ORT not in IN_TENSORFLOW
    assert set(IN_TENSORFLOW) < set(CANDIDATES)
