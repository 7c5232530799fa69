"""Clients that write without pause over both transports, and record it in the ledger."""

from __future__ import annotations

import asyncio
import enum
import itertools
import random
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final, Protocol

from tests.failures.ledger import Acknowledged, Ledger, key_of
from tests.support.clients import Account
from tests.support.processes import System
from tests.support.reconnecting_clients import AnswerLost, Json, ReconnectingRest, ReconnectingSocket

_TASKS_MAX: Final = 6  # of one writer


class Unavailable(Exception):
    """The server answered that it cannot write now, and to ask again in so many seconds."""

    def __init__(self, retry_after: float) -> None:
        super().__init__(f"unavailable, retry after {retry_after} s")
        assert retry_after > 0
        self.retry_after = retry_after


class Outcome(enum.Enum):
    """The outcome of a write, as far as its client knows."""

    DONE = enum.auto()
    UNKNOWN = enum.auto()
    REFUSED = enum.auto()


class Transport(Protocol):
    """Sends a WebSocket request over one transport. Returns task frames; over REST only those of a batch have a ``seq``."""

    name: str

    async def write(self, request: Json) -> list[Json]: ...  # AnswerLost, Unavailable
    async def close(self) -> None: ...


class WebSocketTransport:
    name = "ws"

    def __init__(self, system: System, account: Account) -> None:
        self.client = ReconnectingSocket(system, account.access)

    async def write(self, request: Json) -> list[Json]:
        answer = await self.client.ask(request)
        if answer.get("code") == "unavailable":
            raise Unavailable(answer["retry_after"])
        assert answer["type"] != "error", f"{request!s:.300} was answered {answer!s:.300}"
        return answer["results"] if answer["type"] == "batch" else [answer]

    async def close(self) -> None:
        await self.client.close()


class RestTransport:
    name = "rest"

    def __init__(self, system: System, account: Account) -> None:
        self.client = ReconnectingRest(system, account.access)

    async def write(self, request: Json) -> list[Json]:
        mode, task_id = request["mode"], request.get("task_id", "")
        match mode:
            case "create":
                answer = await self.client.ask("POST", "/", request["data"])
            case "update":
                answer = await self.client.ask("PATCH", f"/task/{task_id}/", request["data"])
            case "delete":
                answer = await self.client.ask("DELETE", f"/task/{task_id}/")
            case _:
                answer = await self.client.ask("POST", "/batch/", {"ops": request["ops"]})
        if answer.status == 503:
            raise Unavailable(int(answer.headers["retry-after"]))
        assert answer.status in (200, 201, 204), f"{request!s:.300} was answered {answer!s:.300}"
        if mode == "batch":
            results: list[Json] = answer.body["results"]
            return results
        return [{"mode": mode, "task_id": task_id or answer.body["uuid"], "task": answer.body}]

    async def close(self) -> None:
        await self.client.close()


