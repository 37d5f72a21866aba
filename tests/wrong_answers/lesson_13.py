"""Wrong answers that people give in lesson 13, and a part of the message that each must get."""

import asyncio

import numpy as np
import tensorflow as tf


def eager(model):
    return lambda row: model(row)


def one_graph(model):
    return tf.function(model)


def a_graph_per_row(model):
    return lambda row: tf.function(model)(row)


def relu_at_the_end(model):
    weights = [w.numpy() for w in model.weights]

    def answer(row):
        for kernel, bias in zip(weights[::2], weights[1::2], strict=True):
            row = np.maximum(row @ kernel + bias, 0)
        return row

    return answer


def answers_at_once(model):
    return model(np.zeros((1, 10), "float32"))


def a_graph_per_size(model, most):
    return tf.function(model)


def any_size(model, most):
    return tf.function(model, input_signature=[tf.TensorSpec((None, 10))])


def does_not_cut(model, most):
    graph = tf.function(model)

    def answer(rows):
        return graph(np.concatenate([rows, np.zeros((most - len(rows), 10), "float32")]))

    return answer


def repeats_the_graph(model, most):
    def answer(rows):
        batch = np.concatenate([rows, np.zeros((most - len(rows), 10), "float32")])
        return tf.function(model)(batch)[: len(rows)]

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


WRONG = [
    ("13.1", "eager", eager, "look at the candidates below XLA"),
    ("13.1", "one graph", one_graph, "look at the candidates below XLA"),
    ("13.1", "a graph per row", a_graph_per_row, "prepare outside of the answer"),
    ("13.1", "a maximum too many", relu_at_the_end, "instead of"),
    ("13.1", "an answer, not a function", answers_at_once, "a function that takes one row"),
    ("13.2", "a graph per size", a_graph_per_size, "ran 5 times for 5 calls"),
    ("13.2", "any size", any_size, "a graph of the fixed shape"),
    ("13.2", "does not cut", does_not_cut, "of the padding cut off"),
    ("13.2", "a new graph per call", repeats_the_graph, "one trace in all"),
    ("13.3", "a call per request", a_call_per_request, "model calls with requests"),
    ("13.3", "one too many", takes_one_too_many, "a call with"),
    ("13.3", "loses what does not fit", loses_what_does_not_fit, "left as they were"),
    ("13.3", "splits a request", splits_a_request, "left as they were"),
    ("13.3", "one array for all", one_array, "one array per request"),
    ("13.3", "no return", no_return, "is a `return` missing?"),
    ("13.4", "each alone", alone, "those who wait share a call"),
    ("13.4", "with a timer", with_a_timer, "timers set"),
    ("13.4", "not a function", not_a_function, "an async function"),
    ("13.4", "no limit", no_limit, "at most 32"),
    ("13.4", "everybody the same", everybody_the_same, "the result is wrong"),
]
