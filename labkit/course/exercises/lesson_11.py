"""Exercises of lesson 11: loading, building and training in a loop."""

import contextlib
import gc
import itertools
import os
import random
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from ...measure.count import count
from ...show.errors import kind_in_words
from .engine import (
    NotYet,
    exercise,
    expect_function,
    expect_number,
    expect_result,
    is_close,
    read_text,
    temporary_folder,
    write_text,
)
from .steps import LOOKS, PATIENCE, Call

CACHE = "What must a cache know?"
TRAINING = "Two cures for training"


# ---- 11.1 ----


class _FileModel:
    """A model that consists of the text of a file."""

    def __init__(self, path: Any):
        self.text = read_text(Path(path))
        self.size = len(self.text)


class _RecordedCache:
    """The learner's cache, with a record of what it loads and what it keeps alive."""

    def __init__(self, make_get: Callable, limit: int):
        self.loaded: list[Path] = []
        self.after_reading: Callable[[Path], None] = lambda path: None  # in each load
        self._alive: weakref.WeakSet[_FileModel] = weakref.WeakSet()
        self._get = expect_function(make_get(self._load, limit), "make_get", "a function get(path)")

    def _load(self, path: Any) -> _FileModel:
        model = _FileModel(path)
        self.after_reading(Path(path))
        self.loaded.append(Path(path))
        self._alive.add(model)
        return model

    def get_text(self, path: Path) -> str:
        """Return the text of the model that the learner's function returns for a path."""
        model = self._get(path)
        if model is None or model is ...:
            raise NotYet("get returned nothing", "the model: is a `return` missing?", CACHE)
        if not hasattr(model, "text"):
            raise NotYet(
                f"get returned {kind_in_words(model)}", "the model that load returned", CACHE
            )
        return model.text

    def models_held(self) -> int:
        return len(self._alive)

    def bytes_held(self) -> int:
        return sum(model.size for model in self._alive)


class _ExpectedCache:
    """The paths that a cache with a limit keeps: those used last that fit."""

    def __init__(self, sizes: dict[Path, int], limit: int):
        self._sizes = sizes
        self._limit = limit
        self._kept: list[Path] = []  # the one used longest ago first

    def change(self, path: Path, size: int) -> None:
        """Note that a file has another size: its model is of no use any more."""
        self._sizes[path] = size
        if path in self._kept:
            self._kept.remove(path)

    def use(self, path: Path) -> bool:
        """Use a path, and return whether it was kept."""
        was_kept = path in self._kept
        if was_kept:
            self._kept.remove(path)
        self._kept.append(path)
        while sum(self._sizes[kept] for kept in self._kept) > self._limit:
            self._kept.pop(0)
        return was_kept


@exercise(
    "11.1",
    "write a cache with a limit in bytes",
    section=CACHE,
    hints=(
        "What do you have to remember of each model, so that you know later whether its file has "
        "changed, how large it is, and which was used longest ago?",
        "A dict keeps its order: take the entry out with pop and put it in again at each use, and "
        "the first is the one used longest ago. `os.stat(path)` has st_ino, st_size, st_mtime_ns "
        "and st_ctime_ns.",
        "old = held.pop(path, (None,)); model = old[2] if old[0] == stamp else load(path); "
        "held[path] = stamp, size, model; while the sizes add up to more than the limit: "
        "held.pop(next(iter(held))); return model",
    ),
)
def _check_make_get(make_get: Any) -> str:
    with temporary_folder() as folder:
        paths = [folder / f"{letter}.keras" for letter in "abcdef"]
        for path in paths:
            write_text(path, path.stem * random.randrange(10, 41))
        _use_one_file(make_get, paths[0])
        _use_a_file_whose_time_is_put_back(make_get, paths[0])
        _replace_a_file(make_get, paths[0])
        _change_while_it_loads(make_get, paths[0])
        _use_six_files(make_get, paths)
        _change_one_file_three_times(make_get, paths[0])
        _use_files_that_change(make_get, paths[:4])
        _use_a_file_that_is_too_large(make_get, paths)
        _use_a_file_that_grows(make_get, paths[0])
    return (
        "loaded when new or changed, never more bytes than the limit, "
        "the one used longest ago goes first"
    )


