"""A small table with a text and an HTML form that say the same."""

import html
from collections.abc import Iterable, Sequence

from .format import MARK


class Table:
    """A small table with a text and an HTML form that say the same.

    Parameters
    ----------
    columns : sequence of str
        Headings; the first column holds the names of the rows.
    rows : iterable of sequence of str
        Cells, already formatted.
    caption : str
        The sentence above the table; `notes` stand below it.
    notes : sequence of str
        One line each.

    Examples
    --------
    >>> print(Table(["way", "calls"], [["slow", "10"], ["fast", "1"]], "Two ways"))
    Two ways
    way   calls
    slow     10
    fast      1
    """

    def __init__(
        self, columns: Sequence[str], rows: Iterable[Sequence[str]], caption: str = "", notes=()
    ):
        self.columns, self.cells = list(columns), [list(map(str, row)) for row in rows]
        self.caption, self.notes = caption, list(notes)

    def __str__(self) -> str:
        grid = [self.columns, *self.cells]
        widths = [max(len(row[i]) for row in grid) for i in range(len(self.columns))]
        right = [
            i and any(MARK in row[i] or row[i][:1].isdigit() for row in self.cells)
            for i in range(len(widths))
        ]
        lines = [
            "  ".join(
                c.rjust(w) if r else c.ljust(w) for c, w, r in zip(row, widths, right, strict=True)
            )
            for row in grid
        ]
        return "\n".join(
            line.rstrip() for line in [*filter(None, [self.caption]), *lines, *self.notes]
        )

    __repr__ = __str__

    def _repr_html_(self) -> str:
        def cell(tag: str, text: str, left: bool) -> str:
            scope = (
                ' scope="row"' if tag == "th" and left else ' scope="col"' if tag == "th" else ""
            )
            return f'<{tag}{scope} style="text-align:{"left" if left else "right"}">{html.escape(text)}</{tag}>'

        head = "".join(
            cell("th", c, i == 0).replace('"row"', '"col"') for i, c in enumerate(self.columns)
        )
        body = "".join(
            "<tr>"
            + "".join(cell("td" if i else "th", c, _is_words(c)) for i, c in enumerate(row))
            + "</tr>"
            for row in self.cells
        )
        below = "".join(f"<div><small>{html.escape(note)}</small></div>" for note in self.notes)
        caption = f'<caption style="caption-side:top;text-align:left">{html.escape(self.caption)}</caption>'
        return (
            '<table style="font-variant-numeric:tabular-nums">'
            f"{caption if self.caption else ''}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{below}"
        )


def _is_words(text: str) -> bool:
    return MARK not in text and not text[:1].isdigit()
