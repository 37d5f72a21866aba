"""What a model takes: samples in any form, shapes and dtypes as text, and inputs made from them."""

import math
import os
import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from benchmarks.own_models import HAND_MADE
from keras import layers
from own_model_helpers import QUICK, is_sentence

from labkit import own_model
from labkit.own_model import BadModel, cases, samples
from labkit.own_model.loading import load


def test_a_sample_may_be_an_array_a_list_or_a_file(saved, tmp_path):
    np.save(tmp_path / "s.npy", np.zeros((3, 10)))
    np.savez(tmp_path / "s.npz", anything=np.zeros((3, 10)))
    loaded = load(saved / "ok.keras")
    zeros = np.zeros((2, 10))
    files = [tmp_path / "s.npy", str(tmp_path / "s.npz")]
    for sample in [zeros, [zeros], [[0.0] * 10], {"any name": zeros}, *files]:
        given = samples.arranged(samples.read(sample), loaded.spec)
        assert samples.resized(given, 5).shape == (5, 10)
        assert given.dtype == np.float32


@pytest.mark.parametrize("wanted", ["by name", "in order"])
def test_several_inputs_come_by_name_or_in_order(wanted):
    first = np.full((2, 4), 1.0)
    second = np.full((2, 6), 2.0)
    given = {"second": second, "first": first} if wanted == "by name" else [first, second]
    loaded = load(HAND_MADE["two inputs, two outputs"]())
    arranged = samples.arranged(given, loaded.spec)
    assert [array.shape for array in arranged] == [(2, 4), (2, 6)]


def test_a_dict_of_lists_fits_a_model_with_named_inputs():
    loaded = load(HAND_MADE["dict inputs and outputs"]())
    given = samples.arranged({"first": [[1.0] * 4], "second": [[2.0] * 6]}, loaded.spec)
    assert {name: array.shape for name, array in given.items()} == {
        "first": (1, 4),
        "second": (1, 6),
    }


def test_inputs_inside_inputs_go_by_the_names_of_the_tensors():
    a, b = keras.Input((2,), name="a"), keras.Input((3,), name="b")
    both = layers.Concatenate()([a, b])
    loaded = load(keras.Model({"inner": {"a": a, "b": b}}, both))
    given = samples.arranged({"a": np.zeros((1, 2)), "b": np.zeros((1, 3))}, loaded.spec)
    assert loaded.call(given).shape == (1, 5)


@pytest.mark.parametrize("sample", [[[0.0] * 4] * 2, np.zeros((2, 4))])
def test_a_model_that_does_not_say_what_it_takes_takes_what_the_sample_is(sample):
    loaded = load(keras.Sequential([layers.Dense(2)]))
    given = samples.arranged(sample, loaded.spec)
    spec = samples.signature(loaded, given=given)
    assert spec.shape.as_list() == [None, 4]
    assert cases.case_for(loaded, spec, given, 3).x.shape == (3, 4)


def test_a_model_that_does_not_say_what_it_takes_asks_for_it():
    model = keras.Sequential([layers.Dense(2)])
    with pytest.raises(BadModel, match="give a sample, or the shape of one row"):
        own_model.diagnose(model, **QUICK)
    with pytest.raises(BadModel, match="first axis must be the batch"):
        own_model.diagnose(model, sample=np.float32(3), **QUICK)
    fact = ["input", "the model does not say: give a sample, or shape and dtype"]
    assert own_model.inspect(model).cells[1] == fact
    spec = samples.signature(load(model), shape=(4,))
    assert (spec.shape.as_list(), spec.dtype) == ([None, 4], tf.float32)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"sample": np.zeros((2, 7))}, "has the shape (10,), without the batch; got (7,)"),
        ({"sample": np.float32(3)}, "first axis must be the batch"),
        ({"sample": np.zeros((0, 10))}, "first axis must be the batch"),
        ({"sample": np.array([["a"] * 10])}, "cannot be made float32"),
        ({"sample": np.ones((1, 10)) * 1j}, "is complex, and the input takes float32"),
        ({"sample": "none.tfrecord"}, "no sample file none.tfrecord"),
        ({"sample": "none.npy"}, "no sample file none.npy"),
        ({"sample": "x.txt"}, "numpy.save"),
        ({"shape": "3"}, "has the shape (10,)"),
        ({"shape": (10, 1)}, "has the shape (10,)"),
        ({"shape": "a,b"}, "a shape is written"),
        ({"shape": "foo=3"}, "no input 'foo'"),
        ({"dtype": "foo=int32"}, "no input 'foo'"),
        ({"dtype": "floaty"}, "no dtype 'floaty'"),
        ({"dtype": "int32"}, "is float32, not int32"),
        ({"batches": [0]}, "whole numbers from 1 on"),
        ({"batches": [True]}, "whole numbers from 1 on"),
        ({"batches": "x"}, "whole numbers from 1 on"),
        ({"batches": []}, "whole numbers from 1 on"),
        ({"batches": None}, "whole numbers from 1 on"),
        ({"budget": 0}, "from 1 to 3600"),
        ({"budget": "long"}, "from 1 to 3600"),
        ({"candidates": ["XLA", "ABC"]}, "no candidate 'ABC'"),
        ({"report_to": "no/such/folder/r.html"}, "there is no folder"),
        ({"report_to": "."}, "would replace a folder"),
    ],
)
def test_a_wrong_input_becomes_one_sentence(saved, options, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadModel, match=re.escape(words)) as raised:
        own_model.diagnose(saved / "ok.keras", **{**QUICK, **options})
    assert is_sentence(str(raised.value))
    assert os.listdir(tmp_path) == []  # nothing half-made is left


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.7, "holds 0.7, and the input takes uint8: give whole numbers"),
        (math.nan, "holds nan, and the input takes uint8"),
        (300, "holds 300, and uint8 goes from 0 to 255"),
        (-1.0, "holds -1, and uint8 goes from 0 to 255"),
    ],
)
def test_a_sample_that_an_input_of_integers_would_change_is_refused(value, words):
    loaded = load(HAND_MADE["bytes"]())
    whole = np.full((1, 12, 12, 3), 7.0)
    assert samples.given_to(loaded, whole).dtype == np.uint8
    whole[0, 3, 3, 1] = value
    with pytest.raises(BadModel, match=re.escape(words)):
        samples.given_to(loaded, whole)


