"""A stream with nothing around it that moves by itself: its store, its feed and its socket are stepped by a test.

``Listener`` is the client: it reads every frame and holds it to what the reference promises about their order.
"""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from typing import Any, Final, NamedTuple, cast

import msgspec

from shared.errors import NotFound, TaskbeamError, Unavailable
from shared.models import Change, ChangePage, StoredTask, TaskPage, Written
from shared.wire import change_frame
from ws_server import answers
from ws_server.close_codes import CloseCode
from ws_server.commands import COMMANDS
from ws_server.push import Push
from ws_server.requests import Auth, Create, Envelope, Request, Sync
from ws_server.stream import Stream, StreamContext, new_write_ids

USER: Final = 1
EPOCH: Final = "e"
MAX_BUFFER: Final = 2000
PAGE: Final = 3  # changes in an answer to a sync


class Asked(NamedTuple):
    """A request on its way. ``since`` is a sync's; ``own`` are the seqs of its changes, once they are committed."""

    request: Request
    since: int
    own: list[int]


class Listener:
    """The client. ``seq`` is the last change that it knows of; ``None`` before the auth frame."""

    def __init__(self) -> None:
        self.seq: int | None = None
        self.push = True
        self.asked: dict[int, Asked] = {}
        self.answered: list[int] = []

    def hear(self, text: bytes) -> None:
        frame = msgspec.json.decode(text)
        number = frame.get("id")
        if number is not None:
            assert number not in self.answered, "one answer to each request"
            self.answered.append(number)
            self._hear_answer(frame, self.asked[number])
        else:
            assert self.seq is not None, "nothing before the auth frame"
            assert self.push, "no pushes where the client wants none"
            assert not any(
                frame["seq"] in asked.own
                for number, asked in self.asked.items()
                if number not in self.answered
            ), "the change of a request in progress is its answer, and no push"
            self._reach(frame["seq"], frame["seq"])

    def _hear_answer(self, frame: dict[str, Any], asked: Asked) -> None:
        match frame:
            case {"type": "error"} | {"replayed": True} | {"recovered": False}:
                assert self.seq is not None or isinstance(asked.request, Auth)
            case {"type": "auth", "seq": seq}:
                if self.seq is not None:
                    self._snapshot(seq)
                self.seq = seq
                assert isinstance(asked.request, Auth)
                self.push = asked.request.push
            case {"type": "batch", "results": results}:
                seqs = [result["seq"] for result in results if "seq" in result]
                assert seqs == asked.own
                if seqs:
                    self._reach(seqs[0], seqs[-1])
            case {"type": "sync", "changes": changes, "seq": seq}:
                assert self.seq is not None
                seqs = [change["seq"] for change in changes]
                assert seqs == list(range(asked.since + 1, seq + 1))
                self.seq = max(self.seq, seq)
            case {"type": "pong", "seq": seq} | {"mode": "all", "seq": seq}:
                self._snapshot(seq)
            case {"mode": "create", "seq": seq}:
                assert [seq] == asked.own, "a write is answered by its own change"
                self._reach(seq, seq)
            case _:
                raise AssertionError(frame)

    def _snapshot(self, seq: int) -> None:
        self._reach(seq + 1, seq)

    def _reach(self, first: int, last: int) -> None:
        """The changes from ``first`` to ``last`` are known now, and those before them had to be."""
        assert self.seq is not None
        if self.push:
            assert first == self.seq + 1, "no gap, no duplicate, never back"
        else:
            assert first > self.seq, "no duplicate, never back"
        self.seq = last


