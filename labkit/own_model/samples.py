"""Make or fit an input for a model: from its signature, from a shape and a dtype, from an array or a file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .loading import Subject, layers_of
from .paths import BadModel

WORDS = ("where", "does", "the", "time", "go", "in", "one", "call")  # for inputs that are texts


def signature(subject: Subject, shape: Any = None, dtype: Any = None, given: Any = None) -> Any:
    """Return what the model takes, with every size known but that of the batch.

    Parameters
    ----------
    subject : Subject
        The model.
    shape : tuple, dict of str to tuple, or str
        Of one row, without the batch; by name where there are several inputs. As text: ``"28,28,1"`` or
        ``"image=28,28,1; ids=20"``.
    dtype : str or dict of str to str
        For models that do not say.
    given : array, dict or list
        A sample, which says the shape of its rows too.

    Returns
    -------
    nested structure of tf.TensorSpec
        The first size is None, or the batch that the model demands.

    Raises
    ------
    BadModel
        A shape that does not fit, or a model that says nothing and got nothing.
    """
    import tensorflow as tf

    spec = subject.spec
    shape, dtype = _parsed(shape, numbers=True), _parsed(dtype, numbers=False)
    if spec is None:
        if given is not None:
            arrays = tf.nest.map_structure(tf.convert_to_tensor, given)
            return tf.nest.map_structure(
                lambda a: tf.TensorSpec((None, *a.shape[1:]), a.dtype), arrays
            )
        if shape is None:
            raise BadModel(
                f"{subject.name} does not say what it takes: give a sample, or the shape of one row and its dtype"
            )
        spec = (
            {n: tf.TensorSpec((None, *s), _dtype(n, dtype), name=n) for n, s in shape.items()}
            if isinstance(shape, dict)
            else tf.TensorSpec((None, *shape), _dtype("", dtype))
        )
        return spec
    leaves = tf.nest.flatten(spec)
    names = [leaf.name for leaf in leaves]
    if isinstance(shape, dict) and (unknown := sorted(set(shape) - set(names))):
        raise BadModel(f"there is no input {unknown[0]!r}; there is {', '.join(names)}")
    for leaf in leaves:
        wanted = _dtype(leaf.name, dtype) if dtype is not None else leaf.dtype
        if wanted != leaf.dtype and not (isinstance(dtype, dict) and leaf.name not in dtype):
            raise BadModel(
                f"the input {leaf.name} is {leaf.dtype.name}, not {wanted.name}: leave the dtype out"
            )
    rows = None if given is None else [a.shape[1:] for a in tf.nest.flatten(given)]
    fixed = []
    for i, leaf in enumerate(leaves):
        wanted = (
            shape.get(leaf.name) if isinstance(shape, dict) else shape if len(leaves) == 1 else None
        )
        if shape is not None and not isinstance(shape, dict) and len(leaves) > 1:
            raise BadModel(
                f"there are {len(leaves)} inputs: give each shape by its name, {', '.join(names)}"
            )
        known = rows[i] if rows and len(rows) == len(leaves) else wanted
        fixed.append(_sized(leaf, known, subject))
    return tf.nest.pack_sequence_as(spec, fixed)


def _sized(leaf: Any, wanted: Any, subject: Subject) -> Any:
    import tensorflow as tf

    if leaf.shape.rank is None:
        if wanted is None:
            raise BadModel(
                f"the input {leaf.name} has no fixed number of axes: give the shape of one row"
            )
        return tf.TensorSpec((None, *wanted), leaf.dtype, name=leaf.name)
    if leaf.shape.rank == 0:
        raise BadModel(
            f"the input {leaf.name} is a single number without a batch axis, which cannot be measured here"
        )
    sizes = list(leaf.shape)
    if wanted is not None and (
        len(wanted) != len(sizes) - 1
        or any(a not in (None, b) for a, b in zip(sizes[1:], wanted, strict=True))
    ):
        said = tuple("any" if n is None else n for n in sizes[1:])
        raise BadModel(
            f"one row of the input {leaf.name} has the shape {said}, without the batch; got {tuple(wanted)}"
        )
    if wanted is None and None in sizes[1:]:
        free = 64 if len(sizes) == 4 else 32  # a small picture; a short series or text
        note = f"the input {leaf.name} allows any size on some axes: measured with {free}; give a shape to choose"
        if note not in subject.notes:
            subject.notes.append(note)
        wanted = [free if n is None else n for n in sizes[1:]]
    return tf.TensorSpec(
        (sizes[0], *(wanted if wanted is not None else sizes[1:])), leaf.dtype, name=leaf.name
    )


def make(spec: Any, batch: int, *, limit: int = 2, seed: int = 0) -> Any:
    """Return a random input: floats and numbers below `limit` from a seed, words for text.

    Parameters
    ----------
    spec : nested structure of tf.TensorSpec
        From `signature`.
    batch : int
        Rows.
    limit : int
        Integers stay below it, so that they are valid places in every embedding of the model.
    seed : int
        Of the random numbers.

    Returns
    -------
    nested structure of numpy.ndarray
        Texts are string tensors, because `predict` takes no array of them.
    """
    import numpy as np
    import tensorflow as tf

    rng = np.random.default_rng(seed)

    def leaf(s: Any) -> Any:
        size = (batch, *s.shape[1:])
        if s.dtype == tf.string:
            return tf.constant(rng.choice(WORDS, size=size).tolist())
        if s.dtype == tf.bool:
            return rng.random(size) < 0.5
        if s.dtype.is_integer:
            return rng.integers(0, max(1, limit), size).astype(s.dtype.as_numpy_dtype)
        return rng.random(size).astype(s.dtype.as_numpy_dtype)

    return tf.nest.map_structure(leaf, spec)


def limit_of(subject: Subject) -> int:
    """Return how many different integers every embedding of a Keras model knows; 2 where that is not known.

    Parameters
    ----------
    subject : Subject
        The model.

    Returns
    -------
    int
        At least 1.
    """
    sizes = [layer.input_dim for layer in layers_of(subject.model) if hasattr(layer, "output_dim")]
    return max(1, min(sizes, default=2))


def read(source: Any) -> Any:
    """Return a sample from a .npy or .npz file; anything else as it is.

    Parameters
    ----------
    source : path, array, dict or list
        An .npz file gives a dict of its arrays.

    Returns
    -------
    array, dict or list
        With NumPy arrays in it.

    Raises
    ------
    BadModel
        No such file, or nothing NumPy can read safely.
    """
    import numpy as np

    if source is None or not isinstance(source, (str, Path)):
        return source
    path = Path(source).expanduser()
    if path.suffix.lower() not in (".npy", ".npz"):
        raise BadModel(
            f"the sample {path.name} must be a file made by numpy.save or numpy.savez (.npy, .npz)"
        )
    try:
        data = np.load(path, allow_pickle=False)  # a pickle could run code
        return {name: data[name] for name in data.files} if hasattr(data, "files") else data
    except FileNotFoundError:
        raise BadModel(f"there is no sample file {path.name}; check the spelling") from None
    except Exception as error:
        raise BadModel(
            f"the sample {path.name} cannot be read: {' '.join(str(error).split())[:120]}"
        ) from None


def arranged(given: Any, spec: Any) -> Any:
    """Return a sample in the structure and dtypes that the model wants.

    Parameters
    ----------
    given : array, dict or list
        As the caller has it: a dict by input name also where the model takes a list.
    spec : nested structure of tf.TensorSpec
        What the model takes.

    Returns
    -------
    nested structure of numpy.ndarray
        Texts as string tensors.

    Raises
    ------
    BadModel
        Inputs are missing, or their kind does not fit.
    """
    import numpy as np
    import tensorflow as tf

    if spec is None:
        return tf.nest.map_structure(np.asarray, given)
    leaves = tf.nest.flatten(spec)
    names = [leaf.name for leaf in leaves]
    if isinstance(given, Mapping):
        if len(given) == len(leaves) == 1:  # whatever its name
            given = list(given.values())
        elif isinstance(spec, Mapping) and set(given) == set(spec):
            given = tf.nest.flatten({key: given[key] for key in spec})
        elif missing := [name for name in names if name not in given]:
            raise BadModel(f"the sample has no {missing[0]!r}; the model takes {', '.join(names)}")
        else:
            given = [given[name] for name in names]
    elif len(leaves) == 1:
        wrapped = (
            isinstance(given, (list, tuple))
            and len(given) == 1
            and np.ndim(given[0]) == leaves[0].shape.rank
        )
        given = list(given) if wrapped else [given]
    if not isinstance(given, (list, tuple)) or len(given) != len(leaves):
        raise BadModel(f"the sample must hold {len(leaves)} arrays: {', '.join(names)}")
    fitted = []
    for array, leaf in zip(given, leaves, strict=True):
        try:
            values = np.asarray(array)
            if values.ndim == 0 or not len(values):
                raise BadModel(
                    f"the sample of {leaf.name} has no row: its first axis must be the batch"
                )
            fitted.append(
                tf.constant(values.tolist(), tf.string)
                if leaf.dtype == tf.string
                else values.astype(leaf.dtype.as_numpy_dtype)
            )
        except (TypeError, ValueError) as error:
            if isinstance(error, BadModel):
                raise
            raise BadModel(
                f"the sample of {leaf.name} cannot be made {leaf.dtype.name}: {error}"
            ) from None
    return tf.nest.pack_sequence_as(spec, fitted)


def resized(x: Any, batch: int) -> Any:
    """Return a sample with so many rows: its own, over and over.

    Parameters
    ----------
    x : nested structure of array
        The sample.
    batch : int
        Rows wanted.

    Returns
    -------
    nested structure of array
        Of the same kind.
    """
    import numpy as np
    import tensorflow as tf

    def leaf(a: Any) -> Any:
        which = np.arange(batch) % len(a)
        return tf.gather(a, which) if tf.is_tensor(a) else a[which]

    return tf.nest.map_structure(leaf, x)


def _dtype(name: str, dtype: Any) -> Any:
    import tensorflow as tf

    wanted = (dtype.get(name, "float32") if isinstance(dtype, dict) else dtype) or "float32"
    try:
        return tf.as_dtype(wanted)
    except TypeError:
        raise BadModel(
            f"there is no dtype {wanted!r}: give one such as float32, int32 or string"
        ) from None


def _parsed(value: Any, numbers: bool) -> Any:
    """Read a shape or dtype given as text, as a terminal and a form do."""
    if not isinstance(value, str):
        return value or None if not isinstance(value, tuple) else value
    text = value.strip()
    if not text:
        return None
    parts = dict(part.split("=", 1) for part in text.split(";") if "=" in part)
    parts = {name.strip(): said.strip() for name, said in parts.items()}
    if not numbers:
        return parts or text
    try:
        if parts:
            return {
                name: tuple(int(n) for n in said.split(",") if n.strip())
                for name, said in parts.items()
            }
        return tuple(int(n) for n in text.strip("()[]").split(",") if n.strip())
    except ValueError:
        raise BadModel(
            f"a shape is written 28,28,1 or image=28,28,1; ids=20, got {value!r}"
        ) from None
