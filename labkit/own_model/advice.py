"""Say in words what to do with a model: each sentence with the measurement that supports it."""

import math
from dataclasses import dataclass

from ..measure.results import Comparison
from ..measure.stats import pays_after
from ..show.format import MARK, digits, duration, measured, measured_count
from .answers import gap_in_words
from .candidates import (
    ALL_THREADS,
    CALL,
    CONCRETE,
    FUNCTION,
    LITERT,
    ON_BATCH,
    ORT,
    PREDICT,
    WHAT,
    XLA,
)
from .cases import count_of_rows
from .ladder import at_batch_size
from .measurements import Measurements, known_ends
from .prepare import (
    FAILED,
    LONGEST_BUDGET,
    MEASURED,
    MISMATCH,
    NOT_SUPPORTED,
    SKIPPED,
    CandidateResult,
    round_seconds,
)

_WORTH = 1.1  # a tenth faster: for less than that nobody changes a service
_MOSTLY = 0.75  # share of the time of model(x)
_BATCH_PAYS = 0.7  # a row in a larger batch costs at most this share
_MUCH_FASTER = 0.5
_OTHERS_DISTURB = 0.3  # share of the processor
# Candidates that run no Python of the model: only against these is it known what Python costs.
_GRAPHS = (FUNCTION, CONCRETE, XLA, LITERT, ORT)
# Candidates that take one number of rows only.
_OF_ONE_SIZE = (CONCRETE, XLA, LITERT, ORT)
# Of two candidates that are as good, the simpler one is recommended.
_SIMPLEST_FIRST = (CALL, ON_BATCH, FUNCTION, CONCRETE, XLA, LITERT, ORT)


