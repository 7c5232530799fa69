"""What time does to a connection: the wait for the auth message, and the end of the token."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress

import pytest

from tests.support.clients import connected, new_account
from tests.support.frames import assert_nothing_more, create
from tests.support.processes import SECRET_KEY, System
from tests.support.raw_websocket import PING, RawSocket
from tests.support.tokens import make_token
from tests.support.waiting import wait_for_second

SLACK = 2.0  # on a busy machine
APART = 0.45  # of clients that wait at the same time: less than any of them could win by its trick


def _goes_on(raw: RawSocket, trick: Callable[[], None]) -> int:
    """Try it again and again until the server closes; the close code."""
    raw.socket.settimeout(0.1)
    while True:
        trick()
        with suppress(TimeoutError):
            return raw.close_code()


def _says_nothing(raw: RawSocket) -> int | None:
    assert raw.handshake() == 101
    return raw.close_code()


def _tries_without_a_token(raw: RawSocket) -> int | None:
    assert raw.handshake() == 101
    return _goes_on(raw, lambda: raw.send_json({"type": "auth"}))


def _sends_control_frames(raw: RawSocket) -> int | None:
    assert raw.handshake() == 101
    return _goes_on(raw, lambda: raw.send_frame(PING, b"still here"))


def _is_slow_to_begin(raw: RawSocket) -> int | None:
    raw.socket.settimeout(0.6)
    with suppress(TimeoutError):
        assert raw.socket.recv(1) == b""
        return None
    raw.socket.settimeout(10)
    assert raw.handshake() == 101
    return raw.close_code()


def _dribbles_its_handshake(raw: RawSocket) -> int | None:
    raw.socket.settimeout(0.05)
    for byte in b"GET /ws/tasks/ HTTP/1.1\r\nHost: localhost\r\nX-Padding: " + b"x" * 60:
        raw.send(bytes([byte]))
        with suppress(TimeoutError):
            assert raw.socket.recv(1) == b""
            return None
    raise AssertionError("it was not cut")


def _only_connects(raw: RawSocket) -> int | None:
    assert raw.socket.recv(1) == b""
    return None


CLIENTS: dict[Callable[[RawSocket], int | None], int | None] = {
    _says_nothing: 4010,
    _tries_without_a_token: 4010,
    _sends_control_frames: 4010,
    _is_slow_to_begin: 4010,
    _dribbles_its_handshake: None,
    _only_connects: None,
}
Ending = tuple[int | None, float]


@pytest.fixture(scope="module")
def endings(short_timeouts_system: System) -> dict[Callable[[RawSocket], int | None], Ending]:
    """How each client ends, and after how long; all wait at the same time."""

    def run(client: Callable[[RawSocket], int | None]) -> Ending:
        started = time.monotonic()
        raw = RawSocket(short_timeouts_system)
        code = None
        with closing(raw.socket), suppress(ConnectionError):  # a reset is an end, too
            code = client(raw)
        return code, time.monotonic() - started

    with ThreadPoolExecutor(len(CLIENTS)) as pool:
        return dict(zip(CLIENTS, pool.map(run, CLIENTS), strict=True))


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.__name__.strip("_"))
def test_a_second_after_the_tcp_connection_a_client_must_have_authenticated(
    endings: dict[Callable[[RawSocket], int | None], Ending], client: Callable[[RawSocket], int | None]
) -> None:
    code, seconds = endings[client]
    assert code == CLIENTS[client]
    assert 0.9 <= seconds <= 1 + SLACK
    assert abs(seconds - endings[_says_nothing][1]) < APART


async def test_an_expiring_token_is_announced_and_closes_at_its_expiry(short_timeouts_system: System) -> None:
    account = new_account(short_timeouts_system)
    async with connected(short_timeouts_system, account.access) as socket:
        notice = await socket.receive()
        assert list(notice) == ["type", "in"]
        assert notice["type"] == "auth.expiring"
        assert isinstance(notice["in"], int)
        assert 0 <= notice["in"] <= 2
        assert await socket.closed() == 4401


async def test_the_announcement_comes_a_minute_before(short_timeouts_system: System) -> None:
    account = new_account(short_timeouts_system)
    started = time.time()
    token = make_token(SECRET_KEY, str(account.id), seconds=62)
    async with connected(short_timeouts_system, token) as socket:
        assert await socket.receive() in ({"type": "auth.expiring", "in": left} for left in (60, 59))
    assert time.time() - started >= 0.9


async def test_a_renewed_session_outlives_its_first_token(short_timeouts_system: System) -> None:
    account = new_account(short_timeouts_system)
    expiry = int(time.time()) + 2
    async with connected(
        short_timeouts_system, make_token(SECRET_KEY, str(account.id), exp=expiry)
    ) as socket:
        assert (await socket.receive())["type"] == "auth.expiring"
        token = make_token(SECRET_KEY, str(account.id))
        assert (await socket.ask({"type": "auth", "token": token}))["type"] == "auth"
        await asyncio.to_thread(wait_for_second, expiry + 1)
        await assert_nothing_more(socket)  # the first token's end has passed in silence
        await create(socket)
