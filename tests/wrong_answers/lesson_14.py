"""Wrong answers that people give in lesson 14, and a part of the message that each must get."""

import asyncio
import queue
import threading
from collections import deque

import numpy as np


def one_engine(make):
    return make()


def one_engine_behind_a_lock(make):
    engine = make()
    lock = threading.Lock()

    def answer(row):
        with lock:
            return engine(row)

    return answer


def an_engine_for_each_call(make):
    return lambda row: make()(row)


def only_the_first_thread_has_one(make):
    own = threading.local()
    own.engine = make()
    return lambda row: own.engine(row)


def gives_nothing_back(make):
    own = threading.local()

    def answer(row):
        if not hasattr(own, "engine"):
            own.engine = make()
        own.engine(row)

    return answer


def a_call_per_request(model, waiting, most):
    return [model(waiting.popleft()) for _ in range(len(waiting))]


def takes_one_too_many(model, waiting, most):
    taken, rows = [], 0
    while waiting and rows < most:
        taken.append(waiting.popleft())
        rows += len(taken[-1])
    answers = model(np.concatenate(taken))
    return np.split(answers, np.cumsum([len(request) for request in taken])[:-1])


def loses_what_does_not_fit(model, waiting, most):
    taken = []
    while waiting:
        request = waiting.popleft()
        if sum(map(len, taken)) + len(request) > most:
            break
        taken.append(request)
    answers = model(np.concatenate(taken))
    return np.split(answers, np.cumsum([len(request) for request in taken])[:-1])


def splits_a_request(model, waiting, most):
    rows = np.concatenate(waiting)[:most]
    waiting.clear()
    return list(model(rows))


def one_array(model, waiting, most):
    taken = []
    while waiting and sum(map(len, taken)) + len(waiting[0]) <= most:
        taken.append(waiting.popleft())
    return model(np.concatenate(taken))


def no_return(model, waiting, most):
    taken = []
    while waiting and sum(map(len, taken)) + len(waiting[0]) <= most:
        taken.append(waiting.popleft())
    model(np.concatenate(taken))


def alone(engine, most):
    async def answer(row):
        return engine(row[None])[0]

    return answer


def with_a_timer(engine, most):
    waiting = []

    async def answer(row):
        future = asyncio.get_running_loop().create_future()
        waiting.append((row, future))
        if len(waiting) == 1:
            await asyncio.sleep(0.002)
            batch = waiting[:most]
            del waiting[:most]
            for (_, other), y in zip(
                batch, engine(np.stack([row for row, _ in batch])), strict=True
            ):
                other.set_result(y)
        return await future

    return answer


def not_a_function(engine, most):
    return engine(np.zeros((1, 10), "float32"))


def no_limit(engine, most):
    waiting = []

    def flush():
        batch = waiting[:]
        waiting.clear()
        for (_, future), y in zip(batch, engine(np.stack([row for row, _ in batch])), strict=True):
            future.set_result(y)

    async def answer(row):
        loop = asyncio.get_running_loop()
        waiting.append((row, loop.create_future()))
        if len(waiting) == 1:
            loop.call_soon(flush)
        return await waiting[-1][1]

    return answer


def everybody_the_same(engine, most):
    waiting = []

    def flush():
        batch = waiting[:most]
        del waiting[:most]
        if waiting:
            asyncio.get_running_loop().call_soon(flush)
        y = engine(np.stack([row for row, _ in batch]))[0]
        for _, future in batch:
            future.set_result(y)

    async def answer(row):
        loop = asyncio.get_running_loop()
        waiting.append((row, loop.create_future()))
        if len(waiting) == 1:
            loop.call_soon(flush)
        return await waiting[-1][1]

    return answer


def forgets_errors(engine, most):
    waiting = []

    def flush():
        batch, waiting[:] = waiting[:most], waiting[most:]
        answers = engine(np.stack([row for row, _ in batch]))
        for (_, future), y in zip(batch, answers, strict=True):
            if not future.done():
                future.set_result(y)

    async def answer(row):
        loop = asyncio.get_running_loop()
        waiting.append((row, loop.create_future()))
        if len(waiting) % most == 1:
            loop.call_soon(flush)
        return await waiting[-1][1]

    return answer


def forgets_who_gave_up(engine, most):
    waiting = []

    def flush():
        batch, waiting[:] = waiting[:most], waiting[most:]
        try:
            answers = engine(np.stack([row for row, _ in batch]))
        except Exception as error:
            for _, future in batch:
                future.set_exception(error)
            return
        for (_, future), y in zip(batch, answers, strict=True):
            future.set_result(y)

    async def answer(row):
        loop = asyncio.get_running_loop()
        waiting.append((row, loop.create_future()))
        if len(waiting) % most == 1:
            loop.call_soon(flush)
        return await waiting[-1][1]

    return answer


