"""notebooks/CLAIMS.md: every claim of the course with its verdict, from the outputs that the lessons have stored.

`make pages` writes it; a test holds it current. Claims that cannot be tried with what the course installs
stand in claims_reported.toml, with what they need and what was reported elsewhere.
"""

import ast
import json
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "notebooks"
PAGE = NOTEBOOKS / "CLAIMS.md"
REPORTED = ROOT / "tools" / "claims_reported.toml"
# How many claims each group has; every number from 1 on is accounted for.
GROUPS = {
    "S0": (21, "Calling a model in a loop"),
    "S1": (19, "SavedModels and running them again and again"),
    "S2": (14, "TensorFlow 1: sessions and batching"),
    "S3": (19, "`predict` inside a graph"),
    "S4": (15, "Loading a model in a loop"),
}
OTHERS = "Sentences about measuring, and others"
TRIED = re.compile(
    r"^[✓✗?] (\S+) ((?:holds|does not hold|undecided) here): (.*?)(?:\n  measured: (.*))?$",
    re.DOTALL,
)


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
        """Such as S0-4."""
        return f"{self.key[0]}-{self.key[1]}"


def key(id: str) -> tuple[str, int]:
    """Return what to sort a claim's number by."""
    group, _, number = id.partition("-")
    return group, int(number)


def tried(path: Path) -> list[Tried]:
    """Return the claims that a lesson tried, from its stored outputs."""
    book = json.loads(path.read_text(encoding="utf-8"))
    found, section, instead = [], "", {}
    for cell in book["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            section = next(reversed(re.findall(r"^##+ (.+)$", source, re.MULTILINE)), section)
        elif source.startswith("lab.verdicts("):
            instead = ast.literal_eval(ast.parse(source).body[0].value.args[0])
        for output in cell.get("outputs", []):
            said = "".join(output.get("data", {}).get("text/plain", []) or output.get("text", []))
            if match := TRIED.match(said.strip("\n")):
                found.append((*match.groups()[:3], section))
    return [
        Tried(key(id), path.stem, " ".join(text.split()), verdict, section, instead.get(id, ""))
        for id, verdict, text, section in found
    ]


def every() -> list[Tried]:
    """Return the claims of all lessons, in order."""
    return sorted(claim for path in NOTEBOOKS.glob("[0-9][0-9]_*.ipynb") for claim in tried(path))


def reported() -> dict[str, dict[str, str]]:
    """Return the claims that are not tried here: what they say, what they need, what was reported."""
    return tomllib.loads(REPORTED.read_text(encoding="utf-8"))


def versions() -> str:
    """Return the versions that the lessons were stored with."""
    text = "".join(
        path.read_text(encoding="utf-8") for path in NOTEBOOKS.glob("[0-9][0-9]_*.ipynb")
    )
    found = sorted(set(re.findall(r"Python [\d.]+ · (TensorFlow [\d.]+ · Keras [\d.]+)", text)))
    return " and ".join(found)


def page() -> str:
    """Return the text of CLAIMS.md."""
    claims, elsewhere = every(), reported()
    sections = [(group, title) for group, (_, title) in GROUPS.items()]
    lines = [
        "# The claims, and what became of them",
        "",
        "Sentences that people find when they search for a slow TensorFlow loop, each tried in a lesson. The verdicts "
        f"are those that the lessons have stored, with {versions()}; run the lesson, and it gives the verdict of your "
        "machine. This page is made from the lessons by `make pages`.",
    ]
    for group, title in [*sections, ("", OTHERS)]:
        mine = [
            claim
            for claim in claims
            if (claim.key[0] == group if group else claim.key[0] not in GROUPS)
        ]
        absent = {id: entry for id, entry in elsewhere.items() if group and key(id)[0] == group}
        if not mine and not absent:
            continue
        lines += [
            "",
            f"## {title}",
            "",
            "| | the claim | verdict | what to believe | tried in |",
            "|---|---|---|---|---|",
        ]
        rows = [
            (
                c.key,
                [
                    c.id,
                    c.text,
                    c.verdict,
                    c.instead,
                    f"[{c.lesson[:2]}]({c.lesson}.ipynb), {c.section}",
                ],
            )
            for c in mine
        ]
        rows += [
            (
                key(id),
                [
                    id,
                    entry["claim"],
                    "not run here",
                    f"As reported: {entry['reported']}",
                    f"needs {entry['needs']}",
                ],
            )
            for id, entry in absent.items()
        ]
        lines += [
            "| " + " | ".join(part.replace("|", "\\|") for part in row) + " |"
            for _, row in sorted(rows)
        ]
    return "\n".join(lines) + "\n"
