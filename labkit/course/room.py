"""Draw the results of a room: who passed what, and how one ratio spreads over all laptops."""

import math
import statistics
import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2

from ..show.format import digits, measured, plain_number
from ..show.names import counted
from .exercises.record import NOT_YET, PASSED
from .hand_in import Ratio
from .handed_in import (
    HAND_IN,
    HandedIn,
    named_apart,
    newest_of_each,
    number,
    one_line,
    read_folder,
    texts,
)
from .start_page import read_lesson
from .workspace import lessons

_TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,  # learners type names, and can write anything into a file
    undefined=jinja2.StrictUndefined,
    keep_trailing_newline=True,
    trim_blocks=True,
    lstrip_blocks=True,
)


def _ratio_in_words(value: float, low: float | None, high: float | None) -> str:
    return measured(value, "×", (low, high) if low is not None and high is not None else None)


_TEMPLATES.filters["ratio"] = _ratio_in_words
_MOST_RATIOS = 500  # of one file
_NOT_ATTEMPTED = "not attempted"
# The picture, in the units of SVG.
_WIDTH = 760
_LEFT, _RIGHT = 230, 600  # of the axis: names before it, numbers after it
_ROW = 26
_NAMED_ROWS = 40  # more laptops are points without names, closer together
_HEIGHT_OF_MANY = 900
_LETTERS = 21  # of a name in the picture; Chinese and Japanese ones count twice
_LEAST_SPAN = 1.5  # from one end of the axis to the other
_STEPS = ((1,), (1, 3), (1, 2, 5))  # ticks within a factor of ten
_FEW_TICKS, _MANY_TICKS = 4, 8

# A ratio is the same one on two laptops if it comes from the same cell and of the same candidates.
Key = tuple[str, str, str, str]


@dataclass(frozen=True)
class Learner:
    """What one file says."""

    name: str
    begun: set[str]
    states: dict[str, str]
    ratios: dict[Key, Ratio]
    machine: dict[str, str]

    @property
    def passed(self) -> int:
        """How many exercises are passed."""
        return sum(state == PASSED for state in self.states.values())


@dataclass
class Room:
    """All results of a room.

    Attributes
    ----------
    learners : list of Learner
        By name.
    skipped : list of str
        The files that do not count, each with the reason.
    lessons : dict of str to tuple
        The title and the exercises of each lesson of the course, by number.
    """

    learners: list[Learner] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    lessons: dict[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)

    def spreads(self) -> list["Spread"]:
        """Return all ratios, those of most laptops first, and in the order of the lessons."""
        by_key: dict[Key, Spread] = {}
        for learner in self.learners:
            for key, ratio in learner.ratios.items():
                spread = by_key.setdefault(key, Spread(ratio, []))
                spread.laptops.append((learner.name, ratio, learner.machine))
        return sorted(by_key.values(), key=lambda one: (-len(one.laptops), one.ratio.lesson))

    def __str__(self) -> str:
        return "\n".join(_lines(self))


@dataclass
class Spread:
    """One ratio on all laptops that have measured it.

    Attributes
    ----------
    ratio : Ratio
        The one of some laptop: its lesson, its section and its names are those of all.
    laptops : list of tuple
        The name of each learner, the ratio and the machine.
    """

    ratio: Ratio
    laptops: list[tuple[str, Ratio, dict[str, str]]]

    @property
    def title(self) -> str:
        """Which ratio it is."""
        return f"{self.ratio.name} relative to {self.ratio.than}"

    @property
    def place(self) -> str:
        """Where it was measured."""
        return f"lesson {self.ratio.lesson}, {self.ratio.section or 'no heading'}"

    @property
    def values(self) -> list[float]:
        """The ratios, the lowest first."""
        return sorted(ratio.value for _, ratio, _ in self.laptops)

    @property
    def numbers(self) -> tuple[str, str, str]:
        """The lowest, the middle and the highest ratio, as text."""
        values = self.values
        three = values[0], statistics.median(values), values[-1]
        low, middle, high = (measured(value, "×") for value in three)
        return low, middle, high

    @property
    def caption(self) -> str:
        """What the picture shows, in words."""
        low, middle, high = self.numbers
        times = measured(self.values[-1] / self.values[0], "×")
        count = counted(len(self.laptops), "laptop")
        return (
            f"{self.ratio.name} takes {middle} the time of {self.ratio.than} in the middle of "
            f"{count}: from {low} to {high}, and the highest is {times} the lowest."
        )


# ---- reading ----


def read_room(folder: Path, course: Path) -> Room:
    """Read what all learners of a room have handed in."""
    found = newest_of_each(read_folder(folder, HAND_IN), _identity)
    names = named_apart(found.read)
    room = Room(skipped=list(found.skipped), lessons=_lessons(course))
    for one in found.read:
        if not isinstance(one.content.get("exercises"), dict):
            room.skipped.append(f"{one.file} is damaged, it has no exercises: ask for it again")
            continue
        room.learners.append(_learner(one, names[one.file], room))
    return room


