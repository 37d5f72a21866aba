"""Diagnose a model: load it, measure all candidates, and recommend one."""

import functools
import tempfile
import textwrap
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..measure import rounds
from ..measure.results import Comparison
from ..show import stop
from ..show.figure import Figure
from ..show.format import duration
from ..show.table import Table
from . import cases, json_file, pictures, report, samples, tables, usage
from .advice import Advice, advise, best_among, best_of
from .answers import tolerance_of
from .candidates import CALL, CANDIDATES, LITERT, ORT, PREDICT, Case
from .causes import last_cause
from .example_model import default_model
from .facts import facts
from .keep import check_folder, check_names, keep, makes_file
from .ladder import TooShort, estimated, measure, measure_per_row
from .loading import LoadedModel, load
from .measurements import Measurements
from .memory import MemoryWatch
from .origin import (
    Origin,
    as_list,
    called_signature,
    check_threads,
    command_for,
    limit_threads,
    shown_path,
    size_and_hash,
)
from .paths import BadModel
from .prepare import CandidateResult, Prepared, prepare_all
from .random_state import random_state_kept
from .service import Service, measure_service
from .silence import no_warnings
from .time_budget import TimeBudget, stretched

_LONGEST_BUDGET = 3600  # seconds
_LOADING_SHARE = 0.35  # of the budget: at most so much of it pays for importing and loading
_SHORTEST_SHARE = 0.2  # seconds for a measurement, even if the budget is used up
# Shares of the time that is left.
_PREDICT_SHARE = 0.2
_LADDER_SHARE = 0.5
_LADDER_SHARE_ALONE = 0.9  # with one batch size
_PER_ROW_SHARE = 0.9
_SERVICE_SHARE = 0.4  # of what is left after preparing, where a service is asked for


_INTERRUPTED = ("interrupted: this is what was measured before",)


