"""What handlers find on the application and on a request."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from rest_gateway.forwarded import Forwarded
from rest_gateway.waiting import Waiters
from shared.auth.accounts import AccountService
from shared.auth.authenticator import Authenticator
from shared.auth.sessions import SessionService
from shared.metrics.publisher import Publisher
from shared.models import Token
from shared.store import Store
from shared.tasks import TaskService

ACCOUNTS: Final = web.AppKey("accounts", AccountService)
AUTHENTICATOR: Final = web.AppKey("authenticator", Authenticator)
FORWARDED: Final = web.AppKey("forwarded", Forwarded)
METRICS: Final = web.AppKey("metrics", Publisher)
SESSIONS: Final = web.AppKey("sessions", SessionService)
STORE: Final = web.AppKey("store", Store)
TASKS: Final = web.AppKey("tasks", TaskService)
WEBSOCKET_PORT: Final = web.AppKey("websocket_port", int)
WAITERS: Final = web.AppKey("waiters", Waiters)

REQUEST_ID: Final = web.RequestKey("request_id", str)
TOKEN: Final = web.RequestKey("token", Token)
"""The request's access token; there on every endpoint that is not public."""
