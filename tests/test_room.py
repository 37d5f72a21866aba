"""`hand-in` writes what is on a learner's pages; `room` makes one page of the files of a room.

What is in these files is somebody else's: names with HTML, numbers that are none, damaged files.
"""

import html.parser
import json
import os
import re
import time
import xml.etree.ElementTree as ET

import nbformat
import pytest
from fakes import ROOT, comparison
from nbformat.v4 import new_output
from small_course import LOOP, START, lesson, make_course, write

from labkit import __main__ as command
from labkit.course import hand_in, room
from labkit.course import workspace as copies
from labkit.course.exercises.record import write_states
from labkit.course.hand_in import gather, ratios_in, ratios_of
from labkit.course.room import find_spread, page, read_room
from labkit.show import plots

# ---- ratios on a page ----


def numbers_of(result, name):
    ratio = result.ratio[name]
    return pytest.approx((ratio.value, ratio.low, ratio.high), rel=0.01)


def test_the_captions_of_figures_are_read_as_they_are_written():
    result = comparison({"slow way": 1.0, "tf.function": 0.01, "16 callers, one each": 30.0})
    found = {name: (than, numbers) for name, than, numbers in ratios_in(str(result.plot()))}
    assert set(found) == {"tf.function", "16 callers, one each"}
    for name, (than, numbers) in found.items():
        assert than == "slow way"
        assert numbers == numbers_of(result, name)


def test_a_guess_and_the_other_way_round_add_no_ratio():
    result = comparison({"slow": 1.0, "fast": 0.1})
    caption = str(result.plot(guess=7))
    assert " So slow takes " in caption
    assert " The guess was 7" in caption
    assert [one[:2] for one in ratios_in(caption)] == [("fast", "slow")]


def test_what_one_row_costs_is_one_ratio_from_the_first_to_the_last():
    result = comparison({"predict": 1.0, "model(row)": 0.1, "tf.function": 0.02})
    (one,) = ratios_in(str(plots.cost_of_one_row(result)))
    assert one[:2] == ("predict", "tf.function")
    assert one[2][0] == pytest.approx(50, rel=0.1)


def test_ratios_of_rounds_are_read():
    (one,) = ratios_in(str(comparison({"a": 1.0, "b": 2.0}).plot("rounds")))
    assert one[:2] == ("b", "a")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Total time: graph costs more at first and has paid for itself after ≈12 calls of eager.",
        "sliders: a\na=1: b takes ≈2.00× [1.00, 3.00] the time of c.",
        "a takes ≈?× [?, ?] the time of b.",
        "a takes ≈1.2.3× the time of b.",
        "a takes ≈0× the time of b.",
        "he takes the time of his life.",
    ],
)
def test_other_texts_are_no_ratios(text):
    assert ratios_in(text) == []


def test_an_interval_without_an_end_leaves_the_ratio():
    assert ratios_in("a takes ≈2.00× [1.00, ?] the time of b.") == [("a", "b", (2.0, 1.0, None))]


@pytest.mark.parametrize("name", ["00_start_here", "02_direct_call_loop", "16_your_own_model"])
def test_the_lessons_of_the_course_show_ratios(name):
    notebook = json.loads((ROOT / "notebooks" / f"{name}.ipynb").read_text(encoding="utf-8"))
    found = ratios_of(name[:2], notebook)
    assert found
    assert all(ratio.section and ratio.cell for ratio in found)


# ---- handing in ----


@pytest.fixture
def course(tmp_path, monkeypatch):
    """Make a course and a workspace where something was run and passed; return both folders."""
    source, workspace = make_course(tmp_path)
    write(lesson(check="00.1"), source / START)
    copies.make_workspace(source, workspace)
    show(workspace / LOOP, "slow takes ≈28.4× [25.9, 32.2] the time of fast.")
    monkeypatch.setattr(copies, "COURSE", source)
    monkeypatch.setenv("LABKIT_WORKSPACE", str(workspace))
    monkeypatch.delenv("LABKIT_HOME", raising=False)
    write_states(workspace / "progress.json", {"02.1": "passed", "00.1": "not yet"})
    return source, workspace


def show(path, caption):
    """Give a cell of a notebook a figure with this caption, as a run does."""
    notebook = nbformat.read(path, as_version=4)
    figure = {"text/plain": caption, "text/html": "<figure></figure>"}
    notebook.cells[2].outputs = [new_output("execute_result", figure, execution_count=1)]
    notebook.cells[2].execution_count = 1
    nbformat.write(notebook, path)


