"""Make notebooks/CLAIMS.md: every claim of the course with its verdict, from the stored outputs.

`make pages` writes the page; a test checks that it is current. A claim has one line, wherever it
was tried: a trial in notebooks/trials/ tries all claims of a group, and a lesson may show some of
them. claims_reported.toml lists the claims that need more than the course installs, with what they
need and what was reported elsewhere.
"""

import ast
import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "notebooks"
PAGE = NOTEBOOKS / "CLAIMS.md"
REPORTED = ROOT / "tools" / "claims_reported.toml"


@dataclass(frozen=True)
class Group:
    """Claims about one subject.

    Attributes
    ----------
    title : str
        The subject.
    count : int
        The number of claims; each from 1 on is accounted for.
    trial : str
        The number of the notebook in notebooks/trials/ that tries them.
    """

    title: str
    count: int
    trial: str


GROUPS = {
    "S0": Group("Calling a model in a loop", 21, "000"),
    "S1": Group("SavedModels and running them again and again", 19, "001"),
    "S2": Group("TensorFlow 1: sessions and batching", 14, "002"),
    "S3": Group("`predict` inside a graph", 19, "003"),
    "S4": Group("Loading a model in a loop", 15, "004"),
}
OTHERS = "Claims about measuring, and others"
# How the cell begins that says what to believe.
VERDICTS_CELL = "lab.verdicts("
TRIED = re.compile(
    r"^[✓✗?] (\S+) ((?:holds|does not hold|undecided) here): (.*?)(?:\n  measured: .*)?$",
    re.DOTALL,
)
HEADER = [
    "| | the claim | verdict | what to believe | tried in |",
    "|---|---|---|---|---|",
]
INTRODUCTION = (
    "Sentences that people find when they search for a slow TensorFlow loop. A trial tries all "
    "claims of a group, with the programs that they are about; a lesson shows those that its "
    "reader has heard. The verdicts are the ones stored in the notebooks, made with {versions}. "
    "Run the notebook to get the verdict of your machine. `make pages` makes this page."
)


@dataclass(frozen=True)
class Tried:
    """One claim as one notebook tried it.

    Attributes
    ----------
    id : str
        The number of the claim, such as S0-4.
    notebook : str
        The notebook, relative to notebooks/ and with slashes.
    text, verdict : str
        The claim, and what was found.
    section : str
        The heading that it stands under.
    instead : str
        What to believe; empty where the notebook does not say it.
    """

    id: str
    notebook: str
    text: str
    verdict: str
    section: str = ""
    instead: str = ""

    @property
    def is_in_trial(self) -> bool:
        """Whether a trial tried it, and not a lesson."""
        return self.notebook.startswith("trials/")

    @property
    def link(self) -> str:
        """A link to the notebook."""
        number = Path(self.notebook).name.partition("_")[0]
        words = f"trial {number}" if self.is_in_trial else number
        return f"[{words}]({self.notebook})"

    def agrees_with(self, other: "Tried") -> bool:
        """Return whether another notebook tried the same sentence with the same verdict."""
        return (self.text, self.verdict) == (other.text, other.verdict)


def key(id: str) -> tuple[str, int]:
    """Return the group and the number of a claim: S0-9 comes before S0-10."""
    group, _, number = id.partition("-")
    return group, int(number)


# ---- reading the notebooks ----


def lessons() -> list[Path]:
    """Return the lessons in order."""
    return sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))


def trials() -> list[Path]:
    """Return the trials in order."""
    return sorted((NOTEBOOKS / "trials").glob("[0-9][0-9][0-9]_*.ipynb"))


