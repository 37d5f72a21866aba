"""Exercises of lesson 11: loading in a loop."""

import contextlib
import gc
import os
import random
import sys
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from ...show.errors import kind_in_words
from .engine import NotYet, exercise, expect_function

CACHE = "Does it leak, and what must a cache know?"
SWAP = "How do you swap a model while it serves?"


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


# ---- 09.1 ----


class _FileModel:
    """A model that consists of the text of a file."""

    def __init__(self, path: Any):
        self.text = _read(Path(path))
        self.size = len(self.text)


class _RecordedCache:
    """The learner's cache, with a record of what it loads and what it keeps alive."""

    def __init__(self, make_get: Callable, limit: int):
        self.loaded: list[Path] = []
        self._alive: weakref.WeakSet[_FileModel] = weakref.WeakSet()
        self._get = expect_function(make_get(self._load, limit), "make_get", "a function get(path)")

    def _load(self, path: Any) -> _FileModel:
        model = _FileModel(path)
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

    def bytes_held(self) -> int:
        return sum(model.size for model in self._alive)


class _ExpectedCache:
    """The paths that a cache with a limit keeps: those used last that fit."""

    def __init__(self, sizes: dict[Path, int], limit: int):
        self._sizes = sizes
        self._limit = limit
        self._kept: list[Path] = []  # the one used longest ago first

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
        "the first is the one used longest ago. `os.stat(path)` has st_ino, st_size and "
        "st_mtime_ns.",
        "old = held.pop(path, (None,)); model = old[2] if old[0] == stamp else load(path); "
        "held[path] = stamp, size, model; while the sizes add up to more than the limit: "
        "held.pop(next(iter(held))); return model",
    ),
)
def _check_make_get(make_get: Any) -> str:
    with _folder() as folder:
        paths = [folder / f"{letter}.keras" for letter in "abcdef"]
        for path in paths:
            _write(path, path.stem * random.randrange(10, 41))
        _use_one_file(make_get, paths[0])
        _use_six_files(make_get, paths)
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
            if cache.get_text(path) != _read(path):
                raise NotYet(
                    "the file changed, its size did not, and get returned the old model",
                    "the new one",
                    CACHE,
                )
    loads = len(cache.loaded)
    if loads != 3:
        raise NotYet(f"{loads} loads for a file that changed twice", "3", CACHE)


def _change(path: Path) -> None:
    """Write another text of the same length, a second later: some systems count in seconds."""
    before = path.stat()
    _write(path, _read(path)[::-1].swapcase())
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 10**9))


def _use_six_files(make_get: Callable, paths: list[Path]) -> None:
    """Ask for files in random order, and compare the loads with those of a correct cache."""
    sizes = {path: path.stat().st_size for path in paths}
    limit = sum(sorted(sizes.values())[-3:])  # any three fit, all six do not
    cache = _RecordedCache(make_get, limit)
    expected = _ExpectedCache(sizes, limit)
    for path in random.choices(paths, k=200):
        loads_before = len(cache.loaded)
        must_be_held = expected.use(path)
        if cache.get_text(path) != _read(path):
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


def _expect_at_most(limit: int, cache: _RecordedCache) -> None:
    if cache.bytes_held() > limit:
        gc.collect()  # the models may only wait for the collector; it is slow in a notebook
    held = cache.bytes_held()
    if held > limit:
        raise NotYet(
            f"models of {held} bytes are held, with a limit of {limit}", "at most the limit", CACHE
        )


# ---- 09.2 ----


class _DiskFull(OSError):
    """The error of a save that stops half-way."""


class _Reader:
    """Reads a file after every call that Python or its C functions make, as a process might.

    It remembers the first text that is none of the whole versions; None means that there was no
    file.
    """

    def __init__(self, path: Path, versions: set[str]):
        self._path = path
        self._versions = versions
        self._found: list[str | None] = []
        self._profiler: Any = None

    def read(self, *_: Any) -> None:
        """Read the file once."""
        text: str | None
        try:
            text = _read(self._path)
        except OSError:
            text = None
        if text not in self._versions and not self._found:
            self._found.append(text)

    def __enter__(self) -> "_Reader":
        self._profiler = sys.getprofile()
        sys.setprofile(self.read)
        return self

    def __exit__(self, *_: Any) -> None:
        sys.setprofile(self._profiler)

    def expect_whole_versions(self) -> None:
        """Raise `NotYet` if something else was found."""
        if not self._found:
            return
        [text] = self._found
        if text is None:
            raise NotYet(
                "for a moment there was no file at the path", "os.replace does it in one step", SWAP
            )
        raise NotYet(
            f"a reader found {text!r}", "the old file or the new one, at every moment", SWAP
        )


