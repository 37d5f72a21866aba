"""Exercises of lesson 14: threads and requests that share a model."""

import asyncio
import contextlib
import inspect
import math
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest import mock

from ...show.names import counted
from .engine import (
    EXERCISE_TEXT,
    NotYet,
    Spy,
    agree,
    exercise,
    expect_function,
    expect_result,
    fresh_rows,
    type_of,
)

SHARED = "What may threads share?"
QUEUE = "How do requests share a call?"
MAX_ROWS = 32
PATIENCE = 10  # seconds, far more than any check takes
N_THREADS = 4
CALLS_EACH = 5
_STILL_WAITS = object()


def _new_model() -> Any:
    from ..models import mlp

    return mlp(width=16, depth=random.randrange(2, 5), outputs=3, seed=random.randrange(1000))


def _signed_rows(n: int) -> Any:
    """Return rows with numbers on both sides of zero."""
    return fresh_rows(n) - 0.5


def _expect_at_most(most: int, sizes: list[int], where: str = "") -> None:
    largest = max(sizes, default=0)
    if largest > most:
        raise NotYet(f"a call with {largest} rows{where}", f"at most {most}", QUEUE)


# ---- 14.1 ----


class _Engines:
    """Makes engines that only one thread may use, and remembers who used which."""

    def __init__(self) -> None:
        self.users: list[set[int]] = []  # of each engine, the threads
        self.overlaps = 0

    def make(self) -> Callable[[Any], Any]:
        """Return an engine: it adds up a row, in two steps like an interpreter."""
        users: set[int] = set()
        self.users.append(users)
        busy = threading.Lock()

        def engine(row: Any) -> Any:
            users.add(threading.get_ident())
            if not busy.acquire(blocking=False):
                self.overlaps += 1
                raise RuntimeError("There is at least 1 reference to internal data")
            try:
                time.sleep(0.001)
                return row.sum(axis=1, keepdims=True)
            finally:
                busy.release()

        return engine


@exercise(
    "14.1",
    "one engine for each thread",
    section=SHARED,
    hints=(
        "Where can a function keep something that another thread, in the same function, does not "
        "see?",
        "`own = threading.local()`: its attributes are different ones in each thread. "
        '`hasattr(own, "engine")` says whether this thread has one already.',
        'own = threading.local() outside. In answer: if not hasattr(own, "engine"): '
        "own.engine = make(). Then return own.engine(row).",
    ),
)
def _check_per_thread(per_thread: Any) -> str:
    for n_threads in (1, N_THREADS):
        _ask_from_threads(per_thread, n_threads)
    _ask_in_turns(per_thread)
    _ask_two_services(per_thread)
    return "an engine for each thread, made once and kept, results equal"


def _ask_from_threads(per_thread: Callable, n_threads: int) -> None:
    """Let threads ask at the same time; compare the answers, and count the engines."""
    engines = _Engines()
    answer = _make_answer(per_thread, engines)
    data = _signed_rows(n_threads * CALLS_EACH)
    together = threading.Barrier(n_threads, timeout=PATIENCE)

    def ask(number: int) -> list[Any]:
        own_rows = data[number * CALLS_EACH : (number + 1) * CALLS_EACH]
        together.wait()
        found = [answer(own_rows[i : i + 1]) for i in range(CALLS_EACH)]
        together.wait()  # so that no thread ends, and leaves its number to another one
        return found

    where = f"with {n_threads} threads" if n_threads > 1 else "with one thread"
    with ThreadPoolExecutor(n_threads) as pool:
        futures = [pool.submit(ask, number) for number in range(n_threads)]
        for future in futures:
            if future.exception() is not None:
                together.abort()
        if engines.overlaps:
            raise NotYet(
                "two threads were in one engine at the same time",
                "an engine for each thread",
                SHARED,
            )
        found = [future.result() for future in futures]
    for number, answers in enumerate(found):
        for i, got in enumerate(answers):
            expect_result(got, "the answer", EXERCISE_TEXT, name="answer")
            row = data[number * CALLS_EACH + i]
            agree(got, row.sum(keepdims=True)[None], where, SHARED)
    _expect_one_engine_each(engines, n_threads, n_threads * CALLS_EACH, where)


