"""The import: users, then their tasks, then the refresh tokens that were ended, a page at a time.

What is here already is not written again, so an import that was interrupted goes on, and a second one does nothing.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import islice
from typing import Final, TypeVar

import msgspec

from shared.auth.hash_forms import read_hash
from shared.clock import ClockReading
from shared.decisions.imports import AccountImport
from shared.errors import LimitReached, NotFound, UserGone, ValidationFailed
from shared.models import ImportTask, Task, User, Written
from shared.rules.fields import canonical_uuid
from shared.store import Store
from shared.store.django.rows import EndedTokenRow, Source, TaskRow, UserRow
from taskbeam.django_import.report import Report, Row
from taskbeam.django_import.rows import NotImportable, to_account, to_ended_token, to_task

T = TypeVar("T")

_USERS_AT_ONCE: Final = 500
_TASKS_AT_ONCE: Final = 256  # as many as the store writes without a thread
_WHY_NOT: Final = {
    AccountImport.ID_TAKEN: "another user has the id {id} here",
    AccountImport.ID_USED: (
        "the id {id} was given before here, to an account that is gone or could not come in: import into an empty instance"
    ),
    AccountImport.NAME_TAKEN: "another user has this name, or one that counts as the same",
}


class Import:
    """One import.

    Args:
        source: the application's rows.
        store: where they come in.
        max_tasks: of a user.
        at: the time of the import.
        progress: told how many rows are done, and of how many.
    """

    def __init__(
        self,
        source: Source,
        store: Store,
        max_tasks: int,
        at: ClockReading,
        progress: Callable[[int, int], None],
        *,
        dry_run: bool = False,
    ) -> None:
        self._source = source
        self._store = store
        self._max_tasks = max_tasks
        self._at = at
        self._now = at.time * 1_000_000
        self._progress = progress
        self._done = 0
        self._total = sum(source.counts())
        self._users: set[int] = set()  # who are here, and so may have tasks
        self.report = Report(dry_run)

    async def run(self) -> Report:
        """Raises Unavailable, SourceError; what was written until then stays."""
        for users in _pages(self._source.users(), _USERS_AT_ONCE):
            await self._import_users(users)
        deleted = await self._store.deleted_tasks()
        for tasks in _pages(self._source.tasks(), _TASKS_AT_ONCE):
            await self._import_tasks(tasks, deleted)
        for token in self._source.ended_tokens():
            await self._end(token)
        return self.report

    async def _import_users(self, rows: Sequence[UserRow]) -> None:
        accounts = []
        for row in rows:
            try:
                accounts.append(to_account(row))
            except NotImportable as error:
                self.report.users.skipped.append(Row(str(row.username), str(error)))
        outcomes = await self._store.import_accounts(accounts)
        for (user, _), outcome in zip(accounts, outcomes, strict=True):
            part = self.report.users
            match outcome:
                case AccountImport.ADDED:
                    part.added += 1
                    self._look_at_password(user)
                case AccountImport.THERE:
                    part.present += 1
                case AccountImport.DIFFERS:
                    part.differing.append(Row(user.username, "changed since it was imported, here or there"))
                case _:
                    part.skipped.append(Row(user.username, _WHY_NOT[outcome].format(id=user.id)))
                    continue
            self._users.add(user.id)
        self._advance(len(rows))

    def _look_at_password(self, user: User) -> None:
        if read_hash(user.password) is None:
            is_unusable = user.password.startswith("!")
            self.report.passwords.append(
                Row(user.username, "has none there" if is_unusable else "its hash is of no form that is read")
            )

    async def _import_tasks(self, rows: Sequence[TaskRow], deleted: Collection[str]) -> None:
        tasks = [each for row in rows if (each := await self._importable(row, deleted)) is not None]
        outcomes = await asyncio.gather(
            *(
                self._store.write(user_id, task, now=self._now, max_tasks=self._max_tasks)
                for user_id, task in tasks
            ),
            return_exceptions=True,
        )
        part = self.report.tasks
        for (_, task), outcome in zip(tasks, outcomes, strict=True):
            uuid = str(task.uuid)
            match outcome:
                case Written(change=None):
                    if _is_same(task, outcome.task.decode()):
                        part.present += 1
                    else:
                        part.differing.append(Row(uuid, "changed since it was imported, here or there"))
                case Written():
                    part.added += 1
                case ValidationFailed():
                    part.skipped.append(Row(uuid, outcome.sentence))
                case LimitReached():
                    part.skipped.append(Row(uuid, "its user has as many tasks as the settings allow"))
                case UserGone():
                    part.skipped.append(Row(uuid, "its user was deleted meanwhile"))
                case _:
                    raise outcome
        self._advance(len(rows))

    async def _importable(self, row: TaskRow, deleted: Collection[str]) -> tuple[int, ImportTask] | None:
        try:
            user_id, task = to_task(row)
        except NotImportable as error:
            uuid = canonical_uuid(str(row.uuid)) or str(row.uuid)
            self.report.tasks.skipped.append(Row(uuid, str(error)))
            return None
        if user_id not in self._users:
            self.report.tasks.skipped.append(Row(str(task.uuid), f"the user {user_id} is not here"))
            return None
        if task.uuid in deleted and not await self._has(user_id, str(task.uuid)):
            self.report.tasks.differing.append(Row(str(task.uuid), "deleted here since it was imported"))
            return None
        return user_id, task

    async def _has(self, user_id: int, uuid: str) -> bool:
        try:
            await self._store.task(user_id, uuid)
        except NotFound:
            return False
        return True

    async def _end(self, row: EndedTokenRow) -> None:
        try:
            token = to_ended_token(row)
        except NotImportable:  # of a user who is gone there: it names nobody
            return
        if token.user_id in self._users and token.exp > self._at.time:
            await self._store.end_family(token, secrets.token_hex(16), self._at)
            self.report.ended_tokens += 1

    def _advance(self, rows: int) -> None:
        self._done += rows
        self._progress(self._done, self._total)


def _is_same(imported: ImportTask, task: Task) -> bool:
    """Whether a task is as it was imported. Its times may not be: what was in the future came in as of then."""
    made = imported.task.made(task.uuid, task.user_id, task.time_created)
    return msgspec.structs.replace(made, time_modified=task.time_modified) == task


def _pages(rows: Iterator[T], size: int) -> Iterator[list[T]]:
    while page := list(islice(rows, size)):
        yield page
