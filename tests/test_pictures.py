"""No text of any figure lies on another one, on a line or a mark, or outside; all marks are whole.

Each function of labkit that draws a figure is found, and drawn many times with random inputs. They
are made from the types and names of its parameters: a new function is covered as it is, or this
file says which input it cannot make.
"""

import inspect
import itertools
import math
import random
import typing
from types import SimpleNamespace

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.collections import PathCollection
from matplotlib.path import Path
from matplotlib.text import Annotation, Text

from labkit.measure.stats import Interval
from labkit.own_model import pictures
from labkit.own_model.measurements import Measurements
from labkit.show import plots, protocols
from labkit.show.figure import Figure
from labkit.show.ticks import LinearTicks, LogTicks

SEEDS = 6
INFINITE = math.inf
TOLERANCE = 1.0  # dots

NAMES = (
    "a",
    "eager",
    "graph",
    "model(x)",
    "tf.function",
    "one row",
    "vectorized_map",
    "predict_on_batch",
    "XLA, concrete function",
    "TensorFlow (compiled operations)",
    "_private",
    "costs $5 or $6 a call",
    "a name that goes on and on, with no end in sight, over many words",
    "one_name_without_any_space_or_other_place_to_break_it_into_lines",
    "MMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMMM",
)


def functions():
    """Return each public function that draws a figure."""
    found = {}
    for module in (plots, pictures):
        for name, function in vars(module).items():
            is_own = getattr(function, "__module__", "") == module.__name__
            if name.startswith("_") or not is_own or not inspect.isfunction(function):
                continue
            if typing.get_type_hints(function).get("return") is Figure:
                found[name] = function
    return found


# ---- random inputs ----


def names(rng, least=2):
    return rng.sample(NAMES, rng.randint(least, 8))


def positive(rng, low=1e-3, high=1e5):
    """Return a number between two powers of ten, or now and then a round one."""
    if rng.random() < 0.2:
        return rng.choice([low, high, 1.0])
    return math.exp(rng.uniform(math.log(low), math.log(high)))


def interval(rng, value):
    """Return an interval around a value; its ends may be unknown, or the value itself."""
    narrow = value * (1 - 0.2 * rng.random()), value * (1 + 0.2 * rng.random())
    wide = value / positive(rng, 1, 1e3), value * positive(rng, 1, 1e3)
    known = rng.choice([narrow, wide, (value, value)])
    low = rng.choice([known[0], known[0], 0.0, -INFINITE])
    high = rng.choice([known[1], known[1], INFINITE])
    return Interval(value, low, high)


def times_of(rng, candidates):
    """Return seconds by candidate; some candidates take the same time, or nearly so."""
    base = positive(rng, 1e-7, 10)
    span = rng.choice([1e-3, 1, 1e5])
    seconds = {}
    for name in candidates:
        if seconds and rng.random() < 0.3:
            seconds[name] = rng.choice(list(seconds.values())) * rng.choice([1, 1, 1.01])
        else:
            seconds[name] = base * positive(rng, min(span, 1), max(span, 1))
    return seconds


def comparison(rng, candidates=None, baseline=None):
    """Return a comparison whose numbers and intervals are not tied to each other."""
    candidates = candidates or names(rng)
    baseline = baseline or rng.choice(candidates)
    seconds = times_of(rng, candidates)
    rounds = rng.choice([1, 3, 20, 60])
    noise = rng.choice([0, 0.05, 1])
    samples = {}
    for name in candidates:
        samples[name] = [seconds[name] * math.exp(noise * rng.gauss(0, 1)) for _ in range(rounds)]
    others = [name for name in candidates if name != baseline]
    even = rng.choice([None, 1, 11, 100_000])
    return SimpleNamespace(
        samples=samples,
        baseline=baseline,
        margin=rng.choice([0.001, 0.05, 0.25]),
        median={name: interval(rng, seconds[name]) for name in candidates},
        ratio={name: interval(rng, seconds[name] / seconds[baseline]) for name in others},
        verdict={name: rng.choice(["faster", "slower", "similar", "unclear"]) for name in others},
        first_call={name: seconds[name] * positive(rng, 0.1, 1e4) for name in candidates},
        pays_after=lambda name: even,
    )


def timing(rng):
    many = comparison(rng)
    name = many.baseline
    return SimpleNamespace(name=name, samples=many.samples[name], median=many.median[name])


def comparison_or_timing(rng):
    return rng.choice([comparison, timing])(rng)


def sweep(rng):
    candidates = names(rng, least=1)
    scale = rng.choice([1, 1, 0.25, 1000])
    steps = rng.choice([[1], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], [1, 8, 64, 512], [1, 2, 1000, 1001]])
    sizes = [scale * step for step in steps]
    comparisons = {size: comparison(rng, candidates, candidates[0]) for size in sizes}
    return SimpleNamespace(comparisons=comparisons, label=rng.choice(NAMES))


