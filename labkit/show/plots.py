"""One function per question that a picture answers; each returns a `Picture` with the same answer as a sentence."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .figure import (
    COLOURS,
    MARKERS,
    Figure,
    label_line_ends,
    mark_guess,
    new_axes,
    plain_log_axis,
    style,
    with_course_style,
)
from .format import MARK, digits, duration, measured, measured_count, time_unit


def draw(result: Any, kind: str | None = None, **options: Any) -> Figure:
    """Return the picture of a result.

    Parameters
    ----------
    result : Comparison, Timing, Sweep, Growth, Profile or Count
        What to show.
    kind : str
        Comparison: ``ratio`` (default), ``times``, ``rounds``, ``break-even``. The others have one kind each.
    **options
        Passed to the function of this module that draws it.

    Returns
    -------
    Picture
        With its sentence in `text`.

    Raises
    ------
    ValueError
        No such kind for this result.
    """
    kinds = next(_KINDS[c.__name__] for c in type(result).__mro__ if c.__name__ in _KINDS)
    kind = kind or next(iter(kinds))
    if kind not in kinds:
        raise ValueError(
            f"a {type(result).__name__} has no picture {kind!r}; there are {', '.join(kinds)}"
        )
    return kinds[kind](result, **options)


@with_course_style
def ratio(result: Any, guess: Any = None, of: str | None = None) -> Figure:
    """Answer which is faster, by how much and how sure: one row per candidate on a log axis.

    Parameters
    ----------
    result : Comparison
        The measurement.
    guess : Guess or float, optional
        How many times the other one's time the slower of two was guessed to take.
    of : str, optional
        The candidate whose ratio was guessed; the last unless given.
    """
    names, ratios, words = list(result.samples), result.ratio, result.verdict
    fig, ax = new_axes(1.3 + 0.55 * len(names))
    lower, upper = 1 / (1 + result.margin), 1 + result.margin
    ax.axvspan(lower, upper, color="#dddddd", label="similar")
    ax.axvline(1, color="black", linewidth=1)
    for y, name in enumerate(reversed(names)):
        r = ratios.get(name)
        if r is None:
            ax.plot(1, y, marker="|", markersize=18, color="black")
            label, x = f"{name}: baseline, {duration(result.median[name].value)}", 1.0
        else:
            colour = COLOURS[names.index(name) % 6]
            low, high = (max(r.low, r.value / 100), min(r.high, r.value * 100))
            ax.plot([low, high], [y, y], color=colour, linewidth=4, solid_capstyle="butt")
            ax.plot(r.value, y, marker=MARKERS[names.index(name) % 7], markersize=9, color=colour)
            fast = f" ({measured(1 / r.value)} times as fast)" if r.value < 0.5 else ""
            label, x = f"{name}: {measured(r.value, '×')} the time{fast}, {words[name]}", r.value
        ax.annotate(
            label,
            (x, y),
            (0, 11),
            textcoords="offset points",
            ha="center",
            annotation_clip=False,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
        )
    of = of or [n for n in names if n in ratios][-1]
    said = mark_guess(ax, guess, ratios[of].value)
    edges = [x for r in ratios.values() for x in (r.value, 1.0)] + ([said] if said else [])
    ax.set_xscale("log")
    pad = 1.6 * max(1.3, (max(edges) / min(edges)) ** 0.3)
    left, right = min(edges) / pad, max(edges) * pad
    ax.set_xlim(left, right)
    for y, name in enumerate(
        reversed(names)
    ):  # an interval wider than the picture gets an arrow head
        low, high = ratios[name][1:] if name in ratios else (1, 1)
        heads = [(left, "<")] * (low < left) + [(right, ">")] * (high > right)
        for x, head in heads:
            ax.plot(
                x, y, marker=head, markersize=9, color=COLOURS[names.index(name) % 6], clip_on=False
            )
    ax.set_ylim(-0.9 if said else -0.5, len(names) - 0.2)
    plain_log_axis(ax.xaxis, "×")
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.set_xlabel(f"time relative to {result.baseline} (grey: similar, within {result.margin:.0%})")
    # Figures alone, no verdicts: where two are nearly equal, the word may change from run to run.
    taken = [
        f"{n} takes {measured(r.value, '×', r[1:])} the time of {result.baseline}"
        for n, r in ratios.items()
    ]
    tail = f" The guess was {digits(max(said, 1 / said))}×." if said else ""
    if said and ratios[of].value < 0.9:  # the guess was made the other way round
        tail = f" So {result.baseline} takes {measured(1 / ratios[of].value, '×')} the time of {of}.{tail}"
    return Figure(fig, f"{'; '.join(taken)}.{tail}")


@with_course_style
def times(result: Any) -> Figure:
    """Answer what the raw times look like: one dot per sample, the median as a bar."""
    samples = (
        result.samples if isinstance(result.samples, Mapping) else {result.name: result.samples}
    )
    fig, ax = new_axes(1.2 + 0.8 * len(samples))
    unit, size = time_unit(t for s in samples.values() for t in (sorted(s)[len(s) // 2],))
    every = sorted(t for s in samples.values() for t in s)
    edge, beyond = every[min(len(every) - 1, int(0.99 * len(every)))], 0
    for y, (name, values) in enumerate(reversed(samples.items())):
        inside = [t / size for t in values if t <= edge]
        beyond += len(values) - len(inside)
        heights = [
            y + 0.22 * math.sin(7.3 * i) for i in range(len(inside))
        ]  # spread, the same each time
        colour = COLOURS[list(samples).index(name) % 6]
        ax.scatter(
            inside,
            heights,
            s=14,
            alpha=0.45,
            color=colour,
            marker=MARKERS[list(samples).index(name) % 7],
        )
        middle = sorted(values)[len(values) // 2] / size
        ax.plot([middle, middle], [y - 0.36, y + 0.36], color="black", linewidth=2.5)
        ax.annotate(
            f"{name}: median {MARK}{digits(middle)} {unit}",
            (middle, y + 0.38),
            ha="left",
            va="bottom",
        )
    ax.set_xscale("log")
    plain_log_axis(ax.xaxis)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.set_ylim(-0.5, len(samples) - 0.2)
    ax.set_xlabel(
        f"time per call in {unit} ({beyond} of {len(every)} samples lie beyond the right edge)"
    )
    ordered = {n: sorted(v) for n, v in samples.items()}
    half = {
        n: f"{duration(v[len(v) // 4])} and {duration(v[3 * len(v) // 4])}"
        for n, v in ordered.items()
    }
    spread = "; ".join(f"{n}: half of the samples lie between {ends}" for n, ends in half.items())
    return Figure(fig, f"Times of single samples. {spread}.")


@with_course_style
def rounds(result: Any) -> Figure:
    """Answer whether the ratio held through the measurement: the ratio of every round, in the order taken."""
    fig, ax = new_axes(3.4)
    base, parts, ends = result.samples[result.baseline], [], {}
    for i, (name, r) in enumerate(result.ratio.items()):
        values = [t / b for t, b in zip(result.samples[name], base, strict=True)]
        ax.plot(values, **style(i) | {"linestyle": "none"}, markersize=4, alpha=0.6)
        ax.axhline(r.value, **style(i) | {"marker": ""})
        ends[name] = len(values) - 1, r.value
        parts.append(f"{name} stays around {measured(r.value, '×')} the time of {result.baseline}")
    ax.axhline(1, color="black", linewidth=1)
    ax.set_yscale("log")
    plain_log_axis(ax.yaxis, "×")
    label_line_ends(ax, ends)
    ax.set_xlabel("round")
    ax.set_ylabel(f"time relative to {result.baseline}")
    return Figure(fig, f"Ratio round by round: {'; '.join(parts)}.")


@with_course_style
def scaling(result: Any, per: str | None = None, xlabel: str | None = None) -> Figure:
    """Answer how the cost grows with size: log-log lines with their intervals.

    Parameters
    ----------
    result : Sweep
        Its sizes have to be numbers.
    per : str, optional
        Such as ``"row"``: divide each time by its size.
    xlabel : str, optional
        The label of the sweep unless given.
    """
    sizes, names = list(result.comparisons), list(next(iter(result.comparisons.values())).samples)
    fig, ax = new_axes(4.2)
    medians = {n: [c.median[n] for c in result.comparisons.values()] for n in names}
    divide = [float(s) if per else 1.0 for s in sizes]
    unit, size = time_unit(
        m.value / d for ms in medians.values() for m, d in zip(ms, divide, strict=True)
    )
    parts, ends = [], {}
    for i, (name, ms) in enumerate(medians.items()):
        y = [m.value / d / size for m, d in zip(ms, divide, strict=True)]
        down = [(m.value - max(m.low, 0)) / d / size for m, d in zip(ms, divide, strict=True)]
        up = [
            (min(m.high, 3 * m.value) - m.value) / d / size for m, d in zip(ms, divide, strict=True)
        ]
        ax.errorbar(sizes, y, yerr=[down, up], **style(i), capsize=3)
        ends[name] = sizes[-1], y[-1]
        first, last = (duration(ms[end].value / divide[end]) for end in (0, -1))
        parts.append(f"{name} goes from {first} at {sizes[0]} to {last} at {sizes[-1]}")
    ax.set_xscale("log", base=2 if len(sizes) > 1 and sizes[1] / max(sizes[0], 1e-9) <= 4 else 10)
    ax.set_yscale("log")
    ax.set_xticks(sizes, [f"{s:,}" for s in sizes])
    ax.minorticks_off()
    low, high = ax.get_ylim()
    if high < 10 * low:  # at least one decade, so that a nearly flat line looks flat
        middle = math.sqrt(low * high)
        ax.set_ylim(middle / math.sqrt(10), middle * math.sqrt(10))
    plain_log_axis(ax.yaxis)
    ax.set_xlabel(xlabel or result.label)
    ax.set_ylabel(f"time per {per or 'call'} in {unit}")
    ax.grid(alpha=0.25)
    label_line_ends(ax, ends)
    return Figure(fig, f"Time per {per or 'call'} against {result.label}: {'; '.join(parts)}.")


@with_course_style
def break_even(result: Any, calls: int | None = None) -> Figure:
    """Answer from which call on an expensive first call pays: the total time against the number of calls.

    Parameters
    ----------
    result : Comparison
        Of two or more candidates, with their first calls.
    calls : int, optional
        The right end of the axis.
    """
    names = list(result.samples)
    first = {n: result.first_call[n] for n in names}
    # By the ratio within rounds: on a busy machine two medians, each taken alone, may change places.
    base, ratios, alone = result.baseline, result.ratio, result.median[result.baseline].value
    each = {n: alone * (ratios[n].value if n in ratios else 1) for n in names}
    other = next(n for n in names if n != base)
    even = result.pays_after(other)
    end = calls or (max(20, 3 * even) if even else 100)
    fig, ax = new_axes(3.8)
    unit, size = time_unit(first[n] + each[n] * end for n in names)
    ends = {}
    for i, n in enumerate(names):
        totals = [first[n] / size, (first[n] + each[n] * (end - 1)) / size]
        ax.plot([1, end], totals, **style(i))
        ends[n] = end, totals[1]
    text = f"Total time over {measured_count(end, 'calls')}: {other} never overtakes {base}."
    if even:
        paid = f"after {measured_count(even, 'calls')}"
        ax.axvline(even, color="#555555", linestyle=":")
        ax.annotate(f"even {paid}", (even, ax.get_ylim()[1]), (4, -10), textcoords="offset points")
        text = f"Total time: {other} costs more at first and has paid for itself {paid} of {base}."
    ax.set_xlabel("number of calls")
    ax.set_ylabel(f"total time in {unit}")
    label_line_ends(ax, ends)
    return Figure(fig, text)


@with_course_style
def timeline(spans: Mapping[str, Sequence[tuple[float, float]]], text: str) -> Figure:
    """Answer who waits for whom: one lane per worker, one bar per piece of work.

    Parameters
    ----------
    spans : dict of str to sequence of (start, end)
        Seconds, by lane.
    text : str
        What it shows, in one sentence.
    """
    fig, ax = new_axes(1.0 + 0.6 * len(spans))
    begin = min((s for lane in spans.values() for s, _ in lane), default=0.0)
    unit, size = time_unit(
        [max((e for lane in spans.values() for _, e in lane), default=begin + 1) - begin]
    )
    for y, (name, lane) in enumerate(reversed(spans.items())):
        i = list(spans).index(name)
        bars = [((s - begin) / size, (e - s) / size) for s, e in lane]
        hatch = ("", "//", "..", "\\\\")[i % 4]
        ax.broken_barh(
            bars, (y - 0.35, 0.7), facecolors=COLOURS[i % 6], edgecolor="white", hatch=hatch
        )
    ax.set_yticks(range(len(spans)), list(reversed(spans)))
    ax.set_xlabel(f"time in {unit}")
    return Figure(fig, text)


@with_course_style
def strip(result: Any) -> Figure:
    """Answer what each call did: one mark per call of a tf.function, traced, replayed or retraced and why."""
    # Reasons stand at a slant, so a longer one needs more height: 35 degrees, 10 point letters.
    slant = 0.045 * max((len(call.why or "") for call in result.calls), default=0)
    fig, ax = new_axes(1.5 + max(0.7, slant))
    seen: set[str] = set()
    words = []
    for x, call in enumerate(result.calls, start=1):
        word = "replayed" if not call.traces else "retraced" if call.name in seen else "traced"
        seen.add(call.name)
        words.append(word)
        i = ("replayed", "traced", "retraced").index(word)
        ax.plot(x, 0, marker="osX"[i], markersize=12, color=(COLOURS[2], COLOURS[0], COLOURS[1])[i])
        if call.why:
            ax.annotate(call.why, (x, 0.12), rotation=35, fontsize=10)
    for i, word in enumerate(("replayed", "traced", "retraced")):
        if word not in words:
            continue
        ax.plot(
            [],
            [],
            marker="osX"[i],
            color=(COLOURS[2], COLOURS[0], COLOURS[1])[i],
            linestyle="none",
            label=word,
        )
    if words:
        ax.legend(loc="lower center", ncols=3, frameon=False)
    ax.set_ylim(-0.8, max(1.4, 0.5 + 2 * slant))
    ax.set_xlim(0, max(len(words), 6) + 1.5)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.set_xlabel("call")
    tally = ", ".join(
        f"{words.count(w)} {w}" for w in ("traced", "retraced", "replayed") if w in words
    )
    traces = sum(call.traces for call in result.calls)
    more = f" Traces in all: {traces}." if traces > len(words) - words.count("replayed") else ""
    return Figure(fig, f"{len(words)} calls: {tally or 'none of a tf.function'}.{more}")


@with_course_style
def growth(result: Any) -> Figure:
    """Answer whether it keeps growing: the value after each block of calls."""
    fig, ax = new_axes(3.2)
    scale, unit = {
        "memory": (2**20, "MiB"),
        "ops": (1, "operations"),
        "cost": (1e-3, "ms per call"),
    }[result.what]
    x = [result.calls * (i + 1) for i in range(len(result.values))]
    ax.plot(x, [v / scale for v in result.values], marker="o", color=COLOURS[0])
    if result.resolution:
        ax.axhspan(0, result.resolution / scale, color="#dddddd")
        ax.annotate("grey: too small to tell", (x[0], result.resolution / scale), va="bottom")
        top = max(2 * result.resolution, 1.1 * max(result.values))
        ax.set_ylim(bottom=min(0, *result.values) / scale, top=top / scale)
    ax.set_xlabel("calls")
    ax.set_ylabel(f"{'growth' if result.what == 'memory' else result.what} in {unit}")
    end = "is still growing at the end" if result.verdict == "leak" else "does not keep growing"
    return Figure(fig, f"Over {x[-1]:,} calls the {result.what} {end}.")


@with_course_style
def shares(result: Any) -> Figure:
    """Answer where the time goes: the share of each owner as a bar from zero."""
    fig, ax = new_axes(1.1 + 0.45 * len(result.shares))
    for y, (owner, share) in enumerate(reversed(result.shares.items())):
        colour = (
            COLOURS[1]
            if "operations" in owner
            else COLOURS[0]
            if "(Python)" in owner
            else "#999999"
        )
        ax.barh(y, 100 * share, color=colour, hatch="//" if "operations" in owner else "")
        ax.annotate(f" {MARK}{digits(100 * share)} %", (100 * share, y), va="center")
    ax.set_yticks(range(len(result.shares)), list(reversed(result.shares)))
    ax.set_xlim(0, 112 * max(result.shares.values()))
    ax.set_xlabel("share of the time of one call, in %")
    python = measured(
        100 * sum(share for owner, share in result.shares.items() if "Python" in owner), "%"
    )
    operations = measured(100 * result.shares["TensorFlow (compiled operations)"], "%")
    other = measured(100 * result.shares.get("compiled, other", 0.0), "%")
    return Figure(
        fig,
        f"Python code takes {python} of a call, TensorFlow's operations {operations}, other compiled code {other}.",
    )


@with_course_style
def ladder(ladders: Mapping[str, Any], unit: str = "call", guess: Any = None) -> Figure:
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
    fig, ax = new_axes(1.4 + 0.42 * len(names))
    ax.axvline(1, color="black", linewidth=1.5)
    parts = []
    for i, (model, steps) in enumerate(ladders.items()):
        shift = 0.0 if len(ladders) == 1 else 0.22 * (1 - i)
        for y, name in enumerate(reversed(names)):
            if name == steps.baseline:
                continue
            r = steps.ratio[name]
            ax.plot(
                [max(r.low, r.value / 9), min(r.high, r.value * 9)],
                [y + shift] * 2,
                color=COLOURS[i],
                linewidth=4,
            )
            ax.plot(r.value, y + shift, marker=MARKERS[i], markersize=7, color=COLOURS[i])
            if len(ladders) == 1:
                ax.annotate(
                    measured(r.value, "×"),
                    (r.value, y),
                    (0, 7),
                    textcoords="offset points",
                    ha="center",
                )
        ax.plot([], [], color=COLOURS[i], marker=MARKERS[i], linestyle="none", label=model)
        floor = f"{steps.baseline} {duration(steps.median[steps.baseline].value)}"
        parts.append(
            f"{model + ': ' * bool(model)}{floor}, {names[0]} {measured(steps.ratio[names[0]].value, '×')} that"
        )
    said = mark_guess(ax, guess, steps.ratio[names[0]].value)
    ax.set_ylim(-0.9 if said else -0.5, len(names) - 0.4)
    ax.set_yticks(
        range(len(names)), [n if n != steps.baseline else f"{n} (= 1)" for n in reversed(names)]
    )
    ax.set_xscale("log")
    ax.margins(x=0.12)
    plain_log_axis(ax.xaxis, "×")
    ax.xaxis.get_major_locator().set_params(
        numticks=5
    )  # the names of seven decades would run into each other
    ax.grid(axis="x", alpha=0.25)
    ax.set_xlabel(f"time per {unit}, relative to {steps.baseline}")
    if len(ladders) > 1:
        ax.legend(loc="lower right", frameon=False)
    return Figure(fig, f"Time per {unit}. {'; '.join(parts)}.")


def one_ladder(result: Any, **options: Any) -> Figure:
    """Plot the ladder of one model."""
    return ladder({"": result}, **options)


@with_course_style
def roofline(peak: float, bandwidth: float, points: Mapping[str, tuple[float, float]]) -> Figure:
    """Answer what holds a call back: its speed under the two limits of the machine, against its work per byte.

    Parameters
    ----------
    peak, bandwidth : float
        Measured: floating-point operations, and bytes, per second.
    points : dict of str to (intensity, speed)
        Operations per byte, and operations per second.
    """
    (fig, ax), ridge = new_axes(4.6), peak / bandwidth
    x = [intensity for intensity, _ in points.values()]
    ends = (min(*x, ridge) / 8, max(*x, ridge) * 40)  # room for the names on the right
    slope = ends[0] * bandwidth / 1e9
    ax.plot(
        [ends[0], ridge, ends[1]], [slope, peak / 1e9, peak / 1e9], color="black", linewidth=2.5
    )
    ax.annotate(
        f"peak {measured(peak / 1e9, 'GFLOP/s')}",
        (ridge, peak / 1e9),
        (0, 7),
        textcoords="offset points",
    )
    ax.annotate(
        f"memory {measured(bandwidth / 1e9, 'GB/s')}",
        (ends[0], slope),
        (14, -4),
        textcoords="offset points",
    )
    step = 0.05 * (
        1 + math.log10(peak / min(speed for _, speed in points.values()))
    )  # the height of a line of text
    names: dict[float, float] = {}
    for name, (intensity, speed) in sorted(points.items(), key=lambda point: -point[1][1]):
        i = list(points).index(name)
        ax.plot(intensity, speed / 1e9, **style(i) | {"linestyle": "none"}, markersize=9)
        names[intensity] = min(math.log10(speed / 1e9), names.get(intensity, math.inf) - step)
        ax.annotate(
            name, (1.35 * intensity, 10 ** names[intensity]), color=COLOURS[i % 7], va="center"
        )
    shares = {
        n: measured(100 * speed / min(peak, x * bandwidth), "%") for n, (x, speed) in points.items()
    }
    parts = [
        f"{n} {measured(points[n][1] / 1e9, 'GFLOP/s')}, {share} of its roof"
        for n, share in shares.items()
    ]
    ax.set_xscale("log")
    ax.set_yscale("log")
    plain_log_axis(ax.xaxis)
    plain_log_axis(ax.yaxis)
    ax.grid(alpha=0.25)
    ax.set_xlabel("floating-point operations per byte read or written")
    ax.set_ylabel("speed in GFLOP/s")
    return Figure(fig, f"Under the roof: {'; '.join(parts)}.")


_COMPARISON: dict[str, Callable[..., Figure]] = {
    "ratio": ratio,
    "times": times,
    "rounds": rounds,
    "break-even": break_even,
}
_KINDS: dict[str, dict[str, Callable[..., Figure]]] = {
    "Comparison": _COMPARISON,
    "Ladder": {"ladder": one_ladder, **_COMPARISON},
    "Timing": {"times": times},
    "Sweep": {"scaling": scaling},
    "Count": {"strip": strip},
    "Growth": {"growth": growth},
    "Profile": {"shares": shares},
}
