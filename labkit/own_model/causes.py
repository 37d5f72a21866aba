"""Say what an error was in the end: TensorFlow and Keras put the cause behind other text."""

import re

from ..show.errors import without_paths

_MOST = 500  # characters; a cause that is longer lists values
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
# AutoGraph puts the lines of the program first, and then the type of the error.
_IN_USER_CODE = re.compile(r"\n\s+\w*(?:Error|Exception): ")
# Keras names each layer that the error passed through, with the arguments of each behind it.
_PASSED_THROUGH = re.compile(
    r"Exception encountered(?: when calling (?:layer )?[^\n]*?\.call\(\)\.?|:)\s+"
)
_ARGUMENTS = re.compile(
    r"\s*(?:Arguments received by|Call arguments received by|Full object config:)"
)
# TensorFlow: the message in a running graph, then the node that raised it.
_BEFORE_NODE = re.compile(r"^(.*)\n\s+\[\[\{\{node", re.MULTILINE)
_NO_TRACES = re.compile(r"^Graph execution error:.*<stack traces unavailable>\s*", re.DOTALL)
_NUMBERED = re.compile(r"^\s*\(\d+\) [A-Z_]+: ")
_MARKS = re.compile(r"\{\{(?:function_node|node) [^}]*\}\}\s*|\s*\[Op:[^\]]*\](?:\s*name:\s*$)?")


def last_cause(error: BaseException) -> str:
    r"""Return the type of an error and its last cause, in one line and in full.

    >>> text = "Exception encountered when calling A.call().\n\nno such size"
    >>> last_cause(ValueError(text))
    'ValueError: no such size'
    >>> last_cause(SystemExit(3))
    'code of the model ended the program, with sys.exit(3)'
    """
    if isinstance(error, SystemExit):
        code = "" if error.code is None else error.code
        return f"code of the model ended the program, with sys.exit({code})"
    text = cause_in(str(error))
    kind = type(error).__name__
    return f"{kind}: {text}" if text else kind


def cause_in(text: str) -> str:
    """Return the last cause in the message of an error, in one line and in full."""
    text = _COLOUR.sub("", text)
    if text.startswith("in user code:"):
        text = _IN_USER_CODE.split(text)[-1]
    text = _PASSED_THROUGH.split(text)[-1]
    text = _ARGUMENTS.split(text)[0]
    in_graph = _BEFORE_NODE.search(text)
    if in_graph:
        text = _NUMBERED.sub("", in_graph[1])
    text = _NO_TRACES.sub("", text)
    text = _MARKS.sub("", text)
    text = without_paths(" ".join(text.split()))
    if len(text) <= _MOST:
        return text
    whole_words = text[:_MOST].rsplit(" ", 1)[0]
    return f"{whole_words} …"
