"""The code that is shown for the best candidate runs, and gives the answer of the model."""

import hashlib
import html
import os

import keras
import numpy as np
import pytest
import tensorflow as tf
from benchmarks.own_models import HAND_MADE
from own_model_helpers import QUICK

import labkit as lab
from labkit import own_model
from labkit.own_model import BadModel, keep, origin, usage
from labkit.own_model.callers import call_at_once
from labkit.own_model.candidates import (
    CALL,
    CONCRETE,
    FUNCTION,
    LITERT,
    ON_BATCH,
    PREDICT,
    XLA,
    numpy_of,
)
from labkit.own_model.silence import silence_all

ALONE = {"candidates": [CALL], "service": False, **QUICK}


@pytest.fixture
def in_folder(saved, tmp_path, monkeypatch):
    """A folder with the course's model of two inputs and links to the small ones; we are in it."""
    own_model.default_model(tmp_path)
    for name in ("ok.keras", "ok.h5", "ok"):
        os.symlink(saved / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def diagnosed(source, candidate, **options):
    """Return a diagnosis in which one candidate is ready besides model(x)."""
    return own_model.diagnose(source, candidates=[candidate], **QUICK, **options)


def run_code(code):
    """Run a program as a person would, and return its names."""
    names = {}
    with silence_all():
        exec(compile(code, "code", "exec"), names)
    return names


def lines_of(code):
    return [line for line in code.splitlines() if line.strip()]


def zeros_of(d):
    """Return the answer of the model to zeros."""
    case = d.origin.case
    x = tf.nest.map_structure(lambda leaf: np.zeros(leaf.shape, leaf.dtype.name), case.spec)
    return numpy_of(case.loaded.call(x))


def check_answer(answer, expected):
    for got, wanted in zip(numpy_of(answer), expected, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("source", ["ok.keras", "price.keras", "ok.h5"])
@pytest.mark.parametrize("name", [CALL, PREDICT, ON_BATCH, FUNCTION, CONCRETE, XLA])
def test_the_code_of_a_keras_file_runs(source, name, in_folder):
    d = own_model.diagnose(source, **ALONE)
    code = usage.code_for(d.origin, name)
    assert 5 <= len(lines_of(code)) <= 12
    assert source in code
    check_answer(run_code(code)["answer"], zeros_of(d))


@pytest.mark.parametrize("name", [CALL, FUNCTION, CONCRETE, XLA])
def test_the_code_of_a_saved_model_runs(name, in_folder):
    d = own_model.diagnose("ok", **ALONE)
    code = usage.code_for(d.origin, name)
    assert 'tf.saved_model.load("ok")' in code
    check_answer(run_code(code)["answer"], zeros_of(d))


@pytest.mark.parametrize("source", ["ok.keras", "price.keras", "ok"])
def test_the_code_of_litert_runs_in_many_threads(source, in_folder):
    d = diagnosed(source, LITERT, keep_in=".")
    assert d.best == LITERT
    assert d.kept.name == usage.needs_file(d.origin, LITERT)
    assert 5 <= len(lines_of(d.code)) <= 14
    names = run_code(d.code)
    expected = zeros_of(d)
    check_answer(names["answer"], expected)
    inputs = tf.nest.flatten(d.origin.case.x)
    wanted = numpy_of(d.origin.case.loaded.call(d.origin.case.x))
    runs = [lambda: check_answer(names["call"](*inputs), wanted)] * 4
    assert call_at_once(runs, 0.2).calls.count >= 4


@pytest.mark.parametrize("kind", ["two inputs, two outputs", "dict inputs and outputs", "text"])
def test_code_has_the_structure_of_the_input(kind):
    model = HAND_MADE[kind]()
    d = own_model.diagnose(model, **ALONE)
    code = usage.code_for(d.origin, CALL)
    assert "# model is your Keras model" in code
    names = {"model": model}
    exec(code, names)
    assert len(numpy_of(names["answer"])) == len(
        numpy_of(d.origin.case.loaded.call(d.origin.case.x))
    )


def test_the_same_code_is_in_the_terminal_the_cell_and_the_report(in_folder):
    d = diagnosed("price.keras", FUNCTION, report_to="r.html")
    page = html.unescape((in_folder / "r.html").read_text(encoding="utf-8"))
    assert d.code and d.code in page
    assert d.code in html.unescape(d._repr_html_())
    assert all(line in repr(d) for line in lines_of(d.code))


def test_a_name_with_quotes_stays_a_name(in_folder):
    odd = 'a "b" \\ c.keras'
    lab.models.mlp().save(in_folder / odd)
    d = own_model.diagnose(odd, **ALONE)
    check_answer(run_code(usage.code_for(d.origin, CALL))["answer"], zeros_of(d))


def test_an_absolute_path_shows_no_folder(saved):
    d = own_model.diagnose(saved / "ok.keras", **ALONE)
    assert 'load_model("ok.keras"' in usage.code_for(d.origin, CALL)
    assert (
        d.origin.command == "python -m labkit own-model ok.keras --batch 1 --budget 30 --no-service"
    )


# ---- the converted file ----


@pytest.mark.parametrize("name", [FUNCTION, XLA])
def test_a_graph_is_kept_as_a_saved_model(name, in_folder):
    d = own_model.diagnose("price.keras", **ALONE)
    kept = keep.keep(d.origin, name, in_folder, force=False)
    assert kept.name == "price_saved_model"
    loaded = tf.saved_model.load(str(kept))
    check_answer(
        loaded.serve(d.origin.case.x), numpy_of(d.origin.case.loaded.call(d.origin.case.x))
    )


def test_nothing_is_kept_over_a_file_without_force(in_folder):
    (in_folder / "ok.tflite").write_text("mine")
    with pytest.raises(BadModel, match=r"ok\.tflite exists in this folder"):
        own_model.diagnose("ok.keras", keep_in=".", **QUICK)
    d = diagnosed("ok.keras", LITERT)
    with pytest.raises(BadModel, match="exists in this folder"):
        d.keep(".")
    assert (in_folder / "ok.tflite").read_text() == "mine"
    d.keep(".", force=True)
    assert (in_folder / "ok.tflite").read_bytes()[4:8] == b"TFL3"
    (in_folder / "ok.tflite").unlink()
    (in_folder / "ok.tflite").mkdir()
    with pytest.raises(BadModel, match=r"ok\.tflite is a folder"):
        d.keep(".", force=True)


def test_a_model_called_as_it_is_has_no_converted_file(in_folder):
    d = own_model.diagnose("ok.keras", keep_in="new", **ALONE)
    assert d.kept is None
    assert "no converted file was written: model(x) calls the model as it is" in d.notes
    with pytest.raises(BadModel, match="nothing was converted"):
        d.keep(".")


def test_a_folder_for_converted_files_is_checked_first(in_folder):
    with pytest.raises(BadModel, match=r"ok\.keras is a file: give a folder"):
        own_model.diagnose("ok.keras", keep_in="ok.keras")
    with pytest.raises(BadModel, match="there is no folder nowhere: make it first"):
        own_model.diagnose("ok.keras", keep_in="nowhere/kept")


# ---- where it comes from ----


def test_the_file_is_named_by_size_and_hash(saved):
    d = own_model.diagnose(saved / "ok.keras", **ALONE)
    content = (saved / "ok.keras").read_bytes()
    assert (d.origin.size, d.origin.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    details = dict(d.details.cells)
    assert details["size of the file"] == f"{len(content):,} bytes"
    assert details["device"].startswith(("CPU", "GPU"))
    folder = origin.size_and_hash(saved / "ok")
    assert folder == origin.size_and_hash(saved / "ok")
    assert folder[0] > 1000


@pytest.mark.parametrize("threads", [0, True, 1.5, "2"])
def test_a_number_of_threads_is_checked(threads):
    with pytest.raises(BadModel, match="threads are a whole number"):
        own_model.diagnose("m.keras", threads=threads)


def test_threads_cannot_change_once_tensorflow_has_started():
    tf.constant(0)
    with pytest.raises(BadModel, match="TensorFlow has started"):
        own_model.diagnose(keras.Sequential(), threads=3)


@pytest.mark.parametrize(
    ("details", "name"), [({"device_name": "NVIDIA A1"}, "NVIDIA A1"), ({}, "without a name")]
)
def test_a_gpu_is_named(monkeypatch, details, name):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: ["/GPU:0"])
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda device: details)
    words = origin.device_in_words()
    assert words.startswith("GPU: ") and name in words
    assert words.endswith("LiteRT and ONNX Runtime were run on the CPU")
