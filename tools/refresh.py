"""Run lessons in fresh kernels and store their outputs: `tools/refresh.py notebooks/02*.ipynb`.

A lesson is written back only if every cell succeeds, so that a failure leaves its file unchanged.
"""

import argparse
import glob
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import nbformat
import psutil
from kernels import client, kernel_environment
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from notebook_check import METADATA
from tqdm.auto import tqdm

from labkit.course.files import write_atomically
from labkit.show.widget import WIDGET_VIEW


class Failed(Exception):
    """A lesson did not run to its end; the message says where and why."""


class PeakMemory:
    """The peak of the resident memory of a process and its children, in bytes."""

    def __init__(self) -> None:
        self.bytes = 0
        self._over = threading.Event()

    def watch(self, pid: int) -> None:
        """Measure ten times a second until `stop`."""
        threading.Thread(target=self._watch, args=(pid,), daemon=True).start()

    def _watch(self, pid: int) -> None:
        while not self._over.wait(0.1):
            try:
                kernel = psutil.Process(pid)
                family = [kernel, *kernel.children(recursive=True)]
                resident = sum(process.memory_info().rss for process in family)
            except psutil.Error:  # one of them ended while it was measured
                continue
            self.bytes = max(self.bytes, resident)

    def stop(self) -> None:
        """Stop measuring."""
        self._over.set()


class Progress:
    """The code cell that runs now, and a bar of those that have run."""

    def __init__(self, name: str, cells: int) -> None:
        self.number = 0
        self.source = ""
        self._bar = tqdm(total=cells, desc=name, unit="cell", leave=False)

    def begin(self, cell: NotebookNode, cell_index: int) -> None:
        """Remember the cell."""
        self.number += 1
        self.source = cell.source

    def end(self, **_: Any) -> None:
        """Advance the bar."""
        self._bar.update()

    def close(self) -> None:
        """Remove the bar."""
        self._bar.close()


def refresh(path: Path) -> tuple[float, int]:
    """Run the lesson at `path` and store its outputs; return seconds and peak memory in bytes.

    Its folder is the working folder. Raise `Failed` if a cell fails, takes too long or ends the
    kernel; the file is then unchanged.
    """
    notebook = nbformat.read(path, as_version=4)
    clear_outputs(notebook)
    memory = PeakMemory()
    start = time.monotonic()
    run(notebook, path, memory)
    seconds = time.monotonic() - start
    drop_widget_views(notebook)
    # nbclient also stores the version of Python, which would change with every machine.
    notebook.metadata = nbformat.from_dict(METADATA)
    write_atomically(path, nbformat.writes(notebook) + "\n")
    return seconds, memory.bytes


def clear_outputs(notebook: NotebookNode) -> None:
    """Remove all outputs: nbclient does not run an empty cell, which would keep its old outputs."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = []
            cell.execution_count = None


def drop_widget_views(notebook: NotebookNode) -> None:
    """Leave the HTML of each widget: without the kernel that made it, its view is an error text."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            output.get("data", {}).pop(WIDGET_VIEW, None)


def run(notebook: NotebookNode, path: Path, memory: PeakMemory) -> None:
    """Run all cells of `notebook`, which was read from `path`; raise `Failed` if one fails."""
    code = [
        cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip() != ""
    ]
    progress = Progress(path.stem, len(code))

    def watch_memory(notebook: NotebookNode) -> None:
        memory.watch(runner.km.provisioner.pid)

    runner: Any = client(
        notebook,
        path.parent,
        on_notebook_start=watch_memory,
        on_cell_execute=progress.begin,
        on_cell_executed=progress.end,
    )
    try:
        with tempfile.TemporaryDirectory(prefix="labkit-refresh-") as folder:
            runner.execute(env=kernel_environment(folder), transport_encryption="auto")
    except CellExecutionError as error:  # its text repeats the source of the cell
        raise Failed(f"{path}: code cell {progress.number} failed\n\n{error}") from None
    except (CellTimeoutError, DeadKernelError) as error:
        text = f"{progress.source}\n\n{error}"
        raise Failed(f"{path}: code cell {progress.number} failed\n\n{text}") from None
    finally:
        memory.stop()
        progress.close()


def expanded(patterns: list[str]) -> list[Path]:
    """Return the files that the patterns match: the shell of Windows does not expand them."""
    paths = []
    for pattern in patterns:
        matches = sorted(glob.glob(pattern))
        paths.extend(matches or [pattern])
    return [Path(path) for path in paths]


def main(arguments: list[str]) -> int:
    """Refresh the lessons named in `arguments`; return the exit status."""
    parser = argparse.ArgumentParser(
        description="Run lessons in fresh kernels and store their outputs."
    )
    parser.add_argument(
        "lessons", nargs="+", help="notebooks, or patterns such as notebooks/02*.ipynb"
    )
    paths = expanded(parser.parse_args(arguments).lessons)
    missing = [str(path) for path in paths if not path.is_file()]
    if missing:
        parser.error(f"no such notebook: {', '.join(missing)}")

    failures = 0
    for number, path in enumerate(paths, 1):
        label = f"[{number}/{len(paths)}] {path}"
        print(f"{label} ...", flush=True)
        try:
            seconds, peak = refresh(path)
        except Failed as failure:
            failures += 1
            print(f"{failure}\nNot written: {path} is unchanged.", file=sys.stderr, flush=True)
            continue
        print(f"{label}: {seconds:.1f} s, peak {peak / 2**20:,.0f} MiB", flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
