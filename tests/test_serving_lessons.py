"""The code of lessons 14 and 15 in other hands: cells that run twice, servers that stall or die."""

import ast
import asyncio
import http.client
import json
import socket
import sys
import threading
import time
from pathlib import Path

import nbformat
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools" / "benchmarks"))

import ray_starts
import serving as program

ROOT = Path(__file__).resolve().parents[1]
LESSONS = [program.LESSON_14, program.LESSON_15]


def code_cells(lesson):
    """Return the sources of a lesson's code cells."""
    cells = nbformat.read(lesson, as_version=4).cells
    return [cell.source for cell in cells if cell.cell_type == "code"]


# ---- cells that run twice ----


def grown(source):
    """Return the names that a cell adds to and does not begin: each run makes them longer."""
    begun, found = set(), []
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign):
            begun.update(ast.unparse(target) for target in node.targets)
        if isinstance(node, ast.AugAssign) and ast.unparse(node.target) not in begun:
            found.append(ast.unparse(node.target))
    return found


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda path: path.stem)
def test_no_cell_makes_something_longer_each_time_it_runs(lesson):
    found = {source.splitlines()[0]: grown(source) for source in code_cells(lesson)}
    assert {line: names for line, names in found.items() if names} == {}


def test_a_cell_that_adds_to_the_work_of_another_is_found():
    assert grown("program += 'more'") == ["program"]
    assert grown("program = 'begun'\nprogram += 'more'") == []


# ---- the client of lesson 15 ----


class Silent:
    """A server that answers so many requests and then is silent, on connections that stay open."""

    def __init__(self, answers):
        self.left = answers
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.open = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.open.append(connection)
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        body = json.dumps({"answer": 1.0, "version": "1"}).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        while connection.recv(65536):
            if self.left > 0:
                self.left -= 1
                connection.sendall(head + body)

    def close(self):
        for each in [self.listener, *self.open]:
            each.close()


@pytest.fixture(scope="module")
def lesson_15():
    return program.defined_in(program.LESSON_15, program.NAMES_OF_LESSON_15)


@pytest.fixture(params=[0, 1], ids=["from the start", "on an open connection"])
def silent(request):
    server = Silent(request.param)
    yield server
    server.close()


def test_a_deadline_is_kept_whatever_the_server_does_not_do(lesson_15, silent):
    connection = http.client.HTTPConnection("127.0.0.1", silent.port, timeout=30)
    row = np.zeros(20)
    if silent.left:
        assert lesson_15["ask"](connection, row)["version"] == "1"
    begin = time.monotonic()
    with pytest.raises(TimeoutError, match=r"no answer within 0.5 s"):
        lesson_15["ask"](connection, row, deadline=0.5)
    assert time.monotonic() - begin < 5


def test_nobody_listens_and_the_deadline_is_kept(lesson_15):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    begin = time.monotonic()
    with pytest.raises(TimeoutError, match=r"no answer within 0.3 s"):
        lesson_15["ask"](connection, np.zeros(20), deadline=0.3)
    assert time.monotonic() - begin < 5


# ---- the batcher of lesson 14 ----


@pytest.fixture(scope="module")
def lesson_14():
    return program.defined_in(program.LESSON_14, program.NAMES_OF_LESSON_14)


def test_a_batcher_closes_although_its_server_has_died(lesson_14):
    async def dies(batch, model):
        raise ValueError("it dies")

    async def closed():
        batcher = lesson_14["Batcher"](len, answer=dies)
        waiting = asyncio.create_task(batcher(np.zeros(20), deadline=0.2))
        await asyncio.sleep(0)
        begin = time.monotonic()
        await lesson_14["close"](batcher, deadline=0.2)
        seconds = time.monotonic() - begin
        ends = await asyncio.gather(waiting, batcher.server, return_exceptions=True)
        return seconds, [type(end).__name__ for end in ends]

    seconds, ends = asyncio.run(closed())
    assert seconds < 5
    assert ends == ["TimeoutError", "ValueError"]


def test_with_one_caller_the_batcher_does_what_a_queue_does(lesson_14):
    """So it loses nothing there: the same calls with the same rows, and no timer."""

    async def calls(take):
        sizes, timers = [], []
        loop = asyncio.get_running_loop()
        call_at = loop.call_at

        def counted(when, *arguments, **options):
            timers.append(when - loop.time())
            return call_at(when, *arguments, **options)

        loop.call_at = counted
        batcher = lesson_14["Batcher"](lambda rows: sizes.append(len(rows)) or rows, take)
        for i in range(50):
            assert (await batcher(np.full(20, i)))[0] == i
        await lesson_14["close"](batcher)
        return sizes, [round(seconds) for seconds in timers]

    alone, drain = [asyncio.run(calls(lesson_14[name])) for name in ("alone", "drain")]
    assert drain == alone
    assert drain[0] == [1] * 50
    assert set(drain[1]) == {10}  # deadlines only


def test_with_sixteen_callers_the_batcher_makes_a_tenth_of_the_calls(lesson_14):
    async def calls(take):
        sizes = []
        batcher = lesson_14["Batcher"](lambda rows: sizes.append(len(rows)) or rows, take)

        async def caller():
            for i in range(20):
                await batcher(np.full(20, i))

        await asyncio.gather(*(caller() for _ in range(16)))
        await lesson_14["close"](batcher)
        return len(sizes)

    assert asyncio.run(calls(lesson_14["alone"])) == 320
    assert asyncio.run(calls(lesson_14["drain"])) <= 32


# ---- Ray in CI ----


def test_that_ray_starts_is_said(capsys):
    assert ray_starts.starts("print('well')")
    assert capsys.readouterr().out == "Ray starts on this machine.\n"


def test_where_ray_does_not_start_its_own_words_are_printed(capsys):
    assert not ray_starts.starts("raise RuntimeError('the raylet failed to start')", tries=2)
    printed = capsys.readouterr().out
    assert printed.count("RuntimeError: the raylet failed to start") == 2
    assert printed.endswith("Ray does not start on this machine.\n")


def test_a_start_of_ray_that_hangs_has_an_end(capsys):
    assert not ray_starts.starts("import time\ntime.sleep(1000)", seconds=1, tries=1)
    assert "ended after 1 s" in capsys.readouterr().out


def test_ci_runs_lesson_15_with_ray():
    steps = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert steps.index("make test") < steps.index("tools/ray_starts.py")
    assert steps.index("tools/ray_starts.py") < steps.index(program.LESSON_15.name)
