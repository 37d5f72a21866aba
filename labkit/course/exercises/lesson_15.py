"""Exercises of lesson 15: clients that ask again, how many replicas, and a change of version."""

import contextlib
import itertools
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...show.errors import line_of_error, one_line
from ...show.names import counted
from .engine import EXERCISE_TEXT, NotYet, exercise, expect_result, type_of

DIES = "What happens when a worker dies?"
MACHINES = "What if one machine is not enough?"
LONGEST_TRY = 2


# ---- 15.1 ----


class _EndsNever(BaseException):
    """Stops an answer that goes on for ever; no `except Exception` catches it."""


class _Idles(_EndsNever):
    """Stops an answer that goes on for ever and lets no time go by."""


_MOST_LOOKS = 100  # at the clock, or pauses of 0 s, while no time goes by


@dataclass
class _Network:
    """A network whose time moves only while somebody waits.

    Each try takes a script's seconds and ends as the script says: with an error, or an answer.
    After the script every try is lost.
    """

    script: Sequence[tuple[int, Any]]
    now: float
    tries: list[float] = field(default_factory=list)  # the seconds that each was given
    began: list[float] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)  # after each try
    before: float = 0  # pauses before the first try
    looks: int = 0  # since time went by

    def clock(self) -> float:
        """Return the time."""
        self._look()
        return self.now

    def _look(self) -> None:
        self.looks += 1
        if self.looks > _MOST_LOOKS:
            raise _Idles

    def send(self, seconds: Any) -> Any:
        """Wait for an answer, `seconds` at most."""
        number = len(self.tries)
        if number > 50:
            raise _EndsNever
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or seconds <= 0:
            raise NotYet(f"send({seconds!r}) was called", "a number of seconds above 0", DIES)
        self.looks = 0
        self.tries.append(int(seconds) if seconds == int(seconds) else seconds)
        self.began.append(self.now)
        self.pauses.append(0)
        takes, end = self.script[number] if number < len(self.script) else (LONGEST_TRY, _LOST)
        if takes > seconds:
            self.now += seconds
            raise TimeoutError("no answer in time")
        self.now += takes
        if isinstance(end, _Lost):
            raise end.error("the connection was lost")
        if isinstance(end, Exception):
            raise end
        return end

    def pause(self, seconds: Any) -> None:
        """Let time go by."""
        if seconds < 0:
            raise NotYet(f"pause({seconds!r}) was called", "0 or more", DIES)
        if self.now > 10_000:
            raise _EndsNever
        if seconds:
            self.looks = 0
        else:
            self._look()
        self.now += seconds
        if self.pauses:
            self.pauses[-1] += seconds
        else:
            self.before += seconds


@dataclass(frozen=True)
class _Lost:
    """A try that ends with an error for which trying again may help."""

    error: type[OSError]


_LOST = _Lost(ConnectionResetError)
_KINDS = (ConnectionResetError, ConnectionRefusedError, TimeoutError, BrokenPipeError)


@dataclass
class _Wanted:
    """What a client does for a script: the seconds of each try, and the pauses between them."""

    tries: list[int] = field(default_factory=list)
    pauses: list[int] = field(default_factory=list)
    end: Any = None  # the answer, or the error

    @classmethod
    def of(cls, script: Sequence[tuple[int, Any]], deadline: int) -> "_Wanted":
        """Follow the rule."""
        wanted = cls(end=TimeoutError)
        left, wait = deadline, 1
        for takes, end in [*script, *[(LONGEST_TRY, _LOST)] * 50]:
            if left <= 0:
                break
            given = min(LONGEST_TRY, left)
            wanted.tries.append(given)
            if takes <= given and not isinstance(end, _Lost):
                wanted.end = end
                break
            left -= min(takes, given)
            pause = min(wait, left)
            wanted.pauses.append(pause)
            left -= pause
            wait *= 2
        return wanted


