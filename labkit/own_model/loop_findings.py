"""What the watch of a loop means: findings, each tied to a count, with what to change."""

import itertools
import linecache
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..show.format import duration, measured
from . import loop_watch as watch
from .loop_operations import Operations
from .loop_watch import Event, Seen

LESSONS = {
    "02": "02_direct_call_loop.ipynb",
    "03": "03_tf_function.ipynb",
    "04": "04_inside_the_graph.ipynb",
    "05": "05_tf_data.ipynb",
    "06": "06_loops_in_the_graph.ipynb",
    "07": "07_training_step.ipynb",
    "08": "08_tf1_session_batching.ipynb",
    "10": "10_saved_models.ipynb",
    "11": "11_loading_in_a_loop.ipynb",
    "12": "12_swap_while_serving.ipynb",
    "13": "13_make_it_fast.ipynb",
    "14": "14_many_callers.ipynb",
}
MANY = 3  # times: what happens less often is no habit of the loop
FEW_ROWS = 32  # one batch of predict: with fewer rows per call the call itself is what costs
NOTICED = 0.05  # share of the time: less is not worth a change
_WAITS = 0.2  # share of the time: a pipeline that reads ahead in time takes less
_LONGEST_LINE = 80  # characters of a line that is shown
_MANY_MODELS = 6  # in one run: from here on the graphs that they leave are worth a change, too
_WORTH_A_CHANGE = 0.3  # share of the time
_COMPUTES = 0.4  # share of the time: a generator that takes less may overlap with what it feeds
MOSTLY_PYTHON = 0.4  # share of the time: an eager call that spends more in Python is small
_USES = (watch.FIT, watch.BATCH, watch.PREDICT, watch.LAYER, watch.FUNCTION, watch.GRADIENT)
_OF_MODELS = (watch.PREDICT, watch.FIT, watch.BATCH, watch.LAYER)
MANY_OPERATIONS = 100  # that Python calls one by one in a pass
_MANY_AT_A_PLACE = 30  # of them in one line: fewer may be one call that is not in a loop
_PER_GRAPH = 5  # of them for each call of a graph: fewer take what a graph needs and gives
_QUICKLY = 0.2  # seconds between two calls of what makes TensorFlow prepare everything anew
_SETS_UP = 0.25  # share of the time: a pipeline is set up from Python, and then waited for
_STEP = "one_step_on_data"  # Keras' name of what predict, fit and their like trace of a model
_LEAST_READINGS = 16  # of the memory
_GROWN = 64 * 2**20  # bytes: less may be a cache that fills
_STARVED = 0.3  # share of the time: less is what the beginning of each call of `fit` takes
_MANY_ELEMENTS = 8  # calls of a pipeline's functions for each element that a graph gets
_MOST_OF_IT = 0.5  # share of what operations take: what has more is the cost, not the model
_CONSTANT_CALLS = 5  # in a pass
_MAP = "map"  # the name of what tf.map_fn computes, in graphs
_SMALL_OPERATION = 100e-6  # seconds: to start one of a graph takes a few microseconds
WAITS_FOR_DATA = ("waits for the pipeline", "map before batch")  # causes
SURE = 1.0  # of what is wrong however long it takes


@dataclass
class Finding:
    """One cause: what was counted, and what to change.

    Attributes
    ----------
    cause : str
        A short name, the same for the same cause.
    evidence : str
        What was counted, in a sentence.
    lesson : str
        File of the lesson that explains it.
    change : str
        The lines to change, as code with comments.
    share : float
        The part of the loop's time that it took; 1 for what is wrong whatever it takes.
    place : str
        The line of the program that calls what it is about; empty where there is none.
    """

    cause: str
    evidence: str
    lesson: str
    change: str
    share: float = SURE
    place: str = ""


@dataclass
class Evidence:
    """What was seen of a loop, and in how many passes."""

    seen: Seen
    passes: int
    seconds: float  # of all passes but the first, or of the only one
    all_seconds: float = 0.0  # of all passes
    python_share: float = 0.0  # of the time, in the Python code of Keras and TensorFlow
    graphs_per_pass: float = 0.0  # that stayed alive
    has_gpu: bool = False
    operations_share: float = 0.0  # of the time, in TensorFlow's operations
    steady: list[Event] = field(init=False)

    def __post_init__(self) -> None:
        later = [event for event in self.seen.events if event.in_pass > 0]
        self.steady = later if self.passes > 1 else self.seen.events

    def of(self, *kinds: str) -> list[Event]:
        """Return the events of some kinds, without those of the first pass if there are others."""
        return [event for event in self.steady if event.kind in kinds]

    @property
    def steady_passes(self) -> int:
        """How many passes the events of `of` come from."""
        return max(self.passes - 1, 1)

    @property
    def often(self) -> int:
        """How many times something is called that is called in a loop within a pass."""
        return MANY * self.steady_passes if self.passes > 1 else 2 * MANY

    @property
    def least_share(self) -> float:
        """The share of the time from which on it counts; a single run also prepares the loop."""
        return NOTICED if self.passes > 1 else _WAITS

    def at_one_place(self, events: Sequence[Event], least: int) -> list[Event]:
        """Return the events of those lines of the program that made at least so many."""
        places = Counter(event.place for event in events)
        return [event for event in events if places[event.place] >= least]

    def costly(self, kind: str) -> list[Event]:
        """Return the events of a kind that a line makes often, if they take time worth a change."""
        events = self.at_one_place(self.of(kind), self.often)
        return events if self.share(events) >= self.least_share else []

    def share(self, events: Iterable[Event]) -> float:
        """Return the part of the time that these events took."""
        return sum(event.seconds for event in events) / max(self.seconds, 1e-9)


Rule = Callable[[Evidence], list[Finding]]
RuleOfOperations = Callable[[Evidence, Operations], list[Finding]]
_RULES: list[Rule] = []
_RULES_OF_OPERATIONS: list[RuleOfOperations] = []


def _rule(function: Rule) -> Rule:
    _RULES.append(function)
    return function


def _rule_of_operations(function: RuleOfOperations) -> RuleOfOperations:
    _RULES_OF_OPERATIONS.append(function)
    return function


def find(evidence: Evidence) -> list[Finding]:
    """Return the findings, what costs most first."""
    findings = []
    for rule in _RULES:
        findings += [one for one in rule(evidence) if one.share >= NOTICED]
    if not findings:  # each of the others would explain them
        findings = _eager_operations(evidence)
    if not findings:
        findings = _growing_memory(evidence)
    return sorted(findings, key=lambda one: -one.share)


def find_in_operations(evidence: Evidence, operations: Operations) -> list[Finding]:
    """Return what a recorded pass says of a loop in which `find` finds nothing."""
    findings = []
    for rule in _RULES_OF_OPERATIONS:
        findings += rule(evidence, operations)
    return sorted(findings, key=lambda one: -one.share)


def notes_of(evidence: Evidence) -> list[str]:
    """Return what is no cause in a program that makes one pass, and is one in another program."""
    notes = []
    loaded = _loaded_once(evidence)
    if evidence.share(loaded) >= NOTICED:
        notes.append(
            f"Each pass loads {loaded[0].name} once, before it uses it, which takes "
            f"{_part(evidence.share(loaded))}: where your program makes many passes, load it "
            "before the first."
        )
    few = _few_builds(evidence)
    if few:
        notes.append(
            f"{len(few)} models are built in this run, which is worth a change only with many "
            "more of them, or with less training on each."
        )
    return notes


def where(events: Sequence[Event]) -> str:
    """Return the line of the program from which most of these were called."""
    return _most_frequent(Counter(event.place for event in events))


