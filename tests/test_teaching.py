"""The teacher's desk: a guide for each lesson, true minutes, plans that add up, true messages."""

import ast
import json
import os
import re
import subprocess
import sys
import textwrap
from argparse import _SubParsersAction

import print_guides
import pytest
import teaching_pages
from contract import Lesson
from teaching_pages import README, TEACHING, WORDS_OF, guide_of, plans, whole
from test_exercises import WRONG, checked

import labkit as lab
from labkit.__main__ import _parser
from labkit.course.exercises import engine
from labkit.course.start_page import read_lesson

LESSONS = sorted((TEACHING.parent / "notebooks").glob("[0-9][0-9]_*.ipynb"))
GUIDES = sorted(TEACHING.glob("[0-9][0-9]_*.md"))
# A guide is one page of A4 in print, see the tables and fences in it: so many lines, see `height`.
PAGE = 68
WIDTH = 104
MOST_WORDS = 560
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# | 02.1 *one by one* | `the message` | the sentence |
ROW = re.compile(r"^\| (\d\d\.\d) \*([^*]+)\* \| (`+)(.+?)\3 \| (.+) \|$", re.MULTILINE)
# At most so many minutes of a session without a break, as the page says itself.
LONGEST = 90


def by_name(path):
    return path.stem


def text_of(path):
    return path.read_text(encoding="utf-8")


def between(text, name):
    """Return what stands between the two comments of a name."""
    return text.partition(f"<!-- {name} -->\n")[2].partition(f"<!-- /{name} -->")[0]


def cells_of(table):
    """Return the cells of the lines of a table, without its head."""
    lines = table.splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def minutes_in(guide):
    """Return {words of a part: (minutes alone, in a room)} of the table in a guide."""
    found = {}
    for name, *minutes in cells_of(between(text_of(guide), "minutes").strip()):
        found[name] = tuple(int(number.strip("*").replace("<1", "0")) for number in minutes)
    return found


# ---- the guides ----


def test_every_lesson_has_a_guide_and_every_guide_a_lesson():
    assert {path.stem for path in LESSONS} == {path.stem for path in GUIDES}


@pytest.mark.parametrize("guide", GUIDES, ids=by_name)
def test_a_guide_has_all_its_parts_in_order(guide):
    text = text_of(guide)
    lesson = TEACHING.parent / "notebooks" / f"{guide.stem}.ipynb"
    assert f"[The lesson](../notebooks/{lesson.name})" in text
    parts = ["**Goal:**", "<!-- minutes -->", "**Say**", "**Ask**", "**Watch for**"]
    parts += ["## Demo, after *", "```python", "**When ", "## Wrong answers", "## Board", "```text"]
    places = [text.find(part) for part in parts]
    assert -1 not in places, parts[places.index(-1)]
    assert places == sorted(places)


@pytest.mark.parametrize("guide", GUIDES, ids=by_name)
def test_a_guide_has_the_title_of_its_lesson(guide):
    title = re.search(r"^# (.+)", text_of(guide))[1]
    assert title == teaching_pages.title(f"{guide.stem}.ipynb")


@pytest.mark.parametrize("guide", GUIDES, ids=by_name)
def test_a_guide_fits_on_a_page(guide):
    text = text_of(guide)
    assert len(re.findall(r"\w[\w.'-]*", text)) <= MOST_WORDS
    assert height(text) <= PAGE