class _TextModel:
    """A model that saves a text in pieces, with a reader that reads after each of them."""

    def __init__(self, text: str, fails: bool, reader: _Reader):
        self._text = text
        self._fails = fails
        self._reader = reader
        self.wrong_name = ""

    def save(self, target: Any, *_: Any, **__: Any) -> None:
        """Write the text to `target`; the beginning of it where the save fails."""
        target = Path(target)
        if target.suffix != ".keras":
            self.wrong_name = target.name
        with open(target, "w", encoding="utf-8") as file:
            for i in range(0, len(self._text), 10):
                file.write(self._text[i : i + 10])
                file.flush()
                self._reader.read()
                if self._fails and i:
                    raise _DiskFull("no space left on device")


@contextlib.contextmanager
def _recorded_moves() -> Iterator[list[Path]]:
    """Collect the folders from which files are renamed."""
    folders: list[Path] = []

    def recorded(move: Callable) -> Callable:
        def wrapper(source: Any, target: Any, **options: Any) -> None:
            folders.append(Path(source).parent.resolve())
            move(source, target, **options)

        return wrapper

    with (
        mock.patch.object(os, "replace", recorded(os.replace)),
        mock.patch.object(os, "rename", recorded(os.rename)),
    ):
        yield folders


@exercise(
    "11.2",
    "publish a model in one step",
    section=SWAP,
    hints=(
        "What does a reader find at the path while model.save is half-way, and what if save stops "
        "there for good?",
        "Save to another name in the same folder (Keras wants it to end in .keras, too), then "
        "`os.replace(fresh, path)`; `try`/`finally` cleans up.",
        "fresh = path.with_name(...); try: model.save(fresh); os.replace(fresh, path); finally: "
        "fresh.unlink(missing_ok=True)",
    ),
)
def _check_publish_model(publish_model: Any) -> str:
    _publish(publish_model, save_fails=False)
    _publish(publish_model, save_fails=True)
    return "the old file or the new one at every moment, and nothing left behind when a save fails"


def _publish(publish_model: Callable, save_fails: bool) -> None:
    """Publish a new version over an old one, with a reader at the path all the time."""
    old = "the old version, whole"
    new = "the new version, whole as well, and longer"
    with _folder() as folder:
        path = folder / "model.keras"
        _write(path, old)
        reader = _Reader(path, {old, new})
        model = _TextModel(new, save_fails, reader)
        error_came_out = False
        with _recorded_moves() as sources, reader:
            try:
                publish_model(model, path)
            except _DiskFull:
                error_came_out = True

        reader.expect_whole_versions()
        _expect_a_good_place(model, sources, folder)
        _expect_nothing_else(path, save_fails)
        _expect_text(path, old if save_fails else new)
        if save_fails and not error_came_out:
            raise NotYet(
                "the error of the save was swallowed",
                "it comes out, so that somebody hears of it",
                SWAP,
            )


def _expect_a_good_place(model: _TextModel, sources: list[Path], folder: Path) -> None:
    """Raise `NotYet` for a name that Keras refuses, and for a move from another folder."""
    if model.wrong_name:
        raise NotYet(
            f"model.save was asked to write {model.wrong_name}",
            "a name that ends in .keras: Keras insists",
            SWAP,
        )
    for source in sources:
        if not source.is_relative_to(folder.resolve()):
            raise NotYet(
                "the file was moved from another folder",
                "a file in the same folder first: "
                "a move from another disk is a copy, and a copy is not one step",
                SWAP,
            )


def _expect_nothing_else(path: Path, save_fails: bool) -> None:
    names = sorted(other.name for other in path.parent.iterdir() if other != path)
    if names:
        moment = "after a save that failed" if save_fails else "afterwards"
        raise NotYet(f"{names[0]} lies in the folder {moment}", "nothing but the model", SWAP)


def _expect_text(path: Path, wanted: str) -> None:
    text = _read(path) if path.exists() else "nothing"
    if text != wanted:
        raise NotYet(f"the path holds {text!r}", f"{wanted!r}", SWAP)


# ---- 09.3 ----


