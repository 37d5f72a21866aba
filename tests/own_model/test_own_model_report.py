"""The report is one HTML page with everything in it, escaped, and written as a whole."""

import base64
import html
import os
import re
import shutil
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from own_model_helpers import QUICK, made_diagnosis

from labkit import own_model
from labkit.measure.results import Comparison
from labkit.own_model import BadModel, candidates, report
from labkit.own_model.candidates import CALL, FUNCTION, LITERT, PREDICT

OLD_REPORT = (
    '<!DOCTYPE html>\n<html>\n<head><meta name="generator" content="labkit own-model"></head>'
)
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def diagnosis():
    d = made_diagnosis({PREDICT: 30, CALL: 2, LITERT: 0.1}, budget=60, seconds=12)
    d.facts = {"input numbers": "float32 (any, 10)"}
    d.machine = report.machine()
    samples = {"LiteRT, 1 row": [1e-4] * 64, "LiteRT, 32 rows": [1e-5] * 64}
    d.many = {32: Comparison(samples, "LiteRT, 1 row")}
    return d


def test_the_report_needs_no_other_file(diagnosis):
    page = report.page(diagnosis)
    assert page.startswith("<!DOCTYPE html>")
    assert page.rstrip().endswith("</html>")
    assert not re.search(r"<script|<link|src=\"(?!data:)|href=|https?:|url\(", page)


def test_the_report_has_both_figures_with_their_captions(diagnosis):
    page = report.page(diagnosis)
    images = re.findall(r'<img alt="([^"]+)" src="data:image/png;base64,([^"]+)"', page)
    captions = [diagnosis.plot("ladder").caption, diagnosis.plot("rows").caption]
    assert [html.unescape(alt) for alt, _ in images] == captions
    assert page.count("<figcaption>") == 2
    for _, data in images:
        assert base64.b64decode(data)[1:4] == b"PNG"


def test_the_report_says_everything(diagnosis):
    page = html.unescape(report.page(diagnosis))
    words = ["Recommendation", tf.__version__, keras.__version__, "processor", "load before"]
    words += [
        "input numbers",
        "float32 (any, 10)",
        "≈12.0 s of the 60 s",
        "to 0.001 of the largest",
    ]
    for sentence in diagnosis.advice:
        words += [sentence.text, sentence.evidence]
    for row in diagnosis.table.cells + diagnosis.many_table.cells:
        words += row
    assert [word for word in words if word not in page] == []


def test_the_report_names_no_person_no_computer_and_no_folder(saved, monkeypatch, tmp_path):
    monkeypatch.setenv("USER", "someone-by-name")
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("platform.node", "socket.gethostname"):
        monkeypatch.setattr(name, lambda: "computer-of-someone")

    def fails(case):
        raise OSError(f"no file {tmp_path / 'of-someone' / 'x.so'}")

    monkeypatch.setitem(candidates._PREPARE, FUNCTION, fails)
    target = tmp_path / "r.html"
    own_model.diagnose(saved / "ok.keras", candidates=[FUNCTION], report_to=target, **QUICK)
    page = target.read_text(encoding="utf-8")
    assert "no file x.so" in page
    words = ("someone", str(tmp_path), tmp_path.name, str(saved), saved.name, str(ROOT))
    assert [word for word in words if word in page] == []


def test_without_another_batch_size_there_is_one_figure_and_one_table(diagnosis):
    diagnosis.many = {}
    page = report.page(diagnosis)
    assert page.count("<img") == 1
    assert "Time per row" not in page


def test_names_from_the_model_are_escaped(diagnosis):
    evil = "<img src=x onerror=alert(1)>&\"'"
    diagnosis.name = evil
    diagnosis.facts = {evil: evil}
    diagnosis.machine = {"processor": evil}
    diagnosis.ladder[-1].why = evil
    page = report.page(diagnosis)
    for shown in (page, diagnosis._repr_html_()):
        assert "<img src=x" not in shown
    # Title, heading, first line, caption of the table, its note, the advice, two facts, the
    # processor.
    assert page.count("&lt;img src=x onerror=alert(1)&gt;&amp;") == 9


