"""The course's part of JupyterLab's server: a current start page, and a word at the end.

`python -m labkit lab` loads it as a server extension.
"""

import asyncio
import atexit
import logging
import os
import signal
from pathlib import Path
from typing import Any

from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.utils import url_path_join
from tornado import web
from tornado.websocket import WebSocketClosedError

from ..show.saved_notebook import before_saving
from .start_page import write_start_page
from .workspace import COURSE


class StartPageHandler(JupyterHandler):
    """Answers with the current text of the start page, which is also in its file by then."""

    def initialize(self, workspace: Path) -> None:
        """Take the folder of the learner's copies."""
        self.workspace = workspace

    @web.authenticated
    async def get(self) -> None:
        """Bring the start page up to date."""
        try:
            text = await asyncio.to_thread(write_start_page, COURSE, self.workspace)
        except (OSError, ValueError) as error:
            raise web.HTTPError(500, f"the start page cannot be written: {error}") from error
        self.set_header("Content-Type", "text/markdown; charset=utf-8")
        self.finish(text)


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    return [{"module": __name__}]


def _load_jupyter_server_extension(server: Any) -> None:
    workspace = Path(server.root_dir)
    address = url_path_join(server.base_url, "labkit", "start-page")
    options = {"workspace": workspace}
    server.web_app.add_handlers(".*$", [(address, StartPageHandler, options)])
    server.contents_manager.register_pre_save_hook(before_saving)
    logging.getLogger("asyncio").addFilter(_is_no_closed_page)
    _stop_quietly(server)
    atexit.register(print, f"JupyterLab has stopped. Your work is in {workspace}", flush=True)


def _is_no_closed_page(record: logging.LogRecord) -> bool:
    """Return whether a record is worth a traceback: that a page was closed meanwhile is not."""
    return not (record.exc_info and isinstance(record.exc_info[1], WebSocketClosedError))


def _stop_quietly(server: Any) -> None:
    """Let Ctrl-C end the server as a signal: as an exception it may end in a traceback."""

    def stop(number: int, frame: Any) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # for a second Ctrl-C
        server.stop(from_signal=True)

    if os.name == "posix":
        signal.signal(signal.SIGINT, stop)


async def _start_jupyter_server_extension(server: Any) -> None:
    if not server.identity_provider.token_generated:
        # Jupyter prints the address only if it has made up the token.
        print(f"JupyterLab runs at {server.public_url}", flush=True)
