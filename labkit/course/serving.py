"""Start a server in processes of its own, stop it whatever happens, and let many clients ask it."""

import atexit
import contextlib
import functools
import http.client
import importlib.util
import itertools
import math
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..show import stop
from ..show.errors import OneLine
from ..show.progress import progress_bar
from . import server_keeper, serving_cluster

__all__ = [
    "HOST",
    "Clients",
    "NotAnswered",
    "ProgramFailed",
    "Server",
    "ServerFailed",
    "Worker",
    "clients",
    "folder",
    "has",
    "run",
    "start",
    "start_cluster",
    "stop_all",
]

HOST = "127.0.0.1"
_KEEPER = Path(server_keeper.__file__)
_SECONDS_BETWEEN_LOOKS = 0.2
_SECONDS_TO_END = 5.0  # for a server that is asked to; then it is killed
_SECONDS_FOR_THE_KEEPER = 30.0
_LINES_OF_OUTPUT = 12
_TRIES = 3  # another program may take the port before the server does
_PORT_IS_TAKEN = (
    "address already in use",
    "Errno 98",
    "Errno 48",
    "10048",
    "Failed to bind to address",  # Ray's words
)
# A server may put sockets into its folder. Their paths have some hundred letters at most, of which
# Ray takes seventy.
_LONGEST_BASE = 12

_running: "dict[str, Server]" = {}


class ServerFailed(OneLine, RuntimeError):
    """Raised for a server that ended, or was not ready in time; its last lines are in the text."""


class ProgramFailed(OneLine, RuntimeError):
    """Raised for a program that failed or took too long; its last lines are in the text."""


class NotAnswered(OneLine, RuntimeError):
    """Raised where every request should have been answered, and some were not."""


@dataclass(frozen=True)
class Worker:
    """A process of a server that answers requests.

    Attributes
    ----------
    pid : int
        Its number.
    memory : int
        Bytes that only this process uses: what its end would set free.
    """

    pid: int
    memory: int


