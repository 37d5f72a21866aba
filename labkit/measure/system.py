"""What a measurement runs on: the machine, its load, the versions; and a silent error output."""

import contextlib
import importlib.metadata
import os
import platform
from collections.abc import Iterator
from pathlib import Path

from ..show.format import digits

# Packages on whose version a measured time or count depends.
MEASURED_PACKAGES = ("tensorflow", "keras", "numpy", "onnxruntime", "tf2onnx", "labkit")
_PROCESSOR_FILE = Path("/proc/cpuinfo")  # Linux only
_BYTES_PER_GIB = 2**30


def cores() -> int:
    """Return how many processor cores this process may use, at least 1.

    ``taskset`` and a container's set of cores lower the number; a container's share of processor
    time does not.
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def load() -> float:
    """Return how many processes ran or waited for a core, on average over the last minute."""
    import psutil

    return psutil.getloadavg()[0]


def free_memory() -> float:
    """Return the memory that programs may still take, in GiB."""
    import psutil

    return psutil.virtual_memory().available / _BYTES_PER_GIB


def total_memory() -> float:
    """Return the memory of the machine in GiB."""
    import psutil

    return psutil.virtual_memory().total / _BYTES_PER_GIB


def processor() -> str:
    """Return the name of the processor, or ``unknown``."""
    try:
        lines = _PROCESSOR_FILE.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    for line in lines:
        key, _, name = line.partition(":")
        if key.strip() == "model name" and name.strip():
            return name.strip()
    return platform.processor() or "unknown"


def package_version(name: str) -> str | None:
    """Return the installed version of a package, or None.

    TensorFlow without GPU support is a package of its own, ``tensorflow-cpu``, and so is the Keras
    that a release candidate of TensorFlow brings, ``keras-nightly``.
    """
    for spelling in (name, f"{name}-cpu", f"{name}-nightly"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            return importlib.metadata.version(spelling)
    return None


def machine_facts() -> dict[str, str]:
    """Return what a measured time depends on: processor, memory, load and versions.

    No value names a person, a computer or a folder, so a reader may publish all of them.
    """
    facts = {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": processor(),
        "cores": f"{cores()} for this process",
        "memory": f"{digits(total_memory())} GiB",
        "load": digits(load()),
        "Python": platform.python_version(),
    }
    for name in MEASURED_PACKAGES:
        version = package_version(name)
        if version is not None:
            facts[name] = version
    return facts


@contextlib.contextmanager
def silence_stderr() -> Iterator[None]:
    """Drop what compiled code writes to the error output.

    It writes to the file descriptor, which `contextlib.redirect_stderr` does not reach.
    """
    kept = _duplicate(2)
    if kept is None:  # the process was started without an error output: nothing to silence
        yield
        return
    null = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(null)


def _duplicate(descriptor: int) -> int | None:
    """Return a duplicate of an open file descriptor; None if it is closed."""
    try:
        return os.dup(descriptor)
    except OSError:
        return None
