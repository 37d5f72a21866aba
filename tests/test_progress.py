"""Progress bars leave nothing behind, and are silent where nobody looks at them."""

import re

import pytest

from labkit.show import progress
from labkit.show.progress import progress_bar
from labkit.show.saved_notebook import PROGRESS_MARK


@pytest.fixture(autouse=True)
def shown_by_default(monkeypatch):
    monkeypatch.delenv("TQDM_DISABLE", raising=False)


# ---- in a terminal ----


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


# ---- in a notebook ----


class Page:
    """Stands for the shell of a notebook, and for the page that shows what it displays."""

    kernel = "a kernel"

    def __init__(self):
        self.events = self
        self.callbacks = {"post_run_cell": []}
        self.displayed = []
        self.now = 0.0

    def register(self, event, callback):
        self.callbacks[event].append(callback)

    def end_the_cell(self):
        for callback in self.callbacks["post_run_cell"]:
            callback(None)

    def show(self, data, raw, metadata, display_id, **_):
        assert raw
        assert metadata == PROGRESS_MARK
        self.displayed.append((display_id, data))

    def time(self):
        """Return a time that is a second later at each call."""
        self.now += 1
        return self.now

    @property
    def pages(self):
        return [data.get("text/html") for _, data in self.displayed]


@pytest.fixture
def page(monkeypatch):
    page = Page()
    monkeypatch.setattr(progress, "running_shell", lambda: page)
    monkeypatch.setattr("IPython.core.display_functions.display", page.show)
    monkeypatch.setattr("tqdm.std.time", page.time)
    return page


def test_on_a_page_there_is_one_bar_that_moves_and_goes(page, capsys):
    assert list(progress_bar(["a", "b", "c"], "counting <1>", show=True)) == ["a", "b", "c"]
    bar = '<progress max="1" value="{}" aria-label="counting &lt;1&gt;"></progress>'
    assert page.pages == [
        f"<div>counting &lt;1&gt;: {bar.format('0.333')} 1 of 3</div>",
        f"<div>counting &lt;1&gt;: {bar.format('0.667')} 2 of 3</div>",
        f"<div>counting &lt;1&gt;: {bar.format('1.000')} 3 of 3</div>",
        None,
    ]
    assert len({display_id for display_id, _ in page.displayed}) == 1
    assert page.displayed[-1][1] == {}  # no content at all: it takes no place
    assert capsys.readouterr() == ("", "")


def test_a_bar_of_seconds_on_a_page_says_how_many(page):
    bar = progress_bar(None, "measuring", show=True, seconds=2.0)
    bar.update(0.5)
    bar.close()
    assert page.pages[0].endswith(" 0.5 of 2.0 s</div>")
    assert 'value="0.250"' in page.pages[0]


def test_a_bar_of_an_unknown_number_counts(page):
    list(progress_bar(iter("ab"), "reading", show=True))
    assert re.search(r"</progress> 1</div>", page.pages[0])


def test_a_bar_on_a_page_is_updated_a_few_times_a_second(page, monkeypatch):
    monkeypatch.setattr("tqdm.std.time", lambda: page.time() / 1000)
    list(progress_bar(range(2000), "counting", show=True))
    assert 3 <= len(page.displayed) <= 12  # two seconds or more, as each look at the clock is 1 ms


def test_what_is_done_at_once_shows_no_bar(page, monkeypatch):
    monkeypatch.setattr("tqdm.std.time", lambda: 0.0)
    list(progress_bar(range(2000), "counting", show=True))
    assert page.displayed == []


ENDS = [ZeroDivisionError, KeyboardInterrupt]


@pytest.mark.parametrize("error", ENDS)
def test_an_error_or_the_stop_button_ends_the_bar_of_a_loop(page, error):
    with pytest.raises(error):
        for _ in progress_bar(range(3), "counting", show=True):
            if len(page.displayed) == 2:
                raise error
    assert page.displayed[-1][1] == {}


@pytest.mark.parametrize("error", ENDS)
def test_a_bar_that_is_not_closed_goes_with_the_cell(page, error):
    def fail():
        bar = progress_bar(None, "measuring", show=True, seconds=2.0)
        bar.update(0.5)
        raise error

    with pytest.raises(error) as raised:
        fail()
    assert raised.tb  # a notebook keeps the traceback, too, and with it the bar
    assert page.pages[-1] is not None
    page.end_the_cell()
    assert page.displayed[-1][1] == {}
    count = len(page.displayed)
    page.end_the_cell()
    assert len(page.displayed) == count


def test_two_bars_do_not_know_of_each_other(page):
    outer = progress_bar(range(2), "outer", show=True)
    for _ in outer:
        list(progress_bar(range(2), "inner", show=True))
    gone = [display_id for display_id, data in page.displayed if data == {}]
    assert len(gone) == len(set(gone)) == 3
    assert len(page.callbacks["post_run_cell"]) == 1


# ---- anywhere ----


@pytest.mark.parametrize("with_page", [False, True])
@pytest.mark.parametrize(
    ("show", "variable"), [(False, ""), (True, "1"), (False, "1")], ids=["off", "variable", "both"]
)
def test_a_silent_bar_writes_nothing(capsys, monkeypatch, request, with_page, show, variable):
    page = request.getfixturevalue("page") if with_page else None
    monkeypatch.setenv("TQDM_DISABLE", variable)
    assert list(progress_bar(range(3), "counting", show)) == [0, 1, 2]
    assert capsys.readouterr() == ("", "")
    assert page is None or page.displayed == []


def test_a_terminal_with_ipython_keeps_the_bar_of_a_terminal(monkeypatch, capsys):
    class Shell:
        """IPython in a terminal has no kernel."""

    monkeypatch.setattr(progress, "running_shell", Shell)
    list(progress_bar(range(3), "counting", show=True))
    assert "counting" in capsys.readouterr().err