def _most_frequent(places: Counter[str]) -> str:
    """Return the line of the program that stands most often among these, as a reader finds it."""
    file_name, _, line = max(places, key=lambda place: places[place], default="").rpartition(":")
    if not file_name or not line.isdecimal():  # an object that is called is no line
        return ""
    linecache.checkcache(file_name)  # the program may have been changed since it was last read
    text = linecache.getline(file_name, int(line)).strip()
    text = text if len(text) <= _LONGEST_LINE else f"{text[:_LONGEST_LINE]} …"
    if not Path(file_name).is_file():  # a cell: its file is in the memory of the kernel
        return text
    return f"line {line} of {Path(file_name).name}: {text}"


def times(number: float, words: str = "") -> str:
    """Return a count in words: "once", or "1,000 times"."""
    text = "once" if number == 1 else f"{number:,.0f} times"
    return f"{text} {words}".strip()


# ---- what hangs or answers wrong ----


@_rule
def _forks(evidence: Evidence) -> list[Finding]:
    if not evidence.seen.forks:
        return []
    return [
        Finding(
            "fork",
            f"A process was forked {times(evidence.seen.forks)} after TensorFlow had been used: "
            "TensorFlow's threads are not there in the child, which may hang at its first call.",
            LESSONS["10"],
            'context = multiprocessing.get_context("spawn")  # in place of fork\n'
            "# and load the model in the child",
            share=4.0,
        )
    ]


@_rule
def _shared_interpreter(evidence: Evidence) -> list[Finding]:
    threads = defaultdict(set)
    for event in evidence.seen.events:
        if event.kind == watch.INVOKE:
            threads[event.key].add(event.thread)
    most = max((len(ids) for ids in threads.values()), default=0)
    if most < 2:
        return []
    return [
        Finding(
            "interpreter shared",
            f"{most} threads called the same LiteRT interpreter: one thread reads the answer to "
            "another one's input, without an error.",
            LESSONS["14"],
            "local = threading.local()  # an interpreter for each thread\n"
            "# or a lock around set_tensor, invoke and get_tensor",
            share=3.0,
        )
    ]


# ---- TF1 ----


@_rule
def _growing_graph(evidence: Evidence) -> list[Finding]:
    added = sum(evidence.seen.added_after_run.values())
    runs = [event for event in evidence.seen.events if event.kind == watch.RUN]
    if added < MANY or len(runs) < MANY:
        return []
    each = added / len(runs)
    return [
        Finding(
            "graph grows",
            f"The graph gained {added:,} operations after its first run, in {len(runs):,} runs: "
            f"{each:.1f} for each. Every run then prepares a larger graph.",
            LESSONS["08"],
            "# before the loop: placeholders, operations, assignments\n"
            "graph.finalize()  # from here on, an operation that is added raises an error\n"
            "# in the loop: only session.run(what, feed_dict=...)",
            share=2.0,
            place=_most_frequent(evidence.seen.added_at),
        )
    ]


@_rule
def _sessions(evidence: Evidence) -> list[Finding]:
    made = evidence.of(watch.SESSION)
    runs = evidence.of(watch.RUN)
    if len(made) < MANY or len(runs) > 10 * len(made):
        return []
    return [
        Finding(
            "sessions made",
            f"{len(made):,} sessions were made for {len(runs):,} runs: each of them prepares the "
            "graph anew.",
            LESSONS["08"],
            "session = tf.compat.v1.Session(graph=graph)  # once, before the loop",
            share=max(evidence.share(made + runs), NOTICED),
            place=where(made + runs),
        )
    ]


# ---- models ----


@_rule
def _loads(evidence: Evidence) -> list[Finding]:
    loads = _loads_in_loop(evidence)
    if not loads:
        return []
    cost = evidence.share([*loads, *_first_calls_of_loaded(evidence)])
    names = {event.name for event in loads}
    what = f"{next(iter(names))} was" if len(names) == 1 else f"{len(names):,} files were"
    return [
        Finding(
            "model loaded in the loop",
            f"{what} loaded {times(len(loads), _in_passes(evidence))}, which took "
            f"{_part(cost)}, with the first call of each.",
            LESSONS["11"],
            "model = keras.saving.load_model(path)  # once, before the loop",
            share=cost,
            place=where(loads),
        )
    ]


def _again_and_again(evidence: Evidence, kind: str) -> list[Event]:
    """Return what one line of the program makes again and again, and does not make in advance.

    In a single run, something has to be called in between: three models that are built one after
    another, before the loop, belong to no loop.
    """
    made = evidence.at_one_place(evidence.of(kind), _habit(evidence))
    if evidence.passes > 1:
        return made
    places = {event.place for event in made}
    used: Counter[str] = Counter()
    waiting: set[str] = set()
    for event in evidence.steady:
        if event.kind == kind and event.place in places:
            waiting.add(event.place)
        elif event.kind in _USES:
            used.update(waiting)
            waiting.clear()
    return [event for event in made if used[event.place] >= MANY]


def _loads_in_loop(evidence: Evidence) -> list[Event]:
    """Return what the loop loads again and again."""
    once = {id(event) for event in _loaded_once(evidence)}
    loads = _again_and_again(evidence, watch.LOAD)
    return [event for event in loads if id(event) not in once]


def _loaded_once(evidence: Evidence) -> list[Event]:
    """Return what each pass loads once, first, and then uses again and again: it is in no loop.

    Unless graphs stay alive: then a pass is not over when it ends.
    """
    if evidence.passes == 1 or evidence.graphs_per_pass >= 1:
        return []
    in_pass = Counter((event.in_pass, event.place) for event in evidence.of(watch.LOAD))
    uses: Counter[int] = Counter()
    found = []
    for event in reversed(evidence.steady):
        uses[event.in_pass] += event.kind in _USES
        is_only = event.kind == watch.LOAD and in_pass[event.in_pass, event.place] == 1
        if is_only and uses[event.in_pass] >= MANY:
            found.append(event)
    return found


def _first_calls_of_loaded(evidence: Evidence) -> list[Event]:
    """Return the calls that prepared a model which the loop had loaded: a kept one needs none."""
    if not _loads_in_loop(evidence):
        return []
    calls = evidence.of(watch.FIT, watch.BATCH, watch.PREDICT)
    return [call for call in calls if any(_STEP in trace.name for trace in call.traces)]


@_rule
def _builds(evidence: Evidence) -> list[Finding]:
    built = _again_and_again(evidence, watch.BUILD)
    compiled = _again_and_again(evidence, watch.COMPILE)
    if (not built and not compiled) or _few_builds(evidence):
        return []
    first_calls = _first_calls(evidence)
    cost = _cost_of_new_models(evidence, [*built, *compiled])
    counts = []
    if built:
        counts.append(f"{len(built):,} models were built")
    if compiled:
        counts.append(f"compile was called {times(len(compiled))}")
    traces = sum(_traced(event) for event in first_calls)
    alive = _alive(evidence)
    least = 0.0
    if evidence.passes > 1:
        # What a constructor takes is a part of the cost, and the rest of it is no operation either.
        least = 1.5 if alive else min(0.5, 1 - evidence.operations_share)
    if built and compiled:
        change = (
            "# once, before the loop\n"
            "model.compile(...)\n"
            "model.optimizer.build(model.trainable_variables)\n"
            "start = model.get_weights()\n"
            "slots = [variable.numpy() for variable in model.optimizer.variables]\n"
            "# in the loop: begin again with the weights, not with a new model\n"
            "model.set_weights(start)\n"
            "for variable, value in zip(model.optimizer.variables, slots):\n"
            "    variable.assign(value)\n"
            "# a seed that building the model sets has to be set here"
        )
    elif compiled:
        change = (
            "model.compile(...)  # once, before the loop\n"
            "model.optimizer.learning_rate.assign(rate)  # where the loop changes it\n"
            "# where it changes trainable: a step of your own for each choice of variables\n"
            "# where it begins again: model.set_weights(start), with the weights of the beginning"
        )
    else:
        change = "model = build()  # once, before the loop; in the loop: model.set_weights(start)"
    return [
        Finding(
            "model built in the loop" if built else "model compiled in the loop",
            f"{' and '.join(counts)} {_in_passes(evidence)}. What is called first on each was "
            f"traced anew: {traces:,} graphs. That took {_part(cost)}.{alive}",
            LESSONS["11"],
            change,
            share=max(cost, least),
            place=where([*built, *compiled]),
        )
    ]


