"""Measure what answers the requests of many clients: a loop, a batcher, LitServe and Ray Serve.

A program, not a test: some 10 minutes on a machine that does nothing else.

How fast. Clients in a closed loop, each sending its next row when it has its answer: requests per
second, and how long half of them and 99 in 100 waited at most.

- loop: one call of the model for each request, from as many threads as there are clients;
- queue and batcher: lesson 14's, with one call for each request, and with its batches;
- LitServe, and Ray Serve where the extra `cluster` is installed: two workers, HTTP and JSON.

Then clients in an open loop: requests come at times of their own, and are counted from then.

How safe. Clients with the deadline and the retries of lesson 15 send requests, while workers are
killed and the model is replaced by its next version. Each answer has the number of a version, and
is compared with what that version says about that row. A request without an answer is lost. An
answer is wrong if its version gives another one, was not published yet when the answer came, or had
been replaced by a later one everywhere before the request was sent.

    make bench-serving
"""

import argparse
import ast
import asyncio
import contextlib
import functools
import http.client
import importlib.util
import itertools
import json
import math
import platform
import random
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import psutil

import labkit as lab
from labkit.course import serving
from labkit.course.files import write_atomically
from labkit.measure.system import cores, package_version
from labkit.show.format import digits

HERE = Path(__file__).resolve().parent
PAGE = HERE / "serving.md"
NOTEBOOKS = HERE.parents[1] / "notebooks"
LESSON_14 = NOTEBOOKS / "14_many_callers.ipynb"
LESSON_15 = NOTEBOOKS / "15_more_than_one_process.ipynb"

CLIENTS = (1, 4, 16, 64)
LOOP, QUEUE, BATCHER, LITSERVE, RAY = "loop", "queue", "batcher", "LitServe", "Ray Serve"
NAMES_OF_LESSON_14 = frozenset(
    {"alone", "drain", "attempt", "settle", "answer", "Batcher", "serve", "close"}
)
NAMES_OF_LESSON_15 = frozenset({"send", "ask"})
FEWEST = 20  # requests of each client in a measurement
SHARES = (0.5, 0.8)  # of the rate in the closed loop with most clients: what comes in an open loop

WORKERS = 2
KILL, REPLACE = "kill", "replace"
# What happens in the drill, one step after the other; in the last three, both at the same time.
STEPS: tuple[tuple[str, ...], ...] = (
    (KILL,),
    (REPLACE,),
    (KILL,),
    (REPLACE,),
    *[(REPLACE, KILL)] * 3,
)
VERSIONS = 1 + sum(REPLACE in step for step in STEPS)
CLIENTS_OF_THE_DRILL = 16
SLOW = 20  # requests per second of all clients, while a service recovers
STEP_LIMIT = 120.0  # seconds for a worker to be replaced, or a version to be everywhere
START_LIMIT = 300.0

GAP = 1e-5  # of any two scores of the drill, over all rows and versions
TOLERANCE = 2e-6  # a row in a batch is added up in another order than alone
ROWS = 64

FIVEFOLD = 5  # batcher against queue, 16 clients
LOSES_NOTHING = 0.9  # the same, one client

Answer = dict[str, Any]  # the version and the score
Ask = Callable[[int], Answer]  # takes the number of a row


# ---- rows, models, and what is right ----


def rows_apart(scores: Any, wanted: int, gap: float = GAP) -> list[int]:
    """Return the numbers of rows whose scores all differ, in every version and between them.

    `scores` has a line for each version and a column for each row. Then an answer that belongs to
    another row or another version is never right by chance.
    """
    taken: list[float] = []
    found: list[int] = []
    for row in range(scores.shape[1]):
        new = [float(score) for score in scores[:, row]]
        others = [*taken, *new]
        pairs = (
            (score, other) for i, score in enumerate(new) for other in others[: len(taken) + i]
        )
        if all(abs(score - other) > gap for score, other in pairs):
            taken += new
            found.append(row)
            if len(found) == wanted:
                return found
    raise ValueError(f"only {len(found)} of {wanted} rows have scores that are {gap:g} apart")


@dataclass
class Change:
    """A version of the model: when it was published, and when every worker had it."""

    begun: float
    done: float = math.inf


@dataclass
class Sent:
    """One request: its row, when it was sent, and what came back."""

    row: int
    sent: float
    answered: float = math.inf
    version: int = 0
    score: float = math.nan
    error: str = ""

    @property
    def is_lost(self) -> bool:
        """Whether no answer came."""
        return self.answered == math.inf


