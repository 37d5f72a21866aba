"""Every kind of model and of mistake runs through lesson 11: a report or one clear sentence, never a traceback."""

import base64
import contextlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from benchmarks.own_models import HAND_MADE
from keras import layers

import labkit as lab
from labkit import own_model
from labkit.measure.results import Comparison
from labkit.own_model import (
    BadModel,
    advice,
    candidates,
    loading,
    measuring,
    paths,
    reasons,
    report,
    samples,
)
from labkit.own_model import interactive as forms
from labkit.own_model import prepare as ladder

QUICK = {"batches": [1], "budget": 30, "progress": False}
# By a test for itself, or too slow for one: the benchmark program runs all of them.
ZOO = [
    "two inputs, two outputs",
    "dict inputs and outputs",
    "integers",
    "text",
    "fixed batch",
    "stateful",
    "dropout and normalisation",
    "subclassed",
    "random",
    "an input handed through",
]


@pytest.fixture(autouse=True)
def _short(monkeypatch):
    monkeypatch.setenv("LABKIT_PROGRESS", "0")
    monkeypatch.setattr(measuring, "_ENOUGH", 0.15)  # the verdicts are not what is tested here
    monkeypatch.setattr(measuring, "_ROUNDS", 2)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A folder with one small model in each format."""
    folder = tmp_path_factory.mktemp("saved")
    model = lab.models.mlp()
    model.save(folder / "ok.keras")
    with own_model_quiet():
        model.save(folder / "ok.h5")
        model.export(folder / "ok", verbose=False)
    return folder


@contextlib.contextmanager
def own_model_quiet():
    with loading.hushed():
        yield


def sentence(text):
    """Whether a text is one short line that a person can act on."""
    return (
        "\n" not in text and "Traceback" not in text and 15 < len(text) < 400 and "/tmp" not in text
    )


# ---- models ----


@pytest.mark.parametrize("name", ZOO)
def test_a_hand_made_model_gets_its_report(name, tmp_path):
    d = own_model.diagnose(HAND_MADE[name](), report_to=tmp_path / "r.html", **QUICK)
    assert d.advice and {"model(x)", "tf.function", "concrete function"} <= set(d.medians)
    assert set(d.medians) | set(d.refused) == set(candidates.LADDER)
    assert all(sentence(why) for why in d.refused.values()), d.refused
    assert (tmp_path / "r.html").stat().st_size > 10_000
    assert d.random == (name == "random")
    assert bool(d.states) == (name == "stateful")
    if name in ("text", "dict inputs and outputs", "stateful", "fixed batch"):
        assert "LiteRT" in d.medians or "LiteRT" in d.refused
    if name == "text":
        assert (
            d.refused["XLA"]
            == "not possible: XLA compiles numbers only, and an input of this model is text"
        )
    if name == "fixed batch":
        assert d.batch == 4 and "fixes 4 rows" in str(d.facts)


@pytest.mark.parametrize("name", ["MobileNetV3Small", "VGG16"])
def test_an_architecture_of_keras_applications_gets_its_report(name, tmp_path):
    model = getattr(keras.applications, name)(weights=None, input_shape=(32, 32, 3), classes=4)
    d = own_model.diagnose(
        model, batches=[1], budget=6, progress=False, report_to=tmp_path / "r.html"
    )
    assert "tf.function" in d.medians and d.seconds < 40
    assert {r.state for r in d.ladder} <= {ladder.MEASURED, ladder.SKIPPED, ladder.ABSENT}


@pytest.mark.parametrize("file", ["ok.keras", "ok.h5", "ok"])
def test_each_format_gives_the_same_ladder(saved, file):
    d = own_model.diagnose(saved / file, **QUICK)
    assert "LiteRT" in d.medians and "XLA" in d.medians
    assert ("predict" in d.medians) == (file != "ok")
    assert max(r.gap for r in d.ladder if r.gap == r.gap) < 1e-5


def test_the_budget_is_kept_by_not_beginning_what_would_not_fit(saved):
    d = own_model.diagnose(lab.models.mlp(depth=60), batches=[1], budget=1, progress=False)
    assert "room" in d.refused["XLA"] and d.seconds < 12
    assert "model(x)" in d.medians
    assert any(a.about == "budget" for a in d.advice)


# ---- inputs ----


def test_a_sample_may_come_as_array_file_dict_or_list(saved, tmp_path):
    np.save(tmp_path / "s.npy", np.zeros((3, 10)))
    np.savez(tmp_path / "s.npz", anything=np.zeros((3, 10)))
    path = saved / "ok.keras"
    for sample in (np.zeros((2, 10)), [[0.0] * 10], tmp_path / "s.npy", str(tmp_path / "s.npz")):
        subject = own_model.diagnosis.load(path)
        given = samples.arranged(samples.read(sample), subject.spec)
        assert samples.resized(given, 5).shape == (5, 10) and given.dtype == np.float32


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"sample": np.zeros((2, 7))}, "has the shape (10,), without the batch; got (7,)"),
        ({"sample": np.float32(3)}, "first axis must be the batch"),
        ({"sample": np.array([["a"] * 10])}, "cannot be made float32"),
        ({"sample": "none.npy"}, "no sample file none.npy"),
        ({"sample": "x.txt"}, "numpy.save"),
        ({"shape": "3"}, "has the shape (10,)"),
        ({"shape": "a,b"}, "a shape is written"),
        ({"shape": "foo=3"}, "no input 'foo'"),
        ({"dtype": "floaty"}, "no dtype 'floaty'"),
        ({"dtype": "int32"}, "is float32, not int32"),
        ({"batches": [0]}, "whole numbers from 1 on"),
        ({"batches": "x"}, "whole numbers from 1 on"),
        ({"batches": []}, "whole numbers from 1 on"),
        ({"budget": 0}, "from 1 to 3600"),
        ({"budget": "long"}, "from 1 to 3600"),
        ({"report_to": "no/such/folder/r.html"}, "no such folder"),
        ({"report_to": "."}, "would replace a folder"),
    ],
)
def test_a_wrong_input_is_told_in_one_sentence(saved, options, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadModel, match=re.escape(words)) as raised:
        own_model.diagnose(saved / "ok.keras", **{**QUICK, **options})
    assert sentence(str(raised.value))
    assert os.listdir(tmp_path) == []  # nothing half-made is left


def test_a_model_that_does_not_say_what_it_takes_asks_for_it():
    model = keras.Sequential([layers.Dense(2)])
    with pytest.raises(BadModel, match="give a sample, or the shape of one row"):
        own_model.diagnose(model, **QUICK)
    assert own_model.inspect(model).cells[1] == [
        "input",
        "the model does not say: give a sample, or shape and dtype",
    ]
    assert "tf.function" in own_model.diagnose(model, shape=(4,), **QUICK).medians


def test_more_rows_than_memory_holds_are_refused():
    model = keras.Sequential([keras.Input((1000, 1000, 1)), layers.Flatten()])
    with pytest.raises(BadModel, match="GiB"):
        own_model.diagnose(model, batches=[100_000], budget=5)


def test_integers_stay_below_the_smallest_embedding():
    subject = own_model.diagnosis.load(HAND_MADE["integers"]())
    assert samples.limit_of(subject) == 50
    x = samples.make(tf.TensorSpec((None, 400), tf.int32), 9, limit=50)
    assert x.shape == (9, 400) and x.min() >= 0 and 40 < x.max() < 50


# ---- paths and files ----


def damaged(folder, saved):
    """Make files of every kind of damage; yield (path, part of the sentence)."""
    whole = (saved / "ok.keras").read_bytes()
    (folder / "cut.keras").write_bytes(whole[: len(whole) // 2])
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 255
    (folder / "flipped.keras").write_bytes(bytes(flipped))
    (folder / "empty.keras").touch()
    with zipfile.ZipFile(folder / "other.keras", "w") as file:
        file.writestr("a.txt", "x")
    (folder / "cut.h5").write_bytes((saved / "ok.h5").read_bytes()[:5000])
    (folder / "text.h5").write_text("hello" * 100)
    lab.models.mlp().save_weights(folder / "m.weights.h5")
    for name in ("m.pb", "m.tflite", "m.onnx", "m.pt", "m.json", "m.txt", "m.zip"):
        (folder / name).write_text("x")
    (folder / "empty").mkdir()
    shutil.copytree(saved / "ok", folder / "versions" / "1")
    shutil.copytree(saved / "ok", folder / "no_weights")
    shutil.rmtree(folder / "no_weights" / "variables")
    shutil.copytree(saved / "ok", folder / "cut_graph")
    graph = folder / "cut_graph" / "saved_model.pb"
    graph.write_bytes(graph.read_bytes()[:3000])
    with own_model_quiet():
        tf.saved_model.save(tf.Module(), str(folder / "no_signature"))
        keras.Sequential([keras.Input((3,)), layers.Lambda(lambda x: x * 2)]).save(
            folder / "lambda.keras"
        )
        keras.Sequential([keras.Input((3,)), layers.Lambda(lambda x: x * 2)]).save(
            folder / "lambda.h5"
        )
        keras.Sequential([keras.Input((3,)), Unregistered()]).save(folder / "mine.keras")
        keras.Sequential([keras.Input((3,)), Unregistered()]).save(folder / "mine.h5")
    return {
        "cut.keras": "not a complete zip",
        "flipped.keras": "is damaged",
        "empty.keras": "is empty",
        "other.keras": "is damaged",
        "cut.h5": "is damaged",
        "text.h5": "is damaged",
        "m.weights.h5": "weights without a model",
        "m.pb": "give the folder",
        "m.tflite": "converted for LiteRT",
        "m.onnx": "ONNX",
        "m.pt": "PyTorch",
        "m.json": "without weights",
        "m.txt": "wanted:",
        "m.zip": "unpack it",
        "empty": "no SavedModel",
        "versions": "versions/1",
        "no_weights": "is damaged",
        "cut_graph": "is damaged",
        "no_signature": "no signature to call",
        "lambda.keras": "would run that",
        "lambda.h5": "would run that",
        "mine.keras": "needs the class Unregistered",
        "mine.h5": "needs the class Unregistered",
        "nowhere.keras": "there is no file",
        "mtflite": "did you mean m.tflite?",
        "x" * 5000: "cannot be read",
        "a\0b.keras": "",
        " ": "no path was given",
    }


class Unregistered(layers.Layer):
    def call(self, x):
        return x


def test_every_wrong_or_damaged_file_is_told_in_one_sentence(saved, tmp_path, monkeypatch):
    cases = damaged(tmp_path, saved)
    monkeypatch.chdir(tmp_path)
    before = sorted(os.listdir())
    for name, words in cases.items():
        with pytest.raises(BadModel) as raised:
            own_model.diagnose(name, report_to="r.html", **QUICK)
        assert words in str(raised.value), name
        assert sentence(str(raised.value)), str(raised.value)
    assert sorted(os.listdir()) == before  # no report, no rest of one
    assert "LiteRT" in own_model.diagnose("lambda.keras", trust=True, **QUICK).medians
    assert own_model.diagnose(
        "mine.keras", custom_objects={"Unregistered": Unregistered}, **QUICK
    ).advice
    with pytest.raises(BadModel, match="no signature 'x'; there is serve"):
        own_model.inspect("versions/1", signature="x")
    with pytest.raises(BadModel, match="got a int"):
        own_model.diagnose(3)


def test_a_path_is_judged_without_tensorflow(tmp_path):
    code = (
        "import sys\nfrom labkit.own_model.paths import check_path\n"
        "try:\n    check_path('nowhere.keras')\nexcept ValueError as error:\n    print(error)\n"
        "print([n for n in ('tensorflow', 'keras', 'numpy') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "there is no file or folder nowhere.keras; check the spelling and the folder",
        "[]",
    ]


def test_a_folder_in_a_message_is_left_out():
    assert paths.plain(OSError(2, "No such file", "/home/someone/secret/m.h5")).endswith("'m.h5'")
    assert len(paths.plain(ValueError("word " * 500))) <= 160


# ---- what a rung may do wrong ----


def test_a_rung_with_another_result_is_neither_measured_nor_recommended(monkeypatch):
    def wrong(job):
        return lambda: [candidates.numpy_of(job.subject.call(job.x))[0] + 1]

    monkeypatch.setitem(candidates._PREPARE, candidates.LITERT, wrong)
    d = own_model.diagnose(lab.models.mlp(), **QUICK)
    assert d.refused["LiteRT"].startswith("another result: its answer differs")
    assert any("Do not use LiteRT" in a.text for a in d.advice) and d.best != "LiteRT"


def test_a_converter_that_fails_stops_nothing(monkeypatch):
    def fails(job):
        raise RuntimeError("'tf.StringLower' op is neither a custom op nor a flex op\n" * 50)

    monkeypatch.setitem(candidates._PREPARE, candidates.LITERT, fails)
    monkeypatch.setitem(candidates._PREPARE, candidates.XLA, lambda job: 1 / 0)
    d = own_model.diagnose(lab.models.mlp(), **QUICK)
    assert d.refused["LiteRT"] == "failed: LiteRT has no operation StringLower of its own"
    assert d.refused["XLA"] == "failed: ZeroDivisionError: division by zero"
    assert sum(a.about == "refused" for a in d.advice) == 2


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        (candidates.XLA, "(No registered 'Where' OpKernel for XLA_CPU_JIT", "operation Where"),
        (candidates.XLA, "must be a compile-time constant", "every shape"),
        (candidates.LITERT, "was passed float from AssignVariableOp", "changes its own variables"),
        (candidates.LITERT, "unresolved custom op: FlexFoo", "no operation FlexFoo"),
        (
            candidates.ORT,
            'In Node, ("a/b", LookupTableFindV2, "", -1)',
            "ONNX has no operation LookupTableFindV2",
        ),
        (candidates.LITERT, "failed to allocate memory for 1 GB", "memory of this machine"),
    ],
)
def test_a_page_of_a_converter_becomes_a_sentence(name, text, words):
    assert words in reasons.why(name, RuntimeError(text))


# ---- report and advice ----


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The diagnosis of the course's model, and its report."""
    path = tmp_path_factory.mktemp("whole") / "report.html"
    return own_model.diagnose(batches=[1, 16], budget=30, progress=False, report_to=path), path


