"""The start page says what is done, where to go on, and nothing that is not in the lessons."""

import asyncio
import json
import logging
import os
import re
from pathlib import Path
from unittest.mock import Mock

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from small_course import LOOP, START, TRIAL, edit, lesson, make_course, run, write
from tornado.httpclient import AsyncHTTPClient
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application
from tornado.websocket import WebSocketClosedError

from labkit.course import lab_server
from labkit.course import start_page as page
from labkit.course.start_page import read_lesson, start_page, write_start_page
from labkit.course.workspace import COURSE, START_PAGE, lessons, make_workspace

LAST = "03_last.ipynb"


@pytest.fixture
def course(tmp_path, monkeypatch):
    """Return the folders of a course with three lessons and of the copies of somebody."""
    monkeypatch.delenv("LABKIT_HOME", raising=False)
    source, workspace = make_course(tmp_path)
    write(lesson(check="03.1"), source / LAST)
    make_workspace(source, workspace)
    return source, workspace


def passed(workspace, *ids):
    states = dict.fromkeys(ids, "passed") | {"02.9": "not yet"}
    (workspace / "progress.json").write_text(json.dumps(states), encoding="utf-8")


def saved(path, seconds):
    """Set the time when a copy was saved."""
    os.utime(path, (seconds, seconds))


def card(text):
    """Return what stands in the card that says where to go on."""
    return re.search(r'<div class="labkit-card">\n\n(.*)\n\n</div>', text)[1]


def row(text, name):
    """Return the row of the table that leads to a notebook."""
    (found,) = [line for line in text.splitlines() if line.startswith("|") and f"({name})" in line]
    return found


# ---- what a lesson says about itself ----


def first_cell(folder, text):
    path = folder / "01_a.ipynb"
    write(new_notebook(cells=[new_markdown_cell(text)]), path)
    return read_lesson(path, path.name)


@pytest.mark.parametrize("question", ["**Why\nso slow?**", "*Why so slow?*", "> Why so slow?"])
def test_title_question_and_minutes_come_from_the_first_cell(tmp_path, question):
    found = first_cell(
        tmp_path, f"# Measure `this`\n\n{question}\n\nYou see\nwhy.\n\n**25 minutes** · level ★☆☆"
    )
    assert (found.title, found.question, found.summary) == (
        "Measure `this`",
        "Why so slow?",
        "You see why.",
    )
    assert (found.minutes, found.number) == (25, "01")


@pytest.mark.parametrize("text", ["", "# Title", "No heading"])
def test_a_first_cell_that_lacks_something_will_do(tmp_path, text):
    found = first_cell(tmp_path, text)
    assert found.title in ("Title", "01_a.ipynb")
    assert (found.question, found.minutes, found.exercises) == ("", None, ())


def test_the_exercises_are_those_that_the_lesson_checks(tmp_path):
    cells = [
        new_markdown_cell('# A\n\nWrite `lab.check("01.9", f)`?'),
        new_code_cell("lab.check('01.1', f)"),
        new_code_cell('lab.check(\n    "01.2", f\n)'),
        new_code_cell('lab.check("01.1", g); lab.hint("01.3")'),
    ]
    write(new_notebook(cells=cells), tmp_path / "01_a.ipynb")
    assert read_lesson(tmp_path / "01_a.ipynb", "01_a.ipynb").exercises == ("01.1", "01.2")


def test_a_lesson_that_changes_is_read_again(tmp_path):
    assert first_cell(tmp_path, "# One").title == "One"
    assert first_cell(tmp_path, "# Another").title == "Another"


@pytest.mark.parametrize("name", lessons(COURSE))
def test_each_lesson_of_the_course_has_what_the_page_shows(name):
    found = read_lesson(COURSE / name, name)
    assert found.title != name
    assert found.question or found.summary
    assert found.minutes
    assert found.exercises


# ---- where to go on ----


def test_the_first_visit_starts_with_the_first_lesson(course):
    text = start_page(*course)
    assert card(text) == f"**Start with [00 Loop]({START})** (40 minutes)"
    assert "<progress" not in text
    assert "What the update changed" not in text
    assert row(text, LOOP) == f"| **[02 Why is it slow?]({LOOP})**<br>Loop | 40 | ○ 1 exercise |"


def test_it_goes_on_after_the_last_cell_that_was_run(course):
    _, workspace = course
    run(workspace / START, 2)
    run(workspace / LOOP, 2)
    saved(workspace / START, 1_000)
    cells = nbformat.read(workspace / LOOP, as_version=4).cells
    text = start_page(*course)
    assert card(text) == (f"**Go on with [02 Loop]({LOOP}#cell-id={cells[4].id})**, at *Your turn*")
    assert "◐ 0 of 1" in row(text, LOOP)
    assert "○ 1 exercise" in row(text, LAST)


