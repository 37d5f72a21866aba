"""Exercises of lesson 13: one call, as fast as the machine allows."""

import contextlib
import importlib.util
import itertools
import math
import random
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

from ...measure.count import count
from .engine import (
    NotYet,
    agree,
    exercise,
    expect_function,
    expect_result,
    is_nothing,
    type_of,
)
from .steps import NoEnd, limited_lines
from .watched import INPUTS, signed_rows

EIGHT_WAYS = "Eight ways to make one call"
LIMIT = "How close is it to the limit?"
BREAKS = "It breaks like this"
MOST_CALLS = 40
MOST_CALLS_OF_CONVOLUTIONS = 150


def _with_random_biases(model: Any) -> Any:
    """Return the model with biases that are not zero: without them it gives other answers."""
    import numpy as np

    numbers = np.random.default_rng(random.randrange(10_000))
    weights = model.get_weights()
    for i, array in enumerate(weights):
        if array.ndim == 1:
            weights[i] = numbers.uniform(-0.5, 0.5, array.shape).astype("float32")
    model.set_weights(weights)
    return model


def _new_service() -> Any:
    """Return a model like the service, with other sizes."""
    import keras

    from ..models import mlp

    width, depth = random.randrange(8, 40), random.randrange(2, 6)
    model = mlp(width=width, depth=depth, inputs=INPUTS, seed=random.randrange(1000))
    model.add(keras.layers.Activation("sigmoid"))
    return _with_random_biases(model)


# ---- 13.1 ----


@exercise(
    "13.1",
    "answer one row with 40 Python calls",
    section=EIGHT_WAYS,
    hints=(
        "Which candidates make fewer than 40 Python calls for one row? The last column of the "
        "table says it.",
        "Take the weights out once: [layer.get_weights() for layer in model.layers if "
        "layer.weights]. `float(...)` of one element makes a number that JSON takes.",
        "For all layers but the last: row = np.maximum(row @ kernel + bias, 0), beginning with the "
        "request. For the last: x = row @ kernel + bias, and the score is 1 / (1 + np.exp(-x[0])).",
    ),
)
def _check_make_score(make_score: Any) -> str:
    calls = max(_score_requests(make_score) for _ in range(3))
    if calls > MOST_CALLS:
        seen = f"{calls:,} Python calls for one request"
        wanted = f"at most {MOST_CALLS}: look at the candidates below XLA in the table"
        raise NotYet(seen, wanted, EIGHT_WAYS)
    return "at most 40 Python calls for one request, the scores are those of the model"


def _score_requests(make_score: Callable) -> int:
    """Compare the scores of twenty requests, and return the number of Python calls for one."""
    model = _new_service()
    data = 3 * signed_rows(20)
    wanted = model(data).numpy()[:, 0]
    score = expect_function(
        make_score(model), "make_score", "a function that takes one request", EIGHT_WAYS
    )
    for i, row in enumerate(data):
        got = score(row.tolist())
        expect_result(got, "a score", EIGHT_WAYS, name="score")
        if not isinstance(got, float):
            seen = f"score returned {type_of(got)}"
            raise NotYet(seen, "a Python float, which JSON takes", EIGHT_WAYS)
        agree(got, wanted[i], f"for request {i}", EIGHT_WAYS)
    request = signed_rows(1)[0].tolist()  # a new one: the answers to the others may be kept
    with count() as seen_calls:
        score(request)
    if seen_calls.traces:
        seen = f"traces for a request like those before: {seen_calls.traces}"
        raise NotYet(seen, "none: prepare outside of the score", EIGHT_WAYS)
    return seen_calls.python_calls


# ---- 13.2 ----


@exercise(
    "13.2",
    "LiteRT for any number of rows",
    section=BREAKS,
    hints=(
        "An interpreter takes one number of rows. Which one do you need for this batch, and was "
        "it there before?",
        "`own_model.litert_interpreter(content, rows.shape)` prepares one. A dict, by the number "
        "of rows, keeps those that you have.",
        "engines = {}; in answer(rows): if len(rows) not in engines, prepare one and keep it; then "
        "set_tensor, invoke, get_tensor. The indices: engine.get_input_details()[0]['index'].",
    ),
)
def _check_make_engine(make_engine: Any) -> str:
    model = _new_service()
    content = _converted(model)
    sizes = [3, 1, 3, random.randrange(4, 9), 1, random.randrange(9, 20), 3]
    larger = [random.randrange(33, 100), random.randrange(300, 3000)]
    given: list[tuple[Any, Any]] = []
    with _watched_interpreters() as made:
        answer = expect_function(
            make_engine(content), "make_engine", "a function that takes rows (n, 20)", BREAKS
        )
        for some in (sizes, larger):
            given += [_answer_batch(answer, model, size, made) for size in some]
            for batch, got in given:  # once more: a later call must change no answer before it
                where = f"for {len(batch)} rows, after the later calls"
                agree(got, model(batch), where, BREAKS)
    sizes += larger
    _expect_one_preparation_a_size(made["allocate_tensors"], sizes)
    return "one invoke for each batch, one preparation for each number of rows, results equal"


