"""Record a few calls with TensorFlow's own profiler, and read what was at work when in one of them.

The recording is read with the classes that TensorFlow brings for it. The package xprof reads it
too, and shows it in a page of its own; it brings some fifty other packages, a database and a client
of Google's cloud among them.
"""

import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from ..show import plots, stop
from ..show.errors import OneLine, WrongType, WrongValue, kind_in_words, message, without_paths
from ..show.figure import Figure
from ..show.format import duration, measured
from ..show.spans import Span, gaps, merged, total
from ..show.table import Table
from .notes import INTERRUPTED, Note
from .results import Result

CALLS = 5
COMPLETE = 50  # calls: after about ninety, the profiler leaves out operations that proved quick
WARM_UP_CALLS = 3  # so that no trace is recorded
CALLING_THREAD = "calling thread in TensorFlow"

_MARK = "labkit one call"  # around each call, in the recording
_PICOSECOND = 1e-12
_PROCESSOR = "/host:"  # the beginning of its name; a GPU has another one, and lines of its kernels
_MOST_TYPES = 8  # of operations with a line of their own in the table
# How the profiler names what the calling thread does in compiled code of TensorFlow. Other events
# in that thread, such as "convert_to_tensor", cover Python code too.
_IN_TENSORFLOW = ("TFE_", "Eager", "FunctionRun", "SessionRun", "RunGraph", "ExecutorState")
_STARTED_BY_PYTHON = "EagerLocalExecute: "  # and the type of the operation
_COMPUTES = "EagerKernelExecute"
_IN_GRAPH = re.compile(r"([^\s:]+):([A-Za-z_]\w*)")  # the name of an operation and its type
# Operations that only call others, which are recorded, too.
_CALLS_OTHERS = re.compile(r"(Stateless|Stateful)?(While|If|Case|PartitionedCall)|__inference_.*")
# Where oneDNN computes an operation of a graph, which depends on the processor and on
# TF_ENABLE_ONEDNN_OPTS, its type says so: _MklMatMul, _MklNativeFusedConv2D.
_BY_ONEDNN = re.compile("_Mkl(?:Native)?(Fused)?(?=[A-Z])")
# The threads of TensorFlow, by the beginning of their names.
_THREADS = {"tf_Compute": "executor thread", "tf_data": "tf.data thread"}
_OTHER_THREAD = "other thread"


class ProfilerBusy(OneLine, RuntimeError):
    """Raised where another recording of TensorFlow's profiler is under way: there can be one."""


class NothingRecorded(OneLine, RuntimeError):
    """Raised where the profiler left no file that can be read."""


@dataclass(repr=False)
class Timeline(Result):
    """When Python, TensorFlow's threads and its operations were at work in one call.

    All times are in seconds since the call began. A piece of work is a pair: its start and its end.

    Attributes
    ----------
    seconds : float
        How long the call took.
    python : list of (float, float)
        When the calling thread was not in TensorFlow: in Python, in what Python waits for, or in
        other compiled code.
    threads : dict of str to list of (float, float)
        When each thread was in TensorFlow, the calling one first. It may be there only to wait.
    operations : dict of str to list of (float, float)
        Each run of an operation, by its type, in any thread.
    calls : int
        Calls recorded; this is the shortest one, which other programs disturbed least.
    folder : Path or None
        Where the recording is kept.
    notes : list of Note
        What to know before believing it.
    """

    plots: ClassVar[Mapping[str, Callable[..., Figure]]] = {"one-call": plots.one_call}

    seconds: float
    python: list[Span]
    threads: dict[str, list[Span]]
    operations: dict[str, list[Span]]
    calls: int = 1
    folder: Path | None = None
    notes: list[Note] = field(default_factory=list)

    @property
    def share_of_python(self) -> float:
        """Share of the call in which the calling thread was not in TensorFlow."""
        return total(self.python) / self.seconds

    @property
    def runs(self) -> dict[str, int]:
        """How often operations of each type ran: the most frequent first, then by name."""
        counts = {name: len(spans) for name, spans in self.operations.items()}
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))

    @property
    def table(self) -> Table:
        """Time of Python and of TensorFlow in the calling thread, then count and time by type."""
        rows = [["Python", "", *self._time_and_share(self.python)]]
        inside = self.threads.get(CALLING_THREAD, [])
        rows.append([CALLING_THREAD, "", *self._time_and_share(inside)])
        names = list(self.runs)
        shown = names if len(names) <= _MOST_TYPES + 1 else names[:_MOST_TYPES]
        for name in shown:
            rows.append(self._row_of_operations(name, [name]))
        if rest := names[len(shown) :]:
            rows.append(self._row_of_operations(f"{len(rest)} other types", rest))
        if len(names) > 1:
            rows.append(self._row_of_operations("all operations", names))
        return Table(["in one call", "times", "time", "share of it"], rows, notes=self.notes)

    def _row_of_operations(self, words: str, names: Iterable[str]) -> list[str]:
        spans = [span for name in names for span in self.operations[name]]
        return [words, f"{len(spans):,}", *self._time_and_share(spans)]

    def _time_and_share(self, spans: Iterable[Span]) -> list[str]:
        seconds = total(spans)
        return [duration(seconds), measured(100 * seconds / self.seconds, "%")]


