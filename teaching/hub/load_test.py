"""Let learners run a whole lesson at the same time on a hub of their own, and measure it.

`make hub-load` runs it with 1, 5, 10 and 20 learners. Each logs in with the form, starts a server,
opens the lesson, and runs every cell over the websocket that JupyterLab uses; the exercises are
answered with the course's own solutions. Every output is compared with the stored one as the tests
of the lessons do it. What was measured goes to measured.json as it comes, and from there into the
README. It needs root, as the accounts of learners do, and removes everything that it made.
"""

import argparse
import asyncio
import json
import os
import platform
import re
import signal
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import accounts
import hub_client
import hub_process
import hub_report
import hub_settings
import nbformat
import psutil
from nbval.plugin import (
    IPyNbCell,
    coalesce_streams,
    find_comment_markers,
    find_metadata_tags,
    get_sanitize_patterns,
    nocolors,
)

sys.path.insert(0, str(hub_settings.COURSE / "tools"))
import kernels
import versions

SANITIZE = hub_settings.COURSE / "tests" / "nbval_sanitize.cfg"
# What nbval itself does not compare.
NOT_COMPARED = (
    "metadata",
    "traceback",
    "prompt_number",
    "output_type",
    "name",
    "execution_count",
    "application/vnd.jupyter.widget-view+json",
    "image/png",
    "image/jpeg",
)
STOPPING = "stopping: the learners' processes are ended, and their accounts removed"
# Examples below sliders are closed in JupyterLab, and open where a program ran the notebook.
OPEN_OR_CLOSED = {"<details open>": "<details>"}
NAME = "load"  # of the accounts: load01, load02 and so on
SECONDS_BETWEEN_SAMPLES = 10.0
MOST_SECONDS = 2 * 3600.0  # for one learner
TICKS = os.sysconf("SC_CLK_TCK")
MIB = 2**20


# ---- what is compared ----


class Comparison(IPyNbCell):
    """The comparison of nbval, apart from its run of a kernel."""

    def format_output_compare(self, key: str, left: Any, right: Any) -> None:
        """Keep what differs."""
        self.comparison_traceback.append(f"{key}: stored {left!r}, here {right!r}")


def comparison() -> Comparison:
    """Return nbval's comparison with the settings of the course's tests."""
    made = object.__new__(Comparison)  # without a collection of tests, which it would belong to
    patterns = dict(get_sanitize_patterns(SANITIZE.read_text(encoding="utf-8"))) | OPEN_OR_CLOSED
    made.parent = SimpleNamespace(sanitize_patterns=patterns, skip_compare=NOT_COMPARED)
    made.colors = nocolors
    return made


def difference(cell: Any, result: hub_client.Result, compare: Comparison) -> str:
    """Return in words how the outputs of a cell differ from the stored ones; nothing if they agree.

    As in nbval, an error is a difference unless the cell is there to raise it.
    """
    options = dict(find_metadata_tags(cell.metadata)) | dict(find_comment_markers(cell.source))
    errors = [output for output in result.outputs if output["output_type"] == "error"]
    if errors and not options.get("check_exception"):
        return f"{errors[0]['ename']}: {errors[0]['evalue']}"
    if not options.get("check", True):
        return ""
    found = coalesce_streams([nbformat.from_dict(output) for output in result.outputs])
    if compare.compare_outputs(found, coalesce_streams(cell.outputs)):
        return ""
    printed = " | ".join(versions.texts(SimpleNamespace(outputs=found), []))
    return " ".join([*compare.comparison_traceback, f"; as it was printed: {printed}"])


# ---- what is measured ----


@dataclass
class Usage:
    """What the processes of one learner use at one moment."""

    memory: int = 0  # bytes, proportional: shared pages are divided among those who share them
    of_kernels: int = 0  # bytes of that
    seconds: float = 0.0  # of processors, since the processes began


@dataclass
class Run:
    """One learner's way through the lesson."""

    name: str
    server_after: float = 0.0  # seconds until JupyterLab was open
    first_cell_after: float = 0.0  # seconds until the first cell was done
    done_after: float = 0.0
    longest_cell: float = 0.0
    cells: int = 0
    memory: int = 0  # bytes: the most at any moment
    memory_together: int = 0  # bytes: when all learners together had the most
    kernel_together: int = 0  # bytes of that: the kernel
    seconds: float = 0.0  # of processors
    differences: list[str] = field(default_factory=list)
    failure: str = ""

    @property
    def is_right(self) -> bool:
        """Whether the lesson ran to its end, and every output was right."""
        return not self.failure and not self.differences


def usage_of(uid: int) -> Usage:
    """Return what the processes of a system account use now."""
    usage = Usage()
    for process in accounts.processes_of(uid):
        try:
            folder = Path("/proc") / str(process)
            rollup = (folder / "smaps_rollup").read_text(encoding="ascii")
            command = (folder / "cmdline").read_bytes()
            stat = (folder / "stat").read_text(encoding="utf-8", errors="replace")
        except (OSError, ProcessLookupError):
            continue  # it has just ended
        found = re.search(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE)
        memory = 1024 * int(found[1]) if found else 0
        usage.memory += memory
        if b"ipykernel" in command:
            usage.of_kernels += memory
        fields = stat.rpartition(")")[2].split()
        usage.seconds += (int(fields[11]) + int(fields[12])) / TICKS
    return usage


