"""The lesson contract: one function per rule that every notebook of the course follows.

A rule takes a lesson as raw JSON and yields one sentence per violation. `notebook_check.py` checks
notebooks from the command line; `tests/test_contract.py` tries each rule on each lesson, and on
lessons that violate it.
"""

import ast
import copy
import inspect
import json
import re
import statistics
import urllib.parse
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import nbformat

import labkit
from labkit import own_model
from labkit.course import serving
from labkit.course.start_page import MINUTES
from labkit.show.widget import WIDGET_VIEW

# What a lesson may import beside labkit itself: module and names.
SIDE_DOORS = [
    ("labkit", [("own_model", None)]),
    ("labkit.course", [("serving", None)]),
]
BEFORE_ROUNDS = ["What you will learn", "Does it concern you?", "The complaint", "Setup"]
AFTER_ROUNDS = [
    "Explore",
    "It breaks like this",
    "Your turn",
    "In practice",
    "Recap",
    "Check yourself",
    "Next",
]
SECTIONS = [*BEFORE_ROUNDS, *AFTER_ROUNDS]
# The first lesson shows how a lesson works; there is nothing to complain about yet.
NOT_IN_FIRST = {
    "Does it concern you?",
    "The complaint",
    "Explore",
    "It breaks like this",
    "In practice",
}
# A unit for one sitting.
MOST_MINUTES = 45
MOST_CELLS = 110
MOST_CLAIMS = 6
MOST_ROUNDS = 3
# Where the last lesson leads to.
START_PAGE = "README.md"
COME_BACK = "**Run > Run All Above Selected Cell**"
LONG_SECTIONS = {"In practice", "Recap", "Check yourself", "Next"}
FENCED = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
CODE_SPAN = re.compile(r"(`+)[^`]+\1")
DETAILS = re.compile(r"<details.*?</details>", re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(<?([^)\s>]+)|(?:src|href)=\"([^\"]+)\"")
# TensorFlow's names of devices begin with a slash, too, and so do the pages of a server.
ABSOLUTE_PATH = re.compile(
    r"""["'](?:/(?!(?:job|replica|task|device|[cg]pu|predict|health)\b)[\w.]|~[/\\]|[a-z]:[\\/])""",
    re.I,
)
THIS_MACHINE = re.compile(
    r"(?<![\w.])/(?:root|work|home|Users)\b|/tmp/|[A-Z]:\\\\?Users|127\.0\.0\.1:\d+"
)
# How long a lesson takes: rates of adults who read a text with code in it, slowly rather than fast.
WORDS_A_MINUTE = 200
LINES_A_MINUTE = 20
MINUTES_OF = {"picture": 0.5, "guess": 0.5, "explore": 3.0, "exercise": 5.0}
TABLE_HEADER = re.compile(r"^(\s*\|.*\|\s*)\n\s*\|[\s:|-]+\|\s*$", re.MULTILINE)
FILLERS = re.compile(r"!|\b(?:simply|just|powerful|easily)\b", re.IGNORECASE)
IGNORE_TAGS = {"nbval-ignore-output"}
FORBIDDEN_TAGS = {"raises-exception", "nbval-raises-exception", "nbval-skip"}
# The tag of a cell that needs a package which may be missing.
NEEDS = "needs-"
LONG_TAGS = {"long", "exercise", "solution"}
SOLUTION_MARK = "# Solution"
STRETCH = "(stretch)"
# What only a measurement gives: a number with the mark of one, or a factor.
MEASURED = re.compile(r"≈\s*\d[\d.,]*|\b\d+\.\d+\s*(?:×|times as)")
# Numbers in a text that count nothing which a cell could show: versions, lessons, and how large the
# layers of a model are.
NOT_A_COUNT = re.compile(
    r"\b(?:TensorFlow|Keras|Python|NumPy|JupyterLab|[Ll]essons?|[Ee]xercises?|trial)\s*\d[\d.]*"
    r"|\b\d+ (?:hidden )?units\b|#\d+|^\s*\|.*$",
    re.MULTILINE,
)
# A measured number with a format of its own, such as ≈{seconds:.2f}; whole numbers may have commas.
OWN_FORMAT = re.compile(r"≈\{[^{}]*:[^{}]*[efg%]\}")
# What a cell shows only as its last expression.
SHOWN = {
    "Table",
    "check",
    "claim",
    "compare",
    "doctor",
    "explore",
    "first_call",
    "growth",
    "guess",
    "hint",
    "profile",
    "progress",
    "sweep",
    "timeit",
    "verdicts",
}