@dataclass(repr=False)
class Diagnosis(Measurements):
    """What was measured about one model: it shows itself as tables and advice.

    Parameters
    ----------
    name, kind : str
        File name, and format: ``.keras file``, ``.h5 file``, ``SavedModel`` or ``Keras model``.
    facts : dict of str to str
        Inputs, size, and what is special about the model.
    batch : int
        Rows per call in the ladder.
    ladder : list of CandidateResult
        Each candidate with `name`, `run`, `python_calls`, and the reason if it was not measured.
    one : Comparison
        Seconds per call; the baseline is ``model(x)``.
    predict : Comparison or None
        `predict` against ``model(x)``, apart from the others: it takes so long that they would get
        few rounds.
    many : dict of int to Comparison
        Seconds per row, by other batch size. Its candidates have names such as ``LiteRT, 32 rows``.
    states : int
        How many variables one call changes.
    random : bool
        Whether two calls with one input differ.
    machine : dict of str to str
        Hardware, load and versions.
    budget, seconds : float
        Seconds that were allowed and taken.
    tolerance : float
        The largest difference between answers that counts as rounding, as a share of the largest
        value of an output.
    interrupted : bool
        The measurement was stopped by hand; what there is counts.
    notes : list of str
        What to know before believing it.
    origin : Origin or None
        The file with its size and hash, how it was loaded, and the command that repeats this.
    service : Service or None
        Percentiles of single calls, other numbers of rows, callers at once, and LiteRT with fewer
        bits; None unless it was asked for.
    report : Path or None
        Where the report was written.
    kept : Path or None
        Where the converted model was written.
    not_kept : str
        Why it was not, though it should have been.

    See Also
    --------
    diagnose : Measure a model.

    Examples
    --------
    >>> from labkit import own_model
    >>> from labkit.course.models import mlp
    >>> options = {"batches": [1], "budget": 2, "progress": False}
    >>> diagnosis = own_model.diagnose(mlp(), candidates=["tf.function"], **options)
    >>> list(diagnosis.medians)
    ['model(x)', 'tf.function']
    >>> diagnosis.refused["XLA"]
    'left out: it is not among candidates='
    """

    report: Path | None = None
    kept: Path | None = None
    not_kept: str = ""

    @property
    def best(self) -> str:
        """The fastest candidate, or a simpler one that is nearly as fast."""
        return best_of(self)

    @property
    def best_in_tensorflow(self) -> str:
        """The same without converted files."""
        return best_of(self, without=(LITERT, ORT))

    @property
    def advice(self) -> list[Advice]:
        """The recommendation, sentence by sentence, each with its measurement."""
        return advise(self)

    @property
    def code(self) -> str:
        """A program that calls this model through the best candidate; empty if there is none.

        It has the names, shapes and dtypes of this model; its last line makes ``answer``. Where it
        reads a converted file, `keep` writes that.
        """
        return usage.code_for(self.origin, self.best)

    @property
    def table(self) -> Table:
        """Time per call, first call and Python calls of each candidate."""
        return tables.ladder_table(self)

    @property
    def many_table(self) -> Table:
        """Time per row of each candidate at each batch size."""
        return tables.per_row_table(self)

    @property
    def details(self) -> Table:
        """The file, the command that repeats the measurement, the machine and the versions."""
        found = dict(self.origin.facts) if self.origin is not None else {}
        return Table(["measured with", ""], (found | self.machine).items())

    @stop.stoppable("Stopped before the figure was shown.")
    def plot(self, kind: str = "ladder") -> Figure:
        """Return a figure.

        Parameters
        ----------
        kind : str
            ``ladder``: the time of the first and of each later call. ``rows``: the time per row
            against the rows per call. ``break-even``: the total time against the number of calls,
            of ``model(x)`` and the best candidate within TensorFlow.

        Returns
        -------
        Figure
            With its caption.

        Raises
        ------
        BadModel
            There is nothing to plot: only one batch size was measured, or nothing is faster than
            ``model(x)``.
        ValueError
            There is no such kind.
        KeyboardInterrupt
            It was stopped; the figure is drawn first.
        """
        drawn: dict[str, Callable[[], Figure]] = {
            "ladder": lambda: pictures.ladder_figure(self),
            "rows": lambda: pictures.per_row_figure(self),
            "break-even": self._break_even,
        }
        if kind in drawn:
            with stop.deferred():
                return drawn[kind]()
        raise ValueError(f"there is no figure {kind!r}; there are ladder, rows, break-even")

    def _break_even(self) -> Figure:
        """Plot the total time of model(x) and of the best candidate within TensorFlow."""
        best = self.best_in_tensorflow
        if best == CALL:
            raise BadModel(
                "no candidate within TensorFlow is faster than model(x): nothing breaks even"
            )
        samples = {name: self.one.samples[name] for name in (CALL, best)}
        first_call = {name: self.one.first_call[name] for name in samples}
        return Comparison(samples, CALL, first_call=first_call).plot("break-even")

    @stop.stoppable("Stopped before the report was written.")
    def save(self, path: Any) -> Path:
        """Write the report.

        Parameters
        ----------
        path : path
            The HTML file. It is written as a whole or not at all, and replaces an older report.

        Returns
        -------
        Path
            The same path.

        Raises
        ------
        BadModel
            The file cannot be written, or another file than a report is there.
        KeyboardInterrupt
            It was stopped before the report was written.
        """
        page = report.page(self)
        stop.finish()
        return report.write(page, path)

    @stop.stoppable("Stopped before the converted model was written.")
    def keep(self, folder: Any, force: bool = False) -> Path:
        """Write the converted model of the best candidate into a folder.

        Parameters
        ----------
        folder : path
            It is made if its parent exists.
        force : bool
            Replace a file of the same name that exists.

        Returns
        -------
        Path
            A .tflite or .onnx file, or a SavedModel folder whose attribute ``serve`` is the graph.

        Raises
        ------
        BadModel
            The best candidate calls the model as it is, the file exists, or it cannot be written.
        KeyboardInterrupt
            It was stopped before the file was written.
        """
        self.kept = keep(self.origin, self.best, folder, force)
        return self.kept

    def to_dict(self) -> dict[str, Any]:
        """Return everything that was measured as dicts, lists, numbers and text.

        Returns
        -------
        dict
            As ``templates/own_model.schema.json`` describes it: times in seconds, sizes in bytes.
        """
        return json_file.as_dict(self)

    @stop.stoppable("Stopped before the result was written.")
    def __repr__(self) -> str:
        stop.finish()  # it takes a moment, and what was measured is worth more than the moment
        parts = ["\n".join(self.conditions)]
        parts += [str(table) for table in tables.all_tables(self)]
        sentences = [f"{i}. {sentence}" for i, sentence in enumerate(self.advice, 1)]
        parts.append("\n".join(sentences))
        if self.code:
            parts.append(
                f"{report.about_code(self)}\n\n{textwrap.indent(self.code, '    ').rstrip()}"
            )
        return "\n\n".join(parts)

    @stop.stoppable("Stopped before the result was written.")
    def _repr_html_(self) -> str:
        stop.finish()
        return report.summary(self)


