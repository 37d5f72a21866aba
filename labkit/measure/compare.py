"""Time callables in pairs, in short samples, until the difference is clear.

Method: one short sample of each candidate per round, in balanced random order; the result is the
median ratio to the baseline of samples of one round, and of near rounds where they agree as
closely, with an interval from blocks in time (see `stats`). Related: `compare` of
martinus/nanobench (paired rounds), Chairmarks.jl (short samples), nschloe/perfplot (the results are
compared before anything is timed). Samples are short because on a busy machine a sample that ends
before the next interruption is a clean one.

Each candidate has a number of calls per sample of its own, so that two of them may lie a million
times apart. Every sample lasts at least 150 µs, so reading the clock, some 0.1 µs, biases no ratio
visibly.
"""

import random
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from ..show import stop
from ..show.progress import progress_bar
from . import rounds
from .results import Comparison, Sweep, Timing

_FOR_SEVERAL = {"baseline", "margin", "confidence", "check", "seed"}
LONG_BUDGET = 2  # seconds: a longer measurement shows its progress
_NOTHING = "Stopped before anything was measured."
_NO_FIRST_CALL = "Stopped before the first call was done: nothing was measured."
_NO_SIZE = "Stopped before the first size was done: nothing was measured."


@stop.stoppable(_NOTHING)
def timeit(
    fn: Callable,
    *,
    budget: float = 1.0,
    setup: Callable | None = None,
    number: int | None = None,
    sync: str | Callable = "auto",
    collect_garbage: bool = False,
    progress: str | bool = "auto",
) -> Timing:
    """Time one callable.

    To say which of two is faster, use `compare`: two times taken one after the other mislead.

    Parameters
    ----------
    fn : callable
        Takes no argument, or the value of `setup`.
    budget : float
        Seconds to spend, at most 600.
    setup : callable
        As in `compare`.
    number : int
        As in `compare`.
    sync : "auto", "none" or callable
        As in `compare`.
    collect_garbage : bool
        As in `compare`.
    progress : "auto" or bool
        As in `compare`.

    Returns
    -------
    Timing
        Samples in seconds per call, and the first call apart. The stop button and Ctrl-C end it
        with the samples that there are.

    Raises
    ------
    TypeError, ValueError
        Something that is no function, wrong options.
    KeyboardInterrupt
        It was stopped before the second call was done.

    Notes
    -----
    A single call of compiled code cannot be interrupted: the measurement ends when it returns.

    Examples
    --------
    >>> timeit(lambda: sum(range(100)), budget=0.01).median.value < 0.1
    True
    """
    name = getattr(fn, "__name__", type(fn).__name__).replace("<lambda>", "call")
    options = rounds.Options(budget, setup, number, sync, collect_garbage)
    run = rounds.Run({name: fn}, options, random.Random())
    run.measure(lambda: False, _shows_progress(progress, budget))
    outcome = run.outcome
    return Timing(
        name,
        outcome.samples[name],
        outcome.first_call[name],
        outcome.number[name],
        notes=outcome.notes,
        interrupted=outcome.interrupted,
    )


