"""Messages look the same everywhere, are legible in both themes, and cannot become HTML."""

import itertools
import re
from html.parser import HTMLParser

import pytest

import labkit as lab
from labkit.course.exercises.engine import Outcome
from labkit.show import message
from labkit.show.message import KINDS, NOTE, cell_html, inline_html, message_html, show

# The backgrounds of JupyterLab's themes and of their tables, and those of GitHub's dark theme.
LIGHT = ["#ffffff", "#f5f5f5"]
DARK = ["#000000", "#0d1117", "#111111", "#212121"]
# The colour of the text of each theme, with its opacity.
LIGHT_TEXT, LIGHT_OPACITY = "#000000", 0.87
DARK_TEXT, DARK_OPACITY = "#ffffff", 1.0


class Page(HTMLParser):
    """The text of some HTML without the badges, and its tags, styles and links."""

    def __init__(self, page):
        super().__init__()
        self.text = ""
        self.bold = ""
        self.code = []
        self.tags = set()
        self.styles = []
        self.links = []
        self._open = []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self._open.append((tag, "aria-hidden" in attributes))
        self.tags.add(tag)
        self.styles.append(attributes.get("style", ""))
        if tag == "a":
            self.links.append(attributes["href"])
        if tag in ("code", "pre"):
            self.code.append("")

    def handle_endtag(self, tag):
        if tag == "div":
            self.text += "\n"
        assert self._open.pop()[0] == tag  # everything that is opened is closed

    def handle_data(self, data):
        if any(is_hidden for _, is_hidden in self._open):
            return
        self.text += data
        tags = [tag for tag, _ in self._open]
        if "strong" in tags:
            self.bold += data
        if tags and tags[-1] in ("code", "pre"):
            self.code[-1] += data


def luminance(colour):
    """Return the relative luminance of a colour, by the rule of WCAG 2."""
    parts = []
    for value in colour:
        share = value / 255
        parts.append(share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4)
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def contrast(one, other):
    """Return the contrast of two colours, by the rule of WCAG 2."""
    dark, light = sorted([luminance(one), luminance(other)])
    return (light + 0.05) / (dark + 0.05)


def over(colour, opacity, background):
    """Return a colour that is not opaque on a background."""
    pairs = zip(colour, background, strict=True)
    return [opacity * top + (1 - opacity) * below for top, below in pairs]


def colours_of(kind):
    """Return the colours that a message has in its HTML: rule, badge, sign, and tint."""
    page = message_html(kind, "word", "text")
    rule = re.search(r"border-left:4px solid (#\w{6})", page)[1]
    badge = re.search(r"background-color:(#\w{6})", page)[1]
    sign = re.search(r";color:(#\w{6})", page)[1]
    tint = re.search(r"background-color:rgba\((\d+),(\d+),(\d+),([\d.]+)\)", page)
    return (
        message.rgb(rule),
        message.rgb(badge),
        message.rgb(sign),
        [int(tint[i]) for i in (1, 2, 3)],
        float(tint[4]),
    )


# ---- legible in both themes ----


@pytest.mark.parametrize("kind", KINDS)
def test_the_sign_is_legible_on_its_badge_and_the_badge_and_the_rule_on_every_page(kind):
    rule, badge, sign, _, _ = colours_of(kind)
    assert contrast(sign, badge) >= 4.5
    for background in LIGHT + DARK:
        assert contrast(rule, message.rgb(background)) >= 3
        assert contrast(badge, message.rgb(background)) >= 3


@pytest.mark.parametrize("kind", KINDS)
def test_the_text_has_the_colour_of_the_theme_and_is_legible_on_the_tint(kind):
    page = message_html(kind, "word", "text `code`", code="code", section="Setup", more=["more"])
    for style in re.findall(r'<(?:div|strong|code|pre|a)[^>]*style="([^"]*)"', page):
        assert not re.search(r"(^|;)color:", style)
    *_, tint, opacity = colours_of(kind)
    for background in LIGHT:
        ground = over(tint, opacity, message.rgb(background))
        assert contrast(over(message.rgb(LIGHT_TEXT), LIGHT_OPACITY, ground), ground) >= 4.5
    for background in DARK:
        ground = over(tint, opacity, message.rgb(background))
        assert contrast(over(message.rgb(DARK_TEXT), DARK_OPACITY, ground), ground) >= 4.5


@pytest.mark.parametrize(("one", "other"), list(itertools.combinations(KINDS, 2)))
def test_no_two_kinds_share_a_sign_or_a_colour(one, other):
    assert one.sign != other.sign
    assert one.colour != other.colour


@pytest.mark.parametrize("kind", KINDS)
def test_colours_are_printed_too(kind):
    page = message_html(kind, "word")
    coloured = [style for style in Page(page).styles if "background-color" in style]
    assert len(coloured) == 2
    assert all("print-color-adjust:exact" in style for style in coloured)