def test_the_report_stands_alone_and_says_everything(whole):
    d, path = whole
    page = path.read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>") and page.rstrip().endswith("</html>")
    assert not re.search(r"<script|<link|src=\"(?!data:)|href=|https?:|url\(", page)
    pictures = re.findall(r'<img alt="([^"]+)" src="data:image/png;base64,([^"]+)"', page)
    assert len(pictures) == 2 and all(base64.b64decode(data)[1:4] == b"PNG" for _, data in pictures)
    for word in (
        "Recommendation",
        tf.__version__,
        keras.__version__,
        "processor",
        "load before",
        "numbers",
        "shop",
    ):
        assert word in page
    for a in d.advice:
        assert report.html.escape(a.text) in page and report.html.escape(a.evidence) in page
    for home in {
        str(Path.home()),
        str(path.parent),
        os.environ.get("USER") or "nobody-of-that-name",
    }:
        assert home == "/" or home not in page


def test_each_sentence_rests_on_a_measurement(whole):
    d, _ = whole
    assert [a.about for a in d.advice[:3]] == [
        "rung",
        "tensorflow",
        "first call",
    ] or d.best not in ("LiteRT",)
    assert all(
        "≈" in a.evidence or "none" in a.evidence
        for a in d.advice
        if a.about not in ("refused", "budget")
    )
    assert d.facts["dropout"].startswith("1 layer")
    assert d.machine["tensorflow"] == tf.__version__
    assert (
        d.plot().caption.startswith("Time per call with 1 row")
        and "rows per call" in d.plot("rows").caption
    )
    assert d.plot("break-even").caption.startswith("Total time")
    assert (
        "relative to model(x)" in repr(d) and "because:" in repr(d) and "<table" in d._repr_html_()
    )


