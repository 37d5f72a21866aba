"""conftest.py takes doctests from labkit only; tests/test_nbval.py tests what it does to nbval."""

import subprocess
import sys

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
