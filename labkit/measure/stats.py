"""Statistics of paired rounds: a ratio, its interval, and one of four verdicts.

Rounds that follow each other are not independent: a machine stays fast or slow for a while, and
sometimes the ratio of two candidates does, too. More rounds then narrow an interval that treats
them as independent, and do not make it truer. The interval here comes from *blocks in time*: the
rounds are cut into 8, 16 and 32 blocks, the medians of the blocks get a t interval, widened for
the correlation of neighbouring blocks, and the widest of the three counts.

The estimate in that interval is the median of the ratios within rounds. Where a sample resembles
that of its own round no more than those of the rounds around it, it is compared with those as well:
the same samples then give an estimate whose error is smaller, by up to a sixth in simulations.

References
----------
Batch means: Law, *Simulation Modeling and Analysis*, section 9.5. Correlation of the batches as a
factor of the width: Tafazzoli and Wilson, "Skart", IIE Transactions 43 (2011). Test for
dependence: von Neumann's ratio. `tools/benchmarks/coverage.py` compares this interval with others
that were tried. Median of the differences of all pairs: Hodges and Lehmann, Annals of Mathematical
Statistics 34 (1963); here of the pairs that are near each other in time.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np

BLOCKS = (8, 16, 32)
ROUNDS_PER_BLOCK = 8  # fewer, and the median of a block is no shield against a wild round
DEPENDENT = 1.64  # standard deviations of von Neumann's ratio: one-sided 5 %
LEAST_CORRELATION = 0.25  # of eight blocks, where dependence was seen: so few cannot show how much
MOST_CORRELATION = 0.9
FAR = 10  # times: so far apart, a single round decides
NEIGHBOURS = 5  # rounds before and after one that met nearly the same machine
ROUNDS_FOR_NEIGHBOURS = 128  # fewer do not show whether neighbours are as good
ROUNDS_ENOUGH = 20_000  # so many need no help
AS_NEAR = 1.1  # times: pairs of neighbours may spread so much more than pairs of one round
NOTHING_KNOWN = 1e6  # times: ends of an interval that are so far apart bound nothing


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
    """What a measurement says about a statement: truthy only if the measurement supports it.

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


@dataclass(frozen=True)
class _Blocks:
    """What the medians of some blocks in time say about their mean."""

    mean: float
    standard_error: float
    correlation: float  # of neighbours
    dependence: float  # von Neumann's ratio, in standard deviations; 0 for independent blocks
    count: int


def pair_confidence(confidence: float, candidates: int) -> float:
    """Return the confidence each pair needs, so that all pairs together have `confidence`."""
    pairs = candidates * (candidates - 1) / 2
    return 1 - (1 - confidence) / max(1.0, pairs)


def t_quantile(confidence: float, degrees: int) -> float:
    """Return how many standard errors a two-sided t interval reaches to each side."""
    from scipy.special import stdtrit

    return float(stdtrit(degrees, (1 + confidence) / 2))


def block_interval(values: "Sequence[float] | np.ndarray", confidence: float) -> Interval:
    """Return the median of values in the order of time, with its interval.

    The ends are infinite for a single value.
    """
    import numpy as np

    ordered = np.asarray(values, dtype=float)
    median = float(np.median(ordered))
    if len(ordered) < 2:
        return Interval(median, -math.inf, math.inf)
    scales = _scales(ordered)
    dependent = _shows_dependence(scales)
    half = max(_half_width(blocks, confidence, dependent) for blocks in scales)
    centre = scales[-1].mean
    # The median is the estimate: one wild block cannot move it. It always lies in its own interval.
    return Interval(median, min(centre - half, median), max(centre + half, median))


def is_dependent(values: "Sequence[float] | np.ndarray") -> bool:
    """Return whether neighbouring blocks of the values resemble each other."""
    import numpy as np

    if len(values) < 2:
        return False
    return _shows_dependence(_scales(np.asarray(values, dtype=float)))


def _scales(values: "np.ndarray") -> list[_Blocks]:
    """Return the values seen in few large blocks, then in more and smaller ones."""
    counts = [count for count in BLOCKS if len(values) >= count * ROUNDS_PER_BLOCK]
    if not counts:
        counts = [min(len(values), BLOCKS[0])]
    return [_blocks(values, count) for count in counts]