class Server:
    """A server that `start` has started: a script in a process of its own, and all it starts.

    Attributes
    ----------
    name : str
        What `start` calls it.
    host : str
        This machine, under a name that no other machine reaches.
    port : int
        Where it listens.
    """

    def __init__(self, name: str, command: list[str], ready: "_Ready | None" = None):
        self.name = name
        self.host = HOST
        self._command = command
        self._ready = ready or _Ready()
        self._launch()

    def _launch(self) -> None:
        """Start the script on a free port."""
        self.port = _free_port()
        self._mark = uuid.uuid4().hex
        self._folder = _new_folder()
        self._workers = self._folder / "workers"
        self._last_words: str | None = None
        self._stopped = False
        try:
            self._workers.mkdir()
            self._keeper = self._run(self._command)
        except BaseException:
            _remove(self._folder)
            raise
        self._session = None if sys.platform == "win32" else self._keeper.pid

    def _run(self, command: list[str]) -> "subprocess.Popen[bytes]":
        """Start the process that starts the server and ends it."""
        environment = {
            **os.environ,
            "PORT": str(self.port),
            "WORKERS": str(self._workers),
            "PYTHONUNBUFFERED": "1",
            "SPT_NOENV": "1",  # setproctitle, which Ray uses, leaves the mark where it is
        }
        # What the server leaves in the folder for temporary files goes with it.
        for variable in ("TMPDIR", "TEMP", "TMP", "RAY_TMPDIR"):
            environment[variable] = str(self._folder)
        environment.pop(server_keeper.MARK, None)
        keeper = [sys.executable, str(_KEEPER), self._mark, str(_SECONDS_TO_END)]
        apart: dict[str, Any] = {"start_new_session": True}  # the stop button is not for the server
        if sys.platform == "win32":
            apart = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
        with contextlib.ExitStack() as files:
            output = files.enter_context(open(self._folder / "output", "wb"))
            errors = output
            if self._ready.errors_apart:
                errors = files.enter_context(open(self._folder / "errors", "wb"))
            return subprocess.Popen(
                [*keeper, str(self._folder), sys.executable, *command],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=errors,
                env=environment,
                **apart,
            )

    def __repr__(self) -> str:
        return f"server {self.name}: {'running' if self.is_running else 'stopped'}"

    @property
    def is_running(self) -> bool:
        """Whether the script has not ended."""
        return self._keeper.poll() is None

    def workers(self) -> list[Worker]:
        """Return the living processes that have announced themselves, the oldest first.

        A worker announces itself when it is ready to answer, by a file with its number in the
        folder that the environment names: ``pathlib.Path(os.environ["WORKERS"],
        str(os.getpid())).touch()``.

        Returns
        -------
        list of Worker
            With the memory of each.
        """
        import psutil

        found = []
        for process in self._announced():
            with contextlib.suppress(psutil.Error):
                found.append(Worker(process.pid, _own_memory(process)))
        return found

    def memory(self) -> int:
        """Return how much memory all processes of the server have for themselves.

        Returns
        -------
        int
            Bytes.
        """
        import psutil

        total = 0
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                total += _own_memory(process)
        return total

    def kill_worker(self) -> int:
        """Kill the oldest worker at once, as a lack of memory or a crash would.

        Returns
        -------
        int
            The number of the process.

        Raises
        ------
        ServerFailed
            No worker is alive, or the server has ended.
        """
        import psutil

        for process in self._announced():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
                until = time.monotonic() + _SECONDS_TO_END
                while server_keeper.is_alive(process) and time.monotonic() < until:
                    time.sleep(_SECONDS_BETWEEN_LOOKS / 10)
                return int(process.pid)
        self._expect_running()
        raise ServerFailed(f"The server {self.name} has no worker that is alive.")

    def wait_for_workers(self, number: int, seconds: float = 90.0) -> float:
        """Wait until so many workers are ready, as after one of them was killed.

        Parameters
        ----------
        number : int
            How many.
        seconds : float, default 90
            The longest time to wait.

        Returns
        -------
        float
            Seconds that it took.

        Raises
        ------
        ServerFailed
            The server has ended, or there were fewer when the time was over.
        """

        def are_there() -> bool:
            return len(self._announced()) >= number

        label = f"waiting for {number} workers of the server {self.name}"
        waited = self._wait_until(are_there, label, seconds)
        if waited is None:
            raise ServerFailed(
                f"The server {self.name} had {len(self._announced())} of {number} workers after "
                f"{seconds:.0f} s.\n{self.output()}"
            )
        return waited

    def processes(self) -> list[Any]:
        """Return all living processes of the server.

        Returns
        -------
        list of psutil.Process
            The script's, and those that it has started, directly or not.
        """
        if self._stopped:
            return []
        return server_keeper.family(self._mark, self._session)

    def output(self, lines: int = _LINES_OF_OUTPUT) -> str:
        """Return the last lines that the server has written.

        Parameters
        ----------
        lines : int, default 12
            How many.

        Returns
        -------
        str
            What all its processes have printed, errors included.
        """
        return "\n".join(self._text().splitlines()[-lines:])

    def _wait_and_try_again(self) -> None:
        """Wait until the server answers; start it again if its port was taken in between."""
        for remaining in reversed(range(_TRIES)):
            try:
                self._wait_until_ready()
                return
            except ServerFailed:
                self.stop()
                port_is_taken = any(sign in self._text() for sign in _PORT_IS_TAKEN)
                if not remaining or not port_is_taken:
                    raise
            self._launch()
            _running[self.name] = self

    def _text(self) -> str:
        """Return what all processes have printed, to the end of it at least."""
        if self._last_words is not None:
            return self._last_words
        return _end_of(self._folder / "output") + _end_of(self._folder / "errors")

    @stop.stoppable("Stopped: the server goes on starting. Run the cell again to wait for it.")
    def wait(self) -> "Server":
        """Wait until a server that was started with ``wait=False`` answers.

        Returns
        -------
        Server
            The same server.

        Raises
        ------
        ServerFailed
            The script ended, or the server was not ready in time. Nothing is left running.
        """
        self._wait_and_try_again()
        return self

    def stop(self) -> None:
        """End the server and every process that it has started; a second call changes nothing."""
        if self._stopped:
            return
        self._last_words = self._text()
        with contextlib.suppress(OSError):
            if self._keeper.stdin is not None:
                self._keeper.stdin.close()
        try:
            self._keeper.wait(_SECONDS_FOR_THE_KEEPER)
        except subprocess.TimeoutExpired:
            self._keeper.kill()
            self._keeper.wait()
        # In case the keeper was killed before it could do so.
        if server_keeper.kill(self._mark, self._session):
            self._stopped = True  # from now on, another program may get its numbers
        _remove(self._folder)
        if _running.get(self.name) is self:
            del _running[self.name]

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _announced(self) -> list[Any]:
        """Return the processes of the server whose number is in the folder of the workers."""
        numbers = {path.name for path in self._workers.glob("*")}
        found = [one for one in self.processes() if str(one.pid) in numbers]
        return sorted(found, key=lambda process: (process.create_time(), process.pid))

    def _listens(self) -> bool:
        """Whether a process of this server, and not of another program, has the port."""
        import psutil

        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                for connection in process.net_connections(kind="tcp"):
                    listens = connection.status == psutil.CONN_LISTEN
                    if listens and connection.laddr.port == self.port:
                        return True
        return False

    def _is_ready(self) -> bool:
        if len(self._announced()) < self._ready.workers or not self._listens():
            return False
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection(self.host, self.port, timeout=2)
            with contextlib.closing(connection):
                connection.request("GET", self._ready.path)
                return connection.getresponse().status == 200
        return False

    def _expect_running(self) -> None:
        if self._stopped:
            raise ServerFailed(f"The server {self.name} was stopped.")
        if not self.is_running:
            raise ServerFailed(f"The server {self.name} ended:\n{self.output()}")

    def _wait_until_ready(self) -> None:
        seconds = self._ready.seconds
        waited = self._wait_until(self._is_ready, f"starting the server {self.name}", seconds)
        if waited is None:
            raise ServerFailed(
                f"The server {self.name} was not ready after {seconds:.0f} s; "
                f"a busy machine needs longer: seconds=...\n{self.output()}"
            )

    def _wait_until(self, is_so: Callable[[], bool], label: str, seconds: float) -> float | None:
        """Wait until something is so; return the seconds, or None if the time was over first."""
        begin = time.monotonic()
        spent = 0.0
        with progress_bar(None, label, True, seconds) as bar:
            while not is_so():
                self._expect_running()
                if spent > seconds:
                    return None
                time.sleep(_SECONDS_BETWEEN_LOOKS)
                now = time.monotonic() - begin
                bar.update(min(now, seconds) - min(spent, seconds))
                spent = now
        return time.monotonic() - begin


