"""The real JupyterLab, started as a learner starts it."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
from real_server import free_port

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ROOT / "notebooks"
START_UP = 180  # seconds; five on a quiet machine
# No verdict on a time is tested here, so a small part of the measuring will do.
BUDGET = "0.1"
# What a shell that runs tests may have set, and a learner's has not.
NOT_THE_LEARNERS = (
    "LABKIT_HOME",
    "LABKIT_ROUNDS",
    "LABKIT_STRICT",
    "PYTEST_CURRENT_TEST",
    "TQDM_DISABLE",
)


# To check the machine means to import TensorFlow: that takes as long as to start JupyterLab.
WITHOUT_CHECK = """
import sys
from labkit.__main__ import main
from labkit.course import environment, tensorflow_start
tensorflow_start.begin_import = lambda: None
environment.examine = lambda **_: "The machine was checked before."
sys.exit(main())
"""


class LabServer:
    """A JupyterLab that `python -m labkit lab` has started in `folder`, its workspace included.

    `checks`: whether the command checks the machine, as it does when a learner gives it.
    """

    def __init__(self, folder: Path, *arguments: str, port: int = 0, checks: bool = True):
        self.folder = folder
        self.workspace = folder / "workspace"
        self.log = folder / f"server-{len(list(folder.glob('server-*.log')))}.log"
        command = [
            sys.executable,
            *(("-m", "labkit") if checks else ("-c", WITHOUT_CHECK)),
            "lab",
            "--no-browser",
            "--port",
            str(port or free_port()),
        ]
        with self.log.open("w", encoding="utf-8") as output:
            self.process = subprocess.Popen(
                [*command, *arguments],
                cwd=ROOT,
                env=environment(folder),
                stdout=output,
                stderr=output,
            )
        try:
            self.address, self.bound = self._wait()
        except BaseException:
            self.stop()
            raise

    def address_of(self, path: str) -> str:
        """Return the address of one file of the workspace."""
        return re.sub(r"/lab(/tree/[^?]*)?(?=\?)", f"/lab/tree/{path}", self.address)

    def kernel(self) -> psutil.Process:
        """Return the process of the only kernel."""
        kernels = []
        for child in psutil.Process(self.process.pid).children():
            if child.status() != psutil.STATUS_ZOMBIE and "ipykernel_launcher" in child.cmdline():
                kernels.append(child)
        assert len(kernels) == 1, kernels
        return kernels[0]

    def press_ctrl_c(self) -> int:
        """End it as a learner does, and return its exit status."""
        family = _family(self.process.pid)
        if os.name == "posix":  # Windows sends Ctrl-C to a whole console, the tests included
            self.process.send_signal(signal.SIGINT)
            status = self.process.wait(timeout=60)
        else:
            status = 0
        _end(family)
        return status

    def stop(self) -> None:
        """End it and the kernels that it started, all by their process ids."""
        family = _family(self.process.pid)
        if self.process.poll() is None:
            self.process.terminate()  # JupyterLab then ends its kernels
        _end(family)
        self.process.wait(timeout=60)

    def said(self) -> str:
        """Return what it has printed."""
        return self.log.read_text(encoding="utf-8")

    def _wait(self) -> tuple[str, set[str]]:
        """Return the printed address and the addresses that it listens on, once it does."""
        deadline = time.monotonic() + START_UP
        while time.monotonic() < deadline and self.process.poll() is None:
            printed = re.search(r"http://127\.0\.0\.1:\d+/\S+", self.said())
            bound = _bound_addresses(self.process.pid)
            if printed and bound:  # it is printed a moment before the server listens
                return printed[0], bound
            time.sleep(0.2)
        raise AssertionError(f"JupyterLab did not start:\n{self.said()}")


def environment(folder: Path) -> dict[str, str]:
    """Return an environment without the settings of the person who runs the tests."""
    config = folder / "config"
    config.mkdir(exist_ok=True)
    # The tests ask the application itself for its state: the screen says "idle" too early.
    (config / "jupyter_lab_config.json").write_text(
        json.dumps({"LabApp": {"expose_app_in_browser": True}})
    )
    variables: dict[str, Any] = dict(os.environ)
    for name in NOT_THE_LEARNERS:
        variables.pop(name, None)
    return variables | {
        "LABKIT_BUDGET": BUDGET,
        "LABKIT_WORKSPACE": str(folder / "workspace"),
        "IPYTHONDIR": str(folder / "ipython"),
        "JUPYTER_CONFIG_DIR": str(config),
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "layouts"),
    }


def _bound_addresses(pid: int) -> set[str]:
    """Return the addresses that a process listens on."""
    try:
        connections = psutil.Process(pid).net_connections("tcp")
    except psutil.NoSuchProcess:
        return set()
    return {c.laddr.ip for c in connections if c.status == psutil.CONN_LISTEN}


def _family(pid: int) -> list[psutil.Process]:
    """Return a process and what it has started."""
    try:
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _end(family: list[psutil.Process]) -> None:
    """Wait for processes that are about to end, and kill those that do not."""
    _, alive = psutil.wait_procs(family, timeout=30)
    for process in alive:
        process.kill()