def test_numbers_of_a_sample_that_are_none_are_named():
    loaded = load(keras.Sequential([keras.Input((4,)), layers.Dense(2)]))
    samples.given_to(loaded, np.ones((2, 4)))
    assert loaded.notes == []
    samples.given_to(loaded, np.array([[1, math.nan, math.inf, -math.inf]]))
    assert loaded.notes == ["in the sample, 1 of 4 numbers is NaN and 2 infinite"]
    samples.given_to(loaded, np.full((2, 4), math.nan))
    assert loaded.notes[1] == "in the sample, all numbers are NaN"
    samples.given_to(loaded, np.full((2, 4), 1e300))  # too large for float32
    assert loaded.notes[2] == "in the sample, all numbers are infinite"


def test_a_large_input_repeats_what_was_drawn(monkeypatch):
    monkeypatch.setattr(samples, "_MOST_RANDOM", 8)
    spec = tf.TensorSpec((None, 3), tf.float32)
    x = samples.make(spec, 5)
    assert x.shape == (5, 3) and x.dtype == np.float32
    assert len(np.unique(x)) == 8
    assert x.ravel()[8:].tolist() == x.ravel()[:7].tolist()


def test_a_sample_with_a_missing_input_names_it():
    loaded = load(HAND_MADE["two inputs, two outputs"]())
    with pytest.raises(BadModel, match="no 'second'; the model takes first, second"):
        samples.arranged({"first": np.zeros((1, 4)), "third": 0}, loaded.spec)
    with pytest.raises(BadModel, match="must hold 2 arrays: first, second"):
        samples.arranged([np.zeros((1, 4))], loaded.spec)


def test_a_shape_without_a_name_needs_a_single_input():
    loaded = load(HAND_MADE["two inputs, two outputs"]())
    with pytest.raises(BadModel, match="give each shape by its name, first, second"):
        samples.signature(loaded, shape=(4,))


def test_a_shape_may_be_text():
    loaded = load(HAND_MADE["any picture size"]())
    assert samples.signature(loaded, shape="8,9,3").shape.as_list() == [None, 8, 9, 3]
    assert samples.signature(loaded, shape="(8, 9, 3)").shape.as_list() == [None, 8, 9, 3]
    assert not loaded.notes
    assert samples.signature(loaded).shape.as_list() == [None, 64, 64, 3]
    assert "measured with 64" in loaded.notes[0]
    two = load(HAND_MADE["two inputs, two outputs"]())
    specs = samples.signature(two, shape="first=4; second=6", dtype="first = float32")
    assert [spec.shape.as_list() for spec in specs] == [[None, 4], [None, 6]]


def test_more_rows_than_memory_holds_are_refused():
    model = keras.Sequential([keras.Input((1000, 1000, 1)), layers.Flatten()])
    with pytest.raises(BadModel, match="take 373 GiB"):
        own_model.diagnose(model, batches=[100_000], budget=5)


def test_a_fixed_batch_is_the_only_one_that_is_measured():
    loaded = load(HAND_MADE["fixed batch"]())
    assert cases.possible_sizes(loaded, loaded.spec, [1, 32]) == [4]
    assert loaded.notes == ["the model fixes 4 rows per call: measured with that size only"]
    again = load(HAND_MADE["fixed batch"]())
    assert cases.possible_sizes(again, again.spec, [4]) == [4]
    assert not again.notes


def test_integers_stay_below_the_smallest_embedding():
    assert samples.limit_of(load(HAND_MADE["integers"]())) == 50
    assert samples.limit_of(load(HAND_MADE["dropout and normalisation"]())) == 2
    x = samples.make(tf.TensorSpec((None, 400), tf.int32), 9, limit=50)
    assert x.shape == (9, 400)
    assert x.min() >= 0
    assert 40 < x.max() < 50


def test_random_inputs_have_the_dtype_of_the_model():
    words = samples.make(tf.TensorSpec((None, 1), tf.string), 3)
    assert set(words.numpy().ravel()) <= {word.encode() for word in samples.WORDS}
    truths = samples.make(tf.TensorSpec((None, 5), tf.bool), 3)
    assert truths.dtype == bool
    halves = samples.make(tf.TensorSpec((None, 5), tf.float16), 3)
    assert halves.dtype == np.float16
