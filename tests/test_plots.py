"""Each figure draws, says in words what it shows, and can be read by everybody."""

import io
import re
from itertools import pairwise
from types import SimpleNamespace

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from fakes import Comparison, Sweep, comparison, every_result, sanitize
from matplotlib.collections import PathCollection
from matplotlib.text import Text
from PIL import Image

import labkit as lab
from labkit.measure.count import Call, Count
from labkit.measure.growth import Growth
from labkit.measure.profile import Profile
from labkit.measure.results import Timing
from labkit.measure.stats import Interval
from labkit.measure.timeline import Timeline
from labkit.own_model.ladder import Ladder
from labkit.show import plots
from labkit.show.figure import COLOURS
from labkit.show.labels import text_colour

INFINITE = float("inf")

# For each figure its result, its kind and its options.
CASES = {
    "guess": ("comparison", "ratio", {"guess": 4}),
    "scaling": ("sweep", "scaling", {}),
    "scaling per row": ("sweep", "scaling", {"per": "row", "xlabel": "rows"}),
}
for kind in ("ratio", "times", "rounds", "break-even"):
    CASES[f"{kind} of two"] = ("comparison", kind, {})
    CASES[f"{kind} of nine"] = ("several", kind, {})
for result_name in ("timing", "count", "memory", "ops", "cost", "profile", "call"):
    CASES[result_name] = (result_name, None, {})
NAMES = [*CASES, "latency", "timeline", "ladder", "roofline", "cost of one row"]


def results_and_kinds():
    """Return a result of each class with each kind of figure that it can draw."""
    results = every_result()
    pair = results["comparison"]
    as_ladder = Ladder(
        pair.samples,
        pair.baseline,
        first_call=pair.first_call,
        python_calls={"eager": 10, "graph": 20},
    )
    found = []
    for kind in ("ratio", "times", "rounds", "break-even"):
        found.append(pytest.param(pair, kind, id=f"Comparison {kind}"))
        found.append(pytest.param(as_ladder, kind, id=f"Ladder {kind}"))
    found.append(pytest.param(as_ladder, "ladder", id="Ladder ladder"))
    found.append(pytest.param(results["timing"], "times", id="Timing times"))
    found.append(pytest.param(results["sweep"], "scaling", id="Sweep scaling"))
    found.append(pytest.param(results["count"], "strip", id="Count strip"))
    found.append(pytest.param(results["memory"], "growth", id="Growth growth"))
    found.append(pytest.param(results["profile"], "shares", id="Profile shares"))
    found.append(pytest.param(results["call"], "one-call", id="Timeline one call"))
    return found


RESULTS_AND_KINDS = results_and_kinds()


def draw_all(seed=0, scale=1.0):
    """Return one figure of each kind by name; another seed or scale is another run or machine."""
    results = every_result(seed, scale)
    figures = {}
    for name, (result, kind, options) in CASES.items():
        figures[name] = results[result].plot(kind, **options)
    spans = {
        "load": [(0, scale), (scale, 2 * scale)],
        "train": [(scale, 1.5 * scale)],
        "log": [],
        "save": [(0, scale)],
    }
    figures["timeline"] = plots.timeline(spans, "While one batch is loaded, nothing is trained.")
    figures["ladder"] = plots.ladder({"small": results["several"], "wide": results["several"]})
    points = {"one row": (0.5, 1e9 * scale), "many rows": (100.0, 5e10 * scale)}
    figures["cost of one row"] = plots.cost_of_one_row(results["several"], {"candidate 8": 1000})
    waits = [0.001 * scale] * 99 + [0.1 * scale]
    loads = {1: ([0.001 * scale], 0.002 * scale), 16: (waits, 0.05 * scale)}
    figures["latency"] = plots.latency({"alone": loads, "drain": {16: (waits, 0.02 * scale)}})
    figures["roofline"] = plots.roofline(1e11 * scale, 1e10 * scale, points)
    assert set(figures) == set(NAMES)
    return figures


@pytest.fixture(scope="session")
def figures():
    return draw_all()


@pytest.fixture(scope="session")
def pngs(figures):
    return {name: figure.png() for name, figure in figures.items()}


@pytest.fixture(scope="session")
def figures_of_another_run():
    return draw_all(seed=9, scale=7.3)


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def texts(figure):
    """Return the visible texts of a figure."""
    figure.figure.canvas.draw()
    found = figure.figure.findobj(Text)
    return [text for text in found if text.get_text().strip() and text.get_visible()]


def words(figure):
    return [text.get_text() for text in texts(figure)]


def axes(figure):
    return figure.figure.axes[0]


def legend_of(figure):
    """Return the words of the legend above the axes."""
    (legend,) = figure.figure.legends
    return [text.get_text() for text in legend.get_texts()]


def rows_of(figure):
    """Return what is written to the right of each row, by the name on its left."""
    figure.figure.canvas.draw()
    heights = {}
    for label in axes(figure).get_yticklabels():
        heights[round(label.get_position()[1], 3)] = label.get_text().replace("\n", " ")
    found = {}
    for text in axes(figure).texts:
        if text.get_ha() == "left" and text.xy[1] in heights:
            found[heights[text.xy[1]]] = text.get_text()
    return found


