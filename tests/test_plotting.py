"""Each kind of picture draws, says in words what it shows, can be read by everybody, and leaves settings alone."""

import io
import itertools

import matplotlib as mpl
import numpy as np
import pytest
from fakes import Comparison, Sweep, comparison, every_result, sanitize
from matplotlib.collections import PathCollection
from matplotlib.text import Text
from PIL import Image

import labkit as lab
from labkit.course.guesses import Guess
from labkit.measure.count import Call, Count
from labkit.show import plots
from labkit.show.figure import COLOURS, MARKERS, STYLES, Figure, new_axes, style


def draw_all(seed=0, scale=1.0):
    """Return one picture of each kind, as `name: picture`."""
    results = every_result(seed, scale)
    pair, several = results["comparison"], results["several"]
    pictures = {
        f"{kind} of two": pair.plot(kind) for kind in ("ratio", "times", "rounds", "break-even")
    }
    pictures |= {
        f"{kind} of nine": several.plot(kind) for kind in ("ratio", "times", "rounds", "break-even")
    }
    pictures |= {
        name: results[name].plot()
        for name in results
        if name not in ("comparison", "several", "sweep")
    }
    pictures["guess"] = pair.plot(guess=4)
    pictures["scaling"] = results["sweep"].plot()
    pictures["scaling per row"] = results["sweep"].plot(per="row", xlabel="rows")
    pictures["timeline"] = plots.timeline(
        {
            "load": [(0, scale), (scale, 2 * scale)],
            "train": [(scale, 1.5 * scale)],
            "log": [],
            "save": [(0, scale)],
        },
        "While one batch is loaded, nothing is trained.",
    )
    return pictures


PICTURES = draw_all()


def shown_texts(figure):
    return [t for t in figure.findobj(Text) if t.get_text().strip() and t.get_visible()]


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_draws_on_white_and_holds_something(name):
    image = pixels(PICTURES[name].png())
    edges = np.concatenate([image[0], image[-1]])
    assert (edges == 255).all(axis=1).mean() > 0.9
    assert (image != 255).any(axis=2).mean() > 0.005
    assert image.shape[1] == 760


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_says_in_a_sentence_what_it_shows(name):
    text = PICTURES[name].caption
    assert text.endswith(".") and len(text) > 15
    data, metadata = PICTURES[name]._repr_mimebundle_()
    assert metadata["image/png"]["alt"] == data["text/plain"] == repr(PICTURES[name]) == text


@pytest.mark.parametrize("name", PICTURES)
def test_no_text_is_smaller_than_ten_points(name):
    figure = PICTURES[name].figure
    figure.canvas.draw()
    assert min(t.get_fontsize() for t in shown_texts(figure)) >= 10


@pytest.fixture(scope="module")
def another_run():
    return draw_all(seed=9, scale=7.3)


@pytest.mark.parametrize("name", [name for name in PICTURES if name != "guess"])
def test_the_sentence_of_another_run_differs_only_in_marked_figures(name, another_run):
    assert sanitize(another_run[name].caption) == sanitize(PICTURES[name].caption)


def test_a_sentence_shows_the_figures():
    assert draw_all()["ratio of two"].caption.startswith("graph takes ≈0.400× [0.39")
    assert "goes from ≈" in PICTURES["scaling"].caption
    assert PICTURES["count"].caption == "3 calls: 1 traced, 1 retraced, 1 replayed."
    assert PICTURES["memory"].caption == "Over 1,200 calls the memory is still growing at the end."


@pytest.fixture(scope="module")
def fresh_images():
    return {name: pixels(figure.png()) for name, figure in draw_all().items()}


@pytest.mark.parametrize(
    "style", ["dark_background", {"font.size": 4, "text.color": "white", "hatch.color": "red"}]
)
def test_the_learners_style_changes_no_picture(style, fresh_images):
    with mpl.rc_context():
        mpl.style.use(style)
        styled = {name: pixels(figure.png()) for name, figure in draw_all().items()}
    assert [name for name in styled if not np.array_equal(styled[name], fresh_images[name])] == []


def test_the_learners_settings_stay_as_they_are():
    with mpl.rc_context({"font.size": 7, "axes.facecolor": "black", "lines.linewidth": 9}):
        before = dict(mpl.rcParams)
        for drawn in draw_all().values():
            drawn.png()
        new_axes()
        assert dict(mpl.rcParams) == before


def test_no_picture_enters_pyplot():
    import matplotlib.pyplot as plt

    open_before = plt.get_fignums()
    draw_all()
    assert plt.get_fignums() == open_before


# ---- colour is never the only channel ----


def contrast_on_white(colour):
    """Return the contrast ratio of WCAG 2."""
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
        for c in mpl.colors.to_rgb(colour)
    ]
    return 1.05 / (0.05 + sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True)))