@stop.stoppable("Stopped before there was anything to compare.")
def diagnose(
    source: Any = None,
    *,
    sample: Any = None,
    shape: Any = None,
    dtype: Any = None,
    batches: int | Iterable[int] = (1, 32),
    budget: float = 60.0,
    trust: bool = False,
    signature: str | None = None,
    custom_objects: Mapping[str, Any] | None = None,
    own_code: str | Iterable[str] | None = None,
    inputs: str | Iterable[str] | None = None,
    outputs: str | Iterable[str] | None = None,
    report_to: Any = None,
    candidates: str | Iterable[str] = CANDIDATES,
    service: bool = False,
    within: float | None = None,
    threads: int | None = None,
    keep_in: Any = None,
    force: bool = False,
    progress: bool = True,
) -> Diagnosis:
    """Measure all candidates for calling a model, check that their answers agree, recommend one.

    Parameters
    ----------
    source : path or keras.Model, optional
        A .keras file, an .h5 file, a SavedModel folder, a frozen graph (.pb), or a model in
        memory; by default a small model of the course. A .tflite or .onnx file is measured as what
        it is, with one thread and with all of them.
    sample : array, dict, list or path, optional
        An input with the batch as its first axis, or a .npy, .npz or .tfrecord file with one; by
        default random numbers. Inputs that are single values, such as ``keep_prob``, are taken from
        a dict or a .npz file, which may hold nothing else.
    shape, dtype : optional
        Of one row, where the model leaves it open: such as ``(224, 224, 3)``, or a dict by the
        names of the inputs.
    batches : int or iterable of int
        Rows per call. The first is that of the ladder; at the others the time per row is measured.
    budget : float
        Seconds, from 1 to 3600. To import TensorFlow and to load the model counts, up to a third
        of it. A conversion that does not fit is not begun.
    trust : bool
        Load Lambda layers, which runs Python code that is stored in the file.
    signature : str, optional
        Of a SavedModel: which one to call; by default ``serving_default``.
    custom_objects : dict of str to class, optional
        Your own layers by name, where they are not registered with Keras.
    own_code : str or iterable of str, optional
        What defines them: a path such as ``my_layers.py``, a module, or ``module:Class``. This runs
        the code.
    inputs, outputs : str or iterable of str, optional
        Of a frozen graph: the names of its nodes, such as ``x`` and ``softmax``, also with commas
        in one text. Needed where the graph has more than one placeholder, or more than one node
        that nothing uses.
    report_to : path, optional
        Where to write the report, as one HTML file. It replaces an older report, and no other file.
    candidates : str or iterable of str
        Which of `own_model.CANDIDATES` to try; ``model(x)`` is always one of them.
        `own_model.IN_TENSORFLOW` leaves out ONNX Runtime.
    service : bool
        Measure also what a service needs: percentiles of single calls, 1 to 256 rows per call,
        1, 4 and 16 callers at once, and LiteRT with fewer bits. It gets a share of the budget.
    within : float, optional
        Seconds in which a service must answer; the advice names the rows per call with the largest
        throughput within that time. It sets `service`.
    threads : int, optional
        How many threads one call may use, in TensorFlow, LiteRT and ONNX Runtime. TensorFlow takes
        a number only before it has started, so only in a new Python.
    keep_in : path, optional
        A folder into which the converted model of the best candidate is written, if it has one.
    force : bool
        Replace a converted model of the same name that exists there.
    progress : bool
        Show progress bars.

    Returns
    -------
    Diagnosis
        Tables, figures and advice. The stop button and Ctrl-C end it with the candidates that are
        ready; then no report is written.

    Raises
    ------
    BadModel
        The model, the path or the input cannot be used; one sentence says why.
    KeyboardInterrupt
        It was stopped before there were two candidates to compare.

    Notes
    -----
    A single call of compiled code cannot be interrupted, such as the conversion of a large model,
    and the import of TensorFlow is not, as it would leave half of it behind: the measurement ends
    when it returns.

    Examples
    --------
    >>> from labkit import own_model
    >>> from labkit.course.models import mlp
    >>> diagnosis = own_model.diagnose(mlp(), batches=[1], budget=3, progress=False)
    >>> diagnosis.best != "predict"
    True
    """
    begin = rounds.clock()
    sizes = cases.batch_sizes(batches)
    _check_budget(budget)
    _check_within(within)
    check_threads(threads)
    chosen = _known_candidates(candidates)
    if report_to is not None:
        report.check_target(report_to, sources=[source])
    if keep_in is not None:
        check_folder(keep_in, [source])
        check_names(keep_in, Origin(path=shown_path(source)), force)
    limit_threads(threads)
    machine = report.machine()  # before the measurement raises the load
    options = {
        "trust": trust,
        "signature": signature,
        "custom_objects": custom_objects,
        "own_code": own_code,
        "inputs": inputs,
        "outputs": outputs,
    }
    given_options = {
        "--sample": shown_path(sample),
        "--shape": shape,
        "--dtype": dtype,
        "--batch": sizes,
        "--budget": float(budget),
        "--signature": signature,
        "--trust": trust,
        "--import": [shown_path(name) for name in as_list(own_code)],
        "--inputs": ",".join(as_list(inputs)),
        "--outputs": ",".join(as_list(outputs)),
        "--threads": threads,
        "--within-ms": within if within is None else 1e3 * within,
        "--no-service": not service and within is None,
    }
    loaded, origin = _loaded(source, options)
    origin.command = command_for([origin.path] if source is not None else [], given_options)
    origin.threads = threads
    loading = min(rounds.clock() - begin, _LOADING_SHARE * budget)
    time_budget = TimeBudget(stretched(budget), spent=loading)
    with random_state_kept(), no_warnings():
        given = samples.given_to(loaded, samples.read(sample))
        spec = samples.signature(loaded, shape, dtype, given)
        sizes = cases.possible_sizes(loaded, spec, sizes)
        loaded.notes.append(samples.what_was_given(spec, given is not None, sizes))
        case_of = functools.partial(_case_with_threads, loaded, spec, given, threads)
        wanted = Service("", within=within) if service or within is not None else None
        plan = _Plan(loaded, origin, case_of, given, sizes, chosen, wanted)
        try:
            diagnosis = _measured(plan, time_budget, progress)
        except SystemExit as error:  # a model must not end the program that measures it
            raise BadModel(f"{loaded.name} cannot be measured: {last_cause(error)}") from None
    diagnosis.machine = machine
    if keep_in is not None:
        _keep_what_there_is(diagnosis, keep_in, force)
    if report_to is not None and diagnosis.interrupted:
        diagnosis.notes.append("interrupted: no report was written")
    elif report_to is not None:
        _report_what_there_is(diagnosis, report_to)
    return diagnosis


