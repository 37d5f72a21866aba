"""Two results agree by value, and where they do not, the first difference has a name."""

from collections import OrderedDict, namedtuple

import numpy as np
import pytest
from fakes import REPEATABLE
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.measure.agreement import first_difference

leaves = (
    st.floats(-1e6, 1e6)
    | st.integers(-1000, 1000)
    | st.text(max_size=4)
    | st.none()
    | st.booleans()
)
nested = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3)
    ),
)
Pair = namedtuple("Pair", "x y")


@given(nested)
@settings(**REPEATABLE)
def test_everything_agrees_with_itself(value):
    assert first_difference(value, value) is None


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=8), st.data())
@settings(**REPEATABLE)
def test_the_first_changed_leaf_is_named(values, data):
    at = data.draw(st.integers(0, len(values) - 1))
    changed = [*values[:at], values[at] + 1.5 + abs(values[at]), *values[at + 1 :]]
    assert first_difference(changed, values).startswith(f"[{at}]: ")
    assert f"at [{at}]" in first_difference(np.array(changed), np.array(values))


@pytest.mark.parametrize(
    ("got", "wanted"),
    [
        (1.0, 1),
        ([1.0, 2.0], (1, 2)),
        (np.float32(0.1), 0.1),
        (np.array([1.0, 2.0], np.float32), np.array([1, 2])),
        ([1.0, 2.0], np.array([1.0, 2.0])),
        (np.array([1.0]), np.array([1.00005])),  # rounding of float32
        (np.array([np.nan, 1.0]), np.array([np.nan, 1.0])),
        (float("nan"), float("nan")),
        (float("inf"), float("inf")),
        (np.array(["a", "b"]), np.array(["a", "b"])),
        (np.array([True, False]), np.array([True, False])),
        ({"b": 2, "a": 1}, OrderedDict(a=1, b=2)),
        (Pair(1, 2), Pair(1, 2)),
        (np.zeros((0, 3)), np.zeros((0, 3))),
        (b"x", b"x"),
        (None, None),
    ],
)
def test_what_is_the_same_by_value_agrees(got, wanted):
    assert first_difference(got, wanted) is None


@pytest.mark.parametrize(
    ("got", "wanted", "words"),
    [
        (1.0, 2.0, "1.0 instead of 2.0"),
        (float("nan"), 1.0, "nan instead of 1.0"),
        (float("-inf"), float("inf"), "-inf instead of inf"),
        ([1, 2], [1], "2 items instead of 1"),
        ([1, [2, 3]], [1, [2, 4]], "[1][1]: 3 instead of 4"),
        ({"a": {"b": [0]}}, {"a": {"b": [1]}}, "['a']['b'][0]: 0 instead of 1"),
        ({"a": 1}, {"b": 1}, "a dict with the keys ['a'] instead of a dict with the keys ['b']"),
        ([1], {"a": 1}, "a list instead of a dict with the keys ['a']"),
        (np.zeros((2, 3)), np.zeros((3, 2)), "shape (2, 3) instead of (3, 2)"),
        (np.zeros(3), np.zeros((1, 3)), "shape (3,) instead of (1, 3)"),
        (
            np.array([[1.0, 2.0], [3.0, 4.0]]),
            np.array([[1.0, 2.0], [3.0, 5.0]]),
            "4.0 instead of 5.0 at [1, 1]",
        ),
        (np.array([1.0, np.nan]), np.array([1.0, 2.0]), "nan instead of 2.0 at [1]"),
        (None, 1, "None instead of 1"),
        ("a", "b", "'a' instead of 'b'"),
        ("1", 1, "'1' instead of 1"),
        (np.array(["a"]), np.array(["b"]), "a instead of b at [0]"),
        ([np.zeros(2)], [np.ones(2)], "[0]: 0.0 instead of 1.0 at [0]"),
        (object(), 1.0, "a object instead of 1.0"),
    ],
)
def test_what_differs_is_said_in_words(got, wanted, words):
    assert first_difference(got, wanted) == words


def test_tolerances_are_those_of_allclose():
    assert first_difference(np.array([1.0]), np.array([1.001]), rtol=1e-2) is None
    assert first_difference(np.array([1.0]), np.array([1.001])) is not None
    assert first_difference(0.0, 1e-6) is None
    assert first_difference(0.0, 1e-6, atol=1e-9) is not None


def test_numbers_are_compared_without_numpy(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "numpy", None)
    assert first_difference([1.0, {"a": 2}], [1.0, {"a": 3}]) == "[1]['a']: 2 instead of 3"