def _lessons(course: Path) -> dict[str, tuple[str, tuple[str, ...]]]:
    found = {}
    for file in lessons(course):
        lesson = read_lesson(course / file, file)
        found[lesson.number] = lesson.title, lesson.exercises
    return found


def _identity(one: HandedIn) -> tuple[str, str]:
    """Return what tells one learner from another: the random number of the workspace, and the name.

    Two learners have the same number if one of them has copied the workspace of the other.
    """
    typed = one_line(one.content.get("name", "")).casefold()
    return one_line(one.content.get("id", "")) or one.file, typed


def _learner(one: HandedIn, name: str, room: Room) -> Learner:
    known = {id for _, exercises in room.lessons.values() for id in exercises}
    states = {}
    for id, state in one.content["exercises"].items():
        if id in known and state in (PASSED, NOT_YET):
            states[id] = state
    begun = one.content.get("begun")
    lessons_begun = set()
    for lesson in begun[:100] if isinstance(begun, list) else []:
        if isinstance(lesson, str) and lesson in room.lessons:
            lessons_begun.add(lesson)
    lessons_begun |= {id.partition(".")[0] for id in states}
    ratios = {}
    entries = one.content.get("ratios")
    for entry in entries[:_MOST_RATIOS] if isinstance(entries, list) else []:
        ratio = _ratio(entry, room)
        if ratio is not None:
            ratios[ratio.lesson, ratio.cell, ratio.name, ratio.than] = ratio
    return Learner(name, lessons_begun, states, ratios, texts(one.content.get("machine")))


def _ratio(entry: Any, room: Room) -> Ratio | None:
    """Return a ratio of a file; None if it is none."""
    if not isinstance(entry, dict) or entry.get("lesson") not in list(room.lessons):
        return None
    value = number(entry.get("value"), least=1e-9)
    name, than = one_line(entry.get("name")), one_line(entry.get("than"))
    if value is None or not name or not than:
        return None
    low, high = number(entry.get("low")), number(entry.get("high"))
    if low is None or high is None or not low <= value <= high:
        low = high = None
    section, cell = one_line(entry.get("section")), one_line(entry.get("cell"))
    return Ratio(entry["lesson"], cell, section, name, than, value, low, high)


def find_spread(room: Room, wanted: str | None) -> Spread | None:
    """Return the ratio that has all words of `wanted`, or the one of most laptops; None if none.

    ValueError is raised for words that no ratio has.
    """
    spreads = room.spreads()
    if wanted is None:
        return spreads[0] if spreads else None
    words = wanted.casefold().split()
    for spread in spreads:
        text = f"{spread.place} {spread.title}".casefold()
        if all(word in text for word in words):
            return spread
    known = "\n".join(f"  {one.place}: {one.title}" for one in spreads) or "  none"
    raise ValueError(f"no ratio has the words {wanted!r}; there are:\n{known}")


# ---- words ----


def summary(room: Room) -> str:
    """Return the first sentence about a room."""
    if not room.learners:
        return "Nobody's results are in this folder."
    passed = [learner.passed for learner in room.learners]
    middle = digits(statistics.median(passed))
    return (
        f"{counted(len(passed), 'learner')}; exercises passed: {sum(passed)} in all, {middle} in "
        f"the middle, from {min(passed)} to {max(passed)}"
    )


def _lines(room: Room) -> list[str]:
    """Return the results as lines of text: the numbers of each lesson, then what does not count."""
    lines = [summary(room)]
    for lesson, begun, finished, hardest in by_lesson(room):
        line = f"  {lesson}: begun by {begun}, finished by {finished}"
        lines.append(f"{line}; fewest passed {hardest}" if hardest else line)
    if room.skipped:
        lines += ["Not counted:", *(f"  {line}" for line in room.skipped)]
    return lines


def by_lesson(room: Room) -> list[tuple[str, int, int, str]]:
    """Return a row for each lesson that somebody has begun.

    It has the number, how many have begun and finished it, and the exercise that fewest passed.
    """
    rows = []
    for lesson in _begun_lessons(room):
        _, exercises = room.lessons[lesson]
        begun = [learner for learner in room.learners if lesson in learner.begun]
        finished = [one for one in begun if exercises and not _left(one, exercises)]
        passed: Counter[str] = Counter()
        for learner in begun:
            passed.update(id for id in exercises if learner.states.get(id) == PASSED)
        hardest = min(exercises, key=lambda id: passed[id], default="")
        if passed[hardest] == len(begun):
            hardest = ""
        rows.append((lesson, len(begun), len(finished), hardest))
    return rows


def _begun_lessons(room: Room) -> list[str]:
    return sorted(set().union(*(learner.begun for learner in room.learners)))


def _left(learner: Learner, exercises: tuple[str, ...]) -> list[str]:
    return [id for id in exercises if learner.states.get(id) != PASSED]


# ---- the page ----


def page(room: Room, spread: Spread | None) -> str:
    """Return the results as one HTML page that needs no other file and has no script."""
    columns = _begun_lessons(room)
    return _TEMPLATES.get_template("room.html.j2").render(
        summary=summary(room),
        columns=columns,
        titles={lesson: room.lessons[lesson][0] for lesson in columns},
        rows=[_row(learner, columns, room) for learner in room.learners],
        exercises=_exercise_rows(room, columns),
        learners=len(room.learners),
        spread=spread,
        picture=_picture(spread) if spread is not None else None,
        spreads=room.spreads(),
        skipped=room.skipped,
    )