def _use_one_file(make_get: Callable, path: Path) -> None:
    """Ask for one file that stays the same, then for one that changes and keeps its size."""
    cache = _RecordedCache(make_get, limit=1000)
    for _ in range(5):
        cache.get_text(path)
    loads = len(cache.loaded)
    if loads != 1:
        raise NotYet(f"{loads} loads for five uses of one unchanged file", "one", CACHE)
    for _ in range(2):  # twice: the stamp that it was loaded with has to be remembered, too
        _change(path)
        for _ in range(3):
            if cache.get_text(path) != read_text(path):
                raise NotYet(
                    "the file changed, its size did not, and get returned the old model",
                    "the new one",
                    CACHE,
                )
    loads = len(cache.loaded)
    if loads != 3:
        raise NotYet(f"{loads} loads for a file that changed twice", "3", CACHE)


def _change_one_file_three_times(make_get: Callable, path: Path) -> None:
    """Change a file and ask for it, three times, and expect that only its last model is held."""
    cache = _RecordedCache(make_get, limit=1000)
    for _ in range(3):
        _change(path)
        cache.get_text(path)
    gc.collect()  # a model may only wait for the collector
    held = cache.models_held()
    if held > 1:
        raise NotYet(
            f"one file changed, and {held} models of it are held",
            "one: a model whose file has changed goes at once",
            CACHE,
        )


def _use_a_file_that_is_too_large(make_get: Callable, paths: list[Path]) -> None:
    """Ask for a file that fits, and for one that is larger than the limit."""
    small, large = paths[:2]
    write_text(small, "small")
    write_text(large, "much too large " * 10)
    limit = 10
    cache = _RecordedCache(make_get, limit)
    for path in (small, large):
        if cache.get_text(path) != read_text(path):
            raise NotYet(
                "get returned the model of another file", "that of the path asked for", CACHE
            )
    gc.collect()
    held = cache.bytes_held()
    if held > limit:
        raise NotYet(
            f"a file of {large.stat().st_size} bytes is held, and the limit is {limit}",
            "it is returned and not kept",
            CACHE,
        )


def _use_a_file_whose_time_is_put_back(make_get: Callable, path: Path) -> None:
    """Ask for a file again that has the number, the size and the time of writing of before."""
    cache = _RecordedCache(make_get, limit=1000)
    cache.get_text(path)
    is_seen = _change_and_put_time_back(path)
    if is_seen and cache.get_text(path) != read_text(path):
        raise NotYet(
            "the file changed, its time of writing was put back, and get returned the old model",
            "the new one: compare all of the stamp",
            CACHE,
        )


def _use_a_file_that_grows(make_get: Callable, path: Path) -> None:
    """Ask for a file that fits, and once more when it has become larger than the limit."""
    write_text(path, "small")
    limit = 10
    cache = _RecordedCache(make_get, limit)
    cache.get_text(path)
    write_text(path, "much too large " * 10)
    cache.get_text(path)
    gc.collect()
    if cache.models_held():
        raise NotYet(
            "a file grew beyond the limit, and its old model is still held",
            "nothing of it: a model whose file has changed goes at once",
            CACHE,
        )


