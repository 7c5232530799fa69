"""Answers and frames held against the documents of the API: the shared clients pass here all that they see.

What the documents do not name is an error here, although clients have to ignore it: a new key is described first.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, Final
from urllib.parse import urlsplit

import jsonschema_rs

from rest_gateway.app import ENDPOINTS
from rest_gateway.documents import make_endpoints
from rest_gateway.openapi.document import make_document
from shared.settings import load_settings
from ws_server import asyncapi

Schema = dict[str, Any]

_DETAIL: Final = {"anyOf": [{"$ref": f"#/components/schemas/{name}"} for name in ("Detail", "Unauthorized")]}
_OF_ANY_PATH: Final = frozenset({400, 401, 404, 405, 406, 408, 417, 503})
"""What a path or method that is not there may answer, or a request that is malformed before it is looked at."""


class Undocumented(AssertionError):
    """What the documents do not say."""


class OpenApi:
    """The gateway's document."""

    def __init__(self, document: Schema) -> None:
        self._document = document
        self._schemas = _Schemas(document)

    def check(self, method: str, target: str, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """Check an answer. Raises Undocumented."""
        where = f"{method} {target} {status}"
        if (method == "OPTIONS" and status < 400) or target.startswith(("/app/", "/docs/")):
            return  # the same everywhere; pages and their files
        operation = self._operation("GET" if method == "HEAD" else method, _path(target))
        answer: Schema
        if operation is None:
            if status not in _OF_ANY_PATH:
                raise Undocumented(f"{where}: there is no such operation")
            answer = {"content": {"application/json": {"schema": _DETAIL}}}
        elif str(status) in operation["responses"]:
            answer = self._resolved(operation["responses"][str(status)])
        else:
            raise Undocumented(f"{where}: the operation has no such status; {body[:300]!r}")
        self._check_headers(where, answer, {name.lower() for name in headers})
        content = answer.get("content")
        if content is None:
            if body:
                raise Undocumented(f"{where}: a body, where there is none")
        elif method != "HEAD":
            given = {name.lower(): value for name, value in headers.items()}
            media_type = given.get("content-type", "").partition(";")[0]
            if media_type not in content:
                raise Undocumented(f"{where}: media type {media_type!r}")
            if media_type == "application/json":
                self._schemas.check(where, content[media_type]["schema"], json.loads(body))

    def check_part(self, name: str, value: object) -> None:
        """Check a value against the schema of that name. Raises Undocumented."""
        self._schemas.check(name, {"$ref": f"#/components/schemas/{name}"}, value)

    def _check_headers(self, where: str, answer: Schema, given: set[str]) -> None:
        for name, header in answer.get("headers", {}).items():
            if self._resolved(header)["required"] and name.lower() not in given:
                raise Undocumented(f"{where}: no {name}")

    def _operation(self, method: str, path: str) -> Schema | None:
        for pattern, operations in self._paths:
            if pattern.fullmatch(path):
                found: Schema | None = operations.get(method.lower())
                return found
        return None

    @cached_property
    def _paths(self) -> list[tuple[re.Pattern[str], Schema]]:
        return [
            (re.compile(re.sub(r"\\{.*?\\}", "[^/]+", re.escape(path.rstrip("/"))) + "/?"), operations)
            for path, operations in self._document["paths"].items()
        ]

    def _resolved(self, part: Schema) -> Schema:
        if "$ref" not in part:
            return part
        _, components, kind, name = part["$ref"].split("/")
        found: Schema = self._document[components][kind][name]
        return found


def _path(target: str) -> str:
    return target.partition("?")[0] if target.startswith("/") else urlsplit(target).path


class AsyncApi:
    """The WebSocket server's document."""

    def __init__(self, document: Schema) -> None:
        self._document = document
        self._schemas = _Schemas(document)
        self._frames: dict[tuple[object, ...], list[str]] = {}
        for name in sorted(set(self._sent())):
            properties = document["components"]["schemas"][name]["properties"]
            self._frames.setdefault(tuple(map(_constant, map(properties.get, _KEYS))), []).append(name)

    def check(self, frame: Mapping[str, object]) -> None:
        """Check a frame of the server's. Raises Undocumented."""
        key = tuple(frame.get(name) for name in _KEYS)
        if frame.get("type") == "error":
            key = ("error", None, frame.get("code"), None)
        names = self._frames.get(key)
        if not names:
            raise Undocumented(f"there is no such frame: {str(frame)[:500]}")
        (name,) = names
        self._schemas.check(name, {"$ref": f"#/components/schemas/{name}"}, frame)

    def check_close(self, code: int | None) -> None:
        """Check the code of a close frame of the server's; 1000 and 1005 answer a client's. Raises Undocumented."""
        if code not in (1000, 1005) and str(code) not in self._document["channels"]["tasks"]["x-close-codes"]:
            raise Undocumented(f"there is no close code {code}")

    def _sent(self) -> Iterator[str]:
        for operation in self._document["operations"].values():
            sent = operation["messages"] if operation["action"] == "send" else operation["reply"]["messages"]
            yield from (reference["$ref"].rpartition("/")[2] for reference in sent)


_KEYS: Final = ("type", "mode", "code", "recovered")
"""What tells frames apart."""


def _constant(schema: Schema | None) -> object:
    match schema:
        case {"enum": [value]} | {"const": value}:
            return value
    return None


class _Schemas:
    """The components of a document, compiled where they are used."""

    def __init__(self, document: Schema) -> None:
        self._components = _closed(document["components"]["schemas"])
        self._validators: dict[str, jsonschema_rs.Draft202012Validator] = {}

    def check(self, where: str, schema: Schema, value: object) -> None:
        key = json.dumps(schema)
        validator = self._validators.get(key)
        if validator is None:
            whole = {**_closed(schema), "components": {"schemas": self._components}}
            validator = jsonschema_rs.Draft202012Validator(whole, validate_formats=True)
            self._validators[key] = validator
        try:
            validator.validate(value)
        except jsonschema_rs.ValidationError as error:
            raise Undocumented(f"{where}: {error}") from None


def _closed(schema: Any) -> Any:
    """An object may have the keys alone that the schema names."""
    if isinstance(schema, list):
        return [_closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(value) for key, value in schema.items()}
    if schema.get("type") == "object" and "properties" in schema:
        closed["additionalProperties"] = False
    return closed


class ApiDocuments:
    """Both documents, made when the first answer is checked: those of the source, or of a server that runs other code."""

    def __init__(self, openapi: Schema | None = None, asyncapi: Schema | None = None) -> None:
        self._openapi = openapi
        self._asyncapi = asyncapi

    @cached_property
    def openapi(self) -> OpenApi:
        return OpenApi(self._openapi or openapi_document())

    @cached_property
    def asyncapi(self) -> AsyncApi:
        return AsyncApi(self._asyncapi or asyncapi.make_document())


def openapi_document(**settings: str) -> Schema:
    """The gateway's, with these settings: ``PASSWORD_MIN_LENGTH="10"``."""
    loaded = load_settings({f"TASKBEAM_{name}": value for name, value in settings.items()})
    return make_document({**ENDPOINTS, **make_endpoints(ENDPOINTS, loaded)}, loaded)


documents = ApiDocuments()
"""Those that the shared clients check against."""
