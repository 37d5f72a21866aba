"""Servers that lessons start: they answer, and no process of theirs is left, whatever happens."""

import http.client
import itertools
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from labkit.course import server_keeper, serving

ROOT = Path(__file__).resolve().parents[1]
PAGES = """
import http.server, os, pathlib, subprocess, sys

class Pages(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(" ".join(sys.argv[1:]).encode())

    def log_message(self, *_):
        pass

if "worker" not in sys.argv:
    for _ in range(int(os.environ.get("CHILDREN", 0))):
        subprocess.Popen([sys.executable, __file__, "worker"], start_new_session=True)
    print("here I am")
    address = "127.0.0.1", int(os.environ["PORT"])
    http.server.ThreadingHTTPServer(address, Pages).serve_forever()

import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path(os.environ["WORKERS"], str(os.getpid())).touch()
time.sleep(1000)
"""


@pytest.fixture(autouse=True)
def _nothing_runs_afterwards():
    yield
    serving.stop_all()


@pytest.fixture
def script(tmp_path):
    folder = tmp_path / "a folder"
    folder.mkdir()
    path = folder / "pages.py"
    path.write_text(PAGES, encoding="utf-8")
    return path


def get(server, path="/"):
    connection = http.client.HTTPConnection(server.host, server.port, timeout=10)
    connection.request("GET", path)
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def wait_until(condition, seconds=20.0):
    """Return whether a condition holds before the time is over."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.05)
    return False


# ---- starting and stopping ----


def test_a_server_answers_with_its_arguments_on_this_machine_only(script):
    with serving.start(script, "one", "two words", ready="/") as server:
        assert get(server) == (200, "one two words")
        addresses = set()
        for process in server.processes():
            for connection in process.net_connections(kind="tcp"):
                if connection.status == psutil.CONN_LISTEN:
                    addresses.add(connection.laddr.ip)
        assert addresses == {"127.0.0.1"}
        assert repr(server) == "server pages: running"
    assert repr(server) == "server pages: stopped"
    assert not server.processes()
    with pytest.raises(OSError):
        get(server)


def test_stopping_ends_children_that_left_the_group_and_ignore_signals(script, monkeypatch):
    monkeypatch.setenv("CHILDREN", "2")
    server = serving.start(script, ready="/", workers=2)
    found = server.processes()
    assert len(found) == 3
    server.stop()
    assert not any(server_keeper.is_alive(process) for process in found)
    assert not server._folder.exists()
    server.stop()  # a second time changes nothing


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no sessions")
def test_stopping_ends_children_without_the_mark_in_their_environment(script, monkeypatch):
    """Ray's processes give themselves a title, which overwrites what the system shows of it."""
    bare = script.read_text(encoding="utf-8").replace(
        "start_new_session=True", 'env={"WORKERS": os.environ["WORKERS"]}'
    )
    script.write_text(bare, encoding="utf-8")
    monkeypatch.setenv("CHILDREN", "1")
    server = serving.start(script, ready="/", workers=1)
    found = server.processes()
    assert len(found) == 2
    assert len(server.workers()) == 1
    server.stop()
    assert not any(server_keeper.is_alive(process) for process in found)


def test_a_server_that_was_stopped_claims_no_processes(script):
    """The number of its session may belong to another program by then."""
    server = serving.start(script, ready="/")
    server.stop()
    server._session = os.getsid(0) if sys.platform != "win32" else None
    assert server.processes() == []
    server.stop()


def test_stopping_ends_the_children_of_a_server_that_has_died(script, monkeypatch):
    monkeypatch.setenv("CHILDREN", "1")
    server = serving.start(script, ready="/", workers=1)
    main = next(p for p in server.processes() if "worker" not in p.cmdline())
    main.kill()
    assert wait_until(lambda: not server.is_running)
    server.stop()
    assert not server.processes()


