"""The diagnosis of a loop names the right cause first, and is silent about healthy loops."""

import cProfile
import gc
import inspect
import pstats
import re
import signal
import subprocess
import sys
import threading
import time
import weakref
from pathlib import Path
from unittest.mock import patch

import keras
import loops
import nbformat
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python import pywrap_tfe
from tensorflow.python.eager.polymorphic_function import polymorphic_function

import labkit as lab
from labkit import own_model
from labkit.__main__ import main
from labkit.measure.processor import ProcessorMeter, ProcessorUse
from labkit.measure.profile import OPERATIONS, OTHER_PYTHON, PACKAGES
from labkit.own_model import loop as module
from labkit.own_model import loop_findings, loop_operations, loop_watch
from labkit.own_model.loop_findings import (
    LESSONS,
    Evidence,
    find,
    names_of_optimizers,
    what_changed,
)
from labkit.own_model.loop_waits import busiest_function, longest_wait
from labkit.own_model.loop_watch import LARGE, Event, Seen

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _few_passes(monkeypatch):
    monkeypatch.setattr(module, "MOST_PASSES", 3)


def made(make, folder):
    """Return a loop; some need a folder for files."""
    if inspect.signature(make).parameters:
        return make(folder)
    return make()


@pytest.mark.parametrize(
    ("cause", "make"), [pytest.param(*one, id=one[1].__name__) for one in loops.WRONG]
)
def test_the_first_cause_is_the_right_one(cause, make, tmp_path):
    if make is loops.forks and sys.platform != "linux":
        pytest.skip("fork is Linux's way to start a process")
    found = own_model.diagnose_loop(made(make, tmp_path), budget=60)
    assert found.cause == cause, found
    first = found.findings[0]
    assert any(character.isdigit() for character in first.evidence)
    assert (ROOT / "notebooks" / first.lesson).exists()
    assert first.change in repr(found).replace("\n       ", "\n")


@pytest.mark.parametrize("make", loops.HEALTHY, ids=lambda make: make.__name__)
def test_a_healthy_loop_has_no_cause(make, tmp_path):
    found = own_model.diagnose_loop(made(make, tmp_path), budget=20)
    assert found.findings == [], found
    assert "Nothing found" in repr(found)


def test_what_a_tape_is_asked_for_again_and_again_is_one_jacobian():
    found = own_model.diagnose_loop(loops.asks_a_tape_for_each_output(), budget=30)
    assert "batch_jacobian" in found.findings[0].change
    assert "for 8 tapes" in found.findings[0].evidence, found
    found = own_model.diagnose_loop(loops.trains_eagerly(), budget=30)
    assert "batch_jacobian" not in found.findings[0].change


def test_a_function_that_is_made_in_the_loop_and_passed_is_no_method():
    @tf.function
    def apply(function, x):
        return function(x)

    def adds(number):
        return lambda x: x + number

    def loop():
        for number in range(4):
            apply(adds(number), tf.constant(1.0))

    found = own_model.diagnose_loop(loop, budget=30)
    assert found.cause == "retraced: object", found
    assert "function that is passed once" in found.findings[0].change


def test_a_tensor_that_goes_into_every_call_is_told_and_is_no_finding():
    found = own_model.diagnose_loop(loops.encodes_the_same_documents_with_each_query(), budget=30)
    assert found.findings == []
    assert "got the same tensor, float32[3,000, 256], in all 10 calls" in repr(found), found
    # Where nothing else goes in, the loop is a benchmark.
    model, rows = tf.function(lab.models.mlp(width=512, inputs=256)), tf.random.normal((3000, 256))
    found = own_model.diagnose_loop(lambda: [model(rows) for _ in range(10)], budget=30)
    assert "the same tensor" not in repr(found), found


def test_where_the_arithmetic_is_the_cost_its_operations_are_named():
    square = tf.random.normal((1_000, 1_000))
    found = own_model.diagnose_loop(lambda: [tf.matmul(square, square) for _ in range(5)])
    assert found.findings == []
    assert "Of the time of TensorFlow's operations: MatMul" in repr(found), found


@pytest.mark.parametrize("kind", ["Adam", "AdamW", "RMSprop", "SGD", "Nadam", "Lamb"])
def test_an_optimizer_of_keras_is_known_by_the_name_of_its_operations(kind):
    name = getattr(keras.optimizers, kind)().name
    found = loop_operations.summary([(f"step/{name}/Sqrt:Sqrt", 1.0)], 1.0)
    assert set(found.by_scope) & names_of_optimizers(), name


