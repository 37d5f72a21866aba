"""Make the generated parts of teaching/: the minutes of each lesson, and the plans of workshops.

`make pages` writes them; tests check that they are current. The minutes come from the stored
notebooks, by the formula of the contract; what a plan holds is in teaching.toml in this folder.
"""

import math
import textwrap
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import claims_page
from contract import BEFORE_ROUNDS, MINUTES_OF, Cell, Lesson
from notebook_links import ROOT, title

TEACHING = ROOT / "teaching"
README = TEACHING / "README.md"
PLANS = ROOT / "tools" / "teaching.toml"
# How much longer a room takes than a reader who works alone; teaching/README.md says why.
ROOM = 1.5
# What a guess and an exercise take in a room, and how long a lesson waits for the slowest laptop.
ROOM_MINUTES_OF = {"guess": 2.5, "exercise": 9.0, "waiting": 3.0}
# The table "Your evening" of teaching/README.md: once for a plan, and for each lesson but 00.
PREPARATION = 15 + 5 + 20
PREPARATION_OF_A_LESSON = 40 + 5
OPENING = "Opening"
CLOSING = "Closing"
OPENS = {"", *BEFORE_ROUNDS}
CLOSES = {"Recap", "Check yourself", "Next"}
# What may be left out without a hole in the lesson.
MAY_GO = ("Explore", "In practice")
WORDS_OF = {OPENING: "The first cell to *Setup*", CLOSING: "*Recap* to *Next*"}


@dataclass(frozen=True)
class Part:
    """A part of a lesson: its name, and its minutes alone and in a room."""

    name: str
    alone: int
    room: int


def pages() -> dict[Path, dict[str, str]]:
    """Return for each page of teaching/ what stands between the comments of which name."""
    made = {guide_of(path): {"minutes": minutes_table(path)} for path in lessons()}
    made[README] = {
        "guides": table_of_guides(),
        "room": share_of_room(),
        "preparation": preparation(),
    }
    for plan in plans():
        made[README][f"plan {plan['name']}"] = plan_table(plan)
    return made


def lessons() -> list[Path]:
    """Return the lessons that have a guide."""
    return [path for path in claims_page.lessons() if guide_of(path).exists()]


def guide_of(lesson: Path) -> Path:
    """Return the guide of a lesson."""
    return TEACHING / f"{lesson.stem}.md"


# ---- minutes ----


def parts(path: Path) -> list[Part]:
    """Return the parts of a lesson in order, with whole minutes that add up to those of all."""
    exact: dict[str, float] = {OPENING: 0.0}
    counted = {OPENING: ROOM_MINUTES_OF["waiting"]}
    for cell in Lesson.read(path).cells:
        name = name_of_part(cell.section)
        exact[name] = exact.get(name, 0.0) + cell.minutes
        counted[name] = counted.get(name, 0.0) + cell.minutes + extra_of(cell)
    alone = whole(list(exact.values()))
    scale = ROOM * sum(exact.values()) / sum(counted.values())
    room = whole([scale * minutes for minutes in counted.values()])
    return [Part(*part) for part in zip(exact, alone, room, strict=True)]


def name_of_part(section: str) -> str:
    """Return the part of a lesson to which a section belongs."""
    if section in OPENS:
        return OPENING
    return CLOSING if section in CLOSES else section


def whole(minutes: list[float]) -> list[int]:
    """Return whole minutes whose sum is that of the exact ones, rounded.

    >>> whole([1.4, 1.4, 0.9])
    [2, 1, 1]
    """
    rounded = [math.floor(exact) for exact in minutes]
    left = round(sum(minutes)) - sum(rounded)
    by_rest = sorted(range(len(minutes)), key=lambda i: rounded[i] - minutes[i])
    for i in by_rest[:left]:
        rounded[i] += 1
    return rounded


def minutes_table(path: Path) -> str:
    """Return the table of minutes for the guide of a lesson."""
    found = parts(path)
    lines = ["| section | alone | in a room |", "|---|---:|---:|"]
    for part in found:
        words = WORDS_OF.get(part.name, part.name)
        lines.append(f"| {words} | {part.alone or '<1'} | {part.room or '<1'} |")
    alone, room = sum(part.alone for part in found), sum(part.room for part in found)
    lines.append(f"| **all** | **{alone}** | **{room}** |")
    return "\n".join(lines)


