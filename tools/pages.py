"""Bring the generated parts of the pages up to date: `make pages`; a test checks that they are.

- README.md: the badges, the map of the lessons, from the first cell of each, and the tables of the
  benchmarks of `labkit.compare`, which lesson 01 shows as well;
- lesson 15: the tables of the benchmark of servers;
- notebooks/README.md: the same map, for those who read the folder;
- labkit/README.md: the parts and the public names of labkit, from their docstrings;
- environment.yml: the packages of the lock, see conda_file.py;
- notebooks/CLAIMS.md as a whole, see claims_page.py;
- notebooks/SYMPTOMS.md, GLOSSARY.md and CHEATSHEET.md as a whole, see index_pages.py;
- teaching/: the minutes of each lesson and the plans of workshops, see teaching_pages.py.
"""

import importlib
import inspect
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import claims_page
import conda_file
import index_pages
import teaching_pages

import labkit
from labkit import own_model
from labkit.course.files import write_atomically
from labkit.course.start_page import read_lesson

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
FOLDER = ROOT / "notebooks" / "README.md"
NAMES = ROOT / "labkit" / "README.md"
LESSON_01 = ROOT / "notebooks" / "01_measure_honestly.ipynb"
LESSON_15 = ROOT / "notebooks" / "15_more_than_one_process.ipynb"
BENCHMARKS = ROOT / "tools" / "benchmarks"
# The tables of the benchmarks, by the name of the comments between which they stand.
TABLES = {
    "trust": BENCHMARKS / "measurement_trust.md",
    "unlike": BENCHMARKS / "unlike_code.md",
    "coverage": BENCHMARKS / "coverage.md",
    "intervals": BENCHMARKS / "intervals.md",
}
IN_README = ("trust", "unlike", "coverage")
SERVING = BENCHMARKS / "serving.md"
LEVEL = re.compile(r"level (\S+)")


def pages() -> dict[Path, str]:
    """Return the current text of each page that has generated parts."""
    tables = {name: path.read_text(encoding="utf-8").strip() for name, path in TABLES.items()}

    readme = README.read_text(encoding="utf-8")
    readme = fill(readme, "badges", badges(project()))
    readme = fill(readme, "lessons", lesson_map("notebooks/"))
    for name in IN_README:
        readme = fill(readme, name, tables[name])

    folder = FOLDER.read_text(encoding="utf-8")
    folder = fill(folder, "lessons", lesson_map())

    names = NAMES.read_text(encoding="utf-8")
    names = fill(names, "parts", parts())
    names = fill(names, "names", table_of_names(labkit))
    names = fill(names, "own_model", table_of_names(own_model))

    serving = SERVING.read_text(encoding="utf-8").strip()

    return {
        README: readme,
        FOLDER: folder,
        NAMES: names,
        LESSON_01: with_tables(LESSON_01, tables),
        LESSON_15: with_tables(LESSON_15, {"serving": serving}),
        claims_page.PAGE: claims_page.page(),
        conda_file.PAGE: conda_file.page(),
        **index_pages.pages(),
        **filled(teaching_pages.pages()),
    }


def filled(parts_of: dict[Path, dict[str, str]]) -> dict[Path, str]:
    """Return the text of each page, with what stands between the comments of which name."""
    found = {}
    for page, contents in parts_of.items():
        text = page.read_text(encoding="utf-8")
        for name, content in contents.items():
            text = fill(text, name, content)
        found[page] = text
    return found


def fill(text: str, name: str, content: str) -> str:
    """Return `text` with `content` between the two comments of that name."""
    begin = f"<!-- {name} -->\n"
    end = f"<!-- /{name} -->"
    if text.count(begin) != 1 or text.count(end) != 1:
        raise ValueError(f"the comments {begin.strip()} and {end} must both occur once")
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    return f"{before}{begin}{content}\n{end}{after}"


def with_tables(lesson: Path, tables: dict[str, str]) -> str:
    """Return the text of a lesson with the tables in its cells."""
    book = json.loads(lesson.read_text(encoding="utf-8"))
    for name, table in tables.items():
        fill_cell(book, name, table)
    return json.dumps(book, indent=1, ensure_ascii=False) + "\n"


