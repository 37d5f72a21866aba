"""Show that the lessons can fail: break one thing at a time, and see whether nbval notices.

`python tools/benchmarks/mutate_lessons.py` tries all mutations, `... 02` those of one lesson. Each
runs a lesson to its first failing cell. The exit status is 1 if nbval accepts a broken lesson.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
NOT_COPIED = (".venv*", ".git", "workspace", "__pycache__", "*.ipynb", ".*_cache")
CLEAR = None  # instead of new source: clear the stored output of the cell


class Mutation(NamedTuple):
    """One thing to break: source that is in exactly one cell of a lesson, and its replacement."""

    lesson: str
    what: str
    old: str
    new: str | None


MUTATIONS = [
    Mutation(
        "00_start_here",
        "two candidates swapped",
        "at_once=lambda: small(rows).numpy(), one_by_one=slow",
        "at_once=slow, one_by_one=lambda: small(rows).numpy()",
    ),
    Mutation(
        "00_start_here",
        "a wrong result",
        "at_once=lambda: small(rows).numpy()",
        "at_once=lambda: small(rows).numpy() + 1",
    ),
    Mutation("00_start_here", "an output cleared", "with lab.count() as thirty:", CLEAR),
    Mutation(
        "01_measure_honestly",
        "different code in the pair",
        "pairs = lab.compare(a=a, b=b, budget=2)",
        "pairs = lab.compare(a=a, b=lambda: (a(), a())[0], budget=2)",
    ),
    Mutation(
        "01_measure_honestly",
        "the error does not come",
        "quick=lambda: sum(range(50))",
        "quick=lambda: sum(range(100))",
    ),
    Mutation(
        "01_measure_honestly",
        "tf.function removed",
        "graph = tf.function(model)\nwith",
        "graph = model\nwith",
    ),
    Mutation("01_measure_honestly", "an output cleared", "len(noted)", CLEAR),
    Mutation(
        "02_direct_call_loop", "a slow answer", "return model.predict_on_batch", "return model"
    ),
    Mutation(
        "02_direct_call_loop",
        "two candidates swapped",
        "model_called=lambda: looped(model),\n    nothing_called=lambda: looped(lambda row: None)",
        "model_called=lambda: looped(lambda row: None),\n    nothing_called=lambda: looped(model)",
    ),
    Mutation(
        "02_direct_call_loop",
        "a wrong result",
        '"one_call": lambda: model.predict_on_batch(rows)',
        '"one_call": lambda: 1.01 * model.predict_on_batch(rows)',
    ),
    Mutation("02_direct_call_loop", "an output cleared", "n.traced", CLEAR),
    Mutation(
        "03_tf_function",
        "tf.function removed",
        "fresh = tf.function(model)\ncost",
        "fresh = model\ncost",
    ),
    Mutation(
        "03_tf_function",
        "two candidates swapped",
        "eager=lambda: model(row), graph=lambda: fresh(row)",
        "eager=lambda: fresh(row), graph=lambda: model(row)",
    ),
    Mutation(
        "03_tf_function",
        "a wrong result",
        "eager=lambda: model(row), graph=lambda: fresh(row)",
        "eager=lambda: model(row), graph=lambda: fresh(row) + 1",
    ),
    Mutation("03_tf_function", "an output cleared", "n.traces, cured.traces", CLEAR),
    Mutation(
        "04_inside_the_graph",
        "tf.function removed",
        "serve = tf.function(keeper)",
        "serve = keeper",
    ),
    Mutation(
        "04_inside_the_graph",
        "a wrong result",
        "graph=lambda: replayed(x), xla",
        "graph=lambda: replayed(x) + 1, xla",
    ),
    Mutation(
        "04_inside_the_graph", "an output cleared", "operations_run(tf.function(model), row)", CLEAR
    ),
    Mutation(
        "05_tf_data",
        "two candidates swapped",
        "plain_loop=lambda: run(read(i) for i in range(8)),\n    reading_ahead=lambda: run(ahead)",
        "plain_loop=lambda: run(ahead),\n    reading_ahead=lambda: run(read(i) for i in range(8))",
    ),
    Mutation(
        "05_tf_data",
        "a claim turned round",
        "written > 0 and default == 0",
        "written > 0 and default > 0",
    ),
    Mutation("05_tf_data", "an output cleared", '"S1-18"', CLEAR),
    Mutation(
        "06_loops_in_the_graph",
        "two candidates swapped",
        "by_batch=lambda: collect(by_batch), by_row=lambda: collect(by_row)",
        "by_batch=lambda: collect(by_row), by_row=lambda: collect(by_batch)",
    ),
    Mutation(
        "06_loops_in_the_graph",
        "a wrong result",
        "scan=lambda: scanned(tensor)",
        "scan=lambda: scanned(tensor) + 1",
    ),
    Mutation("06_loops_in_the_graph", "an output cleared", "batches, {n.traces} trace", CLEAR),
    Mutation(
        "07_training_step",
        "tf.function removed",
        "make_step(*made()), tf.function(make_step(*made()))",
        "make_step(*made()), make_step(*made())",
    ),
    Mutation(
        "07_training_step",
        "two candidates swapped",
        "eager=lambda: eager(*first), graph=lambda: graph(*first), budget",
        "eager=lambda: graph(*first), graph=lambda: eager(*first), budget",
    ),
    Mutation(
        "07_training_step",
        "a wrong result",
        "graph=lambda: graph(*first), budget",
        "graph=lambda: graph(*first) + 1, budget",
    ),
    Mutation("07_training_step", "an output cleared", '"traces of the step"', CLEAR),
    Mutation(
        "08_tf1_session_batching",
        "the model is built in both loops",
        "[session.run(y, {x: rows[i : i + 1]}) for i in range(len(rows))]",
        "[session.run(y + 0, {x: rows[i : i + 1]}) for i in range(len(rows))]",
    ),
    Mutation(
        "08_tf1_session_batching",
        "two candidates swapped",
        (
            "fast=lambda program: fast(*program, rows[:20]),\n"
            "    slow=lambda program: slow(*program, rows[:20])"
        ),
        (
            "fast=lambda program: slow(*program, rows[:20]),\n"
            "    slow=lambda program: fast(*program, rows[:20])"
        ),
    ),
    Mutation(
        "08_tf1_session_batching",
        "a wrong result",
        '"one run": lambda: session.run(y, {x: many})',
        '"one run": lambda: session.run(y, {x: many}) + 1',
    ),
    Mutation(
        "08_tf1_session_batching",
        "an output cleared",
        "np.allclose(scores, expected, atol=1e-5), n.traces, n.session_runs",
        CLEAR,
    ),
    Mutation(
        "09_predict_in_graph_mode",
        "tf.function removed",
        "told = tf.function(lambda batch: tf.numpy_function(telling, [net(batch)], tf.float32))",
        "told = lambda batch: tf.numpy_function(telling, [net(batch)], tf.float32)",
    ),
    Mutation(
        "09_predict_in_graph_mode",
        "a wrong result",
        "native = tf.function(lambda batch: net(batch) @ unit)",
        "native = tf.function(lambda batch: net(batch) @ unit + 1)",
    ),
    Mutation("09_predict_in_graph_mode", "an output cleared", "print(fates)", CLEAR),
    Mutation(
        "10_saved_models",
        "tf.function removed",
        '{"signature": shared(fast), "tf.function": shared(tf.function(fast))}',
        '{"signature": shared(fast), "tf.function": shared(fast)}',
    ),
    Mutation(
        "10_saved_models",
        "two candidates swapped",
        "cost = lab.compare(fast=lambda: fast(row), slow=lambda: slow(row))",
        "cost = lab.compare(fast=lambda: slow(row), slow=lambda: fast(row))",
    ),
    Mutation(
        "10_saved_models",
        "a wrong result",
        '    return score(features=row)["output_0"]',
        '    return score(features=row)["output_0"] * 1.01',
    ),
    Mutation("10_saved_models", "an output cleared", "found[kind] = [wants(", CLEAR),
    Mutation(
        "11_loading_in_a_loop",
        "the loads moved into the loop",
        "return np.concatenate([kept(row[None]) for row in rows])",
        "return np.concatenate([load(path)(row[None]) for row in rows])",
    ),
    Mutation(
        "11_loading_in_a_loop",
        "the collector never runs",
        'gc.enable()\ngc.collect()\nprint(f"{waiting}',
        'gc.enable()\nprint(f"{waiting}',
    ),
    Mutation("11_loading_in_a_loop", "an output cleared", "[[name, *left_by(turn)]", CLEAR),
    Mutation(
        "12_swap_while_serving",
        "the drill serves a wrong answer",
        "answer = float(found[0, 0])",
        "answer = float(found[0, 0]) + (i < 100)",
    ),
    Mutation(
        "12_swap_while_serving",
        "the back-off never ends",
        "min(2 * server.pause, server.longest)",
        "2 * server.pause",
    ),
    Mutation("12_swap_while_serving", "an output cleared", "advised = judge(advised_steps)", CLEAR),
    Mutation(
        "13_make_it_fast",
        "two candidates swapped",
        'ladder.is_faster("tf.function", than="LiteRT", by=1 / 4)',
        'ladder.is_faster("LiteRT", than="tf.function", by=1 / 4)',
    ),
    Mutation(
        "13_make_it_fast",
        "a wrong result",
        '"model(x)": lambda model, row: model,',
        '"model(x)": lambda model, row: lambda x: model(x) + 1,',
    ),
    Mutation("13_make_it_fast", "an output cleared", "makers |= {", CLEAR),
    Mutation(
        "14_many_callers",
        "the batcher takes one request",
        "while len(batch) < most and not queue.empty():",
        "while len(batch) < 1 and not queue.empty():",
    ),
    Mutation(
        "14_many_callers",
        "one engine for all threads",
        "own.engine = engines.pop()",
        "own.engine = engines[0]",
    ),
    Mutation("14_many_callers", "an output cleared", 'lab.Table(["what happens"', CLEAR),
    Mutation(
        "15_more_than_one_process",
        "another model in the folder of version 2",
        'newer.export(folder / "2", verbose=False)',
        'model.export(folder / "2", verbose=False)',
    ),
    Mutation(
        "15_more_than_one_process",
        "the server is not stopped",
        "server.stop()\nprint(",
        "print(",
    ),
    Mutation("15_more_than_one_process", "an output cleared", "report(seen)\n", CLEAR),
    Mutation(
        "16_your_own_model",
        "the comparison turned round",
        "in_deep > 20 * in_price",
        "in_price > 20 * in_deep",
    ),
    Mutation("16_your_own_model", "an output cleared", "causes.items()", CLEAR),
]


def broken(mutation: Mutation) -> tuple[dict[str, Any], int]:
    """Return the broken notebook and the number of the broken code cell."""
    path = ROOT / "notebooks" / f"{mutation.lesson}.ipynb"
    book = json.loads(path.read_text(encoding="utf-8"))
    code = [cell for cell in book["cells"] if cell["cell_type"] == "code"]
    found = []
    for number, cell in enumerate(code):
        if mutation.old in "".join(cell["source"]) + "\n":
            found.append(number)
    if len(found) != 1:
        raise ValueError(
            f"{mutation.lesson}: {mutation.old!r} occurs in {len(found)} cells instead of one: "
            "bring MUTATIONS up to date"
        )

    number = found[0]
    cell = code[number]
    if mutation.new is CLEAR:
        cell["outputs"] = []
    else:
        source = "".join(cell["source"]).replace(mutation.old, mutation.new)
        cell["source"] = source.splitlines(keepends=True)
    return book, number


def is_noticed(mutation: Mutation) -> bool:
    """Return whether nbval fails at the broken cell or later, in a copy of the course."""
    book, number = broken(mutation)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "course"
        shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*NOT_COPIED))
        lesson = copy / "notebooks" / f"{mutation.lesson}.ipynb"
        lesson.write_text(json.dumps(book), encoding="utf-8")
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
        ran = subprocess.run([*command, str(lesson)], cwd=copy, capture_output=True, text=True)
    failed = re.search(r"^FAILED \S+::Cell (\d+)", ran.stdout, re.MULTILINE)
    return ran.returncode == 1 and failed is not None and int(failed[1]) >= number


def main(numbers: list[str]) -> int:
    """Try the mutations of the lessons with these numbers, or all; return the exit status."""
    accepted = 0
    for mutation in MUTATIONS:
        if numbers and mutation.lesson[:2] not in numbers:
            continue
        if is_noticed(mutation):
            result = "noticed "
        else:
            result = "ACCEPTED"
            accepted += 1
        print(f"{result}  {mutation.lesson}: {mutation.what}", flush=True)
    print(f"{accepted} broken lessons were accepted")
    return 1 if accepted else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
