"""Exercises of lesson 10: saved models."""

import contextlib
import gc
import os
import random
import re
import tempfile
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from ...show.errors import one_line
from .engine import (
    EXERCISE_TEXT,
    NotYet,
    agree,
    exercise,
    expect_function,
    expect_result,
    fresh_rows,
)

LOADING = "What does loading cost?"
SIGNATURE = "What does a signature want?"
VERSION = "How does a new version appear?"
BREAKS = "It breaks like this"


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


# ---- 10.1 ----


class _LoadRecord:
    """What `tf.saved_model.load` returned, and how the signatures were called."""

    def __init__(self) -> None:
        self.loaded: list[weakref.ref] = []
        self.inputs: list[list[str]] = []
        self.by_position = False

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
        record.by_position = record.by_position or bool(args)
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
            LOADING,
        )
    if making.model_loads != 1:
        raise NotYet(f"model loads in make_score: {making.model_loads}", "one", LOADING)
    if record.by_position:
        raise NotYet("the signature was called by position", "by keyword", SIGNATURE)
    if not record.inputs:
        raise NotYet(
            "no signature was called", 'signatures["serving_default"], by keyword', SIGNATURE
        )
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


# ---- 10.2 ----


@exercise(
    "10.2",
    "export with a name and any number of rows",
    section=SIGNATURE,
    hints=(
        "Who decides on the name and the shape if you do not? Look at the table of ways to save.",
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
            _expect_float32(score)
    return "it takes features, any number of rows, and gives the answers of the model"


def _expect_float32(score: Any) -> None:
    """Expect that the signature takes a float32 tensor: an array would be cast to any dtype."""
    import tensorflow as tf

    wanted = score.structured_input_signature[1]["features"].dtype
    if wanted != tf.float32:
        raise NotYet(
            f"it wants {wanted.name}, and refuses a float32 tensor",
            "float32, as the model takes",
            SIGNATURE,
        )


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


# ---- 10.3 ----

_FILES = ("saved_model.pb", "variables/variables.index")
_MOST_RENAMES = 12
_OTHER = "of another writer.txt"


class _Renames:
    """Watch the renames to a number in a folder; another writer may take the first such number."""

    def __init__(self, base: Path, taken_by_another: int) -> None:
        self.base = base
        self.left_to_take = taken_by_another
        self.renames = 0
        self.complete: dict[str, set[str]] = {}  # by number: the files when it appeared

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Watch `os.rename` and `os.replace`, which those of pathlib and shutil call."""
        with (
            mock.patch.object(os, "rename", self._watching(os.rename)),
            mock.patch.object(os, "replace", self._watching(os.replace)),
        ):
            yield

    def _watching(self, rename: Callable) -> Callable:
        def renamed(src: Any, dst: Any, **options: Any) -> Any:
            path = Path(os.path.abspath(dst))
            is_version = path.parent == self.base and path.name.isdigit()
            if is_version:
                self._before(Path(os.path.abspath(src)), path)
            result = rename(src, dst, **options)
            if is_version:
                self.complete[path.name] = _files_in(path)
            return result

        return renamed

    def _before(self, source: Path, goal: Path) -> None:
        """Look at a rename that is about to happen; let another writer come first."""
        self.renames += 1
        if self.renames > _MOST_RENAMES:
            raise NotYet(
                f"{self.renames} attempts to rename to {goal.name}", "the next number", VERSION
            )
        if goal.exists() and not _files_in(goal):
            raise NotYet(
                f"an empty folder {goal.name} stands there before its files",
                "a number that appears with all its files",
                VERSION,
            )
        if self.base not in source.parents:
            raise NotYet(
                "the version is written outside base, perhaps on another disk, where no rename "
                "gets it from",
                "a name beside the numbers",
                VERSION,
            )
        if self.left_to_take and not goal.exists():
            self.left_to_take -= 1
            _write_version(goal)


def _files_in(path: Path) -> set[str]:
    return {part.relative_to(path).as_posix() for part in path.rglob("*") if part.is_file()}


def _write_version(path: Path) -> None:
    """Write a folder with a file in it, as another writer does."""
    path.mkdir()
    (path / _OTHER).write_text("the other's", encoding="utf-8")


@exercise(
    "10.3",
    "publish a version that appears complete",
    section=VERSION,
    hints=(
        "Under which name may a half-written version stand, so that no reader takes it? And what "
        "does a rename do when the number is taken?",
        '`model.export(base / "new.part")`, then `os.replace(part, base / str(number))` in a '
        "loop: an OSError says that the number is taken.",
        'part = base / f"{os.getpid()}.part"; model.export(part, verbose=False). The number is '
        "max(numbers, default=0) + 1, with numbers from the names that are digits. while True: "
        "try: os.replace(part, base / str(number)); return number; except OSError: number += 1.",
    ),
)
def _check_publish(publish: Any) -> str:
    start = random.randrange(2, 8)
    cases: list[tuple[list[int], int]] = [([], 0), ([9, 12], 1), ([start, start + 3], 2)]
    for versions, taken in cases:
        _publish_beside(publish, versions, taken)
    return "each version appears with all its files, under a number that was free"


def _publish_beside(publish: Callable, versions: list[int], taken: int) -> None:
    """Publish beside these versions while another writer takes numbers; look at what is there."""
    from ..models import mlp

    model = mlp(seed=random.randrange(100))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        base = Path(os.path.realpath(home)) / "models"
        base.mkdir()
        for version in versions:
            _write_version(base / str(version))
        (base / "notes 77.txt").write_text("77", encoding="utf-8")
        before = {path.name for path in base.iterdir()}
        wanted = max(versions, default=0) + 1 + taken
        watch = _Renames(base, taken)
        number = _published(publish, model, base, watch)
        expect_result(number, "the number of the version", EXERCISE_TEXT, name="publish")
        _expect_there(base, wanted, versions)
        _expect_whole(base, wanted, watch)
        if number != wanted:
            raise NotYet(f"publish returned {number!r}", f"{wanted}, as a number", EXERCISE_TEXT)
        others = {str(wanted - n) for n in range(1, taken + 1)}
        _expect_nothing_else(base, before | others | {str(wanted)})
        _expect_its_answers(base / str(wanted), model)


def _published(publish: Callable, model: Any, base: Path, watch: _Renames) -> Any:
    """Call the learner's function; explain the error of a number that is taken."""
    with watch.watched():
        try:
            return publish(model, base)
        except OSError as error:
            if not watch.renames:
                raise
            raise NotYet(
                f"another writer took the number, and your function raised {one_line(error)}",
                "the next number",
                VERSION,
            ) from error


def _expect_there(base: Path, wanted: int, versions: list[int]) -> None:
    """Expect that nothing was put into a folder of another writer, and that the version exists."""
    for other in base.glob(f"[0-9]*/{_OTHER}"):
        if len(list(other.parent.iterdir())) > 1:
            raise NotYet(
                f"version {other.parent.name} of another writer has more in it than it had",
                "the next number",
                VERSION,
            )
    if (base / str(wanted)).exists():
        return
    there = ", ".join(sorted(path.name for path in base.iterdir()))
    if not versions:
        why = "there was none before"
    elif wanted == max(versions) + 1:
        why = f"the highest was {max(versions)}"
    else:
        why = f"the highest was {max(versions)}, and another writer takes the numbers up to "
        why += str(wanted - 1)
    raise NotYet(f"in base there are: {there}", f"the version {wanted}: {why}", EXERCISE_TEXT)


def _expect_whole(base: Path, wanted: int, watch: _Renames) -> None:
    """Expect that the version appeared by a rename, with all its files."""
    path = base / str(wanted)
    if path.name not in watch.complete:
        raise NotYet(
            f"version {wanted} was written under its number, file by file",
            "another name, and a rename when it is complete",
            VERSION,
        )
    missing = set(_FILES) - watch.complete[path.name]
    if missing:
        raise NotYet(
            f"when version {wanted} appeared, {', '.join(sorted(missing))} was missing",
            "all its files at once",
            VERSION,
        )


def _expect_nothing_else(base: Path, names: set[str]) -> None:
    found = {path.name for path in base.iterdir()}
    if found - names:
        raise NotYet(
            f"left behind in base: {', '.join(sorted(found - names))}", "nothing", EXERCISE_TEXT
        )
    if names - found:
        raise NotYet(
            f"gone from base: {', '.join(sorted(names - found))}", "it where it was", EXERCISE_TEXT
        )


def _expect_its_answers(path: Path, model: Any) -> None:
    """Load a version and compare its answers with those of the model."""
    import tensorflow as tf

    loaded = tf.saved_model.load(str(path))
    score = loaded.signatures["serving_default"]
    [name] = score.structured_input_signature[1]
    data = fresh_rows(5)
    [output] = score(**{name: data}).values()
    agree(output, model(data), f"of version {path.name}", VERSION)


# ---- 10.4 ----


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
        if signature.calls:
            raise NotYet(
                f"rows of shape {shape} reach the signature, which raises {type(error).__name__}",
                "a ValueError, before the call",
                EXERCISE_TEXT,
            ) from error
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
    """Return whether a text contains the wanted shape: (None, 10), [None, 10] or (n, 10)."""
    [spec] = signature.structured_input_signature[1].values()
    any_number = r"[^\d\s,()\[\]]+"
    columns = ", *".join(str(size) for size in spec.shape[1:])
    return re.search(rf"[(\[]{any_number}, *{columns}[)\]]", text) is not None
