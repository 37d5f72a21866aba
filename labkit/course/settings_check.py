"""Settings of the shell and of the user, made for something else, that a lesson would meet.

Nothing is changed here. `setup` and `python -m labkit lab` do not depend on most of them; each
finding says what does.
"""

import importlib.machinery
import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ..show.names import listed
from .checks import Check, with_short_home, without_folders

# What a lesson imports; a file of such a name beside a notebook would be imported in its place.
IMPORTED = ("tensorflow", "keras", "numpy", "scipy", "matplotlib", "ipywidgets", "psutil", "labkit")
# They change how fast TensorFlow is, what it counts, or how long labkit measures.
MEASURED_WITH = (
    "LABKIT_BUDGET",
    "LABKIT_ROUNDS",
    "OMP_NUM_THREADS",
    "TF_DETERMINISTIC_OPS",
    "TF_ENABLE_ONEDNN_OPTS",
    "TF_NUM_INTEROP_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_XLA_FLAGS",
    "XLA_FLAGS",
)
_HIDDEN = {*IMPORTED, *sys.stdlib_module_names}
_INLINE = "inline"  # of a backend of matplotlib that draws in the notebook
_LINES_WITHOUT_EFFECT = re.compile(r"\s*(?:#.*)?$|c\s*=\s*get_config\(\)\s*(?:#.*)?$")
_JUPYTER_FILES = ("jupyter_config", "jupyter_server_config", "jupyter_lab_config")
_PASSWORD = re.compile(r"password|token")
_BASE = re.compile(r"base_url")


def check_settings(workspace: Path) -> list[Check]:
    """Return a finding for each setting that a lesson would meet; none on most machines."""
    checks: tuple[Callable[[], Check | None], ...] = (
        _check_backend,
        _check_legacy_keras,
        _check_messages,
        _check_measuring,
        _check_python_path,
        lambda: _check_names_of_files(workspace),
        _check_kernel,
        _check_token,
        _check_jupyter,
        _check_ipython,
        _check_drawing,
    )
    found = []
    for check in checks:
        finding = check()
        if finding is not None:
            found.append(finding)
    return found


def _note(what: str, seen: str, cure: str) -> Check:
    return Check(what, "note", seen, cure, is_setting=True)


def _unset(*names: str) -> str:
    """Return how variables are unset, in the usual shells and in PowerShell."""
    if os.name == "nt":
        return "; ".join(f"Remove-Item Env:{name}" for name in names)
    return f"unset {' '.join(names)}"


# ---- TensorFlow and Keras ----


def _check_backend() -> Check | None:
    """Check which backend Keras would have without `setup`, or has."""
    keras: Any = sys.modules.get("keras")
    if hasattr(keras, "backend") and keras.backend.backend() != "tensorflow":
        seen = f"Keras runs on {keras.backend.backend()} in this kernel"
        cure = "restart the kernel, and call lab.setup() before you import keras"
        return Check("backend", "bad", seen, cure, is_setting=True)
    value = os.environ.get("KERAS_BACKEND")
    if value == "tensorflow":  # it wins over the file
        return None
    ours = "lab.setup() chooses TensorFlow all the same; for programs of your own"
    if value:
        cure = f"{ours}: {_unset('KERAS_BACKEND')}"
        return _note(
            "backend", f"the variable KERAS_BACKEND asks for {without_folders(value)}", cure
        )
    file = Path(os.environ.get("KERAS_HOME") or _home() / ".keras") / "keras.json"
    try:
        value = json.loads(file.read_text(encoding="utf-8")).get("backend", "tensorflow")
    except (OSError, ValueError, AttributeError):
        return None
    if value == "tensorflow":
        return None
    cure = f'{ours}, write "backend": "tensorflow" in {with_short_home(file)}'
    return _note("backend", f"the file keras.json asks for {without_folders(value)}", cure)


def _check_legacy_keras() -> Check | None:
    if os.environ.get("TF_USE_LEGACY_KERAS") not in ("1", "true", "True"):  # as TensorFlow reads it
        return None
    return _note(
        "old Keras",
        "the variable TF_USE_LEGACY_KERAS asks for Keras 2",
        "the course is about Keras 3: lab.setup() unsets it for a lesson; elsewhere: "
        + _unset("TF_USE_LEGACY_KERAS"),
    )


def _check_messages() -> Check | None:
    level = os.environ.get("TF_CPP_MIN_LOG_LEVEL")
    if level not in ("0", "1"):
        return None
    return _note(
        "messages",
        f"the variable TF_CPP_MIN_LOG_LEVEL is {level}: TensorFlow writes messages",
        f"lab.setup() turns them off in a lesson; elsewhere: {_unset('TF_CPP_MIN_LOG_LEVEL')}",
    )


