"""What both processes do alike: read the settings, open the shared parts, run until told to stop."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Final, NamedTuple

from shared.auth.accounts import AccountService
from shared.auth.authenticator import Authenticator
from shared.auth.hash_renewal import HashRenewal
from shared.auth.key_file import KeyFile, fingerprint
from shared.auth.password_hasher import PasswordHasher
from shared.auth.services import make_auth_services
from shared.auth.sessions import SessionService
from shared.auth.tokens import TokenCodec
from shared.auth.verified_tokens import VerifiedTokens
from shared.clock import system_clock
from shared.descriptors import raise_file_limit
from shared.errors import FilesChanged, Unavailable
from shared.feed.tail import ChangeFeed, open_feed
from shared.listening import check_inherited_socket
from shared.logs import configure_logging
from shared.settings import PREFIX, ListenAddress, Settings, SettingsError, load_settings
from shared.startup import stop_signals
from shared.store import Store
from shared.store.opening import open_store
from shared.tasks import TaskService

EXIT_SETTINGS: Final = 2
EXIT_FAILURE: Final = 1

log = logging.getLogger(__name__)


class Backend(NamedTuple):
    """The shared parts, open."""

    store: Store
    feed: ChangeFeed
    tasks: TaskService
    accounts: AccountService
    sessions: SessionService
    authenticator: Authenticator


Serve = Callable[[Settings, Backend, asyncio.Future[signal.Signals]], Awaitable[None]]
"""Serves until the future is done; its result is the signal that ended it."""


@asynccontextmanager
async def open_backend(settings: Settings, process: str) -> AsyncIterator[Backend]:
    """Open store, feed and services for a process of that name. Raises Unavailable."""
    async with open_store(settings) as store:
        key_file = None if settings.secret_key else KeyFile(store.beside(".key"))
        codec = TokenCodec(
            await _signing_key(settings, store, key_file), settings.secret_keys_old, system_clock
        )
        hasher = PasswordHasher(settings.bcrypt_rounds)
        renewal = HashRenewal(store, hasher)
        verified = VerifiedTokens(system_clock)
        try:
            async with (
                open_feed(store, store.beside("-wake"), process) as feed,
                asyncio.TaskGroup() as tasks,
            ):
                feed.subscribe(verified)
                helpers = [tasks.create_task(renewal.run())]
                if key_file is not None:
                    helpers.append(tasks.create_task(key_file.watch()))
                yield Backend(
                    store,
                    feed,
                    TaskService(store, settings.max_tasks_per_user),
                    *make_auth_services(store, hasher, codec, verified, renewal, settings),
                )
                for helper in helpers:
                    helper.cancel()
        finally:
            hasher.close()


async def _signing_key(settings: Settings, store: Store, key_file: KeyFile | None) -> str:
    """The key of this process. Says so where it is not the one of those before it, or beside it."""
    former = await store.signing_key()
    if key_file is None:
        key, source = settings.secret_key, f"{PREFIX}SECRET_KEY"
    else:
        try:
            await key_file.open(expected=former.fingerprint is not None and former.has_users)
        except (OSError, ValueError) as error:
            raise Unavailable(f"no secret key: {error}") from error
        key, source = key_file.key, str(key_file.path)
    if fingerprint(key) == former.fingerprint:
        return key
    with suppress(Unavailable):  # a full disk: reading goes on
        await store.set_signing_key(fingerprint(key))
    is_new = former.fingerprint is not None or (key_file is not None and key_file.was_made)
    old = {fingerprint(each) for each in settings.secret_keys_old}
    if former.has_users and is_new and former.fingerprint not in old:
        log.warning(
            "the key in %s is another one than this database's was: tokens that were signed before are refused here, "
            "and those of this process wherever the other key is still in use",
            source,
        )
    return key


def run(
    process: str,
    serve: Serve,
    environ: Mapping[str, str],
    listen_address: Callable[[Settings], ListenAddress],
) -> int:
    """Run a process, which listens at ``listen_address``, to its end; returns its exit status.

    0 after a signal that asks for an end (``shared.startup``), 2 for bad settings, 1 for all else, with the reason in the log.
    """
    try:
        settings = load_settings(environ)
        check_inherited_socket(listen_address(settings))
    except SettingsError as error:
        print(error, file=sys.stderr)
        return EXIT_SETTINGS
    configure_logging(process, settings.log_format, settings.log_level)
    raise_file_limit()
    os.umask(0o077)
    _collect_garbage_seldom()
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_serve_until_signalled(settings, process, serve))
    except Exception as error:
        leaves = list(_leaves(error))
        for leaf in leaves:
            if isinstance(leaf, FilesChanged):
                log.critical("%s", leaf.reason)
                # The interpreter's own end would close SQLite's connections, which must stay open: see FilesChanged.
                logging.shutdown()
                os._exit(EXIT_FAILURE)
        for leaf in leaves:
            if isinstance(leaf, SettingsError):
                print(leaf, file=sys.stderr)
            elif isinstance(leaf, Unavailable):
                log.critical("%s", leaf.reason)
            elif isinstance(leaf, OSError):
                log.critical("%s", leaf)
            else:
                log.critical("a defect ended this process", exc_info=leaf)
        return EXIT_SETTINGS if any(isinstance(leaf, SettingsError) for leaf in leaves) else EXIT_FAILURE
    return 0


def _collect_garbage_seldom() -> None:
    """Nearly everything here dies by its reference count; to look for cycles after every 700 objects costs a tenth of
    the throughput. What was imported lives as long as the process, and is not looked through at all."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


def _leaves(error: BaseException) -> Iterator[BaseException]:
    """The errors themselves, out of the groups that task groups put them in."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


async def _serve_until_signalled(settings: Settings, process: str, serve: Serve) -> None:
    loop = asyncio.get_running_loop()
    stop: asyncio.Future[signal.Signals] = loop.create_future()

    def on_signal(number: signal.Signals) -> None:
        if not stop.done():
            stop.set_result(number)

    for number in stop_signals():
        loop.add_signal_handler(number, on_signal, signal.Signals(number))
    async with open_backend(settings, process) as backend:
        await serve(settings, backend, stop)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop where it is installed: it more than doubles the rate of messages."""
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
