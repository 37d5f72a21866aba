"""A browser for the tests, and the lessons that they play."""

import os
import shutil
from collections.abc import Iterator
from typing import Any

import lessons
import pytest
from playwright.sync_api import Browser, Error, Playwright, sync_playwright
from scheduling import Scheduling

ARGUMENTS = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
NO_BROWSER = (
    "make test-browser needs Chromium, and found none that starts: install chromium, or name one:"
    " make test-browser CHROMIUM=/path/to/chromium"
)


def find_chromium() -> str | None:
    """Return $CHROMIUM or a browser on the PATH; None for Playwright's own. As in .ci/run."""
    if path := os.environ.get("CHROMIUM"):
        return path
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    return None


def launch(playwright: Playwright) -> Browser:
    """Start a headless Chromium."""
    arguments = list(ARGUMENTS)
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        arguments.append("--no-sandbox")  # Chromium has no sandbox for root, the user of containers
    return playwright.chromium.launch(executable_path=find_chromium(), args=arguments)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options that choose lessons; the other tests run in any case."""
    parser.addoption("--only", default="", help='play these lessons, such as "00 03"')
    parser.addoption("--part", default="1/1", help="play a part of the lessons, such as 2/3")


def pytest_sessionstart(session: pytest.Session) -> None:
    """Say in one sentence that there is no browser, in place of an error in every test."""
    if hasattr(session.config, "workerinput"):
        return
    try:
        with sync_playwright() as playwright:
            launch(playwright).close()
    except Error:
        pytest.exit(NO_BROWSER, returncode=1)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Play each lesson that was chosen."""
    if "lesson" in metafunc.fixturenames:
        chosen = chosen_lessons(metafunc.config)
        metafunc.parametrize("lesson", chosen, ids=chosen, scope="class")


def chosen_lessons(config: pytest.Config) -> list[str]:
    """Return the lessons that --only and --part leave, the longest first."""
    only = tuple(config.getoption("--only").split())
    part, parts = map(int, config.getoption("--part").split("/"))
    return [path for path in lessons.paths()[part - 1 :: parts] if path.startswith(only or "")]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduling:
    """Let pytest-xdist schedule by lesson."""
    return Scheduling(config, log)


@pytest.fixture
def keyboard_lesson() -> str:
    """Return the shortest lesson that has everything: a guess, a slider, a measurement."""
    return lessons.shortest_with_everything()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Yield a headless Chromium."""
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()
