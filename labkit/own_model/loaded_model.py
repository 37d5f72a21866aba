"""A model that can be called, whatever its format."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class LoadedModel:
    """A model that can be called, whatever its format.

    Attributes
    ----------
    name : str
        File name, without its folder.
    kind : str
        One of the kinds in `paths`, or ``Keras model``.
    call : callable
        Takes the inputs as one structure and returns the outputs. Dropout is off.
    spec : nested structure of tf.TensorSpec or None
        What it takes; None if the model does not say.
    model : object
        The loaded object. It must stay alive as long as `call` is used.
    keras : bool
        Whether it has `predict` and `predict_on_batch`.
    weights : callable
        Returns its variables; those of some layers exist only after the first call.
    constants : int
        Numbers that are part of its graph, as the weights of a frozen graph are.
    notes : list of str
        What a reader of the report should know.
    runtime : str
        What runs a file that TensorFlow does not run: ``LiteRT`` or ``ONNX Runtime``; else empty.
    with_threads : callable or None
        Of such a file: takes a number of threads, and returns what `call` is.
    needs_sample : str
        Why random numbers are no input for it, and how to give a sample; empty if they are one.
    is_whole : bool
        Whether its input cannot be cut into rows: a sample is then measured as it is.
    whole_rows : int
        How many rows such a sample holds; set by `samples`.
    has_sample : bool
        Whether it is measured with a sample; set by `samples`.
    chosen_sizes : dict of str to tuple of int
        By input, the shape of one row where sizes were chosen that the model leaves open; set by
        `samples`.
    """

    name: str
    kind: str
    call: Callable[[Any], Any]
    spec: Any
    model: Any
    keras: bool
    weights: Callable[[], Iterable[Any]]
    constants: int = 0
    notes: list[str] = field(default_factory=list)
    runtime: str = ""
    with_threads: Callable[[int], Callable[[Any], Any]] | None = field(default=None, repr=False)
    needs_sample: str = ""
    is_whole: bool = False
    whole_rows: int = 1
    has_sample: bool = False
    chosen_sizes: dict[str, tuple[int, ...]] = field(default_factory=dict)

    @property
    def variables(self) -> list[Any]:
        """Its weights and states."""
        return list(self.weights())

    @property
    def parameters(self) -> int:
        """Number of weights."""
        return self.constants + sum(math.prod(variable.shape) for variable in self.variables)
