"""The carrier over Redis or Valkey: each change goes to its user's channel, to which the processes with listeners subscribe.

There is a link to each server that has some of the channels: to the one that the URL names, or to those of a cluster, where
publish and subscribe are sharded. A server that is away holds up what goes over the others no more than the writers.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import defaultdict
from collections.abc import Iterable, Sequence

import msgspec

from shared.feed import redis_link
from shared.feed.carrier import DROPPED, HintListener
from shared.feed.outages import Outage
from shared.feed.redis_link import RedisLink
from shared.feed.redis_servers import AWAY, PARTITIONS, Channels, Node, Places, RedisServers, partition_of
from shared.metrics.catalogue import CARRIER_CONNECTED
from shared.models import Change

log = logging.getLogger(__name__)
_encode = msgspec.msgpack.Encoder().encode


class RedisCarrier:
    """A ``shared.feed.carrier.Carrier``.

    Args:
        url: see ``redis_servers.RedisServers``. Of a cluster it names any server.
        name: that of the database, so that several may share one server.
    """

    def __init__(self, url: str, name: str) -> None:
        self._servers = RedisServers(url)
        self._channels = Channels(name)
        self._wanted: list[set[bytes]] = [set() for _ in range(PARTITIONS)]
        self._wanted[partition_of(self._channels.revocations)].add(self._channels.revocations)
        self._links: dict[Node | None, tuple[RedisLink, asyncio.Task[None]]] = {}
        self._link_of: list[RedisLink | None] = [None] * PARTITIONS
        self._places_doubtful = asyncio.Event()
        self._outage = Outage(
            log, "no message broker, changes of other hosts come a second late", "the message broker is back"
        )
        CARRIER_CONNECTED.read = lambda: int(self._is_connected())

    def publish(self, changes: Sequence[Change]) -> None:
        for change in changes:
            self._send(self._channels.of_user(change.user_id), _encode(change))

    def publish_revocations(self) -> None:
        self._send(self._channels.revocations, b"")

    def _send(self, channel: bytes, data: bytes) -> None:
        link = self._link_of[partition_of(channel)]
        if link is None:
            DROPPED.value += 1
        else:
            link.send(channel, data)

    def follow(self, user_ids: Iterable[int]) -> None:
        for partition, channels in self._parted(user_ids).items():
            self._wanted[partition].update(channels)
            self._tell_link(partition, channels)

    def unfollow(self, user_ids: Iterable[int]) -> None:
        for partition, channels in self._parted(user_ids).items():
            self._wanted[partition].difference_update(channels)
            self._tell_link(partition, channels)

    def _parted(self, user_ids: Iterable[int]) -> dict[int, list[bytes]]:
        parted: defaultdict[int, list[bytes]] = defaultdict(list)
        for user_id in user_ids:
            parted[user_id % PARTITIONS].append(self._channels.of_user(user_id))
        return parted

    def _tell_link(self, partition: int, channels: list[bytes]) -> None:
        link = self._link_of[partition]
        if link is not None:
            link.look_at(channels)

    async def run(self, listener: HintListener) -> None:
        async with asyncio.TaskGroup() as tasks:
            while True:
                self._places_doubtful.clear()
                working = [node for node, (link, _) in self._links.items() if node is not None and link.works]
                random.shuffle(working)
                try:
                    places = await self._servers.find_places(working)
                except AWAY as error:
                    self._note(error)
                    self._places_doubtful.set()
                else:
                    self._go_to(places, listener, tasks)
                await asyncio.sleep(redis_link.RETRY_SECONDS)
                await self._places_doubtful.wait()

    def _go_to(self, places: Places, listener: HintListener, tasks: asyncio.TaskGroup) -> None:
        """Have a link to each of these servers, and no other."""
        for node, (link, task) in list(self._links.items()):
            if node not in places or not link.take_partitions(places[node]):
                task.cancel()
                del self._links[node]
        self._link_of = [None] * PARTITIONS
        for node, partitions in places.items():
            if node not in self._links:
                link = self._make_link(node, partitions)
                self._links[node] = link, tasks.create_task(link.run(listener))
            for partition in partitions:
                self._link_of[partition] = self._links[node][0]
        if None in self._link_of:
            self._note(ConnectionError("some slots of the cluster are at no server"))
            self._places_doubtful.set()

    def _make_link(self, node: Node | None, partitions: frozenset[int]) -> RedisLink:
        return RedisLink(
            self._servers,
            node,
            partitions,
            self._channels,
            self._wanted,
            self._note,
            self._places_doubtful.set,
        )

    def _is_connected(self) -> bool:
        return None not in self._link_of and all(link.works for link, _ in self._links.values())

    def _note(self, error: BaseException | None) -> None:
        """A server is away, or back."""
        if error is not None:
            self._outage.begin(error)
        elif self._is_connected():
            self._outage.end()
