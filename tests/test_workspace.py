"""The learner's copies are complete, and never cost a learner their work."""

import json
import os
import shutil

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_output
from small_course import LOOP, START, edit, lesson, make_course

from labkit.course import workspace as copies
from labkit.course.workspace import NEW, RENEWED, UP_TO_DATE, make_workspace, set_aside


@pytest.fixture
def course(tmp_path):
    return make_course(tmp_path)


def files_in(folder):
    return {path.name for path in folder.rglob("*") if path.is_file()}


# ---- lessons ----


def test_a_copy_has_no_outputs_and_no_solutions(course):
    source, workspace = course
    before = (source / LOOP).read_bytes()
    assert make_workspace(source, workspace) == [(START, NEW), (LOOP, NEW)]
    cells = nbformat.read(workspace / LOOP, as_version=4).cells
    assert [cell.source for cell in cells] == ["# Loop\n\nGuess.", "print('ran')", "f = ..."]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in cells[1:])
    assert (source / LOOP).read_bytes() == before
    assert files_in(workspace) == {START, LOOP, ".labkit.json", "loop.png", "CLAIMS.md"}


def test_an_unedited_lesson_is_renewed_though_it_has_been_run(course):
    source, workspace = course
    make_workspace(source, workspace)
    notebook = nbformat.read(workspace / LOOP, as_version=4)
    notebook.cells[1].outputs = [new_output("stream", text="ran\n")]
    notebook.cells[1].execution_count = 1
    notebook.cells.append(new_code_cell(""))  # what Shift-Enter in the last cell adds
    nbformat.write(notebook, workspace / LOOP)
    before = (workspace / LOOP).read_bytes()
    assert make_workspace(source, workspace)[1] == (LOOP, UP_TO_DATE)
    # The learner's outputs stay while the course has nothing newer.
    assert (workspace / LOOP).read_bytes() == before

    nbformat.write(lesson("Guess again."), source / LOOP)
    assert make_workspace(source, workspace)[1] == (LOOP, RENEWED)
    assert "Guess again." in (workspace / LOOP).read_text(encoding="utf-8")


def test_an_edited_lesson_is_kept_whatever_happens(course):
    source, workspace = course
    make_workspace(source, workspace)
    mine = edit(workspace / LOOP)
    assert make_workspace(source, workspace)[1] == (LOOP, "kept with your changes")
    nbformat.write(lesson("Guess again."), source / LOOP)
    for _ in range(2):
        _, what = make_workspace(source, workspace)[1]
        assert what == (
            "kept with your changes; the course has a newer version, "
            "for a fresh one beside it: python -m labkit lab --fresh 02"
        )
    assert (workspace / LOOP).read_bytes() == mine


@pytest.mark.parametrize(
    "record",
    [
        None,
        b"",
        b"half of",
        b"[]",
        b'"text"',
        b"null",
        b'{"02_loop.ipynb": ["not", "a", "hash"]}',
        b'{"02_loop.ipynb": null}',
        b"\xff\xfe not UTF-8",
        b"[" * 100_000,
    ],
    ids=lambda record: repr(record)[:30],
)
def test_without_a_readable_record_everything_that_differs_is_kept(course, record):
    source, workspace = course
    make_workspace(source, workspace)
    mine = edit(workspace / LOOP)
    if record is None:
        (workspace / ".labkit.json").unlink()
    else:
        (workspace / ".labkit.json").write_bytes(record)
    happened = make_workspace(source, workspace)
    assert happened[0] == (START, UP_TO_DATE)
    assert happened[1][1].startswith("kept with your changes")
    assert (workspace / LOOP).read_bytes() == mine
    assert START in json.loads((workspace / ".labkit.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"cells": "none"}',
        b'{"cells": [{}]}',
        b'{"cells": [{"cell_type": "code", "source": [1]}]}',
        b"\x00",
        b"null",
        b'{"cells": [], "text": "\xff"}',
        b"[" * 100_000,
    ],
    ids=lambda content: repr(content)[:30],
)
def test_an_unreadable_file_is_kept(course, content):
    source, workspace = course
    make_workspace(source, workspace)
    (workspace / LOOP).write_bytes(content)
    assert "not a readable notebook" in make_workspace(source, workspace)[1][1]
    assert (workspace / LOOP).read_bytes() == content


