"""What was measured about one model; tables, figures, advice and report are made from it."""

import math
from dataclasses import dataclass, field

from ..measure.results import Comparison
from ..measure.stats import Interval
from .answers import TOLERANCE
from .candidates import ALL_THREADS, CALL, CANDIDATES, PREDICT
from .cases import count_of_rows
from .ladder import at_batch_size
from .origin import Origin
from .prepare import MEASURED, CandidateResult
from .service import Service


@dataclass(repr=False)
class Measurements:
    """What was measured about one model. The attributes are those of `Diagnosis`."""

    name: str
    kind: str
    facts: dict[str, str]
    batch: int
    ladder: list[CandidateResult]
    one: Comparison
    predict: Comparison | None = None
    many: dict[int, Comparison] = field(default_factory=dict)
    states: int = 0
    random: bool = False
    machine: dict[str, str] = field(default_factory=dict)
    budget: float = math.nan
    seconds: float = math.nan
    tolerance: float = TOLERANCE
    interrupted: bool = False
    notes: list[str] = field(default_factory=list)
    origin: Origin | None = None
    service: Service | None = None

    @property
    def conditions(self) -> list[str]:
        """What was measured, with which input, and what else to know before believing it."""
        notes = [text for name, text in self.facts.items() if name.startswith("note")]
        load = self.machine.get("load before")
        busy = [f"load of the machine before: {load}"] if load else []
        return [f"{self.name}, {self.kind}", *notes, *busy, *self.notes]

    @property
    def batch_label(self) -> str:
        """The batch size in words."""
        return count_of_rows(self.batch)

    @property
    def medians(self) -> dict[str, Interval]:
        """Seconds per call of each candidate that was measured, in the order of the ladder."""
        found = dict(self.one.median)
        if self.predict is not None:
            found[PREDICT] = self.predict.median[PREDICT]
        return {result.name: found[result.name] for result in self.ladder if result.name in found}

    @property
    def first_calls(self) -> dict[str, float]:
        """Seconds from nothing to the first answer, by candidate."""
        ready = [result for result in self.ladder if result.state == MEASURED]
        return {result.name: result.first_call for result in ready}

    @property
    def python_calls(self) -> dict[str, int | None]:
        """Python calls in one later call, by candidate; None where they were not counted."""
        return {result.name: result.python_calls for result in self.ladder}

    @property
    def refused(self) -> dict[str, str]:
        """Why candidates were not measured, by candidate."""
        missing = [result for result in self.ladder if result.state != MEASURED]
        return {result.name: f"{result.state}: {result.why}" for result in missing}

    @property
    def refused_together(self) -> list[str]:
        """Why candidates were not measured, in one line for all that have the same reason."""
        names_by_reason: dict[str, list[str]] = {}
        for name, reason in self.refused.items():
            names_by_reason.setdefault(reason, []).append(name)
        return [f"{', '.join(names)}: {reason}" for reason, names in names_by_reason.items()]

    @property
    def per_row(self) -> dict[str, dict[int, float]]:
        """Seconds per row, by candidate and batch size."""
        lines: dict[str, dict[int, float]] = {}
        for other_size, comparison in self.many.items():
            medians = comparison.median
            for name in (*CANDIDATES, ALL_THREADS):
                for size in (self.batch, other_size):
                    label = at_batch_size(name, size)
                    if label in medians:
                        lines.setdefault(name, {})[size] = medians[label].value
        return lines

    def relative(self, name: str) -> Interval:
        """Return the time of a candidate relative to that of ``model(x)``.

        Parameters
        ----------
        name : str
            The candidate.

        Returns
        -------
        Interval
            0.5 is half the time. Its ends are 0 and infinite if there were too few rounds.

        Raises
        ------
        KeyError
            The candidate was not measured.
        """
        comparison = self.one
        if name == PREDICT and self.predict is not None:
            comparison = self.predict
        return comparison.relative(name, CALL)


def known_ends(interval: Interval) -> tuple[float, float] | None:
    """Return the ends of a ratio, or None if the rounds were too few to bound it."""
    if interval.low > 0 and math.isfinite(interval.high):
        return interval.low, interval.high
    return None
