"""Wrong answers that people give in lesson 16, and a part of the message that each must get."""

import math

import keras
import numpy as np
import tensorflow as tf


def fastest_later(ladder, calls, allowed):
    return min(allowed, key=lambda name: ladder[name][1])


def fastest_first(ladder, calls, allowed):
    return min(allowed, key=lambda name: ladder[name][0])


def ignores_allowed(ladder, calls, allowed):
    return min(ladder, key=lambda name: ladder[name][0] + (calls - 1) * ladder[name][1])


def one_call_too_many(ladder, calls, allowed):
    return min(allowed, key=lambda name: ladder[name][0] + calls * ladder[name][1])


def one_call_too_few(ladder, calls, allowed):
    return min(allowed, key=lambda name: ladder[name][0] + (calls - 2) * ladder[name][1])


def always_litert(ladder, calls, allowed):
    return "LiteRT" if "LiteRT" in allowed else allowed[0]


def returns_seconds(ladder, calls, allowed):
    return min(ladder[name][0] + (calls - 1) * ladder[name][1] for name in allowed)


def forgets_to_return(ladder, calls, allowed):
    min(allowed, key=lambda name: ladder[name][0])


def all_floats(spec, rows):
    return {name: np.random.rand(rows, *s.shape[1:]) for name, s in spec.items()}


def no_batch(spec, rows):
    return {name: np.zeros(s.shape[1:], s.dtype.as_numpy_dtype) for name, s in spec.items()}


def zeros_for_text(spec, rows):
    arrays = {}
    for name, s in spec.items():
        dtype = "int32" if s.dtype == tf.string else s.dtype.as_numpy_dtype
        arrays[name] = np.zeros((rows, *s.shape[1:]), dtype)
    return arrays


def a_list(spec, rows):
    return [np.zeros((rows, *s.shape[1:])) for s in spec.values()]


def only_the_first(spec, rows):
    s = next(iter(spec.values()))
    return {"x": np.zeros((rows, *s.shape[1:]))}


def what_comes_out(model):
    return [
        layer.name
        for layer in model.layers
        if not isinstance(layer, keras.layers.InputLayer) and layer.output.dtype == "string"
    ]


def takes_text(layer):
    return any(tensor.dtype == "string" for tensor in tf.nest.flatten(layer.input))


def with_input_layers(model):
    found = []
    for layer in model.layers:
        if isinstance(layer, keras.layers.InputLayer):
            if layer.output.dtype == "string":
                found.append(layer.name)
        elif takes_text(layer):
            found.append(layer.name)
    return found


def first_inputs_only(model):
    found = []
    for layer in model.layers:
        first = tf.nest.flatten(layer.input)[:1]
        is_text = [tensor.dtype == "string" for tensor in first]
        if any(is_text) and not isinstance(layer, keras.layers.InputLayer):
            found.append(layer.name)
    return found


def each_name_twice(model):
    found = []
    for layer in model.layers:
        if takes_text(layer) and not isinstance(layer, keras.layers.InputLayer):
            found += [layer.name, layer.name]
    return found


def lookups_only(model):
    return [layer.name for layer in model.layers if isinstance(layer, keras.layers.StringLookup)]


def no_numbers_at_all(model):
    return [layer.name for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]


def the_layers(model):
    return [layer for layer in model.layers if "lookup" in layer.name or "hash" in layer.name]


def solves_for_equal(slow, fast):
    if slow[1] <= fast[1]:
        return None
    return max(1, math.ceil((fast[0] - slow[0]) / (slow[1] - fast[1])))


def never_none(slow, fast):
    return max(1, math.floor((fast[0] - slow[0]) / abs((slow[1] - fast[1]) or 1)) + 2)


def a_fraction(slow, fast):
    if slow[1] <= fast[1]:
        return None
    return (fast[0] - slow[0]) / (slow[1] - fast[1]) + 1.01


def only_the_later(slow, fast):
    if fast[1] >= slow[1]:
        return None
    return 1


WRONG = [
    ("16.1", "cheapest later call", fastest_later, "the first call counts too"),
    ("16.1", "cheapest first call", fastest_first, "the later calls count too"),
    ("16.1", "ignores what is allowed", ignores_allowed, "which is not allowed"),
    ("16.1", "one call too many", one_call_too_many, "XLA for 4 calls"),
    ("16.1", "one call too few", one_call_too_few, "tf.function for 5 calls"),
    ("16.1", "always LiteRT", always_litert, "wanted:"),
    ("16.1", "returns seconds", returns_seconds, "one of the names"),
    ("16.1", "no return", forgets_to_return, "is a `return` missing?"),
    ("16.2", "all floats", all_floats, "rarely the model's"),
    ("16.2", "no batch", no_batch, "the first size is the batch"),
    ("16.2", "zeros for text", zeros_for_text, "as tf.string says"),
    ("16.2", "a list", a_list, "a dict with the names"),
    ("16.2", "other names", only_the_first, "a dict with the names"),
    ("16.3", "what comes out", what_comes_out, "numbers come out of these layers"),
    ("16.3", "with input layers", with_input_layers, "an input layer only names it"),
    ("16.3", "first inputs only", first_inputs_only, "by any of its inputs"),
    ("16.3", "each name twice", each_name_twice, "each name once"),
    ("16.3", "lookups only", lookups_only, "text goes into"),
    ("16.3", "all layers", no_numbers_at_all, "only layers into which text goes"),
    ("16.3", "the layers", the_layers, "a list of names: layer.name"),
    ("16.4", "one too few", solves_for_equal, "the first call is one of them"),
    ("16.4", "never None", never_none, "never costs less"),
    ("16.4", "a fraction", a_fraction, "a whole number of calls"),
    ("16.4", "later calls only", only_the_later, "wanted:"),
]
