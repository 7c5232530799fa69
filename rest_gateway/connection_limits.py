"""How many connections the gateway has, and how long each may take for what it owes."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Final

from aiohttp import web

from rest_gateway.connection import Connection
from rest_gateway.errors import Refusal
from shared.settings import Settings

IDLE_SECONDS: Final = (
    650.0  # longer than proxies keep theirs: one that closes first makes their next request a 502
)
_BODY_FACTOR: Final = 4  # the time-outs that a body may take as a whole, however little comes
_BODY_RATE: Final = 500  # bytes a second that earn a body more time
_HEAD_SHARE: Final = 3  # where it is crowded, a head may take this share of the time-out
_SILENT_MIN: Final = 4  # connections that have not said anything yet, and are not many
_SILENT_SHARE: Final = 4  # nor is this share of all
_LEAVING_SECONDS: Final = 2.0
_LEAVING_MAX: Final = 100  # refused connections that may still read why

Place = dict[Connection, float]


class LimitedServer(web.Server):
    """aiohttp's, whose connections stand in the table of what they wait for, with the moment since when.

    Moments are those of `time.monotonic`: a loop's own time may stand still while many connections come.
    """

    def __init__(self, server: web.Server, settings: Settings) -> None:
        """Takes handlers and options of a server that aiohttp has made."""
        super().__init__(
            server.request_handler,
            request_factory=server.request_factory,
            handler_cancellation=server.handler_cancellation,
            **server._kwargs,
        )
        self._timeout = settings.request_timeout_seconds
        self._send_timeout = self._timeout
        self._max = settings.max_connections
        self._open = 0
        self.silent: Place = {}  # nothing has come
        self.heads: Place = {}  # a part of a head has come
        self.bodies: Place = {}  # a part of a body has come
        self.idle: Place = {}  # answered; nothing has come since
        self.leaving: Place = {}  # refused
        self.sending: dict[Connection, tuple[int, float]] = {}  # bytes that wait for the peer, and since when
        self._tick = min(self._timeout / 4, 1.0)
        self._timer: asyncio.TimerHandle | None = self._loop.call_later(self._tick, self._look)

    def __call__(self) -> Connection:
        return Connection(self, loop=self._loop, **self._kwargs)

    def limit_connections(self, most: int) -> None:
        """From now on; where there are file descriptors for fewer than the setting says."""
        self._max = most

    def count_connections(self) -> int:
        """All that are open, those too that were refused and still read why."""
        return self._open

    def admit(self, connection: Connection) -> None:
        """A new connection; refused where there are too many and none can go."""
        self._open += 1
        if self._open - len(self.leaving) <= self._max or self._make_room():
            connection.move(self.silent)
            return
        if len(self.leaving) >= _LEAVING_MAX:
            _abort(next(iter(self.leaving)))
        connection.refuse(Refusal.CROWDED)

    def forget(self, connection: Connection) -> None:
        """It has been lost."""
        self._open -= 1
        self.sending.pop(connection, None)

    def _make_room(self) -> bool:
        """End the connection that has owed a request for the longest time.

        Those that have never said anything come first where they are many: strangers must not drive out clients.
        """
        if len(self.silent) > max(_SILENT_MIN, self._max // _SILENT_SHARE):
            oldest = [next(iter(self.silent.items()))]
        else:
            oldest = [next(iter(place.items())) for place in (self.idle, self.silent) if place]
        if not oldest and self.heads:
            oldest = [next(iter(self.heads.items()))]
            if oldest[0][1] > monotonic() - self._timeout / _HEAD_SHARE:
                return False
        if not oldest:
            return False
        connection, _ = min(oldest, key=lambda entry: entry[1])
        _abort(connection)
        return True

    def _look(self) -> None:
        """End all that has taken too long."""
        self._timer = self._loop.call_later(self._tick, self._look)
        now = monotonic()
        for connection in _since(self.silent, now - self._timeout):
            connection.force_close()
        for connection in [one for one, since in self.heads.items() if since <= now - self._timeout]:
            connection.refuse(Refusal.TOO_SLOW)
        for connection in _since(self.idle, now - IDLE_SECONDS):
            connection.force_close()
        for connection in _since(self.leaving, now - _LEAVING_SECONDS):
            _abort(connection)
        for connection in list(self.bodies):
            if self._is_late(connection, now):
                connection.refuse_body(Refusal.TOO_SLOW)
        for connection, (before, since) in list(self.sending.items()):
            unsent = connection.unsent()
            if unsent == 0:
                del self.sending[connection]
            elif (
                unsent != before
            ):  # bytes are leaving, or new ones have come, which they do only where others left
                self.sending[connection] = unsent, now
            elif since <= now - self._send_timeout:
                _abort(connection)

    def _is_late(self, connection: Connection, now: float) -> bool:
        assert connection.body is not None
        if connection.is_held():
            connection.body_since = now
            connection.body_started += self._tick
            return False
        earned = connection.body.total_bytes / _BODY_RATE
        return (
            connection.body_since <= now - self._timeout
            or connection.body_started + earned <= now - _BODY_FACTOR * self._timeout
        )

    def pre_shutdown(self) -> None:
        """Cut half requests; those that are whole end in order, as `web.Server.shutdown` says."""
        for connection in list(self.bodies):
            connection.cut_body()
        self._send_timeout = min(self._send_timeout, _LEAVING_SECONDS)
        super().pre_shutdown()

    async def shutdown(self, timeout: float | None = None) -> None:
        await super().shutdown(timeout)
        if self._timer is not None:
            self._timer.cancel()


def _since(place: Place, moment: float) -> list[Connection]:
    """Who has been there since then or longer; a place is in the order of arrival."""
    found = []
    for connection, since in place.items():
        if since > moment:
            break
        found.append(connection)
    return found


def _abort(connection: Connection) -> None:
    connection.move(None)
    if connection.transport_kept is not None:
        connection.transport_kept.abort()
