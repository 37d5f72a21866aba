"""The exercise engine: three states, stubs, strict mode, and a record that nothing can spoil."""

import errno
import json
import math
import os

import numpy as np
import pytest
import tensorflow as tf

import labkit as lab
from labkit.course.exercises import engine
from labkit.course.exercises.engine import NotYet, exercise


@pytest.fixture(autouse=True)
def _separate_record_and_an_exercise(tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path))
    monkeypatch.delenv("LABKIT_STRICT", raising=False)
    monkeypatch.setattr(engine, "_exercises", dict(engine._exercises))

    @exercise("99.1", "double a number", section="Setup", hints=("one?", "two", "three"))
    def _double(answer):
        if answer(3) != 6:
            raise NotYet(f"{answer(3)} for 3", "6", "Setup")
        return "doubled"


def recorded(folder):
    """Return what the record in a folder holds."""
    return json.loads((folder / "progress.json").read_text(encoding="utf-8"))


def stub(x):
    """Return twice x."""
    ...


def bare(x): ...


def forgot_the_return(x):
    x * 2


@pytest.mark.parametrize("answer", [stub, bare, ..., None])
def test_an_untouched_stub_is_not_attempted(answer):
    outcome = lab.check("99.1", answer)
    assert outcome.state == "not attempted"
    assert 'lab.hint("99.1")' in outcome.message


def test_an_attempt_that_returns_nothing_is_an_attempt():
    assert lab.check("99.1", forgot_the_return).state == "not yet"


def test_a_decorated_stub_is_a_stub_too():
    assert lab.check("99.1", tf.function(stub)).state == "not attempted"


def test_right_and_wrong_answers_get_a_symbol_a_word_and_what_was_seen():
    assert repr(lab.check("99.1", lambda x: 2 * x)) == "✓ 99.1 passed: doubled"
    assert (
        repr(lab.check("99.1", lambda x: x)) == "✗ 99.1 not yet: 3 for 3; wanted: 6. Look at: Setup"
    )


def test_an_answer_that_raises_is_reported_and_not_raised():
    outcome = lab.check("99.1", lambda x: 1 / 0)
    assert outcome.state == "not yet"
    assert "your answer raised ZeroDivisionError: division by zero" in outcome.message


@pytest.mark.parametrize("answer", [stub, lambda x: x])
def test_strict_mode_raises_for_anything_but_passed(answer, monkeypatch):
    monkeypatch.setenv("LABKIT_STRICT", "1")
    with pytest.raises(AssertionError, match=r"99\.1"):
        lab.check("99.1", answer)
    assert lab.check("99.1", lambda x: 2 * x).state == "passed"


@pytest.mark.parametrize("value", ["", "0"])
def test_only_a_one_is_strict(monkeypatch, value):
    monkeypatch.setenv("LABKIT_STRICT", value)
    assert lab.check("99.1", lambda x: x).state == "not yet"


def test_hints_come_in_three_steps():
    texts = [repr(lab.hint("99.1", step)) for step in (1, 2, 3)]
    assert [text.split(": ")[0] for text in texts] == ["Hint 1 of 3", "Hint 2 of 3", "Hint 3 of 3"]
    assert 'lab.hint("99.1", 2)' in texts[0]
    with pytest.raises(ValueError, match="1, 2 or 3"):
        lab.hint("99.1", 4)


def test_an_unknown_exercise_names_those_of_its_lesson():
    with pytest.raises(KeyError, match=r"99\.1"):
        lab.check("99.7", stub)
    with pytest.raises(KeyError, match="none in that lesson"):
        lab.hint("77.1")


def test_a_pass_is_kept_and_a_later_slip_does_not_take_it_away(tmp_path):
    lab.check("99.1", lambda x: 2 * x)
    lab.check("99.1", lambda x: x)
    lab.check("99.1", stub)
    assert recorded(tmp_path) == {"99.1": "passed"}
    assert "1 of 1 exercises passed" in str(lab.progress("99"))


