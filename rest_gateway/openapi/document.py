"""The OpenAPI 3.1 document of the gateway, made from its endpoints and the types of their bodies."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from rest_gateway.endpoint import Endpoint
from rest_gateway.openapi import accounts, batches, changes, common, ops, tasks
from rest_gateway.openapi.request_types import PasswordChange, Registration
from shared.json_schema import Schema, components
from shared.rules.accounts import PASSWORD_MAX_LENGTH
from shared.settings import Settings

Endpoints = Mapping[str, Endpoint]

TOPICS: Final = {
    "Accounts": accounts.OPERATIONS,
    "Tasks": {**tasks.OPERATIONS, **batches.OPERATIONS},
    "Changes": changes.OPERATIONS,
    "Operation": ops.OPERATIONS,
}
_MEANING: Final = {
    "Accounts": "Register, log in, and keep a session.",
    "Tasks": "List, make, change and delete your tasks, one at a time or in a batch.",
    "Changes": "What has changed, by long poll or as server-sent events.",
    "Operation": "Probes, metrics, and the documents of the API.",
}

_DESCRIPTION: Final = """\
Tasks of a user, over REST. Live changes come over the WebSocket (its document is `/asyncapi.json`), by long poll, or as server-sent
events.

### Begin

1. Register at `POST /register/`, with a `username` and a `password`.
2. Log in at `POST /login/` with the same. The answer has two tokens: `access`, for an hour, and `refresh`, for a day, unless the server
is set otherwise.
3. Send the access token with each request: `Authorization: Bearer <access token>`. On this page, paste it at **Authorize**, without
`Bearer`; then **Execute** sends it.
4. When it has expired (401), get a new one at `POST /token-refresh/`.

### Requests

JSON in and out. Bodies other than a batch may be forms, too (`application/x-www-form-urlencoded`, `multipart/form-data`). Texts are trimmed (passwords never), numbers become texts, a boolean may be written `"true"`,
`"yes"`, `1` and so on. Unknown keys and parameters are ignored. Paths with and without the slash at their end answer alike. HEAD is
answered as GET, OPTIONS with `Allow`, any other method with 405.

### Answers

New keys may come, so ignore those that you do not know. Errors have a `detail`, or messages by the names of the bad fields; many have a
`code` for programs. Every answer has `X-Request-ID`: the request's own, if it sent one. It finds the request in the server's log."""


def make_document(endpoints: Endpoints, settings: Settings) -> Schema:
    """All operations that are described, with the limits of these settings.

    Raises:
        KeyError: one is of no endpoint.
    """
    operations = {key: operation for topic in TOPICS.values() for key, operation in topic.items()}
    types = [declared for operation in operations.values() for declared in operation.types]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Taskbeam REST API",
            "version": "1",
            "description": _DESCRIPTION,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": ".", "description": "The server that this document is from."}],
        "tags": [{"name": topic, "description": _MEANING[topic]} for topic in TOPICS],
        "paths": _paths(endpoints),
        "components": {
            "schemas": _with_limits(components([*types, *common.shared_types()]), settings),
            "responses": {name: answer.written() for name, answer in common.SHARED.values()},
            "headers": common.HEADERS,
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "The `access` token that `POST /login/` gives, without `Bearer`.",
                }
            },
        },
    }


def _paths(endpoints: Endpoints) -> Schema:
    by_path = {re.sub(r":[^}]*", "", path): endpoint for path, endpoint in endpoints.items()}
    paths: Schema = {}
    for tag, topic in TOPICS.items():
        for (method, path), operation in topic.items():
            endpoint = by_path[path.rstrip("/")]
            answers = common.answers(operation, endpoint)
            written = operation.written(tag, answers, public=endpoint.is_public)
            paths.setdefault(path, {})[method.lower()] = written
    return paths


def _with_limits(schemas: dict[str, Schema], settings: Settings) -> dict[str, Schema]:
    """New passwords have the limits of the settings."""
    for name in (Registration.__name__, PasswordChange.__name__):
        schemas[name]["properties"]["password"].update(
            minLength=settings.password_min_length, maxLength=PASSWORD_MAX_LENGTH
        )
    return schemas
