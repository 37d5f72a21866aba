"""A table whose text form and HTML form hold the same cells."""

import re
from collections.abc import Iterable, Sequence

from .format import MARK
from .message import cell_html, inline_html

# JupyterLab centres tables and sets every cell to the right.
_TABLE_STYLE = "table-layout:auto;margin:0 0 0.25em;font-variant-numeric:tabular-nums"
_CAPTION_STYLE = "caption-side:top;text-align:left;padding:0 0 0.25em"
# In a narrow window the cells move closer together, before anything is cut.
_CELL_STYLE = "white-space:normal;vertical-align:top;padding:0.35em min(0.6em, 0.6vw)"
# There, and only there, short cells break too; before that it is the long texts that shrink.
_MIN_WIDTH = "min-width:min({width:.1f}em, 20vw - 80px)"
_MANY_COLUMNS = 5  # from here on that is too much: a column has as much as its counts need,
_SMALLER_TEXT = "font-size:min(1em, 1.4vw)"  # and in a narrow window the letters are smaller
# Of the longest words of all columns: from the first number on they need that, too; from the
# second on "AttributeError" may break before a capital.
_MANY_LETTERS = 36
_MOST_LETTERS = 46
_SHORT_CELL = 24  # characters
_WIDTH_OF_LETTER = 0.55  # em, on average
# Of numbers, in em. Not by their letters: the page of another run must differ in the numbers only.
_WIDTH_OF_NUMBER = 4.5
_WIDTH_OF_INTERVAL = 10.5
_LONG_NAME = re.compile(r"\b(?:[A-Z][a-z]+){2,}\b(?![^<>]*>)")
_LONG_UNDERSCORED = re.compile(r"\b(?=\w{13})\w+?_\w+\b(?![^<>]*>)")
_CAPITAL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_LONG_WORD = 12  # characters after which a name may break, at an underscore


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
    sides : sequence of str, optional
        ``"left"`` or ``"right"`` for each column. Unless given, a column after the first is set to
        the right if one of its cells holds a number.

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
        There is no column, or a row has more or fewer cells than there are columns.

    Examples
    --------
    >>> Table(["function", "calls"], [["slow", "10"], ["fast", "1"]], "Two functions")
    Two functions
    function  calls
    slow         10
    fast          1
    """

    caption_weight = 400  # of the letters in HTML: 700 is bold

    def __init__(
        self,
        columns: Sequence[str],
        rows: Iterable[Sequence[str]],
        caption: str = "",
        notes: Sequence[str] = (),
        sides: Sequence[str] | None = None,
    ):
        self.columns = list(columns)
        if not self.columns:
            raise ValueError("a table needs at least one column")
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
        self._sides = self._usual_sides() if sides is None else list(sides)

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
        for i, side in enumerate(self._sides):
            column = [line[i] for line in lines]
            padded.append(_pad(column, side))
        return ["  ".join(line).rstrip() for line in zip(*padded, strict=True)]

    def _usual_sides(self) -> list[str]:
        """Return the side to which each column is set: the right one if it holds a number."""
        sides = ["left"]
        for i in range(1, len(self.columns)):
            has_number = any(_is_number(row[i]) for row in self.cells)
            sides.append("right" if has_number else "left")
        return sides

    def _repr_html_(self) -> str:
        caption = _html_caption(self.caption, self.caption_weight)
        head = _html_headings(self.columns, self._sides, self._short_widths())
        body = "".join(_html_row(row, self._sides) for row in self.cells)
        body = _LONG_UNDERSCORED.sub(lambda name: name[0].replace("_", "_<wbr>"), body)
        if self._letters() >= _MOST_LETTERS:
            body = _LONG_NAME.sub(_with_breaks, body)
        notes = "".join(_html_note(note) for note in self.notes)
        style = _TABLE_STYLE
        if len(self.columns) >= _MANY_COLUMNS or self._letters() >= _MANY_LETTERS:
            style += f";{_SMALLER_TEXT}"
        return (
            f'<table style="{style}">'
            f"{caption}<thead>{head}</thead><tbody>{body}</tbody></table>{notes}"
        )

    def _letters(self) -> int:
        """Return the letters of the longest word of each column, together; measured ones aside."""
        total = 0
        for column in zip(self.columns, *self.cells, strict=True):
            words = [word for cell in column if MARK not in cell for word in _unbroken(cell)]
            total += max(map(len, words), default=0)
        return total

    def _short_widths(self) -> list[float]:
        """Return the width of each column in em, as far as its cells are short."""
        are_many = len(self.columns) >= _MANY_COLUMNS
        widths = []
        for i, side in enumerate(self._sides):
            width = 0.0
            for row in self.cells:
                if are_many and _is_count(row[i]):
                    width = max(width, _WIDTH_OF_LETTER * len(row[i]))
                elif len(row[i]) <= _SHORT_CELL:
                    width = max(width, _width(row[i], is_number=side == "right"))
            widths.append(width)
        return widths


def _with_breaks(name: re.Match[str]) -> str:
    """Return a name such as AttributeError that may break before a capital."""
    return _CAPITAL.sub("<wbr>", name[0])


def _unbroken(text: str) -> list[str]:
    """Return the pieces of a text that stay on one line."""
    return text.replace("`", "").replace("_", "_ ").split()


def _is_number(text: str) -> bool:
    return MARK in text or text[:1].isdigit()


def _is_count(text: str) -> bool:
    return text.replace(",", "").isdigit()


def _width(cell: str, is_number: bool) -> float:
    """Return about how wide a short cell is, in em."""
    if "[" in cell and MARK in cell:
        return _WIDTH_OF_INTERVAL
    if is_number or MARK in cell:
        return _WIDTH_OF_NUMBER
    return _WIDTH_OF_LETTER * len(cell)


def _pad(column: list[str], side: str) -> list[str]:
    """Return the cells of a column with spaces to the width of the widest one."""
    width = max(len(cell) for cell in column)
    if side == "right":
        return [cell.rjust(width) for cell in column]
    return [cell.ljust(width) for cell in column]


def _html_headings(columns: list[str], sides: list[str], widths: list[float]) -> str:
    cells = []
    for text, side, width in zip(columns, sides, widths, strict=True):
        style = f"text-align:{side};{_CELL_STYLE};{_MIN_WIDTH.format(width=width)}"
        if text:
            cells.append(f'<th scope="col" style="{style}">{_html_words(text)}</th>')
        else:  # a screen reader would announce an empty heading
            cells.append(f'<td style="{style}"></td>')
    return f"<tr>{''.join(cells)}</tr>"


def _html_row(row: list[str], sides: list[str]) -> str:
    name = _html_words(row[0])
    cells = [f'<th scope="row" style="text-align:{sides[0]};{_CELL_STYLE}">{name}</th>']
    for text, side in zip(row[1:], sides[1:], strict=True):
        cells.append(f'<td style="text-align:{side};{_CELL_STYLE}">{cell_html(text)}</td>')
    return f"<tr>{''.join(cells)}</tr>"


def _html_words(text: str) -> str:
    """Return names as HTML: "S0-11" stays whole, "graph_and_dataset" may break at an underscore."""
    if "`" in text:  # code may hold spaces
        return inline_html(text)
    return " ".join(_html_word(word) for word in text.split(" "))


def _html_word(word: str) -> str:
    page = inline_html(word)
    if "-" in word:
        return f'<span style="white-space:nowrap">{page}</span>'
    if len(word) > _LONG_WORD and "<" not in page:
        return page.replace("_", "_<wbr>")
    return page


def _html_note(text: str) -> str:
    return f"<div><small>{inline_html(text)}</small></div>"


def _html_caption(text: str, weight: int) -> str:
    if not text:
        return ""
    style = f"{_CAPTION_STYLE};font-weight:{weight}"
    return f'<caption style="{style}">{inline_html(text)}</caption>'
