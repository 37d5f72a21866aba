"""A widget is displayed together with a text, and with HTML if there is some."""

import re
from pathlib import Path

import pytest

from labkit.show import widget
from labkit.show.widget import page_script, page_style, show_widget

PACKAGE = Path(widget.__file__).parents[1]


class Box:
    """Stands for a widget."""

    model_id = "a1b2"


VIEW = {"model_id": "a1b2", "version_major": 2, "version_minor": 0}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            (Box(), "a slider"),
            {"text/plain": "a slider", "application/vnd.jupyter.widget-view+json": VIEW},
        ),
        (
            (Box(), "a slider", "<p>a slider</p>"),
            {
                "text/plain": "a slider",
                "text/html": "<p>a slider</p>",
                "application/vnd.jupyter.widget-view+json": VIEW,
            },
        ),
        (
            (None, "a slider", "<p>a slider</p>"),
            {"text/plain": "a slider", "text/html": "<p>a slider</p>"},
        ),
        ((None, "a slider"), {"text/plain": "a slider"}),
    ],
    ids=["text", "text and HTML", "no widgets", "only text"],
)
def test_a_page_gets_the_widget_and_what_stands_for_it(monkeypatch, arguments, expected):
    displayed = []
    monkeypatch.setattr("IPython.display.display", lambda data, raw: displayed.append((data, raw)))
    show_widget(*arguments)
    assert displayed == [(expected, True)]


SCRIPTS = ["course/guess.js", "show/explore.js"]


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_code_of_a_page_needs_no_other_file(script):
    code = page_script(PACKAGE / script)
    assert "import" not in re.sub(r"//.*", "", code)
    assert code.count("export default { render };") == 1
    for function in re.findall(r"\b(element|sliderWithMarks|connect)\(", code):
        assert f"function {function}(" in code


@pytest.mark.parametrize("script", SCRIPTS)
def test_nothing_is_fetched_from_elsewhere(script):
    for text in (page_script(PACKAGE / script), page_style()):
        assert "//" not in re.sub(r"(^|\s)//.*", "", text)  # no address, with or without https:


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_style_knows_the_classes_of_the_page(script):
    used = set(re.findall(r"labkit-\w+", page_script(PACKAGE / script)))
    known = set(re.findall(r"\.(labkit-\w+)", page_style()))
    assert used <= known | {"labkit-explore"}
