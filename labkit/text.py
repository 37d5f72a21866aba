"""Numbers, units and tables as text and HTML, in one closed format.

The sign ≈ stands before every measured figure and before nothing else. So a reader sees at once what will differ on
another machine, and the tests can set aside exactly that (`tests/nbval_sanitize.cfg`).
"""

import html
import math
import os
import re
from collections.abc import Iterable, Sequence

MARK = "≈"
_TIME_UNITS = (("ns", 1e-9), ("µs", 1e-6), ("ms", 1e-3), ("s", 1.0))


def digits(x: float) -> str:
    """Return three significant digits, never with an exponent.

    Parameters
    ----------
    x : float
        Any number, also an infinite one.

    Returns
    -------
    str
        With a comma between thousands.

    Examples
    --------
    >>> digits(12345), digits(4.8123), digits(0.03456), digits(0)
    ('12,300', '4.81', '0.0346', '0')
    """
    if not math.isfinite(x):
        return "?"
    if x == 0:
        return "0"
    places = 2 - math.floor(math.log10(abs(x)))
    rounded = round(x, places)
    places = 2 - math.floor(math.log10(abs(rounded)))  # 9.999 rounds up to 10.0, one place fewer
    return f"{rounded:,.{max(0, min(places, 9))}f}"


def figure(x: float, unit: str = "", interval: tuple[float, float] | None = None) -> str:
    """Return a measured figure: the mark, the number, its unit, its interval.

    Parameters
    ----------
    x : float
        The value in `unit`.
    unit : str
        Such as ``"ms"``; ``"×"`` follows the number without a space.
    interval : (float, float), optional
        Ends in the same unit.

    Returns
    -------
    str
        Such as ``≈4.81× [4.70, 4.92]``.

    Examples
    --------
    >>> figure(0.0123, "s"), figure(4.812, "×", (4.7, 4.92))
    ('≈0.0123 s', '≈4.81× [4.70, 4.92]')
    """
    tail = f" [{digits(interval[0])}, {digits(interval[1])}]" if interval else ""
    return f"{MARK}{digits(x)}{'' if unit in ('', '×') else ' '}{unit}{tail}"


def whole(n: int, unit: str) -> str:
    """Return a measured whole number, one that differs from run to run.

    Parameters
    ----------
    n : int
        The number.
    unit : str
        What was counted, such as ``"rounds"``.

    Returns
    -------
    str
        Such as ``≈1,640 rounds``.

    Examples
    --------
    >>> whole(1640, "rounds")
    '≈1,640 rounds'
    """
    return f"{MARK}{n:,} {unit}"


def time_unit(seconds: Iterable[float]) -> tuple[str, float]:
    """Return the unit in which these times read best together, and its size in seconds.

    Parameters
    ----------
    seconds : iterable of float
        Times; those that are not positive and finite do not vote.

    Returns
    -------
    (str, float)
        Such as ``("ms", 0.001)``: one unit for the whole of a table or picture.

    Examples
    --------
    >>> time_unit([0.0005, 0.03])
    ('ms', 0.001)
    """
    logs = [math.log10(s) for s in seconds if s > 0 and math.isfinite(s)]
    middle = 10 ** (sum(logs) / len(logs)) if logs else 1.0
    name, size = _TIME_UNITS[0]
    for name, size in reversed(_TIME_UNITS):
        if middle >= size:
            return name, size
    return name, size


