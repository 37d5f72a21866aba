"""Does a 99 % interval of labkit.compare hold the true ratio in 99 of 100 runs? A simulation.

A program, not a test: some ten minutes. `compare` runs as it is, with its stopping rule, on a
clock that only simulated candidates move, under noise of known kinds; the true ratio is known. The
first table says how often the interval held it and how often a verdict was wrong. The second
compares intervals that could be made of the same rounds, without a stopping rule: those that were
tried, and the one in use.

    make bench-coverage
"""

import argparse
import itertools
import math
import multiprocessing
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy import stats as distributions

import labkit as lab
from labkit.measure import rounds
from labkit.measure.stats import block_interval
from labkit.measure.system import cores

HERE = Path(__file__).resolve().parent
CALL = 200e-6  # seconds: one call fills a sample
LONGEST = 6000  # rounds: more than a run takes
ROUNDS = 2400  # of the second table
LARGEST = 2.0  # of the logarithm of the ratio of one round
MARGIN = 0.05
TRUTHS = (1.0, 1.0499, 1.0501)
PROMISED_COVERAGE = 0.97
PROMISED_ERRORS = 0.01
PROMISED_WIDTH = 1.5  # times that of the sign test, for independent rounds

Noise = Callable[[np.random.Generator, int], np.ndarray]
Interval = tuple[float, float]


# ---- kinds of noise: the logarithm of the ratio, round by round ----


def independent(rng: np.random.Generator, n: int) -> np.ndarray:
    """Return independent lognormal noise of 10 %."""
    return 0.10 * rng.standard_normal(n)


def heavy_tails(rng: np.random.Generator, n: int) -> np.ndarray:
    """Return noise without a variance, with a spike in every tenth round."""
    spikes = (rng.random(n) < 0.1) * rng.choice([-1, 1], n) * np.abs(rng.standard_normal(n))
    return 0.02 * rng.standard_t(1.5, n) + spikes


def autoregressive(correlation: float, size: float) -> Noise:
    """Return noise in which each round remembers the one before."""

    def noise(rng: np.random.Generator, n: int) -> np.ndarray:
        steps = math.sqrt(1 - correlation**2) * rng.standard_normal(n)
        values = np.empty(n)
        last = rng.standard_normal()
        for i in range(n):
            last = correlation * last + steps[i]
            values[i] = last
        return size * values

    return noise


def ratio_states(length: int) -> Noise:
    """Return a ratio that jumps between two values 4 % apart and stays for `length` rounds."""

    def noise(rng: np.random.Generator, n: int) -> np.ndarray:
        lengths = rng.geometric(1 / length, n)
        jumps = np.cumsum(lengths)
        state = np.searchsorted(jumps, np.arange(n), side="right") + rng.integers(2)
        return 0.02 * (2 * (state % 2) - 1) + 0.02 * rng.standard_normal(n)

    return noise


def slow_and_white(rng: np.random.Generator, n: int) -> np.ndarray:
    """Return white noise of 3 % with a slow component of 1 % below it."""
    return 0.03 * rng.standard_normal(n) + autoregressive(0.995, 0.01)(rng, n)


def drift(rng: np.random.Generator, n: int) -> np.ndarray:
    """Return a ratio that drifts by 4 % in the time of a run."""
    return 0.04 * (np.arange(n) / ROUNDS - 0.5) + 0.02 * rng.standard_normal(n)


NOISES: dict[str, Noise] = {
    "independent, 10 %": independent,
    "heavy tails and spikes": heavy_tails,
    "states that slow both alike": independent,
    "autoregressive, 0.5": autoregressive(0.5, 0.05),
    "autoregressive, 0.9": autoregressive(0.9, 0.05),
    "autoregressive, 0.99": autoregressive(0.99, 0.05),
    "ratio states of 10 rounds": ratio_states(10),
    "ratio states of 100 rounds": ratio_states(100),
    "slow 1 % under white 3 %": slow_and_white,
}
# Slower than a run can show: the interval is that of the run.
BEYOND: dict[str, Noise] = {
    "ratio states of 3,000 rounds": ratio_states(3000),
    "a ratio that drifts by 4 %": drift,
}


# ---- the first table: compare as it is ----


