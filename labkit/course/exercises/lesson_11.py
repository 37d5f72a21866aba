"""Exercises of lesson 11: your own model."""

import math
import random
from typing import Any

from .engine import NotYet, exercise

LADDER = "What does the ladder say?"
LOOK = "What is in the file?"
REFUSED = "What if a way is closed?"
WAYS = ("model(x)", "tf.function", "concrete function", "XLA", "LiteRT")


def _drawn() -> dict[str, tuple[float, float]]:
    """Return a random ladder: dear first calls for cheap later ones, as in life."""
    ladder = {}
    for step, way in enumerate(WAYS):
        ladder[way] = (
            0.02 * 4**step * random.uniform(0.8, 1.2),
            2e-3 / 5**step * random.uniform(0.8, 1.2),
        )
    names = random.sample(WAYS, len(WAYS))
    return {name: ladder[name] for name in names}


def _total(way: tuple[float, float], calls: int) -> float:
    return way[0] + (calls - 1) * way[1]


@exercise(
    "11.1",
    "choose a way for a situation",
    section=LADDER,
    hints=(
        "What does a process pay over its whole life? Not only each later call.",
        "The total of n calls is first + (n - 1) * each. Take the least of those that are allowed.",
        "def total(name): first, each = ladder[name]; return first + (calls - 1) * each. Then min(allowed, key=total).",
    ),
)
def _choose(choose: Any) -> str:
    for trial in range(60):
        ladder, calls = _drawn(), random.choice((1, 2, 30, 300, 3_000, 300_000))
        allowed = list(ladder) if trial % 2 else random.sample(list(ladder), random.randrange(1, 5))
        got = choose(dict(ladder), calls, list(allowed))
        wanted = min(allowed, key=lambda name: _total(ladder[name], calls))
        if got is None:
            raise NotYet(
                "your function returned nothing",
                "a name of the ladder: is a `return` missing?",
                LADDER,
            )
        if got not in ladder:
            raise NotYet(f"{got!r}", f"one of the names {', '.join(ladder)}", LADDER)
        if got not in allowed:
            raise NotYet(f"{got}, which is not allowed", f"one of {', '.join(allowed)}", LADDER)
        if got == wanted:
            continue
        if got == min(allowed, key=lambda name: ladder[name][1]):
            raise NotYet(
                f"{got} for {calls:,} calls: the cheapest later call",
                f"{wanted}: count the first call in",
                LADDER,
            )
        if got == min(allowed, key=lambda name: ladder[name][0]):
            raise NotYet(
                f"{got} for {calls:,} calls: the cheapest first call",
                f"{wanted}: count all calls",
                LADDER,
            )
        raise NotYet(f"{got} for {calls:,} calls", f"{wanted}, whose total is the least", LADDER)
    return "the least total, first call included, among the ways that are allowed"


@exercise(
    "11.2",
    "make an input for a signature",
    section=LOOK,
    hints=(
        "What has to be known about an input before the model takes it? `inspect` shows it.",
        "The first size is the batch; `spec.dtype.as_numpy_dtype` is a dtype for NumPy; texts are `tf.string`.",
        "For each name: shape = (rows, *spec.shape[1:]); for tf.string np.full(shape, 'word'), else "
        "np.zeros(shape, spec.dtype.as_numpy_dtype).",
    ),
)
def _sample(sample: Any) -> str:
    import numpy as np
    import tensorflow as tf

    kinds = (tf.float32, tf.int32, tf.int64, tf.uint8, tf.string)
    for trial in range(12):
        names, rows = (
            random.sample(("image", "ids", "word", "numbers"), random.randrange(1, 4)),
            random.randrange(1, 9),
        )
        spec = {
            name: tf.TensorSpec(
                (None, *(random.randrange(1, 6) for _ in range(random.randrange(1, 4)))),
                kinds[trial % 5] if i == 0 else random.choice(kinds),
                name=name,
            )
            for i, name in enumerate(names)
        }
        got = sample(dict(spec), rows)
        if got is None:
            raise NotYet(
                "your function returned nothing", "a dict of arrays: is a `return` missing?", LOOK
            )
        if not isinstance(got, dict) or set(got) != set(spec):
            seen = (
                f"the names {sorted(got)}" if isinstance(got, dict) else f"a {type(got).__name__}"
            )
            raise NotYet(seen, f"a dict with the names {sorted(spec)}", LOOK)
        for name, s in spec.items():
            array = np.asarray(got[name])
            shape = (rows, *s.shape[1:])
            if array.shape != shape:
                hint = ": the first size is the batch" if array.shape == shape[1:] else ""
                raise NotYet(f"{name} has the shape {array.shape}", f"{shape}{hint}", LOOK)
            text = array.dtype.kind in "USOT"
            if s.dtype == tf.string:
                if not text or not all(isinstance(v, (str, bytes)) for v in array.ravel().tolist()):
                    raise NotYet(
                        f"{name} holds {array.dtype.name}", "texts, as tf.string says", LOOK
                    )
            elif text or array.dtype != s.dtype.as_numpy_dtype:
                raise NotYet(
                    f"{name} is {array.dtype.name}",
                    f"{s.dtype.name}: NumPy's own choice is rarely the model's",
                    LOOK,
                )
    return "names, sizes and dtypes as the signature says, texts included"