def ladders(rng):
    candidates = names(rng)
    models = names(rng, least=1)
    return {model: comparison(rng, candidates, candidates[-1]) for model in models}


def count(rng):
    calls = []
    share = rng.choice([0, 0.2, 1])
    length = rng.choice([8, 20, 90])
    for _ in range(rng.choice([0, 1, 3, 10, 40, 200])):
        is_trace = rng.random() < share
        why = f"float32[{rng.randint(1, 9999)}, 10], " * 9
        calls.append(
            SimpleNamespace(
                name=rng.choice("fg"), traces=int(is_trace), why=why[:length] if is_trace else ""
            )
        )
    return SimpleNamespace(calls=calls)


def growth(rng):
    what = rng.choice(["memory", "ops", "graphs", "cost"])
    size = {"memory": 2**20, "cost": 1e-3}.get(what, 1)
    level = rng.choice([0, 1, 3, 1e5])
    values = [size * level * rng.choice([rng.uniform(-1, 1), 1]) for _ in range(12)]
    if what in ("ops", "graphs"):
        values = [round(value) for value in values]
    return SimpleNamespace(
        what=what,
        values=values[: rng.randint(1, 12)],
        calls=rng.choice([1, 12, 100, 1000]),
        resolution=rng.choice([0, 1.5 * size]),
        verdict=rng.choice(["flat", "plateau", "leak", "unclear"]),
    )


def profile(rng):
    shares = {name: rng.choice([0, rng.random()]) for name in names(rng, least=1)}
    total = sum(shares.values()) or 1
    return SimpleNamespace(shares={name: share / total for name, share in shares.items()})


def one_call(rng):
    seconds = positive(rng, 1e-6, 10)
    lanes = {name: [(seconds * a, seconds * b) for a, b in at] for name, at in spans(rng).items()}
    return SimpleNamespace(
        seconds=seconds,
        python=rng.choice([[], [(0, seconds)], next(iter(lanes.values()))]),
        threads=lanes,
        operations=rng.choice([{}, lanes]),
    )


def measurements(rng):
    seconds = times_of(rng, names(rng, least=1))
    sizes = [1, rng.choice([2, 32, 1000])]
    per_row = {}
    for name, value in seconds.items():
        per_row[name] = {size: value / positive(rng, 1, size) for size in sizes}
    return SimpleNamespace(
        batch=1,
        many=dict.fromkeys(sizes[1:]),
        batch_label="1 row",
        medians={name: interval(rng, value) for name, value in seconds.items()},
        first_calls={name: value * positive(rng, 0.1, 1e6) for name, value in seconds.items()},
        per_row=per_row,
    )


def spans(rng):
    lanes = {}
    for name in names(rng, least=1):
        moments = sorted(rng.uniform(0, 1) for _ in range(2 * rng.randint(0, 20)))
        lanes[name] = list(zip(moments[::2], moments[1::2], strict=True))
    return lanes


def points(rng):
    found = {}
    for name in names(rng, least=1):
        intensity = rng.choice([0.5, 80.0, positive(rng)])
        found[name] = (intensity, rng.choice([1e8, 5e9, 1e7 * positive(rng)]))
    return found


OF_TYPE = {
    protocols.ComparisonLike: comparison,
    protocols.ComparisonLike | protocols.TimingLike: comparison_or_timing,
    protocols.SweepLike: sweep,
    protocols.CountLike: count,
    protocols.GrowthLike: growth,
    protocols.ProfileLike: profile,
    protocols.TimelineLike: one_call,
    typing.get_type_hints(plots.ladder)["ladders"]: ladders,
    Measurements: measurements,
}


def loads(rng):
    """Return waits of requests in seconds, by server and number of callers."""
    found = {}
    for server in ("alone", "drain", "timer"):
        found[server] = {}
        for callers in (1, 4, 16, 64):
            waited = [positive(rng) * 1e-3 for _ in range(20)]
            found[server][callers] = (waited, positive(rng))
    return found


OF_NAME = {
    "spans": spans,
    "points": points,
    "caption": lambda rng: "What happened.",
    "guess": lambda rng: rng.choice([None, positive(rng), SimpleNamespace(value=None, made=False)]),
    "of": lambda rng: None,
    "rows": lambda rng: None,
    "per": lambda rng: rng.choice([None, "row"]),
    "xlabel": lambda rng: rng.choice([None, "rows in a call"]),
    "unit": lambda rng: rng.choice(["call", "row"]),
    "calls": lambda rng: rng.choice([None, 50]),
    "peak": lambda rng: 1e9 * positive(rng),
    "bandwidth": lambda rng: 1e9 * positive(rng),
    "loads": loads,
}


