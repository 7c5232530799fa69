"""The gateway's application: every URL, and the parts that the handlers use."""

from __future__ import annotations

import re
from typing import Final

from aiohttp import web

from rest_gateway import accounts, changes, documents, events, ops, tasks, web_page
from rest_gateway.endpoint import Endpoint
from rest_gateway.errors import HttpError
from rest_gateway.forwarded import Forwarded
from rest_gateway.keys import (
    ACCOUNTS,
    AUTHENTICATOR,
    FORWARDED,
    METRICS,
    SESSIONS,
    STORE,
    TASKS,
    WAITERS,
    WEBSOCKET_PORT,
)
from rest_gateway.middleware import add_common_headers, answered, common_headers
from rest_gateway.observers import make_observer
from rest_gateway.request_headers import answer_expectation
from rest_gateway.waiting import Waiters
from rest_gateway.whole_response import ADD_HEADERS
from shared.access_log import AccessLog
from shared.backend import Backend
from shared.connection_limit import ConnectionLimit
from shared.metrics.catalogue import WAITING_REQUESTS
from shared.origins import OriginPolicy
from shared.settings import Settings

ENDPOINTS: Final[dict[str, Endpoint]] = {
    **accounts.ENDPOINTS,
    **tasks.ENDPOINTS,
    **changes.ENDPOINTS,
    **events.ENDPOINTS,
    **ops.ENDPOINTS,
    **web_page.ENDPOINTS,
}
"""By path, without the slash at its end: all but those of the documents, which describe them."""


def make_app(settings: Settings, backend: Backend, access_log: AccessLog | None = None) -> web.Application:
    """Put the parts together. A path answers alike with and without a slash at its end."""
    app = web.Application(client_max_size=settings.max_message_bytes)
    app[ADD_HEADERS] = common_headers(OriginPolicy(settings.allowed_origins))
    app.on_response_prepare.append(add_common_headers)
    app[METRICS] = backend.metrics
    app[STORE] = backend.store
    app[TASKS] = backend.tasks
    app[ACCOUNTS] = backend.accounts
    app[SESSIONS] = backend.sessions
    app[AUTHENTICATOR] = backend.authenticator
    app[WEBSOCKET_PORT] = settings.ws_port
    app[FORWARDED] = Forwarded(settings.trusted_proxies)
    limit = ConnectionLimit(settings.max_connections_per_user, "waiters", backend.connection_counts)
    app[WAITERS] = waiters = Waiters(backend.feed, backend.authenticator, limit)

    async def end_waiters(_: web.Application) -> None:
        waiters.stop()
        backend.accounts.stop()

    app.on_shutdown.append(end_waiters)
    WAITING_REQUESTS.read = lambda: len(waiters.all())
    for path, endpoint in {**ENDPOINTS, **documents.make_endpoints(ENDPOINTS, settings)}.items():
        handler = answered(endpoint, make_observer(_label(path), access_log))
        app.router.add_route("*", f"{path}/", handler, expect_handler=answer_expectation)
        if path:
            app.router.add_route("*", path, handler, expect_handler=answer_expectation)
    catch_all = _CatchAll("/")
    catch_all.add_route(
        "*", answered(_not_found, make_observer("none", access_log)), expect_handler=answer_expectation
    )
    app.router.register_resource(catch_all)
    return app


def _label(path: str) -> str:
    """``/task/{task_id:[^/]+}`` as ``/task/{task_id}/``."""
    return re.sub(r":[^}]+}", "}", path) + "/"


class _CatchAll(web.PlainResource):
    """Registered last, it takes every request that no other resource has taken, ``OPTIONS *`` too."""

    async def resolve(self, request: web.Request) -> tuple[web.UrlMappingMatchInfo, set[str]]:
        (route,) = self
        return web.UrlMappingMatchInfo({}, route), set()


async def _not_found(request: web.Request) -> web.Response:
    raise HttpError(404, "Not found.")
