"""The list in pages, while others write, connections are cut and logs are shortened: always the beginning of the list, and
in the end the list."""

from __future__ import annotations

from typing import Any
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from taskbeam_client.listing import Listing
from taskbeam_client.models import Change, History, Task
from taskbeam_client.state import State

SYNC_PAGE = 3
Frame = dict[str, Any]


class Server:
    """A user's list and log, and one socket. Whatever is written is pushed at once."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.log: list[Frame] = []
        self.oldest = 1  # seq of the oldest change that is kept
        self.connected = False
        self._created: dict[str, int] = {}
        self._tasks: dict[str, Frame] = {}

    @property
    def seq(self) -> int:
        return len(self.log)

    def tasks(self) -> list[Frame]:
        return sorted(
            self._tasks.values(), key=lambda task: (task["time_created"], self._created[task["uuid"]])
        )

    def _write(self, mode: str, uuid: str, task: Frame | None) -> None:
        change = {"seq": self.seq + 1, "mode": mode, "task_id": uuid, "task": task}
        self.log.append(change)
        if self.connected:
            pushed = task or {"message": "Task deleted!"}
            self.state.on_frame({"type": "task.update", **change, "task": pushed})

    def create(self, time: int) -> None:
        uuid = f"uuid-{self.seq + 1}"
        times = {"time_created": f"{time:04d}", "time_modified": f"{time:04d}"}
        task = {"uuid": uuid, "user_id": 1, **times, "task": "A", "description": "", "completed": False}
        self._created[uuid] = self.seq
        self._tasks[uuid] = {**task, "rev": 1}
        self._write("create", uuid, self._tasks[uuid])

    def update(self, which: int) -> None:
        uuid = self.tasks()[which % len(self._tasks)]["uuid"]
        self._tasks[uuid] = {**self._tasks[uuid], "rev": self._tasks[uuid]["rev"] + 1}
        self._write("update", uuid, self._tasks[uuid])

    def delete(self, which: int) -> None:
        uuid = self.tasks()[which % len(self._tasks)]["uuid"]
        del self._tasks[uuid]
        self._write("delete", uuid, None)

    def write(self, writes: list[tuple[str, int]]) -> None:
        for mode, number in writes:
            if mode == "create" or self._tasks:
                getattr(self, mode)(number)

    def connect(self) -> None:
        self.connected = True
        self.state.on_frame({"type": "auth", "user_id": 1, "epoch": "one", "seq": self.seq})

    def answer(self, request: Frame) -> Frame:
        if request["mode"] == "all":
            tasks, first = self.tasks(), request["offset"]
            page = tasks[first : first + request["limit"]]
            return {
                "type": "task.update",
                "mode": "all",
                "task": page,
                "seq": self.seq,
                "count": len(tasks),
            }
        since = request["since"]
        if since + 1 < self.oldest:
            return {"type": "sync", "recovered": False, "reason": "history_gone", "epoch": "one", "seq": 0}
        changes = self.log[since : since + SYNC_PAGE]
        more = since + SYNC_PAGE < self.seq
        return {"type": "sync", "recovered": True, "changes": changes, "seq": self.seq, "more": more}


WRITES = st.lists(
    st.one_of(
        st.tuples(
            st.just("create"), st.integers(0, 9)
        ),  # the clock runs as it likes, and often says the same
        st.tuples(st.sampled_from(["update", "delete", "delete"]), st.integers(0, 11)),
    ),
    max_size=4,
)
Round = tuple[list[tuple[str, int]], list[tuple[str, int]], str]
ROUNDS = st.lists(st.tuples(WRITES, WRITES, st.sampled_from(["", "", "", "cut", "shorten"])), max_size=8)


@pytest.mark.parametrize("overlap", [0, 1, 2])
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(begin=st.lists(st.integers(0, 9), min_size=6, max_size=14), rounds=ROUNDS)
def test_a_list_in_pages_is_the_list(overlap: int, begin: list[int], rounds: list[Round]) -> None:
    """Each round: something is asked for, others write, it is answered or the connection is cut, others write."""
    pages = mock.patch.multiple(
        "taskbeam_client.listing", _FIRST_PAGE=2, _PAGE_MOST=4, _OVERLAP_MOST=2, _FIRST_OVERLAP=overlap
    )
    with pages:
        state = State(1)
        server = Server(state)
        for time in begin:
            server.create(time)
        quiet: list[Round] = [([], [], "")] * 40
        for number, (meanwhile, afterwards, event) in enumerate([*rounds, *quiet]):
            if not server.connected:
                server.connect()
            if number >= len(rounds) and not state.behind:
                break
            asked = state.missing_request() if state.behind else None
            server.write(meanwhile)
            if event == "shorten":
                server.oldest = server.seq + 1
            if event == "cut":
                server.connected = False
            elif asked is not None:
                state.on_frame(server.answer(asked))
            assert_true_so_far(state, server)
            server.write(afterwards)
            assert_true_so_far(state, server)
        assert not state.behind
        snapshot = state.replica.snapshot()
        assert snapshot is not None
        assert snapshot.seq == server.seq
        assert list(snapshot.tasks) == [Task.from_json(task) for task in server.tasks()]
        assert (state.statistics.gaps, state.statistics.duplicates) == (0, 0)


def assert_true_so_far(state: State, server: Server) -> None:
    listing = state.listing
    if server.connected and listing is not None and listing.seq == server.seq:
        beginning = [Task.from_json(task) for task in server.tasks()[: len(listing.tasks)]]
        assert list(listing.tasks) == beginning


def a_task(number: int) -> Task:
    return Task(f"uuid-{number}", 1, f"{number:06d}", f"{number:06d}", "A task", "", False, 1)


def loaded(count: int, first: int = 0) -> Listing:
    listing = Listing(History("one", 1))
    listing.request()
    assert not listing.add([a_task(number) for number in range(first, first + count)], 10, 1000)
    return listing


def test_the_size_of_a_page_follows_the_network() -> None:
    listing = Listing(History("one", 1))
    sizes = []
    for seconds in (0.1, 0.1, 0.1, 0.1, 0.1, 3.0, 10.0, 10.0, 10.0, 10.0, 10.0, 10.0, 10.0):
        sizes.append(listing.request()["limit"])
        listing.adapt_page(seconds)
    assert sizes == [100, 200, 400, 800, 1000, 1000, 1000, 500, 250, 125, 62, 31, 15]
    listing.adapt_page(10.0)
    assert listing.request()["limit"] == 10


def test_deletes_while_a_page_is_on_its_way_make_the_next_one_begin_earlier() -> None:
    listing = loaded(100)
    assert listing.request() == {"mode": "all", "limit": 100, "offset": 96}
    for number in range(20):
        listing.apply(Change(11 + number, "delete", f"uuid-{number}", None))
    assert not listing.add([a_task(number) for number in range(116, 216)], 30, 980)
    assert len(listing.tasks) == 80
    assert listing.request()["offset"] == 80 - 32


def test_a_page_of_another_seq_than_the_changes_is_dropped() -> None:
    listing = loaded(100)
    listing.request()
    assert not listing.add([a_task(number) for number in range(96, 196)], 12, 1000)
    assert listing.missing
    assert (listing.seq, len(listing.tasks)) == (10, 100)


def test_a_server_without_pages_sends_all() -> None:
    listing = Listing(History("one", 1))
    listing.request()
    assert listing.add([a_task(number) for number in range(300)], 7, None)
    assert len(listing.tasks) == 300


def test_an_empty_page_in_the_middle_is_a_defect() -> None:
    listing = loaded(100)
    listing.request()
    with pytest.raises(ValueError, match="empty page at 96 of 1000"):
        listing.add([], 10, 1000)
