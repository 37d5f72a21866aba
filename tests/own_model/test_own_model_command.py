"""`python -m labkit own-model` writes the same report, and prints one sentence for a mistake."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from own_model_helpers import made_diagnosis

import labkit as lab
from labkit import own_model
from labkit.__main__ import main
from labkit.show.errors import Stopped


def run_command(*arguments, cwd):
    """Run ``python -m labkit own-model`` in a folder."""
    command = [sys.executable, "-m", "labkit", "own-model", *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(Path(lab.__file__).parents[1])}
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=cwd,
        env=environment,
        timeout=300,
    )


def test_the_command_writes_the_report(saved, tmp_path):
    options = ["--batch", 1, "--budget", 2, "--output", "mine.html"]
    done = run_command(saved / "ok.keras", *options, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "because:" in done.stdout
    assert done.stdout.rstrip().endswith("The report: mine.html")
    page = (tmp_path / "mine.html").read_text(encoding="utf-8")
    assert "What to do with ok.keras" in page


def test_the_command_prints_one_sentence_for_a_mistake(tmp_path):
    done = run_command("nowhere.keras", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert os.listdir(tmp_path) == []
    assert done.stderr.rstrip() == (
        "python -m labkit own-model: there is no file or folder nowhere.keras;"
        " check the spelling and the folder"
    )


@pytest.fixture
def stopped(monkeypatch):
    """Make the command diagnose nothing, and return or raise what it is given."""

    def ends_with(ending):
        def diagnose(*_, **__):
            if isinstance(ending, BaseException):
                raise ending
            return ending

        monkeypatch.setattr(own_model, "diagnose", diagnose)

    return ends_with


def test_a_measurement_that_was_stopped_is_printed_and_no_report_promised(stopped, capsys):
    notes = ["interrupted: no report was written"]
    stopped(made_diagnosis({"model(x)": 2.0, "tf.function": 1.0}, interrupted=True, notes=notes))
    assert main(["own-model"]) == 130
    printed = capsys.readouterr().out
    assert "interrupted: no report was written" in printed and "The report:" not in printed


def test_a_measurement_that_was_stopped_too_early_is_one_line(stopped, capsys):
    stopped(Stopped("Stopped before there was anything to compare."))
    assert main(["own-model"]) == 130
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == "python -m labkit: Stopped before there was anything to compare.\n"
