"""Write a diagnosis as JSON for other programs, as ``templates/own_model.schema.json`` says."""

import json
import math
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..course.files import write_atomically
from ..measure.results import Comparison
from ..measure.stats import Interval
from . import usage
from .advice import advise, best_of
from .measurements import Measurements, known_ends
from .origin import Origin
from .paths import BadModel, refuse_target
from .service import Service
from .single_calls import Calls

VERSION = 1  # of the schema; a change that breaks a reader makes it larger
SCHEMA = Path(__file__).parent / "templates" / "own_model.schema.json"
KIND = "labkit own-model"
_LARGEST = 2**24  # bytes of a result: a larger file is none, and is not read


def as_dict(m: Measurements) -> dict[str, Any]:
    """Return a diagnosis as dicts, lists, numbers and text; None where a number is not known."""
    best = best_of(m)
    origin = m.origin or Origin()
    medians = m.medians
    return {
        "kind": KIND,
        "version": VERSION,
        "model": {
            "name": m.name,
            "format": m.kind,
            "facts": dict(m.facts),
            "bytes": origin.size,
            "sha256": origin.sha256 or None,
            "load_seconds": _known(origin.load_seconds),
            "load_bytes": _known(origin.load_memory),
        },
        "machine": dict(m.machine),
        "command": origin.command or None,
        "threads": origin.threads,
        "budget_seconds": _known(m.budget),
        "seconds": _known(m.seconds),
        "interrupted": m.interrupted,
        "notes": [*m.conditions],
        "rows": m.batch,
        "recommended": best,
        "recommended_median_seconds": _known(medians[best].value),
        "candidates": [_candidate(m, result) for result in m.ladder],
        "per_row": _per_row(m),
        "advice": [
            {"about": one.about, "text": one.text, "evidence": one.evidence} for one in advise(m)
        ],
        "code": usage.code_for(m.origin, best) or None,
        "code_reads": usage.needs_file(m.origin, best) or None,
        "service": _service(m.service) if m.service is not None else None,
    }


def _candidate(m: Measurements, result: Any) -> dict[str, Any]:
    found = {
        "name": result.name,
        "state": result.state,
        "why": result.why or None,
        "first_call_seconds": _known(result.first_call),
        "python_calls": result.python_calls,
        "largest_difference": _known(result.gap),
        "median_seconds": None,
        "quartiles_seconds": None,
        "ratio": None,
        "ratio_interval": None,
    }
    if result.name in m.medians:
        median = m.medians[result.name]
        ratio = m.relative(result.name)
        found["median_seconds"] = median.value
        found["quartiles_seconds"] = [median.low, median.high]
        found["ratio"] = _known(ratio.value)
        found["ratio_interval"] = _interval(ratio)
    return found


def _per_row(m: Measurements) -> list[dict[str, Any]]:
    """Return the seconds per row by candidate and number of rows."""
    found = []
    for name, line in m.per_row.items():
        for size, seconds in line.items():
            found.append({"name": name, "rows": size, "seconds": seconds})
    return found


def _service(service: Service) -> dict[str, Any]:
    smaller = []
    for file in service.smaller:
        smaller.append(
            {
                "name": file.name,
                "bytes": file.size,
                "largest_difference": _known(file.gap),
                "inputs": file.inputs,
                "calls": _calls(file.calls),
            }
        )
    callers = []
    for load in service.callers:
        one = {"callers": load.callers, "calls_per_second": load.per_second}
        callers.append(one | {"calls": _calls(load.calls)})
    sweep = []
    for size, calls in service.sweep.items():
        one = {"rows": size, "rows_per_second": size / calls.mean}
        sweep.append(one | {"calls": _calls(calls)})
    single = []
    for name, calls in service.calls.items():
        single.append({"name": name, "calls": _calls(calls)})
    return {
        "single_calls": single,
        "sweep": sweep,
        "within_seconds": service.within,
        "most_rows": service.most_rows,
        "callers": callers,
        "smaller_files": smaller,
        "interpreter_seconds": _known(service.start_seconds),
        "interpreter_bytes": _known(service.start_memory),
        "left_out": list(service.left_out),
    }


def _calls(calls: Calls) -> dict[str, Any]:
    return {
        "count": calls.count,
        "p50_seconds": calls.percentile(0.5),
        "p90_seconds": calls.percentile(0.9),
        "p99_seconds": calls.percentile(0.99),
        "longest_seconds": calls.longest,
    }


def ratio_as_dict(comparison: Comparison, name: str) -> dict[str, Any]:
    """Return the ratio of one candidate to the baseline, with its interval."""
    ratio = comparison.ratio[name]
    return {
        "ratio": _known(ratio.value),
        "ratio_interval": _interval(ratio),
    }


def _interval(ratio: Interval) -> list[float] | None:
    """Return the ends of a ratio; None if the rounds were too few to bound it."""
    ends = known_ends(ratio)
    return None if ends is None else list(ends)


def _known(number: float) -> float | None:
    """Return a number, or None if it is none: JSON has no NaN."""
    return number if math.isfinite(number) else None


# ---- the file ----


def check_target(target: str, force: bool, sources: Iterable[object] = ()) -> None:
    """Raise BadModel if the JSON cannot be written there; ``-`` is the output of the command."""
    if target == "-":
        return
    if not target.strip():
        raise BadModel("no name was given for the result: give one, such as result.json")
    path = Path(target).expanduser()
    if path.is_symlink() and not path.exists():
        raise BadModel(f"{path.name} is a link that leads nowhere: give another name")
    if path.is_dir():
        raise BadModel(f"{path.name} is a folder: give the name of a file, such as result.json")
    if not path.parent.is_dir():
        raise BadModel(f"there is no folder {path.parent.name}: make it first")
    if not os.access(path.parent, os.W_OK):
        raise BadModel(f"the folder {path.parent.name or '.'} is read-only")
    if path.exists() and not _is_ours(path):
        raise BadModel(f"{path.name} exists and is no result of own-model: give another name")
    refuse_target(path, sources)
    if path.exists() and not force:
        raise BadModel(f"{path.name} exists: give another name, or --force to replace it")


def _is_ours(path: Path) -> bool:
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST:  # a pipe may have no end
            return False
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and str(found.get("kind", "")).startswith(KIND)


def write(found: dict[str, Any], target: str) -> None:
    """Write a result to a file or to the output; raise BadModel if that fails."""
    text = json.dumps(found, indent=2, ensure_ascii=target == "-", allow_nan=False) + "\n"
    if target == "-":
        sys.stdout.write(text)
        return
    check_target(target, force=True)  # something may have been written there meanwhile
    try:
        write_atomically(Path(target).expanduser(), text)
    except OSError as error:
        raise BadModel(f"{target} cannot be written: {error.strerror or error}") from None
