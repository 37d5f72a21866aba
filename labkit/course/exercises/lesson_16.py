"""Exercises of lesson 16: your own model, and your own loop."""

import math
import numbers
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...show.errors import kind_in_words
from .engine import NotYet, agree, exercise, fresh_rows, temporary_folder
from .steps import NoEnd, limited_lines

COST = "What does the report say?"
INPUTS = "What is in the file?"
LOOP = "What does your loop ask for?"
CANDIDATES = ("model(x)", "tf.function", "concrete function", "XLA", "LiteRT")

# Seconds of the first call, and of each later one.
Times = tuple[float, float]


def _expect_result(got: Any, wanted: str, section: str) -> None:
    if got is None or got is ...:
        raise NotYet("your function returned nothing", wanted, section)


# ---- 16.1 ----


def _random_times() -> dict[str, Times]:
    """Return times of all candidates: the longer the first call, the shorter each later one."""
    times = {}
    for name in random.sample(CANDIDATES, len(CANDIDATES)):
        step = CANDIDATES.index(name)
        first = 0.02 * 4**step * random.uniform(0.8, 1.2)
        each = 2e-3 / 5**step * random.uniform(0.8, 1.2)
        times[name] = first, each
    return times


def _total(times: Times, calls: int) -> float:
    first, each = times
    return first + (calls - 1) * each


@exercise(
    "16.1",
    "choose a candidate for a situation",
    section=COST,
    hints=(
        "What does a process pay over its whole life? Not only each later call.",
        "The total of n calls is first + (n - 1) * each. Take the least of those that are allowed.",
        "def total(name): first, each = ladder[name]; return first + (calls - 1) * each. "
        "Then min(allowed, key=total).",
    ),
)
def _check_choose(choose: Any) -> str:
    near = {"tf.function": (1.0, 0.5), "XLA": (1.9, 0.25)}
    choices = []
    for calls in (4, 5):  # one call more or less decides
        choices.append(_choose_once(choose, near, calls, list(near)))
    few = {"tf.function": (1.0, 3.0), "XLA": (1.5, 2.0)}
    for calls in (1, 2):
        choices.append(_choose_once(choose, few, calls, list(few)))
    for trial in range(60):
        times = _random_times()
        calls = random.choice((1, 2, 30, 300, 3_000, 300_000))
        allowed = list(times)
        if trial % 2 == 0:
            allowed = random.sample(allowed, random.randrange(1, 5))
        choices.append(_choose_once(choose, times, calls, allowed))
    _expect_the_least(choices)
    return "the least total, first call included, among the candidates that are allowed"


@dataclass
class _Choice:
    """What was asked for, and the name that was chosen."""

    times: dict[str, Times]
    calls: int
    allowed: list[str]
    got: str

    def best(self, key: Callable[[Times, int], float]) -> str:
        """Return the allowed name with the least of what the key makes of its times."""
        return min(self.allowed, key=lambda name: key(self.times[name], self.calls))


def _choose_once(
    choose: Callable, times: dict[str, Times], calls: int, allowed: list[str]
) -> _Choice:
    """Return one choice if it is a name that is allowed."""
    got = choose(dict(times), calls, list(allowed))
    _expect_result(got, "a name from the dict: is a `return` missing?", COST)
    if got not in times:
        raise NotYet(f"{got!r}", f"one of the names {', '.join(times)}", COST)
    if got not in allowed:
        raise NotYet(f"{got}, which is not allowed", f"one of {', '.join(allowed)}", COST)
    return _Choice(times, calls, allowed, got)


# What an answer may take the least of in place of the total, in words, and what that leaves out.
_MOTIVES: list[tuple[Callable[[Times, int], float], str, str]] = [
    (lambda times, _: times[1], "the cheapest later call", "the first call counts too, once"),
    (
        lambda times, _: times[0],
        "the cheapest first call",
        "the later calls count too, all of them",
    ),
    (lambda times, _: sum(times), "the least total of two calls", "all the calls count"),
    (lambda times, calls: -_total(times, calls), "the greatest total", "the least"),
]


def _expect_the_least(choices: list[_Choice]) -> None:
    """Raise `NotYet` for a choice that is not the least total; name a motive that explains all."""
    for choice in choices:
        wanted = choice.best(_total)
        if choice.got == wanted:
            continue
        seen = f"{choice.got} for {choice.calls:,} calls"
        for key, motive, why in _MOTIVES:
            if all(one.got == one.best(key) for one in choices):
                raise NotYet(f"{seen}: {motive}", f"{wanted}: {why}", COST)
        raise NotYet(seen, f"{wanted}, whose total is the least", COST)


# ---- 16.2 ----