def products_of(dtype):
    """Return a loop of products that is traced in its first pass."""
    square = tf.random.normal((700, 700), dtype=dtype)
    product = tf.function(lambda x: x @ square)
    return lambda: [product(square) for _ in range(5)]


def test_products_in_float64_are_told_and_are_no_finding():
    found = own_model.diagnose_loop(products_of(tf.float64))
    assert found.findings == [] and "Products in float64 in the graphs: 1." in repr(found), found
    assert "float64" not in repr(own_model.diagnose_loop(products_of(tf.float32)))


def test_a_product_with_one_hot_is_told():
    table = tf.random.normal((5_000, 64))
    rows = tf.function(lambda ids: tf.reshape(tf.one_hot(ids, 5_000), (-1, 5_000)) @ table)
    ids = tf.range(2_000)
    found = own_model.diagnose_loop(lambda: [rows(ids) for _ in range(5)])
    assert "tf.gather(table, ids)" in repr(found), found


@pytest.mark.parametrize("length", [40_000, None])
def test_a_sort_of_everything_is_told_and_top_k_is_not(length):
    spec = [tf.TensorSpec((16, length), tf.float32)]
    scores = tf.random.normal((16, 40_000))

    def best(x):
        return tf.argsort(x, direction="DESCENDING")[:, :20]

    ranked = tf.function(best, input_signature=spec)
    found = own_model.diagnose_loop(lambda: [ranked(scores) for _ in range(5)])
    assert "tf.math.top_k(x, k=20)" in repr(found), found

    top = tf.function(lambda x: tf.math.top_k(x, k=20).indices, input_signature=spec)
    assert "top_k" not in repr(own_model.diagnose_loop(lambda: [top(scores) for _ in range(60)]))

    spec.append(tf.TensorSpec((), tf.int32))
    asked = tf.function(lambda x, k: tf.math.top_k(x, k=k).indices, input_signature=spec)
    twenty = tf.constant(20)
    found = own_model.diagnose_loop(lambda: [asked(scores, twenty) for _ in range(60)])
    assert "top_k" not in repr(found), found


def test_where_a_pipeline_computes_in_python_is_told():
    model = loops.small_model(compiled=True)

    class Batches(keras.utils.PyDataset):
        def __len__(self):
            return 6

        def __getitem__(self, index):
            return prepared(), np.zeros((8, 1), np.float32)

    def prepared():
        sum(number * number for number in range(1_500_000))
        return np.zeros((8, 10), np.float32)

    batches = Batches()
    found = own_model.diagnose_loop(lambda: model.fit(batches, verbose=0), budget=120)
    assert found.cause == "waits for the pipeline", found
    assert "prepared of test_loop.py takes the largest part" in repr(found), found


@pytest.mark.parametrize(("share", "is_large"), [(0.8, True), (0.45, True), (0.1, False)])
def test_operations_are_looked_at_where_they_take_a_large_part(share, is_large):
    """The end of a pipeline may take as long as a pass, and looks like Python of Keras."""
    shares = {OPERATIONS: share, PACKAGES["keras"]: 0.9 - share}
    assert module._Profile(shares).is_of_operations == is_large


def test_without_time_for_it_no_pass_is_recorded_and_that_is_told(monkeypatch):
    monkeypatch.setattr(module, "_RECORDED", 1e6)
    square = tf.random.normal((1_000, 1_000))
    found = own_model.diagnose_loop(lambda: [tf.matmul(square, square) for _ in range(5)])
    assert "no time to record one more pass" in repr(found), found


def test_a_long_pass_is_not_recorded_and_that_is_told(monkeypatch):
    monkeypatch.setattr(module, "_LONGEST_RECORDED", 1e-3)
    square = tf.random.normal((1_000, 1_000))
    found = own_model.diagnose_loop(lambda: [tf.matmul(square, square) for _ in range(5)])
    assert "A pass is too long to record" in repr(found), found


def test_the_stop_button_ends_the_recorded_pass_with_what_was_seen_before():
    square = tf.random.normal((1_000, 1_000))
    runs = []

    def loop():
        for _ in range(5):
            tf.matmul(square, square)
        runs.append(1)
        if len(runs) == module.MOST_PASSES + 2:  # one more was profiled, and this one is recorded
            signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        found = own_model.diagnose_loop(loop)
    finally:
        signal.signal(signal.SIGINT, before)
    assert found.findings == [] and "Stopped while one more pass was recorded" in repr(found), found
    tf.profiler.experimental.start("", options=None)  # nothing is being recorded any more
    tf.profiler.experimental.stop(save=False)


