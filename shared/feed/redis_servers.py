"""Which Redis or Valkey server has which channels: one has all of them, or a cluster parts them by a tag in their names."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Iterable, Mapping
from typing import Any, Final, NamedTuple, TypeVar

from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.connection import parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.crc import key_slot
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoPermissionError, RedisError, ResponseError

T = TypeVar("T")

PARTITIONS: Final = 128
"""Users are parted by their ids. One command can subscribe to many channels of a partition: a cluster has them in one slot."""

AWAY: Final = (RedisError, OSError, TimeoutError, RuntimeError)
"""``RuntimeError`` is uvloop's, where redis-py writes to a connection that the server has just closed."""

TIMEOUT_SECONDS: Final = 1.0  # of a connect, and of what is sent

_SLOTS: Final = [key_slot(b"{%d}" % partition) for partition in range(PARTITIONS)]
_NO_CLUSTER: Final = ("cluster support disabled", "unknown command", "unknown subcommand")


class Node(NamedTuple):
    """The address of a server of a cluster."""

    host: str
    port: int


Places = Mapping[Node | None, frozenset[int]]
"""The partitions of each server. ``None`` stands for the one that the URL names, where that is no cluster's."""

ONE_SERVER: Final[Places] = {None: frozenset(range(PARTITIONS))}


class Channels:
    """The names of channels; ``database``: so that several may share one server."""

    def __init__(self, database: str) -> None:
        self._database = database.encode()
        self.revocations = self._name(0, b"revocations")

    def of_user(self, user_id: int) -> bytes:
        return self._name(user_id % PARTITIONS, b"%d" % user_id)

    def of_beats(self, partition: int, token: str) -> bytes:
        return self._name(partition, b"beat-" + token.encode())

    def _name(self, partition: int, name: bytes) -> bytes:
        return b"taskbeam:{%d}:%s:%s" % (partition, self._database, name)


def partition_of(channel: bytes) -> int:
    """Which part of the names ``Channels`` has made a name for."""
    return int(channel[channel.index(b"{") + 1 : channel.index(b"}")])


def user_of(channel: bytes) -> int:
    """Whose changes come over that channel."""
    return int(channel.rpartition(b":")[2])


class RedisServers:
    """Those that a URL leads to: ``redis://``, ``rediss://`` or ``unix://``, as redis-py has it."""

    def __init__(self, url: str) -> None:
        self._options: dict[str, Any] = {
            **parse_url(url),
            "decode_responses": False,
            "retry": Retry(NoBackoff(), 0),
            # redis-py would use asyncio.wait_for, which Python 3.11 lets swallow a cancellation: who calls has a deadline.
            "socket_timeout": None,
        }

    def client(self, node: Node | None) -> Redis:
        """Of that server; to be used as an asynchronous context manager."""
        address = {} if node is None else node._asdict()
        options = {**self._options, "socket_connect_timeout": TIMEOUT_SECONDS, **address}
        return Redis.from_pool(ConnectionPool(**options))

    async def find_places(self, nodes: Iterable[Node]) -> Places:
        """Ask these in turn, and then the one that the URL names. Raises one of ``AWAY``."""
        for node in nodes:
            try:
                if (places := await self._ask(node)) is not ONE_SERVER:
                    return places
            except AWAY:
                continue
        return await self._ask(None)

    async def _ask(self, node: Node | None) -> Places:
        return await to_the_end(self._ask_now(node))

    async def _ask_now(self, node: Node | None) -> Places:
        async with self.client(node) as client:
            untyped: Any = client
            try:
                slots = await untyped.execute_command("CLUSTER", "SLOTS")
            except NoPermissionError:
                return ONE_SERVER
            except ResponseError as error:
                if any(words in str(error) for words in _NO_CLUSTER):
                    return ONE_SERVER
                raise
        return _parse(slots, self._options.get("host", "localhost") if node is None else node.host)


async def to_the_end(work: Awaitable[T]) -> T:
    """Do something with a server within ``TIMEOUT_SECONDS``: to its end, even where the caller is cancelled meanwhile.

    redis-py leaves a connection open whose making is cancelled.
    """

    async def in_time() -> T:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            return await work

    task = asyncio.create_task(in_time())
    task.add_done_callback(_retrieve_error)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait((task,))
        raise


def _retrieve_error(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()


def _parse(slots: Iterable[Any], host: str) -> Places:
    """Of an answer to ``CLUSTER SLOTS``; ``host``: who was asked, which stands for an address that it does not know."""
    partitions: defaultdict[Node | None, set[int]] = defaultdict(set)
    for first, last, primary, *_ in slots:
        node = Node((primary[0] or b"").decode() or host, primary[1])
        partitions[node].update(partition for partition, slot in enumerate(_SLOTS) if first <= slot <= last)
    if not partitions:
        raise RedisConnectionError("the cluster has no slots yet")
    return {node: frozenset(theirs) for node, theirs in partitions.items() if theirs}
