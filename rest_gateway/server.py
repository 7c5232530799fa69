"""The listening side of the gateway."""

from __future__ import annotations

import asyncio
import logging
import signal
from typing import Final, cast

from aiohttp import web

from rest_gateway.app import make_app
from rest_gateway.connection_limits import LimitedServer
from rest_gateway.dispatch import Dispatcher
from rest_gateway.keys import WAITERS
from shared.accepting import Acceptor
from shared.access_log import open_access_log
from shared.auth.token_watch import watch_tokens
from shared.backend import Backend
from shared.descriptors import connection_limits
from shared.listening import listen
from shared.metrics.catalogue import CONNECTIONS
from shared.settings import Settings

PROCESS: Final = "rest_gateway"
_DRAIN_TIMEOUT: Final = 9.0  # aiohttp rounds up to a second more; supervisord.conf's stopwaitsecs is above it

log = logging.getLogger(__name__)


class GatewayRunner(web.AppRunner):
    """aiohttp's, with connections that are limited."""

    def __init__(
        self, app: web.Application, settings: Settings, shutdown_timeout: float = _DRAIN_TIMEOUT
    ) -> None:
        super().__init__(
            app,
            access_log=None,
            handle_signals=False,
            shutdown_timeout=shutdown_timeout,
            auto_decompress=False,  # aiohttp 3.14 goes on past every limit; see content_codings.py
        )
        self._settings = settings

    async def _make_server(self) -> web.Server:
        server = await super()._make_server()
        return LimitedServer(server, Dispatcher(self.app, server.request_handler), self._settings)


async def serve_http(settings: Settings, backend: Backend, stop: asyncio.Future[signal.Signals]) -> None:
    """Answer requests until stopped; then let those in progress end."""
    app = make_app(settings, backend, open_access_log(PROCESS, settings))
    runner = GatewayRunner(app, settings)
    await runner.setup()
    try:
        server = cast(LimitedServer, runner.server)
        listening = await listen(settings.rest_address)
        limits = connection_limits(settings.max_connections)
        server.limit_connections(limits.kept)
        CONNECTIONS.read = server.count_connections
        acceptor = Acceptor(
            listening, server, max_connections=limits.accepted, count=server.count_connections
        )
        log.info("listening on %s", listening)
        try:
            async with asyncio.TaskGroup() as tasks:
                watchers = [
                    tasks.create_task(watch_tokens(app[WAITERS].all, backend.authenticator)),
                    tasks.create_task(app[WAITERS].keep_to_limit()),
                ]
                await stop
                for watcher in watchers:
                    watcher.cancel()
        finally:
            acceptor.close()
        log.info("stopping")
    finally:
        await runner.cleanup()
