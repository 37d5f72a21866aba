"""What an error says, on one line."""

import re


def message(error: BaseException) -> str:
    r"""Return what an error says, on one line, without what is put around it.

    Parameters
    ----------
    error : BaseException
        AutoGraph puts the place before the message, a file name of this machine; Keras colours it, and puts all
        arguments behind it.

    Returns
    -------
    str
        The message alone.

    Examples
    --------
    >>> message(TypeError("in user code:\n\n  File 'x', line 3, in f *\n    a + b\n\n    TypeError: no sum"))
    'no sum'
    """
    text = " ".join(re.sub(r"\x1b\[[0-9;]*m", "", str(error)).split())
    text = re.sub(r"^in user code: .*\b\w*(?:Error|Exception): ", "", text)
    return text.partition(" Arguments received by")[0]


def one_line(error: BaseException, most: int = 200) -> str:
    """Return the kind of an error and what it says, for a learner whose answer raised it.

    Parameters
    ----------
    error : BaseException
        What was raised; of an error while a graph runs only the sentence is kept, not the way there.
    most : int
        Characters of the message.

    Returns
    -------
    str
        Such as ``ValueError: no such file``.

    Examples
    --------
    >>> one_line(ValueError("no such file"))
    'ValueError: no such file'
    """
    in_graph = re.search(r"^(.*)\n\s+\[\[\{\{node", str(error), re.MULTILINE)
    return f"{type(error).__name__}: {(in_graph[1] if in_graph else message(error))[:most]}"
