"""Numbers and times as text: nbval sets aside each measured number as a whole."""

import re

import pytest
from fakes import PATTERNS, REPEATABLE
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.show.format import MARK, digits, duration, measured, measured_count, time_unit

MEASURED = re.compile(PATTERNS[0][0])
UNITS = ["", "ns", "µs", "ms", "s", "×", "%", "MiB", "rounds", "calls/s", "rows/s", "GFLOP/s"]
INFINITE = float("inf")
NOT_A_NUMBER = float("nan")
numbers = st.floats(-1e15, 1e15) | st.floats(-1, 1) | st.integers(-(10**12), 10**12)
intervals = st.none() | st.tuples(numbers, numbers | st.just(INFINITE))
intervals_of_time = st.none() | st.tuples(st.floats(0, 1e9), st.floats(0, 1e9))


def is_set_aside_whole(text):
    return MARK in text and MEASURED.fullmatch(text) is not None


@given(numbers, st.sampled_from(UNITS), intervals)
@settings(**REPEATABLE, max_examples=400)
def test_nbval_sets_aside_a_measured_number_as_a_whole(x, unit, interval):
    assert is_set_aside_whole(measured(x, unit, interval))


@given(st.floats(1e-12, 1e9), intervals_of_time)
@settings(**REPEATABLE, max_examples=400)
def test_nbval_sets_aside_a_measured_time_as_a_whole(seconds, interval):
    assert is_set_aside_whole(duration(seconds, interval))


@given(st.integers(0, 10**15))
@settings(**REPEATABLE)
def test_nbval_sets_aside_a_measured_count_as_a_whole(n):
    assert is_set_aside_whole(measured_count(n, "rounds"))


@given(st.floats(-1e300, 1e300) | st.sampled_from([INFINITE, -INFINITE, NOT_A_NUMBER]))
@settings(**REPEATABLE, max_examples=500)
def test_digits_have_no_exponent(x):
    assert re.fullmatch(r"-?\d[\d,]*(\.\d+)?|\?", digits(x))


@given(st.floats(1e-6, 1e12))
@settings(**REPEATABLE, max_examples=400)
def test_three_significant_digits_are_shown(x):
    shown = digits(x).replace(",", "")
    assert float(shown) == pytest.approx(x, rel=0.00501)
    significant = shown.replace(".", "").strip("0")
    assert 1 <= len(significant) <= 3


@pytest.mark.parametrize(
    ("x", "shown"),
    [
        (9.999, "10.0"),
        (99.99, "100"),
        (0.9999, "1.00"),
        (999.9, "1,000"),
        (999_999, "1,000,000"),
        (0.0009999, "0.00100"),
        (9.994, "9.99"),
        (1.0, "1.00"),
        (0, "0"),
        (-0.0, "0"),
        (-4.8123, "-4.81"),
        (1234, "1,230"),
        (1e-12, "0.000000000"),
        (INFINITE, "?"),
        (-INFINITE, "?"),
        (NOT_A_NUMBER, "?"),
    ],
)
def test_rounding_keeps_three_digits(x, shown):
    assert digits(x) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (2.5e-9, "≈2.50 ns"),
        (9.99e-7, "≈999 ns"),
        (1e-6, "≈1.00 µs"),
        (0.00123, "≈1.23 ms"),
        (1.0, "≈1.00 s"),
        (3600.0, "≈3,600 s"),
        (1e-10, "≈0.100 ns"),
        (0.0, "≈0 s"),
    ],
)
def test_a_time_has_a_unit_that_is_easy_to_read(seconds, shown):
    assert duration(seconds) == shown


def test_the_largest_numbers_have_digits_too():
    largest = digits(1.7976e308)
    assert largest.startswith("17") and largest.count(",") == 102


def test_an_interval_has_the_unit_of_its_value():
    assert duration(0.5, (0.4, 0.6)) == "≈500 ms [400, 600]"
    assert duration(0.5, (0.4, INFINITE), unit=("s", 1.0)) == "≈0.500 s [0.400, ?]"


def test_several_times_share_the_unit_of_their_geometric_mean():
    assert time_unit([2e-6, 2e-3]) == ("µs", 1e-6)
    assert time_unit([0.0, -1.0, INFINITE, NOT_A_NUMBER, 2e-3]) == ("ms", 1e-3)
    assert time_unit([]) == ("s", 1.0)
