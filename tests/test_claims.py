"""Claims and the table of their verdicts."""

import dataclasses

import numpy as np
import pytest

import labkit as lab
from labkit.course import claims
from labkit.measure.stats import Finding
from labkit.show.message import BAD, GOOD, UNSURE, badge_html


@pytest.fixture(autouse=True)
def _no_claims_of_other_tests(monkeypatch):
    monkeypatch.setattr(claims, "_tried", {})


@pytest.mark.parametrize(
    ("evidence", "symbol", "verdict"),
    [
        (True, "✓", "holds here"),
        (False, "✗", "does not hold here"),
        (None, "?", "undecided here"),
        (Finding(True), "✓", "holds here"),
        (Finding(False), "✗", "does not hold here"),
        (Finding(None), "?", "undecided here"),
    ],
)
def test_a_claim_gets_the_verdict_of_its_evidence(evidence, symbol, verdict):
    claim = lab.claim("S0-4", "calls cost", evidence)
    assert claim.verdict == verdict
    assert repr(claim) == f"{symbol} S0-4 {verdict}: calls cost"


def test_a_finding_brings_its_figure():
    claim = lab.claim("S0-4", "calls cost", Finding(True, "≈3×"))
    assert repr(claim) == "✓ S0-4 holds here: calls cost\n  measured: ≈3×"


@pytest.mark.parametrize(("evidence", "kind"), [(True, GOOD), (False, BAD), (None, UNSURE)])
def test_a_claim_in_a_notebook_is_a_message(evidence, kind):
    page = lab.claim("S0-4", "`f` costs", evidence, measured="≈3× [2, 4]")._repr_html_()
    assert badge_html(kind) in page
    assert f"<strong>S0-4 {lab.claim('S0-4', '', evidence).verdict}:</strong> <code" in page
    assert ">measured: ≈3× [2, 4]</div>" in page  # in one piece: nbval sets it aside as such


def test_without_a_figure_nothing_is_measured():
    assert "measured" not in lab.claim("S0-4", "calls cost", True)._repr_html_()


def test_a_figure_given_wins_over_that_of_the_finding():
    claim = lab.claim("S0-4", "calls cost", Finding(True, "≈3×"), measured="≈9 calls")
    assert repr(claim).endswith("\n  measured: ≈9 calls")


@pytest.mark.parametrize("evidence", [1, 0, 0.5, "", "yes", [True], np.array([True, False])])
def test_evidence_that_is_no_truth_value_is_an_error_and_no_claim(evidence):
    with pytest.raises(TypeError, match="write a comparison"):
        lab.claim("S0-4", "calls cost", evidence)
    assert lab.verdicts({}).cells == []


def test_evidence_from_numpy_is_a_truth_value():
    assert lab.claim("S0-4", "calls cost", np.array([3]).max() > 2).verdict == "holds here"
    assert lab.claim("S0-4", "calls cost", np.array([1]).max() > 2).verdict == "does not hold here"


def test_a_verdict_cannot_be_changed_afterwards():
    claim = lab.claim("S0-4", "calls cost", False)
    with pytest.raises(dataclasses.FrozenInstanceError):
        claim.verdict = "holds here"


def test_the_table_holds_every_claim_in_order_with_what_to_believe():
    lab.claim("S0-9", "late", True)
    lab.claim("S0-1", "early", False)
    table = lab.verdicts({"S0-1": "no", "S0-9": "yes"})
    assert table.cells == [
        ["S0-9", "late", "✓ holds here", "yes"],
        ["S0-1", "early", "✗ does not hold here", "no"],
    ]


def test_a_claim_without_a_sentence_is_an_error():
    lab.claim("S0-9", "late", True)
    lab.claim("S0-1", "early", True)
    with pytest.raises(ValueError, match=r"what to believe: S0-9$"):
        lab.verdicts({"S0-1": "yes"})
    with pytest.raises(ValueError, match="S0-9, S0-1"):
        lab.verdicts()


def test_a_claim_not_tried_yet_is_shown_as_such():
    lab.claim("S0-9", "late", True)
    table = lab.verdicts({"S0-1": "no", "S0-9": "yes"})
    assert table.cells[-1] == ["S0-1", "", "not tried yet: run the cells above", "no"]


def test_a_claim_tried_twice_is_one_claim_with_the_newer_verdict():
    lab.claim("S0-4", "calls cost", True)
    lab.claim("S0-9", "late", True)
    lab.claim("S0-4", "calls cost", False)
    table = lab.verdicts({"S0-4": "no", "S0-9": "yes"})
    assert [row[2] for row in table.cells] == ["✗ does not hold here", "✓ holds here"]