NESTED_TOO_DEEPLY = "[" * 100_000


@pytest.mark.parametrize("content", ["", "{", "[1]", "3", "\x00", NESTED_TOO_DEEPLY])
def test_a_corrupt_record_counts_as_empty_and_is_replaced(tmp_path, content):
    (tmp_path / "progress.json").write_text(content, encoding="utf-8")
    assert "0 of 1" in str(lab.progress("99"))
    lab.check("99.1", lambda x: 2 * x)
    assert "1 of 1" in str(lab.progress("99"))
    assert os.listdir(tmp_path) == ["progress.json"]  # nothing half-written stays behind


def test_a_folder_that_cannot_be_written_spoils_no_answer(monkeypatch, tmp_path):
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path / "missing"))
    assert lab.check("99.1", lambda x: 2 * x).state == "passed"


def test_agree_names_a_missing_return_and_the_first_difference():
    with pytest.raises(NotYet, match="is a `return` missing"):
        engine.agree(None, [1.0], "for one row")
    with pytest.raises(
        NotYet, match=r"for one row, the result is wrong: \[0\]: 2.0 instead of 1.0"
    ):
        engine.agree([2.0], [1.0], "for one row")
    engine.agree([1.0], [1.0], "for one row")


# ---- more ways to be a stub, an attempt or a spoiled record ----


def docstring_only(x):
    """Return twice x."""


def with_pass(x):
    pass


def many_arguments(model, rows, *rest, key=None, **more):
    """Return twice x."""
    # your code here
    ...


def annotated(x: int = 3, *, y: "list[int] | None" = None) -> int:
    """Return twice x."""
    ...


def returns_none(x):
    return None


class Methods:
    def method(self, x):
        """Return twice x."""
        ...

    @staticmethod
    def static(x): ...


def nested():
    def inner(x):
        """Return twice x."""
        ...

    return inner


STUBS = [
    docstring_only,
    with_pass,
    many_arguments,
    annotated,
    returns_none,
    Methods().method,
    Methods.static,
    nested(),
    lambda x: ...,
]


@pytest.mark.parametrize("answer", STUBS)
def test_a_body_that_does_nothing_is_a_stub(answer):
    assert lab.check("99.1", answer).state == "not attempted"


def test_a_stub_is_known_while_calls_are_counted_and_after_many_calls():
    for _ in range(2000):
        stub(1)
        identity(1)
    with lab.count():
        inside = [engine._is_stub(stub), engine._is_stub(identity)]
    assert inside == [True, False]
    assert [engine._is_stub(stub), engine._is_stub(identity)] == [True, False]


def identity(x):
    return x


def constant(x):
    """Return twice x."""
    return 5


def raises(x):
    raise NotImplementedError


def loops(x):
    for _ in range(3):
        ...


def yields(x):
    yield


def tries(x):
    try:
        ...
    finally:
        print(end="")


class Pretender:
    """Has any attribute that is asked for, as a mock object does."""

    def __getattr__(self, name):
        return self


ATTEMPTS = [
    identity,
    constant,
    raises,
    loops,
    yields,
    tries,
    lambda x: x,
    len,
    str,
    Methods,
    Pretender(),
    7,
    "text",
    0,
    False,
]


@pytest.mark.parametrize("answer", ATTEMPTS)
def test_whatever_somebody_wrote_is_an_attempt(answer):
    assert lab.check("99.1", answer).state == "not yet"


def test_an_answer_without_a_source_file_is_checked_all_the_same():
    space = {}
    exec("def f(x):\n    return x\ndef untouched(x):\n    'Return twice x.'\n    ...", space)
    assert lab.check("99.1", space["f"]).state == "not yet"
    assert lab.check("99.1", space["untouched"]).state == "not attempted"


