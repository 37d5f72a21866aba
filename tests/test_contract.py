"""Every lesson follows tools/contract.py, and each rule notices a lesson that does not."""

import pytest
from contract import (
    RULES,
    SECTIONS,
    START_PAGE,
    Lesson,
    defined_names,
)
from good_lesson import WORDS, add, at, change, code, good, picture, result, stream, text
from pages import ROOT

from labkit.show import format as labkit_format

LESSONS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
@pytest.mark.parametrize("name", RULES)
def test_lesson(path, name):
    violations = list(RULES[name](Lesson.read(path)))
    assert not violations, f"{path.name} violates {name}:\n- " + "\n- ".join(violations)


# ---- the rules themselves, on lessons built in memory ----


@pytest.mark.parametrize("name", RULES)
def test_a_good_lesson_follows_the_rule(name, tmp_path):
    assert list(RULES[name](good(tmp_path))) == []


def test_the_first_lesson_may_be_shorter(tmp_path):
    lesson = good(tmp_path, "00_start_here.ipynb")
    wanted = {
        SECTIONS[0],
        "Setup",
        "First round",
        "Your turn",
        "Recap",
        "Check yourself",
        "Next",
        "",
    }
    lesson.raw["cells"] = [cell.raw for cell in lesson.cells if cell.section in wanted]
    del lesson.cells  # it is cached
    for name, rule in RULES.items():
        if name not in ("was_run_in_order", "says_its_true_minutes"):
            assert list(rule(lesson)) == [], name


def test_a_lesson_that_is_too_long_or_has_too_many_rounds_is_split(tmp_path):
    lesson = good(tmp_path, "02_long.ipynb")
    lesson.raw["cells"].extend([code("x")] * 100)
    (said,) = RULES["fits_one_sitting"](lesson)
    assert "at most 110 are allowed" in said
    del lesson.cells  # it is cached
    titles = [{"cell_type": "markdown", "source": f"## Round {k}"} for k in range(3)]
    at(lesson.raw, "## Explore")
    place = lesson.raw["cells"].index(at(lesson.raw, "## Explore"))
    lesson.raw["cells"][place:place] = titles
    assert any("rounds are expected" in said for said in RULES["has_the_sections_in_order"](lesson))


def test_the_last_lesson_leads_to_the_start_page(tmp_path):
    lesson = good(tmp_path, "04_last.ipynb")
    (said,) = RULES["ends_with_what_is_next"](lesson)
    assert START_PAGE in said
    at(lesson.raw, "Go on with")["source"] = f"[All lessons]({START_PAGE})"
    assert list(RULES["ends_with_what_is_next"](lesson)) == []


def test_the_start_page_leads_to_every_lesson():
    page = (ROOT / "notebooks" / START_PAGE).read_text(encoding="utf-8")
    for path in LESSONS:
        assert f"({path.name})" in page


def show(output):
    return lambda raw: at(raw, "cost")["outputs"].append(output)


def tag(start, *tags):
    return lambda raw: at(raw, start)["metadata"].update(tags=list(tags))


def swap(raw):
    cells = raw["cells"]
    recap = at(raw, "## Recap")
    cells.remove(recap)
    cells.insert(cells.index(at(raw, "## In practice")), recap)


def ignore_many(raw):
    raw["cells"] += [code(f"{n}", "nbval-ignore-output") for n in range(4)]


def before(start, cell):
    """Return a change that adds a cell before the one that begins so."""

    def apply(raw):
        cells = raw["cells"]
        cells.insert(cells.index(at(raw, start)), {**cell, "id": "added"})

    return apply


def use_no_guess(raw):
    change("lab.compare", "guess=guess", "")(raw)
    raw["cells"].remove(at(raw, "if guess.made"))


def without_checks(raw):
    raw["cells"].remove(at(raw, "lab.check"))


