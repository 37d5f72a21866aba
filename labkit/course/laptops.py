"""Write the report of one laptop before a workshop, and make one table of those of all laptops."""

import hashlib
import json
import platform
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..measure.system import machine_facts
from ..show.format import duration, measured
from ..show.names import counted
from ..show.table import Table
from .checks import SYMBOLS, Check, without_folders
from .environment import Report
from .handed_in import (
    LAPTOP,
    HandedIn,
    named_apart,
    new_content,
    newest_of_each,
    number,
    one_line,
    read_folder,
    texts,
)

# What a laptop can be, the worst first.
_STATES = {"bad": "trouble", "note": "perhaps", "ok": "ready"}
# Findings after which no call can be tried.
_NEEDED = ("tensorflow", "keras", "numpy", "import", "machine")
_LOCK = Path(__file__).resolve().parents[2] / "requirements.lock"
_MARK = "labkit figures: "
_PROGRAM = "from labkit.course.laptops import print_figures; print_figures()"
_MOST_SECONDS = 300
_MOMENTARY = "load"  # what else ran at that minute says nothing about the day of the workshop
_SLOW = 4.0  # times the median call of all laptops: the lessons take noticeably longer there
_ENOUGH_FOR_A_MEDIAN = 4
_FIGURES = {
    "import_seconds": "import of TensorFlow",
    "call_seconds": "one direct call",
    "graph_seconds": "one call of its graph",
}
_SENTENCE = 300  # characters of a sentence that somebody else's machine has written


# ---- the report of one laptop ----


def laptop_report(report: Report, name: str = "", figures: bool = True) -> dict[str, Any]:
    """Return what a teacher needs to know of this laptop: no person and no folder is named.

    The calls of a small model are timed in a process of its own, as a TensorFlow that does not suit
    the processor ends the process that imports it.
    """
    findings = [_finding(check) for check in report.checks]
    measured_here: dict[str, float] = {}
    if figures and can_call(report):
        measured_here, failure = measure_figures()
        if failure:
            findings.append(failure)
    content = new_content(LAPTOP, name)
    content |= {
        "ready": all(finding["state"] != "bad" for finding in findings),
        "machine": _machine(),
        "course": course_version(),
        "findings": findings,
        "figures": measured_here,
    }
    return content


def course_version() -> str:
    """Return what tells one version of the packages from another: the beginning of a hash."""
    try:
        return hashlib.sha256(_LOCK.read_bytes().replace(b"\r\n", b"\n")).hexdigest()[:12]
    except OSError:
        return ""


def can_call(report: Report) -> bool:
    """Return whether a call of a model can be tried on this laptop."""
    return all(check.state != "bad" or check.what not in _NEEDED for check in report.checks)


def _machine() -> dict[str, str]:
    """Return what is known of the machine, also where nothing is installed yet."""
    try:
        return machine_facts()
    except ImportError:
        system = f"{platform.system()} {platform.machine()}"
        return {"system": system, "Python": platform.python_version()}


def _finding(check: Check) -> dict[str, str]:
    """Return what the doctor found as text."""
    return {
        "name": check.what,
        "state": check.state,
        "sentence": without_places(check.seen),
        "fix": without_places(check.cure),
    }


def without_places(text: str) -> str:
    """Return a sentence without the folders of this machine, which name its owner."""
    for place in _places():  # whole, as a folder may have a space in its name
        text = re.sub(re.escape(place), "~", text, flags=re.IGNORECASE)
    return without_folders(text)


def _places() -> list[str]:
    """Return the folders that a sentence may name, the longest first."""
    course = Path(__file__).resolve().parents[2]
    folders = {course, Path.cwd(), Path.home(), Path(sys.prefix), Path(tempfile.gettempdir())}
    places = {str(folder) for folder in folders if len(folder.parts) > 1}
    places |= {Path(place).as_posix() for place in places}
    return sorted(places, key=len, reverse=True)


# ---- figures ----


def measure_figures() -> tuple[dict[str, float], dict[str, str] | None]:
    """Return a few times in seconds, and a finding if they could not be measured."""
    command = [sys.executable, "-c", _PROGRAM]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=_MOST_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return {}, _no_call(f"a first call was not done after {_MOST_SECONDS} s")
    except OSError as error:
        return {}, _no_call(f"Python could not be started again: {error.strerror}")
    for line in done.stdout.splitlines():
        if line.startswith(_MARK):
            found = json.loads(line.removeprefix(_MARK))
            return {name: found[name] for name in _FIGURES if number(found.get(name))}, None
    return {}, _no_call(_why_it_ended(done))


