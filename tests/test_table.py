"""A table has the same cells as text and as HTML."""

import html
import re
from html.parser import HTMLParser

import pytest
from fakes import REPEATABLE, every_result, sanitize
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.show.message import cell_html
from labkit.show.table import Table

RESULTS = every_result()


class HtmlTable(HTMLParser):
    """What is in the HTML of a table: cells and their sides by row, scopes, caption, notes.

    Code is in backticks, as it is in the text.
    """

    def __init__(self, table):
        super().__init__()
        self.rows = []
        self.sides = []
        self.scopes = []
        self.caption = ""
        self.notes = []
        self._place = ""  # the cell, caption or note that is open
        self.feed(table._repr_html_())

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag in ("th", "td", "caption", "small"):
            self._place = tag
        if tag == "code":
            self.handle_data("`")
        if tag == "tr":
            self.rows.append([])
            self.sides.append([])
        if tag in ("th", "td"):
            self.rows[-1].append("")
            style = attributes.get("style", "")
            self.sides[-1].append(style.removeprefix("text-align:").partition(";")[0])
        if tag == "th":
            self.scopes.append(attributes["scope"])
        if tag == "small":
            self.notes.append("")

    def handle_endtag(self, tag):
        if tag == "code":
            self.handle_data("`")

    def handle_data(self, data):
        if self._place in ("th", "td"):
            self.rows[-1][-1] += data
        if self._place == "caption":
            self.caption += data
        if self._place == "small":
            self.notes[-1] += data


words = st.text(st.characters(codec="ascii", min_codepoint=33), min_size=1, max_size=12)


@given(st.data())
@settings(**REPEATABLE, max_examples=60)
def test_text_and_html_have_the_same_cells(data):
    width = data.draw(st.integers(1, 4))
    row = st.lists(words, min_size=width, max_size=width)
    columns = data.draw(row)
    rows = data.draw(st.lists(row, max_size=4))
    caption = data.draw(words)
    notes = data.draw(st.lists(words, max_size=2))
    table = Table(columns, rows, caption, notes)

    parsed = HtmlTable(table)
    assert parsed.rows == [columns, *rows]
    assert (parsed.caption, parsed.notes) == (caption, notes)

    first, *lines = str(table).splitlines()
    assert first == caption
    cells = [line.split() for line in lines[: len(rows) + 1]]
    assert cells == [columns, *rows]
    assert lines[len(rows) + 1 :] == notes


@pytest.mark.parametrize("name", RESULTS)
def test_every_result_has_the_same_text_and_html(name):
    result = RESULTS[name]
    parsed = HtmlTable(result.table)
    assert parsed.rows == [result.table.columns, *result.table.cells]
    text = repr(result)
    for row in parsed.rows:
        assert all(cell in text for cell in row)
    assert all(note in text for note in [parsed.caption, *parsed.notes])


def test_a_cell_cannot_become_html():
    table = Table(["<b>", "&"], [["<script>alert(1)</script>", '"']], "<i>", ["<u>"])
    page = table._repr_html_()
    assert html.escape("<script>alert(1)</script>") in page
    for tag in ("<script", "<b>", "<i>", "<u>"):
        assert tag not in page


def test_headings_have_the_scope_of_their_row_or_column():
    parsed = HtmlTable(Table(["name", "calls"], [["slow", "10"], ["00.1", "1"]]))
    assert parsed.scopes == ["col", "col", "row", "row"]


def test_an_empty_heading_is_no_heading():
    table = Table(["", "calls"], [["slow", "10"]])
    assert table._repr_html_().count('scope="col"') == 1
    assert HtmlTable(table).rows[0] == ["", "calls"]


def test_numbers_are_set_to_the_right_and_words_to_the_left():
    table = Table(["name", "time"], [["a", "≈1.00 ms"], ["bbbbbb", "≈12.0 ms"]])
    assert str(table).splitlines() == [
        "name        time",
        "a       ≈1.00 ms",
        "bbbbbb  ≈12.0 ms",
    ]


def test_a_count_is_set_to_the_right_like_a_measured_number():
    table = Table(["name", "calls"], [["slow", "10"], ["fast", "1"]])
    assert str(table).splitlines() == ["name  calls", "slow     10", "fast      1"]