def _use_files_that_change(make_get: Callable, paths: list[Path]) -> None:
    """Ask for files whose sizes change now and then, and compare with a correct cache."""
    limit = 100
    once = "each file counts once, with the size that it has now"
    sizes = {}
    for path in paths:
        sizes[path] = _write_other_size(path, limit)
    cache = _RecordedCache(make_get, limit)
    expected = _ExpectedCache(sizes, limit)
    for path in random.choices(paths, k=200):
        if random.random() < 0.3:
            expected.change(path, _write_other_size(path, limit))
        loads_before = len(cache.loaded)
        must_be_held = expected.use(path)
        if cache.get_text(path) != read_text(path):
            raise NotYet("a file changed, and get returned the old model", "the new one", CACHE)
        _expect_at_most(limit, cache, "after changes of files, ", once)
        if must_be_held and len(cache.loaded) > loads_before:
            raise NotYet(
                "after changes of files, a model was loaded again that fits the limit", once, CACHE
            )


def _write_other_size(path: Path, limit: int) -> int:
    """Write a text of a random size, a second later than the one before; return the size."""
    before = path.stat()
    size = random.randrange(10, limit // 2)
    write_text(path, path.stem * size)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 10**9))
    return size


def _change_while_it_loads(make_get: Callable, path: Path) -> None:
    """Change a file just after its first load has read it, and ask for it again."""
    cache = _RecordedCache(make_get, limit=1000)
    changes = [_change]

    def change_once(path: Path) -> None:
        if changes:
            changes.pop()(path)

    cache.after_reading = change_once
    cache.get_text(path)
    if cache.get_text(path) != read_text(path):
        raise NotYet(
            "a file changed while it was loaded, and the next get returned the old model",
            "the new one: the stamp of before the load",
            CACHE,
        )


def _replace_a_file(make_get: Callable, path: Path) -> None:
    """Put another file at the path, with the size and the times of the one before."""
    cache = _RecordedCache(make_get, limit=1000)
    cache.get_text(path)
    with _another_number(path) as looks:
        write_text(path, read_text(path)[::-1].swapcase())
        text = cache.get_text(path)
    if looks and text != read_text(path):
        raise NotYet(
            "the file was replaced by one with the same size and times, and get returned the old "
            "model",
            "the new one: st_ino is a part of the stamp",
            CACHE,
        )


@contextlib.contextmanager
def _another_number(path: Path) -> Iterator[list]:
    """Let `os.stat` tell of a file what it tells now, but for another st_ino; collect its calls.

    No system lets a program make such a file at will. An answer that asks in another way than by
    `os.stat`, which that of pathlib calls, is not seen.
    """
    stat: Any = os.stat
    looks: list[Any] = []
    kind, state = stat(path).__reduce__()[:2]
    (mode, number, *rest), others = state
    replaced = kind((mode, number + 1, *rest), others)

    def stat_of(file: Any, *args: Any, **options: Any) -> Any:
        if not isinstance(file, (str, os.PathLike)) or Path(file) != path:
            return stat(file, *args, **options)
        looks.append(file)
        return replaced

    with mock.patch.object(os, "stat", stat_of):
        yield looks


def _change_and_put_time_back(path: Path) -> bool:
    """Change a file, put its time back, and return whether its st_ctime_ns tells of that.

    On Windows that is the time of creation, and some systems count it in steps.
    """
    before = path.stat()
    text = read_text(path)[::-1].swapcase()
    for _ in range(50):
        write_text(path, text)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        if path.stat().st_ctime_ns != before.st_ctime_ns:
            return True
        time.sleep(0.01)
    return False


def _change(path: Path) -> None:
    """Write another text of the same length, a second later: some systems count in seconds."""
    before = path.stat()
    write_text(path, read_text(path)[::-1].swapcase())
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 10**9))


def _use_six_files(make_get: Callable, paths: list[Path]) -> None:
    """Ask for files in random order, and compare the loads with those of a correct cache."""
    sizes = {path: path.stat().st_size for path in paths}
    limit = sum(sorted(sizes.values())[-3:])  # any three fit, all six do not
    cache = _RecordedCache(make_get, limit)
    expected = _ExpectedCache(sizes, limit)
    largest = sorted(paths, key=lambda path: sizes[path])[-3:]  # they just fit
    for path in [*largest, *largest, *random.choices(paths, k=200)]:
        loads_before = len(cache.loaded)
        must_be_held = expected.use(path)
        if cache.get_text(path) != read_text(path):
            raise NotYet(
                "get returned the model of another file", "that of the path asked for", CACHE
            )
        _expect_at_most(limit, cache)
        if must_be_held and len(cache.loaded) > loads_before:
            raise NotYet(
                "a model was loaded again that fits the limit and was used not long ago",
                "the one used longest ago goes first, and only when space is needed",
                CACHE,
            )


