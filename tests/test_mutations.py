"""The mutations of tools/benchmarks/mutate_lessons.py apply to the lessons as they are."""

import importlib.util

import pytest
from pages import ROOT

PROGRAM = ROOT / "tools" / "benchmarks" / "mutate_lessons.py"
spec = importlib.util.spec_from_file_location("mutate_lessons", PROGRAM)
program = importlib.util.module_from_spec(spec)
spec.loader.exec_module(program)


@pytest.mark.parametrize("mutation", program.MUTATIONS, ids=lambda m: f"{m.lesson}-{m.what}")
def test_the_source_to_break_is_in_one_cell(mutation):
    book, number = program.broken(mutation)
    code = [cell for cell in book["cells"] if cell["cell_type"] == "code"]
    source = "".join(code[number]["source"])
    if mutation.new is program.CLEAR:
        assert code[number]["outputs"] == []
    else:
        assert mutation.new in source + "\n"


def test_every_lesson_has_mutations():
    broken = {mutation.lesson for mutation in program.MUTATIONS}
    assert broken == {path.stem for path in (ROOT / "notebooks").glob("*.ipynb")}
