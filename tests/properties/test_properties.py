"""Every public function gives a result or a documented error, and changes nothing around it.

Around it is what the other cells of a notebook live on: garbage collection, threads, the
environment, random numbers, matplotlib's settings and figures, the stop button, the folder.
"""

import builtins
import contextlib
import functools
import gc
import inspect
import os
import random
import re
import signal
import sys
import threading
import time
import warnings
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import tensorflow as tf
from fakes import REPEATABLE, every_result
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from matplotlib import pyplot as plt
from test_public import public_functions_and_classes

import labkit as lab
from labkit import own_model
from labkit.course import claims
from labkit.own_model.candidates import CALL, FUNCTION

# ---- what must stay as it was ----


def interpreter():
    """Return the state of what is around a call."""
    numpys = np.random.get_state()
    return {
        "garbage collection": (gc.isenabled(), gc.get_threshold(), gc.get_debug()),
        # tqdm has a thread of its own from its first bar on, also for the learner's bars.
        "threads": {thread.name for thread in threading.enumerate()} - {"tqdm_monitor"},
        "environment": dict(os.environ),
        "random": random.getstate(),
        "random of NumPy": (numpys[1].tobytes(), numpys[2:]),
        "settings of matplotlib": dict(matplotlib.rcParams),
        "open figures": plt.get_fignums(),
        "filters of warnings": list(warnings.filters),
        "signals": [signal.getsignal(name) for name in (signal.SIGINT, signal.SIGTERM)],
        "folder": os.getcwd(),
        "search path": list(sys.path),
        "streams and hooks": (sys.stdout, sys.stderr, sys.displayhook, sys.excepthook),
        "profiler": (sys.gettrace(), sys.getprofile()),
        "TensorFlow": (tf.executing_eagerly(), tf.config.functions_run_eagerly()),
    }


@contextlib.contextmanager
def unchanged(but=()):
    """Check that a block leaves the interpreter as it was, apart from what is named."""
    tf.random.set_seed(7)
    expected = float(tf.random.uniform(()))
    tf.random.set_seed(7)
    before, modules = interpreter(), set(sys.modules)
    yield
    after = interpreter()
    end = time.monotonic() + 5
    while after["threads"] - before["threads"] and time.monotonic() < end:
        time.sleep(0.01)  # a thread that was told to end needs a moment
        after = interpreter()
    before["random of TensorFlow"] = expected
    after["random of TensorFlow"] = float(tf.random.uniform(()))
    changed = {name for name in before if after[name] != before[name]}
    if not after["threads"] - before["threads"]:
        changed.discard("threads")  # one that was there before has ended
    if set(sys.modules) - modules:
        changed.discard("filters of warnings")  # a package may add some when it is imported
    new = after["threads"] - before["threads"]
    assert sorted(changed - set(but)) == [], new


# What a function is there to change.
CHANGES = {
    # Its inputs differ in every check, and are the same in every run of a lesson.
    "labkit.check": {"random"},
    "labkit.setup": {"random", "random of NumPy", "random of TensorFlow", "environment"},
}


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("garbage collection", gc.disable),
        ("threads", lambda: threading.Thread(target=time.sleep, args=(9,), daemon=True).start()),
        ("environment", lambda: os.environ.update(NEW_IN_THIS_TEST="1")),
        ("random", random.random),
        ("random of NumPy", np.random.rand),
        ("random of TensorFlow", lambda: tf.random.uniform(())),
        ("settings of matplotlib", lambda: matplotlib.rcParams.update({"axes.grid": True})),
        ("open figures", plt.figure),
        ("filters of warnings", lambda: warnings.simplefilter("ignore")),
        ("signals", lambda: signal.signal(signal.SIGINT, lambda *_: None)),
        ("profiler", lambda: sys.setprofile(lambda *_: None)),
        ("TensorFlow", lambda: tf.config.run_functions_eagerly(True)),
    ],
)
def test_a_change_is_noticed(monkeypatch, name, change):
    handler = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(time, "monotonic", iter(range(0, 10**6, 10)).__next__)
    with warnings.catch_warnings(), matplotlib.rc_context():
        try:
            with pytest.raises(AssertionError, match=f"'{name}'"), unchanged():
                change()
        finally:
            gc.enable()
            os.environ.pop("NEW_IN_THIS_TEST", None)
            plt.close("all")
            signal.signal(signal.SIGINT, handler)
            sys.setprofile(None)
            tf.config.run_functions_eagerly(False)


