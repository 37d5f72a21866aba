"""Say in one sentence why a rung failed: converters and compilers speak in pages."""

import re

from .candidates import LITERT, ORT, XLA, Impossible
from .paths import plain


def why(name: str, error: BaseException) -> str:
    """Return in one sentence why a rung failed.

    Parameters
    ----------
    name : str
        One of `LADDER`.
    error : Exception
        What preparing or calling it raised.

    Returns
    -------
    str
        For converters, the operations that they do not know.

    Examples
    --------
    >>> why("XLA", ValueError("No registered 'StringLower' OpKernel for XLA_CPU_JIT devices"))
    'XLA cannot compile the operation StringLower'
    """
    text = str(error)
    if isinstance(error, Impossible):
        return text
    if (
        isinstance(error, MemoryError)
        or "OOM" in text
        or "failed to allocate memory" in text.lower()
    ):
        return "the memory of this machine is not enough"
    if name == XLA:
        found = sorted(set(re.findall(r"No registered '(\w+)' OpKernel", text)))
        if not found and "unsupported operations" in text.lower():
            found = sorted(set(re.findall(r"\{\{node (?:[\w.]+/)*(\w+?)(?:_\d+)?\}\}", text)))[:3]
        if found:
            return (
                f"XLA cannot compile the operation{'s' * (len(found) > 1)} {', '.join(found[:5])}"
            )
        if re.search(r"compile-time constant|dynamic shape|must be a compile", text):
            return "XLA needs every shape to be known when it compiles, and one depends on the values here"
    if name == LITERT:
        if "AssignVariableOp" in text:
            return "LiteRT converts no model that changes its own variables in a call, as a stateful layer does"
        found = sorted(set(re.findall(r"\btf\.([A-Z]\w+)", text)))
        if found and (
            "custom op" in text
            or "flex op" in text
            or "not supported" in text
            or "Some ops" in text
        ):
            return f"LiteRT has no operation {', '.join(found[:5])} of its own"
        if found := re.search(r"unresolved custom op: (\w+)", text):
            return f"the interpreter of LiteRT has no operation {found[1]}"
    if name == ORT:
        found = sorted(
            set(re.findall(r"(?:Tensorflow op \[[^:\]]+: |In Node, \([^,]*, )(\w+)", text))
        )
        if found:
            return f"ONNX has no operation {', '.join(found[:5])}"
    return plain(error)