@exercise(
    "16.2",
    "make an input for a signature",
    section=INPUTS,
    hints=(
        "What has to be known about an input before the model takes it? `inspect` shows it.",
        "The first size is the batch; `spec.dtype.as_numpy_dtype` is a dtype for NumPy; texts are "
        "`tf.string`.",
        "For each name: shape = (rows, *spec.shape[1:]); for tf.string np.full(shape, 'word'), "
        "else np.zeros(shape, spec.dtype.as_numpy_dtype).",
    ),
)
def _check_sample(sample: Any) -> str:
    for trial in range(14):
        spec = _random_spec(trial)
        rows = random.randrange(1, 9)
        got = sample(dict(spec), rows)
        _expect_names(got, spec)
        for name, wanted in spec.items():
            _expect_array(name, got[name], wanted, rows)
    return "names, sizes and dtypes as the signature says, texts included"


def _random_spec(trial: int) -> dict[str, Any]:
    """Return a random signature; seven trials in a row have each dtype in their first input."""
    import tensorflow as tf

    dtypes = (tf.float32, tf.int32, tf.int64, tf.uint8, tf.string, tf.bool, tf.float16)
    names = random.sample(("image", "ids", "word", "numbers"), random.randrange(1, 4))
    spec: dict[str, Any] = {}
    for name in names:
        sizes = [random.randrange(1, 6) for _ in range(random.randrange(1, 4))]
        dtype = random.choice(dtypes) if spec else dtypes[trial % len(dtypes)]
        spec[name] = tf.TensorSpec((None, *sizes), dtype, name=name)
    return spec


def _expect_names(got: Any, spec: dict[str, Any]) -> None:
    _expect_result(got, "a dict of arrays: is a `return` missing?", INPUTS)
    if not isinstance(got, dict):
        seen = kind_in_words(got)
    elif set(got) != set(spec):
        seen = f"the names {sorted(map(str, got))}"
    else:
        return
    raise NotYet(seen, f"a dict with the names {sorted(spec)}", INPUTS)


def _expect_array(name: str, got: Any, spec: Any, rows: int) -> None:
    """Raise `NotYet` unless an array has the shape and the dtype of its `tf.TensorSpec`."""
    import numpy as np
    import tensorflow as tf

    array = np.asarray(got)
    shape = (rows, *spec.shape[1:])
    if array.shape != shape:
        hint = ": the first size is the batch" if array.shape == shape[1:] else ""
        raise NotYet(f"{name} has the shape {array.shape}", f"{shape}{hint}", INPUTS)
    if spec.dtype == tf.string:
        if not _holds_texts(array):
            raise NotYet(f"{name} holds {array.dtype.name}", "texts, as tf.string says", INPUTS)
    elif array.dtype != spec.dtype.as_numpy_dtype:
        raise NotYet(
            f"{name} is {array.dtype.name}",
            f"{spec.dtype.name}: NumPy's own choice is rarely the model's",
            INPUTS,
        )


def _holds_texts(array: Any) -> bool:
    if array.dtype.kind not in "USOT":
        return False
    return all(isinstance(value, (str, bytes)) for value in array.ravel().tolist())


# ---- 16.3 ----

REQUESTS = (1, 3, 8, 5, 2, 13, 1, 4)  # rows of each, in random order with two larger ones
MANY_ROWS = 64
MOST_TRACES = 2  # reduce_retracing opens the number of rows at the second size


@exercise(
    "16.3",
    "write the loop of a service",
    section=LOOP,
    hints=(
        "What has to happen once, and what in each request? Loading and tracing belong before the "
        "first request.",
        "Load the model, wrap it in one tf.function that serves any number of rows, and return a "
        "function that calls it.",
        "replay = tf.function(keras.models.load_model(path), reduce_retracing=True), and then "
        "return lambda rows: replay(rows).numpy()",
    ),
)
def _check_open_service(open_service: Any) -> str:
    from ..models import mlp

    served = []
    with temporary_folder() as folder:
        for number in (1, 2):
            model = mlp(depth=4, seed=random.randrange(10_000))
            path = folder / f"service_{number}.keras"
            model.save(path)
            handle = open_service(path)
            if not callable(handle):
                raise NotYet(kind_in_words(handle), "a function that takes rows", LOOP)
            served.append((model, path, handle))
        for _, path, _ in served:
            path.unlink()  # who loads in a request finds nothing
        for model, path, handle in served:
            _serve(model, path, handle)
    return "loaded once, at most two traces for all requests, and each request replays a graph"


def _why_traced(traces: int, sizes: list[int]) -> str:
    """Return what makes that many traces in requests of these sizes."""
    if traces > len(sizes):
        return "predict builds a pipeline in each call"
    if traces == len(sizes):
        return "a function made in the request is new each time"
    return "each size is a key of its own"


