"""Hold labkit.compare against the usual ways to time, at equal time, on a machine as it is and with every core busy.

A program, not a test: about 15 minutes. For identical code, 1.05 and 1.25 times the work it asks each tool which of
two is slower and by how much, `--sets` times, and writes the shares of wrong and right verdicts and the error of the
ratio. The exit status is 1 when labkit misses what the course promises.

- timeit: the best of 5 repeats, a fifth of the time each, one side after the other; it gives no verdict.
- %timeit: mean and standard deviation of 7 repeats; the verdict is that of a reader who looks whether they overlap.
- torch.utils.benchmark: median of `blocked_autorange`, where torch is installed; a difference over 1 % counts.
- labkit: `compare` with a margin of 2 %, so that identical code and 1.05 times the work can both be decided.

timeit and %timeit are computed from one trace of single calls, which both of them would have seen.
"""

import argparse
import math
import multiprocessing
import platform
import random
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import labkit as lab
from labkit.measure.system import cores

TRUTHS = {1.0: 20, 1.05: 21, 1.25: 25}  # operations per call of the second side; the first makes 20
PROMISES = {
    "median": 0.5,
    "p95": 5.0,
    "power": 0.95,
    "better": 10.0,
}  # percent, percent, share, times


def work(operations: int) -> Callable[[], None]:
    """Return a callable that runs so many small eager operations: about 0.15 ms for 20."""
    import tensorflow as tf

    x = tf.random.uniform((10, 10))

    def run() -> None:
        for _ in range(operations):
            tf.tanh(x)

    return run


