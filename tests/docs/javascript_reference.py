"""The reference of the JavaScript client, made of its declarations and their comments. It needs Node."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from tests.docs.markdown import code
from tests.support.processes import ROOT

_DECLARATIONS: Final = ROOT / "clients/js/taskbeam.d.ts"
_TYPESCRIPT: Final = ROOT / "tests/npm/node_modules/typescript"
_GROUPS: Final = {
    "The client": (
        "TaskbeamClient",
        "ClientOptions",
        "WriteOptions",
        "RevisionOptions",
        "State",
        "Statistics",
    ),
    "What happens": ("ClientEvents", "ChangeEvent", "WriteFailedEvent", "Change", "Task", "TaskFields"),
    "Tokens": ("Session", "TokenProvider", "TokenStorage"),
    "Storage": ("IndexedDbStorage", "TaskStorage", "Kept", "Save", "Write"),
    "A transport of your own": ("Core",),
}
_ERROR: Final = "TaskbeamError"
_INSTANCES: Final = {
    "TaskbeamClient": "client",
    "Session": "session",
    "TokenProvider": "tokens",
    "TokenStorage": "storage",
    "IndexedDbStorage": "storage",
    "TaskStorage": "storage",
    "Core": "core",
}
"""What an object of a class is called."""

_WIDTH: Final = 88

Declaration = dict[str, Any]
"""As ``declarations.cjs`` prints it."""


def lines(node: str) -> list[str]:
    """All that ``taskbeam.js`` exports, in the order of use.

    Raises:
        ValueError: an exported name is in no group, or a method has no comment.
    """
    command: list[str | Path] = [node, Path(__file__).parent / "declarations.cjs", _TYPESCRIPT, _DECLARATIONS]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60)
    exported: dict[str, Declaration] = {found["name"]: found for found in json.loads(done.stdout)}
    errors = [found for found in exported.values() if _is_error(found, exported)]
    grouped = {name for names in _GROUPS.values() for name in names}
    others = exported.keys() - {found["name"] for found in errors}
    if grouped != others:
        raise ValueError(f"in no group, or gone: {grouped ^ others}")
    page: list[str] = []
    for group, names in _GROUPS.items():
        page += [f"## {group}", ""]
        for name in names:
            page += _section(exported[name])
    return [*page, "## Errors", "", *_error_table(errors)]


def _is_error(found: Declaration, exported: dict[str, Declaration]) -> bool:
    while found["name"] != _ERROR:
        if found["base"] not in exported:
            return False
        found = exported[found["base"]]
    return True


def _section(found: Declaration) -> Iterator[str]:
    name = found["name"]
    yield from (f"### `{name}`", "")
    constructors = [member for member in found["members"] if member["name"] == "constructor"]
    for constructor in constructors:
        yield from _signature(f"new {name}", constructor)
    if found["kind"] == "type":
        yield from ("```ts", f"type {name} = {found['type']}", "```", "")
    yield from _prose(found["comment"])
    for constructor in constructors:
        yield from _prose(constructor["comment"])
    if found["base"] is not None and found["kind"] == "interface":
        yield from (f"It has all that `{found['base']}` has.", "")
    fields = [member for member in found["members"] if not member["isCall"]]
    if fields:
        yield from ("| property | type | meaning |", "|---|---|---|")
        for field in fields:
            optional = "?" if field["isOptional"] else ""
            yield f"| `{field['name']}{optional}` | {code(field['type'])} | {_in_a_cell(field['comment'])} |"
        yield ""
    methods = [member for member in found["members"] if member["isCall"] and member not in constructors]
    for method in methods:
        if not method["comment"]:
            raise ValueError(f"without a comment: {name}.{method['name']}")
        owner = name if method["isStatic"] else _INSTANCES[name]
        yield from (f"#### `{owner}.{method['name']}()`", "")
        yield from _signature(f"{owner}.{method['name']}", method)
        yield from _prose(method["comment"])


def _signature(name: str, called: Declaration) -> Iterator[str]:
    """On one line, or a parameter a line where that is too long."""
    result = f": {called['type']}" if called["type"] else ""
    if called["isOptional"]:
        name += "?"
    if called["typeParameters"]:
        name += f"<{', '.join(called['typeParameters'])}>"
    line = f"{name}({', '.join(called['parameters'])}){result}"
    one_each = [f"{name}(", *(f"    {parameter}," for parameter in called["parameters"]), f"){result}"]
    yield from ("```ts", *([line] if len(line) <= _WIDTH else one_each), "```", "")


def _error_table(errors: list[Declaration]) -> Iterator[str]:
    yield from ("| error | is a | means | has |", "|---|---|---|---|")
    for error in errors:
        fields = [member for member in error["members"] if not member["isCall"]]
        has = "; ".join(f"`{field['name']}`: {_in_a_cell(field['comment'])}" for field in fields)
        yield f"| `{error['name']}` | `{error['base']}` | {_in_a_cell(error['comment'])} | {has} |"


def _prose(comment: str) -> Iterator[str]:
    if comment:
        yield from (*comment.splitlines(), "")


def _in_a_cell(text: str) -> str:
    return " ".join(text.split()).removesuffix(".")
