"""A pack holds the course and the wheels that a learner needs, and installs without a network."""

import errno
import hashlib
import importlib.metadata
import json
import os
import posixpath
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from labkit import __main__ as command
from labkit.course import install_offline, pack
from labkit.course.pack import CannotPack, Target, make_pack

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
LINUX = Target("linux-x86_64", PYTHON)
WINDOWS = Target("windows-x86_64", PYTHON)
TOP = "tensorflow-in-a-loop"
DEAD = "http://127.0.0.1:9"  # nobody answers there

PROJECT = """
[build-system]
requires = ["flit_core >=3.11,<5"]
build-backend = "flit_core.buildapi"
[project]
name = "labkit"
version = "0.0.1"
description = "A small one."
dependencies = ["alpha[more] >=1 ; python_version >= '3.11'", "never ; python_version < '3'"]
"""


def wheel(folder, name, requires=(), version="1.0", tag="py3-none-any", files=()):
    """Write a wheel; return its path."""
    info = f"{name}-{version}.dist-info"
    content = {f"{name}.py": f"name = {name!r}\n"} if not files else dict(files)
    metadata = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *requires]
    content[f"{info}/METADATA"] = "\n".join(metadata) + "\n"
    content[f"{info}/WHEEL"] = f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n"
    record = "".join(f"{file},,\n" for file in [*content, f"{info}/RECORD"])
    path = folder / f"{name}-{version}-{tag}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in content.items():
            archive.writestr(file, text)
        archive.writestr(f"{info}/RECORD", record)
    return path


def the_real_flit_core():
    """Return the files of the installed flit_core, which builds labkit itself."""
    files = {}
    for file in importlib.metadata.files("flit_core"):
        if file.suffix == ".py" and "tests" not in file.parts:
            files[file.as_posix()] = file.read_text(encoding="utf-8")
    return files


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    """Make a folder of wheels in place of an index."""
    folder = tmp_path_factory.mktemp("index")
    needs = [
        "Provides-Extra: more",
        "Requires-Dist: beta>=1 ; sys_platform == 'linux'",
        "Requires-Dist: gamma ; extra == 'more'",
        "Requires-Dist: unused ; extra == 'less'",
        "Requires-Dist: only_there ; os_name == 'nt'",
    ]
    wheel(folder, "alpha", needs)
    wheel(folder, "beta", ["Requires-Dist: alpha"])  # a circle, as some packages have
    wheel(folder, "gamma")
    wheel(folder, "unused")
    wheel(folder, "only_there", tag="cp311-abi3-win_amd64")
    wheel(folder, "flit_core", files=the_real_flit_core(), version="4.0")
    return folder


def lock_of(index):
    lines = []
    for path in sorted(index.glob("*.whl")):
        name, version = path.name.split("-")[:2]
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        name = name.replace("_", "-")
        lines.append(
            f"{name}=={version} \\\n    --hash=sha256:{digest} \\\n    --hash=sha256:{'0' * 64}\n"
        )
    return "".join(lines)


@pytest.fixture
def course(tmp_path, index):
    """Make a small course: all files that a pack has, and some that it must not have."""
    course = tmp_path / "the course"
    texts = dict.fromkeys(pack._FILES, "text")
    texts |= {
        "pyproject.toml": PROJECT,
        "requirements.lock": lock_of(index),
        "labkit/__init__.py": '"""A small labkit."""\n',
        "labkit/__pycache__/x.pyc": "compiled",
        "notebooks/00_start.ipynb": "{}",
        "notebooks/progress.json": "a learner's",
        "notebooks/.ipynb_checkpoints/00_start.ipynb": "{}",
        "teaching/README.md": "text",
        "tests/test_x.py": "text",
        ".venv/bin/python": "text",
    }
    for name, text in texts.items():
        path = course / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return course


