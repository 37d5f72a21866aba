"""The lesson contract: what every notebook of the course holds to, as one function per rule over its raw JSON.

A rule yields one sentence per breach. `test_contract.py` runs each rule on each lesson, and on lessons that break it.
"""

import copy
import json
import re
import statistics
import urllib.parse
import warnings
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import nbformat

BEFORE_ROUNDS = ["What you will learn", "What you need", "The complaint", "Setup"]
AFTER_ROUNDS = [
    "Explore",
    "It breaks like this",
    "Your turn",
    "Folklore on trial",
    "In practice",
    "Recap",
    "Check yourself",
    "Further reading",
]
SECTIONS = [*BEFORE_ROUNDS, *AFTER_ROUNDS]
# The first lesson shows how a lesson works; there is nothing to complain about yet.
NOT_IN_FIRST = {
    "The complaint",
    "Explore",
    "It breaks like this",
    "Folklore on trial",
    "In practice",
}
LONG_SECTIONS = {"In practice", "Recap", "Check yourself", "Further reading"}
FENCED = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
CODE_SPAN = re.compile(r"(`+)[^`]+\1")
LINK = re.compile(r"\[[^\]]*\]\(<?([^)\s>]+)|(?:src|href)=\"([^\"]+)\"")
# TensorFlow's names of devices begin with a slash, too.
ABSOLUTE_PATH = re.compile(
    r"""["'](?:/(?!(?:job|replica|task|device|[cg]pu)\b)[\w.]|~[/\\]|[a-z]:[\\/])""", re.I
)
THIS_MACHINE = re.compile(
    r"(?<![\w.])/(?:root|work|home|Users)\b|/tmp/|[A-Z]:\\\\?Users|127\.0\.0\.1:\d+"
)
IGNORE_TAGS = {"nbval-ignore-output"}
FORBIDDEN_TAGS = {"raises-exception", "nbval-raises-exception", "nbval-skip"}

RULES = {}


def rule(function):
    """Add a rule to `RULES`."""
    RULES[function.__name__] = function
    return function


@dataclass
class Cell:
    """One cell with the section it stands in."""

    number: int
    raw: dict
    section: str

    @property
    def text(self) -> str:
        """The source."""
        return joined(self.raw["source"])

    @property
    def lines(self) -> list[str]:
        """The lines that are not blank: ruff puts two blank ones behind a function, which nobody has to read."""
        return [line for line in self.text.splitlines() if line.strip()]

    @property
    def tags(self) -> set[str]:
        """Its tags, and the comments that nbval reads as tags."""
        comments = re.findall(r"^\s*#\s*(NBVAL_\w+)\s*$", self.text, re.MULTILINE)
        return {
            *self.raw["metadata"].get("tags", []),
            *(word.lower().replace("_", "-") for word in comments),
        }

    @property
    def outputs(self) -> list[dict]:
        """Its stored outputs."""
        return self.raw.get("outputs", [])

    @property
    def headings(self) -> list[tuple[int, str]]:
        """Level and text of each heading."""
        found = re.findall(r"^(#{1,6})\s+(.*?)\s*$", FENCED.sub("", self.text), re.MULTILINE)
        return [(len(signs), title) for signs, title in found]

    @property
    def prose(self) -> str:
        """Text as a reader sees it, without code, quotations and where links lead to."""
        text = CODE_SPAN.sub("", FENCED.sub("", self.text))
        text = re.sub(r"^\s*>.*$", "", text, flags=re.MULTILINE)
        text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text)
        return re.sub(r"<!--.*?-->|<[^>]+>", " ", text, flags=re.DOTALL)

    @property
    def words(self) -> int:
        """Number of words, tables and answers not counted."""
        text = re.sub(r"<details.*?</details>", "", FENCED.sub("", self.text), flags=re.DOTALL)
        text = re.sub(r"^\s*\|.*$", "", text, flags=re.MULTILINE)
        text = re.sub(r"\]\([^)]*\)|<[^>]+>", " ", text)
        return len(re.findall(r"\w[\w'’.-]*", text))

    def __str__(self) -> str:
        return f"cell {self.number} ({self.text.strip().splitlines()[0][:50] if self.text.strip() else 'empty'})"