def test_a_loop_that_records_itself_goes_without_names_of_operations(tmp_path):
    square = tf.random.normal((1_000, 1_000))

    def loop():
        tf.profiler.experimental.start(str(tmp_path))
        try:
            for _ in range(5):
                tf.matmul(square, square)
        finally:
            tf.profiler.experimental.stop()

    try:
        found = own_model.diagnose_loop(loop)
    except tf.errors.AlreadyExistsError:
        pytest.fail("the loop could not record itself because it was recorded")
    assert "Of the time of TensorFlow's operations" not in repr(found)


EVENTS = [
    ("while/body/MatMul:MatMul", 6.0),
    ("StatefulPartitionedCall/adam_1/Sqrt_2:Sqrt", 3.0),
    ("EagerLocalExecute: Mul", 1.0),
    ("while:While", 7.0),
    ("EagerLocalExecute: __inference_f_12", 10.0),
    ("IteratorGetNextOp::DoCompute", 2.0),
    ("InstantiatedCapturedFunction::RunAsync", 0.5),
    ("ExecutorState::Process", 4.0),
]


def test_what_is_recorded_is_added_up_once():
    found = loop_operations.summary(EVENTS, 20.0)
    assert found.by_type == {"MatMul": 6.0, "Sqrt": 3.0, "Mul": 1.0}
    assert found.share_of("adam") == pytest.approx(0.3) and found.runs_by_scope["adam"] == 1
    assert (found.waiting, found.elements, found.calls_of_pipelines) == (2.0, 1, 1)
    assert found.share_of_waiting == pytest.approx(0.1)
    assert "MatMul ≈60.0 %" in found.in_words(has_model=True)
    assert "the work of layers" not in found.in_words(has_model=True)


def test_what_is_no_work_of_layers_is_told_where_there_is_a_model():
    found = loop_operations.summary([("a/Tile:Tile", 9.0), ("b/MatMul:MatMul", 1.0)], 20.0)
    assert "the work of layers, are ≈10.0 % of it" in found.in_words(has_model=True)
    assert "the work of layers" not in found.in_words(has_model=False)
    assert loop_operations.summary([], 20.0).in_words(has_model=True) == ""


def written_program(folder, *lines):
    path = folder / "program.py"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_program_that_cannot_run_twice_keeps_what_was_counted(tmp_path):
    path = written_program(
        tmp_path,
        "import os",
        f"os.mkdir({str(tmp_path / 'once')!r})",
        "import labkit as lab",
        "model = lab.models.mlp()",
        "row = lab.models.random_rows(1)",
        "for _ in range(8): model.predict(row, verbose=0)",
    )
    found = module.diagnose_program(path, 60)
    assert found.cause == "predict for few rows"
    assert "The second run, for the profile, ended with FileExistsError" in repr(found)


def test_a_program_that_ends_itself_says_so(tmp_path):
    found = module.diagnose_program(written_program(tmp_path, "import sys", "sys.exit(3)"), 20)
    assert "The program ended itself with exit status 3" in repr(found)
    found = module.diagnose_program(written_program(tmp_path, "import sys", "sys.exit(0)"), 20)
    assert "ended itself" not in repr(found)


def test_an_error_of_a_program_shows_the_lines_of_the_program_alone(tmp_path, capsys):
    path = written_program(
        tmp_path,
        "import labkit as lab",
        "model = lab.models.mlp()",
        "def run():",
        "    try:",
        "        model(lab.models.random_rows(1)[:, :3])",
        "    except Exception as error:",
        "        raise RuntimeError('no answer') from error",
        "if __name__ == '__main__':",
        "    run()",
    )
    for words in (["own-loop", str(path)], ["own-loop", str(path), "--function", "run"]):
        assert main(words) == 1
        shown = capsys.readouterr().err
        assert shown.rstrip().endswith("RuntimeError: no answer")
        assert "expected axis -1 of input shape" in shown  # the cause
        assert "model(lab.models.random_rows(1)[:, :3])" in shown
        for runner in ("loop.py", "loop_watch.py", "runpy", "__main__.py", "stop.py"):
            assert runner not in shown, shown


def test_a_program_gets_its_arguments(tmp_path, capsys):
    path = written_program(tmp_path, "import sys", "print(sys.argv[1:])")
    assert main(["own-loop", str(path), "--budget", "20", "--", "--rows", "3"]) == 0
    assert "['--rows', '3']" in capsys.readouterr().out
    path = written_program(
        tmp_path, "import sys", "given = sys.argv[1:]", "def run(): print(given)"
    )
    words = ["own-loop", str(path), "--function", "run", "--budget", "1", "--", "--rows", "4"]
    assert main(words) == 0
    assert "['--rows', '4']" in capsys.readouterr().out


