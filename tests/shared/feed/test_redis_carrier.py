"""Hints over a real Valkey: at once while it is there, and nothing lost or late by more than a sweep while it is not."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from redis.asyncio import Redis
from redis.asyncio.client import PubSub

from shared.feed import fan_out, redis_carrier, redis_link, redis_servers
from shared.feed.redis_link import RedisLink
from shared.feed.redis_servers import PARTITIONS, Channels, RedisServers
from shared.metrics.catalogue import CARRIER_CONNECTED, HINTS_DROPPED
from shared.models import Change, Revocation
from tests.shared.feed.over_redis import owner_in, process, until_hints_arrive, write, write_through
from tests.shared.store.owner import READING, Owner
from tests.support.valkey import ValkeyServer, valkey
from tests.support.waiting import until


@pytest.fixture(scope="module")
def server() -> Iterator[ValkeyServer]:
    with valkey() as running:
        yield running


async def test_changes_and_revocations_come_by_hints(
    tmp_path: Path, server: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fan_out, "SWEEP_SECONDS", 3600.0)
    owner = await owner_in(tmp_path)
    async with process(tmp_path, server.url) as one, process(tmp_path, server.url, owner.id) as two:
        await until_hints_arrive(one, two, owner)
        reads = two.source.reads
        for count in (1, 40, 1):
            changes = await write(one, owner, count)
            assert await two.heard.until(partial(two.has, changes)) < 0.5
        assert two.source.reads == reads
        assert two.seqs(owner.id) == list(range(1, len(two.heard.changes) + 1))
        assert two.heard.changes == await Owner(one.store, owner.user).log()
        await one.store.set_password(owner.user, "another", READING)
        assert await two.heard.until(lambda: bool(two.heard.revocations)) < 0.9
        assert two.heard.revocations == [Revocation(owner.id, None)]


async def test_a_connection_that_ends_while_it_is_written_to_ends_no_process(
    tmp_path: Path, server: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """uvloop says so by an error of its own."""
    uses = [(PubSub, "get_message"), (PubSub, "subscribe"), (redis_link, "_answer")]
    closed: set[str] = set()

    def once(name: str, use: Callable[..., Any]) -> Callable[..., Any]:
        async def used(*arguments: Any, **named: Any) -> Any:
            if name not in closed:
                closed.add(name)
                raise RuntimeError("unable to perform operation on <TCPTransport closed=True>")
            return await use(*arguments, **named)

        return used

    for place, name in uses:
        monkeypatch.setattr(place, name, once(name, getattr(place, name)))
    owner = await owner_in(tmp_path)
    async with process(tmp_path, server.url) as one, process(tmp_path, server.url, owner.id) as two:
        await until_hints_arrive(one, two, owner)
    assert closed == {"get_message", "subscribe", "_answer"}


async def test_nothing_is_lost_while_valkey_is_frozen_and_killed(
    tmp_path: Path, server: ValkeyServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(redis_link, "BEAT_SECONDS", 0.2)
    monkeypatch.setattr(redis_servers, "TIMEOUT_SECONDS", 0.3)
    caplog.set_level(logging.WARNING)
    owner = await owner_in(tmp_path)
    async with (
        process(tmp_path, server.url, owner.id) as one,
        process(tmp_path, server.url, owner.id) as two,
    ):
        await until_hints_arrive(one, two, owner)
        ends = asyncio.Event()
        dropped = HINTS_DROPPED.child().value
        writing = asyncio.create_task(write_through(ends, one, two, owner))
        with server.frozen():
            await until(lambda: caplog.text.count("no message broker") == 2, 20, "both say so")
            assert CARRIER_CONNECTED.read is not None
            assert CARRIER_CONNECTED.read() == 0
        await until(lambda: caplog.text.count("the message broker is back") == 2, 20, "both say so")
        assert HINTS_DROPPED.child().value > dropped
        caplog.clear()
        server.stop()
        await until(lambda: caplog.text.count("no message broker") == 2, 20, "both say so")
        server.start()
        await until(lambda: caplog.text.count("the message broker is back") == 2, 20, "both say so")
        ends.set()
        await writing
        assert "Traceback" not in caplog.text


async def test_connections_that_are_cut_are_made_anew(tmp_path: Path, server: ValkeyServer) -> None:
    owner = await owner_in(tmp_path)
    async with (
        process(tmp_path, server.url, owner.id) as one,
        process(tmp_path, server.url, owner.id) as two,
        Redis.from_url(server.url) as operator,
    ):
        await until_hints_arrive(one, two, owner)
        ends = asyncio.Event()
        writing = asyncio.create_task(write_through(ends, one, two, owner))
        for _ in range(3):
            await operator.client_kill_filter(_type="pubsub")
            await operator.client_kill_filter(_type="normal", skipme=True)
            async with asyncio.timeout(10):
                while len(await operator.client_list(_type="pubsub")) < 2:  # noqa: ASYNC110 - only the server knows
                    await asyncio.sleep(0.02)
        ends.set()
        await writing


async def test_process_starts_without_a_broker(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    owner = await owner_in(tmp_path)
    nowhere = "redis://:secret-word@127.0.0.1:1"
    async with process(tmp_path, nowhere) as one, process(tmp_path, nowhere, owner.id) as two:
        changes = await write(one, owner, 3)
        assert await two.heard.until(lambda: two.heard.changes == changes) < 2
        await until(lambda: caplog.text.count("no message broker") == 2, 5, "both say so")
        assert "secret-word" not in caplog.text


async def test_a_change_as_another_version_sends_it_is_found_by_the_sweep(
    tmp_path: Path, server: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a rolling upgrade: what cannot be read is dropped, and nothing is said twice or left out."""

    def encode(change: Change) -> bytes:
        """Without the key ``mode``, in whose place it has another."""
        fields = {name: getattr(change, name) for name in change.__struct_fields__ if name != "mode"}
        return msgspec.msgpack.encode({"kind": change.mode, **fields})

    owner = await owner_in(tmp_path)
    async with process(tmp_path, server.url) as one, process(tmp_path, server.url, owner.id) as two:
        await until_hints_arrive(one, two, owner)
        dropped = HINTS_DROPPED.child().value
        monkeypatch.setattr(redis_carrier, "_encode", encode)
        changes = await write(one, owner, 3)
        await two.heard.until(partial(two.has, changes), 5)
        assert HINTS_DROPPED.child().value == dropped + 3
        monkeypatch.undo()
        await until_hints_arrive(one, two, owner)
        assert two.seqs(owner.id) == list(range(1, await one.store.seq(owner.id) + 1))