def tried(path: Path, folder: Path = NOTEBOOKS) -> list[Tried]:
    """Return the claims that a notebook below `folder` tried, from its stored outputs."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    notebook = path.relative_to(folder).as_posix()
    instead = sentences(cells)
    section = ""
    found = []
    for cell in cells:
        if cell["cell_type"] == "markdown":
            headings = re.findall(r"^##+ (.+)$", "".join(cell["source"]), re.MULTILINE)
            if headings:
                section = headings[-1]
            continue
        for text in texts(cell):
            if match := TRIED.match(text):
                id, verdict, claim = match.groups()
                claim = " ".join(claim.split())
                believed = instead.get(id, "")
                found.append(Tried(id, notebook, claim, verdict, section, believed))
    return found


def sentences(cells: Sequence[dict[str, Any]]) -> dict[str, str]:
    """Return what a notebook says to believe, by claim: the argument of `lab.verdicts`."""
    for cell in cells:
        source = "".join(cell["source"])
        if cell["cell_type"] == "code" and source.startswith(VERDICTS_CELL):
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
    """Return the claims of all notebooks: those of the trials, then those of the lessons."""
    found = []
    for path in [*trials(), *lessons()]:
        found.extend(tried(path))
    return found


def reported() -> dict[str, dict[str, str]]:
    """Return the claims that are not tried here: each with what it needs and what was reported."""
    return tomllib.loads(REPORTED.read_text(encoding="utf-8"))


def versions() -> str:
    """Return the versions that the stored outputs come from."""
    found: set[str] = set()
    for path in [*trials(), *lessons()]:
        text = path.read_text(encoding="utf-8")
        found.update(re.findall(r"Python [\d.]+ · (TensorFlow [\d.]+ · Keras [\d.]+)", text))
    return " and ".join(sorted(found))


# ---- one sentence and one verdict for each claim ----


def by_id(claims: Iterable[Tried]) -> dict[str, list[Tried]]:
    """Return the notebooks that tried each claim; the first one counts: a trial if there is one."""
    found: dict[str, list[Tried]] = {}
    for claim in claims:
        found.setdefault(claim.id, []).append(claim)
    return found


def differing(claims: Iterable[Tried]) -> list[Tried]:
    """Return what differs, in sentence or verdict, from the claim of that number that counts."""
    found: list[Tried] = []
    for first, *others in by_id(claims).values():
        found.extend(other for other in others if not other.agrees_with(first))
    return found


# ---- writing the page ----


def line_of(claims: Sequence[Tried]) -> list[str]:
    """Return the cells of the line of one claim, from all notebooks that tried it."""
    first = claims[0]
    agreeing = [claim for claim in claims if claim.agrees_with(first)]
    instead = next((claim.instead for claim in agreeing if claim.instead), "")
    links = list(dict.fromkeys(claim.link for claim in agreeing))
    if not first.is_in_trial:
        links[0] += f", {first.section}"
    return [first.id, first.text, first.verdict, instead, "; ".join(links)]


def line_of_reported(id: str, entry: dict[str, str]) -> list[str]:
    """Return the cells of the line of a claim that is not tried here."""
    told = f"As reported: {entry['reported']}"
    return [id, entry["claim"], "not run here", told, f"needs {entry['needs']}"]


def table(lines: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a Markdown table of claims, in order."""
    made = list(HEADER)
    for cells in sorted(lines, key=lambda cells: key(cells[0])):
        escaped = [cell.replace("|", "\\|") for cell in cells]
        made.append("| " + " | ".join(escaped) + " |")
    return made


def page() -> str:
    """Return the text of CLAIMS.md."""
    lines_of: dict[str, list[list[str]]] = {}
    for group in GROUPS.values():
        lines_of[group.title] = []
    for id, claims in by_id(all_tried()).items():
        lines_of.setdefault(title_of(id), []).append(line_of(claims))
    for id, entry in reported().items():
        lines_of[title_of(id)].append(line_of_reported(id, entry))

    text = ["# The claims and their verdicts", "", INTRODUCTION.format(versions=versions())]
    for title, lines in lines_of.items():
        if lines:
            text += ["", f"## {title}", "", *table(lines)]
    return "\n".join(text) + "\n"


def title_of(id: str) -> str:
    """Return the heading under which a claim stands."""
    group, _ = key(id)
    if group in GROUPS:
        return GROUPS[group].title
    return OTHERS
