"""The CI workflow runs pinned actions, once for each change, and what it names exists."""

import re

import yaml
from pages import ROOT

TEXT = (ROOT / ".github" / "workflows" / "test.yml").read_text(encoding="utf-8")
WORKFLOW = yaml.safe_load(TEXT)
STEPS = [step for job in WORKFLOW["jobs"].values() for step in job["steps"]]


def test_actions_are_pinned_by_hash_with_their_version():
    uses = re.findall(r"uses: (.*)", TEXT)
    assert len(uses) == len([step for step in STEPS if "uses" in step])
    for action in uses:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), action


def test_one_action_has_one_version():
    versions = dict(re.findall(r"uses: ([\w/-]+)@(\w+)", TEXT))
    for name, version in re.findall(r"uses: ([\w/-]+)@(\w+)", TEXT):
        assert versions[name] == version


def test_a_change_is_tested_once():
    events = WORKFLOW[True]  # YAML reads the word `on` as true
    assert events["push"] == {"branches": ["main"]}
    assert "pull_request" in events


def test_the_files_that_the_steps_name_exist():
    named = set()
    for step in STEPS:
        named.update(
            re.findall(r"(?<![\w./])(?:tests|labkit|notebooks)/[\w./]+", step.get("run", ""))
        )
    assert "tests/own_model" in named
    for name in named:
        assert (ROOT / name).exists(), name


def test_no_token_is_left_behind():
    for step in STEPS:
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False
