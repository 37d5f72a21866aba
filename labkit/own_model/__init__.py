"""Diagnose the learner's own model: inspect, measure the ladder, recommend, write a report.

``diagnose(path)`` does it all, ``inspect(path)`` only looks, ``form()`` asks for everything in a notebook.
"""

from .candidates import IN_TENSORFLOW
from .candidates import LADDER as CANDIDATES
from .diagnosis import Diagnosis, diagnose
from .interactive import form
from .inspect_model import default_model, inspect
from .ladder import compare_candidates
from .litert import interpreter as litert_interpreter
from .paths import BadModel

__all__ = [
    "IN_TENSORFLOW",
    "CANDIDATES",
    "BadModel",
    "Diagnosis",
    "compare_candidates",
    "default_model",
    "diagnose",
    "form",
    "inspect",
    "litert_interpreter",
]
