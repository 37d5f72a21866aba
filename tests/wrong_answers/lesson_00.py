"""Wrong answers that people give in lesson 00, and a part of the message that each must get."""

import numpy as np
import tensorflow as tf


def loops(model, rows):
    return np.concatenate([model(rows[i : i + 1]) for i in range(len(rows))])


def loops_over_a_graph(model, rows):
    graph = tf.function(model)
    return np.concatenate([graph(rows[i : i + 1]) for i in range(len(rows))])


def first_row_only(model, rows):
    return model(rows[:1])


def a_hundred(model, rows):
    return model(rows[:100])


def no_return(model, rows):
    model(rows)


WRONG = [
    ("00.1", "loops", loops, "calls of the model for"),
    ("00.1", "loops over a graph", loops_over_a_graph, "calls of the model for"),
    ("00.1", "first row only", first_row_only, "instead of"),
    ("00.1", "always a hundred", a_hundred, "instead of"),
    ("00.1", "no return", no_return, "is a `return` missing?"),
    ("00.2", "the whole interval", lambda cost: cost.ratio["one_by_one"], "add `.value`"),
    (
        "00.2",
        "upside down",
        lambda cost: 1 / cost.ratio["one_by_one"].value,
        "not the other way round",
    ),
    (
        "00.2",
        "the time, not the ratio",
        lambda cost: cost.median["one_by_one"].value,
        "the time of the loop in seconds",
    ),
    ("00.2", "read off the table", lambda cost: 21.3, "for another measurement"),
    ("00.2", "a text", lambda cost: "20 times", "a value of type str; wanted: a number"),
]
