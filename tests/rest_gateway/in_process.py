"""The gateway's application within the test, on a real port: for what cannot be seen, or not be hurried, from outside."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from aiohttp import web

from rest_gateway.app import make_app
from rest_gateway.server import GatewayRunner
from shared.backend import Backend, open_backend
from shared.settings import load_settings
from tests.support.clients import PASSWORD
from tests.support.databases import database_environ


class Gateway(NamedTuple):
    """An application that listens at ``port``, and the access token of its one user."""

    app: web.Application
    backend: Backend
    port: int
    user_id: int
    access: str


@asynccontextmanager
async def gateway(folder: Path) -> AsyncIterator[Gateway]:
    settings = load_settings(
        {
            **database_environ(folder),
            "TASKBEAM_BCRYPT_ROUNDS": "4",
        }
    )
    async with open_backend(settings, "rest_gateway") as backend:
        user = await backend.accounts.register({"username": "ann", "password": PASSWORD}, "127.0.0.1")
        pair = await backend.sessions.login("ann", PASSWORD, "127.0.0.1")
        app = make_app(settings, backend)
        runner = GatewayRunner(app, settings, shutdown_timeout=1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            yield Gateway(app, backend, runner.addresses[0][1], user.id, pair.access)
        finally:
            await runner.cleanup()
