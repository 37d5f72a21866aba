"""Write the start page of the workspace: every lesson, what is done in it, and where to go on.

What the page says about a lesson comes from the lesson itself. What is done comes from the
learner's copies and from the record of the exercises.
"""

import functools
import hashlib
import html
import json
import re
import urllib.parse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .exercises.record import PASSED, read_states, record_file
from .files import write_atomically
from .learners_copy import fingerprint, has_results, read_copy, text_of
from .workspace import START_PAGE, Record, free_name_beside, lessons, notebooks, read_record

# Pages that a lesson or a search leads to, in this order, with what a learner finds there.
PAGES = {
    "SYMPTOMS.md": "a warning, an error text or a complaint, what it means, the lines to change",
    "CHEATSHEET.md": "ways to call a model, what traces again, what freezes, on two printed pages",
    "GLOSSARY.md": "each term in a sentence or two, and the lesson that explains it",
    "CLAIMS.md": "every claim that was tried, with its verdict",
}
CHECK = re.compile(r"\.check\(\s*[\"'](\d\d\.\d+)[\"']")
MINUTES = re.compile(r"\*\*(\d+) minutes\*\*")
# The last line of the page. If it does not fit the text above it, somebody has edited the page.
SEAL = re.compile(r"<!-- labkit (\w+) -->\n\Z")


@dataclass(frozen=True)
class Lesson:
    """What the start page says about a notebook of the course.

    Attributes
    ----------
    name : str
        The file, relative to the folder of the course and with slashes.
    title, question, summary : str
        From its first cell: the heading, the paragraph that ends in a question mark, and the first
        other one. Question and summary may be missing.
    minutes : int or None
        From its first cell as well.
    exercises : tuple of str
        The numbers that it checks.
    """

    name: str
    title: str
    question: str
    summary: str
    minutes: int | None
    exercises: tuple[str, ...]

    @property
    def number(self) -> str:
        """The number of a lesson; nothing for other notebooks."""
        found = re.match(r"\d\d(?=_)", self.name)
        return found[0] if found else ""


@dataclass(frozen=True)
class Place:
    """A cell of a notebook: its section and its id."""

    section: str
    cell: str


@dataclass(frozen=True)
class Visit:
    """What the learner's copy of a notebook tells.

    Attributes
    ----------
    lesson : Lesson
        The notebook.
    begun : bool
        Something was run or written in the copy.
    saved : float
        When the copy was saved, in seconds; 0 if there is none.
    passed : int
        How many of its exercises are passed.
    place : Place or None
        The first cell that was not run yet, or the first exercise that is not passed.
    """

    lesson: Lesson
    begun: bool
    saved: float
    passed: int
    place: Place | None

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do: all exercises are passed, or there are none to pass."""
        if self.lesson.exercises:
            return self.passed == len(self.lesson.exercises)
        return self.begun and self.place is None


def write_start_page(source: Path, workspace: Path) -> str:
    """Write the start page if it is not current, and return its text.

    A page that the learner has edited gets another name, such as ``README.mine.md``.
    """
    path = workspace / START_PAGE
    text = start_page(source, workspace)
    try:
        found = path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        found = ""
    if found == text:
        return text
    if found and not _is_sealed(found):
        path.rename(free_name_beside(path))
    write_atomically(path, text)
    return text


def start_page(source: Path, workspace: Path) -> str:
    """Return the text of the start page, in Markdown."""
    states = read_states(record_file(workspace))
    record = read_record(workspace)
    visits = {}
    for name in notebooks(source):
        visits[name] = visit(read_lesson(source / name, name), workspace, states, record)
    in_order = [visits[name] for name in lessons(source)]
    others = [visits[name] for name in visits if "/" in name]

    blocks = ["# TensorFlow in a loop", *_where_to_go_on(in_order)]
    blocks += _news(workspace, record)
    blocks += ["## The lessons", _about_lessons(in_order), _table("lesson", in_order)]
    blocks += _other_notebooks(others)
    blocks += _pages(workspace)
    blocks += ["## Next time", _next_time()]
    return _sealed("\n\n".join(blocks) + "\n")


# ---- what the course and the learner's copies tell ----


def read_lesson(path: Path, name: str) -> Lesson:
    """Return what the start page says about the notebook at `path`."""
    state = path.stat()
    return _read_lesson(path, name, state.st_mtime_ns, state.st_size)


@functools.lru_cache(maxsize=256)
def _read_lesson(path: Path, name: str, modified: int, size: int) -> Lesson:
    """Read a notebook, once for each of its versions."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    first = text_of(cells[0]) if cells else ""
    minutes = MINUTES.search(first)
    title = ""
    question = ""
    summary = ""
    for paragraph in re.split(r"\n\s*\n", first):
        text = _plain(paragraph)
        if paragraph.startswith("# "):
            title = text.removeprefix("# ")
        elif text.endswith("?"):
            question = question or text
        elif not MINUTES.search(paragraph):
            summary = summary or text
    exercises: dict[str, None] = {}  # in order, each once
    for cell in cells:
        if cell["cell_type"] == "code":
            exercises.update(dict.fromkeys(CHECK.findall(text_of(cell))))
    return Lesson(
        name=name,
        title=title or name,
        question=question,
        summary=summary,
        minutes=int(minutes[1]) if minutes else None,
        exercises=tuple(exercises),
    )


