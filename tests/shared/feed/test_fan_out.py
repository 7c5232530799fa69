"""The change feed of many hosts: each followed user's changes by seq, once, whatever the carrier loses."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from shared.errors import Unavailable
from shared.feed import fan_out
from shared.feed.fan_out import FanOut, open_fan_out
from shared.models import Change, CreateTask, Revocation
from tests.shared.feed.heard import Heard
from tests.shared.feed.sqlite_source import Exchange, LocalCarrier, SqliteSource
from tests.shared.store.owner import READING, Owner, new_owner
from tests.shared.store.sqlite.engine import url_of
from tests.shared.store.sqlite.sqlite_file import as_sqlite
from tests.support.stores import open_store
from tests.support.waiting import until


class Process:
    """A store of its own and a feed, as one process on one host has them."""

    def __init__(self, source: SqliteSource, feed: FanOut, carrier: LocalCarrier | None) -> None:
        self.source = source
        self.store = source.store
        self.feed = feed
        self.carrier = carrier
        self.heard = Heard(feed)
        self.heard.wanted = ()

    async def want(self, *user_ids: int) -> None:
        self.heard.wanted = (*self.heard.wanted, *user_ids)
        for user_id in user_ids:
            await self.feed.resume(user_id)

    async def until(self, user_id: int, seq: int) -> None:
        await self.heard.until(lambda: seq in self.seqs(user_id))

    def seqs(self, user_id: int) -> list[int]:
        return [change.seq for change in self.heard.changes if change.user_id == user_id]


@asynccontextmanager
async def process(folder: Path, exchange: Exchange | None) -> AsyncIterator[Process]:
    async with open_store(url_of(folder / "taskbeam.db")) as store:
        source = SqliteSource(as_sqlite(store))
        carrier = None if exchange is None else LocalCarrier(exchange)
        async with open_fan_out(source, carrier) as feed:
            await asyncio.sleep(0)  # the carrier runs
            yield Process(source, feed, carrier)


@pytest.fixture
def no_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is heard then was told."""
    monkeypatch.setattr(fan_out, "SWEEP_SECONDS", 3600.0)


async def _write(process: Process, owner: Owner, count: int = 1) -> list[Change]:
    owner = Owner(process.store, owner.user)
    written = await owner.batch(*[CreateTask(None, "a")] * count)
    return [result.change for result in written if result.change is not None]


@pytest.mark.usefixtures("no_sweep")
async def test_own_commit_is_heard_before_its_caller_is_answered(tmp_path: Path) -> None:
    async with process(tmp_path, None) as one:
        owner, other = await new_owner(one.store), await new_owner(one.store)
        await one.want(owner.id)
        await _write(one, other)
        changes = await _write(one, owner) + await _write(one, owner, 3)
        assert one.heard.changes == changes


@pytest.mark.usefixtures("no_sweep")
async def test_hint_brings_the_change_itself(tmp_path: Path) -> None:
    exchange = Exchange()
    async with process(tmp_path, exchange) as one, process(tmp_path, exchange) as two:
        owner, other = await new_owner(one.store), await new_owner(one.store)
        await two.want(owner.id)
        await until(lambda: not two.source.reads, 5, "nothing to read")
        changes = await _write(one, owner) + await _write(one, owner, 3)
        await _write(one, other)
        await two.heard.until(lambda: two.heard.changes == changes)
        assert two.source.reads == 0, "the log was not asked"
        assert two.carrier is not None
        assert two.carrier.followed == {owner.id}


@pytest.mark.usefixtures("no_sweep")
async def test_gap_before_a_hint_is_read_from_the_log(tmp_path: Path) -> None:
    exchange = Exchange()
    async with process(tmp_path, exchange) as one, process(tmp_path, exchange) as two:
        owner = await new_owner(one.store)
        await two.want(owner.id)
        exchange.carry = lambda: 0
        await _write(one, owner, 700)  # more than a page
        assert two.heard.changes == []
        exchange.carry = lambda: 2
        await _write(one, owner)
        await two.heard.until(lambda: len(two.heard.changes) >= 701)
        assert two.seqs(owner.id) == list(range(1, 702))


async def test_lost_hints_cost_a_second(tmp_path: Path) -> None:
    async with process(tmp_path, None) as one, process(tmp_path, None) as two:
        owner = await new_owner(one.store)
        await two.want(owner.id)
        changes = await _write(one, owner, 3)
        assert await two.heard.until(lambda: two.heard.changes == changes) < 2


@pytest.mark.usefixtures("no_sweep")
async def test_look_reads_the_log_of_that_user(tmp_path: Path) -> None:
    async with process(tmp_path, None) as one, process(tmp_path, None) as two:
        owner = await new_owner(one.store)
        await two.want(owner.id)
        changes = await _write(one, owner, 3)
        two.feed.look(owner.id)
        await two.heard.until(lambda: two.heard.changes == changes)