def _scripts() -> list[tuple[list[tuple[int, Any]], int]]:
    """Return scripts, each with a deadline."""
    lost = [(1, _Lost(kind)) for kind in _KINDS]
    random.shuffle(lost)
    answer = random.choice([0.0, -1.5, False, "late"])
    scripts: list[tuple[list[tuple[int, Any]], int]] = [
        ([(1, 0.0)], 9),
        ([lost[1], (1, False)], 9),
        ([(1, answer)], 1),
        ([(2, answer)], 2),
        ([lost[0], (1, -2.5)], 9),
        ([lost[0], lost[1], (2, answer)], 20),
        ([(9, "comes too late"), (1, 3.25)], 9),
        ([(9, "comes too late"), lost[1], (9, "too late again"), (1, answer)], 30),
        ([(0, _Lost(ConnectionRefusedError))] * 3, 9),
        ([], 5),
        ([], 40),
        ([lost[2]], 3),
        ([(2, _Lost(TimeoutError)), (2, "after the deadline")], 4),
        ([(1, ValueError("the row has 19 numbers"))], 9),
        ([lost[3], (1, ValueError("the row has 19 numbers"))], 9),
    ]
    for _ in range(30):
        script: list[tuple[int, Any]] = []
        for _ in range(random.randrange(6)):
            script.append((random.randrange(4), _Lost(random.choice(_KINDS))))
        script.append((random.randrange(4), random.random() - 0.5))
        scripts.append((script, random.randrange(1, 25)))
    return scripts


@exercise(
    "15.1",
    "ask again until the deadline",
    section=DIES,
    hints=(
        "Which errors say nothing about the request, so that asking again may help? How much time "
        "is left before each try, and after it?",
        "TimeoutError and ConnectionError are both kinds of `OSError`; `end = clock() + deadline` "
        "once, and `end - clock()` is what is left.",
        "while (left := end - clock()) > 0: try: return send(min(2, left)) / except OSError: "
        "pause(min(wait, end - clock())); wait *= 2 / and behind the loop: raise TimeoutError",
    ),
)
def _check_ask(ask: Any) -> str:
    for script, deadline in _scripts():
        _ask_once(ask, script, deadline)
    _expect_that_interrupts_come_out(ask)
    return (
        "as often as the deadline allows, at growing distances, and a request that is wrong is "
        "sent once"
    )


def _ask_once(ask: Callable, script: Sequence[tuple[int, Any]], deadline: int) -> None:
    """Compare what one client does with the rule."""
    begin = random.randrange(50, 150)  # later than any deadline, if that were a time of the clock
    network = _Network(script, begin)
    wanted = _Wanted.of(script, deadline)
    where = f"with a deadline of {deadline} s and {_in_words(script)}"
    raised: Exception | None = None
    got: Any = None
    try:
        got = ask(network.send, network.clock, network.pause, deadline)
    except NotYet:
        raise
    except Exception as error:
        raised = error
    except _Idles:
        raise _idling(network.now - begin, deadline, where) from None
    except _EndsNever:
        raise NotYet(f"{where}, there was no end", "TimeoutError at the deadline", DIES) from None
    _expect_end(raised, got, wanted, network, where)
    _expect_tries(network, wanted, where)
    if network.now > begin + deadline:
        raise NotYet(f"{where}, it took {network.now - begin} s", f"{deadline} s at most", DIES)


def _idling(gone: float, deadline: int, where: str) -> NotYet:
    """Return what to say of an answer that lets no more time go by."""
    wanted = "another try while there is time"
    if gone >= deadline:
        wanted = "TimeoutError comes out: it is an OSError, so raise it outside of the `try`"
    seen = f"{where}, there was no end: after {gone:g} s neither a try nor a pause came"
    return NotYet(seen, wanted, DIES)


def _in_words(script: Sequence[tuple[int, Any]]) -> str:
    """Say how the tries end."""
    words = []
    for takes, end in script:
        if isinstance(end, _Lost):
            words.append(f"{end.error.__name__} after {takes} s")
        elif isinstance(end, Exception):
            words.append(f"{type(end).__name__} after {takes} s")
        else:
            words.append(f"an answer after {takes} s")
    return f"tries that would give: {', '.join(words) or 'nothing'}"


