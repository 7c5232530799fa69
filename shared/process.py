"""Runs either process: settings, event loop, stop signals, exit status."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Final

from shared.backend import Backend, open_backend, wait_for_database_server
from shared.descriptors import raise_file_limit
from shared.errors import FatalError, Unavailable
from shared.listening import check_inherited_socket
from shared.logs import configure_logging
from shared.parent import SUPERVISOR_PID, parent_ends
from shared.settings import PREFIX, ListenAddress, Settings, SettingsError, load_settings
from shared.startup import stop_signals

EXIT_SETTINGS: Final = 2
EXIT_FAILURE: Final = 1

log = logging.getLogger(__name__)


Serve = Callable[[Settings, Backend, asyncio.Future[signal.Signals]], Awaitable[None]]
"""Serves until the future is done; its result is the signal that ended it."""


def run(
    process: str,
    serve: Serve,
    environ: Mapping[str, str],
    listen_address: Callable[[Settings], ListenAddress],
) -> int:
    """Run a process, which listens at ``listen_address``, to its end; returns its exit status.

    0 after a stop signal (``shared.startup``), 2 for invalid settings, 1 for every other reason, which is logged.
    """
    try:
        settings = load_settings(environ)
        check_inherited_socket(listen_address(settings))
    except SettingsError as error:
        if environ.get(f"{PREFIX}LOG_FORMAT", "").lower() == "json":
            configure_logging(process, "json", "CRITICAL")
            _log_problems(error)
        else:
            print(error, file=sys.stderr)
        return EXIT_SETTINGS
    configure_logging(process, settings.log_format, settings.log_level)
    raise_file_limit()
    os.umask(0o077)
    _collect_garbage_seldom()
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_serve_until_signalled(settings, process, serve, environ.get(SUPERVISOR_PID)))
    except Exception as error:  # noqa: BLE001 - all of it is reported
        return _report(list(_leaves(error)))
    return 0


def _report(errors: Sequence[BaseException]) -> int:
    """Log why the process ends; returns its exit status. A ``FatalError`` ends the process here."""
    for error in errors:
        if isinstance(error, FatalError):
            log.critical("%s", error.reason)
            logging.shutdown()
            os._exit(EXIT_FAILURE)
    for error in errors:
        if isinstance(error, SettingsError):
            _log_problems(error)
        elif isinstance(error, Unavailable):
            log.critical("%s", error.reason)
        elif isinstance(error, OSError):
            log.critical("%s", error)
        else:
            log.critical("a defect ended this process", exc_info=error)
    return EXIT_SETTINGS if any(isinstance(error, SettingsError) for error in errors) else EXIT_FAILURE


def _log_problems(error: SettingsError) -> None:
    for problem in error.problems:
        log.critical("%s", problem)


def _collect_garbage_seldom() -> None:
    """Nearly all objects here are freed by reference counting. Searching for cycles after every 700 objects costs a
    tenth of the throughput. Imported objects live as long as the process, so they are never searched."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)
    gc.enable()  # shared.startup has disabled it


def _leaves(error: BaseException) -> Iterator[BaseException]:
    """The errors inside of the exception groups that task groups raise."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


async def _serve_until_signalled(
    settings: Settings, process: str, serve: Serve, supervisor: str | None
) -> None:
    loop = asyncio.get_running_loop()
    stop: asyncio.Future[signal.Signals] = loop.create_future()

    def on_signal(number: signal.Signals) -> None:
        if not stop.done():
            stop.set_result(number)

    for number in stop_signals():
        loop.add_signal_handler(number, on_signal, signal.Signals(number))
    async with asyncio.TaskGroup() as tasks:
        watches = []
        if supervisor is not None:
            watches.append(tasks.create_task(_end_with_supervisor(int(supervisor), on_signal)))
        await wait_for_database_server(settings, stop)
        if not stop.done():
            async with open_backend(settings, process) as backend:
                await serve(settings, backend, stop)
        for watch in watches:
            watch.cancel()


async def _end_with_supervisor(supervisor: int, on_signal: Callable[[signal.Signals], None]) -> None:
    await parent_ends(supervisor)
    log.warning("the supervisor is gone: this process ends")
    on_signal(signal.SIGTERM)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop where it is installed: it more than doubles the rate of messages."""
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
