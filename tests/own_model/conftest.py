"""Fixtures of the tests of own_model."""

import gc

import pytest
from fakes import Clock, without_collecting

import labkit as lab
from labkit.measure import rounds
from labkit.own_model import ladder
from labkit.own_model.silence import silence_all


@pytest.fixture(autouse=True)
def short_measurements(monkeypatch):
    """Measure only as long as the tests need: the verdicts are not what is tested here."""
    monkeypatch.setenv("TQDM_DISABLE", "1")
    monkeypatch.setattr(ladder, "_ENOUGH_SECONDS", 0.15)
    monkeypatch.setattr(ladder, "_ENOUGH_ROUNDS", 2)
    without_collecting(monkeypatch)


@pytest.fixture
def clock(monkeypatch):
    """A clock that only moves while a candidate works, and no collections in between."""
    fake = Clock()
    monkeypatch.setattr(gc, "collect", lambda generation=2: 0)
    monkeypatch.setattr(rounds, "clock", fake)
    return fake


@pytest.fixture(scope="session")
def saved(tmp_path_factory):
    """A folder with one small model in each format."""
    folder = tmp_path_factory.mktemp("saved")
    model = lab.models.mlp()
    with silence_all():
        model.save(folder / "ok.keras")
        model.save(folder / "ok.h5")
        model.export(folder / "ok", verbose=False)
    return folder
