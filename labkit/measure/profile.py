"""Show where the time of one call goes: in whose code, Python or compiled."""

import cProfile
import pstats
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..show.format import measured
from ..show.table import Table
from .results import Result

# First match wins; the compiled operations are built-in functions, so they have no file.
_OWNERS = (
    ("keras", "Keras (Python)"),
    ("tensorflow", "TensorFlow (Python)"),
    ("numpy", "NumPy (Python)"),
)
_REST = ("Python, other", "compiled, other", "TensorFlow (compiled operations)")
_KERNELS = (
    "TFE_Py_FastPathExecute",
    "TFE_Py_Execute",
    "TFE_Execute",
    "TF_SessionRun",
    "call_function",
    "TFE_Py_",
)


@dataclass(repr=False)
class Profile(Result):
    """Whose code took the time.

    Attributes
    ----------
    shares : dict of str to float
        Share of the time by owner; they add up to 1.
    calls : int
        Function calls per call of the callable, compiled ones included.
    """

    shares: dict[str, float]
    calls: int

    @property
    def table(self) -> Table:
        """Share of the time by owner."""
        rows = [[owner, measured(100 * share, "%")] for owner, share in self.shares.items()]
        return Table(["whose code", "share of the time"], rows)


def profile(fn: Callable[[], Any], *, calls: int = 30) -> Profile:
    """Profile `calls` calls of `fn` with `cProfile` and add up the time by owner.

    Parameters
    ----------
    fn : callable
        Takes no argument. It is called three times before, so that no trace is profiled.
    calls : int
        More calls, steadier shares.

    Returns
    -------
    Profile
        Shares of the time. The profiler slows Python code more than compiled code, so that the true share of the
        compiled part is somewhat larger than shown.

    Examples
    --------
    >>> profile(lambda: sorted(range(1000)), calls=3).shares["compiled, other"] > 0
    True
    """
    for _ in range(3):
        fn()
    profiler = cProfile.Profile()
    profiler.enable()
    for _ in range(calls):
        fn()
    profiler.disable()
    stats = pstats.Stats(profiler)
    spent = dict.fromkeys(
        [*(label for _, label in _OWNERS), *_REST], 0.0
    )  # always the same rows, in the same order
    for (path, _, name), (_, _, own_time, _, _) in stats.stats.items():
        spent[_owner(path, name)] += own_time
    total = sum(spent.values()) or 1.0
    return Profile(
        {owner: seconds / total for owner, seconds in spent.items()},
        round(stats.total_calls / calls),
    )


def _owner(path: str, name: str) -> str:
    if path == "~":  # built-in: compiled code
        return (
            "TensorFlow (compiled operations)"
            if any(k in name for k in _KERNELS)
            else "compiled, other"
        )
    folders = path.replace("\\", "/").split("/")
    return next((label for package, label in _OWNERS if package in folders), "Python, other")
