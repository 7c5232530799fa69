"""A connection by itself: which of the changes that come while an answer is made are held for it."""

from __future__ import annotations

import asyncio
import functools
from typing import Any, cast

import msgspec
import pytest

from shared.auth.authenticator import Identity
from shared.auth.tokens import BLACKLISTED
from shared.connection_limit import ConnectionLimit
from shared.errors import TokenRejected, Unavailable
from shared.models import Change, Revocation, StoredTask, TaskPage, TaskQuery, Token, User, Written
from shared.settings import load_settings
from tests.support.waiting import until
from ws_server.close_codes import Disconnect
from ws_server.connection import Connection
from ws_server.context import Context
from ws_server.deadlines import Deadlines
from ws_server.feed_wait import FeedWait
from ws_server.hub import Hub
from ws_server.stream import StreamContext, new_write_ids

USER = 1
MAX_BUFFER = 65536


class Backend:
    """The socket, the authenticator, the tasks and the feed that a connection has, as far as it needs them here."""

    buffered = 0
    epoch = "e"
    is_revoked = False
    unavailable = False
    writes = 0

    def __init__(self) -> None:
        self.frames: list[dict[str, Any]] = []
        self.closed_with: list[int] = []
        self.answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def send(self, frame: bytes) -> None:
        self.frames.append(msgspec.json.decode(frame))

    def send_on_the_wire(self, data: bytes) -> None:
        self.send(data[data.index(b"{") :])

    def close(self, code: int, reason: str, *, patient: bool = True) -> None:
        self.closed_with.append(code)

    def allow_message_bytes(self, size: int) -> None: ...

    def ending(self) -> tuple[int, bool]:
        return 1006, False

    async def resume(self, user_id: int) -> None: ...

    def verify_access(self, token: str) -> Token:
        return Token("access", USER, "j", 0, 4_000_000_000, None)

    async def identify(self, token: Token) -> Identity:
        if self.is_revoked:
            raise TokenRejected(BLACKLISTED)
        return Identity(User(USER, "u", "", True, ""), await self._answered())

    async def create(self, user_id: int, data: dict[str, object], *, write_id: int) -> Written:
        self.writes += 1
        if self.unavailable:
            raise Unavailable("the disk is full")
        seq = await self._answered()
        return Written(StoredTask("id", b"{}"), Change(user_id, seq, "create", "id", b"{}", write_id))

    def look(self, user_id: int) -> None: ...

    async def find(self, user_id: int, query: TaskQuery) -> TaskPage:
        return TaskPage(b"[]", 0, await self._answered())

    async def _answered(self) -> int:
        self.answer = asyncio.get_running_loop().create_future()
        seq: int = await self.answer
        return seq


class Client:
    def __init__(self) -> None:
        self.backend = Backend()
        self.hub = Hub(ConnectionLimit(100, "sockets"))
        settings = load_settings({"TASKBEAM_MAX_BUFFER_BYTES": str(MAX_BUFFER)})
        part = cast("Any", self.backend)
        self.deadlines = Deadlines()
        streams = StreamContext(
            MAX_BUFFER, new_write_ids(), functools.partial(FeedWait, part, self.deadlines)
        )
        context = Context(settings, self.deadlines, self.hub, part, part, part, streams)
        self.connection = Connection(part, context)
        self.connection.start(asyncio.get_running_loop().time())

    def asks(self, message: str) -> asyncio.Task[None]:
        work = self.connection.on_message(message)
        assert work is not None, (self.backend.frames, self.backend.closed_with)
        return asyncio.create_task(work)

    def hears(self, *seqs: int, size: int = 0) -> None:
        task = msgspec.json.encode("x" * size)
        self.hub.on_changes([Change(USER, seq, "update", "id", task) for seq in seqs])

    async def authenticate(self, seq: int) -> None:
        auth = self.asks('{"type":"auth","token":"t"}')
        await asyncio.sleep(0)
        self.backend.answer.set_result(seq)
        await auth

    @property
    def seqs(self) -> list[int]:
        return [frame["seq"] for frame in self.backend.frames]


@pytest.fixture
async def client() -> Client:
    return Client()


