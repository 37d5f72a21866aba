"""Diagnose a loop that the learner brings: run it a few times, count, and say what to change."""

import contextlib
import cProfile
import gc
import html
import pstats
import runpy
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..measure.growth import live_graphs
from ..measure.processor import ProcessorMeter
from ..measure.profile import OPERATIONS, OTHER_PYTHON, PACKAGES, shares_by_owner
from ..show import stop
from ..show.errors import WrongValue
from ..show.format import duration, measured
from ..show.message import BAD, GOOD, NOTE, box_html, message_html
from .loop_findings import (
    WAITS_FOR_DATA,
    Evidence,
    Finding,
    cheaper_products,
    constant_inputs,
    find,
    find_in_operations,
    notes_of,
    uses_models,
    whole_sorts,
)
from .loop_operations import operations_of
from .loop_waits import OUTSIDE_TENSORFLOW, Busiest, Wait, busiest_function, longest_wait
from .loop_watch import Watch

MOST_PASSES = 5
_LOOP = "loop"
_STOPPED = "Stopped before the loop had done anything."
_ONE_PASS = (
    "One pass only: what is done once, such as a first trace, cannot be told apart from what is "
    "done each time. A shorter pass tells more."
)
_NO_PROFILE = (
    "There was no time to profile one more pass, which tells eager calls from arithmetic: give a "
    "larger budget."
)
_RECORDED = 2  # times as long as a pass takes one that TensorFlow's profiler records, or longer
_NOT_RECORDED = (
    "There was no time to record one more pass, which tells TensorFlow's operations apart: give a "
    "larger budget."
)
# Seconds: a million operations, which some pipelines run in two, take TensorFlow ten to write down.
_LONGEST_RECORDED = 4
_TOO_LONG_TO_RECORD = (
    "A pass is too long to record TensorFlow's operations one by one: with a shorter one, such as "
    "a few steps in place of an epoch, you see which of them take the time."
)
_VISIBLE = 0.15  # share of the time
_LARGE = 0.3  # share of the time
_MOSTLY = 0.6  # share of the time: of a smaller part one cannot say that it is the cost
_WHOLE_PROGRAM = (
    "The whole program was watched, with what it prepares. With --function NAME a function of it "
    "is run a few times, which tells what is done once from what is done each time."
)


@dataclass(repr=False)
class LoopDiagnosis:
    """What was found in a loop; it shows itself at the end of a cell.

    Attributes
    ----------
    findings : list of Finding
        The causes, what costs most first; each has `cause`, `evidence`, `place`, `lesson` and
        `change`; empty if nothing is wrong.
    passes : int
        How often the loop was run under the watch.
    seconds : list of float
        How long each of these passes took, the first one with all that is done once.
    shares : dict of str to float
        Whose code the time of one more pass went to, as `labkit.profile` has it; empty where there
        was no time for one.
    notes : list of str
        What to know before believing it.
    wait : Wait or None
        Where the loop waits, if that is what it does for most of its time.
    busiest : Busiest or None
        Which function of the program computes for longest outside TensorFlow.
    """

    findings: list[Finding]
    passes: int
    seconds: list[float]
    shares: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    wait: Wait | None = None
    busiest: Busiest | None = None

    @property
    def cause(self) -> str:
        """The first cause; empty where nothing is wrong."""
        return self.findings[0].cause if self.findings else ""

    def __repr__(self) -> str:
        lines = [self._headline()]
        for number, finding in enumerate(self.findings, 1):
            lines += ["", f"{number}. {finding.cause}. {finding.evidence}"]
            lines += [f"   Where: {finding.place}"] if finding.place else []
            lines.append("   Change:")
            lines += [f"       {line}" for line in finding.change.splitlines()]
            lines.append(f"   Why: {finding.lesson}")
        if self.shares:
            lines += ["", f"Where the time goes: {self._shares_in_words()}."]
        lines += self.notes
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        boxes = [message_html(BAD if self.findings else GOOD, self._headline())]
        for number, finding in enumerate(self.findings, 1):
            boxes.append(
                message_html(
                    BAD,
                    f"{number}. {finding.cause}.",
                    finding.evidence,
                    code=finding.change,
                    more=[
                        *([f"Where: {finding.place}"] if finding.place else []),
                        f"Why: {finding.lesson}",
                    ],
                )
            )
        lines = list(self.notes)
        if self.shares:
            lines.insert(0, f"Where the time goes: {self._shares_in_words()}.")
        if lines:
            text = "".join(f"<div>{html.escape(line)}</div>" for line in lines)
            boxes.append(box_html(NOTE, text))
        return "".join(boxes)

    def _headline(self) -> str:
        ran = f"Watched {_passes(self.passes)}, the last of {duration(self.seconds[-1])}."
        if self.findings:
            count = len(self.findings)
            return f"{ran} {count} {'cause' if count == 1 else 'causes'} found."
        if not self.shares:
            return f"{ran} Nothing found without a profile of a further pass."
        return f"{ran} Nothing found that this course could change. {self._what_costs()}"

    def _what_costs(self) -> str:
        if self.wait is not None:
            return self.wait.in_words()
        owner = max(self.shares, key=lambda name: self.shares[name])
        part = measured(100 * self.shares[owner], "%")
        if self.shares[owner] < _MOSTLY:
            words = f"No part of the time stands out: the largest, {part}, is in {owner}."
            return f"{words} {self.own_part}".strip()
        if owner == OPERATIONS:
            return f"The arithmetic is the cost: {part} of the time is in TensorFlow's operations."
        if owner == OTHER_PYTHON:
            return f"{part} of the time is in Python code outside TensorFlow{self._place()}."
        if owner in OUTSIDE_TENSORFLOW:
            return f"Most of the time, {part}, is in {owner}{self._place()}."
        return f"Most of the time, {part}, is in {owner}."

    @property
    def own_part(self) -> str:
        """Which function of the program takes a visible part of the time outside TensorFlow."""
        if self.busiest is None or self.busiest.share < _VISIBLE:
            return ""
        share = measured(100 * self.busiest.share, "%")
        return f"Outside TensorFlow, {self.busiest.place} takes the largest part: {share}."

    def _place(self) -> str:
        """Return where in the program to look."""
        if self.busiest is None:
            return ": look there"
        share = measured(100 * self.busiest.share, "%")
        return f": look at {self.busiest.place}, with what it calls {share}"

    def _shares_in_words(self) -> str:
        largest = sorted(self.shares.items(), key=lambda item: -item[1])
        parts = [f"{name} {measured(100 * share, '%')}" for name, share in largest if share > 0.01]
        return ", ".join(parts)


