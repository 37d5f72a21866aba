"""Run tests or lessons again and again on a machine in several states, and print what differs.

A program, not a test. A cell or a test that passes in one run and fails in another says something
about the machine where it should say something about TensorFlow.

    python tools/benchmarks/flakes.py notebooks/00_start_here.ipynb --times 2
    python tools/benchmarks/flakes.py --under idle busy bursts      # all tests, three times each

The exit status is 1 if a test failed in any run.
"""

import argparse
import contextlib
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MEMORY = 4 * 2**30  # bytes
IN_ALL = 10  # runs, shared out among the states of the machine, unless --times says otherwise
LOOP = "while True: pass"
# On for a third of a second, off for up to two: a machine on which other programs come and go.
BURSTS = """
import random, time
draw = random.Random({seed})
while True:
    end = time.perf_counter() + 0.33
    while time.perf_counter() < end:
        pass
    time.sleep(draw.uniform(0, 2))
"""


@dataclass
class Run:
    """What one run of the tests gave."""

    state: str
    seconds: float
    load: float | None
    tests: int = 0
    failed: dict[str, str] = field(default_factory=dict)  # by test: the first line of the error
    broken: str = ""  # why there is no report


# ---- the states of the machine ----


@contextlib.contextmanager
def beside(programs: list[str]) -> Iterator[list[str]]:
    """Let programs compute beside the tests, and end them afterwards."""
    started = [subprocess.Popen([sys.executable, "-c", program]) for program in programs]
    try:
        yield []
    finally:
        for process in started:
            process.kill()
            process.wait()


def cores() -> int:
    return os.cpu_count() or 1


def idle() -> contextlib.AbstractContextManager[list[str]]:
    """Nothing beside the tests, as far as this program can say."""
    return contextlib.nullcontext([])


def busy() -> contextlib.AbstractContextManager[list[str]]:
    """A program on every core that never rests."""
    return beside([LOOP] * cores())


def bursts() -> contextlib.AbstractContextManager[list[str]]:
    """Programs on every core that come and go."""
    return beside([BURSTS.format(seed=random.randrange(10**6)) for _ in range(cores())])


def one_core() -> contextlib.AbstractContextManager[list[str]]:
    """All processes of the tests share one core."""
    core = min(os.sched_getaffinity(0))
    return contextlib.nullcontext([str(shutil.which("taskset")), "--cpu-list", str(core)])


def memory() -> contextlib.AbstractContextManager[list[str]]:
    """4 GiB: of all processes together where systemd can see to it, of each one elsewhere."""
    if _systemd_limits():
        return contextlib.nullcontext([*_SCOPE, f"--property=MemoryMax={MEMORY}"])
    return contextlib.nullcontext([str(shutil.which("prlimit")), f"--data={MEMORY}"])


_SCOPE = ["systemd-run", "--user", "--scope", "--quiet"]


def _systemd_limits() -> bool:
    """Return whether systemd starts a process with a limit here."""
    if not shutil.which(_SCOPE[0]):
        return False
    command = [*_SCOPE, f"--property=MemoryMax={MEMORY}", "true"]
    return subprocess.run(command, capture_output=True).returncode == 0


STATES: dict[str, Callable[[], contextlib.AbstractContextManager[list[str]]]] = {
    "idle": idle,
    "busy": busy,
    "bursts": bursts,
    "one-core": one_core,
    "memory": memory,
}


def not_available(state: str) -> str:
    """Return why this machine cannot be brought into a state, or nothing."""
    if state == "one-core" and not (hasattr(os, "sched_getaffinity") and shutil.which("taskset")):
        return "needs taskset"
    if state == "memory" and not (_systemd_limits() or shutil.which("prlimit")):
        return "needs systemd-run or prlimit"
    return ""


def how(state: str) -> str:
    """Return how a state was made, for the report."""
    if state != "memory":
        return ""
    if _systemd_limits():
        return ", 4 GiB for all processes together (systemd-run)"
    return ", 4 GiB of data for each process (prlimit: no group of processes can be limited here)"


