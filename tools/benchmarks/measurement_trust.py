"""Hold labkit.compare against the usual ways to time, on a machine that is idle, busy, or busy in
bursts.

A program, not a test: about 25 minutes on a machine that does nothing else; `--only` makes one of
the two tables.

Like code. For identical code, 1.1 and 1.25 times the work it asks each tool which of two is slower
and by how much, `--sets` times. All answers are read with the same four words and the same margin,
labkit's default of 5 %: a tool's own error bars make an interval of the ratio, and an interval
that leaves it open is *unclear*.

- timeit: the best of 5 repeats, one side after the other; it has no error bars, so it is never
  unclear.
- %timeit: mean and standard deviation of 7 repeats, one side after the other.
- torch.utils.benchmark: median and interquartile range of `blocked_autorange`, where torch is
  installed.
- labkit: `compare` as it is.

timeit and %timeit are computed from one trace of single calls, which both of them would have seen.

Unlike code. A graph against XLA, eager against a graph, NumPy slices against tf.data, a call
against predict: there is no known truth, so the same comparison is repeated. Two intervals of the
same ratio that do not overlap contradict each other.

    make bench-trust
"""

import argparse
import functools
import itertools
import math
import multiprocessing
import platform
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import labkit as lab
from labkit.measure.stats import Interval, verdict
from labkit.measure.system import cores

HERE = Path(__file__).resolve().parent
BASE_WORK = 20  # operations per call
TRUTHS = {1.0: 20, 1.1: 22, 1.25: 25}  # operations per call of the second side
CALLS_FOR_THE_TRUTH = 4000
TRIES_FOR_THE_TRUTH = 5
RIGHT = {1.0: "similar", 1.1: "slower", 1.25: "slower"}
MARGIN = 0.05
IDLE, BUSY, BURSTS = "idle", "all cores busy", "busy in bursts"
OURS = "labkit.compare"
MEDIAN_ERROR = 0.5  # percent: what the course promises for like code on a busy machine
LARGE_ERROR = 5.0  # percent, 95th percentile
TIMES_BETTER = 10
CONTRADICTIONS = 0.05  # share of pairs of intervals


@dataclass
class Answer:
    """What one tool said about one pair: the ratio, and the verdict that its error bars allow.

    `work` is the ratio of the operations, `truth` that of the times.
    """

    work: float
    truth: float
    ratio: float
    word: str


# ---- the machine ----