def test_the_command_writes_what_was_passed_and_measured(course, tmp_path, capsys):
    file = tmp_path / "ann.json"
    assert command.main(["hand-in", str(file), "--name", "Ann"]) == 0
    content = json.loads(file.read_text(encoding="utf-8"))
    assert (content["kind"], content["version"], content["name"]) == ("labkit hand-in", 1, "Ann")
    assert content["exercises"] == {"00.1": "not yet", "02.1": "passed"}
    assert content["begun"] == ["02"]
    (ratio,) = content["ratios"]
    assert (ratio["lesson"], ratio["section"]) == ("02", "Setup")
    assert (ratio["name"], ratio["than"], ratio["value"]) == ("slow", "fast", 28.4)
    said = capsys.readouterr().out
    assert "Ann: 1 exercise passed, 1 measured ratio, lessons with results: 02" in said
    assert str(tmp_path) not in file.read_text(encoding="utf-8")


def test_without_a_name_there_is_none(course, tmp_path):
    content = gather(course[1])
    assert content["name"] == ""
    assert course[1].name not in json.dumps(content)


def test_files_of_one_workspace_have_the_same_number_and_others_have_not(course, tmp_path):
    source, workspace = course
    assert gather(workspace)["id"] == gather(workspace)["id"]
    other = tmp_path / "other"
    copies.make_workspace(source, other)
    assert gather(other)["id"] != gather(workspace)["id"]


def test_a_file_that_exists_is_kept(course, tmp_path, capsys):
    file = tmp_path / "ann.json"
    file.write_text("mine", encoding="utf-8")
    assert command.main(["hand-in", str(file)]) == 1
    assert "exists: give another name, or --force to replace it" in capsys.readouterr().err
    assert file.read_text(encoding="utf-8") == "mine"
    assert command.main(["hand-in", str(file), "--force"]) == 0


def test_before_the_first_lesson_the_command_says_what_to_do(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("LABKIT_WORKSPACE", str(tmp_path / "none"))
    assert command.main(["hand-in", str(tmp_path / "a.json")]) == 1
    assert "python -m labkit lab" in capsys.readouterr().err
    assert not (tmp_path / "a.json").exists()


def test_a_copy_that_cannot_be_read_loses_nothing_else(course, tmp_path):
    (course[1] / START).write_text("{", encoding="utf-8")
    assert len(gather(course[1])["ratios"]) == 1


# ---- the room ----


def handed_in(folder, file, name="", value=2.0, states=None, **changes):
    """Write what a learner hands in, with changes."""
    content = {
        "kind": "labkit hand-in",
        "version": 1,
        "name": name,
        "written": "2026-11-27T10:00:00+00:00",
        "id": f"id of {file}",
        "machine": {"processor": "A processor", "cores": "8 for this process"},
        "begun": ["02"],
        "exercises": {"02.1": "passed"} if states is None else states,
        "ratios": [ratio_entry(value)],
    }
    path = folder / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content | changes), encoding="utf-8")


def ratio_entry(value, low=None, high=None, **changes):
    entry = {"lesson": "02", "cell": "c1", "section": "Setup", "name": "slow", "than": "fast"}
    return entry | {"value": value, "low": low, "high": high} | changes


@pytest.fixture
def results(tmp_path):
    folder = tmp_path / "results"
    folder.mkdir()
    return folder


class Reader(html.parser.HTMLParser):
    """Collects the elements and the texts of a page, as a browser would see them."""

    def __init__(self, text):
        super().__init__()
        self.elements = []
        self.attributes = []
        self.texts = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_data(self, data):
        if data.strip():
            self.texts.append(data.strip())


def page_of(results, course, ratio=None):
    found = read_room(results, course[0])
    return page(found, find_spread(found, ratio))


def test_the_command_draws_who_passed_what(results, course, tmp_path, capsys):
    handed_in(results, "a.json", "Ann", value=3.0)
    handed_in(results, "b.json", "Ben", states={"02.1": "not yet"})
    handed_in(results, "c.json", "Cleo", states={}, begun=[], ratios=[])
    out = tmp_path / "room.html"
    assert command.main(["room", str(results), "--output", str(out)]) == 0
    said = capsys.readouterr().out
    assert "3 learners; exercises passed: 1 in all" in said
    assert "02: begun by 2, finished by 1; fewest passed 02.1" in said
    read = Reader(out.read_text(encoding="utf-8"))
    text = " ".join(read.texts)
    assert "Ann ✓ 1 of 1 1" in text
    assert "Ben ◐ 0 of 1 0" in text
    assert "Cleo ○ not begun 0" in text
    assert "02.1 1 1 0 2" in text
    assert "slow takes ≈2.50× the time of fast in the middle of 2 laptops" in text


