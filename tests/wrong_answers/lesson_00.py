"""Wrong answers that people give in lesson 00, and a part of the message that each must get."""

import numpy as np
import tensorflow as tf

import labkit as lab


def loops(model, rows):
    return np.concatenate([model(rows[i : i + 1]) for i in range(len(rows))])


def loops_over_a_graph(model, rows):
    graph = tf.function(model)
    return np.concatenate([graph(rows[i : i + 1]) for i in range(len(rows))])


def predicts(model, rows):
    return model.predict(rows, verbose=0)


def first_row_only(model, rows):
    return model(rows[:1])


def a_hundred(model, rows):
    return model(rows[:100])


def no_return(model, rows):
    model(rows)


def loops_over_another_model(model, rows):
    small = lab.models.mlp(width=32, depth=2)
    return np.concatenate([small(rows[i : i + 1]) for i in range(len(rows))])


def loops_in_xla(model, rows):
    graph = tf.function(model, jit_compile=True)
    return np.concatenate([graph(rows[i : i + 1]) for i in range(len(rows))])


def predicts_a_dataset(model, rows):
    return model.predict(tf.data.Dataset.from_tensor_slices(rows).batch(32), verbose=0)


def loops_over_the_layers(model, rows):
    for layer in model.layers:
        rows = layer(rows)
    return rows


WRONG = [
    ("00.1", "loops", loops, "calls of the model for"),
    ("00.1", "loops over a graph", loops_over_a_graph, "calls of the model for"),
    ("00.1", "predicts", predicts, "`predict` makes one for every 32 rows"),
    ("00.1", "first row only", first_row_only, "instead of"),
    ("00.1", "always a hundred", a_hundred, "instead of"),
    ("00.1", "no return", no_return, "is a `return` missing?"),
    ("00.1", "loops over another model", loops_over_another_model, "never calls the model"),
    ("00.1", "loops in XLA", loops_in_xla, "calls of the model for"),
    ("00.1", "predicts a dataset", predicts_a_dataset, "`predict` makes one for every 32 rows"),
    ("00.1", "loops over the layers", loops_over_the_layers, "never calls the model"),
]
