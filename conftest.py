"""Make nbval run the lessons as JupyterLab does, and take doctests from labkit."""

import gc
import importlib.metadata
import importlib.util
import os
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from kernels import SHELL, kernel_environment, set_variables

ROOT = Path(__file__).resolve().parent
pytest_plugins = ["scopes"]  # tools/scopes.py: durations, order, the fast part
SANITIZE = ROOT / "tests" / "nbval_sanitize.cfg"
NBVAL = "0.11.0"
# A cell with the tag needs-ray does something only where the package ray is installed.
NEEDS = "needs-"
MANY_OBJECTS = 100_000  # with so many, each collection of garbage takes some hundredths of a second


def _installed_nbval() -> str:
    try:
        return importlib.metadata.version("nbval")
    except importlib.metadata.PackageNotFoundError:
        return "none"


set_variables(os.environ, SHELL)  # before keras and matplotlib are imported

# Two private functions of nbval are replaced below. Another release may have changed them, and
# nobody would notice that the lessons are no longer compared with what a learner sees.
if _installed_nbval() != NBVAL:
    pytest.exit(
        f"conftest.py needs nbval {NBVAL} and found {_installed_nbval()}. Run `make test`, which "
        f"installs what the lock says, or `python -m pip install nbval=={NBVAL}`.",
        returncode=4,
    )

import nbval.kernel  # noqa: E402 - only after its version is known to be the right one
from nbval.plugin import IPyNbCell  # noqa: E402

_homes = tempfile.TemporaryDirectory(prefix="labkit-test-")
_start_new_kernel = nbval.kernel.start_new_kernel


def _execute_cell_input(self: Any, cell_input: str, allow_stdin: bool | None = None) -> str:
    # nbval asks for no history. IPython then ignores a trailing `;` and does not update `_`.
    return self.kc.execute(
        cell_input, store_history=True, allow_stdin=allow_stdin, stop_on_error=False
    )


def _start_like_lab(*args: Any, **kwargs: Any) -> Any:
    # A folder for each kernel: no lesson shows in its progress table what another one recorded.
    kwargs.setdefault("env", kernel_environment(tempfile.mkdtemp(dir=_homes.name)))
    try:
        return _start_new_kernel(*args, **{**kwargs, "startup_timeout": 60})
    except RuntimeError:
        # The ports are chosen before the kernel binds them. If another process takes one in
        # between, this kernel never answers: seen once in some twenty runs beside JupyterLab.
        return _start_new_kernel(*args, **kwargs)


nbval.kernel.RunningKernel.execute_cell_input = _execute_cell_input
nbval.kernel.start_new_kernel = _start_like_lab


def pytest_configure(config: pytest.Config) -> None:
    """Give nbval the absolute path of the sanitize file: pytest may run in any folder."""
    if config.getoption("nbval_sanitize_with") is None:
        config.option.nbval_sanitize_with = str(SANITIZE)
    config.add_cleanup(_homes.cleanup)


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, Any, Any]:
    """Import the tests without Python's garbage collector, and set aside what the imports made.

    TensorFlow's modules are half a million objects, and the tests collect garbage thousands of
    times. `lab.setup` does the same in a lesson.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.collect()
        gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(file_path: Path) -> Generator[None, Any, list[pytest.Collector]]:
    """Collect doctests from labkit only: the other files have none, and would be imported twice."""
    collectors = yield
    if file_path.is_relative_to(ROOT / "labkit"):
        return collectors
    return [found for found in collectors if type(found).__name__ != "DoctestModule"]


@pytest.fixture(scope="module", autouse=True)
def _few_objects_to_look_through() -> None:
    """Set aside what the files of tests before this one have left alive, such as traced graphs."""
    if len(gc.get_objects()) > MANY_OBJECTS:
        gc.collect()
        gc.freeze()


@pytest.fixture(autouse=True)
def _empty_records(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each doctest an empty record of exercises, no claims, and no progress bars."""
    if not isinstance(request.node, pytest.DoctestItem):
        return
    from labkit.course import claims

    folder = tempfile.mkdtemp(dir=_homes.name)
    monkeypatch.setenv("LABKIT_HOME", folder)
    monkeypatch.setenv("TQDM_DISABLE", "1")
    monkeypatch.delenv("LABKIT_STRICT", raising=False)
    monkeypatch.setattr(claims, "_tried", {})


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a cell whose package is missing, and the rest of a notebook after a failed cell."""
    if not isinstance(item, IPyNbCell):
        return
    failed = getattr(item.parent, "first_failed_cell", None)
    if failed:  # the other cells would fail for want of its names
        pytest.skip(f"{item.parent.name} stopped at its first failing cell, {failed}")
    for tag in item.cell.metadata.get("tags", []):
        package = tag.removeprefix(NEEDS)
        if package != tag and importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed, and the stored output comes from it")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, pytest.TestReport]:
    """Remember the failed cell of a notebook."""
    report = yield
    if isinstance(item, IPyNbCell) and report.failed:
        item.parent.first_failed_cell = item.name
    return report
