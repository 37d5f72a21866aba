"""A widget is displayed together with a text, and with HTML if there is some."""

import pytest

from labkit.show.widget import show_widget


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