def record(
    fn: Callable[[], Any], calls: int = CALLS, keep: str | PathLike[str] | None = None
) -> Timeline:
    """Record calls of `fn`, and return the timeline of the shortest one."""
    if not isinstance(calls, int) or calls < 1:
        raise WrongValue(f"calls is a number of calls from 1 on, got {calls!r}")
    if keep is not None:
        _check_folder(keep)
    for i in range(WARM_UP_CALLS):
        fn()
        stop.raise_if_requested()
        if i == 0:
            _forget_costs()
    is_new = keep is None or not Path(keep).expanduser().exists()
    folder = _new_folder() if keep is None else _made_folder(keep)
    is_kept = False
    try:
        done = _record_calls(fn, calls, folder)
        timeline = _timeline_of(_read(folder))
        is_kept = keep is not None
    finally:
        if not is_kept:
            _remove(folder, is_new)
    timeline.folder = folder if is_kept else None
    if done < calls:
        words = f"interrupted: {done:,} of {calls:,} calls were recorded"
        timeline.notes.append(Note(words, INTERRUPTED))
    return timeline


def recorded(fn: Callable[[], Any]) -> Any:
    """Record one call of `fn`, and return all that TensorFlow's profiler wrote down."""
    folder = _new_folder()
    try:
        _record_calls(fn, 1, folder)
        return _read(folder)
    finally:
        _remove(folder, is_new=True)


def events_of(space: Any) -> Iterator[tuple[str, float]]:
    """Yield the name of each event of the processor's threads in a recording, and its seconds."""
    for plane in space.planes:
        if not plane.name.startswith(_PROCESSOR):
            continue
        for line in plane.lines:
            for event in line.events:
                name = plane.event_metadata[event.metadata_id].name
                yield name, event.duration_ps * _PICOSECOND


def operation_in(event: str) -> tuple[str, str] | None:
    """Return the name and the type of the operation that computes in an event; None for others.

    >>> operation_in("adam/Sqrt:Sqrt"), operation_in("EagerLocalExecute: Mul")
    (('adam/Sqrt', 'Sqrt'), ('', 'Mul'))
    """
    if event.startswith(_STARTED_BY_PYTHON):
        name, kind = "", event.removeprefix(_STARTED_BY_PYTHON)
    elif found := _IN_GRAPH.fullmatch(event):
        name, kind = found[1], found[2]
    else:
        return None
    return None if _CALLS_OTHERS.fullmatch(kind) else (name, _without_library(kind))


def _record_calls(fn: Callable[[], Any], calls: int, folder: Path) -> int:
    """Record calls into a folder, and return how many; after it, however it ends, none is."""
    from tensorflow.profiler import experimental as profiler

    done = 0
    is_recording = is_good = False
    try:
        with stop.deferred():
            _start(folder)
            is_recording = True
        with stop.translate_errors():
            while done < calls:
                with profiler.Trace(_MARK):
                    fn()
                done += 1
                stop.raise_if_requested()
        stop.finish()
        is_good = True
    except KeyboardInterrupt:
        stop.finish()
        if stop.strict() or not done:
            raise
        is_good = True
    finally:
        if is_recording:
            with stop.deferred():
                _end(folder, save=is_good)
    return done


def _forget_costs() -> None:
    """Let TensorFlow forget what the operations of its graphs have cost.

    The profiler records no operation of a graph that has proved quick, about 3 µs, in some ninety
    calls; at its level 3 it would, but TensorFlow 2.21 passes no level on. What a graph runs then
    depended on the processor and on the calls before. Graphs are prepared anew at their next call.
    Source: `ExecutorState` and `KernelStats` in TensorFlow's executor.cc.
    """
    from tensorflow.python.eager import context

    context.context().clear_kernel_cache()


