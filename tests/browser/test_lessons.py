"""Every lesson as a person takes it: guess, measure, explore, solve, stop, and go on next day."""

import contextlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lessons
import looks
import nbformat
import pytest
from lab_server import LabServer
from lessons import GUESS, measures
from seat import Seat, is_outside, numbers_in
from walk import ExplorerControl, GuessControl, Notes, Walk

# Seconds: how soon a measurement ends after it was stopped. On a busy machine the clock says
# nothing; the processor time of the kernel does, if the clock shows that it does not just wait.
SOON, SOON_WHEN_BUSY = 2, 30
# What an output shows that was closed before it was saved, or whose kernel is gone.
LEFT_OVER = re.compile(r"\d+ ?%\s*\||<progress|progressbar|\[\?it/s|FloatProgress")
LOST = re.compile("Error displaying widget|model not found|Loading widget", re.IGNORECASE)


@dataclass
class Visit:
    """A lesson that was opened and walked through."""

    lesson: str
    seat: Seat
    server: LabServer
    notes: Notes


@dataclass
class NextDay:
    """A lesson that is opened again in a new JupyterLab."""

    seat: Seat
    saved: Any
    status: int
    reloaded: dict[str, tuple[str, str]]
    guesses: dict[str, tuple[str, str]]
    pictures: dict[str, tuple[str, str]]
    text: str
    bars: int
    run_again: dict[str, tuple[str, str]]


