"""Say in words what to do with a model: each sentence with the measurement that supports it."""

import math
from dataclasses import dataclass

from ..measure.stats import pays_after
from ..show.format import MARK, digits, duration, measured, measured_count
from .candidates import CALL, CONCRETE, FUNCTION, LITERT, ON_BATCH, ORT, PREDICT, WHAT, XLA
from .cases import count_of_rows
from .ladder import at_batch_size
from .measurements import Measurements, known_ends
from .prepare import FAILED, MEASURED, MISMATCH, NOT_SUPPORTED, SKIPPED

_WORTH = 1.1  # a tenth faster: for less than that nobody changes a service
_MOSTLY_OVERHEAD = 0.5  # the best candidate takes at most this share of the time of model(x)
_MOSTLY_ARITHMETIC = 0.75  # or at least this share
_BATCH_PAYS = 0.7  # a row in a larger batch costs at most this share
_MUCH_FASTER = 0.5
# Of two candidates that are as good, the simpler one is recommended.
_SIMPLEST_FIRST = (CALL, ON_BATCH, FUNCTION, CONCRETE, XLA, LITERT, ORT)


@dataclass(frozen=True, repr=False)
class Advice:
    """One sentence of the recommendation.

    Attributes
    ----------
    about : str
        ``candidate``, ``interrupted``, ``tensorflow``, ``first call``, ``predict``, ``overhead``,
        ``batch``, ``state``, ``refused``, ``agreement`` or ``budget``.
    text : str
        What to do.
    evidence : str
        The measurement behind it.
    """

    about: str
    text: str
    evidence: str

    def __repr__(self) -> str:
        return f"{self.text}\n    because: {self.evidence}"


def advise(m: Measurements) -> list[Advice]:
    """Return the recommendation, the most important sentence first."""
    if m.one.interrupted:
        return [
            *_about_interruption(m),
            *_about_predict(m),
            *_about_state(m),
            *_about_agreement(m),
            *_about_refused(m),
        ]
    return [
        *_about_candidate(m),
        *_about_overhead(m),
        *_about_predict(m),
        *_about_batch(m),
        *_about_state(m),
        *_about_agreement(m),
        *_about_refused(m),
        *_about_budget(m),
    ]


def best_of(m: Measurements, without: tuple[str, ...] = ()) -> str:
    """Return the simplest candidate that takes at most a tenth longer than the fastest one."""
    times = {name: time.value for name, time in m.one.median.items() if name not in without}
    allowed = _WORTH * min(times.values())
    good = [name for name in _SIMPLEST_FIRST if times.get(name, math.inf) <= allowed]
    return good[0]


# ---- what the sentences are made of ----


def _times_per_call(m: Measurements, name: str) -> str:
    """Return the evidence for a candidate: its time per call, and that of model(x)."""
    medians = m.medians
    time = duration(medians[name].value)
    direct = duration(medians[CALL].value)
    return f"the ladder: {name} {time} per call, {CALL} {direct}"


def _relative_time(m: Measurements, name: str) -> str:
    """Return the time of a candidate relative to model(x), in words."""
    ratio = m.relative(name)
    text = f"{measured(ratio.value, '×', known_ends(ratio))} the time of {CALL}"
    if 0 < ratio.value < _MUCH_FASTER:
        text += f", so it is {measured(1 / ratio.value)} times as fast"
    return text


# ---- the sentences ----


def _about_candidate(m: Measurements) -> list[Advice]:
    """Recommend the best candidate, or to leave model(x) as it is."""
    best = best_of(m)
    found = m.one.is_faster(best, than=CALL, by=_WORTH)
    if best == CALL or found.holds is False:
        text = f"Leave {CALL} as it is: no other candidate is faster by a tenth."
        return [Advice("candidate", text, _next_best(m))]
    what = f"{best}, {WHAT[best]}: it takes {_relative_time(m, best)}."
    if found.holds:
        text = f"Call it through {what}"
    else:
        text = f"Try {what} The budget was too short for certainty."
    advice = [Advice("candidate", text, _times_per_call(m, best))]
    if best in (LITERT, ORT):
        advice += _about_tensorflow(m)
    return advice + _about_first_call(m, best)


