"""Ladders and roofs: many ways to make one call, held against a floor and against what the machine can do."""

import contextlib
import functools
import importlib
import importlib.util
import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from . import rounds, timing
from .counting import count
from .environment import quiet_stderr
from .picture import COLOURS, MARKERS, Picture, canvas, drawn, look, mark_guess, plain_log
from .results import Comparison
from .text import Table, duration, figure, time_unit


@dataclass(repr=False)
class Ladder(Comparison):
    """A comparison of many ways to make one call; the baseline is the floor.

    Attributes
    ----------
    first_call : dict of str to float
        Seconds from nothing but the model to the first answer: tracing, compiling or converting, and one call.
    python_calls : dict of str to int
        Python calls of one call, after the first.
    """

    python_calls: dict[str, int] = field(default_factory=dict)

    @property
    def table(self) -> Table:
        """A row per rung: time, times the floor with its interval, first answer, Python calls."""
        unit, ratio, rows = time_unit(m.value for m in self.median.values()), self.ratio, []
        for name, m in self.median.items():
            times = figure(ratio[name].value, "×", ratio[name][1:]) if name in ratio else "1"
            calls = f"{self.python_calls[name]:,} Python calls"
            rows.append([name, duration(m.value, unit=unit), times, duration(self.first_call[name]), calls])
        columns = ["", "time per call", f"times {self.baseline}", "first answer after", "in one call"]
        return Table(columns, rows, notes=["the results agree", *self.notes])

    def plot(self, kind: str | None = None, **options: Any) -> Picture:
        """Return the ladder as a picture; any `kind` of a `Comparison` works too."""
        return super().plot(kind, **options) if kind else ladder({"": self}, **options)


def climb(makers: Mapping[str, Callable], model: Any, row: Any, *, floor: str, budget: float = 2.0) -> Ladder:
    """Measure ways to make one call that lie thousands of times apart.

    `labkit.compare` gives each candidate the same number of calls per sample. Here each gets as many as fill a sample,
    and the times are divided by it: else the slowest rung would take all the time there is.

    Parameters
    ----------
    makers : dict of str to callable
        ``make(model, row)`` prepares a way and returns a function of one row. The first is the reference that all
        results are compared with.
    model, row
        Passed to them.
    floor : str
        The name that the others are held against.
    budget : float
        Seconds for the rounds; making and first calls come on top.

    Returns
    -------
    Ladder
        With the first answer and the Python calls of each.

    Raises
    ------
    AssertionError
        Two ways do not give the same result, by `labkit.compare`'s own check.

    Examples
    --------
    >>> ways = {"slow": lambda m, x: lambda x: sum([m] * x), "fast": lambda m, x: lambda x: m * x}
    >>> list(climb(ways, 2, 100, floor="fast", budget=0.05).ratio)
    ['slow']
    """
    ways, first, calls, number = {}, {}, {}, {}
    for name, make in makers.items():
        with quiet_stderr():
            start = rounds.clock()
            ways[name] = make(model, row)
            first[name] = rounds.clock() - start + _took(ways[name], row)
        with count() as n:
            ways[name](row)
        calls[name] = n.python_calls
        quick = min(_took(ways[name], row) for _ in range(3))
        number[name] = rounds.fill(quick, 1000)
    bursts = {name: rounds.burst(functools.partial(way, row), number[name]) for name, way in ways.items()}
    raw = timing.compare(bursts, baseline=floor, budget=budget, number=1)
    samples = {name: [t / number[name] for t in times] for name, times in raw.samples.items()}
    return Ladder(samples, floor, raw.margin, raw.confidence, first, 1, raw.seconds, raw.notes, raw.withheld,
                  raw.interrupted, True, calls)  # fmt: skip


def _took(way: Callable, row: Any) -> float:
    start = rounds.clock()
    way(row)
    return rounds.clock() - start


@drawn
def ladder(ladders: Mapping[str, Ladder], unit: str = "call", guess: Any = None) -> Picture:
    """Answer how far each rung is above the floor: a row per rung, a mark per model, log axis, the floor as a line.

    Parameters
    ----------
    ladders : dict of str to Ladder
        By model; the same rungs in each.
    unit : str
        What a call is.
    guess : Guess or float, optional
        How many times the floor the first rung was guessed to take.
    """
    names = list(next(iter(ladders.values())).samples)
    fig, ax = canvas(1.4 + 0.42 * len(names))
    ax.axvline(1, color="black", linewidth=1.5)
    parts = []
    for i, (model, steps) in enumerate(ladders.items()):
        shift = 0.0 if len(ladders) == 1 else 0.22 * (1 - i)
        for y, name in enumerate(reversed(names)):
            if name == steps.baseline:
                continue
            r = steps.ratio[name]
            ax.plot([max(r.low, r.value / 9), min(r.high, r.value * 9)], [y + shift] * 2, color=COLOURS[i], linewidth=4)
            ax.plot(r.value, y + shift, marker=MARKERS[i], markersize=7, color=COLOURS[i])
            if len(ladders) == 1:
                ax.annotate(figure(r.value, "×"), (r.value, y), (0, 7), textcoords="offset points", ha="center")
        ax.plot([], [], color=COLOURS[i], marker=MARKERS[i], linestyle="none", label=model)
        floor = f"{steps.baseline} {duration(steps.median[steps.baseline].value)}"
        parts.append(f"{model + ': ' * bool(model)}{floor}, {names[0]} {figure(steps.ratio[names[0]].value, '×')} that")
    said = mark_guess(ax, guess, steps.ratio[names[0]].value)
    ax.set_ylim(-0.9 if said else -0.5, len(names) - 0.4)
    ax.set_yticks(range(len(names)), [n if n != steps.baseline else f"{n} (= 1)" for n in reversed(names)])
    ax.set_xscale("log")
    ax.margins(x=0.12)
    plain_log(ax.xaxis, "×")
    ax.xaxis.get_major_locator().set_params(numticks=5)  # the names of seven decades would run into each other
    ax.grid(axis="x", alpha=0.25)
    ax.set_xlabel(f"time per {unit}, relative to {steps.baseline}")
    if len(ladders) > 1:
        ax.legend(loc="lower right", frameon=False)
    return Picture(fig, f"Time per {unit}. {'; '.join(parts)}.")