def _expect_at_most(
    limit: int, cache: _RecordedCache, moment: str = "", wanted: str = "at most the limit"
) -> None:
    if cache.bytes_held() > limit:
        gc.collect()  # the models may only wait for the collector; it is slow in a notebook
    held = cache.bytes_held()
    if held > limit:
        seen = f"{moment}models of {held} bytes are held, with a limit of {limit}"
        raise NotYet(seen, wanted, CACHE)


# ---- 11.2 ----


class _Validation:
    """A compiled model that is trained without each fold, with a record of what is asked.

    A training changes weights without a gradient, all that the optimizer remembers, and the
    learning rate.
    """

    def __init__(self, folds: int):
        import keras
        import numpy as np

        numbers = np.random.default_rng(random.randrange(10_000))
        self.folds = [numbers.permutation(12)[:4] for _ in range(folds)]
        self._rows = numbers.normal(size=(12, 3)).astype("float32")
        self._labels = numbers.normal(size=(12, 1)).astype("float32")
        layers = keras.layers
        self.model = keras.Sequential(
            [keras.Input((3,)), layers.Dense(4), layers.BatchNormalization(), layers.Dense(1)]
        )
        self.model.compile(keras.optimizers.Adam(0.1), "mse", run_eagerly=True)
        self.model.train_on_batch(self._rows, self._labels)
        self._weights = list(self.model.weights)
        self._remembered = list(self.model.optimizer.variables)
        self._values = _copies(self._weights), _copies(self._remembered)
        self._asked: list[str] = []
        self.losses = []
        for fold in self.folds:
            self._train(fold)
            self.losses.append(self._test(fold))
            self._put_back()

    def _put_back(self) -> None:
        weights, remembered = self._values
        for variable, value in zip(self._weights, weights, strict=True):
            variable.assign(value)
        for variable, value in zip(self._remembered, remembered, strict=True):
            variable.assign(value)

    def _train(self, fold: Any) -> None:
        import numpy as np

        kept = np.setdiff1d(np.arange(12), fold)
        for _ in range(2):
            self.model.train_on_batch(self._rows[kept], self._labels[kept])
        self.model.optimizer.learning_rate = 0.02

    def _test(self, fold: Any) -> float:
        return float(self.model.test_on_batch(self._rows[fold], self._labels[fold]))

    def use(self, cross_validate: Callable) -> Any:
        """Return what the answer returns; raise `NotYet` for what it does on the way."""
        with mock.patch.object(self.model, "compile", _compile_again), count() as seen:
            losses = cross_validate(self.model, self._train_asked, self._test_asked, [*self.folds])
        if seen.model_loads:
            raise NotYet(
                f"model loads during the folds: {seen.model_loads}",
                "none: put back what a training changes",
                TRAINING,
            )
        wanted = ["train", "test"] * len(self.folds)
        if self._asked != wanted:
            raise NotYet(
                f"for {len(self.folds)} folds the calls were: {', '.join(self._asked) or 'none'}",
                "train, then test, once for each fold",
                TRAINING,
            )
        self._expect_start("after the last fold", "the model is back where it was")
        return losses

    def _train_asked(self, fold: Any) -> None:
        self._expect_next(fold, "train")
        number = self._asked.count("train")
        self._expect_start(
            f"the training for fold {number} did not begin at the start",
            "each training begins where the model was when the function was called",
        )
        self._train(fold)

    def _test_asked(self, fold: Any) -> float:
        self._expect_next(fold, "test")
        return self._test(fold)

    def _expect_next(self, fold: Any, word: str) -> None:
        """Note a call of train or test, and raise `NotYet` if it is for another fold."""
        import numpy as np

        self._asked.append(word)
        number = self._asked.count(word)
        is_known = number <= len(self.folds) and np.array_equal(fold, self.folds[number - 1])
        if not is_known:
            raise NotYet(
                f"call {number} of {word} got another fold", "the folds, in their order", TRAINING
            )

    def _expect_start(self, moment: str, wanted: str) -> None:
        weights, remembered = self._values
        if not _agree(self._weights, weights):
            raise NotYet(f"{moment}: the weights are others", wanted, TRAINING)
        if not _agree(self._remembered, remembered):
            raise NotYet(
                f"{moment}: the optimizer still remembers the training before", wanted, TRAINING
            )