@dataclass
class Lesson:
    """A notebook as it is on disk."""

    path: Path
    raw: dict

    @classmethod
    def read(cls, path: Path) -> "Lesson":
        """Read the file at `path`."""
        return cls(path, json.loads(path.read_text(encoding="utf-8")))

    @cached_property
    def cells(self) -> list[Cell]:
        """All cells, counted from 0 as JupyterLab's files do."""
        cells, section = [], ""
        for number, raw in enumerate(self.raw["cells"]):
            cell = Cell(number, raw, section)
            titles = (
                [title for level, title in cell.headings if level == 2]
                if raw["cell_type"] == "markdown"
                else []
            )
            if titles and cell.text.lstrip().startswith("#"):
                cell.section = titles[0]
            section = titles[-1] if titles else section
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
        return [heading for cell in self.markdown for heading in cell.headings]


def joined(text: str | list[str]) -> str:
    """Return a text that the file format may have cut into lines."""
    return text if isinstance(text, str) else "".join(text)


# ---- the file ----


@rule
def is_a_valid_notebook(lesson):
    if (lesson.raw.get("nbformat", 0), lesson.raw.get("nbformat_minor", 0)) < (4, 5):
        yield "nbformat 4.5 or newer is needed: older files have no cell ids"
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # missing and double ids only warn
        try:
            nbformat.validate(nbformat.from_dict(copy.deepcopy(lesson.raw)))
        except Exception as error:  # each kind of damage has its own class, a warning among them
            yield f"{type(error).__name__}: {str(error).splitlines()[0]}"


@rule
def is_small(lesson):
    size = lesson.path.stat().st_size if lesson.path.exists() else len(json.dumps(lesson.raw))
    if size > 300_000:
        yield f"{size:,} bytes; 300,000 at most: make pictures smaller or fewer"


@rule
def has_the_plain_kernel_and_no_widget_state(lesson):
    metadata = lesson.raw["metadata"]
    if metadata.get("kernelspec", {}).get("name") != "python3":
        yield "kernelspec is not python3: run make refresh"
    if "widgets" in metadata:
        yield "widget state is stored: run make refresh"


# ---- outputs ----


@rule
def was_run_in_order(lesson):
    wanted = 0
    for cell in lesson.code:
        if cell.lines:
            wanted += 1
            if cell.raw["execution_count"] != wanted:
                yield f"{cell}: execution count {cell.raw['execution_count']} in place of {wanted}: run make refresh"


@rule
def has_no_errors_in_its_outputs(lesson):
    for cell in lesson.code:
        for output in cell.outputs:
            if output["output_type"] == "error":
                yield f"{cell}: error {output['ename']}: {output['evalue']}"
            if output.get("name") == "stderr":
                yield f"{cell}: stderr {joined(output['text'])[:80]!r}"


@rule
def has_decided_its_claims(lesson):
    """A stored *undecided* comes from too few rounds: the next run decides, and differs."""
    for cell in lesson.code:
        if "undecided here" in json.dumps(cell.outputs):
            yield f"{cell}: a claim is undecided in the stored output: give its measurement more rounds, or a far bound"


@rule
def has_a_text_for_each_picture(lesson):
    for cell in lesson.code:
        for output in cell.outputs:
            data = output.get("data", {})
            if "image/png" in data:
                plain = joined(data.get("text/plain", "")).strip()
                if not str(output["metadata"].get("image/png", {}).get("alt", "")).strip():
                    yield f"{cell}: a picture without alt text: let labkit draw it"
                if not plain or plain.startswith("<Figure"):
                    yield f"{cell}: a picture whose plain text says nothing ({plain!r}): let labkit draw it"
            if re.search(r"<img\b(?![^>]*\balt=\"[^\"])", joined(data.get("text/html", ""))):
                yield f"{cell}: an <img> without alt text"
    for cell in lesson.markdown:
        if re.search(r"!\[\s*\]\(", cell.text):
            yield f"{cell}: a picture without alt text: ![what it shows](...)"


