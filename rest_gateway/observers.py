"""What is counted and logged of each answer."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Final

from aiohttp import web

from rest_gateway.keys import REQUEST_ID, TOKEN
from shared.access_log import AccessLog
from shared.metrics.catalogue import REQUEST_SECONDS, REQUESTS
from shared.metrics.families import Count

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
CLIENT_GONE: Final = 499
"""Stands for the status where the client has gone before its answer, as in nginx's log."""

Observer = Callable[[web.Request, int, float], None]
"""Is told of a request that has ended, its status, and the ``monotonic()`` of its beginning."""


def make_observer(route: str, access_log: AccessLog | None) -> Observer:
    """An observer of the requests of one route, which is named ``route`` in the metrics."""
    distribution = REQUEST_SECONDS.child(route)
    counts: dict[tuple[str, int], Count] = {}

    def count_of(method: str, status: int) -> Count:
        if method not in _METHODS:
            return REQUESTS.child(route, "other", str(status))
        counts[method, status] = count = REQUESTS.child(route, method, str(status))
        return count

    def observe(request: web.Request, status: int, started: float) -> None:
        seconds = monotonic() - started
        distribution.observe(seconds)
        method = request.method
        (counts.get((method, status)) or count_of(method, status)).value += 1
        if access_log is not None and access_log.is_due(status):
            token = request.get(TOKEN)
            access_log.log(
                method,
                request.rel_url.raw_path,
                status,
                None if token is None else token.user_id,
                seconds,
                request[REQUEST_ID],
            )

    return observe