@pytest.fixture
def downloads(monkeypatch, index):
    """Take wheels from the folder instead of starting pip; collect what was asked for."""
    asked = []

    def run_pip(packages, target, wheels, place):
        for one in packages:
            asked.append((str(target), one.name))
            for path in index.glob(f"{one.name.replace('-', '_')}-{one.version}-*.whl"):
                shutil.copy(path, wheels)

    monkeypatch.setattr(pack, "_run_pip", run_pip)
    return asked


def names_in(archive):
    with zipfile.ZipFile(archive) as opened:
        return {name.removeprefix(f"{TOP}/") for name in opened.namelist()}


# ---- what is in it ----


def test_a_pack_has_what_a_learner_needs_on_each_target_and_nothing_else(
    tmp_path, course, downloads
):
    out = tmp_path / "course.zip"
    content = make_pack(out, [LINUX, WINDOWS], course)
    by_target = {target["platform"]: set(target["wheels"]) for target in content["targets"]}
    pure = {"alpha-1.0-py3-none-any.whl", "gamma-1.0-py3-none-any.whl"}
    pure.add("flit_core-4.0-py3-none-any.whl")
    assert by_target == {
        "linux-x86_64": pure | {"beta-1.0-py3-none-any.whl"},
        "windows-x86_64": pure | {"only_there-1.0-cp311-abi3-win_amd64.whl"},
    }
    names = names_in(out)
    wheels = {name.removeprefix("wheels/") for name in names if name.startswith("wheels/")}
    assert {name for name in wheels if not name.startswith("pip-")} == set().union(
        *by_target.values()
    )
    in_course = {name.removeprefix("course/") for name in names if name.startswith("course/")}
    assert in_course == {
        *pack._FILES,
        "labkit/__init__.py",
        "notebooks/00_start.ipynb",
        "teaching/README.md",
    }
    assert {"install.py", "pack.json", "READ_ME_FIRST.txt"} <= names
    assert not (tmp_path / "course.zip.downloads").exists()


def test_no_link_of_the_pack_leads_to_what_is_not_in_it():
    """Of the course itself, without its wheels."""
    files = dict(pack._course_files(pack.COURSE))
    assert "course/tools/print_guides.py" in files  # `make guides`
    assert "course/tools/benchmarks/coverage.py" not in files
    dead = []
    for name, data in files.items():
        text = data.decode() if name.endswith(".md") else ""
        for target in re.findall(r"\]\(([^()\s:#]+)[)#]", text):
            place = posixpath.normpath(posixpath.join(posixpath.dirname(name), target))
            if place not in files and not any(other.startswith(f"{place}/") for other in files):
                dead.append((name, target))
    assert dead == []


def test_a_wheel_that_suits_two_targets_is_downloaded_once(tmp_path, course, downloads):
    make_pack(tmp_path / "course.zip", [LINUX, WINDOWS], course)
    assert [name for _, name in downloads].count("alpha") == 1
    assert (str(WINDOWS), "only-there") in downloads
    assert not any(name in ("unused", "never") for _, name in downloads)


def test_each_requirement_has_the_hash_of_the_one_wheel_in_the_pack(
    tmp_path, course, downloads, index
):
    out = tmp_path / "course.zip"
    make_pack(out, [LINUX], course)
    with zipfile.ZipFile(out) as archive:
        text = archive.read(f"{TOP}/requirements/linux-x86_64-python{PYTHON}.txt").decode()
    digest = hashlib.sha256((index / "beta-1.0-py3-none-any.whl").read_bytes()).hexdigest()
    assert f"beta==1.0 --hash=sha256:{digest}\n" in text
    assert len(text.splitlines()) == 4


def test_the_oldest_system_is_that_of_the_most_demanding_wheel(tmp_path):
    def system(*tags):
        return pack._oldest_system(
            {i: Path(f"a-1-cp311-cp311-{tag}.whl") for i, tag in enumerate(tags)}
        )

    assert system("manylinux_2_17_x86_64.manylinux2014_x86_64", "manylinux_2_27_x86_64") == "2.27"
    assert system("manylinux2014_x86_64") == "2.17"
    assert system("macosx_11_0_arm64", "macosx_12_0_arm64") == "12.0"
    assert system("any", "win_amd64") == ""