def fill_cell(book: dict[str, Any], name: str, content: str) -> None:
    """Fill the one cell of a notebook that has the comments of that name."""
    for cell in book["cells"]:
        source = "".join(cell["source"])
        if f"<!-- {name} -->" in source:
            cell["source"] = fill(source, name, content).splitlines(keepends=True)
            return
    raise ValueError(f"no cell has the comment <!-- {name} -->")


def lesson_map(folder: str = "") -> str:
    """Return the table of the lessons, from their first cells; links begin with `folder`."""
    lines = ["| lesson | the question it opens with | minutes | level |", "|---|---|---|---|"]
    for path in claims_page.lessons():
        lesson = read_lesson(path, path.name)
        first_cell = "".join(json.loads(path.read_text(encoding="utf-8"))["cells"][0]["source"])
        level = LEVEL.search(first_cell)
        if lesson.minutes is None or level is None or not lesson.question:
            raise ValueError(
                f"the first cell of {path.name} does not give its question, minutes and level"
            )
        link = f"{lesson.number} [{lesson.title}]({folder}{path.name})"
        lines.append(f"| {link} | {lesson.question} | {lesson.minutes} | {level[1]} |")
    return "\n".join(lines)


def project() -> dict[str, Any]:
    """Return what pyproject.toml says."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def badges(settings: dict[str, Any]) -> str:
    """Return the links that open the course in the browser; none without an address on GitHub."""
    address = settings["project"].get("urls", {}).get("Repository", "")
    name = re.fullmatch(r"https://github\.com/([\w.-]+/[\w.-]+?)(?:\.git)?/?", address)
    if name is None:
        return ""
    binder = f"https://mybinder.org/v2/gh/{name[1]}/HEAD?urlpath=lab/tree/README.md"
    codespaces = f"https://codespaces.new/{name[1]}"
    return (
        f"[![Open on Binder](https://mybinder.org/badge_logo.svg)]({binder})\n"
        f"[![Open in Codespaces](https://github.com/codespaces/badge.svg)]({codespaces})"
    )


def parts() -> str:
    """Return the table of the parts of labkit, from the lowest to the highest."""
    layers = project()["tool"]["importlinter"]["contracts"][0]["layers"]
    lines = ["| part | what it holds |", "|---|---|"]
    for name in reversed(layers):
        if name == "labkit.__main__":
            lines.append("| [`__main__.py`](__main__.py) | The commands: `python -m labkit ...` |")
            continue
        folder = name.removeprefix("labkit.")
        summary = summary_of(importlib.import_module(name))
        lines.append(f"| [`{folder}/`]({folder}) | {summary} |")
    return "\n".join(lines)


def table_of_names(package: Any) -> str:
    """Return the table of the public names of a package: what each is for, and where it is."""
    lines = ["| name | what it does | where |", "|---|---|---|"]
    for name in package.__all__:
        thing = getattr(package, name)
        if isinstance(thing, tuple):
            values = ", ".join(f"`{value}`" for value in thing)
            lines.append(f"| `{name}` | A constant: {values} | |")
            continue
        link = link_to(thing)
        lines.append(f"| `{name}` | {escaped(summary_of(thing))} | {link} |")
    return "\n".join(lines)


def summary_of(thing: Any) -> str:
    """Return the first paragraph of a docstring, in one line."""
    documentation = inspect.getdoc(thing) or ""
    paragraph = documentation.split("\n\n")[0]
    return " ".join(paragraph.split())


def link_to(thing: Any) -> str:
    """Return a link from labkit/README.md to the module that defines `thing`."""
    source = inspect.getsourcefile(thing)
    assert source is not None
    path = Path(source).relative_to(NAMES.parent).as_posix()
    return f"[{path}]({path})"


def escaped(text: str) -> str:
    """Return `text` for a cell of a Markdown table: one backtick and no pipe."""
    return text.replace("``", "`").replace("|", "\\|")


def main() -> None:
    """Write the pages that are not current."""
    for page, text in pages().items():
        if not page.exists() or page.read_text(encoding="utf-8") != text:
            write_atomically(page, text)
            print(f"{page.relative_to(ROOT)}: brought up to date")


if __name__ == "__main__":
    main()
