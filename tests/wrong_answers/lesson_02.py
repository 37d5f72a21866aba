"""Wrong answers that people give in lesson 02, and a part of the message that each must get."""

import itertools

import numpy as np
import tensorflow as tf

import labkit as lab


def one_by_one(model, requests):
    return np.concatenate([model(row[None]) for row in requests])


def one_by_one_in_a_graph(model, requests):
    graph = tf.function(model)
    return np.concatenate([graph(row[None]) for row in requests])


def all_at_once(model, requests):
    return model(np.stack(requests))


def drops_the_rest(model, requests):
    batch = np.stack(requests)
    whole = max(64, len(batch) // 64 * 64)
    return np.concatenate([model(batch[i : i + 64]) for i in range(0, whole, 64)])


def no_return(model, requests):
    batch = np.stack(requests)
    np.concatenate([model(batch[i : i + 64]) for i in range(0, len(batch), 64)])


def forgets_to_stack(model, requests):
    return model(requests)


def forgets_to_stack_in_a_graph(model, requests):
    return tf.function(model)(requests)


def by_predict_with_its_default(model, requests):
    return model.predict(np.stack(requests), verbose=0)


def eager(model):
    return lambda row: model(row)


def by_predict(model):
    return lambda row: model.predict(row, verbose=0)


def remembers_the_first_answer(model):
    first = []

    def answer(row):
        if not first:
            first.append(model.predict_on_batch(row))
        return first[0]

    return answer


def a_new_function_per_row(model):
    return lambda row: tf.function(model)(row)


def result_not_function(model):
    model(np.zeros((1, 20), "float32"))


def forgets_the_last(model, stream):
    waiting = []
    for row in stream:
        waiting.append(row)
        if len(waiting) == 32:
            yield from model(np.stack(waiting))
            waiting = []


def reads_it_all(model, stream):
    data = np.stack(list(stream))
    for i in range(0, len(data), 32):
        yield from model(data[i : i + 32])


def whole_batches(model, stream):
    data = np.stack(list(stream))
    for i in range(0, len(data), 32):
        yield model(data[i : i + 32])


def one_call_per_row(model, stream):
    for row in stream:
        yield model(row[None])[0]


def one_graph_call_per_row(model, stream):
    graph = tf.function(model)
    for row in stream:
        yield graph(row[None])[0]


def no_yield(model, stream):
    model(np.stack(list(stream)))


def one_by_one_of_another_model(model, requests):
    other = lab.models.service()
    return np.concatenate([other(row[None]) for row in requests])


def answers_of_another_model(model):
    return tf.function(lab.models.service())


def whole_calls(depth):
    """Return the Python calls of a call of a model, divided by its layers."""
    row = lab.models.random_rows(1, inputs=20)
    model = lab.models.mlp(depth=depth, inputs=20)
    model(row)
    with lab.count() as n:
        model(row)
    return n.python_calls / depth


def never_ends(model, stream):
    while True:
        rows = list(itertools.islice(stream, 32))
        if rows:
            yield from model(np.stack(rows))


def swallows_the_end(model, stream):
    waiting = []
    while True:
        try:
            waiting.append(next(stream))
        except StopIteration:
            continue
        if len(waiting) == 32:
            yield from model(np.stack(waiting))
            waiting = []


def pads_the_rest(model, stream):
    while rows := list(itertools.islice(stream, 32)):
        batch = np.zeros((32, 20), "float32")
        batch[: len(rows)] = rows
        yield from model(batch)


def never_emptied(model, stream):
    waiting = []
    for row in stream:
        waiting.append(row)
        if len(waiting) % 32 == 0:
            yield from model(np.stack(waiting))
    if waiting:
        yield from model(np.stack(waiting))


def streams_another_model(model, stream):
    other = lab.models.service()
    for row in stream:
        yield other(row[None])[0]


WRONG = [
    ("02.1", "one by one", one_by_one, "model calls for"),
    ("02.1", "one by one in a graph", one_by_one_in_a_graph, "model calls for"),
    ("02.1", "all at once", all_at_once, "at most 64 rows in one call"),
    ("02.1", "drops the rest", drops_the_rest, "instead of"),
    ("02.1", "no return", no_return, "is a `return` missing?"),
    ("02.1", "forgets to stack", forgets_to_stack, "np.stack makes one"),
    (
        "02.1",
        "forgets to stack, in a graph",
        forgets_to_stack_in_a_graph,
        "np.stack makes one",
    ),
    ("02.1", "predict with its default", by_predict_with_its_default, "model calls for"),
    ("02.2", "eager", eager, "fewer than 70 %"),
    ("02.2", "predict", by_predict, "traced once, outside"),
    ("02.2", "remembers the first answer", remembers_the_first_answer, "instead of"),
    ("02.2", "a new function per row", a_new_function_per_row, "traced once, outside"),
    ("02.2", "returns nothing", result_not_function, "make_answer returned nothing"),
    ("02.3", "the whole call", 1713, "a call costs something by itself"),
    ("02.3", "a quarter of four layers", 771.5, "a call costs something by itself"),
    ("02.3", "guessed", 3, "what a count of two depths gives"),
    ("02.3", "text", "many", "per_layer is a value of type str; wanted: a number"),
    ("02.3", "no calls counted", float("nan"), "a finite number"),
    ("02.4", "forgets the last", forgets_the_last, "is the last, partial batch forgotten?"),
    ("02.4", "reads it all", reads_it_all, "the first of them was answered"),
    ("02.4", "whole batches", whole_batches, "`yield from` a batch"),
    ("02.4", "one call per row", one_call_per_row, "model calls for"),
    ("02.4", "one graph call per row", one_graph_call_per_row, "model calls for"),
    ("02.4", "no yield", no_yield, "a generator: use `yield`"),
    ("02.1", "another model", one_by_one_of_another_model, "never calls the model"),
    ("02.2", "another model", answers_of_another_model, "instead of"),
    ("02.3", "5 layers divided", whole_calls(5), "a whole call, divided by its 5 layers"),
    ("02.3", "6 layers divided", whole_calls(6), "a whole call, divided by its 6 layers"),
    ("02.3", "20 layers divided", whole_calls(20), "a whole call, divided by its 20 layers"),
    ("02.3", "6 layers, rounded", round(whole_calls(6)), "a call costs something by itself"),
    ("02.4", "never ends", never_ends, "leave the loop when no row is left"),
    ("02.4", "swallows the end", swallows_the_end, "leave the loop when no row is left"),
    ("02.4", "pads the rest", pads_the_rest, "none for padding, none twice"),
    ("02.4", "never emptied", never_emptied, "none for padding, none twice"),
    ("02.4", "another model", streams_another_model, "never calls the model"),
]
