"""Use a hub as a browser does: log in with the form, start a server, run cells of a notebook."""

import asyncio
import json
import re
import urllib.parse
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Any

import hub_settings
from jupyter_server.services.kernels.connection.base import (
    deserialize_msg_from_ws_v1,
    serialize_msg_to_ws_v1,
)
from tornado.httpclient import AsyncHTTPClient, HTTPRequest, HTTPResponse
from tornado.websocket import WebSocketClientConnection, websocket_connect

MOST_REDIRECTS = 20
PROTOCOL = "v1.kernel.websocket.jupyter.org"  # the one that JupyterLab speaks
SECONDS_BETWEEN_TRIES = 1.0
MOST_BYTES_OF_A_MESSAGE = 100 * 1024**2


class HubError(RuntimeError):
    """The hub, or a server of it, did not do what it was asked for."""


class LoginRefused(HubError):
    """The hub did not accept a name and a password."""


class KernelLost(HubError):
    """The connection to a kernel ended."""


def allow_many_requests(most: int = 1000) -> None:
    """Let that many requests of this process wait at the same time; ten is the default."""
    AsyncHTTPClient.configure(None, max_clients=most)


class Browser:
    """Requests to one hub, with the cookies of one person.

    Parameters
    ----------
    address : str
        The hub, such as ``http://127.0.0.1:8000``.
    """

    def __init__(self, address: str):
        self.address = address.rstrip("/")
        self.cookies: dict[tuple[str, str], str] = {}

    async def request(
        self,
        method: str,
        path: str,
        *,
        form: dict[str, str] | None = None,
        data: Any = None,
        headers: dict[str, str] | None = None,
        follow: bool = True,
    ) -> HTTPResponse:
        """Return the answer to a request, whatever its status, after redirects."""
        body: str | None = None
        sent = dict(headers or {})
        if form is not None:
            body = urllib.parse.urlencode(form)
            sent["Content-Type"] = "application/x-www-form-urlencoded"
        elif data is not None:
            body = json.dumps(data)
            sent["Content-Type"] = "application/json"
        elif method in ("POST", "PUT", "PATCH"):
            body = ""
        answer = await self._one_request(method, path, body, sent)
        for _ in range(MOST_REDIRECTS):
            if not follow or answer.code not in (301, 302, 303, 307):
                return answer
            path = self._path_of(answer.headers["Location"], path)
            answer = await self._one_request("GET", path, None, dict(headers or {}))
        raise HubError(f"{path} leads in a circle")

    async def _one_request(
        self, method: str, path: str, body: str | None, headers: dict[str, str]
    ) -> HTTPResponse:
        cookies = self.cookie_header(path)
        if cookies:
            headers = {**headers, "Cookie": cookies}
        request = HTTPRequest(
            self.address + path,
            method=method,
            body=body,
            headers=headers,
            follow_redirects=False,
            request_timeout=hub_settings.SECONDS_FOR_A_REQUEST,
            connect_timeout=60,
            allow_nonstandard_methods=True,
        )
        answer = await AsyncHTTPClient().fetch(request, raise_error=False)
        if answer.code == 599:
            raise HubError(f"{method} {path}: {answer.error}")
        self._keep_cookies(answer)
        return answer

    def _path_of(self, location: str, now: str) -> str:
        parts = urllib.parse.urlsplit(urllib.parse.urljoin(self.address + now, location))
        return urllib.parse.urlunsplit(("", "", parts.path, parts.query, ""))

    def _keep_cookies(self, answer: HTTPResponse) -> None:
        for line in answer.headers.get_list("Set-Cookie"):
            for name, morsel in SimpleCookie(line).items():
                key = (morsel["path"] or "/", name)
                if morsel.value:
                    self.cookies[key] = morsel.value
                else:
                    self.cookies.pop(key, None)

    def cookie_header(self, path: str) -> str:
        """Return the cookies for a path; of two with one name, that of the longer path is first."""
        fitting = [key for key in self.cookies if path.startswith(key[0].rstrip("/") or "/")]
        fitting.sort(key=lambda key: -len(key[0]))
        return "; ".join(f"{name}={self.cookies[path, name]}" for path, name in fitting)

    def xsrf(self, prefix: str) -> str:
        """Return the mark against forged requests for the pages below a path."""
        return self.cookies.get((prefix, "_xsrf"), "")


