"""sweep: the same candidates at every size, in random order, and what is done at Ctrl-C."""

import pytest

import labkit as lab


def test_a_sweep_compares_at_every_size(clock):
    made = []

    def setup(size):
        made.append(size)
        clock.work(1.0)
        return [None] * size

    fns = {
        "linear": lambda rows: clock.work(1e-4 * len(rows)),
        "flat": lambda rows: clock.work(4e-4),
    }
    result = lab.sweep(fns, [1, 4, 16], setup=setup, budget=1.5, label="batch")
    assert list(result.comparisons) == [1, 4, 16]
    assert sorted(made) == [1, 4, 16]
    verdicts = [comparison.verdict["flat"] for comparison in result.comparisons.values()]
    assert verdicts == ["slower", "similar", "faster"]
    assert [record["batch"] for record in result.to_records()] == [1, 1, 4, 4, 16, 16]
    assert repr(result).splitlines()[1].split() == ["batch", "linear", "flat"]
    assert "<table" in result._repr_html_() and result.plot(per="row").png()
    for comparison in result.comparisons.values():
        assert 0.4 < comparison.seconds <= 0.55
    assert not result.interrupted


def test_the_budget_is_that_of_the_whole_sweep(clock):
    lab.sweep({"a": lambda n: clock.work(1e-3), "b": lambda n: clock.work(1e-3)}, "wxyz", budget=2)
    assert 2.0 <= clock.now < 2.1


def test_the_sizes_come_in_random_order(clock):
    orders = set()
    for _ in range(4):
        order = []
        fns = {"a": lambda n: clock.work(1e-3)}
        lab.sweep(fns, range(8), setup=order.append, budget=0.08)
        orders.add(tuple(order))
    assert len(orders) > 1


def test_a_single_candidate_takes_the_same_options(clock):
    result = lab.sweep(
        {"a": lambda n: clock.work(1e-3 * n)},
        [1, 2],
        budget=0.2,
        check=False,
        margin=0.1,
        confidence=0.9,
        seed=3,
        baseline="a",
        number=1,
        collect_garbage=True,
    )
    medians = [comparison.median["a"].value for comparison in result.comparisons.values()]
    assert medians == pytest.approx([1e-3, 2e-3])
    assert result.comparisons[1].number == {"a": 1}
    assert result.comparisons[1].first_call == {"a": pytest.approx(1e-3)}
    text = repr(result.comparisons[1])
    assert "agree" not in text and "≈?" not in text


def test_options_reach_every_comparison(clock):
    fns = {"a": lambda n: clock.work(1e-3), "b": lambda n: clock.work(1.1e-3)}
    result = lab.sweep(fns, [1, 2], budget=0.2, baseline="b", margin=0.2)
    for comparison in result.comparisons.values():
        assert comparison.baseline == "b"
        assert comparison.verdict == {"a": "similar"}


def test_what_it_cannot_call_is_refused():
    with pytest.raises(ValueError, match="at least one candidate and one size"):
        lab.sweep({"a": lambda n: n}, [])
    with pytest.raises(ValueError, match="at least one candidate and one size"):
        lab.sweep({}, [1])
    with pytest.raises(TypeError, match="a is an int, not a function"):
        lab.sweep({"a": 3}, [1])
    with pytest.raises(TypeError, match=r"a\(\) must take one argument"):
        lab.sweep({"a": lambda: 1}, [1])


def test_results_that_differ_at_one_size_are_refused(clock):
    def right(n):
        clock.work(1e-3)
        return n

    def wrong_at_two(n):
        clock.work(1e-3)
        return n if n != 2 else 5

    with pytest.raises(AssertionError, match="wrong and right do not give the same result: 5"):
        lab.sweep({"right": right, "wrong": wrong_at_two}, [1, 2, 3], budget=0.3)


class GraphThatTraces:
    """Counts a trace in every call from the sixth on, as a tf.function would."""

    def __init__(self, clock):
        self.clock, self.calls = clock, 0

    def __call__(self):
        self.calls += 1
        self.clock.work(1e-3)

    def experimental_get_tracing_count(self):
        return 1 + max(0, self.calls - 5)


def test_a_retrace_behind_the_argument_is_noticed(clock):
    graph = GraphThatTraces(clock)
    fns = {"eager": lambda n: clock.work(1e-3), "graph": lambda n: graph()}
    result = lab.sweep(fns, [1], budget=0.3, number=1)
    assert result.comparisons[1].retraced == {"graph"}


# ---- Ctrl-C ----


class Interrupted:
    """Two candidates, and a setup; the user stops in one of them at the third size."""

    def __init__(self, clock, where, at_call=0):
        self.clock, self.where, self.at_call = clock, where, at_call
        self.sizes, self.calls = [], 0

    def setup(self, size):
        self.sizes.append(size)
        self.calls = 0
        if self.where == "setup" and len(self.sizes) == 3:
            raise KeyboardInterrupt
        return size

    def call(self, size):
        self.clock.work(1e-3)
        self.calls += 1
        at_third = len(self.sizes) == 3
        if self.where == "call" and at_third and self.calls == self.at_call:
            raise KeyboardInterrupt

    def other(self, size):
        self.clock.work(1e-3)

    def sweep(self, alone=False):
        fns = {"a": self.call}
        if not alone:
            fns["b"] = self.other
        return lab.sweep(fns, "abcdef", setup=self.setup, budget=3, number=1)


@pytest.mark.parametrize("alone", [False, True])
@pytest.mark.parametrize(("where", "at_call"), [("setup", 0), ("call", 1), ("call", 2)])
def test_before_the_second_calls_at_the_third_size_two_sizes_are_done(clock, alone, where, at_call):
    interrupted = Interrupted(clock, where, at_call)
    result = interrupted.sweep(alone)
    assert result.interrupted
    assert set(result.comparisons) == set(interrupted.sizes[:2])
    assert list(result.comparisons) == sorted(result.comparisons)  # the order of the sizes given
    for comparison in result.comparisons.values():
        assert not comparison.interrupted
    assert "interrupted: only these sizes were measured" in repr(result)


@pytest.mark.parametrize("alone", [False, True])
@pytest.mark.parametrize("at_call", [3, 60])
def test_after_the_second_calls_at_the_third_size_it_is_kept(clock, alone, at_call):
    interrupted = Interrupted(clock, "call", at_call)
    result = interrupted.sweep(alone)
    assert result.interrupted
    assert len(interrupted.sizes) == 3  # and no further size is begun
    assert set(result.comparisons) == set(interrupted.sizes)
    marked = [size for size, found in result.comparisons.items() if found.interrupted]
    assert marked == [interrupted.sizes[-1]]


def test_it_is_not_swallowed_where_lessons_run_as_tests(clock, monkeypatch):
    monkeypatch.setenv("LABKIT_STRICT", "1")
    with pytest.raises(KeyboardInterrupt):
        Interrupted(clock, "call", at_call=60).sweep(False)
    with pytest.raises(KeyboardInterrupt):
        Interrupted(clock, "setup").sweep(False)


def test_before_anything_is_done_it_is_not_swallowed(clock):
    def setup(size):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        lab.sweep({"a": lambda n: clock.work(1e-3)}, [1, 2], setup=setup)
