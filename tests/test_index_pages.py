"""SYMPTOMS.md, GLOSSARY.md and CHEATSHEET.md: links, error texts, lines to change, terms."""

import ast
import gc
import json
import logging
import os
import re
import time
import urllib.parse

import index_pages
import pytest
from contract import joined
from glossary_links import first_uses, insert, missing, number_of, target, text_only
from index_pages import CHEATSHEET, GLOSSARY, SYMPTOMS, groups, significant, terms, times
from notebook_links import NOTEBOOKS, anchor, fragment, headings

from labkit.course.workspace import make_workspace

ENTRIES = [symptom for group in groups() for symptom in group.symptoms]
LINK = re.compile(r"\]\(([^)\s]+)\)")
PAGES = [SYMPTOMS, GLOSSARY, CHEATSHEET]
LESSONS = sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))


def title_of(symptom):
    return symptom.title


# ---- links ----


def links(page):
    """Return the targets of a page that lie beside it: each a file and a decoded fragment."""
    found = []
    for address in LINK.findall(page.read_text(encoding="utf-8")):
        if not address.startswith("http"):
            file, _, part = address.partition("#")
            found.append((file, urllib.parse.unquote(part)))
    return found


def ids(text):
    """Return the ids that JupyterLab gives to the headings of a page."""
    found = re.findall(r"^#{1,6} (.+)$", text, re.MULTILINE)
    return {urllib.parse.unquote(fragment(heading.replace("\\", ""))[1:]) for heading in found}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_link_leads_to_a_file_and_to_a_heading_in_it(page):
    own = ids(page.read_text(encoding="utf-8"))
    for file, part in links(page):
        assert not file or (page.parent / file).exists(), file
        if not part:
            continue
        if file.endswith(".ipynb"):
            known = {urllib.parse.unquote(anchor(file, one)[1:]) for one in headings(file)}
        else:
            known = own if not file else ids((page.parent / file).read_text(encoding="utf-8"))
        assert part in known, f"{file or page.name} has no heading {part!r}"


def test_the_pages_are_in_the_learners_folder_and_lead_somewhere_there(tmp_path):
    make_workspace(NOTEBOOKS, tmp_path)
    for page in PAGES:
        for file, _ in links(page):
            assert (tmp_path / file).exists(), f"{page.name}: {file}"
    assert (tmp_path / "images" / index_pages.FLOW.name).exists()


def test_titles_are_unique_as_they_are_what_links_lead_to():
    titles = [group.title for group in groups()] + [symptom.title for symptom in ENTRIES]
    assert len({fragment(title) for title in titles}) == len(titles)


def test_the_picture_has_the_same_words_as_the_list_and_a_ground():
    svg = index_pages.FLOW.read_text(encoding="utf-8")
    page = SYMPTOMS.read_text(encoding="utf-8")
    for branch in index_pages.branches():
        assert branch.see in svg
        for say, notebook in branch.leaves:
            assert say in svg
            assert f"  - {say}: [" in page
            assert f"{say}, lesson {notebook[:2]}" in page
    assert 'fill="#ffffff"' in svg and "<title" in svg


# ---- error texts ----


def plain(text):
    """Return a text without backticks and with single spaces."""
    return " ".join(text.replace("`", "").split())


