"""Make or adapt an input for a model: from its signature, a shape and dtype, an array or a file."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..show import stop
from .causes import last_cause
from .loading import LoadedModel, layers_of
from .paths import BadModel

WORDS = ("where", "does", "the", "time", "go", "in", "one", "call")  # for inputs that are text
_PICTURE_SIZE = 64  # for the open axes of pictures, which have four axes with the batch
_SERIES_LENGTH = 32  # for the open axes of anything else
_DEFAULT_DTYPE = "float32"
_MOST_RANDOM = 2**22  # numbers that are drawn for an input; a larger one repeats them
_MOST_RECORDS = 1024  # read from a file of records
_LONGER = {_SERIES_LENGTH: 1024, _PICTURE_SIZE: 224}  # what to try where these are too short


# ---- what the model takes ----


def signature(loaded: LoadedModel, shape: Any = None, dtype: Any = None, given: Any = None) -> Any:
    """Return what a model takes, as TensorSpecs with all sizes known except the batch size.

    `shape` is that of one row and `dtype` its dtype, in one value, in a dict by input name, or as
    text. `given` is a sample; it tells the shape of its rows too.
    """
    shape = _parsed_shape(shape)
    dtype = _parsed_dtype(dtype)
    loaded.has_sample = given is not None
    if given is None and loaded.needs_sample:
        raise BadModel(f"{loaded.name} needs a sample: {loaded.needs_sample}")
    if loaded.is_whole:
        return _spec_of_whole(given)
    if loaded.spec is not None:
        return _completed(loaded, shape, dtype, given)
    if given is not None:
        return _spec_of_sample(given)
    if shape is None:
        raise BadModel(
            f"{loaded.name} does not say what it takes:"
            " give a sample, or the shape of one row and its dtype"
        )
    return _spec_of_shape(shape, dtype)


def _spec_of_sample(given: Any) -> Any:
    """Return TensorSpecs that a sample fits."""
    import tensorflow as tf

    def spec_of(array: Any) -> Any:
        tensor = tf.convert_to_tensor(array)
        return tf.TensorSpec((None, *tensor.shape[1:]), tensor.dtype)

    return tf.nest.map_structure(spec_of, given)


def _spec_of_whole(given: Any) -> Any:
    """Return TensorSpecs of exactly the shapes of a sample that is measured as it is."""
    import tensorflow as tf

    specs = {}
    for name, array in given.items():
        tensor = tf.convert_to_tensor(array)
        specs[name] = tf.TensorSpec(tensor.shape, tensor.dtype, name=name)
    return specs


def _spec_of_shape(shape: Any, dtype: Any) -> Any:
    """Return TensorSpecs for one shape, or for a dict of shapes by input name."""
    import tensorflow as tf

    if not isinstance(shape, dict):
        return tf.TensorSpec((None, *shape), _dtype_of("", dtype))
    specs = {}
    for name, sizes in shape.items():
        specs[name] = tf.TensorSpec((None, *sizes), _dtype_of(name, dtype), name=name)
    return specs


def _completed(loaded: LoadedModel, shape: Any, dtype: Any, given: Any) -> Any:
    """Return the spec of a model with the sizes filled in that it leaves open."""
    import tensorflow as tf

    leaves = tf.nest.flatten(loaded.spec)
    names = [leaf.name for leaf in leaves]
    _refuse_unknown_inputs(shape, names)
    _refuse_unknown_inputs(dtype, names)
    if dtype is not None:
        _refuse_other_dtypes(dtype, leaves)
    if given is None:
        shapes = _shapes_in_order(shape, names)
    else:
        shapes = [array.shape[1:] for array in tf.nest.flatten(given)]
    sized = [_sized(leaf, wanted, loaded) for leaf, wanted in zip(leaves, shapes, strict=True)]
    return tf.nest.pack_sequence_as(loaded.spec, sized)


def _refuse_unknown_inputs(by_name: Any, names: list[str]) -> None:
    """Raise BadModel if a dict names an input that the model does not have."""
    if not isinstance(by_name, dict):
        return
    for name in sorted(by_name):
        if name not in names:
            raise BadModel(f"there is no input {name!r}; the model takes {', '.join(names)}")


def _refuse_other_dtypes(dtype: Any, leaves: list[Any]) -> None:
    """Raise BadModel if a dtype was given that is not that of the input."""
    for leaf in leaves:
        if isinstance(dtype, dict) and leaf.name not in dtype:
            continue
        wanted = _dtype_of(leaf.name, dtype)
        if wanted != leaf.dtype:
            raise BadModel(
                f"the input {leaf.name} is {leaf.dtype.name}, not {wanted.name}: omit the dtype"
            )


def _shapes_in_order(shape: Any, names: list[str]) -> list[Any]:
    """Return the row shape of each input as it was given, or None."""
    if shape is None:
        return [None] * len(names)
    if isinstance(shape, dict):
        return [shape.get(name) for name in names]
    if len(names) > 1:
        raise BadModel(
            f"there are {len(names)} inputs: give each shape by its name, {', '.join(names)}"
        )
    return [shape]


def _sized(leaf: Any, wanted: Any, loaded: LoadedModel) -> Any:
    """Return the spec of one input with the wanted row shape, or with sizes chosen here."""
    import tensorflow as tf

    rank = leaf.shape.rank
    if rank is None:
        if wanted is None:
            raise BadModel(
                f"the input {leaf.name} has no fixed number of axes: give the shape of one row"
            )
        return tf.TensorSpec((None, *wanted), leaf.dtype, name=leaf.name)
    if rank == 0:
        raise BadModel(
            f"the input {leaf.name} is a single value, which says how the model works: give it in a"
            f" sample, such as numpy.savez('sample.npz', {leaf.name}=1)"
        )
    batch, *row = leaf.shape
    if wanted is not None:
        _refuse_other_shape(leaf.name, row, wanted)
        row = wanted
    elif None in row:
        free = _PICTURE_SIZE if rank == 4 else _SERIES_LENGTH
        _add_note(
            loaded,
            f"the input {leaf.name} allows any size on some axes: measured with {free};"
            " give a shape to choose",
        )
        row = [free if size is None else size for size in row]
        loaded.chosen_sizes[leaf.name] = tuple(row)
    return tf.TensorSpec((batch, *row), leaf.dtype, name=leaf.name)


def _refuse_other_shape(name: str, row: list[int | None], wanted: Any) -> None:
    """Raise BadModel if the wanted row shape is not one that the input allows."""
    fits = len(wanted) == len(row) and all(
        size in (None, other) for size, other in zip(row, wanted, strict=True)
    )
    if not fits:
        allowed = tuple("any" if size is None else size for size in row)
        raise BadModel(
            f"one row of the input {name} has the shape {allowed}, without the batch;"
            f" got {tuple(wanted)}"
        )


def _add_note(loaded: LoadedModel, note: str) -> None:
    """Add a note for the report once."""
    if note not in loaded.notes:
        loaded.notes.append(note)


def what_was_given(spec: Any, is_sample: bool, sizes: list[int]) -> str:
    """Return in words which input is measured: whose it is, and of what shape."""
    import tensorflow as tf

    batch = sizes[0]
    inputs = []
    for leaf in tf.nest.flatten(spec):
        row = "".join(f", {size}" for size in leaf.shape[1:])
        rows = leaf.shape[0] or batch
        inputs.append(f"{leaf.name or 'input'} {leaf.dtype.name} ({rows}{row or ','})")
    if is_sample:
        return f"measured with the sample: {'; '.join(inputs)}"
    kind = "random words" if any(" string " in one for one in inputs) else "random numbers"
    return f"measured with {kind}, as no sample was given: {'; '.join(inputs)}"


# ---- random inputs ----


def make(spec: Any, batch_size: int, *, limit: int = 2, seed: int = 0) -> Any:
    """Return a random input: floats from 0 to 1, integers below `limit`, words for text."""
    import numpy as np
    import tensorflow as tf

    rng = np.random.default_rng(seed)

    def leaf(spec: Any) -> Any:
        size = (batch_size, *spec.shape[1:])
        if spec.dtype == tf.string:  # as a tensor, because `predict` takes no array of text
            return tf.constant(rng.choice(WORDS, size=size).tolist())
        count = math.prod(size)
        some = rng.random(min(count, _MOST_RANDOM), dtype="float32")
        if spec.dtype == tf.bool:
            numbers = some < 0.5
        elif spec.dtype.is_integer:
            numbers = rng.integers(0, max(1, limit), len(some))
        else:
            numbers = some
        numbers = numbers.astype(spec.dtype.as_numpy_dtype)
        return _repeated(numbers, size)

    return tf.nest.map_structure(leaf, spec)


def _repeated(numbers: Any, size: tuple[int, ...]) -> Any:
    """Return an array of a size that holds the same numbers again and again."""
    import numpy as np

    filled = np.empty(math.prod(size), numbers.dtype)
    for begin in range(0, len(filled), max(1, len(numbers))):
        part = filled[begin : begin + len(numbers)]
        part[:] = numbers[: len(part)]
    return filled.reshape(size)


def limit_of(loaded: LoadedModel) -> int:
    """Return the limit below which an integer is valid in every embedding of a model, at least 1.

    It is 2 if the model has no embedding that Keras knows.
    """
    sizes = [layer.input_dim for layer in layers_of(loaded.model) if hasattr(layer, "output_dim")]
    return max(1, min(sizes, default=2))


# ---- samples ----


def read(source: Any) -> Any:
    """Return the arrays of a .npy file, or of a .npz file as a dict; anything else as it is."""
    import numpy as np

    if not isinstance(source, (str, Path)):
        return source
    path = Path(source).expanduser()
    if path.suffix.lower() in (".tfrecord", ".tfrecords"):
        return _records(path)
    if path.suffix.lower() not in (".npy", ".npz"):
        raise BadModel(
            f"the sample {path.name} must be a file made by numpy.save or numpy.savez (.npy, .npz),"
            " or a .tfrecord file"
        )
    try:
        data = np.load(path, allow_pickle=False)  # a pickle could run code
        if not isinstance(data, np.lib.npyio.NpzFile):
            return data
        with data:
            return {name: data[name] for name in data.files}
    except FileNotFoundError:
        raise BadModel(f"there is no sample file {path.name}; check the spelling") from None
    except Exception as error:
        stop.raise_if_requested()
        reason = " ".join(str(error).split())[:120]
        raise BadModel(f"the sample {path.name} cannot be read: {reason}") from None


def _records(path: Path) -> Any:
    """Return the serialized records of a file, as text."""
    import tensorflow as tf

    if not path.is_file():
        raise BadModel(f"there is no sample file {path.name}; check the spelling")
    try:
        records = list(tf.data.TFRecordDataset(str(path)).take(_MOST_RECORDS).as_numpy_iterator())
    except Exception as error:
        stop.raise_if_requested()
        raise BadModel(f"the sample {path.name} cannot be read: {last_cause(error)}") from None
    if not records:
        raise BadModel(f"the sample {path.name} holds no record")
    return tf.constant(records)


def given_to(loaded: LoadedModel, given: Any) -> Any:
    """Return a sample in the structure and dtypes of a model, or None if there is none.

    Single values in it become part of the model, as they say how it works.
    """
    if given is None:
        return None
    given = _with_single_values_fixed(loaded, given)
    if given is None:
        return None
    if loaded.is_whole:
        return _whole(loaded, given)
    fitted = arranged(given, loaded.spec)
    _note_strange_numbers(loaded, fitted)
    if _has_no_common_rows(loaded, fitted):
        loaded.is_whole = True
        loaded.whole_rows = min(len(array) for array in fitted.values())
        loaded.notes.append(
            "the first axis of one input is not the batch, so the sample is measured as it is"
        )
    return fitted


def _has_no_common_rows(loaded: LoadedModel, fitted: Any) -> bool:
    """Return whether the model fixes the first axis of an input, and the others have another one.

    A recurrent model that gets its state as an input often has two layers on that axis.
    """
    if not isinstance(fitted, dict) or not isinstance(loaded.spec, Mapping):
        return False
    lengths = {len(array) for array in fitted.values()}
    fixed = {leaf.shape[0] for leaf in loaded.spec.values() if leaf.shape.rank} - {None}
    return len(lengths) > 1 and bool(fixed & lengths)


def _with_single_values_fixed(loaded: LoadedModel, given: Any) -> Any:
    """Make inputs that are one value part of the model; return the rest of the sample, or None."""
    import numpy as np
    import tensorflow as tf

    if not isinstance(given, Mapping) or not isinstance(loaded.spec, Mapping):
        return given
    single = {name: leaf for name, leaf in loaded.spec.items() if leaf.shape.rank == 0}
    fixed = {}
    for name, leaf in single.items():
        if name in given:
            value = tf.constant(_single_value(given[name], leaf), leaf.dtype)
            fixed[name] = np.asarray(value.numpy()) if loaded.runtime else value
            loaded.notes.append(f"the input {name} is {_in_words(given[name])} in each call")
    if not fixed:
        return given
    _fix(loaded, fixed)
    loaded.spec = {name: leaf for name, leaf in loaded.spec.items() if name not in fixed}
    rest = {name: value for name, value in given.items() if name not in fixed}
    return rest or None


def _fix(loaded: LoadedModel, fixed: dict[str, Any]) -> None:
    """Give a model these inputs in each call."""

    def with_fixed(call: Callable[[Any], Any]) -> Callable[[Any], Any]:
        return lambda x: call({**x, **fixed})

    with_threads = loaded.with_threads
    loaded.call = with_fixed(loaded.call)
    if with_threads is not None:
        loaded.with_threads = lambda threads: with_fixed(with_threads(threads))


def _single_value(value: Any, leaf: Any) -> Any:
    """Return one value in the dtype of its input; raise BadModel if it is not one."""
    import numpy as np

    array = np.asarray(value)
    if array.size != 1:
        raise BadModel(
            f"the input {leaf.name} is a single value, and the sample has {array.size} for it"
        )
    try:
        return _converted(array.reshape(()), leaf).item()
    except (TypeError, ValueError) as error:
        if isinstance(error, BadModel):
            raise
        raise BadModel(
            f"the sample of {leaf.name} cannot be made {leaf.dtype.name}: {error}"
        ) from None


def _in_words(value: Any) -> str:
    import numpy as np

    return str(np.asarray(value).reshape(-1)[0].item())


def _whole(loaded: LoadedModel, given: Any) -> Any:
    """Return a sample that is measured as it is, by the names of the inputs."""
    if not isinstance(given, Mapping) or set(given) != set(loaded.spec):
        raise BadModel(f"{loaded.name} needs another sample: {loaded.needs_sample}")
    fitted = {}
    for name, leaf in loaded.spec.items():
        fitted[name] = _fitted(given[name], leaf)
        if name.endswith("_1") and name.removesuffix("_1") in loaded.spec:
            loaded.whole_rows = max(1, len(fitted[name]) - 1)
    return fitted


def _note_strange_numbers(loaded: LoadedModel, fitted: Any) -> None:
    """Add a note if a sample has numbers that are none."""
    import numpy as np
    import tensorflow as tf

    arrays = [array for array in tf.nest.flatten(fitted) if isinstance(array, np.ndarray)]
    for array in arrays:
        found = strange_numbers(array)
        if found:
            loaded.notes.append(f"in the sample, {found}")


def strange_numbers(array: Any) -> str | None:
    """Return how many numbers of an array are NaN or infinite, in words; None if none is.

    >>> import numpy as np
    >>> strange_numbers(np.array([1.0, np.nan, np.inf]))
    '1 of 3 numbers is NaN and 1 infinite'
    """
    import numpy as np

    array = np.asarray(array)
    if array.dtype.name in ("float16", "bfloat16"):
        array = array.astype("float32")
    if not np.issubdtype(array.dtype, np.inexact):
        return None
    counts = {"NaN": int(np.isnan(array).sum()), "infinite": int(np.isinf(array).sum())}
    parts: list[str] = []
    for word, count in counts.items():
        if count == array.size and count:
            return f"all numbers are {word}"
        if count and not parts:
            verb = "is" if count == 1 else "are"
            parts.append(f"{count:,} of {array.size:,} numbers {verb} {word}")
        elif count:
            parts.append(f"{count:,} {word}")
    return " and ".join(parts) or None


def longer_rows(loaded: LoadedModel) -> str:
    """Return in words which sizes were chosen here and how to choose others; empty if none was."""
    if not loaded.chosen_sizes:
        return ""
    chosen = []
    others = []
    for name, row in loaded.chosen_sizes.items():
        free = _PICTURE_SIZE if len(row) == 3 else _SERIES_LENGTH
        longer = ",".join(str(_LONGER[free] if size == free else size) for size in row)
        chosen.append(str(free))
        others.append(f"{name}={longer}" if len(loaded.chosen_sizes) > 1 else longer)
    sizes = " and ".join(dict.fromkeys(chosen))
    shape = "; ".join(others)
    quoted = f"'{shape}'" if ";" in shape else shape
    return (
        f"the size {sizes} was chosen because the model leaves it open: try a larger one, such as"
        f" --shape {quoted}"
    )


def arranged(given: Any, spec: Any) -> Any:
    """Return a sample in the structure and dtypes that the model takes."""
    import tensorflow as tf

    if spec is None:
        arrays = _as_arrays(given)
        for array in tf.nest.flatten(arrays):
            _refuse_without_rows(array, "the model")
        return arrays
    leaves = tf.nest.flatten(spec)
    arrays = _in_order(given, spec, leaves)
    fitted = [_fitted(array, leaf) for array, leaf in zip(arrays, leaves, strict=True)]
    return tf.nest.pack_sequence_as(spec, fitted)


def _as_arrays(given: Any) -> Any:
    """Return a sample of unknown structure with arrays in it: a list of numbers is one array."""
    import numpy as np

    if isinstance(given, Mapping):
        return {name: np.asarray(value) for name, value in given.items()}
    if isinstance(given, (list, tuple)) and any(hasattr(item, "shape") for item in given):
        return [np.asarray(item) for item in given]
    return np.asarray(given)


def _in_order(given: Any, spec: Any, leaves: list[Any]) -> list[Any]:
    """Return the parts of a sample in the order of the inputs of the model."""
    names = [leaf.name for leaf in leaves]
    if isinstance(given, Mapping):
        return _in_order_of_names(given, spec, names)
    if len(leaves) == 1:
        return _only_one(given, leaves[0])
    if not isinstance(given, (list, tuple)) or len(given) != len(leaves):
        raise BadModel(f"the sample must hold {len(leaves)} arrays: {', '.join(names)}")
    return list(given)


def _in_order_of_names(given: Mapping[str, Any], spec: Any, names: list[str]) -> list[Any]:
    """Return the values of a dict in the order of the inputs."""
    if len(given) == len(names) == 1:  # whatever its name
        return list(given.values())
    if isinstance(spec, Mapping) and len(spec) == len(names) and set(given) == set(spec):
        return [given[key] for key in sorted(spec)]  # the order in which tf.nest flattens a dict
    for name in names:
        if name not in given:
            raise BadModel(f"the sample has no {name!r}; the model takes {', '.join(names)}")
    return [given[name] for name in names]


def _only_one(given: Any, leaf: Any) -> list[Any]:
    """Return a list of one array, from the array or from a list that contains it."""
    import numpy as np

    is_wrapped = (
        isinstance(given, (list, tuple))
        and len(given) == 1
        and np.ndim(given[0]) == leaf.shape.rank
    )
    return list(given) if is_wrapped else [given]


def _fitted(array: Any, leaf: Any) -> Any:
    """Return one array in the dtype of its input; text becomes a string tensor."""
    import numpy as np
    import tensorflow as tf

    try:
        values = np.asarray(array)
        _refuse_without_rows(values, leaf.name)
        if leaf.dtype == tf.string:
            return tf.constant(values.tolist(), tf.string)
        return _converted(values, leaf)
    except BadModel:
        raise
    except (TypeError, ValueError) as error:
        raise BadModel(
            f"the sample of {leaf.name} cannot be made {leaf.dtype.name}: {error}"
        ) from None


def _converted(values: Any, leaf: Any) -> Any:
    """Return numbers in the dtype of an input; raise BadModel if that changes them."""
    import numpy as np

    wanted = leaf.dtype
    if np.iscomplexobj(values) and not wanted.is_complex:
        raise BadModel(
            f"the sample of {leaf.name} is complex, and the input takes {wanted.name}:"
            " give real numbers"
        )
    if wanted.is_integer and np.issubdtype(values.dtype, np.number):
        _refuse_other_numbers(values, leaf)
    with np.errstate(over="ignore"):  # what is infinite then gets a note
        return values.astype(wanted.as_numpy_dtype)


def _refuse_other_numbers(values: Any, leaf: Any) -> None:
    """Raise BadModel for numbers that an input of integers cannot hold."""
    import numpy as np

    wanted = leaf.dtype
    is_whole = np.isfinite(values) & (np.floor(values) == values)
    if not is_whole.all():
        example = values[~is_whole].flat[0] if values.ndim else values
        raise BadModel(
            f"the sample of {leaf.name} holds {example:g}, and the input takes {wanted.name}:"
            " give whole numbers"
        )
    too_small = values.min(initial=0) < wanted.min
    too_large = values.max(initial=0) > wanted.max
    if too_small or too_large:
        example = values.min() if too_small else values.max()
        raise BadModel(
            f"the sample of {leaf.name} holds {example:g}, and {wanted.name} goes from"
            f" {wanted.min} to {wanted.max}"
        )


def _refuse_without_rows(array: Any, name: str) -> None:
    """Raise BadModel if an array has no batch axis, or no row in it."""
    if array.ndim == 0 or len(array) == 0:
        raise BadModel(f"the sample of {name} has no row: its first axis must be the batch")


def resized(sample: Any, batch_size: int) -> Any:
    """Return a sample with `batch_size` rows: its own, repeated as often as needed."""
    import numpy as np
    import tensorflow as tf

    def leaf(array: Any) -> Any:
        which = np.arange(batch_size) % len(array)
        return tf.gather(array, which) if tf.is_tensor(array) else array[which]

    return tf.nest.map_structure(leaf, sample)


# ---- shapes and dtypes as text, as a terminal and a form give them ----


def _dtype_of(name: str, dtype: Any) -> Any:
    """Return the dtype for one input; float32 unless given."""
    import tensorflow as tf

    wanted = dtype
    if isinstance(dtype, dict):
        wanted = dtype.get(name)
    try:
        return tf.as_dtype(wanted or _DEFAULT_DTYPE)
    except TypeError:
        raise BadModel(
            f"there is no dtype {wanted!r}: give one such as float32, int32 or string"
        ) from None


def _parsed_dtype(value: Any) -> Any:
    """Return a dtype, or a dict of dtypes by input name; None if nothing was given."""
    if not isinstance(value, str):
        return value or None
    return _parts_by_name(value) or value.strip() or None


def _parsed_shape(value: Any) -> Any:
    """Return the shape of a row, or a dict of shapes by input name; None if nothing was given."""
    if isinstance(value, tuple):
        return value  # also the empty one: a row may be a single number
    if not isinstance(value, str):
        return value or None
    if not value.strip():
        return None
    try:
        parts = _parts_by_name(value)
        if parts:
            return {name: _sizes(text) for name, text in parts.items()}
        return _sizes(value.strip().strip("()[]"))
    except ValueError:
        raise BadModel(
            f"a shape is written 28,28,1 or image=28,28,1; ids=20, got {value!r}"
        ) from None


def _parts_by_name(text: str) -> dict[str, str]:
    """Return the parts of a text such as ``image=28,28,1; ids=20``; empty if it names nothing."""
    parts = {}
    for part in text.split(";"):
        name, equals, value = part.partition("=")
        if equals:
            parts[name.strip()] = value.strip()
    return parts


def _sizes(text: str) -> tuple[int, ...]:
    """Return the sizes in a text such as ``28,28,1``."""
    return tuple(int(size) for size in text.split(",") if size.strip())
