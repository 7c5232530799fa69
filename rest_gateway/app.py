"""The gateway's application: every URL, and the parts that the handlers use."""

from __future__ import annotations

from aiohttp import web

from rest_gateway import accounts, changes, ops, tasks
from rest_gateway.accounts import THROTTLE, LoginThrottle
from rest_gateway.changes import WAITERS, Waiters
from rest_gateway.endpoint import ACCOUNTS
from rest_gateway.middleware import answer_all, common_headers
from rest_gateway.ops import STORE
from rest_gateway.tasks import TASKS
from shared.origins import OriginPolicy
from shared.process import Backend
from shared.settings import Settings


def make_app(settings: Settings, backend: Backend) -> web.Application:
    """Wire the endpoints; paths answer alike with and without the trailing slash."""
    app = web.Application(middlewares=[answer_all], client_max_size=settings.max_message_bytes)
    app.on_response_prepare.append(common_headers(OriginPolicy(settings.allowed_origins)))
    app[STORE] = backend.store
    app[TASKS] = backend.tasks
    app[ACCOUNTS] = backend.accounts
    app[THROTTLE] = LoginThrottle(settings.login_attempts_per_minute, settings.trusted_proxies)
    app[WAITERS] = waiters = Waiters()
    backend.feed.subscribe(waiters)

    async def let_waiters_go(_: web.Application) -> None:
        waiters.stop()

    app.on_shutdown.append(let_waiters_go)
    for path, endpoint in {**accounts.ENDPOINTS, **tasks.ENDPOINTS, **changes.ENDPOINTS}.items():
        app.router.add_route("*", f"{path}/", endpoint)
        if path:
            app.router.add_route("*", path, endpoint)
    app.router.add_get("/healthz", ops.health)
    app.router.add_get("/readyz", ops.readiness)
    return app
