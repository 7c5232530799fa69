"""Sessions, against gateways that answer what they are told to."""

from __future__ import annotations

import asyncio

import pytest

from tests.clients_js.runtimes import Node
from tests.taskbeam_client.fake_server import Answer, fake_server, http, tokens

_STORAGE = """
const kept = new Map(arguments[1] ?? []);
const storage = {
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => kept.set(key, value),
    removeItem: (key) => kept.delete(key),
};
const url = arguments[0];
"""


async def _cut(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def test_concurrent_calls_share_one_request_and_rotated_tokens_are_kept(js: Node) -> None:
    async with fake_server(tokens(1), tokens(2)) as gateway:
        seen = await js.run(
            _STORAGE
            + """
            const session = new taskbeam.Session(url, 'refresh 0', {storage});
            const both = await Promise.all([session.token(), session.token()]);
            const resumed = taskbeam.Session.resume(url, storage);
            return {both, third: await resumed.token(), kept: [...kept.values()]};
            """,
            f"http://127.0.0.1:{gateway.port}/",
        )
        assert seen == {"both": ["access 1", "access 1"], "third": "access 2", "kept": ["refresh 2"]}
        assert [request["refresh"] for request in gateway.requests] == ["refresh 0", "refresh 1"]


async def test_a_token_that_another_tab_has_replaced_is_not_used(js: Node) -> None:
    async with fake_server(tokens(8)) as gateway:
        seen = await js.run(
            _STORAGE
            + """
            const session = new taskbeam.Session(url, 'refresh 0', {storage});
            kept.set([...kept.keys()][0], 'refresh 7'); // by another tab
            const token = await session.token();
            kept.clear(); // by its logout
            return {token, after: (await outcome(session.token())).error};
            """,
            f"http://127.0.0.1:{gateway.port}",
        )
        assert seen == {"token": "access 8", "after": "LoggedOut"}
        assert [request["refresh"] for request in gateway.requests] == ["refresh 7"]


async def test_a_refresh_whose_answer_was_lost_is_tried_again_by_itself(js: Node) -> None:
    """Nobody asks for another token, and the old one would be good for 30 seconds."""
    async with fake_server(_cut, _cut, tokens(1)) as gateway:
        seen = await js.run(
            _STORAGE
            + """
            const session = new taskbeam.Session(url, 'refresh 0', {storage});
            const {error, perhapsDone} = await outcome(session.token());
            await until(() => kept.values().next().value === 'refresh 1');
            return {error, perhapsDone, token: await session.token()};
            """,
            f"http://127.0.0.1:{gateway.port}",
        )
        assert seen == {"error": "Unreachable", "perhapsDone": True, "token": "access 1"}
        assert len(gateway.requests) == 3


@pytest.mark.parametrize(
    ("answer", "error", "is_kept"),
    [
        (http(401, {"detail": "Token is expired", "code": "token_not_valid"}), "LoggedOut", False),
        (http(401, b"<html>a portal</html>"), "Unreachable", True),
        (http(200, b"<html>a portal</html>"), "Unreachable", True),
        (http(200, {"access": 7}), "Unreachable", True),
        (http(200, b'{"access": "' + b"x" * 2**17 + b'"}'), "Unreachable", True),
        (http(302, b"", Location="http://127.0.0.1:1/"), "Unreachable", True),
        (http(503, {"detail": "away"}), "Unreachable", True),
        (http(429, {"detail": "Request was throttled."}, Retry_After="7"), "RateLimited", True),
        (http(400, {"refresh": ["This field may not be blank."]}), "Invalid", True),
    ],
    ids=["over", "portal 401", "portal 200", "no token", "too long", "redirect", "away", "throttled", "bad"],
)
async def test_only_a_gateway_ends_a_session(js: Node, answer: Answer, error: str, is_kept: bool) -> None:
    async with fake_server(answer) as gateway:
        seen = await js.run(
            _STORAGE
            + """
            const session = new taskbeam.Session(url, 'refresh 0', {storage});
            const {error, retryAfter} = await outcome(session.token());
            const isKept = kept.size === 1;
            await outcome(session.logout()); // no more tries
            return {error, retryAfter, kept: isKept};
            """,
            f"http://127.0.0.1:{gateway.port}",
        )
    wanted = {"error": error, "kept": is_kept}
    assert seen == ({**wanted, "retryAfter": 7} if error == "RateLimited" else wanted)
