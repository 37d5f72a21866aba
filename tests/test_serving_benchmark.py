"""The benchmark of servers: its figures, its table, and whether its drill notices what is wrong."""

import json
import math
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools" / "benchmarks"))

import serving as program

from labkit.course.serving import Clients

STEPS = (("kill",), ("replace",), ("replace", "kill"))
ROWS = 8
EXPECTED = {version: version + np.arange(ROWS) / 100 for version in (1, 2, 3)}


class FakeService:
    """A service in this process, whose answers a test may spoil."""

    def __init__(self, spoil=lambda answer, number: answer):
        self.spoil = spoil
        self.version = 1
        self.killed = 0
        self.asked = 0
        self.lock = threading.Lock()

    def client(self):
        return self.ask

    def ask(self, row):
        with self.lock:
            self.asked += 1
            number = self.asked
        version = self.version
        return self.spoil({"version": version, "score": EXPECTED[version][row]}, number)

    def kill(self):
        self.killed += 1

    def replace(self, version):
        self.version = version

    def is_whole(self):
        return True


def drilled(service, requests=300, limit=5.0):
    return program.drill(service, requests, ROWS, STEPS, limit)


# ---- the drill ----


def test_a_service_that_answers_everybody_rightly_passes():
    service = FakeService()
    found = drilled(service)
    assert found.lost(300) == 0
    assert found.wrong(EXPECTED) == Counter()
    assert (found.killed, found.replaced, service.killed) == (2, 2, 2)
    assert len(found.recovered) == 2
    assert found.troubles == []
    assert service.asked == len(found.waited) == 300


def test_each_version_answers_while_the_drill_goes_on():
    found = drilled(FakeService())
    assert {request.version for request in found.sent.values()} == {1, 2, 3}


def test_each_lost_request_is_counted():
    def lose(answer, number):
        if number % 50 == 0:
            raise TimeoutError("no answer")
        return answer

    found = drilled(FakeService(lose))
    assert found.lost(300) == 6
    assert {one.error for one in found.sent.values() if one.is_lost} == {"TimeoutError: no answer"}


def test_an_answer_without_a_version_is_a_lost_request():
    def cut(answer, number):
        return {} if number == 7 else answer

    assert drilled(FakeService(cut)).lost(300) == 1


def test_a_request_that_was_never_sent_is_lost():
    assert program.Drill().lost(5) == 5


def test_mixed_up_answers_are_noticed():
    def swap(answer, number):
        if number == 20:  # the answer that belongs to another row
            row = np.flatnonzero(EXPECTED[answer["version"]] == answer["score"])[0]
            answer["score"] = EXPECTED[answer["version"]][row - 1]
        return answer

    wrong = drilled(FakeService(swap)).wrong(EXPECTED)
    assert wrong == {"not what its version says about its row": 1}


def test_an_answer_under_the_name_of_another_version_is_noticed():
    def mislabel(answer, number):
        return {**answer, "version": 1} if answer["version"] == 2 else answer

    wrong = drilled(FakeService(mislabel)).wrong(EXPECTED)
    assert wrong.total() > 50


def test_a_worker_that_keeps_the_old_version_is_noticed():
    def old(answer, number):
        if number < 299:
            return answer
        row = np.flatnonzero(EXPECTED[answer["version"]] == answer["score"])[0]
        return {"version": 1, "score": EXPECTED[1][row]}

    assert drilled(FakeService(old)).wrong(EXPECTED) == {"a version that had been replaced": 2}


def test_a_version_that_never_arrives_is_a_trouble():
    class Stuck(FakeService):
        def replace(self, version):
            raise TimeoutError("it hangs")

    found = drilled(Stuck())
    assert found.replaced == 0
    assert found.troubles == [f"version {n} did not arrive: it hangs" for n in (2, 3)]
    assert found.wrong(EXPECTED) == Counter()  # version 1 was never replaced


def test_a_worker_that_does_not_come_back_is_a_trouble():
    class Broken(FakeService):
        def is_whole(self):
            return self.killed < 2

    found = drilled(Broken(), limit=1.0)
    assert found.troubles == ["a worker was not there again after 1 s"]
    assert len(found.recovered) == 1
    assert found.lost(300) == 0


def test_a_service_without_a_worker_to_kill_is_a_trouble():
    class Dead(FakeService):
        def kill(self):
            raise RuntimeError("none is alive")

    found = drilled(Dead())
    assert found.killed == 0
    assert found.troubles == ["no worker could be killed: none is alive"] * 2


