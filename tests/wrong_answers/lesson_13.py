"""Wrong answers that people give in lesson 13, and a part of the message that each must get."""

import functools
import math

import numpy as np
import tensorflow as tf

from labkit import own_model

# ---- 13.1 ----


def eager(model):
    return lambda request: float(model(np.array([request], "float32"))[0, 0])


def one_graph(model):
    graph = tf.function(model)
    return lambda request: float(graph(np.array([request], "float32"))[0, 0])


def a_graph_per_request(model):
    return lambda request: float(tf.function(model)(np.array([request], "float32"))[0, 0])


def layers_of(model):
    return [layer.get_weights() for layer in model.layers if layer.weights]


def relu_at_the_end(model):
    def score(request):
        x = request
        for kernel, bias in layers:
            x = np.maximum(x @ kernel + bias, 0)
        return float(1 / (1 + np.exp(-x[0])))

    layers = layers_of(model)
    return score


def without_biases(model):
    *hidden, (kernel, _) = layers_of(model)

    def score(request):
        x = request
        for weights, _ in hidden:
            x = np.maximum(x @ weights, 0)
        return float(1 / (1 + np.exp(-(x @ kernel)[0])))

    return score


def no_sigmoid(model):
    *hidden, (kernel, bias) = layers_of(model)

    def score(request):
        x = request
        for weights, shift in hidden:
            x = np.maximum(x @ weights + shift, 0)
        return float((x @ kernel + bias)[0])

    return score


def an_array(model):
    *hidden, (kernel, bias) = layers_of(model)

    def score(request):
        x = request
        for weights, shift in hidden:
            x = np.maximum(x @ weights + shift, 0)
        return 1 / (1 + np.exp(-(x @ kernel + bias)))

    return score


def the_score_itself(model):
    return float(model(np.zeros((1, 20), "float32"))[0, 0])


# ---- 13.2 ----


def indices(engine):
    return engine.get_input_details()[0]["index"], engine.get_output_details()[0]["index"]


def run(engine, rows):
    into, out = indices(engine)
    engine.set_tensor(into, rows)
    engine.invoke()
    return engine.get_tensor(out)


def prepared_in_every_call(content):
    return lambda rows: run(own_model.litert_interpreter(content, rows.shape), rows)


def resized_in_every_call(content):
    engine = own_model.litert_interpreter(content, (1, 20))

    def answer(rows):
        engine.resize_tensor_input(indices(engine)[0], rows.shape)
        engine.allocate_tensors()
        return run(engine, rows)

    return answer


def row_by_row(content):
    engine = own_model.litert_interpreter(content, (1, 20))
    return lambda rows: np.concatenate([run(engine, row[None]) for row in rows])


def one_size_only(content):
    engine = own_model.litert_interpreter(content, (3, 20))
    return lambda rows: run(engine, rows)


def the_padding_left(content):
    engine = own_model.litert_interpreter(content, (32, 20))
    return lambda rows: run(engine, np.pad(rows, ((0, 32 - len(rows)), (0, 0))))


def an_interpreter(content):
    return own_model.litert_interpreter(content, (1, 20))


# ---- 13.3 ----


def arithmetic_alone(shapes, peak, bandwidth):
    return math.ceil(peak / bandwidth)


def without_activations(shapes, peak, bandwidth):
    each = 2 * sum(a * b for a, b in shapes) / peak
    once = 4 * sum(a * b + b for a, b in shapes) / bandwidth
    return max(1, math.ceil(once / each))


def one_operation_a_weight(shapes, peak, bandwidth):
    each = sum(a * b for a, b in shapes) / peak
    more = 4 * sum(a + b for a, b in shapes) / bandwidth
    once = 4 * sum(a * b + b for a, b in shapes) / bandwidth
    if each <= more:
        return None
    return max(1, math.ceil(once / (each - more)))