def test_stopping_works_when_the_keeper_was_killed(script, monkeypatch):
    monkeypatch.setenv("CHILDREN", "1")
    server = serving.start(script, ready="/", workers=1)
    server._keeper.kill()
    server._keeper.wait()
    assert server.processes()
    server.stop()
    assert not server.processes()


@pytest.mark.parametrize("how", ["killed", "ends", "raises"])
def test_a_server_does_not_outlive_the_python_that_started_it(script, how):
    last = {"killed": "time.sleep(1000)", "ends": "pass", "raises": "raise SystemExit(3)"}[how]
    program = (
        "import sys, time\n"
        "from labkit.course import serving\n"
        "server = serving.start(sys.argv[1], ready='/', workers=1)\n"
        "print(server._mark, server._folder, flush=True)\n"
        f"{last}\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program, str(script)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "CHILDREN": "1", "TQDM_DISABLE": "1"},
    )
    mark, folder = parent.stdout.readline().strip().split(" ", 1)
    if how == "killed":
        assert len(server_keeper.family(mark)) == 2
        parent.kill()
    parent.wait(60)
    parent.stdout.close()
    assert wait_until(lambda: not server_keeper.family(mark))
    assert wait_until(lambda: not Path(folder).exists())


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no groups of processes")
def test_an_interrupt_of_the_whole_group_does_not_reach_the_server(script):
    # JupyterLab's stop button sends the signal to the kernel and all that it has started.
    server = serving.start(script, ready="/")
    assert all(os.getpgid(process.pid) != os.getpgid(0) for process in server.processes())


def test_an_interrupt_while_starting_leaves_nothing(script, monkeypatch):
    seen = []

    def interrupted(server, *_):
        seen.append(server)
        raise KeyboardInterrupt

    monkeypatch.setattr(serving.Server, "_is_ready", interrupted)
    with pytest.raises(KeyboardInterrupt):
        serving.start(script, ready="/")
    assert not seen[0].is_running
    assert not seen[0].processes()


def test_a_script_that_ends_is_an_error_with_its_last_lines(tmp_path):
    path = tmp_path / "broken.py"
    path.write_text("print('well')\nraise ValueError('no model in here')\n", encoding="utf-8")
    with pytest.raises(serving.ServerFailed, match=r"broken ended:(.|\n)*no model in here"):
        serving.start(path)
    assert not serving._running


def test_a_server_that_is_not_ready_in_time_is_ended(script):
    with pytest.raises(serving.ServerFailed, match=r"not ready after 1 s(.|\n)*here I am"):
        serving.start(script, ready="/", workers=1, seconds=1)
    assert not serving._running


def test_the_port_of_another_program_is_not_taken_for_the_server(tmp_path):
    """The script listens nowhere, but somebody answers at the port."""
    path = tmp_path / "silent.py"
    path.write_text("import time\ntime.sleep(1000)\n", encoding="utf-8")
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(serving, "_free_port", lambda: port)
            with pytest.raises(serving.ServerFailed, match="not ready"):
                serving.start(path, ready="/", seconds=1)


@pytest.mark.parametrize("wait", [True, False])
def test_a_port_that_somebody_else_has_taken_means_another_try(script, monkeypatch, wait):
    free = serving._free_port()
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        ports = iter([other.getsockname()[1], free])
        monkeypatch.setattr(serving, "_free_port", lambda: next(ports))
        with serving.start(script, ready="/", wait=wait) as server:
            server.wait()
            assert server.port == free
            assert serving._running == {"pages": server}
            assert get(server)[0] == 200


def test_a_missing_script_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no script away\.py"):
        serving.start(tmp_path / "away.py")


def test_a_second_server_of_the_same_name_takes_the_place_of_the_first(script):
    first = serving.start(script, ready="/")
    second = serving.start(script, ready="/")
    other = serving.start(script, ready="/", name="other")
    assert not first.is_running
    assert not first.processes()
    assert second.is_running
    assert other.is_running


# ---- workers ----


