"""A guess before the measurement, on a slider and in a field."""

import itertools
import sys

import pytest

import labkit as lab
from labkit.course import guesses

VIEW = "application/vnd.jupyter.widget-view+json"
QUESTION = "How many times?"


@pytest.fixture(autouse=True)
def new_kernel(monkeypatch):
    """Forget all questions; no notebook is known."""
    monkeypatch.setattr(guesses, "_asked", {})
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)


@pytest.fixture
def displayed(monkeypatch):
    """What was displayed, by MIME type."""
    displayed = []
    monkeypatch.setattr("IPython.display.display", lambda data, raw: displayed.append(data))
    return displayed


class Page:
    """Does with the widget of a guess what the page does."""

    def __init__(self, guess):
        guess._ipython_display_()
        self.widget = guess._widget

    def slide(self, place):
        number = self.widget.numbers[place]
        self.widget.set_state({"position": place, "number": number, "problem": ""})

    def type(self, text):
        self.widget.set_state({"number": text, "problem": ""})

    @property
    def shown(self):
        """The number in the field, and that at the handle of the slider."""
        return self.widget.number, self.widget.numbers[self.widget.position]


@pytest.fixture
def page(displayed):
    return Page(lab.guess(QUESTION, low=1, high=1000))


# ---- before and after ----


def test_there_is_no_guess_before_one_is_made(displayed):
    guess = lab.guess(QUESTION, low=1, high=1000)
    assert (guess.value, guess.made) == (None, False)
    assert repr(guess) == "How many times? (from 1.00 to 1,000)"
    page = Page(guess)
    assert (guess.value, guess.made) == (None, False)  # to be shown is not to be made
    assert page.widget.number == ""
    assert page.shown[1] == "28.0"  # the handle has to be somewhere


def test_one_step_of_the_slider_is_a_guess(page):
    guess = lab.guess(QUESTION, low=1, high=1000)
    page.slide(page.widget.position + 1)
    assert (guess.value, guess.made) == (30.0, True)
    assert page.shown == ("30.0", "30.0")
    assert repr(guess) == "How many times? (from 1.00 to 1,000; your guess: 30.0)"


def test_one_can_go_back_to_where_the_slider_was(page):
    guess = lab.guess(QUESTION, low=1, high=1000)
    middle = page.widget.position
    page.slide(middle + 3)
    page.slide(middle)
    assert (guess.value, guess.made) == (28.0, True)


def test_a_guess_can_be_set(page):
    guess = lab.guess(QUESTION, low=1, high=1000)
    guess.value = 50
    assert (guess.value, page.shown) == (50.0, ("50.0", "50.0"))
    with pytest.raises(ValueError, match="5,000 is out of range"):
        guess.value = 5000
    assert guess.value == 50.0


# ---- what is typed ----


@pytest.mark.parametrize(
    ("typed", "value", "field"),
    [
        ("50", 50.0, "50.0"),
        ("1,000", 1000.0, "1,000"),
        ("2,5", 2.5, "2.50"),
        ("2.5", 2.5, "2.50"),
        ("33.333", 33.3, "33.3"),
        ("50x", 50.0, "50.0"),
        ("50 ×", 50.0, "50.0"),
        ("50 times", 50.0, "50.0"),
        ("1e2", 100.0, "100"),
        ("1", 1.0, "1.00"),
    ],
)
def test_a_number_can_be_typed(page, typed, value, field):
    page.type(typed)
    assert lab.guess(QUESTION, low=1, high=1000).value == value
    assert page.widget.number == field
    assert float(field.replace(",", "")) == value  # what is read is what is meant, to the digit
    assert page.widget.problem == ""


