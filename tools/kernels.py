"""How the tests and `refresh.py` start the kernel of a notebook: one environment, written down once."""

import os
from pathlib import Path

from nbclient import NotebookClient
from nbformat import NotebookNode

# None: the variable must not be set, whatever the shell says.
VARIABLES = {
    "LABKIT_STRICT": "1",  # a check that is not passed, or a claim left out, stops the lesson
    "LABKIT_PROGRESS": "0",  # a progress bar changes its own output, which nbval cannot compare
    "LABKIT_ROUNDS": "20",  # a busy machine takes longer, up to five times the budget, before a verdict stays open
    "LABKIT_BUDGET": None,
    "MPLBACKEND": None,  # the kernel chooses matplotlib's inline backend only where nothing else is chosen
    "PYTHONHASHSEED": "0",  # the order of a set of strings is then the same in every run
    "PYTEST_CURRENT_TEST": None,  # ipykernel would stop capturing what compiled code writes
}


def kernel_environment(home: str | os.PathLike, **changes: str | None) -> dict[str, str]:
    """Return the environment of a notebook kernel that keeps the learner's record in `home`.

    `changes` override `VARIABLES`; None unsets a variable.
    """
    variables = {**VARIABLES, "LABKIT_HOME": os.fspath(home), **changes}
    kept = {name: value for name, value in os.environ.items() if name not in variables}
    return kept | {name: value for name, value in variables.items() if value is not None}


def client(notebook: NotebookNode, folder: str | os.PathLike, **options) -> NotebookClient:
    """Return an nbclient for `notebook` in `folder` that stores what nbval compares, and nothing that changes."""
    return NotebookClient(
        notebook,
        timeout=300,
        startup_timeout=180,
        kernel_name="python3",
        resources={"metadata": {"path": str(Path(folder).resolve())}},
        store_widget_state=False,  # random ids, 50 KB a lesson
        record_timing=False,  # would change with every run
        coalesce_streams=True,  # how a print is cut into messages would, too
        **options,
    )
