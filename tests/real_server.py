"""Start a real server of Jupyter for a test, without the settings of the person who runs it."""

import contextlib
import json
import os
import socket
import subprocess
import time
import urllib.request

SECONDS_TO_START = 90  # it takes two on a quiet machine


def free_port():
    """Return a port that nothing listens on; if that changes, Jupyter takes the next one."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@contextlib.contextmanager
def running(command, folder, **variables):
    """Run a command that starts a server; yield its process and what it says of itself.

    Its own files are in `folder`, its output in the file `output` there. `variables` are those of
    its environment, and `cwd` its folder.
    """
    cwd = variables.pop("cwd", None)
    environment = dict(os.environ)
    for name in ("LABKIT_HOME", "PYTHONSTARTUP", "JUPYTER_NO_CONFIG"):
        environment.pop(name, None)
    runtime = folder / "runtime"
    runtime.mkdir(exist_ok=True)
    environment.update(
        JUPYTER_CONFIG_DIR=str(folder / "config"),
        JUPYTER_DATA_DIR=str(folder / "data"),
        JUPYTER_RUNTIME_DIR=str(runtime),
        IPYTHONDIR=str(folder / "ipython"),
        **variables,
    )
    with (
        (folder / "output").open("w", encoding="utf-8") as output,
        subprocess.Popen(
            command, cwd=cwd, env=environment, stdout=output, stderr=subprocess.STDOUT
        ) as process,
    ):
        try:
            yield _described(process, folder)
        finally:
            process.kill()


def _described(process, folder):
    """Return what the server writes about itself, once it answers."""
    until = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < until and process.poll() is None:
        for file in (folder / "runtime").glob("jpserver-*.json"):
            with contextlib.suppress(OSError, ValueError):
                server = json.loads(file.read_text(encoding="utf-8"))
                get(server, "api")
                return server
        time.sleep(0.1)
    raise AssertionError(f"it did not start:\n{said(folder)}")


def said(folder):
    return (folder / "output").read_text(encoding="utf-8")


def get(server, path):
    """Return the text at a path of a server, with its token."""
    request = urllib.request.Request(server["url"] + path)
    if server["token"]:
        request.add_header("Authorization", f"token {server['token']}")
    without_proxy = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with without_proxy.open(request, timeout=20) as answer:
        return answer.read().decode("utf-8")