def test_the_page_needs_no_other_file_and_has_no_script(results, course):
    handed_in(results, "a.json")
    read = Reader(page_of(results, course))
    assert not {"script", "link", "iframe", "img", "object"} & set(read.elements)
    assert not any(name in ("src", "href", "onload") for _, name, _ in read.attributes)
    assert "://" not in page_of(results, course)


def test_the_page_can_be_read_without_seeing_it(results, course):
    handed_in(results, "a.json", "Ann")
    text = page_of(results, course)
    read = Reader(text)
    assert ("html", "lang", "en") in read.attributes
    assert ("svg", "role", "img") in read.attributes
    assert any(
        tag == "svg" and name == "aria-label" and value for tag, name, value in read.attributes
    )
    headings = [tag for tag in read.elements if re.fullmatch(r"h\d", tag)]
    assert headings[0] == "h1"
    assert set(headings[1:]) == {"h2"}
    assert read.elements.count("th") == sum(name == "scope" for _, name, _ in read.attributes)
    assert "prefers-color-scheme: dark" in text
    labels = [value for tag, name, value in read.attributes if (tag, name) == ("div", "aria-label")]
    assert len(set(labels)) == len(labels) > 2


BAD = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>&amp;{{ 7*7 }}"


def test_what_learners_type_stays_text(results, course):
    entry = ratio_entry(2.0, name=BAD, than=BAD, section=BAD)
    file = "<b>.json" if os.name == "posix" else "b.json"
    handed_in(results, file, BAD, ratios=[entry], machine={"processor": BAD, "cores": BAD})
    (results / "<i>x.json" if os.name == "posix" else results / "x.json").touch()
    text = page_of(results, course)
    read = Reader(text)
    assert not {"script", "img", "b", "i"} & set(read.elements)
    assert not any(name.startswith("on") for _, name, _ in read.attributes)
    assert any(shown.startswith("<script>alert(1)</script>") for shown in read.texts)
    assert "49" not in " ".join(read.texts)


def svg_of(text):
    return ET.fromstring(re.search(r"<svg.*?</svg>", text, re.DOTALL)[0])


def test_the_picture_has_a_mark_for_each_laptop_within_its_axis(results, course):
    values = [0.5, 1.0, 2.0, 1e9, 1e-9]
    for i, value in enumerate(values):
        handed_in(results, f"{i}.json", ratios=[ratio_entry(value, value / 2, min(value * 2, 1e9))])
    picture = svg_of(page_of(results, course))
    marks = picture.findall("circle")
    places = [float(mark.get("cx")) for mark in marks]
    assert len(places) == len(values)
    assert places == sorted(places)
    assert all(room._LEFT <= place <= room._RIGHT for place in places)
    for line in picture.findall("line"):
        assert room._LEFT <= float(line.get("x1")) <= float(line.get("x2")) <= room._RIGHT
    ticks = [text.text for text in picture.findall("text") if (text.text or "").endswith("×")]
    assert len(ticks) >= 4 + len(values)


@pytest.mark.parametrize("values", [[1.0], [2.0, 2.0], [1.001, 1.002], [0.00004, 0.00005], [7, 90]])
def test_the_axis_has_a_few_round_ticks(values):
    ratios = [hand_in.Ratio("02", "c", "s", "a", "b", value) for value in values]
    ends = room._ends(ratios)
    ticks = room._ticks(ends)
    assert 2 <= len(ticks) <= 8
    assert ends[0] < min(values) <= max(values) < ends[1]
    assert all(ends[0] <= tick <= ends[1] for tick in ticks)


def test_two_hundred_learners_are_a_page_of_a_bearable_size_in_seconds(results, course):
    for i in range(200):
        handed_in(results, f"{i:03}.json", f"Learner {i}", value=1 + i / 10)
    begin = time.perf_counter()
    text = page_of(results, course)
    assert time.perf_counter() - begin < 20
    assert len(text) < 500_000
    picture = svg_of(text)
    assert len(picture.findall("circle")) == 200
    assert float(picture.get("height")) < 1100
    assert "Learner 123" in text


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 0, -2, "2", None, 10**400, [2]])
def test_a_ratio_that_is_no_number_is_left_out(results, course, value):
    handed_in(results, "a.json", ratios=[ratio_entry(value), ratio_entry(3.0, cell="c2")])
    found = read_room(results, course[0])
    assert [spread.values for spread in found.spreads()] == [[3.0]]
    assert page_of(results, course)


@pytest.mark.parametrize(
    ("low", "high"), [(float("nan"), 3), (None, 3), (3, 1), (5, 6), ("1", 3), (1, float("inf"))]
)
def test_an_interval_that_is_none_leaves_the_ratio(results, course, low, high):
    handed_in(results, "a.json", ratios=[ratio_entry(2.0, low, high)])
    (spread,) = read_room(results, course[0]).spreads()
    assert (spread.ratio.value, spread.ratio.low, spread.ratio.high) == (2.0, None, None)