def _passes(number: int) -> str:
    return "one pass" if number == 1 else f"{number} passes"


@stop.stoppable(_STOPPED)
def diagnose_loop(loop: Callable[[], Any], *, budget: float = 30.0) -> LoopDiagnosis:
    """Run a loop a few times, count what it asks of TensorFlow, and say what to change.

    Parameters
    ----------
    loop : callable
        Takes no argument; one call is one pass, such as a hundred requests or one epoch. It is run
        up to five times, and once more under a profiler; once more under TensorFlow's own where no
        cause was found and its operations take a large part of the time. Do not pass a loop that
        must not run more than once.
    budget : float, default 30
        Seconds after which no other pass is begun. A first pass that takes longer is watched to its
        end, and then counts alone.

    Returns
    -------
    LoopDiagnosis
        The causes, each with what was counted, the lines to change and the lesson that explains it;
        where there are none, what the time goes into. The stop button and Ctrl-C end it with what
        was seen until then.

    Raises
    ------
    TypeError
        `loop` is not callable.
    Exception
        Whatever the loop raises, unchanged.

    Notes
    -----
    Functions of TensorFlow and Keras are wrapped while the loop runs, in all threads, and put back.
    The loop itself, its output and its errors stay as they are; it does what it does, such as
    training a model further, as often as it is run.

    Examples
    --------
    >>> def loop():
    ...     for number in range(1, 5):
    ...         sum(range(number))
    >>> diagnose_loop(loop).cause
    ''
    """
    return _diagnosed(loop, budget, MOST_PASSES)


@stop.stoppable(_STOPPED)
def diagnose_program(path: Path, budget: float, arguments: Sequence[str] = ()) -> LoopDiagnosis:
    """Run a whole program once under the watch, and once more under a profiler if there is time.

    In a program that runs more than once, everything that it prepares would count as repeated.
    """
    ended: list[str] = []

    def program() -> None:
        if status := _run_program(path, arguments):
            ended.append(f"The program ended itself with {status}: was it run as it should be?")

    found = _diagnosed(program, budget, most_passes=1, is_program=True)
    found.notes = [note for note in found.notes if note != _ONE_PASS]
    found.notes += [*ended[:1], _WHOLE_PROGRAM]
    return found


