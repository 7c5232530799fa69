"""The AsyncAPI document of the WebSocket, made from the types of its requests and frames and from its close codes.

The gateway serves it, and must not import this package. So ``python -m tests.docs.tables`` writes it into a file of the
gateway's, and a test fails while that file is not what this module makes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

from msgspec import Struct

from shared.json_schema import Schema, components, reference
from ws_server import frame_types as frames
from ws_server import request_types as requests
from ws_server.asyncapi_examples import EXAMPLES
from ws_server.close_codes import CLOSE_CODES
from ws_server.routes import PATHS

_ANY_TIME: Final = (frames.InvalidJson, frames.InvalidRequest, frames.RateLimited, frames.Internal)
_SESSION: Final = (*_ANY_TIME, frames.NotAuthenticated, frames.Unavailable)

OPERATIONS: Final[dict[type[Struct], tuple[type[Struct], ...]]] = {
    requests.Auth: (
        *(frames.Authenticated, frames.TokenMissing, frames.TokenNotValid, frames.UserMismatch),
        *(frames.Unavailable, *_ANY_TIME),
    ),
    requests.All: (frames.TaskList, *_SESSION),
    requests.Create: (frames.TaskCreated, frames.Invalid, frames.LimitReached, *_SESSION),
    requests.Read: (frames.TaskRead, frames.NotFound, *_SESSION),
    requests.Update: (frames.TaskUpdated, frames.NotFound, frames.Conflict, frames.Invalid, *_SESSION),
    requests.Delete: (frames.TaskDeleted, frames.NotFound, frames.Conflict, *_SESSION),
    requests.Batch: (
        *(frames.BatchDone, frames.NotFound, frames.Conflict, frames.Invalid, frames.LimitReached),
        *_SESSION,
    ),
    requests.Sync: (frames.Synced, frames.NotSynced, *_SESSION),
    requests.Ping: (frames.Pong, *_SESSION),
}
"""What may answer each request: what was asked for, then errors."""

PUSHED: Final = (frames.TaskCreated, frames.TaskUpdated, frames.TaskDeleted, frames.Expiring)
"""What comes without having been asked for."""

_DESCRIPTION: Final = """\
Live tasks over one WebSocket. Messages are text frames, one JSON object each. Unknown keys are ignored, and new keys may come.

## Begin

1. Get an access token: `POST /login/` of the REST API, with `username` and `password`.
2. Open the socket, and send `{"type": "auth", "token": "<access token>"}` as the first message, within ten seconds. A token never goes
into the address.
3. Send `{"mode": "all"}` for the list. From then on every change of the user's tasks arrives, whoever makes it.

## Requests and answers

A request may have an `id`, which its answer repeats. Requests of one connection are carried out and answered in order. The answer to
a create, update or delete is the frame that all sockets of the user get, with the `id` on the one that asked.

## Changes

Each change of the user's tasks has the next number, `seq`. From the `seq` of the auth answer on, all changes arrive on each of the
user's sockets, in order, without a gap or a duplicate. Keep the last `seq` and the `epoch`. After a lost connection, log in again if
necessary, send `auth`, then `sync` with them: its answer has what was missed, or says to ask for `all`.

## Errors

An error is a frame with `"type": "error"`, a `code` for programs and a `message` for people. The connection stays open unless the code's
description says that it is closed."""


def make_document() -> Schema:
    """The document for a server with the default settings."""
    messages: list[type[Struct]] = list(
        dict.fromkeys([*OPERATIONS, *(each for all in OPERATIONS.values() for each in all), *PUSHED])
    )
    channel = "#/channels/tasks"
    operations: dict[str, Any] = {
        f"ask{request.__name__}": {
            "action": "receive",
            "title": request.__name__,
            "summary": summary(request),
            "channel": {"$ref": channel},
            "messages": _references([request]),
            "reply": {"channel": {"$ref": channel}, "messages": _references(answers)},
        }
        for request, answers in OPERATIONS.items()
    }
    operations["push"] = {
        "action": "send",
        "title": "Push",
        "summary": "Every change of the user's tasks, whoever makes it; and the notice that the token ends soon.",
        "channel": {"$ref": channel},
        "messages": _references(PUSHED),
    }
    return {
        "asyncapi": "3.1.0",
        "info": {
            "title": "Taskbeam WebSocket",
            "version": "1",
            "description": f"{_DESCRIPTION}\n\n{_close_codes()}",
            "license": {"name": "MIT"},
        },
        "defaultContentType": "application/json",
        "servers": {"websocket": {"host": "127.0.0.1:8000", "protocol": "ws"}},
        "channels": {
            "tasks": {
                "address": PATHS[0],
                "title": "Tasks",
                "messages": {
                    each.__name__: {"$ref": f"#/components/messages/{each.__name__}"} for each in messages
                },
                "x-close-codes": {
                    str(row.code.value): {
                        "meaning": row.meaning,
                        "reasons": row.reasons,
                        "action": row.action.value,
                    }
                    for row in CLOSE_CODES
                },
            }
        },
        "operations": operations,
        "components": {
            "messages": {each.__name__: _message(each) for each in messages},
            "schemas": _plain(components(messages)),
        },
    }


def document_text() -> str:
    """The document as it stands in the gateway's file."""
    return json.dumps(make_document(), indent=1) + "\n"


def _references(types: Iterable[type[Struct]]) -> list[Schema]:
    return [{"$ref": f"#/channels/tasks/messages/{each.__name__}"} for each in types]


def _message(declared: type[Struct]) -> Schema:
    name = declared.__name__
    message: Schema = {"name": name, "title": name, "payload": reference(declared)}
    if declared not in OPERATIONS:  # a request's summary is that of its operation
        message["summary"] = summary(declared)
    if name in EXAMPLES:
        message["examples"] = [{"payload": EXAMPLES[name]}]
    return message


def summary(declared: type[Struct]) -> str:
    """The docstring, in Markdown."""
    return " ".join((declared.__doc__ or "").replace("``", "`").split())


def _close_codes() -> str:
    rows = ["## Close codes", "", "| code | meaning | what the client does |", "|---|---|---|"]
    rows += [f"| {row.code.value} | {row.meaning} | {row.action.value} |" for row in CLOSE_CODES]
    return "\n".join(rows)


def _plain(schema: Any) -> Any:
    """Without OpenAPI's discriminators: AsyncAPI's are texts, and each alternative says its own mode."""
    if isinstance(schema, list):
        return [_plain(item) for item in schema]
    if isinstance(schema, dict):
        return {key: _plain(value) for key, value in schema.items() if key != "discriminator"}
    return schema
