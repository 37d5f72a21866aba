"""The ways to install the course agree: project, lock, conda's environment and workflow."""

import os
import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
ENVIRONMENT = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
WORKFLOW = yaml.safe_load((ROOT / ".github" / "workflows" / "test.yml").read_text(encoding="utf-8"))
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
PIP = next(entry["pip"] for entry in ENVIRONMENT["dependencies"] if isinstance(entry, dict))


def by_name(requirements):
    return {canonicalize_name(r.name): r for r in map(Requirement, requirements)}


def locked():
    """Return the versions locked for each name: several where Python versions need several."""
    versions = {}
    for name, version in re.findall(r"^([\w.-]+)==([^\s;\\]+)", LOCK, re.MULTILINE):
        versions.setdefault(canonicalize_name(name), set()).add(version)
    return versions


DIRECT = by_name([*PROJECT["dependencies"], *EXTRAS["test"]])
PINS = by_name(line for line in PIP if not line.startswith("-e"))


def test_conda_installs_what_is_locked_and_then_labkit():
    assert PIP[-1] == "-e ."
    assert ENVIRONMENT["channels"] == ["conda-forge"]
    pinned = re.findall(r"^([^\s#].*==.*?)(?: \\)?$", LOCK, re.MULTILINE)
    assert PIP[:-1] == pinned
    assert len(pinned) > len(DIRECT)


@pytest.mark.parametrize("name", sorted(DIRECT))
def test_the_lock_is_within_the_range_of_the_project(name):
    pin, wanted = PINS[name], DIRECT[name]
    (specifier,) = pin.specifier
    assert specifier.operator == "=="
    assert wanted.specifier.contains(specifier.version)
    if wanted.marker is None:
        assert pin.marker is None
    else:
        # The same words: uv writes the conditions in another order.
        assert sorted(str(pin.marker).split()) == sorted(str(wanted.marker).split())


def test_the_lock_holds_what_setting_up_needs():
    assert set(by_name(EXTRAS["setup"])) <= set(locked())


def test_every_locked_package_has_hashes():
    packages = re.split(r"^(?=[\w.-]+==)", LOCK, flags=re.MULTILINE)[1:]
    assert len(packages) >= len(locked()) > len(DIRECT)
    without = [
        text.split()[0] for text in packages if not re.search(r"--hash=sha256:[0-9a-f]{64}\b", text)
    ]
    assert without == []


def test_the_lock_names_no_address():
    assert not re.search(r"://|--(extra-)?index-url|--find-links|--trusted-host", LOCK)


def test_all_pages_give_one_size_of_the_installation():
    """Measured with du, after `make lab` in a new clone."""
    sizes = []
    for name in ("README.md", "CONTRIBUTING.md", "Makefile", "teaching/README.md"):
        found = re.findall(r"(\d\.\d) GiB", (ROOT / name).read_text(encoding="utf-8"))
        assert found, name
        sizes += found
    assert len(set(sizes)) == 1


def test_the_workflow_tries_the_python_versions_of_the_project():
    allowed = SpecifierSet(PROJECT["requires-python"])
    versions = [f"3.{minor}" for minor in range(40) if allowed.contains(f"3.{minor}")]
    tried = [
        job["strategy"]["matrix"]["python"]
        for job in WORKFLOW["jobs"].values()
        if "strategy" in job
    ]
    assert tried
    assert all(found == versions for found in tried)
    python = next(
        entry for entry in ENVIRONMENT["dependencies"] if str(entry).startswith("python=")
    )
    assert python.removeprefix("python=") in versions


def test_the_workflow_may_read_and_no_more():
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert all(
        "permissions" not in job and job["timeout-minutes"] <= 60
        for job in WORKFLOW["jobs"].values()
    )


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such permission")
def test_the_ci_script_can_be_executed():
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
