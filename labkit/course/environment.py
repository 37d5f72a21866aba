"""Prepare a notebook (`setup`) and check a machine (`doctor`)."""

import contextlib
import html
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..measure.system import cores, free_memory, load, package_version, silence_stderr
from ..show.message import BAD, GOOD, message_html, running_shell
from ..show.names import counted
from ..show.table import Table
from .checks import SYMBOLS, Check
from .files import workspace_folder
from .notebook_help import install
from .settings_check import check_settings
from .tensorflow_start import begin_import, check_import, set_aside, set_variables

PACKAGES = ("tensorflow", "keras", "numpy", "jupyterlab", "matplotlib", "ipywidgets", "psutil")
PYTHON_FROM, PYTHON_BELOW = (3, 11), (3, 14)
# The systems and processors for which TensorFlow publishes a build, as `platform` names them.
TENSORFLOW_BUILDS = {
    ("Linux", "x86_64"),
    ("Linux", "aarch64"),
    ("Darwin", "arm64"),
    ("Windows", "AMD64"),
}
ENOUGH_MEMORY, TOO_LITTLE_MEMORY = 2.0, 0.8  # GiB
ENOUGH_DISK = 0.5  # GiB
_INLINE_BACKEND = "module://matplotlib_inline.backend_inline"
_LOCK = Path(__file__).resolve().parents[2] / "requirements.lock"


class Versions(dict[str, str]):
    """What a notebook runs on: one entry for each version or part of the machine, as text."""

    def __init__(self, entries: Mapping[str, str], cores: int):
        super().__init__(entries)
        self.cores = cores  # as a number, to calculate with

    def __repr__(self) -> str:
        return " · ".join(self.values())

    def _repr_html_(self) -> str:
        return f"<div>{html.escape(repr(self))}</div>"  # as text it would break inside a word


def setup(seed: int = 0) -> Versions:
    """Import TensorFlow without its start-up messages, and make random numbers repeat.

    Parameters
    ----------
    seed : int, default 0
        Seed of the random numbers of Python, NumPy and TensorFlow.

    Returns
    -------
    Versions
        What this notebook runs on. It shows itself as one line; its attribute `cores` is the number
        of processor cores that this process may use.

    Raises
    ------
    ImportError
        TensorFlow or Keras cannot be imported.
    RuntimeError
        Keras was imported before, and runs on JAX or PyTorch.

    Notes
    -----
    TensorFlow writes start-up messages from C++ that no variable turns off, so the error output is
    closed during the import. Keras reads its backend once, when it is imported: the variable
    ``KERAS_BACKEND``, which `setup` sets to ``tensorflow``, wins over the file ``keras.json``.
    `setup` also sets ``TF_CPP_MIN_LOG_LEVEL``, unsets ``TF_USE_LEGACY_KERAS``, and in a notebook
    lets matplotlib draw in the page and a cell show its last value, whatever your settings are.
    What the first import of TensorFlow makes is set aside with ``gc.freeze()``: it stays in memory
    in any case, and Python's garbage collector no longer looks through it.

    Examples
    --------
    >>> setup()["gpu"]  # doctest: +ELLIPSIS
    '... GPU...'
    """
    _use_tensorflow_backend()
    _show_as_lessons_do()
    is_first = "tensorflow" not in sys.modules
    # Only at the first import: later, models that somebody will drop are among all that is there.
    with silence_stderr(), set_aside() if is_first else contextlib.nullcontext():
        try:
            import keras
            import tensorflow as tf
        except ImportError as error:
            error.add_note("python -m labkit doctor says what is wrong, and what to do about it.")
            raise

        gpus = len(tf.config.list_physical_devices("GPU"))
        tf.constant(0.0)  # the first operation triggers the last of the start-up messages
    # The lessons count retraces; TensorFlow's warning about them contains an address.
    tf.get_logger().setLevel("ERROR")
    install()
    keras.utils.set_random_seed(seed)
    entries = {
        "python": f"Python {platform.python_version()}",
        "tensorflow": f"TensorFlow {tf.__version__}",
        "keras": f"Keras {keras.__version__}",
        "numpy": f"NumPy {package_version('numpy')}",
        "cores": counted(cores(), "core"),
        "gpu": counted(gpus, "GPU") if gpus else "no GPU",
    }
    return Versions(entries, cores())