def lines_with(figure, marker):
    return [line for line in axes(figure).lines if line.get_marker() == marker]


def constant(name_and_seconds, *, baseline=None, **options):
    """Return a comparison without any noise."""
    samples = {name: [seconds] * 40 for name, seconds in name_and_seconds.items()}
    return Comparison(samples, baseline or next(iter(samples)), **options)


# ---- every figure ----


def test_every_function_of_the_module_is_drawn_here():
    functions = {name for name, value in vars(plots).items() if hasattr(value, "__wrapped__")}
    kinds = {str(param.values[1]).replace("-", "_") for param in RESULTS_AND_KINDS}
    assert functions == kinds | {"timeline", "roofline", "cost_of_one_row", "latency"}


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_draws_on_white_and_is_not_empty(name, pngs):
    image = pixels(pngs[name])
    edges = np.concatenate([image[0], image[-1]])
    assert (edges == 255).all(axis=1).mean() > 0.9
    assert (image != 255).any(axis=2).mean() > 0.005
    assert image.shape[1] == 640


@pytest.mark.parametrize("name", NAMES)
def test_the_caption_is_a_sentence(name, figures):
    caption = figures[name].caption
    assert caption.endswith(".")
    assert len(caption) > 15


@pytest.mark.parametrize("name", NAMES)
def test_the_alternative_text_says_what_is_in_the_image_and_is_not_the_caption(name, figures):
    drawn = figures[name]
    assert drawn.alt != drawn.caption
    assert drawn.alt.endswith(".")
    assert re.match(r"(Bar chart|Chart|Strip)\b", drawn.alt)
    for candidate in every_result()["several"].samples:
        if "nine" in name or name == "ladder":
            assert candidate in drawn.alt


@pytest.mark.parametrize("name", NAMES)
def test_the_alternative_text_of_another_run_is_the_same(name, figures, figures_of_another_run):
    assert figures_of_another_run[name].alt == figures[name].alt


@pytest.mark.parametrize("name", NAMES)
def test_texts_are_large_for_the_width_of_the_figure(name, figures):
    width = figures[name].figure.get_figwidth()
    assert min(text.get_fontsize() for text in texts(figures[name])) >= 1.7 * width


@pytest.mark.parametrize("name", NAMES)
def test_the_caption_of_another_run_differs_only_in_measured_numbers(
    name, figures, figures_of_another_run
):
    assert sanitize(figures_of_another_run[name].caption) == sanitize(figures[name].caption)


def test_a_figure_is_small_enough_for_a_lesson(pngs):
    assert max(map(len, pngs.values())) < 40_000


def test_the_learners_settings_change_no_figure_and_stay_as_they_are(pngs):
    own = {"font.size": 4, "text.color": "white", "hatch.color": "red", "lines.linewidth": 9}
    pyplot_figures = plt.get_fignums()
    with mpl.rc_context():
        mpl.style.use(["dark_background", own])
        before = dict(mpl.rcParams)
        styled = {name: figure.png() for name, figure in draw_all().items()}
        assert dict(mpl.rcParams) == before
    assert plt.get_fignums() == pyplot_figures
    changed = [name for name in NAMES if styled[name] != pngs[name]]
    assert changed == []


# ---- which figure is drawn ----


@pytest.mark.parametrize(("result", "kind"), RESULTS_AND_KINDS)
def test_a_result_draws_each_of_its_kinds(result, kind):
    drawn = result.plot(kind)
    assert isinstance(drawn, lab.figure.Figure)
    name = "one_ladder" if kind == "ladder" else kind.replace("-", "_")
    assert drawn.caption == getattr(plots, name)(result).caption


def test_an_unknown_kind_is_an_error_that_names_the_kinds(figures):
    with pytest.raises(ValueError, match=r"Timing .*'pie'.* times"):
        every_result()["timing"].plot("pie")


def test_a_measurement_that_decides_nothing_draws_too():
    undecided = Comparison(
        {"a": [1.0], "b": [2.0]}, "a", first_call={"a": 1.0, "b": 1.0}, interrupted=True
    )
    for kind in ("ratio", "times", "rounds", "break-even"):
        assert undecided.plot(kind).png()
    assert Timing("call", [1.0]).plot().png()


# ---- colour is never the only channel ----


@pytest.mark.parametrize("name", ["ratio of two", "rounds of nine", "break-even of two", "scaling"])
def test_lines_differ_in_marker_or_style(name, figures):
    colours = {}  # by marker and style
    for line in axes(figures[name]).lines:
        has_data = len(line.get_xdata()) > 0
        if has_data and line.get_color() in COLOURS[:6]:
            key = (str(line.get_marker()), line.get_linestyle())
            colours.setdefault(key, set()).add(line.get_color())
    with_marker = {
        key: found for key, found in colours.items() if key[0] not in ("None", "", "|", "_")
    }
    assert with_marker
    assert all(len(found) == 1 for found in with_marker.values()), with_marker


def test_samples_differ_in_marker(figures):
    clouds = axes(figures["times of nine"]).findobj(PathCollection)
    shapes = [cloud.get_paths()[0].vertices.tobytes() for cloud in clouds]
    assert len(shapes) == 9
    assert len(set(shapes[:7])) == 7


