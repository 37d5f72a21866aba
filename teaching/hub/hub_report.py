"""Write what load_test.py measured into README.md, and the plan for a cluster that follows from it.

`python teaching/hub/hub_report.py` brings README.md up to date with measured.json and values.yaml.
"""

import json
import math
import re
import statistics
from typing import Any

import hub_settings
import yaml

README = hub_settings.HUB / "README.md"
MEASURED = hub_settings.HUB / "measured.json"
VALUES = hub_settings.HUB / "values.yaml"
GUIDES = hub_settings.COURSE / "teaching" / "README.md"
COMMAND = "sudo make hub-load"
MB = 1_000_000
GIB = 2**30

# The plan: so many learners, on machines of this size. They are assumptions; the rest is measured.
LEARNERS = 1000
CORES_OF_A_MACHINE = 16
GIB_OF_A_MACHINE = 64
GIB_FOR_THE_SYSTEM = 4  # of each machine: Kubernetes and what belongs to it
# A room runs the same cell at the same moment: so much more than the average is kept free.
RESERVE = 3


def read_measured() -> list[dict[str, Any]]:
    """Return what was measured, the fewest learners first."""
    if not MEASURED.exists():
        return []
    return json.loads(MEASURED.read_text(encoding="utf-8"))


def keep(measured: dict[str, Any]) -> None:
    """Keep what was measured in the place of an earlier measurement with as many learners."""
    others = [one for one in read_measured() if one["learners"] != measured["learners"]]
    in_order = sorted([*others, measured], key=lambda one: one["learners"])
    MEASURED.write_text(json.dumps(in_order, indent=1) + "\n", encoding="utf-8")


def write_readme() -> None:
    """Bring the generated parts of README.md up to date."""
    README.write_text(with_generated_parts(README.read_text(encoding="utf-8")), encoding="utf-8")


def with_generated_parts(text: str) -> str:
    """Return a text with its generated parts as they should be."""
    measured = read_measured()
    for name, part in (("load", load_table(measured)), ("plan", plan(measured))):
        marked = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        if not marked.search(text):
            raise ValueError(f"{README} has no marks <!-- {name} --> and <!-- /{name} -->")
        text = marked.sub(lambda found, part=part: found[1] + part + found[2], text)
    return text


def values() -> dict[str, Any]:
    """Return the settings for the cluster."""
    return yaml.safe_load(VALUES.read_text(encoding="utf-8"))


# ---- the table ----