# ---- interruptions ----


def test_after_an_interruption_only_what_is_missing_is_downloaded(
    tmp_path, course, downloads, monkeypatch
):
    out = tmp_path / "course.zip"
    take = pack._run_pip

    def stop(packages, *rest):
        if any(one.name == "gamma" for one in packages):
            raise KeyboardInterrupt
        take(packages, *rest)

    monkeypatch.setattr(pack, "_run_pip", stop)
    with pytest.raises(KeyboardInterrupt, match=r"is kept in .*course\.zip\.downloads"):
        make_pack(out, [LINUX], course)
    assert not out.exists()
    kept = tmp_path / "course.zip.downloads" / "wheels" / "alpha-1.0-py3-none-any.whl"
    cut_off = kept.with_name("flit_core-4.0-py3-none-any.whl")
    assert kept.exists()
    cut_off.write_bytes(cut_off.read_bytes()[:-10])
    downloads.clear()
    monkeypatch.setattr(pack, "_run_pip", take)
    make_pack(out, [LINUX], course)
    assert {name for _, name in downloads} == {"flit-core", "beta", "gamma"}
    assert not kept.exists()


def test_a_full_disk_leaves_the_older_archive_and_the_downloads(
    tmp_path, course, downloads, monkeypatch
):
    out = tmp_path / "course.zip"
    out.write_bytes(b"the older one")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "write", full)
    with pytest.raises(OSError, match=r"No space left on device\.\nWhat was downloaded is kept"):
        make_pack(out, [LINUX], course, force=True)
    assert out.read_bytes() == b"the older one"
    work = tmp_path / "course.zip.downloads"
    assert (work / "wheels" / "alpha-1.0-py3-none-any.whl").exists()
    assert not (work / "archive.part").exists()


def test_too_little_space_is_told_before_the_archive_is_written(
    tmp_path, course, downloads, monkeypatch
):
    class Usage:
        free = 1000

    monkeypatch.setattr(pack.shutil, "disk_usage", lambda _: Usage)
    with pytest.raises(CannotPack, match=r"the archive needs 0\.1 GB more on this disk"):
        make_pack(tmp_path / "course.zip", [LINUX], course)


# ---- what is refused ----


def test_a_file_that_the_lock_does_not_know_is_refused(tmp_path, course, monkeypatch, index):
    def run_pip(packages, target, wheels, place):
        for one in packages:
            wheel(wheels, one.name.replace("-", "_"), ["X: another"], one.version)

    monkeypatch.setattr(pack, "_run_pip", run_pip)
    with pytest.raises(CannotPack, match=r"pip has not downloaded alpha 1\.0 for linux-x86_64"):
        make_pack(tmp_path / "course.zip", [LINUX], course)
    assert not (tmp_path / "course.zip").exists()


