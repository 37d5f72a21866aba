"""The commands of the course, ``python -m labkit``.

`lab` opens the lessons and `workspace` only makes your copies of them, `doctor` checks the machine,
`own-model` measures a model that you bring, and `own-loop` the loop around it. For a group: `pack`
makes an archive that installs without a network, `hand-in` writes what a learner hands in, and
`room` draws the results of all.
"""

import argparse
import errno
import importlib.util
import io
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).resolve().parent
PROGRAM = "python -m labkit"


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return the exit status.

    The status is 0 if all went well, 1 if something is wrong with the machine or the files, 2 for a
    wrong argument or a model that cannot be used, and 3 for a model that is too slow.
    """
    words, of_program = _split(sys.argv[1:] if arguments is None else arguments)
    options = _parser().parse_args(words)
    options.arguments = of_program
    if reason := _other_python():
        print(f"{PROGRAM}: {reason}", file=sys.stderr)
        return 1
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # some Windows code pages have no ✓
    try:
        return options.run(options)
    except (OSError, ValueError) as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt as interrupt:
        if str(interrupt):
            print(f"{PROGRAM}: {interrupt}", file=sys.stderr)
        return 130


def _split(words: list[str]) -> tuple[list[str], list[str]]:
    """Return the arguments of own-loop, and those of the learner's program, which follow a --."""
    if words[:1] != ["own-loop"] or "--" not in words:
        return words, []
    end = words.index("--")
    return words[:end], words[end + 1 :]


def _other_python() -> str:
    """Return that another Python has the packages, where make has installed the course."""
    environment = PACKAGE.parent / ".venv"
    is_installed = (environment / ".ready").exists() and Path(sys.prefix) != environment
    if not is_installed or importlib.util.find_spec("tensorflow") is not None:
        return ""
    place = "Scripts/python" if os.name == "nt" else "bin/python"
    return f"this Python has no TensorFlow; the course is installed in .venv: use .venv/{place}"


# ---- the arguments ----


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=PROGRAM, description="The course 'TensorFlow in a loop'.")
    commands = parser.add_subparsers(dest="command", required=True)
    _add_lab(commands)
    _add_workspace(commands)
    _add_doctor(commands)
    _add_own_model(commands)
    _add_own_loop(commands)
    _add_pack(commands)
    _add_hand_in(commands)
    _add_room(commands)
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
        help="number or name of the lesson to open (default: the start page)",
    )
    _add_fresh(lab)
    lab.add_argument(
        "--no-browser", action="store_true", help="print the address and open no browser"
    )
    lab.add_argument(
        "--port", type=_port, default=8888, help="port to try first (default: %(default)s)"
    )


def _add_workspace(commands: argparse._SubParsersAction) -> None:
    workspace = commands.add_parser(
        "workspace", help="prepare your own copies of the lessons, and start nothing"
    )
    workspace.set_defaults(run=_workspace, lesson=None)
    _add_fresh(workspace)


def _add_fresh(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--fresh", metavar="LESSON", help="set your copy of this lesson aside and begin a new one"
    )


def _add_doctor(commands: argparse._SubParsersAction) -> None:
    doctor = commands.add_parser(
        "doctor", help="check Python, TensorFlow, memory and what else the lessons need"
    )
    doctor.set_defaults(run=_doctor)
    what = doctor.add_mutually_exclusive_group()
    what.add_argument(
        "--report",
        metavar="FILE",
        help="write what was found to a file for a teacher, with the times of a few calls",
    )
    what.add_argument(
        "--collect",
        metavar="FOLDER",
        help="check nothing here: make one table of the reports in this folder",
    )
    _add_name_and_force(doctor)


def _add_name_and_force(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--name", default="", help="the name to write into the file (default: none)"
    )
    _add_force(parser)