def test_an_answer_within_tf_function_is_checked():
    assert lab.check("99.1", tf.function(identity)).state == "not yet"
    assert lab.check("99.1", tf.function(lambda x: 2 * x)).state == "passed"


def test_ctrl_c_in_an_answer_is_not_swallowed():
    def answer(x):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        lab.check("99.1", answer)


def test_a_long_error_is_cut():
    def answer(x):
        raise ValueError("word\n" * 400)

    assert len(lab.check("99.1", answer).message) < 300


@pytest.mark.parametrize("value", ['"excellent"', "3", '["passed"]', "{}", "null"])
def test_a_state_that_nobody_wrote_counts_as_none(tmp_path, value):
    (tmp_path / "progress.json").write_text(
        f'{{"99.1": {value}, "98.7": "passed"}}', encoding="utf-8"
    )
    assert lab.progress("99").cells == [["99.1", "double a number", "○ not attempted"]]
    lab.check("99.1", lambda x: 2 * x)
    assert recorded(tmp_path) == {"98.7": "passed", "99.1": "passed"}  # other lessons are kept


def test_a_stub_leaves_no_record(tmp_path):
    lab.check("99.1", stub)
    assert list(tmp_path.iterdir()) == []


# ---- a disk that is full, a folder that cannot be written ----


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("reason", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_record_that_cannot_be_written_stays_whole_and_leaves_no_rubbish(
    tmp_path, monkeypatch, step, reason
):
    (tmp_path / "progress.json").write_text('{"98.7": "passed"}', encoding="utf-8")

    def fails(*_):
        raise OSError(reason, os.strerror(reason))

    monkeypatch.setattr(os, step, fails)
    assert lab.check("99.1", lambda x: 2 * x).state == "passed"
    assert os.listdir(tmp_path) == ["progress.json"]
    assert recorded(tmp_path) == {"98.7": "passed"}


def test_a_folder_in_the_place_of_the_record_spoils_no_answer(tmp_path):
    (tmp_path / "progress.json").mkdir()
    assert lab.check("99.1", lambda x: 2 * x).state == "passed"
    assert "0 of 1" in str(lab.progress("99"))
    assert os.listdir(tmp_path) == ["progress.json"]


def test_whoever_reads_while_another_writes_sees_a_whole_record(tmp_path, monkeypatch):
    lab.check("99.1", identity)
    replace = os.replace
    seen = []

    def replace_and_look(*args):
        seen.append(recorded(tmp_path))
        replace(*args)
        seen.append(recorded(tmp_path))

    monkeypatch.setattr(os, "replace", replace_and_look)
    lab.check("99.1", lambda x: 2 * x)
    assert seen == [{"99.1": "not yet"}, {"99.1": "passed"}]


# ---- what the checkers share ----


def test_a_message_ends_in_one_stop_before_the_section():
    assert str(NotYet("3", "6", "Setup")) == "3; wanted: 6. Look at: Setup"
    assert str(NotYet("3", "6?", "Setup")) == "3; wanted: 6? Look at: Setup"
    assert str(NotYet("3", "6")) == "3; wanted: 6"

    def answer(x):
        raise ValueError("a sentence.")

    assert "a sentence. Look at: Setup" in lab.check("99.1", answer).message


def test_a_message_raised_while_tracing_is_not_buried_under_one_of_autograph():
    def checker_in_a_graph(x):
        raise NotYet("seen", "something else")

    outcome = lab.check("99.1", lambda x: tf.function(checker_in_a_graph)(x))
    assert outcome.message == "seen; wanted: something else"


@pytest.mark.parametrize("answer", [len, identity, Methods, Methods().method, tf.function(stub)])
def test_what_can_be_called_is_a_function(answer):
    assert engine.expect_function(answer, "make", "a function") is answer


@pytest.mark.parametrize(
    ("answer", "seen"),
    [
        (None, "make returned nothing; wanted: a function. Look at: the text of the exercise"),
        (..., "make returned nothing"),
        (3, "make returned a value of type int"),
        (np.zeros(3), "make returned a value of type ndarray"),
    ],
)
def test_what_cannot_be_called_is_named(answer, seen):
    with pytest.raises(NotYet) as caught:
        engine.expect_function(answer, "make", "a function")
    assert seen in str(caught.value)


@pytest.mark.parametrize(
    "value", [3, 3.0, np.int64(3), np.float32(3), np.array(3), tf.constant(3), tf.constant(3.0)]
)
def test_the_numbers_of_numpy_and_tensorflow_are_numbers(value):
    number = engine.expect_number(value, "Setup")
    assert type(number) is float
    assert number == 3


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "returned nothing; wanted: a number: is a `return` missing?"),
        (..., "returned nothing"),
        (True, "a value of type bool"),
        ("3", "a value of type str"),
        ([3], "a value of type list"),
        (np.array([3]), r"an array of shape \(1,\)"),
        (tf.constant([1.0, 2.0]), r"an array of shape \(2,\)"),
        (math.nan, "returned nan; wanted: a finite number"),
        (math.inf, "returned inf"),
    ],
)
def test_what_is_no_number_is_named(value, message):
    with pytest.raises(NotYet, match=message):
        engine.expect_number(value, "Setup")


