"""Numbers, times and units as text, in one closed format.

The mark ≈ precedes every measured number and nothing else. It tells a reader what will differ on
another machine, and the tests set aside exactly that (`tests/nbval_sanitize.cfg`).
"""

import math
from collections.abc import Iterable

MARK = "≈"

_MOST_DECIMALS = 9
_TIME_UNITS = (("ns", 1e-9), ("µs", 1e-6), ("ms", 1e-3), ("s", 1.0))


def digits(x: float) -> str:
    """Return a number with three significant digits, never with an exponent.

    Parameters
    ----------
    x : float
        Any number.

    Returns
    -------
    str
        With a comma between thousands; ``"?"`` where `x` is infinite or not a number.

    Examples
    --------
    >>> digits(12345), digits(4.8123), digits(0.03456), digits(0)
    ('12,300', '4.81', '0.0346', '0')
    """
    if not math.isfinite(x):
        return "?"
    if x == 0:
        return "0"
    try:
        rounded = round(x, _decimals(x))
    except OverflowError:  # the largest numbers cannot be rounded up
        rounded = x
    # 9.999 rounds up to 10.0, which needs one decimal fewer than 9.999.
    decimals = min(_decimals(rounded), _MOST_DECIMALS)
    return f"{rounded:,.{max(decimals, 0)}f}"


def plain_number(x: float) -> str:
    """Return a number as it is, without an exponent or idle zeros: for the ticks of an axis.

    Parameters
    ----------
    x : float
        Any number.

    Returns
    -------
    str
        With a comma between thousands and at most ten significant digits.

    Examples
    --------
    >>> plain_number(10_000.0), plain_number(0.30000000000000004), plain_number(1e-5)
    ('10,000', '0.3', '0.00001')
    """
    if not math.isfinite(x):
        return "?"
    if x == 0:
        return "0"
    decimals = max(0, 9 - math.floor(math.log10(abs(x))))
    text = f"{x:,.{decimals}f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return text.replace("-", "−")


def _decimals(x: float) -> int:
    """Return the decimal places that leave three significant digits; negative from 1,000 on."""
    return 2 - math.floor(math.log10(abs(x)))


def measured(x: float, unit: str = "", interval: tuple[float, float] | None = None) -> str:
    """Return a measured number: the ≈ mark, the number, its unit and its interval.

    Parameters
    ----------
    x : float
        The value, in `unit`.
    unit : str
        Such as ``"ms"``; ``"×"`` follows the number without a space.
    interval : (float, float), optional
        The ends of its interval, in `unit`.

    Returns
    -------
    str
        Such as ``≈4.81× [4.70, 4.92]``.

    Examples
    --------
    >>> measured(0.0123, "s"), measured(4.812, "×", (4.7, 4.92))
    ('≈0.0123 s', '≈4.81× [4.70, 4.92]')
    """
    space = "" if unit in ("", "×") else " "
    text = f"{MARK}{digits(x)}{space}{unit}"
    if interval is None:
        return text
    low, high = interval
    return f"{text} [{digits(low)}, {digits(high)}]"


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
    """Return the unit in which several times are easiest to read, and its size.

    Parameters
    ----------
    seconds : iterable of float
        Times in seconds; those that are not positive and finite are ignored.

    Returns
    -------
    (str, float)
        The unit and its size in seconds, such as ``("ms", 0.001)``: one unit for a whole table or
        figure. It is the largest unit that is not larger than the geometric mean of the times.

    Examples
    --------
    >>> time_unit([0.0005, 0.03])
    ('ms', 0.001)
    """
    logs = [math.log10(s) for s in seconds if s > 0 and math.isfinite(s)]
    if not logs:
        return _TIME_UNITS[-1]
    middle = 10 ** (sum(logs) / len(logs))
    for name, size in reversed(_TIME_UNITS):
        if middle >= size:
            return name, size
    return _TIME_UNITS[0]


def duration(
    seconds: float,
    interval: tuple[float, float] | None = None,
    unit: tuple[str, float] | None = None,
) -> str:
    """Return a measured time with its unit and its interval.

    Parameters
    ----------
    seconds : float
        The time in seconds.
    interval : (float, float), optional
        The ends of its interval, in seconds.
    unit : (str, float), optional
        What `time_unit` returned for several times; chosen for this one by default.

    Returns
    -------
    str
        Such as ``≈1.23 ms [1.20, 1.30]``.

    Examples
    --------
    >>> duration(0.00123), duration(0.00123, (0.0012, 0.0013), unit=("s", 1.0))
    ('≈1.23 ms', '≈0.00123 s [0.00120, 0.00130]')
    """
    name, size = unit or time_unit([seconds])
    if interval is None:
        return measured(seconds / size, name)
    low, high = interval
    return measured(seconds / size, name, (low / size, high / size))
