"""A figure has a caption, can be read by everybody, and leaves the learner's settings alone."""

import itertools
from types import SimpleNamespace

import matplotlib as mpl
import pytest

import labkit as lab
from labkit.course.guesses import Guess
from labkit.show import figure as figures
from labkit.show.figure import COLOURS, MARKERS, STYLES, Figure, mark_guess, new_axes, style


@pytest.fixture
def drawn():
    """A figure with one line."""
    fig, ax = new_axes()
    ax.plot([1, 2], [3, 4])
    return Figure(fig, "A line.")


# ---- a figure ----


def test_a_figure_is_shown_with_alternative_text_and_its_caption(drawn, monkeypatch):
    displayed = []

    def display(data, raw, metadata=None):
        displayed.append((data, metadata))

    monkeypatch.setattr("IPython.display.display", display)
    drawn._ipython_display_()
    (image, metadata), (caption, _) = displayed
    assert image["image/png"].startswith(b"\x89PNG")
    assert image["text/plain"] == "A line."
    assert metadata["image/png"]["alt"] == "A line."
    assert caption == {"text/markdown": "*A line.*", "text/plain": "A line."}
    assert repr(drawn) == "A line."


@pytest.mark.parametrize(
    ("ending", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")]
)
def test_a_figure_can_be_saved(drawn, tmp_path, ending, start):
    path = tmp_path / f"figure.{ending}"
    drawn.save(path)
    assert path.read_bytes().startswith(start)


def test_the_resolution_of_an_image_can_be_chosen(drawn):
    assert len(drawn.png(dpi=50)) < len(drawn.png())


def test_new_axes_are_white_under_any_settings():
    with mpl.rc_context({"axes.facecolor": "black", "figure.facecolor": "black"}):
        fig, ax = lab.figure.new_axes(height=2)
    assert fig.get_facecolor() == ax.get_facecolor() == (1, 1, 1, 1)
    assert tuple(fig.get_size_inches()) == (7.6, 2.0)


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
    assert seen == [(11, 1.8)]
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


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        (1, 11, ["1×", "1.5×", "2×", "3×", "5×", "7×", "10×"]),
        (1, 119, ["1×", "2×", "5×", "10×", "20×", "50×", "100×"]),
        (1, 10_001, ["1×", "10×", "100×", "1,000×", "10,000×"]),
        (0.001, 2, ["0.001×", "0.01×", "0.1×", "1×"]),
    ],
)
def test_log_axes_have_plain_numbers(low, high, labels):
    fig, ax = new_axes()
    ax.set(xscale="log", xlim=(low, high))
    figures.plain_log_axis(ax.xaxis, "×")
    fig.canvas.draw()
    shown = []
    for position, label in zip(ax.get_xticks(), ax.get_xticklabels(), strict=True):
        if low <= position <= high:
            shown.append(label.get_text())
    assert shown == labels
    assert not any(label.get_text() for label in ax.get_xticklabels(minor=True))


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
    boxes = [label.get_window_extent() for label in unit_axes.texts]
    boxes.sort(key=lambda box: box.y0)
    for lower, upper in itertools.pairwise(boxes):
        assert lower.y1 <= upper.y0
    moved = {label.get_text(): label.xyann[1] for label in unit_axes.texts}
    assert moved["alone"] == 0  # it stays at its line
    assert sorted(moved, key=moved.get)[-1] == "b"  # the highest line has the highest label


def test_a_label_has_the_colour_of_its_line(unit_axes, ends):
    figures.label_line_ends(unit_axes, ends)
    colours = {label.get_text(): label.get_color() for label in unit_axes.texts}
    assert [colours[name] for name in ends] == list(COLOURS[:4])


def test_the_colours_of_labels_can_be_given(unit_axes):
    figures.label_line_ends(unit_axes, {"a": (1, 0.5)}, colours={"a": "red"})
    assert unit_axes.texts[0].get_color() == "red"


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
    assert mark.get_ydata()[0] < 0


@pytest.mark.parametrize("guess", [None, SimpleNamespace(value=None)])
def test_without_a_guess_there_is_no_mark(guess):
    _, ax = new_axes()
    assert mark_guess(ax, guess, 0.3) is None
    assert not ax.lines
    assert not ax.texts


def test_a_guess_that_nobody_made_is_not_called_yours():
    _, ax = new_axes()
    mark_guess(ax, Guess("how much?", 1, 100, None), 0.3)
    mark_guess(ax, 5, 0.3)
    texts = [label.get_text() for label in ax.texts]
    assert texts == ["the guess as it stood: 10.0 times", "your guess: 5.00 times"]
