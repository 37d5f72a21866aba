"""Flat, plateau and leak are told apart, for memory, operations, graphs and cost."""

import gc
import math
import sys

import psutil
import pytest
from fakes import Clock

import labkit as lab
from labkit.measure import growth, rounds
from labkit.measure.growth import Growth

MIB = 2**20
collect = gc.collect  # the fixture of this folder replaces it, and graphs are freed by nothing else


@pytest.fixture
def loop(monkeypatch):
    """Return a function that watches made-up memory or cost: `level` maps calls so far to it."""

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


# ---- memory ----

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
    assert not result.interrupted
    word = "leak" if verdict == "leak" else "no leak"
    assert repr(result).startswith(f"memory: {word}\n")


@pytest.mark.parametrize("blocks", [8, 9, 12, 30])
@pytest.mark.parametrize("calls", [1, 10, 100])
def test_the_smallest_leak_that_is_noticed_is_the_one_that_is_said(loop, blocks, calls):
    detectable = loop("memory", lambda n: 0, calls=calls, blocks=blocks).detectable
    above = loop("memory", lambda n: 1.05 * detectable * n, calls=calls, blocks=blocks)
    below = loop("memory", lambda n: 0.95 * detectable * n, calls=calls, blocks=blocks)
    assert above.verdict == "leak"
    assert below.verdict != "leak"
    assert above.per_call == pytest.approx(1.05 * detectable)


def test_more_calls_show_smaller_leaks(loop):
    few = loop("memory", lambda n: 0, calls=10)
    many = loop("memory", lambda n: 0, calls=100)
    assert few.detectable == pytest.approx(10 * many.detectable)


def test_what_is_counted_shows_every_leak():
    assert Growth("ops", [0.0] * 8, 10, 0.0).detectable == 0


def test_growth_per_call_is_that_of_the_second_half(loop):
    assert loop("memory", lambda n: n * MIB / 10).per_call == pytest.approx(MIB / 10)
    assert loop("memory", lambda n: min(n, 40) * MIB).per_call == 0


def test_resident_memory_is_that_of_this_process():
    assert growth._resident_bytes() == pytest.approx(psutil.Process().memory_info().rss, rel=0.2)


# ---- cost ----

COST = {
    "steady": (lambda n: 1e-3, "flat"),
    "falling": (lambda n: 1e-3 / n, "flat"),
    "a little dearer": (lambda n: 1e-3 * (1 + 0.3 * n / 121), "flat"),
    "dearer once": (lambda n: 1e-3 if n < 35 else 3e-3, "plateau"),
    "linear": (lambda n: 1e-3 + n * 1e-4, "leak"),
    "spikes": (lambda n: 1e-3 * (50 if n % 4 == 0 else 1), "flat"),
    "spikes at the end": (lambda n: 1e-3 * (50 if n % 10 == 0 and n > 60 else 1), "flat"),
    "a dear first call": (lambda n: 5.0 if n == 1 else 1e-3, "flat"),
}


@pytest.mark.parametrize("shape", COST)
def test_cost(loop, shape):
    level, verdict = COST[shape]
    assert loop("cost", level).verdict == verdict


# ---- operations ----


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
    # Exact; the first call is no growth.
    assert result.values[-1] == sum(added(n) for n in range(2, 122))
    if shape == "five a call":
        assert result.per_call == 5
        assert repr(result).splitlines()[-1].split() == ["after", "120", "calls", "600"]


def test_operations_of_the_default_graph_of_tf1():
    import tensorflow as tf

    with tf.Graph().as_default():
        x = tf.compat.v1.placeholder(tf.float32)
        assert lab.growth(lambda: x + x, what="ops", calls=2, blocks=8).verdict == "leak"
        assert lab.growth(lambda: None, what="ops", calls=2, blocks=8).verdict == "flat"


# ---- graphs ----


@pytest.fixture
def freed(monkeypatch):
    """Let graphs be freed as in a lesson."""
    monkeypatch.setattr(gc, "collect", collect)


def test_graphs_that_are_kept_are_a_leak_of_as_many_per_call(freed):
    import tensorflow as tf

    kept = []

    def keeps_two():
        for _ in range(2):
            kept.append(tf.function(lambda x: x))
            kept[-1](1.0)

    result = lab.growth(keeps_two, what="graphs", calls=3, blocks=8)
    assert result.verdict == "leak"
    assert result.values == [6 * i for i in range(1, 9)]
    assert result.per_call == 2
    assert repr(result).startswith("graphs: leak\n")


