"""What notes how an answer runs: a model, the calls of graphs, the calls back into Python."""

import contextlib
import random
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

from ...measure.count import count
from ..models import mlp
from .engine import NotYet, fresh_rows

INPUTS = 20  # numbers per row, as in the service


def signed_rows(n: int, inputs: int = INPUTS) -> Any:
    """Return `n` rows of random numbers from -1 to 1, different in every check."""
    return 2 * fresh_rows(n, inputs=inputs) - 1


class Watched:
    """A model that notes each run of its Python code: eagerly, or while it is traced.

    Parameters
    ----------
    normalized : bool
        Whether the model ends with a BatchNormalization, two of whose weights are not trained.

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

    def __init__(self, normalized: bool = False) -> None:
        import keras
        import tensorflow as tf
        from tensorflow.python.ops import control_flow_util

        watched = self
        plain = mlp(inputs=INPUTS, seed=random.randrange(1000))
        if normalized:
            _normalize(plain)

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

    def traces(self, later: int) -> int:
        """Return how often the answer was traced; `later` are all traces after its first call.

        Graphs that call each other are each traced once, in the first call.
        """
        of_model = len(self.traced_shapes)
        return of_model if of_model > 1 else 1 + later

    def expect_graph(self, section: str) -> None:
        """Raise `NotYet` if the model was called eagerly."""
        if self.eager_runs:
            seen = f"the model ran eagerly {self.eager_runs} times"
            raise NotYet(seen, "a graph, traced once", section)


def _normalize(model: Any) -> None:
    """Add a BatchNormalization that has seen other data than that of any other model."""
    import keras

    layer = keras.layers.BatchNormalization()
    model.add(layer)
    layer.moving_mean.assign([random.uniform(1, 3)])
    layer.moving_variance.assign([random.uniform(2, 5)])


FEW_CALLS = 3  # what helpers beside the loop may call: fewer than the rounds of a loop


@contextlib.contextmanager
def calls_of_graphs() -> Iterator[list[None]]:
    """Note each call of a graph from Python: of a tf.function, and of a concrete function.

    `count` does not see the calls of a concrete function.
    """
    import tensorflow as tf
    from tensorflow.python.eager.polymorphic_function.concrete_function import ConcreteFunction

    made: list[None] = []
    call = ConcreteFunction.__call__

    def noted(function: Any, *args: Any, **kwargs: Any) -> Any:
        if tf.executing_eagerly():
            made.append(None)
        return call(function, *args, **kwargs)

    with patch.object(ConcreteFunction, "__call__", noted), count() as functions:
        yield made
    made.extend([None] * len(functions.calls))


def expect_one_call(calls: list[None], rounds: int, where: str, section: str) -> None:
    """Raise `NotYet` if Python called a graph in each round of a loop: the loop is not in it."""
    if len(calls) > FEW_CALLS and len(calls) >= rounds:
        seen = f"{where}, {len(calls)} calls of a graph"
        raise NotYet(seen, "one: the loop in the graph", section)


@contextlib.contextmanager
def calls_back() -> Iterator[list[None]]:
    """Note each call of a Python function from a graph or a pipeline, as of `tf.numpy_function`."""
    from tensorflow.python.ops.script_ops import FuncRegistry

    made: list[None] = []
    call = FuncRegistry.__call__

    def noted(*args: Any, **kwargs: Any) -> Any:
        made.append(None)
        return call(*args, **kwargs)

    with patch.object(FuncRegistry, "__call__", noted):
        yield made
