"""A second `labkit lab` finds the server that runs, and no other one."""

import json
import os
import stat
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from labkit.course import running_server
from labkit.course.running_server import find_server, is_taken, open_in_browser

TOKEN = "a+b/c"


class FakeJupyterLab(BaseHTTPRequestHandler):
    """Answers as JupyterLab does, for one base address and with a token."""

    def do_GET(self):
        parts = urlsplit(self.path)
        is_known = parts.path.startswith("/base/lab/tree/")
        may_enter = parse_qs(parts.query).get("token") == [TOKEN]
        self.send_response(200 if is_known and may_enter else 404)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def port():
    server = HTTPServer(("127.0.0.1", 0), FakeJupyterLab)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def runtime(tmp_path, monkeypatch):
    folder = tmp_path / "runtime"
    folder.mkdir()
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(folder))
    return folder


@pytest.fixture
def workspace(tmp_path):
    folder = tmp_path / "my work space"
    folder.mkdir()
    return folder


def note(runtime, root, port, number=1, **changes):
    """Write the file in which a running server describes itself."""
    entry = {
        "pid": os.getpid(),
        "root_dir": str(root),
        "token": TOKEN,
        "url": f"http://127.0.0.1:{port}/base/",
    }
    path = runtime / f"jpserver-{number}.json"
    path.write_text(json.dumps({**entry, **changes}), encoding="utf-8")


def test_without_a_server_there_is_none(runtime, workspace, monkeypatch, tmp_path):
    assert find_server(workspace, "README.md") is None
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "missing"))
    assert find_server(workspace, "README.md") is None


def test_the_server_of_this_workspace_is_found_among_others(runtime, workspace, port, tmp_path):
    note(runtime, tmp_path, port, 1)
    note(runtime, workspace / "..", port, 2)
    assert find_server(workspace, "02_loop.ipynb") is None
    note(runtime, workspace, port, 3)
    wanted = f"http://127.0.0.1:{port}/base/lab/tree/my%20page.md?token=a%2Bb%2Fc"
    assert find_server(workspace, "my page.md") == wanted


@pytest.mark.skipif(os.name != "posix", reason="links need a right of their own on Windows")
def test_a_workspace_behind_a_link_is_the_same(runtime, workspace, port, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(workspace)
    note(runtime, link, port)
    assert find_server(workspace, "README.md") is not None


@pytest.mark.parametrize(
    "changes",
    [
        {"token": "that of another server on the same port"},
        {"url": "http://127.0.0.1:9/base/"},
        {"url": "nonsense"},
        {"url": ""},
        {"root_dir": ""},
        {"pid": 2**22 + 1},
    ],
    ids=str,
)
def test_a_server_that_does_not_let_the_learner_in_is_none(runtime, workspace, port, changes):
    note(runtime, workspace, port, **changes)
    assert find_server(workspace, "README.md") is None


def test_a_file_that_cannot_be_read_is_no_server(runtime, workspace, port):
    (runtime / "jpserver-1.json").mkdir()
    (runtime / "jpserver-2.json").write_text("{", encoding="utf-8")
    assert find_server(workspace, "README.md") is None


def test_a_server_that_hangs_is_none_after_a_moment(runtime, workspace, monkeypatch):
    import socket

    monkeypatch.setattr(running_server, "SECONDS_TO_ANSWER", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        note(runtime, workspace, silent.getsockname()[1])
        assert find_server(workspace, "README.md") is None


def test_a_taken_port_is_noticed(port):
    assert is_taken(port)
    assert not is_taken(9)


def test_the_token_is_in_a_file_of_the_learner_and_not_in_the_arguments(runtime, monkeypatch):
    opened = []
    monkeypatch.setattr(running_server.webbrowser, "open", opened.append)
    open_in_browser("http://127.0.0.1:8888/lab?token=secret&a=1")
    (address,) = opened
    assert "secret" not in address
    path = runtime / "labkit-open.html"
    assert address == path.as_uri()
    assert 'url=http://127.0.0.1:8888/lab?token=secret&amp;a=1"' in path.read_text(encoding="utf-8")
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_without_a_browser_the_printed_address_is_enough(runtime, monkeypatch):
    def no_browser(address):
        raise running_server.webbrowser.Error("could not locate runnable browser")

    monkeypatch.setattr(running_server.webbrowser, "open", no_browser)
    open_in_browser("http://127.0.0.1:8888/lab")
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(runtime / "missing" / "folder"))
    open_in_browser("http://127.0.0.1:8888/lab")