@rule
def does_not_show_the_machine_that_ran_it(lesson):
    for cell in lesson.code:
        for output in cell.outputs:
            kept = {
                kind: value
                for kind, value in output.get("data", {}).items()
                if not kind.startswith("image/")
            }
            text = json.dumps([output.get("text"), kept, output.get("evalue")], ensure_ascii=False)
            # Any word may come up in the letters of an encoded picture.
            if found := THIS_MACHINE.search(re.sub(r"base64,[\w+/=]+", "", text)):
                yield f"{cell}: an output shows {text[found.start() : found.start() + 40]!r}"


# ---- structure ----


@rule
def has_one_title_and_skips_no_level(lesson):
    first = lesson.cells[0]
    if first.raw["cell_type"] != "markdown" or not first.text.startswith("# "):
        yield "the very first line must be the title: # ..."
    titles = [title for level, title in lesson.headings if level == 1]
    if len(titles) != 1:
        yield f"one title is wanted, found {titles}"
    for (above, _), (level, title) in zip(lesson.headings, lesson.headings[1:], strict=False):
        if level > above + 1:
            yield f"heading {title!r} has level {level} after level {above}"


@rule
def has_the_sections_in_order(lesson):
    short = lesson.path.name.startswith("00_")
    titles = [title for level, title in lesson.headings if level == 2]
    known = [title for title in titles if title in SECTIONS]
    for title in SECTIONS:
        if title not in known and not (short and title in NOT_IN_FIRST):
            yield f"the section {title!r} is missing"
    if known != [title for title in SECTIONS if title in known]:
        yield f"sections in another order, or twice: {known}"
    rounds = [title for title in titles if title not in SECTIONS]
    at = titles.index("Setup") + 1 if "Setup" in titles else 0
    if titles[at : at + len(rounds)] != rounds:
        yield f"these are no sections, and stand elsewhere than after 'Setup': {rounds}"
    if not (1 if short else 2) <= len(rounds) <= 4:
        yield f"{'one' if short else 'two'} to four rounds between 'Setup' and the rest, found {len(rounds)}: {rounds}"


@rule
def begins_with_minutes_and_neighbours(lesson):
    first = lesson.cells[0].text
    if not re.search(r"\*\*\d+ minutes\*\*", first):
        yield "the first cell does not say how long it takes, such as **25 minutes**"
    names = sorted(
        {path.name for path in lesson.path.parent.glob("[0-9][0-9]_*.ipynb")} | {lesson.path.name}
    )
    at = names.index(lesson.path.name)
    for neighbour in [*names[max(0, at - 1) : at], *names[at + 1 : at + 2]]:
        if f"({neighbour})" not in first:
            yield f"the first cell has no link to its neighbour: [...]({neighbour})"


# ---- code ----


@rule
def has_short_code_cells(lesson):
    for cell in lesson.code:
        most = 15 if cell.tags & {"long", "exercise", "solution"} else 8
        if cell.text.startswith("lab.verdicts("):  # a table of sentences, one per claim
            most = 40
        if not 1 <= len(cell.lines) <= most:
            yield f"{cell}: {len(cell.lines)} lines; 1 to {most} are wanted (15 with the tag `long`)"