def made(times, **more):
    """A diagnosis with such times per call, in ms, 40 rounds each without noise."""
    drawn = {name: [ms / 1e3 * (1 + 0.001 * i) for i in range(40)] for name, ms in times.items()}
    one = {name: drawn[name] for name in times if name != "predict"}
    rung = [
        ladder.Rung(n, first_call=0.5, gap=0.0)
        if n in times
        else ladder.Rung(n, ladder.FAILED, "it has no operation X")
        for n in candidates.LADDER
    ]
    predict = None
    if "predict" in times:
        predict = Comparison({n: drawn[n] for n in ("model(x)", "predict")}, "model(x)")
    first = dict.fromkeys(one, 0.5)
    return own_model.Diagnosis(
        "m",
        ".keras file",
        {},
        1,
        rung,
        Comparison(one, "model(x)", first_call=first),
        predict,
        **more,
    )


def about(d):
    return {a.about: a.text for a in d.advice}


def test_the_advice_follows_the_figures():
    small = made({"predict": 30, "model(x)": 2, "tf.function": 0.4, "XLA": 0.15, "LiteRT": 0.002})
    assert small.best == "LiteRT" and small.best_in_tensorflow == "XLA"
    assert about(small)["rung"].startswith("Call it through LiteRT")
    assert (
        "XLA is the best" in about(small)["tensorflow"]
        and "Do not use predict" in about(small)["predict"]
    )
    assert about(small)["overhead"].startswith("At least ≈99.9 %")
    small.one.first_call |= {
        "model(x)": 0.1,
        "LiteRT": 0.5,
    }  # 400 ms more at first, 2.04 ms less in each later call
    assert "paid for itself after ≈198 calls" in about(small)["first call"]
    large = made({"predict": 100, "model(x)": 100, "tf.function": 98, "XLA": 97})
    assert large.best == "model(x)" and about(large)["rung"].startswith("Leave model(x)")
    assert "arithmetic dominates" in about(large)["overhead"] and "predict" not in about(large)
    deep = made({"predict": 30, "model(x)": 200, "tf.function": 20, "concrete function": 19})
    assert deep.best == "tf.function"  # the simpler one of two that are as good
    assert about(deep)["predict"].startswith("Do not replace predict by model(x)")
    assert about(deep)["refused"].endswith("is not open to this model.")
    alone = made({"model(x)": 5})
    assert about(alone)["rung"].startswith("Leave model(x)")
    assert "reset it" in about(made({"model(x)": 5}, states=2))["state"]
    assert "differently each time" in about(made({"model(x)": 5}, random=True))["agreement"]


