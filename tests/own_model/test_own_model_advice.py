"""The advice follows the numbers, and each sentence names the measurement behind it."""

import numpy as np
import pytest
from own_model_helpers import made_diagnosis

from labkit.measure.processor import ProcessorUse
from labkit.measure.results import Comparison
from labkit.own_model import advice
from labkit.own_model.candidates import (
    ALL_THREADS,
    CALL,
    CONCRETE,
    FUNCTION,
    LITERT,
    ON_BATCH,
    ORT,
    PREDICT,
    XLA,
)
from labkit.own_model.prepare import (
    LEFT_OUT,
    MISMATCH,
    NOT_INSTALLED,
    NOT_SUPPORTED,
    SKIPPED,
    CandidateResult,
)


def sentences(d):
    """Return the text of the advice by what it is about."""
    return {sentence.about: sentence.text for sentence in d.advice}


def evidence(d):
    return {sentence.about: sentence.evidence for sentence in d.advice}


def scattered(seconds, sigma=0.8):
    """Return times whose median is known to a third only."""
    return list(seconds * np.random.default_rng(0).lognormal(0, sigma, 64))


SMALL = {PREDICT: 30, CALL: 2, FUNCTION: 0.4, XLA: 0.15, LITERT: 0.002}


def test_the_best_candidate_of_a_small_model_is_recommended():
    small = made_diagnosis(SMALL)
    assert (small.best, small.best_in_tensorflow) == (LITERT, XLA)
    found = small.advice[0]
    assert found.about == "candidate"
    assert found.text.startswith("Call it through LiteRT, the model converted for this shape")
    assert "≈0.00100× [" in found.text
    assert found.text.endswith("so it is ≈1,000 times as fast.")
    assert found.evidence == "the ladder: LiteRT ≈2.01 µs per call, model(x) ≈2.01 ms"
    assert "without a converted file, take XLA: ≈0.0750×" in sentences(small)["tensorflow"]
    assert sentences(small)["predict"].startswith("Do not use predict for 1 row: it takes ≈15.0×")
    assert "overhead" not in sentences(small)  # one batch size tells nothing about it


def test_a_file_that_gains_from_more_threads_gets_them():
    file = made_diagnosis({CALL: 2, ALL_THREADS: 1})
    file.ladder = [CandidateResult(name, first_call=0.5, gap=0.0) for name in (CALL, ALL_THREADS)]
    assert file.best == ALL_THREADS
    text = sentences(file)["candidate"]
    assert text.startswith("Give it a thread for each processor: it takes ≈0.500×")


def test_a_slow_first_call_is_paid_back():
    small = made_diagnosis(SMALL)
    # 400 ms more at first, 2 ms less in each later call.
    small.one.first_call |= {CALL: 0.1, LITERT: 0.5}
    assert "paid for itself after ≈201 calls" in sentences(small)["first call"]
    assert evidence(small)["first call"].startswith("the first call takes ≈500 ms")


def test_a_large_model_is_left_as_it_is():
    large = made_diagnosis({PREDICT: 100, CALL: 100, FUNCTION: 98, XLA: 97})
    assert large.best == CALL
    assert sentences(large)["candidate"].startswith("Leave model(x) as it is")
    assert evidence(large)["candidate"].startswith("the best of the others, XLA, takes ≈0.970×")
    assert not {"predict", "first call", "tensorflow", "overhead"} & set(sentences(large))


def test_of_two_that_are_as_good_the_simpler_one_is_recommended():
    deep = made_diagnosis({PREDICT: 30, CALL: 200, FUNCTION: 20, CONCRETE: 19})
    assert deep.best == FUNCTION
    assert "tensorflow" not in sentences(deep)  # it is within TensorFlow already
    replace = sentences(deep)["predict"]
    assert replace.startswith("Do not replace predict with model(x), as is often advised")


