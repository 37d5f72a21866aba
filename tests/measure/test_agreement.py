"""Two results agree by value; where they do not, the first difference has a place and a name."""

import dataclasses
from collections import OrderedDict, namedtuple

import numpy as np
import pytest
import tensorflow as tf
from fakes import REPEATABLE
from hypothesis import given, settings
from hypothesis import strategies as st

import labkit as lab
from labkit.measure.agreement import Agreement, compare_results, first_difference

leaves = (
    st.floats(-1e6, 1e6) | st.integers() | st.text(max_size=4) | st.binary(max_size=3) | st.none()
)


def containers(inner):
    keys = st.text(max_size=2)
    return (
        st.lists(inner, max_size=3)
        | st.dictionaries(keys, inner, max_size=3)
        | st.tuples(inner, inner)
    )


nested = st.recursive(leaves | st.booleans(), containers)
Pair = namedtuple("Pair", "x y")


@dataclasses.dataclass
class Answer:
    """A result with fields, one of them hidden from its text."""

    label: str
    scores: object = dataclasses.field(repr=False, default=None)


class Thing:
    """An object that only equals itself, as far as anybody knows."""


@given(nested)
@settings(**REPEATABLE)
def test_everything_agrees_with_itself(value):
    assert compare_results(value, value) == Agreement()


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=8), st.data())
@settings(**REPEATABLE)
def test_the_first_changed_leaf_is_named(values, data):
    at = data.draw(st.integers(0, len(values) - 1))
    changed = list(values)
    changed[at] += 1.5 + abs(values[at])
    assert first_difference(changed, values).startswith(f"[{at}]: ")
    assert f"at [{at}]" in first_difference(np.array(changed), np.array(values))


@pytest.mark.parametrize(
    ("got", "wanted"),
    [
        (1.0, 1),
        (10**30, int("1" + 30 * "0")),
        ([2**70], [2**70]),
        ([1.0, 2.0], (1, 2)),
        (np.float32(0.1), 0.1),
        (np.array([1.0, 2.0], np.float32), np.array([1, 2])),
        ([1.0, 2.0], np.array([1.0, 2.0])),
        (np.array([1.0]), np.array([1.00005])),  # rounding of float32
        (np.array([np.nan, 1.0]), np.array([np.nan, 1.0])),
        ([float("nan"), 1.0], [float("nan"), 1.0]),
        (float("nan"), float("nan")),
        (float("inf"), float("inf")),
        (np.array(["a", "b"]), np.array(["a", "b"])),
        (np.array([True, False]), np.array([True, False])),
        (np.array(["2026-01-01"], "datetime64[D]"), np.array(["2026-01-01"], "datetime64[D]")),
        (np.zeros(2, "V8"), np.zeros(2, "V8")),
        (np.array([1, "a", None], object), np.array([1.0, "a", None], object)),
        ({"b": 2, "a": 1}, OrderedDict(a=1, b=2)),
        (Pair(1, 2), Pair(1, 2)),
        (Answer("cat", np.array([0.5])), Answer("cat", [0.5])),
        ({1, 2}, frozenset([2, 1])),
        (np.zeros((0, 3)), np.zeros((0, 3))),
        ([], ()),
        (b"x", b"x"),
        ("é", "é".encode()),  # TensorFlow returns bytes for what it was given as text
        (None, None),
    ],
)
def test_what_is_the_same_by_value_agrees(got, wanted):
    assert compare_results(got, wanted) == Agreement()


def test_tensors_of_every_kind_agree_with_themselves():
    for made in (
        lambda: tf.constant([1.0, 2.0]),
        lambda: tf.Variable([1.0, 2.0]),
        lambda: tf.constant("text"),
        lambda: tf.constant(["a", "b"]),
        lambda: tf.cast([1.0, 2.0], tf.bfloat16),
        lambda: tf.constant([1 + 2j]),
        lambda: tf.ragged.constant([[1.0, 2.0], [3.0]]),
        lambda: tf.ragged.constant([["a"], ["b", "c"]]),
        lambda: tf.sparse.from_dense([[0.0, 1.0]]),
        lambda: tf.IndexedSlices(tf.constant([1.0]), tf.constant([0])),
    ):
        assert compare_results(made(), made()) == Agreement()
    assert compare_results(tf.cast([1.0], tf.bfloat16), tf.constant([1.0])) == Agreement()
    assert compare_results(tf.constant(["a"]), np.array(["a"])) == Agreement()


def in_every_form(text):
    """Return a text as Python, NumPy and TensorFlow hold it."""
    forms = [
        text,
        text.encode(),
        np.str_(text),
        np.array(text, object),
        np.array(text.encode(), object),
        tf.constant(text),
        tf.Variable(text),
    ]
    if not text.endswith("\0"):  # NumPy's own arrays of text lose it
        forms += [np.array(text), np.array(text.encode())]
    return forms


