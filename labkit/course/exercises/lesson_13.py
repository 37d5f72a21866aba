"""Exercises of lesson 13: the slow service, brought to its counts."""

import asyncio
import math
import random
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest import mock

from .engine import NotYet, Spy, agree, exercise, expect_function, fresh_rows

ONE_ROW = "One row at a time: which candidate?"
QUEUE = "Who waits for whom?"
SHAPES = "It breaks like this"
MAX_CALLS = 40
MAX_ROWS = 32


def _new_model() -> Any:
    from ..models import mlp

    return mlp(width=16, depth=random.randrange(2, 5), outputs=3, seed=random.randrange(1000))


def _signed_rows(n: int) -> Any:
    """Return rows on both sides of zero, which show a ReLU that is not in the model."""
    return fresh_rows(n) - 0.5


def _expect_at_most_32_rows(sizes: list[int], where: str = "") -> None:
    largest = max(sizes, default=0)
    if largest > MAX_ROWS:
        raise NotYet(f"a call with {largest} rows{where}", f"at most {MAX_ROWS}", QUEUE)


# ---- 10.1 ----


@exercise(
    "13.1",
    "answer one row with 40 Python calls",
    section=ONE_ROW,
    hints=(
        "Which candidates make fewer than 40 Python calls for one row? The last column of the "
        "table says it.",
        "Take the weights out of the model once, `[w.numpy() for w in model.weights]`, or convert "
        "it to LiteRT once.",
        "kernels and biases take turns in model.weights. For all layers but the last: "
        "row = np.maximum(row @ kernel + bias, 0); the last one has no maximum.",
    ),
)
def _check_make_answer(make_answer: Any) -> str:
    calls = max(_answer_rows(make_answer) for _ in range(3))
    if calls > MAX_CALLS:
        raise NotYet(
            f"{calls:,} Python calls for one row",
            f"at most {MAX_CALLS}: look at the candidates below XLA in the table",
            ONE_ROW,
        )
    return "at most 40 Python calls for one row, results equal"


def _answer_rows(make_answer: Callable) -> int:
    """Compare the answers to twenty rows, and return the number of Python calls for one row."""
    from ...measure.count import count

    model = _new_model()
    data = _signed_rows(20)
    answer = expect_function(
        make_answer(model),
        "make_answer",
        "a function that takes one row of shape (1, 10)",
        ONE_ROW,
    )
    for i in range(len(data)):
        row = data[i : i + 1]
        agree(answer(row), model(row), f"for row {i}", ONE_ROW)
    with count() as seen:
        answer(data[:1])
    if seen.traces:
        raise NotYet(
            f"traces for a row that came before: {seen.traces}",
            "none: prepare outside of the answer",
            ONE_ROW,
        )
    return seen.python_calls


# ---- 10.2 ----


class _TracedModel:
    """A model that notes the number of rows whenever its Python code runs."""

    def __init__(self, model: Any):
        self.model = model
        self.sizes: list[int | None] = []

    def __call__(self, batch: Any, *_: Any, **__: Any) -> Any:
        self.sizes.append(batch.shape[0])
        return self.model(batch)


@exercise(
    "13.2",
    "serve every size with one fixed shape",
    section=SHAPES,
    hints=(
        "The graph takes `most` rows and no other number. What can you do to three rows before "
        "the call, and after it?",
        "`np.zeros((most, 10), 'float32')` is a batch to copy rows into; a slice of the answers "
        "cuts the rest off.",
        "graph = tf.function(model), once. In the function: batch = zeros; "
        "batch[:len(rows)] = rows; return graph(batch)[:len(rows)]",
    ),
)
def _check_padded(padded: Any) -> str:
    for most in (MAX_ROWS, random.randrange(5, 60)):
        _pad_to(padded, most)
    return "one trace of one shape for every number of rows, results equal"


def _pad_to(padded: Callable, most: int) -> None:
    """Ask for five numbers of rows; compare, and look at the shapes that the model saw."""
    model = _TracedModel(_new_model())
    answer = expect_function(
        padded(model, most), "padded", "a function that takes rows of shape (n, 10)", SHAPES
    )
    for n in (most, 1, *random.sample(range(2, most), 3)):
        data = _signed_rows(n)
        got = answer(data)
        number_of_answers = getattr(got, "shape", (n,))[0]
        if n < most and number_of_answers == most:
            raise NotYet(
                f"{most} answers for {n} rows", "the answers of the padding cut off", SHAPES
            )
        agree(got, model.model(data), f"for {n} rows of at most {most}", SHAPES)
    _expect_one_shape(model.sizes, most)


def _expect_one_shape(sizes: list[int | None], most: int) -> None:
    if None in sizes:
        raise NotYet(
            "a graph for any number of rows", f"a graph of the fixed shape ({most}, 10)", SHAPES
        )
    if len(sizes) > 1:
        raise NotYet(
            f"the model's Python code ran {len(sizes)} times for 5 calls, with {sizes} rows",
            f"one trace in all, with {most} rows",
            SHAPES,
        )
    if sizes != [most]:
        raise NotYet(
            f"traces with these numbers of rows: {sizes}", f"one, with {most} rows", SHAPES
        )


# ---- 10.3 ----