@drawn
def roofline(peak: float, bandwidth: float, points: Mapping[str, tuple[float, float]]) -> Picture:
    """Answer what holds a call back: its speed under the two limits of the machine, against its work per byte.

    Parameters
    ----------
    peak, bandwidth : float
        Measured: floating-point operations, and bytes, per second.
    points : dict of str to (intensity, speed)
        Operations per byte, and operations per second.
    """
    (fig, ax), ridge = canvas(4.6), peak / bandwidth
    x = [intensity for intensity, _ in points.values()]
    ends = (min(*x, ridge) / 8, max(*x, ridge) * 40)  # room for the names on the right
    slope = ends[0] * bandwidth / 1e9
    ax.plot([ends[0], ridge, ends[1]], [slope, peak / 1e9, peak / 1e9], color="black", linewidth=2.5)
    ax.annotate(f"peak {figure(peak / 1e9, 'GFLOP/s')}", (ridge, peak / 1e9), (0, 7), textcoords="offset points")
    ax.annotate(f"memory {figure(bandwidth / 1e9, 'GB/s')}", (ends[0], slope), (14, -4), textcoords="offset points")
    step = 0.05 * (1 + math.log10(peak / min(speed for _, speed in points.values())))  # the height of a line of text
    names: dict[float, float] = {}
    for name, (intensity, speed) in sorted(points.items(), key=lambda point: -point[1][1]):
        i = list(points).index(name)
        ax.plot(intensity, speed / 1e9, **look(i) | {"linestyle": "none"}, markersize=9)
        names[intensity] = min(math.log10(speed / 1e9), names.get(intensity, math.inf) - step)
        ax.annotate(name, (1.35 * intensity, 10 ** names[intensity]), color=COLOURS[i % 7], va="center")
    shares = {n: figure(100 * speed / min(peak, x * bandwidth), "%") for n, (x, speed) in points.items()}
    parts = [f"{n} {figure(points[n][1] / 1e9, 'GFLOP/s')}, {share} of its roof" for n, share in shares.items()]
    ax.set_xscale("log")
    ax.set_yscale("log")
    plain_log(ax.xaxis)
    plain_log(ax.yaxis)
    ax.grid(alpha=0.25)
    ax.set_xlabel("floating-point operations per byte read or written")
    ax.set_ylabel("speed in GFLOP/s")
    return Picture(fig, f"Under the roof: {'; '.join(parts)}.")


def speeds(comparison: Comparison, work: float, peak: str) -> Table:
    """Return how fast each candidate computes, and which share of the peak that is.

    Parameters
    ----------
    comparison : Comparison
        Of candidates that all do the same number of operations.
    work : float
        That number, in one call.
    peak : str
        The candidate that stands for the most that the machine can do.

    Returns
    -------
    Table
        GFLOP/s, and the share with its interval from the paired rounds.
    """
    rows = []
    for name, m in comparison.median.items():
        r = comparison.relative(peak, name)
        share = figure(100 * r.value, "%", (100 * r.low, 100 * r.high))
        rows.append([name, figure(work / m.value / 1e9, "GFLOP/s"), share])
    return Table(["", "speed", "share of the peak"], rows)


def interpreter(content: bytes, shape: tuple[int, ...], threads: int = 1) -> Any:
    """Return a LiteRT interpreter for a converted model.

    That of `interpreter_class`: the methods are the same, and TensorFlow says of its own that it will be removed.

    Parameters
    ----------
    content : bytes
        What ``model.export(path, format="litert")`` wrote.
    shape : tuple of int
        Of the one input: the model is made ready for this shape and no other.
    threads : int
        How many threads one call may use.

    Returns
    -------
    Interpreter
        Ready for ``set_tensor``, ``invoke`` and ``get_tensor``.
    """
    with warnings.catch_warnings(), quiet_stderr():
        warnings.simplefilter("ignore")  # TensorFlow's own warning, which a lesson shows where it is the subject
        ready = interpreter_class()[0](model_content=content, num_threads=threads)
        ready.resize_tensor_input(ready.get_input_details()[0]["index"], shape)
        ready.allocate_tensors()
    return ready


def interpreter_class() -> tuple[type, str]:
    """Return LiteRT's interpreter: that of ai-edge-litert where it is installed, else the one inside TensorFlow.

    Returns
    -------
    (class, str)
        The class and the name of its package. `ImportError` is raised where there is neither.
    """
    if importlib.util.find_spec("ai_edge_litert"):
        with contextlib.suppress(ImportError):
            return importlib.import_module("ai_edge_litert.interpreter").Interpreter, "ai-edge-litert"
    tf = importlib.import_module("tensorflow")
    if not hasattr(tf, "lite"):
        raise ImportError("this TensorFlow brings no interpreter any more: pip install ai-edge-litert")
    return tf.lite.Interpreter, "tensorflow.lite"
