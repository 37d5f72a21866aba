"""Progress bars leave nothing behind, and are silent where nobody looks at them."""

import pytest

from labkit.show.progress import progress_bar


@pytest.fixture(autouse=True)
def shown_by_default(monkeypatch):
    monkeypatch.delenv("TQDM_DISABLE", raising=False)


def test_a_bar_leaves_nothing_behind(capsys):
    assert list(progress_bar(range(3), "counting", show=True)) == [0, 1, 2]
    written = capsys.readouterr()
    assert written.out == ""
    assert "counting" in written.err
    last_line = written.err.rsplit("\r", 2)[-2]
    assert last_line.strip() == ""


def test_a_bar_of_seconds_shows_the_time_that_has_passed(capsys):
    bar = progress_bar(None, "measuring", show=True, seconds=2.0)
    bar.update(0.5)
    bar.refresh()
    bar.close()
    shown = capsys.readouterr().err
    assert "measuring:  25% |" in shown
    assert "| 0.5/2.0 s" in shown


@pytest.mark.parametrize(
    ("show", "variable"), [(False, ""), (True, "1"), (False, "1")], ids=["off", "variable", "both"]
)
def test_a_silent_bar_writes_nothing(capsys, monkeypatch, show, variable):
    monkeypatch.setenv("TQDM_DISABLE", variable)
    assert list(progress_bar(range(3), "counting", show)) == [0, 1, 2]
    assert capsys.readouterr() == ("", "")