def _row(learner: Learner, columns: list[str], room: Room) -> dict[str, Any]:
    """Return what the page says about one learner: a sign and a number for each lesson."""
    cells = []
    for lesson in columns:
        _, exercises = room.lessons[lesson]
        left = len(_left(learner, exercises))
        passed = f"{len(exercises) - left} of {len(exercises)}"
        if lesson not in learner.begun:
            cells.append(("○", "not begun"))
        elif exercises and not left:
            cells.append(("✓", passed))
        else:
            cells.append(("◐", passed if exercises else "begun"))
    return {"name": learner.name, "cells": cells, "passed": learner.passed}


def _exercise_rows(room: Room, columns: list[str]) -> list[dict[str, Any]]:
    """Return for each exercise of the lessons that somebody has begun how many passed it."""
    rows = []
    for lesson in columns:
        for id in room.lessons[lesson][1]:
            states = [
                learner.states.get(id, _NOT_ATTEMPTED)
                for learner in room.learners
                if lesson in learner.begun
            ]
            counts = Counter(states)
            row = {"id": id, "passed": counts[PASSED], "not_yet": counts[NOT_YET]}
            rows.append(row | {"open": counts[_NOT_ATTEMPTED], "begun": len(states)})
    return rows


# ---- the picture ----


def _picture(spread: Spread) -> dict[str, Any]:
    """Return where everything is in the picture: a row for each laptop, on a logarithmic axis."""
    in_order = sorted(spread.laptops, key=lambda item: item[1].value)
    is_named = len(in_order) <= _NAMED_ROWS
    row_height = _ROW if is_named else _HEIGHT_OF_MANY / len(in_order)
    ends = _ends([ratio for _, ratio, _ in in_order])
    marks = []
    for i, (name, ratio, machine) in enumerate(in_order):
        cores = machine.get("cores", "").partition(" ")[0]
        label = _short(name)
        marks.append(
            {
                "y": round((i + 0.5) * row_height + 10, 1),
                "x": _place(ratio.value, ends),
                "low": _place(ratio.low or ratio.value, ends),
                "high": _place(ratio.high or ratio.value, ends),
                "name": f"{label}, {cores} cores" if cores.isdecimal() else label,
                "value": measured(ratio.value, "×"),
            }
        )
    bottom = round(len(in_order) * row_height + 14, 1)
    ticks = [(_place(tick, ends), f"{plain_number(tick)}×") for tick in _ticks(ends)]
    return {
        "marks": marks,
        "is_named": is_named,
        "width": _WIDTH,
        "height": bottom + 50,
        "left": _LEFT,
        "right": _RIGHT,
        "bottom": bottom,
        "middle": _place(statistics.median(spread.values), ends),
        "ticks": ticks,
        "radius": 5.5 if is_named else 3,
    }


def _short(name: str) -> str:
    """Return as much of a name as there is space for beside the axis."""
    wide = 0
    for i, letter in enumerate(name):
        wide += 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        if wide > _LETTERS:
            return f"{name[: i - 1]}…"
    return name


def _ends(ratios: list[Ratio]) -> tuple[float, float]:
    """Return the ends of the axis: all ratios with some space; an interval may go on beyond it."""
    low = math.log(min(ratio.value for ratio in ratios))
    high = math.log(max(ratio.value for ratio in ratios))
    space = max(0.08 * (high - low), (math.log(_LEAST_SPAN) - (high - low)) / 2)
    widest = 2 * (high - low) + math.log(2)  # an interval beyond it is cut
    for ratio in ratios:
        if ratio.low and ratio.high:
            low = max(min(low, math.log(ratio.low)), low - widest)
            high = min(max(high, math.log(ratio.high)), high + widest)
    return math.exp(low - space), math.exp(high + space)


def _place(value: float, ends: tuple[float, float]) -> float:
    """Return the place of a ratio on the axis, within its ends."""
    low, high = ends
    share = math.log(max(value, 1e-12) / low) / math.log(high / low)
    return round(_LEFT + (_RIGHT - _LEFT) * min(max(share, 0.0), 1.0), 1)


def _ticks(ends: tuple[float, float]) -> list[float]:
    """Return three to eight round numbers between the ends."""
    low, high = ends
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in _STEPS:
        ticks = [step * 10.0**decade for decade in decades for step in steps]
        ticks = [tick for tick in ticks if low <= tick <= high]
        if len(ticks) >= _FEW_TICKS:
            return ticks[:: math.ceil(len(ticks) / _MANY_TICKS)]
    step = 10.0 ** math.floor(math.log10(high - low))
    if (high - low) / step < _FEW_TICKS:
        step /= 5 if (high - low) / step < 2 else 2
    ticks = [step * i for i in range(math.ceil(low / step), math.floor(high / step) + 1)]
    return ticks[:: math.ceil(len(ticks) / _MANY_TICKS)]
