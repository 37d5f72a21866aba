"""What a page looks like, to the eye and to a screen reader."""

import io
import re
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from nbconvert import HTMLExporter
from nbformat import NotebookNode
from PIL import Image
from playwright.sync_api import Page
from seat import WIDTH, Seat

LIGHT, DARK = "JupyterLab Light", "JupyterLab Dark"
THEMES = {"light": LIGHT, "dark": DARK}
# How a lesson is looked at: each theme and each width once. A theme changes no widths, and a width
# no colours.
LOOKS = {"light": (LIGHT, 1280), "dark": (DARK, 800)}
# Pixels: a browser cannot draw much more at once.
TALLEST = 8000
# The calls that answer in labkit's own words, whose output never breaks a word.
OURS = r"\blab\.(check|claim|doctor|expect|guess|hint|progress|verdicts)\("
# Of a lesson in JupyterLab: what comes from the course.
IN_JUPYTERLAB = {
    "include": [[".jp-OutputArea"], [".jp-MarkdownOutput"]],
    "exclude": [
        [".jp-OutputPrompt"],  # JupyterLab's own: the grey count beside an output
        [".jp-OutputArea-promptOverlay"],  # JupyterLab's own: a click there folds the output
        [".jp-InternalAnchorLink"],  # JupyterLab's own: the sign beside a heading that links to it
        [".jp-MarkdownOutput pre"],  # JupyterLab's own colours of code in a text
    ],
}
# Of a page made by nbconvert.
IN_STATIC_PAGE = {
    "include": [[".jp-OutputArea"], [".jp-MarkdownOutput"]],
    "exclude": [
        [".jp-OutputPrompt"],  # nbconvert's own: the grey count beside an output
        [".anchor-link"],  # nbconvert's own: the sign beside a heading that links to it
        [".highlight"],  # nbconvert's own colours of code in a text
    ],
}
# Rules about a page as a whole, or about what a template decides.
NOT_OURS = {
    "region": "which landmarks a page has is JupyterLab's and nbconvert's to say",
    "link-in-text-block": "the look of links is that of JupyterLab and of nbconvert's template",
    "scrollable-region-focusable": "JupyterLab makes long outputs scroll",
}
# The rules that may say another thing in another theme, or in a narrower window.
BY_LOOK = ["color-contrast", "link-in-text-block", "scrollable-region-focusable"]
# What axe would prepare for rules that are not used here, and for reports that nobody reads.
NOT_NEEDED = {"preload": False, "iframes": False, "selectors": False}
# Scroll a notebook, and return where its visible part ends, and its last cell: below that one there
# is room for a window full.
SCROLL = """(view, top) => {
    view.scrollTo(0, top);
    const last = [...view.querySelectorAll(".jp-Cell")].at(-1).getBoundingClientRect();
    const end = last.bottom - view.getBoundingClientRect().top + view.scrollTop;
    return [view.scrollTop + view.clientHeight, end].map(Math.ceil);
}"""
_axe = Axe()


def set_look(seat: Seat, theme: str, width: int) -> None:
    """Set JupyterLab's theme and the width of the window, and wait until the page has followed."""
    seat.page.set_viewport_size({"width": width, "height": 1000})
    if seat.page.evaluate("document.body.dataset.jpThemeName") != theme:
        seat.page.evaluate("theme => seat.setTheme(theme)", theme)
        seat.wait_for("theme => document.body.dataset.jpThemeName === theme", theme)
    prepare(seat.page)


def prepare(page: Page) -> None:
    """Add looks.js to a page, and wait until all its cells have a layout."""
    page.evaluate(Path(__file__).with_name("looks.js").read_text(encoding="utf-8"))
    page.evaluate("looks.settle()")


def layout_problems(seat: Seat) -> list[str]:
    """Return what is cut, broken or too wide in the outputs of a lesson."""
    return seat.page.evaluate("args => looks.lesson(...args)", [seat.path, OURS])


def axe_problems(
    page: Page, context: dict[str, Any] | None = None, *, rules: str = "all"
) -> list[str]:
    """Return what axe finds, one sentence for each element.

    `rules`: "all", or, where axe has seen the same in another look, only those "of the look"; or,
    where it has seen other contents in the same look, only those "of the content".
    """
    left_out = list(NOT_OURS) if context else []
    if rules == "of the content":
        left_out += BY_LOOK
    options: dict[str, Any] = {"resultTypes": ["violations"], **NOT_NEEDED}
    if rules == "of the look":
        values = [rule for rule in BY_LOOK if rule not in left_out]
        options["runOnly"] = {"type": "rule", "values": values}
    else:
        options["rules"] = {rule: {"enabled": False} for rule in left_out}
    found = _axe.run(page, context, options)
    problems = []
    for violation in found.response["violations"]:
        for node in violation["nodes"]:
            problems.append(f"{violation['id']}: {node['html'][:200]}")
    return problems


def static_page(notebook: NotebookNode) -> str:
    """Return a notebook as a page of HTML, without the scripts that nbconvert's template loads."""
    exporter = HTMLExporter(
        embed_images=True,
        mathjax_url="",
        require_js_url="",
        jquery_url="",
        mermaid_js_url="",
        widget_renderer_url="",
    )
    page, _ = exporter.from_notebook_node(notebook)
    return re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)


def screenshot_of_all(seat: Seat, path: Path) -> None:
    """Store a picture of a whole lesson, put together from several windows full."""
    path.parent.mkdir(parents=True, exist_ok=True)
    view = seat.notebook.locator(".jp-WindowedPanel-outer")
    seat.page.set_viewport_size({"width": WIDTH, "height": TALLEST})
    prepare(seat.page)
    whole = Image.new("RGB", (0, 0))
    bottom = end = 0
    while not bottom or bottom < end:
        bottom, end = view.evaluate(SCROLL, bottom)
        seat.page.evaluate("looks.settle()")
        piece = Image.open(io.BytesIO(view.screenshot()))
        longer = Image.new("RGB", (piece.width, min(bottom, end)))
        longer.paste(whole)
        longer.paste(piece, (0, bottom - piece.height))
        whole = longer
    whole.save(path)
