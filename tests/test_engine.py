"""The exercise engine: three states, stubs, strict mode, and a record that nothing can spoil."""

import errno
import html
import math
import os
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tensorflow as tf

import labkit as lab
from labkit.course import stop_button
from labkit.course.exercises import engine, lesson_00
from labkit.course.exercises.engine import NotYet, exercise
from labkit.course.exercises.record import read_states
from labkit.show.errors import OneLine
from labkit.show.message import GOOD, OPEN, badge_html

assert lesson_00  # imported here, because what a test registers is forgotten after it


@pytest.fixture(autouse=True)
def _separate_record_and_an_exercise(tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path))
    monkeypatch.delenv("LABKIT_STRICT", raising=False)
    monkeypatch.setattr(engine, "_exercises", dict(engine._exercises))
    monkeypatch.setattr(engine, "_unsaved", {})

    @exercise("99.1", "double a number", section="Setup", hints=("one?", "two", "three"))
    def _double(answer):
        if answer(3) != 6:
            raise NotYet(f"{answer(3)} for 3", "6", "Setup")
        return "doubled"


def recorded(folder):
    """Return what the record in a folder holds."""
    return read_states(folder / "progress.json")


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


def test_an_answer_that_raises_is_reported_with_its_line_and_not_raised():
    def answer(x):
        y = 2 * x
        return y / 0

    outcome = lab.check("99.1", answer)
    line = answer.__code__.co_firstlineno + 2
    assert repr(outcome) == (
        "✗ 99.1 not yet: your answer raised ZeroDivisionError: division by zero, "
        f"in line {line}: `return y / 0`. Look at: Setup"
    )


def test_the_line_of_a_traced_answer_is_that_of_the_learner():
    @tf.function
    def answer(x):
        if tf.constant(x) > 2:
            x = tf.ones(2) + tf.ones(3)
        return x

    assert ": `x = tf.ones(2) + tf.ones(3)`. Look at" in lab.check("99.1", answer).message


def test_an_answer_that_cannot_be_called_so_has_no_line():
    message = lab.check("00.1", lambda: 6).message
    assert "takes 0 positional arguments but 2 were given. Look at: " in message


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
    with pytest.raises(ValueError, match="1, 2 or 3") as caught:
        lab.hint("99.1", 4)
    assert isinstance(caught.value, OneLine)


def test_a_hint_in_a_notebook_is_a_message_and_code_is_a_block():
    question, _, skeleton = (lab.hint("00.1", step)._repr_html_() for step in (1, 2, 3))
    assert "<strong>Hint 1 of 3:</strong>" in question
    assert "<pre" not in question
    assert "return model(rows)</pre>" in skeleton


@pytest.mark.parametrize(
    ("text", "is_code"),
    [
        ("return 3", True),
        ("a = 1; return a", True),
        ("for x in y:\n    yield x", True),
        ("Keep the loop, and return it.", False),
        ("return 3 and then stop", False),
    ],
)
def test_a_hint_that_is_code_is_known(text, is_code):
    assert engine._is_code(text) is is_code


def test_an_unknown_exercise_names_those_of_its_lesson():
    with pytest.raises(KeyError, match=r"99\.1") as caught:
        lab.check("99.7", stub)
    assert str(caught.value) == "there is no exercise '99.7'; there are: 99.1"
    assert isinstance(caught.value, OneLine)
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


def test_a_missing_folder_for_the_record_is_made(monkeypatch, tmp_path):
    home = tmp_path / "missing" / "home"
    monkeypatch.setenv("LABKIT_HOME", str(home))
    assert lab.progress("99").notes == []
    assert not home.exists()  # looking makes nothing
    assert repr(lab.check("99.1", lambda x: 2 * x)) == "✓ 99.1 passed: doubled"
    assert recorded(home) == {"99.1": "passed"}


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


# ---- the stop button ----


def answers_forever(x):
    while True:
        pass


def pauses_forever(x):
    while True:
        time.sleep(60)


def catches_every_exception(x):
    while True:
        try:
            time.sleep(60)
        except Exception:
            x += 1


