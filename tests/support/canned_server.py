"""An HTTP server that says what it was told to say."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, Final, NamedTuple

_POLL_SECONDS: Final = 0.02


class Canned(NamedTuple):
    """An answer; ``body`` is sent as JSON, or as it is where it is bytes."""

    status: int
    body: Any = b""
    headers: tuple[tuple[str, str], ...] = ()


class CannedServer(HTTPServer):
    """``requests`` are the methods and paths that it was asked for, in their order."""

    def __init__(self, answers: Iterable[Canned | None]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers = iter(answers)
        self.requests: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: CannedServer

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.requests.append(f"{self.command} {self.path}")
        answer = next(self.server.answers)
        if answer is None:
            return
        content = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
        self.send_response(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        if answer.status != 204:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PATCH = do_DELETE = _answer

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def answering(*answers: Canned | None) -> Iterator[CannedServer]:
    """Gives each answer once, in this order; for ``None`` it ends the connection without one."""
    with CannedServer(answers) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": _POLL_SECONDS})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
