"""The stored tables of all lessons and trials fit a small window: a look that takes seconds."""

import json
from typing import Any

import lessons
import pytest
from lab_server import NOTEBOOKS
from playwright.sync_api import Page

# JupyterLab's look in a window of 800 pixels, with its file browser open.
WINDOW = {"width": 800, "height": 1000}
AREA = 368  # pixels
PAGE = """<style>
body { margin: 0; font: 13px system-ui, -apple-system, "DejaVu Sans" }
#area { width: 368px; font-size: 14px; line-height: 1.3 }
table { border-collapse: collapse; font-size: 13px }
td, th { max-width: none; border: none }
code { font-size: inherit }
</style><div id="area">%s</div>"""
WIDEST = "Math.max(...[...document.querySelectorAll('table')].map(table => table.scrollWidth))"
BROKEN = "looks.broken(document.querySelector('#area'))"


@pytest.fixture(scope="module")
def page(browser: Any) -> Page:
    """Return a small window with what the tests of looks need."""
    page = browser.new_page(viewport=WINDOW)
    for name in ("seat.js", "looks.js"):
        page.add_init_script((NOTEBOOKS.parent / "tests" / "browser" / name).read_text("utf-8"))
    return page


def stored_tables(path: str) -> list[tuple[str, str]]:
    """Return the first line of each cell with a table, and its page."""
    found = []
    book = json.loads((NOTEBOOKS / path).read_text(encoding="utf-8"))
    for cell in book["cells"]:
        for output in cell.get("outputs", []):
            table = "".join(output.get("data", {}).get("text/html", ""))
            if "<table" in table:
                found.append(("".join(cell["source"]).split("\n")[0], table))
    return found


@pytest.mark.parametrize("path", lessons.paths())
def test_the_tables_fit_a_small_window_and_break_no_word(page: Page, path: str) -> None:
    problems = []
    for line, table in stored_tables(path):
        page.goto("about:blank")
        page.set_content(PAGE % table)
        widest = page.evaluate(WIDEST)
        if widest > AREA:
            problems.append(f"{line}: {widest} pixels")
        problems += [f"{line}: {word}" for word in page.evaluate(BROKEN)]
    assert problems == []
