"""Small clients: REST with the standard library, WebSocket with ``websockets``."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import aiohttp
import websockets
from websockets.asyncio.client import ClientConnection

from tests.support import api_documents
from tests.support.processes import System

PASSWORD = "correct horse battery staple"
TIMEOUT = 10.0


class Answer(NamedTuple):
    """An HTTP answer; ``body`` is decoded JSON, ``None`` when empty."""

    status: int
    body: Any
    headers: dict[str, str]


class Rest:
    """A blocking REST client; with a token it sends it as a bearer token."""

    def __init__(self, system: System, token: str | None = None) -> None:
        self._url, self._host = system.rest_url, system.host
        self.token = token

    def __call__(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        """Send one request. Underscores in header names become dashes."""
        request = urllib.request.Request(self._url + path, method=method)
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        if self.token is not None:
            request.add_header("Authorization", f"Bearer {self.token}")
        for name, value in headers.items():
            request.add_header(name.replace("_", "-"), value)
        try:
            with self._host.entered(), urllib.request.urlopen(request, timeout=40) as response:
                status, text, given = response.status, response.read(), response.headers
        except urllib.error.HTTPError as error:
            status, text, given = error.code, error.read(), error.headers
        api_documents.documents.openapi.check(method, path, status, dict(given.items()), text)
        return Answer(status, json.loads(text) if text else None, dict(given.items()))


async def check_response(response: aiohttp.ClientResponse) -> None:
    """Hold an answer that aiohttp's client has got against the document, as `Rest` does. Raises Undocumented."""
    body = await response.read()
    target = response.url.raw_path_qs
    api_documents.documents.openapi.check(response.method, target, response.status, response.headers, body)


class Account(NamedTuple):
    """A registered user, logged in once."""

    id: int
    username: str
    access: str
    refresh: str
    rest: Rest


def new_account(system: System, username: str | None = None) -> Account:
    """Register a user, by default with a new name, and log in."""
    username = username or f"user-{secrets.token_hex(6)}"
    credentials = {"username": username, "password": PASSWORD}
    public = Rest(system)
    registered = public("POST", "/register/", credentials)
    assert registered.status == 201, registered
    tokens = public("POST", "/login/", credentials).body
    return Account(
        registered.body["id"], username, tokens["access"], tokens["refresh"], Rest(system, tokens["access"])
    )


class Socket:
    """A WebSocket client that decodes JSON frames."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.auth: dict[str, Any] = {}

    async def send(self, message: object) -> None:
        await self.connection.send(message if isinstance(message, (str, bytes)) else json.dumps(message))

    async def receive(self, timeout: float = TIMEOUT) -> dict[str, Any]:
        """The next frame. Raises TimeoutError."""
        async with asyncio.timeout(timeout):
            frame: dict[str, Any] = json.loads(await self.connection.recv())
        api_documents.documents.asyncapi.check(frame)
        return frame

    async def ask(self, message: object) -> dict[str, Any]:
        """Send, and take the next frame as the answer; only where no push can come between."""
        await self.send(message)
        return await self.receive()

    async def closed(self, timeout: float = TIMEOUT) -> int | None:
        """Skip frames until the connection ends; returns the close code."""
        with contextlib.suppress(websockets.ConnectionClosed):
            while True:
                await self.receive(timeout)
        code = self.connection.close_code
        if self.connection.protocol.close_rcvd is not None:  # the server's own word
            api_documents.documents.asyncapi.check_close(code)
        return code


@asynccontextmanager
async def connected(system: System, token: str | None = None, **auth: object) -> AsyncIterator[Socket]:
    """An open socket, authenticated where there is a token. ``auth``: further keys of the auth message."""
    async with websockets.connect(system.ws_url, max_size=None, close_timeout=2, proxy=None) as connection:
        socket = Socket(connection)
        if token is not None:
            socket.auth = await socket.ask({"type": "auth", "token": token, **auth})
            assert socket.auth["type"] == "auth", socket.auth
        yield socket