@stop.stoppable("Stopped: no server is running.")
def start(
    script: str | os.PathLike[str],
    *arguments: str,
    name: str | None = None,
    workers: int = 0,
    ready: str = "/health",
    seconds: float = 180.0,
    wait: bool = True,
) -> Server:
    """Start a server from a script, and wait until it answers.

    The script finds the port in ``os.environ["PORT"]``, and must listen on 127.0.0.1. All its
    processes end with `Server.stop`, at the end of this Python, and also if this Python is killed.
    So do the temporary files that it leaves.

    Parameters
    ----------
    script : str or path
        A Python program.
    *arguments : str
        Its arguments.
    name : str, optional
        What to call the server; by default the name of the script. A server of that name that is
        still running is stopped first, so that a cell may run again.
    workers : int, default 0
        How many processes must have announced themselves; see `Server.workers`.
    ready : str, default "/health"
        A page that answers with status 200 as soon as the server can be asked.
    seconds : float, default 180
        The longest time to wait.
    wait : bool, default True
        Whether to wait here; otherwise `Server.wait` does it later.

    Returns
    -------
    Server
        The running server.

    Raises
    ------
    FileNotFoundError
        There is no such script.
    ServerFailed
        The script ended, or the server was not ready in time. Nothing is left running.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> script = pathlib.Path(folder.name, "pages.py")
    >>> _ = script.write_text('''
    ... import os
    ... from http.server import HTTPServer, SimpleHTTPRequestHandler
    ... address = "127.0.0.1", int(os.environ["PORT"])
    ... HTTPServer(address, SimpleHTTPRequestHandler).serve_forever()
    ... ''')
    >>> with start(script, ready="/") as server:
    ...     print(server)
    server pages: running
    >>> server
    server pages: stopped
    >>> folder.cleanup()
    """
    script = Path(script)
    if not script.is_file():
        raise FileNotFoundError(f"no script {script.name} to start a server from")
    server = _launch(
        name or script.stem, [str(script), *arguments], _Ready(ready, workers, seconds)
    )
    try:
        if wait:
            server._wait_and_try_again()
        return server
    except BaseException:
        server.stop()
        raise


