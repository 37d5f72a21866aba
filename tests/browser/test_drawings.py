"""The texts of the drawings stay in their boxes and in the drawing, whatever font is there."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

IMAGES = Path(__file__).resolve().parents[2] / "notebooks" / "images"
DRAWINGS = sorted(path.name for path in IMAGES.glob("*.svg"))

# A text belongs to the smallest box in which its middle lies. It may touch the box: a font differs
# from machine to machine by a few units.
TEXTS_THAT_LEAVE = """svg => {
  const corners = part => {
    const box = part.getBBox(), matrix = part.getCTM();
    const at = (x, y) => new DOMPoint(x, y).matrixTransform(matrix);
    const one = at(box.x, box.y), other = at(box.x + box.width, box.y + box.height);
    return {left: Math.min(one.x, other.x), right: Math.max(one.x, other.x),
            top: Math.min(one.y, other.y), bottom: Math.max(one.y, other.y)};
  };
  const area = box => (box.right - box.left) * (box.bottom - box.top);
  const whole = svg.viewBox.baseVal, scale = svg.getCTM();
  const all = {left: 0, top: 0, right: whole.width * scale.a, bottom: whole.height * scale.d};
  const boxes = [...svg.querySelectorAll("rect")].map(corners).concat([all])
    .sort((one, other) => area(one) - area(other));
  const found = [];
  for (const part of svg.querySelectorAll("text")) {
    const text = corners(part);
    const x = (text.left + text.right) / 2, y = (text.top + text.bottom) / 2;
    const around = boxes.find(box =>
      box.left <= x && x <= box.right && box.top <= y && y <= box.bottom);
    const over = around === undefined ? Infinity
      : Math.max(around.left - text.left, text.right - around.right);
    if (over > 0) found.push(`${part.textContent.trim()} (${over.toFixed(0)})`);
  }
  return found;
}"""


@pytest.fixture(scope="module")
def page(browser: Any) -> Iterator[Page]:
    page = browser.new_page()
    yield page
    page.close()


def texts_that_leave(page: Page, source: str) -> Any:
    """Return the texts of a drawing that leave their box, each with the units it is too long by."""
    page.set_content(source)
    return page.locator("svg").first.evaluate(TEXTS_THAT_LEAVE)


@pytest.mark.parametrize("name", DRAWINGS)
def test_each_text_stays_in_its_box(page: Page, name: str) -> None:
    assert texts_that_leave(page, (IMAGES / name).read_text(encoding="utf-8")) == []


def test_a_text_that_is_too_long_is_found(page: Page) -> None:
    source = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 400 100" width="400">
      <rect x="10" y="10" width="150" height="60"/>
      <text x="20" y="40" font-size="14">a text that is longer than its box</text>
      <text x="20" y="60" font-size="14">short</text>
      <text x="300" y="90" font-size="14">it leaves the drawing</text></svg>"""
    found = texts_that_leave(page, source)
    assert [text.split(" (")[0] for text in found] == [
        "a text that is longer than its box",
        "it leaves the drawing",
    ]
