"""Exercises of lesson 10: saved models."""

import contextlib
import gc
import os
import random
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from ...show.errors import one_line
from .engine import EXERCISE_TEXT, NotYet, agree, exercise, expect_function, fresh_rows

SIGNATURE = "What does a signature want?"
COST = "What does a call cost, and what makes it faster?"
CALLERS = "How do many callers share one model?"
BREAKS = "It breaks like this"
MAX_FETCHES = 8


@contextlib.contextmanager
def _exported(name: str, seed: int = 0) -> Iterator[tuple[Any, str]]:
    """Give a model and the path of its SavedModel, whose input has this name."""
    import keras

    from ..models import mlp

    model = mlp(seed=seed)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        path = str(Path(home) / "model")
        signature = [keras.InputSpec(shape=(None, 10), dtype="float32", name=name)]
        model.export(path, input_signature=signature, verbose=False)
        yield model, path


def _expect_array(answer: Any) -> Any:
    if isinstance(answer, dict):
        raise NotYet(
            f"a dict with {', '.join(answer)}", "the answers in it, as one array", SIGNATURE
        )
    return answer


# ---- 08.1 ----


class _LoadRecord:
    """What `tf.saved_model.load` returned, and how the signatures were called."""

    def __init__(self) -> None:
        self.loaded: list[weakref.ref] = []
        self.inputs: list[list[str]] = []

    def any_lost(self) -> bool:
        """Return whether an object was loaded that nobody keeps."""
        return any(reference() is None for reference in self.loaded)


@contextlib.contextmanager
def _recorded_loads(path: str) -> Iterator[_LoadRecord]:
    """Record the objects that are loaded, and the names of the inputs in calls of signatures."""
    import tensorflow as tf

    record = _LoadRecord()
    load = tf.saved_model.load
    signature_class = type(load(path).signatures["serving_default"])
    call = signature_class.__call__

    def recorded_load(*args: Any, **options: Any) -> Any:
        loaded = load(*args, **options)
        record.loaded.append(weakref.ref(loaded))
        return loaded

    def recorded_call(self: Any, *args: Any, **inputs: Any) -> Any:
        record.inputs.append(list(inputs))
        return call(self, *args, **inputs)

    with (
        mock.patch.object(tf.saved_model, "load", recorded_load),
        mock.patch.object(signature_class, "__call__", recorded_call),
    ):
        yield record


@exercise(
    "10.1",
    "load once, call from anywhere",
    section=SIGNATURE,
    hints=(
        "Which line must run once, which ones in every call? And who keeps the loaded object when "
        "make_score is done?",
        "`score.structured_input_signature[1]` is a dict from names to shapes; "
        "`score(**{name: rows})` calls with a name that you hold in a variable.",
        'loaded = tf.saved_model.load(path); score = loaded.signatures["serving_default"]; '
        "[name] = score.structured_input_signature[1]; then a function that calls "
        "score(**{name: rows}) and takes the output.",
    ),
)
def _check_make_score(make_score: Any) -> str:
    for name in ("features", f"input_{random.randrange(100)}"):
        with (
            _exported(name, random.randrange(100)) as (model, path),
            _recorded_loads(path) as record,
        ):
            _load_and_score(make_score, model, path, name, record)
    return "one load, any name, any number of rows, and it stays alive"


def _load_and_score(
    make_score: Callable, model: Any, path: str, name: str, record: _LoadRecord
) -> None:
    """Make the learner's function and call it three times; compare, and count the loads."""
    from ...measure.count import count

    with count() as making:
        score = expect_function(make_score(path), "make_score", "a function from rows to answers")
    gc.collect()
    with count() as calling:
        for n in (1, 7, 1):
            data = fresh_rows(n)
            answer = _expect_array(_score(score, data, name, record))
            agree(answer, model(data), f"for {n} rows", SIGNATURE)
    if calling.model_loads:
        raise NotYet(
            f"model loads during three calls of your function: {calling.model_loads}",
            "none: load the model before make_score returns",
            COST,
        )
    if making.model_loads != 1:
        raise NotYet(f"model loads in make_score: {making.model_loads}", "one", COST)
    if record.any_lost():  # today the weights survive that, in older versions they do not
        raise NotYet("nobody keeps the loaded object", "it kept as long as the function is", BREAKS)


def _score(score: Callable, data: Any, name: str, record: _LoadRecord) -> Any:
    """Call the learner's function, and explain the two errors that are common."""
    import tensorflow as tf

    record.inputs.clear()
    try:
        return score(data)
    except TypeError as error:
        passed = record.inputs[-1] if record.inputs else []
        if passed in ([], [name]):
            raise
        raise NotYet(
            f"the signature was given an input called {', '.join(passed)}",
            f"{name}: the name of the input in this model",
            SIGNATURE,
        ) from error
    except (AssertionError, tf.errors.OpError) as error:
        if not record.any_lost():
            raise
        raise NotYet(
            f"the weights are gone ({one_line(error, most=62)} …)",
            "the loaded object kept as long as the function is",
            BREAKS,
        ) from error


