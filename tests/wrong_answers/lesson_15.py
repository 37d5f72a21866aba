"""Wrong answers that people give in lesson 15, and a part of the message that each must get."""

import contextlib
import math

import numpy as np


def once(send, clock, pause, deadline):
    return send(min(2, deadline))


def for_ever(send, clock, pause, deadline):
    wait = 1
    while True:
        try:
            return send(2)
        except OSError:
            pause(wait)
            wait *= 2


def a_fixed_number_of_tries(send, clock, pause, deadline):
    for n in range(3):
        try:
            return send(2)
        except OSError:
            pause(2**n)
    raise TimeoutError


def each_try_has_the_whole_deadline(send, clock, pause, deadline):
    end, wait = clock() + deadline, 1
    while clock() < end:
        try:
            return send(deadline)
        except OSError:
            pause(min(wait, max(0, end - clock())))
            wait *= 2
    raise TimeoutError


def sends_wrong_requests_again(send, clock, pause, deadline):
    end, wait = clock() + deadline, 1
    while (left := end - clock()) > 0:
        try:
            return send(min(2, left))
        except Exception:
            pause(min(wait, end - clock()))
            wait *= 2
    raise TimeoutError


def even_pauses(send, clock, pause, deadline):
    end = clock() + deadline
    while (left := end - clock()) > 0:
        try:
            return send(min(2, left))
        except OSError:
            pause(min(1, end - clock()))
    raise TimeoutError


def pauses_beyond_the_end(send, clock, pause, deadline):
    end, wait = clock() + deadline, 1
    while (left := end - clock()) > 0:
        try:
            return send(min(2, left))
        except OSError:
            pause(wait)
            wait *= 2
    raise TimeoutError


def falsy_answers_are_lost(send, clock, pause, deadline):
    end, wait = clock() + deadline, 1
    while (left := end - clock()) > 0:
        answer = None
        with contextlib.suppress(OSError):
            answer = send(min(2, left))
        if answer:
            return answer
        pause(min(wait, max(0, end - clock())))
        wait *= 2
    raise TimeoutError


def only_connection_errors(send, clock, pause, deadline):
    end, wait = clock() + deadline, 1
    while (left := end - clock()) > 0:
        try:
            return send(min(2, left))
        except ConnectionError:
            pause(min(wait, end - clock()))
            wait *= 2
    raise TimeoutError


def lets_the_last_error_out(send, clock, pause, deadline):
    end, wait = clock() + deadline, 1
    while True:
        try:
            return send(min(2, end - clock()))
        except OSError:
            if clock() + wait >= end:
                raise
            pause(wait)
            wait *= 2


def gives_nothing_back(send, clock, pause, deadline):
    end, wait = clock() + deadline, 1
    while (left := end - clock()) > 0:
        try:
            send(min(2, left))
            return
        except OSError:
            pause(min(wait, end - clock()))
            wait *= 2
    raise TimeoutError


def sleeps_through_interrupts(send, clock, pause, deadline):
    end, wait = clock() + deadline, 1
    while (left := end - clock()) > 0:
        try:
            return send(min(2, left))
        except ValueError:
            raise
        except:  # noqa: E722
            pause(min(wait, max(0, end - clock())))
            wait *= 2
    raise TimeoutError


def the_largest_batch(seconds, rate, within, busy=0.5, spare=1):
    size = max(size for size in seconds if 2 * seconds[size] <= within)
    return size, math.ceil(rate * seconds[size] / (size * busy)) + spare


def forgets_the_wait_before(seconds, rate, within, busy=0.5, spare=1):
    fits = [size for size in sorted(seconds) if seconds[size] <= within]
    numbers = [(math.ceil(rate * seconds[s] / (s * busy)) + spare, s) for s in fits]
    number, size = min(numbers)
    return size, number


def always_busy(seconds, rate, within, busy=0.5, spare=1):
    fits = [size for size in sorted(seconds) if 2 * seconds[size] <= within]
    number, size = min((math.ceil(rate * seconds[s] / s) + spare, s) for s in fits)
    return size, number


def no_spare(seconds, rate, within, busy=0.5, spare=1):
    fits = [size for size in sorted(seconds) if 2 * seconds[size] <= within]
    number, size = min((math.ceil(rate * seconds[s] / (s * busy)), s) for s in fits)
    return size, number


