"""Make nbval run the lessons as JupyterLab does, and stop a lesson at its first failing cell."""

import importlib.metadata
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "tools"))
from kernels import kernel_environment

NBVAL = "0.11.0"


def _found():
    try:
        return importlib.metadata.version("nbval")
    except importlib.metadata.PackageNotFoundError:
        return "none"


# Two private functions of nbval are replaced below. Another release may have changed them, and the lessons
# would then be compared with something else than what a learner sees, without anybody noticing.
if _found() != NBVAL:
    pytest.exit(
        f"conftest.py needs nbval {NBVAL} and found {_found()}. Run `make test`, which installs what the lock says, "
        f"or `python -m pip install nbval=={NBVAL}`.",
        returncode=4,
    )

import nbval.kernel  # noqa: E402 - only after the version is known to be the right one
from nbval.plugin import IPyNbCell  # noqa: E402

_homes = tempfile.TemporaryDirectory(prefix="labkit-test-")
_start_new_kernel = nbval.kernel.start_new_kernel


def _execute_cell_input(self, cell_input, allow_stdin=None):
    # nbval asks for no history. IPython then ignores a trailing `;` and leaves `_` and `Out` where they were.
    return self.kc.execute(
        cell_input, store_history=True, allow_stdin=allow_stdin, stop_on_error=False
    )


def _start_like_lab(*args, **kwargs):
    # One home for each kernel: what one lesson records must not show in the progress table of the next.
    kwargs.setdefault("env", kernel_environment(tempfile.mkdtemp(dir=_homes.name)))
    try:
        return _start_new_kernel(*args, **{**kwargs, "startup_timeout": 60})
    except RuntimeError:
        # The ports are chosen before the kernel binds them. Another process may take one in between, and this kernel
        # never answers: seen once in some twenty runs beside another JupyterLab. A new kernel gets new ports.
        return _start_new_kernel(*args, **kwargs)


nbval.kernel.RunningKernel.execute_cell_input = _execute_cell_input
nbval.kernel.start_new_kernel = _start_like_lab


def pytest_configure(config):
    config.add_cleanup(_homes.cleanup)


def pytest_runtest_setup(item):
    # After a failed cell the rest of a notebook fails for want of its names, and buries the one failure that counts.
    failed = getattr(item.parent, "first_failed_cell", None)
    if isinstance(item, IPyNbCell) and failed:
        pytest.skip(f"{item.parent.name} stopped at its first failing cell, {failed}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if isinstance(item, IPyNbCell) and report.failed:
        item.parent.first_failed_cell = getattr(item.parent, "first_failed_cell", None) or item.name
    return report