class SimulatedClock:
    """A clock that stands still unless a simulated candidate works."""

    def __init__(self, truth: float, noise: np.ndarray, shared: np.ndarray):
        self.now = 0.0
        self.truth = truth
        self.noise = np.exp(noise)
        self.shared = shared
        self.calls = 0

    def __call__(self) -> float:
        return self.now

    def baseline(self) -> None:
        """Work as the baseline does."""
        self.now += CALL * self.shared[self.calls]

    def candidate(self) -> None:
        """Work as the candidate does."""
        self.now += CALL * self.truth * self.shared[self.calls] * self.noise[self.calls]
        self.calls = min(self.calls + 1, LONGEST - 1)


def one_run(task: tuple[str, float, int]) -> tuple[bool, bool, bool, int, float]:
    """Return: held the truth, was wrong, was unclear; number of rounds; width in percent."""
    name, truth, seed = task
    rng = np.random.default_rng(seed)
    noise = {**NOISES, **BEYOND}[name](rng, LONGEST)
    noise = np.clip(noise, -LARGEST, LARGEST)  # a round of hours would end any run
    shared: np.ndarray = np.ones(LONGEST)
    if name == "states that slow both alike":
        shared = 1 + 0.5 * (np.cumsum(rng.random(LONGEST) < 0.02) % 2)
    clock = SimulatedClock(truth, noise, shared)
    rounds.clock = rounds.processor_clock = clock
    result = lab.compare(
        reference=clock.baseline,
        candidate=clock.candidate,
        margin=MARGIN,
        seed=seed,
        check=False,
        progress=False,
    )
    ratio = result.ratio["candidate"]
    word = result.verdict["candidate"]
    right = "slower" if truth > 1 + MARGIN else "similar"
    held = ratio.low <= truth <= ratio.high
    width = 100 * (ratio.high / ratio.low - 1) if ratio.low > 0 else math.inf
    taken = len(result.samples["candidate"])
    return held, word not in (right, "unclear"), word == "unclear", taken, width


def compare_as_it_is(runs: int) -> tuple[list[str], list[str]]:
    """Return the lines of the first table, and the promises that were missed."""
    lines = [
        "| noise of the ratio | true ratio | interval held it | wrong verdicts | unclear "
        "| rounds, median | width, median |",
        "|---|---|---|---|---|---|---|",
    ]
    missed = []
    tasks = list(itertools.product({**NOISES, **BEYOND}, TRUTHS))
    with multiprocessing.get_context("spawn").Pool(cores()) as pool:
        for number, (name, truth) in enumerate(tasks, start=1):
            found = pool.map(one_run, [(name, truth, seed) for seed in range(runs)], chunksize=10)
            columns = np.array(found, dtype=float).T
            held, wrong, unclear = columns[:3].mean(axis=1)
            taken, width = np.median(columns[3:], axis=1)
            mark = " (in this run)" if name in BEYOND else ""
            lines.append(
                f"| {name}{mark} | {truth} | {held:.1%} | {share(wrong, runs)} | {unclear:.0%} "
                f"| {taken:,.0f} | {width:.1f} % |"
            )
            if name in NOISES and held < PROMISED_COVERAGE:
                missed.append(f"{name}, {truth}: held in {held:.1%}")
            if name in NOISES and wrong > PROMISED_ERRORS:
                missed.append(f"{name}, {truth}: wrong in {wrong:.1%}")
            print(f"[{number}/{len(tasks)}] {lines[-1]}", file=sys.stderr, flush=True)
    return lines, missed


def share(value: float, runs: int) -> str:
    """Return a share; of none, what it may be at most with a confidence of 95 %."""
    if value:
        return f"{value:.1%}"
    return f"0 (below {1 - 0.05 ** (1 / runs):.1%})"


# ---- the second table: what else could be made of the same rounds ----


def sign_test(values: np.ndarray) -> Interval:
    """Return the exact interval of the median of independent values."""
    ordered = np.sort(values)
    dropped = int(distributions.binom.ppf(0.005, len(values), 0.5)) - 1
    return float(ordered[dropped]), float(ordered[-1 - dropped])


def block_medians(values: np.ndarray, count: int) -> np.ndarray:
    """Return the medians of equal blocks in time."""
    return np.array([np.median(block) for block in np.array_split(values, count)])


def t_on_blocks(count: int) -> Callable[[np.ndarray], Interval]:
    """Return a function that makes a t interval of block medians."""

    def interval(values: np.ndarray) -> Interval:
        medians = block_medians(values, count)
        quantile = distributions.t.ppf(0.995, count - 1)
        half = quantile * medians.std(ddof=1) / math.sqrt(count)
        return medians.mean() - half, medians.mean() + half

    return interval