def test_lanes_differ_in_hatch(figures):
    lanes = axes(figures["timeline"]).collections
    hatches = [lane.get_hatch() for lane in lanes if len(lane.get_paths())]
    assert len(set(hatches)) == len(hatches) == 3


def test_calls_differ_in_marker_and_the_legend_explains_them(figures):
    ax = axes(figures["count"])
    markers = {line.get_marker() for line in ax.lines if len(line.get_xdata())}
    assert len(markers) == 3
    assert legend_of(figures["count"]) == ["traced", "retraced", "replayed"]
    assert "float32[3]" in words(figures["count"])


@pytest.mark.parametrize(
    "name", ["ratio of nine", "times of nine", "rounds of nine", "break-even of nine", "scaling"]
)
def test_each_candidate_is_labelled_in_the_figure(name, figures):
    result = every_result()["sweep" if name == "scaling" else "several"]
    if name == "scaling":
        result = result.comparisons[1]
    candidates = list(result.samples)
    if name == "rounds of nine":
        candidates.remove(result.baseline)
    shown = " ".join(words(figures[name]))
    assert all(candidate in shown for candidate in candidates)


def test_a_candidate_has_the_same_colour_and_marker_in_every_figure():
    result = comparison({"a": 1e-3, "b": 2e-3, "c": 3e-3})
    (in_ratio,) = lines_with(result.plot("ratio"), "D")
    (in_rounds,) = lines_with(result.plot("rounds"), "D")
    (in_totals,) = lines_with(result.plot("break-even"), "D")
    assert in_ratio.get_color() == in_rounds.get_color() == in_totals.get_color() == COLOURS[2]
    labels = {label.get_text(): label for label in axes(result.plot("rounds")).texts}
    assert labels["c"].get_color() == text_colour(COLOURS[2])


# ---- ratio ----


def test_the_caption_of_a_ratio_has_the_numbers(figures):
    assert figures["ratio of two"].caption.startswith("graph takes ≈0.400× [0.39")


def test_the_verdict_is_at_the_row_of_its_candidate():
    drawn = comparison({"a": 1e-3, "same": 1e-3, "fast": 1e-4, "slow": 9e-3}).plot()
    rows = rows_of(drawn)
    assert rows["a"].endswith(", baseline")
    assert rows["same"].endswith("×, similar")
    assert rows["fast"] == "≈0.0998×, faster\n≈10.0 times as fast"
    assert rows["slow"].endswith("×, slower")


def test_the_first_candidate_is_in_the_highest_row():
    drawn = constant({"a": 1.0, "b": 2.0, "c": 3.0}).plot()
    labels = axes(drawn).get_yticklabels()
    heights = {label.get_text(): label.get_position()[1] for label in labels}
    assert heights == {"a": 2, "b": 1, "c": 0}
    (mark,) = lines_with(drawn, "D")  # that of the third candidate
    assert mark.get_ydata()[0] == 0


def test_the_grey_band_is_what_counts_as_similar():
    drawn = constant({"a": 1.0, "b": 2.0}, margin=0.25).plot()
    (band,) = axes(drawn).patches
    assert (band.get_x(), band.get_x() + band.get_width()) == pytest.approx((0.8, 1.25))
    assert "grey: similar, within 25 %" in axes(drawn).get_xlabel()
    narrow = constant({"a": 1.0, "b": 2.0}, margin=0.001).plot()
    assert "within 0.1 %" in axes(narrow).get_xlabel()


@pytest.mark.parametrize(("seconds", "inverse"), [(0.49, True), (0.51, False)])
def test_less_than_half_the_time_is_also_told_the_other_way_round(seconds, inverse):
    drawn = constant({"slow": 1.0, "fast": seconds}).plot()
    assert any("≈2.04 times as fast" in text for text in words(drawn)) is inverse


@pytest.mark.parametrize(
    ("seconds", "guess", "expected"),
    [
        (0.25, 5, " So slow takes ≈4.00× the time of other. The guess was 5.00×."),
        (0.89, 2, " So slow takes ≈1.12× the time of other. The guess was 2.00×."),
        (0.91, 2, " The guess was 2.00×."),
        (3.0, 5, " The guess was 5.00×."),
        (3.0, 0.5, " The guess was 2.00×."),
        (0.25, None, ""),
        (0.25, SimpleNamespace(value=None, made=False), ""),
        (0.25, SimpleNamespace(value=5, made=False), ""),
        (
            0.25,
            SimpleNamespace(value=5),
            " So slow takes ≈4.00× the time of other. The guess was 5.00×.",
        ),
    ],
)
def test_the_caption_answers_what_was_asked_the_way_it_was_asked(seconds, guess, expected):
    caption = constant({"slow": 1.0, "other": seconds}).plot(guess=guess).caption
    ratio, rest = caption.split(" the time of slow.")
    assert ratio.startswith("other takes ≈")
    assert rest == expected


def test_a_guess_can_be_about_any_candidate():
    result = constant({"a": 1.0, "b": 0.5, "c": 4.0})
    assert "So a takes ≈2.00× the time of b. The guess" in result.plot(guess=3, of="b").caption
    assert "So a" not in result.plot(guess=3).caption  # the last one, which is slower
    with pytest.raises(ValueError, match="of='d' was not compared; there are b, c"):
        result.plot(guess=3, of="d")