def _converted(model: Any) -> bytes:
    """Return a model in LiteRT's format."""
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.tflite"
        model.export(str(path), format="litert", verbose=False)
        return path.read_bytes()


def _interpreter_classes() -> list[Any]:
    """Return the interpreter of TensorFlow, and that of ai-edge-litert if it is installed."""
    import tensorflow as tf

    classes = [tf.lite.Interpreter]
    if importlib.util.find_spec("ai_edge_litert"):
        classes.append(importlib.import_module("ai_edge_litert.interpreter").Interpreter)
    return classes


@contextlib.contextmanager
def _watched_interpreters() -> Iterator[Counter]:
    """Count the calls of two methods of every interpreter, whichever package it comes from."""
    calls: Counter = Counter()
    with contextlib.ExitStack() as stack:
        for one in _interpreter_classes():
            for name in ("allocate_tensors", "invoke"):
                counting = _counting(getattr(one, name), name, calls)
                stack.enter_context(mock.patch.object(one, name, counting))
        yield calls


def _counting(method: Callable, name: str, calls: Counter) -> Callable:
    def counted(self: Any, *args: Any, **options: Any) -> Any:
        calls[name] += 1
        return method(self, *args, **options)

    return counted


_BY_LITERT = "LiteRT's answers, from `content`, by set_tensor, invoke and get_tensor"


def _answer_batch(answer: Callable, model: Any, size: int, made: Counter) -> tuple[Any, Any]:
    """Compare the answers to one batch, look at how many times the engine ran, and return both."""
    batch = signed_rows(size)
    before = made["invoke"]
    got = answer(batch)
    expect_result(got, "the answers", BREAKS, name="answer")
    if getattr(got, "shape", (size,))[:1] != (size,):
        raise NotYet(f"{len(got)} answers for {size} rows", f"{size}", BREAKS)
    agree(got, model(batch), f"for {size} rows", BREAKS)
    ran = made["invoke"] - before
    if ran == 0:
        raise NotYet("no interpreter was invoked", _BY_LITERT, BREAKS)
    if ran > 1:
        raise NotYet(f"{ran} calls of invoke for {size} rows", "one for all of them", BREAKS)
    return batch, got


def _expect_one_preparation_a_size(prepared: int, sizes: list[int]) -> None:
    different = len(set(sizes))
    if prepared > different:
        seen = f"allocate_tensors was called {prepared} times for {len(sizes)} batches"
        wanted = f"at most {different} times, as {different} different numbers of rows came"
        raise NotYet(seen, wanted, BREAKS)


# ---- 13.3 ----

# Layers, operations per second, bytes per second. In the first, arithmetic and memory take the same
# time for 6 rows, in floating-point numbers too.
TIE = ([(2, 4)], 32.0, 64.0)
NEVER = ([(4, 4)], 1000.0, 10.0)
NEVER_BY_A_HAIR = ([(4, 4)], 32.0, 32.0)
# A further row brings hardly more arithmetic than memory.
MILLIONS = (
    ([(356, 912)], 2.0**37, 2.0**30),
    ([(416, 666)], 2.0**37, 2.0**30),
    ([(420, 656)], 2.0**37, 2.0**30),
    ([(456, 584)], 2.0**37, 2.0**30),
)
FROM_THE_FIRST_ROW_ON = ([(512, 512)], 1e6, 1e9)