async def test_newcomer_may_hear_much_that_is_older_than_what_it_begins_with(client: Client) -> None:
    auth = client.asks('{"type":"auth","token":"t"}')
    await asyncio.sleep(0)
    client.hears(*range(1, 101), size=MAX_BUFFER // 10)
    client.backend.answer.set_result(99)
    await auth
    assert client.backend.closed_with == []
    assert [frame["type"] for frame in client.backend.frames] == ["auth", "task.update"]
    assert client.seqs == [99, 100]


async def test_a_client_that_disconnects_during_authentication_leaves_nothing_behind(client: Client) -> None:
    auth = client.asks('{"type":"auth","token":"t"}')
    await asyncio.sleep(0)
    client.connection.on_closed()
    client.backend.answer.set_result(1)
    await auth
    assert client.backend.frames == []
    assert client.hub.count(USER) == 0
    deadlines = client.deadlines
    assert all(deadline.call is None for deadline in deadlines._heap)


async def test_what_the_client_has_had_is_not_held_for_it_again(client: Client) -> None:
    await client.authenticate(100)
    listing = client.asks('{"mode":"all"}')
    await asyncio.sleep(0)
    client.hears(*range(1, 102), size=MAX_BUFFER // 10)
    client.backend.answer.set_result(100)
    await listing
    assert client.backend.closed_with == []
    assert client.seqs == [100, 100, 101]


async def test_more_news_than_may_wait_ends_the_connection(client: Client) -> None:
    await client.authenticate(100)
    listing = client.asks('{"mode":"all"}')
    await asyncio.sleep(0)
    client.hears(*range(101, 110), size=MAX_BUFFER // 10)
    assert client.backend.closed_with == []
    client.hears(110, 111, size=MAX_BUFFER // 10)
    assert client.backend.closed_with == [4008]
    client.backend.answer.set_result(111)
    async with asyncio.timeout(5):  # it need not wait for changes that are not kept any more
        await listing
    assert client.seqs == [100], "nothing after the close"


async def test_request_in_hand_does_not_outlive_its_socket(client: Client) -> None:
    await client.authenticate(0)
    listing = client.asks('{"mode":"all"}')
    await asyncio.sleep(0)
    client.backend.answer.set_result(1)  # a change that the feed has not brought yet
    await asyncio.sleep(0)
    client.connection.stream.close(Disconnect.TOKEN_REVOKED)
    async with asyncio.timeout(5):
        await listing
    assert client.seqs == [0], "nothing after the close"


async def test_token_that_is_revoked_while_it_is_authenticated_ends_the_session(client: Client) -> None:
    auth = client.asks('{"type":"auth","token":"t"}')
    await asyncio.sleep(0)
    client.hub.on_revocations([Revocation(USER, None)])
    client.backend.is_revoked = True  # what the store had said before was older
    client.backend.answer.set_result(1)
    await auth
    await until(lambda: client.backend.closed_with == [4403], 5, "the session ends")


async def test_revocation_before_the_authentication_began_does_not_concern_it(client: Client) -> None:
    await client.authenticate(1)
    client.backend.is_revoked = True
    client.hub.on_revocations([Revocation(USER + 1, None)])
    await asyncio.sleep(0.02)
    assert client.backend.closed_with == []


CREATE = '{"mode":"create","data":{"task":"x"}}'


async def test_write_of_a_client_that_has_gone_does_not_wait_for_its_place_in_the_stream(
    client: Client,
) -> None:
    await client.authenticate(0)
    for goes_before in (False, True):
        client.connection.stream.is_disconnected = False
        writing = client.asks(CREATE)
        await asyncio.sleep(0)
        if goes_before:
            client.connection.on_disconnected()
        client.backend.answer.set_result(1)
        await asyncio.sleep(0)
        if not goes_before:
            assert not writing.done()
            client.connection.on_disconnected()
        await asyncio.wait_for(writing, 1)
    assert client.backend.writes == 2
    assert len(client.backend.frames) == 1, "nothing is sent to one who has gone"


async def test_reads_of_a_disconnected_client_are_not_carried_out(client: Client) -> None:
    await client.authenticate(1)
    client.connection.on_disconnected()
    for mode in ("all", "ping", "read", "sync"):
        await client.asks(f'{{"mode":"{mode}","task_id":"x","epoch":"e","since":0}}')
    assert len(client.backend.frames) == 1


async def test_revocation_ends_the_work_of_a_client_that_has_gone(client: Client) -> None:
    await client.authenticate(1)
    client.connection.on_disconnected()
    client.backend.is_revoked = True
    client.hub.on_revocations([Revocation(USER, None)])
    await until(lambda: client.backend.closed_with == [4403], 5, "the session ends")
    assert client.connection.on_message(CREATE) is None


async def test_store_that_is_away_ends_the_work_of_a_client_that_has_gone(client: Client) -> None:
    """Each of its writes would wait as long as the first one did."""
    await client.authenticate(1)
    client.connection.on_disconnected()
    client.backend.unavailable = True
    await client.asks(CREATE)
    assert client.connection.on_message(CREATE) is None
    assert client.backend.writes == 1


async def test_a_disconnected_client_is_sent_no_changes(client: Client) -> None:
    await client.authenticate(1)
    client.connection.on_disconnected()
    client.hears(2, 3)
    assert client.seqs == [1]
    client.connection.on_closed()
    assert client.hub.count(USER) == len(client.hub) == 0
