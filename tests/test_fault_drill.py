"""The fault drill of lesson 11 with other seeds, on the code that the lesson shows.

The cells of the lesson are run here. Time is counted in predictions and in checks, so a busy
machine changes nothing but the duration.
"""

import ast
import json
import os
import random
import threading
from pathlib import Path
from types import SimpleNamespace

import keras
import nbformat
import numpy as np
import pytest
import tensorflow as tf

import labkit as lab

LESSON = Path(__file__).resolve().parents[1] / "notebooks" / "11_loading_in_a_loop.ipynb"
# The code that a learner takes home, and the code that puts it to the test.
RELOADER = ["look", "fetch", "restore", "ready", "Server", "Reloader"]
DRILL = [
    "folder",
    "stamp",
    "other",
    "flip",
    "damages",
    "kinds",
    "checksum",
    "write",
    "publish",
    "Advised",
    "Step",
    "plan",
    "truth",
    "good",
    "arrive",
    "fresh",
    "drill",
    "judge",
]


def defined(source):
    """Return the names that a cell defines."""
    names = set()
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            for part in ast.walk(node):
                if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
                    names.add(part.id)
    return names


def only_imports(source):
    statements = ast.parse(source).body
    return all(isinstance(node, ast.Import | ast.ImportFrom) for node in statements)


def cells():
    """Return the sources of the lesson's code cells, without exercises and solutions."""
    sources = []
    for cell in nbformat.read(LESSON, as_version=4).cells:
        tags = cell.metadata.get("tags", [])
        if cell.cell_type == "code" and "exercise" not in tags and "solution" not in tags:
            sources.append(cell.source)
    return sources


@pytest.fixture(scope="module")
def shown():
    """Run the cells that define the drill and the reloader, and return what they define."""
    space = {"lab": lab, "np": np, "tf": tf, "keras": keras, "rows": lab.models.random_rows(100)}
    space["models"] = {"small": lab.models.mlp()}
    wanted = {*RELOADER, *DRILL}
    for source in cells():
        if only_imports(source) or wanted & defined(source):
            exec(source, space)
            wanted -= defined(source)
    assert not wanted, f"the lesson no longer defines {wanted}"
    yield SimpleNamespace(**space)
    space["home"].cleanup()


@pytest.fixture
def anywhere(shown, monkeypatch):
    """Flip a bit at another place each time, not at the one of the lesson."""
    draw = random.Random(1)

    def flipped(path):
        path.write_bytes(shown.flip(path.read_bytes(), draw.random()))

    monkeypatch.setitem(shown.damages, "bit flipped", flipped)


def faulty(arrivals):
    """Return the numbers of the versions that arrived with a fault."""
    version = 0
    found = set()
    for _, kind in sorted(arrivals.items()):
        if kind != "the rest":
            version += 1
        if kind not in ("good", "the rest"):
            found.add(version)
    return found


def reported(server):
    """Return the numbers of the versions that a server reported."""
    return {version for version, _ in server.reports}


@pytest.mark.parametrize(("seed", "every"), [(101, 10), (102, 7), (103, 3)])
def test_no_prediction_is_lost_or_wrong_and_every_fault_is_reported(shown, anywhere, seed, every):
    arrivals = shown.plan(seed)
    faults = [kind for kind in arrivals.values() if kind not in ("good", "the rest")]
    assert len(faults) >= 40
    assert {kind: faults.count(kind) for kind in faults} == dict.fromkeys(shown.kinds, 6)
    assert len(shown.kinds) == 7

    server = shown.fresh(shown.Reloader)
    log = shown.drill(server, arrivals, every)
    found = shown.judge(server, log)

    assert len(log) >= 2000
    assert (found["lost"], found["wrong"]) == (0, 0)
    assert reported(server) == faulty(arrivals)  # all of them, and no false alarm
    assert found["longest wait"] < every  # a good version answers within one check interval


# ---- the drill can fail ----


def test_the_server_of_the_advice_loses_predictions_and_misses_the_wrong_shape(shown):
    arrivals = {at: kind for at, kind in shown.plan(104).items() if at < 700}
    server = shown.fresh(shown.Advised)
    found = shown.judge(server, shown.drill(server, arrivals, count=700))
    assert found["lost"] > 100
    assert reported(server) < faulty(arrivals)


def test_without_probe_rows_the_wrong_shape_loses_predictions(shown, monkeypatch):
    monkeypatch.setitem(
        shown.Reloader.check.__globals__, "ready", lambda model, probe: tf.function(model)
    )
    server = shown.fresh(shown.Reloader)
    found = shown.judge(server, shown.drill(server, {5: "wrong shape", 55: "good"}, count=80))
    assert found["lost"] == 50
    assert found["reported"] == 0


def test_a_wrong_answer_is_noticed(shown):
    class Slips(shown.Reloader):
        def __call__(self, row):
            return super().__call__(row) + 1e-3

    server = shown.fresh(Slips)
    assert shown.judge(server, shown.drill(server, {5: "good"}, count=20))["wrong"] == 20