def test_what_waits_to_be_sent_is_bounded(server: ValkeyServer) -> None:
    link = RedisLink(
        RedisServers(server.url), None, frozenset(range(PARTITIONS)), Channels("x"), (), print, print
    )
    dropped = HINTS_DROPPED.child().value
    for _ in range(20):
        link.send(b"taskbeam:{0}:x:0", bytes(2**20))
    assert HINTS_DROPPED.child().value == dropped + 4
    for _ in range(redis_link._QUEUE_MAX):
        link.send(b"taskbeam:{0}:x:0", b"")
    assert HINTS_DROPPED.child().value == dropped + 4 + 16


async def test_what_is_no_change_is_ignored(tmp_path: Path, server: ValkeyServer) -> None:
    owner = await owner_in(tmp_path)
    async with (
        process(tmp_path, server.url) as one,
        process(tmp_path, server.url, owner.id) as two,
        Redis.from_url(server.url) as stranger,
    ):
        await until_hints_arrive(one, two, owner)
        dropped = HINTS_DROPPED.child().value
        for data in (b"", b"\xc1", b"{}", b"\x90"):
            await stranger.publish(Channels(one.store.epoch).of_user(owner.id), data)
        await until(lambda: HINTS_DROPPED.child().value == dropped + 4, 5, "all were seen")
        await until_hints_arrive(one, two, owner)


async def test_a_process_that_ends_while_it_connects_leaves_no_connection_open(server: ValkeyServer) -> None:
    """At whatever moment it is cancelled. A connection that is left warns when it is collected."""

    class Nobody:
        def on_missed(self, user_ids: object) -> None: ...
        def on_revocations(self) -> None: ...
        def on_change(self, change: object) -> None: ...
        def on_seq(self, user_id: int, seq: int) -> None: ...

    for steps in range(60):
        carrying = asyncio.create_task(redis_carrier.RedisCarrier(server.url, "nobody").run(Nobody()))
        for _ in range(steps):
            await asyncio.sleep(0)
        carrying.cancel()
        await asyncio.wait((carrying,))
        assert carrying.cancelled()
    gc.collect()
