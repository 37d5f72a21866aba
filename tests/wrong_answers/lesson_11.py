"""Wrong answers that people give in lesson 11, and a part of the message that each must get."""

import functools
import os
import shutil
import tempfile
import threading
from pathlib import Path


def never_forgets(load, limit):
    held = {}

    def get(path):
        key = path, os.stat(path).st_mtime_ns
        if key not in held:
            held[key] = load(path)
        return held[key]

    return get


def never_looks(load, limit):
    return functools.lru_cache(maxsize=2)(load)


def looks_at_the_size(load, limit):
    held = {}

    def get(path):
        size = os.stat(path).st_size
        old = held.pop(path, (None,))
        held[path] = size, old[1] if old[0] == size else load(path)
        while sum(size for size, _ in held.values()) > limit:
            held.pop(next(iter(held)))
        return held[path][1]

    return get


def keeps_nothing(load, limit):
    return load


def first_in_first_out(load, limit):
    held = {}

    def get(path):
        found = os.stat(path)
        if path not in held or held[path][0] != found.st_mtime_ns:
            held[path] = found.st_mtime_ns, found.st_size, load(path)
        model = held[path][2]
        while sum(size for _, size, _ in held.values()) > limit:
            held.pop(next(iter(held)))
        return model

    return get


def two_at_most(load, limit):
    @functools.lru_cache(maxsize=2)
    def remembered(path, stamp):
        return load(path)

    return lambda path: remembered(path, os.stat(path).st_mtime_ns)


def no_return(load, limit):
    def get(path):
        load(path)

    return get


def returns_a_model(load, limit):
    pass


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


def even_pauses(load, pause, tries=5):
    for n in range(tries):
        try:
            return load()
        except Exception:
            if n == tries - 1:
                raise
        pause(1)


def pauses_at_the_end(load, pause, tries=5):
    for n in range(tries):
        try:
            return load()
        except Exception as error:
            last = error
            pause(2**n)
    raise last


def returns_none(load, pause, tries=5):
    for n in range(tries):
        try:
            return load()
        except Exception:
            if n < tries - 1:
                pause(2**n)


def for_ever(load, pause, tries=5):
    n = 0
    while True:
        try:
            return load()
        except Exception:
            pause(2**n)
            n += 1


def one_more(load, pause, tries=5):
    for n in range(tries):
        try:
            return load()
        except Exception:
            pause(2**n)
    return load()


def catches_all(load, pause, tries=5):
    for n in range(tries):
        try:
            return load()
        except BaseException:
            if n == tries - 1:
                raise
        pause(2**n)


def catches_two_kinds(load, pause, tries=5):
    for n in range(tries):
        try:
            return load()
        except (ValueError, OSError):
            if n == tries - 1:
                raise
        pause(2**n)


def raises_the_first_error(load, pause, tries=5):
    errors = []
    for n in range(tries):
        try:
            return load()
        except Exception as error:
            errors.append(error)
            if n == tries - 1:
                raise errors[0] from None
        pause(2**n)


def drops_the_model(load, pause, tries=5):
    for n in range(tries):
        try:
            load()
            break
        except Exception:
            if n == tries - 1:
                raise
        pause(2**n)


def without_a_lock(load):
    held = {}

    def get(path):
        if path not in held:
            held[path] = load(path)
        return held[path]

    return get


def one_lock_for_all(load):
    held, lock = {}, threading.Lock()

    def get(path):
        with lock:
            if path not in held:
                held[path] = load(path)
            return held[path]

    return get


def asks_outside(load):
    held, locks = {}, {}

    def get(path):
        if path not in held:
            with locks.setdefault(path, threading.Lock()):
                held[path] = load(path)
        return held[path]

    return get


def keeps_the_lock(load):
    held, locks = {}, {}

    def get(path):
        lock = locks.setdefault(path, threading.Lock())
        lock.acquire()
        if path not in held:
            held[path] = load(path)
        lock.release()
        return held[path]

    return get


def keeps_the_failure(load):
    held, locks = {}, {}

    def get(path):
        with locks.setdefault(path, threading.Lock()):
            if path not in held:
                held[path] = None
                held[path] = load(path)
            return held[path]

    return get


def lru_only(load):
    return functools.lru_cache(load)


WRONG = [
    ("11.1", "never forgets", never_forgets, "bytes are held, with a limit of"),
    ("11.1", "never looks", never_looks, "its size did not"),
    ("11.1", "looks at the size", looks_at_the_size, "its size did not"),
    ("11.1", "keeps nothing", keeps_nothing, "five uses of one unchanged file"),
    ("11.1", "first in, first out", first_in_first_out, "used longest ago goes first"),
    ("11.1", "two at most", two_at_most, "fits the limit"),
    ("11.1", "no return", no_return, "is a `return` missing?"),
    ("11.1", "returns nothing", lambda load, limit: print(end=""), "make_get returned nothing"),
    ("11.2", "in place", in_place, "a reader found"),
    ("11.2", "wrong ending", wrong_ending, "ends in .keras: Keras insists"),
    ("11.2", "elsewhere", elsewhere, "moved from another folder"),
    ("11.2", "unlinks first", unlinks_first, "there was no file at the path"),
    ("11.2", "leaves the half", leaves_the_half, "lies in the folder after a save that failed"),
    ("11.2", "swallows", swallows, "was swallowed"),
    ("11.2", "forgets to replace", forgets_to_replace, "the path holds 'the old version"),
    ("11.2", "copies", copies, "a reader found"),
    ("11.3", "even pauses", even_pauses, "each twice the one before"),
    ("11.3", "pauses at the end", pauses_at_the_end, "none after the last try"),
    ("11.3", "returns None", returns_none, "no error came out"),
    ("11.3", "for ever", for_ever, "more than 10 tries"),
    ("11.3", "one more", one_more, "the number of calls of load was 6"),
    ("11.3", "catches all", catches_all, "Ctrl-C"),
    ("11.3", "catches two kinds", catches_two_kinds, "KeyError came out of try 3"),
    ("11.3", "raises the first error", raises_the_first_error, "another error came out"),
    ("11.3", "drops the model", drops_the_model, "nothing came back"),
    ("11.4", "without a lock", without_a_lock, "for eight threads"),
    ("11.4", "one lock for all", one_lock_for_all, "a lock for each path"),
    ("11.4", "asks outside", asks_outside, "loads of one model"),
    ("11.4", "keeps the lock", keeps_the_lock, "never end"),
    ("11.4", "keeps the failure", keeps_the_failure, "a failure is not kept"),
    ("11.4", "lru_cache alone", lru_only, "for eight threads"),
]