@stop.stoppable(_NOTHING)
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
    collect_garbage: bool = False,
    progress: str | bool = "auto",
    seed: int | None = None,
    **named: Callable,
) -> Comparison:
    """Measure which of several candidates is faster, by how much, and how sure that is.

    Parameters
    ----------
    fns : dict of str to callable, or iterable of functions
        What to compare; or give them as keywords: ``compare(slow=f, fast=g)``. They take no
        argument, or the value of `setup`.
    baseline : str
        The candidate that the others are compared with; the first unless given.
    budget : float
        Seconds to spend after the first calls, kept to within a half. The measurement ends earlier
        only where every candidate lies more than tenfold from the baseline. Whatever the budget,
        each candidate is called at least twice.
    margin : float
        Differences below this share count as *similar*.
    confidence : float
        Of the intervals, all pairs of candidates together.
    setup : callable
        Called before each round, untimed; its value is passed to every candidate of the round, one
        call per sample.
    number : int
        Calls per sample, for all; found for each candidate by trial unless given.
    check : bool or callable
        Compare the results first: True for equality to float32 rounding, or your own
        ``check(result, expected)``.
    sync : "auto", "none" or callable
        What to wait for at the end of a sample; "auto" waits for a GPU where TensorFlow sees one.
    collect_garbage : bool
        Python's garbage collection is off while samples run and its cost is charged to nobody.
        True leaves it on, for candidates that differ in the garbage they make.
    progress : "auto" or bool
        A progress bar; "auto" shows it when the budget is over two seconds.
    seed : int
        Of the random order of the candidates.
    **named : callable
        More candidates, by name.

    Returns
    -------
    Comparison
        Times in seconds, ratios, verdicts, figures. The stop button and Ctrl-C end it with the
        rounds that there are, and without a verdict.

    Raises
    ------
    AssertionError
        The results differ: a faster wrong answer is no answer.
    TypeError, ValueError
        Something that is no function, wrong options.
    KeyboardInterrupt
        It was stopped before each candidate had been called twice.

    Notes
    -----
    A single call of compiled code cannot be interrupted: the measurement ends when it returns.

    The ratio and its interval are those of this run. A machine in another state may show another
    ratio, above all where one candidate waits for threads that a busy machine does not let run.

    Examples
    --------
    >>> c = compare(short=lambda: sum(range(100)), long=lambda: sum(range(1000)), check=False)
    >>> c.verdict["long"]
    'slower'
    """
    candidates = _named(fns, named)
    if len(candidates) < 2:
        raise ValueError(
            f"compare needs two candidates or more, got {len(candidates)}; "
            "for one, use labkit.timeit"
        )
    if baseline is None:
        baseline = next(iter(candidates))
    _check_baseline(baseline, candidates)
    _check_share("margin", margin, 0, 1)
    _check_share("confidence", confidence, 0.5, 1)
    options = rounds.Options(budget, setup, number, sync, collect_garbage)
    run = rounds.Run(candidates, options, random.Random(seed))
    outcome = run.outcome

    def result() -> Comparison:
        return Comparison(
            outcome.samples,
            baseline,
            margin,
            confidence,
            outcome.first_call,
            outcome.number,
            outcome.seconds,
            outcome.notes,
            outcome.retraced,
            outcome.too_short,
            outcome.interrupted,
            checked=bool(check) and not outcome.not_compared,
            not_compared=outcome.not_compared,
            processor=outcome.processor,
        )

    def check_results(results: dict[str, Any]) -> None:
        run.check_results(results, baseline, check)

    run.is_decided = lambda: result().is_decided()
    run.measure(
        lambda: result().can_stop(),
        _shows_progress(progress, budget),
        check_results if check else None,
    )
    return result()


@stop.stoppable(_NO_FIRST_CALL)
def first_call(make: Callable[[], Callable], *, n: int = 5) -> Timing:
    """Time the first call of a fresh callable, n times: what tracing or loading costs.

    Parameters
    ----------
    make : callable
        Returns a new callable each time, such as ``lambda: tf.function(model)``; making it is not
        timed. Bind the argument with `functools.partial` or a lambda.
    n : int
        How many to make.

    Returns
    -------
    Timing
        One sample per fresh callable, in seconds. The stop button and Ctrl-C end it with the calls
        that are done.

    Raises
    ------
    TypeError, ValueError
        `make` does not return a callable, or `n` is below 1.
    KeyboardInterrupt
        It was stopped before one call was done.

    Notes
    -----
    A single call of compiled code cannot be interrupted: the measurement ends when it returns.

    The process is warm: TensorFlow has started, and an earlier callable may have warmed what this
    one uses. The very first call of a new process takes several times as long.

    Examples
    --------
    >>> len(first_call(lambda: lambda: sum(range(10)), n=3).samples)
    3
    """
    if not callable(make):
        raise TypeError(
            f"make is {rounds.kind_of(make)}, not a function: "
            "pass `lambda: tf.function(f)`, not `tf.function(f)`"
        )
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise ValueError(f"n must be a whole number from 1 on, got {n!r}")
    samples: list[float] = []
    try:
        bar = progress_bar(range(n), "first calls", n > 20)
        with rounds.ended(bar), stop.translate_errors():
            for _ in bar:
                samples.append(_time_first_call(make))
                stop.raise_if_requested()
        stop.finish()
    except KeyboardInterrupt:
        stop.finish()
        if stop.strict() or not samples:
            raise
    return Timing("first call", samples, interrupted=len(samples) < n)


