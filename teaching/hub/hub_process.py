"""Start a hub for a test or a measurement, with accounts of its own, and leave nothing of it."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import accounts
import hub_settings

PYTHON = hub_settings.COURSE / ".venv-hub" / "bin" / "python"
SECONDS_TO_ANSWER = 120
SECONDS_TO_END = 150


def why_not() -> str:
    """Return why no hub that keeps learners apart can be started here; nothing if one can."""
    if os.name != "posix" or not Path("/proc/self/status").exists():
        return "accounts are made on Linux only"
    if os.geteuid() != 0:
        return "only root can make accounts"
    if not (PYTHON.parents[1] / ".ready").exists():
        return "the environment of the hub is not there: make hub installs it"
    return ""


@dataclass
class RunningHub:
    """A hub that runs, and what belongs to it."""

    folder: Path
    port: int
    environment: dict[str, str]
    passwords: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        """What it has said so far."""
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")

    def start(self) -> None:
        """Start it, and wait until it answers."""
        command = [str(PYTHON), "-m", "jupyterhub", "-f", str(self.folder / "config.py")]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                command,
                cwd=self.folder / "state",
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        until = time.monotonic() + SECONDS_TO_ANSWER
        while not answers(f"{self.address}/hub/api/"):
            if self.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"the hub did not start:\n{self.log[-3000:]}")
            time.sleep(0.2)

    def stop(self) -> None:
        """Ask it to stop, with all servers; it is killed if it does not."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def end_proxy(self) -> None:
        """End the proxy that a killed hub has left."""
        file = self.folder / "state" / "proxy.pid"
        with contextlib.suppress(OSError, ValueError):
            os.kill(int(file.read_text(encoding="ascii")), signal.SIGKILL)

    def run_accounts(self, *arguments: str) -> str:
        """Run accounts.py for this hub; return what it prints."""
        done = subprocess.run(
            [str(PYTHON), str(hub_settings.HUB / "accounts.py"), *arguments],
            env=self.environment,
            capture_output=True,
            encoding="utf-8",
        )
        if done.returncode:
            raise RuntimeError(done.stderr)
        return done.stdout


@contextlib.contextmanager
def running_hub(
    names: list[str], *, config: str = "", variables: dict[str, str] | None = None
) -> Iterator[RunningHub]:
    """Run a hub with these accounts; remove them, their files and their processes afterwards.

    Parameters
    ----------
    names : list of str
        Of the learners; a system account of such a name must not be there.
    config : str
        Lines that follow those of jupyterhub_config.py.
    variables : dict
        Of the hub's environment.
    """
    taken = [name for name in names if accounts.system_account(name) is not None]
    if taken:
        raise RuntimeError(f"these accounts are there already: {', '.join(taken)}")
    folder = Path(tempfile.mkdtemp(prefix="labkit-hub-"))
    folder.chmod(0o711)  # learners get through to their homes
    (folder / "state").mkdir(mode=0o700)
    (folder / "config.py").write_text(
        f"load_subconfig({str(hub_settings.HUB / 'jupyterhub_config.py')!r})\n{config}\n",
        encoding="utf-8",
    )
    hub = RunningHub(folder, free_ports(), environment_of(folder, variables or {}))
    hub.environment["LABKIT_HUB_PORT"] = str(hub.port)
    try:
        for line in hub.run_accounts(*names).splitlines()[1:]:
            name, password = line.split()
            hub.passwords[name] = password
        hub.start()
        yield hub
    finally:
        # First the learners' processes: a hub waits for each of their servers to end by itself.
        for name in names:
            with contextlib.suppress(Exception):
                accounts.end_processes_of(name)
        with contextlib.suppress(Exception):
            hub.stop()
        hub.end_proxy()
        remove(hub, names)


def environment_of(folder: Path, variables: dict[str, str]) -> dict[str, str]:
    """Return the environment of a hub: that of this process without its settings of Jupyter."""
    environment = {}
    for name, value in os.environ.items():
        if not name.startswith(("JUPYTER", "LABKIT", "PYTHON", "CONFIGPROXY", "IPYTHON", "PYTEST")):
            environment[name] = value
    environment["LABKIT_HUB_STATE"] = str(folder / "state")
    environment["LABKIT_HUB_HOMES"] = str(folder / "homes")
    environment.update(variables)
    return environment


def remove(hub: RunningHub, names: list[str]) -> None:
    """Remove accounts, their processes and all files of a hub."""
    os.environ["LABKIT_HUB_HOMES"] = str(hub.folder / "homes")
    try:
        for name in names:
            with contextlib.suppress(Exception):
                accounts.remove_system_account(name, with_files=True)
    finally:
        del os.environ["LABKIT_HUB_HOMES"]
    subprocess.run(["rm", "-rf", "--one-file-system", str(hub.folder)], check=False)


def free_ports() -> int:
    """Return a port that is free, as the two after it are."""
    for _ in range(100):
        with contextlib.ExitStack() as opened, contextlib.suppress(OSError):
            first = opened.enter_context(socket.socket())
            first.bind(("127.0.0.1", 0))
            port = first.getsockname()[1]
            for other in (port + 1, port + 2):
                opened.enter_context(socket.socket()).bind(("127.0.0.1", other))
            return port
    raise RuntimeError("there are no three free ports in a row")


def answers(address: str) -> bool:
    """Return whether a server answers at an address."""
    without_proxy = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with without_proxy.open(address, timeout=5) as answer:
            return answer.status == 200
    except (OSError, ValueError):
        return False


if __name__ == "__main__":
    print(why_not() or f"a hub can be started with {PYTHON}", file=sys.stderr)