def arguments(function, rng):
    """Return random arguments for each parameter."""
    types = typing.get_type_hints(function)
    made = {}
    for name in inspect.signature(function).parameters:
        make = OF_TYPE.get(types[name]) or OF_NAME.get(name)
        if make is None:
            pytest.fail(f"{function.__name__}: how is a random `{name}` made? Add it to OF_NAME")
        made[name] = make(rng)
    return made


# ---- what is where ----


class Drawn:
    """Where the texts, lines, marks and areas of a figure are, in dots."""

    def __init__(self, figure, monkeypatch):
        self.figure = figure.figure
        self.texts = self._texts_drawn(monkeypatch)
        self.lines = []  # (what it is, path, box that it must lie in)
        self.marks = []  # (what it is, box, box that it must lie in)
        for ax in self.figure.axes:
            self._add_lines(ax.lines, ax.bbox)
            self._add_clouds(ax)
            self._add_areas(ax)
        for legend in self.figure.legends:
            self._add_lines(legend.legend_handles, self.figure.bbox)

    def _texts_drawn(self, monkeypatch):
        """Return each text that matplotlib draws, and its outline."""
        drawn = []
        draw = Text.draw

        def note(self, renderer, *args, **kwargs):
            if self.get_visible() and self.get_text().strip():
                drawn.append(self)
            return draw(self, renderer, *args, **kwargs)

        with monkeypatch.context() as patch:
            patch.setattr(Text, "draw", note)
            self.figure.canvas.draw()
        return [(text, outline(text)) for text in drawn]

    def _add_lines(self, lines, bounds):
        for line in lines:
            vertices = line.get_transform().transform(line.get_xydata())
            if not len(vertices):
                continue
            if line.get_linestyle() != "None" and len(vertices) > 1:
                self.lines.append((str(line), Path(vertices), bounds))
            if line.get_marker() not in ("None", "", None):
                for x, y in vertices:
                    box = mark_box(line.get_marker(), x, y, self._dots(line.get_markersize()))
                    self.marks.append((str(line), box, bounds))

    def _dots(self, size_in_points):
        return size_in_points * self.figure.dpi / 72

    def _add_clouds(self, ax):
        for cloud in ax.collections:
            if isinstance(cloud, PathCollection):
                size = self._dots(max(cloud.get_sizes()) ** 0.5)
                for x, y in cloud.get_offset_transform().transform(cloud.get_offsets()):
                    self.marks.append((str(cloud), mark_box("o", x, y, size), ax.bbox))

    def _add_areas(self, ax):
        """Add bars and bands, which texts must not cover, either."""
        for patch in ax.patches:
            seen = mpl.transforms.Bbox.intersection(patch.get_window_extent(), ax.bbox)
            if seen is not None:
                self.marks.append((str(patch), seen, ax.bbox))
        for lane in ax.collections:
            if not isinstance(lane, PathCollection):
                for path in lane.get_paths():
                    box = path.get_extents(lane.get_transform())
                    self.marks.append((str(lane), box, ax.bbox))


def outline(text):
    """Return the corners of a text, which may be turned."""
    degrees = text.get_rotation()
    if degrees % 90 == 0:
        box = Text.get_window_extent(text)
        return corners(box.x0, box.y0, box.x1, box.y1)
    assert (text.get_ha(), text.get_va()) == ("left", "center")
    assert text.get_rotation_mode() == "anchor"
    text.set_rotation(0)
    box = Text.get_window_extent(text)
    text.set_rotation(degrees)
    anchor = (box.x0, (box.y0 + box.y1) / 2)
    turn = mpl.transforms.Affine2D().rotate_deg_around(*anchor, degrees)
    return turn.transform(corners(box.x0, box.y0, box.x1, box.y1))


def corners(x0, y0, x1, y1):
    return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])


def mark_box(marker, x, y, size):
    half = size / 2
    if marker == "|":
        return mpl.transforms.Bbox.from_extents(x - 1, y - half, x + 1, y + half)
    if marker == "_":
        return mpl.transforms.Bbox.from_extents(x - half, y - 1, x + half, y + 1)
    return mpl.transforms.Bbox.from_extents(x - half, y - half, x + half, y + half)


def overlap(one, other):
    """Return whether two convex outlines overlap by more than the tolerance."""
    if (one.max(axis=0) - TOLERANCE <= other.min(axis=0)).any():
        return False
    if (other.max(axis=0) - TOLERANCE <= one.min(axis=0)).any():
        return False
    for shape in (one, other):
        for corner, following in zip(shape, np.roll(shape, -1, axis=0), strict=True):
            normal = np.array([corner[1] - following[1], following[0] - corner[0]])
            length = np.hypot(*normal)
            if length == 0:
                continue
            first, second = one @ normal / length, other @ normal / length
            if first.max() - TOLERANCE <= second.min() or second.max() - TOLERANCE <= first.min():
                return False
    return True


