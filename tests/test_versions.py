"""The program that tries other versions compares what nbval compares, and keeps the results."""

import sys

import nbformat
import pytest
import versions
from fakes import ROOT
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output


def text(words):
    return [new_output("stream", text=words)]


def notebook(*cells):
    """Return a notebook of (source, outputs)."""
    code = [new_code_cell(source, outputs=outputs) for source, outputs in cells]
    return new_notebook(cells=[new_markdown_cell("# A lesson"), *code])


def error(name, value):
    return [new_output("error", ename=name, evalue=value, traceback=["x"])]


def found(stored, there):
    return list(versions.differences(notebook(*stored), notebook(*there)))


def test_what_nbval_sets_aside_does_not_differ():
    assert found([("f()", text("≈1.2 ms\n"))], [("f()", text("≈30 µs\n"))]) == []


def test_a_count_that_differs_is_shown_with_both_lines():
    stored = [("1", text("1\n")), ("with lab.count() as n: f()", text("ops\n12 ops\n"))]
    there = [("1", text("1\n")), ("with lab.count() as n: f()", text("ops\n13 ops\n"))]
    (one,) = found(stored, there)
    assert one == {"cell": 1, "kind": "count", "stored": "12 ops", "there": "13 ops", "after it": 0}


def test_of_a_long_line_the_place_that_differs_is_shown():
    words = "the same words for ever " * 9
    (one,) = found([("f()", text(words + "one end"))], [("f()", text(words + "another end"))])
    assert one["stored"].startswith("…") and one["stored"].endswith("one end")
    assert one["there"].endswith("another end")
    assert len(one["there"]) < 130


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("lab.claim('S1-1', 'x', True)", "claim"),
        ("lab.check('03.1', f)", "exercise"),
        ("with lab.expect(ValueError): f()", "error text"),
        ("f()", "output"),
    ],
)
def test_each_kind_is_named(source, kind):
    (one,) = found([(source, text("a"))], [(source, text("b"))])
    assert one["kind"] == kind


def test_a_text_result_is_compared_and_a_missing_one_is_named():
    result = [new_output("execute_result", {"text/plain": "[3, 4]"}, execution_count=1)]
    (one,) = found([("f()", result)], [("f()", [])])
    assert (one["stored"], one["there"]) == ("[3, 4]", "(nothing)")


def test_after_a_cell_that_fails_the_others_are_counted():
    stored = [("f()", text("1")), ("g()", text("2")), ("h()", text("3")), ("i()", text("4"))]
    there = [
        ("f()", error("ImportError", "no f")),
        ("g()", error("NameError", "g")),
        ("h()", text("4")),
        ("i()", error("NameError", "i")),
    ]
    first, second = found(stored, there)
    assert first["kind"] == "the cell fails"
    assert first["there"] == "ImportError: no f"
    assert first["after it"] == 2
    assert second["cell"] == 2


RESULT = {
    "versions": "Python 3.13.0, TensorFlow 2.20.0, Keras 3.15.1, NumPy 2.4.6",
    "system": "Linux x86_64",
    "date": "2026-11-27",
    "lesson": "03_tf_function",
    "cells": 50,
    "differences": [
        {"cell": 4, "kind": "count", "stored": "a|b", "there": "_c_", "after it": 0},
    ],
}


def test_a_new_run_replaces_that_of_the_same_lesson_and_versions():
    other = {**RESULT, "lesson": "02_direct_call_loop", "differences": []}
    again = {**RESULT, "date": "2026-12-01", "differences": []}
    kept = versions.keep(again, versions.keep(other, [RESULT]))
    assert [one["lesson"] for one in kept] == ["02_direct_call_loop", "03_tf_function"]
    assert kept[1]["date"] == "2026-12-01"


def test_the_page_has_a_row_for_each_run_and_each_cell():
    page = versions.page([RESULT])
    assert f"| {RESULT['versions']} | 03_tf_function | 2026-11-27 | 50 | 1 |" in page
    assert "03\\_tf\\_function, code cell 4 | count | a\\|b | \\_c\\_ |" in page
    assert versions.page([{**RESULT, "differences": []}]).endswith("\nNone.\n")


def test_what_was_not_run_is_named_with_its_command():
    commands = versions.missing([RESULT])
    (of_220,) = [line for line in commands if "2.20.0" in line]
    lessons = of_220.partition("--lessons ")[2].split()
    assert "03" not in lessons
    assert {"00", "02", "16"} <= set(lessons)
    assert len(commands) == len(versions.WANTED)


def test_the_kept_page_is_made_of_the_kept_results():
    results = versions.load()
    if results:
        assert versions.PAGE.read_text(encoding="utf-8") == versions.page(results)


def test_the_course_is_wanted_with_another_tensorflow_and_its_keras():
    wanted = versions.requirements("2.19.1")
    assert [line for line in wanted if line.startswith("tensorflow")] == [wanted[-1]]
    assert wanted[-1].endswith("==2.19.1")
    assert not any(line.startswith("keras") for line in wanted)
    assert any(line.startswith("ipywidgets") for line in wanted)


def test_an_environment_that_is_there_is_not_made_again(tmp_path, monkeypatch):
    folder = tmp_path / ".venv-3.13-tensorflow-2.20.0"
    folder.mkdir()
    (folder / ".ready").touch()
    monkeypatch.setattr(versions, "ROOT", tmp_path)
    monkeypatch.setattr(versions, "_run", lambda command: pytest.fail(f"ran {command}"))
    assert versions.environment("3.13", "2.20.0") == folder


def test_a_python_that_is_named_by_its_path_is_known_by_its_version(tmp_path, monkeypatch):
    version = sys.version.split()[0]
    folder = tmp_path / f".venv-{version}-tensorflow-2.20.0"
    folder.mkdir()
    (folder / ".ready").touch()
    monkeypatch.setattr(versions, "ROOT", tmp_path)
    assert versions.environment(sys.executable, "2.20.0") == folder


@pytest.mark.parametrize("there", [False, True])
def test_an_environment_without_a_python_is_an_error_in_words(tmp_path, there):
    if there:
        (tmp_path / "bin").mkdir()
    with pytest.raises(SystemExit, match="cannot be started"):
        versions.main(["--venv", str(tmp_path), "--lessons", "00"])


def test_git_ignores_the_environments():
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    assert ".venv-*/" in ignored


def test_a_command_that_fails_ends_the_program_with_its_words():
    with pytest.raises(SystemExit, match="not there"):
        versions._run([sys.executable, "-c", "import sys; sys.exit('not there')"])


def test_an_unknown_lesson_and_no_version_are_errors(capsys):
    for arguments, words in [
        (["--lessons", "99", "--tensorflow", "2.20.0"], "no lesson 99"),
        ([], "name versions"),
    ]:
        with pytest.raises(SystemExit):
            versions.main(arguments)
        assert words in capsys.readouterr().err


def test_a_stored_lesson_equals_itself():
    stored = nbformat.read(ROOT / "notebooks" / "03_tf_function.ipynb", as_version=4)
    assert list(versions.differences(stored, stored)) == []
