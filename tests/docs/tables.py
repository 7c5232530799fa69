"""The parts of the documentation that are made from the code or from other pages. ``python -m tests.docs.tables`` writes them into
their pages."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from benchmarks.scaling import tables as scaling
from rest_gateway.documents import ASYNCAPI
from rest_gateway.openapi.common import OF_BODIES, SHARED
from rest_gateway.openapi.document import TOPICS
from rest_gateway.openapi.operation import Operation
from shared.json_schema import Schema, components
from shared.metrics.catalogue import FAMILIES
from shared.models import CreateTask
from shared.settings import PREFIX, VARIABLES
from taskbeam.errors import ExitStatus
from tests.docs import command_help, javascript_reference, python_reference
from tests.docs.decisions import FOLDER, records
from tests.support.processes import ROOT
from ws_server.asyncapi import document_text, summary
from ws_server.asyncapi_examples import EXAMPLES
from ws_server.close_codes import CLOSE_CODES
from ws_server.frame_types import ERRORS, Refusal

README: Final = ROOT / "README.md"
_PERFORMANCE: Final = ROOT / "docs/reference/performance.md"
_FIGURES: Final = {
    "REST write to a socket of the other process, p99": (
        "a REST write, until a WebSocket of the other process has it (p99)",
        "make bench",
    ),
    "memory of three workers, 50,000 connections": (
        "memory of three workers that hold 50,000 WebSockets",
        "make bench",
    ),
    "GET, to PocketBase": (
        "GET requests a second on one core, as a multiple of PocketBase's",
        "make bench PEERS=1",
    ),
}
"""What the README shows: by its name on the page of the benchmarks, what it is, and what measures it."""


def settings() -> list[str]:
    rows = [f"| `{PREFIX}…` | default | meaning |", "|---|---|---|"]
    for variable in VARIABLES:
        default = f"`{variable.default}`" if variable.default else "(empty)"
        rows.append(f"| `{variable.name}` | {default} | {variable.help} |")
    return rows


def close_codes() -> list[str]:
    rows = ["| code | meaning | reasons | what the client does |", "|---|---|---|---|"]
    for row in CLOSE_CODES:
        reasons = ", ".join(f"`{reason}`" for reason in row.reasons)
        rows.append(f"| {row.code.value} | {row.meaning} | {reasons} | {row.action.value} |")
    return rows


def error_codes() -> list[str]:
    rows = ["| code | when | message | more keys |", "|---|---|---|---|"]
    for error in ERRORS:
        schemas = components([error])
        properties = schemas[error.__name__]["properties"]
        own = [name for name in properties if name not in Refusal.__struct_fields__ and name != "code"]
        keys = "; ".join(f"`{name}`: {_description(properties[name], schemas)}" for name in own)
        code = error.__struct_config__.tag
        rows.append(f"| `{code}` | {summary(error)} | `{EXAMPLES[error.__name__]['message']}` | {keys} |")
    return rows


def _description(schema: Schema, schemas: dict[str, Schema]) -> str:
    """Its own, or that of the schema that it refers to, without the full stop."""
    found = schema if "description" in schema else schemas[schema["$ref"].rpartition("/")[2]]
    description: str = found["description"]
    return description.rstrip(".")


def rest_errors() -> list[str]:
    """Each case of an error once, with the operations that may answer it; none is named where all do."""
    where: dict[tuple[int, str, str], dict[str, list[str]]] = {}
    for status, (_, answer) in SHARED.items():
        for case, body in answer.cases.items():
            where[status, case, json.dumps(_shortened(body))] = {}
    for (method, path), operation in _operations():
        for status, answer in (
            (status, answer) for status, answer in operation.answers.items() if status >= 400
        ):
            for case, body in answer.cases.items():
                of = where.setdefault((status, case, json.dumps(_shortened(body))), {})
                of.setdefault(path, []).append(method)
    rows = ["| status | when | body | of |", "|---|---|---|---|"]
    for (status, case, body), operations in sorted(where.items(), key=lambda item: item[0][0]):
        of_bodies = "all that take a body" if case in OF_BODIES else ""
        named = [f"{', '.join(methods)} `{path}`" for path, methods in operations.items()]
        rows.append(f"| {status} | {case} | `{body}` | {of_bodies or '; '.join(named)} |")
    return rows


def _operations() -> Iterator[tuple[tuple[str, str], Operation]]:
    for topic in TOPICS.values():
        yield from topic.items()


def _shortened(body: object) -> object:
    """A task in it is not written out."""
    return {**body, "task": {}} if isinstance(body, dict) and isinstance(body.get("task"), dict) else body


def task_fields() -> list[str]:
    rows = ["| key | value | left out on create |", "|---|---|---|"]
    rows += [_task_field(field) for field in msgspec.structs.fields(CreateTask) if field.name != "uuid"]
    return rows


def _task_field(field: msgspec.structs.FieldInfo) -> str:
    match msgspec.inspect.type_info(field.type):
        case msgspec.inspect.StrType(min_length=least, max_length=int(most)):
            value = f"text of {least or 0} to {most:,} characters"
        case msgspec.inspect.BoolType():
            value = "boolean"
        case kind:
            raise NotImplementedError(kind)
    left_out = "an error" if field.required else f"`{json.dumps(field.default)}`"
    return f"| `{field.name}` | {value} | {left_out} |"


def metrics() -> list[str]:
    rows = ["| metric | kind | labels | meaning |", "|---|---|---|---|"]
    for family in FAMILIES.values():
        labels = ", ".join(f"`{label}`" for label in family.labels)
        rows.append(f"| `{family.name}` | {type(family).__name__.lower()} | {labels} | {family.help} |")
    return rows


def exit_statuses() -> list[str]:
    rows = ["| exit status | means |", "|---|---|"]
    rows += [f"| {status.value} | {status.meaning} |" for status in ExitStatus]
    return rows


def decisions() -> list[str]:
    rows = ["| decision | date | status |", "|---|---|---|"]
    for record in records():
        link = f"[{record.number:04}: {record.title}]({record.file})"
        rows.append(f"| {link} | {record.date} | {record.status} |")
    return rows


def features() -> list[str]:
    """The first table of the comparison with peers."""
    page = (ROOT / "docs/explanation/comparison.md").read_text()
    section = page.partition("\n## What each one is\n\n")[2]
    return section.partition("\n\n")[0].splitlines()


def figures() -> list[str]:
    """Some measured values from the page of the benchmarks, in brackets the least and the greatest round, and a plot."""
    page = _PERFORMANCE.read_text()
    measured = {
        cells[1]: cells[3]
        for cells in (re.split(r" *\| *", line) for line in page.partition("\n## ")[0].splitlines())
        if len(cells) > 4
    }
    (taken, *_) = (line for line in page.splitlines() if line.startswith("Taken "))
    rows = [f"| {what} | {measured[name]} | `{command}` |" for name, (what, command) in _FIGURES.items()]
    plot = _peers_plot(page).replace("](../", "](docs/")
    return [taken, "", "| what | measured | by |", "|---|---|---|", *rows, "", plot]


def _peers_plot(page: str) -> str:
    (plot,) = (line for line in page.splitlines() if line.endswith("/peers.svg)"))
    return plot


def peers() -> list[str]:
    """From the page of the benchmarks: when, and the absolute figures beside those of others, with their plot."""
    page = _PERFORMANCE.read_text()
    section = page.partition("\n## FastAPI and PocketBase\n")[2].partition("\n## ")[0]
    (taken,) = (line for line in section.splitlines() if line.startswith("Taken "))
    table = section.partition("Absolute figures:\n\n")[2].partition("\n\n")[0]
    return [taken, "", *table.splitlines(), "", _peers_plot(section)]


class Table(NamedTuple):
    """A table, or other lines, of one page: it stands between two comments, of which the first has its name."""

    name: str
    page: Path
    rows: Callable[[], list[str]]

    def put_into(self, text: str) -> str:
        """The page with the table as the code has it.

        Raises:
            ValueError: the page has no place for the table.
        """
        begin = f"<!-- {self.name}: made by `python -m tests.docs.tables` -->\n"
        end = f"<!-- end of {self.name} -->\n"
        before, found, rest = text.partition(begin)
        _, closed, after = rest.partition(end)
        if not (found and closed):
            raise ValueError(f"{self.page.name} has no place for {self.name}")
        return f"{before}{begin}" + "".join(f"{row}\n" for row in self.rows()) + f"{end}{after}"


TABLES: Final = (
    Table("features", README, features),
    Table("figures", README, figures),
    Table("settings", ROOT / "docs/reference/settings.md", settings),
    Table("error codes", ROOT / "docs/reference/websocket.md", error_codes),
    Table("close codes", ROOT / "docs/reference/websocket.md", close_codes),
    Table("errors", ROOT / "docs/reference/rest.md", rest_errors),
    Table("fields", ROOT / "docs/reference/tasks.md", task_fields),
    Table("metrics", ROOT / "docs/reference/metrics.md", metrics),
    Table("decisions", FOLDER / "README.md", decisions),
    Table("peers", ROOT / "docs/explanation/comparison.md", peers),
    Table("exit statuses", ROOT / "docs/reference/command_line.md", exit_statuses),
    Table("python client", ROOT / "docs/reference/python_client.md", python_reference.lines),
    Table("commands", ROOT / "docs/reference/command_line.md", command_help.lines),
    *(Table(name, ROOT / "docs/explanation/scaling.md", rows) for name, rows in scaling.TABLES.items()),
)


def javascript_client(node: str) -> Table:
    """Made by Node, with the packages of ``tests/npm``."""
    page = ROOT / "docs/reference/javascript_client.md"
    return Table("javascript client", page, lambda: javascript_reference.lines(node))


if __name__ == "__main__":
    node = shutil.which("node")
    if node is None:
        print("without Node: the reference of the JavaScript client stays as it is", file=sys.stderr)
    for table in TABLES if node is None else (*TABLES, javascript_client(node)):
        table.page.write_text(table.put_into(table.page.read_text()))
    ASYNCAPI.write_text(document_text())