def _about_interruption(m: Measurements) -> list[Advice]:
    """Say what the candidates look like so far, and recommend none."""
    best = best_of(m)
    text = "Measure again before you decide: this measurement was interrupted."
    if best == CALL:
        return [Advice("interrupted", f"{text} So far {CALL} is as good as any.", _next_best(m))]
    so_far = f"So far {best} is the best: it takes {_relative_time(m, best)}."
    return [Advice("interrupted", f"{text} {so_far}", _times_per_call(m, best))]


def _next_best(m: Measurements) -> str:
    """Return the evidence that no other candidate is better than model(x)."""
    others = {name: time.value for name, time in m.one.median.items() if name != CALL}
    if not others:
        return "no other candidate could be measured"
    fastest = min(others, key=lambda name: others[name])
    return _times_per_call(m, fastest)


def _about_tensorflow(m: Measurements) -> list[Advice]:
    """Name the best candidate for those who want no converted file."""
    inside = best_of(m, without=(LITERT, ORT))
    if inside == CALL:
        return []
    text = (
        f"Within TensorFlow, without a converted file, {inside} is the best:"
        f" {_relative_time(m, inside)}."
    )
    return [Advice("tensorflow", text, _times_per_call(m, inside))]


def _about_first_call(m: Measurements, best: str) -> list[Advice]:
    """Say after how many calls the slow first call has paid for itself."""
    first = m.one.first_call
    direct = m.one.median[CALL].value
    each = m.one.median[best].value
    if not math.isfinite(first[best]):
        return []
    calls = pays_after((first[CALL], direct), (first[best], each))
    if not calls:
        return []
    paid = measured_count(calls, "calls")
    text = f"Prepare {best} once, when the service starts: it has paid for itself after {paid}."
    evidence = (
        f"the first call takes {duration(first[best])},"
        f" each later one saves {duration(direct - each)} against {CALL}"
    )
    return [Advice("first call", text, evidence)]


def _about_overhead(m: Measurements) -> list[Advice]:
    """Say whether overhead or arithmetic takes the time of model(x)."""
    best = best_of(m)
    share = m.one.median[best].value / m.one.median[CALL].value
    if share < _MOSTLY_OVERHEAD:
        text = (
            f"At least {measured(100 * (1 - share), '%')} of {CALL} is overhead, not arithmetic:"
            " a smaller model would not help, another way to call it does."
        )
        evidence = f"{best} gives the same answer in {measured(100 * share, '%')} of the time"
        return [Advice("overhead", text, evidence)]
    if share > _MOSTLY_ARITHMETIC:
        text = (
            "The arithmetic dominates: only a smaller model, fewer bits per number or a faster"
            " machine helps further."
        )
        evidence = (
            f"the fastest candidate still takes {measured(100 * share, '%')} of the time of {CALL}"
        )
        return [Advice("overhead", text, evidence)]
    return []


def _about_predict(m: Measurements) -> list[Advice]:
    """Say whether predict is slower than model(x), or faster."""
    if m.predict is None:
        return []
    evidence = _times_per_call(m, PREDICT)
    if m.predict.is_faster(CALL, than=PREDICT, by=_WORTH).holds:
        text = (
            f"Do not use predict for {m.batch_label}: it takes {_relative_time(m, PREDICT)}."
            " It is made for many rows in one call."
        )
        return [Advice("predict", text, evidence)]
    if m.predict.is_faster(PREDICT, than=CALL, by=_WORTH).holds:
        text = (
            f"Do not replace predict with {CALL}, as is often advised:"
            f" predict takes {_relative_time(m, PREDICT)}."
        )
        calls = m.python_calls[CALL]
        if calls:
            evidence += f"; one {CALL} makes {calls:,} Python calls, more for each layer"
        return [Advice("predict", text, evidence)]
    return []