def test_python_calls_explain_why_predict_is_faster():
    deep = made_diagnosis({PREDICT: 30, CALL: 200})
    for result in deep.ladder:
        result.python_calls = 235_000
    assert "one model(x) makes 235,000 Python calls" in evidence(deep)["predict"]


def test_model_x_alone_is_left_as_it_is():
    alone = made_diagnosis({CALL: 5})
    assert sentences(alone)["candidate"].startswith("Leave model(x)")
    assert evidence(alone)["candidate"] == "no other candidate could be measured"


def test_what_is_not_shown_to_be_faster_is_not_recommended():
    unsure = made_diagnosis({CALL: 2.0, FUNCTION: 1.7}, noise=0.0)
    unsure.one.samples[FUNCTION] = scattered(1.7e-3)
    assert unsure.best == CALL
    text = sentences(unsure)["candidate"]
    assert text.endswith("no other candidate is shown to be faster by a tenth.")
    assert "the best of the others, tf.function, takes ≈0." in evidence(unsure)["candidate"]


def test_the_ratio_within_rounds_decides_not_the_medians():
    """In most rounds tf.function takes longer; the others were slow for both."""
    slow_machine = made_diagnosis({CALL: 2.0, FUNCTION: 2.4}, noise=0.0)
    slow_machine.one.samples[CALL] = [2.0e-3, 9.0e-3, 2.0e-3, 9.0e-3] * 16
    slow_machine.one.samples[FUNCTION] = [2.4e-3, 2.4e-3, 2.4e-3, 10.8e-3] * 16
    medians = {name: time.value for name, time in slow_machine.one.median.items()}
    assert medians[FUNCTION] < medians[CALL]
    assert slow_machine.best == CALL
    assert "first call" not in sentences(slow_machine)


def test_the_ratio_within_rounds_ranks_two_graphs_too():
    """XLA takes 0.7 times as long in most rounds, but was measured in the slower ones."""
    ranked = made_diagnosis({CALL: 20, FUNCTION: 2, XLA: 1.4}, noise=0.0)
    ranked.one.samples[CALL] = [20e-3, 90e-3, 20e-3, 90e-3] * 16
    ranked.one.samples[FUNCTION] = [2e-3, 2e-3, 2e-3, 9e-3] * 16
    ranked.one.samples[XLA] = [1.4e-3, 6.3e-3, 1.4e-3, 6.3e-3] * 16
    medians = {name: time.value for name, time in ranked.one.median.items()}
    assert medians[FUNCTION] < medians[XLA]
    assert ranked.best == XLA


def test_two_that_nothing_tells_apart_are_as_good():
    close = made_diagnosis({CALL: 20, FUNCTION: 2, XLA: 1.7}, noise=0.0)
    close.one.samples[XLA] = scattered(1.7e-3)
    assert close.best == FUNCTION


def test_what_is_certain_goes_before_what_is_simple():
    """A busy machine: predict_on_batch may be slower than model(x), LiteRT is surely faster."""
    busy = made_diagnosis({CALL: 20, ON_BATCH: 6, LITERT: 3}, noise=0.0)
    busy.one.samples[ON_BATCH] = scattered(6e-3, 4)
    assert busy.one.is_faster(LITERT, than=CALL, by=1.1).holds is True
    assert busy.one.is_faster(ON_BATCH, than=CALL, by=1.1).holds is None
    assert busy.best == LITERT
    assert "tensorflow" not in sentences(busy)  # nothing else is certain
    busy = made_diagnosis({CALL: 20, ON_BATCH: 6, CONCRETE: 4, LITERT: 3}, noise=0.0)
    busy.one.samples[ON_BATCH] = scattered(6e-3, 4)
    assert busy.best_in_tensorflow == CONCRETE


def test_what_is_not_certain_is_not_said_as_if_it_were():
    few = made_diagnosis({CALL: 20, FUNCTION: 6, LITERT: 3})
    for name, samples in few.one.samples.items():
        few.one.samples[name] = samples[:1]
    inside = sentences(few)["tensorflow"]
    assert "without a converted file, try tf.function" in inside
    assert inside.endswith("The budget was too short for certainty.")
    assert "times as fast" not in inside