def test_a_guess_is_within_the_limits_of_the_axis():
    drawn = constant({"a": 1.0, "b": 0.9}).plot(guess=50)
    (mark,) = lines_with(drawn, "v")
    low, high = axes(drawn).get_xlim()
    assert low < mark.get_xdata()[0] < high
    assert axes(drawn).get_ylim()[0] < mark.get_ydata()[0]
    assert {"your guess", "50.0 times"} <= set(words(drawn))


@pytest.mark.parametrize("kind", ["ratio", "ladder"])
def test_a_guess_that_is_not_made_changes_no_figure(kind):
    result = constant({"a": 1.0, "b": 0.25})
    draw = {"ratio": plots.ratio, "ladder": plots.one_ladder}[kind]
    plain = draw(result)
    for guess in (None, SimpleNamespace(value=None, made=False)):
        drawn = draw(result, guess=guess)
        assert drawn.png() == plain.png()
        assert (drawn.caption, drawn.alt) == (plain.caption, plain.alt)
        assert "guess" not in " ".join([drawn.caption, drawn.alt, *words(drawn)])


def test_a_ratio_needs_two_candidates():
    with pytest.raises(ValueError, match="needs two candidates"):
        constant({"a": 1.0}).plot()


def with_interval(low, high):
    """Return a comparison of which b takes twice the time of a, within this interval."""
    return SimpleNamespace(
        samples={"a": [1.0], "b": [2.0]},
        baseline="a",
        margin=0.05,
        median={"a": Interval(1.0, 0.0, INFINITE), "b": Interval(2.0, 0.0, INFINITE)},
        ratio={"b": Interval(2.0, low, high)},
        verdict={"b": "unclear"},
    )


@pytest.mark.parametrize("draw", [plots.ratio, plots.one_ladder])
@pytest.mark.parametrize(
    ("low", "high", "heads"),
    [
        (1.5, 2.5, ""),
        (0.1, 50, ""),  # wide, and whole
        (0.0, 2.5, "<"),
        (-INFINITE, INFINITE, "<>"),
        (1.5, INFINITE, ">"),
        (1.5, 1e6, ">"),
    ],
)
def test_an_interval_that_goes_on_beyond_the_figure_has_arrow_heads(draw, low, high, heads):
    drawn = draw(with_interval(low, high))
    left, right = axes(drawn).get_xlim()
    (interval,) = [line for line in axes(drawn).lines if line.get_linewidth() == 4]
    expected = [left if "<" in heads else low, right if ">" in heads else high]
    assert list(interval.get_xdata()) == pytest.approx(expected)
    for head in "<>":
        assert len(lines_with(drawn, head)) == int(head in heads)


def test_log_axes_have_plain_numbers(figures):
    assert {"1×", "10×", "100×"} <= set(words(figures["ratio of nine"]))


# ---- times ----


def test_the_figure_of_times_has_the_median_and_the_caption_the_quartiles():
    drawn = Timing("call", [1e-3 * i for i in range(1, 101)]).plot()
    assert rows_of(drawn) == {"call": "median ≈50.5 ms"}
    assert drawn.caption.endswith("call: half of the samples lie between ≈26.0 ms and ≈76.0 ms.")


def test_the_median_in_the_figure_is_that_of_the_table():
    result = Comparison({"a": [1.0, 2.0], "b": [3.0, 4.0]}, "a")
    shown = rows_of(result.plot("times"))
    assert shown == {n: f"median ≈{m.value:.2f} s" for n, m in result.median.items()}


def test_the_slowest_hundredth_of_the_samples_is_counted_and_not_drawn():
    drawn = Timing("call", [1e-3] * 196 + [9.0, 9.1, 9.2, 9.3]).plot()
    assert axes(drawn).get_xlabel().endswith("\n1 of 200 samples lies beyond the right edge")
    (cloud,) = axes(drawn).findobj(PathCollection)
    assert len(cloud.get_offsets()) == 199
    few = Timing("call", [1e-3] * 20).plot()
    assert "beyond" not in axes(few).get_xlabel()


# ---- rounds ----


def test_the_rounds_are_in_the_order_of_time():
    result = Comparison({"a": [1.0, 2.0, 1.0], "b": [2.0, 2.0, 3.0]}, "a")
    (points,) = lines_with(result.plot("rounds"), "s")
    assert list(points.get_xdata()) == [1, 2, 3]
    assert list(points.get_ydata()) == [2.0, 1.0, 3.0]


def test_the_line_of_the_baseline_has_a_name():
    drawn = constant({"waits": 1.0, "computes": 2.0}).plot("rounds")
    assert {"waits (= 1)", "computes"} <= set(words(drawn))


# ---- scaling ----


def sweep(seconds_by_size):
    """Return a sweep over one candidate without any noise."""
    comparisons = {size: constant({"f": seconds}) for size, seconds in seconds_by_size.items()}
    return Sweep(comparisons, "rows")


def test_the_caption_of_a_sweep_has_both_ends(figures):
    assert "goes from ≈" in figures["scaling"].caption


