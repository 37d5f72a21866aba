"""One function per question that a picture answers; each returns a `Picture` with the same answer as a sentence."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .picture import COLOURS, MARKERS, Picture, canvas, drawn, look, mark_guess, name_ends, plain_log
from .plotting_counts import growth, shares, strip
from .results import pays_after
from .text import MARK, digits, duration, figure, time_unit, whole


def draw(result: Any, kind: str | None = None, **options: Any) -> Picture:
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
    kinds = _KINDS[type(result).__name__]
    kind = kind or next(iter(kinds))
    if kind not in kinds:
        raise ValueError(f"a {type(result).__name__} has no picture {kind!r}; there are {', '.join(kinds)}")
    return kinds[kind](result, **options)


@drawn
def ratio(result: Any, guess: Any = None, of: str | None = None) -> Picture:
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
    fig, ax = canvas(1.3 + 0.55 * len(names))
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
            fast = f" ({figure(1 / r.value)} times as fast)" if r.value < 0.5 else ""
            label, x = f"{name}: {figure(r.value, '×')} the time{fast}, {words[name]}", r.value
        ax.annotate(label, (x, y), (0, 11), textcoords="offset points", ha="center", annotation_clip=False,
                    bbox={"facecolor": "white", "edgecolor": "none", "pad": 1})  # fmt: skip
    of = of or [n for n in names if n in ratios][-1]
    said = mark_guess(ax, guess, ratios[of].value)
    edges = [x for r in ratios.values() for x in (r.value, 1.0)] + ([said] if said else [])
    ax.set_xscale("log")
    pad = 1.6 * max(1.3, (max(edges) / min(edges)) ** 0.3)
    left, right = min(edges) / pad, max(edges) * pad
    ax.set_xlim(left, right)
    for y, name in enumerate(reversed(names)):  # an interval wider than the picture gets an arrow head
        low, high = ratios[name][1:] if name in ratios else (1, 1)
        heads = [(left, "<")] * (low < left) + [(right, ">")] * (high > right)
        for x, head in heads:
            ax.plot(x, y, marker=head, markersize=9, color=COLOURS[names.index(name) % 6], clip_on=False)
    ax.set_ylim(-0.9 if said else -0.5, len(names) - 0.2)
    plain_log(ax.xaxis, "×")
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.set_xlabel(f"time relative to {result.baseline} (grey: similar, within {result.margin:.0%})")
    # Figures alone, no verdicts: where two are nearly equal, the word may change from run to run.
    taken = [f"{n} takes {figure(r.value, '×', r[1:])} the time of {result.baseline}" for n, r in ratios.items()]
    tail = f" The guess was {digits(max(said, 1 / said))}×." if said else ""
    if said and ratios[of].value < 0.9:  # the guess was made the other way round
        tail = f" So {result.baseline} takes {figure(1 / ratios[of].value, '×')} the time of {of}.{tail}"
    return Picture(fig, f"{'; '.join(taken)}.{tail}")


@drawn
def times(result: Any) -> Picture:
    """Answer what the raw times look like: one dot per sample, the median as a bar."""
    samples = result.samples if isinstance(result.samples, Mapping) else {result.name: result.samples}
    fig, ax = canvas(1.2 + 0.8 * len(samples))
    unit, size = time_unit(t for s in samples.values() for t in (sorted(s)[len(s) // 2],))
    every = sorted(t for s in samples.values() for t in s)
    edge, beyond = every[min(len(every) - 1, int(0.99 * len(every)))], 0
    for y, (name, values) in enumerate(reversed(samples.items())):
        inside = [t / size for t in values if t <= edge]
        beyond += len(values) - len(inside)
        heights = [y + 0.22 * math.sin(7.3 * i) for i in range(len(inside))]  # spread, the same each time
        colour = COLOURS[list(samples).index(name) % 6]
        ax.scatter(inside, heights, s=14, alpha=0.45, color=colour, marker=MARKERS[list(samples).index(name) % 7])
        middle = sorted(values)[len(values) // 2] / size
        ax.plot([middle, middle], [y - 0.36, y + 0.36], color="black", linewidth=2.5)
        ax.annotate(f"{name}: median {MARK}{digits(middle)} {unit}", (middle, y + 0.38), ha="left", va="bottom")
    ax.set_xscale("log")
    plain_log(ax.xaxis)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.set_ylim(-0.5, len(samples) - 0.2)
    ax.set_xlabel(f"time per call in {unit} ({beyond} of {len(every)} samples lie beyond the right edge)")
    ordered = {n: sorted(v) for n, v in samples.items()}
    half = {n: f"{duration(v[len(v) // 4])} and {duration(v[3 * len(v) // 4])}" for n, v in ordered.items()}
    spread = "; ".join(f"{n}: half of the samples lie between {ends}" for n, ends in half.items())
    return Picture(fig, f"Times of single samples. {spread}.")


@drawn
def rounds(result: Any) -> Picture:
    """Answer whether the ratio held through the measurement: the ratio of every round, in the order taken."""
    fig, ax = canvas(3.4)
    base, parts, ends = result.samples[result.baseline], [], {}
    for i, (name, r) in enumerate(result.ratio.items()):
        values = [t / b for t, b in zip(result.samples[name], base, strict=True)]
        ax.plot(values, **look(i) | {"linestyle": "none"}, markersize=4, alpha=0.6)
        ax.axhline(r.value, **look(i) | {"marker": ""})
        ends[name] = len(values) - 1, r.value
        parts.append(f"{name} stays around {figure(r.value, '×')} the time of {result.baseline}")
    ax.axhline(1, color="black", linewidth=1)
    ax.set_yscale("log")
    plain_log(ax.yaxis, "×")
    name_ends(ax, ends)
    ax.set_xlabel("round")
    ax.set_ylabel(f"time relative to {result.baseline}")
    return Picture(fig, f"Ratio round by round: {'; '.join(parts)}.")


@drawn
def scaling(result: Any, per: str | None = None, xlabel: str | None = None) -> Picture:
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
    fig, ax = canvas(4.2)
    medians = {n: [c.median[n] for c in result.comparisons.values()] for n in names}
    divide = [float(s) if per else 1.0 for s in sizes]
    unit, size = time_unit(m.value / d for ms in medians.values() for m, d in zip(ms, divide, strict=True))
    parts, ends = [], {}
    for i, (name, ms) in enumerate(medians.items()):
        y = [m.value / d / size for m, d in zip(ms, divide, strict=True)]
        down = [(m.value - max(m.low, 0)) / d / size for m, d in zip(ms, divide, strict=True)]
        up = [(min(m.high, 3 * m.value) - m.value) / d / size for m, d in zip(ms, divide, strict=True)]
        ax.errorbar(sizes, y, yerr=[down, up], **look(i), capsize=3)
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
    plain_log(ax.yaxis)
    ax.set_xlabel(xlabel or result.label)
    ax.set_ylabel(f"time per {per or 'call'} in {unit}")
    ax.grid(alpha=0.25)
    name_ends(ax, ends)
    return Picture(fig, f"Time per {per or 'call'} against {result.label}: {'; '.join(parts)}.")


@drawn
def break_even(result: Any, calls: int | None = None) -> Picture:
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
    even = pays_after((first[base], each[base]), (first[other], each[other]))
    end = calls or (max(20, 3 * even) if even else 100)
    fig, ax = canvas(3.8)
    unit, size = time_unit(first[n] + each[n] * end for n in names)
    ends = {}
    for i, n in enumerate(names):
        totals = [first[n] / size, (first[n] + each[n] * (end - 1)) / size]
        ax.plot([1, end], totals, **look(i))
        ends[n] = end, totals[1]
    text = f"Total time over {whole(end, 'calls')}: {other} never overtakes {base}."
    if even:
        paid = f"after {whole(even, 'calls')}"
        ax.axvline(even, color="#555555", linestyle=":")
        ax.annotate(f"even {paid}", (even, ax.get_ylim()[1]), (4, -10), textcoords="offset points")
        text = f"Total time: {other} costs more at first and has paid for itself {paid} of {base}."
    ax.set_xlabel("number of calls")
    ax.set_ylabel(f"total time in {unit}")
    name_ends(ax, ends)
    return Picture(fig, text)


@drawn
def timeline(spans: Mapping[str, Sequence[tuple[float, float]]], text: str) -> Picture:
    """Answer who waits for whom: one lane per worker, one bar per piece of work.

    Parameters
    ----------
    spans : dict of str to sequence of (start, end)
        Seconds, by lane.
    text : str
        What it shows, in one sentence.
    """
    fig, ax = canvas(1.0 + 0.6 * len(spans))
    begin = min((s for lane in spans.values() for s, _ in lane), default=0.0)
    unit, size = time_unit([max((e for lane in spans.values() for _, e in lane), default=begin + 1) - begin])
    for y, (name, lane) in enumerate(reversed(spans.items())):
        i = list(spans).index(name)
        bars = [((s - begin) / size, (e - s) / size) for s, e in lane]
        hatch = ("", "//", "..", "\\\\")[i % 4]
        ax.broken_barh(bars, (y - 0.35, 0.7), facecolors=COLOURS[i % 6], edgecolor="white", hatch=hatch)
    ax.set_yticks(range(len(spans)), list(reversed(spans)))
    ax.set_xlabel(f"time in {unit}")
    return Picture(fig, text)


_KINDS: dict[str, dict[str, Callable[..., Picture]]] = {
    "Comparison": {"ratio": ratio, "times": times, "rounds": rounds, "break-even": break_even},
    "Timing": {"times": times},
    "Sweep": {"scaling": scaling},
    "Count": {"strip": strip},
    "Growth": {"growth": growth},
    "Profile": {"shares": shares},
}
