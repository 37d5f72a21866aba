"""The fault drill of lesson 12 with other seeds and more faults, on the code that it shows.

The cells of the lesson are run here. Time is counted in predictions and in checks, so a busy
machine changes nothing but the duration.
"""

import ast
import functools
import json
import os
import random
import shutil
import subprocess
import sys
import textwrap
import threading
import weakref
from pathlib import Path
from types import SimpleNamespace

import keras
import nbformat
import numpy as np
import pytest
import tensorflow as tf

import labkit as lab

LESSON = Path(__file__).resolve().parents[1] / "notebooks" / "12_swap_while_serving.ipynb"
# The code that a learner takes home, and the code that puts it to the test.
WRITER = ["sizes", "hashes", "sync", "publish"]
RELOADER = ["newest", "load_version", "look", "Reloader"]
DRILL = [
    "folder",
    "flip",
    "damages",
    "one",  # the loop that saves the models
    "requests",
    "load",
    "Advised",
    "truth",
    "bad",
    "on_file",
    "kinds",
    "spoil",
    "mend",
    "Step",
    "drill",
    "judge",
    "fresh",
]
CAP = 8
posix_only = pytest.mark.skipif(os.name != "posix", reason="needs POSIX")


def defined(source):
    """Return the names that a cell defines."""
    names = set()
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign | ast.For):
            for part in ast.walk(node):
                if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
                    names.add(part.id)
    return names


def only_imports(source):
    """Whether a cell imports, and does nothing but that and set the log."""
    if "lab.setup" in source or "import" not in source:
        return False
    allowed = ast.Import | ast.ImportFrom | ast.Expr
    return all(isinstance(node, allowed) for node in ast.parse(source).body)


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
    space = {"lab": lab, "np": np, "tf": tf, "keras": keras}
    wanted = {*WRITER, *RELOADER, *DRILL}
    for source in cells():
        if only_imports(source) or wanted & defined(source):
            exec(source, space)
            wanted -= defined(source)
    assert not wanted, f"the lesson no longer defines {wanted}"
    yield SimpleNamespace(**space)
    space["home"].cleanup()


@pytest.fixture(scope="module", params=[101, 102])
def drilled(request, shown):
    """Run the drill once for each seed, with bits flipped anywhere; return server and steps."""
    draw = random.Random(request.param)

    def flipped(path):
        shown.flip(path, draw.random())

    kinds = list(shown.kinds)
    draw.shuffle(kinds)
    with pytest.MonkeyPatch.context() as patch:
        for kind in ("one bit", "touched", "same time stamp"):
            patch.setitem(shown.on_file, kind, flipped)
        patch.setitem(shown.on_note, "note one bit", flipped)
        server = shown.fresh(shown.Reloader, longest=CAP)
        steps = shown.drill(server, kinds, seed=request.param)
    return server, steps


def test_no_prediction_is_lost_or_wrong(shown, drilled):
    _, steps = drilled
    assert len(steps) > 1000
    assert len(shown.kinds) == 20
    assert shown.judge(steps) == {"answers": len(steps), "lost": 0, "wrong": 0}


def test_every_fault_is_reported_and_nothing_else(drilled):
    server, steps = drilled
    assert {number for number, _ in server.reports} == {step.number for step in steps}
    assert all(text for _, text in server.reports)


KINDS = [
    "missing",
    "half written",
    "one bit",
    "compressed",
    "wrong shape",
    "another model",
    "empty",
    "a folder",
    "a pipe",
    "64 GB",
    "a link",
    "touched",
    "same time stamp",
    "note missing",
    "note half written",
    "note one bit",
    "not a number",
    "no permission",
    "no memory",
    "disk full",
]


@pytest.mark.parametrize("kind", KINDS)
def test_the_server_recovers_within_the_cap(drilled, kind):
    _, steps = drilled
    own = [step for step in steps if step.kind == kind]
    lies = [step for step in own if step.lies]
    assert {step.version for step in lies} == {own[0].number - 1}  # the version before answers
    late = sum(step.version != step.number for step in own if not step.lies)
    assert late // 5 < CAP


# ---- the drill can fail ----


def test_the_server_of_the_advice_loses_predictions_and_gives_wrong_answers(shown):
    steps = shown.drill(shown.fresh(shown.Advised), ["missing", "another model"])
    found = shown.judge(steps)
    assert found["lost"] > 10
    assert found["wrong"] > 10


