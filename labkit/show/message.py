"""One look for what labkit says: a coloured rule, a sign, a word in bold, and the text.

Every style is inline: a message looks the same in JupyterLab, in a static page and in print.
The text has the colour of the theme; only the rule and the badge of the sign have their own.
"""

import html
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Kind:
    """The sign and the colour of one kind of message."""

    sign: str
    colour: str


# Darker than those of Okabe and Ito: white on them has a contrast of 4.5 to 1 and more, and they
# have one of 3 to 1 and more to a white page and to a black one. The signs repeat the distinction.
GOOD = Kind("✓", "#00805d")
BAD = Kind("✗", "#c04f00")
OPEN = Kind("○", "#667080")
UNSURE = Kind("?", "#a8508c")
NOTE = Kind("!", "#936a00")
HINT = Kind("→", "#0072b2")
KINDS = (GOOD, BAD, OPEN, UNSURE, NOTE, HINT)

_BY_SIGN = {kind.sign: kind for kind in KINDS}
_TINT = 0.09  # the part of the colour in the background
# Code is marked by backticks; a call of labkit and the file of a lesson are known without them.
_CODE = r"`([^`\n]+)`"
_CALL = r"(?<![\w.])(lab\.\w+\([^()\n]*\))"
_LESSON = r"\b(\d\d_\w+\.ipynb)\b"
_MARKED = re.compile(f"{_CODE}|{_CALL}|{_LESSON}")
_SIGN_AND_WORDS = re.compile(rf"([{re.escape(''.join(_BY_SIGN))}]) (\S+)(.*)", re.DOTALL)

_CODE_FONT = "font-family:var(--jp-code-font-family, monospace)"
_CODE_STYLE = f"{_CODE_FONT};white-space:pre-wrap;overflow-wrap:anywhere;padding:0 0.2em"
_ID = re.compile(r"\b[A-Z]\d*-\d+\b")  # of a claim
_BADGE_STYLE = (
    "display:inline-block;width:1.4em;height:1.4em;border-radius:50%;text-align:center;"
    "line-height:1.4em;font-size:0.85em;font-weight:700;color:#ffffff;"
    "-webkit-print-color-adjust:exact;print-color-adjust:exact"
)
_BOX_STYLE = (
    "max-width:48rem;margin:0.25em 0;padding:0.5em 0.9em;line-height:1.5;overflow-wrap:break-word;"
    "-webkit-print-color-adjust:exact;print-color-adjust:exact"
)
# Beside the badge, also on the second line.
_TEXT_STYLE = "margin-left:1.8em"
_MORE_STYLE = "margin-top:0.3em"
_BLOCK_STYLE = (
    f"{_CODE_FONT};"
    "margin:0.4em 0 0;padding:0.4em 0.6em;white-space:pre-wrap;word-break:normal;"
    "overflow-wrap:anywhere;background-color:rgba(127,127,127,0.15)"
)


def message_html(
    kind: Kind,
    word: str,
    text: str = "",
    *,
    code: str = "",
    section: str = "",
    more: Sequence[str] = (),
) -> str:
    """Return a message as HTML.

    `word` is in bold, and `text` follows it. Below them are a block of `code`, a link to a
    `section` of the notebook, and each line of `more` as a paragraph of its own.
    """
    first = f"<strong>{inline_html(word)}</strong>"
    if text:
        first += f" {inline_html(text)}"
    parts = [f"<div>{first}</div>"]
    if code:
        parts.append(f'<pre style="{_BLOCK_STYLE}">{html.escape(code)}</pre>')
    if section:
        parts.append(f'<div style="{_MORE_STYLE}">Look at: {_section_html(section)}</div>')
    for line in more:
        parts.append(f'<div style="{_MORE_STYLE}">{inline_html(line)}</div>')
    return box_html(kind, "".join(parts))


def box_html(kind: Kind, content: str) -> str:
    """Return the frame of a message around `content`, which is HTML already."""
    red, green, blue = rgb(kind.colour)
    style = (
        f"{_BOX_STYLE};border-left:4px solid {kind.colour};"
        f"background-color:rgba({red},{green},{blue},{_TINT})"
    )
    badge = f'<div style="float:left">{badge_html(kind)}</div>'
    return f'<div style="{style}">{badge}<div style="{_TEXT_STYLE}">{content}</div></div>'


def badge_html(kind: Kind) -> str:
    """Return the sign of a kind, white on its colour; the word beside it says the same."""
    style = f"{_BADGE_STYLE};background-color:{kind.colour}"
    return f'<span aria-hidden="true" style="{style}">{kind.sign}</span>'


def inline_html(text: str) -> str:
    """Return a text as HTML in which code looks like code, and the file of a lesson is a link.

    >>> inline_html("a < b, see 01_measure.ipynb")
    'a &lt; b, see <a href="01_measure.ipynb">01_measure.ipynb</a>'
    """
    parts = []
    end = 0
    for found in _MARKED.finditer(text):
        parts.append(html.escape(text[end : found.start()]))
        code, call, lesson = found.groups()
        if lesson:
            parts.append(f'<a href="{lesson}">{lesson}</a>')
        else:
            parts.append(f'<code style="{_CODE_STYLE}">{html.escape(code or call)}</code>')
        end = found.end()
    parts.append(html.escape(text[end:]))
    return "".join(parts)


def cell_html(text: str) -> str:
    """Return a cell of a table as HTML: a sign at its beginning becomes a badge."""
    found = _SIGN_AND_WORDS.fullmatch(text)
    if found is None:
        # A column is as wide as its longest word: neither an id nor a name in code is broken.
        page = inline_html(text).replace("overflow-wrap:anywhere", "overflow-wrap:break-word")
        return _ID.sub(r'<span style="white-space:nowrap">\g<0></span>', page)
    sign, word, rest = found.groups()
    badge = badge_html(_BY_SIGN[sign])
    # The sign is never alone on a line.
    first = f'<span style="white-space:nowrap">{badge} {html.escape(word)}</span>'
    return f"{first}{inline_html(rest)}"


def _section_html(section: str) -> str:
    """Return a link to a heading, which has its text as its address in Jupyter's pages."""
    address = html.escape(section.replace("`", "").replace(" ", "-"))
    return f'<a href="#{address}">{inline_html(section)}</a>'


def rgb(colour: str) -> tuple[int, int, int]:
    """Return the red, green and blue of a colour such as ``#0072b2``, from 0 to 255."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def show(text: str, page: str) -> None:
    """Display a text and its HTML in a notebook; print the text elsewhere."""
    if running_shell() is None:
        print(text)
        return
    from IPython.display import display

    display({"text/plain": text, "text/html": page}, raw=True)


def running_shell() -> Any:
    """Return the shell of IPython that this code runs in; None elsewhere, without an import."""
    ipython = sys.modules.get("IPython")
    if ipython is None:
        return None
    return ipython.get_ipython()