@dataclass
class Result:
    """What one cell did: its outputs as a notebook stores them, and how its kernel answered."""

    status: str
    count: int | None
    outputs: list[dict[str, Any]] = field(default_factory=list)


class Learner(Browser):
    """One learner at a hub.

    Parameters
    ----------
    address : str
        The hub.
    name, password : str
        Those of the learner.
    """

    def __init__(self, address: str, name: str, password: str):
        super().__init__(address)
        self.name = name
        self.password = password
        self.server = f"/user/{name}/"

    async def log_in(self) -> None:
        """Fill in the form of the hub; raise LoginRefused if it says no."""
        page = await self.request("GET", "/hub/login")
        mark = re.search(r'name="_xsrf" value="([^"]*)"', page.body.decode())
        form = {"username": self.name, "password": self.password}
        form["_xsrf"] = mark[1] if mark else self.xsrf("/hub/")
        answer = await self.request("POST", "/hub/login", form=form, follow=False)
        if answer.code != 302:
            raise LoginRefused(f"{self.name} was not let in: status {answer.code}")

    async def start_server(self) -> None:
        """Start the server, as the page after the login does, and open its first page."""
        page = await self.request("GET", f"/hub/spawn/{self.name}", follow=False)
        while page.code == 429:  # too many start at this moment
            await asyncio.sleep(float(page.headers.get("Retry-After", 5)))
            page = await self.request("GET", f"/hub/spawn/{self.name}", follow=False)
        if page.code not in (200, 302):
            raise HubError(f"the server of {self.name} was not started: status {page.code}")
        path = f"/hub/api/users/{self.name}/server/progress"
        progress = await self.request("GET", path, headers={"X-XSRFToken": self.xsrf("/hub/")})
        said = progress.body.decode(errors="replace")
        if '"ready": true' not in said:
            raise HubError(f"the server of {self.name} did not start: {said[-500:]}")
        page = await self.request("GET", self.server + "lab/tree/README.md")
        if page.code != 200 or "jupyter-config-data" not in page.body.decode():
            raise HubError(f"JupyterLab of {self.name} did not open: status {page.code}")

    async def api(self, method: str, path: str, data: Any = None) -> HTTPResponse:
        """Return the answer of the learner's own server."""
        headers = {"X-XSRFToken": self.xsrf(self.server)}
        return await self.request(method, self.server + path, data=data, headers=headers)

    async def json(self, method: str, path: str, data: Any = None) -> Any:
        """Return what the learner's own server answers; raise HubError if it refuses."""
        answer = await self.api(method, path, data)
        if answer.code >= 400:
            said = answer.body.decode(errors="replace")[:300] if answer.body else ""
            raise HubError(f"{method} {path} of {self.name}: status {answer.code} {said}")
        return json.loads(answer.body) if answer.body else None

    async def stop_server(self) -> None:
        """Stop the server, as the control panel does."""
        path = f"/hub/api/users/{self.name}/server"
        headers = {"X-XSRFToken": self.xsrf("/hub/")}
        answer = await self.request("DELETE", path, headers=headers)
        while answer.code == 202:
            await asyncio.sleep(SECONDS_BETWEEN_TRIES)
            answer = await self.request("DELETE", path, headers=headers)
        if answer.code not in (204, 400, 404):
            raise HubError(f"the server of {self.name} was not stopped: status {answer.code}")

    async def start_kernel(self, path: str) -> "Kernel":
        """Open a notebook's kernel, and connect to it."""
        wanted = {"path": path, "type": "notebook", "name": "", "kernel": {"name": "python3"}}
        session = await self.json("POST", "api/sessions", wanted)
        kernel = Kernel(self, session["kernel"]["id"])
        await kernel.connect()
        return kernel


