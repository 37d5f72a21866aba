"""Every exercise: the stub is not attempted, wrong answers that people give get their own message.

That the solutions pass is held by the lessons themselves: they run with ``LABKIT_STRICT=1``.
"""

import importlib
import re
from pathlib import Path

import keras
import nbformat
import numpy as np
import pytest
import tensorflow as tf

import labkit as lab
from labkit.course.exercises import engine

HERE = Path(__file__).parent
LESSONS = sorted((HERE.parent / "notebooks").glob("[0-9]*.ipynb"))


def cells(lesson, tag=None):
    """Return the sources of a lesson's code cells, those with a tag if one is given."""
    book = nbformat.read(lesson, as_version=4)
    return [
        c.source
        for c in book.cells
        if c.cell_type == "code" and (tag is None or tag in c.metadata.get("tags", []))
    ]


def checked(lesson):
    """Return {exercise id: name of the answer} from the calls of lab.check in a lesson."""
    return dict(re.findall(r'lab\.check\("(\d\d\.\d)", ([\w.]+)\)', "\n".join(cells(lesson))))


def wrong_answers():
    """Return all (id, name, answer, fragment of the message) of the modules beside this file."""
    for path in sorted((HERE / "wrong_answers").glob("lesson_*.py")):
        yield from importlib.import_module(f"wrong_answers.{path.stem}").WRONG


@pytest.fixture(autouse=True)
def _a_record_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path))
    monkeypatch.delenv("LABKIT_STRICT", raising=False)


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_the_stub_of_each_exercise_is_not_attempted(lesson):
    answers = checked(lesson)
    assert answers, "a lesson has exercises"
    space = {"lab": lab, "np": np, "tf": tf, "keras": keras}
    for source in cells(lesson, "exercise"):
        exec(source, space)
    for id, name in answers.items():
        assert lab.check(id, space[name]).state == "not attempted", id


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_each_exercise_has_a_stub_a_solution_hints_and_wrong_answers(lesson):
    answers = checked(lesson)
    assert len(cells(lesson, "exercise")) == len(cells(lesson, "solution")) == len(answers)
    for id in answers:
        task = engine._find(id)
        assert len(task.hints) == 3 and len(set(task.hints)) == 3
        assert sum(wrong[0] == id for wrong in wrong_answers()) >= 2, (
            f"{id} needs two wrong answers or more"
        )
        assert len({wrong[3] for wrong in wrong_answers() if wrong[0] == id}) >= 2, (
            f"{id}: each with its own message"
        )


def test_every_registered_exercise_stands_in_a_lesson():
    lab.progress()  # imports every module of exercises
    standing = {id for lesson in LESSONS for id in checked(lesson)}
    assert {
        id for id in engine._exercises if id[:2] in {path.name[:2] for path in LESSONS}
    } == standing


@pytest.mark.parametrize(
    ("id", "answer", "fragment"),
    [
        pytest.param(id, answer, part, id=f"{id}-{name}")
        for id, name, answer, part in wrong_answers()
    ],
)
def test_a_wrong_answer_gets_its_own_message(id, answer, fragment):
    outcome = lab.check(id, answer)
    assert outcome.state == "not yet"
    assert fragment in outcome.message, outcome.message
