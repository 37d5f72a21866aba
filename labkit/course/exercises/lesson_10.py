"""Exercises of lesson 10: the slow service, brought to its counts."""

import asyncio
import math
import random
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from .engine import NotYet, Spy, agree, exercise

RUNGS = "One row at a time: which rung?"
ROWS = "Many rows: how close to the peak?"
QUEUE = "Who waits for whom?"
SHAPES = "It breaks like this"


def _model(outputs: int = 3) -> Any:
    from ..models import mlp

    return mlp(width=16, depth=random.randrange(2, 5), outputs=outputs, seed=random.randrange(1000))


def _rows(n: int) -> Any:
    from ..models import random_rows

    return (
        random_rows(n, seed=random.randrange(10_000)) - 0.5
    )  # on both sides of zero: a ReLU too many shows


def _function(answer: Any, what: str, section: str) -> None:
    if not callable(answer):
        raise NotYet(
            f"it returned {'nothing' if answer is None else f'something of type {type(answer).__name__}'}",
            what,
            section,
        )


@exercise(
    "10.1",
    "answer one row with 40 Python calls",
    section=RUNGS,
    hints=(
        "Which rungs of the ladder make fewer than 40 Python calls for one row? The last column of the table says it.",
        "Take the weights out of the model once, `[w.numpy() for w in model.weights]`, or convert it to LiteRT once.",
        "kernels and biases take turns in model.weights. For all layers but the last: "
        "row = np.maximum(row @ kernel + bias, 0); the last one has no maximum.",
    ),
)
def _answer(make_answer: Any) -> str:
    from ...measure.count import count

    calls = 0
    for _ in range(3):
        model, data = _model(), _rows(20)
        answer = make_answer(model)
        _function(answer, "a function that takes one row of shape (1, 10)", RUNGS)
        for i in range(len(data)):
            row = data[i : i + 1]
            agree(answer(row), model(row), f"for row {i}", RUNGS)
        with count() as n:
            answer(data[:1])
        if n.traces:
            raise NotYet(
                f"traces for a row that came before: {n.traces}",
                "none: prepare outside of the answer",
                RUNGS,
            )
        calls = max(calls, n.python_calls)
    if calls > 40:
        raise NotYet(
            f"{calls:,} Python calls for one row", "at most 40: look below the XLA rung", RUNGS
        )
    return "at most 40 Python calls for one row, results equal"


class _Watched:
    """A model that notes the number of rows it sees whenever its Python code runs."""

    def __init__(self, model: Any):
        self.model, self.seen = model, []

    def __call__(self, batch: Any, *_: Any, **__: Any) -> Any:
        self.seen.append(batch.shape[0])
        return self.model(batch)


@exercise(
    "10.2",
    "serve every size with one fixed shape",
    section=SHAPES,
    hints=(
        "The graph takes `most` rows and no other number. What can you do to three rows before the call, and after it?",
        "`np.zeros((most, 10), 'float32')` is a batch to copy rows into; a slice of the answers cuts the rest off.",
        "graph = tf.function(model), once. In the function: batch = zeros; batch[:len(rows)] = rows; "
        "return graph(batch)[:len(rows)]",
    ),
)
def _padded(padded: Any) -> str:
    for most in (32, random.randrange(5, 60)):
        watched = _Watched(_model())
        answer = padded(watched, most)
        _function(answer, "a function that takes rows of shape (n, 10)", SHAPES)
        for n in (most, 1, *random.sample(range(2, most), 3)):
            data = _rows(n)
            got = answer(data)
            if n < most and getattr(got, "shape", (n,))[0] == most:
                raise NotYet(
                    f"{most} answers for {n} rows", "the answers of the padding cut off", SHAPES
                )
            agree(got, watched.model(data), f"for {n} rows of at most {most}", SHAPES)
        if None in watched.seen:
            raise NotYet(
                "a graph for any number of rows", f"a graph of the fixed shape ({most}, 10)", SHAPES
            )
        if len(watched.seen) > 1:
            seen = f"the model's Python code ran {len(watched.seen)} times for 5 calls, with {watched.seen} rows"
            raise NotYet(seen, f"one trace in all, with {most} rows", SHAPES)
        if watched.seen != [most]:
            raise NotYet(
                f"traces with these numbers of rows: {watched.seen}",
                f"one, with {most} rows",
                SHAPES,
            )
    return "one trace of one shape for every number of rows, results equal"