# ---- what a function may raise ----


def documented(function):
    """Return the errors that the docstring of a function lists."""
    text = inspect.getdoc(function) or ""
    section = re.search(r"^Raises\n-+\n(.*?)(?=^\w+\n-+\n|\Z)", text, re.MULTILINE | re.DOTALL)
    if section is None:
        return ()
    names = ", ".join(re.findall(r"^(\w.*)$", section[1], re.MULTILINE)).split(", ")
    return tuple(getattr(own_model, name, None) or getattr(builtins, name) for name in names)


def test_the_errors_are_those_of_the_docstring():
    assert documented(lab.compare) == (AssertionError, TypeError, ValueError, KeyboardInterrupt)
    assert documented(own_model.diagnose) == (own_model.BadModel, KeyboardInterrupt)
    assert documented(lab.count) == (KeyboardInterrupt,)
    assert documented(lab.doctor) == ()


class OwnError(Exception):
    """What a function raises that a learner hands over."""


def raising(*_):
    raise OwnError("as it is")


# ---- arguments ----

ANYTHING = st.sampled_from(
    [
        None,
        True,
        0,
        -1,
        2.5,
        float("nan"),
        float("inf"),
        "",
        "abc",
        b"x",
        [],
        [1, 2],
        {},
        {1: 2},
        object(),
        np.ones(3),
        int,
        raising,
    ]
)
FUNCTIONS = st.sampled_from(
    [
        lambda: None,
        lambda: 1.0,
        lambda: sum(range(100)),
        lambda: np.ones(3),
        lambda: (i for i in range(3)),
        raising,
        dict,
    ]
)
MAYBE_FUNCTIONS = FUNCTIONS | ANYTHING | st.just(lambda x: x)
# Measurements are short, or refused.
BUDGETS = st.sampled_from([0.001, 0.002, 1e-9, 0, -1, 601, float("nan"), float("inf"), True])
COUNTS = st.integers(-1, 4)
FLOATS = st.floats() | st.sampled_from([0.0, 1.0, 1e-300, 1e300])
TEXTS = st.text(max_size=8)
PROGRESS = st.sampled_from([False, "auto"])
COMPARE = {
    "baseline": st.sampled_from([None, "a", "b", "c", ""]),
    "margin": st.floats(-0.1, 1.1),
    "confidence": st.floats(0.4, 1.1),
    "setup": st.none() | MAYBE_FUNCTIONS,
    "number": st.none() | COUNTS | st.just(True),
    "check": st.booleans() | st.just(lambda a, b: True) | st.just(raising),
    "sync": st.sampled_from(["auto", "none", lambda: None]),
    "collect_garbage": st.booleans(),
    "seed": st.none() | st.integers(0, 9),
}
RESULTS = [every_result(0), every_result(1, scale=1e-3), every_result(2, scale=1e3)]
GUESSES = st.none() | FLOATS


def result(kind):
    return st.sampled_from([results[kind] for results in RESULTS])


def some(options, **always):
    """Return a strategy for keywords: some of the options, and all of `always`."""
    return st.fixed_dictionaries(always, optional=options)


def drawn_axes():
    """Return axes that no other test draws on, not those of pyplot."""
    _, ax = lab.figure.new_axes()
    ax.plot([1, 2], [1, 3], label="a")
    return ax


def draw_figure(**_):
    return lab.figure.Figure(drawn_axes().figure, "A line.")


FIGURES = st.just(draw_figure)
AXES = st.builds(drawn_axes)
AXIS = AXES.map(lambda ax: ax.xaxis)
PLACES = st.dictionaries(st.sampled_from("abc"), st.tuples(st.floats(1, 2), st.floats(1, 3)))
SMALL = st.integers(1, 4)


@functools.cache
def small_model():
    """Return a model of ten inputs, made once."""
    return lab.models.mlp()


@functools.cache
def litert_file():
    """Return the content of a .tflite file of that model."""
    return tf.lite.TFLiteConverter.from_keras_model(small_model()).convert()


MODELS = st.builds(small_model)