def test_times_per_row_are_divided_by_the_rows():
    result = sweep({1: 1e-3, 10: 2e-3})
    line = axes(result.plot()).lines[0]
    assert list(line.get_ydata()) == pytest.approx([1, 2])
    per_row = result.plot(per="row", xlabel="rows in a call")
    assert list(axes(per_row).lines[0].get_ydata()) == pytest.approx([1000, 200])
    assert axes(per_row).get_ylabel() == "time per row in µs"
    assert axes(per_row).get_xlabel() == "rows in a call"
    assert (
        per_row.caption == "Time per row against rows: f goes from ≈1.00 ms at 1 to ≈200 µs at 10."
    )


@pytest.mark.parametrize(
    ("low", "high", "markers"),
    [
        (0.5e-3, 2e-3, "__"),
        (0.0, 2e-3, "v_"),
        (-INFINITE, INFINITE, "v^"),
        (0.5e-3, 1e3, "_^"),
    ],
)
def test_an_interval_of_a_sweep_that_goes_on_has_an_arrow_head(low, high, markers):
    comparison = SimpleNamespace(median={"f": Interval(1e-3, low, high)})
    drawn = plots.scaling(SimpleNamespace(comparisons={8: comparison}, label="rows"))
    ends = [line.get_marker() for line in axes(drawn).lines if line.get_marker() in list("_v^")]
    assert "".join(ends) == markers


@pytest.mark.parametrize(
    ("sizes", "base"), [((1, 2, 4), 2), ((1, 4), 2), ((1, 5), 10), ((1, 10, 100), 10), ((8,), 10)]
)
def test_the_steps_of_the_sizes_decide_the_base_of_the_axis(sizes, base):
    drawn = sweep(dict.fromkeys(sizes, 1e-3)).plot()
    assert axes(drawn).xaxis.get_transform().base == base
    assert [label.get_text() for label in axes(drawn).get_xticklabels()] == [str(n) for n in sizes]


def test_a_nearly_flat_sweep_is_drawn_flat():
    low, high = axes(sweep({1: 1.01e-4, 2: 1.02e-4, 3: 1.03e-4}).plot()).get_ylim()
    assert high / low == pytest.approx(10)
    low, high = axes(sweep({1: 1e-5, 100: 1e-3}).plot()).get_ylim()
    assert high / low > 100


@pytest.mark.parametrize("size", ["small", 0])
def test_a_sweep_without_numbers_cannot_be_drawn(size):
    with pytest.raises(ValueError, match=f"numbers above 0, got {size!r}"):
        sweep({size: 1e-3}).plot()


# ---- break-even ----

EAGER_AND_GRAPH = {"eager": 0.1, "graph": 0.01}


def break_even(first_eager, first_graph, **options):
    first_call = {"eager": first_eager, "graph": first_graph}
    return constant(EAGER_AND_GRAPH, first_call=first_call, **options).plot("break-even")


def marked_calls(figure):
    """Return the number of calls at the dotted line, if there is one."""
    dotted = [line for line in axes(figure).lines if line.get_linestyle() == ":"]
    return [line.get_xdata()[0] for line in dotted if line.get_color() == "#555555"]


def test_the_break_even_is_where_the_totals_cross():
    drawn = break_even(0.1, 1.0)
    assert drawn.caption == (
        "Total time: graph costs more at first and has paid for itself after ≈11 calls of eager."
    )
    assert marked_calls(drawn) == [11]
    assert "even after ≈11 calls" in words(drawn)


def test_a_candidate_that_starts_cheaper_is_not_said_to_cost_more_at_first():
    drawn = break_even(9.0, 1.0)
    assert drawn.caption == "Total time: graph is cheaper than eager from the first call on."
    assert marked_calls(drawn) == []
    assert "costs more" not in " ".join(words(drawn))


def test_a_slower_candidate_never_overtakes():
    drawn = break_even(1.0, 0.1, baseline="graph")
    assert drawn.caption == "Total time over ≈100 calls: eager never overtakes graph."
    assert marked_calls(drawn) == []


def test_a_slower_candidate_that_starts_cheaper_is_not_said_to_be_behind():
    drawn = break_even(0.1, 1.0, baseline="graph")
    assert drawn.caption == (
        "Total time: eager costs less at first than graph, but saves nothing on the later calls."
    )


def test_the_totals_begin_at_the_first_call():
    drawn = break_even(0.1, 1.0)
    eager, graph = axes(drawn).lines[:2]
    assert list(eager.get_xdata()) == [1, 33]  # three times the break-even
    assert list(eager.get_ydata()) == pytest.approx([0.1, 0.1 + 32 * 0.1])
    assert list(graph.get_ydata()) == pytest.approx([1.0, 1.0 + 32 * 0.01])


@pytest.mark.parametrize(
    ("first_graph", "calls", "end"), [(0.1, None, 20), (1.0, None, 33), (1.0, 50, 50)]
)
def test_the_axis_of_calls_has_space_for_the_break_even(first_graph, calls, end):
    first_call = {"eager": 0.1, "graph": first_graph}
    result = constant(EAGER_AND_GRAPH, first_call=first_call)
    eager, *_ = axes(result.plot("break-even", calls=calls)).lines
    assert eager.get_xdata()[1] == end


