"""How many connections the gateway has, and how long each may take to send or to read."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Final

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from rest_gateway.connection import Connection
from rest_gateway.dispatch import Dispatcher
from rest_gateway.errors import Refusal
from rest_gateway.limited_connection import ConnectionStates, LimitedConnection
from shared.metrics.catalogue import SLOW_READERS_CUT
from shared.settings import Settings

IDLE_SECONDS: Final = 650.0  # longer than proxies keep theirs: to close first makes their next request a 502
_BODY_FACTOR: Final = 4  # the time-outs that a body may take as a whole, however little comes
_BODY_RATE: Final = 500  # bytes a second that earn a body more time
_HEAD_SHARE: Final = 3  # where it is crowded, a head may take this share of the time-out
_SILENT_MIN: Final = 4  # so many connections that have sent nothing are not many
_SILENT_SHARE: Final = 4  # nor is a quarter of all
_LEAVING_SECONDS: Final = 2.0
_LEAVING_MAX: Final = 100  # refused connections that may still read the reason

_slow_readers_cut = SLOW_READERS_CUT.child()


class LimitedServer(web.Server):
    """aiohttp's, with a bound on its connections and on every wait of theirs."""

    def __init__(self, server: web.Server, dispatcher: Dispatcher, settings: Settings) -> None:
        """Takes the options of a server that aiohttp has made."""
        super().__init__(
            dispatcher,
            request_factory=server.request_factory,
            handler_cancellation=server.handler_cancellation,
            **server._kwargs,
        )
        self._timeout = settings.request_timeout_seconds
        self._send_timeout = self._timeout
        self._max = settings.max_connections
        self._open = 0
        self.states = ConnectionStates()
        self._tick = min(self._timeout / 4, 1.0)
        self._timer: asyncio.TimerHandle | None = self._loop.call_later(self._tick, self._check_deadlines)

    def __call__(self) -> Connection:
        return Connection(self, self.states, loop=self._loop, **self._kwargs)

    def limit_connections(self, most: int) -> None:
        """Where there are file descriptors for fewer connections than the setting allows."""
        self._max = most

    def count_connections(self) -> int:
        """All that are open, with those that were refused and still read the reason."""
        return self._open

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        assert isinstance(handler, LimitedConnection)
        self._admit(handler)

    def connection_lost(self, handler: RequestHandler, exc: BaseException | None = None) -> None:
        self._open -= 1
        super().connection_lost(handler, exc)

    def _admit(self, connection: LimitedConnection) -> None:
        """Refuse a new connection where there are too many and none can go."""
        self._open += 1
        leaving = self.states.leaving
        if self._open - len(leaving) <= self._max or self._make_room():
            connection.enter(self.states.silent)
            return
        if len(leaving) >= _LEAVING_MAX:
            next(iter(leaving)).abort()
        connection.refuse(Refusal.CROWDED)

    def _make_room(self) -> bool:
        """End the connection that has sent no request for the longest time.

        Connections that have never sent anything come first where they are many: they must not drive out clients.
        """
        if len(self.states.silent) > max(_SILENT_MIN, self._max // _SILENT_SHARE):
            oldest = [next(iter(self.states.silent.items()))]
        else:
            oldest = [next(iter(state.items())) for state in (self.states.idle, self.states.silent) if state]
        if not oldest and self.states.heads:
            oldest = [next(iter(self.states.heads.items()))]
            if oldest[0][1] > monotonic() - self._timeout / _HEAD_SHARE:
                return False
        if not oldest:
            return False
        connection, _ = min(oldest, key=lambda entry: entry[1])
        connection.abort()
        return True

    def _check_deadlines(self) -> None:
        """End every wait that has taken too long."""
        self._timer = self._loop.call_later(self._tick, self._check_deadlines)
        now = monotonic()
        for connection in _since(self.states.silent, now - self._timeout):
            connection.force_close()
        for connection in [one for one, since in self.states.heads.items() if since <= now - self._timeout]:
            connection.refuse(Refusal.TOO_SLOW)
        for connection in _since(self.states.idle, now - IDLE_SECONDS):
            connection.force_close()
        for connection in _since(self.states.leaving, now - _LEAVING_SECONDS):
            connection.abort()
        for connection in list(self.states.bodies):
            if self._is_late(connection, now):
                connection.refuse_body(Refusal.TOO_SLOW)
        for connection, (before, since) in list(self.states.sending.items()):
            unsent = connection.unsent_bytes()
            if unsent == 0:
                del self.states.sending[connection]
            elif unsent != before:
                # Bytes are leaving, or new ones have come, which they do only where others left.
                self.states.sending[connection] = unsent, now
            elif since <= now - self._send_timeout:
                _slow_readers_cut.value += 1
                connection.abort()

    def _is_late(self, connection: LimitedConnection, now: float) -> bool:
        assert connection.body is not None
        if connection.is_reading_paused():
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
        for connection in list(self.states.bodies):
            connection.drop_half_request()
        self._send_timeout = min(self._send_timeout, _LEAVING_SECONDS)
        super().pre_shutdown()

    async def shutdown(self, timeout: float | None = None) -> None:
        await super().shutdown(timeout)
        if self._timer is not None:
            self._timer.cancel()


def _since(state: dict[LimitedConnection, float], time: float) -> list[LimitedConnection]:
    """The connections that have been in it since that time or longer."""
    found = []
    for connection, since in state.items():
        if since > time:
            break
        found.append(connection)
    return found
