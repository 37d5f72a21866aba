"""The mutations of mutate_lessons.py and mutate_browser.py apply to the course as it is."""

import sys

import pytest
from pages import ROOT

sys.path.insert(0, str(ROOT / "tools" / "benchmarks"))

import mutate_browser
import mutate_lessons as program


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


@pytest.mark.parametrize("mutation", mutate_browser.MUTATIONS, ids=lambda m: m.name)
def test_the_source_to_take_away_is_there_once_and_names_tests_that_exist(mutation, tmp_path):
    source = (ROOT / mutation.file).read_text(encoding="utf-8")
    copy = tmp_path / mutation.file
    copy.parent.mkdir(parents=True)
    copy.write_text(source, encoding="utf-8")
    mutate_browser.mutate(tmp_path, mutation)
    assert copy.read_text(encoding="utf-8") != source
    assert f"{mutation.chosen}" in (ROOT / mutation.tests).read_text(encoding="utf-8")
    with pytest.raises(ValueError, match="bring MUTATIONS up to date"):
        mutate_browser.mutate(tmp_path, mutation)