def height(text):
    """Return about how many lines a page takes in print: what wraps counts as often as it does."""
    lines = 0
    text = re.sub(r"<!--.*?-->\n?", "", text)
    for block in re.split(r"\n{2,}", text.strip()):
        in_fence = block.startswith("```")
        is_prose = not in_fence and not block.startswith(("|", "- ", "#"))
        for line in [" ".join(block.split())] if is_prose else block.splitlines():
            if not re.fullmatch(r"[|:\s-]+", line):
                lines += 1 if in_fence else max(1, -(-len(line) // WIDTH))
        lines += 0.5
    return lines


def test_what_wraps_is_counted_as_often_as_it_does():
    assert height("a") == 1.5
    assert height("a\n\n" + "b" * (WIDTH + 1)) == 4.0
    assert height("| a |\n|---|\n| b |") == 2.5


def test_the_page_to_print_has_each_guide_that_is_asked_for_on_a_sheet_of_its_own():
    html = print_guides.page(print_guides.chosen(["02", "00"]))
    assert re.findall(r"<article>\s*<h1[^>]*>(\d\d)", html) == ["02", "00"]
    assert "break-after: page" in html and "anchor-link" not in html
    assert len(print_guides.chosen([])) == len(GUIDES)
    with pytest.raises(SystemExit, match="no guide 99: there are 00, 01"):
        print_guides.chosen(["02", "99"])


def commands_in(text):
    """Return (command, its options) of each `python -m labkit ...` in a text."""
    found = re.findall(r"python -m labkit ([a-z-]+)([^`\n]*)", text)
    return [(name, re.findall(r"--[a-z-]+", rest)) for name, rest in found]


def test_the_commands_that_the_pages_name_exist_with_their_options():
    [commands] = [one for one in _parser()._actions if isinstance(one, _SubParsersAction)]
    named = set()
    for page in [README, *GUIDES]:
        for name, options in commands_in(text_of(page)):
            named.add(name)
            assert set(options) <= set(commands.choices[name]._option_string_actions), name
    assert {"doctor", "pack", "hand-in", "room", "own-loop"} <= named


# ---- minutes ----


@pytest.mark.parametrize("guide", GUIDES, ids=by_name)
def test_the_minutes_of_a_guide_are_those_of_its_lesson(guide):
    """They are counted anew here: each part from its cells, and all of them together."""
    exact = {}
    in_room = {WORDS_OF[teaching_pages.OPENING]: 3.0}  # waiting for the slowest laptop
    for cell in Lesson.read(TEACHING.parent / "notebooks" / f"{guide.stem}.ipynb").cells:
        name = teaching_pages.name_of_part(cell.section)
        words = WORDS_OF.get(name, name)
        exact[words] = exact.get(words, 0.0) + cell.minutes
        longer = 2.0 * ("lab.guess(" in cell.text)
        longer += 4.0 * ("exercise" in cell.tags and "stretch" not in cell.tags)
        in_room[words] = in_room.get(words, 0.0) + cell.minutes + longer
    scale = 1.5 * sum(exact.values()) / sum(in_room.values())
    shown = minutes_in(guide)
    total = shown.pop("**all**")
    assert list(shown) == list(exact)
    for name, (alone, room) in shown.items():
        assert abs(alone - exact[name]) <= 1, name
        assert abs(room - scale * in_room[name]) <= 1, name
    assert tuple(map(sum, zip(*shown.values(), strict=True))) == total
    assert total == (round(sum(exact.values())), round(1.5 * sum(exact.values())))


def test_the_time_to_prepare_is_that_of_the_table():
    """Once for a plan, and for each lesson but 00: the lesson, and its demo."""
    table = re.findall(r"^\| (\d+)(?: each)? \| ", text_of(README), re.MULTILINE)
    reading, mail, first, lesson, demo = map(int, table[:5])
    assert reading + mail + first == teaching_pages.PREPARATION
    assert lesson + demo == teaching_pages.PREPARATION_OF_A_LESSON
    assert "90 minutes 1:25" in between(text_of(README), "preparation")


def test_whole_minutes_add_up_to_the_rounded_sum():
    assert whole([0.3, 0.4, 0.4]) == [0, 1, 0]
    assert sum(whole([2.5, 3.3, 7.9])) == 14
    assert whole([]) == []


def test_the_first_cell_of_a_lesson_and_the_table_of_guides_agree():
    """The cell rounds to five minutes, and the contract allows four more or fewer."""
    table = cells_of(between(text_of(README), "guides").strip())
    assert len(table) == len(GUIDES)
    for cells, lesson in zip(table, LESSONS, strict=True):
        stated = read_lesson(lesson, lesson.name).minutes
        assert abs(int(cells[1]) - stated) <= 4, lesson.name
        assert int(cells[2]) == minutes_in(guide_of(lesson))["**all**"][1]
        assert 0 <= int(cells[3]) < int(cells[2])


def test_the_factor_of_a_room_is_what_guesses_exercises_and_waiting_add():
    shares = [teaching_pages.extra_in_room(lesson) for lesson in LESSONS]
    assert abs(sum(shares) / len(shares) - (teaching_pages.ROOM - 1)) < 0.1
    for minutes in teaching_pages.ROOM_MINUTES_OF.values():
        assert f"{minutes:g} minutes" in text_of(README)


# ---- plans ----


def sessions():
    """Return (name of the plan, number, its minutes, lines of its table) of each session."""
    found = []
    for plan in plans():
        lines = cells_of(between(text_of(README), f"plan {plan['name']}").strip())
        chunks = [[]]
        for at, what, minutes in lines:
            if at:
                chunks[-1].append((at, what, minutes))
            if what == "end":
                chunks.append([])
        for number, (session, chunk) in enumerate(zip(plan["session"], chunks, strict=False)):
            found.append((plan["name"], number, session["minutes"], chunk))
    return found


SESSIONS = sessions()


def in_minutes(at):
    hours, minutes = at.split(":")
    return 60 * int(hours) + int(minutes)


@pytest.mark.parametrize(("name", "number", "has", "lines"), SESSIONS)
def test_a_plan_adds_up(name, number, has, lines):
    now = 0
    for at, _, minutes in lines[:-1]:
        assert in_minutes(at) == now, at
        now += int(minutes)
    assert (in_minutes(lines[-1][0]), lines[-1][1]) == (has, "end")
    assert now == has


@pytest.mark.parametrize(("name", "number", "has", "lines"), SESSIONS)
def test_a_lesson_in_a_plan_takes_the_minutes_of_its_guide_without_what_is_left_out(
    name, number, has, lines
):
    seen = 0
    for _, what, minutes in lines[:-1]:
        guide = re.search(r"\]\((\d\d_\w+\.md)\)", what)
        if not guide:
            continue
        seen += 1
        table = minutes_in(TEACHING / guide[1])
        left_out = re.findall(r"(?<!\*)\*([^*]+)\*", what.partition(", without ")[2])
        assert ("without" in what) == bool(left_out)
        rooms = {words: room for words, (_, room) in table.items()}
        gone = sum(rooms[WORDS_OF.get(part, part)] for part in left_out)
        assert int(minutes) == rooms["**all**"] - gone, what
    assert seen


@pytest.mark.parametrize(("name", "number", "has", "lines"), SESSIONS)
def test_nobody_sits_for_longer_than_the_page_says(name, number, has, lines):
    assert f"**A break every {LONGEST} minutes at most.**" in text_of(README)
    sitting = 0
    for _, what, minutes in lines[:-1]:
        is_break = what.startswith("*") and what.endswith("*")
        sitting = 0 if is_break else sitting + int(minutes)
        assert sitting <= LONGEST, what


def test_there_are_plans_of_the_five_lengths():
    lengths = {plan["name"]: [one["minutes"] for one in plan["session"]] for plan in plans()}
    assert lengths["90 minutes"] == [90]
    assert len(lengths["two days"]) == 2
    assert lengths["six weekly meetings"] == [90] * 6
    assert {"half a day", "a day"} < set(lengths)
    for plan in plans():
        assert f"### {plan['name'][0].upper()}{plan['name'][1:]}\n" in text_of(README)


def plan(line):
    return {"name": "test", "session": [{"minutes": 60, "lines": [line]}]}


def test_a_plan_that_is_too_long_and_one_that_leaves_out_what_is_not_there_are_errors():
    short = teaching_pages.plan_table(plan({"what": "Talk", "minutes": 10}))
    assert "0:10 | to spare | 50" in short
    with pytest.raises(ValueError, match="70 minutes do not fit into 60"):
        teaching_pages.plan_table(plan({"what": "Talk", "minutes": 70}))
    with pytest.raises(ValueError, match="has no Exploring"):
        teaching_pages.plan_table(plan({"lesson": "02", "without": ["Exploring"]}))
    with pytest.raises(ValueError, match="no lesson 99 with a guide"):
        teaching_pages.plan_table(plan({"lesson": "99"}))


def test_the_learners_of_the_page_get_lessons_that_exist():
    table = text_of(README).partition("## Who comes")[2].partition("\n## ")[0]
    learners = [line for line in table.splitlines() if line.startswith("| **")]
    assert len(learners) >= 3
    numbers = {path.name[:2] for path in LESSONS}
    for line in learners:
        named = re.findall(r"\b\d\d\b", line.strip("|").split("|")[-1])
        assert named and set(named) <= numbers, line


# ---- wrong answers ----

QUOTED = [(guide, *row) for guide in GUIDES for row in ROW.findall(text_of(guide))]


@pytest.mark.parametrize("lesson", LESSONS, ids=by_name)
def test_each_exercise_is_covered_a_stretch_one_once_the_others_twice(lesson):
    rows = ROW.findall(text_of(guide_of(lesson)))
    for id in checked(lesson):
        named = {name for found, name, *_ in rows if found == id}
        is_stretch = engine._find(id).title.endswith("(stretch)")
        assert len(named) >= (1 if is_stretch else 2), id
    assert {found for found, *_ in rows} <= set(checked(lesson))


@pytest.mark.parametrize("guide", GUIDES, ids=by_name)
def test_no_line_of_the_table_of_wrong_answers_is_overlooked(guide):
    table = text_of(guide).partition("## Wrong answers")[2].partition("## Board")[0]
    lines = [line for line in table.splitlines() if line.startswith("|")][2:]
    assert len(lines) == len(ROW.findall(table))


@pytest.fixture(autouse=True)
def _separate_record(tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path))
    monkeypatch.delenv("LABKIT_STRICT", raising=False)


@pytest.mark.parametrize(
    ("id", "name", "quoted"),
    [pytest.param(id, name, text, id=f"{id}-{name}") for _, id, name, _, text, _ in QUOTED],
)
def test_a_quoted_message_is_what_the_check_says_today(id, name, quoted):
    [answer] = [answer for found, called, answer, _ in WRONG if (found, called) == (id, name)]
    message = " ".join(lab.check(id, answer).message.split())
    place = 0
    for piece in filter(None, (piece.strip() for piece in quoted.split("…"))):
        assert len(piece) >= 4, quoted
        assert piece in message[place:], message
        place = message.index(piece, place) + len(piece)


@pytest.mark.parametrize("guide", GUIDES, ids=by_name)
def test_a_sentence_unblocks_in_the_words_of_a_teacher(guide):
    for _, _, _, message, sentence in ROW.findall(text_of(guide)):
        assert sentence.startswith('"') and sentence.endswith(('?"', '."')), sentence
        assert sentence.strip('"').strip(".?") not in message


# ---- demos ----


def fences(text, language):
    return [code for found, code in FENCE.findall(text) if found == language]


PROGRAM = """
import contextlib, io, json, sys, traceback
preamble, *demos = json.load(sys.stdin)
ends = []
for demo in demos:
    space, out = {}, io.StringIO()
    with contextlib.redirect_stdout(out):
        try:
            exec(preamble, space)
            exec(demo, space)
            error = ""
        except Exception:
            error = traceback.format_exc()
    ends.append([out.getvalue(), error])
print("\\n" + json.dumps(ends))
"""


@pytest.fixture(scope="module")
def ends(tmp_path_factory):
    """Run all demos in one fresh process; return what each printed, and its error."""
    [preamble] = fences(text_of(README), "python")
    demos = []
    for guide in GUIDES:
        [demo] = fences(text_of(guide), "python")
        demos.append(demo)
    folder = tmp_path_factory.mktemp("demos")
    env = os.environ | {"LABKIT_BUDGET": "0.2", "TQDM_DISABLE": "1", "MPLBACKEND": "Agg"}
    env |= dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder))
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=json.dumps([preamble, *demos]),
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=env | {"PYTHONIOENCODING": "utf-8"},
        cwd=folder,
        timeout=600,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    found = json.loads(run.stdout.splitlines()[-1])
    return dict(zip([guide.stem for guide in GUIDES], found, strict=True))


