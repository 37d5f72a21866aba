"""Diagnose the learner's own model: inspect, measure the ladder, recommend, write a report.

``diagnose(path)`` does it all, ``inspect(path)`` only looks, ``form()`` asks for everything in a notebook.
"""

from .diagnosis import Diagnosis, diagnose
from .forms import form
from .inspect_model import default_model, inspect
from .paths import BadModel
from .rungs import IN_TENSORFLOW
from .rungs import LADDER as WAYS

__all__ = ["IN_TENSORFLOW", "WAYS", "BadModel", "Diagnosis", "default_model", "diagnose", "form", "inspect"]
