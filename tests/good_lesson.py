"""A lesson, built in memory, that violates no rule of the contract; tests spoil one thing of it."""

import copy

from contract import SECTIONS, Lesson

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


QUOTATION = "> A quotation may just shout! And `code!` simply may, too."
EXERCISE = 'def answer(rows):\n    """Return one prediction for each row, in one call."""\n    ...'
SOLUTION = {"jupyter": {"source_hidden": True}}
# What a good lesson has in its sections, beside a text.
CONTENT = {
    "Setup": [
        code("import labkit as lab\n\nlab.setup()", outputs=[stream("Python 3\n")]),
        code("from labkit import own_model"),
    ],
    "First round": [
        code("with tf.device('/CPU:0'):\n    cost = model(rows)", outputs=[picture()]),
        code(
            "cost", outputs=[result('<p>I/O: <img alt="a > b" src="data:image/png;base64,/tmp/">')]
        ),
        code("model.summary()", "nbval-ignore-output"),
        code("lab.compare(a=a).plot(), lab.models.mlp().name, own_model.form()"),
    ],
    "Your turn": [
        text("### An exercise\n\n" + WORDS),
        code(EXERCISE, "exercise"),
        code('lab.check("02.1", answer)'),
        code("def answer(rows):\n    return model(rows)", "solution", **SOLUTION),
    ],
    "Recap": [
        text("| situation | do |\n|---|---|\n" + "| many rows | one call |\n" * 50 + WORDS * 8),
    ],
    "Check yourself": [
        text(f"{WORDS}\n\n<details><summary>Answer</summary>{WORDS * 10}</details>"),
    ],
    "Further reading": [
        text(f"[a](01_first.ipynb#setup) [b](https://example.org) [c](#setup) `f[0](x)` {WORDS}"),
    ],
}


def good(folder, name="02_loop.ipynb"):
    """Return a lesson that violates no rule; its neighbours are written to `folder`."""
    for neighbour in ("01_first.ipynb", "03_third.ipynb"):
        (folder / neighbour).touch()
    neighbours = "[before](01_first.ipynb) · [next](03_third.ipynb)"
    if name.startswith("00"):
        neighbours = "[next](01_first.ipynb)"
    title = f"# Loop over rows\n\n{WORDS} Why is `a != b`?\n\n"
    cells = [text(f"{title}**25 minutes** · first steps · {neighbours}")]
    for section in [*SECTIONS[:4], "First round", "Second round", *SECTIONS[4:]]:
        cells.append(text(f"## {section}\n\n{WORDS}\n\n{QUOTATION}"))
        cells.extend(copy.deepcopy(CONTENT.get(section, [])))

    count = 0
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
        if cell["cell_type"] == "code":
            count += 1
            cell["execution_count"] = count
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3 (ipykernel)"}}
    raw = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    return Lesson(folder / name, raw)


def at(raw, start):
    """Return the first cell whose source begins so."""
    for cell in raw["cells"]:
        if cell["source"].startswith(start):
            return cell
    raise ValueError(start)
