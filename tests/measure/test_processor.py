"""How busy the machine was, and how long each candidate waited, with made-up readings."""

import math
import os
import time
from collections import namedtuple

import psutil
import pytest
from fakes import Clock

import labkit as lab
from labkit.measure import processor, rounds
from labkit.measure.processor import ProcessorMeter, ProcessorUse

Times = namedtuple("Times", "user nice system idle iowait irq steal guest guest_nice")


class Machine:
    """Four cores with made-up processor times, of which this process may use the last two."""

    def __init__(self, monkeypatch):
        self.cores = [dict.fromkeys(Times._fields, 0.0) for _ in range(4)]
        self.own = 0.0
        monkeypatch.setattr(psutil, "cpu_times", self.cpu_times)
        monkeypatch.setattr(time, "process_time", lambda: self.own)
        monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3, 2}, raising=False)

    def cpu_times(self, percpu=False):
        assert percpu
        return [Times(**core) for core in self.cores]

    def work(self, core, **seconds):
        for kind, amount in seconds.items():
            self.cores[core][kind] += amount


@pytest.fixture
def machine(monkeypatch):
    return Machine(monkeypatch)


def test_the_work_of_others_is_that_of_all_less_our_own(machine):
    meter = ProcessorMeter(["a"])
    machine.work(2, user=1000, idle=1000)  # before: no part of it
    machine.own += 500
    meter.start()
    machine.work(2, user=6, idle=4)
    machine.work(3, user=2, system=1, idle=7)
    machine.own += 5
    assert meter.so_far(10).others == pytest.approx((9 - 5) / 20)


def test_cores_that_this_process_may_not_use_do_not_count(machine):
    meter = ProcessorMeter(["a"])
    meter.start()
    machine.work(0, user=10)
    machine.work(1, system=10)
    assert meter.so_far(10).others == 0


@pytest.mark.parametrize(
    ("kind", "counts"),
    [
        ("user", True),
        ("nice", True),
        ("system", True),
        ("irq", True),
        ("steal", True),  # a virtual machine's host takes it: it is not ours
        ("idle", False),
        ("iowait", False),
        ("guest", False),  # part of the user's time already
        ("guest_nice", False),
    ],
)
def test_what_is_work(machine, kind, counts):
    meter = ProcessorMeter(["a"])
    meter.start()
    machine.work(2, **{kind: 4.0})
    assert meter.so_far(10).others == pytest.approx(0.2 if counts else 0)


def test_the_share_is_one_of_a_whole_whatever_the_readings(machine):
    meter = ProcessorMeter(["a"])
    meter.start()
    machine.work(2, user=500)
    assert meter.so_far(10).others == 1
    meter.start()
    machine.own += 3  # the two are read one after the other, and do not tally
    assert meter.so_far(10).others == 0


def test_without_a_reading_the_share_is_unknown(machine, monkeypatch):
    def fails(percpu=False):
        raise PermissionError("/proc/stat")

    meter = ProcessorMeter(["a"])
    monkeypatch.setattr(psutil, "cpu_times", fails)
    meter.start()
    meter.add("a", 1.0, 0.5)
    use = meter.so_far(10)
    assert math.isnan(use.others)
    assert use.waiting == {"a": 0.5}
    assert not use.busy


def test_a_reading_that_fails_at_the_end_leaves_the_share_unknown(machine, monkeypatch):
    meter = ProcessorMeter(["a"])
    meter.start()
    monkeypatch.setattr(psutil, "cpu_times", lambda percpu: [])  # no such core any more
    assert math.isnan(meter.so_far(10).others)


def test_no_time_at_all_has_no_share(machine):
    meter = ProcessorMeter(["a"])
    meter.start()
    assert math.isnan(meter.so_far(0).others)


def test_where_a_system_tells_nothing_about_cores_all_of_them_count(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    assert processor._cores_in_use() == [0, 1, 2]
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert processor._cores_in_use() == [0]


# ---- waiting ----


def test_waiting_is_the_share_in_which_nothing_was_computed(machine):
    meter = ProcessorMeter(["a", "b", "c", "unused"])
    meter.add("a", 100.0, 0.0)  # the warm-up: no part of it
    meter.start()
    meter.add("a", 2.0, 2.0)
    meter.add("a", 2.0, 1.0)
    meter.add("b", 3.0, 6.0)  # two threads computed
    meter.add("c", 1.0, 0.0)
    assert meter.so_far(10).waiting == {"a": 0.25, "b": 0.0, "c": 1.0}


@pytest.mark.parametrize(
    ("waiting", "unlike"),
    [
        ({}, False),
        ({"a": 0.9}, False),
        ({"a": 0.1, "b": 0.19}, False),
        ({"a": 0.1, "b": 0.21}, True),
        ({"a": 0.3, "b": 0.1, "c": 0.25}, True),
    ],
)
def test_candidates_are_unlike_where_one_waits_for_a_tenth_more(waiting, unlike):
    assert ProcessorUse(0.5, waiting).unlike is unlike


@pytest.mark.parametrize(("others", "busy"), [(0.0, False), (0.1, False), (0.11, True), (1, True)])
def test_a_machine_is_busy_where_others_take_a_tenth(others, busy):
    assert ProcessorUse(others).busy is busy


# ---- within a comparison ----


class Processor:
    """A processor clock: it moves as candidates compute, and stands still while they wait."""

    def __init__(self):
        self.clock = Clock()
        self.seconds = 0.0

    def __call__(self):
        return self.seconds

    def candidate(self, computes, waits):
        def call():
            self.clock.work(computes + waits)
            self.seconds += computes

        return call


@pytest.fixture
def computing(machine, monkeypatch):
    fake = Processor()
    monkeypatch.setattr(rounds, "clock", fake.clock)
    monkeypatch.setattr(rounds, "processor_clock", fake)
    return fake


def test_a_comparison_knows_how_long_each_candidate_waited(computing):
    result = lab.compare(
        computes=computing.candidate(1e-3, 0), waits=computing.candidate(1e-3, 3e-3), budget=0.5
    )
    assert result.processor.waiting == pytest.approx({"computes": 0, "waits": 0.75}, abs=1e-6)
    assert result.processor.unlike


@pytest.mark.parametrize("cost", [1e-3, 0.3])
def test_the_share_of_others_is_one_of_the_time_that_was_watched(machine, computing, cost):
    """The warm-up is not watched: its seconds count neither as work nor as time."""

    def call():
        computing.clock.work(cost)
        machine.work(2, user=cost)
        machine.work(3, user=0.5 * cost)
        machine.own += cost

    result = lab.compare(a=call, b=call, budget=1)
    assert result.processor.others == pytest.approx(0.25, rel=1e-3)
    assert "other programs took ≈25.0 % of the processor" in repr(result)


def test_a_reading_that_is_refused_does_not_end_a_comparison(computing, monkeypatch):
    monkeypatch.setattr(psutil, "cpu_times", lambda percpu: 1 / 0)
    made = {"a": computing.candidate(1e-3, 0), "b": computing.candidate(2e-3, 0)}
    result = lab.compare(made, budget=0.3)
    assert result.verdict == {"b": "slower"}
    assert "other programs took an unknown share of the processor" in repr(result)


def test_a_real_machine_can_be_read():
    meter = ProcessorMeter(["a"])
    meter.start()
    use = meter.so_far(1.0)
    assert math.isnan(use.others) or 0 <= use.others <= 1
