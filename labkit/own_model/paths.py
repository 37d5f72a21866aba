"""Check a path before TensorFlow reads it, and say in one sentence what is wrong with it."""

import re
import zipfile
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

KERAS_FILE = ".keras file"
H5_FILE = ".h5 file"
SAVED_MODEL = "SavedModel"
FROZEN_GRAPH = "frozen graph"
LITERT_FILE = ".tflite file"
ONNX_FILE = ".onnx file"

_KINDS = (
    "a .keras file, an .h5 file, a SavedModel folder, a frozen graph (.pb), a .tflite file"
    " or an .onnx file"
)
_WEIGHTS_ONLY = "weights without a model: build the model, load them, and save it as .keras"
_CHECKPOINT = f"is a checkpoint, {_WEIGHTS_ONLY}"
_ARCHIVE = "is packed: unpack it and give the model in it"
_PYTORCH = "is a PyTorch file; only TensorFlow and Keras models can be measured"
# Other files that people pass, and what to do instead.
_OTHER_KINDS = {
    ".pt": _PYTORCH,
    ".pth": _PYTORCH,
    ".json": "holds an architecture without weights: build the model from it and save it as .keras",
    ".meta": _CHECKPOINT,
    ".index": _CHECKPOINT,
    ".ckpt": _CHECKPOINT,
    ".zip": _ARCHIVE,
    ".gz": _ARCHIVE,
}
_KIND_BY_SUFFIX = {
    ".keras": KERAS_FILE,
    ".h5": H5_FILE,
    ".hdf5": H5_FILE,
    ".pb": FROZEN_GRAPH,
    ".tflite": LITERT_FILE,
    ".onnx": ONNX_FILE,
}
_ADDRESS = re.compile(r"[a-z][a-z0-9+]+://")
_H5 = b"\x89HDF\r\n\x1a\n"  # the first bytes of such a file
_HEAD = 16  # bytes that tell the kind of a file


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
        raise BadModel(f"no path was given: name {_KINDS}")
    if _ADDRESS.match(text):
        raise BadModel(f"{text[:80]} is an address: download the file, and give its path")
    path = Path(text).expanduser()
    try:
        kind = _kind(path)
    except BadModel:
        raise
    except PermissionError as error:
        raise BadModel(no_permission(error.filename or path)) from None
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
        _open_all([*path.glob("saved_model.*"), *path.glob("variables/*")])
        return SAVED_MODEL
    inside = sorted(folder.name for folder in path.iterdir() if _is_saved_model(folder))
    name = path.name or str(path)  # the name of "." is empty
    if inside:
        raise BadModel(f"{name} is not a SavedModel, but {name}/{inside[-1]} is: give that folder")
    raise BadModel(f"{name} is not a SavedModel: the folder has no saved_model.pb")


def _open_all(files: Iterable[Path]) -> None:
    """Raise PermissionError if one of the files must not be read: TensorFlow would say less."""
    for file in files:
        if file.is_file():
            file.open("rb").close()


def _is_saved_model(folder: Path) -> bool:
    """Return whether a folder has the file that every SavedModel has."""
    return (folder / "saved_model.pb").exists() or (folder / "saved_model.pbtxt").exists()


def no_permission(path: str | Path) -> str:
    """Return the sentence about a file that must not be read."""
    return f"{Path(path).name} cannot be read: you have no permission to read it"


def _kind_of_file(path: Path) -> str:
    """Return the kind of model in a file, or raise BadModel."""
    if path.name.endswith(".weights.h5"):
        raise BadModel(f"{path.name} holds {_WEIGHTS_ONLY}")
    suffix = path.suffix.lower()
    if suffix in _OTHER_KINDS:
        raise BadModel(f"{path.name} {_OTHER_KINDS[suffix]}")
    if suffix not in _KIND_BY_SUFFIX:
        raise BadModel(f"{path.name} is of an unknown kind: give {_KINDS}")
    if not path.is_file():  # a pipe or a device may have no end
        raise BadModel(f"{path.name} is no ordinary file: give {_KINDS}")
    with path.open("rb") as file:  # an error here is one of permission
        head = file.read(_HEAD)
    if not head:
        raise BadModel(f"{path.name} is empty: saving it was cut off, so save the model again")
    kind = _KIND_BY_SUFFIX[suffix]
    if kind == KERAS_FILE and head.startswith(_H5):
        raise BadModel(f"{path.name} is an .h5 file by its content: give it a name that ends so")
    if kind == H5_FILE and zipfile.is_zipfile(path):
        raise BadModel(f"{path.name} is a .keras file by its content: give it a name that ends so")
    if kind == KERAS_FILE and not zipfile.is_zipfile(path):
        raise BadModel(
            f"{path.name} is damaged or not a .keras file: it is not a complete zip archive"
        )
    if kind == LITERT_FILE and head[4:8] != b"TFL3":
        raise BadModel(f"{path.name} is damaged or not a .tflite file: it has not its first bytes")
    if kind == FROZEN_GRAPH:
        _refuse_other_pb(path, head)
    return kind


def refuse_target(target: Path, sources: Iterable[object] = ()) -> None:
    """Raise BadModel if a result must not have this name, or would lie within one of the models.

    A name that ends as a model does is that of a converted model, or of one that is made later.
    """
    if target.suffix.lower() in _KIND_BY_SUFFIX:
        raise BadModel(
            f"{target.name} has the ending of a model: give another name, such as report.html"
        )
    refuse_inside(target, sources)


def refuse_inside(target: Path, sources: Iterable[object]) -> None:
    """Raise BadModel if a path is within one of the models, or is one of them."""
    resolved = target.resolve()
    for source in sources:
        model = _place_of_model(source)
        if model is not None and (model == resolved or model in resolved.parents):
            raise BadModel(
                f"{target.name or target} is the model {model.name} or lies within it, which would"
                " be changed: give another place"
            )


def _place_of_model(source: object) -> Path | None:
    """Return where a model is; None if the source is no path of a model."""
    if not isinstance(source, (str, Path)) or not str(source).strip():
        return None
    path = Path(str(source).strip()).expanduser()
    try:
        return path.resolve() if path.is_file() or _is_saved_model(path) else None
    except (OSError, ValueError):  # the name is too long, or contains a null byte
        return None


def _refuse_other_pb(path: Path, head: bytes) -> None:
    """Raise BadModel for a .pb file that is no graph.

    Its first byte tells: a SavedModel begins with its version, a graph with its first node.
    """
    if head.startswith(b"\x08"):
        raise BadModel(f"{path.name} is one part of a SavedModel: give the folder that it is in")
    if not head.startswith(b"\n"):
        raise BadModel(
            f"{path.name} is damaged, or neither a frozen graph nor a part of a SavedModel"
        )
