"""Make notebooks/SYMPTOMS.md, GLOSSARY.md and CHEATSHEET.md, and the flow chart of the symptoms.

`make pages` writes them; tests check that they are current. What they say is in symptoms.toml,
glossary.toml and cheatsheet.md in this folder; titles of lessons, headings and measured numbers
come from the stored notebooks.
"""

import json
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import claims_page
import symptoms_flow
from contract import joined
from notebook_links import NOTEBOOKS, ROOT, fragment, link

TOOLS = ROOT / "tools"
SYMPTOMS = NOTEBOOKS / "SYMPTOMS.md"
GLOSSARY = NOTEBOOKS / "GLOSSARY.md"
CHEATSHEET = NOTEBOOKS / "CHEATSHEET.md"
FLOW = NOTEBOOKS / "images" / "symptoms_flow.svg"
# Where the cheat sheet's ladder is measured: the notebook, and how the caption begins.
LADDER = ("00_start_here.ipynb", "Time per call with 1 row:")
# A measured time in a caption, such as *predict ≈79.6 ms*.
TIME = re.compile(r"([\w().*\- ]+?) ≈([\d.,]+) (ns|µs|ms|s)\b")
SECONDS = {"ns": 1e-9, "µs": 1e-6, "ms": 1e-3, "s": 1.0}
MADE_FROM = "<!-- Made by `make pages` from {source}: change that, not this page. -->"
# Where the price of a row of many is measured.
TOGETHER = ("02_direct_call_loop.ipynb", "What one row costs now: predict in a loop")
# What Markdown would take for markup.
MARKUP = re.compile(r"[`<>_*\[\]|#]")


@dataclass(frozen=True)
class Text:
    """An error text of a version.

    Attributes
    ----------
    text : str
        As it is printed; … stands for what differs.
    seen, source : str
        The version, and a thread or a file in which it stands; empty for the versions of the
        course.
    """

    text: str
    seen: str = ""
    source: str = ""


@dataclass(frozen=True)
class Symptom:
    """An entry of SYMPTOMS.md; see the head of symptoms.toml."""

    title: str
    means: str
    notebook: str
    heading: str
    said: tuple[str, ...] = ()
    today: tuple[str, ...] = ()
    old: tuple[Text, ...] = ()
    wrong: str = ""
    right: str = ""
    raises: str = ""
    expected: str = ""
    log: str = ""
    run: bool = True
    warns: bool = False


@dataclass(frozen=True)
class Group:
    """What people see in common, and the entries about it."""

    title: str
    symptoms: tuple[Symptom, ...]


@dataclass(frozen=True)
class Term:
    """A term of the course; see the head of glossary.toml.

    Attributes
    ----------
    name : str
        The heading.
    words : tuple of str
        How it occurs in a text.
    means : str
        One or two sentences.
    notebook, heading : str
        What explains it.
    lessons : tuple of str
        The numbers of the lessons that use the words in this sense; empty for all.
    """

    name: str
    words: tuple[str, ...]
    means: str
    notebook: str
    heading: str
    lessons: tuple[str, ...] = field(default=())


def pages() -> dict[Path, str]:
    """Return the text of each page and picture."""
    return {
        SYMPTOMS: symptoms_page(),
        GLOSSARY: glossary_page(),
        CHEATSHEET: cheatsheet_page(),
        FLOW: symptoms_flow.svg(branches()),
    }


# ---- the data ----


def data(name: str) -> dict[str, Any]:
    """Return the content of a file of data in this folder."""
    return tomllib.loads((TOOLS / name).read_text(encoding="utf-8"))


def groups() -> list[Group]:
    """Return the symptoms in the order of the page."""
    found = []
    for group in data("symptoms.toml")["group"]:
        entries = tuple(_symptom(entry) for entry in group["entry"])
        found.append(Group(group["title"], entries))
    return found


def _symptom(entry: dict[str, Any]) -> Symptom:
    entry = dict(entry)
    entry["notebook"] = entry.pop("in")
    entry["old"] = tuple(Text(**text) for text in entry.get("old", ()))
    for name in ("said", "today"):
        entry[name] = tuple(entry.get(name, ()))
    for name in ("wrong", "right"):
        entry[name] = entry.get(name, "").strip("\n")
    return Symptom(**entry)


def branches() -> list[symptoms_flow.Branch]:
    """Return the branches of the flow chart."""
    found = []
    for flow in data("symptoms.toml")["flow"]:
        leaves = tuple((leaf["say"], leaf["in"]) for leaf in flow["branches"])
        found.append(symptoms_flow.Branch(flow["see"], leaves))
    return found


def terms() -> list[Term]:
    """Return the terms in the order of the alphabet."""
    found = []
    for name, entry in data("glossary.toml").items():
        words = tuple(entry["words"])
        lessons = tuple(entry.get("lessons", ()))
        found.append(Term(name, words, entry["means"], entry["in"], entry["heading"], lessons))
    return sorted(found, key=lambda term: term.name.lower())