def test_rows_are_sent_together_only_where_that_pays():
    def many(per_row):
        rows = {"LiteRT, 1 row": [1e-3] * 40, "LiteRT, 32 rows": [per_row] * 40}
        return {32: Comparison(rows, "LiteRT, 1 row")}

    pays = about(made({"model(x)": 5, "LiteRT": 1}, many=many(1e-4)))["batch"]
    assert pays.startswith("Where rows may wait, send 32 rows in one call")
    assert about(made({"model(x)": 5, "LiteRT": 1}, many=many(9e-4)))["batch"].startswith(
        "Do not make requests wait"
    )


def test_a_report_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    target = tmp_path / "r.html"
    target.write_text("old")
    monkeypatch.setattr(
        os, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device"))
    )
    with pytest.raises(BadModel, match="No space left"):
        report.write("new", target)
    assert target.read_text() == "old" and os.listdir(tmp_path) == ["r.html"]


def test_advice_reads_as_text():
    assert str(advice.Advice("x", "Do this.", "that")) == "Do this.\n    because: that"


# ---- form and terminal ----


def test_the_form_measures_at_the_press_of_a_button(saved, tmp_path):
    shown = own_model.form(tmp_path / "r.html", progress=False)
    box = shown.widget()
    fields = {w.description: w for w in box.children[:-3]}
    button, _, result = box.children[-3:]
    fields["model"].value, fields["rows per call"].value = str(saved / "ok.keras"), "1"
    fields["seconds at most"].value = 20
    button.click()
    assert "<table" in result.value and "r.html" in result.value and shown.diagnosis.best
    assert (tmp_path / "r.html").exists() and not button.disabled
    fields["model"].value = "nowhere.keras"
    button.click()
    assert result.value.startswith("<b>Not measured:</b> there is no file")
    fields["rows per call"].value = "one"
    button.click()
    assert "whole numbers with commas" in result.value
    assert 'own_model.diagnose("my_model.keras"' in repr(shown)


