"""Wrong answers that people give in lesson 11, and a part of the message that each must get."""

import functools
import os
import tempfile
import threading
from collections import OrderedDict

import keras


def stamp(path):
    found = os.stat(path)
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def never_forgets(load, limit):
    held = {}

    def get(path):
        key = path, stamp(path)
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
        if path not in held or held[path][0] != stamp(path):
            held[path] = stamp(path), os.stat(path).st_size, load(path)
        model = held[path][2]
        while sum(size for _, size, _ in held.values()) > limit:
            held.pop(next(iter(held)))
        return model

    return get


def two_at_most(load, limit):
    @functools.lru_cache(maxsize=2)
    def remembered(path, stamp):
        return load(path)

    return lambda path: remembered(path, stamp(path))


def no_return(load, limit):
    def get(path):
        load(path)

    return get


def returns_a_model(load, limit):
    pass


def trusts_the_time(load, limit):
    held = {}

    def get(path):
        found = os.stat(path)
        key = found.st_ino, found.st_size, found.st_mtime_ns
        old = held.pop(path, (None,))
        held[path] = key, found.st_size, old[2] if old[0] == key else load(path)
        while len(held) > 1 and sum(size for _, size, _ in held.values()) > limit:
            held.pop(next(iter(held)))
        return held[path][2]

    return get


def only_the_weights(model, train, test, folds):
    start = model.get_weights()
    losses = []
    for fold in folds:
        train(fold)
        losses.append(test(fold))
        model.set_weights(start)
    return losses


def only_what_has_a_gradient(model, train, test, folds):
    changed = model.trainable_variables + model.optimizer.variables
    start = [variable.numpy() for variable in changed]
    losses = []
    for fold in folds:
        train(fold)
        losses.append(test(fold))
        for variable, value in zip(changed, start, strict=True):
            variable.assign(value)
    return losses


def keeps_no_copies(model, train, test, folds):
    changed = model.variables + model.optimizer.variables
    start = list(changed)
    losses = []
    for fold in folds:
        train(fold)
        losses.append(test(fold))
        for variable, value in zip(changed, start, strict=True):
            variable.assign(value)
    return losses


def compiles_anew(model, train, test, folds):
    start = model.get_weights()
    losses = []
    for fold in folds:
        model.set_weights(start)
        model.compile("adam", "mse")
        train(fold)
        losses.append(test(fold))
    model.set_weights(start)
    return losses


def leaves_it_trained(model, train, test, folds):
    changed = model.variables + model.optimizer.variables
    start = [variable.numpy() for variable in changed]
    losses = []
    for fold in folds:
        for variable, value in zip(changed, start, strict=True):
            variable.assign(value)
        train(fold)
        losses.append(test(fold))
    return losses


def forgets_the_means(model, train, test, folds):
    start = model.get_weights()
    steps = model.optimizer.iterations.numpy()
    losses = []
    for fold in folds:
        train(fold)
        losses.append(test(fold))
        model.set_weights(start)
        model.optimizer.iterations.assign(steps)
    return losses


def puts_nothing_back(model, train, test, folds):
    losses = []
    for fold in folds:
        train(fold)
        losses.append(test(fold))
    return losses


def returns_the_mean(model, train, test, folds):
    changed = model.variables + model.optimizer.variables
    start = [variable.numpy() for variable in changed]
    total = 0.0
    for fold in folds:
        train(fold)
        total += test(fold)
        for variable, value in zip(changed, start, strict=True):
            variable.assign(value)
    return total / max(1, len(folds))


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


def keeps_one_at_least(load, limit):
    held = {}

    def get(path):
        size = os.stat(path).st_size
        old = held.pop(path, (None,))
        held[path] = stamp(path), size, old[2] if old[0] == stamp(path) else load(path)
        while len(held) > 1 and sum(size for _, size, _ in held.values()) > limit:
            held.pop(next(iter(held)))
        return held[path][2]

    return get


def keeps_old_versions(load, limit):
    held = {}

    def get(path):
        key = path, stamp(path)
        held[key] = held.pop(key, None) or (key[1][1], load(path))
        model = held[key][1]
        while sum(size for size, _ in held.values()) > limit:
            held.pop(next(iter(held)))
        return model

    return get


def loads_for_each_fold(model, train, test, folds):
    with tempfile.TemporaryDirectory() as folder:
        model.save(f"{folder}/start.keras")
        losses = []
        for fold in folds:
            train(fold)
            losses.append(test(fold))
            start = keras.models.load_model(f"{folder}/start.keras")
            pairs = zip(model.variables, start.variables, strict=True)
            optimizers = (model.optimizer.variables, start.optimizer.variables)
            for variable, value in (*pairs, *zip(*optimizers, strict=True)):
                variable.assign(value)
    return losses


def stamp_of(path):
    found = os.stat(path)
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def returns_a_large_one_early(load, limit):
    held = {}

    def get(path):
        stamp = stamp_of(path)
        if stamp[1] > limit:
            return load(path)
        old = held.pop(path, (None, None))
        model = old[1] if old[0] == stamp else load(path)
        held[path] = stamp, model
        while sum(stamp[1] for stamp, _ in held.values()) > limit:
            held.pop(next(iter(held)))
        return model

    return get


def a_sum_that_only_grows(load, limit):
    held = OrderedDict()
    total = 0

    def get(path):
        nonlocal total
        stamp = stamp_of(path)
        if path in held and held[path][0] == stamp:
            held.move_to_end(path)
            return held[path][1]
        model = load(path)
        held[path] = stamp, model
        held.move_to_end(path)
        total += stamp[1]
        while total > limit:
            _, (old, _) = held.popitem(last=False)
            total -= old[1]
        return model

    return get


