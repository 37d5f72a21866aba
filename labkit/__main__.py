"""The commands of the course, ``python -m labkit``.

`lab` opens the lessons, `doctor` checks the machine, `own-model` measures a model that you bring.
"""

import argparse
import io
import os
import signal
import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
NOTEBOOKS = PACKAGE.parent / "notebooks"
PROGRAM = "python -m labkit"


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return the exit status.

    The status is 0 if all went well, 1 if something is wrong with the machine or the files, and 2
    for a wrong argument or a model that cannot be used.
    """
    options = _parser().parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # some Windows code pages have no ✓
    try:
        return options.run(options)
    except (OSError, ValueError) as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


# ---- the arguments ----


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=PROGRAM, description="The course 'TensorFlow in a loop'.")
    commands = parser.add_subparsers(dest="command", required=True)
    _add_lab(commands)
    _add_doctor(commands)
    _add_own_model(commands)
    return parser


def _add_lab(commands: argparse._SubParsersAction) -> None:
    lab = commands.add_parser(
        "lab", help="prepare your own copies of the lessons and open them in JupyterLab"
    )
    lab.set_defaults(run=_lab)
    lab.add_argument(
        "lesson",
        nargs="?",
        metavar="LESSON",
        help="number or name of the lesson to open (default: 00)",
    )
    lab.add_argument(
        "--fresh", metavar="LESSON", help="set your copy of this lesson aside and begin a new one"
    )
    lab.add_argument(
        "--no-browser", action="store_true", help="print the address and open no browser"
    )
    lab.add_argument(
        "--port", type=_port, default=8888, help="port to try first (default: %(default)s)"
    )


def _add_doctor(commands: argparse._SubParsersAction) -> None:
    doctor = commands.add_parser(
        "doctor", help="check Python, TensorFlow, memory and what else the lessons need"
    )
    doctor.set_defaults(run=_doctor)


def _add_own_model(commands: argparse._SubParsersAction) -> None:
    own = commands.add_parser(
        "own-model", help="measure every way to call your model, and write a report"
    )
    own.set_defaults(run=_own_model)
    own.add_argument(
        "path",
        nargs="?",
        metavar="PATH",
        help=".keras file, .h5 file or SavedModel folder (default: the course's own model)",
    )
    own.add_argument(
        "--sample",
        metavar="FILE",
        help="an input, as a .npy or .npz file (default: random numbers)",
    )
    own.add_argument(
        "--shape",
        help="shape of one row where the model leaves it open: 28,28,1 or 'image=28,28,1; ids=20'",
    )
    own.add_argument(
        "--dtype",
        help="its dtype where the model does not say: float32 or 'image=float32; ids=int32'",
    )
    own.add_argument(
        "--batch",
        type=int,
        nargs="+",
        default=[1, 32],
        metavar="ROWS",
        help="rows per call (default: 1 32)",
    )
    own.add_argument(
        "--budget",
        type=float,
        default=60,
        metavar="SECONDS",
        help="time to measure at most (default: %(default)s)",
    )
    own.add_argument(
        "--signature", help="of a SavedModel: which one to call (default: serving_default)"
    )
    own.add_argument(
        "--trust",
        action="store_true",
        help="run the Python code that Lambda layers store in the file",
    )
    own.add_argument(
        "--output", default="report.html", metavar="FILE", help="the report (default: %(default)s)"
    )


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"a port is a number from 0 to 65535, got {text!r}")
    return int(text)


# ---- the commands ----


def _doctor(options: argparse.Namespace) -> int:
    from .course.environment import doctor

    report = doctor()
    print(report)
    return 0 if report.ok else 1


def _lab(options: argparse.Namespace) -> int:
    from .course.environment import doctor
    from .course.workspace import lessons

    names = lessons(NOTEBOOKS)
    for wanted in (options.lesson, options.fresh):
        if wanted is not None and _find_lesson(wanted, names) is None:
            known = "\n".join(f"  {name.removesuffix('.ipynb')}" for name in names)
            print(
                f"There is no lesson {wanted!r}. Give one of these, or its number:\n{known}",
                file=sys.stderr,
            )
            return 2
    workspace = _workspace()
    try:
        _prepare(workspace, names, options.fresh)
    except OSError as error:
        print(
            f"{PROGRAM}: your copies of the lessons cannot be written: {error}\n"
            "Set the variable LABKIT_WORKSPACE to another folder for them.",
            file=sys.stderr,
        )
        return 1
    print(doctor(brief=True))
    print("Starting JupyterLab; its address follows. Ctrl-C stops it.", flush=True)
    opened = _find_lesson(options.lesson or options.fresh or names[0], names)
    return _run(_jupyterlab_command(workspace, str(opened), options))


def _own_model(options: argparse.Namespace) -> int:
    from .own_model import BadModel, diagnose

    try:
        if options.path is not None:
            from .own_model.paths import check_path

            check_path(options.path)  # before TensorFlow is imported: a wrong path is told at once
        from .course.environment import setup

        setup()
        diagnosis = diagnose(
            options.path,
            sample=options.sample,
            shape=options.shape,
            dtype=options.dtype,
            batches=options.batch,
            budget=options.budget,
            trust=options.trust,
            signature=options.signature,
            report_to=options.output,
        )
    except BadModel as error:
        print(f"{PROGRAM} own-model: {error}", file=sys.stderr)
        return 2
    print(f"{diagnosis}\n\nThe report: {options.output}")
    return 0


# ---- parts of `lab` ----


def _workspace() -> Path:
    """Return the folder of the learner's copies."""
    folder = os.environ.get("LABKIT_WORKSPACE") or PACKAGE.parent / "workspace"
    return Path(folder).resolve()


