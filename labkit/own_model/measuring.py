"""Measure rungs in pairs, each with its own number of calls per sample, at one batch size or at several."""

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from ..measure.compare import compare
from ..measure.results import Comparison
from ..measure.rounds import SAMPLE, burst, calls_per_sample
from . import candidates
from .candidates import CALL, FUNCTION, LITERT, ORT, XLA, Job
from .loading import hushed
from .prepare import MEASURED, Clock, Rung, State, difference, estimate

_MANY = (CALL, FUNCTION, XLA, LITERT, ORT)  # measured at the other batch sizes, too
_ENOUGH = (
    2.0  # seconds for one comparison: more would only narrow intervals that are narrow already
)
_ROUNDS = 20  # of slow rungs: enough for an interval


def measure(
    ladder: Sequence[Rung], baseline: str, budget: float, rows: dict[str, int] | None = None
) -> Comparison:
    """Measure rungs against each other in pairs, each called as often per sample as it needs.

    Parameters
    ----------
    ladder : sequence of Rung
        Those that are to be measured, estimated already.
    baseline : str
        The one that the others are held against.
    budget : float
        Seconds.
    rows : dict of str to int, optional
        Divide the time of a rung by so many rows.

    Returns
    -------
    Comparison
        Seconds per call, or per row. Without intervals when the budget allows too few rounds.
    """
    # `compare` takes one number of calls for all. Here the slowest may take ten thousand times the fastest, so that
    # each rung brings its own number, and the samples are divided by it afterwards.
    times = {r.name: calls_per_sample(r.estimate, 10_000) for r in ladder}
    fns = {r.name: burst(r.run, times[r.name]) for r in ladder}
    divide = {name: times[name] * (rows or {}).get(name, 1) for name in times}
    one_round = sum(max(r.estimate, SAMPLE) for r in ladder)
    budget = min(budget, max(_ENOUGH, _ROUNDS * one_round))
    if len(fns) < 2 or 16 * one_round > budget:
        rounds = max(1, min(12, int(budget / max(one_round, 1e-9))))
        samples = {name: [] for name in fns}
        for _ in range(rounds):
            for name, fn in fns.items():
                begin = time.perf_counter()
                fn()
                samples[name].append(time.perf_counter() - begin)
        raw = Comparison(samples, baseline, notes=["the budget allows too few rounds for verdicts"])
    else:
        raw = compare(
            fns, baseline=baseline, budget=0.8 * budget, number=1, check=False, progress=False
        )
    scaled = {name: [s / divide[name] for s in samples] for name, samples in raw.samples.items()}
    firsts = {r.name: r.first_call for r in ladder}
    return replace(
        raw, samples=scaled, first_call=firsts, notes=[n for n in raw.notes if "clock" not in n]
    )


def many(
    job_of: Callable[[int], Job],
    batch: int,
    rows: int,
    ladder: Sequence[Rung],
    clock: Clock,
    budget: float,
    state: State,
) -> Comparison | None:
    """Measure what one row costs when several are sent together.

    Parameters
    ----------
    job_of : callable
        Returns model and input for a batch size.
    batch, rows : int
        The size of the ladder, and the one to try.
    ladder : sequence of Rung
        The climbed one.
    clock, budget : Clock, float
        What is left, and the share of it for this size.
    state : State
        To start from.

    Returns
    -------
    Comparison or None
        Seconds per row, by names such as ``LiteRT, 32 rows``; None when the budget is used up.
    """
    job, arms, share = job_of(rows), [], {}
    begin = clock.spent
    known = {r.name: r for r in ladder if r.state == MEASURED}
    wanted: list[Any] | None = None
    for name in _MANY:
        one = known.get(name)
        if one is None or (
            name != CALL and one.first_call > 0.5 * (budget - (clock.spent - begin))
        ):
            continue
        with (
            hushed(),
            contextlib.suppress(Exception),
        ):  # what a size does not allow is left out of its picture
            state.reset()
            start = time.perf_counter()
            run = candidates.prepare(name, job)
            answer = run()
            first = time.perf_counter() - start
            wanted = wanted or answer  # the first is model(x) itself
            if not state.random and difference(answer, wanted):
                continue
            here = Rung(f"{name}, {_rows(rows)}", first_call=first, run=run)
            estimate(here, clock, counted=False)
            there = replace(one, name=f"{name}, {_rows(batch)}")
            arms += [there, here]
            share |= {there.name: batch, here.name: rows}
    left = min(clock.left, budget - (clock.spent - begin))
    if not arms or left <= 0:
        return None
    return measure(arms, arms[0].name, left, share)


def _rows(n: int) -> str:
    return f"{n} row{'s' * (n != 1)}"