def test_a_service_that_hangs_does_not_hold_up_the_drill():
    hang = threading.Event()

    def never(answer, number):
        hang.wait(60)
        return answer

    begin = time.monotonic()
    found = drilled(FakeService(never), limit=0.3)
    hang.set()
    assert time.monotonic() - begin < 30
    assert found.lost(300) == 300


def test_what_fails_in_the_drill_lets_its_clients_go():
    class Failing(FakeService):
        def is_whole(self):
            raise ZeroDivisionError

    before = threading.active_count()
    with pytest.raises(ZeroDivisionError):
        drilled(Failing())
    assert program.wait_until(lambda: threading.active_count() <= before, 20)


# ---- what is wrong with an answer ----

CHANGES = {
    1: program.Change(-math.inf, -math.inf),
    2: program.Change(10, 12),
    3: program.Change(20),  # it has not arrived everywhere
}


@pytest.mark.parametrize(
    "version, sent, answered, word",
    [
        (1, 5, 6, ""),
        (1, 11, 15, ""),  # sent before version 2 was everywhere
        (1, 12.5, 13, "replaced"),
        (2, 9, 10.5, ""),
        (2, 9, 9.5, "not published"),
        (2, 30, 31, ""),
        (3, 30, 31, ""),
        (4, 30, 31, "not published"),
        (0, 5, 6, "not published"),
    ],
)
def test_a_version_is_right_from_its_publication_until_a_later_one_is_everywhere(
    version, sent, answered, word
):
    score = float(EXPECTED[min(max(version, 1), 3)][5])
    request = program.Sent(5, sent, answered, version, score)
    found = program.what_is_wrong(request, EXPECTED, CHANGES)
    assert word in found
    assert bool(word) == bool(found)


@pytest.mark.parametrize("score", [1.06, 2.05, math.nan, 1.05 + 1e-5])
def test_a_score_of_another_row_or_version_is_wrong(score):
    request = program.Sent(5, 5, 6, 1, score)
    assert "not what its version says" in program.what_is_wrong(request, EXPECTED, CHANGES)


def test_rows_are_chosen_whose_scores_differ_in_all_versions():
    scores = np.array([[1.0, 2.0, 1.0, 3.0, 4.0], [5.0, 6.0, 7.0, 2.0, 8.0]])
    assert program.rows_apart(scores, 3) == [0, 1, 4]
    with pytest.raises(ValueError, match="only 3 of 4 rows"):
        program.rows_apart(scores, 4)
    assert program.rows_apart(np.array([[1.0, 2.0], [1.0, 3.0]]), 1) == [1]


# ---- pace ----


@pytest.mark.parametrize("requests, steps", [(5000, 7), (50, 7), (7, 7), (300, 3)])
def test_every_request_belongs_to_one_step(requests, steps):
    pace = program.Pace(requests, steps)
    firsts = [pace.first(step) for step in range(steps + 1)]
    assert firsts[0] == 0 and firsts[-1] == requests
    for number in range(requests):
        step = number * steps // requests
        assert firsts[step] <= number < firsts[step + 1]


def test_requests_of_a_later_step_wait():
    pace = program.Pace(10, 2)
    pace.opened[0].set()
    pace.wait(0)
    waiting = threading.Thread(target=pace.wait, args=(5,), daemon=True)
    waiting.start()
    waiting.join(0.2)
    assert waiting.is_alive()
    pace.let_all_go()
    waiting.join(20)
    assert not waiting.is_alive()


# ---- figures ----


@pytest.mark.parametrize(
    "percent, value", [(0, 1), (1, 1), (50, 50), (50.5, 51), (99, 99), (99.1, 100), (100, 100)]
)
def test_a_percentile_is_one_of_the_values(percent, value):
    assert program.percentile(range(100, 0, -1), percent) == value


def test_a_percentile_of_nothing_is_unknown():
    assert math.isnan(program.percentile([], 99))
    assert program.percentile([3.0], 99) == 3.0


def test_a_wrong_answer_counts_as_failed_and_a_missing_one_too():
    answers = {0: {"score": 1.0}, 1: {"score": 1.5}, 2: {"score": 1.0}}
    waited = {0: 0.1, 1: 0.2, 2: 0.3}
    found = Clients(answers, waited, {}, {3: TimeoutError()}, seconds=2.0)
    load = program.load_of(found, np.array([1.0, 1.01]))
    assert load == program.Load(rate=1.5, p50=0.2, p99=0.3, failed=2)


