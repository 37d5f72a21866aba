"""Exercises of lesson 08: saved models."""

import contextlib
import gc
import random
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from .engine import NotYet, agree, exercise

SIGNATURE = "What does a signature want?"
COST = "What does a call cost, and what makes it faster?"
CALLERS = "How do many callers share one model?"
BREAKS = "It breaks like this"
TEXT = "the text of the exercise"


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


@contextlib.contextmanager
def _watched_loads() -> Iterator[list]:
    """Collect a weak reference to each object that `tf.saved_model.load` returns."""
    import tensorflow as tf

    real, loaded = tf.saved_model.load, []

    def load(*args: Any, **options: Any) -> Any:
        found = real(*args, **options)
        loaded.append(weakref.ref(found))
        return found

    with mock.patch.object(tf.saved_model, "load", load):
        yield loaded


def _rows(n: int) -> Any:
    from ..models import random_rows

    return random_rows(n, seed=random.randrange(10_000))


def _function(answer: Any, name: str) -> Callable:
    if not callable(answer):
        seen = "nothing" if answer is None else f"a {type(answer).__name__}"
        raise NotYet(f"{name} returned {seen}", "a function from rows to answers", TEXT)
    return answer


def _array(answer: Any, section: str) -> Any:
    if isinstance(answer, dict):
        raise NotYet(f"a dict with {', '.join(answer)}", "the answers in it, as one array", section)
    return answer


@exercise(
    "08.1",
    "load once, call from anywhere",
    section=SIGNATURE,
    hints=(
        "Which line must run once, which ones in every call? And who keeps the loaded object when make_score is done?",
        "`score.structured_input_signature[1]` is a dict from names to shapes; `score(**{name: rows})` calls with a "
        "name that you hold in a variable.",
        'loaded = tf.saved_model.load(path); score = loaded.signatures["serving_default"]; [name] = '
        "score.structured_input_signature[1]; then a function that calls score(**{name: rows}) and takes the output.",
    ),
)
def _make_score(make_score: Any) -> str:
    from ...measure.count import count

    for name in ("features", f"input_{random.randrange(100)}"):
        with _exported(name, random.randrange(100)) as (model, path):
            with _watched_loads() as loaded, count() as making:
                score = _function(make_score(path), "make_score")
            gc.collect()
            with count() as calling:
                for n in (1, 7, 1):
                    data = _rows(n)
                    try:
                        answer = _array(score(data), SIGNATURE)
                    except AssertionError as error:
                        raise NotYet(
                            f"the weights are gone ({str(error)[:62]} …)",
                            "the loaded object kept as long as the function is",
                            BREAKS,
                        ) from error
                    except TypeError as error:
                        if "missing a required argument" not in str(error):
                            raise
                        raise NotYet(
                            f"the input is not called that; its name here is {name!r}",
                            "the name that it has",
                            SIGNATURE,
                        ) from error
                    agree(answer, model(data), f"for {n} rows", SIGNATURE)
            if calling.model_loads or making.model_loads != 1:
                loads = making.model_loads + calling.model_loads
                raise NotYet(f"{loads} loads for three calls", "one, before the first call", COST)
            if any(
                found() is None for found in loaded
            ):  # the weights survive that today, in older versions not
                raise NotYet(
                    "nobody keeps the loaded object", "it kept as long as the function is", BREAKS
                )
    return "one load, any name, any number of rows, and it stays alive"


@exercise(
    "08.2",
    "export with a name and any number of rows",
    section=SIGNATURE,
    hints=(
        "Who decides on the name and the shape if you do not? Look at the five ways to save.",
        "`model.export(path, input_signature=[...])` takes a `keras.InputSpec` with shape, dtype and name.",
        'model.export(path, input_signature=[keras.InputSpec(shape=(None, 10), dtype="float32", name="features")], '
        "verbose=False)",
    ),
)
def _export_for(export_for: Any) -> str:
    import tensorflow as tf

    for n in (7, random.randrange(2, 30)):
        model = _price_model(n)
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
            path = Path(home) / "model"
            export_for(model, path)
            if not (path / "saved_model.pb").exists():
                raise NotYet(
                    "no SavedModel in the folder given", "model.export writes one", SIGNATURE
                )
            loaded = tf.saved_model.load(str(path))
            if "serving_default" not in loaded.signatures:
                raise NotYet(
                    f"the signatures {list(loaded.signatures)}",
                    "serving_default among them",
                    SIGNATURE,
                )
            score = loaded.signatures["serving_default"]
            inputs = score.structured_input_signature[1]
            if list(inputs) != ["features"]:
                raise NotYet(f"the input is called {', '.join(inputs)}", "features", SIGNATURE)
            if inputs["features"].shape[0] is not None:
                raise NotYet(
                    f"the number of rows is frozen at {inputs['features'].shape[0]}",
                    "any number: None",
                    SIGNATURE,
                )
            for size in (1, n, 100):
                data = _rows(size)
                [output] = score(features=data).values()
                agree(output, model(data), f"for {size} rows", SIGNATURE)
    return "it takes features, any number of rows, and gives the answers of the model"