def test_what_setup_set_aside_is_looked_through_while_the_loop_runs():
    frozen = []
    gc.freeze()
    own_model.diagnose_loop(lambda: frozen.append(gc.get_freeze_count()), budget=0.01)
    assert frozen[0] == 0
    assert gc.get_freeze_count() == 0  # what is alive now may be garbage later


def test_a_small_part_of_the_time_is_not_called_the_cost():
    shares = {OPERATIONS: 0.45, OTHER_PYTHON: 0.3}
    found = module.LoopDiagnosis([], 3, [0.1], shares)
    assert "No part of the time stands out" in repr(found)
    assert "arithmetic" not in repr(found)
    found = module.LoopDiagnosis([], 3, [0.1], {OPERATIONS: 0.7})
    assert "The arithmetic is the cost" in repr(found)


def test_every_lesson_that_a_finding_names_exists():
    for name in LESSONS.values():
        assert (ROOT / "notebooks" / name).exists(), name


@pytest.mark.parametrize(
    ("whys", "kind"),
    [
        (["float32[5, 20]", "float32[6, 20]"], "shape"),
        (["float32[3], 1.0", "float32[3], 2.0"], "value"),
        (["float32[3]", "float64[3]"], "dtype"),
        (["float32[3]", "[float32[3], float32[3]]"], "structure"),
        (["this function <lambda>", "this function <lambda>"], "object"),
        (["float32[3]", "float32[3]"], "object"),
    ],
)
def test_what_changed_between_traces(whys, kind):
    assert what_changed(whys)[0] == kind


def test_the_lines_to_change_for_a_shape_name_no_size_of_another_model():
    _, change = what_changed(["float32[5, 20]", "float32[6, 20]"])
    assert "reduce_retracing=True" in change
    assert not any(character.isdigit() for character in change)


# ---- sentences that would be false are absent ----


def hand_made(events, **more):
    for event in events:
        event.seconds = event.seconds or 0.1
        event.in_pass = 1
    return Evidence(Seen(events=events), passes=2, seconds=1.0, **more)


def test_calls_with_many_rows_are_no_calls_with_few():
    calls = [Event("predict", "predict", key=1, rows=1000) for _ in range(5)]
    assert find(hand_made(calls)) == []
    calls = [Event("predict", "predict", key=1, rows=8) for _ in range(5)]
    assert [one.cause for one in find(hand_made(calls))] == ["predict for few rows"]


def test_eager_calls_that_compute_most_of_the_time_are_none_to_change():
    calls = [Event("layer", "model", key=1, rows=1) for _ in range(9)]
    assert find(hand_made(calls, python_share=0.2)) == []
    (found,) = find(hand_made(calls, python_share=0.8))
    assert found.cause == "eager calls"


def test_what_takes_no_time_is_not_worth_a_change():
    calls = [Event("predict", "predict", key=1, rows=8, seconds=0.001) for _ in range(5)]
    assert find(hand_made(calls)) == []


def test_float16_is_no_cause_on_a_gpu():
    calls = [Event("predict", "predict", key=1, rows=1000, policy="float16")]
    assert [one.cause for one in find(hand_made(calls))] == ["float16 on a CPU"]
    assert find(hand_made(calls, has_gpu=True)) == []


def test_large_arrays_of_the_loop_are_not_kept_alive():
    arrays = []

    @tf.function
    def first(x):
        return x[0]

    def loop():
        for _ in range(6):
            array = np.random.default_rng(len(arrays)).random(LARGE)
            arrays.append(weakref.ref(array))
            first(array)
        del array
        alive.append(sum(one() is not None for one in arrays))

    alive = []
    found = own_model.diagnose_loop(loop, budget=20)
    assert found.findings == [], found
    assert max(alive) <= 1  # TensorFlow may hold the last one


def test_arrays_with_a_number_that_differs_are_not_the_same():
    array = np.zeros(LARGE)

    @tf.function
    def first(x):
        return x[0]

    def loop():
        for i in range(10):
            changed = array.copy()
            changed[2 * i + 1 + 100 * len(runs)] = 1.0
            first(changed)
        runs.append(1)

    runs = []
    assert own_model.diagnose_loop(loop, budget=20).findings == []


# ---- nothing of the learner's is changed ----


