"""LiteRT's interpreter, from the package that has it; nothing else makes one."""

import contextlib
import importlib
import importlib.util
from typing import Any

from ..show import stop
from ..show.errors import WrongValue, one_line
from .silence import silence_all


@stop.stoppable("Stopped before the interpreter was ready.")
def litert_interpreter(content: bytes, shape: tuple[int, ...], threads: int = 1) -> Any:
    """Return a LiteRT interpreter that is ready for one input of a given shape.

    Parameters
    ----------
    content : bytes
        A converted model: what ``model.export(path, format="litert")`` writes. It has one input.
    shape : tuple of int
        The shape of the input, with the batch size. The interpreter takes no other.
    threads : int
        How many threads one call may use.

    Returns
    -------
    Interpreter
        Ready for ``set_tensor``, ``invoke`` and ``get_tensor``: that of the package
        ai-edge-litert if it is installed, else the one that TensorFlow includes. Both have the
        same methods. Only one thread at a time may use it.

    Raises
    ------
    ImportError
        Neither package has an interpreter.
    ValueError
        `content` is no converted model, or the model does not take an input of this shape.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from labkit.course.models import mlp, random_rows
    >>> from labkit.own_model import litert_interpreter
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "model.tflite"
    ...     mlp().export(path, format="litert", verbose=False)
    ...     interpreter = litert_interpreter(path.read_bytes(), shape=(1, 10))
    >>> interpreter.set_tensor(interpreter.get_input_details()[0]["index"], random_rows(1))
    >>> interpreter.invoke()
    >>> interpreter.get_tensor(interpreter.get_output_details()[0]["index"]).shape
    (1, 1)
    """
    with silence_all():  # TensorFlow warns that its own interpreter will be removed
        interpreter = _interpreter(content, threads)
        try:
            interpreter.resize_tensor_input(interpreter.get_input_details()[0]["index"], shape)
            interpreter.allocate_tensors()
        except RuntimeError as error:
            raise WrongValue(
                f"the model does not take an input of shape {shape}: {one_line(error)}"
            ) from error
    return interpreter


def interpreter_and_places(
    content: bytes, threads: int | None = None
) -> tuple[Any, dict[str, int], list[int]]:
    """Return an interpreter, the place of each input by name, and those of the outputs in order.

    The converter orders inputs and outputs in its own way, but keeps the names of the signature.
    The outputs are sorted by name.
    """
    # A signature runner forbids `invoke`, so the interpreter that answers this is not the one
    # that runs the model.
    runner = _interpreter(content).get_signature_runner()
    inputs = {name: detail["index"] for name, detail in runner.get_input_details().items()}
    outputs = [detail["index"] for _, detail in sorted(runner.get_output_details().items())]
    interpreter = _interpreter(content, threads)
    interpreter.allocate_tensors()
    return interpreter, inputs, outputs


def interpreter_class() -> tuple[Any, str]:
    """Return the class of LiteRT's interpreter and its package; raise ImportError without one."""
    if importlib.util.find_spec("ai_edge_litert"):
        with contextlib.suppress(ImportError), stop.deferred():
            module = importlib.import_module("ai_edge_litert.interpreter")
            return module.Interpreter, "ai-edge-litert"
    with stop.deferred():  # half imported, it cannot be imported again
        tensorflow = importlib.import_module("tensorflow")
    if not hasattr(tensorflow, "lite"):
        raise ImportError(
            "this TensorFlow no longer includes an interpreter: pip install ai-edge-litert"
        )
    return tensorflow.lite.Interpreter, "tensorflow.lite"


def _interpreter(content: bytes, threads: int | None = None) -> Any:
    """Return a new interpreter; `threads` is LiteRT's own choice unless given."""
    make, _ = interpreter_class()
    return make(model_content=content, num_threads=threads)