def test_seven_candidates_differ_in_marker_and_neighbours_in_line_style():
    looks = [style(i) for i in range(7)]
    assert len({x["marker"] for x in looks}) == len({x["color"] for x in looks}) == 7
    assert all(a["linestyle"] != b["linestyle"] for a, b in itertools.pairwise(looks))
    assert len({(x["marker"], x["linestyle"]) for x in map(style, range(9))}) == 9
    assert len(MARKERS) == len(set(MARKERS)) == len(COLOURS) and len(STYLES) == 4


def test_colours_are_those_of_okabe_and_ito_without_the_pale_yellow():
    okabe_ito = {
        "#E69F00",
        "#56B4E9",
        "#009E73",
        "#F0E442",
        "#0072B2",
        "#D55E00",
        "#CC79A7",
        "#000000",
    }
    assert set(COLOURS) == okabe_ito - {"#F0E442"}
    assert all(contrast_on_white(c) > 2 for c in COLOURS)
    assert all(
        contrast_on_white(c) > 2.9 for c in COLOURS[:4]
    )  # a picture seldom needs more than four


@pytest.mark.parametrize("name", ["ratio of two", "rounds of nine", "break-even of two", "scaling"])
def test_lines_differ_in_marker_or_style(name):
    seen = {}
    for line in PICTURES[name].figure.axes[0].lines:
        if len(line.get_xdata()) and line.get_color() in COLOURS[:6]:
            seen.setdefault((str(line.get_marker()), line.get_linestyle()), set()).add(
                line.get_color()
            )
    plain = {key: colours for key, colours in seen.items() if key[0] not in ("None", "", "|", "_")}
    assert plain
    assert all(len(colours) == 1 for colours in plain.values()), plain


def test_samples_differ_in_marker():
    clouds = PICTURES["times of nine"].figure.axes[0].findobj(PathCollection)
    shapes = [cloud.get_paths()[0].vertices.tobytes() for cloud in clouds]
    assert len(shapes) == 9 and len(set(shapes[:7])) == 7


def test_lanes_differ_in_hatch():
    lanes = PICTURES["timeline"].figure.axes[0].collections
    hatches = [lane.get_hatch() for lane in lanes if len(lane.get_paths())]
    assert len(set(hatches)) == len(hatches) == 3


def test_calls_differ_in_marker_and_are_explained():
    axes = PICTURES["count"].figure.axes[0]
    assert len({line.get_marker() for line in axes.lines if len(line.get_xdata())}) == 3
    assert [t.get_text() for t in axes.get_legend().get_texts()] == [
        "replayed",
        "traced",
        "retraced",
    ]
    assert "float32[3]" in [t.get_text() for t in axes.texts]


@pytest.mark.parametrize(
    "name", ["ratio of nine", "times of nine", "rounds of nine", "break-even of nine", "scaling"]
)
def test_each_candidate_is_labelled_where_it_is(name):
    figure = PICTURES[name].figure
    figure.canvas.draw()
    labels = " ".join(t.get_text() for t in shown_texts(figure))
    names = ("eager", "graph") if name == "scaling" else [f"way {i}" for i in range(1, 9)]
    assert all(n in labels for n in names)


# ---- what the pictures say ----


def test_the_verdict_stands_at_its_row():
    figure = comparison({"a": 1e-3, "same": 1e-3, "fast": 1e-4, "slow": 9e-3}).plot().figure
    labels = {t.get_text().split(":")[0]: t.get_text() for t in shown_texts(figure)}
    assert labels["same"].endswith("similar") and labels["fast"].endswith("faster")
    assert labels["slow"].endswith("slower") and "baseline" in labels["a"]


def test_a_measurement_that_decides_nothing_draws_too():
    open_ = Comparison(
        {"a": [1.0], "b": [2.0]}, "a", first_call={"a": 1.0, "b": 1.0}, interrupted=True
    )
    for kind in ("ratio", "times", "rounds", "break-even"):
        assert open_.plot(kind).png()
    assert lab.timeit(lambda: sum(range(100)), budget=0.01).plot().png()


def test_the_break_even_is_where_the_totals_cross():
    samples = {"eager": [0.1] * 20, "graph": [0.01] * 20}
    result = Comparison(samples, "eager", first_call={"eager": 0.1, "graph": 1.0})
    assert "paid for itself after ≈11 calls of eager" in result.plot("break-even").caption
    late = Comparison(samples, "graph", first_call={"eager": 0.1, "graph": 1.0})
    assert "eager never overtakes graph" in late.plot("break-even").caption
    cheap = Comparison(samples, "eager", first_call={"eager": 9.0, "graph": 1.0})
    assert "after ≈1 calls" in cheap.plot("break-even").caption


@pytest.mark.parametrize(("guess", "stands_at"), [(5, 0.2), (0.2, 0.2), (1, 1.0)])
def test_a_guess_stands_on_the_side_of_the_faster(guess, stands_at):
    drawn = comparison({"slow": 4e-3, "fast": 1e-3}).plot(guess=guess)
    (mark,) = [line for line in drawn.figure.axes[0].lines if line.get_marker() == "v"]
    assert mark.get_xdata()[0] == pytest.approx(stands_at)
    low, high = drawn.figure.axes[0].get_xlim()
    assert low < stands_at < high