def test_of_two_lessons_it_takes_the_one_saved_last(course):
    _, workspace = course
    for name, seconds in [(START, 3_000), (LOOP, 1_000), (LAST, 2_000)]:
        if name != LAST:
            run(workspace / name, 2)
        saved(workspace / name, seconds)
    assert card(start_page(*course)).startswith("**Go on with [00 ")


def test_a_lesson_that_was_run_to_its_end_goes_on_at_the_open_exercise(course):
    source, workspace = course
    two = lesson()
    two.cells.append(new_markdown_cell("## Stretch"))
    two.cells.append(new_code_cell('lab.check("02.2", f)'))
    write(two, source / LOOP)
    make_workspace(source, workspace)
    run(workspace / LOOP, 2, 4, 5, 7)
    passed(workspace, "02.1")
    text = start_page(source, workspace)
    assert card(text).endswith("at *Stretch*")
    assert "◐ 1 of 2" in row(text, LOOP)


def test_writing_without_running_is_a_beginning_too(course):
    _, workspace = course
    edit(workspace / LOOP, 4, "f = max")
    assert card(start_page(*course)).startswith("**Go on with [02 ")


def test_after_a_finished_lesson_comes_the_next_one_that_is_not(course):
    _, workspace = course
    run(workspace / LOOP, 2, 4, 5)
    passed(workspace, "02.1", "03.1")
    text = start_page(*course)
    assert card(text) == (f"You have finished lesson 02. **Next: [00 Loop]({START})** (40 minutes)")
    assert "✓ 1 of 1" in row(text, LOOP)
    assert "2 of 3 exercises passed, 2 of 3 lessons finished" in text


def test_when_all_is_done_it_says_so(course):
    _, workspace = course
    run(workspace / LAST, 2, 4, 5)
    passed(workspace, "00.1", "02.1", "03.1")
    text = start_page(*course)
    assert card(text).startswith("**You have finished every lesson.**")
    assert 'max="3" value="3"' in text


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff", b"[" * 100_000, b'{"02.1": 3}'])
def test_a_damaged_record_of_exercises_counts_as_none(course, content):
    _, workspace = course
    run(workspace / LOOP, 2)
    (workspace / "progress.json").write_bytes(content)
    assert "0 of 3 exercises passed" in start_page(*course)


def test_the_record_of_exercises_may_be_elsewhere(course, tmp_path, monkeypatch):
    _, workspace = course
    run(workspace / LOOP, 2)
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path))
    passed(tmp_path, "02.1")
    assert "1 of 3 exercises passed" in start_page(*course)


@pytest.mark.parametrize("damage", [b"{", b"[]", None])
def test_a_copy_that_cannot_be_read_or_is_gone_is_not_begun(course, damage):
    _, workspace = course
    if damage is None:
        (workspace / LOOP).unlink()
    else:
        (workspace / LOOP).write_bytes(damage)
    assert "Start with [00 " in start_page(*course)


# ---- the rest of the page ----


def test_notebooks_in_a_subfolder_have_a_table_of_their_own(course):
    source, workspace = course
    write(lesson(check="90.1"), source / TRIAL)
    make_workspace(source, workspace)
    text = start_page(source, workspace)
    lessons_part, _, trials_part = text.partition("## Trials")
    assert f"]({TRIAL})**" not in lessons_part
    assert row(trials_part, TRIAL).startswith(f"| **[Why is it slow?]({TRIAL})**")


def test_a_trial_without_exercises_is_read_when_all_of_it_was_run(course):
    source, workspace = course
    write(
        new_notebook(cells=[new_markdown_cell("# An article"), new_code_cell("1")]), source / TRIAL
    )
    make_workspace(source, workspace)
    assert row(start_page(source, workspace), TRIAL).endswith("|  | ○ not read |")
    run(workspace / TRIAL, 1)
    assert row(start_page(source, workspace), TRIAL).endswith("|  | ✓ read |")


def test_only_pages_that_exist_are_named(course):
    source, workspace = course
    assert "- **[The claims](CLAIMS.md)**" in start_page(source, workspace)
    assert "SYMPTOMS" not in start_page(source, workspace)
    (source / "SYMPTOMS.md").write_text("# You see this\n", encoding="utf-8")
    (source / "CLAIMS.md").unlink()
    make_workspace(source, workspace)
    (workspace / "CLAIMS.md").unlink()
    text = start_page(source, workspace)
    assert "- **[You see this](SYMPTOMS.md)**" in text
    assert "CLAIMS" not in text


def test_what_an_update_changed_is_on_the_page(course):
    source, workspace = course
    run(workspace / START, 2)
    for name in (START, LOOP):
        write(lesson(setup="print('<better>')", check=f"{name[:2]}.1"), source / name)
    make_workspace(source, workspace)
    text = start_page(source, workspace)
    visible, _, folded = text.partition("<details><summary>1 notebook that you had not begun")
    assert f"- [{START}]({START}): renewed; " in visible
    assert f'- [{LOOP}]({LOOP}): renewed; changed: "Setup" (1 cell)' in folded
    make_workspace(source, workspace)
    assert "renewed" not in start_page(source, workspace)