class Outlet:
    """The socket; ``waiting`` bytes are never read by the client."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self.closed_with: int | None = None
        self.is_disconnected = False
        self.buffered = 0
        self.answer_bytes = 0  # of what was sent since the latest request

    def send(self, text: bytes) -> None:
        assert self.closed_with is None, "nothing after a close"
        assert not self.is_disconnected, "nothing for one who is disconnected"
        self.answer_bytes += len(text)
        self._listener.hear(text)

    def send_on_the_wire(self, data: bytes) -> None:
        assert self.closed_with is None, "nothing after a close"
        assert not self.is_disconnected, "nothing for one who is disconnected"
        assert not self.is_too_full, "no push for a slow reader"
        self._listener.hear(data[data.index(b"{") :])

    @property
    def is_too_full(self) -> bool:
        return self.buffered > MAX_BUFFER + self.answer_bytes

    def close(self, code: int, reason: str, *, patient: bool = True) -> None:
        assert self.closed_with is None, "one close"
        assert patient == (code != CloseCode.SLOW_READER)
        self.closed_with = code


class Step:
    """What a request waits for. It goes on when the test steps it, at any time after this is done."""

    seq = 0
    is_done = False

    def __await__(self) -> Generator[Step, None, None]:
        yield self

    def wake(self) -> None:
        self.is_done = True


class Store:
    """The log of a user, as the task service gives it; ``will`` says what the next write does."""

    epoch = EPOCH

    def __init__(self) -> None:
        self.log: list[Change] = []
        self.step = Step()
        self.will = "write"

    @property
    def seq_now(self) -> int:
        return len(self.log)

    def commit(self, size: int, write_id: int | None = None) -> Change:
        seq = len(self.log) + 1
        change = Change(USER, seq, "create", "id", msgspec.json.encode("x" * size), write_id)
        self.log.append(change)
        return change

    async def _wait(self) -> None:
        self.step = Step()
        await self.step

    async def create(self, user_id: int, data: dict[str, Any], *, write_id: int) -> Written:
        await self._wait()  # before it is committed
        if self.will == "refuse":
            raise NotFound
        change = self.commit(data["size"], write_id) if self.will == "write" else None
        if change is not None:
            data["own"].append(change.seq)
        await self._wait()  # until the caller is told
        return Written(StoredTask("id", b"{}"), change)

    async def batch(self, user_id: int, operations: list[Any]) -> list[Written]:
        size, count, own = operations
        await self._wait()
        if self.will == "refuse":
            raise NotFound
        changes = [self.commit(size) if self.will == "write" else None for _ in range(count)]
        own.extend(change.seq for change in changes if change is not None)
        await self._wait()
        return [Written(StoredTask("id", b"{}"), change) for change in changes]

    async def find(self, user_id: int, query: object) -> TaskPage:
        return TaskPage(b"[]", 0, await self.seq(user_id))

    async def seq(self, user_id: int) -> int:
        await self._wait()
        seq = self.seq_now
        await self._wait()
        return seq

    async def changes(self, user_id: int, epoch: str, since: int) -> ChangePage:
        seq = await self.seq(user_id)
        if self.will == "refuse":
            return ChangePage([], seq, more=False, reason="history_gone")
        changes = self.log[since : min(since + PAGE, seq)]
        return ChangePage(changes, since + len(changes), more=False)


class SteppedStream:
    """A stream and its world. ``working`` is the request in progress."""

    def __init__(self, committed: list[int], fed: int) -> None:
        self.listener = Listener()
        self.outlet = Outlet(self.listener)
        self.store = Store()
        for size in committed:
            self.store.commit(size)
        self.fed = min(
            fed, len(committed)
        )  # changes that the feed has brought, or had before the session began
        self.waits: list[Step] = []
        self.stream = Stream(self.outlet, StreamContext(MAX_BUFFER, new_write_ids(), self._start_wait))
        self._work: Coroutine[Any, Any, None] | None = None
        self._awaited: Step | None = None
        self._number = 0
        self.reads_snapshot = False
        self.buffered_bytes = 0  # of changes that came while a snapshot was read

    def _start_wait(self, user_id: int, seq: int) -> Step:
        assert user_id == USER
        step = Step()
        step.seq = seq
        self.waits.append(step)
        return step

    @property
    def is_working(self) -> bool:
        return self._work is not None

    @property
    def is_subscribed(self) -> bool:
        return self.listener.seq is not None or self.is_working

    @property
    def is_ended(self) -> bool:
        return self.stream.is_closing or self.outlet.is_disconnected

    @property
    def request(self) -> Request | None:
        """The one in progress."""
        return self.listener.asked[self._number].request if self.is_working else None

    @property
    def waits_for_feed(self) -> Step | None:
        return self._awaited if self._awaited in self.waits else None

    def ask(self, request: Request, own: list[int]) -> None:
        self._number += 1
        request = msgspec.structs.replace(request, envelope=Envelope(msgspec.json.encode(self._number)))
        since = request.since if isinstance(request, Sync) else 0
        self.listener.asked[self._number] = Asked(request, since, own)
        self.outlet.answer_bytes = self.buffered_bytes = 0
        self.reads_snapshot = not isinstance(request, Create)
        self.stream.start_request(request.envelope.id)
        self._work = self._carry_out(request)
        self._send(None)

    async def _carry_out(self, request: Request) -> None:
        """As ``Connection`` and ``Session`` do."""
        try:
            try:
                if isinstance(request, Auth):
                    await self._authenticate(request)
                else:
                    await COMMANDS[type(request)](self.stream, cast("Any", self.store), USER, request)
            finally:
                self.stream.end_request()
        except TaskbeamError as error:
            self.stream.send(answers.error_frame(error, request.envelope))

    async def _authenticate(self, request: Auth) -> None:
        self.stream.start_buffering()
        seq = await self.store.seq(USER)
        if self.store.will == "refuse":
            raise Unavailable("the token cannot be checked now")
        if self.listener.seq is None:
            self.stream.skip(seq)
        else:
            await self.stream.catch_up(seq)
        self.stream.start(USER, push=request.push)
        self.stream.answer(answers.auth_frame(USER, 0, EPOCH, seq))

    def step(self) -> None:
        """Let the request go on, where what it waits for is there."""
        if self._awaited is not None and (self._awaited.is_done or self._awaited not in self.waits):
            self._send(None)

    def time_out(self) -> None:
        """The feed does not bring what the request waits for."""
        if (wait := self.waits_for_feed) is not None and not wait.is_done:
            self.listener.asked[self._number].own.clear()  # its changes come as others' do
            self._send(Unavailable("the change feed does not move"))

    def _send(self, error: Exception | None) -> None:
        work = cast("Coroutine[Any, Any, None]", self._work)
        try:
            self._awaited = work.send(None) if error is None else work.throw(error)
        except BaseException as end:
            self._work = self._awaited = None
            if not isinstance(end, StopIteration):
                raise

    def feed(self) -> None:
        """Bring the next change that is committed."""
        if self.fed < self.store.seq_now:
            self.fed += 1
            change = self.store.log[self.fed - 1]
            if self.is_subscribed:
                self.stream.on_change(Push(change, change_frame(change)))

    def disconnect(self) -> None:
        self.outlet.is_disconnected = True
        self.stream.on_disconnected()

    def finish(self, *, may_time_out: bool) -> None:
        """Bring everything, and let the request end."""
        while self.fed < self.store.seq_now or self.is_working:
            self.feed()
            self.step()
            wait = self.waits_for_feed
            if wait is not None and not wait.is_done and self.fed == self.store.seq_now:
                assert may_time_out, "the request waits for what does not come"
                self.time_out()
