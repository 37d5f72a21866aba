"""The real JupyterLab, started as a learner starts it, and a real browser."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[2]
START_UP = 120  # seconds; five on a quiet machine
QUIET = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@pytest.fixture(scope="session")
def browser():
    """Yield a headless Chromium: $CHROMIUM, or one on the PATH, or Playwright's own."""
    found = filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome")))
    path = os.environ.get("CHROMIUM") or next(found, None)
    as_root = hasattr(os, "geteuid") and os.geteuid() == 0
    with sync_playwright() as playwright:
        # Chromium's sandbox does not work for root, which a container may leave no way around.
        browser = playwright.chromium.launch(
            executable_path=path, args=[*QUIET, *["--no-sandbox"] * as_root]
        )
        yield browser
        browser.close()


@pytest.fixture
def lab(tmp_path):
    """Yield a function that opens a lesson with `python -m labkit lab` and returns the address; stop it afterwards."""
    started = []

    def start(lesson):
        log = tmp_path / "server.log"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [
            sys.executable,
            "-m",
            "labkit",
            "lab",
            "--no-browser",
            "--port",
            str(port),
            lesson,
        ]
        with log.open("w", encoding="utf-8") as output:
            server = subprocess.Popen(
                command, cwd=ROOT, env=_environment(tmp_path), stdout=output, stderr=output
            )
        started.append(server)
        deadline = time.monotonic() + START_UP
        while time.monotonic() < deadline and server.poll() is None:
            address = re.search(
                r"http://127\.0\.0\.1:\d+/\S+", text := log.read_text(encoding="utf-8")
            )
            # It is printed a moment before the server listens.
            if address and (bound := _bound_addresses(server.pid)):
                return SimpleNamespace(address=address[0], bound=bound, process=server, log=log)
            time.sleep(0.2)
        pytest.fail(f"JupyterLab did not start ({' '.join(command)}):\n{text}")

    yield start
    for server in started:
        _stop(server)


def _environment(folder):
    """Return an environment in which nothing of this machine's user matters, and nothing of theirs is touched."""
    config, settings = folder / "config", folder / "settings"
    tracker = settings / "@jupyterlab" / "notebook-extension" / "tracker.jupyterlab-settings"
    config.mkdir()
    tracker.parent.mkdir(parents=True)
    # The test asks the application itself for its state: the screen says "idle" too early.
    (config / "jupyter_lab_config.json").write_text(
        json.dumps({"LabApp": {"expose_app_in_browser": True}})
    )
    # Else cells outside the window are not in the page.
    tracker.write_text(json.dumps({"windowingMode": "none"}))
    return os.environ | {
        "LABKIT_WORKSPACE": str(folder / "workspace"),
        "LABKIT_HOME": str(folder / "home"),
        "IPYTHONDIR": str(folder / "ipython"),
        "JUPYTER_CONFIG_DIR": str(config),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(settings),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "layouts"),
    }


def _bound_addresses(pid):
    """Return the addresses that the server listens on."""
    return {
        c.laddr.ip
        for c in psutil.Process(pid).net_connections("tcp")
        if c.status == psutil.CONN_LISTEN
    }


def _stop(server):
    """Stop a server and the kernels it started, all by their process ids, whatever state they are in."""
    try:
        family = [psutil.Process(server.pid), *psutil.Process(server.pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        family = []
    if server.poll() is None:
        server.terminate()  # JupyterLab then ends its kernels
    _, alive = psutil.wait_procs(family, timeout=15)
    for process in alive:
        process.kill()
    server.wait(timeout=15)