def _expect_end(
    raised: Exception | None, got: Any, wanted: _Wanted, network: _Network, where: str
) -> None:
    """Raise `NotYet` unless the answer, or the right error, came out."""
    if isinstance(wanted.end, Exception):
        if raised is None or isinstance(raised, OSError):
            raise NotYet(
                f"{where}, ValueError did not come out",
                "at once: the same request would be wrong again",
                DIES,
            )
        if raised is not wanted.end:
            raise raised
        return
    if wanted.end is TimeoutError:
        if raised is None:
            raise NotYet(f"{where}, no error came out", "TimeoutError", DIES)
        if not isinstance(raised, TimeoutError):
            if isinstance(raised, OSError):
                seen = f"{where}, {type(raised).__name__} came out"
                raise NotYet(seen, "TimeoutError, when the deadline is over", DIES)
            raise raised
        return
    if raised is not None:
        raise _too_early(raised, len(network.tries), where)
    if got is None:
        raise NotYet(f"{where}, nothing came back", "the answer: is a `return` missing?", DIES)
    if got != wanted.end or type(got) is not type(wanted.end):
        raise NotYet(f"{where}, {got!r} came back", f"{wanted.end!r}, which send returned", DIES)


def _too_early(raised: Exception, tries: int, where: str) -> Exception:
    """Return what to say of an error that came out while there was time."""
    if not isinstance(raised, OSError):
        return raised
    kind = type(raised).__name__
    if tries == 0:
        return NotYet(
            f"{where}, {kind} came out before the first try",
            "the first try at once: the deadline is so many seconds from now",
            DIES,
        )
    seen = f"{where}, {kind} came out of try {tries}"
    return NotYet(seen, "another try while there is time", DIES)


def _expect_tries(network: _Network, wanted: _Wanted, where: str) -> None:
    """Raise `NotYet` for tries of another length or number, and for other pauses."""
    if network.before:
        raise NotYet("there was a pause before the first try", "the first try at once", DIES)
    if network.tries != wanted.tries:
        raise NotYet(
            f"{where}, the tries were given {network.tries} s",
            f"{wanted.tries}: {LONGEST_TRY} s at most, and no more than is left",
            DIES,
        )
    between = network.pauses[: len(network.tries) - 1]
    if between != wanted.pauses[: len(between)]:
        raise NotYet(
            f"{where}, the pauses between tries were {between} s",
            f"{wanted.pauses[: len(between)]}: 1, then twice the one before, to the deadline at "
            "most",
            DIES,
        )


def _expect_that_interrupts_come_out(ask: Callable) -> None:
    calls: list[float] = []
    times = itertools.count()  # also a client that catches everything reaches its deadline

    def send(seconds: float) -> None:
        calls.append(seconds)
        raise KeyboardInterrupt

    with contextlib.suppress(KeyboardInterrupt, Exception):
        ask(send, lambda: next(times), lambda seconds: None, 9)
    if len(calls) == 1:
        return
    raise NotYet("Ctrl-C was taken for a lost try", "only OSError is worth another try", DIES)


# ---- 15.2 ----


def _oracle(seconds: dict, rate: float, within: float, busy: float, spare: int) -> Any:
    """Return the size and the number of replicas; None if no size is fast enough."""
    best = None
    for size in sorted(seconds):
        if 2 * seconds[size] > within:
            continue
        needed = math.ceil(rate * seconds[size] / (size * busy)) + spare
        if best is None or needed < best[1]:
            best = size, needed
    return best


def _plans() -> list[tuple[dict, int, float, float, int]]:
    """Return measurements and wishes; all numbers are exact in floating point."""
    usual = {1: 1 / 512, 8: 1 / 256, 32: 1 / 128, 128: 1 / 64}
    plans: list[tuple[dict, int, float, float, int]] = [
        (usual, 1000, 1 / 8, 0.5, 1),
        (usual, 1000, 1 / 256, 0.5, 1),  # the bound itself is within
        (usual, 1000, 1 / 64, 0.5, 1),
        (usual, 100_000, 1 / 8, 0.5, 2),
        (usual, 64, 1 / 8, 1.0, 0),
        (usual, 1, 1 / 8, 0.5, 1),  # a tie of all sizes
        ({32: 1 / 128, 1: 1 / 512}, 512, 1 / 8, 0.5, 1),
        ({16: 1 / 16, 64: 1 / 2}, 3000, 10.0, 0.25, 3),  # larger is not always better
        ({4: 1 / 4, 1: 1 / 16, 2: 1 / 8}, 777, 1.0, 0.5, 1),  # a tie again
        ({8: 1 / 64, 1: 1 / 64}, 8192, 1.0, 1.0, 0),
    ]
    for _ in range(40):
        sizes = random.sample([1, 2, 3, 4, 6, 8, 12, 16, 32, 64, 128], random.randrange(1, 6))
        seconds = {size: random.randrange(1, 64) / 1024 for size in sizes}
        within = random.choice([1 / 512, 1 / 32, 1 / 16, 1.0])
        rate = random.choice([1, 10, 333, 5000, 10**6])
        busy = random.choice([0.25, 0.5, 1.0])
        plans.append((seconds, rate, within, busy, random.randrange(4)))
    return plans