class Sampler:
    """Looks again and again at what each learner uses."""

    def __init__(self, runs: Sequence[Run]):
        self.runs = runs
        self.most_together = 0
        self.uids = {}
        for run in runs:
            account = accounts.system_account(run.name)
            assert account is not None
            self.uids[run.name] = account.pw_uid

    async def look_again_and_again(self) -> None:
        """Sample until this is cancelled."""
        while True:
            await asyncio.to_thread(self.sample)
            await asyncio.sleep(SECONDS_BETWEEN_SAMPLES)

    def sample(self) -> None:
        """Look once."""
        found = {run.name: usage_of(self.uids[run.name]) for run in self.runs}
        together = sum(usage.memory for usage in found.values())
        for run in self.runs:
            usage = found[run.name]
            run.memory = max(run.memory, usage.memory)
            run.seconds = max(run.seconds, usage.seconds)
            if together > self.most_together:
                run.memory_together = usage.memory
                run.kernel_together = usage.of_kernels
        self.most_together = max(self.most_together, together)


# ---- one learner ----


async def take_part(run: Run, learner: hub_client.Learner, lesson: Path, begin: float) -> None:
    """Go through the lesson as one learner; what goes wrong is kept in the run."""
    try:
        await asyncio.wait_for(go_through(run, learner, lesson, begin), MOST_SECONDS)
    except Exception as error:
        run.failure = f"{type(error).__name__}: {error}"
    said = run.failure or f"{len(run.differences)} differences"
    print(f"{time.monotonic() - begin:7.0f} s  {run.name}: {said}", flush=True)


async def go_through(run: Run, learner: hub_client.Learner, lesson: Path, begin: float) -> None:
    """Log in, start a server, open the lesson, answer its exercises and run every cell."""
    await learner.log_in()
    await learner.start_server()
    run.server_after = time.monotonic() - begin
    server = await learner.json("GET", "api/status")

    copy = await learner.json("GET", f"api/contents/{lesson.name}?content=1")
    mine = nbformat.from_dict(copy["content"])
    whole = nbformat.read(lesson, as_version=4)
    check_copy(mine, whole)
    answered = with_solutions(whole)
    model = {"type": "notebook", "format": "json", "content": answered}
    await learner.json("PUT", f"api/contents/{lesson.name}", model)

    kernel = await learner.start_kernel(lesson.name)
    await run_cells(run, kernel, whole, answered, begin)
    await learner.json("PUT", f"api/contents/{lesson.name}", model)
    await check_nothing_lost(learner, kernel, server["started"])
    run.done_after = time.monotonic() - begin
    kernel.close()


def check_copy(mine: Any, whole: Any) -> None:
    """Raise HubError unless the learner's copy is the lesson without its solutions."""
    sources = []
    for cell in whole.cells:
        if "solution" not in cell.metadata.get("tags", []):
            sources.append(cell.source)
    if [cell.source for cell in mine.cells] != sources:
        raise hub_client.HubError("the learner's copy is not that of the lesson")
    if any(cell.get("outputs") for cell in mine.cells):
        raise hub_client.HubError("the learner's copy holds outputs before it was run")


def with_solutions(whole: Any) -> Any:
    """Return the lesson as a learner writes it: no output, the exercises answered."""
    written = nbformat.from_dict(json.loads(json.dumps(whole)))
    for cell in written.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return written


async def run_cells(
    run: Run, kernel: hub_client.Kernel, whole: Any, answered: Any, begin: float
) -> None:
    """Run all cells in order, and compare what they print with what is stored."""
    compare = comparison()
    for stored, cell in zip(whole.cells, answered.cells, strict=True):
        if stored.cell_type != "code":
            continue
        cell_begin = time.monotonic()
        result = await kernel.run(stored.source)
        run.longest_cell = max(run.longest_cell, time.monotonic() - cell_begin)
        if run.cells == 0:
            run.first_cell_after = time.monotonic() - begin
        run.cells += 1
        cell.outputs = [nbformat.from_dict(output) for output in result.outputs]
        cell.execution_count = result.count
        differs = difference(stored, result, compare)
        if differs:
            run.differences.append(f"cell {run.cells}: {differs}")


async def check_nothing_lost(
    learner: hub_client.Learner, kernel: hub_client.Kernel, started: str
) -> None:
    """Raise HubError unless server and kernel are those of the beginning."""
    server = await learner.json("GET", "api/status")
    if server["started"] != started:
        raise hub_client.HubError("the server was lost, and started again")
    counted = await kernel.run("len(In)")
    if counted.status != "ok" or counted.count is None or counted.count < 2:
        raise hub_client.HubError("the kernel was lost, and started again")


# ---- all learners ----


