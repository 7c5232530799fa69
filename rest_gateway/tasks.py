"""Tasks: the list, single tasks with their revisions as ETags, and batches."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Awaitable, Mapping
from functools import lru_cache
from typing import Final

import msgspec
from aiohttp import hdrs, web

from rest_gateway.bodies import read_data
from rest_gateway.conditions import is_known, write_conditionally
from rest_gateway.endpoint import Endpoint
from rest_gateway.errors import HttpError, batch_error_response, json_response
from rest_gateway.keys import TASKS, TOKEN
from rest_gateway.pagination import LAST, LimitOffset, PageNumber, invalid_page, paginated, parse_page_number
from rest_gateway.parameters import parse_parameters
from rest_gateway.request_headers import prefers_html, require_json_accepted
from rest_gateway.web_page import sent_to_page
from shared.errors import TaskbeamError, Unavailable, UserGone, ValidationFailed
from shared.models import StoredTask, TaskQuery, Written
from shared.rules.fields import canonical_uuid
from shared.rules.queries import clean_query
from shared.rules.requests import clean_operations
from shared.wire import results_json

_KEYS: Final = uuid.UUID("6f1a2d5c-7b0e-5f43-9a53-4f1c0a7e2b11")  # namespace of Idempotency-Key (UUIDv5)
_KEY_MAX_LENGTH: Final = 255


@lru_cache(maxsize=256)
def _asked_for(query_string: str) -> tuple[TaskQuery, PageNumber | None]:
    """What a URL's query asks for; clients repeat theirs. Raises InvalidRequest, HttpError.

    An empty value is no filter, as in django-filter: forms and admin panels send all their fields.
    """
    given = {name: value for name, value in parse_parameters(query_string).items() if value.strip()}
    return clean_query(given), parse_page_number(given)


async def _list(request: web.Request) -> web.Response:
    query, page_number = _asked_for(request.rel_url.raw_query_string)
    user_id, tasks = request[TOKEN].user_id, request.app[TASKS]
    if page_number is not None:
        if page_number.number == LAST:
            counted = await tasks.find(user_id, msgspec.structs.replace(query, limit=1))
            page_number = page_number.last_of(counted.count)
        query = msgspec.structs.replace(query, limit=page_number.limit, offset=page_number.offset)
    page = await tasks.find(user_id, query)
    headers = {"X-Taskbeam-Seq": str(page.seq), "X-Taskbeam-Epoch": tasks.epoch}
    if query.limit is None:
        return json_response(page.json, headers=headers)
    if page_number is not None and page_number.offset >= max(page.count, 1):
        raise invalid_page()
    pagination = page_number or LimitOffset(query.limit, query.offset)
    return json_response(paginated(request, pagination, page), headers=headers)


async def _create(request: web.Request) -> web.Response:
    data = await read_data(request)
    user_id = request[TOKEN].user_id
    keys = request.headers.getall("Idempotency-Key", None)
    if keys is not None and data.get("uuid") is None:
        data["uuid"] = _key_uuid(user_id, ", ".join(keys))
    written = await request.app[TASKS].create(user_id, data)
    return _task_response(written.task, 200 if written.change is None else 201)


def _key_uuid(user_id: int, key: str) -> str:
    """The uuid (version 5) that a user's Idempotency-Key stands for. Raises HttpError 400."""
    if not key or len(key) > _KEY_MAX_LENGTH:
        raise HttpError(400, f"Idempotency-Key must have 1 to {_KEY_MAX_LENGTH} characters.")
    name = f"{user_id}:{key}".encode(errors="surrogateescape")  # the bytes as they came, UTF-8 or not
    return str(uuid.UUID(bytes=hashlib.sha1(_KEYS.bytes + name).digest()[:16], version=5))


def _task_response(task: StoredTask, status: int = 200) -> web.Response:
    return json_response(task.json, status, {"ETag": f'"{task.rev}"'})


def _task_id(request: web.Request) -> str:
    task_id = canonical_uuid(request.match_info["task_id"])
    if task_id is None:
        raise HttpError(404, "Not found.")
    return task_id


async def _read(request: web.Request) -> web.Response:
    task = await request.app[TASKS].read(request[TOKEN].user_id, _task_id(request))
    if is_known(request, task):
        return web.Response(status=304, headers={"ETag": f'"{task.rev}"'})
    return _task_response(task)


async def _update(request: web.Request) -> web.Response:
    user_id, task_id, tasks = request[TOKEN].user_id, _task_id(request), request.app[TASKS]
    try:
        data = await read_data(request)
    except (HttpError, ValidationFailed):
        await tasks.read(user_id, task_id)  # a task that is not there comes first, as in DRF
        raise

    def update(rev: int | None) -> Awaitable[Written]:
        return tasks.update(user_id, task_id, data, rev=rev)

    written = await write_conditionally(request, task_id, update)
    return _task_response(written.task)


async def _delete(request: web.Request) -> web.Response:
    user_id, task_id, tasks = request[TOKEN].user_id, _task_id(request), request.app[TASKS]

    def delete(rev: int | None) -> Awaitable[Written]:
        return tasks.delete(user_id, task_id, rev=rev)

    await write_conditionally(request, task_id, delete)
    return web.Response(status=204)


async def _batch(request: web.Request) -> web.Response:
    data = await read_data(request)
    try:
        operations = clean_operations(data.get("ops"))
        written = await request.app[TASKS].batch(request[TOKEN].user_id, operations)
    except (Unavailable, UserGone):
        raise
    except TaskbeamError as error:
        return batch_error_response(error)
    return json_response(b'{"results":%b}' % results_json(written))


def _accepts(request: web.Request) -> None:
    """A browser that opens the address is sent to the page; it sends no token then. Raises HttpError."""
    if (
        hdrs.AUTHORIZATION not in request.headers
        and request.method in (hdrs.METH_GET, hdrs.METH_HEAD)
        and prefers_html(request)
    ):
        raise sent_to_page(request)
    require_json_accepted(request)


ENDPOINTS: Final[Mapping[str, Endpoint]] = {
    "": Endpoint("Task List Create", {"GET": _list, "POST": _create}, accepts=_accepts),
    "/task/{task_id:[^/]+}": Endpoint(
        "Task Retrieve Update Destroy", {"GET": _read, "PUT": _update, "PATCH": _update, "DELETE": _delete}
    ),
    "/batch": Endpoint("Batch", {"POST": _batch}),
}
