"""The carrier over LISTEN and NOTIFY, where there is no message broker: hints say who has new changes, and up to which seq.

A NOTIFY takes a lock that all transactions which notify wait for, until its commit. So a commit of changes has none in it. A
connection of its own, which does not wait for the disk, sends what has gathered while the one before was on its way.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Coroutine, Iterable, Sequence
from contextlib import suppress
from typing import Any, Final, TypeVar

import asyncpg
import msgspec

from shared.feed.carrier import DROPPED, HintListener
from shared.feed.outages import Outage
from shared.metrics.catalogue import CARRIER_CONNECTED
from shared.models import Change
from shared.store.postgres.pooler import APPLICATION, is_behind_pooler

T = TypeVar("T")

BEAT_SECONDS: Final = 1.0
TIMEOUT_SECONDS: Final = 2.0  # of a connect, and of what is sent
_RETRY_SECONDS: Final = 0.5
_PAUSE_SECONDS: Final = (
    0.003  # between notices: each is heard by all processes, so what comes meanwhile goes together
)
_CHANNEL: Final = "taskbeam"
_SEQS_AT_ONCE: Final = 180  # two numbers of 19 digits each: a payload has less than 8000 bytes
_USERS_MAX: Final = 10 * _SEQS_AT_ONCE  # of whom hints wait; with more, all are told to look

log = logging.getLogger(__name__)


class _Hint(msgspec.Struct, omit_defaults=True):
    """What is sent. ``missed``: changes of anyone; ``beat``: by which its sender knows its own."""

    seqs: list[tuple[int, int]] = msgspec.field(default_factory=list)
    revocations: bool = False
    missed: bool = False
    beat: str = ""


_decode = msgspec.json.Decoder(_Hint).decode
_encode = msgspec.json.Encoder().encode


class NotifyCarrier:
    """A ``shared.feed.carrier.Carrier``.

    Args:
        dsn: of the server itself. Where a connection pooler is between, it says so, and hears and sends nothing.
    """

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._beat = secrets.token_hex(8)
        self._seqs: dict[int, int] = {}
        self._revocations = self._missed = False
        self._wanted = asyncio.Event()
        self._came_back = asyncio.Event()
        self._outage = Outage(
            log,
            "no notices of the database, changes of other hosts come a second late",
            "the notices of the database are back",
        )
        self._is_connected = False
        CARRIER_CONNECTED.read = lambda: int(self._is_connected)

    def publish(self, changes: Sequence[Change]) -> None:
        for change in changes:
            self._seqs[change.user_id] = change.seq
        if len(self._seqs) > _USERS_MAX:
            self._missed = True
            self._seqs.clear()
        self._wanted.set()

    def publish_revocations(self) -> None:
        self._revocations = True
        self._wanted.set()

    def follow(self, user_ids: Iterable[int]) -> None:
        """Hints for all users come anyway."""

    def unfollow(self, user_ids: Iterable[int]) -> None:
        """As ``follow``."""

    async def run(self, listener: HintListener) -> None:
        while True:
            try:
                await self._carry(listener)
            except (
                asyncpg.PostgresError,
                asyncpg.InterfaceError,
                asyncpg.InternalClientError,
                OSError,
            ) as error:
                self._is_connected = False
                DROPPED.value += len(self._seqs)
                self._seqs.clear()  # the sweeps of the others find what these would say
                self._revocations = self._missed = False
                self._outage.begin(error)
            await asyncio.sleep(_RETRY_SECONDS)

    async def _carry(self, listener: HintListener) -> None:
        """Until the connection is lost; raises OSError and the driver's errors."""
        connection: Any = await asyncpg.connect(
            self._dsn, timeout=TIMEOUT_SECONDS, server_settings={"application_name": APPLICATION}
        )

        def on_notice(_connection: object, _pid: int, _channel: str, payload: str) -> None:
            self._on_notice(payload, listener)

        try:
            if await _within_timeout(is_behind_pooler(connection)):
                # A connection to the server that others use after us must not be set to anything, nor listen.
                raise ConnectionError(
                    "a connection pooler passes none on; with TASKBEAM_EVENTS_URL they need none"
                )
            await _within_timeout(connection.execute("SET synchronous_commit = off"))
            await _within_timeout(connection.add_listener(_CHANNEL, on_notice))
            listener.on_missed(None)
            next_beat = time.monotonic()
            while True:
                if time.monotonic() >= next_beat:
                    await self._send_beat(connection)
                    next_beat = time.monotonic() + BEAT_SECONDS
                with suppress(TimeoutError):
                    async with asyncio.timeout(next_beat - time.monotonic()):
                        await self._wanted.wait()
                self._wanted.clear()
                for hint in self._taken():
                    await _send(connection, hint)
                    await asyncio.sleep(_PAUSE_SECONDS)
        finally:
            connection.terminate()

    async def _send_beat(self, connection: Any) -> None:
        self._came_back.clear()
        await _send(connection, _Hint(beat=self._beat))
        await _within_timeout(self._came_back.wait())
        self._is_connected = True
        self._outage.end()

    def _taken(self) -> list[_Hint]:
        """What has gathered."""
        seqs, self._seqs = list(self._seqs.items()), {}
        hints = [_Hint(seqs[start : start + _SEQS_AT_ONCE]) for start in range(0, len(seqs), _SEQS_AT_ONCE)]
        if self._revocations or self._missed:
            hints.append(_Hint(revocations=self._revocations, missed=self._missed))
            self._revocations = self._missed = False
        return hints

    def _on_notice(self, payload: str, listener: HintListener) -> None:
        try:
            hint = _decode(payload)
        except msgspec.DecodeError:  # of another version: the sweep finds the changes
            DROPPED.value += 1
            return
        if hint.beat == self._beat:
            self._came_back.set()
        for user_id, seq in hint.seqs:
            listener.on_seq(user_id, seq)
        if hint.revocations:
            listener.on_revocations()
        if hint.missed:
            listener.on_missed(None)


async def _send(connection: Any, hint: _Hint) -> None:
    await _within_timeout(connection.execute("SELECT pg_notify($1, $2)", _CHANNEL, _encode(hint).decode()))


async def _within_timeout(work: Coroutine[Any, Any, T]) -> T:
    """Raises TimeoutError; the connection is to be cut then. (The driver's own time-out waits for the server.)"""
    task = asyncio.ensure_future(work)
    try:
        done, _ = await asyncio.wait({task}, timeout=TIMEOUT_SECONDS)
        if not done:
            raise TimeoutError("PostgreSQL does not answer")
        return task.result()
    finally:
        task.cancel()
