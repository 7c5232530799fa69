"""A database copied from one engine to another: whole, interrupted, and where that is refused."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections import Counter
from pathlib import Path

import pytest

from shared.clock import parse_timestamp
from shared.errors import Unavailable
from shared.models import CreateTask, UpdateTask
from shared.store import copying
from shared.store.copies import CopyFailed
from shared.store.copying import Digest, Start
from shared.store.opening import check_database, open_copy
from tests.shared.store.children import child
from tests.shared.store.engine import Engine
from tests.shared.store.engines import ENGINES
from tests.shared.store.owner import MISSING, NOW, READING, SECOND, Owner, new_owner
from tests.shared.store.programs import copy_step_by_step, serve_until_told
from tests.shared.store.varied_store import VariedStore, tell

DIRECTIONS = list(itertools.permutations(ENGINES, 2))


def no_progress(done: int, total: int) -> None:
    pass


async def copy_whole(source: str, target: str) -> tuple[Start, dict[str, Digest]]:
    async with open_copy(source, target) as copy:
        start = await copy.begin()
        await copy.copy(no_progress)
        digests = await copy.verify(no_progress)
        await copy.finish()
        return start, digests


async def problems_of(engine: Engine) -> list[str]:
    """What `taskbeam check` finds; but that the tests' PostgreSQL waits for no disk."""
    findings = await asyncio.to_thread(check_database, engine.url)
    return [
        finding.text for finding in findings if finding.level == "problem" and "fsync" not in finding.text
    ]


async def reason_not_to_open(engine: Engine) -> str:
    with pytest.raises(Unavailable) as error:
        async with engine.open():
            pass
    return error.value.reason


def new_engine(name: str, parent: Path, folder: str) -> Engine:
    """Its database is empty; a former one of the same engine may be gone."""
    (parent / folder).mkdir()
    return ENGINES[name](parent / folder)


@pytest.fixture(params=DIRECTIONS, ids=" to ".join)
def direction(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Engine, Engine]:
    """A database of one engine, and one of another; both are new."""
    source, target = request.param
    return new_engine(source, tmp_path, "source"), new_engine(target, tmp_path, "target")


async def fill_a_little(engine: Engine) -> None:
    async with engine.open() as store:
        for name in ("ada", "ben"):
            owner = await new_owner(store, name)
            for number in range(20):
                await owner.create(f"{name} {number}")


@pytest.mark.parametrize("names", DIRECTIONS, ids=" to ".join)
@pytest.mark.parametrize("seed", range(2))
async def test_all_that_there_is_comes_to_the_other_engine_and_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: tuple[str, str], seed: int
) -> None:
    monkeypatch.setattr(copying, "PAGE", 7)
    first, second = (new_engine(name, tmp_path, name) for name in names)
    async with first.open() as store:
        varied = VariedStore(store, seed)
        await varied.fill()
        told = await tell(store, varied.tokens)
    kept = Counter(await first.kept())
    _, there = await copy_whole(first.url, second.url)
    third = new_engine(names[0], tmp_path, "third")
    _, back = await copy_whole(second.url, third.url)
    assert there == back
    assert min(digest.rows for digest in there.values()) > 3, "a kind of rows is missing"
    for engine in (second, third):
        assert await problems_of(engine) == []
        await engine.assert_sound()
        assert Counter(await engine.kept()) == kept
        async with engine.open() as store:
            assert await tell(store, varied.tokens) == told
            for owner in varied.owners:
                await _write_at_a_moment_of_before(Owner(store, owner.user))
            assert (await new_owner(store)).id > max(varied.gone), "an id was given twice"
        await engine.assert_sound()
        assert await problems_of(engine) == []


