"""The way in: the start page on the first day and on the next, file names, a second `make lab`."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lessons
import looks
import pytest
from lab_server import ROOT, LabServer, environment
from playwright.sync_api import Page
from seat import Seat, is_outside

from labkit.course.workspace import START_PAGE

LESSONS = sorted(lessons.paths())
CARD = ".labkit-start .labkit-card"
PAGE = ".labkit-start .jp-RenderedMarkdown"
# JupyterLab's own: the sign beside a heading that links to it.
AXE = {"include": [[PAGE]], "exclude": [[".jp-InternalAnchorLink"]]}
CUT_NAMES = """() => {
    const names = [...document.querySelectorAll("#filebrowser .jp-DirListing-itemText")];
    const isCut = node => node.scrollWidth > node.clientWidth + 1;
    return names.filter(name => [name, ...name.children].some(isCut)).map(name => name.innerText);
}"""
NOTHING_HANGS_OUT = """selector => {
    const page = document.querySelector(selector);
    return page.scrollWidth <= page.clientWidth;
}"""
SET_TAGS = """tags => {
    window.jupyterapp.shell.currentWidget.content.activeCell.model.setMetadata("tags", tags);
}"""
LABEL = """() => {
    const cell = window.jupyterapp.shell.currentWidget.content.activeCell;
    return getComputedStyle(cell.node, "::before").content;
}"""
LABELS = """() => [...document.querySelectorAll(".jp-Notebook .labkit-exercise")].map(
    cell => getComputedStyle(cell, "::before").content
)"""
ACTIVE = """path => {
    const panel = window.jupyterapp.shell.currentWidget;
    return panel?.context?.path === path && panel.content.activeCell?.model.id;
}"""
IS_ACTIVE = f"args => ({ACTIVE})(args[0]) === args[1]"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an empty folder for all files of a learner."""
    return tmp_path_factory.mktemp("newcomer")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[LabServer]:
    """Start JupyterLab as `make lab` does."""
    server = LabServer(folder)
    yield server
    server.stop()


@pytest.fixture
def seat(browser: Any, server: LabServer) -> Iterator[Seat]:
    """Open the address that was printed; at the end nothing has failed, and nobody was asked."""
    seat = Seat(browser, START_PAGE)
    # JupyterLab would give the side bar the part of the window that an earlier test left to it.
    seat.page.goto(f"{server.address}&reset")
    seat.page.wait_for_selector(CARD)
    yield seat
    errors = list(seat.errors)
    outside = [url for url in seat.urls if is_outside(url)]
    seat.close()
    assert errors == []
    assert outside == []


def is_in_front(page: Page, path: str) -> bool:
    return page.evaluate("window.jupyterapp.shell.currentWidget?.context?.path") == path


def leave_work(workspace: Path, lesson: str) -> str:
    """Run the first cell of a lesson by hand; return the id of the one that comes next."""
    path = workspace / lesson
    notebook = json.loads(path.read_text(encoding="utf-8"))
    first, second = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"][:2]
    first["execution_count"] = 1
    path.write_text(json.dumps(notebook), encoding="utf-8")
    return second["id"]


def test_the_first_day_begins_with_the_first_lesson_and_the_keyboard_is_enough(seat):
    first = LESSONS[0]
    assert is_in_front(seat.page, START_PAGE)
    assert seat.page.locator(CARD).inner_text().startswith("Start with 00")
    for path in LESSONS:
        assert seat.page.locator(f'{PAGE} a[href*="{path}"]').count() >= 1
    seat.tab_to(seat.page.locator(f"{CARD} a"))
    seat.press("Enter")
    seat.page.wait_for_function(ACTIVE, arg=first)
    seat.page.wait_for_function("() => document.querySelector('.labkit-exercise')")
    labels = seat.page.evaluate(LABELS)
    assert labels
    assert all("Your turn" in label for label in labels)


def test_a_cell_looks_like_what_its_tags_say_at_any_time(seat):
    seat.page.evaluate(
        "path => window.jupyterapp.commands.execute('docmanager:open', {path})", LESSONS[0]
    )
    seat.page.wait_for_function(ACTIVE, arg=LESSONS[0])
    seat.page.evaluate("window.jupyterapp.commands.execute('notebook:insert-cell-below')")
    for tags, word in [
        (["solution"], "Solution"),
        (["exercise", "own"], "Your turn"),
        (["scaffold"], "Helper code"),
        (["reading"], "To read"),
        (["own"], "none"),
    ]:
        seat.page.evaluate(SET_TAGS, tags)
        seat.page.wait_for_function(f"word => ({LABEL})().includes(word)", arg=word)


def test_the_page_is_whole_and_can_be_read_by_everybody(seat):
    problems = []
    for theme, name in looks.THEMES.items():
        for width in (1280, 800, 640):  # the last is a page at 200 %
            looks.set_look(seat, name, width)
            seat.page.wait_for_function(NOTHING_HANGS_OUT, arg=PAGE)
            for problem in [*seat.page.evaluate(CUT_NAMES), *looks.axe_problems(seat.page, AXE)]:
                problems.append(f"{theme}, {width} px: {problem}")
            if folder := os.environ.get("LABKIT_SCREENSHOTS"):
                seat.page.screenshot(path=Path(folder) / f"start_page_{theme}_{width}.png")
    assert problems == []


def test_the_page_follows_what_is_done(seat, server):
    lesson = LESSONS[2]
    number = lesson[:2]
    leave_work(server.workspace, lesson)
    record = server.workspace / "progress.json"
    record.write_text(json.dumps({f"{number}.1": "passed"}), encoding="utf-8")
    seat.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    seat.page.wait_for_selector("progress")
    assert seat.page.locator(CARD).inner_text().startswith(f"Go on with {number} ")
    assert re.search(r"\n1 of \d+ exercises passed", seat.page.locator(PAGE).inner_text())


def test_a_second_start_finds_the_first(server, folder):
    command = [sys.executable, "-m", "labkit", "lab", "--no-browser", "2"]
    done = subprocess.run(
        command, cwd=ROOT, env=environment(folder), capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    said = re.search(r"already running at (\S+)", done.stdout)[1]
    assert said == server.address_of(LESSONS[2])


def test_the_next_day_goes_on_at_the_cell_that_comes_next(browser, folder, server):
    lesson = LESSONS[3]
    cell = leave_work(server.workspace, lesson)
    said_before = server.said()
    assert server.press_ctrl_c() == 0
    (line,) = server.said().removeprefix(said_before).split("\n")[:-1]
    assert line == f"JupyterLab has stopped. Your work is in {server.workspace}"
    next_day = LabServer(folder)
    seat = Seat(browser, lesson)
    try:
        seat.page.goto(next_day.address)
        seat.page.wait_for_selector(CARD)
        assert is_in_front(seat.page, START_PAGE)
        assert seat.page.locator(CARD).inner_text().startswith(f"Go on with {lesson[:2]} ")
        for _ in range(2):  # once when the lesson is opened, and once when it is open
            seat.page.locator(f"{CARD} a").click()
            seat.page.wait_for_function(IS_ACTIVE, arg=[lesson, cell])
            seat.page.evaluate("window.jupyterapp.shell.currentWidget.content.activeCellIndex = 0")
            seat.page.locator(f".lm-TabBar-tab:has-text('{START_PAGE}')").click()
        assert seat.errors == []
    finally:
        seat.close()
        next_day.stop()
