"""A course of two small lessons, for the tests of the workspace and of the commands."""

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

START = "00_start_here.ipynb"
LOOP = "02_loop.ipynb"
TRIAL = "trials/an_article.ipynb"


def lesson(text="Guess.", setup="print('ran')", check="02.1"):
    """Return a lesson as the course has it: executed, with solutions."""
    output = [new_output("stream", text="ran\n")]
    return new_notebook(
        cells=[
            new_markdown_cell(f"# Loop\n\n**Why is it slow?**\n\n{text}\n\n**40 minutes** · next"),
            new_markdown_cell("## Setup"),
            new_code_cell(setup, execution_count=1, outputs=output),
            new_markdown_cell("## Your turn"),
            new_code_cell("f = ...", metadata={"tags": ["exercise"]}, execution_count=2),
            new_code_cell("f = len", metadata={"tags": ["solution"]}, execution_count=3),
            new_markdown_cell("The solution, told", metadata={"tags": ["solution"]}),
            new_code_cell(f'lab.check("{check}", f)', execution_count=4),
        ]
    )


def make_course(folder):
    """Make the course; return its folder and that of the learner, which does not exist yet."""
    source = folder / "notebooks"
    (source / "images").mkdir(parents=True)
    (source / "images" / "loop.png").write_bytes(b"an image")
    (source / "images" / "notes.txt").write_text("not an image", encoding="utf-8")
    (source / "CLAIMS.md").write_text("# The claims", encoding="utf-8")
    (source / "README.md").write_text("# The lessons", encoding="utf-8")
    write(lesson(check="00.1"), source / START)
    write(lesson(), source / LOOP)
    return source, folder / "my work space"


def write(notebook, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)


def edit(path, cell=0, text="My own words."):
    """Change the text of a cell, as a learner does; return the file's new content."""
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[cell].source = text
    nbformat.write(notebook, path)
    return path.read_bytes()


def run(path, *cells):
    """Give cells results, as a learner does who runs them; return the file's new content."""
    notebook = nbformat.read(path, as_version=4)
    for count, cell in enumerate(cells, start=1):
        notebook.cells[cell].outputs = [new_output("stream", text=f"result {count}\n")]
        notebook.cells[cell].execution_count = count
    nbformat.write(notebook, path)
    return path.read_bytes()