def _prepare(workspace: Path, names: list[str], fresh: str | None) -> None:
    """Write the learner's copies, and print what happened to those that need attention."""
    from .course import workspace as copies

    if fresh is not None:
        lesson = str(_find_lesson(fresh, names))
        kept = copies.set_aside(workspace, lesson)
        if kept is None:
            print(f"{lesson}: a fresh one")
        else:
            print(f"{lesson}: a fresh one; yours is now {kept}")
    happened = copies.make_workspace(NOTEBOOKS, workspace)
    print(f"{len(names)} lessons in {workspace}")
    for name, what in happened:
        if what not in (copies.NEW, copies.UP_TO_DATE):
            print(f"{name}: {what}")


def _find_lesson(wanted: str, names: list[str]) -> str | None:
    """Return the lesson that a number, a name or a path means; None if there is no such lesson."""
    stem = Path(wanted).name.removesuffix(".ipynb")
    for name in names:
        if name == f"{stem}.ipynb":
            return name
        if stem.isdecimal() and name.startswith(f"{stem.zfill(2)}_"):
            return name
    return None


def _jupyterlab_command(workspace: Path, lesson: str, options: argparse.Namespace) -> list[str]:
    """Return the command that starts JupyterLab in the workspace with a lesson open."""
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        f"--ServerApp.root_dir={workspace}",
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={options.port}",
        # Not as a file to open: the printed address then leads to the lesson as well.
        f"--LabApp.default_url=/lab/tree/{lesson}",
        # Only warnings, and the address, which counts as critical: it must not drown in messages.
        "--ServerApp.log_level=WARN",
        "--LabApp.log_level=WARN",
        # Ctrl-C stops it without a question, as the lessons are saved every two minutes.
        "--ServerApp.answer_yes=True",
        # Nothing is fetched from the network: no news, no search for updates. These are defaults,
        # so the choices in the learner's own JupyterLab settings still win.
        f"--LabApp.app_settings_dir={PACKAGE / 'lab_settings'}",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        # Nobody else on a shared machine can listen in on a kernel.
        "--KernelManager.transport_encryption=auto",
    ]
    if options.no_browser:
        command.append("--no-browser")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        # JupyterLab does not start for root otherwise, and a container has no other user.
        command.append("--allow-root")
    return command


def _run(command: list[str]) -> int:
    """Start JupyterLab, and return its exit status where it does not replace this process."""
    if os.name == "posix":
        # A shell starts programs in its background with Ctrl-C switched off; JupyterLab would
        # inherit that.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.execv(command[0], command)  # JupyterLab becomes this process: Ctrl-C reaches it alone
    # Ctrl-C reaches JupyterLab as well, which stops; this process waits for that.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return subprocess.call(command)


if __name__ == "__main__":
    sys.exit(main())