def duration(seconds: float, interval: tuple[float, float] | None = None, unit: tuple[str, float] | None = None) -> str:
    """Return a measured time.

    Parameters
    ----------
    seconds : float
        The time.
    interval : (float, float), optional
        Its ends, in seconds.
    unit : (str, float), optional
        From `time_unit`, where several times share one.

    Returns
    -------
    str
        Such as ``≈1.23 ms [1.20, 1.30]``.

    Examples
    --------
    >>> duration(0.00123)
    '≈1.23 ms'
    """
    name, size = unit or time_unit([seconds])
    return figure(seconds / size, name, interval and (interval[0] / size, interval[1] / size))


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

    def __init__(self, columns: Sequence[str], rows: Iterable[Sequence[str]], caption: str = "", notes=()):
        self.columns, self.rows = list(columns), [list(map(str, row)) for row in rows]
        self.caption, self.notes = caption, list(notes)

    def __str__(self) -> str:
        grid = [self.columns, *self.rows]
        widths = [max(len(row[i]) for row in grid) for i in range(len(self.columns))]
        right = [i and any(MARK in row[i] or row[i][:1].isdigit() for row in self.rows) for i in range(len(widths))]
        lines = ["  ".join(c.rjust(w) if r else c.ljust(w) for c, w, r in zip(row, widths, right, strict=True))
                 for row in grid]  # fmt: skip
        return "\n".join(line.rstrip() for line in [*filter(None, [self.caption]), *lines, *self.notes])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        def cell(tag: str, text: str, left: bool) -> str:
            scope = ' scope="row"' if tag == "th" and left else ' scope="col"' if tag == "th" else ""
            return f'<{tag}{scope} style="text-align:{"left" if left else "right"}">{html.escape(text)}</{tag}>'

        head = "".join(cell("th", c, i == 0).replace('"row"', '"col"') for i, c in enumerate(self.columns))
        body = "".join(
            "<tr>" + "".join(cell("td" if i else "th", c, _is_words(c)) for i, c in enumerate(row)) + "</tr>"
            for row in self.rows
        )
        below = "".join(f"<div><small>{html.escape(note)}</small></div>" for note in self.notes)
        caption = f'<caption style="caption-side:top;text-align:left">{html.escape(self.caption)}</caption>'
        return (
            '<table style="font-variant-numeric:tabular-nums">'
            f"{caption if self.caption else ''}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{below}"
        )


def _is_words(text: str) -> bool:
    return MARK not in text and not text[:1].isdigit()


def progress_bar(items, label: str, show: bool, seconds: float | None = None):
    """Return a progress bar that leaves nothing behind: over `items`, or over a number of seconds.

    Parameters
    ----------
    items : iterable or None
        What to iterate over; None for a bar that the caller updates.
    label : str
        What goes on.
    show : bool
        False gives a silent one; so does the variable ``LABKIT_PROGRESS=0``, which keeps stored outputs clean.
    seconds : float, optional
        The total of a bar without items.

    Returns
    -------
    tqdm.tqdm
        Closed by the end of the items, or by its `close`.

    Examples
    --------
    >>> list(progress_bar([1, 2], "counting", show=False))
    [1, 2]
    """
    from tqdm.auto import tqdm

    off = not show or os.environ.get("LABKIT_PROGRESS") == "0"
    layout = "{desc}: {percentage:3.0f}% |{bar}| {n:.1f}/{total:.1f} s" if seconds else None
    return tqdm(items, desc=label, total=seconds, leave=False, disable=off, bar_format=layout)


def message(error: BaseException) -> str:
    r"""Return what an error says, on one line, without what is put around it.

    Parameters
    ----------
    error : BaseException
        AutoGraph puts the place before the message, a file name of this machine; Keras colours it, and puts all
        arguments behind it.

    Returns
    -------
    str
        The message alone.

    Examples
    --------
    >>> message(TypeError("in user code:\n\n  File 'x', line 3, in f *\n    a + b\n\n    TypeError: no sum"))
    'no sum'
    """
    text = " ".join(re.sub(r"\x1b\[[0-9;]*m", "", str(error)).split())
    text = re.sub(r"^in user code: .*\b\w*(?:Error|Exception): ", "", text)
    return text.partition(" Arguments received by")[0]


def one_line(error: BaseException, most: int = 200) -> str:
    """Return the kind of an error and what it says, for a learner whose answer raised it.

    Parameters
    ----------
    error : BaseException
        What was raised; of an error while a graph runs only the sentence is kept, not the way there.
    most : int
        Characters of the message.

    Returns
    -------
    str
        Such as ``ValueError: no such file``.

    Examples
    --------
    >>> one_line(ValueError("no such file"))
    'ValueError: no such file'
    """
    in_graph = re.search(r"^(.*)\n\s+\[\[\{\{node", str(error), re.MULTILINE)
    return f"{type(error).__name__}: {(in_graph[1] if in_graph else message(error))[:most]}"
