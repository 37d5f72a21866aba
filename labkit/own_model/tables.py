"""The tables of a diagnosis."""

import math
from collections.abc import Iterable

from ..show.format import MARK, digits, duration, measured
from ..show.table import Table
from .answers import gap_in_words
from .candidates import CALL, LITERT
from .cases import count_of_rows
from .measurements import Measurements, known_ends
from .single_calls import FEWEST_FOR_P99, Calls

_PERCENTILES = ("p50", "p90", "p99", "longest", "timed")


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
    notes = [*m.refused_together, *m.one.notes, *m.notes]
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


# ---- what a service needs ----


def all_tables(m: Measurements) -> list[Table]:
    """Return all tables of a diagnosis that hold something."""
    found = [ladder_table(m)]
    if m.many:
        found.append(per_row_table(m))
    if m.service is None:
        return found
    for table in (calls_table(m), sweep_table(m), callers_table(m), smaller_table(m)):
        if table.cells:
            found.append(table)
    notes = list(m.service.left_out)
    if math.isfinite(m.service.start_seconds):
        started = duration(m.service.start_seconds)
        grown = measured(m.service.start_memory / 2**20, "MiB")
        notes.append(f"a new interpreter gives its first answer after {started} and takes {grown}")
    found[-1].notes += notes
    return found


def calls_table(m: Measurements) -> Table:
    """Return the percentiles of single calls of each candidate."""
    assert m.service is not None
    rows = [[name, *percentiles(calls)] for name, calls in m.service.calls.items()]
    caption = f"Single calls with {m.batch_label}: what half, 90 % and 99 % of them do not exceed"
    return Table(["candidate", *_PERCENTILES], rows, caption, _notes_of(m.service.calls.values()))


def sweep_table(m: Measurements) -> Table:
    """Return the time of a call and the rows per second of the best candidate, by rows per call."""
    assert m.service is not None
    best_size = m.service.most_rows
    rows = []
    for size, calls in m.service.sweep.items():
        rate = f"{MARK}{digits(size / calls.mean)} rows/s"
        rows.append([f"{size:,}", *percentiles(calls), rate])
    notes = _notes_of(m.service.sweep.values())
    if best_size is not None and m.service.within is not None:
        notes.append(
            f"largest throughput within {m.service.within * 1e3:g} ms: with"
            f" {count_of_rows(best_size)} per call"
        )
    elif m.service.sweep and m.service.within is not None:
        notes.append(f"no number of rows is answered within {m.service.within * 1e3:g} ms")
    caption = f"Rows in one call of {m.service.best}"
    return Table(["rows per call", *_PERCENTILES, "throughput"], rows, caption, notes)


def callers_table(m: Measurements) -> Table:
    """Return what callers at once see of the best candidate."""
    assert m.service is not None
    rows = []
    for load in m.service.callers:
        rate = f"{MARK}{digits(load.per_second)} calls/s"
        rows.append([str(load.callers), *percentiles(load.calls), rate])
    caption = f"Callers at once, each a thread that calls {m.service.best} with {m.batch_label}"
    notes = _notes_of([load.calls for load in m.service.callers])
    if m.service.callers and m.service.best == LITERT:
        notes.append("each caller has an interpreter of its own")
    return Table(["callers", *_PERCENTILES, "throughput"], rows, caption, notes)


def smaller_table(m: Measurements) -> Table:
    """Return size, time and change of the answers of LiteRT with fewer bits."""
    assert m.service is not None
    rows = []
    if m.service.smaller and m.service.full is not None:
        half = duration(m.service.full.percentile(0.5) or 0.0)
        rows.append([LITERT, f"{m.service.full_size:,} bytes", half, ""])
    for file in m.service.smaller:
        half = duration(file.calls.percentile(0.5) or 0.0)
        gap = gap_in_words(file.gap)
        rows.append([f"{LITERT}, {file.name}", f"{file.size:,} bytes", half, gap])
    notes = []
    if rows:
        count = m.service.smaller[0].inputs
        word = "input" if count == 1 else "inputs"
        notes.append(
            f"the change is the largest one over {count} {word}; check it on your own data"
        )
    return Table(["file", "size", "p50", "change of the answers"], rows, "Fewer bits", notes)


def percentiles(calls: Calls) -> list[str]:
    """Return p50, p90, p99, the longest and the number of calls; p99 is a dash for few calls."""
    cells = []
    for share in (0.5, 0.9, 0.99):
        seconds = calls.percentile(share)
        cells.append("–" if seconds is None else duration(seconds))
    return [*cells, duration(calls.longest), f"{MARK}{calls.count:,} calls"]


def _notes_of(all_calls: Iterable[Calls]) -> list[str]:
    """Return why a p99 is missing, if one is."""
    if any(calls.count < FEWEST_FOR_P99 for calls in all_calls):
        return [f"p99 needs {FEWEST_FOR_P99} calls or more"]
    return []


def sizes_of(m: Measurements) -> list[int]:
    """Return the batch sizes at which the time per row was measured."""
    sizes: set[int] = set()
    for line in m.per_row.values():
        sizes |= set(line)
    return sorted(sizes)
