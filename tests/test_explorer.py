"""Sliders over a picture, and the twin without sliders."""

import re

import pytest

import labkit as lab
from labkit.picture import Picture, canvas


def drawing(drawn):
    def draw(n, m):
        drawn.append((n, m))
        fig, ax = canvas(1)
        ax.plot([0, n], [0, m])
        return Picture(fig, f"n is {n} and m is {m}")

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
    assert repr(explorer).splitlines() == [f"n={n}, m={n + 3}: n is {n} and m is {n + 3}" for n in (1, 2, 3)]
    alts = re.findall(r'<img alt="([^"]+)"', explorer._twin())
    assert alts == repr(explorer).splitlines()


def test_bad_input_says_what_to_do():
    with pytest.raises(TypeError, match="function that returns a picture"):
        lab.explore("picture", n=[1, 2])
    with pytest.raises(ValueError, match="at least two values"):
        lab.explore(drawing([]), n=[1])
    with pytest.raises(ValueError, match="at least one slider"):
        lab.explore(drawing([]))
