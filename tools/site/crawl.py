"""Find what is wrong with a folder of web pages: `tools/site/crawl.py build/site/html`.

A link that leads nowhere, an anchor that does not exist, a request to another host, a picture
without alternative text, a path of the machine that made the pages, a page without title or
description, and a page to which no link leads.
"""

import argparse
import posixpath
import re
import sys
import urllib.parse
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

# What a browser asks for while it opens a page, element by element.
LOADED = {
    "audio": ("src",),
    "embed": ("src",),
    "iframe": ("src",),
    "img": ("src", "srcset"),
    "input": ("src",),
    "link": ("href",),
    "object": ("data",),
    "script": ("src",),
    "source": ("src", "srcset"),
    "track": ("src",),
    "video": ("src", "poster"),
    "image": ("href", "xlink:href"),
    "use": ("href", "xlink:href"),
}
IN_STYLE = re.compile(r"""(?:url\(\s*|@import\s+)['"]?([^'")\s;]+)""")
MACHINE = re.compile(r"/(?:root|work)/|/home/(?!some(?:one|body)\b)\w|/Users/\w|[A-Z]:\\\\?Users")
SHORTEST_DESCRIPTION = 20  # characters
START = "index.html"


@dataclass
class Document:
    """What one page of HTML holds, as far as the checks need it."""

    title: str = ""
    description: str = ""
    language: str = ""
    anchors: Counter[str] = field(default_factory=Counter)
    links: list[str] = field(default_factory=list)
    loaded: list[str] = field(default_factory=list)
    without_alt: list[str] = field(default_factory=list)
    headings: int = 0


class Reader(HTMLParser):
    """Read one page."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found = Document()
        self._in_title = self._in_style = False
        self._depth_of_svg = 0
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what an element says, loads or leads to."""
        values = {name: value or "" for name, value in attrs}
        self._depth_of_svg += tag == "svg"
        self._in_title = tag == "title" and not self._depth_of_svg
        self._in_style = tag == "style"
        if name := values.get("id"):
            self.found.anchors[name] += 1
        self.found.headings += tag == "h1"
        if tag == "html":
            self.found.language = values.get("lang", "")
        if tag == "meta" and values.get("name") == "description":
            self.found.description = values.get("content", "")
        if tag == "a" and "href" in values:
            self.found.links.append(values["href"])
        if tag == "img" and not values.get("alt", "").strip():
            self.found.without_alt.append(values.get("src", "")[:80])
        self.found.loaded.extend(IN_STYLE.findall(values.get("style", "")))
        for attribute in LOADED.get(tag, ()):
            if attribute in values:
                self.found.loaded.extend(addresses(attribute, values[attribute]))

    def handle_endtag(self, tag: str) -> None:
        """Leave an element."""
        self._depth_of_svg -= tag == "svg"
        self._in_title = self._in_style = False

    def handle_data(self, data: str) -> None:
        """Note the title, and what a style loads."""
        if self._in_title:
            self.found.title += data
        if self._in_style:
            self.found.loaded.extend(IN_STYLE.findall(data))


def addresses(attribute: str, value: str) -> list[str]:
    """Return the addresses that an attribute names.

    >>> addresses("srcset", "small.png 1x, large.png 2x")
    ['small.png', 'large.png']
    """
    if attribute != "srcset":
        return [value]
    return [part.split()[0] for part in value.split(",") if part.strip()]


def problems(folder: Path) -> list[str]:
    """Return what is wrong with the pages of a folder, one sentence for each problem."""
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    texts = {
        name: (folder / name).read_text(encoding="utf-8")
        for name in sorted(files)
        if name.endswith((".html", ".css", ".js"))
    }
    documents = {name: Reader(text).found for name, text in texts.items() if name.endswith(".html")}
    if START not in documents:
        return [f"{folder} has no {START}: make the pages first, with make site"]
    found: list[str] = []
    for name, text in texts.items():
        found.extend(f"{name}: a path of a machine: {path}" for path in set(MACHINE.findall(text)))
        if name.endswith(".css"):
            found.extend(wrong_requests(name, IN_STYLE.findall(text), files))
    for name, document in documents.items():
        found.extend(f"{name}: {problem}" for problem in wrong_in_itself(document))
        found.extend(wrong_requests(name, document.loaded, files))
        found.extend(wrong_links(name, documents, files))
    found.extend(f"{name}: no link leads here" for name in unreached(documents))
    return found


def wrong_in_itself(document: Document) -> Iterator[str]:
    """Yield what a page lacks, or has twice."""
    if not document.title.strip():
        yield "no title"
    if len(document.description) < SHORTEST_DESCRIPTION:
        yield f"no description, or a short one: {document.description!r}"
    if not document.language:
        yield "does not say its language"
    if document.headings != 1:
        yield f"{document.headings} headings of level 1; a page has one"
    for source in document.without_alt:
        yield f"a picture without alternative text: {source}"
    for anchor, times in document.anchors.items():
        if times > 1:
            yield f"the anchor {anchor!r} occurs {times} times"


def wrong_requests(name: str, targets: list[str], files: set[str]) -> Iterator[str]:
    """Yield what a page or a style asks for that is not in the folder."""
    for target in targets:
        if target.startswith(("data:", "#")) or not target:
            continue
        if is_elsewhere(target):
            yield f"{name}: a request to another host: {target}"
        elif resolved(name, target)[0] not in files:
            yield f"{name}: asks for {target}, which does not exist"


def wrong_links(name: str, documents: dict[str, Document], files: set[str]) -> Iterator[str]:
    """Yield the links of a page that lead nowhere, or to an anchor that does not exist."""
    for target in dict.fromkeys(documents[name].links):
        if is_elsewhere(target):
            continue
        path, fragment = resolved(name, target)
        if path not in files:
            yield f"{name}: a broken link: {target}"
        elif fragment and path in documents and not has_anchor(documents[path], fragment):
            yield f"{name}: a link to an anchor that does not exist: {target}"


def has_anchor(document: Document, fragment: str) -> bool:
    """Tell whether a browser finds the place, as it is or decoded."""
    return fragment in document.anchors or urllib.parse.unquote(fragment) in document.anchors


def is_elsewhere(target: str) -> bool:
    """Tell whether an address names a host, or a program such as that for mail."""
    parts = urllib.parse.urlsplit(target)
    return bool(parts.scheme or parts.netloc)


def resolved(name: str, target: str) -> tuple[str, str]:
    """Return the file and the fragment to which a target on a page leads.

    >>> resolved("notebooks/index.html", "../teaching/a.html?v=1#cell-id=2")
    ('teaching/a.html', 'cell-id=2')
    """
    path, _, fragment = target.partition("#")
    path = urllib.parse.unquote(path.partition("?")[0])
    if not path:
        return name, fragment
    return posixpath.normpath(posixpath.join(posixpath.dirname(name), path)), fragment


def unreached(documents: dict[str, Document]) -> list[str]:
    """Return the pages to which no path of links leads from the start page."""
    reached, new = {START}, [START]
    while new:
        name = new.pop()
        for target in documents[name].links:
            path = resolved(name, target)[0]
            if not is_elsewhere(target) and path in documents and path not in reached:
                reached.add(path)
                new.append(path)
    return sorted(set(documents) - reached - {"search.html"})  # a form leads to the search


def main(arguments: list[str] | None = None) -> int:
    """Print the problems of a folder of pages; return 1 if there are any."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args(arguments).folder
    found = problems(folder)
    print("\n".join(found) or f"{folder}: no broken link, no request to another host")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