def _copies(variables: list[Any]) -> list[Any]:
    return [variable.numpy().copy() for variable in variables]


def _agree(variables: list[Any], values: list[Any]) -> bool:
    import numpy as np

    pairs = zip(variables, values, strict=True)
    return all(np.allclose(variable.numpy(), value) for variable, value in pairs)


def _compile_again(*_: Any, **__: Any) -> None:
    raise NotYet("the model was compiled again", "a model that is compiled once", TRAINING)


@exercise(
    "11.2",
    "train once for each fold, from one start",
    section=TRAINING,
    hints=(
        "What does a training change, besides the weights?",
        "`model.variables + model.optimizer.variables` are all of them; `variable.numpy()` reads "
        "one, and `variable.assign(value)` writes it.",
        "variables = model.variables + model.optimizer.variables; start = the value of each; for "
        "each fold: train(fold), losses.append(test(fold)), then assign all values of the start",
    ),
)
def _check_cross_validate(cross_validate: Any) -> str:
    for folds in (3, 1, 0):
        task = _Validation(folds)
        losses = task.use(cross_validate)
        expect_result(losses, "a list with the loss of each fold", TRAINING, "cross_validate")
        if not isinstance(losses, list) or len(losses) != folds:
            raise NotYet(
                f"for {folds} folds, cross_validate returned {losses!r}",
                "a list with the loss of each fold",
                TRAINING,
            )
        for got, wanted in zip(losses, task.losses, strict=True):
            number = expect_number(got, TRAINING, "for the loss of a fold cross_validate returned")
            if not is_close(number, wanted, 1e-4):
                raise NotYet(
                    f"a fold has the loss {number:.3g}", f"{wanted:.3g}, from test(fold)", TRAINING
                )
    return "each fold from the same start, the optimizer too, and the model is back there"


# ---- 11.3 ----


@exercise(
    "11.3",
    "load once for many threads (stretch)",
    section=CACHE,
    hints=(
        "Two threads reach `if path not in held` at the same moment. What has to happen between "
        "the question and the answer, and for which paths?",
        "`threading.Lock()` lets one thread in at a time: `with lock:`. One lock for each path, "
        "and ask again inside.",
        "with guard: lock = locks.setdefault(path, threading.Lock()) / with lock: if path not in "
        "held: held[path] = load(path) / return held[path]",
    ),
)
def _check_make_once(make_once: Any) -> str:
    _many_ask_for_one(make_once)
    for paths in ("a", "b"), ("b", "c"):
        _two_ask_for_two(make_once, paths)
    _another_asks_at_every_line(make_once)
    _one_asks_after_a_failure(make_once)
    return "one load per path, different paths side by side, and a failure may be tried again"


def _make_get(make_once: Callable, load: Callable) -> Callable:
    return expect_function(make_once(load), "make_once", "a function get(path)")


