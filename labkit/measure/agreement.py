"""Find the first difference between two nested results, or say what could not be compared."""

import contextlib
import dataclasses
import math
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from ..show.errors import kind_in_words

RTOL = 1e-4  # float32, when operations are fused or reordered
ATOL = 1e-5  # of the size of the values expected: their root mean square
ATOL_OF_ZEROS = 1e-7  # where all that is expected is zero
LEAST_ATOL = 1e-8


@dataclass(frozen=True)
class Agreement:
    """What a comparison of two results found.

    Attributes
    ----------
    difference : str
        The first difference, in words; empty where there is none.
    not_compared : str
        The first thing that could not be compared, in words; empty where there is none.
    """

    difference: str = ""
    not_compared: str = ""


AGREE = Agreement()


def compare_results(
    got: Any, wanted: Any, rtol: float = RTOL, atol: float | None = None
) -> Agreement:
    """Compare two results by value.

    Parameters
    ----------
    got, wanted : tensor, array, number, text, None, set, dataclass, or a nesting of these
        Dicts, lists and tuples may nest them. Ragged and sparse tensors are compared by their
        rows and entries. Dtypes may differ.
    rtol, atol : float
        Relative and absolute tolerance for numbers; two whole numbers must be equal. Unless given,
        the absolute tolerance goes by the size of the values expected in the same array, so that
        small probabilities are told apart.

    Returns
    -------
    Agreement
        A difference beats what could not be compared.

    Examples
    --------
    >>> compare_results({"a": [1.0, 2.0]}, {"a": [1.0, 2.5]}).difference
    "['a'][1]: 2.0 instead of 2.5"
    >>> compare_results(iter([1]), iter([2])).not_compared
    'a list_iterator'
    """
    return _Comparer(rtol, atol).compare(got, wanted, "")


def first_difference(
    got: Any, wanted: Any, rtol: float = RTOL, atol: float | None = None
) -> str | None:
    """Return the first place where two results differ, or None where they agree.

    What cannot be compared counts as a difference.

    Examples
    --------
    >>> first_difference([1.0], [1.0 + 1e-9]) is None
    True
    """
    found = compare_results(got, wanted, rtol, atol)
    if found.difference:
        return found.difference
    if found.not_compared:
        return f"{found.not_compared} cannot be compared"
    return None


