"""Say in words what to do with a model: each sentence with the measurement that supports it."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..measure.stats import pays_after
from ..show.format import MARK, digits, duration, measured, measured_count
from .candidates import CALL, CONCRETE, FUNCTION, LITERT, ON_BATCH, ORT, PREDICT, WHAT, XLA
from .prepare import CLOSED, FAILED, MEASURED, OTHER, SKIPPED

_WORTH = 1.1  # a tenth faster: below that nobody changes a service
_SIMPLE = (
    CALL,
    ON_BATCH,
    FUNCTION,
    CONCRETE,
    XLA,
    LITERT,
    ORT,
)  # what to prefer where two are as good


@dataclass(frozen=True, repr=False)
class Advice:
    """A sentence of the recommendation.

    Attributes
    ----------
    about : str
        ``rung``, ``tensorflow``, ``first call``, ``predict``, ``overhead``, ``batch``, ``state``, ``refused``,
        ``agreement`` or ``budget``.
    text : str
        What to do.
    evidence : str
        The measurement behind it, and where it stands.
    """

    about: str
    text: str
    evidence: str

    def __repr__(self) -> str:
        return f"{self.text}\n    because: {self.evidence}"


def advise(d: Any) -> list[Advice]:
    """Return the recommendation for a diagnosis, the most important sentence first.

    Parameters
    ----------
    d : Diagnosis
        What was measured.

    Returns
    -------
    list of Advice
        Every sentence rests on a row of its tables.
    """
    return [
        *_rung(d),
        *_overhead(d),
        *_predict(d),
        *_many(d),
        *_state(d),
        *_agreement(d),
        *_not_measured(d),
    ]


def best_of(d: Any, without: tuple[str, ...] = ()) -> str:
    """Return the first rung, from simple to elaborate, that is at most a tenth slower than the fastest.

    Parameters
    ----------
    d : Diagnosis
        What was measured.
    without : tuple of str
        Rungs that do not count.

    Returns
    -------
    str
        Its name.
    """
    times = {name: m.value for name, m in d.one.median.items() if name not in without}
    fastest = min(times.values())
    return next(name for name in _SIMPLE if times.get(name, math.inf) <= _WORTH * fastest)


def _evidence(d: Any, name: str) -> str:
    m = d.medians
    return (
        f"the ladder: {name} {duration(m[name].value)} per call, {CALL} {duration(m[CALL].value)}"
    )


def _times(d: Any, name: str) -> str:
    r = d.relative(name)
    interval = r[1:] if r.low > 0 and math.isfinite(r.high) else None
    fast = f", so it is {measured(1 / r.value)} times as fast" if 0 < r.value < 0.5 else ""
    return f"{measured(r.value, '×', interval)} the time of {CALL}{fast}"


def _rung(d: Any) -> Iterator[Advice]:
    best = best_of(d)
    found = d.one.is_faster(best, than=CALL, by=_WORTH)
    if best == CALL or found.holds is False:
        others = {name: m.value for name, m in d.one.median.items() if name != CALL}
        evidence = (
            _evidence(d, min(others, key=others.get))
            if others
            else "no other way could be measured"
        )
        yield Advice(
            "rung", "Leave model(x) as it is: no other way is faster by a tenth.", evidence
        )
        return
    word = "Call it through" if found.holds else "Try (the budget was too short for certainty)"
    yield Advice(
        "rung", f"{word} {best}, {WHAT[best]}: it takes {_times(d, best)}.", _evidence(d, best)
    )
    if best in (LITERT, ORT):
        inside = best_of(d, (LITERT, ORT))
        if inside != CALL:
            text = f"Within TensorFlow, without a converted file, {inside} is the best: {_times(d, inside)}."
            yield Advice("tensorflow", text, _evidence(d, inside))
    first, each = d.one.first_call, {name: d.one.median[name].value for name in (CALL, best)}
    calls = (
        pays_after((first[CALL], each[CALL]), (first[best], each[best]))
        if math.isfinite(first[best])
        else None
    )
    if calls:
        yield Advice(
            "first call",
            f"Prepare {best} once, when the service starts: it has paid for itself after {measured_count(calls, 'calls')}.",
            f"the first call takes {duration(first[best])}, each later one saves {duration(each[CALL] - each[best])}"
            f" against {CALL}",
        )


def _overhead(d: Any) -> Iterator[Advice]:
    best = best_of(d)
    share = d.one.median[best].value / d.one.median[CALL].value
    if share < 0.5:
        yield Advice(
            "overhead",
            f"At least {measured(100 * (1 - share), '%')} of model(x) is overhead, not arithmetic: a smaller model would"
            " not help, another way to call it does.",
            f"{best} gives the same answer in {measured(100 * share, '%')} of the time",
        )
    elif share > 0.75:
        yield Advice(
            "overhead",
            "The arithmetic dominates: only a smaller model, fewer bits per number or a faster machine helps further.",
            f"the fastest way still takes {measured(100 * share, '%')} of the time of model(x)",
        )


def _predict(d: Any) -> Iterator[Advice]:
    if d.predict is None:
        return
    if d.predict.is_faster(CALL, than=PREDICT, by=_WORTH).holds:
        text = f"Do not use predict for {d.rows}: it takes {_times(d, PREDICT)}. It is made for many rows in one call."
        yield Advice("predict", text, _evidence(d, PREDICT))
    elif d.predict.is_faster(PREDICT, than=CALL, by=_WORTH).holds:
        calls = next((r.python_calls for r in d.ladder if r.name == CALL), None)
        why = f"; one model(x) makes {calls:,} Python calls, more for each layer" if calls else ""
        yield Advice(
            "predict",
            f"Do not replace predict by model(x), as is often advised: predict takes {_times(d, PREDICT)}.",
            f"{_evidence(d, PREDICT)}{why}",
        )


def _many(d: Any) -> Iterator[Advice]:
    # The way and the size with the least time per row, against the same way at the size of the ladder.
    found = [
        (line[n], n, name)
        for name, line in d.per_row.items()
        for n in line
        if n != d.batch and d.batch in line
    ]
    if not found:
        return
    end, n, name = min(found)
    together = f"{n} row{'s' * (n != 1)}"
    ratio = d.many[n].relative(f"{name}, {together}", f"{name}, {d.rows}")
    what = f"through {name} a row then costs {measured(ratio.value, '×')} what it costs with {d.rows} per call"
    evidence = f"time per row: {duration(end)} with {together}, {duration(d.per_row[name][d.batch])} with {d.rows}"
    if ratio.value < 0.7:
        wait = "Where rows may wait, send" if n > d.batch else "Send"
        yield Advice(
            "batch",
            f"{wait} {together} in one call: {what}.",
            f"{evidence}; {MARK}{digits(1 / end)} rows/s",
        )
    else:
        yield Advice(
            "batch", f"Do not make requests wait to send {together} in one call: {what}.", evidence
        )


def _state(d: Any) -> Iterator[Advice]:
    if d.states:
        yield Advice(
            "state",
            "It remembers something between calls: give each stream of requests a copy of its own, and reset it"
            " before the next stream.",
            f"one call changed {d.states} of its variables; they were put back before each answer was compared",
        )


def _agreement(d: Any) -> Iterator[Advice]:
    compared = [r for r in d.ladder if r.state == MEASURED]
    if d.random:
        yield Advice(
            "agreement",
            "Check the answers yourself: the model answers the same input differently each time, also without dropout.",
            "two calls of model(x, training=False) gave different numbers, so that the ways were not compared",
        )
    elif len(compared) > 1:
        gap = max(r.gap for r in compared if math.isfinite(r.gap))
        size = f"{measured(100 * gap, '%')} of the largest value" if gap else "none"
        yield Advice(
            "agreement",
            "Any of the ways in the ladder may take the place of another: they give the same answer.",
            f"the largest difference to model(x) over {len(compared)} ways and all outputs: {size}",
        )
    for r in d.ladder:
        if r.state == OTHER:
            yield Advice("agreement", f"Do not use {r.name}: it gives another answer.", r.why)


def _not_measured(d: Any) -> Iterator[Advice]:
    for r in d.ladder:
        if r.state in (FAILED, CLOSED):
            yield Advice("refused", f"{r.name} is not open to this model.", r.why)
    skipped = [r.name for r in d.ladder if r.state == SKIPPED]
    if skipped:
        yield Advice(
            "budget",
            f"Give a larger time budget to see {', '.join(skipped)}.",
            f"{d.budget:g} s were not enough to prepare {'them' if len(skipped) > 1 else 'it'} as well",
        )
