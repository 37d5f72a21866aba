"""Import the code that defines the learner's own layers, where they name it."""

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

from ..show import stop
from .causes import last_cause
from .paths import BadModel

_HOW = "give a file such as my_layers.py, or module:Class"


def own_objects(named: str | Iterable[str] | None) -> dict[str, Any]:
    """Return the classes and functions of files and modules, by name.

    A name is a path that ends in .py, a module, or ``module:Class`` with more classes after
    commas. This runs the code, so only what the learner names is imported.
    """
    if named is None:
        return {}
    names = [named] if isinstance(named, str) else list(named)
    found: dict[str, Any] = {}
    for name in names:
        found |= _objects_of(str(name).strip())
    return found


def _objects_of(name: str) -> dict[str, Any]:
    """Return the classes and functions that one name means."""
    if not name:
        raise BadModel(f"there is nothing to import: {_HOW}")
    if name.endswith(".py"):
        return _defined_in(_module_of_file(Path(name).expanduser()))
    module_name, colon, classes = name.partition(":")
    module = _module(module_name)
    if not colon:
        return _defined_in(module)
    found = {}
    for wanted in classes.split(","):
        wanted = wanted.strip()
        if not hasattr(module, wanted):
            raise BadModel(f"{module_name} has no {wanted or 'class without a name'}: {_HOW}")
        found[wanted] = getattr(module, wanted)
    return found


def _module_of_file(path: Path) -> ModuleType:
    """Run a file as a module and return it."""
    if not path.is_file():
        raise BadModel(f"there is no file {path.name} to import: {_HOW}")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise BadModel(f"{path.name} cannot be imported: {_HOW}")
    module = importlib.util.module_from_spec(spec)
    # A file may import its neighbours, as it can when it is run as a program.
    folder = str(path.resolve().parent)
    sys.path.insert(0, folder)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        stop.raise_if_requested()
        raise BadModel(f"{path.name} cannot be imported: {last_cause(error)}") from None
    finally:
        if folder in sys.path:
            sys.path.remove(folder)
    return module


def _module(name: str) -> ModuleType:
    """Import a module by its name."""
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        stop.raise_if_requested()
        raise BadModel(f"{name} cannot be imported: {last_cause(error)}; {_HOW}") from None


def _defined_in(module: ModuleType) -> dict[str, Any]:
    """Return the classes and functions that a module defines itself."""
    found = {}
    for name, thing in vars(module).items():
        is_code = inspect.isclass(thing) or inspect.isfunction(thing)
        if is_code and thing.__module__ == module.__name__:
            found[name] = thing
    return found