def spin(seconds: float, burst: float) -> None:
    """Keep one core busy for at most `seconds`; with `burst`, on and off at random."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        working = random.expovariate(1 / burst) if burst else seconds
        until = min(end, time.monotonic() + working)
        while time.monotonic() < until:
            pass
        if burst:
            time.sleep(random.expovariate(1 / burst))


@contextmanager
def machine(condition: str) -> Iterator[None]:
    """Keep the machine in a condition; each spinning process ends by itself within an hour."""
    context = multiprocessing.get_context("spawn")  # TensorFlow's threads do not survive a fork
    burst = 0.3 if condition == BURSTS else 0.0
    processes = []
    if condition != IDLE:
        for _ in range(cores()):
            process = context.Process(target=spin, args=(3600, burst), daemon=True)
            process.start()
            processes.append(process)
        time.sleep(2)
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.join()


# ---- like code ----


def work(operations: int) -> Callable[[], None]:
    """Return a function that runs some small eager operations: about 0.2 ms for 20.

    All have the same input: where it lies in memory is worth up to 0.3 % of such a call.
    """
    import tensorflow as tf

    x = the_input()

    def run() -> None:
        for _ in range(operations):
            tf.tanh(x)

    return run


@functools.cache
def the_input() -> Any:
    """Return the tensor that all functions of like code work on."""
    import tensorflow as tf

    return tf.random.uniform((10, 10))


def true_ratio(base: Callable[[], None], side: Callable[[], None]) -> float:
    """Return the ratio of the shortest calls of two functions, made in turns on the idle machine.

    Entering a function and its loop is a share of such a short call: 22 operations take a little
    less than 1.1 times the time of 20. The first percentile of thousands of calls is undisturbed;
    the median of several such ratios is what most of the run shows.
    """
    return statistics.median(ratio_of_shortest(base, side) for _ in range(TRIES_FOR_THE_TRUTH))


def ratio_of_shortest(base: Callable[[], None], side: Callable[[], None]) -> float:
    """Return the ratio of the first percentiles of some thousand calls.

    Each is called first as often as second: what comes second in a turn finds the caches warm, and
    would be half a percent faster, which is as much as the error that is looked for.
    """
    times: dict[Callable[[], None], list[float]] = {base: [], side: []}
    for turn in range(CALLS_FOR_THE_TRUTH):
        for fn in (base, side) if turn % 2 else (side, base):
            begin = time.perf_counter()
            fn()
            times[fn].append(time.perf_counter() - begin)
    return quantile(times[side], 0.01) / quantile(times[base], 0.01)


def trace(fn: Callable[[], None], seconds: float) -> list[float]:
    """Return the time of every call made in some seconds."""
    times: list[float] = []
    end = time.perf_counter() + seconds
    while True:
        begin = time.perf_counter()
        if begin > end:
            return times
        fn()
        times.append(time.perf_counter() - begin)


def part_means(times: list[float], count: int) -> list[float]:
    """Return the means of equal parts of a trace."""
    size = max(1, len(times) // count)
    starts = range(0, size * count, size)
    return [statistics.fmean(times[start : start + size]) for start in starts if times[start:]]


def in_words(ratio: float, low: float, high: float) -> str:
    """Return the verdict that an interval of the ratio allows."""
    return verdict(Interval(ratio, low, high), MARGIN)


def one_after_the_other(a: Callable, b: Callable, budget: float) -> dict[str, tuple[float, str]]:
    """Return ratio and verdict of the tools that time one side after the other."""
    first, second = trace(a, budget / 2), trace(b, budget / 2)
    best = min(part_means(second, 5)) / min(part_means(first, 5))
    first_means, second_means = part_means(first, 7), part_means(second, 7)
    first_mean, first_spread = statistics.fmean(first_means), statistics.stdev(first_means)
    second_mean, second_spread = statistics.fmean(second_means), statistics.stdev(second_means)
    ratio = second_mean / first_mean
    low = max(second_mean - second_spread, 0.0) / (first_mean + first_spread)
    left = first_mean - first_spread
    high = (second_mean + second_spread) / left if left > 0 else math.inf
    return {
        "timeit, best of 5": (best, in_words(best, best, best)),
        "%timeit, mean ± std of 7": (ratio, in_words(ratio, low, high)),
    }


def with_torch(a: Callable, b: Callable, budget: float) -> dict[str, tuple[float, str]]:
    """Return ratio and verdict of torch.utils.benchmark; nothing where torch is missing."""
    try:
        from torch.utils.benchmark import Timer
    except ImportError:
        return {}
    measurements = [
        Timer("f()", globals={"f": f}).blocked_autorange(min_run_time=budget / 2) for f in (a, b)
    ]
    first, second = measurements
    ratio = second.median / first.median
    low = (second.median - second.iqr / 2) / (first.median + first.iqr / 2)
    high = (second.median + second.iqr / 2) / (first.median - first.iqr / 2)
    return {"torch.utils.benchmark": (ratio, in_words(ratio, low, high))}


def with_labkit(a: Callable, b: Callable, budget: float) -> dict[str, tuple[float, str]]:
    """Return ratio and verdict of labkit.compare."""
    result = lab.compare(a=a, b=b, budget=budget, check=False, progress=False)
    return {OURS: (result.ratio["b"].value, result.verdict["b"])}


Found = dict[tuple[str, str], list[Answer]]


def like_code(sets: int, budget: float) -> Found:
    """Return the answers by tool and condition of the machine."""
    sides = {truth: work(operations) for truth, operations in TRUTHS.items()}
    base = work(BASE_WORK)
    base()
    true = {truth: true_ratio(base, side) for truth, side in sides.items()}
    true[1.0] = 1.0  # the same code
    found: Found = {}
    tools = [one_after_the_other, with_torch, with_labkit]
    for condition in (IDLE, BUSY, BURSTS):
        # The promises are about the busy machine; the others show how it is elsewhere.
        wanted = sets if condition == BUSY else math.ceil(sets / 3)
        with machine(condition):
            for number in range(wanted):
                show(f"like code, {condition}: set {number + 1} of {wanted}")
                for truth in random.sample(list(TRUTHS), len(TRUTHS)):
                    for tool in random.sample(tools, len(tools)):
                        for name, (ratio, word) in tool(base, sides[truth], budget).items():
                            answer = Answer(truth, true[truth], ratio, word)
                            found.setdefault((name, condition), []).append(answer)
    return found


def quantile(values: list[float], share: float) -> float:
    """Return the value at that rank."""
    return sorted(values)[math.ceil(share * len(values)) - 1]


def errors(answers: list[Answer]) -> list[float]:
    """Return the error of each ratio, in percent."""
    return [100 * abs(answer.ratio / answer.truth - 1) for answer in answers]


def wrong(answers: list[Answer]) -> int:
    """Return how many verdicts were wrong; *unclear* is not."""
    return sum(answer.word not in (RIGHT[answer.work], "unclear") for answer in answers)


def share_of(count: int, total: int) -> str:
    """Return a share; of none, what it may be at most with a confidence of 95 %."""
    if count:
        return f"{count / total:.0%}"
    return f"0 of {total} (below {1 - 0.05 ** (1 / total):.1%})"


def like_code_table(found: Found) -> list[str]:
    """Return the lines of the first table."""
    lines = [
        "| machine | tool | error of the ratio: median | 95th percentile | wrong verdicts "
        "| unclear | 1.1 recognised | 1.25 recognised |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for condition in (IDLE, BUSY, BURSTS):
        for (tool, where), answers in sorted(found.items()):
            if where != condition:
                continue
            off = errors(answers)
            unclear = sum(answer.word == "unclear" for answer in answers)
            lines.append(
                f"| {condition} | {tool} "
                f"| {statistics.median(off):.2f} % | {quantile(off, 0.95):.1f} % "
                f"| {share_of(wrong(answers), len(answers))} | {unclear / len(answers):.0%} "
                f"| {recognised(answers, 1.1):.0%} | {recognised(answers, 1.25):.0%} |"
            )
    return lines


def recognised(answers: list[Answer], work: float) -> float:
    """Return the share of right verdicts where the second side does that many times the work."""
    right = [answer.word == RIGHT[work] for answer in answers if answer.work == work]
    return statistics.fmean(right)


# ---- unlike code ----


def unlike_pairs() -> dict[str, dict[str, Callable]]:
    """Return pairs of candidates that use threads and Python differently."""
    import numpy as np
    import tensorflow as tf

    deep = lab.models.mlp(width=256, depth=5, inputs=64)
    x = tf.random.uniform((64, 64))
    graph = tf.function(deep)
    compiled = tf.function(deep, jit_compile=True)
    small = lab.models.mlp()
    rows = lab.models.random_rows(2048)
    dataset = tf.data.Dataset.from_tensor_slices(rows).batch(64).prefetch(2)

    def numpy_slices() -> Any:
        return [tf.constant(rows[i : i + 64]) for i in range(0, len(rows), 64)]

    def tf_data() -> Any:
        return list(dataset)

    batch = np.asarray(rows[:32])
    return {
        "XLA against a graph": {"graph": lambda: graph(x), "XLA": lambda: compiled(x)},
        "a graph against eager": {"eager": lambda: deep(x), "graph": lambda: graph(x)},
        "tf.data against NumPy slices": {"slices": numpy_slices, "tf.data": tf_data},
        "predict against a call": {
            "call": lambda: small(batch),
            "predict": lambda: small.predict(batch, verbose=0),
        },
    }


def unlike_code(times: int, budget: float) -> tuple[list[str], list[str]]:
    """Return the lines of the second table, and the promises that were missed."""
    lines = [
        "| machine | pair | ratio, median | width of the interval, median | contradictions "
        "| unclear | others took |",
        "|---|---|---|---|---|---|---|",
    ]
    missed = []
    pairs = unlike_pairs()
    for condition in (IDLE, BUSY, BURSTS):
        with machine(condition):
            results: dict[str, list[Any]] = {name: [] for name in pairs}
            for number in range(times):
                show(f"unlike code, {condition}: {number + 1} of {times}")
                for name, candidates in pairs.items():
                    results[name].append(
                        lab.compare(candidates, budget=budget, check=False, progress=False)
                    )
        for name, found in results.items():
            line, contradicted = unlike_line(condition, name, found)
            lines.append(line)
            if contradicted > CONTRADICTIONS:
                missed.append(f"{name}, {condition}: {contradicted:.0%} contradict each other")
    return lines, missed


def unlike_line(condition: str, name: str, found: list[Any]) -> tuple[str, float]:
    """Return a line of the second table, and the share of contradictions."""
    second = next(iter(found[0].ratio))
    ratios = [result.ratio[second] for result in found]
    pairs = list(itertools.combinations(ratios, 2))
    apart = [a.high < b.low or b.high < a.low for a, b in pairs]
    contradicted = statistics.fmean(apart)
    middle = statistics.median(ratio.value for ratio in ratios)
    factors = [ratio.high / ratio.low if ratio.low > 0 else math.inf for ratio in ratios]
    width = statistics.median(factors)
    unclear = statistics.fmean(result.verdict[second] == "unclear" for result in found)
    others = statistics.fmean(result.processor.others for result in found)
    line = (
        f"| {condition} | {name} | {middle:.3g} | ×{width:.2f} "
        f"| {sum(apart)} of {len(pairs)} | {unclear:.0%} | {others:.0%} of the processor |"
    )
    return line, contradicted


# ---- together ----


def promises_missed(found: Found) -> list[str]:
    """Return what the course promises for like code on a busy machine, and was not kept."""
    answers = found[(OURS, BUSY)]
    ours = errors(answers)
    median, large = statistics.median(ours), quantile(ours, 0.95)
    missed = []
    if wrong(answers):
        missed.append(f"{wrong(answers)} wrong verdicts")
    if median > MEDIAN_ERROR:
        missed.append(f"median error {median:.2f} %")
    if large > LARGE_ERROR:
        missed.append(f"95th percentile {large:.1f} %")
    for (tool, condition), others in found.items():
        if condition != BUSY or tool == OURS:
            continue
        theirs = errors(others)
        if statistics.median(theirs) < TIMES_BETTER * median:
            missed.append(f"{tool}: median error {statistics.median(theirs):.2f} %")
    return missed


def show(text: str) -> None:
    """Show on one line what goes on."""
    print(f"\r{text:70}", end="", file=sys.stderr, flush=True)


def like_code_page(sets: int, budget: float, made: str) -> list[str]:
    """Make and store the first table; return the promises that were missed."""
    found = like_code(sets, budget)
    torch = "" if any("torch" in tool for tool, _ in found) else " torch was not installed."
    store(
        "measurement_trust.md",
        like_code_table(found),
        f"{made} {sets} sets of identical code, 1.1 and 1.25 times the work on the busy "
        f"machine, a third of that on the others; margin of all verdicts: {MARGIN:.0%}.{torch}",
    )
    return promises_missed(found)


def unlike_code_page(times: int, budget: float, made: str) -> list[str]:
    """Make and store the second table; return the promises that were missed."""
    table, missed = unlike_code(times, budget)
    store(
        "unlike_code.md",
        table,
        f"{made} Each pair compared {times} times; a contradiction is two intervals "
        "that do not overlap.",
    )
    return missed


def store(name: str, table: list[str], conditions: str) -> None:
    """Write a table and the conditions under which it was made, and show them."""
    text = "\n".join([*table, "", conditions])
    (HERE / name).write_text(text + "\n", encoding="utf-8")
    print(f"\n{text}")


def main() -> int:
    """Make the tables, store them, and return 1 where a promise was missed."""
    parser = argparse.ArgumentParser(description="Compare ways to time two pieces of code.")
    parser.add_argument("--sets", type=int, default=60, help="of like code, busy (default: 60)")
    parser.add_argument("--times", type=int, default=30, help="each unlike pair (default: 30)")
    parser.add_argument("--budget", type=float, default=1.0, help="seconds a comparison")
    parser.add_argument("--only", choices=["like", "unlike"], help="one of the two tables")
    options = parser.parse_args()
    versions = lab.setup()
    made = (
        f"Made on {time.strftime('%Y-%m-%d')} with {versions['python']}, {versions['tensorflow']}, "
        f"{cores()} cores, {platform.system()} {platform.machine()}; "
        f"{options.budget:g} s per comparison."
    )
    missed = []
    if options.only != "unlike":
        missed += like_code_page(options.sets, options.budget, made)
    if options.only != "like":
        missed += unlike_code_page(options.times, options.budget, made)
    for line in missed:
        print(f"missed: {line}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
