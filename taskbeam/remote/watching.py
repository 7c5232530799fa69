"""Following a user's tasks: connected again and again, and stopped by a signal."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from typing import Final, Protocol

from taskbeam.errors import LoginOver, ServerAway
from taskbeam.remote.addresses import EXAMPLE_SOCKET
from taskbeam.remote.api import exchange, login_over
from taskbeam.remote.logins import Login, Logins
from taskbeam_client import Backoff, ClientDefect, Event, LoggedOut, TaskbeamClient, Unreachable

_FIRST_SECONDS: Final = 10.0
_TICK_SECONDS: Final = 0.2


class View(Protocol):
    """What shows it."""

    def connected(self, is_connected: bool) -> None:
        """Called when that changes: true means that nothing is missing, so what was missed may be told before."""

    def event(self, event: Event) -> None: ...

    def tick(self) -> None:
        """Called at first, and then several times a second."""


class KeptTokens:
    """Gives the client access tokens of the login that is kept, each once, and shares new ones with other commands."""

    def __init__(self, logins: Logins, login: Login) -> None:
        self._logins = logins
        self._login = login
        self._was_given = False

    async def __call__(self) -> str:
        try:
            if self._was_given:
                self._login = await asyncio.to_thread(self._logins.renewed, self._login, exchange)
        except ServerAway as error:
            raise Unreachable(error.message) from None
        except LoginOver as error:
            raise LoggedOut(error.message) from None
        self._was_given = True
        return self._login.access


class _LastWords(logging.Handler):
    """What the client has said of its troubles; nothing of it is printed."""

    text = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.text = record.getMessage()


def watch(logins: Logins, login: Login, view: View) -> None:
    """Until SIGINT, SIGTERM or SIGHUP. Raises CommandError."""
    words = _LastWords()
    log = logging.getLogger("taskbeam_client")
    log.setLevel(logging.INFO)
    log.propagate = False
    log.addHandler(words)
    try:
        with contextlib.suppress(asyncio.CancelledError):
            asyncio.run(_watch(login, KeptTokens(logins, login), view, words))
    except LoggedOut:
        raise login_over(login) from None
    except ClientDefect as defect:
        raise ServerAway(f"{defect}. If that is the wrong address, log in again with --socket.") from None
    finally:
        log.removeHandler(words)


async def _watch(login: Login, tokens: KeptTokens, view: View, words: _LastWords) -> None:
    this = asyncio.current_task()
    assert this is not None
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, this.cancel)
    client = TaskbeamClient(login.socket, tokens, backoff=Backoff(first=0.5, most=5.0))
    view.tick()
    async with client:
        try:
            async with asyncio.timeout(_FIRST_SECONDS):
                await client.ready()
        except TimeoutError:
            raise ServerAway(
                f"No WebSocket server answers at {login.socket} within {_FIRST_SECONDS:g} s"
                + (f": {words.text.rpartition(': ')[2]}" if words.text else "")
                + f". If it is elsewhere, log in again and say where: "
                f"taskbeam login {login.username} --url {login.url} --socket {EXAMPLE_SOCKET}"
            ) from None
        view.connected(True)
        both = [
            asyncio.create_task(_tell_events(client, view)),
            asyncio.create_task(_tell_state(client, view)),
        ]
        try:
            ended, _ = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            for task in ended:
                task.result()
        finally:
            for task in both:
                task.cancel()


async def _tell_events(client: TaskbeamClient, view: View) -> None:
    async for event in client.changes():
        view.event(event)


async def _tell_state(client: TaskbeamClient, view: View) -> None:
    was_connected = True
    while True:
        if client.connected != was_connected:
            was_connected = client.connected
            view.connected(was_connected)
        view.tick()
        await asyncio.sleep(_TICK_SECONDS)
