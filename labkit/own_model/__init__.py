"""Diagnose the learner's own model: measure all candidates, recommend one, write a report.

`diagnose` does it all, `inspect` only looks at the model, `form` asks for everything in a notebook.

`CANDIDATES` are the names of all candidates, slowest first. `IN_TENSORFLOW` are those that need no
package besides TensorFlow.
"""

from .candidates import CANDIDATES, IN_TENSORFLOW
from .diagnosis import Diagnosis, diagnose
from .example_model import default_model
from .facts import inspect
from .interactive import form
from .ladder import compare_candidates
from .litert import litert_interpreter
from .paths import BadModel

__all__ = [
    "CANDIDATES",
    "IN_TENSORFLOW",
    "BadModel",
    "Diagnosis",
    "compare_candidates",
    "default_model",
    "diagnose",
    "form",
    "inspect",
    "litert_interpreter",
]