def not_rounded(shapes, peak, bandwidth):
    each = 2 * sum(a * b for a, b in shapes) / peak
    more = 4 * sum(a + b for a, b in shapes) / bandwidth
    once = 4 * sum(a * b + b for a, b in shapes) / bandwidth
    if each <= more:
        return None
    return max(1.0, once / (each - more))


def never_none(shapes, peak, bandwidth):
    each = 2 * sum(a * b for a, b in shapes) / peak
    more = 4 * sum(a + b for a, b in shapes) / bandwidth
    once = 4 * sum(a * b + b for a, b in shapes) / bandwidth
    return max(1, math.ceil(once / (each - more)))


def forgets_to_return(shapes, peak, bandwidth):
    max(1, math.ceil(peak / bandwidth))


# ---- 13.4 ----


def convolved(model, order=(2, 0, 1, 3), step=2, is_shifted=True):
    first, second, _, last = [layer.get_weights() for layer in model.layers]
    view = np.lib.stride_tricks.sliding_window_view

    def answer(x):
        for kernel, bias in (first, second):
            windows = view(x, (3, 3), axis=(1, 2))[:, ::step, ::step]
            x = np.tensordot(windows, kernel.transpose(order), 3)
            x = np.maximum(x + bias if is_shifted else x, 0)
        return x.reshape(len(x), -1) @ last[0] + last[1]

    return answer


def kernel_turned(model):
    return convolved(model, order=(2, 1, 0, 3))


def every_window(model):
    return convolved(model, step=1)


def no_bias(model):
    return convolved(model, is_shifted=False)


def eager_images(model):
    return model


def as_a_graph(model):
    return tf.function(model)


def a_view_into_the_interpreter(content):
    engines = {}

    def answer(rows):
        if len(rows) not in engines:
            engines[len(rows)] = own_model.litert_interpreter(content, rows.shape)
        engine = engines[len(rows)]
        engine.set_tensor(engine.get_input_details()[0]["index"], rows)
        engine.invoke()
        return np.asarray(engine.tensor(engine.get_output_details()[0]["index"])()).view()

    return answer


def one_array_for_all(content):
    engines, answers = {}, np.zeros((100, 1), "float32")

    def answer(rows):
        if len(rows) not in engines:
            engines[len(rows)] = own_model.litert_interpreter(content, rows.shape)
        engine = engines[len(rows)]
        engine.set_tensor(engine.get_input_details()[0]["index"], rows)
        engine.invoke()
        answers[: len(rows)] = engine.get_tensor(engine.get_output_details()[0]["index"])
        return answers[: len(rows)]

    return answer


def kept_by_request(model):
    @functools.cache
    def by_key(key):
        return model(np.array([key], "float32")).numpy().item()

    return lambda request: by_key(tuple(request))


def padded_to(size):
    def make_engine(content):
        engine = own_model.litert_interpreter(content, (size, 20))

        def answer(rows):
            padded = np.zeros((size, 20), "float32")
            padded[: len(rows)] = rows
            engine.set_tensor(engine.get_input_details()[0]["index"], padded)
            engine.invoke()
            return engine.get_tensor(engine.get_output_details()[0]["index"])[: len(rows)]

        return answer

    return make_engine


def sums(shapes):
    weights = sum(a * b for a, b in shapes)
    return weights, sum(a * b + b for a, b in shapes), sum(a + b for a, b in shapes)


def counts_for_ever(shapes, peak, bandwidth):
    weights, numbers, through = sums(shapes)
    n = 1
    while 2 * n * weights / peak < 4 * (numbers + n * through) / bandwidth:
        n += 1
    return n


def counts_to(bound):
    def rows_to_the_peak(shapes, peak, bandwidth):
        weights, numbers, through = sums(shapes)
        for n in range(1, bound):
            if 2 * n * weights / peak >= 4 * (numbers + n * through) / bandwidth:
                return n
        return None

    return rows_to_the_peak


