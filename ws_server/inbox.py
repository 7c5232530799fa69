"""The messages of one socket, carried out one after the other, in order.

Most work waits once, for the store. So it is stepped by hand, and becomes a task only when it waits a second time:
before that there is no ``asyncio.current_task()``, which ``asyncio.timeout`` needs.
"""

from __future__ import annotations

import asyncio
import logging
import types
from collections import deque
from collections.abc import Awaitable, Coroutine, Generator
from typing import Any, Final, Protocol, cast

INBOX_HIGH: Final = 16  # messages that wait, before no more are read
INBOX_LOW: Final = 4
AT_ONCE: Final = 16  # messages of one socket, before it is another's turn

log = logging.getLogger(__name__)

Work = Coroutine[Any, Any, None]


class Handler(Protocol):
    """What a socket's messages are for."""

    def on_message(self, message: str) -> Work | None:
        """The work is done before the next message; ``None``: all is done already."""
        ...

    def on_binary(self) -> None: ...

    def on_control(self) -> None:
        """A ping, a pong, or a fragment too short to be of use came: it counts as a message does."""
        ...

    def on_disconnected(self) -> None:
        """The peer hears no more. Messages that it sent before may still come."""
        ...

    def on_closed(self) -> None:
        """The end: no message comes any more."""
        ...


class InboxOwner(Protocol):
    """The socket, which puts the messages in."""

    def on_full(self) -> None:
        """So many messages wait that no more should be put in."""
        ...

    def on_room(self) -> None:
        """So few messages wait that more may be put in."""
        ...

    def on_idle(self) -> None:
        """The last message was carried out."""
        ...

    def on_handler_error(self) -> None:
        """The handler has raised; the log has it."""
        ...


class Inbox:
    """``handler`` is ``None`` before the socket has one, and after its end."""

    __slots__ = ("_owner", "_waiting", "_work", "handler", "is_paused")

    def __init__(self, owner: InboxOwner) -> None:
        self.handler: Handler | None = None
        self._owner = owner
        # Messages that wait for the one in progress, for the reader of its answer, or for other sockets' turn.
        self._waiting: deque[str] | None = None
        self._work: Work | asyncio.Task[None] | None = None  # of the message in progress
        self.is_paused = False

    @property
    def is_idle(self) -> bool:
        return self._work is None and self._waiting is None

    @property
    def is_full(self) -> bool:
        return self._waiting is not None and len(self._waiting) >= INBOX_HIGH

    @property
    def has_room(self) -> bool:
        return self._waiting is None or len(self._waiting) <= INBOX_LOW

    def put(self, message: str, at_once: bool) -> None:
        """Carry out a message behind those that wait; ``at_once``: now, if there are none."""
        if self._waiting is not None:
            self._waiting.append(message)
            if len(self._waiting) == INBOX_HIGH:
                self._owner.on_full()
        elif self._work is None and at_once and not self.is_paused:
            self._start(message)
        else:
            self._waiting = deque((message,))
            if not at_once:
                asyncio.get_running_loop().call_soon(self._work_off)

    def pause(self) -> None:
        """Start no message until resumed."""
        self.is_paused = True

    def resume(self) -> None:
        self.is_paused = False
        if self._waiting is not None:
            asyncio.get_running_loop().call_soon(self._work_off)

    def drop_waiting(self) -> None:
        """What waits is not carried out. The message in progress is."""
        self._waiting = None

    def _start(self, message: str) -> None:
        """Do the message's work up to where it waits, if it does."""
        handler = self.handler
        if handler is None:
            return
        try:
            work = handler.on_message(message)
            if work is None:
                return
            awaited = work.send(None)
        except StopIteration:
            return
        except Exception:  # noqa: BLE001 - the log has it
            self._failed()
            return
        if isinstance(awaited, asyncio.Future):
            self._work = work
            awaited.add_done_callback(self._step)
        else:
            self._work = asyncio.get_running_loop().create_task(self._end_as_task(_rest_of(work, awaited)))

    def _step(self, awaited: asyncio.Future[Any]) -> None:
        """What the work waited for is there."""
        work = cast(Work, self._work)
        try:
            next_awaited = work.send(None)
        except StopIteration:
            self._on_work_done()
        except (Exception, asyncio.CancelledError):  # noqa: BLE001 - as above
            self._failed()
            self._on_work_done()
        else:
            rest = self._end_as_task(_rest_of(work, next_awaited))
            self._work = asyncio.get_running_loop().create_task(rest)

    async def _end_as_task(self, rest: Awaitable[None]) -> None:
        try:
            await rest
        except Exception:  # noqa: BLE001 - the log has it
            self._failed()
        finally:
            self._on_work_done()

    def _on_work_done(self) -> None:
        self._work = None
        if self._waiting is not None:
            self._work_off()
        else:
            self._owner.on_idle()

    def _work_off(self) -> None:
        """Start one message after the other until one waits, or the reader is too slow, or none is left."""
        for _ in range(AT_ONCE):
            if self._work is not None or self.is_paused or self._waiting is None or self.handler is None:
                return
            if not self._waiting:
                self._waiting = None
                self._owner.on_room()
                self._owner.on_idle()
                return
            message = self._waiting.popleft()
            if len(self._waiting) == INBOX_LOW:
                self._owner.on_room()
            self._start(message)
        asyncio.get_running_loop().call_soon(self._work_off)  # now it is the other sockets' turn

    def _failed(self) -> None:
        log.exception("a connection's handler failed")
        self._owner.on_handler_error()


@types.coroutine
def _rest_of(work: Work, awaited: object) -> Generator[Any, Any, None]:
    """The rest of work that was started by hand and waits for something."""
    while True:
        error: BaseException | None = None
        try:
            yield awaited
        except GeneratorExit:
            work.close()
            raise
        except BaseException as failure:  # noqa: BLE001 - of what it waits for: that is for the work to deal with
            error = failure
        try:
            awaited = work.send(None) if error is None else work.throw(error)
        except StopIteration:
            return