def test_without_the_proofs_another_model_answers(shown, monkeypatch):
    def believes(path, number, load):
        return load(path / "model")

    monkeypatch.setitem(shown.look.__globals__, "load_version", believes)
    steps = shown.drill(shown.fresh(shown.Reloader, longest=CAP), ["another model"])
    assert shown.judge(steps)["wrong"] > 10


def test_a_wrong_answer_is_noticed(shown):
    class Slips(shown.Reloader):
        def __call__(self, request):
            answer, number = super().__call__(request)
            return answer + 1e-3, number

    steps = shown.drill(shown.fresh(Slips, longest=CAP), ["missing"], lies=3)
    assert shown.judge(steps)["wrong"] == len(steps)


# ---- the reloader, with models that are the text of a file ----


def say(text):
    """Return a save that writes a text."""
    return lambda path: (path / "model.txt").write_text(str(text), encoding="utf-8")


def put(shown, folder, number, text=None, answer=None):
    """Publish a model that answers with a number."""
    text = number if text is None else text
    answer = number if answer is None else answer
    shown.publish(folder, number, say(text), np.zeros((2, 1)), np.full(2, float(answer)))


ALIVE = weakref.WeakSet()


class TextModel:
    """A model that answers with the number in a file, and is freed only by the collector."""

    def __init__(self, path):
        self.value = float((path / "model.txt").read_text(encoding="utf-8"))
        self.circle = self
        ALIVE.add(self)

    def __call__(self, request):
        return self.value


@pytest.fixture
def server(shown, tmp_path):
    """Return a reloader that answers with version 0."""
    ALIVE.clear()
    folder = tmp_path / "live"
    folder.mkdir()
    put(shown, folder, 0)
    server = shown.Reloader(folder, TextModel, longest=CAP)
    server.check()
    assert server(None) == (0.0, 0)
    return server


def tried(server, checks, before=lambda: None):
    """Return the checks in which the server tried, and failed."""
    found = []
    for check in range(checks):
        before()
        reports = len(server.reports)
        server.check()
        if len(server.reports) > reports:
            found.append(check)
    return found


def test_the_tries_are_further_apart_each_time_up_to_the_cap(shown, server):
    put(shown, server.folder, 1)
    model = server.folder / "1" / "model" / "model.txt"
    model.unlink()
    assert tried(server, 40) == [0, 1, 3, 7, 15, 23, 31, 39]
    model.write_text("1", encoding="utf-8")
    assert tried(server, CAP) == []
    assert server(None) == (1.0, 1)


def test_touching_or_growing_a_bad_file_does_not_bring_more_tries(shown, server):
    put(shown, server.folder, 1)
    model = server.folder / "1" / "model" / "model.txt"

    def grows():
        with open(model, "a", encoding="utf-8") as file:
            file.write("1")

    assert tried(server, 20, grows) == [0, 1, 3, 7, 15]


def test_two_bad_versions_that_come_and_go_do_not_bring_more_tries(shown, server):
    put(shown, server.folder, 1, text=5)
    put(shown, server.folder, 2, text=5)
    hidden = server.folder / "hidden"

    def comes_and_goes():
        place = server.folder / "2"
        if place.exists():
            os.rename(place, hidden)
        else:
            os.rename(hidden, place)

    assert len(tried(server, 40, comes_and_goes)) <= 9


def test_a_higher_number_is_tried_at_once(shown, server):
    put(shown, server.folder, 1, text=5)
    tried(server, 12)
    put(shown, server.folder, 2)
    server.check()
    assert server(None) == (2.0, 2)


def test_taking_the_newest_version_away_brings_the_one_before_back(shown, server):
    put(shown, server.folder, 1)
    server.check()
    shutil.rmtree(server.folder / "1")
    server.check()
    assert server(None) == (0.0, 0)


def note_of(server):
    return server.folder / "1" / "note.json"


def deep(path):
    path.write_text("[" * 100_000, encoding="utf-8")


def huge(path):
    os.truncate(path, 2**36)


def pipe(path):
    path.unlink()
    os.mkfifo(path)


def folder_in_place(path):
    path.unlink()
    path.mkdir()


def nothing(path):
    path.write_text("null", encoding="utf-8")


def of_version_9(path):
    note = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(note | {"version": 9}), encoding="utf-8")


def no_requests(path):
    note = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(note | {"requests": []}), encoding="utf-8")


