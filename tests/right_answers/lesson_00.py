"""Right answers to the exercises of lesson 00, in other styles than those of the solutions."""

import numpy as np


def as_an_array(model, rows):
    return model(rows).numpy()


def by_predict(model, rows):
    return model.predict(rows, batch_size=len(rows))


def of_a_copy(model, rows):
    batch = np.array(rows, copy=True)
    answers = model(batch, training=False)
    return np.asarray(answers)


RIGHT = [
    ("00.1", "as an array", as_an_array),
    ("00.1", "predict with one batch", by_predict),
    ("00.1", "of a copy", of_a_copy),
]