def _diagnosed(
    loop: Callable[[], Any], budget: float, most_passes: int, is_program: bool = False
) -> LoopDiagnosis:
    if not callable(loop):
        raise TypeError(
            f"diagnose_loop needs a function that runs the loop once, got {type(loop).__name__}: "
            "write def loop(): ..., and pass loop, without brackets"
        )
    if not budget > 0:
        raise WrongValue(f"budget is a number of seconds above 0, got {budget!r}")
    import tensorflow as tf

    begin = time.perf_counter()
    seconds: list[float] = []
    graphs: list[float] = []
    notes: list[str] = []
    watch = Watch()
    meter = ProcessorMeter([_LOOP])
    meter.start()
    watch.begin()
    # `setup` sets objects of TensorFlow aside, and what collects garbage looked cheap here. To set
    # them aside again would keep what the loop and the notebook leave alive now, for ever.
    gc.unfreeze()
    try:
        with stop.translate_errors():
            while len(seconds) < most_passes and _is_time_for(seconds, begin, budget):
                watch.in_pass = len(seconds)
                seconds.append(_timed(loop, meter))
                graphs.append(live_graphs())
                stop.raise_if_requested()
    except KeyboardInterrupt:
        stop.finish()
        if stop.strict():
            raise
        notes.append(f"Stopped in pass {watch.in_pass + 1}: what follows was seen before.")
        if not seconds:
            seconds.append(time.perf_counter() - begin)
    finally:
        watch.end()
    use = meter.so_far(time.perf_counter() - begin)
    profile = _Profile()
    is_time_left = time.perf_counter() - begin + seconds[-1] < budget
    if not notes and not is_time_left:
        notes.append(_NO_PROFILE)
    elif not notes:
        stats = _stats(loop, notes, is_program)
        if stats is not None:
            profile = _Profile(
                shares_by_owner(stats), longest_wait(stats, use), busiest_function(stats)
            )
    if len(seconds) == 1 and notes in ([], [_NO_PROFILE]):
        notes.append(_ONE_PASS)
    evidence = Evidence(
        watch.seen,
        passes=len(seconds),
        seconds=sum(seconds[1:]) or sum(seconds),
        all_seconds=sum(seconds),
        python_share=profile.share(PACKAGES["keras"]) + profile.share(PACKAGES["tensorflow"]),
        graphs_per_pass=_per_pass(graphs),
        has_gpu=bool(tf.config.list_logical_devices("GPU")),
        operations_share=profile.share(OPERATIONS),
    )
    findings = find(evidence)
    notes += notes_of(evidence)
    if not findings and profile.is_of_operations and not is_program:
        left = budget - (time.perf_counter() - begin)
        findings = _findings_in_operations(loop, evidence, notes, left)
    return _with_own_part(
        LoopDiagnosis(
            findings, len(seconds), seconds, profile.shares, notes, profile.wait, profile.busiest
        )
    )


def _with_own_part(found: LoopDiagnosis) -> LoopDiagnosis:
    """Note where the program computes, if it waits for data that it may make itself."""
    if found.cause in WAITS_FOR_DATA and found.own_part:
        found.notes.append(found.own_part)
    return found


@dataclass
class _Profile:
    """What the profile of one more pass says; nothing where there was none."""

    shares: dict[str, float] = field(default_factory=dict)
    wait: Wait | None = None
    busiest: Busiest | None = None

    def share(self, owner: str) -> float:
        return self.shares.get(owner, 0.0)

    @property
    def is_of_operations(self) -> bool:
        """Whether TensorFlow's operations take a large part, be it not the largest.

        What ends a pipeline, now and then as long as a pass, counts as Python of Keras.
        """
        return self.share(OPERATIONS) >= _LARGE


def _findings_in_operations(
    loop: Callable[[], Any], evidence: Evidence, notes: list[str], left: float
) -> list[Finding]:
    """Record one more pass, and return what its operations say; note which take most of the time.

    That is for a loop in which nothing else was found, and `left` are the seconds of the budget.
    """
    # TensorFlow records once at a time; and what a GPU does is not in the processor's threads.
    if evidence.seen.records_itself or evidence.has_gpu:
        return []
    seconds = evidence.seconds / evidence.steady_passes
    if seconds > _LONGEST_RECORDED:
        notes.append(_TOO_LONG_TO_RECORD)
        return []
    if left < _RECORDED * seconds:
        notes.append(_NOT_RECORDED)
        return []
    try:
        with stop.translate_errors():
            operations = operations_of(loop)
    except KeyboardInterrupt:
        stop.finish()
        if stop.strict():
            raise
        notes.append("Stopped while one more pass was recorded.")
        return []
    if operations is None:
        return []
    findings = find_in_operations(evidence, operations)
    if not findings:
        words = [operations.in_words(uses_models(evidence)), constant_inputs(evidence)]
        words += [*cheaper_products(evidence, operations), whole_sorts(evidence, operations)]
        notes += [line for line in words if line]
    return findings


