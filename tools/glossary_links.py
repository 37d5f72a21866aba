"""Link the first use of each term of the glossary: `tools/glossary_links.py notebooks/10*.ipynb`.

With `--check` it only says what is missing. It changes the text of Markdown cells and nothing else:
outputs, ids and numbers of words stay, so that a lesson need not be run again.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contract import joined
from index_pages import GLOSSARY, Term, terms
from notebook_links import fragment

from labkit.course.files import write_atomically

# What is not running text: code, links and pictures, quotations, tables, headings, answers, HTML.
NOT_TEXT = [
    re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL),
    re.compile(r"<details.*?</details>", re.DOTALL),
    re.compile(r"<!--.*?-->|<[^>\n]+>", re.DOTALL),
    re.compile(r"(`+)[^`]+\1"),
    re.compile(r"^\s*(?:#|>|\|).*$", re.MULTILINE),
]
LINK = re.compile(r"!?\[([^\]]*)\]\(([^)\s]*)\)")
TO_GLOSSARY = f"{GLOSSARY.name}#"


@dataclass(frozen=True)
class Use:
    """The first use of a term in a lesson: the cell, the place in its text, and the link on it."""

    term: Term
    cell: int
    start: int
    end: int
    is_linked: bool


def target(term: Term) -> str:
    """Return what a link to a term leads to."""
    return GLOSSARY.name + fragment(term.name)


def text_only(source: str) -> str:
    """Return a text of the same length, with spaces for all that is not running text.

    The words of a link to the glossary stay.
    """
    for pattern in NOT_TEXT:
        source = pattern.sub(lambda match: " " * len(match[0]), source)

    def masked(match: re.Match[str]) -> str:
        if not match[2].startswith(TO_GLOSSARY):
            return " " * len(match[0])
        before = " " * (match.start(1) - match.start())
        return before + match[1] + " " * (match.end() - match.end(1))

    return LINK.sub(masked, source)


def first_uses(book: dict[str, Any], number: str) -> list[Use]:
    """Return the first use of each term in a lesson of that number; its first cell is left out."""
    cells = []
    for index, cell in enumerate(book["cells"]):
        if cell["cell_type"] == "markdown" and index:
            source = joined(cell["source"])
            cells.append((index, source, text_only(source)))
    found = []
    for term in terms():
        if term.lessons and number not in term.lessons:
            continue
        use = next(_uses(term, cells), None)
        if use is not None:
            found.append(use)
    return found


def _uses(term: Term, cells: Sequence[tuple[int, str, str]]) -> Iterator[Use]:
    """Yield the uses of a term, but for those in a link to another term."""
    words = "|".join(re.escape(word) for word in sorted(term.words, key=len, reverse=True))
    # Whole words as the contract counts them, so that a link changes no number of words.
    pattern = re.compile(rf"(?<![\w'’.\-/])(?:{words})(?![\w'’\-/]|\.\w)", re.IGNORECASE)
    for index, source, text in cells:
        linked = {}
        for link in LINK.finditer(source):
            if link[2].startswith(TO_GLOSSARY):
                linked[link.span(1)] = link[2]
        for match in pattern.finditer(text):
            inside = [
                address
                for (start, end), address in linked.items()
                if start <= match.start() and match.end() <= end
            ]
            if not inside or inside[0] == target(term):
                yield Use(term, index, match.start(), match.end(), bool(inside))


def missing(book: dict[str, Any], number: str) -> list[Use]:
    """Return the first uses that have no link."""
    return [use for use in first_uses(book, number) if not use.is_linked]


def insert(book: dict[str, Any], number: str) -> int:
    """Link the first uses that have no link; return how many."""
    count = 0
    # One at a time, from the longest: a link to *concrete function* may hide a shorter term.
    while uses := missing(book, number):
        use = max(uses, key=lambda use: use.end - use.start)
        cell = book["cells"][use.cell]
        source = joined(cell["source"])
        word = source[use.start : use.end]
        source = f"{source[: use.start]}[{word}]({target(use.term)}){source[use.end :]}"
        cell["source"] = source.splitlines(keepends=True)
        count += 1
    return count


def number_of(path: Path) -> str:
    """Return the number of a lesson."""
    return path.name.partition("_")[0]


def main(arguments: list[str]) -> int:
    """Link, or check, the lessons named in `arguments`; return the exit status."""
    parser = argparse.ArgumentParser(description="Link the first use of each glossary term.")
    parser.add_argument("lessons", nargs="+", type=Path)
    parser.add_argument("--check", action="store_true", help="only say what is missing")
    options = parser.parse_args(arguments)
    found = 0
    for path in options.lessons:
        book = json.loads(path.read_text(encoding="utf-8"))
        if options.check:
            for use in missing(book, number_of(path)):
                found += 1
                print(f"{path.name}, cell {use.cell}: {use.term.name} is not linked")
            continue
        if count := insert(book, number_of(path)):
            write_atomically(path, json.dumps(book, indent=1, ensure_ascii=False) + "\n")
        print(f"{path.name}: {count} links added")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
