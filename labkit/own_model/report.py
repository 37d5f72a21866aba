"""Write a diagnosis as one HTML file that needs no other file: advice, figures, tables, machine."""

import base64
import datetime
import os
from collections.abc import Callable
from pathlib import Path

import jinja2
from markupsafe import Markup

from ..course.files import write_atomically
from ..measure.system import machine_facts
from ..show import stop
from ..show.figure import Figure
from ..show.format import duration
from ..show.table import Table
from . import pictures, tables
from .advice import advise
from .litert import interpreter_class
from .measurements import Measurements
from .paths import BadModel

_TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,  # names of files, inputs and classes come from the learner's model
    undefined=jinja2.StrictUndefined,
    keep_trailing_newline=True,
)

_TITLE = "<title>What to do with "  # by which a report is known
_HEAD = 1000  # characters in which the title is


def machine() -> dict[str, str]:
    """Return what a measurement depends on: date, machine, load, versions, and whose LiteRT."""
    facts = {"date": datetime.date.today().isoformat()}
    for name, value in machine_facts().items():
        facts["load before" if name == "load" else name] = value
    try:
        _, package = interpreter_class()
        facts["LiteRT"] = f"the interpreter of {package}"
    except ImportError as error:
        facts["LiteRT"] = str(error)
    return facts


def page(m: Measurements) -> str:
    """Return the report as HTML: one page without scripts, other files or network addresses."""
    figures = [_embedded(pictures.ladder_figure, m)]
    if m.many:
        figures.append(_embedded(pictures.per_row_figure, m))
    template = _TEMPLATES.get_template("report.html.j2")
    return template.render(
        name=m.name,
        advice=advise(m),
        figures=figures,
        tables=_tables(m),
        facts=m.facts,
        machine=m.machine,
        tolerance=f"{m.tolerance:g}",
        seconds=duration(m.seconds),
        budget=f"{m.budget:g}",
    )


def summary(m: Measurements) -> str:
    """Return tables and advice as HTML, for the output of a cell."""
    template = _TEMPLATES.get_template("summary.html.j2")
    return template.render(conditions=m.conditions, advice=advise(m), tables=_tables(m))


def _tables(m: Measurements) -> list[Markup]:
    """Return the tables as HTML."""
    shown: list[Table] = [tables.ladder_table(m)]
    if m.many:
        shown.append(tables.per_row_table(m))
    return [Markup(table._repr_html_()) for table in shown]


def _embedded(draw: Callable[[Measurements], Figure], m: Measurements) -> dict[str, str]:
    """Draw a figure; return its caption and the image as text."""
    with stop.deferred():
        figure = draw(m)
        return {"caption": figure.caption, "png": base64.b64encode(figure.png()).decode()}


def check_target(path: str | os.PathLike) -> Path:
    """Return the path of a report; raise BadModel if none can be written there.

    This is called before minutes are spent on measuring.
    """
    target = Path(path).expanduser()
    folder = target.parent
    if target.is_dir():
        raise BadModel(
            f"the report {target.name} would replace a folder:"
            " give the name of a file, such as report.html"
        )
    if target.exists() and not _is_report(target):
        raise BadModel(
            f"the report would replace {target.name}, which is not a report: give another name"
        )
    if not folder.is_dir():
        raise BadModel(
            f"the report cannot be written: there is no folder {folder.name}; make it first"
        )
    if not os.access(folder, os.W_OK):
        raise BadModel(
            f"the report cannot be written: the folder {folder.name or '.'} is read-only"
        )
    return target


def _is_report(path: Path) -> bool:
    """Return whether a file is the report of some model."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return _TITLE in file.read(_HEAD)
    except OSError:
        return False


def write(text: str, path: str | os.PathLike) -> Path:
    """Write a report, also in place of an older one, and return its path; or raise BadModel."""
    target = check_target(path)
    try:
        write_atomically(target, text)
    except OSError as error:
        reason = error.strerror or error
        raise BadModel(f"the report {target.name} cannot be written: {reason}") from None
    return target
