"""Show where the time of one call goes: in whose code, Python or compiled."""

import cProfile
import functools
import importlib.util
import pstats
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any, ClassVar, Literal, overload

from ..show import plots, stop
from ..show.errors import WrongValue
from ..show.figure import Figure
from ..show.format import measured
from ..show.table import Table
from . import timeline as recording
from .notes import INTERRUPTED, Note
from .results import Result
from .timeline import Timeline

PACKAGES = {
    "keras": "Keras (Python)",
    "tensorflow": "TensorFlow (Python)",
    "numpy": "NumPy (Python)",
}
OTHER_PYTHON = "Python, other"
OTHER_COMPILED = "compiled, other"
OPERATIONS = "TensorFlow (compiled operations)"
# How cProfile names the built-in functions through which Python runs TensorFlow's operations.
_OPERATION_CALLS = ("TFE_Py_", "TFE_Execute", "TF_SessionRun", "call_function")
_ENDS_PROFILE = "'_lsprof.Profiler'"  # the call that switches the profiler off
CALLS = 30
WARM_UP_CALLS = 3  # so that no trace is profiled


@dataclass(repr=False)
class Profile(Result):
    """Whose code took the time.

    Attributes
    ----------
    shares : dict of str to float
        Share of the time by owner; they add up to 1.
    calls : int
        Function calls per call of the callable, compiled ones included.
    notes : list of Note
        What to know before believing it.
    """

    plots: ClassVar[Mapping[str, Callable[..., Figure]]] = {"shares": plots.shares}

    shares: dict[str, float]
    calls: int
    notes: list[Note] = field(default_factory=list)

    @property
    def table(self) -> Table:
        """Share of the time by owner."""
        rows = [[owner, measured(100 * share, "%")] for owner, share in self.shares.items()]
        return Table(["whose code", "share of the time"], rows, notes=self.notes)


@overload
def profile(
    fn: Callable[[], Any],
    *,
    calls: int | None = None,
    timeline: Literal[False] = False,
    keep: None = None,
) -> Profile: ...


@overload
def profile(
    fn: Callable[[], Any],
    *,
    calls: int | None = None,
    timeline: Literal[True],
    keep: str | PathLike[str] | None = None,
) -> Timeline: ...


@stop.stoppable("Stopped before one call was profiled.")
def profile(
    fn: Callable[[], Any],
    *,
    calls: int | None = None,
    timeline: bool = False,
    keep: str | PathLike[str] | None = None,
) -> Profile | Timeline:
    """Show where the time of a call goes: whose code takes it, or what was at work when.

    Parameters
    ----------
    fn : callable
        Takes no argument. It is called three times before, so that no trace is profiled.
    calls : int, optional
        More calls, steadier shares. By default 30, and 5 for a timeline.
    timeline : bool
        False: `cProfile` looks at all calls, and the time is added up by owner of the code. True:
        TensorFlow's own profiler records the calls, and the shortest of the first fifty is shown.
        Graphs are prepared anew for that: random operations in them that have a seed begin again.
    keep : str or path, optional
        A new folder in which to keep what was recorded for a timeline, for XProf's own page.

    Returns
    -------
    Profile or Timeline
        Shares of the time by owner; or when Python, TensorFlow's threads and each operation were at
        work in one call. Both profilers take time themselves: `cProfile` for each function of
        Python, TensorFlow's for each operation. The stop button and Ctrl-C end it with the calls
        that are done.

    Raises
    ------
    KeyboardInterrupt
        It was stopped before one call was done.
    ValueError
        `keep` is no new or empty folder, or is given without a timeline; or `calls` is below 1.
    TypeError
        `keep` is not the name of a folder.
    RuntimeError
        TensorFlow's profiler is recording already, or what it recorded cannot be written.

    Notes
    -----
    A single call of compiled code cannot be interrupted: the profile ends when it returns. What an
    operation does on a GPU is in what `keep` keeps, and not in the timeline.

    Examples
    --------
    >>> profile(lambda: sorted(range(1000)), calls=3).shares["compiled, other"] > 0
    True

    The operations of a sum in TensorFlow, and how often they ran in one call:

    >>> import tensorflow as tf
    >>> numbers = tf.range(10)
    >>> profile(lambda: tf.add(numbers, numbers), timeline=True).runs
    {'AddV2': 1}
    """
    if timeline:
        return recording.record(fn, recording.CALLS if calls is None else calls, keep)
    if keep is not None:
        raise WrongValue("keep= is the folder for a timeline: add timeline=True")
    return _profile(fn, CALLS if calls is None else calls)


def _profile(fn: Callable[[], Any], calls: int) -> Profile:
    """Profile calls with `cProfile` and add up the time by owner."""
    for _ in range(WARM_UP_CALLS):
        fn()
        stop.raise_if_requested()
    profiler = cProfile.Profile()
    done = 0
    try:
        with stop.translate_errors():
            while done < calls:
                _profile_one_call(profiler, fn)
                done += 1
        stop.finish()
    except KeyboardInterrupt:
        stop.finish()
        if stop.strict() or not done:
            raise
    stats = pstats.Stats(profiler)
    shares = shares_by_owner(stats)
    number = sum(entry[1] for key, entry in _entries(stats).items() if _ENDS_PROFILE not in key[2])
    notes = []
    if done < calls:
        notes.append(Note(f"interrupted: {done:,} of {calls:,} calls were profiled", INTERRUPTED))
    return Profile(shares, round(number / done), notes)


def shares_by_owner(stats: pstats.Stats) -> dict[str, float]:
    """Return the share of the time by owner: always the same owners, in the same order."""
    spent = dict.fromkeys([*PACKAGES.values(), OTHER_PYTHON, OTHER_COMPILED, OPERATIONS], 0.0)
    for (path, _, name), (_, _, own_time, _, _) in _entries(stats).items():
        if _ENDS_PROFILE not in name:
            spent[owner_of(path, name)] += own_time
    total = sum(spent.values()) or 1.0
    return {owner: seconds / total for owner, seconds in spent.items()}


def _entries(stats: pstats.Stats) -> Mapping[Any, Any]:
    entries: Mapping[Any, Any] = stats.stats  # type: ignore[attr-defined]
    return entries


def _profile_one_call(profiler: cProfile.Profile, fn: Callable[[], Any]) -> None:
    """Add one call to a profile; after it, however it ends, nothing is profiled."""
    try:
        profiler.enable()
        fn()
    finally:
        profiler.disable()
    stop.raise_if_requested()


def owner_of(path: str, name: str) -> str:
    """Return whose code a function is."""
    if path == "~":  # built-in: compiled code has no file
        if any(part in name for part in _OPERATION_CALLS):
            return OPERATIONS
        return OTHER_COMPILED
    for package, label in PACKAGES.items():
        folder = _folder_of(package)
        if folder is not None and folder in Path(path).parents:
            return label
    return OTHER_PYTHON


@functools.cache
def _folder_of(package: str) -> Path | None:
    """Return the folder in which a package is installed: its name may stand in other paths."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent
