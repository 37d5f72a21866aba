"""Where a model comes from and what it runs with: its file, the command, threads and devices."""

import hashlib
import math
import os
import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..measure.system import cores, silence_stderr
from ..show.format import duration, measured
from .candidates import Case
from .loaded_model import LoadedModel
from .paths import SAVED_MODEL, BadModel

_BLOCK = 2**20  # bytes that are read at once
_BYTES_PER_MIB = 2**20
_COMMAND = "python -m labkit own-model"


@dataclass
class Origin:
    """The file of a model, and what is needed to measure it again or to call it elsewhere.

    Attributes
    ----------
    path : str or None
        The file as a reader may see it: without the folders of an absolute path. None for a model
        in memory.
    signature : str or None
        Of a SavedModel, the one that is called.
    trust : bool
        Whether code that is stored in the file was run.
    command : str
        Repeats the measurement; empty for a model in memory.
    size : int or None
        Of the file or of all files in the folder, in bytes.
    sha256 : str
        Of the file, or of all files in the folder in the order of their names.
    load_seconds : float
        Seconds to load it, TensorFlow being imported already.
    load_memory : float
        Bytes by which the memory of the process grew at most while it was loaded.
    threads : int or None
        How many threads were asked for; None for the choice of each package.
    case : Case or None
        The model with its input, and what the converters made of it.
    reset : callable or None
        Puts back what calls of the model have changed in it.
    """

    path: str | None = None
    signature: str | None = None
    trust: bool = False
    command: str = ""
    size: int | None = None
    sha256: str = ""
    load_seconds: float = math.nan
    load_memory: float = math.nan
    threads: int | None = None
    case: Case | None = field(default=None, repr=False)
    reset: Callable[[], None] | None = field(default=None, repr=False)

    @property
    def facts(self) -> dict[str, str]:
        """What identifies the file and repeats the measurement, in words."""
        found = {}
        if self.command:
            found["command"] = self.command
        if self.size is not None:
            found["size of the file"] = f"{self.size:,} bytes"
            found["SHA-256"] = self.sha256
        if math.isfinite(self.load_seconds):
            found["loaded in"] = f"{duration(self.load_seconds)}, with TensorFlow imported before"
        if math.isfinite(self.load_memory):
            grown = measured(self.load_memory / _BYTES_PER_MIB, "MiB")
            found["memory to load it"] = f"the process grew by {grown} at most"
        found["threads"] = threads_in_words(self.threads)
        found["device"] = device_in_words()
        return found


def shown_path(source: Any) -> str | None:
    """Return a path without the folders that name a person or a computer.

    >>> shown_path("models/price.keras"), shown_path(Path("price.keras").resolve())
    ('models/price.keras', 'price.keras')
    """
    if not isinstance(source, (str, Path)):
        return None
    path = Path(str(source).strip())
    is_private = path.expanduser().is_absolute() or ".." in path.parts
    return path.name if is_private else path.as_posix()


def as_list(names: str | Iterable[str] | None) -> list[str]:
    """Return one or more names as a list."""
    if names is None:
        return []
    return [str(names)] if isinstance(names, (str, Path)) else list(names)


def command_for(paths: Iterable[str | None], options: Mapping[str, Any]) -> str:
    """Return the command that repeats a measurement; empty if a model is only in memory.

    >>> command_for(["my model.keras"], {"--batch": [1, 8], "--trust": True, "--shape": None})
    "python -m labkit own-model 'my model.keras' --batch 1 8 --trust"
    """
    words = []
    for path in paths:
        if path is None:
            return ""
        words.append(path if not path.startswith("-") else f"./{path}")
    for name, value in options.items():
        words += _option(name, value)
    return " ".join([_COMMAND, *(shlex.quote(word) for word in words)])


def _option(name: str, value: Any) -> list[str]:
    """Return the words of one option; none if it was not given."""
    if value is None or value is False or value == "" or value == []:
        return []
    if value is True:
        return [name]
    if isinstance(value, Mapping):
        parts = [f"{key}={_sizes(part)}" for key, part in value.items()]
        return [name, "; ".join(parts)]
    if isinstance(value, tuple):
        return [name, _sizes(value)]
    if isinstance(value, list):
        return [name, *(str(item) for item in value)]
    if isinstance(value, float):
        return [name, f"{value:g}"]
    return [name, str(value)]


def _sizes(value: Any) -> str:
    if isinstance(value, (tuple, list)):
        return ",".join(str(size) for size in value)
    return str(value)


def called_signature(loaded: LoadedModel, wanted: str | None) -> str | None:
    """Return the signature of a SavedModel that is called; None for other models."""
    if loaded.kind != SAVED_MODEL:
        return None
    names = list(loaded.model.signatures)
    if wanted:
        return wanted
    return "serving_default" if "serving_default" in names else names[0]


def size_and_hash(path: Path) -> tuple[int, str]:
    """Return the bytes of a file or of all files in a folder, and their SHA-256."""
    files = [path]
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file())
    total = 0
    digest = hashlib.sha256()
    for file in files:
        if path.is_dir():
            digest.update(file.relative_to(path).as_posix().encode())
        with file.open("rb") as stream:
            while block := stream.read(_BLOCK):
                total += len(block)
                digest.update(block)
    return total, digest.hexdigest()


# ---- threads and devices ----


def check_threads(threads: Any) -> None:
    """Raise BadModel if a number of threads is none."""
    if threads is None:
        return
    if isinstance(threads, bool) or not isinstance(threads, int) or not 1 <= threads <= 1024:
        raise BadModel(f"threads are a whole number from 1 to 1024, got {threads!r}")


def limit_threads(threads: int | None) -> None:
    """Let TensorFlow use this many threads; raise BadModel if it has started otherwise."""
    if threads is None:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with silence_stderr():
        import tensorflow as tf

    threading = tf.config.threading
    before = threading.get_intra_op_parallelism_threads()
    if before == threading.get_inter_op_parallelism_threads() == threads:
        return
    try:
        threading.set_intra_op_parallelism_threads(threads)
        threading.set_inter_op_parallelism_threads(threads)
    except RuntimeError:
        raise BadModel(
            "TensorFlow has started, and takes another number of threads only before that:"
            f" use the command, {_COMMAND} FILE --threads {threads}, or a new Python"
        ) from None


def threads_in_words(threads: int | None) -> str:
    """Return how many threads one call may use."""
    if threads is not None:
        word = "thread" if threads == 1 else "threads"
        return f"{threads} {word} for a call, in TensorFlow, LiteRT and ONNX Runtime"
    return f"the choice of each package, on {cores()} cores: give --threads to set them"


def device_in_words() -> str:
    """Return which device TensorFlow computes on."""
    import tensorflow as tf

    names = []
    for gpu in tf.config.list_physical_devices("GPU"):
        details = tf.config.experimental.get_device_details(gpu)
        names.append(details.get("device_name", "a GPU without a name"))
    if not names:
        return "CPU, as TensorFlow sees no GPU"
    return f"GPU: {', '.join(names)}; LiteRT and ONNX Runtime were run on the CPU"