def test_the_form_shows_its_twin_without_widgets(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data, **_: shown.append(data))
    monkeypatch.setattr(forms.Form, "widget", lambda self: (_ for _ in ()).throw(ImportError()))
    own_model.form()._ipython_display_()
    assert len(shown) == 1 and "own_model.diagnose" in shown[0]["text/html"]


def test_a_failure_nobody_thought_of_shows_in_the_form(monkeypatch):
    shown = own_model.form(progress=False)
    monkeypatch.setattr(forms, "diagnose", lambda *_, **__: 1 / 0)
    box = shown.widget()
    box.children[-3].click()
    assert "ZeroDivisionError" in box.children[-1].value


def terminal(*arguments, cwd):
    command = [sys.executable, "-m", "labkit", "own-model", *map(str, arguments)]
    environ = {
        **os.environ,
        "PYTHONPATH": str(Path(lab.__file__).parents[1]),
        "LABKIT_PROGRESS": "0",
    }
    return subprocess.run(
        command, capture_output=True, text=True, encoding="utf-8", cwd=cwd, env=environ, timeout=300
    )


def test_the_terminal_writes_the_same_report(saved, tmp_path):
    done = terminal(
        saved / "ok.keras", "--batch", 1, "--budget", 5, "--output", "mine.html", cwd=tmp_path
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "because:" in done.stdout and done.stdout.rstrip().endswith("The report: mine.html")
    assert "What to do with ok.keras" in (tmp_path / "mine.html").read_text(encoding="utf-8")


def test_the_terminal_tells_bad_input_in_one_sentence(tmp_path):
    done = terminal("nowhere.keras", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "") and os.listdir(tmp_path) == []
    assert done.stderr.rstrip() == (
        "python -m labkit own-model: there is no file or folder nowhere.keras; check the spelling and the folder"
    )