async def test_who_is_not_listened_for_any_more_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fan_out, "SWEEP_SECONDS", 0.05)
    exchange = Exchange()
    async with process(tmp_path, exchange) as one:
        owner = await new_owner(one.store)
        await one.want(owner.id)
        assert one.carrier is not None
        carrier = one.carrier
        assert carrier.followed == {owner.id}
        one.heard.wanted = ()
        await until(lambda: not carrier.followed, 5, "the user is left")
        await _write(one, owner, 2)
        await one.want(owner.id)
        [change] = await _write(one, owner)
        await one.heard.until(lambda: bool(one.heard.changes))
        assert one.heard.changes == [change], "it goes on from what it is now"


async def test_commits_while_a_user_joins_are_heard(tmp_path: Path) -> None:
    """All that is after the state that is read after ``resume``."""
    async with process(tmp_path, None) as one:
        for _ in range(20):
            owner = await new_owner(one.store)
            writes = [asyncio.create_task(_write(one, owner)) for _ in range(5)]
            await one.want(owner.id)
            seq = await one.store.seq(owner.id)
            await asyncio.gather(*writes)
            if seq < 5:
                await one.until(owner.id, 5)
            heard = one.seqs(owner.id)
            assert heard == list(range(6 - len(heard), 6))
            assert len(heard) >= 5 - seq


@pytest.mark.usefixtures("no_sweep")
async def test_revocations_are_heard_by_all_at_once(tmp_path: Path) -> None:
    exchange = Exchange()
    async with process(tmp_path, exchange) as one, process(tmp_path, exchange) as two:
        owner = await new_owner(one.store)
        await one.store.set_password(owner.user, "another", READING)
        for heard in (one.heard, two.heard):
            await heard.until(lambda heard=heard: bool(heard.revocations))  # type: ignore[misc]
            assert heard.revocations == [Revocation(owner.id, None)]


async def test_revocations_are_heard_without_a_hint(tmp_path: Path) -> None:
    async with process(tmp_path, None) as one, process(tmp_path, None) as two:
        owner = await new_owner(one.store)
        await one.store.set_password(owner.user, "another", READING)
        assert await two.heard.until(lambda: bool(two.heard.revocations)) < 2


def _is_said(caplog: pytest.LogCaptureFixture, text: str, times: int) -> bool:
    return caplog.text.count(text) == times


async def test_a_process_without_listeners_says_when_the_database_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(fan_out, "SWEEP_SECONDS", 0.05)
    async with process(tmp_path, None) as one:
        for times in (1, 2):
            for is_away, text in ((True, "cannot read the change log: away"), (False, "can be read again")):
                one.source.is_away = is_away
                await until(partial(_is_said, caplog, text, times), 5, "it says so")


async def test_nothing_is_lost_while_the_database_is_away(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    exchange = Exchange(lambda: 0)
    async with process(tmp_path, exchange) as one, process(tmp_path, exchange) as two:
        owner, other = await new_owner(one.store), await new_owner(one.store)
        await two.want(owner.id)
        two.source.is_away = True
        await _write(one, owner, 3)
        two.feed.look(owner.id)
        await until(lambda: "cannot read the change log" in caplog.text, 5, "it says so")
        with pytest.raises(Unavailable):
            await two.want(other.id)
        exchange.carry = lambda: 1
        await _write(one, owner)
        assert (await two.feed.lag()).changes > 0
        two.source.is_away = False
        await two.heard.until(lambda: len(two.heard.changes) >= 4)
        assert two.seqs(owner.id) == [1, 2, 3, 4]
        assert await two.feed.lag() == (0, 0.0)
        assert caplog.text.count("cannot read the change log") == 1


async def test_lag_tells_for_how_long_the_database_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody knows of what it would tell; only who has listeners is behind."""
    monkeypatch.setattr(fan_out, "SWEEP_SECONDS", 0.05)
    async with process(tmp_path, None) as one, process(tmp_path, None) as idle:
        owner = await new_owner(one.store)
        await one.want(owner.id)
        assert await one.feed.lag() == (0, 0.0)
        one.source.is_away = idle.source.is_away = True
        async with asyncio.timeout(5):
            while (await one.feed.lag()).seconds < 0.2:  # noqa: ASYNC110 - nothing else tells
                await asyncio.sleep(0.02)
        assert await idle.feed.lag() == (0, 0.0)
        one.source.is_away = False
        async with asyncio.timeout(5):
            while await one.feed.lag() != (0, 0.0):  # noqa: ASYNC110 - nothing else tells
                await asyncio.sleep(0.02)


async def test_many_users_are_asked_about_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fan_out, "_ASKED_AT_ONCE", 3)
    monkeypatch.setattr(fan_out, "SWEEP_SECONDS", 0.05)
    async with process(tmp_path, None) as one, process(tmp_path, None) as two:
        owners = [await new_owner(one.store) for _ in range(8)]
        asked: list[int] = []
        seqs = two.source.seqs

        async def counted(user_ids: Collection[int]) -> dict[int, int]:
            asked.append(len(user_ids))
            return await seqs(user_ids)

        monkeypatch.setattr(two.source, "seqs", counted)
        two.heard.wanted = [owner.id for owner in owners]
        await asyncio.gather(*(two.feed.resume(owner.id) for owner in owners))
        assert asked == [3, 3, 2]
        two.feed.on_missed(owner.id for owner in owners)
        for owner in owners:
            await _write(one, owner)
        for owner in owners:
            await two.until(owner.id, 1)
        await until(lambda: asked[-3:] == [3, 3, 2], 5, "a sweep is over")
        assert max(asked) == 3
        two.heard.wanted = [owners[0].id, owners[7].id]
        await until(lambda: asked[-2:] == [1, 1] or asked[-1] == 2, 5, "the others are left")


async def test_a_database_that_has_lost_changes_ends_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is another than the one whose changes were handed on; whoever starts anew reads what there is."""
    monkeypatch.setattr(fan_out, "SWEEP_SECONDS", 0.05)

    async def serve() -> None:
        async with process(tmp_path, None) as one, asyncio.timeout(10):
            owner = await new_owner(one.store)
            await one.want(owner.id)
            await _write(one, owner, 3)
            seqs = one.source.seqs

            async def behind(user_ids: Collection[int]) -> dict[int, int]:
                return {user_id: seq - 1 for user_id, seq in (await seqs(user_ids)).items()}

            monkeypatch.setattr(one.source, "seqs", behind)
            await asyncio.Event().wait()

    with pytest.raises(ExceptionGroup) as caught:
        await serve()
    [error] = _leaves(caught.value)
    assert isinstance(error, Unavailable)
    assert "was at 3, and is at 2" in error.reason
    assert "new-epoch" in error.reason


def _leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for inner in error.exceptions for leaf in _leaves(inner)]
    return [error]