def what_is_wrong(request: Sent, expected: dict[int, Any], changes: dict[int, Change]) -> str:
    """Return what is wrong with an answer, in words; nothing for a right one."""
    change = changes.get(request.version)
    if change is None or change.begun > request.answered:
        return "a version that was not published yet"
    for version, other in changes.items():
        if version > request.version and other.done < request.sent:
            return "a version that had been replaced"
    if not abs(request.score - float(expected[request.version][request.row])) <= TOLERANCE:
        return "not what its version says about its row"
    return ""


# ---- how fast ----


@dataclass
class Load:
    """What clients saw of a service."""

    rate: float  # answers per second
    p50: float  # seconds within which half of the requests were answered
    p99: float  # and 99 in 100
    failed: int = 0  # not answered, or not right


def percentile(values: Iterable[float], percent: float) -> float:
    """Return the smallest value that `percent` in a hundred values do not exceed; NaN of none."""
    ordered = sorted(values)
    if not ordered:
        return math.nan
    return ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)]


def load_of(found: serving.Clients, expected: Any) -> Load:
    """Return what clients saw; a request with a wrong answer has failed, too."""
    wrong = sum(
        not abs(answer["score"] - float(expected[i % len(expected)])) <= TOLERANCE
        for i, answer in found.answers.items()
    )
    waited = found.waited.values()
    return Load(
        rate=len(found.answers) / found.seconds,
        p50=percentile(waited, 50),
        p99=percentile(waited, 99),
        failed=len(found.errors) + wrong,
    )


def long_enough(measure: Callable[[int], Load], clients: int, seconds: float) -> Load:
    """Measure with so many requests as are answered in about `seconds`."""
    warm = measure(5 * clients)
    requests = max(FEWEST * clients, int(warm.rate * seconds))
    return measure(requests)


def middle(loads: list[Load]) -> Load:
    """Return the medians of repeated measurements; what failed in any of them is added up."""
    return Load(
        rate=statistics.median(load.rate for load in loads),
        p50=statistics.median(load.p50 for load in loads),
        p99=statistics.median(load.p99 for load in loads),
        failed=sum(load.failed for load in loads),
    )


class Measured(Protocol):
    """A way to answer requests whose speed is measured."""

    def closed(self, clients: int, requests: int) -> Load:
        """Let clients send requests, each its next one when it has its answer."""
        ...

    def open(self, due: list[float]) -> Load:
        """Let requests come at their times, in seconds from the start."""
        ...


def arrivals(rate: float, seconds: float, seed: int = 0) -> list[float]:
    """Return the times of requests that come by chance, so many per second on average."""
    chance = random.Random(seed)
    gaps = (chance.expovariate(rate) for _ in range(max(1, round(rate * seconds))))
    return list(itertools.accumulate(gaps))


@dataclass
class ByThreads:
    """Clients in threads, each with a function of its own that asks."""

    client: Callable[[], Ask]
    expected: Any

    def closed(self, clients: int, requests: int) -> Load:
        """Let clients send requests, each its next one when it has its answer."""
        found = serving.clients(self.numbered, clients, requests, seconds=STEP_LIMIT)
        return load_of(found, self.expected)

    def numbered(self) -> Callable[[int], Answer]:
        """Return a client that goes round the rows."""
        ask = self.client()
        return lambda i: ask(i % len(self.expected))

    def open(self, due: list[float]) -> Load:
        """Let requests come at their times; the threads are enough for those that wait."""
        late: dict[int, float] = {}
        begin = time.perf_counter() + 0.1

        def client() -> Callable[[int], Answer]:
            ask = self.numbered()

            def ask_when_due(i: int) -> Answer:
                time.sleep(max(0.0, begin + due[i] - time.perf_counter()))
                answer = ask(i)
                late[i] = time.perf_counter() - begin - due[i]
                return answer

            return ask_when_due

        found = serving.clients(client, CLIENTS[-1], len(due), seconds=60 + due[-1])
        found.waited = late
        return load_of(found, self.expected)


