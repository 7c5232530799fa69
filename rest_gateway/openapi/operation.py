"""One method of one path: what it takes, and every answer that it gives. How it is written in OpenAPI 3.1."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from rest_gateway.bodies import JSON
from shared.json_schema import Schema, reference


class Answer(NamedTuple):
    """An answer of one status.

    Attributes:
        body: its type, or several of which it is one.
        headers: those it always has.
        example: a body.
        cases: several bodies, by what has led to them.
    """

    description: str
    body: Any = None
    headers: tuple[str, ...] = ()
    media_type: str = JSON
    example: object = None
    cases: Mapping[str, object] = {}

    @property
    def types(self) -> tuple[Any, ...]:
        if self.body is None:
            return ()
        return self.body if isinstance(self.body, tuple) else (self.body,)

    def written(self) -> Schema:
        written: Schema = {
            "description": self.description,
            "headers": {
                name: {"$ref": f"#/components/headers/{name}"} for name in ("X-Request-ID", *self.headers)
            },
        }
        if self.types:
            schemas = [reference(declared) for declared in self.types]
            content: Schema = {"schema": schemas[0] if len(schemas) == 1 else {"anyOf": schemas}}
            if self.example is not None:
                content["example"] = self.example
            if self.cases:
                content["examples"] = {
                    re.sub(r"[^A-Za-z0-9]+", "-", case).strip("-"): {
                        "summary": case.replace("`", ""),  # no Markdown
                        "value": body,
                    }
                    for case, body in self.cases.items()
                }
            written["content"] = {self.media_type: content}
        return written


class Parameter(NamedTuple):
    """``place``: ``query``, ``header`` or ``path``. ``example``: the page fills it in, so one that is optional has none."""

    name: str
    place: str
    declared: Any
    description: str
    required: bool = False
    example: object = None

    def written(self) -> Schema:
        written = {
            "name": self.name,
            "in": self.place,
            "required": self.required,
            "description": self.description,
            "schema": reference(self.declared),
        }
        return written if self.example is None else {**written, "example": self.example}


class Body(NamedTuple):
    """A request's body; ``required``: a request without it is refused.

    That it may be a form is said in prose alone: of a body in several forms generators make clients that cannot be used.
    """

    declared: Any
    example: object
    required: bool = True

    def written(self) -> Schema:
        content = {JSON: {"schema": reference(self.declared), "example": self.example}}
        return {"required": self.required, "content": content}


class Operation(NamedTuple):
    """``name`` becomes a function's in clients that are generated."""

    name: str
    summary: str
    answers: Mapping[int, Answer]
    description: str = ""
    body: Body | None = None
    parameters: tuple[Parameter, ...] = ()

    @property
    def types(self) -> list[Any]:
        """All that occur in its bodies."""
        found = [declared for answer in self.answers.values() for declared in answer.types]
        return found if self.body is None else [*found, self.body.declared]

    def written(self, tag: str, answers: Mapping[int, Schema], *, public: bool) -> Schema:
        """``answers``: all of them, those that every operation gives among them."""
        written: Schema = {
            "operationId": self.name,
            "tags": [tag],
            "summary": self.summary,
            "security": [] if public else [{"bearer": []}],
            "responses": {str(status): answer for status, answer in sorted(answers.items())},
        }
        if self.description:
            written["description"] = self.description
        if self.parameters:
            written["parameters"] = [parameter.written() for parameter in self.parameters]
        if self.body is not None:
            written["requestBody"] = self.body.written()
        return written


Operations = Mapping[tuple[str, str], Operation]
"""By method and path, which is the one that the documents name: ``("GET", "/me/")``."""

TASK_EXAMPLE: Final = {
    "uuid": "16f894b8-cb89-4672-9561-0b80cc75ae1b",
    "user_id": 1,
    "time_created": "2026-11-22T11:57:25.175297Z",
    "time_modified": "2026-11-22T11:57:25.175297Z",
    "task": "Buy milk",
    "description": "2 litres",
    "completed": False,
    "rev": 1,
}
