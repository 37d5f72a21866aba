"""The exercise engine: three states, stubs, strict mode, and a record that nothing can spoil."""

import json
import os

import pytest

import labkit as lab
from labkit.course.exercises import engine
from labkit.course.exercises.engine import NotYet, exercise


@pytest.fixture(autouse=True)
def _a_home_and_an_exercise(tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path))
    monkeypatch.delenv("LABKIT_STRICT", raising=False)
    monkeypatch.setattr(engine, "_exercises", dict(engine._exercises))

    @exercise("99.1", "double a number", section="Setup", hints=("one?", "two", "three"))
    def _double(answer):
        if answer(3) != 6:
            raise NotYet(f"{answer(3)} for 3", "6", "Setup")
        return "doubled"

    return tmp_path


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
    import tensorflow as tf

    assert lab.check("99.1", tf.function(stub)).state == "not attempted"


def test_right_and_wrong_answers_get_a_sign_a_word_and_what_was_seen():
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
    assert json.loads((tmp_path / "progress.json").read_text(encoding="utf-8")) == {
        "99.1": "passed"
    }
    assert "1 of 1 exercises passed" in str(lab.progress("99"))


@pytest.mark.parametrize("content", ["", "{", "[1]", "\x00"])
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


# ---- more ways to be a stub, an attempt or a spoilt record ----


def docstring_only(x):
    """Return twice x."""


def with_pass(x):
    pass


def many_arguments(model, rows, *rest, key=None, **more):
    """Return twice x."""
    # your code here
    ...


@pytest.mark.parametrize("answer", [docstring_only, with_pass, many_arguments, lambda x: ...])
def test_a_body_that_does_nothing_is_a_stub(answer):
    assert lab.check("99.1", answer).state == "not attempted"


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


@pytest.mark.parametrize(
    "answer",
    [identity, constant, raises, loops, yields, lambda x: x, len, str, 7, "text", 0, False],
)
def test_whatever_somebody_wrote_is_an_attempt(answer):
    assert lab.check("99.1", answer).state == "not yet"


def test_an_answer_without_a_source_file_is_judged_all_the_same():
    space = {}
    exec("def f(x):\n    return x\ndef untouched(x):\n    'Return twice x.'\n    ...", space)
    assert lab.check("99.1", space["f"]).state == "not yet"
    assert lab.check("99.1", space["untouched"]).state == "not attempted"


def test_an_answer_within_tf_function_is_judged():
    import tensorflow as tf

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
    record = json.loads((tmp_path / "progress.json").read_text(encoding="utf-8"))
    assert record == {"98.7": "passed", "99.1": "passed"}  # other lessons are kept


def test_a_stub_leaves_no_record(tmp_path):
    lab.check("99.1", stub)
    assert list(tmp_path.iterdir()) == []


def test_a_record_is_replaced_as_a_whole_or_not_at_all(tmp_path, monkeypatch):
    (tmp_path / "progress.json").write_text('{"98.7": "passed"}', encoding="utf-8")

    def full(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "replace", full)
    assert lab.check("99.1", lambda x: 2 * x).state == "passed"
    assert json.loads((tmp_path / "progress.json").read_text(encoding="utf-8")) == {
        "98.7": "passed"
    }


def test_whoever_reads_while_another_writes_sees_a_whole_record(tmp_path):
    lab.check("99.1", identity)
    seen = []
    write = json.dumps

    def read_while_writing(*args, **options):
        text = write(*args, **options)
        seen.append(json.loads((tmp_path / "progress.json").read_text(encoding="utf-8")))
        return text

    json.dumps = read_while_writing
    try:
        lab.check("99.1", lambda x: 2 * x)
    finally:
        json.dumps = write
    assert seen == [{"99.1": "not yet"}]