def _check_measuring() -> Check | None:
    names = [name for name in MEASURED_WITH if name in os.environ]
    if not names:
        return None
    verb = "changes" if len(names) == 1 else "change"
    cure = f"if you did not set this for the course: {_unset(*names)}"
    return _note("measuring", f"{listed(names)} {verb} what is measured", cure)


# ---- what is imported ----


def _check_python_path() -> Check | None:
    """Check that packages come from the environment of the course, and not from PYTHONPATH."""
    folders = [Path(entry).resolve() for entry in _entries("PYTHONPATH")]
    names = [name for name in IMPORTED if name != "labkit" and _is_in(_place(name), folders)]
    if not names:
        return None
    verb = "comes" if len(names) == 1 else "come"
    return _note(
        "PYTHONPATH",
        f"{listed(names)} {verb} from a folder in PYTHONPATH, not from the course's packages",
        f"{_unset('PYTHONPATH')}, and start again (make lab and make test do not read it)",
    )


def _place(name: str) -> Path | None:
    """Return the file from which a package is imported in a new process like this one."""
    # Not importlib.util.find_spec: of a package that is imported here it returns that one.
    spec = importlib.machinery.PathFinder.find_spec(name)
    if spec is None:
        return None
    if spec.origin is not None:
        return Path(spec.origin).resolve()
    return next((Path(place).resolve() for place in spec.submodule_search_locations or ()), None)


def _is_in(file: Path | None, folders: list[Path]) -> bool:
    """Return whether a file is in one of the folders, which are not of this environment."""
    own = Path(sys.prefix).resolve()
    return file is not None and any(
        file.is_relative_to(folder) and not folder.is_relative_to(own) for folder in folders
    )


def _check_names_of_files(workspace: Path) -> Check | None:
    """Check that no file beside the notebooks hides a package: it would be imported instead."""
    names = sorted(name for name in _files_of(workspace) if _stem(name) in _HIDDEN)
    if not names:
        return None
    verb = "hides" if len(names) == 1 else "hide"
    return Check(
        "files",
        "bad" if any(_stem(name) in IMPORTED for name in names) else "note",
        f"{listed(names)} in your folder of the lessons {verb} what Python has under that name",
        f"give it another name; the folder is {with_short_home(workspace)}",
        is_setting=True,
    )


def _files_of(folder: Path) -> list[str]:
    """Return the names of what Python could import from a folder."""
    try:
        entries = list(folder.iterdir())
    except OSError:
        return []
    return [
        entry.name
        for entry in entries
        if entry.suffix == ".py" or (entry / "__init__.py").is_file()
    ]


def _stem(name: str) -> str:
    return name.removesuffix(".py")


# ---- Jupyter and IPython ----


def _check_kernel() -> Check | None:
    """Check that the kernel named python3, which the lessons ask for, is this Python's."""
    try:
        from jupyter_client.kernelspec import KernelSpecManager
    except ImportError:  # it is missing, which is a finding of its own
        return None
    try:
        words = KernelSpecManager().get_kernel_spec("python3").argv
    except Exception:  # a damaged file of a kernel; JupyterLab passes it over as well
        words = []
    if words and _is_this_python(words[0]):
        return None
    seen = "another Python has a kernel of the name python3, which the lessons ask for"
    cure = "python -m labkit lab takes the course's own; elsewhere, choose the kernel by hand"
    if os.environ.get("JUPYTER_PATH"):
        cure += f", or: {_unset('JUPYTER_PATH')}"
    return _note("kernel", seen, cure)


def _is_this_python(word: str) -> bool:
    """Return whether the first word of a kernel's command starts this interpreter."""
    # Jupyter itself replaces these names by the interpreter that it runs on.
    replaced = {"python", f"python{sys.version_info[0]}", "python{}.{}".format(*sys.version_info)}
    own = Path(sys.executable)
    named = Path(word)
    return word in replaced or (
        named.parent.resolve() == own.parent.resolve() and named.name.startswith("python")
    )


def _check_token() -> Check | None:
    names = [name for name in ("JUPYTER_TOKEN", "JUPYTER_TOKEN_FILE") if os.environ.get(name)]
    if not names:
        return None
    return _note(
        "token",
        f"{listed(names)} sets the token of JupyterLab, and the address is printed without it",
        f"give that token when JupyterLab asks, or have one made: {_unset(*names)}",
    )


