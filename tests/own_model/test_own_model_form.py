"""The form measures when the button is pressed, and shows every failure."""

import html

import pytest
from own_model_helpers import made_diagnosis

from labkit import own_model
from labkit.own_model import interactive
from labkit.own_model.candidates import CALL, FUNCTION


@pytest.fixture
def diagnosed(monkeypatch):
    """Replace the diagnosis by a made one; return the options that it was called with."""
    options = {}

    def diagnose(source, **others):
        options.update(others, source=source)
        return made_diagnosis({CALL: 2, FUNCTION: 1})

    monkeypatch.setattr(interactive, "diagnose", diagnose)
    return options


def parts_of(form):
    """Return the fields by their labels, the button and the result."""
    *fields, button, _, result = form.widget().children
    return {field.description: field for field in fields}, button, result


def test_the_form_measures_when_the_button_is_pressed(saved, tmp_path):
    form = own_model.form(tmp_path / "r.html", progress=False)
    fields, button, result = parts_of(form)
    fields["model"].value = str(saved / "ok.keras")
    fields["rows per call"].value = "1"
    fields["seconds at most"].value = 10
    button.click()
    assert "<table" in result.value
    assert 'href="r.html"' in result.value
    assert form.diagnosis.name == "ok.keras"
    assert (tmp_path / "r.html").exists()
    assert not button.disabled


def test_each_field_reaches_the_diagnosis(diagnosed, tmp_path):
    form = own_model.form(tmp_path / "r.html", progress=False)
    fields, button, _ = parts_of(form)
    fields["model"].value = " m.keras "
    fields["sample (optional)"].value = "s.npy"
    fields["or shape of a row"].value = "28,28,1"
    fields["and its dtype"].value = "int32"
    fields["rows per call"].value = "1, 8,"
    fields["seconds at most"].value = 20
    fields["run the code of Lambda layers"].value = True
    button.click()
    assert diagnosed == {
        "source": "m.keras",
        "sample": "s.npy",
        "shape": "28,28,1",
        "dtype": "int32",
        "batches": [1, 8],
        "budget": 20,
        "trust": True,
        "report_to": tmp_path / "r.html",
        "service": True,
        "progress": False,
    }


def test_empty_fields_are_left_to_the_diagnosis(diagnosed):
    own_model.form().run()
    assert (diagnosed["source"], diagnosed["sample"], diagnosed["dtype"]) == (None, None, None)


@pytest.mark.parametrize(
    ("label", "value", "words"),
    [
        ("model", "nowhere.keras", "there is no file"),
        ("rows per call", "one", "whole numbers with commas, such as 1, 32; got 'one'"),
    ],
)
def test_a_mistake_shows_in_the_form(label, value, words):
    fields, button, result = parts_of(own_model.form(progress=False))
    fields[label].value = value
    button.click()
    shown = html.unescape(result.value)
    assert shown.startswith("<b>Not measured:</b> ")
    assert words in shown


def test_a_failure_nobody_thought_of_shows_in_the_form(monkeypatch):
    def fails(*_, **__):
        raise ZeroDivisionError("<division> by zero")

    monkeypatch.setattr(interactive, "diagnose", fails)
    _, button, result = parts_of(own_model.form(progress=False))
    button.click()
    expected = "<b>Not measured:</b> ZeroDivisionError: &lt;division&gt; by zero"
    assert result.value == expected
    assert not button.disabled


def test_without_widgets_the_form_shows_the_call_that_does_the_same(monkeypatch):
    def no_widgets(self):
        raise ImportError

    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data, **_: shown.append(data))
    monkeypatch.setattr(interactive.Form, "widget", no_widgets)
    form = own_model.form()
    form._ipython_display_()
    [data] = shown
    assert "own_model.diagnose(&quot;my_model.keras&quot;" in data["text/html"]
    assert 'own_model.diagnose("my_model.keras"' in data["text/plain"]
