"""Users and tasks out of one store and into another."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from shared.clock import timestamp
from shared.models import UpdateTask
from shared.store import Store
from taskbeam.user_data import BadLine, Imported, export_users, import_users
from tests.shared.store.owner import NOW, READING, SECOND, Owner, new_owner
from tests.shared.store.sqlite.engine import SqliteEngine


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """Two users, one of them disabled."""
    (tmp_path / "from").mkdir()
    async with SqliteEngine(tmp_path / "from").open() as store:
        ada, bob = await new_owner(store, "ada"), await new_owner(store, "bob")
        task = await ada.create("first")
        await ada.write(UpdateTask(task.uuid, completed=True), now=NOW + 5 * SECOND)
        await ada.create("second", now=NOW + SECOND)
        await bob.create("his")
        await store.set_active(bob.id, False, READING)
        yield store


@pytest.fixture
async def other(tmp_path: Path) -> AsyncIterator[Store]:
    (tmp_path / "to").mkdir()
    async with SqliteEngine(tmp_path / "to").open() as store:
        yield store


async def exported(store: Store, *usernames: str) -> list[bytes]:
    return [line async for line in export_users(store, usernames)]


async def contents(store: Store) -> list[dict[str, Any]]:
    """As an export, without what an import makes anew."""
    lines = [json.loads(line) for line in await exported(store)]
    for line in lines:
        if "task" in line:
            for name in ("rev", "user_id"):
                del line["task"][name]
    return lines


async def test_all_is_there_afterwards_and_a_second_time_changes_nothing(store: Store, other: Store) -> None:
    lines = await exported(store)
    assert await import_users(other, lines) == Imported(2, 3, 0)
    assert await contents(other) == await contents(store)
    seqs = [account.seq for account in await other.accounts(0, 10)]
    assert await import_users(other, lines) == Imported(0, 0, 5)
    assert [account.seq for account in await other.accounts(0, 10)] == seqs


async def test_one_user_alone(store: Store, other: Store) -> None:
    assert await import_users(other, await exported(store, "ADA")) == Imported(1, 2, 0)
    assert [account.user.username for account in await other.accounts(0, 10)] == ["ada"]
    with pytest.raises(BadLine, match="there is no user nobody"):
        await exported(store, "nobody")


async def test_a_task_is_one_create_with_both_its_times(store: Store, other: Store) -> None:
    await import_users(other, await exported(store, "ada"))
    user = await other.user_by_key("ada")
    assert user is not None
    ada = Owner(other, user)
    first, second = await ada.tasks()
    assert (first.rev, first.completed) == (1, True)
    assert (first.time_created, first.time_modified) == (timestamp(NOW), timestamp(NOW + 5 * SECOND))
    assert (second.rev, second.time_created) == (1, timestamp(NOW + SECOND))
    assert [change.mode for change in await ada.log()] == ["create", "create"]


async def test_an_import_that_was_cut_off_is_resumed(store: Store, other: Store) -> None:
    lines = await exported(store)
    await import_users(other, lines[:2])
    assert await import_users(other, lines) == Imported(1, 2, 2)
    assert await contents(other) == await contents(store)


async def test_what_is_there_stays_as_it_is(store: Store, other: Store) -> None:
    lines = await exported(store)
    await import_users(other, lines)
    user = await other.user_by_key("ada")
    assert user is not None
    ada = Owner(other, user)
    for task in await ada.tasks():
        await ada.update(task.uuid, "changed", now=NOW + 60 * SECOND)
    before = await contents(other)
    await import_users(other, lines)
    assert await contents(other) == before


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"no JSON", "line 2: JSON is malformed"),
        (b"{}", "line 2: Object missing required field `kind`"),
        (b'{"kind": "task", "username": "nobody", "task": {}}', "line 2: there is no user 'nobody'"),
        (b'{"kind": "task", "username": "eve", "task": {}}', "line 2: no task: 'time_created'"),
        (
            b'{"kind": "user", "username": "a b", "password": "x", "is_active": true, "date_joined": "2026-01-01T00:00:00Z"}',
            "line 2: username: Enter a valid username",
        ),
        (
            b'{"kind": "user", "username": "bob", "password": "x", "is_active": true, "date_joined": "yesterday"}',
            "line 2: Invalid isoformat string",
        ),
    ],
)
async def test_a_line_that_cannot_be_imported_is_named(other: Store, line: bytes, message: str) -> None:
    good = {
        "kind": "user",
        "username": "eve",
        "password": "x",
        "is_active": True,
        "date_joined": timestamp(NOW),
    }
    with pytest.raises(BadLine) as bad:
        await import_users(other, [json.dumps(good).encode(), line])
    assert str(bad.value).startswith(message)
    assert await other.user_by_key("eve") is not None


async def test_a_uuid_of_another_user_is_named(store: Store, other: Store) -> None:
    lines = await exported(store, "ada")
    await import_users(other, lines)
    theft = [line.replace(b'"username":"ada"', b'"username":"bob"') for line in lines]
    with pytest.raises(BadLine, match="line 2: uuid: This field must be unique"):
        await import_users(other, theft)
