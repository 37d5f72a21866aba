"""Numbers, times and units as text, in one closed format.

The mark ≈ stands before every measured number and before nothing else. So a reader sees at once what will differ on
another machine, and the tests can set aside exactly that (`tests/nbval_sanitize.cfg`).
"""

import math
from collections.abc import Iterable

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


def measured(x: float, unit: str = "", interval: tuple[float, float] | None = None) -> str:
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
    >>> measured(0.0123, "s"), measured(4.812, "×", (4.7, 4.92))
    ('≈0.0123 s', '≈4.81× [4.70, 4.92]')
    """
    tail = f" [{digits(interval[0])}, {digits(interval[1])}]" if interval else ""
    return f"{MARK}{digits(x)}{'' if unit in ('', '×') else ' '}{unit}{tail}"


def measured_count(n: int, unit: str) -> str:
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
    >>> measured_count(1640, "rounds")
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


def duration(
    seconds: float,
    interval: tuple[float, float] | None = None,
    unit: tuple[str, float] | None = None,
) -> str:
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
    return measured(seconds / size, name, interval and (interval[0] / size, interval[1] / size))