@pytest.mark.parametrize(("every", "longest"), [(10, 9), (50, 39)])
def test_a_check_that_comes_late_is_noticed(shown, every, longest):
    server = shown.fresh(shown.Reloader)
    log = shown.drill(server, {11: "good"}, every=every, count=60)
    assert shown.judge(server, log)["longest wait"] == longest


# ---- the parts of the reloader ----


def test_the_tries_are_bounded_and_further_apart_each_time(shown):
    server = shown.fresh(shown.Reloader)
    shown.arrive(server.folder, "missing", 0, 0)
    tried = []
    for check in range(60):
        reports_before = len(server.reports)
        server.check()
        if len(server.reports) > reports_before:
            tried.append(check)
    assert tried == [0, 1, 3, 7]
    assert len(server.reports) == 4
    assert server.version == 0


def test_what_heals_is_taken_at_the_next_check_also_after_the_last_try(shown):
    server = shown.fresh(shown.Reloader)
    version, newest = shown.arrive(server.folder, "half written", 0, 0)
    for _ in range(20):
        server.check()
    assert (server.version, len(server.reports)) == (0, 4)
    shown.arrive(server.folder, "the rest", version, newest)
    server.check()
    assert server.version == 1


def empties(note):
    note.write_text("")


def leaves_the_half(note):
    note.write_text('{"version": 1, "fi')


@pytest.mark.parametrize("spoil", [os.unlink, leaves_the_half, empties])
def test_a_note_that_is_missing_or_spoiled_does_no_harm(shown, spoil):
    server = shown.fresh(shown.Reloader)
    expected = server(shown.rows[:5]).numpy()
    spoil(server.folder / "latest.json")
    for _ in range(10):
        server.check()
    assert np.array_equal(server(shown.rows[:5]), expected)
    assert [version for version, _ in server.reports] == [None] * 4
    shown.publish(server.folder, 2, shown.good[2])
    server.check()
    assert server.version == 2


def test_any_flipped_bit_is_noticed(shown):
    server = shown.fresh(shown.Reloader)
    data = shown.good[1]
    draw = random.Random(2)
    for version in range(1, 41):
        shown.publish(server.folder, version, data)
        (server.folder / f"{version}.keras").write_bytes(shown.flip(data, draw.random()))
        server.check()
    assert server.reports == [(version, "ValueError") for version in range(1, 41)]
    assert server.version == 0


def test_it_loads_the_bytes_that_it_checked(shown):
    server = shown.fresh(shown.Reloader)
    data = shown.fetch(server.folder, shown.look(server.folder)[0])
    (server.folder / "0.keras").write_bytes(b"something else by now")
    assert np.allclose(shown.restore(data)(shown.rows)[:, 0], shown.truth[0], atol=1e-6)


def test_answers_that_are_not_numbers_are_refused(shown):
    model = lab.models.mlp()
    model.set_weights([np.full_like(weight, np.nan) for weight in model.get_weights()])
    with pytest.raises(ValueError, match="unsound answers"):
        shown.ready(model, shown.rows[:4])


def test_a_new_model_is_traced_before_it_answers(shown):
    server = shown.fresh(shown.Reloader)
    shown.publish(server.folder, 1, shown.good[1])
    server.check()
    with lab.count() as n:
        server(shown.rows[:1])
        server(shown.rows[:7])
    assert n.traces == 0


def test_the_note_is_written_last_and_nothing_is_left_behind(shown, tmp_path, monkeypatch):
    shown.publish(tmp_path, 1, b"one")
    replace = os.replace

    def fails_at_the_note(source, target):
        if Path(target).name == "latest.json":
            raise OSError("no space left on device")
        replace(source, target)

    monkeypatch.setattr(os, "replace", fails_at_the_note)
    with pytest.raises(OSError, match="no space"):
        shown.publish(tmp_path, 2, b"two")
    assert json.loads((tmp_path / "latest.json").read_text())["version"] == 1
    monkeypatch.undo()
    shown.publish(tmp_path, 2, b"two")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.keras", "2.keras", "latest.json"]


def test_a_check_in_a_thread_swaps_without_a_wrong_answer(shown):
    server = shown.fresh(shown.Reloader)
    shown.publish(server.folder, 1, shown.good[1])
    checking = threading.Thread(target=server.check)
    checking.start()
    answers = []
    while checking.is_alive() or len(answers) < 50:
        answers.append(server(shown.rows[:1]).numpy().item())
    answers.append(server(shown.rows[:1]).numpy().item())
    is_old = np.isclose(answers, shown.truth[0][0], atol=1e-5)
    is_new = np.isclose(answers, shown.truth[1][0], atol=1e-5)
    assert np.all(is_old | is_new)
    assert is_new[-1]


def without_docstrings(node):
    for part in ast.walk(node):
        is_definition = isinstance(part, ast.FunctionDef | ast.ClassDef)
        if is_definition and ast.get_docstring(part):
            part.body.pop(0)
    return node


def test_the_reloader_is_at_most_forty_lines():
    """Count lines of code: neither blank ones nor comments nor docstrings."""
    lines = 0
    for source in cells():
        for node in ast.parse(source).body:
            if getattr(node, "name", None) in RELOADER:
                code = ast.unparse(without_docstrings(node))
                lines += len(code.replace("\n\n", "\n").splitlines())
    assert 20 < lines <= 40
