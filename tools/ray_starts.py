"""Print whether Ray starts on this machine; the exit status is 0 if it does: `tools/ray_starts.py`.

CI asks before it runs the cells of lesson 15 that need Ray. That Ray does not start, as in a small
container, says something about the machine and nothing about the course.
"""

import sys

from labkit.course import serving

PROGRAM = "from labkit.course import serving_cluster; serving_cluster.start(tries=1)"
SECONDS = 120.0
TRIES = 2


def starts(program: str = PROGRAM, seconds: float = SECONDS, tries: int = TRIES) -> bool:
    """Return whether Ray starts; print its own words where it does not."""
    for number in range(1, tries + 1):
        try:
            serving.run(program, seconds=seconds)
        except serving.ProgramFailed as error:
            print(f"Try {number} of {tries}. {error}", flush=True)
        else:
            print("Ray starts on this machine.")
            return True
    print("Ray does not start on this machine.")
    return False


if __name__ == "__main__":
    sys.exit(0 if starts() else 1)
