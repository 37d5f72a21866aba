"""`python -m labkit lab` opens the course, `doctor` checks the machine, `own-model` measures a model you bring."""

import argparse
import os
import signal
import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
NOTEBOOKS = PACKAGE.parent / "notebooks"


def main(arguments: list[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    arguments : list of str, optional
        What stands after ``python -m labkit``.

    Returns
    -------
    int
        The exit status: 0, 1 when something is wrong with the machine or the files, 2 for a wrong argument or a model
        that cannot be used.
    """
    parser = argparse.ArgumentParser(
        prog="python -m labkit", description="The course 'TensorFlow in a loop'."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    lab = commands.add_parser(
        "lab", help="prepare your own copies of the lessons and open them in JupyterLab"
    )
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
        "--port", type=int, default=8888, help="port to try first (default: %(default)s)"
    )
    commands.add_parser(
        "doctor", help="check Python, TensorFlow, memory and what else the lessons need"
    )
    own = commands.add_parser(
        "own-model", help="measure every way to call your model, and write a report"
    )
    own.add_argument(
        "path",
        nargs="?",
        metavar="PATH",
        help=".keras file, .h5 file or SavedModel folder (default: ours)",
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
        help="time at most (default: %(default)s)",
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
    options = parser.parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(
            errors="replace"
        )  # a Windows code page has no ✓, and that is no reason to stop
    try:
        return {"doctor": _doctor, "lab": _lab, "own-model": _own_model}[options.command](options)
    except (OSError, ValueError) as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _doctor(_: argparse.Namespace) -> int:
    from .course.environment import doctor

    report = doctor()
    print(report)
    return 0 if report.ok else 1


def _lab(options: argparse.Namespace) -> int:
    from .course import workspace as copies

    workspace = Path(os.environ.get("LABKIT_WORKSPACE") or PACKAGE.parent / "workspace").resolve()
    names = copies.lessons(NOTEBOOKS)
    for wanted in filter(None, (options.lesson, options.fresh)):
        if not _find(wanted, names):
            known = "\n".join(f"  {name.removesuffix('.ipynb')}" for name in names)
            print(
                f"There is no lesson {wanted!r}. Give one of these, or its number:\n{known}",
                file=sys.stderr,
            )
            return 2
    if options.fresh:
        fresh = _find(options.fresh, names)
        kept = copies.set_aside(workspace, fresh)
        print(f"{fresh}: a fresh one{f'; yours is now {kept}' if kept else ''}")
    happened = copies.make_workspace(NOTEBOOKS, workspace)
    print(f"{len(happened)} lessons in {workspace}")
    for name, what in happened:
        if what not in (copies.NEW, copies.UP_TO_DATE):
            print(f"{name}: {what}")

    from .course.environment import doctor

    print(doctor(brief=True))
    print("Starting JupyterLab; its address follows. Ctrl-C stops it.", flush=True)
    return _run(
        _command(workspace, _find(options.lesson or options.fresh or names[0], names), options)
    )


def _own_model(options: argparse.Namespace) -> int:
    from .own_model import BadModel, diagnose

    try:
        if options.path is not None:
            from .own_model.paths import check_path

            check_path(options.path)  # a slip in the path is told before TensorFlow is imported
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
        print(f"python -m labkit own-model: {error}", file=sys.stderr)
        return 2
    print(f"{diagnosis}\n\nThe report: {options.output}")
    return 0


def _find(wanted: str, names: list[str]) -> str | None:
    """Return the lesson meant by a number, a name or a path; None when there is none."""
    stem = Path(wanted).name.removesuffix(".ipynb")
    number = f"{stem.zfill(2)}_" if stem.isdecimal() else None
    return next(
        (name for name in names if name == f"{stem}.ipynb" or (number and name.startswith(number))),
        None,
    )


def _command(workspace: Path, lesson: str, options: argparse.Namespace) -> list[str]:
    command = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={workspace}"]
    command += ["--ServerApp.ip=127.0.0.1", f"--ServerApp.port={options.port}"]
    # Not as an argument: the printed address then leads to the lesson as well.
    command.append(f"--LabApp.default_url=/lab/tree/{lesson}")
    # Only warnings, and the address, which counts as critical: in a flood of start-up lines nobody finds it.
    # Ctrl-C needs no second thought, as the lessons are saved every two minutes.
    command += [
        "--ServerApp.log_level=WARN",
        "--LabApp.log_level=WARN",
        "--ServerApp.answer_yes=True",
    ]
    # Nothing is fetched from the network: no news, no search for updates. These are defaults, so what the learner
    # chose in their own JupyterLab settings still wins.
    command.append(f"--LabApp.app_settings_dir={PACKAGE / 'lab_settings'}")
    command.append("--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate")
    # On a shared machine nobody else can then listen in on a kernel.
    command.append("--KernelManager.transport_encryption=auto")
    if options.no_browser:
        command.append("--no-browser")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append(
            "--allow-root"
        )  # JupyterLab refuses otherwise; in a container root is the only user
    return command


def _run(command: list[str]) -> int:
    if os.name == "posix":
        # A shell starts what runs in its background with Ctrl-C switched off, and JupyterLab would inherit that.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.execv(
            command[0], command
        )  # JupyterLab takes the place of this process, and with it Ctrl-C and its end
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # Ctrl-C reaches JupyterLab as well, which stops and is waited for
    return subprocess.call(command)


if __name__ == "__main__":
    sys.exit(main())
