"""Time, count, plot and check: the helper package of the course.

Everything public stands here. Rooms are imported at first use, so that ``import labkit`` costs next to nothing and
brings neither TensorFlow nor NumPy nor matplotlib.
"""

import importlib
from typing import Any

__version__ = "0.1.0"

_ROOMS = {
    "timing": ("timeit", "compare", "first_call", "sweep"),
    "counting": ("count",),
    "growing": ("growth",),
    "profiling": ("profile",),
    "claims": ("claim", "verdicts", "expect", "guess"),
    "exercises.engine": ("check", "hint", "progress"),
    "explorer": ("explore",),
    "environment": ("setup", "doctor"),
}
_HOME = {name: room for room, names in _ROOMS.items() for name in names}

_OPEN_ROOMS = (
    "environment",
    "ladders",
    "models",
    "own_model",
    "picture",
    "plotting",
    "text",
)  # rooms that lessons use by name

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    elif name in _OPEN_ROOMS:
        value = importlib.import_module(f"{__name__}.{name}")
    else:
        raise AttributeError(f"labkit has no {name!r}; it has {', '.join(__all__)}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, *_OPEN_ROOMS, "__version__"]
