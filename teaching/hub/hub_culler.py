"""Run jupyterhub-idle-culler, and end with the hub even if that is killed."""

import ctypes
import runpy
import signal
import sys

END_WITH_PARENT = 1  # PR_SET_PDEATHSIG of Linux

if __name__ == "__main__":
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(END_WITH_PARENT, signal.SIGTERM)
    runpy.run_module("jupyterhub_idle_culler", run_name="__main__")