def rounds_down(seconds, rate, within, busy=0.5, spare=1):
    fits = [size for size in sorted(seconds) if 2 * seconds[size] <= within]
    number, size = min((int(rate * seconds[s] / (s * busy)) + spare, s) for s in fits)
    return size, number


def nothing_where_nothing_fits(seconds, rate, within, busy=0.5, spare=1):
    fits = [size for size in sorted(seconds) if 2 * seconds[size] <= within]
    if not fits:
        return None
    number, size = min((math.ceil(rate * seconds[s] / (s * busy)) + spare, s) for s in fits)
    return size, number


def turned_round(seconds, rate, within, busy=0.5, spare=1):
    fits = [size for size in sorted(seconds) if 2 * seconds[size] <= within]
    return min((math.ceil(rate * seconds[s] / (s * busy)) + spare, s) for s in fits)


def a_number_alone(seconds, rate, within, busy=0.5, spare=1):
    fits = [size for size in sorted(seconds) if 2 * seconds[size] <= within]
    return min(math.ceil(rate * seconds[s] / (s * busy)) + spare for s in fits)


def stops_first(routed, start, pause):
    for i, old in enumerate(list(routed)):
        old.stop()
        new = start()
        while not new.ready():
            pause()
        routed[i] = new


def does_not_wait_for_ready(routed, start, pause):
    for i, old in enumerate(list(routed)):
        routed[i] = start()
        while old.busy():
            pause()
        old.stop()


def does_not_drain(routed, start, pause):
    for i, old in enumerate(list(routed)):
        new = start()
        while not new.ready():
            pause()
        routed[i] = new
        old.stop()


def drains_in_the_list(routed, start, pause):
    for i, old in enumerate(list(routed)):
        new = start()
        while not new.ready():
            pause()
        while old.busy():
            pause()
        routed[i] = new
        old.stop()


def all_at_once(routed, start, pause):
    old = list(routed)
    new = [start() for _ in old]
    while not all([one.ready() for one in new]):
        pause()
    routed[:] = new
    while any(one.busy() for one in old):
        pause()
    for one in old:
        one.stop()


def removes_before_it_appends(routed, start, pause):
    for old in list(routed):
        new = start()
        while not new.ready():
            pause()
        routed.remove(old)
        routed.append(new)
        while old.busy():
            pause()
        old.stop()


def leaves_the_broken_one(routed, start, pause):
    for i, old in enumerate(list(routed)):
        new = start()
        while not new.ready():
            pause()
        routed[i] = new
        while old.busy():
            pause()
        old.stop()


def swallows_the_error(routed, start, pause):
    for i, old in enumerate(list(routed)):
        new = start()
        try:
            while not new.ready():
                pause()
        except Exception:
            new.stop()
            return
        routed[i] = new
        while old.busy():
            pause()
        old.stop()


def never_stops_the_old(routed, start, pause):
    for i in range(len(routed)):
        new = start()
        try:
            while not new.ready():
                pause()
        except Exception:
            new.stop()
            raise
        routed[i] = new


def excludes_the_bound_itself(seconds, rate, within, busy=0.5, spare=1):
    fits = [size for size in sorted(seconds) if 2 * seconds[size] < within]
    if not fits:
        raise ValueError("nothing fits")
    number, size = min((math.ceil(rate * seconds[s] / (s * busy)) + spare, s) for s in fits)
    return size, number


def stops_and_then_waits(routed, start, pause):
    for i, old in enumerate(list(routed)):
        new = start()
        while not new.ready():
            pause()
        routed[i] = new
        old.stop()
        while old.busy():
            pause()


def tries_a_broken_version_again(routed, start, pause):
    for i, old in enumerate(list(routed)):
        while True:
            new = start()
            try:
                while not new.ready():
                    pause()
                break
            except Exception:
                new.stop()
        routed[i] = new
        while old.busy():
            pause()
        old.stop()


def appends_only(routed, start, pause):
    for _ in list(routed):
        new = start()
        while not new.ready():
            pause()
        routed.append(new)


def raises_inside_of_the_try(send, clock, pause, deadline):
    end, wait = clock() + deadline, 1
    while True:
        try:
            left = end - clock()
            if left <= 0:
                raise TimeoutError("the deadline is over")
            return send(min(2, left))
        except OSError:
            pause(min(wait, max(0, end - clock())))
            wait *= 2