def test_a_guess_that_nobody_made_is_not_called_yours():
    result = comparison({"slow": 4e-3, "fast": 1e-3})
    words = [
        t.get_text()
        for t in shown_texts(result.plot(guess=Guess("how much?", 1, 100, None)).figure)
    ]
    assert "the guess as it stood: 10.0 times" in words
    assert "your guess: 5.00 times" in [
        t.get_text() for t in shown_texts(result.plot(guess=5).figure)
    ]


def test_a_function_seen_before_is_retraced_and_another_one_traced():
    calls = [Call("f", 1, "int32[]"), Call("g", 1, "int32[]"), Call("f"), Call("g", 1, "float32[]")]
    assert plots.strip(Count(calls=calls)).caption == "4 calls: 2 traced, 1 retraced, 1 replayed."
    assert plots.strip(Count()).caption == "0 calls: none of a tf.function."


def test_a_call_that_traces_more_than_once_shows_in_the_sentence():
    calls = [Call("step", 3, "float32[2]"), Call("step")]
    assert (
        plots.strip(Count(calls=calls)).caption
        == "2 calls: 1 traced, 1 replayed. Traces in all: 3."
    )


def test_the_legend_of_a_strip_names_only_what_is_there():
    calls = [Call("f", 1, "float32[2]"), Call("f")]
    legend = plots.strip(Count(calls=calls)).figure.axes[0].get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["replayed", "traced"]


def test_a_long_reason_gets_a_taller_strip():
    heights = [
        plots.strip(Count(calls=[Call("f", 1, why)])).figure.get_figheight()
        for why in ("float32[2]", "int32[] " * 9)
    ]
    assert heights[1] > heights[0] + 1


def test_a_nearly_flat_sweep_is_drawn_flat():
    flat = Sweep({n: comparison({"eager": 1e-4 * (1 + n / 100)}, n=20) for n in (1, 2, 3)}, "units")
    low, high = flat.plot().figure.axes[0].get_ylim()
    assert high / low >= 9.9


def test_an_interval_wider_than_the_picture_gets_an_arrow_head():
    rounds = [1e-2, 1e-6, 1e-4] * 11
    wide = Comparison({"a": [1e-4] * 33, "b": rounds}, "a")
    markers = [line.get_marker() for line in wide.plot().figure.axes[0].lines]
    assert {"<", ">"} <= set(markers)


def test_a_ratio_far_below_one_is_also_told_the_other_way_round():
    fast = comparison({"slow": 1e-3, "fast": 1e-5}, n=40).plot()
    assert any("times as fast" in text.get_text() for text in shown_texts(fast.figure))


def test_log_axes_show_plain_numbers():
    figure = PICTURES["ratio of nine"].figure
    figure.canvas.draw()
    labels = [t.get_text() for t in figure.axes[0].get_xticklabels() if t.get_text()]
    assert {"1×", "10×", "100×"} <= set(labels)


def test_a_picture_is_shown_with_alt_text_and_its_sentence(monkeypatch):
    shown = []
    monkeypatch.setattr(
        "IPython.display.display", lambda data, **options: shown.append((data, options))
    )
    PICTURES["timing"]._ipython_display_()
    (image, options), (words, _) = shown
    assert image["image/png"].startswith(b"\x89PNG")
    assert (
        options["metadata"]["image/png"]["alt"] == words["text/plain"] == PICTURES["timing"].caption
    )


def test_a_picture_can_be_saved(tmp_path):
    for ending, start in (("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")):
        PICTURES["timing"].save(tmp_path / f"p.{ending}")
        assert (tmp_path / f"p.{ending}").read_bytes().startswith(start)


def test_a_picture_is_small_enough_for_a_lesson():
    assert max(len(p.png()) for p in PICTURES.values()) < 40_000


def test_a_canvas_is_ready_to_draw_on():
    figure, axes = new_axes(height=2)
    axes.plot([1, 2], [3, 4])
    assert Figure(figure, "A line.").png().startswith(b"\x89PNG")
    assert lab.figure.new_axes()[0].get_facecolor() == (1, 1, 1, 1)


def test_labels_at_the_ends_of_lines_do_not_cover_each_other():
    _, ax = lab.figure.new_axes(4)
    ax.set(xlim=(0, 1), ylim=(0, 1))
    lab.figure.label_line_ends(
        ax, {"a": (1, 0.5), "b": (1, 0.51), "c": (1, 0.5), "alone": (1, 0.1)}
    )
    boxes = sorted((label.get_window_extent() for label in ax.texts), key=lambda box: box.y0)
    assert all(low.y1 <= high.y0 for low, high in itertools.pairwise(boxes))
    assert {label.get_text(): label.xyann[1] for label in ax.texts}[
        "alone"
    ] == 0  # it stays at its line