@exercise(
    "13.3",
    "where arithmetic becomes the limit",
    section=LIMIT,
    hints=(
        "For a given n, how long do the operations take at the peak, and how long do the bytes "
        "take? Which of the two is longer for one row?",
        "With more rows both grow. If a further row adds more seconds of memory than of "
        "arithmetic, arithmetic never catches up.",
        "each = 2 * sum(a * b) / peak and more = 4 * sum(a + b) / bandwidth are the seconds of a "
        "further row; once = 4 * sum(a * b + b) / bandwidth are those of the weights. n * each >= "
        "once + n * more has no solution if each <= more.",
    ),
)
def _check_rows_to_the_peak(rows_to_the_peak: Any) -> str:
    cases: list[Case]
    cases = [_random_case() for _ in range(40)]
    cases += [TIE, NEVER, FROM_THE_FIRST_ROW_ON, NEVER_BY_A_HAIR]
    for case in cases:
        with limited_lines():  # counting up may never end
            _try_case(rows_to_the_peak, case)
    for case in (_large_case(), _large_case(), random.choice(MILLIONS)):
        _try_case(rows_to_the_peak, case)
    return "the right number of rows for wide and narrow layers, and None where there is none"


# Layers, operations per second, bytes per second.
Case = tuple[list[tuple[int, int]], float, float]


def _random_layers() -> list[tuple[int, int]]:
    """Return layers that fit together."""
    widths = [random.randrange(2, 600) for _ in range(random.randrange(2, 6))]
    return list(itertools.pairwise(widths))


def _random_case() -> Case:
    """Return layers, a peak and a bandwidth, for which fewer than 1,000 rows are enough."""
    while True:
        case = _random_layers(), random.uniform(10, 200) * 1e9, random.uniform(5, 80) * 1e9
        wanted = _right_number(*case)
        if wanted is None or wanted < 1000:
            return case


def _large_case() -> Case:
    """Return layers, a peak and a bandwidth, for which thousands of rows are needed."""
    shapes, bandwidth = _random_layers(), random.uniform(5, 80) * 1e9
    rows = random.randrange(1000, 30_000) - 0.5
    moved = 4 * sum(a + b + (a * b + b) / rows for a, b in shapes)
    return shapes, 2 * sum(a * b for a, b in shapes) * bandwidth / moved, bandwidth


def _try_case(rows_to_the_peak: Callable, case: Case) -> None:
    """Compare the answer for one case; a None that is wrong may be a `return` that is missing."""
    wanted = _right_number(*case)
    try:
        got = rows_to_the_peak(*case)
        if got is None and wanted is not None:
            got = _NONE if rows_to_the_peak(*FROM_THE_FIRST_ROW_ON) is not None else None
    except NoEnd:
        got = _NO_END
    _compare_number(got, wanted, case)


_NONE = object()  # a None that was meant
_NO_END = object()


def _seconds(shapes: list, n: int, peak: float, bandwidth: float) -> tuple[float, float]:
    """Return the seconds of the arithmetic, and those of the memory."""
    operations = 2 * n * sum(a * b for a, b in shapes)
    moved = 4 * sum(a * b + b + n * (a + b) for a, b in shapes)
    return operations / peak, moved / bandwidth


def _right_number(shapes: list, peak: float, bandwidth: float) -> int | None:
    """Return the smallest number of rows for which arithmetic takes at least as long."""
    each = 2 * sum(a * b for a, b in shapes) / peak
    more = 4 * sum(a + b for a, b in shapes) / bandwidth
    once = 4 * sum(a * b + b for a, b in shapes) / bandwidth
    if each <= more:
        return None
    return max(1, math.ceil(once / (each - more) - 1e-9))


def _compare_number(got: Any, wanted: int | None, case: tuple) -> None:
    """Compare two numbers of rows, and name the usual slips."""
    shapes, peak, bandwidth = case
    where = f"for the layers {shapes}, {peak:.4g} operations/s and {bandwidth:.4g} bytes/s"
    no_end = f"there was no end {where}"
    if wanted is None:
        if got is not None:
            seen = no_end if got is _NO_END else f"{got} {where}"
            raise NotYet(seen, "None: a further row adds more memory than arithmetic", LIMIT)
        return
    if got is _NO_END:
        raise NotYet(no_end, f"{wanted}: there arithmetic takes as long as memory", LIMIT)
    if got is _NONE:
        raise NotYet(f"None {where}", f"{wanted}: there arithmetic takes as long as memory", LIMIT)
    if is_nothing(got):
        seen = f"nothing was returned {where}"
        raise NotYet(seen, f"{wanted}: is a `return` missing?", LIMIT)
    if isinstance(got, bool) or not hasattr(got, "__index__"):
        raise NotYet(f"{type_of(got)} {where}", "a whole number of rows", LIMIT)
    if int(got) == wanted:
        return
    arithmetic, memory = _seconds(shapes, max(1, int(got)), peak, bandwidth)
    longer = "memory takes longer" if memory > arithmetic else "a smaller number is enough"
    raise NotYet(f"{int(got)} {where}", f"{wanted}: with {int(got)} {longer}", LIMIT)


