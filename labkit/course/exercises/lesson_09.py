"""Exercises of lesson 09: loading in a loop."""

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

from .engine import NotYet, exercise

CACHE = "Does it leak, and what must a cache know?"
SWAP = "How do you swap a model while it serves?"


class _Model:
    """What the tests load: the text of a file, and its size."""

    def __init__(self, path: Any):
        self.text = Path(path).read_text(encoding="utf-8")
        self.size = len(self.text)


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def _function(answer: Any, name: str) -> Callable:
    if not callable(answer):
        seen = "nothing" if answer is None else f"a {type(answer).__name__}"
        raise NotYet(f"{name} returned {seen}", "a function get(path)", "the text of the exercise")
    return answer


@exercise(
    "09.1",
    "write a cache with a limit in bytes",
    section=CACHE,
    hints=(
        "What do you have to remember of each model, so that you know later whether its file has changed, how large it "
        "is, and which was used longest ago?",
        "A dict keeps its order: take the entry out with pop and put it in again at each use, and the first is the one "
        "used longest ago. `os.stat(path)` has st_ino, st_size and st_mtime_ns.",
        "old = held.pop(path, (None,)); model = old[2] if old[0] == stamp else load(path); held[path] = stamp, size, "
        "model; while the sizes add up to more than the limit: held.pop(next(iter(held))); return model",
    ),
)
def _get(make_get: Any) -> str:
    with _folder() as folder:
        paths = [folder / f"{letter}.keras" for letter in "abcdef"]
        for path in paths:
            path.write_text(path.stem * random.randrange(10, 41), encoding="utf-8")
        _uses_one_file(make_get, paths[0])
        _follows_a_limit(make_get, paths)
    return "loaded when new or changed, never more bytes than the limit, the one used longest ago goes first"


def _watched(make_get: Callable, limit: int) -> tuple[Callable, list, weakref.WeakSet]:
    """Return get, the paths that it loaded, and the models that are alive."""
    loaded, alive = [], weakref.WeakSet()

    def load(path: Any) -> _Model:
        loaded.append(Path(path))
        model = _Model(path)
        alive.add(model)
        return model

    return _function(make_get(load, limit), "make_get"), loaded, alive


def _text_of(model: Any) -> str:
    if model is None or model is ...:
        raise NotYet("get returned nothing", "the model: is a `return` missing?", CACHE)
    if not hasattr(model, "text"):
        raise NotYet(
            f"get returned a {type(model).__name__}", "the model that load returned", CACHE
        )
    return model.text


def _uses_one_file(make_get: Callable, path: Path) -> None:
    """Ask for one file that stays the same, then for one that changes and keeps its size."""
    get, loaded, _ = _watched(make_get, 1000)
    for _ in range(5):
        _text_of(get(path))
    if len(loaded) != 1:
        raise NotYet(f"{len(loaded)} loads for five uses of one unchanged file", "one", CACHE)
    for _ in range(2):  # twice: the stamp that it was loaded with has to be remembered, too
        text, before = path.read_text(encoding="utf-8"), path.stat()
        path.write_text(text[::-1].swapcase(), encoding="utf-8")
        os.utime(
            path, ns=(before.st_atime_ns, before.st_mtime_ns + 10**9)
        )  # some systems count in whole seconds
        for _ in range(3):
            if _text_of(get(path)) != path.read_text(encoding="utf-8"):
                raise NotYet(
                    "the file changed, its size did not, and get returned the old model",
                    "the new one",
                    CACHE,
                )
    if len(loaded) != 3:
        raise NotYet(f"{len(loaded)} loads for a file that changed twice", "3", CACHE)


def _follows_a_limit(make_get: Callable, paths: list[Path]) -> None:
    """Ask for files in random order, and hold the loads against a list that is kept by the rule."""
    sizes = {path: path.stat().st_size for path in paths}
    limit = sum(sorted(sizes.values())[-3:])  # three fit for sure, six do not
    get, loaded, alive = _watched(make_get, limit)
    kept: list[Path] = []  # the one used longest ago first
    for path in random.choices(paths, k=200):
        before, wanted = len(loaded), path not in kept
        kept = [*(p for p in kept if p != path), path]
        while sum(sizes[p] for p in kept) > limit:
            kept.pop(0)
        if _text_of(get(path)) != path.read_text(encoding="utf-8"):
            raise NotYet(
                "get returned the model of another file", "that of the path asked for", CACHE
            )
        held = sum(model.size for model in alive)
        if held > limit:  # unless they only wait for the collector, which takes long in a notebook
            gc.collect()
            held = sum(model.size for model in alive)
        if held > limit:
            raise NotYet(
                f"models of {held} bytes are held, with a limit of {limit}",
                "at most the limit",
                CACHE,
            )
        if wanted is False and len(loaded) > before:
            raise NotYet(
                "a model was loaded again that fits the limit and was used not long ago",
                "the one used longest ago goes first, and only when room is needed",
                CACHE,
            )


