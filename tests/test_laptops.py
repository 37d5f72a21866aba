"""`doctor --report` names no person and no folder, and `--collect` makes one table of all reports.

Whatever is in the folder, the reports that are whole count, and every other file is named.
"""

import getpass
import json
import os
import platform
import socket
import subprocess
import sys
import types
from pathlib import Path

import pytest

from labkit import __main__ as command
from labkit.course import environment, handed_in, laptops
from labkit.course.checks import Check
from labkit.course.laptops import collect, laptop_report

READY = [Check("Python", "ok", "Python 3.12.4"), Check("memory", "ok", "8.0 GiB free")]
NO_DISK = Check("disk", "bad", "0.3 GiB free", "the course needs 0.5 GiB: delete or move files")
NO_MEMORY = Check("memory", "note", "1.0 GiB free", "close other programs")


def machine_report(*checks):
    return environment.Report(list(checks or READY))


def report(folder, file, *checks, name="", call=0.005, **changes):
    """Write the report of a laptop, as the command does, with changes; return its content."""
    content = laptop_report(machine_report(*checks), name, figures=False)
    content["figures"] = {"call_seconds": call}
    content |= changes
    path = folder / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
    return content


# ---- the report ----


@pytest.fixture
def doctor(monkeypatch):
    """Let the doctor find what a test says, and measure nothing."""
    found = machine_report()
    monkeypatch.setattr(environment, "doctor", lambda: found)
    monkeypatch.setattr(laptops, "measure_figures", lambda: ({"call_seconds": 0.004}, None))
    return found


def test_the_command_writes_what_a_teacher_needs(tmp_path, doctor, capsys):
    file = tmp_path / "ann.json"
    assert command.main(["doctor", "--report", str(file), "--name", "Ann"]) == 0
    content = json.loads(file.read_text(encoding="utf-8"))
    assert (content["kind"], content["version"], content["name"]) == ("labkit laptop", 1, "Ann")
    assert content["ready"] is True
    assert content["figures"] == {"call_seconds": 0.004}
    assert content["findings"][1] == {
        "name": "memory",
        "state": "ok",
        "sentence": "8.0 GiB free",
        "fix": "",
    }
    assert content["machine"]["Python"] == platform.python_version()
    assert "nothing was sent by itself" in capsys.readouterr().out


def test_a_laptop_that_is_not_ready_gets_its_report_and_another_exit_status(tmp_path, doctor):
    doctor.checks.append(NO_DISK)
    file = tmp_path / "ann.json"
    assert command.main(["doctor", "--report", str(file)]) == 1
    assert json.loads(file.read_text(encoding="utf-8"))["ready"] is False


def test_no_person_and_no_folder_is_in_a_report(tmp_path, monkeypatch, doctor):
    home = tmp_path / "Ann Lee"
    here = tmp_path / "Ben Roe"
    for folder in (home, here):
        folder.mkdir()
    monkeypatch.setattr(Path, "home", lambda: home)
    monkeypatch.chdir(here)
    doctor.checks.append(Check("names", "note", f"{here / 'numpy.py'} hides a package"))
    doctor.checks.append(
        Check("kernel", "note", f"reads {home / 'own' / 'kernel.json'}", f"rename {home}/own/x.py")
    )
    doctor.checks.append(Check("course", "note", "x", f"look at {laptops.__file__}"))
    file = tmp_path / "r.json"
    command.main(["doctor", "--report", str(file)])
    text = file.read_text(encoding="utf-8")
    assert "kernel.json" in text
    names = [socket.gethostname(), getpass.getuser()]
    hidden = ["Ann Lee", "Ben Roe", str(tmp_path), str(environment._LOCK.parent)]
    hidden += [name for name in names if len(name) > 6]  # a short one may be part of a word
    assert [word for word in hidden if word in text] == []


