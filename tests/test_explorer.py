"""Sliders over a picture, and the twin without sliders."""

import re

import pytest

import labkit as lab
from labkit.show.figure import Figure, new_axes


def drawing(drawn):
    def draw(n, m):
        drawn.append((n, m))
        fig, ax = new_axes(1)
        ax.plot([0, n], [0, m])
        return Figure(fig, f"n is {n} and m is {m}")

    return draw


def test_moving_a_slider_changes_the_picture_and_the_caption():
    box = lab.explore(drawing([]), n=[1, 2, 3], m=[5, 6]).widget()
    first, _, image, caption = box.children
    before = image.value, caption.value
    first.value = 3
    assert image.value != before[0]
    assert "n is 3 and m is 5" in caption.value
    assert before[1] != caption.value


def test_sliders_are_named_and_wait_until_they_are_let_go():
    box = lab.explore(drawing([]), n=[1, 2, 3], m=[5, 6]).widget()
    assert [slider.description for slider in box.children[:2]] == ["n", "m"]
    assert not any(slider.continuous_update for slider in box.children[:2])


def test_each_setting_is_drawn_once():
    drawn = []
    explorer = lab.explore(drawing(drawn), n=[1, 2, 3], m=[5, 6])
    slider = explorer.widget().children[0]
    slider.value = 3
    slider.value = 2
    slider.value = 3
    assert len(drawn) == len(set(drawn))


def test_the_twin_shows_first_middle_and_last_with_alternative_text():
    explorer = lab.explore(drawing([]), n=[1, 2, 3], m=[4, 5, 6])
    assert repr(explorer).splitlines() == [
        f"n={n}, m={n + 3}: n is {n} and m is {n + 3}" for n in (1, 2, 3)
    ]
    alts = re.findall(r'<img alt="([^"]+)"', explorer._twin())
    assert alts == repr(explorer).splitlines()


def test_bad_input_says_what_to_do():
    with pytest.raises(TypeError, match="function that returns a picture"):
        lab.explore("picture", n=[1, 2])
    with pytest.raises(ValueError, match="at least two values"):
        lab.explore(drawing([]), n=[1])
    with pytest.raises(ValueError, match="at least one slider"):
        lab.explore(drawing([]))


@pytest.fixture
def displayed(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data, **options: shown.append(data))
    return shown


def test_it_starts_in_the_middle_with_a_picture_and_its_parts_can_be_found():
    drawn = []
    box = lab.explore(drawing(drawn), n=[1, 2, 3], m=[5, 6, 7]).widget()
    assert drawn == [(2, 6)]
    *_, image, caption = box.children
    assert bytes(image.value).startswith(b"\x89PNG")
    assert "labkit-picture" in image._dom_classes and "labkit-caption" in caption._dom_classes


def test_the_widget_comes_with_a_text_and_with_the_twin(displayed):
    explorer = lab.explore(drawing([]), n=[1, 2], m=[5, 6])
    explorer._ipython_display_()
    widget, twin = displayed
    assert widget["text/plain"] == "sliders: n, m"
    assert widget["application/vnd.jupyter.widget-view+json"]["model_id"]
    assert twin["text/plain"] == repr(explorer)
    assert twin["text/html"].startswith("<details><summary>")
    assert (
        twin["text/html"].count('src="data:image/png;base64,iVBOR') == 3
    )  # the pictures are in the page itself


def test_without_widgets_the_twin_is_all_there_is(displayed, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ipywidgets", None)
    lab.explore(drawing([]), n=[1, 2], m=[5, 6])._ipython_display_()
    assert [sorted(data) for data in displayed] == [["text/html", "text/plain"]]


def test_words_of_a_picture_cannot_become_html():
    explorer = lab.explore(
        lambda n: Figure(new_axes(1)[0], '"><script>alert(1)</script>.'), n=[1, 2]
    )
    assert "<script" not in explorer._twin()
    assert "<script" not in explorer.widget().children[-1].value


def test_an_error_while_drawing_arrives():
    with pytest.raises(ZeroDivisionError):
        lab.explore(lambda n: 1 / 0, n=[1, 2]).widget()
