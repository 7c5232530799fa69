"""Hints to and from one Redis or Valkey server, over a connection that sends and one that is subscribed.

Publish and subscribe keep nothing: what is sent while a subscriber is away is lost to it. So each confirmation of a
subscription means that hints may have been lost until then. (That is also the only sign of a connection that redis-py has
made anew.) A process sends itself a heartbeat through the server; where it does not come back, the connection is made anew.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final

import msgspec
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import MovedError, ResponseError

from shared.feed.carrier import DROPPED, HintListener
from shared.feed.redis_servers import AWAY, Channels, Node, RedisServers, partition_of, to_the_end, user_of
from shared.models import Change

BEAT_SECONDS: Final = 1.0
RETRY_SECONDS: Final = 0.5
_BEATS_MISSED: Final = 3  # then the connection is made anew
_QUEUE_MAX: Final = 10_000  # hints that wait to be sent
_QUEUE_BYTES_MAX: Final = 16 * 2**20
_SENT_AT_ONCE: Final = 500
_SUBSCRIBED_AT_ONCE: Final = 1000

_decode = msgspec.msgpack.Decoder(Change).decode


class RedisLink:
    """To one server.

    Args:
        node: a server of a cluster, with which all goes by sharded channels; ``None``: the one that the URL names.
        partitions: those that the server has.
        wanted: the channels to be subscribed to, of each partition; their owner says what changes (``look_at``).
        on_change: is told when the link begins or ceases to work, with the error.
        on_moved: is told when the server may not have its partitions any more.
    """

    def __init__(
        self,
        servers: RedisServers,
        node: Node | None,
        partitions: frozenset[int],
        channels: Channels,
        wanted: Sequence[AbstractSet[bytes]],
        on_change: Callable[[BaseException | None], None],
        on_moved: Callable[[], None],
    ) -> None:
        self._servers = servers
        self._node = node
        self._is_sharded = node is not None
        self._partitions = partitions
        self._beat_partition = min(partitions)
        self._beats = channels.of_beats(self._beat_partition, secrets.token_hex(8))
        self._revocations = channels.revocations
        self._wanted = wanted
        self._on_change = on_change
        self._on_moved = on_moved
        self._queue: deque[tuple[bytes, bytes]] = deque()
        self._queued_bytes = 0
        self._queued = asyncio.Event()
        self._changed: set[bytes] = set()  # channels that were wanted, or are no more
        self._has_changed = asyncio.Event()
        self._subscribed: set[bytes] = set()
        self._leaving: Counter[bytes] = Counter()  # confirmations to come of channels that were left
        self._lost: set[bytes] = set()  # channels that the server has taken from us
        self._last_beat = 0.0
        self._can_publish = self._can_receive = False

    @property
    def works(self) -> bool:
        return self._can_publish and self._can_receive

    def send(self, channel: bytes, data: bytes) -> None:
        """Soon, or not at all."""
        if len(self._queue) >= _QUEUE_MAX or self._queued_bytes + len(data) > _QUEUE_BYTES_MAX:
            DROPPED.value += 1
            return
        self._queue.append((channel, data))
        self._queued_bytes += len(data)
        self._queued.set()

    def look_at(self, channels: Iterable[bytes]) -> None:
        """Whether these are wanted has changed."""
        self._changed.update(channels)
        self._has_changed.set()

    def take_partitions(self, partitions: frozenset[int]) -> bool:
        """The server has these now. ``False``: another link has to take this one's place."""
        if self._beat_partition not in partitions:
            return False
        differing, self._partitions = self._partitions ^ partitions, partitions
        changed = self._lost.union(*(self._wanted[partition] for partition in differing))
        self._lost = set()
        self.look_at(changed)
        return True

    async def run(self, listener: HintListener) -> None:
        """Carry until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._publish_all())
                tasks.create_task(self._receive_all(listener))
        finally:
            DROPPED.value += len(self._queue)

    # Sending

    async def _publish_all(self) -> None:
        async with self._servers.client(self._node) as client:
            next_beat = 0.0
            while True:
                try:
                    async with asyncio.timeout(max(0.0, next_beat - time.monotonic())):
                        await self._queued.wait()
                except TimeoutError:
                    pass
                batch = self._next_batch()
                sent = len(batch)
                if time.monotonic() >= next_beat:
                    batch.insert(0, (self._beats, b""))
                    next_beat = time.monotonic() + BEAT_SECONDS
                try:
                    refused = await to_the_end(self._publish(client, batch))
                except AWAY as error:
                    DROPPED.value += sent + len(self._queue)
                    self._queue.clear()  # the sweeps of the others find what these would say
                    self._queued_bytes = 0
                    self._can_publish = False
                    self._on_change(error)
                    self._on_moved()
                    await asyncio.sleep(RETRY_SECONDS)
                else:
                    DROPPED.value += len(refused)
                    if refused:
                        self._on_moved()
                    self._can_publish = True
                    self._on_change(None)

    def _next_batch(self) -> list[tuple[bytes, bytes]]:
        batch = [self._queue.popleft() for _ in range(min(len(self._queue), _SENT_AT_ONCE))]
        self._queued_bytes -= sum(len(data) for _, data in batch)
        if not self._queue:
            self._queued.clear()
        return batch

    async def _publish(self, client: Redis, batch: Sequence[tuple[bytes, bytes]]) -> list[MovedError]:
        """What the server refused, since another has its partition now. Raises whatever else it answers."""
        # Not redis-py's pipeline: to take its commands takes it twice the time.
        command = b"SPUBLISH" if self._is_sharded else b"PUBLISH"
        pool: Any = client.connection_pool
        connection = await pool.get_connection()
        try:
            await connection.send_packed_command(b"".join([_packed(command, *hint) for hint in batch]))
            answers = [await _answer(connection) for _ in batch]
        except BaseException:
            await connection.disconnect(nowait=True)  # answers may still be on their way
            raise
        finally:
            await pool.release(connection)
        errors = [answer for answer in answers if answer is not None]
        moved = [error for error in errors if isinstance(error, MovedError)]
        if len(moved) < len(errors):
            raise next(error for error in errors if not isinstance(error, MovedError))
        return moved

    # Receiving

    async def _receive_all(self, listener: HintListener) -> None:
        while True:
            try:
                async with self._servers.client(self._node) as client, client.pubsub() as pubsub:
                    await self._receive(pubsub, listener)
            except* AWAY as errors:
                self._can_receive = False
                self._on_change(errors.exceptions[0])
            self._on_moved()
            await asyncio.sleep(RETRY_SECONDS)

    async def _receive(self, pubsub: PubSub, listener: HintListener) -> None:
        """Raises an exception group of what redis-py raises."""
        self._subscribed, self._lost = set(), set()
        self._leaving.clear()
        self._last_beat = time.monotonic()
        self.look_at(name for partition in self._partitions for name in self._wanted[partition])
        async with asyncio.TaskGroup() as tasks:
            await self._tell(pubsub, "SUBSCRIBE", [self._beats])
            tasks.create_task(self._read(pubsub, listener))
            tasks.create_task(self._subscribe_all(pubsub))
            tasks.create_task(self._watch_beats())

    async def _read(self, pubsub: PubSub, listener: HintListener) -> None:
        while True:
            message: Any = await pubsub.get_message(timeout=None)
            if message is None:
                continue
            channel: bytes = message["channel"]
            match message["type"].removeprefix("s" if self._is_sharded else ""):
                case "message":
                    self._on_message(channel, message["data"], listener)
                case "subscribe":
                    self._on_subscribed(channel, listener)
                case "unsubscribe":
                    self._on_unsubscribed(channel)

    def _on_message(self, channel: bytes, data: bytes, listener: HintListener) -> None:
        if channel == self._beats:
            self._last_beat = time.monotonic()
            self._can_receive = True
            self._on_change(None)
        elif channel == self._revocations:
            listener.on_revocations()
        else:
            try:
                change = _decode(data)
            except msgspec.DecodeError:  # of another version: the sweep finds the change
                DROPPED.value += 1
            else:
                listener.on_change(change)

    def _on_subscribed(self, channel: bytes, listener: HintListener) -> None:
        if channel == self._beats:
            listener.on_missed(None)
        elif channel == self._revocations:
            listener.on_revocations()
        else:
            listener.on_missed((user_of(channel),))

    def _on_unsubscribed(self, channel: bytes) -> None:
        """The server also says so of its own accord, where another has the partition from now on."""
        if self._leaving[channel]:
            self._leaving[channel] -= 1
            if not self._leaving[channel]:
                del self._leaving[channel]
        elif channel in self._subscribed:
            self._subscribed.discard(channel)
            self._lost.add(channel)
            self._on_moved()

    async def _subscribe_all(self, pubsub: PubSub) -> None:
        while True:
            await self._has_changed.wait()
            self._has_changed.clear()
            changed: defaultdict[int, list[bytes]] = defaultdict(list)
            for channel in self._changed:
                changed[partition_of(channel)].append(channel)
            self._changed = set()
            for partition, channels in changed.items():
                if partition not in self._partitions:
                    self._subscribed.difference_update(channels)  # the server ends them itself
                    continue
                wanted = self._wanted[partition]
                for names in _parts(self._subscribed.intersection(channels) - wanted):
                    self._subscribed.difference_update(names)
                    self._leaving.update(names)
                    await self._tell(pubsub, "UNSUBSCRIBE", names)
                for names in _parts((wanted & set(channels)) - self._subscribed):
                    self._subscribed.update(names)
                    await self._tell(pubsub, "SUBSCRIBE", names)

    async def _tell(self, pubsub: PubSub, command: str, channels: Sequence[bytes]) -> None:
        tell = {
            ("SUBSCRIBE", False): pubsub.subscribe,
            ("SUBSCRIBE", True): pubsub.ssubscribe,
            ("UNSUBSCRIBE", False): pubsub.unsubscribe,
            ("UNSUBSCRIBE", True): pubsub.sunsubscribe,
        }
        await to_the_end(tell[command, self._is_sharded](*channels))

    async def _watch_beats(self) -> None:
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            if time.monotonic() - self._last_beat > BEAT_SECONDS * _BEATS_MISSED:
                raise TimeoutError("the heartbeat did not come back")


def _packed(*words: bytes) -> bytes:
    """A command, as the protocol has it (valkey.io/topics/protocol)."""
    return b"*%d\r\n%b" % (len(words), b"".join([b"$%d\r\n%b\r\n" % (len(word), word) for word in words]))


async def _answer(connection: AbstractConnection) -> ResponseError | None:
    """What a server refuses a command with. Raises whatever says that the connection is of no more use."""
    try:
        await connection.read_response()
    except ResponseError as error:
        return error
    return None


def _parts(channels: AbstractSet[bytes]) -> Iterator[list[bytes]]:
    every = list(channels)
    for start in range(0, len(every), _SUBSCRIBED_AT_ONCE):
        yield every[start : start + _SUBSCRIBED_AT_ONCE]