def catches_everything(x):
    while True:
        try:
            time.sleep(60)
        except:  # noqa: E722 - as learners write it
            x += 1


def swallows_and_is_right(x):
    try:
        time.sleep(60)
    except BaseException:
        return 2 * x


@tf.function
def swallowed_by_a_graph(x):
    return tf.numpy_function(lambda y: time.sleep(2) or 2 * y, [x], tf.int64)


STOPPED = [
    answers_forever,
    pauses_forever,
    catches_every_exception,
    catches_everything,
    swallows_and_is_right,
    swallowed_by_a_graph,
]


@pytest.mark.skipif(os.name != "posix", reason="Windows has no signal to send to this process")
@pytest.mark.parametrize("answer", STOPPED)
@pytest.mark.parametrize("strict", ["0", "1"])
def test_the_stop_button_ends_a_check_and_records_nothing(tmp_path, monkeypatch, answer, strict):
    monkeypatch.setenv("LABKIT_STRICT", strict)
    handler = signal.getsignal(signal.SIGINT)
    button = threading.Timer(0.3, os.kill, [os.getpid(), signal.SIGINT])
    button.start()
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt) as caught:
        lab.check("99.1", answer)
    assert time.monotonic() - started < 5  # it takes one second, and more on a busy machine
    if strict == "0":
        assert isinstance(caught.value, OneLine)
        assert str(caught.value) == "check interrupted: nothing was recorded"
    assert list(tmp_path.iterdir()) == []
    assert signal.getsignal(signal.SIGINT) == handler
    assert sys.gettrace() is not stop_button._trace_nothing
    time.sleep(stop_button.PATIENCE + 0.2)  # no stop comes after the end


def test_an_answer_that_raises_keyboard_interrupt_is_a_stop(tmp_path):
    def answer(x):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        lab.check("99.1", answer)
    assert list(tmp_path.iterdir()) == []


def test_in_another_thread_a_check_works_too():
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(lab.check, "99.1", lambda x: 2 * x).result().state == "passed"


# ---- a cell that failed leaves the answer before it ----


def test_the_answer_before_a_cell_that_failed_is_not_judged(tmp_path, monkeypatch):
    failure = "the cell that defines `answer` ended with SyntaxError in line 2: `return 2 *`"
    monkeypatch.setattr(engine, "failure_behind", lambda answer: failure)
    outcome = lab.check("99.1", lambda x: 2 * x)
    assert outcome.state == "not yet"
    assert outcome.message.startswith(f"{failure}. Correct it and run it, then this one")
    assert list(tmp_path.iterdir()) == []


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

    with monkeypatch.context() as full:
        full.setattr(os, step, fails)
        outcome = lab.check("99.1", lambda x: 2 * x)
    assert outcome.state == "passed"
    assert os.strerror(reason) in outcome.note
    assert os.listdir(tmp_path) == ["progress.json"]
    assert recorded(tmp_path) == {"98.7": "passed"}

    # Kept until the kernel ends, and written as soon as that works.
    assert "1 of 1" in str(lab.progress("99"))
    assert lab.check("99.1", identity).note == ""
    assert recorded(tmp_path) == {"98.7": "passed", "99.1": "passed"}


def test_a_folder_in_the_place_of_the_record_spoils_no_answer(tmp_path):
    (tmp_path / "progress.json").mkdir()
    [note] = lab.progress("99").notes
    assert os.strerror(errno.EISDIR) in note
    assert lab.check("99.1", lambda x: 2 * x).state == "passed"
    assert os.listdir(tmp_path) == ["progress.json"]


def test_where_nothing_can_be_recorded_check_and_progress_say_so(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path / "file" / "home"))
    outcome = lab.check("99.1", lambda x: 2 * x)
    assert outcome.state == "passed"
    assert repr(outcome).startswith("✓ 99.1 passed: doubled\n  Kept only until")
    table = lab.progress("99")
    assert table.caption == "1 of 1 exercises passed"
    for note in (outcome.note, *table.notes):
        assert str(tmp_path / "file" / "home" / "progress.json") in note
        assert os.strerror(errno.ENOTDIR) in note
        assert "LABKIT_HOME" in note
    assert html.escape(outcome.note) in outcome._repr_html_()

    # Another folder has a record of its own.
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path))
    assert lab.progress("99").caption == "0 of 1 exercises passed"


