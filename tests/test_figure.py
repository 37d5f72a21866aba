"""A figure has a caption, can be read by everybody, and leaves the learner's settings alone."""

import base64
import io
import itertools
import warnings
from html.parser import HTMLParser
from types import SimpleNamespace

import matplotlib as mpl
import nbformat
import numpy as np
import pytest
from fakes import sanitize
from IPython.core.formatters import DisplayFormatter
from matplotlib.colors import to_rgb
from matplotlib.text import Text
from nbconvert import HTMLExporter
from PIL import Image

import labkit as lab
from labkit.course.guesses import Guess
from labkit.show import figure as figures
from labkit.show.figure import COLOURS, MARKERS, STYLES, Figure, mark_guess, new_axes, style
from labkit.show.labels import spread, text_colour
from labkit.show.names import listed, shortened, wrapped


@pytest.fixture
def drawn():
    """A figure with one line."""
    fig, ax = new_axes()
    ax.plot([1, 2], [3, 4])
    return Figure(fig, "A line.")


# ---- a figure ----


class Page(HTMLParser):
    """The tags and attributes of a page, and the text of its captions."""

    def __init__(self, text):
        super().__init__()
        self.images = []
        self.captions = []
        self.figures = 0
        self.in_caption = False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        if tag == "img":
            self.images.append(dict(attrs))
        if tag == "figure":
            self.figures += 1
        if tag == "figcaption":
            self.in_caption = True
            self.captions.append("")

    def handle_endtag(self, tag):
        if tag == "figcaption":
            self.in_caption = False

    def handle_data(self, data):
        if self.in_caption:
            self.captions[-1] += data


def test_a_figure_is_one_output_with_alternative_text_and_caption(drawn):
    data, metadata = DisplayFormatter().format(drawn)
    assert set(data) == {"text/html", "text/plain"}
    assert metadata == {}
    assert data["text/plain"] == repr(drawn) == "A line."
    page = Page(data["text/html"])
    (image,) = page.images
    assert page.figures == 1
    assert page.captions == ["A line."]
    assert image["alt"] == drawn.alt
    start, _, encoded = image["src"].partition(",")
    assert start == "data:image/png;base64"
    assert base64.b64decode(encoded) == drawn.png()


def test_the_image_fits_its_page_and_is_framed_on_a_dark_one(drawn):
    (image,) = Page(drawn.html()).images
    assert image["width"] == "640"
    assert {"max-width:100%", "height:auto", "background:#fff"} <= set(image["style"].split(";"))
    assert "box-shadow" in image["style"]


@pytest.mark.parametrize(
    ("dpi", "shown", "dots"), [(50, 320, 320), (100, 640, 640), (200, 640, 1280)]
)
def test_more_dots_make_an_image_sharper_and_fewer_make_it_smaller(drawn, dpi, shown, dots):
    (image,) = Page(drawn.html(dpi=dpi)).images
    assert int(image["width"]) == shown
    encoded = image["src"].partition(",")[2]
    assert Image.open(io.BytesIO(base64.b64decode(encoded))).width == dots


def test_no_caption_breaks_the_page():
    fig, _ = new_axes()
    caption = """model(x) < "a" & 'b' > </figcaption><script>"""
    page = Page(Figure(fig, caption, alt=caption).html())
    assert page.captions == [caption]
    assert page.images[0]["alt"] == caption
    assert "<script>" not in Figure(fig, caption, alt=caption).html()


def test_the_alternative_text_names_the_axes_where_none_is_given():
    fig, ax = new_axes()
    assert Figure(fig, "Nothing.").alt == "Nothing."
    ax.plot([1, 2], [3, 4])
    ax.set_yticks([3, 4], ["slow", "fast,\nfaster"])
    ax.set_xlabel("time\nin ms")
    drawn = Figure(fig, "A line.")
    assert drawn.alt == (
        "Chart with horizontal axis: time in ms; slow and fast, faster on the vertical axis."
    )
    assert Figure(fig, "A line.", alt="Two marks.").alt == "Two marks."
    ax.axis("off")
    assert Figure(fig, "A line.").alt == "A line."


# ---- the same figure in a file: nbconvert and nbval ----


