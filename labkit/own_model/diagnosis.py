"""Diagnose a model: load it, measure all candidates, and recommend one."""

import functools
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..measure.results import Comparison
from ..show import stop
from ..show.figure import Figure
from ..show.format import duration
from ..show.table import Table
from . import cases, pictures, report, samples, tables
from .advice import Advice, advise, best_among, best_of
from .answers import tolerance_of
from .candidates import CALL, CANDIDATES, LITERT, ORT, PREDICT, Case
from .example_model import default_model
from .facts import facts
from .ladder import estimated, measure, measure_per_row
from .loading import LoadedModel, load
from .measurements import Measurements
from .paths import BadModel
from .prepare import CandidateResult, Prepared, prepare_all
from .random_state import random_state_kept
from .silence import no_warnings
from .time_budget import TimeBudget

_LONGEST_BUDGET = 3600  # seconds
_SHORTEST_SHARE = 0.2  # seconds for a measurement, even if the budget is used up
# Shares of the time that is left.
_PREDICT_SHARE = 0.2
_LADDER_SHARE = 0.5
_LADDER_SHARE_ALONE = 0.9  # with one batch size
_PER_ROW_SHARE = 0.9


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
    report : Path or None
        Where the report was written.

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
    def table(self) -> Table:
        """Time per call, first call and Python calls of each candidate."""
        return tables.ladder_table(self)

    @property
    def many_table(self) -> Table:
        """Time per row of each candidate at each batch size."""
        return tables.per_row_table(self)

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

    @stop.stoppable("Stopped before the result was written.")
    def __repr__(self) -> str:
        stop.finish()  # it takes a moment, and what was measured is worth more than the moment
        parts = ["\n".join(self.conditions), str(self.table)]
        if self.many:
            parts.append(str(self.many_table))
        sentences = [f"{i}. {sentence}" for i, sentence in enumerate(self.advice, 1)]
        parts.append("\n".join(sentences))
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
    report_to: Any = None,
    candidates: str | Iterable[str] = CANDIDATES,
    progress: bool = True,
) -> Diagnosis:
    """Measure all candidates for calling a model, check that their answers agree, recommend one.

    Parameters
    ----------
    source : path or keras.Model, optional
        A .keras file, an .h5 file, a SavedModel folder, or a model in memory; by default a small
        model of the course.
    sample : array, dict, list or path, optional
        An input with the batch as its first axis, or a .npy or .npz file with one; by default
        random numbers.
    shape, dtype : optional
        Of one row, where the model leaves it open: such as ``(224, 224, 3)``, or a dict by the
        names of the inputs.
    batches : int or iterable of int
        Rows per call. The first is that of the ladder; at the others the time per row is measured.
    budget : float
        Seconds, from 1 to 3600, for everything after loading. A conversion that does not fit is not
        begun.
    trust : bool
        Load Lambda layers, which runs Python code that is stored in the file.
    signature : str, optional
        Of a SavedModel: which one to call; by default ``serving_default``.
    custom_objects : dict of str to class, optional
        Your own layers by name, where they are not registered with Keras.
    report_to : path, optional
        Where to write the report, as one HTML file. It replaces an older report, and no other file.
    candidates : str or iterable of str
        Which of `own_model.CANDIDATES` to try; ``model(x)`` is always one of them.
        `own_model.IN_TENSORFLOW` leaves out ONNX Runtime.
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
    sizes = cases.batch_sizes(batches)
    _check_budget(budget)
    chosen = _known_candidates(candidates)
    if report_to is not None:
        report.check_target(report_to)
    machine = report.machine()  # before the measurement raises the load
    with random_state_kept():
        if source is None:
            with tempfile.TemporaryDirectory() as folder:
                loaded = load(default_model(folder))
        else:
            loaded = load(source, trust=trust, signature=signature, custom_objects=custom_objects)
    time_budget = TimeBudget(budget)
    with random_state_kept(), no_warnings():
        given = samples.read(sample)
        if given is not None:
            given = samples.arranged(given, loaded.spec)
        spec = samples.signature(loaded, shape, dtype, given)
        sizes = cases.possible_sizes(loaded, spec, sizes)
        loaded.notes.append(samples.what_was_given(spec, given is not None, sizes))
        case_of = functools.partial(cases.case_for, loaded, spec, given)
        diagnosis = _measured(loaded, case_of, sizes, time_budget, chosen, progress)
    diagnosis.machine = machine
    if report_to is not None and diagnosis.interrupted:
        diagnosis.notes.append("interrupted: no report was written")
    elif report_to is not None:
        diagnosis.report = diagnosis.save(report_to)
    return diagnosis


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
class _Found:
    """What has been measured so far; the attributes are those of `Diagnosis`."""

    one: Comparison | None = None
    predict: Comparison | None = None
    many: dict[int, Comparison] = field(default_factory=dict)


def _measured(
    loaded: LoadedModel,
    case_of: Callable[[int], Case],
    sizes: list[int],
    budget: TimeBudget,
    chosen: tuple[str, ...],
    progress: bool,
) -> Diagnosis:
    """Prepare and measure all chosen candidates, at the first batch size and at the others."""
    prepared = prepare_all(case_of(sizes[0]), budget, progress, chosen)
    found = _Found()
    interrupted = prepared.interrupted
    try:
        if not interrupted:
            _measure_all(found, prepared, case_of, sizes, budget)
        stop.finish()
    except KeyboardInterrupt:
        stop.finish()
        if stop.strict():
            raise
        interrupted = True
    finally:
        prepared.state.reset()
    state = prepared.state
    return Diagnosis(
        name=loaded.name,
        kind=loaded.kind,
        facts=facts(loaded),
        batch=sizes[0],
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
        notes=["interrupted: this is what was measured before"] if interrupted else [],
    )


def _measure_all(
    found: _Found,
    prepared: Prepared,
    case_of: Callable[[int], Case],
    sizes: list[int],
    budget: TimeBudget,
) -> None:
    """Measure the candidates that are ready; raise KeyboardInterrupt where one is stopped."""
    batch, *other_sizes = sizes
    ready = prepared.ready
    if PREDICT in ready:
        seconds = max(_SHORTEST_SHARE, _PREDICT_SHARE * budget.left)
        found.predict = measure([ready[CALL], ready[PREDICT]], CALL, seconds)
        _go_on_after(found.predict)
    quick = [result for name, result in ready.items() if name != PREDICT]
    share = _LADDER_SHARE if other_sizes else _LADDER_SHARE_ALONE
    found.one = measure(quick, CALL, max(_SHORTEST_SHARE, share * budget.left))
    _go_on_after(found.one)
    for i, size in enumerate(other_sizes):
        seconds = _PER_ROW_SHARE * budget.left / (len(other_sizes) - i)
        best = best_among(found.one)
        per_row = measure_per_row(case_of(size), size, batch, ready, prepared.state, seconds, best)
        if per_row is not None:
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
