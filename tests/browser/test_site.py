"""The reading edition in a browser, from disk: what it asks for, how it looks, where links lead."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import looks
import make_site
import pytest
from pages import ROOT
from playwright.sync_api import Browser, BrowserContext, Page
from reading_pages import find_pages

NAMES = [page.name for page in find_pages(ROOT)] + ["search"]
LOOP = "02_direct_call_loop"
LESSON = f"notebooks/{LOOP}"
# Each theme and each width once: the colours do not depend on the width.
LOOKS = [("light", 1280), ("dark", 480)]
SECONDS_TO_OPEN = 1.0
TRIES = 5  # a page that opens in time once can; a busy machine may need several tries
MEGABYTES = 1.0  # of a page, with its pictures and all that it loads
# Text that is cut at the side of the window, of what is not meant to scroll.
TOO_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
OPENED = "performance.getEntriesByType('navigation')[0].loadEventEnd / 1000"


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the site of this course."""
    if absent := make_site.missing():
        pytest.skip(f'needs {", ".join(absent)}: python -m pip install -e ".[site]"')
    folder = tmp_path_factory.mktemp("site")
    assert make_site.build(ROOT, folder) == []
    return folder / "html"


def opened(context: BrowserContext, html: Path, name: str, fragment: str = "") -> Page:
    """Open a page from disk."""
    page = context.new_page()
    page.goto(f"{(html / name).as_uri()}.html{fragment}")
    return page


@pytest.fixture
def wide(browser: Browser) -> Iterator[BrowserContext]:
    """Return a window of a laptop."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    yield context
    context.close()


@pytest.mark.parametrize("name", NAMES)
def test_a_page_opens_at_once_and_asks_no_other_host(html: Path, wide: Any, name: str) -> None:
    asked: list[str] = []
    wide.on("request", lambda request: asked.append(request.url))
    seconds: list[float] = []
    for _ in range(TRIES):
        page = opened(wide, html, name)
        page.wait_for_function(f"{OPENED} > 0")
        seconds.append(page.evaluate(OPENED))
        page.close()
        if seconds[-1] < SECONDS_TO_OPEN:
            break
    assert seconds[-1] < SECONDS_TO_OPEN, seconds
    files = [Path(url2pathname(urlsplit(url).path)) for url in asked if url.startswith("file:")]
    elsewhere = [url for url in asked if not url.startswith(("file:", "data:"))]
    assert elsewhere == []
    assert html / f"{name}.html" in files
    assert sum(file.stat().st_size for file in set(files)) < MEGABYTES * 1e6


@pytest.mark.parametrize(("theme", "width"), LOOKS)
def test_axe_finds_nothing_and_nothing_is_too_wide(
    html: Path, browser: Browser, theme: Any, width: int
) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=theme, reduced_motion="reduce"
    )
    problems = []
    for name in NAMES:
        page = opened(context, html, name)
        page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        if page.evaluate(TOO_WIDE) > 0:
            problems.append(f"{name}: wider than the window by {page.evaluate(TOO_WIDE)} pixels")
        found = looks.axe_problems(page, rules="all" if theme == "light" else "of the look")
        problems += [f"{name}: {problem}" for problem in found]
        page.close()
    context.close()
    assert problems == []


def test_the_button_switches_the_theme_and_it_stays(html: Path, wide: Any) -> None:
    page = opened(wide, html, LESSON)
    background = "getComputedStyle(document.body).backgroundColor"
    before = page.evaluate(background)
    for _ in range(3):  # dark, light, as the system
        page.locator(".theme-toggle:visible").first.click()
        if page.evaluate(background) != before:
            break
    after = page.evaluate(background)
    assert after != before
    assert page.evaluate("getComputedStyle(document.body).colorScheme") == "dark"
    page.reload()
    assert page.evaluate(background) == after


def test_a_solution_opens_with_the_keyboard(html: Path, wide: Any) -> None:
    page = opened(wide, html, LESSON)
    line = page.locator("summary", has_text="Solution").first
    code = page.locator("details:has(summary:has-text('Solution')) pre").first
    assert not code.is_visible()
    line.focus()
    page.keyboard.press("Enter")
    assert code.is_visible()


@pytest.mark.parametrize(
    ("name", "link", "heading"),
    [
        (
            "notebooks/CHEATSHEET",
            f"{LOOP}.html#cell-id=218ec6cb",
            "More rows in a call",
        ),
        ("notebooks/SYMPTOMS", "#model%28x%29-is-slower-than-predict", "model(x) is slower"),
        (LESSON, "GLOSSARY.html#row", "row"),
    ],
)
def test_a_link_to_a_section_leads_there(
    html: Path, wide: Any, name: str, link: str, heading: str
) -> None:
    page = opened(wide, html, name)
    page.locator(f'article a[href="{link}"]').first.click()
    wanted = page.locator("h2, h3", has_text=heading).first
    wanted.wait_for()
    page.wait_for_function("document.readyState === 'complete'")
    top = wanted.evaluate("node => node.getBoundingClientRect().top")
    assert 0 <= top < 300


def test_the_search_finds_a_section(html: Path, wide: Any) -> None:
    page = opened(wide, html, "search", "?q=retracing")
    page.locator("#search-results li a").first.wait_for()
    assert page.locator("#search-results li a[href*='03_tf_function']").count() > 0
