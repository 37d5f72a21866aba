"""Right answers to the exercises of lesson 12, in other styles than those of the solutions."""

import contextlib
import os
import queue
import tempfile
import threading
import uuid
from concurrent.futures import Future
from pathlib import Path

import keras


def through_a_folder_beside_it(model, path):
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        fresh = Path(folder) / path.name
        model.save(fresh)
        os.replace(fresh, path)


def through_bytes(model, path):
    with tempfile.TemporaryDirectory() as folder:
        saved = Path(folder) / path.name
        model.save(saved)
        data = saved.read_bytes()
    fresh = path.with_suffix(".tmp")
    fresh.write_bytes(data)
    fresh.replace(path)


def under_a_name_that_nobody_has(model, path):
    fresh = path.parent / f"{uuid.uuid4().hex}.keras"
    try:
        model.save(str(fresh))
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(fresh)
        raise
    os.rename(fresh, path)


def retries_by_recursion(load, pause, tries=9, longest=60, wait=1):
    try:
        return load()
    except Exception:
        if tries == 1:
            raise
    pause(min(wait, longest))
    return retries_by_recursion(load, pause, tries - 1, longest, 2 * wait)


def retries_while(load, pause, tries=9, longest=60):
    wait = 1
    while True:
        try:
            return load()
        except Exception:
            tries -= 1
            if not tries:
                raise
            pause(wait if wait < longest else longest)
            wait *= 2


def the_last_try_is_free(load, pause, tries=9, longest=60):
    for n in range(tries - 1):
        with contextlib.suppress(Exception):
            return load()
        pause(min(longest, 1 << n))
    return load()


def with_an_exit_stack(work):
    lock = threading.Lock()

    def check():
        with contextlib.ExitStack() as stack:
            if not lock.acquire(blocking=False):
                return
            stack.callback(lock.release)
            work()

    return check


def with_a_semaphore(work):
    free = threading.BoundedSemaphore(1)

    def check():
        if not free.acquire(blocking=False):
            return
        try:
            work()
        finally:
            free.release()

    return check


def with_a_set(work):
    inside = {}

    def check():
        me = Future()
        if inside.setdefault("who", me) is not me:  # one step of the interpreter
            return
        try:
            work()
        finally:
            del inside["who"]

    return check


def saves_by_keyword(model, path):
    fresh = path.with_stem(f"{path.stem}-new")
    try:
        model.save(filepath=fresh, overwrite=True, zipped=True)
        os.replace(src=fresh, dst=path)
    finally:
        fresh.unlink(missing_ok=True)


def asks_keras_to_save(model, path):
    fresh = path.with_name("fresh.keras")
    try:
        keras.saving.save_model(model, fresh)
        os.rename(src=fresh, dst=path)
    finally:
        fresh.unlink(missing_ok=True)


def a_flag_behind_a_guard(work):
    busy, guard = False, threading.Lock()

    def check():
        nonlocal busy
        with guard:
            if busy:
                return
            busy = True
        try:
            work()
        finally:
            busy = False

    return check


class OneAtATime:
    """A lock in an object."""

    def __init__(self, work):
        self.work, self.lock = work, threading.Lock()

    def __call__(self):
        if not self.lock.acquire(False):
            return
        try:
            self.work()
        finally:
            self.lock.release()


def with_a_queue(work):
    free = queue.SimpleQueue()
    free.put(None)

    def check():
        try:
            free.get_nowait()
        except queue.Empty:
            return
        try:
            work()
        finally:
            free.put(None)

    return check


RIGHT = [
    ("12.1", "through a folder beside it", through_a_folder_beside_it),
    ("12.1", "through bytes", through_bytes),
    ("12.1", "under a name that nobody has", under_a_name_that_nobody_has),
    ("12.2", "retries by recursion", retries_by_recursion),
    ("12.2", "retries while", retries_while),
    ("12.2", "the last try is free", the_last_try_is_free),
    ("12.3", "with an exit stack", with_an_exit_stack),
    ("12.3", "with a semaphore", with_a_semaphore),
    ("12.3", "with a set", with_a_set),
    ("12.1", "saves by keyword", saves_by_keyword),
    ("12.1", "asks Keras to save", asks_keras_to_save),
    ("12.3", "a flag behind a guard", a_flag_behind_a_guard),
    ("12.3", "an object", OneAtATime),
    ("12.3", "with a queue", with_a_queue),
]
