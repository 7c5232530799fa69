"""The carrier over Redis or Valkey: each change goes to its user's channel, to which the processes with listeners subscribe.

Publish and subscribe keep nothing: what is sent while a subscriber is away is lost to it. So each confirmation of a
subscription means that hints may have been lost until then. (That is also the only sign of a connection that redis-py has
made anew.) A process sends itself a heartbeat through the server; where it does not come back, the connection is made anew.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections import deque
from collections.abc import Awaitable, Iterable, Iterator, Sequence
from typing import Final

import msgspec
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from shared.feed.carrier import DROPPED, HintListener
from shared.metrics.catalogue import CARRIER_CONNECTED
from shared.models import Change

BEAT_SECONDS: Final = 1.0
_BEATS_MISSED: Final = 3  # then the connection is made anew
_TIMEOUT_SECONDS: Final = 1.0  # of what is sent, and of a connect
_RETRY_SECONDS: Final = 0.5
_QUEUE_MAX: Final = 10_000  # hints that wait to be sent
_SENT_AT_ONCE: Final = 500
_SUBSCRIBED_AT_ONCE: Final = 1000
_AWAY: Final = (RedisError, OSError, TimeoutError, RuntimeError)
"""``RuntimeError`` is uvloop's, where redis-py writes to a connection that the server has just closed."""

log = logging.getLogger(__name__)
_decode = msgspec.msgpack.Decoder(Change).decode
_encode = msgspec.msgpack.Encoder().encode