@dataclass
class ByLesson14:
    """Callers in an event loop, who share lesson 14's queue."""

    model: Callable[[Any], Any]
    rows: Any
    expected: Any
    take: str  # the lesson's name of the way to take requests out of the queue
    lesson: dict[str, Any]

    def closed(self, clients: int, requests: int) -> Load:
        """Let callers send requests, each its next one when it has its answer."""
        return asyncio.run(self._closed(clients, requests))

    def open(self, due: list[float]) -> Load:
        """Let requests come at their times."""
        return asyncio.run(self._open(due))

    async def _closed(self, clients: int, requests: int) -> Load:
        batcher = self.lesson["Batcher"](self.model, self.lesson[self.take])
        found = serving.Clients()
        numbers = iter(range(requests))

        async def client() -> None:
            for i in numbers:
                await self._ask(batcher, i, time.perf_counter(), found)

        return await self._all(batcher, found, [client() for _ in range(clients)])

    async def _open(self, due: list[float]) -> Load:
        batcher = self.lesson["Batcher"](self.model, self.lesson[self.take])
        found = serving.Clients()

        async def arrive() -> None:
            begin = time.perf_counter()
            tasks = []
            for i, when in enumerate(due):
                await asyncio.sleep(max(0.0, begin + when - time.perf_counter()))
                asked = self._ask(batcher, i, begin + when, found)
                tasks.append(asyncio.create_task(asked))
            await asyncio.gather(*tasks)

        return await self._all(batcher, found, [arrive()])

    async def _ask(self, batcher: Any, i: int, since: float, found: serving.Clients) -> None:
        try:
            score = await batcher(self.rows[i % len(self.rows)])
        except Exception as error:
            found.errors[i] = error
        else:
            found.answers[i] = {"version": 1, "score": float(score[0])}
            found.waited[i] = time.perf_counter() - since

    async def _all(self, batcher: Any, found: serving.Clients, tasks: list[Any]) -> Load:
        begin = time.perf_counter()
        await asyncio.gather(*tasks)
        found.seconds = time.perf_counter() - begin
        await self.lesson["close"](batcher)
        return load_of(found, self.expected)


