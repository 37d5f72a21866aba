"""Start the server of one learner, in their own copies of the lessons.

The hub runs this as the learner; in the image for a cluster it is the command of the container.
"""

import os
import subprocess
import sys
from pathlib import Path

import hub_settings

# Memory that a kernel no longer uses goes back to the system at once, for the other learners: the
# C library keeps tens of megabytes otherwise. Calls of a model were not slower with it.
MEMORY_GOES_BACK = {
    "MALLOC_ARENA_MAX": "2",
    "MALLOC_MMAP_THRESHOLD_": str(2**20),
    "MALLOC_TRIM_THRESHOLD_": str(2**17),
}


def main(arguments: list[str]) -> None:
    """Bring the copies up to date, then become the server."""
    os.umask(0o077)
    lessons = Path.home() / hub_settings.LESSONS
    os.environ["LABKIT_WORKSPACE"] = str(lessons)
    os.environ["JUPYTER_CONFIG_PATH"] = str(hub_settings.COURSE / "binder" / "jupyter")
    for name, value in MEMORY_GOES_BACK.items():
        os.environ.setdefault(name, value)
    prepared = subprocess.run([sys.executable, "-m", "labkit", "workspace"])
    if prepared.returncode:
        # Such as with a full disk: the server starts all the same, so that files can be deleted.
        print("The copies of the lessons could not be brought up to date, see above.", flush=True)
    folder = lessons if lessons.is_dir() else Path.home()
    os.chdir(folder)
    os.execv(sys.executable, server_command(folder, arguments))


def server_command(folder: Path, arguments: list[str]) -> list[str]:
    """Return the command of the server, whose waits are long enough for a busy machine."""
    seconds = hub_settings.SECONDS_FOR_A_KERNEL
    idle = 60 * hub_settings.IDLE_MINUTES_OF_A_KERNEL
    return [
        sys.executable,
        "-m",
        "jupyterhub.singleuser",
        f"--ServerApp.root_dir={folder}",
        f"--MappingKernelManager.kernel_info_timeout={seconds}",
        f"--MappingKernelManager.cull_idle_timeout={idle}",
        *arguments,
    ]


if __name__ == "__main__":
    main(sys.argv[1:])
