"""Right answers in other styles than those of the solutions pass."""

import importlib
from pathlib import Path

import pytest
from fakes import without_collecting

import labkit as lab

HERE = Path(__file__).parent


def right_answers():
    """Return all (id, name, answer) of the modules in the folder beside this file."""
    found = []
    for path in sorted((HERE / "right_answers").glob("lesson_*.py")):
        found += importlib.import_module(f"right_answers.{path.stem}").RIGHT
    return found


@pytest.fixture(autouse=True)
def _a_record_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path))
    monkeypatch.delenv("LABKIT_STRICT", raising=False)
    without_collecting(monkeypatch)


@pytest.mark.parametrize(
    ("id", "answer"),
    [pytest.param(id, answer, id=f"{id}-{name}") for id, name, answer in right_answers()],
)
def test_a_right_answer_in_another_style_passes(id, answer):
    outcome = lab.check(id, answer)
    assert outcome.state == "passed", outcome.message
