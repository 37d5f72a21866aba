"""Every trial follows tools/trial_contract.py, and each rule notices a trial that does not."""

import json

import pytest
from claims_page import GROUPS, Group, trials
from contract import COME_BACK, Lesson
from good_lesson import WORDS, add, at, change, code, notebook, result, text
from notebook_check import METADATA, main, repaired, rules_for
from trial_contract import RULES, SHARED

TRIALS = trials()
# A group of two claims, for the trials built here.
NAME = "900_two_claims.ipynb"
TOP = (
    f"# Trial: a loop\n\n**Is it true?**\n\n{WORDS}\n\n"
    "**0 minutes** · [all claims](../CLAIMS.md) · [the lessons](../README.md)"
)
LESSON_LINKS = "[a](../01_a.ipynb) [b](../02_b.ipynb) [c](../03_c.ipynb)"
BELIEVED = 'lab.verdicts({"T0-1": "Yes.", "T0-2": "No."})'


@pytest.fixture
def trial(tmp_path, monkeypatch):
    """Return a trial that violates no rule, with what its links lead to."""
    monkeypatch.setitem(GROUPS, "T0", Group("Two claims", 2, "900"))
    for name in ("CLAIMS.md", "README.md", "01_a.ipynb", "02_b.ipynb", "03_c.ipynb"):
        (tmp_path / name).touch()
    cells = [
        text(TOP),
        text(f"## How to read a trial\n\n{WORDS}"),
        text(f"## Setup\n\n{COME_BACK}. {WORDS}"),
        code("import labkit as lab"),
        text(f"## The loop\n\n### T0-1 · Does it loop?\n\n{WORDS}"),
        code("turns = 3", outputs=[result("a table")]),
        code('lab.claim("T0-1", "it loops", turns > 1)'),
        text(f"### T0-2 · Is it fast?\n\n{WORDS}"),
        code('lab.claim("T0-2", "it is fast", cost.is_faster("loop"))'),
        text(f"## The verdicts\n\n{WORDS}"),
        code(BELIEVED),
        text(f"## What to do instead\n\n{LESSON_LINKS} {WORDS}"),
    ]
    (tmp_path / "trials").mkdir()
    return Lesson(tmp_path / "trials" / NAME, notebook(cells, METADATA))


@pytest.mark.parametrize("path", TRIALS, ids=lambda path: path.stem)
@pytest.mark.parametrize("name", RULES)
def test_trial(path, name):
    violations = list(RULES[name](Lesson.read(path)))
    assert not violations, f"{path.name} violates {name}:\n- " + "\n- ".join(violations)


@pytest.mark.parametrize("path", TRIALS, ids=lambda path: path.stem)
def test_no_trial_needs_a_repair(path):
    _, done = repaired(json.loads(path.read_text(encoding="utf-8")))
    assert done == [], "run: make notebooks FIX=1"


def test_there_are_trials():
    assert TRIALS


# ---- the rules themselves, on trials built in memory ----


@pytest.mark.parametrize("name", RULES)
def test_a_good_trial_follows_the_rule(name, trial):
    assert list(RULES[name](trial)) == []


def remove(start):
    return lambda raw: raw["cells"].remove(at(raw, start))


def swap_claims(raw):
    first, second = at(raw, 'lab.claim("T0-1"'), at(raw, 'lab.claim("T0-2"')
    first["source"], second["source"] = second["source"], first["source"]


CLAIM = 'lab.claim("T0-1"'
VIOLATIONS = [
    ("has_the_sections_of_a_trial", change("## Setup", "Setup", "Start"), "'Start'"),
    ("has_the_sections_of_a_trial", change("## What to do", "instead", "now"), "do now"),
    ("has_the_sections_of_a_trial", add(text("## More")), "More"),
    ("takes_at_most_30_minutes", change("# Trial", "**0 minutes**", "short"), "how long"),
    ("takes_at_most_30_minutes", change("# Trial", "**0", "**35"), "at most 30"),
    ("says_its_true_minutes", change("# Trial", "**0", "**25"), "says 25"),
    ("tries_every_claim_of_its_group_in_order", remove(CLAIM), "found ['T0-2']"),
    ("tries_every_claim_of_its_group_in_order", swap_claims, "['T0-2', 'T0-1']"),
    (
        "tries_every_claim_of_its_group_in_order",
        add(code('if turns:\n    lab.claim("T0-1", "again", turns)')),
        "'T0-1']",
    ),
    ("names_each_claim_in_its_heading", change("### T0-2", "T0-2 · ", ""), "### T0-2"),
    ("names_each_claim_in_its_heading", change("### T0-2", "T0-2", "T0-20"), "### T0-2"),
    ("names_each_claim_in_its_heading", change("## The loop", "### T0-1", "### X"), "T0-1"),
    ("gives_evidence_for_each_claim", change(CLAIM, "turns > 1", "2 > 1"), "depend"),
    ("gives_evidence_for_each_claim", change(CLAIM, ", turns > 1", ""), "depend"),
    ("says_what_to_believe", remove("lab.verdicts("), "needs one cell"),
    ("says_what_to_believe", change("lab.verdicts(", ', "T0-2": "No."', ""), "for ['T0-1']"),
    ("says_what_to_believe", change("## The verdicts", "verdicts", "end"), "needs one cell"),
    ("leaves_exercises_to_the_lessons", add(code("...", "exercise")), "exercise"),
    ("leaves_exercises_to_the_lessons", add(code('lab.check("02.1", f)')), "exercise"),
    ("leads_to_the_lessons", change("# Trial", "../CLAIMS.md", "../README.md"), "CLAIMS"),
    ("leads_to_the_lessons", change("## What to do", "../03_c", "../02_b"), "to 2 lessons"),
    # Two of the rules that lessons have as well.
    ("has_links_that_lead_somewhere", change("## What to do", "../03_c", "../04_d"), "04_d"),
    ("was_run_in_order", lambda raw: at(raw, CLAIM).update(execution_count=None), "refresh"),
]


@pytest.mark.parametrize(("name", "spoil", "says"), VIOLATIONS)
def test_a_violation_is_noticed(name, spoil, says, trial):
    spoil(trial.raw)
    assert says in "\n".join(RULES[name](trial))


def test_a_trial_leaves_out_a_claim_that_is_not_run_here(trial, monkeypatch):
    monkeypatch.setattr("trial_contract.reported", lambda: {"T0-2": {}})
    (said,) = RULES["tries_every_claim_of_its_group_in_order"](trial)
    assert "found ['T0-1', 'T0-2']" in said
    remove('lab.claim("T0-2"')(trial.raw)
    shorter = Lesson(trial.path, trial.raw)
    assert list(RULES["tries_every_claim_of_its_group_in_order"](shorter)) == []


def test_a_trial_of_no_group_is_noticed(trial):
    trial.path = trial.path.with_name("950_of_nothing.ipynb")
    (said,) = RULES["is_named_after_its_group"](trial)
    assert "000" in said
    assert list(RULES["tries_every_claim_of_its_group_in_order"](trial)) == []


def test_each_rule_of_a_trial_notices_something():
    noticed = {name for name, _, _ in VIOLATIONS} | {"is_named_after_its_group"}
    assert set(RULES) - set(SHARED) <= noticed


def test_the_program_checks_trials_as_trials(trial, capsys):
    trial.path.write_text(json.dumps(trial.raw), encoding="utf-8")
    assert rules_for(trial.path) is RULES
    assert rules_for(trial.path.parent.parent / "02_b.ipynb") is not RULES
    assert main([str(trial.path)]) == 0
    assert capsys.readouterr().out == "1 notebooks checked, 0 problems\n"
