"""Find the JupyterLab that already runs in the workspace, and open it in the browser."""

import html
import socket
import urllib.error
import urllib.parse
import urllib.request
import webbrowser
from pathlib import Path
from typing import Any

from jupyter_core.paths import jupyter_runtime_dir, secure_write
from jupyter_server.serverapp import list_running_servers

SECONDS_TO_ANSWER = 3


def find_server(workspace: Path, page: str) -> str | None:
    """Return the address of `page` in a JupyterLab that runs in the workspace; None without one.

    Parameters
    ----------
    workspace : Path
        The folder of the learner's copies.
    page : str
        A file in it.

    Returns
    -------
    str or None
        With the token that opens it.
    """
    for server in _running_servers():
        if Path(server.get("root_dir", "")).resolve() != workspace.resolve():
            continue
        address = _address(server, page)
        if _answers(address):
            return address
    return None


def open_in_browser(address: str) -> None:
    """Open an address in the browser, if there is one."""
    # The address holds a token, and the arguments of programs are visible to other users: the
    # browser gets a file that leads there, as Jupyter does it.
    file = Path(jupyter_runtime_dir()) / "labkit-open.html"
    target = html.escape(address)
    page = f'<meta charset="utf-8"><meta http-equiv="refresh" content="0; url={target}">\n'
    page += f'<title>JupyterLab</title><a href="{target}">JupyterLab</a>\n'
    try:
        with secure_write(str(file)) as writer:
            writer.write(page)
        webbrowser.open(file.as_uri())
    except (OSError, webbrowser.Error):
        pass  # the address was printed


def is_taken(port: int) -> bool:
    """Return whether another program listens on a port of this machine."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _running_servers() -> list[dict[str, Any]]:
    try:
        return list(list_running_servers())
    except OSError:  # a file of another program, or one that has just gone
        return []


def _address(server: dict[str, Any], page: str) -> str:
    address = f"{server.get('url', '')}lab/tree/{urllib.parse.quote(page)}"
    if server.get("token"):
        address += "?" + urllib.parse.urlencode({"token": server["token"]})
    return address


def _answers(address: str) -> bool:
    """Return whether a page can be opened."""
    without_proxy = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with without_proxy.open(address, timeout=SECONDS_TO_ANSWER) as answer:
            return answer.status == 200
    except (OSError, ValueError):  # a URLError is an OSError
        return False
