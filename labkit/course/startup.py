"""Run by Python and IPython at their start, where the variable PYTHONSTARTUP names this file.

It lets a notebook say which cell to run even before `lab.setup()`. The learner's own file for the
start, which the variable LABKIT_PYTHONSTARTUP names, runs as if this one were not there.
"""


def _start() -> None:
    import contextlib
    import os
    from pathlib import Path

    with contextlib.suppress(Exception):  # a kernel must start whatever happens here
        from labkit.course.notebook_help import install

        install()
    own = os.environ.get("LABKIT_PYTHONSTARTUP", "")
    if own and Path(own).is_file():
        code = compile(Path(own).read_text(encoding="utf-8"), own, "exec")
        exec(code, globals())  # as Python does it: its names belong to the session


try:
    _start()
finally:
    del _start