@pytest.mark.parametrize("guide", GUIDES, ids=by_name)
def test_a_demo_runs_in_a_notebook_of_its_own_and_prints_what_the_guide_says(guide, ends):
    printed, error = ends[guide.stem]
    assert not error, error
    text = " ".join(text_of(guide).split())
    words = " ".join(printed.split())
    for promised in re.findall(r"\bit prints `([^`]+)`", text, re.IGNORECASE):
        assert promised in words
    for promised in re.findall(r"\bthe last line that it prints is `([^`]+)`", text, re.IGNORECASE):
        assert printed.splitlines()[-1] == promised
    for promised in re.findall(r"\bit prints `([^`]+)` three times", text, re.IGNORECASE):
        assert words.count(promised) == 3


@pytest.mark.parametrize("guide", GUIDES, ids=by_name)
def test_a_demo_belongs_behind_a_section_of_the_lesson(guide):
    [section] = re.findall(r"^## Demo, after \*(.+)\*$", text_of(guide), re.MULTILINE)
    assert section in minutes_in(guide)


@pytest.mark.parametrize("guide", GUIDES, ids=by_name)
def test_a_demo_is_short_enough_to_type(guide):
    [demo] = fences(text_of(guide), "python")
    ast.parse(demo)
    assert len([line for line in demo.splitlines() if line.strip()]) <= 16


@pytest.mark.parametrize("guide", GUIDES, ids=by_name)
def test_a_board_can_be_drawn_by_hand(guide):
    [board] = fences(text_of(guide), "text")
    lines = textwrap.dedent(board).splitlines()
    assert 2 <= len(lines) <= 8
    assert max(map(len, lines)) <= 88
    assert board.isascii() or not set(board) - set(map(chr, range(32, 0x300))) - {"\n"}
