"""Run the proxy of the hub: configurable-http-proxy, as a Python program that needs no node.

It is set right here where it would fail a room: it lets ten requests wait and no more, ends them
after 20 seconds, and does not hand on over a websocket what JupyterLab relies on.
"""

import contextlib
import sys

import hub_settings
from configurable_http_proxy import cli, configproxy, handlers
from tornado.httpclient import AsyncHTTPClient, HTTPClientError
from tornado.websocket import WebSocketClosedError, websocket_connect

# Each learner who waits for their server holds one request for all that time.
MOST_REQUESTS = 1000
MOST_BYTES_OF_A_MESSAGE = 100 * 1024**2  # of a kernel, such as the pictures of a cell


class Handler(handlers.ProxyHandler):
    """A request of a browser, or a websocket between a browser and a server."""

    def initialize(self, **options):
        """Begin without a websocket."""
        super().initialize(**options)
        self.waiting = []  # messages of the server before the browser is ready for them
        self.is_open = False

    @property
    def max_message_size(self):
        """The most bytes of a message that a browser may send."""
        return MOST_BYTES_OF_A_MESSAGE

    def select_subprotocol(self, subprotocols):
        """Tell the browser what the server has chosen; it would misread the messages."""
        return self.ws_client.selected_subprotocol

    async def start_ws_client(self, path=None):
        """Connect to the server; the answer to the browser follows from that."""
        url = await self.get_target_url(path)
        if url is None:
            return
        request = self._get_proxy_request(url.replace("http", "ws", 1))
        try:
            self.ws_client = await websocket_connect(
                request,
                on_message_callback=self.from_server,
                max_message_size=MOST_BYTES_OF_A_MESSAGE,
            )
        except HTTPClientError as error:
            self.set_status(error.code)
            self.finish(error.message)
        except OSError as error:
            await self.handle_proxy_error(503, error)

    def open(self, *arguments, **options):
        """Hand on what the server sent in the meantime."""
        self.is_open = True
        for message in self.waiting:
            self.from_server(message)

    def from_server(self, message):
        """Hand a message of the server to the browser, and tell it of the end."""
        if not self.is_open:
            self.waiting.append(message)
        elif message is None:
            self.close()
        else:
            self._update()
            with contextlib.suppress(WebSocketClosedError):
                self.write_message(message, binary=isinstance(message, bytes))

    def on_message(self, message):
        """Hand a message of the browser to the server."""
        self._update()
        with contextlib.suppress(WebSocketClosedError):
            self.ws_client.write_message(message, binary=isinstance(message, bytes))

    def on_close(self):
        """Close the connection to the server, as the browser has closed its own."""
        self.is_open = False
        if self.ws_client is not None:
            self.ws_client.close()

    def _update(self):
        """Note that somebody uses the server."""
        if self.target:
            self.proxy.update_last_activity(self.target["prefix"])


if __name__ == "__main__":
    seconds = hub_settings.SECONDS_FOR_A_REQUEST
    defaults = {"request_timeout": seconds, "connect_timeout": 60}
    AsyncHTTPClient.configure(None, max_clients=MOST_REQUESTS, defaults=defaults)
    configproxy.ProxyHandler = Handler
    cli.main(["--proxy-timeout", str(1000 * seconds), *sys.argv[1:]])