@exercise(
    "13.3",
    "take what fits, in one call",
    section=QUEUE,
    hints=(
        "Which requests go into this call, and when do you stop taking? Look at the front before "
        "you take it.",
        "`waiting[0]` looks, `waiting.popleft()` takes; `np.concatenate` makes one batch; "
        "`np.split` at the running sums of the lengths takes the answers apart.",
        "taken = []; while waiting and rows so far + len(waiting[0]) <= most: "
        "taken.append(waiting.popleft()); one call; split the answers at np.cumsum of the "
        "lengths, the last left out.",
    ),
)
def _check_answer_waiting(answer_waiting: Any) -> str:
    queues = [[30, 8, 1], [2, 3, 4], [8] * 6, [1], [30, 2, 8]]
    queues.append([random.randrange(1, 9) for _ in range(40)])
    for sizes in queues:
        _answer_queue(answer_waiting, sizes)
    return "one call, whole requests, as many as fit; the rest still waits in order"


def _answer_queue(answer_waiting: Callable, sizes: list[int]) -> None:
    """Let requests of these sizes wait; compare what is taken, what is left, and the answers."""
    model = _new_model()
    spy = Spy(model)
    requests = [_signed_rows(size) for size in sizes]
    waiting = deque(requests)
    got = answer_waiting(spy, waiting, MAX_ROWS)

    taken = _number_that_fits(sizes)
    dots = " ..." if len(sizes) > 6 else ""
    where = f" with requests of {sizes[:6]}{dots} rows waiting"
    _expect_at_most_32_rows(spy.sizes, where)
    if len(spy.sizes) != 1:
        raise NotYet(f"{len(spy.sizes)} model calls{where}", "one", QUEUE)
    if got is None or got is ...:
        raise NotYet(
            "your function returned nothing", "the list of answers: is a `return` missing?", QUEUE
        )
    left = requests[taken:]
    if not _same_arrays(list(waiting), left):
        raise NotYet(
            f"{len(waiting)} requests still wait{where}",
            f"the first {taken} taken, whole, and the other {len(left)} left as they were",
            QUEUE,
        )
    if len(got) != taken:
        raise NotYet(
            f"{len(got)} answers for {taken} requests{where}", "one array per request", QUEUE
        )
    for i in range(taken):
        agree(got[i], model(requests[i]), f"for request {i}{where}", QUEUE)


def _number_that_fits(sizes: list[int]) -> int:
    """Return how many requests from the front have 32 rows or fewer together."""
    rows = 0
    for number, size in enumerate(sizes):
        rows += size
        if rows > MAX_ROWS:
            return number
    return len(sizes)


def _same_arrays(some: list, others: list) -> bool:
    """Return whether two lists hold the very same arrays."""
    if len(some) != len(others):
        return False
    return all(a is b for a, b in zip(some, others, strict=True))


# ---- 10.4 ----


@exercise(
    "13.4",
    "let callers share calls, without a timer (stretch)",
    section=QUEUE,
    hints=(
        "When the first caller arrives, the others that are ready have not run yet. Who could "
        "answer after them?",
        "`loop.call_soon(flush)` runs flush after everything that is ready now; a future from "
        "`loop.create_future()` is what each caller waits for.",
        "answer: append (row, future) to a list; if it is the first in it, loop.call_soon(flush); "
        "return await future. flush: take up to most, one engine call, set_result for each; if "
        "some are left, call_soon(flush) again.",
    ),
)
def _check_make_service(make_service: Any) -> str:
    for callers, rows_each in ((1, 3), (5, 4), (64, 5)):
        _serve(make_service, callers, rows_each)
    return (
        "callers share calls of at most 32 rows, nobody waits for a timer, "
        "each gets their own answer"
    )


def _serve(make_service: Callable, callers: int, rows_each: int) -> None:
    """Let callers send rows; compare the answers, and count the calls and the timers."""
    model = _new_model()
    spy = Spy(model)
    data = _signed_rows(callers * rows_each)
    try:
        got, timers = _run_in_a_thread(_traffic(make_service, spy, data, callers))
    except asyncio.CancelledError:
        raise NotYet(
            "some callers never got an answer", "an answer for each of them", QUEUE
        ) from None
    _expect_at_most_32_rows(spy.sizes)
    agree(got, model(data), f"with {callers} callers", QUEUE)
    max_calls = math.ceil(1.5 * rows_each * math.ceil(callers / MAX_ROWS))
    if len(spy.sizes) > max_calls:
        raise NotYet(
            f"{len(spy.sizes)} calls for {len(data)} requests of {callers} callers",
            f"at most {max_calls}: those who wait share a call",
            QUEUE,
        )
    if timers:
        raise NotYet(
            f"timers set: {timers}", "none: nobody waits for callers that may never come", QUEUE
        )


async def _traffic(make_service: Callable, engine: Any, data: Any, callers: int) -> tuple[Any, int]:
    """Let each caller send its rows one after another; return the answers and the timers set."""
    import numpy as np

    answer = expect_function(
        make_service(engine, MAX_ROWS),
        "make_service",
        "an async function that takes one row of shape (10,)",
        QUEUE,
    )

    async def caller(rows: Any) -> list:
        return [await answer(row) for row in rows]

    loop = asyncio.get_running_loop()
    parts = data.reshape(callers, -1, data.shape[1])
    together = asyncio.gather(*[caller(part) for part in parts])
    guard = loop.call_later(10, together.cancel)
    try:
        with mock.patch.object(loop, "call_at", wraps=loop.call_at) as call_at:
            answers = await together
    finally:
        guard.cancel()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
    return np.array(answers).reshape(len(data), -1), call_at.call_count


def _run_in_a_thread(work: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine in another thread: that of a notebook has a running loop already."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()
