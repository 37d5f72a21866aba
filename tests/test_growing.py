"""Flat, plateau and leak are told apart, for memory, operations and cost, without waiting for a real leak."""

import json

import pytest
from fakes import Clock

import labkit as lab
from labkit.measure import growth, rounds
from labkit.measure.growth import Growth

MIB = 2**20


@pytest.fixture
def loop(monkeypatch):
    """Return a function that watches made-up memory or cost: `level` maps the number of calls so far to it."""

    def watch(what, level, **options):
        calls = []
        clock = Clock()
        monkeypatch.setattr(rounds, "clock", clock)
        monkeypatch.setattr(growth, "_resident_bytes", lambda: 500 * MIB + level(len(calls)))

        def fn():
            calls.append(None)
            clock.work(level(len(calls)) if what == "cost" else 1e-3)

        return lab.growth(fn, what=what, **{"calls": 10, "blocks": 12, **options})

    return watch


def jitter(calls):
    """Return the noise of an allocator: half a mebibyte up and down, the same each time."""
    return (calls * 7919 % 11 - 5) * MIB / 10


MEMORY = {
    "nothing": (lambda n: 0, "flat"),
    "noise": (jitter, "flat"),
    "a first allocation": (lambda n: 40 * MIB * (n > 0), "flat"),
    "falling": (lambda n: -n * MIB / 5, "flat"),
    "a cache that fills": (lambda n: min(n, 40) * MIB + jitter(n), "plateau"),
    "a late step": (lambda n: 9 * MIB * (n > 85), "plateau"),
    "a slow leak": (lambda n: n * MIB / 20, "leak"),
    "a noisy leak": (lambda n: n * MIB / 4 + jitter(n), "leak"),
    "a leak after a cache": (lambda n: 30 * MIB * min(n, 20) / 20 + n * MIB / 10, "leak"),
    "a leak that accelerates": (lambda n: n * n * 1000, "leak"),
}


@pytest.mark.parametrize("shape", MEMORY)
def test_memory(loop, shape):
    level, verdict = MEMORY[shape]
    result = loop("memory", level)
    assert result.verdict == verdict
    assert (result.what, result.calls, len(result.values)) == ("memory", 10, 12)
    assert repr(result).startswith(f"memory: {'leak' if verdict == 'leak' else 'no leak'}\n")


COST = {
    "steady": (lambda n: 1e-3, "flat"),
    "falling": (lambda n: 1e-3 / n, "flat"),
    "a little dearer": (lambda n: 1e-3 * (1 + 0.3 * n / 121), "flat"),
    "dearer once": (lambda n: 1e-3 if n < 35 else 3e-3, "plateau"),
    "linear": (lambda n: 1e-3 + n * 1e-4, "leak"),
    "spikes": (lambda n: 1e-3 * (50 if n % 4 == 0 else 1), "flat"),
    "spikes at the end": (lambda n: 1e-3 * (50 if n % 10 == 0 and n > 60 else 1), "flat"),
}


@pytest.mark.parametrize("shape", COST)
def test_cost(loop, shape):
    level, verdict = COST[shape]
    assert loop("cost", level).verdict == verdict


class GraphOfOps:
    """A graph that only has a number of operations."""

    def __init__(self):
        self.ops = 100

    def get_operations(self):
        return range(self.ops)


OPS = {
    "none added": (lambda calls: 0, "flat"),
    "built at the first call": (lambda calls: 5 if calls == 1 else 0, "flat"),
    "a few variants": (lambda calls: 3 if calls <= 40 else 0, "plateau"),
    "one a call": (lambda calls: 1, "leak"),
    "five a call": (lambda calls: 5, "leak"),
}


@pytest.mark.parametrize("shape", OPS)
def test_operations(shape):
    added, verdict = OPS[shape]
    graph, calls = GraphOfOps(), []

    def fn():
        calls.append(None)
        graph.ops += added(len(calls))

    result = lab.growth(fn, what="ops", graph=graph, calls=10)
    assert result.verdict == verdict
    assert result.values[-1] == sum(
        added(n) for n in range(2, 122)
    )  # exact; the first call is no growth
    if shape == "five a call":
        assert result.per_call == 5
        assert repr(result).splitlines()[-1].split() == [
            "after",
            "1,200",
            "calls",
            "600",
        ] or "600" in repr(result)


def test_operations_of_the_default_graph_of_tf1():
    import tensorflow as tf

    with tf.Graph().as_default():
        x = tf.compat.v1.placeholder(tf.float32)
        assert lab.growth(lambda: x + x, what="ops", calls=2, blocks=8).verdict == "leak"
        assert lab.growth(lambda: None, what="ops", calls=2, blocks=8).verdict == "flat"


def test_growth_per_call_is_that_of_the_second_half(loop):
    assert loop("memory", lambda n: n * MIB / 10).per_call == pytest.approx(MIB / 10)
    assert loop("memory", lambda n: min(n, 40) * MIB).per_call == 0


def test_the_first_call_is_no_growth(loop):
    assert loop("cost", lambda n: 5.0 if n == 1 else 1e-3).verdict == "flat"


def test_the_function_is_called_as_often_as_it_says():
    calls = []
    lab.growth(lambda: calls.append(None), what="cost", calls=3, blocks=9)
    assert len(calls) == 1 + 3 * 9


def test_resident_memory_is_that_of_this_process():
    import psutil

    assert growth._resident_bytes() == pytest.approx(psutil.Process().memory_info().rss, rel=0.2)


@pytest.mark.parametrize("options", [{"what": "time"}, {"blocks": 7}, {"calls": 0}])
def test_bad_input_is_refused(options):
    with pytest.raises(ValueError, match=r"what is|at least 8 blocks"):
        lab.growth(lambda: None, **options)


def test_an_error_of_the_function_arrives():
    with pytest.raises(ZeroDivisionError):
        lab.growth(lambda: 1 / 0)


@pytest.mark.parametrize(
    ("what", "shown"), [("memory", "≈11.0 MiB"), ("cost", "≈1.20 ms"), ("ops", "1,234")]
)
def test_the_table_shows_start_half_and_end(what, shown):
    last = {"memory": 11 * MIB, "cost": 1.2e-3, "ops": 1234}[what]
    result = Growth(what, [0.0] * 11 + [last], 100, 0)
    text = repr(result)
    assert shown in text
    assert [line.rsplit("  ", 1)[0].strip() for line in text.splitlines()[2:]] == [
        "after the first block",
        "at half",
        "after 1,200 calls",
    ]
    assert json.dumps(result.values)


@pytest.mark.parametrize(("calls", "shown"), [(50, False), (100, True)])
def test_progress_is_shown_from_a_thousand_calls_on(capsys, monkeypatch, calls, shown):
    monkeypatch.delenv("LABKIT_PROGRESS", raising=False)
    lab.growth(lambda: None, what="cost", calls=calls, blocks=10)
    assert ("watching cost" in capsys.readouterr().err) is shown