def sign_test_on_blocks(values: np.ndarray) -> Interval:
    """Return the sign-test interval of the medians of 16 blocks."""
    return sign_test(block_medians(values, 16))


def block_bootstrap(values: np.ndarray) -> Interval:
    """Return the percentiles of 400 bootstrap medians, from blocks of 50 rounds."""
    rng = np.random.default_rng(0)
    length = 50
    count = len(values) // length
    starts = rng.integers(0, len(values) - length, (400, count))
    picked = values[starts[:, :, None] + np.arange(length)]
    medians = np.median(picked.reshape(400, -1), axis=1)
    low, high = np.quantile(medians, [0.005, 0.995])
    return float(low), float(high)


def self_normalised(values: np.ndarray) -> Interval:
    """Return Shao's self-normalised interval, from the medians of growing parts of the run."""
    ends = np.linspace(0, len(values), 25)[1:].astype(int)
    medians = np.array([np.median(values[:end]) for end in ends])
    spread = np.mean((ends / len(values)) ** 2 * (medians - medians[-1]) ** 2)
    half = math.sqrt(99.46 * float(spread))  # the 99 % quantile of its distribution
    return float(medians[-1]) - half, float(medians[-1]) + half


def in_use(values: np.ndarray) -> Interval:
    """Return the interval that labkit uses."""
    interval = block_interval(values.tolist(), 0.99)
    return interval.low, interval.high


INTERVALS: dict[str, Callable[[np.ndarray], Interval]] = {
    "sign test on rounds": sign_test,
    "block bootstrap": block_bootstrap,
    "self-normalised": self_normalised,
    "sign test, 16 blocks": sign_test_on_blocks,
    "t, 20 blocks": t_on_blocks(20),
    "t, 12 blocks": t_on_blocks(12),
    "t, 8 blocks": t_on_blocks(8),
    "in use: widest of 8, 16, 32 blocks": in_use,
}


def one_series(task: tuple[str, int]) -> list[tuple[bool, float]]:
    """Return, for each interval, whether it held the truth, and its width in percent."""
    name, seed = task
    values = NOISES[name](np.random.default_rng(seed), ROUNDS)
    found = []
    for make in INTERVALS.values():
        low, high = make(values)
        found.append((low <= 0 <= high, 100 * math.expm1(high - low)))
    return found


def candidates_tried(runs: int) -> tuple[list[str], list[str]]:
    """Return the lines of the second table, and the promises that were missed."""
    lines = [
        "| noise of the ratio | " + " | ".join(INTERVALS) + " |",
        "|---|" + "---|" * len(INTERVALS),
    ]
    missed = []
    with multiprocessing.get_context("spawn").Pool(cores()) as pool:
        for name in NOISES:
            if name == "states that slow both alike":
                continue  # the ratio does not see them
            found = pool.map(one_series, [(name, seed) for seed in range(runs)], chunksize=10)
            cells, widths = [], []
            for i in range(len(INTERVALS)):
                held = float(np.mean([series[i][0] for series in found]))
                widths.append(float(np.median([series[i][1] for series in found])))
                cells.append(f"{held:.1%}, {widths[-1]:.2f} %")
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
            if name == "independent, 10 %" and widths[-1] > PROMISED_WIDTH * widths[0]:
                missed.append(f"{name}: {widths[-1] / widths[0]:.2f} times the sign test's width")
            print(lines[-1], file=sys.stderr, flush=True)
    return lines, missed


def main() -> int:
    """Make both tables, store them, and return 1 where a promise was missed."""
    parser = argparse.ArgumentParser(description="Simulate how often the intervals are right.")
    parser.add_argument("--runs", type=int, default=300, help="per line (default: %(default)s)")
    runs = parser.parse_args().runs
    first, missed = compare_as_it_is(runs)
    second, also_missed = candidates_tried(runs)
    made = f"Simulated on {time.strftime('%Y-%m-%d')}, {runs} runs a line."
    (HERE / "coverage.md").write_text("\n".join([*first, "", made]) + "\n", encoding="utf-8")
    about = f"{made} {ROUNDS:,} rounds each; share of intervals that held the truth, median width."
    (HERE / "intervals.md").write_text("\n".join([*second, "", about]) + "\n", encoding="utf-8")
    for line in [*missed, *also_missed]:
        print(f"missed: {line}", file=sys.stderr)
    return 1 if missed or also_missed else 0


if __name__ == "__main__":
    sys.exit(main())
