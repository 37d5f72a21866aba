"""Pack the course for a place without a network: lessons, labkit, and the wheels of the lock.

The wheels are those that a learner needs, for each chosen system and Python. pip downloads them
from wherever it is set up to, and accepts a file only with a hash of the lock.
"""

import email
import hashlib
import importlib.util
import json
import os
import posixpath
import re
import shutil
import subprocess
import sys
import time
import tomllib
import urllib.parse
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..show.progress import progress_bar
from .install_offline import this_platform

COURSE = Path(__file__).resolve().parents[2]
# The platforms for which TensorFlow has wheels: what markers see of them, and the tags of wheels.
PLATFORMS = {
    "linux-x86_64": ("linux", "Linux", "posix", "x86_64"),
    "linux-aarch64": ("linux", "Linux", "posix", "aarch64"),
    "macos-arm64": ("darwin", "Darwin", "posix", "arm64"),
    "windows-x86_64": ("win32", "Windows", "nt", "AMD64"),
}
_SAME = {"aarch64": "arm64", "arm64": "aarch64", "amd64": "x86_64", "x64": "x86_64"}
PYTHONS = ("3.11", "3.12", "3.13")
_GLIBC = 28  # manylinux_2_28 and older: Debian 10, Ubuntu 20.04, RHEL 8
_MACOS = (12, 0)
# What goes into the archive, beside the wheels, and the files of tools/, which print the guides.
# Tests need a network to be of use.
_PARTS = ("labkit", "notebooks", "teaching")
_FILES = (
    "README.md",
    "LICENSE",
    "Makefile",
    "environment.yml",
    "pyproject.toml",
    "requirements.lock",
)
_LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^()\s]+)\)")
_TOP = "tensorflow-in-a-loop"  # the folder that the archive unpacks to
_TO_BUILD = "flit-core"  # installs labkit itself
_AT_ONCE = 8  # packages in one call of pip: after an interruption no more are downloaded again
_BYTECODE = 1.3  # times the size of the wheels' content: with compiled files and pip itself
_SPARE = 100_000_000  # bytes


class CannotPack(ValueError):
    """What keeps the pack from being made, as a sentence."""


@dataclass(frozen=True)
class Target:
    """A system and a Python to pack for."""

    platform: str
    python: str

    def __str__(self) -> str:
        return f"{self.platform}, Python {self.python}"

    @property
    def environments(self) -> list[dict[str, str]]:
        """What markers see: of the first and of the last release of this Python."""
        sys_platform, system, os_name, machine = PLATFORMS[self.platform]
        found = []
        for release in ("0", "99"):
            found.append(
                {
                    "sys_platform": sys_platform,
                    "platform_system": system,
                    "os_name": os_name,
                    "platform_machine": machine,
                    "platform_release": "",
                    "platform_version": "",
                    "python_version": self.python,
                    "python_full_version": f"{self.python}.{release}",
                    "implementation_name": "cpython",
                    "implementation_version": f"{self.python}.{release}",
                    "platform_python_implementation": "CPython",
                }
            )
        return found

    def needs(self, marker: Any, extra: str = "") -> bool:
        """Return whether a marker is true there; no marker is."""
        if marker is None:
            return True
        return any(marker.evaluate(one | {"extra": extra}) for one in self.environments)

    @property
    def platform_tags(self) -> list[str]:
        """The tags of wheels for this system, the newest first."""
        from packaging.tags import mac_platforms

        machine = PLATFORMS[self.platform][3]
        if self.platform.startswith("linux"):
            tags = [f"manylinux_2_{minor}_{machine}" for minor in range(_GLIBC, 4, -1)]
            return [
                *tags,
                f"manylinux2014_{machine}",
                f"manylinux2010_{machine}",
                f"manylinux1_{machine}",
            ]
        if self.platform.startswith("macos"):
            return list(mac_platforms(_MACOS, machine))
        return ["win_amd64"]

    @property
    def abi(self) -> str:
        """The tag of this Python."""
        return f"cp{self.python.replace('.', '')}"

    @property
    def tags(self) -> set[Any]:
        """The tags of all wheels that can be installed there."""
        from packaging.tags import compatible_tags, cpython_tags

        major, minor = (int(part) for part in self.python.split("."))
        version = major, minor
        platforms = self.platform_tags
        tags = set(cpython_tags(version, [self.abi], platforms))
        return tags | set(compatible_tags(version, self.abi, platforms))


@dataclass(frozen=True)
class Locked:
    """A package of the lock: its version, where it is needed, and the hashes of its files."""

    name: str
    version: str
    marker: Any
    hashes: frozenset[str]