def _first_calls(evidence: Evidence) -> list[Event]:
    """Return the calls of models in which graphs were traced."""
    return [e for e in evidence.of(watch.FIT, watch.BATCH, watch.PREDICT) if _traced(e)]


def _cost_of_new_models(evidence: Evidence, made: Sequence[Event]) -> float:
    """Return the share of the time that it took to make models, and to trace what they do."""
    traced = sum(event.trace_seconds for event in _first_calls(evidence))
    return evidence.share(made) + traced / max(evidence.seconds, 1e-9)


def _few_builds(evidence: Evidence) -> list[Event]:
    """Return the models of a single run, such as a cross-validation, if they are few and cheap.

    One of them has to be built and traced anyway.
    """
    if evidence.passes > 1:
        return []
    built = _again_and_again(evidence, watch.BUILD)
    made = [*built, *_again_and_again(evidence, watch.COMPILE)]
    spared = _cost_of_new_models(evidence, made) * (1 - 1 / max(len(built), 1))
    return built if 0 < len(built) < _MANY_MODELS and spared < _WORTH_A_CHANGE else []


@_rule
def _graphs_alive(evidence: Evidence) -> list[Finding]:
    if evidence.graphs_per_pass < 1 or len(evidence.of(watch.BUILD, watch.COMPILE)) >= MANY:
        return []
    if _traces(evidence.of(watch.FUNCTION, watch.BATCH)):  # another finding tells of these graphs
        return []
    return [
        Finding(
            "graphs stay alive",
            f"{evidence.graphs_per_pass:,.0f} graphs per pass stayed alive after garbage "
            "collection: memory grows as long as the loop runs.",
            LESSONS["11"],
            "# make each tf.function once, before the loop; a step that trains, too",
        )
    ]


# ---- tf.function ----


@_rule
def _functions_made(evidence: Evidence) -> list[Finding]:
    findings = []
    for place, passes in evidence.seen.made.items():
        later = [number for number in passes if number > 0 or evidence.passes == 1]
        calls = [event for event in evidence.of(watch.FUNCTION) if event.key == place]
        first_calls = [event for event in calls if event.traces]
        if min(len(later), len(first_calls)) < _habit(evidence):
            continue
        if evidence.passes == 1 and _are_kept(calls):
            continue
        made = times(len(later), _in_passes(evidence))
        what, change = _what_is_made(first_calls[0], made)
        findings.append(
            Finding(
                "function made in the loop",
                f"{what}, and each was traced at its first call: {_traces(first_calls):,} graphs. "
                f"That took {_part(evidence.share(first_calls))}.{_alive(evidence)}",
                LESSONS["03"],
                change,
                share=evidence.share(first_calls),
                place=where(first_calls),
            )
        )
    return findings


def _what_is_made(call: Event, made: str) -> tuple[str, str]:
    """Return what the loop makes so many times, a function or an object with one, and a cure."""
    if not call.owner:
        what = f"A tf.function of {call.name} was made {made}"
        return what, f"{_identifier(call.name)} = tf.function(...)  # once, before the loop"
    what = f"An object of {call.owner} was made {made}; its {call.name} is a tf.function of its own"
    change = (
        f"one = {call.owner}(...)  # once, before the loop: each object has graphs of its own\n"
        f"# what differs between the objects is an argument of {call.name}, a number as a tensor"
    )
    return what, change


def _are_kept(calls: Sequence[Event]) -> bool:
    """Return whether most of these functions are still called after the last one was traced."""
    last_trace = max(i for i, call in enumerate(calls) if call.traces)
    used = {call.thing for call in calls[last_trace + 1 :]}
    return len(used) > len({call.thing for call in calls}) / 2


@_rule
def _retraces(evidence: Evidence) -> list[Finding]:
    made_often = {place for place, passes in evidence.seen.made.items() if len(passes) >= MANY}
    by_function = defaultdict(list)
    for event in evidence.seen.events:
        if event.kind == watch.FUNCTION:
            by_function[event.thing].append(event)
    findings = []
    for events in by_function.values():
        first = events[0]
        again = [event for event in events[1:] if event.traces]
        again = [event for event in again if event.in_pass > 0 or evidence.passes == 1]
        if len(again) < 2 or first.key in made_often:
            continue
        if evidence.passes == 1 and not _goes_on(events):
            continue
        whys = [event.traces[0].why for event in [first, *again] if event.traces]
        kind, change = what_changed(whys)
        if kind == "shape" and first.shapes:  # a signature would not spare the compiling
            change = _PAD
        findings.append(
            Finding(
                f"retraced: {kind}",
                f"{first.name} was called {times(len(events))} and traced "
                f"{times(len(again), 'again')}, because {_REASONS[kind]}: {_examples(whys)}. That "
                f"took {_part(evidence.share(again))}.{_alive(evidence)}",
                LESSONS["03"],
                change,
                share=evidence.share(again),
                place=where(again),
            )
        )
    return findings


