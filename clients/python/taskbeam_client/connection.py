"""One connection: requests and their answers, and every frame in the order in which it came."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final, NoReturn

from websockets.exceptions import ConnectionClosed

from taskbeam_client.errors import ClientDefect
from taskbeam_client.websocket import WebSocket

_QUIET_SECONDS: Final = 20.0  # until a ping is sent, and again until the connection is given up

Frame = dict[str, Any]


class Lost(Exception):
    """The connection is gone. ``code`` is the close code; ``None`` where there was no closing handshake."""

    def __init__(self, reason: str, code: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code


class Connection:
    """Args:
    on_frame: called for each frame, before whoever asked for it goes on.
    timeout: seconds in which the answer to a request must come, or at least go on coming.
    """

    def __init__(self, websocket: WebSocket, on_frame: Callable[[Frame], None], timeout: float) -> None:
        self._websocket = websocket
        self._on_frame = on_frame
        self._timeout = timeout
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Frame]] = {}

    async def run(self) -> None:
        """To be run as long as the connection is in use. Raises Lost, and ClientDefect for a frame that is not understood."""
        await until_one_fails(self._read(), self._keep_alive())

    async def _read(self) -> NoReturn:
        try:
            while True:
                message = await self._websocket.recv()
                try:
                    frame: Frame = json.loads(message)
                    self._on_frame(frame)
                    waiter = self._waiting.pop(frame.get("id", 0), None)
                except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
                    raise not_understood(message, error) from error
                if waiter is not None and not waiter.done():
                    waiter.set_result(frame)
        except ConnectionClosed as closed:
            raise _lost(closed) from None

    async def _keep_alive(self) -> NoReturn:
        """Ping when nothing came for a while, and end the connection when still nothing comes."""
        while True:
            quiet = time.monotonic() - self._websocket.last_received
            if quiet >= 2 * _QUIET_SECONDS:
                raise Lost(f"nothing was heard for {quiet:.0f} s")
            if quiet >= _QUIET_SECONDS:
                try:
                    async with asyncio.timeout(_QUIET_SECONDS):
                        await self._websocket.ping()
                except TimeoutError:
                    continue
                except ConnectionClosed as closed:
                    raise _lost(closed) from None
            await asyncio.sleep(_QUIET_SECONDS - quiet % _QUIET_SECONDS)

    async def ask(self, message: Frame) -> Frame:
        """Send a request and wait for its answer, which may be an error frame. Raises Lost."""
        request_id = next(self._ids)
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[Frame] = loop.create_future()
        asked = time.monotonic()
        timer: asyncio.TimerHandle

        def check_later(seconds: float) -> None:
            nonlocal timer
            timer = loop.call_later(seconds, check_progress)

        def check_progress() -> None:
            left = max(asked, self._websocket.last_progress) + self._timeout - time.monotonic()
            if left > 0:  # it is slow, but it comes
                check_later(left)
            elif not waiter.done():
                waiter.set_exception(Lost("no answer in time"))

        check_later(self._timeout)
        self._waiting[request_id] = waiter
        try:
            async with asyncio.timeout(self._timeout):
                await self._websocket.send(json.dumps({**message, "id": request_id}))
            return await waiter
        except TimeoutError:
            raise Lost("a request cannot be sent") from None
        except ConnectionClosed as closed:
            raise _lost(closed) from None
        finally:
            self._waiting.pop(request_id, None)
            timer.cancel()

    def drop(self) -> None:
        """Cut the connection without a word, as a network does."""
        self._websocket.transport.abort()


def not_understood(frame: object, error: Exception) -> ClientDefect:
    """To be raised from the error that a frame has led to."""
    return ClientDefect(f"a frame is not understood ({error!r}): {str(frame)[:200]}")


def _lost(closed: ConnectionClosed) -> Lost:
    """What the server closed with, or else what we had to close with."""
    close = closed.rcvd or closed.sent
    return Lost("no close frame") if close is None else Lost(close.reason, close.code)


async def until_one_fails(*coroutines: Coroutine[Any, Any, None]) -> None:
    """Run all together; the first error ends them all, and is raised as it is.

    Not a TaskGroup: before Python 3.13, one that is cancelled in the moment of an error forgets that it was.
    """
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in tasks:
        if task in done:
            task.result()
