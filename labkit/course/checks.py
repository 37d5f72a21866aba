"""One finding of `doctor`."""

import contextlib
import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

State = Literal["ok", "note", "bad"]
SYMBOLS = {"ok": "✓", "note": "!", "bad": "✗"}
# The folders of a path in an error text, on Linux and macOS and on Windows; the file's name stays.
_FOLDERS = re.compile(r"(?<![\w:/])(?:~|[A-Za-z]:)?(?:[/\\][^/\\\s:;,'\"]+)*[/\\](?=[^/\\\s])")


@dataclass
class Check:
    """One thing that was checked: its state, what was found, and what to do about it.

    Attributes
    ----------
    what : str
        The thing, in a word or two.
    state : {'ok', 'note', 'bad'}
        With ``bad`` the course cannot run; with ``note`` it can.
    seen : str
        What was found. It names no person and no folder, so that it can be sent to a teacher.
    cure : str
        What to do. It may name a folder of this machine, with ``~`` for the home folder.
    is_setting : bool
        Whether it is about a setting of the shell or of the user, made for something else.
    """

    what: str
    state: State
    seen: str
    cure: str = ""
    is_setting: bool = False

    def __str__(self) -> str:
        line = f"{SYMBOLS[self.state]} {self.state:4}  {self.what:11} {self.seen}"
        if self.cure:
            line += f"\n        → {self.cure}"
        return line


def without_folders(text: str) -> str:
    """Return a text with the names of files, and without the folders that they are in.

    >>> without_folders("ImportError: /home/someone/lib/x.so: undefined symbol: a::b")
    'ImportError: x.so: undefined symbol: a::b'
    """
    for place in _places():  # first, as a space in a name ends what the pattern finds
        text = re.sub(rf"{re.escape(place)}(?:[/\\](?=\S))?", "", text, flags=re.IGNORECASE)
    return _FOLDERS.sub("", text)


def _places() -> list[str]:
    """Return the folders that a text may name, the longest first."""
    folders = [Path(__file__).resolve().parents[2], Path(sys.prefix), Path(tempfile.gettempdir())]
    with contextlib.suppress(RuntimeError):  # there is no home
        folders.append(Path.home())
    places = {str(folder) for folder in folders if len(folder.parts) > 1}
    return sorted(places, key=len, reverse=True)


def with_short_home(path: Path) -> str:
    """Return a path with ``~`` for the home folder."""
    try:
        return str(Path("~") / path.relative_to(Path.home()))
    except (ValueError, RuntimeError):  # it is elsewhere, or there is no home
        return str(path)
