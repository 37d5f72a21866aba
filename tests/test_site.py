"""The reading edition: what Sphinx is given, what the crawler finds, and the site itself."""

import json
import re
import tomllib

import conf
import crawl
import make_site
import pytest
import reading_pages
import yaml
from pages import ROOT
from reading_pages import Links, Page

FOLDER = ROOT / "tools" / "site"
NOTEBOOK = Page("notebooks/02_loop.ipynb")
GLOSSARY = Page("notebooks/GLOSSARY.md")
README = Page("README.md")
PAGES = [NOTEBOOK, GLOSSARY, README, Page("notebooks/README.md"), Page("teaching/README.md")]
LINKS = Links(ROOT, PAGES)


# ---- the pages ----


def test_every_page_for_learners_and_teachers_is_in_it():
    paths = {page.path for page in reading_pages.find_pages(ROOT)}
    for pattern in ("notebooks/*.ipynb", "notebooks/trials/*.ipynb", "notebooks/*.md"):
        assert {path.relative_to(ROOT).as_posix() for path in ROOT.glob(pattern)} <= paths
    assert {"README.md", "teaching/README.md", reading_pages.TRIALS} <= paths
    assert not any(path.startswith(("labkit", "tests", "tools")) for path in paths)


def test_pages_have_names_of_their_own():
    names = [page.name for page in reading_pages.find_pages(ROOT)]
    assert len(names) == len(set(names))
    assert README.source == "index.md"
    assert Page("notebooks/README.md").name == "notebooks/index"


def test_the_contents_name_every_page_once():
    pages = reading_pages.find_pages(ROOT)
    text = reading_pages.with_contents("# Start", pages, ROOT)
    listed = re.findall(r"^(?:.* <(.+)>|([\w/]+))$", text, re.MULTILINE)
    names = [titled or plain for titled, plain in listed]
    assert sorted(names) == sorted(page.name for page in pages if page.path != "README.md")
    assert "02 Call a model in a loop <notebooks/02_direct_call_loop>" in text


# ---- links ----


@pytest.mark.parametrize(
    ("target", "address"),
    [
        ("GLOSSARY.md#free-variable", "GLOSSARY.html#free-variable"),
        ("02_loop.ipynb#cell-id=1f", "02_loop.html#cell-id=1f"),
        ("../README.md", "../index.html"),
        ("../notebooks", "index.html"),
        ("..", "../index.html"),
        ("../teaching/", "../teaching/index.html"),
        ("#It-is-slow,-or-%28not%29", "#It-is-slow,-or-%28not%29"),
        ("https://example.org/a.md#b", "https://example.org/a.md#b"),
        ("mailto:someone@example.org", "mailto:someone@example.org"),
        ("../labkit/README.md", None),
    ],
)
def test_a_link_leads_to_the_page_of_the_site(target, address):
    assert LINKS.address(target, NOTEBOOK) == address


def test_a_link_to_code_leads_to_the_repository_where_that_is_known():
    links = Links(ROOT, PAGES, "https://example.org/me/course/")
    assert links.address("../tools/pages.py", GLOSSARY) == (
        "https://example.org/me/course/blob/HEAD/tools/pages.py"
    )
    assert links.address("../labkit", GLOSSARY) == "https://example.org/me/course/tree/HEAD/labkit"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("see [`a[0]` and b](GLOSSARY.md#x).", "see [`a[0]` and b](GLOSSARY.html#x)."),
        ("[the lock](../requirements.lock) is kept", "the lock is kept"),
        ("[`conftest.py`](../conftest.py)", "`conftest.py`"),
        ("`[a](GLOSSARY.md)`", "`[a](GLOSSARY.md)`"),
        ("```\n[a](GLOSSARY.md)\n```", "```\n[a](GLOSSARY.md)\n```"),
        ("![a drawing](images/x.svg)", "![a drawing](images/x.svg)"),
        ("[![Badge](https://a.example/b.svg)](https://a.example)", "[Badge](https://a.example)"),
        ("[a](GLOSSARY.md), [b](../README.md)", "[a](GLOSSARY.html), [b](../index.html)"),
    ],
)
def test_links_in_a_text(text, wanted):
    assert LINKS.in_markdown(text, NOTEBOOK) == wanted


def test_links_in_an_output():
    html = '<a href="02_loop.ipynb">x</a> <a href="#Setup">y</a>'
    assert LINKS.in_html(html, NOTEBOOK) == '<a href="02_loop.html">x</a> <a href="#Setup">y</a>'


# ---- texts ----


