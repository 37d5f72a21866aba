"""Exercises of lesson 12: a new version while predictions go on."""

import contextlib
import itertools
import os
import random
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from .engine import (
    EXERCISE_TEXT,
    NotYet,
    exercise,
    expect_function,
    read_text,
    temporary_folder,
    write_text,
)
from .steps import LOOKS, PATIENCE, Call

PUBLISH = "How does a version appear in one step?"
SWAP = "How does the server swap?"


# ---- 12.1 ----


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
            text = read_text(self._path)
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
                "for a moment there was no file at the path",
                "os.replace does it in one step",
                PUBLISH,
            )
        raise NotYet(
            f"a reader found {text!r}", "the old file or the new one, at every moment", PUBLISH
        )


class _TextModel:
    """A model that saves a text in pieces, with a reader that reads after each of them."""

    def __init__(self, text: str, fails: bool, reader: _Reader):
        self._text = text
        self._fails = fails
        self._reader = reader
        self.wrong_name = ""

    def save(self, filepath: Any, overwrite: bool = True, zipped: Any = None, **_: Any) -> None:
        """Write the text to `filepath`; the beginning of it where the save fails."""
        target = Path(filepath)
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
        def wrapper(src: Any, dst: Any, **options: Any) -> None:
            folders.append(Path(src).parent.resolve())
            move(src, dst, **options)

        return wrapper

    with (
        mock.patch.object(os, "replace", recorded(os.replace)),
        mock.patch.object(os, "rename", recorded(os.rename)),
    ):
        yield folders


def _keras_saves_it() -> Any:
    """Let every spelling of `keras.saving.save_model` save a model of the checker."""
    from keras.src.saving import saving_lib

    def save_model(model: _TextModel, filepath: Any, *_: Any, **__: Any) -> None:
        model.save(filepath)

    return mock.patch.object(saving_lib, "save_model", save_model)


@exercise(
    "12.1",
    "publish a model in one step",
    section=PUBLISH,
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
    with temporary_folder() as folder:
        path = folder / "model.keras"
        write_text(path, old)
        reader = _Reader(path, {old, new})
        model = _TextModel(new, save_fails, reader)
        error_came_out = False
        with _recorded_moves() as sources, _keras_saves_it(), reader:
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
                PUBLISH,
            )


def _expect_a_good_place(model: _TextModel, sources: list[Path], folder: Path) -> None:
    """Raise `NotYet` for a name that Keras refuses, and for a move from another folder."""
    if model.wrong_name:
        raise NotYet(
            f"model.save was asked to write {model.wrong_name}",
            "a name that ends in .keras: Keras insists",
            PUBLISH,
        )
    for source in sources:
        if not source.is_relative_to(folder.resolve()):
            raise NotYet(
                "the file was moved from another folder",
                "a file in the same folder first: "
                "a move from another disk is a copy, and a copy is not one step",
                PUBLISH,
            )


def _expect_nothing_else(path: Path, save_fails: bool) -> None:
    names = sorted(other.name for other in path.parent.iterdir() if other != path)
    if names:
        moment = "after a save that failed" if save_fails else "afterwards"
        raise NotYet(f"{names[0]} lies in the folder {moment}", "nothing but the model", PUBLISH)


def _expect_text(path: Path, wanted: str) -> None:
    text = read_text(path) if path.exists() else "nothing"
    if text != wanted:
        raise NotYet(f"the path holds {text!r}", f"{wanted!r}", PUBLISH)


# ---- 12.2 ----


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
    "12.2",
    "try again, later each time, up to a limit",
    section=SWAP,
    hints=(
        "After which tries does a pause make sense, and after which one does it not?",
        "`except Exception` leaves Ctrl-C alone; a bare `raise` inside `except` lets the error out "
        "again.",
        "for n in range(tries): try: return load() / except Exception: if n == tries - 1: raise / "
        "then pause(min(2**n, longest))",
    ),
)
def _check_load_with_retries(load_with_retries: Any) -> str:
    for tries in (9, 1, random.randrange(2, 8)):
        for longest in (8, random.choice([1, 3, 5, 1000])):
            for failures in (*range(tries), 3 * tries + 9):
                _retry(load_with_retries, tries, longest, failures)
    _retry(lambda load, pause, *_: load_with_retries(load, pause), 9, 60, 100)  # as in the stub
    _expect_a_result_that_is_false(load_with_retries)
    _expect_interruptible(load_with_retries)
    return "bounded tries, pauses that double up to the limit, and the last error comes out"


class _PausedFirst(BaseException):
    """Stops an answer that pauses before its first try."""


