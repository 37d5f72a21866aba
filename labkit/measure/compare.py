"""Time callables in pairs, in short samples, until the difference is clear.

Method: one short sample of each candidate per round, in balanced random order; the result is the median over rounds of
the ratio to the baseline, with an exact sign-test interval. Related: `compare` of martinus/nanobench (paired rounds),
Chairmarks.jl (short samples), nschloe/perfplot (the results are compared before anything is timed). Samples are short
because on a busy machine a sample that ends before the next interruption is a clean one.
"""

import random
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from ..show.progress import progress_bar
from . import rounds
from .results import Comparison, Sweep, Timing

_FOR_SEVERAL = {
    "baseline",
    "margin",
    "confidence",
    "check",
    "seed",
}  # options that mean nothing to one candidate


def timeit(
    fn: Callable,
    *,
    budget: float = 1.0,
    setup: Callable | None = None,
    number: int | None = None,
    sync: str | Callable = "auto",
    progress: str | bool = "auto",
) -> Timing:
    """Time one callable. To say which of two is faster, use `compare`: two times taken one after the other mislead.

    Parameters
    ----------
    fn : callable
        Takes no argument, or the value of `setup`.
    budget : float
        Seconds to spend, at most 600.
    setup, number, sync, progress
        As in `compare`.

    Returns
    -------
    Timing
        Samples in seconds per call, and the first call apart.

    Examples
    --------
    >>> timeit(lambda: sum(range(100)), budget=0.01).median.value < 0.1
    True
    """
    name = getattr(fn, "__name__", type(fn).__name__).replace("<lambda>", "call")
    run = rounds.Run({name: fn}, budget, setup, number, sync)
    run.start(check=False)
    interrupted = run.rounds(lambda: False, _shown(progress, budget), random.Random())
    return Timing(
        name,
        run.samples[name],
        run.first_call[name],
        run.number,
        notes=run.notes,
        interrupted=interrupted,
    )


def compare(
    fns: Mapping[str, Callable] | Iterable[Callable] | None = None,
    /,
    *,
    baseline: str | None = None,
    budget: float = 1.0,
    margin: float = 0.05,
    confidence: float = 0.99,
    setup: Callable | None = None,
    number: int | None = None,
    check: bool | Callable = True,
    sync: str | Callable = "auto",
    progress: str | bool = "auto",
    seed: int | None = None,
    **named: Callable,
) -> Comparison:
    """Measure which of several ways to do the same is faster, by how much, and how sure that is.

    Parameters
    ----------
    fns : dict of str to callable, or iterable of functions
        What to compare; or give them as keywords: ``compare(slow=f, fast=g)``. They take no argument, or the value of
        `setup`.
    baseline : str
        The one that the others are held against; the first unless given.
    budget : float
        Seconds to spend at most; the measurement ends earlier when every verdict is safe.
    margin : float
        Differences below this share count as *similar*.
    confidence : float
        Of the intervals, all rows together.
    setup : callable
        Called before each round, untimed; its value is passed to every candidate of the round, one call per sample.
    number : int
        Calls per sample; found by trial unless given.
    check : bool or callable
        Compare the results first: True for equality to float32 rounding, or your own ``check(result, expected)``.
    sync : "auto", "none" or callable
        What to wait for at the end of a sample; "auto" waits for a GPU where TensorFlow sees one.
    progress : "auto" or bool
        A progress bar; "auto" shows it when the budget is over two seconds.
    seed : int
        Of the random order of the candidates.
    **named : callable
        More candidates, by name.

    Returns
    -------
    Comparison
        Times in seconds, ratios, verdicts, pictures.

    Raises
    ------
    AssertionError
        The results differ: a faster wrong answer is no answer.
    TypeError, ValueError
        Something that is no function, wrong options.

    Examples
    --------
    >>> c = compare(short=lambda: sum(range(100)), long=lambda: sum(range(1000)), check=False)
    >>> c.verdict["long"]
    'slower'
    """
    fns = _named(fns, named)
    if len(fns) < 2:
        raise ValueError(
            f"compare needs two candidates or more, got {len(fns)}; for one, use labkit.timeit"
        )
    baseline = baseline if baseline is not None else next(iter(fns))
    if baseline not in fns:
        near = get_close_matches(str(baseline), fns, n=1)
        raise ValueError(
            f"no candidate is named {baseline!r}: {'did you mean ' + repr(near[0]) if near else list(fns)}"
        )
    for name, value, low, high in (("margin", margin, 0, 1), ("confidence", confidence, 0.5, 1)):
        if not low < value < high:
            raise ValueError(f"{name} must lie between {low} and {high}, got {value}")
    run = rounds.Run(fns, budget, setup, number, sync)
    run.start(check)
    result = Comparison(
        run.samples,
        baseline,
        margin,
        confidence,
        run.first_call,
        run.number,
        notes=run.notes,
        retraced=run.retraced,
        checked=check is not False,
    )

    def decided() -> bool:
        ratios = result.ratio.values()
        narrow = all(
            r.low > 0 and r.high / r.low < (1.02 if 0.5 < r.value < 2 else 1.1) for r in ratios
        )
        return narrow and "unclear" not in result.verdict.values()

    result.interrupted = run.rounds(
        decided, _shown(progress, budget), random.Random(seed), confidence
    )
    result.seconds = run.seconds
    return result


