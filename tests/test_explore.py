"""Sliders over a figure, and the same without sliders."""

import re
import signal
import sys

import pytest

import labkit as lab
from labkit.show import explore
from labkit.show.errors import Stopped
from labkit.show.figure import Figure, new_axes

VIEW = "application/vnd.jupyter.widget-view+json"


@pytest.fixture(autouse=True)
def new_kernel(monkeypatch):
    """Forget where sliders were left; no notebook is known, and no lesson runs as a test."""
    monkeypatch.setattr(explore, "_last_chosen", {})
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    monkeypatch.delenv("LABKIT_STRICT", raising=False)


def line(n, m):
    fig, ax = new_axes(1)
    ax.plot([0, n], [0, m])
    return Figure(fig, f"n is {n} and m is {m}", alt=f"a line to {n}, {m}")


@pytest.fixture
def drawn():
    """The settings that were drawn, in order."""
    return []


@pytest.fixture
def draw(drawn):
    def draw_and_note(n, m):
        drawn.append((n, m))
        return line(n, m)

    return draw_and_note


@pytest.fixture
def displayed(monkeypatch):
    """What was displayed, by MIME type."""
    displayed = []
    monkeypatch.setattr("IPython.display.display", lambda data, raw: displayed.append(data))
    return displayed


def shown(explorer):
    """Show an explorer in a notebook and return its widget."""
    widgets = []
    new_widget = explorer.widget
    explorer.widget = lambda: widgets.append(new_widget()) or widgets[0]
    explorer._ipython_display_()
    return widgets[0]


def move(widget, *places):
    """Move all sliders to these places, as the page does."""
    widget.set_state({"chosen": list(places)})


# ---- with sliders ----


def test_moving_a_slider_changes_the_figure_and_its_caption(displayed):
    widget = shown(lab.explore(line, n=[1, 2, 3], m=[5, 6, 7]))
    before = widget.figure
    assert '<img alt="a line to 2, 6"' in before
    assert (widget.state, widget.message) == ("shown", "n is 2 and m is 6")
    move(widget, 2, 1)
    assert '<img alt="a line to 3, 6"' in widget.figure
    assert (widget.state, widget.message) == ("shown", "n is 3 and m is 6")
    assert widget.figure == line(3, 6).html()


def test_while_it_measures_the_page_says_with_what(displayed):
    seen = []

    def picture(rows_per_call, kind):
        seen.append((widget.state, widget.message, "<img" in widget.figure))
        return line(1, 2)

    explorer = lab.explore(picture, rows_per_call=[1, 2], kind=["a", "b"])
    widget = explorer.widget()
    explorer._show_figure(widget)
    move(widget, 1, 1)
    assert seen == [
        ("measuring", "Measuring with rows_per_call=1, kind=a …", False),
        ("measuring", "Measuring with rows_per_call=2, kind=b …", True),  # the one before
    ]


def test_numbers_get_a_slider_and_words_a_list():
    explorer = lab.explore(line, rows_per_call=[16_384, 0.5], kind=["a", "b"], mixed=[0, "all"])
    assert explorer.widget().settings == [
        {"name": "rows per call", "texts": ["16,384", "0.5"], "is_ordered": True},
        {"name": "kind", "texts": ["a", "b"], "is_ordered": False},
        {"name": "mixed", "texts": ["0", "all"], "is_ordered": False},
    ]


def test_each_setting_is_drawn_once(displayed, draw, drawn):
    widget = shown(lab.explore(draw, n=[1, 2, 3], m=[5, 6]))
    assert drawn == [(2, 5), (1, 5), (3, 6)]  # the one of the sliders, then the other examples
    for place in (2, 1, 2):
        move(widget, place, 0)
    assert drawn == [(2, 5), (1, 5), (3, 6), (3, 5)]


def test_a_cell_that_runs_again_begins_where_the_sliders_were_left(displayed, draw, drawn):
    settings = {"n": [1, 2, 3], "m": [5, 6]}
    move(shown(lab.explore(draw, **settings)), 2, 0)
    drawn.clear()
    assert shown(lab.explore(draw, **settings)).chosen == [2, 0]
    assert drawn[0] == (3, 5)  # measured anew
    assert lab.explore(draw, n=[1, 2, 3], m=[5, 7]).widget().chosen == [1, 0]


