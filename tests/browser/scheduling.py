"""Which process plays which lesson."""

import re

from xdist.scheduler import LoadScopeScheduling


class Scheduling(LoadScopeScheduling):
    """Give all tests of a lesson to one process, so that it is played once; else those of a file.

    Not the groups of pytest-xdist 3.8: they change what pytest 9.1 and later no longer read.
    """

    def _split_scope(self, nodeid: str) -> str:
        return scope_of(nodeid)


def scope_of(nodeid: str) -> str:
    """Return what a test belongs to: a lesson, the keyboard, or a file."""
    lesson = re.search(r"\[(.+?\.ipynb)", nodeid)
    if lesson:
        return lesson[1]
    return "keyboard" if "with_the_keyboard" in nodeid else nodeid.split("::")[0]
