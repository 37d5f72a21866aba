"""Install the course from this pack, without a network.

Run it with `python install.py`. It needs Python alone, and works on Linux, macOS and Windows. It
makes the folder course/.venv, and changes nothing else. Run it again after an interruption.
"""

import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

HERE = Path(__file__).resolve().parent
COURSE = HERE / "course"
WHEELS = HERE / "wheels"
ENVIRONMENT = COURSE / ".venv"
BEGUN = COURSE / ".venv.begun"  # it is there from before the environment is made until it is done
READY = ENVIRONMENT / ".ready"  # by which `make lab` knows that nothing is left to install
PLATFORMS = {
    ("Linux", "x86_64"): "linux-x86_64",
    ("Linux", "aarch64"): "linux-aarch64",
    ("Darwin", "arm64"): "macos-arm64",
    ("Windows", "amd64"): "windows-x86_64",
}


class Problem(Exception):
    """What keeps the course from being installed, as a sentence for the learner."""


def main() -> int:
    """Check everything first, then install; return the exit status."""
    try:
        requirements = check()
        make_environment()
        install(requirements)
    except Problem as problem:
        print("\nNot installed: " + str(problem), file=sys.stderr)
        return 1
    except OSError as error:
        print("\nNot installed: " + in_words(error), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. Run it again to install the course.", file=sys.stderr)
        return 130
    python = python_of_environment()
    print("\nInstalled. To begin, give these two commands:")
    print("  cd " + quoted(COURSE))
    print("  " + quoted(python.relative_to(COURSE)) + " -m labkit lab")
    return 0


def quoted(path: Path) -> str:
    """Return a path for a command line."""
    return '"' + str(path) + '"' if " " in str(path) else str(path)


def in_words(error: OSError) -> str:
    """Return an error of the system as a sentence, with what to do."""
    if error.errno == 28:  # the same number on all systems
        return "the disk is full. Delete or move files, then run this again."
    return str(error.strerror or error) + ": " + str(error.filename or "")


# ---- checks ----


def check() -> Path:
    """Return the file of the packages for this Python on this machine, or raise Problem."""
    try:
        pack = json.loads((HERE / "pack.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise Problem(
            "the file pack.json is missing beside install.py. Unpack the whole archive, and run "
            "the install.py in it."
        ) from None
    mine = this_platform(), f"{sys.version_info[0]}.{sys.version_info[1]}"
    for target in pack["targets"]:
        if (target["platform"], target["python"]) == mine:
            check_system(target)
            check_files(target)
            check_place(pack["installed_bytes"])
            check_length(target["longest_name"])
            return HERE / target["requirements"]
    has = listed([f"{one['platform']} with Python {one['python']}" for one in pack["targets"]])
    raise Problem(
        f"this pack is for {has}. This is {mine[0]} with Python {mine[1]}. " + advice(pack)
    )


def advice(pack: "dict") -> str:
    """Return what to do where the pack is for another machine or another Python."""
    pythons = [one["python"] for one in pack["targets"] if one["platform"] == this_platform()]
    if not pythons:
        return "Ask for a pack for this machine."
    command = f"py -{pythons[-1]}" if os.name == "nt" else f"python{pythons[-1]}"
    return f"If that Python is here too: {command} install.py. If not, ask for a pack for this one."


def this_platform() -> str:
    """Return the system, and the processor that this Python was built for."""
    processor = platform.machine().lower()
    if os.name == "nt":  # a Python for x64 also runs on Arm
        processor = sysconfig.get_platform().rpartition("-")[2].lower()
    both = platform.system(), processor
    return PLATFORMS.get(both, f"{both[0]} on {both[1]}")


def check_system(target: "dict") -> None:
    """Raise Problem for a system that is older than the wheels need."""
    if sys.implementation.name != "cpython" or sys.maxsize <= 2**32:
        raise Problem("this is not the usual Python for 64 bits. Install that from python.org.")
    needed = target["system"]
    if platform.system() == "Darwin":
        version = platform.mac_ver()[0]
        if older(version, needed):
            raise Problem(f"this is macOS {version}, and the course needs {needed} or newer.")
    if platform.system() == "Linux":
        name, version = platform.libc_ver()
        if name != "glibc":
            raise Problem(
                "this Linux has no glibc, and TensorFlow has no build for it. Use another one."
            )
        if older(version, needed):
            raise Problem(
                f"this Linux has glibc {version}, and the course needs {needed} or newer."
            )


def older(version: str, needed: str) -> bool:
    """Return whether a version such as 2.17 is older than another one."""

    def numbers(text: str) -> "list[int]":
        return [int(part) for part in text.split(".") if part.isdecimal()]

    return bool(numbers(version)) and numbers(version) < numbers(needed)


def check_files(target: "dict") -> None:
    """Raise Problem if a file of the pack is missing or cut off."""
    damaged = []
    for name, size in target["wheels"].items():
        path = WHEELS / name
        if not path.is_file() or path.stat().st_size != size:
            damaged.append(name)
    if not (COURSE / "labkit" / "__init__.py").is_file():
        damaged.append("course/labkit")
    if damaged:
        raise Problem(
            "these files are missing or not whole: "
            + listed(damaged[:5])
            + (" and more" if len(damaged) > 5 else "")
            + ". Copy the archive again, and unpack all of it."
        )


def check_place(needed: int) -> None:
    """Raise Problem if the environment has no space, or would take the place of another one."""
    if ENVIRONMENT.exists() and not (BEGUN.exists() or READY.exists()):
        raise Problem(str(ENVIRONMENT) + " exists and is not from here. Rename or delete it.")
    if not os.access(str(COURSE), os.W_OK):
        raise Problem("nothing can be written to " + str(COURSE) + ". Copy the folder to your own.")
    free = shutil.disk_usage(str(COURSE)).free
    if free < needed and not READY.exists():
        raise Problem(
            f"the course needs {needed / 1e9:.1f} GB on disk and {free / 1e9:.1f} GB are free. "
            "Delete or move files."
        )


def check_length(longest: int) -> None:
    """Raise Problem on a Windows that does not read paths as long as those in the packages."""
    if has_long_paths():
        return
    too_long = len(str(ENVIRONMENT / "Lib" / "site-packages")) + 1 + longest - 259
    if too_long > 0:
        raise Problem(
            f"the path of this folder is {too_long} letters too long for Windows. Move the folder "
            "to a shorter path, such as C:\\loop, and run install.py there."
        )


def has_long_paths() -> bool:
    """Return whether this Windows reads paths of more than 259 letters."""
    if sys.platform != "win32":
        return True
    import winreg

    place = r"SYSTEM\CurrentControlSet\Control\FileSystem"
    try:
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, place) as key:
            return bool(winreg.QueryValueEx(key, "LongPathsEnabled")[0])
    except OSError:
        return False


def listed(names: "list[str]") -> str:
    """Return names as a list in words."""
    return ", ".join(names[:-1]) + " and " + names[-1] if len(names) > 1 else names[0]


# ---- installing ----


def python_of_environment() -> Path:
    """Return the interpreter of the environment."""
    if os.name == "nt":
        return ENVIRONMENT / "Scripts" / "python.exe"
    return ENVIRONMENT / "bin" / "python"


def make_environment() -> None:
    """Make an empty virtual environment, in place of an earlier one from here."""
    print("Making " + str(ENVIRONMENT), flush=True)
    has_pip = importlib.util.find_spec("ensurepip") is not None
    command = [sys.executable, "-m", "venv", "--clear"]
    if not has_pip:  # some systems leave it out; the wheel of pip in the pack works alone
        if not list(WHEELS.glob("pip-*.whl")):
            raise Problem(
                "this Python has no pip. On Debian and Ubuntu: sudo apt install python3-venv"
            )
        command.append("--without-pip")
    BEGUN.touch()
    done = subprocess.run([*command, str(ENVIRONMENT)])
    if done.returncode:
        raise Problem("a virtual environment could not be made, see above.")


def pip() -> "list[str]":
    """Return the command of pip for the new environment."""
    python = str(python_of_environment())
    if importlib.util.find_spec("ensurepip") is not None:
        return [python, "-m", "pip"]
    return [python, str(sorted(WHEELS.glob("pip-*.whl"))[-1]) + "/pip"]


def install(requirements: Path) -> None:
    """Install the wheels of the pack and then labkit; nothing is looked for anywhere else."""
    options = [
        "--no-index",
        "--no-deps",
        "--find-links",
        str(WHEELS),
        "--disable-pip-version-check",
    ]
    count = sum("==" in line for line in requirements.read_text(encoding="utf-8").splitlines())
    print(f"Installing {count} packages, a minute or two:", flush=True)
    run_pip(["install", *options, "--require-hashes", "-r", str(requirements)], count)
    run_pip(["install", *options, "--no-build-isolation", "-e", str(COURSE)], 0)
    READY.touch()
    BEGUN.unlink()


def run_pip(arguments: "list[str]", count: int) -> None:
    """Run pip and show how far it is; raise Problem if it fails."""
    environment = dict(os.environ, PIP_CONFIG_FILE=os.devnull, PYTHONIOENCODING="utf-8")
    for name in list(environment):  # settings of this machine must not lead to an index
        if name.startswith("PIP_") and name != "PIP_CONFIG_FILE":
            del environment[name]
    process = subprocess.Popen(
        [*pip(), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
        encoding="utf-8",
        errors="replace",
    )
    assert process.stdout is not None
    lines = []
    seen = 0
    with process:
        for line in process.stdout:
            lines.append(line)
            if line.startswith("Processing "):
                seen += 1
                if sys.stdout.isatty() and count:
                    print(f"\r  read {seen} of {count}", end="", flush=True)
            elif line.startswith("Installing collected"):
                print("\n  writing them to the disk" if seen else "  adding labkit", flush=True)
    if process.returncode:
        text = "".join(lines[-15:])
        if "No space left" in text or "Errno 28" in text:
            raise Problem("the disk is full. Delete or move files, then run this again.")
        if "DO NOT MATCH" in text:
            raise Problem(
                "a file in the folder wheels is not the one that was packed. Copy the archive "
                "again, and unpack all of it:\n" + text
            )
        raise Problem("pip did not succeed:\n" + text)


if __name__ == "__main__":
    sys.exit(main())
