"""A model that notes how it is run: the checkers of several lessons look at it."""

import random
from typing import Any

from ..models import mlp
from .engine import NotYet, fresh_rows

INPUTS = 20  # numbers per row, as in the service


def signed_rows(n: int, inputs: int = INPUTS) -> Any:
    """Return `n` rows of random numbers from -1 to 1, different in every check."""
    return 2 * fresh_rows(n, inputs=inputs) - 1


class Watched:
    """A model that notes each run of its Python code: eagerly, or while it is traced.

    Attributes
    ----------
    model : keras.Model
        Built, takes batches of 20 numbers a row.
    plain : keras.Model
        The same model without notes, with the same weights: the oracle.
    eager_runs : int
        How often the code ran eagerly.
    traced_shapes : list of tuple
        The shape of the batch in each trace, None for an open size.
    compiled : list of bool
        For each trace, whether XLA was to compile it.
    """

    def __init__(self) -> None:
        import keras
        import tensorflow as tf
        from tensorflow.python.ops import control_flow_util

        watched = self
        plain = mlp(inputs=INPUTS, seed=random.randrange(1000))

        class Noting(keras.Model):
            def __init__(self, inner: Any = plain) -> None:
                super().__init__()
                self.inner = inner

            def get_config(self) -> dict:
                return {}

            @classmethod
            def from_config(cls, _: dict) -> Any:
                """Return a copy with other weights: `keras.models.clone_model` asks for it."""
                return cls(keras.models.clone_model(plain))

            def call(self, inputs: Any) -> Any:
                if tf.executing_eagerly():
                    watched.eager_runs += 1
                else:
                    graph = tf.compat.v1.get_default_graph()
                    watched.traced_shapes.append(tuple(inputs.shape))
                    watched.compiled.append(control_flow_util.GraphOrParentsInXlaContext(graph))
                return self.inner(inputs)

        self.plain = plain
        self.model = Noting()
        self._forget()
        self.model(signed_rows(1))
        self._forget()

    def _forget(self) -> None:
        self.eager_runs = 0
        self.traced_shapes: list[tuple] = []
        self.compiled: list[bool] = []

    def expect_graph(self, section: str) -> None:
        """Raise `NotYet` if the model was called eagerly."""
        if self.eager_runs:
            seen = f"the model ran eagerly {self.eager_runs} times"
            raise NotYet(seen, "a graph, traced once", section)