def start_cluster(
    folder: str | os.PathLike[str],
    *,
    name: str = "cluster",
    workers: int = 2,
    ready: str = "/predict",
    seconds: float = 220.0,
) -> Server:
    """Begin to start Ray on this machine, and return at once.

    The cluster runs what the file ``serve.yaml`` of the folder says, as soon as it is there, and
    follows its changes. Modules that it names are imported from the folder. On a cluster of many
    machines, ``ray start`` and ``serve deploy serve.yaml`` do the same.

    Parameters
    ----------
    folder : str or path
        Where the file and the modules are, or will be.
    name : str, default "cluster"
        What to call the server. One of that name that is still running is stopped first.
    workers : int, default 2
        How many replicas must have announced themselves; see `Server.workers`.
    ready : str, default "/predict"
        A page that answers with status 200 as soon as the service can be asked.
    seconds : float, default 220
        The longest time that `Server.wait` waits.

    Returns
    -------
    Server
        Starting; `Server.wait` waits until the service answers.
    """
    command = ["-P", "-m", serving_cluster.__name__, str(folder)]
    return _launch(name, command, _Ready(ready, workers, seconds))


@stop.stoppable("Stopped: the program was ended.")
def run(program: str, *arguments: str, seconds: float = 120.0) -> str:
    r"""Run a program in a process of its own to its end, and return what it has printed.

    All processes that it has started end with it, and also if this Python is stopped or killed.

    Parameters
    ----------
    program : str
        The text of a Python program.
    *arguments : str
        Its arguments.
    seconds : float, default 120
        After this time it is ended.

    Returns
    -------
    str
        Its standard output.

    Raises
    ------
    ProgramFailed
        It ended with another status than 0, or was ended. Its last lines are in the text.

    Examples
    --------
    >>> run("import sys; print(2 * int(sys.argv[1]))", "21")
    '42\n'
    """
    with tempfile.TemporaryDirectory() as place:
        script = Path(place, "program.py")
        script.write_text(program, encoding="utf-8")
        started = Server("program", [str(script), *arguments], _Ready(errors_apart=True))
        _running[started._mark] = started
        try:
            until = time.monotonic() + seconds
            while started.is_running and time.monotonic() < until:
                time.sleep(_SECONDS_BETWEEN_LOOKS / 10)
            is_over = not started.is_running
            printed = _end_of(started._folder / "output", most=None)
        finally:
            started.stop()
            _running.pop(started._mark, None)
    if not is_over:
        raise ProgramFailed(f"The program was ended after {seconds:.0f} s:\n{started.output()}")
    if status := started._keeper.returncode:
        raise ProgramFailed(f"The program ended with status {status}:\n{started.output()}")
    return printed


