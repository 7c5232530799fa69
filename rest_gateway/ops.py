"""Probes for whoever keeps the gateway running."""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import web

from rest_gateway.errors import json_response
from shared.errors import Unavailable
from shared.store import Store

STORE: Final = web.AppKey("store", Store)
_READY_TIMEOUT: Final = 2.0


async def health(request: web.Request) -> web.Response:
    """The process is alive: its event loop answers."""
    return json_response({"status": "ok"})


async def readiness(request: web.Request) -> web.Response:
    """The database answers."""
    try:
        async with asyncio.timeout(_READY_TIMEOUT):
            await request.app[STORE].ping()
    except (TimeoutError, Unavailable):
        return json_response({"status": "unavailable"}, 503)
    return json_response({"status": "ready"})
