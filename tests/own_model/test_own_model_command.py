"""`python -m labkit own-model` writes the same report, and prints one sentence for a mistake."""

import html
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
from own_model_helpers import made_diagnosis

import labkit as lab
from labkit import own_model
from labkit.__main__ import main
from labkit.course import environment
from labkit.own_model import json_file
from labkit.own_model.origin import command_for
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


@pytest.mark.parametrize("command", [["own-model"], ["own-loop", __file__]])
def test_an_interrupt_while_tensorflow_is_imported_is_one_line(monkeypatch, capsys, command):
    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr(environment, "setup", interrupted)
    assert main(command) == 130
    assert re.fullmatch("python -m labkit own-.*: stopped before .*\n", capsys.readouterr().err)


# ---- results for other programs ----


def test_json_alone_is_on_the_output_and_a_slow_model_ends_with_3(saved, tmp_path):
    options = ["--batch", 1, "--budget", 3, "--no-service", "--threads", 1]
    options += ["--json", "-", "--fail-over-ms", 0.000001]
    done = run_command(saved / "ok.keras", *options, cwd=tmp_path)
    assert done.returncode == 3
    found = json.loads(done.stdout)
    jsonschema.validate(found, json.loads(json_file.SCHEMA.read_text(encoding="utf-8")))
    assert found["threads"] == 1
    assert found["command"].endswith("--budget 3 --threads 1 --no-service")
    [line] = done.stderr.splitlines()
    assert line.startswith("python -m labkit own-model: ")
    assert line.endswith("ms with 1 row, which is over 1e-06 ms")
    assert os.listdir(tmp_path) == ["report-ok.html"]


@pytest.fixture
def measured(stopped, tmp_path, monkeypatch):
    """Make the command find 1 ms for tf.function; we are in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(environment, "setup", lambda: None)
    made = made_diagnosis({"model(x)": 2.0, "tf.function": 1.0})
    made.report = tmp_path / "report.html"
    stopped(made)
    return tmp_path


@pytest.mark.parametrize(("most", "status"), [(0.9, 3), (1.1, 0)])
def test_the_status_says_whether_the_model_is_too_slow(measured, capsys, most, status):
    assert main(["own-model", "--fail-over-ms", str(most)]) == status
    sentence = "tf.function takes 1 ms with 1 row, which is over 0.9 ms"
    assert (sentence in capsys.readouterr().err) == (status == 3)


def test_json_goes_to_a_file_that_is_only_replaced_by_force(measured, capsys):
    assert main(["own-model", "--json", "r.json"]) == 0
    assert json.loads((measured / "r.json").read_text(encoding="utf-8"))["version"] == 1
    assert main(["own-model", "--json", "r.json"]) == 2
    assert "r.json exists: give another name, or --force" in capsys.readouterr().err
    assert main(["own-model", "--json", "r.json", "--force"]) == 0
    (measured / "mine.json").write_text("{}")
    assert main(["own-model", "--json", "mine.json", "--force"]) == 2
    assert (measured / "mine.json").read_text() == "{}"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--json", "no/r.json"], "there is no folder no"),
        (["--json", "."], "is a folder"),
        (["--json", " "], "no name was given for the result"),
        (["--output", ""], "no name was given for the report"),
        (["--keep", ""], "no folder was given for the converted model"),
        (["--keep", "no/folder"], "there is no folder no"),
        (["--json", "new.tflite"], "new.tflite has the ending of a model"),
        (["--json", "r.html", "--output", "./r.html"], "--output and --json name the same file"),
        (["--fail-over-ms", "0"], "--fail-over-ms is in milliseconds, above 0, got 0"),
        (["--within-ms", "-1"], "--within-ms is in milliseconds, above 0, got -1"),
        (["--threads", "0"], "threads are a whole number"),
    ],
)
def test_options_are_checked_before_anything_is_measured(measured, capsys, words, sentence):
    assert main(["own-model", *words]) == 2
    assert sentence in capsys.readouterr().err


def test_an_older_report_is_replaced_only_by_force(measured, capsys):
    old = measured / "report.html"
    old.write_text('<!DOCTYPE html><meta name="generator" content="labkit own-model">')
    assert main(["own-model"]) == 2
    assert "there is a report report.html already" in capsys.readouterr().err
    assert main(["own-model", "--force"]) == 0


def test_a_report_that_cannot_be_written_ends_with_2_after_the_result(measured, stopped, capsys):
    made = made_diagnosis({"model(x)": 2.0, "tf.function": 1.0})
    made.notes.append("no report was written: the disk is full")
    stopped(made)
    assert main(["own-model"]) == 2
    printed = capsys.readouterr()
    assert "Call it through tf.function" in printed.out and "The report:" not in printed.out
    assert printed.err == "python -m labkit own-model: no report was written: the disk is full\n"


def test_a_model_that_could_not_be_kept_ends_with_2_after_the_result(measured, stopped, capsys):
    made = made_diagnosis({"model(x)": 2.0, "tf.function": 1.0})
    made.report = measured / "report.html"
    made.not_kept = "the converted model was not written: the disk is full"
    stopped(made)
    assert main(["own-model", "--keep", "folder"]) == 2
    printed = capsys.readouterr()
    assert "Call it through tf.function" in printed.out
    assert printed.err == f"python -m labkit own-model: {made.not_kept}\n"


@pytest.mark.parametrize("option", ["--output", "--json"])
def test_a_link_that_leads_nowhere_is_not_replaced(measured, capsys, option):
    link = measured / "link.html"
    link.symlink_to(measured / "nowhere.html")
    assert main(["own-model", option, "link.html"]) == 2
    assert "link.html is a link that leads nowhere" in capsys.readouterr().err
    assert link.is_symlink()


def test_the_command_that_repeats_it_gives_all_code_in_one_option():
    found = command_for(["m.keras"], {"--import": ["a.py", "b.py"]})
    assert found == "python -m labkit own-model m.keras --import a.py b.py"


def test_three_models_are_too_many(saved, capsys):
    assert main(["own-model", *[str(saved / "ok.keras")] * 3]) == 2
    assert "give one model, or two to compare, got 3" in capsys.readouterr().err


def test_two_models_have_a_report(saved, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    two = [str(saved / "ok.keras"), str(saved / "ok.h5")]
    assert main(["own-model", *two, "--budget", "4", "--no-service"]) == 0
    printed = capsys.readouterr().out
    assert "The report: report-ok-ok.html" in printed
    page = html.unescape((tmp_path / "report-ok-ok.html").read_text(encoding="utf-8"))
    assert "<title>Two models: ok.keras and ok.h5</title>" in page
    assert re.findall("<h2>(.*?)</h2>", page)[-5:] == [
        "The code for B",
        "Model A: ok.keras",
        "Model B: ok.h5",
        "The files and the machine",
        "How it was measured",
    ]
    sentence = next(line for line in printed.splitlines() if "takes" in line and "through" in line)
    assert f"<p>{sentence}</p>" in page
    # A second run does not replace it unasked, and says so before it measures.
    assert main(["own-model", *two]) == 2
    assert "there is a report report-ok-ok.html already" in capsys.readouterr().err


def test_the_report_of_two_models_replaces_no_other_file(saved, tmp_path, capsys):
    mine = tmp_path / "r.html"
    mine.write_text("<p>mine</p>")
    two = [str(saved / "ok.keras"), str(saved / "ok.h5")]
    assert main(["own-model", *two, "--output", str(mine), "--force"]) == 2
    assert "is not a report" in capsys.readouterr().err
    assert mine.read_text() == "<p>mine</p>"
