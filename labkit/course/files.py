"""Write files so that a break leaves the old one or the new, never half of it."""

import os
from pathlib import Path


def write_atomically(path: Path, text: str) -> None:
    """Write a file beside its place and move it there: a break leaves the old one or the new, never half of it.

    Parameters
    ----------
    path : Path
        The file, in a folder that exists.
    text : str
        Its whole content: UTF-8, with the same line ends on every system.
    """
    beside = path.with_name(f".{path.name}.part")
    beside.write_text(text, encoding="utf-8", newline="\n")
    os.replace(beside, path)
