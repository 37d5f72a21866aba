"""The learner's copies are complete and current, and never cost a learner their work."""

import json
import os
import shutil

import nbformat
import pytest
from nbformat.sign import NotebookNotary
from nbformat.v4 import new_code_cell, new_markdown_cell
from small_course import LOOP, START, TRIAL, edit, lesson, make_course, run, write

from labkit.course import workspace as copies
from labkit.course.workspace import Change, make_workspace, notebooks, read_record, set_aside

FRESH = "for a fresh one beside it: python -m labkit lab --fresh 02"


@pytest.fixture
def course(tmp_path):
    return make_course(tmp_path)


@pytest.fixture(autouse=True)
def own_signatures(tmp_path, monkeypatch):
    """Keep Jupyter's list of trusted notebooks away from that of the person who tests."""
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter"))


def files_in(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def told(source, workspace):
    """Update the workspace; return the sentences that the learner gets."""
    return [str(change) for change in make_workspace(source, workspace)]


def cells_of(path):
    return nbformat.read(path, as_version=4).cells


# ---- the copies ----


def test_a_copy_has_no_outputs_and_no_solutions(course):
    source, workspace = course
    before = (source / LOOP).read_bytes()
    assert make_workspace(source, workspace) == []
    cells = cells_of(workspace / LOOP)
    sources = [cell.source for cell in cells[1:]]
    assert sources == [
        "## Setup",
        "print('ran')",
        "## Your turn",
        "f = ...",
        'lab.check("02.1", f)',
    ]
    code = [cell for cell in cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
    assert (source / LOOP).read_bytes() == before
    assert files_in(workspace) == {START, LOOP, ".labkit.json", "images/loop.png", "CLAIMS.md"}


def test_notebooks_in_subfolders_are_copied_and_those_in_hidden_ones_are_not(course):
    source, workspace = course
    write(lesson(check="90.1"), source / TRIAL)
    write(lesson(), source / ".ipynb_checkpoints" / "02_loop-checkpoint.ipynb")
    write(lesson(), source / "trials" / ".ipynb_checkpoints" / "an_article-checkpoint.ipynb")
    assert notebooks(source) == [START, LOOP, TRIAL]
    make_workspace(source, workspace)
    assert not any("checkpoint" in name for name in files_in(workspace))
    assert all(
        "solution" not in cell.metadata.get("tags", []) for cell in cells_of(workspace / TRIAL)
    )
    edit(workspace / TRIAL)
    assert set_aside(workspace, TRIAL) == "trials/an_article.mine.ipynb"


def test_a_damaged_course_is_named(course):
    source, workspace = course
    for content in (b"{", b"\xff", b"[]"):
        (source / LOOP).write_bytes(content)
        with pytest.raises(ValueError, match=r"02_loop\.ipynb is not a readable notebook"):
            make_workspace(source, workspace)
    shutil.rmtree(source)
    with pytest.raises(FileNotFoundError, match="clone it again"):
        make_workspace(source, workspace)


# ---- an update of the course ----


def test_an_untouched_lesson_is_renewed_and_the_changed_sections_are_named(course):
    source, workspace = course
    make_workspace(source, workspace)
    newer = lesson(setup="print('better')")
    newer.cells[3].source = "## Your part"
    newer.cells.insert(3, new_code_cell("more"))
    write(newer, source / LOOP)
    assert told(source, workspace) == [
        f'{LOOP}: renewed; changed: "Setup" (2 cells); new: "Your part"; removed: "Your turn"'
    ]
    assert "better" in (workspace / LOOP).read_text(encoding="utf-8")
    assert files_in(workspace) == {START, LOOP, ".labkit.json", "images/loop.png", "CLAIMS.md"}
    assert told(source, workspace) == []


def test_a_lesson_that_was_run_keeps_its_results_while_the_course_has_nothing_newer(course):
    source, workspace = course
    make_workspace(source, workspace)
    run(workspace / LOOP, 2)
    notebook = nbformat.read(workspace / LOOP, as_version=4)
    notebook.cells.append(new_code_cell(""))  # what Shift-Enter in the last cell adds
    nbformat.write(notebook, workspace / LOOP)
    before = (workspace / LOOP).read_bytes()
    assert make_workspace(source, workspace) == []
    assert (workspace / LOOP).read_bytes() == before


def test_a_renewed_lesson_keeps_the_results_of_the_cells_that_are_the_same(course):
    source, workspace = course
    make_workspace(source, workspace)
    run(workspace / LOOP, 2, 4)
    notebook = nbformat.read(workspace / LOOP, as_version=4)
    notebook.metadata["widgets"] = {"state": "of the sliders"}
    nbformat.write(notebook, workspace / LOOP)
    newer = lesson("Guess again.")
    newer.cells.insert(1, new_markdown_cell("## One more section"))
    write(newer, source / LOOP)

    assert told(source, workspace) == [
        f'{LOOP}: renewed; changed: "the beginning" (1 cell); new: "One more section"; '
        "your results are still in it"
    ]
    renewed = nbformat.read(workspace / LOOP, as_version=4)
    assert "Guess again." in renewed.cells[0].source
    assert renewed.cells[3].outputs[0].text == "result 1\n"
    assert renewed.cells[5].outputs[0].text == "result 2\n"
    assert [cell.execution_count for cell in renewed.cells if "execution_count" in cell] == [
        1,
        2,
        None,
    ]
    assert renewed.metadata.widgets == {"state": "of the sliders"}
    assert ".mine" not in " ".join(files_in(workspace))


def test_results_that_have_no_cell_any_more_stay_in_a_version_beside_it(course):
    source, workspace = course
    make_workspace(source, workspace)
    mine = run(workspace / LOOP, 2, 4)
    write(lesson(setup="print('better')"), source / LOOP)
    assert told(source, workspace) == [
        f'{LOOP}: renewed; changed: "Setup" (1 cell); '
        "the version that you ran is now 02_loop.mine.ipynb"
    ]
    assert (workspace / "02_loop.mine.ipynb").read_bytes() == mine
    cells = cells_of(workspace / LOOP)
    assert cells[2].outputs == []
    assert cells[4].outputs[0].text == "result 2\n"


def test_a_cell_that_occurs_twice_gets_each_result_back(course):
    source, workspace = course
    twice = lesson()
    twice.cells.insert(3, new_code_cell("print('ran')"))
    write(twice, source / LOOP)
    make_workspace(source, workspace)
    run(workspace / LOOP, 2, 3)
    twice.cells[0].source += "\n\nMore."
    write(twice, source / LOOP)
    make_workspace(source, workspace)
    assert [cell.outputs[0].text for cell in cells_of(workspace / LOOP)[2:4]] == [
        "result 1\n",
        "result 2\n",
    ]


@pytest.mark.parametrize("trusted", [True, False])
def test_results_are_as_trusted_as_they_were(course, trusted):
    source, workspace = course
    make_workspace(source, workspace)
    run(workspace / LOOP, 2)
    if trusted:
        NotebookNotary().sign(nbformat.read(workspace / LOOP, as_version=4))
    write(lesson("Guess again."), source / LOOP)
    make_workspace(source, workspace)
    renewed = nbformat.read(workspace / LOOP, as_version=4)
    assert NotebookNotary().check_signature(renewed) is trusted


def test_an_edited_lesson_is_kept_whatever_happens(course):
    source, workspace = course
    make_workspace(source, workspace)
    mine = edit(workspace / LOOP)
    assert told(source, workspace) == []
    write(lesson(setup="print('better')"), source / LOOP)
    for _ in range(2):
        assert told(source, workspace) == [
            f"{LOOP}: kept with your changes; the course has a newer version "
            f'(changed: "Setup" (1 cell)); {FRESH}'
        ]
    assert (workspace / LOOP).read_bytes() == mine


def test_a_new_lesson_is_told_later_but_not_the_first_time(course):
    source, workspace = course
    assert told(source, workspace) == []
    write(lesson(check="03.1"), source / "03_more.ipynb")
    assert told(source, workspace) == ["03_more.ipynb: new"]
    record = read_record(workspace)
    assert (record.news, record.other_news) == ([], ["03_more.ipynb: new"])
    assert told(source, workspace) == []
    record = read_record(workspace)
    assert (record.news, record.other_news) == ([], [])


def test_what_the_learner_had_begun_is_told_apart_from_the_rest(course):
    source, workspace = course
    write(lesson(check="03.1"), source / "03_more.ipynb")
    make_workspace(source, workspace)
    edit(workspace / START)
    run(workspace / LOOP, 2)
    for name in (START, LOOP, "03_more.ipynb"):
        write(lesson("Guess again."), source / name)
    make_workspace(source, workspace)
    record = read_record(workspace)
    assert [sentence.partition(":")[0] for sentence in record.news] == [START, LOOP]
    assert [sentence.partition(":")[0] for sentence in record.other_news] == ["03_more.ipynb"]


# ---- lessons that the course had once ----


def long_lesson(title, count=6):
    """Return a lesson with cells that no other one has."""
    notebook = lesson()
    notebook.cells = [new_code_cell(f"{title} = {number}") for number in range(count)]
    return notebook


def test_a_renumbered_lesson_is_told_and_what_was_done_in_it_stays(course):
    source, workspace = course
    make_workspace(source, workspace)
    mine = edit(workspace / LOOP)
    (source / LOOP).rename(source / "05_loop.ipynb")
    for _ in range(2):
        assert (
            f"{LOOP}: no longer in the course; yours stays; 05_loop.ipynb takes its place"
            in told(source, workspace)
        )
    assert (workspace / LOOP).read_bytes() == mine


def test_the_parts_of_a_divided_lesson_are_found_by_their_cells(course):
    source, workspace = course
    whole = long_lesson("x", 16)
    write(whole, source / LOOP)
    make_workspace(source, workspace)
    mine = run(workspace / LOOP, 0)
    (source / LOOP).unlink()
    first, second, other = long_lesson("x"), long_lesson("x"), long_lesson("y")
    first.cells = whole.cells[:10]
    second.cells = whole.cells[10:]
    write(second, source / "03_second.ipynb")
    write(first, source / "04_first.ipynb")
    write(other, source / "06_other.ipynb")
    assert told(source, workspace)[-1] == (
        f"{LOOP}: no longer in the course; yours stays; "
        "04_first.ipynb and 03_second.ipynb take its place"
    )
    assert (workspace / LOOP).read_bytes() == mine


def test_a_copy_that_nobody_has_touched_goes_with_its_lesson(course):
    source, workspace = course
    write(long_lesson("x"), source / LOOP)
    make_workspace(source, workspace)
    (source / LOOP).unlink()
    assert told(source, workspace) == [f"{LOOP}: no longer in the course; you had not begun it"]
    assert not (workspace / LOOP).exists()
    assert told(source, workspace) == []


@pytest.mark.parametrize("touch", ["edit", "run", "damage", "folder"])
def test_a_copy_that_may_hold_work_stays_without_its_lesson(course, touch):
    source, workspace = course
    write(long_lesson("x"), source / LOOP)
    make_workspace(source, workspace)
    if touch == "edit":
        edit(workspace / LOOP)
    elif touch == "run":
        run(workspace / LOOP, 2)
    elif touch == "damage":
        (workspace / LOOP).write_text("{", encoding="utf-8")
    else:
        (workspace / LOOP).unlink()
        (workspace / LOOP).mkdir()
    (source / LOOP).unlink()
    assert told(source, workspace) == [f"{LOOP}: no longer in the course; yours stays"]
    assert (workspace / LOOP).exists()


def test_a_copy_that_the_learner_has_deleted_is_forgotten_with_its_lesson(course):
    source, workspace = course
    make_workspace(source, workspace)
    (workspace / LOOP).unlink()
    (source / LOOP).unlink()
    assert told(source, workspace) == []


# ---- damage ----


RECORDS = [
    None,
    b"",
    b"half of",
    b"[]",
    b'"text"',
    b"null",
    b'{"02_loop.ipynb": ["not", "a", "hash"]}',
    b'{"02_loop.ipynb": null}',
    b'{"files": ["no", "names"]}',
    b'{"files": {"02_loop.ipynb": {"fingerprint": 1}}, "news": 3}',
    b'{"files": {"02_loop.ipynb": {"fingerprint": "1", "sections": [1]}}}',
    b'{"files": {"02_loop.ipynb": {"fingerprint": "1", "sections": {"Setup": 1}}}}',
    b"\xff\xfe not UTF-8",
    b"[" * 100_000,
]


@pytest.mark.parametrize("content", RECORDS, ids=lambda content: repr(content)[:60])
def test_without_a_readable_record_everything_that_differs_is_kept(course, content):
    source, workspace = course
    make_workspace(source, workspace)
    mine = edit(workspace / LOOP)
    if content is None:
        (workspace / ".labkit.json").unlink()
    else:
        (workspace / ".labkit.json").write_bytes(content)
    (sentence,) = told(source, workspace)
    assert sentence.startswith(f"{LOOP}: kept with your changes; the course has a newer version")
    assert (workspace / LOOP).read_bytes() == mine
    assert START in read_record(workspace).files


def test_the_record_of_an_earlier_version_still_counts(course):
    source, workspace = course
    make_workspace(source, workspace)
    path = workspace / ".labkit.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    earlier = {name: entry["fingerprint"] for name, entry in record["files"].items()}
    path.write_text(json.dumps(earlier), encoding="utf-8")
    edit(workspace / START)
    write(lesson(setup="print('better')"), source / START)
    write(lesson(setup="print('better')"), source / LOOP)
    kept, renewed = told(source, workspace)
    assert kept.startswith(f"{START}: kept with your changes; the course has a newer version; for")
    assert renewed == f'{LOOP}: renewed; changed: "Setup" (1 cell)'


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
    assert told(source, workspace) == [f"{LOOP}: kept, though it cannot be read; {FRESH}"]
    assert (workspace / LOOP).read_bytes() == content


def test_a_folder_in_the_place_of_a_lesson_is_kept(course):
    source, workspace = course
    (workspace / LOOP).mkdir(parents=True)
    assert told(source, workspace) == [f"{LOOP}: kept, though it cannot be read; {FRESH}"]
    assert (workspace / LOOP).is_dir()


@pytest.mark.skipif(os.name != "posix", reason="links need a right of their own on Windows")
def test_a_link_to_a_file_that_is_gone_is_kept(course):
    source, workspace = course
    workspace.mkdir()
    (workspace / LOOP).symlink_to(workspace / "on a disk that is not connected")
    assert told(source, workspace) == [f"{LOOP}: kept, though it cannot be read; {FRESH}"]
    assert (workspace / LOOP).is_symlink()


def test_after_a_failure_half_way_the_next_start_carries_on(course, monkeypatch):
    source, workspace = course
    write_file = copies.write_atomically

    def full_disk(path, content):
        if path.name == LOOP:
            raise OSError(28, "No space left on device", str(path))
        write_file(path, content)

    monkeypatch.setattr(copies, "write_atomically", full_disk)
    with pytest.raises(OSError, match=LOOP):
        make_workspace(source, workspace)
    monkeypatch.undo()
    assert make_workspace(source, workspace) == []
    assert files_in(workspace) >= {START, LOOP}


@pytest.mark.parametrize("fails", [LOOP, "02_loop.mine.ipynb"])
def test_a_full_disk_in_an_update_costs_no_results(course, monkeypatch, fails):
    source, workspace = course
    make_workspace(source, workspace)
    mine = run(workspace / LOOP, 2, 4)
    write(lesson(setup="print('better')"), source / LOOP)
    write_file = copies.write_atomically

    def full_disk(path, content):
        if path.name == fails:
            raise OSError(28, "No space left on device", str(path))
        write_file(path, content)

    monkeypatch.setattr(copies, "write_atomically", full_disk)
    with pytest.raises(OSError, match="No space left"):
        make_workspace(source, workspace)
    assert (workspace / LOOP).read_bytes() == mine


def test_where_nothing_is_new_a_full_disk_is_no_reason_to_stop(course, monkeypatch):
    source, workspace = course
    make_workspace(source, workspace)

    def full_disk(path, content):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(copies, "write_atomically", full_disk)
    assert make_workspace(source, workspace) == []


def test_fresh_never_overwrites(course):
    source, workspace = course
    assert set_aside(workspace, LOOP) is None
    make_workspace(source, workspace)
    written = {}
    for kept in ("02_loop.mine.ipynb", "02_loop.mine-2.ipynb", "02_loop.mine-3.ipynb"):
        written[kept] = edit(workspace / LOOP, text=f"Try for {kept}")
        assert set_aside(workspace, LOOP) == kept
        assert make_workspace(source, workspace) == [Change(LOOP, "new")]
    assert {name: (workspace / name).read_bytes() for name in written} == written


# ---- pages and images ----


def test_pages_and_images_are_renewed_with_the_course(course):
    source, workspace = course
    make_workspace(source, workspace)
    (source / "CLAIMS.md").write_text("# More claims", encoding="utf-8")
    (source / "images" / "loop.png").write_bytes(b"a better image")
    assert told(source, workspace) == []
    assert (workspace / "CLAIMS.md").read_text(encoding="utf-8") == "# More claims"
    assert (workspace / "images" / "loop.png").read_bytes() == b"a better image"


def test_a_page_with_the_learners_notes_is_kept(course):
    source, workspace = course
    make_workspace(source, workspace)
    (workspace / "CLAIMS.md").write_text("# The claims\nMy notes", encoding="utf-8")
    assert told(source, workspace) == []
    (source / "CLAIMS.md").write_text("# More claims", encoding="utf-8")
    assert told(source, workspace) == [
        "CLAIMS.md: kept with your changes; the course has a newer version: rename yours to get it"
    ]
    assert "My notes" in (workspace / "CLAIMS.md").read_text(encoding="utf-8")
    (workspace / "CLAIMS.md").rename(workspace / "my claims.md")
    assert told(source, workspace) == []
    assert (workspace / "CLAIMS.md").read_text(encoding="utf-8") == "# More claims"


def test_a_page_that_cannot_be_read_is_kept(course):
    source, workspace = course
    (workspace / "CLAIMS.md").mkdir(parents=True)
    assert told(source, workspace) == ["CLAIMS.md: kept, though it cannot be read"]
    assert (workspace / "CLAIMS.md").is_dir()
