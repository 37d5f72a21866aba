"""Write what was measured as one HTML file that needs no other: words, pictures, tables, versions, machine."""

import base64
import contextlib
import datetime
import html
import importlib.metadata
import os
import platform
from pathlib import Path
from typing import Any

from ..measure.system import cores
from ..show.figure import (
    COLOURS,
    Figure,
    label_line_ends,
    new_axes,
    plain_log_axis,
    style,
    with_course_style,
)
from ..show.format import duration, time_unit
from .litert import interpreter_class
from .paths import BadModel

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#111;background:#fff}
h1,h2{line-height:1.2} table{border-collapse:collapse;margin:1rem 0} figure{margin:1rem 0} li{margin:.6rem 0}
th,td{padding:.3rem .8rem;border-bottom:1px solid #ccc} img{max-width:100%;height:auto}
.because{display:block;color:#444;font-size:.9rem}
figcaption{font-style:italic} .wide{overflow-x:auto}
"""


@with_course_style
def ladder_picture(d: Any) -> Figure:
    """Answer how far apart the ways are, and what the first call of each costs: one row each on a log axis.

    Parameters
    ----------
    d : Diagnosis
        What was measured.

    Returns
    -------
    Picture
        With its sentence.
    """
    medians, firsts = d.medians, d.first_calls
    fig, ax = new_axes(1.6 + 0.55 * len(medians), 8.4)
    unit, size = time_unit(m.value for m in medians.values())
    for y, (name, m) in enumerate(reversed(medians.items())):
        low, high = max(m.low, m.value / 100), min(m.high, m.value * 100)
        ax.plot(
            [low / size, high / size], [y, y], color=COLOURS[0], linewidth=4, solid_capstyle="butt"
        )
        ax.plot(m.value / size, y, marker="o", markersize=9, color=COLOURS[0])
        ax.plot(
            firsts[name] / size,
            y,
            marker="D",
            markersize=8,
            color=COLOURS[1],
            markerfacecolor="white",
        )
        ax.annotate(
            duration(m.value), (m.value / size, y), (0, 9), textcoords="offset points", ha="center"
        )
    ax.plot([], [], marker="o", color=COLOURS[0], linestyle="none", label="each later call")
    ax.plot(
        [],
        [],
        marker="D",
        color=COLOURS[1],
        markerfacecolor="white",
        linestyle="none",
        label="the first, from nothing",
    )
    ax.legend(
        loc="upper center", bbox_to_anchor=(0.5, 1 + 0.9 / len(medians)), ncols=2, frameon=False
    )
    ax.set_xscale("log")
    ax.set_ylim(-0.5, len(medians) - 0.3)
    ax.margins(x=0.12)
    plain_log_axis(ax.xaxis)
    ax.set_yticks(range(len(medians)), list(reversed(medians)))
    ax.set_xlabel(f"time per call with {d.rows}, in {unit}")
    ax.grid(axis="x", alpha=0.25)
    said = ", ".join(f"{name} {duration(m.value)}" for name, m in medians.items())
    return Figure(fig, f"Time per call with {d.rows}: {said}.")


@with_course_style
def many_picture(d: Any) -> Figure | None:
    """Answer what a row costs when several are sent together: time per row against rows per call.

    Parameters
    ----------
    d : Diagnosis
        What was measured.

    Returns
    -------
    Picture or None
        None when there is one batch size only.
    """
    lines = d.per_row
    if not lines:
        return None
    fig, ax = new_axes(4.0)
    unit, size = time_unit(v for line in lines.values() for v in line.values())
    said, ends = [], {}
    for i, (name, line) in enumerate(lines.items()):
        x = sorted(line)
        ax.plot(x, [line[n] / size for n in x], **style(i))
        ends[name] = x[-1], line[x[-1]] / size
        said.append(
            f"{name} from {duration(line[x[0]])} at {x[0]} to {duration(line[x[-1]])} at {x[-1]}"
        )
    sizes = sorted({n for line in lines.values() for n in line})
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xticks(sizes, [f"{n:,}" for n in sizes])
    ax.minorticks_off()
    plain_log_axis(ax.yaxis)
    ax.set_xlabel("rows per call")
    ax.set_ylabel(f"time per row in {unit}")
    ax.grid(alpha=0.25)
    label_line_ends(ax, ends)
    return Figure(fig, f"Time per row against rows per call: {'; '.join(said)}.")


def machine() -> dict[str, str]:
    """Return what the measurement ran on: the figures mean nothing without it.

    Returns
    -------
    dict of str to str
        Processor, memory, load and versions. No name of a person, a machine or a folder.
    """
    import psutil

    found = {
        "date": datetime.date.today().isoformat(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": f"{cores()} for this process",
        "memory": f"{psutil.virtual_memory().total / 2**30:.1f} GiB",
        "load before": f"{psutil.getloadavg()[0]:.1f}",
        "Python": platform.python_version(),
    }
    for name in ("tensorflow", "keras", "numpy", "onnxruntime", "tf2onnx", "labkit"):
        for spelling in (name, f"{name}-cpu", f"{name}-intel", f"{name}-macos"):
            with contextlib.suppress(importlib.metadata.PackageNotFoundError):
                found.setdefault(name, importlib.metadata.version(spelling))
    try:
        found["LiteRT"] = f"the interpreter of {interpreter_class()[1]}"
    except ImportError as error:
        found["LiteRT"] = str(error)
    return found


def _processor() -> str:
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(
            line.partition(":")[2].strip() for line in lines if line.startswith("model name")
        )
    return platform.processor() or "unknown"


def page(d: Any) -> str:
    """Return the report as HTML.

    Parameters
    ----------
    d : Diagnosis
        What was measured.

    Returns
    -------
    str
        A whole page: no script, no other file, nothing from the network.
    """
    items = "".join(
        f'<li>{html.escape(a.text)} <span class="because">Measured: {html.escape(a.evidence)}</span></li>'
        for a in d.advice
    )
    pictures = "".join(_figure(p) for p in (ladder_picture(d), many_picture(d)) if p)
    facts = "".join(_row(*pair) for pair in d.facts.items())
    ran_on = "".join(_row(*pair) for pair in d.machine.items())
    tables = f"<div class=wide>{d.table._repr_html_()}</div>"
    if d.many:
        tables += f"<div class=wide>{d.many_table._repr_html_()}</div>"
    title = f"What to do with {html.escape(d.name)}"
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title><style>{_STYLE}</style></head><body>
<h1>{title}</h1>
<h2>Recommendation</h2><ol>{items}</ol>
<h2>Pictures</h2>{pictures}
<h2>Measurements</h2>{tables}
<h2>The model</h2><table>{facts}</table>
<h2>The machine</h2><table>{ran_on}</table>
<h2>How it was measured</h2>
<p>Each way got the same NumPy input and had to return NumPy numbers equal to those of model(x, training=False), to
{d.tolerance:g} of the largest value of an output. Then all were measured in turns, one short sample of each per
round, so that a busy machine slows all alike; predict, which is slow, in turns with model(x) alone. Figures are
medians; brackets hold the true value with 99 % confidence. The sign ≈ marks what was measured on this machine and
differs on another. It took {duration(d.seconds)} of {d.budget:g} s allowed.</p>
</body></html>
"""


def _row(name: str, value: str) -> str:
    return f'<tr><th scope="row" style="text-align:left">{html.escape(name)}</th><td>{html.escape(value)}</td></tr>'


def _figure(picture: Figure) -> str:
    source, words = (
        base64.b64encode(picture.png()).decode(),
        html.escape(picture.caption, quote=True),
    )
    return f'<figure><img alt="{words}" src="data:image/png;base64,{source}"><figcaption>{words}</figcaption></figure>'


def check_target(path: str | os.PathLike) -> Path:
    """Return where a report shall go, or say why it cannot: before minutes are spent on measuring.

    Parameters
    ----------
    path : path
        Of the HTML file.

    Returns
    -------
    Path
        The same.

    Raises
    ------
    BadModel
        The folder is not there, or the path is a folder.
    """
    target = Path(path).expanduser()
    if target.is_dir():
        raise BadModel(
            f"the report {target.name} would replace a folder: give the name of a file, such as report.html"
        )
    if not target.parent.is_dir():
        raise BadModel(
            f"the report cannot go into {target.parent.name}: there is no such folder; make it first"
        )
    if not os.access(target.parent, os.W_OK):
        raise BadModel(
            f"the report cannot be written: the folder {target.parent.name or '.'} is read-only"
        )
    return target


def write(text: str, path: str | os.PathLike) -> Path:
    """Write a file whole or not at all.

    Parameters
    ----------
    text : str
        What it shall hold.
    path : path
        Where; what is there is replaced.

    Returns
    -------
    Path
        The same path.

    Raises
    ------
    BadModel
        The disk is full, or the folder does not allow it.
    """
    target = check_target(path)
    fresh = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        fresh.write_text(text, encoding="utf-8")
        os.replace(fresh, target)
    except OSError as error:
        raise BadModel(
            f"the report {target.name} cannot be written: {error.strerror or error}"
        ) from None
    finally:
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)
    return target