@pytest.fixture
def notebook(drawn):
    """A notebook whose only cell shows a figure."""
    data = {"text/html": drawn.html(), "text/plain": repr(drawn)}
    output = nbformat.v4.new_output("execute_result", data, execution_count=1)
    cell = nbformat.v4.new_code_cell("drawn", outputs=[output], execution_count=1)
    return nbformat.v4.new_notebook(cells=[cell])


@pytest.mark.parametrize("template", ["lab", "classic", "basic"])
def test_a_static_page_shows_the_figure_with_its_alternative_text(
    notebook, drawn, template, caplog
):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        html, _ = HTMLExporter(template_name=template).from_notebook_node(notebook)
    assert "lternative text" not in caplog.text  # of the warning that an image has none
    page = Page(html)
    (image,) = page.images
    assert image["alt"] == drawn.alt
    assert "max-width:100%" in image["style"]
    assert page.captions == ["A line."]


def differs_for_nbval(one, other):
    """Return whether nbval sees a difference between two figures."""
    is_same_text = sanitize(repr(one)) == sanitize(repr(other))
    return not is_same_text or sanitize(one.html()) != sanitize(other.html())


def figure_of(value, caption="A line.", **options):
    fig, ax = new_axes()
    ax.plot([1, 2], [3, value])
    return Figure(fig, caption, **options)


def test_nbval_compares_captions_and_not_pixels():
    assert figure_of(4).png() != figure_of(9).png()
    assert not differs_for_nbval(figure_of(4), figure_of(9))
    assert not differs_for_nbval(figure_of(4, "≈4.00 ms."), figure_of(4, "≈900 µs."))
    assert differs_for_nbval(figure_of(4, "4 traces."), figure_of(4, "5 traces."))
    assert differs_for_nbval(figure_of(4, alt="A line."), figure_of(4, alt="Two lines."))