# ---- 08.2 ----


@exercise(
    "10.2",
    "export with a name and any number of rows",
    section=SIGNATURE,
    hints=(
        "Who decides on the name and the shape if you do not? Look at the five ways to save.",
        "`model.export(path, input_signature=[...])` takes a `keras.InputSpec` with shape, dtype "
        "and name.",
        "model.export(path, input_signature=[keras.InputSpec(shape=(None, 10), "
        'dtype="float32", name="features")], verbose=False)',
    ),
)
def _check_export_for(export_for: Any) -> str:
    for n in (7, random.randrange(2, 30)):
        model = _price_model(n)
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
            path = Path(home) / "model"
            export_for(model, path)
            score = _expect_signature(path)
            for size in (1, n, 100):
                data = fresh_rows(size)
                [output] = score(features=data).values()
                agree(output, model(data), f"for {size} rows", SIGNATURE)
    return "it takes features, any number of rows, and gives the answers of the model"


def _price_model(n: int) -> Any:
    """Return a model whose input has no name, called once with `n` rows."""
    import keras

    class Price(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.out = keras.layers.Dense(1)

        def call(self, inputs: Any) -> Any:
            return self.out(inputs)

    model = Price()
    model(fresh_rows(n))
    return model


def _expect_signature(path: Path) -> Any:
    """Return serving_default of a SavedModel if it takes any number of rows as `features`."""
    import tensorflow as tf

    if not (path / "saved_model.pb").exists():
        raise NotYet("no SavedModel in the folder given", "model.export writes one", SIGNATURE)
    signatures = tf.saved_model.load(str(path)).signatures
    if "serving_default" not in signatures:
        raise NotYet(f"the signatures {list(signatures)}", "serving_default among them", SIGNATURE)
    score = signatures["serving_default"]
    inputs = score.structured_input_signature[1]
    if list(inputs) != ["features"]:
        raise NotYet(f"the input is called {', '.join(inputs)}", "features", SIGNATURE)
    rows = inputs["features"].shape[0]
    if rows is not None:
        raise NotYet(f"the number of rows is frozen at {rows}", "any number: None", SIGNATURE)
    return score


# ---- 08.3 ----


class _Network:
    """Rows that take a while to arrive, and a count of how many fetches are under way.

    The first fetch waits for a second one, and the first that finds seven others for a ninth: each
    until it comes, or until it is clear that there is none. Of the fetches under way at the same
    time, the later ones end first.
    """

    def __init__(self, rows: dict[int, Any]) -> None:
        self.rows = rows
        self.fetches = 0
        self.most_at_once = 0
        self._under_way = 0
        self._lock = threading.Lock()
        self._begun = {2: threading.Event(), MAX_FETCHES + 1: threading.Event()}

    def fetch(self, id: int) -> Any:
        """Wait, then return the row of this id."""
        with self._lock:
            self.fetches += 1
            self._under_way += 1
            under_way = self._under_way
            is_record = under_way > self.most_at_once
            if is_record:
                self.most_at_once = under_way
        if under_way in self._begun:
            self._begun[under_way].set()
        if is_record and under_way + 1 in self._begun:
            self._begun[under_way + 1].wait(0.4 if under_way == 1 else 0.1)
        time.sleep(0.002 * (MAX_FETCHES + 1 - min(under_way, MAX_FETCHES)))
        with self._lock:
            self._under_way -= 1
        return self.rows[id]


class _SumModel:
    """A model that adds up each row, and remembers the number of rows of each call."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def __call__(self, batch: Any) -> Any:
        import numpy as np

        batch = np.asarray(batch)
        if batch.ndim != 2:
            raise NotYet(
                f"the model got an array of shape {batch.shape}",
                "rows of shape (n, 10)",
                EXERCISE_TEXT,
            )
        self.sizes.append(len(batch))
        return batch.sum(axis=1, keepdims=True)


@contextlib.contextmanager
def _many_cores() -> Iterator[None]:
    """Let `ThreadPoolExecutor()` be as large as on a big machine: one verdict for all machines."""
    with contextlib.ExitStack() as stack:
        for name in ("cpu_count", "process_cpu_count"):  # the second since Python 3.13
            if hasattr(os, name):
                stack.enter_context(mock.patch.object(os, name, return_value=64))
        yield


@exercise(
    "10.3",
    "fetch with threads, answer in one batch",
    section=CALLERS,
    hints=(
        "Which part waits, and which part computes? Only one of them gains from threads.",
        "`ThreadPoolExecutor(8).map(fetch, ids)` fetches with eight threads and keeps the order; "
        "`np.stack` makes one batch of the rows.",
        "with ThreadPoolExecutor(8) as pool: rows = list(pool.map(fetch, ids)). "
        "Then score(np.stack(rows)).",
    ),
)
def _check_fetch_and_score(fetch_and_score: Any) -> str:
    for n in (24, random.randrange(17, 40)):
        _fetch_and_score_for(fetch_and_score, n)
    return "the fetches wait together, at most eight of them, and the model is asked once"


def _fetch_and_score_for(fetch_and_score: Callable, n: int) -> None:
    """Fetch and score `n` rows; compare, and count the calls of the model and the fetches."""
    data = fresh_rows(n)
    ids = random.sample(range(1000), n)
    network = _Network(dict(zip(ids, data, strict=True)))
    model = _SumModel()
    with _many_cores():
        answers = fetch_and_score(network.fetch, model, ids)

    calls = len(model.sizes)
    if answers is not None and calls != 1:
        raise NotYet(f"{calls} calls of the model for {n} rows", "one, with all rows", COST)
    agree(answers, data.sum(axis=1, keepdims=True), f"for {n} ids", CALLERS)
    if network.most_at_once == 1:
        raise NotYet(
            "one fetch at a time: each waits for the one before",
            "eight that wait together",
            CALLERS,
        )
    if network.most_at_once > MAX_FETCHES:
        raise NotYet(
            f"{network.most_at_once} fetches at the same time", "at most eight", EXERCISE_TEXT
        )
    if network.fetches != n:
        raise NotYet(f"{network.fetches} fetches for {n} ids", "one for each", EXERCISE_TEXT)


# ---- 08.4 ----


class _CountingSignature:
    """A signature that counts its calls."""

    def __init__(self, signature: Any) -> None:
        self._signature = signature
        self.calls = 0

    def __call__(self, *args: Any, **inputs: Any) -> Any:
        self.calls += 1
        return self._signature(*args, **inputs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._signature, name)


@exercise(
    "10.4",
    "guard a signature (stretch)",
    section=SIGNATURE,
    hints=(
        "What is cast without a word, what is refused, and where does a wrong shape fail? Turn "
        "everything into the one kind that you can check.",
        "`spec.dtype.as_numpy_dtype` and `spec.shape.is_compatible_with(...)`, with the spec from "
        "`signature.structured_input_signature[1]`.",
        "batch = np.asarray(rows, dtype); if not spec.shape.is_compatible_with(batch.shape): "
        "raise ValueError(...). Then [output] = "
        "signature(**{name: tf.constant(batch)}).values()",
    ),
)
def _check_guarded(guarded: Any) -> str:
    import numpy as np
    import tensorflow as tf

    name = f"input_{random.randrange(100)}"
    with _exported(name, random.randrange(100)) as (model, path):
        loaded = tf.saved_model.load(path)
        signature = _CountingSignature(loaded.signatures["serving_default"])
        answer = expect_function(guarded(signature), "guarded", "a function from rows to answers")
        data = np.round(8 * fresh_rows(random.randrange(1, 20)))
        _expect_answers(answer, data, model(data))
        for bad in (data[:, :9], tf.constant(data[:, :9]), data[0], data[None]):
            _expect_refusal(answer, bad, signature)
    return "numbers of any kind are answered, wrong shapes are refused before the call"


def _expect_answers(answer: Callable, data: Any, wanted: Any) -> None:
    """Ask with the same numbers in five kinds, and compare the answers."""
    import tensorflow as tf

    kinds = {
        "a float32 array": data,
        "a nested list": data.tolist(),
        "a float64 array": data.astype("float64"),
        "a float64 tensor": tf.constant(data, "float64"),
        "an int32 tensor": tf.constant(data.astype("int32")),
    }
    for kind, rows in kinds.items():
        try:
            got = answer(rows)
        except Exception as error:
            raise NotYet(
                f"{kind} is refused with {type(error).__name__}", "its answers", SIGNATURE
            ) from error
        agree(_expect_array(got), wanted, f"for {kind}", SIGNATURE)


def _expect_refusal(answer: Callable, bad: Any, signature: _CountingSignature) -> None:
    """Ask with a wrong shape: wanted is a ValueError that names the shape, without a call."""
    import numpy as np

    signature.calls = 0
    shape = tuple(np.shape(bad))
    try:
        answer(bad)
    except ValueError as error:
        if not _names_the_shape(str(error), signature):
            raise NotYet(
                f"for shape {shape} the message {str(error)[:60]!r}",
                "(None, 10) in it: what helps",
                EXERCISE_TEXT,
            ) from error
    except Exception as error:
        raise NotYet(
            f"rows of shape {shape} raise {type(error).__name__}", "a ValueError", EXERCISE_TEXT
        ) from error
    else:
        raise NotYet(f"rows of shape {shape} are answered", "a ValueError", EXERCISE_TEXT)
    if signature.calls:
        raise NotYet(
            f"rows of shape {shape} reach the signature", "a check before the call", EXERCISE_TEXT
        )


def _names_the_shape(text: str, signature: _CountingSignature) -> bool:
    """Return whether a text contains the wanted shape, as a tuple or as TensorFlow writes it."""
    [spec] = signature.structured_input_signature[1].values()
    return str(tuple(spec.shape)) in text or str(spec.shape) in text