def test_the_advice_is_the_same_in_a_cell_and_in_the_report(diagnosis):
    page, cell = report.page(diagnosis), diagnosis._repr_html_()
    lists = [re.search(r"<ol>.*?</ol>", shown, re.DOTALL)[0] for shown in (page, cell)]
    assert lists[0] == lists[1]
    assert lists[0].count("<li>") == len(diagnosis.advice)
    assert "<table" in cell


# ---- the file ----


def test_a_report_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    target = tmp_path / "r.html"
    target.write_text(OLD_REPORT)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(BadModel, match=r"the report r\.html cannot be written: No space left"):
        report.write("new", target)
    assert target.read_text() == OLD_REPORT
    assert os.listdir(tmp_path) == ["r.html"]


def test_a_report_replaces_the_last_one(diagnosis, tmp_path):
    target = tmp_path / "r.html"
    for name in ("first", "second"):
        diagnosis.name = name
        assert diagnosis.save(str(target)) == target
        assert f"What to do with {name}" in target.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["ok.keras", "notes.html", "s.npy"])
def test_a_report_replaces_no_other_file(name, saved, tmp_path):
    shutil.copy(saved / "ok.keras", tmp_path)
    np.save(tmp_path / "s.npy", np.zeros((1, 10)))
    (tmp_path / "notes.html").write_text("<title>What to do with my notes</title>")
    target = tmp_path / name
    before = target.read_bytes()
    with pytest.raises(BadModel, match=f"would replace {name}, which is not a report"):
        own_model.diagnose(tmp_path / "ok.keras", sample=tmp_path / "s.npy", report_to=target)
    assert target.read_bytes() == before


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("ok/report.html", "lies within it"),
        ("ok/assets/../report.html", "lies within it"),
        ("new.keras", "has the ending of a model"),
    ],
)
def test_a_report_is_written_into_no_model(name, words, saved, tmp_path):
    shutil.copytree(saved / "ok", tmp_path / "ok")
    with pytest.raises(BadModel, match=words):
        own_model.diagnose(tmp_path / "ok", report_to=tmp_path / name)
    with pytest.raises(BadModel, match="lies within it"):
        own_model.diagnose(tmp_path / "ok", keep_in=tmp_path / "ok" / "assets")
    assert "report.html" not in os.listdir(tmp_path / "ok")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no such files")
def test_a_pipe_is_no_report_and_is_not_read(tmp_path):
    os.mkfifo(tmp_path / "r.html")
    with pytest.raises(BadModel, match="not a report"):
        report.check_target(tmp_path / "r.html")
    os.mkfifo(tmp_path / "m.keras")
    with pytest.raises(BadModel, match="is no ordinary file"):
        own_model.diagnose(tmp_path / "m.keras")


def test_what_was_measured_is_kept_where_the_report_cannot_be_written(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(report, "write_atomically", full)
    found = own_model.diagnose(candidates=[FUNCTION], report_to=tmp_path / "r.html", **QUICK)
    assert found.report is None
    assert "no report was written: the report r.html cannot be written: No space" in repr(found)


def test_a_report_that_took_the_place_of_another_says_so(tmp_path):
    target = tmp_path / "r.html"
    options = {"candidates": [FUNCTION], "report_to": target, **QUICK}
    assert "was replaced" not in repr(own_model.diagnose(**options))
    assert "an older report r.html was replaced" in repr(own_model.diagnose(**options))


def test_a_folder_without_permission_is_told_before_measuring(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(BadModel, match=r"the folder .* is read-only"):
        own_model.diagnose(report_to=tmp_path / "r.html")


def test_the_templates_are_part_of_the_package(tmp_path, monkeypatch):
    from flit_core import buildapi

    monkeypatch.chdir(ROOT)
    wheel = tmp_path / buildapi.build_wheel(str(tmp_path))
    names = zipfile.ZipFile(wheel).namelist()
    for template in (ROOT / "labkit" / "own_model" / "templates").iterdir():
        assert f"labkit/own_model/templates/{template.name}" in names
