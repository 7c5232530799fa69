"""The store's contract on one screen; `shared.store.opening` opens one.

Rows are the truth: every write puts the task row and its change row into one transaction, so a
change is visible exactly when its task is, and never lost after it was acknowledged. Each method
is whole: cancelled or failed, it has either done everything or nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Protocol

from shared.clock import ClockReading
from shared.decisions.imports import AccountImport, ImportedAccount
from shared.decisions.sessions import TokenStatus
from shared.models import (
    Change,
    ChangePage,
    Operation,
    StoredTask,
    TaskPage,
    TaskQuery,
    Token,
    User,
    Write,
    Written,
)
from shared.store.records import AccountRecord, LoginRecord, SigningKey, Totals


class Commit(Protocol):
    """What this process has committed: changes in order, and whether anything else was written too."""

    changes: list[Change]
    others: bool


CommitListener = Callable[[Commit], None]
"""Called on the event loop after a commit of this process, before its callers are answered."""


class Store(Protocol):
    """All methods raise ``Unavailable`` when the database cannot be used now."""

    epoch: str

    def listen(self, listener: CommitListener) -> None: ...

    async def ping(self) -> None:
        """Raises Unavailable when a table cannot be read, or it is known that nothing can be written."""
        ...

    # Tasks. UserGone: the account does not exist any more.
    def write(
        self, user_id: int, operation: Write, *, now: int, max_tasks: int, write_id: int | None = None
    ) -> Awaitable[Written]:
        """Raises NotFound, Conflict, LimitReached, ValidationFailed (a foreign uuid, a time before 1970), UserGone."""
        ...

    def write_all(
        self, user_id: int, operations: Sequence[Operation], *, now: int, max_tasks: int
    ) -> Awaitable[list[Written]]:
        """Do all or nothing. Raises as ``write``, with ``op`` among the error's extras: the index."""
        ...

    def task(self, user_id: int, uuid: str) -> Awaitable[StoredTask]: ...  # NotFound
    async def tasks(self, user_id: int, query: TaskQuery) -> TaskPage: ...  # UserGone

    async def deleted_tasks(self) -> set[str]:
        """The uuids of tasks that were deleted, as far as the change log still says; some may be there again."""
        ...

    # The change log
    async def seq(self, user_id: int) -> int: ...  # UserGone
    async def changes(self, user_id: int, epoch: str, since: int, limit: int) -> ChangePage: ...  # UserGone

    async def count_changes(self) -> int:
        """How many changes the log keeps, of all users; without reading the log."""
        ...

    async def seqs(self, user_ids: Collection[int]) -> dict[int, int]:
        """Each user's ``seq``, all from one snapshot; a user who is gone is missing.

        The safety net of a feed whose notices can be lost, as a message broker's: it is behind where it has brought less.
        """
        ...

    # The key that signs tokens, as a fingerprint
    async def signing_key(self) -> SigningKey: ...
    async def set_signing_key(self, fingerprint: str) -> None: ...

    # Accounts
    async def add_user(
        self, username: str, key: str, password: str, now: int
    ) -> User: ...  # ValidationFailed
    async def user_by_key(self, key: str) -> User | None: ...
    async def login_record(self, key: str, address: str) -> LoginRecord: ...
    async def token_status(self, token: Token) -> TokenStatus | None: ...  # None: there is no such user

    async def ended_tokens(self, tokens: Sequence[Token]) -> list[Token]:
        """Those of the access tokens whose ``token_status`` is ``None``, revoked, or that of an inactive user."""
        ...

    async def version(self) -> int:
        """Another number after every commit by which a token may have ended without a revocation; perhaps after others, too."""
        ...

    async def import_accounts(self, accounts: Sequence[ImportedAccount]) -> list[AccountImport]:
        """Add accounts with the ids that they have elsewhere, in ascending order: what came of each."""
        ...

    # These three do nothing, and two of them say False, when the password is no longer as ``user`` has it.
    async def set_password(
        self, user: User, password: str, at: ClockReading
    ) -> bool: ...  # ends all its tokens
    async def renew_hash(self, user: User, password: str) -> None: ...  # of the same password
    async def delete_user(self, user: User, at: ClockReading) -> bool: ...  # and all that is theirs

    # What operators ask
    async def totals(self) -> Totals: ...

    async def accounts(self, after: int, limit: int) -> list[AccountRecord]:
        """A page of all users by id, from the first one after that id."""
        ...

    async def set_active(self, user_id: int, is_active: bool, at: ClockReading) -> bool:
        """Disable or enable a user; False: there is none. Tokens from before stay ended when the user is enabled again."""
        ...

    # Token families. Expiry in Unix seconds; ``grace`` and ``patience`` (see ``shared.decisions.aging``) in seconds.
    async def begin_family(
        self, sid: str, user: User, expires: int, address: str | None, at: ClockReading, patience: int
    ) -> None:
        """Note where the user has logged in from; ``None``: an operator gave out the tokens.

        Raises UserGone, also when the account is no longer as ``user`` has it: its password changed, say.
        """
        ...

    async def extend_family(self, sid: str, expires: int) -> bool: ...  # False: it is gone or revoked

    async def exchange_token(
        self, token: Token, new_sid: str, expires: int, at: ClockReading, grace: int, patience: int
    ) -> str | None:
        """Exchange a refresh token; one without a family begins ``new_sid``.

        Returns:
            Its family. ``None``: that is revoked; it is, too, when this token was exchanged before and its grace is over.
        """
        ...

    async def end_family(self, token: Token, new_sid: str, at: ClockReading) -> None:
        """Revoke a refresh token and its family; one without is remembered as revoked, with ``new_sid``."""
        ...