def _plain(paragraph: str) -> str:
    """Return a paragraph on one line, without the marks of a quotation or of emphasis around it."""
    text = " ".join(paragraph.split())
    return text.removeprefix("> ").strip("*_ ")


def visit(lesson: Lesson, workspace: Path, states: dict[str, str], record: Record) -> Visit:
    """Return what the learner's copy of a lesson tells."""
    passed = [id for id in lesson.exercises if states.get(id) == PASSED]
    path = workspace / lesson.name
    copy = read_copy(path)
    if copy is None:
        return Visit(lesson, False, 0, len(passed), None)
    written = record.files.get(lesson.name)
    was_edited = written is not None and fingerprint(copy) != written.fingerprint
    begun = was_edited or any(has_results(cell) for cell in copy["cells"])
    place = _place(copy["cells"], set(lesson.exercises) - set(passed)) if begun else None
    return Visit(lesson, begun, path.stat().st_mtime, len(passed), place)


def _place(cells: list[Any], open_exercises: set[str]) -> Place | None:
    """Return where to go on: after the last cell that was run, or at the first open exercise."""
    section = ""
    after_last_run: Place | None = None
    open_exercise: Place | None = None
    for cell in cells:
        text = text_of(cell)
        heading = re.match(r"##\s+(.*)", text)
        if heading and cell["cell_type"] == "markdown":
            section = heading[1].strip()
        if cell["cell_type"] != "code" or not text.strip():
            continue
        here = Place(section, str(cell.get("id", "")))
        if has_results(cell):
            after_last_run = None
        elif after_last_run is None:
            after_last_run = here
        if open_exercise is None and open_exercises.intersection(CHECK.findall(text)):
            open_exercise = here
    return after_last_run or open_exercise


# ---- the parts of the page ----


def _where_to_go_on(visits: list[Visit]) -> list[str]:
    """Return the paragraphs that name the one lesson to open now."""
    begun = [one for one in visits if one.begun]
    if not begun:
        return [
            "You call a TensorFlow model again and again. Why is it slow, and how do you make it "
            "fast? Each lesson takes one cause: guess, measure, see why, change one thing.",
            _card(f"**Start with {_link(visits[0].lesson)}**{_minutes(visits[0].lesson)}"),
        ]
    last = max(begun, key=lambda one: one.saved)
    return [_card(_go_on(last, visits)), _progress(visits)]


def _go_on(last: Visit, visits: list[Visit]) -> str:
    if not last.finished:
        return f"**Go on with {_link(last.lesson, last.place)}**{_section(last)}"
    at = visits.index(last)
    unfinished = [one for one in visits[at + 1 :] + visits[:at] if not one.finished]
    done = f"You have finished {_short(last.lesson)}."
    if not unfinished:
        return f"**You have finished every lesson.** The last one was {_link(last.lesson)}."
    following = unfinished[0]
    return (
        f"{done} **Next: {_link(following.lesson, following.place)}**{_minutes(following.lesson)}"
    )


def _progress(visits: list[Visit]) -> str:
    total = sum(len(one.lesson.exercises) for one in visits)
    passed = sum(one.passed for one in visits)
    finished = sum(one.finished for one in visits)
    text = f"{passed} of {total} exercises passed, {finished} of {len(visits)} lessons finished"
    return f'<progress max="{total}" value="{passed}" title="{text}"></progress> {text}'


def _news(workspace: Path, record: Record) -> list[str]:
    """Return a section on what the last update changed; what was not begun is folded."""
    if not record.news and not record.other_news:
        return []
    blocks = ["## What the update changed"]
    if record.news:
        blocks.append(_news_items(workspace, record.news))
    if record.other_news:
        count = len(record.other_news)
        noun = "notebook" if count == 1 else "notebooks"
        blocks += [
            f"<details><summary>{count} {noun} that you had not begun: new or renewed</summary>",
            _news_items(workspace, record.other_news),
            "</details>",
        ]
    return blocks


