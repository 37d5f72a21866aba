"""The message of an error, on one line."""

import re

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
# AutoGraph puts the place before the message: file names of this machine, line by line.
_PLACE = re.compile(r"^in user code: .*\b\w*(?:Error|Exception): ")
# Keras puts all the arguments behind it.
_ARGUMENTS = " Arguments received by"
# An error in a running graph: its message, then the node that raised it.
_MESSAGE_AND_NODE = re.compile(r"^(.*)\n\s+\[\[\{\{node", re.MULTILINE)
# A path of two folders or more, and the name of the file in it.
_PATH = re.compile(r"(?<![\w.+-])(?:[A-Za-z]:)?[\w.+-]*(?:[/\\][\w.+-]+)+[/\\]([\w.+-]+)")
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


def message(error: BaseException) -> str:
    r"""Return the message of an error on one line, without what AutoGraph and Keras put around it.

    >>> message(TypeError("in user code:\n\n  File 'x', line 3, in f *\n\n    TypeError: no sum"))
    'no sum'
    """
    words = _COLOUR.sub("", str(error)).split()
    text = _PLACE.sub("", " ".join(words))
    return text.partition(_ARGUMENTS)[0]


def one_line(error: BaseException, most: int = 200, *, paths: bool = True) -> str:
    r"""Return the type of an error and at most `most` characters of its message.

    Without `paths`, a file is named without its folders, and no address of an object remains.

    >>> one_line(ValueError("no such file"))
    'ValueError: no such file'
    >>> one_line(ValueError("no /home/someone/x/model.h5 here\nTraceback"), paths=False)
    'ValueError: no model.h5 here Traceback'
    """
    in_graph = _MESSAGE_AND_NODE.search(str(error))
    text = in_graph[1] if in_graph else message(error)
    if not paths:
        text = _PATH.sub(r"\1", text)
        text = _ADDRESS.sub("", text)
    if len(text) > most:
        whole_words = text[:most].rsplit(" ", 1)[0]
        text = f"{whole_words} …"
    if not text:
        return type(error).__name__
    return f"{type(error).__name__}: {text}"


def kind_in_words(thing: object) -> str:
    """Return what something is, with its article.

    >>> kind_in_words(1), kind_in_words([])
    ('an int', 'a list')
    """
    name = type(thing).__name__
    article = "an" if name[:1] in "AEIOUaeio" else "a"  # a u is often that of a "unit"
    return f"{article} {name}"
