"""Probes for whoever keeps the gateway running, and its metrics."""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import hdrs, web

from rest_gateway.answers import Status
from rest_gateway.endpoint import Endpoint, any_media_type
from rest_gateway.errors import json_response
from rest_gateway.keys import METRICS, STORE
from shared.errors import Unavailable
from shared.metrics.publisher import CONTENT_TYPE

_READY_TIMEOUT: Final = 2.0


async def _health(request: web.Request) -> web.Response:
    """The process is alive: its event loop answers."""
    return json_response(Status("ok"))


async def _readiness(request: web.Request) -> web.Response:
    """The database answers."""
    try:
        async with asyncio.timeout(_READY_TIMEOUT):
            await request.app[STORE].ping()
    except (TimeoutError, Unavailable):
        return json_response(Status("unavailable"), 503)
    return json_response(Status("ready"))


async def _metrics(request: web.Request) -> web.Response:
    """Of all processes of the database, whichever is asked."""
    return web.Response(body=await request.app[METRICS].text(), headers={hdrs.CONTENT_TYPE: CONTENT_TYPE})


ENDPOINTS: Final = {
    "/healthz": Endpoint("Health", {"GET": _health}, public=True, accepts=any_media_type),
    "/readyz": Endpoint("Readiness", {"GET": _readiness}, public=True, accepts=any_media_type),
    "/metrics": Endpoint("Metrics", {"GET": _metrics}, public=True, accepts=any_media_type),
}
