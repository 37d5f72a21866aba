"""Diagnose a model: load, inspect, climb the ladder, measure, and keep everything that the report needs."""

import math
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..measure.results import Comparison
from ..measure.stats import Interval
from ..show.format import duration, measured
from ..show.table import Table
from . import inspect_model, report, samples
from .advice import Advice, advise, best_of
from .candidates import CALL, LADDER, LITERT, ORT, PREDICT, Job
from .loading import Subject, calm, load
from .measuring import many, measure
from .paths import BadModel
from .prepare import MEASURED, TOLERANCE, Clock, Rung, climb


@dataclass(repr=False)
class Diagnosis:
    """What was measured about one model.

    Attributes
    ----------
    name, kind : str
        File name and format.
    facts : dict of str to str
        Inputs, outputs, size and what is special about it.
    batch : int
        Rows per call in the ladder.
    ladder : list of Rung
        Every way to call it, measured or with the reason why not.
    one : Comparison
        Seconds per call.
    predict : Comparison or None
        `predict` against ``model(x)``, apart from the others: it takes so long that they would get few rounds.
    many : dict of int to Comparison
        Seconds per row at other batch sizes.
    states : int
        How many variables one call changes.
    random : bool
        Whether two calls with one input differ.
    machine : dict of str to str
        Versions and hardware.
    budget, seconds : float
        Allowed and taken.
    """

    name: str
    kind: str
    facts: dict[str, str]
    batch: int
    ladder: list[Rung]
    one: Comparison
    predict: Comparison | None = None
    many: dict[int, Comparison] = field(default_factory=dict)
    states: int = 0
    random: bool = False
    machine: dict[str, str] = field(default_factory=dict)
    budget: float = math.nan
    seconds: float = math.nan
    tolerance: float = TOLERANCE

    @property
    def rows(self) -> str:
        """The batch size in words."""
        return f"{self.batch} row{'s' * (self.batch != 1)}"

    @property
    def medians(self) -> dict[str, Interval]:
        """Seconds per call of every way that was measured, in the order of the ladder."""
        found = ({PREDICT: self.predict.median[PREDICT]} if self.predict else {}) | self.one.median
        return {r.name: found[r.name] for r in self.ladder if r.name in found}

    def relative(self, name: str) -> Interval:
        """Return the time of a way relative to that of model(x).

        Parameters
        ----------
        name : str
            Of the way.

        Returns
        -------
        Interval
            With its ends, which are infinite where too few rounds were taken.
        """
        return (self.predict if name == PREDICT and self.predict else self.one).relative(name, CALL)

    @property
    def first_calls(self) -> dict[str, float]:
        """Seconds from nothing to the first answer, by way."""
        return {r.name: r.first_call for r in self.ladder if r.state == MEASURED}

    @property
    def best(self) -> str:
        """The fastest way to call it."""
        return best_of(self)

    @property
    def best_in_tensorflow(self) -> str:
        """The fastest way without a converted file."""
        return best_of(self, (LITERT, ORT))

    @property
    def advice(self) -> list[Advice]:
        """The recommendation, sentence by sentence, each with its measurement."""
        return advise(self)

    @property
    def refused(self) -> dict[str, str]:
        """The ways that were not measured, and why."""
        return {r.name: f"{r.state}: {r.why}" for r in self.ladder if r.state != MEASURED}

    @property
    def table(self) -> Table:
        """The ladder: time per call, first call and Python calls of each way."""
        calls, rows = {r.name: r.python_calls for r in self.ladder}, []
        for name, m in self.medians.items():
            r = self.relative(name)
            interval = r[1:] if r.low > 0 and math.isfinite(r.high) else None
            relative = "1" if name == CALL else measured(r.value, "×", interval)
            counted = "" if calls[name] is None else f"{calls[name]:,} Python calls"
            rows.append(
                [name, duration(m.value), relative, duration(self.first_calls[name]), counted]
            )
        notes = [*(f"{name}: {why}" for name, why in self.refused.items()), *self.one.notes]
        columns = ["way", "time per call", f"relative to {CALL}", "first call", "per call"]
        return Table(columns, rows, f"{self.name}, {self.rows} per call", notes)

    @property
    def many_table(self) -> Table:
        """Time per row of each way against rows per call."""
        sizes = sorted({n for line in self.per_row.values() for n in line})
        rows = [
            [name, *(duration(line[n]) if n in line else "" for n in sizes)]
            for name, line in self.per_row.items()
        ]
        return Table(
            ["way", *(f"{n} per call" for n in sizes)], rows, "Time per row, rows sent together"
        )

    @property
    def per_row(self) -> dict[str, dict[int, float]]:
        """Seconds per row, by way and rows per call."""
        lines: dict[str, dict[int, float]] = {}
        for comparison in self.many.values():
            for label, m in comparison.median.items():
                name, _, rows = label.rpartition(", ")
                lines.setdefault(name, {})[int(rows.split()[0])] = m.value
        return lines

    def plot(self, kind: str = "ladder") -> report.Figure:
        """Return a picture.

        Parameters
        ----------
        kind : str
            ``ladder``, ``rows`` (time per row against rows per call) or ``break-even``.

        Returns
        -------
        Picture
            With its sentence.
        """
        if kind == "break-even":
            pair = {n: self.one.samples[n] for n in (CALL, self.best_in_tensorflow)}
            firsts = {n: self.one.first_call[n] for n in pair}
            if len(pair) < 2:
                raise BadModel(
                    "no way within TensorFlow beats model(x): there is nothing to break even"
                )
            return Comparison(pair, CALL, first_call=firsts).plot("break-even")
        picture = report.many_picture(self) if kind == "rows" else report.ladder_picture(self)
        if picture is None:
            raise BadModel("only one batch size was measured: give batches=[1, 32]")
        return picture

    def save(self, path: Any) -> Path:
        """Write the report, whole or not at all.

        Parameters
        ----------
        path : path
            Of the HTML file.

        Returns
        -------
        Path
            The same.
        """
        return report.write(report.page(self), path)

    def __repr__(self) -> str:
        words = "\n".join(f"{i}. {a}" for i, a in enumerate(self.advice, 1))
        tables = [str(self.table), *([str(self.many_table)] if self.many else [])]
        return "\n\n".join([*tables, words])

    def _repr_html_(self) -> str:
        tables = self.table._repr_html_() + (self.many_table._repr_html_() if self.many else "")
        items = "".join(
            f"<li>{report.html.escape(a.text)}<br><small>Measured: {report.html.escape(a.evidence)}</small></li>"
            for a in self.advice
        )
        return f"{tables}<ol>{items}</ol>"


