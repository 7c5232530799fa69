"""The types of the documents are those of what ``shared.rules`` reads and ``shared.wire`` writes."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

from shared.api_types import (
    Changes,
    CreateOperation,
    CreateResult,
    DeleteOperation,
    NewTask,
    NotRecovered,
    Results,
    TaskUpdate,
    UpdateOperation,
)
from shared.models import Change, ChangePage, CreateTask, DeleteTask, StoredTask, Task, UpdateTask, Written
from shared.rules.requests import clean_operations
from shared.wire import replayed_frame, results_json, sync_json

_ID = "16f894b8-cb89-4672-9561-0b80cc75ae1b"
_TASK = Task(_ID, 1, "2026-11-22T11:57:25.175297Z", "2026-11-22T11:57:25.175297Z", "Buy milk", "", False, 1)
_STORED = StoredTask(_ID, msgspec.json.encode(_TASK))


def _changes() -> list[Change]:
    return [
        Change(1, 1, "create", _ID, _STORED.json),
        Change(1, 2, "update", _ID, _STORED.json),
        Change(1, 3, "delete", _ID, None),
    ]


def test_results_of_a_batch() -> None:
    written = [*(Written(_STORED, change) for change in _changes()), Written(_STORED, None)]
    results = msgspec.json.decode(results_json(written), type=Results, strict=True)
    assert [type(result).__name__ for result in results] == [
        *("CreateResult", "UpdateResult", "DeleteResult", "CreateResult"),
    ]
    assert msgspec.json.decode(msgspec.json.encode(results)) == msgspec.json.decode(results_json(written))


def test_a_create_that_was_there_has_no_seq() -> None:
    result = msgspec.json.decode(replayed_frame(_STORED), type=CreateResult)
    assert (result.task, result.replayed, result.seq) == (_TASK, True, msgspec.UNSET)


@pytest.mark.parametrize(
    ("page", "declared"),
    [
        (ChangePage(_changes(), 3, False), Changes),
        (ChangePage([], 7, False, "history_gone"), NotRecovered),
    ],
    ids=["changes", "reason"],
)
def test_a_page_of_changes(page: ChangePage, declared: type[msgspec.Struct]) -> None:
    text = sync_json(page, "epoch")
    assert msgspec.json.decode(msgspec.json.encode(msgspec.json.decode(text, type=declared))) == (
        msgspec.json.decode(text)
    )


def _operations() -> Iterator[tuple[msgspec.Struct, object]]:
    fields = {"task": "Buy milk", "description": "2 litres", "completed": True}
    yield CreateOperation(NewTask(**fields, uuid=_ID)), CreateTask(_ID, **fields)  # type: ignore[arg-type]
    yield CreateOperation(NewTask(task="Buy milk")), CreateTask(None, "Buy milk")
    yield UpdateOperation(_ID, TaskUpdate(**fields), 3), UpdateTask(_ID, **fields, rev=3)  # type: ignore[arg-type]
    yield UpdateOperation(_ID, TaskUpdate()), UpdateTask(_ID)
    yield DeleteOperation(_ID, 3), DeleteTask(_ID, 3)
    yield DeleteOperation(_ID), DeleteTask(_ID)


@pytest.mark.parametrize(("sent", "read"), list(_operations()))
def test_operations_are_read_as_what_they_say(sent: msgspec.Struct, read: object) -> None:
    assert clean_operations([msgspec.to_builtins(sent)]) == [read]