@dataclass
class Cell:
    """One cell and the section that it belongs to."""

    number: int
    raw: dict[str, Any]
    section: str

    @property
    def text(self) -> str:
        """The source."""
        return joined(self.raw["source"])

    @property
    def lines(self) -> list[str]:
        """The lines that are not blank: the formatter adds blank ones, and nobody reads them."""
        return [line for line in self.text.splitlines() if line.strip()]

    @property
    def tags(self) -> set[str]:
        """Its tags, and the comments that nbval reads as tags."""
        tags = set(self.raw["metadata"].get("tags", []))
        for word in re.findall(r"^\s*#\s*(NBVAL_\w+)\s*$", self.text, re.MULTILINE):
            tags.add(word.lower().replace("_", "-"))
        return tags

    @property
    def statements(self) -> list[ast.stmt]:
        """Its statements; none where it is no Python, such as a magic, which a rule reports."""
        try:
            return ast.parse(self.text).body
        except SyntaxError:
            return []

    @property
    def outputs(self) -> list[dict[str, Any]]:
        """Its stored outputs."""
        return self.raw.get("outputs", [])

    @property
    def headings(self) -> list[tuple[int, str]]:
        """Level and text of each heading."""
        found = re.findall(r"^(#{1,6})\s+(.*?)\s*$", without_fences(self.text), re.MULTILINE)
        return [(len(hashes), title) for hashes, title in found]

    @property
    def prose(self) -> str:
        """The text as a reader sees it, without code, quotations and the targets of links."""
        text = without_code(self.text)
        text = re.sub(r"^\s*>.*$", "", text, flags=re.MULTILINE)
        text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text)
        return re.sub(r"<!--.*?-->|<[^>]+>", " ", text, flags=re.DOTALL)

    @property
    def words(self) -> int:
        """The number of words, tables and collapsed answers not counted."""
        text = DETAILS.sub("", without_fences(self.text))
        return word_count(re.sub(r"^\s*\|.*$", "", text, flags=re.MULTILINE))

    @property
    def minutes(self) -> float:
        """How long a reader takes for it; what is collapsed, or a stretch exercise, is extra."""
        if self.raw["cell_type"] == "markdown":
            pictures = self.text.count("![") * MINUTES_OF["picture"]
            text = DETAILS.sub("", without_fences(self.text))
            return word_count(text) / WORDS_A_MINUTE + pictures
        total = 0.0
        if not self.raw["metadata"].get("jupyter", {}).get("source_hidden"):
            total += len(self.lines) / LINES_A_MINUTE
        if "exercise" in self.tags and "stretch" not in self.tags:
            total += MINUTES_OF["exercise"]
        if "lab.explore(" in self.text:
            return total + MINUTES_OF["explore"]
        if "lab.guess(" in self.text:
            return total + MINUTES_OF["guess"]
        pictures = sum("<img" in json.dumps(output) for output in self.outputs)
        return total + pictures * MINUTES_OF["picture"]

    def __str__(self) -> str:
        first_line = "empty"
        if self.lines:
            first_line = self.lines[0].rstrip()[:50]
        return f"cell {self.number} ({first_line})"


@dataclass
class Lesson:
    """A notebook as it is on disk."""

    path: Path
    raw: dict[str, Any]

    @classmethod
    def read(cls, path: Path) -> "Lesson":
        """Read the file at `path`."""
        return cls(path, json.loads(path.read_text(encoding="utf-8")))

    @property
    def is_first(self) -> bool:
        """Whether this is lesson 00."""
        return self.path.name.startswith("00_")

    @cached_property
    def cells(self) -> list[Cell]:
        """All cells, counted from 0."""
        cells = []
        section = ""
        for number, raw in enumerate(self.raw["cells"]):
            cell = Cell(number, raw, section)
            if raw["cell_type"] == "markdown":
                titles = [title for level, title in cell.headings if level == 2]
                if titles and cell.text.lstrip().startswith("#"):
                    cell.section = titles[0]
                if titles:
                    section = titles[-1]
            cells.append(cell)
        return cells

    @property
    def code(self) -> list[Cell]:
        """The code cells."""
        return [cell for cell in self.cells if cell.raw["cell_type"] == "code"]

    @property
    def markdown(self) -> list[Cell]:
        """The cells of text."""
        return [cell for cell in self.cells if cell.raw["cell_type"] == "markdown"]

    @property
    def headings(self) -> list[tuple[int, str]]:
        """Level and text of each heading of the lesson."""
        found = []
        for cell in self.markdown:
            found.extend(cell.headings)
        return found


