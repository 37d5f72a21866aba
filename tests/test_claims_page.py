"""CLAIMS.md accounts for every claim, and takes the verdicts from the stored outputs."""

import json

import claims_page
import pytest
from claims_page import GROUPS, every, key, reported, tried


def notebook(path, *cells):
    made = [
        {
            "cell_type": kind,
            "source": source,
            "outputs": [{"data": {"text/plain": output}}] if output else [],
        }
        for kind, source, output in cells
    ]
    path.write_text(json.dumps({"cells": made}), encoding="utf-8")
    return path


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
def test_every_claim_is_tried_or_told_as_reported(group):
    here, elsewhere = {c.id for c in every()}, set(reported())
    wanted = {f"{group}-{n}" for n in range(1, GROUPS[group][0] + 1)}
    assert wanted - here - elsewhere == set(), (
        "neither tried in a lesson nor told in claims_reported.toml"
    )
    assert {id for id in here | elsewhere if key(id)[0] == group} <= wanted, "no such claim"


def test_no_claim_that_is_tried_stands_among_those_that_are_not():
    assert {c.id for c in every()} & set(reported()) == set()


@pytest.mark.parametrize("id", reported())
def test_a_claim_that_is_not_run_says_what_it_needs_and_what_was_reported(id):
    assert set(reported()[id]) == {"claim", "needs", "reported"}


def test_a_pipe_in_a_claim_does_not_break_the_table():
    rows = [line for line in claims_page.page().splitlines() if line.startswith("| S")]
    assert all(line.replace("\\|", "").count("|") == 6 for line in rows)