@pytest.mark.parametrize(
    "changes",
    [
        {"exercises": "all"},
        {"exercises": None},
        {"ratios": "many"},
        {"ratios": [None, 1, [], {"lesson": ["02"]}]},
        {"begun": "02"},
        {"begun": [2, None, "99", ["02"]]},
        {"machine": ["x"]},
        {"machine": {"cores": 8}},
        {"id": 7},
        {"written": "yesterday"},
        {"name": {"first": "Ann"}},
        {"exercises": {"02.1": "done", "77.1": "passed", "x": []}},
    ],
)
def test_a_file_with_anything_in_it_leaves_the_others(results, course, changes):
    handed_in(results, "a.json", **changes)
    handed_in(results, "b.json", "Ben")
    found = read_room(results, course[0])
    assert "Ben" in [learner.name for learner in found.learners]
    assert len(found.learners) + len(found.skipped) == 2
    assert "Ben" in page(found, find_spread(found, None))


def test_damaged_and_foreign_files_are_named_on_the_page(results, course):
    handed_in(results, "a.json")
    (results / "empty.json").touch()
    (results / "laptop.json").write_text(
        '{"kind": "labkit laptop", "version": 1}', encoding="utf-8"
    )
    text = " ".join(Reader(page_of(results, course)).texts)
    assert "empty.json is empty: ask for it again" in text
    assert "laptop.json is a report of a laptop: python -m labkit doctor --collect FOLDER" in text


def test_the_newest_file_of_a_learner_counts(results, course):
    handed_in(results, "new.json", "Ann", value=9.0, id="same", written="2026-11-27T12:00:00+00:00")
    handed_in(results, "old.json", "Ann", value=2.0, id="same")
    handed_in(results, "other.json", "Ann", value=5.0)
    found = read_room(results, course[0])
    assert [one.name for one in found.learners] == ["Ann (other.json)", "Ann (new.json)"]
    assert found.spreads()[0].values == [5.0, 9.0]
    assert found.skipped == ["old.json is older than new.json, of the same learner"]


def test_two_files_of_a_learner_without_a_name_are_one(results, course):
    handed_in(results, "a.json", id="same", value=2.0)
    handed_in(results, "b.json", id="same", value=3.0, written="2026-11-28T10:00:00+00:00")
    assert read_room(results, course[0]).spreads()[0].values == [3.0]


def test_two_learners_with_one_copied_workspace_are_two(results, course):
    handed_in(results, "a.json", "Ann", id="same")
    handed_in(results, "b.json", "Ben", id="same")
    assert len(read_room(results, course[0]).learners) == 2


def test_the_ratio_of_most_laptops_is_drawn_unless_another_one_is_named(results, course):
    other = ratio_entry(7.0, cell="c2", name="graph", than="eager", section="Costs")
    for i in range(3):
        ratios = [ratio_entry(2.0)] if i else [other, ratio_entry(2.0)]
        handed_in(results, f"{i}.json", ratios=ratios)
    found = read_room(results, course[0])
    assert find_spread(found, None).title == "slow relative to fast"
    assert find_spread(found, "02 GRAPH costs").title == "graph relative to eager"
    with pytest.raises(ValueError, match=r"no ratio has the words 'xla'(.|\n)*graph relative to"):
        find_spread(found, "xla")


def test_a_page_that_exists_is_kept(results, course, tmp_path, monkeypatch, capsys):
    handed_in(results, "a.json")
    monkeypatch.chdir(tmp_path)
    assert command.main(["room", str(results)]) == 0
    (tmp_path / "room.html").write_text("mine", encoding="utf-8")
    assert command.main(["room", str(results)]) == 1
    assert "room.html exists: give another name, or --force" in capsys.readouterr().err
    assert (tmp_path / "room.html").read_text(encoding="utf-8") == "mine"
    assert command.main(["room", str(results), "--force"]) == 0


def test_a_folder_without_results_writes_no_page(results, course, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert command.main(["room", str(results)]) == 1
    assert "Nobody's results are in this folder." in capsys.readouterr().out
    assert not (tmp_path / "room.html").exists()


def test_what_the_command_writes_is_what_the_room_reads(course, results):
    assert command.main(["hand-in", str(results / "ann.json"), "--name", "Ann"]) == 0
    found = read_room(results, course[0])
    (learner,) = found.learners
    assert (learner.name, learner.passed, learner.begun) == ("Ann", 1, {"00", "02"})
    assert found.spreads()[0].values == [28.4]