# ---- a run ----


def run(state: str, tests: list[str], jobs: int, limit: float) -> Run:
    """Run the tests once in a state of the machine."""
    with tempfile.TemporaryDirectory(prefix="labkit-flakes-") as folder, STATES[state]() as prefix:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        command += ["-n", str(jobs), "--dist", "loadscope", f"--junitxml={report}", *tests]
        begin = time.monotonic()
        text = _output([*prefix, *command], limit)
        done = Run(state, time.monotonic() - begin, _load())
        if not report.exists():
            done.broken = text.strip().rpartition("\n")[2] or "no output"
            return done
        read_report(report, done)
    return done


def _output(command: list[str], limit: float) -> str:
    """Run a command in the folder of the project; return what it wrote."""
    try:
        ran = subprocess.run(
            command,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=limit,
        )
    except subprocess.TimeoutExpired:
        return f"not done after {limit:.0f} s"
    return ran.stdout


def read_report(path: Path, done: Run) -> None:
    """Take from a report of pytest how many tests ran and which of them failed."""
    for case in ET.parse(path).iter("testcase"):
        skipped = case.find("skipped")
        if skipped is not None:
            continue
        done.tests += 1
        for word in ("failure", "error"):
            problem = case.find(word)
            if problem is not None:
                name = f"{case.get('classname')} {case.get('name')}"
                done.failed[name] = first_line(problem.get("message") or problem.text or "")
    if not done.tests:
        done.broken = "no test ran"


def first_line(message: str) -> str:
    """Return the first line of a message that says something."""
    for line in message.splitlines():
        if line.strip():
            return line.strip()[:160]
    return "no message"


def _load() -> float | None:
    try:
        return os.getloadavg()[0]
    except (AttributeError, OSError):
        return None


# ---- the report ----


def line_of(done: Run) -> str:
    """Return one line on a run."""
    load = "" if done.load is None else f", load {done.load:.1f} at its end"
    if done.broken:
        result = f"gave no result: {done.broken}"
    else:
        result = f"{done.tests} tests, {len(done.failed)} failed"
    return f"{done.state}{how(done.state)}: {result} ({done.seconds:.0f} s{load})"


def differing(runs: list[Run]) -> list[str]:
    """Return a line for each test that failed in any run: how often, in which state, and why."""
    times = Counter(done.state for done in runs if not done.broken)
    failures: dict[str, list[Run]] = {}
    for done in runs:
        for name in done.failed:
            failures.setdefault(name, []).append(done)
    lines = []
    for name, where in sorted(failures.items()):
        counts = Counter(done.state for done in where)
        words = ", ".join(f"{counts[state]} of {times[state]} {state}" for state in counts)
        kind = "fails" if len(where) == times.total() else "DIFFERS"
        lines.append(f"{kind}  {name}: {words}\n         {where[0].failed[name]}")
    return lines


def main(argv: list[str] | None = None) -> int:
    """Run the tests in each state; print what differs, and return 1 if anything failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tests", nargs="*", help="what pytest shall run; all tests unless given")
    parser.add_argument(
        "--times", type=int, help=f"runs in each state; {IN_ALL} in all unless given"
    )
    parser.add_argument("--under", nargs="+", choices=STATES, default=list(STATES))
    parser.add_argument("--jobs", type=int, default=min(2, cores()), help="processes of pytest")
    parser.add_argument("--limit", type=float, default=7200, help="seconds for one run")
    chosen = parser.parse_args(argv)
    times = chosen.times or max(1, IN_ALL // len(chosen.under))

    runs = []
    for state in chosen.under:
        reason = not_available(state)
        if reason:
            print(f"{state}: not tried, {reason}", flush=True)
            continue
        for _ in range(times):
            runs.append(run(state, chosen.tests, chosen.jobs, chosen.limit))
            print(line_of(runs[-1]), flush=True)
    lines = differing(runs)
    print("\n".join(lines) or "No test failed.")
    return 1 if lines or not runs or any(done.broken for done in runs) else 0


if __name__ == "__main__":
    sys.exit(main())