# ---- SYMPTOMS.md ----


def symptoms_page() -> str:
    """Return the text of SYMPTOMS.md."""
    blocks = [
        "# From what you see to its lesson",
        MADE_FROM.format(source="tools/symptoms.toml"),
        "Search this page (Ctrl+F, or Cmd+F) for a piece of the error text, without names and "
        "numbers of yours, or for a word of the complaint. Each entry says what it means, which "
        f"section of which lesson shows it, and which lines to change. *Today* is "
        f"{claims_page.versions()}; an older text leads to a thread in which it was seen. In the "
        "lines, `model` is a model for rows of 20 numbers, `rows` an array of such rows, and `row` "
        "a batch of one.",
        "## Find your way",
        f"![{symptoms_flow.words(branches())}](images/{FLOW.name})",
        "The same as a list:",
        _list_of_branches(),
        "## Contents",
        _contents(),
    ]
    for group in groups():
        blocks += [_anchored("##", group.title)]
        for symptom in group.symptoms:
            blocks += _entry(symptom)
    blocks += [
        "## Not here?",
        f"Take your question to {link('16_your_own_model.ipynb')}, which measures a model or a "
        "loop of your own, or look at the [claims that were tried](CLAIMS.md) and the "
        "[glossary](GLOSSARY.md).",
    ]
    return "\n\n".join(blocks) + "\n"


def _list_of_branches() -> str:
    lines = []
    for branch in branches():
        lines.append(f"- {branch.see}")
        for say, notebook in branch.leaves:
            lines.append(f"  - {say}: {link(notebook)}")
    return "\n".join(lines)


def _contents() -> str:
    lines = []
    for group in groups():
        lines.append(f"- [{group.title}]({fragment(group.title)})")
        for symptom in group.symptoms:
            lines.append(f"  - [{_plain(symptom.title)}]({fragment(symptom.title)})")
    return "\n".join(lines)


def _anchored(hashes: str, heading: str) -> str:
    """Return a heading with an anchor that GitHub, which makes other ids of headings, resolves."""
    return f'<a id="{fragment(heading)[1:]}"></a>\n\n{hashes} {_plain(heading)}'


def _plain(text: str) -> str:
    """Return a text in which Markdown sees no markup but code spans."""
    parts = re.split(r"(`[^`]+`)", text)
    for number in range(0, len(parts), 2):
        parts[number] = re.sub(r"([<>_*\[\]|])", r"\\\1", parts[number])
    return "".join(parts)


def _entry(symptom: Symptom) -> list[str]:
    """Return the blocks of one entry."""
    blocks = [_anchored("###", symptom.title)]
    if symptom.said:
        blocks.append("> " + " · ".join(_quoted(text) for text in symptom.said))
    lines = [f"- Today: {code(text)}" for text in symptom.today]
    if symptom.log:
        lines[0] += f" ([in the log]({symptom.log}))"
    for text in symptom.old:
        lines.append(f"- {text.seen}: {code(text.text)} ([seen]({text.source}))")
    if lines:
        blocks.append("\n".join(lines))
    blocks.append(f"{symptom.means} → **{link(symptom.notebook, symptom.heading)}**")
    lines_to_change = _lines_to_change(symptom)
    if lines_to_change:
        blocks.append(lines_to_change)
    return blocks


def _quoted(text: str) -> str:
    return code(text) if MARKUP.search(text) else f"“{text}”"


def code(text: str) -> str:
    """Return a text as a code span; one with backticks in it needs two around it."""
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def _lines_to_change(symptom: Symptom) -> str:
    parts = []
    if symptom.wrong:
        parts.append(f"# Before\n{symptom.wrong}\n\n# After")
    if symptom.right:
        parts.append(symptom.right)
    if not parts:
        return ""
    return "```python\n" + "\n".join(parts) + "\n```"


# ---- GLOSSARY.md ----


def glossary_page() -> str:
    """Return the text of GLOSSARY.md."""
    blocks = [
        "# The words of the course",
        MADE_FROM.format(source="tools/glossary.toml"),
        " · ".join(f"[{term.name}]({fragment(term.name)})" for term in terms()),
    ]
    for term in terms():
        blocks += [
            _anchored("###", term.name),
            f"{term.means} → {link(term.notebook, term.heading)}",
        ]
    return "\n\n".join(blocks) + "\n"


# ---- CHEATSHEET.md ----


