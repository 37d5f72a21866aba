"""The record of the exercises outlives a new numbering of the lessons."""

import json

import pytest

import labkit as lab
from labkit.course.exercises import record
from labkit.course.exercises.record import read_states, write_states


@pytest.fixture
def path(tmp_path):
    return tmp_path / "folder" / "progress.json"


def test_what_is_written_is_read(path):
    states = {"02.1": "passed", "04.2": "not yet"}
    write_states(path, states)
    assert read_states(path) == states


def test_a_record_of_the_first_numbering_gets_the_numbers_of_today(path, monkeypatch):
    moved = {"03.4": "04.2", "03.5": None}
    monkeypatch.setattr(record, "_EXERCISES_OF_THE_FIRST", moved)
    path.parent.mkdir()
    first = ["00.1", "03.4", "03.5", "04.1", "05.2", "11.3"]
    path.write_text(json.dumps(dict.fromkeys(first, "passed")), encoding="utf-8")
    states = read_states(path)
    assert list(states) == ["00.1", "04.2", "05.1", "07.2", "16.3"]

    write_states(path, states)
    assert read_states(path) == states  # and is not renumbered again


# Of each lesson of the first numbering, how many exercises it had.
FIRST = {0: 1, 1: 4, 2: 4, 3: 4, 4: 4, 5: 4, 6: 4, 7: 7, 8: 4, 9: 4, 10: 4, 11: 4}


def test_every_exercise_of_the_first_numbering_has_a_place_of_its_own(path):
    """So that nobody is told to have passed what they have not."""
    first = [f"{lesson:02}.{n}" for lesson, count in FIRST.items() for n in range(1, count + 1)]
    path.parent.mkdir()
    path.write_text(json.dumps(dict.fromkeys(first, "passed")), encoding="utf-8")
    places = list(read_states(path))
    gone = [place for place in record._EXERCISES_OF_THE_FIRST.values() if place is None]
    assert len(places) == len(first) - len(gone)
    known = {row[0] for row in lab.progress().cells}
    assert set(places) <= known


@pytest.mark.parametrize("content", ["", "[1]", "{", '{"numbering": 3}', '{"02.1": "excellent"}'])
def test_anything_else_is_no_record(path, content):
    path.parent.mkdir()
    path.write_text(content, encoding="utf-8")
    assert read_states(path) == {}