@pytest.mark.parametrize("seed", range(3))
async def test_each_change_once_in_order_through_a_carrier_that_loses_and_repeats(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(fan_out, "SWEEP_SECONDS", 0.05)
    dice = random.Random(seed)
    exchange = Exchange(lambda: dice.choice((0, 1, 1, 1, 2)))
    async with process(tmp_path, exchange) as one, process(tmp_path, exchange) as two:
        owners = [await new_owner(one.store) for _ in range(3)]
        for each in (one, two):
            await each.want(*(owner.id for owner in owners))

        async def write(writer: Process) -> None:
            for _ in range(40):
                await _write(writer, dice.choice(owners), dice.randint(1, 3))

        await asyncio.gather(*(write((one, two)[number % 2]) for number in range(4)))
        for owner in owners:
            seq = await one.store.seq(owner.id)
            for each in (one, two):
                await each.until(owner.id, seq)
                assert each.seqs(owner.id) == list(range(1, seq + 1))
                assert [c for c in each.heard.changes if c.user_id == owner.id] == await owner.log()


@pytest.mark.parametrize("seed", range(3))
async def test_who_leaves_and_comes_again_while_changes_come_misses_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Whoever has read a state gets all changes after it, through a carrier that loses and repeats hints."""
    monkeypatch.setattr(fan_out, "SWEEP_SECONDS", 0.03)
    monkeypatch.setattr(fan_out, "_SWEEP_PAUSE_SECONDS", 0.0)
    dice = random.Random(seed)
    exchange = Exchange(lambda: dice.choice((0, 1, 1, 1, 2)))
    async with process(tmp_path, exchange) as one, process(tmp_path, exchange) as two:
        owner = await new_owner(one.store)
        written: list[int] = []

        async def write() -> None:
            for _ in range(150):
                written.append((await _write(one, owner))[-1].seq)
                await asyncio.sleep(dice.choice((0, 0, 0.01)))

        writing = asyncio.create_task(write())
        rounds = 0
        while not writing.done():
            two.heard.wanted = ()
            await asyncio.sleep(dice.choice((0, 0.01, 0.05)))
            two.heard.changes.clear()
            await two.want(owner.id)
            state = await two.store.seq(owner.id)
            target = state + dice.randint(1, 3)
            if target > 150:
                break
            await two.until(owner.id, target)
            heard = [seq for seq in two.seqs(owner.id) if seq > state]
            assert heard == list(range(state + 1, state + 1 + len(heard)))
            rounds += 1
        await writing
        assert rounds > 5, "this is what is tested"
        assert written == list(range(1, 151))


async def test_listeners_of_a_user_who_is_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fan_out, "SWEEP_SECONDS", 0.05)
    exchange = Exchange()
    async with process(tmp_path, exchange) as one, process(tmp_path, exchange) as two:
        owner = await new_owner(one.store)
        await two.want(owner.id)
        await one.store.delete_user(owner.user, READING)
        assert two.carrier is not None
        carrier = two.carrier
        await until(lambda: not carrier.followed, 5, "the user is left")
        await two.feed.resume(owner.id)  # who listens finds out itself
