"""Make a page of the guides in teaching/ for the printer, each on one sheet of A4.

`make guides` writes all of them to build/guides.html; `make guides ONLY="00 02"` these two. Open
the file in a browser, and print it.
"""

import re
import sys
from pathlib import Path

import teaching_pages
from nbconvert.filters.markdown_mistune import markdown2html_mistune
from notebook_links import ROOT

from labkit.course.files import write_atomically

PRINTED = ROOT / "build" / "guides.html"
STYLE = """
@page { size: A4; margin: 12mm 15mm }
body { font: 9pt/1.3 "DejaVu Sans", Verdana, sans-serif; max-width: 180mm; margin: auto }
article { break-after: page }
article:last-child { break-after: auto }
article > table:first-of-type { float: right; margin: 0 0 3mm 6mm }
h2 { clear: right }
h1 { font-size: 15pt; margin: 0 0 4pt }
h2 { font-size: 11pt; margin: 7pt 0 2pt }
p, ul { margin: 3pt 0 }
ul { padding-left: 14pt }
a { color: inherit; text-decoration: none }
table { border-collapse: collapse; font-size: 8.5pt; margin: 4pt 0 }
td, th { border-bottom: 1px solid #bbb; padding: 1pt 8pt 1pt 0 }
td, th { text-align: left; vertical-align: top }
code, pre { font: 8pt/1.25 "DejaVu Sans Mono", Consolas, monospace }
pre { margin: 3pt 0; white-space: pre-wrap }
"""


def page(guides: list[Path]) -> str:
    """Return the page of some guides."""
    articles = []
    for guide in guides:
        # nbconvert gives headings a link to themselves, which is of no use on paper.
        html = markdown2html_mistune(guide.read_text(encoding="utf-8"))
        html = re.sub(r'<a class="anchor-link".*?</a>', "", html)
        articles.append(f"<article>\n{html}\n</article>\n")
    head = '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>Guides</title>\n'
    return f"{head}<style>{STYLE}</style>\n{''.join(articles)}</html>\n"


def chosen(numbers: list[str]) -> list[Path]:
    """Return the guides of these lessons; all of them if no number is given."""
    guides = {path.name[:2]: teaching_pages.guide_of(path) for path in teaching_pages.lessons()}
    unknown = [number for number in numbers if number not in guides]
    if unknown:
        raise SystemExit(f"no guide {', '.join(unknown)}: there are {', '.join(guides)}")
    return [guides[number] for number in numbers or guides]


def main() -> None:
    """Write the page."""
    guides = chosen(sys.argv[1:])
    PRINTED.parent.mkdir(exist_ok=True)
    write_atomically(PRINTED, page(guides))
    print(f"{PRINTED.relative_to(ROOT).as_posix()}: {len(guides)} guides; print it from a browser")


if __name__ == "__main__":
    main()