@pytest.mark.parametrize(
    ("typed", "problem"),
    [
        ("abc", "“abc” is not a number"),
        ("5000", "5,000 is out of range"),
        ("0,5", "0.500 is out of range"),
        ("-3", "-3.00 is out of range"),
        ("nan", "nan is not a number to guess"),
        ("1,00,0", "“1,00,0” is not a number"),
    ],
)
def test_what_is_no_guess_changes_nothing_and_is_told(page, typed, problem):
    guess = lab.guess(QUESTION, low=1, high=1000)
    page.type(typed)
    assert (guess.made, page.widget.number) == (False, "")
    assert page.widget.problem == f"{problem}. Type a number from 1 to 1,000."
    page.type("50")
    assert page.widget.problem == ""
    page.type(typed)
    assert (guess.value, page.shown) == (50.0, ("50.0", "50.0"))
    assert page.widget.problem.endswith("from 1 to 1,000. Your guess is still 50.0.")


def test_the_slider_goes_to_the_nearest_stop(page):
    page.type("77")
    assert page.shown == ("77.0", "75.0")
    page.type("78")
    assert page.shown == ("78.0", "80.0")


# ---- one question, one guess ----


def test_a_question_that_is_asked_again_keeps_its_guess(page, displayed):
    page.type("50")
    again = lab.guess(QUESTION, low=1.0, high=1000)
    again._ipython_display_()
    assert again.value == 50.0
    assert "your guess: 50.0" in displayed[1]["text/plain"]
    assert displayed[0][VIEW] == displayed[1][VIEW]  # one widget: both views show the same state


@pytest.mark.parametrize(
    "changed", [{"question": "How many?"}, {"low": 2}, {"high": 100}, {"whole": True}]
)
def test_another_question_has_another_guess(changed):
    asked = {"question": QUESTION, "low": 1, "high": 1000, "whole": False}
    lab.guess(**asked).value = 50
    assert not lab.guess(**(asked | changed)).made
    assert lab.guess(**asked).made


SAVED = {"question": QUESTION, "ends": "from 1 to 1,000"}


@pytest.mark.parametrize(
    ("saved", "value"),
    [
        ({**SAVED, "number": "50.0"}, 50.0),
        ({**SAVED, "number": ""}, None),
        ({**SAVED, "question": "How many?", "number": "50.0"}, None),
        ({**SAVED, "ends": "from 1 to 100", "number": "50.0"}, None),
        ({**SAVED, "number": "fifty"}, None),
        ({**SAVED, "number": "5,000"}, None),
    ],
)
def test_a_new_kernel_takes_over_the_guess_of_the_saved_notebook(monkeypatch, saved, value):
    def saved_value(name, key, wanted):
        assert name == "GuessWidget"
        return saved[wanted] if key.items() <= saved.items() else None

    monkeypatch.setattr(guesses, "saved_value", saved_value)
    assert lab.guess(QUESTION, low=1, high=1000).value == value


def test_the_saved_widget_holds_what_a_new_kernel_looks_for(page):
    assert SAVED.items() <= page.widget.get_state().items()
    assert page.widget.get_state()["_anywidget_id"] == "labkit.course.guess_widget.GuessWidget"


# ---- the slider ----

RANGES = [*itertools.product([0.0372, 0.1, 0.3, 0.5, 1, 3, 10], [1.3, 3, 128, 1000, 1e5])]


@pytest.mark.parametrize(("low", "times"), RANGES)
def test_the_stops_are_round_numbers_with_small_steps(displayed, low, times):
    guess = lab.guess(QUESTION, low=low, high=low * times)
    page = Page(guess)
    numbers = [float(number.replace(",", "")) for number in page.widget.numbers]
    assert numbers == sorted(set(numbers))
    for place, number in enumerate(numbers):
        page.slide(place)
        assert page.shown == (page.widget.numbers[place],) * 2
        assert guess.value == pytest.approx(number, rel=0.005)
        assert low <= guess.value <= guess.high
    assert max(b / a for a, b in itertools.pairwise(numbers)) < 1.2
    marks = [(place, text) for place, text in page.widget.marks]
    assert [marks[0][0], marks[-1][0]] == [0, len(numbers) - 1]
    assert all(float(text.replace(",", "")) == numbers[place] for place, text in marks)