@pytest.fixture(scope="module")
def shown():
    """Return all code and all outputs of the stored notebooks, as one text."""
    texts = []
    for path in sorted(NOTEBOOKS.rglob("*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] != "code":
                continue
            texts.append(joined(cell["source"]))
            for output in cell["outputs"]:
                data = output.get("data", {})
                texts.append(joined(output.get("text", data.get("text/plain", ""))))
    return plain("\n".join(texts))


def pieces(text):
    """Return the pieces of an error text between those that differ."""
    return [plain(piece) for piece in text.split("…") if piece.strip()]


@pytest.mark.parametrize("symptom", [one for one in ENTRIES if one.today], ids=title_of)
def test_an_error_text_of_today_is_shown_in_a_notebook_or_raised_here(symptom, shown):
    """The first text may be raised by the lines before, or come from TensorFlow's own log."""
    is_raised = bool(symptom.raises or symptom.warns or symptom.log)
    for text in symptom.today[1 if is_raised else 0 :]:
        for piece in pieces(text):
            assert piece in shown


def test_an_old_text_names_its_version_and_a_thread():
    for symptom in ENTRIES:
        for text in symptom.old:
            assert text.seen and text.source.startswith("https://github.com/"), text


def test_the_page_says_what_people_say():
    page = SYMPTOMS.read_text(encoding="utf-8")
    for symptom in ENTRIES:
        for text in (*symptom.said, *symptom.today, *(old.text for old in symptom.old)):
            assert text in page
        assert symptom.means.endswith(".") and symptom.means[0] in symptom.means[0].upper() + "`"


# ---- the lines to change ----


@pytest.mark.parametrize("symptom", ENTRIES, ids=title_of)
def test_the_lines_to_change_are_python_and_few(symptom):
    for lines in (symptom.wrong, symptom.right):
        ast.parse(lines)
        assert len([line for line in lines.splitlines() if line.strip()]) <= 9
        assert all(len(line) <= 100 for line in lines.splitlines())
    assert symptom.right or not symptom.wrong


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """Return the names that the lines take for granted; the working folder holds saved models."""
    import concurrent.futures
    import functools
    import multiprocessing
    import threading
    import zipfile

    import keras
    import numpy as np
    import tensorflow as tf

    import labkit as lab

    rng = np.random.default_rng(0)
    rows = rng.random((100, 20), dtype="float32")
    labels = rng.random((100, 1), dtype="float32")

    def made():
        layers = [keras.layers.Dense(8, activation="relu"), keras.layers.Dense(1)]
        return keras.Sequential([keras.Input((20,)), *layers])

    model, other = made(), made()
    folder = tmp_path_factory.mktemp("scene")
    before = os.getcwd()
    os.chdir(folder)
    model.save("model.keras")
    model.export("model", verbose=False)
    tf.saved_model.save(model, "by_tf")
    compiled = made()
    compiled.compile("sgd", "mse")
    compiled.save("my_model.h5")
    lite = tf.lite.TFLiteConverter.from_saved_model("model").convert()
    loaded = tf.saved_model.load("by_tf")
    score = loaded.signatures["serving_default"]
    (name,) = score.structured_input_signature[1]
    optimizer = keras.optimizers.Adam()

    def step(batch, labels):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((model(batch) - labels) ** 2)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return loss

    def batches():
        yield from (rows[i : i + 8] for i in range(0, 32, 8))

    names = {
        "__name__": "__main__",  # classes made there are registered under their names, as usual
        **{"ProcessPoolExecutor": concurrent.futures.ProcessPoolExecutor},
        **{"ThreadPoolExecutor": concurrent.futures.ThreadPoolExecutor},
        **{"batches": batches, "gc": gc, "functools": functools, "keras": keras, "lab": lab},
        **{"labels": labels, "lite": lite, "loaded": loaded, "losses": [0.1, 0.2]},
        **{"model": model, "multiprocessing": multiprocessing, "name": name, "np": np},
        **{"optimizer": optimizer, "os": os, "other": other, "row": rows[:1], "rows": rows},
        **{"score": score, "step": step, "tf": tf, "threading": threading, "time": time},
        **{"trained": np.ones((20, 1)), "zipfile": zipfile},
    }
    yield names
    os.chdir(before)


def prepared(scene):
    """Return names of their own for the lines of one entry."""
    tf = scene["tf"]
    interpreter = tf.lite.Interpreter(model_content=scene["lite"])
    interpreter.allocate_tensors()
    return {**scene, "interpreter": interpreter}


def run(lines, scene, tmp_path):
    """Run lines from a file, where AutoGraph finds their source."""
    path = tmp_path / "lines.py"
    path.write_text(lines, encoding="utf-8")
    exec(compile(lines, str(path), "exec"), prepared(scene))


def those(choose):
    """Return the entries for which `choose` is true."""
    return [symptom for symptom in ENTRIES if choose(symptom)]


@pytest.mark.parametrize("symptom", those(lambda one: one.raises), ids=title_of)
def test_the_lines_before_raise_the_text_of_today(symptom, scene, tmp_path):
    with pytest.raises(Exception) as caught:
        run(symptom.wrong, scene, tmp_path)
    assert symptom.raises in {kind.__name__ for kind in type(caught.value).__mro__}
    message = plain(str(caught.value))
    wanted = [symptom.expected] if symptom.expected else pieces(symptom.today[0])
    assert all(plain(piece) in message for piece in wanted), message


@pytest.mark.parametrize("symptom", those(lambda one: one.warns), ids=title_of)
def test_the_lines_before_warn_with_the_text_of_today(symptom, scene, tmp_path):
    seen = []
    logger = scene["tf"].get_logger()
    handler = logging.Handler()
    handler.emit = lambda record: seen.append(record.getMessage())
    level = logger.level
    logger.setLevel(logging.WARNING)
    logger.addHandler(handler)
    try:
        run(symptom.wrong, scene, tmp_path)
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
    for piece in pieces(symptom.today[0]):
        assert piece in plain(" ".join(seen))


@pytest.mark.parametrize("symptom", those(lambda one: one.right and one.run), ids=title_of)
def test_the_lines_after_run(symptom, scene, tmp_path, capfd):
    run(symptom.right, scene, tmp_path)


# ---- the glossary ----


@pytest.mark.parametrize("term", terms(), ids=lambda term: term.name)
def test_a_term_occurs_in_the_lesson_that_explains_it(term):
    book = json.loads((NOTEBOOKS / term.notebook).read_text(encoding="utf-8"))
    text = " ".join(joined(cell["source"]) for cell in book["cells"])
    assert any(word.lower() in text.lower() for word in term.words)
    assert term.means.endswith(".") and term.heading in headings(term.notebook)
    assert len(re.findall(r"[.:] [A-Z`]", term.means)) <= 2, "one or two sentences"


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_the_first_use_of_a_term_is_linked(path):
    book = json.loads(path.read_text(encoding="utf-8"))
    left = [f"cell {use.cell}: {use.term.name}" for use in missing(book, number_of(path))]
    assert not left, f"run: tools/glossary_links.py {path.name}\n" + "\n".join(left)


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_term_is_linked_once(path):
    book = json.loads(path.read_text(encoding="utf-8"))
    text = "\n".join(joined(cell["source"]) for cell in book["cells"])
    found = re.findall(rf"\]\(({re.escape(GLOSSARY.name)}#[^)]+)\)", text)
    assert len(found) == len(set(found))
    assert set(found) <= {target(term) for term in terms()}


BOOK = """# Title about a trace

## What you will learn

`trace` and **traces** in a [trace](x.ipynb), a concrete function's graph, re-trace, trace.py.

| a trace |
|---|

<details>a replay</details>

A *concrete function*, and the graph of a graph: retracing.
"""


def book_of(text):
    cells = [{"cell_type": "markdown", "source": part} for part in ("# First\n", text)]
    return {"cells": cells}


def test_the_first_use_in_running_text_gets_the_link():
    book = book_of(BOOK)
    words = len(re.findall(r"\w[\w'’.-]*", re.sub(r"\]\([^)]*\)", " ", BOOK)))
    assert insert(book, "03") == 4
    text = joined(book["cells"][1]["source"])
    assert "**[traces](GLOSSARY.md#trace)** in a [trace](x.ipynb)" in text
    assert "a concrete function's [graph](GLOSSARY.md#graph), re-trace, trace.py." in text
    assert "A *[concrete function](GLOSSARY.md#concrete-function)*, and the graph" in text
    assert "[retracing](GLOSSARY.md#retrace)." in text
    assert len(re.findall(r"\w[\w'’.-]*", re.sub(r"\]\([^)]*\)", " ", text))) == words
    assert insert(book, "03") == 0
    assert all(use.is_linked for use in first_uses(book, "03"))


def test_a_mask_keeps_the_places():
    assert len(text_only(BOOK)) == len(BOOK)


# ---- the cheat sheet ----


def test_the_numbers_of_the_ladder_are_those_of_the_stored_picture():
    stored = times(index_pages.caption(*index_pages.LADDER))
    page = CHEATSHEET.read_text(encoding="utf-8")
    for shown_time, _ in stored.values():
        assert f"| {shown_time} |" in page


def test_times_are_read_from_a_caption():
    text = "Time per call: predict ≈79.6 ms, model(x) ≈7.23 ms, LiteRT ≈6.84 µs."
    found = times(text)
    assert found["model(x)"] == ("≈7.23 ms", 0.00723)
    assert list(found) == ["predict", "model(x)", "LiteRT"]
    assert (significant(11_637), significant(63.42), significant(4.5)) == ("11,600", "63.4", "4.5")


def test_it_fits_two_printed_pages():
    """Counted in words and lines of tables; a browser printed it on two pages of A4."""
    text = LINK.sub("]", CHEATSHEET.read_text(encoding="utf-8"))
    assert len(text.split()) < 1050
    assert text.count("\n|") < 50
