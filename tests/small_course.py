"""A course of two small lessons, for the tests of the workspace and of the commands."""

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

START = "00_start_here.ipynb"
LOOP = "02_loop.ipynb"


def lesson(text="Guess."):
    output = [new_output("stream", text="ran\n")]
    return new_notebook(
        cells=[
            new_markdown_cell(f"# Loop\n\n{text}"),
            new_code_cell("print('ran')", execution_count=1, outputs=output),
            new_code_cell("f = ...", metadata={"tags": ["exercise"]}, execution_count=2),
            new_code_cell("f = len", metadata={"tags": ["solution"]}, execution_count=3),
            new_markdown_cell("The solution, told", metadata={"tags": ["solution"]}),
        ]
    )


def make_course(folder):
    """Make the course; return its folder and that of the learner, which does not exist yet."""
    source = folder / "notebooks"
    (source / "images").mkdir(parents=True)
    (source / "images" / "loop.png").write_bytes(b"an image")
    (source / "images" / "notes.txt").write_text("not an image", encoding="utf-8")
    (source / "CLAIMS.md").write_text("# The claims", encoding="utf-8")
    nbformat.write(lesson(), source / START)
    nbformat.write(lesson(), source / LOOP)
    return source, folder / "my work space"


def edit(path, cell=0, text="My own words."):
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[cell].source = text
    nbformat.write(notebook, path)
    return path.read_bytes()
