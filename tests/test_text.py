"""One closed number format: the rule that hides measured figures from nbval takes each of them whole."""

import html
import re
from html.parser import HTMLParser

import pytest
from fakes import PATTERNS, REPEATABLE, every_result, sanitize
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.show.format import MARK, digits, duration, measured, measured_count, time_unit
from labkit.show.progress import progress_bar
from labkit.show.table import Table

FIGURE = re.compile(PATTERNS[0][0])
UNITS = ["", "ns", "µs", "ms", "s", "×", "%", "MiB", "rounds", "calls/s", "rows/s", "GFLOP/s"]
numbers = st.floats(-1e15, 1e15) | st.floats(-1, 1) | st.integers(-(10**12), 10**12)
ends = st.none() | st.tuples(numbers, numbers | st.just(float("inf")))
results = every_result()


def whole_match(text):
    match = FIGURE.fullmatch(text)
    return match is not None and MARK in text


@given(numbers, st.sampled_from(UNITS), ends)
@settings(**REPEATABLE, max_examples=400)
def test_every_figure_is_taken_whole_by_the_rule(x, unit, interval):
    assert whole_match(measured(x, unit, interval))


@given(st.floats(1e-12, 1e9), st.none() | st.tuples(st.floats(0, 1e9), st.floats(0, 1e9)))
@settings(**REPEATABLE, max_examples=400)
def test_every_time_is_taken_whole_by_the_rule(seconds, interval):
    assert whole_match(duration(seconds, interval))


@given(st.integers(0, 10**15))
@settings(**REPEATABLE)
def test_every_counted_figure_is_taken_whole_by_the_rule(n):
    assert whole_match(measured_count(n, "rounds"))


@given(
    st.floats(allow_nan=True, allow_infinity=True, min_value=None, max_value=None).filter(
        lambda x: abs(x) < 1e300 or x != x
    )
)
@settings(**REPEATABLE, max_examples=500)
def test_digits_never_show_an_exponent(x):
    assert re.fullmatch(r"-?\d[\d,]*(\.\d+)?|\?", digits(x))


@given(st.floats(1e-6, 1e12))
@settings(**REPEATABLE, max_examples=400)
def test_three_digits_are_kept_and_no_more_shown(x):
    shown = digits(x)
    assert float(shown.replace(",", "")) == pytest.approx(x, rel=0.00501)
    significant = shown.replace(",", "").replace(".", "").strip("0")
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
        (float("inf"), "?"),
        (float("-inf"), "?"),
        (float("nan"), "?"),
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
def test_a_time_gets_the_unit_it_reads_best_in(seconds, shown):
    assert duration(seconds) == shown


def test_a_table_of_times_shares_one_unit():
    assert time_unit([2e-6, 2e-3]) == ("µs", 1e-6)
    assert time_unit([0.0, -1.0, float("inf"), float("nan"), 2e-3]) == ("ms", 1e-3)
    assert time_unit([]) == ("s", 1.0)


# ---- tables ----


class Cells(HTMLParser):
    """Collects the cells of a table, its caption and what stands below it."""

    def __init__(self):
        super().__init__()
        self.rows, self.caption, self.notes, self.scopes, self.tag = [], "", [], [], None

    def handle_starttag(self, tag, attributes):
        self.tag = tag
        if tag == "tr":
            self.rows.append([])
        if tag in ("th", "td"):
            self.rows[-1].append("")
            if tag == "th":
                self.scopes.append(dict(attributes).get("scope"))
        if tag == "small":
            self.notes.append("")

    def handle_data(self, data):
        if self.tag in ("th", "td"):
            self.rows[-1][-1] += data
        elif self.tag == "caption":
            self.caption += data
        elif self.tag == "small":
            self.notes[-1] += data


def cells_of(table):
    parser = Cells()
    parser.feed(table._repr_html_())
    return parser


words = st.text(st.characters(codec="ascii", min_codepoint=33), min_size=1, max_size=12)


@given(st.data())
@settings(**REPEATABLE, max_examples=60)
def test_text_and_html_hold_the_same_cells(data):
    width = data.draw(st.integers(1, 4))
    row = st.lists(words, min_size=width, max_size=width)
    columns, rows = data.draw(row), data.draw(st.lists(row, max_size=4))
    caption, notes = data.draw(words), data.draw(st.lists(words, max_size=2))
    table = Table(columns, rows, caption, notes)
    parsed = cells_of(table)
    assert parsed.rows == [columns, *rows]
    assert (parsed.caption, parsed.notes) == (caption, notes)
    lines = str(table).splitlines()
    assert lines[0] == caption
    assert [line.split() for line in lines[1 : len(rows) + 2]] == [columns, *rows]
    assert lines[len(rows) + 2 :] == notes


@pytest.mark.parametrize("name", results)
def test_every_result_says_the_same_as_text_and_as_html(name):
    table = results[name].table
    parsed, text = cells_of(table), repr(results[name])
    assert parsed.rows == [table.columns, *table.cells]
    assert all(cell in text for row in parsed.rows for cell in row)
    assert all(note in text for note in [parsed.caption, *parsed.notes])


def test_what_a_learner_names_cannot_become_html():
    page = Table(["<b>", "&"], [["<script>alert(1)</script>", '"']], "<i>", ["<u>"])._repr_html_()
    assert "<script" not in page and "<b>" not in page and "<i>" not in page and "<u>" not in page
    assert html.escape("<script>alert(1)</script>") in page


def test_headings_name_their_row_or_column():
    parsed = cells_of(Table(["way", "calls"], [["slow", "10"], ["fast", "1"]]))
    assert parsed.scopes == ["col", "col", "row", "row"]


def test_figures_stand_right_and_words_left():
    lines = str(Table(["way", "time"], [["a", "≈1.00 ms"], ["bbbb", "≈12.0 ms"]])).splitlines()
    assert lines == ["way       time", "a     ≈1.00 ms", "bbbb  ≈12.0 ms"]


@pytest.mark.parametrize("name", [name for name in results if name != "count"])
def test_another_run_differs_only_in_what_the_rule_hides(name):
    again = every_result(seed=5, scale=3.7)[name]
    assert repr(again) != repr(results[name]) or name == "ops"
    assert sanitize(repr(again)) == sanitize(repr(results[name]))
    assert sanitize(again._repr_html_()) == sanitize(results[name]._repr_html_())


# ---- progress ----


def test_a_bar_leaves_nothing_behind(capsys, monkeypatch):
    monkeypatch.delenv("LABKIT_PROGRESS", raising=False)
    assert list(progress_bar(range(3), "counting", show=True)) == [0, 1, 2]
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "counting" in shown.err
    assert shown.err.rsplit("\r", 2)[-2].strip() == ""  # the last thing written is a line of spaces


@pytest.mark.parametrize(("show", "variable"), [(False, ""), (True, "0"), (False, "0")])
def test_a_silent_bar_writes_nothing(capsys, monkeypatch, show, variable):
    monkeypatch.setenv("LABKIT_PROGRESS", variable)
    assert list(progress_bar(range(3), "counting", show)) == [0, 1, 2]
    assert capsys.readouterr() == ("", "")
