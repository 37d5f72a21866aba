"""Fixtures of the tests of measure: a clock that only the candidates move."""

import gc

import pytest
from fakes import Clock

from labkit.measure import rounds
from labkit.measure.processor import ProcessorMeter


@pytest.fixture(autouse=True)
def no_wishes_from_outside(monkeypatch):
    """Measure as a learner does, whatever the variables of this process say."""
    monkeypatch.delenv("LABKIT_BUDGET", raising=False)
    monkeypatch.delenv("LABKIT_ROUNDS", raising=False)


@pytest.fixture(autouse=True)
def without_collecting(monkeypatch):
    """Spare the tests a full collection: with TensorFlow loaded it takes a third of a second."""
    monkeypatch.setattr(gc, "collect", lambda generation=2: 0)


@pytest.fixture
def use(monkeypatch):
    """Return a function that makes the measuring loop read a given clock."""

    def use_clock(fake):
        monkeypatch.setattr(rounds, "clock", fake)
        monkeypatch.setattr(rounds, "processor_clock", fake)
        monkeypatch.setattr(ProcessorMeter, "_read", lambda self: {})  # who else computes: unknown
        return fake

    return use_clock


@pytest.fixture
def clock(use):
    """A clock that only moves while a candidate works."""
    return use(Clock())