def _use_tensorflow_backend() -> None:
    """Make Keras run on TensorFlow; raise RuntimeError if it already runs on something else."""
    if "keras" in sys.modules:
        import keras

        backend = keras.backend.backend()
        if backend != "tensorflow":
            raise RuntimeError(
                f"Keras was imported before lab.setup() and runs on {backend}, but the course needs"
                " it on TensorFlow: restart the kernel and call lab.setup() before you import keras"
            )
    set_variables(os.environ)


def _show_as_lessons_do() -> None:
    """Let a notebook show what the lessons show, whatever the profile of IPython asks for."""
    shell = running_shell()
    if shell is None:
        return
    shell.ast_node_interactivity = "last_expr"
    if getattr(shell, "kernel", None) is not None and "matplotlib" not in sys.modules:
        os.environ["MPLBACKEND"] = _INLINE_BACKEND


@dataclass(repr=False)
class Report:
    """The result of `doctor`."""

    checks: list[Check]
    brief: bool = False

    @property
    def ok(self) -> bool:
        """Whether the course can run here."""
        return all(check.state != "bad" for check in self.checks)

    @property
    def line(self) -> str:
        """One line to paste to a teacher, without the name of a person or of a folder."""
        verdict = "ready"
        if not self.ok:
            bad = [f"{check.what}: {check.seen}" for check in self.checks if check.state == "bad"]
            verdict = f"NOT READY ({'; '.join(bad)})"
        parts = [f"labkit doctor: {verdict}", f"{platform.system()} {platform.machine()}"]
        seen = {check.what: check.seen for check in self.checks}
        for what in ("Python", "tensorflow", "memory", "cores", "load"):
            if what in seen:
                parts.append(seen[what])
        noted = [check.what for check in self.checks if check.is_setting and check.state == "note"]
        if noted:
            parts.append(f"settings noted: {', '.join(noted)}")
        return " | ".join(parts)

    def __repr__(self) -> str:
        if self.brief:
            wrong = [check for check in self.checks if check.state == "bad" or check.is_setting]
            return "\n".join([*map(str, wrong), self.line])
        lines = [str(check) for check in self.checks]
        return "\n".join([*lines, "", "To paste to your teacher:", self.line])

    def _repr_html_(self) -> str:
        kind, verdict = (GOOD, "ready") if self.ok else (BAD, "not ready")
        words = f"This machine is {verdict}."
        message = message_html(kind, words, "To paste to your teacher:", code=self.line)
        if self.brief:
            return message
        return f"{self._table()._repr_html_()}{message}"

    def _table(self) -> Table:
        """Return the checks as a table, with a column for what to do where there is something."""
        columns = ["check", "state", "found", "what to do"]
        cells = []
        for check in self.checks:
            state = f"{SYMBOLS[check.state]} {check.state}"
            found = check.seen.removeprefix(f"{check.what} ")
            cells.append([check.what, state, found, check.cure])
        if not any(check.cure for check in self.checks):
            columns = columns[:-1]
            cells = [row[:-1] for row in cells]
        return Table(columns, cells, sides=["left"] * len(columns))


def doctor(brief: bool = False) -> Report:
    """Check whether this machine can run the course, and say what to do where it cannot.

    Parameters
    ----------
    brief : bool, default False
        Whether the report shows only what is wrong, the settings that it noticed, and its last
        line.

    Returns
    -------
    Report
        Its attribute `ok` is False if something must be fixed first, `line` is one line to
        paste to a teacher, and `checks` is the list of what was found.

    Notes
    -----
    TensorFlow is imported in a process of its own, which takes some seconds, unless this process
    has imported it.

    Examples
    --------
    >>> doctor().checks[0].what
    'Python'
    """
    return examine(brief)


