"""Turn the repository's notebooks and pages into the sources of the reading edition.

Sphinx gets copies, in which each link is the address of a page of the site. What JupyterLab knows
and Sphinx does not is added: anchors at cells, and a word on each cell that is folded.
"""

import json
import posixpath
import re
import shutil
import urllib.parse
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
TITLE = "TensorFlow in a loop"
TRIALS = "notebooks/trials/README.md"  # written here: the folder has none
DESCRIPTIONS = "descriptions.json"
LONGEST_DESCRIPTION = 200  # characters; search engines show fewer

# What a folded cell is, by its tag, and what its line says before its own first comment.
FOLDED = {"solution": "✓ Solution", "scaffold": "Helper code"}
HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)
# Code, whose brackets are no links, or the end of a link or a picture: its target.
CODE_OR_LINK = re.compile(
    r"(?P<code>^ *```.*?^ *```[^\n]*$|`[^`\n]+`)"
    r"|(?P<picture>!?)\[(?P<words>(?:`[^`\n]*`|\\.|[^\]\[`])*)\]\((?P<target>[^()\s]+)\)",
    re.MULTILINE | re.DOTALL,
)
# A badge: its picture would be a request to another host, and its words say the same.
FOREIGN_PICTURE = re.compile(r"!\[([^\]]*)\]\(https?://[^)]*\)")
HREF = re.compile(r'(?<=\bhref=")[^"]*(?=")')
ANCHOR = re.compile(r'^<a id="([^"]+)"></a>\n+', re.MULTILINE)
MARKS = re.compile("[*`]+")  # of bold words and of code


@dataclass(frozen=True)
class Page:
    """A page of the site: its file in the repository, and its name in the site."""

    path: str

    @property
    def name(self) -> str:
        """Return the path of the page in the site, without its ending."""
        folder, file = posixpath.split(self.path)
        stem = posixpath.splitext(file)[0]
        return posixpath.join(folder, "index" if stem == "README" else stem)

    @property
    def source(self) -> str:
        """Return the path of what Sphinx reads."""
        return self.name + posixpath.splitext(self.path)[1]


def find_pages(root: Path) -> list[Page]:
    """Return the pages of the course: what learners and teachers read."""
    patterns = ("README.md", "notebooks/*.md", "notebooks/*.ipynb", "notebooks/trials/*.ipynb")
    found: list[Page] = []
    for pattern in (*patterns, "teaching/**/*.md"):
        paths = (path for path in root.glob(pattern) if ".ipynb_checkpoints" not in path.parts)
        found.extend(Page(path.relative_to(root).as_posix()) for path in sorted(paths))
    return [*found, Page(TRIALS)]


# ---- links ----


class Links:
    """Where the links of the repository lead in the site."""

    def __init__(self, root: Path, pages: Iterable[Page], repository: str = "") -> None:
        self.root = root
        self.names = {page.path: page.name for page in pages}
        self.repository = repository.rstrip("/")

    def address(self, target: str, page: Page) -> str | None:
        """Return the address of a target in the site; None if it is not there.

        >>> page = Page("notebooks/SYMPTOMS.md")
        >>> links = Links(ROOT, [Page("notebooks/02_x.ipynb"), page, Page("README.md")])
        >>> links.address("02_x.ipynb#cell-id=1", page), links.address("../README.md", page)
        ('02_x.html#cell-id=1', '../index.html')
        """
        path, _, fragment = target.partition("#")
        if not path or urllib.parse.urlsplit(target).scheme:
            return target
        folder = posixpath.dirname(page.path)
        path = posixpath.normpath(posixpath.join(folder, urllib.parse.unquote(path)))
        for choice in (path, posixpath.normpath(posixpath.join(path, "README.md"))):
            if choice in self.names:
                relative = posixpath.relpath(self.names[choice] + ".html", folder or ".")
                return f"{relative}#{fragment}" if fragment else relative
        if not self.repository:
            return None
        kind = "tree" if (self.root / path).is_dir() else "blob"
        return f"{self.repository}/{kind}/HEAD/{urllib.parse.quote(path)}"

    def in_markdown(self, text: str, page: Page) -> str:
        """Return a text whose links lead to pages of the site, or have become plain words."""

        def replaced(found: re.Match[str]) -> str:
            if found["code"] or found["picture"]:
                return found[0]
            address = self.address(found["target"], page)
            words = self.in_markdown(found["words"], page)
            return words if address is None else f"[{words}]({address})"

        return CODE_OR_LINK.sub(replaced, FOREIGN_PICTURE.sub(r"\1", text))

    def in_html(self, text: str, page: Page) -> str:
        """Return HTML whose links lead to pages of the site, or to the repository's start page."""
        return HREF.sub(lambda found: self.address(found[0], page) or found[0], text)


