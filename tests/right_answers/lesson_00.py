"""Right answers to the exercises of lesson 00, in other styles than those of the solutions."""

import numpy as np
import tensorflow as tf


def as_an_array(model, rows):
    return model(rows).numpy()


def by_predict(model, rows):
    return model.predict(rows, batch_size=len(rows))


def of_a_copy(model, rows):
    batch = np.array(rows, copy=True)
    answers = model(batch, training=False)
    return np.asarray(answers)


def by_keywords(model, rows):
    return model(inputs=rows, training=False)


def predict_by_keywords(model, rows):
    return model.predict(x=rows, batch_size=len(rows), verbose=0)


def predict_in_order(model, rows):
    return model.predict(rows, len(rows), 0)


def predict_on_batch_by_keyword(model, rows):
    return model.predict_on_batch(x=rows)


def of_a_dataset(model, rows):
    return model.predict(tf.data.Dataset.from_tensors(rows), verbose=0)


def by_a_step(model, rows):
    return model.predict_step(rows)


def compiled_by_xla(model, rows):
    return tf.function(model, jit_compile=True)(rows)


def compiled_first(model, rows):
    model.compile(jit_compile=True)
    return model.predict_on_batch(rows)


RIGHT = [
    ("00.1", "as an array", as_an_array),
    ("00.1", "predict with one batch", by_predict),
    ("00.1", "of a copy", of_a_copy),
    ("00.1", "by keywords", by_keywords),
    ("00.1", "predict by keywords", predict_by_keywords),
    ("00.1", "predict, in order", predict_in_order),
    ("00.1", "predict_on_batch by keyword", predict_on_batch_by_keyword),
    ("00.1", "of a dataset", of_a_dataset),
    ("00.1", "by a step", by_a_step),
    ("00.1", "compiled by XLA", compiled_by_xla),
    ("00.1", "compiled first", compiled_first),
]