class _FailingLoad:
    """A load that fails a number of times, with a different kind of error each time."""

    KINDS = (ValueError, OSError, KeyError, RuntimeError)

    def __init__(self, failures: int, max_calls: int):
        self._failures = failures
        self._max_calls = max_calls
        self.calls = 0
        self.last_error: Exception | None = None

    def __call__(self) -> str:
        self.calls += 1
        if self.calls > self._max_calls:
            raise SystemExit  # passes through `except Exception`, so that an endless loop ends
        if self.calls <= self._failures:
            kind = self.KINDS[(self.calls - 1) % len(self.KINDS)]
            self.last_error = kind(f"failure {self.calls}")
            raise self.last_error
        return "the model"


@exercise(
    "11.3",
    "try again, later each time",
    section=SWAP,
    hints=(
        "After which tries does a pause make sense, and after which one does it not?",
        "`except Exception` leaves Ctrl-C alone; a bare `raise` inside `except` lets the error out "
        "again.",
        "for n in range(tries): try: return load() / except Exception: if n == tries - 1: raise / "
        "then pause(2**n)",
    ),
)
def _check_load_with_retries(load_with_retries: Any) -> str:
    for tries in (5, 1, random.randrange(2, 8)):
        for failures in (*range(tries), 3 * tries + 9):
            _retry(load_with_retries, tries, failures)
    _expect_interruptible(load_with_retries)
    return "bounded tries, pauses that double, and the last error comes out"


def _retry(load_with_retries: Callable, tries: int, failures: int) -> None:
    """Compare the calls, the pauses and the result with the rule, for a number of failures."""
    load = _FailingLoad(failures, max_calls=2 * tries + 5)
    pauses: list[float] = []
    got: Any = None
    raised: Exception | None = None
    try:
        got = load_with_retries(load, pauses.append, tries)
    except Exception as error:
        raised = error
    except SystemExit:
        raise NotYet(
            f"more than {2 * tries} tries where {tries} were allowed", f"{tries} at most", SWAP
        ) from None

    where = f"with tries={tries} and {min(failures, tries)} failed"
    _expect_calls(load, min(failures + 1, tries), raised, where)
    if failures < tries:
        if raised is not None:
            raise raised
        if got is None:
            raise NotYet(
                f"{where}, nothing came back", "what load returned: is a `return` missing?", SWAP
            )
    elif raised is None:
        raise NotYet(f"{where}, no error came out", "the error of the last try", SWAP)
    elif raised is not load.last_error:
        raise NotYet(f"{where}, another error came out", "the error of the last try", SWAP)
    _expect_pauses(pauses, min(failures, tries - 1), where)


def _expect_calls(load: _FailingLoad, wanted: int, raised: Exception | None, where: str) -> None:
    if load.calls == wanted:
        return
    if raised is not None and raised is not load.last_error:
        raise raised  # a mistake of the answer
    if raised is not None and load.calls < wanted:
        raise NotYet(
            f"{where}, {type(raised).__name__} came out of try {load.calls}",
            "another try after any Exception",
            SWAP,
        )
    raise NotYet(f"{where}, the number of calls of load was {load.calls}", f"{wanted}", SWAP)


def _expect_pauses(pauses: list[float], number: int, where: str) -> None:
    wanted = [2**n for n in range(number)]
    if len(pauses) > len(wanted):
        raise NotYet(
            f"{where}, the number of pauses was {len(pauses)}",
            f"{len(wanted)}: none after the last try",
            SWAP,
        )
    if pauses != wanted:
        raise NotYet(
            f"{where}, the pauses were {pauses}", f"{wanted}: each twice the one before", SWAP
        )


def _expect_interruptible(load_with_retries: Callable) -> None:
    pauses: list[float] = []

    def interrupted() -> None:
        raise KeyboardInterrupt

    stopped = False
    try:
        load_with_retries(interrupted, pauses.append, 3)
    except KeyboardInterrupt:
        stopped = True
    if pauses or not stopped:
        raise NotYet(
            "Ctrl-C was taken for a failed load", "only an Exception is worth another try", SWAP
        )


# ---- 09.4 ----


@exercise(
    "11.4",
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
    _two_ask_for_two(make_once)
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


def _two_ask_for_two(make_once: Callable) -> None:
    begun = {"a": threading.Event(), "b": threading.Event()}

    def load(path: str) -> bool:
        other = "b" if path == "a" else "a"
        begun[path].set()
        return begun[other].wait(2)

    if not all(_ask(_make_get(make_once, load), ["a", "b"])):
        raise NotYet("a load of one path waits for that of another", "a lock for each path", CACHE)


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
