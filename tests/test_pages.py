"""The pages around the lessons: generated parts are current, links and make targets exist."""

import re
import subprocess

import pages
import pytest
from pages import ROOT

PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "labkit" / "README.md",
    *sorted((ROOT / "notebooks").glob("*.md")),
    *sorted((ROOT / "teaching").rglob("*.md")),
]
CODE = re.compile(r"```.*?```|``.+?``|`[^`]+`", re.DOTALL)
# The examples in docstrings belong to someone or somebody.
PATH_OF_A_MACHINE = re.compile(r"/root/|/work/|/home/(?!some(?:one|body)\b)\w|C:\\\\?Users")
PACKAGE_INDEX = re.compile(r"files\.pythonhosted|pypi\.org/simple|index-url\s+http")


def name_of(page):
    return page.relative_to(ROOT).as_posix()


# ---- generated parts ----


@pytest.fixture(scope="module")
def current():
    return pages.pages()


MADE = [
    pages.README,
    pages.FOLDER,
    pages.NAMES,
    pages.LESSON_01,
    pages.LESSON_15,
    pages.claims_page.PAGE,
    pages.conda_file.PAGE,
    pages.index_pages.SYMPTOMS,
    pages.index_pages.GLOSSARY,
    pages.index_pages.CHEATSHEET,
    pages.index_pages.FLOW,
    pages.teaching_pages.README,
    *map(pages.teaching_pages.guide_of, pages.teaching_pages.lessons()),
]


@pytest.mark.parametrize("page", MADE, ids=name_of)
def test_the_generated_parts_are_current(page, current):
    assert page.read_text(encoding="utf-8") == current[page], "run: make pages"


def test_no_generated_page_is_forgotten(current):
    assert set(current) == set(MADE)


def test_a_part_is_filled_between_its_two_comments():
    text = "a\n<!-- x -->\nold\n<!-- /x -->\nb <!-- y -->"
    assert pages.fill(text, "x", "new") == "a\n<!-- x -->\nnew\n<!-- /x -->\nb <!-- y -->"


@pytest.mark.parametrize("text", ["", "<!-- x -->\n", "<!-- x -->\n<!-- /x -->\n" * 2])
def test_a_page_without_its_two_comments_is_an_error(text):
    with pytest.raises(ValueError, match="must both occur once"):
        pages.fill(text, "x", "new")
    with pytest.raises(ValueError, match="x -->"):
        pages.fill_cell({"cells": [{"source": [text]}]}, "x", "new")


def test_every_public_name_says_what_it_does():
    for line in pages.table_of_names(pages.labkit).splitlines()[2:]:
        name, summary, _ = line.strip("| ").split(" | ")
        assert re.fullmatch(r"[A-Z].{10,}\.", summary), name


@pytest.mark.parametrize("ending", ["", "/", ".git"])
def test_the_badges_lead_to_the_start_page_of_this_repository(ending):
    address = f"https://github.com/ada/tf-loop{ending}"
    binder, codespaces = pages.badges({"project": {"urls": {"Repository": address}}}).splitlines()
    assert binder.endswith(
        "(https://mybinder.org/v2/gh/ada/tf-loop/HEAD?urlpath=lab/tree/README.md)"
    )
    assert codespaces.endswith("(https://codespaces.new/ada/tf-loop)")


@pytest.mark.parametrize(
    "urls", [None, {}, {"Repository": "https://gitlab.com/a/b"}, {"Homepage": "https://a.example"}]
)
def test_without_an_address_on_github_there_are_no_badges(urls):
    assert pages.badges({"project": {} if urls is None else {"urls": urls}}) == ""


# ---- links, targets, paths ----


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_and_pictures_lead_somewhere(page):
    links = re.findall(r"!?\[([^\]]*)\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
    for text, target in links:
        assert text.strip(), f"{target} has no text for those who cannot see it"
        if not target.startswith(("http", "#")):
            assert (page.parent / target.partition("#")[0]).exists(), target


def make_targets_in(text):
    """Return the targets that a page names in its code spans and fences."""
    found = set()
    for code in CODE.findall(text):
        found.update(re.findall(r"\bmake ([a-z][a-z-]*)", code))
    return found


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_make_targets_that_the_pages_name_exist(page):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    assert make_targets_in(page.read_text(encoding="utf-8")) <= targets


def test_make_targets_are_found_in_code_only():
    text = (
        "These make sense. `make bogus` and `make lab X=1`, or\n```\ncd a && make one-more\n```\n"
    )
    assert make_targets_in(text) == {"bogus", "lab", "one-more"}


def tracked_files():
    """Return the names of the files that git knows, staged new ones included."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    return listed.stdout.splitlines()


def test_a_file_that_git_does_not_know_is_left_alone(tmp_path, monkeypatch):
    """Such as a log with the folder of the project in it: make lab > lab.log."""
    made = subprocess.run(["git", "init", "-q"], cwd=tmp_path)
    (tmp_path / "lab.log").write_text(str(ROOT), encoding="utf-8")
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    assert made.returncode == 0
    assert tracked_files() == []


def test_no_file_holds_a_path_of_a_machine_or_the_address_of_an_index():
    seen = 0
    for name in tracked_files():
        path = ROOT / name
        if path.suffix == ".png" or not path.is_file():
            continue
        text = path.read_text(encoding="utf-8")
        assert str(ROOT) not in text, name
        if not name.startswith("tests/"):  # the tests name what they look for
            assert not PATH_OF_A_MACHINE.search(text), name
            assert not PACKAGE_INDEX.search(text), name
        seen += 1
    assert seen > 50


@pytest.mark.parametrize("text", ["/root/x", "/work/x", "/home/ada/x", r"C:\Users\ada"])
def test_the_path_of_a_machine_is_noticed(text):
    assert PATH_OF_A_MACHINE.search(f"see {text}")


# ---- environment variables ----


def test_every_variable_of_the_project_is_documented():
    documented = set(re.findall(r"`(LABKIT_\w+)`", (ROOT / "CONTRIBUTING.md").read_text("utf-8")))
    used = set()
    for folder in ("labkit", "tools", "tests"):
        for path in (ROOT / folder).rglob("*.py"):
            used.update(re.findall(r"\"(LABKIT_[A-Z]+)\"", path.read_text(encoding="utf-8")))
    assert used == documented