def _news_items(workspace: Path, sentences: list[str]) -> str:
    """Return a list with a link to each file."""
    items = []
    for sentence in sentences:
        name, colon, rest = html.escape(sentence, quote=False).partition(":")
        if (workspace / name).is_file():
            name = f"[{name}]({urllib.parse.quote(name)})"
        items.append(f"- {name}{colon}{rest}")
    return "\n".join(items)


def _about_lessons(visits: list[Visit]) -> str:
    return (
        f"Each lesson stands alone. After {_short(visits[0].lesson)}, take the one that asks your "
        "question. The minutes leave out the last exercise of each, which is marked *stretch*."
    )


def _table(kind: str, visits: list[Visit]) -> str:
    """Return the table of notebooks: what each asks, how long it takes, what is done."""
    lines = [f"| {kind} | minutes | done |", "|:---|---:|:---|"]
    for one in visits:
        lesson = one.lesson
        first, second = lesson.title, lesson.summary
        if lesson.question:
            first, second = lesson.question, lesson.title
        cell = f"**{_link(lesson, text=first)}**"
        if second:
            cell += f"<br>{_escaped(second)}"
        minutes = "" if lesson.minutes is None else str(lesson.minutes)
        lines.append(f"| {cell} | {minutes} | {_done(one)} |")
    return "\n".join(lines)


def _done(one: Visit) -> str:
    """Return what is done in a lesson: a sign and words."""
    total = len(one.lesson.exercises)
    count = f"{one.passed} of {total}" if total else ""
    if one.finished:
        return f"✓ {count or 'read'}"
    if one.begun or one.passed:
        return f"◐ {count or 'begun'}"
    if total:
        return f"○ {total} exercises" if total > 1 else "○ 1 exercise"
    return "○ not read"


def _other_notebooks(visits: list[Visit]) -> list[str]:
    """Return a section for each subfolder that holds notebooks."""
    folders: dict[str, list[Visit]] = {}
    for one in visits:
        folders.setdefault(one.lesson.name.rpartition("/")[0], []).append(one)
    blocks = []
    for folder, inside in folders.items():
        heading = folder.rpartition("/")[2].replace("_", " ").capitalize()
        blocks += [f"## {heading}", _table("notebook", inside)]
    return blocks


def _pages(workspace: Path) -> list[str]:
    items = []
    for name, purpose in PAGES.items():
        if (workspace / name).is_file():
            items.append(f"- **[{_heading_of(workspace / name)}]({name})**: {purpose}")
    if not items:
        return []
    return ["## Look something up", "\n".join(items)]


def _heading_of(page: Path) -> str:
    """Return the first heading of a page, or the name of the file."""
    try:
        text = page.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return page.stem
    heading = re.search(r"^# (.+)$", text, re.MULTILINE)
    return heading[1].strip() if heading else page.stem


def _next_time() -> str:
    return "\n".join(
        [
            "- What you write and run is saved in this folder. `make lab` in the folder of the "
            "course, or `python -m labkit lab`, brings you back to this page.",
            "- After a new start, a lesson has its results but not its variables: menu Run, "
            "*Run All Above Selected Cell*.",
            "- An open lesson needs memory, about 0.7 GiB. When you have finished one: menu File, "
            "*Close and Shut Down Notebook*.",
            "- To begin a lesson again: `python -m labkit lab --fresh 02`. Yours stays beside it.",
        ]
    )


# ---- words and links ----


def _short(lesson: Lesson) -> str:
    """Return the number of a lesson, or its title."""
    return f"lesson {lesson.number}" if lesson.number else _escaped(lesson.title)


def _section(one: Visit) -> str:
    if one.place is None or not one.place.section:
        return ""
    return f", at *{_escaped(one.place.section)}*"


def _minutes(lesson: Lesson) -> str:
    return "" if lesson.minutes is None else f" ({lesson.minutes} minutes)"


def _link(lesson: Lesson, place: Place | None = None, text: str = "") -> str:
    """Return a link to a notebook, or to the cell where the learner was."""
    words = _escaped(text or lesson.title)
    if lesson.number:
        words = f"{lesson.number} {words}"
    address = urllib.parse.quote(lesson.name)
    if place is not None and place.cell:
        address += f"#cell-id={place.cell}"
    return f"[{words}]({address})"


def _escaped(text: str) -> str:
    """Return text of a lesson for a link or a table: no brackets, no pipes."""
    return re.sub(r"([\[\]|])", r"\\\1", text)


def _card(text: str) -> str:
    return f'<div class="labkit-card">\n\n{text}\n\n</div>'


# ---- the seal ----


def _sealed(text: str) -> str:
    return f"{text}\n<!-- labkit {_digest(text)} -->\n"


def _is_sealed(page: str) -> bool:
    """Return whether a page is as it was written."""
    seal = SEAL.search(page)
    return seal is not None and _digest(page[: seal.start() - 1]) == seal[1]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