def load_table(measured: list[dict[str, Any]]) -> str:
    """Return the table of all measurements, with what they were made on."""
    if not measured:
        return "Not measured yet.\n"
    lines = [
        "| learners at once | finished, every output right | JupyterLab open: median, last "
        "| first cell done: median, last | lesson done: median, last | longest cell "
        "| memory of a learner: median, largest; most at any moment "
        "| processor time of a learner | processors busy |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for one in measured:
        lines.append(table_row(one))
    last = measured[-1]
    dates = " and ".join(sorted({one["date"] for one in measured}))
    machines = "; ".join(sorted({one["machine"] for one in measured}))
    lines.append("")
    lines.append(
        f"Measured on {dates} with `{COMMAND}`, lesson {last['lesson']}; {machines}. The memory is "
        "proportional (PSS, server and kernel): pages that processes share are divided among them. "
        "Median and largest are of the moment when all learners together had the most."
    )
    return "\n".join(lines) + "\n"


def table_row(one: dict[str, Any]) -> str:
    """Return the row of one measurement."""
    runs = one["runs"]
    right = [run for run in runs if not run["failure"] and not run["differences"]]
    memory = [run["memory_together"] / MB for run in runs]
    most = max(run["memory"] for run in runs)
    parts = [
        str(one["learners"]),
        f"{len(right)} of {len(runs)}",
        median_and_last(runs, "server_after"),
        median_and_last(runs, "first_cell_after"),
        median_and_last(runs, "done_after"),
        in_time(max(run["longest_cell"] for run in runs)),
        f"{statistics.median(memory):.0f}, {max(memory):.0f}; {most / MB:.0f} MB",
        in_time(statistics.median(run["seconds"] for run in runs)),
        f"{one['busy_percent']:.0f} %",
    ]
    return f"| {' | '.join(parts)} |"


def median_and_last(runs: list[dict[str, Any]], key: str) -> str:
    """Return the median and the largest of a time."""
    found = [run[key] for run in runs if run[key]]
    if not found:
        return "never"
    return f"{in_time(statistics.median(found))}, {in_time(max(found))}"


def in_time(seconds: float) -> str:
    """Return a time in words.

    >>> in_time(42.4), in_time(300)
    ('42 s', '5.0 min')
    """
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min"


# ---- the plan ----


def plan(measured: list[dict[str, Any]]) -> str:
    """Return what a cluster needs for many learners, computed from what was measured."""
    alone = [one for one in measured if one["learners"] == 1]
    if not alone:
        return "Not measured yet.\n"
    most = measured[-1]
    chosen = values()["singleuser"]
    memory = max(run["memory"] for run in alone[0]["runs"])
    guarantee = in_bytes(chosen["memory"]["guarantee"])
    minutes = minutes_of(most["lesson"])
    seconds = statistics.median(run["seconds"] for run in most["runs"])
    cores = LEARNERS * seconds / (60 * minutes)
    of_a_machine = math.floor(GIB * (GIB_OF_A_MACHINE - GIB_FOR_THE_SYSTEM) / guarantee)
    by_memory = math.ceil(LEARNERS / of_a_machine)
    by_cores = math.ceil(RESERVE * cores / CORES_OF_A_MACHINE)
    of_the_hub = most["hub"]["seconds"] / most["learners"]
    capacity = in_bytes(chosen["storage"]["capacity"])
    rows = [
        (
            "memory of one learner who shares with nobody",
            f"{memory / MB:.0f} MB measured; {guarantee / MB:.0f} MB guaranteed, "
            f"{in_bytes(chosen['memory']['limit']) / MB:.0f} MB at most",
        ),
        (
            "memory of all",
            f"{LEARNERS:,} × {guarantee / MB:.0f} MB = {LEARNERS * guarantee / 1e9:,.0f} GB",
        ),
        (
            "processors",
            f"{seconds:.0f} s of a core for each learner in {minutes} minutes of lesson: "
            f"{cores:.0f} cores on average, {RESERVE * cores:.0f} with a reserve of {RESERVE}",
        ),
        (
            f"machines of {CORES_OF_A_MACHINE} cores and {GIB_OF_A_MACHINE} GiB",
            f"{by_memory} for the memory ({of_a_machine} learners each), {by_cores} for the "
            f"processors: **{max(by_memory, by_cores)}**",
        ),
        (
            "the hub and its proxy",
            f"{of_the_hub:.1f} s of a core for each learner in all: {LEARNERS:,} who come within "
            f"{minutes} minutes keep {100 * LEARNERS * of_the_hub / (60 * minutes):.0f} % of one "
            f"core busy; {most['hub']['memory'] / MB:.0f} MB with {most['learners']}",
        ),
        ("disk", f"{LEARNERS:,} × {capacity / GIB:.0f} GiB = {LEARNERS * capacity / GIB:,.0f} GiB"),
    ]
    lines = [f"| for {LEARNERS:,} learners | |", "|---|---|"]
    for name, value in rows:
        lines.append(f"| {name} | {value} |")
    return "\n".join(lines) + "\n"


def minutes_of(lesson: str) -> int:
    """Return the minutes that a lesson takes in a room, from the teacher's page."""
    row = rf"^\| \[[^\]]*\]\({re.escape(lesson)}\.md\) \| \d+ \| (\d+) \|"
    found = re.search(row, GUIDES.read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise ValueError(f"{GUIDES} has no minutes of {lesson}")
    return int(found[1])


def in_bytes(text: str) -> int:
    """Return a size of Kubernetes or JupyterHub in bytes.

    >>> in_bytes("1.5G"), in_bytes("1Gi")
    (1500000000, 1073741824)
    """
    found = re.fullmatch(r"([\d.]+)([MGT])(i?)", text)
    if found is None:
        raise ValueError(f"{text!r} is no size")
    step = 1024 if found[3] else 1000
    # JupyterHub itself reads G as 1024**3; the chart hands it over, so the larger one is meant.
    return round(float(found[1]) * step ** {"M": 2, "G": 3, "T": 4}[found[2]])


if __name__ == "__main__":
    write_readme()
