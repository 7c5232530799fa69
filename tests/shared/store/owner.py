"""A user of a store, with short verbs; and the time that all of these tests live in."""

from __future__ import annotations

import itertools
from typing import Final

import msgspec

from shared.clock import ClockReading, timestamp
from shared.decisions.sessions import TokenStatus
from shared.models import (
    Change,
    CreateTask,
    DeleteTask,
    Operation,
    RefusedOperation,
    Task,
    TaskPage,
    TaskQuery,
    Token,
    UpdateTask,
    User,
    Written,
)
from shared.store import Store

SECOND: Final = 1_000_000
NOW: Final = 1_700_000_000 * SECOND
ENOUGH: Final = 1_000_000
MISSING: Final = "00000000-0000-4000-8000-000000000000"

READING: Final = ClockReading(NOW // SECOND, 1_000_000, "a start of the machine")
LATER: Final = READING.time + 86_400
PATIENCE: Final = 60
GRACE: Final = 30

_names = itertools.count(1)


class Owner:
    """What a user does; each verb is one write of its own."""

    def __init__(self, store: Store, user: User) -> None:
        self.store = store
        self.user = user
        self.id = user.id

    async def write(
        self, *operations: Operation, now: int = NOW, max_tasks: int = ENOUGH, write_id: int | None = None
    ) -> list[Written]:
        """Several are a batch."""
        if len(operations) == 1 and not isinstance(operation := operations[0], RefusedOperation):
            return [
                await self.store.write(self.id, operation, now=now, max_tasks=max_tasks, write_id=write_id)
            ]
        return await self.batch(*operations, now=now, max_tasks=max_tasks)

    async def batch(self, *operations: Operation, now: int = NOW, max_tasks: int = ENOUGH) -> list[Written]:
        return await self.store.write_all(self.id, operations, now=now, max_tasks=max_tasks)

    async def create(self, task: str = "Buy milk", *, uuid: str | None = None, now: int = NOW) -> Task:
        return (await self.write(CreateTask(uuid, task), now=now))[0].task.decode()

    async def update(
        self, uuid: str, task: str | None = None, *, rev: int | None = None, now: int = NOW
    ) -> Task:
        return (await self.write(UpdateTask(uuid, task, rev=rev), now=now))[0].task.decode()

    async def delete(self, uuid: str, *, rev: int | None = None) -> Task:
        return (await self.write(DeleteTask(uuid, rev)))[0].task.decode()

    async def tasks(self) -> list[Task]:
        return listed(await self.store.tasks(self.id, TaskQuery()))

    async def read(self, uuid: str) -> Task:
        return (await self.store.task(self.id, uuid)).decode()

    async def seq(self) -> int:
        return await self.store.seq(self.id)

    async def begin(self, sid: str, expires: int = LATER, at: ClockReading = READING) -> None:
        """Log in."""
        await self.store.begin_family(sid, self.user, expires, "192.0.2.1", at, PATIENCE)

    async def begin_as(self, password: str, sid: str) -> None:
        """Log in when the stored hash is another than it was."""
        user = msgspec.structs.replace(self.user, password=password)
        await self.store.begin_family(sid, user, LATER, "192.0.2.1", READING, PATIENCE)

    async def end(self, sid: str) -> None:
        """Log out."""
        await self.store.end_family(refresh_token(self.id, sid), "none", READING)

    def access_token(self, sid: str | None, issued: int = READING.time) -> Token:
        return Token("access", self.id, "jti of the access token", issued, LATER, sid)

    async def status(self, sid: str | None, issued: int = READING.time) -> TokenStatus:
        status = await self.store.token_status(self.access_token(sid, issued))
        assert status is not None
        return status

    async def is_revoked(self, sid: str | None, issued: int = READING.time) -> bool:
        return (await self.status(sid, issued)).revoked

    async def rotate(self, sid: str, jti: str, seconds: int = 0, expires: int = LATER) -> bool:
        """Whether the refresh token of that name could be exchanged so many seconds after READING."""
        token, at = refresh_token(self.id, sid, jti), reading_at(seconds)
        family = await self.store.exchange_token(token, "new", expires, at, GRACE, PATIENCE)
        assert family in (sid, None)
        return family is not None

    async def log(self) -> list[Change]:
        """All changes from the first; there must be no page without one."""
        changes: list[Change] = []
        more = True
        while more:
            since = changes[-1].seq if changes else 0
            page = await self.store.changes(self.id, self.store.epoch, since, 500)
            assert page.reason is None
            assert page.changes or not page.more
            changes += page.changes
            more = page.more
        return changes


async def new_owner(store: Store, name: str | None = None) -> Owner:
    name = name or f"user-{next(_names)}"
    return Owner(store, await store.add_user(name, name, "hash", NOW))


def refresh_token(user_id: int, sid: str | None, jti: str = "jti", expires: int = LATER) -> Token:
    return Token("refresh", user_id, jti, READING.time, expires, sid)


def reading_at(time: int, uptime: float | None = None, boot: str = READING.boot) -> ClockReading:
    """So many seconds after READING; by the uptime, too, unless that is given."""
    return ClockReading(READING.time + time, READING.uptime + (time if uptime is None else uptime), boot)


def task_json(task: Task) -> bytes:
    """What the change log must hold of a task."""
    return msgspec.json.encode(task)


def listed(page: TaskPage) -> list[Task]:
    return msgspec.json.decode(page.json, type=list[Task])


def at(seconds: int) -> str:
    """The time of an event that many seconds after NOW."""
    return timestamp(NOW + seconds * SECOND)