def here() -> Target:
    """Return this machine and this Python."""
    return Target(this_platform(), f"{sys.version_info.major}.{sys.version_info.minor}")


# ---- the pack ----


def make_pack(
    out: Path, targets: list[Target], course: Path = COURSE, force: bool = False
) -> dict[str, Any]:
    """Download the wheels for all targets and write the archive; return what it holds.

    What was downloaded stays in a folder beside `out` until the archive is whole, so that the same
    command goes on after an interruption. `CannotPack` or OSError is raised if it cannot be made.
    """
    _check(out, targets, course, force)
    work = out.with_name(f"{out.name}.downloads")
    wheels = work / "wheels"
    wheels.mkdir(parents=True, exist_ok=True)
    lock = read_lock(course / "requirements.lock")
    try:
        chosen = {target: _download_all(target, course, lock, wheels) for target in targets}
        content = _write_archive(out, work, chosen, course)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"stopped.{_what_is_kept(work)}") from None
    except CannotPack as error:
        raise CannotPack(f"{error}{_what_is_kept(work)}") from None
    except OSError as error:
        reason = f"{error.strerror}.{_what_is_kept(work)}"
        raise OSError(error.errno, reason, error.filename) from None
    shutil.rmtree(work, ignore_errors=True)
    return content


def _what_is_kept(work: Path) -> str:
    """Return a sentence on what was downloaded; an empty folder is removed."""
    if any(work.glob("wheels/*.whl")):
        return f"\nWhat was downloaded is kept in {work}: the same command goes on from there."
    shutil.rmtree(work, ignore_errors=True)
    return ""


def _check(out: Path, targets: list[Target], course: Path, force: bool) -> None:
    """Raise CannotPack for what can be told before anything is downloaded."""
    for name in (*_FILES, "notebooks", "labkit"):
        if not (course / name).exists():
            raise CannotPack(
                f"there is no {name} in {course}: give this command in a complete copy of the "
                "course"
            )
    for target in targets:
        if target.platform not in PLATFORMS or target.python not in PYTHONS:
            raise CannotPack(
                f"TensorFlow has no wheels for {target}; there are {', '.join(PLATFORMS)}, each "
                f"with Python {', '.join(PYTHONS)}"
            )
    if out.suffix != ".zip":
        raise CannotPack(
            f"the archive is a .zip file: give a name such as {_TOP}.zip, got {out.name}"
        )
    if out.is_dir() or not out.parent.is_dir():
        raise CannotPack(f"{out} cannot be a file: give a name in a folder that is there")
    if (out.exists() or out.is_symlink()) and not force:
        raise CannotPack(f"{out} exists: give another name, or --force to replace it")
    if importlib.util.find_spec("pip") is None:
        raise CannotPack("this Python has no pip, which downloads: python -m ensurepip")


