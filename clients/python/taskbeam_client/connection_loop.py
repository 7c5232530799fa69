"""Connects, and connects again, for as long as the client lives; and says when it cannot go on."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final, NoReturn

from websockets.exceptions import ConnectionClosed

from taskbeam_client.backoff import Backoff
from taskbeam_client.close_codes import MEND_CLIENT, NOT_AUTHENTICATED, TOKEN_EXPIRED, TOKEN_REVOKED
from taskbeam_client.connection import Connection, Lost
from taskbeam_client.connector import ConnectFailed, Connector
from taskbeam_client.errors import ClientDefect, LoggedOut
from taskbeam_client.state import State
from taskbeam_client.synchronizer import Synchronizer

TokenProvider = Callable[[], Awaitable[str]]
"""Returns an access token that was not used before. ``LoggedOut`` ends the client, ``OSError`` means try later."""

_REFUSED_TOKENS_MOST: Final = 3  # one after another, each of them new

log = logging.getLogger("taskbeam_client")


class ConnectionLoop:
    """Attributes:
    ready: set while there is a connection on which the copy was caught up; and at the end, for those who wait.
    """

    def __init__(
        self,
        connector: Connector,
        state: State,
        token_provider: TokenProvider,
        backoff: Backoff,
        timeout: float,
    ) -> None:
        self._connector = connector
        self._state = state
        self._token_provider = token_provider
        self._backoff = backoff
        self._timeout = timeout
        self._token: str | None = None
        self._refused_tokens = 0
        self._connection: Connection | None = None
        self._ready_since: float | None = None
        self._failures = 0  # to connect, one after another
        self.ready = asyncio.Event()

    @property
    def is_connected(self) -> bool:
        return self._connection is not None and self.ready.is_set()

    async def run(self) -> NoReturn:
        """Raises what ends the client."""
        while True:
            lost = await self._connect()
            self.ready.clear()
            self._log_loss(lost)
            await asyncio.sleep(self._backoff.next())

    def _log_loss(self, lost: Exception) -> None:
        address, reason = self._connector.address, str(lost) or type(lost).__name__
        if self._ready_since is not None:
            self._backoff.lasted(time.monotonic() - self._ready_since)
            self._ready_since = None
            log.info("%s: disconnected: %s", address, reason)
            return
        self._failures += 1
        first = self._failures == 1
        log.log(
            logging.WARNING if first else logging.INFO, "%s: no connection, trying again: %s", address, lost
        )

    async def _connect(self) -> Exception:
        """One connection, from the token to its end; returns why it ended. Raises what ends the client."""
        is_new = self._token is None
        try:
            token = await self._new_token() if self._token is None else self._token
            async with self._connector.connection() as websocket:
                self._connection = Connection(websocket, self._state.on_frame, self._timeout)
                await Synchronizer(self._connection, self._state, self._new_token, self._on_ready).run(token)
        except Lost as lost:
            self._raise_if_final(lost, is_new)
            return lost
        except (ConnectFailed, OSError, ConnectionClosed) as unreachable:  # TimeoutError is an OSError too
            return unreachable
        finally:
            self._connection = None
        raise AssertionError("a conversation ends with an error")

    def _raise_if_final(self, lost: Lost, is_new: bool) -> None:
        """Raise what ends the client, as the contract says of each close code; drop a token that is refused.

        A token of an earlier connection may have expired since then. One that ``is_new`` must be good.
        """
        if lost.code == TOKEN_REVOKED:
            raise LoggedOut(lost.reason)
        if lost.code in MEND_CLIENT:
            raise ClientDefect(lost.reason, lost.code)
        if lost.code in (NOT_AUTHENTICATED, TOKEN_EXPIRED):
            self._token = None
            self._refused_tokens += is_new and lost.code == NOT_AUTHENTICATED
            if self._refused_tokens >= _REFUSED_TOKENS_MOST:
                raise LoggedOut("new tokens are refused, one after another")

    async def _new_token(self) -> str:
        async with asyncio.timeout(self._timeout):
            self._token = await self._token_provider()
        return self._token

    def _on_ready(self) -> None:
        self._refused_tokens = 0
        self._failures = 0
        self._ready_since = time.monotonic()
        self._state.statistics.connections += 1
        self.ready.set()

    def drop(self) -> None:
        """Cut the connection that there is, if there is one."""
        if self._connection is not None:
            self._connection.drop()
