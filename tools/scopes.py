"""A plugin of pytest: what each file and lesson costs, the long ones first, and the fast part.

A scope is what `pytest --dist loadscope` gives to one process: a file, a lesson, or a class. What
it costs is kept in pytest's cache; `make durations` prints it. conftest.py loads this plugin.
"""

import os
import platform
import re
import subprocess
import time
from collections.abc import Generator, Iterable
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[1]
KEPT = "labkit/durations"  # the key in pytest's cache
PROPERTY = "cost of the scope"
MEASURES = re.compile(r"\b(compare|timeit|sweep|growth|profile|first_call|diagnose)\w*\(")
KEEP_EVERY = 20  # seconds, so that a run that is killed leaves the costs of what it has done
WHOLE = 0.8  # of the tests that a scope had: fewer were a part of it, such as with -k

# Seconds for a scope that never ran here, as in a fresh clone: only their order matters.
GUESSES = {
    "tests/test_exercises.py": 150.0,
    "notebooks/": 60.0,
    "tests/test_unsolved_lessons.py": 30.0,
    "tests/own_model/": 30.0,
    "tests/test_stop.py": 30.0,
}
GUESS_FOR_A_TEST = 0.05

# What `make test FAST=1` leaves out unless it has changed since the last commit: what starts
# kernels or other processes, builds and traces models, or measures; files that import TensorFlow;
# and what took more than a few seconds of processor time when it ran here last.
FAST = 3.0  # seconds
TENSORFLOW = re.compile(rb"^(?:import|from) (?:tensorflow|keras)\b", re.MULTILINE)
SLOW = (
    "notebooks",
    "labkit",
    "tests/own_model",
    "tests/test_exercises.py",
    "tests/test_fault_drill.py",
    "tests/test_makefile.py",
    "tests/test_nbval.py",
    "tests/test_right_answers.py",
    "tests/test_stop.py",
    "tests/test_unsolved_lessons.py",
)
# What took so long elsewhere: in a fresh clone nothing has run yet.
DEAR_ELSEWHERE = (
    "tests/measure/test_growth.py",
    "tests/measure/test_rounds.py",
    "tests/measure/test_stats.py",
    "tests/measure/test_timeline.py",
    "tests/test_conftest.py",
    "tests/test_durations.py",
    "tests/test_explore.py",
    "tests/test_figure.py",
    "tests/test_hosted.py",
    "tests/test_index_pages.py",
    "tests/test_lab_address.py",
    "tests/test_laptops.py",
    "tests/test_mutate_labkit.py",
    "tests/test_mutate_solutions.py",
    "tests/test_notebook_help.py",
    "tests/test_pack.py",
    "tests/test_pictures.py",
    "tests/test_plots.py",
    "tests/test_serving.py",
    "tests/test_teaching.py",
)
# Whatever it takes: the rules of a lesson are what a change breaks most easily.
ALWAYS_FAST = ("tests/test_contract.py",)
ANSWERS = ("tests/test_exercises.py", "tests/test_right_answers.py")
OF_A_LESSON = re.compile(
    r"(?:notebooks/|labkit/course/exercises/lesson_|tests/(?:right|wrong)_answers/lesson_)(\d\d)"
)


def scope_of(nodeid: str) -> str:
    """Return the scope of a test, as pytest-xdist cuts it."""
    return nodeid.rsplit("::", 1)[0]


def processor_seconds() -> float:
    """Return the processor time of this process and of all that it started.

    On Windows without the time of those that have ended, which the system does not keep.
    """
    process = psutil.Process()
    total = _seconds_of(process)
    for child in process.children(recursive=True):
        try:
            total += _seconds_of(child)
        except psutil.Error:
            continue  # it has ended in between; its time is in that of its parent
    return total


def _seconds_of(process: psutil.Process) -> float:
    times = process.cpu_times()
    ended = getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)
    return times.user + times.system + ended


def load() -> float | None:
    """Return the load of the machine over the last minute, where the system knows it."""
    try:
        return os.getloadavg()[0]
    except (AttributeError, OSError):
        return None