# For each public name: its positional arguments, and its keywords.
ARGUMENTS = {
    "labkit.Table": (
        [st.lists(TEXTS, max_size=3), st.lists(st.lists(TEXTS, max_size=3), max_size=3)],
        some({"caption": TEXTS, "notes": st.lists(TEXTS, max_size=2)}),
    ),
    "labkit.check": ([st.sampled_from(["02.1", "02.3", "99.9", ""]), MAYBE_FUNCTIONS], some({})),
    "labkit.claim": ([TEXTS, TEXTS, ANYTHING | st.booleans()], some({"measured": TEXTS})),
    "labkit.compare": (
        [st.dictionaries(st.sampled_from("abc"), MAYBE_FUNCTIONS) | ANYTHING],
        some(COMPARE, budget=BUDGETS, progress=PROGRESS),
    ),
    "labkit.count": ([], some({})),
    "labkit.doctor": ([st.booleans()], some({})),
    "labkit.expect": ([st.sampled_from([OwnError, ValueError]) | ANYTHING], some({"match": TEXTS})),
    "labkit.explore": (
        [FIGURES | MAYBE_FUNCTIONS],
        some({name: st.lists(SMALL, max_size=3) for name in ("batch", "depth")}),
    ),
    "labkit.figure.Figure": ([AXES.map(lambda ax: ax.figure), TEXTS], some({"alt": TEXTS})),
    "labkit.figure.label_line_ends": ([AXES, PLACES], some({})),
    "labkit.figure.label_points": ([AXES, PLACES], some({})),
    "labkit.figure.label_sizes": ([AXIS, st.lists(st.integers(1, 10**6), max_size=5)], some({})),
    "labkit.figure.mark_guess": ([AXES, GUESSES, st.floats(0.01, 1e6)], some({})),
    "labkit.figure.new_axes": ([st.floats(1, 9), st.floats(1, 9)], some({})),
    "labkit.figure.plain_log_axis": ([AXIS, TEXTS], some({})),
    "labkit.figure.style": ([st.integers(0, 99)], some({})),
    "labkit.figure.with_course_style": ([st.just(lambda: None)], some({})),
    "labkit.first_call": (
        [st.sampled_from([lambda: lambda: 1, lambda: None, lambda: raising]) | MAYBE_FUNCTIONS],
        some({"n": COUNTS | ANYTHING}),
    ),
    "labkit.format.digits": ([FLOATS], some({})),
    "labkit.format.duration": (
        [FLOATS],
        some({"interval": st.none() | st.tuples(FLOATS, FLOATS)}),
    ),
    "labkit.format.measured": (
        [FLOATS, st.sampled_from(["", "ms", "×"])],
        some({"interval": st.none() | st.tuples(FLOATS, FLOATS)}),
    ),
    "labkit.format.measured_count": ([st.integers(), TEXTS], some({})),
    "labkit.format.plain_number": ([FLOATS], some({})),
    "labkit.format.time_unit": ([st.lists(FLOATS)], some({})),
    "labkit.growth": (
        [FUNCTIONS],
        some(
            {},
            what=st.sampled_from(["memory", "ops", "graphs", "cost", "", "speed"]),
            calls=COUNTS,
            blocks=st.integers(6, 9),
            progress=PROGRESS,
        ),
    ),
    "labkit.guess": ([TEXTS], some({"whole": st.booleans()}, low=FLOATS, high=FLOATS)),
    "labkit.hint": ([st.sampled_from(["02.1", "99.9", ""]), st.integers(-1, 5)], some({})),
    "labkit.models.kinds": ([st.integers(0, 3)], some({})),
    "labkit.models.mlp": ([SMALL, COUNTS, SMALL, SMALL, st.integers(0, 9)], some({})),
    "labkit.models.random_rows": ([st.integers(0, 9), SMALL, st.integers(0, 9)], some({})),
    "labkit.models.service": ([st.integers(0, 3)], some({})),
    "labkit.own_model.compare_candidates": (
        [
            st.dictionaries(st.sampled_from("abc"), st.just(lambda model, row: lambda x: x)),
            st.just(None),
            st.just(1.0),
        ],
        some({}, baseline=st.sampled_from(["a", "z"]), budget=st.just(0.01)),
    ),
    "labkit.own_model.compare_models": (
        [ANYTHING, ANYTHING],
        some({}, progress=st.just(False), budget=st.just(1.0)),
    ),
    "labkit.own_model.default_model": ([st.sampled_from(["nowhere", "no/where", "."])], some({})),
    "labkit.own_model.diagnose": (
        [ANYTHING.filter(lambda source: source is not None)],
        some(
            {"shape": ANYTHING, "dtype": ANYTHING, "sample": ANYTHING},
            progress=st.just(False),
            budget=st.just(1.0),
        ),
    ),
    "labkit.own_model.diagnose_loop": ([MAYBE_FUNCTIONS], some({}, budget=st.just(0.01))),
    "labkit.own_model.form": ([st.sampled_from(["report.html", "a b.html"])], some({})),
    "labkit.own_model.inspect": (
        [MODELS | ANYTHING],
        some({"trust": st.booleans(), "signature": TEXTS}),
    ),
    "labkit.own_model.litert_interpreter": (
        [st.builds(litert_file) | st.just(b"no model"), st.tuples(SMALL, st.just(10) | SMALL)],
        some({"threads": SMALL}),
    ),
    "labkit.plots.break_even": ([result("comparison") | result("several")], some({"calls": SMALL})),
    "labkit.plots.cost_of_one_row": (
        [result("comparison")],
        some({"rows": st.dictionaries(st.sampled_from(["graph", "eager", "z"]), COUNTS)}),
    ),
    "labkit.plots.growth": (
        [st.sampled_from([r[kind] for r in RESULTS for kind in ("memory", "ops", "cost")])],
        some({}),
    ),
    "labkit.plots.ladder": (
        [st.fixed_dictionaries({}, optional={"a": result("comparison"), "b": result("several")})],
        some({"unit": TEXTS, "guess": GUESSES}),
    ),
    "labkit.plots.latency": (
        [
            st.dictionaries(
                st.sampled_from("ab"),
                st.dictionaries(
                    SMALL, st.tuples(st.lists(st.floats(1e-6, 9), min_size=1), st.floats(1, 1e5))
                ),
            )
        ],
        some({}),
    ),
    "labkit.plots.one_call": ([result("call")], some({})),
    "labkit.plots.one_ladder": ([result("comparison") | result("several")], some({})),
    "labkit.plots.ratio": (
        [result("comparison")],
        some({"guess": GUESSES, "of": st.sampled_from([None, "graph", "z"])}),
    ),
    "labkit.plots.roofline": (
        [
            st.floats(1e9, 1e13),
            st.floats(1e9, 1e12),
            st.dictionaries(
                st.sampled_from("ab"), st.tuples(st.floats(0.01, 1e3), st.floats(1e6, 1e13))
            ),
        ],
        some({}),
    ),
    "labkit.plots.rounds": ([result("comparison") | result("several")], some({})),
    "labkit.plots.scaling": ([result("sweep")], some({"per": TEXTS, "xlabel": TEXTS})),
    "labkit.plots.shares": ([result("profile")], some({})),
    "labkit.plots.strip": ([result("count")], some({})),
    "labkit.plots.timeline": (
        [
            st.dictionaries(
                st.sampled_from("ab"),
                st.lists(st.tuples(st.floats(0, 1), st.floats(1, 2)), min_size=1),
                min_size=1,
            ),
            TEXTS,
        ],
        some({}),
    ),
    "labkit.plots.times": ([result("comparison") | result("timing")], some({})),
    "labkit.profile": ([FUNCTIONS], some({"calls": SMALL})),
    "labkit.progress": ([st.sampled_from(["", "02", "99"])], some({})),
    "labkit.setup": ([st.integers(0, 9)], some({})),
    "labkit.sweep": (
        [st.dictionaries(st.sampled_from("ab"), MAYBE_FUNCTIONS), st.lists(SMALL, max_size=2)],
        some({"setup": st.none() | MAYBE_FUNCTIONS}, budget=BUDGETS, progress=PROGRESS),
    ),
    "labkit.timeit": (
        [MAYBE_FUNCTIONS],
        some(
            {name: COMPARE[name] for name in ("setup", "number", "sync")},
            budget=BUDGETS,
            progress=PROGRESS,
        ),
    ),
    "labkit.verdicts": (
        [st.none() | st.dictionaries(TEXTS, TEXTS, max_size=2)],
        some({}),
    ),
}
# Arguments that are right, where those that are drawn rarely all are.
RIGHT = {
    "labkit.compare": (({"a": dict, "b": dict},), {"budget": 0.002}),
    "labkit.expect": ((OwnError,), {"match": "as it is"}),
    "labkit.explore": ((lambda batch: draw_figure(),), {"batch": [1, 2]}),
    "labkit.first_call": ((lambda: dict,), {"n": 2}),
    "labkit.guess": (("how many times",), {"low": 1.0, "high": 10.0}),
    "labkit.sweep": (({"a": lambda n: n}, [1, 2]), {"budget": 0.002}),
}
# Arguments of these are refused; that they give results is tested below, each once.
WITH_A_MODEL = {"labkit.own_model.compare_models", "labkit.own_model.diagnose"}
QUICK = {"candidates": [CALL, FUNCTION], "progress": False}
DEAR = {
    "labkit.check": 6,
    "labkit.models.kinds": 1,
    "labkit.models.service": 2,
    "labkit.own_model.compare_models": 5,
    "labkit.own_model.diagnose_loop": 6,
}
PLOTS = 4  # examples: each draws a picture
EXAMPLES = 25
PHASES = [Phase.explicit, Phase.generate, Phase.shrink]  # to explain a failure takes minutes


