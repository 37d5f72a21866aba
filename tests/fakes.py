"""What the unit tests share: a clock that only work moves, results, and what nbval sets aside."""

import gc
import random
import re
import types
from pathlib import Path

from nbval.plugin import get_sanitize_patterns

from labkit.measure.count import Call, Count
from labkit.measure.growth import Growth
from labkit.measure.processor import ProcessorUse
from labkit.measure.profile import Profile
from labkit.measure.results import Comparison, Sweep, Timing
from labkit.measure.timeline import CALLING_THREAD, Timeline

ROOT = Path(__file__).resolve().parents[1]
# nbval opens the file without an encoding: anything but ASCII would be read differently on Windows.
PATTERNS = get_sanitize_patterns(
    (ROOT / "tests" / "nbval_sanitize.cfg").read_text(encoding="ascii")
)
# The same inputs in every run, and nothing written to the folder of the project.
REPEATABLE = {"derandomize": True, "database": None, "deadline": None}
OWNERS = (
    "Keras (Python)",
    "TensorFlow (Python)",
    "Python, other",
    "TensorFlow (compiled operations)",
)


def without_collecting(monkeypatch):
    """Spare each count and each comparison a full collection, a third of a second with TensorFlow.

    What is counted is the same, as the collector is off within a count either way.
    """
    rest = {name: getattr(gc, name) for name in ("isenabled", "enable", "disable")}
    spared = types.SimpleNamespace(collect=lambda generation=2: 0, **rest)
    for module in ("count", "rounds"):
        monkeypatch.setattr(f"labkit.measure.{module}.gc", spared)


def sanitize(text):
    """Return what nbval compares of a text."""
    for regex, replace in PATTERNS:
        text = re.sub(regex, replace, text)
    return text


class Clock:
    """A clock that only moves while a candidate works: no test waits or depends on the machine.

    `slowdown` takes the time and returns the factor by which work is slower at that moment; `tick`
    is the resolution in seconds.
    """

    def __init__(self, slowdown=lambda now: 1.0, tick=0.0):
        self.now = 0.0
        self.works = 0
        self.slowdown = slowdown
        self.tick = tick

    def __call__(self):
        if self.tick:
            return self.now - self.now % self.tick
        return self.now

    def work(self, seconds):
        """Let time pass, never exactly as much: that would look like a coarse clock."""
        self.works += 1
        self.now += seconds * self.slowdown(self.now) * (1 + 1e-8 * (self.works % 89))

    def candidate(self, seconds, *, first=None, result=None, tell=lambda: None):
        """Return a function that takes `seconds`, or `first` in its first call; it calls `tell`."""
        calls = 0

        def call():
            nonlocal calls
            calls += 1
            tell()
            if calls == 1 and first is not None:
                self.work(first)
            else:
                self.work(seconds)
            return result

        return call


def comparison(costs, *, seed=0, n=120, spread=0.02, seconds=1.0, **options):
    """Return a comparison with much noise that a round shares, and a little for each sample."""
    rng = random.Random(seed)
    shared = [rng.lognormvariate(0, 0.3) for _ in range(n)]
    samples = {}
    for name, cost in costs.items():
        samples[name] = [cost * noise * rng.lognormvariate(0, spread) for noise in shared]

    baseline = next(iter(costs))
    first = {}
    for name, cost in costs.items():
        factor = 2 if name == baseline else 40
        first[name] = cost * factor * rng.uniform(0.7, 1.4)
    options.setdefault("processor", ProcessorUse(rng.uniform(0, 0.1)))
    return Comparison(samples, baseline, first_call=first, seconds=seconds, **options)


def every_result(seed=0, scale=1.0):
    """Return one result of each kind; another seed or scale is another run or machine."""
    rng = random.Random(seed)
    pair = comparison({"eager": scale * 1e-4, "graph": scale * 4e-5}, seed=seed)
    nine_costs = {f"candidate {i}": scale * 1e-3 * 2**i for i in range(9)}
    calls = [Call("f", 1, "float32[2]"), Call("f"), Call("f", 1, "float32[3]")]
    levels = [scale * 1e-3 * (1 + 0.2 * i) * rng.uniform(0.95, 1.05) for i in range(12)]
    weights = [rng.uniform(0.2, 1) for _ in OWNERS]
    shares = {owner: w / sum(weights) for owner, w in zip(OWNERS, weights, strict=True)}
    memory = [i * 3e6 * rng.uniform(0.95, 1.05) for i in range(12)]
    sizes = {}
    for size in (1, 8, 64):
        costs = {"eager": scale * 1e-4 * size, "graph": scale * (2e-5 + 3e-5 * size)}
        sizes[size] = comparison(costs)
    starts = [scale * (1e-4 + 2e-5 * i) * rng.uniform(0.98, 1.02) for i in range(40)]
    runs = [(start, start + scale * 1e-5 * rng.uniform(0.2, 1)) for start in starts]
    operations = {f"Op{i}": runs[i : 40 : i + 2] for i in range(7)}
    threads = {CALLING_THREAD: [(scale * 9e-5, scale * 1e-3)], "executor thread 1": runs}
    return {
        "call": Timeline(scale * 1e-3, [(0, scale * 9e-5)], threads, operations),
        "comparison": pair,
        "several": comparison(nine_costs, seed=seed),
        "timing": Timing("call", pair.samples["eager"], first_call=0.3 * scale),
        "sweep": Sweep(sizes, "batch"),
        "count": Count(3, 40, 1000, 2, 1, calls),
        "memory": Growth("memory", memory, 100, 1.5 * 2**20),
        "ops": Growth("ops", [2 * i for i in range(12)], 100, 0),
        "cost": Growth("cost", levels, 100, 0),
        "profile": Profile(shares, 300),
    }