@pytest.mark.parametrize(("low", "high"), [(1, 4), (1, 20), (1, 100), (10, 2100), (3, 1234)])
def test_a_whole_number_has_whole_stops_and_is_logarithmic_too(displayed, low, high):
    guess = lab.guess(QUESTION, low=low, high=high, whole=True)
    page = Page(guess)
    numbers = [int(number.replace(",", "")) for number in page.widget.numbers]
    assert (numbers[0], numbers[-1]) == (low, high)
    steps = [b - a for a, b in itertools.pairwise(numbers)]
    assert all(step <= max(1, number / 5) for step, number in zip(steps, numbers, strict=False))
    page.slide(1)
    assert guess.value == numbers[1]
    assert isinstance(guess.value, int)
    assert repr(guess) == f"{QUESTION} (from {low} to {high:,}; your guess: {numbers[1]})"


def test_any_whole_number_can_be_typed_and_no_other(displayed):
    guess = lab.guess(QUESTION, low=1, high=2100, whole=True)
    page = Page(guess)
    page.type("1,234")
    assert (guess.value, page.widget.number) == (1234, "1,234")
    page.type("2.5")
    assert guess.value == 1234
    assert page.widget.problem.startswith("2.5 is not a whole number.")


@pytest.mark.parametrize(
    ("low", "high", "marks"),
    [
        (1, 1000, ["1", "10", "100", "1,000"]),
        (0.5, 128, ["0.5", "1", "10", "128"]),
        (10, 10_000, ["10", "100", "1,000", "10,000"]),
        (1, 105, ["1", "10", "105"]),  # 100 would lie on 105
    ],
)
def test_marks_are_at_the_ends_and_the_powers_of_ten(displayed, low, high, marks):
    page = Page(lab.guess(QUESTION, low=low, high=high))
    assert [text for _, text in page.widget.marks] == marks


def test_in_a_range_without_room_the_ends_are_the_stops(displayed):
    guess = lab.guess(QUESTION, low=1.0004, high=1.0006)
    page = Page(guess)
    page.slide(1)
    assert guess.value == 1.0004  # both are 1.00 to a reader


# ---- questions that cannot be asked, and pages without widgets ----


@pytest.mark.parametrize(
    ("low", "high"),
    [(0, 10), (5, 5), (10, 1), (-1, 1), (1, float("inf")), (float("nan"), 1), (1, float("nan"))],
)
@pytest.mark.parametrize("whole", [False, True])
def test_a_guess_needs_a_range(low, high, whole):
    with pytest.raises(ValueError, match="0 < low < high"):
        lab.guess("How many?", low=low, high=high, whole=whole)


@pytest.mark.parametrize("broken", [{"low": 0.5}, {"high": 20.5}])
def test_a_whole_number_needs_whole_ends(broken):
    with pytest.raises(ValueError, match="whole=True needs whole numbers"):
        lab.guess("How many?", whole=True, **{"low": 1, "high": 20, **broken})


def test_a_page_without_widgets_shows_the_question_and_the_guess(displayed):
    guess = lab.guess("is a<b> & c?", low=1, high=10)
    guess._ipython_display_()
    guess.value = 5
    guess._ipython_display_()
    before, after = (data["text/html"] for data in displayed)
    assert "is a&lt;b&gt; &amp; c?" in before
    assert "(from 1 to 10; no guess yet)" in before
    assert "(from 1 to 10; your guess: 5.00)" in after


def test_without_widgets_the_question_is_still_shown(displayed, monkeypatch):
    monkeypatch.setitem(sys.modules, "anywidget", None)
    monkeypatch.delitem(sys.modules, "labkit.course.guess_widget", raising=False)
    lab.guess("How many?", low=1, high=100)._ipython_display_()
    (data,) = displayed
    assert data["text/plain"] == "How many? (from 1.00 to 100)"
    assert VIEW not in data