def test_the_middle_of_repeated_runs_is_their_median_and_no_failure_is_dropped():
    loads = [program.Load(10, 1, 9, 1), program.Load(30, 2, 7), program.Load(20, 3, 8, 1)]
    assert program.middle(loads) == program.Load(20, 2, 8, 2)


def test_arrivals_come_by_chance_at_the_wanted_rate():
    due = program.arrivals(1000, 5)
    assert len(due) == 5000
    assert due == sorted(due)
    assert due[-1] == pytest.approx(5, rel=0.1)
    gaps = np.diff(due)
    assert gaps.std() == pytest.approx(gaps.mean(), rel=0.1)


def test_a_measurement_is_as_long_as_wanted():
    asked = []

    def measure(requests):
        asked.append(requests)
        return program.Load(1000, 0.1, 0.2)

    program.long_enough(measure, 4, seconds=2)
    program.long_enough(measure, 64, seconds=0.1)
    assert asked == [20, 2000, 320, 1280]


# ---- lesson 14's batcher ----


def test_the_batcher_is_the_one_of_the_lesson():
    found = program.defined_in(program.LESSON_14, program.NAMES_OF_LESSON_14)
    rows = np.arange(40.0).reshape(20, 2)
    sizes = []

    def model(batch):
        sizes.append(len(batch))
        return batch.sum(axis=1, keepdims=True)

    for take, most in (("alone", 1), ("drain", 32)):
        way = program.ByLesson14(model, rows, rows.sum(axis=1), take, found)
        sizes.clear()
        assert way.closed(4, 100).failed == 0
        assert way.open([0.0] * 20).failed == 0
        assert sum(sizes) == 120
        assert max(sizes) <= most
    assert len(sizes) < 60


def test_a_wrong_model_behind_the_batcher_is_noticed():
    found = program.defined_in(program.LESSON_14, program.NAMES_OF_LESSON_14)
    rows = np.ones((4, 2))
    way = program.ByLesson14(lambda batch: batch[:, :1], rows, np.full(4, 2.0), "drain", found)
    assert way.closed(2, 10).failed == 10


class Connection:
    """A connection to a server that fails twice, and then answers."""

    sock = None  # it is closed

    def __init__(self):
        self.ends = [OSError("reset"), (500, b""), (200, b'{"version": 1, "score": 0.5}')]
        self.sent = []

    def request(self, method, path, body, headers):
        self.sent.append(json.loads(body))

    def getresponse(self):
        end = self.ends.pop(0)
        if isinstance(end, OSError):
            raise end
        return SimpleNamespace(status=end[0], read=lambda: end[1])

    def close(self):
        pass


def test_the_client_is_the_one_of_the_lesson_and_its_tries_are_counted(tmp_path):
    server = SimpleNamespace(host="127.0.0.1", port=1)
    rows = np.ones((2, 3), np.float32)
    served = program.Served(server, tmp_path, rows, confirms=False)
    connection = Connection()
    assert served.ask(connection, rows[0]) == {"version": 1, "score": 0.5}
    assert next(served.tries) == 3
    assert connection.sent == [{"row": [1.0, 1.0, 1.0]}] * 3


def test_a_name_that_the_lesson_does_not_define_is_an_error():
    with pytest.raises(ValueError, match="does not define no_such_name"):
        program.defined_in(program.LESSON_14, frozenset({"alone", "no_such_name"}))


# ---- the tables ----


def results():
    load = program.Load(1234.5, 0.0012, 0.0345)
    found = program.Results(busy=[3.0, 7.4])
    for name, factor in ((program.LOOP, 1), (program.QUEUE, 1), (program.BATCHER, 6)):
        rate = factor * load.rate
        found.closed[name] = {n: program.Load(rate, load.p50, load.p99) for n in program.CLIENTS}
    found.opened[program.BATCHER] = {500.0: load}
    found.missing.append(program.RAY)
    done = program.Drill(changes=dict(CHANGES), killed=5, recovered=[9.0, 12.0, 10.0])
    for number in range(100):
        score = float(EXPECTED[1][number % ROWS])
        done.sent[number] = program.Sent(number % ROWS, 1.0, 3.5, 1, score)
    found.drills[program.LITSERVE] = done
    found.wrong[program.LITSERVE] = done.wrong(EXPECTED)
    found.again[program.LITSERVE] = 4
    return found