def test_a_new_kernel_begins_where_the_sliders_of_the_saved_notebook_were(monkeypatch):
    saved = lab.explore(line, n=[1, 2, 3], m=[5, 6]).widget().get_state() | {"chosen": [2, 0]}

    def saved_value(name, key, wanted):
        assert name == "ExploreWidget"
        return saved[wanted] if key.items() <= saved.items() else None

    monkeypatch.setattr(explore, "saved_value", saved_value)
    assert lab.explore(line, n=[1, 2, 3], m=[5, 6]).widget().chosen == [2, 0]
    assert lab.explore(line, n=[1, 2, 3], m=[5, 7]).widget().chosen == [1, 0]


# ---- errors and the stop button ----


def test_an_error_of_the_first_figure_is_raised_and_shown():
    explorer = lab.explore(lambda n: 1 / 0, n=[1, 2])
    widget = explorer.widget()
    with pytest.raises(ZeroDivisionError):
        explorer._show_figure(widget)
    assert widget.message == "No figure: ZeroDivisionError: division by zero"


def test_an_error_after_a_move_is_shown_without_a_figure(displayed):
    widget = shown(lab.explore(lambda n: line(n, 1 / (n - 3)), n=[1, 2, 4, 3, 5]))
    move(widget, 3)
    assert (widget.state, widget.figure) == ("failed", "")  # a figure of other values would mislead
    assert widget.message == "No figure: ZeroDivisionError: division by zero"
    move(widget, 0)
    assert widget.state == "shown"


GO_ON = "Move a slider or run the cell again to go on."


def stop_at_3(n):
    """Draw a line; at 3 the stop button is pressed."""
    if n == 3:
        signal.raise_signal(signal.SIGINT)
    return line(n, 1)


def test_the_stop_button_ends_a_measurement_with_one_line(displayed):
    widget = shown(lab.explore(stop_at_3, n=[1, 2, 4, 3, 5]))
    assert widget.state == "shown"
    move(widget, 3)
    assert (widget.state, widget.figure) == ("stopped", "")
    assert widget.message == f"Stopped before there was anything to show. {GO_ON}"
    move(widget, 2)
    assert (widget.state, widget.message) == ("shown", "n is 4 and m is 1")


def test_the_line_of_the_measurement_that_was_stopped_is_kept(displayed):
    def picture(n):
        if n == 3:
            raise Stopped("Stopped before any candidate was called.")
        return line(n, 1)

    widget = shown(lab.explore(picture, n=[1, 2, 4, 3, 5]))
    move(widget, 3)
    assert widget.message == f"Stopped before any candidate was called. {GO_ON}"


def test_a_measurement_that_returns_what_it_has_is_shown_and_not_kept(displayed, drawn):
    def picture(n):
        drawn.append(n)
        try:
            return stop_at_3(n)
        except KeyboardInterrupt:
            return line(n, 0.5)

    widget = shown(lab.explore(picture, n=[1, 2, 4, 3, 5]))
    move(widget, 3)
    assert widget.state == "stopped"
    assert widget.message.startswith("Stopped early: the figure shows what was measured by then.")
    assert "n is 3 and m is 0.5" in widget.figure
    move(widget, 2)
    move(widget, 3)
    assert drawn.count(3) == 2


def test_a_stop_during_the_first_figure_ends_the_cell(displayed):
    explorer = lab.explore(stop_at_3, n=[1, 3, 4])
    widget = shown(explorer)
    assert widget.state == "stopped"
    assert len(displayed) == 1  # and no examples, which would be measured
    move(widget, 2)
    assert widget.state == "shown"


def test_a_stop_during_the_examples_leaves_those_that_are_there(displayed):
    widget = shown(lab.explore(stop_at_3, n=[1, 2, 3]))
    assert widget.state == "shown"
    _, without_sliders = displayed
    assert without_sliders["text/plain"] == "n=1: n is 1 and m is 1\nn=2: n is 2 and m is 1"
    assert "The same without sliders, for n=1; n=2</summary>" in without_sliders["text/html"]


