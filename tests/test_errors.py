"""The message of an error on one line, its place in own code, and errors without a traceback."""

import json
import pickle

import keras
import numpy as np
import pytest
import tensorflow as tf

from labkit.show import errors
from labkit.show.errors import (
    OneLine,
    Stopped,
    UnknownName,
    WrongType,
    WrongValue,
    is_own_code,
    line_of_error,
    message,
    one_line,
)

AUTOGRAPH = """in user code:

    File "/home/somebody/lesson.py", line 3, in f  *
        return a + b

    ValueError: Dimensions must be equal: but are 2 and 3."""
KERAS = (
    "Exception encountered when calling Dense.call().\n\n"
    "\x1b[1mthe input has\n   the wrong shape\x1b[0m\n\n"
    "Arguments received by Dense.call():\n  • inputs=tf.Tensor(shape=(1, 2))"
)
IN_GRAPH = """Graph execution error:

Detected at node Assert/Assert defined at (most recent call last):
  File "/home/somebody/lesson.py", line 3
assertion failed: [x must be positive]
\t [[{{node Assert/Assert}}]] [Op:__inference_f_12]"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("no such file", "no such file"),
        ("two\n   lines", "two lines"),
        ("", ""),
        (AUTOGRAPH, "Dimensions must be equal: but are 2 and 3."),
        (KERAS, "Exception encountered when calling Dense.call(). the input has the wrong shape"),
    ],
)
def test_the_message_is_one_line(text, expected):
    assert message(ValueError(text)) == expected


def test_one_line_names_the_type_of_the_error():
    assert one_line(KeyError("units")) == "KeyError: 'units'"


def test_of_an_error_in_a_graph_only_the_sentence_is_kept():
    line = one_line(RuntimeError(IN_GRAPH))
    assert line == "RuntimeError: assertion failed: [x must be positive]"


def test_a_long_message_is_cut_after_a_word():
    assert one_line(ValueError("word " * 41)) == "ValueError: " + "word " * 39 + "word …"
    assert one_line(ValueError("a shape of rows"), most=9) == "ValueError: a shape …"
    assert one_line(ValueError("a shape"), most=7) == "ValueError: a shape"


def test_without_a_message_there_is_only_the_type():
    assert one_line(AssertionError()) == "AssertionError"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("no file at /home/somebody/models/m.h5.", "no file at m.h5."),
        (r"no file at C:\Users\somebody\m.h5", "no file at m.h5"),
        ("<Layer object at 0x7f0c1a2b>", "<Layer object>"),
        ("1/2 of the rows", "1/2 of the rows"),
    ],
)
def test_paths_and_addresses_of_this_machine_can_be_left_out(text, expected):
    assert one_line(ValueError(text), paths=False) == f"ValueError: {expected}"
    assert one_line(ValueError(text)) == f"ValueError: {text}"


# ---- errors that a notebook shows in one line ----


@pytest.mark.parametrize(
    ("kind", "base"),
    [
        (Stopped, KeyboardInterrupt),
        (UnknownName, KeyError),
        (WrongValue, ValueError),
        (WrongType, TypeError),
    ],
)
def test_such_an_error_is_caught_as_what_it_is_and_shown_in_one_line(kind, base):
    with pytest.raises(base) as caught:
        raise kind("there is no 'x'")
    assert str(caught.value) == "there is no 'x'"  # a KeyError would add quotation marks
    [line] = caught.value._render_traceback_()
    assert line.endswith(" there is no 'x'")
    assert "\n" not in line
    assert str(pickle.loads(pickle.dumps(caught.value))) == "there is no 'x'"


def test_a_stop_is_no_error_that_an_answer_would_catch():
    assert not issubclass(Stopped, Exception)


def test_the_mix_in_alone_is_no_error():
    assert not issubclass(OneLine, BaseException)


# ---- the line of own code that raised ----


def error_of(function, *args):
    """Return the error that a function raises."""
    with pytest.raises(Exception) as caught:
        function(*args)
    return caught.value


def divides(x):
    return x / 0


def calls_another(x):
    y = x + 1
    return divides(y)


def reads_json(x):
    return json.loads("{")


@tf.function
def adds(x):
    y = x + 1
    if tf.reduce_sum(y) > 0:
        y = y + tf.ones((3, 7))
    return y


class Layer(keras.layers.Layer):
    def call(self, x):
        return x + tf.ones((3, 7))


@tf.function
def asserts(x):
    tf.debugging.assert_greater(x, 5.0)
    return x


def test_the_innermost_line_of_own_code_counts():
    assert line_of_error(error_of(divides, 1)).endswith(": `return x / 0`")
    assert line_of_error(error_of(calls_another, 1)).endswith(": `return x / 0`")
    line = line_of_error(error_of(reads_json, 1))
    assert line.endswith(': `return json.loads("{")`')  # and not one of the library
    assert line.startswith(f"line {reads_json.__code__.co_firstlineno + 1}:")


def test_a_line_of_the_answer_comes_before_one_of_a_helper():
    space = {"divides": divides}
    exec(compile("def f(x):\n    return divides(x)", "/cell/1.py", "exec"), space)
    error = error_of(space["f"], 1)
    assert line_of_error(error, "/cell/1.py") == "line 2"  # whose text is not known
    assert line_of_error(error, "/cell/2.py").endswith("`return x / 0`")


def test_through_autograph_and_keras_the_line_is_that_of_the_answer():
    rows = tf.zeros((2, 2))
    assert line_of_error(error_of(adds, rows)).endswith(": `y = y + tf.ones((3, 7))`")
    assert line_of_error(error_of(Layer(), rows)).endswith(": `return x + tf.ones((3, 7))`")
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    traced = tf.function(lambda x: model(x))
    assert "lambda x: model(x)" in line_of_error(error_of(traced, np.zeros((2, 3))))


def test_an_error_of_a_running_graph_has_the_line_of_its_operation():
    error = error_of(asserts, tf.zeros(3))
    assert line_of_error(error).endswith(": `tf.debugging.assert_greater(x, 5.0)`")


def test_an_error_of_libraries_alone_has_no_line():
    assert line_of_error(ValueError("never raised")) == ""
    try:
        json.loads("{")
    except ValueError as error:
        assert line_of_error(error.with_traceback(error.__traceback__.tb_next)) == ""


def test_a_long_line_is_cut_and_one_with_backticks_stays_plain(monkeypatch):
    error = error_of(divides, 1)
    monkeypatch.setattr(errors.linecache, "getline", lambda *_: "x" * 81)
    assert line_of_error(error).endswith(f": `{'x' * 80} …`")
    monkeypatch.setattr(errors.linecache, "getline", lambda *_: "print('`')")
    assert line_of_error(error).endswith(": print('`')")


@pytest.mark.parametrize(
    ("file", "is_own"),
    [
        ("/tmp/ipykernel_17/3.py", True),
        ("<ipython-input-1-2a3b>", True),
        (__file__, True),
        (errors.__file__, False),
        (json.__file__, False),
        (np.__file__, False),
        ("<string>", False),
        ("<frozen importlib._bootstrap>", False),
        ("/tmp/__autograph_generated_file1.py", False),
    ],
)
def test_own_code_is_no_library(file, is_own):
    assert is_own_code(file) is is_own