def the_size_of_the_first_load(load, limit):
    held, sizes = {}, {}

    def get(path):
        stamp = stamp_of(path)
        old = held.pop(path, (None, None))
        model = old[1] if old[0] == stamp else load(path)
        held[path] = stamp, model
        sizes.setdefault(path, stamp[1])
        while sum(sizes[path] for path in held) > limit:
            held.pop(next(iter(held)))
        return model

    return get


def three_parts(load, limit):
    held = {}

    def get(path):
        stamp = stamp_of(path)[1:]
        old = held.pop(path, (None, None))
        model = old[1] if old[0] == stamp else load(path)
        held[path] = stamp, model
        while sum(stamp[0] for stamp, _ in held.values()) > limit:
            held.pop(next(iter(held)))
        return model

    return get


def stamps_after_the_load(load, limit):
    held = {}

    def get(path):
        old = held.pop(path, (None, None))
        model = old[1] if old[0] == stamp_of(path) else load(path)
        held[path] = stamp_of(path), model
        while sum(stamp[1] for stamp, _ in held.values()) > limit:
            held.pop(next(iter(held)))
        return model

    return get


def below_the_limit(load, limit):
    held = {}

    def get(path):
        stamp = stamp_of(path)
        old = held.pop(path, (None, None))
        model = old[1] if old[0] == stamp else load(path)
        held[path] = stamp, model
        while held and sum(stamp[1] for stamp, _ in held.values()) >= limit:
            held.pop(next(iter(held)))
        return model

    return get


def makes_locks_in_a_race(load):
    held, locks = {}, {}

    def get(path):
        if path not in locks: locks[path] = threading.Lock()  # fmt: skip  # noqa: E701
        with locks[path]:
            if path not in held:
                held[path] = load(path)
            return held[path]

    return get


def looks_for_a_lock(load):
    held, locks = {}, {}

    def get(path):
        lock = locks.get(path)
        if lock is None:
            lock = locks[path] = threading.Lock()
        with lock:
            if path not in held:
                held[path] = load(path)
            return held[path]

    return get


def asks_outside_of_the_guard(load):
    held, locks, guard = {}, {}, threading.Lock()

    def get(path):
        if path not in locks:
            with guard:
                locks[path] = threading.Lock()
        with locks[path]:
            if path not in held:
                held[path] = load(path)
            return held[path]

    return get


WRONG = [
    ("11.1", "keeps one at least", keeps_one_at_least, "it is returned and not kept"),
    ("11.1", "keeps old versions", keeps_old_versions, "goes at once"),
    ("11.2", "loads for each fold", loads_for_each_fold, "model loads during the folds"),
    ("11.1", "never forgets", never_forgets, "bytes are held, with a limit of"),
    ("11.1", "never looks", never_looks, "its size did not"),
    ("11.1", "looks at the size", looks_at_the_size, "its size did not"),
    ("11.1", "keeps nothing", keeps_nothing, "five uses of one unchanged file"),
    ("11.1", "first in, first out", first_in_first_out, "used longest ago goes first"),
    ("11.1", "two at most", two_at_most, "fits the limit"),
    ("11.1", "no return", no_return, "is a `return` missing?"),
    ("11.1", "returns nothing", lambda load, limit: print(end=""), "make_get returned nothing"),
    ("11.1", "trusts the time", trusts_the_time, "its time of writing was put back"),
    ("11.2", "only the weights", only_the_weights, "the optimizer still remembers"),
    ("11.2", "only what has a gradient", only_what_has_a_gradient, "the weights are others"),
    ("11.2", "keeps no copies", keeps_no_copies, "the weights are others"),
    ("11.2", "compiles anew", compiles_anew, "compiled again"),
    ("11.2", "leaves it trained", leaves_it_trained, "after the last fold"),
    ("11.2", "forgets the means", forgets_the_means, "the optimizer still remembers"),
    ("11.2", "puts nothing back", puts_nothing_back, "did not begin at the start"),
    ("11.2", "returns the mean", returns_the_mean, "a list with the loss of each fold"),
    ("11.3", "without a lock", without_a_lock, "for eight threads"),
    ("11.3", "one lock for all", one_lock_for_all, "a lock for each path"),
    ("11.3", "asks outside", asks_outside, "loads of one model"),
    ("11.3", "keeps the lock", keeps_the_lock, "never end"),
    ("11.3", "keeps the failure", keeps_the_failure, "a failure is not kept"),
    ("11.3", "lru_cache alone", lru_only, "for eight threads"),
    (
        "11.1",
        "returns a large one early",
        returns_a_large_one_early,
        "a file grew beyond the limit",
    ),
    ("11.1", "a sum that only grows", a_sum_that_only_grows, "each file counts once"),
    ("11.1", "the size of the first load", the_size_of_the_first_load, "the size that it has now"),
    ("11.1", "three parts", three_parts, "st_ino is a part of the stamp"),
    ("11.1", "stamps after the load", stamps_after_the_load, "the stamp of before the load"),
    ("11.1", "below the limit", below_the_limit, "fits the limit and was used not long ago"),
    (
        "11.3",
        "makes locks in a race",
        makes_locks_in_a_race,
        "came before `if path not in locks: locks",
    ),
    ("11.3", "looks for a lock", looks_for_a_lock, "the second one came before `if lock is None:`"),
    ("11.3", "asks outside of the guard", asks_outside_of_the_guard, "for the lock too"),
]