def test_workers_are_those_that_announce_themselves(script, monkeypatch):
    monkeypatch.setenv("CHILDREN", "2")
    with serving.start(script, ready="/", workers=2) as server:
        workers = server.workers()
        assert len(workers) == 2
        assert all(worker.memory > 2**20 for worker in workers)
        assert server.kill_worker() == workers[0].pid
        assert [worker.pid for worker in server.workers()] == [workers[1].pid]
        assert get(server)[0] == 200


def test_workers_are_there_where_the_system_hides_their_own_memory(script, monkeypatch):
    def refuse(process):
        raise psutil.AccessDenied(process.pid)

    monkeypatch.setenv("CHILDREN", "1")
    with serving.start(script, ready="/", workers=1) as server:
        own = server.memory()
        monkeypatch.setattr(psutil.Process, "memory_full_info", refuse)
        (worker,) = server.workers()
        assert worker.memory > 2**20
        assert server.memory() > own > worker.memory / 10


def test_a_number_that_belongs_to_another_program_is_no_worker(script):
    with serving.start(script, ready="/") as server:
        (server._workers / str(os.getpid())).touch()
        assert server.workers() == []
        with pytest.raises(serving.ServerFailed, match="no worker"):
            server.kill_worker()


def test_waiting_for_workers_returns_when_they_are_there(script):
    with serving.start(script, ready="/") as server:
        threading.Timer(0.3, start_a_worker_of, [server]).start()
        assert 0.2 < server.wait_for_workers(1, seconds=30) < 30


def start_a_worker_of(server):
    server._workers.joinpath(str(server.processes()[0].pid)).touch()


def test_waiting_for_workers_has_an_end_that_says_what_is_missing(script, monkeypatch):
    monkeypatch.setenv("CHILDREN", "1")
    server = serving.start(script, ready="/", workers=1)
    with pytest.raises(serving.ServerFailed, match=r"pages had 1 of 2 workers after 1 s"):
        server.wait_for_workers(2, seconds=1)
    assert server.is_running


@pytest.mark.parametrize(("method", "arguments"), [("kill_worker", []), ("wait_for_workers", [1])])
def test_a_server_that_has_died_is_called_dead_at_once(script, method, arguments):
    server = serving.start(script, ready="/")
    server.processes()[0].kill()
    assert wait_until(lambda: not server.is_running)
    begin = time.monotonic()
    with pytest.raises(serving.ServerFailed, match=r"The server pages ended:\nhere I am"):
        getattr(server, method)(*arguments)
    assert time.monotonic() - begin < 10


def test_a_server_that_was_stopped_is_called_stopped(script):
    server = serving.start(script, ready="/")
    server.stop()
    with pytest.raises(serving.ServerFailed, match="pages was stopped"):
        server.kill_worker()


# ---- starting in the background ----


def test_a_server_may_start_while_something_else_happens(script):
    with serving.start(script, ready="/", wait=False) as server:
        assert server.wait() is server
        assert get(server)[0] == 200


def test_a_server_that_fails_in_the_background_says_so_when_waited_for(tmp_path):
    path = tmp_path / "broken.py"
    path.write_text("raise SystemExit('no model in here')\n", encoding="utf-8")
    server = serving.start(path, wait=False)
    with pytest.raises(serving.ServerFailed, match="no model in here"):
        server.wait()
    assert not serving._running


def test_an_interrupt_while_waiting_leaves_the_server_to_go_on(script, monkeypatch):
    server = serving.start(script, ready="/", wait=False)

    def interrupted():
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(server, "_is_ready", interrupted)
        with pytest.raises(KeyboardInterrupt):
            server.wait()
    assert server.wait().is_running


def test_temporary_files_of_a_server_go_with_it(script):
    source = script.read_text(encoding="utf-8")
    leave = 'import tempfile\n    print("left", tempfile.mkdtemp())'
    script.write_text(source.replace('print("here I am")', leave), encoding="utf-8")
    server = serving.start(script, ready="/")
    (left,) = [line[5:] for line in server.output().splitlines() if line.startswith("left")]
    assert Path(left).is_dir()
    server.stop()
    assert not Path(left).exists()