@pytest.mark.parametrize("got", [0.0, 1e-10, -1e-10])
def test_numbers_near_zero_are_compared_absolutely(got):
    assert engine.is_close(got, 0.0)
    assert not engine.is_close(got + 1e-8, 0.0)


def test_the_first_slip_that_fits_is_named():
    slips = [(2.0, "twice", "once"), (3.0, "three times", "once"), (3.0, "never", "never")]
    with pytest.raises(NotYet, match="three times; wanted: once"):
        engine.reject_slips(3.0000001, slips, "Setup")
    engine.reject_slips(3.1, slips, "Setup")
    with pytest.raises(NotYet, match="three times"):
        engine.reject_slips(3.1, slips, "Setup", tolerance=0.1)


def test_an_error_is_known_by_one_of_several_wordings():
    error = ValueError("Argument `size` must be Provided")
    assert engine.says(error, "no such words", "argument size must be provided")
    assert not engine.says(error, "size must not")
    assert not engine.says(error)


def test_fresh_rows_differ_from_check_to_check():
    first, second = engine.fresh_rows(5), engine.fresh_rows(5)
    assert first.shape == (5, 10)
    assert engine.fresh_rows(5, inputs=3).shape == (5, 3)
    assert not np.array_equal(first, second)


def summed(batch):
    return tf.reduce_sum(batch, axis=1)


def test_a_spy_remembers_the_rows_of_each_call():
    spy = engine.Spy(summed)
    spy(np.ones((3, 2)))
    spy.predict_on_batch(np.ones((4, 2)))
    assert spy.sizes == [3, 4]
    with pytest.raises(NotYet, match="makes one of a list of rows"):
        spy([np.ones(2), np.ones(2)])


@pytest.mark.parametrize(
    ("options", "sizes"),
    [({}, [32, 32, 6]), ({"batch_size": None}, [32, 32, 6]), ({"batch_size": 50}, [50, 20])],
)
def test_a_spy_counts_the_batches_of_predict(options, sizes):
    spy = engine.Spy(summed)
    assert spy.predict(np.ones((70, 2)), verbose=0, **options).shape == (70,)
    assert spy.sizes == sizes


@pytest.mark.parametrize("signature", [None, [tf.TensorSpec((None, 2))]])
def test_a_spy_counts_the_calls_of_a_graph_and_not_its_traces(signature):
    spy = engine.Spy(summed)
    graph = tf.function(spy, input_signature=signature)
    for n in (3, 3, 4):
        assert graph(np.ones((n, 2), "float32")).shape == (n,)
    assert spy.sizes == [3, 3, 4]