def changed_files() -> list[str]:
    """Return the files that differ from the last commit, new ones too; none outside of git."""
    command = ["git", "status", "--porcelain", "-z", "--no-renames", "--untracked-files=all"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return []
    entries = done.stdout.decode("utf-8", "replace").split("\0")
    return [entry[3:] for entry in entries if entry]


# ---- what a scope costs: in the process that runs it ----


class Meter:
    """Measure each scope, and attach its cost to the last report of its last test."""

    def __init__(self) -> None:
        self.scope = ""
        self.is_last = False
        self.started: float | None = None  # seconds spent before the first test
        self.cost: dict[str, float] = {}
        self._wall = self._processor = 0.0

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> Generator[None, Any, Any]:
        """Note where a scope begins and which test is its last one."""
        scope = scope_of(item.nodeid)
        if scope != self.scope:
            self.scope = scope
            self._wall, self._processor = time.perf_counter(), processor_seconds()
            self.cost = {"tests": 0}
            if self.started is None:
                self.started = self._processor
                self.cost["start"] = self.started
        self.is_last = nextitem is None or scope_of(nextitem.nodeid) != scope
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Charge the start of a kernel, which the first cell of a notebook waits for."""
        return (yield from self._charge(item, "kernel"))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Charge a cell to imports, to measuring, or to the rest of its lesson."""
        return (yield from self._charge(item, part_of_lesson(item)))

    def _charge(self, item: pytest.Item, part: str) -> Generator[None, Any, Any]:
        if not part_of_lesson(item):
            return (yield)
        begin = processor_seconds()
        try:
            return (yield)
        finally:
            self.cost[part] = self.cost.get(part, 0.0) + processor_seconds() - begin

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Attach what the scope cost, once its fixtures and its kernel are gone."""
        report = yield
        if call.when == "teardown":
            self.cost["tests"] = self.cost.get("tests", 0) + 1
            if self.is_last:
                self.cost["wall"] = time.perf_counter() - self._wall
                self.cost["processor"] = processor_seconds() - self._processor
                report.user_properties.append((PROPERTY, dict(self.cost)))
                self.scope = ""
        return report


def part_of_lesson(item: Any) -> str:
    """Return what a cell of a notebook does for the most part; nothing for another test."""
    cell = getattr(item, "cell", None)
    if cell is None:
        return ""
    if "lab.setup(" in cell.source:
        return "imports"
    return "measuring" if MEASURES.search(cell.source) else "rest"


# ---- what is kept: in the process that sees all reports ----


class Keeper:
    """Collect the costs of a run, and keep them for the next one and for `make durations`."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.scopes: dict[str, dict[str, float]] = {}
        self.ended: dict[str, float] = {}  # when each worker ended its last scope
        self.start = 0.0  # seconds that the workers spent before their first tests
        self._begin = self._kept = time.time()
        self._load = load()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the cost of a scope from a report."""
        for name, cost in report.user_properties:
            if name == PROPERTY and isinstance(cost, dict) and report.when == "teardown":
                self.start += cost.pop("start", 0.0)
                self.scopes[scope_of(report.nodeid)] = cost
                self.ended[getattr(report, "worker_id", "main")] = time.time()
                if time.time() - self._kept > KEEP_EVERY:
                    self.keep()

    def pytest_sessionfinish(self) -> None:
        """Keep the costs of the whole run."""
        self.keep()

    def keep(self) -> None:
        """Keep the costs so far; those of scopes that did not run now, or in part only, stay."""
        self._kept = time.time()
        cache = getattr(self.config, "cache", None)
        if cache is None or not self.scopes:
            return
        run = {
            "date": datetime.fromtimestamp(self._begin).strftime("%Y-%m-%d %H:%M"),
            "versions": versions(),
            "workers": len(self.ended),
            "load": [self._load, load()],
            "wall": time.time() - self._begin,
            "start": self.start,
            "idle": sum(max(self.ended.values()) - at for at in self.ended.values()),
            "scopes": sorted(self.scopes),
        }
        scopes = kept_scopes(cache)
        for scope, cost in self.scopes.items():
            before = scopes.get(scope, {"tests": 0})
            if cost["tests"] >= WHOLE * before["tests"]:
                scopes[scope] = {**cost, "date": run["date"]}
        cache.set(KEPT, {"run": run, "scopes": scopes})


def versions() -> str:
    """Return the versions that costs depend on."""
    found = [f"Python {platform.python_version()}"]
    for name in ("tensorflow-cpu", "tensorflow"):
        try:
            found.append(f"TensorFlow {version(name)}")
            break
        except PackageNotFoundError:
            continue
    return ", ".join(found)


def kept_scopes(cache: Any) -> dict[str, dict[str, Any]]:
    """Return the costs that earlier runs kept; none where the record is damaged."""
    kept = cache.get(KEPT, {})
    scopes = kept.get("scopes") if isinstance(kept, dict) else None
    if not isinstance(scopes, dict):
        return {}
    return {scope: cost for scope, cost in scopes.items() if is_cost(cost)}


def is_cost(cost: Any) -> bool:
    """Return whether this is what a scope costs."""
    return isinstance(cost, dict) and {"tests", "wall", "processor", "date"} <= set(cost)


# ---- the order, and the fast part ----


def guess(scope: str, tests: int) -> float:
    """Return the seconds that a scope of so many tests may take."""
    for prefix, seconds in GUESSES.items():
        if scope.startswith(prefix):
            return seconds
    return GUESS_FOR_A_TEST * tests


def long_first(nodeids: Iterable[str], costs: dict[str, float]) -> list[str]:
    """Return the scopes of these tests, those that take longest first."""
    tests: dict[str, int] = {}
    for nodeid in nodeids:
        scope = scope_of(nodeid)
        tests[scope] = tests.get(scope, 0) + 1
    return sorted(tests, key=lambda scope: -costs.get(scope, guess(scope, tests[scope])))


def is_in(path: str, folders: Iterable[str]) -> bool:
    """Return whether a path is one of these files or in one of these folders."""
    return any(path == folder or path.startswith(f"{folder}/") for folder in folders)


def changed_lessons(changed: Iterable[str]) -> set[str]:
    """Return the numbers of the lessons whose notebook, checkers or answers have changed."""
    return {found[1] for path in changed if (found := OF_A_LESSON.match(path))}


def is_fast(path: str, changed: Iterable[str], dear: Iterable[str] = ()) -> bool:
    """Return whether the fast part collects a file; `dear` are those that took long here."""
    if path in changed or path in ALWAYS_FAST:
        return True
    if path in ANSWERS:
        return bool(changed_lessons(changed))
    return not (is_in(path, SLOW) or path in dear or needs_tensorflow(ROOT / path))


def needs_tensorflow(path: Path) -> bool:
    """Return whether a file of tests imports TensorFlow or Keras at its top."""
    try:
        return path.suffix == ".py" and TENSORFLOW.search(path.read_bytes()) is not None
    except OSError:
        return False


def dear_files(scopes: dict[str, dict[str, Any]]) -> list[str]:
    """Return the files that took more processor time than the fast part has for one."""
    files: dict[str, float] = {}
    for scope, cost in scopes.items():
        path = scope.partition("::")[0]
        files[path] = files.get(path, 0.0) + float(cost["processor"])
    return sorted(path for path, seconds in files.items() if seconds > FAST)


def is_fast_test(nodeid: str, changed: list[str]) -> bool:
    """Return whether the fast part runs a test: of the answers, those of changed lessons."""
    path = nodeid.partition("::")[0]
    if path not in ANSWERS or path in changed:
        return True
    return any(f"[{lesson}" in nodeid for lesson in changed_lessons(changed))


def what_is_known(scopes: dict[str, dict[str, Any]], changed: list[str]) -> dict[str, Any]:
    """Return the costs of earlier runs here, and which files the fast part leaves out for them."""
    return {
        "costs": {scope: float(cost["wall"]) for scope, cost in scopes.items()},
        "changed": changed,
        "dear": dear_files(scopes) if scopes else list(DEAR_ELSEWHERE),
    }


class Order:
    """Choose the fast part if it is asked for, and give pytest-xdist the long scopes first.

    Each worker collects the tests itself and must come to the same list. So the process that starts
    the workers reads the costs and the changed files, once, and tells them.
    """

    def __init__(self, config: pytest.Config) -> None:
        told = getattr(config, "workerinput", None)
        self.is_worker = told is not None
        if told is None:
            cache = getattr(config, "cache", None)
            scopes = kept_scopes(cache) if cache is not None else {}
            told = what_is_known(scopes, changed_files() if config.getoption("fast") else [])
        self.fast = config.getoption("fast")
        self.costs: dict[str, float] = told["costs"]
        self.changed: list[str] = told["changed"]
        self.dear: list[str] = told["dear"]

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell a worker of pytest-xdist."""
        node.workerinput.update(costs=self.costs, changed=self.changed, dear=self.dear)

    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        """Leave out the files that are not in the fast part, before anything is imported."""
        if not self.fast or collection_path.is_dir():
            return None
        if not collection_path.is_relative_to(ROOT):
            return None
        path = collection_path.relative_to(ROOT).as_posix()
        return None if is_fast(path, self.changed, self.dear) else True

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """Drop the answers to other lessons from the fast part; put the long scopes first."""
        if self.fast:
            left_out = [item for item in items if not is_fast_test(item.nodeid, self.changed)]
            if left_out:
                config.hook.pytest_deselected(items=left_out)
                items[:] = [item for item in items if is_fast_test(item.nodeid, self.changed)]
        if self.is_worker:
            order = long_first((item.nodeid for item in items), self.costs)
            place = {scope: i for i, scope in enumerate(order)}
            items.sort(key=lambda item: place[scope_of(item.nodeid)])

    def pytest_report_header(self) -> str | None:
        """Say what the fast part is."""
        if not self.fast:
            return None
        left_out = [path for path in sorted({*SLOW, *self.dear}) if path not in self.changed]
        return (
            f"fast part: without files that import TensorFlow and {', '.join(left_out)}; "
            "what has changed since the last commit runs nevertheless"
        )


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option of `make test FAST=1`."""
    parser.addoption(
        "--fast",
        action="store_true",
        help="leave out kernels, models and measurements, but for what has changed",
    )


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Measure where tests run, keep where all reports arrive, and order where both meet."""
    config.pluginmanager.register(Order(config), "labkit-order")
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False  # by number of tests: a lesson may be one test
    is_worker = hasattr(config, "workerinput")
    if is_worker or not config.getoption("numprocesses", None):
        config.pluginmanager.register(Meter(), "labkit-meter")
    if not is_worker:
        config.pluginmanager.register(Keeper(config), "labkit-keeper")