Rule = Callable[[Lesson], Iterator[str]]
RULES: dict[str, Rule] = {}


def rule(function: Rule) -> Rule:
    """Add a rule to `RULES`."""
    RULES[function.__name__] = function
    return function


def joined(text: str | list[str]) -> str:
    """Return a text that the file format may have cut into lines."""
    if isinstance(text, str):
        return text
    return "".join(text)


def without_fences(text: str) -> str:
    """Return Markdown without its fenced code."""
    return FENCED.sub("", text)


def word_count(text: str) -> int:
    """Return the number of words of a text in Markdown, without the targets of links."""
    return len(re.findall(r"\w[\w'’.-]*", re.sub(r"\]\([^)]*\)|<[^>]+>", " ", text)))


def without_code(text: str) -> str:
    """Return Markdown without its fenced code and code spans."""
    return CODE_SPAN.sub("", without_fences(text))


# ---- the file ----


@rule
def is_a_valid_notebook(lesson: Lesson) -> Iterator[str]:
    if (lesson.raw.get("nbformat", 0), lesson.raw.get("nbformat_minor", 0)) < (4, 5):
        yield "nbformat 4.5 or newer is needed: older files have no cell ids"
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # missing and double ids only warn
        try:
            nbformat.validate(nbformat.from_dict(copy.deepcopy(lesson.raw)))
        except Exception as error:  # each kind of damage has its own class, a warning among them
            yield f"{type(error).__name__}: {str(error).splitlines()[0]}"


@rule
def is_small(lesson: Lesson) -> Iterator[str]:
    if lesson.path.exists():
        size = lesson.path.stat().st_size
    else:
        size = len(json.dumps(lesson.raw))
    if size > 300_000:
        yield f"{size:,} bytes; at most 300,000 are allowed: make pictures smaller or fewer"


@rule
def has_the_plain_kernel_and_no_widget_state(lesson: Lesson) -> Iterator[str]:
    metadata = lesson.raw["metadata"]
    if metadata.get("kernelspec", {}).get("name") != "python3":
        yield "kernelspec is not python3: run make notebooks FIX=1"
    if "widgets" in metadata:
        yield "widget state is stored: run make notebooks FIX=1"


@rule
def stores_no_widget(lesson: Lesson) -> Iterator[str]:
    """Its view needs the kernel that made it: JupyterLab shows "model not found" in its place."""
    for cell in lesson.code:
        for output in cell.outputs:
            if WIDGET_VIEW in output.get("data", {}):
                yield f"{cell}: the view of a widget is stored: run make refresh"


@rule
def has_no_times_of_execution(lesson: Lesson) -> Iterator[str]:
    """They differ in every run, so that each refresh would change every cell."""
    for cell in lesson.code:
        if "execution" in cell.raw["metadata"]:
            yield f"{cell}: metadata of its execution are stored: run make notebooks FIX=1"


# ---- outputs ----


@rule
def was_run_in_order(lesson: Lesson) -> Iterator[str]:
    expected = 0
    for cell in lesson.code:
        if not cell.lines:
            continue
        expected += 1
        count = cell.raw["execution_count"]
        if count != expected:
            yield f"{cell}: execution count {count}, expected {expected}: run make refresh"


@rule
def has_no_errors_in_its_outputs(lesson: Lesson) -> Iterator[str]:
    for cell in lesson.code:
        for output in cell.outputs:
            if output["output_type"] == "error":
                yield f"{cell}: error {output['ename']}: {output['evalue']}"
            if output.get("name") == "stderr":
                yield f"{cell}: stderr {joined(output['text'])[:80]!r}"


@rule
def has_decided_its_claims(lesson: Lesson) -> Iterator[str]:
    """A stored *undecided* comes from too few rounds: the next run decides, and differs."""
    for cell in lesson.code:
        if "undecided here" in json.dumps(cell.outputs):
            yield (
                f"{cell}: a claim is undecided in the stored output: "
                "give its measurement more rounds, or choose a bound that is farther away"
            )