class _Comparer:
    """Compare two results with given tolerances."""

    def __init__(self, rtol: float, atol: float | None):
        self.rtol = rtol
        self.atol = atol

    def compare(self, got: Any, wanted: Any, where: str) -> Agreement:
        """Compare what stands at one place."""
        got, wanted = _plain(got), _plain(wanted)
        if isinstance(wanted, Mapping) or isinstance(got, Mapping):
            return self._mappings(got, wanted, where)
        if _is_sequence(wanted) and _is_sequence(got):
            return self._sequences(got, wanted, where)
        if isinstance(wanted, Set) or isinstance(got, Set):
            return self._equals(got, wanted, where)
        if _is_atom(wanted) or _is_atom(got):
            return self._equals(got, wanted, where)
        if type(got) is int and type(wanted) is int:
            return self._equals(got, wanted, where)
        return self._arrays(got, wanted, where)

    def _mappings(self, got: Any, wanted: Any, where: str) -> Agreement:
        """Compare two dicts, key by key."""
        both = isinstance(wanted, Mapping) and isinstance(got, Mapping)
        if not both or set(got) != set(wanted):
            return _differs(where, kind_of(got), kind_of(wanted))
        return self._pairs([(got[key], wanted[key], f"{where}[{key!r}]") for key in wanted])

    def _sequences(self, got: Any, wanted: Any, where: str) -> Agreement:
        """Compare two lists or tuples, item by item; lists of numbers as arrays are."""
        if len(got) != len(wanted):
            return _differs(where, f"{len(got)} items", f"{len(wanted)}")
        if _all_numbers(got) and _all_numbers(wanted):
            return self._numbers(got, wanted, where)
        return self._pairs([(item, wanted[i], f"{where}[{i}]") for i, item in enumerate(got)])

    def _numbers(self, got: Any, wanted: Any, where: str) -> Agreement:
        """Compare two lists of numbers: the size of all of them sets the tolerance."""
        import numpy as np

        same = self._where_same(np.asarray(got), np.asarray(wanted))
        for i, agrees in enumerate(same):
            if not agrees:
                return _differs(f"{where}[{i}]", repr(got[i]), repr(wanted[i]))
        return AGREE

    def _pairs(self, pairs: list[tuple[Any, Any, str]]) -> Agreement:
        """Compare pairs in order; the first difference counts."""
        result = AGREE
        for got, wanted, where in pairs:
            found = self.compare(got, wanted, where)
            if found.difference:
                return found
            if found.not_compared and not result.not_compared:
                result = found
        return result

    def _equals(self, got: Any, wanted: Any, where: str) -> Agreement:
        """Compare by kind and equality."""
        if got is wanted:
            return AGREE
        got_text, wanted_text = _is_text(got), _is_text(wanted)
        same_kind = type(got) is type(wanted) or (got_text and wanted_text)
        if isinstance(got, Set) and isinstance(wanted, Set):
            same_kind = True
        if same_kind and _as_text(got) == _as_text(wanted):
            return AGREE
        return _differs(where, kind_of(got), kind_of(wanted))

    def _arrays(self, got: Any, wanted: Any, where: str) -> Agreement:
        """Compare numbers, tensors and arrays."""
        try:
            a, b = _as_array(got), _as_array(wanted)
        except Exception:  # objects that refuse to become arrays
            return self._objects(got, wanted, where)
        if a.shape != b.shape:
            return _differs(where, f"shape {a.shape}", f"{b.shape}")
        if {a.dtype.kind, b.dtype.kind} == {"S", "U"}:  # NumPy calls bytes and text different
            a, b = a.astype(object), b.astype(object)
        if a.dtype == object or b.dtype == object:
            if a.ndim == 0:
                return self._boxed(got, wanted, a.item(), b.item(), where)
            return self._object_arrays(a, b, where)
        return self._same_shape(a, b, where)

    def _object_arrays(self, a: Any, b: Any, where: str) -> Agreement:
        """Compare arrays of Python objects, entry by entry."""
        import numpy as np

        pairs = []
        for at in np.ndindex(a.shape):
            pairs.append((a[at], b[at], where + "".join(f"[{i}]" for i in at)))
        return self._pairs(pairs)

    def _boxed(self, got: Any, wanted: Any, a: Any, b: Any, where: str) -> Agreement:
        """Compare what two scalar arrays hold, such as string tensors, or two plain objects."""
        if a is got or b is wanted:
            return self._objects(got, wanted, where)
        return self.compare(a, b, where)

    def _objects(self, got: Any, wanted: Any, where: str) -> Agreement:
        """Compare objects of unknown kinds: the same one agrees, and another kind differs."""
        if got is wanted:
            return AGREE
        if type(got) is not type(wanted):
            return _differs(where, kind_of(got), kind_of(wanted))
        return Agreement(not_compared=_placed(where, kind_of(got)))

    def _same_shape(self, a: Any, b: Any, where: str) -> Agreement:
        """Compare two arrays of the same shape."""
        import numpy as np

        same = self._where_same(a, b)
        if np.all(same):
            return AGREE
        at = tuple(int(i) for i in np.argwhere(~same)[0]) if a.ndim else ()
        place = f" at {list(at)}" if at else ""
        return Agreement(_placed(where, f"{a[at]} instead of {b[at]}{place}"))

    def _where_same(self, a: Any, b: Any) -> Any:
        """Return, entry by entry, whether two arrays of the same shape agree."""
        import numpy as np

        both_numeric = _is_numeric(a) and _is_numeric(b)
        both_whole = a.dtype.kind in "iu" and b.dtype.kind in "iu"
        # Whole numbers are indices and counts: 20,001 is no rounding of 20,000.
        if both_whole or not both_numeric:
            return np.asarray(a == b)
        return np.isclose(a, b, rtol=self.rtol, atol=self._tolerance(b), equal_nan=True)

    def _tolerance(self, wanted: Any) -> float:
        """Return the absolute tolerance for values of this size."""
        import numpy as np

        if self.atol is not None:
            return self.atol
        values = np.abs(wanted[np.isfinite(wanted)]).astype("float64")
        if not values.size or not values.any():
            return ATOL_OF_ZEROS
        size = math.sqrt(float(np.mean(values**2)))
        return max(LEAST_ATOL, ATOL * size)


