"""The pictures of counts, growth and shares; lessons reach them through `plotting` and `result.plot()`."""

from typing import Any

from .picture import COLOURS, Picture, canvas, drawn
from .text import MARK, digits, figure


@drawn
def strip(result: Any) -> Picture:
    """Answer what each call did: one mark per call of a tf.function, traced, replayed or retraced and why."""
    # Reasons stand at a slant, so a longer one needs more height: 35 degrees, 10 point letters.
    slant = 0.045 * max((len(call.why or "") for call in result.calls), default=0)
    fig, ax = canvas(1.5 + max(0.7, slant))
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
        ax.plot([], [], marker="osX"[i], color=(COLOURS[2], COLOURS[0], COLOURS[1])[i], linestyle="none", label=word)
    if words:
        ax.legend(loc="lower center", ncols=3, frameon=False)
    ax.set_ylim(-0.8, max(1.4, 0.5 + 2 * slant))
    ax.set_xlim(0, max(len(words), 6) + 1.5)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.set_xlabel("call")
    tally = ", ".join(f"{words.count(w)} {w}" for w in ("traced", "retraced", "replayed") if w in words)
    traces = sum(call.traces for call in result.calls)
    more = f" Traces in all: {traces}." if traces > len(words) - words.count("replayed") else ""
    return Picture(fig, f"{len(words)} calls: {tally or 'none of a tf.function'}.{more}")


@drawn
def growth(result: Any) -> Picture:
    """Answer whether it keeps growing: the value after each block of calls."""
    fig, ax = canvas(3.2)
    scale, unit = {"memory": (2**20, "MiB"), "ops": (1, "operations"), "cost": (1e-3, "ms per call")}[result.what]
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
    return Picture(fig, f"Over {x[-1]:,} calls the {result.what} {end}.")


@drawn
def shares(result: Any) -> Picture:
    """Answer where the time goes: the share of each owner as a bar from zero."""
    fig, ax = canvas(1.1 + 0.45 * len(result.shares))
    for y, (owner, share) in enumerate(reversed(result.shares.items())):
        colour = COLOURS[1] if "operations" in owner else COLOURS[0] if "(Python)" in owner else "#999999"
        ax.barh(y, 100 * share, color=colour, hatch="//" if "operations" in owner else "")
        ax.annotate(f" {MARK}{digits(100 * share)} %", (100 * share, y), va="center")
    ax.set_yticks(range(len(result.shares)), list(reversed(result.shares)))
    ax.set_xlim(0, 112 * max(result.shares.values()))
    ax.set_xlabel("share of the time of one call, in %")
    python = figure(100 * sum(share for owner, share in result.shares.items() if "Python" in owner), "%")
    operations = figure(100 * result.shares["TensorFlow (compiled operations)"], "%")
    other = figure(100 * result.shares.get("compiled, other", 0.0), "%")
    return Picture(
        fig, f"Python code takes {python} of a call, TensorFlow's operations {operations}, other compiled code {other}."
    )