@settings(max_examples=40, **REPEATABLE)
@given(st.text(max_size=3), st.text(max_size=3))
def test_the_same_text_agrees_in_every_form_and_another_one_in_none(text, other):
    for got in in_every_form(text):
        for wanted in in_every_form(text):
            assert compare_results(got, wanted) == Agreement()
            assert compare_results([got], {"0": wanted}).difference
        if other != text:
            for wanted in in_every_form(other):
                assert " instead of " in compare_results(got, wanted).difference


@settings(max_examples=40, **REPEATABLE)
@given(st.lists(st.text(max_size=2), min_size=1, max_size=3))
def test_lists_and_arrays_of_text_agree(texts):
    tensor = tf.constant(texts)
    encoded = [text.encode() for text in texts]
    for got in (texts, encoded, tensor):
        assert compare_results(got, tensor) == Agreement()
        assert compare_results(tensor, got) == Agreement()
        other = [*texts[:-1], texts[-1] + "\0"]
        assert compare_results(tf.constant(other), got).difference
        assert compare_results(got, other).difference
    assert compare_results(np.array(["a", "b"]), np.array([b"a", b"b"])) == Agreement()


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
        (np.array([1.0, np.nan]), np.array([np.nan, 1.0]), "1.0 instead of nan at [0]"),
        (None, 1, "None instead of 1"),
        ("a", "b", "'a' instead of 'b'"),
        (b"a", b"b", "b'a' instead of b'b'"),
        ("1", 1, "'1' instead of 1"),
        (["a", "b"], ["a", "c"], "[1]: 'b' instead of 'c'"),
        (np.array(["a"]), np.array(["b"]), "a instead of b at [0]"),
        (np.array([[1, "a"]], object), np.array([[1, "b"]], object), "[0][1]: 'a' instead of 'b'"),
        (
            np.array([[1.0], None], object),
            np.array([[2.0], None], object),
            "[0][0]: 1.0 instead of 2.0",
        ),
        ({1, 2}, {2, 3}, "{1, 2} instead of {2, 3}"),
        ({1}, [1], "{1} instead of a list"),
        (Pair(1, 2), Pair(1, 3), "[1]: 2 instead of 3"),
        (Answer("cat"), Answer("dog"), "['label']: 'cat' instead of 'dog'"),
        (Answer("cat", [0.5, 0.5]), Answer("cat", [0.5, 0.4]), "['scores'][1]: 0.5 instead of 0.4"),
        ([np.zeros(2)], [np.ones(2)], "[0]: 0.0 instead of 1.0 at [0]"),
        ([{"a": (1, "x")}], [{"a": (1, "y")}], "[0]['a'][1]: 'x' instead of 'y'"),
        (True, False, "True instead of False"),
        (Thing(), 1.0, "a Thing instead of 1.0"),
    ],
)
def test_what_differs_is_said_in_words(got, wanted, words):
    assert compare_results(got, wanted) == Agreement(words)
    assert first_difference(got, wanted) == words


def test_tensors_that_differ_are_told_apart():
    cases = [
        (tf.constant("a"), tf.constant("b"), "b'a' instead of b'b'"),
        (tf.constant(["a", "b"]), tf.constant(["a", "c"]), "[1]: b'b' instead of b'c'"),
        (
            tf.cast([1.0, 2.0], tf.bfloat16),
            tf.cast([1.0, 3.0], tf.bfloat16),
            "2.0 instead of 3.0 at [1]",
        ),
        (tf.constant([1 + 1j]), tf.constant([1 + 2j]), "(1+1j) instead of (1+2j) at [0]"),
        (
            tf.ragged.constant([[1.0], [2.0]]),
            tf.ragged.constant([[1.0, 2.0]]),
            "2 items instead of 1",
        ),
        (
            tf.ragged.constant([[1.0, 2.0], [3.0]]),  # the same numbers in other rows
            tf.ragged.constant([[1.0], [2.0, 3.0]]),
            "[0]: 2 items instead of 1",
        ),
        (
            tf.sparse.from_dense([[0.0, 1.0]]),  # the same number in another place
            tf.sparse.from_dense([[1.0, 0.0]]),
            "['indices']: 1 instead of 0 at [0, 1]",
        ),
        (
            tf.sparse.from_dense([[0.0, 1.0]]),
            tf.sparse.from_dense([[0.0, 2.0]]),
            "['values']: 1.0 instead of 2.0 at [0]",
        ),
    ]
    for got, wanted, words in cases:
        assert compare_results(got, wanted) == Agreement(words)