def examples(name):
    if name.startswith(("labkit.plots.", "labkit.figure.")):
        return PLOTS
    return DEAR.get(name, EXAMPLES)


def found(name):
    """Return the function of a name such as ``labkit.plots.times``."""
    thing = lab
    for part in name.split(".")[1:]:
        thing = own_model if part == "own_model" else getattr(thing, part)
    return thing


def use(function, arguments, keywords):
    """Call a function, and look at what it returns as a notebook does."""
    returned = function(*arguments, **keywords)
    if isinstance(returned, contextlib.AbstractContextManager) and not isinstance(returned, Path):
        with returned:
            if function is lab.expect:
                raising()
            sum(range(3))
    repr(returned)


# ---- the properties ----


@pytest.fixture(scope="module", autouse=True)
def quiet(tmp_path_factory):
    """Keep records and files in a folder of these tests, and collections short.

    With TensorFlow loaded, a full collection takes a third of a second.
    """
    folder = tmp_path_factory.mktemp("here")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LABKIT_HOME", str(folder))
        patch.setenv("TQDM_DISABLE", "1")
        for name in ("LABKIT_STRICT", "LABKIT_BUDGET", "LABKIT_ROUNDS"):
            patch.delenv(name, raising=False)
        patch.chdir(folder)
        patch.setattr(gc, "collect", lambda generation=2: 0)
        patch.setattr(claims, "_tried", {})
        lab.setup()
        drawn_axes()  # what matplotlib does at its first figure
        yield