@dataclass(frozen=True, repr=False)
class Advice:
    """One sentence of the recommendation.

    Attributes
    ----------
    about : str
        ``busy``, ``candidate``, ``interrupted``, ``tensorflow``, ``first call``, ``predict``,
        ``overhead``, ``batch``, ``throughput``, ``state``, ``refused``, ``agreement`` or
        ``budget``.
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
        *_about_others(m),
        *_about_candidate(m),
        *_about_overhead(m),
        *_about_predict(m),
        *_about_batch(m),
        *_about_throughput(m),
        *_about_state(m),
        *_about_agreement(m),
        *_about_refused(m),
        *_about_budget(m),
    ]


def best_of(m: Measurements, without: tuple[str, ...] = ()) -> str:
    """Return the best candidate of the ladder."""
    return best_among(m.one, without)


def best_among(one: Comparison, without: tuple[str, ...] = ()) -> str:
    """Return the simplest candidate that is not shown to take a tenth longer than the fastest one.

    Where the fastest one is shown to be faster than model(x), the simpler one has to be, too.
    The fastest one is that with the smallest ratio to model(x) within the rounds: a median of its
    own tells which candidate met the quieter seconds.
    """
    ratios = {CALL: 1.0}
    for name in one.samples:
        if name != CALL and name not in without:
            ratios[name] = one.relative(name, CALL).value
    fastest = min(ratios, key=lambda name: ratios[name])
    for name in _SIMPLEST_FIRST:
        if name in ratios and _is_as_good(one, name, fastest, ratios):
            return name
    return fastest


def _is_as_good(one: Comparison, name: str, fastest: str, ratios: dict[str, float]) -> bool:
    """Return whether a candidate is not shown to take a tenth longer than the fastest one."""
    if name == fastest:
        return True
    if name != CALL and _beats_call(one, fastest) and not _beats_call(one, name):
        return False  # what is certain is better than what is simple
    if known_ends(one.relative(fastest, name)) is None:  # too few rounds to show anything
        return ratios[name] <= _WORTH * ratios[fastest]
    return one.is_faster(fastest, than=name, by=_WORTH).holds is not True


def _beats_call(one: Comparison, name: str) -> bool:
    return name != CALL and one.is_faster(name, than=CALL, by=_WORTH).holds is True


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
    if 0 < ratio.value < _MUCH_FASTER and ratio.high < 1:
        text += f", so it is {measured(1 / ratio.value)} times as fast"
    return text


# ---- the sentences ----


def _about_others(m: Measurements) -> list[Advice]:
    """Say first that other programs were at work: every time is then too long."""
    if m.one.processor is None or not m.one.processor.others > _OTHERS_DISTURB:
        return []  # also where it is not known
    others = m.one.processor.others
    text = "Measure again while nothing else runs: the times are too long, the ratios less so."
    evidence = f"other programs took {measured(100 * others, '%')} of the processor meanwhile"
    return [Advice("busy", text, evidence)]


def _about_candidate(m: Measurements) -> list[Advice]:
    """Recommend the best candidate, or to leave model(x) as it is."""
    best = best_of(m)
    if best == CALL:
        text = f"Leave {CALL} as it is: no other candidate is shown to be faster by a tenth."
        return [Advice("candidate", text, _next_best(m))]
    found = m.one.is_faster(best, than=CALL, by=_WORTH)
    how = "Call it through" if found.holds else "Try"
    text = f"{how} {best}, {WHAT[best]}: it takes {_relative_time(m, best)}."
    if best == ALL_THREADS:
        how = "Give" if found.holds else "Try to give"
        text = f"{how} it a thread for each processor: it takes {_relative_time(m, best)}."
    if not found.holds:
        text += " The budget was too short for certainty."
    advice = [Advice("candidate", text, _times_per_call(m, best))]
    if best in (LITERT, ORT):
        advice += _about_tensorflow(m)
    if found.holds:
        advice += _about_first_call(m, best)
    return advice


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
    others = {n: m.one.relative(n, CALL).value for n in m.one.samples if n != CALL}
    if not others:
        return "no other candidate could be measured"
    fastest = min(others, key=lambda name: others[name])
    return f"the best of the others, {fastest}, takes {_relative_time(m, fastest)}"


def _about_tensorflow(m: Measurements) -> list[Advice]:
    """Name the best candidate for those who want no converted file."""
    inside = best_of(m, without=(LITERT, ORT))
    if inside == CALL:
        return []
    found = m.one.is_faster(inside, than=CALL, by=_WORTH)
    how = "take" if found.holds else "try"
    text = (
        f"Within TensorFlow, without a converted file, {how} {inside}: {_relative_time(m, inside)}."
    )
    if not found.holds:
        text += " The budget was too short for certainty."
    return [Advice("tensorflow", text, _times_per_call(m, inside))]


def _about_first_call(m: Measurements, best: str) -> list[Advice]:
    """Say after how many calls the slow first call has paid for itself."""
    first = m.one.first_call
    direct = m.one.median[CALL].value
    each = direct * m.one.relative(best, CALL).value
    if not math.isfinite(first[best]):
        return []
    calls = pays_after((first[CALL], direct), (first[best], each))
    if not calls:
        return []
    paid = measured_count(calls, "calls") if calls > 1 else "its first call"
    text = f"Prepare {best} once, when the service starts: it has paid for itself after {paid}."
    evidence = (
        f"the first call takes {duration(first[best])},"
        f" each later one saves {duration(direct - each)} against {CALL}"
    )
    return [Advice("first call", text, evidence)]


def _about_overhead(m: Measurements) -> list[Advice]:
    """Say what part of the time does not depend on the rows, or that most of it does.

    Nothing else that is measured here tells overhead from arithmetic: a graph that is faster may
    have fused operations, and one that is not may be slow for many reasons.
    """
    found = _time_with_more_rows(m)
    if found is None:
        return []
    name, size, low, high = found
    rows = size / m.batch
    fixed = (rows - high) / (rows - 1)  # at least this share is the same for any number of rows
    evidence = (
        f"{count_of_rows(size)} in one call take {measured(low, '×')} to {measured(high, '×')} "
        f"the time of {m.batch_label}, through {name}"
    )
    if fixed >= _MOSTLY:
        text = (
            f"At least {measured(100 * fixed, '%')} of a call with {m.batch_label} does not depend "
            "on the rows: it is the price of calling."
        )
        return [Advice("overhead", text, evidence)]
    has_graph = any(candidate in m.one.samples for candidate in _GRAPHS)
    if has_graph and best_of(m) == CALL and low >= _MOSTLY * rows:
        text = (
            "The time grows with the rows: only a smaller model, fewer bits per number or a faster"
            " machine helps further."
        )
        return [Advice("overhead", text, evidence)]
    return []


def _time_with_more_rows(m: Measurements) -> tuple[str, int, float, float] | None:
    """Return a candidate, a larger batch size, and how many times as long a call with it takes."""
    name = best_of(m)
    for size, comparison in m.many.items():
        labels = at_batch_size(name, size), at_batch_size(name, m.batch)
        if size <= m.batch or not set(labels) <= comparison.samples.keys():
            continue
        ends = known_ends(comparison.relative(*labels))  # per row
        if ends is not None:
            low, high = ends
            return name, size, low * size / m.batch, high * size / m.batch
    return None


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
    name = best_of(m)
    cheapest = _cheapest_size(m, name)
    if cheapest is None:
        return []
    size, comparison = cheapest
    here, there = at_batch_size(name, m.batch), at_batch_size(name, size)
    together = count_of_rows(size)
    ratio = comparison.relative(there, here)
    cost = (
        f"through {name} a row then costs {measured(ratio.value, '×', known_ends(ratio))}"
        f" what it costs with {m.batch_label} per call"
    )
    times = comparison.median
    evidence = (
        f"time per row: {duration(times[there].value)} with {together},"
        f" {duration(times[here].value)} with {m.batch_label}"
    )
    pays = comparison.is_faster(there, than=here, by=1 / _BATCH_PAYS).holds
    if pays is None:
        text = f"Measure longer to see whether {together} in one call pay: {cost}."
        return [Advice("batch", text, evidence)]
    if not pays:
        text = f"Do not make requests wait to send {together} in one call: {cost}."
        return [Advice("batch", text, evidence)]
    send = "Where rows may wait, send" if size > m.batch else "Send"
    text = f"{send} {together} in one call: {cost}."
    rate = f"{MARK}{digits(1 / times[there].value)} rows/s"
    return [Advice("batch", text, f"{evidence}; {rate}")]


def _cheapest_size(m: Measurements, name: str) -> tuple[int, Comparison] | None:
    """Return the other batch size at which a candidate takes least per row, and its measurement."""
    cheapest = None
    least = math.inf
    for size, comparison in m.many.items():
        labels = at_batch_size(name, size), at_batch_size(name, m.batch)
        if not set(labels) <= comparison.samples.keys():
            continue
        ratio = comparison.relative(*labels).value
        if ratio < least:
            cheapest = size, comparison
            least = ratio
    return cheapest


def _about_throughput(m: Measurements) -> list[Advice]:
    """Name the rows per call with the largest throughput among those answered in time."""
    service = m.service
    if service is None or service.within is None or not service.sweep:
        return []
    within = f"{service.within * 1e3:g} ms"
    size = service.most_rows
    if size is None:
        quickest = min(service.sweep, key=lambda rows: service.sweep[rows].almost_all)
        text = f"Answer later than {within}: through {service.best} no number of rows is in time."
    else:
        quickest = size
        text = (
            f"For the largest throughput within {within}, send {count_of_rows(size)} in one call"
            f" through {service.best}."
        )
    calls = service.sweep[quickest]
    few = calls.percentile(0.99) is None
    share = "all" if few else "99 % of"
    timed = f"{share} {measured_count(calls.count, 'calls')} with {count_of_rows(quickest)}"
    rate = f"{MARK}{digits(quickest / calls.mean)} rows/s"
    evidence = f"{timed} took at most {duration(calls.almost_all)}; {rate}"
    return [Advice("throughput", text, evidence)]


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
        size = gap_in_words(gap)
        text = f"The candidates in the ladder give the same answer.{_of_one_size(m, compared)}"
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


def _of_one_size(m: Measurements, compared: list[CandidateResult]) -> str:
    """Return which candidates cannot take the place of others where the rows vary."""
    names = [result.name for result in compared if result.name in _OF_ONE_SIZE]
    if not names:
        return ""
    verb = "takes" if len(names) == 1 else "take"
    return f" {_joined(names)} {verb} {m.batch_label} per call and no other number."


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
    skipped = []
    needs = 0.0
    for result in m.ladder:
        if result.state == SKIPPED and not result.needs > LONGEST_BUDGET:
            skipped.append(result.name)
            needs = max(result.needs, needs)  # NaN if it is not known
    if not skipped:
        return []
    pronoun = "them" if len(skipped) > 1 else "it"
    evidence = f"{m.budget:g} s were not enough to prepare {pronoun} as well"
    if not math.isfinite(needs):
        text = f"Give a larger time budget to see {_joined(skipped)}."
    else:
        enough = round_seconds(needs)
        text = f"Give a time budget of about {enough:g} s to see {_joined(skipped)} as well."
    return [Advice("budget", text, evidence)]


def _joined(names: list[str]) -> str:
    """Return names as in a sentence: ``a``, ``a and b``, ``a, b and c``."""
    *others, last = names
    if not others:
        return last
    return f"{', '.join(others)} and {last}"
