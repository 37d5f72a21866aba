"""Statistics of paired rounds: a median, its exact interval, and one of four verdicts.

Method: Conover, *Practical Nonparametric Statistics*, section 3.2 (the sign-test interval for a quantile). It assumes
nothing about the shape of the noise, needs no random numbers, and one wild sample cannot move it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

VERDICTS = ("faster", "slower", "similar", "unclear")


class Interval(NamedTuple):
    """A value with the interval that holds the true one.

    Parameters
    ----------
    value : float
        The estimate.
    low, high : float
        The ends of the interval, in the unit of `value`; infinite where the data cannot bound them.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Finding:
    """What a measurement says about a statement: true exactly when it supports it.

    Parameters
    ----------
    holds : bool or None
        None when the data cannot tell.
    measured : str
        The measured numbers behind it, formatted.
    """

    holds: bool | None
    measured: str = ""

    def __bool__(self) -> bool:
        return self.holds is True

    def __repr__(self) -> str:
        return "undecided" if self.holds is None else str(self.holds)


def sign_ranks(n: int, confidence: float) -> int:
    """Return how many of `n` sorted values to drop at each end for a sign-test interval of the median.

    Parameters
    ----------
    n : int
        Number of values.
    confidence : float
        Wanted coverage, between 0.5 and 1.

    Returns
    -------
    int
        The number to drop, or -1 when `n` values are too few for that confidence.

    Examples
    --------
    >>> sign_ranks(10, 0.95), sign_ranks(5, 0.95)
    (1, -1)
    """
    tail, dropped = 0.0, -1
    for k in range((n + 1) // 2):
        tail += math.exp(
            math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) - n * math.log(2)
        )
        if 2 * tail > 1 - confidence:
            break
        dropped = k
    return dropped


def bonferroni(confidence: float, candidates: int) -> float:
    """Return the confidence that each row needs so that all rows together have the one asked for.

    Parameters
    ----------
    confidence : float
        Of all rows together.
    candidates : int
        The baseline included: there is one row fewer.

    Returns
    -------
    float
        For one row.

    Examples
    --------
    >>> round(bonferroni(0.99, 3), 4)
    0.995
    """
    return 1 - (1 - confidence) / max(1, candidates - 1)


def median_interval(values: Sequence[float], confidence: float = 0.99) -> Interval:
    """Return the median of `values` with its exact sign-test interval.

    Parameters
    ----------
    values : sequence of float
        At least one value; order does not matter.
    confidence : float
        The interval covers the true median at least this often.

    Returns
    -------
    Interval
        Infinite ends when the values are too few for that confidence.

    Examples
    --------
    >>> median_interval([3, 1, 2, 5, 4, 6, 7, 8, 9, 10], confidence=0.95)
    Interval(value=5.5, low=2, high=9)
    """
    ordered = sorted(values)
    n, middle = len(ordered), len(ordered) // 2
    value = ordered[middle] if n % 2 else (ordered[middle - 1] + ordered[middle]) / 2
    drop = sign_ranks(n, confidence)
    return (
        Interval(value, -math.inf, math.inf)
        if drop < 0
        else Interval(value, ordered[drop], ordered[n - 1 - drop])
    )


def paired_ratio(
    times: Sequence[float], baseline: Sequence[float], confidence: float = 0.99
) -> Interval:
    """Return the time relative to the baseline: the median over rounds of one round's ratio.

    Both samples of a round met the same machine, busy or not, so that their ratio survives where either time does not.

    Parameters
    ----------
    times, baseline : sequence of float, same length
        Seconds per call, one of each per round.
    confidence : float
        Coverage of the interval.

    Returns
    -------
    Interval
        Below 1 where `times` are the shorter ones.

    Examples
    --------
    >>> paired_ratio([2, 20, 2], [1, 10, 1]).value
    2.0
    """
    logs = median_interval(
        [math.log(t / b) for t, b in zip(times, baseline, strict=True)], confidence
    )
    return Interval(*(math.exp(x) if math.isfinite(x) else max(0.0, x) for x in logs))


def verdict(ratio: Interval, margin: float = 0.05) -> str:
    """Return what an interval of time ratios allows to say.

    Parameters
    ----------
    ratio : Interval
        Time relative to the baseline.
    margin : float
        Differences smaller than this share do not matter to you.

    Returns
    -------
    str
        ``faster`` or ``slower`` when the whole interval lies beyond the margin, ``similar`` when it lies within,
        ``unclear`` otherwise: then the data cannot tell.

    Examples
    --------
    >>> verdict(Interval(0.5, 0.4, 0.6)), verdict(Interval(1, 0.99, 1.01)), verdict(Interval(1, 0.8, 1.3))
    ('faster', 'similar', 'unclear')
    """
    lower, upper = 1 / (1 + margin), 1 + margin
    if ratio.high < lower:
        return "faster"
    if ratio.low > upper:
        return "slower"
    return "similar" if lower <= ratio.low and ratio.high <= upper else "unclear"


def pays_after(plain: tuple[float, float], prepared: tuple[float, float]) -> int | None:
    """Return after how many calls a way that costs more at first has taken no more time in all than a plain one.

    Parameters
    ----------
    plain, prepared : (float, float)
        Seconds of the first call, and of each later one.

    Returns
    -------
    int or None
        Calls, the first included; None where the later calls of `prepared` save nothing.

    Examples
    --------
    >>> pays_after((1, 0.5), (3, 0.25))
    9
    """
    saved = plain[1] - prepared[1]
    return math.ceil(max(1, 1 + (prepared[0] - plain[0]) / saved)) if saved > 0 else None