@rule
def has_code_that_runs_anywhere(lesson):
    for cell in lesson.code:
        for line in cell.lines:
            if line.rstrip().endswith(";"):
                yield f"{cell}: a line ends in a semicolon: {line!r}"
            if line.lstrip().startswith(("!", "%")):
                yield f"{cell}: a magic or a shell command: {line!r}"
            if ABSOLUTE_PATH.search(line):
                yield f"{cell}: an absolute path: {line!r}"
            if "http" in line:
                yield f"{cell}: an address; lessons work offline: {line!r}"
            if re.search(r"\bpip\b", line):
                yield f"{cell}: pip; everything is in requirements.lock: {line!r}"


@rule
def hides_nothing_from_nbval(lesson):
    ignoring = [cell for cell in lesson.code if cell.tags & IGNORE_TAGS]
    if len(ignoring) > 3:
        yield f"{len(ignoring)} cells ignore their output, 3 at most: {', '.join(map(str, ignoring))}"
    for cell in ignoring:
        if re.search(r"\.(claim|check|count)\(", cell.text):
            yield f"{cell}: ignores its output, and holds a claim, a check or a count"
    for cell in lesson.code:
        if cell.tags & FORBIDDEN_TAGS:
            yield f"{cell}: tag {', '.join(cell.tags & FORBIDDEN_TAGS)}; use lab.expect for an error"


@rule
def specifies_and_checks_its_exercises(lesson):
    for cell in lesson.code:
        if "exercise" in cell.tags:
            if "..." not in cell.text:
                yield f"{cell}: an exercise without ... to fill in"
            if not re.search(r'"""|#', cell.text):
                yield f"{cell}: an exercise without a docstring or comment that says what is wanted"
            if not any(
                ".check(" in later.text for later in lesson.code if later.number > cell.number
            ):
                yield f"{cell}: an exercise that no lab.check follows"


@rule
def collapses_its_solutions(lesson):
    for cell in lesson.code:
        if (
            "solution" in cell.tags
            and cell.raw["metadata"].get("jupyter", {}).get("source_hidden") is not True
        ):
            yield f"{cell}: a solution in the open; its metadata need jupyter.source_hidden: true"


# ---- text ----


@rule
def keeps_its_rhythm(lesson):
    lines = statistics.median([len(cell.lines) for cell in lesson.code] or [0])
    words = statistics.median([cell.words for cell in lesson.markdown] or [0])
    if not 1 <= lines <= 5:
        yield f"the median code cell has {lines} lines; 1 to 5 are wanted"
    if not 15 <= words <= 60:
        yield f"the median text cell has {words} words; 15 to 60 are wanted"


@rule
def says_it_in_120_words(lesson):
    for cell in lesson.markdown:
        if cell.words > 120 and cell.section not in LONG_SECTIONS:
            yield f"{cell}: {cell.words} words; 120 at most"


@rule
def speaks_plainly(lesson):
    for cell in lesson.markdown:
        for found in re.finditer(
            r"!|\b(?:simply|just|powerful|easily)\b", cell.prose, re.IGNORECASE
        ):
            around = " ".join(cell.prose[max(0, found.start() - 30) : found.end() + 10].split())
            yield f"{cell}: {found[0]!r} in: {around}"


@rule
def has_links_that_lead_somewhere(lesson):
    for cell in lesson.markdown:
        for match in LINK.finditer(CODE_SPAN.sub("", FENCED.sub("", cell.text))):
            target = urllib.parse.unquote((match[1] or match[2]).split("#")[0])
            if not target or re.match(r"https?:|mailto:", target):
                continue
            if (
                target.startswith(("/", "\\"))
                or ":" in target
                or not (lesson.path.parent / target).exists()
            ):
                yield f"{cell}: the link {target} leads nowhere"


@rule
def closes_its_details(lesson):
    for cell in lesson.markdown:
        text = CODE_SPAN.sub("", FENCED.sub("", cell.text))
        counts = [
            len(re.findall(sign, text))
            for sign in (r"<details\b", r"</details>", r"<summary\b", r"</summary>")
        ]
        if len(set(counts)) > 1:
            yield f"{cell}: <details>, </details>, <summary>, </summary> come {counts} times"