def test_what_the_lock_lacks_is_named(tmp_path, course, downloads):
    lock = course / "requirements.lock"
    lock.write_text(lock.read_text(encoding="utf-8").replace("beta==", "bita=="), encoding="utf-8")
    with pytest.raises(CannotPack, match=r"requirements\.lock has no beta for linux-x86_64"):
        make_pack(tmp_path / "course.zip", [LINUX], course)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["course.tar.gz"], "the archive is a .zip file"),
        (["there.zip"], "there.zip exists: give another name, or --force to replace it"),
        (["missing/course.zip"], "give a name in a folder that is there"),
        (["a.zip", "--platform", "amiga"], "no wheels for amiga, Python"),
        (["a.zip", "--python", "3.14"], "no wheels for"),
    ],
)
def test_the_command_refuses_before_it_downloads(
    tmp_path, monkeypatch, capsys, downloads, words, message
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.zip").write_bytes(b"mine")
    assert command.main(["pack", *words]) == 1
    assert message in capsys.readouterr().err
    assert downloads == []
    assert (tmp_path / "there.zip").read_bytes() == b"mine"


def test_a_copy_that_is_not_complete_is_refused(tmp_path, course, downloads):
    (course / "environment.yml").unlink()
    with pytest.raises(CannotPack, match=r"there is no environment\.yml"):
        make_pack(tmp_path / "course.zip", [LINUX], course)


@pytest.mark.parametrize(
    ("platforms", "pythons", "count"),
    [(None, None, 1), (["all"], ["all"], 12), (["MacOS-arm64", "macos-aarch64"], ["3.12"], 1)],
)
def test_targets_from_the_words_of_the_command(platforms, pythons, count, monkeypatch):
    monkeypatch.setattr(pack, "here", lambda: LINUX)
    assert len(pack.targets_of(platforms, pythons)) == count


def test_the_lock_of_the_course_can_be_packed_for_every_target():
    lock = pack.read_lock(pack.COURSE / "requirements.lock")
    assert len(lock) > 100
    for target in pack.targets_of(["all"], ["all"]):
        name = "tensorflow-cpu" if target.platform == "linux-x86_64" else "tensorflow"
        assert pack._locked(name, target, lock).hashes
    with pytest.raises(CannotPack):
        pack._locked("pywinpty", LINUX, lock)
    assert pack._locked("pywinpty", WINDOWS, lock).version


# ---- the real thing, with a small course ----


def run_install(folder, **more):
    """Run install.py where no index answers, in a folder with a space in its name."""
    dead = {"HTTPS_PROXY": DEAD, "HTTP_PROXY": DEAD, "PIP_INDEX_URL": f"{DEAD}/simple"}
    environment = {**os.environ, **dead, "PIP_NO_INDEX": "", **more}
    return subprocess.run(
        [sys.executable, "install.py"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
    )


@pytest.mark.skipif(pack.here().platform not in pack.PLATFORMS, reason="no such target")
def test_pip_packs_and_the_pack_installs_without_an_index(tmp_path, course, index, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    out = tmp_path / "course.zip"
    make_pack(out, [pack.here()], course)
    room = tmp_path / "a room"
    with zipfile.ZipFile(out) as archive:
        archive.extractall(room)
    done = run_install(room / TOP)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "-m labkit lab" in done.stdout
    inside = room / TOP / "course"
    assert (inside / ".venv" / ".ready").exists()
    assert not (inside / ".venv.begun").exists()
    python = inside / ".venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    code = "import alpha, gamma, labkit; print(alpha.name, labkit.__file__)"
    said = subprocess.run([python, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert said.stdout.split(maxsplit=1) == ["alpha", f"{inside / 'labkit' / '__init__.py'}\n"]


def unpacked(tmp_path, monkeypatch, **changes):
    """Make an unpacked pack without an archive; return the module that installs from it."""
    here = tmp_path / TOP
    monkeypatch.setattr(install_offline, "HERE", here)
    for name, path in {
        "COURSE": "course",
        "WHEELS": "wheels",
        "ENVIRONMENT": "course/.venv",
        "BEGUN": "course/.venv.begun",
        "READY": "course/.venv/.ready",
    }.items():
        monkeypatch.setattr(install_offline, name, here / path)
    (here / "wheels").mkdir(parents=True)
    (here / "course" / "labkit").mkdir(parents=True)
    (here / "course" / "labkit" / "__init__.py").touch()
    (here / "wheels" / "a.whl").write_bytes(b"12345")
    target = {
        "platform": install_offline.this_platform(),
        "python": PYTHON,
        "system": "",
        "requirements": "r.txt",
        "longest_name": 200,
        "wheels": {"a.whl": 5},
    }
    content = {"targets": [target | changes], "installed_bytes": 1}
    (here / "pack.json").write_text(json.dumps(content), encoding="utf-8")
    return install_offline


def test_an_unpacked_pack_passes_its_checks(tmp_path, monkeypatch):
    install = unpacked(tmp_path, monkeypatch)
    assert install.check() == tmp_path / TOP / "r.txt"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"python": "3.9"}, r"this pack is for .* with Python 3\.9\. This is .* with Python 3\.1"),
        ({"platform": "amiga"}, "this pack is for amiga with Python"),
        ({"wheels": {"a.whl": 6, "b.whl": 1}}, "not whole: a.whl and b.whl. Copy the archive"),
    ],
)
def test_what_does_not_fit_is_told_before_anything_is_made(
    tmp_path, monkeypatch, capsys, changes, message
):
    install = unpacked(tmp_path, monkeypatch, **changes)
    with pytest.raises(install.Problem, match=message):
        install.check()
    assert install.main() == 1
    assert capsys.readouterr().err.startswith("\nNot installed: ")
    assert not install.ENVIRONMENT.exists()


def test_an_environment_of_somebody_else_is_not_replaced(tmp_path, monkeypatch):
    install = unpacked(tmp_path, monkeypatch)
    install.ENVIRONMENT.mkdir()
    with pytest.raises(install.Problem, match="exists and is not from here"):
        install.check()
    install.BEGUN.touch()  # an installation that was interrupted
    assert install.check()


def test_too_little_space_is_told(tmp_path, monkeypatch):
    install = unpacked(tmp_path, monkeypatch)
    monkeypatch.setattr(install.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 0}))
    with pytest.raises(
        install.Problem, match=r"the course needs 0\.0 GB on disk and 0\.0 GB are free"
    ):
        install.check()