def test_the_break_even_needs_first_calls():
    with pytest.raises(ValueError, match="the first call of eager was not timed"):
        constant(EAGER_AND_GRAPH).plot("break-even")


# ---- timeline ----


def test_a_timeline_begins_at_the_first_piece_of_work():
    drawn = plots.timeline({"load": [(7.0, 9.0)], "train": [(8.0, 10.0)]}, "Loading overlaps.")
    load, train = (lane.get_paths()[0].get_extents() for lane in axes(drawn).collections)
    assert (load.x0, load.x1) == (0, 2)
    assert (train.x0, train.x1) == (1, 3)
    assert load.y0 > train.y1  # the first lane is at the top
    labels = [label.get_text() for label in axes(drawn).get_yticklabels()]
    assert labels == ["train", "load"]
    assert axes(drawn).get_xlabel() == "time in s"


def test_a_timeline_without_work_draws():
    assert plots.timeline({"load": []}, "Nothing happens.").png()


# ---- one call ----


def test_one_call_has_a_row_for_python_each_thread_and_the_longest_operations():
    operations = {f"Op{i}": [(0.5, 0.6 + i / 100)] for i in range(7)}
    threads = {"calling": [(0.4, 1.0)], "executor": [(0.5, 0.9)]}
    call = Timeline(1.0, [(0.0, 0.4)], threads, operations)
    drawn = call.plot()
    labels = [label.get_text() for label in axes(drawn).get_yticklabels()][::-1]
    wanted = ["Python", "calling", "executor", "Op6", "Op5", "Op4", "Op3", "other operations"]
    assert labels == wanted
    assert "≈330 ms, 3 runs" in words(drawn)
    python = axes(drawn).collections[0].get_paths()[0].get_extents()
    assert (python.x0, python.x1) == pytest.approx((0, 0.4))
    assert drawn.caption == (
        "One call, ≈1.00 s: Python takes ≈40.0 % of it; 7 operations run in ≈16.0 % of it."
    )


def test_many_threads_share_a_row_and_the_calling_one_never_does():
    busy = {f"executor thread {i}": [(0.1, 0.2 + i / 100)] for i in range(20)}
    call = Timeline(1.0, [(0.1, 1.0)], {"calling": [(0.0, 0.1)]} | busy, {})
    labels = [label.get_text() for label in axes(call.plot()).get_yticklabels()][::-1]
    assert labels[:2] == ["Python", "calling"]
    assert labels[-1] == "other threads"
    assert len(labels) == 2 + 4 + 1


# ---- strip ----


def test_the_caption_counts_what_the_calls_did(figures):
    assert figures["count"].caption == "3 calls: 1 traced, 1 retraced, 1 replayed."


def test_a_function_seen_before_is_retraced_and_another_one_traced():
    calls = [Call("f", 1, "int32[]"), Call("g", 1, "int32[]"), Call("f"), Call("g", 1, "float32[]")]
    assert plots.strip(Count(calls=calls)).caption == "4 calls: 2 traced, 1 retraced, 1 replayed."
    assert plots.strip(Count()).caption == "0 calls: none of a tf.function."


def test_a_call_that_traces_more_than_once_is_in_the_caption():
    caption = plots.strip(Count(calls=[Call("step", 3, "float32[2]"), Call("step")])).caption
    assert caption == "2 calls: 1 traced, 1 replayed. Traces in all: 3."


def test_the_legend_of_a_strip_has_only_what_is_drawn():
    drawn = plots.strip(Count(calls=[Call("f", 1, "float32[2]"), Call("f")]))
    assert legend_of(drawn) == ["traced", "replayed"]


def test_a_long_reason_gets_a_taller_strip():
    short = plots.strip(Count(calls=[Call("f", 1, "float32[2]")]))
    long = plots.strip(Count(calls=[Call("f", 1, "int32[] " * 9)]))
    assert long.figure.get_figheight() > short.figure.get_figheight() + 1
    (reason,) = axes(long).texts
    assert reason.get_text().endswith("…")


def reasons(count):
    """Return the texts above the calls, each of which traces."""
    calls = [Call("f", 1, f"float32[{i}]") for i in range(count)]
    return axes(plots.strip(Count(calls=calls))).texts


def test_reasons_of_calls_that_are_close_are_upright_and_fewer():
    assert {text.get_rotation() for text in reasons(10)} == {35}
    assert {text.get_rotation() for text in reasons(30)} == {90}
    assert len(reasons(30)) == 30 > len(reasons(100)) > 20


@pytest.mark.parametrize(
    ("calls", "labels"),
    [
        (0, ["1"]),
        (1, ["1"]),
        (3, ["1", "2", "3"]),
        (12, [str(i) for i in range(1, 13)]),
        (30, ["1", "5", "10", "15", "20", "25", "30"]),
        (100, ["1", "50", "100"]),
    ],
)
def test_the_axis_of_a_strip_ends_at_the_last_call(calls, labels):
    drawn = plots.strip(Count(calls=[Call("f")] * calls))
    assert [label.get_text() for label in axes(drawn).get_xticklabels()] == labels
    assert axes(drawn).spines["bottom"].get_bounds() == (1, max(calls, 1))
    assert axes(drawn).get_xlim()[1] > calls + 0.5


