"""Time, count, plot and check: the helper package of the course.

Everything public is listed here and imported at first use, so that ``import labkit`` costs next to nothing and brings
neither TensorFlow nor NumPy nor matplotlib.
"""

import importlib
from typing import Any

__version__ = "0.2.0"

_FUNCTIONS = {
    "measure.compare": ("timeit", "compare", "first_call", "sweep"),
    "measure.count": ("count",),
    "measure.growth": ("growth",),
    "measure.profile": ("profile",),
    "course.claims": ("claim", "verdicts"),
    "course.expected_errors": ("expect",),
    "course.guesses": ("guess",),
    "course.exercises.engine": ("check", "hint", "progress"),
    "course.environment": ("setup", "doctor"),
    "show.explore": ("explore",),
    "show.table": ("Table",),
}
_MODULES = {
    "figure": "show.figure",
    "format": "show.format",
    "plots": "show.plots",
    "models": "course.models",
}
_MODULE_OF = {name: module for module, names in _FUNCTIONS.items() for name in names}

__all__ = sorted([*_MODULE_OF, *_MODULES])


def __getattr__(name: str) -> Any:
    if name in _MODULE_OF:
        module = importlib.import_module(f"{__name__}.{_MODULE_OF[name]}")
        value = getattr(module, name)
    elif name in _MODULES:
        value = importlib.import_module(f"{__name__}.{_MODULES[name]}")
    else:
        raise AttributeError(f"labkit has no {name!r}; it has {', '.join(__all__)}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