@pytest.mark.parametrize(
    ("ending", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")]
)
def test_a_figure_can_be_saved(drawn, tmp_path, ending, start):
    path = tmp_path / f"figure.{ending}"
    drawn.save(path)
    assert path.read_bytes().startswith(start)


def test_the_resolution_of_an_image_can_be_chosen(drawn):
    assert len(drawn.png(dpi=50)) < len(drawn.png())


def test_few_colours_keep_large_areas_and_small_marks_as_they_are():
    fig, ax = new_axes()
    ax.axhspan(0, 1, color="#dddddd")
    for i, colour in enumerate(COLOURS):
        ax.plot(i, 0.5, "o", color=colour, markersize=4)
    image = Image.open(io.BytesIO(Figure(fig, "Marks.").png()))
    assert len(image.getcolors()) <= 64
    dots = np.asarray(image.convert("RGB")).reshape(-1, 3)
    assert (dots == 221).all(axis=1).mean() > 0.5
    for colour in COLOURS:
        distance = np.abs(dots - 255 * np.array(to_rgb(colour))).max(axis=1)
        assert distance.min() < 12


def test_new_axes_are_white_under_any_settings():
    with mpl.rc_context({"axes.facecolor": "black", "figure.facecolor": "black"}):
        fig, ax = lab.figure.new_axes(height=2)
    assert fig.get_facecolor() == ax.get_facecolor() == (1, 1, 1, 1)
    assert tuple(fig.get_size_inches()) == (6.4, 2.0)


def test_a_function_draws_in_the_style_of_the_course_and_keeps_its_name():
    seen = []

    @figures.with_course_style
    def draw(n, *, caption):
        """Draw."""
        seen.append((mpl.rcParams["font.size"], mpl.rcParams["lines.linewidth"]))
        fig, _ = new_axes(n)
        return Figure(fig, caption)

    with mpl.rc_context({"font.size": 7, "lines.linewidth": 9}):
        assert draw(1, caption="Empty.").caption == "Empty."
        assert mpl.rcParams["font.size"] == 7
    assert seen == [(12, 2)]
    assert (draw.__name__, draw.__doc__) == ("draw", "Draw.")


# ---- colour is never the only channel ----


def contrast_with_white(colour):
    """Return the contrast ratio of WCAG 2."""
    luminance = 0.0
    for weight, channel in zip((0.2126, 0.7152, 0.0722), mpl.colors.to_rgb(colour), strict=True):
        if channel <= 0.04045:
            linear = channel / 12.92
        else:
            linear = ((channel + 0.055) / 1.055) ** 2.4
        luminance += weight * linear
    return 1.05 / (0.05 + luminance)


def test_seven_candidates_differ_in_marker_and_neighbours_in_line_style():
    seven = [style(i) for i in range(7)]
    assert len({s["marker"] for s in seven}) == 7
    assert len({s["color"] for s in seven}) == 7
    for one, next_one in itertools.pairwise(seven):
        assert one["linestyle"] != next_one["linestyle"]
    assert len(MARKERS) == len(set(MARKERS)) == len(COLOURS)
    assert len(STYLES) == 4


def test_28_candidates_have_different_styles():
    styles = {(s["marker"], s["linestyle"]) for s in map(style, range(28))}
    assert len(styles) == 28
    assert style(28) == style(0)


def test_the_colours_are_those_of_okabe_and_ito_without_the_pale_yellow():
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
    assert min(map(contrast_with_white, COLOURS)) > 2
    # A figure seldom needs more than four.
    assert min(map(contrast_with_white, COLOURS[:4])) > 2.9


# ---- axes and labels ----


def shown_labels(axis):
    """Return the labels of the ticks that are within the limits."""
    axis.axes.figure.canvas.draw()
    low, high = axis.get_view_interval()
    shown = []
    for position, label in zip(axis.get_ticklocs(), axis.get_ticklabels(), strict=True):
        if low <= position <= high:
            shown.append(label.get_text())
    return shown


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        (1, 11, ["1×", "2×", "5×", "10×"]),
        (1, 119, ["1×", "2×", "5×", "10×", "20×", "50×", "100×"]),
        (1, 10_001, ["1×", "10×", "100×", "1,000×", "10,000×"]),
        (0.001, 2, ["0.001×", "0.01×", "0.1×", "1×"]),
        (0.95, 1.14, ["0.95×", "1×", "1.05×", "1.1×"]),
        (3.1, 4.4, ["3.2×", "3.4×", "3.6×", "3.8×", "4×", "4.2×", "4.4×"]),
        (1e-9, 1e9, ["0.00001×", "1×", "100,000×"]),
    ],
)
def test_log_axes_have_plain_numbers(low, high, labels):
    _, ax = new_axes()
    ax.set(xscale="log", xlim=(low, high))
    figures.plain_log_axis(ax.xaxis, "×")
    assert shown_labels(ax.xaxis) == labels
    assert not any(label.get_text() for label in ax.get_xticklabels(minor=True))


@pytest.mark.parametrize(
    ("data", "labels"),
    [
        (range(1, 21), ["5", "10", "15", "20"]),
        (range(4), ["0", "1", "2", "3"]),
        ([0, 1], ["0", "1"]),
        ([0, 20_000], ["0", "5,000", "10,000", "15,000", "20,000"]),
        ([0, 0.5], ["0", "0.1", "0.2", "0.3", "0.4", "0.5"]),
        ([-1, 0.99], ["−1", "−0.5", "0", "0.5", "1"]),
        ([0, 0.00003], ["0", "0.00001", "0.00002", "0.00003"]),
    ],
)
def test_ticks_are_round_and_of_whole_numbers_whole(data, labels):
    _, ax = new_axes()
    ax.plot(data, data)
    assert shown_labels(ax.xaxis) == labels


def test_a_chart_of_named_bars_has_the_names():
    _, ax = new_axes()
    ax.bar(["slow", "fast"], [10, 1])
    assert shown_labels(ax.xaxis) == ["slow", "fast"]


def test_sizes_that_are_too_close_are_not_all_labelled():
    _, ax = new_axes()
    ax.set(xscale="log", xlim=(0.9, 1100))
    figures.label_sizes(ax.xaxis, [1, 8, 64, 512, 1000, 1001])
    assert shown_labels(ax.xaxis) == ["1", "8", "64", "512", "1,001"]


@pytest.fixture
def ends():
    """The ends of four lines, three of them close together."""
    return {"a": (1, 0.5), "b": (1, 0.51), "c": (1, 0.5), "alone": (1, 0.1)}