def test_a_folder_in_the_place_of_a_lesson_is_kept(course):
    source, workspace = course
    (workspace / LOOP).mkdir(parents=True)
    assert "not a readable notebook" in make_workspace(source, workspace)[1][1]
    assert (workspace / LOOP).is_dir()


@pytest.mark.skipif(os.name != "posix", reason="links need a right of their own on Windows")
def test_a_link_to_a_file_that_is_gone_is_kept(course):
    source, workspace = course
    workspace.mkdir()
    (workspace / LOOP).symlink_to(workspace / "on a disk that is not connected")
    assert "not a readable notebook" in make_workspace(source, workspace)[1][1]
    assert (workspace / LOOP).is_symlink()


def test_after_a_failure_half_way_the_next_start_carries_on(course, monkeypatch):
    source, workspace = course
    write = copies.write_atomically

    def full_disk(path, content):
        if path.name == LOOP:
            raise OSError(28, "No space left on device", str(path))
        write(path, content)

    monkeypatch.setattr(copies, "write_atomically", full_disk)
    with pytest.raises(OSError, match=LOOP):
        make_workspace(source, workspace)
    monkeypatch.undo()
    assert make_workspace(source, workspace) == [(START, UP_TO_DATE), (LOOP, NEW)]


def test_fresh_never_overwrites(course):
    source, workspace = course
    assert set_aside(workspace, LOOP) is None
    make_workspace(source, workspace)
    written = {}
    for kept in ("02_loop.mine.ipynb", "02_loop.mine-2.ipynb", "02_loop.mine-3.ipynb"):
        written[kept] = edit(workspace / LOOP, text=f"Try for {kept}")
        assert set_aside(workspace, LOOP) == kept
        assert make_workspace(source, workspace)[1] == (LOOP, NEW)
    assert {name: (workspace / name).read_bytes() for name in written} == written


def test_a_damaged_course_is_named(course):
    source, workspace = course
    for content in (b"{", b"\xff", b"[]"):
        (source / LOOP).write_bytes(content)
        with pytest.raises(ValueError, match=r"02_loop\.ipynb is not a readable notebook"):
            make_workspace(source, workspace)
    shutil.rmtree(source)
    with pytest.raises(FileNotFoundError, match="clone it again"):
        make_workspace(source, workspace)


# ---- pages and images ----


def test_pages_and_images_are_renewed_with_the_course(course):
    source, workspace = course
    make_workspace(source, workspace)
    (source / "CLAIMS.md").write_text("# More claims", encoding="utf-8")
    (source / "images" / "loop.png").write_bytes(b"a better image")
    make_workspace(source, workspace)
    assert (workspace / "CLAIMS.md").read_text(encoding="utf-8") == "# More claims"
    assert (workspace / "images" / "loop.png").read_bytes() == b"a better image"


def test_a_page_with_the_learners_notes_is_kept(course):
    source, workspace = course
    make_workspace(source, workspace)
    (workspace / "CLAIMS.md").write_text("# The claims\nMy notes", encoding="utf-8")
    assert make_workspace(source, workspace)[2:] == [("CLAIMS.md", "kept with your changes")]
    (source / "CLAIMS.md").write_text("# More claims", encoding="utf-8")
    _, what = make_workspace(source, workspace)[2]
    assert what == "kept with your changes; the course has a newer version: rename yours to get it"
    assert "My notes" in (workspace / "CLAIMS.md").read_text(encoding="utf-8")
    (workspace / "CLAIMS.md").rename(workspace / "my claims.md")
    assert len(make_workspace(source, workspace)) == 2
    assert (workspace / "CLAIMS.md").read_text(encoding="utf-8") == "# More claims"


def test_a_page_that_cannot_be_read_is_kept(course):
    source, workspace = course
    (workspace / "CLAIMS.md").mkdir(parents=True)
    happened = make_workspace(source, workspace)
    assert happened[2:] == [("CLAIMS.md", "kept, though it cannot be read")]
    assert (workspace / "CLAIMS.md").is_dir()
