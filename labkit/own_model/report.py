"""Write a diagnosis as one HTML file that needs no other file: advice, figures, tables, machine."""

import base64
import datetime
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from ..course.files import write_atomically
from ..measure.system import machine_facts
from ..show import stop
from ..show.figure import Figure
from ..show.format import duration
from . import pictures, tables, usage
from .advice import advise, best_of
from .litert import interpreter_class
from .measurements import Measurements
from .paths import BadModel, refuse_target

_TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,  # names of files, inputs and classes come from the learner's model
    undefined=jinja2.StrictUndefined,
    keep_trailing_newline=True,
)

_MARK = '<meta name="generator" content="labkit own-model">'  # by which a report is known
_HEAD = 1000  # characters in which it is


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
    figures = [_embedded(lambda: pictures.ladder_figure(m))]
    if m.many:
        figures.append(_embedded(lambda: pictures.per_row_figure(m)))
    template = _TEMPLATES.get_template("report.html.j2")
    return template.render(
        name=m.name,
        advice=advise(m),
        figures=figures,
        tables=_tables(m),
        conditions=m.conditions,
        code=code_of(m),
        about_code=about_code(m),
        facts=m.facts,
        file=m.origin.facts if m.origin is not None else {},
        machine=m.machine,
        tolerance=f"{m.tolerance:g}",
        seconds=duration(m.seconds),
        budget=f"{m.budget:g}",
    )


def page_of_two(found: Any) -> str:
    """Return the report of a `ModelComparison` as HTML, like that of one model."""
    codes = []
    for letter, one, way in zip("AB", (found.a, found.b), found.ways, strict=True):
        code = usage.code_for(one.origin, way)
        if code:
            codes.append((letter, code, about_code(one, way)))
    return _TEMPLATES.get_template("two_models.html.j2").render(
        a=found.a,
        b=found.b,
        sentences=found.sentences,
        figures=[_embedded(found.comparison.plot)],
        tables=[Markup(found.table._repr_html_())],
        codes=codes,
        details=dict(found.details.cells),
        seconds=duration(found.seconds),
    )


def summary(m: Measurements) -> str:
    """Return tables and advice as HTML, for the output of a cell."""
    template = _TEMPLATES.get_template("summary.html.j2")
    return template.render(
        conditions=m.conditions,
        advice=advise(m),
        tables=_tables(m),
        code=code_of(m),
        about_code=about_code(m),
    )


def code_of(m: Measurements) -> str:
    """Return the program that calls the model through the best candidate; empty without one."""
    return usage.code_for(m.origin, best_of(m))


def about_code(m: Measurements, candidate: str = "") -> str:
    """Return the sentence above that program: which candidate it is, and which file it reads."""
    best = candidate or best_of(m)
    file = usage.needs_file(m.origin, best)
    text = f"The code that calls this model through {best}, with an input of zeros"
    if file:
        text += f"; --keep FOLDER, or diagnosis.keep(folder), writes the file {file} that it reads"
    return f"{text}:"


def _tables(m: Measurements) -> list[Markup]:
    """Return the tables as HTML."""
    return [Markup(table._repr_html_()) for table in tables.all_tables(m)]


def _embedded(draw: Callable[[], Figure]) -> dict[str, str]:
    """Draw a figure; return its caption and the image as text."""
    with stop.deferred():
        figure = draw()
        return {"caption": figure.caption, "png": base64.b64encode(figure.png()).decode()}


def default_name(*paths: str | os.PathLike) -> str:
    """Return the name of a report: after that of the model, so that two models have two.

    >>> default_name("models/price.keras"), default_name()
    ('report-price.html', 'report.html')
    >>> default_name("models/price.keras", "fast.h5")
    'report-price-fast.html'
    """
    stems = [Path(path).expanduser().resolve().stem for path in paths]
    return "-".join(["report", *(stem for stem in stems if stem)]) + ".html"


def check_target(
    path: str | os.PathLike, force: bool = True, sources: Iterable[object] = ()
) -> Path:
    """Return the path of a report; raise BadModel if none can be written there.

    This is called before minutes are spent on measuring. Without `force`, not even an older report
    is replaced. `sources` are the models: nothing is written into one of them.
    """
    if not str(path).strip():
        raise BadModel("no name was given for the report: give one, such as report.html")
    target = Path(path).expanduser()
    folder = target.parent
    if target.is_symlink() and not target.exists():
        raise BadModel(f"{target.name} is a link that leads nowhere: give another name")
    if target.is_dir():
        raise BadModel(
            f"the report {target.name} would replace a folder:"
            " give the name of a file, such as report.html"
        )
    if target.exists() and not _is_report(target):
        raise BadModel(
            f"the report would replace {target.name}, which is not a report: give another name"
        )
    refuse_target(target, sources)
    if target.exists() and not force:
        raise BadModel(
            f"there is a report {target.name} already: give another name with --output, or --force"
            " to replace it"
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
    if not path.is_file():  # a device or a pipe may have no end
        return False
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            head = file.read(_HEAD)
            return _MARK in head
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