def _report_what_there_is(diagnosis: "Diagnosis", path: Any) -> None:
    """Write the report, and note whether it took the place of an older one, or was not written."""
    was_there = Path(path).expanduser().exists()
    try:
        diagnosis.report = diagnosis.save(path)
    except BadModel as error:  # what was measured is worth more than the file
        diagnosis.notes.append(f"no report was written: {error}")
        return
    if was_there:
        diagnosis.notes.append(f"an older report {Path(path).name} was replaced")


def _loaded(source: Any, options: dict[str, Any]) -> tuple[LoadedModel, Origin]:
    """Load a model; return it with what is known about its file."""
    if not isinstance(source, (str, Path)) and source is not None:
        with random_state_kept():
            loaded = load(source, **options)
        return loaded, Origin()
    with tempfile.TemporaryDirectory() as folder, random_state_kept():
        path = Path(str(source).strip()).expanduser() if source is not None else None
        if path is None:
            path = default_model(folder)
        with stop.deferred():  # half imported, they cannot be imported again
            import keras  # noqa: F401 - to import it is no part of loading a model
            import tensorflow  # noqa: F401 - likewise
        with MemoryWatch() as watch:
            begin = rounds.clock()
            loaded = load(source if source is not None else path, **options)
            seconds = rounds.clock() - begin
        size, digest = size_and_hash(path)
        shown = shown_path(source if source is not None else path)
    origin = Origin(
        path=shown,
        signature=called_signature(loaded, options["signature"]),
        trust=options["trust"],
        size=size,
        sha256=digest,
        load_seconds=seconds,
        load_memory=watch.grown,
    )
    return loaded, origin


