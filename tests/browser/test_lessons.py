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
from real_server import free_port
from seat import Seat, is_outside, numbers_in
from walk import ExplorerControl, GuessControl, Notes, Walk

# Seconds: how soon a measurement ends after it was stopped. On a busy machine the clock says
# nothing; the processor time of the kernel does, if the clock shows that it does not just wait.
SOON, SOON_WHEN_BUSY = 2, 30
# What an output shows that was closed before it was saved, or whose kernel is gone.
LEFT_OVER = re.compile(r"\d+ ?%\s*\||<progress|progressbar|\[\?it/s|FloatProgress")
LOST = re.compile("Error displaying widget|model not found|Loading widget", re.IGNORECASE)
# JupyterLab's own, on a busy machine: the course's extension has it look again.
LOOKED_FOR_AGAIN = re.compile("^Error: widget model not found")


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
    guesses: dict[str, tuple[str, str]]
    pictures: dict[str, tuple[str, str]]
    text: str
    bars: int


class Desk:
    """Where one process takes its lessons, day after day: a folder, a browser and a JupyterLab.

    A new JupyterLab shows the lesson of the day before, and there the next lesson is taken. To
    start one takes as long as a short lesson.
    """

    def __init__(self, browser: Any, folder: Path):
        self.browser = browser.new_context()  # its cache and its cookies last, as a learner's do
        self.folder = folder
        self.port = free_port()  # the same on all days: the browser has the code of the page
        self._is_checked = False
        self._server: LabServer | None = None

    def server(self) -> LabServer:
        """Return the running JupyterLab; start one if there is none."""
        if self._server is None:
            checks = not self._is_checked
            self._server = LabServer(self.folder, port=self.port, checks=checks)
            self._is_checked = True
        return self._server

    def press_ctrl_c(self) -> int:
        """End JupyterLab as a learner does, and return its exit status."""
        server = self.server()
        try:
            return server.press_ctrl_c()
        finally:
            self.leave(server)  # which changes nothing if it has ended

    def leave(self, server: LabServer) -> None:
        """Stop this JupyterLab, if it is the one that runs: a kernel may hang in it."""
        if self._server is server:
            self._server = None
            server.stop()

    def clear(self) -> None:
        """Stop what runs."""
        if self._server is not None:
            self.leave(self._server)
        self.browser.close()