@pytest.fixture(scope="class")
def folder(lesson: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an empty folder for all files of a learner who takes this lesson, and no other."""
    return tmp_path_factory.mktemp(f"learner-{file_name(lesson)}")


@pytest.fixture(scope="class")
def visit(lesson: str, browser: Any, folder: Path) -> Iterator[Visit]:
    """Walk through a lesson."""
    server = LabServer(folder, *named(lesson))
    seat = Seat(browser, lesson)
    try:
        with screenshot_of_failure(seat):
            seat.open(server.address_of(lesson))
            notes = Walk(seat, lesson, server).play()
        yield Visit(lesson, seat, server, notes)
    finally:
        seat.close()
        server.stop()


@pytest.fixture(scope="class")
def next_day(visit: Visit, browser: Any, folder: Path) -> Iterator[NextDay]:
    """Save the lesson, reload it, end JupyterLab, open the lesson in a new one, and begin."""
    notes = visit.notes
    visit.seat.save()
    visit.seat.reload()
    reloaded = shown_guesses(visit.seat, notes)
    visit.seat.close()  # or its page would go on asking a server that is gone
    status = visit.server.press_ctrl_c()
    saved = nbformat.read(visit.server.workspace / visit.lesson, as_version=4)
    server = LabServer(folder, *named(visit.lesson))
    seat = Seat(browser, visit.lesson)
    try:
        with screenshot_of_failure(seat):
            seat.open(server.address_of(visit.lesson))
            guesses = shown_guesses(seat, notes)
            pictures = {}
            for cell in notes.last_pictures():
                pictures[cell] = ExplorerControl(seat.output(cell)).seen()
            outputs = seat.notebook.locator(".jp-OutputArea")
            text = "\n".join(outputs.all_text_contents())
            # Not in the bar above the notebook, where JupyterLab shows that its kernel is at work.
            bars = outputs.get_by_role("progressbar").count()
            run_setup_and_guesses(seat, notes)
            run_again = shown_guesses(seat, notes)
        yield NextDay(seat, saved, status, reloaded, guesses, pictures, text, bars, run_again)
    finally:
        seat.close()
        server.stop()


@contextlib.contextmanager
def screenshot_of_failure(seat: Seat) -> Iterator[None]:
    """Store what the page looks like when something on it fails."""
    try:
        yield
    except BaseException:
        if folder := os.environ.get("LABKIT_SCREENSHOTS"):
            seat.page.screenshot(path=Path(folder) / f"{file_name(seat.path)}-failed.png")
        raise


def named(lesson: str) -> list[str]:
    """Return how a learner names a lesson on the command line; others are opened from its page."""
    return [] if "/" in lesson else [lesson]


def file_name(lesson: str) -> str:
    """Return the name of a lesson for its screenshots."""
    return lesson.removesuffix(".ipynb").replace("/", "-")


def shown_guesses(seat: Seat, notes: Notes) -> dict[str, tuple[str, str]]:
    """Return the question and the number that the page shows for each guess."""
    shown = {}
    for cell in notes.last_guesses():
        shown[cell] = GuessControl(seat.output(cell)).seen()
    return shown


def run_setup_and_guesses(seat: Seat, notes: Notes) -> None:
    """Run the first code cell of a lesson, and then only the guesses.

    JupyterLab saves every now and then: here it does while the first guess waits for the setup.
    """
    setup = next(cell["id"] for cell in seat.cells() if cell["type"] == "code")
    seat.go_to(setup)
    seat.run()
    for cell in notes.last_guesses():
        seat.go_to(cell)
        seat.run()
        seat.save()
    seat.wait()


def one_space(text: str) -> str:
    """Return a text with single spaces, as an expected part is written, and no code quotes."""
    return " ".join(text.replace("`", "").split())


# ---- what holds of every walk ----


def check_guesses(notes: Notes) -> None:
    """Check that each guess is kept while its cell runs again, and shown with the measurement."""
    for guess in notes.guesses:
        number = numbers_in(guess.said)[0]
        assert guess.after_running_on == guess.said, guess
        assert number in numbers_in(guess.seen_in), guess


def check_explorations(notes: Notes) -> None:
    """Check that each move of a slider led to another picture, with its words."""
    for move in notes.explorations:
        assert move.before[0] != move.after[0], move.moved_by
        assert move.after[1].strip(), move.moved_by


def check_answers(notes: Notes) -> None:
    """Check that an answer is wrong, then right, and that there is a hint."""
    for check in notes.checks:
        assert one_space(check.wanted) in one_space(check.said), check
    for hint in notes.hints:
        assert "Hint 1 of 3" in hint


def check_stops(notes: Notes) -> None:
    """Check that a stopped measurement ends at once, with what was measured and no traceback."""
    for stop in notes.stops:
        in_time = stop.seconds <= SOON or stop.processor_seconds <= SOON
        assert in_time and stop.seconds < SOON_WHEN_BUSY, stop
        assert stop.errors == [], stop
        # A picture shows by itself what was measured.
        assert "interrupted" in stop.text or stop.has_picture, stop
        assert "Traceback" not in stop.text, stop


class TestLesson:
    """One lesson, on two days."""

    def test_only_this_machine_can_reach_it(self, visit: Visit) -> None:
        assert visit.server.bound == {"127.0.0.1"}

    def test_every_cell_runs(self, visit: Visit) -> None:
        for cell in visit.seat.cells():
            assert cell["errors"] == [], cell["source"]
            has_run = cell["count"] is not None or not cell["source"].strip()
            assert cell["type"] != "code" or has_run, cell["source"]

    def test_nothing_of_the_lesson_was_left_out(self, visit: Visit) -> None:
        notes = visit.notes
        code = lessons.code(visit.lesson)
        exercises = {exercise.id for exercise in lessons.exercises(visit.lesson)}
        assert {guess.name for guess in notes.guesses} == set(GUESS.findall("\n".join(code)))
        assert {check.exercise for check in notes.checks} == exercises
        assert bool(notes.explorations) == any("lab.explore(" in source for source in code)
        assert bool(notes.stops) == any(measures(source) for source in code)

    def test_guesses_are_kept_and_shown(self, visit: Visit) -> None:
        check_guesses(visit.notes)

    def test_sliders_change_the_picture(self, visit: Visit) -> None:
        check_explorations(visit.notes)

    def test_answers_are_checked_and_hints_given(self, visit: Visit) -> None:
        check_answers(visit.notes)

    def test_a_measurement_can_be_stopped(self, visit: Visit) -> None:
        check_stops(visit.notes)

    @pytest.mark.parametrize("theme", looks.THEMES)
    def test_it_can_be_read(self, visit: Visit, theme: str) -> None:
        problems = []
        for width in looks.WIDTHS:
            looks.set_look(visit.seat, looks.THEMES[theme], width)
            found = looks.layout_problems(visit.seat)
            problems += [f"{width} pixels: {problem}" for problem in found]
        assert problems == []

    @pytest.mark.parametrize("theme", looks.THEMES)
    def test_a_screen_reader_finds_names_for_everything(self, visit: Visit, theme: str) -> None:
        looks.set_look(visit.seat, looks.THEMES[theme], looks.WIDTHS[0])
        if folder := os.environ.get("LABKIT_SCREENSHOTS"):
            path = Path(folder) / f"{file_name(visit.lesson)}-{theme}.png"
            looks.screenshot_of_all(visit.seat, path)
        assert looks.axe_problems(visit.seat.page, looks.IN_JUPYTERLAB) == []

    # ---- from here on: saved, and the next day ----

    def test_it_is_there_after_a_reload(self, visit: Visit, next_day: NextDay) -> None:
        assert next_day.reloaded == visit.notes.last_guesses()

    def test_it_is_there_the_next_day(self, visit: Visit, next_day: NextDay) -> None:
        assert next_day.guesses == visit.notes.last_guesses()
        assert next_day.pictures == visit.notes.last_pictures()
        assert not LOST.search(next_day.text)
        assert not LEFT_OVER.search(next_day.text)
        assert next_day.bars == 0

    def test_guesses_are_kept_by_a_new_kernel(self, visit: Visit, next_day: NextDay) -> None:
        assert next_day.run_again == visit.notes.last_guesses()

    def test_the_saved_file_holds_no_progress_bar(self, next_day: NextDay) -> None:
        for cell in next_day.saved.cells:
            for output in cell.get("outputs", []):
                texts = [output.get("text", ""), *output.get("data", {}).values()]
                assert not LEFT_OVER.search("\n".join(map(str, texts))), cell.source

    def test_its_static_page_is_for_everybody(
        self, visit: Visit, next_day: NextDay, browser: Any
    ) -> None:
        urls: list[str] = []
        page = browser.new_page()
        page.on("request", lambda request: urls.append(request.url))
        for notebook in (lessons.notebook(visit.lesson), next_day.saved):
            page.set_content(looks.static_page(notebook))
            assert looks.axe_problems(page, looks.IN_STATIC_PAGE) == []
        assert [url for url in urls if is_outside(url)] == []
        page.close()

    def test_the_console_is_clean(self, visit: Visit, next_day: NextDay) -> None:
        assert visit.seat.errors == []
        assert next_day.seat.errors == []

    def test_no_other_machine_is_asked(self, visit: Visit, next_day: NextDay) -> None:
        urls = visit.seat.urls + next_day.seat.urls
        assert urls
        assert [url for url in urls if is_outside(url)] == []

    def test_it_ends_with_ctrl_c(self, visit: Visit, next_day: NextDay) -> None:
        assert next_day.status == 0
        assert "Traceback" not in visit.server.said()


@pytest.mark.xdist_group("keyboard")
def test_a_lesson_can_be_done_with_the_keyboard_alone(
    keyboard_lesson: str, browser: Any, tmp_path: Path
) -> None:
    server = LabServer(tmp_path, keyboard_lesson)
    seat = Seat(browser, keyboard_lesson)
    try:
        seat.open(server.address_of(keyboard_lesson))
        notes = Walk(seat, keyboard_lesson, server, with_mouse=False).play()
        assert notes.guesses and notes.explorations and notes.checks and notes.stops
        check_guesses(notes)
        check_explorations(notes)
        check_answers(notes)
        check_stops(notes)
        assert seat.page.evaluate("seat.timesPointed") == 0
    finally:
        seat.close()
        server.stop()
