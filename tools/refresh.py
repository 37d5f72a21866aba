"""Run lessons top to bottom in fresh kernels and store their outputs: `python tools/refresh.py notebooks/02*.ipynb`.

A lesson is written back only when every cell succeeded, so a failure never leaves half of the old outputs behind.
"""

import argparse
import glob
import sys
import tempfile
import threading
import time
from pathlib import Path

import nbformat
import psutil
from kernels import client, kernel_environment
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from tqdm.auto import tqdm

from labkit.course.files import write_atomically


class Failed(Exception):
    """A lesson did not run to its end; the message says where and why."""


class PeakMemory:
    """Watch the resident memory of a kernel and of what it starts."""

    def __init__(self):
        self.bytes = 0
        self._over = threading.Event()

    def watch(self, pid: int) -> None:
        """Look a few times a second until `stop`."""
        threading.Thread(target=self._watch, args=(pid,), daemon=True).start()

    def _watch(self, pid):
        while not self._over.wait(0.1):
            try:
                kernel = psutil.Process(pid)
                family = [kernel, *kernel.children(recursive=True)]
                self.bytes = max(self.bytes, sum(process.memory_info().rss for process in family))
            except psutil.Error:  # it, or a child of it, ended between two looks
                continue

    def stop(self) -> None:
        """End the watch."""
        self._over.set()


def refresh(path: Path) -> tuple[float, int]:
    """Run the lesson at `path` and store its outputs.

    Parameters
    ----------
    path : Path
        A notebook; its folder is the kernel's working folder.

    Returns
    -------
    (float, int)
        Seconds, and the peak of the kernel's memory in bytes.

    Raises
    ------
    Failed
        When a cell fails, takes too long or kills the kernel; the file is then as it was.
    """
    notebook = nbformat.read(path, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for cell in cells:
        # A cell that has been emptied is not run, and would keep the outputs of an earlier edition.
        cell.outputs, cell.execution_count = [], None
    peak, current = PeakMemory(), {"number": 0, "source": ""}
    bar = tqdm(
        total=sum(bool(cell.source.strip()) for cell in cells),
        desc=path.stem,
        unit="cell",
        leave=False,
    )

    def begin(cell, cell_index):
        current.update(number=current["number"] + 1, source=cell.source)

    runner = client(
        notebook,
        path.parent,
        on_notebook_start=lambda notebook: peak.watch(runner.km.provisioner.pid),
        on_cell_execute=begin,
        on_cell_executed=lambda **_: bar.update(),
    )
    start = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="labkit-refresh-") as home:
            runner.execute(env=kernel_environment(home), transport_encryption="auto")
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        # The first of the three repeats the cell's source in its text.
        text = (
            str(error)
            if isinstance(error, CellExecutionError)
            else f"{current['source']}\n\n{error}"
        )
        raise Failed(f"{path}: code cell {current['number']} failed\n\n{text}") from None
    finally:
        peak.stop()
        bar.close()
    seconds = time.monotonic() - start

    # What the machine that ran it was does not belong into the file: it would change with every machine.
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {
                "display_name": "Python 3 (ipykernel)",
                "language": "python",
                "name": "python3",
            },
            "language_info": {"name": "python"},
        }
    )
    write_atomically(path, nbformat.writes(notebook) + "\n")
    return seconds, peak.bytes


def main(arguments: list[str]) -> int:
    """Refresh the lessons named in `arguments`; return the exit status."""
    parser = argparse.ArgumentParser(
        description="Run lessons in fresh kernels and store their outputs."
    )
    parser.add_argument(
        "lessons", nargs="+", help="notebooks, or patterns such as notebooks/02*.ipynb"
    )
    patterns = parser.parse_args(arguments).lessons
    # The Windows shell does not expand patterns; a name without one comes back as it is, and is then not found.
    paths = [
        Path(path) for pattern in patterns for path in (sorted(glob.glob(pattern)) or [pattern])
    ]
    missing = [str(path) for path in paths if not path.is_file()]
    if missing:
        parser.error(f"no such notebook: {', '.join(missing)}")
    failures = 0
    for number, path in enumerate(paths, 1):
        print(f"[{number}/{len(paths)}] {path} ...", flush=True)
        try:
            seconds, memory = refresh(path)
        except Failed as failure:
            failures += 1
            print(f"{failure}\nNot written: {path} is as it was.", file=sys.stderr, flush=True)
        else:
            print(
                f"[{number}/{len(paths)}] {path}: {seconds:.1f} s, peak {memory / 2**20:,.0f} MiB",
                flush=True,
            )
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
