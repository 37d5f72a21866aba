"""Every exercise: its stub is not attempted, and the wrong answers that people give get a message.

That the solutions pass is tested by the lessons themselves: they run with ``LABKIT_STRICT=1``.
"""

import importlib
import re
from pathlib import Path

import keras
import nbformat
import numpy as np
import pytest
import tensorflow as tf
from fakes import without_collecting

import labkit as lab
from labkit.course.exercises import engine, lesson_02

HERE = Path(__file__).parent
LESSONS = sorted((HERE.parent / "notebooks").glob("[0-9]*.ipynb"))


def code_cells(lesson, tag=None):
    """Return the sources of a lesson's code cells, only those with a tag if one is given."""
    sources = []
    for cell in nbformat.read(lesson, as_version=4).cells:
        has_tag = tag is None or tag in cell.metadata.get("tags", [])
        if cell.cell_type == "code" and has_tag:
            sources.append(cell.source)
    return sources


def headings(lesson):
    """Return the headings of a lesson."""
    found = set()
    for cell in nbformat.read(lesson, as_version=4).cells:
        if cell.cell_type == "markdown":
            found.update(re.findall(r"^#+ (.*)$", cell.source, re.MULTILINE))
    return found


HEADINGS = {lesson.name[:2]: headings(lesson) for lesson in LESSONS}


def checked(lesson):
    """Return {exercise id: name of the answer} from the calls of lab.check in a lesson."""
    code = "\n".join(code_cells(lesson))
    return dict(re.findall(r'lab\.check\("(\d\d\.\d)", ([\w.]+)\)', code))


def wrong_answers():
    """Return all (id, name, answer, fragment of the message) of the modules beside this file."""
    found = []
    for path in sorted((HERE / "wrong_answers").glob("lesson_*.py")):
        found += importlib.import_module(f"wrong_answers.{path.stem}").WRONG
    return found


WRONG = wrong_answers()


@pytest.fixture(autouse=True)
def _separate_record(tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path))
    monkeypatch.delenv("LABKIT_STRICT", raising=False)
    without_collecting(monkeypatch)


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_the_stub_of_each_exercise_is_not_attempted(lesson):
    answers = checked(lesson)
    assert answers, "a lesson has exercises"
    space = {"lab": lab, "np": np, "tf": tf, "keras": keras}
    for source in code_cells(lesson, "exercise"):
        exec(source, space)
    for id, name in answers.items():
        assert lab.check(id, space[name]).state == "not attempted", id


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_each_exercise_has_a_stub_and_a_solution(lesson):
    n = len(checked(lesson))
    assert len(code_cells(lesson, "exercise")) == n
    assert len(code_cells(lesson, "solution")) == n


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_each_exercise_has_three_hints_and_a_section_that_exists(lesson):
    for id in checked(lesson):
        task = engine._find(id)
        assert len(set(task.hints)) == 3, id
        assert task.section in headings(lesson), id


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_each_exercise_has_two_wrong_answers_with_different_messages(lesson):
    for id in checked(lesson):
        fragments = {wrong[3] for wrong in WRONG if wrong[0] == id}
        assert len(fragments) >= 2, id


def test_every_registered_exercise_is_in_a_lesson():
    lab.progress()  # imports every module of exercises
    in_lessons = set()
    for lesson in LESSONS:
        in_lessons.update(checked(lesson))
    registered = {id for id in engine._exercises if id[:2] in HEADINGS}
    assert registered == in_lessons


@pytest.mark.parametrize(
    ("id", "answer", "fragment"),
    [pytest.param(id, answer, part, id=f"{id}-{name}") for id, name, answer, part in WRONG],
)
def test_a_wrong_answer_gets_its_own_message(id, answer, fragment):
    outcome = lab.check(id, answer)
    assert outcome.state == "not yet"
    assert fragment in outcome.message, outcome.message
    _, named, section = outcome.message.rpartition(" Look at: ")
    if named:
        assert section in HEADINGS[id[:2]] | {engine.EXERCISE_TEXT}, outcome.message


def test_the_calls_of_one_layer_pass_and_those_of_two_are_named():
    two_layers = lesson_02._python_calls(depth=12) - lesson_02._python_calls(depth=10)
    assert "one layer: divide by 2" in lab.check("02.3", two_layers).message
    assert lab.check("02.3", np.int64(two_layers // 2)).state == "passed"


# ---- the wording of an error is not ours: that of other versions must be known too ----


def raising(error):
    """Return a function that raises an error whatever it is called with."""

    def answer(*args):
        raise error

    return answer


def only_64_rows(error):
    """Return an answer to 04.2 that raises an error unless it gets 64 rows."""

    def make_padded(model):
        def answer(batch):
            if len(batch) != 64:
                raise error
            return model(batch)

        return answer

    return make_padded


WORDINGS = [
    (
        "04.2",
        only_64_rows(ValueError("Python inputs incompatible with input_signature")),
        "pad before you call",
    ),
    ("04.2", only_64_rows(TypeError("in the words of a version to come")), "pad before you call"),
    (
        "04.3",
        raising(TypeError("The tensor 'x' cannot be accessed here: it is defined elsewhere.")),
        "a Python list cannot carry",
    ),
    (
        "04.3",
        raising(ValueError("<tf.Tensor 'x'> is out of scope and cannot be used here.")),
        "a Python list cannot carry",
    ),
    (
        "04.3",
        raising(RuntimeError("Trying to modify element 0 in a list with 0 elements.")),
        "made with size=0",
    ),
    (
        "04.3",
        raising(
            RuntimeError("Tried to write to index 0 but array is not resizeable and size is: 0")
        ),
        "made with size=0",
    ),
    (
        "04.3",
        raising(ValueError("Argument `size` must be provided if argument `flow` is not provided.")),
        "`rows.shape[0]` is None",
    ),
    (
        "04.3",
        raising(ValueError("Size must be provided if flow is not provided.")),
        "`rows.shape[0]` is None",
    ),
    (
        "04.3",
        raising(TypeError("'NoneType' object cannot be interpreted as an integer")),
        "`rows.shape[0]` is None",
    ),
]


@pytest.mark.parametrize(("id", "answer", "fragment"), WORDINGS)
def test_a_slip_is_known_by_the_wording_of_several_versions(id, answer, fragment):
    assert fragment in lab.check(id, answer).message


@pytest.mark.parametrize(
    ("id", "answer"),
    [
        ("04.2", lambda model: raising(TypeError("in other words"))),
        ("04.3", raising(ValueError("in other words"))),
        ("07.3", lambda step, model, optimizer: raising(ValueError("in other words"))),
    ],
)
def test_an_error_in_other_words_is_shown_as_it_is(id, answer):
    assert "Error: in other words, in line " in lab.check(id, answer).message