def test_a_file_that_exists_is_kept_and_nothing_is_measured(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(environment, "doctor", lambda: pytest.fail("it was checked"))
    file = tmp_path / "ann.json"
    file.write_text("mine", encoding="utf-8")
    assert command.main(["doctor", "--report", str(file)]) == 1
    assert "ann.json exists: give another name, or --force" in capsys.readouterr().err
    assert file.read_text(encoding="utf-8") == "mine"
    assert command.main(["doctor", "--report", str(tmp_path)]) == 1
    assert "is a folder: give the name of a file" in capsys.readouterr().err
    assert command.main(["doctor", "--report", str(tmp_path / "x" / "y.json")]) == 1
    assert "there is no folder" in capsys.readouterr().err


def test_force_replaces_it(tmp_path, doctor):
    file = tmp_path / "ann.json"
    file.write_text("mine", encoding="utf-8")
    assert command.main(["doctor", "--report", str(file), "--force"]) == 0
    assert json.loads(file.read_text(encoding="utf-8"))["kind"] == "labkit laptop"


def test_a_laptop_where_nothing_is_installed_has_a_report(monkeypatch):
    monkeypatch.setitem(sys.modules, "psutil", None)
    content = laptop_report(machine_report(NO_DISK), figures=False)
    assert content["machine"]["Python"] == platform.python_version()
    assert content["ready"] is False


def test_no_call_is_tried_without_tensorflow(monkeypatch):
    monkeypatch.setattr(laptops, "measure_figures", lambda: pytest.fail("it was tried"))
    missing = Check("tensorflow", "bad", "tensorflow is missing", "install it")
    assert laptop_report(machine_report(missing))["figures"] == {}


@pytest.mark.parametrize(
    ("code", "output", "errors", "sentence"),
    [
        (-4, "", "", "TensorFlow ended Python with signal 4"),
        (1, "noise", 'File "/home/someone/x.py"\nImportError: /home/someone', "with ImportError"),
        (3, "", "", "with exit status 3"),
    ],
)
def test_a_process_that_ends_is_a_finding(monkeypatch, code, output, errors, sentence):
    done = types.SimpleNamespace(returncode=code, stdout=output, stderr=errors)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: done)
    content = laptop_report(machine_report())
    assert content["ready"] is False
    assert content["findings"][-1]["sentence"].endswith(sentence)
    assert content["findings"][-1]["fix"]
    assert "someone" not in json.dumps(content)


def test_a_process_that_never_ends_is_a_finding(monkeypatch):
    def wait(*_, timeout, **__):
        raise subprocess.TimeoutExpired("python", timeout)

    monkeypatch.setattr(subprocess, "run", wait)
    assert "not done after 300 s" in laptop_report(machine_report())["findings"][-1]["sentence"]


def test_the_figures_are_measured_in_a_process_of_their_own():
    figures, failure = laptops.measure_figures()
    assert failure is None
    assert set(figures) == set(laptops._FIGURES)
    assert all(0 < seconds < 300 for seconds in figures.values())


# ---- the table ----


