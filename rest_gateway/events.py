"""The change feed as server-sent events (WHATWG HTML, section 9.2).

A stream reads the log from its own position, so a slow reader costs no more memory than that.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Final, NamedTuple

from aiohttp import hdrs, web

from rest_gateway.endpoint import Endpoint
from rest_gateway.keys import TASKS, TOKEN, WAITERS
from rest_gateway.parameters import parameter
from rest_gateway.request_headers import accepts, require_json_accepted
from rest_gateway.waiting import Waiter
from shared.errors import TokenRejected, Unavailable
from shared.models import ChangePage
from shared.tasks import TaskService
from shared.wire import change_json, sync_json

COMMENT_SECONDS: Final = 15.0
_PIECE_BYTES: Final = 65_536  # this much waits in the connection's buffer beside the page that it is of
# A line of its own, but no blank line after it: @microsoft/fetch-event-source 2.0 makes an empty event of that.
_COMMENT: Final = b": keep-alive\n"
_HEADERS: Final = {
    "Cache-Control": "no-store, no-transform",  # a proxy that compresses would hold events back
    "X-Accel-Buffering": "no",  # nginx's word for the same
}
_EVENT_ID: Final = re.compile(r"([\w-]{1,64}):([0-9]{1,18})", re.ASCII)


class _Position(NamedTuple):
    """A position in the log, which is an event's id. ``epoch`` is empty where the client named none that could be."""

    epoch: str
    seq: int

    def __str__(self) -> str:
        return f"{self.epoch}:{self.seq}"


def _last_position(request: web.Request) -> _Position | None:
    """After which event the client wants to go on, if it says so.

    The header is what a client sends that comes back. The parameter is for those that cannot send one, and stays in
    the address of those that can.
    """
    headers = request.headers.getall("Last-Event-ID", ())
    given = (headers[-1] if headers else "") or parameter(request, "lastEventId")
    if not given:
        return None
    match = _EVENT_ID.fullmatch(given)
    return _Position(match[1], int(match[2])) if match else _Position("", 0)


class EventStream:
    """One response, and how far it has come."""

    def __init__(
        self, response: web.StreamResponse, waiter: Waiter, tasks: TaskService, user_id: int
    ) -> None:
        self._response = response
        self._waiter = waiter
        self._tasks = tasks
        self._user_id = user_id
        self._seq = 0

    async def start(self, last: _Position | None) -> None:
        """From now on, or after the last event of the client.

        The first event says after which change the stream goes on. Of one that cannot be resumed it repeats what the
        client named: should the connection be cut before the reset arrives, the client comes back for the reset.
        """
        if last is None:
            seq = await self._waiter.read(self._tasks.seq(self._user_id))
            last = _Position(self._tasks.epoch, seq)
        self._seq = last.seq
        await self._send(b'event: ready\nid: %b\ndata: {"epoch":"%b","seq":%d}\n\n' % (
            str(last).encode(), last.epoch.encode(), last.seq
        ))  # fmt: skip
        await self._send_after(last)

    async def send_new(self) -> None:
        """Send what has come since the last event."""
        await self._send_after(_Position(self._tasks.epoch, self._seq))

    async def _send_after(self, position: _Position) -> None:
        """Raises ConnectionError where the client has gone, TokenRejected."""
        more = True
        while more and not self._waiter.is_over:
            page = await self._waiter.read(self._tasks.changes(self._user_id, position.epoch, self._seq))
            await self._send(self._reset(page) if page.reason else self._events(page))
            self._seq, more = page.seq, page.more

    async def send_comment(self) -> None:
        """Something for proxies and clients that give up on a silent connection. Raises as ``_send_after``."""
        await self._waiter.check()
        await self._send(_COMMENT)

    def _events(self, page: ChangePage) -> bytes:
        epoch = self._tasks.epoch.encode()
        return b"".join(
            b"event: change\nid: %b:%d\ndata: %b\n\n" % (epoch, change.seq, change_json(change))
            for change in page.changes
        )

    def _reset(self, page: ChangePage) -> bytes:
        epoch = self._tasks.epoch
        return b"event: reset\nid: %b:%d\ndata: %b\n\n" % (epoch.encode(), page.seq, sync_json(page, epoch))

    async def _send(self, data: bytes) -> None:
        """A client that takes nothing is cut after a while: see ``rest_gateway.connection_limits``."""
        for start in range(0, len(data), _PIECE_BYTES):
            await self._response.write(data[start : start + _PIECE_BYTES])


async def _events(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers=_HEADERS)
    response.content_type = "text/event-stream"
    if request.method == hdrs.METH_HEAD:
        return response
    last = _last_position(request)
    async with request.app[WAITERS].waiting(request, request[TOKEN]) as waiter:
        await response.prepare(request)
        stream = EventStream(response, waiter, request.app[TASKS], request[TOKEN].user_id)
        with suppress(ConnectionError, TokenRejected, Unavailable):  # the client comes back with its last id
            await stream.start(last)
            while not waiter.is_over:
                if await waiter.wait(COMMENT_SECONDS):
                    await stream.send_new()
                elif not waiter.is_over:
                    await stream.send_comment()
    return response


def _require_accepted(request: web.Request) -> None:
    """A client that takes JSON alone gets the stream too: curl and the like do not say what they take."""
    if not accepts(request, "text/event-stream"):
        require_json_accepted(request)


ENDPOINTS: Final[Mapping[str, Endpoint]] = {
    "/events": Endpoint("Events", {"GET": _events}, accepts=_require_accepted)
}