def test_no_line_ends_in_spaces():
    lines = str(Table(["name", "verdict"], [["a", "no"], ["b", "unclear"]])).splitlines()
    assert lines == ["name  verdict", "a     no", "b     unclear"]


def test_a_heading_is_on_the_side_of_its_cells():
    table = Table(["name", "time", "verdict"], [["1", "≈1.00 ms", "faster"], ["b", "-", "slower"]])
    sides = ["left", "right", "left"]
    assert HtmlTable(table).sides == [sides, sides, sides]
    heading, first, _ = str(table).splitlines()
    assert heading.index("verdict") == first.index("faster")


def test_the_sides_of_columns_can_be_given():
    table = Table(["name", "found"], [["disk", "5.0 GiB"], ["Python", "3.12"]], sides=["left"] * 2)
    assert HtmlTable(table).sides == [["left", "left"]] * 3
    assert str(table).splitlines() == ["name    found", "disk    5.0 GiB", "Python  3.12"]


def test_what_jupyterlab_would_set_otherwise_is_set_in_every_cell():
    page = Table(["name", "time"], [["a", "≈1.00 ms"]])._repr_html_()
    for style in re.findall(r'<(?:th|td)[^>]*style="([^"]*)"', page):
        assert "text-align:" in style
        assert "white-space:normal" in style


def test_an_id_never_breaks_and_a_long_name_breaks_at_an_underscore():
    table = Table(["", "x"], [["S0-11", "1"], ["graph_and_dataset", "1"], ["one_by_one", "1"]])
    page = table._repr_html_()
    assert '<span style="white-space:nowrap">S0-11</span>' in page
    assert "graph_<wbr>and_<wbr>dataset" in page
    assert "one_by_one" in page


def test_code_and_signs_in_cells_look_like_those_of_messages():
    page = Table(["", "claim", "verdict"], [["S0-1", "`f` is fast", "✓ holds here"]])._repr_html_()
    assert ">f</code> is fast" in page
    assert cell_html("✓ holds here") in page


def test_the_file_of_a_lesson_in_a_note_is_a_link():
    page = Table(["a"], [], notes=["The next lesson: 02_direct_call_loop.ipynb"])._repr_html_()
    assert '<a href="02_direct_call_loop.ipynb">' in page


def test_a_table_without_a_caption_begins_with_its_headings():
    table = Table(["name", "calls"], [])
    assert str(table) == "name  calls"
    assert "<caption" not in table._repr_html_()


def test_a_table_without_columns_is_an_error():
    with pytest.raises(ValueError, match="at least one column"):
        Table([], [])


def test_a_row_of_another_length_is_an_error():
    with pytest.raises(ValueError, match=r"needs 2 cells, one for each column; got \['slow'\]"):
        Table(["name", "calls"], [["slow"]])


@pytest.mark.parametrize("name", [name for name in RESULTS if name != "count"])
def test_another_run_differs_only_in_what_nbval_sets_aside(name):
    result = RESULTS[name]
    again = every_result(seed=5, scale=3.7)[name]
    if name != "ops":  # operations are counted, not measured
        assert repr(again) != repr(result)
    assert sanitize(repr(again)) == sanitize(repr(result))
    assert sanitize(again._repr_html_()) == sanitize(result._repr_html_())


def test_columns_of_counts_are_as_narrow_as_their_counts_where_they_are_many():
    sizes = ["1", "2", "4", "8", "16"]
    many = Table(["rows", *sizes], [["by_number", "39", "66", "120", "228", "1,444"]])
    few = Table(["rows", *sizes[:3]], [["by_number", "39", "66", "120"]])
    assert "min-width:min(4.5em" not in many._repr_html_()
    assert few._repr_html_().count("min-width:min(4.5em") == 3


def test_long_words_are_smaller_in_a_narrow_window_and_stay_whole():
    row = ["half written", "`FileNotFoundError`", "DataLossError", "see S4-10"]
    page = Table(["damage", "one", "other", "more"], [row])._repr_html_()
    assert "font-size:min(1em, 1.4vw)" in page
    assert "overflow-wrap:break-word" in page  # the column is as wide as the name
    assert '<span style="white-space:nowrap">S4-10</span>' in page
    assert "font-size" not in Table(["way", "rows"], [["graph", "12"]])._repr_html_()