@exercise(
    "15.2",
    "how many replicas",
    section=MACHINES,
    hints=(
        "How many calls a second does the rate need at a batch size, and for what share of a "
        "second does each of them keep a replica busy?",
        "`math.ceil(rate * seconds[size] / (size * busy)) + spare` replicas for a size; a size "
        "with `2 * seconds[size] > within` does not count.",
        "fits = [size for size in sorted(seconds) if 2 * seconds[size] <= within]; raise "
        "ValueError if there is none; return min((needed(size), size) for size in fits), turned "
        "round",
    ),
)
def _check_replicas(replicas: Any) -> str:
    for seconds, rate, within, busy, spare in _plans():
        _plan_once(replicas, seconds, rate, within, busy, spare)
    seconds, rate, within, _, _ = _plans()[0]
    wanted = _oracle(seconds, rate, within, 0.5, 1)
    got = replicas(seconds, rate, within)
    if tuple(got) != wanted:
        raise NotYet(
            f"without busy and spare, it gave {got}", f"{wanted}, as in the stub", MACHINES
        )
    return "the fewest replicas that keep up, with some to spare, and no answer later than wanted"


def _plan_once(
    replicas: Callable, seconds: dict, rate: int, within: float, busy: float, spare: int
) -> None:
    """Compare one plan with the rule."""
    wanted = _oracle(seconds, rate, within, busy, spare)
    where = f"for {rate:,} rows a second within {within} s, {seconds}, {busy=} and {spare=}"
    given = dict(seconds)
    try:
        got = replicas(given, rate, within, busy, spare)
    except ValueError as error:
        if wanted is None:
            return
        raise NotYet(
            f"{where}, your function raised {one_line(error)}, in {line_of_error(error)}",
            f"{wanted}: a row waits for twice the seconds of a call, at most within",
            MACHINES,
        ) from error
    if given != seconds:
        raise NotYet("your function changed the measurements", "they stay as they are", MACHINES)
    if wanted is None:
        raise NotYet(
            f"{where}, it gave {got}", "ValueError: no batch is answered in time", MACHINES
        )
    expect_result(got, "(batch size, number of replicas)", MACHINES)
    if not isinstance(got, tuple | list) or len(got) != 2:
        raise NotYet(f"your function returned {type_of(got)}", "a pair", MACHINES)
    size, number = got
    if isinstance(number, float) or not hasattr(number, "__index__"):
        raise NotYet(f"{where}, it gave {number!r} replicas", "a whole number, an int", MACHINES)
    if tuple(got) == wanted:
        return
    if size not in seconds:
        raise NotYet(f"{where}, the batch size is {size!r}", "one that was measured", MACHINES)
    if 2 * seconds[size] > within:
        seen = f"{where}, a row waits for {2 * seconds[size]} s in batches of {size}"
        raise NotYet(seen, "twice the seconds of a call, at most within", MACHINES)
    alone = _oracle({size: seconds[size]}, rate, within, busy, spare)[1]
    if number != alone:
        raise NotYet(
            f"{where}, batches of {size} get {number} replicas",
            f"{alone}: enough for the rate, and the spare ones",
            MACHINES,
        )
    raise NotYet(
        f"{where}, it chose batches of {size} on {number} replicas",
        f"batches of {wanted[0]} on {wanted[1]}: the fewest replicas, and of these the smallest "
        "batch",
        MACHINES,
    )


# ---- 15.3 ----


class _StartFailed(RuntimeError):
    """The error of a new version that cannot start."""


