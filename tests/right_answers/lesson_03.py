"""Right answers to the exercises of lesson 03, in other styles than those of the solutions."""

import itertools
from functools import partial

import numpy as np
import tensorflow as tf

import labkit as lab

ROWS = tf.TensorSpec((None, 20))
NUMBER = tf.TensorSpec(())


# ---- 03.1 ----


def decorated(model):
    @tf.function(input_signature=[tf.TensorSpec([None, 20], tf.float32)])
    def answer(batch):
        return model(batch, training=False)

    return answer


def concrete(model):
    return tf.function(model).get_concrete_function(ROWS)


def as_an_array(model):
    graph = tf.function(model, input_signature=[tf.TensorSpec((None, None))])

    def answer(batch):
        return graph(np.asarray(batch, np.float32)).numpy()

    return answer


def always_the_same_size(model):
    graph = tf.function(model)

    def answer(batch):
        padded = np.zeros((64, 20), np.float32)
        padded[: len(batch)] = batch
        return graph(padded)[: len(batch)]

    return answer


# ---- 03.2 ----


def factor_outside(model):
    graph = tf.function(model, input_signature=[ROWS])
    return lambda batch, factor: factor * graph(batch)


def as_a_tensor(model):
    graph = tf.function(lambda batch, factor: factor * model(batch), reduce_retracing=False)
    concrete = graph.get_concrete_function(ROWS, NUMBER)
    return lambda batch, factor: concrete(batch, tf.constant(factor, tf.float32))


def named_arguments(model):
    @tf.function(input_signature=[tf.TensorSpec([None, 20]), tf.TensorSpec([], tf.float32)])
    def scaled(batch, factor):
        return tf.multiply(model(batch), factor)

    return scaled


# ---- 03.3 ----


def spec_of_a_dict(model):
    @tf.function(input_signature=[ROWS, {"scale": NUMBER, "shift": NUMBER}])
    def graph(batch, settings):
        return settings["scale"] * model(batch) + settings["shift"]

    def answer(batch, settings):
        return graph(batch, {"scale": settings.scale, "shift": settings.shift})

    return answer


def by_variables(model):
    scale, shift = tf.Variable(1.0), tf.Variable(0.0)
    graph = tf.function(lambda batch: scale * model(batch) + shift, input_signature=[ROWS])

    def answer(batch, settings):
        scale.assign(settings.scale)
        shift.assign(settings.shift)
        return graph(batch)

    return answer


def after_the_graph(model):
    graph = tf.function(model, input_signature=[ROWS])
    return lambda batch, settings: settings.scale * graph(batch).numpy() + settings.shift


# ---- 03.4 ----


def by_count(function, inputs):
    with lab.count() as n:
        for value in inputs:
            function(value)
    return [i for i, call in enumerate(n.calls) if call.traces]


def by_differences(function, inputs):
    counts = [function.experimental_get_tracing_count()]
    for value in inputs:
        function(value)
        counts.append(function.experimental_get_tracing_count())
    return np.flatnonzero(np.diff(counts))


def in_pairs(function, inputs):
    def traces_after(call):
        call()
        return function.experimental_get_tracing_count()

    first = function.experimental_get_tracing_count()
    counts = [first, *(traces_after(partial(function, value)) for value in inputs)]
    return tuple(i for i, (a, b) in enumerate(itertools.pairwise(counts)) if b != a)


def a_graph_in_a_graph(model):
    inner = tf.function(model, input_signature=[ROWS])

    @tf.function(input_signature=[ROWS])
    def outer(batch):
        return inner(batch)

    return outer


def scaled_in_a_graph_in_a_graph(model):
    inner = a_graph_in_a_graph(model)
    return tf.function(
        lambda batch, factor: factor * inner(batch),
        input_signature=[ROWS, tf.TensorSpec(())],
    )


def configured_in_a_graph_in_a_graph(model):
    graph = scaled_in_a_graph_in_a_graph(model)
    number = tf.TensorSpec(())

    @tf.function(input_signature=[ROWS, number, number])
    def outer(batch, scale, shift):
        return graph(batch, scale) + shift

    return lambda batch, settings: outer(batch, settings.scale, settings.shift)


def one_after_another(function, inputs):
    before = function.experimental_get_tracing_count()
    for position, value in enumerate(inputs):
        function(value)
        after = function.experimental_get_tracing_count()
        if after > before:
            yield position
        before = after


RIGHT = [
    ("03.1", "decorated", decorated),
    ("03.1", "a concrete function", concrete),
    ("03.1", "as an array", as_an_array),
    ("03.1", "always the same size", always_the_same_size),
    ("03.2", "the factor outside", factor_outside),
    ("03.2", "as a tensor", as_a_tensor),
    ("03.2", "named arguments", named_arguments),
    ("03.3", "the spec of a dict", spec_of_a_dict),
    ("03.3", "by variables", by_variables),
    ("03.3", "after the graph", after_the_graph),
    ("03.4", "by count", by_count),
    ("03.4", "by differences", by_differences),
    ("03.4", "in pairs", in_pairs),
    ("03.1", "a graph in a graph", a_graph_in_a_graph),
    ("03.2", "a graph in a graph", scaled_in_a_graph_in_a_graph),
    ("03.3", "a graph in a graph", configured_in_a_graph_in_a_graph),
    ("03.4", "one after another", one_after_another),
]
