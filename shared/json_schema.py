"""JSON Schemas of types, for the documents of the API: what OpenAPI and AsyncAPI call components."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any, Final

import msgspec

Schema = dict[str, Any]

COMPONENT: Final = "x-component"
"""In the ``extra_json_schema`` of a type that is no struct: its name among the components."""
_PREFIX: Final = "#/components/schemas/"


def reference(declared: Any) -> Schema:
    """A reference to the schema of a struct or of a named type, or the schema of any other, with references in it."""
    (schema,), _ = msgspec.json.schema_components([declared], ref_template=_PREFIX + "{name}")
    completed: Schema = _completed(schema, {})
    return completed


def components(types: Iterable[Any]) -> dict[str, Schema]:
    """The schemas of all structs and named types that are or occur in these types, by their names, in alphabetical order."""
    schemas, found = msgspec.json.schema_components(types, ref_template=_PREFIX + "{name}")
    named: dict[str, Schema] = {}
    for schema in schemas:
        _completed(schema, named)
    structs = {name: _completed(schema, named) for name, schema in found.items()}
    return dict(sorted({**structs, **named}.items()))


def _completed(schema: Any, named: dict[str, Schema]) -> Any:
    """The schema with references to named types, which are put into ``named``.

    msgspec leaves out the type of an enumeration, writes a constant as one, and leaves docstrings as they stand in the source.
    """
    if isinstance(schema, list):
        return [_completed(item, named) for item in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: _completed(value, named) for key, value in schema.items()}
    match made.get("enum"):
        case [constant]:
            del made["enum"]
            made = {"type": "string", "const": constant, **made}
        case list():
            made = {"type": "string", **made}
    if isinstance(made.get("description"), str):
        made["description"] = inspect.cleandoc(made["description"]).replace("``", "`")
    name = made.pop(COMPONENT, None)
    if name is None:
        return made
    named[name] = {"title": name, **made}
    return {"$ref": _PREFIX + name}