@exercise(
    "09.2",
    "publish a model in one step",
    section=SWAP,
    hints=(
        "What does a reader find at the path while model.save is half-way, and what if save stops there for good?",
        "Save to another name in the same folder (Keras wants it to end in .keras, too), then "
        "`os.replace(fresh, path)`; `try`/`finally` cleans up.",
        "fresh = path.with_name(...); try: model.save(fresh); os.replace(fresh, path); finally: "
        "fresh.unlink(missing_ok=True)",
    ),
)
def _publish(publish_model: Any) -> str:
    old, new = "the old version, whole", "the new version, whole as well, and longer"
    for fails in (False, True):
        with _folder() as folder:
            path = folder / "model.keras"
            path.write_text(old, encoding="utf-8")
            reader = _Reader(path, {old, new})
            model, raised = _Saves(new, path, fails, reader), None
            with reader:
                try:
                    publish_model(model, path)
                except _DiskFull as error:
                    raised = error
            reader.judge()
            if model.misplaced:
                raise NotYet(*model.misplaced, SWAP)
            left = sorted(p.name for p in folder.iterdir() if p != path)
            text = path.read_text(encoding="utf-8") if path.exists() else "nothing"
            if left:
                moment = "after a save that failed" if fails else "afterwards"
                raise NotYet(
                    f"{left[0]} lies in the folder {moment}", "nothing but the model", SWAP
                )
            if text != (old if fails else new):
                raise NotYet(f"the path holds {text!r}", f"{(old if fails else new)!r}", SWAP)
            if fails and raised is None:
                raise NotYet(
                    "the error of the save was swallowed",
                    "it comes out, so that somebody hears of it",
                    SWAP,
                )
    return "the old file or the new one at every moment, and nothing left behind when a save fails"


class _DiskFull(OSError):
    pass


class _Saves:
    """A model that saves in pieces, as a real one does, and lets a reader look after each."""

    def __init__(self, text: str, path: Path, fails: bool, reader: "_Reader"):
        self.text, self.path, self.fails, self.reader = text, path, fails, reader
        self.misplaced: tuple[str, str] | None = None

    def save(self, target: Any, *_: Any, **__: Any) -> None:
        """Write the text to `target`; half of it when it fails."""
        target = Path(target)
        if target.suffix != ".keras":
            seen = f"model.save was asked to write {target.name}"
            self.misplaced = (seen, "a name that ends in .keras: Keras insists")
        elif target.parent.resolve() != self.path.parent.resolve():
            self.misplaced = (
                "the model was saved into another folder first",
                "the same folder: a rename from another disk copies the file, and a copy is not one step",
            )
        with open(target, "w", encoding="utf-8") as file:
            for i in range(0, len(self.text), 10):
                file.write(self.text[i : i + 10])
                file.flush()
                self.reader.look()
                if self.fails and i:
                    raise _DiskFull("no space left on device")


class _Reader:
    """Reads a file after every call that Python or its C functions make, as another process might."""

    def __init__(self, path: Path, wanted: set[str]):
        self.path, self.wanted, self.found, self._outer = path, wanted, [], None

    def look(self, *_: Any) -> None:
        """Note what is there, if it is neither of the versions."""
        try:
            text = self.path.read_text(encoding="utf-8")
        except OSError:
            text = None
        if text not in self.wanted and not self.found:
            self.found.append(text)

    def __enter__(self) -> "_Reader":
        self._outer = sys.getprofile()
        sys.setprofile(self.look)
        return self

    def __exit__(self, *_: Any) -> None:
        sys.setprofile(self._outer)

    def judge(self) -> None:
        """Raise `NotYet` if something else was found."""
        if self.found == [None]:
            raise NotYet(
                "for a moment there was no file at the path", "os.replace does it in one step", SWAP
            )
        if self.found:
            raise NotYet(
                f"a reader found {self.found[0]!r}",
                "the old file or the new one, at every moment",
                SWAP,
            )


@exercise(
    "09.3",
    "try again, later each time",
    section=SWAP,
    hints=(
        "After which tries does a pause make sense, and after which one does it not?",
        "`except Exception` leaves Ctrl-C alone; a bare `raise` inside `except` lets the error out again.",
        "for n in range(tries): try: return load() / except Exception: if n == tries - 1: raise / then pause(2**n)",
    ),
)
def _patient(patient_load: Any) -> str:
    for tries in (5, 1, random.randrange(2, 8)):
        for failures in (*range(tries), 3 * tries + 9):
            _try_with(patient_load, tries, failures)
    pauses: list = []

    def interrupted() -> None:
        raise KeyboardInterrupt

    try:
        patient_load(interrupted, pauses.append, 3)
        stopped = False
    except KeyboardInterrupt:
        stopped = True
    if pauses or not stopped:
        raise NotYet(
            "Ctrl-C was taken for a failed load", "only an Exception is worth another try", SWAP
        )
    return "bounded tries, pauses that double, and the last error comes out"


