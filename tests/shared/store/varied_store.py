"""A store with rows of all kinds, made at random from a seed; and all that the contract tells of it."""

from __future__ import annotations

import itertools
import random
import uuid
from contextlib import suppress
from typing import Any, Final, NamedTuple

import msgspec

from shared.clock import timestamp
from shared.decisions.imports import AccountImport, ImportedAccount
from shared.errors import TaskbeamError
from shared.models import CreateTask, ImportTask, TaskQuery, Token, User
from shared.store import Store
from shared.uuid7 import first_tick, uuid7
from tests.shared.store.owner import (
    GRACE,
    LATER,
    MISSING,
    NOW,
    READING,
    SECOND,
    Owner,
    new_owner,
    reading_at,
    refresh_token,
)

_STEPS: Final = 400
_PATIENCE: Final = 10**9  # nothing is old
_TEXTS: Final = (
    *("Buy milk", "żółw 🐢 \u202e", "'; DROP TABLE tasks; --", "\\x00 \\N \t tab", "İstanbul ß ﬁ", "𝕬" * 255),
    "\x7f\u2028 line",
)
_NAMES: Final = ("ada", "Ünïcødé", "用户", "o'hara\\", "Ω-🦉", "a,b\tc", "last", "é" * 100)
_HASHES: Final = (
    "bcrypt$$2b$12$" + "a" * 53,
    "pbkdf2_sha256$600000$salt$hash",
    "argon2$argon2id$v=19$m=102400,t=2,p=8$salt$hash",
    "!unusable",
)
_ADDRESSES: Final = ("192.0.2.1", "2001:db8::/64", "198.51.100.7", "2001:DB8:1::/64")


class Told(NamedTuple):
    """All that the contract tells of a store. ``owners``: of each user, the list, the log, and what is known of tokens."""

    epoch: str
    signing_key: Any
    accounts: list[Any]
    owners: dict[int, Any]
    deleted_tasks: set[str]