def _start(folder: Path) -> None:
    """Start to record, no Python functions: these would become much slower."""
    import tensorflow as tf

    try:
        tf.profiler.experimental.start(str(folder))
    except tf.errors.AlreadyExistsError:
        raise ProfilerBusy(
            "TensorFlow's profiler is recording already, and there can be one recording at a time: "
            "end it with tf.profiler.experimental.stop(), or take the TensorBoard callback out of "
            "`fit`"
        ) from None


def _end(folder: Path, save: bool) -> None:
    """End the recording, and write it to the folder unless something went wrong."""
    import tensorflow as tf

    if not save:
        # The error that is on its way says more than this one could.
        with suppress(tf.errors.OpError):
            tf.profiler.experimental.stop(save=False)
        return
    try:
        tf.profiler.experimental.stop()
    except tf.errors.UnavailableError:
        raise NothingRecorded(
            "the function ended the recording itself: leave tf.profiler.experimental.stop() out"
        ) from None
    except Exception as error:  # its type differs between file systems
        raise NothingRecorded(_not_written(folder, message(error))) from None


# ---- the folder ----


def _check_folder(keep: str | PathLike[str]) -> Path:
    """Return the path of a folder for a recording; raise an error if something is there."""
    if not isinstance(keep, str | PathLike):
        raise WrongType(f"keep is the name of a new folder, got {kind_in_words(keep)}")
    path = Path(keep).expanduser()
    if path.is_dir():
        if any(path.iterdir()):
            raise WrongValue(f"the folder {path.name} is not empty: name a new one for keep=")
    elif path.exists() or path.is_symlink():
        raise WrongValue(f"{path.name} is a file: name a new folder for keep=")
    elif not path.parent.is_dir():
        raise WrongValue(f"there is no folder {path.parent.name} for {path.name}: make it first")
    return path


def _made_folder(keep: str | PathLike[str]) -> Path:
    path = _check_folder(keep)
    try:
        path.mkdir(exist_ok=True)
    except OSError as error:
        raise WrongValue(f"the folder {path.name} cannot be made: {error.strerror}") from None
    return path


def _new_folder() -> Path:
    try:
        return Path(tempfile.mkdtemp(prefix="labkit-timeline-"))
    except OSError as error:
        raise NothingRecorded(
            f"no folder for temporary files can be made: {error.strerror}. Make room there, or let "
            "the variable TMPDIR name another folder, and start the kernel again"
        ) from None


def _remove(folder: Path, is_new: bool) -> None:
    """Remove what was recorded, and the folder if it was made for that."""
    shutil.rmtree(folder / "plugins", ignore_errors=True)
    if is_new:
        with suppress(OSError):  # it is not empty: somebody else has written there
            folder.rmdir()


def _not_written(folder: Path, why: str) -> str:
    place = "the folder for temporary files" if folder.name.startswith("labkit-") else folder.name
    reason = without_paths(why).rstrip(".")
    return f"the recording was not written to {place}, or not whole: {reason}. Is the disk full?"