@dataclass(eq=False)
class _Replica:
    """A replica in the checker's cluster."""

    cluster: "_Cluster"
    version: int
    loading: int = 0  # pauses until it is ready
    fails_at: int | None = None  # the question for ready() that raises, counted from 0
    questions: int = 0  # for ready()
    requests: int = 0  # that it is answering now
    stopped: bool = False

    def ready(self) -> bool:
        """Return whether it has loaded its model; raises if it cannot."""
        self.questions += 1
        if self.fails_at is None:
            return self.loading <= 0
        if self.questions > self.fails_at:
            raise _StartFailed("the model of the new version is broken")
        return False

    def busy(self) -> bool:
        """Return whether it is still answering requests."""
        return self.requests > 0

    def stop(self) -> None:
        """End it; what it was answering is lost."""
        if self.stopped:
            self.cluster.problem("a replica was stopped twice", "once each")
        self.stopped = True
        if self.requests:
            self.cluster.problem(
                f"a replica was stopped that was answering {counted(self.requests, 'request')}",
                "first no new requests, then a wait until busy() is False",
            )
        if any(one is self for one in self.cluster.routed):
            self.cluster.problem(
                "a replica was stopped that still gets requests",
                "another one in its place in the list first",
            )

    def __repr__(self) -> str:
        return f"<replica of version {self.version}>"


class _Routed(list):
    """The list from which requests choose; a look after every change."""

    cluster: "_Cluster"

    def _changed(self) -> None:
        self.cluster.look()


def _watched(name: str) -> Callable:
    change = getattr(list, name)

    def method(self: _Routed, *arguments: Any, **options: Any) -> Any:
        result = change(self, *arguments, **options)
        self._changed()
        return result

    return method


for _name in ("append", "insert", "remove", "pop", "clear", "extend", "reverse", "sort"):
    setattr(_Routed, _name, _watched(_name))
for _name in ("__setitem__", "__delitem__", "__iadd__"):
    setattr(_Routed, _name, _watched(_name))


class _Cluster:
    """Replicas that answer requests, which come at every step and take some pauses each."""

    def __init__(self, number: int, fails: tuple[int, int] | None = None):
        self.number = number
        self.fails = fails  # which new replica, and at which question for ready(), from 0
        self.problems: list[tuple[str, str]] = []
        self.pauses = 0
        self.started: list[_Replica] = []
        self.old = [_Replica(self, 0) for _ in range(number)]
        self.routed = _Routed(self.old)
        self.routed.cluster = self
        self.look()

    def problem(self, seen: str, wanted: str) -> None:
        """Remember what went wrong; the first one is told."""
        self.problems.append((seen, wanted))

    @property
    def alive(self) -> list[_Replica]:
        """All replicas that have not been stopped."""
        return [one for one in [*self.old, *self.started] if not one.stopped]

    def start(self) -> _Replica:
        """Start a replica of the new version."""
        one = _Replica(self, 1, loading=random.randrange(4))
        if self.fails and self.fails[0] <= len(self.started):
            one.loading, one.fails_at = 1000, self.fails[1]
        self.started.append(one)
        if len(self.started) > 3 * self.number + 3:
            raise _EndsNever
        if len(self.alive) > self.number + 1:
            self.problem(
                f"{len(self.alive)} replicas at once where {self.number} serve",
                "one more than before at most: there is no memory for others",
            )
        return one

    def pause(self) -> None:
        """Let time go by: models load, requests end, new ones come."""
        self.pauses += 1
        if self.pauses > 1000:
            raise _EndsNever
        for one in self.alive:
            one.loading -= 1
            if one.requests and random.random() < 0.5:
                one.requests -= 1
        self.look()

    def look(self) -> None:
        """Send a request to each replica in the list, and look whether it can take it."""
        if len(self.routed) < self.number:
            self.problem(
                f"{len(self.routed)} of {self.number} replicas were in the list for a moment",
                f"never fewer than {self.number}: replace, or append before you remove",
            )
        for one in self.routed:
            if one.stopped:
                self.problem("a request met a replica that was stopped", "none does")
            elif one.version and one.loading > 0:
                self.problem(
                    "a request met a replica that had not loaded its model",
                    "wait until ready() is True, then put it into the list",
                )
            elif one.requests < 3:
                one.requests += 1


