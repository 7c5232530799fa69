"""Hints over a real Valkey cluster: to each user's server, while servers are killed, replaced, and slots move between them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
from redis.crc import key_slot

from shared.feed import fan_out, redis_link
from shared.feed.redis_servers import PARTITIONS, Channels, RedisServers
from shared.metrics.catalogue import CARRIER_CONNECTED
from tests.shared.feed.over_redis import Process, owner_in, process, until_hints_arrive, write, write_through
from tests.shared.store.owner import READING, Owner
from tests.support.valkey import ValkeyServer
from tests.support.valkey_cluster import ValkeyCluster, execute, valkey_cluster
from tests.support.waiting import until


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyCluster]:
    with valkey_cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


class Users:
    """One at each primary, in order; all others are at the first."""

    def __init__(self, folder: Path, cluster: ValkeyCluster) -> None:
        self._folder, self._cluster = folder, cluster

    async def at(self, server: ValkeyServer) -> Owner:
        places = await RedisServers(self._cluster.primaries[0].url).find_places(())
        [partitions] = [theirs for node, theirs in places.items() if node and node.port == server.port]
        while (owner := await owner_in(self._folder)).id % PARTITIONS not in partitions:
            pass
        return owner


@asynccontextmanager
async def _two(
    folder: Path, cluster: ValkeyCluster, *owners: Owner
) -> AsyncIterator[tuple[Process, Process]]:
    """Hints about each come to both processes, which know the cluster by its first and its second server."""
    ids = [owner.id for owner in owners]
    async with (
        process(folder, cluster.primaries[0].url, *ids) as one,
        process(folder, cluster.primaries[1].url, *ids) as two,
    ):
        for owner in owners:
            await until_hints_arrive(one, two, owner)
            await until_hints_arrive(two, one, owner)
        yield one, two


async def test_each_user_is_at_one_server_and_a_process_has_two_connections_to_each(
    tmp_path: Path, cluster: ValkeyCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fan_out, "SWEEP_SECONDS", 3600.0)
    users = Users(tmp_path, cluster)
    owners = [await users.at(server) for server in cluster.primaries]
    async with _two(tmp_path, cluster, *owners) as (one, two):
        reads = two.source.reads
        for owner in owners:
            changes = await write(one, owner, 20)
            assert await two.heard.until(partial(two.has, changes)) < 0.5
        assert two.source.reads == reads, "the hints brought the changes"
        channels = Channels(one.store.epoch)
        for server, owner in zip(cluster.primaries, owners, strict=True):
            assert execute(server, "PUBSUB", "CHANNELS") == []
            sharded = execute(server, "PUBSUB", "SHARDCHANNELS")
            assert [other.id for other in owners if channels.of_user(other.id) in sharded] == [owner.id]
            clients = execute(server, "CLIENT", "LIST", "TYPE", "PUBSUB").decode().splitlines()
            assert len(clients) == 2, "one of each process"
        await one.store.set_password(owners[1].user, "another", READING)
        for each in (one, two):
            assert await each.heard.until(lambda each=each: bool(each.heard.revocations)) < 0.9  # type: ignore[misc]


async def test_users_are_left_and_followed_again(
    tmp_path: Path, cluster: ValkeyCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fan_out, "SWEEP_SECONDS", 0.05)
    server = cluster.primaries[2]
    owner = await Users(tmp_path, cluster).at(server)
    async with _two(tmp_path, cluster, owner) as (one, two):
        channel = Channels(one.store.epoch).of_user(owner.id)

        def subscribers() -> int:
            return int(execute(server, "PUBSUB", "SHARDNUMSUB", channel)[1])

        assert subscribers() == 2
        for _ in range(3):
            two.heard.wanted = ()
            await until(lambda: subscribers() == 1, 5, "one is left")
            two.heard.wanted = (owner.id,)
            await two.feed.resume(owner.id)
            await until(lambda: subscribers() == 2, 5, "both")
        await until_hints_arrive(one, two, owner)


async def test_a_server_that_is_killed_holds_up_only_the_hints_about_its_users(
    tmp_path: Path, cluster: ValkeyCluster, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It has no replica, so its slots are at no server; until it is back, the sweep finds what is of its users."""
    caplog.set_level(logging.WARNING)
    users = Users(tmp_path, cluster)
    killed = cluster.primaries[0]
    theirs, other = await users.at(killed), await users.at(cluster.primaries[1])
    async with _two(tmp_path, cluster, theirs, other) as (one, two):
        ends = asyncio.Event()
        writing = asyncio.create_task(write_through(ends, one, two, theirs))
        killed.stop()
        await until(lambda: caplog.text.count("no message broker") == 2, 20, "both say so")
        assert CARRIER_CONNECTED.read is not None
        assert CARRIER_CONNECTED.read() == 0
        slowest = 0.0
        for _ in range(20):
            changes = await write(one, other)
            slowest = max(slowest, await two.heard.until(partial(two.has, changes)))
        assert slowest < 0.5, "that come by hints"
        changes = await write(one, theirs)
        await two.heard.until(partial(two.has, changes), 5)
        killed.start()
        await until(lambda: caplog.text.count("the message broker is back") == 2, 20, "both say so")
        ends.set()
        await writing
        assert "Traceback" not in caplog.text
    cluster.wait_whole()


async def test_a_replica_takes_its_primarys_place(
    tmp_path: Path, cluster: ValkeyCluster, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(redis_link, "BEAT_SECONDS", 0.2)
    caplog.set_level(logging.WARNING)
    killed = cluster.primaries[2]
    owner = await Users(tmp_path, cluster).at(killed)
    async with _two(tmp_path, cluster, owner) as (one, two):
        ends = asyncio.Event()
        writing = asyncio.create_task(write_through(ends, one, two, owner))
        killed.stop()
        await until(lambda: caplog.text.count("no message broker") == 2, 20, "both say so")
        cluster.cluster(cluster.replica, "FAILOVER", "TAKEOVER")
        await until(lambda: caplog.text.count("the message broker is back") == 2, 20, "both say so")
        ends.set()
        await writing
    cluster.primaries[2], cluster.replica = cluster.replica, killed
    killed.start()
    cluster.wait_whole()


def _has_both(server: ValkeyServer, channel: bytes) -> bool:
    return int(execute(server, "PUBSUB", "SHARDNUMSUB", channel)[1]) == 2


async def test_a_slot_that_moves_takes_its_users_with_it(
    tmp_path: Path, cluster: ValkeyCluster, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    owner = await Users(tmp_path, cluster).at(cluster.primaries[1])
    async with _two(tmp_path, cluster, owner) as (one, two):
        channel = Channels(one.store.epoch).of_user(owner.id)
        for server in (cluster.primaries[0], cluster.primaries[1]):
            ends = asyncio.Event()
            writing = asyncio.create_task(write_through(ends, one, two, owner))
            cluster.move_slot(key_slot(channel), server)
            await until(partial(_has_both, server, channel), 10, "both have found it")
            ends.set()
            await writing
        assert "broker" not in caplog.text, "no server was away"