def _case_with_threads(
    loaded: LoadedModel, spec: Any, given: Any, threads: int | None, batch_size: int
) -> Case:
    """Return a model with an input of one batch size, for so many threads."""
    case = cases.case_for(loaded, spec, given, batch_size)
    case.threads = threads
    return case


def _keep_what_there_is(diagnosis: "Diagnosis", folder: Any, force: bool) -> None:
    """Write the converted model of the best candidate, or note why there is none."""
    if not makes_file(diagnosis.origin, diagnosis.best):
        diagnosis.notes.append(
            f"no converted file was written: {diagnosis.best} calls the model as it is"
        )
        return
    try:
        diagnosis.keep(folder, force)
    except BadModel as error:  # what was measured is worth more than the file
        diagnosis.not_kept = f"the converted model was not written: {error}"
        diagnosis.notes.append(diagnosis.not_kept)


def _check_within(within: Any) -> None:
    if within is None:
        return
    is_number = isinstance(within, (int, float)) and not isinstance(within, bool)
    if not is_number or not 0 < within < _LONGEST_BUDGET:
        raise BadModel(f"the time for an answer is in seconds, above 0, got {within!r}")


def _check_budget(budget: Any) -> None:
    is_number = isinstance(budget, (int, float)) and not isinstance(budget, bool)
    if not is_number or not 1 <= budget <= _LONGEST_BUDGET:
        raise BadModel(
            f"the time budget is in seconds, from 1 to {_LONGEST_BUDGET}, got {budget!r}"
        )


def _known_candidates(candidates: str | Iterable[str]) -> tuple[str, ...]:
    """Return the chosen candidates; raise BadModel if there is no such candidate."""
    if isinstance(candidates, str):
        candidates = (candidates,)
    chosen = tuple(candidates)
    for name in chosen:
        if name not in CANDIDATES:
            raise BadModel(f"there is no candidate {name!r}; there are {', '.join(CANDIDATES)}")
    return chosen


@dataclass
class _Plan:
    """What is to be measured: a model, its inputs, and the candidates."""

    loaded: LoadedModel
    origin: Origin
    case_of: Callable[[int], Case]
    given: Any
    sizes: list[int]
    chosen: tuple[str, ...]
    service: Service | None


@dataclass
class _Found:
    """What has been measured so far; the attributes are those of `Diagnosis`."""

    one: Comparison | None = None
    predict: Comparison | None = None
    many: dict[int, Comparison] = field(default_factory=dict)
    service: Service | None = None
    notes: list[str] = field(default_factory=list)


