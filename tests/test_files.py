"""A file is written whole or not at all."""

import errno
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from labkit.course.files import write_atomically

LARGE = 200_000  # characters: more than one write of the operating system


@pytest.fixture
def target(tmp_path):
    path = tmp_path / "lesson.ipynb"
    path.write_text("old", encoding="utf-8")
    return path


def assert_untouched(target):
    """The old content is still there, and nothing was left beside it."""
    assert target.read_text(encoding="utf-8") == "old"
    assert os.listdir(target.parent) == [target.name]


def full_disk(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


class HalfAFile(io.FileIO):
    """A file on a disk that is full after half of what is written."""

    def write(self, data):
        super().write(data[: len(data) // 2])
        full_disk()


def test_text_and_bytes_replace_what_was_there(target):
    for content, wanted in [("größer ≈\n", "größer ≈\n".encode()), (b"\x89PNG", b"\x89PNG")]:
        write_atomically(target, content)
        assert target.read_bytes() == wanted
    assert os.listdir(target.parent) == [target.name]


def test_line_ends_are_the_same_on_every_system(target):
    write_atomically(target, "a\nb\r\nc")
    assert target.read_bytes() == b"a\nb\r\nc"


def test_a_new_file_is_made(tmp_path):
    write_atomically(tmp_path / "new.json", "{}")
    assert os.listdir(tmp_path) == ["new.json"]
    assert (tmp_path / "new.json").read_text(encoding="utf-8") == "{}"


def test_the_longest_possible_name_will_do(tmp_path):
    write_atomically(tmp_path / ("n" * 255), "text")
    assert os.listdir(tmp_path) == ["n" * 255]


@pytest.mark.parametrize("step", ["write", "fsync", "replace"])
def test_a_full_disk_leaves_the_old_file_and_nothing_else(target, monkeypatch, step):
    if step == "write":
        monkeypatch.setattr(Path, "open", lambda self, mode: HalfAFile(self, "x"))
    else:
        monkeypatch.setattr(os, step, full_disk)
    with pytest.raises(OSError, match="No space left") as caught:
        write_atomically(target, "new" * LARGE)
    assert caught.value.errno == errno.ENOSPC
    assert caught.value.filename == str(target)  # and not the name of the file beside it
    monkeypatch.undo()
    assert_untouched(target)


def test_ctrl_c_leaves_the_old_file_and_nothing_else(target, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(target, "new")
    assert_untouched(target)


def test_text_that_no_file_can_hold_leaves_the_old_file(target):
    with pytest.raises(UnicodeEncodeError):
        write_atomically(target, "\ud800")
    assert_untouched(target)


def test_a_folder_is_not_replaced(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError):
        write_atomically(tmp_path / "folder", "text")
    assert os.listdir(tmp_path) == ["folder"]


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        write_atomically(tmp_path / "missing" / "a.txt", "text")
    assert caught.value.filename == str(tmp_path / "missing" / "a.txt")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="this user may write anywhere")
def test_a_read_only_folder_is_an_error(target):
    target.parent.chmod(0o500)
    try:
        with pytest.raises(PermissionError) as caught:
            write_atomically(target, "new")
    finally:
        target.parent.chmod(0o700)
    assert caught.value.filename == str(target)
    assert_untouched(target)


@pytest.mark.skipif(os.name != "posix", reason="links need a right of their own on Windows")
def test_a_link_is_replaced_and_not_the_file_behind_it(target, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(target)
    write_atomically(link, "new")
    assert not link.is_symlink()
    assert link.read_text(encoding="utf-8") == "new"
    assert target.read_text(encoding="utf-8") == "old"


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such permissions")
def test_the_file_can_be_read_by_others_as_any_new_file(tmp_path):
    before = os.umask(0o022)
    try:
        write_atomically(tmp_path / "a.txt", "text")
    finally:
        os.umask(before)
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o644


KILLED = """
import os, pathlib, signal, sys
from labkit.course.files import write_atomically
step, when, path = sys.argv[1:]
original = getattr(os, step)
def killed(*arguments):
    if when == "after":
        original(*arguments)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(os, step, killed)
write_atomically(pathlib.Path(path), "new" * 200_000)
"""


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such signal")
@pytest.mark.parametrize(
    ("step", "when", "wanted"),
    [
        ("fsync", "before", "old"),
        ("replace", "before", "old"),
        ("replace", "after", "new" * LARGE),
    ],
)
def test_a_killed_process_leaves_the_old_file_or_the_new(target, step, when, wanted):
    done = subprocess.run([sys.executable, "-c", KILLED, step, when, str(target)], timeout=60)
    assert done.returncode == -9
    assert target.read_text(encoding="utf-8") == wanted


OVER_AND_OVER = """
import pathlib, sys
from labkit.course.files import write_atomically
path = pathlib.Path(sys.argv[1])
while True:
    write_atomically(path, "a" * 200_000)
    print("written", flush=True)
    write_atomically(path, "b" * 100_000)
"""


def test_a_process_killed_at_any_time_leaves_a_whole_file(target):
    for _ in range(5):
        program = [sys.executable, "-c", OVER_AND_OVER, str(target)]
        with subprocess.Popen(program, stdout=subprocess.PIPE) as process:
            for _ in range(3):
                process.stdout.readline()
            process.kill()
        assert target.read_text(encoding="utf-8") in ("a" * LARGE, "b" * (LARGE // 2))


def test_two_programs_may_write_the_same_file_at_once(target, monkeypatch):
    replace = os.replace

    def while_another_writes(beside, path):
        monkeypatch.setattr(os, "replace", replace)
        write_atomically(target, "of the other")
        replace(beside, path)

    monkeypatch.setattr(os, "replace", while_another_writes)
    write_atomically(target, "of this one")
    assert target.read_text(encoding="utf-8") == "of this one"
    assert os.listdir(target.parent) == [target.name]