def layer_by_layer(shapes, peak, bandwidth):
    numbers = []
    for a, b in shapes:
        saved = 2 * a * b / peak - 4 * (a + b) / bandwidth
        if saved <= 0:
            return None
        numbers.append(math.ceil(4 * (a * b + b) / bandwidth / saved))
    return max(numbers)


def convolved_by(convolve):
    def make_seer(model):
        first, second, _, last = [layer.get_weights() for layer in model.layers]

        def answer(x):
            for kernel, bias in (first, second):
                x = np.maximum(convolve(x, kernel) + bias, 0)
            return x.reshape(len(x), -1) @ last[0] + last[1]

        return answer

    return make_seer


def by_tensorflow(x, kernel):
    return tf.nn.conv2d(x, kernel, 2, "VALID").numpy()


def by_a_raw_operation(x, kernel):
    strides = [1, 2, 2, 1]
    return tf.raw_ops.Conv2D(input=x, filter=kernel, strides=strides, padding="VALID").numpy()


WRONG = [
    ("13.2", "one array for all answers", one_array_for_all, "after the later calls"),
    ("13.2", "a view", a_view_into_the_interpreter, "reference to internal data"),
    ("13.1", "eagerly", eager, "look at the candidates below XLA"),
    ("13.1", "a graph", one_graph, "look at the candidates below XLA"),
    ("13.1", "a graph per request", a_graph_per_request, "prepare outside of the score"),
    ("13.1", "a ReLU at the end", relu_at_the_end, "the result is wrong"),
    ("13.1", "without biases", without_biases, "the result is wrong"),
    ("13.1", "no sigmoid", no_sigmoid, "the result is wrong"),
    ("13.1", "an array", an_array, "a Python float, which JSON takes"),
    ("13.1", "the score itself", the_score_itself, "wanted: a function that takes one request"),
    ("13.2", "prepared in every call", prepared_in_every_call, "allocate_tensors was called"),
    ("13.2", "resized in every call", resized_in_every_call, "allocate_tensors was called"),
    ("13.2", "row by row", row_by_row, "one for all of them"),
    ("13.2", "one size only", one_size_only, "Dimension mismatch"),
    ("13.2", "the padding left", the_padding_left, "32 answers for 3 rows"),
    ("13.2", "an interpreter", an_interpreter, "a function that takes rows"),
    ("13.3", "the ridge alone", arithmetic_alone, "wanted: "),
    ("13.3", "without activations", without_activations, "wanted: "),
    ("13.3", "one operation a weight", one_operation_a_weight, "wanted: "),
    ("13.3", "not rounded", not_rounded, "a whole number of rows"),
    ("13.3", "never None", never_none, "adds more memory than arithmetic"),
    ("13.3", "forgets to return", forgets_to_return, "is a `return` missing?"),
    ("13.4", "the kernel turned", kernel_turned, "the result is wrong"),
    ("13.4", "every window", every_window, "take every second window"),
    ("13.4", "no bias", no_bias, "the result is wrong"),
    ("13.4", "eagerly", eager_images, "NumPy alone"),
    ("13.4", "as a graph", as_a_graph, "NumPy alone"),
    ("13.1", "kept by request", kept_by_request, "look at the candidates below XLA"),
    ("13.2", "padded to 32", padded_to(32), "could not broadcast"),
    ("13.2", "padded to 128", padded_to(128), "could not broadcast"),
    ("13.3", "counts for ever", counts_for_ever, "there was no end for the layers"),
    ("13.3", "counts to a thousand", counts_to(1000), "there arithmetic takes as long as memory"),
    (
        "13.3",
        "counts to a million",
        counts_to(10**6),
        "None: a further row adds more memory than arithmetic",
    ),
    ("13.3", "layer by layer", layer_by_layer, "for the layers"),
    ("13.4", "by TensorFlow", convolved_by(by_tensorflow), "each answer calls TensorFlow"),
    (
        "13.4",
        "by a raw operation",
        convolved_by(by_a_raw_operation),
        "each answer calls TensorFlow",
    ),
]
