"""Diagnose what the learner brings: a model, or the loop around one.

`diagnose` measures all ways to call a model, recommends one and writes a report; `compare_models`
measures two models; `inspect` only looks at one, `form` asks for everything in a notebook.
`diagnose_loop` runs a loop a few times and says what to change in it.

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
from .loop import LoopDiagnosis, diagnose_loop
from .paths import BadModel
from .two_models import ModelComparison, compare_models

__all__ = [
    "CANDIDATES",
    "IN_TENSORFLOW",
    "BadModel",
    "Diagnosis",
    "LoopDiagnosis",
    "ModelComparison",
    "compare_candidates",
    "compare_models",
    "default_model",
    "diagnose",
    "diagnose_loop",
    "form",
    "inspect",
    "litert_interpreter",
]
