"""The reference's tables are what the code says."""

from __future__ import annotations

import json

import msgspec

from shared.models import CreateTask
from tests.support.processes import ROOT


def test_the_fields_that_clients_write() -> None:
    page = (ROOT / "docs/reference/tasks.md").read_text()
    rows = [_row(field) for field in msgspec.structs.fields(CreateTask) if field.name != "uuid"]
    assert f"| key | value | left out on create |\n|---|---|---|\n{''.join(rows)}\n" in page


def _row(field: msgspec.structs.FieldInfo) -> str:
    match msgspec.inspect.type_info(field.type):
        case msgspec.inspect.StrType(min_length=least, max_length=int(most)):
            value = f"text of {least or 0} to {most:,} characters"
        case msgspec.inspect.BoolType():
            value = "boolean"
        case kind:
            raise NotImplementedError(kind)
    left_out = "an error" if field.required else f"`{json.dumps(field.default)}`"
    return f"| `{field.name}` | {value} | {left_out} |\n"
