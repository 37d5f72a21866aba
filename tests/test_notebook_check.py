"""`tools/notebook_check.py` finds what violates the contract, and `--fix` repairs what it may."""

import copy
import json

import pytest
from contract import RULES, Lesson
from good_lesson import at, good
from notebook_check import METADATA, fix, main, repaired
from pages import ROOT

LESSONS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.fixture
def lesson(tmp_path):
    """Return a lesson that violates no rule and needs no repair, as raw JSON."""
    raw = good(tmp_path).raw
    raw["metadata"] = copy.deepcopy(METADATA)
    return raw


DAMAGE = [
    ("kernelspec", lambda raw: raw["metadata"]["kernelspec"].update(name="conda-tf")),
    ("kernelspec", lambda raw: raw["metadata"].pop("kernelspec")),
    ("widget state", lambda raw: raw["metadata"].update(widgets={"state": {}})),
    ("1 cell ids", lambda raw: raw["cells"][0].pop("id")),
    ("1 cell ids", lambda raw: raw["cells"][3].update(id="cell-0")),
    ("1 cell ids", lambda raw: raw["cells"][3].update(id="not an id")),
    ("nbformat 4.5", lambda raw: raw.update(nbformat_minor=4)),
    ("from 1 cells", lambda raw: at(raw, "cost")["metadata"].update(execution={"a": 1})),
    ("from 1 cells", lambda raw: at(raw, "cost")["metadata"].update(ExecuteTime={})),
]


def violated(path, raw):
    names = []
    for name, rule in RULES.items():
        if list(rule(Lesson(path, raw))):
            names.append(name)
    return names


@pytest.mark.parametrize(("words", "damage"), DAMAGE)
def test_damage_is_repaired_and_nothing_else_changes(words, damage, lesson, tmp_path):
    sources = [cell["source"] for cell in lesson["cells"]]
    outputs = [cell.get("outputs") for cell in lesson["cells"]]
    damage(lesson)
    book, done = repaired(lesson)
    assert any(words in sentence for sentence in done)
    assert violated(tmp_path / "02_loop.ipynb", book) == []
    assert [cell["source"] for cell in book["cells"]] == sources
    assert [cell.get("outputs") for cell in book["cells"]] == outputs


def test_a_good_lesson_needs_no_repair(lesson):
    assert repaired(lesson) == (lesson, [])


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_no_lesson_needs_a_repair(path):
    _, done = repaired(json.loads(path.read_text(encoding="utf-8")))
    assert done == [], "run: make notebooks FIX=1"


def test_the_program_repairs_only_when_asked(lesson, tmp_path, capsys):
    path = tmp_path / "02_loop.ipynb"
    lesson["metadata"]["widgets"] = {}
    path.write_text(json.dumps(lesson), encoding="utf-8")
    before = path.read_bytes()
    assert main([str(path)]) == 1
    assert "widget state is stored" in capsys.readouterr().out
    assert path.read_bytes() == before

    assert main(["--fix", str(path)]) == 1  # a changed file stops a commit
    assert "repaired: widget state removed" in capsys.readouterr().out
    assert main(["--fix", str(path)]) == 0
    assert capsys.readouterr().out == "1 notebooks checked, 0 problems\n"


def test_an_untouched_file_keeps_its_bytes(lesson, tmp_path):
    path = tmp_path / "02_loop.ipynb"
    path.write_text(json.dumps(lesson), encoding="utf-8")
    before = path.read_bytes()
    assert fix(path) == []
    assert path.read_bytes() == before
