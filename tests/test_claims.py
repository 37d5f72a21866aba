"""Claims, verdict tables, expected errors and guesses."""

import pytest

import labkit as lab
from labkit import claims
from labkit.stats import Finding


@pytest.fixture(autouse=True)
def _no_claims_of_others(monkeypatch):
    monkeypatch.setattr(claims, "_tried", {})


@pytest.mark.parametrize(
    ("evidence", "verdict"),
    [(True, "holds here"), (False, "does not hold here"), (None, "undecided here"),
     (Finding(True, "≈3×"), "holds here"), (Finding(None, "≈1×"), "undecided here")],
)  # fmt: skip
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
    assert [row[0] for row in table.rows] == ["S0-9", "S0-1"]
    assert table.rows[1][2:] == ["✗ does not hold here", "no"]


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
