"""Play a whole lesson as a person does, and note what was seen."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import lessons
import psutil
from lab_server import BUDGET
from lessons import CHECK, GUESS, measures
from playwright.sync_api import Locator
from seat import MOST_TO_SHOW, Seat

MOUSE, ARROWS, TYPING = "mouse", "arrow keys", "typing"
# Lessons that measure with a hundredth of the budget take as many times as long with this one: long
# enough to stop them.
LONG = 300

GUESS_SEEN = """area => {
    const slider = area.querySelector("input[type=range]");
    const field = area.querySelector("input:not([type=range])");
    return field?.value.trim() && {
        question: slider.getAttribute("aria-label"),
        spoken: slider.getAttribute("aria-valuetext"),
        typed: field.value,
        text: area.textContent,
    };
}"""


@dataclass
class Guess:
    """One guess: how it was made, what the page showed, and where it was seen again."""

    cell: str
    name: str
    question: str
    made_by: str
    said: str
    after_running_on: str
    seen_in: str


@dataclass
class Exploration:
    """One move of a slider: the picture and the words below it, before and after."""

    cell: str
    moved_by: str
    before: tuple[str, str]
    after: tuple[str, str]


@dataclass
class Stop:
    """One measurement that was stopped."""

    source: str
    seconds: float
    processor_seconds: float
    text: str
    has_picture: bool
    errors: list[str]


@dataclass
class Check:
    """One answer, and what `lab.check` said."""

    exercise: str
    wanted: str
    said: str


@dataclass
class Notes:
    """What was seen on the way through a lesson."""

    guesses: list[Guess] = field(default_factory=list)
    explorations: list[Exploration] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)
    stops: list[Stop] = field(default_factory=list)

    def last_guesses(self) -> dict[str, tuple[str, str]]:
        """Return the question and the number of the last guess that was made in each cell."""
        return {guess.cell: (guess.question, guess.said) for guess in self.guesses}

    def last_pictures(self) -> dict[str, tuple[str, str]]:
        """Return the picture and the words that each explorer showed last."""
        return {move.cell: move.after for move in self.explorations}


class Walk:
    """A person on the way through a lesson, from its first cell to its last."""

    def __init__(self, seat: Seat, lesson: str, server: Any, *, with_mouse: bool = True):
        self.seat = seat
        self.lesson = lesson
        self.server = server
        self.with_mouse = with_mouse
        self.notes = Notes()
        self._exercises = {exercise.id: exercise for exercise in lessons.exercises(lesson)}
        self._stub = ""
        self._has_stopped = False

    def play(self) -> Notes:
        """Run every cell with Shift+Enter, and do on the way what each cell asks for."""
        last = self.seat.cells()[-1]["id"]
        while True:
            cell = self.seat.active()
            self._play_cell(cell)
            if cell["id"] == last:
                break
        self.seat.wait()
        return self.notes

    def _play_cell(self, cell: dict[str, Any]) -> None:
        source = cell["source"]
        if cell["type"] != "code":
            self.seat.run()
        elif GUESS.search(source):
            self._guess(cell)
        elif "lab.explore(" in source:
            self._explore(cell)
        elif CHECK.search(source):
            self._answer(cell)
        elif measures(source) and not self._has_stopped:
            self._stop_and_measure_again(cell)
        else:
            if "exercise" in cell["tags"]:
                self._stub = cell["id"]
            self.seat.run()

    # ---- guesses ----

    def _guess(self, cell: dict[str, Any]) -> None:
        """Make a guess and run on; the first one of a lesson is made in two ways."""
        made = len(self.notes.guesses)
        if made == 0 and self.with_mouse:
            self._make_guess(cell, MOUSE)
            self.seat.go_to(cell["id"])
            self._make_guess(cell, TYPING)
        else:
            self._make_guess(cell, (ARROWS, TYPING)[made % 2])

    def _make_guess(self, cell: dict[str, Any], how: str) -> None:
        seat, id = self.seat, cell["id"]
        control = GuessControl(seat.output(id))
        if how == MOUSE:
            seat.run_and_wait()
            seat.drag(control.slider, 0.8)
        else:
            seat.run_and_wait("ControlOrMeta+Enter")  # the cell stays the active one
            if how == ARROWS:
                seat.tab_to(control.slider)
                seat.press("ArrowRight", "ArrowRight", "ArrowRight")
            else:
                seat.tab_to(control.field)
                seat.write(typed_guess(cell["source"]))
                seat.press("Enter")
        question, said = control.seen()
        # A click into an output makes its cell the active one: the cell runs a second time.
        assert seat.active()["id"] == id
        seat.run_and_wait()
        _, after = GuessControl(seat.output(id)).seen()
        if how == TYPING and float(after) == float(said):
            said = after  # 21.0 for 21, which stays as it was typed until the kernel has time
        name = GUESS.search(cell["source"])["name"]
        seen_in = self._run_on_to_the_use_of(name)
        self.notes.guesses.append(Guess(id, name, question, how, said, after, seen_in))

    def _run_on_to_the_use_of(self, name: str) -> str:
        """Run on until a cell has used the guess, and return what that cell shows."""
        while True:
            cell = self.seat.active()
            if cell["type"] != "code" or not lessons.uses(cell["source"], name):
                self._play_cell(cell)
                continue
            if measures(cell["source"]) and not self._has_stopped:
                self._stop_and_measure_again(cell)
                return self.seat.text(cell["id"])
            return self.seat.text(self.seat.run_and_wait())

    # ---- sliders over a picture ----

    def _explore(self, cell: dict[str, Any]) -> None:
        """Move a slider, see another picture, and go on."""
        seat, id = self.seat, cell["id"]
        # With Ctrl, the cell stays the active one, and Tab leads to its sliders.
        seat.run_and_wait("Shift+Enter" if self.with_mouse else "ControlOrMeta+Enter")
        explorer = ExplorerControl(seat.output(id))
        if self.with_mouse:
            self._move(id, explorer, MOUSE)
        self._move(id, explorer, ARROWS)
        if self.with_mouse:
            seat.click_on_next(id)
        else:
            seat.run_and_wait()
            self.notes.explorations[-1].after = explorer.seen()

    def _move(self, id: str, explorer: "ExplorerControl", how: str) -> None:
        before = explorer.seen()
        if how == MOUSE:
            self.seat.drag(explorer.sliders.first, 0)
        else:
            self.seat.tab_to(explorer.sliders.first)
            self.seat.press("ArrowRight")
        explorer.wait_for_another_picture(before[0])
        self.seat.wait_for("path => seat.kernelStatus(path) === 'idle'", self.seat.path)
        self.notes.explorations.append(Exploration(id, how, before, explorer.seen()))

    # ---- exercises ----

    def solve_only(self, exercise: lessons.Exercise) -> None:
        """Run the setup, and solve one exercise."""
        code = [cell for cell in self.seat.cells() if cell["type"] == "code"]
        stub = next(cell["id"] for cell in code if cell["source"] == exercise.stub)
        check = next(cell["id"] for cell in code if f'lab.check("{exercise.id}"' in cell["source"])
        self.seat.go_to(code[0]["id"])
        self.seat.run_and_wait()
        self._stub = stub
        self._try(exercise, exercise.solution, "passed", check)

    def _answer(self, cell: dict[str, Any]) -> None:
        """Solve the first exercise, leave a wrong answer to the second, and the others alone."""
        exercise = self._exercises[CHECK.search(cell["source"])["id"]]
        check = self.seat.run_and_wait()
        self._note(exercise, "not attempted", check)
        number = list(self._exercises).index(exercise.id)
        if number < 2:
            wrong, says = exercise.wrong()
            self._try(exercise, wrong, says, check)
            self.notes.hints.append(self._hint(exercise.id, check))
        if number == 0:
            self._try(exercise, exercise.solution, "passed", check)

    def _try(self, exercise: lessons.Exercise, answer: str, wanted: str, check: str) -> None:
        """Write an answer in place of the stub, and run on to its check."""
        if self.with_mouse:
            self.seat.click_into(self._stub)
        else:
            self.seat.go_to(self._stub)
            self.seat.press("Enter")
        self.seat.write(answer)
        while self.seat.run_and_wait() != check:
            pass
        self._note(exercise, wanted, check)

    def _note(self, exercise: lessons.Exercise, wanted: str, check: str) -> None:
        self.notes.checks.append(Check(exercise.id, wanted, self.seat.text(check)))

    def _hint(self, exercise: str, check: str) -> str:
        """Ask for a hint in a new cell, and return what it says."""
        self.seat.go_to(check)
        hint = self.seat.new_cell(f'lab.hint("{exercise}")')
        return self.seat.text(hint)

    # ---- the stop button ----

    def _stop_and_measure_again(self, cell: dict[str, Any]) -> None:
        self._has_stopped = True
        seat, id = self.seat, cell["id"]
        seat.wait()
        budget = seat.new_cell(f"%env LABKIT_BUDGET={LONG}", key="a")
        seat.run("ControlOrMeta+Enter")
        self.notes.stops.append(stop_when_it_measures(seat, id, self.server, self.with_mouse))
        seat.go_to(budget)
        seat.press("Enter")
        seat.write(f"%env LABKIT_BUDGET={BUDGET}")
        seat.run_and_wait()
        seat.delete(budget)
        seat.go_to(id)
        seat.run_and_wait()


def stop_when_it_measures(seat: Seat, id: str, server: Any, with_button: bool) -> Stop:
    """Stop a running cell once it has computed for a while, and return what is then seen."""
    seat.wait_for("path => seat.kernelStatus(path) === 'busy'", seat.path)
    wait_until_used(server.kernel(), 1.5)
    return stop(seat, id, server, with_button)


def stop(seat: Seat, id: str, server: Any, with_button: bool) -> Stop:
    """Stop a running cell, and return what is then seen."""
    kernel = server.kernel()
    before = processor_seconds(kernel)
    start = time.monotonic()
    seat.stop(with_button=with_button)
    seat.wait(may_fail=True)
    seconds = time.monotonic() - start
    cell = seat.find(id)
    used = processor_seconds(kernel) - before
    has_picture = seat.output(id).locator("img").count() > 0
    return Stop(cell["source"], seconds, used, seat.text(id), has_picture, cell["errors"])


def processor_seconds(process: psutil.Process) -> float:
    """Return the processor time that a process has used."""
    times = process.cpu_times()
    return times.user + times.system


def wait_for(question: Callable[[], Any]) -> Any:
    """Ask until there is an answer.

    JupyterLab may put a new element in the place of an output meanwhile: each time the question
    has to look for it anew.
    """
    end = time.monotonic() + MOST_TO_SHOW / 1000
    while True:
        answer = question()
        if answer:
            return answer
        assert time.monotonic() < end, "nothing appeared on the page"
        time.sleep(0.1)


def wait_until_used(process: psutil.Process, seconds: float) -> None:
    """Wait until a process has computed for a while: on a busy machine that takes longer."""
    end = processor_seconds(process) + seconds
    while processor_seconds(process) < end:
        time.sleep(0.05)


def typed_guess(source: str) -> str:
    """Return an answer to the question of a cell, if possible none at which the slider stops."""
    ends = re.search(r"low=([\d_.]+),\s*high=([\d_.]+)", source)
    if float(ends[1]) < 21 < float(ends[2]):
        return "21"
    return "3" if "whole=True" in source else "2.1"


class GuessControl:
    """The question, the slider and the field of `lab.guess`."""

    def __init__(self, output: Locator):
        self.output = output
        self.slider = output.get_by_role("slider")
        self.field = output.get_by_role("textbox")

    def seen(self) -> tuple[str, str]:
        """Return the question and the guess, once there is one.

        The slider and the field show the same number, and a screen reader says the question.
        """
        self.slider.scroll_into_view_if_needed()
        seen = wait_for(lambda: self.output.evaluate(GUESS_SEEN))
        assert seen["spoken"] == seen["typed"], seen
        assert seen["question"] in seen["text"], seen
        return seen["question"], seen["typed"]


class ExplorerControl:
    """The sliders and the picture of `lab.explore`, and the words below the picture."""

    def __init__(self, output: Locator):
        self.output = output
        self.sliders = output.get_by_role("slider")
        # Not those of the closed details, which are for a page without sliders.
        self.picture = output.locator("img:visible").first
        self.words = output.locator("figcaption:visible").first

    def seen(self) -> tuple[str, str]:
        """Return the picture and the words below it."""
        self.sliders.first.wait_for()
        self.sliders.first.scroll_into_view_if_needed()  # what is far away has no layout, no text
        self.picture.wait_for()
        assert self.picture.evaluate("picture => picture.naturalWidth") > 100
        words = wait_for(lambda: self.words.inner_text().strip())
        return self.picture.get_attribute("src") or "", words

    def wait_for_another_picture(self, before: str) -> None:
        """Wait until there is another picture than before."""
        question = (
            "(area, before) => [...area.querySelectorAll('img')].some((picture) =>"
            " picture.checkVisibility() && picture.src !== before && picture.naturalWidth > 100)"
        )
        wait_for(lambda: self.output.evaluate(question, before))