def _make_answer(per_thread: Callable, engines: _Engines) -> Callable:
    return expect_function(
        per_thread(engines.make), "per_thread", "a function that takes one row of shape (1, 10)"
    )


@contextlib.contextmanager
def _threads_that_wait(number: int) -> Iterator[list[ThreadPoolExecutor]]:
    """Give threads that do what they are told, one by one, and live on; all have one name."""
    with contextlib.ExitStack() as stack:
        pools = [ThreadPoolExecutor(1, thread_name_prefix="caller") for _ in range(number)]
        yield [stack.enter_context(pool) for pool in pools]


def _ask_in_turns(per_thread: Callable) -> None:
    """Let one thread after another ask, while the others wait, in several orders."""
    engines = _Engines()
    answer = _make_answer(per_thread, engines)
    turns = [*range(N_THREADS), *range(N_THREADS), *reversed(range(N_THREADS))]
    turns += random.choices(range(N_THREADS), k=10)
    rows = _signed_rows(len(turns))
    with _threads_that_wait(N_THREADS) as threads:
        for i, turn in enumerate(turns):
            threads[turn].submit(answer, rows[i : i + 1]).result()
    where = f"with {N_THREADS} threads that ask in turns"
    _expect_one_engine_each(engines, N_THREADS, len(turns), where)


def _ask_two_services(per_thread: Callable) -> None:
    """Let one thread ask two services, each with engines of its own."""
    row = _signed_rows(1)
    with _threads_that_wait(1) as [thread]:
        for number in (1, 2):
            engines = _Engines()
            answer = _make_answer(per_thread, engines)
            thread.submit(answer, row).result()
            if not engines.users:
                raise NotYet(
                    f"service {number} in one thread got the engine of another service",
                    "engines of its own: what keeps them is made in per_thread",
                    SHARED,
                )


def _expect_one_engine_each(engines: _Engines, n_threads: int, calls: int, where: str) -> None:
    shared = max((len(users) for users in engines.users), default=0)
    if shared > 1:
        raise NotYet(
            f"one engine was used by {shared} threads in turns, so that they wait for each other",
            "an engine for each thread",
            SHARED,
        )
    if len(engines.users) != n_threads:
        raise NotYet(
            f"{len(engines.users)} engines made {where} and {calls} calls",
            f"{n_threads}: each thread keeps its own",
            SHARED,
        )


# ---- 14.2 ----


