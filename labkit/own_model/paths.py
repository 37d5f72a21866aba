"""Check a path before TensorFlow reads it, and say in one sentence what is wrong with it."""

import zipfile
from difflib import get_close_matches
from pathlib import Path

KERAS_FILE = ".keras file"
H5_FILE = ".h5 file"
SAVED_MODEL = "SavedModel"

_WEIGHTS_ONLY = "weights without a model: build the model, load them, and save it as .keras"
_CHECKPOINT = f"is a checkpoint, {_WEIGHTS_ONLY}"
_ARCHIVE = "is packed: unpack it and give the .keras file, .h5 file or SavedModel folder in it"
_PYTORCH = "is a PyTorch file; only TensorFlow and Keras models can be measured"
# Other files that people pass, and what to do instead.
_OTHER_KINDS = {
    ".pb": "is one part of a SavedModel: give the folder that it is in",
    ".tflite": "is already converted for LiteRT: give the model it was made from",
    ".onnx": "is an ONNX file: give the Keras model or SavedModel it was made from",
    ".pt": _PYTORCH,
    ".pth": _PYTORCH,
    ".json": "holds an architecture without weights: build the model from it and save it as .keras",
    ".index": _CHECKPOINT,
    ".ckpt": _CHECKPOINT,
    ".zip": _ARCHIVE,
    ".gz": _ARCHIVE,
}


class BadModel(ValueError):
    """A model, a path or an input that cannot be used.

    The text is one sentence that says what is wrong and what to do.

    Examples
    --------
    >>> from labkit import own_model
    >>> try:
    ...     own_model.inspect("no_such_model.keras")
    ... except own_model.BadModel as error:
    ...     print(error)
    there is no file or folder no_such_model.keras; check the spelling and the folder
    """


def check_path(source: str | Path) -> tuple[Path, str]:
    """Return the path and the kind of the model there; raise BadModel if there is none.

    This needs no TensorFlow, and reads little of the model.
    """
    text = str(source).strip()
    if not text:
        raise BadModel("no path was given: name a .keras file, an .h5 file or a SavedModel folder")
    path = Path(text).expanduser()
    try:
        kind = _kind(path)
    except BadModel:
        raise
    except (OSError, ValueError) as error:
        # The name is too long or contains a null byte, or the folder must not be read.
        reason = getattr(error, "strerror", None) or error
        raise BadModel(f"{path.name[:80]!r} cannot be read: {reason}") from None
    return path, kind


def _kind(path: Path) -> str:
    """Return the kind of model at a path."""
    if not path.exists():
        raise BadModel(f"there is no file or folder {path.name}; {_spelling_hint(path)}")
    if path.is_dir():
        return _kind_of_folder(path)
    return _kind_of_file(path)


def _spelling_hint(path: Path) -> str:
    """Return what to do about a path that does not exist."""
    near: list[str] = []
    if path.parent.is_dir():
        names = [neighbour.name for neighbour in path.parent.iterdir()]
        near = get_close_matches(path.name, names, n=1, cutoff=0.75)
    if near:
        return f"did you mean {near[0]}?"
    return "check the spelling and the folder"


def _kind_of_folder(path: Path) -> str:
    """Return ``SavedModel``, or raise BadModel."""
    if _is_saved_model(path):
        return SAVED_MODEL
    inside = sorted(folder.name for folder in path.iterdir() if _is_saved_model(folder))
    if inside:
        raise BadModel(
            f"{path.name} is not a SavedModel, but {path.name}/{inside[-1]} is: give that folder"
        )
    raise BadModel(f"{path.name} is not a SavedModel: the folder has no saved_model.pb")


def _is_saved_model(folder: Path) -> bool:
    """Return whether a folder has the file that every SavedModel has."""
    return (folder / "saved_model.pb").exists() or (folder / "saved_model.pbtxt").exists()


def _kind_of_file(path: Path) -> str:
    """Return ``.keras file`` or ``.h5 file``, or raise BadModel."""
    if path.name.endswith(".weights.h5"):
        raise BadModel(f"{path.name} holds {_WEIGHTS_ONLY}")
    suffix = path.suffix.lower()
    if suffix in _OTHER_KINDS:
        raise BadModel(f"{path.name} {_OTHER_KINDS[suffix]}")
    if suffix not in (".keras", ".h5", ".hdf5"):
        raise BadModel(
            f"{path.name} is of an unknown kind:"
            " give a .keras file, an .h5 file or a SavedModel folder"
        )
    if path.stat().st_size == 0:
        raise BadModel(f"{path.name} is empty: saving it was cut off, so save the model again")
    if suffix != ".keras":
        return H5_FILE
    if not zipfile.is_zipfile(path):
        raise BadModel(
            f"{path.name} is damaged or not a .keras file: it is not a complete zip archive"
        )
    return KERAS_FILE
