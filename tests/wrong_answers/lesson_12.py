"""Wrong answers that people give in lesson 12, and a part of the message that each must get."""

import contextlib
import functools
import os
import shutil
import tempfile
import threading
import time
from pathlib import Path


def in_place(model, path):
    model.save(path)


def wrong_ending(model, path):
    fresh = path.with_suffix(".tmp")
    model.save(fresh)
    os.replace(fresh, path)


def elsewhere(model, path):
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / path.name)
        shutil.move(Path(folder) / path.name, path)


def unlinks_first(model, path):
    fresh = path.with_name("fresh.keras")
    try:
        model.save(fresh)
        path.unlink()
        fresh.rename(path)
    finally:
        fresh.unlink(missing_ok=True)


def leaves_the_half(model, path):
    fresh = path.with_name("fresh.keras")
    model.save(fresh)
    os.replace(fresh, path)


def swallows(model, path):
    fresh = path.with_name("fresh.keras")
    try:
        model.save(fresh)
        os.replace(fresh, path)
    except OSError:
        fresh.unlink()


def forgets_to_replace(model, path):
    fresh = path.with_name("fresh.keras")
    model.save(fresh)
    fresh.unlink()


def copies(model, path):
    fresh = path.with_name("fresh.keras")
    try:
        model.save(fresh)
        shutil.copyfile(fresh, path)
    finally:
        fresh.unlink(missing_ok=True)


def even_pauses(load, pause, tries=9, longest=60):
    for n in range(tries):
        try:
            return load()
        except Exception:
            if n == tries - 1:
                raise
        pause(1)


def pauses_at_the_end(load, pause, tries=9, longest=60):
    for n in range(tries):
        try:
            return load()
        except Exception as error:
            last = error
            pause(min(2**n, longest))
    raise last


def returns_none(load, pause, tries=9, longest=60):
    for n in range(tries):
        try:
            return load()
        except Exception:
            if n < tries - 1:
                pause(min(2**n, longest))


def for_ever(load, pause, tries=9, longest=60):
    n = 0
    while True:
        try:
            return load()
        except Exception:
            pause(min(2**n, longest))
            n += 1


def one_more(load, pause, tries=9, longest=60):
    for n in range(tries):
        try:
            return load()
        except Exception:
            pause(min(2**n, longest))
    return load()


def catches_all(load, pause, tries=9, longest=60):
    for n in range(tries):
        try:
            return load()
        except BaseException:
            if n == tries - 1:
                raise
        pause(min(2**n, longest))


def catches_two_kinds(load, pause, tries=9, longest=60):
    for n in range(tries):
        try:
            return load()
        except (ValueError, OSError):
            if n == tries - 1:
                raise
        pause(min(2**n, longest))


def raises_the_first_error(load, pause, tries=9, longest=60):
    errors = []
    for n in range(tries):
        try:
            return load()
        except Exception as error:
            errors.append(error)
            if n == tries - 1:
                raise errors[0] from None
        pause(min(2**n, longest))


def drops_the_model(load, pause, tries=9, longest=60):
    for n in range(tries):
        try:
            load()
            break
        except Exception:
            if n == tries - 1:
                raise
        pause(min(2**n, longest))


def never_stops_growing(load, pause, tries=9, longest=60):
    for n in range(tries):
        try:
            return load()
        except Exception:
            if n == tries - 1:
                raise
        pause(2**n)


def drops_back(load, pause, tries=9, longest=60):
    wait = 1
    for n in range(tries):
        try:
            return load()
        except Exception:
            if n == tries - 1:
                raise
        pause(wait)
        wait = wait * 2 if wait * 2 <= longest else 1


def no_lock(work):
    return work


def waits(work):
    lock = threading.Lock()

    def check():
        with lock:
            work()

    return check


def a_flag(work):
    busy = False

    def check():
        nonlocal busy
        if busy:
            return
        busy = True
        try:
            work()
        finally:
            busy = False

    return check


def asks_then_waits(work):
    lock = threading.Lock()

    def check():
        if not lock.locked():
            with lock:
                work()

    return check


def never_lets_go(work):
    lock = threading.Lock()

    def check():
        if lock.acquire(blocking=False):
            work()

    return check


def keeps_it_after_an_error(work):
    lock = threading.Lock()

    def check():
        if lock.acquire(blocking=False):
            work()
            lock.release()

    return check


def swallows_the_error(work):
    lock = threading.Lock()

    def check():
        if lock.acquire(blocking=False):
            try:
                work()
            except Exception:
                pass
            finally:
                lock.release()

    return check


def a_lock_for_each_call(work):
    def check():
        lock = threading.Lock()
        if lock.acquire(blocking=False):
            try:
                work()
            finally:
                lock.release()

    return check


ONE_LOCK = threading.Lock()


def one_lock_for_all(work):
    def check():
        if ONE_LOCK.acquire(blocking=False):
            try:
                work()
            finally:
                ONE_LOCK.release()

    return check