def shares_a_task_without_a_shield(engine, most):
    batch = []

    async def call(rows):
        batch.clear()
        return engine(np.stack(rows))

    async def answer(row):
        if not batch or len(batch[0]) == most:
            rows = []
            batch[:] = rows, asyncio.ensure_future(call(rows))
        rows, task = batch
        rows.append(row)
        place = len(rows) - 1
        return (await task)[place]

    return answer


def a_pool(make):
    free = deque()

    def answer(row):
        try:
            engine = free.pop()
        except IndexError:
            engine = make()
        try:
            return engine(row)
        finally:
            free.append(engine)

    return answer


def a_queue_of_engines(make):
    free = queue.SimpleQueue()

    def answer(row):
        try:
            engine = free.get_nowait()
        except queue.Empty:
            engine = make()
        try:
            return engine(row)
        finally:
            free.put(engine)

    return answer


OWN = threading.local()


def one_local_for_all(make):
    def answer(row):
        if not hasattr(OWN, "engine"):
            OWN.engine = make()
        return OWN.engine(row)

    return answer


def on_the_thread(make):
    def answer(row):
        thread = threading.current_thread()
        if not hasattr(thread, "engine"):
            thread.engine = make()
        return thread.engine(row)

    return answer


def by_name(make):
    engines = {}

    def answer(row):
        name = threading.current_thread().name
        if name not in engines:
            engines[name] = make()
        return engines[name](row)

    return answer


def always_32_rows(model, waiting, most):
    taken = []
    while waiting and sum(map(len, taken)) + len(waiting[0]) <= 32:
        taken.append(waiting.popleft())
    answers = model(np.concatenate(taken))
    return np.split(answers, np.cumsum([len(request) for request in taken])[:-1])


def batches(limit=None, closes=True):
    def make_service(engine, most):
        filling = []

        async def call(rows):
            if closes:
                filling.clear()
            return engine(np.stack(rows))

        async def answer(row):
            if not filling or len(filling[0]) == (limit or most):
                rows = []
                filling[:] = rows, asyncio.ensure_future(call(rows))
            rows, task = filling
            rows.append(row)
            place = len(rows) - 1
            return (await asyncio.shield(task))[place]

        return answer

    return make_service


def without_async(engine, most):
    def answer(row):
        return engine(row[None])[0]

    return answer


WRONG = [
    ("14.1", "one engine", one_engine, "two threads were in one engine"),
    ("14.1", "a lock", one_engine_behind_a_lock, "they wait for each other"),
    ("14.1", "an engine for each call", an_engine_for_each_call, "each thread keeps its own"),
    ("14.1", "only the first thread has one", only_the_first_thread_has_one, "AttributeError"),
    ("14.1", "gives nothing back", gives_nothing_back, "is a `return` missing?"),
    ("14.2", "a call per request", a_call_per_request, "model calls with requests"),
    ("14.2", "one too many", takes_one_too_many, "a call with"),
    ("14.2", "loses what does not fit", loses_what_does_not_fit, "left as they were"),
    ("14.2", "splits a request", splits_a_request, "left as they were"),
    ("14.2", "one array for all", one_array, "one array per request"),
    ("14.2", "no return", no_return, "is a `return` missing?"),
    ("14.3", "each alone", alone, "those who wait share a call"),
    ("14.3", "with a timer", with_a_timer, "timers set"),
    ("14.3", "not a function", not_a_function, "an async function"),
    ("14.3", "no limit", no_limit, "at most 32"),
    ("14.3", "everybody the same", everybody_the_same, "the result is wrong"),
    ("14.3", "forgets errors", forgets_errors, "callers still wait"),
    ("14.3", "forgets who gave up", forgets_who_gave_up, "beside a caller who gave up"),
    ("14.3", "no shield", shares_a_task_without_a_shield, "beside a caller who gave up"),
    ("14.1", "a pool", a_pool, "one engine was used by"),
    ("14.1", "a queue of engines", a_queue_of_engines, "one engine was used by"),
    ("14.1", "one local for all", one_local_for_all, "the engine of another service"),
    ("14.1", "on the thread", on_the_thread, "the engine of another service"),
    ("14.1", "by name", by_name, "one engine was used by"),
    ("14.2", "always 32", always_32_rows, "at most 8"),
    ("14.3", "always 32", batches(limit=32), "wanted: at most"),
    ("14.3", "never closed", batches(closes=False), "joined a call that had begun"),
    ("14.3", "without async", without_async, "async def answer(row)"),
]
