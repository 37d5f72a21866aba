"""A guess before the measurement, on a slider."""

import sys

import pytest

import labkit as lab


def test_a_guess_starts_in_the_middle_and_knows_whether_it_was_moved():
    guess = lab.guess("How many?", low=1, high=100)
    assert (guess.value, guess.moved) == (10.0, False)
    guess._ipython_display_()
    guess._slider.value = 50
    assert (guess.value, guess.moved) == (50, True)


@pytest.mark.parametrize(
    ("low", "high"),
    [(0, 10), (5, 5), (10, 1), (-1, 1), (1, float("inf")), (float("nan"), 1), (1, float("nan"))],
)
@pytest.mark.parametrize("whole", [False, True])
def test_a_guess_needs_a_range(low, high, whole):
    with pytest.raises(ValueError, match="0 < low < high"):
        lab.guess("How many?", low=low, high=high, whole=whole)


@pytest.mark.parametrize("value", [0.5, 11, float("nan")])
def test_a_guess_starts_within_its_range(value):
    with pytest.raises(ValueError, match="outside 1 to 10"):
        lab.guess("How many?", low=1, high=10, value=value)


def test_a_guess_of_a_whole_number_has_an_even_scale():
    guess = lab.guess("In how many of 20?", low=1.0, high=20, whole=True)
    assert (repr(guess.value), guess.moved) == ("10", False)
    guess._ipython_display_()
    assert (guess._slider.step, type(guess._slider.value)) == (1, int)
    assert (guess._slider.min, guess._slider.max) == (1, 20)


@pytest.mark.parametrize("broken", [{"low": 0.5}, {"high": 20.5}, {"value": 1.5}])
def test_a_whole_number_needs_whole_ends_and_a_whole_start(broken):
    with pytest.raises(ValueError, match="whole=True needs whole numbers"):
        lab.guess("How many?", whole=True, **{"low": 1, "high": 20, **broken})


@pytest.mark.parametrize("low", [0.0372, 0.1, 0.3, 1, 3])
@pytest.mark.parametrize("times", [1.0001, 1.3, 3, 1000])
@pytest.mark.parametrize("start", ["low", "middle", "high"])
def test_showing_the_slider_does_not_move_the_guess(low, times, start):
    high = low * times
    value = {"low": low, "middle": None, "high": high}[start]
    guess = lab.guess("How many?", low=low, high=high, value=value)
    before = guess.value
    assert low <= before <= high
    guess._ipython_display_()
    assert guess.value == pytest.approx(before)
    assert not guess.moved


def test_the_middle_of_a_narrow_range_is_within_it():
    assert lab.guess("How many?", low=1.0004, high=1.0006).value == 1.0004


def test_shown_again_the_slider_stays_where_it_is(capsys):
    guess = lab.guess("How many?", low=1, high=1000)
    assert guess.value == 31.6
    guess._ipython_display_()
    guess._slider.value = 50
    guess._ipython_display_()
    assert (guess.value, guess.moved) == (50, True)
    assert "as it stands: 50.0" in repr(guess)


def test_a_question_is_text_and_not_html():
    pytest.importorskip("ipywidgets")
    shown = []
    guess = lab.guess("is a<b> & c?", low=1, high=10)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ipywidgets.HTML", lambda text: shown.append(text) or _label(text))
        guess._ipython_display_()
    assert shown == ["<b>is a&lt;b&gt; &amp; c?</b>"]


def _label(text):
    import ipywidgets

    return ipywidgets.Label(text)


def test_without_widgets_the_question_is_still_shown(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    lab.guess("How many?", low=1, high=100)._ipython_display_()
    assert capsys.readouterr().out == "How many? (from 1.00 to 100; as it stands: 10.0)\n"


def test_a_whole_guess_reads_without_decimals():
    guess = lab.guess("How many?", low=1, high=100, value=40, whole=True)
    assert repr(guess) == "How many? (from 1 to 100; as it stands: 40)"
