"""The small models and the random rows that the lessons share."""

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


def service(seed: int = 0) -> Any:
    """Return the model of the small service that the lessons make faster step by step.

    Parameters
    ----------
    seed : int, default 0
        Seed of the weights.

    Returns
    -------
    keras.Sequential
        Three hidden layers of 64 units, built, with float32 weights. It takes rows of shape (n, 20)
        and returns one score between 0 and 1 for each, of shape (n, 1).

    Examples
    --------
    >>> service().count_params()
    9729
    """
    import keras

    model = mlp(width=64, depth=4, inputs=20, seed=seed)
    model.add(keras.layers.Activation("sigmoid"))
    return model


def kinds(seed: int = 0) -> dict[str, tuple[Any, Any]]:
    """Return a small model of each of four kinds, with one row for it.

    What holds for stacked dense layers need not hold for other models: try it on these.

    Parameters
    ----------
    seed : int, default 0
        Seed of the weights and of the rows.

    Returns
    -------
    dict of str to (keras.Model, numpy.ndarray)
        By the names ``"MLP"``, ``"CNN"``, ``"LSTM"`` and ``"transformer"``. Each row has a leading
        axis of length 1: float32 of shape (1, 20) for the MLP, (1, 32, 32, 3) for the CNN and
        (1, 40, 8) for the LSTM, which takes 40 steps of 8 numbers; for the transformer 32 tokens,
        int32, from 0 to 199.

    Examples
    --------
    >>> for name, (model, row) in kinds().items():
    ...     print(name, model.count_params(), row.shape)
    MLP 9729 (1, 20)
    CNN 16618 (1, 32, 32, 3)
    LSTM 5281 (1, 40, 8)
    transformer 14977 (1, 32)
    """
    import numpy as np

    tokens = np.random.default_rng(seed).integers(0, 200, (1, 32), dtype=np.int32)
    return {
        "MLP": (service(seed), random_rows(1, inputs=20, seed=seed)),
        "CNN": (_cnn(seed), random_rows(1, 32 * 32 * 3, seed).reshape(1, 32, 32, 3)),
        "LSTM": (_lstm(seed), random_rows(1, 40 * 8, seed).reshape(1, 40, 8)),
        "transformer": (_transformer(seed), tokens),
    }


def _cnn(seed: int) -> Any:
    """Return two convolutions with pooling and a dense layer of ten classes."""
    import keras
    from keras import layers

    def convolution(filters: int, seed: int) -> Any:
        weights = keras.initializers.GlorotUniform(seed=seed)
        return layers.Conv2D(filters, 3, activation="relu", kernel_initializer=weights)

    return keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            convolution(16, seed),
            layers.MaxPooling2D(),
            convolution(32, seed + 1),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(10, kernel_initializer=keras.initializers.GlorotUniform(seed=seed + 2)),
        ]
    )


def _lstm(seed: int) -> Any:
    """Return an LSTM of 32 units and a dense layer of one output."""
    import keras

    recurrent = keras.layers.LSTM(
        32,
        kernel_initializer=keras.initializers.GlorotUniform(seed=seed),
        recurrent_initializer=keras.initializers.Orthogonal(seed=seed + 1),
        seed=seed,
    )
    weights = keras.initializers.GlorotUniform(seed=seed + 2)
    return keras.Sequential(
        [keras.Input((40, 8)), recurrent, keras.layers.Dense(1, kernel_initializer=weights)]
    )


def _transformer(seed: int) -> Any:
    """Return one block of a transformer over 32 tokens: attention, two dense layers, two norms."""
    import keras
    from keras import layers

    def weights(number: int) -> Any:
        return keras.initializers.GlorotUniform(seed=seed + number)

    tokens = keras.Input((32,), dtype="int32")
    x = layers.Embedding(200, 32, embeddings_initializer=weights(0))(tokens)
    attention = layers.MultiHeadAttention(2, 16, kernel_initializer=weights(1), seed=seed)
    x = layers.LayerNormalization()(x + attention(x, x))
    inner = layers.Dense(64, activation="relu", kernel_initializer=weights(2))(x)
    x = layers.LayerNormalization()(x + layers.Dense(32, kernel_initializer=weights(3))(inner))
    pooled = layers.GlobalAveragePooling1D()(x)
    return keras.Model(tokens, layers.Dense(1, kernel_initializer=weights(4))(pooled))