def a_deadline_of_the_clock(send, clock, pause, deadline):
    wait = 1
    while (left := deadline - clock()) > 0:
        try:
            return send(min(2, left))
        except OSError:
            pause(min(wait, deadline - clock()))
            wait *= 2
    raise TimeoutError


def a_float_of_replicas(seconds, rate, within, busy=0.5, spare=1):
    fits = []
    for size, each in seconds.items():
        if 2 * each <= within:
            fits.append((np.ceil(rate * each / (size * busy)) + spare, size))
    number, size = min(fits)
    return size, number


def looks_only_at_the_first(routed, start, pause):
    for i, old in enumerate(list(routed)):
        new = start()
        try:
            while i == 0 and not new.ready():
                pause()
        except Exception:
            new.stop()
            raise
        while not new.ready():
            pause()
        routed[i] = new
        while old.busy():
            pause()
        old.stop()


def looks_only_at_the_first_question(routed, start, pause):
    for i, old in enumerate(list(routed)):
        new = start()
        try:
            is_ready = new.ready()
        except Exception:
            new.stop()
            raise
        while not is_ready:
            pause()
            is_ready = new.ready()
        routed[i] = new
        while old.busy():
            pause()
        old.stop()


WRONG = [
    ("15.1", "once", once, "another try while there is time"),
    ("15.1", "for ever", for_ever, "2 s at most, and no more than is left"),
    ("15.1", "three tries", a_fixed_number_of_tries, "the tries were given"),
    ("15.1", "the whole deadline each", each_try_has_the_whole_deadline, "2 s at most"),
    ("15.1", "sends wrong requests again", sends_wrong_requests_again, "ValueError did not"),
    ("15.1", "even pauses", even_pauses, "the pauses between tries"),
    ("15.1", "beyond the end", pauses_beyond_the_end, "s at most"),
    ("15.1", "falsy answers", falsy_answers_are_lost, "TimeoutError came out"),
    ("15.1", "only connection errors", only_connection_errors, "another try while there is time"),
    ("15.1", "the last error", lets_the_last_error_out, "when the deadline is over"),
    ("15.1", "no return", gives_nothing_back, "is a `return` missing?"),
    ("15.1", "sleeps through Ctrl-C", sleeps_through_interrupts, "only OSError"),
    ("15.2", "the largest batch", the_largest_batch, "the fewest replicas"),
    ("15.2", "forgets the wait before", forgets_the_wait_before, "twice the seconds of a call"),
    ("15.2", "always busy", always_busy, "enough for the rate"),
    ("15.2", "no spare", no_spare, "enough for the rate"),
    ("15.2", "rounds down", rounds_down, "enough for the rate"),
    ("15.2", "nothing fits", nothing_where_nothing_fits, "no batch is answered in time"),
    ("15.2", "turned round", turned_round, "the batch size is"),
    ("15.2", "a number alone", a_number_alone, "a pair"),
    ("15.2", "the bound itself", excludes_the_bound_itself, "raised ValueError: nothing fits"),
    ("15.3", "stops and then waits", stops_and_then_waits, "a replica was stopped that was"),
    ("15.3", "tries again", tries_a_broken_version_again, "after the first try"),
    ("15.3", "appends only", appends_only, "of the old version"),
    ("15.3", "stops first", stops_first, "was answering 1 request"),
    ("15.3", "not ready", does_not_wait_for_ready, "had not loaded its model"),
    ("15.3", "does not drain", does_not_drain, "a wait until busy() is False"),
    ("15.3", "drains in the list", drains_in_the_list, "it is never idle"),
    ("15.3", "all at once", all_at_once, "one more than before at most"),
    ("15.3", "removes first", removes_before_it_appends, "were in the list for a moment"),
    ("15.3", "leaves the broken one", leaves_the_broken_one, "it still runs"),
    ("15.3", "swallows the error", swallows_the_error, "no error came out"),
    ("15.3", "never stops the old", never_stops_the_old, "run at the end"),
    ("15.1", "raises inside of the try", raises_inside_of_the_try, "raise it outside of the `try`"),
    ("15.1", "a deadline of the clock", a_deadline_of_the_clock, "came out before the first try"),
    ("15.2", "a float of replicas", a_float_of_replicas, "a whole number, an int"),
    ("15.3", "looks only at the first", looks_only_at_the_first, "it still runs"),
    ("15.3", "looks only at the first question", looks_only_at_the_first_question, "it still runs"),
]
