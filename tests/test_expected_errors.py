"""Errors that a lesson raises on purpose."""

import re

import pytest

import labkit as lab
from labkit.show import message


def test_an_expected_error_is_shown(capsys):
    with lab.expect(ValueError, "invalid literal"):
        int("x")
    assert capsys.readouterr().out == ("ValueError: invalid literal for int() with base 10: 'x'\n")


def test_in_a_notebook_the_error_is_a_message_with_the_same_text(monkeypatch):
    shown = []
    monkeypatch.setattr(message, "running_shell", object)
    monkeypatch.setattr("IPython.display.display", lambda data, raw: shown.append(data))
    with lab.expect(ValueError):
        raise ValueError("no `shape` <here>")
    assert shown[0]["text/plain"] == "ValueError: no `shape` <here>"
    page = shown[0]["text/html"]
    assert "<strong>ValueError, as expected:</strong> no <code" in page
    assert ">shape</code> &lt;here&gt;" in page


def test_expect_fails_when_nothing_comes():
    nothing = "expected ValueError, but nothing was raised"
    with pytest.raises(AssertionError, match=nothing), lab.expect(ValueError):
        pass


def test_expect_fails_when_another_error_comes():
    other = "expected ValueError, got KeyError: 'k'"
    with pytest.raises(AssertionError, match=other), lab.expect(ValueError):
        raise KeyError("k")


def test_expect_fails_when_another_text_comes():
    other = "expected ValueError with 'old text', got: new text"
    with pytest.raises(AssertionError, match=other), lab.expect(ValueError, "old text"):
        raise ValueError("new text")


def test_expect_lets_ctrl_c_through():
    with pytest.raises(KeyboardInterrupt), lab.expect(ValueError):
        raise KeyboardInterrupt


def test_expect_takes_a_subclass(capsys):
    with lab.expect(LookupError):
        raise KeyError("k")
    assert capsys.readouterr().out == "KeyError: 'k'\n"


def test_expect_keeps_the_cause_of_a_failure():
    with pytest.raises(AssertionError) as caught, lab.expect(ValueError):
        raise TypeError("t")
    assert isinstance(caught.value.__cause__, TypeError)


@pytest.mark.parametrize(
    "error", ["ValueError", ValueError("x"), (ValueError, KeyError), int, None]
)
def test_expect_needs_an_exception_class(error):
    with pytest.raises(TypeError, match="needs an exception class such as ValueError, got"):
        lab.expect(error)


@pytest.mark.parametrize("match", [re.compile("x"), None, ["x"]])
def test_what_expect_looks_for_is_a_string(match):
    with pytest.raises(TypeError, match="a part of the message as a string"):
        lab.expect(ValueError, match)


def test_expect_shows_no_place_of_this_machine_and_no_colours(capsys):
    with lab.expect(TypeError, "NoneType"):
        raise TypeError(
            'in user code:\n\n    File "/x/y.py", line 5, in f  *\n        g()\n\n'
            "    TypeError: \x1b[1mNoneType"
        )
    assert capsys.readouterr().out == "TypeError: NoneType\n"


@pytest.mark.parametrize("address", ["0x7f00aa", "0x000002A4B1C3D5F0"])  # Linux, Windows
def test_expect_drops_the_arguments_that_keras_repeats_and_addresses(capsys, address):
    with lab.expect(ValueError, "shape"):
        raise ValueError(f"bad shape of <f at {address}>\n\nArguments received by call():\n  • x=1")
    assert capsys.readouterr().out == "ValueError: bad shape of <f>\n"


def test_expect_leaves_out_the_number_of_a_function(capsys):
    with lab.expect(ValueError, "signature_N"):
        raise ValueError("cannot compute __inference_call_signature_2737 as input #0")
    assert capsys.readouterr().out == (
        "ValueError: cannot compute __inference_call_signature_N as input #0\n"
    )


def test_expect_cuts_a_long_message_around_what_it_looks_for(capsys):
    with lab.expect(ValueError, "the\npoint"):
        raise ValueError("before " * 200 + "the point " + "b " * 500)
    shown = capsys.readouterr().out
    assert shown.startswith("ValueError: … before ")
    assert "the point" in shown
    assert shown.endswith(" …\n")
    assert len(shown) < 340


def test_expect_shows_the_beginning_of_a_long_message_when_it_looks_for_nothing(capsys):
    with lab.expect(ValueError):
        raise ValueError("x" * 301)
    assert capsys.readouterr().out == f"ValueError: {'x' * 300} …\n"


def test_expect_shows_the_part_it_looks_for_even_if_little_is_cut(capsys):
    with lab.expect(ValueError, "yz"):
        raise ValueError("x" * 310 + "yz")
    assert capsys.readouterr().out == f"ValueError: … {'x' * 80}yz\n"


def test_expect_shows_a_message_of_300_characters_whole(capsys):
    with lab.expect(ValueError, "yz"):
        raise ValueError("x" * 298 + "yz")
    assert capsys.readouterr().out == f"ValueError: {'x' * 298}yz\n"
