"""CLAIMS.md accounts for every claim and takes the verdicts from the stored outputs."""

import json

import claims_page
import pytest
from claims_page import GROUPS, all_tried, key, reported, tried


def notebook(path, *cells):
    """Write a notebook of (kind, source, plain output) cells."""
    made = []
    for kind, source, output in cells:
        outputs = [{"data": {"text/plain": output}}] if output else []
        made.append({"cell_type": kind, "source": source, "outputs": outputs})
    path.write_text(json.dumps({"cells": made}), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def here():
    """Return the numbers of the claims that the lessons try."""
    return {claim.id for claim in all_tried()}


def test_the_verdict_comes_from_the_output_and_the_sentence_from_the_table(tmp_path):
    path = notebook(
        tmp_path / "02_loop.ipynb",
        ("markdown", "## One round\n\nText.\n\n### In it", ""),
        (
            "code",
            "lab.claim(...)",
            ["✗ S0-11 does not hold here: loops | are slow\n", "  measured: ≈3×"],
        ),
        ("markdown", "## Folklore on trial", ""),
        ("code", 'lab.verdicts(\n    {"S0-11": "Calls are."}\n)', "a table"),
    )
    (claim,) = tried(path)
    assert (claim.id, claim.verdict, claim.section) == ("S0-11", "does not hold here", "In it")
    assert (claim.text, claim.instead) == ("loops | are slow", "Calls are.")


def test_numbers_are_sorted_as_numbers():
    assert key("S0-9") < key("S0-10") < key("S1-1")


@pytest.mark.parametrize("group", GROUPS)
def test_every_claim_is_tried_or_reported(group, here):
    count, _ = GROUPS[group]
    wanted = {f"{group}-{n}" for n in range(1, count + 1)}
    found = {id for id in here | set(reported()) if key(id)[0] == group}
    assert found == wanted


def test_no_claim_is_both_tried_and_reported(here):
    assert here & set(reported()) == set()


@pytest.mark.parametrize("id", reported())
def test_a_claim_that_is_not_run_says_what_it_needs_and_what_was_reported(id):
    assert set(reported()[id]) == {"claim", "needs", "reported"}


def test_a_pipe_in_a_claim_does_not_break_the_table():
    for line in claims_page.page().splitlines():
        if line.startswith("|"):
            assert line.replace("\\|", "").count("|") == 6, line
