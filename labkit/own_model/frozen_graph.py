"""Load a frozen graph, a .pb file in which TensorFlow 1 kept a graph with its weights."""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..show import stop
from .causes import last_cause
from .loaded_model import LoadedModel
from .paths import FROZEN_GRAPH, BadModel
from .silence import silence_all

_MOST_NAMES = 6  # listed in a sentence
# Operations that are no answer of a model, although nothing in the graph uses what they return.
_NO_ANSWERS = {"NoOp", "Const", "Placeholder", "PlaceholderWithDefault", "Assert"}
_FEEDS = {"Placeholder", "PlaceholderWithDefault"}


def load_frozen_graph(
    path: Path,
    inputs: str | Iterable[str] | None = None,
    outputs: str | Iterable[str] | None = None,
) -> LoadedModel:
    """Load a frozen graph as a function from its inputs to its outputs.

    A graph does not say which these are. Where it has one placeholder, or one node that nothing
    uses, that one is taken.
    """
    import tensorflow as tf

    graph = _read_graph(path)
    feeds = _names(inputs) or _only_input(path.name, graph)
    fetches = _names(outputs) or _only_output(path.name, graph)

    def imported() -> None:
        tf.compat.v1.import_graph_def(graph, name="")

    try:
        with silence_all():
            whole = tf.compat.v1.wrap_function(imported, [])
    except Exception as error:
        stop.raise_if_requested()
        raise BadModel(f"{path.name} could not be loaded: {last_cause(error)}") from None
    feed_tensors = _tensors(path.name, whole.graph, feeds)
    fetch_tensors = _tensors(path.name, whole.graph, fetches)
    try:
        with silence_all():
            function = whole.prune(feed_tensors, fetch_tensors)
    except Exception as error:
        stop.raise_if_requested()
        raise BadModel(
            f"{path.name} cannot answer {', '.join(fetches)} from {', '.join(feeds)} alone:"
            f" {last_cause(error)}"
        ) from None
    keys = [_plain(name) for name in feeds]
    spec = {}
    for key, tensor in zip(keys, feed_tensors, strict=True):
        spec[key] = tf.TensorSpec(tensor.shape, tensor.dtype, name=key)

    def call(x: Any) -> Any:
        values = []
        for key, tensor in zip(keys, feed_tensors, strict=True):
            values.append(tf.convert_to_tensor(x[key], tensor.dtype))
        return function(*values)

    kept = tf.Module()  # in which a converter looks for variables, and finds none
    kept.function = function
    note = f"model(x) is a call of its graph, from {', '.join(feeds)} to {', '.join(fetches)}"
    return LoadedModel(
        path.name,
        FROZEN_GRAPH,
        call,
        dict(sorted(spec.items())),
        kept,
        keras=False,
        weights=list,
        constants=_numbers_in(graph),
        notes=[note],
    )


def _read_graph(path: Path) -> Any:
    """Return the graph in a file."""
    import tensorflow as tf

    graph = tf.compat.v1.GraphDef()
    try:
        graph.ParseFromString(path.read_bytes())
    except Exception as error:  # protobuf raises an error of its own
        stop.raise_if_requested()
        raise BadModel(
            f"{path.name} is damaged or not a frozen graph: {last_cause(error)}"
        ) from None
    unset = [node.name for node in graph.node if node.op in ("VariableV2", "VarHandleOp")]
    if unset:
        raise BadModel(
            f"{path.name} is a graph without its weights, such as {unset[0]}: freeze it together"
            " with its checkpoint, or give the SavedModel"
        )
    return graph


def _names(given: str | Iterable[str] | None) -> list[str]:
    """Return names that are given in a text with commas, or in a list of such texts."""
    if given is None:
        return []
    texts = [given] if isinstance(given, str) else list(given)
    parts = ",".join(texts).split(",")
    return [part.strip() for part in parts if part.strip()]


def _only_input(name: str, graph: Any) -> list[str]:
    """Return the placeholder of a graph; raise BadModel if there is not exactly one."""
    needed = [node.name for node in graph.node if node.op == "Placeholder"]
    if len(needed) == 1:
        return needed
    found = [node.name for node in graph.node if node.op in _FEEDS]
    if len(found) == 1:
        return found
    if not found:
        raise BadModel(f"{name} has no placeholder: name its inputs with --inputs")
    raise BadModel(
        f"{name} does not say which of its placeholders are the inputs: name them with --inputs,"
        f" such as --inputs {','.join(found[:_MOST_NAMES])}"
    )


def _only_output(name: str, graph: Any) -> list[str]:
    """Return the node that no other node uses; raise BadModel if there is not exactly one."""
    used = set()
    for node in graph.node:
        used |= {_plain(source.lstrip("^")) for source in node.input}
    found = []
    for node in graph.node:
        if node.name not in used and node.op not in _NO_ANSWERS:
            found.append(node.name)
    if len(found) == 1:
        return found
    raise BadModel(
        f"{name} does not say what its outputs are: name them with --outputs, such as"
        f" --outputs {','.join(found[:_MOST_NAMES]) or 'softmax'}"
    )


def _tensors(name: str, graph: Any, wanted: list[str]) -> list[Any]:
    """Return the tensors of these names; raise BadModel for a name that the graph does not have."""
    tensors = []
    for one in wanted:
        full = one if ":" in one else f"{one}:0"
        try:
            tensors.append(graph.get_tensor_by_name(full))
        except (KeyError, ValueError):
            placeholders = [node.name for node in graph.get_operations() if node.type in _FEEDS]
            last = graph.get_operations()[-1].name
            raise BadModel(
                f"{name} has no node {one}; its placeholders are"
                f" {', '.join(placeholders[:_MOST_NAMES]) or 'none'}, its last node is {last}"
            ) from None
    return tensors


def _plain(name: str) -> str:
    """Return the name of a node, without the number of its output."""
    return name.partition(":")[0]


def _numbers_in(graph: Any) -> int:
    """Return how many numbers the constants of a graph hold."""
    numbers = 0
    for node in graph.node:
        if node.op == "Const":
            shape = node.attr["value"].tensor.tensor_shape
            numbers += math.prod(axis.size for axis in shape.dim)
    return numbers