def _read(folder: Path) -> Any:
    """Return the recording in a folder."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    space = xplane_pb2.XSpace()
    files = sorted(folder.glob("plugins/profile/*/*.xplane.pb"))
    if not files:
        raise NothingRecorded(_not_written(folder, "there is no file"))
    try:
        space.ParseFromString(files[-1].read_bytes())
    except Exception as error:  # OSError, or the error of a package that comes without types
        raise NothingRecorded(_not_written(folder, message(error))) from None
    return space


# ---- from a recording to a timeline ----


class _Event(NamedTuple):
    """What a thread did: times in picoseconds, of one clock for all threads."""

    name: str
    start: int
    stop: int
    is_function: bool = False  # a whole graph, started by Python


def _timeline_of(space: Any) -> Timeline:
    """Return the timeline of the shortest call in a recording: what else ran disturbed it least."""
    hosts = [plane for plane in space.planes if plane.name.startswith(_PROCESSOR)]
    lines = [(plane, line) for plane in hosts for line in plane.lines]
    calls = list(_calls_in(lines))
    if not calls:
        raise NothingRecorded("the recording holds no call: record fewer or shorter calls")
    in_order = sorted(calls, key=lambda found: found[0].start)
    call, calling = min(in_order[:COMPLETE], key=lambda found: found[0].stop - found[0].start)
    seconds = max(call.stop - call.start, 1) * _PICOSECOND
    busy: dict[str, list[Span]] = {CALLING_THREAD: []}
    operations: dict[str, list[Span]] = {}
    numbers: dict[str, int] = {}
    for plane, line in lines:
        events = _events_in(call, plane, line)
        for kind, event in _operations(events):
            operations.setdefault(kind, []).append(_span(event, call))
        if line is calling:
            inside = [event for event in events if event.name.startswith(_IN_TENSORFLOW)]
            busy[CALLING_THREAD] = _busy(inside, call)
        elif work := _busy(events, call):
            kind = _kind_of(line.name)
            numbers[kind] = numbers.get(kind, 0) + 1
            busy[f"{kind} {numbers[kind]}"] = work
    by_type = {kind: sorted(operations[kind]) for kind in sorted(operations)}
    return Timeline(seconds, gaps(busy[CALLING_THREAD], seconds), busy, by_type, len(calls))


def _calls_in(lines: Iterable[tuple[Any, Any]]) -> Iterator[tuple[_Event, Any]]:
    """Yield the event of each recorded call, and the line of the thread that made it."""
    for plane, line in lines:
        marks = {key for key, kind in plane.event_metadata.items() if kind.name == _MARK}
        for event in line.events:
            if event.metadata_id in marks:
                start = 1000 * line.timestamp_ns + event.offset_ps
                yield _Event(_MARK, start, start + event.duration_ps), line


def _events_in(call: _Event, plane: Any, line: Any) -> list[_Event]:
    """Return what a thread began to do in a call, each event before those inside it."""
    begin = 1000 * line.timestamp_ns
    low, high = call.start - begin, call.stop - begin
    functions = {key for key, stat in plane.stat_metadata.items() if stat.name == "is_func"}
    events = []
    for event in line.events:
        if low <= event.offset_ps < high:
            name = plane.event_metadata[event.metadata_id].name
            start = begin + event.offset_ps
            is_function = any(
                stat.metadata_id in functions and _value(stat) == "1" for stat in event.stats
            )
            if name != _MARK:
                events.append(_Event(name, start, start + event.duration_ps, is_function))
    return sorted(events, key=lambda event: (event.start, -event.stop))


def _value(stat: Any) -> str:
    return str(getattr(stat, stat.WhichOneof("value") or "int64_value"))


def _span(event: _Event, call: _Event) -> Span:
    """Return the start and the end of an event in seconds since the call began."""
    end = min(event.stop, call.stop)
    return (event.start - call.start) * _PICOSECOND, (end - call.start) * _PICOSECOND


def _busy(events: Iterable[_Event], call: _Event) -> list[Span]:
    """Return when at least one of these events was under way."""
    spans = [_span(event, call) for event in events]
    return merged(span for span in spans if span[0] < span[1])


def _operations(events: list[_Event]) -> Iterator[tuple[str, _Event]]:
    """Yield the type and the event of each operation that a thread computed.

    Python starts an operation with one event, and inside it another one tells when it computes. In
    a graph an operation is one event.
    """
    for i, event in enumerate(events):
        if event.name.startswith(_STARTED_BY_PYTHON):
            if not (i and events[i - 1].is_function):
                kind = event.name.removeprefix(_STARTED_BY_PYTHON)
                yield kind, _computing(events, i)
        elif named := _IN_GRAPH.fullmatch(event.name):
            yield _without_library(named[2]), event


def _without_library(kind: str) -> str:
    """Return the type of an operation, whichever library computes it.

    >>> _without_library("_MklMatMul"), _without_library("_MklNativeFusedConv2D")
    ('MatMul', '_FusedConv2D')
    """
    return _BY_ONEDNN.sub(lambda found: "_Fused" if found[1] else "", kind)


def _computing(events: list[_Event], i: int) -> _Event:
    """Return the event inside the i-th one in which its operation computes."""
    for j in range(i + 1, len(events)):
        if events[j].start >= events[i].stop:
            break
        if events[j].name == _COMPUTES:
            return events[j]
    return events[i]


def _kind_of(thread: str) -> str:
    for beginning, words in _THREADS.items():
        if thread.startswith(beginning):
            return words
    return _OTHER_THREAD