def _try_with(patient_load: Callable, tries: int, failures: int) -> None:
    """Hold one run against the rule, for a load that fails so many times."""
    calls: list[int] = []
    pauses: list[float] = []

    def load() -> str:
        calls.append(len(calls))
        if len(calls) > 2 * tries + 5:
            raise SystemExit  # passes through `except Exception`, so that an endless loop ends
        if len(calls) <= failures:
            raise ValueError(f"failure {len(calls)}")
        return "the model"

    got, raised = None, None
    try:
        got = patient_load(load, pauses.append, tries)
    except ValueError as error:
        raised = str(error)
    except SystemExit:
        raise NotYet(
            f"more than {2 * tries} tries where {tries} were allowed", f"{tries} at most", SWAP
        ) from None
    where = f"tries={tries} and {min(failures, tries)} failed"
    if failures < tries and got is None and raised is None:
        raise NotYet(
            f"with {where}, nothing came back", "what load returned: is a `return` missing?", SWAP
        )
    if len(calls) != min(failures + 1, tries):
        raise NotYet(
            f"with {where}, load was called {len(calls)} times", f"{min(failures + 1, tries)}", SWAP
        )
    if failures > tries and raised is None:
        raise NotYet(f"with {where}, no error came out", "the error of the last try", SWAP)
    wanted = [2**n for n in range(min(failures, tries - 1))]
    if len(pauses) > len(wanted):
        raise NotYet(
            f"with {where}, {len(pauses)} pauses", f"{len(wanted)}: none after the last try", SWAP
        )
    if pauses != wanted:
        raise NotYet(
            f"with {where}, the pauses were {pauses}", f"{wanted}: each twice the one before", SWAP
        )


@exercise(
    "09.4",
    "load once for many threads (stretch)",
    section=CACHE,
    hints=(
        "Two threads stand at `if path not in held` at the same moment. What has to happen between the question and "
        "the answer, and for which paths?",
        "`threading.Lock()` lets one thread in at a time: `with lock:`. One lock for each path, and ask again inside.",
        "with guard: lock = locks.setdefault(path, threading.Lock()) / with lock: if path not in held: held[path] = "
        "load(path) / return held[path]",
    ),
)
def _once(make_once: Any) -> str:
    _many_ask_for_one(make_once)
    _two_ask_for_two(make_once)
    _a_failure_is_not_kept(make_once)
    return "one load per path, different paths side by side, and a failure may be tried again"


def _ask(get: Callable, paths: list[str]) -> list[Any]:
    """Call get from a thread per path, and return what came back."""
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

    get = _function(make_once(load), "make_once")
    results = _ask(get, ["a"] * 8)
    if len(loads) > 1:
        raise NotYet(
            f"{len(loads)} loads of one model for eight threads",
            "one: the others wait for it",
            CACHE,
        )
    if any(result is None for result in results):
        raise NotYet("get returned nothing", "the model: is a `return` missing?", CACHE)
    if any(isinstance(result, Exception) for result in results):
        raise next(result for result in results if isinstance(result, Exception))
    get("a")
    if len(loads) > 1:
        raise NotYet(
            "a model was loaded again that had been loaded before", "one load per path", CACHE
        )


def _two_ask_for_two(make_once: Callable) -> None:
    begun = {"a": threading.Event(), "b": threading.Event()}

    def load(path: str) -> bool:
        begun[path].set()
        return begun["b" if path == "a" else "a"].wait(2)

    if not all(_ask(make_once(load), ["a", "b"])):
        raise NotYet("a load of one path waits for that of another", "a lock for each path", CACHE)


def _a_failure_is_not_kept(make_once: Callable) -> None:
    calls: list[str] = []

    def load(path: str) -> str:
        calls.append(path)
        if len(calls) == 1:
            raise ValueError("half a file")
        return "the model"

    get = make_once(load)
    first, second = _ask(get, ["a"])[0], _ask(get, ["a"])[0]
    if not isinstance(first, ValueError):
        raise NotYet(
            "the error of a failed load did not come out", "who asked has to hear of it", CACHE
        )
    if second != "the model":
        raise NotYet(
            "after a load that failed, the next call did not try again",
            "a failure is not kept",
            CACHE,
        )
