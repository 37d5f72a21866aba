"""What a page looks like, to the eye and to a screen reader."""

import re
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from nbconvert import HTMLExporter
from nbformat import NotebookNode
from playwright.sync_api import Page
from seat import Seat

LIGHT, DARK = "JupyterLab Light", "JupyterLab Dark"
THEMES = {"light": LIGHT, "dark": DARK}
WIDTHS = (1280, 800)
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


def axe_problems(page: Page, context: dict[str, Any]) -> list[str]:
    """Return what axe finds, one sentence for each element."""
    rules = {rule: {"enabled": False} for rule in NOT_OURS}
    found = _axe.run(page, context, {"resultTypes": ["violations"], "rules": rules})
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
    """Store a picture of a whole lesson, as far as a browser can draw one."""
    view = seat.notebook.locator(".jp-WindowedPanel-outer")
    height = view.evaluate("node => node.scrollHeight")
    seat.page.set_viewport_size({"width": WIDTHS[0], "height": min(height + 100, 16_000)})
    view.evaluate("node => node.scrollTo(0, 0)")
    prepare(seat.page)
    seat.page.screenshot(path=path)