def defined_in(lesson: Path, names: frozenset[str]) -> dict[str, Any]:
    """Return functions and classes that a lesson defines, by name, and run nothing else of it."""
    import numpy as np

    # What the lessons have imported.
    found: dict[str, Any] = {"asyncio": asyncio, "contextlib": contextlib, "np": np, "http": http}
    found |= {"json": json, "random": random, "time": time}
    left = set(names)
    for cell in json.loads(lesson.read_text(encoding="utf-8"))["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] != "code" or not any(name in source for name in left):
            continue
        for node in ast.parse(source).body:
            if getattr(node, "name", None) in left:
                left.remove(node.name)  # type: ignore[attr-defined]
                exec(compile(ast.Module([node], []), lesson.name, "exec"), found)
    if left:
        raise ValueError(f"{lesson.name} does not define {', '.join(sorted(left))}")
    return found


# ---- how safe ----


class Service(Protocol):
    """A running service, for the drill."""

    def client(self) -> Ask:
        """Return a client of its own for a thread."""
        ...

    def kill(self) -> None:
        """Kill a worker at once."""
        ...

    def replace(self, version: int) -> None:
        """Publish a version; return when every worker answers with it."""
        ...

    def is_whole(self) -> bool:
        """Whether all workers are there."""
        ...


@dataclass
class Drill:
    """What became of the requests."""

    sent: dict[int, Sent] = field(default_factory=dict)
    changes: dict[int, Change] = field(default_factory=dict)
    killed: int = 0
    recovered: list[float] = field(default_factory=list)  # seconds after each kill
    troubles: list[str] = field(default_factory=list)  # what the drill itself could not do

    def lost(self, requests: int) -> int:
        """Return how many of so many requests got no answer, those never sent included."""
        return requests - sum(not request.is_lost for request in self.sent.values())

    def wrong(self, expected: dict[int, Any]) -> "Counter[str]":
        """Return how many answers are wrong, by what is wrong with them."""
        answered = [request for request in self.sent.values() if not request.is_lost]
        words = (what_is_wrong(request, expected, self.changes) for request in answered)
        return Counter(word for word in words if word)

    @property
    def replaced(self) -> int:
        """Return how many versions took the place of another everywhere."""
        return sum(change.done < math.inf for change in self.changes.values()) - 1

    @property
    def waited(self) -> list[float]:
        """Return the seconds from each request to its answer."""
        return [one.answered - one.sent for one in self.sent.values() if not one.is_lost]


class Pace:
    """When requests may leave: at full speed around each step, slowly until it is mended."""

    def __init__(self, requests: int, steps: int):
        self.requests, self.steps = requests, steps
        self.opened = [threading.Event() for _ in range(steps)]
        self.mended = [threading.Event() for _ in range(steps)]

    def first(self, step: int) -> int:
        """Return the number of the first request of a step."""
        return -(-self.requests * step // self.steps)

    def is_under_way(self, step: int, sent: Collection[int]) -> bool:
        """Return whether an eighth of the requests of a step have been sent."""
        return len(sent) > (7 * self.first(step) + self.first(step + 1)) // 8

    def wait(self, number: int) -> None:
        """Wait until a request may leave."""
        step = number * self.steps // self.requests
        self.opened[step].wait()
        half = (self.first(step) + self.first(step + 1)) // 2
        if number >= half:
            self.mended[step].wait(CLIENTS_OF_THE_DRILL / SLOW)

    def let_all_go(self) -> None:
        """Hold nobody any longer, whatever happened."""
        for event in [*self.opened, *self.mended]:
            event.set()


def drill(
    service: Service,
    requests: int,
    rows: int = ROWS,
    steps: tuple[tuple[str, ...], ...] = STEPS,
    limit: float = STEP_LIMIT,
) -> Drill:
    """Send requests while workers are killed and versions replaced; return what became of them."""
    found = Drill(changes={1: Change(-math.inf, -math.inf)})
    pace = Pace(requests, len(steps))

    def client() -> Callable[[int], None]:
        ask = service.client()

        def send(number: int) -> None:
            pace.wait(number)
            request = found.sent[number] = Sent(number % rows, time.perf_counter())
            try:
                answer = ask(request.row)
            except Exception as error:
                request.error = f"{type(error).__name__}: {error}"
                return
            request.version, request.score = answer["version"], answer["score"]
            request.answered = time.perf_counter()

        return send

    def disturb() -> None:
        try:
            for number, step in enumerate(steps):
                show(f"drill, step {number + 1} of {len(steps)}: {' and '.join(step)}")
                pace.opened[number].set()
                wait_until(functools.partial(pace.is_under_way, number, found.sent), limit)
                one_step(service, step, found, limit)
                pace.mended[number].set()
        finally:
            pace.let_all_go()

    seconds = len(steps) * 2 * limit
    serving.clients(client, CLIENTS_OF_THE_DRILL, requests, meanwhile=disturb, seconds=seconds)
    return found


def one_step(service: Service, step: tuple[str, ...], found: Drill, limit: float) -> None:
    """Replace the version, kill a worker, or both at the same time; wait until all is well."""
    replacing = threading.Thread(target=replace, args=(service, found), daemon=True)
    if REPLACE in step:
        replacing.start()
        if KILL in step:
            time.sleep(0.2)
    if KILL in step:
        try:
            service.kill()
            found.killed += 1
        except Exception as error:
            found.troubles.append(f"no worker could be killed: {error}")
    begin = time.perf_counter()
    whole = wait_until(service.is_whole, limit)
    if KILL in step and whole:
        found.recovered.append(time.perf_counter() - begin)
    if not whole:
        found.troubles.append(f"a worker was not there again after {limit:.0f} s")
    if REPLACE in step:
        replacing.join(limit)
        if replacing.is_alive():
            found.troubles.append(f"a version was not everywhere after {limit:.0f} s")


def replace(service: Service, found: Drill) -> None:
    """Publish the next version, and note when it was everywhere."""
    version = max(found.changes) + 1
    change = found.changes[version] = Change(time.perf_counter())
    try:
        service.replace(version)
        change.done = time.perf_counter()
    except Exception as error:
        found.troubles.append(f"version {version} did not arrive: {error}")


def wait_until(is_so: Callable[[], bool], limit: float) -> bool:
    """Wait until something is so, for some seconds at most; return whether it is."""
    end = time.monotonic() + limit
    while not is_so():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True


# ---- the servers ----


@dataclass
class Served(contextlib.AbstractContextManager["Served"]):
    """A server in processes of its own, and its folder with the versions."""

    server: serving.Server
    folder: Path
    rows: Any
    confirms: bool  # whether it says in the note `served` which version is everywhere
    tries: "itertools.count[int]" = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        lesson = defined_in(LESSON_15, NAMES_OF_LESSON_15)
        send = lesson["send"]

        def count_and_send(*arguments: Any) -> Any:
            next(self.tries)
            return send(*arguments)

        lesson["send"] = count_and_send  # which `ask` calls
        self.ask = lesson["ask"]

    def __exit__(self, *_: object) -> None:
        self.server.stop()

    def client(self) -> Ask:
        """Return lesson 15's client, with a connection of its own."""
        connection = http.client.HTTPConnection(self.server.host, self.server.port, timeout=5)
        return lambda row: self.ask(connection, self.rows[row])

    def kill(self) -> None:
        """Kill a worker at once; if none is there at the moment, the next one."""
        wait_until(lambda: bool(self.server.workers()), STEP_LIMIT)
        self.server.kill_worker()

    def replace(self, version: int) -> None:
        """Publish a version; return when every worker answers with it."""
        write_atomically(self.folder / "current", str(version))
        served = self.folder / "served"
        if self.confirms and not wait_until(lambda: served.read_text() == str(version), STEP_LIMIT):
            raise TimeoutError(f"not everywhere after {STEP_LIMIT:.0f} s")

    def is_whole(self) -> bool:
        """Whether all workers are there."""
        time.sleep(0.2)  # to look at all processes takes time from those that answer
        return len(self.server.workers()) >= WORKERS


SCRIPTS = {LITSERVE: HERE / "serve_with_litserve.py", RAY: HERE / "serve_with_ray.py"}
PACKAGES = {LITSERVE: "litserve", RAY: "ray"}
READY = {LITSERVE: "/health", RAY: "/-/healthz"}


def is_installed(engine: str) -> bool:
    """Return whether a server is installed; Ray without its extra `serve` is not one."""
    return all(importlib.util.find_spec(name) for name in (PACKAGES[engine], "uvicorn"))


def start(engine: str, folder: Path, rows: Any) -> Served:
    """Start a server with version 1, and wait until all workers are there."""
    write_atomically(folder / "current", "1")
    server = serving.start(
        SCRIPTS[engine],
        str(folder),
        name=engine,
        workers=WORKERS,
        ready=READY[engine],
        seconds=START_LIMIT,
    )
    served = Served(server, folder, rows, confirms=engine == RAY)
    served.client()(0)  # the first answer, through all that lies between
    return served


# ---- together ----


@dataclass
class Results:
    """All that was measured."""

    closed: dict[str, dict[int, Load]] = field(default_factory=dict)  # by engine and clients
    opened: dict[str, dict[float, Load]] = field(default_factory=dict)  # by engine and rate
    drills: dict[str, Drill] = field(default_factory=dict)
    wrong: dict[str, "Counter[str]"] = field(default_factory=dict)  # answers of the drill
    again: dict[str, int] = field(default_factory=dict)  # tries after the first, in the drill
    missing: list[str] = field(default_factory=list)  # engines that are not installed
    busy: list[float] = field(default_factory=list)  # percent of the processor, before each engine


@dataclass
class Options:
    """How much to measure."""

    requests: int = 5000
    seconds: float = 2.0
    repeats: int = 3


class Bench:
    """Models, rows and what is right for them; it measures one engine after the other."""

    def __init__(self, folder: Path, options: Options):
        import numpy as np
        import tensorflow as tf

        self.folder, self.options, self.results = folder, options, Results()
        candidates = lab.models.random_rows(2000, inputs=20)
        scores = []
        for version in range(1, VERSIONS + 1):
            show(f"model, version {version} of {VERSIONS}")
            model = lab.models.service(seed=version)
            model.export(str(folder / str(version)), verbose=False)
            scores.append(model(candidates).numpy()[:, 0])
        chosen = rows_apart(np.array(scores), ROWS)
        self.rows = candidates[chosen]
        self.expected = {i + 1: line[chosen] for i, line in enumerate(scores)}
        self.model = tf.saved_model.load(str(folder / "1"))

    def ask_the_model(self) -> Ask:
        """Return a client that calls the model itself."""

        def ask(row: int) -> Answer:
            return {"version": 1, "score": float(self.model.serve(self.rows[row : row + 1])[0, 0])}

        return ask

    def note_how_busy(self) -> None:
        """Note what other programs take of the processor, while this one waits."""
        show("how busy is the machine?")
        self.results.busy.append(psutil.cpu_percent(interval=2))

    def in_this_process(self) -> None:
        """Measure the ways without a server."""
        self.note_how_busy()
        lesson = defined_in(LESSON_14, NAMES_OF_LESSON_14)

        def model(batch: Any) -> Any:
            return self.model.serve(batch).numpy()

        first = self.expected[1]
        self.measure(
            {
                LOOP: ByThreads(self.ask_the_model, first),
                QUEUE: ByLesson14(model, self.rows, first, "alone", lesson),
                BATCHER: ByLesson14(model, self.rows, first, "drain", lesson),
            }
        )

    def behind(self, engine: str) -> None:
        """Start a server, measure it, and try to lose requests."""
        self.note_how_busy()
        show(f"{engine}: starting, up to {START_LIMIT:.0f} s")
        with start(engine, self.folder, self.rows) as served:
            self.measure({engine: ByThreads(served.client, self.expected[1])})
            before = next(served.tries)
            found = drill(served, self.options.requests)
            tries = next(served.tries) - before - 1
        self.results.drills[engine] = found
        self.results.wrong[engine] = found.wrong(self.expected)
        self.results.again[engine] = tries - len(found.sent)

    def measure(self, ways: dict[str, Measured]) -> None:
        """Measure ways in turns, in a closed loop and then in an open one."""
        loads: dict[tuple[str, int], list[Load]] = {}
        for repeat in range(self.options.repeats):
            for clients, (name, way) in itertools.product(CLIENTS, ways.items()):
                show(f"{name}, {clients} clients: {repeat + 1} of {self.options.repeats}")
                measure = functools.partial(way.closed, clients)
                load = long_enough(measure, clients, self.options.seconds)
                loads.setdefault((name, clients), []).append(load)
        for (name, clients), found in loads.items():
            self.results.closed.setdefault(name, {})[clients] = middle(found)
        for name in ways.keys() - {LOOP, QUEUE}:
            self.results.opened[name] = self.in_the_open(name, ways[name])

    def in_the_open(self, name: str, way: Measured) -> dict[float, Load]:
        """Measure requests that come at times of their own."""
        most = self.results.closed[name][CLIENTS[-1]].rate
        found = {}
        for share in SHARES:
            show(f"{name}, open loop: {share:.0%} of the most")
            found[share * most] = way.open(arrivals(share * most, 2 * self.options.seconds))
        return found


def closed_table(results: Results) -> list[str]:
    """Return the lines of the first table."""
    lines = [
        "| clients | " + " | ".join(f"{clients}" for clients in CLIENTS) + " |",
        "|---|" + "---|" * len(CLIENTS),
    ]
    for engine, loads in results.closed.items():
        cells = [f"{digits(load.rate)}/s: {waits(load)}" for load in loads.values()]
        lines.append(f"| {engine} | " + " | ".join(cells) + " |")
    for engine in results.missing:
        lines.append(f"| {engine} | " + " | ".join(["not installed"] * len(CLIENTS)) + " |")
    return lines


def waits(load: Load) -> str:
    """Return p50 and p99 in milliseconds."""
    return f"{digits(1000 * load.p50)}, {digits(1000 * load.p99)} ms"


def open_table(results: Results) -> list[str]:
    """Return the lines of the second table."""
    lines = ["| requests come to | per second | p50, p99 | not answered |", "|---|---|---|---|"]
    for engine, loads in results.opened.items():
        for rate, load in loads.items():
            lines.append(f"| {engine} | {digits(rate)} | {waits(load)} | {load.failed:,} |")
    return lines


def drill_table(results: Results, requests: int) -> list[str]:
    """Return the lines of the third table."""
    lines = [
        "| drill | workers killed | versions replaced | lost | wrong | sent again | longest wait "
        "| whole again after |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for engine, found in results.drills.items():
        after = f"{statistics.median(found.recovered):.0f} s" if found.recovered else "never"
        cells = [
            engine,
            f"{found.killed}",
            f"{found.replaced}",
            f"{found.lost(requests):,} of {requests:,}",
            f"{results.wrong[engine].total():,} of {requests - found.lost(requests):,}",
            f"{results.again[engine]:,}",
            f"{digits(max(found.waited, default=math.nan))} s",
            after,
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def promises_missed(results: Results, requests: int) -> list[str]:
    """Return what the course promises and was not kept."""
    missed = []
    for engine, loads in results.closed.items():
        for clients, load in loads.items():
            if load.failed:
                missed.append(f"{engine}, {clients} clients: {load.failed} requests failed")
    if BATCHER in results.closed:
        queue, batcher = results.closed[QUEUE], results.closed[BATCHER]
        for clients, least in ((16, FIVEFOLD), (1, LOSES_NOTHING)):
            gain = batcher[clients].rate / queue[clients].rate
            if gain < least:
                missed.append(f"{clients} clients: the batcher is {gain:.2f} times the queue")
    for engine, found in results.drills.items():
        missed += [f"{engine}: {trouble}" for trouble in found.troubles]
        if found.lost(requests):
            missed.append(f"{engine}: {found.lost(requests)} requests lost")
            errors = Counter(
                one.error or "never answered" for one in found.sent.values() if one.is_lost
            )
            missed += [f"{engine}: {count} x {text}" for text, count in errors.most_common(3)]
        missed += [f"{engine}: {count} x {text}" for text, count in results.wrong[engine].items()]
    return missed


def conditions(results: Results, options: Options) -> str:
    """Return in words how the tables were made."""
    packages = ["tensorflow", "litserve", "ray"]
    names = ["TensorFlow", "LitServe", "Ray"]
    versions = []
    for package, name in zip(packages, names, strict=True):
        if version := package_version(package):
            versions.append(f"{name} {version}")
    missing = "".join(f" {engine} was not installed." for engine in results.missing)
    return (
        f"Made on {time.strftime('%Y-%m-%d')} with Python {platform.python_version()}, "
        f"{', '.join(versions)}, {cores()} cores, {platform.system()} {platform.machine()}; the "
        f"clients are on the same cores. Other programs took up to {max(results.busy):.0f} % of "
        f"the processor before an engine was measured. Medians of {options.repeats} runs of "
        f"{options.seconds:g} s. The servers have {WORKERS} workers of one thread, batches of up "
        f"to 32 rows and wait 2 ms for them.{missing}"
    )


def show(text: str) -> None:
    """Show on one line what goes on."""
    print(f"\r{text:70}", end="", file=sys.stderr, flush=True)


def measure_all(options: Options, engines: list[str]) -> tuple[Results, list[str]]:
    """Measure the engines; return the results, and what went wrong with a server."""
    failed = []
    # A short path: the names of Ray's sockets are in it, and may have some hundred letters.
    short = "/tmp" if Path("/tmp").is_dir() else None
    with tempfile.TemporaryDirectory("", "serving-", short, True) as folder:
        bench = Bench(Path(folder), options)
        if LOOP in engines:
            bench.in_this_process()
        for engine in (LITSERVE, RAY):
            if engine not in engines:
                continue
            if not is_installed(engine):
                bench.results.missing.append(engine)
                continue
            try:
                bench.behind(engine)
            except (serving.ServerFailed, TimeoutError) as error:
                failed.append(f"{engine}: {error}")
    return bench.results, failed


def main() -> int:
    """Make the tables, store them, and return 1 where a promise was missed."""
    parser = argparse.ArgumentParser(description="Measure what answers the requests of clients.")
    parser.add_argument("--requests", type=int, default=5000, help="of a drill (default: 5000)")
    parser.add_argument("--seconds", type=float, default=2.0, help="of one run (default: 2)")
    parser.add_argument("--repeats", type=int, default=3, help="of each run (default: 3)")
    parser.add_argument(
        "--only", choices=[LOOP, LITSERVE, RAY], help="these alone; nothing is stored", nargs="+"
    )
    parser.add_argument("--output", type=Path, help="the file to store the tables in")
    asked = parser.parse_args()
    if asked.requests < 10 * len(STEPS) or asked.seconds <= 0 or asked.repeats < 1:
        parser.error(f"at least {10 * len(STEPS)} requests, one repeat, and some seconds")
    lab.setup()
    options = Options(asked.requests, asked.seconds, asked.repeats)
    try:
        results, failed = measure_all(options, asked.only or [LOOP, LITSERVE, RAY])
    except KeyboardInterrupt:
        print("\nStopped: nothing is stored, and no server is running.", file=sys.stderr)
        return 130
    lines = [
        *[*closed_table(results), ""],
        *[*open_table(results), ""],
        *[*drill_table(results, options.requests), ""],
        conditions(results, options),
    ]
    text = "\n".join(lines) + "\n"
    print(f"\n{text}")
    output = asked.output or (None if asked.only else PAGE)
    if output and not failed:
        write_atomically(output, text)
    for line in [*failed, *promises_missed(results, options.requests)]:
        print(f"missed: {line}", file=sys.stderr)
    return 1 if failed or promises_missed(results, options.requests) else 0


if __name__ == "__main__":
    sys.exit(main())