@pytest.mark.parametrize(
    "put",
    [
        lambda p: p,
        lambda p: np.float32(p),
        lambda p: [p],
        lambda p: np.array([p]),
        lambda p: [0.9, p],
        lambda p: np.array([0.9, p]),
        lambda p: np.array([0.9, p], np.float32),
        lambda p: {"probability": [0.9, p]},
        lambda p: Pair(0.9, p),
        lambda p: np.append(np.full(999, 1e-3), p),
    ],
)
def test_small_probabilities_are_told_apart(put):
    """With the absolute tolerance of allclose, 1e-8 or 1e-5, any small probability would do."""
    assert compare_results(put(1e-6), put(9e-6)).difference
    assert compare_results(put(1e-6), put(1e-6 * (1 + 1e-6))) == Agreement()


def test_the_rounding_of_a_hundred_layers_of_float32_agrees():
    rng = np.random.default_rng(1)
    wanted = rng.standard_normal((64, 10)).astype(np.float32)
    wanted[3, 4] = 2e-7  # nearly cancelled: its relative error may be anything
    got = wanted + rng.uniform(-1e-6, 1e-6, wanted.shape).astype(np.float32)
    assert compare_results(got, wanted) == Agreement()
    assert compare_results(got.tolist(), wanted.tolist()) == Agreement()
    assert compare_results(got + 1e-3, wanted).difference


@pytest.mark.parametrize("whole", [int, np.int64, lambda n: [n], lambda n: np.array([7, n])])
def test_whole_numbers_are_not_rounded(whole):
    """An index of 20,001 would lie within the relative tolerance of 20,000."""
    assert compare_results(whole(20_000), whole(20_001)).difference
    assert compare_results(whole(20_000), whole(20_000)) == Agreement()


def test_tolerances_given_are_kept():
    assert first_difference(np.array([1.0]), np.array([1.001])) is not None
    assert first_difference(np.array([1.0]), np.array([1.001]), rtol=1e-2) is None
    assert first_difference([1.0], [1.001], rtol=0, atol=0.01) is None
    assert first_difference([1.0], [1.001], rtol=0, atol=1e-4) == "[0]: 1.0 instead of 1.001"
    assert first_difference([5.0], [4.0], atol=0.5) is not None


def test_where_zero_is_expected_only_next_to_nothing_agrees():
    assert compare_results([5e-8, 0.0], [0.0, 0.0]) == Agreement()
    assert compare_results([1e-6, 0.0], [0.0, 0.0]).difference
    assert compare_results(np.float64(1e-6), 0.0).difference
    assert compare_results([1e-6, 1.0], [0.0, 1.0]) == Agreement()  # rounding, beside a 1


def a_generator():
    yield 1


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (a_generator, "a generator"),
        (lambda: iter([1]), "a list_iterator"),
        (Thing, "a Thing"),
        (lambda: lambda: 1, "a function"),
        (lambda: [1.0, Thing()], "[1]: a Thing"),
        (lambda: {"a": Thing(), "b": 1.0}, "['a']: a Thing"),
        (lambda: Answer("cat", Thing()), "['scores']: a Thing"),
        (lambda: np.array([1, Thing()], object), "[1]: a Thing"),
        (lambda: tf.data.Dataset.range(3), "a _RangeDataset"),
    ],
)
def test_what_cannot_be_compared_is_said_and_is_no_agreement(made, words):
    assert compare_results(made(), made()) == Agreement(not_compared=words)
    assert first_difference(made(), made()) == f"{words} cannot be compared"


def test_an_object_agrees_with_itself():
    thing = Thing()
    assert compare_results([thing], [thing]) == Agreement()


def test_a_difference_beats_what_cannot_be_compared():
    found = compare_results([Thing(), 1.0], [Thing(), 2.0])
    assert found == Agreement("[1]: 1.0 instead of 2.0")


def test_what_refuses_to_become_an_array_is_not_compared():
    class Refuses:
        def __array__(self, *_, **__):
            raise RuntimeError("no array")

    assert compare_results(Refuses(), Refuses()).not_compared == "a Refuses"
    assert compare_results(Refuses(), 1.0).difference == "a Refuses instead of 1.0"


def test_the_table_of_a_comparison_says_what_was_not_compared(clock):
    result = lab.compare(a=clock.candidate(1e-3), b=clock.candidate(1e-3))
    assert result.checked and "; the results agree" in repr(result)

    def returns_a_thing():
        clock.work(1e-3)
        return Thing()

    result = lab.compare(a=returns_a_thing, b=returns_a_thing)
    assert not result.checked
    assert "; results not compared: a Thing" in repr(result)
    assert "agree" not in repr(result)