@pytest.mark.skipif(not Path("/tmp").is_dir(), reason="no folder with a short name")
def test_the_folder_of_a_server_has_a_short_path(script, tmp_path, monkeypatch):
    """Sockets go into it, and their paths may have some hundred letters."""
    deep = tmp_path / ("deep" * 20)
    deep.mkdir()
    monkeypatch.setattr(serving.tempfile, "tempdir", str(deep))
    with serving.start(script, ready="/") as server:
        assert len(str(server._folder)) < 40


# ---- programs ----


def test_a_program_runs_to_its_end_and_its_words_are_kept():
    source = "import sys\nprint(sys.argv[1:])\nprint('a warning', file=sys.stderr)"
    assert serving.run(source, "one", "two words") == "['one', 'two words']\n"
    assert not serving._running


def test_a_program_that_fails_says_why():
    with pytest.raises(serving.ProgramFailed, match=r"status 1:(.|\n)*no such model"):
        serving.run("raise ValueError('no such model')")


def test_a_program_that_takes_too_long_is_ended_with_all_that_it_started():
    source = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(1000)'])\n"
        "print('child', child.pid, flush=True)\n"
        "time.sleep(1000)\n"
    )
    with pytest.raises(serving.ProgramFailed, match=r"ended after 2 s:\nchild \d+") as raised:
        serving.run(source, seconds=2)
    child = int(str(raised.value).split()[-1])
    assert wait_until(lambda: not psutil.pid_exists(child), seconds=5)


def test_a_child_that_outlives_its_program_is_ended():
    source = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(1000)'])\n"
        "print(child.pid)\n"
    )
    child = int(serving.run(source))
    assert wait_until(lambda: not psutil.pid_exists(child), seconds=5)


def test_an_interrupt_ends_a_program(monkeypatch):
    started = []

    def interrupted(program):
        started.append(program)
        raise KeyboardInterrupt

    monkeypatch.setattr(serving.Server, "is_running", property(interrupted))
    with pytest.raises(KeyboardInterrupt):
        serving.run("import time; time.sleep(1000)")
    assert not started[0].processes()
    assert not started[0]._folder.exists()


# ---- clients ----


def test_clients_that_were_all_answered_are_returned():
    found = serving.clients(lambda: lambda i: i, number=2, requests=4)
    assert found.expect_answers() is found


def test_a_request_without_an_answer_is_not_passed_over():
    def ask(i):
        if i > 1:
            raise ConnectionError("the server is gone")
        return i

    found = serving.clients(lambda: ask, number=1, requests=5)
    words = "3 of 5 requests were not answered. The first of them: ConnectionError: the server is"
    with pytest.raises(serving.NotAnswered, match=words):
        found.expect_answers()


def test_clients_share_the_requests_and_each_waits_for_its_answer():
    at_once = []
    inside = threading.Semaphore(0)
    number = itertools.count()

    def make():
        me = next(number)

        def ask(i):
            inside.release()
            at_once.append(inside._value)
            time.sleep(0.001)
            inside.acquire()
            return me, i * i

        return ask

    found = serving.clients(make, number=4, requests=100)
    assert sorted(found.answers) == list(range(100))
    assert all(answer[1] == i * i for i, answer in found.answers.items())
    assert max(at_once) <= 4
    assert next(number) == 4
    assert set(found.waited) == set(found.ended) == set(found.answers)
    assert max(found.ended.values()) <= found.seconds
    assert min(found.waited.values()) >= 0.001


def test_errors_belong_to_their_request():
    def ask(i):
        if i % 3 == 0:
            raise ValueError(f"not {i}")
        return i

    found = serving.clients(lambda: ask, number=2, requests=10)
    assert sorted(found.errors) == [0, 3, 6, 9]
    assert str(found.errors[6]) == "not 6"
    assert len(found.answers) == 6


