"""The change feed over a store of the test's own: reads that cross commits, and a database that is away."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.errors import Unavailable
from shared.feed import tail
from shared.feed.log import LoggedCommit, Position, Tail
from shared.feed.tail import LogTail, open_tail
from shared.models import Change
from shared.store.sqlite.transaction import Transaction
from tests.shared.feed.heard import Heard


@pytest.fixture
def no_poll(monkeypatch: pytest.MonkeyPatch) -> None:
    """The log is read when there is a reason to, or not at all."""
    monkeypatch.setattr(tail, "POLL_SECONDS", 3600.0)


def _changes(*positions: int) -> list[Change]:
    return [Change(1, position, "delete", "x", None) for position in positions]


class SlowStore:
    """The part of a store that a feed knows: each read waits until the test says what it has found."""

    def __init__(self) -> None:
        self.listener: Callable[[LoggedCommit], None] = lambda commit: None
        self.reads: asyncio.Queue[tuple[Position, asyncio.Future[Tail]]] = asyncio.Queue()
        self.ends: asyncio.Queue[asyncio.Future[Position]] = asyncio.Queue()
        self.is_open = False

    def listen(self, listener: Callable[[LoggedCommit], None]) -> None:
        self.listener = listener

    def commit(self, changes: list[Change], others: bool) -> None:
        """As this process does; the user's seqs are the positions."""
        self.listener(Transaction([], changes, changes[0].seq if changes else 0, others))

    async def position(self) -> Position:
        if not self.is_open:
            self.is_open = True
            return Position(0, 0)
        answer: asyncio.Future[Position] = asyncio.get_running_loop().create_future()
        await self.ends.put(answer)
        return await answer

    async def end_is_sought(self) -> asyncio.Future[Position]:
        async with asyncio.timeout(10):
            return await self.ends.get()

    async def tail(self, after: Position) -> Tail:
        answer: asyncio.Future[Tail] = asyncio.get_running_loop().create_future()
        await self.reads.put((after, answer))
        return await answer

    async def read_begins(self) -> tuple[int, asyncio.Future[Tail]]:
        """The position that the feed reads from, and the answer that it waits for."""
        async with asyncio.timeout(10):
            after, answer = await self.reads.get()
        return after.changes, answer


def _found(*positions: int, more: bool = False) -> Tail:
    return Tail(
        _changes(*positions), list(positions), [], Position(positions[-1] if positions else 0, 0), more
    )


def _heard(heard: Heard) -> list[int]:
    """The positions: those of the only user, whose seqs they are."""
    return [change.seq for change in heard.changes]


@pytest.mark.usefixtures("no_poll")
async def test_own_commit_that_a_read_in_progress_also_finds_is_heard_once(tmp_path: Path) -> None:
    store = SlowStore()
    async with open_tail(store, tmp_path / "wake", "test") as feed:
        heard = Heard(feed)
        feed.look()
        _, answer = await store.read_begins()
        store.commit(_changes(1, 2), False)
        assert _heard(heard) == [1, 2]
        answer.set_result(_found(1, 2, 3))
        await heard.until(lambda: len(heard.changes) >= 3)
        assert _heard(heard) == [1, 2, 3]


@pytest.mark.usefixtures("no_poll")
async def test_read_that_found_less_than_was_committed_meanwhile_turns_nothing_back(tmp_path: Path) -> None:
    store = SlowStore()
    async with open_tail(store, tmp_path / "wake", "test") as feed:
        heard = Heard(feed)
        feed.look()
        _, answer = await store.read_begins()
        store.commit(_changes(1, 2), False)
        answer.set_result(_found())
        feed.look()
        after, _ = await store.read_begins()
        assert after == 2
        store.commit(_changes(3), False)
        assert _heard(heard) == [1, 2, 3]


@pytest.mark.usefixtures("no_poll")
async def test_own_commit_waits_for_what_another_process_committed_before(tmp_path: Path) -> None:
    store = SlowStore()
    async with open_tail(store, tmp_path / "wake", "test") as feed:
        heard = Heard(feed)
        store.commit(_changes(2, 3), False)
        assert heard.changes == []
        after, answer = await store.read_begins()
        assert after == 0
        answer.set_result(_found(1, 2, 3))
        await heard.until(lambda: len(heard.changes) >= 3)
        assert _heard(heard) == [1, 2, 3]


@pytest.mark.usefixtures("no_poll")
async def test_page_that_ends_within_a_commit_of_our_own_is_read_on(tmp_path: Path) -> None:
    store = SlowStore()
    async with open_tail(store, tmp_path / "wake", "test") as feed:
        heard = Heard(feed)
        feed.look()
        _, answer = await store.read_begins()
        answer.set_result(_found(1, 2, more=True))
        after, answer = await store.read_begins()
        store.commit(_changes(2, 3), False)
        assert after == 2
        assert _heard(heard) == [1, 2]
        answer.set_result(_found(3))
        await heard.until(lambda: len(heard.changes) >= 3)
        assert _heard(heard) == [1, 2, 3]


async def _be_paused(feed: LogTail, store: SlowStore, heard: Heard) -> None:
    heard.wanted = ()
    feed.look()
    _, answer = await store.read_begins()
    answer.set_result(_found())
    async with asyncio.timeout(10):
        while not feed._paused:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0)


