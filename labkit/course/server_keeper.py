"""Run a server, and end all its processes when whoever asked for it ends, however that happens.

A process of its own, started by `serving.py` as a script: it outlives a notebook that is killed for
the moment that it needs to clean up. Its standard input is a pipe that only the notebook holds
open; the pipe's end is the sign to stop.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import threading
import time
from typing import Any

# In the environment of a server, and so of every process that it starts, also of those whose parent
# has died in the meantime.
MARK = "LABKIT_SERVER"
_SECONDS_BETWEEN_LOOKS = 0.1
_MOST_ROUNDS = 200  # a process that is being killed may start another one


def family(mark: str, session: int | None = None) -> list[Any]:
    """Return the living processes that belong to a server, as psutil knows them.

    Those with the mark in their environment, and those of a session: a program that gives itself
    another title, as Ray's do, overwrites its environment, and one that begins a session of its own
    keeps it.
    """
    import psutil

    found = []
    for process in psutil.process_iter():
        if process.pid in (os.getpid(), session):
            continue
        with contextlib.suppress(psutil.Error, OSError):
            belongs = _session_of(process.pid) == session if session else False
            if belongs or process.environ().get(MARK) == mark:
                found.append(process)
    return [process for process in found if is_alive(process)]


def _session_of(pid: int) -> int | None:
    """Return the session of a process; None where the system has none."""
    if sys.platform == "win32":
        return None
    return os.getsid(pid)


def kill(mark: str, session: int | None = None) -> bool:
    """Kill every process of a server; return whether none is left."""
    import psutil

    for _ in range(_MOST_ROUNDS):
        left = family(mark, session)
        if not left:
            return True
        for process in left:
            with contextlib.suppress(psutil.Error):
                process.kill()
        time.sleep(_SECONDS_BETWEEN_LOOKS / 2)
    return False


def is_alive(process: Any) -> bool:
    """Return whether a process runs: one that has ended may wait for its parent to notice."""
    import psutil

    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _wait_for_the_end_of_input(ended: threading.Event) -> None:
    with contextlib.suppress(OSError):
        while os.read(sys.stdin.fileno(), 1):
            pass
    ended.set()


def main(mark: str, grace: float, folder: str, command: list[str]) -> int:
    """Run a command until it ends or nobody wants it any more; return its exit status."""
    nobody_left = threading.Event()
    threading.Thread(target=_wait_for_the_end_of_input, args=(nobody_left,), daemon=True).start()
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL, env={**os.environ, MARK: mark})
    while server.poll() is None and not nobody_left.wait(_SECONDS_BETWEEN_LOOKS):
        pass
    if server.poll() is None:
        server.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(grace)
    kill(mark, _session_of(os.getpid()))
    if nobody_left.is_set():
        shutil.rmtree(folder, ignore_errors=True)
    return server.wait()


if __name__ == "__main__":
    status = main(sys.argv[1], float(sys.argv[2]), sys.argv[3], sys.argv[4:])
    # Without the usual end of Python, which would wait for the thread that reads.
    os._exit(status & 0xFF)