def table_of_guides() -> str:
    """Return the table of all guides, with the minutes of the lesson."""
    lines = ["| guide | alone | in a room | of that, may go |", "|---|---:|---:|---:|"]
    for path in lessons():
        found = parts(path)
        may_go = sum(part.room for part in found if part.name in MAY_GO)
        alone, room = sum(part.alone for part in found), sum(part.room for part in found)
        lines.append(f"| {link(path)} | {alone} | {room} | {may_go} |")
    return "\n".join(lines)


def link(path: Path) -> str:
    """Return a link from teaching/README.md to the guide of a lesson."""
    return f"[{title(path.name)}]({guide_of(path).name})"


def share_of_room() -> str:
    """Return the sentence that says how much longer a room takes, lesson by lesson."""
    shares = [100 * extra_in_room(path) for path in lessons()]
    return (
        f"For the lessons of this course that adds {min(shares):.0f} to {max(shares):.0f} %, "
        f"{sum(shares) / len(shares):.0f} % on average."
    )


def extra_in_room(path: Path) -> float:
    """Return what guesses, exercises and waiting add in a room, relative to working alone."""
    lesson = Lesson.read(path)
    extra = ROOM_MINUTES_OF["waiting"] + sum(extra_of(cell) for cell in lesson.code)
    return extra / sum(cell.minutes for cell in lesson.cells)


def extra_of(cell: Cell) -> float:
    """Return the minutes that a cell with a guess or an exercise takes longer in a room."""
    extra = 0.0
    if "lab.guess(" in cell.text:
        extra += ROOM_MINUTES_OF["guess"] - MINUTES_OF["guess"]
    if "exercise" in cell.tags and "stretch" not in cell.tags:
        extra += ROOM_MINUTES_OF["exercise"] - MINUTES_OF["exercise"]
    return extra


# ---- plans ----


def plans() -> list[dict[str, Any]]:
    """Return the plans of teaching.toml."""
    return tomllib.loads(PLANS.read_text(encoding="utf-8"))["plan"]


def preparation() -> str:
    """Return the sentence that says how long each plan takes to prepare."""
    words = []
    for plan in plans():
        entries = [entry for session in plan["session"] for entry in session["lines"]]
        lessons_to_do = {entry["lesson"] for entry in entries if "lesson" in entry} - {"00"}
        minutes = PREPARATION + PREPARATION_OF_A_LESSON * len(lessons_to_do)
        words.append(f"{plan['name']} {minutes // 60}:{minutes % 60:02}")
    hours = ", ".join(words)
    sentence = f"In hours and minutes, plan by plan: {hours}. Long plans take several evenings."
    return textwrap.fill(sentence, 120)


def plan_table(plan: dict[str, Any]) -> str:
    """Return the table of a plan: when what begins, and how long it takes."""
    lines = ["| at | what | minutes |", "|---:|---|---:|"]
    for session in plan["session"]:
        if session.get("title"):
            lines.append(f"| | **{session['title']}** | |")
        at = 0
        for entry in session["lines"]:
            words, minutes = words_and_minutes(entry)
            lines.append(f"| {at // 60}:{at % 60:02} | {words} | {minutes} |")
            at += minutes
        spare = session["minutes"] - at
        if spare < 0:
            raise ValueError(
                f"teaching.toml, {plan['name']}: {at} minutes do not fit into "
                f"{session['minutes']}; leave something out"
            )
        if spare:
            lines.append(f"| {at // 60}:{at % 60:02} | to spare | {spare} |")
        end = session["minutes"]
        lines.append(f"| {end // 60}:{end % 60:02} | end | |")
    return "\n".join(lines)


def words_and_minutes(entry: dict[str, Any]) -> tuple[str, int]:
    """Return what a line of a plan says, and how long it takes."""
    if "break" in entry:
        return f"*{entry.get('what', 'break')}*", entry["break"]
    if "lesson" not in entry:
        return entry["what"], entry["minutes"]
    path = lesson_with(entry["lesson"])
    found = parts(path)
    absent = set(entry.get("without", ())) - {part.name for part in found}
    if absent:
        raise ValueError(f"{path.name} has no {', '.join(sorted(absent))}")
    kept = [part for part in found if part.name not in entry.get("without", ())]
    words = link(path)
    if entry.get("without"):
        words += ", without " + ", ".join(f"*{name}*" for name in entry["without"])
    return words, sum(part.room for part in kept)


def lesson_with(number: str) -> Path:
    """Return the lesson of a number, which must have a guide."""
    for path in lessons():
        if path.name.startswith(f"{number}_"):
            return path
    raise ValueError(f"teaching.toml names {number}: there is no lesson {number} with a guide")
