"""The contract for trials: one function per rule that each notebook in notebooks/trials/ follows.

A trial tries every claim of one group of `claims_page.GROUPS`, in their order, on the programs that
the claims are about: evidence, verdict, what to believe. What a lesson and a trial have in common,
such as how a cell looks and what an output may hold, is in `contract.py`.
"""

import ast
import re
from collections.abc import Iterator

from claims_page import GROUPS, VERDICTS_CELL, reported, sentences
from contract import RULES as LESSON_RULES
from contract import Cell, Lesson, Rule

from labkit.course.start_page import MINUTES

# The rules of a lesson that hold for a trial, too.
SHARED = [
    "is_a_valid_notebook",
    "is_small",
    "has_the_plain_kernel_and_no_widget_state",
    "stores_no_widget",
    "has_no_times_of_execution",
    "was_run_in_order",
    "has_no_errors_in_its_outputs",
    "has_decided_its_claims",
    "has_a_text_for_each_picture",
    "does_not_show_the_machine_that_ran_it",
    "has_one_title_and_skips_no_level",
    "has_a_short_title",
    "opens_with_a_question",
    "says_its_true_minutes",
    "says_how_to_come_back",
    "has_short_code_cells",
    "has_lines_that_fit",
    "has_code_that_runs_anywhere",
    "hides_nothing_from_nbval",
    "shows_each_result",
    "takes_up_each_guess",
    "formats_its_measurements_with_labkit",
    "uses_one_door_of_labkit",
    "keeps_its_rhythm",
    "says_it_in_120_words",
    "speaks_plainly",
    "has_links_that_lead_somewhere",
    "closes_its_details",
]
FIRST_SECTIONS = ["How to read a trial", "Setup"]
LAST_SECTIONS = ["The verdicts", "What to do instead"]
LONGEST = 30  # minutes
CLAIM_ID = re.compile(r"[A-Z]\d*-\d+")
LESSON = re.compile(r"\(\.\./(\d\d_\w+\.ipynb)\)")

RULES: dict[str, Rule] = {name: LESSON_RULES[name] for name in SHARED}


def rule(function: Rule) -> Rule:
    """Add a rule to `RULES`."""
    RULES[function.__name__] = function
    return function


@rule
def is_named_after_its_group(trial: Lesson) -> Iterator[str]:
    if _group(trial) not in GROUPS:
        yield "the name must begin with the number of a group of claims, such as 000_ for S0"


@rule
def has_the_sections_of_a_trial(trial: Lesson) -> Iterator[str]:
    titles = [title for level, title in trial.headings if level == 2]
    if titles[: len(FIRST_SECTIONS)] != FIRST_SECTIONS:
        yield f"the first sections must be {FIRST_SECTIONS}, found {titles[:2]}"
    if titles[-len(LAST_SECTIONS) :] != LAST_SECTIONS:
        yield f"the last sections must be {LAST_SECTIONS}, found {titles[-2:]}"


@rule
def takes_at_most_30_minutes(trial: Lesson) -> Iterator[str]:
    stated = MINUTES.search(trial.cells[0].text)
    if stated is None:
        yield "the first cell does not say how long it takes, such as **25 minutes**"
    elif int(stated[1]) > LONGEST:
        yield f"it takes {stated[1]} minutes; at most {LONGEST} are allowed"


@rule
def tries_every_claim_of_its_group_in_order(trial: Lesson) -> Iterator[str]:
    group = _group(trial)
    if group not in GROUPS:
        return
    count = GROUPS[group].count
    not_run_here = reported()
    expected = []
    for number in range(1, count + 1):
        id = f"{group}-{number}"
        if id not in not_run_here:
            expected.append(id)
    found = _tried(trial)
    if found != expected:
        yield f"the claims must be {group}-1 to {group}-{count} in order, found {found}"


@rule
def names_each_claim_in_its_heading(trial: Lesson) -> Iterator[str]:
    """So that a reader finds a claim by its number, in the table of contents, too."""
    named: list[str] = []
    for cell in trial.cells:
        if cell.raw["cell_type"] == "markdown" and cell.headings:
            _, title = cell.headings[-1]
            named = CLAIM_ID.findall(title)
        for id in _tried_in(cell):
            if id not in named:
                yield f"{cell}: {id} is tried under a heading that does not name it: ### {id} · ..."


@rule
def gives_evidence_for_each_claim(trial: Lesson) -> Iterator[str]:
    """A verdict that no run can change is no trial."""
    for cell in trial.code:
        for call in _claims_in(cell):
            if len(call.args) < 3 or not _uses_a_name(call.args[2]):
                yield f"{cell}: the evidence does not depend on anything that was measured"


@rule
def says_what_to_believe(trial: Lesson) -> Iterator[str]:
    """The page of all claims takes its sentences from here."""
    sections = []
    for cell in trial.code:
        if cell.text.startswith(VERDICTS_CELL):
            sections.append(cell.section)
    if sections != [LAST_SECTIONS[0]]:
        yield f"the section {LAST_SECTIONS[0]!r} needs one cell that begins with {VERDICTS_CELL}"
        return
    found = _tried(trial)
    believed = list(sentences(trial.raw["cells"]))
    if believed != found:
        yield f"the claims are {found}, and the sentences are for {believed}"


@rule
def leaves_exercises_to_the_lessons(trial: Lesson) -> Iterator[str]:
    for cell in trial.code:
        if cell.tags & {"exercise", "solution"} or ".check(" in cell.text:
            yield f"{cell}: an exercise; it belongs in a lesson"


@rule
def leads_to_the_lessons(trial: Lesson) -> Iterator[str]:
    for target in ("../CLAIMS.md", "../README.md"):
        if f"({target})" not in trial.cells[0].text:
            yield f"the first cell has no link to {target}"
    linked: set[str] = set()
    for cell in trial.markdown:
        if cell.section == LAST_SECTIONS[1]:
            linked.update(LESSON.findall(cell.text))
    if len(linked) < 3:
        yield f"{LAST_SECTIONS[1]!r} leads to {len(linked)} lessons; at least 3 are expected"


def _group(trial: Lesson) -> str:
    """Return the group whose claims a trial tries, by its number; empty if there is none."""
    for name, group in GROUPS.items():
        if trial.path.name.startswith(f"{group.trial}_"):
            return name
    return ""


def _claims_in(cell: Cell) -> list[ast.Call]:
    """Return the calls of `lab.claim` in a cell, in order."""
    calls: list[ast.Call] = []
    if cell.raw["cell_type"] != "code":
        return calls
    for statement in cell.statements:
        for node in ast.walk(statement):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "lab.claim":
                calls.append(node)
    return calls


def _tried_in(cell: Cell) -> list[str]:
    """Return the numbers of the claims that a cell tries."""
    return [ast.literal_eval(call.args[0]) for call in _claims_in(cell)]


def _tried(trial: Lesson) -> list[str]:
    """Return the numbers of the claims that a trial tries, in order."""
    found = []
    for cell in trial.code:
        found.extend(_tried_in(cell))
    return found


def _uses_a_name(expression: ast.expr) -> bool:
    """Return whether an expression depends on any variable."""
    return any(isinstance(node, ast.Name) for node in ast.walk(expression))
