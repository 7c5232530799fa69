"""Accounts that come with their ids, and tasks that come with their times."""

from __future__ import annotations

from typing import Final

import pytest

from shared.clock import timestamp
from shared.decisions.imports import AccountImport, ImportedAccount
from shared.errors import LimitReached, UserGone, ValidationFailed
from shared.models import CreateTask, ImportTask, User
from shared.store import Store
from tests.shared.store.engine import Engine
from tests.shared.store.owner import NOW, SECOND, Owner, at

A, B, C = (f"{letter * 8}-0000-4000-8000-000000000000" for letter in "abc")
YEAR: Final = 31_536_000 * SECOND


def _account(user_id: int, username: str, *, is_active: bool = True) -> ImportedAccount:
    return ImportedAccount(User(user_id, username, f"!{username}", is_active, at(-5)), username.lower())


def _task(uuid: str | None, created: int, modified: int, text: str = "A task") -> ImportTask:
    return ImportTask(CreateTask(uuid, text, "words", completed=True), created, modified)


async def test_accounts_keep_their_ids_and_those_who_register_come_after(
    store: Store, engine: Engine
) -> None:
    outcomes = await store.import_accounts([_account(7, "Ann"), _account(40, "bob", is_active=False)])
    assert outcomes == [AccountImport.ADDED, AccountImport.ADDED]
    ann, bob = await store.user_by_key("ann"), await store.user_by_key("bob")
    assert ann == User(7, "Ann", "!Ann", True, at(-5))
    assert bob == User(40, "bob", "!bob", False, at(-5))
    assert (await store.add_user("cay", "cay", "!", NOW)).id == 41
    assert await store.seqs([7, 40]) == {7: 0, 40: 0}
    await engine.assert_sound()


async def test_a_second_import_writes_nothing(store: Store) -> None:
    accounts = [_account(7, "Ann"), _account(8, "bob")]
    await store.import_accounts(accounts)
    assert await store.import_accounts(accounts) == [AccountImport.THERE] * 2
    assert await store.import_accounts([_account(7, "Ann", is_active=False)]) == [AccountImport.DIFFERS]
    ann = await store.user_by_key("ann")
    assert ann is not None
    assert ann.is_active


async def test_what_is_taken_is_not_given_again(owner: Owner) -> None:
    store, name = owner.store, owner.user.username
    outcomes = await store.import_accounts(
        [_account(owner.id, "another"), _account(owner.id + 10, name), _account(owner.id + 20, "new")]
    )
    assert outcomes == [AccountImport.ID_TAKEN, AccountImport.NAME_TAKEN, AccountImport.ADDED]
    assert await store.import_accounts([_account(owner.id + 15, "between")]) == [AccountImport.ID_USED]


async def test_names_that_collide_among_themselves_come_in_once(store: Store) -> None:
    outcomes = await store.import_accounts([_account(1, "Ann"), _account(2, "ANN")])
    assert outcomes == [AccountImport.ADDED, AccountImport.NAME_TAKEN]


async def test_tasks_keep_uuid_and_times_and_stand_in_their_order(owner: Owner, engine: Engine) -> None:
    [newer] = await owner.write(_task(A, NOW - YEAR + SECOND, NOW - SECOND, "newer"))
    [older] = await owner.write(_task(B, NOW - YEAR, NOW - YEAR, "older"))
    created = await owner.create("now")
    assert [task.task for task in await owner.tasks()] == ["older", "newer", "now"]
    task = newer.task.decode()
    assert (task.uuid, task.rev, task.completed, task.description) == (A, 1, True, "words")
    assert (task.time_created, task.time_modified) == (timestamp(NOW - YEAR + SECOND), at(-1))
    for written, seq in ((newer, 1), (older, 2)):
        change = written.change
        assert change is not None
        assert (change.seq, change.mode, change.task) == (seq, "create", written.task.json)
    assert await owner.seq() == 3
    assert (await owner.update(created.uuid, "changed")).rev == 2
    await engine.assert_sound()


async def test_a_task_that_is_there_stays_as_it_is(owner: Owner) -> None:
    await owner.write(_task(A, NOW - YEAR, NOW))
    await owner.update(A, "changed here")
    [again] = await owner.write(_task(A, NOW - YEAR, NOW))
    assert again.change is None
    assert again.task.decode().task == "changed here"
    assert await owner.seq() == 2


async def test_what_is_in_the_future_comes_in_as_of_now(owner: Owner) -> None:
    await owner.write(_task(A, NOW + YEAR, NOW + 2 * YEAR))
    await owner.write(_task(B, NOW - SECOND, NOW - YEAR))
    a, b = await owner.read(A), await owner.read(B)
    assert (a.time_created, a.time_modified) == (at(0), at(0))
    assert (b.time_created, b.time_modified) == (at(-1), at(-1))


async def test_tasks_that_cannot_come_in_are_refused(owner: Owner, stranger: Owner) -> None:
    await stranger.write(_task(A, NOW, NOW))
    with pytest.raises(ValidationFailed) as refused:
        await owner.write(_task(A, NOW, NOW))
    assert refused.value.errors == {"uuid": ["This field must be unique."]}
    with pytest.raises(ValidationFailed) as early:
        await owner.write(_task(B, -1, NOW))
    assert early.value.errors == {"time_created": ["This time is before 1970."]}
    await owner.write(_task(B, NOW, NOW), max_tasks=1)
    with pytest.raises(LimitReached):
        await owner.write(_task(C, NOW, NOW), max_tasks=1)
    with pytest.raises(UserGone):
        await owner.store.write(999_999, _task(None, NOW, NOW), now=NOW, max_tasks=9)
    assert await owner.seq() == 1


async def test_deleted_tasks_are_those_of_the_log(owner: Owner, stranger: Owner) -> None:
    assert await owner.store.deleted_tasks() == set()
    await owner.write(_task(A, NOW, NOW))
    await owner.delete(A)
    await stranger.write(_task(B, NOW, NOW))
    await stranger.delete(B)
    await stranger.write(_task(B, NOW, NOW))
    assert await owner.store.deleted_tasks() == {A, B}