def test_everything_is_put_back(tmp_path):
    watched = [
        (polymorphic_function.Function, "__call__"),
        (keras.Model, "predict"),
        (keras.Sequential, "__init__"),
        (keras.layers.Layer, "__call__"),
        (tf.GradientTape, "gradient"),
        (tf.compat.v1.Session, "run"),
        (tf.data.Dataset, "from_tensor_slices"),
        (tf.data.Dataset, "map"),
        (tf.saved_model, "save"),
        (keras.optimizers.Optimizer, "__init__"),
        (pywrap_tfe, "TFE_Py_FastPathExecute"),
    ]
    before = [getattr(*one) for one in watched]
    own_model.diagnose_loop(lambda: None)
    assert [getattr(*one) for one in watched] == before


def test_an_error_of_the_loop_is_the_learners_and_everything_is_put_back():
    before = keras.Model.predict

    def loop():
        raise ArithmeticError("mine")

    with pytest.raises(ArithmeticError, match="mine"):
        own_model.diagnose_loop(loop)
    assert keras.Model.predict is before


@pytest.mark.parametrize("wrong", [None, 3, [1]])
def test_what_cannot_be_run_is_told(wrong):
    with pytest.raises(TypeError, match="def loop"):
        own_model.diagnose_loop(wrong)


@pytest.mark.parametrize("budget", [0, -1, float("nan")])
def test_a_budget_is_positive(budget):
    with pytest.raises(ValueError, match="above 0"):
        own_model.diagnose_loop(lambda: None, budget=budget)


def test_a_long_pass_is_watched_once_and_says_so():
    event = threading.Event()
    found = own_model.diagnose_loop(lambda: event.wait(0.05), budget=0.01)
    assert found.passes == 1
    assert "One pass only" in repr(found)
    assert "no time to profile one more pass" in repr(found)


def test_the_stop_button_ends_it_with_what_was_seen():
    model = lab.models.mlp()
    row = lab.models.random_rows(1)

    def loop():
        for _ in range(4):
            model.predict(row, verbose=0)
        if len(runs) == 1:
            signal.raise_signal(signal.SIGINT)
        runs.append(1)

    runs = []
    # A program that a shell started in the background ignores the signal.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        found = own_model.diagnose_loop(loop)
    finally:
        signal.signal(signal.SIGINT, before)
    assert found.cause == "predict for few rows"
    assert "Stopped in pass 2" in repr(found)


def test_it_looks_the_same_in_a_notebook(tmp_path):
    found = own_model.diagnose_loop(loops.traces_each_number(), budget=5)
    page = found._repr_html_()
    assert "1. retraced: value." in page
    assert "03_tf_function.ipynb</a>" in page
    with patch.object(found, "shares", {}):
        assert "Where the time goes" not in found._repr_html_()


# ---- from the command line ----

PROGRAM = """
import helper
import labkit as lab

def handle():
    for _ in range(4):
        model.predict(row, verbose=0)

model = lab.models.mlp()
row = lab.models.random_rows(helper.ROWS)
if __name__ == "__main__":
    handle()
    print("the program's own output")
"""


@pytest.fixture
def program(tmp_path):
    (tmp_path / "helper.py").write_text("ROWS = 1", encoding="utf-8")
    path = tmp_path / "a program.py"
    path.write_text(PROGRAM, encoding="utf-8")
    return path


def run(*arguments):
    command = [sys.executable, "-m", "labkit", "own-loop", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)


def run_here(capsys, *arguments):
    """Run the command in this process, which has imported TensorFlow; return status and output."""
    status = main(["own-loop", *map(str, arguments)])
    return status, capsys.readouterr()


def test_a_program_is_watched_as_it_is(program):
    done = run(program, "--budget", "1")
    assert done.returncode == 0, done.stderr
    assert "the program's own output" in done.stdout
    assert "predict for few rows" in done.stdout


