"""The small model and the random rows that the lessons share."""

from typing import Any


def mlp(width: int = 32, depth: int = 2, inputs: int = 10, outputs: int = 1, seed: int = 0) -> Any:
    """Return a stack of dense layers with reproducible random weights.

    Parameters
    ----------
    width : int, default 32
        Units of each hidden layer.
    depth : int, default 2
        Number of dense layers, at least 1, the output layer included.
    inputs, outputs : int
        Numbers per row that go in and come out.
    seed : int, default 0
        Seed of the weights.

    Returns
    -------
    keras.Sequential
        The model, built, with float32 weights. It takes rows of shape (n, inputs) and returns
        (n, outputs).

    Raises
    ------
    ValueError
        `depth` is less than 1.

    Examples
    --------
    >>> mlp(depth=3).count_params()
    1441
    """
    import keras

    def dense(units: int, activation: str | None, seed: int) -> Any:
        weights = keras.initializers.GlorotUniform(seed=seed)
        return keras.layers.Dense(units, activation=activation, kernel_initializer=weights)

    if depth < 1:
        raise ValueError(f"mlp needs at least one layer, got depth={depth}")
    layers = [keras.Input((inputs,))]
    for number in range(depth - 1):
        layers.append(dense(width, "relu", seed + number))
    layers.append(dense(outputs, None, seed + depth))
    return keras.Sequential(layers)


def random_rows(n: int = 1000, inputs: int = 10, seed: int = 0) -> Any:
    """Return random rows, the same ones for the same seed.

    Parameters
    ----------
    n : int, default 1000
        Number of rows.
    inputs : int, default 10
        Numbers per row.
    seed : int, default 0
        Seed of the numbers.

    Returns
    -------
    numpy.ndarray
        Shape (n, inputs), float32, at least 0 and below 1.

    Examples
    --------
    >>> random_rows(5).shape
    (5, 10)
    """
    import numpy as np

    return np.random.default_rng(seed).random((n, inputs), dtype=np.float32)
