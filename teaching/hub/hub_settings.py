"""What the hub is told: folders, ports, times, and what one learner may use.

The variables are those that `make hub` sets. values.yaml has the same figures for a cluster, and a
test compares them.
"""

import os
from pathlib import Path

HUB = Path(__file__).resolve().parent
COURSE = HUB.parents[1]
START_PAGE = "/lab/tree/README.md"
LESSONS = "lessons"  # in the home of a learner: their own copies

TEACHER = "teacher"  # stops servers, and lets in those who sign up by themselves
# The name of a learner, which is a part of addresses, folders and the name of a system account.
NAME = r"[a-z][a-z0-9-]{0,23}"
LEAST_PASSWORD = 10  # characters of a password that a learner chooses
MOST_WRONG_PASSWORDS = 10
SECONDS_AFTER_WRONG_PASSWORDS = 30

GB = 1_000_000_000
# What one learner needs when many share a machine, from what load_test.py measured with twenty.
PLANNED_MEMORY = 9 * GB // 10
# What one process may have at most, where nothing better than a limit of the process can be had.
# TensorFlow reserves more than it uses, so this is far above the planned memory.
MOST_MEMORY_OF_A_PROCESS = 4 * GB
# What all processes of one learner may have, where the system can limit that: a container has
# nobody to share the pages of TensorFlow with.
MOST_MEMORY = 2 * GB
MOST_CORES = 2.0
MOST_THREADS = 1000  # of all processes of one learner
MEMORY_FOR_THE_HUB = 2 * GB

# Twenty learners who start at the same moment on two cores wait for minutes, which must not end
# their servers. On a quiet machine everything is there after seconds, whatever these say.
SECONDS_TO_START = 600
SECONDS_FOR_A_KERNEL = 600
SECONDS_FOR_A_REQUEST = 900

IDLE_MINUTES = 60  # a server that nobody used for so long is stopped
IDLE_MINUTES_OF_A_KERNEL = 30  # a kernel that no open page belongs to


def state_folder() -> Path:
    """Return the folder of the hub's own files, which only its owner may read."""
    return Path(os.environ.get("LABKIT_HUB_STATE") or COURSE / ".hub").resolve()


def homes_folder() -> Path:
    """Return the folder that holds the homes of the learners."""
    named = os.environ.get("LABKIT_HUB_HOMES")
    if named:
        return Path(named).resolve()
    if os.geteuid() == 0:
        return Path("/home")
    return state_folder() / "homes"


def database() -> str:
    """Return the address of the hub's database."""
    return f"sqlite:///{state_folder() / 'jupyterhub.sqlite'}"


def make_state_folder() -> Path:
    """Make the folder of the hub's own files; return it."""
    folder = state_folder()
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    return folder


def port() -> int:
    """Return the port of the hub; the two after it are for its own parts."""
    return int(os.environ.get("LABKIT_HUB_PORT") or 8000)


def idle_minutes() -> float:
    """Return after how many minutes without use a server is stopped; 0 for never."""
    return float(os.environ.get("LABKIT_HUB_IDLE_MINUTES") or IDLE_MINUTES)


def learners_trust_each_other() -> bool:
    """Return whether the teacher said that learners need not be kept apart."""
    return bool(os.environ.get("LABKIT_HUB_TRUST_EACH_OTHER"))
