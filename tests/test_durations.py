"""What each scope costs is measured and kept, long ones come first, and the fast part is small."""

import json
import os
import subprocess
import sys

import durations
import nbformat
import pytest
import scopes
from fakes import ROOT
from nbformat.v4 import new_code_cell, new_notebook, new_output

# ---- a run of a few tests, as pytest makes it ----

BUSY = """
import time

def test_busy():
    begin = time.process_time()
    while time.process_time() - begin < 0.3:
        pass
"""
IDLE = "import time\n\ndef test_idle():\n    time.sleep(0.3)\n"
CHILD = """
import subprocess, sys

LOOP = "import time\\nwhile time.process_time() < 0.4: pass"

class TestChild:
    def test_child(self):
        subprocess.run([sys.executable, "-c", LOOP], check=True)

    def test_more(self):
        pass
"""
MANY = "test_many.py"
FILES = {
    MANY: "\n".join(f"def test_{i}(): pass" for i in range(3)),
    "test_busy.py": BUSY,
    "test_idle.py": IDLE,
    "test_child.py": CHILD,
}


def run_pytest(folder, *options):
    """Run pytest with this plugin and few others in a folder; return its output, and what it kept.

    Without the plugins that are installed: to import them all takes longer than these tests.
    """
    outside = {name: text for name, text in os.environ.items() if not name.startswith("PYTEST_")}
    outside |= {"PYTHONPATH": str(ROOT / "tools"), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-m", "pytest", "-p", "xdist", "-p", "scopes", *options]
    done = subprocess.run(
        command, cwd=folder, env=outside, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    path = folder / ".pytest_cache" / "v" / "labkit" / "durations"
    return done.stdout, json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    folder = tmp_path_factory.mktemp("project")
    for name, text in FILES.items():
        (folder / name).write_text(text)
    return folder, run_pytest(folder, "-n", "2", "--dist", "loadscope")[1]


def test_each_scope_is_kept_with_its_tests(ran):
    _, kept = ran
    tests = {scope: cost["tests"] for scope, cost in kept["scopes"].items()}
    assert tests == {MANY: 3, "test_busy.py": 1, "test_idle.py": 1, "test_child.py::TestChild": 2}
    assert kept["run"]["workers"] == 2
    assert kept["run"]["start"] > 0


def test_processor_time_is_that_of_the_work_wherever_it_is_done(ran):
    cost = ran[1]["scopes"]
    # The system counts in steps of a hundredth of a second.
    assert cost["test_busy.py"]["processor"] > 0.25
    assert cost["test_idle.py"]["processor"] < 0.25 < cost["test_idle.py"]["wall"]
    if sys.platform != "win32":  # it keeps no time of children that have ended
        assert cost["test_child.py::TestChild"]["processor"] > 0.35


def test_a_part_of_a_scope_does_not_replace_the_whole(ran):
    folder, before = ran
    _, after = run_pytest(folder, "-k", "test_more or test_idle")
    child = "test_child.py::TestChild"
    assert after["scopes"][child] == before["scopes"][child]
    assert after["scopes"]["test_busy.py"] == before["scopes"]["test_busy.py"]
    assert after["run"]["scopes"] == sorted(["test_idle.py", child])


class Cache:
    """What pytest gives a plugin to keep things in."""

    def __init__(self, kept):
        self.kept = kept

    def get(self, key, default):
        return self.kept


@pytest.mark.parametrize("damage", [[], 3, None, {}, {"scopes": 3}, {"scopes": {"a": 3}}])
def test_a_damaged_record_is_no_obstacle(damage):
    assert scopes.kept_scopes(Cache(damage)) == {}


def test_without_a_cache_the_tests_run(tmp_path):
    (tmp_path / "test_idle.py").write_text(IDLE)
    assert run_pytest(tmp_path, "-p", "no:cacheprovider")[1] is None


# ---- the order ----


def test_long_scopes_come_first():
    nodeids = ["a.py::test_1", "a.py::test_2", "b.py::B::test", "c.py::test"]
    costs = {"a.py": 2.0, "b.py::B": 30.0, "c.py": 7.0}
    assert scopes.long_first(nodeids, costs) == ["b.py::B", "c.py", "a.py"]


def test_in_a_fresh_clone_lessons_come_before_small_tests():
    many = [f"tests/test_table.py::test_{i}" for i in range(200)]
    few = ["notebooks/00.ipynb::Cell 0", "tests/test_unsolved_lessons.py::A::test", *many]
    few.append("tests/test_exercises.py::test")
    order = scopes.long_first(few, {})
    assert order[0] == "tests/test_exercises.py"
    assert order[-1] == "tests/test_table.py"


def test_the_worker_takes_the_long_scope_first_though_it_has_fewer_tests(ran):
    folder, _ = ran
    output, _ = run_pytest(folder, "-n", "1", "--dist", "loadscope", "-v", "test_idle.py", MANY)
    tests = [line for line in output.splitlines() if "PASSED" in line]
    assert "test_idle" in tests[0]
    assert len(tests) == 4


# ---- the fast part ----


def test_the_fast_part_has_no_lesson_and_no_model():
    assert not scopes.is_fast("notebooks/02_direct_call_loop.ipynb", [])
    assert not scopes.is_fast("labkit/show/table.py", [])
    assert not scopes.is_fast("tests/own_model/test_loop.py", [])
    assert scopes.is_fast("tests/measure/test_stats.py", [])
    assert scopes.is_fast("tests/own_model_of_another_name.py", [])


def test_a_file_that_took_long_here_is_left_out_until_it_changes():
    costs = {
        "tests/test_a.py": {"processor": 2.0},
        "tests/test_b.py::One": {"processor": 2.0},
        "tests/test_b.py::Two": {"processor": 2.0},
    }
    dear = scopes.dear_files(costs)
    assert dear == ["tests/test_b.py"]
    assert scopes.is_fast("tests/test_a.py", [], dear)
    assert not scopes.is_fast("tests/test_b.py", [], dear)
    assert scopes.is_fast("tests/test_b.py", ["tests/test_b.py"], dear)


def test_in_a_fresh_clone_files_that_take_long_elsewhere_are_left_out():
    told = scopes.what_is_known({}, [])
    assert told["dear"] == list(scopes.DEAR_ELSEWHERE)
    assert all((ROOT / path).is_file() for path in scopes.DEAR_ELSEWHERE)
    cost = {"tests": 9, "wall": 0.1, "processor": 0.2, "date": ""}
    assert scopes.what_is_known({"tests/test_a.py": cost}, [])["dear"] == []


def test_the_contract_of_the_lessons_is_always_in_the_fast_part():
    (contract,) = scopes.ALWAYS_FAST
    assert (ROOT / contract).is_file()
    assert scopes.is_fast(contract, [], [contract])


@pytest.mark.parametrize(
    ("source", "needed"),
    [
        ("import os\nimport tensorflow as tf\n", True),
        ("from keras import layers\n", True),
        ("def f():\n    import tensorflow\n", False),
        ("import tensorflows\n", False),
    ],
)
def test_a_file_that_imports_tensorflow_is_known_by_its_text(tmp_path, source, needed):
    (tmp_path / "test_it.py").write_text(source)
    assert scopes.needs_tensorflow(tmp_path / "test_it.py") is needed
    assert not scopes.needs_tensorflow(tmp_path / "nothing.py")


def test_what_is_left_out_exists():
    for path in scopes.SLOW:
        assert (ROOT / path).exists(), path


def test_the_fast_part_has_what_was_changed():
    changed = ["notebooks/05_tf_data.ipynb", "tests/test_stop.py", "labkit/show/table.py"]
    for path in changed:
        assert scopes.is_fast(path, changed)
    assert not scopes.is_fast("notebooks/06_loops_in_the_graph.ipynb", changed)


@pytest.mark.parametrize(
    "path",
    [
        "notebooks/05_tf_data.ipynb",
        "labkit/course/exercises/lesson_05.py",
        "tests/wrong_answers/lesson_05.py",
        "tests/right_answers/lesson_05.py",
    ],
)
def test_of_the_answers_those_to_a_changed_lesson_run(path):
    for answers in scopes.ANSWERS:
        assert scopes.is_fast(answers, [path])
        assert scopes.is_fast_test(f"{answers}::test_it[05.1-a name]", [path])
        assert scopes.is_fast_test(f"{answers}::test_it[05_tf_data]", [path])
        assert not scopes.is_fast_test(f"{answers}::test_it[06.1-a name]", [path])
        assert scopes.is_fast_test(f"{answers}::test_it[06.1-a name]", [answers])


DEAR = ["tests/test_pages.py"]


class Config:
    """As much of pytest's configuration as the plugin asks for, in a worker."""

    def __init__(self, fast, changed=(), costs=None):
        self.fast = fast
        self.workerinput = {"changed": list(changed), "costs": costs or {}, "dear": DEAR}

    def getoption(self, name):
        return self.fast


def test_a_slow_file_is_not_even_imported():
    fast = scopes.Order(Config(True, ["tests/test_stop.py"]))
    assert fast.pytest_ignore_collect(ROOT / "tests" / "test_exercises.py") is True
    assert fast.pytest_ignore_collect(ROOT / "tests" / "test_stop.py") is None
    assert fast.pytest_ignore_collect(ROOT / "tests" / "test_table.py") is None
    assert fast.pytest_ignore_collect(ROOT / "tests" / "test_pages.py") is True  # took long
    assert fast.pytest_ignore_collect(ROOT / "tests" / "test_engine.py") is True  # TensorFlow
    assert fast.pytest_ignore_collect(ROOT / "notebooks") is None  # a changed lesson may be in it
    assert fast.pytest_ignore_collect(ROOT.parent / "test_elsewhere.py") is None
    everything = scopes.Order(Config(False))
    assert everything.pytest_ignore_collect(ROOT / "tests" / "test_exercises.py") is None


def test_the_header_says_what_is_left_out_and_what_is_not():
    changed = ["tests/test_stop.py", "README.md"]
    header = scopes.Order(Config(True, changed)).pytest_report_header()
    assert " notebooks, " in header
    assert "tests/test_pages.py" in header
    assert "tests/test_stop.py" not in header
    assert scopes.Order(Config(False)).pytest_report_header() is None


# ---- the table ----

KEPT = {
    "run": {
        "date": "2026-11-27 10:00",
        "versions": "Python 3.11.7",
        "workers": 2,
        "load": [0.5, 2.0],
        "wall": 61.2,
        "start": 10.0,
        "idle": 3.0,
        "scopes": ["notebooks/02.ipynb"],
    },
    "scopes": {
        "notebooks/02.ipynb": {
            "tests": 50,
            "wall": 40.0,
            "processor": 50.0,
            "kernel": 1.0,
            "imports": 4.0,
            "measuring": 20.0,
            "rest": 15.0,
            "date": "2026-11-27 10:00",
        },
        "tests/test_exercises.py": {
            "tests": 900,
            "wall": 30.0,
            "processor": 40.0,
            "date": "2026-11-26 09:00",
        },
        "tests/test_table.py": {
            "tests": 9,
            "wall": 0.1,
            "processor": 0.2,
            "date": "2026-11-26 09:00",
        },
    },
}


def test_the_table_has_the_dearest_first_and_tells_what_is_old():
    lines = durations.table(KEPT, least=5)
    assert lines[1].split() == ["50.0", "s", "40.0", "s", "50", "notebooks/02.ipynb"]
    assert lines[2].endswith("tests/test_exercises.py  (2026-11-26 09:00)")
    assert lines[3].startswith("1 more below 5 s")
    assert len(durations.table(KEPT, least=0)) == 4


def test_the_floor_is_kernels_imports_and_measurements_and_the_start_of_the_workers():
    *parts, total, rest = durations.floor(KEPT)
    assert [float(line.split()[0]) for line in parts] == [1.0, 4.0, 20.0, 10.0]
    assert total.split()[0] == "35.0"
    assert "100.2 s, is 2.86 times" in total
    assert rest.split()[0] == "15.0"


def test_a_lesson_that_runs_unsolved_too_needs_two_kernels():
    unsolved = {"tests": 1, "wall": 9.0, "processor": 9.8, "date": "2026-11-27 10:00"}
    scopes = {**KEPT["scopes"], "tests/test_unsolved_lessons.py::TestLesson_02": unsolved}
    *parts, total, _ = durations.floor({**KEPT, "scopes": scopes})
    assert [float(line.split()[0]) for line in parts] == [2.0, 8.0, 20.0, 10.0]
    assert "110.0 s, is 2.75 times" in total


def test_the_fast_part_is_summed_up():
    total, dearest = durations.fast(KEPT)
    assert total.split() == ["0.2", "s", "1", "files", "of", "tests"]
    assert dearest.endswith("of which tests/test_table.py")


def test_the_heading_says_how_busy_the_machine_was():
    assert "load 0.5 before and 2.0 after; 61 s" in durations.heading(KEPT["run"])
    unknown = {**KEPT["run"], "load": [None, None]}
    assert "load" not in durations.heading(unknown)


def test_the_kinds_have_everything_once():
    tests = [int(line.split()[4]) for line in durations.kinds(KEPT)]
    assert sum(tests) == 959


def test_without_a_run_it_says_what_to_do(monkeypatch, capsys):
    monkeypatch.setattr(durations, "read", lambda: None)
    assert durations.main([]) == 1
    assert "run `make test` first" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["", "[]", "{}", "3"])
def test_what_is_no_record_is_not_read(tmp_path, text):
    (tmp_path / "durations").write_text(text)
    assert durations.read(tmp_path / "durations") is None
    assert durations.read(tmp_path / "nothing") is None


def test_a_cell_is_charged_to_what_it_does():
    class Item:
        def __init__(self, source):
            self.cell = new_code_cell(source)

    assert scopes.part_of_lesson(Item("versions = lab.setup()")) == "imports"
    assert scopes.part_of_lesson(Item("c = lab.compare(a=f, b=g)")) == "measuring"
    assert scopes.part_of_lesson(Item("own_model.diagnose_loop(f)")) == "measuring"
    assert scopes.part_of_lesson(Item("model(rows)")) == "rest"
    assert scopes.part_of_lesson(object()) == ""


def test_the_parts_of_a_lesson_are_measured(tmp_path):
    text = [new_output("stream", text="1\n")]
    cells = [
        new_code_cell("print(1)", outputs=text, execution_count=1),
        new_code_cell(
            "import time\nwhile time.process_time() < 2: pass\nf = print\nf(1) # compare()",
            outputs=text,
            execution_count=2,
        ),
    ]
    nbformat.write(new_notebook(cells=cells), tmp_path / "a.ipynb")
    _, kept = run_pytest(tmp_path, "-p", "nbval.plugin", "--nbval", "--nbval-current-env")
    cost = kept["scopes"]["a.ipynb"]
    assert {"kernel", "rest", "measuring"} <= set(cost)
    parts = cost["kernel"] + cost["rest"] + cost["measuring"]
    # Sums of hundredths of a second: they may be equal, and differ in the last digit.
    assert 0.5 < parts < cost["processor"] + 0.005