HEALTHY_PROGRAMS = {
    "a model is built, compiled and fitted": """
model = keras.Sequential([keras.Input((20,)), keras.layers.Dense(8), keras.layers.Dense(1)])
model.compile("adam", "mse")
model.fit(rows, targets, epochs=3, verbose=0)
model.predict(rows, verbose=0)
""",
    "three models are built by one line, and then trained by one step": """
def make():
    x = keras.Input((20,))
    y = x
    for _ in range(4):
        y = keras.layers.Dense(8)(y)
    return keras.Model(x, y)

models = [make() for _ in range(3)]
optimizer = keras.optimizers.Adam()
optimizer.build([v for model in models for v in model.trainable_variables])

@tf.function
def step(x):
    with tf.GradientTape() as tape:
        loss = tf.add_n([tf.reduce_mean(model(x) ** 2) for model in models])
    variables = [v for model in models for v in model.trainable_variables]
    optimizer.apply(tape.gradient(loss, variables), variables)

for _ in range(50):
    step(rows)
""",
    "four steps are made by one line, and then called in turns": """
def make_step(model):
    optimizer = keras.optimizers.SGD()
    optimizer.build(model.trainable_variables)

    @tf.function
    def step(x):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(model(x) ** 2)
        optimizer.apply(tape.gradient(loss, model.trainable_variables))
        return loss

    return step

steps = [make_step(keras.Sequential([keras.Input((20,)), keras.layers.Dense(8)])) for _ in range(4)]
for _ in range(100):
    for step in steps:
        step(rows)
""",
    "three sizes are traced before the loop": """
@tf.function
def total(x):
    return tf.reduce_sum(x)

for size in (8, 16, 32, 64):
    total(rows[:size])
for _ in range(100):
    total(rows[:32])
""",
    "a model is converted, and called in LiteRT": """
layers = [keras.layers.Dense(8) for _ in range(4)]
model = keras.Sequential([keras.Input((20,)), *layers])
content = tf.lite.TFLiteConverter.from_keras_model(model).convert()
interpreter = tf.lite.Interpreter(model_content=content)
interpreter.allocate_tensors()
(given,) = interpreter.get_input_details()
for row in range(60):
    interpreter.set_tensor(given["index"], rows[row : row + 1])
    interpreter.invoke()
""",
    "three datasets are made by one line": """
def dataset(part):
    return tf.data.Dataset.from_tensor_slices(part).map(lambda x: 2 * x).batch(64)

parts = [dataset(rows[:500]), dataset(rows[500:800]), dataset(rows[800:])]
for _ in range(2):
    for part in parts:
        for batch in part:
            batch.numpy()
""",
}


@pytest.mark.parametrize("name", HEALTHY_PROGRAMS)
def test_what_a_program_prepares_is_no_part_of_its_loop(name, tmp_path):
    path = tmp_path / "healthy.py"
    begin = (
        "import keras, numpy as np, tensorflow as tf\n"
        "rows, targets = np.ones((1000, 20), 'float32'), np.ones((1000, 1), 'float32')\n"
    )
    path.write_text(begin + HEALTHY_PROGRAMS[name], encoding="utf-8")
    found = module.diagnose_program(path, 30)
    assert found.findings == [], found
    assert found.passes == 1 and "The whole program was watched" in repr(found)


def test_a_program_that_builds_in_its_loop_is_told(tmp_path):
    path = tmp_path / "builds.py"
    path.write_text(
        "import labkit as lab\n"
        "for _ in range(8):\n"
        "    model = lab.models.mlp()\n"
        "    model.predict(lab.models.random_rows(40), verbose=0)\n",
        encoding="utf-8",
    )
    assert module.diagnose_program(path, 30).cause == "model built in the loop"


def test_what_each_pass_loads_once_is_a_note(tmp_path):
    found = own_model.diagnose_loop(loops.loads_once_and_predicts_much(tmp_path))
    assert found.findings == [], found
    assert "Each pass loads model.keras once" in repr(found), found


def test_a_few_models_that_are_trained_much_are_a_note(tmp_path):
    path = tmp_path / "folds.py"
    path.write_text(
        "import labkit as lab, numpy as np\n"
        "rows, targets = lab.models.random_rows(60_000), np.zeros((60_000, 1))\n"
        "for _ in range(3):\n"
        "    model = lab.models.mlp()\n"
        "    model.compile('sgd', 'mse')\n"
        "    model.fit(rows, targets, epochs=3, verbose=0)\n",
        encoding="utf-8",
    )
    found = module.diagnose_program(path, 60)
    assert found.findings == [], found
    assert "3 models are built in this run" in repr(found), found


def test_a_window_that_grows_gets_a_function_that_is_not_traced_for_each_length():
    model = keras.Sequential([keras.Input((None, 1)), keras.layers.GlobalAveragePooling1D()])
    window = np.zeros((1, 12, 1), np.float32)
    lengths = range(2, 12)
    found = own_model.diagnose_loop(
        lambda: [model.predict(window[:, :length], verbose=0) for length in lengths], budget=60
    )
    assert "reduce_retracing=True" in found.findings[0].change, found
    same = own_model.diagnose_loop(
        lambda: [model.predict(window, verbose=0) for _ in lengths], budget=60
    )
    assert "reduce_retracing" not in same.findings[0].change, same