def _serve(model: Any, path: Path, handle: Callable[[Any], Any]) -> None:
    """Send requests of several sizes, and count what they take."""
    from ...measure.count import count

    sizes = [*REQUESTS, random.randrange(33, 100), random.randrange(300, 3000)]
    random.shuffle(sizes)
    with count() as requests:
        for size in sizes:
            rows = fresh_rows(size)
            answer = _ask(handle, rows, path)
            agree(_as_numpy(answer), model(rows).numpy(), f"for {size} rows", LOOP)
    if requests.traces > MOST_TRACES:
        raise NotYet(
            f"{requests.traces} traces in {len(sizes)} requests",
            f"one graph for any number of rows: {_why_traced(requests.traces, sizes)}",
            LOOP,
        )
    row = fresh_rows(1)
    with count() as direct:
        model(row)
    with count() as replayed:
        handle(row)
    if replayed.python_calls > direct.python_calls / 2:
        raise NotYet(
            f"{replayed.python_calls:,} Python calls for one row, where model(x) makes "
            f"{direct.python_calls:,}",
            "fewer than half of them: a request replays a graph",
            LOOP,
        )
    with count() as many:
        handle(fresh_rows(MANY_ROWS))
    if many.python_calls > direct.python_calls:
        raise NotYet(
            f"{many.python_calls:,} Python calls for {MANY_ROWS} rows, and "
            f"{replayed.python_calls:,} for one",
            "one replay of the graph, with all rows of a request",
            LOOP,
        )


def _ask(handle: Callable[[Any], Any], rows: Any, path: Path) -> Any:
    """Return the answer to a request; tell a load in a request from other errors."""
    try:
        return handle(rows)
    except (OSError, ValueError) as error:
        if path.name not in str(error):
            raise
        raise NotYet(
            f"a request asks for the file {path.name}",
            "the model loaded once, before the first request",
            LOOP,
        ) from error


def _as_numpy(answer: Any) -> Any:
    return answer.numpy() if hasattr(answer, "numpy") else answer


# ---- 16.4 ----


@exercise(
    "16.4",
    "find the break-even (stretch)",
    section=COST,
    hints=(
        "Write down the total of n calls for both candidates. When is one below the other?",
        "first + (n - 1) * each, for both. Solve for n, round up, and mind n = 1 and a candidate "
        "that never catches up.",
        "If fast first < slow first: 1. Else if slow each <= fast each: None. Else "
        "floor((fast first - slow first) / (slow each - fast each)) + 2.",
    ),
)
def _check_break_even(break_even: Any) -> str:
    cases: list[tuple[Times, Times]] = [
        ((1.0, 0.5), (2.0, 0.25)),
        ((2.0, 0.5), (1.0, 0.1)),
        ((1.0, 0.25), (2.0, 0.5)),
        ((1.0, 0.5), (1.0, 0.25)),
        ((1.0, 0.5), (1.0, 0.5)),
        ((1.0, 0.5), (3.0, 0.5)),
        ((2.0, 0.25), (1.0, 0.5)),
    ]
    for _ in range(40):
        cases.append((_random_sixteenths(), _random_sixteenths()))
    for slow, fast in cases:
        with limited_lines():  # counting up may never end
            _try_case(break_even, slow, fast)
    for saved in (2**-8, 2**-10, 2**-20):  # thousands of calls, and more than a million
        each = random.randrange(1, 40) / 1024
        slow = 1.0, each + saved
        fast = 1.0 + random.randrange(17, 30) / 16, each
        _try_case(break_even, slow, fast)
    return "the first number of calls whose total is smaller, or None"


def _random_sixteenths() -> Times:
    """Return times that add up without rounding."""
    return random.randrange(1, 400) / 16, random.randrange(1, 40) / 16


def _first_below(slow: Times, fast: Times) -> int | None:
    """Return the smallest number of calls for which `fast` takes less time in total."""
    if fast[0] < slow[0]:
        return 1
    if slow[1] <= fast[1]:
        return None
    return math.floor((fast[0] - slow[0]) / (slow[1] - fast[1])) + 2


def _try_case(break_even: Callable, slow: Times, fast: Times) -> None:
    """Compare the answer for two candidates."""
    try:
        got = break_even(slow, fast)
    except NoEnd:
        wanted = _first_below(slow, fast)
        why = ": fast never costs less in total" if wanted is None else ""
        raise NotYet(
            f"there was no end for slow={slow}, fast={fast}", f"{wanted}{why}", COST
        ) from None
    _expect_break_even(got, slow, fast)


def _expect_break_even(got: Any, slow: Times, fast: Times) -> None:
    wanted = _first_below(slow, fast)
    where = f"for slow={slow}, fast={fast}"
    if got is not None and not _is_whole_number(got):
        raise NotYet(f"{got!r} {where}", "a whole number of calls, or None", COST)
    if got == wanted:
        return
    if wanted is None:
        raise NotYet(f"{got} {where}", "None: fast never costs less in total", COST)
    if got is None:
        raise NotYet(f"None {where}", f"{wanted}: from then on fast costs less in total", COST)
    if abs(got - wanted) <= 2:
        raise NotYet(
            f"{got} {where}",
            f"{wanted}, the first with a smaller total, not an equal one: "
            "the first call is one of them",
            COST,
        )
    raise NotYet(f"{got} {where}", f"{wanted}", COST)


def _is_whole_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return False
    return float(value).is_integer()
