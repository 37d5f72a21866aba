"""The parts of the pages that are generated: `make pages` brings them up to date, a test holds them to it.

- the lesson map of README.md, from the first cell of each lesson;
- the table of tools/benchmarks/measurement_trust.md in README.md and in lesson 01;
- notebooks/CLAIMS.md, whole: see claims_page.py.
"""

import json
import re
from pathlib import Path

import claims_page

ROOT = Path(__file__).resolve().parent.parent
TRUST = ROOT / "tools" / "benchmarks" / "measurement_trust.md"
QUESTIONS = {
    "00_start_here": "Is my machine ready, and how does a lesson work?",
    "01_measure_honestly": "Which of these two is faster, and how would I know?",
    "02_direct_call_loop": "Why does predicting one row at a time take so long?",
    "03_tf_function": "What does `@tf.function` really buy, and when does it retrace?",
    "04_tf_data": "Does a `tf.data` pipeline make my loop faster?",
    "05_training_step": "Where does the time of a training loop go?",
    "06_tf1_session_batching": "Why does my TF1 loop get slower with every iteration?",
    "07_predict_in_graph_mode": "Can I call `predict` inside a graph?",
    "08_saved_models": "How do I load a model once and call it from anywhere?",
    "09_loading_in_a_loop": "Must I load a model inside my loop, and if so how?",
    "10_make_it_fast": "How close to the machine's limit can one call come?",
    "11_your_own_model": "What should *I* do with *my* model?",
}


def lesson_map() -> str:
    """Return the table of the lessons that exist, with their minutes and level."""
    lines = ["| lesson | the question it opens with | minutes | level |", "|---|---|---|---|"]
    for path in sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb")):
        first = "".join(json.loads(path.read_text(encoding="utf-8"))["cells"][0]["source"])
        minutes, level = re.search(r"\*\*(\d+) minutes\*\*.*?level (\S+)", first).groups()
        lines.append(
            f"| [{path.stem}](notebooks/{path.name}) | {QUESTIONS[path.stem]} | {minutes} | {level} |"
        )
    return "\n".join(lines)


def filled(text: str, name: str, content: str) -> str:
    """Return `text` with `content` between the marks of that name; a text without marks is returned as it is."""
    return re.sub(
        rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)",
        lambda m: f"{m[1]}{content}\n{m[2]}",
        text,
        flags=re.S,
    )


def pages() -> dict[Path, str]:
    """Return what the pages with generated parts have to say."""
    trust = TRUST.read_text(encoding="utf-8").strip()
    readme, lesson = ROOT / "README.md", ROOT / "notebooks" / "01_measure_honestly.ipynb"
    book = json.loads(lesson.read_text(encoding="utf-8"))
    for cell in book["cells"]:
        if cell["cell_type"] == "markdown":
            cell["source"] = filled("".join(cell["source"]), "trust", trust).splitlines(
                keepends=True
            )
    text = filled(readme.read_text(encoding="utf-8"), "lessons", lesson_map())
    return {
        readme: filled(text, "trust", trust),
        lesson: json.dumps(book, indent=1, ensure_ascii=False) + "\n",
        claims_page.PAGE: claims_page.page(),
    }


if __name__ == "__main__":
    for page, wanted in pages().items():
        if not page.exists() or page.read_text(encoding="utf-8") != wanted:
            page.write_text(wanted, encoding="utf-8", newline="\n")
            print(f"{page.relative_to(ROOT)}: brought up to date")
