"""Wrong answers that people give in lesson 11, and a part of the message that each must get."""

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
    return {
        n: np.zeros(
            (rows, *s.shape[1:]), "int32" if s.dtype == tf.string else s.dtype.as_numpy_dtype
        )
        for n, s in spec.items()
    }


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


def with_input_layers(model):
    return [
        layer.name
        for layer in model.layers
        if any(t.dtype == "string" for t in tf.nest.flatten(layer.output))
        or any(t.dtype == "string" for t in tf.nest.flatten(layer.input))
    ]


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
    ("11.1", "cheapest later call", fastest_later, "count the first call in"),
    ("11.1", "cheapest first call", fastest_first, "count all calls"),
    ("11.1", "ignores what is allowed", ignores_allowed, "which is not allowed"),
    ("11.1", "always LiteRT", always_litert, "wanted:"),
    ("11.1", "returns seconds", returns_seconds, "one of the names"),
    ("11.1", "no return", forgets_to_return, "is a `return` missing?"),
    ("11.2", "all floats", all_floats, "rarely the model's"),
    ("11.2", "no batch", no_batch, "the first size is the batch"),
    ("11.2", "zeros for text", zeros_for_text, "as tf.string says"),
    ("11.2", "a list", a_list, "a dict with the names"),
    ("11.2", "other names", only_the_first, "a dict with the names"),
    ("11.3", "what comes out", what_comes_out, "numbers come out of these layers"),
    ("11.3", "with input layers", with_input_layers, "an input layer only names it"),
    ("11.3", "lookups only", lookups_only, "text goes into"),
    ("11.3", "all layers", no_numbers_at_all, "only layers into which text goes"),
    ("11.3", "the layers", the_layers, "a list of names: layer.name"),
    ("11.4", "one too few", solves_for_equal, "the first call is one of them"),
    ("11.4", "never None", never_none, "never costs less"),
    ("11.4", "a fraction", a_fraction, "a whole number of calls"),
    ("11.4", "later calls only", only_the_later, "wanted:"),
]
