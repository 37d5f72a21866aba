"""Exercises of lesson 02: the direct call loop."""

import math
import random
from typing import Any

from .engine import NotYet, Spy, agree, exercise

LAYERS = "Per call, per layer or per row?"
COST = "What does one call cost?"
GRAPH = "Is it the Python loop?"


def _requests(n: int) -> tuple[Any, Any, list]:
    from ..models import mlp, random_rows

    model = mlp()
    data = random_rows(n, seed=random.randrange(10_000))
    return model, data, list(data)


@exercise(
    "02.1",
    "score many requests with few calls",
    section=LAYERS,
    hints=(
        "What does a call cost with 64 rows, compared with one row? How many calls do you need then?",
        "`np.stack(requests)` turns a list of rows into one array; slices of 64 of it are batches.",
        "batches = np.stack(requests); parts = [model(batches[i:i + 64]) for i in range(0, len(batches), 64)]; "
        "then join the parts with np.concatenate.",
    ),
)
def _score(score: Any) -> str:
    for n in (64, 200, random.randrange(65, 300), 1):
        model, data, requests = _requests(n)
        spy = Spy(model)
        got = score(spy, requests)
        least = math.ceil(n / 64)
        if len(spy.sizes) > least:
            raise NotYet(
                f"{len(spy.sizes)} model calls for {n} requests", f"at most {least}", LAYERS
            )
        if max(spy.sizes, default=0) > 64:
            raise NotYet(
                f"a batch of {max(spy.sizes)} rows",
                "at most 64 rows in one call",
                "the text of the exercise",
            )
        agree(got, model(data), f"for {n} requests", LAYERS)
    return "the fewest calls that batches of 64 allow, results equal"


@exercise(
    "02.2",
    "answer one row with few Python calls",
    section=COST,
    hints=(
        "Which of the four ways runs the least Python for one row? You counted them in 'Is it the Python loop?'.",
        "`model.predict_on_batch(row)` and `tf.function(model)` both replay a graph. Make the tf.function once, not in "
        "the function that is called again and again.",
        "fast = tf.function(model); return lambda row: fast(row)",
    ),
)
def _answer(make_answer: Any) -> str:
    from ...measure.count import count

    model, data, _ = _requests(40)
    answer = make_answer(model)
    if answer is None or answer is ...:
        raise NotYet(
            "make_answer returned nothing",
            "a function that takes one row",
            "the text of the exercise",
        )
    with count() as eager:
        model(data[:1])
    for i in range(20):
        row = data[i : i + 1]
        agree(answer(row), model(row), f"for row {i}", COST)
    with count() as n:
        answer(data[20:21])
    if n.traces:
        raise NotYet(
            f"new traces for one more row: {n.traces}",
            "none: replay a graph that was traced once, outside",
            GRAPH,
        )
    if n.python_calls > 0.7 * eager.python_calls:
        seen = f"{n.python_calls:,} Python calls for one row, against {eager.python_calls:,} of model(row)"
        raise NotYet(seen, "fewer than 70 % of them", COST)
    return "no new trace, fewer Python calls than model(row), results equal"


@exercise(
    "02.3",
    "count what a layer costs",
    section=LAYERS,
    hints=(
        "Count the Python calls of a model with 5 layers and of one with 6. What is the difference?",
        "`with lab.count() as n: ...` and `n.python_calls`; call each model once before, to build it.",
        "Count models of 10 and 20 layers and divide the difference by 10.",
    ),
)
def _layer(per_layer: Any) -> str:
    from ...measure.count import count
    from ..models import mlp, random_rows

    if isinstance(per_layer, bool) or not isinstance(per_layer, (int, float)):
        raise NotYet(f"a {type(per_layer).__name__}", "a number", LAYERS)
    row, calls = random_rows(1), []
    for depth in (10, 20):
        model = mlp(depth=depth)
        model(row)
        with count() as n:
            model(row)
        calls.append(n.python_calls)
    true = (calls[1] - calls[0]) / 10
    layers = round(per_layer / true)
    if layers > 1 and abs(per_layer / true - layers) < 0.02:
        raise NotYet(
            f"{per_layer:g}, which is what {layers} layers cost",
            f"one layer: divide by {layers}",
            LAYERS,
        )
    if per_layer >= 0.9 * calls[0] / 10 and per_layer > 1.15 * true:
        raise NotYet(
            f"{per_layer:g}",
            "the difference that one more layer makes: a call costs something by itself",
            LAYERS,
        )
    if abs(per_layer - true) > 0.1 * true:
        raise NotYet(
            f"{per_layer:g}", "what a count of two depths gives, to one part in ten", LAYERS
        )
    return "each further layer costs that many Python calls, whatever its width"


@exercise(
    "02.4",
    "collect a stream into batches (stretch)",
    section=LAYERS,
    hints=(
        "When do you have to call the model: when the batch is full, and when else?",
        "Collect rows in a list; when it holds 32, call the model, yield its rows one by one, start a new list.",
        "for row in stream: waiting.append(row); if len(waiting) == 32: yield from model(np.stack(waiting)); "
        "waiting = []. After the loop, once more for what is left.",
    ),
)
def _stream(batched: Any) -> str:
    for n in (70, 5, 32, random.randrange(33, 200), 0):
        model, data, requests = _requests(max(n, 1))
        data, requests = data[:n], requests[:n]
        spy, taken = Spy(model), []

        def stream(requests: list = requests, taken: list = taken) -> Any:
            for row in requests:
                taken.append(None)
                yield row

        answers = batched(spy, stream())
        if answers is None:
            raise NotYet("the function returned nothing", "a generator: use `yield`", LAYERS)
        got, ahead = [], 0
        for answer in answers:
            got.append(answer)
            ahead = max(ahead, len(taken) - len(got) + 1)
        if got and getattr(got[0], "shape", (1,))[:1] != (1,):
            raise NotYet(
                f"answers of shape {tuple(got[0].shape)}",
                "one answer per row: `yield from` a batch",
                LAYERS,
            )
        if len(got) != n:
            raise NotYet(
                f"{len(got)} answers for {n} rows",
                f"{n}: is the last, partial batch forgotten?",
                LAYERS,
            )
        if n:
            agree(got, [model(data)[i] for i in range(n)], f"for {n} rows", LAYERS)
        if len(spy.sizes) > math.ceil(n / 32):
            raise NotYet(
                f"{len(spy.sizes)} model calls for {n} rows", f"at most {math.ceil(n / 32)}", LAYERS
            )
        if ahead > 32:
            raise NotYet(
                f"{ahead} rows were taken before the first of them was answered",
                "at most 32",
                LAYERS,
            )
    return "every row answered in order, batches of 32, nothing held back"
