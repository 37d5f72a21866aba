"""Show that the lessons can fail: break one thing at a time, and see nbval turn red.

A program, not a test: each mutation runs a lesson up to the broken cell. `python tools/benchmarks/mutate_lessons.py`
tries all of them, `... 02` those of one lesson; the exit status is 1 when a broken lesson stays green.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CLEAR = (
    object()
)  # in place of new source: clear the stored output of the cell that holds the old source

# lesson, what is broken, source to replace (it must stand in exactly one cell), what to put there
MUTATIONS = [
    (
        "00_start_here",
        "two arms swapped",
        "at_once=lambda: model(rows).numpy(), one_by_one=slow",
        "at_once=slow, one_by_one=lambda: model(rows).numpy()",
    ),
    (
        "00_start_here",
        "a wrong result",
        "at_once=lambda: model(rows).numpy()",
        "at_once=lambda: model(rows).numpy() + 1",
    ),
    ("00_start_here", "output cleared", "one.python_calls == thirty.python_calls\n", CLEAR),
    ("01_measure_honestly", "tf.function deleted", "graph = tf.function(plain)", "graph = plain"),
    (
        "01_measure_honestly",
        "not the same code in the pair",
        "pairs = lab.compare(a=a, b=b, budget=2)",
        "pairs = lab.compare(a=a, b=lambda: (a(), a())[0], budget=2)",
    ),
    (
        "01_measure_honestly",
        "the error does not come",
        "quick=lambda: sum(range(50))",
        "quick=lambda: sum(range(100))",
    ),
    ("01_measure_honestly", "output cleared", "simulated(10).verdict", CLEAR),
    (
        "02_direct_call_loop",
        "tf.function deleted",
        "fast = tf.function(model)\nwith",
        "fast = model\nwith",
    ),
    (
        "02_direct_call_loop",
        "two arms swapped",
        "eager=lambda: looped(model), graph=lambda: looped(fast)",
        "eager=lambda: looped(fast), graph=lambda: looped(model)",
    ),
    (
        "02_direct_call_loop",
        "a wrong result",
        "at_once=lambda: model(rows[:20]).numpy()",
        "at_once=lambda: model(rows[:20]).numpy() * 1.01",
    ),
    ("02_direct_call_loop", "output cleared", "n.traced", CLEAR),
    (
        "03_tf_function",
        "tf.function deleted",
        "relaxed = tf.function(model, reduce_retracing=True)",
        "relaxed = model",
    ),
    (
        "03_tf_function",
        "two arms swapped",
        "eager=lambda: model(row), graph=lambda: fast(row))\ncost.plot",
        "eager=lambda: fast(row), graph=lambda: model(row))\ncost.plot",
    ),
    (
        "03_tf_function",
        "a wrong result",
        "eager=lambda: model(row), graph=lambda: fast(row))\ncost.plot",
        "eager=lambda: model(row), graph=lambda: fast(row) * 1.01)\ncost.plot",
    ),
    ("03_tf_function", "output cleared", "[call.traces for call in n.calls] == [1,", CLEAR),
    ("04_tf_data", "tf.function deleted", "@tf.function\ndef ranged", "def ranged"),
    (
        "04_tf_data",
        "two arms swapped",
        '"slices": lambda case: slices(fast, case[0], 1),\n        "loop in graph": lambda case: loop_in_graph(case[1]),',
        '"slices": lambda case: loop_in_graph(case[1]),\n        "loop in graph": lambda case: slices(fast, case[0], 1),',
    ),
    (
        "04_tf_data",
        "a wrong result",
        "one_call=lambda: fast(tensor)",
        "one_call=lambda: fast(tensor) + 1",
    ),
    ("04_tf_data", "output cleared", "{order: count_runs(chain)", CLEAR),
    (
        "05_training_step",
        "tf.function deleted",
        "graph = tf.function(make_step(*fresh()))",
        "graph = make_step(*fresh())",
    ),
    (
        "05_training_step",
        "two arms swapped",
        "eager=lambda: eager(*batch),\n    graph=lambda: graph(*batch)",
        "eager=lambda: graph(*batch),\n    graph=lambda: eager(*batch)",
    ),
    (
        "05_training_step",
        "a wrong result",
        "graph=lambda: graph(*batch),\n    jit",
        "graph=lambda: graph(*batch) * 2,\n    jit",
    ),
    (
        "05_training_step",
        "output cleared",
        "[call.traces for call in n.calls if call.traces]",
        CLEAR,
    ),
    (
        "06_tf1_session_batching",
        "the model is built in both loops",
        "[session.run(y, {x: rows[i : i + 1]}) for i in range(len(rows))]",
        "[session.run(y + 0, {x: rows[i : i + 1]}) for i in range(len(rows))]",
    ),
    (
        "06_tf1_session_batching",
        "two arms swapped",
        "reusing=lambda old: reusing(*old, rows[:20]),\n    building=lambda old: slow(*old, rows[:20])",
        "reusing=lambda old: slow(*old, rows[:20]),\n    building=lambda old: reusing(*old, rows[:20])",
    ),
    (
        "06_tf1_session_batching",
        "a wrong result",
        "todays_loop=lambda: todays(rows)",
        "todays_loop=lambda: todays(rows) + 1",
    ),
    (
        "06_tf1_session_batching",
        "output cleared",
        "ends = [outcome(lambda program=program: entered(program))",
        CLEAR,
    ),
    (
        "07_predict_in_graph_mode",
        "tf.function deleted",
        "@tf.function\ndef score(batch):\n    return model(batch)",
        "def score(batch):\n    return model(batch)",
    ),
    (
        "07_predict_in_graph_mode",
        "a wrong result",
        "tensor_array=lambda: loop_graph(batch)",
        "tensor_array=lambda: loop_graph(batch) + 1",
    ),
    ("07_predict_in_graph_mode", "output cleared", "counts, matmuls", CLEAR),
    (
        "08_saved_models",
        "tf.function deleted",
        'shared = tf.function(lambda rows: score(features=rows)["output_0"])',
        'shared = lambda rows: score(features=rows)["output_0"]',
    ),
    (
        "08_saved_models",
        "two arms swapped",
        "one_thread=lambda: [request(i) for i in range(8)],\n"
        "    four_threads=lambda: list(pools[4].map(request, range(8)))",
        "one_thread=lambda: list(pools[4].map(request, range(8))),\n"
        "    four_threads=lambda: [request(i) for i in range(8)]",
    ),
    (
        "08_saved_models",
        "a wrong result",
        'one_batch=lambda: score(features=rows[:32])["output_0"].numpy()',
        'one_batch=lambda: score(features=rows[:32])["output_0"].numpy() * 1.01',
    ),
    ("08_saved_models", "output cleared", 'ways = ["unnamed", "named"', CLEAR),
    (
        "09_loading_in_a_loop",
        "two arms swapped",
        'once=lambda: deep.predict(row, verbose=0),\n    in_loop=lambda: slow(row, folder / "deep.keras")',
        'once=lambda: slow(row, folder / "deep.keras"),\n    in_loop=lambda: deep.predict(row, verbose=0) + 1',
    ),
    (
        "09_loading_in_a_loop",
        "the drill serves a wrong answer",
        "answer = server(rows[i % 100][None]).numpy().item()",
        "answer = server(rows[i % 100][None]).numpy().item() + (i == 700)",
    ),
    ("09_loading_in_a_loop", "output cleared", "guessed {guess_lost.value:,}, lost", CLEAR),
    (
        "10_make_it_fast",
        "tf.function deleted",
        '"tf.function": lambda model, row: tf.function(model),',
        '"tf.function": lambda model, row: model,',
    ),
    (
        "10_make_it_fast",
        "two rungs swapped",
        '("NumPy", "model(x)", 20)',
        '("model(x)", "NumPy", 20)',
    ),
    (
        "10_make_it_fast",
        "a wrong result",
        '"model(x)": lambda model, row: model,',
        '"model(x)": lambda model, row: lambda x: model(x) + 1,',
    ),
    ("10_make_it_fast", "output cleared", "[shallow.is_faster(below, than=above, by=by)", CLEAR),
    (
        "11_your_own_model",
        "the way of another",
        "python_calls(layered) > 20 * python_calls(diagnosis)",
        "python_calls(diagnosis) > 20 * python_calls(layered)",
    ),
    ("11_your_own_model", "output cleared", 'closed.refused["XLA"]', CLEAR),
]


def broken(lesson: str, old: str, new: object) -> tuple[dict, int]:
    """Return the notebook with one thing broken, and the number of the code cell it was broken in."""
    book = json.loads((ROOT / "notebooks" / f"{lesson}.ipynb").read_text(encoding="utf-8"))
    code = [cell for cell in book["cells"] if cell["cell_type"] == "code"]
    hits = [cell for cell in code if old in "".join(cell["source"]) + "\n"]
    if len(hits) != 1:
        raise SystemExit(
            f"{lesson}: {old!r} stands in {len(hits)} cells, one is wanted: bring MUTATIONS up to date"
        )
    if new is CLEAR:
        hits[0]["outputs"] = []
    else:
        hits[0]["source"] = "".join(hits[0]["source"]).replace(old, new).splitlines(keepends=True)
    return book, code.index(hits[0])


def turns_red(lesson: str, old: str, new: object) -> bool:
    """Run the broken lesson in a copy of the course and say whether nbval noticed, there or later."""
    book, number = broken(lesson, old, new)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "course"
        shutil.copytree(
            ROOT,
            copy,
            ignore=shutil.ignore_patterns(".venv", ".git", "workspace", "__pycache__", "*.ipynb"),
        )
        target = copy / "notebooks" / f"{lesson}.ipynb"
        target.write_text(json.dumps(book), encoding="utf-8")
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:xdist",
            str(target),
        ]
        ran = subprocess.run(command, cwd=copy, capture_output=True, text=True)
        failed = re.search(r"^FAILED \S+::Cell (\d+)", ran.stdout, re.M)
        return ran.returncode == 1 and failed is not None and int(failed[1]) >= number


def main(wanted: list[str]) -> int:
    """Try the mutations of the lessons named, or all."""
    green = 0
    for lesson, name, old, new in MUTATIONS:
        if not wanted or lesson[:2] in wanted:
            red = turns_red(lesson, old, new)
            green += not red
            print(f"{'red  ' if red else 'GREEN'}  {lesson}: {name}", flush=True)
    print(f"{green} broken lessons stayed green")
    return 1 if green else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
