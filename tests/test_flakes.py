"""The program that looks for flakes brings the machine into its states and tells what differed."""

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools" / "benchmarks"))

import flakes
from flakes import Run

REPORT = """<testsuites><testsuite>
<testcase classname="a" name="good"/>
<testcase classname="a" name="bad"><failure message="&#10;Error: 2 != 3&#10;more"/></testcase>
<testcase classname="a" name="broken"><error>no message here</error></testcase>
<testcase classname="a" name="left out"><skipped message="stopped before"/></testcase>
</testsuite></testsuites>"""


def test_a_report_is_read(tmp_path):
    (tmp_path / "report.xml").write_text(REPORT)
    done = Run("idle", 1.0, None)
    flakes.read_report(tmp_path / "report.xml", done)
    assert done.tests == 3
    assert done.failed == {"a bad": "Error: 2 != 3", "a broken": "no message here"}
    assert not done.broken


def test_a_run_without_tests_is_no_success(tmp_path):
    (tmp_path / "report.xml").write_text("<testsuites/>")
    done = Run("idle", 1.0, None)
    flakes.read_report(tmp_path / "report.xml", done)
    assert done.broken == "no test ran"


def test_what_fails_now_and_then_is_told_from_what_always_fails():
    runs = [
        Run("idle", 1, None, 2, {"always": "no"}),
        Run("busy", 1, None, 2, {"always": "no", "sometimes": "2 != 3"}),
        Run("busy", 1, None, 2, {"always": "no"}),
        Run("busy", 1, None, broken="not done after 9 s"),
    ]
    always, sometimes = flakes.differing(runs)
    assert always.startswith("fails  always: 1 of 1 idle, 2 of 2 busy\n")
    assert sometimes.startswith("DIFFERS  sometimes: 1 of 2 busy\n")
    assert "2 != 3" in sometimes


def test_a_line_says_how_busy_the_machine_was_and_why_there_is_no_result():
    assert flakes.line_of(Run("busy", 61.4, 3.25, 9)) == (
        "busy: 9 tests, 0 failed (61 s, load 3.2 at its end)"
    )
    assert "gave no result: not done" in flakes.line_of(Run("idle", 9, None, broken="not done"))


@pytest.mark.parametrize("state", [flakes.busy, flakes.bursts])
def test_the_programs_beside_the_tests_end_with_them(state):
    me = psutil.Process()
    before = set(me.children())
    with pytest.raises(KeyboardInterrupt), state():
        started = set(me.children()) - before
        assert len(started) == flakes.cores()
        raise KeyboardInterrupt
    assert not any(child.is_running() for child in started)


def cores_of(prefix):
    code = "import os; print(len(os.sched_getaffinity(0)))"
    done = subprocess.run([*prefix, sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.mark.skipif(bool(flakes.not_available("one-core")), reason="needs taskset")
def test_on_one_core_the_tests_have_one():
    with flakes.one_core() as prefix:
        assert cores_of(prefix) == 1
        # Processes that the tests start have the same.
        assert cores_of([*prefix, "env"]) == 1


@pytest.mark.skipif(bool(flakes.not_available("memory")), reason="needs systemd-run or prlimit")
def test_more_memory_than_allowed_is_not_given():
    code = f"bytearray({flakes.MEMORY} + 2**20)"
    with flakes.memory() as prefix:
        done = subprocess.run([*prefix, sys.executable, "-c", code], capture_output=True, text=True)
        small = subprocess.run([*prefix, sys.executable, "-c", "bytearray(2**20)"])
    assert done.returncode != 0
    assert small.returncode == 0


def test_a_state_that_this_machine_cannot_have_is_named(monkeypatch, capsys):
    monkeypatch.setattr(flakes, "not_available", lambda state: "needs taskset")
    assert flakes.main(["--under", "one-core", "--times", "1", "x"]) == 1
    assert "one-core: not tried, needs taskset" in capsys.readouterr().out


def test_a_run_that_gives_no_report_is_no_success(monkeypatch, capsys):
    monkeypatch.setattr(flakes, "_output", lambda command, limit: "ERROR: no such file\n")
    assert flakes.main(["--under", "idle", "--times", "2", "no/such/file"]) == 1
    out = capsys.readouterr().out
    assert out.count("idle: gave no result: ERROR: no such file") == 2


def test_the_states_get_the_same_number_of_runs(monkeypatch, capsys):
    states = []

    def run(state, tests, jobs, limit):
        states.append(state)
        return Run(state, 1.0, None, 3)

    monkeypatch.setattr(flakes, "run", run)
    monkeypatch.setattr(flakes, "not_available", lambda state: "")
    assert flakes.main([]) == 0
    assert states == [state for state in flakes.STATES for _ in range(2)]
    assert capsys.readouterr().out.endswith("No test failed.\n")
