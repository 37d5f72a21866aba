"""Wrong answers that people give in lesson 03, and a part of the message that each must get."""

import numpy as np
import tensorflow as tf

ROWS = tf.TensorSpec((None, 20))


# ---- 03.1 ----


def retraced_per_size(model):
    return tf.function(model)


def reduced(model):
    return tf.function(model, reduce_retracing=True)


def a_new_function_per_call(model):
    return lambda batch: tf.function(model, input_signature=[ROWS])(batch)


def eager(model):
    return lambda batch: model(batch)


def returns_nothing(model):
    tf.function(model, input_signature=[ROWS])


def one_size_only(model):
    return tf.function(model, input_signature=[tf.TensorSpec((1, 20))])


# ---- 03.2 ----


def python_factor(model):
    @tf.function(reduce_retracing=True)
    def scaled(batch, factor):
        return factor * model(batch)

    return scaled


def sizes_forgotten(model):
    @tf.function
    def scaled(batch, factor):
        return factor * model(batch)

    return lambda batch, factor: scaled(batch, np.float32(factor))


def frozen_factor(model):
    now = {}

    @tf.function(input_signature=[ROWS])
    def scaled(batch):
        return now["factor"] * model(batch)

    def answer(batch, factor):
        now["factor"] = factor
        return scaled(batch)

    return answer


def whole_numbers(model):
    @tf.function(input_signature=[ROWS, tf.TensorSpec((), tf.int32)])
    def scaled(batch, factor):
        return tf.cast(factor, tf.float32) * model(batch)

    return lambda batch, factor: scaled(batch, int(factor))


# ---- 03.3 ----


def the_object(model):
    @tf.function
    def graph(batch, settings):
        return settings.scale * model(batch) + settings.shift

    return graph


def its_numbers_in_a_dict(model):
    @tf.function
    def graph(batch, settings):
        return settings["scale"] * model(batch) + settings["shift"]

    return lambda batch, settings: graph(batch, dict(vars(settings)))


def kept_in_the_closure(model):
    now = {}

    @tf.function(input_signature=[ROWS])
    def graph(batch):
        return now["settings"].scale * model(batch) + now["settings"].shift

    def answer(batch, settings):
        now["settings"] = settings
        return graph(batch)

    return answer


def a_graph_per_object(model):
    graphs = {}

    def answer(batch, settings):
        if id(settings) not in graphs:
            graphs[id(settings)] = tf.function(
                lambda batch, scale, shift: scale * model(batch) + shift,
                input_signature=[ROWS, tf.TensorSpec(()), tf.TensorSpec(())],
            )
        return graphs[id(settings)](batch, settings.scale, settings.shift)

    return answer


def open_size_forgotten(model):
    graph = tf.function(lambda batch, scale, shift: scale * model(batch) + shift)

    def answer(batch, settings):
        return graph(batch, np.float32(settings.scale), np.float32(settings.shift))

    return answer


def shift_scaled_too(model):
    @tf.function(input_signature=[ROWS, tf.TensorSpec(()), tf.TensorSpec(())])
    def graph(batch, scale, shift):
        return scale * (model(batch) + shift)

    return lambda batch, settings: graph(batch, settings.scale, settings.shift)


def configured_eagerly(model):
    return lambda batch, settings: settings.scale * model(batch) + settings.shift


# ---- 03.4 ----


def by_shape(function, inputs):
    seen, found = set(), []
    for i, x in enumerate(inputs):
        function(x)
        key = np.shape(x)
        if key not in seen:
            found.append(i)
        seen.add(key)
    return found


def every_call_of_a_traced_function(function, inputs):
    found = []
    for i, x in enumerate(inputs):
        function(x)
        if function.experimental_get_tracing_count() > 0:
            found.append(i)
    return found


def how_many(function, inputs):
    before = function.experimental_get_tracing_count()
    for x in inputs:
        function(x)
    return [function.experimental_get_tracing_count() - before]


def called_twice(function, inputs):
    found = []
    for i, x in enumerate(inputs):
        before = function.experimental_get_tracing_count()
        function(x)
        if function.experimental_get_tracing_count() > before:
            function(x)
            found.append(i)
    return found