def test_a_description_is_plain_text_of_the_first_paragraphs():
    left_out = "<!-- made -->\n\n![p](x.png)\n\n| a |"
    text = f"# T\n\n{left_out}\n\n**Why** is `f_1` [slow](a.md)?\n\n## B\n\nno"
    assert reading_pages.description(text) == "Why is f_1 slow?"


def test_a_page_of_tables_is_described_by_its_headings():
    text = "# Sheet\n\n## The ladder ([02](a.md))\n\n| a |\n\n## Formats\n\n| b |"
    assert reading_pages.description(text) == "Sheet; The ladder (02); Formats"


def test_a_long_description_ends_at_a_word():
    found = reading_pages.description("# T\n\n" + "word, " * 100)
    assert len(found) <= reading_pages.LONGEST_DESCRIPTION
    assert found.endswith("word…")


def test_every_page_has_a_description(tmp_path):
    pages = reading_pages.write_sources(ROOT, tmp_path, say=lambda text: None)
    described = json.loads((tmp_path / reading_pages.DESCRIPTIONS).read_text(encoding="utf-8"))
    short = [page.name for page in pages if len(described[page.name]) < crawl.SHORTEST_DESCRIPTION]
    assert short == []


def test_an_anchor_before_a_heading_gives_way_to_that_of_the_heading():
    text = '# T\n\n<a id="row"></a>\n\n### row\n\nText.\n'
    assert reading_pages.markdown(text, GLOSSARY, LINKS) == "# T\n\n## row\n\nText.\n"


def test_no_level_of_headings_is_left_out():
    text = "# T\n\n## A\n\n### B\n"
    assert reading_pages.markdown(text, GLOSSARY, LINKS) == text


# ---- notebooks ----


def test_a_cell_with_a_heading_is_found_by_its_id():
    anchor = '<span class="cell-anchor" id="cell-id=ab"></span>'
    assert reading_pages.with_anchor("## H\n\ntext", "ab") == f"{anchor}\n\n## H\n\ntext"
    assert reading_pages.with_anchor("# T\n\ntext", "ab", first=True) == f"# T\n\n{anchor}\n\ntext"
    assert reading_pages.with_anchor("text", "ab") == "text"


def code(source, tags=(), hidden=False):
    """Return a cell of code as it is stored."""
    metadata = {"tags": list(tags)}
    if hidden:
        metadata["jupyter"] = {"source_hidden": True}
    return {"cell_type": "code", "source": source, "metadata": metadata, "outputs": []}


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        (code("# Solution\nx = 1", ["solution"], hidden=True), "✓ Solution"),
        (code("# Draws it.\nx = 1", ["scaffold"], hidden=True), "Helper code: Draws it"),
        (code("x = 1", hidden=True), "Code"),
    ],
)
def test_folded_code_says_what_it_is(cell, words):
    metadata = reading_pages.code_metadata(cell)
    assert "hide-input" in metadata["tags"]
    assert metadata["mystnb"] == {"code_prompt_show": words, "code_prompt_hide": words}


def test_other_code_is_not_folded():
    assert reading_pages.code_metadata(code("x = 1", ["exercise"])) == {"tags": ["exercise"]}


def test_every_solution_of_the_course_is_folded():
    seen = 0
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            if "solution" in cell["metadata"].get("tags", []):
                assert "hide-input" in reading_pages.code_metadata(cell)["tags"], path.name
                seen += 1
    assert seen > 20


def test_a_notebook_keeps_its_outputs_and_loses_empty_cells():
    html = {"output_type": "display_data", "data": {"text/html": ['<a href="02_loop.ipynb">']}}
    stream = {"output_type": "stream", "name": "stdout", "text": ["hello\n"]}
    cells = [
        {"cell_type": "markdown", "id": "a", "source": ["# T"], "metadata": {}},
        {**code("f()"), "outputs": [html, stream]},
        code(""),
    ]
    made = reading_pages.notebook({"cells": cells, "metadata": {"kernelspec": 1}}, NOTEBOOK, LINKS)
    assert made["metadata"] == {"kernelspec": 1}
    assert [cell["cell_type"] for cell in made["cells"]] == ["markdown", "code"]
    first, second = made["cells"][1]["outputs"]
    assert first["data"] == {"text/html": '<a href="02_loop.html">'}
    assert second == stream


