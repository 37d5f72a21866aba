"""Claims, verdict tables, expected errors and guesses."""

import pytest

import labkit as lab
from labkit.course import claims
from labkit.measure.stats import Finding


@pytest.fixture(autouse=True)
def _no_claims_of_others(monkeypatch):
    monkeypatch.setattr(claims, "_tried", {})


@pytest.mark.parametrize(
    ("evidence", "verdict"),
    [
        (True, "holds here"),
        (False, "does not hold here"),
        (None, "undecided here"),
        (Finding(True, "≈3×"), "holds here"),
        (Finding(None, "≈1×"), "undecided here"),
    ],
)
def test_a_claim_gets_the_verdict_of_its_evidence(evidence, verdict):
    claim = lab.claim("S0-4", "calls cost", evidence)
    assert claim.verdict == verdict
    assert f"S0-4 {verdict}: calls cost" in repr(claim)


def test_a_finding_brings_its_figure():
    assert "measured: ≈3×" in repr(lab.claim("S0-4", "calls cost", Finding(True, "≈3×")))


@pytest.mark.parametrize("evidence", [1, 0.5, "yes", [True]])
def test_evidence_that_is_no_truth_value_is_refused(evidence):
    with pytest.raises(TypeError, match="write a comparison"):
        lab.claim("S0-4", "calls cost", evidence)


def test_the_table_holds_every_claim_in_order_with_what_to_believe():
    lab.claim("S0-9", "late", True)
    lab.claim("S0-1", "early", False)
    table = lab.verdicts({"S0-1": "no", "S0-9": "yes"})
    assert [row[0] for row in table.cells] == ["S0-9", "S0-1"]
    assert table.cells[1][2:] == ["✗ does not hold here", "no"]


def test_a_claim_without_a_sentence_is_an_error_and_one_not_tried_is_shown_as_such():
    lab.claim("S0-9", "late", True)
    with pytest.raises(ValueError, match="S0-9"):
        lab.verdicts({})
    assert "not tried yet" in str(lab.verdicts({"S0-9": "yes", "S0-1": "no"}))


def test_an_expected_error_is_shown(capsys):
    with lab.expect(ValueError, "invalid literal"):
        int("x")
    assert capsys.readouterr().out.startswith("ValueError: invalid literal for int()")


def test_expect_fails_when_nothing_comes():
    with pytest.raises(AssertionError, match="nothing was raised"), lab.expect(ValueError):
        pass


def test_expect_fails_when_another_error_or_another_text_comes():
    with pytest.raises(AssertionError, match="got KeyError"), lab.expect(ValueError):
        raise KeyError("k")
    with pytest.raises(AssertionError, match="new text"), lab.expect(ValueError, "old text"):
        raise ValueError("new text")


def test_expect_lets_ctrl_c_through():
    with pytest.raises(KeyboardInterrupt), lab.expect(ValueError):
        raise KeyboardInterrupt


def test_expect_shows_no_place_of_this_machine_and_no_colours(capsys):
    with lab.expect(TypeError, "NoneType"):
        raise TypeError(
            'in user code:\n\n    File "/x/y.py", line 5, in f  *\n        g()\n\n    TypeError: \x1b[1mNoneType'
        )
    assert capsys.readouterr().out == "TypeError: NoneType\n"


def test_expect_drops_the_arguments_that_keras_repeats_and_addresses(capsys):
    with lab.expect(ValueError, "shape"):
        raise ValueError("bad shape of <f at 0x7f00aa>\n\nArguments received by call():\n  • x=1")
    assert capsys.readouterr().out == "ValueError: bad shape of <f>\n"


def test_a_guess_starts_in_the_middle_and_knows_whether_it_was_moved():
    guess = lab.guess("How many?", low=1, high=100)
    assert (guess.value, guess.moved) == (10.0, False)
    guess._ipython_display_()
    guess._slider.value = 50
    assert (guess.value, guess.moved) == (50, True)


@pytest.mark.parametrize(("low", "high"), [(0, 10), (5, 5), (10, 1), (-1, 1)])
def test_a_guess_needs_a_range(low, high):
    with pytest.raises(ValueError, match="0 < low < high"):
        lab.guess("How many?", low=low, high=high)


def test_evidence_from_numpy_is_a_truth_value():
    import numpy as np

    assert lab.claim("S0-4", "calls cost", np.array([3]).max() > 2).verdict == "holds here"
    with pytest.raises(TypeError, match="write a comparison"):
        lab.claim("S0-4", "calls cost", np.array([True, False]))


def test_a_claim_tried_twice_is_one_claim_with_the_newer_verdict():
    lab.claim("S0-4", "calls cost", True)
    lab.claim("S0-4", "calls cost", False)
    assert [row[2] for row in lab.verdicts({"S0-4": "no"}).cells] == ["✗ does not hold here"]


def test_a_figure_given_wins_over_that_of_the_finding():
    claim = lab.claim("S0-4", "calls cost", Finding(True, "≈3×"), measured="≈9 calls")
    assert repr(claim).endswith("\n  measured: ≈9 calls")


def test_expect_takes_a_subclass_and_keeps_the_cause_of_a_failure(capsys):
    with lab.expect(LookupError):
        raise KeyError("k")
    assert capsys.readouterr().out == "KeyError: 'k'\n"
    with pytest.raises(AssertionError) as caught, lab.expect(ValueError):
        raise TypeError("t")
    assert isinstance(caught.value.__cause__, TypeError)


def test_expect_leaves_out_the_number_of_a_function(capsys):
    with lab.expect(ValueError, "signature_N"):
        raise ValueError("cannot compute __inference_call_signature_2737 as input #0")
    assert (
        capsys.readouterr().out
        == "ValueError: cannot compute __inference_call_signature_N as input #0\n"
    )


def test_expect_cuts_a_long_message_around_what_it_looks_for(capsys):
    with lab.expect(ValueError, "the\npoint"):
        raise ValueError("a " * 500 + "the point " + "b " * 500)
    shown = capsys.readouterr().out
    assert "the point" in shown and shown.startswith("ValueError: … a ") and shown.endswith(" …\n")
    assert len(shown) < 340


@pytest.mark.parametrize("value", [0.5, 11])
def test_a_guess_starts_within_its_range(value):
    with pytest.raises(ValueError, match="outside 1 to 10"):
        lab.guess("How many?", low=1, high=10, value=value)


def test_a_guess_of_a_whole_number_has_an_even_scale():
    guess = lab.guess("In how many of 20?", low=1, high=20, whole=True)
    assert (guess.value, guess.moved) == (10, False)
    guess._ipython_display_()
    assert (guess._slider.step, type(guess._slider.value)) == (1, int)
    with pytest.raises(ValueError, match="whole=True needs whole numbers"):
        lab.guess("How many?", low=0.5, high=20, whole=True)


def test_showing_the_slider_does_not_move_the_guess():
    guess = lab.guess("How many?", low=1, high=1000)
    guess._ipython_display_()
    assert (guess.value, guess.moved) == (31.6, False)
    guess._slider.value = 50
    guess._ipython_display_()  # shown again, it stays where it is
    assert (guess.value, guess.moved) == (50, True)


def test_without_widgets_the_question_still_stands(capsys, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ipywidgets", None)
    guess = lab.guess("How many?", low=1, high=100)
    guess._ipython_display_()
    assert "How many? (from 1.00 to 100; as it stands: 10.0)" in capsys.readouterr().out
