"""Say where two results first differ: nothing is timed or passed before its result agrees."""

from collections.abc import Mapping
from typing import Any


def first_difference(
    got: Any, wanted: Any, rtol: float = 1e-4, atol: float = 1e-5, where: str = ""
) -> str | None:
    """Return the first place where two results differ, or None when they agree.

    Parameters
    ----------
    got, wanted : tensor, array, number, str, None, or nested dict, list or tuple of these
        Compared by value; dtypes may differ.
    rtol, atol : float
        Relative and absolute tolerance for numbers, as in `numpy.allclose`. The defaults allow for the rounding of
        float32 when operations are fused or reordered.
    where : str
        Path of the place inside a nested result; starts empty.

    Returns
    -------
    str or None
        A sentence such as ``shape (2,) instead of (3,)``.

    Examples
    --------
    >>> first_difference({"a": [1.0, 2.0]}, {"a": [1.0, 2.5]})
    "['a'][1]: 2.0 instead of 2.5"
    >>> first_difference([1.0], [1.0 + 1e-9]) is None
    True
    """
    prefix = f"{where}: " if where else ""
    if isinstance(wanted, Mapping) or isinstance(got, Mapping):
        if not (isinstance(wanted, Mapping) and isinstance(got, Mapping)) or set(got) != set(
            wanted
        ):
            return f"{prefix}{_kind(got)} instead of {_kind(wanted)}"
        pairs = [(got[key], wanted[key], f"{where}[{key!r}]") for key in wanted]
        return next(
            filter(None, (first_difference(g, w, rtol, atol, at) for g, w, at in pairs)), None
        )
    if isinstance(wanted, (list, tuple)) and isinstance(got, (list, tuple)):
        if len(got) != len(wanted):
            return f"{prefix}{len(got)} items instead of {len(wanted)}"
        pairs = [(g, w, f"{where}[{i}]") for i, (g, w) in enumerate(zip(got, wanted, strict=True))]
        return next(
            filter(None, (first_difference(g, w, rtol, atol, at) for g, w, at in pairs)), None
        )
    if any(x is None or isinstance(x, (str, bytes)) for x in (got, wanted)):
        same = got is wanted or (type(got) is type(wanted) and got == wanted)
        return None if same else f"{prefix}{_kind(got)} instead of {_kind(wanted)}"
    return _array_difference(got, wanted, rtol, atol, prefix)


def _array_difference(got: Any, wanted: Any, rtol: float, atol: float, prefix: str) -> str | None:
    if isinstance(got, (int, float)) and isinstance(
        wanted, (int, float)
    ):  # plain numbers need no NumPy
        near = (
            abs(got - wanted) <= atol + rtol * abs(wanted) < float("inf")
        )  # everything is near an infinity
        if near or got == wanted or (got != got and wanted != wanted):
            return None
        return f"{prefix}{got!r} instead of {wanted!r}"
    import numpy as np

    try:
        a, b = np.asarray(got), np.asarray(wanted)
    except Exception:  # objects that refuse to become arrays are compared as they are
        return None if got is wanted else f"{prefix}{_kind(got)} instead of {_kind(wanted)}"
    if a.dtype == object or b.dtype == object:
        return (
            None
            if got is wanted or type(got) is type(wanted)
            else f"{prefix}{_kind(got)} instead of {_kind(wanted)}"
        )
    if a.shape != b.shape:
        return f"{prefix}shape {a.shape} instead of {b.shape}"
    numeric = np.issubdtype(a.dtype, np.number) and np.issubdtype(b.dtype, np.number)
    same = np.isclose(a, b, rtol=rtol, atol=atol, equal_nan=True) if numeric else a == b
    if np.all(same):
        return None
    at = tuple(int(i) for i in np.argwhere(~np.asarray(same))[0]) if a.ndim else ()
    return f"{prefix}{np.asarray(a)[at]} instead of {np.asarray(b)[at]}" + (
        f" at {list(at)}" if at else ""
    )


def _kind(x: Any) -> str:
    if isinstance(x, Mapping):
        return f"a dict with the keys {sorted(map(str, x))}"
    return (
        repr(x) if x is None or isinstance(x, (str, bytes, int, float)) else f"a {type(x).__name__}"
    )