def test_of_an_explorer_the_figures_are_shown_and_not_the_word_for_its_sliders():
    sliders = {"output_type": "display_data", "data": {"text/plain": ["sliders: rows"]}}
    figures = {"output_type": "display_data", "data": {"text/html": "<details open>"}}
    assert reading_pages.shown([sliders, figures]) == [figures]
    assert reading_pages.shown([sliders]) == [sliders]
    book = json.loads((ROOT / "notebooks" / "02_direct_call_loop.ipynb").read_text("utf-8"))
    explorers = [c for c in book["cells"] if "lab.explore(" in "".join(c["source"])]
    assert explorers
    assert all(len(reading_pages.shown(cell["outputs"])) == 1 for cell in explorers)


# ---- the settings ----


def test_nothing_is_run_and_nothing_is_asked_of_another_host():
    assert conf.nb_execution_mode == "off"
    assert conf.nb_ipywidgets_js == {}
    assert "sphinx.ext.mathjax" not in conf.extensions
    for path in (FOLDER / "static").iterdir():
        assert "//" not in re.sub(r"^\s*//.*", "", path.read_text(encoding="utf-8"), flags=re.M)


def test_what_the_settings_need_is_in_the_extra():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = {re.match(r"[\w-]+", line)[0] for line in project["optional-dependencies"]["site"]}
    assert {name.replace("-", "_") for name in names} == set(make_site.NEEDED)


def test_a_description_cannot_leave_its_attribute():
    assert 'content="a &quot;b&quot; &lt;c&gt;"' in conf.meta('a "b" <c>')


def test_without_sphinx_the_program_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setattr(make_site, "NEEDED", ("sphinx", "no_such_package"))
    assert make_site.main([]) == 1
    assert '-e ".[site]"' in capsys.readouterr().out


def test_the_address_of_the_repository_is_that_of_the_project_or_the_workflow(
    monkeypatch, tmp_path
):
    monkeypatch.setattr(make_site, "ROOT", tmp_path)
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    monkeypatch.setenv("GITHUB_SERVER_URL", "https://example.org")
    monkeypatch.setenv("GITHUB_REPOSITORY", "me/course")
    assert make_site.repository_address() == "https://example.org/me/course"
    monkeypatch.delenv("GITHUB_REPOSITORY")
    assert make_site.repository_address() == ""
    named = '[project.urls]\nRepository = "https://example.org/her/course.git"\n'
    (tmp_path / "pyproject.toml").write_text(named)
    assert make_site.repository_address() == "https://example.org/her/course"


# ---- the crawler ----

GOOD = (
    '<html lang="en"><head><title>T</title>'
    '<meta name="description" content="What this page is about"></head>'
    '<body><h1 id="top">T</h1>{}</body></html>'
)


def site(folder, **bodies):
    """Write pages with these bodies, all linked from the start page; return what is wrong."""
    links = "".join(f'<a href="{name}.html">x</a>' for name in bodies)
    (folder / "index.html").write_text(GOOD.format(links), encoding="utf-8")
    for name, body in bodies.items():
        (folder / f"{name}.html").write_text(GOOD.format(body), encoding="utf-8")
    return crawl.problems(folder)


@pytest.mark.parametrize(
    "body",
    [
        '<a href="index.html#top">a</a> <a href="#top">b</a>',
        '<p id="cell-id=1(a)"></p><a href="#cell-id=1%28a%29">a</a>',
        '<a href="https://example.org/x">a link is no request</a>',
        '<img alt="A chart." src="data:image/png;base64,AA">',
        "<svg><title>of a picture</title></svg>",
    ],
)
def test_a_good_page_has_no_problem(tmp_path, body):
    assert site(tmp_path, page=body) == []


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ('<a href="gone.html">a</a>', "a broken link: gone.html"),
        ('<a href="index.html#gone">a</a>', "an anchor that does not exist: index.html#gone"),
        ('<a href="../other.html">a</a>', "a broken link: ../other.html"),
        ('<img alt="x" src="gone.png">', "asks for gone.png, which does not exist"),
        ('<img src="data:,">', "a picture without alternative text: data:,"),
        ('<img alt=" " src="data:,">', "a picture without alternative text: data:,"),
        ('<script src="https://cdn.example.org/a.js"></script>', "a request to another host"),
        ('<script src="//cdn.example.org/a.js"></script>', "a request to another host"),
        ('<img alt="x" srcset="http://a.example/1.png 1x">', "a request to another host"),
        ("<style>@import 'https://a.example/x.css';</style>", "a request to another host"),
        ('<p style="background:url(https://a.example/x)">', "a request to another host"),
        ("<h1>again</h1>", "2 headings of level 1"),
        ('<p id="a"></p><p id="a"></p>', "the anchor 'a' occurs 2 times"),
        ("<pre>/home/ann/course/x.py</pre>", "a path of a machine: /home/a"),
    ],
)
def test_a_problem_is_found(tmp_path, body, problem):
    (found,) = site(tmp_path, page=body)
    assert problem in found


