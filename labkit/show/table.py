"""A table whose text form and HTML form hold the same cells."""

import html
from collections.abc import Iterable, Sequence

from .format import MARK


class Table:
    """A small table with a text form and an HTML form, both with the same cells.

    Parameters
    ----------
    columns : sequence of str
        Headings; the first column holds the names of the rows.
    rows : iterable of sequence of str
        Cells, already formatted; one for each column.
    caption : str
        The sentence above the table.
    notes : sequence of str
        Lines below the table.

    Attributes
    ----------
    columns : list of str
        The headings.
    cells : list of list of str
        The cells, row by row.
    caption : str
        The sentence above the table.
    notes : list of str
        The lines below it.

    Raises
    ------
    ValueError
        A row has more or fewer cells than there are columns.

    Notes
    -----
    A column after the first is set to the right if one of its cells holds a number.

    Examples
    --------
    >>> Table(["function", "calls"], [["slow", "10"], ["fast", "1"]], "Two functions")
    Two functions
    function  calls
    slow         10
    fast          1
    """

    def __init__(
        self,
        columns: Sequence[str],
        rows: Iterable[Sequence[str]],
        caption: str = "",
        notes: Sequence[str] = (),
    ):
        self.columns = list(columns)
        self.cells = []
        for row in rows:
            cells = [str(cell) for cell in row]
            if len(cells) != len(self.columns):
                raise ValueError(
                    f"a row needs {len(self.columns)} cells, one for each column; got {cells}"
                )
            self.cells.append(cells)
        self.caption = caption
        self.notes = list(notes)

    def __str__(self) -> str:
        lines = []
        if self.caption:
            lines.append(self.caption)
        lines.extend(self._text_lines())
        lines.extend(self.notes)
        return "\n".join(lines)

    __repr__ = __str__

    def _text_lines(self) -> list[str]:
        """Return the headings and the rows, padded to columns."""
        lines = [self.columns, *self.cells]
        padded = []
        for i, side in enumerate(self._sides()):
            column = [line[i] for line in lines]
            padded.append(_pad(column, side))
        return ["  ".join(line).rstrip() for line in zip(*padded, strict=True)]

    def _sides(self) -> list[str]:
        """Return the side to which each column is set: the right one if it holds a number."""
        sides = ["left"]
        for i in range(1, len(self.columns)):
            has_number = any(_is_number(row[i]) for row in self.cells)
            sides.append("right" if has_number else "left")
        return sides

    def _repr_html_(self) -> str:
        sides = self._sides()
        caption = _html_caption(self.caption)
        head = _html_headings(self.columns, sides)
        body = "".join(_html_row(row, sides) for row in self.cells)
        notes = "".join(_html_note(note) for note in self.notes)
        return (
            '<table style="font-variant-numeric:tabular-nums">'
            f"{caption}<thead>{head}</thead><tbody>{body}</tbody></table>{notes}"
        )


def _is_number(text: str) -> bool:
    return MARK in text or text[:1].isdigit()


def _pad(column: list[str], side: str) -> list[str]:
    """Return the cells of a column with spaces to the width of the widest one."""
    width = max(len(cell) for cell in column)
    if side == "right":
        return [cell.rjust(width) for cell in column]
    return [cell.ljust(width) for cell in column]


def _html_headings(columns: list[str], sides: list[str]) -> str:
    cells = []
    for text, side in zip(columns, sides, strict=True):
        if text:
            cells.append(f'<th scope="col" style="text-align:{side}">{html.escape(text)}</th>')
        else:  # a screen reader would announce an empty heading
            cells.append("<td></td>")
    return f"<tr>{''.join(cells)}</tr>"


def _html_row(row: list[str], sides: list[str]) -> str:
    # No line break inside a name, such as at the hyphen of "S0-11".
    style = "text-align:left;white-space:nowrap"
    cells = [f'<th scope="row" style="{style}">{html.escape(row[0])}</th>']
    for text, side in zip(row[1:], sides[1:], strict=True):
        cells.append(f'<td style="text-align:{side}">{html.escape(text)}</td>')
    return f"<tr>{''.join(cells)}</tr>"


def _html_note(text: str) -> str:
    return f"<div><small>{html.escape(text)}</small></div>"


def _html_caption(text: str) -> str:
    if not text:
        return ""
    return f'<caption style="caption-side:top;text-align:left">{html.escape(text)}</caption>'
