"""The checkers of lessons 08 to 16 read no error text of Python, TensorFlow or Keras."""

import functools
import importlib
import types

import pytest
import tensorflow as tf

import labkit as lab

# Wrong answers in which something raises, and whose mistake the checker has to find out.
RAISING = {
    "08": ["outside the graph", "one row only", "a session per call", "keeps the session"],
    "09": [
        "predict as before",
        "its little sister",
        "an array of the answers",
        "NumPy as before",
        "NumPy in a branch",
        "out of the tensor first",
        "if as before",
        "taken apart",
        "a list in a loop",
        "a Python range",
        "called directly",
    ],
    "10": ["a fixed name", "keeps only the function", "no cast", "no check"],
}
PYTHON_3_11 = "missing a required argument: 'features'"
PYTHON_3_12 = "missing a required keyword-only argument: 'features'"


@pytest.fixture(autouse=True)
def _a_record_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path))
    monkeypatch.delenv("LABKIT_STRICT", raising=False)


def in_other_words(answer):
    """Return the answer with other texts in its errors, and in those of functions it returns."""

    @functools.wraps(answer)
    def wrapper(*args):
        try:
            result = answer(*args)
        except Exception as error:
            error.args = ("the words of another version",)
            error._message = "the words of another version"  # what an error of TensorFlow shows
            raise
        if isinstance(result, types.FunctionType):
            return in_other_words(result)
        return result

    return wrapper


def raising_answers():
    for lesson, names in RAISING.items():
        answers = importlib.import_module(f"wrong_answers.lesson_{lesson}").WRONG
        by_name = {answer[1]: answer for answer in answers}
        for name in names:
            yield by_name[name]


@pytest.mark.parametrize(
    ("id", "answer", "fragment"),
    [
        pytest.param(id, answer, fragment, id=f"{id}-{name}")
        for id, name, answer, fragment in raising_answers()
    ],
)
def test_the_message_is_the_same_with_errors_in_other_words(id, answer, fragment):
    outcome = lab.check(id, in_other_words(answer))
    assert outcome.state == "not yet"
    assert fragment in outcome.message, outcome.message


@pytest.mark.parametrize("wording", [PYTHON_3_11, PYTHON_3_12])
def test_a_wrong_name_is_recognized_in_the_wording_of_every_python(wording):
    def make_score(path):
        loaded = tf.saved_model.load(path)

        def answer(rows):
            try:
                return loaded.signatures["serving_default"](rows_of_mine=rows)["output_0"]
            except TypeError as error:
                raise TypeError(wording) from error

        return answer

    message = lab.check("10.1", make_score).message
    assert "an input called rows_of_mine" in message
    assert "features: the name of the input" in message


@pytest.mark.parametrize("wording", [PYTHON_3_11, PYTHON_3_12])
def test_a_type_error_of_the_answer_itself_is_shown_as_it_is(wording):
    def make_score(path):
        loaded = tf.saved_model.load(path)

        def answer(rows):
            loaded.signatures["serving_default"](features=rows)
            raise TypeError(wording)

        return answer

    assert f"your answer raised TypeError: {wording}" in lab.check("10.1", make_score).message


def test_errors_that_have_another_cause_are_shown_as_they_are():
    def make_scorer(session, model, weights):
        raise RuntimeError("is not compatible with eager execution")

    def make_score(session, model, weights):
        def score(rows):
            raise ValueError("Cannot feed value of shape")

        return score

    def port(session, weights, model):
        def fast(rows):
            raise RuntimeError("Attempted to use a closed Session.")

        return fast

    assert "your answer raised RuntimeError" in lab.check("08.1", make_scorer).message
    assert "your answer raised ValueError" in lab.check("08.1", make_score).message
    assert "your answer raised RuntimeError" in lab.check("08.4", port).message


@pytest.mark.parametrize("shown", ["(None, 10)", "[?, 10]"])
def test_a_shape_counts_in_the_spelling_of_every_tensorflow(shown, monkeypatch):
    def guarded(signature):
        [(name, spec)] = signature.structured_input_signature[1].items()

        def answer(rows):
            batch = tf.constant(rows).numpy().astype("float32")
            if not spec.shape.is_compatible_with(batch.shape):
                raise ValueError(f"wanted: {spec.shape}")
            return signature(**{name: batch})["output_0"].numpy()

        return answer

    monkeypatch.setattr(tf.TensorShape, "__str__", lambda shape: shown)
    assert lab.check("10.4", guarded).state == "passed"


def test_tracebacks_are_filtered_again_after_a_check():
    def predict(model, batch):
        return model.predict(batch, verbose=0)

    import keras

    lab.check("09.1", predict)
    assert tf.debugging.is_traceback_filtering_enabled()
    assert keras.config.is_traceback_filtering_enabled()