def spin(seconds: float) -> None:
    """Keep one core busy for at most so long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


class Load:
    """One spinning process per core while the block runs; each ends by itself after an hour at the latest."""

    def __init__(self, wanted: bool):
        self.wanted, self.processes = wanted, []

    def __enter__(self) -> None:
        context = multiprocessing.get_context("spawn")  # TensorFlow's threads do not survive a fork
        for _ in range(cores() if self.wanted else 0):
            process = context.Process(target=spin, args=(3600,), daemon=True)
            process.start()
            self.processes.append(process)
        time.sleep(2 if self.wanted else 0)

    def __exit__(self, *_) -> None:
        for process in self.processes:
            process.kill()
            process.join()


def trace(fn: Callable[[], None], seconds: float) -> list[float]:
    """Return the time of every call made in so many seconds."""
    times, end = [], time.perf_counter() + seconds
    now = time.perf_counter()
    while now < end:
        fn()
        times.append(-now + (now := time.perf_counter()))
    return times


def blocks(times: list[float], n: int) -> list[float]:
    """Return the mean of each of n equal parts."""
    size = max(1, len(times) // n)
    return [
        statistics.fmean(times[i * size : (i + 1) * size])
        for i in range(min(n, len(times) // size))
    ]


def sequential(a: Callable, b: Callable, budget: float) -> dict[str, tuple[float, str]]:
    """Return ratio and verdict of the tools that time one side after the other."""
    first, second = trace(a, budget / 2), trace(b, budget / 2)
    result = {"timeit, best of 5": (min(blocks(second, 5)) / min(blocks(first, 5)), "")}
    (ma, sa), (mb, sb) = (
        (statistics.fmean(x), statistics.stdev(x)) for x in (blocks(first, 7), blocks(second, 7))
    )
    word = "slower" if mb - sb > ma + sa else "faster" if mb + sb < ma - sa else "similar"
    result["%timeit, mean ± std of 7"] = (mb / ma, word)
    return result


def with_torch(a: Callable, b: Callable, budget: float) -> dict[str, tuple[float, str]]:
    """Return ratio and verdict of torch.utils.benchmark; nothing where torch is missing."""
    try:
        from torch.utils.benchmark import Timer
    except ImportError:
        return {}
    times = [
        Timer("f()", globals={"f": f}).blocked_autorange(min_run_time=budget / 2).median
        for f in (a, b)
    ]
    ratio = times[1] / times[0]
    return {
        "torch.utils.benchmark": (
            ratio,
            "slower" if ratio > 1.01 else "faster" if ratio < 0.99 else "similar",
        )
    }


def with_labkit(a: Callable, b: Callable, budget: float) -> dict[str, tuple[float, str]]:
    """Return ratio and verdict of labkit.compare."""
    c = lab.compare(a=a, b=b, budget=budget, margin=0.02, check=False, progress=False)
    return {"labkit.compare": (c.ratio["b"].value, c.verdict["b"])}


def quantile(values: list[float], q: float) -> float:
    """Return a quantile: the value at that rank."""
    return sorted(values)[min(len(values) - 1, math.ceil(q * len(values)) - 1)]


def run(sets: int, budget: float) -> dict[tuple[str, str], list[tuple[float, float, str]]]:
    """Return {(tool, condition): [(true ratio, measured ratio, verdict)]}."""
    arms, found, total = {n: work(n) for n in TRUTHS.values()}, {}, 2 * len(TRUTHS) * sets
    base = work(20)
    base()
    done, begin = 0, time.monotonic()
    for condition in ("as it is", "all cores busy"):
        with Load(condition != "as it is"):
            for _ in range(sets):
                for truth in random.sample(list(TRUTHS), len(TRUTHS)):
                    tools = [sequential, with_torch, with_labkit]
                    for tool in random.sample(tools, len(tools)):
                        for name, (ratio, word) in tool(base, arms[TRUTHS[truth]], budget).items():
                            found.setdefault((name, condition), []).append((truth, ratio, word))
                    done += 1
                    left = (time.monotonic() - begin) / done * (total - done)
                    print(
                        f"\r{done} of {total} sets, {left / 60:.0f} min left  ",
                        end="",
                        file=sys.stderr,
                        flush=True,
                    )
    print(file=sys.stderr)
    return found


def summary(results: list[tuple[float, float, str]]) -> dict[str, float]:
    """Return error and verdicts of one tool in one condition."""
    errors = [100 * abs(ratio / truth - 1) for truth, ratio, _ in results]
    right = {1.0: "similar", 1.05: "slower", 1.25: "slower"}
    verdicts = [(truth, word) for truth, _, word in results if word]
    wrong = [truth for truth, word in verdicts if word not in (right[truth], "unclear")]
    far = [word == "slower" for truth, word in verdicts if truth == 1.25]
    return {
        "median": statistics.median(errors),
        "p95": quantile(errors, 0.95),
        "wrong": len(wrong) / len(verdicts) if verdicts else math.nan,
        "power": statistics.fmean(far) if far else math.nan,
    }


def markdown(found: dict, sets: int, budget: float) -> str:
    """Return the table with what it was made on."""
    versions = lab.setup()
    lines = [
        "| tool | machine | error of the ratio: median | 95th percentile | wrong verdicts | 1.25 recognised |"
    ]
    lines.append("|---|---|---|---|---|---|")
    for (tool, condition), results in sorted(
        found.items(), key=lambda item: (item[0][1] != "as it is", item[0][0])
    ):
        s = summary(results)
        shares = ["–" if math.isnan(s[k]) else f"{s[k]:.0%}" for k in ("wrong", "power")]
        lines.append(
            f"| {tool} | {condition} | {s['median']:.2f} % | {s['p95']:.1f} % | {shares[0]} | {shares[1]} |"
        )
    torch = "" if any("torch" in tool for tool, _ in found) else " torch was not installed."
    made = f"{versions['python']}, {versions['tensorflow']}, {cores()} cores, {platform.system()} {platform.machine()}"
    lines += [
        "",
        f"Made on {time.strftime('%Y-%m-%d')} with {made}; {sets} sets each of identical code, 1.05 and 1.25 "
        f"times the work, {budget:g} s per comparison.{torch}",
    ]
    return "\n".join(lines)


def missed(found: dict) -> list[str]:
    """Return the promises that were not kept."""
    ours = {
        condition: summary(r) for (tool, condition), r in found.items() if tool == "labkit.compare"
    }
    out = []
    for condition, s in ours.items():
        out += [f"{condition}: {s['wrong']:.1%} wrong verdicts"] if s["wrong"] else []
        out += (
            [f"{condition}: 1.25 recognised in {s['power']:.0%}"]
            if s["power"] < PROMISES["power"]
            else []
        )
        out += [
            f"{condition}: {k} error {s[k]:.2f} %" for k in ("median", "p95") if s[k] > PROMISES[k]
        ]
    for (tool, condition), r in found.items():
        if tool != "labkit.compare" and condition != "as it is":
            s = summary(r)
            out += [
                f"{condition}: {k} error of {tool} only {s[k] / ours[condition][k]:.1f} times ours"
                for k in ("median", "p95")
                if s[k] < PROMISES["better"] * ours[condition][k]
            ]
    return out


def main() -> int:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--sets", type=int, default=60, help="comparisons per truth and condition (default: 60)"
    )
    parser.add_argument(
        "--budget", type=float, default=1.0, help="seconds per comparison and tool (default: 1)"
    )
    parser.add_argument(
        "--markdown", type=Path, metavar="FILE", help="also write the table to FILE"
    )
    options = parser.parse_args()
    lab.setup()
    found = run(options.sets, options.budget)
    table = markdown(found, options.sets, options.budget)
    print(table)
    if options.markdown:
        options.markdown.write_text(table + "\n", encoding="utf-8")
    for line in (problems := missed(found)):
        print(f"MISSED {line}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
