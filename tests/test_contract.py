"""Every lesson keeps the contract of contract.py, and each rule of it turns red when a lesson breaks it."""

import copy
from pathlib import Path

import pytest
from contract import RULES, SECTIONS, Lesson

LESSONS = sorted((Path(__file__).resolve().parents[1] / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize(
    ("path", "name"), [pytest.param(p, n, id=f"{p.stem}-{n}") for p in LESSONS for n in RULES]
)
def test_lesson(path, name):
    breaches = list(RULES[name](Lesson.read(path)))
    assert not breaches, f"{path.name} breaks the rule {name}:\n- " + "\n- ".join(breaches)


# ---- the rules themselves, on lessons built in memory ----

WORDS = "The loop asks the same question for each row, and most of its time goes into the asking."


def text(source, **metadata):
    return {"cell_type": "markdown", "id": "", "metadata": metadata, "source": source}


def code(source, *tags, outputs=(), **metadata):
    metadata = {"tags": list(tags), **metadata} if tags else metadata
    return {
        "cell_type": "code",
        "execution_count": None,
        "id": "",
        "metadata": metadata,
        "outputs": list(outputs),
        "source": source,
    }


def stream(words, name="stdout"):
    return {"output_type": "stream", "name": name, "text": words}


def picture(alt="Two bars", plain="Two bars"):
    data = {
        "image/png": "/tmp/work/home/root=",
        "text/plain": plain,
    }  # letters that may come up in any picture
    return {"output_type": "display_data", "data": data, "metadata": {"image/png": {"alt": alt}}}


def result(html):
    data = {"text/html": html, "text/plain": "a table"}
    return {"output_type": "execute_result", "data": data, "metadata": {}, "execution_count": 1}


EXERCISE = 'def answer(rows):\n    """Return one prediction for each row, in one call."""\n    ...'
SOLUTION = {"jupyter": {"source_hidden": True}}


def good(folder, name="02_loop.ipynb"):
    """Return a lesson that keeps every rule."""
    head = (
        "[before](01_first.ipynb) · [next](03_third.ipynb)"
        if name.startswith("02")
        else "[next](01_first.ipynb)"
    )
    cells = [
        text(
            f"# Loop over rows\n\n{WORDS} Why is `a != b`?\n\n**25 minutes** · first steps · {head}"
        )
    ]
    for title in [*SECTIONS[:4], "First round", "Second round", *SECTIONS[4:]]:
        cells.append(
            text(
                f"## {title}\n\n{WORDS}\n\n> A quotation may just shout! And `code!` simply may, too."
            )
        )
        if title == "Setup":
            cells.append(
                code("import labkit as lab\n\nlab.setup()", outputs=[stream("Python 3\n")])
            )
        if title == "First round":
            cells.append(
                code("with tf.device('/CPU:0'):\n    cost = model(rows)", outputs=[picture()])
            )
            cells.append(
                code(
                    "cost",
                    outputs=[result('<p>I/O: <img alt="a > b" src="data:image/png;base64,/tmp/">')],
                )
            )
            cells.append(code("model.summary()", "nbval-ignore-output"))
        if title == "Your turn":
            cells.append(text("### An exercise\n\n" + WORDS))
            cells.append(code(EXERCISE, "exercise"))
            cells.append(code('lab.check("02.1", answer)'))
            cells.append(
                code(
                    "def answer(rows):\n    return model(rows)",
                    "solution",
                    **copy.deepcopy(SOLUTION),
                )
            )
        if title == "Recap":
            cells.append(
                text(
                    "| situation | do |\n|---|---|\n"
                    + "| many rows | one call |\n" * 50
                    + WORDS * 8
                )
            )
        if title == "Check yourself":
            cells.append(
                text(f"{WORDS}\n\n<details><summary>Answer</summary>{WORDS * 10}</details>")
            )
        if title == "Further reading":
            cells.append(
                text(
                    f"[a](01_first.ipynb#setup) [b](https://example.org) [c](#setup) `f[0](x)` {WORDS}"
                )
            )
    count = 0
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
        if cell["cell_type"] == "code":
            count += 1
            cell["execution_count"] = count
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3 (ipykernel)"}}
    return Lesson(
        folder / name, {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    )


@pytest.fixture
def folder(tmp_path):
    for name in ("01_first.ipynb", "03_third.ipynb"):
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize("name", RULES)
def test_a_good_lesson_keeps_the_rule(name, folder):
    assert list(RULES[name](good(folder))) == []


def test_the_first_lesson_may_be_shorter(folder):
    lesson = good(folder, "00_start_here.ipynb")
    wanted = {
        *SECTIONS[:2],
        "Setup",
        "First round",
        "Your turn",
        "Recap",
        "Check yourself",
        "Further reading",
        "",
    }
    lesson.raw["cells"] = [cell.raw for cell in lesson.cells if cell.section in wanted]
    del lesson.cells
    assert {
        name: list(check(lesson)) for name, check in RULES.items() if name != "was_run_in_order"
    } == {name: [] for name in RULES if name != "was_run_in_order"}


def at(raw, start):
    """Return the first cell whose source begins so."""
    return next(cell for cell in raw["cells"] if cell["source"].startswith(start))


def change(start, old, new):
    """Return a change of the first cell that begins with `start`."""

    def apply(raw):
        cell = at(raw, start)
        assert old in cell["source"]
        cell["source"] = cell["source"].replace(old, new)

    return apply


def show(output):
    return lambda raw: at(raw, "cost")["outputs"].append(output)


def add(cell):
    return lambda raw: raw["cells"].append({**cell, "id": "added"})


def tag(start, *tags):
    return lambda raw: at(raw, start)["metadata"].update(tags=list(tags))


def swap(raw):
    cells = raw["cells"]
    first, second = (cells.index(at(raw, f"## {title}")) for title in ("In practice", "Recap"))
    cells[first], cells[second] = cells[second], cells[first]


def ignore_many(raw):
    raw["cells"] += [code(f"{n}", "nbval-ignore-output") for n in range(4)]


def without_checks(raw):
    raw["cells"].remove(at(raw, "lab.check"))


BREACHES = [
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
        "was_run_in_order",
        lambda raw: at(raw, "cost").update(execution_count=None),
        "None in place of 3",
    ),
    ("was_run_in_order", lambda raw: at(raw, "cost").update(execution_count=9), "9 in place of 3"),
    ("has_no_errors_in_its_outputs", show(stream("warning", "stderr")), "stderr"),
    (
        "has_no_errors_in_its_outputs",
        show({"output_type": "error", "ename": "ValueError", "evalue": "no", "traceback": []}),
        "ValueError",
    ),
    ("has_decided_its_claims", show(result("? S0-4 undecided here: it costs")), "more rounds"),
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
    ("has_the_sections_in_order", change("## Recap", "Recap", "Summary"), "'Recap' is missing"),
    ("has_the_sections_in_order", swap, "another order"),
    ("has_the_sections_in_order", add(text("## Recap")), "twice"),
    ("has_the_sections_in_order", add(text("## Odds and ends")), "Odds and ends"),
    ("has_the_sections_in_order", change("## Second round", "## ", "### "), "found 1"),
    (
        "begins_with_minutes_and_neighbours",
        change("# Loop", "**25 minutes**", "25 minutes"),
        "how long",
    ),
    ("begins_with_minutes_and_neighbours", change("# Loop", "01_first", "03_third"), "01_first"),
    ("begins_with_minutes_and_neighbours", change("# Loop", "03_third", "01_first"), "03_third"),
    ("has_short_code_cells", change("cost", "cost", "cost\n" * 9), "9 lines"),
    ("has_short_code_cells", add(code("x\n" * 16, "long")), "16 lines"),
    ("has_short_code_cells", add(code(" ")), "0 lines"),
    ("has_code_that_runs_anywhere", change("cost", "cost", "cost;"), "semicolon"),
    ("has_code_that_runs_anywhere", change("cost", "cost", "%time cost"), "magic"),
    ("has_code_that_runs_anywhere", change("cost", "cost", "!ls"), "magic"),
    ("has_code_that_runs_anywhere", change("cost", "cost", "open('/data/rows')"), "absolute"),
    ("has_code_that_runs_anywhere", change("cost", "cost", "open(r'D:\\rows')"), "absolute"),
    ("has_code_that_runs_anywhere", change("cost", "cost", "get('https://a.b')"), "offline"),
    ("has_code_that_runs_anywhere", change("cost", "cost", "# pip install"), "pip"),
    ("hides_nothing_from_nbval", ignore_many, "3 at most"),
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
        "collapses_its_solutions",
        lambda raw: at(raw, "def answer(rows):\n    return")["metadata"].pop("jupyter"),
        "in the open",
    ),
    ("keeps_its_rhythm", lambda raw: raw["cells"].extend([code("x\n" * 7)] * 20), "median code"),
    ("keeps_its_rhythm", lambda raw: raw["cells"].extend([text("Run it.")] * 40), "median text"),
    ("says_it_in_120_words", change("## Explore", WORDS, WORDS * 8), "120 at most"),
    ("speaks_plainly", change("## Explore", WORDS, "It works!"), "'!'"),
    ("speaks_plainly", change("## Explore", WORDS, "Just [simply](#a) try."), "'simply'"),
    ("speaks_plainly", change("## Recap", WORDS, "A Powerful tool, easily used"), "'easily'"),
    ("has_links_that_lead_somewhere", add(text("[gone](04_gone.ipynb)")), "04_gone"),
    ("has_links_that_lead_somewhere", add(text("[`own`](/etc/hosts)")), "/etc/hosts"),
    ("has_links_that_lead_somewhere", add(text('<img alt="a" src="gone.png">')), "gone.png"),
    ("closes_its_details", add(text("<details><summary>A</summary>")), "[1, 0, 1, 1]"),
]


@pytest.mark.parametrize(("name", "spoil", "words"), BREACHES)
def test_the_rule_turns_red(name, spoil, words, folder):
    lesson = good(folder)
    spoil(lesson.raw)
    said = "\n".join(RULES[name](lesson))
    assert words in said


def test_each_rule_has_a_breach():
    assert {name for name, *_ in BREACHES} == set(RULES)