def examine(brief: bool = False, importing: "subprocess.Popen[str] | None" = None) -> Report:
    """Return the doctor's report; `importing` is a process that imports TensorFlow already."""
    checks = [_check_python()]
    if package_version("tensorflow") is None:
        libc = platform.libc_ver()[0]
        checks.append(_check_machine(platform.system(), _interpreter_machine(), libc))
        if checks[-1].state == "bad":  # nothing else can be installed or matters
            return Report(checks, brief)
    locked = _locked_versions()
    for name in PACKAGES:
        checks.append(_check_package(name, locked.get(name)))
    if all(package_version(name) is not None for name in ("tensorflow", "keras", "numpy")):
        checks.append(check_import(importing or begin_import()))
    checks += check_settings(workspace_folder())
    checks.append(_check_disk())
    # Without psutil, which is reported above, the rest is still of use.
    with contextlib.suppress(ImportError):
        checks.append(_check_memory())
        checks.append(_check_cores())
        checks.append(_check_load())
    return Report(checks, brief)


def _check_python() -> Check:
    seen = f"Python {platform.python_version()}"
    if PYTHON_FROM <= sys.version_info < PYTHON_BELOW:
        return Check("Python", "ok", seen)
    cure = "use Python 3.11, 3.12 or 3.13: make lab PYTHON=python3.12"
    return Check("Python", "bad", seen, cure)


def _check_machine(system: str, machine: str, libc: str = "glibc") -> Check:
    """Check that TensorFlow has a build for this system and processor."""
    seen = f"{system} {machine}"
    has_other_libc = system == "Linux" and libc != "glibc"
    if (system, machine) in TENSORFLOW_BUILDS and not has_other_libc:
        return Check("machine", "ok", seen)
    cure = "use another computer, or open the course on Binder"
    if (system, machine) == ("Darwin", "x86_64"):
        kind = "Macs with an Intel processor"
        cure += "; if this Mac has Apple silicon, install a Python for arm64"
    elif (system, machine) == ("Windows", "ARM64"):
        kind = "Windows on Arm"
    elif has_other_libc:
        kind = "Linux without glibc, such as Alpine"
    else:
        kind = f"{system} on {machine}"
    return Check("machine", "bad", seen, f"TensorFlow has no build for {kind}: {cure}")


def _interpreter_machine() -> str:
    """Return the processor this Python was built for: it decides which builds pip installs.

    On Windows it may differ from the machine's, as a Python for x64 also runs on Arm.
    """
    windows_builds = {"win-amd64": "AMD64", "win-arm64": "ARM64", "win32": "x86"}
    return windows_builds.get(sysconfig.get_platform(), platform.machine())


def _locked_versions() -> dict[str, str]:
    """Return the versions that the stored outputs come from, by package; none without a lock."""
    try:
        lock = _LOCK.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    return dict(re.findall(r"^([\w.-]+)==([^\s;]+)", lock, re.MULTILINE))


def _check_package(name: str, locked: str | None) -> Check:
    """Check that a package is installed, in the version that the stored outputs come from."""
    found = package_version(name)
    if found is None:
        cure = "run `make lab` again, or: pip install -r requirements.lock"
        return Check(name, "bad", f"{name} is missing", cure)
    seen = f"{name} {found}"
    if locked is not None and found != locked:
        note = f"the stored outputs come from {locked}; counts of Python calls may differ"
        return Check(name, "note", seen, note)
    return Check(name, "ok", seen)


def _check_disk() -> Check:
    free = shutil.disk_usage(_LOCK.parent).free / 2**30
    seen = f"{free:.1f} GiB free"
    if free > ENOUGH_DISK:
        return Check("disk", "ok", seen)
    return Check("disk", "bad", seen, f"the course needs {ENOUGH_DISK} GiB: delete or move files")


def _check_memory() -> Check:
    free = free_memory()
    seen = f"{free:.1f} GiB free"
    if free > ENOUGH_MEMORY:
        return Check("memory", "ok", seen)
    cure = "a lesson needs up to 1.5 GB: close other programs"
    if free < TOO_LITTLE_MEMORY:
        return Check("memory", "bad", seen, cure)
    return Check("memory", "note", seen, cure)


def _check_cores() -> Check:
    return Check("cores", "ok", counted(cores(), "core"))


def _check_load() -> Check:
    processes = load()
    seen = f"load {processes:.1f}"
    if processes <= cores():
        return Check("load", "ok", seen)
    note = (
        "other programs use the processor: measurements take longer and may end 'unclear', but they"
        " stay correct"
    )
    return Check("load", "note", seen, note)
