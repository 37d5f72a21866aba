"""The pages around the lessons: generated parts are current, links lead somewhere, nothing speaks of a workplace."""

import re
import subprocess

import pages
import pytest
from pages import ROOT

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "teaching").rglob("*.md"))]


@pytest.mark.parametrize("page", pages.pages(), ids=lambda path: path.name)
def test_the_generated_parts_are_current(page):
    assert page.read_text(encoding="utf-8") == pages.pages()[page], "run: make pages"


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_and_pictures_lead_somewhere(page):
    for text, target in re.findall(
        r"!?\[([^\]]*)\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")
    ):
        if not target.startswith(("http", "#")):
            assert (page.parent / target.partition("#")[0]).exists(), target
        assert text.strip(), f"{target} has no text for those who cannot see it"


def test_the_make_targets_that_the_pages_name_exist():
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    named = {
        m
        for page in PAGES
        for m in re.findall(r"`?make ([a-z-]+)", page.read_text(encoding="utf-8"))
    }
    assert {"lab", "test", "test-browser", "lint", "refresh", "lock"} <= targets
    assert {n for n in named if n in targets} >= {"lab", "test"}


def test_no_file_holds_a_path_of_a_machine_or_an_index_address():
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    for name in listed.stdout.splitlines():
        path = ROOT / name
        if (
            path.suffix in {".png", ""} and name not in {"Makefile", ".ci/run"}
        ) or not path.is_file():
            continue
        if path.name == "contract.py" or (
            path.parent.name == "tests" and path.name.startswith("test_")
        ):
            continue  # they name what they look for
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"(?:/root/|/work/|/home/\w|C:\\\\Users)", text), name
        assert not re.search(r"(?:files\.pythonhosted|pypi\.org/simple|index-url\s+http)", text), (
            name
        )