def cheatsheet_page() -> str:
    """Return the text of CHEATSHEET.md."""
    text = (TOOLS / "cheatsheet.md").read_text(encoding="utf-8")
    slots = {
        "made": MADE_FROM.format(source="tools/cheatsheet.md"),
        "ladder": _ladder(),
        "ladder_from": link(LADDER[0], words="lesson 00"),
        "together_from": link(TOGETHER[0], words="lesson 02"),
        "machine": _machine(LADDER[0]),
    }
    for slot, content in slots.items():
        if f"{{{slot}}}" not in text:
            raise ValueError(f"cheatsheet.md has no slot {{{slot}}}")
        text = text.replace(f"{{{slot}}}", content)
    return re.sub(r"\{\{([\w./]+)(?:#([^}]+))?\}\}", _resolved, text)


def _resolved(match: re.Match[str]) -> str:
    """Return the link for {{notebook#heading}}: the number of the lesson."""
    notebook, heading = match[1], match[2] or ""
    return link(notebook, heading, words=Path(notebook).name.partition("_")[0])


def caption(notebook: str, begin: str) -> str:
    """Return the plain text of the stored picture of a notebook that begins like this."""
    cells = json.loads((NOTEBOOKS / notebook).read_text(encoding="utf-8"))["cells"]
    for cell in cells:
        for output in cell.get("outputs", ()):
            text = joined(output.get("data", {}).get("text/plain", "")).strip()
            if text.startswith(begin):
                return text
    raise ValueError(f"no output of {notebook} begins with {begin!r}: run make refresh")


def times(text: str) -> dict[str, tuple[str, float]]:
    """Return the measured times in a caption: each as it is printed, and in seconds.

    >>> times("Time: predict ≈79.6 ms, tf.function ≈1.12 ms.")
    {'predict': ('≈79.6 ms', 0.0796), 'tf.function': ('≈1.12 ms', 0.00112)}
    """
    found = {}
    for name, number, unit in TIME.findall(text.partition(":")[2]):
        seconds = round(float(number.replace(",", "")) * SECONDS[unit], 12)
        found[name.strip(" ,")] = (f"≈{number} {unit}", seconds)
    return found


# What each rung of the ladder is, in lines to write, and where the course shows it.
RUNGS = {
    "predict": ("`model.predict(row)`", "02_direct_call_loop.ipynb", "What does one row cost?"),
    "model(x)": ("`model(row)`", "02_direct_call_loop.ipynb", "What decides the price?"),
    "predict_on_batch": (
        "`model.predict_on_batch(row)`",
        "02_direct_call_loop.ipynb",
        "One call for all",
    ),
    "tf.function": (
        "`tf.function(model)`, made once",
        "03_tf_function.ipynb",
        "What does a call cost, before and after?",
    ),
    "concrete function": (
        "`f.get_concrete_function(x)`, called with a tensor",
        "04_inside_the_graph.ipynb",
        "What does it buy, and what does XLA add?",
    ),
    "XLA": ("`tf.function(model, jit_compile=True)`", "04_inside_the_graph.ipynb", "XLA"),
    "LiteRT": (
        "an interpreter of LiteRT, one per thread",
        "13_make_it_fast.ipynb",
        "Eight ways to make one call",
    ),
}


def _ladder() -> str:
    """Return the table of the ladder, with the times stored in a lesson."""
    found = times(caption(*LADDER))
    if list(found) != list(RUNGS):
        raise ValueError(f"the ladder of {LADDER[0]} has the rungs {list(found)}")
    first = found["predict"][1]
    lines = ["| you write | time of a row | gain | lesson |", "|:---|---:|---:|:---|"]
    for name, (words, notebook, heading) in RUNGS.items():
        shown, seconds = found[name]
        lines.append(_rung(words, shown, first / seconds, notebook, heading))
    found = times(caption(*TOGETHER))
    shown, seconds = found["model once"]
    gain = found["predict in a loop"][1] / seconds
    words = "`model(rows)`, 1,000 rows in one call"
    lines.append(_rung(words, shown, gain, TOGETHER[0], "One call for all"))
    return "\n".join(lines)


def _rung(words: str, shown: str, gain: float, notebook: str, heading: str) -> str:
    """Return one line of the ladder; `gain` is the factor over `predict` in the same turns."""
    where = link(notebook, heading, words=notebook.partition("_")[0])
    factor = f"≈{significant(gain)}×" if gain > 1 else "1"
    return f"| {words} | {shown} | {factor} | {where} |"


def significant(value: float) -> str:
    """Return a number of three digits or more with three that count.

    >>> significant(11_637), significant(63.4)
    ('11,600', '63.4')
    """
    return f"{float(f'{value:.3g}'):,.3g}" if value < 1000 else f"{float(f'{value:.3g}'):,.0f}"


def _machine(notebook: str) -> str:
    """Return what a notebook was run on, as it says itself."""
    text = (NOTEBOOKS / notebook).read_text(encoding="utf-8")
    found = re.search(r"Python [\d.]+ · TensorFlow [^\"\\<]*", text)
    if not found:
        raise ValueError(f"{notebook} does not say what it was run on")
    return found[0]
