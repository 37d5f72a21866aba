"""CLAIMS.md has one line for each claim and takes the verdicts from the stored outputs."""

import json

import claims_page
import pytest
from claims_page import (
    GROUPS,
    Tried,
    all_tried,
    by_id,
    differing,
    key,
    line_of,
    reported,
    trials,
    tried,
)


def name_of(claim):
    """Return the name of the notebook that tried a claim, without its number."""
    return claim.notebook.rpartition("/")[2].partition("_")[2].removesuffix(".ipynb")


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
    """Return the claims that the notebooks try."""
    return all_tried()


# ---- reading a notebook ----


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
    (claim,) = tried(path, tmp_path)
    assert (claim.id, claim.verdict, claim.section) == ("S0-11", "does not hold here", "In it")
    assert (claim.text, claim.instead) == ("loops | are slow", "Calls are.")
    assert claim.notebook == "02_loop.ipynb"


def test_numbers_are_sorted_as_numbers():
    assert key("S0-9") < key("S0-10") < key("S1-1")


# ---- one line for each claim ----

TRIAL = Tried("S0-1", "trials/000_calls.ipynb", "it loops", "holds here", "A", "Yes.")
SAME = Tried("S0-1", "02_loop.ipynb", "it loops", "holds here", "B")
OTHER_SENTENCE = Tried("S0-1", "03_graph.ipynb", "it runs", "holds here", "C", "No.")
OTHER_VERDICT = Tried("S0-1", "05_data.ipynb", "it loops", "does not hold here", "D")


def test_one_line_tells_of_all_notebooks_that_agree():
    links = "[trial 000](trials/000_calls.ipynb); [02](02_loop.ipynb)"
    line = line_of([TRIAL, SAME, OTHER_SENTENCE, OTHER_VERDICT, SAME])
    assert line == ["S0-1", "it loops", "holds here", "Yes.", links]


def test_a_claim_that_only_a_lesson_tries_leads_to_its_section():
    assert line_of([SAME])[3:] == ["", "[02](02_loop.ipynb), B"]


def test_another_sentence_and_another_verdict_are_noticed():
    assert differing([TRIAL, SAME, OTHER_SENTENCE, OTHER_VERDICT]) == [
        OTHER_SENTENCE,
        OTHER_VERDICT,
    ]


def test_the_trials_count_before_the_lessons(here):
    tried_in = [claim.is_in_trial for claim in here]
    assert tried_in == sorted(tried_in, reverse=True)


def test_a_claim_has_one_sentence_and_one_verdict_wherever_it_occurs(here):
    counts = {id: claims[0] for id, claims in by_id(here).items()}
    wrong = []
    for claim in differing(here):
        first = counts[claim.id]
        wrong.append(
            f"{claim.id} in {claim.notebook}: {claim.text!r} {claim.verdict}, but in "
            f"{first.notebook}: {first.text!r} {first.verdict}"
        )
    assert not wrong, "\n".join(wrong)


# ---- every claim is accounted for ----


@pytest.mark.parametrize("group", GROUPS)
def test_every_claim_is_tried_or_reported(group, here):
    """All claims of a group that has its trial; until then no number is used that is none."""
    wanted = {f"{group}-{n}" for n in range(1, GROUPS[group].count + 1)}
    found = {id for id in [*by_id(here), *reported()] if key(id)[0] == group}
    assert found <= wanted
    if any(path.name.startswith(f"{GROUPS[group].trial}_") for path in trials()):
        assert found == wanted


def test_no_claim_is_both_tried_and_reported(here):
    assert set(by_id(here)) & set(reported()) == set()


@pytest.mark.parametrize("id", reported())
def test_a_claim_that_is_not_run_says_what_it_needs_and_what_was_reported(id):
    assert set(reported()[id]) == {"claim", "needs", "reported"}


def test_no_claim_has_two_lines_and_a_pipe_does_not_break_the_table():
    ids = []
    for line in claims_page.page().splitlines():
        if line.startswith("|"):
            assert line.replace("\\|", "").count("|") == 6, line
            ids.append(line.split("|")[1].strip())
    ids = [id for id in ids if "-" in id and not id.startswith("--")]
    assert len(ids) == len(set(ids)) > 50