@rule
def has_a_text_for_each_picture(lesson: Lesson) -> Iterator[str]:
    for cell in lesson.code:
        for output in cell.outputs:
            yield from _pictures_without_text(cell, output)
    for cell in lesson.markdown:
        if re.search(r"!\[\s*\]\(", cell.text):
            yield f"{cell}: a picture without alt text: ![what it shows](...)"


def _pictures_without_text(cell: Cell, output: dict[str, Any]) -> Iterator[str]:
    data = output.get("data", {})
    html = joined(data.get("text/html", ""))
    if "image/png" in data:
        yield f"{cell}: a bare picture, whose alt text JupyterLab ignores: let labkit draw it"
    if re.search(r"<img\b(?![^>]*\balt=\"[^\"])", html):
        yield f"{cell}: an <img> without alt text"
    plain = joined(data.get("text/plain", "")).strip()
    if "<img" in html and (not plain or plain.startswith("<")):
        yield f"{cell}: a picture whose plain text says nothing ({plain!r}): let labkit draw it"


@rule
def does_not_show_the_machine_that_ran_it(lesson: Lesson) -> Iterator[str]:
    for cell in lesson.code:
        for output in cell.outputs:
            text = _text_of(output)
            if found := THIS_MACHINE.search(text):
                yield f"{cell}: an output shows {text[found.start() : found.start() + 40]!r}"


def _text_of(output: dict[str, Any]) -> str:
    """Return the text of an output without encoded pictures, in which any word can occur."""
    data = dict(output.get("data", {}))
    for kind in list(data):
        if kind.startswith("image/"):
            del data[kind]
    text = json.dumps([output.get("text"), data, output.get("evalue")], ensure_ascii=False)
    return re.sub(r"base64,[\w+/=]+", "", text)


# ---- structure ----


@rule
def has_one_title_and_skips_no_level(lesson: Lesson) -> Iterator[str]:
    first = lesson.cells[0]
    if first.raw["cell_type"] != "markdown" or not first.text.startswith("# "):
        yield "the very first line must be the title: # ..."
    titles = [title for level, title in lesson.headings if level == 1]
    if len(titles) != 1:
        yield f"exactly one title is needed, found {titles}"
    previous = 6
    for level, title in lesson.headings:
        if level > previous + 1:
            yield f"heading {title!r} has level {level} after level {previous}"
        previous = level


@rule
def has_a_short_title(lesson: Lesson) -> Iterator[str]:
    """In a window of 1280 pixels JupyterLab's toolbar covers the end of a longer one."""
    for level, title in lesson.headings:
        if level == 1 and len(title) > 40:
            yield f"the title has {len(title)} characters; at most 40 are allowed: {title!r}"


@rule
def opens_with_a_question(lesson: Lesson) -> Iterator[str]:
    """The start page shows it beside the title."""
    paragraphs = lesson.cells[0].text.split("\n\n")
    if len(paragraphs) < 2 or not paragraphs[1].strip("* \n").endswith("?"):
        yield "the paragraph below the title is not the question that the lesson answers"


@rule
def has_the_sections_in_order(lesson: Lesson) -> Iterator[str]:
    titles = [title for level, title in lesson.headings if level == 2]
    known = [title for title in titles if title in SECTIONS]
    for title in SECTIONS:
        optional = lesson.is_first and title in NOT_IN_FIRST
        if title not in known and not optional:
            yield f"the section {title!r} is missing"
    if known != [title for title in SECTIONS if title in known]:
        yield f"sections are in another order, or occur twice: {known}"
    yield from _misplaced_rounds(lesson, titles)


def _misplaced_rounds(lesson: Lesson, titles: list[str]) -> Iterator[str]:
    rounds = [title for title in titles if title not in SECTIONS]
    start = 0
    if "Setup" in titles:
        start = titles.index("Setup") + 1
    if titles[start : start + len(rounds)] != rounds:
        yield f"these are not sections, and do not follow 'Setup': {rounds}"
    fewest = 1 if lesson.is_first else 2
    if not fewest <= len(rounds) <= MOST_ROUNDS:
        allowed = f"{fewest} to {MOST_ROUNDS}"
        yield f"{allowed} rounds are expected after 'Setup', found {len(rounds)}: {rounds}"


@rule
def begins_with_minutes_and_neighbours(lesson: Lesson) -> Iterator[str]:
    first = lesson.cells[0].text
    if not MINUTES.search(first):
        yield "the first cell does not say how long it takes, such as **25 minutes**"
    for neighbour in _neighbours(lesson):
        if neighbour and f"({neighbour})" not in first:
            yield f"the first cell has no link to its neighbour: [...]({neighbour})"


