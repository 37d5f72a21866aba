"""Right answers in other styles than those of the solutions pass."""

import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import labkit as lab


@pytest.fixture(autouse=True)
def _a_record_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path))
    monkeypatch.delenv("LABKIT_STRICT", raising=False)


def loads_the_variable(session, variable):
    def set_value(value):
        with session.graph.as_default():
            variable.load(value, session)

    return set_value


def scans(batch):
    return tf.scan(tf.maximum, batch)


def through_a_folder_beside_it(model, path):
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        fresh = Path(folder) / path.name
        model.save(fresh)
        os.replace(fresh, path)


def through_bytes(model, path):
    with tempfile.TemporaryDirectory() as folder:
        saved = Path(folder) / path.name
        model.save(saved)
        data = saved.read_bytes()
    fresh = path.with_suffix(".tmp")
    fresh.write_bytes(data)
    fresh.replace(path)


def retries_by_recursion(load, pause, tries=5, wait=1):
    try:
        return load()
    except Exception:
        if tries == 1:
            raise
    pause(wait)
    return retries_by_recursion(load, pause, tries - 1, 2 * wait)


def numpy_numbers(slow, fast):
    if fast[0] < slow[0]:
        return np.int64(1)
    if slow[1] <= fast[1]:
        return None
    return np.int64((fast[0] - slow[0]) // (slow[1] - fast[1]) + 2)


@pytest.mark.parametrize(
    ("id", "answer"),
    [
        ("06.3", loads_the_variable),
        ("07.5", scans),
        ("09.2", through_a_folder_beside_it),
        ("09.2", through_bytes),
        ("09.3", retries_by_recursion),
        ("11.4", numpy_numbers),
    ],
)
def test_a_right_answer_in_another_style_passes(id, answer):
    outcome = lab.check(id, answer)
    assert outcome.state == "passed", outcome.message