# ---- 13.4 ----


@exercise(
    "13.4",
    "two convolutions with NumPy alone (stretch)",
    section=EIGHT_WAYS,
    hints=(
        "One output of a convolution is the sum over a window of the image, times a kernel. Can "
        "one product do it for all windows?",
        "`np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(1, 2))` gives all windows, of "
        "shape (n, rows, columns, channels, 3, 3); [:, ::2, ::2] takes every second one.",
        "For each of the two: windows = sliding_window_view(...)[:, ::2, ::2]; x = "
        "np.maximum(np.tensordot(windows, kernel.transpose(2, 0, 1, 3), 3) + bias, 0). Then "
        "x.reshape(len(x), -1) @ kernel + bias with the weights of the last layer.",
    ),
)
def _check_make_seer(make_seer: Any) -> str:
    calls = max(_see_images(make_seer) for _ in range(3))
    if calls > MOST_CALLS_OF_CONVOLUTIONS:
        seen = f"{calls:,} Python calls for one image"
        wanted = f"at most {MOST_CALLS_OF_CONVOLUTIONS}: NumPy alone, without a loop over windows"
        raise NotYet(seen, wanted, EIGHT_WAYS)
    return "NumPy alone, the answers are those of the model"


def _new_convolutions() -> tuple[Any, int]:
    """Return a small convolutional model and the side of its images."""
    import keras
    from keras.layers import Conv2D, Dense, Flatten

    side = random.randrange(12, 24)
    first, second, outputs = (random.randrange(2, 9) for _ in range(3))
    model = keras.Sequential(
        [
            keras.Input((side, side, 1)),
            Conv2D(first, 3, strides=2, activation="relu"),
            Conv2D(second, 3, strides=2, activation="relu"),
            Flatten(),
            Dense(outputs),
        ]
    )
    return _with_random_biases(model), side


def _see(answer: Callable, batch: Any, columns: int) -> Any:
    """Call the learner's function; explain the error of a last product that does not fit."""
    try:
        return answer(batch)
    except ValueError as error:
        sizes = re.search(r"size (\d+) is different from (\d+)", f"{error}")
        if sizes is None or int(sizes[1]) != columns:
            raise
        raise NotYet(
            f"before the last layer your array has {int(sizes[2]):,} columns",
            f"{columns}: take every second window, and make one row of each image",
            EIGHT_WAYS,
        ) from error


def _see_images(make_seer: Callable) -> int:
    """Compare the answers to images, and return the number of Python calls for one."""
    model, side = _new_convolutions()
    images = signed_rows(4, side * side).reshape(4, side, side, 1)
    answer = expect_function(
        make_seer(model), "make_seer", "a function that takes images", EIGHT_WAYS
    )
    with _watched_interpreters() as used:
        for batch in (images[:1], images):
            got = _see(answer, batch, model.layers[-1].kernel.shape[0])
            agree(got, model(batch), f"for {len(batch)} images of {side} by {side}", EIGHT_WAYS)
    if used["invoke"]:
        raise NotYet("a LiteRT interpreter was invoked", "NumPy alone", EIGHT_WAYS)
    with count() as seen:
        answer(images[:1])
    if seen.python_calls <= MOST_CALLS_OF_CONVOLUTIONS:
        _expect_numpy_alone(answer, images[:1])
    return seen.python_calls


_PACKAGES = {
    "jax": "JAX",
    "keras": "Keras",
    "scipy": "SciPy",
    "tensorflow": "TensorFlow",
    "torch": "PyTorch",
}


def _expect_numpy_alone(answer: Callable, image: Any) -> None:
    """Raise `NotYet` if an answer to an image runs code of another package than NumPy."""
    found: list[str] = []

    def look(frame: Any, event: str, _: Any) -> None:
        if event == "call":
            package = str(frame.f_globals.get("__name__")).partition(".")[0]
            if package in _PACKAGES:
                found.append(_PACKAGES[package])

    before = sys.getprofile()
    sys.setprofile(look)
    try:
        answer(image)
    finally:
        sys.setprofile(before)
    if found:
        raise NotYet(f"each answer calls {found[0]}", "NumPy alone", EIGHT_WAYS)
