"""The listening side of the gateway."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from typing import Final

from aiohttp import web

from rest_gateway.app import make_app
from shared.process import Backend
from shared.settings import Settings

_DRAIN_TIMEOUT: Final = 9.0  # aiohttp rounds up to a second more; supervisord.conf's stopwaitsecs is above it
_BACKLOG: Final = 1024

log = logging.getLogger(__name__)


async def serve_http(settings: Settings, backend: Backend, stop: asyncio.Future[signal.Signals]) -> None:
    """Answer requests until stopped; then let those in progress end."""
    runner = web.AppRunner(
        make_app(settings, backend), access_log=None, handle_signals=False, shutdown_timeout=_DRAIN_TIMEOUT
    )
    await runner.setup()
    try:
        site: web.BaseSite
        if settings.rest_fd is not None:
            site = web.SockSite(runner, socket.socket(fileno=settings.rest_fd), backlog=_BACKLOG)
        else:
            site = web.TCPSite(runner, settings.rest_host, settings.rest_port, backlog=_BACKLOG)
        await site.start()
        log.info("listening on %s", " ".join(f"{address[0]}:{address[1]}" for address in runner.addresses))
        await stop
        log.info("stopping")
    finally:
        await runner.cleanup()
