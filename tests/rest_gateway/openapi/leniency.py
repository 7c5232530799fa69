"""What the gateway takes although its document does not offer it, as the original did. Schemathesis loads this as its hooks.

The document says what to send. Read more freely, as Django REST Framework reads it, some other requests are good as well;
only these may be accepted against the document.
"""

from __future__ import annotations

from typing import Any, Final

import jsonschema_rs
import schemathesis
from schemathesis.core import NotSet
from schemathesis.core.failures import AcceptedNegativeData, Failure
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation.case import Case
from schemathesis.hooks import HookContext

from rest_gateway.changes import WAIT_MAX
from shared.rules.fields import FieldError, clean_boolean
from tests.support.api_documents import openapi_document

Schema = dict[str, Any]

_DOCUMENT: Final = openapi_document()
_PAGES: Final = ({"limit", "offset"}, {"page", "page_size"})


@schemathesis.hook
def before_call(context: HookContext, case: Case[Any], kwargs: dict[str, Any]) -> None:
    """Nothing is waited for; and since OpenAPI cannot say that parameters exclude each other, one kind of pages is taken out."""
    query = case.query or {}
    wait = str(query.get("wait", ""))
    if wait.isdecimal() and int(wait) <= WAIT_MAX:
        query["wait"] = 0
    assert case.meta is not None
    if case.meta.generation.mode.is_positive and all(kind & set(query) for kind in _PAGES):
        tested = getattr(case.meta.phase.data, "parameter", None)
        for name in _PAGES[0] if tested in _PAGES[1] else _PAGES[1]:
            query.pop(name, None)


@schemathesis.hook
def filter_failure(context: HookContext, failure: Failure, case: Case[Any], response: object) -> bool:
    """Whether it is one."""
    return not (isinstance(failure, AcceptedNegativeData) and _is_good_when_read_freely(case))


def _is_good_when_read_freely(case: Case[Any]) -> bool:
    assert case.meta is not None
    operation = _DOCUMENT["paths"][case.operation.path][case.method.lower()]
    negative = {place for place, info in case.meta.components.items() if info.mode.is_negative}
    readers = {
        ParameterLocation.QUERY: _is_good_query,
        ParameterLocation.HEADER: _are_good_headers,
        ParameterLocation.BODY: _is_good_body,
    }
    return bool(negative) and all(place in readers and readers[place](operation, case) for place in negative)


def _is_good_query(operation: Schema, case: Case[Any]) -> bool:
    """Unknown parameters are ignored; blank ones are left out."""
    query = dict(case.query or {})
    for parameter in operation.get("parameters", []):
        if parameter["in"] != "query":
            continue
        value = query.get(parameter["name"], "")
        if _is_blank(value) and not parameter["required"]:
            continue
        if not _is_valid(parameter["schema"], _read(parameter["schema"], value)):
            return False
    return True


def _is_blank(value: Any) -> bool:
    """Whether nothing of it stands in a query."""
    items = value.values() if isinstance(value, dict) else value
    return value in ("", None) or (isinstance(value, (dict, list)) and all(map(_is_blank, items)))


def _are_good_headers(operation: Schema, case: Case[Any]) -> bool:
    """A malformed If-None-Match on a GET is none. An Idempotency-Key counts only where the body has no uuid."""
    names = {name.lower() for name in case.headers or {}}
    if case.method == "GET":
        return "if-none-match" in names
    has_uuid = isinstance(case.body, dict) and case.body.get("uuid") not in (None, "")
    return "idempotency-key" in names and has_uuid


def _is_good_body(operation: Schema, case: Case[Any]) -> bool:
    if isinstance(case.body, NotSet) or case.media_type not in operation["requestBody"]["content"]:
        return False
    schema = operation["requestBody"]["content"][case.media_type]["schema"]
    return _is_valid(schema, _read(schema, case.body))


def _read(schema: Schema, value: Any) -> Any:
    """Numbers become texts, texts are trimmed, booleans have other spellings, unknown keys are ignored."""
    if "$ref" in schema:
        return _read(_DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]], value)
    if "anyOf" in schema:
        ways = [_read(each, value) for each in schema["anyOf"]]
        good = [way for each, way in zip(schema["anyOf"], ways, strict=True) if _is_valid(each, way)]
        return good[0] if good else value
    match schema.get("type"), value:
        case "object", dict():
            properties = schema.get("properties", {})
            return {name: _read(properties[name], item) for name, item in value.items() if name in properties}
        case "array", list():
            return [_read(schema["items"], item) for item in value]
        case "boolean", _:
            try:
                return clean_boolean(value)
            except FieldError:
                return value
        case "integer", str() if value.isdecimal():  # so it stands in a query
            return int(value)
        case "string", str():
            return value.strip()
        case "string", (int() | float()) if not isinstance(value, bool):
            return str(value)
    return value


def _is_valid(schema: Schema, value: Any) -> bool:
    whole = {**schema, "components": _DOCUMENT["components"]}
    return jsonschema_rs.Draft202012Validator(whole, validate_formats=True).is_valid(value)