BARE_PICTURE = {
    "output_type": "display_data",
    "data": {"image/png": "aaaa", "text/plain": "Two bars"},
    "metadata": {"image/png": {"alt": "Two bars"}},
}
NOT_SHOWN = "lab.compare(a=a) in a block is not shown"
VIOLATIONS = [
    ("is_a_valid_notebook", lambda raw: raw.update(nbformat_minor=4), "4.5"),
    ("is_a_valid_notebook", lambda raw: raw["cells"][0].pop("id"), "MissingID"),
    ("is_a_valid_notebook", lambda raw: raw["cells"][1].update(id="cell-0"), "Duplicate"),
    ("is_a_valid_notebook", lambda raw: raw["cells"][1].pop("metadata"), "metadata"),
    ("is_small", add(text("word " * 70_000)), "300,000"),
    (
        "has_the_plain_kernel_and_no_widget_state",
        lambda raw: raw["metadata"].update(widgets={}),
        "widget",
    ),
    (
        "has_the_plain_kernel_and_no_widget_state",
        lambda raw: raw["metadata"].pop("kernelspec"),
        "python3",
    ),
    (
        "has_no_times_of_execution",
        lambda raw: at(raw, "cost")["metadata"].update(execution={}),
        "FIX=1",
    ),
    (
        "was_run_in_order",
        lambda raw: at(raw, "cost").update(execution_count=None),
        "None, expected 4",
    ),
    ("was_run_in_order", lambda raw: at(raw, "cost").update(execution_count=9), "9, expected 4"),
    ("has_no_errors_in_its_outputs", show(stream("warning", "stderr")), "stderr"),
    (
        "has_no_errors_in_its_outputs",
        show({"output_type": "error", "ename": "ValueError", "evalue": "no", "traceback": []}),
        "ValueError",
    ),
    ("has_decided_its_claims", show(result("? S0-4 undecided here: it costs")), "more rounds"),
    ("has_a_text_for_each_picture", show(BARE_PICTURE), "JupyterLab ignores"),
    ("has_a_text_for_each_picture", show(picture(alt="")), "without alt"),
    ("has_a_text_for_each_picture", show(picture(plain=" ")), "says nothing"),
    ("has_a_text_for_each_picture", show(picture(plain="<Figure size 640x480>")), "says nothing"),
    ("has_a_text_for_each_picture", show(result('<img src="data:,">')), "<img>"),
    ("has_a_text_for_each_picture", show(result('<img alt="" src="data:,">')), "<img>"),
    ("has_a_text_for_each_picture", add(text("![](01_first.ipynb)")), "alt text"),
    ("does_not_show_the_machine_that_ran_it", show(stream('File "/home/ada/x.py"')), "/home/ada"),
    ("does_not_show_the_machine_that_ran_it", show(stream("in /tmp/ipykernel_1/2.py")), "/tmp/"),
    (
        "does_not_show_the_machine_that_ran_it",
        show(result("http://127.0.0.1:8888/lab")),
        "127.0.0.1:8888",
    ),
    ("does_not_show_the_machine_that_ran_it", show(stream(r"C:\Users\ada")), "Users"),
    ("has_one_title_and_skips_no_level", change("# Loop", "# Loop", "\n# Loop"), "very first line"),
    ("has_one_title_and_skips_no_level", add(text("# Another")), "Another"),
    ("has_one_title_and_skips_no_level", add(text("#### Deep")), "level 4 after level 2"),
    ("has_a_short_title", change("# Loop", "over rows", "over rows" * 5), "has 50 characters"),
    ("opens_with_a_question", change("# Loop", "b`?", "b`."), "the question"),
    ("opens_with_a_question", lambda raw: at(raw, "# Loop").update(source="# Loop"), "question"),
    ("has_the_sections_in_order", change("## Recap", "Recap", "Summary"), "'Recap' is missing"),
    ("has_the_sections_in_order", swap, "another order"),
    ("has_the_sections_in_order", add(text("## Recap")), "twice"),
    ("has_the_sections_in_order", add(text("## Odds and ends")), "Odds and ends"),
    ("has_the_sections_in_order", change("## Second round", "## ", "### "), "found 1"),
    (
        "begins_with_minutes_and_neighbours",
        change("# Loop", "**13 minutes**", "13 minutes"),
        "how long",
    ),
    ("says_its_true_minutes", change("# Loop", "**13 minutes**", "**20 minutes**"), "take 12"),
    ("begins_with_minutes_and_neighbours", change("# Loop", "01_first", "03_third"), "01_first"),
    ("begins_with_minutes_and_neighbours", change("# Loop", "03_third", "01_first"), "03_third"),
    ("says_how_to_come_back", change("If a cell", "Above", "Below"), "NameError"),
    (
        "asks_one_question_in_a_cell",
        before("## Next", text("<details></details> 2. <details></details>")),
        "several questions",
    ),
    ("ends_with_what_is_next", change("lab.progress", "02", "03"), 'lab.progress("02")'),
    ("ends_with_what_is_next", change("Go on with", "03_third", "01_first"), "03_third"),
    ("has_short_code_cells", change("cost", "cost", "cost\n" * 9), "9 lines"),
    ("has_short_code_cells", add(code("x\n" * 16, "long")), "16 lines"),
    ("has_short_code_cells", add(code(" ")), "0 lines"),
    ("has_lines_that_fit", add(code("x = " + "1" * 97)), "101 characters"),
    ("has_code_that_runs_anywhere", change("cost", "cost", "cost;"), "semicolon"),
    ("has_code_that_runs_anywhere", change("cost", "cost", "%time cost"), "magic"),
    ("has_code_that_runs_anywhere", change("cost", "cost", "!ls"), "magic"),
    ("has_code_that_runs_anywhere", change("cost", "cost", "open('/data/rows')"), "absolute"),
    ("has_code_that_runs_anywhere", change("cost", "cost", "open(r'D:\\rows')"), "absolute"),
    ("has_code_that_runs_anywhere", change("cost", "cost", "get('https://a.b')"), "offline"),
    ("has_code_that_runs_anywhere", change("cost", "cost", "# pip install"), "pip"),
    ("hides_nothing_from_nbval", ignore_many, "at most 3"),
    ("hides_nothing_from_nbval", tag("lab.check", "nbval-ignore-output"), "holds a claim"),
    (
        "hides_nothing_from_nbval",
        change("lab.check", "lab", "# NBVAL_IGNORE_OUTPUT\nlab"),
        "holds a claim",
    ),
    ("hides_nothing_from_nbval", tag("cost", "raises-exception"), "lab.expect"),
    ("hides_nothing_from_nbval", tag("cost", "nbval-skip"), "lab.expect"),
    ("specifies_and_checks_its_exercises", change("def answer", "...", "return"), "fill in"),
    ("specifies_and_checks_its_exercises", change("def answer", '"""', "'"), "docstring"),
    ("specifies_and_checks_its_exercises", without_checks, "no lab.check"),
    (
        "tags_its_stretch_exercises",
        change("### An exercise", "An exercise", "An exercise (stretch)"),
        "stretch is missing",
    ),
    ("tags_its_stretch_exercises", tag("def answer", "stretch"), "for exercises below a text"),
    (
        "stores_no_widget",
        lambda raw: at(raw, "cost")["outputs"].append(
            {
                "output_type": "display_data",
                "data": {"application/vnd.jupyter.widget-view+json": {}, "text/plain": "a slider"},
                "metadata": {},
            }
        ),
        "the view of a widget",
    ),
    (
        "collapses_its_solutions",
        lambda raw: at(raw, "# Solution")["metadata"].pop("jupyter"),
        "a visible solution",
    ),
    ("marks_its_solutions", change("# Solution", "# Solution\n", ""), "first line"),
    ("marks_its_solutions", change("# Solution", "# Solution", "# Solutions"), "first line"),
    ("shows_each_result", add(code("if a:\n    lab.compare(a=a)")), NOT_SHOWN),
    ("shows_each_result", add(code("if a:\n    b\nelse:\n    lab.compare(a=a).plot()")), "plot()"),
    ("shows_each_result", add(code("for a in b:\n    lab.compare(a=a)")), NOT_SHOWN),
    ("shows_each_result", add(code("with a:\n    lab.compare(a=a)")), NOT_SHOWN),
    ("takes_up_each_guess", use_no_guess, "no other cell uses guess"),
    ("takes_up_each_guess", add(code("late = lab.guess('?', low=1, high=9)\nlate")), "uses late"),
    ("formats_its_measurements_with_labkit", add(code("f'≈{x:.2f}×'")), "'≈{x:.2f}'"),
    ("formats_its_measurements_with_labkit", add(code("f'≈{1e3 * x[0]:,.3g} ms'")), ":,.3g"),
    ("says_what_it_counts_in_python", add(code("n.python_calls")), "with its words"),
    ("says_what_it_counts_in_python", add(code("n.traces, n.python_calls")), "with its words"),
    ("uses_one_door_of_labkit", change("import labkit", " as lab", ""), "import labkit as lab"),
    (
        "uses_one_door_of_labkit",
        add(code("import labkit.show.format as lab")),
        "labkit.show.format",
    ),
    ("uses_one_door_of_labkit", add(code("from labkit.show.format import digits")), "own_model"),
    ("uses_one_door_of_labkit", add(code("from labkit import own_model as own")), "is allowed"),
    ("uses_one_door_of_labkit", add(code("from labkit import compare, own_model")), "is allowed"),
    ("uses_one_door_of_labkit", change("cost", "cost", "f(lab.measure)"), "lab.measure is not in"),
    ("uses_one_door_of_labkit", add(code("lab.models.Any")), "lab.models.Any is not a public name"),
    ("uses_one_door_of_labkit", add(code("own_model.paths.x()")), "own_model.paths is not in"),
    ("uses_one_door_of_labkit", add(code("serving.Path()")), "serving.Path is not in"),
    ("says_what_it_cannot_show", add(code('if serving.has("ray"):\n    a')), "asks for ['ray']"),
    ("uses_one_door_of_labkit", add(code("from labkit.course import models")), "is allowed"),
    ("keeps_its_rhythm", lambda raw: raw["cells"].extend([code("x\n" * 7)] * 20), "median code"),
    ("keeps_its_rhythm", lambda raw: raw["cells"].extend([text("Run it.")] * 40), "median text"),
    ("says_it_in_120_words", change("## Explore", WORDS, WORDS * 8), "at most 120"),
    ("fits_one_sitting", before("## Next", text("word " * 7_000)), "split or cut it"),
    ("fits_one_sitting", lambda raw: raw["cells"].extend([code("x")] * 100), "at most 110"),
    ("fits_one_sitting", lambda raw: raw["cells"].extend([code("lab.claim()")] * 7), "7 claims"),
    ("writes_no_measured_number", change("## Explore", WORDS, "It takes ≈3 ms."), "≈3"),
    ("writes_no_measured_number", change("## Explore", WORDS, "It takes 3.5× as long"), "3.5×"),
    ("has_the_numbers_its_text_speaks_of", change("## Explore", WORDS, "All 1,234 rows"), "1234"),
    ("speaks_plainly", change("## Explore", WORDS, "It works!"), "'!'"),
    ("speaks_plainly", change("## Explore", WORDS, "Just [simply](#a) try."), "'simply'"),
    ("speaks_plainly", change("## Recap", WORDS, "A Powerful tool, easily used"), "'easily'"),
    ("has_links_that_lead_somewhere", add(text("[gone](04_gone.ipynb)")), "04_gone"),
    ("has_links_that_lead_somewhere", add(text("[`own`](/etc/hosts)")), "/etc/hosts"),
    ("has_links_that_lead_somewhere", add(text('<img alt="a" src="gone.png">')), "gone.png"),
    (
        "names_the_columns_of_its_tables",
        before("## Next", text("A table:\n\n| | do |\n|---|---|\n| a | b |")),
        "without a heading",
    ),
    ("closes_its_details", add(text("<details><summary>A</summary>")), "[1, 0, 1, 1]"),
]


@pytest.mark.parametrize(("name", "spoil", "words"), VIOLATIONS)
def test_the_rule_notices(name, spoil, words, tmp_path):
    lesson = good(tmp_path)
    spoil(lesson.raw)
    said = "\n".join(RULES[name](lesson))
    assert words in said


def test_each_rule_has_a_violation():
    assert {name for name, *_ in VIOLATIONS} == set(RULES)


def test_what_a_module_imports_is_no_name_of_its_own():
    names = defined_names(labkit_format)
    assert {"MARK", "digits", "measured"} <= names
    assert not {"math", "Iterable"} & names
    assert not [name for name in names if name.startswith("_")]