def _no_call(sentence: str) -> dict[str, str]:
    fix = "run `python -m labkit doctor`, and show this to your teacher"
    if "signal" in sentence:
        fix = "TensorFlow may not suit this processor: use another computer"
    return {"name": "one call", "state": "bad", "sentence": sentence, "fix": fix}


def _why_it_ended(done: subprocess.CompletedProcess[str]) -> str:
    """Return the kind of an error, without its text: that may hold a folder."""
    if done.returncode < 0:
        return f"TensorFlow ended Python with signal {-done.returncode}"
    errors = re.findall(
        r"^(?:\w+\.)*(\w*(?:Error|Exception|Interrupt))\b", done.stderr, re.MULTILINE
    )
    kind = errors[-1] if errors else f"exit status {done.returncode}"
    return f"a call of a small model ended with {kind}"


def print_figures() -> None:
    """Measure and print the figures; this runs in a process of its own."""
    from ..measure.compare import compare
    from ..measure.rounds import clock
    from . import models
    from .environment import setup

    begin = clock()
    setup()
    import_seconds = clock() - begin
    import tensorflow as tf

    model = models.service()
    row = models.random_rows(1, inputs=20)
    graph = tf.function(model)
    calls = {"call": lambda: model(row), "graph": lambda: graph(row)}
    found = compare(calls, budget=1.5, progress=False)
    figures = {
        "import_seconds": import_seconds,
        "call_seconds": found.median["call"].value,
        "graph_seconds": found.median["graph"].value,
    }
    print(_MARK + json.dumps(figures), flush=True)


# ---- the table of all laptops ----


@dataclass(frozen=True)
class Finding:
    """One thing that was found on a laptop."""

    name: str
    state: str
    sentence: str
    fix: str


@dataclass(frozen=True)
class Laptop:
    """What one report says."""

    name: str
    machine: dict[str, str]
    findings: list[Finding]
    figures: dict[str, float]

    @property
    def state(self) -> str:
        """The worst state of its findings."""
        states = {finding.state for finding in self.findings}
        return next((state for state in _STATES if state in states), "ok")


@dataclass
class Laptops:
    """All laptops of a workshop.

    Attributes
    ----------
    laptops : list of Laptop
        Those that need something first, then by name.
    skipped : list of str
        The files that do not count, each with the reason.
    """

    laptops: list[Laptop] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    def in_state(self, state: str) -> list[Laptop]:
        """Return the laptops in this state."""
        return [laptop for laptop in self.laptops if laptop.state == state]

    def __str__(self) -> str:
        parts = [_summary(self)]
        if self.laptops:
            parts.append(str(_table(self.laptops)))
        fixes = _fixes(self.laptops)
        if fixes:
            parts.append("\n".join(["What to do:", *fixes]))
        if any(laptop.figures for laptop in self.laptops):
            parts.append(_figures_in_words(self.laptops))
        if self.skipped:
            parts.append("\n".join(["Not counted:", *(f"- {line}" for line in self.skipped)]))
        return "\n\n".join(parts)


def collect(folder: Path) -> Laptops:
    """Read the reports of all laptops in a folder."""
    found = newest_of_each(read_folder(folder, LAPTOP), _identity)
    names = named_apart(found.read)
    laptops = []
    skipped = list(found.skipped)
    for one in found.read:
        laptop = _laptop(one, names[one.file])
        if laptop is None:
            skipped.append(f"{one.file} is damaged, it has no findings: ask for it again")
        else:
            laptops.append(laptop)
    _note_slow_ones(laptops)
    order = list(_STATES)
    laptops.sort(key=lambda laptop: order.index(laptop.state))  # by name within a state, as before
    return Laptops(laptops, skipped)


def _identity(one: HandedIn) -> Any:
    """Return what tells one laptop from another: two people may have the same name."""
    typed = one_line(one.content.get("name", "")).casefold()
    if not typed:
        return one.file
    facts = texts(one.content.get("machine"))
    return typed, *(facts.get(fact, "") for fact in ("system", "processor", "cores", "memory"))