def _price_model(n: int) -> Any:
    import keras

    class Price(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.out = keras.layers.Dense(1)

        def call(self, inputs: Any) -> Any:
            return self.out(inputs)

    model = Price()
    model(_rows(n))
    return model


@exercise(
    "08.3",
    "fetch with threads, answer in one batch",
    section=CALLERS,
    hints=(
        "Which part waits, and which part computes? Only one of them gains from threads.",
        "`ThreadPoolExecutor(8).map(fetch, ids)` fetches with eight threads and keeps the order; `np.stack` makes one "
        "batch of the rows.",
        "with ThreadPoolExecutor(8) as pool: rows = list(pool.map(fetch, ids)). Then score(np.stack(rows)).",
    ),
)
def _fetch_and_score(fetch_and_score: Any) -> str:
    import numpy as np

    for n in (24, random.randrange(17, 40)):
        data, ids = _rows(n), random.sample(range(1000), n)
        net, sizes = _Network(dict(zip(ids, data, strict=True))), []

        def score(batch: Any, sizes: list = sizes) -> Any:
            batch = np.asarray(batch)
            if batch.ndim != 2:
                raise NotYet(
                    f"the model got an array of shape {batch.shape}", "rows of shape (n, 10)", TEXT
                )
            sizes.append(len(batch))
            return batch.sum(axis=1, keepdims=True)

        answers = fetch_and_score(net.fetch, score, ids)
        if answers is not None and len(sizes) != 1:
            raise NotYet(
                f"{len(sizes)} calls of the model for {n} rows", "one, with all rows", COST
            )
        agree(answers, data.sum(axis=1, keepdims=True), f"for {n} ids", CALLERS)
        if net.most == 1:
            raise NotYet(
                "one fetch at a time: each waits for the one before",
                "eight that wait together",
                CALLERS,
            )
        if net.most > 8:
            raise NotYet(f"{net.most} fetches at the same time", "at most eight", TEXT)
        if net.fetched != n:
            raise NotYet(f"{net.fetched} fetches for {n} ids", "one for each", TEXT)
    return "the fetches wait together, at most eight of them, and the model is asked once"


class _Network:
    """Rows that take a while to come, and a count of how many are on their way.

    The first fetch waits for a second one, and the first that finds seven others for a ninth: each until it comes, or
    for so long that there will be none. Of those under way at the same time the later ones come first.
    """

    def __init__(self, rows: dict[int, Any]) -> None:
        self.rows, self.now, self.most, self.fetched = rows, 0, 0, 0
        self.lock, self.comes = threading.Lock(), {2: threading.Event(), 9: threading.Event()}

    def fetch(self, id: int) -> Any:
        """Wait, then return the row of this id."""
        with self.lock:
            self.now, self.fetched = self.now + 1, self.fetched + 1
            now = self.now
            record = now == self.most + 1
            self.most = max(self.most, now)
        if now in self.comes:
            self.comes[now].set()
        if record and now + 1 in self.comes:
            self.comes[now + 1].wait(0.4 if now == 1 else 0.1)
        time.sleep(0.002 * (9 - min(now, 8)))
        with self.lock:
            self.now -= 1
        return self.rows[id]


@exercise(
    "08.4",
    "guard a signature (stretch)",
    section=SIGNATURE,
    hints=(
        "What is cast in silence, what is refused, and where does a wrong shape fail? Turn everything into the one "
        "kind that you can check.",
        "`spec.dtype.as_numpy_dtype` and `spec.shape.is_compatible_with(...)`, with the spec from "
        "`signature.structured_input_signature[1]`.",
        "batch = np.asarray(rows, dtype); if not spec.shape.is_compatible_with(batch.shape): raise ValueError(...). "
        "Then [output] = signature(**{name: tf.constant(batch)}).values()",
    ),
)
def _guarded(guarded: Any) -> str:
    import numpy as np
    import tensorflow as tf

    with _exported(f"input_{random.randrange(100)}", random.randrange(100)) as (model, path):
        loaded = tf.saved_model.load(path)
        signature = _Signature(loaded.signatures["serving_default"])
        answer = _function(guarded(signature), "guarded")
        data = np.round(8 * _rows(random.randrange(1, 20)))
        kinds = {
            "a float32 array": data,
            "a nested list": data.tolist(),
            "a float64 array": data.astype("float64"),
            "a float64 tensor": tf.constant(data, "float64"),
            "an int32 tensor": tf.constant(data.astype("int32")),
        }
        for kind, rows in kinds.items():
            try:
                got = _array(answer(rows), SIGNATURE)
            except (tf.errors.InvalidArgumentError, TypeError) as error:
                raise NotYet(
                    f"{kind} is refused with {type(error).__name__}", "its answers", SIGNATURE
                ) from error
            agree(got, model(data), f"for {kind}", SIGNATURE)
        for bad in (data[:, :9], tf.constant(data[:, :9]), data[0], data[None]):
            signature.calls = 0
            shape = tuple(np.shape(bad))
            try:
                answer(bad)
            except ValueError as error:
                if "(None, 10)" not in str(error):
                    raise NotYet(
                        f"for shape {shape} the message {str(error)[:60]!r}",
                        "(None, 10) in it: what helps",
                        TEXT,
                    ) from error
            except Exception as error:
                raise NotYet(
                    f"rows of shape {shape} raise {type(error).__name__}", "a ValueError", TEXT
                ) from error
            else:
                raise NotYet(f"rows of shape {shape} are answered", "a ValueError", TEXT)
            if signature.calls:
                raise NotYet(
                    f"rows of shape {shape} reach the signature", "a check before the call", TEXT
                )
    return "numbers of any kind are answered, wrong shapes are refused at the door"


class _Signature:
    """A signature that counts its calls."""

    def __init__(self, real: Any) -> None:
        self.real, self.calls = real, 0

    def __call__(self, *args: Any, **inputs: Any) -> Any:
        self.calls += 1
        return self.real(*args, **inputs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)
