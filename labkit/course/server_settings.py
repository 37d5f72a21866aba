"""What JupyterLab, its server and its kernels are told, wherever they are started.

`python -m labkit lab` starts them on the learner's machine, and Binder's server reads it from
binder/jupyter/jupyter_server_config.py.
"""

import os
import re
import sys
import urllib.parse
from collections.abc import Mapping
from pathlib import Path

_LABKIT = Path(__file__).resolve().parents[1]
_STARTUP = Path(__file__).with_name("startup.py")


def server_settings(workspace: Path, page: str) -> dict[str, dict[str, object]]:
    """Return the settings of JupyterLab and its server, by class.

    Parameters
    ----------
    workspace : Path
        The folder of the learner's copies.
    page : str
        The file in it that is opened first.

    Returns
    -------
    dict
        For each class of Jupyter, the values of its settings.
    """
    return {
        "ServerApp": {
            # The course's own part: a start page that is current.
            "jpserver_extensions": {"labkit.course.lab_server": True},
            **_origin_in_a_codespace(os.environ),
        },
        "LabApp": {
            # Not as a file to open: the printed address then leads to the page as well.
            "default_url": f"/lab/tree/{urllib.parse.quote(page)}",
            # Nothing is fetched from the network: no news, no search for updates. These are
            # defaults, so the choices in the learner's own JupyterLab settings still win.
            "app_settings_dir": str(_LABKIT / "lab_settings"),
            "check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
            # The look of exercises.
            "extra_labextensions_path": [str(_LABKIT / "lab_extension")],
            # Which tabs are open is kept with the lessons, apart from the learner's other work.
            "workspaces_dir": str(workspace / ".layouts"),
        },
        # Nobody else on a shared machine can listen in on a kernel.
        "KernelManager": {"transport_encryption": "auto"},
    }


def _origin_in_a_codespace(environment: Mapping[str, str]) -> dict[str, object]:
    """Return the setting that lets the pages of this codespace, and no others, use its server.

    The browser has them from an address of GitHub's, which is not that of the server.
    """
    name = environment.get("CODESPACE_NAME")
    domain = environment.get("GITHUB_CODESPACES_PORT_FORWARDING_DOMAIN")
    if not name or not domain:
        return {}
    return {"allow_origin_pat": rf"https://{re.escape(name)}-\d+\.{re.escape(domain)}$"}


def as_arguments(settings: dict[str, dict[str, object]]) -> list[str]:
    """Return settings as arguments of a command, which win over the learner's files."""
    arguments = []
    for section, values in settings.items():
        for name, value in values.items():
            if isinstance(value, dict):
                words = [f"{key}={one}" for key, one in value.items()]
            else:
                words = [str(one) for one in (value if isinstance(value, list) else [value])]
            arguments += [f"--{section}.{name}={word}" for word in words]
    return arguments


def kernel_variables(workspace: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that kernels need, beside those of the environment."""
    variables = {}
    # One record of the exercises for all notebooks, those in subfolders too.
    variables["LABKIT_HOME"] = environment.get("LABKIT_HOME", str(workspace))
    # A kernel of the name python3 that belongs to another Python comes after the course's own.
    kernels = [str(Path(sys.prefix) / "share" / "jupyter")]
    if environment.get("JUPYTER_PATH"):
        kernels.append(environment["JUPYTER_PATH"])
    variables["JUPYTER_PATH"] = os.pathsep.join(kernels)
    if _STARTUP.is_file():
        # It runs the learner's own startup file, if there is one.
        own_startup = environment.get("PYTHONSTARTUP")
        if own_startup and Path(own_startup) != _STARTUP:
            variables["LABKIT_PYTHONSTARTUP"] = own_startup
        variables["PYTHONSTARTUP"] = str(_STARTUP)
    return variables
