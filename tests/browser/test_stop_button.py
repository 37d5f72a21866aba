"""The stop button wherever a learner may press it: one line, what was measured, no traceback."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from lab_server import LabServer
from seat import Seat
from test_lessons import LEFT_OVER, SOON, SOON_WHEN_BUSY
from walk import Stop, stop, wait_until_used

LESSON = "00_start_here.ipynb"
COMPUTES = {
    "timeit": "lab.timeit(lambda: sum(range(1000)), budget=600)",
    "compare": "lab.compare(a=work, b=work, budget=600)",
    "with_block": "with lab.count():\n    cost = lab.compare(a=work, b=work, budget=600)\ncost",
    "first_call": "lab.first_call(lambda: work, n=1_000_000_000)",
    "growth": "lab.growth(work, calls=1_000_000_000)",
    "profile": "lab.profile(work, calls=1_000_000_000)",
    "check": "def answer_all(model, rows):\n    while True:\n        pass\n\n\n"
    'lab.check("00.1", answer_all)',
    "explore": "lab.explore(lambda n: lab.compare(a=work, b=work, budget=600).plot(), n=[1, 2])",
}
# The third size is never ready: the stop comes outside the rounds, when two sizes are done.
SWEEP = """import time

waiting = iter([0, 0, 600])
lab.sweep(
    {"a": lambda n: work(), "b": lambda n: work()},
    [10, 20, 30],
    setup=lambda n: time.sleep(next(waiting)),
    budget=30,
    progress=True,
)"""
GROWTH = """import time


def slow():
    time.sleep(0.2)


lab.growth(slow, calls=5, blocks=600, progress=True)"""


@dataclass
class Desk:
    """Lesson 00 with its setup done."""

    seat: Seat
    server: LabServer


@pytest.fixture(scope="module")
def desk(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """Open lesson 00, run its setup, and define something to measure."""
    server = LabServer(tmp_path_factory.mktemp("stop"), LESSON)
    seat = Seat(browser, LESSON)
    try:
        seat.open(server.address_of(LESSON))
        setup = next(cell["id"] for cell in seat.cells() if cell["type"] == "code")
        seat.go_to(setup)
        seat.run_and_wait()
        seat.new_cell("def work():\n    return sum(range(1000))")
        yield Desk(seat, server)
    finally:
        seat.close()
        server.stop()


def check(desk: Desk, seen: Stop) -> None:
    """Check that a call ended at once, in one line or with what it had measured."""
    assert seen.seconds <= SOON or seen.processor_seconds <= SOON, seen
    assert seen.seconds < SOON_WHEN_BUSY, seen
    assert not LEFT_OVER.search(seen.text), seen
    assert "Traceback" not in seen.text, seen
    assert "stopped" in seen.text.lower() or "interrupted" in seen.text.lower(), seen
    if seen.errors:
        assert len(lines_of(seen.text)) == 1, seen
    after = desk.seat.new_cell("6 * 7")
    assert "42" in desk.seat.text(after)


def lines_of(text: str) -> list[str]:
    """Return the lines of an output, without the counts beside it."""
    lines = [line.strip() for line in text.splitlines()]
    return [line for line in lines if line and not line.startswith("[")]


@pytest.mark.parametrize("with_button", [True, False], ids=["button", "keys"])
@pytest.mark.parametrize("what", COMPUTES)
def test_a_call_ends_in_one_line(desk: Desk, what: str, with_button: bool) -> None:
    id = desk.seat.begin_new_cell(COMPUTES[what])
    desk.seat.wait_for("path => seat.kernelStatus(path) === 'busy'", LESSON)
    wait_until_used(desk.server.kernel(), 0.7)
    check(desk, stop(desk.seat, id, desk.server, with_button))


def test_a_sweep_keeps_the_sizes_that_are_done(desk: Desk) -> None:
    id = desk.seat.begin_new_cell(SWEEP)
    wait_for_progress(desk, id, 0.6)
    seen = stop(desk.seat, id, desk.server, with_button=True)
    check(desk, seen)
    assert seen.errors == []
    sizes = [size for size in ("10", "20", "30") if f"\n{size}\t" in seen.text]
    assert len(sizes) == 2, seen


def test_growth_keeps_the_blocks_that_are_done(desk: Desk) -> None:
    id = desk.seat.begin_new_cell(GROWTH)
    wait_for_progress(desk, id, 0.001)
    seen = stop(desk.seat, id, desk.server, with_button=False)
    check(desk, seen)
    assert seen.errors == []


def wait_for_progress(desk: Desk, id: str, share: float) -> None:
    """Wait until the bar of a cell has come so far."""
    desk.seat.wait_for(
        "([area, share]) => area.querySelector('progress')?.value >= share",
        [desk.seat.output(id).element_handle(), share],
    )
