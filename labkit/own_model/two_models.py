"""Compare two models, or one model before and after a change, each called in its best way."""

import html
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..measure import rounds
from ..measure.compare import compare
from ..measure.results import Comparison
from ..show import stop
from ..show.format import duration, measured
from ..show.table import Table
from . import json_file, report
from .advice import best_of
from .answers import difference, gap_in_words, largest_gap
from .candidates import CANDIDATES
from .diagnosis import Diagnosis, diagnose
from .measurements import known_ends
from .origin import as_list, command_for, shown_path
from .paths import BadModel
from .prepare import SKIPPED
from .silence import no_warnings, silence_all
from .time_budget import TimeBudget

_EACH_SHARE = 0.35  # of the budget, to find the best way of one model
_LEAST_SECONDS = 0.2
_SHORTEST_BUDGET = 1.0  # seconds of a diagnosis
_WORDS = {
    "faster": "B is faster than A",
    "slower": "B is slower than A",
    "similar": "A and B take about the same time",
    "unclear": "This run cannot tell which of the two is faster",
}


@dataclass(repr=False)
class ModelComparison:
    """Two models in paired rounds, each called through its own best candidate.

    Parameters
    ----------
    a, b : Diagnosis
        What was measured of each alone.
    comparison : Comparison
        Seconds per call in paired rounds; the baseline is A.
    same_input : bool
        Whether both got the same numbers.
    answers : str
        How the answers of B differ from those of A, in words.
    gap : float or None
        Largest difference of the answers, as a share of the largest value of A; None where they
        could not be compared.
    seconds : float
        Seconds that were taken.
    command : str
        Repeats the comparison; empty for models in memory.
    machine : dict of str to str
        Hardware, load and versions.

    See Also
    --------
    compare_models : Compare two models.

    Examples
    --------
    >>> from labkit import own_model
    >>> from labkit.course.models import mlp
    >>> chosen = {"candidates": ["tf.function"], "budget": 3, "progress": False}
    >>> own_model.compare_models(mlp(), mlp(), **chosen).same_input
    True
    """

    a: Diagnosis
    b: Diagnosis
    comparison: Comparison
    same_input: bool
    answers: str
    gap: float | None
    seconds: float
    command: str = ""
    machine: dict[str, str] = field(default_factory=dict)

    @property
    def labels(self) -> tuple[str, str]:
        """The names of the two in the comparison."""
        return f"A: {self.a.name}", f"B: {self.b.name}"

    @property
    def ways(self) -> tuple[str, str]:
        """The candidates through which A and B are called."""
        return _ways_of(self.a, self.b)

    @property
    def verdict(self) -> str:
        """``faster``, ``slower``, ``similar`` or ``unclear``: B against A."""
        if self.comparison.interrupted:
            return "unclear"
        return self.comparison.verdict[self.labels[1]]

    @property
    def sentences(self) -> list[str]:
        """The verdict with its ratio, what became of the answers, and what to know besides."""
        ratio = self.comparison.ratio[self.labels[1]]
        took = measured(ratio.value, "×", known_ends(ratio))
        found = [
            f"{_WORDS[self.verdict]}: B through {self.ways[1]} takes {took} the time of A through"
            f" {self.ways[0]}, with {self.a.batch_label}.",
            self.answers,
        ]
        skipped = _skipped(self.a, self.b)
        if skipped:
            found.append(f"Left out for both, as the time was too short: {', '.join(skipped)}.")
        found += [str(note) for note in self.comparison.notes]
        if self.comparison.interrupted:
            found.append("The measurement was interrupted, so no verdict is given.")
        return found

    @property
    def table(self) -> Table:
        """Each model with its best candidate, its time per call, first call, size and load time."""
        rows = []
        models = (self.a, self.b)
        for label, one, way in zip(self.labels, models, self.ways, strict=True):
            origin = one.origin
            size = "" if origin is None or origin.size is None else f"{origin.size:,} bytes"
            median = self.comparison.median[label]
            first = duration(one.first_calls[way])
            rows.append([label, way, duration(median.value), first, size])
        columns = ["model", "best way", "time per call", "first call", "size of the file"]
        caption = f"Two models with {self.a.batch_label} per call, in paired rounds"
        return Table(columns, rows, caption)

    @property
    def details(self) -> Table:
        """The files, the command that repeats the comparison, and the machine."""
        found = {"command": self.command} if self.command else {}
        for letter, one in (("A", self.a), ("B", self.b)):
            if one.origin is not None and one.origin.sha256:
                found[f"SHA-256 of {letter}"] = one.origin.sha256
        if self.a.origin is not None:
            facts = self.a.origin.facts
            found |= {name: facts[name] for name in ("threads", "device")}
        return Table(["measured with", ""], (found | self.machine).items())

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
        page = report.page_of_two(self)
        stop.finish()
        return report.write(page, path)

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison, and both diagnoses, as dicts, lists, numbers and text.

        Returns
        -------
        dict
            As ``templates/own_model.schema.json`` describes it: times in seconds, sizes in bytes.
        """
        return {
            "kind": f"{json_file.KIND} of two",
            "version": json_file.VERSION,
            "verdict": self.verdict,
            **json_file.ratio_as_dict(self.comparison, self.labels[1]),
            "same_input": self.same_input,
            "largest_difference": self.gap,
            "seconds": self.seconds,
            "command": self.command or None,
            "a": json_file.as_dict(self.a),
            "b": json_file.as_dict(self.b),
        }

    @stop.stoppable("Stopped before the result was written.")
    def __repr__(self) -> str:
        stop.finish()
        return f"{self.table}\n\n" + "\n".join(self.sentences)

    @stop.stoppable("Stopped before the result was written.")
    def _repr_html_(self) -> str:
        stop.finish()
        lines = [f"<p>{html.escape(sentence)}</p>" for sentence in self.sentences]
        return self.table._repr_html_() + "".join(lines)


@stop.stoppable("Stopped before the two models could be compared.")
def compare_models(
    a: Any,
    b: Any,
    *,
    sample: Any = None,
    batch: int = 1,
    budget: float = 60.0,
    candidates: str | Iterable[str] = CANDIDATES,
    progress: bool = True,
    **options: Any,
) -> ModelComparison:
    """Measure two models in paired rounds, each called in the best way that is found for it.

    Parameters
    ----------
    a, b : path or keras.Model
        As in `diagnose`; or one model before and after a change.
    sample : array, dict, list or path, optional
        An input for both; by default random numbers, the same for both where they take the same.
    batch : int
        Rows per call.
    budget : float
        Seconds for all: a third for each model alone, the rest for the paired rounds.
    candidates : str or iterable of str
        As in `diagnose`.
    progress : bool
        Show progress bars.
    **options
        `shape`, `dtype`, `trust`, `signature`, `custom_objects`, `own_code`, `inputs`, `outputs`
        and `threads`, as in `diagnose`.

    Returns
    -------
    ModelComparison
        The verdict, its ratio with an interval, and the change of the answers.

    Raises
    ------
    BadModel
        A model, a path or the input cannot be used; one sentence says why.
    KeyboardInterrupt
        It was stopped before the paired rounds.

    Examples
    --------
    >>> from labkit import own_model
    >>> from labkit.course.models import mlp
    >>> chosen = {"candidates": ["tf.function"], "budget": 3, "progress": False}
    >>> found = own_model.compare_models(mlp(), mlp(inputs=5), **chosen)
    >>> found.answers
    'The answers were not compared: the two models take different inputs.'
    """
    clock = TimeBudget(budget)
    each = {"batches": [batch], "candidates": candidates, "progress": progress, **options}
    each["budget"] = max(_SHORTEST_BUDGET, _EACH_SHARE * budget)
    first = _of_one(a, "A", sample=sample, **each)
    same_input = True
    try:
        # What the first one got, so that the answers can be compared.
        x = first.origin.case.x if first.origin is not None and first.origin.case else sample
        second = _of_one(b, "B", sample=x, **each)
    except BadModel:
        if sample is not None:
            raise
        same_input = False
        second = _of_one(b, "B", sample=None, **each)
    labels = f"A: {first.name}", f"B: {second.name}"
    way_a, way_b = _ways_of(first, second)
    run_a, run_b = _run_of(first, way_a), _run_of(second, way_b)
    with silence_all():
        gap, answers = _change_of_answers(run_a(), run_b(), same_input)
    seconds = min(max(_LEAST_SECONDS, 0.9 * clock.left), rounds.MOST_BUDGET)
    with no_warnings():
        comparison = compare(
            {labels[0]: run_a, labels[1]: run_b},
            baseline=labels[0],
            budget=seconds,
            check=False,
            progress=False,
        )
    for one in (first, second):
        if one.origin is not None and one.origin.reset is not None:
            one.origin.reset()
    return ModelComparison(
        first,
        second,
        comparison,
        same_input,
        answers,
        gap,
        clock.spent,
        _command(first, second, sample, batch, budget, options),
        first.machine,
    )


def _of_one(source: Any, letter: str, **options: Any) -> Diagnosis:
    """Diagnose one of the two; an error says which."""
    try:
        found = diagnose(source, **options)
    except BadModel as error:
        raise BadModel(f"model {letter}: {error}") from None
    if found.interrupted:
        raise stop.stopped("Stopped before the two models could be compared.")
    return found


def _ways_of(a: Diagnosis, b: Diagnosis) -> tuple[str, str]:
    """Return the best candidate of each, among those for which the time was enough with both."""
    skipped = _skipped(a, b)
    return best_of(a, without=skipped), best_of(b, without=skipped)


def _skipped(a: Diagnosis, b: Diagnosis) -> tuple[str, ...]:
    """Return the candidates for which the time was too short with one of the two."""
    results = [*a.ladder, *b.ladder]
    return tuple(dict.fromkeys(result.name for result in results if result.state == SKIPPED))


def _run_of(diagnosis: Diagnosis, way: str) -> Any:
    """Return the function that calls a model through a candidate."""
    [run] = [result.run for result in diagnosis.ladder if result.name == way]
    return run


def _change_of_answers(a: list[Any], b: list[Any], same_input: bool) -> tuple[float | None, str]:
    """Return how far the answers of B are from those of A, as a share and in words."""
    if not same_input:
        return None, "The answers were not compared: the two models take different inputs."
    if _shapes_of(a) != _shapes_of(b):
        return None, "The answers were not compared: they have different shapes."
    problem = difference(b, a)
    gap = largest_gap(b, a)
    size = gap_in_words(gap)
    if problem is None:
        return gap, f"Both give the same answer to this input; the largest difference is {size}."
    return gap, f"They answer this input differently; the largest difference is {size}."


def _shapes_of(outputs: list[Any]) -> list[Any]:
    return [getattr(output, "shape", ()) for output in outputs]


def _command(
    a: Diagnosis,
    b: Diagnosis,
    sample: Any,
    batch: int,
    budget: float,
    options: Mapping[str, Any],
) -> str:
    """Return the command that repeats the comparison."""
    if a.origin is None or b.origin is None:
        return ""
    words: dict[str, Any] = {
        "--sample": shown_path(sample),
        "--batch": [batch],
        "--budget": float(budget),
    }
    for name in ("shape", "dtype", "signature", "trust", "threads"):
        words[f"--{name}"] = options.get(name)
    words["--import"] = [shown_path(name) for name in as_list(options.get("own_code"))]
    for name in ("inputs", "outputs"):
        words[f"--{name}"] = ",".join(as_list(options.get(name)))
    return command_for([a.origin.path, b.origin.path], words)
