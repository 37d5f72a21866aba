"""Start a server in processes of its own, stop it whatever happens, and let many clients ask it."""

import atexit
import contextlib
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
from . import server_keeper

__all__ = [
    "HOST",
    "Clients",
    "Server",
    "ServerFailed",
    "Worker",
    "clients",
    "has",
    "start",
    "stop_all",
]

HOST = "127.0.0.1"
_KEEPER = Path(server_keeper.__file__)
_SECONDS_BETWEEN_LOOKS = 0.2
_SECONDS_TO_END = 5.0  # for a server that is asked to; then it is killed
_SECONDS_FOR_THE_KEEPER = 30.0
_LINES_OF_OUTPUT = 12
_TRIES = 3  # another program may take the port before the server does
_PORT_IS_TAKEN = ("address already in use", "Errno 98", "Errno 48", "10048")

_running: "dict[str, Server]" = {}


class ServerFailed(OneLine, RuntimeError):
    """Raised for a server that ended, or was not ready in time; its last lines are in the text."""


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

    def __init__(self, name: str, command: list[str]):
        self.name = name
        self.host = HOST
        self.port = _free_port()
        self._mark = uuid.uuid4().hex
        self._folder = Path(tempfile.mkdtemp(prefix="labkit-server-"))
        self._workers = self._folder / "workers"
        self._workers.mkdir()
        self._last_words: str | None = None
        self._stopped = False
        try:
            self._keeper = self._run(command)
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
        environment.pop(server_keeper.MARK, None)
        keeper = [sys.executable, str(_KEEPER), self._mark, str(_SECONDS_TO_END)]
        apart: dict[str, Any] = {"start_new_session": True}  # the stop button is not for the server
        if sys.platform == "win32":
            apart = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
        with open(self._folder / "output", "wb") as output:
            return subprocess.Popen(
                [*keeper, str(self._folder), *command],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
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
        RuntimeError
            No worker is alive.
        """
        import psutil

        for process in self._announced():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
                while server_keeper.is_alive(process):
                    time.sleep(_SECONDS_BETWEEN_LOOKS / 10)
                return int(process.pid)
        raise RuntimeError(f"the server {self.name} has no worker that is alive")

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
        text = self._last_words
        if text is None:
            with contextlib.suppress(OSError):
                text = (self._folder / "output").read_text(encoding="utf-8", errors="replace")
        return "\n".join((text or "").splitlines()[-lines:])

    def stop(self) -> None:
        """End the server and every process that it has started; a second call changes nothing."""
        if self._stopped:
            return
        self._last_words = self.output(lines=10_000)
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

    def _is_ready(self, path: str, workers: int) -> bool:
        if len(self._announced()) < workers or not self._listens():
            return False
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection(self.host, self.port, timeout=2)
            with contextlib.closing(connection):
                connection.request("GET", path)
                return connection.getresponse().status == 200
        return False

    def _wait_until_ready(self, path: str, workers: int, seconds: float) -> None:
        begin = time.monotonic()
        spent = 0.0
        with progress_bar(None, f"starting the server {self.name}", True, seconds) as bar:
            while not self._is_ready(path, workers):
                if not self.is_running:
                    raise ServerFailed(f"The server {self.name} ended:\n{self.output()}")
                if spent > seconds:
                    raise ServerFailed(
                        f"The server {self.name} was not ready after {seconds:.0f} s; "
                        f"a busy machine needs longer: seconds=...\n{self.output()}"
                    )
                time.sleep(_SECONDS_BETWEEN_LOOKS)
                now = time.monotonic() - begin
                bar.update(min(now, seconds) - min(spent, seconds))
                spent = now


@stop.stoppable("Stopped: no server is running.")
def start(
    script: str | os.PathLike[str],
    *arguments: str,
    name: str | None = None,
    workers: int = 0,
    ready: str = "/health",
    seconds: float = 180.0,
) -> Server:
    """Start a server from a script, and wait until it answers.

    The script finds the port in ``os.environ["PORT"]``, and must listen on 127.0.0.1. All its
    processes end with `Server.stop`, at the end of this Python, and also if this Python is killed.

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
    name = name or script.stem
    if name in _running:
        _running[name].stop()
    for remaining in reversed(range(_TRIES)):
        server = Server(name, [sys.executable, str(script), *arguments])
        _running[name] = server
        try:
            server._wait_until_ready(ready, workers, seconds)
            return server
        except ServerFailed:
            server.stop()
            if remaining and any(sign in server.output() for sign in _PORT_IS_TAKEN):
                continue
            raise
        except BaseException:
            server.stop()
            raise
    raise AssertionError("unreachable")


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