@rule
def says_how_to_come_back(lesson: Lesson) -> Iterator[str]:
    """A cell that is run before those above it says only NameError."""
    setup = [cell.text for cell in lesson.markdown if cell.section == "Setup"]
    if not any(COME_BACK in text for text in setup):
        yield f"'Setup' does not say what to do about a NameError: {COME_BACK}"


@rule
def asks_one_question_in_a_cell(lesson: Lesson) -> Iterator[str]:
    """JupyterLab leaves no space between an answer and the question that follows it in the cell."""
    for cell in lesson.markdown:
        if cell.section == "Check yourself" and cell.text.count("<details") > 1:
            yield f"{cell}: several questions; each needs a cell of its own"


@rule
def ends_with_what_is_next(lesson: Lesson) -> Iterator[str]:
    """The last section shows what the learner has passed, and leads to the next lesson."""
    last = [cell for cell in lesson.cells if cell.section == "Next"]
    progress = f'lab.progress("{lesson.path.name[:2]}")'
    if progress not in [cell.text for cell in last]:
        yield f"the section 'Next' has no cell with {progress}"
    _, after = _neighbours(lesson)
    target = after or START_PAGE
    if not any(f"({target})" in cell.text for cell in last):
        yield f"the section 'Next' has no link to what follows: [...]({target})"


@rule
def says_its_true_minutes(lesson: Lesson) -> Iterator[str]:
    stated = MINUTES.search(lesson.cells[0].text)
    true = sum(cell.minutes for cell in lesson.cells)
    if stated and abs(int(stated[1]) - true) > 4:
        yield f"it says {stated[1]} minutes; its text, code, pictures and exercises take {true:.0f}"


@rule
def fits_one_sitting(lesson: Lesson) -> Iterator[str]:
    minutes = sum(cell.minutes for cell in lesson.cells)
    if minutes > MOST_MINUTES + 0.5:
        yield f"it takes {minutes:.0f} minutes; at most {MOST_MINUTES} are allowed: split or cut it"
    if len(lesson.cells) > MOST_CELLS:
        yield f"{len(lesson.cells)} cells; at most {MOST_CELLS} are allowed"
    claims = [cell for cell in lesson.code if "lab.claim(" in cell.text]
    if len(claims) > MOST_CLAIMS:
        yield f"{len(claims)} claims; at most {MOST_CLAIMS} are allowed: a trial has room for more"


def _neighbours(lesson: Lesson) -> tuple[str | None, str | None]:
    """Return the names of the lessons before and after this one; None where there is none."""
    names = {path.name for path in lesson.path.parent.glob("[0-9][0-9]_*.ipynb")}
    names.add(lesson.path.name)
    ordered = sorted(names)
    at = ordered.index(lesson.path.name)
    before = ordered[at - 1] if at > 0 else None
    after = ordered[at + 1] if at + 1 < len(ordered) else None
    return before, after


# ---- code ----


@rule
def has_short_code_cells(lesson: Lesson) -> Iterator[str]:
    for cell in lesson.code:
        limit = 8
        if cell.tags & LONG_TAGS:
            limit = 15
        if cell.text.startswith("lab.verdicts("):  # a table of sentences, one per claim
            limit = 40
        count = len([line for line in cell.lines if line != SOLUTION_MARK])
        if not 1 <= count <= limit:
            yield f"{cell}: {count} lines; 1 to {limit} are expected (15 with the tag `long`)"


@rule
def has_lines_that_fit(lesson: Lesson) -> Iterator[str]:
    """In a window of 1280 pixels JupyterLab cuts off what is longer."""
    for cell in lesson.code:
        for line in cell.lines:
            if len(line) > 100:
                yield f"{cell}: a line of {len(line)} characters; at most 100 are allowed: {line!r}"


@rule
def has_code_that_runs_anywhere(lesson: Lesson) -> Iterator[str]:
    for cell in lesson.code:
        for line in cell.lines:
            if line.rstrip().endswith(";"):
                yield f"{cell}: a line ends in a semicolon: {line!r}"
            if line.lstrip().startswith(("!", "%")):
                yield f"{cell}: a magic or a shell command: {line!r}"
            if ABSOLUTE_PATH.search(line):
                yield f"{cell}: an absolute path: {line!r}"
            if re.search(r"https?:", line):
                yield f"{cell}: an address; lessons work offline: {line!r}"
            if re.search(r"\bpip\b", line):
                yield f"{cell}: pip; everything is in requirements.lock: {line!r}"


