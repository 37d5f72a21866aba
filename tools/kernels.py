"""Start notebook kernels in one environment, for the tests and for `refresh.py`."""

import os
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbformat import NotebookNode
from traitlets import default

# What a shell may have set for other work, and pytest and all that it starts must not meet.
SHELL: dict[str, str | None] = {
    "KERAS_BACKEND": "tensorflow",  # so that the file keras.json does not choose another one
    "TF_USE_LEGACY_KERAS": None,
    "JUPYTER_CONFIG_PATH": None,
    "JUPYTER_PATH": None,  # other kernels of the name python3
    "JUPYTER_PREFER_ENV_PATH": None,
    "JUPYTER_TOKEN": None,
    "JUPYTER_TOKEN_FILE": None,
    "MATPLOTLIBRC": None,
    "MPLBACKEND": None,
}
MOST_FOR_A_CELL = 480  # seconds, as --nbval-cell-timeout in pyproject.toml, which says why
# None: the variable is not set, whatever the shell says.
VARIABLES: dict[str, str | None] = {
    "LABKIT_STRICT": "1",  # a failed check or a claim without a sentence stops the lesson
    "TQDM_DISABLE": "1",  # a progress bar changes its own output, which nbval cannot compare
    # Only the bar of a terminal reads TQDM_DISABLE, and `tqdm.auto` makes it if this is set.
    "SPYDER": "no",
    "LABKIT_ROUNDS": "256",  # a busy machine measures longer before it leaves a verdict undecided
    "LABKIT_BUDGET": None,
    "MPLBACKEND": None,  # the kernel chooses its inline backend only if no other one is chosen
    "PYTHONHASHSEED": "0",  # a set of strings has the same order in every run
    "PYTHONSTARTUP": None,  # a file of the person who runs the tests; a kernel runs it, too
    "LABKIT_PYTHONSTARTUP": None,
    "TF_USE_LEGACY_KERAS": None,
    "PYTEST_CURRENT_TEST": None,  # ipykernel would stop capturing what compiled code writes
    "TF_CPP_MIN_LOG_LEVEL": None,  # labkit sets it; another level adds log lines to the outputs
}


def kernel_environment(folder: str | os.PathLike[str], **changes: str | None) -> dict[str, str]:
    """Return the environment of a notebook kernel that keeps its own files in `folder`.

    These files are the record of the exercises and IPython's profile: the profile of the person who
    runs the tests may print numbers differently. `changes` override `VARIABLES`; None unsets one.
    """
    profile = Path(folder) / "ipython"
    profile.mkdir(parents=True, exist_ok=True)
    variables = dict(VARIABLES)
    variables["LABKIT_HOME"] = str(folder)
    variables["IPYTHONDIR"] = str(profile)
    variables.update(changes)

    environment = dict(os.environ)
    set_variables(environment, variables)
    return environment


def set_variables(environment: MutableMapping[str, str], variables: dict[str, str | None]) -> None:
    """Set variables in an environment; None unsets one."""
    for name, value in variables.items():
        if value is None:
            environment.pop(name, None)
        else:
            environment[name] = value


class _OwnKernel(AsyncKernelManager):
    """Starts the kernel of this Python, whatever other kernels have the name python3."""

    @default("kernel_spec_manager")
    def _look_nowhere_else(self) -> KernelSpecManager:
        return KernelSpecManager(parent=self, kernel_dirs=[])


def client(
    notebook: NotebookNode, folder: str | os.PathLike[str], **options: Any
) -> NotebookClient:
    """Return an nbclient for `notebook` in `folder` that stores only what every run repeats."""
    return NotebookClient(
        notebook,
        timeout=MOST_FOR_A_CELL,
        startup_timeout=180,
        kernel_name="python3",
        kernel_manager_class=_OwnKernel,
        resources={"metadata": {"path": str(Path(folder).resolve())}},
        store_widget_state=False,  # random ids, 50 KB for each lesson
        record_timing=False,  # differs in every run
        coalesce_streams=True,  # where a print is cut into messages differs, too
        **options,
    )
