"""The stream of one socket: whatever comes between, its frames are gapless, in order, and each answer at its place."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from shared.models import TaskQuery
from shared.wire import change_frame
from tests.ws_server.stepped_stream import EPOCH, MAX_BUFFER, SteppedStream
from ws_server.close_codes import CloseCode, Disconnect
from ws_server.requests import NO_ENVELOPE, All, Auth, Batch, Create, Ping, Sync

sizes = st.sampled_from([0, 0, 0, 0, MAX_BUFFER // 2])


class StreamOfOneSocket(RuleBasedStateMachine):
    """The rules are what may happen, in any order; the client in ``SteppedStream`` judges every frame."""

    world: SteppedStream
    lost = False

    @initialize(
        committed=st.lists(sizes, max_size=8),
        fed=st.integers(0, 8),
        push=st.sampled_from([True, True, False, None]),
    )
    def open(self, committed: list[int], fed: int, push: bool | None) -> None:
        """``push``: of a session that has begun."""
        self.world = SteppedStream(committed, fed)
        if push is not None:
            self.world.ask(Auth(NO_ENVELOPE, "t", push), [])
            while self.world.is_working:
                self.world.step()

    def _may_authenticate(self) -> bool:
        return not self.world.is_working and not self.world.stream.is_closing

    def _may_ask(self) -> bool:
        return self._may_authenticate() and self.world.listener.seq is not None

    # Requests

    @precondition(_may_authenticate)
    @rule(push=st.sampled_from([True, True, False]), will=st.sampled_from(["succeed", "succeed", "refuse"]))
    def authenticate(self, push: bool, will: str) -> None:
        self.world.store.will = will
        self.world.ask(Auth(NO_ENVELOPE, "t", push), [])

    @precondition(_may_ask)
    @rule(size=sizes, will=st.sampled_from(["write", "write", "write", "replay", "refuse"]))
    def create(self, size: int, will: str) -> None:
        own: list[int] = []
        self.world.store.will = will
        self.world.ask(Create(NO_ENVELOPE, {"size": size, "own": own}), own)

    @precondition(_may_ask)
    @rule(
        size=sizes,
        count=st.integers(1, 3),
        will=st.sampled_from(["write", "write", "replay", "refuse"]),
    )
    def batch(self, size: int, count: int, will: str) -> None:
        own: list[int] = []
        self.world.store.will = will
        self.world.ask(Batch(NO_ENVELOPE, [size, count, own]), own)  # type: ignore[list-item]

    @precondition(_may_ask)
    @rule()
    def list_all(self) -> None:
        self.world.ask(All(NO_ENVELOPE, TaskQuery(), paged=False), [])

    @precondition(_may_ask)
    @rule(back=st.integers(0, 5), will=st.sampled_from(["write", "write", "refuse"]))
    def sync(self, back: int, will: str) -> None:
        self.world.store.will = will
        self.world.ask(Sync(NO_ENVELOPE, EPOCH, max(0, (self.world.listener.seq or 0) - back)), [])

    @precondition(_may_ask)
    @rule()
    def ping(self) -> None:
        self.world.ask(Ping(NO_ENVELOPE), [])

    # The world

    @rule(count=st.integers(1, 3))
    def step(self, count: int) -> None:
        for _ in range(count):
            self.world.step()

    @rule(size=sizes)
    def another_writes(self, size: int) -> None:
        self.world.store.commit(size)

    @rule()
    def feed(self) -> None:
        """A change is sent at once, unless an answer is made from a snapshot."""
        world, client = self.world, self.world.listener
        if world.fed == world.store.seq_now or world.is_ended or not world.is_subscribed:
            world.feed()
            return
        change, known = world.store.log[world.fed], client.seq
        is_buffered = world.is_working and world.reads_snapshot
        is_own = world.is_working and change.seq in client.asked[max(client.asked)].own
        world.feed()
        if is_buffered and known is not None and change.seq > known:
            world.buffered_bytes += len(change_frame(change))
        closed_with = world.outlet.closed_with
        if known is None or change.seq <= known:
            assert (client.seq, closed_with) == (known, None)
        elif not client.push:
            assert client.seq == known or is_own
        elif is_buffered:
            assert client.seq == known
            assert closed_with == (CloseCode.SLOW_READER if world.buffered_bytes > MAX_BUFFER else None)
        elif change.seq != known + 1:
            assert closed_with == CloseCode.SERVICE_RESTART, "a gap is not passed over"
        elif world.outlet.is_too_full and not is_own:
            assert closed_with == CloseCode.SLOW_READER
        else:
            assert client.seq == change.seq

    @precondition(lambda self: not self.world.stream.is_closing)
    @rule(size=st.sampled_from([0, 0, MAX_BUFFER, MAX_BUFFER + 1, MAX_BUFFER + 1, 3 * MAX_BUFFER]))
    def wait_to_be_sent(self, size: int) -> None:
        self.world.outlet.buffered = size

    @precondition(lambda self: self.world.waits_for_feed is not None)
    @rule()
    def time_out(self) -> None:
        self.world.time_out()

    @rule(what=st.sampled_from(["nothing"] * 14 + ["lose"] * 3 + ["close", "disconnect", "disconnect"]))
    def go_wrong(self, what: str) -> None:
        world = self.world
        if what == "lose" and world.is_subscribed and world.fed < world.store.seq_now:
            world.fed += 1
            self.lost = True
        elif what == "close":
            world.stream.close(Disconnect.TOKEN_REVOKED)
        elif what == "disconnect":
            world.disconnect()

    @invariant()
    def closes_for_a_reason(self) -> None:
        world = self.world
        if world.outlet.closed_with == CloseCode.SLOW_READER:
            assert world.outlet.is_too_full or world.buffered_bytes > MAX_BUFFER
        if world.outlet.closed_with == CloseCode.SERVICE_RESTART:
            assert self.lost, "no gap, no close"

    @invariant()
    def a_sync_does_not_wait_for_the_feed(self) -> None:
        assert self.world.waits_for_feed is None or not isinstance(self.world.request, Sync)

    @invariant()
    def every_request_is_answered_when_it_ends(self) -> None:
        world = self.world
        if not world.is_working and not world.is_ended:
            assert set(world.listener.answered) == set(world.listener.asked)

    def teardown(self) -> None:
        """Nothing is left over."""
        world = self.world
        world.outlet.buffered = 0
        world.store.commit(0)  # by which the client would see what is missing
        world.finish(may_time_out=self.lost)
        self.every_request_is_answered_when_it_ends()
        if world.listener.seq is not None and world.listener.push and not world.is_ended:
            assert world.listener.seq == world.store.seq_now


def test_any_interleaving_gives_a_gapless_ordered_stream() -> None:
    run_state_machine_as_test(
        StreamOfOneSocket,
        settings=settings(
            deadline=None, max_examples=600, stateful_step_count=50, derandomize=True, database=None
        ),
    )
