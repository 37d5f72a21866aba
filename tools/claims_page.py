"""Make notebooks/CLAIMS.md: every claim of the course with its verdict, from the stored outputs.

`make pages` writes the page; a test checks that it is current. claims_reported.toml lists the
claims that need more than the course installs, with what they need and what was reported elsewhere.
"""

import ast
import json
import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "notebooks"
PAGE = NOTEBOOKS / "CLAIMS.md"
REPORTED = ROOT / "tools" / "claims_reported.toml"
# The number of claims in each group; every number from 1 on is accounted for.
GROUPS = {
    "S0": (21, "Calling a model in a loop"),
    "S1": (19, "SavedModels and running them again and again"),
    "S2": (14, "TensorFlow 1: sessions and batching"),
    "S3": (19, "`predict` inside a graph"),
    "S4": (15, "Loading a model in a loop"),
}
OTHERS = "Claims about measuring, and others"
TRIED = re.compile(
    r"^[✓✗?] (\S+) ((?:holds|does not hold|undecided) here): (.*?)(?:\n  measured: .*)?$",
    re.DOTALL,
)
HEADER = [
    "| | the claim | verdict | what to believe | tried in |",
    "|---|---|---|---|---|",
]


@dataclass(order=True)
class Tried:
    """One claim as one lesson tried it."""

    key: tuple[str, int]
    lesson: str
    text: str
    verdict: str
    section: str
    instead: str

    @property
    def id(self) -> str:
        """The number of the claim, such as S0-4."""
        group, number = self.key
        return f"{group}-{number}"

    @property
    def cells(self) -> list[str]:
        """The cells of its line in the table."""
        link = f"[{self.lesson[:2]}]({self.lesson}.ipynb), {self.section}"
        return [self.id, self.text, self.verdict, self.instead, link]


def key(id: str) -> tuple[str, int]:
    """Return the group and the number of a claim: S0-9 comes before S0-10."""
    group, _, number = id.partition("-")
    return group, int(number)


def lessons() -> list[Path]:
    """Return the lessons in order."""
    return sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))


def tried(path: Path) -> list[Tried]:
    """Return the claims that a lesson tried, from its stored outputs."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    instead = sentences(cells)
    section = ""
    found = []
    for cell in cells:
        if cell["cell_type"] == "markdown":
            headings = re.findall(r"^##+ (.+)$", "".join(cell["source"]), re.MULTILINE)
            section = headings[-1] if headings else section
            continue
        for text in texts(cell):
            if match := TRIED.match(text):
                id, verdict, claim = match.groups()
                claim = " ".join(claim.split())
                found.append(
                    Tried(key(id), path.stem, claim, verdict, section, instead.get(id, ""))
                )
    return found


def sentences(cells: Sequence[dict[str, Any]]) -> dict[str, str]:
    """Return what the lesson says to believe, by claim: the argument of `lab.verdicts`."""
    for cell in cells:
        source = "".join(cell["source"])
        if cell["cell_type"] == "code" and source.startswith("lab.verdicts("):
            call = ast.parse(source.rstrip(), mode="eval").body
            assert isinstance(call, ast.Call)
            return ast.literal_eval(call.args[0])
    return {}


def texts(cell: dict[str, Any]) -> Iterator[str]:
    """Yield the plain texts among the stored outputs of a code cell."""
    for output in cell["outputs"]:
        plain = output.get("data", {}).get("text/plain") or output.get("text", "")
        yield "".join(plain).strip("\n")


def all_tried() -> list[Tried]:
    """Return the claims of all lessons, in order."""
    found = []
    for path in lessons():
        found.extend(tried(path))
    return sorted(found)


def reported() -> dict[str, dict[str, str]]:
    """Return the claims that are not tried here: each with what it needs and what was reported."""
    return tomllib.loads(REPORTED.read_text(encoding="utf-8"))


def versions() -> str:
    """Return the versions that the stored outputs come from."""
    found: set[str] = set()
    for path in lessons():
        text = path.read_text(encoding="utf-8")
        found.update(re.findall(r"Python [\d.]+ · (TensorFlow [\d.]+ · Keras [\d.]+)", text))
    return " and ".join(sorted(found))


def table(claims: Sequence[Tried], elsewhere: dict[str, dict[str, str]]) -> list[str]:
    """Return the lines of a table of claims, tried and reported ones in one order."""
    rows = [(claim.key, claim.cells) for claim in claims]
    for id, entry in elsewhere.items():
        told = f"As reported: {entry['reported']}"
        rows.append(
            (key(id), [id, entry["claim"], "not run here", told, f"needs {entry['needs']}"])
        )
    lines = list(HEADER)
    for _, cells in sorted(rows):
        escaped = [cell.replace("|", "\\|") for cell in cells]
        lines.append("| " + " | ".join(escaped) + " |")
    return lines


def page() -> str:
    """Return the text of CLAIMS.md."""
    claims = all_tried()
    elsewhere = reported()
    lines = [
        "# The claims and their verdicts",
        "",
        "Sentences that people find when they search for a slow TensorFlow loop, each tried in a "
        f"lesson. The verdicts are the ones stored in the lessons, made with {versions()}. Run the "
        "lesson to get the verdict of your machine. `make pages` makes this page from the lessons.",
    ]
    for group, (_, title) in GROUPS.items():
        mine = [claim for claim in claims if claim.key[0] == group]
        told = {id: entry for id, entry in elsewhere.items() if key(id)[0] == group}
        lines += ["", f"## {title}", "", *table(mine, told)]
    rest = [claim for claim in claims if claim.key[0] not in GROUPS]
    if rest:
        lines += ["", f"## {OTHERS}", "", *table(rest, {})]
    return "\n".join(lines) + "\n"