def _time_first_call(make: Callable[[], Callable]) -> float:
    """Return the seconds of the first call of one fresh callable."""
    fresh = make()
    if not callable(fresh):
        raise TypeError(f"make() returned {rounds.kind_of(fresh)}, not a function to call")
    begin = rounds.clock()
    fresh()
    return rounds.clock() - begin


@stop.stoppable(_NO_SIZE)
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
        One `Comparison` per size, in the order given. The stop button and Ctrl-C end it with the
        sizes that are done.

    Raises
    ------
    TypeError, ValueError
        Nothing to compare, or something that does not take one argument.
    KeyboardInterrupt
        It was stopped before one size was done.

    Notes
    -----
    A single call of compiled code cannot be interrupted: the measurement ends when it returns.

    Examples
    --------
    >>> s = sweep({"sum": lambda n: sum(range(n))}, [10, 1000], budget=0.05)
    >>> list(s.comparisons)
    [10, 1000]
    """
    candidates = _named(fns, {})
    sizes = list(sizes)
    if not sizes or not candidates:
        raise ValueError("sweep needs at least one candidate and one size")
    for name, fn in candidates.items():
        rounds.refuse_unfit(name, fn, setup=True)
    rounds.check_budget(budget)
    order = random.Random().sample(sizes, len(sizes))  # not from the learner's own generator
    share = budget / len(sizes)
    done: dict[Any, Comparison] = {}
    interrupted = False
    try:
        bar = progress_bar(order, f"sweep over {label}", _shows_progress(progress, budget))
        with rounds.ended(bar), stop.translate_errors():
            for size in bar:
                value = size if setup is None else setup(size)
                bound = {name: _bind(fn, value) for name, fn in candidates.items()}
                done[size] = _at_one_size(bound, share, options)
                interrupted = done[size].interrupted
                if interrupted:
                    break
        stop.finish()
    except KeyboardInterrupt:
        stop.finish()
        if stop.strict():
            raise
        if not done:
            raise stop.stopped(_NO_SIZE) from None
        interrupted = True
    in_order = {size: done[size] for size in sizes if size in done}
    return Sweep(in_order, label, interrupted)


def _at_one_size(
    bound: dict[str, Callable], budget: float, options: Mapping[str, Any]
) -> Comparison:
    """Return the comparison of the candidates at one size; a single one is its own baseline."""
    if len(bound) > 1:
        return compare(bound, budget=budget, progress=False, **options)
    name, fn = next(iter(bound.items()))
    alone = {key: value for key, value in options.items() if key not in _FOR_SEVERAL}
    timing = timeit(fn, budget=budget, progress=False, **alone)
    return Comparison(
        {name: timing.samples},
        name,
        first_call={name: timing.first_call},
        number={name: timing.number},
        notes=timing.notes,
        interrupted=timing.interrupted,
    )


def _named(fns: Any, named: Mapping[str, Callable]) -> dict[str, Callable]:
    """Return the candidates by name; their own names are taken where they are given as a list."""
    pairs: list[tuple[str, Callable]] = []
    if isinstance(fns, Mapping):
        pairs += fns.items()
    elif isinstance(fns, Iterable):
        pairs += [(getattr(fn, "__name__", str(i)), fn) for i, fn in enumerate(fns)]
    elif fns is not None:
        raise TypeError(f"expected a dict of name to function, got {rounds.kind_of(fns)}")
    pairs += named.items()
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        raise ValueError(
            f"two candidates have the same name: {names}; pass a dict of name to function"
        )
    return dict(pairs)


def _check_baseline(baseline: str, candidates: Mapping[str, Callable]) -> None:
    """Raise ValueError where the baseline is none of the candidates."""
    if baseline in candidates:
        return
    near = get_close_matches(str(baseline), candidates, n=1)
    hint = f"did you mean {near[0]!r}" if near else str(list(candidates))
    raise ValueError(f"no candidate is named {baseline!r}: {hint}")


def _check_share(name: str, value: float, low: float, high: float) -> None:
    """Raise ValueError where an option lies outside its range."""
    if not low < value < high:
        raise ValueError(f"{name} must lie between {low} and {high}, got {value}")


def _bind(fn: Callable, value: Any) -> Callable:
    """Return a function without arguments that passes `value` to `fn`."""

    def call() -> Any:
        return fn(value)

    return call


def _shows_progress(progress: str | bool, budget: float) -> bool:
    """Return whether to show a progress bar."""
    return budget > LONG_BUDGET if progress == "auto" else bool(progress)
