"""One POST of JSON, over when its time is: what the network does to it is one error, ``Unreachable``.

The request is made by the standard library, which blocks, in a thread of its own. A shared pool of threads would be
used up by gateways that trickle their answers, and a thread that is no daemon would hold the program at its end.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import socket
import ssl
import threading
import urllib.parse
import urllib.request
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from taskbeam_client.errors import Unreachable

_ANSWER_BYTES_MOST: Final = 2**16


class Answer(NamedTuple):
    """``body`` is the decoded JSON, ``None`` where it is none; ``location`` is where a redirect points, absolute."""

    status: int
    body: Any
    location: str | None


def base_url(url: str) -> str:
    """The address of a gateway, without the slash at its end. Raises ValueError for one that is none."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"url: http://… or https://… is expected, not {url!r}")
    return url.rstrip("/")


async def post(url: str, body: dict[str, str], *, ssl: ssl.SSLContext | None, timeout: float) -> Answer:
    """Send, and wait for the whole answer, ``timeout`` seconds in all.

    Raises:
        Unreachable: there was no whole answer. ``perhaps_done`` says whether the request may have arrived.
    """
    request = _Request(url, json.dumps(body).encode(), timeout, ssl)
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Answer] = loop.create_future()

    def settle(set_outcome: Callable[[Any], None], outcome: object) -> None:
        if not answer.done():
            set_outcome(outcome)

    def work() -> None:
        try:
            outcome: tuple[Callable[[Any], None], object] = (answer.set_result, request.run())
        except (OSError, http.client.HTTPException, ValueError) as error:
            unreachable = Unreachable(f"{url}: {_reason(error)}", perhaps_done=request.was_connected)
            outcome = (answer.set_exception, unreachable)
        with contextlib.suppress(RuntimeError):  # the loop is closed, and nobody waits any more
            loop.call_soon_threadsafe(settle, *outcome)

    threading.Thread(target=work, name="taskbeam-client-rest", daemon=True).start()
    try:
        async with asyncio.timeout(timeout):
            return await answer
    except TimeoutError:
        reason = f"{url}: no whole answer within {timeout:g} s"
        raise Unreachable(reason, perhaps_done=request.was_connected) from None
    finally:
        request.cut()


class _Request:
    """``run`` blocks; ``cut``, from another thread, ends it."""

    def __init__(self, url: str, body: bytes, timeout: float, context: ssl.SSLContext | None) -> None:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        self._request = urllib.request.Request(url, body, headers)
        self._timeout = timeout
        self._context = context
        self._lock = threading.Lock()
        self._is_over = False
        self._cut: socket.socket | None = None

    @property
    def was_connected(self) -> bool:
        return self._cut is not None

    def run(self) -> Answer:
        opener = urllib.request.OpenerDirector()  # has no handlers of redirects and errors
        opener.add_handler(urllib.request.ProxyHandler())
        if self._request.type == "https":
            opener.add_handler(_Https(self._connect, self._context))
        else:
            opener.add_handler(_Http(self._connect))
        try:
            response = opener.open(self._request, timeout=self._timeout)
            assert response is not None
            with response:
                text = response.read(_ANSWER_BYTES_MOST + 1)
                if response.length:  # `read` with a number of bytes does not say that some are missing
                    raise http.client.IncompleteRead(text, response.length)
                location = response.headers.get("Location")
                if location is not None:
                    location = urllib.parse.urljoin(self._request.full_url, location)
                return Answer(response.status, _decoded(text), location)
        finally:
            with self._lock:
                self._is_over = True
                if self._cut is not None:
                    self._cut.close()

    def cut(self) -> None:
        with self._lock:
            if not self._is_over and self._cut is not None:
                with contextlib.suppress(OSError):
                    self._cut.shutdown(socket.SHUT_RDWR)
            self._is_over = True

    def _connect(self, *address: Any, **options: Any) -> socket.socket:
        """``socket.create_connection``, and a second handle of the socket, for ``cut``: TLS reads on the first."""
        connection = socket.create_connection(*address, **options)
        with self._lock:
            if self._is_over:
                connection.close()
                raise TimeoutError("connected too late")
            self._cut = socket.socket(fileno=os.dup(connection.fileno()))
        return connection


def _reason(error: Exception) -> str:
    """A line of text, whatever was sent."""
    text = str(getattr(error, "reason", error)) or type(error).__name__
    return "".join(letter if letter.isprintable() else "?" for letter in text[:200])


def _decoded(text: bytes) -> Any:
    if len(text) > _ANSWER_BYTES_MOST:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


Connect = Callable[..., socket.socket]


class _Http(urllib.request.HTTPHandler):
    def __init__(self, connect: Connect) -> None:
        super().__init__()
        self._connect = connect

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        def connection(host: str, **options: Any) -> http.client.HTTPConnection:
            return _through(self._connect, http.client.HTTPConnection(host, **options))

        return self.do_open(connection, req)  # it calls it, as it would the class


class _Https(urllib.request.HTTPSHandler):
    def __init__(self, connect: Connect, context: ssl.SSLContext | None) -> None:
        super().__init__()
        self._connect = connect
        self._ssl = context or ssl.create_default_context()

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        def connection(host: str, **options: Any) -> http.client.HTTPConnection:
            return _through(self._connect, http.client.HTTPSConnection(host, context=self._ssl, **options))

        return self.do_open(connection, req)


def _through(connect: Connect, connection: http.client.HTTPConnection) -> http.client.HTTPConnection:
    """The attribute is there to be replaced, says ``http.client`` (Python 3.11 to 3.14)."""
    connection._create_connection = connect  # type: ignore[attr-defined]
    return connection