def read_lock(path: Path) -> dict[str, list[Locked]]:
    """Return the packages of the lock by name; one name may have several versions."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    found: dict[str, list[Locked]] = {}
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith(("#", "-")):
            continue
        words, *hashes = re.split(r"\s--hash=sha256:", line)
        requirement = Requirement(words.strip())
        (pin,) = requirement.specifier
        name = canonicalize_name(requirement.name)
        one = Locked(name, pin.version, requirement.marker, frozenset(map(str.strip, hashes)))
        found.setdefault(name, []).append(one)
    return found


# ---- the wheels ----


def _download_all(
    target: Target, course: Path, lock: dict[str, list[Locked]], wheels: Path
) -> dict[Locked, Path]:
    """Download what the course needs on this target, and return the wheel of each package.

    The lock has what the tests need as well, and does not say who needs what: the wheels do.
    """
    from packaging.requirements import Requirement

    project = tomllib.loads((course / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    waiting = [Requirement(text) for text in [*project["dependencies"], _TO_BUILD]]
    waiting = [one for one in waiting if target.needs(one.marker)]
    found: dict[Locked, Path] = {}
    seen: set[tuple[str, str]] = set()
    while waiting:
        wanted = {_locked(one.name, target, lock): None for one in waiting}
        found |= _download([one for one in wanted if one not in found], target, wheels, len(found))
        following = []
        for one in waiting:
            package = _locked(one.name, target, lock)
            for extra in ["", *one.extras]:
                if (package.name, extra) not in seen:
                    seen.add((package.name, extra))
                    following += _requirements(found[package], target, extra)
        waiting = following
    return found


def _locked(name: str, target: Target, lock: dict[str, list[Locked]]) -> Locked:
    """Return the version of a package that the lock has for this target."""
    from packaging.utils import canonicalize_name

    for one in lock.get(canonicalize_name(name), []):
        if target.needs(one.marker):
            return one
    raise CannotPack(f"requirements.lock has no {name} for {target}: make lock renews it")


def _requirements(wheel: Path, target: Target, extra: str) -> list[Any]:
    """Return what a wheel needs on this target, with this extra."""
    from packaging.requirements import Requirement

    with zipfile.ZipFile(wheel) as archive:
        (name,) = [
            name for name in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", name)
        ]
        metadata = email.message_from_bytes(archive.read(name))
    found = [Requirement(text) for text in metadata.get_all("Requires-Dist", [])]
    return [one for one in found if target.needs(one.marker, extra)]


def _download(
    packages: list[Locked], target: Target, wheels: Path, before: int
) -> dict[Locked, Path]:
    """Return the wheel of each package; those that are there and whole are not downloaded again."""
    found = _present(packages, target, wheels)
    missing = [one for one in packages if one not in found]
    for begin in range(0, len(missing), _AT_ONCE):
        some = missing[begin : begin + _AT_ONCE]
        place = f"{target}, {before + len(found)} packages so far; now"
        _run_pip(some, target, wheels, place)
        new = _present(some, target, wheels)
        for one in some:
            if one not in new:
                raise CannotPack(f"pip has not downloaded {one.name} {one.version} for {target}")
        found |= new
    return found


def _present(packages: list[Locked], target: Target, wheels: Path) -> dict[Locked, Path]:
    """Return the wheels in the folder that suit this target and have a hash of the lock."""
    from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

    by_name = {(one.name, one.version): one for one in packages}
    tags = target.tags
    found = {}
    for path in sorted(wheels.glob("*.whl")):
        try:
            name, version, _, its_tags = parse_wheel_filename(path.name)
        except InvalidWheelFilename:
            continue
        one = by_name.get((canonicalize_name(name), str(version)))
        if one is not None and not tags.isdisjoint(its_tags):
            if sha256(path) in one.hashes:
                found[one] = path
            else:
                path.unlink()  # its end is missing
    return found


def sha256(path: Path) -> str:
    """Return the hash of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _run_pip(packages: list[Locked], target: Target, wheels: Path, place: str) -> None:
    """Download some packages with pip, and show how far it is; raise CannotPack if it fails."""
    lines = []
    for one in packages:
        hashes = " ".join(f"--hash=sha256:{hash}" for hash in sorted(one.hashes))
        lines.append(f"{one.name}=={one.version} {hashes}\n")
    requirements = wheels.parent / "some.txt"
    requirements.write_text("".join(lines), encoding="utf-8")
    temporary = wheels.parent / "part"  # on the disk that the archive is written to
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--only-binary=:all:", "--require-hashes", "-r", str(requirements)]
    command += ["--dest", str(wheels), "--implementation", "cp", "--python-version", target.python]
    command += ["--abi", target.abi, "--abi", "abi3", "--abi", "none"]
    for tag in target.platform_tags:
        command += ["--platform", tag]
    environment = dict(os.environ, TMPDIR=str(temporary), TEMP=str(temporary), TMP=str(temporary))
    with (wheels.parent / "pip.log").open("w+", encoding="utf-8", errors="replace") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment
        )
        try:
            _wait(process, wheels.parent, place, packages)
        except BaseException:
            process.terminate()
            process.wait()
            raise
        log.seek(0)
        said = log.read()
    if process.returncode:
        raise CannotPack(_why_pip_failed(said, packages, target))


def _wait(
    process: "subprocess.Popen[bytes]", work: Path, place: str, packages: list[Locked]
) -> None:
    """Wait for pip, and say what it downloads and how much there is."""
    shows = sys.stderr.isatty()
    names = ", ".join(one.name for one in packages)
    if not shows:
        print(f"{place}: {names}", file=sys.stderr, flush=True)
    while True:
        try:
            process.wait(0.5)
            break
        except subprocess.TimeoutExpired:
            if shows:
                line = f"{_size_of(work) / 1e6:,.0f} MB, {place}: {names}"
                print(f"\r{line[:100]:100}", end="", file=sys.stderr, flush=True)
    if shows:
        print(f"\r{'':100}\r", end="", file=sys.stderr, flush=True)