@rule
def hides_nothing_from_nbval(lesson: Lesson) -> Iterator[str]:
    ignoring = [cell for cell in lesson.code if cell.tags & IGNORE_TAGS]
    if len(ignoring) > 3:
        names = ", ".join(str(cell) for cell in ignoring)
        yield f"{len(ignoring)} cells ignore their output; at most 3 may: {names}"
    for cell in ignoring:
        if re.search(r"\.(claim|check|count)\(", cell.text):
            yield f"{cell}: ignores its output, but holds a claim, a check or a count"
    for cell in lesson.code:
        forbidden = cell.tags & FORBIDDEN_TAGS
        if forbidden:
            yield f"{cell}: tag {', '.join(forbidden)}; use lab.expect for an error"


@rule
def says_what_it_cannot_show(lesson: Lesson) -> Iterator[str]:
    """Without a package, nbval skips a cell by its tag, and a learner reads why it is empty."""
    for cell in lesson.code:
        named = sorted(set(re.findall(r"serving\.has\(\"(\w+)\"\)", cell.text)))
        tagged = sorted(tag.removeprefix(NEEDS) for tag in cell.tags if tag.startswith(NEEDS))
        if named != tagged:
            yield f"{cell}: its code asks for {named}, its tags {NEEDS}... say {tagged}"


@rule
def specifies_and_checks_its_exercises(lesson: Lesson) -> Iterator[str]:
    for cell in lesson.code:
        if "exercise" not in cell.tags:
            continue
        if "..." not in cell.text:
            yield f"{cell}: an exercise without ... to fill in"
        if not re.search(r'"""|#', cell.text):
            yield f"{cell}: an exercise without a docstring or comment that says what is expected"
        later = [other for other in lesson.code if other.number > cell.number]
        if not any(".check(" in other.text for other in later):
            yield f"{cell}: an exercise that no lab.check follows"


@rule
def tags_its_stretch_exercises(lesson: Lesson) -> Iterator[str]:
    """By the tag, and no other, an exercise is extra: its minutes are not those of the lesson."""
    above = ""
    for cell in lesson.cells:
        if cell.raw["cell_type"] == "markdown":
            above = cell.text
            continue
        is_stretch = "exercise" in cell.tags and STRETCH in above
        if is_stretch and "stretch" not in cell.tags:
            yield f"{cell}: the text above says {STRETCH}; the tag stretch is missing"
        if not is_stretch and "stretch" in cell.tags:
            yield f"{cell}: the tag stretch is for exercises below a text that says {STRETCH}"


@rule
def collapses_its_solutions(lesson: Lesson) -> Iterator[str]:
    for cell in lesson.code:
        hidden = cell.raw["metadata"].get("jupyter", {}).get("source_hidden")
        if "solution" in cell.tags and hidden is not True:
            yield f"{cell}: a visible solution; its metadata need jupyter.source_hidden: true"


@rule
def marks_its_solutions(lesson: Lesson) -> Iterator[str]:
    """GitHub and nbconvert show a collapsed cell, below a stub that defines the same name."""
    for cell in lesson.code:
        if "solution" in cell.tags and cell.text.splitlines()[:1] != [SOLUTION_MARK]:
            yield f"{cell}: a solution whose first line is not: {SOLUTION_MARK}"


@rule
def shows_each_result(lesson: Lesson) -> Iterator[str]:
    """IPython shows only an expression that stands last in the cell, outside all blocks."""
    for cell in lesson.code:
        for statement in cell.statements:
            if isinstance(statement, ast.Expr) or _expects_an_error(statement):
                continue
            for node in ast.walk(statement):
                if isinstance(node, ast.Expr) and _makes_something_to_show(node.value):
                    name = ast.unparse(node)
                    yield f"{cell}: the result of {name} in a block is not shown: give it a name"


def _expects_an_error(statement: ast.stmt) -> bool:
    """Whether a statement is `with lab.expect(...)`, whose block has no result."""
    if not isinstance(statement, ast.With):
        return False
    return any(ast.unparse(item).startswith("lab.expect(") for item in statement.items)


