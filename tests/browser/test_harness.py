"""What the other tests here rely on notices what it should notice."""

import lessons
import looks
import pytest
from lab_server import ROOT
from scheduling import scope_of
from seat import is_outside, numbers_in
from test_lessons import LEFT_OVER, LOST

LESSONS_CSS = ROOT / "labkit/lab_extension/labkit-lessons/static/lessons.css"
PAGE = """<body style="font: 16px monospace"><div id="area" style="width: 300px">{}</div></body>"""


@pytest.fixture
def page(browser):
    page = browser.new_page()
    yield page
    page.close()


def found(page, content):
    """Return what is wrong with an area of 300 pixels."""
    page.set_content(PAGE.format(content))
    looks.prepare(page)
    return page.evaluate(
        "() => { const area = document.querySelector('#area');"
        " return [...looks.wide(area, 320), ...looks.cut(area), ...looks.broken(area),"
        " ...looks.silent(area)]; }"
    )


def too_wide(page, content):
    """Return what is wider than an area of 300 pixels."""
    page.set_content(PAGE.format(content))
    looks.prepare(page)
    return page.evaluate("looks.wide(document.querySelector('#area'), 320)")


@pytest.mark.parametrize(
    "content",
    [
        "<p>a text that is longer than a line and goes on in the next one</p>",
        '<table style="width: 100%"><td>M-1<td>a text in a cell that is wrapped</table>',
        '<details><summary>more</summary><p style="width: 900px">unseen</p></details>',
        '<input style="width: 8em" value="1,600">',
        "<p>None of these objects</p>",
    ],
)
def test_a_page_that_is_right_has_no_problem(page, content):
    assert found(page, content) == []


PROBLEMS = {
    "too wide": '<p style="width: 500px">wide</p>',
    "cut: a_very": '<div style="overflow: auto; width: 9em"><pre>a_very_long_name_here</pre></div>',
    "cut: text": '<p style="overflow: auto; width: 2em; white-space: nowrap">a text</p>',
    "broken: ": '<p style="word-break: break-all; width: 7em">one two three four five</p>',
    "broken: M-1": '<p style="width: 1em">M-1</p>',
    "says nothing: object at 0x7f": "<pre>&lt;a.Figure object at 0x7f33&gt;</pre>",
    "says nothing: None": "<pre>None</pre>",
    "the field with 1,600,000": '<input style="width: 3em" value="1,600,000">',
}


@pytest.mark.parametrize(("problem", "content"), PROBLEMS.items())
def test_a_problem_is_seen(page, problem, content):
    assert any(problem in one for one in found(page, content))


def test_a_long_name_in_a_text_is_seen_whole_in_a_small_window(page):
    code = (
        "<p>The test: <code>len(f.get_concrete_function(batch).graph.get_operations())</code></p>"
    )
    text = f'<div class="jp-Notebook"><div class="jp-MarkdownOutput">{code}</div></div>'
    assert any("too wide: <code>" in one for one in too_wide(page, text))
    style = f"<style>{LESSONS_CSS.read_text(encoding='utf-8')}</style>"
    assert too_wide(page, style + text) == []


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        ('<img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=">', "image-alt"),
        ('<input type="range">', "label"),
        ('<p style="color: #ccc; background: white">pale</p>', "color-contrast"),
        ("<table><th><th>a<tr><td>1<td>2</table>", "empty-table-header"),
    ],
)
def test_axe_sees_what_a_screen_reader_would_miss(page, content, rule):
    page.set_content(f'<main class="jp-OutputArea">{content}</main>')
    problems = looks.axe_problems(page, looks.IN_JUPYTERLAB)
    assert any(problem.startswith(rule) for problem in problems), problems


def test_axe_leaves_out_what_is_not_ours(page):
    page.set_content('<p style="color: #ccc">pale</p><p class="jp-OutputArea">ours</p>')
    assert looks.axe_problems(page, looks.IN_JUPYTERLAB) == []


def test_what_a_bar_leaves_is_seen():
    assert LEFT_OVER.search("comparing a, b:   0%|          | 0.0/3.0 s")
    assert LEFT_OVER.search('<div>sweep: <progress max="1" value="0.2"></progress></div>')
    assert not LEFT_OVER.search("takes ≈98.0 % of the time | more")
    assert LOST.search("Error displaying widget: model not found")


def test_addresses_of_other_machines_are_noticed():
    assert is_outside("https://example.org/a.js")
    assert not is_outside("http://127.0.0.1:8888/lab")
    assert not is_outside("data:image/png;base64,AA")


def test_numbers_are_read_as_people_write_them():
    assert numbers_in("≈29.9× [25.6, 33.5] of 1,600.") == [29.9, 25.6, 33.5, 1600]


def test_a_cell_uses_a_name_when_it_runs():
    assert lessons.uses("cost.plot(guess=g)", "g")
    assert lessons.uses("def f():\n    return g\n\n\nprint(g)", "g")
    assert not lessons.uses("def f():\n    return g", "g")
    assert not lessons.uses("g = 1", "g")


@pytest.mark.parametrize("path", lessons.paths())
def test_every_exercise_has_a_right_and_a_wrong_answer(path):
    for exercise in lessons.exercises(path):
        wrong, says = exercise.wrong()
        for code in (exercise.stub, exercise.solution, wrong):
            assert compile(code, exercise.id, "exec")
            assert exercise.name in code
        assert says


def test_all_tests_of_a_lesson_belong_together(request):
    scopes = {}
    for item in request.session.items:
        lesson = item.callspec.params.get("lesson") if hasattr(item, "callspec") else None
        if lesson:
            scopes.setdefault(lesson, set()).add(scope_of(item.nodeid))
    assert all(found == {lesson} for lesson, found in scopes.items()), scopes
    assert scope_of("tests/browser/test_site.py::test_it[a-b]") == "tests/browser/test_site.py"
    assert scope_of("tests/browser/test_lessons.py::test_with_the_keyboard_alone") == "keyboard"