async def _write_at_a_moment_of_before(owner: Owner) -> None:
    """The new task comes behind those of its moment, and its change behind all."""
    before, seq = await owner.tasks(), await owner.seq()
    moment = before[len(before) // 2].time_created
    new = await owner.create(now=parse_timestamp(moment))
    place = sum(task.time_created <= moment for task in before)
    assert await owner.tasks() == [*before[:place], new, *before[place:]]
    assert [(change.seq, change.task_id) for change in (await owner.log())[-1:]] == [(seq + 1, new.uuid)]


async def test_a_long_log_comes_as_far_as_it_is_kept(direction: tuple[Engine, Engine]) -> None:
    """Also the next changes find what is to be deleted."""
    source, target = direction
    async with source.open() as store:
        other, owner, third = [await new_owner(store, name) for name in ("one", "two", "three")]
        for each in (other, third):
            await each.create()
        task = await owner.create()
        for number in range(102):
            await owner.batch(*[UpdateTask(task.uuid, str(number))] * 100)
        pages = [await store.changes(owner.id, store.epoch, since, 500) for since in range(200, 10_201, 500)]
    assert [len(page.changes) for page in pages] == [500] * 20 + [1]
    _, digests = await copy_whole(source.url, target.url)
    assert 10_000 <= digests["changes"].rows - 2 < 10_100
    async with target.open() as store:
        there = Owner(store, owner.user)
        assert [
            await store.changes(owner.id, store.epoch, since, 500) for since in range(200, 10_201, 500)
        ] == pages
        assert (await store.changes(owner.id, store.epoch, 100, 500)).reason == "history_gone"
        for number in range(3):
            await there.batch(*[UpdateTask(task.uuid, str(number))] * 100)
        assert (await store.changes(owner.id, store.epoch, 400, 500)).reason == "history_gone"
        assert len((await store.changes(owner.id, store.epoch, 500, 500)).changes) == 500
        assert await store.count_changes() == 10_001 + 2
    assert await problems_of(target) == []


async def test_a_copy_that_is_killed_after_any_page_goes_on(direction: tuple[Engine, Engine]) -> None:
    source, target = direction
    await fill_a_little(source)
    done, starts = 0, []
    while True:
        async with child(copy_step_by_step, source.url, target.url, 15) as copying_one:
            start = await copying_one.hear()
            starts.append(start["start"])
            assert start["rows"] == done, "what was committed is there"
            assert start["total"] == 2 + 40 + 40
            while (heard := await copying_one.hear()).get("rows") == done:
                copying_one.start()
            if "whole" in heard:
                break
            done = heard["rows"]
            await copying_one.kill()
            assert "part of a copy that has not ended" in await reason_not_to_open(target)
            (problem,) = await problems_of(target)
            assert "part of a copy that has not ended" in problem
            with pytest.raises(CopyFailed, match="part of a copy that has not ended"):
                await copy_whole(target.url, source.url)
    assert starts == ["new", *["resumed"] * (len(starts) - 1)]
    assert len(starts) > 5
    assert await problems_of(target) == []


async def _stop_in_the_middle(source: Engine, target: Engine) -> None:
    async with child(copy_step_by_step, source.url, target.url, 15) as copying_one:
        rows = 0
        while rows < 40:
            heard = await copying_one.hear()
            rows = heard["rows"]
            if "start" not in heard:
                copying_one.start()


async def test_a_source_that_has_changed_is_copied_anew(direction: tuple[Engine, Engine]) -> None:
    source, target = direction
    await fill_a_little(source)
    await _stop_in_the_middle(source, target)
    async with source.open() as store:
        user = await store.user_by_key("ada")
        assert user is not None
        (task, *_) = await Owner(store, user).tasks()
        await Owner(store, user).delete(task.uuid)
        expected = await Owner(store, user).tasks()
    start, digests = await copy_whole(source.url, target.url)
    assert start is Start.ANEW
    assert (digests["tasks"].rows, digests["changes"].rows) == (39, 41)
    async with target.open() as store:
        assert await Owner(store, user).tasks() == expected
    assert await problems_of(target) == []


@pytest.mark.parametrize("names", DIRECTIONS, ids=" to ".join)
async def test_a_part_of_another_database_is_left_alone(tmp_path: Path, names: tuple[str, str]) -> None:
    source, target = (new_engine(name, tmp_path, name) for name in names)
    await fill_a_little(source)
    await _stop_in_the_middle(source, target)
    other = new_engine(names[0], tmp_path, "other")
    await fill_a_little(other)
    with pytest.raises(CopyFailed, match="has a part of another database than"):
        await copy_whole(other.url, target.url)
    assert "part of a copy that has not ended" in await reason_not_to_open(target)


async def test_a_database_that_is_not_empty_is_no_target(direction: tuple[Engine, Engine]) -> None:
    source, target = direction
    await fill_a_little(source)
    async with target.open() as store:
        owner = await new_owner(store)
    with pytest.raises(CopyFailed, match="is not empty: a copy goes into a new database"):
        await copy_whole(source.url, target.url)
    async with target.open() as store:  # what an old token says of this user must not be said of another
        assert await store.delete_user(owner.user, READING)
    with pytest.raises(CopyFailed, match="is not empty: a copy goes into a new database"):
        await copy_whole(source.url, target.url)


async def test_an_empty_database_is_a_target_and_a_source(direction: tuple[Engine, Engine]) -> None:
    source, target = direction
    async with source.open() as store, target.open():
        epoch = store.epoch
    start, digests = await copy_whole(source.url, target.url)
    assert start is Start.NEW
    assert {digest.rows for digest in digests.values()} == {0}
    async with target.open() as store:
        assert store.epoch == epoch


@pytest.mark.parametrize("served", ["source", "target"])
async def test_a_database_that_is_served_is_neither_source_nor_target(
    direction: tuple[Engine, Engine], served: str
) -> None:
    source, target = direction
    await fill_a_little(source)
    engine = source if served == "source" else target
    async with child(serve_until_told, engine.url) as server:
        await server.ready()
        async with child(copy_step_by_step, source.url, target.url, 15) as copying_one:
            said = await copying_one.hear()
        assert re.search(r"is in use.*: stop Taskbeam first", said["failed"])
    start, _ = await copy_whole(source.url, target.url)
    assert start is Start.NEW, "it has not begun"


async def test_a_copy_that_is_not_equal_is_not_taken_and_made_anew(direction: tuple[Engine, Engine]) -> None:
    source, target = direction
    await fill_a_little(source)
    async with open_copy(source.url, target.url) as copy:
        await copy.begin()
        await copy.copy(no_progress)
        await target.revoke_tokens_until(1, 7)
        with pytest.raises(CopyFailed, match=r"users: 2 rows, checksum \w+, and in the copy 2 rows, \w+\."):
            await copy.verify(no_progress)
    start, _ = await copy_whole(source.url, target.url)
    assert start is Start.ANEW
    assert await problems_of(target) == []


async def test_a_source_that_is_not_sound_is_not_copied(direction: tuple[Engine, Engine]) -> None:
    source, target = direction
    await fill_a_little(source)
    await source.remove_user(2)
    with pytest.raises(CopyFailed, match="is not sound: of 40 tasks 20 can be read"):
        await copy_whole(source.url, target.url)


async def test_more_tasks_of_one_microsecond_than_sqlite_has_ids_for_keep_their_order(
    direction: tuple[Engine, Engine],
) -> None:
    source, target = direction
    async with source.open() as store:
        owners = [await new_owner(store, name) for name in ("ada", "ben")]
        for owner in owners:
            await owner.create("later", now=NOW + 1)
        for owner in [*owners, owners[0]]:
            for _ in range(8):
                await owner.batch(*[CreateTask(None, "of one microsecond")] * 100)
        lists = [await owner.tasks() for owner in owners]
    await copy_whole(source.url, target.url)
    async with target.open() as store:
        assert [await Owner(store, owner.user).tasks() for owner in owners] == lists
        for owner in owners:
            later = await Owner(store, owner.user).create("latest", now=NOW + SECOND)
            assert (await Owner(store, owner.user).tasks())[-1] == later
    await target.assert_sound()
    assert await problems_of(target) == []


async def test_a_uuid_that_another_user_has_taken_is_nobody_elses(direction: tuple[Engine, Engine]) -> None:
    """The log of the one who deleted it may come behind that of the one who has it."""
    source, target = direction
    async with source.open() as store:
        ada, ben = [await new_owner(store, name) for name in ("ada", "ben")]
        task = await ben.create(uuid=MISSING)
        await ben.delete(task.uuid)
        await ada.create(uuid=MISSING)
    await copy_whole(source.url, target.url)
    assert await problems_of(target) == []