class Kernel:
    """A kernel of a learner, spoken to over the websocket of their server."""

    def __init__(self, learner: Browser, id: str, server: str | None = None):
        self.learner = learner
        self.id = id
        self.server = server or getattr(learner, "server", "/")
        self.session = uuid.uuid4().hex
        self._socket: WebSocketClientConnection | None = None

    async def connect(self) -> None:
        """Open the websocket; an HTTPClientError of tornado is raised if that is refused."""
        path = f"{self.server}api/kernels/{self.id}/channels"
        request = HTTPRequest(
            f"{self.learner.address.replace('http', 'ws', 1)}{path}?session_id={self.session}",
            headers={"Cookie": self.learner.cookie_header(path), "Origin": self.learner.address},
            request_timeout=hub_settings.SECONDS_FOR_A_REQUEST,
            connect_timeout=hub_settings.SECONDS_FOR_A_REQUEST,
        )
        self._socket = await websocket_connect(
            request, subprotocols=[PROTOCOL], max_message_size=MOST_BYTES_OF_A_MESSAGE
        )
        if self._socket.selected_subprotocol != PROTOCOL:
            raise HubError("the proxy did not tell which protocol the server speaks")

    def close(self) -> None:
        """Close the websocket; the kernel goes on."""
        if self._socket is not None:
            self._socket.close()

    async def run(self, source: str, on_output: Callable[[], None] | None = None) -> Result:
        """Run one cell; return what a notebook would store of it."""
        content = {
            "code": source,
            "silent": False,
            "store_history": True,
            "user_expressions": {},
            "allow_stdin": False,
            "stop_on_error": False,
        }
        sent = await self._send("execute_request", content)
        result = Result(status="", count=None)
        is_idle = False
        while not (is_idle and result.status):
            channel, kind, parent, content = await self._receive()
            if parent != sent:
                continue
            if channel == "shell":
                result.status = content["status"]
                result.count = content.get("execution_count")
            elif kind == "status":
                is_idle = content["execution_state"] == "idle"
            else:
                _add_output(result.outputs, kind, content)
        return result

    async def _send(self, kind: str, content: dict[str, Any]) -> str:
        assert self._socket is not None
        id = uuid.uuid4().hex
        header = {
            "msg_id": id,
            "msg_type": kind,
            "username": "learner",
            "session": self.session,
            "version": "5.3",
        }
        message = {"header": header, "parent_header": {}, "metadata": {}, "content": content}
        packed = serialize_msg_to_ws_v1(message, "shell", lambda part: json.dumps(part).encode())
        await self._socket.write_message(packed, binary=True)
        return id

    async def _receive(self) -> tuple[str, str, str, dict[str, Any]]:
        """Return channel, type, id of the parent, and content of the next message."""
        assert self._socket is not None
        raw = await self._socket.read_message()
        if raw is None:
            code = self._socket.close_code
            raise KernelLost(f"the websocket of kernel {self.id} was closed, code {code}")
        channel, parts = deserialize_msg_from_ws_v1(raw)
        header, parent, _, content = (json.loads(part) for part in parts[:4])
        return channel, header["msg_type"], parent.get("msg_id", ""), content


def _add_output(outputs: list[dict[str, Any]], kind: str, content: dict[str, Any]) -> None:
    """Add an output as a notebook stores it."""
    if kind == "stream":
        outputs.append({"output_type": kind, "name": content["name"], "text": content["text"]})
    elif kind in ("display_data", "execute_result"):
        output = {"output_type": kind, "data": content["data"], "metadata": content["metadata"]}
        if kind == "execute_result":
            output["execution_count"] = content["execution_count"]
        outputs.append(output)
    elif kind == "error":
        names = ("ename", "evalue", "traceback")
        outputs.append({"output_type": kind, **{name: content[name] for name in names}})
