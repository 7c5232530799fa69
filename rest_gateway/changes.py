"""The change feed over HTTP: long poll and server-sent events.

Both read the log from the client's own cursor; the process's feed only says when to look. So an
idle waiter costs a future and a timer, and a slow reader holds nothing but its own place.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Final

from aiohttp import hdrs, web

from rest_gateway.bodies import require_json_accepted
from rest_gateway.endpoint import ACCOUNTS, TOKEN, Endpoint
from rest_gateway.errors import json_response
from rest_gateway.tasks import TASKS
from shared.changes import ChangeFeed
from shared.errors import InvalidRequest, Throttled, TokenRejected, Unavailable
from shared.models import Change, ChangePage
from shared.store import Revocation
from shared.tasks import TaskService
from shared.wire import change_json, sync_json

WAIT_MAX: Final = 30
COMMENT_SECONDS: Final = 15.0
_RETRY_SECONDS: Final = 5.0  # after which one above the limit may ask again


class Waiters:
    """Who waits for a user's next change; a listener of the change feed, see ``shared.changes.FeedListener``."""

    def __init__(self, feed: ChangeFeed, max_per_user: int) -> None:
        self._feed = feed
        self._max_per_user = max_per_user
        self._by_user: dict[int, set[asyncio.Event]] = {}
        self.stopping = False
        feed.subscribe(self)

    def wants_changes(self) -> bool:
        return bool(self._by_user)

    def on_changes(self, changes: list[Change]) -> None:
        for user_id in {change.user_id for change in changes}:
            self._wake(user_id)

    def on_revocations(self, revocations: list[Revocation]) -> None:
        for revocation in revocations:
            self._wake(revocation.user_id)

    def stop(self) -> None:
        """Let everybody go."""
        self.stopping = True
        for user_id in list(self._by_user):
            self._wake(user_id)

    def _wake(self, user_id: int) -> None:
        for event in self._by_user.get(user_id, ()):
            event.set()

    @asynccontextmanager
    async def waiting(self, user_id: int) -> AsyncIterator[asyncio.Event]:
        """An event that is set whenever there may be something new; who waits for it clears it before looking.

        Raises:
            Throttled: the user has as many streams and polls as are allowed.
            Unavailable: the change log cannot be read now.
        """
        event = asyncio.Event()
        events = self._by_user.setdefault(user_id, set())
        if len(events) >= self._max_per_user:
            raise Throttled(_RETRY_SECONDS)
        events.add(event)
        try:
            await self._feed.awake()
            yield event
        finally:
            events.discard(event)
            if not events:
                del self._by_user[user_id]


WAITERS: Final = web.AppKey("waiters", Waiters)


def _whole_number(request: web.Request, name: str, highest: int) -> int:
    """A query parameter. Raises InvalidRequest."""
    value = request.query.get(name, "")
    if not (value.isascii() and value.isdigit() and len(value) < 19 and int(value) <= highest):
        raise InvalidRequest(f"Must be an integer from 0 to {highest}.", key=name)
    return int(value)


async def _changes(request: web.Request) -> web.Response:
    if "epoch" not in request.query:
        raise InvalidRequest("This parameter is required.", key="epoch")
    epoch, since = request.query["epoch"], _whole_number(request, "since", 2**53)
    wait = _whole_number(request, "wait", WAIT_MAX) if "wait" in request.query else 0
    user_id, tasks, waiters = request[TOKEN].user_id, request.app[TASKS], request.app[WAITERS]
    if not wait:
        return json_response(sync_json(await tasks.changes(user_id, epoch, since), tasks.epoch))
    async with waiters.waiting(user_id) as event:
        page = await tasks.changes(user_id, epoch, since)
        with suppress(TimeoutError):
            async with asyncio.timeout(wait):
                while not (page.changes or page.reason or waiters.stopping):
                    await event.wait()
                    event.clear()
                    page = await tasks.changes(user_id, epoch, since)
    return json_response(sync_json(page, tasks.epoch))


def _accepts_event_stream(request: web.Request) -> None:
    if "text/event-stream" not in request.headers.get("Accept", ""):
        require_json_accepted(request)


class _EventStream:
    """One response of server-sent events (WHATWG HTML, section 9.2), and how far it has come."""

    def __init__(self, response: web.StreamResponse, tasks: TaskService, user_id: int) -> None:
        self._response = response
        self._tasks = tasks
        self._user_id = user_id
        self._seq = 0

    async def begin(self, last_event_id: str | None) -> None:
        """From now on, or after the event that the client names."""
        epoch, _, since = (last_event_id or "").rpartition(":")
        if not last_event_id:
            self._seq = await self._tasks.seq(self._user_id)
            await self._response.write(b":\n\n")
        elif since.isascii() and since.isdigit() and len(since) < 19:
            self._seq = int(since)
            await self.send_new(epoch)
        else:
            await self._reset(
                ChangePage([], await self._tasks.seq(self._user_id), more=False, reason="seq_unknown")
            )

    async def send_new(self, epoch: str) -> None:
        """Send what has come since the last event; raises ConnectionError when the client has gone."""
        more = True
        while more:
            page = await self._tasks.changes(self._user_id, epoch, self._seq)
            if page.reason is not None:
                await self._reset(page)
                return
            if page.changes:
                await self._response.write(b"".join(self._event(change) for change in page.changes))
            self._seq, more = page.seq, page.more

    async def _reset(self, page: ChangePage) -> None:
        self._seq = page.seq
        body = sync_json(page, self._tasks.epoch)
        await self._response.write(b"event: reset\nid: %b\ndata: %b\n\n" % (self._id(page.seq), body))

    def _event(self, change: Change) -> bytes:
        return b"event: change\nid: %b\ndata: %b\n\n" % (self._id(change.seq), change_json(change))

    def _id(self, seq: int) -> bytes:
        return f"{self._tasks.epoch}:{seq}".encode()

    async def send_comment(self) -> None:
        await self._response.write(b":\n\n")


async def _events(request: web.Request) -> web.StreamResponse:
    user_id, token = request[TOKEN].user_id, request[TOKEN]
    waiters, tasks = request.app[WAITERS], request.app[TASKS]
    response = web.StreamResponse(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
    response.content_type = "text/event-stream"
    if request.method == hdrs.METH_HEAD:
        return response
    async with waiters.waiting(user_id) as event:
        await response.prepare(request)
        stream = _EventStream(response, tasks, user_id)
        with suppress(ConnectionError, TokenRejected, Unavailable):  # the client comes back with its last id
            await stream.begin(request.headers.get("Last-Event-ID"))
            while (left := token.exp - time.time()) > 0 and not waiters.stopping:
                try:
                    async with asyncio.timeout(min(COMMENT_SECONDS, left)):
                        await event.wait()
                except TimeoutError:
                    await stream.send_comment()
                    continue
                event.clear()
                await request.app[ACCOUNTS].identify(token)
                await stream.send_new(tasks.epoch)
    return response


ENDPOINTS: Final[Mapping[str, Endpoint]] = {
    "/changes": Endpoint("Changes", {"GET": _changes}),
    "/events": Endpoint("Events", {"GET": _events}, accepts=_accepts_event_stream),
}
