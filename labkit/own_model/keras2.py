"""Read layers that Keras 2 wrote, with arguments that Keras 3 has no more."""

import contextlib
import importlib
from collections.abc import Iterator
from typing import Any

# Arguments that Keras 2 wrote for these layers, with the value that means nothing.
_OLD_ARGUMENTS: dict[tuple[str, ...], dict[str, Any]] = {
    ("RNN", "LSTM", "GRU", "SimpleRNN"): {"time_major": False},
    ("DepthwiseConv1D", "DepthwiseConv2D"): {"groups": 1},
    ("Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose"): {"groups": 1},
    ("SeparableConv1D", "SeparableConv2D"): {"groups": 1},
}
# A separable layer has kernels of other names; Keras 2 wrote these, and did not use them.
_UNUSED = {
    "SeparableConv1D": ("kernel_initializer", "kernel_regularizer", "kernel_constraint"),
    "SeparableConv2D": ("kernel_initializer", "kernel_regularizer", "kernel_constraint"),
}


@contextlib.contextmanager
def layers_of_keras_2() -> Iterator[dict[str, Any]]:
    """Let Keras 3 read what Keras 2 wrote; the value is what `custom_objects` needs besides.

    Keras looks its own layers up by itself, also those inside other layers, so `from_config` of
    their classes is another one as long as the block runs.
    """
    import keras

    anything = keras.Input((1,))
    functional = type(keras.Model(anything, anything))
    with contextlib.ExitStack() as stack:
        for names, old in _OLD_ARGUMENTS.items():
            for name in names:
                layer = getattr(keras.layers, name)
                stack.enter_context(_reads_old_arguments(layer, old, _UNUSED.get(name, ())))
        yield {"Functional": functional}


def take_optimizers_of_keras_2() -> bool:
    """Let TensorFlow load SavedModels that contain an optimizer of Keras 2; return whether it can.

    TensorFlow asks the optimizer for a place for each of its numbers, and the package tf_keras has
    the class that answers. For predictions, any object that answers will do. There is no public
    function for this.
    """
    try:
        revived_types = importlib.import_module("tensorflow.python.saved_model.revived_types")
        version = revived_types.VersionedTypeRegistration(
            object_factory=lambda _: _optimizer_without_steps(),
            version=2,
            min_producer_version=1,
            min_consumer_version=1,
        )
        revived_types.register_revived_type("optimizer", lambda _: False, versions=[version])
    except Exception:  # private parts of TensorFlow may change in any way
        return False
    return True


def _optimizer_without_steps() -> Any:
    """Return an optimizer that keeps numbers and makes no step."""
    import tensorflow as tf

    class Optimizer(tf.Module):
        def add_slot(self, var: Any, slot_name: str, *_: Any, **__: Any) -> Any:
            return tf.Variable(tf.zeros_like(var), name=slot_name)

    return Optimizer()


@contextlib.contextmanager
def _reads_old_arguments(
    layer: Any, old: dict[str, Any], unused: tuple[str, ...]
) -> Iterator[None]:
    """Make `from_config` of a class leave out the arguments that have no effect."""
    is_own = "from_config" in vars(layer)
    original = layer.from_config.__func__

    def from_config(cls: Any, config: dict[str, Any], *args: Any, **options: Any) -> Any:
        kept = {}
        for key, value in config.items():
            without_effect = key in old and value == old[key]
            if key not in unused and not without_effect:
                kept[key] = value
        return original(cls, kept, *args, **options)

    before = vars(layer).get("from_config")
    layer.from_config = classmethod(from_config)
    try:
        yield
    finally:
        if is_own:
            layer.from_config = before
        else:
            del layer.from_config
