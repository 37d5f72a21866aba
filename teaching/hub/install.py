"""Make the environment of the hub, .venv-hub: JupyterHub and a proxy beside the course's packages.

It sees the packages of the course's environment, which stays as it is. Run it with the Python of
that environment. `--lock` renews requirements.lock instead.
"""

import os
import re
import shutil
import site
import subprocess
import sys
from pathlib import Path

HUB = Path(__file__).resolve().parent
COURSE = HUB.parents[1]
LOCK = HUB / "requirements.lock"
NOBODY = 65534
IN_A_PRIVATE_FOLDER = """\
The Python of the course is in a folder that the accounts of learners cannot enter, and there is no
other Python {version} on this machine. Install one for everybody (on Debian and Ubuntu: apt install
python{version} python{version}-venv), or run this without root, which keeps nobody apart."""


def python_for_learners() -> str:
    """Return a Python of the course's version that the accounts of learners can run."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    own = os.path.realpath(sys.executable)
    if os.geteuid() != 0:
        return own
    for python in (own, f"/usr/bin/python{version}", f"/usr/local/bin/python{version}"):
        if can_run(python, version):
            return python
    sys.exit(IN_A_PRIVATE_FOLDER.format(version=version))


def can_run(python: str, version: str) -> bool:
    """Return whether an account without rights can run a Python, and whether it is complete."""
    code = "import sqlite3, ssl, sys, venv; print('%d.%d' % sys.version_info[:2])"
    try:
        done = subprocess.run(
            [python, "-I", "-c", code],
            cwd="/",
            capture_output=True,
            encoding="utf-8",
            user=NOBODY,
            group=NOBODY,
            extra_groups=[],
        )
    except OSError:
        return False
    return done.stdout.strip() == version


def make_environment(folder: Path) -> None:
    """Make the environment: what it lacks is looked up in that of the course."""
    subprocess.run([python_for_learners(), "-m", "venv", "--without-pip", folder], check=True)
    (packages,) = folder.glob("lib/python3.*/site-packages")
    of_the_course = site.getsitepackages()[0]
    line = f"import site; site.addsitedir({of_the_course!r})\n"
    (packages / "course.pth").write_text(line, encoding="utf-8")
    # JupyterLab and the kernels of the course.
    for name in ("share", "etc"):
        (folder / name).mkdir(exist_ok=True)
        original = Path(sys.prefix) / name / "jupyter"
        if original.is_dir():
            (folder / name / "jupyter").symlink_to(original)


def install(folder: Path) -> None:
    """Install what is locked, and nothing that the course has already."""
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "install", "-q"]
    subprocess.run([*pip, "--no-deps", "--require-hashes", "-r", str(LOCK)], check=True)


def lock() -> None:
    """Write requirements.lock: the packages that the hub needs and the course has not."""
    uv = Path(sys.prefix) / "bin" / "uv"
    command = [str(uv), "pip", "compile", str(HUB / "requirements.in"), "--generate-hashes"]
    command += ["-c", str(COURSE / "requirements.lock"), "--universal", "--python-version", "3.11"]
    command += ["--no-emit-index-url", "--no-header", "--no-annotate", "-q"]
    done = subprocess.run(command, check=True, capture_output=True, encoding="utf-8")
    of_the_course = names((COURSE / "requirements.lock").read_text(encoding="utf-8"))
    entries = re.split(r"^(?=[a-z0-9])", done.stdout, flags=re.MULTILINE)
    kept = []
    for entry in entries:
        if entry.strip() and not names(entry) <= of_the_course:
            kept.append(entry)
    LOCK.write_text("".join(kept), encoding="utf-8")


def names(requirements: str) -> set[str]:
    """Return the names of the packages in a file of requirements."""
    return set(re.findall(r"^([a-z0-9][a-z0-9._-]*)(?=[=\[ ])", requirements, re.MULTILINE))


def main() -> None:
    """Make the environment anew."""
    if sys.argv[1:] == ["--lock"]:
        lock()
        return
    folder = Path(sys.argv[1]).resolve()
    if folder.exists():
        if not (folder / "pyvenv.cfg").is_file():
            sys.exit(f"{folder} is not an environment of Python: name another folder")
        shutil.rmtree(folder)
    make_environment(folder)
    install(folder)
    (folder / ".ready").touch()


if __name__ == "__main__":
    main()