def _check_jupyter() -> Check | None:
    """Check the user's files of settings for JupyterLab's server."""
    files = [file for file in _jupyter_files() if _effective_lines(file)]
    if not files:
        return None
    text = "\n".join(line for file in files for line in _effective_lines(file))
    consequences = []
    if _PASSWORD.search(text):
        consequences.append("it asks for your password or token")
    if _BASE.search(text):
        consequences.append("its address has another form")
    seen = "your own settings of Jupyter apply to the course's JupyterLab"
    if consequences:
        seen += f": {listed(consequences)}"
    cure = f"if that is in the way, move {listed([with_short_home(file) for file in files])}"
    return _note("Jupyter", seen, cure)


def _jupyter_files() -> Iterator[Path]:
    """Yield the files of settings in the user's folders, and those that variables name."""
    try:
        from jupyter_core.paths import jupyter_config_path
    except ImportError:
        return
    environment = Path(sys.prefix).resolve()
    for folder in dict.fromkeys(jupyter_config_path()):
        if Path(folder).resolve().is_relative_to(environment):
            continue  # the packages of the course have theirs there
        for name in _JUPYTER_FILES:
            for ending in (".py", ".json"):
                yield Path(folder) / f"{name}{ending}"


def _check_ipython() -> Check | None:
    """Check the user's profile of IPython, which a kernel reads as well."""
    profile = Path(os.environ.get("IPYTHONDIR") or _home() / ".ipython") / "profile_default"
    files = [profile / "ipython_config.py", profile / "ipython_kernel_config.py"]
    if (profile / "startup").is_dir():
        files += sorted((profile / "startup").glob("*.py"))
        files += sorted((profile / "startup").glob("*.ipy"))
    files = [file for file in files if _effective_lines(file)]
    own = os.environ.get("LABKIT_PYTHONSTARTUP") or os.environ.get("PYTHONSTARTUP")
    if own and Path(own) != Path(__file__).with_name("startup.py") and Path(own).is_file():
        files.append(Path(own))
    if not files:
        return None
    return _note(
        "IPython",
        "your own settings of IPython and files for its start apply to the lessons, too",
        "if your outputs do not look like those in notebooks/, move "
        + listed([with_short_home(file) for file in files]),
    )


# ---- matplotlib ----


def _check_drawing() -> Check | None:
    """Check how pictures are drawn that are not labkit's: those have settings of their own."""
    backend = os.environ.get("MPLBACKEND", "")
    if backend and _INLINE not in backend:
        return _note(
            "drawing",
            f"the variable MPLBACKEND asks matplotlib for {without_folders(backend)}",
            f"lab.setup() chooses the notebook in a lesson; elsewhere: {_unset('MPLBACKEND')}",
        )
    file = _matplotlib_file()
    lines = [] if file is None else _effective_lines(file)
    names = [
        name
        for name, text in (("text.usetex", "true"), ("backend", ""))
        if any(re.match(rf"{re.escape(name)}\s*:\s*{text}", line, re.IGNORECASE) for line in lines)
    ]
    if file is None or not names:
        return None
    return _note(
        "drawing",
        f"your file matplotlibrc sets {listed(names)}",
        "the pictures of labkit do not read it; for pictures of your own, remove the line from "
        + with_short_home(file),
    )


def _matplotlib_file() -> Path | None:
    """Return the file of settings that the user or the shell gives matplotlib, if there is one."""
    places = []
    if os.environ.get("MATPLOTLIBRC"):
        places += [
            Path(os.environ["MATPLOTLIBRC"]),
            Path(os.environ["MATPLOTLIBRC"], "matplotlibrc"),
        ]
    if os.environ.get("MPLCONFIGDIR"):
        places.append(Path(os.environ["MPLCONFIGDIR"], "matplotlibrc"))
    else:
        settings = os.environ.get("XDG_CONFIG_HOME") or _home() / ".config"
        places.append(Path(settings, "matplotlib", "matplotlibrc"))
        places.append(_home() / ".matplotlib" / "matplotlibrc")
    return next((place for place in places if place.is_file()), None)


# ---- files and variables ----


def _home() -> Path:
    """Return the home folder; a folder that does not exist if there is none."""
    try:
        return Path.home()
    except RuntimeError:
        return Path("no home")


def _entries(variable: str) -> list[str]:
    """Return the folders that a variable names."""
    return [entry for entry in os.environ.get(variable, "").split(os.pathsep) if entry]


def _effective_lines(file: Path) -> list[str]:
    """Return the lines of a file of settings that do something; none if it cannot be read."""
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    kept = [line.strip() for line in lines if not _LINES_WITHOUT_EFFECT.match(line)]
    return [] if kept in (["{}"], ["{", "}"]) else kept