def test_a_style_that_loads_from_elsewhere_is_found(tmp_path):
    (tmp_path / "a.css").write_text("@font-face{src:url('https://fonts.example/a.woff2')}")
    (found,) = site(tmp_path)
    assert found == "a.css: a request to another host: https://fonts.example/a.woff2"


def test_a_page_without_title_description_and_language_is_found(tmp_path):
    (tmp_path / "index.html").write_text("<html><h1>T</h1></html>")
    found = crawl.problems(tmp_path)
    assert [problem.partition(": ")[2][:12] for problem in found] == [
        "no title",
        "no descripti",
        "does not say",
    ]


def test_a_page_to_which_no_link_leads_is_found(tmp_path):
    (tmp_path / "alone.html").write_text(GOOD.format('<a href="index.html">a</a>'))
    assert site(tmp_path) == ["alone.html: no link leads here"]


def test_a_folder_without_pages_is_a_problem(tmp_path, capsys):
    assert crawl.main([str(tmp_path)]) == 1
    assert "make the pages first" in capsys.readouterr().out


# ---- the site ----


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Make the site of this course."""
    if absent := make_site.missing():
        pytest.skip(f'needs {", ".join(absent)}: python -m pip install -e ".[site]"')
    folder = tmp_path_factory.mktemp("site")
    assert make_site.build(ROOT, folder) == []
    return folder / "html"


def test_each_page_is_made_and_its_links_lead_somewhere(made):
    for page in reading_pages.find_pages(ROOT):
        assert (made / f"{page.name}.html").is_file()


def test_solutions_are_folded_in_the_page(made):
    text = (made / "notebooks" / "02_direct_call_loop.html").read_text(encoding="utf-8")
    folded = re.findall(r'<details class="admonition hide.*?</details>', text, re.DOTALL)
    solutions = [part for part in folded if "✓ Solution" in part]
    book = json.loads((ROOT / "notebooks" / "02_direct_call_loop.ipynb").read_text("utf-8"))
    tagged = [cell for cell in book["cells"] if "solution" in cell["metadata"].get("tags", [])]
    assert len(solutions) == len(tagged) > 0
    assert all("# Solution" in re.sub(r"<[^>]+>", "", part) for part in solutions)


def test_stored_outputs_are_in_the_page(made):
    text = (made / "notebooks" / "02_direct_call_loop.html").read_text(encoding="utf-8")
    assert "S0-11 does not hold here:" in text
    assert text.count('class="labkit-figure"') > 5


def test_what_a_screen_reader_would_stumble_over_is_mended(made):
    seen = set()
    for path in made.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert [written for written in conf.MENDED if written in text] == [], path.name
        seen.update(better for better in conf.MENDED.values() if better in text)
    assert seen == set(conf.MENDED.values())


def test_the_search_finds_a_word_of_the_course(made):
    index = (made / "searchindex.js").read_text(encoding="utf-8")
    assert "retrac" in index
    assert "notebooks/03_tf_function" in index


# ---- the workflow ----


def test_the_workflow_makes_checks_and_publishes_it():
    text = (ROOT / ".github" / "workflows" / "site.yml").read_text(encoding="utf-8")
    workflow = yaml.safe_load(text)
    assert workflow["permissions"] == {"contents": "read"}
    build_job, publish = workflow["jobs"]["build"], workflow["jobs"]["publish"]
    assert "permissions" not in build_job
    assert publish["permissions"] == {"pages": "write", "id-token": "write"}
    assert publish["needs"] == "build"
    assert "refs/heads/main" in publish["if"]
    commands = [step.get("run", "") for step in build_job["steps"]]
    assert "make site" in commands
    pinned = re.findall(r"uses: ([\w-]+/[\w-]+)@([0-9a-f]{40}) # v\d+\.\d+\.\d+$", text, re.M)
    assert len(pinned) == text.count("uses:")
    other = (ROOT / ".github" / "workflows" / "test.yml").read_text(encoding="utf-8")
    for name, version in pinned:
        assert name not in other or f"{name}@{version}" in other
    (upload,) = [step for step in build_job["steps"] if "upload-pages" in step.get("uses", "")]
    assert ROOT / upload["with"]["path"] == make_site.OUTPUT / "html"