def test_where_lessons_run_as_tests_the_interrupt_is_raised(displayed, monkeypatch):
    monkeypatch.setenv("LABKIT_STRICT", "1")
    for values in ([1, 3, 4], [1, 2, 3]):
        with pytest.raises(KeyboardInterrupt):
            lab.explore(stop_at_3, n=values)._ipython_display_()


def test_without_anything_drawn_the_text_says_that_it_was_stopped():
    assert repr(lab.explore(stop_at_3, n=[3, 4])) == "Stopped before there was anything to show."


# ---- without sliders ----

LINES = [
    "n=1, m=4: n is 1 and m is 4",
    "n=3, m=5: n is 3 and m is 5",
    "n=5, m=6: n is 5 and m is 6",
]


def test_without_sliders_there_are_three_figures_with_alternative_text(displayed):
    explorer = lab.explore(line, n=[1, 2, 3, 4, 5], m=[4, 5, 6])
    assert repr(explorer).splitlines() == LINES
    explorer._ipython_display_()
    page = displayed[1]["text/html"]
    assert re.findall(r'<img alt="([^"]+)"', page) == [
        "a line to 1, 4",
        "a line to 3, 5",
        "a line to 5, 6",
    ]
    assert re.findall(r"<p><b>(.*?)</b></p>", page) == ["n=1, m=4", "n=3, m=5", "n=5, m=6"]
    assert "<summary>The same without sliders, for n=1, m=4; n=3, m=5; n=5, m=6</summary>" in page


def test_a_widget_is_shown_and_the_figures_without_sliders(displayed):
    explorer = lab.explore(line, n=[1, 2], m=[5, 6])
    explorer._ipython_display_()
    widget, without_sliders = displayed
    assert widget["text/plain"] == "sliders: n, m"
    assert widget[VIEW]["model_id"]
    assert without_sliders["text/plain"] == repr(explorer)
    page = without_sliders["text/html"]
    assert page.count('src="data:image/png;base64,iVBOR') == 3  # the images are inside the page


@pytest.mark.parametrize(("session", "opened"), [("", True), ("/lessons/02.ipynb", False)])
def test_the_figures_without_sliders_are_closed_where_there_are_sliders(
    displayed, monkeypatch, session, opened
):
    monkeypatch.setenv("JPY_SESSION_NAME", session)
    lab.explore(line, n=[1, 2], m=[5, 6])._ipython_display_()
    page = displayed[-1]["text/html"]
    assert page.startswith("<details open>" if opened else "<details>")


def test_without_widgets_only_the_figures_without_sliders_are_shown(displayed, monkeypatch):
    monkeypatch.setitem(sys.modules, "anywidget", None)
    monkeypatch.delitem(sys.modules, "labkit.show.explore_widget", raising=False)
    lab.explore(line, n=[1, 2], m=[5, 6])._ipython_display_()
    (without_sliders,) = displayed
    assert sorted(without_sliders) == ["text/html", "text/plain"]


def test_a_caption_cannot_become_html(displayed):
    fig, _ = new_axes(1)
    figure = Figure(fig, '"><script>alert(1)</script>.')
    widget = shown(lab.explore(lambda n: figure, n=["<script>", "b"]))
    pages = widget.figure + displayed[-1]["text/html"]
    assert "&lt;script&gt;" in pages
    assert "<script" not in pages


def test_a_function_without_a_return_is_told_so():
    with pytest.raises(TypeError, match=r"returned a NoneType: is there a `return`"):
        repr(lab.explore(lambda n: None, n=[1, 2]))


def test_bad_input_says_what_to_do():
    with pytest.raises(TypeError, match="function that returns a Figure, got a str"):
        lab.explore("figure", n=[1, 2])
    with pytest.raises(ValueError, match=r"the slider 'n' needs at least two values, got \[1\]"):
        lab.explore(line, n=[1])
    with pytest.raises(ValueError, match="at least one slider"):
        lab.explore(line)