def test_thirty_reports_are_one_table_with_those_in_trouble_first(tmp_path, capsys):
    for i in range(27):
        report(tmp_path, f"ready {i:02}.json")
    report(tmp_path, "zoe.json", *READY, NO_MEMORY, name="Zoe")
    report(tmp_path, "ben.json", NO_DISK, name="Ben")
    report(tmp_path, "cleo.json", NO_DISK, NO_MEMORY, name="Cleo")
    assert command.main(["doctor", "--collect", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert "30 laptops: 2 will have trouble, 1 perhaps, 27 ready" in text
    lines = text.splitlines()
    heading = next(i for i, line in enumerate(lines) if line.startswith("laptop"))
    rows = lines[heading + 1 : heading + 31]
    assert [row.split()[0] for row in rows[:3]] == ["Ben", "Cleo", "Zoe"]
    assert "✗ trouble" in rows[0]
    assert "disk: 0.3 GiB free (1); memory: 1.0 GiB free (2)" in rows[1]
    assert " 1. disk: the course needs 0.5 GiB: delete or move files (Ben, Cleo)" in lines
    assert " 2. memory: close other programs (Cleo, Zoe)" in lines
    assert all("✓ ready" in row for row in rows[3:])


def test_every_file_that_does_not_count_is_named_with_the_reason(tmp_path, capsys):
    good = report(tmp_path, "good.json")
    (tmp_path / "empty.json").touch()
    (tmp_path / "cut.json").write_text(json.dumps(good)[:-30], encoding="utf-8")
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8\xff\xe0 a photo")
    (tmp_path / "all.zip").write_bytes(b"PK\x03\x04 ../../x")
    (tmp_path / "list.json").write_text("[1, 2]", encoding="utf-8")
    (tmp_path / "deep.json").write_text("[" * 100_000, encoding="utf-8")
    report(tmp_path, "room.json", kind="labkit hand-in")
    report(tmp_path, "future.json", version=2)
    report(tmp_path, "none.json", version=None)
    report(tmp_path, "hollow.json", findings="all is well")
    (tmp_path / ".DS_Store").write_bytes(b"\0")
    assert command.main(["doctor", "--collect", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert "1 laptop: 0 will have trouble" in text
    for line in [
        "- empty.json is empty: ask for it again",
        "- cut.json is damaged, its end may be missing: ask for it again",
        "- photo.jpg is something else than a file of labkit",
        "- all.zip is an archive: unpack it into the folder",
        "- list.json is something else than a file of labkit",
        "- deep.json is damaged",
        "- room.json is the results of a learner: python -m labkit room FOLDER reads it",
        "- future.json comes from a newer version of the course",
        "- none.json does not say which version",
        "- hollow.json is damaged, it has no findings",
    ]:
        assert line in text
    assert "DS_Store" not in text


def test_a_file_of_a_gigabyte_is_not_read(tmp_path, monkeypatch):
    report(tmp_path, "good.json")
    with (tmp_path / "large.json").open("wb") as file:
        file.truncate(2**30)  # sparse: it takes no space
    read = []
    plain = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: read.append(path.name) or plain(path))
    found = collect(tmp_path)
    assert found.skipped == ["large.json has 1,074 MB, and such a file has less than 1 MB"]
    assert "large.json" not in read


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no such files")
def test_what_is_no_plain_file_does_not_hold_the_table_up(tmp_path):
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "gone.json").symlink_to(tmp_path / "nowhere")
    (tmp_path / "endless.json").symlink_to("/dev/zero")
    assert [line.split(" ", 1) for line in collect(tmp_path).skipped] == [
        ["endless.json", "is not a plain file"],
        ["gone.json", "is not a plain file"],
        ["pipe.json", "is not a plain file"],
    ]


def test_a_learning_platform_gives_a_folder_to_each_learner(tmp_path):
    report(tmp_path, "Ann Lee_1/report.json")
    report(tmp_path, "Ben_2/report.json")
    assert [one.name for one in collect(tmp_path).laptops] == ["Ann Lee_1/report", "Ben_2/report"]


def test_the_newest_report_of_a_laptop_counts(tmp_path):
    report(tmp_path, "a.json", NO_DISK, name="Ann", written="2026-11-01T10:00:00+00:00")
    report(tmp_path, "b.json", name="ann", written="2026-11-02T09:00:00+09:00")
    found = collect(tmp_path)
    assert [(one.name, one.state) for one in found.laptops] == [("ann", "ok")]
    assert found.skipped == ["a.json is older than b.json, of the same learner"]


def test_two_people_of_one_name_are_two_laptops(tmp_path):
    report(tmp_path, "a.json", name="Ann", machine={"processor": "one"})
    report(tmp_path, "b.json", name="Ann", machine={"processor": "other"})
    assert [one.name for one in collect(tmp_path).laptops] == ["Ann (a.json)", "Ann (b.json)"]


def test_a_laptop_that_is_much_slower_than_the_others_is_noted(tmp_path):
    for i in range(4):
        report(tmp_path, f"{i}.json", call=0.004)
    report(tmp_path, "old.json", call=0.1)
    found = collect(tmp_path)
    assert [one.name for one in found.in_state("note")] == ["old"]
    assert "one call takes ≈25.0× the median of all laptops" in str(found)
    assert "one direct call: ≈4.00 ms in the middle, from ≈4.00 ms to ≈100 ms" in str(found)


def test_a_load_at_the_minute_of_the_report_is_no_trouble_to_come(tmp_path):
    load = Check("load", "note", "load 9.0", "other programs use the processor")
    report(tmp_path, "a.json", *READY, load)
    assert "load" not in str(collect(tmp_path))
    assert collect(tmp_path).in_state("ok")


def test_an_old_report_with_other_packages_is_noted(tmp_path):
    report(tmp_path, "old.json", course="0123456789ab")
    text = str(collect(tmp_path))
    assert "course: has other versions of the packages (1)" in text
    assert "1. course: git pull in the folder of the course" in text


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), -1, "0.01", True, [0.01], 10**400, None]
)
def test_a_figure_that_is_no_number_is_left_out(tmp_path, value):
    report(tmp_path, "a.json", call=value)
    (one,) = collect(tmp_path).laptops
    assert one.figures == {}


def test_what_somebody_writes_cannot_steer_the_terminal_or_flood_it(tmp_path):
    bad = Check("disk\x1b[31m", "bad", "x" * 5000 + "\n\nready", "\u202egnp.exe")
    report(tmp_path, "a\x1b[2J.json" if os.name == "posix" else "a.json", bad, name="A\r\nB" * 99)
    text = str(collect(tmp_path))
    assert "\x1b" not in text
    assert "\r" not in text
    assert "\u202e" not in text
    assert "1 laptop: 1 will have trouble" in text
    assert max(map(len, text.splitlines())) < 600


def test_a_report_in_the_encoding_of_another_shell_is_read(tmp_path):
    content = report(tmp_path, "a.json", name="Åsa")
    text = json.dumps(content, ensure_ascii=False)
    (tmp_path / "a.json").write_text(text, encoding="utf-16")
    assert [one.name for one in collect(tmp_path).laptops] == ["Åsa"]


def test_a_folder_without_reports_or_without_end_says_so(tmp_path, capsys, monkeypatch):
    assert command.main(["doctor", "--collect", str(tmp_path)]) == 1
    assert "No report of a laptop is in this folder." in capsys.readouterr().out
    assert command.main(["doctor", "--collect", str(tmp_path / "missing")]) == 1
    assert "there is no folder" in capsys.readouterr().err
    monkeypatch.setattr(handed_in, "MOST_FILES", 3)
    for i in range(4):
        report(tmp_path, f"{i}.json")
    assert command.main(["doctor", "--collect", str(tmp_path)]) == 1
    assert "holds more than 3 files" in capsys.readouterr().err
