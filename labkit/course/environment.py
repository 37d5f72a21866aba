"""Prepare a lesson (`setup`) and check a machine (`doctor`)."""

import contextlib
import importlib.metadata
import os
import platform
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path

from ..measure.system import cores, silence_stderr

PACKAGES = ("tensorflow", "keras", "numpy", "jupyterlab", "matplotlib", "ipywidgets", "psutil")


class Versions(dict):
    """Versions and the machine in one line.

    Attributes
    ----------
    cores : int
        Processor cores that this process may use.
    """

    cores: int = 1

    def __repr__(self) -> str:
        return " · ".join(self.values())


def setup(seed: int = 0) -> Versions:
    """Import TensorFlow quietly and make random numbers repeat.

    Parameters
    ----------
    seed : int
        For Python, NumPy and TensorFlow alike.

    Returns
    -------
    Versions
        What this notebook runs on, in one line.

    Notes
    -----
    TensorFlow writes start-up lines from C++ that no variable silences; they go to the null device during the import.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with silence_stderr():
        import keras
        import tensorflow as tf

        gpus = len(tf.config.list_physical_devices("GPU"))
        tf.constant(0.0)  # the first operation wakes the rest of the start-up lines
    tf.get_logger().setLevel(
        "ERROR"
    )  # retracing is shown by counts here, not by a warning with an address in it
    keras.utils.set_random_seed(seed)
    versions = Versions(
        python=f"Python {platform.python_version()}",
        tensorflow=f"TensorFlow {tf.__version__}",
        keras=f"Keras {keras.__version__}",
        numpy=f"NumPy {importlib.metadata.version('numpy')}",
        cores=f"{cores()} core{'s' * (cores() != 1)}",
        gpu=f"{gpus or 'no'} GPU{'s' * (gpus > 1)}",
    )
    versions.cores = cores()
    return versions


@dataclass
class Check:
    """One line of the doctor's report.

    Attributes
    ----------
    what : str
        The thing looked at.
    state : str
        ``ok``, ``note`` or ``bad``.
    seen : str
        What was found.
    cure : str
        What to do about it.
    """

    what: str
    state: str
    seen: str
    cure: str = ""


@dataclass(repr=False)
class Report:
    """What `doctor` found.

    Attributes
    ----------
    checks : list of Check
        One per thing looked at.
    """

    checks: list[Check] = field(default_factory=list)
    brief: bool = False

    @property
    def ok(self) -> bool:
        """Whether the course can run here."""
        return all(check.state != "bad" for check in self.checks)

    @property
    def line(self) -> str:
        """One line to paste to a teacher: no name of a person or of a folder in it."""
        seen = {check.what: check.seen for check in self.checks}
        bad = [f"{c.what}: {c.seen}" for c in self.checks if c.state == "bad"]
        word = "ready" if self.ok else "NOT READY (" + "; ".join(bad) + ")"
        return f"labkit doctor: {word} | {platform.system()} {platform.machine()} | " + " | ".join(
            seen[w] for w in ("Python", "tensorflow", "memory", "cores", "load") if w in seen
        )

    def __repr__(self) -> str:
        if self.brief:
            return self.line
        signs = {"ok": "✓ ok  ", "note": "! note", "bad": "✗ bad "}
        lines = [
            f"{signs[c.state]}  {c.what:11} {c.seen}" + (f"\n        → {c.cure}" if c.cure else "")
            for c in self.checks
        ]
        return "\n".join([*lines, "", "To paste to your teacher:", self.line])


def doctor(brief: bool = False) -> Report:
    """Look whether this machine can run the course, and say what to do where it cannot.

    Parameters
    ----------
    brief : bool
        Show only the one line.

    Returns
    -------
    Report
        Its `ok` is False when something must be mended first.

    Examples
    --------
    >>> doctor().checks[0].what
    'Python'
    """
    version = sys.version_info
    fits = (3, 11) <= version < (3, 14)
    checks = [
        Check(
            "Python",
            "ok" if fits else "bad",
            f"Python {platform.python_version()}",
            "" if fits else "use Python 3.11, 3.12 or 3.13: make lab PYTHON=python3.12",
        )
    ]
    wanted = _locked()
    for name in PACKAGES:
        checks.append(_package(name, wanted))
    checks.append(_disk())
    with contextlib.suppress(
        ImportError
    ):  # without psutil, which is reported above, the rest still stands
        checks += [_memory(), *_processors()]
    return Report(checks, brief)


def _locked() -> dict[str, str]:
    lock = Path(__file__).resolve().parents[2] / "requirements.lock"
    if not lock.exists():
        return {}
    pairs = (
        line.split()[0].split("==")
        for line in lock.read_text(encoding="utf-8").splitlines()
        if "==" in line[:60]
    )
    return {pair[0]: pair[1] for pair in pairs if len(pair) == 2}


def _package(name: str, locked: dict[str, str]) -> Check:
    found = None
    for spelling in (name, f"{name}-cpu", f"{name}-intel", f"{name}-macos"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found = found or importlib.metadata.version(spelling)
    if not found:
        return Check(
            name,
            "bad",
            f"{name} is missing",
            "run `make lab` again, or: pip install -r requirements.lock",
        )
    if found != locked.get(name, found):
        note = f"the stored outputs come from {locked[name]}; counts of Python calls may differ"
        return Check(name, "note", f"{name} {found}", note)
    return Check(name, "ok", f"{name} {found}")


def _memory() -> Check:
    import psutil

    free = psutil.virtual_memory().available / 2**30
    cure = "" if free > 2 else "a lesson needs up to 1.5 GB: close other programs"
    return Check(
        "memory",
        "ok" if free > 2 else "bad" if free < 0.8 else "note",
        f"{free:.1f} GiB free",
        cure,
    )


def _disk() -> Check:
    free = shutil.disk_usage(Path(__file__).parent).free / 2**30
    return Check(
        "disk",
        "ok" if free > 0.5 else "bad",
        f"{free:.1f} GiB free",
        "" if free > 0.5 else "make room: 0.5 GiB",
    )


def _processors() -> list[Check]:
    import psutil

    checks = [Check("cores", "ok", f"{cores()} cores")]
    load = psutil.getloadavg()[0]
    busy = load > cores()
    cure = (
        "other programs compete: measurements take longer and may end 'unclear', but will not lie"
        if busy
        else ""
    )
    return [*checks, Check("load", "note" if busy else "ok", f"load {load:.1f}", cure)]