def _plain(value: Any) -> Any:
    """Return tensors of special kinds and dataclasses as what they hold."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        # Fields one by one: `asdict` would copy every tensor.
        return {entry.name: getattr(value, entry.name) for entry in dataclasses.fields(value)}
    kinds = {kind.__name__ for kind in type(value).__mro__}
    if kinds & {"RaggedTensor", "RaggedTensorValue"}:
        return value.to_list()
    if kinds & {"SparseTensor", "SparseTensorValue"}:
        return {
            "shape": value.dense_shape,
            "indices": value.indices,
            "values": value.values,
        }
    if "IndexedSlices" in kinds:
        return {"indices": value.indices, "values": value.values}
    return _scalar_text(value)


def _scalar_text(value: Any) -> Any:
    """Return the text that a scalar array or tensor holds; anything else as it is."""
    dtype = getattr(value, "dtype", None)
    may_hold_text = getattr(dtype, "kind", "") in set("OSTU") or dtype == "string"
    if _is_text(value) or not may_hold_text or getattr(value, "shape", None) != ():
        return value
    with contextlib.suppress(Exception):  # a tensor of a graph holds nothing yet
        held = _as_array(value).item()
        if _is_text(held):
            return held
    return value


def _as_array(value: Any) -> Any:
    """Return something as an array; text as objects, as NumPy would cut zeros off its end."""
    import numpy as np

    array = np.asarray(value)
    if array.dtype.kind in "SU" and not hasattr(value, "dtype"):
        return np.asarray(value, dtype=object)
    return array


def _is_sequence(value: Any) -> bool:
    """Return whether this is a list or tuple."""
    return isinstance(value, Sequence) and not _is_text(value)


def _all_numbers(values: Any) -> bool:
    """Return whether these are plain numbers, and at least one."""
    return bool(values) and all(type(value) in (int, float) for value in values)


def _is_text(value: Any) -> bool:
    """Return whether this is text, as Python or NumPy hold it."""
    return isinstance(value, (str, bytes))


def _as_text(value: Any) -> Any:
    """Return bytes that hold text as text: TensorFlow returns what it was given as str as bytes."""
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="surrogateescape")
    return value


def _is_atom(value: Any) -> bool:
    """Return whether this is compared by equality alone."""
    return value is None or _is_text(value)


def _is_numeric(array: Any) -> bool:
    """Return whether an array holds numbers, of TensorFlow's own types such as bfloat16, too."""
    import numpy as np

    if np.issubdtype(array.dtype, np.number):
        return True
    return array.dtype.kind == "V" and array.dtype.type is not np.void


def _differs(where: str, got: str, wanted: str) -> Agreement:
    """Return a difference."""
    return Agreement(_placed(where, f"{got} instead of {wanted}"))


def _placed(where: str, text: str) -> str:
    """Return a text with the place that it speaks of."""
    return f"{where}: {text}" if where else text


def kind_of(x: Any) -> str:
    """Return what something is, for a message."""
    if isinstance(x, Mapping):
        return f"a dict with the keys {sorted(map(str, x))}"
    if x is None or isinstance(x, (str, bytes, int, float)):
        return repr(x)
    if isinstance(x, Set):
        return "{" + ", ".join(sorted(map(repr, x))) + "}"
    return kind_in_words(x)
