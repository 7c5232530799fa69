"""Long polls and event streams: they end with their client's connection, and say that they are alive."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from rest_gateway import events
from rest_gateway.keys import WAITERS
from tests.rest_gateway.in_process import Gateway, gateway
from tests.support.clients import PASSWORD, new_account
from tests.support.databases import database_environ, execute
from tests.support.processes import System
from tests.support.waiting import until, wait_until


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Gateway]:
    async with gateway(tmp_path) as served:
        yield served


class _Line:
    """One connection; ``ask`` sends a request, and reads nothing."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def open(cls, served: Gateway) -> _Line:
        return cls(*await asyncio.open_connection("127.0.0.1", served.port))

    def ask(self, served: Gateway, path: str, more: str = "") -> None:
        head = (
            f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {served.access}\r\n{more}\r\n"
        )
        self.writer.write(head.encode())

    async def leave(self, how: str) -> None:
        if how == "reset":
            linger = b"\1\0\0\0\0\0\0\0"
            self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.writer.transport.abort()
        elif how == "half":
            self.writer.write_eof()
        else:
            self.writer.close()
            await self.writer.wait_closed()


def _poll(served: Gateway) -> str:
    return f"/changes/?epoch={served.backend.tasks.epoch}&since=0&wait=30"


@pytest.mark.parametrize("how", ["close", "reset", "half"])
@pytest.mark.parametrize("what", ["poll", "stream"])
async def test_a_disconnected_client_is_not_waited_for(served: Gateway, what: str, how: str) -> None:
    waiters = served.app[WAITERS]
    lines = [await _Line.open(served) for _ in range(20)]
    for line in lines:
        line.ask(served, _poll(served) if what == "poll" else "/events/")
    await until(lambda: _waiting(served) == 20, 10, "all wait")
    assert waiters.users()
    for line in lines[1:]:
        await line.leave(how)
    await until(lambda: _waiting(served) == 1, 10, "one waits")
    await served.backend.tasks.create(served.user_id, {"task": "x"})
    assert b'"seq":1' in await lines[0].reader.readuntil(b'"seq":1')
    await lines[0].leave("close")
    await until(lambda: not waiters.users(), 10, "nobody waits")
    for line in lines:
        line.writer.close()
    for line in lines:
        line.writer.close()


@pytest.mark.parametrize("what", ["poll", "stream"])
async def test_who_leaves_right_behind_the_request_is_not_waited_for(served: Gateway, what: str) -> None:
    """The end has arrived while a request before it is carried out, which takes a while."""
    login = json.dumps({"username": "ann", "password": PASSWORD}).encode()
    head = b"POST /login/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    head += b"Content-Length: %d\r\n\r\n" % len(login) + login
    head += _head(served, _poll(served) if what == "poll" else "/events/")
    lines = [await _Line.open(served) for _ in range(5)]
    for line in lines:
        line.writer.write(head)
        line.writer.write_eof()
    async with asyncio.timeout(10):
        for line in lines:
            assert (await line.reader.read()).count(b"HTTP/1.1 200 OK") == 2
            await line.leave("close")


def _head(served: Gateway, path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {served.access}\r\n\r\n".encode()


def _waiting(served: Gateway) -> int:
    return len(served.app[WAITERS].of_user(served.user_id))


async def test_a_connection_serves_on_after_a_poll_and_what_came_behind_it_is_answered(
    served: Gateway,
) -> None:
    line = await _Line.open(served)
    for seq in range(3):
        line.ask(served, f"/changes/?epoch={served.backend.tasks.epoch}&since={seq}&wait=30")
        line.ask(served, "/changes/?epoch=x&since=0")  # pipelined: it comes while the poll waits
        await until(lambda: _waiting(served) == 1, 10, "it waits")
        await served.backend.tasks.create(served.user_id, {"task": "x"})
        async with asyncio.timeout(10):
            await line.reader.readuntil(b'"recovered":true,"changes":[{"seq":%d,' % (seq + 1))
            await line.reader.readuntil(b'"epoch_changed"')
    await line.leave("close")


async def test_a_comment_says_that_a_quiet_stream_is_alive_and_is_no_event(
    served: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "COMMENT_SECONDS", 0.05)
    line = await _Line.open(served)
    line.ask(served, "/events/")
    async with asyncio.timeout(10):
        await line.reader.readuntil(b"\n\n\r\n")  # the first event, in a chunk of HTTP's
        for _ in range(3):
            assert await line.reader.readuntil(b"\n\r\n") == b"d\r\n: keep-alive\n\r\n"
        await served.backend.tasks.create(served.user_id, {"task": "x"})
        await line.reader.readuntil(b"event: change\n")
    await line.leave("close")


async def test_a_quiet_stream_ends_when_its_user_was_disabled_by_hand(
    served: Gateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "COMMENT_SECONDS", 0.05)
    line = await _Line.open(served)
    line.ask(served, "/events/")
    await line.reader.readuntil(b": keep-alive")
    _disable_users(tmp_path)
    async with asyncio.timeout(10):
        await line.reader.readuntil(b"\r\n0\r\n\r\n")
    await line.leave("close")


@pytest.mark.parametrize("what", ["poll", "stream"])
async def test_a_user_who_was_disabled_by_hand_gets_nothing_more(
    served: Gateway, tmp_path: Path, what: str
) -> None:
    line = await _Line.open(served)
    line.ask(served, _poll(served) if what == "poll" else "/events/")
    await until(lambda: _waiting(served) == 1, 10, "it waits")
    _disable_users(tmp_path)
    await served.backend.tasks.create(served.user_id, {"task": "secret"})
    end = b'"code":"user_inactive"}' if what == "poll" else b"\r\n0\r\n\r\n"
    async with asyncio.timeout(10):
        assert b"secret" not in await line.reader.readuntil(end)
    await line.leave("close")


def _disable_users(folder: Path) -> None:
    execute(database_environ(folder)["TASKBEAM_DATABASE_URL"], "UPDATE users SET is_active = false")


@pytest.mark.parametrize("path", ["/changes/?epoch=EPOCH&since=0&wait=30", "/events/"])
def test_a_closed_connection_makes_room_for_the_users_next_at_once(
    low_limits_system: System, path: str
) -> None:
    """The real process, on the loop that it chooses, lets two of a user wait."""
    account = new_account(low_limits_system)
    path = path.replace("EPOCH", account.rest("GET", "/").headers["X-Taskbeam-Epoch"])

    def ask(path: str) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection("127.0.0.1", low_limits_system.gateway.port, timeout=10)
        connection.request("GET", path, headers={"Authorization": f"Bearer {account.access}"})
        return connection

    def is_full() -> bool:
        with closing(ask("/events/")) as stream:
            return stream.getresponse().status == 429

    lines: list[http.client.HTTPConnection] = []

    def one_more() -> bool:
        if not is_full():
            lines.append(ask(path))
        return is_full()

    for _ in range(2):
        wait_until(one_more, 10, "two are there")
        while lines:
            lines.pop().close()
        wait_until(lambda: not is_full(), 10, "they are gone")