# ---- growth ----


def test_the_caption_says_whether_it_is_still_growing(figures):
    growing = Growth("ops", list(range(8)), calls=100, resolution=0).plot()
    assert growing.caption == "Over 800 calls the number of operations is still growing at the end."
    flat = Growth("ops", [2] * 8, calls=100, resolution=0).plot()
    assert flat.caption == "Over 800 calls the number of operations does not keep growing."
    short = Growth("graphs", [2, 4], calls=100, resolution=0).plot()
    assert short.caption == (
        "200 calls are too few to tell whether the number of live graphs keeps growing."
    )


def test_the_caption_of_memory_has_figures_and_no_verdict():
    values = [k * 2**20 for k in (0, 3, 4, 5, 5.5, 5, 5.25, 6)]
    drawn = Growth("memory", values, calls=2, resolution=2**20).plot()
    assert drawn.caption == (
        "Over 16 calls the memory grew by ≈6.00 MiB; in their second half by ≈0.500 MiB."
    )


@pytest.mark.parametrize(
    ("what", "value", "shown", "label"),
    [
        ("memory", 2**21, 2.0, "growth in MiB"),
        ("ops", 7, 7.0, "growth in operations"),
        ("graphs", 7, 7.0, "growth in graphs"),
        ("cost", 0.005, 5.0, "cost in ms per call"),
    ],
)
def test_growth_is_drawn_in_the_unit_of_its_label(what, value, shown, label):
    drawn = Growth(what, [value] * 4, calls=10, resolution=0).plot()
    line = axes(drawn).lines[0]
    assert list(line.get_xdata()) == [10, 20, 30, 40]
    assert list(line.get_ydata()) == pytest.approx([shown] * 4)
    assert axes(drawn).get_ylabel() == label


@pytest.mark.parametrize(
    ("values", "ends"),
    [
        ([0, 0.1, 0.2, 0.1], (0, 2.0)),  # the grey band takes half of the height
        ([0, 5, 10, 20], (0, 20)),
        ([0, -3, 1, 2], (-3, 2)),
    ],
)
def test_changes_that_are_too_small_to_tell_are_grey(values, ends):
    memory = [value * 2**20 for value in values]
    ax = axes(Growth("memory", memory, calls=10, resolution=2**20).plot())
    (band,) = ax.patches
    assert (band.get_y(), band.get_height()) == (-1, 2)
    assert ax.get_xlabel() == "calls\ngrey: too small to tell from no growth"
    low, high = ax.get_ylim()
    space = 0.07 * (ends[1] - ends[0])
    assert (low, high) == pytest.approx((ends[0] - space, ends[1] + space))


def test_growth_of_nothing_has_whole_labels():
    drawn = Growth("ops", [0] * 8, calls=100, resolution=0).plot()
    drawn.figure.canvas.draw()
    assert [label.get_text() for label in axes(drawn).get_yticklabels()] == ["0", "1"]


# ---- shares ----


def test_bars_have_the_colours_of_the_three_kinds_of_code():
    shares = {
        "Keras (Python)": 0.3,
        "Python, other": 0.2,
        "compiled, other": 0.1,
        "TensorFlow (compiled operations)": 0.4,
    }
    drawn = Profile(shares, 30).plot()
    assert drawn.caption == (
        "Python code takes ≈50.0 % of a call, TensorFlow's operations ≈40.0 %, "
        "other compiled code ≈10.0 %."
    )
    bars = sorted(axes(drawn).patches, key=lambda bar: -bar.get_y())
    assert [bar.get_width() for bar in bars] == pytest.approx([30, 20, 10, 40])
    colours = [mpl.colors.to_hex(bar.get_facecolor()).upper() for bar in bars]
    assert colours == [COLOURS[0], COLOURS[0], "#999999", COLOURS[1]]
    labels = [label.get_text() for label in axes(drawn).get_yticklabels()]
    assert [label.replace("\n", " ") for label in labels] == list(reversed(shares))
    numbers = [text.get_text() for text in axes(drawn).texts]
    assert numbers == ["≈30.0 %", "≈20.0 %", "≈10.0 %", "≈40.0 %"]


# ---- ladder ----


def test_a_ladder_has_a_mark_for_each_candidate_and_model():
    small = constant({"predict": 1e-2, "call": 1e-3, "numpy": 1e-5}, baseline="numpy")
    wide = constant({"predict": 1e-2, "call": 2e-3, "numpy": 1e-3}, baseline="numpy")
    drawn = plots.ladder({"small": small, "wide": wide}, unit="row")
    assert drawn.caption == (
        "Time per row. small: numpy ≈10.0 µs, predict ≈1,000× that; "
        "wide: numpy ≈1.00 ms, predict ≈10.0× that."
    )
    labels = [label.get_text() for label in axes(drawn).get_yticklabels()]
    assert labels == ["numpy (= 1)", "call", "predict"]
    for marker, ratios, shift in (("o", [1000, 100], 0.175), ("s", [10, 2], -0.175)):
        marks = [line for line in lines_with(drawn, marker) if len(line.get_xdata())]
        assert [mark.get_xdata()[0] for mark in marks] == pytest.approx(ratios)
        assert [mark.get_ydata()[0] for mark in marks] == [2 + shift, 1 + shift]
    assert legend_of(drawn) == ["small", "wide"]
    assert not any("≈" in text for text in words(drawn))  # the numbers of two would overlap