def _goes_on(events: Sequence[Event]) -> bool:
    """Return whether a function is still traced in the second half of its calls."""
    return any(event.traces for event in events[len(events) // 2 :])


_REASONS = {
    "shape": "the shape of an input changed",
    "dtype": "the dtype of an input changed",
    "value": "a Python value changed, and such a value is part of the key of a graph",
    "object": "it got another object in each call",
    "structure": "the structure of its inputs changed",
}
_CHANGES = {
    "shape": (
        "@tf.function(reduce_retracing=True)\n"
        "# or input_signature=[...], the shape and dtype of each input: None for what changes"
    ),
    "dtype": "x = np.asarray(x, np.float32)  # the same dtype in every call",
    "value": "f(x, tf.constant(number))  # a tensor is an input, a Python number a part of the key",
    "object": (
        "step = agent.step  # once, before the loop: agent.step is another object each time\n"
        "f(step, x)"
    ),
    "structure": "# the same keys and lengths in every call, or one function for each form",
}
_KEPT_FUNCTION = (
    "# make the function that is passed once, before the loop: a def, a lambda or a partial in\n"
    "# the loop makes another one each time; what changes in it is an argument, as a tensor\n"
    "f(x, tf.constant(number))"
)
_PAD = (
    "# XLA compiles for each size: pad to a few, such as 8, 32 and 128 rows\n"
    "# or drop jit_compile=True for inputs of any size"
)
_SPEC = re.compile(r"(\w+)\[([^\]]*)\]")


def what_changed(whys: Sequence[str]) -> tuple[str, str]:
    """Return which part of the key of its traces a function was traced again for, and a cure."""
    kind = _kind_of_change(whys)
    if kind == "object" and "this function" in whys[-1]:
        return kind, _KEPT_FUNCTION
    return kind, _CHANGES[kind]


def _kind_of_change(whys: Sequence[str]) -> str:
    if len(set(whys)) < len(whys) or re.search(r"\bthis |the method |that is gone", whys[-1]):
        return "object"
    specs = {tuple(_SPEC.findall(why)) for why in whys}
    if len(specs) == 1:
        return "value"
    without_sizes = {_SPEC.sub(r"\1", why) for why in whys}
    if len(without_sizes) == 1:
        return "shape"
    without_specs = {_SPEC.sub("", why) for why in whys}
    return "dtype" if len(without_specs) == 1 else "structure"


def _examples(whys: Sequence[str]) -> str:
    """Return what two traces were made for: of many arguments those that differ."""
    distinct = list(dict.fromkeys(whys))[-2:]
    parts = [_arguments(why) for why in distinct]
    if len({len(part) for part in parts}) == 1 and len(distinct) == 2:
        pairs = [pair for pair in zip(*parts, strict=True) if pair[0] != pair[1]]
        distinct = [", ".join(part) for part in zip(*pairs, strict=True)]
    return " then ".join(f"`{why}`" for why in distinct)


def _arguments(why: str) -> list[str]:
    """Return the arguments in the words of a key: what commas part outside of brackets."""
    found, depth = [""], 0
    for sign in why:
        depth += (sign in "([{") - (sign in ")]}")
        if sign == "," and depth == 0:
            found.append("")
        else:
            found[-1] += sign
    return [argument.strip() for argument in found]


@_rule
def _compiled_shapes(evidence: Evidence) -> list[Finding]:
    shapes = defaultdict(set)
    names = {}
    for event in evidence.seen.events:
        if event.kind == watch.FUNCTION and event.shapes:
            shapes[event.thing].add(event.shapes)
            names[event.thing] = event.name
    findings = []
    for thing, found in shapes.items():
        calls = [e for e in evidence.of(watch.FUNCTION) if e.thing == thing and not e.traces]
        first_of_shape = _first_of_each(calls)
        if len(found) < MANY + 2 or len(found) < len(calls) / 4:
            continue
        findings.append(
            Finding(
                "compiled for each shape",
                f"{names[thing]} is compiled by XLA, and got inputs of {len(found):,} shapes: it "
                "is compiled for each of them, also where one trace serves all.",
                LESSONS["04"],
                _PAD,
                share=evidence.share(first_of_shape),
                place=where(first_of_shape),
            )
        )
    return findings


def _first_of_each(calls: Sequence[Event]) -> list[Event]:
    seen: set[str] = set()
    first = []
    for event in calls:
        if event.shapes not in seen:
            seen.add(event.shapes)
            first.append(event)
    return first


# ---- Keras in a loop ----


@_rule
def _predicts(evidence: Evidence) -> list[Finding]:
    findings = []
    by_name = defaultdict(list)
    firsts = _first_calls_of_loaded(evidence)
    for event in _of_kept_models(evidence, watch.PREDICT):
        if event not in firsts:
            by_name[event.name].append(event)
    for name, calls in by_name.items():
        small = [event for event in calls if _is_small(event, FEW_ROWS)]
        if len(small) < MANY and evidence.python_share >= _SETS_UP:
            small = _small_for_python(evidence, calls)
        if len(small) >= MANY:
            findings.append(_predict_finding(evidence, name, small))
    return findings


def _of_kept_models(evidence: Evidence, kind: str) -> list[Event]:
    """Return the calls of models that the loop does not make; in one run, those in a loop."""
    compiled = {event.key for event in evidence.of(watch.COMPILE)}
    built = {event.thing for event in _again_and_again(evidence, watch.BUILD)}
    calls = [event for event in evidence.of(kind) if event.key not in built]
    if evidence.passes == 1:  # a program compiles its models, too
        return evidence.at_one_place(calls, MANY)
    return [event for event in calls if event.key not in compiled]


def _is_small(event: Event, most: int) -> bool:
    return event.rows is not None and event.rows <= most


def _small_for_python(evidence: Evidence, calls: Sequence[Event]) -> list[Event]:
    """Return calls of some batches, or of datasets, made often in a loop that is mostly Python."""
    calls = [event for event in calls if event.rows is None or _is_small(event, 16 * FEW_ROWS)]
    return evidence.at_one_place(calls, evidence.often)


def _predict_finding(evidence: Evidence, name: str, small: Sequence[Event]) -> Finding:
    rows = Counter(event.rows for event in small).most_common(1)[0][0]
    size = "a dataset" if rows is None else _rows(rows)
    if name == "evaluate":
        change = (
            "model.test_on_batch(rows, targets)  # one batch without the pipeline\n"
            "# or evaluate after a hundred steps, and not after each"
        )
    else:
        shapes = {(event.rows, *event.shape) for event in small}
        given = "model" if len(shapes) < MANY else "model, reduce_retracing=True"
        made = f"answer = tf.function({given})  # once, before the loop"
        change = f"{made}\nanswer(row)  # .numpy() makes an array"
        if _come_from_one_array(small):
            together = "answers = model.predict(rows)  # all rows in one call\n# or, if they come "
        else:
            together = "# as they come "
        change = f"{together}one by one:\n{change}"
    return Finding(
        f"{name} for few rows",
        f"{name} was called {times(len(small))} with {size} each: every call sets up a "
        f"pipeline, {_traces(small):,} graphs in all, those of the pipelines included. That took "
        f"{_part(evidence.share(small))}.",
        LESSONS["02"],
        change,
        share=evidence.share(small),
        place=where(small),
    )


@_rule
def _fits(evidence: Evidence) -> list[Finding]:
    calls = _of_kept_models(evidence, watch.FIT)
    small = [event for event in calls if _is_small(event, 4 * FEW_ROWS)]
    if len(small) < MANY and evidence.python_share >= _SETS_UP:
        calls = [event for event in calls if event.rows is not None]
        small = _small_for_python(evidence, calls)
    if len(small) < MANY:
        return []
    rows = Counter(event.rows for event in small).most_common(1)[0][0]
    return [
        Finding(
            "fit for few rows",
            f"fit was called {times(len(small))} with {_rows(rows)} each: every call sets up a "
            f"pipeline and callbacks. That took {_part(evidence.share(small))}.",
            LESSONS["07"],
            "model.train_on_batch(rows, targets)  # one step without the pipeline\n"
            "# or a step of your own under @tf.function",
            share=evidence.share(small),
            place=where(small),
        )
    ]


@_rule
def _left_eager(evidence: Evidence) -> list[Finding]:
    calls = [event for event in evidence.steady if event.eager]
    share = evidence.share(calls)
    if not calls or share < NOTICED:
        return []
    switch = calls[0].eager
    return [
        Finding(
            "eager mode left on",
            f"{switch} is in force: {calls[0].name} was called {times(len(calls))}, and ran "
            f"operation by operation from Python each time. That took {_part(share)}.",
            LESSONS["03"],
            f"# without {switch}, which is for debugging",
            share=1 + share,  # what else it shows may be a consequence
            place=where(calls),
        )
    ]


@_rule
def _optimizers(evidence: Evidence) -> list[Finding]:
    made = evidence.at_one_place(evidence.of(watch.OPTIMIZER), evidence.often)
    if not made:
        return []
    is_new_function = bool(_functions_made(evidence))
    return [
        Finding(
            "optimizer made in the loop",
            f"{made[0].name} was made {times(len(made), _in_passes(evidence))}: each begins "
            "without what the last one had learned of the gradients, and makes its variables anew.",
            LESSONS["07"],
            f"optimizer = keras.optimizers.{made[0].name}(...)  # once, before the loop\n"
            "optimizer.learning_rate.assign(rate)  # where the loop changes it",
            share=NOTICED if is_new_function else 1.1,  # before an eager step that it belongs to
            place=where(made),
        )
    ]


@_rule
def _metrics(evidence: Evidence) -> list[Finding]:
    made = evidence.costly(watch.METRIC)
    if not made:
        return []
    share = evidence.share(made)
    return [
        Finding(
            "metric made in the loop",
            f"{made[0].name} and its variables were made {_in_passes(evidence)}: {len(made):,} "
            f"objects, which took {_part(share)}. A new one forgets what the last one added up.",
            LESSONS["07"],
            f"metric = keras.metrics.{made[0].name}(...)  # once, before the loop\n"
            "metric.reset_state()  # where it begins again",
            share=share,
            place=where(made),
        )
    ]


@_rule
def _metric_updates(evidence: Evidence) -> list[Finding]:
    updates = evidence.costly(watch.UPDATE)
    if not updates or _metrics(evidence):
        return []
    share = evidence.share(updates)
    names = sorted({event.name for event in updates})
    return [
        Finding(
            "metric updated outside the graph",
            f"{', '.join(names)}: update_state was called {times(len(updates))}, operation by "
            f"operation from Python. That took {_part(share)}.",
            LESSONS["07"],
            "@tf.function  # once, before the loop: the step, and its metrics with it\n"
            "def train_step(rows, targets):\n"
            "    ...\n"
            "    metric.update_state(targets, answers)",
            share=share,
            place=where(updates),
        )
    ]


@_rule
def _weights(evidence: Evidence) -> list[Finding]:
    copied = evidence.costly(watch.WEIGHTS)
    if not copied:
        return []
    share = evidence.share(copied)
    if copied[0].name.startswith("load_weights"):
        change = "model.load_weights(path)  # once, before the loop, and where the file is new"
    else:
        change = (
            "@tf.function  # once, before the loop: it copies within TensorFlow\n"
            "def copy():\n"
            "    for target, source in zip(model.weights, other.weights):\n"
            "        target.assign(source)"
        )
    return [
        Finding(
            "weights copied in the loop",
            f"{copied[0].name} was called {times(len(copied), _in_passes(evidence))}, weight by "
            f"weight from Python. That took {_part(share)}.",
            LESSONS["11"],
            change,
            share=share,
            place=where(copied),
        )
    ]


@_rule
def _collections(evidence: Evidence) -> list[Finding]:
    collected = evidence.costly(watch.COLLECT)
    if not collected or _builds(evidence):
        return []
    share = evidence.share(collected)
    return [
        Finding(
            "garbage collected in the loop",
            f"{collected[0].name} was called {times(len(collected), _in_passes(evidence))}, and "
            f"looks through all objects of Python each time. That took {_part(share)}.",
            LESSONS["11"],
            f"# without {collected[0].name}: Python collects by itself;\n"
            "# what piles up in a loop (models, functions) is better made once, before it",
            share=share,
            place=where(collected),
        )
    ]


@_rule
def _seeds(evidence: Evidence) -> list[Finding]:
    seeds = evidence.at_one_place(evidence.of(watch.SEED), evidence.often)
    if len(seeds) < 2 * FEW_ROWS or evidence.seconds / len(seeds) > _QUICKLY:
        return []
    return [
        Finding(
            "seed set in the loop",
            f"{seeds[0].name} was called {times(len(seeds), _in_passes(evidence))}: it drops the "
            "operations that TensorFlow had prepared, so that the next call of each prepares it "
            "anew.",
            LESSONS["04"],
            f"{seeds[0].name}(seed)  # once, before the loop\n"
            "# or numbers that depend on the step: tf.random.stateless_normal(shape, [seed, step])",
            share=NOTICED,
            place=where(seeds),
        )
    ]


@_rule
def _variables(evidence: Evidence) -> list[Finding]:
    made = evidence.costly(watch.VARIABLE)
    if not made:
        return []
    share = evidence.share(made)
    return [
        Finding(
            "variables made in the loop",
            f"{len(made):,} variables were made {_in_passes(evidence)}, which took "
            f"{_part(share)}: each is filled anew, and forgets what it held.",
            LESSONS["03"],
            "total = tf.Variable(...)  # once, before the loop\ntotal.assign(value)  # in the loop",
            share=share,
            place=where(made),
        )
    ]


@_rule
def _saves(evidence: Evidence) -> list[Finding]:
    saves = evidence.at_one_place(evidence.of(watch.SAVE), evidence.often)
    share = evidence.share(saves)
    if not saves or share < _WAITS:
        return []
    return [
        Finding(
            "model saved in the loop",
            f"{saves[0].name} wrote to disk {times(len(saves), _in_passes(evidence))}, which took "
            f"{_part(share)}.",
            LESSONS["12"],
            "if step % 1000 == 0:\n    model.save(path)  # what a crash may cost, not each step",
            share=share,
            place=where(saves),
        )
    ]


_DECORATED_STEP = (
    "@tf.function  # once, before the loop\n"
    "def train_step(rows, targets):\n"
    "    ...  # the tape, the gradient, and optimizer.apply"
)
_ONE_JACOBIAN = (
    "@tf.function  # once, before the loop\n"
    "def jacobian(x):\n"
    "    with tf.GradientTape() as tape:\n"
    "        tape.watch(x)\n"
    "        y = model(x)\n"
    "    return tape.batch_jacobian(y, x)  # all gradients of a batch at once"
)
_OF_ONE_TAPE = 4  # gradients: a loss, a regularisation and two networks have as many


def _is_jacobian(gradients: Sequence[Event]) -> bool:
    """Return whether a tape is asked for one gradient after another."""
    return len(gradients) > _OF_ONE_TAPE * len({event.thing for event in gradients})


def _of_how_many_tapes(gradients: Sequence[Event]) -> str:
    if not _is_jacobian(gradients):
        return ""
    return f", for {len({event.thing for event in gradients}):,} tapes"


def _eager_updates(evidence: Evidence) -> list[Finding]:
    """Return that the optimizer is called outside of the graph in which the gradients are made."""
    updates = evidence.costly(watch.APPLY)
    share = evidence.share(updates)
    if share < _WAITS or evidence.python_share < _SETS_UP:
        return []
    return [
        Finding(
            "training step is eager",
            f"{updates[0].name} applied gradients {times(len(updates), _in_passes(evidence))} "
            "outside of a graph, operation by operation for each variable. That took "
            f"{_part(share)}.",
            LESSONS["07"],
            _DECORATED_STEP,
            share=share,
            place=where(updates),
        )
    ]


@_rule
def _eager_steps(evidence: Evidence) -> list[Finding]:
    gradients = evidence.of(watch.GRADIENT)
    least = _SETS_UP if _is_jacobian(gradients) else MOSTLY_PYTHON
    if len(gradients) < MANY or evidence.python_share < least:
        return _eager_updates(evidence)
    return [
        Finding(
            "training step is eager",
            f"{len(gradients):,} gradients were computed operation by operation"
            f"{_of_how_many_tapes(gradients)}, and "
            f"{measured(100 * evidence.python_share, '%')} of the time went into the Python code "
            "of Keras and TensorFlow.",
            LESSONS["07"],
            _ONE_JACOBIAN if _is_jacobian(gradients) else _DECORATED_STEP,
            share=evidence.python_share,
            place=where(gradients),
        )
    ]


@_rule
def _eager_calls(evidence: Evidence) -> list[Finding]:
    calls = evidence.of(watch.LAYER)
    if len(calls) < MANY or evidence.of(watch.GRADIENT):
        return []
    if evidence.python_share < MOSTLY_PYTHON:
        return []
    rows = Counter(event.rows for event in calls).most_common(1)[0][0]
    share = evidence.share(calls)
    first = ""
    if _come_from_one_array(calls):
        first = "answers = model(rows)  # all rows in one call\n# or, if they come one by one:\n"
    return [
        Finding(
            "eager calls",
            f"{calls[0].name} was called {times(len(calls))} with {_rows(rows)} each, operation "
            f"by operation from Python: that took {_part(share)}, and "
            f"{measured(100 * evidence.python_share, '%')} of the time went into the Python code "
            "of Keras and TensorFlow.",
            LESSONS["02"],
            f"{first}answer = tf.function(model)  # once, before the loop\nanswer(row)",
            share=share,
            place=where(calls),
        )
    ]


def _operations_of_a_pass(evidence: Evidence) -> float:
    """Return how many operations were called one by one in a pass, at lines that call many."""
    by_place: Counter[str] = Counter()
    for (in_pass, place), number in evidence.seen.operations.items():
        if in_pass > 0 or evidence.passes == 1:
            by_place[place] += number
    passes = evidence.steady_passes
    return sum(n for n in by_place.values() if n >= _MANY_AT_A_PLACE * passes) / passes


def _eager_operations(evidence: Evidence) -> list[Finding]:
    """Return that single operations are called from Python, where no other finding explains it."""
    graphs = evidence.of(watch.FUNCTION, watch.BATCH, watch.FIT, watch.PREDICT, watch.RUN)
    each_graph = len(graphs) / evidence.steady_passes
    number = _operations_of_a_pass(evidence)
    if number < MANY_OPERATIONS or number < _PER_GRAPH * each_graph:
        return []
    if evidence.python_share < MOSTLY_PYTHON:
        return []
    return [
        Finding(
            "eager operations",
            f"Python called {number:,.0f} operations one by one in a pass, and "
            f"{measured(100 * evidence.python_share, '%')} of the time went into the Python code "
            "of Keras and TensorFlow around them.",
            LESSONS["04"],
            "@tf.function  # once, before the loop, around what the loop does\n"
            "def work(x):\n"
            "    ...  # for i in tf.range(n), or one operation on the whole tensor",
            share=evidence.python_share,
        )
    ]


def _growing_memory(evidence: Evidence) -> list[Finding]:
    """Return that memory grows all the time, where no other finding explains it."""
    if evidence.passes > 1:
        readings = [size for in_pass, size in evidence.seen.memory if in_pass > 0]
    else:
        readings = [size for _, size in evidence.seen.memory]
        readings = readings[len(readings) // 2 :]  # the first half fills what is filled once
    if len(readings) < _LEAST_READINGS:
        return []
    quarters = [readings[i * (len(readings) - 1) // 4] for i in range(5)]
    grown = quarters[-1] - quarters[0]
    steps = [after - before for before, after in itertools.pairwise(quarters)]
    if grown < _GROWN or min(steps) < grown / 10:
        return []
    when = "after the first pass" if evidence.passes > 1 else "in the second half of the run"
    return [
        Finding(
            "memory grows",
            f"The memory of the process grew by {measured(grown / 2**20, 'MiB')} {when}, in each "
            "quarter of that time: what the loop makes is kept.",
            LESSONS["11"],
            "kept.append(float(loss))  # numbers: a tensor or a whole answer keeps its memory\n"
            "# where all answers are needed: one array of its final size, made before the loop",
            share=NOTICED,
        )
    ]


@_rule
def _rows_one_by_one(evidence: Evidence) -> list[Finding]:
    replays = [event for event in evidence.of(watch.FUNCTION) if not event.traces]
    calls = [event for event in replays if event.rows is not None and event.rows <= 4]
    if len(calls) < 2 * FEW_ROWS or not _come_from_one_array(calls):
        return []
    return [
        Finding(
            "rows one by one",
            f"{calls[0].name} was called {times(len(calls))} with {_rows(calls[0].rows)} of the "
            f"same array each. That took {_part(evidence.share(calls))}.",
            LESSONS["02"],
            "answers = f(rows)  # all of them in one call, or in blocks of a thousand",
            share=evidence.share(calls),
            place=where(calls),
        )
    ]


@_rule
def _half_numbers(evidence: Evidence) -> list[Finding]:
    calls = [event for event in evidence.of(*_OF_MODELS) if event.policy == "float16"]
    if not calls or evidence.has_gpu:
        return []
    return [
        Finding(
            "float16 on a CPU",
            f"The model computes in float16, which a CPU has to imitate: {len(calls):,} calls of "
            f"it took {_part(evidence.share(calls))}.",
            LESSONS["13"],
            'keras.config.set_dtype_policy("float32")  # before the model is built\n'
            "# or, of a model that exists, another one, which then gets its weights:\n"
            'json = model.to_json().replace("mixed_float16", "float32")\n'
            "plain = keras.models.model_from_json(json)\n"
            "plain.set_weights(model.get_weights())",
            share=evidence.share(calls),
            place=where(calls),
        )
    ]


# ---- what the operations of one more pass say ----


_FEWER_UPDATES = "# larger batches: one update for more rows"
_EVERY_WEIGHT = (
    ": it changes every weight in each step, also the rows of an embedding that the batch does not "
    "use"
)
_SPARSE_UPDATES = (
    "# or, for large embeddings, an optimizer that changes only the rows of the batch:\n"
    "optimizer = keras.optimizers.SGD(learning_rate)  # without momentum"
)


@_rule_of_operations
def _optimizer(evidence: Evidence, operations: Operations) -> list[Finding]:
    scopes = {name: operations.share_of(name) for name in names_of_optimizers()}
    name = max(scopes, key=lambda scope: scopes[scope])
    share = scopes[name] * evidence.operations_share
    if scopes[name] < _MOST_OF_IT or share < _STARVED:
        return []
    runs = operations.runs_by_scope[name]
    after, change = _EVERY_WEIGHT, f"{_FEWER_UPDATES}\n{_SPARSE_UPDATES}"
    if name == "sgd":  # which changes only the rows that have a gradient
        after, change = "", _FEWER_UPDATES
    return [
        Finding(
            "optimizer",
            f"{measured(100 * scopes[name], '%')} of the time of TensorFlow's operations went into "
            f"{runs:,} operations of the optimizer {name}, in one pass{after}.",
            LESSONS["07"],
            change,
            share=share,
        )
    ]


def names_of_optimizers() -> set[str]:
    """Return the names that Keras gives to what its optimizers compute."""
    import keras
    from keras.src.utils.naming import to_snake_case

    kinds = [kind for kind in vars(keras.optimizers).values() if isinstance(kind, type)]
    return {to_snake_case(kind.__name__) for kind in kinds}


@_rule_of_operations
def _costly_metrics(evidence: Evidence, operations: Operations) -> list[Finding]:
    part = operations.share_of(watch.METRICS)
    share = part * evidence.operations_share
    if part < _MOST_OF_IT or share < _STARVED:
        return []
    runs = operations.runs_by_scope[watch.METRICS]
    return [
        Finding(
            "metrics",
            f"{measured(100 * part, '%')} of the time of TensorFlow's operations went into "
            f"{runs:,} operations of the metrics of compile, in one pass, and not into the model.",
            LESSONS["07"],
            "# a cheaper one, such as AUC(num_thresholds=200) without thresholds of your own,\n"
            "# or none in each batch: once per epoch, over the predictions of the validation set\n"
            "model.compile(optimizer, loss)",
            share=share,
        )
    ]


@_rule_of_operations
def _checked_numerics(evidence: Evidence, operations: Operations) -> list[Finding]:
    part = operations.share_of_types("DebugNumericSummaryV2", "CheckNumericsV2")
    share = part * evidence.operations_share
    if share < _WAITS:
        return []
    return [
        Finding(
            "numerics are checked",
            "tf.debugging.enable_check_numerics() was called before the graphs were traced: each "
            f"operation is followed by one that looks for NaN, {measured(100 * part, '%')} of the "
            "time of all operations.",
            LESSONS["03"],
            "# without tf.debugging.enable_check_numerics(), which is for debugging",
            share=share,
        )
    ]


@_rule_of_operations
def _mapped_in_graphs(evidence: Evidence, operations: Operations) -> list[Finding]:
    part = operations.share_of(_MAP)
    share = part * evidence.operations_share
    if part < _MOST_OF_IT or share < _STARVED:
        return []
    runs = operations.runs_by_scope[_MAP]
    if operations.by_scope[_MAP] > _SMALL_OPERATION * runs:
        return []
    return [
        Finding(
            "map_fn in the graph",
            f"{runs:,} small operations ran one after the other in a loop of tf.map_fn, in one "
            f"pass, {measured(100 * part, '%')} of the time of all operations.",
            LESSONS["06"],
            "scores = model(rows)  # one call for all rows, with products of whole batches\n"
            "# or tf.vectorized_map(f, rows), which looks for such a form by itself",
            share=share,
        )
    ]


@_rule_of_operations
def _waits_in_graphs(evidence: Evidence, operations: Operations) -> list[Finding]:
    if operations.share_of_waiting < _STARVED or evidence.of(watch.NEXT):
        return []
    share = min(operations.share_of_waiting, SURE)
    elements, calls = operations.elements, operations.calls_of_pipelines
    waited = f"took {elements:,} elements from a dataset, and waited for {_part(share)}"
    if calls < _MANY_ELEMENTS * elements:
        change = (
            "dataset = dataset.map(f, num_parallel_calls=tf.data.AUTOTUNE).prefetch(1)\n"
            "# or prepare the data once: dataset.save(path), and tf.data.Dataset.load(path)"
        )
        return [
            Finding(
                "waits for the pipeline",
                f"A graph, such as the step of fit, {waited}.",
                LESSONS["05"],
                change,
                share=share,
            )
        ]
    return [
        Finding(
            "map before batch",
            f"The functions of a pipeline were called {calls:,} times for {elements:,} batches. A "
            f"graph, such as the step of fit, {waited}.",
            LESSONS["06"],
            "dataset = dataset.batch(32).map(f)  # batch first, and let f work on a whole batch\n"
            "# from_generator: let the generator yield whole batches",
            share=share,
        )
    ]


def constant_inputs(evidence: Evidence) -> str:
    """Return which large tensor goes into each of many calls beside what changes, in a sentence.

    What is computed from it alone need not be computed each time. That is no finding: nobody can
    tell from the calls whether something is.
    """
    events = [event for event in evidence.steady if event.in_pass == evidence.passes - 1]
    calls = [event for event in events if event.kind in (watch.FUNCTION, watch.LAYER)]
    groups: defaultdict[Any, list[Event]] = defaultdict(list)
    for event in calls:
        groups[event.kind, event.key].append(event)
    changing = sum(len({event.inputs for event in group}) > 1 for group in groups.values())
    for group in groups.values():
        constant = set.intersection(*(set(event.large) for event in group))
        if len(group) < _CONSTANT_CALLS or not constant or not changing:
            continue
        if evidence.share(group) * evidence.steady_passes < _MOST_OF_IT:
            continue
        return (
            f"{group[0].name} got the same tensor, {group[0].large[min(constant)]}, in all "
            f"{len(group):,} calls of a pass: what is computed from it and from nothing that "
            "changes can be computed once, before the loop."
        )
    return ""


def cheaper_products(evidence: Evidence, operations: Operations) -> list[str]:
    """Return what could make the products of matrices cheaper, where these are the cost.

    Whether the numbers may be less exact, or where a table is, nobody can tell from the graphs.
    """
    if operations.share_of_types(*watch.PRODUCTS) < _MOST_OF_IT:
        return []
    sentences = []
    if evidence.seen.products_in_float64:
        sentences.append(
            f"Products in float64 in the graphs: {evidence.seen.products_in_float64:,}. With "
            "float32 large ones take a part of the time: try it where seven digits are enough. A "
            "NumPy array is of float64 unless it is told otherwise."
        )
    if evidence.seen.products_with_one_hot:
        sentences.append(
            f"Products with tf.one_hot in the graphs: {evidence.seen.products_with_one_hot:,}. "
            "tf.gather(table, ids), or an Embedding, takes the same rows without one, and much "
            "sooner where the table is large."
        )
    return sentences


def whole_sorts(evidence: Evidence, operations: Operations) -> str:
    """Return that a part of a sort may be enough, in a sentence, where sorts are the cost."""
    if not evidence.seen.whole_sorts or operations.share_of_types(watch.SORT) < _MOST_OF_IT:
        return ""
    return (
        f"Sorts of all numbers along an axis in the graphs: {evidence.seen.whole_sorts:,}. Where "
        "you use the first few only, tf.math.top_k(x, k=20) finds them without the rest."
    )


def uses_models(evidence: Evidence) -> bool:
    """Return whether the loop calls or trains a model of Keras."""
    return bool(evidence.of(*_OF_MODELS))


# ---- data ----


@_rule
def _generators(evidence: Evidence) -> list[Finding]:
    """Return that a pipeline gets its elements from Python, which computes them one by one."""
    calls = evidence.of(watch.GENERATOR)
    share = min(evidence.share(calls), SURE)
    if len(calls) < 2 * FEW_ROWS or share < _COMPUTES or _elements(evidence):
        return []
    name = f", {calls[0].name}," if calls[0].name else ""
    return [
        Finding(
            "generator of Python",
            f"A pipeline asked a generator of Python{name} for an element "
            f"{times(len(calls), _in_passes(evidence))}: to compute them took {_part(share)}. "
            "Python computes one element at a time, whatever is read ahead.",
            LESSONS["05"],
            "# the generator yields what it reads; the pipeline computes, with TensorFlow\n"
            "dataset = dataset.map(prepare, num_parallel_calls=tf.data.AUTOTUNE)\n"
            "# NumPy: for a whole batch in place of an element; or once, before the loop",
            share=share,
            place=where(calls),
        )
    ]


@_rule
def _elements(evidence: Evidence) -> list[Finding]:
    elements = evidence.of(watch.NEXT)
    share = evidence.share(elements)
    if len(elements) < 2 * FEW_ROWS or share < _WAITS or _iterators(evidence):
        return []
    return [
        Finding(
            "waits for the pipeline",
            f"The loop took {len(elements):,} elements from a dataset, and waited for "
            f"{_part(share)}.",
            LESSONS["05"],
            "dataset = dataset.batch(32).map(f, num_parallel_calls=tf.data.AUTOTUNE).prefetch(1)\n"
            "# batch first, if f works on a batch, too; rows in memory need no dataset",
            share=share,
            place=where(elements),
        )
    ]


@_rule
def _iterators(evidence: Evidence) -> list[Finding]:
    made = evidence.at_one_place(evidence.of(watch.ITERATOR), evidence.often)
    elements = evidence.of(watch.NEXT)
    share = evidence.share([*made, *elements])
    if not made or share < evidence.least_share or len(elements) > 1.5 * len(made):
        return []
    if _datasets(evidence):
        return []
    return [
        Finding(
            "iterator made in the loop",
            f"{len(made):,} iterators were made {_in_passes(evidence)}, for {len(elements):,} "
            "elements: each starts the pipeline from its beginning, fills its buffers, and is "
            f"dropped. That took {_part(share)}.",
            LESSONS["05"],
            "elements = iter(dataset.repeat())  # once, before the loop\n"
            "rows = next(elements)  # in the loop",
            share=share,
            place=where(made),
        )
    ]


@_rule
def _lists(evidence: Evidence) -> list[Finding]:
    lists = evidence.costly(watch.LIST)
    if not lists:
        return []
    share = evidence.share(lists)
    return [
        Finding(
            "list converted in the loop",
            f"A Python list was made a tensor {times(len(lists), _in_passes(evidence))}, number by "
            f"number. That took {_part(share)}.",
            LESSONS["02"],
            "rows = tf.constant(rows)  # once, before the loop\n"
            "# or collect the numbers in a NumPy array, which is copied as a whole",
            share=share,
            place=where(lists),
        )
    ]


@_rule
def _python_in_graphs(evidence: Evidence) -> list[Finding]:
    """Return that Python computes inside graphs; a call that waits overlaps with others."""
    calls = evidence.of(watch.PYTHON)
    share = min(evidence.share(calls), SURE)
    if len(calls) < 2 * FEW_ROWS or share < _WAITS:
        return []
    return [
        Finding(
            "Python inside the graph",
            f"A graph or a pipeline called {calls[0].name}, a function of Python, "
            f"{times(len(calls), _in_passes(evidence))}: to compute in them took {_part(share)}. "
            "They take turns wherever they run Python, whatever num_parallel_calls says.",
            LESSONS["05"],
            "# TensorFlow's operations in place of numpy_function and py_function,\n"
            "# or one call for a whole batch: dataset.batch(32).map(f)",
            share=share,
            place=where(calls),
        )
    ]


@_rule
def _preparing_layers(evidence: Evidence) -> list[Finding]:
    made = evidence.at_one_place(evidence.of(watch.PREPARE), _habit(evidence))
    share = evidence.share(made)
    if len(made) < MANY or share < evidence.least_share:
        return []
    return [
        Finding(
            "layer made in the loop",
            f"{made[0].name} was made or adapted {times(len(made), _in_passes(evidence))}. That "
            f"took {_part(share)}, and the first call of a new one prepares it again.",
            LESSONS["11"],
            f"layer = keras.layers.{made[0].name}(...)  # once, before the loop\n"
            "layer.adapt(data)  # once; then layer(batch) in the loop",
            share=1 + share,  # what its calls cost may be a consequence
            place=where(made),
        )
    ]


@_rule
def _changed_tensors(evidence: Evidence) -> list[Finding]:
    changed = evidence.costly(watch.CHANGES)
    if not changed:
        return []
    share = evidence.share(changed)
    return [
        Finding(
            "tensor copied to change a part",
            f"A part of a tensor was changed {times(len(changed), _in_passes(evidence))}, and all "
            f"of it was copied each time. That took {_part(share)}.",
            LESSONS["04"],
            "kept = tf.Variable(kept)  # once, before the loop\n"
            "kept.scatter_nd_update(indices, updates)  # in the loop: in its place\n"
            "# or a NumPy array, made a tensor when it is complete",
            share=share,
            place=where(changed),
        )
    ]


@_rule
def _growing_tensors(evidence: Evidence) -> list[Finding]:
    grown = evidence.costly(watch.GROWS)
    if not grown:
        return []
    share = evidence.share(grown)
    return [
        Finding(
            "tensor grows in the loop",
            f"A tensor was made longer by tf.concat {times(len(grown), _in_passes(evidence))}: "
            f"each time all that it held is copied. That took {_part(share)}.",
            LESSONS["06"],
            "parts.append(part)  # in the loop, with parts = [] before it\n"
            "whole = tf.concat(parts, axis=0)  # once, after the loop\n"
            "# inside a tf.function: tf.TensorArray, with its size where it is known",
            share=share,
            place=where(grown),
        )
    ]


@_rule
def _datasets(evidence: Evidence) -> list[Finding]:
    made = evidence.at_one_place(evidence.of(watch.DATASET), evidence.often)
    started = evidence.at_one_place(evidence.of(watch.PIPELINE, watch.ITERATOR), evidence.often)
    share = evidence.share([*made, *started])
    if not made or share < evidence.least_share:
        return []
    return [
        Finding(
            "dataset made in the loop",
            f"{made[0].name} made {len(made):,} datasets {_in_passes(evidence)}, and "
            f"{_traces([*made, *started]):,} functions were traced for them. To make and start "
            f"them took {_part(share)}.",
            LESSONS["05"],
            "dataset = ...  # once, before the loop\n"
            "for rows in dataset:  # in each epoch, the same one; or dataset.repeat()",
            share=share,
            place=where([*made, *started]),
        )
    ]


@_rule
def _copies(evidence: Evidence) -> list[Finding]:
    often = [copied for copied in evidence.seen.copied if copied.times >= MANY + 1]
    seconds = sum(copied.seconds * (copied.times - 1) / copied.times for copied in often)
    if not often:
        return []
    largest = max(often, key=lambda copied: copied.seconds)
    all_seconds = evidence.all_seconds or sum(event.seconds for event in evidence.seen.events)
    size = f"{largest.bytes / 2**20:,.1f} MiB"
    what = f"The same array of {size} was"
    if largest.is_new_each_time:
        what = f"Arrays of {size} with the same numbers were"
    return [
        Finding(
            "array copied again",
            f"{what} copied into a tensor {times(largest.times)}, in {duration(largest.seconds)}.",
            LESSONS["05"],
            "rows = tf.constant(rows)  # once, before the loop",
            share=min(seconds / max(all_seconds, 1e-9), 1.0),
        )
    ]


@_rule
def _interpreters(evidence: Evidence) -> list[Finding]:
    made = evidence.of(watch.INTERPRETER)
    allocated = evidence.of(watch.ALLOCATE)
    invoked = evidence.of(watch.INVOKE)
    if max(len(made), len(allocated)) < MANY or len(invoked) > 10 * len(allocated):
        return []
    return [
        Finding(
            "interpreter prepared in the loop",
            f"For {len(invoked):,} answers, {len(made):,} LiteRT interpreters were made and "
            f"allocate_tensors was called {times(len(allocated))}.",
            LESSONS["13"],
            "interpreter.allocate_tensors()  # once, before the loop",
            share=max(evidence.share(made + allocated), NOTICED),
            place=where([*made, *allocated]),
        )
    ]


# ---- words ----


def _alive(evidence: Evidence) -> str:
    if evidence.graphs_per_pass < 1:
        return ""
    return (
        f" {evidence.graphs_per_pass:,.0f} graphs per pass stayed alive: memory grows as long as "
        "the loop runs."
    )


def _habit(evidence: Evidence) -> int:
    """Return from how many times on something belongs to the loop."""
    return MANY if evidence.passes == 1 else evidence.steady_passes


def _in_passes(evidence: Evidence) -> str:
    passes = evidence.steady_passes
    if evidence.passes == 1:
        return "in this run"
    return "in one pass" if passes == 1 else f"in {passes:,} passes"


def _part(share: float) -> str:
    return f"{measured(100 * min(share, 1.0), '%')} of the time"


def _rows(number: Any) -> str:
    return "1 row" if number == 1 else f"{number} rows"


def _traced(event: Event) -> int:
    return len(event.traces)


def _traces(events: Iterable[Event]) -> int:
    return sum(len(event.traces) for event in events)


def _come_from_one_array(events: Sequence[Event]) -> bool:
    """Return whether most inputs are slices of the same array: they were all known before."""
    sources = Counter(event.source for event in events if event.source is not None)
    return bool(sources) and sources.most_common(1)[0][1] > len(events) / 2


def _identifier(name: str) -> str:
    return name if name.isidentifier() else "f"