class Writer:
    """One client of a user. It has its own tasks, and one that all of the user's writers change."""

    def __init__(
        self, transport: Transport, user_id: int, name: str, ledger: Ledger, rng: random.Random
    ) -> None:
        self._transport = transport
        self._user_id = user_id
        self._name = name
        self._ledger = ledger
        self._rng = rng
        self._numbers = itertools.count(1)
        self._own: list[str] = []
        self.shared: str | None = None
        self.stopping = False
        self.reconnects = True  # after a lost connection
        self.close_code: int | None = None  # of the last connection that was lost
        self.retry_after = 0.0  # as the last refusal said

    async def work(self, pause: float) -> None:
        """Write until ``stopping``; the last write is completed."""
        while not self.stopping:
            await self.step()
            await asyncio.sleep(self._rng.uniform(0, pause))

    async def step(self) -> None:
        """One random write, acknowledged or not."""
        kind = self._rng.choices(
            ("create", "update", "shared", "delete", "batch"), (4, 4, 2, 2 if self._own else 0, 1)
        )[0]
        if kind == "shared" and self.shared is not None:
            await self._try(self._update(self.shared))
        elif kind == "update" and self._own:
            task_id = self._rng.choice(self._own)
            if await self._try(self._update(task_id)) is not Outcome.DONE:
                self._own.remove(task_id)
        elif kind == "delete" or len(self._own) >= _TASKS_MAX:
            await self._try({"mode": "delete", "task_id": self._own.pop()})
        elif kind == "batch":
            await self._batch()
        elif created := await self.create():
            self._own.append(created)

    async def create(self) -> str | None:
        """Repeat a create, which has its own uuid, until it is done or refused. Returns the uuid."""
        request = self._create()
        while (outcome := await self._try(request)) is Outcome.UNKNOWN and not self.stopping:
            pass
        return request["data"]["uuid"] if outcome is Outcome.DONE else None

    async def _batch(self) -> None:
        kept, deleted = self._create(), self._create()
        kept_id, deleted_id = kept["data"]["uuid"], deleted["data"]["uuid"]
        ops = [kept, self._update(kept_id), deleted, {"mode": "delete", "task_id": deleted_id}]
        if await self._try({"mode": "batch", "ops": ops}) is Outcome.DONE:
            self._own.append(kept_id)

    def _create(self) -> Json:
        # Sometimes long: a change may take several pages of the database.
        task = "t" * self._rng.choice((1, 20, 255))
        data = {"uuid": str(uuid.uuid4()), "task": task, "description": self._unique_text()}
        return {"mode": "create", "data": data}

    def _update(self, task_id: str) -> Json:
        data = {"description": self._unique_text(), "completed": self._rng.random() < 0.5}
        return {"mode": "update", "task_id": task_id, "data": data}

    def _unique_text(self) -> str:
        return f"{self._name}/{next(self._numbers)}{'x' * self._rng.choice((0, 0, 100, 6000))}"

    async def _try(self, request: Json) -> Outcome:
        keys = _keys(request)
        self._ledger.record_attempt(self._user_id, keys)
        try:
            answers = await self._transport.write(request)
        except AnswerLost as lost:
            self._ledger.record_unknown(keys)
            self.close_code = lost.code
            self.stopping = self.stopping or not self.reconnects
            return Outcome.UNKNOWN
        except Unavailable as refusal:
            self._ledger.unavailable += 1
            self.retry_after = refusal.retry_after
            self._ledger.record_unknown(keys)  # the contract leaves open whether it was written
            return Outcome.REFUSED
        self._ledger.record_acknowledged(
            [self._acknowledged(*item) for item in zip(keys, answers, strict=True)]
        )
        return Outcome.DONE

    def _acknowledged(self, key: str, answer: Json) -> Acknowledged:
        task = answer["task"] if answer["mode"] != "delete" else None
        assert key_of(answer["mode"], answer["task_id"], task) == key, (
            f"{key:.99} was answered {answer!s:.300}"
        )
        return Acknowledged(self._user_id, key, answer.get("seq"), task)


def _keys(request: Json) -> tuple[str, ...]:
    operations = request["ops"] if request["mode"] == "batch" else [request]
    return tuple(key_of(op["mode"], op.get("task_id", ""), op.get("data")) for op in operations)


@asynccontextmanager
async def writing(
    system: System, accounts: Sequence[Account], ledger: Ledger, seed: int, *, pause: float
) -> AsyncIterator[list[Writer]]:
    """Two writers on each transport for each account, which write while the body runs. Their errors end the body."""
    transports: list[Transport] = []
    writers: list[Writer] = []
    for account in accounts:
        transports += (
            WebSocketTransport(system, account),
            RestTransport(system, account),
            WebSocketTransport(system, account),
            RestTransport(system, account),
        )
        for number, transport in enumerate(transports[-4:]):
            name = f"{account.id}.{number}"
            writers.append(Writer(transport, account.id, name, ledger, random.Random(f"{seed} {name}")))
        await share_a_task(writers[-4:])
    async with at_work(writers, pause):
        yield writers
    for transport in transports:
        await transport.close()


async def share_a_task(team: Sequence[Writer]) -> None:
    """Make the task that all writers of a user change."""
    shared = await team[0].create()
    for writer in team:
        writer.shared = shared


@asynccontextmanager
async def at_work(writers: Sequence[Writer], pause: float) -> AsyncIterator[None]:
    """They write while the body runs, and complete their last write. Their errors end the body."""
    async with asyncio.TaskGroup() as group:
        for writer in writers:
            group.create_task(writer.work(pause))
        yield
        for writer in writers:
            writer.stopping = True