@pytest.fixture(scope="session")
def desk(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """Return the desk of this process."""
    desk = Desk(browser, tmp_path_factory.mktemp("learner"))
    yield desk
    desk.clear()


@pytest.fixture(scope="class")
def visit(lesson: str, desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visit]:
    """Walk through a lesson, which takes minutes: all its tests need the same walk."""
    played = tmp_path_factory.getbasetemp() / "played"
    if "PYTEST_XDIST_WORKER" in os.environ:
        played = tmp_path_factory.getbasetemp().parent / "played"  # one for all processes
    (played / file_name(lesson)).mkdir(parents=True)  # fails if another process plays it, too
    server = desk.server()
    seat = Seat(desk.browser, lesson)
    try:
        with screenshot_of_failure(seat):
            seat.open(f"{server.address_of(lesson)}&reset")  # no tab of the lesson before
            notes = Walk(seat, lesson, server).play()
        yield Visit(lesson, seat, server, notes)
    finally:
        seat.close()
        desk.leave(server)


@pytest.fixture(scope="class")
def next_day(visit: Visit, desk: Desk) -> Iterator[NextDay]:
    """Save the lesson, end JupyterLab, and open the lesson in a new one."""
    notes = visit.notes
    visit.seat.save()
    visit.seat.close()  # or its page would go on asking a server that is gone
    status = desk.press_ctrl_c()
    saved = nbformat.read(visit.server.workspace / visit.lesson, as_version=4)
    server = desk.server()
    seat = Seat(desk.browser, visit.lesson)
    is_done = False
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
        yield NextDay(seat, saved, status, guesses, pictures, text, bars)
        seat.end_kernels()
        is_done = True
    finally:
        seat.close()
        if not is_done:
            desk.leave(server)


@contextlib.contextmanager
def screenshot_of_failure(seat: Seat) -> Iterator[None]:
    """Store what the page looks like when something on it fails, what is in it, and its console."""
    try:
        yield
    except BaseException:
        if folder := os.environ.get("LABKIT_SCREENSHOTS"):
            stem = Path(folder) / f"{file_name(seat.path)}-failed"
            seat.page.screenshot(path=stem.with_suffix(".png"))
            stem.with_suffix(".html").write_text(seat.page.content(), encoding="utf-8")
            stem.with_suffix(".txt").write_text("\n".join(seat.errors), encoding="utf-8")
        raise


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
        # Stopped before anything was measured, there is nothing to return: that is said in a line.
        assert all(error.startswith("Stopped: Stopped too early") for error in stop.errors), stop
        # A picture shows by itself what was measured.
        is_told = "interrupted" in stop.text or "Stopped too early" in stop.text
        assert is_told or stop.has_picture, stop
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

    @pytest.mark.parametrize("theme", looks.LOOKS)
    def test_it_can_be_read_by_everybody(self, visit: Visit, theme: str) -> None:
        looks.set_look(visit.seat, *looks.LOOKS[theme])
        problems = looks.layout_problems(visit.seat)
        rules = "all" if theme == "light" else "of the look"
        problems += looks.axe_problems(visit.seat.page, looks.IN_JUPYTERLAB, rules=rules)
        if folder := os.environ.get("LABKIT_SCREENSHOTS"):
            path = Path(folder) / f"{file_name(visit.lesson)}-{theme}.png"
            looks.screenshot_of_all(visit.seat, path)
        assert problems == []

    # ---- from here on: saved, and the next day ----

    def test_it_is_there_the_next_day(self, visit: Visit, next_day: NextDay) -> None:
        assert next_day.guesses == visit.notes.last_guesses()
        assert next_day.pictures == visit.notes.last_pictures()
        assert not LOST.search(next_day.text)
        assert not LEFT_OVER.search(next_day.text)
        assert next_day.bars == 0

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
        reference = lessons.notebook(visit.lesson)
        for notebook, rules in [(reference, "all"), (next_day.saved, "of the content")]:
            page.set_content(looks.static_page(notebook))
            assert looks.axe_problems(page, looks.IN_STATIC_PAGE, rules=rules) == []
        assert [url for url in urls if is_outside(url)] == []
        page.close()

    def test_the_console_is_clean(self, visit: Visit, next_day: NextDay) -> None:
        assert visit.seat.errors == []
        errors = [error for error in next_day.seat.errors if not LOOKED_FOR_AGAIN.search(error)]
        assert errors == []

    def test_no_other_machine_is_asked(self, visit: Visit, next_day: NextDay) -> None:
        urls = visit.seat.urls + next_day.seat.urls
        assert urls
        assert [url for url in urls if is_outside(url)] == []

    def test_it_ends_with_ctrl_c(self, visit: Visit, next_day: NextDay) -> None:
        assert next_day.status == 0
        said = visit.server.said()
        assert "Traceback" not in said, said[said.find("Traceback") :]


def test_with_the_keyboard_alone_a_lesson_is_done_reloaded_and_begun_again(
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
        seat.save()
        seat.reload()
        assert shown_guesses(seat, notes) == notes.last_guesses()
        for cell, picture in notes.last_pictures().items():
            assert ExplorerControl(seat.output(cell)).seen() == picture
        guess = next(iter(notes.last_guesses()))
        seat.ask("loseWidget", guess)  # as a page does that is too busy to find it in time
        assert shown_guesses(seat, notes) == notes.last_guesses()
        seat.restart_kernel()
        run_setup_and_guesses(seat, notes)
        assert shown_guesses(seat, notes) == notes.last_guesses()
    finally:
        seat.close()
        server.stop()