def test_a_path_that_windows_cannot_read_is_told(tmp_path, monkeypatch):
    install = unpacked(tmp_path, monkeypatch)
    monkeypatch.setattr(install, "ENVIRONMENT", Path("e" * 70))
    for is_long, length, message in [
        (False, 200, "30 letters too long"),
        (True, 200, ""),
        (False, 100, ""),
    ]:
        monkeypatch.setattr(install, "has_long_paths", lambda is_long=is_long: is_long)
        if message:
            with pytest.raises(install.Problem, match=message):
                install.check_length(length)
        else:
            install.check_length(length)


def test_an_install_py_without_the_rest_says_so(tmp_path, monkeypatch):
    install = unpacked(tmp_path, monkeypatch)
    (tmp_path / TOP / "pack.json").unlink()
    with pytest.raises(install.Problem, match="Unpack the whole archive"):
        install.check()


@pytest.mark.parametrize(
    ("system", "libc", "needed", "message"),
    [
        ("Linux", ("glibc", "2.17"), "2.27", "glibc 2.17, and the course needs 2.27"),
        ("Linux", ("", ""), "2.27", "has no glibc"),
        ("Linux", ("glibc", "2.36"), "2.27", ""),
        ("Darwin", "11.7", "12.0", "macOS 11.7, and the course needs 12.0"),
        ("Darwin", "14.1", "12.0", ""),
        ("Windows", None, "", ""),
    ],
)
def test_a_system_that_is_too_old_is_told(monkeypatch, system, libc, needed, message):
    monkeypatch.setattr("platform.system", lambda: system)
    monkeypatch.setattr("platform.libc_ver", lambda: libc)
    monkeypatch.setattr("platform.mac_ver", lambda: (libc, (), ""))
    if message:
        with pytest.raises(install_offline.Problem, match=message):
            install_offline.check_system({"system": needed})
    else:
        install_offline.check_system({"system": needed})


def test_install_py_needs_nothing_but_the_standard_library():
    text = Path(install_offline.__file__).read_text(encoding="utf-8")
    imported = {
        line.split()[1].split(".")[0]
        for line in text.splitlines()
        if line.startswith(("import ", "from "))
    }
    assert imported <= set(sys.stdlib_module_names)
