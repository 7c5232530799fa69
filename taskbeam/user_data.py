"""Users and their tasks as JSON Lines, out of a store and into one.

A line is a user, ``{"kind": "user", "username", "password", "is_active", "date_joined"}`` with the hash of the password, or
a task of a user from a line before, ``{"kind": "task", "username", "task": {…}}`` with the task as clients get it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable
from typing import Any, Final, NamedTuple

import msgspec

from shared.clock import parse_timestamp, read_clocks
from shared.errors import ValidationFailed
from shared.models import ImportTask, TaskQuery, User
from shared.rules.accounts import clean_username, username_key
from shared.rules.tasks import clean_create
from shared.store import Store
from shared.store.records import AccountRecord

_PAGE: Final = 1000
_AT_ONCE: Final = 256  # tasks that are written together
_NO_LIMIT: Final = 2**31


class ExportedUser(msgspec.Struct, tag="user", tag_field="kind"):
    """``password`` is an encoded hash, see ``shared.auth.password_hashes``."""

    username: str
    password: str
    is_active: bool
    date_joined: str


class ExportedTask(msgspec.Struct, tag="task", tag_field="kind"):
    """``task`` is the task's JSON: a new field of tasks needs no change here."""

    username: str
    task: dict[str, Any]


class BadLine(Exception):
    """A line that cannot be imported; the message says which, and why. What comes before it is imported."""


class Imported(NamedTuple):
    """What an import has added. ``present``: users and tasks that were there already, and stay as they are."""

    users: int
    tasks: int
    present: int


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(ExportedUser | ExportedTask).decode
_decode_tasks = msgspec.json.Decoder(list[dict[str, Any]]).decode


async def export_users(store: Store, usernames: Collection[str] = ()) -> AsyncIterator[bytes]:
    """Lines with their ends; all users where none are named. Each user's tasks are those of one moment.

    Raises:
        BadLine: there is no user of a name.
    """
    async for account in _accounts(store, usernames):
        user = account.user
        yield _encode(ExportedUser(user.username, user.password, user.is_active, user.date_joined)) + b"\n"
        page = await store.tasks(user.id, TaskQuery())
        for task in _decode_tasks(page.json):
            yield _encode(ExportedTask(user.username, task)) + b"\n"


async def _accounts(store: Store, usernames: Collection[str]) -> AsyncIterator[AccountRecord]:
    if usernames:
        for username in usernames:
            user = await store.user_by_key(username_key(username) or "")
            if user is None:
                raise BadLine(f"there is no user {username}")
            yield AccountRecord(user, 0, 0)
        return
    after = 0
    while page := await store.accounts(after, _PAGE):
        for account in page:
            yield account
        after = page[-1].user.id


async def import_users(store: Store, lines: Iterable[bytes]) -> Imported:
    """Add what is not there: a user by name, a task by its uuid. So a second time changes nothing, and half is resumed.

    A task keeps its uuid and its times; one in the future becomes that of the import. Its ``rev`` begins anew, and
    ``max_tasks_per_user`` does not count.

    Raises:
        BadLine: the first line that cannot be imported.
        Unavailable: the database cannot be written.
    """
    importing = _Import(store)
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                await importing.take(number, _decode(line))
            except (msgspec.DecodeError, ValueError) as error:
                raise BadLine(f"line {number}: {error}") from error
            except ValidationFailed as failed:
                raise BadLine(f"line {number}: {failed.sentence}") from failed
    await importing.flush()
    return Imported(importing.users, importing.tasks, importing.present)


class _Import:
    """Takes lines in order. Tasks are written some at a time, which shares transactions."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._now = read_clocks().time * 1_000_000
        self._ids: dict[str, int] = {}  # by the key of the name
        self._waiting: list[tuple[int, int, dict[str, Any]]] = []  # line, user, task
        self.users = self.tasks = self.present = 0

    async def take(self, number: int, line: ExportedUser | ExportedTask) -> None:
        """Raises ValidationFailed, ValueError, BadLine."""
        if isinstance(line, ExportedUser):
            await self._add_user(line)
            return
        user_id = await self._user_id(line.username)
        self._waiting.append((number, user_id, line.task))
        if len(self._waiting) >= _AT_ONCE:
            await self.flush()

    async def _add_user(self, exported: ExportedUser) -> None:
        username = clean_username({"username": exported.username})
        key = username_key(username) or ""
        user = await self._store.user_by_key(key)
        if user is None:
            user = await self._make_user(exported, username, key)
            self.users += 1
        else:
            self.present += 1
        self._ids[key] = user.id

    async def _make_user(self, exported: ExportedUser, username: str, key: str) -> User:
        joined = parse_timestamp(exported.date_joined)
        user = await self._store.add_user(username, key, exported.password, joined)
        if not exported.is_active:
            await self._store.set_active(user.id, False, read_clocks())
        return user

    async def _user_id(self, username: str) -> int:
        key = username_key(username) or ""
        if key not in self._ids:
            user = await self._store.user_by_key(key)
            if user is None:
                raise ValueError(f"there is no user {username!r}")
            self._ids[key] = user.id
        return self._ids[key]

    async def flush(self) -> None:
        """Write what waits. Raises BadLine."""
        waiting, self._waiting = self._waiting, []
        outcomes = await asyncio.gather(
            *(self._bring(user_id, task) for _, user_id, task in waiting), return_exceptions=True
        )
        for (number, _, _), outcome in zip(waiting, outcomes, strict=True):
            if isinstance(outcome, ValidationFailed):
                raise BadLine(f"line {number}: {outcome.sentence}") from outcome
            if isinstance(outcome, (ValueError, KeyError, TypeError)):
                raise BadLine(f"line {number}: no task: {outcome}") from outcome
            if isinstance(outcome, BaseException):
                raise outcome
            self.tasks += outcome
            self.present += not outcome

    async def _bring(self, user_id: int, task: dict[str, Any]) -> bool:
        """Make a task that is made already elsewhere; False: it is here.

        Raises:
            ValidationFailed: by the rules of a create, or because another user has the uuid.
            ValueError, KeyError, TypeError: a time is malformed or missing, or there is no uuid.
        """
        created, modified = parse_timestamp(task["time_created"]), parse_timestamp(task["time_modified"])
        if task.get("uuid") is None:
            raise ValueError("it has no uuid, and would be another task each time")
        operation = ImportTask(clean_create(task), created, modified)
        written = await self._store.write(user_id, operation, now=self._now, max_tasks=_NO_LIMIT)
        return written.change is not None