@exercise(
    "15.3",
    "a new version, replica by replica (stretch)",
    section=MACHINES,
    hints=(
        "In which order must these four happen to one replica: it leaves the list, the new one is "
        "ready, it is idle, it stops?",
        "`while not new.ready(): pause()`, then `routed[i] = new`, which is one step, then "
        "`while old.busy(): pause()`. `try`/`except` around the first of them.",
        "for i, old in enumerate(list(routed)): new = start(); try: while not new.ready(): "
        "pause() / except: new.stop(); raise / routed[i] = new; while old.busy(): pause(); "
        "old.stop()",
    ),
)
def _check_roll(roll: Any) -> str:
    for number in (1, 2, 5, random.randrange(2, 9)):
        for _ in range(3):
            _roll_once(roll, number)
    for number in (1, 3):
        _roll_a_broken_version(roll, number, (0, 0))
    for number in (1, 2, random.randrange(3, 9)):
        fails = random.randrange(number), random.randrange(1, 4)
        for one in ((number - 1, 0), (number - 1, 2), fails):
            _roll_a_broken_version(roll, number, one)
    return "no request is lost, one replica more at most, and a broken version changes nothing"


def _run_roll(roll: Callable, cluster: _Cluster, where: str) -> Exception | None:
    """Let the answer work; return the error that came out."""
    try:
        roll(cluster.routed, cluster.start, cluster.pause)
    except _EndsNever:
        _expect_no_problem(cluster, where)  # it may be the reason
        wanted = "each replica replaced once; while one is in the list, it is never idle"
        if cluster.fails:
            wanted = "the error of ready(), after the first try"
        raise NotYet(f"{where}, there was no end", wanted, MACHINES) from None
    except Exception as error:
        return error
    return None


def _roll_once(roll: Callable, number: int) -> None:
    """Replace a number of replicas, and look at every step."""
    cluster = _Cluster(number)
    where = f"with {counted(number, 'replica')}"
    raised = _run_roll(roll, cluster, where)
    _expect_no_problem(cluster, where)
    if raised is not None:
        raise raised
    left = [one for one in cluster.routed if not one.version]
    if left:
        raise NotYet(
            f"{where}, requests still go to {len(left)} of the old version", "none", EXERCISE_TEXT
        )
    if len(cluster.routed) != number or len(set(map(id, cluster.routed))) != number:
        raise NotYet(
            f"{where}, the list has {len(cluster.routed)} places at the end",
            f"{number}, each with a replica of its own",
            MACHINES,
        )
    if len(cluster.alive) != number:
        raise NotYet(
            f"{where}, {len(cluster.alive)} run at the end",
            f"{number}: the old ones are stopped",
            MACHINES,
        )


def _roll_a_broken_version(roll: Callable, number: int, fails: tuple[int, int]) -> None:
    """Try a version of which one replica raises when somebody asks whether it is ready."""
    cluster = _Cluster(number, fails)
    where = "with a version that cannot start"
    if fails != (0, 0):
        where = f"with {counted(number, 'replica')}, and ready() of new replica {fails[0] + 1} "
        where += f"raises at question {fails[1] + 1}"
    raised = _run_roll(roll, cluster, where)
    _expect_no_problem(cluster, where)
    if raised is None:
        raise NotYet(f"{where}, no error came out", "that of ready()", MACHINES)
    if not isinstance(raised, _StartFailed):
        raise raised
    replaced, broken = cluster.started[: fails[0]], cluster.started[fails[0] :]
    if [one for one in broken if not one.stopped]:
        raise NotYet(f"{where}, it still runs", "its replica is stopped", MACHINES)
    old = [one for one in cluster.routed if one in cluster.old]
    if len(broken) > 1 or len(cluster.routed) != number or len(old) != number - len(replaced):
        raise NotYet(
            f"{where}, {len(cluster.started)} of its replicas were started, and the list has "
            f"{len(cluster.routed)} places",
            f"{counted(len(replaced) + 1, 'replica')} started, and the list as it was then",
            MACHINES,
        )


def _expect_no_problem(cluster: _Cluster, where: str) -> None:
    if cluster.problems:
        seen, wanted = cluster.problems[0]
        raise NotYet(f"{where}, {seen}", wanted, MACHINES)
