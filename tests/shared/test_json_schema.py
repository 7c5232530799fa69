"""Schemas of types."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from shared.json_schema import components, reference


class Inner(Struct):
    """First line.

    ``second`` line.
    """

    kind: Literal["a", "b"]


class Outer(Struct):
    """Has an inner one."""

    inner: list[Inner]


def test_a_struct_is_referred_to_by_its_name() -> None:
    assert reference(Outer) == {"$ref": "#/components/schemas/Outer"}
    assert reference(list[Inner]) == {"type": "array", "items": {"$ref": "#/components/schemas/Inner"}}
    assert reference(str) == {"type": "string"}


def test_components_are_all_structs_that_occur_by_name() -> None:
    found = components([dict[str, Outer]])
    assert list(found) == ["Inner", "Outer"]
    assert found["Inner"] == {
        "title": "Inner",
        "description": "First line.\n\n`second` line.",
        "type": "object",
        "properties": {"kind": {"type": "string", "enum": ["a", "b"]}},
        "required": ["kind"],
    }