def _makes_something_to_show(expression: ast.expr) -> bool:
    """Whether an expression is a call such as `lab.compare(...)` or `lab.compare(...).plot()`."""
    while isinstance(expression, ast.Call) and isinstance(expression.func, ast.Attribute):
        names = _dotted(expression.func)
        if names[:1] == ["lab"]:
            return names[1] in SHOWN
        expression = expression.func.value
    return False


@rule
def takes_up_each_guess(lesson: Lesson) -> Iterator[str]:
    """Whoever made a guess sees it again beside the answer."""
    used = Counter[str]()
    for cell in lesson.code:
        used.update(_names_read(cell))
    for cell in lesson.code:
        shown = Counter(_names_read(cell))
        for name in _guesses(cell):
            if used[name] == shown[name]:
                yield f"{cell}: no other cell uses {name}: show it beside the answer"


def _names_read(cell: Cell) -> list[str]:
    """Return each name that a cell reads, as often as it does."""
    found = []
    for statement in cell.statements:
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                found.append(node.id)
    return found


def _guesses(cell: Cell) -> list[str]:
    """Return the names that a cell gives to guesses."""
    names = []
    for statement in cell.statements:
        if not isinstance(statement, ast.Assign):
            continue
        if ast.unparse(statement.value).startswith("lab.guess("):
            names.append(ast.unparse(statement.targets[0]))
    return names


@rule
def formats_its_measurements_with_labkit(lesson: Lesson) -> Iterator[str]:
    """So that each has three digits and its unit, and nbval knows what to set aside."""
    for cell in lesson.code:
        for found in OWN_FORMAT.finditer(cell.text):
            yield f"{cell}: {found[0]!r}; use lab.format.measured or lab.format.duration"


@rule
def says_what_it_counts_in_python(lesson: Lesson) -> Iterator[str]:
    """The number depends on Python, NumPy and Keras: nbval sets it aside by the words after it."""
    for cell in lesson.code:
        if not cell.statements or not isinstance(cell.statements[-1], ast.Expr):
            continue
        value = cell.statements[-1].value
        shown = [value] if isinstance(value, ast.Attribute) else getattr(value, "elts", [])
        if any(getattr(each, "attr", "") == "python_calls" for each in shown):
            yield f'{cell}: print it with its words: f"{{n.python_calls:,}} Python calls"'


@rule
def uses_one_door_of_labkit(lesson: Lesson) -> Iterator[str]:
    """Lessons use only what labkit promises: `lab.name`, `own_model.name` and `serving.name`."""
    for cell in lesson.code:
        for statement in cell.statements:
            for node in ast.walk(statement):
                if problem := _other_door(node):
                    yield f"{cell}: {problem}"


def _other_door(node: ast.AST) -> str | None:
    """Return what is wrong with an import of labkit or with a name taken from it."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            is_labkit = alias.name.split(".")[0] == "labkit"
            if is_labkit and (alias.name, alias.asname) != ("labkit", "lab"):
                return f"import {alias.name}; write: import labkit as lab"
    if isinstance(node, ast.ImportFrom):
        module = node.module or ""
        names = [(alias.name, alias.asname) for alias in node.names]
        is_allowed = (module, names) in SIDE_DOORS
        if module.split(".")[0] == "labkit" and not is_allowed:
            return (
                f"from {module} import ...; only `from labkit import own_model` and "
                "`from labkit.course import serving` is allowed"
            )
    if isinstance(node, ast.Attribute):
        return _not_public(_dotted(node))
    return None


def _dotted(node: ast.expr) -> list[str]:
    """Return the names of `a.b.c`; nothing for an attribute of any other expression."""
    if isinstance(node, ast.Name):
        return [node.id]
    if isinstance(node, ast.Attribute):
        before = _dotted(node.value)
        if before:
            return [*before, node.attr]
    return []


def _not_public(names: list[str]) -> str | None:
    """Return a sentence if `lab.x`, `lab.module.x`, `own_model.x` or `serving.x` is not public."""
    if len(names) < 2:
        return None
    root, name = names[:2]
    if root == "serving" and name not in serving.__all__:
        return f"serving.{name} is not in serving.__all__"
    if root == "own_model" and name not in own_model.__all__:
        return f"own_model.{name} is not in own_model.__all__"
    if root == "lab" and name not in labkit.__all__:
        return f"lab.{name} is not in labkit.__all__"
    if root == "lab" and len(names) > 2:
        thing = getattr(labkit, name)
        if inspect.ismodule(thing) and names[2] not in defined_names(thing):
            return f"lab.{name}.{names[2]} is not a public name of {thing.__name__}"
    return None


def defined_names(module: ModuleType) -> set[str]:
    """Return the public names that a module defines itself: what it imports may change any day."""
    assert module.__file__ is not None
    source = Path(module.__file__).read_text(encoding="utf-8")
    names = set()
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        if isinstance(node, ast.Assign):
            names.update(target.id for target in node.targets if isinstance(target, ast.Name))
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
    return {name for name in names if not name.startswith("_")}


# ---- text ----


@rule
def keeps_its_rhythm(lesson: Lesson) -> Iterator[str]:
    lines = statistics.median([len(cell.lines) for cell in lesson.code] or [0])
    if not 1 <= lines <= 5:
        yield f"the median code cell has {lines} lines; 1 to 5 are expected"
    words = statistics.median([cell.words for cell in lesson.markdown] or [0])
    if not 15 <= words <= 60:
        yield f"the median text cell has {words} words; 15 to 60 are expected"


@rule
def says_it_in_120_words(lesson: Lesson) -> Iterator[str]:
    for cell in lesson.markdown:
        if cell.words > 120 and cell.section not in LONG_SECTIONS:
            yield f"{cell}: {cell.words} words; at most 120 are allowed"


@rule
def writes_no_measured_number(lesson: Lesson) -> Iterator[str]:
    """It differs on the reader's machine: a cell prints it."""
    for cell in lesson.markdown:
        for found in MEASURED.finditer(cell.prose):
            yield f"{cell}: a measured number in a text: {found[0]!r}"


