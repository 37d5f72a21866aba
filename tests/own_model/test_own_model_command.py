"""`python -m labkit own-model` writes the same report, and prints one sentence for a mistake."""

import os
import subprocess
import sys
from pathlib import Path

import labkit as lab


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