def test_of_many_arguments_the_one_that_changed_is_shown():
    whys = ["{s=float32[64, 16], a=int32[64]}, 0.4045", "{s=float32[64, 16], a=int32[64]}, 0.405"]
    assert loop_findings._examples(whys) == "`0.4045` then `0.405`"
    assert loop_findings._examples(["float32[1, 2]", "(1, 2)"]) == "`float32[1, 2]` then `(1, 2)`"
    assert loop_findings._examples(["1", "1, 2"]) == "`1` then `1, 2`"


def test_what_is_made_anew_is_named_by_its_class():
    found = own_model.diagnose_loop(loops.makes_objects_with_a_decorated_method(), budget=60)
    assert "one = Sampler(...)" in found.findings[0].change, found


def test_a_finding_shows_the_line_of_the_program():
    found = own_model.diagnose_loop(loops.predicts_each_row(), budget=60)
    line = "return lambda: [model.predict(ROWS[i : i + 1], verbose=0) for i in range(6)]"
    assert found.findings[0].place.endswith(f" of loops.py: {line}"), found
    assert f"Where: {found.findings[0].place}" in repr(found)
    assert "Where: line" in found._repr_html_()

    grown = own_model.diagnose_loop(loops.grows_a_graph(), budget=60)
    assert "of loops.py: return [session.run(" in grown.findings[0].place, grown


@pytest.mark.parametrize("place", ["", ":", "gone.py:3", "<string>:1", "Model a:b"])
def test_a_line_that_cannot_be_read_is_not_shown(place):
    assert loop_findings.where([Event("kind", place=place)]) == ""
    assert loop_findings.where([]) == ""


def test_a_line_that_was_changed_is_read_anew(tmp_path):
    path = tmp_path / "loop.py"
    for program in ("old = 1\n", "changed = 12\n"):
        path.write_text(program, encoding="utf-8")
        shown = loop_findings.where([Event("kind", place=f"{path}:1")])
        assert shown == f"line 1 of loop.py: {program.strip()}"


def test_a_long_line_is_cut(tmp_path):
    path = tmp_path / "long.py"
    path.write_text(f"answer = predict({'rows, ' * 40})\n", encoding="utf-8")
    shown = loop_findings.where([Event("kind", place=f"{path}:1")])
    assert shown.startswith("line 1 of long.py: answer = predict(rows,") and len(shown) < 110


def test_tensors_that_are_kept_make_the_memory_grow(monkeypatch):
    monkeypatch.setattr(loop_watch, "_LOOK_EVERY", 0.01)
    # 36 MB: what is larger than 32 MiB, the C library never takes from what was freed before.
    widen = tf.function(lambda x: tf.tile(x, [1, 450]) + tf.random.uniform(()))
    rows, kept = tf.ones((1000, 20)), []

    def loop():
        for _ in range(12):
            kept.append(widen(rows))
            time.sleep(0.02)

    found = own_model.diagnose_loop(loop, budget=60)
    assert found.cause == "memory grows", found
    kept.clear()
    kept.append(0)  # a loop that keeps numbers is healthy
    found = own_model.diagnose_loop(lambda: [float(widen(rows)[0, 0]) for _ in range(12)])
    assert "memory grows" not in {one.cause for one in found.findings}, found


MIB = 2**20