def answers_that_are_no_numbers(path):
    note = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(note | {"answers": [float("nan")] * 2}), encoding="utf-8")


SPOILT = [deep, nothing, folder_in_place, of_version_9, no_requests, answers_that_are_no_numbers]
POSIX_SPOILT = [pytest.param(spoil, marks=posix_only) for spoil in (huge, pipe)]


@pytest.mark.parametrize("spoil", [*SPOILT, *POSIX_SPOILT])
def test_a_spoilt_note_does_no_harm(shown, server, spoil):
    put(shown, server.folder, 1)
    spoil(note_of(server))
    assert tried(server, 8) == [0, 1, 3, 7]
    assert server(None) == (0.0, 0)
    put(shown, server.folder, 2)
    server.check()
    assert server(None) == (2.0, 2)


def test_a_folder_that_is_gone_for_a_while_does_no_harm(shown, server):
    away = server.folder.with_name("away")
    os.rename(server.folder, away)
    assert tried(server, 8) == [0, 1, 3, 7]
    assert server(None) == (0.0, 0)
    os.rename(away, server.folder)
    put(shown, server.folder, 1)
    server.check()
    assert server(None) == (1.0, 1)


def test_a_version_that_is_copied_in_file_by_file_is_taken_when_it_is_whole(shown, server):
    put(shown, server.folder, 1)
    whole = server.folder.with_name("whole")
    os.rename(server.folder / "1", whole)
    (server.folder / "1" / "model").mkdir(parents=True)
    server.check()
    shutil.copy(whole / "note.json", server.folder / "1" / "note.json")
    server.check()
    assert server(None) == (0.0, 0)
    shutil.copy(whole / "model" / "model.txt", server.folder / "1" / "model" / "model.txt")
    tried(server, CAP)
    assert server(None) == (1.0, 1)


def test_a_file_too_many_is_noticed(shown, server):
    put(shown, server.folder, 1)
    (server.folder / "1" / "model" / "more.txt").touch()
    server.check()
    assert server(None) == (0.0, 0)


@posix_only
def test_a_permission_that_is_revoked_and_given_back(shown, server):
    if os.geteuid() == 0:
        pytest.skip("an administrator may read any file")
    put(shown, server.folder, 1)
    model = server.folder / "1" / "model" / "model.txt"
    model.chmod(0)
    assert tried(server, 4) == [0, 1, 3]
    model.chmod(0o644)
    tried(server, CAP)
    assert server(None) == (1.0, 1)


def test_answers_of_another_shape_are_refused(shown, server):
    requests, answers = np.zeros((2, 1)), np.zeros((2, 1))
    shown.publish(server.folder, 1, say(0), requests, answers)
    server.check()
    assert "mismatch" in server.reports[0][1]


def test_a_model_that_takes_only_batches_of_one_size_is_refused(shown, server):
    def load(path):
        def answer(request):
            assert len(request) == 8
            return request

        return answer

    server.load = load
    shown.publish(server.folder, 1, say(0), np.zeros((8, 1, 3)), np.zeros((8, 1, 3)))
    server.check()
    assert server(None) == (0.0, 0)


def test_it_loads_the_bytes_that_it_checked(shown, server):
    def load(path):
        shutil.rmtree(server.folder / "1")  # somebody cleans up just then
        return TextModel(path)

    server.load = load
    put(shown, server.folder, 1)
    server.check()
    assert server(None) == (1.0, 1)


def test_the_old_model_is_freed_by_the_check_that_swaps(shown, server):
    for number in range(1, 6):
        put(shown, server.folder, number)
        server.check()
        assert len(ALIVE) == 1


def test_tries_that_fail_leave_one_model_at_most(shown, server):
    put(shown, server.folder, 1, text=5)
    tried(server, 30)
    assert len(ALIVE) <= 2


def test_the_reports_do_not_grow_without_end(server):
    assert server.reports.maxlen == 1000


def test_a_second_check_returns_at_once(shown, server):
    entered, go_on = threading.Event(), threading.Event()
    loads = []

    def load(path):
        loads.append(path)
        entered.set()
        assert go_on.wait(60)
        return TextModel(path)

    server.load = load
    put(shown, server.folder, 1)
    first = threading.Thread(target=server.check)
    first.start()
    assert entered.wait(60)
    server.check()
    assert (len(loads), server(None)) == (1, (0.0, 0))
    go_on.set()
    first.join()
    assert (len(loads), server(None)) == (1, (1.0, 1))


