"""What the unit tests share: a clock that only work moves, results, and the rules that hide measured figures."""

import random
import re
from pathlib import Path

from nbval.plugin import get_sanitize_patterns

from labkit.measure.count import Call, Count
from labkit.measure.growth import Growth
from labkit.measure.profile import Profile
from labkit.measure.results import Comparison, Sweep, Timing

ROOT = Path(__file__).resolve().parents[1]
PATTERNS = get_sanitize_patterns(
    (ROOT / "tests" / "nbval_sanitize.cfg").read_text(encoding="ascii")
)
# The same inputs in every run, and nothing written to the project's folder.
REPEATABLE = {"derandomize": True, "database": None, "deadline": None}


def sanitize(text):
    """Return what nbval compares of a text."""
    for regex, replace in PATTERNS:
        text = re.sub(regex, replace, text)
    return text


class Clock:
    """A clock that stands still until a candidate works: no test waits, none depends on the machine.

    `slowdown` takes the time and returns the factor by which work is slower at that moment.
    """

    def __init__(self, slowdown=lambda now: 1.0, tick=0.0):
        self.now, self.slowdown, self.tick, self.works = 0.0, slowdown, tick, 0

    def __call__(self):
        return self.now - self.now % self.tick if self.tick else self.now

    def work(self, seconds):
        self.works += 1  # no two calls take exactly as long: that would look like a coarse clock
        self.now += seconds * self.slowdown(self.now) * (1 + 1e-8 * (self.works % 89))

    def candidate(self, seconds, *, first=None, result=None, tell=lambda: None):
        """Return a function that takes so long; its first call may take another time, and each call is told."""
        pending = [] if first is None else [first]

        def call():
            tell()
            self.work(pending.pop() if pending else seconds)
            return result

        return call


def comparison(costs, *, seed=0, n=120, spread=0.02, seconds=1.0, **options):
    """Return a comparison with noise that both sides of a round share, and a little of each one's own."""
    rng, names = random.Random(seed), list(costs)
    shared = [rng.lognormvariate(0, 0.3) for _ in range(n)]
    samples = {
        name: [cost * s * rng.lognormvariate(0, spread) for s in shared]
        for name, cost in costs.items()
    }
    first = {
        name: cost * (40 if i else 2) * rng.uniform(0.7, 1.4)
        for i, (name, cost) in enumerate(costs.items())
    }
    return Comparison(samples, names[0], first_call=first, seconds=seconds, **options)


def every_result(seed=0, scale=1.0):
    """Return one result of each kind; another seed or scale is another run, perhaps on another machine."""
    rng = random.Random(seed)
    pair = comparison({"eager": scale * 1e-4, "graph": scale * 4e-5}, seed=seed)
    levels = [scale * 1e-3 * (1 + 0.2 * i) * rng.uniform(0.95, 1.05) for i in range(12)]
    owners = (
        "Keras (Python)",
        "TensorFlow (Python)",
        "Python, other",
        "TensorFlow (compiled operations)",
    )
    weights = [rng.uniform(0.2, 1) for _ in owners]
    return {
        "comparison": pair,
        "several": comparison({f"way {i}": scale * 1e-3 * 2**i for i in range(9)}, seed=seed),
        "timing": Timing("call", pair.samples["eager"], first_call=0.3 * scale),
        "sweep": Sweep(
            {
                s: comparison({"eager": scale * 1e-4 * s, "graph": scale * (2e-5 + 3e-5 * s)})
                for s in (1, 8, 64)
            },
            "batch",
        ),
        "count": Count(
            3, 40, 1000, 2, 1, [Call("f", 1, "float32[2]"), Call("f"), Call("f", 1, "float32[3]")]
        ),
        "memory": Growth(
            "memory", [i * 3e6 * rng.uniform(0.95, 1.05) for i in range(12)], 100, 1.5 * 2**20
        ),
        "ops": Growth("ops", [2 * i for i in range(12)], 100, 0),
        "cost": Growth("cost", levels, 100, 0),
        "profile": Profile(
            {o: w / sum(weights) for o, w in zip(owners, weights, strict=True)}, 300
        ),
    }
