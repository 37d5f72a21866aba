"""What the tests of own_model share."""

import numpy as np

from labkit.measure.results import Comparison
from labkit.own_model import Diagnosis
from labkit.own_model.candidates import CALL, CANDIDATES, PREDICT, Case
from labkit.own_model.loading import LoadedModel
from labkit.own_model.prepare import FAILED, CandidateResult

QUICK = {"batches": [1], "budget": 30, "progress": False}


def is_sentence(text):
    """Return whether a text is one short line that a person can act on."""
    if "\n" in text or "Traceback" in text or "/tmp" in text:
        return False
    return 15 < len(text) < 400


def fake_case(answer=None):
    """Return a case of a model that gives `answer`, without TensorFlow's part in it."""
    if answer is None:
        answer = [np.ones((1, 2), "float32")]
    loaded = LoadedModel(
        "m", "Keras model", lambda x: answer, spec=None, model=None, keras=True, weights=list
    )
    return Case(loaded, np.zeros((1, 3), "float32"), None)


def made_diagnosis(milliseconds, *, noise=0.001, **more):
    """Return a diagnosis with these times per call; the candidates without a time have failed."""
    samples = {}
    for name, ms in milliseconds.items():
        samples[name] = [ms / 1e3 * (1 + noise * (i % 7)) for i in range(64)]
    ladder = []
    for name in CANDIDATES:
        if name in milliseconds:
            ladder.append(CandidateResult(name, first_call=0.5, gap=0.0))
        else:
            ladder.append(CandidateResult(name, FAILED, f"{name} has no operation X"))
    predict = None
    if PREDICT in milliseconds:
        pair = {name: samples[name] for name in (CALL, PREDICT)}
        predict = Comparison(pair, CALL)
    quick = {name: times for name, times in samples.items() if name != PREDICT}
    one = Comparison(quick, CALL, first_call=dict.fromkeys(quick, 0.5))
    return Diagnosis("m", ".keras file", {}, 1, ladder, one, predict, **more)