def diagnose(
    source: Any = None,
    *,
    sample: Any = None,
    shape: Any = None,
    dtype: Any = None,
    batches: Iterable[int] = (1, 32),
    budget: float = 60.0,
    trust: bool = False,
    signature: str | None = None,
    custom_objects: Mapping[str, Any] | None = None,
    report_to: Any = None,
    candidates: Iterable[str] = LADDER,
    progress: bool = True,
) -> Diagnosis:
    """Measure every way to call a model on this machine, check that the answers agree, and recommend one.

    Parameters
    ----------
    source : path or keras.Model, optional
        A .keras file, an .h5 file or a SavedModel folder; a small model of the course unless given.
    sample : array, dict, list or path of .npy/.npz, optional
        An input with the batch as its first axis; random numbers unless given.
    shape, dtype : optional
        Of one row, where the model leaves it open: ``(224, 224, 3)``, or a dict by the names of the inputs.
    batches : iterable of int
        Rows per call: the first is that of the ladder, the others tell what waiting for more rows buys.
    budget : float
        Seconds for everything after loading. A conversion that would not fit is not begun.
    trust, signature, custom_objects
        As in `loading.load`.
    report_to : path, optional
        Where to write the report, as one HTML file.
    candidates : iterable of str
        Of `own_model.CANDIDATES`: which to try. ``model(x)`` always is; `own_model.IN_TENSORFLOW` leaves ONNX Runtime out.
    progress : bool
        Show what goes on.

    Returns
    -------
    Diagnosis
        Tables, pictures, recommendation.

    Raises
    ------
    BadModel
        The model, the path or the input cannot be used; one sentence says why.

    Examples
    --------
    >>> from labkit.course.models import mlp
    >>> d = diagnose(mlp(), batches=[1], budget=3, progress=False)
    >>> d.best != "predict"
    True
    """
    sizes = inspect_model.sizes_of(batches)
    if isinstance(budget, bool) or not isinstance(budget, (int, float)) or not 1 <= budget <= 3600:
        raise BadModel(f"the time budget is in seconds, from 1 to 3600, got {budget!r}")
    candidates = (candidates,) if isinstance(candidates, str) else tuple(candidates)
    if unknown := [name for name in candidates if name not in LADDER]:
        raise BadModel(
            f"there is no way {unknown[0]!r} to call a model; there is {', '.join(LADDER)}"
        )
    if report_to is not None:
        report.check_target(report_to)
    ran_on = report.machine()
    if source is None:
        with tempfile.TemporaryDirectory() as folder:
            subject = load(inspect_model.default_model(folder))
    else:
        subject = load(source, trust=trust, signature=signature, custom_objects=custom_objects)
    clock = Clock(budget)
    with calm():
        d = _diagnosed(subject, sample, shape, dtype, sizes, clock, candidates, progress)
    d.machine = ran_on
    if report_to is not None:
        d.save(report_to)
    return d


def _diagnosed(
    subject: Subject,
    sample: Any,
    shape: Any,
    dtype: Any,
    sizes: list[int],
    clock: Clock,
    candidates: tuple[str, ...],
    progress: bool,
) -> Diagnosis:
    given = samples.read(sample)
    if given is not None:
        given = samples.arranged(given, subject.spec)
    spec = samples.signature(subject, shape, dtype, given)
    batch, *others = inspect_model.fixed(subject, spec, sizes)

    def job(rows: int) -> Job:
        return inspect_model.job_for(subject, spec, given, rows)

    ladder, state = climb(job(batch), clock, progress, candidates)
    ready = [r for r in ladder if r.state == MEASURED]
    direct = [r for r in ready if r.name == CALL]
    slow = [r for r in ready if r.name == PREDICT]
    predict = measure([*direct, *slow], CALL, max(0.2, clock.left * 0.2)) if slow else None
    one = measure(
        [r for r in ready if r.name != PREDICT],
        CALL,
        max(0.2, clock.left * (0.5 if others else 0.9)),
    )
    more = {}
    for i, rows in enumerate(others):
        found = many(job, batch, rows, ready, clock, 0.9 * clock.left / (len(others) - i), state)
        more |= {rows: found} if found else {}
    state.reset()
    return Diagnosis(
        subject.name,
        subject.kind,
        inspect_model.facts(subject),
        batch,
        ladder,
        one,
        predict,
        more,
        len(state.changed),
        state.random,
        budget=clock.seconds,
        seconds=clock.spent,
    )
