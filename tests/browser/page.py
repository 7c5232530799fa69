"""A page with the usage document's example, served from its own port."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

# Verbatim from the usage document ("Connecting to WebSocket and Authenticating"). `_script` replaces two
# things: the token, as the document says; and the port, so that these tests can run beside a system on 8000.
EXAMPLE: Final = """\
const socket = new WebSocket('ws://localhost:8000/ws/tasks/');

// On connection open
socket.onopen = function(event) {
    // Authenticate with JWT token
    const authMessage = JSON.stringify({
        type: 'auth',
        token: 'your_jwt_token_here'
    });
    socket.send(authMessage);
};

// On receiving a message
socket.onmessage = function(event) {
    const data = JSON.parse(event.data);
    console.log('Message from server:', data);
};

// Handling socket close
socket.onclose = function(event) {
    console.log('WebSocket is closed now.', event);
};

// Handling socket errors
socket.onerror = function(error) {
    console.log('WebSocket error:', error);
};
"""

# Runs before the example and collects what the example logs.
_COLLECTOR: Final = """\
window.received = [];
window.closeCode = null;
const log = console.log;
console.log = function(text, value) {
    if (text === 'Message from server:') window.received.push(value);
    if (text === 'WebSocket is closed now.') window.closeCode = value.code;
    log.apply(console, arguments);
};
"""


def _script(ws_port: int) -> str:
    example = EXAMPLE.replace("localhost:8000", f"localhost:{ws_port}")
    # The token comes from the page's own address, so that one server serves every user.
    return _COLLECTOR + example.replace("'your_jwt_token_here'", "location.hash.slice(1)")


class _Handler(BaseHTTPRequestHandler):
    ws_port: int

    def do_GET(self) -> None:
        page = "<title>blank</title>"
        if self.path.startswith("/tasks"):
            page = f"<!doctype html><title>tasks</title><script>\n{_script(self.ws_port)}</script>"
        body = page.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


@contextmanager
def served_page(ws_port: int) -> Iterator[str]:
    """The origin of the server; ``/tasks#<token>`` is the page, everything else is blank."""
    handler = type("Handler", (_Handler,), {"ws_port": ws_port})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://localhost:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
