"""The index pages in JupyterLab: from the start page to an entry, and from there to its section."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lab_server import LabServer
from seat import Seat

from labkit.course.workspace import START_PAGE

CARD = ".labkit-start .labkit-card"
# The text of the headings that lie within the upper half of what can be seen of the front widget.
IN_SIGHT = """() => {
    const front = window.jupyterapp.shell.currentWidget;
    const half = front.node.getBoundingClientRect().top + front.node.clientHeight / 2;
    const seen = node => {
        const box = node.getBoundingClientRect();
        return box.height > 0 && box.top > 0 && box.top < half;
    };
    const headings = [...front.node.querySelectorAll("h1, h2, h3")].filter(seen);
    return [front.context.path, headings.map(node => node.textContent.replace("¶", ""))];
}"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    """Start JupyterLab as `make lab` does."""
    server = LabServer(tmp_path_factory.mktemp("lookups"))
    yield server
    server.stop()


@pytest.fixture
def seat(browser: Any, server: LabServer) -> Iterator[Seat]:
    """Open the start page."""
    seat = Seat(browser, START_PAGE)
    seat.page.goto(f"{server.address}&reset")
    seat.page.wait_for_selector(CARD)
    yield seat
    seat.close()


def open_page(seat: Seat, name: str) -> None:
    """Follow the link on the start page to an index page."""
    seat.page.locator(f'.labkit-start a[href*="{name}"]').first.click()
    wait_for_front(seat, name)


def wait_for_front(seat: Seat, name: str) -> None:
    seat.page.wait_for_function(
        "name => window.jupyterapp.shell.currentWidget?.context?.path === name", arg=name
    )


def click(seat: Seat, words: str) -> None:
    """Follow the first link with these words in the widget in front."""
    id = seat.page.evaluate("window.jupyterapp.shell.currentWidget.id")
    seat.page.locator(f'[id="{id}"] a', has_text=re.compile(re.escape(words))).first.click()


def wait_until_in_sight(seat: Seat, path: str, heading: str) -> None:
    seat.page.wait_for_function(
        f"([path, heading]) => {{ const [front, seen] = ({IN_SIGHT})();"
        " return front === path && seen.includes(heading); }",
        arg=[path, heading],
        polling=200,
    )


def test_an_entry_leads_to_the_section_of_its_lesson(seat):
    open_page(seat, "SYMPTOMS.md")
    entry = "predict is slow, called for one row at a time"
    click(seat, entry)  # in the contents
    wait_until_in_sight(seat, "SYMPTOMS.md", entry)
    click(seat, "What does one row cost?")
    wait_until_in_sight(seat, "02_direct_call_loop.ipynb", "What does one row cost?")


def test_a_word_in_a_lesson_leads_to_the_glossary_and_on(seat, server):
    seat.page.goto(server.address_of("04_inside_the_graph.ipynb"))
    wait_for_front(seat, "04_inside_the_graph.ipynb")
    click(seat, "concrete function")
    wait_until_in_sight(seat, "GLOSSARY.md", "concrete function")
    click(seat, "What freezes?")
    wait_until_in_sight(seat, "04_inside_the_graph.ipynb", "What freezes?")


def test_the_cheat_sheet_is_a_page_of_the_start_page(seat):
    open_page(seat, "CHEATSHEET.md")
    assert Path(seat.page.evaluate(IN_SIGHT)[0]).name == "CHEATSHEET.md"
