"""conftest.py takes doctests from labkit only; tests/test_nbval.py tests what it does to nbval."""

import gc
import os
import subprocess
import sys
from unittest import mock

import pytest
from kernels import SHELL
from nbformat.v4 import new_code_cell
from nbval.plugin import IPyNbCell
from pages import ROOT


def test_doctests_come_from_labkit_only(tmp_path):
    settings = ["-c", str(ROOT / "pyproject.toml"), "--rootdir", str(ROOT)]
    paths = [str(ROOT / name) for name in ("labkit/show/table.py", "tools", "tests/fakes.py")]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", *settings, *paths],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    tests = [line for line in done.stdout.splitlines() if "::" in line]
    assert tests
    for test in tests:
        assert "::labkit.show.table" in test


def test_what_the_imports_of_the_tests_made_is_set_aside():
    """With TensorFlow among it, each collection in a test would take a third of a second."""
    assert gc.get_freeze_count() > 100_000
    assert gc.isenabled()


def test_what_the_shell_has_set_for_other_work_is_set_aside():
    hostile = dict.fromkeys(SHELL, "jax")
    places = os.pathsep.join([str(ROOT), str(ROOT / "tools")])
    code = f"import conftest, os; print([os.environ.get(name) for name in {list(SHELL)}])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **hostile, "PYTHONPATH": places},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(list(SHELL.values()))
    assert {"KERAS_BACKEND", "JUPYTER_TOKEN", "MPLBACKEND", "TF_USE_LEGACY_KERAS"} <= set(SHELL)


@pytest.mark.parametrize(
    ("tags", "is_skipped"),
    [
        (["long", "needs-no_such_package"], True),
        (["needs-json"], False),
        (["long"], False),
        ([], False),
    ],
)
def test_a_cell_whose_package_is_missing_is_skipped(tags, is_skipped, pytestconfig):
    """Its stored output comes from a machine that has the package."""
    conftest = pytestconfig.pluginmanager.get_plugin(str(ROOT / "conftest.py"))
    item = mock.Mock(spec=IPyNbCell)
    item.parent = mock.Mock(first_failed_cell=None)
    item.cell = new_code_cell("1", metadata={"tags": tags})
    if is_skipped:
        with pytest.raises(pytest.skip.Exception, match="no_such_package is not installed"):
            conftest.pytest_runtest_setup(item)
    else:
        conftest.pytest_runtest_setup(item)