def _laptop(one: HandedIn, name: str) -> Laptop | None:
    """Return what a report says; None if it says nothing."""
    entries = one.content.get("findings")
    findings = []
    for entry in entries[:100] if isinstance(entries, list) else []:
        if not isinstance(entry, dict) or entry.get("name") == _MOMENTARY:
            continue
        if entry.get("state") in list(_STATES):
            finding = Finding(
                one_line(entry.get("name")),
                str(entry["state"]),
                one_line(entry.get("sentence"), _SENTENCE),
                one_line(entry.get("fix"), _SENTENCE),
            )
            findings.append(finding)
    if not findings:
        return None
    course = one_line(one.content.get("course"))
    if course and course != course_version():
        cure = "git pull in the folder of the course, then make lab; after that, a new report"
        findings.append(Finding("course", "note", "has other versions of the packages", cure))
    figures = {}
    measured_there = one.content.get("figures")
    for figure in _FIGURES:
        value = number(measured_there.get(figure)) if isinstance(measured_there, dict) else None
        if value:
            figures[figure] = value
    return Laptop(name, texts(one.content.get("machine")), findings, figures)


def _note_slow_ones(laptops: list[Laptop]) -> None:
    """Add a finding to the laptops on which a call takes several times as long as on the others."""
    calls = [one.figures["call_seconds"] for one in laptops if "call_seconds" in one.figures]
    if len(calls) < _ENOUGH_FOR_A_MEDIAN:
        return
    middle = statistics.median(calls)
    for one in laptops:
        times = one.figures.get("call_seconds", 0.0) / middle
        if times > _SLOW:
            one.findings.append(
                Finding(
                    "slow",
                    "note",
                    f"one call takes {measured(times, '×')} the median of all laptops",
                    "plug it in and close other programs, or let its owner work with a neighbour",
                )
            )


# ---- words ----


def _summary(all_of_them: Laptops) -> str:
    counts = {state: len(all_of_them.in_state(state)) for state in _STATES}
    if not all_of_them.laptops:
        return "No report of a laptop is in this folder."
    return (
        f"{counted(len(all_of_them.laptops), 'laptop')}: {counts['bad']} will have trouble, "
        f"{counts['note']} perhaps, {counts['ok']} ready"
    )


def _table(laptops: list[Laptop]) -> Table:
    """Return a row for each laptop: how it is, with what, and the number of the fix."""
    numbers = _numbers_of_fixes(laptops)
    rows = []
    for laptop in laptops:
        found = []
        for finding in _open_findings(laptop):
            sentence = finding.sentence
            if not sentence.casefold().startswith(finding.name.casefold()):
                sentence = f"{finding.name}: {sentence}"
            if finding.fix:
                sentence += f" ({numbers[finding.fix]})"
            found.append(sentence)
        machine = laptop.machine.get("system", ""), f"Python {laptop.machine.get('Python', '?')}"
        state = f"{SYMBOLS[laptop.state]} {_STATES[laptop.state]}"
        rows.append([laptop.name, state, ", ".join(machine), "; ".join(found)])
    columns = ["laptop", "state", "machine", "with what (number of what to do)"]
    return Table(columns, rows, sides=["left"] * len(columns))


def _open_findings(laptop: Laptop) -> list[Finding]:
    """Return what is wrong or should be known, the worst first."""
    found = [finding for finding in laptop.findings if finding.state != "ok"]
    return sorted(found, key=lambda finding: list(_STATES).index(finding.state))


def _numbers_of_fixes(laptops: Iterable[Laptop]) -> dict[str, int]:
    """Return a number for each fix, in the order of the table."""
    numbers: dict[str, int] = {}
    for laptop in laptops:
        for finding in _open_findings(laptop):
            if finding.fix:
                numbers.setdefault(finding.fix, len(numbers) + 1)
    return numbers


def _fixes(laptops: list[Laptop]) -> list[str]:
    """Return a line for each fix: what it is about, what to do, and on which laptops."""
    lines = []
    for fix, place in _numbers_of_fixes(laptops).items():
        about: dict[str, None] = {}  # in order, each once
        whose: dict[str, None] = {}
        for laptop in laptops:
            for finding in _open_findings(laptop):
                if finding.fix == fix:
                    about[finding.name] = None
                    whose[laptop.name] = None
        lines.append(f"{place:2}. {', '.join(about)}: {fix} ({', '.join(whose)})")
    return lines


def _figures_in_words(laptops: list[Laptop]) -> str:
    """Return how the measured times spread over the laptops."""
    lines = []
    for figure, what in _FIGURES.items():
        values = sorted(one.figures[figure] for one in laptops if figure in one.figures)
        if values:
            if len(values) == 1:
                lines.append(f"{what}: {duration(values[0])}")
                continue
            low, middle, high = map(duration, (values[0], statistics.median(values), values[-1]))
            count = counted(len(values), "laptop")
            lines.append(f"{what}: {middle} in the middle, from {low} to {high}, on {count}")
    return "\n".join(lines)