def _retry(load_with_retries: Callable, tries: int, longest: int, failures: int) -> None:
    """Compare the calls, the pauses and the result with the rule, for a number of failures."""
    load = _FailingLoad(failures, max_calls=2 * tries + 5)
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        if not load.calls:
            raise _PausedFirst
        pauses.append(seconds)

    got: Any = None
    raised: Exception | None = None
    try:
        got = load_with_retries(load, pause, tries, longest)
    except _PausedFirst:
        raise NotYet("a pause before the first try", "the first try at once", SWAP) from None
    except Exception as error:
        raised = error
    except SystemExit:
        raise NotYet(
            f"more than {2 * tries} tries where {tries} were allowed", f"{tries} at most", SWAP
        ) from None

    where = f"with tries={tries}, longest={longest} and {min(failures, tries)} failed"
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
    _expect_pauses(pauses, [min(2**n, longest) for n in range(min(failures, tries - 1))], where)


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


def _expect_pauses(pauses: list[float], wanted: list[int], where: str) -> None:
    if len(pauses) > len(wanted):
        raise NotYet(
            f"{where}, the number of pauses was {len(pauses)}",
            f"{len(wanted)}: none after the last try",
            SWAP,
        )
    if not pauses and wanted:
        raise NotYet(
            f"{where}, pause was not called",
            f"pause({wanted[0]}) before the second try: pause is an argument of yours",
            SWAP,
        )
    if pauses != wanted:
        raise NotYet(
            f"{where}, the pauses were {pauses}",
            f"{wanted}: each twice the one before, but none above longest",
            SWAP,
        )


def _expect_a_result_that_is_false(load_with_retries: Callable) -> None:
    """Expect that a load which returns 0 is not taken for one that failed."""
    calls = []

    def load() -> int:
        calls.append(1)
        return 0

    got = load_with_retries(load, lambda seconds: None, 3, 8)
    if len(calls) != 1 or got != 0:
        raise NotYet(
            f"load returned 0 and raised nothing; it was called {len(calls)} times, and {got!r} "
            "came back",
            "one call, and 0: only an Exception is worth another try",
            SWAP,
        )


def _expect_interruptible(load_with_retries: Callable) -> None:
    pauses: list[float] = []

    def interrupted() -> None:
        raise KeyboardInterrupt

    stopped = False
    try:
        load_with_retries(interrupted, pauses.append, 3, 8)
    except KeyboardInterrupt:
        stopped = True
    if pauses or not stopped:
        raise NotYet(
            "Ctrl-C was taken for a failed load", "only an Exception is worth another try", SWAP
        )


# ---- 12.3 ----


class _Work:
    """Work that can be held up; it counts its calls, and those that overlap."""

    def __init__(self) -> None:
        self.calls = 0
        self.at_once = 0
        self.most_at_once = 0
        self.fails = False
        self.entered = threading.Event()
        self.go_on = threading.Event()
        self.go_on.set()

    def __call__(self) -> None:
        self.calls += 1
        self.at_once += 1
        self.most_at_once = max(self.at_once, self.most_at_once)
        try:
            self.entered.set()
            self.go_on.wait(10 * PATIENCE)
            if self.fails:
                raise _WorkFailed("the work failed")
        finally:
            self.at_once -= 1


class _WorkFailed(Exception):
    """The error of work that fails."""


def _raise_its_mistakes(*calls: Call) -> None:
    """Raise what the learner's function raised in a thread, apart from the error of the work."""
    for call in calls:
        if call.error is not None and not isinstance(call.error, _WorkFailed):
            raise call.error


@exercise(
    "12.3",
    "one check at a time (stretch)",
    section=SWAP,
    hints=(
        "What tells a second thread that the first one is inside, and what if both ask in the same "
        "moment? What if the work raises?",
        "`lock.acquire(blocking=False)` returns True for one thread, and False at once for all "
        "others, until somebody calls `lock.release()`.",
        "lock = threading.Lock() outside; in check: if lock.acquire(blocking=False): try: work() / "
        "finally: lock.release()",
    ),
)
def _check_one_at_a_time(one_at_a_time: Any) -> str:
    _one_after_the_other(one_at_a_time)
    _one_inside(one_at_a_time)
    _one_at_every_line(one_at_a_time)
    _two_checks(one_at_a_time)
    return "one at a time, nobody waits, and an error lets the next one in"


def _make_check(one_at_a_time: Callable, work: Callable) -> Callable:
    return expect_function(one_at_a_time(work), "one_at_a_time", "a function check()")