# ---- what is in a message ----


def test_a_message_has_its_word_in_bold_then_the_text_and_the_rest_below():
    page = Page(
        message_html(NOTE, "word:", "the text", code="f(x)", section="Your turn", more=["a", "b"])
    )
    assert page.bold == "word:"
    lines = ["word: the text", "f(x)Look at: Your turn", "a", "b"]
    assert page.text.strip().split("\n") == lines
    assert page.links == ["#Your-turn"]
    assert page.code == ["f(x)"]


def test_styles_are_inline_and_nothing_runs():
    page = message_html(NOTE, "a", "b `c`", code="d", section="e", more=["f"])
    assert Page(page).tags <= {"div", "span", "strong", "code", "pre", "a"}
    assert "class=" not in page
    assert "id=" not in page


def test_long_texts_wrap_at_words_and_long_code_anywhere():
    page = message_html(NOTE, "word", "text `code`")
    assert "overflow-wrap:break-word" in page
    assert "word-break:break-all" not in page
    assert all(
        "overflow-wrap:anywhere" in style for style in re.findall('code style="(.*?)"', page)
    )


def test_code_looks_like_code_and_a_lesson_is_a_link():
    page = Page(inline_html('see `a < b`, lab.hint("01.1") and 03_tf_function.ipynb'))
    assert page.text == 'see a < b, lab.hint("01.1") and 03_tf_function.ipynb'
    assert page.code == ["a < b", 'lab.hint("01.1")']
    assert page.links == ["03_tf_function.ipynb"]


@pytest.mark.parametrize("text", ["a ` b", "no.lab.x()", "collab.y()", "lab.z", "3_x.ipynb"])
def test_other_texts_stay_as_they_are(text):
    assert inline_html(text) == text


EVIL = "<b>&\"'</b><script>alert(1)</script>"


@pytest.mark.parametrize(
    "page",
    [
        message_html(NOTE, EVIL),
        message_html(NOTE, "word", EVIL),
        message_html(NOTE, "word", f"`{EVIL}`"),
        message_html(NOTE, "word", code=EVIL),
        message_html(NOTE, "word", section=EVIL),
        message_html(NOTE, "word", more=[EVIL]),
        cell_html(f"✓ {EVIL}"),
        cell_html(EVIL),
    ],
)
def test_no_text_becomes_html(page):
    found = Page(page)
    assert not found.tags & {"b", "script"}
    assert EVIL in found.text


def test_a_section_is_found_by_its_heading():
    page = Page(message_html(NOTE, "word", section="What does `predict` cost?"))
    assert page.links == ["#What-does-predict-cost?"]
    assert page.code == ["predict"]


def test_a_sign_in_a_cell_becomes_a_badge_that_is_not_alone_on_its_line():
    page = cell_html("✗ does not hold here")
    assert page.startswith('<span style="white-space:nowrap"><span aria-hidden="true"')
    assert Page(page).text == " does not hold here"
    for text in ("?", "✓", "! ", "faster", "✓passed", "a ✓ b"):
        assert cell_html(text) == text


# ---- the text form and the HTML form say the same ----

MESSAGES = [
    Outcome("00.1", "passed", "one call, results equal"),
    Outcome("00.1", "not yet", "3 for `x`; wanted: 6. Look at: Setup"),
    Outcome("00.1", "not yet", "nothing. Look at: the text of the exercise"),
    Outcome("00.1", "not yet", "nothing", "not recorded"),
    Outcome("00.1", "not attempted", ""),
    lab.hint("00.1"),
    lab.hint("00.1", 2),
    lab.hint("00.1", 3),
]


@pytest.mark.parametrize("shown", MESSAGES)
def test_text_and_html_have_the_same_words(shown):
    text = repr(shown).replace("`", "")
    sign = text[0]
    if sign in {kind.sign for kind in KINDS}:
        text = text[1:]
    page = Page(shown._repr_html_())
    assert page.text.replace(". \n", ".\n").split() == text.split()


@pytest.mark.parametrize("shown", MESSAGES[:5])
def test_state_and_number_are_in_bold(shown):
    assert Page(shown._repr_html_()).bold.startswith(f"{shown.id} {shown.state}")


# ---- showing ----


def test_outside_a_notebook_the_text_is_printed(capsys):
    show("a text", "<p>a page</p>")
    assert capsys.readouterr().out == "a text\n"


def test_in_a_notebook_both_forms_are_displayed(monkeypatch):
    displayed = []
    monkeypatch.setattr(message, "running_shell", object)
    monkeypatch.setattr("IPython.display.display", lambda *args, **kw: displayed.append((args, kw)))
    show("a text", "<p>a page</p>")
    data = {"text/plain": "a text", "text/html": "<p>a page</p>"}
    assert displayed == [((data,), {"raw": True})]
