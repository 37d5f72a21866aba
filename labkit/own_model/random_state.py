"""Leave the learner's random numbers as they were: Keras draws seeds when it makes layers."""

import contextlib
import random
from collections.abc import Iterator


@contextlib.contextmanager
def random_state_kept() -> Iterator[None]:
    """Put back the states of Python's and NumPy's own generators at the end of the block."""
    import numpy as np

    state = random.getstate()
    numpy_state = np.random.get_state()
    try:
        yield
    finally:
        random.setstate(state)
        np.random.set_state(numpy_state)
