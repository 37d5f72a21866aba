"""Say in one sentence why a candidate failed: converters and compilers write pages."""

import re
from collections.abc import Iterable

from .candidates import LITERT, ORT, XLA, CannotUse
from .causes import last_cause

_MOST_NAMES = 5  # operations named in a sentence


def why(name: str, error: BaseException) -> str:
    """Return in one sentence why a candidate failed.

    >>> why("XLA", ValueError("No registered 'StringLower' OpKernel for XLA_CPU_JIT devices"))
    'XLA cannot compile the operation StringLower'
    """
    text = str(error)
    if isinstance(error, CannotUse):
        return text
    if _is_out_of_memory(error):
        return "this machine does not have enough memory"
    reason = None
    if name == XLA:
        reason = _of_xla(text)
    elif name == LITERT:
        reason = _of_litert(text)
    elif name == ORT:
        reason = _of_onnx(text)
    return reason or last_cause(error)


def _is_out_of_memory(error: BaseException) -> bool:
    text = str(error)
    if isinstance(error, MemoryError) or "OOM" in text:
        return True
    return "failed to allocate memory" in text.lower()


def _of_xla(text: str) -> str | None:
    """Return what a message of XLA means, or None."""
    operations = re.findall(r"No registered '(\w+)' OpKernel", text)
    if not operations and "unsupported operations" in text.lower():
        operations = re.findall(r"\{\{node (?:[\w.]+/)*(\w+?)(?:_\d+)?\}\}", text)
    if operations:
        word = "operation" if len(set(operations)) == 1 else "operations"
        return f"XLA cannot compile the {word} {_names(operations)}"
    if re.search(r"compile-time constant|dynamic shape|must be a compile", text):
        return "XLA must know each shape when it compiles, and one depends on the values here"
    return None


def _of_litert(text: str) -> str | None:
    """Return what a message of LiteRT means, or None."""
    if "AssignVariableOp" in text:
        return (
            "LiteRT converts no model that changes its own variables in a call,"
            " as a stateful layer does"
        )
    operations = re.findall(r"\btf\.([A-Z]\w+)", text)
    unknown = ("custom op", "flex op", "not supported", "Some ops")
    if operations and any(words in text for words in unknown):
        return f"LiteRT has no operation {_names(operations)} for inputs of these types"
    required = re.findall(r"'tf\.(\w+)' op (?:requires|is not|expects|must|failed)", text)
    if required:
        return f"LiteRT does not convert the operation {_names(required)} as this model uses it"
    if operations and "error:" in text:
        return f"LiteRT does not convert the operation {_names(operations)} as this model uses it"
    if match := re.search(r"unresolved custom op: (\w+)", text):
        return f"the interpreter of LiteRT has no operation {match[1]}"
    return None


def _of_onnx(text: str) -> str | None:
    """Return what a message of tf2onnx or ONNX Runtime means, or None."""
    operations = re.findall(r"(?:Tensorflow op \[[^:\]]+: |In Node, \([^,]*, )(\w+)", text)
    if operations:
        return f"ONNX has no operation {_names(operations)}"
    if "Type Error" in text:
        return "the model mixes data types when it is converted, and ONNX Runtime does not take it"
    return None


def _names(operations: Iterable[str]) -> str:
    """Return the first few operations in alphabetical order, each once."""
    return ", ".join(sorted(set(operations))[:_MOST_NAMES])