# ---- what comes next ----


@pytest.fixture
def lessons(tmp_path, monkeypatch):
    """Make a folder of lessons the working folder."""
    folder = tmp_path / "lessons"
    folder.mkdir()
    for name in ("97_first.ipynb", "99_middle.ipynb", "99_middle.mine.ipynb", "notes.ipynb"):
        (folder / name).touch()
    monkeypatch.chdir(folder)
    return folder


def test_a_lesson_says_which_one_is_next(lessons):
    assert lab.progress("99").notes == ["This was the last lesson."]
    (lessons / "A_98.ipynb").touch()
    (lessons / "99a.ipynb").touch()
    assert lab.progress("99").notes == ["This was the last lesson."]
    assert engine._what_is_next("97", []) == "The next lesson: 99_middle.ipynb"
    page = lab.progress("99")._repr_html_()
    assert badge_html(OPEN) in page
    assert "This was the last lesson." in page


def test_a_lesson_that_is_done_has_another_sign(lessons):
    lab.check("99.1", lambda x: 2 * x)
    page = lab.progress("99")._repr_html_()
    assert page.count(badge_html(GOOD)) == 2  # of the whole and of the exercise
    assert badge_html(OPEN) not in page


def test_all_lessons_together_say_where_to_go_on(lessons, monkeypatch):
    monkeypatch.setattr(engine, "_import_lessons", lambda lesson: None)
    monkeypatch.setattr(
        engine, "_exercises", {k: v for k, v in engine._exercises.items() if k == "99.1"}
    )
    assert lab.progress().notes == ["Go on with 99_middle.ipynb"]
    lab.check("99.1", lambda x: 2 * x)
    assert lab.progress().notes == []


def test_without_the_lessons_beside_it_nothing_is_said_of_the_next(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert lab.progress("99").notes == []


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

    message = lab.check("99.1", answer).message
    assert "your answer raised ValueError: a sentence, in line" in message
    assert message.endswith(': `raise ValueError("a sentence.")`. Look at: Setup')


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


def test_a_spy_takes_what_a_keras_model_takes():
    spy = engine.Spy(lab.models.mlp())
    rows = lab.models.random_rows(70)
    labels = np.zeros(70)
    assert spy(inputs=rows, training=False).shape == (70, 1)
    assert spy.predict(rows, 40, 0).shape == (70, 1)
    assert spy.predict_on_batch(x=rows).shape == (70, 1)
    assert spy.predict_step(rows).shape == (70, 1)
    batches = tf.data.Dataset.from_tensor_slices((rows, labels)).batch(60)
    assert spy.predict(x=batches, verbose=0).shape == (70, 1)
    assert spy.predict(batches, steps=1).shape == (60, 1)
    assert spy.sizes == [70, 40, 30, 70, 70, 60, 10, 60]
    assert len(spy.layers) == 2
    with pytest.raises(NotYet, match="makes one of a list of rows"):
        spy.predict(list(rows))


def test_a_model_that_is_never_called_is_told_of():
    spy = engine.Spy(summed)
    with pytest.raises(NotYet, match="never calls the model"):
        spy.expect_called("")
    spy(np.ones((3, 2)))
    spy.expect_called("")


@pytest.mark.parametrize("compiles", [False, True])
@pytest.mark.parametrize("signature", [None, [tf.TensorSpec((None, 2))]])
def test_a_spy_counts_the_calls_of_a_graph_and_not_its_traces(signature, compiles):
    spy = engine.Spy(summed)
    graph = tf.function(spy, input_signature=signature, jit_compile=compiles)
    for n in (3, 3, 4):
        assert graph(np.ones((n, 2), "float32")).shape == (n,)
    assert spy.sizes == [3, 3, 4]
