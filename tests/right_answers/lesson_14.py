"""Right answers to the exercises of lesson 14, in other styles than those of the solutions."""

import asyncio
import threading
import weakref

import numpy as np

# ---- 14.1 ----


class Own(threading.local):
    """An engine that each thread makes for itself when it first looks."""

    def __init__(self, make):
        self.engine = make()


def a_subclass(make):
    own = None
    lock = threading.Lock()

    def answer(row):
        nonlocal own
        with lock:
            if own is None:
                own = Own(make)
            engine = own.engine
        return engine(row)

    return answer


def by_number(make):
    engines = {}

    def answer(row):
        number = threading.get_ident()
        if number not in engines:
            engines[number] = make()
        return engines[number](row)

    return answer


class PerThread:
    """An object in place of a closure."""

    def __init__(self, make):
        self.make = make
        self.own = threading.local()

    def __call__(self, row):
        try:
            engine = self.own.engine
        except AttributeError:
            engine = self.own.engine = self.make()
        return engine(row)


# ---- 14.2 ----


def counts_as_it_goes(model, waiting, most):
    taken, left = [], most
    while len(waiting) > 0:
        if len(waiting[0]) > left:
            break
        request = waiting.popleft()
        left -= len(request)
        taken.append(request)
    answers = np.asarray(model(np.vstack(taken)))
    found, start = [], 0
    for request in taken:
        found.append(answers[start : start + len(request)])
        start += len(request)
    return found


def finds_the_number_first(model, waiting, most):
    ends = np.cumsum([len(request) for request in waiting])
    number = int(np.searchsorted(ends, most, side="right"))
    taken = [waiting.popleft() for _ in range(number)]
    return np.split(model(np.concatenate(taken)), ends[: number - 1])


def by_generator(model, waiting, most):
    def fitting():
        room = most
        while waiting and len(waiting[0]) <= room:
            room -= len(waiting[0])
            yield waiting.popleft()

    taken = tuple(fitting())
    answers = iter(model(np.concatenate(taken)))
    return [np.stack([next(answers) for _ in request]) for request in taken]


# ---- 14.3 ----


def give(future, value):
    if future.done():
        return
    if isinstance(value, Exception):
        future.set_exception(value)
    else:
        future.set_result(value)


def with_futures(engine, most):
    waiting = []

    def flush():
        batch, waiting[:] = waiting[:most], waiting[most:]
        try:
            answers = engine(np.stack([row for row, _ in batch]))
        except Exception as error:
            answers = [error] * len(batch)
        for (_, future), value in zip(batch, answers, strict=True):
            give(future, value)

    async def answer(row):
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        waiting.append((row, future))
        if len(waiting) % most == 1:
            loop.call_soon(flush)
        return await future

    return answer


def with_a_task(engine, most):
    waiting = []
    running = set()

    async def run():
        await asyncio.sleep(0)
        while waiting:
            batch = [waiting.pop(0) for _ in range(min(most, len(waiting)))]
            batch = [(row, future) for row, future in batch if not future.cancelled()]
            if not batch:
                continue
            try:
                answers = np.asarray(engine(np.array([row for row, _ in batch])))
            except Exception as error:
                for _, future in batch:
                    future.set_exception(error)
            else:
                for (_, future), value in zip(batch, answers, strict=True):
                    future.set_result(value)
            await asyncio.sleep(0)
        running.clear()

    async def answer(row):
        future = asyncio.get_running_loop().create_future()
        waiting.append((row, future))
        if not running:
            running.add(asyncio.create_task(run()))
        return await future

    return answer


class Service:
    """The open batch as an attribute; each row alone again after a call that failed."""

    def __init__(self, engine, most):
        self.engine, self.most = engine, most
        self.batch = []

    async def __call__(self, row):
        loop = asyncio.get_running_loop()
        if not self.batch:
            loop.call_soon(self.flush)
        future = loop.create_future()
        self.batch.append((row, future))
        return await future

    def flush(self):
        taken, self.batch = self.batch[: self.most], self.batch[self.most :]
        if self.batch:
            asyncio.get_running_loop().call_soon(self.flush)
        self.answer(taken)

    def answer(self, requests):
        try:
            answers = self.engine(np.stack([row for row, _ in requests]))
        except Exception as error:
            if len(requests) == 1:
                give(requests[0][1], error)
                return
            for request in requests:
                self.answer([request])
            return
        for (_, future), value in zip(requests, answers, strict=True):
            give(future, value)


def by_the_thread_itself(make):
    engines, guard = weakref.WeakKeyDictionary(), threading.Lock()

    def answer(row):
        thread = threading.current_thread()
        with guard:
            engine = engines.get(thread)
        if engine is None:
            engine = make()
            with guard:
                engines[thread] = engine
        return engine(row)

    return answer


RIGHT = [
    ("14.1", "a subclass of local", a_subclass),
    ("14.1", "by the number of the thread", by_number),
    ("14.1", "an object", PerThread),
    ("14.2", "counts as it goes", counts_as_it_goes),
    ("14.2", "finds the number first", finds_the_number_first),
    ("14.2", "by a generator", by_generator),
    ("14.3", "with futures", with_futures),
    ("14.3", "with a task", with_a_task),
    ("14.3", "an object that asks again, row by row", Service),
    ("14.1", "by the thread itself", by_the_thread_itself),
]