def test_graphs_that_are_not_kept_are_freed(freed):
    import tensorflow as tf

    result = lab.growth(lambda: tf.function(lambda x: x)(1.0), what="graphs", calls=3, blocks=8)
    assert result.values == [0] * 8
    assert result.verdict == "flat"


def test_compiling_and_fitting_in_a_loop_keeps_graphs(freed):
    import keras
    import numpy as np

    model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)])
    x, y = np.ones((4, 2), "float32"), np.ones((4, 1), "float32")

    def fit_again():
        model.compile("sgd", "mse")
        model.fit(x, y, verbose=0)

    result = lab.growth(fit_again, what="graphs", calls=1, blocks=8)
    assert result.verdict == "leak"
    steps = {
        after - before for before, after in zip(result.values, result.values[1:], strict=False)
    }
    assert len(steps) == 1 and steps.pop() > 0


def test_without_tensorflow_there_are_no_graphs(monkeypatch):
    monkeypatch.delitem(sys.modules, "tensorflow.python.framework.ops", raising=False)
    assert growth.live_graphs() == 0


# ---- the loop ----


def test_the_function_is_called_as_often_as_it_says():
    calls = []
    lab.growth(lambda: calls.append(None), what="cost", calls=3, blocks=9)
    assert len(calls) == 1 + 3 * 9


@pytest.mark.parametrize("options", [{"what": "time"}, {"blocks": 7}, {"calls": 0}])
def test_bad_input_is_refused(options):
    with pytest.raises(ValueError, match=r"what is|at least 8 blocks"):
        lab.growth(lambda: None, **options)


def test_an_unknown_quantity_is_refused_with_those_there_are():
    words = "what is one of 'memory', 'ops', 'graphs', 'cost', got 'time'"
    with pytest.raises(ValueError, match=words):
        lab.growth(lambda: None, what="time")


def test_an_error_of_the_function_arrives():
    with pytest.raises(ZeroDivisionError):
        lab.growth(lambda: 1 / 0)


def interrupted_after(blocks):
    """Watch operations until the user stops in the block after these."""
    graph, calls = GraphOfOps(), []

    def fn():
        calls.append(None)
        graph.ops += 1
        if len(calls) == 1 + 10 * blocks + 5:
            raise KeyboardInterrupt

    return lab.growth(fn, what="ops", graph=graph, calls=10, blocks=12)


@pytest.mark.parametrize(("done", "verdict"), [(3, "unclear"), (7, "unclear"), (8, "leak")])
def test_ctrl_c_returns_the_blocks_that_are_done(done, verdict):
    result = interrupted_after(done)
    assert result.interrupted
    assert result.values == [10 * i for i in range(1, done + 1)]
    assert result.verdict == verdict
    assert result.per_call == 1
    text = repr(result)
    assert f"ops: {verdict}" in text and "interrupted: fewer blocks than asked for" in text
    assert result.plot().caption


@pytest.mark.parametrize("done", [1, 2])
def test_one_or_two_blocks_have_no_second_half(done):
    result = interrupted_after(done)
    assert result.values == [10 * i for i in range(1, done + 1)]
    assert math.isnan(result.per_call)
    assert result.detectable == math.inf
    assert "ops: unclear" in repr(result)
    assert result.plot().caption


def test_ctrl_c_is_not_swallowed_where_lessons_run_as_tests(monkeypatch):
    monkeypatch.setenv("LABKIT_STRICT", "1")
    with pytest.raises(KeyboardInterrupt):
        interrupted_after(9)


def test_ctrl_c_before_the_first_block_is_done_is_not_swallowed():
    with pytest.raises(KeyboardInterrupt):
        interrupted_after(0)


# ---- the table ----


@pytest.mark.parametrize(
    ("what", "last", "shown"),
    [
        ("memory", 11 * MIB, "≈11.0 MiB"),
        ("cost", 1.2e-3, "≈1.20 ms"),
        ("ops", 1234, "1,234"),
        ("graphs", 1234, "1,234"),
    ],
)
def test_the_table_shows_start_half_and_end(what, last, shown):
    result = Growth(what, [0.0] * 11 + [last], 100, 0)
    names = [row[0] for row in result.table.cells]
    assert names == ["after the first block", "at half", "after 1,200 calls"]
    assert result.table.cells[-1][1] == shown


@pytest.mark.parametrize(("calls", "shown"), [(50, False), (100, True)])
def test_progress_is_shown_from_a_thousand_calls_on(capsys, monkeypatch, calls, shown):
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    lab.growth(lambda: None, what="cost", calls=calls, blocks=10)
    assert ("watching cost" in capsys.readouterr().err) is shown