def test_an_interrupted_check_lets_the_next_one_in(shown, server):
    def stopped(path):
        raise KeyboardInterrupt

    put(shown, server.folder, 1)
    server.load = stopped
    with pytest.raises(KeyboardInterrupt):
        server.check()
    server.load = TextModel
    server.check()
    assert server(None) == (1.0, 1)


def test_threads_that_ask_during_swaps_get_answers_with_their_own_number(
    shown, server, monkeypatch
):
    monkeypatch.setattr(shown.gc, "collect", lambda: 0)
    wrong, stop = [], threading.Event()

    def ask():
        while not stop.is_set():
            answer, number = server(None)
            if answer != number:
                wrong.append((answer, number))

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    askers = [threading.Thread(target=ask) for _ in range(3)]
    for asker in askers:
        asker.start()
    for number in range(1, 60):
        put(shown, server.folder, number)
        server.check()
    stop.set()
    for asker in askers:
        asker.join()
    sys.setswitchinterval(interval)
    assert server.serving[1] == 59
    assert wrong == []


def test_a_new_model_is_traced_before_it_answers(shown):
    server = shown.fresh(shown.Reloader)
    with lab.count() as n:
        server(shown.rows[:1])
        server(shown.rows[:7])
    assert n.traces == 0


@pytest.mark.parametrize("kind", ["keras", "saved"])
def test_files_and_folders_are_served(shown, tmp_path, kind):
    def save(path):
        if kind == "keras":
            shown.model.save(path / "model.keras")
        else:
            shown.model.export(path, verbose=False)

    shown.publish(tmp_path, 3, save, shown.requests, shown.answers)
    server = shown.Reloader(tmp_path, shown.load)
    server.check()
    answers, number = server(shown.rows[:5])
    assert number == 3
    assert np.allclose(answers, shown.expected[:5], atol=1e-5)


def test_a_flipped_bit_anywhere_in_a_saved_model_is_noticed(shown, tmp_path):
    """In saved_model.pb, which has no checksum of its own, as well as in the variables."""
    saved = functools.partial(shutil.copytree, shown.folder / "good/saved", dirs_exist_ok=True)
    server = shown.Reloader(tmp_path, shown.load, longest=1)
    draw = random.Random(3)
    for number in range(12):
        shown.publish(tmp_path, number, saved, shown.requests, shown.answers)
        files = sorted(path for path in (tmp_path / f"{number}/model").rglob("*") if path.is_file())
        shown.flip(files[number % len(files)], draw.random())
        server.check()
    assert [number for number, _ in server.reports] == list(range(12))
    assert server.serving[1] == -1


# ---- the writer ----


def test_a_save_that_fails_leaves_nothing(shown, tmp_path):
    def fails(path):
        (path / "half.txt").write_text("half", encoding="utf-8")
        raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space"):
        shown.publish(tmp_path, 1, fails, np.zeros((2, 1)), np.zeros(2))
    assert list(tmp_path.iterdir()) == []


@posix_only
def test_all_is_on_the_disk_before_the_rename_and_the_name_after_it(shown, tmp_path, monkeypatch):
    events, opened = [], {}
    real_open, real_rename = os.open, os.rename

    def recorded_open(path, *arguments, **options):
        handle = real_open(path, *arguments, **options)
        opened[handle] = Path(path)
        return handle

    def recorded_rename(source, target):
        events.append("rename")
        real_rename(source, target)

    monkeypatch.setattr(os, "open", recorded_open)
    monkeypatch.setattr(os, "rename", recorded_rename)
    monkeypatch.setattr(os, "fsync", lambda handle: events.append(opened[handle].name))
    put(shown, tmp_path, 1)
    at = events.index("rename")
    assert set(events[:at]) == {"fresh", "model", "model.txt", "note.json"}
    assert events[at + 1 :] == [tmp_path.name]


def without_docstrings(node):
    for part in ast.walk(node):
        is_definition = isinstance(part, ast.FunctionDef | ast.ClassDef)
        if is_definition and ast.get_docstring(part):
            part.body.pop(0)
    return node


def definitions(names):
    """Return the source of functions and classes that the lesson shows."""
    found = []
    for source in cells():
        for node in ast.parse(source).body:
            if getattr(node, "name", None) in names:
                found.append(ast.unparse(without_docstrings(node)))
    return found