def test_a_client_that_cannot_begin_is_an_error_of_its_requests():
    def make():
        raise OSError("no connection")

    found = serving.clients(make, number=2, requests=3)
    assert {str(error) for error in found.errors.values()} == {"no connection"}
    assert len(found.errors) == 3


def test_requests_that_hang_are_given_up():
    never = threading.Event()

    def ask(i):
        if i == 2:
            never.wait(30)
        return i

    found = serving.clients(lambda: ask, number=1, requests=5, seconds=0.5)
    never.set()
    assert found.seconds < 10
    assert sorted(found.answers) == [0, 1]
    assert str(found.errors[2]).startswith("no answer after")
    assert str(found.errors[4]).startswith("not sent after")


def test_something_happens_meanwhile_in_the_thread_that_called():
    seen = []

    def meanwhile():
        seen.append(threading.current_thread())

    serving.clients(lambda: lambda i: i, number=2, requests=4, meanwhile=meanwhile)
    assert seen == [threading.main_thread()]


def test_an_interrupt_meanwhile_sends_the_clients_home():
    asked = []

    def ask(i):
        asked.append(i)
        time.sleep(0.001)

    def meanwhile():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        serving.clients(lambda: ask, number=1, requests=10**6, meanwhile=meanwhile)
    assert wait_until(lambda: len(asked) == (time.sleep(0.1) or len(asked)), seconds=5)
    assert len(asked) < 10**6


def test_clients_go_on_until_something_else_is_over():
    def meanwhile():
        time.sleep(0.2)
        return "over"

    def ask(i):
        time.sleep(0.01)
        return i

    found = serving.clients(lambda: ask, number=2, meanwhile=meanwhile)
    assert found.meanwhile == "over"
    assert not found.errors
    assert sorted(found.answers) == list(range(len(found.answers)))
    assert len(found.answers) >= 2


def test_a_request_that_hangs_is_an_error_where_their_number_is_open():
    never = threading.Event()

    def ask(i):
        if i == 1:
            never.wait(30)
        return i

    found = serving.clients(lambda: ask, 1, meanwhile=lambda: time.sleep(0.2), seconds=0.4)
    never.set()
    assert list(found.answers) == [0]
    assert list(found.errors) == [1]


def test_clients_need_to_know_when_to_stop():
    with pytest.raises(ValueError, match="meanwhile"):
        serving.clients(lambda: lambda i: i, number=1)


@pytest.mark.parametrize(("number", "requests"), [(0, 1), (1, 0)])
def test_nobody_and_nothing_are_errors(number, requests):
    with pytest.raises(ValueError, match="at least one client and one request"):
        serving.clients(lambda: lambda i: i, number=number, requests=requests)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signal")
def test_the_keeper_passes_on_that_nobody_wants_the_server_any_more(tmp_path):
    """A server gets the chance to close its files: first the signal to end, later the last one."""
    path = tmp_path / "polite.py"
    goodbye = tmp_path / "goodbye"
    path.write_text(
        PAGES.replace(
            'print("here I am")',
            "import signal\n"
            f"    say = lambda *_: (pathlib.Path({str(goodbye)!r}).touch(), os._exit(0))\n"
            "    signal.signal(signal.SIGTERM, say)",
        ),
        encoding="utf-8",
    )
    serving.start(path, ready="/").stop()
    assert goodbye.exists()


def test_the_folder_for_files_is_one_and_goes_with_python():
    source = (
        "from labkit.course import serving\n"
        "path = serving.folder()\n"
        "(path / 'model').write_text('')\n"
        "print(path, path == serving.folder(), path.is_dir())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", source], cwd=ROOT, capture_output=True, text=True, check=True
    )
    path, *words = done.stdout.split()
    assert words == ["True", "True"]
    assert not Path(path).exists()