@rule
def has_the_numbers_its_text_speaks_of(lesson: Lesson) -> Iterator[str]:
    """A text that names a number which no cell holds or shows may contradict what a reader sees."""
    shown = set()
    for cell in lesson.code:
        shown.update(_numbers(cell.text))
        for output in cell.outputs:
            shown.update(_numbers(_text_of(output)))
    others = set(SECTIONS) - {"Explore", "It breaks like this"}
    for cell in lesson.markdown[1:]:
        if cell.section not in others:
            text = NOT_A_COUNT.sub(" ", cell.prose)
            for number in sorted(_numbers(text) - shown):
                yield f"{cell}: no code and no output of the lesson holds the number {number}"


def _numbers(text: str) -> set[str]:
    """Return the numbers of two digits or more, without the commas between thousands."""
    found = re.findall(r"(?<![\w.])\d[\d,_]*(?:\.\d+)?", text)
    plain = {number.replace(",", "").replace("_", "") for number in found}
    return {number for number in plain if len(number) > 1}


@rule
def speaks_plainly(lesson: Lesson) -> Iterator[str]:
    for cell in lesson.markdown:
        for found in FILLERS.finditer(cell.prose):
            around = cell.prose[max(0, found.start() - 30) : found.end() + 10]
            yield f"{cell}: {found[0]!r} in: {' '.join(around.split())}"


@rule
def has_links_that_lead_somewhere(lesson: Lesson) -> Iterator[str]:
    for cell in lesson.markdown:
        for match in LINK.finditer(without_code(cell.text)):
            address = match[1] or match[2]
            target = urllib.parse.unquote(address.split("#")[0])
            if not target or re.match(r"https?:|mailto:", target):
                continue
            absolute = target.startswith(("/", "\\")) or ":" in target
            if absolute or not (lesson.path.parent / target).exists():
                yield f"{cell}: the target of the link {target} does not exist"


@rule
def names_the_columns_of_its_tables(lesson: Lesson) -> Iterator[str]:
    """A screen reader says the heading of a column before each of its cells."""
    for cell in lesson.markdown:
        for header in TABLE_HEADER.findall(without_fences(cell.text)):
            names = header.strip().strip("|").split("|")
            if not all(name.strip() for name in names):
                yield f"{cell}: a column without a heading in the table {header.strip()}"


@rule
def closes_its_details(lesson: Lesson) -> Iterator[str]:
    for cell in lesson.markdown:
        text = without_code(cell.text)
        counts = []
        for pattern in (r"<details\b", r"</details>", r"<summary\b", r"</summary>"):
            counts.append(len(re.findall(pattern, text)))
        if len(set(counts)) > 1:
            yield f"{cell}: <details>, </details>, <summary>, </summary> come {counts} times"