def test_every_public_name_has_arguments_here():
    assert set(ARGUMENTS) == set(public_functions_and_classes())


@pytest.mark.parametrize("name", ARGUMENTS)
def test_it_gives_a_result_or_a_documented_error_and_changes_nothing(name, monkeypatch):
    monkeypatch.setattr(claims, "_tried", {})
    function = found(name)
    positional, keywords = ARGUMENTS[name]
    allowed = (*documented(function), OwnError)
    if name == "labkit.expect":
        allowed = (*allowed, AssertionError)  # the block raises nothing

    results = 0

    def holds(arguments, named):
        nonlocal results
        with unchanged(CHANGES.get(name, ())), contextlib.suppress(*allowed):
            use(function, arguments, named)
            results += 1

    # What hypothesis draws depends on the modules that other tests have imported: where all of a
    # few examples were errors, more are tried.
    for times in (1, 20):
        tried = given(st.tuples(*positional), keywords)(holds)
        if name in RIGHT:
            tried = example(*RIGHT[name])(tried)
        settings(
            **REPEATABLE,
            phases=PHASES,
            max_examples=times * examples(name),
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.differing_executors],
        )(tried)()
        if results or name in WITH_A_MODEL:
            break
    assert results or name in WITH_A_MODEL, "every example was an error"


def test_a_diagnosis_gives_a_result_and_changes_nothing():
    with unchanged():
        own_model.diagnose(small_model(), batches=[1], budget=1, **QUICK)


def test_a_comparison_of_models_gives_a_result_and_changes_nothing():
    with unchanged():
        own_model.compare_models(small_model(), lab.models.mlp(), budget=1, **QUICK)


@pytest.mark.parametrize("error", [OwnError, KeyboardInterrupt, ValueError])
@pytest.mark.parametrize("measure", [lab.timeit, lab.profile, lab.growth, own_model.diagnose_loop])
def test_what_a_candidate_raises_leaves_nothing_behind(measure, error):
    calls = 0

    def fails():
        nonlocal calls
        calls += 1
        if calls == 3:
            raise error("in the third call")

    with unchanged(), contextlib.suppress(error):
        measure(fails)
