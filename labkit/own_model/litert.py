"""LiteRT's interpreter, from whichever package has it."""

import contextlib
import importlib
import importlib.util
import warnings
from typing import Any

from ..measure.system import silence_stderr


def interpreter(content: bytes, shape: tuple[int, ...], threads: int = 1) -> Any:
    """Return a LiteRT interpreter for a converted model.

    That of `interpreter_class`: the methods are the same, and TensorFlow says of its own that it will be removed.

    Parameters
    ----------
    content : bytes
        What ``model.export(path, format="litert")`` wrote.
    shape : tuple of int
        Of the one input: the model is made ready for this shape and no other.
    threads : int
        How many threads one call may use.

    Returns
    -------
    Interpreter
        Ready for ``set_tensor``, ``invoke`` and ``get_tensor``.
    """
    with warnings.catch_warnings(), silence_stderr():
        warnings.simplefilter(
            "ignore"
        )  # TensorFlow's own warning, which a lesson shows where it is the subject
        ready = interpreter_class()[0](model_content=content, num_threads=threads)
        ready.resize_tensor_input(ready.get_input_details()[0]["index"], shape)
        ready.allocate_tensors()
    return ready


def interpreter_class() -> tuple[type, str]:
    """Return LiteRT's interpreter: that of ai-edge-litert where it is installed, else the one inside TensorFlow.

    Returns
    -------
    (class, str)
        The class and the name of its package. `ImportError` is raised where there is neither.
    """
    if importlib.util.find_spec("ai_edge_litert"):
        with contextlib.suppress(ImportError):
            return importlib.import_module(
                "ai_edge_litert.interpreter"
            ).Interpreter, "ai-edge-litert"
    tf = importlib.import_module("tensorflow")
    if not hasattr(tf, "lite"):
        raise ImportError(
            "this TensorFlow brings no interpreter any more: pip install ai-edge-litert"
        )
    return tf.lite.Interpreter, "tensorflow.lite"