def test_too_few_rounds_are_ranked_by_what_there_is():
    few = made_diagnosis({CALL: 20, FUNCTION: 2, XLA: 1.95}, noise=0.0)
    for name, samples in few.one.samples.items():
        few.one.samples[name] = samples[:1]
    assert few.best == FUNCTION


# ---- overhead and arithmetic: only with two batch sizes ----


def with_two_sizes(milliseconds, together, **times):
    """Return a diagnosis in which a call with 32 rows takes this many times as long as with one."""
    name = milliseconds.pop("name", CALL)
    samples = {f"{name}, 1 row": [1e-3] * 64, f"{name}, 32 rows": [together * 1e-3 / 32] * 64}
    return made_diagnosis(milliseconds, many={32: Comparison(samples, f"{name}, 1 row")}, **times)


def test_what_does_not_depend_on_the_rows_is_the_price_of_calling():
    d = with_two_sizes({CALL: 5, FUNCTION: 5}, together=1.5)
    assert "At least ≈98.4 % of a call with 1 row" in sentences(d)["overhead"]
    assert "≈1.50× to ≈1.50× the time of 1 row, through model(x)" in evidence(d)["overhead"]


def test_time_that_grows_with_the_rows_needs_a_smaller_model():
    d = with_two_sizes({CALL: 5, FUNCTION: 5}, together=31)
    assert "only a smaller model" in sentences(d)["overhead"]


@pytest.mark.parametrize(
    "d",
    [
        made_diagnosis({CALL: 5}),
        made_diagnosis({PREDICT: 3, CALL: 5}),
        made_diagnosis({CALL: 5, FUNCTION: 1}),
        made_diagnosis({CALL: 5, FUNCTION: 4.9}),
        with_two_sizes({CALL: 5}, together=31),  # no graph was measured
        with_two_sizes({CALL: 5, FUNCTION: 5}, together=16),  # neither nor
        with_two_sizes({CALL: 5, FUNCTION: 1}, together=31),  # of a candidate that is not the best
    ],
)
def test_nothing_is_said_about_overhead_without_a_measurement_of_it(d):
    assert "overhead" not in sentences(d)


def test_a_busy_machine_is_said_first():
    d = made_diagnosis({CALL: 5, FUNCTION: 1})
    d.one.processor = ProcessorUse(others=0.62)
    assert d.advice[0].about == "busy"
    assert "≈62.0 % of the processor" in d.advice[0].evidence
    d.one.processor = ProcessorUse(others=0.05)
    assert d.advice[0].about == "candidate"


def test_a_model_that_remembers_needs_a_copy_for_each_stream():
    assert "reset it" in sentences(made_diagnosis({CALL: 5}, states=2))["state"]
    assert "state" not in sentences(made_diagnosis({CALL: 5}))


def test_answers_at_random_are_not_compared():
    found = sentences(made_diagnosis({CALL: 5, FUNCTION: 1}, random=True))["agreement"]
    assert "differently each time" in found


def test_equal_answers_are_said_to_be_equal():
    d = made_diagnosis({CALL: 5, FUNCTION: 1})
    assert sentences(d)["agreement"] == "The candidates in the ladder give the same answer."
    assert evidence(d)["agreement"].endswith("over 2 candidates and all outputs: none")
    for result in d.ladder:
        result.gap = 1e-6
    assert evidence(d)["agreement"].endswith("≈0.000100 % of the largest value")


# ---- what was not measured ----


def with_states(*results):
    d = made_diagnosis({CALL: 5}, budget=60)
    d.ladder = [d.ladder[1], *results]
    return d


