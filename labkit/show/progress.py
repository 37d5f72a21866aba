"""Progress bars that leave nothing behind."""

import functools
import html
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from .message import running_shell
from .saved_notebook import PROGRESS_MARK

if TYPE_CHECKING:
    from tqdm import tqdm

_SECONDS_LAYOUT = "{desc}: {percentage:3.0f}% |{bar}| {n:.1f}/{total:.1f} s"
_UPDATE_EVERY = 0.4  # seconds: often enough to see that it moves, and no flood of messages
# Bars that are on a page now. After an error one may live on in the traceback, and still be there.
_shown: "dict[int, tqdm[Any]]" = {}  # by id: to tqdm, two bars at the same position are equal


def progress_bar(
    items: Iterable[Any] | None, label: str, show: bool, seconds: float | None = None
) -> "tqdm[Any]":
    """Return a progress bar over `items`, or over a number of seconds that the caller adds up.

    It is silent without `show`, and under ``TQDM_DISABLE=1``: stored outputs stay clean.

    >>> list(progress_bar([1, 2], "counting", show=False))
    [1, 2]
    """
    from tqdm.std import tqdm

    silent = not show or bool(os.environ.get("TQDM_DISABLE"))
    layout = _SECONDS_LAYOUT if seconds else None
    shell = _notebook_shell()
    if silent or shell is None:
        return tqdm(
            items, desc=label, total=seconds, leave=False, disable=silent, bar_format=layout
        )
    if _remove_all not in shell.events.callbacks["post_run_cell"]:
        shell.events.register("post_run_cell", _remove_all)
    return _page_bar()(items, desc=label, total=seconds, bar_format=layout)


@functools.cache
def _page_bar() -> "type[tqdm[Any]]":
    """Return the class of a bar as HTML; it is made at its first use, as tqdm is slow to import.

    A widget would stay in the saved notebook, without what it needs to be shown. This bar appears
    after a moment, changes a few times a second, and is removed at the end.
    """
    from IPython.display import DisplayHandle
    from tqdm.std import tqdm

    class PageBar(tqdm):  # type: ignore[type-arg]  # the class takes no parameters at run time
        monitor_interval = 0  # a thread that draws has no cell to draw in

        def __init__(self, items: Iterable[Any] | None, **options: Any) -> None:
            self._handle = DisplayHandle()
            # With gui, tqdm writes nothing by itself: it calls `display`.
            super().__init__(
                items,
                gui=True,
                leave=False,
                delay=_UPDATE_EVERY,
                mininterval=_UPDATE_EVERY,
                miniters=0,  # the time alone decides when to update
                **options,
            )

        def display(self, msg: str | None = None, pos: int | None = None) -> None:
            page = {"text/plain": str(self), "text/html": _html(self)}
            if id(self) in _shown:
                self._handle.update(page, raw=True, metadata=PROGRESS_MARK)
                return
            _shown[id(self)] = self
            self._handle.display(page, raw=True, metadata=PROGRESS_MARK)

        def close(self) -> None:
            super().close()
            if _shown.pop(id(self), None):
                # An output without content takes no place on the page.
                self._handle.update({}, raw=True, metadata=PROGRESS_MARK)

    return PageBar


def _html(bar: "tqdm[Any]") -> str:
    """Return the label, a bar that a screen reader understands, and how far it is in words."""
    label = html.escape(bar.desc)
    share = min(bar.n / bar.total, 1.0) if bar.total else 0.0
    progress = f'<progress max="1" value="{share:.3f}" aria-label="{label}"></progress>'
    return f"<div>{label}: {progress} {_in_words(bar)}</div>"


def _in_words(bar: "tqdm[Any]") -> str:
    if bar.bar_format == _SECONDS_LAYOUT:
        return f"{bar.n:.1f} of {bar.total:.1f} s"
    if bar.total:
        return f"{bar.n} of {bar.total}"
    return str(bar.n)


def _notebook_shell() -> Any:
    """Return IPython's shell if its output goes to a page; None in a terminal or a script."""
    shell = running_shell()
    has_kernel = getattr(shell, "kernel", None) is not None
    return shell if has_kernel else None


def _remove_all(_result: Any) -> None:
    """Remove the bars that an error or the stop button has left; IPython calls this."""
    for bar in list(_shown.values()):
        bar.close()
