"""The tables of a diagnosis."""

from ..show.format import duration, measured
from ..show.table import Table
from .candidates import CALL
from .measurements import Measurements, known_ends


def ladder_table(m: Measurements) -> Table:
    """Return the time per call, the first call and the Python calls of each candidate."""
    rows = []
    for name, median in m.medians.items():
        relative = "1"
        if name != CALL:
            ratio = m.relative(name)
            relative = measured(ratio.value, "×", known_ends(ratio))
        calls = m.python_calls[name]
        counted = "" if calls is None else f"{calls:,} Python calls"
        first_call = duration(m.first_calls[name])
        rows.append([name, duration(median.value), relative, first_call, counted])
    columns = ["candidate", "time per call", f"relative to {CALL}", "first call", "per call"]
    notes = [f"{name}: {why}" for name, why in m.refused.items()]
    notes += [*m.one.notes, *m.notes]
    return Table(columns, rows, f"{m.name}, {m.batch_label} per call", notes)


def per_row_table(m: Measurements) -> Table:
    """Return the time per row of each candidate at each batch size."""
    sizes = sizes_of(m)
    rows = []
    for name, line in m.per_row.items():
        cells = [duration(line[size]) if size in line else "" for size in sizes]
        rows.append([name, *cells])
    columns = ["candidate", *(f"{size} per call" for size in sizes)]
    return Table(columns, rows, "Time per row, rows sent together")


def sizes_of(m: Measurements) -> list[int]:
    """Return the batch sizes at which the time per row was measured."""
    sizes: set[int] = set()
    for line in m.per_row.values():
        sizes |= set(line)
    return sorted(sizes)