def test_candidates_that_cannot_be_used_for_one_reason_share_a_sentence():
    d = with_states(
        CandidateResult(PREDICT, NOT_SUPPORTED, "it is a SavedModel"),
        CandidateResult(FUNCTION, NOT_SUPPORTED, "it is a SavedModel"),
        CandidateResult(XLA, NOT_SUPPORTED, "its input is text"),
    )
    refused = [(a.text, a.evidence) for a in d.advice if a.about == "refused"]
    assert refused == [
        ("predict and tf.function cannot be used with this model.", "it is a SavedModel"),
        ("XLA cannot be used with this model.", "its input is text"),
    ]


def test_a_different_answer_is_warned_of():
    d = with_states(CandidateResult(XLA, MISMATCH, "its answer differs: 1 instead of 2"))
    assert sentences(d)["agreement"] == "Do not use XLA: it gives a different answer."


def test_what_the_budget_left_out_is_named():
    d = with_states(
        CandidateResult(XLA, SKIPPED, ""),
        CandidateResult(LITERT, SKIPPED, ""),
        CandidateResult(CONCRETE, SKIPPED, ""),
    )
    text = sentences(d)["budget"]
    assert text == "Give a larger time budget to see XLA, LiteRT and concrete function."
    assert evidence(d)["budget"] == "60 s were not enough to prepare them as well"


@pytest.mark.parametrize("state", [LEFT_OUT, NOT_INSTALLED])
def test_what_the_caller_left_out_needs_no_advice(state):
    d = with_states(CandidateResult(ORT, state, "pip install it"))
    assert not {"refused", "budget"} & set(sentences(d))


# ---- rows sent together ----


def sent_together(per_row, size=32):
    """Return a diagnosis in which a row costs 1 ms at 1 row, and this many ms at another size."""
    samples = {
        "LiteRT, 1 row": [1e-3] * 64,
        f"LiteRT, {size} rows": [per_row * 1e-3] * 64,
    }
    many = {size: Comparison(samples, "LiteRT, 1 row")}
    return made_diagnosis({CALL: 5, LITERT: 1}, many=many)


def test_rows_are_sent_together_where_that_pays():
    pays = sent_together(0.1)
    text = sentences(pays)["batch"]
    assert text.startswith("Where rows may wait, send 32 rows in one call: through LiteRT a row")
    assert "≈0.100× [0.100, 0.100] what it costs with 1 row per call" in text
    assert evidence(pays)["batch"] == (
        "time per row: ≈100 µs with 32 rows, ≈1.00 ms with 1 row; ≈10,000 rows/s"
    )


def test_nobody_waits_where_it_does_not_pay():
    assert sentences(sent_together(0.9))["batch"].startswith("Do not make requests wait")


def test_what_is_not_shown_about_a_batch_is_not_advised():
    unsure = sent_together(0.7)
    unsure.many[32].samples["LiteRT, 32 rows"] = scattered(0.65e-3)
    assert sentences(unsure)["batch"].startswith("Measure longer to see whether 32 rows")


def test_a_batch_is_advised_through_the_best_candidate_only():
    samples = {"model(x), 1 row": [1e-3] * 64, "model(x), 32 rows": [1e-4] * 64}
    d = made_diagnosis({CALL: 5, LITERT: 1}, many={32: Comparison(samples, "model(x), 1 row")})
    assert d.best == LITERT
    assert "batch" not in sentences(d)


def test_candidates_of_one_size_are_named():
    d = made_diagnosis({CALL: 5, FUNCTION: 1, XLA: 0.5, LITERT: 0.1})
    said = sentences(d)["agreement"]
    assert said.endswith("XLA and LiteRT take 1 row per call and no other number.")


def test_smaller_batches_need_no_waiting():
    d = made_diagnosis({CALL: 5, LITERT: 1})
    d.batch = 32
    samples = {"LiteRT, 32 rows": [1e-3] * 64, "LiteRT, 1 row": [1e-4] * 64}
    d.many = {1: Comparison(samples, "LiteRT, 32 rows")}
    assert sentences(d)["batch"].startswith("Send 1 row in one call")


def test_advice_reads_as_text():
    assert str(advice.Advice("x", "Do this.", "that")) == "Do this.\n    because: that"