def stop_all() -> None:
    """Stop every server that is still running.

    Examples
    --------
    >>> stop_all()
    """
    for server in list(_running.values()):
        server.stop()


atexit.register(stop_all)


@dataclass
class Clients:
    """What clients saw that asked a server at the same time.

    Attributes
    ----------
    answers : dict of int to any
        By the number of the request, of those that were answered.
    waited : dict of int to float
        Seconds from the question to the answer.
    ended : dict of int to float
        Seconds from the start of all until the answer.
    errors : dict of int to Exception
        Of those that were not answered: what came out of `ask`, or TimeoutError for those that
        were still out when the time was over.
    meanwhile : any
        What the function of that name returned.
    seconds : float
        From the first question to the end.
    """

    answers: dict[int, Any] = field(default_factory=dict)
    waited: dict[int, float] = field(default_factory=dict)
    ended: dict[int, float] = field(default_factory=dict)
    errors: dict[int, Exception] = field(default_factory=dict)
    meanwhile: Any = None
    seconds: float = 0.0

    def expect_answers(self) -> "Clients":
        """Return the same, if every request was answered.

        Returns
        -------
        Clients
            What the clients saw.

        Raises
        ------
        NotAnswered
            Some were not; the text has the first error.
        """
        if not self.errors:
            return self
        first = self.errors[min(self.errors)]
        asked = len(self.answers) + len(self.errors)
        raise NotAnswered(
            f"{len(self.errors)} of {asked} requests were not answered. The first of them: "
            f"{type(first).__name__}: {first}"
        ) from first


@dataclass
class _Crowd:
    """Clients at work, each in a thread."""

    make: Callable[[], Callable[[int], Any]]
    requests: float  # infinity until somebody says that it is enough
    found: Clients = field(default_factory=Clients)
    numbers: "itertools.count[int]" = field(default_factory=itertools.count)
    asked: dict[int, float] = field(default_factory=dict)
    begin: float = field(default_factory=time.perf_counter)
    enough: bool = False  # no new requests
    over: bool = False  # nobody waits for answers any more

    def work(self) -> None:
        """Ask, one request after the other, until all are taken."""
        ask = None
        while not (self.over or self.enough) and (i := next(self.numbers)) < self.requests:
            began = self.asked[i] = time.perf_counter()
            try:
                ask = ask or self.make()
                answer = ask(i)
            except Exception as error:
                self._settle(self.found.errors, i, error)
            else:
                ended = time.perf_counter()
                if self._settle(self.found.answers, i, answer):
                    self.found.waited[i] = ended - began
                    self.found.ended[i] = ended - self.begin

    def _settle(self, where: dict[int, Any], i: int, what: Any) -> bool:
        if not self.over:  # else somebody reads the results already
            where[i] = what
        return not self.over

    def close(self) -> Clients:
        """Return what there is; who still waits gets an error."""
        self.over = True
        self.found.seconds = time.perf_counter() - self.begin
        asked = set(self.asked)
        for i in asked if math.isinf(self.requests) else range(int(self.requests)):
            if i not in self.found.answers and i not in self.found.errors:
                what = "no answer" if i in asked else "not sent"
                self.found.errors[i] = TimeoutError(f"{what} after {self.found.seconds:.1f} s")
        return self.found