def _about_batch(m: Measurements) -> list[Advice]:
    """Say whether a row costs less in another batch size, through the candidate that is best."""
    cheapest = _cheapest_row(m)
    if cheapest is None:
        return []
    name, size = cheapest
    line = m.per_row[name]
    together = count_of_rows(size)
    ratio = m.many[size].relative(at_batch_size(name, size), at_batch_size(name, m.batch))
    cost = (
        f"through {name} a row then costs {measured(ratio.value, '×')}"
        f" what it costs with {m.batch_label} per call"
    )
    evidence = (
        f"time per row: {duration(line[size])} with {together},"
        f" {duration(line[m.batch])} with {m.batch_label}"
    )
    if ratio.value >= _BATCH_PAYS:
        text = f"Do not make requests wait to send {together} in one call: {cost}."
        return [Advice("batch", text, evidence)]
    send = "Where rows may wait, send" if size > m.batch else "Send"
    text = f"{send} {together} in one call: {cost}."
    return [Advice("batch", text, f"{evidence}; {MARK}{digits(1 / line[size])} rows/s")]


def _cheapest_row(m: Measurements) -> tuple[str, int] | None:
    """Return the candidate and the other batch size with the least time per row."""
    cheapest = None
    least = math.inf
    for name, line in m.per_row.items():
        for size, seconds in line.items():
            if size != m.batch and m.batch in line and seconds < least:
                cheapest = (name, size)
                least = seconds
    return cheapest


def _about_state(m: Measurements) -> list[Advice]:
    """Warn of a model that remembers."""
    if not m.states:
        return []
    text = (
        "It remembers something between calls: give each stream of requests its own copy,"
        " and reset it before the next stream."
    )
    evidence = (
        f"one call changed {m.states} of its variables;"
        " they were put back before each answer was compared"
    )
    return [Advice("state", text, evidence)]


def _about_agreement(m: Measurements) -> list[Advice]:
    """Say whether the candidates give the same answer."""
    advice = []
    compared = [result for result in m.ladder if result.state == MEASURED]
    if m.random:
        text = (
            "Check the answers yourself: the model answers the same input differently each time,"
            " also without dropout."
        )
        evidence = (
            "two calls of model(x, training=False) gave different numbers,"
            " so the candidates were not compared"
        )
        advice.append(Advice("agreement", text, evidence))
    elif len(compared) > 1:
        gap = max(result.gap for result in compared if math.isfinite(result.gap))
        size = f"{measured(100 * gap, '%')} of the largest value" if gap else "none"
        text = "The candidates in the ladder are interchangeable: they give the same answer."
        evidence = (
            f"the largest difference from {CALL} over {len(compared)} candidates"
            f" and all outputs: {size}"
        )
        advice.append(Advice("agreement", text, evidence))
    for result in m.ladder:
        if result.state == MISMATCH:
            text = f"Do not use {result.name}: it gives a different answer."
            advice.append(Advice("agreement", text, result.why))
    return advice


def _about_refused(m: Measurements) -> list[Advice]:
    """Name the candidates that cannot be used with this model, together if the reason is one."""
    names_by_reason: dict[str, list[str]] = {}
    for result in m.ladder:
        if result.state in (FAILED, NOT_SUPPORTED):
            names_by_reason.setdefault(result.why, []).append(result.name)
    advice = []
    for reason, names in names_by_reason.items():
        text = f"{_joined(names)} cannot be used with this model."
        advice.append(Advice("refused", text, reason))
    return advice


def _about_budget(m: Measurements) -> list[Advice]:
    """Name the candidates for which the time was too short."""
    skipped = [result.name for result in m.ladder if result.state == SKIPPED]
    if not skipped:
        return []
    text = f"Give a larger time budget to see {_joined(skipped)}."
    pronoun = "them" if len(skipped) > 1 else "it"
    evidence = f"{m.budget:g} s were not enough to prepare {pronoun} as well"
    return [Advice("budget", text, evidence)]


def _joined(names: list[str]) -> str:
    """Return names as in a sentence: ``a``, ``a and b``, ``a, b and c``."""
    *others, last = names
    if not others:
        return last
    return f"{', '.join(others)} and {last}"
