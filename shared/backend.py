"""The parts that both processes are made of: store, change feed and services, opened for one process."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

from shared.auth.accounts import AccountService
from shared.auth.authenticator import Authenticator
from shared.auth.hash_renewal import HashRenewal
from shared.auth.key_choice import choose_keys
from shared.auth.key_file import KeyFile
from shared.auth.password_hasher import PasswordHasher
from shared.auth.services import make_auth_services
from shared.auth.sessions import SessionService
from shared.auth.shared_attempts import SharedAttempts
from shared.auth.tokens import TokenCodec
from shared.auth.verified_tokens import VerifiedTokens
from shared.clock import system_clock, uptime
from shared.errors import Unavailable
from shared.feed import ChangeFeed
from shared.metrics.publisher import Publisher, open_publisher
from shared.settings import Settings
from shared.store import Store
from shared.store.opening import open_database, require_server
from shared.store.shared_counts import ConnectionCounts
from shared.tasks import TaskService

_SERVER_SECONDS: Final = 20.0  # less than `taskbeam serve` waits for its servers
_SERVER_RETRY_SECONDS: Final = 0.5

log = logging.getLogger(__name__)


class Backend(NamedTuple):
    """The shared parts, open.

    Args:
        beside: the path of a file of ours beside the database, by its suffix.
        connection_counts: of the processes of all machines; ``None``: each limits its own.
    """

    store: Store
    beside: Callable[[str], Path]
    feed: ChangeFeed
    tasks: TaskService
    accounts: AccountService
    sessions: SessionService
    authenticator: Authenticator
    metrics: Publisher
    connection_counts: ConnectionCounts | None


async def wait_for_database_server(settings: Settings, stop: asyncio.Future[Any]) -> None:
    """The database's server may start after this process, as when both machines are switched on: wait a while,
    or until ``stop``.

    Raises:
        Unavailable: it does not come.
    """
    deadline, told = time.monotonic() + _SERVER_SECONDS, False
    while not stop.done():
        try:
            await require_server(settings.database_url)
            return
        except Unavailable as error:
            if time.monotonic() > deadline:
                raise
            if not told:
                log.warning("%s; waiting for it", error.reason)
                told = True
        await asyncio.wait((stop,), timeout=_SERVER_RETRY_SECONDS)


@asynccontextmanager
async def open_backend(settings: Settings, process: str) -> AsyncIterator[Backend]:
    """Open store, feed and services for a process of that name. Raises Unavailable."""
    async with (
        open_database(settings.database_url, settings.events_url) as database,
        AsyncExitStack() as stack,
    ):
        store = database.store
        key_file = None if settings.secret_key else KeyFile(database.beside(".key"))
        counts = database.counts
        signing, *others = await choose_keys(settings, store, key_file, others_sign=counts is not None)
        codec = TokenCodec(signing, others, system_clock)
        hasher = PasswordHasher(settings.bcrypt_rounds)
        renewal = HashRenewal(store, hasher)
        verified = VerifiedTokens(system_clock)
        attempts = SharedAttempts(counts.attempts, uptime) if counts else None
        try:
            async with database.open_feed(process) as feed, asyncio.TaskGroup() as tasks:
                metrics = stack.enter_context(
                    open_publisher(database.beside("-metrics"), process, feed, database.beside("-wal"))
                )
                feed.subscribe(verified)
                helpers = [
                    tasks.create_task(renewal.run()),
                    tasks.create_task(metrics.run()),
                    tasks.create_task(metrics.count_changes(store.count_changes)),
                ]
                if attempts is not None:
                    helpers.append(tasks.create_task(attempts.run()))
                if key_file is not None:
                    helpers.append(tasks.create_task(key_file.watch()))
                yield Backend(
                    store,
                    database.beside,
                    feed,
                    TaskService(store, settings.max_tasks_per_user),
                    *make_auth_services(
                        store, hasher, codec, verified, renewal, settings, shared_attempts=attempts
                    ),
                    metrics,
                    counts.connections if counts else None,
                )
                for helper in helpers:
                    helper.cancel()
        finally:
            hasher.close()