def works_at_once(work):
    work()
    return waits(work)


def only_what_is_true(load, pause, tries=9, longest=60):
    for n in range(tries):
        try:
            model = load()
        except Exception:
            if n == tries - 1:
                raise
        else:
            if model:
                return model
        pause(min(2**n, longest))


def pauses_first(load, pause, tries=9, longest=60):
    for n in range(tries):
        pause(min(2**n, longest))
        try:
            return load()
        except Exception:
            if n == tries - 1:
                raise


def sleeps(load, pause, tries=9, longest=60):
    for n in range(tries):
        try:
            return load()
        except Exception:
            if n == tries - 1:
                raise
        time.sleep(0)


class Flag:
    """A flag in an object."""

    def __init__(self, work):
        self.work = work
        self.busy = False

    def __call__(self):
        if self.busy:
            return
        self.busy = True
        try:
            self.work()
        finally:
            self.busy = False


def a_flag_in_a_partial(work):
    def check(state):
        if state["busy"]:
            return
        state["busy"] = True
        try:
            work()
        finally:
            state["busy"] = False

    return functools.partial(check, {"busy": False})


def waits_a_second(work):
    lock = threading.Lock()

    def check():
        if lock.acquire(timeout=1):
            try:
                work()
            finally:
                lock.release()

    return check


def lets_go_in_any_case(work):
    lock = threading.Lock()

    def check():
        try:
            if lock.acquire(blocking=False):
                work()
        finally:
            lock.release()

    return check


def lets_go_if_locked(work):
    lock = threading.Lock()

    def check():
        try:
            if lock.acquire(blocking=False):
                work()
        finally:
            if lock.locked():
                lock.release()

    return check


def lets_go_and_suppresses(work):
    lock = threading.Lock()

    def check():
        try:
            if lock.acquire(blocking=False):
                work()
        finally:
            with contextlib.suppress(RuntimeError):
                lock.release()

    return check


WRONG = [
    ("12.2", "only what is true", only_what_is_true, "one call, and 0"),
    ("12.1", "in place", in_place, "a reader found"),
    ("12.1", "wrong ending", wrong_ending, "ends in .keras: Keras insists"),
    ("12.1", "elsewhere", elsewhere, "moved from another folder"),
    ("12.1", "unlinks first", unlinks_first, "there was no file at the path"),
    ("12.1", "leaves the half", leaves_the_half, "lies in the folder after a save that failed"),
    ("12.1", "swallows", swallows, "was swallowed"),
    ("12.1", "forgets to replace", forgets_to_replace, "the path holds 'the old version"),
    ("12.1", "copies", copies, "a reader found"),
    ("12.2", "even pauses", even_pauses, "each twice the one before, but none above longest"),
    ("12.2", "pauses at the end", pauses_at_the_end, "none after the last try"),
    ("12.2", "returns None", returns_none, "no error came out"),
    ("12.2", "for ever", for_ever, "more than 18 tries"),
    ("12.2", "one more", one_more, "the number of calls of load was 10"),
    ("12.2", "catches all", catches_all, "Ctrl-C"),
    ("12.2", "catches two kinds", catches_two_kinds, "KeyError came out of try 3"),
    ("12.2", "raises the first error", raises_the_first_error, "another error came out"),
    ("12.2", "drops the model", drops_the_model, "nothing came back"),
    ("12.2", "never stops growing", never_stops_growing, "none above longest"),
    ("12.2", "drops back", drops_back, "none above longest"),
    ("12.3", "no lock", no_lock, "at work at the same time"),
    ("12.3", "waits", waits, "waited until the first one was through"),
    ("12.3", "a flag", a_flag, "at work at the same time"),
    ("12.3", "asks, then waits", asks_then_waits, "to ask and to enter is one step"),
    ("12.3", "never lets go", never_lets_go, "one after the other"),
    ("12.3", "keeps it after an error", keeps_it_after_an_error, "use try and finally"),
    ("12.3", "swallows the error", swallows_the_error, "was swallowed"),
    ("12.3", "a lock for each call", a_lock_for_each_call, "at work at the same time"),
    ("12.3", "one lock for all", one_lock_for_all, "a lock of its own"),
    ("12.3", "works at once", works_at_once, "only check() calls it"),
    (
        "12.2",
        "pauses first",
        pauses_first,
        "a pause before the first try; wanted: the first try at once",
    ),
    ("12.2", "sleeps", sleeps, "pause was not called; wanted: pause(1) before the second try"),
    ("12.3", "a flag in an object", Flag, "at work at the same time"),
    ("12.3", "a flag in a partial", a_flag_in_a_partial, "at work at the same time"),
    ("12.3", "waits a second", waits_a_second, "waited until the first one was through"),
    ("12.3", "lets go in any case", lets_go_in_any_case, "only who got the lock lets it go"),
    ("12.3", "lets go if locked", lets_go_if_locked, "so a third one came in"),
    ("12.3", "lets go and suppresses", lets_go_and_suppresses, "so a third one came in"),
]
