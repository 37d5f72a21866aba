"""The message of an error on one line, and errors that a notebook shows in one line."""

import linecache
import os
import re
import sysconfig
from pathlib import Path
from typing import Any

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
# What TensorFlow says of a line: of the trace, or of the operation that failed in a graph.
_FILE_AND_LINE = re.compile(r'File "([^"\n]+)", line (\d+)')
_LONGEST_LINE = 80  # characters of a line of code that are shown
_LIBRARIES = (
    f"{Path(__file__).resolve().parents[1]}{os.sep}",  # labkit
    f"{sysconfig.get_path('stdlib')}{os.sep}",
    f"{sysconfig.get_path('purelib')}{os.sep}",
    f"{sysconfig.get_path('platlib')}{os.sep}",
)


class OneLine:
    """Mix-in for an error whose message says it all: a notebook shows it without a traceback.

    It comes first among the base classes: ``class UnknownName(OneLine, KeyError)``.
    """

    symbol = "✗"

    def __str__(self) -> str:
        """Return the message as it is: a KeyError alone would put it in quotation marks."""
        return " ".join(str(part) for part in self.args)  # type: ignore[attr-defined]

    def _render_traceback_(self) -> list[str]:
        """Return what IPython shows in place of the traceback."""
        return [f"\x1b[1m{self.symbol}\x1b[0m {self}"]


class Stopped(OneLine, KeyboardInterrupt):
    """Raised when the learner stopped something before there was anything to return."""

    symbol = "■"


class UnknownName(OneLine, KeyError):
    """Raised for a name or number that does not exist."""


class WrongValue(OneLine, ValueError):
    """Raised for an argument with a value that is not possible."""


class WrongType(OneLine, TypeError):
    """Raised for an argument of a type that is not possible."""


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
        text = without_paths(text)
    if len(text) > most:
        whole_words = text[:most].rsplit(" ", 1)[0]
        text = f"{whole_words} …"
    if not text:
        return type(error).__name__
    return f"{type(error).__name__}: {text}"


def without_paths(text: str) -> str:
    """Return a text with files named without their folders, and without addresses of objects.

    >>> without_paths("no models/best/model.h5 in <object at 0x7f00>")
    'no model.h5 in <object>'
    """
    return _ADDRESS.sub("", _PATH.sub(r"\1", text))


def line_of_error(error: BaseException, file: str = "") -> str:
    """Return where own code raised an error, such as ``line 4: `total = rows.sum()```.

    Own code is that of a cell, or of a file that belongs to no library. Its innermost line counts,
    but one in `file`, if given, comes before one anywhere else. Empty if there is none.
    """
    places = [place for place in _places(error) if is_own_code(place[0])]
    in_file = [place for place in places if place[0] == file]
    if not places:
        return ""
    name, line = (in_file or places)[-1]
    text = linecache.getline(name, line).strip()
    if not text:
        return f"line {line}"
    if len(text) > _LONGEST_LINE:
        text = f"{text[:_LONGEST_LINE]} …"
    if "`" in text:
        return f"line {line}: {text}"
    return f"line {line}: `{text}`"


def is_own_code(file: str) -> bool:
    """Return whether a file of code belongs to no library: a cell of a notebook, for example."""
    if file.startswith("<"):
        return file.startswith("<ipython-input")
    if "__autograph_generated_file" in file:
        return False
    return not file.startswith(_LIBRARIES)


def _places(error: BaseException) -> list[tuple[str, int]]:
    """Return the file and line of each frame of an error, the innermost last."""
    metadata: Any = getattr(error, "ag_error_metadata", None)
    if metadata is not None:  # AutoGraph ran generated code, and knows from which line it comes
        frames = reversed(metadata.translated_stack)
        return [(frame.filename, frame.lineno) for frame in frames]
    places = []
    traceback = error.__traceback__
    while traceback is not None:
        places.append((traceback.tb_frame.f_code.co_filename, traceback.tb_lineno))
        traceback = traceback.tb_next
    for name, line in _FILE_AND_LINE.findall(str(error)):
        places.append((name, int(line)))
    return places


def kind_in_words(thing: object) -> str:
    """Return what something is, with its article.

    >>> kind_in_words(1), kind_in_words([])
    ('an int', 'a list')
    """
    name = type(thing).__name__
    article = "an" if name[:1] in "AEIOUaeio" else "a"  # a u is often that of a "unit"
    return f"{article} {name}"
