"""The settings of the course for a server that somebody else starts, as Binder does.

The file ../start leads the server here; its current folder is that of the learner's copies.
"""

import os
from pathlib import Path

from labkit.course.server_settings import kernel_variables, server_settings

workspace = Path.cwd()
os.environ.update(kernel_variables(workspace, os.environ))  # kernels have the server's environment
for section, values in server_settings(workspace, "README.md").items():
    c[section].update(values)  # noqa: F821 - Jupyter gives this file the name c