@pytest.fixture
def unit_axes():
    _, ax = new_axes(4)
    ax.set(xlim=(0, 1), ylim=(0, 1))
    return ax


def test_labels_at_the_ends_of_lines_do_not_cover_each_other(unit_axes, ends):
    figures.label_line_ends(unit_axes, ends)
    unit_axes.figure.canvas.draw()
    boxes = {text.get_text(): Text.get_window_extent(text) for text in unit_axes.texts}
    for lower, upper in itertools.pairwise(sorted(boxes.values(), key=lambda box: box.y0)):
        assert lower.y1 <= upper.y0
    for name, (_, y) in ends.items():
        middle = (boxes[name].y0 + boxes[name].y1) / 2
        at_its_line = unit_axes.transData.transform((1, y))[1]
        assert abs(middle - at_its_line) < (3 if name == "alone" else 30)
    assert max(boxes, key=lambda name: boxes[name].y0) == "b"  # that of the highest line


def test_a_label_that_had_to_move_has_a_leader(unit_axes, ends):
    figures.label_line_ends(unit_axes, ends)
    leaders = {text.get_text(): text.arrow_patch is not None for text in unit_axes.texts}
    assert leaders["alone"] is False
    assert leaders["a"] or leaders["c"]


def test_many_labels_make_the_figure_taller(unit_axes):
    figures.label_line_ends(unit_axes, {f"line {i}": (1, 0.5) for i in range(30)})
    assert unit_axes.figure.get_figheight() > 5
    unit_axes.figure.canvas.draw()
    boxes = [Text.get_window_extent(text) for text in unit_axes.texts]
    assert min(box.y0 for box in boxes) >= 0
    assert max(box.y1 for box in boxes) <= unit_axes.figure.bbox.y1


def test_a_label_has_the_colour_of_its_line_or_a_darker_shade(unit_axes, ends):
    figures.label_line_ends(unit_axes, ends)
    colours = {text.get_text(): text.get_color() for text in unit_axes.texts}
    assert [colours[name] for name in ends] == [text_colour(colour) for colour in COLOURS[:4]]


@pytest.mark.parametrize("colour", COLOURS)
def test_the_colour_of_a_text_has_enough_contrast(colour):
    assert contrast_with_white(text_colour(colour)) >= 4.5
    hue, *_ = mpl.colors.rgb_to_hsv(to_rgb(colour))
    assert mpl.colors.rgb_to_hsv(to_rgb(text_colour(colour)))[0] == pytest.approx(hue, abs=0.01)
    assert text_colour("#0072B2") == "#0072b2"  # dark enough as it is


def test_names_beside_points_cover_no_mark_line_or_name(unit_axes):
    unit_axes.plot([0, 1], [0.5, 0.5])
    points = {"a long name": (0.5, 0.5), "another long name": (0.51, 0.5), "third": (0.98, 0.02)}
    for x, y in points.values():
        unit_axes.plot(x, y, "o")
    figures.label_points(unit_axes, points)
    unit_axes.figure.canvas.draw()
    boxes = [Text.get_window_extent(text) for text in unit_axes.texts]
    assert [text.get_text() for text in unit_axes.texts] == list(points)
    for one, other in itertools.combinations(boxes, 2):
        assert not one.overlaps(other)
    height = unit_axes.transData.transform((0, 0.5))[1]
    for box in boxes:
        assert not box.y0 < height < box.y1
        assert unit_axes.bbox.x0 <= box.x0 and box.x1 <= unit_axes.bbox.x1


def test_the_colours_of_labels_can_be_given(unit_axes):
    figures.label_line_ends(unit_axes, {"a": (1, 0.5)}, colours={"a": "red"})
    assert unit_axes.texts[0].get_color() == text_colour("red")


@pytest.mark.parametrize(
    ("wanted", "sizes", "expected"),
    [
        ([1, 5, 9], [1, 1, 1], [1, 5, 9]),
        ([5, 5], [2, 2], [4, 6]),
        ([5, 5, 5.5], [2, 2, 1], [3.33, 5.33, 6.83]),
        ([0, 0], [2, 2], [1, 3]),  # no lower than the lower end
        ([10, 10], [2, 4], [5, 8]),
        ([1, 1, 9], [1, 1, 1], [0.5, 1.5, 9]),
        ([5] * 6, [2] * 6, [1, 3, 5, 7, 9, 11]),  # more than there is space for
    ],
)
def test_labels_move_as_little_as_they_can(wanted, sizes, expected):
    assert spread(wanted, sizes, 0, 10) == pytest.approx(expected, abs=0.01)