def _one_after_the_other(one_at_a_time: Callable) -> None:
    """Check twice, then with work that fails, then once more."""
    work = _Work()
    check = _make_check(one_at_a_time, work)
    if work.calls:
        raise NotYet("one_at_a_time called work itself", "only check() calls it", EXERCISE_TEXT)
    check()
    check()
    if work.calls != 2:
        raise NotYet(
            f"{work.calls} calls of work for two calls of check, one after the other",
            "2: when a call is over, the next one may work",
            SWAP,
        )
    work.fails = True
    came_out = False
    try:
        check()
    except _WorkFailed:
        came_out = True
    if not came_out:
        raise NotYet("the error of work was swallowed", "it comes out of check", EXERCISE_TEXT)
    work.fails = False
    third = Call(check)
    third.join()
    _raise_its_mistakes(third)
    if work.calls != 4:
        raise NotYet(
            "after work had raised an error, nobody could work any more",
            "the next call works: use try and finally",
            SWAP,
        )


def _one_inside(one_at_a_time: Callable) -> None:
    """Check while another thread is held up in its work, and once more after that."""
    for _ in range(3):  # a busy machine looks like a thread that waits, but not three times
        if not _second_waits(one_at_a_time):
            return
    raise NotYet(
        "a second call waited until the first one was through",
        "it returns at once, and does nothing",
        SWAP,
    )


def _second_waits(one_at_a_time: Callable) -> bool:
    """Return whether a second call waits for the first; a third one comes when it does not."""
    work = _Work()
    check = _make_check(one_at_a_time, work)
    work.go_on.clear()
    first = Call(check)
    first.ends_or(work.entered.is_set)
    calls = [first, Call(check)]
    waits = not calls[1].ends_or(lambda: work.calls > 1)
    second_worked = work.calls > 1
    if not waits and not second_worked:
        calls.append(Call(check))
        calls[2].ends_or(lambda: work.calls > 1)
    work.go_on.set()
    for call in calls:
        call.join()
    if work.calls > 1 and len(calls) == 3:
        raise NotYet(
            "a second call found the first one inside and let its lock go, so a third one came in",
            "only who got the lock lets it go",
            SWAP,
        )
    _expect_one_at_a_time(work)
    _raise_its_mistakes(*calls)
    return waits or second_worked


def _expect_one_at_a_time(work: _Work) -> None:
    if work.most_at_once > 1:
        raise NotYet(
            f"{work.most_at_once} threads were at work at the same time", "one at a time", SWAP
        )


def _one_at_every_line(one_at_a_time: Callable) -> None:
    """Let another thread check before each line that the first one runs on its way to the work."""
    for line in itertools.count():
        has_line, waits = _another_comes(one_at_a_time, line)
        if not has_line:
            return
        # A busy machine looks like a thread that waits, but not three times.
        if waits and all(_another_comes(one_at_a_time, line)[1] for _ in range(2)):
            raise NotYet(
                "a thread asked whether another one is inside, and then waited for it",
                "to ask and to enter is one step: lock.acquire(blocking=False)",
                SWAP,
            )


def _another_comes(one_at_a_time: Callable, number: int) -> tuple[bool, bool]:
    """Let another thread check before a line of the first one.

    Returns whether there is a line of that number, and whether the first waits for the other.
    """
    work = _Work()
    check = _make_check(one_at_a_time, work)
    first = Call(check, halt_at=number, until=_Work.__call__.__code__)
    first.ends_or(first.halted.is_set, 10 * LOOKS)
    if not first.halted.is_set():
        return False, False
    work.go_on.clear()
    work.entered.clear()
    other = Call(check)
    other.ends_or(work.entered.is_set)  # or is stuck: the first has what it needs
    is_inside = work.entered.is_set()
    if not is_inside:
        work.go_on.set()
    first.go_on()
    waits = not first.ends_or(lambda: work.calls > 1) and is_inside
    work.go_on.set()
    first.join()
    other.join()
    _expect_one_at_a_time(work)
    _raise_its_mistakes(first, other)
    return True, waits and work.calls > 1


def _two_checks(one_at_a_time: Callable) -> None:
    """Hold up one check, and call another one, which was made for other work."""
    work, other_work = _Work(), _Work()
    check = _make_check(one_at_a_time, work)
    other_check = _make_check(one_at_a_time, other_work)
    work.go_on.clear()
    first = Call(check)
    first.ends_or(work.entered.is_set)
    second = Call(other_check)
    second.ends_or(lambda: other_work.calls > 0)
    work.go_on.set()
    first.join()
    second.join()
    if other_work.calls != 1:
        raise NotYet(
            "while one check was at work, a check made for other work did nothing",
            "each call of one_at_a_time has a lock of its own",
            SWAP,
        )
