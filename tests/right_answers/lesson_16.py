"""Right answers to the exercises of lesson 16, in other styles than those of the solutions."""

import numpy as np


def numpy_numbers(slow, fast):
    if fast[0] < slow[0]:
        return np.int64(1)
    if slow[1] <= fast[1]:
        return None
    return np.int64((fast[0] - slow[0]) // (slow[1] - fast[1]) + 2)


RIGHT = [("16.4", "NumPy's numbers", numpy_numbers)]
