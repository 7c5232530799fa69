"""The change feed over HTTP by pages, and by long poll.

A poll reads the log from the client's own cursor; the process's feed only says when to look. So a poll that waits
costs an event and a timer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from aiohttp import web

from rest_gateway.endpoint import Endpoint
from rest_gateway.errors import json_response
from rest_gateway.keys import TASKS, TOKEN, WAITERS
from rest_gateway.parameters import parameter
from shared.errors import InvalidRequest
from shared.models import ChangePage
from shared.rules.queries import whole_number
from shared.wire import sync_json

WAIT_MAX: Final = 30  # seconds that a client may ask for
_WAIT_SECONDS: Final = 29.0  # at most: a proxy whose time-out is the usual 30 s would answer 504 in our place
SINCE_MAX: Final = 2**53


async def _changes(request: web.Request) -> web.Response:
    epoch = parameter(request, "epoch")
    if epoch is None:
        raise InvalidRequest("This parameter is required.", key="epoch")
    since = whole_number("since", parameter(request, "since"), 0, SINCE_MAX)
    wait = whole_number("wait", parameter(request, "wait"), 0, WAIT_MAX) if "wait" in request.query else 0
    tasks = request.app[TASKS]
    if wait:
        page = await _poll(request, epoch, since, wait)
    else:
        page = await tasks.changes(request[TOKEN].user_id, epoch, since)
    return json_response(sync_json(page, tasks.epoch))


async def _poll(request: web.Request, epoch: str, since: int, wait: int) -> ChangePage:
    """The first page that is not empty, or an empty one when the time is up or the waiter is over."""
    user_id, tasks = request[TOKEN].user_id, request.app[TASKS]
    loop = asyncio.get_running_loop()
    deadline = loop.time() + min(wait, _WAIT_SECONDS)
    async with request.app[WAITERS].waiting(request, request[TOKEN]) as waiter:
        page = await waiter.read(tasks.changes(user_id, epoch, since))
        while not (page.changes or page.reason) and await waiter.wait(deadline - loop.time()):
            page = await waiter.read(tasks.changes(user_id, epoch, since))
    return page


ENDPOINTS: Final[Mapping[str, Endpoint]] = {"/changes": Endpoint("Changes", {"GET": _changes})}