def _texts(kinds: list[str]) -> tuple[Any, list[str]]:
    """Return a model with one branch per kind, and the names of the layers that text goes into."""
    import keras

    layers, branches, inputs, guilty = keras.layers, [], [], []
    for i, kind in enumerate(kinds):
        if kind == "numbers":
            x = keras.Input((1,), name=f"input_{i}")
            branches.append(layers.Dense(2, name=f"dense_{i}")(x))
        elif kind == "integers":
            x = keras.Input((1,), dtype="int32", name=f"input_{i}")
            branches.append(
                layers.Flatten(name=f"flat_{i}")(layers.Embedding(9, 2, name=f"place_{i}")(x))
            )
        else:
            x = keras.Input((1,), dtype="string", name=f"input_{i}")
            if kind == "lookup":
                number = layers.StringLookup(vocabulary=["a", "b"], name=f"lookup_{i}")(x)
            else:
                number = layers.Hashing(num_bins=9, name=f"hash_{i}")(x)
            guilty.append(f"{'lookup' if kind == 'lookup' else 'hash'}_{i}")
            branches.append(
                layers.Flatten(name=f"flat_{i}")(layers.Embedding(9, 2, name=f"place_{i}")(number))
            )
        inputs.append(x)
    joined = layers.Concatenate(name="join")(branches) if len(branches) > 1 else branches[0]
    return keras.Model(inputs, layers.Dense(1, name="out")(joined)), guilty


@exercise(
    "11.3",
    "find the layers that close a way",
    section=REFUSED,
    hints=(
        "XLA compiles numbers. At which layers does text turn into numbers?",
        "`model.layers` lists all of them; `tf.nest.flatten(layer.input)` makes a list of its inputs, be "
        "it one or many, and each has a dtype.",
        "For each layer that is no keras.layers.InputLayer: if any(t.dtype == 'string' for t in tf.nest.flatten("
        "layer.input)), its name belongs into the list.",
    ),
)
def _guilty(text_layers: Any) -> str:
    import tensorflow as tf

    cases = [
        ["lookup", "numbers"],
        ["integers", "numbers"],
        ["hash"],
        ["hash", "lookup", "integers"],
    ]
    cases.append(random.choices(("lookup", "hash", "numbers", "integers"), k=4))
    for kinds in cases:
        model, wanted = _texts(kinds)
        got = text_layers(model)
        if got is None:
            raise NotYet(
                "your function returned nothing", "a list of names, which may be empty", REFUSED
            )
        if not isinstance(got, (list, tuple, set)) or not all(
            isinstance(name, str) for name in got
        ):
            raise NotYet(f"a {type(got).__name__}", "a list of names: layer.name", REFUSED)
        if sorted(got) == sorted(wanted):
            continue
        extra, missing = sorted(set(got) - set(wanted)), sorted(set(wanted) - set(got))
        if extra and all(name.startswith("input_") for name in extra):
            raise NotYet(
                f"{extra[0]}, an input layer",
                "layers that receive text; an input layer only names it",
                REFUSED,
            )
        if missing and not got:
            raise NotYet(
                f"nothing, where text goes into {', '.join(missing)}",
                "look at what goes in: numbers come out of these layers",
                REFUSED,
            )
        if missing:
            raise NotYet(
                f"{missing[0]} is missing",
                "every layer that text goes into, whatever its class",
                REFUSED,
            )
        told = [t.dtype for t in tf.nest.flatten(model.get_layer(extra[0]).input)]
        raise NotYet(
            f"{extra[0]}, into which goes {told[0]}", "only layers into which text goes", REFUSED
        )
    return "exactly the layers into which text goes"


@exercise(
    "11.4",
    "find the break-even (stretch)",
    section=LADDER,
    hints=(
        "Write down the total of n calls for both ways. When is one below the other?",
        "first + (n - 1) * each, for both. Solve for n, round up, and mind n = 1 and ways that never catch up.",
        "If fast first < slow first: 1. Else if slow each <= fast each: None. Else floor((fast first - slow first) / "
        "(slow each - fast each)) + 2.",
    ),
)
def _even(break_even: Any) -> str:
    cases = [
        ((1.0, 0.5), (2.0, 0.25)),
        ((2.0, 0.5), (1.0, 0.1)),
        ((1.0, 0.25), (2.0, 0.5)),
        ((1.0, 0.5), (1.0, 0.25)),
    ]
    cases += [((1.0, 0.5), (1.0, 0.5)), ((1.0, 0.5), (3.0, 0.5)), ((2.0, 0.25), (1.0, 0.5))]
    for _ in range(40):  # sixteenths add up without rounding
        cases.append(
            tuple((random.randrange(1, 400) / 16, random.randrange(1, 40) / 16) for _ in "ab")
        )
    for slow, fast in cases:
        wanted = _first_below(slow, fast)
        got = break_even(slow, fast)
        where = f"for slow={slow}, fast={fast}"
        if got is not None and (
            isinstance(got, bool) or not isinstance(got, (int, float)) or got != int(got)
        ):
            raise NotYet(f"{got!r} {where}", "a whole number of calls, or None", LADDER)
        if got == wanted:
            continue
        if wanted is None:
            raise NotYet(f"{got} {where}", "None: the fast way never costs less", LADDER)
        if got is None:
            raise NotYet(f"None {where}", f"{wanted}: from then on the fast way costs less", LADDER)
        if abs(got - wanted) <= 2:
            raise NotYet(
                f"{got} {where}",
                f"{wanted}, the first with a smaller total, not an equal one: the first call is one of them",
                LADDER,
            )
        raise NotYet(f"{got} {where}", f"{wanted}", LADDER)
    return "the first number of calls whose total is smaller, or None"


def _first_below(slow: tuple[float, float], fast: tuple[float, float]) -> int | None:
    if fast[0] < slow[0]:
        return 1
    if slow[1] <= fast[1]:
        return None
    n = math.floor((fast[0] - slow[0]) / (slow[1] - fast[1])) + 2
    return n