def _stats(loop: Callable[[], Any], notes: list[str], is_program: bool) -> pstats.Stats | None:
    """Return the profile of one more pass; a note where there is none."""
    try:
        return _profiled(loop)
    except KeyboardInterrupt:
        stop.finish()
        notes.append("Stopped while one more pass was profiled.")
    except Exception as error:
        stop.raise_if_requested()
        if not is_program:
            raise
        # A program need not run twice: it may have made a folder, or read its input to the end.
        notes.append(
            f"The second run, for the profile, ended with {type(error).__name__}: {error}. "
            "What was counted in the first one stands."
        )
    return None


def _is_time_for(passes: list[float], begin: float, budget: float) -> bool:
    """Return whether there is time for another pass.

    There is for the first; for the second, which tells what is done each time from what is done
    once, as long as it ends in time; and for others in the first half of the budget.
    """
    if not passes:
        return True
    available = budget if len(passes) == 1 else budget / 2
    return time.perf_counter() - begin + passes[-1] < available


def _timed(loop: Callable[[], Any], meter: ProcessorMeter) -> float:
    begin, processor = time.perf_counter(), time.process_time()
    loop()
    seconds = time.perf_counter() - begin
    meter.add(_LOOP, seconds, time.process_time() - processor)
    return seconds


def _per_pass(graphs: list[float]) -> float:
    """Return how many graphs a pass left alive, once all that is made once was made."""
    if len(graphs) < 3:
        return 0.0
    return (graphs[-1] - graphs[1]) / (len(graphs) - 2)


def _profiled(loop: Callable[[], Any]) -> pstats.Stats:
    """Return the profile of one pass, in the main thread."""
    profiler = cProfile.Profile()
    try:
        profiler.enable()
        loop()
    finally:
        profiler.disable()
    return pstats.Stats(profiler)


# ---- from the command line ----


class NoSuchFunction(WrongValue):
    """Raised for a function that a program does not have."""


def loop_of_script(path: Path, function: str, arguments: Sequence[str] = ()) -> Callable[[], Any]:
    """Return a function of a program, which sees these arguments of its own.

    Raises
    ------
    NoSuchFunction
        The file has no such function.
    """
    with _imports_from(path.parent, arguments):
        names = runpy.run_path(str(path), run_name="own_loop")
    found = names.get(function)
    if not callable(found):
        known = sorted(name for name, thing in names.items() if _is_own_function(thing, path))
        raise NoSuchFunction(
            f"{path.name} has no function {function!r}; there are: {', '.join(known) or 'none'}"
        )
    return found


def _is_own_function(thing: Any, path: Path) -> bool:
    code = getattr(thing, "__code__", None)
    return code is not None and Path(code.co_filename) == path


def _run_program(path: Path, arguments: Sequence[str]) -> str:
    """Run a program, and return how it ended itself before its end; empty if it did not."""
    try:
        with _imports_from(path.parent, arguments):
            runpy.run_path(str(path), run_name="__main__")
    except SystemExit as end:
        if end.code not in (None, 0):
            return f"exit status {end.code}" if isinstance(end.code, int) else f"{end.code!r}"
    return ""


def traceback_of_program(error: BaseException) -> str:
    """Return the traceback of a program's error, without the calls of what ran and watched it."""
    described = traceback.TracebackException.from_exception(error)
    part: traceback.TracebackException | None = described
    while part is not None:
        own = [frame for frame in part.stack if not _runs_programs(frame.filename)]
        if own:  # else the error is labkit's
            part.stack = traceback.StackSummary.from_list(own)
        part = part.__cause__ or part.__context__
    return "".join(described.format())


def _runs_programs(file_name: str) -> bool:
    """Return whether a file is one of those through which a program is run and watched."""
    here = Path(__file__)
    package = here.parent.parent
    runners = (here, here.with_name("loop_watch.py"), package / "__main__.py", Path(stop.__file__))
    is_runpy = file_name == "<frozen runpy>" or file_name == runpy.__file__
    return is_runpy or Path(file_name) in runners


@contextlib.contextmanager
def _imports_from(folder: Path, arguments: Sequence[str] = ()) -> Iterator[None]:
    """Let a program import what lies beside it, and see no arguments that are not its own."""
    path, before = list(sys.path), list(sys.argv)
    sys.path.insert(0, str(folder))
    sys.argv[1:] = arguments
    try:
        yield
    finally:
        sys.path[:], sys.argv[:] = path, before
