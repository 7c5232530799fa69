"""JSON Schemas of types, for the documents of the API: what OpenAPI and AsyncAPI call components."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any, Final

import msgspec

Schema = dict[str, Any]

_PREFIX: Final = "#/components/schemas/"


def reference(declared: Any) -> Schema:
    """A reference to the schema of a struct, or the schema of any other type, with references in it."""
    (schema,), _ = msgspec.json.schema_components([declared], ref_template=_PREFIX + "{name}")
    completed: Schema = _completed(schema)
    return completed


def components(types: Iterable[Any]) -> dict[str, Schema]:
    """The schemas of all structs that are or occur in these types, by their names, in alphabetical order."""
    _, found = msgspec.json.schema_components(types, ref_template=_PREFIX + "{name}")
    return {name: _completed(schema) for name, schema in sorted(found.items())}


def _completed(schema: Any) -> Any:
    """msgspec leaves out the type of an enumeration, and leaves docstrings as they stand in the source."""
    if isinstance(schema, list):
        return [_completed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: _completed(value) for key, value in schema.items()}
    if isinstance(made.get("enum"), list):
        made = {"type": "string", **made}
    if isinstance(made.get("description"), str):
        made["description"] = inspect.cleandoc(made["description"]).replace("``", "`")
    return made
