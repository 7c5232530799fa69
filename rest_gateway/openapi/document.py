"""The OpenAPI 3.1 document of the gateway, made from its endpoints and the types of their bodies."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from rest_gateway.endpoint import Endpoint
from rest_gateway.openapi import accounts, changes, common, ops, tasks
from rest_gateway.openapi.request_types import PasswordChange, Registration
from shared.json_schema import Schema, components
from shared.rules.accounts import PASSWORD_MAX_LENGTH
from shared.settings import Settings

Endpoints = Mapping[str, Endpoint]

TOPICS: Final = {
    "Tasks": tasks.OPERATIONS,
    "Changes": changes.OPERATIONS,
    "Accounts": accounts.OPERATIONS,
    "Operation": ops.OPERATIONS,
}

_DESCRIPTION: Final = """\
Tasks of a user, over REST. Live changes come over the WebSocket, which has a document of its own at `/asyncapi.json`, by long poll, or as
server-sent events.

Log in at `POST /login/`, and send the access token as `Authorization: Bearer <token>`.

Paths with and without the slash at their end answer alike; HEAD is answered as GET, OPTIONS with `Allow`, any other method with 405.
JSON in and out; bodies may be forms, too. Texts are trimmed (passwords never), numbers become texts; unknown keys are ignored, and new
keys may come. Every answer has `X-Request-ID`: the request's own, if it sent one."""


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
            "title": "Taskbeam",
            "version": "1",
            "description": _DESCRIPTION,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": ".", "description": "Where this document comes from."}],
        "tags": [{"name": tag} for tag in TOPICS],
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
                    "description": "The access token of `POST /login/`.",
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
