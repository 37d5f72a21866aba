"""Right answers to the exercises of lesson 15, in other styles than those of the solutions."""

import itertools
import math


def counts_the_tries(send, clock, pause, deadline):
    begin = clock()
    for n in itertools.count():
        left = begin + deadline - clock()
        if left <= 0:
            raise TimeoutError("the deadline is over")
        try:
            return send(2 if left > 2 else left)
        except (ConnectionError, TimeoutError):
            left = begin + deadline - clock()
            pause(max(0, min(2**n, left)))


def by_recursion(send, clock, pause, deadline, wait=1):
    if deadline <= 0:
        raise TimeoutError
    begin = clock()
    try:
        return send(min(2, deadline))
    except OSError:
        left = deadline - (clock() - begin)
    if left <= wait:
        raise TimeoutError  # nothing would be left after the pause
    pause(wait)
    return by_recursion(send, clock, pause, left - wait, 2 * wait)


def without_a_pause_at_the_end(send, clock, pause, deadline):
    end = clock() + deadline
    wait = 1
    error = None
    while clock() < end:
        try:
            answer = send(min(2, end - clock()))
        except OSError as lost:
            error = lost
        else:
            return answer
        if clock() + wait < end:
            pause(wait)
            wait = wait * 2
        else:
            break
    raise TimeoutError("no answer in time") from error


def in_a_loop(seconds, rate, within, busy=0.5, spare=1):
    best = None
    for size, each in sorted(seconds.items()):
        if each + each <= within:
            number = math.ceil(rate / size * each / busy)
            if best is None or number < best[1]:
                best = size, number
    if best is None:
        raise ValueError("no batch is fast enough")
    return best[0], best[1] + spare


def by_throughput(seconds, rate, within, busy=0.5, spare=1):
    throughput = {size: size / each for size, each in seconds.items() if 2 * each <= within}
    if not throughput:
        raise ValueError(f"nothing is answered within {within} s")
    needed = {}
    for size, rows in throughput.items():
        needed[size] = -(-rate // (rows * busy))
    size = min(needed, key=lambda size: (needed[size], size))
    return [size, int(needed[size]) + spare]


def by_pairs(seconds, rate, within, busy=0.5, spare=1):
    pairs = [
        (spare + math.ceil(rate * seconds[size] / size / busy), size)
        for size in seconds
        if seconds[size] <= within / 2
    ]
    number, size = min(pairs)  # of nothing: ValueError
    return size, number


def appends_and_removes(routed, start, pause):
    for old in tuple(routed):
        new = start()
        try:
            while not new.ready():
                pause()
        except Exception:
            new.stop()
            raise
        routed.append(new)
        routed.remove(old)
        while old.busy():
            pause()
        old.stop()


def takes_the_first(routed, start, pause):
    for _ in range(len(routed)):
        new = start()
        fine = False
        try:
            while True:
                if new.ready():
                    fine = True
                    break
                pause()
        finally:
            if not fine:
                new.stop()
        old = routed[0]
        routed[:] = [*routed[1:], new]
        while old.busy():
            pause()
        old.stop()


def in_functions(routed, start, pause):
    def wait(condition):
        while not condition():
            pause()

    def replacement():
        new = start()
        try:
            wait(new.ready)
        except BaseException:
            new.stop()
            raise
        return new

    for place in reversed(range(len(routed))):
        new = replacement()
        old, routed[place] = routed[place], new
        wait(lambda old=old: not old.busy())
        old.stop()


RIGHT = [
    ("15.1", "counts the tries", counts_the_tries),
    ("15.1", "by recursion", by_recursion),
    ("15.1", "without a pause at the end", without_a_pause_at_the_end),
    ("15.2", "in a loop", in_a_loop),
    ("15.2", "by throughput", by_throughput),
    ("15.2", "by pairs", by_pairs),
    ("15.3", "appends, then removes", appends_and_removes),
    ("15.3", "takes the first", takes_the_first),
    ("15.3", "in functions", in_functions),
]