def _add_force(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--force", action="store_true", help="replace a file of that name")


def _add_pack(commands: argparse._SubParsersAction) -> None:
    pack = commands.add_parser(
        "pack", help="write one archive from which the course installs without a network"
    )
    pack.set_defaults(run=_pack)
    pack.add_argument(
        "out",
        nargs="?",
        metavar="OUT",
        default="tensorflow-in-a-loop.zip",
        help="the archive to write (default: %(default)s)",
    )
    pack.add_argument(
        "--platform",
        nargs="+",
        metavar="NAME",
        help="linux-x86_64, linux-aarch64, macos-arm64, windows-x86_64, or all of them: all "
        "(default: this machine's)",
    )
    pack.add_argument(
        "--python",
        nargs="+",
        metavar="VERSION",
        help="3.11, 3.12 or 3.13, or all of them: all (default: this Python's)",
    )
    _add_force(pack)


def _add_hand_in(commands: argparse._SubParsersAction) -> None:
    hand_in = commands.add_parser(
        "hand-in", help="write your passed exercises and measured ratios to a file for a teacher"
    )
    hand_in.set_defaults(run=_hand_in)
    hand_in.add_argument("file", metavar="FILE", help="the file to write, such as ann.json")
    _add_name_and_force(hand_in)


def _add_room(commands: argparse._SubParsersAction) -> None:
    room = commands.add_parser(
        "room", help="draw who passed what, and how one ratio spreads, from what was handed in"
    )
    room.set_defaults(run=_room)
    room.add_argument("folder", metavar="FOLDER", help="holds the files that were handed in")
    room.add_argument(
        "--output",
        metavar="FILE",
        default="room.html",
        help="the page to write (default: %(default)s)",
    )
    room.add_argument(
        "--ratio",
        metavar="WORDS",
        help="the ratio to draw: words of its lesson, section or candidates (default: the one that "
        "most laptops have)",
    )
    _add_force(room)


def _add_own_model(commands: argparse._SubParsersAction) -> None:
    own = commands.add_parser(
        "own-model",
        help="measure every way to call your model, and write a report",
        epilog="exit status: 0 measured, 2 a wrong argument or a model that cannot be used, "
        "3 slower than --fail-over-ms, 130 interrupted",
    )
    own.set_defaults(run=_own_model)
    own.add_argument(
        "paths",
        nargs="*",
        metavar="PATH",
        help=".keras file, .h5 file, SavedModel folder, frozen graph (.pb), .tflite or .onnx file "
        "(default: the course's own model); with two of them, the models are compared",
    )
    _add_input(own)
    _add_reading(own)
    _add_measuring(own)
    _add_results(own)


def _add_input(own: argparse.ArgumentParser) -> None:
    """Add what the model is called with."""
    own.add_argument(
        "--sample",
        metavar="FILE",
        help="an input, as a .npy, .npz or .tfrecord file (default: random numbers)",
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


def _add_reading(own: argparse.ArgumentParser) -> None:
    """Add how the file is read."""
    own.add_argument(
        "--signature", help="of a SavedModel: which one to call (default: serving_default)"
    )
    own.add_argument(
        "--trust",
        action="store_true",
        help="run the Python code that Lambda layers store in the file",
    )
    own.add_argument(
        "--import",
        dest="own_code",
        nargs="+",
        metavar="CODE",
        help="a file such as my_layers.py, or module:Class, that defines your own layers",
    )
    own.add_argument(
        "--inputs", metavar="NAMES", help="of a frozen graph: its inputs, such as x or x,keep_prob"
    )
    own.add_argument(
        "--outputs", metavar="NAMES", help="of a frozen graph: its outputs, such as softmax"
    )


def _add_measuring(own: argparse.ArgumentParser) -> None:
    """Add what is measured, and for how long."""
    own.add_argument(
        "--budget",
        type=float,
        default=60,
        metavar="SECONDS",
        help="time to load and to measure (default: %(default)s)",
    )
    own.add_argument(
        "--threads",
        type=int,
        metavar="N",
        help="threads that one call may use, in TensorFlow, LiteRT and ONNX Runtime (default: "
        "their own choice)",
    )
    own.add_argument(
        "--within-ms",
        type=float,
        metavar="MS",
        help="find the rows per call with the largest throughput that are answered within MS "
        "milliseconds (99 of 100 calls)",
    )
    own.add_argument(
        "--no-service",
        action="store_true",
        help="leave out what only a service needs: percentiles, more rows per call, callers at "
        "once, LiteRT with fewer bits",
    )


def _add_results(own: argparse.ArgumentParser) -> None:
    """Add where the results go."""
    own.add_argument(
        "--output",
        metavar="FILE",
        help="the report (default: report-NAME.html, after the name of the model)",
    )
    own.add_argument(
        "--json",
        metavar="FILE",
        help="write the result as JSON, too; - writes it to the output and nothing else there",
    )
    own.add_argument(
        "--keep",
        metavar="DIR",
        help="write the converted model of the recommended way there (.tflite, .onnx or a "
        "SavedModel)",
    )
    own.add_argument(
        "--force", action="store_true", help="replace files of the same names that exist"
    )
    own.add_argument(
        "--fail-over-ms",
        type=float,
        metavar="MS",
        help="end with the exit status 3 if the median time of a call through the recommended way, "
        "with the first number of --batch, is over MS milliseconds",
    )


def _add_own_loop(commands: argparse._SubParsersAction) -> None:
    own = commands.add_parser(
        "own-loop",
        help="run your program, count what its loop asks for, and say what to change",
        epilog="The program gets as its own arguments what follows after --.",
    )
    own.set_defaults(run=_own_loop)
    own.add_argument("script", metavar="SCRIPT", help="a Python program")
    own.add_argument(
        "--function",
        metavar="NAME",
        help="a function of it that runs the loop once and takes no argument; it is called a few "
        "times (default: the whole program, once, and once more under a profiler)",
    )
    own.add_argument(
        "--budget",
        type=_seconds,
        default=30.0,
        metavar="SECONDS",
        help="begin no other pass after this time (default: %(default)s)",
    )


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not seconds > 0:
        raise argparse.ArgumentTypeError(f"a number of seconds above 0, got {text!r}")
    return seconds


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"a port is a number from 0 to 65535, got {text!r}")
    return int(text)


# ---- the commands ----


def _doctor(options: argparse.Namespace) -> int:
    if options.collect is not None:
        return _collect(options)
    from .course.environment import doctor
    from .course.handed_in import check_target

    if options.report is not None:
        target = Path(options.report).expanduser()
        check_target(target, options.force)
    report = doctor()
    print(report)
    if options.report is None:
        return 0 if report.ok else 1
    return _write_report(report, target, options.name)


def _write_report(report: Any, target: Path, name: str) -> int:
    """Measure a few calls and write the report of this laptop."""
    from .course.handed_in import write
    from .course.laptops import can_call, laptop_report

    if can_call(report):
        print("\nMeasuring a few calls, up to a minute ...", flush=True)
    content = laptop_report(report, name)
    write(target, content)
    print(f"The report: {target}. Send it to your teacher; nothing was sent by itself.")
    return 0 if content["ready"] else 1


def _collect(options: argparse.Namespace) -> int:
    from .course.laptops import collect

    laptops = collect(Path(options.collect).expanduser())
    print(laptops)
    return 0 if laptops.laptops else 1


def _pack(options: argparse.Namespace) -> int:
    import time

    from .course.pack import in_words, make_pack, targets_of

    begin = time.monotonic()
    content = make_pack(
        Path(options.out).expanduser(),
        targets_of(options.platform, options.python),
        force=options.force,
    )
    print(in_words(content, options.out, time.monotonic() - begin))
    return 0


def _hand_in(options: argparse.Namespace) -> int:
    from .course.files import workspace_folder
    from .course.hand_in import gather, in_words
    from .course.handed_in import check_target, write

    target = Path(options.file).expanduser()
    check_target(target, options.force)
    content = gather(workspace_folder(), options.name)
    write(target, content)
    print(in_words(content))
    print("A lesson counts as it was saved: save it, and give the command again with --force.")
    print(f"The file: {target}. Give it to your teacher; nothing was sent by itself.")
    return 0


def _room(options: argparse.Namespace) -> int:
    from .course.files import write_atomically
    from .course.handed_in import check_target
    from .course.room import find_spread, page, read_room
    from .course.workspace import COURSE

    target = Path(options.output).expanduser()
    check_target(target, options.force)
    room = read_room(Path(options.folder).expanduser(), COURSE)
    print(room)
    if not room.learners:
        return 1
    write_atomically(target, page(room, find_spread(room, options.ratio)))
    print(f"The page: {target}")
    return 0


def _lab(options: argparse.Namespace) -> int:
    from .course.environment import examine
    from .course.files import workspace_folder
    from .course.running_server import find_server, is_taken
    from .course.tensorflow_start import begin_import

    names = _known_lessons(options)
    if names is None:
        return 2
    page = _page_to_open(options, names)
    workspace = workspace_folder()
    address = find_server(workspace, page)
    if address is not None:
        return _open_running(address, options)
    importing = begin_import()  # beside what follows
    try:
        if not _prepare(workspace, names, options.fresh):
            return 1
        print(examine(brief=True, importing=importing))
    finally:
        if importing is not None:
            importing.kill()  # where it was not waited for
    if options.port and is_taken(options.port):
        print(f"Port {options.port} is taken by another program: JupyterLab takes the next one.")
    print("Starting JupyterLab; its address follows. Ctrl-C stops it.", flush=True)
    return _run(_jupyterlab_command(workspace, page, options), _environment(workspace))


def _workspace(options: argparse.Namespace) -> int:
    from .course.files import workspace_folder

    names = _known_lessons(options)
    if names is None:
        return 2
    return 0 if _prepare(workspace_folder(), names, options.fresh) else 1


def _own_model(options: argparse.Namespace) -> int:
    from .own_model import BadModel

    try:
        _check_own_model(options)
        from .own_model.origin import limit_threads

        limit_threads(options.threads)  # before TensorFlow starts
        from .course.environment import setup

        setup()
        if len(options.paths) == 2:
            return _own_two_models(options)
        return _own_one_model(options)
    except BadModel as error:
        print(f"{PROGRAM} own-model: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as interrupt:
        if str(interrupt):
            raise  # it says itself what was stopped
        print(f"{PROGRAM} own-model: stopped before anything was measured", file=sys.stderr)
        return 130


def _check_own_model(options: argparse.Namespace) -> None:
    """Raise BadModel for what can be told before TensorFlow is imported, which takes seconds."""
    from .own_model.json_file import check_target as check_json
    from .own_model.keep import check_folder, check_names
    from .own_model.origin import Origin, check_threads
    from .own_model.paths import BadModel, check_path
    from .own_model.report import check_target, default_name

    if len(options.paths) > 2:
        raise BadModel(f"give one model, or two to compare, got {len(options.paths)}")
    for path in options.paths:
        check_path(path)
    for name in ("within_ms", "fail_over_ms"):
        value = getattr(options, name)
        if value is not None and not value > 0:
            raise BadModel(f"--{name.replace('_', '-')} is in milliseconds, above 0, got {value:g}")
    check_threads(options.threads)
    if options.output is None:
        options.output = default_name(*options.paths)
    check_target(options.output, options.force, options.paths)
    if options.keep is not None:
        check_folder(options.keep, options.paths)
        check_names(options.keep, Origin(path=next(iter(options.paths), None)), options.force)
    if options.json is None:
        return
    check_json(options.json, options.force, options.paths)
    if Path(options.json).resolve() == Path(options.output).resolve():
        raise BadModel("--output and --json name the same file: give each a name of its own")


def _reading(options: argparse.Namespace) -> dict[str, Any]:
    """Return the options of `diagnose` and of `compare_models` that are the same."""
    within = options.within_ms / 1e3 if options.within_ms is not None else None
    return {
        "sample": options.sample,
        "shape": options.shape,
        "dtype": options.dtype,
        "batches": options.batch,
        "budget": options.budget,
        "trust": options.trust,
        "signature": options.signature,
        "own_code": options.own_code,
        "inputs": options.inputs,
        "outputs": options.outputs,
        "threads": options.threads,
        "within": within,
        "progress": sys.stderr.isatty(),  # in a file, each step of a bar would stay
    }


def _own_one_model(options: argparse.Namespace) -> int:
    from . import own_model
    from .own_model import json_file

    diagnosis = own_model.diagnose(
        options.paths[0] if options.paths else None,
        report_to=options.output,
        service=not options.no_service,
        keep_in=options.keep,
        force=options.force,
        **_reading(options),
    )
    if options.json != "-":
        print(diagnosis)
        print()
        print(diagnosis.details)
    if options.json is not None and not diagnosis.interrupted:
        json_file.write(diagnosis.to_dict(), options.json)
    if diagnosis.interrupted:  # it says so
        return 130
    if diagnosis.report is None:
        print(f"{PROGRAM} own-model: {diagnosis.notes[-1]}", file=sys.stderr)
        return 2
    if options.json != "-":
        print(f"\nThe report: {options.output}")
        if diagnosis.kept is not None:
            print(f"The converted model: {Path(options.keep) / diagnosis.kept.name}")
    if diagnosis.not_kept:
        print(f"{PROGRAM} own-model: {diagnosis.not_kept}", file=sys.stderr)
        return 2
    return _status_of(diagnosis, options.fail_over_ms)


def _own_two_models(options: argparse.Namespace) -> int:
    from . import own_model
    from .own_model import json_file

    for name in ("keep", "within_ms"):
        if getattr(options, name) is not None:
            option = f"--{name.replace('_', '-')}"
            raise own_model.BadModel(f"{option} is for one model: omit it, or give one model")
    reading = _reading(options)
    del reading["within"]
    batch, *_ = reading.pop("batches")
    found = own_model.compare_models(*options.paths, batch=batch, **reading)
    if options.json != "-":  # before a file is written: the disk may be full
        print(found)
        print()
        print(found.details)
    found.save(options.output)
    if options.json is not None:
        json_file.write(found.to_dict(), options.json)
    if options.json != "-":
        print(f"\nThe report: {options.output}")
    return _status_of(found.b, options.fail_over_ms)


def _status_of(diagnosis: Any, most_ms: float | None) -> int:
    """Return 3, after a sentence, if the recommended way is too slow."""
    best = diagnosis.best
    ms = 1e3 * diagnosis.medians[best].value
    if most_ms is None or ms <= most_ms:
        return 0
    print(
        f"{PROGRAM} own-model: {best} takes {ms:.3g} ms with {diagnosis.batch_label}, which is over"
        f" {most_ms:g} ms",
        file=sys.stderr,
    )
    return 3


def _own_loop(options: argparse.Namespace) -> int:
    """Run the loop of a program; its output and its errors stay as they are."""
    from .course.environment import setup
    from .own_model.loop import (
        NoSuchFunction,
        diagnose_loop,
        diagnose_program,
        loop_of_script,
        traceback_of_program,
    )

    script = Path(options.script)
    if not script.is_file():  # before TensorFlow is imported: a wrong path is told at once
        print(f"{PROGRAM} own-loop: there is no file {script}", file=sys.stderr)
        return 2
    try:
        setup()
    except KeyboardInterrupt:
        print(f"{PROGRAM} own-loop: stopped before the program ran", file=sys.stderr)
        return 130
    try:
        if options.function is None:
            diagnosis = diagnose_program(script.resolve(), options.budget, options.arguments)
        else:
            loop = loop_of_script(script.resolve(), options.function, options.arguments)
            diagnosis = diagnose_loop(loop, budget=options.budget)
    except NoSuchFunction as error:
        print(f"{PROGRAM} own-loop: {error}", file=sys.stderr)
        return 2
    except Exception as error:  # it is the program's own, and says where it comes from
        print(traceback_of_program(error), file=sys.stderr, end="")
        return 1
    print(diagnosis)
    return 0


# ---- the workspace ----


def _known_lessons(options: argparse.Namespace) -> list[str] | None:
    """Return the names of all notebooks; None, after a message, if a wanted one is not there."""
    from .course import workspace as copies

    names = copies.notebooks(copies.COURSE)
    for wanted in (options.lesson, options.fresh):
        if wanted is not None and _find_lesson(wanted, names) is None:
            known = "\n".join(f"  {name.removesuffix('.ipynb')}" for name in names)
            print(
                f"There is no lesson {wanted!r}. Give one of these, or its number:\n{known}",
                file=sys.stderr,
            )
            return None
    return names


def _prepare(workspace: Path, names: list[str], fresh: str | None) -> bool:
    """Write the learner's copies and the start page; return whether that went well."""
    from .course import workspace as copies
    from .course.start_page import write_start_page

    try:
        if fresh is not None:
            _set_aside(workspace, str(_find_lesson(fresh, names)))
        changes = copies.make_workspace(copies.COURSE, workspace)
        write_start_page(copies.COURSE, workspace)
        if not os.access(workspace, os.W_OK):
            raise PermissionError(errno.EACCES, "nothing could be saved there", str(workspace))
    except OSError as error:
        print(
            f"{PROGRAM}: your copies of the lessons cannot be written: {error}\n"
            "Set the variable LABKIT_WORKSPACE to another folder for them.",
            file=sys.stderr,
        )
        return False
    print(f"{len(copies.lessons(copies.COURSE))} lessons in {workspace}")
    for change in changes:
        print(change)
    return True


def _set_aside(workspace: Path, lesson: str) -> None:
    from .course import workspace as copies

    kept = copies.set_aside(workspace, lesson)
    if kept is None:
        print(f"{lesson}: a fresh one")
    else:
        print(f"{lesson}: a fresh one; yours is now {kept}")


def _find_lesson(wanted: str, names: list[str]) -> str | None:
    """Return the lesson that a number, a name or a path means; None if there is no such lesson."""
    stem = Path(wanted).name.removesuffix(".ipynb")
    for name in names:
        if Path(name).name == f"{stem}.ipynb":
            return name
        if stem.isdecimal() and name.startswith(f"{stem.zfill(2)}_"):
            return name
    return None


def _page_to_open(options: argparse.Namespace, names: list[str]) -> str:
    """Return the lesson that the learner named, or the start page."""
    from .course.workspace import START_PAGE

    wanted = options.lesson or options.fresh
    if wanted is None:
        return START_PAGE
    return str(_find_lesson(wanted, names))


# ---- JupyterLab ----


def _open_running(address: str, options: argparse.Namespace) -> int:
    """Lead the learner to the JupyterLab that runs already; its files stay as they are."""
    from .course.running_server import open_in_browser

    print(f"JupyterLab is already running at {address}", flush=True)
    if options.fresh is not None:
        print(
            "A fresh lesson needs a new start: stop JupyterLab with Ctrl-C where it runs, then "
            "give this command again.",
            file=sys.stderr,
        )
        return 1
    print("After an update of the course, stop it with Ctrl-C where it runs, and start it again.")
    if not options.no_browser:
        open_in_browser(address)
    return 0


def _jupyterlab_command(workspace: Path, page: str, options: argparse.Namespace) -> list[str]:
    """Return the command that starts JupyterLab in the workspace with a page open."""
    from .course.server_settings import as_arguments, server_settings

    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        f"--ServerApp.root_dir={workspace}",
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={options.port}",
        # Only errors, and the address, which counts as critical: it must not drown in messages.
        "--ServerApp.log_level=ERROR",
        "--LabApp.log_level=ERROR",
        # Ctrl-C stops it without a question, as the lessons are saved all the time.
        "--ServerApp.answer_yes=True",
        *as_arguments(server_settings(workspace, page)),
    ]
    if options.no_browser:
        command.append("--no-browser")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        # JupyterLab does not start for root otherwise, and a container has no other user.
        command.append("--allow-root")
    return command


def _environment(workspace: Path) -> dict[str, str]:
    """Return the environment of JupyterLab and its kernels."""
    from .course.server_settings import kernel_variables

    return {**os.environ, **kernel_variables(workspace, os.environ)}


def _run(command: list[str], environment: dict[str, str]) -> int:
    """Start JupyterLab, and return its exit status where it does not replace this process."""
    if os.name == "posix":
        # A shell starts programs in its background with Ctrl-C switched off; JupyterLab would
        # inherit that.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        # JupyterLab becomes this process: Ctrl-C reaches it alone.
        os.execve(command[0], command, environment)
    # Ctrl-C reaches JupyterLab as well, which stops; this process waits for that.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return subprocess.call(command, env=environment)


if __name__ == "__main__":
    sys.exit(main())
