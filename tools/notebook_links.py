"""Links to the headings of stored notebooks, in the form that JupyterLab resolves."""

import functools
import json
import re
import urllib.parse
from pathlib import Path
from typing import Any

from contract import FENCED, joined

from labkit.course.start_page import read_lesson

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "notebooks"
HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*$", re.MULTILINE)
# What a fragment may hold as it is; Markdown needs brackets and quotes encoded.
SAFE = "?,:;=&!~+$"


def fragment(heading: str) -> str:
    """Return the fragment of a link to a heading: JupyterLab's id of it, encoded.

    >>> fragment("`tf.data` does not help (yet)")
    '#tf.data-does-not-help-%28yet%29'
    """
    text = re.sub(r"[`*]", "", heading).replace(" ", "-")
    return "#" + urllib.parse.quote(text, safe=SAFE)


def headings(name: str) -> tuple[str, ...]:
    """Return the headings of a notebook below notebooks/; none if it does not exist."""
    path = NOTEBOOKS / name
    if not path.exists():
        return ()
    state = path.stat()
    return _headings(path, state.st_mtime_ns, state.st_size)


@functools.lru_cache(maxsize=256)
def _headings(path: Path, modified: int, size: int) -> tuple[str, ...]:
    """Return the headings of a notebook, read once for each of its versions."""
    found: list[str] = []
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "markdown":
            found.extend(_headings_of(cell))
    return tuple(found)


def _headings_of(cell: dict[str, Any]) -> list[str]:
    """Return the headings of a Markdown cell."""
    return HEADING.findall(FENCED.sub("", joined(cell["source"])))


def title(name: str) -> str:
    """Return the number and the title of a notebook, such as *03 tf.function*."""
    number = Path(name).name.partition("_")[0]
    path = NOTEBOOKS / name
    if not path.exists():
        return f"lesson {number}"
    return f"{number} {read_lesson(path, name).title}"


def anchor(name: str, heading: str) -> str:
    """Return the fragment of a link to a heading of a notebook: the id of its cell.

    JupyterLab finds a cell also in a notebook that the link opens; of headings it knows only those
    that were drawn before.
    """
    return f"#cell-id={cell_of(name, heading)}"


def cell_of(name: str, heading: str) -> str:
    """Return the id of the cell of a notebook that has a heading."""
    for cell in json.loads((NOTEBOOKS / name).read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "markdown" and heading in _headings_of(cell):
            return str(cell["id"])
    raise ValueError(f"{name} has no heading {heading!r}")


def link(name: str, heading: str = "", words: str = "") -> str:
    """Return a link in Markdown to a notebook, or to a heading in it."""
    target = f"{name}{anchor(name, heading)}" if heading else name
    plain = re.sub(r"[`*]", "", heading)
    text = words or (f"{title(name)}, *{plain}*" if heading else title(name))
    return f"[{text}]({target})"