def test_marks_in_a_title_do_not_break_the_table(course):
    source, workspace = course
    odd = lesson()
    odd.cells[0].source = "# Take `a|b` [now]\n\nA | B [c](d)"
    write(odd, source / LOOP)
    cells = row(start_page(source, workspace), LOOP)
    assert len(re.findall(r"(?<!\\)\|", cells)) == 4


def test_every_link_of_the_page_leads_to_a_file(tmp_path):
    make_workspace(COURSE, tmp_path)
    text = write_start_page(COURSE, tmp_path)
    links = re.findall(r"\]\(([^)#]+)", text)
    assert len(links) > 12
    assert [link for link in links if not (tmp_path / link).is_file()] == []


# ---- its file ----


def test_the_page_is_written_once_until_something_changes(course, monkeypatch):
    source, workspace = course
    text = write_start_page(source, workspace)
    path = workspace / START_PAGE
    assert path.read_text(encoding="utf-8") == text
    monkeypatch.setattr(page, "write_atomically", None)
    assert write_start_page(source, workspace) == text
    monkeypatch.undo()
    run(workspace / LOOP, 2)
    assert "Go on with" in write_start_page(source, workspace)
    assert "Go on with" in path.read_text(encoding="utf-8")
    assert [path.name for path in workspace.glob("README*")] == [START_PAGE]


@pytest.mark.parametrize(
    "notes", ["My notes", "# TensorFlow in a loop\n\n<!-- labkit 0 -->\n", None]
)
def test_a_page_with_notes_of_the_learner_gets_another_name(course, notes):
    source, workspace = course
    write_start_page(source, workspace)
    path = workspace / START_PAGE
    if notes is None:
        notes = path.read_text(encoding="utf-8").replace("The lessons", "The lessons, and a note")
    path.write_text(notes, encoding="utf-8")
    write_start_page(source, workspace)
    assert (workspace / "README.mine.md").read_text(encoding="utf-8") == notes
    assert path.read_text(encoding="utf-8") == start_page(source, workspace)


def test_a_full_disk_leaves_the_old_page(course, monkeypatch):
    source, workspace = course
    old = write_start_page(source, workspace)
    run(workspace / LOOP, 2)

    def full_disk(path, content):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(page, "write_atomically", full_disk)
    with pytest.raises(OSError, match="No space left"):
        write_start_page(source, workspace)
    assert (workspace / START_PAGE).read_text(encoding="utf-8") == old


# ---- the server that keeps it current ----


def test_the_server_writes_the_page_and_returns_it(course, monkeypatch):
    source, workspace = course
    monkeypatch.setattr(lab_server, "COURSE", source)
    monkeypatch.setattr(lab_server.atexit, "register", Mock())
    monkeypatch.setattr(lab_server.signal, "signal", Mock())
    address, handler, options = handlers_of(lab_server, workspace)
    assert address == "/base/labkit/start-page"
    assert options == {"workspace": workspace}
    status, body = asked(handler, address, options)
    assert status == 200
    assert body == (workspace / START_PAGE).read_text(encoding="utf-8")

    monkeypatch.setattr(lab_server, "COURSE", Path("missing"))
    status, body = asked(handler, address, options)
    assert status == 500


def handlers_of(lab_server, workspace):
    """Load the extension into a server that only notes what it gets."""
    server = Mock(root_dir=str(workspace), base_url="/base/")
    lab_server._load_jupyter_server_extension(server)
    ((_, (handler,)),) = [call.args for call in server.web_app.add_handlers.call_args_list]
    return handler


def asked(handler, address, options):
    """Ask a real Tornado application for the page; every user counts as logged in."""

    class LoggedIn(handler):
        current_user = "learner"

        def prepare(self):
            pass

        def write_error(self, status_code, **_):
            self.finish("error")

    async def ask():
        application = Application([(address, LoggedIn, options)], headers={})
        socket, port = bind_unused_port()
        server = HTTPServer(application)
        server.add_socket(socket)
        url = f"http://127.0.0.1:{port}{address}"
        answer = await AsyncHTTPClient().fetch(url, raise_error=False)
        server.stop()
        return answer.code, answer.body.decode()

    return asyncio.run(ask())


@pytest.mark.parametrize(("error", "is_said"), [(WebSocketClosedError(), False), (OSError(), True)])
def test_a_page_that_was_closed_meanwhile_is_no_traceback(error, is_said):
    record = logging.LogRecord(
        "asyncio", logging.ERROR, "", 0, "never retrieved", (), (type(error), error, None)
    )
    assert lab_server._is_no_closed_page(record) is is_said