def _blocks(values: "np.ndarray", count: int) -> _Blocks:
    """Return the statistics of `count` blocks in time."""
    import numpy as np

    ends = [i * len(values) // count for i in range(count + 1)]
    medians = np.array([np.median(values[begin:end]) for begin, end in itertools.pairwise(ends)])
    deviations = medians - medians.mean()
    squares = float(np.sum(deviations**2))
    error = math.sqrt(squares / (count - 1) / count)
    all_alike = np.all(medians == medians[0])  # what is left of their deviations is rounding
    if all_alike or count < 4:
        return _Blocks(float(medians.mean()), error, 0.0, 0.0, count)
    correlation = float(np.sum(deviations[1:] * deviations[:-1])) / squares
    ratio = 1 - float(np.sum(np.diff(medians) ** 2)) / (2 * squares)
    dependence = ratio / math.sqrt((count - 2) / (count**2 - 1))
    return _Blocks(float(medians.mean()), error, correlation, dependence, count)


def _shows_dependence(scales: list[_Blocks]) -> bool:
    """Return whether any scale with enough blocks shows dependence."""
    return any(blocks.dependence > DEPENDENT for blocks in scales if blocks.count > BLOCKS[0])


def _half_width(blocks: _Blocks, confidence: float, dependent: bool) -> float:
    """Return half the width of a t interval, widened for the correlation of its blocks."""
    correlation = blocks.correlation
    if dependent:
        # Estimated from few values it comes out too small (Kendall, Biometrika 41, 1954).
        correlation = (blocks.count * correlation + 1) / (blocks.count - 3)
        if blocks.count == BLOCKS[0]:
            correlation = max(correlation, LEAST_CORRELATION)
    correlation = min(max(correlation, 0.0), MOST_CORRELATION)
    widening = math.sqrt((1 + correlation) / (1 - correlation))
    return t_quantile(confidence, blocks.count - 1) * blocks.standard_error * widening


def paired_ratio(
    times: Sequence[float], baseline: Sequence[float], confidence: float = 0.99
) -> Interval:
    """Return the time relative to the baseline: the median of the ratios of paired samples.

    Both samples of a round met the same machine, busy or not, so that their ratio survives where
    either time does not. The interval is that of the ratios within rounds; in a run of some hundred
    rounds, pairs from neighbouring rounds count for the median, too, if they agree as closely.

    Parameters
    ----------
    times, baseline : sequence of float, same length
        Seconds per call, one of each per round, in the order of time.
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
    import numpy as np

    within_rounds = _log_ratios(times, baseline)
    logs = block_interval(within_rounds, confidence)
    if ROUNDS_FOR_NEIGHBOURS <= len(within_rounds) <= ROUNDS_ENOUGH:
        value = _median_with_neighbours(within_rounds, np.log(baseline))
        logs = logs._replace(value=min(max(value, logs.low), logs.high))
    if logs.high - logs.low > math.log(NOTHING_KNOWN):  # an end with 30 digits says no more
        return Interval(math.exp(logs.value), 0.0, math.inf)
    return Interval(math.exp(logs.value), math.exp(logs.low), math.exp(logs.high))


def _median_with_neighbours(within_rounds: "np.ndarray", baseline: "np.ndarray") -> float:
    """Return the median log ratio of pairs within rounds, and of near pairs that are as good.

    Both directions in time count alike, so that exchanging the two inverts the ratio.
    """
    import numpy as np

    times = within_rounds + baseline
    most = AS_NEAR * _spread(within_rounds)
    near = [within_rounds]
    for offset in range(1, NEIGHBOURS + 1):
        pairs = np.concatenate(
            [times[offset:] - baseline[:-offset], times[:-offset] - baseline[offset:]]
        )
        if _spread(pairs) > most:
            break
        near.append(pairs)
    return float(np.median(np.concatenate(near)))


def _spread(values: "np.ndarray") -> float:
    """Return the median distance from the median."""
    import numpy as np

    return float(np.median(np.abs(values - np.median(values))))


def widened(ratio: Interval, times: float) -> Interval:
    """Return the interval of a ratio, so many times as wide to each side on a logarithmic scale."""
    if not ratio.value > 0:
        return ratio
    low = ratio.value * (ratio.low / ratio.value) ** times
    high = ratio.value * (ratio.high / ratio.value) ** times
    return Interval(ratio.value, low, high)


def ratios_depend(times: Sequence[float], baseline: Sequence[float]) -> bool:
    """Return whether the ratio moves slowly: neighbouring blocks of rounds resemble each other."""
    return is_dependent(_log_ratios(times, baseline))


def _log_ratios(times: Sequence[float], baseline: Sequence[float]) -> "np.ndarray":
    """Return the logarithm of the ratio of each round; a long run has a million of them."""
    import numpy as np

    if len(times) != len(baseline):
        raise ValueError(f"a round has one sample of each, got {len(times)} and {len(baseline)}")
    return np.log(np.asarray(times, dtype=float) / np.asarray(baseline, dtype=float))


def quartiles(values: Sequence[float]) -> tuple[float, float]:
    """Return the ends of the middle half of the values."""
    import numpy as np

    last = len(values) - 1
    low, high = round(0.25 * last), round(0.75 * last)
    ordered = np.partition(np.asarray(values, dtype=float), [low, high])
    return float(ordered[low]), float(ordered[high])


def median_of(values: Sequence[float]) -> float:
    """Return the value in the middle."""
    import numpy as np

    return float(np.median(np.asarray(values, dtype=float)))


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
        ``faster`` or ``slower`` when the whole interval lies beyond the margin, ``similar`` when
        it lies within, ``unclear`` otherwise: then the data cannot tell.

    Examples
    --------
    >>> verdict(Interval(0.5, 0.4, 0.6))
    'faster'
    >>> verdict(Interval(1, 0.99, 1.01))
    'similar'
    >>> verdict(Interval(1, 0.8, 1.3))
    'unclear'
    """
    lower, upper = 1 / (1 + margin), 1 + margin
    if ratio.high < lower:
        return "faster"
    if ratio.low > upper:
        return "slower"
    if lower <= ratio.low and ratio.high <= upper:
        return "similar"
    return "unclear"


def pays_after(plain: tuple[float, float], prepared: tuple[float, float]) -> int | None:
    """Return the break-even number of calls of a prepared candidate against a plain one.

    Parameters
    ----------
    plain, prepared : (float, float)
        Seconds of the first call, and of each later one.

    Returns
    -------
    int or None
        Calls, the first included, after which `prepared` has taken no more time in all; 1 where it
        also starts cheaper, None where its later calls save nothing.

    Examples
    --------
    >>> pays_after((1, 0.5), (3, 0.25))
    9
    """
    saved_per_call = plain[1] - prepared[1]
    if saved_per_call <= 0:
        return None
    extra_at_first = prepared[0] - plain[0]
    return math.ceil(max(1.0, 1 + extra_at_first / saved_per_call))
