"""A lesson, built in memory, that violates no rule of the contract; tests spoil one thing of it."""

import copy

from contract import COME_BACK, SECTIONS, Lesson

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
    encoded = "data:image/png;base64,/tmp/work/home/root="  # letters that any picture may have
    return result(f'<figure><img alt="{alt}" src="{encoded}"></figure>', plain)


def result(html, plain="a table"):
    data = {"text/html": html, "text/plain": plain}
    return {"output_type": "execute_result", "data": data, "metadata": {}, "execution_count": 1}


QUOTATION = "> A quotation may just shout! And `code!` simply may, too."
COMING_BACK = f"If a cell says `NameError`: {COME_BACK}. {WORDS}"
EXERCISE = 'def answer(rows):\n    """Return one prediction for each row, in one call."""\n    ...'
SOLUTION = "# Solution\ndef answer(rows):\n    return model(rows)"
COLLAPSED = {"jupyter": {"source_hidden": True}}
# What a good lesson has in its sections, beside a text.
CONTENT = {
    "Setup": [
        text(COMING_BACK),
        code("import labkit as lab\n\nlab.setup()", outputs=[stream("Python 3\n")]),
        code("from labkit import own_model"),
    ],
    "First round": [
        code("with tf.device('/CPU:0'):\n    cost = model(rows)", outputs=[picture()]),
        code(
            "cost", outputs=[result('<p>I/O: <img alt="a > b" src="data:image/png;base64,/tmp/">')]
        ),
        code("model.summary()", "nbval-ignore-output"),
        code('guess = lab.guess("How many times as long?", low=1, high=100)\nguess'),
        code("lab.compare(a=a).plot(guess=guess), lab.models.mlp().name, own_model.form()"),
        code("if guess.made:\n    print(f'{guess.value}; in all ≈{total:,} rounds')"),
        code("with lab.expect(AssertionError, 'no'):\n    lab.compare(a=a, b=b)"),
    ],
    "Your turn": [
        text("### An exercise\n\n" + WORDS),
        code(EXERCISE, "exercise"),
        code('lab.check("02.1", answer)'),
        code(SOLUTION, "solution", **COLLAPSED),
    ],
    "Recap": [
        text("| situation | do |\n|---|---|\n" + "| many rows | one call |\n" * 50 + WORDS * 8),
    ],
    "Check yourself": [
        text(f"{WORDS}\n\n<details><summary>Answer</summary>{WORDS * 10}</details>"),
        text(f"{WORDS}\n\n<details><summary>Answer</summary>{WORDS}</details>"),
    ],
    "In practice": [
        text(f"[a](01_first.ipynb#setup) [b](https://example.org) [c](#setup) `f[0](x)` {WORDS}"),
    ],
}


def good(folder, name="02_loop.ipynb", sections=SECTIONS):
    """Return a lesson that violates no rule; its neighbours are written to `folder`."""
    for neighbour in ("01_first.ipynb", "03_third.ipynb"):
        (folder / neighbour).touch()
    following = "03_third.ipynb"
    neighbours = f"[before](01_first.ipynb) · [next]({following})"
    if name.startswith("00"):
        following = "01_first.ipynb"
        neighbours = f"[next]({following})"
    title = f"# Loop over rows\n\n**Why is `a != b`?**\n\n{WORDS}\n\n"
    cells = [text(f"{title}**13 minutes** · first steps · {neighbours}")]
    for section in [*sections[:4], "First round", "Second round", *sections[4:]]:
        cells.append(text(f"## {section}\n\n{WORDS}\n\n{QUOTATION}"))
        cells.extend(copy.deepcopy(CONTENT.get(section, [])))
    cells.append(code(f'lab.progress("{name[:2]}")'))
    cells.append(text(f"Go on with [a lesson]({following}). {WORDS}"))

    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3 (ipykernel)"}}
    return Lesson(folder / name, notebook(cells, metadata))


def notebook(cells, metadata):
    """Return a notebook of these cells, with ids, as if it had been run."""
    count = 0
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
        if cell["cell_type"] == "code":
            count += 1
            cell["execution_count"] = count
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def at(raw, start):
    """Return the first cell whose source begins so."""
    for cell in raw["cells"]:
        if cell["source"].startswith(start):
            return cell
    raise ValueError(start)


# ---- changes that violate a rule ----


def change(start, old, new):
    """Return a change of the first cell that begins with `start`."""

    def apply(raw):
        cell = at(raw, start)
        assert old in cell["source"]
        cell["source"] = cell["source"].replace(old, new)

    return apply


def add(cell):
    """Return a change that adds a cell at the end."""
    return lambda raw: raw["cells"].append({**cell, "id": "added"})
