"""Opening a connection, and whether it is worth while to try again when that fails."""

from __future__ import annotations

import time
import urllib.parse
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidMessage, InvalidStatus, InvalidURI, WebSocketException
from websockets.uri import parse_uri

from taskbeam_client.errors import ClientDefect
from taskbeam_client.websocket import WebSocket

_CLOSE_TIMEOUT: Final = 2.0
_TEMPORARY_STATUSES: Final = frozenset({408, 425, 429})
_PATIENCE_SECONDS: Final = 10.0
_PATIENCE_TRIES: Final = 4


class ConnectFailed(Exception):
    """No connection is to be had at the moment."""


class Connector:
    """Opens connections to one address.

    Whatever stands between here and the server can answer in its place: a captive portal, a proxy whose server is being
    deployed. None of that says anything about this client, so once it was connected it tries for ever. At first the
    address may be wrong, which no waiting mends: then it tries for some ten seconds.

    Args:
        timeout: seconds for a connection to open, handshake included.
        message_limit: bytes of the largest message.
        options: for ``websockets.connect``.
    """

    def __init__(self, url: str, timeout: float, message_limit: int, options: Mapping[str, Any]) -> None:
        self._url = url
        self._options: dict[str, Any] = {
            "compression": None,
            "open_timeout": timeout,
            "close_timeout": _CLOSE_TIMEOUT,
            "max_size": message_limit,
            "ping_interval": None,  # `Connection` does that: a pong waits behind a long answer
            "create_connection": WebSocket,
            **options,
        }
        self._was_connected = False
        self._refusals = 0
        self._refused_since = 0.0

    @property
    def address(self) -> str:
        """The URL without what may be secret in it."""
        parts = urllib.parse.urlsplit(self._url)
        return urllib.parse.urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[WebSocket]:
        """An open connection, closed at the end.

        Raises:
            ConnectFailed: there may be one later.
            ClientDefect: there will be none at this address.
        """
        try:
            parse_uri(self._url)
        except InvalidURI as error:
            raise ClientDefect(f"url: ws://… or wss://… is expected: {error}") from None
        opening = connect(self._url, **self._options)
        try:
            socket = await opening
        except OSError as error:  # TimeoutError is one too
            raise ConnectFailed(str(error) or type(error).__name__) from error
        except (WebSocketException, ValueError) as error:  # ValueError: of a redirect to nowhere
            self._count_refusal(error)
            raise ConnectFailed(str(error)) from error
        self._was_connected = True
        assert isinstance(socket, WebSocket)
        async with socket:
            yield socket

    def _count_refusal(self, refusal: Exception) -> None:
        """Raises ClientDefect when there were too many refusals."""
        if self._was_connected or isinstance(refusal, InvalidMessage):  # cut in the middle, or no HTTP
            return
        if isinstance(refusal, InvalidStatus):
            status = refusal.response.status_code
            if status >= 500 or status in _TEMPORARY_STATUSES:
                return
        now = time.monotonic()
        if self._refusals == 0:
            self._refused_since = now
        self._refusals += 1
        if self._refusals >= _PATIENCE_TRIES and now - self._refused_since >= _PATIENCE_SECONDS:
            raise ClientDefect(f"{self.address}: {refusal}") from refusal