def _ask(get: Callable, paths: list[str]) -> list[Any]:
    """Call get from one thread per path, and return the results, errors included."""
    results: list[Any] = [None] * len(paths)

    def call(i: int) -> None:
        try:
            results[i] = get(paths[i])
        except Exception as error:
            results[i] = error

    threads = [threading.Thread(target=call, args=(i,), daemon=True) for i in range(len(paths))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    if any(thread.is_alive() for thread in threads):
        raise NotYet(
            "threads wait for each other and never end",
            "each lock is let go: use `with lock:`",
            CACHE,
        )
    return results


def _many_ask_for_one(make_once: Callable) -> None:
    loads: list[str] = []
    second = threading.Event()

    def load(path: str) -> object:
        loads.append(path)
        if len(loads) > 1:
            second.set()
        second.wait(0.3)  # time enough for another thread to begin a load, if nothing holds it back
        return object()

    get = _make_get(make_once, load)
    results = _ask(get, ["a"] * 8)
    if len(loads) > 1:
        raise NotYet(
            f"{len(loads)} loads of one model for eight threads",
            "one: the others wait for it",
            CACHE,
        )
    for result in results:
        if result is None:
            raise NotYet("get returned nothing", "the model: is a `return` missing?", CACHE)
        if isinstance(result, Exception):
            raise result
    get("a")
    if len(loads) > 1:
        raise NotYet(
            "a model was loaded again that had been loaded before", "one load per path", CACHE
        )


def _two_ask_for_two(make_once: Callable, paths: tuple[str, str]) -> None:
    begun = {path: threading.Event() for path in paths}

    def load(path: str) -> bool:
        begun[path].set()
        return all(event.wait(2) for event in begun.values())

    if not all(_ask(_make_get(make_once, load), list(paths))):
        raise NotYet("a load of one path waits for that of another", "a lock for each path", CACHE)


class _HeldLoad:
    """A load that can be held up; it counts its calls."""

    def __init__(self) -> None:
        self.calls = 0
        self.go_on = threading.Event()
        self.go_on.set()

    def __call__(self, path: str) -> object:
        self.calls += 1
        self.go_on.wait(10 * PATIENCE)
        return object()


def _another_asks_at_every_line(make_once: Callable) -> None:
    """Let another thread ask before each line that the first one runs on its way to the load."""
    for line in itertools.count():
        if not _another_asks(make_once, line):
            return


def _another_asks(make_once: Callable, number: int) -> bool:
    """Let another thread ask before a line of the first one; False if there is no such line."""
    load = _HeldLoad()
    get = _make_get(make_once, load)
    first = Call(get, "a", halt_at=number, until=_HeldLoad.__call__.__code__)
    first.ends_or(first.halted.is_set, 10 * LOOKS)
    if not first.halted.is_set():
        return False
    load.go_on.clear()
    other = Call(get, "a")
    other.ends_or(lambda: load.calls > 0)  # or is stuck: the first has the lock
    first.go_on()
    if load.calls:
        first.ends_or(lambda: load.calls > 1)  # or is stuck, as it waits for the other
    load.go_on.set()
    for call in (first, other):
        call.join()
        if call.error is not None:
            raise call.error
    if load.calls > 1:
        raise NotYet(
            f"two threads loaded one model: the second one came before `{first.line}`",
            "one load: between a question and what follows from it, no other thread, for the lock "
            "too",
            CACHE,
        )
    return True


def _one_asks_after_a_failure(make_once: Callable) -> None:
    calls: list[str] = []

    def load(path: str) -> str:
        calls.append(path)
        if len(calls) == 1:
            raise ValueError("half a file")
        return "the model"

    get = _make_get(make_once, load)
    [first] = _ask(get, ["a"])
    [second] = _ask(get, ["a"])
    if not isinstance(first, ValueError):
        raise NotYet(
            "the error of a failed load did not come out",
            "the error, for the caller that asked",
            CACHE,
        )
    if second != "the model":
        raise NotYet(
            "after a load that failed, the next call did not try again",
            "a failure is not kept",
            CACHE,
        )