PROGRAM = """
import contextlib, json, math, os, shutil, signal, sys, tempfile
from hashlib import sha256
from pathlib import Path
import numpy as np

{definitions}

folder = Path(sys.argv[1])

def put(number, text):
    save = lambda path: (path / "model.txt").write_text(text)
    publish(folder, number, save, np.zeros((2, 1)), np.zeros(2))

{work}
"""


def start(folder, work, *arguments):
    """Start a process without TensorFlow that has the lesson's writer."""
    program = PROGRAM.format(
        definitions="\n\n".join(definitions([*WRITER, "newest"])), work=textwrap.dedent(work)
    )
    command = [sys.executable, "-c", program, str(folder), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def is_whole(shown, place):
    """Whether a version is what its note says."""
    note = json.loads((place / "note.json").read_text(encoding="utf-8"))
    return note["sha256"] == shown.hashes(place / "model") and str(note["version"]) == place.name


# The disk is left out: 1,200 publishes would wait for it most of the time.
OWN_NUMBERS = """
os.fsync = lambda handle: None
for number in range(int(sys.argv[2]), 1200, 2):
    put(number, f"model {number}")
"""


def test_two_writers_with_six_hundred_versions_each(shown, tmp_path):
    writers = [start(tmp_path, OWN_NUMBERS, first) for first in (0, 1)]
    highest, looks = -1, 0
    while any(writer.poll() is None for writer in writers):
        number = shown.newest(tmp_path)
        assert number >= highest  # an older version never wins
        assert number < 0 or is_whole(shown, tmp_path / str(number))
        highest, looks = number, looks + 1
    assert [writer.communicate()[0] for writer in writers] == ["", ""]
    assert [writer.returncode for writer in writers] == [0, 0]
    assert looks > 1
    assert sorted(int(path.name) for path in tmp_path.iterdir()) == list(range(1200))
    assert shown.newest(tmp_path) == 1199


SAME_NUMBERS = """
os.fsync = lambda handle: None
print("ready", flush=True)
while not folder.with_name("go").exists():
    pass
for number in range(150):
    with contextlib.suppress(OSError):
        put(number, f"model {number} of {sys.argv[2]}")
        print(number)
"""


def test_of_two_writers_with_the_same_numbers_one_wins_each(shown, tmp_path):
    folder = tmp_path / "live"
    folder.mkdir()
    writers = [start(folder, SAME_NUMBERS, name) for name in "ab"]
    assert [writer.stdout.readline() for writer in writers] == ["ready\n", "ready\n"]
    (tmp_path / "go").touch()
    won = [writer.communicate()[0].split() for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0]
    assert sorted([*won[0], *won[1]], key=int) == [str(number) for number in range(150)]
    for number in range(150):
        place = folder / str(number)
        assert is_whole(shown, place)
        text = (place / "model" / "model.txt").read_text(encoding="utf-8")
        assert text == f"model {number} of {'a' if str(number) in won[0] else 'b'}"
    assert len(list(folder.iterdir())) == 150


# A writer dies at each third call that Python makes on the way, in a process of its own.
KILLED = """
os.fsync = lambda handle: None
put(0, "model 0")
dies_at = 0
while newest(folder) == 0:
    child = os.fork()
    if not child:
        calls = 0

        def count(*_):
            global calls
            calls += 1
            if calls > dies_at:
                os.kill(os.getpid(), signal.SIGKILL)

        sys.setprofile(count)
        put(1, "model 1")
        os._exit(0)
    os.waitpid(child, 0)
    dies_at += 3
print(dies_at)
"""


@posix_only
def test_a_writer_that_is_killed_at_any_point_leaves_nothing_that_readers_see(shown, tmp_path):
    writer = start(tmp_path, KILLED)
    points = int(writer.communicate()[0])
    assert writer.returncode == 0
    assert points > 100
    assert is_whole(shown, tmp_path / "1")  # the first one that was seen was whole
    put(shown, tmp_path, 2)
    assert shown.newest(tmp_path) == 2


def test_writer_and_reloader_are_at_most_sixty_lines():
    """Count lines of code: neither blank ones nor comments nor docstrings."""
    lines = 0
    for code in definitions([*WRITER, *RELOADER]):
        lines += len(code.replace("\n\n", "\n").splitlines())
    assert 40 < lines <= 60
