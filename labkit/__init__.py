"""Time, count, plot and check: the helper package of the course 'TensorFlow in a loop'.

The public names are listed here and imported at first use, so that ``import labkit`` takes a few
milliseconds and imports neither TensorFlow nor NumPy nor matplotlib.
"""

import importlib
from typing import Any

__version__ = "0.2.0"

# Each public function or class, and the module that defines it.
_DEFINED_IN = {
    "check": "course.exercises.engine",
    "claim": "course.claims",
    "compare": "measure.compare",
    "count": "measure.count",
    "doctor": "course.environment",
    "expect": "course.expected_errors",
    "explore": "show.explore",
    "first_call": "measure.compare",
    "growth": "measure.growth",
    "guess": "course.guesses",
    "hint": "course.exercises.engine",
    "profile": "measure.profile",
    "progress": "course.exercises.engine",
    "setup": "course.environment",
    "sweep": "measure.compare",
    "Table": "show.table",
    "timeit": "measure.compare",
    "verdicts": "course.claims",
}
# Each public module.
_MODULES = {
    "figure": "show.figure",
    "format": "show.format",
    "models": "course.models",
    "plots": "show.plots",
}

__all__ = sorted([*_DEFINED_IN, *_MODULES])


def __getattr__(name: str) -> Any:
    """Import a public name at its first use."""
    if name in _DEFINED_IN:
        module = importlib.import_module(f"{__name__}.{_DEFINED_IN[name]}")
        value = getattr(module, name)
    elif name in _MODULES:
        value = importlib.import_module(f"{__name__}.{_MODULES[name]}")
    else:
        raise AttributeError(f"labkit has no {name!r}; it has {', '.join(__all__)}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