@stop.stoppable("Stopped: the clients have gone.")
def clients(
    make: Callable[[], Callable[[int], Any]],
    number: int,
    requests: int | None = None,
    meanwhile: Callable[[], Any] | None = None,
    seconds: float = 60.0,
) -> Clients:
    """Let clients ask at the same time, each sending its next request when it has its answer.

    Parameters
    ----------
    make : callable
        Called once in the thread of each client; returns its function ``ask(i)``, which sends
        request number i and returns the answer. An error that comes out of it counts for that
        request, and the client goes on.
    number : int
        How many clients.
    requests : int, optional
        How many requests all of them send together; by default they send new ones until `meanwhile`
        returns.
    meanwhile : callable, optional
        Called once in the calling thread while the clients are at work.
    seconds : float, default 60
        After this time nobody waits any longer, whatever hangs.

    Returns
    -------
    Clients
        The answers, how long each took, and the errors.

    Raises
    ------
    ValueError
        `number` or `requests` is less than 1, or there are neither `requests` nor `meanwhile`.

    Examples
    --------
    >>> found = clients(lambda: lambda i: 2 * i, number=4, requests=10)
    >>> found.answers[7], len(found.waited), found.errors
    (14, 10, {})
    """
    if number < 1 or (requests is not None and requests < 1):
        raise ValueError(f"at least one client and one request, not {number} and {requests}")
    if requests is None and meanwhile is None:
        raise ValueError("without a number of requests, meanwhile=... says when to stop")
    crowd = _Crowd(make, math.inf if requests is None else requests)
    threads = [threading.Thread(target=crowd.work, daemon=True) for _ in range(number)]
    try:
        for thread in threads:
            thread.start()
        if meanwhile is not None:
            crowd.found.meanwhile = meanwhile()
        crowd.enough = requests is None
        for thread in threads:
            thread.join(max(0.0, seconds - (time.perf_counter() - crowd.begin)))
        return crowd.close()
    finally:
        crowd.over = True


@functools.cache
def folder() -> Path:
    """Return a folder for the files of servers: the same one each time, removed with this Python.

    Returns
    -------
    pathlib.Path
        Its path.

    Examples
    --------
    >>> folder() == folder()
    True
    """
    path = _new_folder()
    atexit.register(_remove, path)
    atexit.register(stop_all)  # what is registered last comes first: nobody reads it any more
    return path


def has(package: str) -> bool:
    """Return whether a package is installed; where it is not, say so in one line.

    Parameters
    ----------
    package : str
        The name under which it is imported.

    Returns
    -------
    bool
        Whether it can be imported.

    Examples
    --------
    >>> has("json")
    True
    >>> has("no_such_package")
    no_such_package is not installed: this cell shows nothing, and the lesson goes on without it.
    False
    """
    if importlib.util.find_spec(package) is not None:
        return True
    print(
        f"{package} is not installed: this cell shows nothing, and the lesson goes on without it."
    )
    return False


@dataclass(frozen=True)
class _Ready:
    """When a server is ready, and what becomes of its error output."""

    path: str = "/health"
    workers: int = 0
    seconds: float = 180.0
    errors_apart: bool = False


def _launch(name: str, command: list[str], ready: _Ready) -> Server:
    """Start a server in the place of one of the same name."""
    if name in _running:
        _running[name].stop()
    _running[name] = server = Server(name, command, ready)
    return server


def _new_folder() -> Path:
    """Return a new folder, with a path that is short enough for sockets in it."""
    base = tempfile.gettempdir()
    if len(base) > _LONGEST_BASE and Path("/tmp").is_dir():
        with contextlib.suppress(OSError):
            return Path(tempfile.mkdtemp(prefix="labkit-server-", dir="/tmp"))
    return Path(tempfile.mkdtemp(prefix="labkit-server-", dir=base))


def _end_of(path: Path, most: int | None = 200_000) -> str:
    """Return the text of a file, `most` bytes of its end; nothing where there is none."""
    with contextlib.suppress(OSError), open(path, "rb") as file:
        if most is not None:
            file.seek(max(0, path.stat().st_size - most))
        return file.read().decode("utf-8", "replace")
    return ""


def _own_memory(process: Any) -> int:
    """Return the bytes that only this process uses; with shared ones where the system is silent."""
    import psutil

    try:
        return int(process.memory_full_info().uss)
    except psutil.AccessDenied:  # macOS tells it to the administrator
        return int(process.memory_info().rss)


def _free_port() -> int:
    """Return a port that no program on this machine listens on now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _remove(folder: Path) -> None:
    import shutil

    shutil.rmtree(folder, ignore_errors=True)
