"""What was measured becomes the table and the plan of the README, and nothing there is typed."""

import hub_client
import hub_report
import nbformat
import pytest

RUN = {
    "name": "load01",
    "server_after": 20.0,
    "first_cell_after": 30.0,
    "done_after": 90.0,
    "longest_cell": 20.0,
    "cells": 53,
    "memory": 800_000_000,
    "memory_together": 400_000_000,
    "seconds": 100.0,
    "differences": [],
    "failure": "",
}


def measured(learners, **changes):
    runs = [{**RUN, **changes} for _ in range(learners)]
    return {
        "learners": learners,
        "date": "2026-01-02",
        "machine": "2 cores",
        "lesson": "02_direct_call_loop",
        "seconds": 100.0,
        "busy_percent": 99.0,
        "hub": {"memory": 200_000_000, "seconds": 10.0},
        "runs": runs,
    }


def test_the_readme_is_what_was_measured():
    text = hub_report.README.read_text(encoding="utf-8")
    assert hub_report.with_generated_parts(text) == text


def test_a_run_that_failed_or_differed_does_not_count_as_right():
    (row,) = hub_report.load_table([measured(5)]).splitlines()[2:3]
    assert row.startswith(
        "| 5 | 5 of 5 | 20 s, 20 s | 30 s, 30 s | 90 s, 90 s | 20 s | 400, 400; 800"
    )
    for change in ({"failure": "KernelLost: closed"}, {"differences": ["cell 3: …"]}):
        assert "| 0 of 5 |" in hub_report.load_table([measured(5, **change)])


def test_the_plan_follows_from_what_was_measured(monkeypatch):
    monkeypatch.setattr(hub_report, "minutes_of", lambda lesson: 50)
    plan = hub_report.plan([measured(1), measured(20)])
    assert "800 MB measured" in plan
    # 1,000 learners, each with 100 s of a core in 50 minutes; three times that is kept.
    assert "33 cores on average, 100 with a reserve of 3" in plan
    assert "7 for the processors" in plan
    twice = hub_report.plan([measured(1), measured(20, seconds=200.0)])
    assert "67 cores on average, 200 with a reserve of 3" in twice


def test_a_measurement_takes_the_place_of_the_one_before(tmp_path, monkeypatch):
    monkeypatch.setattr(hub_report, "MEASURED", tmp_path / "measured.json")
    for one in (measured(20), measured(1), measured(20, seconds=7.0)):
        hub_report.keep(one)
    kept = hub_report.read_measured()
    assert [one["learners"] for one in kept] == [1, 20]
    assert kept[1]["runs"][0]["seconds"] == 7.0


# ---- the comparison with the stored outputs ----


def stored(text, tags=()):
    output = nbformat.v4.new_output("execute_result", {"text/plain": text}, execution_count=1)
    cell = nbformat.v4.new_code_cell("verdict", outputs=[output], execution_count=1)
    cell.metadata["tags"] = list(tags)
    return cell


def result(text):
    data = {"output_type": "execute_result", "data": {"text/plain": text}, "metadata": {}}
    return hub_client.Result("ok", 7, [{**data, "execution_count": 7}])


@pytest.fixture(scope="module")
def load_test():
    return pytest.importorskip("load_test")


def test_a_measured_figure_may_differ_and_a_verdict_may_not(load_test):
    compare = load_test.comparison()
    cell = stored("✓ S0-2 holds here\n  measured: ≈0.148× [0.137, 0.157]")
    right = result("✓ S0-2 holds here\n  measured: ≈0.2× [0.1, 0.3]")
    wrong = result("? S0-2 is undecided here\n  measured: ≈0.2× [0.1, 0.3]")
    assert load_test.difference(cell, right, compare) == ""
    said = load_test.difference(cell, wrong, compare)
    assert "undecided" in said and said.endswith("measured: ≈0.2× [0.1, 0.3]"), said
    assert load_test.difference(cell, hub_client.Result("ok", 7, []), compare)
    closed, opened = "<details><p>≈1×</p></details>", "<details open><p>≈2×</p></details>"
    assert load_test.difference(stored(opened), result(closed), compare) == ""


def test_an_error_is_a_difference_unless_the_cell_is_there_to_raise_it(load_test):
    compare = load_test.comparison()
    error = {"output_type": "error", "ename": "ValueError", "evalue": "no", "traceback": []}
    raised = hub_client.Result("error", 7, [error])
    assert load_test.difference(stored("1"), raised, compare) == "ValueError: no"
    cell = nbformat.v4.new_code_cell("1/0", outputs=[nbformat.from_dict(error)])
    cell.metadata["tags"] = ["raises-exception"]
    assert load_test.difference(cell, raised, compare) == ""