def first_call(make: Callable[[], Callable], *, n: int = 5) -> Timing:
    """Time the first call of a fresh callable, n times over: what tracing, compiling or loading costs.

    Parameters
    ----------
    make : callable
        Returns a new callable each time, such as ``lambda: tf.function(model)``; making it is not timed. Bind the
        argument with `functools.partial` or a lambda.
    n : int
        How many to make.

    Returns
    -------
    Timing
        One sample per fresh callable, in seconds.

    Raises
    ------
    TypeError, ValueError
        `make` does not return a callable, or `n` is below 1.

    Examples
    --------
    >>> len(first_call(lambda: lambda: sum(range(10)), n=3).samples)
    3
    """
    if not callable(make):
        raise TypeError(
            f"make is {rounds.kind_of(make)}, not a function: pass `lambda: tf.function(f)`, not `tf.function(f)`"
        )
    if not isinstance(n, int) or n < 1:
        raise ValueError(f"n must be a whole number from 1 on, got {n!r}")
    samples = []
    for _ in progress_bar(range(n), "first calls", n > 20):
        fresh = make()
        if not callable(fresh):
            raise TypeError(f"make() returned {rounds.kind_of(fresh)}, not a function to call")
        start = rounds.clock()
        fresh()
        samples.append(rounds.clock() - start)
    return Timing("first call", samples)


def sweep(
    fns: Mapping[str, Callable],
    sizes: Iterable[Any],
    *,
    setup: Callable[[Any], Any] | None = None,
    budget: float = 2.0,
    label: str = "size",
    progress: str | bool = "auto",
    **options: Any,
) -> Sweep:
    """Compare the same candidates at several sizes, the sizes in random order.

    Parameters
    ----------
    fns : dict of str to callable
        Each takes one argument: the size, or what `setup` makes of it.
    sizes : iterable
        Such as batch sizes.
    setup : callable
        Called once per size, untimed; turns a size into the argument of the candidates.
    budget : float
        Seconds for the whole sweep.
    label : str
        What a size is, for the axis and the table.
    progress : "auto" or bool
        As in `compare`.
    **options
        Passed to `compare`.

    Returns
    -------
    Sweep
        One `Comparison` per size, in the order given.

    Examples
    --------
    >>> s = sweep({"sum": lambda n: sum(range(n))}, [10, 1000], budget=0.05)
    >>> list(s.comparisons)
    [10, 1000]
    """
    fns, sizes = _named(fns, {}), list(sizes)
    if not sizes or not fns:
        raise ValueError("sweep needs at least one candidate and one size")
    for name, fn in fns.items():
        rounds.refuse_unfit(name, fn, setup=True)
    order, done = random.sample(sizes, len(sizes)), {}
    for size in progress_bar(order, f"sweep over {label}", _shown(progress, budget)):
        value = size if setup is None else setup(size)
        bound = {name: _bind(fn, value) for name, fn in fns.items()}
        share = budget / len(sizes)
        if len(bound) > 1:
            done[size] = compare(bound, budget=share, progress=False, **options)
        else:
            name, fn = next(iter(bound.items()))
            alone = {key: options[key] for key in options if key not in _FOR_SEVERAL}
            one = timeit(fn, budget=share, progress=False, **alone)
            done[size] = Comparison(
                {name: one.samples},
                name,
                first_call={name: one.first_call},
                number=one.number,
                notes=one.notes,
                interrupted=one.interrupted,
                checked=False,
            )
        if done[size].interrupted:
            break
    return Sweep({size: done[size] for size in sizes if size in done}, label)


def _named(fns: Any, named: Mapping[str, Callable]) -> dict[str, Callable]:
    if fns is None or isinstance(fns, Mapping):
        pairs = list((fns or {}).items())
    elif isinstance(fns, Iterable):
        pairs = [(getattr(fn, "__name__", str(i)), fn) for i, fn in enumerate(fns)]
    else:
        raise TypeError(f"expected a dict of name to function, got {rounds.kind_of(fns)}")
    pairs += named.items()
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        raise ValueError(
            f"two candidates have the same name: {names}; pass a dict of name to function"
        )
    return dict(pairs)


def _bind(fn: Callable, value: Any) -> Callable:
    def call():
        return fn(value)

    return call


def _shown(progress: str | bool, budget: float) -> bool:
    return budget > 2 if progress == "auto" else bool(progress)
