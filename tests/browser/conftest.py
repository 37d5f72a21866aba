"""The real JupyterLab, started as a learner starts it, and a real browser."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[2]
START_UP = 120  # seconds; five on a quiet machine
ARGUMENTS = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


def find_chromium() -> str | None:
    """Return $CHROMIUM or a browser on the PATH; None for Playwright's own. As in .ci/run."""
    if path := os.environ.get("CHROMIUM"):
        return path
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    return None


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Yield a headless Chromium."""
    arguments = list(ARGUMENTS)
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        arguments.append("--no-sandbox")  # Chromium has no sandbox for root, the user of containers
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Any]:
    """Yield a function that opens a lesson with `python -m labkit lab`; stop it at the end."""
    started = []

    def start(lesson: str) -> SimpleNamespace:
        log = tmp_path / "server.log"
        port = free_port()
        command = [sys.executable, "-m", "labkit", "lab", "--no-browser", "--port", port, lesson]
        with log.open("w", encoding="utf-8") as output:
            server = subprocess.Popen(
                command, cwd=ROOT, env=_environment(tmp_path), stdout=output, stderr=output
            )
        started.append(server)
        address, bound = _wait_for(server, log)
        return SimpleNamespace(address=address, bound=bound, process=server, log=log)

    yield start
    for server in started:
        _stop(server)


def free_port() -> str:
    """Return a port that nothing listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


def _wait_for(server: "subprocess.Popen[bytes]", log: Path) -> tuple[str, set[str]]:
    """Return the printed address and the addresses that the server listens on, once it does."""
    deadline = time.monotonic() + START_UP
    while time.monotonic() < deadline and server.poll() is None:
        printed = re.search(r"http://127\.0\.0\.1:\d+/\S+", log.read_text(encoding="utf-8"))
        bound = _bound_addresses(server.pid)
        if printed and bound:  # it is printed a moment before the server listens
            return printed[0], bound
        time.sleep(0.2)
    pytest.fail(f"JupyterLab did not start:\n{log.read_text(encoding='utf-8')}")


def _environment(folder: Path) -> dict[str, str]:
    """Return an environment without the settings of the person who runs the tests."""
    config = folder / "config"
    settings = folder / "settings"
    tracker = settings / "@jupyterlab" / "notebook-extension" / "tracker.jupyterlab-settings"
    config.mkdir()
    tracker.parent.mkdir(parents=True)
    # The test asks the application itself for its state: the screen says "idle" too early.
    (config / "jupyter_lab_config.json").write_text(
        json.dumps({"LabApp": {"expose_app_in_browser": True}})
    )
    # Otherwise cells outside the window are not in the page.
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


def _bound_addresses(pid: int) -> set[str]:
    """Return the addresses that a process listens on."""
    try:
        connections = psutil.Process(pid).net_connections("tcp")
    except psutil.NoSuchProcess:
        return set()
    return {c.laddr.ip for c in connections if c.status == psutil.CONN_LISTEN}


def _stop(server: "subprocess.Popen[bytes]") -> None:
    """Stop a server and the kernels that it started, all by their process ids."""
    try:
        parent = psutil.Process(server.pid)
        family = [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        family = []
    if server.poll() is None:
        server.terminate()  # JupyterLab then ends its kernels
    _, alive = psutil.wait_procs(family, timeout=15)
    for process in alive:
        process.kill()
    server.wait(timeout=15)
