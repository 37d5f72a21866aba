"""`make refresh` stores the outputs of a lesson; it leaves the file unchanged if a cell fails."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from notebook_check import METADATA
from refresh import expanded, main


def write(path, *sources):
    """Write a notebook with stale outputs and foreign metadata; return its bytes."""
    cells = []
    for n, source in enumerate(sources):
        cells.append(new_code_cell(source, id=f"cell-{n}", metadata={"tags": ["kept"]}))
    cells[0].outputs = [nbformat.v4.new_output("stream", text="stale\n")]
    metadata = {"kernelspec": {"name": "mine", "display_name": "Mine"}, "widgets": {}}
    nbformat.write(new_notebook(cells=cells, metadata=metadata), path)
    return path.read_bytes()


def test_outputs_are_stored_and_nothing_else_changes(tmp_path, capsys):
    path = tmp_path / "lesson.ipynb"
    write(
        path,
        "print('a')\nprint('b')",
        "",
        "import os\nos.environ['LABKIT_STRICT'], os.path.basename(os.getcwd())",
    )
    assert main([str(path)]) == 0
    assert "MiB" in capsys.readouterr().out
    notebook = nbformat.read(path, as_version=4)
    assert [cell.id for cell in notebook.cells] == ["cell-0", "cell-1", "cell-2"]
    assert [cell.execution_count for cell in notebook.cells] == [1, None, 2]
    assert all(cell.metadata == {"tags": ["kept"]} for cell in notebook.cells)
    assert [output.text for output in notebook.cells[0].outputs] == ["a\nb\n"]
    assert notebook.cells[2].outputs[0].data["text/plain"] == f"('1', {tmp_path.name!r})"
    assert notebook.metadata == METADATA
    assert [file.name for file in tmp_path.iterdir()] == ["lesson.ipynb"]


def test_a_failing_cell_leaves_the_file_as_it_was(tmp_path, capsys):
    path = tmp_path / "lesson.ipynb"
    before = write(path, "1", "undefined + 1")
    assert main([str(path)]) == 1
    assert path.read_bytes() == before
    said = capsys.readouterr().err
    assert "code cell 2 failed" in said
    assert "undefined + 1" in said
    assert "NameError" in said


def test_patterns_are_expanded_and_names_are_not(tmp_path):
    for name in ("02_b.ipynb", "01_a.ipynb"):
        (tmp_path / name).touch()
    found = expanded([str(tmp_path / "*.ipynb"), "missing.ipynb"])
    assert [path.name for path in found] == ["01_a.ipynb", "02_b.ipynb", "missing.ipynb"]


def test_a_missing_notebook_is_named_and_nothing_runs(tmp_path, capsys):
    path = tmp_path / "lesson.ipynb"
    before = write(path, "1")
    with pytest.raises(SystemExit):
        main([str(path), str(tmp_path / "missing.ipynb")])
    assert "no such notebook" in capsys.readouterr().err
    assert path.read_bytes() == before