@exercise(
    "14.2",
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
        _answer_queue(answer_waiting, sizes, MAX_ROWS)
    for most in (8, random.randrange(9, 32), random.randrange(33, 100)):
        sizes = [random.randrange(1, 9) for _ in range(40)]
        _answer_queue(answer_waiting, sizes, most)
    return "one call, whole requests, as many as fit; the rest still waits in order"


def _answer_queue(answer_waiting: Callable, sizes: list[int], most: int) -> None:
    """Let requests of these sizes wait; compare what is taken, what is left, and the answers."""
    model = _new_model()
    spy = Spy(model)
    requests = [_signed_rows(size) for size in sizes]
    waiting = deque(requests)
    got = answer_waiting(spy, waiting, most)

    taken = _number_that_fits(sizes, most)
    dots = " ..." if len(sizes) > 6 else ""
    where = f" with requests of {sizes[:6]}{dots} rows waiting"
    if most != MAX_ROWS:
        where += f" and most={most}"
    _expect_at_most(most, spy.sizes, where)
    if len(spy.sizes) != 1:
        raise NotYet(f"{len(spy.sizes)} model calls{where}", "one", QUEUE)
    expect_result(got, "the list of answers", QUEUE)
    left = requests[taken:]
    if not _same_arrays(list(waiting), left):
        raise NotYet(
            f"left waiting: {counted(len(waiting), 'request')}{where}",
            f"the first {taken} taken, whole, and the other {len(left)} left as they were",
            QUEUE,
        )
    if len(got) != taken:
        raise NotYet(
            f"{counted(len(got), 'answer')} for {counted(taken, 'request')}{where}",
            "one array per request",
            QUEUE,
        )
    for i in range(taken):
        agree(got[i], model(requests[i]), f"for request {i}{where}", QUEUE)


def _number_that_fits(sizes: list[int], most: int) -> int:
    """Return how many requests from the front have so many rows or fewer together."""
    rows = 0
    for number, size in enumerate(sizes):
        rows += size
        if rows > most:
            return number
    return len(sizes)


def _same_arrays(some: list, others: list) -> bool:
    """Return whether two lists hold the very same arrays."""
    if len(some) != len(others):
        return False
    return all(a is b for a, b in zip(some, others, strict=True))


# ---- 14.3 ----


class _Failing:
    """An engine whose first call fails; it remembers how often it was called."""

    def __init__(self, model: Any):
        self.model = model
        self.calls = 0

    def __call__(self, batch: Any) -> Any:
        """Raise in the first call, answer in the others."""
        self.calls += 1
        if self.calls == 1:
            raise ValueError("the first call fails")
        return self.model(batch)


@exercise(
    "14.3",
    "let callers share calls, without a timer (stretch)",
    section=QUEUE,
    hints=(
        "When the first caller arrives, the others that are ready have not run yet. What could "
        "they all wait for, so that an error reaches each of them?",
        "`asyncio.ensure_future(call(rows))` starts call after everything that is ready now, and "
        "many callers may await one task; `asyncio.shield(task)` keeps it alive when one of them "
        "gives up.",
        "Keep the list of rows that still takes callers, with its task. answer: if there is none, "
        "or it is full, begin one with ensure_future; append the row and keep its place; return "
        "(await asyncio.shield(task))[place]. call: from now on, the list takes nobody; return "
        "engine(np.stack(rows)).",
    ),
)
def _check_make_service(make_service: Any) -> str:
    for callers, rows_each in ((1, 3), (5, 4), (64, 5), (70, 2)):
        _serve(make_service, callers, rows_each, MAX_ROWS)
    _serve(make_service, 20, 2, random.randrange(4, 9))
    _serve(make_service, 70, 2, random.randrange(40, 65))
    _run_in_a_thread(_engine_fails_once(make_service))
    _run_in_a_thread(_a_caller_gives_up(make_service))
    return (
        "callers share calls of at most 32 rows, nobody waits for a timer, each gets their own "
        "answer, and an error ends nobody else's service"
    )


def _new_service(make_service: Callable, engine: Any, most: int = MAX_ROWS) -> Callable:
    answer = expect_function(
        make_service(engine, most),
        "make_service",
        "an async function that takes one row of shape (10,)",
        QUEUE,
    )

    def asked(row: Any) -> Any:
        waiting = answer(row)
        if not inspect.isawaitable(waiting):
            raise NotYet(
                f"answer returned {type_of(waiting)}, which nobody can await",
                "an async function: async def answer(row)",
                EXERCISE_TEXT,
            )
        return waiting

    return asked


def _serve(make_service: Callable, callers: int, rows_each: int, most: int) -> None:
    """Let callers send rows; compare the answers, and count the calls and the timers."""
    model = _new_model()
    spy = Spy(model)
    data = _signed_rows(callers * rows_each)
    try:
        got, timers = _run_in_a_thread(_traffic(make_service, spy, data, callers, most))
    except asyncio.CancelledError:
        raise NotYet(
            "some callers never got an answer", "an answer for each of them", QUEUE
        ) from None
    except _TooLate as error:
        raise NotYet(
            "a caller joined a call that had begun, and found no answer of its own in it",
            "a call that begins takes nobody any more",
            QUEUE,
        ) from error
    where = "" if most == MAX_ROWS else f" with most={most}"
    _expect_at_most(most, spy.sizes, where)
    agree(got, model(data), f"with {callers} callers", QUEUE)
    max_calls = math.ceil(1.5 * rows_each * math.ceil(callers / most))
    if len(spy.sizes) > max_calls:
        raise NotYet(
            f"{len(spy.sizes)} calls for {len(data)} requests of {callers} callers{where}",
            f"at most {max_calls}: those who wait share a call",
            QUEUE,
        )
    if timers:
        raise NotYet(
            f"timers set: {timers}", "none: nobody waits for callers that may never come", QUEUE
        )


class _TooLate(Exception):
    """A caller's place is not in the answers to the rows that were sent."""


async def _traffic(
    make_service: Callable, spy: Spy, data: Any, callers: int, most: int
) -> tuple[Any, int]:
    """Let each caller send its rows one after another; return the answers and the timers set."""
    import numpy as np
    import tensorflow as tf

    answer = _new_service(make_service, spy, most)
    asked = 0

    async def ask(row: Any) -> Any:
        nonlocal asked
        asked += 1
        try:
            return await answer(row)
        except (IndexError, tf.errors.InvalidArgumentError) as error:
            if sum(spy.sizes) < asked:  # a row was sent to no engine
                raise _TooLate from error
            raise

    async def caller(rows: Any) -> list:
        return [await ask(row) for row in rows]

    loop = asyncio.get_running_loop()
    parts = data.reshape(callers, -1, data.shape[1])
    together = asyncio.gather(*[caller(part) for part in parts])
    guard = loop.call_later(PATIENCE, together.cancel)
    try:
        with mock.patch.object(loop, "call_at", wraps=loop.call_at) as call_at:
            answers = await together
    finally:
        guard.cancel()
        _cancel_the_others()
    return np.array(answers).reshape(len(data), -1), call_at.call_count


async def _engine_fails_once(make_service: Callable) -> None:
    """Let five callers share a call that fails, and five others the next one."""
    model = _new_model()
    data = _signed_rows(10)
    answer = _new_service(make_service, _Failing(model))
    failed = await _outcomes([answer(row) for row in data[:5]])
    hung = sum(outcome is _STILL_WAITS for outcome in failed)
    if hung:
        raise NotYet(
            f"the engine raised, and {hung} of 5 callers still wait",
            "the error for each of them",
            QUEUE,
        )
    answered = [i for i in range(5) if not isinstance(failed[i], Exception)]
    if answered:  # it has asked again
        found = [failed[i] for i in answered]
        _expect_answers(found, model(data[answered]), "after the engine raised")
    later = await _outcomes([answer(row) for row in data[5:]])
    _expect_answers(later, model(data[5:]), "after a call that failed")


async def _a_caller_gives_up(make_service: Callable) -> None:
    """Let the second of five callers give up before the answer comes."""
    model = _new_model()
    data = _signed_rows(5)
    answer = _new_service(make_service, model)
    tasks = [asyncio.ensure_future(answer(row)) for row in data]
    asyncio.get_running_loop().call_soon(tasks[1].cancel)
    outcomes = await _outcomes(tasks)
    others = [0, 2, 3, 4]
    found = [outcomes[i] for i in others]
    _expect_answers(found, model(data[others]), "beside a caller who gave up")


async def _outcomes(waiting: list[Any]) -> list[Any]:
    """Return the answer or the error of each; `_STILL_WAITS` where none comes in two seconds."""
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda *_: None)  # of errors in callbacks: seen as who still waits
    tasks = [asyncio.ensure_future(one) for one in waiting]
    await asyncio.wait(tasks, timeout=2)
    outcomes: list[Any] = []
    for task in tasks:
        if not task.done():
            task.cancel()
            outcomes.append(_STILL_WAITS)
        elif task.cancelled():
            outcomes.append(asyncio.CancelledError())
        else:
            outcomes.append(task.exception() or task.result())
    return outcomes


def _expect_answers(outcomes: list[Any], wanted: Any, where: str) -> None:
    """Raise `NotYet` unless each of these callers got their own answer."""
    import numpy as np

    for outcome in outcomes:
        expect_result(outcome, "an answer", QUEUE, name=f"{where}, answer")
        if outcome is _STILL_WAITS:
            raise NotYet(f"{where}, a caller never got an answer", "an answer for each", QUEUE)
        if isinstance(outcome, BaseException):
            kind = type(outcome).__name__
            raise NotYet(f"{where}, a caller got {kind}", "an answer for each", QUEUE)
    agree(np.array(outcomes), wanted, where, QUEUE)


def _cancel_the_others() -> None:
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()


def _run_in_a_thread(work: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine in another thread: that of a notebook has a running loop already."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()