def _size_of(folder: Path) -> int:
    """Return the bytes of all files below a folder, of which some may vanish meanwhile."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.stat(os.path.join(place, name)).st_size
            except OSError:
                continue
    return total


def _why_pip_failed(said: str, packages: list[Locked], target: Target) -> str:
    """Return why pip failed as a sentence, followed by its last lines."""
    names = ", ".join(f"{one.name} {one.version}" for one in packages)
    if "No space left" in said or "Errno 28" in said:
        return "the disk is full: delete or move files, then give the same command again."
    last = "\n".join(f"  {line}" for line in said.strip().splitlines()[-6:])
    if "No matching distribution" in said:
        return f"one of {names} has no wheel for {target}, or the index cannot be reached:\n{last}"
    if "DO NOT MATCH" in said:
        return f"a file is not the one that the lock names, and was refused:\n{last}"
    return f"pip could not download {names}:\n{last}"


# ---- the archive ----


def _write_archive(
    out: Path, work: Path, chosen: dict[Target, dict[Locked, Path]], course: Path
) -> dict[str, Any]:
    """Write the archive whole or not at all; return what it holds."""
    wheels = sorted({path for of_target in chosen.values() for path in of_target.values()})
    needed = sum(path.stat().st_size for path in wheels) + _SPARE
    if shutil.disk_usage(work).free < needed:
        raise CannotPack(
            f"the archive needs {needed / 1e9:.1f} GB more on this disk: delete or move files, "
            "then give the same command again."
        )
    content = _description(chosen)
    part = work / "archive.part"
    try:
        with zipfile.ZipFile(part, "w") as archive:
            for name, data in _small_files(content, chosen, course):
                _add(archive, name, data)
            shows = sys.stderr.isatty()
            for path in progress_bar([*_wheel_of_pip(), *wheels], "writing the archive", shows):
                archive.write(path, f"{_TOP}/wheels/{path.name}", zipfile.ZIP_STORED)
        os.replace(part, out)
    finally:
        part.unlink(missing_ok=True)
    return content | {"bytes": out.stat().st_size, "wheels": len(wheels)}


def _description(chosen: dict[Target, dict[Locked, Path]]) -> dict[str, Any]:
    """Return what `install.py` has to know, as it stands in pack.json."""
    targets = []
    for target, wheels in chosen.items():
        targets.append(
            {
                "platform": target.platform,
                "python": target.python,
                "system": _oldest_system(wheels),
                "requirements": f"requirements/{target.platform}-python{target.python}.txt",
                "longest_name": max(_longest_name(path) for path in wheels.values()),
                "wheels": {path.name: path.stat().st_size for path in wheels.values()},
            }
        )
    return {
        "kind": "labkit pack",
        "version": 1,
        "targets": targets,
        "installed_bytes": max(_installed_size(wheels) for wheels in chosen.values()),
    }


def _small_files(
    content: dict[str, Any], chosen: dict[Target, dict[Locked, Path]], course: Path
) -> Iterator[tuple[str, bytes]]:
    """Yield everything but the wheels, by its name in the archive."""
    yield "READ_ME_FIRST.txt", _first_words(content["targets"]).encode()
    yield "install.py", (Path(__file__).parent / "install_offline.py").read_bytes()
    yield "pack.json", json.dumps(content, indent=1).encode()
    for described, wheels in zip(content["targets"], chosen.values(), strict=True):
        lines = []
        for one, path in sorted(wheels.items(), key=lambda item: item[0].name):
            lines.append(f"{one.name}=={one.version} --hash=sha256:{sha256(path)}\n")
        yield described["requirements"], "".join(lines).encode()
    yield from _course_files(course)


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    """Add a file that everybody may read, dated now."""
    entry = zipfile.ZipInfo(f"{_TOP}/{name}", time.localtime()[:6])
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, data, zipfile.ZIP_DEFLATED)


def _course_files(course: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the files of the course by their names in the archive."""
    paths = {path.relative_to(course).as_posix(): path for path in _paths_of_course(course)}
    for name, path in paths.items():
        data = path.read_bytes()
        if path.suffix == ".md":
            data = _with_links_to(set(paths), name, data.decode()).encode()
        yield f"course/{name}", data


def _paths_of_course(course: Path) -> Iterator[Path]:
    """Yield the files that go into the archive; nothing hidden or generated."""
    for name in _FILES:
        yield course / name
    for path in sorted((course / "tools").glob("[!._]*.*")):
        if path.is_file():
            yield path
    for part in _PARTS:
        for place, folders, names in os.walk(course / part):
            folders[:] = sorted(
                name for name in folders if not name.startswith(".") and name != "__pycache__"
            )
            for name in sorted(names):
                path = Path(place, name)
                is_kept = not name.startswith(".") and name != "progress.json" and path.is_file()
                if is_kept and not path.is_symlink():
                    yield path


