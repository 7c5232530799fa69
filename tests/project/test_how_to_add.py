"""What CONTRIBUTING says of adding a field, a mode, an endpoint and a migration is enough."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rest_gateway.app import ENDPOINTS
from shared.models import CreateTask, Task, UpdateTask
from shared.rules.queries import ORDERING_FIELDS
from shared.rules.tasks import TASK_RULES
from shared.store.sqlite.migrate import newest_version
from tests.support import api_documents, processes
from tests.support.api_documents import ApiDocuments
from tests.support.clients import Account, Rest, connected, new_account
from tests.support.frames import TASK_KEYS, answer_to
from tests.support.processes import ROOT, System, running
from ws_server.requests import _PARSERS

_PAGE = (ROOT / "CONTRIBUTING.md").read_text().partition("### A field of a task\n")[2].partition("\n### ")[0]


def _block(language: str) -> str:
    (block,) = re.findall(rf"^```{language}\n(.*?)^```$", _PAGE, re.MULTILINE | re.DOTALL)
    return str(block)


@pytest.fixture
def with_pinned(tmp_path: Path) -> Path:
    """A copy of the servers in which the page was followed."""
    copy = tmp_path / "copy"
    for package in ("shared", "ws_server", "rest_gateway", "clients"):
        shutil.copytree(ROOT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run(["git", "apply", "-"], cwd=copy, input=_block("diff").encode(), check=True)
    number = newest_version() + 1
    (copy / "shared/store/sqlite/migrations" / f"{number:04}_pinned.sql").write_text(_block("sql"))
    made = [sys.executable, "-c", "from ws_server.asyncapi import document_text; print(document_text())"]
    document = subprocess.run(made, cwd=copy, check=True, capture_output=True).stdout
    (copy / "rest_gateway/asyncapi.json").write_bytes(document)
    return copy


@pytest.fixture
def pinned(
    with_pinned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[System, Account, dict[str, Any]]]:
    """It runs, on the database of a user who had a task before; the task."""
    # What the copy executes is no part of this program's coverage.
    for name in ("COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "data"
    folder.mkdir()
    with running(folder) as system:
        account = new_account(system)
        task = account.rest("POST", "/", {"task": "From before, with “quotes” and \u0001"}).body
    assert list(task) == TASK_KEYS
    monkeypatch.setattr(processes, "ROOT", with_pinned)
    with running(folder) as system:
        served = [_served(system, name) for name in ("openapi", "asyncapi")]
        monkeypatch.setattr(api_documents, "documents", ApiDocuments(*served))
        yield system, account._replace(rest=Rest(system, account.access)), task


def _served(system: System, name: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"{system.rest_url}/{name}.json") as response:
        document: dict[str, Any] = json.load(response)
    return document


async def test_a_field_is_everywhere_once_the_page_was_followed(
    pinned: tuple[System, Account, dict[str, Any]],
) -> None:
    system, account, before = pinned
    rest = account.rest
    old = {**before, "pinned": False}
    path = f"/task/{old['uuid']}/"
    assert rest("GET", "/").body == [old]
    assert list(rest("GET", path).body) == [*TASK_KEYS, "pinned"]
    epoch = rest("GET", "/").headers["X-Taskbeam-Epoch"]
    assert rest("GET", f"/changes/?epoch={epoch}&since=0").body["changes"][0]["task"] == old

    for body, value in (({}, False), ({"pinned": True}, True), ({"pinned": "on", "more": 1}, True)):
        created = rest("POST", "/", {"task": "x", **body})
        assert (created.status, list(created.body)) == (201, [*TASK_KEYS, "pinned"])
        assert created.body["pinned"] is value
    assert rest("PATCH", path, {"pinned": True}).body["pinned"] is True
    assert rest("PATCH", path, {"task": "y"}).body["pinned"] is True
    refused = rest("POST", "/", {"task": "x", "pinned": "perhaps"})
    assert (refused.status, refused.body) == (400, {"pinned": ["Must be a valid boolean."]})
    assert [task["pinned"] for task in rest("GET", "/?ordering=pinned").body] == [False, True, True, True]
    assert [task["pinned"] for task in rest("GET", "/?ordering=-pinned").body] == [True, True, True, False]

    async with connected(system, account.access) as socket:
        data = {"task": "x", "pinned": True}
        frame = await answer_to(socket, {"mode": "create", "data": data})
        assert frame["task"]["pinned"] is True
        update = {"mode": "update", "task_id": frame["task_id"], "data": {"pinned": False}}
        assert (await answer_to(socket, update))["task"]["pinned"] is False
        batch = await answer_to(socket, {"mode": "batch", "ops": [{"mode": "create", "data": data}, update]})
        assert [result["task"]["pinned"] for result in batch["results"]] == [True, False]
        listed = await answer_to(socket, {"mode": "all", "ordering": "-pinned"})
        assert [task["pinned"] for task in listed["task"]] == [True] * 4 + [False] * 2
    assert "Traceback" not in system.logs()
    for name in ("openapi", "asyncapi"):
        schemas = _served(system, name)["components"]["schemas"]
        assert all("pinned" in schemas[schema]["properties"] for schema in ("Task", "NewTask", "TaskUpdate"))


def test_all_that_knows_the_fields_knows_the_same() -> None:
    written = tuple(TASK_RULES)
    assert CreateTask.__struct_fields__ == ("uuid", *written)
    assert UpdateTask.__struct_fields__ == ("uuid", *written, "rev")
    assert list(Task.__struct_fields__) == TASK_KEYS
    assert set(written) < set(TASK_KEYS)
    assert set(ORDERING_FIELDS) == {*TASK_KEYS, "id"} - {"user_id"}


def test_every_mode_is_in_the_reference() -> None:
    page = (ROOT / "docs/reference/websocket.md").read_text()
    assert [mode for mode in _PARSERS if f'| `{{"mode": "{mode}"' not in page] == []


def test_every_endpoint_is_in_the_reference() -> None:
    page = (ROOT / "docs/reference/rest.md").read_text()
    table = page.partition("| method and path |")[2].partition("\n\n")[0]
    for path, endpoint in ENDPOINTS.items():
        if path.startswith("/app/"):  # the files of the page, which it loads
            continue
        named = re.sub(r"\{.*?\}", "<uuid>", path)
        rows = [row for row in table.splitlines() if re.search(rf"`{re.escape(named)}/?[`?]", row)]
        assert rows, path
        for method in endpoint.methods:
            assert any(method in row for row in rows), (method, path)


def test_migrations_are_numbered_without_a_gap() -> None:
    files = sorted(path.name for path in (ROOT / "shared/store/sqlite/migrations").glob("*.sql"))
    assert [int(name.partition("_")[0]) for name in files] == list(range(1, newest_version() + 1))