class RedisCarrier:
    """A ``shared.feed.carrier.Carrier``.

    Args:
        url: ``redis://``, ``rediss://`` or ``unix://``, as redis-py has it.
        name: that of the database, so that several may share one server.
    """

    def __init__(self, url: str, name: str) -> None:
        self._url = url
        self._prefix = f"taskbeam:{name}:".encode()
        self._revocations = self._prefix + b"revocations"
        self._beats = self._prefix + b"beat:" + secrets.token_hex(8).encode()
        self._queue: deque[tuple[bytes, bytes]] = deque()
        self._queued = asyncio.Event()
        self._wanted: dict[int, None] = {}
        self._subscribed: set[int] = set()
        self._wanted_changed = asyncio.Event()
        self._last_beat = 0.0
        self._away_since: float | None = None
        self._can_publish = self._can_receive = False
        CARRIER_CONNECTED.read = lambda: int(self._can_publish and self._can_receive)

    def publish(self, changes: Sequence[Change]) -> None:
        for change in changes:
            self._send(self._channel(change.user_id), _encode(change))

    def publish_revocations(self) -> None:
        self._send(self._revocations, b"")

    def follow(self, user_ids: Iterable[int]) -> None:
        self._wanted.update(dict.fromkeys(user_ids))
        self._wanted_changed.set()

    def unfollow(self, user_ids: Iterable[int]) -> None:
        for user_id in user_ids:
            self._wanted.pop(user_id, None)
        self._wanted_changed.set()

    async def run(self, listener: HintListener) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._publish_all())
            tasks.create_task(self._receive_all(listener))

    def _channel(self, user_id: int) -> bytes:
        return self._prefix + b"%d" % user_id

    def _client(self) -> Redis:
        return Redis.from_url(
            self._url,
            socket_timeout=_TIMEOUT_SECONDS,
            socket_connect_timeout=_TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )

    # Sending

    def _send(self, channel: bytes, data: bytes) -> None:
        if len(self._queue) >= _QUEUE_MAX:
            DROPPED.value += 1
            return
        self._queue.append((channel, data))
        self._queued.set()

    async def _publish_all(self) -> None:
        async with self._client() as client:
            next_beat = 0.0
            while True:
                try:
                    async with asyncio.timeout(max(0.0, next_beat - time.monotonic())):
                        await self._queued.wait()
                except TimeoutError:
                    pass
                if time.monotonic() >= next_beat:
                    self._queue.appendleft((self._beats, b""))
                    next_beat = time.monotonic() + BEAT_SECONDS
                batch = [self._queue.popleft() for _ in range(min(len(self._queue), _SENT_AT_ONCE))]
                if not self._queue:
                    self._queued.clear()
                try:
                    await _in_time(_publish(client, batch))
                    self._can_publish = True
                    self._note()
                except _AWAY as error:
                    DROPPED.value += len(batch) + len(self._queue)
                    self._queue.clear()  # the sweeps of the others find what these would say
                    self._can_publish = False
                    self._note(error)
                    await asyncio.sleep(_RETRY_SECONDS)

    # Receiving

    async def _receive_all(self, listener: HintListener) -> None:
        while True:
            try:
                async with self._client() as client, client.pubsub() as pubsub:
                    await self._receive(pubsub, listener)
            except* _AWAY as errors:
                self._can_receive = False
                self._note(errors.exceptions[0])
            await asyncio.sleep(_RETRY_SECONDS)

    async def _receive(self, pubsub: PubSub, listener: HintListener) -> None:
        """Raises an exception group of what redis-py raises."""
        self._subscribed = set()
        self._last_beat = time.monotonic()
        self._wanted_changed.set()
        subscribed = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._subscribe_all(pubsub, subscribed))
            tasks.create_task(self._read(pubsub, subscribed, listener))
            tasks.create_task(self._watch_beats())

    async def _read(self, pubsub: PubSub, subscribed: asyncio.Event, listener: HintListener) -> None:
        await subscribed.wait()  # before, there is no connection
        while True:
            message = await pubsub.get_message(timeout=None)
            _end_if_cancelled()
            if message is None:
                continue
            channel: bytes = message["channel"]
            if message["type"] == "message":
                self._on_message(channel, message["data"], listener)
            elif message["type"] == "subscribe":
                self._on_subscribed(channel, listener)

    def _on_message(self, channel: bytes, data: bytes, listener: HintListener) -> None:
        if channel == self._beats:
            self._last_beat = time.monotonic()
            self._can_receive = True
            self._note()
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
        elif channel != self._revocations:
            listener.on_missed((int(channel.removeprefix(self._prefix)),))

    async def _subscribe_all(self, pubsub: PubSub, subscribed: asyncio.Event) -> None:
        await _in_time(pubsub.subscribe(self._beats, self._revocations))
        subscribed.set()
        while True:
            await self._wanted_changed.wait()
            self._wanted_changed.clear()
            for user_ids in _parts(self._subscribed - self._wanted.keys()):
                self._subscribed.difference_update(user_ids)
                await _in_time(pubsub.unsubscribe(*map(self._channel, user_ids)))
            for user_ids in _parts(self._wanted.keys() - self._subscribed):
                self._subscribed.update(user_ids)
                await _in_time(pubsub.subscribe(*map(self._channel, user_ids)))

    async def _watch_beats(self) -> None:
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            if time.monotonic() - self._last_beat > BEAT_SECONDS * _BEATS_MISSED:
                raise TimeoutError("the heartbeat did not come back")

    def _note(self, error: BaseException | None = None) -> None:
        """Log once that the server is away, and once that it is back."""
        if error is not None and self._away_since is None:
            self._away_since = time.monotonic()
            log.warning(
                "no message broker, changes of other hosts come a second late: %s", str(error) or repr(error)
            )
        elif self._away_since is not None and self._can_publish and self._can_receive:
            log.warning("the message broker is back, after %.1f s", time.monotonic() - self._away_since)
            self._away_since = None


async def _in_time(work: Awaitable[object]) -> None:
    """Raises TimeoutError."""
    async with asyncio.timeout(_TIMEOUT_SECONDS):
        await work
    _end_if_cancelled()


def _end_if_cancelled() -> None:
    """redis-py uses ``asyncio.wait_for``, which before Python 3.12 may lose a cancellation.

    Not for a task with a task group of its own, which before 3.13 may still count one that was the group's.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


async def _publish(client: Redis, batch: Sequence[tuple[bytes, bytes]]) -> None:
    async with client.pipeline(transaction=False) as pipeline:
        for channel, data in batch:
            pipeline.publish(channel, data)
        await pipeline.execute()


def _parts(user_ids: set[int]) -> Iterator[list[int]]:
    every = list(user_ids)
    for start in range(0, len(every), _SUBSCRIBED_AT_ONCE):
        yield every[start : start + _SUBSCRIBED_AT_ONCE]