def _measured(plan: _Plan, budget: TimeBudget, progress: bool) -> Diagnosis:
    """Prepare and measure all chosen candidates, at the first batch size and at the others."""
    begin = budget.spent
    case = plan.case_of(plan.sizes[0])
    seconds_for_input = budget.spent - begin
    plan.origin.case = case
    prepared = prepare_all(case, budget, progress, plan.chosen)
    for_ladder = budget
    if plan.service is not None:
        for_ladder = TimeBudget((1 - _SERVICE_SHARE) * budget.left)
    plan.origin.reset = prepared.state.reset
    found = _Found()
    interrupted = prepared.interrupted
    try:
        if not interrupted:
            _measure_all(found, prepared, plan, for_ladder)
            _measure_service(found, prepared, plan, budget)
        stop.finish()
    except KeyboardInterrupt:
        stop.finish()
        if stop.strict():
            raise
        interrupted = True
    finally:
        prepared.state.reset()
    state = prepared.state
    first_call = prepared.ready[CALL].first_call
    if seconds_for_input + first_call > budget.seconds:
        found.notes.append(
            f"making this input took {duration(seconds_for_input)} and the first call"
            f" {duration(first_call)}: more than the time budget of {budget.seconds:g} s, and"
            " neither can be cut short"
        )
    return Diagnosis(
        name=plan.loaded.name,
        kind=plan.loaded.kind,
        facts=facts(plan.loaded),
        batch=plan.sizes[0],
        ladder=prepared.results,
        one=found.one or _estimated(prepared.ready),
        predict=found.predict or _estimated_predict(prepared.ready),
        many=found.many,
        states=len(state.changed),
        random=state.random,
        budget=budget.seconds,
        seconds=budget.spent,
        tolerance=tolerance_of(state.answer),
        interrupted=interrupted,
        notes=[*found.notes, *(_INTERRUPTED if interrupted else ())],
        origin=plan.origin,
        service=found.service,
    )


def _measure_service(found: _Found, prepared: Prepared, plan: _Plan, budget: TimeBudget) -> None:
    """Measure what a service needs to know of the candidate that is the best."""
    if plan.service is None or found.one is None or plan.origin.case is None:
        return
    plan.service.best = best_among(found.one)
    found.service = plan.service
    measure_service(
        plan.service,
        plan.origin.case,
        plan.case_of,
        prepared.ready,
        prepared.state,
        plan.given,
        max(_SHORTEST_SHARE, budget.left),
    )


def _measure_all(found: _Found, prepared: Prepared, plan: _Plan, budget: TimeBudget) -> None:
    """Measure the candidates that are ready; raise KeyboardInterrupt where one is stopped."""
    batch, *other_sizes = plan.sizes
    ready = prepared.ready
    if PREDICT in ready:
        seconds = max(_SHORTEST_SHARE, _PREDICT_SHARE * budget.left)
        found.predict = measure([ready[CALL], ready[PREDICT]], CALL, seconds)
        _go_on_after(found.predict)
    quick = [result for name, result in ready.items() if name != PREDICT]
    share = _LADDER_SHARE if other_sizes else _LADDER_SHARE_ALONE
    found.one = measure(quick, CALL, max(_SHORTEST_SHARE, share * budget.left))
    _go_on_after(found.one)
    best = best_among(found.one)
    for i, size in enumerate(other_sizes):
        seconds = _PER_ROW_SHARE * budget.left / (len(other_sizes) - i)
        make_case = functools.partial(plan.case_of, size)
        try:
            per_row = measure_per_row(make_case, size, batch, ready, prepared.state, seconds, best)
        except TooShort as reason:
            found.notes.append(f"{cases.count_of_rows(size)} per call: not measured, {reason}")
            continue
        found.many[size] = per_row
        _go_on_after(per_row)


def _go_on_after(comparison: Comparison) -> None:
    """Raise KeyboardInterrupt if this comparison was stopped: the others are not begun."""
    if comparison.interrupted:
        raise KeyboardInterrupt


def _estimated(ready: Mapping[str, CandidateResult]) -> Comparison:
    """Return what is known from preparing; raise Stopped if that is one candidate alone."""
    if len(ready) < 2:
        direct = duration(ready[CALL].estimate)
        raise stop.stopped(f"Stopped before there was anything to compare: {CALL} takes {direct}.")
    return estimated([result for name, result in ready.items() if name != PREDICT], CALL)


def _estimated_predict(ready: Mapping[str, CandidateResult]) -> Comparison | None:
    """Return the same for predict; None if it could not be prepared."""
    if PREDICT not in ready:
        return None
    return estimated([ready[CALL], ready[PREDICT]], CALL)