def test_the_tables_say_what_was_measured():
    found = results()
    first = program.closed_table(found)
    assert first[0] == "| clients | 1 | 4 | 16 | 64 |"
    assert first[2].startswith("| loop | 1,230/s: 1.20, 34.5 ms | ")
    assert (
        first[-1] == "| Ray Serve | not installed | not installed | not installed | not installed |"
    )
    assert program.open_table(found)[2] == "| batcher | 500 | 1.20, 34.5 ms | 0 |"
    cells = program.drill_table(found, 100)[2]
    assert cells == "| LitServe | 5 | 1 | 0 of 100 | 0 of 100 | 4 | 2.50 s | 10 s |"


@pytest.mark.parametrize("table", ["closed_table", "open_table", "drill_table"])
def test_every_line_of_a_table_has_as_many_cells(table):
    make = getattr(program, table)
    lines = make(results(), 100) if table == "drill_table" else make(results())
    assert len({line.count("|") for line in lines}) == 1
    assert len(lines) > 2


def test_the_conditions_are_in_the_page():
    text = program.conditions(results(), program.Options())
    for piece in ("Python 3.", "TensorFlow 2.", "cores", "7 %", "Ray Serve was not installed"):
        assert piece in text


def test_no_promise_is_missed():
    assert program.promises_missed(results(), 100) == []


def test_each_promise_that_is_missed_is_named():
    found = results()
    found.closed[program.LOOP][4].failed = 2
    found.closed[program.BATCHER][16].rate *= 0.8
    found.closed[program.BATCHER][1].rate /= 7
    done = found.drills[program.LITSERVE]
    done.sent[0].answered = math.inf
    done.sent[0].error = "TimeoutError: too late"
    done.sent[1].score = 0.0
    found.wrong[program.LITSERVE] = done.wrong(EXPECTED)
    assert program.promises_missed(found, 100) == [
        "loop, 4 clients: 2 requests failed",
        "16 clients: the batcher is 4.80 times the queue",
        "1 clients: the batcher is 0.86 times the queue",
        "LitServe: 1 requests lost",
        "LitServe: 1 x TimeoutError: too late",
        "LitServe: 1 x not what its version says about its row",
    ]


@pytest.mark.parametrize("option", ["--requests=69", "--seconds=0", "--repeats=0"])
def test_too_little_to_measure_is_refused_before_anything_starts(option, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["serving.py", option])
    monkeypatch.setattr(program, "measure_all", None)
    with pytest.raises(SystemExit):
        program.main()
    assert "at least 70 requests" in capsys.readouterr().err


def test_a_drill_that_lost_everything_makes_a_line():
    found = results()
    found.drills[program.LITSERVE] = program.Drill(changes={1: CHANGES[1]})
    found.wrong[program.LITSERVE] = Counter()
    line = program.drill_table(found, 100)[2]
    assert line == "| LitServe | 0 | 0 | 100 of 100 | 0 of 0 | 4 | ? s | never |"


# ---- the tables that are stored ----


def stored_rows(first_heading):
    """Return the lines of a stored table as lists of cells, by the text of their first cell."""
    lines = program.PAGE.read_text(encoding="utf-8").splitlines()
    begin = next(i for i, line in enumerate(lines) if line.startswith(f"| {first_heading} |"))
    rows = {}
    for line in lines[begin + 2 :]:
        if not line.startswith("|"):
            break
        name, *cells = [cell.strip() for cell in line.strip("|").split("|")]
        rows[name] = cells
    return rows


def stored_rates(engine):
    """Return the requests per second of an engine, by the number of clients."""
    cells = stored_rows("clients")[engine]
    rates = [float(cell.split("/s")[0].replace(",", "")) for cell in cells]
    return dict(zip(program.CLIENTS, rates, strict=True))


def test_the_stored_table_shows_what_lesson_14_promises():
    queue, batcher = stored_rates(program.QUEUE), stored_rates(program.BATCHER)
    assert batcher[16] >= program.FIVEFOLD * queue[16]
    assert batcher[1] >= program.LOSES_NOTHING * queue[1]


@pytest.mark.parametrize("engine", [program.LITSERVE, program.RAY])
def test_the_stored_drill_lost_no_request_and_answered_none_wrongly(engine):
    killed, replaced, lost, wrong, *_ = stored_rows("drill")[engine]
    assert (killed, replaced) == ("5", "5")
    assert lost == wrong == "0 of 5,000"
