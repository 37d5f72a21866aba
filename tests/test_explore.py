"""Sliders over a figure, and the same without sliders."""

import re
import sys

import pytest

import labkit as lab
from labkit.show.figure import Figure, new_axes


def line(n, m):
    fig, ax = new_axes(1)
    ax.plot([0, n], [0, m])
    return Figure(fig, f"n is {n} and m is {m}")


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


def test_moving_a_slider_changes_the_image_and_the_caption():
    slider, _, image, caption = lab.explore(line, n=[1, 2, 3], m=[5, 6]).widget().children
    image_before = image.value
    assert "n is 2 and m is 5" in caption.value
    slider.value = 3
    assert image.value != image_before
    assert "n is 3 and m is 5" in caption.value


def test_sliders_are_named_and_wait_until_they_are_released():
    *sliders, _, _ = lab.explore(line, n=[1, 2, 3], m=[5, 6]).widget().children
    assert [slider.description for slider in sliders] == ["n", "m"]
    assert not any(slider.continuous_update for slider in sliders)


def test_an_underscore_in_a_name_is_shown_as_a_space():
    explorer = lab.explore(lambda batch_size: line(batch_size, 1), batch_size=[1, 2])
    assert explorer.widget().children[0].description == "batch size"


def test_each_setting_is_drawn_once(draw, drawn):
    slider, *_ = lab.explore(draw, n=[1, 2, 3], m=[5, 6]).widget().children
    for value in (3, 2, 3):
        slider.value = value
    assert drawn == [(2, 5), (3, 5)]


def test_it_begins_in_the_middle_with_an_image_and_its_parts_can_be_found(draw, drawn):
    *_, image, caption = lab.explore(draw, n=[1, 2, 3], m=[5, 6, 7]).widget().children
    assert drawn == [(2, 6)]
    assert bytes(image.value).startswith(b"\x89PNG")
    assert "labkit-picture" in image._dom_classes
    assert "labkit-caption" in caption._dom_classes


def test_without_sliders_there_are_three_figures_with_alternative_text():
    explorer = lab.explore(line, n=[1, 2, 3, 4, 5], m=[4, 5, 6])
    lines = repr(explorer).splitlines()
    assert lines == [
        "n=1, m=4: n is 1 and m is 4",
        "n=3, m=5: n is 3 and m is 5",
        "n=5, m=6: n is 5 and m is 6",
    ]
    assert re.findall(r'<img alt="([^"]+)"', explorer._without_sliders()) == lines


def test_a_widget_is_shown_and_the_figures_without_sliders(displayed):
    explorer = lab.explore(line, n=[1, 2], m=[5, 6])
    explorer._ipython_display_()
    widget, without_sliders = displayed
    assert widget["text/plain"] == "sliders: n, m"
    assert widget["application/vnd.jupyter.widget-view+json"]["model_id"]
    assert without_sliders["text/plain"] == repr(explorer)
    page = without_sliders["text/html"]
    assert page.startswith("<details><summary>")
    assert page.count('src="data:image/png;base64,iVBOR') == 3  # the images are inside the page


def test_without_ipywidgets_only_the_figures_without_sliders_are_shown(displayed, monkeypatch):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    lab.explore(line, n=[1, 2], m=[5, 6])._ipython_display_()
    (without_sliders,) = displayed
    assert sorted(without_sliders) == ["text/html", "text/plain"]


def test_a_caption_cannot_become_html():
    fig, _ = new_axes(1)
    explorer = lab.explore(lambda n: Figure(fig, '"><script>alert(1)</script>.'), n=[1, 2])
    *_, caption = explorer.widget().children
    assert "<script" not in caption.value
    assert "<script" not in explorer._without_sliders()


def test_an_error_of_the_first_figure_is_raised():
    with pytest.raises(ZeroDivisionError):
        lab.explore(lambda n: 1 / 0, n=[1, 2]).widget()


def test_an_error_after_a_move_is_shown_as_the_caption():
    explorer = lab.explore(lambda n: line(n, 1 / (n - 3)), n=[1, 2, 3])
    slider, _, caption = explorer.widget().children
    slider.value = 3
    assert caption.value == "<b>ZeroDivisionError: division by zero</b>"


def test_bad_input_says_what_to_do():
    with pytest.raises(TypeError, match="function that returns a Figure, got a str"):
        lab.explore("figure", n=[1, 2])
    with pytest.raises(ValueError, match=r"the slider 'n' needs at least two values, got \[1\]"):
        lab.explore(line, n=[1])
    with pytest.raises(ValueError, match="at least one slider"):
        lab.explore(line)