def _with_links_to(names: set[str], page: str, text: str) -> str:
    """Return the text of a page in which links to what is not in the archive are plain words.

    >>> _with_links_to({"README.md"}, "teaching/a.md", "[one](../README.md#x) [two](../tests/b.py)")
    '[one](../README.md#x) two'
    """

    def kept(found: re.Match[str]) -> str:
        target = urllib.parse.urlsplit(found[2])
        if target.scheme or not target.path:
            return found[0]
        place = posixpath.join(posixpath.dirname(page), urllib.parse.unquote(target.path))
        place = posixpath.normpath(place)
        is_there = place in names or any(name.startswith(f"{place}/") for name in names)
        return found[0] if is_there else found[1]

    return _LINK.sub(kept, text)


def _wheel_of_pip() -> list[Path]:
    """Return the wheel of pip that comes with this Python, for one that has none.

    >>> len(_wheel_of_pip()) <= 1
    True
    """
    spec = importlib.util.find_spec("ensurepip")
    if spec is None or spec.origin is None:
        return []
    return sorted(Path(spec.origin).parent.glob("_bundled/pip-*.whl"))[-1:]


def _oldest_system(wheels: dict[Locked, Path]) -> str:
    """Return the version of glibc or of macOS that all wheels work on; empty for Windows."""
    oldest = (0, 0)
    for path in wheels.values():
        tags = path.stem.rpartition("-")[2]
        pairs = re.findall(r"(?:manylinux|macosx)_(\d+)_(\d+)_", tags)
        versions = [(int(major), int(minor)) for major, minor in pairs]
        if "manylinux2014" in tags:
            versions.append((2, 17))
        if versions:
            oldest = max(oldest, min(versions))
    return "" if oldest == (0, 0) else f"{oldest[0]}.{oldest[1]}"


def _installed_size(wheels: dict[Locked, Path]) -> int:
    """Return about how many bytes the wheels take when they are installed."""
    total = 0
    for path in wheels.values():
        with zipfile.ZipFile(path) as archive:
            total += sum(entry.file_size for entry in archive.infolist())
    return round(total * _BYTECODE)


def _longest_name(wheel: Path) -> int:
    """Return how many letters the longest path in a wheel has: Windows may not read it."""
    with zipfile.ZipFile(wheel) as archive:
        # What is in a folder such as name.data/data goes to the top of the environment.
        return max(len(re.sub(r"^[^/]+\.data/\w+/", "", name)) for name in archive.namelist())


def _first_words(targets: list[dict[str, Any]]) -> str:
    """Return the text that a learner reads first."""
    text = (
        "The course 'TensorFlow in a loop', to be installed without a network.\n\n"
        "Unpack the whole archive, open a terminal in this folder, and give one command:\n\n"
        "  python3 install.py     on Linux and macOS\n"
        "  py install.py          on Windows\n\n"
        "It needs one of these, and says so if this machine has another:\n\n"
    )
    for target in targets:
        text += f"  {target['platform']} with Python {target['python']}\n"
    return f"{text}\nAt the end it prints the commands that open the lessons.\n"


# ---- the command ----


def targets_of(platforms: list[str] | None, pythons: list[str] | None) -> list[Target]:
    """Return the targets that the words of the command mean; people say arm64 and AMD64 too.

    >>> [str(target) for target in targets_of(["macOS-arm64"], ["3.12"])]
    ['macos-arm64, Python 3.12']
    """
    mine = here()
    names = list(PLATFORMS) if platforms == ["all"] else platforms or [mine.platform]
    versions = list(PYTHONS) if pythons == ["all"] else pythons or [mine.python]
    targets: dict[Target, None] = {}
    for name in names:
        for version in versions:
            targets[Target(_usual_name(name), version)] = None
    return list(targets)


def _usual_name(name: str) -> str:
    system, _, processor = name.lower().partition("-")
    for known in PLATFORMS:
        if known in (f"{system}-{processor}", f"{system}-{_SAME.get(processor)}"):
            return known
    return name


def in_words(content: dict[str, Any], out: str, seconds: float) -> str:
    """Return what an archive holds, and how to install from it."""
    lines = [
        f"{out}: {content['bytes'] / 1e6:,.0f} MB, {content['wheels']} wheels, made in "
        f"{seconds:,.0f} s. Installed, the course takes {content['installed_bytes'] / 1e9:.1f} GB."
    ]
    lines += [f"  {target['platform']}, Python {target['python']}" for target in content["targets"]]
    lines.append("To install from it: unpack it, and run `python install.py` in its folder.")
    return "\n".join(lines)
