"""Look at a path before TensorFlow does, and say in one sentence what is wrong with it."""

import re
import zipfile
from difflib import get_close_matches
from pathlib import Path

from ..show.errors import message

# What people pass by mistake, and what they meant.
_OTHER_KINDS = {
    ".pb": "is one part of a SavedModel: give the folder it lies in",
    ".tflite": "is converted for LiteRT already: give the model it was made from",
    ".onnx": "is an ONNX file: give the Keras model or SavedModel it was made from",
    ".pt": "is a PyTorch file; this measures TensorFlow and Keras models",
    ".pth": "is a PyTorch file; this measures TensorFlow and Keras models",
    ".json": "holds an architecture without weights: build the model from it and save it as .keras",
    ".index": "is a checkpoint, weights without a model: build the model, load them, and save it as .keras",
    ".ckpt": "is a checkpoint, weights without a model: build the model, load them, and save it as .keras",
    ".zip": "is packed: unpack it and give the .keras file, .h5 file or SavedModel folder in it",
    ".gz": "is packed: unpack it and give the .keras file, .h5 file or SavedModel folder in it",
}


class BadModel(ValueError):
    """A model, a path or an input that cannot be used; its text is one sentence that says what to do."""


def check_path(source: str | Path) -> tuple[Path, str]:
    """Return a path and the kind of model that lies there, without TensorFlow and without reading much of it.

    Parameters
    ----------
    source : path
        As in `load`.

    Returns
    -------
    (Path, str)
        The kind is ``.keras file``, ``.h5 file`` or ``SavedModel``.

    Raises
    ------
    BadModel
        Nothing there, or nothing of these kinds.
    """
    if not str(source).strip():
        raise BadModel("no path was given: name a .keras file, an .h5 file or a SavedModel folder")
    path = Path(str(source).strip()).expanduser()
    try:
        return path, _kind(path)
    except (
        OSError,
        ValueError,
    ) as error:  # a name too long or with a zero in it, a folder that may not be read
        if isinstance(error, BadModel):
            raise
        raise BadModel(
            f"{path.name[:80]!r} cannot be read: {getattr(error, 'strerror', None) or error}"
        ) from None


def _kind(path: Path) -> str:
    """Return the kind of model that lies at a path, from what is on disk, before TensorFlow reads any of it."""
    if not path.exists():
        folder = path.parent
        near = (
            get_close_matches(path.name, [p.name for p in folder.iterdir()], n=1, cutoff=0.75)
            if folder.is_dir()
            else []
        )
        hint = f"did you mean {near[0]}?" if near else "check the spelling and the folder"
        raise BadModel(f"there is no file or folder {path.name}; {hint}")
    if path.is_dir():
        if any((path / name).exists() for name in ("saved_model.pb", "saved_model.pbtxt")):
            return "SavedModel"
        inside = sorted(p.name for p in path.iterdir() if (p / "saved_model.pb").exists())
        if inside:
            raise BadModel(
                f"{path.name} holds folders with a SavedModel each, such as {path.name}/{inside[-1]}: give one of them"
            )
        raise BadModel(f"{path.name} is a folder without saved_model.pb, so no SavedModel")
    if path.name.endswith(".weights.h5"):
        raise BadModel(
            f"{path.name} holds weights without a model: build the model, load them, and save it as .keras"
        )
    suffix = path.suffix.lower()
    if suffix not in (".keras", ".h5", ".hdf5"):
        wanted = "wanted: a .keras file, an .h5 file or a SavedModel folder"
        raise BadModel(
            f"{path.name} {_OTHER_KINDS.get(suffix, f'is of no kind known here; {wanted}')}"
        )
    if path.stat().st_size == 0:
        raise BadModel(f"{path.name} is empty: saving it was cut off, so save the model again")
    if suffix == ".keras" and not zipfile.is_zipfile(path):
        raise BadModel(
            f"{path.name} is damaged, or no .keras file: it is not a complete zip archive, as those are"
        )
    return ".keras file" if suffix == ".keras" else ".h5 file"


def plain(error: BaseException, most: int = 160) -> str:
    r"""Return an error as one line without folders, addresses and colours.

    Parameters
    ----------
    error : BaseException
        What was raised.
    most : int
        Characters at most.

    Returns
    -------
    str
        Such as ``ValueError: not a file``.

    Examples
    --------
    >>> plain(ValueError("no /tmp/x/model.h5 here\nTraceback"))
    'ValueError: no model.h5 here Traceback'
    """
    text = re.sub(
        r"(?:[A-Za-z]:)?(?:[/\\][\w.+-]+)+[/\\]([\w.+-]+)", r"\1", message(error)
    )  # only the name of a file
    text = re.sub(r" at 0x[0-9a-f]+", "", text)
    text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return text if len(text) <= most else text[: most - 2].rsplit(" ", 1)[0] + " …"