# ---- Markdown ----


def description(text: str) -> str:
    """Return the first sentences of a page as plain text, for search engines and link previews.

    >>> description("# Loops\\n\\n**Why is `f` slow?**\\n\\nIt [traces](GLOSSARY.md).\\n\\n## More")
    'Why is f slow? It traces.'
    """
    body = re.sub(r"<!--.*?-->", "", text.partition("\n")[2], flags=re.DOTALL)
    body = re.split(r"^#{2,} ", body, maxsplit=1, flags=re.MULTILINE)[0]
    paragraphs = []
    for paragraph in re.split(r"\n\s*\n", body):
        if not re.match(r"\s*(?:[|>!<`]|- |\*\*\d+ minutes|$)", paragraph):
            paragraphs.append(" ".join(paragraph.split()))
    first = " ".join(paragraphs) or "; ".join(HEADING.findall(text))
    plain = MARKS.sub("", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", first))
    if len(plain) <= LONGEST_DESCRIPTION:
        return plain
    return plain[: LONGEST_DESCRIPTION - 1].rpartition(" ")[0].rstrip(",;:·- ") + "…"


def markdown(text: str, page: Page, links: Links) -> str:
    """Return the source of a page that is a Markdown file."""
    # Sphinx gives each heading an anchor: a second one with the same name would be an error.
    text = ANCHOR.sub("", text)
    if not re.search("^## ", text, re.MULTILINE):  # a screen reader would miss a level
        text = re.sub("^### ", "## ", text, flags=re.MULTILINE)
    return links.in_markdown(text, page)


def with_contents(text: str, pages: list[Page], root: Path) -> str:
    """Return the start page with the contents of the site, which the theme shows at the side."""
    by_path = {page.path: page for page in pages}
    lessons = [p for p in by_path if re.fullmatch(r"notebooks/\d\d_\w+\.ipynb", p)]
    trials = [p for p in by_path if p.startswith("notebooks/trials/") and p != TRIALS]
    guides = [p for p in by_path if p.startswith("teaching/") and p != "teaching/README.md"]
    look_up = [f"notebooks/{n}.md" for n in ("SYMPTOMS", "CHEATSHEET", "GLOSSARY", "CLAIMS")]
    groups = {
        "Lessons": ["notebooks/README.md", *lessons],
        "Look something up": look_up,
        "Trials of claims": [TRIALS, *trials],
        "Teach": ["teaching/README.md", *guides],
    }
    blocks = [text.rstrip()]
    for caption, paths in groups.items():
        lines = [entry(by_path[path], root) for path in paths if path in by_path]
        if lines:
            head = f"```{{toctree}}\n:hidden:\n:caption: {caption}\n"
            blocks.append("\n".join([head, *lines, "```"]))
    return "\n\n".join(blocks) + "\n"


def entry(page: Page, root: Path) -> str:
    """Return the line of a page in the contents: with its number, if it is a notebook."""
    number = re.match(r"\d+(?=_)", posixpath.basename(page.path))
    if page.path == TRIALS:
        return f"All trials <{page.name}>"
    if number and page.path.endswith(".ipynb"):
        return f"{number[0]} {title(root / page.path)} <{page.name}>"
    return page.name


def title(path: Path) -> str:
    """Return the title of a notebook: its first heading, as plain text."""
    first = json.loads(path.read_text(encoding="utf-8"))["cells"][0]
    found = HEADING.search("".join(first["source"]))
    if found is None:
        raise ValueError(f"the first cell of {path.name} has no heading")
    return re.sub(r"[`*]", "", found[1])


def trials_page(pages: list[Page], root: Path) -> str:
    """Return the list of the trials, to which links to their folder lead."""
    lines = [
        "# The trials",
        "",
        "Each trial takes the claims of one typical answer to a search, in their order, and tries "
        "them: the evidence, the verdict, and what to do instead. "
        "[CLAIMS.md](../CLAIMS.md) lists all claims with their verdicts.",
        "",
    ]
    for page in pages:
        if page.path.startswith("notebooks/trials/") and page.path.endswith(".ipynb"):
            file = posixpath.basename(page.path)
            lines.append(f"- [{file.partition('_')[0]} {title(root / page.path)}]({file})")
    return "\n".join(lines) + "\n"


# ---- notebooks ----


def notebook(book: dict[str, Any], page: Page, links: Links) -> dict[str, Any]:
    """Return a notebook with links of the site, anchors at its cells and words on folded code."""
    cells = []
    for number, cell in enumerate(book["cells"]):
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            source = links.in_markdown(source, page)
            cells.append({**cell, "source": with_anchor(source, cell["id"], first=number == 0)})
        elif cell["cell_type"] == "code" and source.strip():
            outputs = [output(each, page, links) for each in shown(cell["outputs"])]
            cells.append({**cell, "outputs": outputs, "metadata": code_metadata(cell)})
    return {**book, "cells": cells}


def with_anchor(source: str, cell_id: str, first: bool = False) -> str:
    """Return a text with an anchor to which links to its cell lead, if it has a heading."""
    if not HEADING.search(source):
        return source
    anchor = f'<span class="cell-anchor" id="cell-id={cell_id}"></span>'
    if not first:
        return f"{anchor}\n\n{source}"
    heading, _, rest = source.partition("\n")  # a page begins with its title
    return f"{heading}\n\n{anchor}\n\n{rest.lstrip()}"


def code_metadata(cell: dict[str, Any]) -> dict[str, Any]:
    """Return the metadata of a cell of code: folded, with a word on what it is, if it is hidden."""
    metadata = {"tags": list(cell["metadata"].get("tags", []))}
    if not cell["metadata"].get("jupyter", {}).get("source_hidden"):
        return metadata
    words = next((FOLDED[tag] for tag in metadata["tags"] if tag in FOLDED), "Code")
    comment = re.match(r"# (.+)", "".join(cell["source"]))
    if comment and words != FOLDED["solution"]:
        words = f"{words}: {comment[1].rstrip('.')}"
    metadata["tags"].append("hide-input")
    return {**metadata, "mystnb": {"code_prompt_show": words, "code_prompt_hide": words}}


def shown(outputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the outputs without the words that stand for sliders, where their figures follow."""
    texts = ["".join(each.get("data", {}).get("text/plain", "")) for each in outputs]
    if len(outputs) == 2 and texts[0].startswith("sliders: ") and "text/html" in outputs[1]["data"]:
        return outputs[1:]
    return outputs


def output(stored: dict[str, Any], page: Page, links: Links) -> dict[str, Any]:
    """Return an output whose links lead to pages of the site."""
    data = stored.get("data", {})
    if "text/html" not in data:
        return stored
    html = links.in_html("".join(data["text/html"]), page)
    return {**stored, "data": {**data, "text/html": html}}


# ---- all of it ----


def write_sources(
    root: Path, folder: Path, repository: str = "", say: Callable[[str], None] = print
) -> list[Page]:
    """Write the sources of the site into an empty folder; return its pages."""
    pages = find_pages(root)
    links = Links(root, pages, repository)
    descriptions = {}
    for page in pages:
        target = folder / page.source
        target.parent.mkdir(parents=True, exist_ok=True)
        if page.path.endswith(".ipynb"):
            book = json.loads((root / page.path).read_text(encoding="utf-8"))
            descriptions[page.name] = description("".join(book["cells"][0]["source"]))
            text = json.dumps(notebook(book, page, links), ensure_ascii=False)
        else:
            text = trials_page(pages, root) if page.path == TRIALS else read(root / page.path)
            descriptions[page.name] = description(text)
            text = markdown(text, page, links)
            if page.path == "README.md":
                text = with_contents(text, pages, root)
        target.write_text(text, encoding="utf-8")
    for images in ("notebooks/images", "teaching/images"):
        if (root / images).is_dir():
            shutil.copytree(root / images, folder / images)
    (folder / DESCRIPTIONS).write_text(json.dumps(descriptions), encoding="utf-8")
    say(f"{len(pages)} pages")
    return pages


def read(path: Path) -> str:
    """Return the text of a file."""
    return path.read_text(encoding="utf-8")
