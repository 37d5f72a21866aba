"""first_call: one sample for each fresh callable, and nothing of its making."""

import pytest

import labkit as lab


def test_it_times_a_fresh_callable_each_time_and_not_its_making(clock):
    made = []

    def make():
        clock.work(10.0)
        made.append(None)
        return clock.candidate(1e-3, first=0.1 * len(made))

    result = lab.first_call(make, n=4)
    assert result.samples == pytest.approx([0.1, 0.2, 0.3, 0.4])
    assert len(made) == 4
    assert result.name == "first call" and not result.interrupted


def test_five_are_made_unless_told(clock):
    assert len(lab.first_call(lambda: clock.candidate(0.1)).samples) == 5


@pytest.mark.parametrize("n", [0, -1, 2.0, True])
def test_it_needs_a_whole_number(n):
    with pytest.raises(ValueError, match="n must be a whole number from 1 on"):
        lab.first_call(lambda: lambda: 1, n=n)


def test_it_says_what_it_needs():
    words = r"make is a list, not a function: pass `lambda: tf.function\(f\)`"
    with pytest.raises(TypeError, match=words):
        lab.first_call([1])
    with pytest.raises(TypeError, match=r"make\(\) returned an int, not a function to call"):
        lab.first_call(lambda: 1)


def test_ctrl_c_returns_what_is_done(clock):
    made = []

    def make():
        made.append(None)
        if len(made) == 3:
            raise KeyboardInterrupt
        return clock.candidate(0.1)

    result = lab.first_call(make, n=10)
    assert result.interrupted
    assert result.samples == pytest.approx([0.1, 0.1])
    assert "interrupted" in repr(result)


def test_ctrl_c_is_not_swallowed_where_lessons_run_as_tests(clock, monkeypatch):
    monkeypatch.setenv("LABKIT_STRICT", "1")
    made = []

    def make():
        made.append(None)
        if len(made) == 3:
            raise KeyboardInterrupt
        return clock.candidate(0.1)

    with pytest.raises(KeyboardInterrupt):
        lab.first_call(make, n=10)


def test_ctrl_c_in_the_call_itself_drops_that_call(clock):
    made = []

    def make():
        made.append(None)

        def fresh():
            clock.work(0.1)
            if len(made) == 4:
                raise KeyboardInterrupt

        return fresh

    result = lab.first_call(make, n=10)
    assert result.interrupted and len(result.samples) == 3


def test_ctrl_c_before_there_is_anything_is_not_swallowed():
    def make():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        lab.first_call(make)


@pytest.mark.parametrize(("n", "shown"), [(20, False), (21, True)])
def test_progress_is_shown_for_many(clock, capsys, monkeypatch, n, shown):
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    lab.first_call(lambda: clock.candidate(0.1), n=n)
    assert ("first calls" in capsys.readouterr().err) is shown


def test_a_tf_function_traces_in_its_first_call():
    import tensorflow as tf

    x = tf.constant(1.0)
    functions = []

    def make():
        functions.append(tf.function(lambda v: v + 1))
        function = functions[-1]
        return lambda: function(x)

    lab.first_call(make, n=2)
    assert [f.experimental_get_tracing_count() for f in functions] == [1, 1]