async def all_at_once(hub: hub_process.RunningHub, lesson: Path, sampler: Sampler) -> None:
    """Let all learners begin at the same moment, and wait for the last one."""
    hub_client.allow_many_requests()
    begin = time.monotonic()
    sampling = asyncio.create_task(sampler.look_again_and_again())
    learners = []
    for run in sampler.runs:
        learner = hub_client.Learner(hub.address, run.name, hub.passwords[run.name])
        learners.append(take_part(run, learner, lesson, begin))
    await asyncio.gather(*learners)
    sampling.cancel()
    await asyncio.to_thread(sampler.sample)


def measure(count: int, lesson: Path) -> dict[str, Any]:
    """Return what was measured with that many learners."""
    names = [f"{NAME}{number:02d}" for number in range(1, count + 1)]
    variables = {name: value for name, value in kernels.VARIABLES.items() if value is not None}
    config = f"c.Spawner.environment = {variables!r}"
    runs = [Run(name) for name in names]
    parts = {}
    begin = time.monotonic()
    with hub_process.running_hub(names, config=config) as hub:
        sampler = Sampler(runs)
        busy = psutil.cpu_times_percent(interval=None)
        try:
            asyncio.run(all_at_once(hub, lesson, sampler))
        except KeyboardInterrupt:
            print(STOPPING, file=sys.stderr, flush=True)
            raise
        finally:
            busy = psutil.cpu_times_percent(interval=None)
            parts = usage_of_the_hub(hub)
            keep_log(hub, count)
    return {
        "learners": count,
        "date": date.today().isoformat(),
        "machine": machine(),
        "lesson": lesson.stem,
        "seconds": time.monotonic() - begin,
        "busy_percent": round(100 - busy.idle, 1),
        "hub": parts,
        "runs": [asdict(run) for run in runs],
    }


def usage_of_the_hub(hub: hub_process.RunningHub) -> dict[str, Any]:
    """Return what the hub with its proxy and its other parts used."""
    assert hub.process is not None
    found = {"memory": 0, "seconds": 0.0}
    try:
        whole = psutil.Process(hub.process.pid)
        for process in [whole, *whole.children(recursive=True)]:
            if process.uids().real == 0:
                found["memory"] += process.memory_full_info().pss
                found["seconds"] += sum(process.cpu_times()[:2])
    except psutil.Error:
        pass
    return found


def keep_log(hub: hub_process.RunningHub, count: int) -> None:
    """Keep what the hub said, for the case that something went wrong."""
    folder = hub_settings.COURSE / "build" / "hub_load"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{count}.log").write_text(hub.log, encoding="utf-8")


def machine() -> str:
    """Return what this runs on, in words."""
    gib = psutil.virtual_memory().total / 2**30
    cores = len(os.sched_getaffinity(0))
    system = f"{platform.system()} {platform.machine()}"
    return f"{cores} cores, {gib:.0f} GiB, {system}, Python {platform.python_version()}"


# ---- the command ----


def main(arguments: list[str] | None = None) -> int:
    """Measure; return 0 if all learners finished and every output was right."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("counts", nargs="*", type=int, default=[1, 5, 10, 20])
    parser.add_argument("--lesson", default="02", help="the number of the lesson")
    parser.add_argument("--no-readme", action="store_true", help="leave README.md as it is")
    options = parser.parse_args(arguments)
    reason = hub_process.why_not()
    if reason:
        print(f"load_test.py: {reason}", file=sys.stderr)
        return 2
    (lesson,) = (hub_settings.COURSE / "notebooks").glob(f"{options.lesson}_*.ipynb")
    # So that a run that is stopped removes its accounts, too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    all_right = True
    for count in options.counts:
        try:
            measured = measure(count, lesson)
        except KeyboardInterrupt:
            print("load_test.py: stopped", file=sys.stderr)
            return 130
        except Exception as error:  # the next ones may go well
            print(f"{count} learners: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
            all_right = False
            continue
        if not options.no_readme:
            hub_report.keep(measured)
            hub_report.write_readme()
        all_right = report(measured) and all_right
    return 0 if all_right else 1


def report(measured: dict[str, Any]) -> bool:
    """Print what was measured; return whether every learner finished with every output right."""
    runs = [Run(**run) for run in measured["runs"]]
    for run in runs:
        for sentence in [run.failure, *run.differences]:
            if sentence:
                print(f"{run.name}: {sentence[:4000]}")
    right = sum(run.is_right for run in runs)
    done = [run.done_after for run in runs if not run.failure]
    memory = max(run.memory_together for run in runs) / MIB
    kernel = statistics.median(run.kernel_together for run in runs) / MIB
    print(
        f"{measured['learners']} learners: {right} right; done after "
        f"{statistics.median(done) if done else float('nan'):.0f} s (median); "
        f"{memory:.0f} MiB for the largest, {kernel:.0f} MiB for a kernel (median); "
        f"processors {measured['busy_percent']} % busy",
        flush=True,
    )
    return right == len(runs)


if __name__ == "__main__":
    sys.exit(main())