@pytest.mark.parametrize(
    ("memory", "grows"),
    [
        ([500 + 4 * i for i in range(80)], True),
        ([500 + 4 * min(i, 50) for i in range(80)], False),  # a cache that is full
        ([500 + 200 * (i > 60) for i in range(80)], False),  # one large array
        ([500 + i // 2 for i in range(80)], False),  # too little
        ([500 + 40 * i for i in range(8)], False),  # too short to say
    ],
)
def test_memory_grows_only_if_it_grows_all_the_time(memory, grows):
    seen = Seen(memory=[(0, size * MIB) for size in memory])
    causes = [one.cause for one in find(Evidence(seen, passes=1, seconds=10.0))]
    assert causes == (["memory grows"] if grows else [])


def profile_of(function):
    profiler = cProfile.Profile()
    profiler.runcall(function)
    return pstats.Stats(profiler)


def test_a_loop_that_waits_is_told_from_one_that_computes():
    def sleepy():
        threading.Event().wait(0.2)

    stats = profile_of(sleepy)
    wait = longest_wait(stats, ProcessorUse(0.0, {"loop": 0.95}))
    assert wait is not None and wait.place == "sleepy of test_loop.py", wait
    assert "It waits: for" in wait.in_words()
    assert longest_wait(stats, ProcessorUse(0.0, {"loop": 0.2})) is None  # other threads compute
    assert longest_wait(stats, ProcessorUse(0.8, {"loop": 0.95})) is None  # for the processor
    computes = profile_of(lambda: sum(range(3_000_000)))
    assert longest_wait(computes, ProcessorUse(0.0, {"loop": 0.95})) is None


def test_a_service_whose_requests_wait_says_so():
    def loop():
        threads = [threading.Thread(target=time.sleep, args=(0.3,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    with patch.object(module, "ProcessorMeter", QuietMeter):
        found = own_model.diagnose_loop(loop, budget=20)
    assert found.findings == [] and "It waits: for" in repr(found), found
    assert "loop of test_loop.py" in repr(found)


def test_where_python_computes_is_named():
    def busy():
        return sum(sorted(range(200_000)))

    def loop():
        for _ in range(5):
            busy()

    found = busiest_function(profile_of(loop))
    assert found is not None and found.place == "busy of test_loop.py", found
    assert found.share > 0.8
    with patch.object(module, "ProcessorMeter", QuietMeter):
        told = own_model.diagnose_loop(loop, budget=20)
    assert "look at busy of test_loop.py" in repr(told), told


class QuietMeter(ProcessorMeter):
    """The meter of a machine on which nothing else runs."""

    def so_far(self, seconds):
        return ProcessorUse(0.0, super().so_far(seconds).waiting)


def test_a_function_of_a_program_can_be_the_loop(program):
    loop = module.loop_of_script(program, "handle")
    found = own_model.diagnose_loop(loop, budget=30)
    assert found.passes > 1
    assert found.cause == "predict for few rows"


def test_a_function_that_is_not_there_is_told_with_those_that_are(program):
    with pytest.raises(ValueError, match="no function 'handling'; there are: handle"):
        module.loop_of_script(program, "handling")


def test_a_file_that_is_not_there_is_told_before_tensorflow_is_imported(tmp_path):
    done = run(tmp_path / "none.py")
    assert done.returncode == 2
    assert "there is no file" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("options", [[], ["--function", "handle"]])
def test_an_error_of_the_program_keeps_its_traceback(tmp_path, capsys, options):
    path = tmp_path / "broken.py"
    path.write_text("def handle():\n    raise ValueError('mine')\n\n", encoding="utf-8")
    if not options:
        path.write_text("raise ValueError('mine')", encoding="utf-8")
    status, said = run_here(capsys, path, *options)
    assert status == 1
    assert "broken.py" in said.err and "ValueError: mine" in said.err


@pytest.mark.parametrize("budget", ["0", "-1", "soon"])
def test_a_wrong_budget_is_told_before_anything_runs(program, budget):
    done = run(program, "--budget", budget)
    assert done.returncode == 2
    assert "above 0" in done.stderr


LITERT = """
import tensorflow as tf

import labkit as lab

content = tf.lite.TFLiteConverter.from_keras_model(lab.models.mlp()).convert()
for _ in range(4):
    interpreter = tf.lite.Interpreter(model_content=content)
    interpreter.allocate_tensors()
    interpreter.invoke()
"""


def test_interpreters_of_a_program_are_seen(tmp_path, capsys):
    path = tmp_path / "litert.py"
    path.write_text(LITERT, encoding="utf-8")
    _, said = run_here(capsys, path, "--budget", "1")
    assert "4 LiteRT interpreters were made" in said.out


# A word of the lesson that a finding names: by it one sees that the lesson speaks of it.
WORDS = {
    "array copied again": "copies",
    "eager calls": "model(row)",
    "float16 on a CPU": "16 bits",
    "fork": "fork",
    "garbage collected in the loop": "gc.collect",
    "graphs stay alive": "graphs",
    "interpreter prepared in the loop": "allocate_tensors",
    "interpreter shared": "interpreter",
    "map before batch": "batch",
    "map_fn in the graph": "map_fn",
    "metric updated outside the graph": "metric",
    "model compiled in the loop": "compile",
    "model loaded in the loop": "load",
    "model saved in the loop": "save",
    "optimizer": "optimizer",
    "rows one by one": "one call for all",
    "sessions made": "session",
    "variables made in the loop": "variable",
    "waits for the pipeline": "prefetch",
}


@pytest.mark.parametrize("cause", WORDS)
def test_the_lesson_that_a_finding_names_speaks_of_it(cause):
    source = Path(loop_findings.__file__).read_text(encoding="utf-8")
    numbers = rf'"{cause}",(?:(?!Finding\().)*?LESSONS\["(\d+)"\]'
    found = re.findall(numbers, source, re.DOTALL)
    assert found
    for number in found:
        lesson = nbformat.read(ROOT / "notebooks" / LESSONS[number], as_version=4)
        text = " ".join(cell.source for cell in lesson.cells).lower()
        assert WORDS[cause].lower() in text, number