class VariedStore:
    """Fills a store, and remembers which tokens there are to be asked of."""

    def __init__(self, store: Store, seed: int) -> None:
        self.store = store
        self.random = random.Random(seed)
        self.owners: list[Owner] = []
        self.gone: list[int] = []
        self.tokens: list[Token] = []
        self._uuids = [MISSING]
        self._now = NOW
        self._names = itertools.count(1)

    async def fill(self) -> None:
        """Some users, some of whom come in with ids of their own; then many steps."""
        self.owners = [await new_owner(self.store, name) for name in _NAMES[:5]]
        for name, password in zip(_NAMES[5:], _HASHES, strict=False):
            await self._import_user(name, password)
        steps = (
            *(self._create, self._create_beside, self._update, self._update, self._delete, self._take_again),
            *(self._batch, self._import_task, self._log_in, self._rotate, self._log_out),
        )
        for _ in range(_STEPS):
            self._now += self.random.choice((0, 0, 1, 1000, SECOND, -SECOND))
            with suppress(TaskbeamError):  # a step that the store refuses leaves what there is
                await self.random.choice(steps)(self.random.choice(self.owners))
        await self._end_users()
        await self.store.set_signing_key("a fingerprint")

    async def _import_user(self, name: str, password: str) -> None:
        newest = max(owner.id for owner in self.owners)
        user = User(newest + self.random.randint(1, 5), name, password, True, timestamp(NOW))
        assert await self.store.import_accounts([ImportedAccount(user, name)]) == [AccountImport.ADDED]
        self.owners.append(Owner(self.store, user))

    def _text(self) -> str:
        return self.random.choice(_TEXTS)

    def _new_uuid(self) -> str:
        """By a client: of version 4, or of 7 with a time that may be the task's."""
        bits = self.random.getrandbits(128)
        if self.random.random() < 0.5:
            return str(uuid.UUID(int=bits, version=4))
        return uuid7(first_tick(self._now) + self.random.randint(0, 3))

    async def _create(self, owner: Owner) -> None:
        self._uuids.append((await owner.create(self._text(), now=self._now)).uuid)

    async def _create_beside(self, owner: Owner) -> None:
        self._uuids.append((await owner.create(self._text(), uuid=self._new_uuid(), now=self._now)).uuid)

    async def _take_again(self, owner: Owner) -> None:
        """A uuid of some task, which succeeds where that is deleted."""
        await owner.create(self._text(), uuid=self.random.choice(self._uuids), now=self._now)

    async def _update(self, owner: Owner) -> None:
        await owner.update(self.random.choice(self._uuids), self._text(), now=self._now)

    async def _delete(self, owner: Owner) -> None:
        await owner.delete(self.random.choice(self._uuids))

    async def _batch(self, owner: Owner) -> None:
        """At one moment, with a write id of a socket."""
        tasks = [CreateTask(None, self._text(), "d" * number) for number in range(self.random.randint(1, 12))]
        written = await owner.batch(*tasks, now=self._now)
        self._uuids += [one.task.uuid for one in written]
        write_id = self.random.getrandbits(62)
        await owner.write(CreateTask(None, "by a socket"), now=self._now, write_id=write_id)

    async def _import_task(self, owner: Owner) -> None:
        task = CreateTask(self._new_uuid(), self._text(), completed=True)
        await owner.write(ImportTask(task, self._now - 5 * SECOND, self._now))

    async def _log_in(self, owner: Owner) -> None:
        """With a refresh token that names its family, or one of simplejwt's, which names none."""
        sid = self._new_name("sid")
        address = self.random.choice((*_ADDRESSES, None))
        await self.store.begin_family(sid, owner.user, LATER, address, READING, _PATIENCE)
        named = self.random.choice((sid, sid, None))
        self.tokens += [owner.access_token(sid), refresh_token(owner.id, named, self._new_name("jti"))]

    async def _rotate(self, owner: Owner) -> None:
        """Exchange a token, be it the first time or not."""
        refresh = [token for token in self.tokens if token.token_type == "refresh"]
        if refresh:
            token, at = self.random.choice(refresh), reading_at(self.random.randint(0, 100))
            await self.store.exchange_token(token, self._new_name("sid"), LATER + 9, at, GRACE, _PATIENCE)

    async def _log_out(self, owner: Owner) -> None:
        if self.tokens:
            await self.store.end_family(self.random.choice(self.tokens), self._new_name("sid"), READING)

    def _new_name(self, kind: str) -> str:
        return f"{kind}-{next(self._names)}"

    async def _end_users(self) -> None:
        """One is disabled, one enabled again, one has another password, one is deleted, and so is the newest."""
        disabled, enabled, changed, deleted, *_, newest = self.owners
        await self.store.set_active(disabled.id, False, READING)
        await self.store.set_active(enabled.id, False, READING)
        await self.store.set_active(enabled.id, True, reading_at(5))
        assert await self.store.set_password(changed.user, "another hash", READING)
        for owner in (deleted, newest):
            assert await self.store.delete_user(owner.user, READING)
            self.owners.remove(owner)
            self.gone.append(owner.id)


async def tell(store: Store, tokens: list[Token]) -> Told:
    """Everything, in the words of the contract."""
    accounts = await store.accounts(0, 1000)
    owners = {}
    for account in accounts:
        owner = Owner(store, account.user)
        key = account.user.username
        owners[owner.id] = {
            "tasks": [msgspec.to_builtins(task) for task in await owner.tasks()],
            "by text": (await store.tasks(owner.id, TaskQuery(ordering=(("task", True),)))).json,
            "log": [msgspec.structs.astuple(change) for change in await owner.log()],
            "addresses": [(await store.login_record(key, address)).knows_address for address in _ADDRESSES],
            "record": (await store.login_record(key, "")),
            "tokens": [await store.token_status(token) for token in tokens if token.user_id == owner.id],
        }
    ended = await store.ended_tokens(tokens)
    assert ended == [token for token in tokens if token in ended]
    return Told(
        store.epoch,
        await store.signing_key(),
        [*accounts, *ended],
        owners,
        await store.deleted_tasks(),
    )