def counted_from_one(function, inputs):
    found = []
    for i, x in enumerate(inputs, start=1):
        before = function.experimental_get_tracing_count()
        function(x)
        if function.experimental_get_tracing_count() > before:
            found.append(i)
    return found


def printed(function, inputs):
    for x in inputs:
        function(x)


def padded_to_59(model):
    graph = tf.function(model)

    def answer(batch):
        padded = np.zeros((59, 20), "float32")
        padded[: len(batch)] = batch
        return graph(padded)[: len(batch)]

    return answer


def all_sizes_beforehand(model):
    graph = tf.function(model)
    for size in range(1, 61):
        graph.get_concrete_function(tf.TensorSpec((size, 20)))
    return graph


def retraced_around_a_graph(model):
    inner = tf.function(model, input_signature=[ROWS])
    return tf.function(lambda batch: inner(batch))


def numbers_around_a_graph(model):
    inner = tf.function(model, input_signature=[ROWS])
    outer = tf.function(lambda batch, scale, shift: scale * inner(batch) + shift)
    return lambda batch, settings: outer(batch, settings.scale, settings.shift)


def inputs_that_trace(function, inputs):
    found = []
    for value in inputs:
        before = function.experimental_get_tracing_count()
        function(value)
        if function.experimental_get_tracing_count() > before:
            found.append(value)
    return found


def true_or_false(function, inputs):
    found = []
    for value in inputs:
        before = function.experimental_get_tracing_count()
        function(value)
        found.append(function.experimental_get_tracing_count() > before)
    return found


WRONG = [
    ("03.1", "retraced per size", retraced_per_size, "4 traces for 4 batch sizes"),
    ("03.1", "reduced", reduced, "the second opens the shape"),
    (
        "03.1",
        "a new function per call",
        a_new_function_per_call,
        "make the tf.function before the calls",
    ),
    ("03.1", "eager", eager, "ran eagerly"),
    ("03.1", "returns nothing", returns_nothing, "make_answer returned nothing"),
    ("03.1", "one size only", one_size_only, "your answer raised"),
    ("03.2", "a Python factor", python_factor, "traces for 6 factors and one batch size"),
    ("03.2", "sizes forgotten", sizes_forgotten, "traces for 3 other batch sizes: 3"),
    ("03.2", "a frozen factor", frozen_factor, "that of the first call"),
    ("03.2", "whole numbers", whole_numbers, "the result is wrong"),
    ("03.2", "returns nothing", returns_nothing, "make_scaled returned nothing"),
    ("03.3", "the object itself", the_object, "the object is the same, so is its key"),
    ("03.3", "its numbers in a dict", its_numbers_in_a_dict, "traces for one object"),
    ("03.3", "kept in the closure", kept_in_the_closure, "those of the first call"),
    ("03.3", "a graph per object", a_graph_per_object, "a trace for each new object: "),
    ("03.3", "an open size forgotten", open_size_forgotten, "traces for 3 other batch sizes: 3"),
    ("03.3", "the shift scaled too", shift_scaled_too, "the result is wrong"),
    ("03.3", "configured eagerly", configured_eagerly, "ran eagerly"),
    ("03.3", "returns nothing", returns_nothing, "make_configured returned nothing"),
    ("03.4", "by shape", by_shape, "trace; wanted"),
    ("03.4", "every call", every_call_of_a_traced_function, "do not trace"),
    ("03.4", "how many", how_many, "for a list whose calls"),
    ("03.4", "called twice", called_twice, "calls for 12 inputs"),
    ("03.4", "counted from one", counted_from_one, "positions from 0 on"),
    ("03.4", "prints", printed, "your function returned nothing"),
    ("03.1", "padded to 59 rows", padded_to_59, "your answer raised ValueError"),
    ("03.1", "all sizes beforehand", all_sizes_beforehand, "60 traces before the first call"),
    ("03.1", "retraced around a graph", retraced_around_a_graph, "4 traces for 4 batch sizes"),
    ("03.3", "numbers around a graph", numbers_around_a_graph, "traces for one object"),
    ("03.4", "the inputs", inputs_that_trace, "wanted: positions"),
    ("03.4", "True or False", true_or_false, "the positions of those that trace"),
]