def test_the_ladder_of_one_model_has_its_numbers_and_no_legend():
    result = constant({"predict": 1e-2, "numpy": 1e-5}, baseline="numpy")
    drawn = plots.one_ladder(result, unit="row", guess=100)
    assert drawn.caption == "Time per row. numpy ≈10.0 µs, predict ≈1,000× that."
    assert rows_of(drawn) == {"predict": "≈1,000×"}
    assert {"your guess", "100 times"} <= set(words(drawn))
    assert not drawn.figure.legends
    (mark,) = lines_with(drawn, "v")
    assert axes(drawn).get_ylim()[0] < mark.get_ydata()[0]


def test_the_baseline_may_be_the_first_candidate_of_a_ladder():
    drawn = plots.one_ladder(constant({"numpy": 1e-5, "call": 1e-3}))
    assert drawn.caption == "Time per call. numpy ≈10.0 µs, call ≈100× that."


def test_ladders_that_do_not_go_together_are_an_error():
    with pytest.raises(ValueError, match="at least one ladder"):
        plots.ladder({})
    small = constant({"predict": 1e-2, "numpy": 1e-5}, baseline="numpy")
    other = constant({"call": 1e-2, "numpy": 1e-5}, baseline="numpy")
    with pytest.raises(ValueError, match="same candidates: predict, numpy"):
        plots.ladder({"small": small, "other": other})


def test_a_long_ladder_has_labels_that_do_not_touch():
    drawn = plots.one_ladder(constant({"predict": 10.0, "numpy": 1e-6}, baseline="numpy"))
    drawn.figure.canvas.draw()
    boxes = [label.get_window_extent() for label in axes(drawn).get_xticklabels()]
    for left, right in pairwise(boxes):
        assert left.x1 < right.x0


# ---- roofline ----


def test_the_limit_is_the_lower_of_the_two():
    points = {"few": (1.0, 5e9), "many": (100.0, 50e9)}
    drawn = plots.roofline(100e9, 10e9, points)
    # With one operation per byte the memory allows 10 GFLOP/s.
    assert drawn.caption == (
        "Roofline: few ≈5.00 GFLOP/s, ≈50.0 % of its limit; "
        "many ≈50.0 GFLOP/s, ≈50.0 % of its limit."
    )
    limits = axes(drawn).lines[0]
    assert list(limits.get_xdata()) == [0.125, 10.0, 800.0]
    assert list(limits.get_ydata()) == [1.25, 100.0, 100.0]
    assert {"peak ≈100 GFLOP/s", "memory ≈10.0 GB/s"} <= set(words(drawn))


def test_names_of_points_are_beside_them():
    points = {"b": (1.0, 4.8e9), "c": (1.0, 4.9e9), "a": (1.0, 5e9), "far": (1.0, 5e8)}
    drawn = plots.roofline(100e9, 10e9, points)
    labels = {label.get_text(): label for label in axes(drawn).texts}
    for name, (intensity, speed) in points.items():
        assert labels[name].xy == (intensity, speed / 1e9)
        assert max(map(abs, labels[name].xyann)) < 60  # points
    assert labels["far"].xyann[0] > 0  # on its right, where there is space
    assert labels["far"].arrow_patch is None


# ---- the story ----


def test_the_newest_candidate_is_dark_and_costs_are_per_row():
    result = constant({"predict": 1e-2, "call": 1e-3, "batch": 1e-2})
    drawn = plots.cost_of_one_row(result, {"batch": 1000})
    costs = [text.get_text() for text in axes(drawn).texts]
    assert costs == ["≈10.0 ms", "≈1.00 ms", "≈10.0 µs"]
    colours = [mpl.colors.to_hex(bar.get_facecolor()) for bar in axes(drawn).patches]
    assert colours[-1] == COLOURS[0].lower()
    assert colours[0] == colours[1] != colours[-1]
    assert drawn.caption.endswith("predict costs ≈1,000× as much as batch.")


def test_rows_of_no_candidate_are_an_error():
    with pytest.raises(ValueError, match="no candidate 'c'"):
        plots.cost_of_one_row(constant({"a": 1.0, "b": 2.0}), {"c": 3})


def test_latency_gives_the_waits_and_the_throughput_of_the_highest_load():
    waits = [0.001] * 98 + [0.05, 0.1]
    drawn = plots.latency({"drain": {1: ([0.001], 0.001), 16: (waits, 0.5)}}, of="clients")
    assert drawn.caption == "With 16 clients: drain ≈200 rows/s, p50 ≈1.00 ms, p99 ≈50.5 ms."
    ax = drawn.figure.axes[0]
    assert ax.get_ylim()[1] > 50
    assert ax.get_xlabel().endswith("marks along a line: 1 and 16 clients")


def test_latency_needs_a_load():
    with pytest.raises(ValueError, match="at least one"):
        plots.latency({"drain": {}})