def crosses(path, shape):
    """Return whether a line goes through the inside of a convex outline."""
    starts, ends = path.vertices[:-1], path.vertices[1:]
    is_near = np.maximum(starts, ends) > shape.min(axis=0) + TOLERANCE
    is_near &= np.minimum(starts, ends) < shape.max(axis=0) - TOLERANCE
    near = np.flatnonzero(is_near.all(axis=1))
    return any(overlap(path.vertices[i : i + 2], shape) for i in near)


def covered(boxes, shape):
    """Yield the index of each box (x0, y0, x1, y1) that overlaps with a convex outline."""
    if not len(boxes):
        return
    is_near = (boxes[:, 2:] > shape.min(axis=0) + TOLERANCE).all(axis=1)
    is_near &= (boxes[:, :2] < shape.max(axis=0) - TOLERANCE).all(axis=1)
    for i in np.flatnonzero(is_near):
        if overlap(corners(*boxes[i]), shape):
            yield i


def is_within(shape, bounds):
    low, high = shape.min(axis=0), shape.max(axis=0)
    is_above = (low >= (bounds.x0 - TOLERANCE, bounds.y0 - TOLERANCE)).all()
    return is_above and (high <= (bounds.x1 + TOLERANCE, bounds.y1 + TOLERANCE)).all()


def faults(drawn):
    """Yield one sentence for each thing that is where it must not be."""
    boxes = np.array([box.extents for _, box, _ in drawn.marks])
    leaders = leaders_of(drawn)
    for text, shape in drawn.texts:
        words = repr(text.get_text())
        if not is_within(shape, drawn.figure.bbox):
            yield f"{words} is partly outside the figure"
        if text.get_fontsize() < 10:
            yield f"{words} is written in {text.get_fontsize()} points"
        for what, path, _ in drawn.lines:
            if crosses(path, shape):
                yield f"{words} lies on the line {what}"
        for i in covered(boxes, shape):
            yield f"{words} lies on {drawn.marks[i][0]}"
        for owner, leader in leaders:
            if owner is not text and crosses(leader, shape):
                yield f"{words} lies on the leader of {owner.get_text()!r}"
    for (one, shape), (other, other_shape) in itertools.combinations(drawn.texts, 2):
        if overlap(shape, other_shape):
            yield f"{one.get_text()!r} and {other.get_text()!r} overlap"
    yield from what_is_cut_off(drawn)
    for ax in drawn.figure.axes:
        yield from faults_of_ticks(ax)


def leaders_of(drawn):
    """Return each thin line from a point to its name."""
    found = []
    for text, _ in drawn.texts:
        if isinstance(text, Annotation) and text.arrow_patch:
            patch = text.arrow_patch
            found.append((text, patch.get_transform().transform_path(patch.get_path())))
    return found


def what_is_cut_off(drawn):
    for what, path, bounds in drawn.lines:
        if not is_within(path.vertices, bounds):
            yield f"{what} is cut off"
    for what, box, bounds in drawn.marks:
        if not is_within(corners(*box.extents), bounds):
            yield f"{what} is cut off"


def faults_of_ticks(ax):
    for axis in (ax.xaxis, ax.yaxis):
        low, high = sorted(axis.get_view_interval())
        shown = []
        for place, label in zip(axis.get_ticklocs(), axis.get_ticklabels(), strict=True):
            if low <= place <= high and label.get_text():
                shown.append(label)
        if isinstance(axis.get_major_locator(), LinearTicks | LogTicks) and len(shown) < 2:
            yield f"the {axis.axis_name} axis has {len(shown)} labels"
        if axis is ax.xaxis:
            boxes = sorted((Text.get_window_extent(label) for label in shown), key=lambda b: b.x0)
            for left, right in itertools.pairwise(boxes):
                if right.x0 - left.x1 < 5:
                    yield f"labels of the x axis nearly touch: {right.x0 - left.x1:.1f} dots"


# ---- the tests ----

FUNCTIONS = functions()


def test_the_functions_are_found():
    assert {"ratio", "strip", "roofline", "ladder_figure", "per_row_figure"} <= set(FUNCTIONS)
    assert len(FUNCTIONS) >= 13


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize("name", FUNCTIONS)
def test_everything_is_in_its_place(name, seed, monkeypatch):
    function = FUNCTIONS[name]
    figure = function(**arguments(function, random.Random(f"{name} {seed}")))
    found = list(faults(Drawn(figure, monkeypatch)))
    assert found == []