@exercise(
    "10.3",
    "take what fits, in one call",
    section=QUEUE,
    hints=(
        "Which requests go into this call, and when do you stop taking? Look at the front before you take it.",
        "`waiting[0]` looks, `waiting.popleft()` takes; `np.concatenate` makes one batch; `np.split` at the running "
        "sums of the lengths takes the answers apart.",
        "taken = []; while waiting and rows so far + len(waiting[0]) <= most: taken.append(waiting.popleft()); "
        "one call; split the answers at np.cumsum of the lengths, the last left out.",
    ),
)
def _tick(answer_waiting: Any) -> str:
    for sizes in (
        [30, 8, 1],
        [2, 3, 4],
        [8] * 6,
        [1],
        [random.randrange(1, 9) for _ in range(40)],
        [30, 2, 8],
    ):
        model = _model()
        requests = [_rows(k) for k in sizes]
        waiting, spy = deque(requests), Spy(model)
        fit, total = 0, 0
        while fit < len(sizes) and total + sizes[fit] <= 32:
            fit, total = fit + 1, total + sizes[fit]
        got = answer_waiting(spy, waiting, 32)
        where = f"with requests of {sizes[:6]}{' ...' if len(sizes) > 6 else ''} rows waiting"
        if max(spy.sizes, default=0) > 32:
            raise NotYet(f"a call with {max(spy.sizes)} rows {where}", "at most 32", QUEUE)
        if len(spy.sizes) != 1:
            raise NotYet(f"{len(spy.sizes)} model calls {where}", "one", QUEUE)
        if got is None or got is ...:
            raise NotYet(
                "your function returned nothing",
                "the list of answers: is a `return` missing?",
                QUEUE,
            )
        if len(waiting) != len(sizes) - fit or any(
            a is not b for a, b in zip(waiting, requests[fit:], strict=True)
        ):
            wanted = (
                f"the first {fit} taken, whole, and the other {len(sizes) - fit} left as they were"
            )
            raise NotYet(f"{len(waiting)} requests still wait {where}", wanted, QUEUE)
        if len(got) != fit:
            raise NotYet(
                f"{len(got)} answers for {fit} requests {where}", "one array per request", QUEUE
            )
        for i in range(fit):
            agree(got[i], model(requests[i]), f"for request {i} {where}", QUEUE)
    return "one call, whole requests, as many as fit; the rest still waits in order"


@exercise(
    "10.4",
    "let callers share calls, without a timer (stretch)",
    section=QUEUE,
    hints=(
        "When the first caller arrives, the others that are ready have not run yet. Who could answer after them?",
        "`loop.call_soon(flush)` runs flush after everything that is ready now; a future from `loop.create_future()` "
        "is what each caller waits for.",
        "answer: append (row, future) to a list; if it is the first in it, loop.call_soon(flush); return await future. "
        "flush: take up to most, one engine call, set_result for each; if some are left, call_soon(flush) again.",
    ),
)
def _service(make_service: Any) -> str:
    for callers, each in ((1, 3), (5, 4), (64, 5)):
        model, data = _model(), _rows(callers * each)
        spy = Spy(model)
        try:
            got, timers = _in_a_thread(_traffic(make_service, spy, data, callers, each))
        except asyncio.CancelledError:
            raise NotYet(
                "some callers never got an answer", "an answer for each of them", QUEUE
            ) from None
        if max(spy.sizes, default=0) > 32:
            raise NotYet(f"a call with {max(spy.sizes)} rows", "at most 32", QUEUE)
        agree(got, model(data), f"with {callers} callers", QUEUE)
        most = math.ceil(1.5 * each * math.ceil(callers / 32))
        if len(spy.sizes) > most:
            seen = f"{len(spy.sizes)} calls for {callers * each} requests of {callers} callers"
            raise NotYet(seen, f"at most {most}: those who wait share a call", QUEUE)
        if timers:
            raise NotYet(
                f"timers set: {timers}", "none: nobody waits for callers that may never come", QUEUE
            )
    return "callers share calls of at most 32 rows, nobody waits for a timer, each gets their own answer"


async def _traffic(
    make_service: Any, engine: Any, data: Any, callers: int, each: int
) -> tuple[Any, int]:
    """Let so many callers send rows, each the next one after its answer; return the answers and the timers set."""
    import numpy as np

    loop, timers = asyncio.get_running_loop(), []
    answer = make_service(engine, 32)
    _function(answer, "an async function that takes one row of shape (10,)", QUEUE)

    async def caller(rows: Any) -> list:
        return [await answer(row) for row in rows]

    parts = data.reshape(callers, each, -1)
    together = asyncio.gather(*(caller(part) for part in parts))
    guard, later = loop.call_later(10, together.cancel), loop.call_at

    def call_at(*args: Any, **options: Any) -> Any:
        timers.append(args[0])
        return later(*args, **options)

    loop.call_at = call_at
    try:
        answers = await together
    finally:
        guard.cancel()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
    return np.array(answers).reshape(callers * each, -1), len(timers)


def _in_a_thread(work: Any) -> Any:
    """Run a coroutine in a thread of its own: the thread of a notebook has a running loop already."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()
