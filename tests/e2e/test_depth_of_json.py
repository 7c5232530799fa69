"""How deep JSON may be: 64 levels, over both transports."""

from __future__ import annotations

import json

import pytest

from tests.support.clients import Account, connected
from tests.support.exact_http import send
from tests.support.processes import System

MAX = 64


def _nested(depth: int, kind: str) -> object:
    value: object = "[{" * 100
    for level in range(depth):
        value = {"a": value} if kind == "objects" or (kind == "both" and level % 2) else [value]
    return value


KINDS = pytest.mark.parametrize("kind", ["lists", "objects", "both"])


@KINDS
async def test_a_websocket_message_may_have_so_many_levels(
    system: System, account: Account, kind: str
) -> None:
    async with connected(system, account.access) as socket:
        answer = await socket.ask({"mode": "ping", "more": _nested(MAX - 1, kind)})
        assert answer["type"] == "pong"
        answer = await socket.ask({"mode": "ping", "more": _nested(MAX, kind)})
        assert (answer["code"], answer["error"]) == ("invalid_json", "nested too deeply")
        assert await socket.closed() == 4003


@KINDS
async def test_an_auth_message_may_have_so_many_levels(system: System, account: Account, kind: str) -> None:
    async with connected(system) as socket:
        answer = await socket.ask({"type": "auth", "more": _nested(MAX - 1, kind)})
        assert answer["code"] == "token_missing"
        answer = await socket.ask({"type": "auth", "more": _nested(MAX, kind)})
        assert (answer["code"], await socket.closed()) == ("invalid_json", 4003)


@KINDS
def test_a_body_may_have_so_many_levels(account: Account, kind: str) -> None:
    assert account.rest("POST", "/", {"task": "x", "more": _nested(MAX - 1, kind)}).status == 201
    refused = account.rest("POST", "/", {"task": "x", "more": _nested(MAX, kind)})
    assert (refused.status, refused.body) == (400, {"detail": "JSON parse error - nested too deeply"})
    assert len(account.rest("GET", "/").body) == 1


@pytest.mark.parametrize("path", ["/register/", "/login/", "/token-refresh/", "/token-verify/", "/logout/"])
def test_an_unauthenticated_body_may_not_be_deep(system: System, path: str) -> None:
    for body in (json.dumps(_nested(MAX + 1, "lists")), "[" * 200_000, '{"a":' * 40_000):
        refused = send(system.gateway.port, "POST", path, {"Content-Type": "application/json"}, body.encode())
        assert refused.status == 400
        assert json.loads(refused.body) == {"detail": "JSON parse error - nested too deeply"}
