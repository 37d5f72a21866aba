"""How a lesson starts TensorFlow, and a try of that in a process of its own."""

import contextlib
import gc
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, MutableMapping

from .checks import Check, without_folders

# None: the variable is not set, whatever the shell says.
_VARIABLES: dict[str, str | None] = {
    # TensorFlow's messages from C++: only errors that end the process.
    "TF_CPP_MIN_LOG_LEVEL": "3",
    # Keras reads it once, when it is imported, and it wins over the file keras.json.
    "KERAS_BACKEND": "tensorflow",
    # It would lead `tf.keras` to Keras 2, which is a package of its own.
    "TF_USE_LEGACY_KERAS": None,
}
SECONDS_TO_IMPORT = 180
_IMPORT = "import tensorflow, keras; tensorflow.constant(0.0)"
# An error as Python writes it; TensorFlow adds several lines of advice below its own.
_ERROR = re.compile(r"^[\w.]*(?:Error|Exception|Interrupt|Exit)\b.*$", re.MULTILINE)
_MOST_CHARACTERS = 160
_IT_RUNS = "TensorFlow and Keras run"
_SLOW = (
    "close other programs and try again; if it stays so, look for a program that examines each "
    "file that is read"
)
_ILLEGAL_INSTRUCTION = {-4, 0xC000001D}  # as the exit status on Linux and macOS, and on Windows


def set_variables(environment: MutableMapping[str, str]) -> None:
    """Set the variables with which TensorFlow and Keras are imported in a lesson."""
    for name, value in _VARIABLES.items():
        if value is None:
            environment.pop(name, None)
        else:
            environment[name] = value


@contextlib.contextmanager
def set_aside() -> Iterator[None]:
    """Keep what the block imports from Python's garbage collector, which is off meanwhile.

    TensorFlow makes half a million objects that stay as long as the process lives. To look through
    them takes a third of a second, in each full collection: each count, each block of a growth.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        if was_on:
            gc.enable()


def begin_import() -> "subprocess.Popen[str] | None":
    """Begin to import TensorFlow and Keras in another process, as `setup` imports them.

    None is returned if this process uses both already: nothing needs to be tried.
    """
    tensorflow, keras = sys.modules.get("tensorflow"), sys.modules.get("keras")
    if hasattr(tensorflow, "constant") and hasattr(keras, "Model"):
        return None
    environment = dict(os.environ)
    set_variables(environment)
    return subprocess.Popen(
        [sys.executable, "-c", _IMPORT],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
    )


def check_import(
    process: "subprocess.Popen[str] | None", seconds: float = SECONDS_TO_IMPORT
) -> Check:
    """Check that TensorFlow and Keras can be imported: wait for what `begin_import` returned.

    A broken build may end its process, and one that waits for a file never returns.
    """
    if process is None:
        return Check("import", "ok", _IT_RUNS)
    try:
        errors = _errors_of(process, seconds)
    except subprocess.TimeoutExpired:
        seen = f"importing TensorFlow did not end within {seconds:g} s"
        return Check("import", "bad", seen, _SLOW)
    if process.returncode == 0:
        return Check("import", "ok", _IT_RUNS)
    seen = _what_happened(process.returncode, errors)
    return Check("import", "bad", seen, _cure(process.returncode, errors))


def _errors_of(process: "subprocess.Popen[str]", seconds: float) -> str:
    """Wait for a process, which does not outlive this function; return its error output."""
    with process:
        try:
            with _waiting():
                return process.communicate(timeout=seconds)[1]
        except BaseException:
            process.kill()
            raise


@contextlib.contextmanager
def _waiting() -> Iterator[None]:
    """Say in a terminal what takes these seconds, and remove that."""
    words = "Importing TensorFlow, which takes some seconds ..."
    is_terminal = sys.stderr is not None and sys.stderr.isatty()
    if is_terminal:
        print(words, end="\r", file=sys.stderr, flush=True)
    try:
        yield
    finally:
        if is_terminal:
            print(" " * len(words), end="\r", file=sys.stderr, flush=True)


def _what_happened(status: int, errors: str) -> str:
    """Return the error that ended the import, in one line without folders."""
    found = _ERROR.findall(errors)
    lines = found or errors.split("\n")
    text = next((line.strip() for line in reversed(lines) if line.strip()), "")
    if status < 0:
        text = f"ended by {_name_of_signal(-status)}"
    elif not text:
        text = f"ended with the status {status:#x}"
    text = without_folders(text)
    if len(text) > _MOST_CHARACTERS:
        text = text[: _MOST_CHARACTERS - 1] + "…"
    return f"TensorFlow cannot be imported: {text}"


def _name_of_signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _cure(status: int, errors: str) -> str:
    """Return what to do about an import that failed."""
    if status in _ILLEGAL_INSTRUCTION or "was compiled to use" in errors:
        return (
            "this processor lacks instructions (AVX) that TensorFlow's build needs: use another "
            "computer, or open the course on Binder"
        )
    if "DLL load failed" in errors:
        return (
            "often the Microsoft Visual C++ Redistributable for x64 is missing: install it, then "
            "restart the computer"
        )
    return (
        "run `make clean lab`, or install requirements.lock in a new environment; the whole error "
        'is shown by python -c "import tensorflow, keras" with the Python of the course'
    )