# ---- names ----


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("eager", ["eager"]),
        ("TensorFlow (Python)", ["TensorFlow (Python)"]),
        ("TensorFlow (compiled operations)", ["TensorFlow (compiled", "operations)"]),
        ("predict_on_batch_of_rows", ["predict_on_batch_of_", "rows"]),
        ("x" * 50, ["x" * 20, "x" * 20, "x" * 10]),
        ("x" * 90, ["x" * 20, "x" * 20, "x" * 18 + "…"]),
        ("", [""]),
    ],
)
def test_a_long_name_has_several_lines(name, lines):
    assert wrapped(name).split("\n") == lines


def test_a_name_on_one_line_is_cut_off():
    assert shortened("eager") == "eager"
    assert shortened("x" * 40, 10) == "x" * 8 + "…"
    assert len(shortened("W" * 40, 12)) == 8  # wide characters


def test_names_in_words():
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert listed(["a, 1", "b", "c"]) == "a, 1; b and c"
    assert listed([]) == "nothing"


def test_a_dollar_sign_is_no_formula():
    fig, ax = new_axes()
    ax.plot([1, 2], [3, 4])
    figures.label_line_ends(ax, {r"costs $\x$": (2, 4)})
    assert Figure(fig, "Costs.").png()


# ---- the mark of a guess ----


@pytest.mark.parametrize(
    ("guess", "value", "expected"),
    [
        (5, 0.3, 0.2),  # the other one takes 5 times as long: a fifth of the time
        (0.2, 0.3, 0.2),
        (1, 0.3, 1.0),
        (5, 3, 5.0),
        (0.2, 3, 0.2),
    ],
)
def test_a_guess_is_marked_on_the_side_of_the_faster_one(guess, value, expected):
    _, ax = new_axes()
    assert mark_guess(ax, guess, value) == pytest.approx(expected)
    (mark,) = ax.lines
    assert mark.get_xdata()[0] == pytest.approx(expected)
    assert mark.get_ydata()[0] < -0.5  # below the lowest row
    assert ax.texts[0].get_text() == "your guess"


NOT_MADE = [None, SimpleNamespace(value=None), SimpleNamespace(value=10.0, made=False)]


@pytest.mark.parametrize("guess", [*NOT_MADE, Guess("how much?", 1, 100)])
def test_without_a_guess_there_is_no_mark(guess):
    _, ax = new_axes()
    assert mark_guess(ax, guess, 0.3) is None
    assert not ax.lines
    assert not ax.texts


def test_a_guess_that_was_made_is_yours():
    guess = Guess("how much?", 1, 100)
    guess.value = 10
    _, ax = new_axes()
    assert mark_guess(ax, guess, 3) == 10
    assert [text.get_text() for text in ax.texts] == ["your guess", "10.0 times"]


@pytest.mark.parametrize("guess", [0, -3, float("nan"), float("inf")])
def test_a_guess_that_no_axis_of_ratios_has_is_an_error(guess):
    _, ax = new_axes()
    with pytest.raises(ValueError, match="above 0"):
        mark_guess(ax, guess, 3)


@pytest.mark.parametrize("times", [1, 3, 6, 7, 8])
def test_the_label_of_an_axis_stays_inside_the_figure(times):
    fig, ax = new_axes(2.6)
    words = " ".join(["many words"] * times)
    ax.set(xlabel=words, ylabel=words[:60])
    ax.set_yticks([0, 1], ["a long name of a row", "b"])
    Figure(fig, "a figure").png()
    across, up = ax.xaxis.label.get_window_extent(), ax.yaxis.label.get_window_extent()
    assert across.x0 >= 0 and across.x1 <= fig.bbox.width
    assert up.y0 >= 0 and up.y1 <= fig.bbox.height
    assert ("\n" in ax.get_xlabel()) == (times > 5)
    assert ("\n" in ax.get_ylabel()) == (times > 2)
