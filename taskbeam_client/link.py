"""One connection: requests and their answers, and every frame to the client in the order of the stream."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

Frame = dict[str, Any]


class Lost(Exception):
    """The connection is gone. ``code`` is the close code; ``None`` where there was no closing handshake."""

    def __init__(self, reason: str, code: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code


class Link:
    """Args: ``on_frame`` is called for each frame, before whoever asked for it goes on."""

    def __init__(self, socket: ClientConnection, on_frame: Callable[[Frame], None], timeout: float) -> None:
        self._socket = socket
        self._on_frame = on_frame
        self._timeout = timeout
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Frame]] = {}

    async def read(self) -> NoReturn:
        """To be run as long as the link is in use. Raises Lost."""
        try:
            while True:
                frame: Frame = json.loads(await self._socket.recv())
                self._on_frame(frame)
                waiter = self._waiting.pop(frame.get("id", 0), None)
                if waiter is not None and not waiter.done():
                    waiter.set_result(frame)
        except ConnectionClosed as closed:
            raise _lost(closed) from None

    async def ask(self, message: Frame) -> Frame:
        """Send a request and wait for its answer, which may be an error frame. Raises Lost."""
        request_id = next(self._ids)
        waiter: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()
        self._waiting[request_id] = waiter
        try:
            async with asyncio.timeout(self._timeout):
                await self._socket.send(json.dumps({**message, "id": request_id}))
                return await waiter
        except TimeoutError:
            raise Lost("no answer in time") from None
        except ConnectionClosed as closed:
            raise _lost(closed) from None
        finally:
            self._waiting.pop(request_id, None)

    def drop(self) -> None:
        """Cut the connection without a word, as a network does."""
        self._socket.transport.abort()


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
