"""The message of an error on one line, without what TensorFlow and Keras put around it."""

import pytest

from labkit.show.errors import message, one_line

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
