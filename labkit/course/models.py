"""The few small models and rows of data that the lessons share."""

from typing import Any


def mlp(width: int = 32, depth: int = 2, inputs: int = 10, outputs: int = 1, seed: int = 0) -> Any:
    """Return a stack of dense layers with reproducible random weights.

    Parameters
    ----------
    width : int
        Units of each hidden layer.
    depth : int
        Number of dense layers, the output layer included.
    inputs, outputs : int
        Numbers per row, going in and coming out.
    seed : int
        Of the weights.

    Returns
    -------
    keras.Sequential
        Built, float32.

    Examples
    --------
    >>> mlp(depth=3).count_params()
    1441
    """
    import keras

    def dense(units: int, i: int, activation: str | None) -> Any:
        return keras.layers.Dense(
            units,
            activation=activation,
            kernel_initializer=keras.initializers.GlorotUniform(seed=seed + i),
        )

    hidden = [dense(width, i, "relu") for i in range(depth - 1)]
    return keras.Sequential([keras.Input((inputs,)), *hidden, dense(outputs, depth, None)])


def random_rows(n: int = 1000, inputs: int = 10, seed: int = 0) -> Any:
    """Return `n` random rows.

    Parameters
    ----------
    n, inputs : int
        Shape of the array.
    seed : int
        Of the random numbers.

    Returns
    -------
    numpy.ndarray
        Shape (n, inputs), float32, between 0 and 1.

    Examples
    --------
    >>> random_rows(5).shape
    (5, 10)
    """
    import numpy as np

    return np.random.default_rng(seed).random((n, inputs), dtype=np.float32)
