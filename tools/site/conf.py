"""Sphinx's settings for the reading edition. `make site` runs it; nothing is executed."""

import json
import re
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from reading_pages import DESCRIPTIONS, TITLE

project = html_title = TITLE
language = "en"
root_doc = "index"
extensions = ["myst_nb"]

# The stored outputs are shown as they are. Widgets are stored with a form that needs none: the
# scripts that they would need come from another host.
nb_execution_mode = "off"
nb_ipywidgets_js: dict[str, dict[str, str]] = {}
nb_merge_streams = True

# reading_pages.py has made each link the address of a page; crawl.py checks where they lead.
myst_all_links_external = True
smartquotes = False  # of an error text, a reader copies the characters that TensorFlow writes
suppress_warnings = ["misc.highlighting_failure"]  # pieces of code, and what error texts show

html_theme = "furo"
html_static_path = ["static"]
templates_path = ["templates"]  # the search has no heading of its own
html_css_files = ["site.css"]
html_js_files = [("site.js", {"defer": "defer"})]
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#0b5fa5", "color-brand-content": "#0b5fa5"},
    "dark_css_variables": {"color-brand-primary": "#6cb8f0", "color-brand-content": "#6cb8f0"},
    "navigation_with_keys": False,  # the arrow keys scroll code and pictures
}
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
html_use_index = False
html_domain_indices = False

# What a screen reader would stumble over in the pages of myst-nb and of the theme.
MENDED = {
    # The line of folded code would be read out with this name, and not with what it says.
    '<summary aria-label="Toggle hidden content">': "<summary>",
    'class="caption" role="heading">': 'class="caption" role="heading" aria-level="2">',
    '<aside class="sidebar-drawer">': '<aside class="sidebar-drawer" aria-label="All pages">',
    '<aside class="toc-drawer">': '<aside class="toc-drawer" aria-label="This page">',
    '<aside class="toc-drawer no-toc">': '<aside class="toc-drawer no-toc" aria-label="This page">',
    '<th class="head"><p></p></th>': '<td class="head"></td>',
}

# Elements that look like the text around them: names and signs in code, and parts of code in a text
# that are not broken anyway. They are half of the elements of a long page, and a third of the time
# that it takes to open.
PLAIN = re.compile(
    r'<span class="(?:n|nn|p|w)">(?P<code>[^<]*)</span>'
    r"""|<span class="pre">(?P<word>[\w.()=,:\[\]`"']+)</span>"""
)


def add_anchors(app: Any, doctree: Any) -> None:
    """Let a heading be found by the anchor that it has in JupyterLab, too: its own words."""
    from docutils import nodes

    used = {name for node in doctree.findall(nodes.Element) for name in node.get("ids", [])}
    for section in doctree.findall(nodes.section):
        anchor = section[0].astext().replace(" ", "-")
        if anchor not in used:
            section["ids"].append(anchor)
            used.add(anchor)


def finish_page(app: Any, name: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Add the description of a page."""
    descriptions = json.loads((Path(app.srcdir) / DESCRIPTIONS).read_text(encoding="utf-8"))
    context["description"] = descriptions.get(name, f"Search the course: {TITLE}.")
    context["metatags"] = context.get("metatags", "") + meta(context["description"])


def meta(text: str) -> str:
    """Return the element of a page's head that holds its description."""
    from html import escape

    return f'<meta name="description" content="{escape(text)}">\n'


def mend_pages(app: Any, error: Exception | None) -> None:
    """Mend the pages that were written."""
    for path in Path(app.outdir).rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        for written, better in MENDED.items():
            text = text.replace(written, better)
        text = PLAIN.sub(lambda found: found["code"] or found["word"] or "", text)
        path.write_text(text, encoding="utf-8", newline="\n")


def setup(app: Any) -> dict[str, bool]:
    """Connect the functions above with Sphinx."""
    app.connect("doctree-read", add_anchors)
    app.connect("html-page-context", finish_page)
    app.connect("build-finished", mend_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