@pytest.mark.usefixtures("no_poll")
async def test_feed_that_is_woken_skips_what_was_committed_before_and_nothing_after(tmp_path: Path) -> None:
    store = SlowStore()
    async with open_tail(store, tmp_path / "wake", "test") as feed:
        heard = Heard(feed)
        await _be_paused(feed, store, heard)
        heard.wanted = (0,)
        waking = asyncio.create_task(feed.resume(0))
        end = await store.end_is_sought()
        store.commit(_changes(4), False)  # later than what the store will say
        assert not waking.done()
        end.set_result(Position(2, 0))
        after, answer = await store.read_begins()
        assert after == 2
        assert heard.changes == []
        answer.set_result(_found(3, 4))
        await asyncio.wait_for(waking, 10)
        assert _heard(heard) == [3, 4]
        await asyncio.wait_for(feed.resume(0), 10)


@pytest.mark.usefixtures("no_poll")
async def test_feed_that_reads_in_its_sleep_can_be_woken(tmp_path: Path) -> None:
    """As it does now and then, for the revocations."""
    store = SlowStore()
    async with open_tail(store, tmp_path / "wake", "test") as feed:
        heard = Heard(feed)
        await _be_paused(feed, store, heard)
        feed.look()
        (await store.end_is_sought()).set_result(Position(2, 0))
        _, answer = await store.read_begins()
        heard.wanted = (0,)
        waking = asyncio.create_task(feed.resume(0))
        await asyncio.sleep(0)
        answer.set_result(_found(3))
        await asyncio.wait_for(waking, 10)
        assert _heard(heard) == [3]
        store.commit(_changes(4), False)
        assert _heard(heard) == [3, 4]


@pytest.mark.usefixtures("no_poll")
async def test_own_commit_while_the_end_is_sought_is_not_turned_back(tmp_path: Path) -> None:
    store = SlowStore()
    async with open_tail(store, tmp_path / "wake", "test") as feed:
        heard = Heard(feed)
        await _be_paused(feed, store, heard)
        feed.look()
        end = await store.end_is_sought()
        store.commit(_changes(1, 2, 3), False)
        end.set_result(Position(2, 0))
        after, answer = await store.read_begins()
        assert after == 3
        answer.set_result(_found())


@pytest.mark.usefixtures("no_poll")
async def test_who_leaves_while_the_feed_wakes_keeps_nobody_waiting(tmp_path: Path) -> None:
    store = SlowStore()
    async with open_tail(store, tmp_path / "wake", "test") as feed:
        heard = Heard(feed)
        await _be_paused(feed, store, heard)
        waking = [asyncio.create_task(feed.resume(0)) for _ in range(3)]
        end = await store.end_is_sought()
        waking[1].cancel()
        await asyncio.wait([waking[1]])
        end.set_result(Position(2, 0))
        (await store.read_begins())[1].set_result(_found())
        await asyncio.wait_for(asyncio.gather(waking[0], waking[2]), 10)


@pytest.mark.usefixtures("no_poll")
async def test_feed_that_cannot_wake_says_so_and_can_be_woken_again(tmp_path: Path) -> None:
    store = SlowStore()
    async with open_tail(store, tmp_path / "wake", "test") as feed:
        heard = Heard(feed)
        await _be_paused(feed, store, heard)
        heard.wanted = (0,)
        waking = asyncio.create_task(feed.resume(0))
        (await store.end_is_sought()).set_exception(Unavailable("away"))
        with pytest.raises(Unavailable):
            await waking
        waking = asyncio.create_task(feed.resume(0))
        (await store.end_is_sought()).set_result(Position(2, 0))
        (await store.read_begins())[1].set_result(_found())
        await asyncio.wait_for(waking, 10)


@pytest.mark.usefixtures("no_poll")
async def test_feed_that_ends_wakes_nobody_any_more(tmp_path: Path) -> None:
    store = SlowStore()
    async with open_tail(store, tmp_path / "wake", "test") as feed:
        await _be_paused(feed, store, Heard(feed))
        waking = asyncio.create_task(feed.resume(0))
        await store.end_is_sought()
    with pytest.raises(Unavailable):
        await waking


class FailingStore:
    """The part of a store that a feed reads from, and that fails."""

    def __init__(self, error: Exception, times: int) -> None:
        self.error = error
        self.times = times
        self.tails = 0

    def listen(self, listener: object) -> None:
        pass

    async def position(self) -> Position:
        return Position(0, 0)

    async def tail(self, after: Position) -> Tail:
        self.tails += 1
        if self.tails <= self.times:
            raise self.error
        return Tail(_changes(1), [1], [], Position(1, 0), more=False)


async def _read_from(store: FailingStore, folder: Path) -> None:
    """Until a change has been heard."""
    async with open_tail(store, folder / "wake", "test") as feed:
        heard = Heard(feed)
        await heard.until(lambda: bool(heard.changes))


@pytest.fixture
def fast_poll(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail, "POLL_SECONDS", 0.001)


@pytest.mark.usefixtures("fast_poll")
async def test_database_that_is_away_for_a_while_is_asked_again(tmp_path: Path) -> None:
    """However often: what counts is for how long."""
    store = FailingStore(Unavailable("away"), times=200)
    await _read_from(store, tmp_path)
    assert store.tails >= 201


@pytest.mark.usefixtures("fast_poll")
async def test_database_that_stays_away_ends_the_body(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail, "_AWAY_SECONDS", 0.2)
    with pytest.raises(ExceptionGroup) as ended:
        await _read_from(FailingStore(Unavailable("away"), times=10**9), tmp_path)
    assert ended.group_contains(Unavailable)
    assert os.listdir(tmp_path / "wake") == []


@pytest.mark.usefixtures("fast_poll")
async def test_defect_of_the_reader_ends_the_body(tmp_path: Path) -> None:
    with pytest.raises(ExceptionGroup) as ended:
        await _read_from(FailingStore(RuntimeError("a defect"), times=1), tmp_path)
    assert ended.group_contains(RuntimeError, match="a defect")
