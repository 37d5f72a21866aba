"""Each candidate gives the answer of the model, for models of every kind, and with each package."""

import importlib.util

import pytest
import tensorflow as tf
from benchmarks.own_models import HAND_MADE
from own_model_helpers import QUICK

from labkit import own_model
from labkit.own_model import answers, candidates, cases, litert, reasons, samples
from labkit.own_model.candidates import (
    CALL,
    CANDIDATES,
    LITERT,
    ON_BATCH,
    ORT,
    PREDICT,
    XLA,
    NotInstalled,
    NotSupported,
)
from labkit.own_model.loading import load
from labkit.own_model.silence import silence_all

QUICK_ONES = [name for name in CANDIDATES if name not in (LITERT, XLA, ORT)]
# The kinds that cannot be converted or compiled, and what the sentence says about it.
NOT_XLA = {"text": "is text", "sentences": "is text"}
NOT_LITERT = {
    "sentences": "no operation RaggedTensorToTensor",
    "half precision": "no operation BiasAdd, MatMul for inputs of these types",
    "bfloat16": "no operation BiasAdd, MatMul for inputs of these types",
}
NOT_ORT = {
    "text": "ONNX has no operation LookupTableFindV2",
    "sentences": "ONNX has no operation StaticRegexReplace",
    "stateful": "does not remember",
    "bfloat16": "mixes data types",
}
SHAPES = {"recurrent, any length": (5, 4)}
# A conversion for LiteRT takes seconds; these are all kinds of inputs and outputs.
FOR_LITERT = [
    "two inputs, two outputs",
    "dict inputs and outputs",
    "text",
    "fixed batch",
    "stateful",
    "bytes",
    "an input handed through",
]

needs_ort = pytest.mark.skipif(
    bool(candidates.missing_for_ort()), reason="onnxruntime or tf2onnx is not installed"
)
needs_ai_edge = pytest.mark.skipif(
    importlib.util.find_spec("ai_edge_litert") is None, reason="ai-edge-litert is not installed"
)


def but(excluded):
    return [kind for kind in HAND_MADE if kind not in excluded]


def case_of(kind):
    """Return a model of this kind with a batch of a size that it takes."""
    loaded = load(HAND_MADE[kind]())
    spec = samples.signature(loaded, shape=SHAPES.get(kind))
    [size] = cases.possible_sizes(loaded, spec, [3])
    return cases.case_for(loaded, spec, None, size)


def problem_of(name, kind):
    """Return how a candidate differs from the model, or why it cannot be used; else None."""
    case = case_of(kind)
    with silence_all():
        state = answers.ModelState(case.loaded, candidates.prepare(CALL, case))
        try:
            run = candidates.prepare(name, case)
            return state.problem_of(run, run())
        except Exception as error:
            return reasons.why(name, error)


@pytest.mark.parametrize("kind", HAND_MADE)
def test_the_candidates_that_convert_nothing_answer_as_the_model(kind):
    problems = {name: problem_of(name, kind) for name in QUICK_ONES}
    assert problems == dict.fromkeys(QUICK_ONES)


@pytest.mark.parametrize("kind", but(NOT_XLA))
def test_xla_answers_as_the_model(kind):
    assert problem_of(XLA, kind) is None


@pytest.mark.parametrize("kind", NOT_XLA)
def test_xla_is_not_tried_with_text(kind):
    # It would end the process after a few tries.
    with pytest.raises(NotSupported, match=NOT_XLA[kind]):
        candidates.prepare(XLA, case_of(kind))


def test_a_saved_model_has_no_predict(saved):
    loaded = load(saved / "ok")
    case = cases.case_for(loaded, samples.signature(loaded), None, 1)
    for name in (PREDICT, ON_BATCH):
        with pytest.raises(NotSupported, match="contains graphs, and no Keras model"):
            candidates.prepare(name, case)


# ---- LiteRT, with each package ----


@pytest.fixture(params=["tensorflow.lite", pytest.param("ai-edge-litert", marks=needs_ai_edge)])
def litert_package(request, monkeypatch):
    """The package whose interpreter is used."""
    if request.param == "tensorflow.lite":
        monkeypatch.setattr(
            litert, "interpreter_class", lambda: (tf.lite.Interpreter, "tensorflow.lite")
        )
    assert litert.interpreter_class()[1] == request.param
    return request.param


@pytest.mark.parametrize("kind", FOR_LITERT)
def test_litert_answers_as_the_model(kind, litert_package):
    assert problem_of(LITERT, kind) is None


@pytest.mark.parametrize("kind", NOT_LITERT)
def test_litert_says_why_it_cannot(kind):
    assert NOT_LITERT[kind] in problem_of(LITERT, kind)


def test_without_an_interpreter_nothing_is_converted(monkeypatch):
    def missing():
        raise ImportError("pip install ai-edge-litert")

    monkeypatch.setattr(candidates, "interpreter_class", missing)
    monkeypatch.setattr(tf.lite.TFLiteConverter, "from_concrete_functions", None)
    with pytest.raises(NotInstalled, match="pip install ai-edge-litert"):
        candidates.prepare(LITERT, case_of("integers"))


# ---- ONNX Runtime ----


@needs_ort
@pytest.mark.parametrize("kind", but(NOT_ORT))
def test_onnx_runtime_answers_as_the_model(kind):
    assert problem_of(ORT, kind) is None


@needs_ort
@pytest.mark.parametrize("kind", NOT_ORT)
def test_onnx_runtime_says_why_it_cannot(kind):
    assert NOT_ORT[kind] in problem_of(ORT, kind)


@needs_ort
def test_a_diagnosis_measures_onnx_runtime_and_names_its_version():
    d = own_model.diagnose(HAND_MADE["integers"](), candidates=[ORT], **QUICK)
    assert list(d.medians) == [CALL, ORT]
    assert d.best == ORT
    assert {"onnxruntime", "tf2onnx"} <= set(d.machine)


def test_without_its_packages_onnx_runtime_says_what_to_install(monkeypatch):
    monkeypatch.setattr(candidates, "missing_for_ort", lambda: ["tf2onnx"])
    d = own_model.diagnose(HAND_MADE["integers"](), candidates=[ORT], **QUICK)
    assert d.refused[ORT] == "not installed: pip install tf2onnx adds this candidate"
