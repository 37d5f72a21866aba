"""The model that is measured if the learner names none."""

from pathlib import Path
from typing import Any

from ..show import stop
from .random_state import random_state_kept


@stop.stoppable("Stopped before the model was saved.")
def default_model(folder: Any) -> Path:
    """Save a small model with two inputs, an embedding and dropout, and return its path.

    Parameters
    ----------
    folder : path
        An existing folder for the file.

    Returns
    -------
    Path
        The file ``price.keras``. Its inputs are ``numbers``, float32 of shape (batch, 10), and
        ``shop``, int32 of shape (batch, 1) with values below 20.

    Raises
    ------
    OSError
        The folder does not exist, or the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from labkit import own_model
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     own_model.inspect(own_model.default_model(folder)).cells[2]
    ['input shop', 'int32 (any, 1)']
    """
    with stop.deferred():  # half imported, it cannot be imported again
        import keras

    from ..course.models import mlp

    with random_state_kept():
        numbers = keras.Input((10,), name="numbers")
        shop = keras.Input((1,), dtype="int32", name="shop")
        place = keras.layers.Flatten()(keras.layers.Embedding(20, 4)(shop))
        known = keras.layers.Concatenate()([numbers, place])
        price = mlp(inputs=14)(keras.layers.Dropout(0.2)(known))
        model = keras.Model({"numbers": numbers, "shop": shop}, price, name="price")
    path = Path(folder) / "price.keras"
    model.save(path)
    return path
